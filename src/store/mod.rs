//! The embedded control plane: where networks, ports and hosts are kept for DB mode.
//!
//! Owns the schema ([`migrate`]), the change log ([`changelog`]), what agents write back ([`agents`]), what people
//! edit ([`edit`]) and what they look at ([`view`]). All of that is plain, portable SQL over the small trait
//! [`Store`]; only the implementations of the trait know a database product. Calls block: an agent makes them on a
//! thread of their own. It must not know who reads: no deltas, no channels, no clock but [`clock`].
//! Held by the tests at the foot of each file and by `source::db`'s.

pub mod agents;
pub mod carrier;
pub mod changelog;
pub mod clock;
mod default_group;
pub mod edit;
mod error;
pub mod migrate;
pub mod rule;
pub mod rule_text;
mod sqlite;
mod url;
mod value;
pub mod view;

use std::os::fd::OwnedFd;

pub use error::StoreError;
pub use url::DatabaseUrl;
pub use value::{Row, Value};

use sqlite::SqliteStore;

/// What a transaction is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// One consistent view; never waits for a writer.
    Read,
    /// Changes; waits (a bounded time) until it is the only writer.
    Write,
}

/// The kind of database, for the few words of SQL that differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    /// SQLite 3.
    Sqlite,
}

/// One connection to a database.
///
/// Statements use `?` for parameters and nothing that is not common to SQLite, PostgreSQL and MySQL. A statement
/// outside of a transaction is one of its own. A transaction that is neither committed nor rolled back is undone when
/// the connection goes.
pub trait Store: Send {
    /// Which words it wants.
    fn dialect(&self) -> Dialect;
    /// Runs a statement and reads all of its rows.
    fn query(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>, StoreError>;
    /// Runs a statement; how many rows it touched.
    fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64, StoreError>;
    /// Runs several statements without parameters (migrations).
    fn script(&mut self, sql: &str) -> Result<(), StoreError>;
    /// Opens a transaction.
    fn begin(&mut self, mode: Mode) -> Result<(), StoreError>;
    /// Makes its changes stand.
    fn commit(&mut self) -> Result<(), StoreError>;
    /// Undoes its changes. Harmless without a transaction.
    fn rollback(&mut self) -> Result<(), StoreError>;
    /// From now on a commit returns only when the disk has it. Without, the newest commits may be lost with the power
    /// (what stays is whole): good enough for a status, which its agent tells again.
    fn durable(&mut self) -> Result<(), StoreError>;
    /// A number that differs once any *other* connection has committed something: the cheap question of every poll.
    fn stamp(&mut self) -> Result<i64, StoreError>;
    /// An error once the database that was opened is not the one under its name any more.
    fn check(&mut self) -> Result<(), StoreError>;
    /// Becomes readable when somebody begins to write, or takes the database away; what is read from it says nothing.
    /// A commit may follow a while later. `None`: nothing tells, one has to look.
    fn watch(&self) -> Option<OwnedFd>;
}

/// Opens an existing database. It is never created: see [`create`].
pub fn open(url: &DatabaseUrl) -> Result<Box<dyn Store>, StoreError> {
    match url {
        DatabaseUrl::Sqlite(path) => Ok(Box::new(SqliteStore::open(path, false)?)),
    }
}

/// Opens a database, and makes an empty one if there is none.
pub fn create(url: &DatabaseUrl) -> Result<Box<dyn Store>, StoreError> {
    match url {
        DatabaseUrl::Sqlite(path) => Ok(Box::new(SqliteStore::open(path, true)?)),
    }
}

/// Runs `body` in a transaction: committed if it succeeds, undone if it fails.
pub fn transaction<T, E: From<StoreError>>(
    store: &mut dyn Store,
    mode: Mode,
    body: impl FnOnce(&mut dyn Store) -> Result<T, E>,
) -> Result<T, E> {
    store.begin(mode)?;
    match body(store) {
        Ok(value) => match store.commit() {
            Ok(()) => Ok(value),
            Err(error) => {
                // The first error is the one to tell; a connection that cannot roll back is dropped by its owner.
                let _ = store.rollback();
                Err(error.into())
            }
        },
        Err(error) => {
            let _ = store.rollback();
            Err(error)
        }
    }
}

/// `?, ?, ?` for `n` parameters, `n` rounded up to a power of two so that few different statements exist. Pair with
/// [`padded`].
pub(crate) fn marks(n: usize) -> String {
    let n = n.max(1).next_power_of_two();
    let mut text = "?, ".repeat(n);
    text.truncate(text.len() - 2);
    text
}

/// The ids as parameters for [`marks`]: the last is repeated, which changes nothing inside `IN (…)`.
pub(crate) fn padded(ids: &[String]) -> Vec<Value> {
    let mut params: Vec<Value> = ids.iter().map(|id| Value::from(id.as_str())).collect();
    let last = params.last().cloned().unwrap_or(Value::Null);
    params.resize(params.len().max(1).next_power_of_two(), last);
    params
}
