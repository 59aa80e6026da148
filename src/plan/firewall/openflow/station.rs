//! What leads to the ingress rules of filtered ports: their hardware addresses, and packets for several.
//!
//! The switch's own flooding leaves filtered ports out (`OFPPC_NO_FLOOD`, which `xlate_normal_flood` of
//! `ofproto-dpif-xlate.c` obeys), so nothing reaches one but through its rules.

use ofproto::action::Action;
use ofproto::matching::FieldId;

use crate::model::{Mac, Ofport, PortId};
use crate::plan::cell::{Need, SegKey};
use crate::plan::flows::{Flow, act};
use crate::plan::render::{Item, Rendered, View};
use crate::plan::tables::int;

use super::base::guard_cell;

/// From the wire and from this host's ports. Several ports may use one address; each gets the packet if its rules
/// let it.
pub fn render(view: &View<'_>, segment: SegKey, mac: Mac) -> Rendered {
    let Some(first) = view.index.at(segment, mac).next() else {
        return Rendered::absent();
    };
    let Some(vlan) = view.vlans.of(segment) else {
        // They leave; until their VIFs are on the dead VLAN what stands keeps others away from them.
        return Rendered::held(Need::Cell(Box::new(guard_cell(first))));
    };
    let bridge = &view.config.integration_bridge;
    let (ports, need) = ofports(view, view.index.at(segment, mac));
    if ports.is_empty() {
        return match need {
            // Whoever is still there is kept from being reached otherwise.
            Some(need)
                if view
                    .index
                    .at(segment, mac)
                    .any(|id| view.lingering(id).is_some()) =>
            {
                Rendered::held(need)
            }
            Some(need) => Rendered::blocked(need),
            None => Rendered::absent(),
        };
    }
    let to_ports = ports.iter().flat_map(|port| to(*port));
    let vid = vlan.number();
    let on_the_wire: Vec<Action> = [
        act::untrack(),
        act::load(FieldId::REG6, u32::from(vid)),
        act::strip_vlan(),
    ]
    .into_iter()
    .chain(to_ports.clone())
    .collect();
    let flows = [
        Flow::new(int::TRANSIENT, 90)
            .vlan(vid)
            .destination(mac)
            .actions(on_the_wire),
        Flow::new(int::ACCEPT_OR_INGRESS, 100)
            .with(FieldId::REG6, u32::from(vid))
            .destination(mac)
            .actions(to_ports),
    ];
    Rendered {
        items: Some(
            flows
                .into_iter()
                .map(|flow| Item::flow(bridge, flow))
                .collect(),
        ),
        need,
    }
}

/// Packets for several, from the wire and from this host's ports: NORMAL for everybody else, then every filtered port.
///
/// Ports are taken in blocks of [`BLOCK`] numbers, one flow each, so that one port more or less changes one flow. The
/// blocks follow each other by register 8, which counts from 1. A packet is looked up at most 4096 times
/// (`MAX_RESUBMITS`), three times for each port: some 1,300 filtered ports of one segment on one host.
pub fn multicast(view: &View<'_>, segment: SegKey) -> Rendered {
    let Some(first) = view.index.on(segment).next() else {
        return Rendered::absent();
    };
    let Some(vlan) = view.vlans.of(segment) else {
        return Rendered::held(Need::Cell(Box::new(guard_cell(first))));
    };
    let bridge = &view.config.integration_bridge;
    let (ports, need) = ofports(view, view.index.on(segment));
    let vid = vlan.number();
    let mut blocks: Vec<(u32, Vec<Action>)> = Vec::new();
    for port in ports {
        let number = u32::from(port.number() / BLOCK) + 1;
        match blocks.last_mut() {
            Some((last, actions)) if *last == number => actions.extend(to(port)),
            _ => blocks.push((number, to(port).into())),
        }
    }
    let go = |number| [act::load(FieldId::REG8, number), act::resubmit(int::NORMAL)];
    let Some((start, _)) = blocks.first() else {
        return match need {
            Some(need) => Rendered::blocked(need),
            None => Rendered::absent(),
        };
    };
    let on_the_wire = [
        act::normal(),
        act::untrack(),
        act::load(FieldId::REG6, u32::from(vid)),
        act::strip_vlan(),
    ];
    let mut flows = vec![
        Flow::new(int::TRANSIENT, 80)
            .vlan(vid)
            .multicast()
            .actions(on_the_wire.into_iter().chain(go(*start))),
        Flow::new(int::NORMAL, 2)
            .with(FieldId::REG6, u32::from(vid))
            .multicast()
            .actions([act::normal()].into_iter().chain(go(*start))),
    ];
    let follower: Vec<Option<u32>> = blocks
        .iter()
        .skip(1)
        .map(|(number, _)| Some(*number))
        .chain([None])
        .collect();
    for ((number, actions), next) in blocks.into_iter().zip(follower) {
        let next = next.into_iter().flat_map(go);
        flows.push(
            Flow::new(int::NORMAL, 3)
                .with(FieldId::REG6, u32::from(vid))
                .with(FieldId::REG8, number)
                .actions(actions.into_iter().chain(next)),
        );
    }
    Rendered {
        items: Some(
            flows
                .into_iter()
                .map(|flow| Item::flow(bridge, flow))
                .collect(),
        ),
        need,
    }
}

/// Port numbers in one flow.
const BLOCK: u16 = 64;

/// Into the ingress rules of a port.
fn to(port: Ofport) -> [Action; 2] {
    [
        act::load(FieldId::REG5, u32::from(port.number())),
        act::resubmit(int::BASE_INGRESS),
    ]
}

/// The numbers of ports, in order, and what is missing of one. Of several VIFs of a port those that may be on a network
/// count as well as the one that stands for it.
fn ofports(view: &View<'_>, ids: impl Iterator<Item = PortId>) -> (Vec<Ofport>, Option<Need>) {
    let bridge = &view.config.integration_bridge;
    let mut ports = Vec::new();
    let mut need = None;
    for id in ids {
        let first = view.observed.vif(id, bridge).map(|vif| &vif.name);
        let vifs = view.observed.vifs(id, bridge);
        for vif in vifs.filter(|vif| Some(&vif.name) == first || view.may_be_wired(vif)) {
            match view.ofport(bridge, &vif.name) {
                Ok(port) => ports.push(port),
                Err(missing) => need = Some(missing),
            }
        }
    }
    ports.sort_unstable();
    (ports, need)
}
