//! An audit finds what the events did not tell, at once and in slices alike.

use super::world::*;
use crate::model::*;
use crate::plan::Planner;
use crate::plan::cell::{CellId, Facet, Key};

fn wired() -> (World, Planner) {
    let mut world = World::new();
    let mut planner = world.start_agent();
    world.wish(&mut planner, Delta::Network(vxlan(1, 100)));
    for n in 1..=5 {
        world.wish(&mut planner, Delta::Port(port(n, 1)));
        world.plug(&mut planner, &format!("tap{n}"), port_id(n), mac(n));
    }
    world.quiesce(&mut planner);
    (world, planner)
}

/// Changes the store behind the planner's back, as a row that is missing from the fan-out table would.
fn hide(planner: &mut Planner, delta: Delta) {
    let changes = planner.desired.apply(delta);
    assert!(!changes.is_empty(), "it changes something");
}

fn in_slices(planner: &mut Planner, budget: usize) -> Vec<CellId> {
    planner.begin_audit();
    let mut found = Vec::new();
    let mut slices = 0;
    while planner.is_auditing() {
        found.extend(planner.audit_slice(budget).different);
        slices += 1;
    }
    assert!(slices > 1, "it was cut");
    found
}

#[test]
fn what_no_event_told_is_found_and_mended() {
    let open = |n| {
        let mut port = port(n, 1);
        port.port_security = false;
        Delta::Port(port)
    };
    for slices in [false, true] {
        let (mut world, mut planner) = wired();
        assert_eq!(planner.audit(), vec![], "nothing is hidden yet");
        hide(&mut planner, open(3));
        let found = match slices {
            false => planner.audit(),
            true => in_slices(&mut planner, 4),
        };
        assert_eq!(found, [CellId::new(Key::Port(port_id(3)), Facet::Guard)]);
        assert_eq!(planner.stats().audit_differences, 1);
        world.quiesce(&mut planner);
        assert_eq!(planner.audit(), vec![], "mended");
        let before = planner.stats();
        world.wish(&mut planner, open(3));
        world.quiesce(&mut planner);
        assert_eq!(
            planner.stats().flows,
            before.flows,
            "told at last: it stands"
        );
        assert_eq!(world.restart_writes(), vec![], "a fresh start agrees");
    }
}

#[test]
fn the_world_may_change_between_slices() {
    let (mut world, mut planner) = wired();
    planner.begin_audit();
    assert_eq!(planner.audit_slice(5).different, vec![]);
    world.wish(&mut planner, Delta::PortGone(port_id(2)));
    world.unplug(&mut planner, "tap4");
    world.wish(&mut planner, Delta::Network(vxlan(2, 200)));
    while planner.is_auditing() {
        assert_eq!(planner.audit_slice(5).different, vec![]);
        world.quiesce(&mut planner);
    }
    assert_eq!(planner.audit(), vec![]);
}
