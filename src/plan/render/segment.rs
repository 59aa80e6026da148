//! Segments: the translation between a local VLAN and what carries the segment off the host.

use super::tunnel::is_peer;
use super::{Item, Need, Rendered, View};
use crate::model::{LocalVlan, NetworkType, Ofport, Segment};
use crate::plan::cell::{Facet, Key, SegKey};
use crate::plan::flows::{Flow, act};
use crate::plan::{names, tables};

/// The segment and its number, while ports of it are wired here.
fn in_use<'a>(view: &View<'a>, key: SegKey) -> Option<(&'a Segment, LocalVlan)> {
    let vlan = view.vlans.of(key)?;
    let network = view.desired.network(key.network)?;
    let segment = network.segments.iter().find(|s| s.id == key.segment)?;
    view.config.can_bind(&segment.network_type).ok()?;
    Some((segment, vlan))
}

/// Integration bridge: the wire's tag becomes the local VLAN.
pub fn int(view: &View<'_>, key: SegKey) -> Rendered {
    let Some((segment, vlan)) = in_use(view, key) else {
        return Rendered::absent();
    };
    let Some(physnet) = segment.network_type.physical_network() else {
        return Rendered::absent();
    };
    let Some(bridge) = view.config.physical_bridge(physnet) else {
        return Rendered::absent();
    };
    if view.observed.bridge(bridge).is_none() {
        return Rendered::blocked(Need::Bridge(bridge.clone()));
    }
    let int_bridge = &view.config.integration_bridge;
    let port = match view.ofport(int_bridge, &view.config.int_port(bridge)) {
        Ok(port) => port,
        Err(need) => return Rendered::blocked(need),
    };
    let flow = Flow::new(tables::int::LOCAL_SWITCHING, 3).in_port(port);
    let flow = match segment.network_type {
        NetworkType::Vlan { vid, .. } => flow.vlan(vid),
        _ => flow.untagged(),
    };
    let flow = flow.actions([
        act::set_vlan(vlan.number()),
        act::resubmit(tables::int::TRANSIENT),
    ]);
    Rendered::ready(vec![Item::flow(int_bridge, flow)])
}

/// Physical bridge: the local VLAN becomes the wire's tag, or none.
pub fn phys(view: &View<'_>, key: SegKey) -> Rendered {
    let Some((segment, vlan)) = in_use(view, key) else {
        return Rendered::absent();
    };
    let Some(physnet) = segment.network_type.physical_network() else {
        return Rendered::absent();
    };
    let Some(bridge) = view.config.physical_bridge(physnet) else {
        return Rendered::absent();
    };
    if view.observed.bridge(bridge).is_none() {
        return Rendered::blocked(Need::Bridge(bridge.clone()));
    }
    let port = match view.ofport(bridge, &view.config.phy_port(bridge)) {
        Ok(port) => port,
        Err(need) => return Rendered::blocked(need),
    };
    let tag = match segment.network_type {
        NetworkType::Vlan { vid, .. } => act::set_vlan(vid),
        _ => act::strip_vlan(),
    };
    let flow = Flow::new(0, 4)
        .in_port(port)
        .vlan(vlan.number())
        .actions([tag, act::normal()]);
    let rendered = vec![Item::flow(bridge, flow)];
    match view.stands(Key::Physnet(physnet.clone()), Facet::PhysBase) {
        Ok(()) => Rendered::ready(rendered),
        Err(need) => Rendered::degraded(rendered, need),
    }
}

/// Tunnel bridge, inbound: the key becomes the local VLAN.
pub fn tun(view: &View<'_>, key: SegKey) -> Rendered {
    let Some((segment, vlan)) = in_use(view, key) else {
        return Rendered::absent();
    };
    let NetworkType::Tunnel { kind, key } = segment.network_type else {
        return Rendered::absent();
    };
    let flow = Flow::new(tables::tun::of(kind), 1)
        .tunnel_key(key)
        .actions([
            act::set_vlan(vlan.number()),
            act::resubmit(tables::tun::LEARN),
        ]);
    let rendered = vec![Item::flow(&view.config.tunnel_bridge, flow)];
    match view
        .stands(Key::Host, Facet::TunBase)
        .and_then(|()| view.stands(Key::Host, Facet::IntPatch))
    {
        Ok(()) => Rendered::ready(rendered),
        Err(need) => Rendered::degraded(rendered, need),
    }
}

/// Tunnel bridge, outbound: what has no known place goes to every peer.
pub fn flood(view: &View<'_>, key: SegKey) -> Rendered {
    let Some((segment, vlan)) = in_use(view, key) else {
        return Rendered::absent();
    };
    let NetworkType::Tunnel { kind, key } = segment.network_type else {
        return Rendered::absent();
    };
    let bridge = &view.config.tunnel_bridge;
    let mut need = None;
    let mut peers: Vec<Ofport> = Vec::new();
    for endpoint in view
        .desired
        .endpoints()
        .filter(|e| e.kind == kind && is_peer(view, e))
    {
        match view.ofport(bridge, &names::tunnel(kind, endpoint.ip)) {
            Ok(port) => peers.push(port),
            Err(missing) => need = Some(missing),
        }
    }
    peers.sort_unstable();
    peers.dedup();
    let mut actions = vec![act::strip_vlan(), act::set_tunnel(key)];
    actions.extend(peers.into_iter().map(act::output));
    let flow = Flow::new(tables::tun::FLOOD, 1)
        .vlan(vlan.number())
        .actions(actions);
    Rendered {
        items: Some(vec![Item::flow(bridge, flow)]),
        need,
    }
}
