//! What one event may cost, by counters: the same at 100 ports and at 10,000.

use super::world::*;
use crate::model::*;
use crate::plan::Stats;

fn one_more_port(n_ports: u128) -> Stats {
    let mut world = World::new();
    let mut planner = world.start_agent();
    world.wish(&mut planner, Delta::Network(vxlan(1, 100)));
    for n in 1..=n_ports {
        world.wish(&mut planner, Delta::Port(port(n, 1)));
        let mut fact = None;
        world.plug_quietly(&format!("tap{n}"), port_id(n), mac(n), &mut fact);
        planner.fact(Fact::Port(fact.unwrap()), world.now());
    }
    world.quiesce(&mut planner);
    let before = planner.stats();
    world.wish(&mut planner, Delta::Port(port(n_ports + 1, 1)));
    world.plug(
        &mut planner,
        "one-more",
        port_id(n_ports + 1),
        mac(n_ports + 1),
    );
    world.quiesce(&mut planner);
    let after = planner.stats();
    assert_eq!(world.statuses[&port_id(n_ports + 1)].0, PortStatus::Active);
    Stats {
        cells_rendered: after.cells_rendered - before.cells_rendered,
        flow_batches: after.flow_batches - before.flow_batches,
        flows: after.flows - before.flows,
        row_batches: after.row_batches - before.row_batches,
        rows: after.rows - before.rows,
        nft_batches: after.nft_batches - before.nft_batches,
        nft_items: after.nft_items - before.nft_items,
        link_batches: after.link_batches - before.link_batches,
        report_batches: after.report_batches - before.report_batches,
        reports: after.reports - before.reports,
        refused: after.refused - before.refused,
        conflicts: after.conflicts - before.conflicts,
        audit_differences: 0,
    }
}

#[test]
fn one_more_port_costs_the_same_at_any_density() {
    let few = one_more_port(100);
    assert_eq!(few, one_more_port(10_000));
    assert_eq!(
        (few.flow_batches, few.row_batches, few.rows),
        (1, 1, 1),
        "one barrier, one transaction, one row"
    );
    assert_eq!((few.report_batches, few.reports), (1, 1));
    assert!(few.cells_rendered <= 20, "{few:?}");
    assert!(few.flows <= 8, "{few:?}");
}

#[test]
fn a_tag_confirmed_by_the_switch_renders_nothing_else() {
    let mut world = World::new();
    let mut planner = world.start_agent();
    world.wish(&mut planner, Delta::Network(vxlan(1, 100)));
    world.wish(&mut planner, Delta::Port(port(1, 1)));
    world.plug(&mut planner, "tap1", port_id(1), mac(1));
    world.quiesce(&mut planner);
    let before = planner.stats();
    let mut again = world.ports["tap1"].clone();
    again.hint = None;
    planner.fact(Fact::Port(again), world.now());
    world.quiesce(&mut planner);
    let after = planner.stats();
    assert!(
        after.cells_rendered - before.cells_rendered <= 2,
        "{before:?} {after:?}"
    );
    assert_eq!(
        after.rows - before.rows,
        1,
        "the lost hint is written again"
    );
    assert_eq!(after.flows, before.flows);
}

#[test]
fn one_more_peer_touches_its_own_cells_and_the_floods() {
    let mut world = World::new();
    let mut planner = world.start_agent();
    for n in 1..=20 {
        world.wish(&mut planner, Delta::Network(vxlan(n, 100 + n as u32)));
        world.wish(&mut planner, Delta::Port(port(n, n)));
        world.plug(&mut planner, &format!("tap{n}"), port_id(n), mac(n));
    }
    world.quiesce(&mut planner);
    let before = planner.stats();
    world.wish(&mut planner, Delta::Endpoint(endpoint(2)));
    world.quiesce(&mut planner);
    let after = planner.stats();
    assert_eq!(
        after.flows - before.flows,
        21,
        "one inbound, one flood per segment"
    );
    assert!(
        after.cells_rendered - before.cells_rendered <= 2 * 2 + 20 * 3,
        "{}",
        after.cells_rendered - before.cells_rendered
    );
}
