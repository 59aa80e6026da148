//! A flow has gone: `OFPT_FLOW_REMOVED` (OF1.0 §5.4.2) and `NXT_FLOW_REMOVED`.

use super::flow_mod::{FlowModForm, put_nx_match, take_nx_match};
use crate::codec::{Codec, Reader, Writer};
use crate::error::{DecodeError, EncodeError};
use crate::header::open_numbers;
use crate::matching::{FixedMatch, Match, MatchOptions};

open_numbers! {
    /// Why a flow has gone (`enum ofp_flow_removed_reason`).
    FlowRemovedReason: u8 {
        /// Idle timeout.
        IDLE_TIMEOUT = 0,
        /// Hard timeout.
        HARD_TIMEOUT = 1,
        /// Deleted by a message.
        DELETE = 2,
        /// Its group was deleted.
        GROUP_DELETE = 3,
        /// Its meter was deleted.
        METER_DELETE = 4,
        /// Made room for another.
        EVICTION = 5,
    }
}

/// A flow that has gone.
///
/// ```text
/// OFPT:  8:match40 48:cookie 56:prio 58:reason 59:pad 60:sec 64:nsec 68:idle 70:pad
///        72:packets 80:bytes                                            (88 bytes)
/// NXT:  16:cookie 24:prio 26:reason 27:table+1 28:sec 32:nsec 36:idle 38:match_len
///       40:packets 48:bytes 56:match padded to 8
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FlowRemoved {
    /// Wire form; decides whether the table is known.
    pub form: FlowModForm,
    /// Its match; in the standard form as the switch wrote it, sense or not.
    pub match_: Match,
    /// Its cookie.
    pub cookie: u64,
    /// Its priority.
    pub priority: u16,
    /// Why it has gone.
    pub reason: FlowRemovedReason,
    /// Its table. Nicira form only.
    pub table: Option<u8>,
    /// How long it lived: seconds and nanoseconds.
    pub duration: (u32, u32),
    /// Its idle timeout, seconds.
    pub idle_timeout: u16,
    /// Packets it matched.
    pub packets: u64,
    /// Bytes it matched.
    pub bytes: u64,
}

impl FlowRemoved {
    pub(crate) fn encode_body(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        if self.form == FlowModForm::Of10 {
            FixedMatch::from_match(&self.match_).0.encode(w)?;
        }
        w.u64(self.cookie);
        w.u16(self.priority);
        w.u8(self.reason.0);
        match self.form {
            FlowModForm::Of10 => w.u8(0),
            FlowModForm::Nx => w.u8(self.table.map_or(0, |t| t.wrapping_add(1))),
        }
        w.u32(self.duration.0);
        w.u32(self.duration.1);
        w.u16(self.idle_timeout);
        let len_at = w.position();
        w.u16(0);
        w.u64(self.packets);
        w.u64(self.bytes);
        match self.form {
            FlowModForm::Of10 => Ok(()),
            FlowModForm::Nx => put_nx_match(w, len_at, &self.match_, 0, 0),
        }
    }

    pub(crate) fn decode_body(r: &mut Reader<'_>, form: FlowModForm) -> Result<Self, DecodeError> {
        let fixed = match form {
            FlowModForm::Of10 => Some(FixedMatch::decode(r)?.to_match_as_is()),
            FlowModForm::Nx => None,
        };
        let cookie = r.u64("cookie")?;
        let priority = r.u16("priority")?;
        let reason = FlowRemovedReason(r.u8("reason")?);
        let table = r.u8("table")?;
        let duration = (r.u32("seconds")?, r.u32("nanoseconds")?);
        let idle_timeout = r.u16("idle timeout")?;
        let match_len = r.u16("match length")?;
        let packets = r.u64("packets")?;
        let bytes = r.u64("bytes")?;
        let (match_, table) = match fixed {
            Some(m) => (m, None),
            None => (
                take_nx_match(r, match_len, MatchOptions::default())?,
                table.checked_sub(1),
            ),
        };
        Ok(FlowRemoved {
            form,
            match_,
            cookie,
            priority,
            reason,
            table,
            duration,
            idle_timeout,
            packets,
            bytes,
        })
    }
}
