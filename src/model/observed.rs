//! What is there, as the switch and the kernel tell it: a store that only [`Fact`]s change.
//!
//! A fact is a whole object, never a difference: applying it twice is harmless. After a lost connection the executor
//! sends what it finds and then [`Fact::SwitchComplete`]; what was not mentioned again is gone then, and not before.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use uuid::Uuid;

use super::addr::Mac;
use super::id::{NetworkId, Ofport, PortId};

/// Where the switch stands with a port's OpenFlow number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OfportState {
    /// `ovs-vswitchd` has not looked at it yet.
    Unassigned,
    /// It could not be added to the datapath (-1).
    Failed,
    /// It has this number.
    Assigned(Ofport),
}

/// The local VLAN that a port's row remembers, as Neutron's agent writes it into `Port.other_config`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct VlanHint {
    /// `net_uuid`.
    pub network: NetworkId,
    /// `network_type`.
    pub network_type: Arc<str>,
    /// `physical_network`; the text `None` stands for its absence.
    pub physical_network: Option<Arc<str>>,
    /// `segmentation_id`, absent for types without one.
    pub segmentation_id: Option<u32>,
    /// `tag`.
    pub tag: u16,
}

/// A row of the Bridge table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BridgeFact {
    /// `name`.
    pub name: Arc<str>,
    /// `datapath_type`.
    pub datapath_type: Arc<str>,
    /// `fail_mode`, if set.
    pub fail_mode: Option<Arc<str>>,
    /// `external_ids:vifd-owner`.
    pub owner: Option<Arc<str>>,
}

/// A row of the Port table with its (first) Interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PortFact {
    /// `Port.name`.
    pub name: Arc<str>,
    /// `Port._uuid`: what is plugged anew under the same name has another one.
    pub row: Uuid,
    /// The bridge it is on.
    pub bridge: Arc<str>,
    /// `Port.tag`.
    pub tag: Option<u16>,
    /// `true` if `Port.vlan_mode` or `Port.trunks` is set.
    pub trunk: bool,
    /// The keys of `Port.other_config` that name a local VLAN, if all are there and readable.
    pub hint: Option<VlanHint>,
    /// `Port.external_ids:vifd-owner`.
    pub owner: Option<Arc<str>>,
    /// `Interface.type`; empty for a device of the system.
    pub kind: Arc<str>,
    /// `Interface.options`.
    pub options: BTreeMap<Arc<str>, Arc<str>>,
    /// `Interface.ofport`.
    pub ofport: OfportState,
    /// `Interface.error`.
    pub error: Option<Arc<str>>,
    /// `Interface.external_ids:iface-id`, if it is a UUID.
    pub iface_id: Option<PortId>,
    /// `Interface.external_ids:attached-mac`.
    pub attached_mac: Option<Mac>,
}

impl PortFact {
    /// `true` if it carries the tag that it remembers.
    pub fn is_wired(&self) -> bool {
        self.hint
            .as_ref()
            .is_some_and(|hint| self.tag == Some(hint.tag))
    }
}

/// A network device of the host's namespace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkFact {
    /// Its name.
    pub name: Arc<str>,
    /// Its MTU in bytes.
    pub mtu: u32,
    /// `IFF_UP`.
    pub up: bool,
    /// A bridge that hands its packets to the hooks of IPv4 and IPv6 by its own setting.
    pub netfilter: bool,
}

/// One observation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fact {
    /// The OVSDB replica starts over; listings follow.
    SwitchBegin,
    /// The OVSDB replica holds everything there is.
    SwitchComplete {
        /// `Open_vSwitch.cur_cfg` at that time.
        cur_cfg: i64,
        /// `Open_vSwitch.next_cfg` at that time.
        next_cfg: i64,
    },
    /// The connection to ovsdb-server is gone. What was seen stays until told otherwise.
    SwitchLost {
        /// Why, in words for a person.
        reason: Arc<str>,
    },
    /// A bridge is new or changed.
    Bridge(BridgeFact),
    /// A bridge is gone.
    BridgeGone(Arc<str>),
    /// A port is new or changed.
    Port(PortFact),
    /// A port is gone.
    PortGone(Arc<str>),
    /// `ovs-vswitchd` has applied everything up to this `next_cfg`.
    Applied(i64),
    /// A device is new or changed.
    Link(LinkFact),
    /// A device is gone.
    LinkGone(Arc<str>),
    /// A local address is there.
    Address(IpAddr),
    /// A local address is gone.
    AddressGone(IpAddr),
    /// All devices and addresses were told.
    LinksComplete,
}

/// What a running listing has mentioned so far.
#[derive(Clone, Default, Debug)]
struct Listing {
    bridges: FxHashSet<Arc<str>>,
    ports: FxHashSet<Arc<str>>,
}

/// The store.
#[derive(Clone, Default, Debug)]
pub struct Observed {
    bridges: FxHashMap<Arc<str>, BridgeFact>,
    ports: FxHashMap<Arc<str>, PortFact>,
    links: FxHashMap<Arc<str>, LinkFact>,
    addresses: FxHashSet<IpAddr>,
    vifs: FxHashMap<PortId, Vec<Arc<str>>>,
    owned: FxHashSet<Arc<str>>,
    listing: Option<Listing>,
    switch_complete: bool,
    switch_up: bool,
    links_complete: bool,
    cur_cfg: i64,
    next_cfg: i64,
}

/// What a fact really changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Seen {
    /// The OVSDB replica became complete (again).
    SwitchComplete,
    /// The connection to ovsdb-server went.
    SwitchLost,
    /// This bridge differs.
    Bridge(Arc<str>),
    /// This port differs; as it was before, if it was.
    Port {
        /// Its name.
        name: Arc<str>,
        /// Before the change.
        old: Option<Box<PortFact>>,
    },
    /// `cur_cfg` moved.
    Applied(i64),
    /// This device differs.
    Link(Arc<str>),
    /// This address came or went.
    Address(IpAddr),
    /// All devices are known.
    LinksComplete,
}

impl Observed {
    /// `true` once the replica was complete for the first time.
    pub fn switch_complete(&self) -> bool {
        self.switch_complete
    }

    /// `true` while the connection to ovsdb-server stands and the replica is complete.
    pub fn switch_up(&self) -> bool {
        self.switch_up
    }

    /// `true` once all devices and addresses were told.
    pub fn links_complete(&self) -> bool {
        self.links_complete
    }

    /// The last `cur_cfg`.
    pub fn cur_cfg(&self) -> i64 {
        self.cur_cfg
    }

    /// `next_cfg` when the replica was last complete.
    pub fn next_cfg(&self) -> i64 {
        self.next_cfg
    }

    /// A bridge by name.
    pub fn bridge(&self, name: &str) -> Option<&BridgeFact> {
        self.bridges.get(name)
    }

    /// All bridges.
    pub fn bridges(&self) -> impl Iterator<Item = &BridgeFact> {
        self.bridges.values()
    }

    /// A port by name.
    pub fn port(&self, name: &str) -> Option<&PortFact> {
        self.ports.get(name)
    }

    /// All ports.
    pub fn ports(&self) -> impl Iterator<Item = &PortFact> {
        self.ports.values()
    }

    /// The names of the ports that carry somebody's ownership mark.
    pub fn owned(&self) -> impl Iterator<Item = &Arc<str>> {
        self.owned.iter()
    }

    /// A device by name.
    pub fn link(&self, name: &str) -> Option<&LinkFact> {
        self.links.get(name)
    }

    /// All devices.
    pub fn links(&self) -> impl Iterator<Item = &LinkFact> {
        self.links.values()
    }

    /// `true` if the address is on a device of the host.
    pub fn has_address(&self, ip: IpAddr) -> bool {
        self.addresses.contains(&ip)
    }

    /// All local addresses.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.addresses.iter().copied()
    }

    /// The VIFs with this `iface-id` on the given bridge, in order of name.
    pub fn vifs<'a>(&'a self, port: PortId, bridge: &'a str) -> impl Iterator<Item = &'a PortFact> {
        self.vifs
            .get(&port)
            .into_iter()
            .flatten()
            .filter_map(|name| self.ports.get(name))
            .filter(move |fact| &*fact.bridge == bridge)
    }

    /// The VIF that stands for a port: of several with its id the one that is wired already, else the first by name.
    pub fn vif<'a>(&'a self, port: PortId, bridge: &'a str) -> Option<&'a PortFact> {
        self.vifs(port, bridge).min_by_key(|fact| !fact.is_wired())
    }

    /// Takes one fact in and says what really changed.
    pub fn apply(&mut self, fact: Fact) -> Vec<Seen> {
        match fact {
            Fact::SwitchBegin => {
                self.listing = Some(Default::default());
                Vec::new()
            }
            Fact::SwitchComplete { cur_cfg, next_cfg } => {
                self.next_cfg = next_cfg;
                self.complete(cur_cfg)
            }
            Fact::SwitchLost { .. } => {
                self.listing = None;
                let was_up = std::mem::replace(&mut self.switch_up, false);
                if was_up {
                    vec![Seen::SwitchLost]
                } else {
                    Vec::new()
                }
            }
            Fact::Bridge(bridge) => {
                if let Some(listing) = &mut self.listing {
                    listing.bridges.insert(bridge.name.clone());
                }
                if self.bridges.get(&bridge.name) == Some(&bridge) {
                    return Vec::new();
                }
                let name = bridge.name.clone();
                self.bridges.insert(name.clone(), bridge);
                vec![Seen::Bridge(name)]
            }
            Fact::BridgeGone(name) => match self.bridges.remove(&name) {
                Some(_) => vec![Seen::Bridge(name)],
                None => Vec::new(),
            },
            Fact::Port(port) => {
                if let Some(listing) = &mut self.listing {
                    listing.ports.insert(port.name.clone());
                }
                self.upsert_port(port).into_iter().collect()
            }
            Fact::PortGone(name) => self.remove_port(&name).into_iter().collect(),
            Fact::Applied(cfg) => {
                if std::mem::replace(&mut self.cur_cfg, cfg) == cfg {
                    return Vec::new();
                }
                vec![Seen::Applied(cfg)]
            }
            Fact::Link(link) => {
                if self.links.get(&link.name) == Some(&link) {
                    return Vec::new();
                }
                let name = link.name.clone();
                self.links.insert(name.clone(), link);
                vec![Seen::Link(name)]
            }
            Fact::LinkGone(name) => match self.links.remove(&name) {
                Some(_) => vec![Seen::Link(name)],
                None => Vec::new(),
            },
            Fact::Address(ip) => {
                if self.addresses.insert(ip) {
                    vec![Seen::Address(ip)]
                } else {
                    Vec::new()
                }
            }
            Fact::AddressGone(ip) => {
                if self.addresses.remove(&ip) {
                    vec![Seen::Address(ip)]
                } else {
                    Vec::new()
                }
            }
            Fact::LinksComplete => {
                self.links_complete = true;
                vec![Seen::LinksComplete]
            }
        }
    }

    fn upsert_port(&mut self, port: PortFact) -> Option<Seen> {
        let name = port.name.clone();
        let old = self.ports.get(&name);
        if old == Some(&port) {
            return None;
        }
        let (old_id, new_id) = (old.and_then(|p| p.iface_id), port.iface_id);
        if old_id != new_id {
            if let Some(id) = old_id {
                self.unlink_vif(id, &name);
            }
            if let Some(id) = new_id {
                let names = self.vifs.entry(id).or_default();
                if let Err(at) = names.binary_search(&name) {
                    names.insert(at, name.clone());
                }
            }
        }
        if port.owner.is_some() {
            self.owned.insert(name.clone());
        } else {
            self.owned.remove(&name);
        }
        let old = self.ports.insert(name.clone(), port);
        Some(Seen::Port {
            name,
            old: old.map(Box::new),
        })
    }

    fn remove_port(&mut self, name: &Arc<str>) -> Option<Seen> {
        let old = self.ports.remove(name)?;
        if let Some(id) = old.iface_id {
            self.unlink_vif(id, name);
        }
        self.owned.remove(name);
        Some(Seen::Port {
            name: name.clone(),
            old: Some(Box::new(old)),
        })
    }

    fn unlink_vif(&mut self, id: PortId, name: &Arc<str>) {
        if let Some(names) = self.vifs.get_mut(&id) {
            names.retain(|n| n != name);
            if names.is_empty() {
                self.vifs.remove(&id);
            }
        }
    }

    fn complete(&mut self, cur_cfg: i64) -> Vec<Seen> {
        let mut seen = Vec::new();
        if let Some(Listing { bridges, ports }) = self.listing.take() {
            let gone: Vec<_> = self
                .ports
                .keys()
                .filter(|n| !ports.contains(*n))
                .cloned()
                .collect();
            for name in gone {
                seen.extend(self.remove_port(&name));
            }
            let gone: Vec<_> = self
                .bridges
                .keys()
                .filter(|n| !bridges.contains(*n))
                .cloned()
                .collect();
            for name in gone {
                self.bridges.remove(&name);
                seen.push(Seen::Bridge(name));
            }
        }
        self.cur_cfg = cur_cfg;
        self.switch_complete = true;
        self.switch_up = true;
        seen.push(Seen::SwitchComplete);
        seen
    }
}
