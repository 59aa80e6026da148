//! Readers of a large table and of the updates that follow.

use crate::{BURST, LIMIT, RATE, config};
use ovsdb::Uuid;
use ovsdb::condition::Condition;
use ovsdb::json::{SplitLimits, Splitter};
use ovsdb::monitor::{Method, TableMonitor};
use ovsdb::net::Client;
use ovsdb::op::{Transaction, columns};
use ovsdb::replica::Replica;
use ovsdb::session::Event;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The readers, in the order of the table.
const KINDS: [&str; 4] = [
    "bytes counted (floor)",
    "this client",
    "ovsdb-client",
    "python ovs.db.idl",
];

fn monitors() -> Vec<TableMonitor> {
    vec![
        TableMonitor::new("item", ["name", "ofport", "ids", "options", "vlans"]),
        TableMonitor::new("marker", ["n"]),
    ]
}

/// Tells the parent how far a reader is, and at the end what it knows: number of rows and sum
/// of their `ofport`.
fn tell(what: &str) {
    println!("{what}");
    let _ = std::io::stdout().flush();
}

/// This client, in a process of its own.
pub fn this_client(socket: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("runtime");
    runtime.block_on(async {
        let mut config = config(Path::new(socket));
        config.session.monitors = monitors();
        let (_client, mut events) = Client::spawn(config).expect("client");
        let mut view = Replica::new(vec![]);
        loop {
            match events.next().await.expect("event") {
                Event::Update(changes) => view.follow(&changes),
                Event::InitialSnapshotComplete => tell("ready"),
                Event::Disconnected(reason) => panic!("{reason}"),
                _ => {}
            }
            if view.rows("marker").any(|(_, r)| r.integer("n") == Some(1)) {
                break;
            }
        }
        tell("done");
        let _ = std::io::stdin().read_line(&mut String::new());
        let ports = view.rows("item").filter_map(|(_, r)| r.integer("ofport"));
        tell(&format!(
            "{} {}",
            view.rows("item").count(),
            ports.sum::<i64>()
        ));
    });
}

/// The least any reader must do: takes the bytes of the same monitor and finds where messages
/// end.
pub fn count_bytes(socket: &str) {
    let mut stream = UnixStream::connect(socket).expect("connect");
    let params = Method::CondSince.params(&"bench".into(), &"m".into(), &monitors(), Uuid::ZERO);
    let mut request = Vec::new();
    ovsdb::rpc::Message::Request {
        id: 0.into(),
        method: Method::CondSince.name().into(),
        params,
    }
    .encode(&mut request);
    stream.write_all(&request).expect("write");
    let mut splitter = Splitter::new(SplitLimits::default());
    let mut buffer = vec![0; 256 << 10];
    let marker = br#""modify":{"n":1}"#;
    let mut messages = 0;
    loop {
        let n = stream.read(&mut buffer).expect("read");
        assert!(n > 0, "closed");
        splitter.push(&buffer[..n]);
        while let Some(message) = splitter.next_message().expect("JSON") {
            messages += 1;
            if messages == 1 {
                tell("ready");
            }
            let end = message.len().saturating_sub(256);
            if message.len() < 4096 && message.windows(marker.len()).any(|w| w == marker)
                || message[end..].windows(marker.len()).any(|w| w == marker)
            {
                tell("done");
                let _ = std::io::stdin().read_line(&mut String::new());
                return;
            }
        }
        splitter.shrink();
    }
}

/// What the readers have to follow.
pub struct Load<'a> {
    client: &'a Client,
    items: &'a [Uuid],
    seconds: u32,
    /// `ofport` of each item.
    state: Vec<i64>,
    runs: i64,
}

impl<'a> Load<'a> {
    /// The items as they were loaded.
    pub fn new(client: &'a Client, items: &'a [Uuid], seconds: u32) -> Self {
        let state = (0..60_000).cycle().take(items.len()).collect();
        Self {
            client,
            items,
            seconds,
            state,
            runs: 0,
        }
    }

    async fn mark(&self, n: i64) {
        let mut txn = Transaction::new();
        txn.update("marker", [], columns([("n", n)]));
        self.client.transact(txn, LIMIT).await.expect("marker");
    }

    /// Sends the updates at their rate, then the marker.
    async fn updates(&mut self) {
        self.runs += 1;
        let began = Instant::now();
        for burst in 0..RATE * self.seconds / BURST {
            let due = Duration::from_secs_f64(f64::from(burst * BURST) / f64::from(RATE));
            if let Some(pause) = due.checked_sub(began.elapsed()) {
                tokio::time::sleep(pause).await;
            }
            let mut txn = Transaction::new();
            for i in 0..BURST {
                let at = (burst * BURST + i).wrapping_mul(7919) as usize % self.items.len();
                let this = [Condition::uuid(self.items[at])];
                // Every update of every run is a change.
                let value = i64::from(burst) * 64 + self.runs;
                self.state[at] = value;
                txn.update("item", this, columns([("ofport", value)]));
            }
            self.client.transact(txn, LIMIT).await.expect("update");
        }
        self.mark(1).await;
    }
}

/// Seconds, CPU seconds and megabytes of one run.
#[derive(Clone, Copy)]
struct Run {
    snapshot: f64,
    snapshot_cpu: f64,
    peak: f64,
    updates_cpu: f64,
    lag: f64,
    peak_after: f64,
}

/// Measures each reader in each round and prints the medians with the spread.
pub fn compare(runtime: &tokio::runtime::Runtime, load: &mut Load<'_>, dir: &Path, rounds: u32) {
    let mut runs: Vec<Vec<Run>> = KINDS.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        for (kind, runs) in KINDS.iter().zip(&mut runs) {
            runs.push(measure(runtime, load, dir, kind));
        }
    }
    println!("median (smallest to largest) of {rounds} alternating rounds");
    println!(
        "| reader | snapshot s | snapshot CPU s | peak MB | updates CPU s | lag ms | peak MB after |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (kind, runs) in KINDS.iter().zip(&runs) {
        let cell = |value: fn(&Run) -> f64, digits: usize| {
            let mut all: Vec<f64> = runs.iter().map(value).collect();
            all.sort_by(f64::total_cmp);
            let (low, high) = (all[0], all[all.len() - 1]);
            let median = all[all.len() / 2];
            format!("{median:.digits$} ({low:.digits$} to {high:.digits$})")
        };
        println!(
            "| {kind} | {} | {} | {} | {} | {} | {} |",
            cell(|r| r.snapshot, 2),
            cell(|r| r.snapshot_cpu, 2),
            cell(|r| r.peak, 0),
            cell(|r| r.updates_cpu, 2),
            cell(|r| r.lag, 0),
            cell(|r| r.peak_after, 0),
        );
    }
}

fn spawn(dir: &Path, kind: &str) -> Child {
    let socket = dir.join("sock");
    let address = format!("unix:{}", socket.display());
    let own = || Command::new(std::env::current_exe().expect("own path"));
    let mut command;
    match kind {
        "this client" => {
            command = own();
            command.arg("reader").arg(socket);
        }
        "ovsdb-client" => {
            command = Command::new("ovsdb-client");
            command.args(["--format=csv", "monitor", &address, "bench", "ALL"]);
        }
        "python ovs.db.idl" => {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/client/idl_reader.py");
            command = Command::new("/usr/bin/python3");
            command.arg(script).arg(address).arg(dir.join("schema"));
        }
        _ => {
            command = own();
            command.arg("floor").arg(socket);
        }
    }
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

/// What a reader says on its way.
enum Said {
    Ready,
    Done,
    /// Number of rows and sum of `ofport`.
    Knows(usize, i64),
}

fn measure(
    runtime: &tokio::runtime::Runtime,
    load: &mut Load<'_>,
    dir: &Path,
    kind: &'static str,
) -> Run {
    runtime.block_on(load.mark(0));
    let began = Instant::now();
    let mut child = spawn(dir, kind);
    let pid = child.id();
    let stdout = child.stdout.take().expect("stdout");
    let (tell, told) = mpsc::channel();
    let rows = load.items.len();
    std::thread::spawn(move || match kind {
        "ovsdb-client" => follow_csv(stdout, rows, &tell),
        _ => follow(stdout, &tell),
    });
    let next = || told.recv_timeout(LIMIT).expect("reader ended");
    assert!(matches!(next(), Said::Ready));
    let snapshot = began.elapsed().as_secs_f64();
    std::thread::sleep(Duration::from_millis(200));
    let (snapshot_cpu, peak) = usage(pid);
    runtime.block_on(load.updates());
    let sent = Instant::now();
    assert!(matches!(next(), Said::Done));
    let lag = sent.elapsed().as_secs_f64() * 1000.0;
    let (cpu, peak_after) = usage(pid);
    if kind != KINDS[0] {
        // Equal work: everybody knows the same in the end.
        drop(child.stdin.take());
        let Said::Knows(count, sum) = next() else {
            panic!("{kind} says nothing")
        };
        assert_eq!((count, sum), (rows, load.state.iter().sum()), "{kind}");
    }
    let _ = child.kill();
    let _ = child.wait();
    Run {
        snapshot,
        snapshot_cpu,
        peak,
        updates_cpu: cpu - snapshot_cpu,
        lag,
        peak_after,
    }
}

fn follow(stdout: ChildStdout, tell: &mpsc::Sender<Said>) {
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        let said = match line.as_str() {
            "ready" => Said::Ready,
            "done" => Said::Done,
            other => {
                let (count, sum) = other.split_once(' ').expect("count and sum");
                Said::Knows(count.parse().expect("count"), sum.parse().expect("sum"))
            }
        };
        if tell.send(said).is_err() {
            return;
        }
    }
}

/// ovsdb-client prints a line per row; what it says is kept here, since it keeps nothing.
fn follow_csv(stdout: ChildStdout, rows: usize, tell: &mpsc::Sender<Said>) {
    let (mut ports, mut at, mut row) = (BTreeMap::new(), 0, String::new());
    let mut ready = false;
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        let cells = cells(&line);
        match (&*cells[0], cells.get(1).map(|c| &**c)) {
            ("row", _) => at = cells.iter().position(|c| c == "ofport").unwrap_or(0),
            (uuid, Some("initial")) if at > 0 => {
                ports.insert(uuid.to_owned(), cells[at].parse::<i64>().expect("ofport"));
            }
            (uuid, Some("old")) => uuid.clone_into(&mut row),
            ("", Some("new")) if at > 0 => {
                ports.insert(row.clone(), cells[at].parse().expect("ofport"));
            }
            ("", Some("new")) if cells[2] == "1" => {
                let sum = ports.values().sum();
                let _ = tell.send(Said::Done);
                let _ = tell.send(Said::Knows(ports.len(), sum));
                return;
            }
            _ => {}
        }
        if !ready && ports.len() == rows {
            ready = true;
            let _ = tell.send(Said::Ready);
        }
    }
}

/// The cells of a CSV line.
fn cells(line: &str) -> Vec<String> {
    let (mut out, mut quoted) = (vec![String::new()], false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => out.push(String::new()),
            c => out.last_mut().expect("cell").push(c),
        }
    }
    out
}
