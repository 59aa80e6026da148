//! The addresses of a remote group or address group, kept per member so that one that two members share stays until
//! both are gone.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use rustc_hash::FxHashMap;

use super::id::{GroupId, MemberId};
use super::secgroup::{MemberAddress, Remote, RemoteId, SecurityGroup};

/// See the module.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct RemoteSet {
    members: FxHashMap<MemberId, Vec<MemberAddress>>,
    counts: BTreeMap<MemberAddress, u32>,
    /// Those that are no single address.
    nets: BTreeSet<MemberAddress>,
}

fn is_net(address: &MemberAddress) -> bool {
    address.prefix.prefix_len() < address.prefix.max_prefix_len()
}

impl RemoteSet {
    /// The addresses, each once, in order.
    pub fn addresses(&self) -> impl Iterator<Item = MemberAddress> {
        self.counts.keys().copied()
    }

    /// The addresses that are no single ones, each once, in order.
    pub fn nets(&self) -> impl Iterator<Item = MemberAddress> {
        self.nets.iter().copied()
    }

    /// `true` if some member contributes this prefix, whatever the MAC address.
    pub fn has_prefix(&self, prefix: IpNet) -> bool {
        let first = MemberAddress { prefix, mac: None };
        self.counts
            .range(first..)
            .next()
            .is_some_and(|(address, _)| address.prefix == prefix)
    }

    /// `true` if some member contributes this address.
    pub fn contains(&self, address: &MemberAddress) -> bool {
        self.counts.contains_key(address)
    }

    /// How many addresses.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// `true` if there are none.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Who contributes, in no order.
    pub fn members(&self) -> impl Iterator<Item = MemberId> {
        self.members.keys().copied()
    }

    /// Replaces what a member contributes. What is in the set now and was not, and the other way round.
    pub fn contribute(
        &mut self,
        member: MemberId,
        addresses: Vec<MemberAddress>,
    ) -> (Vec<MemberAddress>, Vec<MemberAddress>) {
        let old = self.members.remove(&member).unwrap_or_default();
        let mut added = Vec::new();
        let mut removed = Vec::new();
        for address in &addresses {
            if !old.contains(address) {
                let count = self.counts.entry(*address).or_default();
                *count += 1;
                if *count == 1 {
                    if is_net(address) {
                        self.nets.insert(*address);
                    }
                    added.push(*address);
                }
            }
        }
        for address in old {
            if addresses.contains(&address) {
                continue;
            }
            if let Some(count) = self.counts.get_mut(&address) {
                *count -= 1;
                if *count == 0 {
                    self.counts.remove(&address);
                    self.nets.remove(&address);
                    removed.push(address);
                }
            }
        }
        if !addresses.is_empty() {
            self.members.insert(member, addresses);
        }
        (added, removed)
    }
}

impl SecurityGroup {
    /// The sets that its rules name, each once, in order.
    pub fn remotes(&self) -> Vec<RemoteId> {
        let mut sets: Vec<RemoteId> = self
            .rules
            .iter()
            .filter_map(|rule| match rule.remote {
                Remote::Set(id) => Some(id),
                Remote::Any | Remote::Prefix(_) => None,
            })
            .collect();
        sets.sort_unstable();
        sets.dedup();
        sets
    }
}

impl From<GroupId> for RemoteId {
    fn from(id: GroupId) -> RemoteId {
        RemoteId::Group(id)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn member(n: u128) -> MemberId {
        MemberId(Uuid::from_u128(n))
    }

    fn address(text: &str) -> MemberAddress {
        MemberAddress {
            prefix: text.parse().unwrap(),
            mac: None,
        }
    }

    #[test]
    fn a_shared_address_stays_until_the_last_member_leaves() {
        let (a, b) = (address("10.0.0.1/32"), address("10.0.0.2/32"));
        let mut set = RemoteSet::default();
        assert_eq!(set.contribute(member(1), vec![a, b]), (vec![a, b], vec![]));
        assert_eq!(set.contribute(member(2), vec![a]), (vec![], vec![]));
        assert_eq!(set.contribute(member(1), vec![]), (vec![], vec![b]));
        assert_eq!(set.contribute(member(1), vec![]), (vec![], vec![]));
        assert_eq!(set.contribute(member(2), vec![b]), (vec![b], vec![a]));
        assert_eq!(set.addresses().collect::<Vec<_>>(), [b]);
        assert_eq!(set.members().collect::<Vec<_>>(), [member(2)]);
    }
}
