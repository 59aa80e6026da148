//! Bulk load of 10 000 rules and 10 000 set elements, beside the floor (the same bytes sent without
//! any work) and beside other tools doing equal work, which is counted afterwards.
//!
//! Needs root, nftables, iptables and ipset; runs in a network namespace of its own for a few
//! seconds. `cargo bench -p vifd-nft` prints the table. The subjects take turns; figures are the
//! median, the least and the most of the runs.

use std::cell::RefCell;
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
use nft::wire::{Frames, Writer};

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

/// One way to do the work.
struct Subject<'a> {
    name: &'static str,
    /// Puts everything back to nothing; not measured.
    prepare: Box<dyn FnMut() + 'a>,
    body: Box<dyn FnMut() + 'a>,
    /// How much was done, counted in the kernel.
    count: Box<dyn FnMut() -> usize + 'a>,
}

fn subject<'a>(
    name: &'static str,
    prepare: impl FnMut() + 'a,
    body: impl FnMut() + 'a,
    count: impl FnMut() -> usize + 'a,
) -> Subject<'a> {
    Subject {
        name,
        prepare: Box::new(prepare),
        body: Box::new(body),
        count: Box::new(count),
    }
}

struct Row {
    name: &'static str,
    times: Vec<Duration>,
}

impl Row {
    fn median(&self) -> f64 {
        ms(self.times[self.times.len() / 2])
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Runs the subjects in turn, several times, and checks each time that they did the work.
fn compare(title: &str, work: usize, mut subjects: Vec<Subject<'_>>) -> Vec<Row> {
    let mut rows: Vec<Row> = subjects
        .iter()
        .map(|s| Row {
            name: s.name,
            times: Vec::new(),
        })
        .collect();
    for _ in 0..RUNS {
        for (subject, row) in subjects.iter_mut().zip(&mut rows) {
            (subject.prepare)();
            let start = Instant::now();
            (subject.body)();
            row.times.push(start.elapsed());
            assert_eq!((subject.count)(), work, "{}: unequal work", subject.name);
            (subject.prepare)();
        }
    }
    println!("\n{title}: {work} each, {RUNS} runs in turn, ms");
    println!("{:<44} {:>9} {:>9} {:>9}", "", "median", "least", "most");
    for row in &mut rows {
        row.times.sort();
        let (least, most) = (row.times[0], row.times[row.times.len() - 1]);
        let (name, median) = (row.name, row.median());
        println!(
            "{name:<44} {median:>9.3} {:>9.3} {:>9.3}",
            ms(least),
            ms(most)
        );
    }
    rows
}

/// Prints how fast the second row is beside the first, which is the floor.
fn beside_the_floor(rows: &[Row]) {
    let share = 100.0 * rows[0].median() / rows[1].median();
    println!("this crate works at {share:.0} % of the rate of the floor, at least 80 % is wanted");
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
    let client = RefCell::new(Client::open().expect("root"));
    let other = RefCell::new(Client::open().expect("root"));
    let channel = RefCell::new(Channel::open().expect("root"));
    let bytes = rule_batch().encode(None).expect("fits").bytes().to_vec();
    let prepare = || empty_chain(&mut other.borrow_mut());
    let count = || table(&mut other.borrow_mut()).rule_count();
    let script: String = (0..COUNT)
        .map(|i| {
            format!(
                "add rule ip t c ip saddr {} tcp dport {} accept\n",
                address(i),
                port(i)
            )
        })
        .collect();
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
    let mut subjects = vec![
        subject(
            "floor: the same bytes, sent",
            prepare,
            || send_raw(&mut channel.borrow_mut(), &bytes),
            count,
        ),
        subject(
            "this crate: values, encode, commit",
            prepare,
            || {
                let batch = rule_batch();
                client.borrow_mut().commit(batch, None).expect("commit");
            },
            count,
        ),
        subject(
            "nft -f",
            prepare,
            || drop(tool("nft", &["-f", "-"], &script)),
            count,
        ),
    ];
    for (name, program) in [
        ("iptables-legacy-restore", "iptables-legacy"),
        ("iptables-nft-restore", "iptables-nft"),
    ] {
        let restore = &restore;
        subjects.push(subject(
            name,
            move || drop(tool(program, &["-F", "FORWARD"], "")),
            move || drop(tool(&format!("{program}-restore"), &["-n"], restore)),
            move || {
                tool(&format!("{program}-save"), &[], "")
                    .matches("-A FORWARD")
                    .count()
            },
        ));
    }
    let rows = compare("Rules of address, port, verdict", 10_000, subjects);
    beside_the_floor(&rows);
    println!(
        "  of which values and encode: {:.3} ms",
        encoding(rule_batch)
    );
}

/// The median time of making a batch and its bytes.
fn encoding(batch: impl Fn() -> Batch) -> f64 {
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            black_box(batch().encode(None).expect("fits"));
            start.elapsed()
        })
        .collect();
    times.sort();
    ms(times[RUNS / 2])
}

fn elements() {
    let client = RefCell::new(Client::open().expect("root"));
    let other = RefCell::new(Client::open().expect("root"));
    let channel = RefCell::new(Channel::open().expect("root"));
    let bytes = element_batch().encode(None).expect("fits").bytes().to_vec();
    let prepare = || empty_chain(&mut other.borrow_mut());
    let count = || {
        let table = table(&mut other.borrow_mut());
        table.sets.values().map(|s| s.elements.len()).sum()
    };
    let list: Vec<_> = (0..COUNT).map(|i| address(i).to_string()).collect();
    let script = format!("add element ip t s {{ {} }}\n", list.join(", "));
    let body: String = list
        .iter()
        .map(|address| format!("add s {address}\n"))
        .collect();
    tool("ipset", &["create", "s", "hash:ip"], "");
    let subjects = vec![
        subject(
            "floor: the same bytes, sent",
            prepare,
            || send_raw(&mut channel.borrow_mut(), &bytes),
            count,
        ),
        subject(
            "this crate: values, encode, commit",
            prepare,
            || {
                let batch = element_batch();
                client.borrow_mut().commit(batch, None).expect("commit");
            },
            count,
        ),
        subject(
            "nft -f",
            prepare,
            || drop(tool("nft", &["-f", "-"], &script)),
            count,
        ),
        subject(
            "ipset restore",
            || drop(tool("ipset", &["flush", "s"], "")),
            || drop(tool("ipset", &["restore"], &body)),
            || {
                tool("ipset", &["list", "s"], "")
                    .lines()
                    .filter(|line| line.starts_with("10."))
                    .count()
            },
        ),
    ];
    let rows = compare("Addresses in a set", 10_000, subjects);
    beside_the_floor(&rows);
    println!(
        "  of which values and encode: {:.3} ms",
        encoding(element_batch)
    );
}

/// Small changes while the table is large, and reading it.
fn small_changes() {
    let client = RefCell::new(Client::open().expect("root"));
    empty_chain(&mut client.borrow_mut());
    let full = [rule_batch(), element_batch()];
    for batch in full {
        client.borrow_mut().commit(batch, None).expect("commit");
    }
    let (table_name, set) = ("t".into(), "s".into());
    let extra = [Element::key(address(COUNT))];
    let apply = |batch: Batch| {
        client.borrow_mut().commit(batch, None).expect("commit");
    };
    let remove = || {
        let mut batch = Batch::new();
        batch.add_elements(Family::IPV4, &table_name, &set, &extra);
        batch.delete_elements(Family::IPV4, &table_name, &set, &extra);
        apply(batch);
    };
    let element = subject(
        "add one element to 10 000",
        remove,
        || {
            let mut batch = Batch::new();
            batch.add_elements(Family::IPV4, &table_name, &set, &extra);
            apply(batch);
        },
        || 1,
    );
    let one_rule = subject(
        "add one rule to 10 000",
        || {},
        || {
            let mut batch = Batch::new();
            batch.add_rule(Family::IPV4, &rule(1));
            apply(batch);
        },
        || 1,
    );
    compare("Changes", 1, vec![element, one_rule]);
    let read = subject(
        "read the table back (10 000 of each)",
        || {},
        || drop(black_box(table(&mut client.borrow_mut()))),
        || 1,
    );
    compare("Reading", 1, vec![read]);
}

/// The codec alone.
fn codec() {
    let rules: Vec<_> = (0..COUNT).map(rule).collect();
    let bytes = rule_batch().encode(None).expect("fits").bytes().to_vec();
    let encode = subject(
        "encode 10 000 rules",
        || {},
        || {
            let mut w = Writer::new();
            rules.iter().for_each(|rule| rule.encode(&mut w));
            black_box(w.bytes());
        },
        || 1,
    );
    let decode = subject(
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
        || 1,
    );
    compare("Codec alone", 1, vec![encode, decode]);
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
