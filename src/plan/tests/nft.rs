//! The packet filter's driver: stories, budgets, and a property: whatever happened, the elements that stand allow exactly
//! what the rules do.

use std::net::IpAddr;

use nft::conntrack::{Entry as CtEntry, Tuple};
use nft::message::Family as NfFamily;
use uuid::Uuid;

use super::world::{World, port, vxlan};
use crate::model::*;
use crate::ops::conntrack::{Connection, CtItems};
use crate::ops::nft::{NftBody, NftKey, SetId};
use crate::ops::{Batch, Items};
use crate::plan::firewall::Counts;
use crate::plan::firewall::nft::layout;
use crate::plan::firewall::nft::numbers::short;
use crate::plan::firewall::nft::tables::Shape;
use crate::plan::firewall::verdict::{self, Flow};
use crate::plan::{Now, Planner};

mod leave;
mod restart;

fn pid(n: u128) -> PortId {
    PortId(Uuid::from_u128(n << 100 | 0x42))
}

fn gid(n: u128) -> GroupId {
    GroupId(Uuid::from_u128(0x6000 + n))
}

fn vm(n: u128, groups: &[u128]) -> Port {
    Port {
        id: pid(n),
        groups: groups.iter().map(|g| gid(*g)).collect(),
        ..port(n, 1)
    }
}

fn rule(n: u128, direction: Direction, service: Service, remote: Remote) -> Rule {
    Rule {
        id: RuleId(Uuid::from_u128(n)),
        direction,
        family: Family::V4,
        service,
        remote,
    }
}

fn group(n: u128, rules: Vec<Rule>) -> Delta {
    Delta::Group(SecurityGroup {
        id: gid(n),
        name: format!("group{n}").into(),
        stateful: true,
        rules,
        problems: Vec::new(),
    })
}

fn member(set: u128, id: u128, prefixes: &[&str]) -> Delta {
    let mut addresses: Vec<MemberAddress> = prefixes
        .iter()
        .map(|text| MemberAddress {
            prefix: text.parse().unwrap(),
            mac: None,
        })
        .collect();
    addresses.sort_unstable();
    Delta::Member(Member {
        set: RemoteId::Group(gid(set)),
        id: MemberId(Uuid::from_u128(id)),
        addresses,
    })
}

fn tcp(port: u16) -> Service {
    Service::Ports {
        protocol: 6,
        min: port,
        max: port,
    }
}

fn start() -> (World, Planner) {
    let mut world = World::new();
    world.firewall = Some(FirewallDriver::Nft);
    let mut planner = world.start_agent();
    world.wish(&mut planner, Delta::Network(vxlan(1, 5001)));
    world.quiesce(&mut planner);
    (world, planner)
}

fn plug(world: &mut World, planner: &mut Planner, n: u128, groups: &[u128]) {
    let port = vm(n, groups);
    world.wish(planner, Delta::Port(port.clone()));
    let name = format!("qvo{}", short(pid(n)));
    world.plug(planner, &name, port.id, port.mac);
}

fn items(batch: &Batch) -> usize {
    match &batch.items {
        Items::Nft(batch) => batch.items.len(),
        _ => 0,
    }
}

/// Looks a flow up the way the kernel's rules do.
fn kernel_allows(
    world: &World,
    shape: &Shape,
    tap: &str,
    direction: Direction,
    flow: &Flow,
) -> bool {
    let has = |set, key| world.nft.contains_key(&NftKey::Element(set, key));
    let value = |set, key| match world.nft.get(&NftKey::Element(set, key)) {
        Some(NftBody::Element(entry)) => entry.data,
        _ => None,
    };
    let Some(mark) = value(SetId::Vif, layout::device(tap)) else {
        return false;
    };
    let profile = layout::profile_of(mark);
    let remote = match direction {
        Direction::Ingress => flow.src,
        Direction::Egress => flow.dst,
    };
    let family = Family::of(remote);
    let (members, nets) = match family {
        Family::V4 => (SetId::Members4, SetId::Nets4),
        Family::V6 => (SetId::Members6, SetId::Nets6),
    };
    let mut sources = vec![0];
    for index in 1..=shape.slots {
        let Some(set) = value(SetId::Slots, layout::slot(profile, index)) else {
            continue;
        };
        let set = layout::source_of(set);
        if has(members, layout::member(set, remote)) {
            sources.push(set);
        }
    }
    let lengths = match family {
        Family::V4 => &shape.nets4,
        Family::V6 => &shape.nets6,
    };
    for length in lengths {
        let net = ipnet::IpNet::new(remote, *length).unwrap().trunc();
        sources.extend(value(nets, layout::net(profile, net)).map(layout::source_of));
    }
    let tag = layout::tag(direction, family);
    let [hi, lo] = flow.ports.map_or(0, |p| p.1).to_be_bytes();
    let mut selectors = vec![
        (0, [0, 0, layout::ANY_PROTOCOL, 0]),
        (flow.protocol, [0; 4]),
    ];
    selectors.push((flow.protocol, [hi, lo, layout::ONE_PORT, 0]));
    for level in layout::BLOCKS {
        let mask = u16::MAX << (16 - level);
        let [hi, lo] = (u16::from_be_bytes([hi, lo]) & mask).to_be_bytes();
        selectors.push((flow.protocol, [hi, lo, level, 0]));
    }
    let passes = |source: u16| {
        selectors
            .iter()
            .any(|s| has(SetId::Pass, layout::pass(profile, source, tag, *s).into()))
    };
    sources.into_iter().any(passes)
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        // Knuth's MMIX constants.
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) % n
    }

    fn address(&mut self) -> IpAddr {
        IpAddr::from([10, 0, self.below(3) as u8, self.below(6) as u8])
    }

    fn flow(&mut self) -> Flow {
        Flow {
            src: self.address(),
            dst: self.address(),
            protocol: if self.below(3) == 0 { 17 } else { 6 },
            ports: Some((40000, self.below(90) as u16)),
            icmp: None,
        }
    }

    fn rules(&mut self, n: u128) -> Vec<Rule> {
        let count = self.below(5);
        (0..count)
            .map(|k| {
                let min = self.below(40) as u16;
                let service = match self.below(4) {
                    0 => Service::Any,
                    1 => Service::Protocol(17),
                    2 => tcp(min),
                    _ => Service::Ports {
                        protocol: 6,
                        min,
                        max: min + self.below(40) as u16,
                    },
                };
                let remote = match self.below(4) {
                    0 => Remote::Any,
                    1 => Remote::Prefix(
                        ipnet::IpNet::new(self.address(), 20 + self.below(13) as u8)
                            .unwrap()
                            .trunc(),
                    ),
                    _ => Remote::Set(RemoteId::Group(gid(self.below(4) as u128))),
                };
                let direction = Direction::ALL[self.below(2) as usize];
                rule(n * 100 + u128::from(k), direction, service, remote)
            })
            .collect()
    }
}

/// What the driver keeps, by looking at every element.
fn counted(world: &World) -> Counts {
    let in_set = |wanted: SetId| {
        let is_in = move |key: &&NftKey| matches!(key, NftKey::Element(set, _) if *set == wanted);
        world.nft.keys().filter(is_in).count()
    };
    Counts {
        ports: in_set(SetId::Bridges),
        profiles: in_set(SetId::Profiles),
        conjunctions: 0,
    }
}

#[test]
fn whatever_happens_elements_allow_what_rules_do_and_a_restart_writes_nothing() {
    for seed in 0..u64::from(testbed::cases(24)) {
        let mut random = Random(seed);
        let (mut world, mut planner) = start();
        for step in 0..60 {
            match random.below(8) {
                0 | 1 => {
                    let n = random.below(4) as u128;
                    let rules = random.rules(n);
                    world.wish(&mut planner, group(n, rules));
                }
                2 | 3 => {
                    let set = random.below(4) as u128;
                    let address = random.address();
                    let net = if random.below(4) == 0 {
                        "10.0.2.0/24"
                    } else {
                        ""
                    };
                    let mut list = vec![format!("{address}/32")];
                    list.extend((!net.is_empty()).then(|| net.to_owned()));
                    if random.below(3) == 0 {
                        list.clear();
                    }
                    let list: Vec<&str> = list.iter().map(String::as_str).collect();
                    world.wish(
                        &mut planner,
                        member(set, u128::from(random.below(4)), &list),
                    );
                }
                4 | 5 => {
                    let n = 1 + random.below(4) as u128;
                    let groups: Vec<u128> = (0..4).filter(|_| random.below(2) == 0).collect();
                    plug(&mut world, &mut planner, n, &groups);
                }
                6 => {
                    let n = 1 + random.below(4) as u128;
                    let name = format!("qvo{}", short(pid(n)));
                    world.unplug(&mut planner, &name);
                }
                _ if random.below(2) == 0 && !world.pending.is_empty() => {
                    world.fail(&mut planner, 0, step as u8);
                }
                _ => planner = world.start_agent(),
            }
            if random.below(3) == 0 {
                world.quiesce(&mut planner);
            } else {
                world.think(&mut planner);
            }
            assert!(planner.filter().leaving.is_consistent(), "seed {seed}");
        }
        world.quiesce(&mut planner);
        assert_eq!(planner.audit(), [], "seed {seed}");
        assert_eq!(planner.firewall_counts(), counted(&world), "seed {seed}");
        for n in 1..=4 {
            let Some(port) = planner.desired().port(pid(n)).cloned() else {
                continue;
            };
            let tap = format!("tap{}", short(pid(n)));
            for _ in 0..200 {
                let direction = Direction::ALL[random.below(2) as usize];
                let flow = random.flow();
                let wanted = verdict::allows(planner.desired(), &port, direction, &flow);
                let shape = planner.filter().numbers.shape();
                let got = kernel_allows(&world, &shape, &tap, direction, &flow);
                assert_eq!(got, wanted, "seed {seed}: {tap} {direction:?} {flow:?}");
            }
        }
        let writes = world.restart_writes();
        assert!(
            writes.iter().all(|b| items(b) == 0),
            "seed {seed}: {writes:?}"
        );
    }
}

/// Another group at a port, other members of a remote group, or other rules of a group.
fn change(random: &mut Random, world: &mut World, planner: &mut Planner) {
    let n = random.below(4) as u128;
    match random.below(4) {
        0 => {
            let groups: Vec<u128> = (0..4).filter(|_| random.below(2) == 0).collect();
            let port = vm(1 + n % 3, &groups);
            world.wish(planner, Delta::Port(port));
        }
        1 => {
            let list = [format!("{}/32", random.address())];
            let list: Vec<&str> = list.iter().map(String::as_str).collect();
            let keep = random.below(3);
            let list = &list[..usize::from(keep > 0)];
            world.wish(planner, member(n, u128::from(random.below(4)), list));
        }
        _ => {
            let rules = random.rules(n);
            world.wish(planner, group(n, rules));
        }
    }
}

#[test]
fn a_change_in_many_batches_allows_nothing_that_no_version_of_the_rules_did() {
    let n_seeds = testbed::cases(40);
    let mut n_beside = 0;
    for seed in 100..100 + u64::from(n_seeds) {
        let mut random = Random(seed);
        let mut world = World {
            firewall: Some(FirewallDriver::Nft),
            filter_batch: 1 + random.below(4) as usize,
            ..World::new()
        };
        let mut planner = world.start_agent();
        world.wish(&mut planner, Delta::Network(vxlan(1, 5001)));
        for n in 1..=3 {
            plug(&mut world, &mut planner, n, &[n, n % 2]);
        }
        world.quiesce(&mut planner);
        let mut versions = vec![planner.desired().clone()];
        for _ in 0..30 {
            for _ in 0..1 + random.below(3) {
                change(&mut random, &mut world, &mut planner);
                versions.push(planner.desired().clone());
            }
            loop {
                world.think(&mut planner);
                if world.pending.is_empty() {
                    break;
                }
                let at_the_filter = world.pending.iter().filter(|batch| items(batch) > 0);
                n_beside += u32::from(at_the_filter.count() > 1);
                world.carry_out(&mut planner, 0);
                // Batches are under way, and the next change is there.
                if random.below(4) == 0 && versions.len() < 20 {
                    change(&mut random, &mut world, &mut planner);
                    versions.push(planner.desired().clone());
                }
                let shape = planner.filter().numbers.shape();
                for n in 1..=3 {
                    let tap = format!("tap{}", short(pid(n)));
                    let device = NftKey::Element(SetId::Vif, layout::device(&tap));
                    assert!(world.nft.contains_key(&device), "{tap} is not filtered");
                    for _ in 0..40 {
                        let direction = Direction::ALL[random.below(2) as usize];
                        let flow = random.flow();
                        let allowed = versions.iter().any(|desired| {
                            let port = desired.port(pid(n)).expect("it stays");
                            verdict::allows(desired, port, direction, &flow)
                        });
                        let got = kernel_allows(&world, &shape, &tap, direction, &flow);
                        assert!(
                            allowed || !got,
                            "seed {seed}: {tap} {direction:?} {flow:?} was never allowed"
                        );
                    }
                }
            }
            world.quiesce(&mut planner);
            versions.drain(..versions.len() - 1);
        }
    }
    assert!(
        n_beside > 3 * n_seeds,
        "two were under way {n_beside} times"
    );
}

#[test]
fn filters_stand_before_the_tag_and_a_vif_that_cannot_be_filtered_stays_dead() {
    let (mut world, mut planner) = start();
    world.wish(&mut planner, group(1, vec![]));
    plug(&mut world, &mut planner, 1, &[1]);
    world.think(&mut planner);
    let at = world.pending.iter().position(|b| items(b) > 0).unwrap();
    world.fail(&mut planner, at, 0);
    for _ in 0..20 {
        world.think(&mut planner);
        let Some(at) = world.pending.iter().position(|b| items(b) == 0) else {
            break;
        };
        world.carry_out(&mut planner, at);
    }
    let name = format!("qvo{}", short(pid(1)));
    let tag = |world: &World, name: &str| world.ports[name].tag;
    assert!(
        matches!(tag(&world, &name), None | Some(4095)),
        "the filter does not stand"
    );
    world.quiesce(&mut planner);
    assert_eq!(tag(&world, &name), Some(1));

    let straight = vm(2, &[1]);
    world.wish(&mut planner, Delta::Port(straight.clone()));
    world.plug(&mut planner, "tap-direct", straight.id, straight.mac);
    world.quiesce(&mut planner);
    assert_eq!(tag(&world, "tap-direct"), Some(4095));
    let (status, reason) = &world.statuses[&pid(2)];
    assert_eq!(*status, PortStatus::Error);
    assert!(
        reason.as_ref().unwrap().contains("plug it hybrid"),
        "{reason:?}"
    );
}

#[test]
fn a_kernel_that_cannot_filter_keeps_filtered_ports_dead_and_others_not() {
    let (mut world, mut planner) = start();
    let event = crate::ops::ExecEvent::NftUnable {
        reason: "no bridge family".into(),
    };
    planner.event(event, Now::default());
    plug(&mut world, &mut planner, 1, &[]);
    let mut open = vm(2, &[]);
    open.port_security = false;
    world.wish(&mut planner, Delta::Port(open.clone()));
    world.plug(&mut planner, "tap-open", open.id, open.mac);
    world.quiesce(&mut planner);
    let name = format!("qvo{}", short(pid(1)));
    assert_eq!(world.ports[&*name].tag, Some(4095));
    assert_eq!(world.ports["tap-open"].tag, Some(1));
}

fn connection(zone: u16, src: &str, dst: &str, port: u16) -> Connection {
    let tuple = Tuple::new(src.parse().unwrap(), dst.parse().unwrap(), 6, 40000, port);
    Connection {
        family: NfFamily::IPV4,
        entry: CtEntry {
            original: Some(tuple),
            zone: Some(zone),
            ..CtEntry::default()
        },
    }
}

#[test]
fn exactly_the_connections_that_rules_forbid_are_cut() {
    let (mut world, mut planner) = start();
    let set = Remote::Set(RemoteId::Group(gid(2)));
    let rules = |ports: &[u16]| -> Vec<Rule> {
        let mut list: Vec<Rule> = ports
            .iter()
            .map(|p| rule(u128::from(*p), Direction::Ingress, tcp(*p), Remote::Any))
            .collect();
        list.push(rule(900, Direction::Ingress, tcp(443), set));
        list.push(rule(901, Direction::Egress, Service::Any, Remote::Any));
        list
    };
    world.wish(&mut planner, group(1, rules(&[22, 80])));
    world.wish(&mut planner, member(2, 1, &["10.0.9.1/32"]));
    plug(&mut world, &mut planner, 1, &[1]);
    plug(&mut world, &mut planner, 2, &[1]);
    world.quiesce(&mut planner);
    let zone = |n| planner.filter().numbers.zone(pid(n)).unwrap();
    let (one, two) = (zone(1), zone(2));
    let kept = [
        connection(one, "10.9.9.9", "10.0.0.1", 22),
        connection(one, "10.0.0.1", "10.9.9.9", 80),
        connection(0, "10.9.9.9", "10.0.0.1", 80),
    ];
    let forbidden = [
        connection(one, "10.9.9.9", "10.0.0.1", 80),
        connection(two, "10.9.9.9", "10.0.0.2", 80),
    ];
    let joined = connection(two, "10.0.9.1", "10.0.0.2", 443);
    world.connections = [&kept[..], &forbidden, std::slice::from_ref(&joined)].concat();
    world.conntrack.clear();

    world.wish(&mut planner, group(1, rules(&[22])));
    world.quiesce(&mut planner);
    assert_eq!(
        world.connections,
        [&kept[..], std::slice::from_ref(&joined)].concat()
    );
    let lists = world
        .conntrack
        .iter()
        .filter(|i| matches!(i, CtItems::List(_)));
    assert_eq!(
        lists.count(),
        1,
        "one look for all ports: {:?}",
        world.conntrack
    );

    world.wish(&mut planner, member(2, 1, &[]));
    world.quiesce(&mut planner);
    assert_eq!(world.connections, kept);
    world.wish(&mut planner, Delta::PortGone(pid(1)));
    world.quiesce(&mut planner);
    assert_eq!(world.connections, kept[2..], "all of the port's zone");
}

fn owned(from: u16, to: u16, src: &str, dst: &str, port: u16) -> Connection {
    let mut connection = connection(0, src, dst, port);
    let [a, b] = from.to_ne_bytes();
    let [c, d] = to.to_ne_bytes();
    let mut labels = [0; 16];
    labels[..8].copy_from_slice(&[a, b, 0, 0, c, d, 0, 0]);
    connection.entry.labels = Some(labels.into());
    connection
}

#[test]
fn without_zones_labels_say_whose_connections_are_cut() {
    let mut world = World {
        firewall: Some(FirewallDriver::Nft),
        has_no_zones: true,
        ..World::new()
    };
    let mut planner = world.start_agent();
    world.wish(&mut planner, Delta::Network(vxlan(1, 5001)));
    let rules = |ports: &[u16]| -> Vec<Rule> {
        let rules = ports
            .iter()
            .map(|p| rule(u128::from(*p), Direction::Ingress, tcp(*p), Remote::Any));
        let out = rule(900, Direction::Egress, tcp(80), Remote::Any);
        rules.chain([out]).collect()
    };
    world.wish(&mut planner, group(1, rules(&[22, 80])));
    plug(&mut world, &mut planner, 1, &[1]);
    plug(&mut world, &mut planner, 2, &[1]);
    world.quiesce(&mut planner);
    let number = |n| planner.filter().numbers.zone(pid(n)).unwrap();
    let (one, two) = (number(1), number(2));
    for number in [one, two] {
        let key = NftKey::Element(SetId::Owners, layout::owner(number));
        assert!(world.nft.contains_key(&key));
    }
    // Of neither, although with an address of the first port: on another network.
    let others = owned(0, 0, "10.9.9.9", "10.0.0.1", 80);
    let out = owned(one, 0, "10.0.0.1", "10.9.9.9", 80);
    let both = owned(one, two, "10.0.0.1", "10.0.0.2", 80);
    let into = owned(0, two, "10.9.9.9", "10.0.0.2", 22);
    world.connections = vec![others.clone(), out.clone(), both, into.clone()];

    world.wish(&mut planner, group(1, rules(&[22])));
    world.quiesce(&mut planner);
    assert_eq!(
        world.connections,
        [others.clone(), out.clone(), into.clone()]
    );
    // Another port may get the address that it had.
    let mut port = vm(1, &[1]);
    port.fixed_ips[0].ip = "10.0.0.99".parse().unwrap();
    let new = owned(one, 0, "10.0.0.99", "10.9.9.9", 80);
    world.connections.push(new.clone());
    world.wish(&mut planner, Delta::Port(port));
    world.quiesce(&mut planner);
    assert_eq!(world.connections, [others.clone(), into.clone(), new]);
    world.wish(&mut planner, Delta::PortGone(pid(1)));
    world.quiesce(&mut planner);
    assert_eq!(
        world.connections,
        [others, into],
        "all that were the port's"
    );
    plug(&mut world, &mut planner, 3, &[1]);
    world.quiesce(&mut planner);
    let three = planner.filter().numbers.zone(pid(3)).unwrap();
    assert!(three != one, "a successor has another number");
}

#[test]
fn what_was_forbidden_while_no_agent_ran_is_cut_by_the_next() {
    let (mut world, mut planner) = start();
    let rules = |ports: &[u16]| -> Vec<Rule> {
        let rule = |p: &u16| rule(u128::from(*p), Direction::Ingress, tcp(*p), Remote::Any);
        ports.iter().map(rule).collect()
    };
    world.wish(&mut planner, group(1, rules(&[22, 80])));
    for n in 1..=3 {
        plug(&mut world, &mut planner, n, &[1]);
    }
    world.quiesce(&mut planner);
    let zone = |n| planner.filter().numbers.zone(pid(n)).unwrap();
    let [one, two, three] = [1, 2, 3].map(zone);
    let kept = [
        connection(one, "10.9.9.9", "10.0.0.1", 22),
        connection(60_000, "10.9.9.9", "10.0.0.1", 80),
    ];
    let forbidden = [
        connection(one, "10.9.9.9", "10.0.0.1", 80),
        connection(two, "10.9.9.9", "10.0.0.2", 22),
        connection(three, "10.9.9.9", "10.0.0.3", 80),
    ];
    world.connections = [&kept[..], &forbidden].concat();
    // An agent that ends before it has thought.
    world.wish(&mut planner, group(1, rules(&[22])));
    world.wish(&mut planner, Delta::PortGone(pid(2)));
    planner = world.start_agent();
    world.quiesce(&mut planner);
    assert_eq!(world.connections, kept);

    // A zone that is given anew holds nothing of the port that had it.
    let port = 1 + planner.filter().numbers.zone(pid(3)).unwrap();
    world
        .connections
        .push(connection(port, "10.9.9.9", "10.0.0.4", 80));
    plug(&mut world, &mut planner, 4, &[1]);
    world.quiesce(&mut planner);
    assert_eq!(planner.filter().numbers.zone(pid(4)), Some(port));
    assert_eq!(world.connections, kept);
}

#[test]
fn more_that_is_allowed_asks_for_no_connections() {
    let (mut world, mut planner) = start();
    let rules = |n: u16| -> Vec<Rule> {
        let rule = |p: u16| rule(u128::from(p), Direction::Ingress, tcp(p), Remote::Any);
        (1..=n).map(rule).collect()
    };
    world.wish(&mut planner, group(1, rules(3)));
    plug(&mut world, &mut planner, 1, &[1]);
    world.quiesce(&mut planner);
    world.conntrack.clear();
    world.wish(&mut planner, group(1, rules(4)));
    world.quiesce(&mut planner);
    assert_eq!(world.conntrack, []);
    world.wish(&mut planner, group(1, rules(3)));
    world.quiesce(&mut planner);
    assert_eq!(world.conntrack.len(), 1);
}

#[test]
fn one_change_costs_the_same_at_any_density() {
    let costs = |n_groups: u128, n_members: u128| -> Vec<u64> {
        let (mut world, mut planner) = start();
        for g in 0..n_groups {
            let set = Remote::Set(RemoteId::Group(gid(g)));
            let rules = (0..20).map(|p| rule(p, Direction::Ingress, tcp(p as u16 + 1), set));
            world.wish(&mut planner, group(g, rules.collect()));
            plug(&mut world, &mut planner, g + 1, &[g]);
            plug(&mut world, &mut planner, g + 1000, &[0]);
        }
        for m in 0..n_members {
            let text = format!("10.{}.{}.{}/32", 1 + (m >> 16), m >> 8 & 0xff, m & 0xff);
            world.wish(&mut planner, member(0, m + 10, &[&text]));
        }
        world.quiesce(&mut planner);
        let mut costs = Vec::new();
        let mut cost = |world: &mut World, planner: &mut Planner, delta: Delta| {
            let before = planner.stats();
            world.wish(planner, delta);
            world.quiesce(planner);
            let after = planner.stats();
            costs.push(after.cells_rendered - before.cells_rendered);
            costs.push(after.nft_items - before.nft_items);
            costs.push(after.nft_batches - before.nft_batches);
        };
        cost(&mut world, &mut planner, member(0, 1, &["10.200.0.1/32"]));
        let set = Remote::Set(RemoteId::Group(gid(0)));
        let rules = (0..21).map(|p| rule(p, Direction::Ingress, tcp(p as u16 + 1), set));
        cost(&mut world, &mut planner, group(0, rules.collect()));
        let before = planner.stats();
        plug(&mut world, &mut planner, 5000, &[0]);
        world.quiesce(&mut planner);
        costs.push(planner.stats().nft_items - before.nft_items);
        costs
    };
    let few = costs(2, 10);
    assert_eq!(
        few[3..6],
        [2, 1, 1],
        "a rule is one element, and what is told of its group"
    );
    assert_eq!(few, costs(100, 3000));
    assert_eq!(
        few[..3],
        [1, 1, 1],
        "a member is one cell, one element, one transaction"
    );
    assert_eq!(few[6], 8, "a port with a known set of groups");
}

#[test]
fn a_table_with_more_lengths_and_slots_extends_one_with_fewer() {
    use crate::ops::nft::Variant;
    use crate::plan::firewall::nft::tables::tables;
    use crate::plan::ledger::Value;
    use std::sync::Arc;

    let shape = |slots, nets4: &[u8], pairs6: &[u8]| Shape {
        slots,
        nets4: nets4.iter().copied().collect(),
        nets6: [64].into(),
        pairs4: [24].into(),
        pairs6: pairs6.iter().copied().collect(),
    };
    let few = shape(4, &[8, 24], &[]);
    let more = [
        shape(8, &[8, 24], &[]),
        shape(4, &[8, 16, 24], &[]),
        shape(4, &[8, 24], &[64]),
        shape(16, &[0, 8, 24, 25], &[64, 120]),
    ];
    for variant in [Variant::Bridge { zones: true }, Variant::BridgeInet] {
        let bodies = |shape: &Shape| -> Vec<NftBody> {
            let tables = tables(variant, shape).into_iter();
            tables
                .map(|table| NftBody::Table(Arc::new(table)))
                .collect()
        };
        let few = bodies(&few);
        for more in more.iter().map(bodies) {
            for (more, few) in more.iter().zip(&few) {
                assert!(more.extends(few));
                assert!(more == few || !few.extends(more));
            }
        }
    }
}
