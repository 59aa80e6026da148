//! Packets up and down, and removed flows.

use std::fmt::{self, Write};

use crate::action::{ActionList, PacketInReason};
use crate::codec::Codec;
use crate::codec::Reader;
use crate::error::OfpError;
use crate::matching::{FieldId, Match};
use crate::msg::{FlowRemoved, FlowRemovedReason, NxPacketIn, PacketIn, PacketIn2, PacketOut};
use crate::ports::NO_BUFFER;
use crate::property;

use super::super::action_print::{write_actions, write_dotted_hex};
use super::super::controller::write_reason;
use super::super::field::{write_hex, write_port};
use super::super::flow::write_duration;
use super::super::hexdump::write_hex_dump;
use super::super::match_print::{DEFAULT_PRIORITY, write_match};
use super::super::packet::write_packet;
use super::Verbosity;

/// What the three forms of packet-in have in common.
struct Common<'a> {
    table: u8,
    cookie: Option<u64>,
    total_len: u64,
    metadata: &'a Match,
    reason: PacketInReason,
    buffer_id: u32,
    data: &'a [u8],
}

fn write_common(out: &mut String, packet: &Common<'_>) -> fmt::Result {
    if packet.table != 0 {
        write!(out, " table_id={}", packet.table)?;
    }
    if let Some(cookie) = packet.cookie.filter(|cookie| *cookie != u64::MAX) {
        write!(out, " cookie={cookie:#x}")?;
    }
    write!(out, " total_len={} ", packet.total_len)?;
    write_match(out, packet.metadata, DEFAULT_PRIORITY)?;
    out.push_str(" (via ");
    write_reason(out, packet.reason)?;
    let length = packet.data.len() as u64;
    write!(out, ") data_len={length}")?;
    if packet.buffer_id == NO_BUFFER {
        out.push_str(" (unbuffered)");
        if packet.total_len != length {
            out.push_str(" (***total_len != data_len***)");
        }
    } else {
        write!(out, " buffer=0x{:08x}", packet.buffer_id)?;
        if packet.total_len < length {
            out.push_str(" (***total_len < data_len***)");
        }
    }
    out.push('\n');
    Ok(())
}

fn write_frame(out: &mut String, data: &[u8], verbosity: Verbosity) -> fmt::Result {
    if verbosity > Verbosity::MINIMAL {
        write_packet(out, data)?;
    }
    if verbosity > Verbosity::NORMAL {
        write_hex_dump(out, data, false)
    } else {
        Ok(())
    }
}

pub(super) fn write_packet_in(
    out: &mut String,
    packet: &PacketIn,
    verbosity: Verbosity,
) -> fmt::Result {
    let metadata = Match::new().with(FieldId::IN_PORT, packet.in_port);
    let common = Common {
        table: 0,
        cookie: None,
        total_len: packet.total_len.into(),
        metadata: &metadata,
        reason: packet.reason,
        buffer_id: packet.buffer_id,
        data: &packet.data,
    };
    write_common(out, &common)?;
    write_frame(out, &packet.data, verbosity)
}

pub(super) fn write_nx_packet_in(
    out: &mut String,
    packet: &NxPacketIn,
    verbosity: Verbosity,
) -> fmt::Result {
    let common = Common {
        table: packet.table,
        cookie: Some(packet.cookie),
        total_len: packet.total_len.into(),
        metadata: &packet.metadata,
        reason: packet.reason,
        buffer_id: packet.buffer_id,
        data: &packet.data,
    };
    write_common(out, &common)?;
    write_frame(out, &packet.data, verbosity)
}

pub(super) fn write_packet_in2(
    out: &mut String,
    packet: &PacketIn2,
    verbosity: Verbosity,
) -> Result<Option<OfpError>, fmt::Error> {
    let continuation = packet.continuation.as_deref().unwrap_or(&[]);
    if let Err(error) = check_continuation(continuation) {
        return Ok(Some(error));
    }
    let nothing = Match::new();
    let common = Common {
        table: packet.table.unwrap_or(0),
        cookie: packet.cookie,
        total_len: packet
            .full_len
            .map_or(packet.packet.len() as u64, u64::from),
        metadata: packet.metadata.as_ref().unwrap_or(&nothing),
        reason: packet.reason.unwrap_or(PacketInReason::NO_MATCH),
        buffer_id: packet.buffer_id.unwrap_or(NO_BUFFER),
        data: &packet.packet,
    };
    write_common(out, &common)?;
    if let Some(userdata) = packet.userdata.as_ref().filter(|bytes| !bytes.is_empty()) {
        out.push_str(" userdata=");
        write_dotted_hex(out, userdata)?;
        out.push('\n');
    }
    write_continuation(out, continuation)?;
    write_frame(out, &packet.packet, verbosity)?;
    Ok(None)
}

// Properties of a continuation (`enum nx_continuation_prop_type`).
const BRIDGE: u16 = 0x8000;
const STACK: u16 = 0x8001;
const MIRRORS: u16 = 0x8002;
const CONNTRACKED: u16 = 0x8003;
const TABLE_ID: u16 = 0x8004;
const COOKIE: u16 = 0x8005;
const ACTIONS: u16 = 0x8006;
const ACTION_SET: u16 = 0x8007;
const ODP_PORT: u16 = 0x8008;

/// Whether the properties that are understood have a form that is.
fn check_continuation(continuation: &[u8]) -> Result<(), OfpError> {
    /// Longest value on the stack.
    const MAX_VALUE: usize = 128;
    let mut rest = Reader::new(continuation);
    while !rest.is_empty() {
        let property = property::take(&mut rest).map_err(|error| error.code())?;
        let mut data = property.data;
        let length = data.remaining();
        let fits = match property.kind {
            BRIDGE => length == 16,
            STACK => length <= MAX_VALUE,
            MIRRORS | ODP_PORT => length == 4,
            TABLE_ID => length >= 1,
            COOKIE => length == 12,
            ACTIONS | ACTION_SET => length >= 4,
            _ => true,
        };
        if !fits {
            return Err(OfpError::OFPBPC_BAD_LEN);
        }
        if matches!(property.kind, ACTIONS | ACTION_SET) {
            if length % 8 != 4 {
                return Err(OfpError::OFPBRC_BAD_LEN);
            }
            let list = data
                .skip(4, "pad")
                .and_then(|()| ActionList::decode(&mut data));
            list.map_err(|error| error.code())?.refuse_unknown()?;
        }
    }
    Ok(())
}

/// The properties of a continuation, which are the switch's own business; those that are
/// understood are shown.
fn write_continuation(out: &mut String, continuation: &[u8]) -> fmt::Result {
    let mut stack: Vec<&[u8]> = Vec::new();
    let mut lines = [const { String::new() }; 6];
    let [bridge, mirrors, tracked, actions, action_set, odp_port] = &mut lines;
    let mut rest = Reader::new(continuation);
    while let Ok(property::Property { kind, mut data, .. }) = property::take(&mut rest) {
        let bytes = data.peek();
        let number = bytes
            .first_chunk()
            .copied()
            .map(u32::from_be_bytes)
            .unwrap_or(0);
        match (kind, bytes) {
            (BRIDGE, bytes) => {
                // Four words in the byte order of the switch: nearly always little-endian.
                let words = bytes.chunks(4).flat_map(|word| word.iter().rev());
                let digits: String = words.map(|byte| format!("{byte:02x}")).collect();
                let parts = [0..8, 8..12, 12..16, 16..20, 20..32];
                let parts = parts.map(|range| digits.get(range).unwrap_or("").to_owned());
                writeln!(bridge, " continuation.bridge={}", parts.join("-"))?;
            }
            (STACK, bytes) => stack.push(bytes),
            (MIRRORS, _) if number == 0 => {}
            (MIRRORS, _) => writeln!(mirrors, " continuation.mirrors={number:#x}")?,
            (CONNTRACKED, _) => tracked.push_str(" continuation.conntracked=true\n"),
            (ACTIONS | ACTION_SET, _) => {
                // Nested properties begin at offset 8.
                let nested = data.skip(4.min(data.remaining()), "pad").is_ok();
                let list = ActionList::decode(&mut data).unwrap_or_default();
                if nested && !list.is_empty() {
                    let (line, name) = match kind {
                        ACTIONS => (&mut *actions, "actions"),
                        _ => (&mut *action_set, "action_set"),
                    };
                    write!(line, " continuation.{name}=")?;
                    write_actions(line, &list)?;
                    line.push('\n');
                }
            }
            (ODP_PORT, _) => writeln!(odp_port, " continuation.odp_port={number}")?,
            _ => {}
        }
        if rest.is_empty() {
            break;
        }
    }
    out.push_str(bridge);
    if !stack.is_empty() {
        out.push_str(" continuation.stack=(top)");
        for value in stack {
            out.push(' ');
            write_hex(out, value)?;
        }
        out.push_str(" (bottom)\n");
    }
    [&*mirrors, tracked, actions, action_set, odp_port]
        .into_iter()
        .for_each(|line| out.push_str(line));
    Ok(())
}

pub(super) fn write_packet_out(
    out: &mut String,
    packet: &PacketOut,
    verbosity: Verbosity,
) -> fmt::Result {
    out.push_str(" in_port=");
    write_port(out, packet.in_port)?;
    out.push_str(" actions=");
    write_actions(out, &packet.actions)?;
    if packet.buffer_id != NO_BUFFER {
        return write!(out, " buffer=0x{:08x}", packet.buffer_id);
    }
    write!(out, " data_len={}", packet.data.len())?;
    if verbosity > Verbosity::MINIMAL && !packet.data.is_empty() {
        out.push('\n');
        write_packet(out, &packet.data)?;
    }
    if verbosity > Verbosity::NORMAL {
        write_hex_dump(out, &packet.data, false)
    } else {
        Ok(())
    }
}

/// Names of `enum ofp_flow_removed_reason`.
const REMOVED: [(FlowRemovedReason, &str); 6] = [
    (FlowRemovedReason::IDLE_TIMEOUT, "idle"),
    (FlowRemovedReason::HARD_TIMEOUT, "hard"),
    (FlowRemovedReason::DELETE, "delete"),
    (FlowRemovedReason::GROUP_DELETE, "group_delete"),
    (FlowRemovedReason::METER_DELETE, "meter_delete"),
    (FlowRemovedReason::EVICTION, "eviction"),
];

pub(super) fn write_removed_reason(out: &mut impl Write, reason: FlowRemovedReason) -> fmt::Result {
    match REMOVED.iter().find(|(known, _)| *known == reason) {
        Some((_, name)) => out.write_str(name),
        None => write!(out, "{}", reason.0),
    }
}

pub(super) fn write_flow_removed(out: &mut String, removed: &FlowRemoved) -> fmt::Result {
    out.push(' ');
    write_match(out, &removed.match_, removed.priority)?;
    out.push_str(" reason=");
    write_removed_reason(out, removed.reason)?;
    if let Some(table) = removed.table {
        write!(out, " table_id={table}")?;
    }
    if removed.cookie != 0 {
        write!(out, " cookie:{:#x}", removed.cookie)?;
    }
    out.push_str(" duration");
    write_duration(out, removed.duration)?;
    write!(
        out,
        " idle{} pkts{} bytes{}",
        removed.idle_timeout, removed.packets, removed.bytes
    )?;
    out.write_char('\n')
}
