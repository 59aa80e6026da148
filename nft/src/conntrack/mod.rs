//! Connection tracking over netlink (subsystem 1): entries, filtered dump, filtered delete.
//!
//! Owns the layout of `linux/netfilter/nfnetlink_conntrack.h`. [`Filter`] is both what the kernel is
//! asked for and a test in memory, because kernels differ in what they filter: see
//! [`Filter::matches`]. [`Exchange`] is one request and its replies, without a socket. Held by
//! `tests/kernel` (`conntrack`) and the fuzz target `nft_conntrack`.
//!
//! ```
//! use nft::conntrack::{Entry, Filter, PartialTuple, Tuple};
//! use nft::message::Family;
//!
//! let [client, server] = [[10, 0, 0, 1], [10, 0, 0, 2]].map(|ip| core::net::IpAddr::from(ip));
//! let entry = Entry {
//!     original: Some(Tuple::new(client, server, 6, 40_000, 22)),
//!     zone: Some(4097),
//!     ..Entry::default()
//! };
//! let ssh = PartialTuple { dst_port: Some(22), ..PartialTuple::default() };
//! let condemned = Filter { zone: Some(4097), original: ssh, ..Filter::default() };
//! assert!(condemned.matches(Family::IPV4, &entry));
//! ```

mod entry;
mod exchange;
mod filter;

pub use entry::{
    Counters, Entry, FilterFlags, NativeFlags, PortTuple, ProtoInfo, Status, TcpInfo, Tuple,
    TupleAddresses,
};
pub use exchange::{Exchange, Replies};
pub use filter::{Filter, PartialTuple};

use crate::attr::{Value, registry};
use crate::error::{DecodeError, Fault};
use crate::message::{Family, NfGen};
use crate::wire::{Flags, Frame, Header, Writer};

/// `NFNL_SUBSYS_CTNETLINK`
pub const SUBSYSTEM: u8 = 1;
/// `NFNLGRP_CONNTRACK_NEW`
pub const GROUP_NEW: u32 = 1;
/// `NFNLGRP_CONNTRACK_UPDATE`
pub const GROUP_UPDATE: u32 = 2;
/// `NFNLGRP_CONNTRACK_DESTROY`
pub const GROUP_DESTROY: u32 = 3;

registry! {
    /// Operation (`enum cntl_msg_types`).
    pub struct CtOp(u8) {
        /// Create or report an entry.
        NEW = 0 "new",
        /// Ask for entries.
        GET = 1 "get",
        /// Delete entries.
        DELETE = 2 "delete",
        /// Ask for entries and reset their counters.
        GET_CTRZERO = 3 "get-reset",
    }
}

/// One conntrack message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CtMessage {
    /// Flags of the netlink header.
    pub flags: Flags,
    /// Sequence number.
    pub seq: u32,
    /// Port id.
    pub port: u32,
    /// Operation.
    pub op: CtOp,
    /// Family, version, resource id.
    pub gen_msg: NfGen,
    /// The entry or filter.
    pub entry: Entry,
}

impl CtMessage {
    /// A request. Version 1 makes the kernel honour the family of a flush.
    pub fn request(op: CtOp, family: Family, flags: Flags, entry: Entry) -> Self {
        Self {
            flags: flags.with(Flags::REQUEST),
            seq: 0,
            port: 0,
            op,
            gen_msg: NfGen {
                family,
                version: 1,
                res_id: 0,
            },
            entry,
        }
    }

    /// Appends the message.
    pub fn encode(&self, w: &mut Writer) {
        let kind = u16::from_be_bytes([SUBSYSTEM, self.op.0]);
        let header = Header {
            kind,
            flags: self.flags,
            seq: self.seq,
            port: self.port,
        };
        header.encode(w, |w| {
            self.gen_msg.encode(w);
            self.entry.encode(w);
        });
    }

    /// Reads a message whose type says conntrack; any other type is an error.
    pub fn decode(frame: &Frame<'_>) -> Result<Self, DecodeError> {
        let mut r = frame.payload;
        let [subsystem, op] = frame.header.kind.to_be_bytes();
        if subsystem != SUBSYSTEM {
            let value = u32::from(frame.header.kind);
            return Err(r.error("message.kind", Fault::Invalid { value }));
        }
        let gen_msg = NfGen::decode(&mut r)?;
        Ok(Self {
            flags: frame.header.flags,
            seq: frame.header.seq,
            port: frame.header.port,
            op: CtOp(op),
            gen_msg,
            entry: Entry::decode(r)?,
        })
    }
}
