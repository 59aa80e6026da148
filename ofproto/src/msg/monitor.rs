//! Flow monitor: `NXST_FLOW_MONITOR` (NXST 2), a subscription to changes of the flow tables.
//!
//! The switch answers a request with the flows there are, then reports changes under xid 0, its
//! own connection's in short. When a reader falls behind the switch sends
//! `NXT_FLOW_MONITOR_PAUSED`, drops events, and later resumes with what changed meanwhile.

use super::flow_mod::{put_nx_match, take_nx_match};
use super::flow_removed::FlowRemovedReason;
use crate::action::ActionList;
use crate::codec::{Codec, Reader, Writer};
use crate::error::{DecodeError, EncodeError, OfpError};
use crate::header::open_numbers;
use crate::matching::{Match, MatchOptions};
use crate::ports::{Port, TABLE_ALL};

/// Bits of [`FlowMonitorRequest::flags`].
pub mod monitor_flags {
    /// Report the flows there are now.
    pub const INITIAL: u16 = 1;
    /// Report new flows.
    pub const ADD: u16 = 2;
    /// Report removed flows.
    pub const DELETE: u16 = 4;
    /// Report changed flows.
    pub const MODIFY: u16 = 8;
    /// Include actions.
    pub const ACTIONS: u16 = 16;
    /// Report changes of this connection in full.
    pub const OWN: u16 = 32;
    /// All of them.
    pub const ALL: u16 = 63;
    /// Those that say which changes are reported; one at least must be set.
    pub const EVENTS: u16 = ADD | DELETE | MODIFY;
}

/// One subscription (`nx_flow_monitor_request`); a request holds one or more.
///
/// ```text
///  0    4       6          8          10      11      16
/// +----+-------+----------+----------+-------+-------+------ - -
/// | id | flags | out_port | match len| table | zeros | match padded to 8
/// +----+-------+----------+----------+-------+-------+------ - -
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FlowMonitorRequest {
    /// Chosen by the requester, for cancelling.
    pub id: u32,
    /// See [`monitor_flags`].
    pub flags: u16,
    /// Only flows that output here, or [`Port::NONE`].
    pub out_port: Port,
    /// Only flows of this table, or [`TABLE_ALL`].
    pub table: u8,
    /// Only flows at least as specific as this.
    pub match_: Match,
}

impl Default for FlowMonitorRequest {
    fn default() -> Self {
        FlowMonitorRequest {
            id: 0,
            flags: 0,
            out_port: Port::NONE,
            table: TABLE_ALL,
            match_: Match::new(),
        }
    }
}

impl Codec for FlowMonitorRequest {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u32(self.id);
        w.u16(self.flags);
        w.u16(self.out_port.0);
        let len_at = w.position();
        w.u16(0);
        w.u8(self.table);
        w.zeros(5);
        put_nx_match(w, len_at, &self.match_, 0, 0)
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut head = r.sub(16, "monitor request")?;
        let id = head.u32("monitor id")?;
        let flags = head.u16("monitor flags")?;
        if flags & monitor_flags::EVENTS == 0 || flags & !monitor_flags::ALL != 0 {
            return Err(head.error(OfpError::OFPMOFC_BAD_FLAGS, "monitor flags"));
        }
        let out_port = Port(head.u16("out port")?);
        let len = head.u16("match length")?;
        let table = head.u8("table")?;
        head.zeros(5, OfpError::NXBRC_MUST_BE_ZERO, "monitor zeros")?;
        let match_ = take_nx_match(r, len, MatchOptions::default())?;
        Ok(FlowMonitorRequest {
            id,
            flags,
            out_port,
            table,
            match_,
        })
    }
}

open_numbers! {
    /// What happened to a flow.
    FlowEvent: u16 {
        /// It was added, or was there at the start.
        ADDED = 0,
        /// It was removed.
        DELETED = 1,
        /// Its actions or cookie changed.
        MODIFIED = 2,
        /// A change by this connection, in short.
        ABBREV = 3,
    }
}

/// One change in a reply (`nx_flow_update_full`, `nx_flow_update_abbrev`).
///
/// ```text
///  0     2       4              8
/// +-----+-------+--------------+------ - -
/// | len | event | reason, prio | see FlowUpdateFull
/// +-----+-------+--------------+------ - -
/// |  8  |   3   |     xid      |
/// +-----+-------+--------------+
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FlowUpdate {
    /// A change in full.
    Full(Box<FlowUpdateFull>),
    /// A change made by this connection's message with this xid.
    Abbrev {
        /// Transaction id of the flow mod.
        xid: u32,
    },
}

/// A change in full (`nx_flow_update_full`, 24 bytes, match padded to 8, actions).
///
/// ```text
///  0     2       4        6      8      10     12        14      15  16       24
/// +-----+-------+--------+------+------+------+---------+-------+---+--------+------ - -
/// | len | event | reason | prio | idle | hard |match len| table | 0 | cookie | match, actions
/// +-----+-------+--------+------+------+------+---------+-------+---+--------+------ - -
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FlowUpdateFull {
    /// What happened, anything but `ABBREV`.
    pub event: FlowEvent,
    /// Why, for deletions; else 0.
    pub reason: FlowRemovedReason,
    /// Priority.
    pub priority: u16,
    /// Idle timeout, seconds.
    pub idle_timeout: u16,
    /// Hard timeout, seconds.
    pub hard_timeout: u16,
    /// Table.
    pub table: u8,
    /// Cookie.
    pub cookie: u64,
    /// Which packets.
    pub match_: Match,
    /// Its actions, if asked for and not deleted.
    pub actions: ActionList,
}

impl Codec for FlowUpdate {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        let start = w.position();
        let full = match self {
            FlowUpdate::Abbrev { xid } => {
                w.u16(8);
                w.u16(FlowEvent::ABBREV.0);
                w.u32(*xid);
                return Ok(());
            }
            FlowUpdate::Full(full) => full,
        };
        w.u16(0);
        w.u16(full.event.0);
        w.u16(u16::from(full.reason.0));
        w.u16(full.priority);
        w.u16(full.idle_timeout);
        w.u16(full.hard_timeout);
        let len_at = w.position();
        w.u16(0);
        w.u8(full.table);
        w.u8(0);
        w.u64(full.cookie);
        put_nx_match(w, len_at, &full.match_, 0, 0)?;
        full.actions.encode(w)?;
        w.patch_len(start, start, "flow update")
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let bad = r.error(OfpError::OFPBRC_BAD_LEN, "flow update");
        let mut head = *r;
        let len = usize::from(head.u16("flow update length")?);
        if len < 8 || len % 8 != 0 {
            return Err(bad);
        }
        let mut body = r.sub(len, "flow update")?;
        body.skip(2, "flow update length")?;
        let event = FlowEvent(body.u16("flow update event")?);
        match event {
            FlowEvent::ABBREV => {
                let xid = body.u32("flow update xid")?;
                if len != 8 {
                    return Err(bad);
                }
                return Ok(FlowUpdate::Abbrev { xid });
            }
            FlowEvent::ADDED | FlowEvent::DELETED | FlowEvent::MODIFIED => {}
            _ => return Err(body.error(OfpError::NXBRC_FM_BAD_EVENT, "flow update event")),
        }
        let reason = body.u16("flow update reason")?;
        let reason = u8::try_from(reason)
            .map_err(|_| body.error(OfpError::NXBRC_BAD_REASON, "flow update reason"))?;
        let priority = body.u16("priority")?;
        let idle_timeout = body.u16("idle timeout")?;
        let hard_timeout = body.u16("hard timeout")?;
        let match_len = body.u16("match length")?;
        let table = body.u8("table")?;
        body.skip(1, "pad")?;
        let cookie = body.u64("cookie")?;
        if usize::from(match_len) > body.remaining() {
            return Err(bad);
        }
        let match_ = take_nx_match(&mut body, match_len, MatchOptions::default())?;
        let actions = ActionList::decode(&mut body)?;
        Ok(FlowUpdate::Full(Box::new(FlowUpdateFull {
            event,
            reason: FlowRemovedReason(reason),
            priority,
            idle_timeout,
            hard_timeout,
            table,
            cookie,
            match_,
            actions,
        })))
    }
}
