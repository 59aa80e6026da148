//! Sockets: the only module of this crate that does IO (feature `net`).
//!
//! [`Channel`] is one netlink socket, [`Client`] drives [`crate::conn`] over it and blocks,
//! [`AsyncClient`] does the same under tokio, [`Events`] follows a multicast group. A socket stays
//! in the network namespace of the thread that opened it. Held by `tests/kernel`.
//!
//! ```no_run
//! use nft::conntrack::Filter;
//! use nft::message::Family;
//! use nft::net::{Client, ConntrackClient, DeleteFilters};
//! use nft::snapshot::Scope;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let picture = Client::open()?.snapshot(Scope::Family(Family::UNSPEC))?;
//! println!("{}", nft::text::list::ruleset(&picture.ruleset));
//!
//! // Connections of zone 4097 whose replies were never seen.
//! let zone = Filter { zone: Some(4097), ..Filter::default() };
//! let mut connections = ConntrackClient::open(DeleteFilters::default())?;
//! connections.delete_where(&zone, |entry| {
//!     let seen = nft::conntrack::Status::SEEN_REPLY;
//!     !entry.status.is_some_and(|status| status.contains(seen))
//! })?;
//! # Ok(())
//! # }
//! ```

mod asynchronous;
mod blocking;
mod channel;
mod conntrack;
mod error;
mod events;

pub use asynchronous::AsyncClient;
pub use blocking::Client;
pub use channel::Channel;
pub use conntrack::{ConntrackClient, DeleteFilters};
pub use error::NetError;
pub use events::{AsyncEvents, Events};
