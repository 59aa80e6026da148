//! Physical networks: the patch pair to the operator's bridge, and what keeps the two sides apart.
//!
//! Order matters: the physical bridge floods by itself, so its end of the pair gets its real peer only after the drop
//! of what comes from the integration bridge is confirmed, and after a restart of the switch the integration bridge
//! gets its flows only after the physical ones have theirs. The bridge's `fail_mode` is the operator's: writing it
//! makes `ovs-vswitchd` flush every flow of a bridge without controllers, the operator's included.

use std::sync::Arc;

use super::host::patch_row;
use super::{Item, Need, Rendered, View};
use crate::ops::row::RowKey;
use crate::plan::cell::{Facet, Key};
use crate::plan::flows::{Flow, act};

/// The peer of a patch port that must not pass anything yet.
const NOBODY: &str = "nonexistent-peer";

fn bridge_of<'a>(view: &View<'a>, physnet: &str) -> Result<&'a Arc<str>, Rendered> {
    let Some(bridge) = view.config.physical_bridge(physnet) else {
        return Err(Rendered::absent());
    };
    match view.observed.bridge(bridge) {
        Some(_) => Ok(bridge),
        None => Err(Rendered::blocked(Need::Bridge(bridge.clone()))),
    }
}

/// The pair. Once connected it stays connected.
pub fn patch(view: &View<'_>, physnet: &Arc<str>) -> Rendered {
    let bridge = match bridge_of(view, physnet) {
        Ok(bridge) => bridge,
        Err(rendered) => return rendered,
    };
    let int_bridge = &view.config.integration_bridge;
    if let Err(need) = view.own_bridge(int_bridge) {
        return Rendered::blocked(need);
    }
    let (int, phy) = (view.config.int_port(bridge), view.config.phy_port(bridge));
    let connected = view.observed.port(&phy).is_some_and(|p| {
        p.bridge == *bridge && p.options.get("peer").is_some_and(|peer| *peer == int)
    });
    let rows = |peer: &str| {
        vec![
            Item::Row(RowKey::Port(int.clone()), patch_row(int_bridge, &phy)),
            Item::Row(RowKey::Port(phy.clone()), patch_row(bridge, peer)),
        ]
    };
    match view.stands(Key::Physnet(physnet.clone()), Facet::PhysBase) {
        Ok(()) => Rendered::ready(rows(&int)),
        Err(_) if connected => Rendered::ready(rows(&int)),
        Err(need) => Rendered::degraded(rows(NOBODY), need),
    }
}

/// What comes from the integration bridge is dropped unless a segment translates it; everything else is the
/// operator's.
pub fn base(view: &View<'_>, physnet: &Arc<str>) -> Rendered {
    let bridge = match bridge_of(view, physnet) {
        Ok(bridge) => bridge,
        Err(rendered) => return rendered,
    };
    match view.ofport(bridge, &view.config.phy_port(bridge)) {
        Err(need) => Rendered::blocked(need),
        Ok(phy) => {
            let flows = [
                Flow::new(0, 0).actions([act::normal()]),
                Flow::new(0, 2).in_port(phy).drop(),
            ];
            Rendered::ready(flows.map(|flow| Item::flow(bridge, flow)).into())
        }
    }
}
