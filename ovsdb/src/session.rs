//! A database session without socket and clock: handshake, monitor, replica, locks.
//!
//! On top of [`Conn`] it learns the schema, watches `_Server` for leadership, keeps one
//! monitor and its [`Replica`], resynchronises after every reconnect, and re-acquires locks.
//! Consumers see [`Event`]s only. Held by `tests/session_pair.rs`, `tests/server_replica.rs`
//! and `tests/server_cluster.rs`.
//!
//! ```
//! use ovsdb::session::{Config, Event, Session};
//! use std::time::Duration;
//!
//! let mut session = Session::new(Config::new("d"));
//! session.connected(Duration::ZERO);
//! let mut bytes = Vec::new();
//! session.take_output(&mut bytes); // goes to the socket
//! assert!(bytes.starts_with(br#"{"id":0,"method":"set_db_change_aware""#));
//! // What the socket gives:
//! let schema = r#"{"name":"d","tables":{}}"#;
//! let reply = format!(r#"{{"id":2,"result":{schema},"error":null}}"#);
//! session.receive(reply.as_bytes(), Duration::ZERO).unwrap();
//! assert!(matches!(session.poll_event(), Some(Event::Connected(_))));
//! assert!(matches!(session.poll_event(), Some(Event::InitialSnapshotComplete)));
//! ```

mod conditions;
mod handshake;
mod locks;
mod server_db;

pub use server_db::ServerDatabase;

use crate::conn::{Conn, ConnError, Limits, Refused, RequestId};
use crate::error::DecodeError;
use crate::json::{Json, Str};
use crate::monitor::{Method, TableMonitor};
use crate::op::Transaction;
use crate::replica::{IndexSpec, Replica, RowChange};
use crate::schema::{CheckError, DatabaseSchema, check_transaction};
use crate::uuid::Uuid;
use conditions::ConditionChanges;
use core::fmt;
use core::time::Duration;
use handshake::Purpose;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// What a session does.
#[derive(Clone, Debug)]
pub struct Config {
    /// Name of the database.
    pub database: Str,
    /// What to monitor; nothing is fine.
    pub monitors: Vec<TableMonitor>,
    /// Indexes of the replica.
    pub indexes: Vec<IndexSpec>,
    /// Newest monitor method to try; servers that do not know it are asked with older ones.
    pub method: Method,
    /// Give up a server of a cluster that is not the leader.
    pub leader_only: bool,
    /// Limits of the connection.
    pub limits: Limits,
    /// How long each step of the handshake may take.
    pub handshake_timeout: Duration,
}

impl Config {
    /// A session that monitors nothing yet.
    pub fn new(database: impl Into<Str>) -> Self {
        Self {
            database: database.into(),
            monitors: Vec::new(),
            indexes: Vec::new(),
            method: Method::CondSince,
            leader_only: false,
            limits: Limits::default(),
            handshake_timeout: Duration::from_secs(30),
        }
    }
}

/// What a session reports.
#[derive(Clone, Debug)]
pub enum Event {
    /// The schema is known; updates follow.
    Connected(Arc<DatabaseSchema>),
    /// Rows changed. After a reconnect this is the difference to what was reported before.
    Update(Vec<RowChange>),
    /// The replica is complete; sent once per connection.
    InitialSnapshotComplete,
    /// A lock of [`Session::lock`] was acquired (`true`) or lost (`false`).
    Lock(Str, bool),
    /// The reply to [`Session::transact`] or [`Session::request`].
    Reply(RequestId, Outcome),
    /// A notification that belongs to none of the session's own monitors.
    Notification(Str, Vec<Json>),
    /// The connection is gone; every request without a reply gets [`Outcome::Lost`] first.
    Disconnected(Reason),
}

/// Outcome of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The `result` member of the reply.
    Result(Json),
    /// The `error` member of the reply.
    Error(Json),
    /// The deadline passed. A transaction may or may not have been committed.
    Expired,
    /// The connection was lost first. A transaction may or may not have been committed.
    Lost,
}

/// Why a transaction is not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotSent {
    /// The server would refuse it whatever the data.
    Check(CheckError),
    /// The connection does not take it.
    Refused(Refused),
}

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Check(error) => error.fmt(f),
            Self::Refused(refused) => refused.fmt(f),
        }
    }
}

impl core::error::Error for NotSent {}

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The transport failed or was closed.
    Transport(Str),
    /// The peer broke the protocol.
    Protocol(ConnError),
    /// An update did not fit the replica.
    Update(DecodeError),
    /// The schema cannot be understood.
    Schema(DecodeError),
    /// The server refused a step of the handshake.
    Refused(Str),
    /// A step of the handshake took too long.
    HandshakeTimeout,
    /// The server is not the leader of its cluster, and a leader is wanted.
    NotLeader,
    /// The server lost its cluster.
    NotInCluster,
    /// The server has not yet applied what another member of its cluster has shown.
    Stale,
    /// The owner closed it.
    Closed,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(text) => write!(f, "transport: {text}"),
            Self::Protocol(error) => write!(f, "protocol: {error}"),
            Self::Update(error) => write!(f, "update: {error}"),
            Self::Schema(error) => write!(f, "schema: {error}"),
            Self::Refused(text) => write!(f, "refused: {text}"),
            Self::HandshakeTimeout => f.write_str("handshake timed out"),
            Self::NotLeader => f.write_str("not the cluster leader"),
            Self::NotInCluster => f.write_str("server is cut off from its cluster"),
            Self::Stale => f.write_str("server lags behind what has been seen of its cluster"),
            Self::Closed => f.write_str("closed"),
        }
    }
}

/// Counters of a session, over all its connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections made.
    pub connections: u64,
    /// Update notifications folded in.
    pub updates: u64,
    /// Row changes reported.
    pub changes: u64,
    /// Reconnects that resumed from the last transaction instead of a full snapshot.
    pub resumed: u64,
}

/// A database session.
#[derive(Debug)]
pub struct Session {
    config: Config,
    conn: Option<Conn>,
    events: VecDeque<Event>,
    purposes: BTreeMap<RequestId, Purpose>,
    schema: Option<Arc<DatabaseSchema>>,
    server: Option<ServerDatabase>,
    replica: Replica,
    method: Method,
    /// Format of the monitor in force; `None` until its reply.
    active: Option<Method>,
    last_txn: Uuid,
    /// The cluster last seen, and the highest index seen of it.
    seen: Option<(Uuid, i64)>,
    conditions: ConditionChanges,
    locks: BTreeMap<Str, bool>,
    /// Locks to be stolen at the next connect.
    steals: BTreeSet<Str>,
    failed: Option<Reason>,
    counters: Counters,
}

impl Session {
    /// A session that is not connected.
    pub fn new(config: Config) -> Self {
        let replica = Replica::new(config.indexes.clone());
        Self {
            conn: None,
            events: VecDeque::new(),
            purposes: BTreeMap::new(),
            schema: None,
            server: None,
            replica,
            method: config.method,
            active: None,
            last_txn: Uuid::ZERO,
            seen: None,
            conditions: ConditionChanges::default(),
            locks: BTreeMap::new(),
            steals: BTreeSet::new(),
            failed: None,
            counters: Counters::default(),
            config,
        }
    }

    /// The transport is up: starts the handshake.
    pub fn connected(&mut self, now: Duration) {
        self.conn = Some(Conn::new(self.config.limits, now));
        self.failed = None;
        self.server = None;
        self.counters.connections += 1;
        self.start_handshake(now);
    }

    /// The transport is gone. Requests without a reply are reported lost.
    pub fn disconnected(&mut self, reason: Reason) {
        if self.conn.take().is_none() {
            return;
        }
        let reason = self.failed.take().unwrap_or(reason);
        self.active = None;
        if core::mem::take(&mut self.conditions).unsettled() {
            // The last transaction was seen with other rows in view.
            self.last_txn = Uuid::ZERO;
        }
        for (id, purpose) in core::mem::take(&mut self.purposes) {
            if matches!(purpose, Purpose::Caller) {
                self.events.push_back(Event::Reply(id, Outcome::Lost));
            }
        }
        for (lock, held) in &mut self.locks {
            if core::mem::take(held) {
                self.events.push_back(Event::Lock(lock.clone(), false));
            }
        }
        self.events.push_back(Event::Disconnected(reason));
    }

    /// Takes bytes read from the server. On an error close the transport and call
    /// [`Self::disconnected`].
    pub fn receive(&mut self, bytes: &[u8], now: Duration) -> Result<(), Reason> {
        let Some(conn) = &mut self.conn else {
            return Ok(());
        };
        let result = conn.receive(bytes, now).map_err(Reason::Protocol);
        self.pump(now);
        self.verdict(result)
    }

    /// Lets time pass; see [`Conn::tick`].
    pub fn tick(&mut self, now: Duration) -> Result<(), Reason> {
        let Some(conn) = &mut self.conn else {
            return Ok(());
        };
        let result = conn.tick(now).map_err(Reason::Protocol);
        self.pump(now);
        self.verdict(result)
    }

    fn verdict(&mut self, result: Result<(), Reason>) -> Result<(), Reason> {
        if let Err(reason) = result {
            self.failed.get_or_insert(reason);
        }
        self.failed.clone().map_or(Ok(()), Err)
    }

    /// When [`Self::tick`] has something to do.
    pub fn deadline(&self) -> Option<Duration> {
        self.conn.as_ref()?.deadline()
    }

    /// Swaps the bytes to be sent for `empty`, whose content is discarded.
    pub fn take_output(&mut self, empty: &mut Vec<u8>) {
        match &mut self.conn {
            Some(conn) => conn.take_output(empty),
            None => empty.clear(),
        }
    }

    /// Number of bytes waiting to be sent.
    pub fn output_len(&self) -> usize {
        self.conn.as_ref().map_or(0, |c| c.output().len())
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Checks a transaction against the schema and sends it; the outcome arrives as
    /// [`Event::Reply`]. Before the schema is known nothing is checked.
    pub fn transact(
        &mut self,
        transaction: &Transaction,
        deadline: Option<Duration>,
    ) -> Result<RequestId, NotSent> {
        if let Some(schema) = &self.schema {
            check_transaction(schema, transaction).map_err(NotSent::Check)?;
        }
        let params = transaction.to_params(&self.config.database);
        self.request("transact", &params, deadline)
            .map_err(NotSent::Refused)
    }

    /// Sends any request; the outcome arrives as [`Event::Reply`].
    pub fn request(
        &mut self,
        method: &str,
        params: &[Json],
        deadline: Option<Duration>,
    ) -> Result<RequestId, Refused> {
        let conn = self.conn.as_mut().ok_or(Refused::NotConnected)?;
        let id = conn.request(method, params, deadline)?;
        self.purposes.insert(id, Purpose::Caller);
        Ok(id)
    }

    /// Gives a request up (RFC 7047 §4.1.4). Its outcome is reported as
    /// [`Outcome::Expired`]: a transaction may have been committed already.
    pub fn cancel(&mut self, id: RequestId) {
        if let Some(conn) = &mut self.conn
            && self.purposes.remove(&id).is_some()
        {
            conn.cancel(id);
            self.events.push_back(Event::Reply(id, Outcome::Expired));
        }
    }

    /// The replica.
    pub const fn replica(&self) -> &Replica {
        &self.replica
    }

    /// The schema of the current or last connection.
    pub const fn schema(&self) -> Option<&Arc<DatabaseSchema>> {
        self.schema.as_ref()
    }

    /// What `_Server` says about the database; `None` from servers that have no `_Server`.
    pub const fn server(&self) -> Option<&ServerDatabase> {
        self.server.as_ref()
    }

    /// Identifier of the last transaction seen, zero if the server does not tell.
    pub const fn last_txn(&self) -> Uuid {
        self.last_txn
    }

    /// Counters over all connections.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// True if the transport is up.
    pub const fn is_connected(&self) -> bool {
        self.conn.is_some()
    }
}
