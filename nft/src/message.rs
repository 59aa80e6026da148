//! nf_tables messages: netlink header, `struct nfgenmsg`, one object.
//!
//! Owns the table of operations (`enum nf_tables_msg_types`) and families. Knows neither batches
//! nor sockets. Held by `tests/codec/sweep.rs` and the fuzz target `nft_message`.

use crate::attr::{Schema, Value, registry};
use crate::chain::Chain;
use crate::element::Elements;
use crate::error::{DecodeError, Fault};
use crate::flowtable::Flowtable;
use crate::generation::Generation;
use crate::object::Object;
use crate::rule::Rule;
use crate::set::Set;
use crate::table::Table;
use crate::trace::Trace;
use crate::wire::{Flags, Frame, Header, Reader, Writer};

/// `NFNL_SUBSYS_NFTABLES`
pub const SUBSYSTEM: u8 = 10;
/// `NFNL_MSG_BATCH_BEGIN`
pub const BATCH_BEGIN: u16 = 16;
/// `NFNL_MSG_BATCH_END`
pub const BATCH_END: u16 = 17;
/// `NFNLGRP_NFTABLES`: the multicast group of ruleset events.
pub const GROUP_NFTABLES: u32 = 7;
/// `NFNLGRP_NFTRACE`: the multicast group of packet traces.
pub const GROUP_NFTRACE: u32 = 9;

registry! {
    /// Address family of a table (`NFPROTO_*`).
    pub struct Family(u8) {
        /// All, in dump requests.
        UNSPEC = 0 "unspec",
        /// IPv4 and IPv6.
        INET = 1 "inet",
        /// IPv4.
        IPV4 = 2 "ip",
        /// ARP.
        ARP = 3 "arp",
        /// Device ingress and egress.
        NETDEV = 5 "netdev",
        /// Bridged frames.
        BRIDGE = 7 "bridge",
        /// IPv6.
        IPV6 = 10 "ip6",
    }
}

/// `struct nfgenmsg`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct NfGen {
    /// Family.
    pub family: Family,
    /// Protocol version: 0.
    pub version: u8,
    /// Resource id: the subsystem in batches, low bits of the generation in dumps.
    pub res_id: u16,
}

impl NfGen {
    /// Appends the four bytes.
    pub fn encode(self, w: &mut Writer) {
        w.put(&[self.family.0, self.version]);
        w.put(&self.res_id.to_be_bytes());
    }

    /// Reads the four bytes.
    pub fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let [family, version, high, low] = r.array("nfgenmsg")?;
        let res_id = u16::from_be_bytes([high, low]);
        Ok(Self {
            family: Family(family),
            version,
            res_id,
        })
    }
}

registry! {
    /// Operation (`enum nf_tables_msg_types`).
    pub struct Op(u8) {
        /// Create or report a table.
        NEW_TABLE = 0 "new-table",
        /// Ask for tables.
        GET_TABLE = 1 "get-table",
        /// Delete a table.
        DEL_TABLE = 2 "del-table",
        /// Create or report a chain.
        NEW_CHAIN = 3 "new-chain",
        /// Ask for chains.
        GET_CHAIN = 4 "get-chain",
        /// Delete a chain.
        DEL_CHAIN = 5 "del-chain",
        /// Create or report a rule.
        NEW_RULE = 6 "new-rule",
        /// Ask for rules.
        GET_RULE = 7 "get-rule",
        /// Delete rules.
        DEL_RULE = 8 "del-rule",
        /// Create or report a set.
        NEW_SET = 9 "new-set",
        /// Ask for sets.
        GET_SET = 10 "get-set",
        /// Delete a set.
        DEL_SET = 11 "del-set",
        /// Create or report elements.
        NEW_SETELEM = 12 "new-element",
        /// Ask for elements.
        GET_SETELEM = 13 "get-element",
        /// Delete elements.
        DEL_SETELEM = 14 "del-element",
        /// Report a generation.
        NEW_GEN = 15 "new-generation",
        /// Ask for the generation.
        GET_GEN = 16 "get-generation",
        /// Report a packet trace.
        TRACE = 17 "trace",
        /// Create or report an object.
        NEW_OBJ = 18 "new-object",
        /// Ask for objects.
        GET_OBJ = 19 "get-object",
        /// Delete an object.
        DEL_OBJ = 20 "del-object",
        /// Ask for objects and reset their state.
        GET_OBJ_RESET = 21 "get-object-reset",
        /// Create or report a flowtable.
        NEW_FLOWTABLE = 22 "new-flowtable",
        /// Ask for flowtables.
        GET_FLOWTABLE = 23 "get-flowtable",
        /// Delete a flowtable.
        DEL_FLOWTABLE = 24 "del-flowtable",
        /// Ask for rules and reset their state.
        GET_RULE_RESET = 25 "get-rule-reset",
        /// Delete a table if it exists.
        DESTROY_TABLE = 26 "destroy-table",
        /// Delete a chain if it exists.
        DESTROY_CHAIN = 27 "destroy-chain",
        /// Delete rules if they exist.
        DESTROY_RULE = 28 "destroy-rule",
        /// Delete a set if it exists.
        DESTROY_SET = 29 "destroy-set",
        /// Delete elements if they exist.
        DESTROY_SETELEM = 30 "destroy-element",
        /// Delete an object if it exists.
        DESTROY_OBJ = 31 "destroy-object",
        /// Delete a flowtable if it exists.
        DESTROY_FLOWTABLE = 32 "destroy-flowtable",
        /// Ask for elements and reset their state.
        GET_SETELEM_RESET = 33 "get-element-reset",
    }
}

macro_rules! bodies {
    ($( $(#[$doc:meta])* $variant:ident($ty:ty): $($op:ident)|+ ; )*) => {
        /// The object of a message.
        #[allow(clippy::large_enum_variant, reason = "messages live from reading to folding")]
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum Body {
            $( $(#[$doc])* $variant($ty), )*
            /// Content of an operation this crate does not know, byte for byte.
            Unknown(Vec<u8>),
            /// No attributes at all: dump requests.
            Empty,
        }

        impl Body {
            /// Appends the attributes.
            pub fn encode(&self, w: &mut Writer) {
                match self {
                    $( Self::$variant(body) => body.encode(w), )*
                    Self::Unknown(bytes) => w.put(bytes),
                    Self::Empty => {}
                }
            }

            /// Reads the attributes of an operation.
            pub fn decode(op: Op, mut r: Reader<'_>) -> Result<Self, DecodeError> {
                if r.is_empty() {
                    return Ok(Self::Empty);
                }
                match op {
                    $( $(Op::$op)|+ => {
                        let body = <$ty>::decode(r)?;
                        // Nothing but padding is nothing.
                        Ok(if body == <$ty>::default() { Self::Empty } else { Self::$variant(body) })
                    } )*
                    _ => Ok(Self::Unknown(r.rest().to_vec())),
                }
            }

            /// What the attributes of an operation are called.
            pub fn schema(op: Op) -> Schema {
                match op {
                    $( $(Op::$op)|+ => <$ty as Value>::schema(), )*
                    _ => Schema::Leaf,
                }
            }
        }

        $( impl From<$ty> for Body {
            fn from(body: $ty) -> Self {
                Self::$variant(body)
            }
        } )*
    };
}

bodies! {
    /// A table.
    Table(Table): NEW_TABLE | GET_TABLE | DEL_TABLE | DESTROY_TABLE;
    /// A chain.
    Chain(Chain): NEW_CHAIN | GET_CHAIN | DEL_CHAIN | DESTROY_CHAIN;
    /// A rule.
    Rule(Rule): NEW_RULE | GET_RULE | DEL_RULE | GET_RULE_RESET
        | DESTROY_RULE;
    /// A set.
    Set(Set): NEW_SET | GET_SET | DEL_SET | DESTROY_SET;
    /// Elements of a set.
    Elements(Elements): NEW_SETELEM | GET_SETELEM | DEL_SETELEM
        | DESTROY_SETELEM | GET_SETELEM_RESET;
    /// A stateful object.
    Object(Object): NEW_OBJ | GET_OBJ | DEL_OBJ | GET_OBJ_RESET
        | DESTROY_OBJ;
    /// A flowtable.
    Flowtable(Flowtable): NEW_FLOWTABLE | GET_FLOWTABLE | DEL_FLOWTABLE
        | DESTROY_FLOWTABLE;
    /// A generation.
    Generation(Generation): NEW_GEN | GET_GEN;
    /// A packet trace.
    Trace(Trace): TRACE;
}

/// One nf_tables message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Message {
    /// Flags of the netlink header.
    pub flags: Flags,
    /// Sequence number.
    pub seq: u32,
    /// Port id: of the sender in events.
    pub port: u32,
    /// Operation.
    pub op: Op,
    /// Family and resource id.
    pub gen_msg: NfGen,
    /// The object.
    pub body: Body,
}

impl Message {
    /// A request with sequence number 0; [`crate::conn`] numbers it.
    pub fn request(op: Op, family: Family, flags: Flags, body: impl Into<Body>) -> Self {
        Self {
            flags: flags.with(Flags::REQUEST),
            seq: 0,
            port: 0,
            op,
            gen_msg: NfGen {
                family,
                ..NfGen::default()
            },
            body: body.into(),
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
            self.body.encode(w);
        });
    }

    /// Reads a message whose type says nf_tables; any other type is an error.
    pub fn decode(frame: &Frame<'_>) -> Result<Self, DecodeError> {
        let mut r = frame.payload;
        let Some(op) = operation(frame.header.kind) else {
            let value = u32::from(frame.header.kind);
            return Err(r.error("message.kind", Fault::Invalid { value }));
        };
        let gen_msg = NfGen::decode(&mut r)?;
        Ok(Self {
            flags: frame.header.flags,
            seq: frame.header.seq,
            port: frame.header.port,
            op,
            gen_msg,
            body: Body::decode(op, r)?,
        })
    }
}

/// The operation of an nf_tables message type, `None` for other subsystems.
pub const fn operation(kind: u16) -> Option<Op> {
    let [subsystem, op] = kind.to_be_bytes();
    if subsystem == SUBSYSTEM {
        Some(Op(op))
    } else {
        None
    }
}
