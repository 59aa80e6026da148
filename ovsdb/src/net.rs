//! Sockets: a client on a thread of its own.
//!
//! [`Client::spawn`] starts a thread that owns the socket and the [`Session`]; it answers
//! probes and folds updates however busy the caller is. The caller gets a [`Client`] for
//! requests and an [`Events`] stream. Everything between them is bounded: row changes that
//! nobody has taken yet are merged per row, requests wait for a slot until their deadline.
//!
//! Reading never waits for writing: the server stops reading a client whose replies pile up,
//! so a client that stopped reading until its own bytes are out would hang with it. Held by
//! `tests/server_net.rs` and `tests/hostile_net.rs`.
//!
//! ```no_run
//! use ovsdb::net::{Client, Config};
//! use ovsdb::op::Transaction;
//! use std::time::Duration;
//!
//! # async fn f() -> Result<(), Box<dyn std::error::Error>> {
//! // Several remotes are tried in turn; a cluster's members, say.
//! let remotes = vec!["unix:/run/openvswitch/db.sock".parse()?, "tcp:192.0.2.1:6640".parse()?];
//! let (client, _events) = Client::spawn(Config::vswitch(remotes))?;
//! let mut txn = Transaction::new();
//! txn.select("Bridge", [], ["name"]);
//! let results = client.transact(txn, Duration::from_secs(5)).await?;
//! println!("{:?}", results[0].rows());
//! # Ok(())
//! # }
//! ```
//!
//! [`Session`]: crate::session::Session

mod address;
mod client;
mod driver;
mod mailbox;
mod output;
mod stream;
mod tls;

pub use address::{AddressError, Remote};
pub use client::{Client, ConnectError, Error, Events, Pending};
pub use tls::{TlsConfig, TlsError};

use crate::session;
use core::time::Duration;

/// What a client connects to and how.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the servers are; tried in turn.
    pub remotes: Vec<Remote>,
    /// The session on top.
    pub session: session::Config,
    /// Keys and certificates for `ssl:` remotes.
    pub tls: Option<TlsConfig>,
    /// Pause after all remotes failed once; doubles up to `backoff_max`.
    pub backoff_min: Duration,
    /// Longest pause.
    pub backoff_max: Duration,
    /// How long connecting to one remote may take.
    pub connect_timeout: Duration,
}

impl Config {
    /// A client of `database` on the given servers, which monitors nothing yet.
    pub fn new(remotes: Vec<Remote>, database: &str) -> Self {
        Self {
            remotes,
            session: session::Config::new(database),
            tls: None,
            backoff_min: Duration::from_secs(1),
            backoff_max: Duration::from_secs(8),
            connect_timeout: Duration::from_secs(5),
        }
    }

    /// A client of the Open_vSwitch database with all typed tables and their indexes.
    pub fn vswitch(remotes: Vec<Remote>) -> Self {
        let mut config = Self::new(remotes, crate::vswitch::DATABASE);
        config.session.monitors = crate::vswitch::monitors();
        config.session.indexes = crate::vswitch::indexes();
        config
    }
}
