//! Which number stands for what: zones of ports, profiles of groups, remote sets, and the sources of each profile.
//!
//! Numbers are read back from the kernel when the agent starts ([`Numbers::recover`]), so that a restart changes
//! nothing; no number is given before. They are given in ascending order and begin again at the end, and a number in use
//! is never given twice. A number whose elements may still stand is refused by the caller's `is_clean`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use rustc_hash::{FxHashMap, FxHashSet};
use sha1::{Digest, Sha1};

use super::layout::{self, FIRST_NET, PROFILES, REMOTES, SLOTS};
use super::tables::Shape;
use crate::model::{Desired, Family, GroupId, Mac, MemberAddress, Port, PortId, Remote, RemoteId};
use crate::ops::nft::{NftBody, NftKey, SetId};

/// Somebody at the other end, as a profile numbers it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Source {
    /// An address in this prefix.
    Net(IpNet),
    /// This MAC address, whatever the address.
    Mac(Mac),
}

/// What ports with the same groups share.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Profile {
    /// The groups, sorted.
    pub groups: Arc<[GroupId]>,
    users: usize,
    /// Indexes of remote sets, the first is 1.
    slots: BTreeMap<RemoteId, u16>,
    /// Prefixes and MAC addresses.
    nets: BTreeMap<Source, u16>,
    /// The number that was given last. They ascend and begin again at the end: what one number allowed may still stand
    /// for a moment when another prefix comes.
    last_net: u16,
    /// Something could not be numbered.
    pub overflow: bool,
}

impl Profile {
    /// Remote sets with their indexes.
    pub fn slots(&self) -> impl Iterator<Item = (u16, RemoteId)> + '_ {
        self.slots.iter().map(|(id, index)| (*index, *id))
    }

    /// Prefixes and MAC addresses with their source numbers.
    pub fn nets(&self) -> impl Iterator<Item = (Source, u16)> + '_ {
        self.nets.iter().map(|(source, number)| (*source, *number))
    }

    fn width(&self) -> u16 {
        self.slots.values().copied().max().unwrap_or(0)
    }

    /// The index of a remote set.
    pub fn slot(&self, id: RemoteId) -> Option<u16> {
        self.slots.get(&id).copied()
    }

    /// The number of a prefix or MAC address.
    pub fn net(&self, source: Source) -> Option<u16> {
        self.nets.get(&source).copied()
    }
}

/// What the kernel remembered of an earlier life.
#[derive(Clone, Default, Debug)]
struct Hints {
    zones: FxHashMap<Arc<str>, u16>,
    profiles: FxHashMap<Arc<str>, u16>,
    remotes: FxHashMap<Arc<str>, u16>,
    slots: BTreeMap<u16, BTreeMap<u16, u16>>,
    nets: BTreeMap<u16, BTreeMap<Source, u16>>,
    taken_zones: FxHashSet<u16>,
    taken_profiles: FxHashSet<u16>,
    taken_remotes: FxHashSet<u16>,
}

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

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Use {
    Net4,
    Net6,
    Pair4,
    Pair6,
}

/// What a profile came to need or needs no more.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Moved {
    /// Remote sets that came into use, or went out of it.
    pub remotes: Vec<RemoteId>,
    /// The profile that is new or gone, if one is.
    pub profiles: Vec<u16>,
}

/// The first eleven characters of a port's id, as names of its devices end.
pub fn short(id: PortId) -> String {
    id.to_string().chars().take(11).collect()
}

/// How the kernel remembers which groups a profile stands for.
pub fn fingerprint(groups: &[GroupId]) -> Arc<str> {
    let mut hash = Sha1::new();
    for group in groups {
        hash.update(group.0.as_bytes());
    }
    let hex: String = hash
        .finalize()
        .iter()
        .take(10)
        .map(|b| format!("{b:02x}"))
        .collect();
    format!("{hex}, {} groups", groups.len()).into()
}

/// How the kernel remembers which set a number stands for.
pub fn remote_note(id: RemoteId) -> Arc<str> {
    match id {
        RemoteId::Group(id) => format!("group {id}").into(),
        RemoteId::Addresses(id) => format!("addresses {id}").into(),
    }
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

    /// What nobody has asked for is forgotten.
    pub fn drop_hints(&mut self) {
        self.hints = Hints::default();
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

    /// The profiles that a group is part of.
    pub fn profiles_in(&self, group: GroupId) -> Vec<u16> {
        self.in_group
            .get(&group)
            .into_iter()
            .flatten()
            .copied()
            .collect()
    }

    /// The ports of a profile, in no order.
    pub fn ports_with(&self, number: u16) -> impl Iterator<Item = PortId> + '_ {
        self.profile_of
            .iter()
            .filter(move |(_, n)| **n == number)
            .map(|(id, _)| *id)
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

    /// What the rules of the tables depend on.
    pub fn shape(&self) -> Shape {
        let lengths = |wanted: Use| {
            self.lengths
                .keys()
                .filter(|(use_, _)| *use_ == wanted)
                .map(|(_, length)| *length)
                .collect()
        };
        Shape {
            // In powers of two: one more set seldom changes a rule.
            slots: self
                .widths
                .keys()
                .last()
                .copied()
                .unwrap_or(0)
                .next_power_of_two()
                .clamp(4, SLOTS),
            nets4: lengths(Use::Net4),
            nets6: lengths(Use::Net6),
            pairs4: lengths(Use::Pair4),
            pairs6: lengths(Use::Pair6),
        }
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
            self.leave(number, &mut moved);
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
            let number = *number;
            if let Some(profile) = self.profiles.get_mut(&number) {
                profile.users += 1;
            }
            return Some(number);
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
            users: 1,
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

    fn leave(&mut self, number: u16, moved: &mut Moved) {
        let Some(profile) = self.profiles.get_mut(&number) else {
            return;
        };
        profile.users -= 1;
        if profile.users > 0 {
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

    /// Brings the sources of a profile in line with its rules.
    pub fn refresh(&mut self, number: u16, desired: &Desired) -> Moved {
        let mut moved = Moved::default();
        let Some(profile) = self.profiles.get(&number) else {
            return moved;
        };
        let width = profile.width();
        let (remotes, nets) = sources(&profile.groups, desired);
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

    fn drop_remote(&mut self, id: RemoteId, profile: u16, moved: &mut Moved) {
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

    fn count(&mut self, source: &Source, more: bool) {
        let Source::Net(net) = source else {
            return;
        };
        let use_ = match Family::of_net(*net) {
            Family::V4 => Use::Net4,
            Family::V6 => Use::Net6,
        };
        self.count_length((use_, net.prefix_len()), more);
    }

    fn count_length(&mut self, key: (Use, u8), more: bool) {
        let count = self.lengths.entry(key).or_default();
        *count = if more {
            *count + 1
        } else {
            count.saturating_sub(1)
        };
        if *count == 0 {
            self.lengths.remove(&key);
        }
    }

    fn count_width(&mut self, width: u16, more: bool) {
        if width == 0 {
            return;
        }
        let count = self.widths.entry(width).or_default();
        *count = if more {
            *count + 1
        } else {
            count.saturating_sub(1)
        };
        if *count == 0 {
            self.widths.remove(&width);
        }
    }

    fn count_pairs(&mut self, id: PortId, port: Option<&Port>) {
        let new: Vec<(Use, u8)> = port
            .map(|port| {
                let lengths = super::render::senders(port)
                    .into_iter()
                    .filter_map(|(_, net)| {
                        let use_ = match Family::of_net(net) {
                            Family::V4 => Use::Pair4,
                            Family::V6 => Use::Pair6,
                        };
                        (net.prefix_len() < net.max_prefix_len())
                            .then_some((use_, net.prefix_len()))
                    });
                lengths.collect()
            })
            .unwrap_or_default();
        for key in &new {
            self.count_length(*key, true);
        }
        let old = if new.is_empty() {
            self.pairs.remove(&id)
        } else {
            self.pairs.insert(id, new)
        };
        for key in old.unwrap_or_default() {
            self.count_length(key, false);
        }
    }
}

/// The remote sets that the rules of these groups name, and the prefixes and MAC addresses that have to be numbered.
fn sources(groups: &[GroupId], desired: &Desired) -> (BTreeSet<RemoteId>, BTreeSet<Source>) {
    let mut remotes = BTreeSet::new();
    let mut nets = BTreeSet::new();
    for rule in groups
        .iter()
        .filter_map(|id| desired.group(*id))
        .flat_map(|g| &g.rules)
    {
        match rule.remote {
            Remote::Any => {}
            Remote::Prefix(net) if net.prefix_len() == 0 => {}
            Remote::Prefix(net) => {
                nets.insert(Source::Net(net));
            }
            Remote::Set(id) => {
                if remotes.insert(id) {
                    let addresses = desired.remote(id).into_iter().flat_map(|set| set.nets());
                    nets.extend(addresses.filter_map(|a| as_source(&a)));
                }
            }
        }
    }
    (remotes, nets)
}

/// A member's address that is no single one; those are members of a set instead.
pub fn as_source(address: &MemberAddress) -> Option<Source> {
    let net = address.prefix;
    if net.prefix_len() == net.max_prefix_len() {
        None
    } else if net.prefix_len() == 0 {
        address.mac.map(Source::Mac)
    } else {
        Some(Source::Net(net))
    }
}

impl Hints {
    fn take(&mut self, set: SetId, key: &[u8], data: Option<[u8; 4]>, comment: Option<&Arc<str>>) {
        let word = |at: usize| -> Option<[u8; 4]> { key.get(at * 4..at * 4 + 4)?.try_into().ok() };
        match set {
            SetId::Vif => {
                let Some(mark) = data else { return };
                let name: Vec<u8> = key.iter().copied().take_while(|b| *b != 0).collect();
                let zone = layout::zone_of(mark);
                self.taken_zones.insert(zone);
                if let Some(short) = String::from_utf8(name)
                    .ok()
                    .as_deref()
                    .and_then(|n| n.strip_prefix("tap"))
                {
                    self.zones.insert(short.into(), zone);
                }
            }
            SetId::Profiles => {
                let (Some(word), Some(comment)) = (word(0), comment) else {
                    return;
                };
                self.profiles
                    .insert(comment.clone(), layout::profile_of(word));
                self.taken_profiles.insert(layout::profile_of(word));
            }
            SetId::Remotes => {
                let (Some(word), Some(comment)) = (word(0), comment) else {
                    return;
                };
                self.remotes
                    .insert(comment.clone(), layout::source_of(word));
                self.taken_remotes.insert(layout::source_of(word));
            }
            SetId::Slots => {
                let (Some(profile), Some(index), Some(remote)) = (word(0), word(1), data) else {
                    return;
                };
                let Ok(index) = u16::try_from(u32::from_ne_bytes(index)) else {
                    return;
                };
                let slots = self.slots.entry(layout::profile_of(profile)).or_default();
                slots.insert(index, layout::source_of(remote));
            }
            SetId::Nets4 | SetId::Nets6 => {
                let (Some(profile), Some(length), Some(context)) = (word(0), word(1), data) else {
                    return;
                };
                let address = key.get(8..).unwrap_or(&[]);
                let ip = <[u8; 4]>::try_from(address)
                    .map(IpAddr::from)
                    .or_else(|_| <[u8; 16]>::try_from(address).map(IpAddr::from));
                let length = u8::try_from(u32::from_ne_bytes(length)).unwrap_or(u8::MAX);
                if let Some(net) = ip.ok().and_then(|ip| IpNet::new(ip, length).ok()) {
                    let nets = self.nets.entry(layout::profile_of(profile)).or_default();
                    nets.insert(Source::Net(net), layout::source_of(context));
                }
            }
            SetId::NetMacs => {
                let (Some(profile), Some(context)) = (word(0), data) else {
                    return;
                };
                if let Some(mac) = key.get(4..10).and_then(|b| <[u8; 6]>::try_from(b).ok()) {
                    let nets = self.nets.entry(layout::profile_of(profile)).or_default();
                    nets.insert(Source::Mac(Mac(mac)), layout::source_of(context));
                }
            }
            _ => {}
        }
    }
}
