//! A profile's rules changed: its sources are numbered anew.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashSet;

use super::super::layout::{FIRST_NET, REMOTES, SLOTS};
use super::names::remote_note;
use super::profile::{self, Profile, Source};
use super::{Moved, Numbers};
use crate::model::{Desired, RemoteId};

impl Numbers {
    /// Brings the sources of a profile in line with its rules.
    pub fn refresh(&mut self, number: u16, desired: &Desired) -> Moved {
        let mut moved = Moved::default();
        let Some(profile) = self.profiles.get(&number) else {
            return moved;
        };
        let width = profile.width();
        let (remotes, nets) = profile::sources(&profile.groups, desired);
        let gone: Vec<(u16, RemoteId)> = profile
            .slots()
            .filter(|(_, id)| !remotes.contains(id))
            .collect();
        let lost: Vec<Source> = profile
            .nets
            .keys()
            .filter(|source| !nets.contains(source))
            .copied()
            .collect();
        let new: Vec<RemoteId> = remotes
            .into_iter()
            .filter(|id| profile.slot(*id).is_none())
            .collect();
        let found: Vec<Source> = nets
            .into_iter()
            .filter(|source| !profile.nets.contains_key(source))
            .collect();
        for (_, id) in gone {
            self.drop_remote(id, number, &mut moved);
            self.edit(number, |profile| {
                profile.slots.remove(&id);
            });
        }
        for source in lost {
            self.count(&source, false);
            self.edit(number, |profile| {
                profile.nets.remove(&source);
            });
        }
        self.edit(number, |profile| profile.overflow = false);
        for id in new {
            let Some(remote) = self.use_remote(id, number, &mut moved) else {
                self.edit(number, |profile| profile.overflow = true);
                continue;
            };
            let hint = self.hints.slots.get(&number).and_then(|slots| {
                let known = slots.iter().find(|(_, n)| **n == remote);
                known.map(|(index, _)| *index)
            });
            self.edit(number, |profile| {
                let taken: FxHashSet<u16> = profile.slots.values().copied().collect();
                let hint = hint.filter(|index| !taken.contains(index));
                let free = || (1..=SLOTS).find(|index| !taken.contains(index));
                match hint.or_else(free) {
                    Some(index) => {
                        profile.slots.insert(id, index);
                    }
                    None => profile.overflow = true,
                }
            });
        }
        self.number_nets(number, found);
        let new_width = self.profiles.get(&number).map_or(0, Profile::width);
        if width != new_width {
            self.count_width(width, false);
            self.count_width(new_width, true);
        }
        moved
    }

    fn number_nets(&mut self, number: u16, found: Vec<Source>) {
        let Some(profile) = self.profiles.get(&number).filter(|_| !found.is_empty()) else {
            return;
        };
        let mut taken: FxHashSet<u16> = profile.nets.values().copied().collect();
        let empty = BTreeMap::new();
        let hints = self.hints.nets.get(&number).unwrap_or(&empty).clone();
        let reserved: FxHashSet<u16> = hints.values().copied().collect();
        let mut last = profile.last_net;
        let after = last.wrapping_add(1).max(FIRST_NET);
        let mut next = (after..=u16::MAX).chain(FIRST_NET..after);
        for source in found {
            let hint = hints.get(&source).filter(|n| !taken.contains(n)).copied();
            let mut is_free = |n: &u16| !taken.contains(n) && !reserved.contains(n);
            let Some(given) = hint.or_else(|| next.find(&mut is_free)) else {
                self.edit(number, |profile| profile.overflow = true);
                return;
            };
            if hint.is_none() {
                last = given;
            }
            taken.insert(given);
            self.count(&source, true);
            self.edit(number, |profile| {
                profile.nets.insert(source, given);
                profile.last_net = last;
            });
        }
    }

    fn edit(&mut self, number: u16, change: impl FnOnce(&mut Profile)) {
        if let Some(profile) = self.profiles.get_mut(&number) {
            change(profile);
        }
    }

    fn use_remote(&mut self, id: RemoteId, profile: u16, moved: &mut Moved) -> Option<u16> {
        if let Some((number, users)) = self.remotes.get_mut(&id) {
            users.insert(profile);
            return Some(*number);
        }
        let is_free = |n: &u16| !self.remotes_by_number.contains_key(n);
        let hint = self.hints.remotes.remove(&*remote_note(id)).filter(is_free);
        let next = || {
            let free = |n: &u16| is_free(n) && !self.hints.taken_remotes.contains(n);
            (0..REMOTES)
                .map(|n| (self.last_remote + n) % REMOTES + 1)
                .find(free)
        };
        let number = hint.or_else(next)?;
        if hint.is_none() {
            self.last_remote = number;
        }
        self.remotes.insert(id, (number, BTreeSet::from([profile])));
        self.remotes_by_number.insert(number, id);
        moved.remotes.push(id);
        Some(number)
    }

    pub(super) fn drop_remote(&mut self, id: RemoteId, profile: u16, moved: &mut Moved) {
        if let Some((_, users)) = self.remotes.get_mut(&id) {
            users.remove(&profile);
            if users.is_empty() {
                if let Some((number, _)) = self.remotes.remove(&id) {
                    self.remotes_by_number.remove(&number);
                }
                moved.remotes.push(id);
            }
        }
    }
}
