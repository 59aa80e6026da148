//! The fixed 40-byte match as it stands in a message, which high verbosity shows: every field, with
//! `*` for one that is not compared.

use std::fmt::{self, Write};
use std::net::Ipv4Addr;

use crate::codec::{Codec, Reader};
use crate::matching::{FixedMatch, wildcards as wc};
use crate::ports::Port;

use super::super::address::write_mac;
use super::super::field::write_port;

/// Words for what is compared, by Ethertype.
const TYPES: [(u16, &str); 5] = [
    (0x0800, "ip"),
    (0x0806, "arp"),
    (0x8035, "rarp"),
    (0x8847, "mpls"),
    (0x8848, "mplsm"),
];
/// Words for IP and a protocol.
const PROTOCOLS: [(u8, &str); 4] = [(1, "icmp"), (6, "tcp"), (17, "udp"), (132, "sctp")];

/// Bytes that are no fixed match give an empty text.
pub(super) fn fixed_match_to_string(bytes: &[u8]) -> String {
    let mut out = String::new();
    if let Ok(fixed) = FixedMatch::decode(&mut Reader::new(bytes)) {
        // Writing to a string cannot fail.
        let written = write_fixed(&mut out, &fixed);
        debug_assert!(written.is_ok());
    }
    out
}

fn write_fixed(out: &mut String, m: &FixedMatch) -> fmt::Result {
    let compared = |bit: u32| m.wildcards & bit == 0;
    let typed = compared(wc::DL_TYPE)
        .then(|| TYPES.iter().find(|(number, _)| *number == m.dl_type))
        .flatten();
    let protocol = match typed {
        Some((0x0800, _)) if compared(wc::NW_PROTO) => {
            PROTOCOLS.iter().find(|(number, _)| *number == m.nw_proto)
        }
        _ => None,
    };
    if let Some(word) = protocol
        .map(|(_, word)| word)
        .or(typed.map(|(_, word)| word))
    {
        write!(out, "{word},")?;
    }
    let mut field = |name: &str, bit: u32, value: &dyn fmt::Display| {
        if compared(bit) {
            write!(out, "{name}={value},")
        } else {
            write!(out, "{name}=*,")
        }
    };
    let text = |write: &dyn Fn(&mut String) -> fmt::Result| {
        let mut text = String::new();
        write(&mut text).map(|()| text)
    };
    field(
        "in_port",
        wc::IN_PORT,
        &text(&|out| write_port(out, Port(m.in_port)))?,
    )?;
    field("dl_vlan", wc::DL_VLAN, &m.dl_vlan)?;
    field("dl_vlan_pcp", wc::DL_VLAN_PCP, &m.dl_vlan_pcp)?;
    field(
        "dl_src",
        wc::DL_SRC,
        &text(&|out| write_mac(out, m.dl_src))?,
    )?;
    field(
        "dl_dst",
        wc::DL_DST,
        &text(&|out| write_mac(out, m.dl_dst))?,
    )?;
    if typed.is_none() {
        field("dl_type", wc::DL_TYPE, &format!("0x{:04x}", m.dl_type))?;
    }
    for (name, address, shift) in [
        ("nw_src", m.nw_src, wc::NW_SRC_SHIFT),
        ("nw_dst", m.nw_dst, wc::NW_DST_SHIFT),
    ] {
        let address = Ipv4Addr::from_bits(address);
        match m.wildcards >> shift & 0x3f {
            0 => field(name, 0, &address)?,
            ignored @ 1..32 => field(name, 0, &format!("{address}/{}", 32 - ignored))?,
            _ => field(name, 0, &"*")?,
        }
    }
    if protocol.is_none() {
        let arp = matches!(m.dl_type, 0x0806 | 0x8035);
        let name = if arp { "arp_op" } else { "nw_proto" };
        field(name, wc::NW_PROTO, &m.nw_proto)?;
    }
    field("nw_tos", wc::NW_TOS, &m.nw_tos)?;
    let names = match m.nw_proto {
        1 => ["icmp_type", "icmp_code"],
        _ => ["tp_src", "tp_dst"],
    };
    field(names[0], wc::TP_SRC, &m.tp_src)?;
    field(names[1], wc::TP_DST, &m.tp_dst)?;
    out.pop();
    Ok(())
}
