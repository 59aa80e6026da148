//! ARP, neighbour discovery, listener reports, DHCP, frames that are neither; honest and forged.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::addresses::own_source;
use super::talk::Scene;
use crate::packet::{Body, Ip, Packet, Payload};
use crate::random::Random;
use crate::world::{Family, Mac};

fn v4(ip: IpAddr) -> Ipv4Addr {
    match ip {
        IpAddr::V4(ip) => ip,
        IpAddr::V6(_) => Ipv4Addr::new(10, 0, 0, 1),
    }
}

fn v6(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V6(ip) => ip,
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
    }
}

/// A packet of the link layer from the scene's sender to its receiver, or to all.
pub fn packet(random: &mut Random, scene: &Scene<'_>) -> Option<Packet> {
    match random.below(10) {
        0..4 => arp(random, scene),
        4..7 => neighbour(random, scene),
        7..9 => dhcp(random, scene),
        _ => odd(random, scene),
    }
}

fn arp(random: &mut Random, scene: &Scene<'_>) -> Option<Packet> {
    let (mac, src) = scene.source(random, Family::V4)?;
    let to = scene.unicast_or(random, Mac::BROADCAST);
    let body = Body::Arp {
        op: *random.pick(&[1, 2]),
        sha: if random.chance(90) {
            mac
        } else {
            scene.other_mac(random)
        },
        spa: v4(src),
        tpa: v4(scene.target(random, Family::V4)?),
    };
    Some(Packet {
        from: mac,
        to,
        vlan: None,
        body,
    })
}

fn neighbour(random: &mut Random, scene: &Scene<'_>) -> Option<Packet> {
    let (mac, src) = scene.source(random, Family::V6)?;
    let target = scene.target(random, Family::V6)?;
    let all_nodes: IpAddr = "ff02::1".parse().ok()?;
    let to_all = Mac([0x33, 0x33, 0, 0, 0, 1]);
    let (payload, src) = match random.below(15) {
        0..2 => (
            Payload::Neighbour {
                kind: 135,
                target: v6(target),
            },
            src,
        ),
        2 => (
            Payload::Neighbour {
                kind: 135,
                target: v6(src),
            },
            Ipv6Addr::UNSPECIFIED.into(),
        ),
        3..7 => {
            let own = own_source(random, scene.sender(), Family::V6);
            let claimed = match own {
                Some((_, own)) if random.chance(60) => own,
                _ => target,
            };
            (
                Payload::Neighbour {
                    kind: 136,
                    target: v6(claimed),
                },
                src,
            )
        }
        7 => (
            Payload::Neighbour {
                kind: 133,
                target: v6(src),
            },
            src,
        ),
        8..10 => (
            Payload::Neighbour {
                kind: 134,
                target: v6(src),
            },
            src,
        ),
        10 => (
            Payload::Listener {
                kind: *random.pick(&[131, 143]),
            },
            src,
        ),
        11 => (
            Payload::Listener {
                kind: *random.pick(&[131, 143]),
            },
            Ipv6Addr::UNSPECIFIED.into(),
        ),
        12 => (
            Payload::Listener {
                kind: *random.pick(&[130, 132]),
            },
            src,
        ),
        13 => (
            Payload::Neighbour {
                kind: 137,
                target: v6(target),
            },
            src,
        ),
        _ => (from_nowhere(random, v6(src)), Ipv6Addr::UNSPECIFIED.into()),
    };
    let (to, dst) = if random.chance(50) || src == Ipv6Addr::UNSPECIFIED {
        (to_all, all_nodes)
    } else {
        (scene.receiver().mac, target)
    };
    Some(Packet::ip(mac, to, Ip::new(src, dst, payload)))
}

/// What nobody may send without an address.
fn from_nowhere(random: &mut Random, target: Ipv6Addr) -> Payload {
    match *random.pick(&[128, 129, 130, 132, 133, 136]) {
        kind @ (128 | 129) => Payload::Icmp {
            kind,
            code: 0,
            id: u16::try_from(random.below(20_000)).expect("below"),
        },
        kind @ (130 | 132) => Payload::Listener { kind },
        kind => Payload::Neighbour { kind, target },
    }
}

fn dhcp(random: &mut Random, scene: &Scene<'_>) -> Option<Packet> {
    let (family, client, server) = *random.pick(&[(Family::V4, 68, 67), (Family::V6, 546, 547)]);
    let (mac, own) = scene.source(random, family)?;
    let target = scene.target(random, family)?;
    let (src_port, dst_port) = if random.chance(50) {
        (client, server)
    } else {
        (server, client)
    };
    let payload = Payload::Udp {
        src: src_port,
        dst: dst_port,
    };
    if family == Family::V4 && dst_port == server && random.chance(60) {
        let all = Ip::new(
            Ipv4Addr::UNSPECIFIED.into(),
            Ipv4Addr::BROADCAST.into(),
            payload,
        );
        return Some(Packet::ip(mac, Mac::BROADCAST, all));
    }
    Some(Packet::ip(
        mac,
        scene.receiver().mac,
        Ip::new(own, target, payload),
    ))
}

/// Another ethertype.
fn odd(random: &mut Random, scene: &Scene<'_>) -> Option<Packet> {
    Some(Packet {
        from: scene.sender().mac,
        to: scene.unicast_or(random, Mac::BROADCAST),
        vlan: None,
        body: Body::Other(*random.pick(&[0x88b5, 0x8847, 0x0842])),
    })
}
