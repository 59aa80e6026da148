//! Flows as OpenFlow 1.0 messages with Nicira's extensions.
//!
//! All additions are `ADD`: it replaces a flow of equal table, priority and match. Held by `tests/exec_openflow.rs`.

use ofproto::EncodeError;
use ofproto::conn::Frame;
use ofproto::matching::Match;
use ofproto::msg::{FlowMod, FlowModCommand, FlowStatsRequest, Message, StatsReply, StatsRequest};

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

/// Asks for every flow that carries our mark.
pub(super) fn dump() -> Result<Frame, String> {
    ask(StatsRequest::Flow(carrying(
        cookie::OWNER,
        cookie::OWNER_MASK,
    )))
}

/// Asks how many flows have exactly this cookie.
pub(super) fn count(cookie: u64) -> Result<Frame, String> {
    ask(StatsRequest::Aggregate(carrying(cookie, u64::MAX)))
}

fn carrying(cookie: u64, cookie_mask: u64) -> FlowStatsRequest {
    FlowStatsRequest {
        cookie,
        cookie_mask,
        ..Default::default()
    }
}

fn ask(body: StatsRequest) -> Result<Frame, String> {
    let mut bytes = Vec::new();
    let message = Message::StatsRequest { flags: 0, body };
    message
        .encode(0, &mut bytes)
        .map_err(|error| format!("request: {error}"))?;
    Frame::new(bytes).ok_or_else(|| "request: no whole message".to_owned())
}

/// Reads the answer to [`count`].
pub(super) fn counted(frame: &Frame) -> Result<u32, String> {
    match Message::decode(frame.bytes()) {
        Ok((
            _,
            Message::StatsReply {
                body: StatsReply::Aggregate(_, sum),
                ..
            },
        )) => Ok(sum.flows),
        Ok(_) => Err("count of flows: answered by something else".to_owned()),
        Err(error) => Err(format!("count of flows: {error}")),
    }
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
