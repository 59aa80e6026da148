//! Incremental equals full with groups, members and rules.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::property::{Step, check, play, step};
use super::super::world::*;
use super::{group, group_id, member, port_in, rule, tcp};
use crate::model::*;
use crate::plan::Planner;
use crate::plan::cell::Facet;
use crate::plan::firewall::Counts;
use crate::plan::firewall::openflow::Profile;

#[derive(Clone, Debug)]
pub(super) enum GroupStep {
    Base(Step),
    Group {
        n: u128,
        stateful: bool,
        rules: Vec<(u8, u8, u8)>,
    },
    GroupGone {
        n: u128,
    },
    Member {
        set: u128,
        n: u128,
        addresses: Vec<u8>,
    },
    RemoteGone {
        set: u128,
    },
    PortIn {
        n: u128,
        net: u128,
        groups: Vec<u128>,
        pair: u8,
        filtered: bool,
    },
}

pub(super) fn group_step() -> impl Strategy<Value = GroupStep> {
    let rules = prop::collection::vec((0..4u8, 0..6u8, 0..5u8), 0..5);
    let groups = prop::collection::btree_set(0..4u128, 0..3);
    prop_oneof![
        10 => step().prop_map(GroupStep::Base),
        3 => (0..4u128, prop::bool::weighted(0.8), rules)
            .prop_map(|(n, stateful, rules)| GroupStep::Group { n, stateful, rules }),
        1 => (0..4u128).prop_map(|n| GroupStep::GroupGone { n }),
        3 => (0..4u128, 0..5u128, prop::collection::vec(0..6u8, 0..3))
            .prop_map(|(set, n, addresses)| GroupStep::Member { set, n, addresses }),
        1 => (0..4u128).prop_map(|set| GroupStep::RemoteGone { set }),
        4 => (0..8u128, 0..4u128, groups, 0..4u8, prop::bool::weighted(0.8)).prop_map(
            |(n, net, groups, pair, filtered)| GroupStep::PortIn {
                n, net, groups: groups.into_iter().collect(), pair, filtered,
            }
        ),
    ]
}

fn some_rule(n: u128, (ends, service, remote): (u8, u8, u8)) -> Rule {
    let service = match service {
        0 => Service::Any,
        1 => Service::Protocol(6),
        2 => tcp(80, 80),
        3 => tcp(1000, 1999),
        4 => Service::Icmp {
            kind: 0,
            code: Some(0),
        },
        _ => Service::Ports {
            protocol: 136,
            min: 5,
            max: 9,
        },
    };
    let remote = match remote {
        0 => Remote::Any,
        1 => Remote::Prefix("10.0.0.0/24".parse().unwrap()),
        set => Remote::Set(group_id(u128::from(set) - 2).into()),
    };
    let direction = Direction::ALL[usize::from(ends & 1)];
    let mut rule = rule(n, direction, service, remote);
    if ends & 2 != 0 && !matches!(remote, Remote::Prefix(_)) {
        rule.family = Family::V6;
    }
    rule
}

pub(super) fn play_one(world: &mut World, planner: &mut Planner, step: GroupStep) {
    match step {
        GroupStep::Base(step) => play(world, planner, step),
        GroupStep::Group { n, stateful, rules } => {
            let rules: Vec<Rule> = (0..).zip(rules).map(|(at, r)| some_rule(at, r)).collect();
            let group = SecurityGroup {
                stateful,
                ..group(n, &rules)
            };
            world.wish(planner, Delta::Group(group));
        }
        GroupStep::GroupGone { n } => world.wish(planner, Delta::GroupGone(group_id(n))),
        GroupStep::Member { set, n, addresses } => {
            let texts: Vec<&str> = addresses
                .iter()
                .map(|n| {
                    [
                        "10.0.0.1/32",
                        "10.0.0.2/32",
                        "10.0.0.0/24",
                        "0.0.0.0/0",
                        "2001:db8::1/128",
                        "::/0",
                    ][usize::from(*n)]
                })
                .collect::<std::collections::BTreeSet<_>>()
                .into_iter()
                .collect();
            world.wish(planner, member(set, n, &texts));
        }
        GroupStep::RemoteGone { set } => {
            world.wish(planner, Delta::RemoteGone(group_id(set).into()));
        }
        GroupStep::PortIn {
            n,
            net,
            groups,
            pair,
            filtered,
        } => {
            let mut port = port_in(n, net, &groups);
            port.port_security = filtered;
            port.allowed_pairs = match pair {
                0 => vec![],
                1 => vec![AddressPair {
                    mac: Some(mac(99)),
                    prefix: "10.0.0.200/32".parse().unwrap(),
                }],
                2 => vec![AddressPair {
                    mac: None,
                    prefix: "0.0.0.0/0".parse().unwrap(),
                }],
                _ => vec![AddressPair {
                    mac: Some(mac(98)),
                    prefix: "10.9.0.0/16".parse().unwrap(),
                }],
            };
            world.wish(planner, Delta::Port(port));
        }
    }
}

/// The device of this tap is replaced.
#[derive(Clone, Debug)]
struct Replaced(u8);

fn happening() -> impl Strategy<Value = Result<GroupStep, Replaced>> {
    prop_oneof![
        30 => group_step().prop_map(Ok),
        1 => (0..8u8).prop_map(|tap| Err(Replaced(tap))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: testbed::cases(256), max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn incremental_equals_full(steps in prop::collection::vec(happening(), 1..120)) {
        let mut world = World::with_flow_firewall();
        let mut planner = world.start_agent();
        for step in steps {
            match step {
                Ok(step) => play_one(&mut world, &mut planner, step),
                Err(Replaced(tap)) => world.replace_device(&mut planner, &format!("tap{tap}")),
            }
        }
        check(&mut world, &mut planner)?;
        prop_assert_eq!(planner.firewall_counts(), counted(&planner));
        prop_assert_eq!(planner.desired().set_counts(), sets_counted(&planner));
    }
}

/// What the driver keeps, by looking at every port and every flow.
fn counted(planner: &Planner) -> Counts {
    let is_wired = |port: &&Port| port.is_filtered() && planner.attachments.contains_key(&port.id);
    let wired: Vec<&Port> = planner.desired().ports().filter(is_wired).collect();
    let profiles: BTreeSet<Profile> = wired
        .iter()
        .map(|port| Profile::of(port, planner.desired()))
        .collect();
    let numbers = planner
        .wanted_flows("br-int")
        .filter(|(_, cell, _)| cell.facet == Facet::FlowSet);
    Counts {
        ports: wired.len(),
        profiles: profiles.len(),
        // Each is looked up where packets pass and where replies do.
        conjunctions: numbers.count() / 2,
    }
}

/// What rules name, by looking at every group and every set.
fn sets_counted(planner: &Planner) -> SetCounts {
    let desired = planner.desired();
    let named: BTreeSet<RemoteId> = desired.groups().flat_map(SecurityGroup::remotes).collect();
    let is_group = |set: &&RemoteId| matches!(set, RemoteId::Group(_));
    let groups = named.iter().filter(is_group).count();
    SetCounts {
        groups,
        address_groups: named.len() - groups,
        addresses: desired
            .remotes()
            .map(|(_, set)| set.addresses().count())
            .sum(),
    }
}
