//! Ports: the guard flows, then the tag, then the report; and the VIFs that are nobody's.
//!
//! A VIF is on the dead VLAN unless everything it needs stands. What was wired stays wired while something is only
//! being looked up again; it goes to the dead VLAN when the control plane says so or a guard is refused.

use std::sync::Arc;

use ipnet::IpNet;

use super::{Attachment, Item, Need, Rendered, View};
use crate::model::observed::OfportState;
use crate::model::{
    FirewallDriver, LocalVlan, Mac, Network, NetworkType, Port, PortFact, PortId, PortStatus,
    Segment, VlanHint,
};
use crate::ops::link::LinkState;
use crate::ops::report::PortReport;
use crate::ops::row::{Row, RowKey, VifId, VifRow};
use crate::plan::cell::{CellId, Facet, Key, SegKey};
use crate::plan::firewall::{nft, openflow};
use crate::plan::flows::{Flow, act};
use crate::plan::tables::int;

/// The VIF that stands for a port: of several with its id the one that is wired already, else the first by name.
fn vif<'a>(view: &View<'a>, id: PortId) -> Option<&'a PortFact> {
    view.observed.vif(id, &view.config.integration_bridge)
}

/// The port as the control plane wants it wired, or why it must not be.
fn wanted<'a>(view: &View<'a>, id: PortId) -> Result<(&'a Port, &'a Network, &'a Segment), Need> {
    let Some(port) = view.desired.port(id) else {
        return Err(if view.desired.is_complete() {
            Need::Known
        } else {
            Need::Snapshot
        });
    };
    if let Some(why) = &port.unusable {
        return Err(Need::Unusable(why.clone()));
    }
    let Some(network) = view.desired.network(port.network) else {
        return Err(Need::Network(port.network));
    };
    if !port.admin_up || !network.admin_up {
        return Err(Need::AdminUp);
    }
    let mut why = network.unusable.clone();
    for segment in &network.segments {
        match view.config.can_bind(&segment.network_type) {
            Ok(()) => return Ok((port, network, segment)),
            Err(reason) => why = why.or(Some(reason)),
        }
    }
    Err(Need::Segment(
        why.unwrap_or_else(|| Arc::from("the network has no segment")),
    ))
}

/// Where a port is wired on this host, if it is to be.
pub fn attach(view: &View<'_>, id: PortId) -> Option<Attachment> {
    let vif = vif(view, id)?;
    let (port, _, segment) = wanted(view, id).ok()?;
    Some(Attachment {
        vif: vif.name.clone(),
        segment: SegKey {
            network: port.network,
            segment: segment.id,
        },
    })
}

/// The flows without which the port must not get its tag.
pub fn guard(view: &View<'_>, id: PortId) -> Rendered {
    let Some(attachment) = view.attachments.get(&id) else {
        return Rendered::absent();
    };
    let Some(port) = view.desired.port(id) else {
        return Rendered::absent();
    };
    let bridge = &view.config.integration_bridge;
    let ofport = match view.ofport(bridge, &attachment.vif) {
        Ok(ofport) => ofport,
        Err(need) => return Rendered::blocked(need),
    };
    // Ports on the dead VLAN hear each other: one may send only when its filter stands.
    if view.config.firewall == FirewallDriver::Nft
        && port.is_filtered()
        && let Some(need) = lacks(view, nft::render::path(view, id))
    {
        return match need {
            Need::Cell(_) | Need::PacketFilter => Rendered::held(need),
            need => Rendered::blocked(need),
        };
    }
    let from = |table, priority| Flow::new(table, priority).in_port(ofport);
    let mut flows = Vec::new();
    if !port.is_filtered() {
        flows.push(from(int::LOCAL_SWITCHING, 9).actions([act::resubmit(int::TRANSIENT)]));
    } else {
        let (macs, prefixes) = allowed(port);
        let any = |v4: bool| {
            prefixes
                .iter()
                .any(|p| p.prefix_len() == 0 && matches!(p, IpNet::V4(_)) == v4)
        };
        if !any(true) {
            flows.push(
                from(int::LOCAL_SWITCHING, 10)
                    .arp()
                    .actions([act::resubmit(int::ARP_SPOOF)]),
            );
        }
        if !any(false) {
            flows.push(
                from(int::LOCAL_SWITCHING, 10)
                    .neighbour_advert()
                    .actions([act::resubmit(int::ARP_SPOOF)]),
            );
        }
        flows.push(from(int::LOCAL_SWITCHING, 9).actions([act::resubmit(int::MAC_SPOOF)]));
        for prefix in prefixes.iter().filter(|p| p.prefix_len() > 0) {
            let flow = match prefix {
                IpNet::V4(net) if !any(true) => from(int::ARP_SPOOF, 2).arp().arp_sender(*net),
                IpNet::V6(net) if !any(false) => {
                    from(int::ARP_SPOOF, 2).neighbour_advert().nd_target(*net)
                }
                _ => continue,
            };
            flows.push(flow.actions([act::resubmit(int::MAC_SPOOF)]));
        }
        for mac in macs {
            flows.push(
                from(int::MAC_SPOOF, 2)
                    .source(mac)
                    .actions([act::resubmit(int::TRANSIENT)]),
            );
        }
    }
    Rendered::ready(
        flows
            .into_iter()
            .map(|flow| Item::flow(bridge, flow))
            .collect(),
    )
}

/// The sources that a port may use, each once and in order.
fn allowed(port: &Port) -> (Vec<Mac>, Vec<IpNet>) {
    let mut macs = vec![port.mac];
    macs.extend(port.allowed_pairs.iter().filter_map(|pair| pair.mac));
    macs.sort_unstable();
    macs.dedup();
    let mut prefixes: Vec<IpNet> = port
        .fixed_ips
        .iter()
        .map(|fixed| IpNet::from(fixed.ip))
        .collect();
    prefixes.extend(port.allowed_pairs.iter().map(|pair| pair.prefix.trunc()));
    prefixes.extend(
        macs.iter()
            .map(|mac| IpNet::from(std::net::IpAddr::V6(mac.link_local()))),
    );
    prefixes.sort_unstable();
    prefixes.dedup();
    (macs, prefixes)
}

/// The VIF's device: as large as the network's packets, and up. Someone else made it; a VIF without a device in this
/// namespace has none to set.
pub fn link(view: &View<'_>, id: PortId) -> Rendered {
    let Some(attachment) = view.attachments.get(&id) else {
        return Rendered::absent();
    };
    let Some(network) = view.desired.network(attachment.segment.network) else {
        return Rendered::absent();
    };
    let is_system = view
        .observed
        .port(&attachment.vif)
        .is_some_and(|p| p.kind.is_empty() || &*p.kind == "system");
    if !is_system || view.observed.link(&attachment.vif).is_none() {
        return Rendered::absent();
    }
    let state = LinkState {
        mtu: Some(u32::from(network.mtu)),
        up: true,
        netfilter: false,
    };
    Rendered::ready(vec![Item::Link(attachment.vif.clone(), state)])
}

fn tag_item(name: &Arc<str>, vif: VifId, tag: u16, hint: Option<VlanHint>) -> Vec<Item> {
    vec![Item::Row(
        RowKey::Vif(name.clone()),
        Row::Vif(VifRow { vif, tag, hint }),
    )]
}

fn hint(segment: SegKey, kind: &NetworkType, vlan: LocalVlan) -> VlanHint {
    VlanHint {
        network: segment.network,
        network_type: Arc::from(kind.name()),
        physical_network: kind.physical_network().cloned(),
        segmentation_id: kind.segmentation_id(),
        tag: vlan.number(),
    }
}

/// The tag of a VIF on the integration bridge.
pub fn tag(view: &View<'_>, name: &Arc<str>) -> Rendered {
    let Some(fact) = view
        .observed
        .port(name)
        .filter(|p| p.bridge == view.config.integration_bridge)
    else {
        return Rendered::absent();
    };
    let Some(id) = fact.iface_id else {
        return Rendered::absent();
    };
    let whose = |ofport| VifId {
        row: fact.row,
        iface_id: id,
        ofport,
    };
    // Whatever its number: it neither sends nor receives.
    let dead = |need| Rendered::degraded(tag_item(name, whose(None), LocalVlan::DEAD, None), need);
    if let Some(first) = vif(view, id).filter(|first| first.name != *name) {
        return dead(Need::DuplicateVif(first.name.clone()));
    }
    let (port, network) = match wanted(view, id) {
        Ok((port, network, _)) => (port, network),
        // Wired in an earlier life: stays until the control plane has spoken.
        Err(Need::Snapshot) if fact.hint.is_some() && fact.tag.is_some() => {
            return Rendered::held(Need::Snapshot);
        }
        Err(need) => return dead(need),
    };
    if let Some(mac) = fact.attached_mac.filter(|mac| *mac != port.mac) {
        return dead(Need::Mac(mac, port.mac));
    }
    let Some(attachment) = view.attachments.get(&id) else {
        return dead(Need::Vif);
    };
    let ofport = match fact.ofport {
        OfportState::Assigned(number) => number,
        OfportState::Unassigned => return Rendered::held(Need::Ofport(name.clone())),
        OfportState::Failed => {
            return Rendered::held(Need::OfportFailed(name.clone(), fact.error.clone()));
        }
    };
    let Some(vlan) = view.vlans.of(attachment.segment) else {
        return dead(Need::LocalVlan);
    };
    let elsewhere = fact
        .tag
        .is_some_and(|tag| tag != LocalVlan::DEAD && tag != vlan.number());
    if elsewhere && view.config.firewall == FirewallDriver::OpenFlow {
        // Its flows change while it can neither send nor receive.
        let guard = CellId::new(Key::Port(id), Facet::Guard);
        return dead(Need::Cell(Box::new(guard)));
    }
    match path(view, port, attachment.segment) {
        None => {}
        Some(need) if is_lost(&need) => return dead(need),
        Some(need) => return Rendered::held(need),
    }
    match network
        .segments
        .iter()
        .find(|s| s.id == attachment.segment.segment)
    {
        Some(segment) => {
            let hint = hint(attachment.segment, &segment.network_type, vlan);
            // Its guards stand for this number of this VIF, and for no other.
            let whose = whose(Some(ofport));
            Rendered::ready(tag_item(name, whose, vlan.number(), Some(hint)))
        }
        None => dead(Need::Network(network.id)),
    }
}

/// `true` if what has to stand before the tag will not stand by itself.
fn is_lost(need: &Need) -> bool {
    matches!(
        need,
        Need::Failed(..)
            | Need::Bridge(_)
            | Need::OfportFailed(..)
            | Need::Conflict(_)
            | Need::Unfilterable(_)
    )
}

/// What has to stand before the tag, in order, as far as it does not. What is lost counts first: others may wait until
/// the port is dead for it.
fn path(view: &View<'_>, port: &Port, segment: SegKey) -> Option<Need> {
    let mut cells = vec![
        (Key::Segment(segment), Facet::SegInt),
        (Key::Segment(segment), Facet::SegPhys),
        (Key::Segment(segment), Facet::SegTun),
        (Key::Segment(segment), Facet::Zone),
        (Key::Host, Facet::IntBase),
        (Key::Port(port.id), Facet::Guard),
    ];
    if view.config.firewall == FirewallDriver::Nft && port.is_filtered() {
        cells.extend(nft::render::path(view, port.id));
    }
    let stations = view
        .index
        .stations_of(port.id)
        .map(|(segment, mac)| (Key::Station(segment, mac), Facet::Station));
    lacks(view, cells.into_iter().chain(stations))
}

/// What some cells lack: what is lost, or else the first thing.
fn lacks(view: &View<'_>, cells: impl IntoIterator<Item = (Key, Facet)>) -> Option<Need> {
    let cells = cells.into_iter();
    let mut needs: Vec<Need> = cells
        .filter_map(|(key, facet)| view.stands(key, facet).err())
        .collect();
    let first = needs.iter().position(is_lost).unwrap_or(0);
    (first < needs.len()).then(|| needs.swap_remove(first))
}

/// What the control plane is told of a port.
pub fn report(view: &View<'_>, id: PortId) -> Rendered {
    let Some(port) = view.desired.port(id) else {
        return Rendered::absent();
    };
    let times = view.times.get(&id).copied().unwrap_or_default();
    let item = |status, need: Option<&Need>| {
        vec![Item::Report(PortReport {
            port: id,
            status,
            reason: need.map(|n| Arc::from(n.to_string())),
            seen_at: times.seen_at,
            wired_at: times.wired_at,
        })]
    };
    let is = |status, need: Need| Rendered::degraded(item(status, Some(&need)), need);
    match wanted(view, id) {
        Ok(_) => {}
        Err(need @ (Need::AdminUp | Need::Network(_))) => return is(PortStatus::Down, need),
        Err(need) => return is(PortStatus::Error, need),
    }
    if !view.observed.switch_complete() {
        return Rendered::held(Need::Vif);
    }
    let Some(vif) = vif(view, id) else {
        return match port.status {
            // Never wired, in this life or an earlier one.
            PortStatus::Build
                if view.reports.want(&id).is_none() && !view.misreported.contains(&id) =>
            {
                Rendered::held(Need::Vif)
            }
            _ => is(PortStatus::Down, Need::Vif),
        };
    };
    match view.stands(Key::Vif(vif.name.clone()), Facet::Tag) {
        Ok(()) if view.applying.contains_key(&vif.name) => Rendered::held(Need::Applied),
        Ok(()) => Rendered::ready(item(PortStatus::Active, None)),
        Err(
            need @ (Need::Failed(..)
            | Need::Bridge(_)
            | Need::OfportFailed(..)
            | Need::LocalVlan
            | Need::Mac(..)
            | Need::Conflict(_)
            | Need::Unfilterable(_)
            | Need::DuplicateVif(_)),
        ) => is(PortStatus::Error, need),
        Err(need) => Rendered::held(need),
    }
}

/// A port of the integration bridge without an `iface-id` is the operator's: it reaches the switch's own learning.
pub fn pass(view: &View<'_>, name: &Arc<str>) -> Rendered {
    let bridge = &view.config.integration_bridge;
    let Some(fact) = view.observed.port(name).filter(|p| p.bridge == *bridge) else {
        return Rendered::absent();
    };
    if fact.iface_id.is_some() || view.config.is_own_patch(name) {
        return Rendered::absent();
    }
    match view.ofport(bridge, name) {
        Err(need) => Rendered::blocked(need),
        Ok(port) => {
            let flow = Flow::new(int::LOCAL_SWITCHING, 1)
                .in_port(port)
                .actions([act::resubmit(int::TRANSIENT)]);
            let mut items = vec![Item::flow(bridge, flow)];
            let place = fact.tag.filter(|_| !fact.trunk).and_then(LocalVlan::new);
            if let Some(vlan) = place
                && view.config.firewall == FirewallDriver::OpenFlow
            {
                items.push(Item::flow(bridge, openflow::pass(port, vlan)));
            }
            Rendered::ready(items)
        }
    }
}
