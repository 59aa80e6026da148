//! The body of `OFPT_FLOW_MOD` in OpenFlow 1.4 (OF1.4 §7.3.4.1).
//!
//! ```text
//!  8        16            24      25       26     28     30
//! +--------+-------------+-------+--------+------+------+------+
//! | cookie | cookie mask | table | command| idle | hard | prio |
//! +--------+-------------+-------+--------+------+------+------+
//!  32       36         40          44      46       48
//! +--------+----------+-----------+-------+--------+------------- - -
//! | buffer | out_port | out_group | flags | import.| OXM match, instructions
//! +--------+----------+-----------+-------+--------+------------- - -
//! ```

use super::action;
use crate::action::Action;
use crate::codec::Writer;
use crate::error::{EncodeError, OfpError};
use crate::header::Version;
use crate::matching::Form;
use crate::msg::{FlowMod, FlowModCommand};
use crate::ports::{COOKIE_KEEP, TABLE_ALL};

const GROUP_ANY: u32 = 0xffff_ffff;
const OXM_MATCH: u16 = 1;
const WRITE_METADATA: u16 = 2;
const APPLY_ACTIONS: u16 = 4;

pub(super) fn encode(flow: &FlowMod, w: &mut Writer<'_>) -> Result<(), EncodeError> {
    let adds = flow.command == FlowModCommand::ADD;
    // 1.4 has one cookie field: the value to store when adding, the value to compare otherwise.
    let cookie = if adds { flow.cookie } else { flow.cookie_value };
    let modifies = matches!(
        flow.command,
        FlowModCommand::MODIFY | FlowModCommand::MODIFY_STRICT
    );
    if modifies && !matches!(flow.cookie, 0 | COOKIE_KEEP) {
        return Err(EncodeError::Unsupported {
            what: "new cookie in a modify",
        });
    }
    w.u64(cookie);
    w.u64(if adds { 0 } else { flow.cookie_mask });
    // "No table given" is every table in a delete, and the first one in an add.
    w.u8(if adds && flow.table == TABLE_ALL {
        0
    } else {
        flow.table
    });
    w.u8(flow.command.0);
    w.u16(flow.idle_timeout);
    w.u16(flow.hard_timeout);
    w.u16(flow.priority);
    w.u32(flow.buffer_id);
    w.u32(flow.out_port.to_of11());
    w.u32(GROUP_ANY);
    w.u16(flow.flags & 3);
    w.u16(0);
    let start = w.position();
    w.u16(OXM_MATCH);
    w.u16(0);
    flow.match_.encode_fields(w, Form::Oxm(Version::OF14));
    w.patch_len(start.saturating_add(2), start, "match")?;
    w.pad8(start);
    encode_instructions(flow, w)
}

fn encode_instructions(flow: &FlowMod, w: &mut Writer<'_>) -> Result<(), EncodeError> {
    let (metadata, actions) = match flow.actions.split_last() {
        Some((Action::WriteMetadata { value, mask }, before)) => (Some((*value, *mask)), before),
        _ => (None, &*flow.actions),
    };
    if actions
        .iter()
        .any(|a| matches!(a, Action::WriteMetadata { .. }))
    {
        let code = OfpError::OFPBAC_UNSUPPORTED_ORDER;
        return Err(EncodeError::Invalid {
            code,
            what: "write_metadata",
        });
    }
    if !actions.is_empty() {
        let start = w.position();
        w.u16(APPLY_ACTIONS);
        w.u16(0);
        w.zeros(4);
        action::encode_list(actions, &flow.match_, w)?;
        w.patch_len(start.saturating_add(2), start, "apply-actions")?;
    }
    if let Some((value, mask)) = metadata {
        w.u16(WRITE_METADATA);
        w.u16(24);
        w.zeros(4);
        w.u64(value);
        w.u64(mask);
    }
    Ok(())
}
