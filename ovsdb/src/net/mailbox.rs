//! Events on their way to a consumer that may be slow.
//!
//! Bounded without ever blocking the producer: undelivered row changes merge per row, so they
//! never outnumber the rows that exist or existed when the consumer last looked; undelivered
//! connection events collapse at the next disconnect; lock events keep the latest state;
//! foreign notifications are dropped, oldest first, above [`NOTIFICATIONS`].

use crate::json::Str;
use crate::replica::RowChange;
use crate::session::Event;
use crate::uuid::Uuid;
use std::collections::{HashMap, VecDeque};

/// Most undelivered foreign notifications.
const NOTIFICATIONS: usize = 1024;

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    queue: VecDeque<Item>,
    notifications: usize,
    pub(super) closed: bool,
}

#[derive(Debug)]
enum Item {
    Changes(Merge),
    Other(Event),
}

impl Mailbox {
    pub(super) fn push(&mut self, event: Event) {
        match event {
            Event::Update(changes) => match self.queue.back_mut() {
                Some(Item::Changes(merge)) => merge.add(changes),
                _ => self.queue.push_back(Item::Changes(Merge::new(changes))),
            },
            Event::Disconnected(_) => {
                self.collapse();
                self.queue.push_back(Item::Other(event));
            }
            Event::Lock(lock, held) => {
                self.queue
                    .retain(|i| !matches!(i, Item::Other(Event::Lock(other, _)) if *other == lock));
                self.queue.push_back(Item::Other(Event::Lock(lock, held)));
            }
            Event::Notification(..) => {
                if self.notifications >= NOTIFICATIONS {
                    let oldest = |i: &Item| matches!(i, Item::Other(Event::Notification(..)));
                    if let Some(at) = self.queue.iter().position(oldest) {
                        self.queue.remove(at);
                        self.notifications -= 1;
                    }
                }
                self.notifications += 1;
                self.queue.push_back(Item::Other(event));
            }
            other => self.queue.push_back(Item::Other(other)),
        }
    }

    /// Makes one of all row changes and drops connection events nobody has seen.
    fn collapse(&mut self) {
        let mut merged: Option<Merge> = None;
        let mut rest = VecDeque::new();
        for item in self.queue.drain(..) {
            match item {
                Item::Changes(changes) => match &mut merged {
                    Some(merge) => merge.add(changes.into_changes()),
                    None => merged = Some(changes),
                },
                Item::Other(
                    Event::Connected(_) | Event::InitialSnapshotComplete | Event::Disconnected(_),
                ) => {}
                other => rest.push_back(other),
            }
        }
        self.queue = rest;
        if let Some(merge) = merged {
            self.queue.push_front(Item::Changes(merge));
        }
    }

    pub(super) fn pop(&mut self) -> Option<Event> {
        loop {
            match self.queue.pop_front()? {
                Item::Changes(merge) => {
                    let changes = merge.into_changes();
                    if !changes.is_empty() {
                        return Some(Event::Update(changes));
                    }
                }
                Item::Other(event) => {
                    if matches!(event, Event::Notification(..)) {
                        self.notifications -= 1;
                    }
                    return Some(event);
                }
            }
        }
    }
}

/// Row changes merged per row. The index is built at the first merge: most batches are
/// delivered before a second one arrives.
#[derive(Debug)]
struct Merge {
    changes: Vec<Option<RowChange>>,
    index: HashMap<(Str, Uuid), usize>,
}

impl Merge {
    fn new(changes: Vec<RowChange>) -> Self {
        Self {
            changes: changes.into_iter().map(Some).collect(),
            index: HashMap::new(),
        }
    }

    fn add(&mut self, changes: Vec<RowChange>) {
        if self.index.is_empty() {
            let old = core::mem::take(&mut self.changes);
            for change in old.into_iter().flatten() {
                self.add_one(change);
            }
        }
        for change in changes {
            self.add_one(change);
        }
        // Rows that came and went leave holes; squeeze them out before they dominate.
        if self.changes.len() > 1024 && self.index.len() < self.changes.len() / 2 {
            self.changes.retain(Option::is_some);
            self.index.clear();
            for (at, change) in self.changes.iter().enumerate() {
                if let Some(change) = change {
                    self.index.insert((change.table.clone(), change.uuid), at);
                }
            }
        }
    }

    fn add_one(&mut self, change: RowChange) {
        use std::collections::hash_map::Entry;
        match self.index.entry((change.table.clone(), change.uuid)) {
            Entry::Vacant(entry) => {
                entry.insert(self.changes.len());
                self.changes.push(Some(change));
            }
            Entry::Occupied(entry) => {
                let Some(slot) = self.changes.get_mut(*entry.get()) else {
                    return;
                };
                let old = slot.take().and_then(|c| c.old);
                let merged = RowChange { old, ..change };
                if merged.old == merged.new {
                    entry.remove();
                } else {
                    *slot = Some(merged);
                }
            }
        }
    }

    fn into_changes(self) -> Vec<RowChange> {
        self.changes.into_iter().flatten().collect()
    }
}
