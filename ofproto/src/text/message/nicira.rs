//! Nicira's own messages: connection settings, flow monitor, tunnel options, conntrack flushes.

use std::fmt::{self, Write};
use std::net::Ipv6Addr;

use crate::action::PacketInReason;
use crate::msg::Family;
use crate::msg::{
    AsyncConfig, AsyncProperty, CtFlush, CtTuple, FlowEvent, FlowFormat, FlowMonitorRequest,
    FlowRemovedReason, FlowUpdate, Message, PacketInFormat, Role, TlvCommand, TlvMap, TlvTableMod,
    TlvTableReply,
};
use crate::ports::{Port, TABLE_ALL};

use super::super::action_print::write_actions;
use super::super::address::write_ipv6;
use super::super::controller::write_reason;
use super::super::field::{write_hex_number, write_port};
use super::super::match_print::{DEFAULT_PRIORITY, write_match};
use super::packets::write_removed_reason;
use super::{groups, write_bit_names};

pub(super) fn write_nicira(out: &mut String, message: &Message) -> fmt::Result {
    match message {
        Message::RoleRequest(role) | Message::RoleReply(role) => {
            out.push_str(match *role {
                Role::PRIMARY => " role=primary",
                Role::SECONDARY => " role=secondary",
                _ => " role=equal",
            });
        }
        Message::SetFlowFormat(format) => {
            out.push_str(match *format {
                FlowFormat::OPENFLOW10 => " format=openflow10",
                FlowFormat::NXM => " format=nxm",
                _ => " format=(unknown)",
            });
        }
        Message::FlowModTableId(on) => out.push_str(if *on { " enable" } else { " disable" }),
        Message::SetPacketInFormat(format) => match *format {
            PacketInFormat::STANDARD => out.push_str(" format=standard"),
            PacketInFormat::NXT_PACKET_IN => out.push_str(" format=nxt_packet_in"),
            PacketInFormat::NXT_PACKET_IN2 => out.push_str(" format=nxt_packet_in2"),
            PacketInFormat(other) => write!(out, " format={other}")?,
        },
        Message::SetControllerId(id) => write!(out, " id={id}")?,
        Message::FlowMonitorCancel(id) => write!(out, " id={id}")?,
        Message::CtFlushZone(zone) => write!(out, " zone_id={zone}")?,
        Message::CtFlush(flush) => write_ct_flush(out, flush)?,
        Message::SetAsyncConfig(config) => write_async(out, &masks_of(config))?,
        Message::SetAsyncConfig2(properties) => write_async(out, &masks_of_properties(properties))?,
        Message::TlvTableMod(table) => write_tlv_mod(out, table)?,
        Message::TlvTableReply(table) => write_tlv_reply(out, table)?,
        Message::RequestForward { request, .. } => {
            out.push_str(" reason=group_mod");
            groups::write_mod(out, request)?;
        }
        _ => {}
    }
    Ok(())
}

/// The kinds of asynchronous messages, in the order they are shown, which is also that of the
/// properties of the newer message: kind n has properties 2 n (secondary) and 2 n + 1 (primary).
const ASYNC: [&str; 6] = [
    "PACKET_IN",
    "PORT_STATUS",
    "FLOW_REMOVED",
    "ROLE_STATUS",
    "TABLE_STATUS",
    "REQUESTFORWARD",
];

/// For each kind the masks as primary and as secondary.
type AsyncMasks = [[u32; 2]; 6];

fn masks_of(config: &AsyncConfig) -> AsyncMasks {
    // Reasons that OpenFlow 1.0 does not have are left out.
    let known = |masks: [u32; 2], reasons: u32| masks.map(|mask| mask & reasons);
    [
        known(config.packet_in, 0x7),
        known(config.port_status, 0x7),
        known(config.flow_removed, 0x3f),
        [0; 2],
        [0; 2],
        [0; 2],
    ]
}

fn masks_of_properties(properties: &[AsyncProperty]) -> AsyncMasks {
    let mut masks = [[0; 2]; 6];
    for property in properties {
        let slot = masks.get_mut(usize::from(property.kind / 2));
        if let Some(slot) = slot.and_then(|masks| masks.get_mut(usize::from(property.kind & 1 ^ 1)))
        {
            *slot = property.mask;
        }
    }
    masks
}

fn write_async(out: &mut String, masks: &AsyncMasks) -> fmt::Result {
    for (side, name) in ["primary", "secondary"].iter().enumerate() {
        writeln!(out, "\n {name}:")?;
        for (kind, (title, pair)) in ASYNC.iter().zip(masks).enumerate() {
            let mask = pair.get(side).copied().unwrap_or(0);
            write!(out, "{title:>16}:")?;
            for reason in (0..32u8).filter(|reason| mask & 1 << reason != 0) {
                write_async_reason(out, kind, reason)?;
            }
            out.push_str(if mask == 0 { " (off)\n" } else { "\n" });
        }
    }
    Ok(())
}

fn write_async_reason(out: &mut String, kind: usize, reason: u8) -> fmt::Result {
    let name = match (kind, reason) {
        (0, _) => {
            out.push(' ');
            return write_reason(out, PacketInReason(reason));
        }
        (2, _) => {
            out.push(' ');
            return write_removed_reason(out, FlowRemovedReason(reason));
        }
        (1, 0) => "add",
        (1, 1) => "delete",
        (1, 2) => "modify",
        (3, 0) => "primary_request",
        (3, 1) => "configuration_changed",
        (3, 2) => "experimenter_data_changed",
        (4, 3) => "vacancy_down",
        (4, 4) => "vacancy_up",
        (5, 0) => "group_mod_request",
        (5, 1) => "meter_mod_request",
        _ => return write!(out, " {reason}"),
    };
    write!(out, " {name}")
}

/// Bits of a monitor request (`enum nx_flow_monitor_flags`).
const MONITOR: [(u32, &str); 6] = [
    (1, "initial"),
    (2, "add"),
    (4, "delete"),
    (8, "modify"),
    (16, "actions"),
    (32, "own"),
];

pub(super) fn write_monitor_request(out: &mut String, request: &FlowMonitorRequest) -> fmt::Result {
    write!(out, "\n id={} flags=", request.id)?;
    write_bit_names(out, request.flags.into(), &MONITOR, ',')?;
    if request.out_port != Port::NONE {
        out.push_str(" out_port=");
        write_port(out, request.out_port)?;
    }
    if request.table != TABLE_ALL {
        write!(out, " table={}", request.table)?;
    }
    out.push(' ');
    write_match(out, &request.match_, DEFAULT_PRIORITY)?;
    if out.ends_with(' ') {
        out.pop();
    }
    Ok(())
}

pub(super) fn write_update(out: &mut String, update: &FlowUpdate) -> fmt::Result {
    out.push_str("\n event=");
    let update = match update {
        FlowUpdate::Abbrev { xid } => return write!(out, "ABBREV xid={xid:#x}"),
        FlowUpdate::Full(update) => update,
    };
    match update.event {
        FlowEvent::ADDED => out.push_str("ADDED"),
        FlowEvent::DELETED => {
            out.push_str("DELETED reason=");
            write_removed_reason(out, update.reason)?;
        }
        _ => out.push_str("MODIFIED"),
    }
    write!(out, " table={}", update.table)?;
    if update.idle_timeout != 0 {
        write!(out, " idle_timeout={}", update.idle_timeout)?;
    }
    if update.hard_timeout != 0 {
        write!(out, " hard_timeout={}", update.hard_timeout)?;
    }
    out.push_str(" cookie=");
    write_hex_number(out, update.cookie.into())?;
    out.push(' ');
    write_match(out, &update.match_, DEFAULT_PRIORITY)?;
    if !update.actions.is_empty() {
        out.push_str(if out.ends_with(' ') {
            "actions="
        } else {
            " actions="
        });
        write_actions(out, &update.actions)?;
    }
    Ok(())
}

/// `%#x` in a column: zero has no prefix.
fn write_column(out: &mut String, value: u16, width: usize) -> fmt::Result {
    let mut text = String::new();
    write_hex_number(&mut text, value.into())?;
    write!(out, "{text:>width$}")
}

fn write_tlv_maps(out: &mut String, maps: &[TlvMap]) -> fmt::Result {
    out.push_str(" mapping table:\n");
    out.push_str("  class  type  length  match field\n");
    out.push_str(" ------  ----  ------  --------------");
    for map in maps {
        out.push_str("\n ");
        write_column(out, map.class, 6)?;
        out.push_str("  ");
        write_column(out, map.kind.into(), 4)?;
        write!(out, "  {:6}  tun_metadata{}", map.len, map.index)?;
    }
    Ok(())
}

fn write_tlv_mod(out: &mut String, table: &TlvTableMod) -> fmt::Result {
    out.push_str("\n ");
    out.push_str(match table.command {
        TlvCommand::ADD => "ADD",
        TlvCommand::DELETE => "DEL",
        TlvCommand::CLEAR => return out.write_str("CLEAR"),
        _ => "",
    });
    write_tlv_maps(out, &table.maps)
}

fn write_tlv_reply(out: &mut String, table: &TlvTableReply) -> fmt::Result {
    let allocated: u32 = table.maps.iter().map(|map| u32::from(map.len)).sum();
    writeln!(
        out,
        "\n max option space={} max fields={}",
        table.max_option_space, table.max_fields
    )?;
    writeln!(out, " allocated option space={allocated}\n")?;
    write_tlv_maps(out, &table.maps)
}

fn write_ct_flush(out: &mut String, flush: &CtFlush) -> fmt::Result {
    write!(out, " zone={} ", flush.zone.unwrap_or(0))?;
    let masked = |value: Option<u128>, mask: Option<u128>, full: u128| {
        let mask = mask.or(value.map(|_| full)).unwrap_or(0);
        (mask != 0).then_some((value.unwrap_or(0), mask))
    };
    let (mark, mark_mask) = (flush.mark.map(u128::from), flush.mark_mask.map(u128::from));
    let items = [
        (
            "mark",
            masked(mark, mark_mask, u32::MAX.into()),
            u128::from(u32::MAX),
        ),
        (
            "labels",
            masked(flush.labels, flush.labels_mask, u128::MAX),
            u128::MAX,
        ),
    ];
    for (name, item, full) in items {
        if let Some((value, mask)) = item {
            write!(out, "{name}=")?;
            write_hex_number(out, value)?;
            if mask != full {
                out.push('/');
                write_hex_number(out, mask)?;
            }
            out.push(' ');
        }
    }
    let v4 = flush.family() == Some(Family::V4);
    out.push('\'');
    write_ct_tuple(out, &flush.orig, flush.ip_proto, v4)?;
    write!(out, ",ct_nw_proto={}' '", flush.ip_proto)?;
    write_ct_tuple(out, &flush.reply, flush.ip_proto, v4)?;
    out.write_char('\'')
}

fn write_ct_tuple(out: &mut String, tuple: &CtTuple, proto: u8, v4: bool) -> fmt::Result {
    let prefix = if v4 { "ct_nw" } else { "ct_ipv6" };
    for (separator, side, address) in [("", "src", tuple.src), (",", "dst", tuple.dst)] {
        write!(out, "{separator}{prefix}_{side}=")?;
        let address = address.unwrap_or(Ipv6Addr::UNSPECIFIED);
        match address.to_ipv4_mapped() {
            Some(address) => write!(out, "{address}")?,
            None => write_ipv6(out, address.to_bits())?,
        }
    }
    // ICMP and ICMPv6.
    if matches!(proto, 1 | 58) {
        return write!(
            out,
            ",icmp_id={},icmp_type={},icmp_code={}",
            tuple.icmp_id.unwrap_or(0),
            tuple.icmp_type.unwrap_or(0),
            tuple.icmp_code.unwrap_or(0)
        );
    }
    let ports = (tuple.src_port.unwrap_or(0), tuple.dst_port.unwrap_or(0));
    write!(out, ",ct_tp_src={},ct_tp_dst={}", ports.0, ports.1)
}
