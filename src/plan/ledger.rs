//! Desired against installed, key by key, for one executor.
//!
//! A [`Ledger`] holds for every key who wants what under it and what is known to stand there. Its single choke point
//! (`update`) keeps the count of unsettled keys per cell and the queue of keys to write, so both follow every
//! change at O(1). A key is looked up once per call; from there on it is a number ([`slots`]), so that hundreds of
//! thousands of keys are written in the order in which they lie in memory. It knows nothing of what keys and values
//! mean. Held by the tests in `ledger/` and by the planner's property tests.

mod counts;
mod entry;
mod slots;

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use counts::{Counts, Part};
use entry::{Entry, Failure, Have};
use slots::{Slot, Slots};

use super::cell::{CellId, CellState};
use crate::ops::Outcome;

/// A value that can stand under a key.
pub trait Value: Clone + PartialEq + Debug {
    /// `true` if nothing has to be written when `self` is wanted and `installed` stands.
    fn satisfied_by(&self, installed: &Self) -> bool;

    /// `true` if `self` is what stands and more: no half of it means what neither does.
    fn extends(&self, _installed: &Self) -> bool {
        false
    }
}

/// How the ledger learns what stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Learns {
    /// From the executor's acknowledgement.
    FromAcks,
    /// From facts, which come before the acknowledgement.
    FromFacts,
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

/// Most batches under way: one at work, and one that waits.
const MOST_UNDER_WAY: usize = 2;
/// A batch beside another is worth it at this part of its size; less waits for company.
const PART_BESIDE: usize = 8;

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

/// Entries with what was written for them.
type Sent<V> = Vec<(Slot, Option<V>)>;

/// A batch under way.
#[derive(Clone, Debug)]
struct UnderWay<V> {
    batch: u64,
    items: Sent<V>,
    /// Nothing stood under its keys that was to change or to go.
    only_new: bool,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Ledger<K, V> {
    learns: Learns,
    entries: Slots<K, Entry<V>>,
    counts: Counts,
    /// Keys to write, by [`Stage`].
    queues: [VecDeque<Slot>; N_QUEUES],
    /// Keys whose values open the way to others: written when those stand, removed before them.
    is_entry: fn(&K) -> bool,
    /// Entries wait: what they lead to is not all asked for yet.
    entries_wait: bool,
    withheld: Vec<Slot>,
    /// Of what was found and nobody asks for, keys that stay for now.
    spares: Option<fn(&K) -> bool>,
    retries: BTreeMap<(u64, u64), K>,
    next_retry: u64,
    in_flight: VecDeque<UnderWay<V>>,
    max_batch: usize,
    limit: usize,
    /// Most keys in one batch while none was anything else than new.
    max_new: usize,
    /// As many new keys are worth a batch beside the one under way.
    beside: Option<usize>,
    /// No key that waits has anything under it that is to change or to go.
    only_new: bool,
    online: bool,
    /// What stands was told once.
    was_read: bool,
    permits: Permits,
    waits_for_answers: bool,
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
            entries: Slots::default(),
            counts: Counts::default(),
            queues: Default::default(),
            is_entry: |_| false,
            entries_wait: false,
            withheld: Vec::new(),
            spares: None,
            retries: BTreeMap::new(),
            next_retry: 0,
            in_flight: VecDeque::new(),
            max_batch,
            limit: max_batch,
            max_new: max_batch,
            beside: None,
            only_new: true,
            online: false,
            was_read: false,
            permits: Permits::default(),
            waits_for_answers: false,
        }
    }

    /// The same, with keys that open the way to others: they are written after everything else there is to write, and
    /// removed before everything else there is to remove.
    pub fn with_entries(self, is_entry: fn(&K) -> bool) -> Self {
        Ledger { is_entry, ..self }
    }

    /// The same, with smaller batches of what is new. What changes or goes is always written at once with everything
    /// else, as far as a batch reaches: half of such a change may mean what neither its beginning nor its end does. Half
    /// of what is new means less than the whole; so while such a batch is under way, a second one may wait at the
    /// executor, which is not idle then until the planner has taken its answer in.
    pub fn with_new_in_parts(self, max_new: usize) -> Self {
        let beside = Some((max_new / PART_BESIDE).max(1));
        Ledger {
            max_new,
            beside,
            ..self
        }
    }

    /// `true` if no key has anything under it that is to change, to go, or may yet have to: what is new would meet it.
    pub fn has_only_new(&self) -> bool {
        self.only_new && self.withheld.is_empty()
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

    /// The queue that an entry belongs into.
    fn queue_of(&self, slot: Slot) -> usize {
        let Some((key, entry)) = self.entries.at(slot) else {
            return 0;
        };
        self.stage(key, entry.want.is_some()).queue()
    }

    fn enqueue(&mut self, slot: Slot) {
        let queue = self.queue_of(slot);
        self.queues[queue].push_back(slot);
    }

    /// What is asked for again while it is being removed, or no longer while it is being written, counts as pending until
    /// the answer has come.
    pub fn waiting_for_answers(mut self) -> Self {
        self.waits_for_answers = true;
        self
    }

    /// `true` while the executor takes batches.
    pub fn is_online(&self) -> bool {
        self.online
    }

    /// `true` once the executor has told what stands.
    pub fn was_read(&self) -> bool {
        self.was_read
    }

    /// `true` while a batch is under way.
    pub fn is_busy(&self) -> bool {
        !self.in_flight.is_empty()
    }

    /// `true` if a batch may go, should there be something for it.
    pub fn has_room(&self) -> bool {
        self.online && (self.in_flight.is_empty() || self.has_room_beside())
    }

    /// New keys, and enough of them, may go beside what is under way if that is all new as well.
    fn has_room_beside(&self) -> bool {
        let n_values = self.queues.first().map_or(0, VecDeque::len);
        self.has_only_new()
            && self.in_flight.len() < MOST_UNDER_WAY
            && self.beside.is_some_and(|worth| n_values >= worth)
            && self.in_flight.iter().all(|sent| sent.only_new)
    }

    /// Everything wanted.
    pub fn wanted(&self) -> impl Iterator<Item = (&K, &CellId, &V)> {
        self.entries.iter().filter_map(|(key, e)| {
            let cell = self.counts.cell(e.cell?)?;
            Some((key, cell, e.want.as_ref()?))
        })
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
        let entry = self.entries.get(key).filter(|e| e.want.is_some())?;
        self.counts.cell(entry.cell?)
    }

    /// What is wanted under a key.
    pub fn want(&self, key: &K) -> Option<&V> {
        self.entries.get(key).and_then(|e| e.want.as_ref())
    }

    /// Where a cell stands as far as this executor goes.
    pub fn state(&self, cell: &CellId) -> CellState {
        self.counts.state(cell)
    }

    /// `true` unless something is wanted under the key that does not stand, or the other way round.
    pub fn is_settled(&self, key: &K) -> bool {
        self.entries.get(key).is_none_or(Entry::is_settled)
    }

    /// The cells that have something on its way, or refused.
    pub fn unsettled_cells(&self) -> impl Iterator<Item = &CellId> {
        self.counts.unsettled()
    }

    /// `true` while a batch that writes the key is under way.
    pub fn is_under_way(&self, key: &K) -> bool {
        self.entries.get(key).is_some_and(|entry| entry.in_flight)
    }

    /// `true` if what stands under the key opens the way to others.
    pub fn is_entry(&self, key: &K) -> bool {
        (self.is_entry)(key)
    }

    /// `true` if nothing waits to be written but entries, and no batch is under way.
    pub fn has_only_entries_to_write(&self) -> bool {
        self.in_flight.is_empty() && self.queues.first().is_none_or(VecDeque::is_empty)
    }

    /// The attempts made and the last reason, for a key that was refused.
    pub fn failure(&self, key: &K) -> Option<(u32, &Arc<str>)> {
        let failure = self.entries.get(key)?.failure.as_ref()?;
        Some((failure.attempts, &failure.reason))
    }

    /// Cells whose state may have moved since the last call.
    pub fn take_moved(&mut self) -> Vec<CellId> {
        self.counts.take_moved()
    }

    /// A cell wants this under that key. `Err` names the cell that already does, and nothing changes.
    pub fn set(&mut self, key: &K, cell: &CellId, value: V) -> Result<(), CellId> {
        let slot = self.entries.find_or_insert(key, Entry::new);
        let Some((_, entry)) = self.entries.at(slot) else {
            return Ok(());
        };
        let owner = entry.cell.and_then(|owner| self.counts.cell(owner));
        let is_owner = owner == Some(cell);
        if let Some(owner) = owner.filter(|_| !is_owner && entry.want.is_some()) {
            return Err(owner.clone());
        }
        if is_owner && entry.want.as_ref() == Some(&value) {
            return Ok(());
        }
        let is_absent = matches!(entry.have, Have::Unknown)
            && self.online
            && self.learns == Learns::FromAcks
            && !entry.in_flight;
        if !is_owner {
            self.hand_over(slot, cell);
        }
        self.update(slot, |entry| {
            if is_absent {
                entry.have = Have::Is(None);
            }
            entry.want = Some(value);
            entry.forgotten = false;
            entry.failure = None;
        });
        Ok(())
    }

    /// What is wanted under a key is written once more, whatever stands there.
    pub fn renew(&mut self, key: &K) {
        if let Some(slot) = self.entries.find(key)
            && self.want(key).is_some()
        {
            self.update(slot, |entry| entry.renew = true);
        }
    }

    /// From here on the entry counts for this cell, as settled until it is updated.
    fn hand_over(&mut self, slot: Slot, cell: &CellId) {
        let new = self.counts.join(cell);
        let Some(entry) = self.entries.at_mut(slot) else {
            return;
        };
        if let Some(old) = entry.cell.replace(new) {
            self.counts.change(old, entry.counted, Part::Settled, None);
            self.counts.leave(old);
        }
        entry.counted = Part::Settled;
    }

    /// The slot of a key that this cell wanted last.
    fn owned(&self, key: &K, cell: &CellId) -> Option<(Slot, &Entry<V>)> {
        let slot = self.entries.find(key)?;
        let (_, entry) = self.entries.at(slot)?;
        (entry.cell? == self.counts.find(cell)?).then_some((slot, entry))
    }

    /// The cell no longer wants anything under that key: what stands there is removed.
    pub fn unset(&mut self, key: &K, cell: &CellId) {
        let wanted = self.owned(key, cell).filter(|(_, e)| e.want.is_some());
        if let Some((slot, _)) = wanted {
            self.update(slot, |entry| {
                entry.want = None;
                entry.renew = false;
                entry.failure = None;
            });
        }
    }

    /// Like [`Ledger::unset`], but what stands there is left alone: it was never ours to remove.
    pub fn forget(&mut self, key: &K, cell: &CellId) {
        if let Some((slot, _)) = self.owned(key, cell) {
            self.update(slot, |entry| {
                entry.want = None;
                entry.have = Have::Is(None);
                entry.forgotten = true;
                entry.failure = None;
            });
        }
    }

    /// A fact: this stands under that key.
    pub fn observe(&mut self, key: &K, have: Option<V>) {
        let slot = match (&have, self.entries.find(key)) {
            (_, Some(slot)) => slot,
            (Some(_), None) => self.entries.find_or_insert(key, Entry::new),
            (None, None) => return,
        };
        self.update(slot, |entry| entry.have = Have::Is(have));
    }

    /// `true` if the key is wanted or known.
    pub fn contains(&self, key: &K) -> bool {
        self.entries.find(key).is_some()
    }

    /// From here on what a cell asked for, and asks for no longer, is removed; what was found and nobody has asked for
    /// still waits.
    pub fn allow_drops(&mut self) {
        if !std::mem::replace(&mut self.permits.dropping, true) {
            self.release_withheld();
        }
    }

    /// `true` if something may have to go that must not go yet.
    pub fn is_withholding(&self) -> bool {
        !self.withheld.is_empty()
    }

    fn release_withheld(&mut self) {
        for slot in std::mem::take(&mut self.withheld) {
            self.update(slot, |_| {});
        }
    }

    /// From here on what nobody wants is removed. Until then deletions wait.
    pub fn allow_deletes(&mut self) {
        let was_sparing = self.spares.take().is_some();
        if !std::mem::replace(&mut self.permits.deleting, true) || was_sparing {
            self.release_withheld();
        }
    }

    /// The same, but for these keys of what was found and nobody asks for.
    pub fn allow_deletes_but(&mut self, spares: fn(&K) -> bool) {
        self.spares = Some(spares);
        self.permits.deleting = true;
        self.release_withheld();
    }

    fn is_spared(&self, slot: Slot) -> bool {
        let is_found = |(key, entry): &(K, Entry<V>), spares: fn(&K) -> bool| {
            entry.cell.is_none() && spares(key)
        };
        self.spares
            .is_some_and(|spares| self.entries.at(slot).is_some_and(|at| is_found(at, spares)))
    }

    /// The executor is gone. What stands is unknown if acknowledgements were the only way to know.
    pub fn go_offline(&mut self) {
        self.pause();
        if self.learns == Learns::FromAcks {
            for slot in self.entries.numbers() {
                self.update(slot, |entry| entry.have = Have::Unknown);
            }
        }
    }

    /// The executor takes no batches for now; what stands is still what it was.
    pub fn pause(&mut self) {
        self.online = false;
        for sent in std::mem::take(&mut self.in_flight) {
            self.land(sent.items);
        }
    }

    /// What was under way has come to nothing.
    fn land(&mut self, items: Sent<V>) {
        for (slot, _) in items {
            self.update(slot, |entry| entry.in_flight = false);
        }
    }

    /// The executor is there; facts say (or have said) what stands.
    pub fn go_online(&mut self) {
        self.online = true;
    }

    /// The executor is there and this is everything that stands.
    pub fn go_online_with(&mut self, found: impl IntoIterator<Item = (K, V)>) {
        self.online = true;
        self.was_read = true;
        self.limit = self.max_batch;
        let mut found: FxHashMap<K, V> = found.into_iter().collect();
        for slot in self.entries.numbers() {
            let have = self.entries.at(slot).and_then(|(key, _)| found.remove(key));
            self.update(slot, |entry| {
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

    /// The keys of the batches under way.
    pub fn in_flight(&self) -> impl Iterator<Item = &K> {
        let items = self.in_flight.iter().flat_map(|sent| &sent.items);
        items.filter_map(|(slot, _)| self.entries.at(*slot).map(|(key, _)| key))
    }

    /// When [`Ledger::take`] will have something to retry, on the caller's clock in ms. Never while the executor is not
    /// there: it is not waited for.
    pub fn next_retry(&self) -> Option<u64> {
        let ((at, _), _) = self.retries.first_key_value()?;
        self.online.then_some(*at)
    }

    /// The next batch, if there is room for one and something to do: values to write first, then removals. An
    /// entry waits for a later batch while other values wait for room.
    pub fn take(&mut self, batch: u64, now_ms: u64) -> Option<Writes<K, V>> {
        while let Some(due) = self.retries.first_entry().filter(|e| e.key().0 <= now_ms) {
            let key = due.remove();
            self.retry(&key);
        }
        if !self.has_room() {
            return None;
        }
        let only_new = self.has_only_new();
        let room = match only_new {
            true => self.limit.min(self.max_new),
            false => self.limit,
        };
        // What opens the way to others goes when they stand.
        let queues = match self.in_flight.is_empty() {
            true => N_QUEUES,
            false => 1,
        };
        let mut taken = Vec::new();
        for at in 0..queues {
            self.fill(at, room, &mut taken);
        }
        self.only_new |= !self.has_more();
        if taken.is_empty() {
            return None;
        }
        let stage = |(slot, value): &(Slot, Option<V>)| {
            let key = self.entries.at(*slot).map(|(key, _)| key);
            key.map(|key| self.stage(key, value.is_some()))
        };
        taken.sort_by_key(stage);
        let item = |(slot, value): &(Slot, Option<V>)| {
            let (key, _) = self.entries.at(*slot)?;
            Some((key.clone(), value.clone()))
        };
        let items = taken.iter().filter_map(item).collect();
        self.in_flight.push_back(UnderWay {
            batch,
            items: taken,
            only_new,
        });
        Some(items)
    }

    /// `true` if something waits for a later batch.
    pub fn has_more(&self) -> bool {
        self.queues.iter().any(|queue| !queue.is_empty())
    }

    fn retry(&mut self, key: &K) {
        let Some(slot) = self.entries.find(key) else {
            return;
        };
        if let Some(entry) = self.entries.at_mut(slot)
            && !entry.queued
            && !entry.is_settled()
        {
            entry.queued = true;
            if let Some(failure) = &mut entry.failure {
                failure.waiting = false;
            }
            self.enqueue(slot);
        }
    }

    /// Takes from one queue while the batch has room, so many in all. What has changed its stage meanwhile goes to the end of the queue
    /// that it belongs into, if that comes later or has to wait.
    fn fill(&mut self, at: usize, room: usize, items: &mut Sent<V>) {
        let waiting = |queue: usize, entries_wait| entries_wait && queue == Stage::Entry.queue();
        if waiting(at, self.entries_wait) {
            return;
        }
        let permits = self.permits;
        while items.len() < room {
            let Some(slot) = self.queues[at].pop_front() else {
                return;
            };
            let queue = self.queue_of(slot);
            let is_spared = self.is_spared(slot);
            let Some(entry) = self.entries.at_mut(slot) else {
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
            if entry.want.is_none() && (is_spared || !permits.removal_of(entry)) {
                entry.queued = false;
                self.withheld.push(slot);
                continue;
            }
            if queue > at || waiting(queue, self.entries_wait) {
                self.queues[queue].push_back(slot);
                continue;
            }
            entry.queued = false;
            entry.in_flight = true;
            items.push((slot, entry.want.clone()));
        }
    }

    /// A batch came back. `false` if it is not under way (an answer from before a reconnect).
    pub fn finish(&mut self, batch: u64, outcome: &Outcome, now_ms: u64) -> bool {
        let at = self.in_flight.iter().position(|sent| sent.batch == batch);
        let Some(UnderWay { items, .. }) = at.and_then(|at| self.in_flight.remove(at)) else {
            return false;
        };
        match outcome {
            Outcome::Done { refused, .. } => {
                let refused: FxHashMap<usize, &Arc<str>> =
                    refused.iter().map(|(i, r)| (*i, r)).collect();
                for (at, (slot, sent)) in items.into_iter().enumerate() {
                    match refused.get(&at) {
                        Some(reason) => self.refuse(slot, &sent, (*reason).clone(), now_ms),
                        None => self.confirm(slot, sent, now_ms),
                    }
                }
                self.limit = self.limit.saturating_mul(2).min(self.max_batch);
            }
            Outcome::Rejected { at, reason } => self.reject(items, *at, reason, now_ms),
            Outcome::Lost { .. } => self.land(items),
        }
        true
    }

    /// Where the executor names the culprit, only that one waits; where it does not, halves are tried until it shows.
    fn reject(&mut self, items: Sent<V>, at: Option<usize>, reason: &Arc<str>, now_ms: u64) {
        let blamed = at.or_else(|| (items.len() == 1).then_some(0));
        if blamed.is_none() {
            self.limit = (items.len() / 2).max(1);
        }
        for (index, (slot, sent)) in items.into_iter().enumerate() {
            if blamed == Some(index) {
                self.refuse(slot, &sent, reason.clone(), now_ms);
            } else {
                self.update(slot, |entry| entry.in_flight = false);
            }
        }
    }

    /// The refusal of what is not wanted any more says nothing about what is.
    fn refuse(&mut self, slot: Slot, sent: &Option<V>, reason: Arc<str>, now_ms: u64) {
        let want = self.entries.at(slot).map(|(_, entry)| &entry.want);
        if want == Some(sent) {
            self.fail(slot, reason, now_ms);
        } else {
            self.update(slot, |entry| entry.in_flight = false);
        }
    }

    fn confirm(&mut self, slot: Slot, sent: Option<V>, now_ms: u64) {
        let learns = self.learns;
        let mut unseen = false;
        self.update(slot, |entry| {
            entry.in_flight = false;
            if learns == Learns::FromAcks {
                entry.failure = None;
                entry.renew &= sent.is_none();
            }
            let is_same = entry.want == sent;
            if learns == Learns::FromAcks {
                entry.have = Have::Is(sent.filter(|_| !entry.forgotten));
            }
            unseen = is_same && !entry.is_settled();
        });
        if unseen {
            self.fail(
                slot,
                Arc::from("written, but the switch shows something else"),
                now_ms,
            );
        }
    }

    fn fail(&mut self, slot: Slot, reason: Arc<str>, now_ms: u64) {
        let mut attempts = 0;
        self.update(slot, |entry| {
            entry.in_flight = false;
            attempts = entry.failure.as_ref().map_or(0, |f| f.attempts) + 1;
            entry.failure = Some(Box::new(Failure {
                waiting: true,
                attempts,
                reason,
            }));
        });
        let delay = FIRST_RETRY_MS
            .checked_shl(attempts.min(16) - 1)
            .unwrap_or(LAST_RETRY_MS)
            .min(LAST_RETRY_MS);
        if let Some((key, _)) = self.entries.at(slot) {
            self.next_retry += 1;
            let at = (now_ms + delay, self.next_retry);
            self.retries.insert(at, key.clone());
        }
    }

    /// Applies a change to an entry and brings counts and queue after it.
    fn update(&mut self, slot: Slot, change: impl FnOnce(&mut Entry<V>)) {
        let is_spared = self.is_spared(slot);
        let permits = self.permits;
        let Some(entry) = self.entries.at_mut(slot) else {
            return;
        };
        change(entry);
        // What stands now may be on its way out, and what does not may be on its way in: that is so when the answer has
        // come.
        let moves = self.waits_for_answers && entry.in_flight;
        let is_settled = entry.is_settled() && !moves;
        if is_settled {
            entry.failure = None;
        }
        let before = entry.counted;
        entry.counted = entry.part(is_settled);
        if let Some(cell) = entry.cell {
            let reason = entry.failure.as_ref().map(|failure| &failure.reason);
            self.counts.change(cell, before, entry.counted, reason);
        }
        if is_settled {
            if entry.want.is_none() && !entry.in_flight {
                if let Some(cell) = entry.cell {
                    self.counts.leave(cell);
                }
                self.entries.remove(slot);
            }
            return;
        }
        self.only_new = self.only_new && entry.is_new();
        if entry.queued || entry.in_flight || entry.failure.as_ref().is_some_and(|f| f.waiting) {
            return;
        }
        if entry.want.is_none() && (is_spared || !permits.removal_of(entry)) {
            self.withheld.push(slot);
            return;
        }
        if entry.is_stale() || entry.want.is_some() || matches!(entry.have, Have::Is(Some(_))) {
            entry.queued = true;
            self.enqueue(slot);
        }
    }
}

#[cfg(test)]
mod tests;
