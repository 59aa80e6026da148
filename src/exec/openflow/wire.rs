//! Flows as OpenFlow 1.0 messages with Nicira's extensions.
//!
//! All additions are `ADD`: it replaces a flow of equal table, priority and match. Held by `tests/exec_openflow.rs`.

use ofproto::EncodeError;
use ofproto::conn::{Batch, Frame};
use ofproto::matching::Match;
use ofproto::msg::{
    AsyncConfig, FlowMod, FlowModCommand, FlowMonitorRequest, FlowStatsRequest, FlowUpdate,
    Message, PhyPort, PortMod, PortReason, StatsReply, StatsRequest, SwitchConfig, monitor_flags,
};

use crate::ops::flow::{FlowBody, FlowKey, cookie};

/// Puts a flow in, or another in its place.
pub(super) fn add(key: &FlowKey, body: &FlowBody, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let flow = FlowMod {
        cookie: body.cookie,
        ..FlowMod::add(
            key.table,
            key.priority,
            key.matching.clone(),
            body.actions.clone(),
        )
    };
    Message::FlowMod(flow).encode(0, out)
}

/// Takes exactly this flow out, unless it does not carry our mark.
pub(super) fn delete(key: &FlowKey, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let flow = FlowMod {
        command: FlowModCommand::DELETE_STRICT,
        table: key.table,
        priority: key.priority,
        match_: key.matching.clone(),
        cookie_value: cookie::OWNER,
        cookie_mask: cookie::OWNER_MASK,
        ..FlowMod::default()
    };
    Message::FlowMod(flow).encode(0, out)
}

/// Takes out what the switch learned and the match covers.
pub(super) fn delete_learned(
    table: u8,
    matching: &Match,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let flow = FlowMod {
        command: FlowModCommand::DELETE,
        table,
        match_: matching.clone(),
        cookie_value: cookie::LEARNED,
        cookie_mask: u64::MAX,
        ..FlowMod::default()
    };
    Message::FlowMod(flow).encode(0, out)
}

/// Forgets every connection of a conntrack zone.
pub(super) fn flush_zone(zone: u16, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    Message::CtFlushZone(zone).encode(0, out)
}

/// Asks for the ports of the bridge.
pub(super) fn ports() -> Result<Frame, String> {
    ask(StatsRequest::PortDesc)
}

/// Reads one part of the answer.
pub(super) fn described(frame: &Frame, ports: &mut Vec<PhyPort>) -> Result<(), String> {
    match Message::decode(frame.bytes()) {
        Ok((
            _,
            Message::StatsReply {
                body: StatsReply::PortDesc(part),
                ..
            },
        )) => {
            ports.extend(part);
            Ok(())
        }
        Ok(_) => Err("ports: answered by something else".into()),
        Err(error) => Err(format!("ports: {error}")),
    }
}

/// `OFPPC_NO_FLOOD` (OF1.0 §5.2.1).
const NO_FLOOD: u32 = 1 << 4;
/// Any number but 0.
const MISS_SEND_LEN: u16 = 128;

/// Ports that the switch floods nothing to.
pub(super) fn unflooded(ports: &[PhyPort]) -> impl Iterator<Item = u16> + Clone {
    let is_unflooded = |port: &&PhyPort| port.config & NO_FLOOD != 0;
    ports.iter().filter(is_unflooded).map(|port| port.port_no.0)
}

/// Asks how the switch treats fragments, which goes with whether it tells anything unasked.
pub(super) fn config() -> Result<Frame, String> {
    frame(&Message::GetConfigRequest)
}

/// A management connection is told nothing unasked unless it wants packets (`ofproto/connmgr.c`,
/// `ofconn_receives_async_msg`). So it is to want some, but of all that is told only what ports are new or changed.
pub(super) fn tell_ports(config: &Frame) -> Result<Batch, String> {
    let config = match Message::decode(config.bytes()) {
        Ok((_, Message::GetConfigReply(config))) => config,
        Ok(_) => return Err("configuration: answered by something else".into()),
        Err(error) => return Err(format!("configuration: {error}")),
    };
    let reasons = (1 << PortReason::ADD.0) | (1 << PortReason::MODIFY.0);
    let only_ports = AsyncConfig {
        port_status: [reasons; 2],
        ..AsyncConfig::default()
    };
    let some = SwitchConfig {
        miss_send_len: MISS_SEND_LEN,
        ..config
    };
    let mut messages = Batch::new();
    for message in [
        Message::SetAsyncConfig(only_ports),
        Message::SetConfig(some),
    ] {
        messages.push_with(|out| message.encode(0, out));
    }
    Ok(messages)
}

/// Of a message that answers nothing: a port that is new or changed, and whether the switch floods nothing to it.
pub(super) fn port_status(frame: &Frame) -> Option<(u16, bool)> {
    let (_, Message::PortStatus(status)) = Message::decode(frame.bytes()).ok()? else {
        return None;
    };
    let port = status.port;
    (status.reason != PortReason::DELETE).then_some((port.port_no.0, port.config & NO_FLOOD != 0))
}

/// Floods to a port, or no longer.
pub(super) fn set_no_flood(port: &PhyPort, on: bool, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let change = PortMod {
        port_no: port.port_no,
        hw_addr: port.hw_addr,
        config: if on { NO_FLOOD } else { 0 },
        mask: NO_FLOOD,
        advertise: 0,
    };
    Message::PortMod(change).encode(0, out)
}

/// Asks for every flow that carries our mark.
pub(super) fn dump() -> Result<Frame, String> {
    ask(StatsRequest::Flow(FlowStatsRequest {
        cookie: cookie::OWNER,
        cookie_mask: cookie::OWNER_MASK,
        ..Default::default()
    }))
}

/// Asks to be told of every flow that is deleted. There is no criterion for cookies.
pub(super) fn monitor() -> Result<Frame, String> {
    ask(StatsRequest::FlowMonitor(vec![FlowMonitorRequest {
        id: 1,
        flags: monitor_flags::DELETE,
        ..Default::default()
    }]))
}

/// Reads what the monitor tells: `true` if a flow that carries our mark went, and not by this connection. What the
/// switch learned by itself it also forgets by itself.
pub(super) fn deleted_ours(frame: &Frame) -> Result<bool, String> {
    let (_, message) =
        Message::decode(frame.bytes()).map_err(|error| format!("flow monitor: {error}"))?;
    let Message::StatsReply {
        body: StatsReply::FlowMonitor(updates),
        ..
    } = message
    else {
        return Err("flow monitor: told something else".to_owned());
    };
    Ok(updates.iter().any(|update| match update {
        FlowUpdate::Full(full) => {
            full.cookie & cookie::OWNER_MASK == cookie::OWNER && full.cookie != cookie::LEARNED
        }
        FlowUpdate::Abbrev { .. } => false,
    }))
}

fn ask(body: StatsRequest) -> Result<Frame, String> {
    frame(&Message::StatsRequest { flags: 0, body })
}

fn frame(message: &Message) -> Result<Frame, String> {
    let mut bytes = Vec::new();
    message
        .encode(0, &mut bytes)
        .map_err(|error| format!("request: {error}"))?;
    Frame::new(bytes).ok_or_else(|| "request: no whole message".to_owned())
}

/// Reads one part of the answer. What the switch learned by itself is not ours to answer for.
pub(super) fn dumped(frame: &Frame, flows: &mut Vec<(FlowKey, FlowBody)>) -> Result<(), String> {
    let (_, message) = Message::decode(frame.bytes()).map_err(|error| format!("dump: {error}"))?;
    let Message::StatsReply {
        body: StatsReply::Flow(_, entries),
        ..
    } = message
    else {
        return Err("dump: answered by something else".into());
    };
    let ours = entries
        .into_iter()
        .filter(|flow| flow.cookie != cookie::LEARNED);
    flows.extend(ours.map(|flow| {
        let key = FlowKey {
            table: flow.table,
            priority: flow.priority,
            matching: flow.match_,
        };
        (
            key,
            FlowBody {
                cookie: flow.cookie,
                actions: flow.actions,
            },
        )
    }));
    Ok(())
}
