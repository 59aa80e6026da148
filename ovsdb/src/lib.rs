//! An OVSDB client (RFC 7047 and ovsdb-server's extensions).
//!
//! Layers, from the bottom:
//!
//! 1. [`json`]: stream splitter, parser and writer of the JSON dialect ovsdb-server speaks.
//! 2. [`value`], [`schema`], [`condition`], [`mutation`], [`op`], [`rpc`], [`monitor`]: the
//!    typed codec. Pure functions.
//! 3. [`conn`]: the JSON-RPC connection without a socket or clock: bytes and `now` in; bytes,
//!    events and the next deadline out.
//! 4. [`replica`]: a fold over monitor updates, with row-level change events and indexes.
//! 5. [`session`]: handshake, monitor, resynchronisation and locks on top of [`conn`].
//! 6. [`vswitch`] and [`ops`]: typed rows of the Open_vSwitch schema and the operations
//!    people know from `ovs-vsctl`.
//! 7. `net` (feature `net`): unix, TCP and TLS sockets on a thread of their own.
//!
//! ```
//! use ovsdb::{condition::Condition, mutation::Mutation, op::{Transaction, columns}};
//!
//! let mut txn = Transaction::new();
//! let interface = txn.insert("Interface", columns([("name", "tap0")]));
//! let port = txn.insert(
//!     "Port",
//!     columns([("name", "tap0".into()), ("interfaces", ovsdb::value::Datum::from(interface.reference))]),
//! );
//! txn.mutate(
//!     "Bridge",
//!     [Condition::eq("name", "br-int")],
//!     [Mutation::insert("ports", port.reference)],
//! );
//! assert_eq!(txn.len(), 3);
//! ```
//!
//! Each of these modules begins with an example that runs.
//!
//! # Errors
//!
//! | Type | Where | Means |
//! |---|---|---|
//! | [`JsonError`] | [`json`] | bytes that are no JSON as OVSDB wants it, with the offset |
//! | [`DecodeError`] | the typed codec | JSON that is not the item it should be: small, comparable |
//! | [`schema::Explanation`] | values, conditions, mutations | the same in ovsdb-server's words, with the value and what would be allowed |
//! | [`schema::CheckError`] | before sending | an operation the server would refuse whatever the data |
//! | [`op::ServerError`] | replies | what the server refused; nothing was changed |
//! | [`session::Reason`] | [`session`] | why a connection ended; the session goes on with the next one |
//! | `net::Error` | `net` | why a request has no result; `is_unknown` tells whether it may have happened |
//! | `net::ConnectError` | `net` | why a remote could not be reached |
//! | [`ops::OpsError`] | [`ops`] | a change that does not fit the replica, or met a row that was gone |
//!
//! Not goals: a server, schema conversion, a blocking interface.

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

pub mod condition;
pub mod conn;
mod error;
pub mod json;
pub mod monitor;
pub mod mutation;
#[cfg(feature = "net")]
pub mod net;
pub mod op;
pub mod ops;
pub mod replica;
pub mod rpc;
pub mod schema;
pub mod session;
mod uuid;
pub mod value;
pub mod vswitch;

#[cfg(all(doctest, feature = "net"))]
#[doc = include_str!("../README.md")]
struct Readme;

pub use error::{DecodeError, Fault, JsonError, JsonErrorKind};
pub use json::Str;
pub use uuid::Uuid;
