//! `controller(...)` and its short form `CONTROLLER:LENGTH`.

use std::fmt::{self, Write};

use crate::action::{Action, Controller, PacketInReason};
use crate::ports::Port;

use super::action_print::write_dotted_hex;
use super::error::TextError;
use super::scan::Span;

/// Names of reasons (`enum ofp_packet_in_reason`); Open vSwitch leaves two of them empty.
const REASONS: [(PacketInReason, &str); 8] = [
    (PacketInReason::NO_MATCH, "no_match"),
    (PacketInReason::ACTION, "action"),
    (PacketInReason::INVALID_TTL, "invalid_ttl"),
    (PacketInReason::ACTION_SET, "action_set"),
    (PacketInReason::GROUP, "group"),
    (PacketInReason::PACKET_OUT, "packet_out"),
    (PacketInReason::EXPLICIT_MISS, ""),
    (PacketInReason::IMPLICIT_MISS, ""),
];

/// The name, or the number of a reason that has none.
pub(crate) fn write_reason(out: &mut impl Write, reason: PacketInReason) -> fmt::Result {
    match REASONS.iter().find(|(known, _)| *known == reason) {
        Some((_, name)) => out.write_str(name),
        None => write!(out, "{}", reason.0),
    }
}

pub(crate) fn write_controller(out: &mut impl Write, controller: &Controller) -> fmt::Result {
    let short = Controller {
        max_len: controller.max_len,
        ..Controller::default()
    };
    if *controller == short {
        return write!(out, "CONTROLLER:{}", controller.max_len);
    }
    out.write_str("controller(")?;
    let mut separator = "";
    if controller.reason != PacketInReason::ACTION {
        out.write_str("reason=")?;
        write_reason(out, controller.reason)?;
        separator = ",";
    }
    if controller.max_len != u16::MAX {
        write!(out, "{separator}max_len={}", controller.max_len)?;
        separator = ",";
    }
    if controller.controller_id != 0 {
        write!(out, "{separator}id={}", controller.controller_id)?;
        separator = ",";
    }
    if !controller.userdata.is_empty() {
        write!(out, "{separator}userdata=")?;
        write_dotted_hex(out, &controller.userdata)?;
        separator = ",";
    }
    if controller.pause {
        write!(out, "{separator}pause")?;
        separator = ",";
    }
    if let Some(meter) = controller.meter {
        write!(out, "{separator}meter_id={meter}")?;
    }
    out.write_char(')')
}

pub(crate) fn parse_controller(mut arguments: Span<'_>) -> Result<Action, TextError> {
    let mut controller = Controller::default();
    let digits = arguments.text().bytes().all(|byte| byte.is_ascii_digit());
    if digits && !arguments.is_empty() {
        let max_len = arguments.u16("a length")?;
        return Ok(Action::Output {
            port: Port::CONTROLLER,
            max_len,
        });
    }
    let mut userdata = false;
    while let Some((key, value)) = arguments.next_pair() {
        match key.text() {
            "reason" => {
                let known = REASONS.iter().find(|(_, name)| value.is_ignore_case(name));
                let unknown = || value.error(format!("{:?} is not a reason", value.text()));
                controller.reason = known.map(|(reason, _)| *reason).ok_or_else(unknown)?;
            }
            "max_len" => controller.max_len = value.u16("a length")?,
            "id" => controller.controller_id = value.u16("a controller id")?,
            "userdata" => {
                controller.userdata = value.hex_bytes()?.into();
                userdata = true;
            }
            "pause" => controller.pause = true,
            "meter_id" => controller.meter = Some(value.u32("a meter")?),
            other => return Err(key.error(format!("{other:?} is not an argument of controller"))),
        }
    }
    let short = Controller {
        max_len: controller.max_len,
        ..Controller::default()
    };
    if controller == short && !userdata {
        return Ok(Action::Output {
            port: Port::CONTROLLER,
            max_len: controller.max_len,
        });
    }
    Ok(Action::Controller(Box::new(controller)))
}
