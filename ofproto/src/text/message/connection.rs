//! Hello, error, echo, features, configuration.

use std::fmt::{self, Write};

use crate::codec::Reader;
use crate::error::OfpError;
use crate::header::Version;
use crate::msg::{ErrorMsg, Hello, SwitchConfig, SwitchFeatures};

use super::super::hexdump::write_hex_dump;
use super::{Verbosity, ports, print_message, write_bit_names};

pub(super) fn write_hello(
    out: &mut String,
    hello: &Hello,
    version: Version,
    bytes: &[u8],
) -> fmt::Result {
    let (bitmap, understood) = hello.versions(version);
    out.push_str("\n version bitmap: ");
    let versions = (0..32).filter(|version| bitmap & 1 << version != 0);
    for (index, version) in versions.enumerate() {
        write!(out, "{}0x{version:02x}", if index > 0 { ", " } else { "" })?;
    }
    if !understood {
        out.push_str("\n unknown data in hello:\n");
        write_hex_dump(out, bytes, true)?;
    }
    Ok(())
}

pub(super) fn write_error(
    out: &mut String,
    error: &ErrorMsg,
    version: Version,
) -> Result<Option<OfpError>, fmt::Error> {
    let Some(known) = error.error(version) else {
        return Ok(Some(OfpError::OFPBRC_BAD_LEN));
    };
    writeln!(out, " {known}")?;
    if matches!(
        known,
        OfpError::OFPHFC_INCOMPATIBLE | OfpError::OFPHFC_EPERM
    ) {
        for byte in &error.data {
            match byte {
                b'\\' | b'"' => write!(out, "\\{byte:03o}")?,
                0x20..=0x7e => out.push(char::from(*byte)),
                _ => write!(out, "\\{byte:03o}")?,
            }
        }
    } else {
        out.push_str(&print_message(&error.data, Verbosity::BRIEF));
    }
    Ok(None)
}

/// An error of another version, whose body has the same form.
pub(super) fn write_error_of(
    out: &mut String,
    version: Version,
    bytes: &[u8],
) -> Result<Option<OfpError>, fmt::Error> {
    let mut body = Reader::new(bytes.get(8..).unwrap_or(&[]));
    match ErrorMsg::decode_body(version, &mut body) {
        Ok(error) => write_error(out, &error, version),
        Err(error) => Ok(Some(error.code())),
    }
}

pub(super) fn write_echo(out: &mut String, data: &[u8], verbosity: Verbosity) -> fmt::Result {
    writeln!(out, " {} bytes of payload", data.len())?;
    if verbosity > Verbosity::BRIEF {
        write_hex_dump(out, data, true)
    } else {
        Ok(())
    }
}

/// `enum ofp_capabilities` (OF1.0 §5.3.1).
const CAPABILITIES: [(u32, &str); 7] = [
    (1 << 0, "FLOW_STATS"),
    (1 << 1, "TABLE_STATS"),
    (1 << 2, "PORT_STATS"),
    (1 << 3, "STP"),
    (1 << 5, "IP_REASM"),
    (1 << 6, "QUEUE_STATS"),
    (1 << 7, "ARP_MATCH_IP"),
];

/// Actions in the order Open vSwitch lists them, with their OF1.0 numbers.
const ACTIONS: [(u32, &str); 12] = [
    (0, "output"),
    (11, "enqueue"),
    (1, "set_vlan_vid"),
    (2, "set_vlan_pcp"),
    (3, "strip_vlan"),
    (4, "mod_dl_src"),
    (5, "mod_dl_dst"),
    (6, "mod_nw_src"),
    (7, "mod_nw_dst"),
    (8, "mod_nw_tos"),
    (9, "mod_tp_src"),
    (10, "mod_tp_dst"),
];

pub(super) fn write_action_names(out: &mut String, bits: u32) -> fmt::Result {
    let known = ACTIONS.iter().filter(|(number, _)| bits & 1 << number != 0);
    let names: Vec<&str> = known.map(|(_, name)| *name).collect();
    if names.is_empty() {
        return out.write_str("<none>");
    }
    out.write_str(&names.join(" "))
}

pub(super) fn write_features(out: &mut String, features: &SwitchFeatures) -> fmt::Result {
    writeln!(out, " dpid:{:016x}", features.datapath_id)?;
    writeln!(
        out,
        "n_tables:{}, n_buffers:{}",
        features.n_tables, features.n_buffers
    )?;
    out.push_str("capabilities: ");
    write_bit_names(out, features.capabilities & 0xef, &CAPABILITIES, ' ')?;
    out.push('\n');
    if features.actions & 0xfff != 0 {
        out.push_str("actions: ");
        write_action_names(out, features.actions)?;
        out.push('\n');
    }
    ports::write_phy_ports(out, &features.ports)
}

/// OF1.0 §5.3.2: the low two bits say what happens to fragments.
pub(super) fn write_config(out: &mut String, config: &SwitchConfig) -> fmt::Result {
    const INVALID_TTL_TO_CONTROLLER: u16 = 4;
    let fragments = match config.flags & 3 {
        0 => "normal",
        1 => "drop",
        2 => "reassemble",
        _ => "nx-match",
    };
    write!(out, " frags={fragments}")?;
    if config.flags & INVALID_TTL_TO_CONTROLLER != 0 {
        out.push_str(" invalid_ttl_to_controller");
    }
    writeln!(out, " miss_send_len={}", config.miss_send_len)
}
