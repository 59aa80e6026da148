//! Cells: the units in which the planner thinks. A cell is one facet of one entity; it is rendered as a whole, and it
//! is settled when everything it asked for stands.

use std::fmt;
use std::sync::Arc;

use ipnet::IpNet;

use super::firewall::openflow::{Peer, Profile};
use crate::model::{Endpoint, GroupId, Mac, NetworkId, PortId, RemoteId, SegmentId};

/// A segment of a network.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SegKey {
    /// The network.
    pub network: NetworkId,
    /// Its segment.
    pub segment: SegmentId,
}

/// Whose cell it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Key {
    /// The host itself.
    Host,
    /// A physical network of the configuration.
    Physnet(Arc<str>),
    /// A peer of the tunnel mesh.
    Endpoint(Endpoint),
    /// A segment in use on this host.
    Segment(SegKey),
    /// A port of the control plane.
    Port(PortId),
    /// A port of the integration bridge, by name.
    Vif(Arc<str>),
    /// A profile of the packet filter: what ports with the same security groups share.
    Profile(u16),
    /// A set of addresses that rules refer to.
    Remote(RemoteId),
    /// One address of such a set.
    Member(RemoteId, IpNet),
    /// A security group.
    Group(GroupId),
    /// What ports with the same security groups share in flows.
    FlowProfile(Profile),
    /// An address in such sets.
    Peer(Peer),
    /// A hardware address of filtered ports on a segment.
    Station(SegKey, Mac),
}

/// Which side of it. The executor that serves a facet is always the same one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Facet {
    /// Host: the integration and tunnel bridges.
    Bridges,
    /// Host: the patch pair between them.
    Patch,
    /// Host: flows of the integration bridge that every port relies on.
    IntBase,
    /// Host: what lets tunnel traffic into the integration bridge.
    IntPatch,
    /// Host: flows of the tunnel bridge that every segment relies on.
    TunBase,
    /// Physical network: the patch pair to its bridge.
    PhysPatch,
    /// Physical network: flows of its bridge that every segment relies on.
    PhysBase,
    /// Endpoint: the tunnel port.
    Tunnel,
    /// Endpoint: what lets its traffic into the tunnel bridge.
    TunnelIn,
    /// Segment: flows of the integration bridge.
    SegInt,
    /// Segment: flows of the physical bridge.
    SegPhys,
    /// Segment: flows of the tunnel bridge, inbound.
    SegTun,
    /// Segment: the flood flow of the tunnel bridge.
    Flood,
    /// Port: the flows without which it must not get its tag.
    Guard,
    /// Port: its device.
    Link,
    /// Port: what the control plane is told.
    Report,
    /// Vif: the tag.
    Tag,
    /// Vif: lets a port that is nobody's business through.
    Pass,
    /// Host: the tables of the packet filter.
    FilterBase,
    /// Profile: what its ports may receive and send.
    FilterRules,
    /// Remote: that it is in use.
    FilterRemote,
    /// Member: its element.
    FilterMember,
    /// Port: its devices and the addresses that it may use.
    Filter,
    /// Port: the setting of its bridge.
    FilterLink,
    /// Segment: its conntrack zone.
    Zone,
    /// Segment: what leads packets for several to filtered ports.
    Multicast,
    /// Group: what people are told of it.
    Group,
    /// Profile: the flows of its rules.
    FlowRules,
    /// Remote set: the flows that accept what its conjunctions select.
    FlowSet,
    /// Peer: its part of the conjunctions of its sets.
    FlowMember,
    /// Station: what leads to the ports that use the address.
    Station,
}

/// One cell.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CellId {
    /// Whose.
    pub key: Key,
    /// Which side.
    pub facet: Facet,
}

impl CellId {
    /// The cell of that key and facet.
    pub fn new(key: Key, facet: Facet) -> CellId {
        CellId { key, facet }
    }

    /// The lower half of the cookie of this cell's flows: FNV-1a over its text, kept off the values with a meaning
    /// of their own. The same on every host and in every release that keeps the names.
    pub fn cookie(&self) -> u32 {
        let mut hash = Fnv(0x811c_9dc5);
        // Writing into a hash cannot fail.
        let _ = fmt::Write::write_fmt(&mut hash, format_args!("{self}"));
        hash.0.max(0x100)
    }
}

struct Fnv(u32);

impl fmt::Write for Fnv {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        for byte in s.bytes() {
            self.0 = (self.0 ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
        Ok(())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Host => write!(f, "host"),
            Key::Physnet(name) => write!(f, "physnet {name}"),
            Key::Endpoint(e) => write!(f, "endpoint {} {} {}", e.host, e.kind.name(), e.ip),
            Key::Segment(s) => write!(f, "segment {} {}", s.network, s.segment),
            Key::Port(id) => write!(f, "port {id}"),
            Key::Vif(name) => write!(f, "vif {name}"),
            Key::Profile(number) => write!(f, "profile {number}"),
            Key::Remote(id) => write!(f, "remote {}", id.uuid()),
            Key::Member(id, net) => write!(f, "member {} {net}", id.uuid()),
            Key::Group(id) => write!(f, "group {id}"),
            Key::FlowProfile(profile) => write!(f, "flow profile {profile}"),
            Key::Peer(peer) => write!(f, "peer {peer}"),
            Key::Station(s, mac) => write!(f, "station {} {} {mac}", s.network, s.segment),
        }
    }
}

impl Facet {
    /// Its name in dumps.
    pub fn name(self) -> &'static str {
        match self {
            Facet::Bridges => "bridges",
            Facet::Patch => "patch",
            Facet::IntBase => "int-base",
            Facet::IntPatch => "int-patch",
            Facet::TunBase => "tun-base",
            Facet::PhysPatch => "phys-patch",
            Facet::PhysBase => "phys-base",
            Facet::Tunnel => "tunnel",
            Facet::TunnelIn => "tunnel-in",
            Facet::SegInt => "seg-int",
            Facet::SegPhys => "seg-phys",
            Facet::SegTun => "seg-tun",
            Facet::Flood => "flood",
            Facet::Guard => "guard",
            Facet::Link => "link",
            Facet::Report => "report",
            Facet::Tag => "tag",
            Facet::Pass => "pass",
            Facet::FilterBase => "filter-base",
            Facet::FilterRules => "filter-rules",
            Facet::FilterRemote => "filter-remote",
            Facet::FilterMember => "filter-member",
            Facet::Filter => "filter",
            Facet::FilterLink => "filter-link",
            Facet::Zone => "zone",
            Facet::Multicast => "multicast",
            Facet::Group => "group",
            Facet::FlowRules => "flow-rules",
            Facet::FlowSet => "flow-set",
            Facet::FlowMember => "flow-member",
            Facet::Station => "station",
        }
    }
}

impl Facet {
    /// `true` for the flows by which the OVS-native firewall judges packets.
    pub fn is_firewall(self) -> bool {
        matches!(
            self,
            Facet::Guard
                | Facet::Zone
                | Facet::Multicast
                | Facet::Station
                | Facet::FlowRules
                | Facet::FlowSet
                | Facet::FlowMember
        )
    }

    /// `true` if what it lacks is told to people: one facet per kind of trouble, so that it is told once.
    pub fn is_told(self) -> bool {
        matches!(
            self,
            Facet::Tag | Facet::PhysPatch | Facet::Tunnel | Facet::Patch | Facet::Group
        )
    }
}

impl fmt::Display for CellId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.facet.name())
    }
}

/// What a cell waits for, or why it is not what its entity asked for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Need {
    /// The first complete snapshot of the control plane.
    Snapshot,
    /// A bridge.
    Bridge(Arc<str>),
    /// A port's OpenFlow number.
    Ofport(Arc<str>),
    /// A port that the switch could not add.
    OfportFailed(Arc<str>, Option<Arc<str>>),
    /// A VIF with the port's id on the integration bridge.
    Vif,
    /// A row in the control plane, bound to this host.
    Known,
    /// Another VIF carries the same id and comes first.
    DuplicateVif(Arc<str>),
    /// The network's row.
    Network(NetworkId),
    /// The source could not use the row.
    Unusable(Arc<str>),
    /// No segment of the network can be reached from this host.
    Segment(Arc<str>),
    /// A free local VLAN.
    LocalVlan,
    /// Administratively down.
    AdminUp,
    /// The VIF was plugged with another hardware address.
    Mac(Mac, Mac),
    /// Another cell has to stand first.
    Cell(Box<CellId>),
    /// Another cell was refused.
    Failed(Box<CellId>, Arc<str>),
    /// `ovs-vswitchd` has to apply what the database says.
    Applied,
    /// `ovs-vswitchd` has to let go of a VIF.
    Leaves,
    /// The address is on no device of the host.
    LocalIp(std::net::IpAddr),
    /// A key that another cell holds.
    Conflict(Box<CellId>),
    /// A device that somebody else makes.
    Device(Arc<str>),
    /// The packet filter was not looked at yet.
    PacketFilter,
    /// This VIF or this host cannot be filtered.
    Unfilterable(Arc<str>),
    /// A security group that ports name and that is not known, or not wholly.
    Group(Arc<str>),
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Need::Snapshot => write!(
                f,
                "the control plane has not given its first complete snapshot yet"
            ),
            Need::Bridge(b) => write!(
                f,
                "bridge {b} does not exist on this host: create it (ovs-vsctl add-br {b}) or correct [ovs] bridge_mappings"
            ),
            Need::Ofport(p) => write!(
                f,
                "ovs-vswitchd has not given port {p} an OpenFlow number yet: is ovs-vswitchd running?"
            ),
            Need::OfportFailed(p, Some(e)) => write!(f, "ovs-vswitchd could not add port {p}: {e}"),
            Need::OfportFailed(p, None) => {
                write!(f, "ovs-vswitchd could not add port {p} (ofport -1)")
            }
            Need::Vif => write!(
                f,
                "no port on the integration bridge carries external_ids:iface-id with this id: plug the VIF"
            ),
            Need::Known => write!(f, "the control plane knows no such port bound to this host"),
            Need::DuplicateVif(other) => write!(
                f,
                "port {other} carries the same iface-id and comes first: unplug one of them"
            ),
            Need::Network(id) => write!(f, "network {id} is not known"),
            Need::Unusable(why) | Need::Segment(why) | Need::Group(why) => write!(f, "{why}"),
            Need::LocalVlan => write!(
                f,
                "all local VLANs (1 to 4094) are in use on this host: it gets one when the last port of another network leaves"
            ),
            Need::AdminUp => write!(f, "administratively down"),
            Need::Mac(have, want) => write!(
                f,
                "the VIF was plugged with MAC {have}, the port has {want}"
            ),
            Need::Cell(cell) => write!(f, "waits for «{cell}»"),
            Need::Failed(cell, why) => write!(f, "«{cell}» was refused: {why}"),
            Need::Applied => write!(f, "ovs-vswitchd has not applied the tag yet"),
            Need::Leaves => write!(f, "ovs-vswitchd has not let go of the VIF yet"),
            Need::LocalIp(ip) => write!(f, "local_ip {ip} is on no device of this host"),
            Need::Conflict(cell) => write!(f, "«{cell}» already holds the same flow or row"),
            Need::Device(name) => write!(f, "device {name} does not exist on this host"),
            Need::PacketFilter => write!(f, "the packet filter of the kernel was not read yet"),
            Need::Unfilterable(why) => write!(f, "{why}"),
        }
    }
}

impl Need {
    /// `true` if it does not pass by itself: somebody has to do something.
    pub fn is_trouble(&self) -> bool {
        !matches!(
            self,
            Need::Snapshot
                | Need::Ofport(_)
                | Need::Vif
                | Need::AdminUp
                | Need::Cell(_)
                | Need::Applied
                | Need::Leaves
                | Need::PacketFilter
                | Need::Device(_)
        )
    }

    /// Every short name.
    pub const KINDS: [&'static str; 23] = [
        "snapshot",
        "bridge",
        "ofport",
        "ofport_failed",
        "vif",
        "known",
        "duplicate_vif",
        "network",
        "unusable",
        "segment",
        "local_vlan",
        "admin_up",
        "mac",
        "cell",
        "failed",
        "applied",
        "leaves",
        "local_ip",
        "conflict",
        "device",
        "packet_filter",
        "unfilterable",
        "group",
    ];

    /// A short name for metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Need::Snapshot => "snapshot",
            Need::Bridge(_) => "bridge",
            Need::Ofport(_) => "ofport",
            Need::OfportFailed(..) => "ofport_failed",
            Need::Vif => "vif",
            Need::Known => "known",
            Need::DuplicateVif(_) => "duplicate_vif",
            Need::Network(_) => "network",
            Need::Unusable(_) => "unusable",
            Need::Segment(_) => "segment",
            Need::LocalVlan => "local_vlan",
            Need::AdminUp => "admin_up",
            Need::Mac(..) => "mac",
            Need::Cell(_) => "cell",
            Need::Failed(..) => "failed",
            Need::Applied => "applied",
            Need::Leaves => "leaves",
            Need::LocalIp(_) => "local_ip",
            Need::Conflict(_) => "conflict",
            Need::Device(_) => "device",
            Need::PacketFilter => "packet_filter",
            Need::Unfilterable(_) => "unfilterable",
            Need::Group(_) => "group",
        }
    }
}

/// Where a cell stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CellState {
    /// Everything it asks for stands (also when it asks for nothing).
    Settled,
    /// Something is still on its way.
    Pending,
    /// Something was refused; it is tried again later.
    Failed(Arc<str>),
}
