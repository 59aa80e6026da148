//! Flows as OpenFlow 1.0 messages with Nicira's extensions.
//!
//! All additions are `ADD`: it replaces a flow of equal table, priority and match. Held by `tests/exec_openflow.rs`.

use ofproto::EncodeError;
use ofproto::conn::Frame;
use ofproto::matching::Match;
use ofproto::msg::{
    FlowMod, FlowModCommand, FlowMonitorRequest, FlowStatsRequest, FlowUpdate, Message, PhyPort,
    PortMod, StatsReply, StatsRequest, monitor_flags,
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

/// Ports that the switch floods nothing to, as flows are told.
pub(super) fn unflooded(ports: &[PhyPort]) -> impl Iterator<Item = (FlowKey, FlowBody)> {
    ports
        .iter()
        .filter(|port| port.config & NO_FLOOD != 0)
        .map(|port| (FlowKey::no_flood(port.port_no.0), FlowBody::no_flood()))
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
    let mut bytes = Vec::new();
    let message = Message::StatsRequest { flags: 0, body };
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
