//! Keys with what is kept under them, each at a number that stays while the key does: one look-up by key, then an index.
//!
//! A number may come back under another key after its own was removed; what holds numbers has to bear that. Knows
//! nothing of ledgers.

use std::hash::{BuildHasher, Hash};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use rustc_hash::FxBuildHasher;

/// Where something is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Slot(u32);

/// A number in the index, with what the key's hash was made to: so growing the index, and passing by what happens to lie
/// in the same place, look at no key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Mark {
    hash: u32,
    slot: Slot,
}

impl Mark {
    fn spread(self) -> u64 {
        spread(self.hash)
    }
}

/// Fibonacci hashing: the table takes its place from the low bits and a tag from the high ones.
fn spread(hash: u32) -> u64 {
    u64::from(hash)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left(32)
}

/// So many numbers lie together. What is there stays where it is when more comes: a single vector of a hundred thousand
/// would be copied now and then, and everybody waits for that.
const CHUNK: usize = 1024;

#[derive(Clone, Debug)]
struct Places<K, T> {
    chunks: Vec<Vec<Option<(K, T)>>>,
}

impl<K, T> Places<K, T> {
    fn get(&self, slot: Slot) -> Option<&Option<(K, T)>> {
        let at = slot.0 as usize;
        self.chunks.get(at / CHUNK)?.get(at % CHUNK)
    }

    fn get_mut(&mut self, slot: Slot) -> Option<&mut Option<(K, T)>> {
        let at = slot.0 as usize;
        self.chunks.get_mut(at / CHUNK)?.get_mut(at % CHUNK)
    }

    fn push(&mut self, kept: Option<(K, T)>) -> Slot {
        if self.chunks.last().is_none_or(|last| last.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let n_full = self.chunks.len().saturating_sub(1);
        let Some(last) = self.chunks.last_mut() else {
            return Slot(u32::MAX);
        };
        last.push(kept);
        // Memory ends long before numbers do.
        Slot(u32::try_from(n_full * CHUNK + last.len() - 1).unwrap_or(u32::MAX))
    }

    fn iter(&self) -> impl Iterator<Item = &Option<(K, T)>> {
        self.chunks.iter().flatten()
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Slots<K, T> {
    index: HashTable<Mark>,
    places: Places<K, T>,
    free: Vec<Slot>,
}

impl<K, T> Default for Slots<K, T> {
    fn default() -> Self {
        Slots {
            index: HashTable::new(),
            places: Places { chunks: Vec::new() },
            free: Vec::new(),
        }
    }
}

fn hash<K: Hash>(key: &K) -> u32 {
    let hash = FxBuildHasher.hash_one(key);
    (hash ^ hash >> 32) as u32
}

fn is_at<K: Eq, T>(places: &Places<K, T>, slot: Slot, key: &K) -> bool {
    matches!(places.get(slot), Some(Some((there, _))) if there == key)
}

impl<K: Clone + Eq + Hash, T> Slots<K, T> {
    /// Where a key is kept.
    pub fn find(&self, key: &K) -> Option<Slot> {
        let hash = hash(key);
        let is_key = |mark: &Mark| mark.hash == hash && is_at(&self.places, mark.slot, key);
        self.index.find(spread(hash), is_key).map(|mark| mark.slot)
    }

    /// The same; a key that is not there is put there first.
    pub fn find_or_insert(&mut self, key: &K, value: impl FnOnce() -> T) -> Slot {
        let places = &mut self.places;
        let hash = hash(key);
        let is_key = |mark: &Mark| mark.hash == hash && is_at(places, mark.slot, key);
        match self.index.entry(spread(hash), is_key, |mark| mark.spread()) {
            Entry::Occupied(there) => there.get().slot,
            Entry::Vacant(hole) => {
                let kept = Some((key.clone(), value()));
                let slot = match self.free.pop() {
                    Some(slot) => {
                        if let Some(place) = places.get_mut(slot) {
                            *place = kept;
                        }
                        slot
                    }
                    None => places.push(kept),
                };
                hole.insert(Mark { hash, slot });
                slot
            }
        }
    }

    /// What is kept at a number.
    pub fn at(&self, slot: Slot) -> Option<&(K, T)> {
        self.places.get(slot)?.as_ref()
    }

    /// The same, to be changed.
    pub fn at_mut(&mut self, slot: Slot) -> Option<&mut T> {
        let (_, value) = self.places.get_mut(slot)?.as_mut()?;
        Some(value)
    }

    /// What is kept under a key.
    pub fn get(&self, key: &K) -> Option<&T> {
        let (_, value) = self.at(self.find(key)?)?;
        Some(value)
    }

    /// Gives a number back.
    pub fn remove(&mut self, slot: Slot) {
        let Some(place) = self.places.get_mut(slot) else {
            return;
        };
        let Some((key, _)) = place.take() else {
            return;
        };
        let mark = Mark {
            hash: hash(&key),
            slot,
        };
        if let Ok(there) = self.index.find_entry(mark.spread(), |other| *other == mark) {
            there.remove();
        }
        self.free.push(slot);
    }

    /// Everything.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &T)> {
        let kept = self.places.iter().flatten();
        kept.map(|(key, value)| (key, value))
    }

    /// The numbers in use.
    pub fn numbers(&self) -> Vec<Slot> {
        let all = self.places.iter().zip(0..);
        all.filter(|(kept, _)| kept.is_some())
            .map(|(_, number)| Slot(number))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_while_their_keys_do_and_come_back_after() {
        let mut slots: Slots<u32, &str> = Slots::default();
        let list: Vec<Slot> = (0..3000)
            .map(|n| slots.find_or_insert(&n, || "first"))
            .collect();
        for n in (0..3000).step_by(2) {
            slots.remove(list[n]);
        }
        assert_eq!(slots.find(&4), None);
        assert_eq!(slots.find(&5), Some(list[5]));
        assert_eq!(slots.find_or_insert(&5, || "second"), list[5]);
        let again = slots.find_or_insert(&3000, || "third");
        assert!(list.contains(&again), "given back numbers are used first");
        assert_eq!(slots.get(&5), Some(&"first"));
        assert_eq!(slots.get(&3000), Some(&"third"));
        assert_eq!(slots.iter().count(), 1501);
        assert_eq!(slots.numbers().len(), 1501);
    }

    #[test]
    fn a_number_given_back_twice_is_free_once() {
        let mut slots: Slots<u32, ()> = Slots::default();
        let slot = slots.find_or_insert(&1, || ());
        slots.remove(slot);
        slots.remove(slot);
        assert_ne!(
            slots.find_or_insert(&2, || ()),
            slots.find_or_insert(&3, || ())
        );
    }
}
