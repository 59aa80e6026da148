//! What is sent on the way from one state to another: what the reference forbids in both, and what it allows in both.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::states::{CHANGE, FOREIGN, MEMBERS_PORT, OPEN_PORT, SHUT_PORT, STAY, State};
use crate::bed::Driver;
use crate::packet::{ACK, Body, Ip, Packet, Payload, SYN, Tcp};
use crate::prober::Probe;
use crate::reference::Reference;
use crate::world::{Family, Mac, Port, World};

const ROUTER: usize = 0;
/// Nobody has it.
const NOBODY: Mac = Mac([0xfa, 0x16, 0x3e, 0xff, 0, 9]);
/// Addresses that the router sends from: a stranger's, and some that rules, address groups and pairs name.
const NAMES: [&str; 6] = [
    "198.51.100.9",
    "10.7.0.5",
    "10.7.1.5",
    "10.8.0.5",
    "10.0.9.7",
    "2001:db8:99::9",
];

/// A packet with its sender.
struct Candidate {
    from: usize,
    packet: Packet,
    fresh: bool,
}

/// On the way from one state to another, or while one stays.
pub fn between(driver: Driver, old: &State, new: &State) -> Vec<Probe> {
    let worlds = [&old.world, &new.world];
    let unfiltered: BTreeSet<usize> = (0..old.world.ports.len())
        .filter(|&n| worlds.iter().any(|world| !world.ports[n].is_filtered()))
        .collect();
    let is_plugged = |n: usize| [old, new].iter().all(|state| state.plugged().contains(&n));
    let mut probes = Vec::new();
    for to in STAY
        .into_iter()
        .chain(CHANGE)
        .filter(|to| !unfiltered.contains(to))
    {
        let mixes = mixes(old, new, to);
        // A switch is changed flow by flow, the kernel's tables in one transaction.
        let met = match driver {
            Driver::Nft => &mixes[..2],
            _ => &mixes[..],
        };
        for candidate in candidates(&old.world, to) {
            let Candidate {
                from,
                packet,
                fresh,
            } = candidate;
            if !is_plugged(from) {
                continue;
            }
            let receivers = |world: &World, packet: &Packet| -> BTreeSet<usize> {
                let mut reference = Reference::new(world.clone(), driver.profile());
                reference.judge(from, packet).receivers().collect()
            };
            // A frame for a port that is not plugged or not known yet goes to all, and their rules judge it.
            let mut may = unfiltered.clone();
            for world in met {
                let mut stray = packet.clone();
                stray.to = NOBODY;
                may.extend(receivers(world, &packet));
                may.extend(receivers(world, &stray).into_iter().filter(|n| *n != to));
            }
            let arrives = |world: &World| receivers(world, &packet).contains(&to);
            // The router sends more than the queues of a switch hold that takes a second off.
            let is_watched = opens(&packet) && from != ROUTER && is_plugged(to);
            let is_allowed = is_watched && mixes.iter().all(arrives);
            if is_allowed || !may.contains(&to) {
                probes.push(Probe {
                    from,
                    to,
                    is_allowed,
                    may,
                    packet,
                    fresh,
                });
            }
        }
    }
    probes.extend(going_on(&old.world, &unfiltered));
    probes
}

/// Old and new, and everything between them: rules, the groups and the addresses of a port, and what is said of others.
fn mixes(old: &State, new: &State, to: usize) -> Vec<World> {
    let both = [&old.world, &new.world];
    let mut worlds: Vec<World> = both.map(Clone::clone).to_vec();
    for n in 1..15 {
        let [rules, groups, addresses, others] = [0, 1, 2, 3].map(|bit| both[n >> bit & 1]);
        let mut world = World {
            ports: others.ports.clone(),
            ..rules.clone()
        };
        world.ports[to] = Port {
            groups: groups.ports[to].groups.clone(),
            ..addresses.ports[to].clone()
        };
        worlds.push(world);
    }
    worlds
}

/// What is allowed is watched for one service.
fn opens(packet: &Packet) -> bool {
    matches!(&packet.body, Body::Ip(ip) if ip.ports().is_some_and(|(_, dst)| dst == OPEN_PORT))
}

/// Connections that were there before and go on, in both directions.
fn going_on(world: &World, unfiltered: &BTreeSet<usize>) -> Vec<Probe> {
    let [a, b] = STAY;
    let mut probes = Vec::new();
    for family in Family::BOTH {
        for (from, to, src, dst) in [(a, b, 40_000, OPEN_PORT), (b, a, OPEN_PORT, 40_000)] {
            let ip = Ip::new(
                ip(world, family, from),
                ip(world, family, to),
                Payload::Udp { src, dst },
            );
            let mut may = unfiltered.clone();
            may.insert(to);
            probes.push(Probe {
                from,
                to,
                is_allowed: true,
                may,
                packet: packet(world, from, to, ip),
                fresh: false,
            });
        }
    }
    probes
}

/// In their own names, in the names of others, and forged.
fn candidates(world: &World, to: usize) -> Vec<Candidate> {
    let [a, b] = STAY;
    let from = if to == a { b } else { a };
    let mut list = Vec::new();
    let mut add = |from: usize, packet: Packet, fresh| {
        list.push(Candidate {
            from,
            packet,
            fresh,
        });
    };
    for family in Family::BOTH {
        let dst = ip(world, family, to);
        for payload in own(family) {
            let ip = Ip::new(ip(world, family, from), dst, payload);
            add(from, packet(world, from, to, ip), true);
        }
        // One that changes sends, too.
        let other = if to == CHANGE[0] {
            CHANGE[1]
        } else {
            CHANGE[0]
        };
        for payload in [tcp(MEMBERS_PORT, SYN), udp(SHUT_PORT)] {
            let ip = Ip::new(ip(world, family, other), dst, payload);
            add(other, packet(world, other, to, ip), true);
        }
        let names = NAMES.iter().map(|name| address(name));
        let members = CHANGE.into_iter().filter(|n| *n != to);
        for src in names.chain(members.map(|n| ip(world, family, n))) {
            if Family::of(src) == family {
                for payload in in_names() {
                    add(
                        ROUTER,
                        packet(world, ROUTER, to, Ip::new(src, dst, payload)),
                        true,
                    );
                }
            }
        }
    }
    for forged in forged(world, from, to) {
        add(from, forged, false);
    }
    // The same addresses on another network.
    let ip = Ip::new(
        ip(world, Family::V4, FOREIGN),
        ip(world, Family::V4, to),
        udp(OPEN_PORT),
    );
    add(FOREIGN, packet(world, FOREIGN, to, ip), true);
    list
}

/// What a filtered port sends from its own address.
fn own(family: Family) -> Vec<Payload> {
    let kind = match family {
        Family::V4 => 8,
        Family::V6 => 128,
    };
    vec![
        udp(OPEN_PORT),
        udp(SHUT_PORT),
        tcp(SHUT_PORT, SYN),
        // The start of an answer to nothing.
        tcp(OPEN_PORT, SYN | ACK),
        Payload::Icmp {
            kind,
            code: 0,
            id: 1,
        },
    ]
}

/// What the router sends from any address: services that some states allow, and one that none does.
fn in_names() -> Vec<Payload> {
    vec![
        tcp(MEMBERS_PORT, SYN),
        tcp(80, SYN),
        tcp(8050, SYN),
        udp(1500),
        udp(SHUT_PORT),
        udp(OPEN_PORT),
    ]
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn ip(world: &World, family: Family, n: usize) -> IpAddr {
    world.ports[n].ip(family).expect("both families")
}

fn packet(world: &World, from: usize, to: usize, ip: Ip) -> Packet {
    Packet::ip(world.ports[from].mac, world.ports[to].mac, ip)
}

fn udp(dst: u16) -> Payload {
    Payload::Udp { src: 50_000, dst }
}

fn tcp(dst: u16, flags: u8) -> Payload {
    Payload::Tcp(Tcp {
        src: 50_000,
        dst,
        flags,
        seq: 1,
        ack: 1,
    })
}

/// In another's name.
fn forged(world: &World, from: usize, to: usize) -> Vec<Packet> {
    let (src, dst) = (ip(world, Family::V4, from), ip(world, Family::V4, to));
    let (src6, dst6) = (ip(world, Family::V6, from), ip(world, Family::V6, to));
    let (IpAddr::V4(spa), IpAddr::V6(target)) = (dst, dst6) else {
        return Vec::new();
    };
    let mac = world.ports[from].mac;
    let neighbour = |kind| Ip::new(src6, dst6, Payload::Neighbour { kind, target });
    let open = |src, dst| Ip::new(src, dst, udp(OPEN_PORT));
    let server = Ip::new(src, dst, Payload::Udp { src: 67, dst: 68 });
    vec![
        packet(world, from, to, open(address("10.0.0.99"), dst)),
        packet(world, from, to, open(address("2001:db8::99"), dst6)),
        Packet::ip(NOBODY, world.ports[to].mac, open(src, dst)),
        Packet {
            from: mac,
            to: world.ports[to].mac,
            vlan: None,
            body: Body::Arp {
                op: 2,
                sha: mac,
                spa,
                tpa: spa,
            },
        },
        packet(world, from, to, neighbour(136)),
        packet(world, from, to, neighbour(134)),
        packet(world, from, to, server),
    ]
}
