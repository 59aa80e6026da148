//! The source for DB mode: follows the change log of the database that all hosts share.
//!
//! Owns a thread with one connection (`task`). [`follow`] reads snapshots and increments, `translate` makes model
//! values of rows that nobody vouches for, `groups` knows which security groups and members concern this host. It must not know what the agent does with them. Held by
//! `tests.rs` beside this file: incremental equals snapshot, resume, pruning, loss, malformed rows.

pub mod follow;
mod groups;
mod identity;
mod read;
mod task;
mod translate;

#[cfg(test)]
mod tests;

pub use task::{DbSourceConfig, Request, SourceEvent, boot_id, spawn};
