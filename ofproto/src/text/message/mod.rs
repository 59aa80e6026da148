//! Whole messages as `ovs-ofctl ofp-print` prints them.
//!
//! Owns: the line with name and xid, truncation and decode errors, and the choice of the body's
//! printer. Held by the vectors.

mod connection;
mod groups;
mod nicira;
mod packets;
mod ports;
mod tables;

use std::fmt::{self, Write};

use crate::error::OfpError;
use crate::header::{HEADER_LEN, NX_VENDOR, OfHeader, Version};
use crate::msg::{FlowMod, FlowModForm, Message, StatsReply, StatsRequest};
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
            write_name(out, &name, bytes)?;
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
                let name = name_of(bytes).unwrap_or_else(|| "OFPT_UNKNOWN".to_owned());
                write_name(out, &name, bytes)?;
                let head = out.len();
                let invalid = match invalid(message) {
                    None => write_body(out, *header, message, bytes, verbosity)?,
                    error => error,
                };
                match invalid {
                    None => {
                        if out.ends_with(' ') {
                            out.pop();
                        }
                        end_line(out);
                        return Ok(());
                    }
                    Some(error) => {
                        out.push_str(if out.len() > head { "\n" } else { " " });
                        error
                    }
                }
            }
            Some(error) => error,
        },
        Err(error) => {
            // Errors of size and number are found before the body is looked at.
            if !is_framing(error.code())
                && let Some(name) = name_of(bytes)
            {
                write_name(out, &name, bytes)?;
                out.push(' ');
            }
            error.code()
        }
    };
    writeln!(out, "***decode error: {error}***")?;
    write_hex_dump(out, bytes, true)?;
    out.push('\n');
    Ok(())
}

fn end_line(out: &mut String) {
    if !out.ends_with('\n') {
        out.push('\n');
    }
}

fn is_framing(error: OfpError) -> bool {
    matches!(
        error,
        OfpError::OFPBRC_BAD_LEN
            | OfpError::OFPBRC_BAD_TYPE
            | OfpError::OFPBRC_BAD_VERSION
            | OfpError::OFPBRC_BAD_STAT
            | OfpError::OFPBRC_BAD_VENDOR
            | OfpError::OFPBRC_BAD_SUBTYPE
    )
}

/// The error with which messages are refused that are kept undecoded.
fn refusal(message: &Message) -> Option<OfpError> {
    match message {
        // These have the same form in every version.
        Message::Unknown(unknown) if unknown.version != Version::OF10 => {
            let known = matches!(unknown.msg_type.0, 0..=3);
            (!known).then_some(match unknown.version.0 {
                1..=6 => OfpError::OFPBRC_BAD_VERSION,
                _ => OfpError::OFPBRC_BAD_TYPE,
            })
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

/// What a switch would refuse in the body of a message it was sent.
fn invalid(message: &Message) -> Option<OfpError> {
    match message {
        Message::FlowMod(_) | Message::GroupMod(_) => message.check().err(),
        Message::PacketOut(packet) => {
            let from = packet.in_port;
            let known =
                from.0 < Port::MAX || [Port::LOCAL, Port::NONE, Port::CONTROLLER].contains(&from);
            let port = if known {
                Ok(())
            } else {
                Err(OfpError::OFPBRC_BAD_PORT)
            };
            message.check().and(port).err()
        }
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

const STANDARD: [&str; 22] = [
    "HELLO",
    "ERROR",
    "ECHO_REQUEST",
    "ECHO_REPLY",
    "",
    "FEATURES_REQUEST",
    "FEATURES_REPLY",
    "GET_CONFIG_REQUEST",
    "GET_CONFIG_REPLY",
    "SET_CONFIG",
    "PACKET_IN",
    "FLOW_REMOVED",
    "PORT_STATUS",
    "PACKET_OUT",
    "FLOW_MOD",
    "PORT_MOD",
    "",
    "",
    "BARRIER_REQUEST",
    "BARRIER_REPLY",
    "QUEUE_GET_CONFIG_REQUEST",
    "QUEUE_GET_CONFIG_REPLY",
];

/// Nicira messages by subtype.
const NICIRA: [(u32, &str); 24] = [
    (10, "ROLE_REQUEST"),
    (11, "ROLE_REPLY"),
    (12, "SET_FLOW_FORMAT"),
    (13, "FLOW_MOD"),
    (14, "FLOW_REMOVED"),
    (15, "FLOW_MOD_TABLE_ID"),
    (16, "SET_PACKET_IN_FORMAT"),
    (17, "PACKET_IN"),
    (18, "FLOW_AGE"),
    (19, "SET_ASYNC_CONFIG"),
    (20, "SET_CONTROLLER_ID"),
    (21, "FLOW_MONITOR_CANCEL"),
    (22, "FLOW_MONITOR_PAUSED"),
    (23, "FLOW_MONITOR_RESUMED"),
    (24, "TLV_TABLE_MOD"),
    (25, "TLV_TABLE_REQUEST"),
    (26, "TLV_TABLE_REPLY"),
    (27, "SET_ASYNC_CONFIG2"),
    (28, "RESUME"),
    (29, "CT_FLUSH_ZONE"),
    (30, "PACKET_IN2"),
    (31, "GROUP_MOD"),
    (32, "CT_FLUSH"),
    (132, "REQUESTFORWARD"),
];

const STATS: [(u16, &str); 7] = [
    (0, "DESC"),
    (1, "FLOW"),
    (2, "AGGREGATE"),
    (3, "TABLE"),
    (4, "PORT"),
    (5, "QUEUE"),
    (13, "PORT_DESC"),
];

const NICIRA_STATS: [(u32, &str); 8] = [
    (0, "FLOW"),
    (1, "AGGREGATE"),
    (2, "FLOW_MONITOR"),
    (3, "IPFIX_BRIDGE"),
    (4, "IPFIX_FLOW"),
    (7, "GROUP"),
    (8, "GROUP_DESC"),
    (9, "GROUP_FEATURES"),
];

fn lookup<T: PartialEq>(table: &[(T, &'static str)], number: &T) -> Option<&'static str> {
    table
        .iter()
        .find(|(known, _)| known == number)
        .map(|(_, name)| *name)
}

/// The message's name, from as many bytes as are there.
fn name_of(bytes: &[u8]) -> Option<String> {
    let word = |at: usize| {
        bytes
            .get(at..)?
            .first_chunk()
            .copied()
            .map(u32::from_be_bytes)
    };
    let [version, kind, ..] = bytes.first_chunk::<HEADER_LEN>()?;
    match (version, kind) {
        (1, 4) => {
            let name = (word(8)? == NX_VENDOR)
                .then(|| lookup(&NICIRA, &word(12)?))
                .flatten()?;
            Some(format!("NXT_{name}"))
        }
        (1, 16 | 17) => {
            let side = if *kind == 16 { "request" } else { "reply" };
            let stats = bytes
                .get(8..)?
                .first_chunk()
                .copied()
                .map(u16::from_be_bytes)?;
            if stats != 0xffff {
                return Some(format!("OFPST_{} {side}", lookup(&STATS, &stats)?));
            }
            let nicira = word(12)? == NX_VENDOR;
            let name = nicira
                .then(|| lookup(&NICIRA_STATS, &word(16)?))
                .flatten()?;
            Some(format!("NXST_{name} {side}"))
        }
        // Above this, the numbers of later versions differ.
        (1, _) | (_, 0..=14) => {
            let name = STANDARD
                .get(usize::from(*kind))
                .filter(|name| !name.is_empty())?;
            Some(format!("OFPT_{name}"))
        }
        _ => None,
    }
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
            packets::write_packet_in2(out, packet, verbosity)?;
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
            write_flow_mod(out, flow, Some(&packets::fixed_match_to_string(fixed)))
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
        StatsReply::GroupDesc(groups) => groups::write_desc(out, groups),
        StatsReply::GroupFeatures(features) => groups::write_features(out, features),
        StatsReply::FlowMonitor(updates) => updates
            .iter()
            .try_for_each(|update| nicira::write_update(out, update)),
        StatsReply::IpfixBridge(stats) => tables::write_ipfix_bridge(out, stats),
        StatsReply::IpfixFlow(stats) => tables::write_ipfix_flows(out, stats),
        StatsReply::Unknown(_) => Ok(()),
    }?;
    Ok(None)
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
