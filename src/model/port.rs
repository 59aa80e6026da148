//! Ports: what a VIF should be.

use std::net::IpAddr;
use std::sync::Arc;

use super::addr::{AddressPair, Mac};
use super::id::{GroupId, HostName, NetworkId, PortId, SubnetId};

/// An address that a port was given.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FixedIp {
    /// The address.
    pub ip: IpAddr,
    /// The subnet it is from, if the source says.
    pub subnet: Option<SubnetId>,
}

/// What the control plane shows for a port.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PortStatus {
    /// Never wired.
    Build,
    /// Wired: packets pass.
    Active,
    /// Not wired, and nothing is wrong.
    Down,
    /// Cannot be wired; the reason stands beside it.
    Error,
}

impl PortStatus {
    /// The name in the database.
    pub fn name(self) -> &'static str {
        match self {
            PortStatus::Build => "BUILD",
            PortStatus::Active => "ACTIVE",
            PortStatus::Down => "DOWN",
            PortStatus::Error => "ERROR",
        }
    }

    /// The status of that name.
    pub fn from_name(name: &str) -> Option<PortStatus> {
        [
            PortStatus::Build,
            PortStatus::Active,
            PortStatus::Down,
            PortStatus::Error,
        ]
        .into_iter()
        .find(|s| s.name() == name)
    }
}

/// A port that is bound to this host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Port {
    /// Its id: the VIF's `iface-id`.
    pub id: PortId,
    /// The network it is on.
    pub network: NetworkId,
    /// What people call it.
    pub name: Arc<str>,
    /// Its hardware address.
    pub mac: Mac,
    /// `false` puts it on the dead VLAN.
    pub admin_up: bool,
    /// The host it is bound to.
    pub host: HostName,
    /// Who uses it, e.g. `compute:nova` or `network:dhcp`. `network:` ports are not held to their addresses.
    pub device_owner: Arc<str>,
    /// Its addresses.
    pub fixed_ips: Vec<FixedIp>,
    /// Further sources it may use.
    pub allowed_pairs: Vec<AddressPair>,
    /// `false` lets it send from any address, and takes security groups away from it.
    pub port_security: bool,
    /// Its security groups, sorted, without duplicates.
    pub groups: Vec<GroupId>,
    /// What the control plane shows for it now; what we report is compared with this.
    pub status: PortStatus,
    /// The binding error that stands beside the status, if any.
    pub binding_error: Option<Arc<str>>,
    /// Why the source holds the row unusable (duplicate address, malformed column …), in words for a person. Such a
    /// port is put on the dead VLAN and reported as an error; others go on.
    pub unusable: Option<Arc<str>>,
}

impl Port {
    /// `true` if packets of this port are held to its addresses and security groups: port security is on, and it is
    /// not one of the control plane's own ports (`network:…`).
    pub fn is_filtered(&self) -> bool {
        self.port_security && !self.device_owner.starts_with("network:")
    }
}
