//! What one event may cost, by counters: the same at any number of members, ports and rules elsewhere.

use super::super::world::*;
use super::{group, group_id, member, port_in, rule, tcp};
use crate::model::*;
use crate::plan::{Planner, Stats};

/// A host with `n` ports on two networks in a group whose members may reach each other, `n` members of which are
/// elsewhere.
fn host(n: u128) -> (World, Planner) {
    let mut world = World::with_flow_firewall();
    let mut planner = world.start_agent();
    let set = Remote::Set(group_id(1).into());
    let rules: Vec<Rule> = (0..)
        .zip(Direction::ALL)
        .map(|(at, direction)| rule(at, direction, Service::Any, set))
        .chain([rule(7, Direction::Ingress, tcp(22, 22), Remote::Any)])
        .collect();
    world.wish(&mut planner, Delta::Group(group(1, &rules)));
    for net in 1..=2 {
        world.wish(&mut planner, Delta::Network(vxlan(net, 100 + net as u32)));
    }
    for at in 1..=n {
        world.wish(&mut planner, Delta::Port(port_in(at, 1 + at % 2, &[1])));
        let mut fact = None;
        world.plug_quietly(&format!("tap{at}"), port_id(at), mac(at), &mut fact);
        planner.fact(Fact::Port(fact.unwrap()), world.now());
        let prefix = format!("10.7.{}.{}/32", at >> 8, at & 255);
        world.wish(&mut planner, member(1, at, &[&prefix]));
    }
    world.quiesce(&mut planner);
    (world, planner)
}

/// What an event costs until everything is at rest again.
fn cost(
    (world, planner): &mut (World, Planner),
    event: impl Fn(&mut World, &mut Planner),
) -> Stats {
    let before = planner.stats();
    event(world, planner);
    world.quiesce(planner);
    let after = planner.stats();
    assert_eq!(after.conflicts, 0);
    Stats {
        cells_rendered: after.cells_rendered - before.cells_rendered,
        flow_batches: after.flow_batches - before.flow_batches,
        flows: after.flows - before.flows,
        ..Stats::default()
    }
}

fn join(world: &mut World, planner: &mut Planner) {
    world.wish(planner, member(1, 5000, &["10.9.9.9/32"]));
}

fn leave(world: &mut World, planner: &mut Planner) {
    world.wish(planner, member(1, 7, &[]));
}

fn one_more_rule(world: &mut World, planner: &mut Planner) {
    let name = format!("4 {}", group_id(1));
    let Some(Delta::Group(mut group)) = world.deltas.get(&name).cloned() else {
        panic!("no group")
    };
    let rule = rule(8, Direction::Ingress, tcp(80, 80), Remote::Any);
    group.rules.push(rule);
    world.wish(planner, Delta::Group(group));
}

fn plug(world: &mut World, planner: &mut Planner) {
    world.wish(planner, Delta::Port(port_in(9000, 1, &[1])));
    world.plug(planner, "one-more", port_id(9000), mac(9000));
}

#[test]
fn events_cost_the_same_at_any_density() {
    let costs = [100, 2000].map(|n| {
        let mut host = host(n);
        [
            cost(&mut host, join),
            cost(&mut host, leave),
            cost(&mut host, one_more_rule),
            cost(&mut host, plug),
        ]
    });
    for [join, leave, rule, plug] in &costs {
        // Per direction one for packets and one for replies.
        assert_eq!((join.flows, join.flow_batches), (4, 1));
        assert_eq!((leave.flows, leave.flow_batches), (4, 1));
        assert!(join.cells_rendered <= 3 && leave.cells_rendered <= 3);
        // Packets, their first fragments, replies. Later fragments show no port: those of TCP pass already.
        assert_eq!((rule.flows, rule.flow_batches), (3, 1));
        assert!(rule.cells_rendered <= 3, "{rule:?}");
        assert_eq!(plug.flow_batches, 1, "{plug:?}");
        assert!(plug.flows <= 45, "{plug:?}");
        assert!(plug.cells_rendered <= 32, "{plug:?}");
    }
    let [few, many] = costs.map(|[.., plug]| plug);
    // A block of port numbers may begin here and not there.
    assert!(few.flows.abs_diff(many.flows) <= 1, "{few:?} {many:?}");
    assert_eq!(few.cells_rendered, many.cells_rendered);
}
