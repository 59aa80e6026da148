//! The OVS-native firewall: connection tracking and conjunctions in the integration bridge.
//!
//! Tables and registers are those of Neutron's agent ([`int`](crate::plan::tables::int)): register 5 holds the port,
//! register 6 the local VLAN, which is the conntrack zone, register 7 the conjunction that accepted a packet.
//!
//! ```text
//!         from a VIF                                       from the wire
//!     0 ─────> 60 ──> 71 addresses ──> 72 rules ──> 73 ┬─────> 94 NORMAL
//!              │          (24 ND)                     │
//!              └──> by destination ───────────────────┴─> 81 ──> 82 rules ──> 92 out of the VIF
//!                                        dropped: 93
//! ```
//!
//! What differs from Neutron's agent, and why:
//!
//! * *Rules once per profile.* Ports with the same groups share the flows of their rules; registers 0 and 1 say which
//!   [profile](ids::Profile) a packet is judged by. A rule costs its flows once per set of groups, not once per port,
//!   and a port changes its groups by the few flows that load the number, each of them at once.
//! * *What needs no port is there once*, and sends through register 5.
//! * *Replies are judged too*, by the tuple of the connection's first direction ([`mod@rules`]). So nothing has to be
//!   marked or looked up to cut a connection, and one whose permission comes back goes on.
//! * *A member is one flow* per direction for packets and one for replies, in all its sets and networks ([`sets`]).
//! * *Stateless groups* are judged without conntrack, but for fragments of IPv6, of which it alone tells the protocol; a
//!   connection that a stateful port opens to such a port is kept all the same, for the sake of the former.
//! * *Replies to a port of this host* pass its ingress rules instead of NORMAL.
//! * *ICMPv6 leaves without a rule*, of any type and in any state, from an address of the port, as with Neutron's iptables
//!   driver; Neutron's agent for this bridge lets only neighbour discovery out. What conntrack follows is committed, and
//!   its answers come in to stateful profiles.
//! * *Nothing leaves from `::`* but listener reports and solicitations, whatever pairs a port has.
//! * *Neighbour discovery* is held to the port's addresses in the target as well as in the source (table 24), ARP in
//!   the sender's hardware address as well as in the frame's.
//! * *An address of several ports* (a virtual router's) leads to all of them.
//!
//! * *Packets for several* pass the rules of each filtered port ([`mod@station`]); NORMAL floods to none of them.
//!
//! Limits: on the userspace datapath conntrack keeps ports of TCP and UDP alone, so rules with ports of DCCP and UDP-Lite
//! match nothing there, nor do first fragments of SCTP. Without conntrack fragments have no ports (see [`service`]).
//!
//! Table 0 is written after everything else and emptied before it ([`Ledger::with_entries`]), so after a restart of
//! the switch no packet meets half a firewall. The flows of a port that leaves stay until its VIF is on the dead VLAN in
//! the switch ([`mod@place`]).
//!
//! Numbers are hashes ([`ids`]): a restart finds its flows as they should be.
//!
//! [`Ledger::with_entries`]: crate::plan::ledger::Ledger::with_entries

mod base;
mod explain;
mod fanout;
mod ids;
mod index;
mod place;
mod port;
mod rules;
mod service;
mod sets;
mod station;
mod zones;

pub use base::{flows as base_flows, group, pass, zone};
pub use ids::{ConjIds, Peer, Profile, Uses};
pub use index::Index;
pub use port::guard;
pub use rules::render as rules;
pub use sets::{member, render as set};
pub use station::{multicast, render as station};

use ofproto::matching::FieldId;

/// Upper half of the number of the profile that a packet is judged by.
const PROFILE_HIGH: FieldId = FieldId::REG0;
/// Lower half.
const PROFILE_LOW: FieldId = FieldId::REG1;

fn halves(profile: &Profile) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = profile.number().to_be_bytes();
    (
        u32::from_be_bytes([a, b, c, d]),
        u32::from_be_bytes([e, f, g, h]),
    )
}
