//! Security groups: what may pass a port, in both directions.
//!
//! Groups only ever allow; what no rule of a port's groups allows is dropped. The order of rules and of groups has no
//! meaning. A port without groups passes only what every port passes (ARP and neighbour discovery within its
//! addresses, DHCP as a client).

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::addr::Mac;
use super::id::{AddressGroupId, GroupId, MemberId, RuleId};

/// Which way a packet goes, as the port sees it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Direction {
    /// To the port; the remote end is the source.
    Ingress,
    /// From the port; the remote end is the destination.
    Egress,
}

impl Direction {
    /// Both.
    pub const ALL: [Direction; 2] = [Direction::Ingress, Direction::Egress];

    /// The name in the database.
    pub fn name(self) -> &'static str {
        match self {
            Direction::Ingress => "ingress",
            Direction::Egress => "egress",
        }
    }
}

/// The address family of a rule.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both.
    pub const ALL: [Family; 2] = [Family::V4, Family::V6];

    /// The name in the database (`ethertype`).
    pub fn name(self) -> &'static str {
        match self {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        }
    }

    /// The family of an address.
    pub fn of(ip: IpAddr) -> Family {
        if ip.is_ipv4() { Family::V4 } else { Family::V6 }
    }

    /// The family of a prefix.
    pub fn of_net(net: IpNet) -> Family {
        Family::of(net.addr())
    }
}

/// Internet protocol numbers that rules treat in a way of their own.
pub mod protocol {
    /// ICMP (RFC 792).
    pub const ICMP: u8 = 1;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// DCCP.
    pub const DCCP: u8 = 33;
    /// ICMPv6 (RFC 4443).
    pub const ICMPV6: u8 = 58;
    /// SCTP.
    pub const SCTP: u8 = 132;
    /// UDP-Lite.
    pub const UDPLITE: u8 = 136;

    /// `true` for the protocols whose packets carry ports that a rule may name.
    pub fn has_ports(number: u8) -> bool {
        matches!(number, TCP | UDP | DCCP | SCTP | UDPLITE)
    }
}

/// What a rule says beyond the protocol. A source makes only combinations with a meaning: ports with a protocol that
/// has them, a type with ICMP in an IPv4 rule and ICMPv6 in an IPv6 one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Service {
    /// Any protocol.
    Any,
    /// Everything of this protocol.
    Protocol(u8),
    /// Destination ports `min..=max` of this protocol, `min <= max`.
    Ports {
        /// TCP, UDP, DCCP, SCTP or UDP-Lite.
        protocol: u8,
        /// The lowest.
        min: u16,
        /// The highest.
        max: u16,
    },
    /// ICMP or ICMPv6, as the rule's family says, of this type and, if given, code.
    Icmp {
        /// The type; 0 is a value like any other.
        kind: u8,
        /// The code; any if `None`.
        code: Option<u8>,
    },
}

impl Service {
    /// The protocol number in a rule of that family; `None` stands for any.
    pub fn protocol(self, family: Family) -> Option<u8> {
        match self {
            Service::Any => None,
            Service::Protocol(number) => Some(number),
            Service::Ports { protocol, .. } => Some(protocol),
            Service::Icmp { .. } => Some(match family {
                Family::V4 => protocol::ICMP,
                Family::V6 => protocol::ICMPV6,
            }),
        }
    }
}

/// A set of addresses that rules refer to and that changes without them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RemoteId {
    /// The addresses of all ports of a group, on any network and host.
    Group(GroupId),
    /// An address group.
    Addresses(AddressGroupId),
}

impl RemoteId {
    /// Its id, without saying of what kind.
    pub fn uuid(self) -> uuid::Uuid {
        match self {
            RemoteId::Group(id) => id.0,
            RemoteId::Addresses(id) => id.0,
        }
    }
}

/// The other end that a rule allows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Remote {
    /// Any address.
    Any,
    /// Addresses of this prefix, which is of the rule's family and has no bit set behind its length.
    Prefix(IpNet),
    /// Addresses of this set, as far as they are of the rule's family.
    Set(RemoteId),
}

/// One thing that a group allows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Rule {
    /// Its id.
    pub id: RuleId,
    /// Which way.
    pub direction: Direction,
    /// Which family.
    pub family: Family,
    /// Which packets.
    pub service: Service,
    /// From or to whom.
    pub remote: Remote,
}

/// A security group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SecurityGroup {
    /// Its id.
    pub id: GroupId,
    /// What people call it.
    pub name: Arc<str>,
    /// `false`: packets are judged one by one, and replies need rules of their own.
    pub stateful: bool,
    /// What it allows, sorted by id. A rule that the source could not understand is left out, which allows less.
    pub rules: Vec<Rule>,
    /// Why rules were left out, in words for a person; empty when none were.
    pub problems: Vec<Arc<str>>,
}

/// One address of a member of a [`RemoteId`], with the hardware address that uses it where the source knows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MemberAddress {
    /// An address (a prefix of full length), or a prefix for address pairs and address groups; no bit is set behind
    /// its length.
    pub prefix: IpNet,
    /// Who sends from it. A prefix of length 0 must not let everybody in, so it counts only together with this.
    pub mac: Option<Mac>,
}

/// What one member (a port of a remote group, an entry of an address group) contributes to a set. Replaces what the
/// same member contributed before; an empty list takes it out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// The set.
    pub set: RemoteId,
    /// Who, within the set. For a port of a group this is the port's id.
    pub id: MemberId,
    /// Its addresses, sorted, without duplicates.
    pub addresses: Vec<MemberAddress>,
}

/// What enforces security groups on a host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FirewallDriver {
    /// Nothing: ports are held to their MAC and ARP addresses only.
    Noop,
    /// Connection-tracking flows of the integration bridge.
    OpenFlow,
    /// nf_tables on the Linux bridge that a VIF's tap is plugged into.
    Nft,
}

impl FirewallDriver {
    /// The name in configuration.
    pub fn name(self) -> &'static str {
        match self {
            FirewallDriver::Noop => "noop",
            FirewallDriver::OpenFlow => "openvswitch",
            FirewallDriver::Nft => "nft",
        }
    }
}
