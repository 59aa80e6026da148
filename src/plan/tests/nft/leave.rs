//! Ports that come and go: never without their filter while they can send or be reached.

use super::*;
use crate::plan::flows;
use crate::plan::tables::int;

#[test]
fn a_port_on_the_dead_vlan_may_not_send_before_its_filter_stands() {
    let (mut world, mut planner) = start();
    world.wish(&mut planner, group(1, vec![]));
    plug(&mut world, &mut planner, 1, &[1]);
    let sends = |planner: &Planner, name: &str| {
        let ofport = planner.observed().port(name).map(|port| port.ofport);
        let Some(OfportState::Assigned(ofport)) = ofport else {
            return false;
        };
        let key = flows::Flow::new(int::LOCAL_SWITCHING, 9)
            .in_port(ofport)
            .key;
        planner.wanted_flows("br-int").any(|(k, _, _)| *k == key)
    };
    let name = format!("qvo{}", short(pid(1)));
    let mut n_before = 0;
    for _ in 0..100 {
        world.think(&mut planner);
        if !has_vif(&world, 1) {
            n_before += 1;
            assert!(!sends(&planner, &name));
        }
        let Some(at) = (0..world.pending.len()).max_by_key(|at| items(&world.pending[*at]) == 0)
        else {
            break;
        };
        world.carry_out(&mut planner, at);
    }
    assert!(n_before > 0, "it is filtered at once");
    assert!(has_vif(&world, 1) && sends(&planner, &name));
}

fn has_vif(world: &World, n: u128) -> bool {
    let tap = layout::device(&format!("tap{}", short(pid(n))));
    world.nft.contains_key(&NftKey::Element(SetId::Vif, tap))
}

/// Carries everything out but rows.
fn all_but_rows(world: &mut World, planner: &mut Planner) {
    loop {
        world.think(planner);
        let is_other = |b: &Batch| !matches!(b.items, Items::Rows(_));
        let Some(at) = world.pending.iter().position(is_other) else {
            return;
        };
        world.carry_out(planner, at);
    }
}

#[test]
fn a_port_is_filtered_until_the_switch_has_let_go_of_it() {
    let (mut world, mut planner) = start();
    world.wish(&mut planner, group(1, vec![]));
    let name = format!("qvo{}", short(pid(1)));
    for unplugged in [false, true] {
        plug(&mut world, &mut planner, 1, &[1]);
        world.quiesce(&mut planner);
        assert!(has_vif(&world, 1));
        if unplugged {
            world.unplug(&mut planner, &name);
        }
        world.wish(&mut planner, Delta::PortGone(pid(1)));
        all_but_rows(&mut world, &mut planner);
        assert!(has_vif(&world, 1), "the switch has not followed yet");
        assert_eq!(planner.audit(), []);
        // The first attempt fails.
        world.fail(&mut planner, 0, 1);
        all_but_rows(&mut world, &mut planner);
        assert!(has_vif(&world, 1), "nor after a refusal");
        world.quiesce(&mut planner);
        assert!(!has_vif(&world, 1), "it has");
        world.unplug(&mut planner, &name);
        world.quiesce(&mut planner);
    }
}

#[test]
fn a_port_is_filtered_while_it_is_not_plugged() {
    let (mut world, mut planner) = start();
    world.wish(&mut planner, group(1, vec![]));
    world.wish(&mut planner, Delta::Port(vm(1, &[1])));
    world.quiesce(&mut planner);
    assert!(has_vif(&world, 1), "before it is for the first time");
    plug(&mut world, &mut planner, 1, &[1]);
    world.quiesce(&mut planner);
    let stats = planner.stats().nft_items;
    world.unplug(&mut planner, &format!("qvo{}", short(pid(1))));
    world.quiesce(&mut planner);
    assert!(has_vif(&world, 1), "and when it is no longer");
    assert_eq!(
        planner.stats().nft_items,
        stats,
        "nothing is written for that"
    );
}

#[test]
fn what_comes_back_before_the_switch_has_let_go_of_it_is_never_without_a_filter() {
    let (mut world, mut planner) = start();
    world.wish(&mut planner, group(1, vec![]));
    plug(&mut world, &mut planner, 1, &[1]);
    world.quiesce(&mut planner);
    let zone = planner.filter().numbers.zone(pid(1));
    world.unplug(&mut planner, &format!("qvo{}", short(pid(1))));
    all_but_rows(&mut world, &mut planner);
    plug(&mut world, &mut planner, 1, &[1]);
    for _ in 0..50 {
        world.think(&mut planner);
        assert!(has_vif(&world, 1));
        if world.pending.is_empty() {
            break;
        }
        world.carry_out(&mut planner, 0);
    }
    world.quiesce(&mut planner);
    assert!(has_vif(&world, 1));
    assert_eq!(planner.filter().numbers.zone(pid(1)), zone);
}

#[test]
fn what_an_earlier_agent_left_goes_when_the_switch_has_followed() {
    let (mut world, mut planner) = start();
    world.wish(&mut planner, group(1, vec![]));
    plug(&mut world, &mut planner, 1, &[1]);
    world.quiesce(&mut planner);
    // It is unplugged and deleted while no agent runs.
    world.wish(&mut planner, Delta::PortGone(pid(1)));
    world.ports.remove(&*format!("qvo{}", short(pid(1))));
    let mut planner = world.start_agent();
    all_but_rows(&mut world, &mut planner);
    assert!(has_vif(&world, 1));
    let lets_through = |world: &World| {
        let elements = world.nft.keys().filter(|key| match key {
            NftKey::Element(set, _) => [SetId::Pass, SetId::Profiles].contains(set),
            NftKey::Table(_) => false,
        });
        elements.count()
    };
    assert_eq!(lets_through(&world), 0);
    world.quiesce(&mut planner);
    assert!(!has_vif(&world, 1));
}
