//! Sockets: the only module of this crate that does IO (feature `net`).
//!
//! [`Channel`] is one netlink socket, [`Client`] drives [`crate::conn`] over it and blocks,
//! [`AsyncClient`] does the same under tokio, [`Events`] follows a multicast group. A socket stays
//! in the network namespace of the thread that opened it. Held by `tests/kernel`.

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
