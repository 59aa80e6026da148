//! Flows and messages as people write them: the syntax of `ovs-ofctl`, reader and printer.
//!
//! [`Match`](crate::matching::Match), [`ActionList`](crate::action::ActionList) and
//! [`FlowMod`](crate::msg::FlowMod) implement [`FromStr`](std::str::FromStr) and
//! [`Display`](std::fmt::Display). The forms are those of `ovs-ofctl` 3.1; what newer versions
//! added (registers 16 to 31, sample from fields) is there too. Numbers may be decimal, `0x` or
//! octal. Errors point at the column:
//!
//! ```
//! use ofproto::msg::FlowMod;
//! use ofproto::text::flow_line;
//!
//! let text = "table=60,priority=100,in_port=5,ct_state=+trk,\
//!             actions=ct(commit,zone=NXM_NX_REG6[0..15]),resubmit(,94)";
//! let flow: FlowMod = text.parse()?;
//! assert_eq!(
//!     flow.to_string(),
//!     "ADD table:60 priority=100,ct_state=+trk,in_port=5 \
//!      actions=ct(commit,zone=NXM_NX_REG6[0..15]),resubmit(,94)"
//! );
//! assert_eq!(flow_line(&flow).parse::<FlowMod>()?, flow);
//!
//! let error = "tcp,nw_src=10.0.0.300,actions=drop".parse::<FlowMod>().unwrap_err();
//! assert_eq!(error.to_string(), "column 12: 10.0.0.300 is not an IPv4 address");
//! # Ok::<(), ofproto::text::TextError>(())
//! ```
//!
//! Only what OpenFlow 1.0 can carry is read; words of later versions (`goto_table`, `push_vlan`)
//! are errors that say so.
//!
//! The vectors and `tests/differential.rs` hold this module against `ovs-ofctl`; the fuzz target
//! `of_text` feeds it anything.

mod action_parse;
mod action_print;
mod address;
mod controller;
mod ct;
mod encap;
mod error;
mod field;
mod flags;
mod flow;
mod hash;
mod hexdump;
mod learn;
mod match_parse;
mod match_print;
mod message;
mod nxm;
mod packet;
mod sample;
mod scan;

pub use error::TextError;
pub use flow::{flow_line, parse_flow_line, parse_flow_mod};
pub use message::{Verbosity, print_message};
pub use nxm::{nxm_from_str, nxm_to_string};
