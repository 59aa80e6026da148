//! Networks, the segments that carry them, and their subnets.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::id::{NetworkId, SegmentId, SubnetId};
use super::tunnel::TunnelType;

/// How a segment leaves the host.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum NetworkType {
    /// It does not: ports on the same host only.
    Local,
    /// Untagged on a physical network.
    Flat { physical_network: Arc<str> },
    /// Tagged on a physical network; 1..=4094.
    Vlan {
        physical_network: Arc<str>,
        vid: u16,
    },
    /// In a tunnel; VXLAN identifiers are 1..=2^24-1, GRE keys 1..=2^32-1.
    Tunnel { kind: TunnelType, key: u32 },
}

impl NetworkType {
    /// The type's name in configuration and database.
    pub fn name(&self) -> &'static str {
        match self {
            NetworkType::Local => "local",
            NetworkType::Flat { .. } => "flat",
            NetworkType::Vlan { .. } => "vlan",
            NetworkType::Tunnel { kind, .. } => kind.name(),
        }
    }

    /// The physical network, for the types that have one.
    pub fn physical_network(&self) -> Option<&Arc<str>> {
        match self {
            NetworkType::Flat { physical_network }
            | NetworkType::Vlan {
                physical_network, ..
            } => Some(physical_network),
            _ => None,
        }
    }

    /// VLAN id or tunnel key, for the types that have one.
    pub fn segmentation_id(&self) -> Option<u32> {
        match self {
            NetworkType::Vlan { vid, .. } => Some(u32::from(*vid)),
            NetworkType::Tunnel { key, .. } => Some(*key),
            _ => None,
        }
    }
}

/// One segment of a network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Segment {
    /// Its id.
    pub id: SegmentId,
    /// What carries it.
    pub network_type: NetworkType,
}

/// A virtual network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Network {
    /// Its id.
    pub id: NetworkId,
    /// What people call it.
    pub name: Arc<str>,
    /// `false` takes every port of it down.
    pub admin_up: bool,
    /// Largest IP packet, in bytes.
    pub mtu: u16,
    /// What carries it. A source that could not understand a segment leaves it out and reports why; a network
    /// without a usable segment binds no port.
    pub segments: Vec<Segment>,
    /// Why the source found no usable segment, in words for a person.
    pub unusable: Option<Arc<str>>,
}

/// A subnet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subnet {
    /// Its id.
    pub id: SubnetId,
    /// The network it belongs to.
    pub network: NetworkId,
    /// Its addresses.
    pub cidr: IpNet,
    /// The default gateway, if any.
    pub gateway: Option<IpAddr>,
}
