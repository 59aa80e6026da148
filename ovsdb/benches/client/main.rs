//! Measures the client against a real ovsdb-server, beside ovsdb-client, the Python IDL and a
//! raw socket: `cargo bench -p vifd-ovsdb --bench client [-- ROWS SECONDS ROUNDS]`.
//!
//! 1. `readers`: initial monitor of ROWS rows (50,000) and then 100,000 row updates a minute for
//!    SECONDS (10), in ROUNDS (3) alternating rounds: time, CPU and peak memory of each reader,
//!    with a reader that only counts bytes as the floor. Afterwards each reader must know the
//!    same final state.
//! 2. `pipeline`: transactions of one update each, alternating between this client and a raw
//!    socket that writes prepared bytes and counts replies.

mod pipeline;
mod readers;

use ovsdb::Uuid;
use ovsdb::net::{Client, Config, Remote};
use ovsdb::op::{OpResult, Transaction, columns};
use ovsdb::session::Event;
use ovsdb::value::Datum;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Nothing may hang.
const LIMIT: Duration = Duration::from_secs(120);
/// Row updates per second: 100,000 a minute.
const RATE: u32 = 1667;
/// Row updates per transaction.
const BURST: u32 = 10;

const SCHEMA: &str = r#"{"name":"bench","version":"1.0.0","tables":{
    "item":{"isRoot":true,"columns":{
        "name":{"type":"string"},
        "ofport":{"type":{"key":"integer","min":0,"max":1}},
        "ids":{"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
        "options":{"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
        "vlans":{"type":{"key":"integer","min":0,"max":"unlimited"}}}},
    "marker":{"isRoot":true,"columns":{"n":{"type":"integer"}}}}}"#;

fn main() {
    let args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    if let [mode, socket] = args.as_slice() {
        match mode.as_str() {
            "reader" => return readers::this_client(socket),
            "floor" => return readers::count_bytes(socket),
            _ => {}
        }
    }
    let number =
        |i: usize, default: u32| args.get(i).and_then(|a| a.parse().ok()).unwrap_or(default);
    let (rows, seconds, rounds) = (number(0, 50_000), number(1, 10), number(2, 3));
    let dir = tempfile::tempdir().expect("scratch directory");
    let server = Server::start(dir.path());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("runtime");
    let (client, items) = runtime.block_on(load(dir.path(), rows));
    println!("{rows} rows, then {RATE} row updates/s for {seconds} s, {BURST} per transaction\n");
    let mut load = readers::Load::new(&client, &items, seconds);
    readers::compare(&runtime, &mut load, dir.path(), rounds);
    println!();
    runtime.block_on(pipeline::compare(&client, dir.path()));
    drop(client);
    drop(server);
}

struct Server(Child);

impl Server {
    fn start(dir: &Path) -> Self {
        std::fs::write(dir.join("schema"), SCHEMA).expect("schema");
        let made = Command::new("ovsdb-tool")
            .arg("create")
            .arg(dir.join("db"))
            .arg(dir.join("schema"))
            .status();
        assert!(
            made.expect("ovsdb-tool; install openvswitch-switch")
                .success()
        );
        let child = Command::new("ovsdb-server")
            .arg(format!("--remote=punix:{}", dir.join("sock").display()))
            .arg(format!("--unixctl={}", dir.join("ctl").display()))
            .arg(dir.join("db"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("ovsdb-server; install openvswitch-switch");
        while UnixStream::connect(dir.join("sock")).is_err() {
            std::thread::sleep(Duration::from_millis(5));
        }
        Self(child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn config(socket: &Path) -> Config {
    let mut config = Config::new(vec![Remote::Unix(socket.into())], "bench");
    config.session.limits.probe = None;
    config
}

async fn load(dir: &Path, rows: u32) -> (Client, Vec<Uuid>) {
    let (client, mut events) = Client::spawn(config(&dir.join("sock"))).expect("client");
    while !matches!(events.next().await, Some(Event::InitialSnapshotComplete)) {}
    let names: Vec<u32> = (0..rows).collect();
    let mut items = Vec::new();
    for chunk in names.chunks(2000) {
        let mut txn = Transaction::new();
        for i in chunk {
            let name = format!("tap{i:08x}-{:02}", i % 100);
            let mac = format!(
                "fa:16:3e:{:02x}:{:02x}:{:02x}",
                i >> 16 & 255,
                i >> 8 & 255,
                i & 255
            );
            let id = ovsdb::Uuid::from_random(u128::from(*i) << 70 | u128::from(*i)).to_string();
            let ids = [
                ("iface-id", id),
                ("attached-mac", mac),
                ("iface-status", "active".into()),
            ];
            txn.insert(
                "item",
                columns([
                    ("name", Datum::from(name)),
                    ("ofport", Datum::from(i % 60_000)),
                    ("ids", Datum::map(ids)),
                    (
                        "options",
                        Datum::map([("remote_ip", format!("10.0.{}.{}", i >> 8 & 255, i & 255))]),
                    ),
                    ("vlans", Datum::set([i % 4000, i % 3999, i % 97])),
                ]),
            );
        }
        let results = client.transact(txn, LIMIT).await.expect("load");
        items.extend(results.iter().filter_map(OpResult::uuid));
    }
    let mut txn = Transaction::new();
    txn.insert("marker", columns([("n", 0)]));
    client.transact(txn, LIMIT).await.expect("marker");
    (client, items)
}
