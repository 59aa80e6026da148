//! Whole messages as `ovs-ofctl ofp-print` prints them.
//!
//! Owns: the line with name and xid, truncation and decode errors, and the choice of the body's
//! printer. Held by the vectors.

mod connection;
mod fixed;
mod groups;
mod nicira;
mod packets;
mod ports;
mod tables;

use std::fmt::{self, Write};

use crate::action::ActionList;
use crate::codec::Reader;
use crate::error::OfpError;
use crate::header::{HEADER_LEN, MsgType, OfHeader, Version};
use crate::msg::registry::{self, Kind};
use crate::msg::{
    FlowMod, FlowModForm, FlowUpdate, Message, QueueConfig, StatsReply, StatsRequest,
};
use crate::ports::Port;

use super::field::write_port;
use super::flow::{write_flow_mod, write_flow_request, write_flow_stats};
use super::hexdump::write_hex_dump;

/// How much is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Verbosity(pub u8);

impl Verbosity {
    /// Counts only, no packets.
    pub const MINIMAL: Self = Self(0);
    /// Packets are summarised.
    pub const BRIEF: Self = Self(1);
    /// Echo payloads are dumped: what `ovs-ofctl ofp-print` does unless told otherwise.
    pub const NORMAL: Self = Self(2);
    /// Matches entry by entry, packets in hexadecimal.
    pub const DETAILED: Self = Self(3);
    /// The bytes of the message too.
    pub const RAW: Self = Self(5);
}

impl Default for Verbosity {
    fn default() -> Self {
        Self::NORMAL
    }
}

/// Prints one message, header included; ends with a newline. Bytes that are no whole message, or
/// not a valid one, are dumped with what is wrong.
///
/// ```
/// use ofproto::text::{Verbosity, print_message};
///
/// let barrier = [1, 18, 0, 8, 0, 0, 0, 7];
/// assert_eq!(print_message(&barrier, Verbosity::NORMAL), "OFPT_BARRIER_REQUEST (xid=0x7):\n");
/// ```
#[must_use]
pub fn print_message(bytes: &[u8], verbosity: Verbosity) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let written = write_message(&mut out, bytes, verbosity);
    debug_assert!(written.is_ok());
    out
}

fn write_message(out: &mut String, bytes: &[u8], verbosity: Verbosity) -> fmt::Result {
    let length = match bytes {
        [] => return out.write_str("OpenFlow message is empty\n"),
        [_, _, high, low, _, _, _, _, ..] => usize::from(u16::from_be_bytes([*high, *low])),
        _ => {
            writeln!(
                out,
                "OpenFlow packet too short (only {} bytes):",
                bytes.len()
            )?;
            return write_hex_dump(out, bytes, true);
        }
    };
    if length > bytes.len() {
        if let Some(name) = name_of(bytes) {
            write_name(out, name, bytes)?;
            out.push('\n');
        }
        writeln!(
            out,
            "(***truncated to {} bytes from {length}***)",
            bytes.len()
        )?;
        return write_hex_dump(out, bytes, true);
    }
    if length < bytes.len() {
        writeln!(
            out,
            "(***only uses {length} bytes out of {}***)",
            bytes.len()
        )?;
        return write_hex_dump(out, bytes, true);
    }
    write_whole(out, bytes, verbosity)
}

fn write_whole(out: &mut String, bytes: &[u8], verbosity: Verbosity) -> fmt::Result {
    let decoded = Message::decode(bytes);
    let error = match &decoded {
        Ok((header, message)) => match refusal(message) {
            None => {
                write_name(out, name_of(bytes).unwrap_or("OFPT_UNKNOWN"), bytes)?;
                let head = out.len();
                let refused = match message {
                    Message::Unknown(_) => None,
                    known => known.check().err(),
                };
                let invalid = match refused {
                    None => write_body(out, *header, message, bytes, verbosity)?,
                    error => error,
                };
                match invalid {
                    None => {
                        if out.ends_with(' ') {
                            out.pop();
                        }
                        end_line(out);
                        if verbosity >= Verbosity::RAW {
                            write_hex_dump(out, bytes, true)?;
                        }
                        return Ok(());
                    }
                    Some(error) => {
                        end_partial(out, head);
                        error
                    }
                }
            }
            Some(error) => error,
        },
        Err(error) => {
            // Errors of size and number are found before the body is looked at.
            if registry::check_length(bytes).is_ok()
                && let Some(name) = name_of(bytes)
            {
                write_name(out, name, bytes)?;
                let head = out.len();
                let earlier = write_until_error(out, bytes, verbosity)?;
                end_partial(out, head);
                earlier.unwrap_or(error.code())
            } else {
                error.code()
            }
        }
    };
    writeln!(out, "***decode error: {error}***")?;
    write_hex_dump(out, bytes, true)
}

/// What Open vSwitch has printed of a body before it finds the error in it: the flags of
/// statistics, and the entries of a list before the wrong one. The result is an error in these
/// entries that decoding leaves open, such as an unknown action.
fn write_until_error(
    out: &mut String,
    bytes: &[u8],
    verbosity: Verbosity,
) -> Result<Option<OfpError>, fmt::Error> {
    let mut body = Reader::new(bytes.get(HEADER_LEN..).unwrap_or(&[]));
    match Kind::of(bytes) {
        Some(Kind::Stats(MsgType::STATS_REPLY, _) | Kind::NiciraStats(MsgType::STATS_REPLY, _)) => {
            if let Ok((flags, reply, _)) = StatsReply::decode_prefix(&mut body) {
                write_stats_flags(out, flags, Message::REPLY_MORE)?;
                let earlier = write_stats_reply(out, &reply, verbosity)?;
                if matches!(reply, StatsReply::Group(_)) {
                    out.push_str(" ***parse error***");
                }
                return Ok(earlier);
            }
            write_flags_of(out, bytes, Message::REPLY_MORE)?;
        }
        Some(Kind::Stats(..) | Kind::NiciraStats(..)) => {
            write_flags_of(out, bytes, 0)?;
            if let Ok((_, request @ StatsRequest::FlowMonitor(_), _)) =
                StatsRequest::decode_prefix(&mut body)
            {
                write_stats_request(out, &request)?;
            }
        }
        Some(Kind::Standard(MsgType::QUEUE_GET_CONFIG_REPLY)) => {
            if let Ok((queues, _)) = QueueConfig::decode_prefix(&mut body) {
                tables::write_queue_config(out, &queues)?;
            }
        }
        _ => {}
    }
    Ok(None)
}

/// The flags of a statistics message.
fn write_flags_of(out: &mut String, bytes: &[u8], more: u16) -> fmt::Result {
    let flags = bytes.get(10..).and_then(|rest| rest.first_chunk()).copied();
    write_stats_flags(out, u16::from_be_bytes(flags.unwrap_or_default()), more)
}

/// What separates the part of a body that was printed from the error that follows.
fn end_partial(out: &mut String, head: usize) {
    if out.ends_with(' ') {
        out.pop();
    }
    if out.len() == head {
        out.push(' ');
    } else {
        end_line(out);
    }
}

fn end_line(out: &mut String) {
    if !out.ends_with('\n') {
        out.push('\n');
    }
}

/// The error with which messages are refused that are kept undecoded.
fn refusal(message: &Message) -> Option<OfpError> {
    match message {
        // These have the same form in every version.
        Message::Unknown(unknown) if unknown.version != Version::OF10 => {
            match (unknown.version.0, unknown.msg_type.0) {
                (1.., 0..=3) => None,
                (1..=6, _) => Some(OfpError::OFPBRC_BAD_VERSION),
                _ => Some(unknown.kind_error()),
            }
        }
        Message::Unknown(unknown) => Some(unknown.error()),
        Message::StatsRequest {
            body: StatsRequest::Unknown(unknown),
            ..
        }
        | Message::StatsReply {
            body: StatsReply::Unknown(unknown),
            ..
        } => Some(unknown.error()),
        _ => None,
    }
}

/// `NAME (xid=0x1):`, with the version in between unless it is 1.0.
fn write_name(out: &mut String, name: &str, bytes: &[u8]) -> fmt::Result {
    out.push_str(name);
    let version = bytes.first().copied().unwrap_or(0);
    match version {
        1 => {}
        2..=6 => write!(out, " (OF1.{})", version - 1)?,
        _ => write!(out, " (OF 0x{version:02x})")?,
    }
    let xid = bytes.get(4..8).and_then(|xid| xid.first_chunk()).copied();
    write!(
        out,
        " (xid={:#x}):",
        u32::from_be_bytes(xid.unwrap_or_default())
    )
}

/// The message's name, from as many bytes as are there.
fn name_of(bytes: &[u8]) -> Option<&'static str> {
    let [version, kind, ..] = bytes.first_chunk::<HEADER_LEN>()?;
    let kind = match (Version(*version), kind) {
        (Version::OF10, _) => Kind::of(bytes)?,
        // These have the same form in every version there could be.
        (Version(1..), 0..=3) => Kind::Standard(MsgType(*kind)),
        // Above this, the numbers of later versions differ.
        (Version(2..=6), 4..=14) => Kind::Standard(MsgType(*kind)),
        _ => return None,
    };
    kind.entry().map(|entry| entry.name)
}

/// Writes what follows the name; `Some` is an error found while doing it.
fn write_body(
    out: &mut String,
    header: OfHeader,
    message: &Message,
    bytes: &[u8],
    verbosity: Verbosity,
) -> Result<Option<OfpError>, fmt::Error> {
    match message {
        Message::Hello(hello) => connection::write_hello(out, hello, header.version, bytes)?,
        Message::Error(error) => return connection::write_error(out, error, header.version),
        Message::EchoRequest(data) | Message::EchoReply(data) => {
            connection::write_echo(out, data, verbosity)?;
        }
        Message::FeaturesReply(features) => connection::write_features(out, features)?,
        Message::GetConfigReply(config) | Message::SetConfig(config) => {
            connection::write_config(out, config)?;
        }
        Message::PacketIn(packet) => packets::write_packet_in(out, packet, verbosity)?,
        Message::NxPacketIn(packet) => packets::write_nx_packet_in(out, packet, verbosity)?,
        Message::PacketIn2(packet) | Message::Resume(packet) => {
            return packets::write_packet_in2(out, packet, verbosity);
        }
        Message::FlowRemoved(removed) => packets::write_flow_removed(out, removed)?,
        Message::PacketOut(packet) => packets::write_packet_out(out, packet, verbosity)?,
        Message::PortStatus(status) => ports::write_status(out, status)?,
        Message::PortMod(port) => ports::write_mod(out, port)?,
        Message::FlowMod(flow) => {
            out.push(' ');
            write_verbose_flow_mod(out, flow, bytes, verbosity)?;
        }
        Message::GroupMod(group) => groups::write_mod(out, group)?,
        Message::QueueGetConfigRequest(port) => {
            out.push_str(" port=");
            write_port(out, *port)?;
        }
        Message::QueueGetConfigReply(queues) => tables::write_queue_config(out, queues)?,
        Message::StatsRequest { flags, body } => {
            write_stats_flags(out, *flags, 0)?;
            write_stats_request(out, body)?;
        }
        Message::StatsReply { flags, body } => {
            write_stats_flags(out, *flags, Message::REPLY_MORE)?;
            return write_stats_reply(out, body, verbosity);
        }
        Message::Unknown(unknown) => match unknown.msg_type.0 {
            0 => {
                let hello = crate::msg::Hello {
                    body: unknown.body.clone(),
                };
                connection::write_hello(out, &hello, header.version, bytes)?;
            }
            1 => return connection::write_error_of(out, header.version, bytes),
            _ => connection::write_echo(out, &unknown.body, verbosity)?,
        },
        _ => nicira::write_nicira(out, message)?,
    }
    Ok(None)
}

/// At high verbosity the match is shown as it stands in the message.
fn write_verbose_flow_mod(
    out: &mut String,
    flow: &FlowMod,
    bytes: &[u8],
    verbosity: Verbosity,
) -> fmt::Result {
    // A fixed match that compares everything has the highest priority (OF1.0 §3.4).
    let exact = flow.form == FlowModForm::Of10 && compares_everything(bytes);
    let highest = exact.then(|| FlowMod {
        priority: u16::MAX,
        ..flow.clone()
    });
    let flow = highest.as_ref().unwrap_or(flow);
    if verbosity < Verbosity::DETAILED {
        return write_flow_mod(out, flow, None);
    }
    match flow.form {
        FlowModForm::Nx => {
            let length = bytes
                .get(40..42)
                .and_then(|field| field.first_chunk())
                .copied();
            let length = usize::from(u16::from_be_bytes(length.unwrap_or_default()));
            let entries = bytes.get(48..48 + length).unwrap_or(&[]);
            write_flow_mod(out, flow, Some(&super::nxm::nxm_to_string(entries)))
        }
        FlowModForm::Of10 => {
            let fixed = bytes.get(8..48).unwrap_or(&[]);
            write_flow_mod(out, flow, Some(&fixed::fixed_match_to_string(fixed)))
        }
    }
}

fn compares_everything(bytes: &[u8]) -> bool {
    const ALL: u32 = 0x003f_ffff;
    let wildcards = bytes
        .get(8..12)
        .and_then(|word| word.first_chunk())
        .copied();
    wildcards.is_some_and(|word| u32::from_be_bytes(word) & ALL == 0)
}

fn write_stats_flags(out: &mut String, flags: u16, more: u16) -> fmt::Result {
    if flags == 0 {
        return Ok(());
    }
    out.push_str(" flags=");
    if flags & more != 0 {
        out.push_str("[more]");
    }
    match flags & !more {
        0 => Ok(()),
        rest => write!(out, "[***unknown flags 0x{rest:04x}***]"),
    }
}

fn write_stats_request(out: &mut String, request: &StatsRequest) -> fmt::Result {
    match request {
        StatsRequest::Flow(request) | StatsRequest::Aggregate(request) => {
            write_flow_request(out, request)
        }
        StatsRequest::Port(port) => {
            out.push_str(" port_no=");
            write_port(out, *port)
        }
        StatsRequest::Queue { port, queue } => {
            out.push_str(" port=");
            // All ports are called ANY here, whichever of the two numbers says it.
            let all = *port == Port::ALL;
            write_port(out, if all { Port::NONE } else { *port })?;
            out.push_str(" queue=");
            tables::write_queue_id(out, *queue)
        }
        StatsRequest::PortDesc => out.write_str(" port=ANY"),
        StatsRequest::Group(group) | StatsRequest::GroupDesc(group) => {
            out.push_str(" group_id=");
            groups::write_group_id(out, *group)
        }
        StatsRequest::FlowMonitor(requests) => requests
            .iter()
            .try_for_each(|request| nicira::write_monitor_request(out, request)),
        StatsRequest::Desc
        | StatsRequest::Table
        | StatsRequest::GroupFeatures
        | StatsRequest::IpfixBridge
        | StatsRequest::IpfixFlow
        | StatsRequest::Unknown(_) => Ok(()),
    }
}

fn write_stats_reply(
    out: &mut String,
    reply: &StatsReply,
    verbosity: Verbosity,
) -> Result<Option<OfpError>, fmt::Error> {
    match reply {
        StatsReply::Desc(desc) => tables::write_desc(out, desc),
        StatsReply::Flow(_, flows) => {
            for flow in flows {
                if let Err(error) = flow.actions.refuse_unknown().and(flow.actions.verify()) {
                    return Ok(Some(error));
                }
                out.push_str("\n ");
                write_flow_stats(out, flow)?;
            }
            Ok(())
        }
        StatsReply::Aggregate(_, totals) => write!(
            out,
            " packet_count={} byte_count={} flow_count={}",
            totals.packets, totals.bytes, totals.flows
        ),
        StatsReply::Table(tables) => tables::write_tables(out, tables),
        StatsReply::Port(ports) => ports::write_port_stats(out, ports, verbosity),
        StatsReply::Queue(queues) => tables::write_queue_stats(out, queues, verbosity),
        StatsReply::PortDesc(ports) => {
            out.push('\n');
            ports::write_phy_ports(out, ports)
        }
        StatsReply::Group(groups) => groups::write_stats(out, groups),
        StatsReply::GroupDesc(groups) => {
            for group in groups {
                let mut lists = group.buckets.iter().map(|bucket| &bucket.actions);
                if let Err(error) = lists.try_for_each(plain) {
                    return Ok(Some(error));
                }
                groups::write_desc(out, group)?;
            }
            Ok(())
        }
        StatsReply::GroupFeatures(features) => groups::write_features(out, features),
        StatsReply::FlowMonitor(updates) => {
            for update in updates {
                if let FlowUpdate::Full(full) = update
                    && let Err(error) = plain(&full.actions)
                {
                    return Ok(Some(error));
                }
                nicira::write_update(out, update)?;
            }
            Ok(())
        }
        StatsReply::IpfixBridge(stats) => tables::write_ipfix_bridge(out, stats),
        StatsReply::IpfixFlow(stats) => tables::write_ipfix_flows(out, stats),
        StatsReply::Unknown(_) => Ok(()),
    }?;
    Ok(None)
}

/// What is refused in actions that are no flow's.
fn plain(actions: &ActionList) -> Result<(), OfpError> {
    actions.refuse_unknown()?;
    actions.verify_plain()
}

/// The names of `bits`, those without a name as one number at the end; `0` for none.
fn write_bit_names(
    out: &mut String,
    bits: u32,
    names: &[(u32, &str)],
    separator: char,
) -> fmt::Result {
    if bits == 0 {
        return out.write_char('0');
    }
    let mut rest = bits;
    let start = out.len();
    for (bit, name) in names.iter().filter(|(bit, _)| bits & bit != 0) {
        if out.len() > start {
            out.push(separator);
        }
        out.push_str(name);
        rest &= !bit;
    }
    if rest != 0 {
        if out.len() > start {
            out.push(separator);
        }
        write!(out, "{rest:#x}")?;
    }
    Ok(())
}
