//! Local VLANs: which number stands for which segment on this host.
//!
//! A number is given when the first port of a segment is wired and taken back when the last one is gone, but it is
//! not given to another segment before every flow of the old one is confirmed removed ([`LocalVlans::drained`]).
//! Numbers that the switch remembers from an earlier life are kept for the segment they stood for until
//! [`LocalVlans::drop_hints`].

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use super::cell::SegKey;
use crate::model::{LocalVlan, NetworkId, NetworkType, VlanHint};

/// What a row in the switch says a number stood for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Remembered {
    network: NetworkId,
    network_type: String,
    physical_network: Option<String>,
    segmentation_id: Option<u32>,
}

/// The allocator.
#[derive(Clone, Debug)]
pub struct LocalVlans {
    of: FxHashMap<SegKey, LocalVlan>,
    users: FxHashMap<SegKey, usize>,
    draining: BTreeMap<SegKey, LocalVlan>,
    free: BTreeSet<u16>,
    hints: FxHashMap<Remembered, LocalVlan>,
    hinted: BTreeSet<u16>,
    /// Numbers given anew, whose conntrack zones may hold what an earlier owner left there.
    unflushed: BTreeSet<u16>,
    max: u16,
}

impl Default for LocalVlans {
    fn default() -> Self {
        Self::with_max(LocalVlan::MAX)
    }
}

impl LocalVlans {
    /// An allocator over 1..=`max`; smaller ones are for tests.
    pub fn with_max(max: u16) -> Self {
        let max = max.min(LocalVlan::MAX);
        LocalVlans {
            of: FxHashMap::default(),
            users: FxHashMap::default(),
            draining: BTreeMap::new(),
            free: (LocalVlan::MIN..=max).collect(),
            hints: FxHashMap::default(),
            hinted: BTreeSet::new(),
            unflushed: BTreeSet::new(),
            max,
        }
    }

    /// The number of a segment.
    pub fn of(&self, segment: SegKey) -> Option<LocalVlan> {
        self.of.get(&segment).copied()
    }

    /// Every segment with a number.
    pub fn iter(&self) -> impl Iterator<Item = (SegKey, LocalVlan)> + '_ {
        self.of.iter().map(|(s, v)| (*s, *v))
    }

    /// Segments whose last port is gone and whose flows are not confirmed removed yet.
    pub fn draining(&self) -> impl Iterator<Item = SegKey> + '_ {
        self.draining.keys().copied()
    }

    /// How many ports are on a segment.
    pub fn n_users(&self, segment: SegKey) -> usize {
        self.users.get(&segment).copied().unwrap_or(0)
    }

    /// A row in the switch remembers a number. The first to name a number keeps it.
    pub fn remember(&mut self, hint: &VlanHint) {
        let Some(vlan) = LocalVlan::new(hint.tag) else {
            return;
        };
        let what = Remembered {
            network: hint.network,
            network_type: hint.network_type.to_string(),
            physical_network: hint.physical_network.as_deref().map(str::to_owned),
            segmentation_id: hint.segmentation_id,
        };
        if self.hints.contains_key(&what) || !self.free.contains(&vlan.number()) {
            return;
        }
        if self.hinted.insert(vlan.number()) {
            self.hints.insert(what, vlan);
        }
    }

    /// Numbers that nobody has asked for are free again.
    pub fn drop_hints(&mut self) {
        self.hints.clear();
        self.hinted.clear();
    }

    /// One more port on a segment; its number, or `None` when all are taken.
    pub fn acquire(&mut self, segment: SegKey, kind: &NetworkType) -> Option<LocalVlan> {
        *self.users.entry(segment).or_insert(0) += 1;
        self.ensure(segment, kind)
    }

    /// The number of a segment in use, given now if it had none.
    pub fn ensure(&mut self, segment: SegKey, kind: &NetworkType) -> Option<LocalVlan> {
        if let Some(vlan) = self.of.get(&segment) {
            return Some(*vlan);
        }
        if let Some(vlan) = self.draining.remove(&segment) {
            self.of.insert(segment, vlan);
            return Some(vlan);
        }
        let what = Remembered {
            network: segment.network,
            network_type: kind.name().to_owned(),
            physical_network: kind.physical_network().map(|p| p.to_string()),
            segmentation_id: kind.segmentation_id(),
        };
        let remembered = self.hints.remove(&what);
        let is_new = remembered.is_none();
        let number = match remembered {
            Some(vlan) => {
                self.hinted.remove(&vlan.number());
                Some(vlan.number())
            }
            None => self.free.iter().find(|n| !self.hinted.contains(n)).copied(),
        }?;
        if is_new {
            self.unflushed.insert(number);
        }
        self.free.remove(&number);
        let vlan = LocalVlan::new(number)?;
        self.of.insert(segment, vlan);
        Some(vlan)
    }

    /// `true` while the conntrack zone of a number may hold connections of whom it stood for before, in this life or in
    /// an earlier one.
    pub fn is_unflushed(&self, number: u16) -> bool {
        self.unflushed.contains(&number)
    }

    /// The zones that are still to be emptied.
    pub fn unflushed(&self) -> impl Iterator<Item = u16> + '_ {
        self.unflushed.iter().copied()
    }

    /// The zone of a number is confirmed empty.
    pub fn flushed(&mut self, number: u16) {
        self.unflushed.remove(&number);
    }

    /// One port less on a segment. `true` if it was the last: the number drains now.
    pub fn release(&mut self, segment: SegKey) -> bool {
        let Some(users) = self.users.get_mut(&segment) else {
            return false;
        };
        *users -= 1;
        if *users > 0 {
            return false;
        }
        self.users.remove(&segment);
        match self.of.remove(&segment) {
            Some(vlan) => {
                self.draining.insert(segment, vlan);
                true
            }
            None => false,
        }
    }

    /// Everything of the segment is confirmed removed: its number may stand for another one.
    pub fn drained(&mut self, segment: SegKey) -> bool {
        match self.draining.remove(&segment) {
            Some(vlan) if vlan.number() <= self.max => self.free.insert(vlan.number()),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SegmentId;
    use uuid::Uuid;

    fn seg(n: u128) -> SegKey {
        SegKey {
            network: NetworkId(Uuid::from_u128(n)),
            segment: SegmentId(Uuid::from_u128(n)),
        }
    }

    #[test]
    fn lowest_free_number_and_not_before_it_is_drained() {
        let mut vlans = LocalVlans::with_max(2);
        assert_eq!(
            vlans.acquire(seg(1), &NetworkType::Local).unwrap().number(),
            1
        );
        assert_eq!(
            vlans.acquire(seg(1), &NetworkType::Local).unwrap().number(),
            1
        );
        assert_eq!(
            vlans.acquire(seg(2), &NetworkType::Local).unwrap().number(),
            2
        );
        assert_eq!(
            vlans.acquire(seg(3), &NetworkType::Local),
            None,
            "exhausted"
        );
        assert!(!vlans.release(seg(1)));
        assert!(vlans.release(seg(1)));
        assert_eq!(
            vlans.ensure(seg(3), &NetworkType::Local),
            None,
            "still draining"
        );
        assert!(vlans.drained(seg(1)));
        assert_eq!(
            vlans.ensure(seg(3), &NetworkType::Local).unwrap().number(),
            1
        );
    }

    #[test]
    fn a_segment_that_comes_back_keeps_its_number() {
        let mut vlans = LocalVlans::default();
        vlans.acquire(seg(1), &NetworkType::Local);
        let vlan = vlans.acquire(seg(2), &NetworkType::Local);
        vlans.release(seg(2));
        assert_eq!(vlans.acquire(seg(2), &NetworkType::Local), vlan);
    }

    #[test]
    fn remembered_numbers_win_and_are_kept_for_their_owner() {
        let mut vlans = LocalVlans::default();
        let hint = |n: u128, tag| VlanHint {
            network: NetworkId(Uuid::from_u128(n)),
            network_type: "local".into(),
            physical_network: None,
            segmentation_id: None,
            tag,
        };
        vlans.remember(&hint(1, 7));
        vlans.remember(&hint(2, 1));
        vlans.remember(&hint(3, 7));
        vlans.remember(&hint(4, 4095));
        assert_eq!(
            vlans.acquire(seg(9), &NetworkType::Local).unwrap().number(),
            2
        );
        assert_eq!(
            vlans.acquire(seg(1), &NetworkType::Local).unwrap().number(),
            7
        );
        assert_eq!(
            vlans.unflushed().collect::<Vec<_>>(),
            [2],
            "what is remembered goes on"
        );
        assert_eq!(
            vlans.acquire(seg(3), &NetworkType::Local).unwrap().number(),
            3,
            "7 was taken first"
        );
        vlans.drop_hints();
        assert_eq!(
            vlans.acquire(seg(5), &NetworkType::Local).unwrap().number(),
            1
        );
    }
}
