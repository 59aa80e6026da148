//! One key of a ledger: who wants what under it, what is known to stand there, and what is on its way.

use std::sync::Arc;

use super::Value;
use super::counts::Part;
use super::slots::Slot;

/// What is known to stand.
#[derive(Clone, Debug)]
pub(super) enum Have<V> {
    Unknown,
    Is(Option<V>),
}

/// A refusal.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// Not tried again before its time.
    pub waiting: bool,
    pub attempts: u32,
    pub reason: Arc<str>,
}

/// What is wanted under a key and what stands there.
#[derive(Clone, Debug)]
pub(super) struct Entry<V> {
    pub cell: Option<Slot>,
    pub queued: bool,
    pub in_flight: bool,
    /// Given up while under way: what the batch leaves is nobody's.
    pub forgotten: bool,
    /// Written once more, although it stands.
    pub renew: bool,
    pub counted: Part,
    pub want: Option<V>,
    pub have: Have<V>,
    pub failure: Option<Box<Failure>>,
}

impl<V: Value> Entry<V> {
    pub fn new() -> Self {
        Entry {
            cell: None,
            queued: false,
            in_flight: false,
            forgotten: false,
            renew: false,
            counted: Part::Settled,
            want: None,
            have: Have::Unknown,
            failure: None,
        }
    }

    pub fn is_settled(&self) -> bool {
        match (&self.want, &self.have) {
            (_, Have::Unknown) => false,
            (None, Have::Is(have)) => have.is_none(),
            (Some(want), Have::Is(Some(have))) => !self.renew && want.satisfied_by(have),
            (Some(_), Have::Is(None)) => false,
        }
    }

    /// Something found that no cell has asked for in this life.
    pub fn is_stale(&self) -> bool {
        self.cell.is_none() && self.want.is_none() && matches!(self.have, Have::Is(Some(_)))
    }

    /// Nothing stands that is to change or to go.
    pub fn is_new(&self) -> bool {
        match (&self.want, &self.have) {
            (Some(want), Have::Is(Some(have))) => want.extends(have),
            (want, _) => want.is_some(),
        }
    }

    pub fn part(&self, is_settled: bool) -> Part {
        match (is_settled, &self.failure) {
            (true, _) => Part::Settled,
            (false, None) => Part::Pending,
            (false, Some(_)) => Part::Failed,
        }
    }
}
