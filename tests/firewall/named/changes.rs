//! What happens to connections when what allowed them changes.

use anyhow::Result;

use super::drill::{
    A, B, C, Drill, OF_A, OF_B, OF_C, OUT, address, let_in, ports, small, tcp, udp,
};
use crate::bed::Driver;
use crate::packet::{ACK, SYN, TCP, UDP};
use crate::wire::TCP_DATA;
use crate::world::{Family, Remote};

pub fn a_member_that_leaves_takes_only_its_connections(driver: Driver) -> Result<()> {
    let mut world = small();
    // A and C are members of A's group, from which B lets in.
    world.ports[C].groups.push(OF_A);
    let_in(&mut world, OF_B, ports(UDP, 53, 53), Remote::Group(OF_A));
    let mut drill = Drill::start(driver, &world)?;
    for family in Family::BOTH {
        for from in [A, C] {
            drill.passes(from, B, &drill.between(from, B, family, udp(6000, 53)))?;
            drill.passes(B, from, &drill.between(B, from, family, udp(53, 6000)))?;
        }
    }
    drill.change(|world| world.ports[C].groups.retain(|group| *group != OF_A))?;
    for family in Family::BOTH {
        drill.drops(C, &drill.between(C, B, family, udp(6000, 53)))?;
        drill.passes(A, B, &drill.between(A, B, family, udp(6000, 53)))?;
        drill.passes(B, A, &drill.between(B, A, family, udp(53, 6000)))?;
    }
    Ok(())
}

pub fn a_rule_that_goes_stops_a_running_stream(driver: Driver) -> Result<()> {
    let mut world = small();
    let_in(&mut world, OF_B, ports(TCP, 22, 22), Remote::Any);
    let_in(&mut world, OF_B, ports(TCP, 80, 80), Remote::Any);
    // What B could answer by itself would hide a connection that was not cut.
    let mut drill = Drill::start(driver, &world)?;
    // Two streams in each family: where each side is in its sequence.
    let data = |n: u32| 1 + TCP_DATA * (n + 1);
    let segments = |drill: &Drill, family, port, n: u32| {
        let there = tcp(7000, port, ACK, 1000 + data(n), 5000 + data(n));
        let back = tcp(port, 7000, ACK, 5000 + data(n), 1000 + data(n + 1));
        (
            drill.between(A, B, family, there),
            drill.between(B, A, family, back),
        )
    };
    for family in Family::BOTH {
        for port in [22, 80] {
            drill.passes(
                A,
                B,
                &drill.between(A, B, family, tcp(7000, port, SYN, 1000, 0)),
            )?;
            let answer = tcp(port, 7000, SYN | ACK, 5000, 1000 + data(0));
            drill.passes(B, A, &drill.between(B, A, family, answer))?;
            let (there, back) = segments(&drill, family, port, 0);
            drill.passes(A, B, &there)?;
            drill.passes(B, A, &back)?;
        }
    }
    drill.change(|world| {
        world.groups[OF_B]
            .rules
            .retain(|rule| rule.service != ports(TCP, 22, 22));
        world.groups[0].rules.clear();
        crate::world::Family::BOTH.into_iter().for_each(|family| {
            for port in [22, 80] {
                world.groups[0].rules.push(crate::world::Rule {
                    direction: crate::world::Direction::Egress,
                    family,
                    service: ports(TCP, port, port),
                    remote: Remote::Any,
                });
            }
        });
    })?;
    for family in Family::BOTH {
        let (there, back) = segments(&drill, family, 22, 1);
        drill.drops(A, &there)?;
        drill.drops(B, &back)?;
        drill.drops(A, &there)?;
        let (there, back) = segments(&drill, family, 80, 1);
        drill.passes(A, B, &there)?;
        drill.passes(B, A, &back)?;
    }
    drill.change(|world| let_in(world, OF_B, ports(TCP, 22, 22), Remote::Any))?;
    for family in Family::BOTH {
        drill.passes(
            A,
            B,
            &drill.between(A, B, family, tcp(7001, 22, SYN, 1000, 0)),
        )?;
    }
    Ok(())
}

pub fn connections_of_a_port_are_not_its_successors(driver: Driver) -> Result<()> {
    let mut world = small();
    let_in(&mut world, OF_B, ports(UDP, 53, 53), Remote::Any);
    // C may nothing.
    world.ports[C].groups = vec![OF_C];
    let mut drill = Drill::start(driver, &world)?;
    for family in Family::BOTH {
        drill.passes(A, B, &drill.between(A, B, family, udp(6100, 53)))?;
        drill.passes(B, A, &drill.between(B, A, family, udp(53, 6100)))?;
    }
    // A leaves, and C gets its addresses.
    drill.bed.unplug(&[A])?;
    drill.change(|world| {
        let ips = std::mem::replace(
            &mut world.ports[A].ips,
            vec![address("10.0.0.99"), address("2001:db8::199")],
        );
        world.ports[C].ips = ips;
    })?;
    for family in Family::BOTH {
        drill.drops(B, &drill.between(B, C, family, udp(53, 6100)))?;
        drill.drops(C, &drill.between(C, B, family, udp(6100, 53)))?;
        drill.drops(B, &drill.between(B, C, family, udp(53, 6100)))?;
    }
    // What C may as the one that it is, it may.
    drill.change(|world| world.ports[C].groups.push(OUT))?;
    for family in Family::BOTH {
        drill.passes(C, B, &drill.between(C, B, family, udp(6100, 53)))?;
        drill.passes(B, C, &drill.between(B, C, family, udp(53, 6100)))?;
    }
    Ok(())
}

pub fn port_security_off_and_on(driver: Driver) -> Result<()> {
    let mut world = small();
    world.ports[B].security = false;
    let_in(&mut world, OF_A, ports(UDP, 53, 53), Remote::Any);
    let mut drill = Drill::start(driver, &world)?;
    let forged = |drill: &Drill| {
        let mut packet = drill.between(C, A, Family::V4, udp(8000, 53));
        packet.from = drill.bed.world.ports[B].mac;
        packet
    };
    drill.passes(B, A, &forged(&drill))?;
    drill.passes(A, B, &drill.between(A, B, Family::V4, udp(8001, 99)))?;
    drill.change(|world| world.ports[B].security = true)?;
    drill.drops(B, &forged(&drill))?;
    drill.drops(A, &drill.between(A, B, Family::V4, udp(8001, 99)))?;
    drill.drops(A, &drill.between(A, B, Family::V4, udp(8002, 99)))?;
    drill.change(|world| world.ports[B].security = false)?;
    drill.passes(B, A, &forged(&drill))?;
    drill.passes(A, B, &drill.between(A, B, Family::V4, udp(8003, 99)))
}

pub fn stateful_and_stateless(driver: Driver) -> Result<()> {
    let mut world = small();
    let_in(&mut world, OF_B, ports(UDP, 53, 53), Remote::Any);
    let mut drill = Drill::start(driver, &world)?;
    for (stateful, src) in [(true, 9000), (false, 9001), (true, 9002)] {
        drill.change(|world| {
            for group in [0, OF_A, OF_B, OF_C] {
                world.groups[group].stateful = stateful;
            }
        })?;
        for family in Family::BOTH {
            drill.passes(A, B, &drill.between(A, B, family, udp(src, 53)))?;
            let answer = drill.between(B, A, family, udp(53, src));
            drill.expect_if(stateful, B, A, &answer)?;
        }
    }
    // Where nothing is followed, an answer needs a rule of its own.
    drill.change(|world| {
        for group in [0, OF_A, OF_B, OF_C] {
            world.groups[group].stateful = false;
        }
        let_in(world, OF_A, ports(UDP, 9003, 9003), Remote::Any);
    })?;
    drill.passes(A, B, &drill.between(A, B, Family::V4, udp(9003, 53)))?;
    drill.passes(B, A, &drill.between(B, A, Family::V4, udp(53, 9003)))
}
