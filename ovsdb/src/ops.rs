//! The operations people know from `ovs-vsctl`, as look-ups in a replica and minimal
//! transactions.
//!
//! Nothing here talks to a server: [`Batch`] gathers any number of changes into one
//! transaction, [`lookup`] answers from the replica, [`mod@column`] reads and writes single
//! columns and keys, [`show`] prints. Held by `tests/server_ops.rs`, which compares with
//! `ovs-vsctl` itself.
//!
//! ```
//! use ovsdb::{ops::column::difference, value::Datum};
//!
//! // Only what differs goes over the wire, however large the rest is.
//! let old = Datum::map([("iface-id", "a"), ("attached-mac", "fa:16:3e:00:00:01")]);
//! let new = Datum::map([("iface-id", "b"), ("attached-mac", "fa:16:3e:00:00:01")]);
//! let mutations = difference("external_ids", &old, &new);
//! let sent: Vec<String> = mutations.iter().map(|m| m.to_json().to_string()).collect();
//! assert_eq!(sent, [
//!     r#"["external_ids","delete","iface-id"]"#,
//!     r#"["external_ids","insert",["map",[["iface-id","b"]]]]"#,
//! ]);
//! ```

pub mod batch;
pub mod column;
pub mod lookup;
pub mod show;
mod stats;

pub use batch::{Batch, BridgeSpec, OpsError, Plan, PortSpec, TunnelSpec};
pub use stats::{select_statistics, statistics};
