//! vifd: a native dataplane agent for hypervisors. OVSDB, OpenFlow and netlink on the wire, no subprocess.
//!
//! # The architecture
//!
//! ```text
//!   control plane        pure                    pure                  IO
//!   source::db (SQL) ──> Delta ─> model::Desired ─┐
//!                                                 ├─> plan ─> ops::Batch ─> exec::{ovsdb, openflow, rtnl, report}
//!                                 model::Observed ┘                              │
//!                                       ^──────────── Fact (events, acks) <──────┘
//! ```
//!
//! A datum moves one way. A source never acts, the planner never waits, an executor never decides.
//!
//! | Module | Owns |
//! |---|---|
//! | [`model`] | what should be ([`model::Desired`]) and what is ([`model::Observed`]): pure values and two stores |
//! | [`source`] | the control plane's shape in, [`model::Delta`]s out |
//! | [`store`] | the embedded control plane: schema, migrations, change log |
//! | [`ops`] | the executors' vocabulary: what is asked, what came of it |
//! | [`plan`] | deltas and facts in, batches out: which cells are dirty, what they ask for, what stands already |
//! | [`exec`] | one module per transport; a batch in, an outcome and facts out |
//! | [`agent`] | the one event loop that joins them |
//! | [`admin`] | the unix socket for questions to the running agent, and the lock against a second one |
//! | [`telemetry`] | logs, metrics, health |
//! | [`config`] | the typed configuration, read and checked once |
//! | [`cli`] | the command line; each command a module |
//!
//! The protocols are crates of their own without any knowledge of vifd: `ofproto` (OpenFlow 1.0 with Nicira's
//! extensions), `ovsdb` (RFC 7047), `nft` (nf_tables).
//!
//! # Invariants
//!
//! 1. *Incremental equals full.* After any sequence of deltas and facts the cells equal those rendered from scratch.
//!    Held by the property tests of `plan`.
//! 2. *Plans are complete.* An executor meets no choice: ids, names, VLANs and priorities are in the item. Held by
//!    the types of [`ops`].
//! 3. *Nothing is deleted before the first complete snapshot* of the control plane, and then only what carries our
//!    mark. Held by the tests of `plan::ledger` and by the restart tests against a real switch.
//! 4. *One writer per key.* Two cells never ask for the same flow, row or device. Held by `plan::ledger`, which
//!    refuses the second, and by the property tests of `plan`.
//! 5. *No event costs more than its fan-out.* Held by the budget tests, by counters.
//! 6. *Foreign bytes never panic.* Only the codec crates see them; those forbid `unsafe`, indexing and narrowing
//!    casts. Held by their lints, their truncation sweeps and the fuzz targets.
//! 7. *Dependencies point one way.* `model`, `ops` and `plan` know no runtime, no clock and no socket. Held by
//!    `tests/tidy.rs`.

pub mod admin;
pub mod agent;
pub mod cli;
pub mod config;
pub mod exec;
pub mod model;
pub mod ops;
pub mod plan;
pub mod source;
pub mod store;
pub mod telemetry;
