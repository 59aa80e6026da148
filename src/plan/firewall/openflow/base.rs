//! What the firewall has once: the flows that every port relies on, a segment's zone, a group's word to people.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use ipnet::IpNet;
use ofproto::matching::FieldId;

use super::zones;
use crate::model::secgroup::protocol;
use crate::model::{Family, FirewallDriver, GroupId, LocalVlan, Ofport};
use crate::plan::cell::{CellId, Facet, Key, Need, SegKey};
use crate::plan::flows::{Flow, act, ct_state};
use crate::plan::render::{Item, Rendered, View};
use crate::plan::tables::int;

use super::rules::accept;

/// ICMPv6 types that every port receives: MLD query, RA, NS, NA (RFC 2710, RFC 4861).
const ICMPV6_IN: [u8; 4] = [130, 134, 135, 136];
/// A router advertisement (RFC 4861 §4.2).
const ROUTER_ADVERT: u8 = 134;
/// Ports of servers and clients of DHCP (RFC 2131 §4.1, RFC 8415 §7.2).
pub(super) const DHCP: [(Family, u16, u16); 2] = [(Family::V4, 67, 68), (Family::V6, 547, 546)];

/// A new connection.
fn new_connection(flow: Flow) -> Flow {
    flow.ct_state(ct_state::NEW, ct_state::EST)
}

/// The flows that every filtered port relies on.
pub fn flows() -> Vec<Flow> {
    let dropped = || act::resubmit(int::DROPPED);
    let mut flows = vec![
        Flow::new(int::BASE_EGRESS, 110)
            .ct_state(ct_state::TRK, 0)
            .actions([act::untrack(), act::resubmit(int::BASE_EGRESS)]),
        Flow::new(int::BASE_EGRESS, 10).actions([dropped()]),
        Flow::new(int::ACCEPT_OR_INGRESS, 80).actions([act::resubmit(int::NORMAL)]),
        Flow::new(int::BASE_INGRESS, 100)
            .arp()
            .actions([act::output_register()]),
        Flow::new(int::ACCEPTED_EGRESS, 1).actions([act::resubmit(int::NORMAL)]),
        Flow::new(int::ACCEPTED_INGRESS, 1).actions([act::output_register()]),
        Flow::new(int::NORMAL, 1).actions([act::normal()]),
    ];
    for table in [int::RULES_EGRESS, int::RULES_INGRESS] {
        flows.extend([
            Flow::new(table, 50)
                .ct_state(ct_state::TRK | ct_state::INV, 0)
                .actions([dropped()]),
            Flow::new(table, 40).actions([dropped()]),
        ]);
    }
    for (family, server, client) in DHCP {
        flows.extend([
            // Also where fragments are whole again.
            Flow::new(int::BASE_EGRESS, 70)
                .udp(family, server, client)
                .actions([dropped()]),
            Flow::new(int::RULES_EGRESS, 110)
                .udp(family, server, client)
                .actions([dropped()]),
            Flow::new(int::RULES_EGRESS, 110)
                .ip(family)
                .ct_state(ct_state::TRK, ct_state::INV | ct_state::RPL)
                .with(FieldId::CT_NW_PROTO, protocol::UDP)
                .with(FieldId::CT_TP_SRC, server)
                .with(FieldId::CT_TP_DST, client)
                .actions([dropped()]),
            Flow::new(int::BASE_INGRESS, 95)
                .udp(family, server, client)
                .actions([act::output_register()]),
        ]);
    }
    flows.extend([int::BASE_EGRESS, int::RULES_EGRESS].map(|table| {
        let priority = if table == int::BASE_EGRESS { 70 } else { 110 };
        Flow::new(table, priority)
            .icmpv6(ROUTER_ADVERT)
            .actions([dropped()])
    }));
    flows.extend(icmpv6_out());
    flows.extend([from_nowhere(), untold_fragments()]);
    for kind in ICMPV6_IN {
        flows.push(
            Flow::new(int::BASE_INGRESS, 100)
                .icmpv6(kind)
                .actions([act::output_register()]),
        );
    }
    for family in Family::ALL {
        let accepted = |table, priority| new_connection(Flow::new(table, priority).ip(family));
        flows.extend([
            accepted(int::ACCEPT_OR_INGRESS, 90)
                .actions([act::commit(), act::resubmit(int::ACCEPTED_EGRESS)]),
            accepted(int::ACCEPTED_INGRESS, 10).actions([act::commit(), act::output_register()]),
        ]);
    }
    for table in [
        int::BASE_EGRESS,
        int::RULES_EGRESS,
        int::ACCEPT_OR_INGRESS,
        int::BASE_INGRESS,
        int::RULES_INGRESS,
        int::DROPPED,
    ] {
        flows.push(Flow::new(table, 0).drop());
    }
    flows
}

/// What needs no rule to leave from an address of the port: ICMPv6, whatever conntrack makes of it. Neighbour discovery and
/// router advertisements have been judged before. The switch shows no types of fragments, so those that conntrack does
/// not follow, which may be router advertisements, do not leave.
fn icmpv6_out() -> [Flow; 2] {
    let out = || Flow::new(int::RULES_EGRESS, 100).ip(Family::V6);
    [
        out().with(FieldId::NW_PROTO, protocol::ICMPV6).whole(),
        out()
            .ct_state(ct_state::TRK, ct_state::INV)
            .with(FieldId::CT_NW_PROTO, protocol::ICMPV6),
    ]
    .map(|flow| flow.actions([accept(int::RULES_EGRESS)]))
}

/// Of what ICMPv6 conntrack does not follow are router advertisements, and fragments do not show which they are. No rule lets
/// them out.
fn untold_fragments() -> Flow {
    Flow::new(int::RULES_EGRESS, 110)
        .ip(Family::V6)
        .ct_state(ct_state::TRK | ct_state::INV, 0)
        .fragment()
        .actions([act::resubmit(int::DROPPED)])
}

/// Without an address nothing leaves but what [`port`](super::port) lets out, whatever the port may send from.
fn from_nowhere() -> Flow {
    Flow::new(int::BASE_EGRESS, 96)
        .ip(Family::V6)
        .ip_source(IpNet::from(IpAddr::V6(Ipv6Addr::UNSPECIFIED)))
        .actions([act::resubmit(int::DROPPED)])
}

/// A segment's conntrack zone. The flow counts its new connections; when it goes, the zone is emptied, before its
/// number may stand for another segment. It goes after everything that could put a connection into the zone, and comes
/// before a VIF gets the number; see [`zones`].
pub fn zone(view: &View<'_>, key: SegKey) -> Rendered {
    if view.config.firewall != FirewallDriver::OpenFlow {
        return Rendered::absent();
    }
    let Some(vlan) = view.vlans.of(key) else {
        return match view.index.leaving(key) {
            Some(cell) => Rendered::held(Need::Cell(Box::new(cell.clone()))),
            None => Rendered::absent(),
        };
    };
    let flow = zones::flow(vlan.number()).actions([act::resubmit(int::NORMAL)]);
    Rendered::ready(vec![Item::flow(&view.config.integration_bridge, flow)])
}

/// An operator's access port on a local VLAN reaches the filtered ports there through their rules.
pub fn pass(port: Ofport, vlan: LocalVlan) -> Flow {
    unfiltered(port, vlan)
}

/// From a port that nothing holds: straight to where accepted packets go.
pub(super) fn unfiltered(port: Ofport, vlan: LocalVlan) -> Flow {
    Flow::new(int::TRANSIENT, 100).in_port(port).actions([
        act::untrack(),
        act::load(FieldId::REG5, u32::from(port.number())),
        act::load(FieldId::REG6, u32::from(vlan.number())),
        act::resubmit(int::ACCEPT_OR_INGRESS),
    ])
}

/// Asks for nothing; says what is wrong with a group that ports are in.
pub fn group(view: &View<'_>, id: GroupId) -> Rendered {
    if !view.desired.is_complete() || view.desired.ports_in(id).next().is_none() {
        return Rendered::absent();
    }
    let why: Arc<str> = match view.desired.group(id) {
        None => format!(
            "security group {id} is not known: its ports pass only what their other groups allow"
        )
        .into(),
        Some(group) if !group.problems.is_empty() => format!(
            "rules of security group {} are left out: {}",
            group.name,
            group.problems.join("; ")
        )
        .into(),
        Some(_) => return Rendered::absent(),
    };
    Rendered::degraded(Vec::new(), Need::Group(why))
}

/// The guard cell of a port.
pub(super) fn guard_cell(port: crate::model::PortId) -> CellId {
    CellId::new(Key::Port(port), Facet::Guard)
}
