//! Which number stands for what: zones of ports, profiles of groups, remote sets, and the sources of each profile.
//!
//! Numbers are read back from the kernel when the agent starts ([`Numbers::recover`]), so that a restart changes
//! nothing; no number is given before. They are given in ascending order and begin again at the end, and a number in use
//! is never given twice. A number whose elements may still stand is refused by the caller's `is_clean`.

mod hints;
mod names;
mod profile;
mod refresh;
mod shape;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::layout::PROFILES;
use crate::model::{Desired, GroupId, Port, PortId, RemoteId};
use crate::ops::nft::{NftBody, NftKey};
use crate::plan::firewall::Counts;
use hints::Hints;
pub use names::{fingerprint, remote_note, short};
pub use profile::{Profile, Source, as_source};
use shape::Use;

/// See the module.
#[derive(Clone, Default, Debug)]
pub struct Numbers {
    ready: bool,
    hints: Hints,
    zones: FxHashMap<PortId, u16>,
    ports: FxHashMap<u16, PortId>,
    shorts: FxHashMap<String, PortId>,
    last_zone: u16,
    profile_of: FxHashMap<PortId, u16>,
    profiles: BTreeMap<u16, Profile>,
    by_groups: FxHashMap<Arc<[GroupId]>, u16>,
    in_group: FxHashMap<GroupId, BTreeSet<u16>>,
    last_profile: u16,
    remotes: FxHashMap<RemoteId, (u16, BTreeSet<u16>)>,
    remotes_by_number: FxHashMap<u16, RemoteId>,
    last_remote: u16,
    lengths: BTreeMap<(Use, u8), usize>,
    /// How many profiles have which index as their highest.
    widths: BTreeMap<u16, usize>,
    pairs: FxHashMap<PortId, Vec<(Use, u8)>>,
}

/// What a profile came to need or needs no more.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Moved {
    /// Remote sets that came into use, or went out of it.
    pub remotes: Vec<RemoteId>,
    /// The profile that is new or gone, if one is.
    pub profiles: Vec<u16>,
}

impl Numbers {
    /// `true` once numbers may be given.
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// Takes in what stands in the kernel, once.
    pub fn recover(&mut self, found: &[(NftKey, NftBody)]) {
        if std::mem::replace(&mut self.ready, true) {
            return;
        }
        for (key, body) in found {
            if let (NftKey::Element(set, key), NftBody::Element(entry)) = (key, body) {
                self.hints
                    .take(*set, key.as_slice(), entry.data, entry.comment.as_ref());
            }
        }
        self.last_zone = self.hints.taken_zones.iter().copied().max().unwrap_or(0);
        self.last_profile = self.hints.taken_profiles.iter().copied().max().unwrap_or(0);
        self.last_remote = self.hints.taken_remotes.iter().copied().max().unwrap_or(0);
    }

    /// What nobody has asked for is forgotten; the zones among it.
    pub fn drop_hints(&mut self) -> Vec<u16> {
        let mut zones: Vec<u16> = std::mem::take(&mut self.hints)
            .taken_zones
            .into_iter()
            .filter(|zone| !self.ports.contains_key(zone))
            .collect();
        zones.sort_unstable();
        zones
    }

    /// The zone of a port.
    pub fn zone(&self, id: PortId) -> Option<u16> {
        self.zones.get(&id).copied()
    }

    /// The port of a zone.
    pub fn port_of(&self, zone: u16) -> Option<PortId> {
        self.ports.get(&zone).copied()
    }

    /// The port whose devices end in these characters.
    pub fn port_named(&self, short: &str) -> Option<PortId> {
        self.shorts.get(short).copied()
    }

    /// The number of a port's profile.
    pub fn profile_number(&self, id: PortId) -> Option<u16> {
        self.profile_of.get(&id).copied()
    }

    /// A profile by number.
    pub fn profile(&self, number: u16) -> Option<&Profile> {
        self.profiles.get(&number)
    }

    /// Every profile.
    pub fn profiles(&self) -> impl Iterator<Item = u16> + '_ {
        self.profiles.keys().copied()
    }

    /// How many ports have a number, and how many profiles.
    pub fn counts(&self) -> Counts {
        Counts {
            ports: self.zones.len(),
            profiles: self.profiles.len(),
            conjunctions: 0,
        }
    }

    /// The profiles that a group is part of.
    pub fn profiles_in(&self, group: GroupId) -> Vec<u16> {
        self.in_group
            .get(&group)
            .into_iter()
            .flatten()
            .copied()
            .collect()
    }

    /// The ports of a profile.
    pub fn ports_with(&self, number: u16) -> impl Iterator<Item = PortId> + '_ {
        let profile = self.profiles.get(&number).into_iter();
        profile.flat_map(|profile| profile.ports.iter().copied())
    }

    /// The number of a remote set.
    pub fn remote(&self, id: RemoteId) -> Option<u16> {
        self.remotes.get(&id).map(|(number, _)| *number)
    }

    /// Every remote set in use.
    pub fn remotes(&self) -> impl Iterator<Item = RemoteId> + '_ {
        self.remotes.keys().copied()
    }

    /// The profiles that name a remote set.
    pub fn profiles_naming(&self, id: RemoteId) -> Vec<u16> {
        self.remotes
            .get(&id)
            .map(|(_, users)| users.iter().copied().collect())
            .unwrap_or_default()
    }

    /// A port is to be filtered, or (`None`) no longer.
    pub fn place(
        &mut self,
        id: PortId,
        port: Option<&Port>,
        desired: &Desired,
        is_clean: impl Fn(u16) -> bool,
    ) -> Moved {
        let mut moved = Moved::default();
        self.count_pairs(id, port);
        let groups: Option<Arc<[GroupId]>> = port.map(|p| p.groups.as_slice().into());
        let old = self.profile_of.get(&id).copied();
        let is_same = old.and_then(|n| self.profiles.get(&n)).map(|p| &p.groups) == groups.as_ref();
        if old.is_some() && is_same {
            return moved;
        }
        if let Some(groups) = groups {
            if !self.zones.contains_key(&id) {
                self.give_zone(id);
            }
            if let Some(number) = self.join(&groups, desired, is_clean, &mut moved) {
                self.profile_of.insert(id, number);
                if let Some(profile) = self.profiles.get_mut(&number) {
                    profile.ports.insert(id);
                }
            } else {
                self.profile_of.remove(&id);
            }
        } else {
            self.profile_of.remove(&id);
            if let Some(zone) = self.zones.remove(&id) {
                self.ports.remove(&zone);
                self.shorts.remove(&short(id));
            }
        }
        if let Some(number) = old {
            self.leave(number, id, &mut moved);
        }
        moved
    }

    fn give_zone(&mut self, id: PortId) {
        let hint = self
            .hints
            .zones
            .remove(&*short(id))
            .filter(|zone| !self.ports.contains_key(zone));
        let next = || {
            let free = |zone: &u16| {
                *zone != 0
                    && !self.ports.contains_key(zone)
                    && !self.hints.taken_zones.contains(zone)
            };
            let after = self.last_zone.wrapping_add(1);
            (0..=u16::MAX).map(|n| after.wrapping_add(n)).find(free)
        };
        if let Some(zone) = hint.or_else(next) {
            if hint.is_none() {
                self.last_zone = zone;
            }
            self.zones.insert(id, zone);
            self.ports.insert(zone, id);
            self.shorts.insert(short(id), id);
        }
    }

    fn join(
        &mut self,
        groups: &Arc<[GroupId]>,
        desired: &Desired,
        is_clean: impl Fn(u16) -> bool,
        moved: &mut Moved,
    ) -> Option<u16> {
        if let Some(number) = self.by_groups.get(groups) {
            return Some(*number);
        }
        let hint = self.hints.profiles.remove(&*fingerprint(groups));
        let hint = hint.filter(|n| !self.profiles.contains_key(n));
        let next = || {
            let free = |n: &u16| {
                !self.profiles.contains_key(n)
                    && !self.hints.taken_profiles.contains(n)
                    && is_clean(*n)
            };
            (0..PROFILES)
                .map(|n| (self.last_profile + n) % PROFILES + 1)
                .find(free)
        };
        let number = hint.or_else(next)?;
        if hint.is_none() {
            self.last_profile = number;
        }
        let profile = Profile {
            groups: groups.clone(),
            ports: BTreeSet::new(),
            slots: BTreeMap::new(),
            nets: BTreeMap::new(),
            last_net: u16::MAX,
            overflow: false,
        };
        self.profiles.insert(number, profile);
        self.by_groups.insert(groups.clone(), number);
        for group in groups.iter() {
            self.in_group.entry(*group).or_default().insert(number);
        }
        moved.profiles.push(number);
        moved.remotes.extend(self.refresh(number, desired).remotes);
        Some(number)
    }

    fn leave(&mut self, number: u16, id: PortId, moved: &mut Moved) {
        let Some(profile) = self.profiles.get_mut(&number) else {
            return;
        };
        profile.ports.remove(&id);
        if !profile.ports.is_empty() {
            return;
        }
        let Some(profile) = self.profiles.remove(&number) else {
            return;
        };
        self.by_groups.remove(&profile.groups);
        for group in profile.groups.iter() {
            if let Some(numbers) = self.in_group.get_mut(group) {
                numbers.remove(&number);
                if numbers.is_empty() {
                    self.in_group.remove(group);
                }
            }
        }
        self.count_width(profile.width(), false);
        for id in profile.slots.keys() {
            self.drop_remote(*id, number, moved);
        }
        for source in profile.nets.keys() {
            self.count(source, false);
        }
        moved.profiles.push(number);
    }
}
