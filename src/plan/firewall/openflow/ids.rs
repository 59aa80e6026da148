//! What flows of the firewall are about: profiles and peers, and the numbers that stand for them in registers and
//! conjunctions.
//!
//! Numbers are hashes of what they stand for, so a restart finds the ones that stand without having kept any. A
//! profile's has 64 bits. A conjunction's has 30 and two for direction and family; two sets that fall on one number
//! are told apart by [`ConjIds`], which never gives a number to a second set in the life of the agent.

use std::fmt;
use std::sync::Arc;

use ipnet::IpNet;
use rustc_hash::FxHashMap;

use crate::model::{
    Desired, Direction, Family, GroupId, Mac, MemberAddress, Port, RemoteId, SecurityGroup,
};

/// What ports with the same security groups have in common: their rules, once for all of them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Profile {
    /// The groups, sorted.
    pub groups: Arc<[GroupId]>,
    /// `false`: packets are judged one by one.
    pub stateful: bool,
}

impl Profile {
    /// The profile of a port. A port in groups of both kinds follows the first one that has rules.
    pub fn of(port: &Port, desired: &Desired) -> Profile {
        let known = port.groups.iter().filter_map(|id| desired.group(*id));
        let first = known
            .clone()
            .find(|group| !group.rules.is_empty())
            .or_else(|| known.clone().next());
        Profile {
            groups: port.groups.as_slice().into(),
            stateful: first.is_none_or(|group| group.stateful),
        }
    }

    /// What stands for it in two registers.
    pub fn number(&self) -> u64 {
        let mut hash = Fnv::new();
        hash.bytes(&[u8::from(self.stateful)]);
        for group in self.groups.iter() {
            hash.bytes(group.0.as_bytes());
        }
        hash.finish()
    }

    /// Its groups, as far as they are known.
    pub fn known<'a>(&self, desired: &'a Desired) -> impl Iterator<Item = &'a SecurityGroup> {
        self.groups.iter().filter_map(|id| desired.group(*id))
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.number())
    }
}

/// An address of remote sets, as flows match it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Peer {
    /// The address or prefix.
    pub prefix: IpNet,
    /// The hardware address that stands for a prefix of length 0; `None` for every other.
    pub mac: Option<Mac>,
}

impl Peer {
    /// `None` for the one that would be everybody.
    pub fn of(address: &MemberAddress) -> Option<Peer> {
        let prefix = address.prefix.trunc();
        if prefix.prefix_len() > 0 {
            return Some(Peer { prefix, mac: None });
        }
        address.mac.map(|mac| Peer {
            prefix,
            mac: Some(mac),
        })
    }

    /// Its family.
    pub fn family(&self) -> Family {
        Family::of_net(self.prefix)
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mac {
            None => write!(f, "{}", self.prefix),
            Some(mac) => write!(f, "{} {mac}", self.prefix),
        }
    }
}

/// Which conjunctions of a set some rule uses: a bit per direction and family.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Uses(u8);

impl Uses {
    fn bit(direction: Direction, family: Family) -> u8 {
        (u8::from(direction == Direction::Egress) << 1) | u8::from(family == Family::V6)
    }

    /// Adds one.
    pub fn add(&mut self, direction: Direction, family: Family) {
        self.0 |= 1 << Uses::bit(direction, family);
    }

    /// `true` if it is among them.
    pub fn has(self, direction: Direction, family: Family) -> bool {
        self.0 & (1 << Uses::bit(direction, family)) != 0
    }

    /// How many.
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// `true` if no rule names the set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// The numbers of sets in conjunctions.
#[derive(Clone, Default, Debug)]
pub struct ConjIds {
    of: FxHashMap<RemoteId, u32>,
    taken: FxHashMap<u32, RemoteId>,
}

/// Numbers of sets: 30 bits, and no conjunction is 0.
const SETS: u32 = 1 << 30;

impl ConjIds {
    /// A set is going to be used.
    pub fn claim(&mut self, set: RemoteId) {
        if self.of.contains_key(&set) {
            return;
        }
        let mut number = hash_of(set);
        while number == 0 || self.taken.contains_key(&number) {
            number = (number + 1) % SETS;
        }
        self.of.insert(set, number);
        self.taken.insert(number, set);
    }

    /// The number of one of its conjunctions.
    pub fn of(&self, set: RemoteId, direction: Direction, family: Family) -> Option<u32> {
        let number = self.of.get(&set)?;
        Some((number << 2) | u32::from(Uses::bit(direction, family)))
    }
}

fn hash_of(set: RemoteId) -> u32 {
    let mut hash = Fnv::new();
    match set {
        RemoteId::Group(id) => {
            hash.bytes(b"g");
            hash.bytes(id.0.as_bytes());
        }
        RemoteId::Addresses(id) => {
            hash.bytes(b"a");
            hash.bytes(id.0.as_bytes());
        }
    }
    let [_, _, _, _, a, b, c, d] = hash.finish().to_be_bytes();
    u32::from_be_bytes([a, b, c, d]) % SETS
}

/// FNV-1a, 64 bits, its bits mixed in the end: the same on every host and in every release.
struct Fnv(u64);

impl Fnv {
    fn new() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        let mut x = self.0;
        for factor in [0xff51_afd7_ed55_8ccd, 0xc4ce_b9fe_1a85_ec53] {
            x = (x ^ (x >> 33)).wrapping_mul(factor);
        }
        x ^ (x >> 33)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn set(n: u128) -> RemoteId {
        RemoteId::Group(GroupId(Uuid::from_u128(n)))
    }

    #[test]
    fn numbers_are_the_same_in_every_life_and_never_shared() {
        let (mut first, mut second) = (ConjIds::default(), ConjIds::default());
        for n in 0..1000 {
            first.claim(set(n));
            second.claim(set(999 - n));
        }
        let mut seen = std::collections::BTreeSet::new();
        for n in 0..1000 {
            for direction in Direction::ALL {
                for family in Family::ALL {
                    let id = first.of(set(n), direction, family).unwrap();
                    assert_eq!(second.of(set(n), direction, family), Some(id));
                    assert!(id > 0 && seen.insert(id));
                }
            }
        }
        // Another set on a number that is taken.
        let mut ids = ConjIds::default();
        ids.taken.insert(hash_of(set(1)), set(2));
        ids.claim(set(1));
        assert_ne!(
            ids.of(set(1), Direction::Ingress, Family::V4),
            Some(hash_of(set(1)) << 2)
        );
        assert_eq!(ids.of(set(7), Direction::Ingress, Family::V4), None);
    }

    #[test]
    fn a_prefix_of_length_0_counts_with_its_mac_alone() {
        let address = |prefix: &str, mac| MemberAddress {
            prefix: prefix.parse().unwrap(),
            mac,
        };
        let mac = Some(Mac([2, 0, 0, 0, 0, 1]));
        assert_eq!(Peer::of(&address("0.0.0.0/0", None)), None);
        assert_eq!(Peer::of(&address("::/0", mac)).unwrap().mac, mac);
        assert_eq!(Peer::of(&address("10.0.0.1/32", mac)).unwrap().mac, None);
    }
}
