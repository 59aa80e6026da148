//! Readable forms of rules and rulesets.
//!
//! [`bytecode`] is the instruction list, [`change`] a line per difference, [`list`] is close to `nft list` and `nft -j list`. Nothing
//! here is read back: the form that restores is [`crate::saved`]. Held by `tests/kernel`
//! (`expressions`): equal to the tool's own bytecode, listing and JSON for every fragment of its
//! table.

mod action;
pub mod bytecode;
pub mod change;
mod elements;
mod extension;
mod field;
pub mod json;
pub mod list;
mod statement;
mod term;
pub mod value;
