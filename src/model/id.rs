//! Ids as types, so that a port number is never taken for a VLAN.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

macro_rules! uuid_id {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(s: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(s).map($name)
            }
        }
    )*};
}

uuid_id!(
    /// A virtual network.
    NetworkId,
    /// One segment of a network: the pair of type and number that carries it.
    SegmentId,
    /// A subnet of a network.
    SubnetId,
    /// A port: what a VIF's `iface-id` names.
    PortId,
    /// A security group.
    GroupId,
    /// A rule of a security group.
    RuleId,
    /// An address group.
    AddressGroupId,
    /// Who contributes addresses to a remote group or address group.
    MemberId,
);

/// The name under which a hypervisor is known to the control plane.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HostName(pub Arc<str>);

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<&str> for HostName {
    fn from(s: &str) -> Self {
        HostName(Arc::from(s))
    }
}

/// An OpenFlow 1.0 port number that a switch assigned: 1..=0xfeff, or 0xfffe for the bridge's own port.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ofport(u16);

impl Ofport {
    /// The bridge's own port (`OFPP_LOCAL`).
    pub const LOCAL: Ofport = Ofport(0xfffe);

    /// `None` for the numbers that mean "failed" (-1), "none" or a reserved port.
    pub fn new(number: i64) -> Option<Ofport> {
        match u16::try_from(number) {
            Ok(n) if (1..=0xfeff).contains(&n) || n == 0xfffe => Some(Ofport(n)),
            _ => None,
        }
    }

    /// The number on the wire.
    pub fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Ofport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The VLAN number that stands for one segment on one host's integration bridge: 1..=4094.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LocalVlan(u16);

impl LocalVlan {
    /// The lowest usable number.
    pub const MIN: u16 = 1;
    /// The highest usable number.
    pub const MAX: u16 = 4094;
    /// The tag that carries nothing anywhere: ports that must not speak are put there.
    pub const DEAD: u16 = 4095;

    /// `None` outside 1..=4094.
    pub fn new(number: u16) -> Option<LocalVlan> {
        (Self::MIN..=Self::MAX)
            .contains(&number)
            .then_some(LocalVlan(number))
    }

    /// The number on the wire.
    pub fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Display for LocalVlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
