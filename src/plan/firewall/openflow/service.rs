//! What a rule says of protocol and ports, as criteria of a match.
//!
//! Two forms. *On the wire*: the packet's own fields. *By the connection*: the tuple that conntrack keeps of a
//! connection's first direction; it is what replies are judged by. OpenFlow has no port fields for DCCP and UDP-Lite:
//! rules that name their ports have the second form only.
//!
//! Fragments show no ports, not even the first one. Linux conntrack hands on whole packets. That of the userspace
//! datapath hands on fragments when all of a packet are there: the first is judged by the connection, the others by
//! their protocol alone, and all of them have to go through conntrack once more before they leave, where they wait for
//! each other. So a packet passes if and only if its first fragment is allowed. Without conntrack fragments pass only by
//! rules that ask for no ports; those of IPv6 go through it all the same, for it alone tells the protocol of a later one.

use ofproto::matching::FieldId;

use crate::model::{Family, Service, secgroup::protocol};
use crate::plan::flows::Flow;

/// A value and the bits of it that count.
type Masked = (u16, u16);

/// The blocks of equal leading bits that make up `min..=max`, in order.
pub fn blocks(min: u16, max: u16) -> Vec<Masked> {
    let mut blocks = Vec::new();
    let (mut at, end) = (u32::from(min), u32::from(max));
    while at <= end {
        let mut size = if at == 0 {
            1 << 16
        } else {
            at & at.wrapping_neg()
        };
        while at + size - 1 > end {
            size >>= 1;
        }
        let low = |n: u32| (n & 0xffff) as u16;
        blocks.push((low(at), low(!(size - 1))));
        at += size;
    }
    blocks
}

/// The field of a protocol's destination port, where OpenFlow has one.
fn port_field(number: u8) -> Option<FieldId> {
    match number {
        protocol::TCP => Some(FieldId::TCP_DST),
        protocol::UDP => Some(FieldId::UDP_DST),
        protocol::SCTP => Some(FieldId::SCTP_DST),
        _ => None,
    }
}

/// `true` if the rule looks at fields that fragments do not show.
pub fn looks_deeper(service: Service) -> bool {
    matches!(service, Service::Ports { .. } | Service::Icmp { .. })
}

/// The flow, once for each match that the service needs, by the packet's own fields.
pub fn on_the_wire(flow: &Flow, family: Family, service: Service) -> Vec<Flow> {
    let Some(number) = service.protocol(family) else {
        return vec![flow.clone()];
    };
    let of_protocol = flow.clone().with(FieldId::NW_PROTO, number);
    match service {
        Service::Any | Service::Protocol(_) => vec![of_protocol],
        Service::Ports { min, max, .. } => {
            let Some(field) = port_field(number) else {
                return Vec::new();
            };
            let one = |(value, mask)| {
                let flow = of_protocol.clone().masked(field, value, mask);
                whole_if_zero(flow, value, mask)
            };
            blocks(min, max).into_iter().map(one).collect()
        }
        Service::Icmp { kind, code } => {
            let (types, codes) = match family {
                Family::V4 => (FieldId::ICMP_TYPE, FieldId::ICMP_CODE),
                Family::V6 => (FieldId::ICMPV6_TYPE, FieldId::ICMPV6_CODE),
            };
            let flow = whole_if_zero(of_protocol.with(types, kind), u16::from(kind), u16::MAX);
            vec![match code {
                None => flow,
                Some(code) => flow.with(codes, code),
            }]
        }
    }
}

/// The same by the connection's tuple. The flow says already that there is a connection.
pub fn by_connection(flow: &Flow, family: Family, service: Service) -> Vec<Flow> {
    let Some(number) = service.protocol(family) else {
        return vec![flow.clone()];
    };
    let of_protocol = flow.clone().with(FieldId::CT_NW_PROTO, number);
    match service {
        Service::Any | Service::Protocol(_) => vec![of_protocol],
        Service::Ports { min, max, .. } => blocks(min, max)
            .into_iter()
            .map(|(value, mask)| of_protocol.clone().masked(FieldId::CT_TP_DST, value, mask))
            .collect(),
        // Type and code stand where ports would (`net/openvswitch/conntrack.c`, `lib/conntrack.c`).
        Service::Icmp { kind, code } => {
            let flow = of_protocol.with(FieldId::CT_TP_SRC, u16::from(kind));
            vec![match code {
                None => flow,
                Some(code) => flow.with(FieldId::CT_TP_DST, u16::from(code)),
            }]
        }
    }
}

/// `true` if the wire form says nothing of this service: OpenFlow has no field for it.
pub fn is_unseen(service: Service) -> bool {
    matches!(service, Service::Ports { protocol, .. } if port_field(protocol).is_none())
}

/// The switch reads 0 where a fragment would have ports, also where it has (`rule_dpif_lookup_from_table` of
/// `ofproto-dpif.c`): a match on 0 must not take it for one.
fn whole_if_zero(flow: Flow, value: u16, mask: u16) -> Flow {
    if value == 0 && mask != 0 {
        flow.whole()
    } else {
        flow
    }
}

/// The flow for what is known of later fragments: the connection's protocol.
pub fn by_protocol(flow: &Flow, family: Family, service: Service) -> Flow {
    match service.protocol(family) {
        Some(number) => flow.clone().with(FieldId::CT_NW_PROTO, number),
        None => flow.clone(),
    }
}

/// Replies of the service, by the connection; those of SCTP by their own source port, because the userspace datapath
/// keeps no ports of it.
pub fn replies(flow: &Flow, family: Family, service: Service) -> Vec<Flow> {
    match service {
        Service::Ports {
            protocol: protocol::SCTP,
            min,
            max,
        } => {
            let flow = flow.clone().with(FieldId::NW_PROTO, protocol::SCTP);
            let one = |(value, mask)| {
                let flow = flow.clone().masked(FieldId::SCTP_SRC, value, mask);
                whole_if_zero(flow, value, mask)
            };
            blocks(min, max).into_iter().map(one).collect()
        }
        _ => by_connection(flow, family, service),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_a_range_exactly() {
        assert_eq!(blocks(80, 80), [(80, 0xffff)]);
        assert_eq!(blocks(0, 65535), [(0, 0)]);
        assert_eq!(blocks(1, 65535).len(), 16);
        assert_eq!(
            blocks(1000, 1999),
            [
                (0x3e8, 0xfff8),
                (0x3f0, 0xfff0),
                (0x400, 0xfe00),
                (0x600, 0xff00),
                (0x700, 0xff80),
                (0x780, 0xffc0),
                (0x7c0, 0xfff0)
            ]
        );
        for (min, max) in [(0, 0), (5, 9), (65535, 65535), (32767, 32768), (1, 1024)] {
            let blocks = blocks(min, max);
            for port in 0..=u16::MAX {
                let hits = blocks.iter().filter(|(v, m)| port & m == *v).count();
                assert_eq!(hits, usize::from((min..=max).contains(&port)), "{port}");
            }
        }
    }
}
