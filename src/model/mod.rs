//! What should be, and what is: the vocabulary every other module shares.
//!
//! Pure values and two stores, [`Desired`] and [`Observed`]. A [`Delta`] is the only way to change the first, a
//! [`Fact`] the only way to change the second. Nothing in here does IO, reads a clock or knows a wire format.

pub mod addr;
pub mod desired;
pub mod id;
pub mod network;
pub mod observed;
pub mod port;
pub mod remote;
pub mod secgroup;
pub mod tunnel;

pub use addr::{AddressPair, Mac};
pub use desired::{Change, Delta, Desired, SetCounts};
pub use id::{
    AddressGroupId, GroupId, HostName, LocalVlan, MemberId, NetworkId, Ofport, PortId, RuleId,
    SegmentId, SubnetId,
};
pub use network::{Network, NetworkType, Segment, Subnet};
pub use observed::{BridgeFact, Fact, LinkFact, Observed, OfportState, PortFact, Seen, VlanHint};
pub use port::{FixedIp, Port, PortStatus};
pub use remote::RemoteSet;
pub use secgroup::{
    Direction, Family, FirewallDriver, Member, MemberAddress, Remote, RemoteId, Rule,
    SecurityGroup, Service,
};
pub use tunnel::{Endpoint, TunnelType};
