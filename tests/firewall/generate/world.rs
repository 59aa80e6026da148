//! Worlds: networks whose addresses overlap, ports with groups, rules of every kind.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::addresses::edges;
use crate::packet::{DCCP, ICMP, ICMPV6, SCTP, TCP, UDP, UDPLITE};
use crate::random::Random;
use crate::world::{Direction, Family, Group, Mac, Pair, Port, Remote, Rule, Service, World};

/// What a world holds.
#[derive(Clone, Copy, Debug)]
pub struct Taste {
    pub networks: usize,
    /// Filtered ports of each network; one of a router and one without port security come on top.
    pub filtered: usize,
    /// Groups that track connections, and groups that do not.
    pub stateful: usize,
    pub stateless: usize,
}

/// How many ports of a network are not filtered; they come first.
pub const N_OPEN: usize = 2;

/// A world. The first port of each network is a router's, the second has no port security.
pub fn world(random: &mut Random, taste: Taste) -> World {
    let mut w = World {
        networks: taste.networks,
        ..World::default()
    };
    let n_groups = taste.stateful + taste.stateless;
    for network in 0..taste.networks {
        for n in 0..N_OPEN + taste.filtered {
            w.ports.push(port(random, network, n, taste, n_groups));
        }
    }
    for n in 0..6 {
        let mut port = port(random, n % taste.networks, 100 + n, taste, n_groups);
        port.groups = vec![random.below(n_groups)];
        w.elsewhere.push(port);
    }
    for _ in 0..3 {
        let mut entries = Vec::new();
        for _ in 0..random.below(4) {
            // The control plane refuses entries that overlap.
            let entry = prefix(random, &w, true);
            let overlaps = |other: &IpNet| other.contains(&entry) || entry.contains(other);
            if !entries.iter().any(overlaps) {
                entries.push(entry);
            }
        }
        w.address_groups.push(entries);
    }
    for n in 0..n_groups {
        let rules = rules(random, &w, n_groups);
        w.groups.push(Group {
            stateful: n < taste.stateful,
            rules,
        });
    }
    w
}

/// The `n`th port of a network. Address and MAC depend little on the network, so that networks overlap.
fn port(random: &mut Random, network: usize, n: usize, taste: Taste, n_groups: usize) -> Port {
    let shared = random.chance(50);
    let place = u8::try_from(n).expect("few ports");
    let kind = if shared {
        0xee
    } else {
        u8::try_from(network).expect("few networks")
    };
    let mac = Mac([0xfa, 0x16, 0x3e, kind, 0, place]);
    let mut ips = Vec::new();
    let families = if n < N_OPEN { 0 } else { random.below(10) };
    if families != 1 {
        ips.push(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 16 + place)));
    }
    if families != 2 {
        ips.push(IpAddr::V6(Ipv6Addr::new(
            0x2001,
            0xdb8,
            0,
            0,
            0,
            0,
            0,
            0x100 + u16::from(place),
        )));
    }
    if families > 6 {
        ips.push(IpAddr::V4(Ipv4Addr::new(10, 0, 1, 16 + place)));
        ips.push(IpAddr::V6(Ipv6Addr::new(
            0x2001,
            0xdb8,
            0,
            0,
            1,
            0,
            0,
            0x100 + u16::from(place),
        )));
    }
    let mut port = Port {
        network,
        mac,
        ips,
        pairs: Vec::new(),
        security: n != 1,
        owner: if n == 0 {
            "network:router_interface"
        } else {
            "compute:nova"
        },
        groups: Vec::new(),
    };
    if n >= N_OPEN {
        if random.chance(40) {
            port.pairs = pairs(random, network, place);
        }
        port.groups = groups(random, taste, n_groups);
    }
    port
}

/// One to three groups of one kind, sometimes none.
fn groups(random: &mut Random, taste: Taste, n_groups: usize) -> Vec<usize> {
    let (first, last) = if taste.stateless > 0 && random.chance(20) {
        (taste.stateful, n_groups)
    } else {
        (0, taste.stateful)
    };
    let n = if random.chance(4) {
        0
    } else {
        1 + random.below(3)
    };
    let mut groups: Vec<usize> = (0..n).map(|_| first + random.below(last - first)).collect();
    groups.sort_unstable();
    groups.dedup();
    groups
}

fn pairs(random: &mut Random, network: usize, place: u8) -> Vec<Pair> {
    let texts = [
        format!("10.0.2.{place}/32"),
        format!("10.9.{place}.64/28"),
        format!("2001:db8:9::{place:x}/128"),
        format!("2001:db8:a:{place:x}::/64"),
        "10.0.3.0/24".to_owned(),
        if random.chance(50) {
            "0.0.0.0/0"
        } else {
            "::/0"
        }
        .to_owned(),
    ];
    let other = Mac([
        0xfa,
        0x16,
        0x3f,
        u8::try_from(network).expect("few"),
        1,
        place,
    ]);
    let mut pairs = Vec::new();
    for _ in 0..1 + random.below(2) {
        pairs.push(Pair {
            prefix: random.pick(&texts).parse().expect("a prefix"),
            mac: random.chance(40).then_some(other),
        });
    }
    if pairs.len() == 2 && pairs[0] == pairs[1] {
        pairs.pop();
    }
    pairs
}

fn rules(random: &mut Random, w: &World, n_groups: usize) -> Vec<Rule> {
    let mut rules = Vec::new();
    if random.chance(60) {
        for family in Family::BOTH {
            rules.push(Rule {
                direction: Direction::Egress,
                family,
                service: Service::Any,
                remote: Remote::Any,
            });
        }
    } else {
        for _ in 0..2 + random.below(5) {
            rules.push(rule(random, w, Direction::Egress, n_groups));
        }
    }
    for _ in 0..2 + random.below(6) {
        rules.push(rule(random, w, Direction::Ingress, n_groups));
    }
    let mut unique: Vec<Rule> = Vec::new();
    for rule in rules {
        // A prefix of length 0 is the same as none, and the control plane refuses the second of two equal rules.
        let all = matches!(rule.remote, Remote::Prefix(net) if net.prefix_len() == 0);
        let twin = Rule {
            remote: if all { Remote::Any } else { rule.remote },
            ..rule
        };
        let equal = |other: &Rule| {
            let all = matches!(other.remote, Remote::Prefix(net) if net.prefix_len() == 0);
            *other == twin
                || all
                    && Rule {
                        remote: Remote::Any,
                        ..*other
                    } == twin
        };
        if !unique.iter().any(equal) {
            unique.push(rule);
        }
    }
    unique
}

/// A rule of a direction.
pub fn rule(random: &mut Random, w: &World, direction: Direction, n_groups: usize) -> Rule {
    let family = *random.pick(&Family::BOTH);
    let remote = match random.below(20) {
        0..7 => Remote::Any,
        7..12 => loop {
            let net = prefix(random, w, false);
            if Family::of(net.addr()) == family {
                break Remote::Prefix(net);
            }
        },
        12..18 => Remote::Group(random.below(n_groups)),
        _ => Remote::Addresses(random.below(w.address_groups.len().max(1))),
    };
    Rule {
        direction,
        family,
        service: service(random, family),
        remote,
    }
}

fn service(random: &mut Random, family: Family) -> Service {
    let icmp = if family == Family::V4 { ICMP } else { ICMPV6 };
    match random.below(20) {
        0..3 => Service::Any,
        3..7 => Service::Protocol(*random.pick(&[TCP, UDP, icmp, icmp, SCTP, 4, 47, 112])),
        7..16 => {
            let protocol = *random.pick(&[TCP, TCP, TCP, UDP, UDP, UDP, SCTP, DCCP, UDPLITE]);
            let (min, max) = *random.pick(&[
                (22, 22),
                (53, 53),
                (1, 65535),
                (80, 88),
                (1000, 1999),
                (1024, 65535),
                (4096, 4111),
                (1, 1),
                (65535, 65535),
                (32767, 32769),
            ]);
            Service::Ports { protocol, min, max }
        }
        _ => {
            let kinds: &[u8] = match family {
                Family::V4 => &[8, 8, 8, 0, 13, 3],
                Family::V6 => &[128, 128, 128, 129, 1],
            };
            Service::Icmp {
                kind: *random.pick(kinds),
                code: *random.pick(&[None, None, Some(0), Some(1)]),
            }
        }
    }
}

/// A prefix around what ports have. `no_all`: not of length 0.
fn prefix(random: &mut Random, w: &World, no_all: bool) -> IpNet {
    loop {
        let port = random.pick(&w.ports);
        let Some((_, net)) = random.any(&port.sources()).copied() else {
            continue;
        };
        let full = net.max_prefix_len();
        let lens = [full, full - 1, full - 4, full - 8, full / 2, 0];
        let len = *random.pick(&lens);
        if no_all && len == 0 {
            continue;
        }
        let Some(around) = random.any(&edges(net)).copied() else {
            continue;
        };
        if let Ok(net) = IpNet::new(around, len) {
            return net.trunc();
        }
    }
}
