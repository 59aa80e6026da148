//! Structure-aware generators (feature `arbitrary`): values that are valid, for tests and fuzzing.
//!
//! [`Match`], [`ActionList`], [`FlowMod`] and [`Message`] implement
//! [`Arbitrary`]. What comes out satisfies the rules of Open vSwitch 3.1:
//! prerequisites are matched, masks and values are in range, actions fit the match. A switch with
//! an empty configuration accepts every generated flow: groups, meters, tunnel options and
//! anything newer than 3.1 do not occur.
//!
//! ```
//! use arbitrary::{Arbitrary, Unstructured};
//! use ofproto::msg::{FlowMod, Message};
//!
//! let noise: Vec<u8> = (0..400).map(|n: u32| (n * n * 31 >> 3) as u8).collect();
//! let flow = FlowMod::arbitrary(&mut Unstructured::new(&noise))?;
//! let bytes = Message::FlowMod(flow.clone()).to_bytes(1).unwrap();
//! assert_eq!(Message::decode(&bytes).unwrap().1, Message::FlowMod(flow));
//! # Ok::<(), arbitrary::Error>(())
//! ```
//!
//! `tests/differential.rs` sends what is generated here through `ovs-ofctl` and a real switch.

mod action;
mod frame;
mod group;
mod matching;
mod message;
mod stats;

use ::arbitrary::{Arbitrary, Result, Unstructured};

use crate::action::ActionList;
use crate::matching::Match;
use crate::msg::registry::Kind;
use crate::msg::{FlowMod, FlowModCommand, FlowModForm, Message, flow_flags};
use crate::ports::{NO_BUFFER, Port};

impl<'a> Arbitrary<'a> for Match {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        matching::arbitrary_match(u)
    }
}

impl<'a> Arbitrary<'a> for ActionList {
    /// Actions that fit any match.
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        action::arbitrary_actions(u, &Match::new())
    }
}

impl<'a> Arbitrary<'a> for FlowMod {
    /// An added flow.
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let match_ = matching::arbitrary_match(u)?;
        let actions = action::arbitrary_actions(u, &match_)?;
        Ok(FlowMod {
            form: FlowModForm::Nx,
            command: FlowModCommand::ADD,
            table: u.int_in_range(0..=253)?,
            priority: u.arbitrary()?,
            match_,
            // All ones has a meaning of its own.
            cookie: u.arbitrary::<u64>()? >> 1,
            cookie_value: 0,
            cookie_mask: 0,
            idle_timeout: timeout(u)?,
            hard_timeout: timeout(u)?,
            buffer_id: NO_BUFFER,
            out_port: Port::NONE,
            flags: if u.ratio(1, 4)? {
                flow_flags::SEND_FLOW_REM
            } else {
                0
            },
            actions,
        })
    }
}

/// None, or long enough to outlive a test.
fn timeout(u: &mut Unstructured<'_>) -> Result<u16> {
    if u.ratio(1, 3)? {
        u.int_in_range(3600..=u16::MAX)
    } else {
        Ok(0)
    }
}

/// A message of one kind, which is one of [`ENTRIES`](crate::msg::registry::ENTRIES).
///
/// # Errors
/// When `u` runs out of bytes in a way that `arbitrary` reports.
pub fn message_of(kind: Kind, u: &mut Unstructured<'_>) -> Result<Message> {
    message::message_of(kind, u)
}

impl<'a> Arbitrary<'a> for Message {
    /// A message of any kind, all equally likely.
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        message::arbitrary_message(u)
    }
}
