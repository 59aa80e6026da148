//! Where the wishes come from: one foreign shape each, in; [`Delta`](crate::model::Delta)s out.
//!
//! A source never acts on the host. It sends `SnapshotBegin · upserts · SnapshotEnd` and then what changes; after a
//! loss it goes on where it was, or sends a new snapshot. It never says that something is gone because it could not
//! look.

pub mod db;
