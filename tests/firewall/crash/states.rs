//! The states that groups, rules, members and ports go through. In each of them the probes' verdicts are the same.

use std::collections::BTreeSet;

use crate::packet::{TCP, UDP};
use crate::world::{Direction, Family, Group, Mac, Pair, Port, Remote, Rule, Service, World};

/// Ports of a network, by number: the router, the witness, two that stay, two that change.
pub const STAY: [usize; 2] = [2, 3];
pub const CHANGE: [usize; 2] = [4, 5];
/// The port of another network, with the addresses of the first that stays.
pub const FOREIGN: usize = 8;
/// What every port lets in, whatever the state.
pub const OPEN_PORT: u16 = 7000;
/// What no port lets in.
pub const SHUT_PORT: u16 = 6666;
/// What members of a group may reach, and nobody else.
pub const MEMBERS_PORT: u16 = 22;

const BASE: usize = 0;
const MEMBERS: usize = 1;
const WEB: usize = 2;

/// A world, and which of the changing ports are unplugged.
pub struct State {
    pub world: World,
    pub unplugged: BTreeSet<usize>,
}

impl State {
    /// Ports that are plugged in this state.
    pub fn plugged(&self) -> BTreeSet<usize> {
        (0..self.world.ports.len())
            .filter(|n| !self.unplugged.contains(n))
            .collect()
    }

    /// What to take out and to put in, where these are plugged.
    pub fn plugs(&self, now: &BTreeSet<usize>) -> (Vec<usize>, Vec<usize>) {
        let wanted = self.plugged();
        (
            now.difference(&wanted).copied().collect(),
            wanted.difference(now).copied().collect(),
        )
    }
}

fn rule(direction: Direction, family: Family, service: Service, remote: Remote) -> Rule {
    Rule {
        direction,
        family,
        service,
        remote,
    }
}

fn ports(protocol: u8, min: u16, max: u16) -> Service {
    Service::Ports { protocol, min, max }
}

/// The first state; the others are it with something changed.
fn start() -> World {
    let mut world = World {
        networks: 2,
        ..World::default()
    };
    for network in 0..2 {
        for n in 0..6u8 {
            let stays = network == 0 || n < 3;
            if !stays {
                continue;
            }
            world.ports.push(Port {
                network,
                // Equal addresses on both networks.
                mac: Mac([0xfa, 0x16, 0x3e, 0, 0, n]),
                ips: vec![
                    format!("10.0.0.{}", 16 + n).parse().expect("an address"),
                    format!("2001:db8::{:x}", 0x100 + u16::from(n))
                        .parse()
                        .expect("an address"),
                ],
                pairs: Vec::new(),
                security: n != 1,
                owner: if n == 0 {
                    "network:router_interface"
                } else {
                    "compute:nova"
                },
                groups: match n {
                    0 | 1 => vec![],
                    4 => vec![BASE, WEB],
                    _ => vec![BASE, MEMBERS],
                },
            });
        }
    }
    let both = |make: &dyn Fn(Family) -> Rule| Family::BOTH.map(make).to_vec();
    let base = [
        both(&|family| rule(Direction::Egress, family, Service::Any, Remote::Any)),
        both(&|family| {
            rule(
                Direction::Ingress,
                family,
                ports(UDP, OPEN_PORT, OPEN_PORT),
                Remote::Any,
            )
        }),
    ];
    let members = both(&|family| {
        rule(
            Direction::Ingress,
            family,
            ports(TCP, MEMBERS_PORT, MEMBERS_PORT),
            Remote::Group(MEMBERS),
        )
    });
    let web = both(&|family| rule(Direction::Ingress, family, ports(TCP, 80, 89), Remote::Any));
    for rules in [base.concat(), members, web] {
        world.groups.push(Group {
            stateful: true,
            rules,
        });
    }
    world.address_groups = vec![vec!["10.7.0.0/16".parse().expect("a prefix")]];
    world
}

/// All.
pub fn all() -> Vec<State> {
    let mut states = Vec::new();
    let mut add = |unplugged: &[usize], change: &dyn Fn(&mut World)| {
        let mut world = start();
        change(&mut world);
        states.push(State {
            world,
            unplugged: unplugged.iter().copied().collect(),
        });
    };
    let [a, b] = CHANGE;
    add(&[], &|_| {});
    add(&[], &|w| {
        // Groups swapped, rules added.
        w.ports[a].groups = vec![BASE, MEMBERS];
        w.ports[b].groups = vec![BASE, WEB];
        w.groups[WEB].rules.push(rule(
            Direction::Ingress,
            Family::V4,
            ports(UDP, 1000, 1999),
            Remote::Addresses(0),
        ));
    });
    add(&[a], &|w| w.ports[b].groups = vec![BASE]);
    add(&[b], &|w| {
        w.groups[WEB].rules.clear();
        w.groups[WEB].rules.push(rule(
            Direction::Ingress,
            Family::V6,
            Service::Icmp {
                kind: 128,
                code: None,
            },
            Remote::Any,
        ));
    });
    add(&[a, b], &|w| {
        w.address_groups[0] = vec!["10.8.0.0/24".parse().expect("a prefix")]
    });
    add(&[], &|w| {
        // A group of its own, a pair, other rules in the group that all share.
        w.ports[a].groups = vec![WEB];
        w.ports[a].pairs = vec![Pair {
            prefix: "10.0.9.0/24".parse().expect("a prefix"),
            mac: None,
        }];
        w.groups[WEB].rules.push(rule(
            Direction::Ingress,
            Family::V4,
            ports(UDP, OPEN_PORT, OPEN_PORT),
            Remote::Any,
        ));
        w.groups[BASE].rules.push(rule(
            Direction::Ingress,
            Family::V4,
            ports(TCP, 8000, 8100),
            Remote::Group(WEB),
        ));
    });
    add(&[], &|w| {
        w.ports[b].groups = vec![];
        w.groups[MEMBERS]
            .rules
            .retain(|rule| rule.family == Family::V6);
    });
    add(&[], &|w| {
        // Nothing holds it.
        w.ports[b].security = false;
        w.ports[b].groups = vec![];
        w.groups[WEB].rules.push(rule(
            Direction::Ingress,
            Family::V4,
            ports(UDP, 1000, 1999),
            Remote::Prefix("10.7.0.0/16".parse().expect("a prefix")),
        ));
    });
    add(&[], &|w| {
        // The prefix is narrower; a connection of that port is not followed; a pair with a MAC of its own.
        w.ports[a].groups = vec![WEB];
        w.groups[WEB].stateful = false;
        w.groups[WEB].rules.push(rule(
            Direction::Ingress,
            Family::V4,
            ports(UDP, 1000, 1999),
            Remote::Prefix("10.7.1.0/24".parse().expect("a prefix")),
        ));
        w.ports[b].pairs = vec![Pair {
            prefix: "10.0.9.7/32".parse().expect("a prefix"),
            mac: Some(Mac([0xfa, 0x16, 0x3e, 0, 0, 0x77])),
        }];
    });
    states
}

/// A kind of change, and whether it is part of the way from one state to another.
type Kind = (&'static str, fn(&State, &State) -> bool);

/// What may be under way when the agent is killed.
pub const KINDS: &[Kind] = &[
    ("a member joins or leaves", |old, new| {
        (0..old.world.groups.len()).any(|group| {
            let members = |state: &State| -> BTreeSet<String> {
                let ports = state.world.ports.iter();
                let ports = ports.filter(|port| port.groups.contains(&group));
                ports
                    .flat_map(Port::sources)
                    .map(|s| format!("{s:?}"))
                    .collect()
            };
            members(old) != members(new)
        })
    }),
    ("a rule comes or goes", |old, new| {
        let mut groups = old.world.groups.iter().zip(&new.world.groups);
        groups.any(|(old, new)| old.rules != new.rules)
    }),
    (
        "a group's rules are no longer followed, or are again",
        |old, new| {
            let mut groups = old.world.groups.iter().zip(&new.world.groups);
            groups.any(|(old, new)| old.stateful != new.stateful)
        },
    ),
    ("an address group changes", |old, new| {
        old.world.address_groups != new.world.address_groups
    }),
    ("a port changes its groups", |old, new| {
        changes(old, new, |port| port.groups.clone())
    }),
    ("a port is let go or held", |old, new| {
        changes(old, new, |port| port.security)
    }),
    ("address pairs of a port change", |old, new| {
        changes(old, new, |port| port.pairs.clone())
    }),
    ("a port is plugged", |old, new| {
        !new.plugs(&old.plugged()).1.is_empty()
    }),
    ("a port is unplugged", |old, new| {
        !new.plugs(&old.plugged()).0.is_empty()
    }),
];

fn changes<T: PartialEq>(old: &State, new: &State, of: impl Fn(&Port) -> T) -> bool {
    let mut ports = old.world.ports.iter().zip(&new.world.ports);
    ports.any(|(old, new)| of(old) != of(new))
}
