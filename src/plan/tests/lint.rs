//! The lint finds each kind of mistake when it is made on purpose, and nothing on a planner that makes none.

use super::world::*;
use crate::model::*;
use crate::ops::flow::{FlowBody, cookie};
use crate::ops::row::{Row, RowKey, VifRow};
use crate::plan::cell::{CellId, Facet, Key};
use crate::plan::flows::{Flow, act};
use crate::plan::{Planner, values};

fn wired() -> Planner {
    let mut world = World::new();
    let mut planner = world.start_agent();
    world.wish(&mut planner, Delta::Network(vxlan(1, 100)));
    world.wish(&mut planner, Delta::Endpoint(endpoint(2)));
    for n in 1..=2 {
        world.wish(&mut planner, Delta::Port(port(n, 1)));
        world.plug(&mut planner, &format!("tap{n}"), port_id(n), mac(n));
    }
    world.quiesce(&mut planner);
    planner
}

fn guard(n: u128) -> CellId {
    CellId::new(Key::Port(port_id(n)), Facet::Guard)
}

fn add(planner: &mut Planner, cell: &CellId, mark: u64, flow: Flow) {
    let body = FlowBody {
        cookie: mark,
        actions: flow.actions,
    };
    let ledger = planner.flows.get_mut("br-int").unwrap();
    ledger.set(&flow.key, cell, body).unwrap();
}

/// The only finding has these words.
fn found(planner: &Planner, words: &str) {
    let findings = planner.lint();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].to_string().contains(words), "{}", findings[0]);
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    assert_eq!(wired().lint(), vec![]);
}

#[test]
fn each_mistake_is_found() {
    let cell = guard(1);
    let mark = cookie::OWNER | u64::from(cell.cookie());
    let first = Ofport::new(1).unwrap();

    let mut planner = wired();
    add(
        &mut planner,
        &cell,
        mark,
        Flow::new(0, 5).actions([act::resubmit(99)]),
    );
    found(&planner, "leads to table 99");

    let mut planner = wired();
    add(
        &mut planner,
        &cell,
        mark,
        Flow::new(0, 5).actions([act::output(Ofport::new(4000).unwrap())]),
    );
    found(&planner, "names port 4000, which br-int does not have");

    let mut planner = wired();
    add(
        &mut planner,
        &cell,
        mark,
        Flow::new(0, 5).in_port(Ofport::new(4000).unwrap()),
    );
    found(&planner, "names port 4000");

    let mut planner = wired();
    add(&mut planner, &cell, cookie::OWNER, Flow::new(0, 5));
    found(&planner, "does not carry its cell's cookie");

    let mut planner = wired();
    add(&mut planner, &cell, mark, Flow::new(0, 5).in_port(first));
    add(
        &mut planner,
        &cell,
        mark,
        Flow::new(0, 5).arp().actions([act::normal()]),
    );
    found(&planner, "a packet may also meet");

    let mut planner = wired();
    let vif = planner
        .observed
        .port("tap1")
        .and_then(values::vif_id)
        .unwrap();
    let row = Row::Vif(VifRow {
        vif,
        tag: 77,
        hint: None,
    });
    let tag = CellId::new(Key::Vif("tap1".into()), Facet::Tag);
    planner
        .rows
        .set(&RowKey::Vif("tap1".into()), &tag, row)
        .unwrap();
    found(&planner, "tag 77 of tap1");

    let mut planner = wired();
    let row = Row::Vif(VifRow {
        vif,
        tag: LocalVlan::DEAD,
        hint: None,
    });
    planner
        .rows
        .set(&RowKey::Vif("tap1".into()), &tag, row)
        .unwrap();
    found(&planner, "is ACTIVE with tag Some(4095)");
}
