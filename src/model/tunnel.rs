//! Tunnel endpoints: where the other hosts can be reached.

use std::net::IpAddr;
use std::str::FromStr;

use super::id::HostName;

/// The encapsulations.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TunnelType {
    /// RFC 2784 with the key of RFC 2890.
    Gre,
    /// RFC 7348.
    Vxlan,
}

impl TunnelType {
    /// Every type, in table order.
    pub const ALL: [TunnelType; 2] = [TunnelType::Gre, TunnelType::Vxlan];

    /// The name in configuration, database and OVSDB.
    pub fn name(self) -> &'static str {
        match self {
            TunnelType::Gre => "gre",
            TunnelType::Vxlan => "vxlan",
        }
    }

    /// The largest key the header can carry.
    pub fn max_key(self) -> u32 {
        match self {
            TunnelType::Gre => u32::MAX,
            TunnelType::Vxlan => 0x00ff_ffff,
        }
    }
}

impl FromStr for TunnelType {
    type Err = ();

    fn from_str(s: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|t| t.name() == s).ok_or(())
    }
}

/// One host's end of the mesh: one per host and encapsulation.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Endpoint {
    /// Whose it is.
    pub host: HostName,
    /// The encapsulation.
    pub kind: TunnelType,
    /// The address that packets are sent to.
    pub ip: IpAddr,
}
