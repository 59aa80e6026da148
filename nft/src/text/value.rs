//! Values by type: how the bytes of a register or key are shown.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::json::Json;
use crate::set::DataType;

/// A piece of output in both forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// As `nft list` has it.
    pub text: String,
    /// As `nft -j list` has it.
    pub json: Json,
}

impl Shown {
    /// The same text in both forms.
    pub fn word(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            json: Json::from(text.as_str()),
            text,
        }
    }

    /// A decimal number.
    pub fn number(number: u64) -> Self {
        Self {
            text: number.to_string(),
            json: number.into(),
        }
    }

    /// Both forms.
    pub fn new(text: impl Into<String>, json: Json) -> Self {
        Self {
            text: text.into(),
            json,
        }
    }
}

/// Text in quotes. Whoever wrote it cannot break out of its line: quotes, backslashes and control
/// characters are escaped.
pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        if c == '"' || c == '\\' || c.is_control() {
            out.push_str(&format!("\\x{:02x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out.push('"');
    out
}

/// What the bytes mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// A MAC address.
    Ether,
    /// A big-endian number, shown in decimal.
    Number,
    /// A host-endian number, shown in decimal.
    HostNumber,
    /// A host-endian number, shown as eight hexadecimal digits.
    Mark,
    /// A name of up to 16 bytes in quotes.
    Name,
    /// One of several names for numbers; network order.
    Names(&'static [(u64, &'static str)]),
    /// The same in host order.
    HostNames(&'static [(u64, &'static str)]),
    /// Bits with names, in host order.
    Bits(&'static [(u64, &'static str)]),
    /// Bits with names, in network order.
    NetBits(&'static [(u64, &'static str)]),
    /// Whether something is there.
    Exists,
    /// A big-endian number, shown as two hexadecimal digits.
    HexByte,
    /// A host-endian number that may have a name in a file of the system.
    Realm,
    /// A mark in network order, as ranges are compared.
    NetMark,
    /// Milliseconds in host order, shown in seconds.
    Milliseconds,
    /// The same in network order, as ranges are compared.
    NetMilliseconds,
    /// The numbers of the bits that are set.
    BitNumbers,
    /// A number with a name, or two hexadecimal digits; network order.
    HexNames(&'static [(u64, &'static str)]),
    /// A big-endian number without a meaning, shown in hexadecimal.
    Raw,
    /// A traffic class: two numbers of four hexadecimal digits, in host order.
    TrafficClass,
}

pub(super) const L4PROTO: &[(u64, &str)] = &[
    (1, "icmp"),
    (2, "igmp"),
    (6, "tcp"),
    (17, "udp"),
    (33, "dccp"),
    (47, "gre"),
    (50, "esp"),
    (51, "ah"),
    (58, "ipv6-icmp"),
    (108, "comp"),
    (132, "sctp"),
    (136, "udplite"),
];
pub(super) const NFPROTO: &[(u64, &str)] = &[(2, "ipv4"), (10, "ipv6")];
pub(super) const ETHERTYPE: &[(u64, &str)] = &[
    (0x0800, "ip"),
    (0x0806, "arp"),
    (0x86dd, "ip6"),
    (0x8100, "8021q"),
    (0x88a8, "8021ad"),
];
pub(super) const ICMP: &[(u64, &str)] = &[
    (0, "echo-reply"),
    (3, "destination-unreachable"),
    (4, "source-quench"),
    (5, "redirect"),
    (8, "echo-request"),
    (9, "router-advertisement"),
    (10, "router-solicitation"),
    (11, "time-exceeded"),
    (12, "parameter-problem"),
    (13, "timestamp-request"),
    (14, "timestamp-reply"),
    (15, "info-request"),
    (16, "info-reply"),
    (17, "address-mask-request"),
    (18, "address-mask-reply"),
];
pub(super) const ICMPV6: &[(u64, &str)] = &[
    (1, "destination-unreachable"),
    (2, "packet-too-big"),
    (3, "time-exceeded"),
    (4, "parameter-problem"),
    (128, "echo-request"),
    (129, "echo-reply"),
    (130, "mld-listener-query"),
    (131, "mld-listener-report"),
    (132, "mld-listener-done"),
    (133, "nd-router-solicit"),
    (134, "nd-router-advert"),
    (135, "nd-neighbor-solicit"),
    (136, "nd-neighbor-advert"),
    (137, "nd-redirect"),
    (138, "router-renumbering"),
    (141, "ind-neighbor-solicit"),
    (142, "ind-neighbor-advert"),
    (143, "mld2-listener-report"),
];
pub(super) const ICMP_CODE: &[(u64, &str)] = &[
    (0, "net-unreachable"),
    (1, "host-unreachable"),
    (2, "prot-unreachable"),
    (3, "port-unreachable"),
    (4, "frag-needed"),
    (9, "net-prohibited"),
    (10, "host-prohibited"),
    (13, "admin-prohibited"),
];
pub(super) const ICMPV6_CODE: &[(u64, &str)] = &[
    (0, "no-route"),
    (1, "admin-prohibited"),
    (3, "addr-unreachable"),
    (4, "port-unreachable"),
    (5, "policy-fail"),
    (6, "reject-route"),
];
pub(super) const DSCP: &[(u64, &str)] = &[
    (0x00, "cs0"),
    (0x01, "lephb"),
    (0x08, "cs1"),
    (0x0a, "af11"),
    (0x0c, "af12"),
    (0x0e, "af13"),
    (0x10, "cs2"),
    (0x12, "af21"),
    (0x14, "af22"),
    (0x16, "af23"),
    (0x18, "cs3"),
    (0x1a, "af31"),
    (0x1c, "af32"),
    (0x1e, "af33"),
    (0x20, "cs4"),
    (0x22, "af41"),
    (0x24, "af42"),
    (0x26, "af43"),
    (0x28, "cs5"),
    (0x2c, "va"),
    (0x2e, "ef"),
    (0x30, "cs6"),
    (0x38, "cs7"),
];
pub(super) const ECN: &[(u64, &str)] = &[(0, "not-ect"), (1, "ect1"), (2, "ect0"), (3, "ce")];
pub(super) const IGMP: &[(u64, &str)] = &[
    (0x11, "membership-query"),
    (0x12, "membership-report-v1"),
    (0x16, "membership-report-v2"),
    (0x17, "leave-group"),
    (0x22, "membership-report-v3"),
];
pub(super) const CT_EVENTS: &[(u64, &str)] = &[
    (0x1, "new"),
    (0x2, "related"),
    (0x4, "destroy"),
    (0x8, "reply"),
    (0x10, "assured"),
    (0x20, "protoinfo"),
    (0x40, "helper"),
    (0x80, "mark"),
    (0x100, "seqadj"),
    (0x200, "secmark"),
    (0x400, "label"),
];
pub(super) const CT_STATE: &[(u64, &str)] = &[
    (1, "invalid"),
    (2, "established"),
    (4, "related"),
    (8, "new"),
    (64, "untracked"),
];
pub(super) const CT_STATUS: &[(u64, &str)] = &[
    (0x1, "expected"),
    (0x2, "seen-reply"),
    (0x4, "assured"),
    (0x8, "confirmed"),
    (0x10, "snat"),
    (0x20, "dnat"),
    (0x200, "dying"),
];
pub(super) const CT_DIRECTION: &[(u64, &str)] = &[(0, "original"), (1, "reply")];
pub(super) const TCP_FLAGS: &[(u64, &str)] = &[
    (1, "fin"),
    (2, "syn"),
    (4, "rst"),
    (8, "psh"),
    (16, "ack"),
    (32, "urg"),
    (64, "ecn"),
    (128, "cwr"),
];
pub(super) const PKTTYPE: &[(u64, &str)] = &[
    (0, "host"),
    (1, "broadcast"),
    (2, "multicast"),
    (3, "other"),
];
pub(super) const ADDRTYPE: &[(u64, &str)] = &[
    (0, "unspec"),
    (1, "unicast"),
    (2, "local"),
    (3, "broadcast"),
    (4, "anycast"),
    (5, "multicast"),
    (6, "blackhole"),
    (7, "unreachable"),
    (8, "prohibit"),
];
pub(super) const ARPHRD: &[(u64, &str)] = &[(1, "ether"), (772, "loopback")];
pub(super) const ARPOP: &[(u64, &str)] = &[(1, "request"), (2, "reply")];

/// The number of up to eight bytes in the given order.
pub(super) fn number(bytes: &[u8], host: bool) -> u64 {
    let fold = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
    if host && cfg!(target_endian = "little") {
        bytes.iter().rev().fold(0, fold)
    } else {
        bytes.iter().fold(0, fold)
    }
}

fn name(names: &[(u64, &str)], value: u64) -> Shown {
    match names.iter().find(|(number, _)| *number == value) {
        Some((_, name)) => Shown::word(*name),
        None => Shown::number(value),
    }
}

/// Names of the set bits, and the rest as a number.
pub(super) fn bits(names: &[(u64, &'static str)], value: u64) -> Vec<Shown> {
    let mut left = value;
    let mut list = Vec::new();
    for (bit, name) in names {
        if left & bit == *bit {
            left &= !bit;
            list.push(Shown::word(*name));
        }
    }
    if left != 0 || list.is_empty() {
        list.push(Shown::new(format!("0x{left:x}"), left.into()));
    }
    list
}

impl Kind {
    /// Shows a value.
    pub fn show(self, bytes: &[u8]) -> Shown {
        match self {
            Self::Ipv4 => match <[u8; 4]>::try_from(bytes) {
                Ok(octets) => Shown::word(Ipv4Addr::from(octets).to_string()),
                Err(_) => Self::Number.show(bytes),
            },
            Self::Ipv6 => match <[u8; 16]>::try_from(bytes) {
                Ok(octets) => Shown::word(Ipv6Addr::from(octets).to_string()),
                Err(_) => Self::Number.show(bytes),
            },
            Self::Ether => {
                let pairs: Vec<_> = bytes.iter().map(|b| format!("{b:02x}")).collect();
                Shown::word(pairs.join(":"))
            }
            Self::Number if bytes.len() > 8 => hexadecimal(bytes),
            Self::Number => Shown::number(number(bytes, false)),
            Self::HostNumber if bytes.len() > 8 => hexadecimal(bytes),
            Self::HostNumber => Shown::number(number(bytes, true)),
            Self::Mark => {
                let mark = number(bytes, true);
                Shown::new(format!("0x{mark:08x}"), mark.into())
            }
            Self::Name => {
                let end = bytes.iter().position(|b| *b == 0);
                let head = end.and_then(|end| bytes.get(..end)).unwrap_or(bytes);
                let mut text = String::from_utf8_lossy(head).into_owned();
                if end.is_none() && bytes.len() < 16 {
                    text.push('*');
                }
                Shown {
                    text: quoted(&text),
                    json: Json::from(text),
                }
            }
            Self::Names(names) => name(names, number(bytes, false)),
            Self::HostNames(names) => name(names, number(bytes, true)),
            Self::Bits(names) => joined(&bits(names, number(bytes, true)), ","),
            Self::NetBits(names) => joined(&bits(names, number(bytes, false)), " | "),
            Self::HexByte => {
                let byte = number(bytes, false);
                Shown::new(format!("0x{byte:02x}"), byte.into())
            }
            Self::Realm => Shown::word(number(bytes, true).to_string()),
            Self::NetMark => {
                let mark = number(bytes, false);
                Shown::new(format!("0x{mark:08x}"), mark.into())
            }
            Self::Milliseconds => seconds(number(bytes, true)),
            Self::NetMilliseconds => seconds(number(bytes, false)),
            Self::BitNumbers => joined(&bit_numbers(bytes), ","),
            Self::HexNames(names) => {
                let value = number(bytes, false);
                match names.iter().any(|(number, _)| *number == value) {
                    true => name(names, value),
                    false => Self::HexByte.show(bytes),
                }
            }
            Self::Raw if bytes.len() > 8 => hexadecimal(bytes),
            Self::Raw => {
                let value = number(bytes, false);
                Shown::new(format!("0x{value:x}"), value.into())
            }
            Self::TrafficClass => match number(bytes, true) {
                0 => Shown::word("none"),
                0xffff_ffff => Shown::word("root"),
                class => Shown::word(format!("{:x}:{:x}", class >> 16, class & 0xffff)),
            },
            Self::Exists => {
                let there = number(bytes, true) != 0;
                Shown::new(if there { "exists" } else { "missing" }, there.into())
            }
        }
    }

    /// The same after a conversion from host to network order.
    pub(super) const fn in_network_order(self) -> Self {
        match self {
            Self::HostNumber => Self::Number,
            Self::Mark => Self::NetMark,
            Self::Milliseconds => Self::NetMilliseconds,
            Self::HostNames(names) => Self::Names(names),
            other => other,
        }
    }

    /// What the values of a set's key or data type mean.
    pub fn of(data: DataType) -> Self {
        match data {
            DataType::IPV4_ADDR => Self::Ipv4,
            DataType::IPV6_ADDR => Self::Ipv6,
            DataType::ETHER_ADDR | DataType::LL_ADDR => Self::Ether,
            DataType::INET_PROTO => Self::Names(L4PROTO),
            DataType::NF_PROTO => Self::HostNames(NFPROTO),
            DataType::ETHER_TYPE => Self::Names(ETHERTYPE),
            DataType::ICMP_TYPE => Self::Names(ICMP),
            DataType::ICMPV6_TYPE => Self::Names(ICMPV6),
            DataType::TCP_FLAG => Self::NetBits(TCP_FLAGS),
            DataType::MARK => Self::Mark,
            DataType::IFNAME => Self::Name,
            DataType::CT_STATE => Self::Bits(CT_STATE),
            DataType::PKT_TYPE => Self::HostNames(PKTTYPE),
            DataType::ARP_OP => Self::Names(ARPOP),
            DataType::IFINDEX => Self::HostNumber,
            _ => Self::Number,
        }
    }
}

fn seconds(milliseconds: u64) -> Shown {
    let seconds = milliseconds / 1000;
    Shown::new(format!("{seconds}s"), seconds.into())
}

/// Of a bit set whose first byte holds the lowest bits.
fn bit_numbers(bytes: &[u8]) -> Vec<Shown> {
    let bits = (0_u64..).zip(
        bytes
            .iter()
            .flat_map(|byte| (0..8).map(move |i| byte >> i & 1)),
    );
    bits.filter(|(_, bit)| *bit == 1)
        .map(|(number, _)| Shown::number(number))
        .collect()
}

fn hexadecimal(bytes: &[u8]) -> Shown {
    let mut out = String::new();
    crate::saved::save_hex(bytes, &mut out);
    Shown::word(out)
}

pub(super) fn joined(list: &[Shown], separator: &str) -> Shown {
    if let [one] = list {
        return one.clone();
    }
    let text: Vec<_> = list.iter().map(|shown| shown.text.as_str()).collect();
    let json = list
        .iter()
        .map(|shown| shown.json.clone())
        .collect::<Vec<_>>();
    Shown::new(text.join(separator), json.into())
}

/// The name `nft` gives a set's type; concatenations joined with dots.
pub fn type_name(data: DataType) -> String {
    let one = |data: DataType| match data {
        DataType::VERDICT | DataType::VERDICT_WIRE => "verdict",
        DataType::NF_PROTO => "nf_proto",
        DataType::BITMASK => "bitmask",
        DataType::STRING => "string",
        DataType::LL_ADDR => "ll_addr",
        DataType::IPV4_ADDR => "ipv4_addr",
        DataType::IPV6_ADDR => "ipv6_addr",
        DataType::ETHER_ADDR => "ether_addr",
        DataType::ETHER_TYPE => "ether_type",
        DataType::ARP_OP => "arp_op",
        DataType::INET_PROTO => "inet_proto",
        DataType::INET_SERVICE => "inet_service",
        DataType::ICMP_TYPE => "icmp_type",
        DataType::TCP_FLAG => "tcp_flag",
        DataType::MARK => "mark",
        DataType::IFINDEX => "iface_index",
        DataType::CT_STATE => "ct_state",
        DataType::ICMPV6_TYPE => "icmpv6_type",
        DataType::PKT_TYPE => "pkt_type",
        DataType::IFNAME => "ifname",
        _ => "integer",
    };
    if data == DataType::VERDICT_WIRE {
        return String::from("verdict");
    }
    data.fields().map(one).collect::<Vec<_>>().join(" . ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_break_out_of_its_line() {
        assert_eq!(quoted("a\"\n}"), "\"a\\x22\\x0a}\"");
        assert_eq!(quoted("Büro"), "\"Büro\"");
    }
}
