//! Readable forms of rules and rulesets.
//!
//! [`bytecode`] is the instruction list, [`change`] a line per difference, [`list`] is close to `nft list` and `nft -j list`. Nothing
//! here is read back: the form that restores is [`crate::saved`]. Held by `tests/kernel`
//! (`expressions`): equal to the tool's own bytecode, listing and JSON for every fragment of its
//! table.
//!
//! ```
//! use nft::expr::build;
//! use nft::message::Family;
//! use nft::rule::Rule;
//! use nft::text::{bytecode, list};
//!
//! let rule = Rule::new("t", "c", [&build::l4proto(17)[..], &build::dport(53, 53)].concat());
//! assert_eq!(bytecode::lines(&rule.expressions)[0], "[ meta load l4proto => reg 1 ]");
//! assert_eq!(list::rule(Family::INET, &rule.into()), "udp dport 53");
//! ```

mod action;
pub mod bytecode;
pub mod change;
mod elements;
mod extension;
mod field;
pub mod json;
pub mod list;
mod object;
mod statement;
mod term;
pub mod value;
