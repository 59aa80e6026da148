//! The 40-byte match of OpenFlow 1.0 (OF1.0 §5.2.3, `ofp_match`).
//!
//! Wildcard bits say which fields are *not* compared; addresses have a count of ignored low bits
//! instead. [`FixedMatch`] keeps what was on the wire; [`FixedMatch::to_match`] and
//! [`FixedMatch::from_match`] convert, and say when something was lost.
//!
//! ```
//! use ofproto::codec::Codec;
//! use ofproto::matching::{FieldId, FixedMatch, Match};
//!
//! let m = Match::new().with(FieldId::DL_VLAN, 9u16);
//! let (fixed, lossless) = FixedMatch::from_match(&m);
//! assert!(lossless);
//! assert_eq!(fixed.to_bytes().unwrap()[..4], [0x00, 0x38, 0x20, 0xfd]);
//! assert_eq!(fixed.to_match(), m);
//! ```

use super::{FieldId, Match, tci};
use crate::codec::{Codec, Reader, Writer};
use crate::error::{DecodeError, EncodeError};
use crate::ports::Port;

/// Wildcard bits of [`FixedMatch::wildcards`].
pub mod wildcards {
    /// Input port.
    pub const IN_PORT: u32 = 1 << 0;
    /// VLAN id.
    pub const DL_VLAN: u32 = 1 << 1;
    /// Ethernet source.
    pub const DL_SRC: u32 = 1 << 2;
    /// Ethernet destination.
    pub const DL_DST: u32 = 1 << 3;
    /// Ethertype.
    pub const DL_TYPE: u32 = 1 << 4;
    /// IP protocol or ARP opcode.
    pub const NW_PROTO: u32 = 1 << 5;
    /// Source port or ICMP type.
    pub const TP_SRC: u32 = 1 << 6;
    /// Destination port or ICMP code.
    pub const TP_DST: u32 = 1 << 7;
    /// First bit of the count of ignored source address bits.
    pub const NW_SRC_SHIFT: u32 = 8;
    /// First bit of the count of ignored destination address bits.
    pub const NW_DST_SHIFT: u32 = 14;
    /// VLAN priority.
    pub const DL_VLAN_PCP: u32 = 1 << 20;
    /// IP type of service.
    pub const NW_TOS: u32 = 1 << 21;
    /// Everything ignored, as Open vSwitch writes it.
    pub const ALL: u32 = 0x0038_20ff;
}
use wildcards as wc;

/// `dl_vlan` value for "no 802.1Q tag".
const VLAN_NONE: u16 = 0xffff;

/// The fixed match as it is on the wire (`ofp_match`, OF1.0 §5.2.3).
///
/// ```text
///  0                4        6                12               18       20  21
/// +----------------+--------+----------------+----------------+--------+---+---+
/// |   wildcards    |in_port |     dl_src     |     dl_dst     |dl_vlan |pcp|pad|
/// +--------+---+---+--------+--------+-------+--------+-------++-------+---+---+
/// |dl_type |tos|pro|  pad   |     nw_src     |     nw_dst     |tp_src |tp_dst |
/// +--------+---+---+--------+----------------+----------------+-------+-------+
///  22       24  25  26       28               32               36      38     40
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[allow(
    missing_docs,
    reason = "the fields of ofp_match by their standard names"
)]
pub struct FixedMatch {
    pub wildcards: u32,
    pub in_port: u16,
    pub dl_src: [u8; 6],
    pub dl_dst: [u8; 6],
    pub dl_vlan: u16,
    pub dl_vlan_pcp: u8,
    pub dl_type: u16,
    pub nw_tos: u8,
    pub nw_proto: u8,
    pub nw_src: u32,
    pub nw_dst: u32,
    pub tp_src: u16,
    pub tp_dst: u16,
}

impl Codec for FixedMatch {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u32(self.wildcards);
        w.u16(self.in_port);
        w.bytes(&self.dl_src);
        w.bytes(&self.dl_dst);
        w.u16(self.dl_vlan);
        w.u8(self.dl_vlan_pcp);
        w.zeros(1);
        w.u16(self.dl_type);
        w.u8(self.nw_tos);
        w.u8(self.nw_proto);
        w.zeros(2);
        w.u32(self.nw_src);
        w.u32(self.nw_dst);
        w.u16(self.tp_src);
        w.u16(self.tp_dst);
        Ok(())
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut r = r.sub(40, "ofp_match")?;
        let wildcards = r.u32("wildcards")?;
        let in_port = r.u16("in_port")?;
        let dl_src = r.array("dl_src")?;
        let dl_dst = r.array("dl_dst")?;
        let dl_vlan = r.u16("dl_vlan")?;
        let dl_vlan_pcp = r.u8("dl_vlan_pcp")?;
        r.skip(1, "pad")?;
        let dl_type = r.u16("dl_type")?;
        let nw_tos = r.u8("nw_tos")?;
        let nw_proto = r.u8("nw_proto")?;
        r.skip(2, "pad")?;
        Ok(FixedMatch {
            wildcards,
            in_port,
            dl_src,
            dl_dst,
            dl_vlan,
            dl_vlan_pcp,
            dl_type,
            nw_tos,
            nw_proto,
            nw_src: r.u32("nw_src")?,
            nw_dst: r.u32("nw_dst")?,
            tp_src: r.u16("tp_src")?,
            tp_dst: r.u16("tp_dst")?,
        })
    }
}

/// The mask for a 6-bit count of ignored low bits.
fn prefix_mask(count: u32) -> u32 {
    u32::MAX.checked_shl(count & 0x3f).unwrap_or(0)
}

/// The count of ignored low bits for a mask, if it is a prefix.
fn ignored_bits(mask: u32) -> Option<u32> {
    (mask.leading_ones() + mask.trailing_zeros() >= 32).then(|| mask.trailing_zeros().min(32))
}

/// Which stored fields carry `nw_src`, `nw_dst` and `nw_proto` for an Ethertype.
fn network_fields(dl_type: u16) -> (FieldId, FieldId, FieldId) {
    match dl_type {
        0x0806 | 0x8035 => (FieldId::ARP_SPA, FieldId::ARP_TPA, FieldId::ARP_OP),
        _ => (FieldId::IP_SRC, FieldId::IP_DST, FieldId::NW_PROTO),
    }
}

/// Which stored fields carry `tp_src` and `tp_dst`.
fn transport_fields(dl_type: u16, proto: Option<u8>) -> (FieldId, FieldId) {
    match (dl_type, proto) {
        (0x0800, Some(1)) => (FieldId::ICMP_TYPE, FieldId::ICMP_CODE),
        (0x86dd, Some(58)) => (FieldId::ICMPV6_TYPE, FieldId::ICMPV6_CODE),
        (0x0800 | 0x86dd, Some(17)) => (FieldId::UDP_SRC, FieldId::UDP_DST),
        (0x0800 | 0x86dd, Some(132)) => (FieldId::SCTP_SRC, FieldId::SCTP_DST),
        _ => (FieldId::TCP_SRC, FieldId::TCP_DST),
    }
}

fn mac(bytes: [u8; 6]) -> u128 {
    bytes.iter().fold(0, |v, b| v << 8 | u128::from(*b))
}

fn mac_bytes(value: u128) -> [u8; 6] {
    let [.., a, b, c, d, e, f] = value.to_be_bytes();
    [a, b, c, d, e, f]
}

fn low8(value: u128) -> u8 {
    let [.., b] = value.to_be_bytes();
    b
}

fn low16(value: u128) -> u16 {
    let [.., a, b] = value.to_be_bytes();
    u16::from_be_bytes([a, b])
}

fn low32(value: u128) -> u32 {
    let [.., a, b, c, d] = value.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

impl FixedMatch {
    /// The match that accepts every packet.
    #[must_use]
    pub fn any() -> Self {
        FixedMatch {
            wildcards: wc::ALL,
            ..FixedMatch::default()
        }
    }

    /// What the match compares, without regard to whether it makes sense: an `nw_src` beside an
    /// Ethertype that has no addresses is kept. This is how a switch reports flows.
    #[must_use]
    pub fn to_match_as_is(self) -> Match {
        let mut m = Match::new();
        let compared = |bit: u32| self.wildcards & bit == 0;
        if compared(wc::IN_PORT) {
            m.put(FieldId::IN_PORT, self.in_port.into(), 0xffff);
        }
        if compared(wc::DL_SRC) {
            m.put(FieldId::ETH_SRC, mac(self.dl_src), 0xffff_ffff_ffff);
        }
        if compared(wc::DL_DST) {
            m.put(FieldId::ETH_DST, mac(self.dl_dst), 0xffff_ffff_ffff);
        }
        if compared(wc::DL_TYPE) {
            m.put(FieldId::ETH_TYPE, self.dl_type.into(), 0xffff);
        }
        if compared(wc::DL_VLAN) && self.dl_vlan == VLAN_NONE {
            m.set_no_vlan();
        } else {
            let mut mask = 0;
            if compared(wc::DL_VLAN) {
                mask |= tci::VID | tci::CFI;
            }
            if compared(wc::DL_VLAN_PCP) {
                mask |= tci::PCP | tci::CFI;
            }
            let pcp = u128::from(self.dl_vlan_pcp & 7) << 13;
            m.put(
                FieldId::VLAN_TCI,
                u128::from(self.dl_vlan) & tci::VID | pcp | tci::CFI,
                mask,
            );
        }
        let dl_type = if compared(wc::DL_TYPE) {
            self.dl_type
        } else {
            0
        };
        let (src, dst, proto) = network_fields(dl_type);
        let nw_src_mask = prefix_mask(self.wildcards >> wc::NW_SRC_SHIFT);
        let nw_dst_mask = prefix_mask(self.wildcards >> wc::NW_DST_SHIFT);
        m.put(src, self.nw_src.into(), nw_src_mask.into());
        m.put(dst, self.nw_dst.into(), nw_dst_mask.into());
        if compared(wc::NW_TOS) {
            m.put(FieldId::NW_TOS, (self.nw_tos & 0xfc).into(), 0xff);
        }
        if compared(wc::NW_PROTO) {
            m.put(proto, self.nw_proto.into(), proto.info().full_mask());
        }
        let nw_proto = compared(wc::NW_PROTO).then_some(self.nw_proto);
        let (tp_src, tp_dst) = transport_fields(dl_type, nw_proto);
        if compared(wc::TP_SRC) {
            m.put(tp_src, self.tp_src.into(), tp_src.info().full_mask());
        }
        if compared(wc::TP_DST) {
            m.put(tp_dst, self.tp_dst.into(), tp_dst.info().full_mask());
        }
        m
    }

    /// The match a switch makes of it: as [`FixedMatch::to_match_as_is`], without the criteria
    /// whose prerequisites are missing.
    #[must_use]
    pub fn to_match(self) -> Match {
        let mut m = self.to_match_as_is();
        m.normalize();
        m
    }

    /// The fixed form of `m`, and whether it says all that `m` does.
    #[must_use]
    pub fn from_match(m: &Match) -> (FixedMatch, bool) {
        let mut f = FixedMatch {
            wildcards: wc::ALL,
            ..FixedMatch::default()
        };
        let mut lossless = m.tun_metadata().is_empty();
        for c in m {
            let exact = c.is_exact();
            let v = c.value;
            match c.field {
                FieldId::IN_PORT => {
                    f.wildcards &= !wc::IN_PORT;
                    f.in_port = low16(v);
                }
                FieldId::ETH_SRC => {
                    f.wildcards &= !wc::DL_SRC;
                    f.dl_src = mac_bytes(v);
                    lossless &= exact;
                }
                FieldId::ETH_DST => {
                    f.wildcards &= !wc::DL_DST;
                    f.dl_dst = mac_bytes(v);
                    lossless &= exact;
                }
                FieldId::ETH_TYPE => {
                    f.wildcards &= !wc::DL_TYPE;
                    f.dl_type = low16(v);
                }
                FieldId::VLAN_TCI => lossless &= f.set_vlan(v, c.mask),
                FieldId::IP_SRC | FieldId::ARP_SPA => {
                    lossless &= f.set_address(wc::NW_SRC_SHIFT, low32(c.mask));
                    f.nw_src = low32(v);
                }
                FieldId::IP_DST | FieldId::ARP_TPA => {
                    lossless &= f.set_address(wc::NW_DST_SHIFT, low32(c.mask));
                    f.nw_dst = low32(v);
                }
                FieldId::NW_TOS => {
                    f.wildcards &= !wc::NW_TOS;
                    f.nw_tos = low8(v);
                }
                FieldId::NW_PROTO | FieldId::ARP_OP => {
                    f.wildcards &= !wc::NW_PROTO;
                    f.nw_proto = low8(v);
                }
                FieldId::TCP_SRC
                | FieldId::UDP_SRC
                | FieldId::SCTP_SRC
                | FieldId::ICMP_TYPE
                | FieldId::ICMPV6_TYPE => {
                    f.wildcards &= !wc::TP_SRC;
                    f.tp_src = low16(v);
                    lossless &= exact;
                }
                FieldId::TCP_DST
                | FieldId::UDP_DST
                | FieldId::SCTP_DST
                | FieldId::ICMP_CODE
                | FieldId::ICMPV6_CODE => {
                    f.wildcards &= !wc::TP_DST;
                    f.tp_dst = low16(v);
                    lossless &= exact;
                }
                FieldId::PACKET_TYPE => lossless &= v == 0,
                _ => lossless = false,
            }
        }
        (f, lossless)
    }

    /// Sets the address wildcard count; false when the mask is not a prefix.
    fn set_address(&mut self, shift: u32, mask: u32) -> bool {
        let bits = ignored_bits(mask);
        self.wildcards &= !(0x3f << shift);
        self.wildcards |= bits.unwrap_or_else(|| mask.trailing_zeros()) << shift;
        bits.is_some()
    }

    fn set_vlan(&mut self, value: u128, mask: u128) -> bool {
        if mask & tci::CFI != 0 && value & tci::CFI == 0 {
            self.wildcards &= !(wc::DL_VLAN | wc::DL_VLAN_PCP);
            self.dl_vlan = VLAN_NONE;
            return mask == 0xffff;
        }
        if mask & tci::VID != 0 {
            self.wildcards &= !wc::DL_VLAN;
            self.dl_vlan = low16(value & tci::VID);
        }
        if mask & tci::PCP != 0 {
            self.wildcards &= !wc::DL_VLAN_PCP;
            self.dl_vlan_pcp = low8(value >> 13);
        }
        mask & tci::CFI != 0
            && matches!(mask & tci::VID, 0 | tci::VID)
            && matches!(mask & tci::PCP, 0 | tci::PCP)
            && mask != tci::CFI
    }

    /// The input port, when compared.
    #[must_use]
    pub fn port(&self) -> Option<Port> {
        (self.wildcards & wc::IN_PORT == 0).then_some(Port(self.in_port))
    }
}

impl Match {
    /// Drops criteria whose prerequisites are not matched, as a switch does with the fixed match.
    /// Returns whether anything was dropped.
    pub fn normalize(&mut self) -> bool {
        let mut changed = false;
        while let Some(f) = self.missing_prereq() {
            self.put(f, 0, 0);
            changed = true;
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_reported_as_is_and_dropped_when_normalised() {
        let f = FixedMatch {
            wildcards: 0x0018_20ef,
            dl_type: 0x0806,
            nw_tos: 5,
            ..FixedMatch::default()
        };
        let m = f.to_match_as_is();
        assert_eq!(m.get(FieldId::NW_TOS), Some((4, 0xff)));
        assert_eq!(
            f.to_match(),
            Match::new().with(FieldId::ETH_TYPE, 0x0806u16)
        );
        assert_eq!(FixedMatch::from_match(&m).0.wildcards, 0x0018_20ef);
    }

    #[test]
    fn address_prefixes() {
        assert_eq!(ignored_bits(0xffff_ff00), Some(8));
        assert_eq!(ignored_bits(0), Some(32));
        assert_eq!(ignored_bits(u32::MAX), Some(0));
        assert_eq!(ignored_bits(0xff00_ff00), None);
        assert_eq!(prefix_mask(63), 0);
        let m = Match::new().with(FieldId::ETH_TYPE, 0x0800u16).with_masked(
            FieldId::IP_SRC,
            0x0a00_0000u32,
            0xff00_ff00u32,
        );
        assert!(!FixedMatch::from_match(&m).1);
    }
}
