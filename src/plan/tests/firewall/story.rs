//! Groups in flows as stories, batch by batch.

use std::sync::Arc;

use ofproto::action::Action;
use ofproto::matching::FieldId;

use super::super::world::*;
use super::{group, group_id, member, port_in, rule, tcp};
use crate::model::*;
use crate::ops::{Batch, ExecEvent, FlowItem, Items, Outcome, Target};
use crate::plan::cell::{CellId, Facet, Key};
use crate::plan::explain::StepState;
use crate::plan::flows::text;
use crate::plan::tables::int;
use crate::plan::{Note, Planner};

fn flows(batch: &Batch) -> &[FlowItem] {
    match &batch.items {
        Items::Flows(items) if batch.target == Target::Flows("br-int".into()) => items,
        _ => &[],
    }
}

fn lines(items: &[FlowItem]) -> Vec<String> {
    let line = |item: &FlowItem| item.body.as_ref().map(|body| text(&item.key, body));
    items.iter().filter_map(line).collect()
}

/// One network, group 1 that lets TCP 80 in, and port 1 in it.
fn one_port() -> (World, Planner) {
    let mut world = World::with_flow_firewall();
    let mut planner = world.start_agent();
    let rules = [rule(1, Direction::Ingress, tcp(80, 80), Remote::Any)];
    world.wish(&mut planner, Delta::Group(group(1, &rules)));
    world.wish(&mut planner, Delta::Network(vxlan(1, 100)));
    world.wish(&mut planner, Delta::Port(port_in(1, 1, &[1])));
    world.quiesce(&mut planner);
    (world, planner)
}

fn tag(world: &World, name: &str) -> Option<u16> {
    world.ports[name].tag
}

#[test]
fn rules_then_guard_then_tag() {
    let (mut world, mut planner) = one_port();
    world.plug(&mut planner, "tap1", port_id(1), mac(1));
    let mut guarded = None;
    let mut judged = None;
    for round in 0..40 {
        world.think(&mut planner);
        if world.pending.is_empty() {
            break;
        }
        let has = |table, priority| {
            let mut items = flows(&world.pending[0]).iter();
            items.any(|item| (item.key.table, item.key.priority) == (table, priority))
        };
        if has(int::RULES_INGRESS, 77) {
            judged = judged.or(Some(round));
        }
        if has(int::TRANSIENT, 100) {
            guarded = guarded.or(Some(round));
            assert_ne!(tag(&world, "tap1"), Some(1), "no tag before the guard");
        }
        world.carry_out(&mut planner, 0);
    }
    assert!(
        judged.is_some() && judged < guarded,
        "{judged:?} {guarded:?}"
    );
    assert_eq!(tag(&world, "tap1"), Some(1));
}

#[test]
fn groups_change_by_the_port_when_the_new_rules_stand() {
    let (mut world, mut planner) = one_port();
    world.plug(&mut planner, "tap1", port_id(1), mac(1));
    world.quiesce(&mut planner);
    let rules = [rule(2, Direction::Ingress, tcp(443, 443), Remote::Any)];
    world.wish(&mut planner, Delta::Group(group(2, &rules)));
    world.wish(&mut planner, Delta::Port(port_in(1, 1, &[1, 2])));
    world.think(&mut planner);
    let new = lines(flows(&world.pending[0]));
    assert!(
        new.iter().all(|line| line.contains("reg0=")),
        "rules alone: {new:?}"
    );
    assert!(
        world
            .pending
            .iter()
            .all(|b| flows(b).iter().all(|i| i.body.is_some()))
    );
    world.carry_out(&mut planner, 0);
    world.think(&mut planner);
    let switched = lines(flows(&world.pending[0]));
    assert!(
        switched.iter().all(|line| line.contains("REG0")),
        "loads alone: {switched:?}"
    );
    assert_eq!(switched.len(), 4, "out, and in by family and state");
    world.carry_out(&mut planner, 0);
    world.think(&mut planner);
    assert!(
        flows(&world.pending[0])
            .iter()
            .all(|item| item.body.is_none()),
        "then the old rules go"
    );
    world.quiesce(&mut planner);
}

#[test]
fn a_refused_rule_keeps_its_own_ports_dead() {
    let (mut world, mut planner) = one_port();
    world.wish(&mut planner, Delta::Group(group(2, &[])));
    world.wish(&mut planner, Delta::Port(port_in(2, 1, &[2])));
    world.plug(&mut planner, "tap1", port_id(1), mac(1));
    world.plug(&mut planner, "tap2", port_id(2), mac(2));
    for _ in 0..60 {
        world.think(&mut planner);
        let Some(batch) = world.pending.first().cloned() else {
            break;
        };
        let bad = flows(&batch).iter().position(|item| {
            let line = item.body.as_ref().map(|body| text(&item.key, body));
            line.is_some_and(|line| line.contains("tp_dst=80"))
        });
        let Some(bad) = bad else {
            world.carry_out(&mut planner, 0);
            continue;
        };
        // The rest of it stands.
        let refused = vec![(bad, Arc::from("OFPFMFC_TABLE_FULL"))];
        let mut batch = world.pending.remove(0);
        let (target, id) = (batch.target.clone(), batch.id);
        if let Items::Flows(items) = &mut batch.items {
            items.remove(bad);
        }
        world.pending.insert(0, batch);
        let mut quiet = planner.clone();
        world.carry_out(&mut quiet, 0);
        planner.event(
            crate::ops::ExecEvent::Finished {
                target,
                id,
                outcome: Outcome::Done {
                    refused,
                    next_cfg: None,
                },
            },
            world.now(),
        );
    }
    assert_eq!(tag(&world, "tap1"), Some(LocalVlan::DEAD));
    assert_eq!(tag(&world, "tap2"), Some(1));
    let story = planner.explain(port_id(1));
    let step = story.steps.iter().find(|s| s.name == "security groups");
    assert_eq!(step.map(|s| s.state), Some(StepState::Failed), "{story:?}");
}

#[test]
fn a_missing_group_is_told_and_the_others_hold() {
    let (mut world, mut planner) = one_port();
    world.wish(&mut planner, Delta::Port(port_in(1, 1, &[1, 3])));
    world.plug(&mut planner, "tap1", port_id(1), mac(1));
    world.quiesce(&mut planner);
    assert_eq!(tag(&world, "tap1"), Some(1));
    let cell = CellId::new(Key::Group(group_id(3)), Facet::Group);
    let about = |notes: Vec<Note>| notes.into_iter().rfind(|note| note.cell == cell);
    let note = about(planner.take_notes()).expect("a note");
    assert!(
        note.need
            .is_some_and(|need| need.to_string().contains("not known"))
    );
    world.wish(&mut planner, Delta::Group(group(3, &[])));
    world.quiesce(&mut planner);
    let note = about(planner.take_notes()).expect("a note");
    assert_eq!(note.need, None, "it came");
}

#[test]
fn a_zone_is_emptied_before_its_number_stands_for_another_segment() {
    let (mut world, mut planner) = one_port();
    world.plug(&mut planner, "tap1", port_id(1), mac(1));
    world.quiesce(&mut planner);
    world.wish(&mut planner, Delta::Network(vxlan(2, 200)));
    world.wish(&mut planner, Delta::Port(port_in(1, 2, &[1])));
    let mut emptied = None;
    let mut left = None;
    for round in 0..60 {
        world.think(&mut planner);
        let Some(batch) = world.pending.first() else {
            break;
        };
        if flows(batch).iter().any(|item| item.zone == Some(1)) {
            assert_eq!(emptied, None, "once");
            emptied = Some(round);
            let still: Vec<String> = world.flows["br-int"]
                .iter()
                .filter(|(key, _)| key.table == int::TRANSIENT && key.priority > 1)
                .map(|(key, body)| text(key, body))
                .filter(|line| line.contains("load:0x1->NXM_NX_REG6[]"))
                .collect();
            assert!(
                still.is_empty(),
                "nothing puts connections there: {still:?}"
            );
        }
        if tag(&world, "tap1") == Some(LocalVlan::DEAD) {
            left = left.or(Some(round));
        }
        world.carry_out(&mut planner, 0);
    }
    assert!(left.is_some() && left < emptied, "{left:?} {emptied:?}");
    assert_eq!(tag(&world, "tap1"), Some(2));
}

/// Carries everything out; before which batch a zone was emptied by a flow that comes, and whether a VIF had a tag then.
fn emptied_before_use(world: &mut World, planner: &mut Planner, name: &str) -> Vec<(u16, bool)> {
    let mut emptied = Vec::new();
    for _ in 0..60 {
        world.think(planner);
        let Some(batch) = world.pending.first() else {
            break;
        };
        let comes = flows(batch).iter().filter(|item| item.body.is_some());
        let zones: Vec<u16> = comes.filter_map(|item| item.zone).collect();
        let tag = world.ports.get(name).and_then(|port| port.tag);
        let wired = tag.is_some_and(|tag| tag != LocalVlan::DEAD);
        emptied.extend(zones.into_iter().map(|zone| (zone, wired)));
        world.carry_out(planner, 0);
    }
    emptied
}

#[test]
fn a_zone_that_is_given_anew_after_a_restart_is_emptied_before_its_first_use() {
    let (mut world, mut planner) = one_port();
    world.plug(&mut planner, "tap1", port_id(1), mac(1));
    let emptied = emptied_before_use(&mut world, &mut planner, "tap1");
    assert_eq!(emptied, [(1, false)], "an earlier agent may have used it");
    assert_eq!(tag(&world, "tap1"), Some(1));
    // The same segment goes on after a restart, and after one of the switch.
    let mut planner = world.start_agent();
    assert_eq!(emptied_before_use(&mut world, &mut planner, "tap1"), []);
    world.restart_vswitchd(&mut planner, false);
    assert_eq!(emptied_before_use(&mut world, &mut planner, "tap1"), []);
    // The agent is away while the port goes and the zone's flow stays; its number goes to another segment.
    world.wish(&mut planner, Delta::PortGone(port_id(1)));
    world.unplug(&mut planner, "tap1");
    world.wish(&mut planner, Delta::Network(vxlan(2, 200)));
    world.wish(&mut planner, Delta::Port(port_in(2, 2, &[1])));
    let mut planner = world.start_agent();
    world.plug(&mut planner, "tap2", port_id(2), mac(2));
    let emptied = emptied_before_use(&mut world, &mut planner, "tap2");
    assert_eq!(emptied, [(1, false)]);
    assert_eq!(tag(&world, "tap2"), Some(1));
}

#[test]
fn a_zone_that_could_not_be_emptied_is_not_used() {
    let (mut world, mut planner) = one_port();
    world.plug(&mut planner, "tap1", port_id(1), mac(1));
    for _ in 0..60 {
        world.think(&mut planner);
        let Some(batch) = world.pending.first() else {
            break;
        };
        match flows(batch).iter().position(|item| item.zone.is_some()) {
            Some(bad) => world.fail(&mut planner, 0, u8::try_from(bad).expect("a small batch")),
            None => world.carry_out(&mut planner, 0),
        }
    }
    assert_eq!(tag(&world, "tap1"), Some(LocalVlan::DEAD));
    world.quiesce(&mut planner);
    assert_eq!(tag(&world, "tap1"), Some(1), "the next time it could");
}

#[test]
fn after_a_restart_of_the_switch_packets_enter_last() {
    let (mut world, mut planner) = one_port();
    world.plug(&mut planner, "tap1", port_id(1), mac(1));
    world.quiesce(&mut planner);
    world.restart_vswitchd(&mut planner, false);
    world.think(&mut planner);
    let enters = |item: &FlowItem| item.key.table == int::LOCAL_SWITCHING;
    let mut batches = Vec::new();
    while batches.len() < 2 {
        // The physical bridges go first.
        let batch = world.pending.first().expect("two batches of flows");
        let items = flows(batch);
        if !items.is_empty() {
            batches.push((
                items.len(),
                items.iter().filter(|item| enters(item)).count(),
            ));
        }
        world.carry_out(&mut planner, 0);
        world.think(&mut planner);
    }
    let [(all, none), (entries, some)] = batches[..] else {
        panic!("{batches:?}")
    };
    assert!(all > 50 && none == 0, "what they lead to, and acknowledged");
    assert!(entries > 0 && some == entries, "then entries alone");
}

#[test]
fn after_a_restart_of_the_switch_packets_enter_when_a_port_without_its_guard_is_dead() {
    let (mut world, mut planner) = one_port();
    for n in 1..=2 {
        world.wish(&mut planner, Delta::Port(port_in(n, 1, &[1])));
        world.plug(&mut planner, &format!("tap{n}"), port_id(n), mac(n));
    }
    world.quiesce(&mut planner);
    let OfportState::Assigned(number) = world.ports["tap2"].ofport else {
        panic!("no number")
    };
    world.restart_vswitchd(&mut planner, false);
    let enters = |world: &World| {
        let mut keys = world.flows["br-int"].keys();
        keys.any(|key| key.table == int::LOCAL_SWITCHING && key.priority > 0)
    };
    for _ in 0..60 {
        world.think(&mut planner);
        let Some(batch) = world.pending.first() else {
            break;
        };
        let no_flood = |item: &FlowItem| item.key.is_no_flood() == Some(number.number());
        match flows(batch).iter().position(no_flood) {
            Some(bad) => world.fail(&mut planner, 0, u8::try_from(bad).expect("a small batch")),
            None => world.carry_out(&mut planner, 0),
        }
        assert!(!enters(&world) || tag(&world, "tap2") == Some(LocalVlan::DEAD));
    }
    assert!(enters(&world));
    assert_eq!(tag(&world, "tap1"), Some(1));
}

#[test]
fn a_vif_without_a_device_does_not_keep_others_from_the_network() {
    let (mut world, mut planner) = one_port();
    world.wish(&mut planner, Delta::Port(port_in(2, 1, &[1])));
    for n in 1..=2 {
        world.plug(&mut planner, &format!("tap{n}"), port_id(n), mac(n));
    }
    world.quiesce(&mut planner);
    // The host starts anew, and nobody has made the device yet.
    let tap2 = world.ports.get_mut("tap2").expect("a VIF");
    tap2.ofport = OfportState::Failed;
    let fact = Fact::Port(tap2.clone());
    planner.fact(fact, world.now());
    world.restart_vswitchd(&mut planner, false);
    world.quiesce(&mut planner);
    let mut keys = world.flows["br-int"].keys();
    assert!(keys.any(|key| key.table == int::LOCAL_SWITCHING && key.priority == 9));
}

#[test]
fn an_address_of_two_ports_leads_to_both() {
    let (mut world, mut planner) = one_port();
    let pair = AddressPair {
        mac: Some(mac(77)),
        prefix: "10.0.0.77/32".parse().unwrap(),
    };
    for n in 1..=2 {
        let mut port = port_in(n, 1, &[1]);
        port.allowed_pairs = vec![pair];
        world.wish(&mut planner, Delta::Port(port));
        world.plug(&mut planner, &format!("tap{n}"), port_id(n), mac(n));
    }
    world.quiesce(&mut planner);
    assert!(!planner.has_conflicts());
    let shared = world.flows["br-int"].iter().find(|(key, body)| {
        key.table == int::ACCEPT_OR_INGRESS && text(key, body).contains(&mac(77).to_string())
    });
    let (_, body) = shared.expect("a station");
    let resubmits = body.actions.iter();
    let resubmits = resubmits.filter(|a| matches!(a, Action::ResubmitTable { .. }));
    assert_eq!(resubmits.count(), 2);
}

#[test]
fn an_address_in_two_sets_is_one_flow() {
    let (mut world, mut planner) = one_port();
    let rules: Vec<Rule> = (2..=3)
        .map(|set| {
            let remote = Remote::Set(group_id(set).into());
            rule(set, Direction::Ingress, tcp(80, 80), remote)
        })
        .collect();
    world.wish(&mut planner, Delta::Group(group(1, &rules)));
    world.wish(&mut planner, member(2, 5, &["10.5.0.1/32"]));
    world.wish(&mut planner, member(3, 6, &["10.5.0.1/32"]));
    world.plug(&mut planner, "tap1", port_id(1), mac(1));
    world.quiesce(&mut planner);
    assert!(!planner.has_conflicts());
    let about = |world: &World| -> Vec<usize> {
        let lines = world.flows["br-int"].iter();
        lines
            .filter(|(key, body)| text(key, body).contains("10.5.0.1"))
            .map(|(_, body)| body.actions.iter().count())
            .collect()
    };
    assert_eq!(about(&world), [2, 2], "packets and replies, in both sets");
    world.wish(&mut planner, member(3, 6, &[]));
    world.quiesce(&mut planner);
    assert_eq!(about(&world), [1, 1]);
}

#[test]
fn rules_that_changed_while_the_agent_was_away_take_no_flow_of_the_port_away() {
    for flows_last in [false, true] {
        rules_changed_while_away(flows_last);
    }
}

/// What stands is told before the database of the switch and the control plane, or after them.
fn rules_changed_while_away(flows_last: bool) {
    let (mut world, mut planner) = one_port();
    world.plug(&mut planner, "tap1", port_id(1), mac(1));
    world.quiesce(&mut planner);
    let set = Remote::Set(group_id(9).into());
    let rules = [
        rule(1, Direction::Ingress, tcp(80, 80), Remote::Any),
        rule(2, Direction::Ingress, tcp(443, 443), set),
    ];
    // As the agent that is killed now would have learned.
    world.wish(&mut planner, Delta::Group(group(1, &rules)));
    world.wish(&mut planner, member(9, 5, &["10.5.0.1/32"]));
    let mut planner = if flows_last {
        let mut planner = world.start_agent_without_flows();
        world.tell_source(&mut planner);
        world.think(&mut planner);
        assert!(!planner.is_settled_in(), "what stands is not known");
        world.connect_all(&mut planner);
        planner
    } else {
        world.start_agent()
    };
    let own = |world: &World| {
        let keys = world.flows["br-int"].keys();
        let own = keys.filter(|key| {
            key.matching
                .get(ofproto::matching::FieldId::IN_PORT)
                .is_some()
        });
        own.count()
    };
    let before = own(&world);
    for _ in 0..20 {
        world.think(&mut planner);
        if world.pending.is_empty() {
            break;
        }
        world.carry_out(&mut planner, 0);
        assert_eq!(own(&world), before);
    }
    assert!(planner.is_settled_in());
}

#[test]
fn a_device_that_is_replaced_is_not_flooded_to_again() {
    let (mut world, mut planner) = one_port();
    for n in 1..=40 {
        world.wish(&mut planner, Delta::Port(port_in(n, 1, &[1])));
        world.plug(&mut planner, &format!("tap{n}"), port_id(n), mac(n));
    }
    world.quiesce(&mut planner);
    let stands = world.flows["br-int"].clone();
    let before = planner.stats();
    world.replace_device(&mut planner, "tap7");
    assert_ne!(world.flows["br-int"], stands);
    world.think(&mut planner);
    let [batch] = &world.pending[..] else {
        panic!("{:?}", world.pending)
    };
    let items = flows(batch);
    assert_eq!(items.len(), 1, "{items:?}");
    assert!(items[0].key.is_no_flood().is_some() && items[0].body.is_some());
    assert_eq!(tag(&world, "tap7"), Some(1), "it stays on its network");
    world.quiesce(&mut planner);
    assert_eq!(world.flows["br-int"], stands);
    let rendered = planner.stats().cells_rendered - before.cells_rendered;
    assert!(rendered <= 6, "{rendered} cells");

    // An operator's port is the operator's, whatever becomes of it.
    let floods = |is_unflooded| ExecEvent::Floods {
        bridge: "br-int".into(),
        ports: vec![(999, is_unflooded)],
    };
    for is_unflooded in [true, false] {
        planner.event(floods(is_unflooded), world.now());
        world.think(&mut planner);
        assert_eq!(world.pending, []);
    }
}

/// ICMPv6 leaves without a rule; its answers are told by conntrack, and by nothing where groups are stateless: those ask
/// it for the protocol of later fragments of IPv6 alone.
#[test]
fn stateless_groups_ask_conntrack_for_no_connection() {
    let (mut world, mut planner) = one_port();
    world.plug(&mut planner, "tap1", port_id(1), mac(1));
    let judged = |world: &World| -> Vec<String> {
        let flows = world.flows["br-int"].iter();
        let judged = flows.filter(|(key, _)| key.matching.get(FieldId::REG0).is_some());
        judged.map(|(key, body)| text(key, body)).collect()
    };
    for stateful in [true, false] {
        let rules = [
            rule(1, Direction::Ingress, tcp(80, 80), Remote::Any),
            rule(2, Direction::Egress, Service::Any, Remote::Any),
            rule(
                3,
                Direction::Ingress,
                Service::Protocol(secgroup::protocol::UDP),
                Remote::Prefix("2001:db8::/32".parse().unwrap()),
            ),
        ];
        world.wish(
            &mut planner,
            Delta::Group(SecurityGroup {
                stateful,
                ..group(1, &rules)
            }),
        );
        world.quiesce(&mut planner);
        let flows = judged(&world);
        assert!(!flows.is_empty());
        let asks = flows.iter().filter(|flow| flow.contains("ct_"));
        let of_fragments = asks
            .clone()
            .filter(|flow| flow.contains("ct_nw_proto=17") && flow.contains("nw_frag=later"));
        assert!(of_fragments.count() > 0, "{flows:#?}");
        assert_eq!(asks.count() > 1, stateful, "{flows:#?}");
        let answers = flows
            .iter()
            .filter(|flow| flow.contains("table=82") && flow.contains("ct_nw_proto=58"));
        assert_eq!(answers.count(), usize::from(stateful), "{flows:#?}");
    }
}
