//! Matches with their prerequisites.

use ::arbitrary::{Result, Unstructured};

use crate::matching::{FieldId, Format, MaskRule, Match, tci};

/// What a packet is, so that fields of it can be matched.
const STACKS: [(u16, Option<u8>, &[FieldId]); 13] = [
    (0, None, &[]),
    (0x0800, None, &IPV4),
    (0x0800, Some(6), &TCP4),
    (0x0800, Some(17), &UDP4),
    (0x0800, Some(132), &SCTP4),
    (0x0800, Some(1), &ICMP4),
    (0x86dd, None, &IPV6),
    (0x86dd, Some(6), &TCP6),
    (0x86dd, Some(17), &UDP6),
    (0x86dd, Some(58), &ICMP6),
    (0x0806, None, &ARP),
    (0x8847, None, &MPLS),
    (0x88cc, None, &[]),
];

macro_rules! fields {
    ($($name:ident = [$($field:ident)*];)*) => {
        $(const $name: [FieldId; 0 $(+ { let _ = FieldId::$field; 1 })*] = [$(FieldId::$field),*];)*
    };
}

fields! {
    IPV4 = [IP_SRC IP_DST IP_FRAG NW_TOS NW_ECN NW_TTL];
    TCP4 = [IP_SRC IP_DST IP_FRAG NW_TOS NW_ECN NW_TTL TCP_SRC TCP_DST TCP_FLAGS];
    UDP4 = [IP_SRC IP_DST IP_FRAG NW_TOS NW_ECN NW_TTL UDP_SRC UDP_DST];
    SCTP4 = [IP_SRC IP_DST NW_TOS NW_TTL SCTP_SRC SCTP_DST];
    ICMP4 = [IP_SRC IP_DST NW_TOS ICMP_TYPE ICMP_CODE];
    IPV6 = [IPV6_SRC IPV6_DST IPV6_LABEL IP_FRAG NW_TOS NW_ECN NW_TTL];
    TCP6 = [IPV6_SRC IPV6_DST IPV6_LABEL NW_TTL TCP_SRC TCP_DST TCP_FLAGS];
    UDP6 = [IPV6_SRC IPV6_DST IP_FRAG NW_ECN UDP_SRC UDP_DST];
    ICMP6 = [IPV6_SRC IPV6_DST NW_TTL];
    ARP = [ARP_OP ARP_SPA ARP_TPA ARP_SHA ARP_THA];
    MPLS = [MPLS_LABEL MPLS_TC MPLS_BOS MPLS_TTL];
    TRANSPORT = [TCP_SRC TCP_DST TCP_FLAGS UDP_SRC UDP_DST SCTP_SRC SCTP_DST];
    ANYWHERE = [
        IN_PORT ETH_SRC ETH_DST TUN_ID TUN_SRC TUN_DST TUN_IPV6_SRC TUN_IPV6_DST TUN_FLAGS
        TUN_GBP_ID TUN_GBP_FLAGS REG0 REG1 REG2 REG7 REG14 REG15 PKT_MARK METADATA CT_STATE
        CT_ZONE CT_MARK CT_LABEL CONJ_ID
    ];
}

pub(super) fn arbitrary_match(u: &mut Unstructured<'_>) -> Result<Match> {
    let mut matching = Match::new();
    for field in ANYWHERE {
        if u.ratio(1, 8)? {
            set(u, &mut matching, field)?;
        }
    }
    if u.ratio(1, 4)? {
        set_vlan(u, &mut matching)?;
    }
    let (eth_type, proto, fields) = u.choose(&STACKS)?;
    if *eth_type == 0 {
        return Ok(matching);
    }
    put(
        &mut matching,
        FieldId::ETH_TYPE,
        (*eth_type).into(),
        u128::MAX,
    );
    if let Some(proto) = proto {
        put(&mut matching, FieldId::NW_PROTO, (*proto).into(), u128::MAX);
    }
    for field in *fields {
        // Later fragments have no transport header.
        let later = matches!(matching.get(FieldId::IP_FRAG), Some((value, _)) if value & 2 != 0);
        if u.ratio(1, 3)? && !(later && TRANSPORT.contains(field)) {
            set(u, &mut matching, *field)?;
        }
    }
    if (*eth_type, *proto) == (0x86dd, Some(58)) {
        set_icmpv6(u, &mut matching)?;
    }
    Ok(matching)
}

fn put(matching: &mut Match, field: FieldId, value: u128, mask: u128) {
    let result = matching.set(field, value & mask, mask);
    debug_assert!(result.is_ok(), "{result:?}");
}

/// A random value under a random or full mask, in the field's range.
fn set(u: &mut Unstructured<'_>, matching: &mut Match, field: FieldId) -> Result<()> {
    let info = field.info();
    let used = u128::MAX >> 128u16.saturating_sub(info.bits.min(128)).min(127);
    let value = u.arbitrary::<u128>()? & used;
    let (value, used) = match field {
        // 1 to 0xfeff are real ports.
        FieldId::IN_PORT => (value % 0xfeff + 1, used),
        FieldId::NW_TOS => (value & 0xfc, used),
        FieldId::NW_ECN => (value & 3, used),
        FieldId::ARP_OP => (value & 0xff, used),
        FieldId::CT_STATE => (value & 0xff, 0xff),
        _ => (value, used),
    };
    // The other two masks print like these.
    if field == FieldId::IP_FRAG {
        let (value, mask) = *u.choose(&[(0, 3), (1, 3), (3, 3), (1, 1), (0, 2)])?;
        put(matching, field, value, mask);
        return Ok(());
    }
    if info.mask == MaskRule::No || u.ratio(1, 2)? {
        put(matching, field, value, u128::MAX);
        return Ok(());
    }
    let mask = match u.int_in_range(0..=2u8)? {
        // ovs-ofctl takes an IPv6 mask that begins with a decimal digit for a prefix length.
        0 if info.format == Format::Ipv6 => u.arbitrary::<u128>()? | 0xf << 124,
        0 => u.arbitrary::<u128>()? & used,
        // A prefix.
        _ => used & !(used >> u.int_in_range(0..=127u32)?),
    };
    // Comparing all used bits is comparing the field.
    let whole = mask == used;
    put(matching, field, value, if whole { u128::MAX } else { mask });
    Ok(())
}

/// No tag, any tag, or an id and a priority of one.
fn set_vlan(u: &mut Unstructured<'_>, matching: &mut Match) -> Result<()> {
    let tag = u128::from(u.arbitrary::<u16>()?) | tci::CFI;
    let mask = *u.choose(&[
        0,
        tci::CFI,
        tci::CFI | tci::VID,
        tci::CFI | tci::PCP,
        0xffff,
        tci::CFI | 0xff,
    ])?;
    match mask {
        0 => matching.set_no_vlan(),
        mask => put(matching, FieldId::VLAN_TCI, tag, mask),
    }
    Ok(())
}

/// Type and code, and for neighbour discovery its addresses.
fn set_icmpv6(u: &mut Unstructured<'_>, matching: &mut Match) -> Result<()> {
    let kind = *u.choose(&[128u8, 133, 135, 136])?;
    put(matching, FieldId::ICMPV6_TYPE, kind.into(), u128::MAX);
    if kind < 135 {
        if u.arbitrary()? {
            set(u, matching, FieldId::ICMPV6_CODE)?;
        }
        return Ok(());
    }
    put(matching, FieldId::ICMPV6_CODE, 0, u128::MAX);
    let link = if kind == 135 {
        FieldId::ND_SLL
    } else {
        FieldId::ND_TLL
    };
    for field in [FieldId::ND_TARGET, link] {
        if u.arbitrary()? {
            set(u, matching, field)?;
        }
    }
    Ok(())
}
