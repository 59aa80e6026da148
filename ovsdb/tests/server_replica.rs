//! The replica equals the database: ten thousand random transactions by two concurrent
//! writers, with readers that are cut off again and again, one per monitor method.

mod harness;

use harness::{Server, block_on, drain, run};
use ovsdb::Uuid;
use ovsdb::condition::Condition;
use ovsdb::json::{Json, parse};
use ovsdb::monitor::{Method, TableMonitor};
use ovsdb::mutation::Mutation;
use ovsdb::net::{Client, Config, Events};
use ovsdb::op::{Columns, Transaction, columns};
use ovsdb::replica::{IndexSpec, Replica};
use ovsdb::schema::{ColumnType, DatabaseSchema};
use ovsdb::session::Event;
use ovsdb::value::{Atom, Datum};
use std::collections::BTreeMap;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);
const TRANSACTIONS: usize = 10_000;
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

async fn write(client: Client, seed: u64, n: usize) {
    let mut random = Random(seed);
    let mut flying = tokio::task::JoinSet::new();
    for _ in 0..n {
        if flying.len() >= WINDOW {
            let result: Result<_, ovsdb::net::Error> = flying.join_next().await.unwrap().unwrap();
            result.unwrap();
        }
        let (client, txn) = (client.clone(), random_transaction(&mut random));
        flying.spawn(async move { client.transact(txn, LIMIT).await });
    }
    while let Some(result) = flying.join_next().await {
        result.unwrap().unwrap();
    }
}

fn config(server: &Server, method: Method) -> Config {
    let mut config = Config::new(vec![server.remote()], "z");
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

/// The database according to ovsdb-client.
fn dump(server: &Server, schema: &DatabaseSchema) -> BTreeMap<(String, Uuid), Columns> {
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

fn content(replica: &Replica) -> BTreeMap<(String, Uuid), Columns> {
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

/// A reader, cut off now and then, whose changes must be consistent with what it was told
/// before: an insert of a row it knows, or a change of one it does not know, is a fault.
async fn read(
    client: Client,
    mut events: Events,
    mut replica: Replica,
    mut done: tokio::sync::watch::Receiver<bool>,
) -> (Client, Events, Replica, usize) {
    let mut cuts = 0;
    loop {
        tokio::select! {
            _ = done.changed() => return (client, events, replica, cuts),
            event = events.next() => match event.unwrap() {
                Event::Update(changes) => {
                    for change in &changes {
                        let known = replica.row(&change.table, change.uuid);
                        assert_eq!(known, change.old.as_ref(), "{change:?}");
                    }
                    replica.follow(&changes);
                }
                Event::Disconnected(_) => cuts += 1,
                _ => {}
            },
            () = tokio::time::sleep(Duration::from_millis(60)) => {}
        }
        if cuts < 40 {
            client.reconnect().await.unwrap();
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }
}

#[test]
fn replica_equals_dump_after_random_transactions() {
    let server = Server::with_schema_text(SCHEMA);
    let schema = DatabaseSchema::parse(&parse(SCHEMA.as_bytes()).unwrap()).unwrap();
    block_on(LIMIT, async {
        let (finish, done) = tokio::sync::watch::channel(false);
        let mut readers = tokio::task::JoinSet::new();
        for method in [Method::CondSince, Method::Cond, Method::Monitor] {
            let (client, events, replica) = harness::connect(config(&server, method)).await;
            readers.spawn(read(client, events, replica, done.clone()));
        }
        let mut writers = tokio::task::JoinSet::new();
        for seed in [0x9E37_79B9_7F4A_7C15, 0xD1B5_4A32_D192_ED03] {
            let (client, _events) = Client::spawn(config(&server, Method::Monitor)).unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
            writers.spawn(write(client, seed, TRANSACTIONS / 2));
        }
        while let Some(result) = writers.join_next().await {
            result.unwrap();
        }
        finish.send(true).unwrap();
        let expected = dump(&server, &schema);
        assert!(expected.len() > 50, "{} rows", expected.len());
        let mut cut = 0;
        while let Some(result) = readers.join_next().await {
            let (_client, mut events, mut replica, cuts) = result.unwrap();
            cut += cuts;
            // What is still on its way arrives soon.
            for _ in 0..200 {
                drain(&mut events, &mut replica);
                if content(&replica) == expected {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            assert_eq!(content(&replica), expected);
            check_indexes(&replica);
        }
        println!(
            "{} rows after {TRANSACTIONS} transactions, {cut} cuts",
            expected.len()
        );
        assert!(cut > 20, "only {cut} cuts");
    });
}

#[test]
fn conditions_change_what_is_seen() {
    let server = Server::with_schema_text(SCHEMA);
    block_on(LIMIT, async {
        let mut config = config(&server, Method::CondSince);
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
