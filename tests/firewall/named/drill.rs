//! A bed with a small world, single packets, and what is expected of each.

use std::net::IpAddr;
use std::path::Path;

use anyhow::{Result, ensure};

use crate::bed::{Bed, Driver, Outcome, Shot, volley};
use crate::packet::{Ip, Packet, Payload, Tcp};
use crate::wire::{self, Arrivals};
use crate::world::{Direction, Family, Group, Mac, Port, Remote, Rule, Service, World};

/// The filtered ports of the first network.
pub const A: usize = 2;
pub const B: usize = 3;
pub const C: usize = 4;
/// What is not filtered there: a router, and a port without port security.
pub const ROUTER: usize = 0;
/// Groups: everything out, for A, B and C; and one each.
pub const OUT: usize = 0;
pub const OF_A: usize = 1;
pub const OF_B: usize = 2;
pub const OF_C: usize = 3;

/// A network with A, B and C; every port may send, none receives.
pub fn small() -> World {
    let mut world = World {
        networks: 1,
        address_groups: vec![vec![]],
        ..World::default()
    };
    for n in 0..5u8 {
        world.ports.push(Port {
            network: 0,
            mac: Mac([0xfa, 0x16, 0x3e, 0, 1, n]),
            ips: vec![
                address(&format!("10.0.0.{}", 16 + n)),
                address(&format!("2001:db8::{:x}", 0x100 + u16::from(n))),
            ],
            pairs: Vec::new(),
            security: n != 1,
            owner: if n == 0 {
                "network:router_interface"
            } else {
                "compute:nova"
            },
            groups: if n < 2 {
                vec![]
            } else {
                vec![OUT, usize::from(n) - 1]
            },
        });
    }
    let out = Family::BOTH.map(|family| Rule {
        direction: Direction::Egress,
        family,
        service: Service::Any,
        remote: Remote::Any,
    });
    world.groups.push(Group {
        stateful: true,
        rules: out.to_vec(),
    });
    world.groups.extend((0..3).map(|_| Group {
        stateful: true,
        rules: Vec::new(),
    }));
    world
}

/// Lets something in, by a rule for each family.
pub fn let_in(world: &mut World, group: usize, service: Service, remote: Remote) {
    for family in Family::BOTH {
        world.groups[group].rules.push(Rule {
            direction: Direction::Ingress,
            family,
            service,
            remote,
        });
    }
}

pub fn ports(protocol: u8, min: u16, max: u16) -> Service {
    Service::Ports { protocol, min, max }
}

pub fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

pub fn udp(src: u16, dst: u16) -> Payload {
    Payload::Udp { src, dst }
}

pub fn tcp(src: u16, dst: u16, flags: u8, seq: u32, ack: u32) -> Payload {
    Payload::Tcp(Tcp {
        src,
        dst,
        flags,
        seq,
        ack,
    })
}

/// See the module.
pub struct Drill {
    pub bed: Bed,
}

impl Drill {
    pub fn start(driver: Driver, world: &World) -> Result<Drill> {
        let bed = Bed::start(Path::new(env!("CARGO_BIN_EXE_vifd")), world, driver)?;
        bed.introduce()?;
        Ok(Drill { bed })
    }

    /// Changes the world, and waits until it is so.
    pub fn change(&mut self, change: impl FnOnce(&mut World)) -> Result<()> {
        let mut world = self.bed.world.clone();
        change(&mut world);
        self.bed.change(&world)
    }

    /// A datagram between two ports, from and to their own addresses.
    pub fn between(&self, from: usize, to: usize, family: Family, payload: Payload) -> Packet {
        let ports = &self.bed.world.ports;
        let ip = |n: usize| ports[n].ip(family).expect("both families");
        Packet::ip(
            ports[from].mac,
            ports[to].mac,
            Ip::new(ip(from), ip(to), payload),
        )
    }

    /// It arrives at exactly this port.
    pub fn passes(&self, from: usize, to: usize, packet: &Packet) -> Result<()> {
        self.expect(from, packet, &[to])
    }

    /// It arrives nowhere.
    pub fn drops(&self, from: usize, packet: &Packet) -> Result<()> {
        self.expect(from, packet, &[])
    }

    /// It arrives or not.
    pub fn expect_if(&self, passes: bool, from: usize, to: usize, packet: &Packet) -> Result<()> {
        if passes {
            self.passes(from, to, packet)
        } else {
            self.drops(from, packet)
        }
    }

    /// It arrives at exactly these ports.
    pub fn expect(&self, from: usize, packet: &Packet, at: &[usize]) -> Result<()> {
        self.arrives(from, packet, wire::whole(packet, at))
    }

    /// Exactly these parts of it arrive at exactly this port.
    pub fn arrives_in_parts(
        &self,
        from: usize,
        to: usize,
        packet: &Packet,
        parts: &[u8],
    ) -> Result<()> {
        let mut expected = Arrivals::new();
        if !parts.is_empty() {
            expected.insert(to, parts.iter().copied().collect());
        }
        self.arrives(from, packet, expected)
    }

    fn arrives(&self, from: usize, packet: &Packet, expected: Arrivals) -> Result<()> {
        let shots = [Shot::new(from, packet.clone(), expected.clone())];
        let mut outcome = Outcome::default();
        volley(&self.bed, &shots, &mut outcome)?;
        let arrived = outcome.of(&shots[0]);
        ensure!(
            arrived == expected,
            "from port {from}: {packet}\nexpected at {expected:?}, arrived at {arrived:?}\n{}{}",
            self.bed.world.describe(from),
            self.bed.trace(from, packet, "new")?
        );
        Ok(())
    }
}
