//! The replica equals the database: ten thousand random transactions by two concurrent
//! writers, with readers that are cut off again and again, one per monitor method.

mod harness;

use harness::proxy::Proxy;
use harness::{Server, block_on, drain, run};
use ovsdb::Uuid;
use ovsdb::condition::Condition;
use ovsdb::json::{Json, parse};
use ovsdb::monitor::{Method, TableMonitor};
use ovsdb::mutation::Mutation;
use ovsdb::net::{Client, Config, Events, Remote};
use ovsdb::op::{Columns, Transaction, columns};
use ovsdb::replica::{IndexSpec, Replica};
use ovsdb::schema::{ColumnType, DatabaseSchema};
use ovsdb::session::Event;
use ovsdb::value::{Atom, Datum};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// No test may hang; on an idle machine the slowest takes a few seconds.
const LIMIT: Duration = Duration::from_secs(300);
const TRANSACTIONS: usize = 10_000;
/// Every reader loses its connection each time so many more transactions are through.
const CUT_EVERY: usize = 250;
/// Transactions a writer has in flight.
const WINDOW: usize = 25;

const SCHEMA: &str = r#"{"name":"z","tables":{
    "parent":{"isRoot":true,"columns":{
        "k":{"type":"integer"},
        "opt":{"type":{"key":"string","min":0,"max":1}},
        "set":{"type":{"key":"integer","min":0,"max":"unlimited"}},
        "map":{"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
        "one":{"type":{"key":"string","value":"integer","min":0,"max":1}},
        "children":{"type":{"key":{"type":"uuid","refTable":"child"},"min":0,"max":"unlimited"}},
        "friend":{"type":{"key":{"type":"uuid","refTable":"parent","refType":"weak"},
            "min":0,"max":1}}}},
    "child":{"columns":{"k":{"type":"integer"},"r":{"type":"real"}}}}}"#;

/// A small generator; the seed makes a run repeatable.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    fn small(&mut self) -> i64 {
        i64::try_from(self.below(12)).unwrap()
    }

    fn word(&mut self) -> String {
        format!("w{}", self.below(8))
    }
}

/// A transaction that inserts, changes, mutates or deletes rows with one of sixty keys.
fn random_transaction(random: &mut Random) -> Transaction {
    let mut txn = Transaction::new();
    for _ in 0..=random.below(3) {
        let key = i64::try_from(random.below(60)).unwrap();
        let this = [Condition::eq("k", key)];
        match random.below(8) {
            0 | 1 => {
                let child = txn.insert("child", columns([("k", key)]));
                let mut row = Columns::new();
                row.insert("k".into(), key.into());
                row.insert("children".into(), child.reference.into());
                row.insert("set".into(), Datum::set([random.small(), random.small()]));
                row.insert("map".into(), Datum::map([(random.word(), random.word())]));
                txn.insert("parent", row);
            }
            2 => {
                let value = (random.below(3) > 0).then(|| random.word());
                txn.update("parent", this, columns([("opt", value)]));
            }
            3 => {
                let value = Datum::set([random.small(), random.small(), random.small()]);
                txn.mutate("parent", this, [Mutation::insert("set", value)]);
            }
            4 => {
                let value = Datum::set([random.small(), random.small()]);
                txn.mutate("parent", this, [Mutation::delete("set", value)]);
            }
            5 => {
                let (gone, pair) = (random.word(), (random.word(), random.word()));
                let mutations = [
                    Mutation::delete("map", Datum::set([gone, pair.0.clone()])),
                    Mutation::insert("map", Datum::map([pair])),
                ];
                txn.mutate("parent", this, mutations);
            }
            6 => {
                let one = Datum::map((0..random.below(2)).map(|_| (random.word(), random.small())));
                txn.update("parent", this, columns([("one", one)]));
            }
            _ => {
                txn.delete("parent", this);
            }
        }
    }
    txn
}

async fn write(client: Client, seed: u64, n: usize, cuts: Arc<Cuts>) {
    let mut random = Random(seed);
    let mut flying = tokio::task::JoinSet::new();
    for _ in 0..n {
        if flying.len() >= WINDOW {
            let result: Result<_, ovsdb::net::Error> = flying.join_next().await.unwrap().unwrap();
            result.unwrap();
            cuts.transaction_done().await;
        }
        let (client, txn) = (client.clone(), random_transaction(&mut random));
        flying.spawn(async move { client.transact(txn, LIMIT).await });
    }
    while let Some(result) = flying.join_next().await {
        result.unwrap().unwrap();
        cuts.transaction_done().await;
    }
}

/// Cuts the readers' connections, by the number of transactions alone.
struct Cuts {
    readers: Vec<(Proxy, watch::Receiver<usize>)>,
    transactions: tokio::sync::Mutex<usize>,
}

impl Cuts {
    /// Counts a transaction, and cuts when it is time. A reader that has not yet come back
    /// from the last cut is waited for, while what is in flight goes on: so each cut hits a
    /// complete connection, and each reconnect falls into a busy time.
    async fn transaction_done(&self) {
        let mut transactions = self.transactions.lock().await;
        *transactions += 1;
        if !transactions.is_multiple_of(CUT_EVERY) {
            return;
        }
        let snapshots = *transactions / CUT_EVERY;
        for (proxy, complete) in &self.readers {
            let mut complete = complete.clone();
            complete.wait_for(|n| *n == snapshots).await.unwrap();
            proxy.cut().await;
        }
    }
}

fn config(remote: Remote, method: Method) -> Config {
    let mut config = Config::new(vec![remote], "z");
    config.backoff_min = Duration::from_millis(5);
    config.backoff_max = Duration::from_millis(20);
    config.session.method = method;
    config.session.monitors = vec![TableMonitor::all("parent"), TableMonitor::all("child")];
    config.session.indexes = vec![
        IndexSpec::column("parent", "set"),
        IndexSpec::key("parent", "map", "w1"),
    ];
    config
}

/// Rows by table and UUID.
type Rows = BTreeMap<(String, Uuid), Columns>;

/// The database according to ovsdb-client.
fn dump(server: &Server, schema: &DatabaseSchema) -> Rows {
    let text = run(
        "ovsdb-client",
        &["--format=json", "dump", &server.address(), "z"],
    );
    let mut out = BTreeMap::new();
    for line in text.lines().filter(|l| l.starts_with('{')) {
        let table = parse(line.as_bytes()).unwrap();
        let caption = table.member("caption").unwrap().as_str().unwrap();
        let name = caption.split_whitespace().next().unwrap();
        let headings = table.member("headings").unwrap().as_array().unwrap();
        for row in table.member("data").unwrap().as_array().unwrap() {
            let mut columns = Columns::new();
            let mut uuid = Uuid::ZERO;
            for (heading, value) in headings.iter().zip(row.as_array().unwrap()) {
                let heading = heading.as_str().unwrap();
                let kind: &ColumnType = &schema.table(name).unwrap().column(heading).unwrap().kind;
                let value = Datum::decode(value, kind).unwrap();
                if heading == "_uuid" {
                    uuid = value.as_uuid().unwrap();
                } else {
                    columns.insert(heading.into(), value);
                }
            }
            out.insert((name.to_owned(), uuid), columns);
        }
    }
    out
}

fn content(replica: &Replica) -> Rows {
    let mut out = BTreeMap::new();
    for table in ["parent", "child"] {
        for (uuid, row) in replica.rows(table) {
            let columns = row.values().map(|(n, v)| (n.clone(), v.clone())).collect();
            out.insert((table.to_owned(), uuid), columns);
        }
    }
    out
}

/// Every index entry is found by a scan and the other way round.
fn check_indexes(replica: &Replica) {
    for value in 0..12 {
        let atom = Atom::Integer(value);
        let found: Vec<Uuid> = replica
            .find("parent", "set", None, &atom)
            .map(|(u, _)| u)
            .collect();
        let scan = replica
            .rows("parent")
            .filter(|(_, r)| r.get("set").unwrap().atoms().contains(&atom));
        assert_eq!(found, scan.map(|(u, _)| u).collect::<Vec<_>>());
    }
    for value in 0..8 {
        let word = format!("w{value}");
        let atom = Atom::from(word.as_str());
        let found: Vec<Uuid> = replica
            .find("parent", "map", Some("w1"), &atom)
            .map(|(u, _)| u)
            .collect();
        let scan = replica
            .rows("parent")
            .filter(|(_, r)| r.key("map", "w1") == Some(&word));
        assert_eq!(found, scan.map(|(u, _)| u).collect::<Vec<_>>());
    }
}

/// A reader that is cut off now and then. Its changes must be consistent with what it was told
/// before: an insert of a row it knows, or a change of one it does not know, is a fault.
struct Reader {
    client: Client,
    events: Events,
    replica: Replica,
    /// Number of snapshots that have become complete.
    complete: watch::Sender<usize>,
}

impl Reader {
    fn start(remote: Remote, method: Method) -> Self {
        let config = config(remote, method);
        let replica = Replica::new(config.session.indexes.clone());
        let (client, events) = Client::spawn(config).unwrap();
        Self {
            client,
            events,
            replica,
            complete: watch::Sender::new(0),
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Update(changes) => {
                for change in &changes {
                    let known = self.replica.row(&change.table, change.uuid);
                    assert_eq!(known, change.old.as_ref(), "{change:?}");
                }
                self.replica.follow(&changes);
            }
            Event::InitialSnapshotComplete => self.complete.send_modify(|n| *n += 1),
            _ => {}
        }
    }

    async fn follow(mut self, mut finished: watch::Receiver<bool>) -> Self {
        loop {
            tokio::select! {
                _ = finished.changed() => return self,
                event = self.events.next() => self.take(event.unwrap()),
            }
        }
    }

    /// Takes what is still on its way, until the last cut is healed and the replica is as
    /// expected.
    async fn arrive_at(&mut self, expected: &Rows) {
        while *self.complete.borrow() <= TRANSACTIONS / CUT_EVERY
            || &content(&self.replica) != expected
        {
            let next = tokio::time::timeout(Duration::from_secs(30), self.events.next()).await;
            match next {
                Ok(event) => self.take(event.unwrap()),
                Err(_) => {
                    assert_eq!(&content(&self.replica), expected);
                    panic!("{} snapshots complete", *self.complete.borrow());
                }
            }
        }
    }
}

#[test]
fn replica_equals_dump_after_random_transactions() {
    let server = Server::with_schema_text(SCHEMA);
    let schema = DatabaseSchema::parse(&parse(SCHEMA.as_bytes()).unwrap()).unwrap();
    block_on(LIMIT, async {
        let (finish, finished) = watch::channel(false);
        let mut cuts = Vec::new();
        let mut readers = tokio::task::JoinSet::new();
        for method in [Method::CondSince, Method::Cond, Method::Monitor] {
            let proxy = Proxy::start(&server);
            let reader = Reader::start(proxy.remote(), method);
            cuts.push((proxy, reader.complete.subscribe()));
            readers.spawn(reader.follow(finished.clone()));
        }
        let cuts = Arc::new(Cuts {
            readers: cuts,
            transactions: tokio::sync::Mutex::new(0),
        });
        let mut writers = tokio::task::JoinSet::new();
        for seed in [0x9E37_79B9_7F4A_7C15, 0xD1B5_4A32_D192_ED03] {
            let config = config(server.remote(), Method::Monitor);
            let (client, _events, _replica) = harness::connect(config).await;
            writers.spawn(write(client, seed, TRANSACTIONS / 2, cuts.clone()));
        }
        while let Some(result) = writers.join_next().await {
            result.unwrap();
        }
        assert_eq!(*cuts.transactions.lock().await, TRANSACTIONS);
        finish.send(true).unwrap();
        let expected = dump(&server, &schema);
        assert!(expected.len() > 50, "{} rows", expected.len());
        while let Some(reader) = readers.join_next().await {
            let mut reader = reader.unwrap();
            reader.arrive_at(&expected).await;
            check_indexes(&reader.replica);
            let connections = reader.client.counters().connections;
            assert_eq!(
                usize::try_from(connections).unwrap(),
                TRANSACTIONS / CUT_EVERY + 1
            );
        }
        println!("{} rows after {TRANSACTIONS} transactions", expected.len());
    });
}

#[test]
fn conditions_change_what_is_seen() {
    let server = Server::with_schema_text(SCHEMA);
    block_on(LIMIT, async {
        let mut config = config(server.remote(), Method::CondSince);
        config.session.monitors = vec![TableMonitor::all("parent").when([Condition::eq("k", 1)])];
        let (client, mut events, mut replica) = harness::connect(config).await;
        let mut txn = Transaction::new();
        for key in 0..10 {
            txn.insert("parent", columns([("k", key)]));
        }
        client.transact(txn, LIMIT).await.unwrap();
        drain(&mut events, &mut replica);
        assert_eq!(replica.rows("parent").count(), 1);
        let seen = [
            (vec![Condition::Const(true)], 10),
            (vec![Condition::eq("k", 2), Condition::eq("k", 3)], 2),
            (vec![Condition::Const(false)], 0),
        ];
        for (conditions, rows) in seen {
            client
                .change_conditions(vec![TableMonitor::all("parent").when(conditions)])
                .await
                .unwrap();
            client
                .request("echo", vec![Json::Null], LIMIT)
                .await
                .unwrap();
            drain(&mut events, &mut replica);
            assert_eq!(replica.rows("parent").count(), rows);
        }
    });
}
