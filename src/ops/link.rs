//! Network devices of the host that vifd answers for.

/// What a device should be. The device itself is the plugger's: it is never created or deleted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinkState {
    /// MTU in bytes; `None` leaves it.
    pub mtu: Option<u32>,
    /// `IFF_UP`.
    pub up: bool,
    /// A bridge hands its packets to the hooks of IPv4 and IPv6 (`nf_call_iptables`, `nf_call_ip6tables`); `false`
    /// leaves it.
    pub netfilter: bool,
}
