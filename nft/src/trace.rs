//! Packet traces (`enum nft_trace_attributes`), sent to the group
//! [`crate::message::GROUP_NFTRACE`] for packets with `meta nftrace set 1`.

use crate::attr::{attributes, registry};
use crate::data::Verdict;
use crate::name::{Bytes, Name};

registry! {
    /// What happened to the packet (`enum nft_trace_types`).
    pub struct TraceType(u32) {
        /// The chain's policy applied.
        POLICY = 1 "policy",
        /// A chain returned.
        RETURN = 2 "return",
        /// A rule gave a verdict.
        RULE = 3 "rule",
    }
}

attributes! {
    /// One step of a packet.
    pub struct Trace "trace" pad(17) {
        /// Table.
        1 => table: Option<Name>,
        /// Chain.
        2 => chain: Option<Name>,
        /// Rule.
        3 => rule_handle: Option<u64>,
        /// What happened.
        4 => kind: Option<TraceType>,
        /// Verdict.
        5 => verdict: Option<Verdict>,
        /// Identity of the packet.
        6 => id: Option<u32>,
        /// Link-layer header.
        7 => link_header: Option<Bytes>,
        /// Network header.
        8 => network_header: Option<Bytes>,
        /// Transport header.
        9 => transport_header: Option<Bytes>,
        /// Input interface index.
        10 => iif: Option<u32>,
        /// Input interface hardware type.
        11 => iif_type: Option<u16>,
        /// Output interface index.
        12 => oif: Option<u32>,
        /// Output interface hardware type.
        13 => oif_type: Option<u16>,
        /// Packet mark.
        14 => mark: Option<u32>,
        /// Family.
        15 => nfproto: Option<u32>,
        /// Policy of the chain.
        16 => policy: Option<u32>,
    }
}
