//! What can go wrong between a request and its answer.

use std::fmt;
use std::io;

use crate::batch::{OpError, TooLong};
use crate::conn::Outcome;
use crate::snapshot::SnapshotError;

/// Errors of the clients.
#[derive(Debug)]
pub enum NetError {
    /// The socket failed.
    Io(io::Error),
    /// The batch cannot be encoded.
    TooLong(TooLong),
    /// The kernel refused these operations; nothing was applied.
    Refused(Vec<OpError>),
    /// The ruleset kept moving to other generations than expected.
    Stale,
    /// Replies were lost: whether the batch was applied is unknown.
    Unknown,
    /// There is no picture of the ruleset.
    Snapshot(SnapshotError),
    /// The kernel answered something else.
    Unexpected(Box<Outcome>),
}

impl fmt::Display for NetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(_) => f.write_str("netlink socket"),
            Self::TooLong(_) => f.write_str("batch cannot be encoded"),
            Self::Refused(errors) => {
                write!(f, "{} operations refused", errors.len())?;
                errors
                    .iter()
                    .take(5)
                    .try_for_each(|error| write!(f, "; {error}"))
            }
            Self::Stale => f.write_str("the ruleset is at another generation"),
            Self::Unknown => f.write_str("the kernel's answer was lost"),
            Self::Snapshot(_) => f.write_str("reading the ruleset"),
            Self::Unexpected(outcome) => write!(f, "unexpected answer: {outcome:?}"),
        }
    }
}

impl std::error::Error for NetError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::TooLong(error) => Some(error),
            Self::Snapshot(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for NetError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<TooLong> for NetError {
    fn from(error: TooLong) -> Self {
        Self::TooLong(error)
    }
}

impl From<SnapshotError> for NetError {
    fn from(error: SnapshotError) -> Self {
        Self::Snapshot(error)
    }
}

/// The result of a commit.
pub(super) fn committed(outcome: Outcome) -> Result<Vec<crate::message::Message>, NetError> {
    match outcome {
        Outcome::Committed { echoed } => Ok(echoed),
        Outcome::Refused(errors) => Err(NetError::Refused(errors)),
        Outcome::Stale => Err(NetError::Stale),
        Outcome::Unknown => Err(NetError::Unknown),
        Outcome::Failed(ack) => Err(NetError::Io(io::Error::from_raw_os_error(i32::from(
            ack.errno,
        )))),
        other => Err(NetError::Unexpected(Box::new(other))),
    }
}

/// The result of a generation request.
pub(super) fn generation(outcome: Outcome) -> Result<u32, NetError> {
    match outcome {
        Outcome::Generation(generation) => Ok(generation.id),
        other => Err(NetError::Unexpected(Box::new(other))),
    }
}

/// The result of a dump.
pub(super) fn dumped(outcome: Outcome) -> Result<Vec<crate::message::Message>, NetError> {
    match outcome {
        Outcome::Dumped(messages) => Ok(messages),
        Outcome::DumpFailed(error) => Err(NetError::Snapshot(SnapshotError::Dump(error))),
        other => Err(NetError::Unexpected(Box::new(other))),
    }
}

/// The result of a get request. Absent is no error.
pub(super) fn found(outcome: Outcome) -> Result<Vec<crate::message::Message>, NetError> {
    const ENOENT: u16 = 2;
    match outcome {
        Outcome::Got(messages) => Ok(messages),
        Outcome::Failed(ack) if ack.errno == ENOENT => Ok(Vec::new()),
        Outcome::Failed(ack) => Err(NetError::Io(io::Error::from_raw_os_error(i32::from(
            ack.errno,
        )))),
        other => Err(NetError::Unexpected(Box::new(other))),
    }
}
