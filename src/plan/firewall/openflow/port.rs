//! A port's own flows: where its packets enter, the addresses it may send from, and whose rules judge what it gets.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use ofproto::matching::FieldId;
use rustc_hash::FxHashMap;

use super::base::{DHCP, unfiltered};
use super::ids::Profile;
use super::{PROFILE_HIGH, PROFILE_LOW, halves};
use crate::model::{Family, LocalVlan, Mac, Ofport, OfportState, Port, PortId, Remote};
use crate::ops::flow::FlowKey;
use crate::plan::cell::{CellId, Facet, Key, Need};
use crate::plan::flows::{Flow, act, ct_state};
use crate::plan::render::{Item, Rendered, View};
use crate::plan::tables::int;

/// What a port sends for neighbour discovery and as a listener, from its own addresses: MLD query, report and done,
/// RS, NS, MLDv2 report (RFC 2710, RFC 3810, RFC 4861).
const ICMPV6_OUT: [u8; 6] = [130, 131, 132, 133, 135, 143];
/// What it sends without an address, to link-local groups: MLD reports; and NS for an address it is about to take.
const ICMPV6_OUT_UNSPECIFIED: [u8; 2] = [131, 143];
const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;

/// The flows without which the port must not get its tag. They change when what they lead to stands, and go when its
/// VIF is on the dead VLAN.
pub fn guard(view: &View<'_>, id: PortId) -> Rendered {
    let bridge = &view.config.integration_bridge;
    if let Some(name) = view.lingering(id) {
        let mut numbers = view.observed.vifs(id, bridge).map(|vif| vif.ofport);
        let stands = numbers.any(|number| match number {
            OfportState::Assigned(number) => stands_as_number(view, number),
            OfportState::Unassigned | OfportState::Failed => false,
        });
        let tag = CellId::new(Key::Vif(name), Facet::Tag);
        let need = Need::Cell(Box::new(tag));
        return match stands {
            true => Rendered::held(need),
            false => Rendered::blocked(need),
        };
    }
    let attachment = view.attachments.get(&id);
    let (Some(attachment), Some(port)) = (attachment, view.desired.port(id)) else {
        return Rendered::absent();
    };
    if !view.desired.is_complete() {
        return Rendered::held(Need::Snapshot);
    }
    let Some(vlan) = view.vlans.of(attachment.segment) else {
        return Rendered::blocked(Need::LocalVlan);
    };
    let ofport = match view.ofport(bridge, &attachment.vif) {
        Ok(ofport) => ofport,
        Err(need) => return Rendered::blocked(need),
    };
    let is_wired = || {
        let vif = view.observed.port(&attachment.vif);
        vif.is_some_and(|vif| view.may_be_wired(vif))
    };
    let flows = match view.index.profile(id) {
        None => entry(ofport)
            .into_iter()
            .chain([unfiltered(ofport, vlan)])
            .collect(),
        Some(profile) => {
            match missing(view, profile) {
                None => {}
                // It goes to the dead VLAN first.
                Some(need @ (Need::Failed(..) | Need::Conflict(_))) if is_wired() => {
                    return Rendered::held(need);
                }
                Some(need @ (Need::Failed(..) | Need::Conflict(_))) => {
                    return Rendered::blocked(need);
                }
                // Until the flows were read, what stands is not known, and stays.
                Some(need)
                    if view.has_read_flows()
                        && !view.is_installed(&FlowKey::no_flood(ofport.number())) =>
                {
                    return Rendered::blocked(need);
                }
                Some(need) => return Rendered::held(need),
            }
            filtered(port, ofport, vlan, profile)
        }
    };
    Rendered::ready(
        flows
            .into_iter()
            .map(|flow| Item::flow(bridge, flow))
            .collect(),
    )
}

/// `true` if flows of the port may stand for this number of it: after the switch gave new ones, those of the old number
/// must not be kept. Before the switch was read anything may stand.
fn stands_as_number(view: &View<'_>, port: Ofport) -> bool {
    let [first, _] = entry(port);
    view.may_stand(&first.key)
}

/// What of the profile does not stand yet. A set's flow that is refused allows less, and holds nothing up.
fn missing(view: &View<'_>, profile: &Profile) -> Option<Need> {
    if let Err(need) = view.stands(Key::FlowProfile(profile.clone()), Facet::FlowRules) {
        return Some(need);
    }
    let rules = profile.known(view.desired).flat_map(|group| &group.rules);
    let sets = rules.filter_map(|rule| match rule.remote {
        Remote::Set(set) => Some(set),
        Remote::Any | Remote::Prefix(_) => None,
    });
    sets.filter_map(|set| view.stands(Key::Remote(set), Facet::FlowSet).err())
        .find(|need| !matches!(need, Need::Failed(..)))
}

/// Untagged packets enter. So do those with a priority and no VLAN (IEEE 802.1Q §6.9).
fn entry(port: Ofport) -> [Flow; 2] {
    let flow = || Flow::new(int::LOCAL_SWITCHING, 9).in_port(port);
    [
        flow().untagged().actions([act::resubmit(int::TRANSIENT)]),
        flow()
            .vlan(0)
            .actions([act::strip_vlan(), act::resubmit(int::TRANSIENT)]),
    ]
}

fn filtered(port: &Port, ofport: Ofport, vlan: LocalVlan, profile: &Profile) -> Vec<Flow> {
    let mut flows: FxHashMap<_, Flow> = FxHashMap::default();
    let mut add = |flow: Flow| {
        flows.insert(flow.key.clone(), flow);
    };
    entry(ofport).into_iter().for_each(&mut add);
    let (high, low) = halves(profile);
    let judge = [act::load(PROFILE_HIGH, high), act::load(PROFILE_LOW, low)];
    let number = u32::from(ofport.number());
    add(Flow::new(int::TRANSIENT, 100).in_port(ofport).actions(
        [
            act::load(FieldId::REG5, number),
            act::load(FieldId::REG6, u32::from(vlan.number())),
        ]
        .into_iter()
        .chain(judge.clone())
        .chain([act::resubmit(int::BASE_EGRESS)]),
    ));
    for mac in macs(port) {
        add(asks_for_address(ofport, mac));
        add(announces_itself(ofport, mac));
    }
    for source in sources(port) {
        egress(ofport, source, profile.stateful, &mut add);
    }
    let to_rules = |flow: Flow, last| flow.actions(judge.iter().cloned().chain([last]));
    for family in Family::ALL {
        let flow = Flow::new(int::BASE_INGRESS, 90)
            .with(FieldId::REG5, number)
            .ip(family);
        add(match profile.stateful {
            true => to_rules(
                flow.ct_state(0, ct_state::TRK),
                act::track(int::RULES_INGRESS),
            ),
            false => to_rules(flow, act::resubmit(int::RULES_INGRESS)),
        });
    }
    let to_port = |priority| Flow::new(int::BASE_INGRESS, priority).with(FieldId::REG5, number);
    add(match profile.stateful {
        true => to_rules(
            to_port(80).ct_state(ct_state::TRK, 0),
            act::resubmit(int::RULES_INGRESS),
        ),
        // Conntrack alone tells the protocol of a later fragment.
        false => to_rules(
            to_port(91)
                .ip(Family::V6)
                .fragment()
                .ct_state(0, ct_state::TRK),
            act::track(int::RULES_INGRESS),
        ),
    });
    let mut flows: Vec<Flow> = flows.into_values().collect();
    flows.push(Flow::of(FlowKey::no_flood(ofport.number())));
    flows
}

/// Who may send: a hardware address with a prefix.
type Source = (Mac, IpNet);

/// The pairs that a port may send from, each once and in order. A port without any address is held to its hardware
/// address alone.
pub(super) fn sources(port: &Port) -> Vec<Source> {
    let any = |v4| match v4 {
        true => IpNet::V4(Ipv4Net::default()),
        false => IpNet::V6(Ipv6Net::default()),
    };
    let mut sources: Vec<Source> = port
        .fixed_ips
        .iter()
        .map(|fixed| (port.mac, IpNet::from(fixed.ip)))
        .collect();
    if sources.is_empty() {
        sources.extend([(port.mac, any(true)), (port.mac, any(false))]);
    }
    for pair in &port.allowed_pairs {
        sources.push((pair.mac.unwrap_or(port.mac), pair.prefix.trunc()));
    }
    let link_local = |mac: &Mac| (*mac, IpNet::from(IpAddr::V6(mac.link_local())));
    let own: Vec<Source> = macs(port).iter().map(link_local).collect();
    sources.extend(own);
    sources.sort_unstable();
    sources.dedup();
    sources
}

/// The hardware addresses of a port, each once and in order.
pub(super) fn macs(port: &Port) -> Vec<Mac> {
    let mut macs = vec![port.mac];
    macs.extend(port.allowed_pairs.iter().filter_map(|pair| pair.mac));
    macs.sort_unstable();
    macs.dedup();
    macs
}

/// By DHCP, from no address to everybody (RFC 2131 §4.1), whatever addresses the port has.
fn asks_for_address(port: Ofport, mac: Mac) -> Flow {
    let (family, server, client) = DHCP[0];
    let [nobody, everybody] = [[0; 4], [255; 4]].map(|ip| IpNet::from(IpAddr::from(ip)));
    Flow::new(int::BASE_EGRESS, 80)
        .in_port(port)
        .source(mac)
        .udp(family, client, server)
        .ip_source(nobody)
        .ip_destination(everybody)
        .actions([act::resubmit(int::ACCEPT_OR_INGRESS)])
}

/// By RARP, as after a migration: it names no address.
fn announces_itself(port: Ofport, mac: Mac) -> Flow {
    Flow::new(int::BASE_EGRESS, 95)
        .in_port(port)
        .source(mac)
        .rarp()
        .actions([act::resubmit(int::NORMAL)])
}

fn egress(port: Ofport, (mac, net): Source, stateful: bool, add: &mut impl FnMut(Flow)) {
    let family = Family::of_net(net);
    let from = |priority| {
        Flow::new(int::BASE_EGRESS, priority)
            .in_port(port)
            .source(mac)
    };
    let on = || [act::resubmit(int::ACCEPT_OR_INGRESS)];
    let to_rules = match stateful {
        true => act::track(int::RULES_EGRESS),
        false => act::resubmit(int::RULES_EGRESS),
    };
    add(from(65).ip(family).ip_source(net).actions([to_rules]));
    if !stateful && family == Family::V6 {
        add(from(66)
            .ip(family)
            .ip_source(net)
            .fragment()
            .actions([act::track(int::RULES_EGRESS)]));
    }
    let (_, server, client) = DHCP[usize::from(family == Family::V6)];
    let dhcp = || from(80).udp(family, client, server);
    add(dhcp().ip_source(net).actions(on()));
    match net {
        IpNet::V4(net) => {
            add(from(95)
                .arp()
                .with(FieldId::ARP_SHA, mac.0)
                .arp_sender(net)
                .actions([act::resubmit(int::NORMAL)]));
        }
        IpNet::V6(target) => {
            for kind in ICMPV6_OUT {
                add(from(95)
                    .icmpv6(kind)
                    .ip_source(IpNet::V6(target))
                    .actions(on()));
            }
            add(from(95)
                .icmpv6(NEIGHBOUR_ADVERTISEMENT)
                .ip_source(IpNet::V6(target))
                .actions([act::resubmit(int::ARP_SPOOF)]));
            unspecified(from(97), add);
            for kind in [NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT] {
                add(Flow::new(int::ARP_SPOOF, 2)
                    .in_port(port)
                    .source(mac)
                    .icmpv6(kind)
                    .nd_target(target)
                    .actions(on()));
            }
        }
    }
}

/// Without an address (RFC 4862 §5.4.2, RFC 3590): to link-local groups. Nothing else, so it goes before what everybody's
/// lack of an address forbids.
fn unspecified(from: Flow, add: &mut impl FnMut(Flow)) {
    let groups = Ipv6Net::new_assert(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0), 16);
    let nobody = IpNet::from(IpAddr::from([0u16; 8]));
    let to_group = |kind| {
        from.clone()
            .icmpv6(kind)
            .ip_source(nobody)
            .ip_destination(IpNet::V6(groups))
    };
    for kind in ICMPV6_OUT_UNSPECIFIED {
        add(to_group(kind).actions([act::resubmit(int::ACCEPT_OR_INGRESS)]));
    }
    add(to_group(NEIGHBOUR_SOLICITATION).actions([act::resubmit(int::ARP_SPOOF)]));
}
