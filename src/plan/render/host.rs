//! The host's own bridges, the patch pair between them, and the flows that everything else relies on.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Item, Rendered, View};
use crate::model::FirewallDriver;
use crate::ops::row::{BridgeRow, PortRow, Row, RowKey};
use crate::plan::firewall::openflow;
use crate::plan::flows::{Flow, act};
use crate::plan::tables::{int, tun};

/// `br-int`, and `br-tun` if tunnels are configured: created when missing, fail mode secure from the first moment (a
/// tunnel bridge that learns by itself loops until its flows arrive).
pub fn bridges(view: &View<'_>) -> Rendered {
    let mut names = vec![view.config.integration_bridge.clone()];
    if view.config.has_tunnels() {
        names.push(view.config.tunnel_bridge.clone());
    }
    let row = BridgeRow {
        datapath_type: Some(view.config.datapath_type.clone()),
        fail_mode: Some(Arc::from("secure")),
        create: true,
    };
    Rendered::ready(
        names
            .into_iter()
            .map(|name| Item::Row(RowKey::Bridge(name), Row::Bridge(row.clone())))
            .collect(),
    )
}

/// A patch port's row.
pub(super) fn patch_row(bridge: &Arc<str>, peer: &str) -> Row {
    Row::Port(PortRow {
        bridge: bridge.clone(),
        kind: Arc::from("patch"),
        options: BTreeMap::from([(Arc::from("peer"), Arc::from(peer))]),
    })
}

/// The patch pair between `br-int` and `br-tun`. No loop is possible: `br-tun` drops until its flows say otherwise.
pub fn patch(view: &View<'_>) -> Rendered {
    let config = view.config;
    if !config.has_tunnels() {
        return Rendered::absent();
    }
    for bridge in [&config.integration_bridge, &config.tunnel_bridge] {
        if let Err(need) = view.own_bridge(bridge) {
            return Rendered::blocked(need);
        }
    }
    let (int, tun) = (&config.int_peer_patch_port, &config.tun_peer_patch_port);
    Rendered::ready(vec![
        Item::Row(
            RowKey::Port(int.clone()),
            patch_row(&config.integration_bridge, tun),
        ),
        Item::Row(
            RowKey::Port(tun.clone()),
            patch_row(&config.tunnel_bridge, int),
        ),
    ])
}

/// A port that no flow names is dropped; a port that one does ends in table 60, in the switch's own learning.
pub fn int_base(view: &View<'_>) -> Rendered {
    let bridge = &view.config.integration_bridge;
    let mut flows = vec![
        Flow::new(int::LOCAL_SWITCHING, 0).drop(),
        Flow::new(int::ARP_SPOOF, 0).drop(),
        Flow::new(int::MAC_SPOOF, 0).drop(),
        Flow::new(int::TRANSIENT, 1).actions([act::normal()]),
    ];
    if view.config.firewall == FirewallDriver::OpenFlow {
        flows.extend(openflow::base_flows());
    }
    Rendered::ready(
        flows
            .into_iter()
            .map(|flow| Item::flow(bridge, flow))
            .collect(),
    )
}

/// What comes from the tunnel bridge carries its local VLAN already.
pub fn int_patch(view: &View<'_>) -> Rendered {
    let config = view.config;
    if !config.has_tunnels() {
        return Rendered::absent();
    }
    match view.ofport(&config.integration_bridge, &config.int_peer_patch_port) {
        Err(need) => Rendered::blocked(need),
        Ok(patch) => {
            let flow = Flow::new(int::LOCAL_SWITCHING, 1)
                .in_port(patch)
                .actions([act::resubmit(int::TRANSIENT)]);
            Rendered::ready(vec![Item::flow(&config.integration_bridge, flow)])
        }
    }
}

/// The tunnel bridge's pipeline. Everything that is not explicitly let through is dropped.
pub fn tun_base(view: &View<'_>) -> Rendered {
    let config = view.config;
    if !config.has_tunnels() {
        return Rendered::absent();
    }
    let patch = match view.ofport(&config.tunnel_bridge, &config.tun_peer_patch_port) {
        Ok(patch) => patch,
        Err(need) => return Rendered::blocked(need),
    };
    let flows = [
        Flow::new(tun::CLASSIFIER, 0).drop(),
        Flow::new(tun::CLASSIFIER, 1)
            .in_port(patch)
            .actions([act::resubmit(tun::FROM_INT)]),
        Flow::new(tun::FROM_INT, 0)
            .unicast()
            .actions([act::resubmit(tun::UNICAST)]),
        Flow::new(tun::FROM_INT, 0)
            .multicast()
            .actions([act::resubmit(tun::FLOOD)]),
        Flow::new(tun::GRE, 0).drop(),
        Flow::new(tun::VXLAN, 0).drop(),
        Flow::new(tun::LEARN, 1).actions([act::learn_sender(), act::output(patch)]),
        Flow::new(tun::UNICAST, 0).actions([act::resubmit(tun::FLOOD)]),
        Flow::new(tun::FLOOD, 0).drop(),
    ];
    Rendered::ready(
        flows
            .map(|flow| Item::flow(&config.tunnel_bridge, flow))
            .into(),
    )
}
