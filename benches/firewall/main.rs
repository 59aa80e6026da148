//! The packet filter's driver at 4,220 and 84,400 security-group rules, on a real kernel, beside other tools that load the
//! same policy as rules. `cargo bench --bench firewall` (root; nftables, iptables, ipset). With `-- --write` the table of
//! `benches/README.md` and the plot beside it are written anew.
//!
//! *vifd* is the planner and the executor together, from the change's arrival to the kernel's answer. The floor of the
//! full load is the same bytes, encoded beforehand. The peers get one rule per security-group rule. Every subject starts
//! in a network namespace of its own; the two sizes take turns, vifd and its floor do, and the peers come after. After the
//! first load of each some hundred packets have to arrive, or not, as the rules say.

#[allow(dead_code, reason = "the planner's own tests use the rest of it")]
#[path = "../../src/plan/tests/world.rs"]
mod world;

mod floor;
mod host;
mod peers;
mod plot;
mod probe;
mod table;
mod workload;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use testbed::Namespace;
// `world` names them from the root of its crate.
use vifd::{model, ops, plan};

use host::Host;
use peers::{PEERS, ipsets, tool};
use probe::{Probe, Way};
use table::{Row, Samples, markdown};
use workload::{RULES, address, group, member, remote, workload};

/// VMs.
const SIZES: [u128; 2] = [10, 200];
const LOADS: usize = 11;
const PEER_LOADS: usize = 3;
const ROUNDS: usize = 101;
const CROWDS: usize = 7;
const CROWD: u128 = 2000;
/// For the kernel to give back what the namespace before held.
const PAUSE: Duration = Duration::from_millis(800);

fn fresh<T: Send>(body: impl FnOnce(&Arc<Namespace>) -> T + Send) -> T {
    let namespace = Namespace::new(false).expect("root can make namespaces");
    let result = namespace.run(|| Ok(body(&namespace))).expect("a namespace");
    drop(namespace);
    std::thread::sleep(PAUSE);
    result
}

/// VMs with devices.
fn sample(vms: u128) -> [u128; 3] {
    [0, vms / 2, vms - 1]
}

fn loads(rows: &mut Vec<Row>) {
    let mut whole = Row::new("vifd: full load");
    let mut executor = Row::new("vifd: from the first batch to the last answer");
    let mut floor = Row::new("floor: the same bytes in the same transactions");
    let mut single = Row::new("floor: the same bytes in one transaction");
    let mut share = Row::new("floor / vifd, per round; no time");
    share.is_time = false;
    let encoded = SIZES.map(|vms| {
        fresh(|namespace| {
            let probe = Probe::new(namespace, Way::Bridged, &sample(vms));
            let mut host = Host::new();
            host.parts = Some(Vec::new());
            host.time(|host| host.load(workload(vms)));
            let (sent, arrive) = probe.check("vifd");
            let parts = host.parts.take().expect("kept");
            let n: usize = parts.iter().map(Vec::len).sum();
            println!(
                "{} security-group rules: {} rules, {n} objects written in {} transactions; {sent} packets judged as the rules say, {arrive} of them arrived",
                vms * RULES,
                host.n_rules(),
                parts.len(),
            );
            let bulk = vec![parts.concat()];
            let encode = |parts| floor::encode(host.planner(), parts);
            (encode(&parts), encode(&bulk))
        })
    });
    for round in 0..LOADS {
        for (at, vms) in SIZES.into_iter().enumerate() {
            let (parts, bulk) = &encoded[at];
            let [mut took, mut least] = [Duration::ZERO; 2];
            for turn in 0..3 {
                match (round + turn) % 3 {
                    0 => {
                        let busy;
                        (took, busy) = fresh(|_| {
                            let mut host = Host::new();
                            let workload = workload(vms);
                            let (took, _) = host.time(|host| host.load(workload));
                            (took, host.executor)
                        });
                        executor.at[at].add(busy);
                    }
                    1 => least = fresh(|_| floor::commit(parts.clone())),
                    _ => single.at[at].add(fresh(|_| floor::commit(bulk.clone()))),
                }
            }
            whole.at[at].add(took);
            floor.at[at].add(least);
            share.at[at].number(least.as_secs_f64() / took.as_secs_f64());
        }
    }
    rows.extend([whole, executor, floor, single, share]);
}

/// One change and its opposite, at both sizes in turn.
fn changes(hosts: &mut [Host; 2], rows: &mut Vec<Row>) {
    type Change = fn(&mut Host, bool);
    let kinds: [(&str, usize, Change); 4] = [
        ("member of a group", ROUNDS, |host, comes| {
            host.wish(member(remote(3), 900_000, comes));
        }),
        ("rule of a group", ROUNDS, |host, comes| {
            host.wish(group(1, RULES + u128::from(comes)));
        }),
        ("port", ROUNDS, |host, comes| match comes {
            true => host.plug(5000, 1),
            false => host.unplug(5000),
        }),
        ("2,000 members of a group", CROWDS, |host, come| {
            for n in 0..CROWD {
                host.wish(member(remote(5), 1_000_000 + n, come));
            }
        }),
    ];
    // What a load leaves the kernel to do is over then.
    for host in hosts.iter_mut() {
        for comes in [true, false].repeat(ROUNDS) {
            host.time(|host| kinds[0].2(host, comes));
        }
    }
    for (what, rounds, change) in kinds {
        let mut pair = ["comes", "goes"].map(|way| Row::new(format!("vifd: {what} {way}")));
        let mut written = [[0; 2]; 2];
        for _ in 0..rounds {
            for (at, host) in hosts.iter_mut().enumerate() {
                for (way, comes) in [true, false].into_iter().enumerate() {
                    let (took, items) = host.time(|host| change(host, comes));
                    pair[way].at[at].add(took);
                    written[way][at] = items;
                }
            }
        }
        for (row, written) in pair.iter_mut().zip(written) {
            assert_eq!(written[0], written[1], "equal work at both sizes");
            row.what += &format!(" ({} objects)", written[0]);
            row.compared = true;
        }
        rows.extend(pair);
    }
}

fn peers(rows: &mut Vec<Row>) {
    for peer in PEERS {
        let mut load = Row::new(format!("{}: full load", peer.name));
        let mut one = Row::new(format!("{}: one rule more", peer.name));
        let mut element = Row::new("nft: one member more");
        for round in 0..PEER_LOADS {
            for (at, vms) in SIZES.into_iter().enumerate() {
                let text = peer.text(vms);
                fresh(|namespace| {
                    let vms_with_devices = sample(vms);
                    let probe =
                        (round == 0).then(|| Probe::new(namespace, Way::Routed, &vms_with_devices));
                    if peer.name != "nft -f" {
                        tool("ipset", &["restore"], &ipsets());
                    }
                    let begun = Instant::now();
                    peer.load(&text);
                    load.at[at].add(begun.elapsed());
                    assert_eq!(peer.count() as u128, vms * RULES, "{} holds all", peer.name);
                    if let Some(probe) = probe {
                        let (sent, arrive) = probe.check(peer.name);
                        println!(
                            "{}: {sent} packets judged as the rules say, {arrive} of them arrived",
                            peer.name
                        );
                    }
                    let begun = Instant::now();
                    peer.insert();
                    one.at[at].add(begun.elapsed());
                    if peer.name == "nft -f" {
                        let begun = Instant::now();
                        let text = "add element ip peer g3 { 203.0.113.9 }\n";
                        tool("nft", &["-f", "-"], text);
                        element.at[at].add(begun.elapsed());
                    } else {
                        tool(peer.name, &["-F"], "");
                    }
                });
            }
        }
        rows.extend([load, one]);
        if !element.at[1].is_empty() {
            rows.push(element);
        }
    }
}

fn sets(rows: &mut Vec<Row>) {
    let mut one = Row::new("ipset: one member more");
    let mut crowd = Row::new("ipset: 2,000 members more");
    fresh(|_| {
        tool("ipset", &["restore"], &ipsets());
        let add = |samples: &mut Samples, text: &str| {
            let begun = Instant::now();
            tool("ipset", &["restore"], text);
            samples.add(begun.elapsed());
        };
        for _ in 0..ROUNDS {
            add(&mut one.at[1], "add g3 203.0.113.9\n");
            tool("ipset", &["del", "g3", "203.0.113.9"], "");
        }
        let line = |n| format!("add g5 {}\n", address(1_000_000 + n));
        let text: String = (0..CROWD).map(line).collect();
        for _ in 0..CROWDS {
            add(&mut crowd.at[1], &text);
            tool("ipset", &["flush", "g5"], "");
        }
    });
    rows.extend([one, crowd]);
}

/// Puts the table between its marks.
fn write(table: &str, plot: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches");
    let readme = folder.join("README.md");
    let text = std::fs::read_to_string(&readme).expect("benches/README.md");
    let [begin, end] = ["<!-- table -->\n", "<!-- end of table -->"];
    let (head, rest) = text.split_once(begin).expect("a mark before the table");
    let (_, tail) = rest.split_once(end).expect("a mark after the table");
    std::fs::write(&readme, format!("{head}{begin}{table}{end}{tail}")).expect("it is writable");
    std::fs::write(folder.join("firewall/times.svg"), plot).expect("it is writable");
}

/// A core for the planner and another for the executors, if there is one.
fn cores() -> [usize; 2] {
    let all = sched_getaffinity(None).expect("a thread knows its cores");
    let mut cores = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core));
    let first = cores.next().expect("it runs on one");
    [first, cores.next().unwrap_or(first)]
}

/// The calling thread, and what it starts, runs on this core from here on.
fn pin(core: usize) {
    let mut only = CpuSet::new();
    only.set(core);
    sched_setaffinity(None, &only).expect("a core of its own");
}

/// The part of the table that `-- loads`, `-- changes` or `-- peers` asks for; otherwise everything.
fn is_asked_for(part: &str) -> bool {
    let parts = ["loads", "changes", "peers"];
    let asked: Vec<String> = std::env::args()
        .filter(|argument| parts.contains(&argument.as_str()))
        .collect();
    asked.is_empty() || asked.iter().any(|asked| asked == part)
}

fn main() {
    let begun = Instant::now();
    println!(
        "milliseconds: median (least to most); {LOADS} rounds per load, {PEER_LOADS} per load of a peer, {ROUNDS} per change, {CROWDS} per 2,000 members"
    );
    let mut rows = Vec::new();
    if is_asked_for("loads") {
        loads(&mut rows);
    }
    if is_asked_for("changes") {
        let namespaces = SIZES.map(|_| Namespace::new(false).expect("a namespace"));
        let mut hosts = [0, 1].map(|at| {
            let make = || {
                // Where the scheduler puts an executor decides what waking it costs, by more than the change itself.
                let [_, executor] = cores();
                pin(executor);
                let mut host = Host::new();
                host.time(|host| host.load(workload(SIZES[at])));
                Ok(host)
            };
            namespaces[at].run(make).expect("a host")
        });
        let changing = std::thread::spawn(move || {
            let [planner, _] = cores();
            pin(planner);
            changes(&mut hosts, &mut rows);
            rows
        });
        rows = changing.join().expect("no panic");
        drop(namespaces);
        std::thread::sleep(PAUSE);
    }
    if is_asked_for("peers") {
        peers(&mut rows);
        sets(&mut rows);
    }
    let sizes = SIZES.map(|vms| vms * RULES);
    let table = markdown(sizes, &rows);
    print!("{table}");
    if std::env::args().any(|argument| argument == "--write") {
        write(&table, &plot::svg(sizes[1], &rows));
    }
    println!("took {:.0} s", begun.elapsed().as_secs_f64());
}
