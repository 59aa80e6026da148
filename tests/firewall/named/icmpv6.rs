//! What of ICMPv6 leaves a port that has no rule for it, and what comes back.

use std::net::{IpAddr, Ipv6Addr};

use anyhow::Result;

use super::drill::{A, B, C, Drill, OF_A, OF_B, ROUTER, address, let_in, small, udp};
use crate::bed::Driver;
use crate::packet::{Body, Fragments, ICMPV6, Ip, Packet, Payload};
use crate::world::{Direction, Family, Mac, Pair, Remote, Rule, Service, World};

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const TO_ALL_NODES: Mac = Mac([0x33, 0x33, 0, 0, 0, 1]);

fn echo(kind: u8, id: u16) -> Payload {
    Payload::Icmp { kind, code: 0, id }
}

fn neighbour(kind: u8, target: IpAddr) -> Payload {
    let target = match target {
        IpAddr::V6(target) => target,
        IpAddr::V4(_) => Ipv6Addr::UNSPECIFIED,
    };
    Payload::Neighbour { kind, target }
}

/// A world in which A has no rule, and tracks connections or not.
fn without_rules(stateful: bool) -> World {
    let mut world = small();
    world.ports[A].groups = vec![OF_A];
    world.groups[OF_A].stateful = stateful;
    world
}

fn v6(drill: &Drill, from: usize, to: usize, payload: Payload) -> Packet {
    drill.between(from, to, Family::V6, payload)
}

fn from_source(mut packet: Packet, src: IpAddr) -> Packet {
    if let Body::Ip(ip) = &mut packet.body {
        ip.src = src;
    }
    packet
}

fn in_fragments(mut packet: Packet) -> Packet {
    if let Body::Ip(ip) = &mut packet.body {
        ip.fragments = Fragments::Both;
    }
    packet
}

pub fn an_echo_request_leaves_without_a_rule_and_is_answered(driver: Driver) -> Result<()> {
    for stateful in [true, false] {
        let mut drill = Drill::start(driver, &without_rules(stateful))?;
        drill.passes(A, ROUTER, &v6(&drill, A, ROUTER, echo(128, 1)))?;
        // Where nothing is followed the answer needs a rule, as any packet.
        drill.expect_if(stateful, ROUTER, A, &v6(&drill, ROUTER, A, echo(129, 1)))?;
        drill.drops(ROUTER, &v6(&drill, ROUTER, A, echo(129, 2)))?;
        drill.drops(ROUTER, &v6(&drill, ROUTER, A, echo(128, 3)))?;
        // It is ICMPv6 alone, and from A's own addresses.
        drill.drops(A, &drill.between(A, ROUTER, Family::V4, echo(8, 4)))?;
        drill.drops(A, &v6(&drill, A, ROUTER, udp(1, 53)))?;
        let forged = from_source(v6(&drill, A, ROUTER, echo(128, 5)), address("2001:db8::99"));
        drill.drops(A, &forged)?;
        let ask = in_fragments(v6(&drill, A, ROUTER, echo(128, 6)));
        let answer = in_fragments(v6(&drill, ROUTER, A, echo(129, 6)));
        drill.passes(A, ROUTER, &ask)?;
        drill.expect_if(stateful, ROUTER, A, &answer)?;
        // B's rules hold all the same.
        drill.drops(A, &v6(&drill, A, B, echo(128, 7)))?;
        drill.change(|world| let_in(world, OF_B, Service::Protocol(ICMPV6), Remote::Any))?;
        drill.passes(A, B, &v6(&drill, A, B, echo(128, 8)))?;
        drill.expect_if(stateful, B, A, &v6(&drill, B, A, echo(129, 8)))?;
        // What A is asked it may answer, and may do so still when the question is not let in any more.
        drill.change(|world| let_in(world, OF_A, Service::Protocol(ICMPV6), Remote::Any))?;
        drill.passes(ROUTER, A, &v6(&drill, ROUTER, A, echo(128, 9)))?;
        drill.passes(A, ROUTER, &v6(&drill, A, ROUTER, echo(129, 9)))?;
        drill.change(|world| world.groups[OF_A].rules.clear())?;
        drill.drops(ROUTER, &v6(&drill, ROUTER, A, echo(128, 9)))?;
        drill.passes(A, ROUTER, &v6(&drill, A, ROUTER, echo(129, 9)))?;
        // A change of the rules takes nothing from it.
        drill.passes(A, ROUTER, &v6(&drill, A, ROUTER, echo(128, 1)))?;
        drill.expect_if(stateful, ROUTER, A, &v6(&drill, ROUTER, A, echo(129, 1)))?;
    }
    Ok(())
}

pub fn what_belongs_to_no_connection_leaves_too(driver: Driver) -> Result<()> {
    for stateful in [true, false] {
        let drill = Drill::start(driver, &without_rules(stateful))?;
        let unknown = match v6(&drill, ROUTER, A, udp(53, 7)).body {
            Body::Ip(ip) => Box::new(ip),
            _ => unreachable!("it is IP"),
        };
        let too_big = Payload::Error {
            kind: 2,
            code: 0,
            about: unknown,
        };
        let somebody = address("2001:db8::100");
        for payload in [
            echo(129, 1),
            too_big.clone(),
            neighbour(133, somebody),
            neighbour(137, somebody),
            Payload::Listener { kind: 130 },
            Payload::Listener { kind: 132 },
        ] {
            drill.passes(A, ROUTER, &v6(&drill, A, ROUTER, payload))?;
        }
        // Nor does it come in.
        drill.drops(A, &v6(&drill, A, B, echo(129, 2)))?;
        drill.drops(ROUTER, &v6(&drill, ROUTER, B, too_big))?;
    }
    Ok(())
}

pub fn little_leaves_without_an_address(driver: Driver) -> Result<()> {
    for stateful in [true, false] {
        let mut drill = Drill::start(driver, &without_rules(stateful))?;
        let everything = Pair {
            prefix: "::/0".parse()?,
            mac: None,
        };
        for (ips, pairs) in [(true, false), (true, true), (false, false)] {
            drill.change(|world| {
                let port = &mut world.ports[A];
                port.ips = if ips {
                    small().ports[A].ips.clone()
                } else {
                    vec![]
                };
                port.pairs = pairs.then_some(everything).into_iter().collect();
                // Nor by a rule.
                world.groups[OF_A].rules = vec![Rule {
                    direction: Direction::Egress,
                    family: Family::V6,
                    service: Service::Any,
                    remote: Remote::Any,
                }];
            })?;
            let mac = drill.bed.world.ports[A].mac;
            let own = address("2001:db8::102");
            let to = |dst, mac_of, payload| {
                let ip = Ip::new(Ipv6Addr::UNSPECIFIED.into(), dst, payload);
                Packet::ip(mac, mac_of, ip)
            };
            let to_all = |payload| to(ALL_NODES.into(), TO_ALL_NODES, payload);
            drill.expect(A, &to_all(neighbour(135, own)), &[0, 1, B, C])?;
            for kind in [131, 143] {
                drill.expect(A, &to_all(Payload::Listener { kind }), &[0, 1])?;
            }
            for payload in [
                echo(128, 1),
                echo(129, 1),
                neighbour(133, own),
                neighbour(134, own),
                neighbour(136, own),
                Payload::Listener { kind: 130 },
                Payload::Listener { kind: 132 },
                udp(546, 547),
                udp(1, 53),
            ] {
                drill.drops(A, &to_all(payload))?;
            }
            let router = &drill.bed.world.ports[ROUTER];
            let address = router.ip(Family::V6).expect("both families");
            drill.drops(A, &to(address, router.mac, neighbour(135, own)))?;
            drill.drops(A, &to(address, router.mac, echo(128, 2)))?;
        }
    }
    Ok(())
}

pub fn no_router_advertisement_leaves(driver: Driver) -> Result<()> {
    for stateful in [true, false] {
        let mut drill = Drill::start(driver, &without_rules(stateful))?;
        for rules in [false, true] {
            if rules {
                drill.change(|world| {
                    world.groups[OF_A].rules.push(Rule {
                        direction: Direction::Egress,
                        family: Family::V6,
                        service: Service::Protocol(ICMPV6),
                        remote: Remote::Any,
                    });
                })?;
            }
            let advert = v6(
                &drill,
                A,
                ROUTER,
                neighbour(134, Ipv6Addr::UNSPECIFIED.into()),
            );
            drill.drops(A, &advert)?;
            let link_local = drill.bed.world.ports[A].mac.link_local();
            drill.drops(A, &from_source(advert.clone(), link_local.into()))?;
            // In fragments the first alone shows its type, if any does; the other then waits for it at the receiver.
            drill.drops(A, &in_fragments(advert))?;
        }
    }
    Ok(())
}
