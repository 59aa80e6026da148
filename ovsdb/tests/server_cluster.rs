//! A three-member RAFT cluster whose leader is killed in the middle of a thousand
//! transactions: nothing is lost, nothing is applied twice.

mod harness;

use harness::{block_on, run};
use ovsdb::monitor::TableMonitor;
use ovsdb::mutation::{Mutation, Mutator};
use ovsdb::net::{Client, Config, Error, Events, Remote};
use ovsdb::op::{Transaction, columns};
use ovsdb::replica::{IndexSpec, Replica};
use ovsdb::session::Event;
use ovsdb::value::Atom;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(300);
const TRANSACTIONS: i64 = 1000;
/// Transactions in flight.
const WINDOW: usize = 16;

const SCHEMA: &str = r#"{"name":"raft","version":"1.0.0","tables":{
    "token":{"isRoot":true,"indexes":[["n"]],"columns":{"n":{"type":"integer"}}},
    "count":{"isRoot":true,"columns":{"n":{"type":"integer"}}}}}"#;

struct Cluster {
    dir: tempfile::TempDir,
    members: Vec<Option<Child>>,
}

impl Cluster {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let schema = dir.path().join("schema");
        std::fs::write(&schema, SCHEMA).unwrap();
        // RAFT speaks over unix sockets here, so no port can collide.
        let raft = |i: usize| format!("unix:{}", dir.path().join(format!("raft{i}")).display());
        let db = |i: usize| dir.path().join(format!("db{i}")).display().to_string();
        run(
            "ovsdb-tool",
            &["create-cluster", &db(0), schema.to_str().unwrap(), &raft(0)],
        );
        for i in 1..3 {
            run(
                "ovsdb-tool",
                &["join-cluster", &db(i), "raft", &raft(i), &raft(0)],
            );
        }
        let mut cluster = Self {
            dir,
            members: vec![None, None, None],
        };
        for i in 0..3 {
            cluster.launch(i);
        }
        cluster
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn launch(&mut self, i: usize) {
        let child = Command::new("ovsdb-server")
            .arg(format!(
                "--remote=punix:{}",
                self.path(&format!("sock{i}")).display()
            ))
            .arg(format!(
                "--unixctl={}",
                self.path(&format!("ctl{i}")).display()
            ))
            .arg(format!(
                "--log-file={}",
                self.path(&format!("log{i}")).display()
            ))
            .arg(self.path(&format!("db{i}")))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("ovsdb-server: {e}; install openvswitch-switch"));
        self.members[i] = Some(child);
        let began = Instant::now();
        while !self.path(&format!("sock{i}")).exists() {
            assert!(began.elapsed() < LIMIT, "member {i} does not start");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn status(&self, i: usize) -> String {
        let ctl = self.path(&format!("ctl{i}"));
        run(
            "ovs-appctl",
            &["-t", ctl.to_str().unwrap(), "cluster/status", "raft"],
        )
    }

    fn leader(&self) -> usize {
        let began = Instant::now();
        loop {
            let leads =
                |i: &usize| self.members[*i].is_some() && self.status(*i).contains("Role: leader");
            if let Some(leader) = (0..3).find(leads) {
                return leader;
            }
            assert!(began.elapsed() < LIMIT, "no leader");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn kill(&mut self, i: usize) {
        if let Some(mut child) = self.members[i].take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    fn config(&self) -> Config {
        let remotes = (0..3)
            .map(|i| Remote::Unix(self.path(&format!("sock{i}"))))
            .collect();
        let mut config = Config::new(remotes, "raft");
        config.backoff_min = Duration::from_millis(50);
        config.backoff_max = Duration::from_millis(200);
        config.session.leader_only = true;
        config.session.monitors = vec![TableMonitor::all("token"), TableMonitor::all("count")];
        config.session.indexes = vec![IndexSpec::column("token", "n")];
        config
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for i in 0..3 {
            self.kill(i);
        }
    }
}

/// Inserts the token and counts it, both or neither.
fn transaction(n: i64) -> Transaction {
    let mut txn = Transaction::new();
    txn.insert("token", columns([("n", n)]));
    txn.mutate("count", [], [Mutation::new("n", Mutator::Add, 1)]);
    txn
}

fn has_token(replica: &Replica, n: i64) -> bool {
    replica
        .find("token", "n", None, &Atom::Integer(n))
        .next()
        .is_some()
}

async fn snapshot(events: &mut Events, replica: &mut Replica) {
    loop {
        match events.next().await.unwrap() {
            Event::Update(changes) => replica.follow(&changes),
            Event::InitialSnapshotComplete => return,
            _ => {}
        }
    }
}

#[test]
fn leader_killed_nothing_lost_nothing_twice() {
    let mut cluster = Cluster::start();
    block_on(LIMIT, async {
        let config = cluster.config();
        let mut replica = Replica::new(config.session.indexes.clone());
        let (client, mut events) = Client::spawn(config).unwrap();
        snapshot(&mut events, &mut replica).await;
        let mut first = Transaction::new();
        first.insert("count", columns([("n", 0)]));
        client.transact(first, LIMIT).await.unwrap();

        let mut todo: Vec<i64> = (0..TRANSACTIONS).rev().collect();
        let mut flying = tokio::task::JoinSet::new();
        let (mut acknowledged, mut unknown, mut guarded) = (0, 0, 0);
        let mut killed = None;
        while acknowledged < TRANSACTIONS {
            if acknowledged > TRANSACTIONS / 3 && killed.is_none() {
                let leader = cluster.leader();
                cluster.kill(leader);
                killed = Some(leader);
            }
            while flying.len() < WINDOW
                && let Some(n) = todo.pop()
            {
                let client = client.clone();
                flying.spawn(async move {
                    (
                        n,
                        client
                            .transact(transaction(n), Duration::from_secs(3))
                            .await,
                    )
                });
            }
            let (n, result) = flying.join_next().await.unwrap().unwrap();
            harness::drain(&mut events, &mut replica);
            match result {
                Ok(_) => acknowledged += 1,
                // The token of an earlier attempt is there: this attempt was the second one.
                Err(Error::Server(error)) if &*error.error == "constraint violation" => {
                    acknowledged += 1;
                    guarded += 1;
                }
                Err(error) if error.is_unknown() => {
                    // Committed or not: the replica of the next connection tells; what it
                    // does not show yet, the index refuses to take twice.
                    unknown += 1;
                    if has_token(&replica, n) {
                        acknowledged += 1;
                    } else {
                        todo.push(n);
                    }
                }
                // Not sent, or refused by a member that cannot reach the others.
                Err(_) => {
                    todo.push(n);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
        assert!(killed.is_some());
        let began = Instant::now();
        loop {
            harness::drain(&mut events, &mut replica);
            let count = replica
                .rows("count")
                .next()
                .unwrap()
                .1
                .integer("n")
                .unwrap();
            if count == TRANSACTIONS && replica.rows("token").count() == 1000 {
                break;
            }
            assert!(count <= TRANSACTIONS, "{count} applied");
            assert!(began.elapsed() < LIMIT / 2, "{count} applied");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!((0..TRANSACTIONS).all(|n| has_token(&replica, n)));
        println!("{unknown} outcomes unknown, {guarded} repeats refused by the index");

        // The member comes back; a reader of the cluster resumes instead of starting over.
        cluster.launch(killed.unwrap());
        let before = client.counters();
        client.reconnect().await.unwrap();
        while client.counters().connections == before.connections {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        snapshot(&mut events, &mut replica).await;
        assert!(
            client.counters().resumed > before.resumed,
            "{:?}",
            client.counters()
        );
        assert_eq!(replica.rows("token").count(), 1000);
    });
}
