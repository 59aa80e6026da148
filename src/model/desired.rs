//! What the control plane wants on this host, as a store that only [`Delta`]s change.
//!
//! Contract with a source: `SnapshotBegin · Upsert… · SnapshotEnd`, then further deltas in the order of the source's
//! change log. A snapshot replaces everything: what it does not mention is gone at its end, and not before. Duplicates
//! are harmless. Held by `plan`'s property tests and by the source tests.

use rustc_hash::{FxHashMap, FxHashSet};

use super::id::{NetworkId, PortId, SubnetId};
use super::network::{Network, Subnet};
use super::port::Port;
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
}

/// The store.
#[derive(Clone, Default, Debug)]
pub struct Desired {
    networks: FxHashMap<NetworkId, Network>,
    subnets: FxHashMap<SubnetId, Subnet>,
    ports: FxHashMap<PortId, Port>,
    endpoints: FxHashSet<Endpoint>,
    ports_of: FxHashMap<NetworkId, FxHashSet<PortId>>,
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
        }
        changes
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
        if let Some(old) = old_network.filter(|old| *old != network) {
            self.unlink(old, id);
        }
        self.ports_of.entry(network).or_default().insert(id);
        self.ports.insert(id, port);
        changes.push(Change::Port { id, old_network });
    }

    fn remove_port(&mut self, id: PortId, changes: &mut Vec<Change>) {
        if let Some(old) = self.ports.remove(&id) {
            self.unlink(old.network, id);
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
}
