//! Header fields by name: what a payload load means once the protocol is known.

use super::json::Json;
use super::value::{
    ARPOP, DSCP, ECN, ETHERTYPE, ICMP, ICMP_CODE, ICMPV6, ICMPV6_CODE, IGMP, Kind, L4PROTO, Shown,
    TCP_FLAGS,
};
use crate::expr::PayloadBase;

/// A header field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldName {
    /// Protocol, for example `ip`.
    pub protocol: &'static str,
    /// Field, for example `saddr`.
    pub name: &'static str,
    /// Offset in bits.
    pub offset: u32,
    /// Length in bits.
    pub len: u32,
    /// How its value is shown.
    pub kind: Kind,
}

macro_rules! fields {
    ($protocol:literal: $( $name:literal $offset:literal $len:literal $kind:expr; )*) => {
        &[$( FieldName {
            protocol: $protocol, name: $name, offset: $offset, len: $len, kind: $kind,
        } ),*]
    };
}

const ETHER: &[FieldName] = fields! { "ether":
    "daddr" 0 48 Kind::Ether; "saddr" 48 48 Kind::Ether; "type" 96 16 Kind::Names(ETHERTYPE);
};
const VLAN: &[FieldName] = fields! { "vlan":
    "pcp" 112 3 Kind::Number; "dei" 115 1 Kind::Number; "id" 116 12 Kind::Number;
    "type" 128 16 Kind::Names(ETHERTYPE);
};
const IP: &[FieldName] = fields! { "ip":
    "version" 0 4 Kind::Number; "hdrlength" 4 4 Kind::Number; "dscp" 8 6 Kind::HexNames(DSCP);
    "ecn" 14 2 Kind::Names(ECN); "length" 16 16 Kind::Number; "id" 32 16 Kind::Number;
    "frag-off" 48 16 Kind::Number; "ttl" 64 8 Kind::Number;
    "protocol" 72 8 Kind::Names(L4PROTO); "checksum" 80 16 Kind::Number;
    "saddr" 96 32 Kind::Ipv4; "daddr" 128 32 Kind::Ipv4;
};
const IP6: &[FieldName] = fields! { "ip6":
    "version" 0 4 Kind::Number; "dscp" 4 6 Kind::HexNames(DSCP); "ecn" 10 2 Kind::Names(ECN);
    "flowlabel" 12 20 Kind::Number; "length" 32 16 Kind::Number;
    "nexthdr" 48 8 Kind::Names(L4PROTO); "hoplimit" 56 8 Kind::Number;
    "saddr" 64 128 Kind::Ipv6; "daddr" 192 128 Kind::Ipv6;
};
const ARP: &[FieldName] = fields! { "arp":
    "htype" 0 16 Kind::Number; "ptype" 16 16 Kind::Names(ETHERTYPE); "hlen" 32 8 Kind::Number;
    "plen" 40 8 Kind::Number; "operation" 48 16 Kind::Names(ARPOP);
    "saddr ether" 64 48 Kind::Ether; "saddr ip" 112 32 Kind::Ipv4;
    "daddr ether" 144 48 Kind::Ether; "daddr ip" 192 32 Kind::Ipv4;
};
const TCP: &[FieldName] = fields! { "tcp":
    "sport" 0 16 Kind::Number; "dport" 16 16 Kind::Number; "sequence" 32 32 Kind::Number;
    "ackseq" 64 32 Kind::Number; "doff" 96 4 Kind::Number;
    "flags" 104 8 Kind::NetBits(TCP_FLAGS); "window" 112 16 Kind::Number;
    "checksum" 128 16 Kind::Number; "urgptr" 144 16 Kind::Number;
};
const UDP: &[FieldName] = fields! { "udp":
    "sport" 0 16 Kind::Number; "dport" 16 16 Kind::Number; "length" 32 16 Kind::Number;
    "checksum" 48 16 Kind::Number;
};
const UDPLITE: &[FieldName] = fields! { "udplite":
    "sport" 0 16 Kind::Number; "dport" 16 16 Kind::Number; "checksum" 48 16 Kind::Number;
};
const SCTP: &[FieldName] = fields! { "sctp":
    "sport" 0 16 Kind::Number; "dport" 16 16 Kind::Number; "vtag" 32 32 Kind::Number;
    "checksum" 64 32 Kind::Number;
};
const DCCP: &[FieldName] = fields! { "dccp":
    "sport" 0 16 Kind::Number; "dport" 16 16 Kind::Number;
};
const ICMP_FIELDS: &[FieldName] = fields! { "icmp":
    "type" 0 8 Kind::Names(ICMP); "code" 8 8 Kind::Names(ICMP_CODE); "checksum" 16 16 Kind::Number;
    "id" 32 16 Kind::Number; "sequence" 48 16 Kind::Number;
};
const ICMPV6_FIELDS: &[FieldName] = fields! { "icmpv6":
    "type" 0 8 Kind::Names(ICMPV6); "code" 8 8 Kind::Names(ICMPV6_CODE); "checksum" 16 16 Kind::Number;
    "id" 32 16 Kind::Number; "sequence" 48 16 Kind::Number; "taddr" 64 128 Kind::Ipv6;
};
const IGMP_FIELDS: &[FieldName] = fields! { "igmp":
    "type" 0 8 Kind::Names(IGMP); "mrt" 8 8 Kind::Number; "checksum" 16 16 Kind::Number;
    "group" 32 32 Kind::Ipv4;
};
const ESP: &[FieldName] = fields! { "esp":
    "spi" 0 32 Kind::Number; "sequence" 32 32 Kind::Number;
};
const AH: &[FieldName] = fields! { "ah":
    "nexthdr" 0 8 Kind::Names(L4PROTO); "hdrlength" 8 8 Kind::Number;
    "reserved" 16 16 Kind::Number; "spi" 32 32 Kind::Number; "sequence" 64 32 Kind::Number;
};
const COMP: &[FieldName] = fields! { "comp":
    "nexthdr" 0 8 Kind::Names(L4PROTO); "flags" 8 8 Kind::HexByte; "cpi" 16 16 Kind::Number;
};
const TH: &[FieldName] = fields! { "th":
    "sport" 0 16 Kind::Number; "dport" 16 16 Kind::Number;
};

/// What earlier comparisons of a rule, or its family, say about the protocols.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Protocols {
    /// Ethernet type of the network layer, or of a VLAN tag.
    pub network: Option<u16>,
    /// Transport protocol.
    pub transport: Option<u8>,
}

impl Protocols {
    fn table(self, base: PayloadBase, offset: u32) -> Option<&'static [FieldName]> {
        match (base, self.network, self.transport) {
            (PayloadBase::LINK, Some(0x8100), _) if offset >= 112 => Some(VLAN),
            (PayloadBase::LINK, ..) => Some(ETHER),
            (PayloadBase::NETWORK, Some(0x0800), _) => Some(IP),
            (PayloadBase::NETWORK, Some(0x86dd), _) => Some(IP6),
            (PayloadBase::NETWORK, Some(0x0806), _) => Some(ARP),
            (PayloadBase::TRANSPORT, _, Some(1)) => Some(ICMP_FIELDS),
            (PayloadBase::TRANSPORT, _, Some(2)) => Some(IGMP_FIELDS),
            (PayloadBase::TRANSPORT, _, Some(6)) => Some(TCP),
            (PayloadBase::TRANSPORT, _, Some(17)) => Some(UDP),
            (PayloadBase::TRANSPORT, _, Some(33)) => Some(DCCP),
            (PayloadBase::TRANSPORT, _, Some(50)) => Some(ESP),
            (PayloadBase::TRANSPORT, _, Some(51)) => Some(AH),
            (PayloadBase::TRANSPORT, _, Some(58)) => Some(ICMPV6_FIELDS),
            (PayloadBase::TRANSPORT, _, Some(108)) => Some(COMP),
            (PayloadBase::TRANSPORT, _, Some(132)) => Some(SCTP),
            (PayloadBase::TRANSPORT, _, Some(136)) => Some(UDPLITE),
            (PayloadBase::TRANSPORT, _, None) => Some(TH),
            _ => None,
        }
    }

    /// The field at a position in bits, or at its start if it is longer (address prefixes).
    pub fn field(self, base: PayloadBase, offset: u32, len: u32) -> Option<FieldName> {
        let table = self.table(base, offset)?;
        let exact = table.iter().find(|f| f.offset == offset && f.len == len);
        let longer = || {
            table
                .iter()
                .find(|f| f.offset == offset && f.len > len && is_address(f.kind))
        };
        exact.or_else(longer).copied()
    }

    /// The fields that together fill a position.
    pub fn run(self, base: PayloadBase, offset: u32, len: u32) -> Option<Vec<FieldName>> {
        let mut at = offset;
        let mut run = Vec::new();
        for field in self.table(base, offset)? {
            if field.offset == at && at.saturating_add(field.len) <= offset.saturating_add(len) {
                run.push(*field);
                at = at.saturating_add(field.len);
            }
        }
        (at == offset.saturating_add(len) && run.len() > 1).then_some(run)
    }
}

/// Whether prefixes of it are shown as such.
pub fn is_address(kind: Kind) -> bool {
    matches!(kind, Kind::Ipv4 | Kind::Ipv6)
}

impl FieldName {
    /// The field by name.
    pub fn show(&self) -> Shown {
        let json = Json::object([
            ("protocol", self.protocol.into()),
            ("field", self.name.into()),
        ]);
        Shown::new(
            format!("{} {}", self.protocol, self.name),
            Json::one("payload", json),
        )
    }
}

/// A position without a name.
pub fn raw(base: PayloadBase, offset: u32, len: u32) -> Shown {
    let name = match base {
        PayloadBase::LINK => "ll",
        PayloadBase::NETWORK => "nh",
        PayloadBase::TRANSPORT => "th",
        _ => "ih",
    };
    let json = Json::object([
        ("base", name.into()),
        ("offset", offset.into()),
        ("len", len.into()),
    ]);
    Shown::new(
        format!("@{name},{offset},{len}"),
        Json::one("payload", json),
    )
}
