//! The operations people know from `ovs-vsctl`, as look-ups in a replica and minimal
//! transactions.
//!
//! Nothing here talks to a server: [`Batch`] gathers any number of changes into one
//! transaction, [`lookup`] answers from the replica, [`mod@column`] reads and writes single
//! columns and keys, [`show`] prints. Held by `tests/server_ops.rs`, which compares with
//! `ovs-vsctl` itself.

pub mod batch;
pub mod column;
pub mod lookup;
pub mod show;
mod stats;

pub use batch::{Batch, BridgeSpec, OpsError, Plan, PortSpec, TunnelSpec};
pub use stats::{select_statistics, statistics};
