//! Bulk load of 10 000 rules and 10 000 set elements, beside the floor (the same bytes sent without
//! any work) and beside other tools doing equal work, which is counted afterwards.
//!
//! Needs root, nftables, iptables and ipset; runs in a network namespace of its own for a few
//! seconds. `cargo bench -p vifd-nft` prints the table; figures are milliseconds, the median and
//! the least of the runs.

use std::hint::black_box;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nft::attr::Value;
use nft::batch::Batch;
use nft::chain::Chain;
use nft::element::Element;
use nft::expr::build::{accept, dport, ip_saddr, l4proto};
use nft::message::{Family, Message};
use nft::net::{Channel, Client};
use nft::rule::Rule;
use nft::ruleset::TableState;
use nft::set::{DataType, Set};
use nft::snapshot::Scope;
use nft::table::Table;
use nft::wire::{Frames, Reader, Writer};

const COUNT: u32 = 10_000;
const RUNS: usize = 7;

fn address(i: u32) -> core::net::Ipv4Addr {
    core::net::Ipv4Addr::from(0x0a00_0000 + i)
}

fn port(i: u32) -> u16 {
    u16::try_from(1 + i % 60_000).unwrap_or(1)
}

fn rule(i: u32) -> Rule {
    let expressions = [
        &ip_saddr(address(i))[..],
        &l4proto(6),
        &dport(port(i), port(i)),
        &[accept()],
    ];
    Rule::new("t", "c", expressions.concat())
}

fn tool(name: &str, arguments: &[&str], stdin: &str) -> String {
    let mut child = Command::new(name)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("cannot start {name} ({error}): install nftables, iptables, ipset")
        });
    child
        .stdin
        .take()
        .expect("piped")
        .write_all(stdin.as_bytes())
        .expect("tool reads");
    let output = child.wait_with_output().expect("tool ends");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {arguments:?}: {stderr}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

struct Row {
    name: &'static str,
    times: Vec<Duration>,
    work: usize,
}

/// Runs `body` several times, each after `prepare`, and counts the work done by the last.
fn measure(
    name: &'static str,
    mut prepare: impl FnMut(),
    mut body: impl FnMut(),
    count: impl FnOnce() -> usize,
) -> Row {
    let mut times = Vec::new();
    for _ in 0..RUNS {
        prepare();
        let start = Instant::now();
        body();
        times.push(start.elapsed());
    }
    times.sort();
    Row {
        name,
        times,
        work: count(),
    }
}

fn print(title: &str, rows: &[Row]) {
    println!("\n{title}");
    println!("{:<44} {:>9} {:>9} {:>9}", "", "median", "least", "objects");
    for row in rows {
        let ms = |time: &Duration| time.as_secs_f64() * 1e3;
        println!(
            "{:<44} {:>9.3} {:>9.3} {:>9}",
            row.name,
            ms(&row.times[row.times.len() / 2]),
            ms(&row.times[0]),
            row.work
        );
    }
}

fn empty_chain(client: &mut Client) {
    let mut batch = Batch::new();
    batch.ensure_no_table(Family::IPV4, &"t".into());
    batch.add_table(Family::IPV4, &Table::new("t"));
    batch.add_chain(Family::IPV4, &Chain::regular("t", "c"));
    batch.add_set(Family::IPV4, &Set::new("t", "s", &[DataType::IPV4_ADDR]));
    client.commit(batch, None).expect("prepare");
}

/// Sends bytes as they are and reads what the kernel answers.
fn send_raw(channel: &mut Channel, bytes: &[u8]) {
    channel.send(bytes, 0).expect("send");
    while channel.try_receive().expect("receive").is_some() {}
}

fn table(client: &mut Client) -> TableState {
    let picture = client
        .snapshot(Scope::Table(Family::IPV4, "t".into()))
        .expect("snapshot");
    picture
        .ruleset
        .table(Family::IPV4, &"t".into())
        .expect("table")
        .clone()
}

fn rule_batch() -> Batch {
    let mut batch = Batch::new();
    for i in 0..COUNT {
        batch.add_rule(Family::IPV4, &rule(i));
    }
    batch
}

fn element_batch() -> Batch {
    let list: Vec<_> = (0..COUNT).map(|i| Element::key(address(i))).collect();
    let mut batch = Batch::new();
    batch.add_elements(Family::IPV4, &"t".into(), &"s".into(), &list);
    batch
}

fn rules() {
    let client = &mut Client::open().expect("root");
    let other = &mut Client::open().expect("root");
    let reader = &mut Client::open().expect("root");
    let channel = &mut Channel::open().expect("root");
    let bytes = rule_batch().encode(None).expect("fits").bytes().to_vec();
    let mut rows = vec![measure(
        "floor: the same bytes, sent",
        || empty_chain(other),
        || send_raw(channel, &bytes),
        || table(reader).rule_count(),
    )];
    rows.push(measure(
        "this crate: values, encode, commit",
        || empty_chain(other),
        || {
            client.commit(rule_batch(), None).expect("commit");
        },
        || table(reader).rule_count(),
    ));
    rows.push(measure(
        "  of which values and encode",
        || {},
        || {
            black_box(rule_batch().encode(None).expect("fits"));
        },
        || rule_batch().len(),
    ));
    let script: String = (0..COUNT)
        .map(|i| {
            format!(
                "add rule ip t c ip saddr {} tcp dport {} accept\n",
                address(i),
                port(i)
            )
        })
        .collect();
    rows.push(measure(
        "nft -f",
        || empty_chain(other),
        || drop(tool("nft", &["-f", "-"], &script)),
        || table(reader).rule_count(),
    ));
    empty_chain(other);
    let body: String = (0..COUNT)
        .map(|i| {
            format!(
                "-A FORWARD -s {}/32 -p tcp -m tcp --dport {} -j ACCEPT\n",
                address(i),
                port(i)
            )
        })
        .collect();
    let restore = format!("*filter\n{body}COMMIT\n");
    for (name, program) in [
        ("iptables-legacy-restore", "iptables-legacy"),
        ("iptables-nft-restore", "iptables-nft"),
    ] {
        rows.push(measure(
            name,
            || drop(tool(program, &["-F", "FORWARD"], "")),
            || drop(tool(&format!("{program}-restore"), &["-n"], &restore)),
            || {
                tool(&format!("{program}-save"), &[], "")
                    .matches("-A FORWARD")
                    .count()
            },
        ));
        tool(program, &["-F", "FORWARD"], "");
    }
    print("10 000 rules of address, port, verdict (ms)", &rows);
    assert!(rows.iter().all(|row| row.work == 10_000), "unequal work");
}

fn elements() {
    let client = &mut Client::open().expect("root");
    let other = &mut Client::open().expect("root");
    let reader = &mut Client::open().expect("root");
    let channel = &mut Channel::open().expect("root");
    let bytes = element_batch().encode(None).expect("fits").bytes().to_vec();
    let count = |client: &mut Client| table(client).sets.values().map(|s| s.elements.len()).sum();
    let mut rows = vec![measure(
        "floor: the same bytes, sent",
        || empty_chain(other),
        || send_raw(channel, &bytes),
        || count(reader),
    )];
    rows.push(measure(
        "this crate: values, encode, commit",
        || empty_chain(other),
        || {
            client.commit(element_batch(), None).expect("commit");
        },
        || count(reader),
    ));
    let list: Vec<_> = (0..COUNT).map(|i| address(i).to_string()).collect();
    let script = format!("add element ip t s {{ {} }}\n", list.join(", "));
    rows.push(measure(
        "nft -f",
        || empty_chain(other),
        || drop(tool("nft", &["-f", "-"], &script)),
        || count(reader),
    ));
    let body: String = list
        .iter()
        .map(|address| format!("add s {address}\n"))
        .collect();
    tool("ipset", &["create", "s", "hash:ip"], "");
    rows.push(measure(
        "ipset restore",
        || drop(tool("ipset", &["flush", "s"], "")),
        || drop(tool("ipset", &["restore"], &body)),
        || {
            tool("ipset", &["list", "s"], "")
                .lines()
                .filter(|line| line.starts_with("10."))
                .count()
        },
    ));
    print("10 000 addresses in a set (ms)", &rows);
    assert!(rows.iter().all(|row| row.work == 10_000), "unequal work");
}

/// Small changes while the table is large.
fn small_changes() {
    let client = &mut Client::open().expect("root");
    empty_chain(client);
    client.commit(rule_batch(), None).expect("commit");
    client.commit(element_batch(), None).expect("commit");
    let (table_name, set) = ("t".into(), "s".into());
    let mut i = COUNT;
    let element = measure(
        "add one element to 10 000",
        || {},
        || {
            i += 1;
            let mut batch = Batch::new();
            let one = [Element::key(address(i))];
            batch.add_elements(Family::IPV4, &table_name, &set, &one);
            client.commit(batch, None).expect("commit");
        },
        || 1,
    );
    let one_rule = measure(
        "add one rule to 10 000",
        || {},
        || {
            let mut batch = Batch::new();
            batch.add_rule(Family::IPV4, &rule(1));
            client.commit(batch, None).expect("commit");
        },
        || 1,
    );
    let read = measure(
        "read the table back (10 000 of each)",
        || {},
        || drop(black_box(table(client))),
        || 20_000,
    );
    print("Changes and reading (ms)", &[element, one_rule, read]);
}

/// The codec alone.
fn codec() {
    let rules: Vec<_> = (0..COUNT).map(rule).collect();
    let encode = measure(
        "encode 10 000 rules",
        || {},
        || {
            let mut w = Writer::new();
            rules.iter().for_each(|rule| rule.encode(&mut w));
            black_box(w.bytes());
        },
        || 10_000,
    );
    let bytes = rule_batch().encode(None).expect("fits").bytes().to_vec();
    let decode = measure(
        "decode 10 000 rules",
        || {},
        || {
            for frame in Frames::new(&bytes) {
                let frame = frame.expect("own bytes");
                if let Ok(message) = Message::decode(&frame) {
                    black_box(message);
                }
            }
        },
        || 10_000,
    );
    black_box(Reader::new(&bytes));
    print("Codec alone (ms)", &[encode, decode]);
}

fn main() {
    let thread = std::thread::spawn(|| {
        // SAFETY: only the network namespace of this thread changes; no descriptor is affected.
        unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) }
            .expect("this bench needs root");
        codec();
        rules();
        elements();
        small_changes();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}
