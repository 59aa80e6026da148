//! Makers of common expressions and rule fragments.
//!
//! Each function says which instructions it yields; the lists are those of
//! `nft --debug=netlink`, which `tests/kernel/expressions.rs` checks.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::*;
use crate::data::{Data, Register, Verdict};

/// `NFPROTO_IPV4`
pub const NFPROTO_IPV4: u8 = 2;
/// `NFPROTO_IPV6`
pub const NFPROTO_IPV6: u8 = 10;

/// Loads metadata into a register.
pub fn meta(key: MetaKey, dreg: Register) -> Expr {
    Meta {
        key,
        dreg: Some(dreg),
        ..Meta::default()
    }
    .into()
}

/// Sets metadata from a register.
pub fn meta_set(key: MetaKey, sreg: Register) -> Expr {
    Meta {
        key,
        sreg: Some(sreg),
        ..Meta::default()
    }
    .into()
}

/// Loads connection tracking data into a register.
pub fn ct(key: CtKey, dreg: Register) -> Expr {
    Ct {
        key,
        dreg: Some(dreg),
        ..Ct::default()
    }
    .into()
}

/// Loads connection tracking data of one direction.
pub fn ct_dir(key: CtKey, direction: CtDirection, dreg: Register) -> Expr {
    Ct {
        key,
        dreg: Some(dreg),
        direction: Some(direction),
        ..Ct::default()
    }
    .into()
}

/// Sets connection tracking data from a register.
pub fn ct_set(key: CtKey, sreg: Register) -> Expr {
    Ct {
        key,
        sreg: Some(sreg),
        ..Ct::default()
    }
    .into()
}

/// Loads `len` bytes at `offset` of a header.
pub fn payload(base: PayloadBase, offset: u32, len: u32, dreg: Register) -> Expr {
    Payload {
        dreg: Some(dreg),
        base,
        offset,
        len,
        ..Payload::default()
    }
    .into()
}

/// Compares a register with a value.
pub fn cmp(op: CmpOp, sreg: Register, value: impl Into<Bytes>) -> Expr {
    Cmp {
        sreg,
        op,
        data: Data::Value(value.into()),
        ..Cmp::default()
    }
    .into()
}

/// Ends the rule unless register 1 equals a value.
pub fn eq(value: impl Into<Bytes>) -> Expr {
    cmp(CmpOp::EQ, Register::R1, value)
}

/// Masks register 1: `(value & mask) ^ 0`.
pub fn mask(mask: &[u8]) -> Expr {
    Bitwise {
        sreg: Register::R1,
        dreg: Register::R1,
        len: u32::try_from(mask.len()).unwrap_or(u32::MAX),
        mask: Some(Data::Value(mask.into())),
        xor: Some(Data::Value(Bytes::zero(mask.len()))),
        ..Bitwise::default()
    }
    .into()
}

/// Puts bytes into a register.
pub fn immediate(dreg: Register, value: impl Into<Bytes>) -> Expr {
    Immediate {
        dreg,
        data: Data::Value(value.into()),
        ..Immediate::default()
    }
    .into()
}

/// Gives a verdict.
pub fn verdict(verdict: Verdict) -> Expr {
    Immediate {
        dreg: Register::VERDICT,
        data: Data::Verdict(verdict),
        ..Immediate::default()
    }
    .into()
}

/// Accepts.
pub fn accept() -> Expr {
    verdict(Verdict::ACCEPT)
}

/// Drops.
pub fn drop() -> Expr {
    verdict(Verdict::DROP)
}

/// Looks up register `sreg` in a named set.
pub fn lookup(set: impl Into<Name>, sreg: Register) -> Expr {
    Lookup {
        set: set.into(),
        sreg,
        ..Lookup::default()
    }
    .into()
}

/// Looks up register `sreg` in a named verdict map and gives its verdict.
pub fn vmap(set: impl Into<Name>, sreg: Register) -> Expr {
    map(set, sreg, Register::VERDICT)
}

/// Looks up register `sreg` in a named map and loads the data into `dreg`.
pub fn map(set: impl Into<Name>, sreg: Register, dreg: Register) -> Expr {
    Lookup {
        set: set.into(),
        sreg,
        dreg: Some(dreg),
        ..Lookup::default()
    }
    .into()
}

/// A packet counter starting at zero.
pub fn counter() -> Expr {
    Counter::default().into()
}

/// Sixteen bytes of an interface name, padded with NUL. Longer names are cut.
pub fn ifname(name: &str) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(name.bytes().take(15)) {
        *to = from;
    }
    bytes
}

/// Ends the rule unless the input interface has that name: meta, cmp.
pub fn iifname(name: &str) -> [Expr; 2] {
    [meta(MetaKey::IIFNAME, Register::R1), eq(ifname(name))]
}

/// Ends the rule unless the output interface has that name: meta, cmp.
pub fn oifname(name: &str) -> [Expr; 2] {
    [meta(MetaKey::OIFNAME, Register::R1), eq(ifname(name))]
}

/// Ends the rule unless the transport protocol is that number: meta, cmp.
pub fn l4proto(number: u8) -> [Expr; 2] {
    [meta(MetaKey::L4PROTO, Register::R1), eq([number])]
}

/// Ends the rule unless the family of the packet is that number, for inet tables: meta, cmp.
pub fn nfproto(number: u8) -> [Expr; 2] {
    [meta(MetaKey::NFPROTO, Register::R1), eq([number])]
}

/// Ends the rule unless the link-layer protocol is that number, for bridge tables: meta, cmp.
pub fn ether_type(number: u16) -> [Expr; 2] {
    [
        meta(MetaKey::PROTOCOL, Register::R1),
        eq(number.to_be_bytes()),
    ]
}

/// Ends the rule unless some of the state bits are set: ct, bitwise, cmp. See [`load::state`].
pub fn ct_state(bits: u32) -> [Expr; 3] {
    [
        ct(CtKey::STATE, Register::R1),
        mask(&bits.to_ne_bytes()),
        cmp(CmpOp::NEQ, Register::R1, [0; 4]),
    ]
}

/// Ends the rule unless the IPv4 source is that address: payload, cmp.
pub fn ip_saddr(address: Ipv4Addr) -> [Expr; 2] {
    [
        payload(PayloadBase::NETWORK, 12, 4, Register::R1),
        eq(address),
    ]
}

/// Ends the rule unless the IPv4 destination is that address: payload, cmp.
pub fn ip_daddr(address: Ipv4Addr) -> [Expr; 2] {
    [
        payload(PayloadBase::NETWORK, 16, 4, Register::R1),
        eq(address),
    ]
}

/// Ends the rule unless the IPv6 source is that address: payload, cmp.
pub fn ip6_saddr(address: Ipv6Addr) -> [Expr; 2] {
    [
        payload(PayloadBase::NETWORK, 8, 16, Register::R1),
        eq(address),
    ]
}

/// Ends the rule unless the IPv6 destination is that address: payload, cmp.
pub fn ip6_daddr(address: Ipv6Addr) -> [Expr; 2] {
    [
        payload(PayloadBase::NETWORK, 24, 16, Register::R1),
        eq(address),
    ]
}

/// Ends the rule unless an address field at `offset` of the network header is in a prefix. Whole
/// bytes are loaded and compared; other lengths are masked: payload, (bitwise), cmp.
pub fn prefix(offset: u32, network: &[u8], length: u32) -> Vec<Expr> {
    let length = usize::try_from(length)
        .unwrap_or(usize::MAX)
        .min(network.len().saturating_mul(8));
    let (whole, bits) = (length / 8, length % 8);
    let width = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
    if bits == 0 {
        let head = network.get(..whole).unwrap_or(network);
        if head.is_empty() {
            return Vec::new();
        }
        return vec![
            payload(PayloadBase::NETWORK, offset, width(whole), Register::R1),
            eq(Bytes::new(head)),
        ];
    }
    let bitmask: Vec<u8> = (0..network.len())
        .map(|i| match i.cmp(&whole) {
            core::cmp::Ordering::Less => 0xff,
            core::cmp::Ordering::Equal => 0xff_u8 << (8_usize.saturating_sub(bits)),
            core::cmp::Ordering::Greater => 0,
        })
        .collect();
    let value: Vec<u8> = network
        .iter()
        .zip(&bitmask)
        .map(|(byte, mask)| byte & mask)
        .collect();
    vec![
        payload(
            PayloadBase::NETWORK,
            offset,
            width(network.len()),
            Register::R1,
        ),
        mask(&bitmask),
        eq(value),
    ]
}

/// Ends the rule unless the destination port is in a range: payload, then cmp or two cmp.
pub fn dport(first: u16, last: u16) -> Vec<Expr> {
    port(2, first, last)
}

/// Ends the rule unless the source port is in a range: payload, then cmp or two cmp.
pub fn sport(first: u16, last: u16) -> Vec<Expr> {
    port(0, first, last)
}

fn port(offset: u32, first: u16, last: u16) -> Vec<Expr> {
    let load = payload(PayloadBase::TRANSPORT, offset, 2, Register::R1);
    if first == last {
        return vec![load, eq(first.to_be_bytes())];
    }
    vec![
        load,
        cmp(CmpOp::GTE, Register::R1, first.to_be_bytes()),
        cmp(CmpOp::LTE, Register::R1, last.to_be_bytes()),
    ]
}
