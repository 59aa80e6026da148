//! Table numbers and priorities: the ones operators' tools know from Neutron's agent.

/// Tables of the integration bridge.
pub mod int {
    /// Where every packet starts: sorts by ingress port.
    pub const LOCAL_SWITCHING: u8 = 0;
    /// ARP and neighbour advertisements of ports that are held to their addresses.
    pub const ARP_SPOOF: u8 = 24;
    /// Source hardware addresses of such ports.
    pub const MAC_SPOOF: u8 = 25;
    /// Hands over to the switch's own learning, or to the firewall.
    pub const TRANSIENT: u8 = 60;
    /// From a filtered port: may it send from this address at all?
    pub const BASE_EGRESS: u8 = 71;
    /// From a filtered port: do its rules allow it?
    pub const RULES_EGRESS: u8 = 72;
    /// Allowed out: to a filtered port of this host, or on.
    pub const ACCEPT_OR_INGRESS: u8 = 73;
    /// To a filtered port: what always passes.
    pub const BASE_INGRESS: u8 = 81;
    /// To a filtered port: do its rules allow it?
    pub const RULES_INGRESS: u8 = 82;
    /// New connections that were allowed out.
    pub const ACCEPTED_EGRESS: u8 = 91;
    /// Allowed in: kept by conntrack if new, and out of the port.
    pub const ACCEPTED_INGRESS: u8 = 92;
    /// Not allowed.
    pub const DROPPED: u8 = 93;
    /// Allowed out and to no filtered port of this host.
    pub const NORMAL: u8 = 94;
}

/// Tables of the tunnel bridge.
pub mod tun {
    use crate::model::TunnelType;

    /// Where every packet starts: sorts by ingress port.
    pub const CLASSIFIER: u8 = 0;
    /// From the integration bridge: unicast or not.
    pub const FROM_INT: u8 = 2;
    /// From GRE: key to local VLAN.
    pub const GRE: u8 = 3;
    /// From VXLAN: VNI to local VLAN.
    pub const VXLAN: u8 = 4;
    /// Learns where a sender sits, then hands over to the integration bridge.
    pub const LEARN: u8 = 10;
    /// Unicast to a tunnel: what was learned.
    pub const UNICAST: u8 = 20;
    /// To every peer.
    pub const FLOOD: u8 = 22;

    /// The table of an encapsulation.
    pub fn of(kind: TunnelType) -> u8 {
        match kind {
            TunnelType::Gre => GRE,
            TunnelType::Vxlan => VXLAN,
        }
    }
}
