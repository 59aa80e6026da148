//! Hardware addresses of filtered ports: what leads to their ingress rules.

use ofproto::action::Action;
use ofproto::matching::FieldId;

use crate::model::Mac;
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
    let mut ports = Vec::new();
    let mut need = None;
    for id in view.index.at(segment, mac) {
        let Some(vif) = view.observed.vif(id, bridge) else {
            continue;
        };
        match view.ofport(bridge, &vif.name) {
            Ok(port) => ports.push(port),
            Err(missing) => need = Some(missing),
        }
    }
    if ports.is_empty() {
        return match need {
            Some(need) => Rendered::blocked(need),
            None => Rendered::absent(),
        };
    }
    ports.sort_unstable();
    let to_ports = ports.iter().flat_map(|port| {
        [
            act::load(FieldId::REG5, u32::from(port.number())),
            act::resubmit(int::BASE_INGRESS),
        ]
    });
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
                .map(|flow| Item::Flow(bridge.clone(), Box::new(flow)))
                .collect(),
        ),
        need,
    }
}
