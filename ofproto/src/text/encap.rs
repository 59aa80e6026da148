//! `encap(...)` and `decap(...)`: printed only, as OpenFlow 1.0 cannot carry them.

use std::fmt::{self, Write};

use crate::action::{Encap, EncapProperty};

use super::field::write_hex;

/// OFPPPC_NSH, the only class with properties.
const CLASS_NSH: u16 = 4;
/// Decap to whatever follows.
const USE_NEXT_PROTO: u32 = 0x0000_fffe;

pub(crate) fn write_encap(out: &mut impl Write, encap: &Encap) -> fmt::Result {
    out.write_str("encap(")?;
    out.write_str(match encap.packet_type {
        0 => "ethernet",
        0x0001_894f => "nsh",
        0x0001_8847 => "mpls",
        0x0001_8848 => "mpls_mc",
        _ => "UNKNOWN",
    })?;
    for (index, property) in encap.properties.iter().enumerate() {
        out.write_char(if index == 0 { '(' } else { ',' })?;
        write_property(out, property)?;
    }
    out.write_str(if encap.properties.is_empty() {
        ")"
    } else {
        "))"
    })
}

fn write_property(out: &mut impl Write, property: &EncapProperty) -> fmt::Result {
    match (property.class, property.kind, &property.data[..]) {
        (CLASS_NSH, 1, [md_type, ..]) => write!(out, "md_type={md_type}"),
        (CLASS_NSH, 2, [high, low, kind, length, value @ ..]) => {
            let class = u16::from_be_bytes([*high, *low]);
            write!(out, "tlv({class:#06x},{kind},")?;
            write_hex(out, value.get(..usize::from(*length)).unwrap_or(value))?;
            out.write_char(')')
        }
        (class, kind, data) => {
            write!(out, "property({class},{kind},")?;
            write_hex(out, data)?;
            out.write_char(')')
        }
    }
}

pub(crate) fn write_decap(out: &mut impl Write, packet_type: u32) -> fmt::Result {
    if packet_type == USE_NEXT_PROTO {
        return out.write_str("decap()");
    }
    let (namespace, ty) = (packet_type >> 16, packet_type & 0xffff);
    write!(out, "decap(packet_type(ns={namespace},type=")?;
    super::field::write_hex_number(out, ty.into())?;
    out.write_str("))")
}
