//! Messages of all kinds.

use ::arbitrary::{Arbitrary, Result, Unstructured};

use crate::action::{ActionList, PacketInReason};
use crate::matching::Match;
use crate::msg::{
    AggregateStats, AsyncConfig, CtFlush, FixedStr, FlowEvent, FlowFormat, FlowMod, FlowModForm,
    FlowMonitorRequest, FlowRemoved, FlowRemovedReason, FlowStats, FlowStatsRequest, FlowUpdate,
    FlowUpdateFull, Message, NxPacketIn, PacketIn, PacketInFormat, PacketOut, PhyPort, PortMod,
    PortReason, PortStats, PortStatus, QueueStats, Role, StatsReply, StatsRequest, SwitchConfig,
    SwitchFeatures, TableStats, TlvCommand, TlvMap, TlvTableMod,
};
use crate::ports::{NO_BUFFER, Port};

pub(super) fn arbitrary_message(u: &mut Unstructured<'_>) -> Result<Message> {
    Ok(match u.int_in_range(0..=25u8)? {
        0 => Message::FlowMod(FlowMod::arbitrary(u)?),
        1 => Message::EchoRequest(payload(u)?),
        2 => Message::FeaturesReply(features(u)?),
        3 => Message::SetConfig(config(u)?),
        4 => Message::GetConfigReply(config(u)?),
        5 => Message::PacketIn(PacketIn {
            buffer_id: u.arbitrary()?,
            total_len: u.arbitrary()?,
            in_port: real_port(u)?,
            reason: PacketInReason(u.int_in_range(0..=2)?),
            data: frame(u)?,
        }),
        6 => {
            let data = frame(u)?;
            Message::NxPacketIn(NxPacketIn {
                buffer_id: NO_BUFFER,
                total_len: u16::try_from(data.len()).unwrap_or(u16::MAX),
                reason: PacketInReason(u.int_in_range(0..=2)?),
                table: u.arbitrary()?,
                cookie: u.arbitrary()?,
                metadata: Match::arbitrary(u)?,
                data,
            })
        }
        7 => Message::FlowRemoved(FlowRemoved {
            form: FlowModForm::Nx,
            match_: Match::arbitrary(u)?,
            cookie: u.arbitrary()?,
            priority: u.arbitrary()?,
            reason: FlowRemovedReason(u.int_in_range(0..=5)?),
            table: Some(u.int_in_range(0..=253)?),
            duration: duration(u)?,
            idle_timeout: u.arbitrary()?,
            packets: u.arbitrary()?,
            bytes: u.arbitrary()?,
        }),
        8 => Message::PortStatus(PortStatus {
            reason: PortReason(u.int_in_range(0..=2)?),
            port: phy_port(u)?,
        }),
        9 => Message::PortMod(PortMod {
            port_no: real_port(u)?,
            hw_addr: u.arbitrary()?,
            config: u.arbitrary::<u32>()? & 0x7f,
            mask: u.arbitrary::<u32>()? & 0x7f,
            advertise: u.arbitrary::<u32>()? & 0xfff,
        }),
        10 => Message::PacketOut(PacketOut {
            buffer_id: NO_BUFFER,
            in_port: real_port(u)?,
            actions: plain_actions(u)?,
            data: frame(u)?,
        }),
        11 => Message::BarrierRequest,
        12 => Message::RoleRequest(Role(u.int_in_range(0..=2)?)),
        13 => Message::SetFlowFormat(FlowFormat(*u.choose(&[0, 2])?)),
        14 => Message::FlowModTableId(u.arbitrary()?),
        15 => Message::SetPacketInFormat(PacketInFormat(u.int_in_range(0..=2)?)),
        16 => Message::SetAsyncConfig(AsyncConfig {
            packet_in: [u.int_in_range(0..=7)?, u.int_in_range(0..=7)?],
            port_status: [u.int_in_range(0..=7)?, u.int_in_range(0..=7)?],
            flow_removed: [u.int_in_range(0..=0x3f)?, u.int_in_range(0..=0x3f)?],
        }),
        17 => Message::SetControllerId(u.arbitrary()?),
        18 => Message::FlowMonitorCancel(u.arbitrary()?),
        19 => Message::CtFlushZone(u.arbitrary()?),
        20 => Message::TlvTableMod(TlvTableMod {
            command: TlvCommand::ADD,
            maps: some(u, |u| {
                Ok(TlvMap {
                    class: u.arbitrary()?,
                    kind: u.arbitrary()?,
                    len: u.int_in_range(1..=31u8)? * 4,
                    index: u.int_in_range(0..=63)?,
                })
            })?,
        }),
        21 => Message::CtFlush(CtFlush {
            ip_proto: 6,
            zone: Some(u.arbitrary()?),
            ..CtFlush::default()
        }),
        22 | 23 => Message::StatsRequest {
            flags: 0,
            body: stats_request(u)?,
        },
        _ => Message::StatsReply {
            flags: u.int_in_range(0..=1)?,
            body: stats_reply(u)?,
        },
    })
}

fn some<T>(
    u: &mut Unstructured<'_>,
    mut item: impl FnMut(&mut Unstructured<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut items = Vec::new();
    for _ in 0..u.int_in_range(1..=3u8)? {
        items.push(item(u)?);
    }
    Ok(items)
}

fn payload(u: &mut Unstructured<'_>) -> Result<Box<[u8]>> {
    let mut bytes = vec![0; usize::from(u.int_in_range(0..=90u8)?)];
    u.fill_buffer(&mut bytes)?;
    Ok(bytes.into())
}

/// A frame whose headers say what follows them, most of the time.
fn frame(u: &mut Unstructured<'_>) -> Result<Box<[u8]>> {
    if u.ratio(1, 4)? {
        return payload(u);
    }
    let mut frame = u.bytes(12)?.to_vec();
    if u.ratio(1, 3)? {
        frame.extend([0x81, 0x00]);
        frame.extend(u.arbitrary::<[u8; 2]>()?);
    }
    let eth_type = *u.choose(&[0x0800u16, 0x86dd, 0x0806, 0x8847])?;
    frame.extend(eth_type.to_be_bytes());
    let rest = payload(u)?;
    let proto = *u.choose(&[1u8, 6, 17, 58, 132, 2])?;
    let length = u16::try_from(rest.len()).unwrap_or(0);
    match eth_type {
        0x0800 => {
            let total = (length + 20).to_be_bytes();
            let fragment = *u.choose(&[[0u8, 0], [0x20, 0], [0x20, 9], [0x40, 0]])?;
            let ttl = u.arbitrary()?;
            frame.extend([0x45, u.arbitrary()?, total[0], total[1], 0, 0]);
            frame.extend([fragment[0], fragment[1], ttl, proto, 0, 0]);
            frame.extend(u.arbitrary::<[u8; 8]>()?);
        }
        0x86dd => {
            let size = length.to_be_bytes();
            let label = u.arbitrary::<[u8; 3]>()?;
            frame.extend([
                0x60 | label[0] & 0xf,
                label[1],
                label[2],
                1,
                size[0],
                size[1],
            ]);
            frame.extend([proto, u.arbitrary()?]);
            frame.extend(u.arbitrary::<[u8; 32]>()?);
        }
        0x0806 => frame.extend([0, 1, 8, 0, 6, 4, 0, 2]),
        _ => {}
    }
    frame.extend(rest.iter());
    Ok(frame.into())
}

fn real_port(u: &mut Unstructured<'_>) -> Result<Port> {
    Ok(Port(u.int_in_range(1..=0xfeff)?))
}

fn duration(u: &mut Unstructured<'_>) -> Result<(u32, u32)> {
    let nanos = u.int_in_range(0..=999u32)?;
    let scale = *u.choose(&[1, 1_000_000])?;
    Ok((u.arbitrary::<u32>()? >> 1, nanos * scale))
}

/// Actions without those that only flows can have.
fn plain_actions(u: &mut Unstructured<'_>) -> Result<ActionList> {
    Ok(plain(&ActionList::arbitrary(u)?))
}

fn plain(list: &ActionList) -> ActionList {
    use crate::action::Action;
    let flow_only = |action: &Action| {
        matches!(
            action,
            Action::WriteMetadata { .. } | Action::Conjunction { .. }
        )
    };
    list.iter()
        .filter(|action| !flow_only(action))
        .cloned()
        .collect()
}

fn config(u: &mut Unstructured<'_>) -> Result<SwitchConfig> {
    Ok(SwitchConfig {
        flags: u.int_in_range(0..=3)?,
        miss_send_len: u.arbitrary()?,
    })
}

fn phy_port(u: &mut Unstructured<'_>) -> Result<PhyPort> {
    let name = u.choose(&["eth0", "br-int", "tap0123456789a", ""])?;
    let features = |u: &mut Unstructured<'_>| Ok(u.arbitrary::<u32>()? & 0xfff);
    Ok(PhyPort {
        port_no: real_port(u)?,
        hw_addr: u.arbitrary()?,
        name: FixedStr::new(name),
        config: u.arbitrary::<u32>()? & 0x7f,
        state: u.int_in_range(0..=1)?,
        curr: features(u)?,
        advertised: features(u)?,
        supported: features(u)?,
        peer: features(u)?,
    })
}

fn features(u: &mut Unstructured<'_>) -> Result<SwitchFeatures> {
    Ok(SwitchFeatures {
        datapath_id: u.arbitrary()?,
        n_buffers: u.arbitrary()?,
        n_tables: u.arbitrary()?,
        capabilities: u.arbitrary::<u32>()? & 0xef,
        actions: u.arbitrary::<u32>()? & 0xfff,
        // Equal numbers have no order.
        ports: vec![phy_port(u)?],
    })
}

fn flow_request(u: &mut Unstructured<'_>) -> Result<FlowStatsRequest> {
    Ok(FlowStatsRequest {
        match_: Match::arbitrary(u)?,
        table: u.arbitrary()?,
        out_port: real_port(u)?,
        ..FlowStatsRequest::default()
    })
}

fn stats_request(u: &mut Unstructured<'_>) -> Result<StatsRequest> {
    Ok(match u.int_in_range(0..=8u8)? {
        0 => StatsRequest::Desc,
        1 => StatsRequest::Flow(flow_request(u)?),
        2 => StatsRequest::Aggregate(flow_request(u)?),
        3 => StatsRequest::Table,
        4 => StatsRequest::Port(real_port(u)?),
        5 => StatsRequest::Queue {
            port: real_port(u)?,
            queue: u.arbitrary()?,
        },
        6 => StatsRequest::PortDesc,
        7 => StatsRequest::Group(u.arbitrary()?),
        _ => StatsRequest::FlowMonitor(some(u, |u| {
            Ok(FlowMonitorRequest {
                id: u.arbitrary()?,
                flags: u.int_in_range(2..=63u16)? | 2,
                out_port: real_port(u)?,
                table: u.arbitrary()?,
                match_: Match::arbitrary(u)?,
            })
        })?),
    })
}

fn flow_stats(u: &mut Unstructured<'_>) -> Result<FlowStats> {
    let flow = FlowMod::arbitrary(u)?;
    Ok(FlowStats {
        table: flow.table,
        duration: duration(u)?,
        priority: flow.priority,
        idle_timeout: flow.idle_timeout,
        hard_timeout: flow.hard_timeout,
        idle_age: Some(u.int_in_range(0..=0xfffe)?),
        hard_age: Some(u.int_in_range(0..=0xfffe)?),
        cookie: flow.cookie,
        packets: u.arbitrary()?,
        bytes: u.arbitrary()?,
        match_: flow.match_,
        actions: flow.actions,
    })
}

fn stats_reply(u: &mut Unstructured<'_>) -> Result<StatsReply> {
    Ok(match u.int_in_range(0..=6u8)? {
        0 | 1 => StatsReply::Flow(FlowModForm::Nx, some(u, flow_stats)?),
        2 => StatsReply::Aggregate(
            FlowModForm::Nx,
            AggregateStats {
                packets: u.arbitrary()?,
                bytes: u.arbitrary()?,
                flows: u.arbitrary()?,
            },
        ),
        3 => StatsReply::Table(some(u, |u| {
            Ok(TableStats {
                table: u.arbitrary()?,
                name: FixedStr::new(u.choose(&["", "classifier"])?),
                wildcards: u.arbitrary::<u32>()? & 0x3f_ffff,
                max_entries: u.arbitrary()?,
                active: u.arbitrary()?,
                lookups: u.arbitrary()?,
                matches: u.arbitrary()?,
            })
        })?),
        4 => StatsReply::Port(some(u, |u| {
            Ok(PortStats {
                port: real_port(u)?,
                rx_packets: u.arbitrary()?,
                tx_packets: u.arbitrary()?,
                rx_bytes: u.arbitrary()?,
                tx_bytes: u.arbitrary()?,
                rx_dropped: u.arbitrary()?,
                tx_dropped: u.arbitrary()?,
                rx_errors: u.arbitrary()?,
                tx_errors: u.arbitrary()?,
                rx_frame_err: u.arbitrary()?,
                rx_over_err: u.arbitrary()?,
                rx_crc_err: u.arbitrary()?,
                collisions: u.arbitrary()?,
            })
        })?),
        5 => StatsReply::Queue(some(u, |u| {
            Ok(QueueStats {
                port: real_port(u)?,
                queue_id: u.arbitrary()?,
                tx_bytes: u.arbitrary()?,
                tx_packets: u.arbitrary()?,
                tx_errors: u.arbitrary()?,
            })
        })?),
        _ => StatsReply::FlowMonitor(some(u, |u| {
            let flow = FlowMod::arbitrary(u)?;
            if u.ratio(1, 4)? {
                return Ok(FlowUpdate::Abbrev {
                    xid: u.arbitrary()?,
                });
            }
            let event = FlowEvent(u.int_in_range(0..=2)?);
            let deleted = event == FlowEvent::DELETED;
            Ok(FlowUpdate::Full(Box::new(FlowUpdateFull {
                event,
                reason: FlowRemovedReason(if deleted { u.int_in_range(0..=5)? } else { 0 }),
                priority: flow.priority,
                idle_timeout: flow.idle_timeout,
                hard_timeout: flow.hard_timeout,
                table: flow.table,
                cookie: flow.cookie,
                match_: flow.match_,
                actions: plain(&flow.actions),
            })))
        })?),
    })
}
