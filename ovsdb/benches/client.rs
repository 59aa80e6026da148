//! Measures the client against a real ovsdb-server, beside ovsdb-client, the Python IDL and a
//! raw socket: `cargo bench -p vifd-ovsdb --bench client [-- ROWS SECONDS]`.
//!
//! 1. Initial monitor of ROWS rows (50,000) and then 100,000 row updates a minute for SECONDS
//!    (20): time, CPU and peak memory of each reader, one table.
//! 2. Pipelined transactions of one update each, alternating between this client and a raw
//!    socket that writes prepared bytes and counts replies.

use ovsdb::Uuid;
use ovsdb::condition::Condition;
use ovsdb::json::{SplitLimits, Splitter};
use ovsdb::monitor::TableMonitor;
use ovsdb::net::{Client, Config, Remote};
use ovsdb::op::{OpResult, Transaction, columns};
use ovsdb::replica::Replica;
use ovsdb::session::Event;
use ovsdb::value::Datum;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

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
    if let [mode, socket] = args.as_slice()
        && mode == "reader"
    {
        return reader(socket);
    }
    let number =
        |i: usize, default: u32| args.get(i).and_then(|a| a.parse().ok()).unwrap_or(default);
    let (rows, seconds) = (number(0, 50_000), number(1, 20));
    let dir = tempfile::tempdir().expect("scratch directory");
    let server = Server::start(dir.path());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("runtime");
    let (client, items) = runtime.block_on(load(dir.path(), rows));
    println!("{rows} rows, then {RATE} row updates/s for {seconds} s, {BURST} per transaction\n");
    println!(
        "| reader | snapshot s | snapshot CPU s | peak MB | updates CPU s | lag ms | peak MB after |"
    );
    println!("|---|---|---|---|---|---|---|");
    let load = Load {
        client: &client,
        items: &items,
        seconds,
    };
    for (run, kind) in (1..).zip(["this client", "ovsdb-client", "python ovs.db.idl"]) {
        measure(&runtime, &load, dir.path(), kind, run);
    }
    println!();
    runtime.block_on(pipelines(&client, dir.path()));
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

/// This client as a reader in a process of its own.
fn reader(socket: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("runtime");
    runtime.block_on(async {
        let mut config = config(Path::new(socket));
        config.session.monitors = vec![TableMonitor::all("item"), TableMonitor::all("marker")];
        let (_client, mut events) = Client::spawn(config).expect("client");
        let mut view = Replica::new(vec![]);
        loop {
            match events.next().await.expect("event") {
                Event::Update(changes) => view.follow(&changes),
                Event::InitialSnapshotComplete => println!("ready"),
                Event::Disconnected(reason) => panic!("{reason}"),
                _ => {}
            }
            if view.rows("marker").any(|(_, r)| r.integer("n") == Some(1)) {
                break;
            }
        }
        println!("done");
        let _ = std::io::stdin().read_line(&mut String::new());
    });
}

fn spawn(dir: &Path, kind: &str) -> Child {
    let socket = dir.join("sock");
    let address = format!("unix:{}", socket.display());
    let mut command = match kind {
        "this client" => {
            let mut command = Command::new(std::env::current_exe().expect("own path"));
            command.arg("reader").arg(socket);
            command
        }
        "ovsdb-client" => {
            let mut command = Command::new("ovsdb-client");
            command.args(["--format=csv", "monitor", &address, "bench", "ALL"]);
            command
        }
        _ => {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/idl_reader.py");
            let mut command = Command::new("/usr/bin/python3");
            command.arg(script).arg(address).arg(dir.join("schema"));
            command
        }
    };
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| {
            panic!("{kind}: {e}; install openvswitch-switch and python3-openvswitch")
        })
}

/// CPU seconds and peak resident megabytes of a process, from /proc.
fn usage(pid: u32) -> (f64, f64) {
    let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).expect("proc");
    let stat = read("stat");
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .expect("stat")
        .split_whitespace()
        .collect();
    let ticks: f64 =
        fields[11].parse::<f64>().expect("utime") + fields[12].parse::<f64>().expect("stime");
    let status = read("status");
    let line = status
        .lines()
        .find(|l| l.starts_with("VmHWM"))
        .expect("VmHWM");
    let kilobytes: f64 = line
        .split_whitespace()
        .nth(1)
        .expect("value")
        .parse()
        .expect("number");
    (ticks / 100.0, kilobytes / 1024.0)
}

/// What the readers have to follow.
struct Load<'a> {
    client: &'a Client,
    items: &'a [Uuid],
    seconds: u32,
}

fn measure(runtime: &tokio::runtime::Runtime, load: &Load<'_>, dir: &Path, kind: &str, run: i64) {
    runtime.block_on(async {
        let mut txn = Transaction::new();
        txn.update("marker", [], columns([("n", 0)]));
        load.client.transact(txn, LIMIT).await.expect("marker");
    });
    let began = Instant::now();
    let mut child = spawn(dir, kind);
    let pid = child.id();
    let stdout = child.stdout.take().expect("stdout");
    let (tell, told) = mpsc::channel();
    let rows = load.items.len();
    let lines = kind == "ovsdb-client";
    std::thread::spawn(move || {
        let mut seen = 0;
        for line in BufReader::new(stdout).lines() {
            let Ok(line) = line else { break };
            seen += 1;
            // ovsdb-client prints a line per row; the marker's new value ends the run.
            let message = match line.as_str() {
                "ready" => "ready",
                "done" => "done",
                _ if lines && seen == rows => "ready",
                _ if lines && line.starts_with(",new,1,") => "done",
                _ => continue,
            };
            if tell.send(message).is_err() {
                break;
            }
        }
    });
    let wait = |wanted: &str| loop {
        if told.recv_timeout(LIMIT).expect("reader ended") == wanted {
            return;
        }
    };
    wait("ready");
    let snapshot = began.elapsed().as_secs_f64();
    std::thread::sleep(Duration::from_millis(200));
    let (snapshot_cpu, snapshot_peak) = usage(pid);
    runtime.block_on(updates(load, run));
    let sent = Instant::now();
    wait("done");
    let lag = sent.elapsed().as_secs_f64() * 1000.0;
    let (cpu, peak) = usage(pid);
    println!(
        "| {kind} | {snapshot:.2} | {snapshot_cpu:.2} | {snapshot_peak:.0} | {:.2} | {lag:.0} | {peak:.0} |",
        cpu - snapshot_cpu
    );
    let _ = child.kill();
    let _ = child.wait();
}

/// Sends the updates at their rate, then the marker.
async fn updates(load: &Load<'_>, run: i64) {
    let Load {
        client,
        items,
        seconds,
    } = load;
    let began = Instant::now();
    let bursts = RATE * seconds / BURST;
    for burst in 0..bursts {
        let due = Duration::from_secs_f64(f64::from(burst * BURST) / f64::from(RATE));
        if let Some(pause) = due.checked_sub(began.elapsed()) {
            tokio::time::sleep(pause).await;
        }
        let mut txn = Transaction::new();
        for i in 0..BURST {
            let at = (burst * BURST + i).wrapping_mul(7919) as usize % items.len();
            let this = [Condition::uuid(items[at])];
            // Every update of every run is a change.
            let value = i64::from(burst) * 4 + run;
            txn.update("item", this, columns([("ofport", value)]));
        }
        client.transact(txn, LIMIT).await.expect("update");
    }
    let mut txn = Transaction::new();
    txn.update("marker", [], columns([("n", 1)]));
    client.transact(txn, LIMIT).await.expect("marker");
}

const SMALL: usize = 10_000;
const ROUNDS: usize = 15;

/// One row's column changes and changes again.
fn small(i: usize) -> Transaction {
    let mut txn = Transaction::new();
    txn.update(
        "marker",
        [],
        columns([("n", i64::try_from(i).unwrap_or(0) + 2)]),
    );
    txn
}

async fn pipelines(client: &Client, dir: &Path) {
    let (mut ours, mut raw) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(pipelined(client).await);
        raw.push(raw_socket(&dir.join("sock")));
    }
    for times in [&mut ours, &mut raw] {
        times.sort_by(f64::total_cmp);
    }
    println!(
        "pipelined transactions of one update, {SMALL} a round, {ROUNDS} rounds, alternating:"
    );
    for (name, at) in [("best", 0), ("median", ROUNDS / 2)] {
        let rate = |times: &[f64]| SMALL as f64 / times[at];
        let (ours, raw) = (rate(&ours), rate(&raw));
        let share = ours / raw * 100.0;
        println!("{name}: this client {ours:.0}/s, raw socket {raw:.0}/s, {share:.0} %");
    }
}

/// Two batches in flight: one is handed over while the outcomes of the other are awaited.
async fn pipelined(client: &Client) -> f64 {
    const BATCH: usize = 1000;
    let mut transactions = (0..SMALL).map(small).collect::<Vec<_>>().into_iter();
    let began = Instant::now();
    let mut flying = std::collections::VecDeque::new();
    loop {
        for txn in transactions.by_ref().take(BATCH) {
            flying.push_back(client.submit(txn, LIMIT).await.expect("sent"));
        }
        if flying.is_empty() {
            return began.elapsed().as_secs_f64();
        }
        let keep = if transactions.len() > 0 { BATCH } else { 0 };
        while flying.len() > keep {
            flying
                .pop_front()
                .expect("window")
                .await
                .expect("transaction");
        }
    }
}

fn raw_socket(socket: &Path) -> f64 {
    let mut requests = Vec::new();
    for i in 0..SMALL {
        ovsdb::rpc::Message::Request {
            id: ovsdb::json::Json::Integer(i64::try_from(i).unwrap_or(0)),
            method: "transact".into(),
            params: small(i).to_params(&"bench".into()),
        }
        .encode(&mut requests);
    }
    let mut writer = UnixStream::connect(socket).expect("connect");
    let mut reader = writer.try_clone().expect("clone");
    let began = Instant::now();
    let thread = std::thread::spawn(move || writer.write_all(&requests).map(|()| writer));
    let mut splitter = Splitter::new(SplitLimits::default());
    let mut buffer = vec![0; 256 << 10];
    let mut replies = 0;
    while replies < SMALL {
        let n = reader.read(&mut buffer).expect("read");
        assert!(n > 0, "closed");
        splitter.push(&buffer[..n]);
        while splitter.next_message().expect("JSON").is_some() {
            replies += 1;
        }
    }
    let elapsed = began.elapsed().as_secs_f64();
    drop(thread.join().expect("writer").expect("write"));
    elapsed
}
