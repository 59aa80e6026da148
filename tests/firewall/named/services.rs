//! Which packets rules are about.

use anyhow::Result;

use super::drill::{A, B, C, Drill, OF_B, OF_C, OUT, ROUTER, let_in, ports, small, tcp, udp};
use crate::bed::Driver;
use crate::packet::{ACK, Body, Fragments, Packet, Payload, RST, SYN, TCP, UDP};
use crate::reference::Zones;
use crate::wire::TCP_DATA;
use crate::world::{Direction, Family, Remote, Rule, Service};

/// Rules that let questions for names out.
fn names_are_asked_for() -> [Rule; 2] {
    Family::BOTH.map(|family| Rule {
        direction: Direction::Egress,
        family,
        service: ports(UDP, 53, 53),
        remote: Remote::Any,
    })
}

pub fn packets_between_two_ports_meet_both_sets_of_rules(driver: Driver) -> Result<()> {
    let mut world = small();
    world.groups[OUT].rules.clear();
    let mut drill = Drill::start(driver, &world)?;
    for (out, into) in [(false, false), (true, false), (false, true), (true, true)] {
        drill.change(|world| {
            world.groups[OUT].rules.clear();
            world.groups[OF_B].rules.clear();
            if into {
                let_in(world, OF_B, ports(UDP, 53, 53), Remote::Any);
            }
            if out {
                world.groups[OUT].rules.extend(names_are_asked_for());
            }
        })?;
        for (family, src) in Family::BOTH.into_iter().zip([2000, 2001]) {
            let src = src + 10 * u16::from(out) + 100 * u16::from(into);
            drill.expect_if(
                out && into,
                A,
                B,
                &drill.between(A, B, family, udp(src, 53)),
            )?;
        }
    }
    Ok(())
}

pub fn a_reset_tells_that_nobody_listens(driver: Driver) -> Result<()> {
    let mut world = small();
    let_in(&mut world, OF_B, ports(TCP, 22, 22), Remote::Any);
    let drill = Drill::start(driver, &world)?;
    for family in Family::BOTH {
        for from in [A, ROUTER] {
            let ask = tcp(3500, 22, SYN, 1000, 0);
            drill.passes(from, B, &drill.between(from, B, family, ask))?;
            let reset = tcp(22, 3500, RST | ACK, 0, 1001 + TCP_DATA);
            // It ends the connection where it is seen first; where all ports share a table, A's bridge finds none.
            let is_told = from == ROUTER || driver.profile().zones != Zones::Host;
            drill.expect_if(is_told, B, from, &drill.between(B, from, family, reset))?;
        }
    }
    Ok(())
}

pub fn what_is_refused_opens_nothing_the_other_way(driver: Driver) -> Result<()> {
    let mut world = small();
    // B may send to port 53, and nobody may send to B.
    world.ports[B].groups = vec![OF_B];
    world.groups[OF_B].rules.extend(names_are_asked_for());
    let drill = Drill::start(driver, &world)?;
    for family in Family::BOTH {
        for from in [A, ROUTER] {
            for port in [53, 99] {
                let ask = drill.between(from, B, family, udp(port, 7000));
                let answer = drill.between(B, from, family, udp(7000, port));
                drill.drops(from, &ask)?;
                // By B's own rules. To A, which let the question out, it is the answer, if A knows that it did.
                let is_heard = from == ROUTER || driver.profile().zones != Zones::Network;
                drill.expect_if(port == 53 && is_heard, B, from, &answer)?;
                drill.expect_if(port == 53 && is_heard, from, B, &ask)?;
            }
        }
    }
    Ok(())
}

pub fn icmp_type_and_code_zero(driver: Driver) -> Result<()> {
    let mut world = small();
    let_in(
        &mut world,
        OF_B,
        Service::Icmp {
            kind: 0,
            code: Some(0),
        },
        Remote::Any,
    );
    world
        .groups
        .iter_mut()
        .for_each(|group| group.stateful = false);
    let mut drill = Drill::start(driver, &world)?;
    let icmp = |kind, code, id| Payload::Icmp { kind, code, id };
    let v4 = |drill: &Drill, payload| drill.between(A, B, Family::V4, payload);
    drill.passes(A, B, &v4(&drill, icmp(0, 0, 1)))?;
    drill.drops(A, &v4(&drill, icmp(0, 1, 2)))?;
    drill.drops(A, &v4(&drill, icmp(8, 0, 3)))?;
    // Where connections are followed, an answer without a question is none.
    drill.change(|world| {
        world
            .groups
            .iter_mut()
            .for_each(|group| group.stateful = true)
    })?;
    drill.drops(A, &v4(&drill, icmp(0, 0, 4)))?;
    drill.change(|world| {
        let_in(
            world,
            OF_B,
            Service::Icmp {
                kind: 8,
                code: None,
            },
            Remote::Any,
        )
    })?;
    drill.passes(A, B, &v4(&drill, icmp(8, 0, 5)))?;
    drill.passes(B, A, &drill.between(B, A, Family::V4, icmp(0, 0, 5)))
}

pub fn protocols_by_number(driver: Driver) -> Result<()> {
    let mut world = small();
    let_in(&mut world, OF_B, Service::Protocol(4), Remote::Any);
    let mut drill = Drill::start(driver, &world)?;
    for family in Family::BOTH {
        drill.passes(A, B, &drill.between(A, B, family, Payload::Protocol(4)))?;
        drill.passes(B, A, &drill.between(B, A, family, Payload::Protocol(4)))?;
        drill.drops(A, &drill.between(A, B, family, Payload::Protocol(47)))?;
    }
    drill.change(|world| {
        world
            .groups
            .iter_mut()
            .for_each(|group| group.stateful = false)
    })?;
    for family in Family::BOTH {
        drill.passes(A, B, &drill.between(A, B, family, Payload::Protocol(4)))?;
        drill.drops(B, &drill.between(B, A, family, Payload::Protocol(4)))?;
    }
    Ok(())
}

pub fn the_whole_range_of_ports(driver: Driver) -> Result<()> {
    let mut world = small();
    let_in(&mut world, OF_B, ports(TCP, 1, 65535), Remote::Any);
    let drill = Drill::start(driver, &world)?;
    for family in Family::BOTH {
        for port in [1, 2, 1023, 1024, 32767, 32768, 65534, 65535] {
            drill.passes(
                A,
                B,
                &drill.between(A, B, family, tcp(3000, port, SYN, 1, 0)),
            )?;
        }
        drill.drops(A, &drill.between(A, B, family, tcp(3000, 0, SYN, 1, 0)))?;
        drill.drops(A, &drill.between(A, B, family, udp(3000, 1)))?;
    }
    Ok(())
}

pub fn fragments_are_judged_as_a_whole(driver: Driver) -> Result<()> {
    let mut world = small();
    let_in(&mut world, OF_B, ports(UDP, 53, 53), Remote::Any);
    // C takes everything.
    let_in(&mut world, OF_C, Service::Any, Remote::Any);
    let drill = Drill::start(driver, &world)?;
    let fragmented = |mut packet: Packet, fragments| {
        if let Body::Ip(ip) = &mut packet.body {
            ip.fragments = fragments;
        }
        packet
    };
    for family in Family::BOTH {
        let packet = |from, to, src, dst, fragments| {
            fragmented(drill.between(from, to, family, udp(src, dst)), fragments)
        };
        for from in [A, ROUTER] {
            drill.passes(from, B, &packet(from, B, 4001, 53, Fragments::Both))?;
            drill.passes(from, C, &packet(from, C, 4001, 53, Fragments::Both))?;
            drill.drops(from, &packet(from, B, 4001, 54, Fragments::Both))?;
            // The rest never comes: nothing passes.
            for to in [B, C] {
                drill.drops(from, &packet(from, to, 4002, 53, Fragments::First))?;
                drill.drops(from, &packet(from, to, 4003, 53, Fragments::Second))?;
            }
        }
        // Replies in fragments, and a fragmented question after a whole one.
        for (to, answers) in [(B, 53), (C, 99)] {
            drill.passes(A, to, &drill.between(A, to, family, udp(4004, answers)))?;
        }
        let reply = |from, src| {
            fragmented(
                drill.between(from, A, family, udp(src, 4004)),
                Fragments::Both,
            )
        };
        drill.passes(B, A, &reply(B, 53))?;
        drill.passes(C, A, &reply(C, 99))?;
        drill.passes(A, B, &packet(A, B, 4004, 53, Fragments::Both))?;
    }
    Ok(())
}

pub fn fragments_where_nothing_is_tracked(driver: Driver) -> Result<()> {
    let mut world = small();
    world.ports[B].groups = vec![OF_B];
    world.groups[OF_B].stateful = false;
    let_in(&mut world, OF_B, ports(UDP, 53, 53), Remote::Any);
    let mut drill = Drill::start(driver, &world)?;
    let packet = |drill: &Drill, from, family, src| {
        let mut packet = drill.between(from, B, family, udp(src, 53));
        if let Body::Ip(ip) = &mut packet.body {
            ip.fragments = Fragments::Both;
        }
        packet
    };
    // Bridge netfilter puts them together for all ports, bridges that track connections for those that do: to the others
    // the first part alone shows its ports. In the switch none does.
    let parts: &[u8] = match (driver, driver.profile().bridges_reassemble) {
        (Driver::OpenFlow, _) => &[],
        (_, true) => &[0],
        (_, false) => &[0, 1],
    };
    for family in Family::BOTH {
        for (from, src) in [(A, 4100), (ROUTER, 4101)] {
            let packet = packet(&drill, from, family, src);
            match parts {
                [] => drill.drops(from, &packet)?,
                parts => drill.arrives_in_parts(from, B, &packet, parts)?,
            }
        }
    }
    // By another protocol's rule nothing more.
    drill.change(|world| {
        world.groups[OF_B].rules.clear();
        let_in(world, OF_B, Service::Protocol(TCP), Remote::Any);
    })?;
    for family in Family::BOTH {
        for (from, src) in [(A, 4102), (ROUTER, 4103)] {
            drill.drops(from, &packet(&drill, from, family, src))?;
        }
    }
    drill.change(|world| let_in(world, OF_B, Service::Protocol(UDP), Remote::Group(OUT)))?;
    for family in Family::BOTH {
        for (from, src) in [(A, 4104), (A, 4104), (ROUTER, 4105)] {
            drill.expect_if(from == A, from, B, &packet(&drill, from, family, src))?;
        }
    }
    drill.change(|world| let_in(world, OF_B, Service::Protocol(UDP), Remote::Any))?;
    for family in Family::BOTH {
        for (from, src) in [(A, 4106), (ROUTER, 4107), (ROUTER, 4107)] {
            drill.passes(from, B, &packet(&drill, from, family, src))?;
        }
    }
    // The same out.
    drill.change(|world| {
        world.groups[OF_B].rules = Family::BOTH
            .map(|family| Rule {
                direction: Direction::Egress,
                family,
                service: Service::Protocol(UDP),
                remote: Remote::Any,
            })
            .to_vec();
    })?;
    for family in Family::BOTH {
        for (payload, passes) in [(udp(53, 4200), true), (tcp(53, 4200, ACK, 1, 1), false)] {
            let mut packet = drill.between(B, ROUTER, family, payload);
            if let Body::Ip(ip) = &mut packet.body {
                ip.fragments = Fragments::Both;
            }
            drill.expect_if(passes, B, ROUTER, &packet)?;
            drill.expect_if(passes, B, ROUTER, &packet)?;
        }
    }
    Ok(())
}
