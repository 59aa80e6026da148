//! Which ports share what: the reverse indexes from which cells of the firewall are rendered. Pure bookkeeping; what a
//! change makes dirty is in [`fanout`](super::fanout).

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::{FxHashMap, FxHashSet};

use super::ids::{ConjIds, Peer, Profile, Uses};
use crate::model::{GroupId, Mac, PortId, RemoteId};
use crate::plan::cell::{CellId, SegKey};
use crate::plan::firewall::Counts;

/// The hardware addresses by which a port is reached, each on its segment.
pub type Stations = BTreeSet<(SegKey, Mac)>;

/// See the module.
#[derive(Clone, Default, Debug)]
pub struct Index {
    /// The profile that each wired and filtered port should follow.
    pub(super) profile_of: FxHashMap<PortId, Profile>,
    /// Who follows a profile, or may do so until its flows have changed.
    pub(super) users: FxHashMap<Profile, FxHashSet<PortId>>,
    /// Profiles that a port's flows may still name besides its own.
    pub(super) earlier: FxHashMap<PortId, Vec<Profile>>,
    /// Who is reached by an address.
    pub(super) stations: FxHashMap<(SegKey, Mac), BTreeSet<PortId>>,
    /// Who is reached on a segment at all.
    pub(super) on: FxHashMap<SegKey, BTreeSet<PortId>>,
    /// By which addresses a port is reached.
    pub(super) stations_of: FxHashMap<PortId, Stations>,
    /// The sets that an address is in, with the number of member addresses that come to the same.
    pub(super) peers: FxHashMap<Peer, BTreeMap<RemoteId, u32>>,
    /// The conjunctions in use.
    uses: FxHashMap<RemoteId, Uses>,
    n_conjunctions: usize,
    /// The sets that a group's rules named when last looked at.
    pub(super) named: FxHashMap<GroupId, Vec<RemoteId>>,
    /// Peers of a set whose flows are on their way.
    pub(super) open: FxHashMap<RemoteId, FxHashSet<Peer>>,
    /// Cells whose flows may carry the number of a segment that is given back.
    pub(super) leaving: FxHashMap<SegKey, BTreeSet<CellId>>,
    /// Numbers in conjunctions.
    pub(super) conj: ConjIds,
}

impl Index {
    /// The profile a port follows.
    pub fn profile(&self, port: PortId) -> Option<&Profile> {
        self.profile_of.get(&port)
    }

    /// `true` while ports follow the profile.
    pub fn is_used(&self, profile: &Profile) -> bool {
        self.users.contains_key(profile)
    }

    /// All profiles in use.
    pub fn profiles(&self) -> impl Iterator<Item = &Profile> {
        self.users.keys()
    }

    /// The ports that an address leads to, in order.
    pub fn at(&self, segment: SegKey, mac: Mac) -> impl Iterator<Item = PortId> {
        self.stations
            .get(&(segment, mac))
            .into_iter()
            .flatten()
            .copied()
    }

    /// The ports that are reached on a segment, in order.
    pub fn on(&self, segment: SegKey) -> impl Iterator<Item = PortId> {
        self.on.get(&segment).into_iter().flatten().copied()
    }

    /// All stations.
    pub fn stations(&self) -> impl Iterator<Item = (SegKey, Mac)> {
        self.stations.keys().copied()
    }

    /// The addresses by which a port is reached.
    pub fn stations_of(&self, port: PortId) -> impl Iterator<Item = (SegKey, Mac)> {
        self.stations_of.get(&port).into_iter().flatten().copied()
    }

    /// The sets that a peer is in, in order.
    pub fn sets_of(&self, peer: &Peer) -> impl Iterator<Item = RemoteId> {
        self.peers
            .get(peer)
            .into_iter()
            .flat_map(|s| s.keys().copied())
    }

    /// All peers.
    pub fn peers(&self) -> impl Iterator<Item = &Peer> {
        self.peers.keys()
    }

    /// The conjunctions of a set that are in use.
    pub fn uses(&self, set: RemoteId) -> Uses {
        self.uses.get(&set).copied().unwrap_or_default()
    }

    /// These conjunctions of a set are in use now.
    pub(super) fn set_uses(&mut self, set: RemoteId, uses: Uses) {
        let old = match uses.is_empty() {
            true => self.uses.remove(&set),
            false => {
                self.conj.claim(set);
                self.uses.insert(set, uses)
            }
        };
        self.n_conjunctions += uses.len();
        self.n_conjunctions -= old.unwrap_or_default().len();
    }

    /// How many ports are judged, by how many profiles, with how many conjunctions.
    pub fn counts(&self) -> Counts {
        Counts {
            ports: self.profile_of.len(),
            profiles: self.users.len(),
            conjunctions: self.n_conjunctions,
        }
    }

    /// The sets in use.
    pub fn sets(&self) -> impl Iterator<Item = RemoteId> {
        self.uses.keys().copied()
    }

    /// A cell that has to let go of a segment's number first.
    pub fn leaving(&self, segment: SegKey) -> Option<&CellId> {
        self.leaving.get(&segment)?.first()
    }

    /// Numbers in conjunctions.
    pub fn conj(&self) -> &ConjIds {
        &self.conj
    }

    /// `true` while flows of members of a set are on their way.
    pub fn is_open(&self, set: RemoteId) -> bool {
        self.open.contains_key(&set)
    }

    /// How many members of a set have flows on their way.
    pub(super) fn n_open(&self, set: RemoteId) -> usize {
        self.open.get(&set).map_or(0, FxHashSet::len)
    }

    /// A member's flows are on their way, or stand. The sets that have none on their way any more.
    pub(super) fn settle(&mut self, peer: Peer, is_settled: bool) -> Vec<RemoteId> {
        let mut closed = Vec::new();
        if !is_settled {
            let sets: Vec<RemoteId> = self.sets_of(&peer).collect();
            for set in sets {
                self.open.entry(set).or_default().insert(peer);
            }
            return closed;
        }
        // Also those that it is in no longer.
        self.open.retain(|set, peers| {
            if peers.remove(&peer) && peers.is_empty() {
                closed.push(*set);
            }
            !peers.is_empty()
        });
        closed
    }

    /// The port should follow this profile now. Those that nobody did before, and those nobody does any more.
    pub(super) fn follow(&mut self, port: PortId, profile: Option<Profile>) -> Vec<Profile> {
        let old = match &profile {
            Some(new) => self.profile_of.insert(port, new.clone()),
            None => self.profile_of.remove(&port),
        };
        if old == profile {
            return Vec::new();
        }
        if let Some(old) = old {
            self.earlier.entry(port).or_default().push(old);
        }
        let Some(new) = profile else {
            return Vec::new();
        };
        if let Some(earlier) = self.earlier.get_mut(&port) {
            earlier.retain(|p| *p != new);
        }
        let users = self.users.entry(new.clone()).or_default();
        let is_new = users.is_empty();
        users.insert(port);
        if is_new { vec![new] } else { Vec::new() }
    }

    /// The port's flows name no profile but its own. Those that nobody follows any more.
    pub(super) fn forget_earlier(&mut self, port: PortId) -> Vec<Profile> {
        let mut unused = Vec::new();
        for profile in self.earlier.remove(&port).unwrap_or_default() {
            if let Some(users) = self.users.get_mut(&profile) {
                users.remove(&port);
                if users.is_empty() {
                    self.users.remove(&profile);
                    unused.push(profile);
                }
            }
        }
        unused
    }

    /// The port is reached by these addresses now. Those that lead elsewhere than before.
    pub(super) fn reach(&mut self, port: PortId, new: Stations) -> Vec<(SegKey, Mac)> {
        let old = match new.is_empty() {
            true => self.stations_of.remove(&port),
            false => self.stations_of.insert(port, new.clone()),
        };
        let old = old.unwrap_or_default();
        for station in old.difference(&new) {
            if let Some(ports) = self.stations.get_mut(station) {
                ports.remove(&port);
                if ports.is_empty() {
                    self.stations.remove(station);
                }
            }
        }
        for (segment, _) in &old {
            if !new.iter().any(|(seg, _)| seg == segment)
                && let Some(ports) = self.on.get_mut(segment)
            {
                ports.remove(&port);
                if ports.is_empty() {
                    self.on.remove(segment);
                }
            }
        }
        for (segment, _) in &new {
            self.on.entry(*segment).or_default().insert(port);
        }
        for station in new.difference(&old) {
            self.stations.entry(*station).or_default().insert(port);
        }
        old.symmetric_difference(&new).copied().collect()
    }

    /// An address came into a set or left it. The peer, if that changes what its flows do.
    pub(super) fn count(&mut self, peer: Peer, set: RemoteId, comes: bool) -> bool {
        if comes {
            let count = self.peers.entry(peer).or_default().entry(set).or_default();
            *count += 1;
            return *count == 1;
        }
        let Some(sets) = self.peers.get_mut(&peer) else {
            return false;
        };
        let Some(count) = sets.get_mut(&set) else {
            return false;
        };
        *count -= 1;
        if *count > 0 {
            return false;
        }
        sets.remove(&set);
        if sets.is_empty() {
            self.peers.remove(&peer);
        }
        true
    }
}
