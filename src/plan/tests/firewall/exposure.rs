//! At no moment is a filtered port reached past its rules, whatever happens.
//!
//! Looked at after every step and after every single modification of a flow, against what `ovs-vswitchd` has applied
//! and not what the database says. Everything that [`Step`] and [`GroupStep`] know may happen, and two things more:
//! `ovs-vswitchd` takes its time over the database, and the agent dies with batches half carried out. What is taken
//! for granted: ports stay filtered; a port that is unplugged is gone from the switch before the agent hears of it; and
//! a tag that somebody else wrote is theirs to answer for, until vifd's own is in force.

use ofproto::matching::FieldId;
use proptest::prelude::*;

use super::super::property::{Step, check};
use super::super::world::*;
use super::property::{GroupStep, group_step, play_one};
use super::{group, port_in};
use crate::model::*;
use crate::ops::flow::FlowKey;
use crate::plan::Planner;
use crate::plan::firewall::openflow::Profile;
use crate::plan::flows::{Flow, act};
use crate::plan::tables::int;

/// What is looked at.
#[derive(Clone, Debug)]
enum Moment {
    Step(GroupStep),
    /// `ovs-vswitchd` looks at the database.
    Apply,
    /// The agent dies; so much of what was under way got through.
    Kill(usize),
}

fn moment() -> impl Strategy<Value = Moment> {
    prop_oneof![
        20 => group_step().prop_map(|step| Moment::Step(filtered(step))),
        5 => Just(Moment::Apply),
        1 => any::<usize>().prop_map(Moment::Kill),
    ]
}

/// The same step with ports that stay filtered.
fn filtered(step: GroupStep) -> GroupStep {
    match step {
        GroupStep::Base(Step::Port { n, net, up, .. }) => GroupStep::Base(Step::Port {
            n,
            net,
            up,
            security: true,
        }),
        GroupStep::PortIn {
            n,
            net,
            groups,
            pair,
            ..
        } => GroupStep::PortIn {
            n,
            net,
            groups,
            pair,
            filtered: true,
        },
        step => step,
    }
}

/// Four wired ports on two networks of the host alone, in a group without rules.
fn wired() -> (World, Planner) {
    let mut world = World::with_flow_firewall();
    let mut planner = world.start_agent();
    world.wish(&mut planner, Delta::Group(group(1, &[])));
    for n in 0..2 {
        world.wish(&mut planner, Delta::Network(network(n, NetworkType::Local)));
    }
    for n in 0..4 {
        world.wish(&mut planner, Delta::Port(port_in(n, n % 2, &[1])));
        world.plug(&mut planner, &format!("tap{n}"), port_id(n), mac(n));
    }
    world.quiesce(&mut planner);
    assert_eq!(world.in_force.values().filter(|port| port.wired).count(), 4);
    assert_eq!(exposed(&world), None);
    world.lazy = true;
    world.watch = Some(exposed);
    (world, planner)
}

/// The hardware address of a port of the tests.
fn mac_of(id: PortId) -> Mac {
    (0..8)
        .find(|n| port_id(*n) == id)
        .map(mac)
        .expect("a port of the tests")
}

/// The first VIF on a network that could be reached past its rules, or that sends past its own: packets enter the
/// bridge, and the switch floods to it, or nothing leads packets for its address to its rules. Or that finds in its
/// conntrack zone the connections of another network.
fn exposed(world: &World) -> Option<String> {
    let flows = world.flows.get("br-int")?;
    let opens = |key: &FlowKey| key.table == int::LOCAL_SWITCHING && key.priority > 0;
    flows.keys().find(|key| opens(key))?;
    for (name, port) in &world.in_force {
        let (true, Some(tag), Some(id)) = (port.wired, port.tag, port.iface_id) else {
            continue;
        };
        let others = |of: &&NetworkId| Some(**of) != port.network;
        if let Some(other) = world.zones.get(&tag).and_then(|of| of.iter().find(others)) {
            return Some(format!(
                "{name} on {tag} meets connections of network {other}"
            ));
        }
        let mac = mac_of(id);
        let number = u32::from(port.ofport.number());
        let missing = |key: FlowKey| (!flows.contains_key(&key)).then_some(key);
        let needed = [
            Flow::new(int::ACCEPT_OR_INGRESS, 100)
                .with(FieldId::REG6, u32::from(tag))
                .destination(mac)
                .key,
            Flow::new(int::TRANSIENT, 90).vlan(tag).destination(mac).key,
            FlowKey::no_flood(port.ofport.number()),
        ];
        let enters = Flow::new(int::LOCAL_SWITCHING, 9)
            .in_port(port.ofport)
            .untagged();
        let held = Flow::new(int::TRANSIENT, 100).in_port(port.ofport);
        let unheld = flows
            .contains_key(&enters.key)
            .then(|| missing(held.key))
            .flatten();
        if let Some(key) = needed.into_iter().find_map(missing).or(unheld) {
            return Some(format!("{name} ({number}) on {tag} lacks {key:?}"));
        }
        let judges = |key: &FlowKey| {
            key.table == int::BASE_INGRESS
                && key.matching.exact(FieldId::REG5) == Some(number.into())
        };
        if !flows.keys().any(judges) {
            return Some(format!("{name} ({number}) on {tag} is judged by no rules"));
        }
    }
    None
}

fn happens(world: &mut World, planner: &mut Planner, moment: Moment) {
    match moment {
        Moment::Step(step) => play_one(world, planner, step),
        Moment::Apply => world.apply(planner),
        Moment::Kill(at) => world.kill_agent(planner, at),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: testbed::cases(256), max_shrink_iters: 4000, ..ProptestConfig::default() })]

    #[test]
    fn no_filtered_port_is_ever_reached_past_its_rules(
        moments in prop::collection::vec(moment(), 1..120)
    ) {
        let (mut world, mut planner) = wired();
        for moment in moments {
            happens(&mut world, &mut planner, moment.clone());
            let found = world.found.take().or_else(|| exposed(&world));
            prop_assert!(found.is_none(), "{}; {moment:?}", found.unwrap_or_default());
        }
        world.quiesce(&mut planner);
        let found = world.found.take().or_else(|| exposed(&world));
        prop_assert!(found.is_none(), "at rest: {}", found.unwrap_or_default());
        check(&mut world, &mut planner)?;
    }
}

#[test]
fn a_port_with_two_vifs_moves() {
    let (mut world, mut planner) = wired();
    world.unplug(&mut planner, "tap0");
    world.plug(&mut planner, "tap0", port_id(1), mac(1));
    world.wish(&mut planner, Delta::Port(port_in(1, 0, &[])));
    world.quiesce(&mut planner);
    assert_eq!(world.found, None);
}

/// New rules are on their way to a port when the switch gives it another number.
#[test]
fn a_profile_changes_while_the_switch_gives_new_numbers() {
    for carried_out in 0..4 {
        let (mut world, mut planner) = wired();
        world.wish(&mut planner, Delta::Group(group(2, &[])));
        world.wish(&mut planner, Delta::Port(port_in(0, 0, &[1, 2])));
        for _ in 0..carried_out {
            world.think(&mut planner);
            if !world.pending.is_empty() {
                world.carry_out(&mut planner, 0);
            }
        }
        let before = world.in_force["tap0"].ofport;
        world.restart_vswitchd(&mut planner, true);
        let after = world.in_force["tap0"].ofport;
        assert_ne!(before, after);
        world.wish(&mut planner, Delta::Port(port_in(1, 1, &[2])));
        world.quiesce(&mut planner);
        assert_eq!(world.found, None);
        let profile = Profile::of(&port_in(0, 0, &[1, 2]), planner.desired());
        let high = act::load(FieldId::REG0, (profile.number() >> 32) as u32);
        let mut flows = world.flows["br-int"].iter();
        let judged = flows.any(|(key, body)| {
            key.table == int::BASE_INGRESS
                && key.matching.exact(FieldId::REG5) == Some(u128::from(after.number()))
                && body.actions.contains(&high)
        });
        assert!(judged, "by the new rules, under the new number");
    }
}
