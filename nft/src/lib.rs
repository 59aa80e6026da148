//! nf_tables and conntrack over netlink.
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

pub mod attr;
pub mod batch;
pub mod chain;
pub mod conn;
pub mod conntrack;
pub mod data;
pub mod diff;
pub mod element;
pub mod error;
pub mod event;
pub mod expr;
pub mod flowtable;
pub mod generation;
pub mod message;
pub mod name;
#[cfg(feature = "net")]
pub mod net;
pub mod object;
pub mod probe;
pub mod rule;
pub mod ruleset;
pub mod saved;
pub mod set;
pub mod snapshot;
pub mod table;
pub mod text;
pub mod trace;
pub mod userdata;
pub mod wire;
pub mod wrapped;
