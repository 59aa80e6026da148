//! Desired against installed, key by key, for one executor.
//!
//! A [`Ledger`] holds for every key who wants what under it and what is known to stand there. Its single choke point
//! (`touch`) keeps the count of unsettled keys per cell and the queue of keys to write, so both follow every
//! change at O(1). It knows nothing of what keys and values mean. Held by the tests at the foot and by the planner's
//! property tests.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::cell::{CellId, CellState};
use crate::ops::Outcome;

/// A value that can stand under a key.
pub trait Value: Clone + PartialEq + Debug {
    /// `true` if nothing has to be written when `self` is wanted and `installed` stands.
    fn satisfied_by(&self, installed: &Self) -> bool;
}

/// How the ledger learns what stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Learns {
    /// From the executor's acknowledgement.
    FromAcks,
    /// From facts, which come before the acknowledgement.
    FromFacts,
}

#[derive(Clone, Debug)]
enum Have<V> {
    Unknown,
    Is(Option<V>),
}

#[derive(Clone, Debug)]
struct Failure {
    /// Not tried again before its time.
    waiting: bool,
    attempts: u32,
    reason: Arc<str>,
}

#[derive(Clone, Debug)]
struct Entry<V> {
    cell: Option<CellId>,
    want: Option<V>,
    have: Have<V>,
    queued: bool,
    in_flight: bool,
    counted: bool,
    /// Given up while under way: what the batch leaves is nobody's.
    forgotten: bool,
    failure: Option<Failure>,
}

impl<V: Value> Entry<V> {
    fn new() -> Self {
        Entry {
            cell: None,
            want: None,
            have: Have::Unknown,
            queued: false,
            in_flight: false,
            counted: false,
            forgotten: false,
            failure: None,
        }
    }

    fn is_settled(&self) -> bool {
        match (&self.want, &self.have) {
            (_, Have::Unknown) => false,
            (None, Have::Is(have)) => have.is_none(),
            (Some(want), Have::Is(Some(have))) => want.satisfied_by(have),
            (Some(_), Have::Is(None)) => false,
        }
    }

    /// Something found that no cell has asked for in this life.
    fn is_stale(&self) -> bool {
        self.cell.is_none() && self.want.is_none() && matches!(self.have, Have::Is(Some(_)))
    }
}

/// What may be removed.
#[derive(Clone, Copy, Default, Debug)]
struct Permits {
    /// Everything that nobody wants.
    deleting: bool,
    /// What a cell asked for in this life, whatever else waits.
    dropping: bool,
}

impl Permits {
    fn removal_of<V>(self, entry: &Entry<V>) -> bool {
        self.deleting || self.dropping && entry.cell.is_some()
    }
}

#[derive(Clone, Default, Debug)]
struct Count {
    unsettled: u32,
    failed: u32,
    reason: Option<Arc<str>>,
}

/// Retry delays double from here …
const FIRST_RETRY_MS: u64 = 250;
/// … up to here.
const LAST_RETRY_MS: u64 = 30_000;

/// What comes first in a batch and what has to wait for a later one: a value that others lead to, one that leads to
/// others, and removals the other way round.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Stage {
    Value,
    Entry,
    EntryGone,
    ValueGone,
}

/// Removals share the last queue.
const N_QUEUES: usize = 3;

impl Stage {
    fn queue(self) -> usize {
        match self {
            Stage::Value => 0,
            Stage::Entry => 1,
            Stage::EntryGone | Stage::ValueGone => 2,
        }
    }
}

/// Keys with what should stand under them; `None` removes.
pub type Writes<K, V> = Vec<(K, Option<V>)>;

/// See the module.
#[derive(Clone, Debug)]
pub struct Ledger<K, V> {
    learns: Learns,
    entries: FxHashMap<K, Entry<V>>,
    counts: FxHashMap<CellId, Count>,
    /// Keys to write, by [`Stage`].
    queues: [VecDeque<K>; N_QUEUES],
    /// Keys whose values open the way to others: written when those stand, removed before them.
    is_entry: fn(&K) -> bool,
    /// Entries wait: what they lead to is not all asked for yet.
    entries_wait: bool,
    withheld: Vec<K>,
    retries: BTreeMap<(u64, u64), K>,
    next_retry: u64,
    in_flight: Option<(u64, Writes<K, V>)>,
    max_batch: usize,
    limit: usize,
    online: bool,
    permits: Permits,
    waits_for_answers: bool,
    moved: Vec<CellId>,
}

impl<K, V> Ledger<K, V>
where
    K: Clone + Eq + Hash + Debug,
    V: Value,
{
    /// An empty ledger of an executor that is not there yet.
    pub fn new(learns: Learns, max_batch: usize) -> Self {
        Ledger {
            learns,
            entries: FxHashMap::default(),
            counts: FxHashMap::default(),
            queues: Default::default(),
            is_entry: |_| false,
            entries_wait: false,
            withheld: Vec::new(),
            retries: BTreeMap::new(),
            next_retry: 0,
            in_flight: None,
            max_batch,
            limit: max_batch,
            online: false,
            permits: Permits::default(),
            waits_for_answers: false,
            moved: Vec::new(),
        }
    }

    /// The same, with keys that open the way to others: they are written after everything else there is to write, and
    /// removed before everything else there is to remove.
    pub fn with_entries(self, is_entry: fn(&K) -> bool) -> Self {
        Ledger { is_entry, ..self }
    }

    /// Whether entries have to wait, because what they lead to is not all asked for yet.
    pub fn let_entries_wait(&mut self, wait: bool) {
        self.entries_wait = wait;
    }

    fn stage(&self, key: &K, is_wanted: bool) -> Stage {
        match (is_wanted, (self.is_entry)(key)) {
            (true, false) => Stage::Value,
            (true, true) => Stage::Entry,
            (false, true) => Stage::EntryGone,
            (false, false) => Stage::ValueGone,
        }
    }

    fn enqueue(&mut self, key: K, is_wanted: bool) {
        let queue = self.stage(&key, is_wanted).queue();
        self.queues[queue].push_back(key);
    }

    /// What is asked for again while it is being removed counts as pending until the answer has come.
    pub fn waiting_for_answers(mut self) -> Self {
        self.waits_for_answers = true;
        self
    }

    /// `true` while the executor takes batches.
    pub fn is_online(&self) -> bool {
        self.online
    }

    /// `true` while a batch is under way.
    pub fn is_busy(&self) -> bool {
        self.in_flight.is_some()
    }

    /// Number of keys with a wanted value.
    pub fn n_wanted(&self) -> usize {
        self.entries.values().filter(|e| e.want.is_some()).count()
    }

    /// Everything wanted.
    pub fn wanted(&self) -> impl Iterator<Item = (&K, &CellId, &V)> {
        self.entries
            .iter()
            .filter_map(|(key, e)| Some((key, e.cell.as_ref()?, e.want.as_ref()?)))
    }

    /// Everything known to stand.
    pub fn installed(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().filter_map(|(key, e)| match &e.have {
            Have::Is(Some(have)) => Some((key, have)),
            _ => None,
        })
    }

    /// The cell that wants something under a key.
    pub fn owner(&self, key: &K) -> Option<&CellId> {
        self.entries
            .get(key)
            .filter(|e| e.want.is_some())
            .and_then(|e| e.cell.as_ref())
    }

    /// What is wanted under a key.
    pub fn want(&self, key: &K) -> Option<&V> {
        self.entries.get(key).and_then(|e| e.want.as_ref())
    }

    /// Where a cell stands as far as this executor goes.
    pub fn state(&self, cell: &CellId) -> CellState {
        match self.counts.get(cell) {
            None => CellState::Settled,
            Some(count) if count.failed > 0 => {
                CellState::Failed(count.reason.clone().unwrap_or_else(|| Arc::from("refused")))
            }
            Some(_) => CellState::Pending,
        }
    }

    /// `true` unless something is wanted under the key that does not stand, or the other way round.
    pub fn is_settled(&self, key: &K) -> bool {
        self.entries.get(key).is_none_or(Entry::is_settled)
    }

    /// The cells that have something on its way, or refused.
    pub fn unsettled_cells(&self) -> impl Iterator<Item = &CellId> {
        self.counts.keys()
    }

    /// The attempts made and the last reason, for a key that was refused.
    pub fn failure(&self, key: &K) -> Option<(u32, &Arc<str>)> {
        let failure = self.entries.get(key)?.failure.as_ref()?;
        Some((failure.attempts, &failure.reason))
    }

    /// Cells whose state may have moved since the last call.
    pub fn take_moved(&mut self) -> Vec<CellId> {
        std::mem::take(&mut self.moved)
    }

    /// A cell wants this under that key. `Err` names the cell that already does, and nothing changes.
    pub fn set(&mut self, key: &K, cell: &CellId, value: V) -> Result<(), CellId> {
        let entry = self.entries.entry(key.clone()).or_insert_with(Entry::new);
        if let Some(owner) = entry
            .cell
            .as_ref()
            .filter(|o| *o != cell && entry.want.is_some())
        {
            return Err(owner.clone());
        }
        if entry.want.as_ref() == Some(&value) && entry.cell.as_ref() == Some(cell) {
            return Ok(());
        }
        if matches!(entry.have, Have::Unknown)
            && self.online
            && self.learns == Learns::FromAcks
            && !entry.in_flight
        {
            entry.have = Have::Is(None);
        }
        self.update(key, |entry| {
            entry.cell = Some(cell.clone());
            entry.want = Some(value);
            entry.forgotten = false;
            entry.failure = None;
        });
        Ok(())
    }

    /// The cell no longer wants anything under that key: what stands there is removed.
    pub fn unset(&mut self, key: &K, cell: &CellId) {
        if self
            .entries
            .get(key)
            .is_some_and(|e| e.cell.as_ref() == Some(cell) && e.want.is_some())
        {
            self.update(key, |entry| {
                entry.want = None;
                entry.failure = None;
            });
        }
    }

    /// Like [`Ledger::unset`], but what stands there is left alone: it was never ours to remove.
    pub fn forget(&mut self, key: &K, cell: &CellId) {
        if self
            .entries
            .get(key)
            .is_some_and(|e| e.cell.as_ref() == Some(cell))
        {
            self.update(key, |entry| {
                entry.want = None;
                entry.have = Have::Is(None);
                entry.forgotten = true;
                entry.failure = None;
            });
        }
    }

    /// A fact: this stands under that key.
    pub fn observe(&mut self, key: &K, have: Option<V>) {
        if have.is_none() && !self.entries.contains_key(key) {
            return;
        }
        self.entries.entry(key.clone()).or_insert_with(Entry::new);
        self.update(key, |entry| entry.have = Have::Is(have));
    }

    /// `true` if the key is wanted or known.
    pub fn contains(&self, key: &K) -> bool {
        self.entries.contains_key(key)
    }

    /// From here on what a cell asked for, and asks for no longer, is removed; what was found and nobody has asked for
    /// still waits.
    pub fn allow_drops(&mut self) {
        if !std::mem::replace(&mut self.permits.dropping, true) {
            self.release_withheld();
        }
    }

    fn release_withheld(&mut self) {
        for key in std::mem::take(&mut self.withheld) {
            self.touch(&key);
        }
    }

    /// From here on what nobody wants is removed. Until then deletions wait.
    pub fn allow_deletes(&mut self) {
        if !std::mem::replace(&mut self.permits.deleting, true) {
            self.release_withheld();
        }
    }

    /// The executor is gone. What stands is unknown if acknowledgements were the only way to know.
    pub fn go_offline(&mut self) {
        self.pause();
        if self.learns == Learns::FromAcks {
            let keys: Vec<K> = self.entries.keys().cloned().collect();
            for key in keys {
                self.update(&key, |entry| entry.have = Have::Unknown);
            }
        }
    }

    /// The executor takes no batches for now; what stands is still what it was.
    pub fn pause(&mut self) {
        self.online = false;
        if let Some((_, items)) = self.in_flight.take() {
            for (key, _) in items {
                self.update(&key, |entry| entry.in_flight = false);
            }
        }
    }

    /// The executor is there; facts say (or have said) what stands.
    pub fn go_online(&mut self) {
        self.online = true;
    }

    /// The executor is there and this is everything that stands.
    pub fn go_online_with(&mut self, found: impl IntoIterator<Item = (K, V)>) {
        self.online = true;
        self.limit = self.max_batch;
        let mut found: FxHashMap<K, V> = found.into_iter().collect();
        let keys: Vec<K> = self.entries.keys().cloned().collect();
        for key in keys {
            let have = found.remove(&key);
            self.update(&key, |entry| {
                entry.have = Have::Is(have);
                entry.failure = None;
            });
        }
        for (key, value) in found {
            self.observe(&key, Some(value));
        }
    }

    /// The executor is gone and so is everything that stood (a bridge was deleted).
    pub fn assume_empty(&mut self) {
        self.go_online_with([]);
        self.online = false;
    }

    /// The keys of the batch under way.
    pub fn in_flight(&self) -> impl Iterator<Item = (&K, Option<&V>)> {
        self.in_flight
            .iter()
            .flat_map(|(_, items)| items)
            .map(|(k, v)| (k, v.as_ref()))
    }

    /// When [`Ledger::take`] will have something to retry, on the caller's clock in ms. Never while the executor is not
    /// there: it is not waited for.
    pub fn next_retry(&self) -> Option<u64> {
        let ((at, _), _) = self.retries.first_key_value()?;
        self.online.then_some(*at)
    }

    /// The next batch, if the executor is free and there is something to do: values to write first, then removals. An
    /// entry waits for a later batch while other values wait for room.
    pub fn take(&mut self, batch: u64, now_ms: u64) -> Option<Vec<(K, Option<V>)>> {
        while let Some(due) = self.retries.first_entry().filter(|e| e.key().0 <= now_ms) {
            let key = due.remove();
            if let Some(entry) = self.entries.get_mut(&key)
                && !entry.queued
                && !entry.is_settled()
            {
                entry.queued = true;
                if let Some(failure) = &mut entry.failure {
                    failure.waiting = false;
                }
                let is_wanted = entry.want.is_some();
                self.enqueue(key, is_wanted);
            }
        }
        if !self.online || self.in_flight.is_some() {
            return None;
        }
        let mut items = Vec::new();
        for at in 0..N_QUEUES {
            if at == Stage::Entry.queue() && self.entries_wait {
                continue;
            }
            self.fill(at, &mut items);
        }
        if items.is_empty() {
            return None;
        }
        items.sort_by_key(|(key, value): &(K, Option<V>)| self.stage(key, value.is_some()));
        self.in_flight = Some((batch, items.clone()));
        Some(items)
    }

    /// Takes from one queue while the batch has room. What has changed its stage meanwhile goes to the end of the queue
    /// that it belongs into.
    fn fill(&mut self, at: usize, items: &mut Writes<K, V>) {
        let permits = self.permits;
        while items.len() < self.limit {
            let Some(key) = self.queues[at].pop_front() else {
                return;
            };
            let Some(entry) = self.entries.get_mut(&key) else {
                continue;
            };
            if entry.in_flight {
                // Twice in the queue: it was dropped and asked for again while it waited.
                continue;
            }
            if entry.is_settled()
                || matches!(entry.have, Have::Unknown) && self.learns == Learns::FromFacts
            {
                entry.queued = false;
                continue;
            }
            if entry.want.is_none() && !permits.removal_of(entry) {
                entry.queued = false;
                self.withheld.push(key);
                continue;
            }
            let value = entry.want.clone();
            if self.stage(&key, value.is_some()).queue() > at {
                self.enqueue(key, value.is_some());
                continue;
            }
            if let Some(entry) = self.entries.get_mut(&key) {
                entry.queued = false;
                entry.in_flight = true;
            }
            items.push((key, value));
        }
    }

    /// The batch came back. `false` if it is not the one under way (an answer from before a reconnect).
    pub fn finish(&mut self, batch: u64, outcome: &Outcome, now_ms: u64) -> bool {
        if self.in_flight.as_ref().is_none_or(|(id, _)| *id != batch) {
            return false;
        }
        let Some((_, items)) = self.in_flight.take() else {
            return false;
        };
        match outcome {
            Outcome::Done { refused, .. } => {
                let refused: FxHashMap<usize, &Arc<str>> =
                    refused.iter().map(|(i, r)| (*i, r)).collect();
                for (at, (key, sent)) in items.into_iter().enumerate() {
                    match refused.get(&at) {
                        Some(reason) => self.fail(&key, (*reason).clone(), now_ms),
                        None => self.confirm(&key, sent, now_ms),
                    }
                }
                self.limit = self.limit.saturating_mul(2).min(self.max_batch);
            }
            Outcome::Rejected { at, reason } => self.reject(items, *at, reason, now_ms),
            Outcome::Lost { .. } => {
                for (key, _) in items {
                    self.update(&key, |entry| entry.in_flight = false);
                }
            }
        }
        true
    }

    /// Where the executor names the culprit, only that one waits; where it does not, halves are tried until it shows.
    fn reject(
        &mut self,
        items: Vec<(K, Option<V>)>,
        at: Option<usize>,
        reason: &Arc<str>,
        now_ms: u64,
    ) {
        let blamed = at.or_else(|| (items.len() == 1).then_some(0));
        if blamed.is_none() {
            self.limit = (items.len() / 2).max(1);
        }
        for (index, (key, _)) in items.into_iter().enumerate() {
            if blamed == Some(index) {
                self.fail(&key, reason.clone(), now_ms);
            } else {
                self.update(&key, |entry| entry.in_flight = false);
            }
        }
    }

    fn confirm(&mut self, key: &K, sent: Option<V>, now_ms: u64) {
        let learns = self.learns;
        self.update(key, |entry| {
            entry.in_flight = false;
            if learns == Learns::FromAcks {
                entry.have = Have::Is(sent.clone().filter(|_| !entry.forgotten));
                entry.failure = None;
            }
        });
        let unseen = self
            .entries
            .get(key)
            .is_some_and(|e| !e.is_settled() && e.want == sent);
        if unseen {
            self.fail(
                key,
                Arc::from("written, but the switch shows something else"),
                now_ms,
            );
        }
    }

    fn fail(&mut self, key: &K, reason: Arc<str>, now_ms: u64) {
        let mut attempts = 0;
        self.update(key, |entry| {
            entry.in_flight = false;
            attempts = entry.failure.as_ref().map_or(0, |f| f.attempts) + 1;
            entry.failure = Some(Failure {
                waiting: true,
                attempts,
                reason,
            });
        });
        let delay = FIRST_RETRY_MS
            .checked_shl(attempts.min(16) - 1)
            .unwrap_or(LAST_RETRY_MS)
            .min(LAST_RETRY_MS);
        self.next_retry += 1;
        self.retries
            .insert((now_ms + delay, self.next_retry), key.clone());
    }

    /// Applies a change to an entry and brings counts and queue after it.
    fn update(&mut self, key: &K, change: impl FnOnce(&mut Entry<V>)) {
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        let failed = entry.counted && entry.failure.is_some();
        if entry.counted
            && let Some(cell) = &entry.cell
            && let Some(count) = self.counts.get_mut(cell)
        {
            count.unsettled -= 1;
            count.failed -= u32::from(failed);
            if count.unsettled == 0 {
                self.counts.remove(cell);
            }
            self.moved.push(cell.clone());
        }
        entry.counted = false;
        change(entry);
        self.touch(key);
    }

    /// Recounts and requeues one entry after it changed.
    fn touch(&mut self, key: &K) {
        let permits = self.permits;
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        // What stands now may be on its way out: asked for again, it stands when the answer has come.
        let leaves = self.waits_for_answers && entry.in_flight && entry.want.is_some();
        let settled = entry.is_settled() && !leaves;
        if !settled
            && !entry.counted
            && let Some(cell) = &entry.cell
        {
            let count = self.counts.entry(cell.clone()).or_default();
            count.unsettled += 1;
            if let Some(failure) = &entry.failure {
                count.failed += 1;
                count.reason = Some(failure.reason.clone());
            }
            entry.counted = true;
            self.moved.push(cell.clone());
        }
        if settled {
            if entry.failure.is_some() {
                entry.failure = None;
            }
            if entry.want.is_none() && !entry.in_flight {
                self.entries.remove(key);
            }
            return;
        }
        if entry.queued || entry.in_flight || entry.failure.as_ref().is_some_and(|f| f.waiting) {
            return;
        }
        if entry.want.is_none() && !permits.removal_of(entry) {
            self.withheld.push(key.clone());
            return;
        }
        if entry.is_stale() || entry.want.is_some() || matches!(entry.have, Have::Is(Some(_))) {
            entry.queued = true;
            let is_wanted = entry.want.is_some();
            self.enqueue(key.clone(), is_wanted);
        }
    }
}

#[cfg(test)]
mod tests;
