//! Messages of all kinds.

use ::arbitrary::{Arbitrary, Result, Unstructured};

use super::frame::{frame, payload};
use super::group::group_mod;
use super::stats::{stats_reply, stats_request};
use crate::action::{ActionList, PacketInReason};
use crate::error::OfpError;
use crate::header::{MsgType, Version};
use crate::matching::{FixedMatch, Match};
use crate::msg::registry::{ENTRIES, Kind};
use crate::msg::{
    AsyncConfig, AsyncProperty, CtFlush, CtTuple, ErrorMsg, FixedStr, FlowFormat, FlowMod,
    FlowModForm, FlowRemoved, FlowRemovedReason, Hello, Message, NxPacketIn, PacketIn, PacketIn2,
    PacketInFormat, PacketOut, PacketQueue, PhyPort, PortMod, PortReason, PortStatus, QueueConfig,
    Role, SwitchConfig, SwitchFeatures, TlvCommand, TlvMap, TlvTableMod, TlvTableReply,
};
use crate::ports::{NO_BUFFER, Port};

pub(super) fn arbitrary_message(u: &mut Unstructured<'_>) -> Result<Message> {
    let entry = u.choose(ENTRIES)?;
    message_of(entry.kind, u)
}

/// A message of this kind; the kind is one of [`ENTRIES`].
pub(super) fn message_of(kind: Kind, u: &mut Unstructured<'_>) -> Result<Message> {
    Ok(match kind {
        Kind::Standard(msg_type) => return standard(msg_type, u),
        Kind::Nicira(subtype) => return nicira(subtype, u),
        Kind::Stats(MsgType::STATS_REQUEST, _) | Kind::NiciraStats(MsgType::STATS_REQUEST, _) => {
            Message::StatsRequest {
                flags: 0,
                body: stats_request(kind, u)?,
            }
        }
        Kind::Stats(..) | Kind::NiciraStats(..) => Message::StatsReply {
            flags: u.int_in_range(0..=1)?,
            body: stats_reply(kind, u)?,
        },
    })
}

fn standard(msg_type: MsgType, u: &mut Unstructured<'_>) -> Result<Message> {
    Ok(match msg_type {
        MsgType::HELLO => Message::Hello(hello(u)?),
        MsgType::ERROR => Message::Error(error(u)?),
        MsgType::ECHO_REQUEST => Message::EchoRequest(payload(u)?),
        MsgType::ECHO_REPLY => Message::EchoReply(payload(u)?),
        MsgType::FEATURES_REQUEST => Message::FeaturesRequest,
        MsgType::FEATURES_REPLY => Message::FeaturesReply(features(u)?),
        MsgType::GET_CONFIG_REQUEST => Message::GetConfigRequest,
        MsgType::GET_CONFIG_REPLY => Message::GetConfigReply(config(u)?),
        MsgType::SET_CONFIG => Message::SetConfig(config(u)?),
        MsgType::PACKET_IN => Message::PacketIn(PacketIn {
            buffer_id: u.arbitrary()?,
            total_len: u.arbitrary()?,
            in_port: real_port(u)?,
            reason: PacketInReason(u.int_in_range(0..=2)?),
            data: frame(u)?,
        }),
        MsgType::FLOW_REMOVED => Message::FlowRemoved(FlowRemoved {
            form: FlowModForm::Of10,
            match_: fixed_match(&Match::arbitrary(u)?),
            table: None,
            ..flow_removed(u)?
        }),
        MsgType::PORT_STATUS => Message::PortStatus(PortStatus {
            reason: PortReason(u.int_in_range(0..=2)?),
            port: phy_port(u)?,
        }),
        MsgType::PACKET_OUT => Message::PacketOut(PacketOut {
            buffer_id: NO_BUFFER,
            in_port: real_port(u)?,
            actions: plain_actions(u)?,
            data: frame(u)?,
        }),
        MsgType::FLOW_MOD => {
            let flow = FlowMod::arbitrary(u)?;
            let match_ = fixed_match(&flow.match_);
            let actions = super::action::arbitrary_actions(u, &match_)?;
            Message::FlowMod(FlowMod {
                form: FlowModForm::Of10,
                match_,
                actions,
                ..flow
            })
        }
        MsgType::PORT_MOD => Message::PortMod(PortMod {
            port_no: real_port(u)?,
            hw_addr: u.arbitrary()?,
            config: u.arbitrary::<u32>()? & 0x7f,
            mask: u.arbitrary::<u32>()? & 0x7f,
            advertise: u.arbitrary::<u32>()? & 0xfff,
        }),
        MsgType::BARRIER_REPLY => Message::BarrierReply,
        MsgType::QUEUE_GET_CONFIG_REQUEST => Message::QueueGetConfigRequest(real_port(u)?),
        MsgType::QUEUE_GET_CONFIG_REPLY => Message::QueueGetConfigReply(queues(u)?),
        _ => Message::BarrierRequest,
    })
}

fn nicira(subtype: u32, u: &mut Unstructured<'_>) -> Result<Message> {
    Ok(match subtype {
        10 => Message::RoleRequest(Role(u.int_in_range(0..=2)?)),
        11 => Message::RoleReply(Role(u.int_in_range(0..=2)?)),
        12 => Message::SetFlowFormat(FlowFormat(*u.choose(&[0, 2])?)),
        13 => Message::FlowMod(FlowMod::arbitrary(u)?),
        14 => Message::FlowRemoved(flow_removed(u)?),
        15 => Message::FlowModTableId(u.arbitrary()?),
        16 => Message::SetPacketInFormat(PacketInFormat(u.int_in_range(0..=2)?)),
        17 => {
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
        19 => Message::SetAsyncConfig(AsyncConfig {
            packet_in: [u.int_in_range(0..=7)?, u.int_in_range(0..=7)?],
            port_status: [u.int_in_range(0..=7)?, u.int_in_range(0..=7)?],
            flow_removed: [u.int_in_range(0..=0x3f)?, u.int_in_range(0..=0x3f)?],
        }),
        20 => Message::SetControllerId(u.arbitrary()?),
        21 => Message::FlowMonitorCancel(u.arbitrary()?),
        22 => Message::FlowMonitorPaused,
        23 => Message::FlowMonitorResumed,
        24 => Message::TlvTableMod(TlvTableMod {
            command: TlvCommand(u.int_in_range(0..=2)?),
            maps: some(u, tlv_map)?,
        }),
        25 => Message::TlvTableRequest,
        26 => Message::TlvTableReply(TlvTableReply {
            max_option_space: u.arbitrary()?,
            max_fields: 64,
            maps: some(u, tlv_map)?,
        }),
        27 => Message::SetAsyncConfig2(async_properties(u)?),
        28 => Message::Resume(packet_in2(u)?),
        29 => Message::CtFlushZone(u.arbitrary()?),
        30 => Message::PacketIn2(packet_in2(u)?),
        31 => Message::GroupMod(group_mod(u)?),
        32 => Message::CtFlush(ct_flush(u)?),
        132 => Message::RequestForward {
            xid: u.arbitrary()?,
            request: Box::new(group_mod(u)?),
        },
        _ => Message::FlowAge,
    })
}

pub(super) fn some<T>(
    u: &mut Unstructured<'_>,
    mut item: impl FnMut(&mut Unstructured<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut items = Vec::new();
    for _ in 0..u.int_in_range(1..=3u8)? {
        items.push(item(u)?);
    }
    Ok(items)
}

pub(super) fn real_port(u: &mut Unstructured<'_>) -> Result<Port> {
    Ok(Port(u.int_in_range(1..=0xfeff)?))
}

pub(super) fn duration(u: &mut Unstructured<'_>) -> Result<(u32, u32)> {
    let nanos = u.int_in_range(0..=999u32)?;
    let scale = *u.choose(&[1, 1_000_000])?;
    Ok((u.arbitrary::<u32>()? >> 1, nanos * scale))
}

/// Actions without those that only flows can have.
pub(super) fn plain_actions(u: &mut Unstructured<'_>) -> Result<ActionList> {
    Ok(plain(&ActionList::arbitrary(u)?))
}

pub(super) fn plain(list: &ActionList) -> ActionList {
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

pub(super) fn phy_port(u: &mut Unstructured<'_>) -> Result<PhyPort> {
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

/// What of a match the fixed form can say.
pub(super) fn fixed_match(m: &Match) -> Match {
    FixedMatch::from_match(m).0.to_match()
}

fn hello(u: &mut Unstructured<'_>) -> Result<Hello> {
    if u.arbitrary()? {
        return Ok(Hello::default());
    }
    // Some of the versions 1.0 to 1.5, as a bitmap.
    let versions: u32 = u.int_in_range(1..=0x3f)?;
    let mut body = vec![0, 1, 0, 8];
    body.extend((versions << 1).to_be_bytes());
    Ok(Hello { body: body.into() })
}

/// An error that OpenFlow 1.0 can say, with a message or words in it.
fn error(u: &mut Unstructured<'_>) -> Result<ErrorMsg> {
    let sendable: Vec<OfpError> = OfpError::ALL
        .iter()
        .copied()
        .filter(|error| error.code(Version::OF10).is_some())
        .collect();
    let error = *u.choose(&sendable)?;
    let request = match u.int_in_range(0..=2u8)? {
        0 => Message::FlowMod(FlowMod::arbitrary(u)?),
        1 => Message::BarrierRequest,
        _ => Message::EchoRequest(payload(u)?),
    };
    let data = match error {
        OfpError::OFPHFC_INCOMPATIBLE | OfpError::OFPHFC_EPERM => payload(u)?.into_vec(),
        _ => request.to_bytes(u.arbitrary()?).unwrap_or_default(),
    };
    Ok(ErrorMsg::new(error, Version::OF10, &data))
}

fn flow_removed(u: &mut Unstructured<'_>) -> Result<FlowRemoved> {
    Ok(FlowRemoved {
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
    })
}

/// Queues by their numbers, which are distinct.
fn queues(u: &mut Unstructured<'_>) -> Result<QueueConfig> {
    let rate = |u: &mut Unstructured<'_>| -> Result<Option<u16>> {
        Ok(if u.arbitrary()? {
            Some(u.int_in_range(0..=1100)?)
        } else {
            None
        })
    };
    let mut queues = Vec::new();
    for queue_id in 0..u.int_in_range(0..=3u32)? {
        queues.push(PacketQueue {
            queue_id,
            min_rate: rate(u)?,
            max_rate: rate(u)?,
            others: Vec::new(),
        });
    }
    Ok(QueueConfig {
        port: real_port(u)?,
        queues,
    })
}

fn tlv_map(u: &mut Unstructured<'_>) -> Result<TlvMap> {
    Ok(TlvMap {
        class: u.arbitrary()?,
        kind: u.arbitrary()?,
        len: u.int_in_range(1..=31u8)? * 4,
        index: u.int_in_range(0..=63)?,
    })
}

fn async_properties(u: &mut Unstructured<'_>) -> Result<Vec<AsyncProperty>> {
    let mut properties = Vec::new();
    for (kind, allowed) in (0u16..).zip(AsyncProperty::ALLOWED.iter().flat_map(|mask| [mask; 2])) {
        if u.arbitrary()? {
            let mask = u.arbitrary::<u32>()? & allowed;
            properties.push(AsyncProperty { kind, mask });
        }
    }
    Ok(properties)
}

fn packet_in2(u: &mut Unstructured<'_>) -> Result<PacketIn2> {
    fn maybe<T>(u: &mut Unstructured<'_>, value: T) -> Result<Option<T>> {
        Ok(if u.arbitrary()? { Some(value) } else { None })
    }
    let mut packet = frame(u)?.into_vec();
    packet.push(u.arbitrary()?);
    let cut = u.ratio(1, 4)?;
    let whole = u32::try_from(packet.len()).unwrap_or(0) + 1;
    let (table, cookie, reason) = (u.arbitrary()?, u.arbitrary()?, u.int_in_range(0..=5)?);
    let (metadata, userdata) = (Match::arbitrary(u)?, payload(u)?);
    // A bridge and mirrors, as a switch writes them.
    let mut continuation = vec![0x80, 0, 0, 20];
    continuation.extend(u.arbitrary::<[u8; 16]>()?);
    continuation.extend([0, 0, 0, 0, 0x80, 2, 0, 8]);
    continuation.extend(u.arbitrary::<[u8; 4]>()?);
    Ok(PacketIn2 {
        packet: packet.into(),
        full_len: cut.then_some(whole),
        buffer_id: if cut { Some(u.arbitrary()?) } else { None },
        table: maybe(u, table)?,
        cookie: maybe(u, cookie)?,
        reason: maybe(u, PacketInReason(reason))?,
        metadata: maybe(u, metadata)?,
        userdata: maybe(u, userdata)?,
        continuation: maybe(u, continuation.into())?,
        unknown: Vec::new(),
    })
}

/// A connection, or some of it, of one family and protocol.
fn ct_flush(u: &mut Unstructured<'_>) -> Result<CtFlush> {
    let ip_proto = *u.choose(&[0, 1, 6, 17, 58, 132])?;
    let v4 = u.arbitrary()?;
    let tuple = |u: &mut Unstructured<'_>| -> Result<CtTuple> {
        let address = |u: &mut Unstructured<'_>| -> Result<std::net::Ipv6Addr> {
            let low: u32 = u.int_in_range(1..=u32::MAX)?;
            Ok(if v4 {
                std::net::Ipv4Addr::from_bits(low).to_ipv6_mapped()
            } else {
                std::net::Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(low))
            })
        };
        let (src, dst) = (address(u)?, address(u)?);
        Ok(match ip_proto {
            1 | 58 => CtTuple {
                src: Some(src),
                dst: Some(dst),
                icmp_id: Some(u.arbitrary()?),
                icmp_type: Some(u.arbitrary()?),
                icmp_code: Some(u.arbitrary()?),
                ..CtTuple::default()
            },
            _ => CtTuple {
                src: Some(src),
                dst: Some(dst),
                src_port: Some(u.arbitrary()?),
                dst_port: Some(u.arbitrary()?),
                ..CtTuple::default()
            },
        })
    };
    Ok(CtFlush {
        ip_proto,
        orig: if u.arbitrary()? {
            tuple(u)?
        } else {
            CtTuple::default()
        },
        reply: if u.arbitrary()? {
            tuple(u)?
        } else {
            CtTuple::default()
        },
        zone: if u.arbitrary()? {
            Some(u.arbitrary()?)
        } else {
            None
        },
        ..CtFlush::default()
    })
}
