//! Sending a packet to a controller: `controller`, in its short and its extensible form.

use super::encode::vendor_action;
use crate::codec::{Reader, Writer};
use crate::error::{DecodeError, EncodeError, OfpError};
use crate::header::open_numbers;
use crate::property;

open_numbers! {
    /// Why a packet comes up (`enum ofp_packet_in_reason`).
    PacketInReason: u8 {
        /// Nothing matched.
        NO_MATCH = 0,
        /// An action said so.
        ACTION = 1,
        /// The TTL was no good.
        INVALID_TTL = 2,
        /// Output from an action set (OpenFlow 1.4).
        ACTION_SET = 3,
        /// Output from a group bucket (OpenFlow 1.4).
        GROUP = 4,
        /// Output from a packet-out (OpenFlow 1.4).
        PACKET_OUT = 5,
        /// A flow for what nothing else matches (Open vSwitch's own use).
        EXPLICIT_MISS = 6,
        /// A table without such a flow (Open vSwitch's own use).
        IMPLICIT_MISS = 7,
    }
}

/// `controller`: send the packet up.
///
/// Encoded as `nx_action_controller` (16 bytes) when it has neither user data, pause nor meter,
/// else as `nx_action_controller2`, whose properties are padded to 8 bytes each:
///
/// ```text
///  10        12        14   15  16      10          16      18
/// +---------+---------+----+---+       +-----------+-------+-------+-- - -+
/// | max_len |   id    |why | 0 |  or   |   zero    | type  | length| data |
/// +---------+---------+----+---+       +-----------+-------+-------+-- - -+
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Controller {
    /// Bytes to send; 65 535 for all.
    pub max_len: u16,
    /// Which controller, as set by the controller id message.
    pub controller_id: u16,
    /// The reason to report.
    pub reason: PacketInReason,
    /// Bytes to hand along.
    pub userdata: Box<[u8]>,
    /// Freeze the pipeline so that the controller can resume it.
    pub pause: bool,
    /// Meter for rate limiting.
    pub meter: Option<u32>,
}

impl Default for Controller {
    fn default() -> Self {
        Controller {
            max_len: u16::MAX,
            controller_id: 0,
            reason: PacketInReason::ACTION,
            userdata: Box::default(),
            pause: false,
            meter: None,
        }
    }
}

mod prop {
    pub(super) const MAX_LEN: u16 = 0;
    pub(super) const CONTROLLER_ID: u16 = 1;
    pub(super) const REASON: u16 = 2;
    pub(super) const USERDATA: u16 = 3;
    pub(super) const PAUSE: u16 = 4;
    pub(super) const METER: u16 = 5;
}

impl Controller {
    pub(super) fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        if self.userdata.is_empty() && !self.pause && self.meter.is_none() {
            return vendor_action(w, 20, |w| {
                w.u16(self.max_len);
                w.u16(self.controller_id);
                w.u8(self.reason.0);
                w.u8(0);
                Ok(())
            });
        }
        vendor_action(w, 37, |w| {
            w.zeros(6);
            if self.max_len != u16::MAX {
                property::put_u16(w, prop::MAX_LEN, self.max_len)?;
            }
            if self.controller_id != 0 {
                property::put_u16(w, prop::CONTROLLER_ID, self.controller_id)?;
            }
            if self.reason != PacketInReason::ACTION {
                property::put_u8(w, prop::REASON, self.reason.0)?;
            }
            if !self.userdata.is_empty() {
                property::put_bytes(w, prop::USERDATA, &self.userdata)?;
            }
            if self.pause {
                property::put_bytes(w, prop::PAUSE, &[])?;
            }
            if let Some(meter) = self.meter {
                property::put_u32(w, prop::METER, meter)?;
            }
            Ok(())
        })
    }

    pub(super) fn decode_short(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let max_len = r.u16("max_len")?;
        let controller_id = r.u16("controller id")?;
        let reason = PacketInReason(r.u8("reason")?);
        r.skip(1, "zero")?;
        Ok(Controller {
            max_len,
            controller_id,
            reason,
            ..Controller::default()
        })
    }

    pub(super) fn decode_properties(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.zeros(6, OfpError::NXBRC_MUST_BE_ZERO, "controller2 pad")?;
        let mut c = Controller::default();
        while !r.is_empty() {
            let mut p = property::take(r)?;
            match p.kind {
                prop::MAX_LEN => c.max_len = p.u16()?,
                prop::CONTROLLER_ID => c.controller_id = p.u16()?,
                prop::REASON => c.reason = PacketInReason(p.u8()?),
                prop::USERDATA => c.userdata = p.data.rest().into(),
                prop::PAUSE => c.pause = true,
                prop::METER => c.meter = Some(p.u32()?),
                _ => return Err(p.unknown("controller2 property")),
            }
        }
        Ok(c)
    }
}
