//! What is sent all the time: forbidden in every state, or allowed in every state.

use std::net::IpAddr;

use super::states::{CHANGE, FOREIGN, MEMBERS_PORT, OPEN_PORT, SHUT_PORT, STAY};
use crate::packet::{ACK, Body, Ip, Packet, Payload, SYN, Tcp};
use crate::prober::Probe;
use crate::world::{Family, Mac, World};

pub fn all(world: &World) -> Vec<Probe> {
    let mut probes = Vec::new();
    let [a, b] = STAY;
    for to in STAY.into_iter().chain(CHANGE) {
        let from = if to == a { b } else { a };
        for family in Family::BOTH {
            probes.extend(forbidden(world, family, from, to));
        }
        probes.extend(forged(world, from, to));
    }
    for probe in &mut probes {
        let victims = world.behind(0, probe.packet.to);
        // What is for a port that is not plugged is heard by those that nothing holds.
        let hears = |n: &usize| !victims.contains(n) && !world.ports[*n].is_filtered();
        probe.harmless_at = world.on(0).filter(hears).collect();
    }
    // The same addresses on another network.
    let foreign = udp(world, Family::V4, STAY[1], OPEN_PORT);
    probes.push(Probe {
        // Nobody there has that MAC, so those without a filter hear it.
        harmless_at: world.on(1).take(2).collect(),
        ..shut(FOREIGN, packet(world, FOREIGN, STAY[1], foreign))
    });
    // Allowed: new connections, and one that goes on in both directions.
    for (from, to) in [(a, b), (b, a)] {
        for family in Family::BOTH {
            let open = udp_from(world, family, (from, 30_000), (to, OPEN_PORT));
            probes.push(Probe {
                from,
                to: Some(to),
                harmless_at: vec![],
                packet: packet(world, from, to, open),
                fresh: true,
            });
        }
    }
    for family in Family::BOTH {
        let there = udp_from(world, family, (a, 40_000), (b, OPEN_PORT));
        let back = udp_from(world, family, (b, OPEN_PORT), (a, 40_000));
        probes.push(Probe {
            from: a,
            to: Some(b),
            harmless_at: vec![],
            packet: packet(world, a, b, there),
            fresh: false,
        });
        probes.push(Probe {
            from: b,
            to: Some(a),
            harmless_at: vec![],
            packet: packet(world, b, a, back),
            fresh: false,
        });
    }
    probes
}

fn shut(from: usize, packet: Packet) -> Probe {
    Probe {
        from,
        to: None,
        harmless_at: vec![],
        packet,
        fresh: true,
    }
}

fn ip(world: &World, family: Family, n: usize) -> IpAddr {
    world.ports[n].ip(family).expect("both families")
}

fn packet(world: &World, from: usize, to: usize, ip: Ip) -> Packet {
    Packet::ip(world.ports[from].mac, world.ports[to].mac, ip)
}

fn udp_from(
    world: &World,
    family: Family,
    (from, src): (usize, u16),
    (to, dst): (usize, u16),
) -> Ip {
    Ip::new(
        ip(world, family, from),
        ip(world, family, to),
        Payload::Udp { src, dst },
    )
}

/// From the first address of the ports that stay, or the second if it is for that.
fn udp(world: &World, family: Family, to: usize, dst: u16) -> Ip {
    let from = if to == STAY[0] { STAY[1] } else { STAY[0] };
    udp_from(world, family, (from, 50_000), (to, dst))
}

fn tcp(src: IpAddr, dst: IpAddr, port: u16, flags: u8) -> Ip {
    let tcp = Tcp {
        src: 50_000,
        dst: port,
        flags,
        seq: 1,
        ack: 1,
    };
    Ip::new(src, dst, Payload::Tcp(tcp))
}

/// No rule allows them.
fn forbidden(world: &World, family: Family, from: usize, to: usize) -> Vec<Probe> {
    let (src, dst) = (ip(world, family, from), ip(world, family, to));
    let stranger: IpAddr = match family {
        Family::V4 => "198.51.100.9".parse().expect("an address"),
        Family::V6 => "2001:db8:99::9".parse().expect("an address"),
    };
    let router = 0;
    let mut probes = vec![
        shut(
            from,
            packet(world, from, to, udp(world, family, to, SHUT_PORT)),
        ),
        shut(from, packet(world, from, to, tcp(src, dst, SHUT_PORT, SYN))),
        // The start of an answer to nothing.
        shut(
            from,
            packet(world, from, to, tcp(src, dst, OPEN_PORT, SYN | ACK)),
        ),
        // From the router, in the name of no member.
        shut(
            router,
            packet(world, router, to, tcp(stranger, dst, MEMBERS_PORT, SYN)),
        ),
        shut(
            router,
            packet(
                world,
                router,
                to,
                Ip::new(
                    stranger,
                    dst,
                    Payload::Udp {
                        src: 1,
                        dst: SHUT_PORT,
                    },
                ),
            ),
        ),
    ];
    if family == Family::V4 {
        let ask = Ip::new(
            src,
            dst,
            Payload::Icmp {
                kind: 8,
                code: 0,
                id: 1,
            },
        );
        probes.push(shut(from, packet(world, from, to, ask)));
    }
    probes
}

/// In another's name.
fn forged(world: &World, from: usize, to: usize) -> Vec<Probe> {
    let (src, dst) = (ip(world, Family::V4, from), ip(world, Family::V4, to));
    let (src6, dst6) = (ip(world, Family::V6, from), ip(world, Family::V6, to));
    let (IpAddr::V4(spa), IpAddr::V6(target)) = (dst, dst6) else {
        return Vec::new();
    };
    let open = |src, dst| {
        Ip::new(
            src,
            dst,
            Payload::Udp {
                src: 50_000,
                dst: OPEN_PORT,
            },
        )
    };
    let mac = world.ports[from].mac;
    let other = Mac([0xfa, 0x16, 0x3e, 0xff, 0, 9]);
    let neighbour = |kind, target| Ip::new(src6, dst6, Payload::Neighbour { kind, target });
    let arp = Body::Arp {
        op: 2,
        sha: mac,
        spa,
        tpa: spa,
    };
    [
        packet(
            world,
            from,
            to,
            open("10.0.0.99".parse().expect("an address"), dst),
        ),
        packet(
            world,
            from,
            to,
            open("2001:db8::99".parse().expect("an address"), dst6),
        ),
        Packet::ip(other, world.ports[to].mac, open(src, dst)),
        Packet {
            from: mac,
            to: world.ports[to].mac,
            vlan: None,
            body: arp,
        },
        packet(world, from, to, neighbour(136, target)),
        packet(world, from, to, neighbour(134, target)),
        packet(
            world,
            from,
            to,
            Ip::new(src, dst, Payload::Udp { src: 67, dst: 68 }),
        ),
    ]
    .into_iter()
    .map(|packet| Probe {
        from,
        to: None,
        harmless_at: vec![],
        packet,
        fresh: false,
    })
    .collect()
}
