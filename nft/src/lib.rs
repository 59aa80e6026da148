//! nf_tables and connection tracking over netlink, without libraries or processes.
//!
//! # Layers
//!
//! | Layer | Modules | Knows |
//! |---|---|---|
//! | framing | [`wire`], [`attr`], [`error`] | netlink messages, attributes, acknowledgements |
//! | values | [`name`], [`data`], [`table`], [`chain`], [`rule`], [`expr`], [`set`], [`element`], [`object`], [`flowtable`], [`userdata`], [`trace`], [`generation`], [`conntrack`] | one object each; `Clone + Eq + Hash`, no sockets, no clock |
//! | messages | [`message`], [`batch`] | one object in a message; many in one atomic batch |
//! | whole tables | [`ruleset`], [`diff`], [`wrapped`], [`saved`], [`text`] | tables with everything in them: compare, save, restore, print |
//! | protocol | [`conn`], [`snapshot`], [`event`], [`probe`] | what is in flight, what must be repeated; time is an argument |
//! | sockets | `net` (feature `net`) | blocking and tokio clients |
//!
//! A planner needs the values and [`diff`]; only an executor needs the last two layers.
//!
//! # Values
//!
//! Every object is a struct whose fields are the attributes of `linux/nf_tables.h`; each attribute's
//! number stands in the source beside its field. Open number spaces are newtypes with constants.
//! What this crate has no name for is kept byte for byte. What the kernel adds to an object
//! (handles, counts, defaults) is taken away by `intended()`, so that what is wanted can be compared
//! with what is there.
//!
//! ```
//! use nft::batch::Batch;
//! use nft::chain::{Chain, Policy, hook};
//! use nft::expr::build;
//! use nft::message::Family;
//! use nft::rule::Rule;
//! use nft::ruleset::{Ruleset, TableState};
//! use nft::table::Table;
//!
//! // What is wanted.
//! let mut table = TableState::new(Family::INET, Table::new("filter"));
//! table.add_chain(Chain::base("filter", "in", hook::INPUT, 0, Policy::DROP));
//! let ssh = [&build::l4proto(6)[..], &build::dport(22, 22), &[build::accept()]].concat();
//! table.add_rule(Rule::new("filter", "in", ssh).commented("ssh"));
//!
//! // As an operator reads it.
//! let text = nft::text::list::table(&table);
//! assert!(text.contains("type filter hook input priority filter; policy drop;"));
//! assert!(text.contains("tcp dport 22 accept comment \"ssh\""));
//!
//! // As changes to a table that has no rules yet, and as one batch of bytes.
//! let mut there = table.clone();
//! there.chains.values_mut().for_each(|chain| chain.rules.clear());
//! let changes = nft::diff::table(&table, Some(&there));
//! assert_eq!(changes.len(), 1);
//! let encoded = changes.iter().collect::<Batch>().encode(None).unwrap();
//! assert_eq!(encoded.len(), 1);
//!
//! // As a file that restores.
//! let mut ruleset = Ruleset::default();
//! ruleset.insert(table);
//! assert_eq!(Ruleset::restore(&ruleset.save()).unwrap(), ruleset);
//! ```
//!
//! # Promises
//!
//! * A batch is applied as a whole or not at all, and is sent by one `sendmsg`. If the answer is
//!   lost the outcome is [`conn::Outcome::Unknown`]: read the table and compare.
//! * An error names the operation and the attribute at fault, with the kernel's own words.
//! * A dump is consistent or repeated; a snapshot lies between two equal generations.
//! * No input panics: see `fuzz/fuzz_targets/nft_*.rs`. Nests are bounded, lists grow by reading.
//!
//! # Not here
//!
//! No parser for the language of `nft`; no interpretation of iptables extensions inside nf_tables
//! (kept as bytes: such tables belong to iptables); no link, address or route messages; no tunnel
//! objects beyond their bytes.
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

/// The examples of the readme, which are tests too.
#[cfg(all(doctest, feature = "net"))]
#[doc = include_str!("../README.md")]
struct Readme;
