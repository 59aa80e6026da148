//! A one-line summary of an Ethernet frame, as messages that carry one print it.
//!
//! Owns: just enough parsing of Ethernet, VLAN, MPLS, ARP, IPv4, IPv6, TCP, UDP, SCTP and ICMP to
//! name the fields a flow would match. A frame that ends early shows zeros for what is missing.

use std::fmt::{self, Write};

use crate::matching::{FieldId, Match};

use super::match_print::{
    DEFAULT_PRIORITY, ETH_ARP, ETH_IPV4, ETH_IPV6, ETH_MPLS, ETH_MPLS_MCAST, ETH_RARP,
    write_match_with_inner_vlan,
};

/// Addresses and type; a frame without them has nothing to show.
const ETH_HEADER: usize = 14;
const ETH_VLAN: [u16; 2] = [0x8100, 0x88a8];
/// Below this an Ethertype is a length (IEEE 802.3).
const MIN_ETHERTYPE: u16 = 0x0600;
/// Shown for frames without an Ethertype (`FLOW_DL_TYPE_NONE`).
const NO_ETHERTYPE: u16 = 0x05ff;
const TAGGED: u16 = 0x1000;

const ICMP: u8 = 1;
const IGMP: u8 = 2;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;
const SCTP: u8 = 132;

/// Writes the summary and a newline.
pub(crate) fn write_packet(out: &mut dyn Write, frame: &[u8]) -> fmt::Result {
    let mut packet = Packet {
        rest: frame,
        matching: Match::new(),
        inner_vlan: None,
        inner_labels: [None; 2],
        checksum: None,
    };
    packet.ethernet();
    write_match_with_inner_vlan(out, &packet.matching, DEFAULT_PRIORITY, packet.inner_vlan)?;
    for (label, number) in packet.inner_labels.iter().flatten().zip(1..) {
        write!(out, ",mpls_lse{number}={label}")?;
    }
    if let Some((name, value)) = packet.checksum {
        write!(out, " {name}:{value:x}")?;
    }
    out.write_char('\n')
}

struct Packet<'a> {
    rest: &'a [u8],
    matching: Match,
    inner_vlan: Option<u16>,
    inner_labels: [Option<u32>; 2],
    checksum: Option<(&'static str, u32)>,
}

impl<'a> Packet<'a> {
    fn set(&mut self, field: FieldId, value: impl Into<u128>) {
        let value = value.into();
        self.matching.put(field, value, field.info().full_mask());
    }

    fn take<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (head, tail) = self.rest.split_first_chunk::<N>()?;
        self.rest = tail;
        Some(head)
    }

    fn ethernet(&mut self) {
        self.set(FieldId::ETH_SRC, 0u8);
        self.set(FieldId::ETH_DST, 0u8);
        self.set(FieldId::VLAN_TCI, 0u8);
        let whole = self.rest.len() >= ETH_HEADER;
        let addresses = whole.then(|| self.take::<12>()).flatten();
        let Some(&[a, b, c, d, e, f, g, h, i, j, k, l]) = addresses else {
            self.set(FieldId::ETH_TYPE, 0u8);
            return;
        };
        self.set(FieldId::ETH_DST, be48([a, b, c, d, e, f]));
        self.set(FieldId::ETH_SRC, be48([g, h, i, j, k, l]));
        self.vlans();
        let ethertype = self.ethertype();
        self.set(FieldId::ETH_TYPE, ethertype);
        match u128::from(ethertype) {
            ETH_IPV4 => self.ipv4(),
            ETH_IPV6 => self.ipv6(),
            ETH_ARP | ETH_RARP => self.arp(),
            ETH_MPLS | ETH_MPLS_MCAST => self.mpls(),
            _ => {}
        }
    }

    /// Up to two tags; a flow knows no more.
    fn vlans(&mut self) {
        for depth in 0..2 {
            let Some(&[high, low, tci_high, tci_low, ..]) = self.rest.first_chunk::<6>() else {
                return;
            };
            if !ETH_VLAN.contains(&u16::from_be_bytes([high, low])) {
                return;
            }
            self.rest = self.rest.get(4..).unwrap_or(&[]);
            let tci = u16::from_be_bytes([tci_high, tci_low]) | TAGGED;
            if depth == 0 {
                self.set(FieldId::VLAN_TCI, tci);
                self.inner_vlan = Some(0);
            } else {
                self.inner_vlan = Some(tci);
            }
        }
    }

    fn ethertype(&mut self) -> u16 {
        let Some(bytes) = self.take::<2>() else {
            return NO_ETHERTYPE;
        };
        let value = u16::from_be_bytes(*bytes);
        if value >= MIN_ETHERTYPE {
            return value;
        }
        // An LLC and SNAP header may carry an Ethertype (organisation 0).
        match self.rest.first_chunk::<8>() {
            Some(&[0xaa, 0xaa, 0x03, 0, 0, 0, high, low]) => {
                self.rest = self.rest.get(8..).unwrap_or(&[]);
                let inner = u16::from_be_bytes([high, low]);
                if inner >= MIN_ETHERTYPE {
                    inner
                } else {
                    NO_ETHERTYPE
                }
            }
            _ => NO_ETHERTYPE,
        }
    }

    /// The first label, and up to two more behind it.
    fn mpls(&mut self) {
        const BOTTOM: u32 = 0x100;
        let mut word = self
            .take::<4>()
            .map_or(0, |bytes| u32::from_be_bytes(*bytes));
        self.set(FieldId::MPLS_LABEL, word >> 12);
        self.set(FieldId::MPLS_TC, word >> 9 & 7);
        self.set(FieldId::MPLS_TTL, word & 0xff);
        self.set(FieldId::MPLS_BOS, word >> 8 & 1);
        for place in 0..self.inner_labels.len() {
            if word & BOTTOM != 0 {
                return;
            }
            word = self
                .take::<4>()
                .map_or(0, |bytes| u32::from_be_bytes(*bytes));
            if let Some(label) = self.inner_labels.get_mut(place) {
                *label = Some(word);
            }
        }
    }

    fn arp(&mut self) {
        for field in [
            FieldId::ARP_SPA,
            FieldId::ARP_TPA,
            FieldId::ARP_OP,
            FieldId::ARP_SHA,
            FieldId::ARP_THA,
        ] {
            self.set(field, 0u8);
        }
        // Ethernet and IPv4 addresses, 6 and 4 bytes long.
        let Some((&[0, 1, 8, 0, 6, 4, op_high, op_low], rest)) = self.rest.split_first_chunk()
        else {
            return;
        };
        let Some((sha, rest)) = rest.split_first_chunk::<6>() else {
            return;
        };
        let Some((spa, rest)) = rest.split_first_chunk::<4>() else {
            return;
        };
        let Some((tha, rest)) = rest.split_first_chunk::<6>() else {
            return;
        };
        let Some((tpa, _)) = rest.split_first_chunk::<4>() else {
            return;
        };
        if op_high == 0 {
            self.set(FieldId::ARP_OP, op_low);
        }
        self.set(FieldId::ARP_SPA, u32::from_be_bytes(*spa));
        self.set(FieldId::ARP_TPA, u32::from_be_bytes(*tpa));
        self.set(FieldId::ARP_SHA, be48(*sha));
        self.set(FieldId::ARP_THA, be48(*tha));
    }

    fn ip(&mut self, proto: u8, tos: u8, ttl: u8, fragment: u8) {
        self.set(FieldId::NW_PROTO, proto);
        self.set(FieldId::NW_TOS, tos & 0xfc);
        self.set(FieldId::NW_ECN, tos & 3);
        self.set(FieldId::NW_TTL, ttl);
        self.set(FieldId::IP_FRAG, fragment);
    }

    fn ipv4(&mut self) {
        self.ip(0, 0, 0, 0);
        self.set(FieldId::IP_SRC, 0u8);
        self.set(FieldId::IP_DST, 0u8);
        let Some(header) = self.rest.first_chunk::<20>() else {
            return;
        };
        let &[
            version,
            tos,
            total_high,
            total_low,
            _,
            _,
            frag_high,
            frag_low,
            ttl,
            proto,
            _,
            _,
            a,
            b,
            c,
            d,
            e,
            f,
            g,
            h,
        ] = header;
        let length = usize::from(version & 0xf) * 4;
        let total = usize::from(u16::from_be_bytes([total_high, total_low]));
        let Some(payload) = self.rest.get(length..total) else {
            return;
        };
        if length < 20 {
            return;
        }
        let offset = u16::from_be_bytes([frag_high & 0x1f, frag_low]);
        let more = frag_high & 0x20 != 0;
        let fragment = match (offset, more) {
            (0, false) => 0,
            (0, true) => 1,
            _ => 3,
        };
        self.set(FieldId::IP_SRC, u32::from_be_bytes([a, b, c, d]));
        self.set(FieldId::IP_DST, u32::from_be_bytes([e, f, g, h]));
        self.ip(proto, tos, ttl, fragment);
        self.rest = payload;
        self.checksum = checksum(proto, payload);
        if fragment != 3 {
            self.transport(proto, false);
        }
    }

    fn ipv6(&mut self) {
        self.ip(0, 0, 0, 0);
        self.set(FieldId::IPV6_SRC, 0u8);
        self.set(FieldId::IPV6_DST, 0u8);
        self.set(FieldId::IPV6_LABEL, 0u8);
        let Some((head, rest)) = self.rest.split_first_chunk::<8>() else {
            return;
        };
        let Some((src, rest)) = rest.split_first_chunk::<16>() else {
            return;
        };
        let Some((dst, rest)) = rest.split_first_chunk::<16>() else {
            return;
        };
        let &[v, w, x, y, length_high, length_low, next, hops] = head;
        let length = usize::from(u16::from_be_bytes([length_high, length_low]));
        let Some(payload) = rest.get(..length) else {
            return;
        };
        let word = u32::from_be_bytes([v, w, x, y]);
        let [_, class, ..] = (word >> 4).to_be_bytes();
        self.set(FieldId::IPV6_SRC, u128::from_be_bytes(*src));
        self.set(FieldId::IPV6_DST, u128::from_be_bytes(*dst));
        self.rest = payload;
        let Some((proto, fragment)) = self.extension_headers(next) else {
            return;
        };
        self.set(FieldId::IPV6_LABEL, word & 0xf_ffff);
        self.ip(proto, class, hops, fragment);
        self.checksum = checksum(proto, self.rest);
        if fragment != 3 {
            self.transport(proto, true);
        }
    }

    /// Skips to the transport header; its protocol, and the fragment state. `None` when the packet
    /// ends before it.
    fn extension_headers(&mut self, mut next: u8) -> Option<(u8, u8)> {
        let mut fragment = 0;
        loop {
            match next {
                // Hop-by-hop, routing, destination options, authentication.
                0 | 43 | 60 | 51 => {
                    let &[kind, length, ..] = self.rest.first_chunk::<8>()?;
                    let units = usize::from(length);
                    let bytes = if next == 51 {
                        (units + 2) * 4
                    } else {
                        (units + 1) * 8
                    };
                    self.rest = self.rest.get(bytes..)?;
                    next = kind;
                }
                44 => {
                    let &[kind, _, high, low, ..] = self.take::<8>()?;
                    next = kind;
                    let word = u16::from_be_bytes([high, low]);
                    if word & 0xfff9 != 0 {
                        fragment = 1;
                    }
                    if word & 0xfff8 != 0 {
                        return Some((next, 3));
                    }
                }
                _ => return Some((next, fragment)),
            }
        }
    }

    fn transport(&mut self, proto: u8, v6: bool) {
        match proto {
            TCP => {
                let header = self.rest.first_chunk::<20>();
                // A header whose own length is impossible is not looked into.
                let length = header.map_or(0, |h| usize::from(h[12] >> 4) * 4);
                let header = header.filter(|_| (20..=self.rest.len()).contains(&length));
                let [src, dst] = header.map_or([0, 0], ports);
                self.set(FieldId::TCP_SRC, src);
                self.set(FieldId::TCP_DST, dst);
                let flags = header.map_or(0, |h| u16::from_be_bytes([h[12] & 0x0f, h[13]]));
                self.set(FieldId::TCP_FLAGS, flags);
            }
            UDP => {
                let header = self.rest.first_chunk::<8>();
                let [src, dst] = header.map_or([0, 0], ports);
                self.set(FieldId::UDP_SRC, src);
                self.set(FieldId::UDP_DST, dst);
            }
            SCTP => {
                let header = self.rest.first_chunk::<12>();
                let [src, dst] = header.map_or([0, 0], ports);
                self.set(FieldId::SCTP_SRC, src);
                self.set(FieldId::SCTP_DST, dst);
            }
            ICMP if !v6 => {
                let header = self.rest.first_chunk::<8>();
                self.set(FieldId::ICMP_TYPE, header.map_or(0, |h| h[0]));
                self.set(FieldId::ICMP_CODE, header.map_or(0, |h| h[1]));
            }
            ICMPV6 if v6 => self.icmpv6(),
            // Here, type and code stand where ports do.
            IGMP | ICMP | ICMPV6 => {
                let header = self.rest.first_chunk::<8>();
                self.set(FieldId::TCP_SRC, header.map_or(0, |h| h[0]));
                self.set(FieldId::TCP_DST, header.map_or(0, |h| h[1]));
            }
            _ => {}
        }
    }

    fn icmpv6(&mut self) {
        let header = self.take::<8>();
        let [kind, code] = header.map_or([0, 0], |h| [h[0], h[1]]);
        self.set(FieldId::ICMPV6_TYPE, kind);
        self.set(FieldId::ICMPV6_CODE, code);
        // Neighbour solicitation and advertisement.
        if !matches!((kind, code), (135 | 136, 0)) {
            return;
        }
        for field in [FieldId::ND_TARGET, FieldId::ND_SLL, FieldId::ND_TLL] {
            self.set(field, 0u8);
        }
        let Some(target) = self.take::<16>() else {
            return;
        };
        self.set(FieldId::ND_TARGET, u128::from_be_bytes(*target));
        while let Some(&[kind, units, a, b, c, d, e, f]) = self.rest.first_chunk::<8>() {
            let Some(rest) = self
                .rest
                .get(usize::from(units) * 8..)
                .filter(|_| units > 0)
            else {
                return;
            };
            match (kind, units) {
                (1, 1) => self.set(FieldId::ND_SLL, be48([a, b, c, d, e, f])),
                (2, 1) => self.set(FieldId::ND_TLL, be48([a, b, c, d, e, f])),
                _ => {}
            }
            self.rest = rest;
        }
    }
}

/// The checksum where the transport header has it, whatever fragment this is.
fn checksum(proto: u8, transport: &[u8]) -> Option<(&'static str, u32)> {
    let short = |at: usize| {
        let bytes = transport.get(at..)?.first_chunk().copied()?;
        Some(u32::from(u16::from_be_bytes(bytes)))
    };
    let (name, header, value) = match proto {
        TCP => ("tcp_csum", 20, short(16)),
        UDP => ("udp_csum", 8, short(6)),
        ICMP => ("icmp_csum", 8, short(2)),
        ICMPV6 => ("icmp6_csum", 4, short(2)),
        SCTP => {
            let bytes = transport
                .get(8..)
                .and_then(|rest| rest.first_chunk())
                .copied();
            ("sctp_csum", 12, bytes.map(u32::from_be_bytes))
        }
        _ => return None,
    };
    (transport.len() >= header).then_some((name, value?))
}

fn be48([a, b, c, d, e, f]: [u8; 6]) -> u64 {
    u64::from_be_bytes([0, 0, a, b, c, d, e, f])
}

fn ports<const N: usize>(header: &[u8; N]) -> [u16; 2] {
    let word = |at: usize| {
        header
            .get(at..at + 2)
            .and_then(|b| b.first_chunk())
            .copied()
    };
    [0, 2].map(|at| word(at).map_or(0, u16::from_be_bytes))
}
