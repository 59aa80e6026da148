//! Profiles: what ports with the same groups share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ipnet::IpNet;

use crate::model::{Desired, GroupId, Mac, MemberAddress, PortId, Remote, RemoteId};

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
    /// The ports.
    pub(super) ports: BTreeSet<PortId>,
    /// Indexes of remote sets, the first is 1.
    pub(super) slots: BTreeMap<RemoteId, u16>,
    /// Prefixes and MAC addresses.
    pub(super) nets: BTreeMap<Source, u16>,
    /// The number that was given last. They ascend and begin again at the end: what one number allowed may still stand
    /// for a moment when another prefix comes.
    pub(super) last_net: u16,
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

    /// The highest index in use.
    pub(super) fn width(&self) -> u16 {
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

/// The remote sets that the rules of these groups name, and the prefixes and MAC addresses that have to be numbered.
pub(super) fn sources(
    groups: &[GroupId],
    desired: &Desired,
) -> (BTreeSet<RemoteId>, BTreeSet<Source>) {
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
