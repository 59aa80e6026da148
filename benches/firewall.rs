//! The packet filter's driver at 4,220 and 84,400 security-group rules, on a real kernel, beside other tools that load the
//! same policy as rules. `cargo bench --bench firewall` (root; nftables, iptables, ipset).
//!
//! *vifd* is the planner and the executor together, from the change's arrival to the kernel's answer. The floor of the
//! full load is the same bytes, encoded beforehand. The peers get one rule per security-group rule, counted afterwards,
//! and one ipset per remote group. Everything runs in a network namespace of its own.

#[allow(dead_code, reason = "the planner's own tests use the rest of it")]
#[path = "../src/plan/tests/world.rs"]
mod world;

use std::io::Write;
use std::process::{Command, Stdio};

use std::time::{Duration, Instant};

use testbed::Namespace;
use tokio::sync::mpsc;
use uuid::Uuid;
use vifd::exec::nft::{self as exec, Settings};
use vifd::model::*;
use vifd::ops::nft::{NftBody, NftKey, TABLE};
use vifd::ops::{Batch, ExecEvent, Items, Outcome};
use vifd::plan::Planner;
use vifd::plan::firewall::nft::numbers::short;
use vifd::telemetry::PacketFilter;
use vifd::{model, ops, plan};
use world::{World, port, vxlan};

/// Security-group rules of one VM.
const RULES: u128 = 422;
const SIZES: [u128; 2] = [10, 200];
/// Members of each remote group.
const MEMBERS: u128 = 50;
const REMOTES: u128 = 20;
const LOADS: usize = 5;
const ROUNDS: usize = 101;
const BIG: u128 = 2000;

fn gid(n: u128) -> GroupId {
    GroupId(Uuid::from_u128(0x6000 + n))
}

fn pid(n: u128) -> PortId {
    PortId(Uuid::from_u128(n << 100 | 0x42))
}

fn remote(n: u128) -> RemoteId {
    RemoteId::Group(gid(10_000 + n % REMOTES))
}

/// The n-th rule of a VM's group: 45 % one port from anywhere, 10 % a range, 20 % a port from a prefix, 25 % a port from
/// a remote group.
fn rule(vm: u128, n: u128) -> Rule {
    let first = 1000 + ((vm * 37 + n * 97) % 50_000) as u16;
    let last = if n % 10 == 9 { first + 100 } else { first };
    let remote = match n % 20 {
        0..=4 => Remote::Set(remote(n / 20)),
        5..=8 => Remote::Prefix(
            format!("10.{}.{}.0/24", vm % 250, n % 200)
                .parse()
                .expect("prefix"),
        ),
        _ => Remote::Any,
    };
    Rule {
        id: RuleId(Uuid::from_u128(vm << 32 | n)),
        direction: Direction::Ingress,
        family: Family::V4,
        service: Service::Ports {
            protocol: 6,
            min: first,
            max: last,
        },
        remote,
    }
}

fn group(vm: u128, rules: u128) -> Delta {
    Delta::Group(SecurityGroup {
        id: gid(vm),
        name: format!("group{vm}").into(),
        stateful: true,
        rules: (0..rules).map(|n| rule(vm, n)).collect(),
        problems: Vec::new(),
    })
}

fn address(n: u128) -> [u8; 4] {
    (0x0b00_0000 + u32::try_from(n).expect("few")).to_be_bytes()
}

fn member(set: RemoteId, n: u128, present: bool) -> Delta {
    let address = MemberAddress {
        prefix: std::net::IpAddr::from(address(n)).into(),
        mac: None,
    };
    Delta::Member(Member {
        set,
        id: MemberId(Uuid::from_u128(n)),
        addresses: if present { vec![address] } else { Vec::new() },
    })
}

/// A planner on a simulated switch, and the real executor.
struct Host {
    world: World,
    planner: Planner,
    batches: mpsc::Sender<Batch>,
    events: mpsc::Receiver<ExecEvent>,
    runtime: tokio::runtime::Runtime,
    items: usize,
}

impl Host {
    fn new() -> Host {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let (sender, events) = mpsc::channel(64);
        let batches = exec::spawn(Settings::default(), sender, PacketFilter::default());
        let mut world = World::new();
        world.firewall = Some(FirewallDriver::Nft);
        let planner = world.start_agent();
        let mut host = Host {
            world,
            planner,
            batches,
            events,
            runtime,
            items: 0,
        };
        let up = host.event();
        host.planner.event(up, host.world.now());
        host.settle();
        host
    }

    fn event(&mut self) -> ExecEvent {
        let next = self.events.recv();
        self.runtime.block_on(next).expect("the executor lives")
    }

    /// Everything that is asked for is carried out: objects of the packet filter by the kernel.
    fn settle(&mut self) {
        loop {
            self.world.think(&mut self.planner);
            if self.world.pending.is_empty() {
                return;
            }
            if !matches!(self.world.pending[0].items, Items::Nft(_)) {
                self.world.carry_out(&mut self.planner, 0);
                continue;
            }
            let batch = self.world.pending.remove(0);
            self.items += batch.items.len();
            self.batches.try_send(batch).expect("one batch at a time");
            loop {
                let event = self.event();
                let is_end = matches!(event, ExecEvent::Finished { .. });
                if let ExecEvent::Finished { outcome, .. } = &event {
                    assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
                }
                self.planner.event(event, self.world.now());
                if is_end {
                    break;
                }
            }
        }
    }

    fn wish(&mut self, delta: Delta) {
        self.world.wish(&mut self.planner, delta);
    }

    fn plug(&mut self, n: u128, group: u128) {
        let port = Port {
            id: pid(n),
            groups: vec![gid(group)],
            ..port(n, 1)
        };
        self.wish(Delta::Port(port.clone()));
        let name = format!("qvo{}", short(port.id));
        self.world.plug(&mut self.planner, &name, port.id, port.mac);
    }

    fn unplug(&mut self, n: u128) {
        let name = format!("qvo{}", short(pid(n)));
        self.world.unplug(&mut self.planner, &name);
    }

    /// How long a change takes, and how many objects it writes.
    fn time(&mut self, change: impl FnOnce(&mut Host)) -> (Duration, usize) {
        self.items = 0;
        let begun = Instant::now();
        change(self);
        self.settle();
        (begun.elapsed(), self.items)
    }

    fn load(&mut self, vms: u128) {
        self.wish(Delta::Network(vxlan(1, 5001)));
        for set in 0..REMOTES {
            for n in 0..MEMBERS {
                self.wish(member(remote(set), set * MEMBERS + n, true));
            }
        }
        for vm in 0..vms {
            self.wish(group(vm, RULES));
            self.plug(vm + 1, vm);
        }
    }
}

fn median(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let ms = |d: Duration| d.as_secs_f64() * 1e3;
    let last = times.len() - 1;
    format!(
        "{:>9.3} ({:.3} to {:.3})",
        ms(times[last / 2]),
        ms(times[0]),
        ms(times[last])
    )
}

fn print(size: &str, what: &str, times: &mut [Duration], work: &str) {
    println!("{size:>7}  {what:<44} {}  {work}", median(times));
}

fn tool(name: &str, arguments: &[&str], stdin: &str) -> String {
    let mut child = Command::new(name)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("cannot start {name} ({e}): install nftables, iptables, ipset"));
    let mut pipe = child.stdin.take().expect("piped");
    let input = stdin.to_owned();
    let writer = std::thread::spawn(move || pipe.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("tool ends");
    writer.join().expect("writer").expect("tool reads");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {arguments:?}: {stderr}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What stands, encoded beforehand: tables and elements in one batch.
fn raw(host: &Host) -> nft::batch::Encoded {
    let mut batch = nft::batch::Batch::new();
    let mut lists = std::collections::BTreeMap::new();
    let wanted: Vec<_> = host.planner.wanted_nft().collect();
    for (key, _, body) in &wanted {
        if let (NftKey::Table(_), NftBody::Table(table)) = (key, body) {
            batch.ensure_no_table(table.family, &table.table.name);
            table.create(&mut batch);
        }
    }
    let variant = host.planner.filter().variant.expect("known");
    for (key, _, body) in wanted {
        if let (NftKey::Element(set, key), NftBody::Element(entry)) = (key, body) {
            let mut element = nft::element::Element::key(key.clone());
            element.data = entry.data.map(Into::into);
            lists.entry(*set).or_insert_with(Vec::new).push(element);
        }
    }
    for (set, elements) in lists {
        let (table, name) = (nft::name::Name::from(TABLE), set.name().into());
        batch.add_elements(set.family(variant), &table, &name, &elements);
    }
    batch.encode(None).expect("it fits")
}

fn fresh<T: Send>(body: impl FnOnce() -> T + Send) -> T {
    let namespace = Namespace::new(false).expect("root can make namespaces");
    namespace.run(|| Ok(body())).expect("a namespace")
}

fn ours(vms: u128) {
    let size = format!("{}", vms * RULES);
    let (mut loads, mut floors) = (Vec::new(), Vec::new());
    for _ in 0..LOADS {
        fresh(|| {
            let mut host = Host::new();
            let (took, items) = host.time(|host| host.load(vms));
            loads.push((took, items));
            let encoded = raw(&host);
            drop(host);
            let mut client = nft::net::Client::open().expect("a socket");
            // The first agent's tables are orphans now.
            let begun = Instant::now();
            client
                .run(nft::conn::Request::Commit(encoded))
                .expect("the kernel answers");
            floors.push(begun.elapsed());
        });
    }
    let items = loads[0].1;
    let mut times: Vec<Duration> = loads.into_iter().map(|(took, _)| took).collect();
    print(
        &size,
        "vifd: full load",
        &mut times,
        &format!("{items} objects"),
    );
    print(&size, "floor: the same bytes, replacing", &mut floors, "");
    fresh(|| {
        let mut host = Host::new();
        host.load(vms);
        host.settle();
        let variant = host.planner.filter().variant.expect("known");
        let rules: usize = host
            .planner
            .wanted_nft()
            .map(|(_, _, body)| match body {
                NftBody::Table(table) => table.rule_count(),
                NftBody::Element(_) => 0,
            })
            .sum();
        println!(
            "{size:>7}  kernel rules: {rules}, whatever the size; design: {}",
            variant.name()
        );
        let mut events =
            |what: &str, on: &dyn Fn(&mut Host, usize), off: &dyn Fn(&mut Host, usize)| {
                let (mut ons, mut offs) = (Vec::new(), Vec::new());
                let mut work = (0, 0);
                for round in 0..ROUNDS {
                    let (took, n) = host.time(|host| on(host, round));
                    ons.push(took);
                    work.0 = n;
                    let (took, n) = host.time(|host| off(host, round));
                    offs.push(took);
                    work.1 = n;
                }
                print(
                    &size,
                    &format!("vifd: {what}, comes"),
                    &mut ons,
                    &format!("{} objects", work.0),
                );
                print(
                    &size,
                    &format!("vifd: {what}, goes"),
                    &mut offs,
                    &format!("{} objects", work.1),
                );
            };
        events(
            "member of a group",
            &|host, _| host.wish(member(remote(3), 900_000, true)),
            &|host, _| host.wish(member(remote(3), 900_000, false)),
        );
        events(
            "rule of a group",
            &|host, _| host.wish(group(1, RULES + 1)),
            &|host, _| host.wish(group(1, RULES)),
        );
        events(
            "port (its part in the packet filter)",
            &|host, _| host.plug(5000, 1),
            &|host, _| host.unplug(5000),
        );
        let mut join = Vec::new();
        let mut leave = Vec::new();
        for _ in 0..LOADS {
            let all = |present| {
                move |host: &mut Host| {
                    for n in 0..BIG {
                        host.wish(member(remote(5), 1_000_000 + n, present));
                    }
                }
            };
            join.push(host.time(all(true)).0);
            leave.push(host.time(all(false)).0);
        }
        print(&size, "vifd: 2,000 members join a group", &mut join, "");
        print(&size, "vifd: 2,000 members leave", &mut leave, "");
    });
}

/// The ports of a rule, as the peers write them.
fn ports(rule: &Rule, between: char) -> String {
    let Service::Ports { min, max, .. } = rule.service else {
        unreachable!("only ports")
    };
    if min == max {
        format!("{min}")
    } else {
        format!("{min}{between}{max}")
    }
}

/// One rule per security-group rule, as iptables-restore reads it, with ipsets for remote groups.
fn iptables(vms: u128) -> String {
    let mut text = String::from("*filter\n");
    for vm in 0..vms {
        text += &format!(":i{vm} - [0:0]\n");
    }
    for vm in 0..vms {
        text += &format!("-A FORWARD -o tap{vm} -j i{vm}\n");
        for n in 0..RULES {
            let rule = rule(vm, n);
            let source = match rule.remote {
                Remote::Any => String::new(),
                Remote::Prefix(net) => format!("-s {net} "),
                Remote::Set(_) => format!("-m set --match-set g{} src ", (n / 20) % REMOTES),
            };
            let ports = ports(&rule, ':');
            text += &format!("-A i{vm} {source}-p tcp -m tcp --dport {ports} -j RETURN\n");
        }
        text += &format!("-A i{vm} -j DROP\n");
    }
    text + "COMMIT\n"
}

fn nft_text(vms: u128) -> String {
    let mut text = String::from("table ip peer {\n");
    for set in 0..REMOTES {
        let list: Vec<String> = (0..MEMBERS)
            .map(|n| std::net::IpAddr::from(address(set * MEMBERS + n)).to_string())
            .collect();
        text += &format!(
            "set g{set} {{ type ipv4_addr; elements = {{ {} }} }}\n",
            list.join(",")
        );
    }
    for vm in 0..vms {
        text += &format!("chain i{vm} {{\n");
        for n in 0..RULES {
            let rule = rule(vm, n);
            let source = match rule.remote {
                Remote::Any => String::new(),
                Remote::Prefix(net) => format!("ip saddr {net} "),
                Remote::Set(_) => format!("ip saddr @g{} ", (n / 20) % REMOTES),
            };
            let ports = ports(&rule, '-');
            text += &format!("{source}tcp dport {ports} return\n");
        }
        text += "drop\n}\n";
    }
    text += "chain forward { type filter hook forward priority 0\n";
    for vm in 0..vms {
        text += &format!("oifname tap{vm} jump i{vm}\n");
    }
    text + "}\n}\n"
}

fn ipset_text() -> String {
    let mut text = String::new();
    for set in 0..REMOTES {
        text += &format!("create g{set} hash:ip\n");
        for n in 0..MEMBERS {
            text += &format!(
                "add g{set} {}\n",
                std::net::IpAddr::from(address(set * MEMBERS + n))
            );
        }
    }
    text
}

fn peers(vms: u128) {
    let size = format!("{}", vms * RULES);
    let n_rules = vms * RULES;
    let loads = if vms > 50 { 3 } else { LOADS };
    for (name, restore, save, change) in [
        (
            "iptables-legacy",
            "iptables-legacy-restore",
            "iptables-legacy-save",
            "iptables-legacy",
        ),
        (
            "iptables-nft",
            "iptables-nft-restore",
            "iptables-nft-save",
            "iptables-nft",
        ),
    ] {
        let text = iptables(vms);
        let (mut full, mut one) = (Vec::new(), Vec::new());
        for _ in 0..loads {
            fresh(|| {
                tool("ipset", &["restore"], &ipset_text());
                let begun = Instant::now();
                tool(restore, &[], &text);
                full.push(begun.elapsed());
                let saved = tool(save, &["-t", "filter"], "");
                let returns = saved.lines().filter(|l| l.contains("-j RETURN")).count();
                assert_eq!(returns as u128, n_rules, "{name} holds them all");
                let begun = Instant::now();
                tool(
                    change,
                    &["-I", "i1", "-p", "tcp", "--dport", "7", "-j", "RETURN"],
                    "",
                );
                one.push(begun.elapsed());
                tool(change, &["-F"], "");
            });
        }
        print(
            &size,
            &format!("{name}: full load"),
            &mut full,
            &format!("{n_rules} rules"),
        );
        print(
            &size,
            &format!("{name}: one rule more, a process"),
            &mut one,
            "",
        );
    }
    let text = nft_text(vms);
    let (mut full, mut one, mut element) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..loads {
        fresh(|| {
            let begun = Instant::now();
            tool("nft", &["-f", "-"], &text);
            full.push(begun.elapsed());
            let listed = tool("nft", &["-n", "list", "table", "ip", "peer"], "");
            let returns = listed.lines().filter(|l| l.ends_with("return")).count();
            assert_eq!(returns as u128, n_rules, "nft holds them all");
            let begun = Instant::now();
            tool(
                "nft",
                &["-f", "-"],
                "insert rule ip peer i1 tcp dport 7 return\n",
            );
            one.push(begun.elapsed());
            let begun = Instant::now();
            tool(
                "nft",
                &["-f", "-"],
                "add element ip peer g3 { 203.0.113.9 }\n",
            );
            element.push(begun.elapsed());
        });
    }
    print(
        &size,
        "nft -f: full load",
        &mut full,
        &format!("{n_rules} rules"),
    );
    print(&size, "nft: one rule more, a process", &mut one, "");
    print(&size, "nft: one member more, a process", &mut element, "");
}

fn sets() {
    let mut add = Vec::new();
    let mut all = Vec::new();
    fresh(|| {
        tool("ipset", &["restore"], &ipset_text());
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            tool("ipset", &["add", "g3", "203.0.113.9"], "");
            add.push(begun.elapsed());
            tool("ipset", &["del", "g3", "203.0.113.9"], "");
        }
        let text: String = (0..BIG)
            .map(|n| {
                format!(
                    "add g5 {}\n",
                    std::net::IpAddr::from(address(1_000_000 + n))
                )
            })
            .collect();
        for _ in 0..LOADS {
            let begun = Instant::now();
            tool("ipset", &["restore"], &text);
            all.push(begun.elapsed());
            tool("ipset", &["flush", "g5"], "");
        }
    });
    print("-", "ipset: one member more, a process", &mut add, "");
    print("-", "ipset: 2,000 members join, one process", &mut all, "");
}

fn main() {
    println!(
        "bench: milliseconds, median (least to most); {ROUNDS} rounds per change, {LOADS} per load"
    );
    for vms in SIZES {
        ours(vms);
    }
    for vms in SIZES {
        peers(vms);
    }
    sets();
}
