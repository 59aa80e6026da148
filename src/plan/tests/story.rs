//! Single stories, told step by step.

use super::world::*;
use crate::model::*;
use crate::ops::{ExecEvent, Items, Target};
use crate::plan::explain::StepState;

fn tag(world: &World, name: &str) -> Option<u16> {
    world.ports[name].tag
}

fn status(world: &World, n: u128) -> Option<PortStatus> {
    world.statuses.get(&port_id(n)).map(|(status, _)| *status)
}

#[test]
fn plug_to_active_before_and_after_the_port_is_known() {
    let mut world = World::new();
    let mut planner = world.start_agent();
    world.wish(&mut planner, Delta::Network(vxlan(1, 100)));
    world.wish(&mut planner, Delta::Port(port(1, 1)));
    world.quiesce(&mut planner);
    assert_eq!(
        status(&world, 1),
        None,
        "a port that was never wired is not reported down"
    );
    world.plug(&mut planner, "tap1", port_id(1), mac(1));
    world.quiesce(&mut planner);
    assert_eq!(
        (tag(&world, "tap1"), status(&world, 1)),
        (Some(1), Some(PortStatus::Active))
    );

    world.plug(&mut planner, "tap2", port_id(2), mac(2));
    world.quiesce(&mut planner);
    assert_eq!(
        tag(&world, "tap2"),
        Some(LocalVlan::DEAD),
        "unknown: dead VLAN"
    );
    world.wish(&mut planner, Delta::Port(port(2, 1)));
    world.quiesce(&mut planner);
    assert_eq!(
        (tag(&world, "tap2"), status(&world, 2)),
        (Some(1), Some(PortStatus::Active))
    );
    assert!(
        planner
            .explain(port_id(2))
            .steps
            .iter()
            .all(|s| s.state == StepState::Done),
        "{:?}",
        planner.explain(port_id(2))
    );
    assert_eq!(planner.audit(), vec![]);
    assert_eq!(world.restart_writes(), vec![], "a restart writes nothing");
}

#[test]
fn guards_stand_before_the_tag() {
    let mut world = World::new();
    let mut planner = world.start_agent();
    world.wish(&mut planner, Delta::Network(vxlan(1, 100)));
    world.wish(&mut planner, Delta::Port(port(1, 1)));
    world.quiesce(&mut planner);
    world.plug(&mut planner, "tap1", port_id(1), mac(1));
    world.think(&mut planner);
    let targets: Vec<_> = world.pending.iter().map(|b| b.target.clone()).collect();
    assert!(
        !targets.contains(&Target::Rows),
        "no tag while flows are under way: {targets:?}"
    );
    while let Some(at) = world
        .pending
        .iter()
        .position(|b| matches!(b.target, Target::Flows(_)))
    {
        world.carry_out(&mut planner, at);
        world.think(&mut planner);
    }
    assert!(world.pending.iter().any(|b| b.target == Target::Rows));
}

#[test]
fn a_refused_guard_keeps_only_its_own_port_dead() {
    let mut world = World::new();
    let mut planner = world.start_agent();
    world.wish(&mut planner, Delta::Network(vxlan(1, 100)));
    for n in 1..=2 {
        world.wish(&mut planner, Delta::Port(port(n, 1)));
    }
    world.plug(&mut planner, "tap1", port_id(1), mac(1));
    world.quiesce(&mut planner);
    world.plug(&mut planner, "tap2", port_id(2), mac(2));
    world.think(&mut planner);
    let at = world
        .pending
        .iter()
        .position(|b| b.target == Target::Flows("br-int".into()))
        .unwrap();
    world.fail(&mut planner, at, 0);
    world.think(&mut planner);
    while !world.pending.is_empty() {
        world.carry_out(&mut planner, 0);
        world.think(&mut planner);
    }
    assert_eq!(
        (tag(&world, "tap1"), tag(&world, "tap2")),
        (Some(1), Some(LocalVlan::DEAD))
    );
    assert_eq!(status(&world, 2), Some(PortStatus::Error));
    world.quiesce(&mut planner);
    assert_eq!(
        (tag(&world, "tap2"), status(&world, 2)),
        (Some(1), Some(PortStatus::Active)),
        "tried again"
    );
}

#[test]
fn down_and_up_and_deleted() {
    let mut world = World::new();
    let mut planner = world.start_agent();
    world.wish(&mut planner, Delta::Network(vxlan(1, 100)));
    world.wish(&mut planner, Delta::Port(port(1, 1)));
    world.plug(&mut planner, "tap1", port_id(1), mac(1));
    world.quiesce(&mut planner);
    let mut down = port(1, 1);
    down.admin_up = false;
    world.wish(&mut planner, Delta::Port(down));
    world.quiesce(&mut planner);
    assert_eq!(
        (tag(&world, "tap1"), status(&world, 1)),
        (Some(LocalVlan::DEAD), Some(PortStatus::Down))
    );
    world.wish(&mut planner, Delta::Port(port(1, 1)));
    world.quiesce(&mut planner);
    assert_eq!(
        (tag(&world, "tap1"), status(&world, 1)),
        (Some(1), Some(PortStatus::Active))
    );
    world.wish(&mut planner, Delta::PortGone(port_id(1)));
    world.quiesce(&mut planner);
    assert_eq!(tag(&world, "tap1"), Some(LocalVlan::DEAD));
    assert_eq!(
        planner.vlans().iter().count(),
        0,
        "the local VLAN is given back"
    );
    assert_eq!(planner.vlans().draining().count(), 0);
    world.unplug(&mut planner, "tap1");
    world.quiesce(&mut planner);
    assert_eq!(planner.audit(), vec![]);
}

#[test]
fn nothing_is_removed_before_the_first_complete_snapshot() {
    let mut world = World::new();
    let mut planner = world.start_agent();
    world.wish(&mut planner, Delta::Network(vxlan(1, 100)));
    world.wish(&mut planner, Delta::Port(port(1, 1)));
    world.wish(&mut planner, Delta::Endpoint(endpoint(2)));
    world.plug(&mut planner, "tap1", port_id(1), mac(1));
    world.quiesce(&mut planner);
    let (flows, ports) = (world.flows.clone(), world.ports.clone());

    // Another life, and the control plane does not answer.
    let mut planner = crate::plan::Planner::new(config());
    world.connected.clear();
    world.tell_switch(&mut planner);
    planner.fact(Fact::Address("192.0.2.1".parse().unwrap()), world.now());
    planner.fact(Fact::LinksComplete, world.now());
    world.connect_all(&mut planner);
    world.quiesce(&mut planner);
    assert_eq!((&world.flows, &world.ports), (&flows, &ports));

    // It answers, and knows nothing any more.
    world.deltas.clear();
    world.tell_source(&mut planner);
    world.quiesce(&mut planner);
    assert_eq!(tag(&world, "tap1"), Some(LocalVlan::DEAD));
    assert!(
        !world.ports.contains_key("vxlan-c0000202"),
        "the tunnel port of ours is gone"
    );
    assert!(world.flows["br-int"].len() < flows["br-int"].len());
}

#[test]
fn foreign_ports_and_flows_are_left_alone() {
    let mut world = World::new();
    let mut planner = world.start_agent();
    world.quiesce(&mut planner);
    let foreign = crate::plan::flows::Flow::new(0, 77);
    let body = crate::ops::flow::FlowBody {
        cookie: 0x1234,
        actions: foreign.actions.clone(),
    };
    world
        .flows
        .get_mut("br-int")
        .unwrap()
        .insert(foreign.key.clone(), body);
    let mut theirs = world.ports["patch-tun"].clone();
    theirs.name = "gre-operator".into();
    theirs.bridge = "br-tun".into();
    theirs.owner = Some("hv2".into());
    world.ports.insert("gre-operator".into(), theirs.clone());
    let mut planner = world.start_agent();
    world.quiesce(&mut planner);
    assert!(world.flows["br-int"].contains_key(&foreign.key));
    assert_eq!(world.ports["gre-operator"], theirs);
}

#[test]
fn a_physical_bridge_is_connected_only_after_its_drop_stands() {
    let mut world = World::new();
    let mut planner = world.start_agent();
    world.think(&mut planner);
    let mut connected = false;
    while !world.pending.is_empty() {
        world.carry_out(&mut planner, 0);
        if let Some(phy) = world.ports.get("phy-br-ex")
            && phy.options.get("peer").is_some_and(|p| &**p == "int-br-ex")
        {
            connected = true;
            assert!(world.flows["br-ex"].len() >= 2, "connected before the drop");
        }
        world.think(&mut planner);
    }
    assert!(connected);
    assert_eq!(world.bridges["br-ex"].fail_mode, None, "the operator's");
    assert_eq!(planner.audit(), vec![]);

    world.restart_vswitchd(&mut planner, false);
    world.think(&mut planner);
    while !world.pending.is_empty() {
        world.carry_out(&mut planner, 0);
        if !world.flows["br-int"].is_empty() {
            assert!(
                world.flows["br-ex"].len() >= 2,
                "the integration bridge speaks before the drop stands"
            );
        }
        world.think(&mut planner);
    }
    assert!(!world.flows["br-int"].is_empty());
}

#[test]
fn a_missing_physical_bridge_is_an_error_of_its_ports_only() {
    let mut world = World::new();
    world.bridges.remove("br-ex");
    let mut planner = world.start_agent();
    let vlan = NetworkType::Vlan {
        physical_network: "physnet1".into(),
        vid: 7,
    };
    world.wish(&mut planner, Delta::Network(network(1, vlan)));
    world.wish(&mut planner, Delta::Network(vxlan(2, 100)));
    world.wish(&mut planner, Delta::Port(port(1, 1)));
    world.wish(&mut planner, Delta::Port(port(2, 2)));
    world.plug(&mut planner, "tap1", port_id(1), mac(1));
    world.plug(&mut planner, "tap2", port_id(2), mac(2));
    world.quiesce(&mut planner);
    assert_eq!(
        (status(&world, 1), status(&world, 2)),
        (Some(PortStatus::Error), Some(PortStatus::Active))
    );
    let reason = world.statuses[&port_id(1)].1.clone().unwrap();
    assert!(
        reason.contains("br-ex") && reason.contains("bridge_mappings"),
        "{reason}"
    );
    let failed = |s: &crate::plan::explain::Step| s.state == StepState::Failed;
    assert!(planner.explain(port_id(1)).steps.iter().any(failed));
}

#[test]
fn two_networks_on_one_vlan_do_not_share_a_flow() {
    let mut world = World::new();
    let mut planner = world.start_agent();
    let vlan = NetworkType::Vlan {
        physical_network: "physnet1".into(),
        vid: 7,
    };
    for n in 1..=2 {
        world.wish(&mut planner, Delta::Network(network(n, vlan.clone())));
        world.wish(&mut planner, Delta::Port(port(n, n)));
        world.plug(&mut planner, &format!("tap{n}"), port_id(n), mac(n));
        world.quiesce(&mut planner);
    }
    assert_eq!(
        (status(&world, 1), status(&world, 2)),
        (Some(PortStatus::Active), Some(PortStatus::Error))
    );
    world.wish(&mut planner, Delta::PortGone(port_id(1)));
    world.quiesce(&mut planner);
    assert_eq!(
        status(&world, 2),
        Some(PortStatus::Active),
        "the key is free: its turn"
    );
}

#[test]
fn the_database_may_be_away() {
    let mut world = World::new();
    let mut planner = world.start_agent();
    world.wish(&mut planner, Delta::Network(vxlan(1, 100)));
    world.wish(&mut planner, Delta::Port(port(1, 1)));
    world.quiesce(&mut planner);
    planner.event(ExecEvent::ReportsUp(false), world.now());
    world.plug(&mut planner, "tap1", port_id(1), mac(1));
    world.quiesce(&mut planner);
    assert_eq!(
        (tag(&world, "tap1"), status(&world, 1)),
        (Some(1), None),
        "wired all the same"
    );
    planner.event(ExecEvent::ReportsUp(true), world.now());
    world.quiesce(&mut planner);
    assert_eq!(status(&world, 1), Some(PortStatus::Active));
}

#[test]
fn an_unplugged_vif_is_reported_down() {
    let mut world = World::new();
    let mut planner = world.start_agent();
    world.wish(&mut planner, Delta::Network(vxlan(1, 100)));
    world.wish(&mut planner, Delta::Port(port(1, 1)));
    world.plug(&mut planner, "tap1", port_id(1), mac(1));
    world.quiesce(&mut planner);
    assert_eq!(status(&world, 1), Some(PortStatus::Active));
    world.unplug(&mut planner, "tap1");
    world.quiesce(&mut planner);
    assert_eq!(status(&world, 1), Some(PortStatus::Down));
    world.plug(&mut planner, "tap1", port_id(1), mac(1));
    world.quiesce(&mut planner);
    assert_eq!(status(&world, 1), Some(PortStatus::Active));
}

#[test]
fn two_vifs_with_one_id() {
    let mut world = World::new();
    let mut planner = world.start_agent();
    world.wish(&mut planner, Delta::Network(vxlan(1, 100)));
    world.wish(&mut planner, Delta::Port(port(1, 1)));
    world.plug(&mut planner, "tap1", port_id(1), mac(1));
    world.quiesce(&mut planner);
    for twin in ["tap1b", "tap0"] {
        world.plug(&mut planner, twin, port_id(1), mac(1));
        world.quiesce(&mut planner);
        assert_eq!(
            (tag(&world, "tap1"), tag(&world, twin)),
            (Some(1), Some(LocalVlan::DEAD))
        );
        let told = planner
            .take_notes()
            .iter()
            .any(|n| n.cell.to_string().contains(twin) && n.need.is_some());
        assert!(told, "{twin} is not told of");
        assert!(
            planner
                .explain(port_id(1))
                .steps
                .iter()
                .any(|s| s.detail.contains(twin))
        );
    }
    world.unplug(&mut planner, "tap0");
    world.quiesce(&mut planner);
    world.unplug(&mut planner, "tap1");
    world.quiesce(&mut planner);
    assert_eq!(tag(&world, "tap1b"), Some(1));
    assert_eq!(planner.audit(), vec![]);
}

#[test]
fn reports_are_batched() {
    let mut world = World::new();
    let mut planner = world.start_agent();
    world.wish(&mut planner, Delta::Network(vxlan(1, 100)));
    for n in 1..=50 {
        world.wish(&mut planner, Delta::Port(port(n, 1)));
        world.plug(&mut planner, &format!("tap{n}"), port_id(n), mac(n));
    }
    let before = planner.stats();
    world.think(&mut planner);
    while !world.pending.is_empty() {
        assert!(
            world
                .pending
                .iter()
                .all(|b| !matches!(&b.items, Items::Rows(rows) if rows.is_empty()))
        );
        world.carry_out(&mut planner, 0);
        world.think(&mut planner);
    }
    let after = planner.stats();
    assert_eq!(after.reports - before.reports, 50);
    assert!(after.report_batches - before.report_batches <= 2);
}

#[test]
fn when_local_vlans_run_out_only_the_last_network_waits() {
    let mut world = World::new();
    let mut planner = world.start_agent();
    let last = u128::from(LocalVlan::MAX) + 1;
    for n in 1..=last {
        world.wish(&mut planner, Delta::Network(network(n, NetworkType::Local)));
        world.wish(&mut planner, Delta::Port(port(n, n)));
        let mut told = None;
        world.plug_quietly(&format!("tap{n}"), port_id(n), mac(n), &mut told);
        planner.fact(Fact::Port(told.unwrap()), world.now());
    }
    world.quiesce(&mut planner);
    let active = |world: &World| {
        (1..=last)
            .filter(|n| status(world, *n) == Some(PortStatus::Active))
            .count()
    };
    assert_eq!(active(&world), usize::from(LocalVlan::MAX));
    let waits = (1..=last)
        .find(|n| status(&world, *n) != Some(PortStatus::Active))
        .unwrap();
    assert_eq!(status(&world, waits), Some(PortStatus::Error));
    let reason = world.statuses[&port_id(waits)].1.clone().unwrap();
    assert!(reason.contains("local VLANs"), "{reason}");
    assert_eq!(tag(&world, &format!("tap{waits}")), Some(LocalVlan::DEAD));
    let other = if waits == 1 { 2 } else { 1 };
    world.wish(&mut planner, Delta::PortGone(port_id(other)));
    world.quiesce(&mut planner);
    assert_eq!(
        status(&world, waits),
        Some(PortStatus::Active),
        "a number became free"
    );
}
