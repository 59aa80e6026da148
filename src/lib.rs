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
//! 1. *Incremental equals full.* After any sequence of deltas, facts, failures and restarts the cells equal those
//!    rendered from scratch. Held by `plan::tests::property`, and on a real switch by `tests/ovs_random.rs`.
//! 2. *Plans are complete.* An executor meets no choice: ids, names, VLANs and priorities are in the item. Held by
//!    the types of [`ops`].
//! 3. *Nothing is deleted before the first complete snapshot* of the control plane, and then only what carries our
//!    mark. Held by `plan::tests::story`, `tests/ovs_wiring.rs` and `tests/ovs_database.rs`.
//! 4. *One writer per key.* Two cells never ask for the same flow, row or device. Held by [`plan::ledger`], which
//!    refuses the second.
//! 5. *No event costs more than its fan-out.* Held by `plan::tests::budget`, by counters.
//! 6. *Filters before tags.* A port leaves the dead VLAN only when its guards stand. Held by `plan::tests::story`.
//! 7. *A restart loses no packet, and every kill ends in the same state.* Held by `tests/ovs_restart.rs` and
//!    `tests/ovs_kill_points.rs`.
//! 8. *Bad input concerns only what it is about.* Held by `tests/ovs_bad_input.rs` and `tests/cli_config.rs`.
//! 9. *Foreign bytes never panic.* Only the codec crates see them; those forbid `unsafe`, indexing and narrowing
//!    casts. Held by their lints, their truncation sweeps and the fuzz targets.
//! 10. *Dependencies point one way.* `model`, `ops` and `plan` know no runtime, no clock and no socket; no program is
//!     started. Held by `tests/tidy.rs`.
//! 11. *One agent per host.* Held by [`admin::lock`] and `tests/cli_admin.rs`.

#![allow(
    rustdoc::private_intra_doc_links,
    reason = "these pages are for those who work on the modules; they are built with private items"
)]

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
