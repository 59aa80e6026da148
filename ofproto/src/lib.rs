//! OpenFlow 1.0 with the Nicira extensions of Open vSwitch, as a library.
//!
//! Read it from the bottom up; each layer is usable without those after it, and its module page
//! has the wire pictures and an example:
//!
//! 1. [`codec`], a reader and a writer for big-endian bytes; [`header`], the 8 bytes in front of
//!    every message; [`error`], what can be wrong, as a registry of OpenFlow errors; [`ports`].
//! 2. [`matching`], match fields, NXM and OXM, the fixed 40-byte match.
//! 3. [`action`], what happens to packets.
//! 4. [`msg`], every message and statistic that is valid on an OpenFlow 1.0 connection.
//! 5. [`of14`], the little of OpenFlow 1.4 that atomic bundles need.
//! 6. [`view`], bulk data without copies, and [`text`], the syntax that people write.
//! 7. [`conn`], a connection without sockets or clocks; with the feature `net`, a driver for it.
//!
//! ```
//! use ofproto::action::{Action, ActionList};
//! use ofproto::matching::{FieldId, Match};
//! use ofproto::msg::{FlowMod, Message};
//! use ofproto::ports::Port;
//!
//! let m = Match::new().with(FieldId::IN_PORT, 5u16);
//! let flow = FlowMod::add(60, 100, m, ActionList::from([Action::output(Port(2))]));
//! let mut buf = Vec::new();
//! Message::FlowMod(flow.clone()).encode(7, &mut buf)?;
//! let (header, message) = Message::decode(&buf).unwrap();
//! assert_eq!(header.xid, 7);
//! assert_eq!(message, Message::FlowMod(flow));
//! # Ok::<(), ofproto::EncodeError>(())
//! ```
//!
//! Nothing here panics on any input, allocation is bounded by the input's length, and what is not
//! known is kept byte for byte. Decode errors are small `Copy` values.

#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::cast_possible_truncation
    )
)]

pub mod action;
#[cfg(feature = "arbitrary")]
pub mod arbitrary;
pub mod codec;
pub mod conn;
pub mod error;
pub mod header;
pub mod matching;
pub mod msg;
#[cfg(feature = "net")]
pub mod net;
pub mod of14;
pub mod ports;
mod property;
pub mod text;
pub mod view;

pub use error::{DecodeError, EncodeError, OfpError};
