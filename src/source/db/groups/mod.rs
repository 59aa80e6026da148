//! Which security groups and which members of remote sets this host has been told, and what a step changes of that.
//!
//! Told are the groups that local ports are in, and the members of the sets that the rules of those name. A change of
//! one member costs one delta and a few rows, however large the group is. It must not know the cursor or the rows of
//! other entities. Held by `tests/groups.rs` and `tests/contract_groups.rs`.

pub(super) mod read;
mod translate;

pub(super) use translate::membership;

use rustc_hash::{FxHashMap, FxHashSet};

use self::read::{By, GroupRecord, MemberRecord};
use super::follow::Ids;
use super::read::Record;
use super::translate::id;
use crate::model::{
    AddressGroupId, Delta, GroupId, Member, MemberId, Port, PortId, RemoteId, SecurityGroup,
};
use crate::store::changelog::Entry;
use crate::store::{Row, Store, StoreError, Value};

/// What the log says of groups, as far as it concerns this host.
#[derive(Default)]
pub(super) struct Mentioned {
    groups: Ids,
    members: FxHashSet<(RemoteId, MemberId)>,
    sets: FxHashSet<RemoteId>,
    appeared: Ids,
    addresses_appeared: Ids,
}

/// The rows that a step read for it.
#[derive(Default)]
pub(super) struct Found {
    asked: Vec<GroupId>,
    groups: Vec<GroupRecord>,
    /// Sets of which all members were read.
    whole: FxHashSet<RemoteId>,
    /// Members that the log named.
    named: FxHashSet<(RemoteId, MemberId)>,
    members: Vec<MemberRecord>,
    entries: Vec<Row>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Groups {
    /// Members are told, not only groups.
    sets_too: bool,
    of_port: FxHashMap<PortId, Vec<GroupId>>,
    /// How many local ports are in it.
    wanted: FxHashMap<GroupId, u32>,
    /// Told, with the sets that it names.
    told: FxHashMap<GroupId, Vec<RemoteId>>,
    /// How many told groups name it.
    naming: FxHashMap<RemoteId, u32>,
    /// Told, with those who contribute.
    sets: FxHashMap<RemoteId, FxHashSet<MemberId>>,
    /// Perhaps not wanted any more.
    left: Vec<GroupId>,
    /// Perhaps not named any more.
    unnamed: Vec<RemoteId>,
}

impl Groups {
    /// Knows nothing yet.
    pub fn new(sets_too: bool) -> Groups {
        Groups {
            sets_too,
            of_port: FxHashMap::default(),
            wanted: FxHashMap::default(),
            told: FxHashMap::default(),
            naming: FxHashMap::default(),
            sets: FxHashMap::default(),
            left: Vec::new(),
            unnamed: Vec::new(),
        }
    }

    /// The same, knowing nothing.
    pub fn forgotten(&self) -> Groups {
        Groups::new(self.sets_too)
    }

    /// Takes an entry of the log down if it is about groups and concerns this host.
    pub fn note(&self, entry: &Entry, mentioned: &mut Mentioned) {
        let Some(text) = entry.entity.text() else {
            return;
        };
        match entry.kind.as_str() {
            "security_group" => {
                if parsed(text).is_some_and(|id| self.wanted.contains_key(&GroupId(id))) {
                    mentioned.groups.add(text);
                }
                if entry.op != "update" {
                    mentioned.appeared.add(text);
                }
            }
            "address_group" => mentioned.addresses_appeared.add(text),
            "member" | "address" => {
                let Some((set, member)) = text.split_once('/') else {
                    return;
                };
                if let (Some(set), Some(member)) = (self.told_set(&entry.kind, set), parsed(member))
                {
                    mentioned.members.insert((set, MemberId(member)));
                }
            }
            "members" | "addresses" => {
                mentioned.sets.extend(self.told_set(&entry.kind, text));
            }
            _ => {}
        }
    }

    fn told_set(&self, kind: &str, text: &str) -> Option<RemoteId> {
        let id = parsed(text)?;
        let set = match kind {
            "member" | "members" => RemoteId::Group(GroupId(id)),
            _ => RemoteId::Addresses(AddressGroupId(id)),
        };
        self.sets.contains_key(&set).then_some(set)
    }

    /// Reads what was mentioned, the groups that these ports of this host are in and that were not told, and the sets
    /// that are named for the first time.
    pub fn read(
        &self,
        store: &mut dyn Store,
        mut mentioned: Mentioned,
        ports: &[Record],
    ) -> Result<Found, StoreError> {
        // A rule may not name a group that does not exist.
        for group in read::namers(
            store,
            &mentioned.appeared.list,
            &mentioned.addresses_appeared.list,
        )? {
            let wanted = |id| self.wanted.contains_key(&GroupId(id));
            if let Some(text) = group.text()
                && parsed(text).is_some_and(wanted)
            {
                mentioned.groups.add(text);
            }
        }
        for row in ports.iter().flat_map(|port| &port.groups) {
            if let Ok(group) = membership(row)
                && !self.told.contains_key(&group)
            {
                mentioned.groups.add(&group.to_string());
            }
        }
        let mut found = Found {
            asked: mentioned
                .groups
                .list
                .iter()
                .filter_map(|text| parsed(text))
                .map(GroupId)
                .collect(),
            groups: read::groups(store, &mentioned.groups.list)?,
            whole: mentioned.sets,
            ..Found::default()
        };
        if !self.sets_too {
            return Ok(found);
        }
        for row in found.groups.iter().flat_map(|group| &group.rules) {
            let id = |at: usize| row.get(at).and_then(Value::text).and_then(parsed);
            let set = id(8)
                .map(|id| RemoteId::Group(GroupId(id)))
                .or_else(|| id(9).map(|id| RemoteId::Addresses(AddressGroupId(id))));
            found
                .whole
                .extend(set.filter(|set| !self.sets.contains_key(set)));
        }
        mentioned
            .members
            .retain(|(set, _)| !found.whole.contains(set));
        let (mut groups, mut ports) = (Ids::default(), Ids::default());
        let (mut address_groups, mut entries) = (Ids::default(), Ids::default());
        for set in &found.whole {
            match set {
                RemoteId::Group(id) => groups.add(&id.to_string()),
                RemoteId::Addresses(id) => address_groups.add(&id.to_string()),
            }
        }
        for (set, member) in &mentioned.members {
            match set {
                RemoteId::Group(_) => ports.add(&member.to_string()),
                RemoteId::Addresses(_) => entries.add(&member.to_string()),
            }
        }
        found.named = mentioned.members;
        found.members = read::members(store, By::Set, &groups.list)?;
        found
            .members
            .extend(read::members(store, By::Member, &ports.list)?);
        found.entries = read::entries(store, By::Set, &address_groups.list)?;
        found
            .entries
            .extend(read::entries(store, By::Member, &entries.list)?);
        Ok(found)
    }

    /// A port of this host is new or changed.
    pub fn joined(&mut self, port: &Port) {
        self.left(port.id);
        for group in &port.groups {
            *self.wanted.entry(*group).or_default() += 1;
        }
        if !port.groups.is_empty() {
            self.of_port.insert(port.id, port.groups.clone());
        }
    }

    /// A port is not of this host any more.
    pub fn left(&mut self, port: PortId) {
        for group in self.of_port.remove(&port).unwrap_or_default() {
            if let Some(n) = self.wanted.get_mut(&group) {
                *n -= 1;
                if *n == 0 {
                    self.wanted.remove(&group);
                    self.left.push(group);
                }
            }
        }
    }

    /// Groups and members that are new or changed. Call it after all [`Groups::joined`] and [`Groups::left`].
    pub fn upserts(&mut self, found: &Found, deltas: &mut Vec<Delta>) {
        let mut rows: FxHashMap<GroupId, SecurityGroup> = found
            .groups
            .iter()
            .filter_map(translate::group)
            .map(|group| (group.id, group))
            .collect();
        for id in &found.asked {
            if !self.wanted.contains_key(id) {
                continue;
            }
            let group = rows.remove(id).unwrap_or_else(|| translate::missing(*id));
            for problem in &group.problems {
                tracing::warn!(group = %id, reason = %problem, "security group is understood in part");
            }
            let names = if self.sets_too {
                group.remotes()
            } else {
                Vec::new()
            };
            for set in &names {
                *self.naming.entry(*set).or_default() += 1;
            }
            for set in self.told.insert(*id, names).unwrap_or_default() {
                self.unname(set);
            }
            deltas.push(Delta::Group(group));
        }
        self.members(found, deltas);
    }

    fn members(&mut self, found: &Found, deltas: &mut Vec<Delta>) {
        let members = found.members.iter().filter_map(translate::member);
        let entries = found.entries.iter().filter_map(translate::entry);
        let mut told: FxHashSet<(RemoteId, MemberId)> = FxHashSet::default();
        for member in members.chain(entries) {
            let key = (member.set, member.id);
            let asked = found.whole.contains(&member.set) || found.named.contains(&key);
            if !asked || !self.is_named(member.set) || member.addresses.is_empty() {
                continue;
            }
            if !told.insert(key) {
                continue;
            }
            self.sets.entry(member.set).or_default().insert(member.id);
            deltas.push(Delta::Member(member));
        }
        // A set without members is told too: from now on its members are followed.
        for set in &found.whole {
            if self.is_named(*set) {
                self.sets.entry(*set).or_default();
            }
        }
        let mut gone: Vec<(RemoteId, MemberId)> = found.named.iter().copied().collect();
        for set in &found.whole {
            let known = self.sets.get(set).into_iter().flatten();
            gone.extend(known.map(|member| (*set, *member)));
        }
        gone.retain(|key| !told.contains(key));
        gone.sort_unstable();
        for (set, id) in gone {
            if self
                .sets
                .get_mut(&set)
                .is_some_and(|known| known.remove(&id))
            {
                let addresses = Vec::new();
                deltas.push(Delta::Member(Member { set, id, addresses }));
            }
        }
    }

    fn is_named(&self, set: RemoteId) -> bool {
        self.naming.contains_key(&set)
    }

    fn unname(&mut self, set: RemoteId) {
        if let Some(n) = self.naming.get_mut(&set) {
            *n -= 1;
            if *n == 0 {
                self.naming.remove(&set);
                self.unnamed.push(set);
            }
        }
    }

    /// Groups that no local port is in any more, and sets that no told group names any more.
    pub fn removals(&mut self, deltas: &mut Vec<Delta>) {
        let mut left = std::mem::take(&mut self.left);
        left.sort_unstable();
        for id in left {
            if self.wanted.contains_key(&id) {
                continue;
            }
            if let Some(names) = self.told.remove(&id) {
                deltas.push(Delta::GroupGone(id));
                names.into_iter().for_each(|set| self.unname(set));
            }
        }
        let mut unnamed = std::mem::take(&mut self.unnamed);
        unnamed.sort_unstable();
        for set in unnamed {
            if !self.is_named(set) && self.sets.remove(&set).is_some() {
                deltas.push(Delta::RemoteGone(set));
            }
        }
    }
}

/// A UUID in its one spelling.
fn parsed(text: &str) -> Option<uuid::Uuid> {
    id(Some(&Value::from(text))).ok()
}
