//! What holds for every filtered port whatever its groups: sources, and the few services that need no rule.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Profile;
use crate::packet::{Body, Ip, Packet, Payload};
use crate::world::{Family, Mac, Port};

/// Whether rules are asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gate {
    /// It passes without, whatever is known of its connection.
    Open(&'static str),
    /// It does not pass, whatever they say.
    Shut(&'static str),
    /// They decide.
    Rules,
}

const ROUTER_ADVERTISEMENT: u8 = 134;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
/// From the unspecified address: listener reports and duplicate address detection.
const FROM_NOWHERE: [u8; 3] = [131, 135, 143];
/// Listener query, router advertisement, neighbour solicitation and advertisement.
const NEEDED_IN: [u8; 4] = [130, 134, 135, 136];

/// From the port.
pub fn egress(port: &Port, packet: &Packet, profile: &Profile) -> Gate {
    if !port.is_filtered() {
        return Gate::Open("not filtered");
    }
    if packet.vlan.is_some() {
        return Gate::Shut("tagged");
    }
    match &packet.body {
        Body::Other(_) => Gate::Shut("neither ARP nor IP"),
        Body::Arp { sha, spa, .. } => {
            if *sha == packet.from && may_send(port, packet.from, IpAddr::V4(*spa)) {
                Gate::Open("ARP")
            } else {
                Gate::Shut("ARP for another's address")
            }
        }
        Body::Ip(ip) => match ip.family() {
            Family::V4 => egress_v4(port, packet.from, ip),
            Family::V6 => egress_v6(port, packet.from, ip, profile),
        },
    }
}

fn egress_v4(port: &Port, from: Mac, ip: &Ip) -> Gate {
    let allowed = may_send(port, from, ip.src);
    let asks_all = ip.src == Ipv4Addr::UNSPECIFIED && ip.dst == Ipv4Addr::BROADCAST;
    if ip.is_udp(68, 67) && (allowed || asks_all && port.macs().contains(&from)) {
        return Gate::Open("DHCP client");
    }
    if !allowed {
        return Gate::Shut("another's source");
    }
    if ip.is_udp(67, 68) {
        return Gate::Shut("DHCP server");
    }
    Gate::Rules
}

fn egress_v6(port: &Port, from: Mac, ip: &Ip, profile: &Profile) -> Gate {
    if ip.src == Ipv6Addr::UNSPECIFIED {
        let to_link = matches!(ip.dst, IpAddr::V6(dst) if dst.segments()[0] == 0xff02);
        let kind = ip.icmpv6().is_some_and(|kind| FROM_NOWHERE.contains(&kind));
        let own = match ip.payload {
            Payload::Neighbour { target, .. } if profile.detects_own_only => {
                may_send(port, from, IpAddr::V6(target))
            }
            _ => true,
        };
        return if to_link && kind && own && port.macs().contains(&from) {
            Gate::Open("from the unspecified address")
        } else {
            Gate::Shut("from the unspecified address")
        };
    }
    if !may_send(port, from, ip.src) {
        return Gate::Shut("another's source");
    }
    if ip.is_udp(546, 547) {
        return Gate::Open("DHCP client");
    }
    if ip.is_udp(547, 546) {
        return Gate::Shut("DHCP server");
    }
    match (ip.icmpv6(), &ip.payload) {
        (Some(ROUTER_ADVERTISEMENT), _) => Gate::Shut("router advertisement"),
        (Some(NEIGHBOUR_ADVERTISEMENT), Payload::Neighbour { target, .. }) => {
            if may_send(port, from, IpAddr::V6(*target)) {
                Gate::Open("neighbour discovery")
            } else {
                Gate::Shut("another's neighbour advertisement")
            }
        }
        (Some(_), _) => Gate::Open("ICMPv6"),
        (None, _) => Gate::Rules,
    }
}

/// To the port.
pub fn ingress(port: &Port, packet: &Packet) -> Gate {
    if !port.is_filtered() {
        return Gate::Open("not filtered");
    }
    match &packet.body {
        Body::Arp { .. } => Gate::Open("ARP"),
        Body::Other(_) => Gate::Shut("neither ARP nor IP"),
        Body::Ip(ip) => {
            let dhcp = match ip.family() {
                Family::V4 => ip.is_udp(67, 68),
                Family::V6 => ip.is_udp(547, 546),
            };
            if dhcp {
                Gate::Open("DHCP reply")
            } else if ip.icmpv6().is_some_and(|kind| NEEDED_IN.contains(&kind)) {
                Gate::Open("neighbour discovery")
            } else {
                Gate::Rules
            }
        }
    }
}

/// Whether a source is one of the port's; a port without any address is held to its MAC only.
fn may_send(port: &Port, from: Mac, src: IpAddr) -> bool {
    let own = port
        .sources()
        .iter()
        .any(|(mac, net)| *mac == from && net.contains(&src));
    let link_local = port.macs().contains(&from) && src == IpAddr::V6(from.link_local());
    own || link_local || port.ips.is_empty() && from == port.mac
}
