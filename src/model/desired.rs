//! What the control plane wants on this host, as a store that only [`Delta`]s change.
//!
//! Contract with a source: `SnapshotBegin · Upsert… · SnapshotEnd`, then further deltas in the order of the source's
//! change log. A snapshot replaces everything: what it does not mention is gone at its end, and not before. Duplicates
//! are harmless. Held by `plan`'s property tests and by the source tests.

use rustc_hash::{FxHashMap, FxHashSet};

use super::id::{GroupId, MemberId, NetworkId, PortId, SubnetId};
use super::network::{Network, Subnet};
use super::port::Port;
use super::remote::RemoteSet;
use super::secgroup::{Member, MemberAddress, RemoteId, SecurityGroup};
use super::tunnel::Endpoint;

/// One step of the source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Delta {
    /// A complete listing follows.
    SnapshotBegin,
    /// The listing is complete: what was not in it is gone.
    SnapshotEnd,
    /// A network is new or changed.
    Network(Network),
    /// A network is gone.
    NetworkGone(NetworkId),
    /// A subnet is new or changed.
    Subnet(Subnet),
    /// A subnet is gone.
    SubnetGone(SubnetId),
    /// A port bound to this host is new or changed.
    Port(Port),
    /// A port is gone, or bound elsewhere.
    PortGone(PortId),
    /// A tunnel endpoint (of any host, this one included) exists.
    Endpoint(Endpoint),
    /// A tunnel endpoint is gone.
    EndpointGone(Endpoint),
    /// A security group that ports of this host are in is new or changed.
    Group(SecurityGroup),
    /// A security group is gone, or no port of this host is in it any more.
    GroupGone(GroupId),
    /// What one member contributes to a set that rules of a known group name, or does no longer.
    Member(Member),
    /// A set is gone, or no rule of a known group names it any more.
    RemoteGone(RemoteId),
}

/// What a delta really changed: the planner's fan-out starts here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// The first or a later snapshot became complete.
    Complete,
    /// This network differs; `None` before means new, `None` after means gone.
    Network { id: NetworkId },
    /// This port differs. Its network before the change, if it had one.
    Port {
        id: PortId,
        old_network: Option<NetworkId>,
    },
    /// This endpoint came or went.
    Endpoint(Endpoint),
    /// This group differs, is new or gone: its rules, or whether it is stateful.
    Group {
        /// Which.
        id: GroupId,
    },
    /// The addresses of this set differ: these were not in it before, those are not in it now.
    Remote {
        /// Which.
        id: RemoteId,
        /// New ones.
        added: Vec<MemberAddress>,
        /// Those gone.
        removed: Vec<MemberAddress>,
    },
}

/// How much there is of the sets that rules of known groups name; kept on change.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct SetCounts {
    /// Security groups named as the remote end.
    pub groups: usize,
    /// Address groups named as the remote end.
    pub address_groups: usize,
    /// Addresses in all of them; one in two sets counts twice.
    pub addresses: usize,
}

impl SetCounts {
    /// The count of the sets of that kind.
    fn of_kind(&mut self, id: RemoteId) -> &mut usize {
        match id {
            RemoteId::Group(_) => &mut self.groups,
            RemoteId::Addresses(_) => &mut self.address_groups,
        }
    }
}

/// The store.
#[derive(Clone, Default, Debug)]
pub struct Desired {
    networks: FxHashMap<NetworkId, Network>,
    subnets: FxHashMap<SubnetId, Subnet>,
    ports: FxHashMap<PortId, Port>,
    endpoints: FxHashSet<Endpoint>,
    groups: FxHashMap<GroupId, SecurityGroup>,
    remotes: FxHashMap<RemoteId, RemoteSet>,
    ports_of: FxHashMap<NetworkId, FxHashSet<PortId>>,
    ports_in: FxHashMap<GroupId, FxHashSet<PortId>>,
    groups_naming: FxHashMap<RemoteId, FxHashSet<GroupId>>,
    set_counts: SetCounts,
    snapshot: Option<Seen>,
    complete: bool,
}

/// What a running snapshot has mentioned so far.
#[derive(Clone, Default, Debug)]
struct Seen {
    networks: FxHashSet<NetworkId>,
    subnets: FxHashSet<SubnetId>,
    ports: FxHashSet<PortId>,
    endpoints: FxHashSet<Endpoint>,
    groups: FxHashSet<GroupId>,
    members: FxHashMap<RemoteId, FxHashSet<MemberId>>,
}

impl Desired {
    /// `true` once the first complete snapshot was taken in. Nothing is removed before.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// A network by id.
    pub fn network(&self, id: NetworkId) -> Option<&Network> {
        self.networks.get(&id)
    }

    /// A port by id.
    pub fn port(&self, id: PortId) -> Option<&Port> {
        self.ports.get(&id)
    }

    /// All networks.
    pub fn networks(&self) -> impl Iterator<Item = &Network> {
        self.networks.values()
    }

    /// All subnets.
    pub fn subnets(&self) -> impl Iterator<Item = &Subnet> {
        self.subnets.values()
    }

    /// All ports.
    pub fn ports(&self) -> impl Iterator<Item = &Port> {
        self.ports.values()
    }

    /// The ports on a network, in no order.
    pub fn ports_on(&self, network: NetworkId) -> impl Iterator<Item = PortId> {
        self.ports_of.get(&network).into_iter().flatten().copied()
    }

    /// All tunnel endpoints, this host's own included.
    pub fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.endpoints.iter()
    }

    /// `true` if the endpoint is wanted.
    pub fn has_endpoint(&self, endpoint: &Endpoint) -> bool {
        self.endpoints.contains(endpoint)
    }

    /// A security group by id.
    pub fn group(&self, id: GroupId) -> Option<&SecurityGroup> {
        self.groups.get(&id)
    }

    /// All security groups that are known.
    pub fn groups(&self) -> impl Iterator<Item = &SecurityGroup> {
        self.groups.values()
    }

    /// The ports of this host in a group, in no order.
    pub fn ports_in(&self, group: GroupId) -> impl Iterator<Item = PortId> {
        self.ports_in.get(&group).into_iter().flatten().copied()
    }

    /// The addresses of a set; `None` if it has none.
    pub fn remote(&self, id: RemoteId) -> Option<&RemoteSet> {
        self.remotes.get(&id)
    }

    /// All sets that have addresses.
    pub fn remotes(&self) -> impl Iterator<Item = (RemoteId, &RemoteSet)> {
        self.remotes.iter().map(|(id, set)| (*id, set))
    }

    /// The known groups with a rule that names the set, in no order.
    pub fn groups_naming(&self, remote: RemoteId) -> impl Iterator<Item = GroupId> {
        self.groups_naming
            .get(&remote)
            .into_iter()
            .flatten()
            .copied()
    }

    /// How many sets rules name, and how many addresses those have.
    pub fn set_counts(&self) -> SetCounts {
        self.set_counts
    }

    /// Takes one delta in and says what really changed. An equal upsert changes nothing.
    pub fn apply(&mut self, delta: Delta) -> Vec<Change> {
        let mut changes = Vec::new();
        match delta {
            Delta::SnapshotBegin => self.snapshot = Some(Seen::default()),
            Delta::SnapshotEnd => self.finish_snapshot(&mut changes),
            Delta::Network(network) => {
                if let Some(seen) = &mut self.snapshot {
                    seen.networks.insert(network.id);
                }
                let id = network.id;
                if self.networks.get(&id) != Some(&network) {
                    self.networks.insert(id, network);
                    changes.push(Change::Network { id });
                }
            }
            Delta::NetworkGone(id) => self.remove_network(id, &mut changes),
            Delta::Subnet(subnet) => {
                if let Some(seen) = &mut self.snapshot {
                    seen.subnets.insert(subnet.id);
                }
                self.subnets.insert(subnet.id, subnet);
            }
            Delta::SubnetGone(id) => {
                self.subnets.remove(&id);
            }
            Delta::Port(port) => self.upsert_port(port, &mut changes),
            Delta::PortGone(id) => self.remove_port(id, &mut changes),
            Delta::Endpoint(endpoint) => {
                if let Some(seen) = &mut self.snapshot {
                    seen.endpoints.insert(endpoint.clone());
                }
                if self.endpoints.insert(endpoint.clone()) {
                    changes.push(Change::Endpoint(endpoint));
                }
            }
            Delta::EndpointGone(endpoint) => {
                if self.endpoints.remove(&endpoint) {
                    changes.push(Change::Endpoint(endpoint));
                }
            }
            Delta::Group(group) => self.upsert_group(group, &mut changes),
            Delta::GroupGone(id) => self.remove_group(id, &mut changes),
            Delta::Member(member) => self.upsert_member(member, &mut changes),
            Delta::RemoteGone(id) => self.remove_remote(id, &mut changes),
        }
        changes
    }

    fn upsert_group(&mut self, group: SecurityGroup, changes: &mut Vec<Change>) {
        if let Some(seen) = &mut self.snapshot {
            seen.groups.insert(group.id);
        }
        let id = group.id;
        let old = self.groups.get(&id);
        if old == Some(&group) {
            return;
        }
        // A name or a problem is for people; it moves no packet.
        let same = old.is_some_and(|o| o.stateful == group.stateful && o.rules == group.rules);
        if !same {
            self.forget_names(id);
            for remote in group.remotes() {
                let naming = self.groups_naming.entry(remote).or_default();
                if naming.is_empty() {
                    *self.set_counts.of_kind(remote) += 1;
                }
                naming.insert(id);
            }
            changes.push(Change::Group { id });
        }
        self.groups.insert(id, group);
    }

    fn remove_group(&mut self, id: GroupId, changes: &mut Vec<Change>) {
        self.forget_names(id);
        if self.groups.remove(&id).is_some() {
            changes.push(Change::Group { id });
        }
    }

    /// Takes a group out of the index of those that name a set.
    fn forget_names(&mut self, id: GroupId) {
        let Some(old) = self.groups.get(&id) else {
            return;
        };
        for remote in old.remotes() {
            if let Some(naming) = self.groups_naming.get_mut(&remote) {
                naming.remove(&id);
                if naming.is_empty() {
                    self.groups_naming.remove(&remote);
                    *self.set_counts.of_kind(remote) -= 1;
                }
            }
        }
    }

    fn upsert_member(&mut self, member: Member, changes: &mut Vec<Change>) {
        if let Some(seen) = &mut self.snapshot {
            seen.members
                .entry(member.set)
                .or_default()
                .insert(member.id);
        }
        let id = member.set;
        let set = self.remotes.entry(id).or_default();
        let (added, removed) = set.contribute(member.id, member.addresses);
        if set.is_empty() {
            self.remotes.remove(&id);
        }
        self.set_counts.addresses += added.len();
        self.set_counts.addresses -= removed.len();
        if !added.is_empty() || !removed.is_empty() {
            changes.push(Change::Remote { id, added, removed });
        }
    }

    fn remove_remote(&mut self, id: RemoteId, changes: &mut Vec<Change>) {
        if let Some(set) = self.remotes.remove(&id) {
            self.set_counts.addresses -= set.len();
            changes.push(Change::Remote {
                id,
                added: Vec::new(),
                removed: set.addresses().collect(),
            });
        }
    }

    fn upsert_port(&mut self, port: Port, changes: &mut Vec<Change>) {
        if let Some(seen) = &mut self.snapshot {
            seen.ports.insert(port.id);
        }
        let (id, network) = (port.id, port.network);
        let old = self.ports.get(&id);
        if old == Some(&port) {
            return;
        }
        let old_network = old.map(|p| p.network);
        let old_groups = old.map(|p| p.groups.clone()).unwrap_or_default();
        if let Some(old) = old_network.filter(|old| *old != network) {
            self.unlink(old, id);
        }
        for group in old_groups.iter().filter(|g| !port.groups.contains(g)) {
            self.leave(*group, id);
        }
        for group in &port.groups {
            self.ports_in.entry(*group).or_default().insert(id);
        }
        self.ports_of.entry(network).or_default().insert(id);
        self.ports.insert(id, port);
        changes.push(Change::Port { id, old_network });
    }

    fn remove_port(&mut self, id: PortId, changes: &mut Vec<Change>) {
        if let Some(old) = self.ports.remove(&id) {
            self.unlink(old.network, id);
            for group in &old.groups {
                self.leave(*group, id);
            }
            changes.push(Change::Port {
                id,
                old_network: Some(old.network),
            });
        }
    }

    fn remove_network(&mut self, id: NetworkId, changes: &mut Vec<Change>) {
        if self.networks.remove(&id).is_some() {
            changes.push(Change::Network { id });
        }
    }

    fn unlink(&mut self, network: NetworkId, port: PortId) {
        if let Some(ports) = self.ports_of.get_mut(&network) {
            ports.remove(&port);
            if ports.is_empty() {
                self.ports_of.remove(&network);
            }
        }
    }

    fn leave(&mut self, group: GroupId, port: PortId) {
        if let Some(ports) = self.ports_in.get_mut(&group) {
            ports.remove(&port);
            if ports.is_empty() {
                self.ports_in.remove(&group);
            }
        }
    }

    fn finish_snapshot(&mut self, changes: &mut Vec<Change>) {
        let Some(seen) = self.snapshot.take() else {
            return;
        };
        let gone: Vec<_> = self
            .ports
            .keys()
            .filter(|id| !seen.ports.contains(id))
            .copied()
            .collect();
        for id in gone {
            self.remove_port(id, changes);
        }
        let gone: Vec<_> = self
            .networks
            .keys()
            .filter(|id| !seen.networks.contains(id))
            .copied()
            .collect();
        for id in gone {
            self.remove_network(id, changes);
        }
        self.subnets.retain(|id, _| seen.subnets.contains(id));
        let gone: Vec<_> = self
            .groups
            .keys()
            .filter(|id| !seen.groups.contains(id))
            .copied()
            .collect();
        for id in gone {
            self.remove_group(id, changes);
        }
        self.forget_members(&seen.members, changes);
        let gone: Vec<_> = self
            .endpoints
            .iter()
            .filter(|e| !seen.endpoints.contains(*e))
            .cloned()
            .collect();
        for endpoint in gone {
            self.endpoints.remove(&endpoint);
            changes.push(Change::Endpoint(endpoint));
        }
        self.complete = true;
        changes.push(Change::Complete);
    }

    /// Members that a snapshot did not mention are gone.
    fn forget_members(
        &mut self,
        seen: &FxHashMap<RemoteId, FxHashSet<MemberId>>,
        changes: &mut Vec<Change>,
    ) {
        let ids: Vec<RemoteId> = self.remotes.keys().copied().collect();
        for id in ids {
            let Some(seen) = seen.get(&id) else {
                self.remove_remote(id, changes);
                continue;
            };
            let gone: Vec<MemberId> = self
                .remotes
                .get(&id)
                .into_iter()
                .flat_map(RemoteSet::members)
                .filter(|member| !seen.contains(member))
                .collect();
            for member in gone {
                let addresses = Vec::new();
                let set = id;
                let id = member;
                self.upsert_member(Member { set, id, addresses }, changes);
            }
        }
    }
}
