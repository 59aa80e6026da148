//! Expressions: the instructions of a rule (`enum nft_expr_attributes`).
//!
//! Owns the type of every expression and the table of their names. Each submodule holds one group:
//! [`load`] fills registers, [`compare`] tests them, [`transform`] changes them, [`sets`] looks
//! them up, [`state`] counts and limits, [`target`] acts, [`compat`] keeps iptables extensions,
//! [`build`] makes common fragments. Knows no messages. Held by `tests/kernel/expressions.rs` (each
//! one written to a kernel and read back) and `tests/kernel/expressions.rs` (same code as `nft`).

pub mod build;
pub mod compare;
pub mod compat;
pub mod load;
pub mod sets;
pub mod state;
pub mod target;
pub mod transform;

pub use compare::{Cmp, CmpOp, Range, RangeOp};
pub use compat::{Match, Target};
pub use load::{
    Ct, CtDirection, CtKey, Exthdr, ExthdrFlags, ExthdrOp, Fib, FibFlags, FibResult, Hash,
    HashType, Inner, InnerFlags, InnerType, Meta, MetaKey, Numgen, NumgenType, Osf, Payload,
    PayloadBase, Rt, RtKey, Socket, SocketKey, Tunnel, Xfrm,
};
pub use sets::{DynSet, DynSetFlags, DynSetOp, Lookup, LookupFlags};
pub use state::{ConnLimit, Counter, Invert, Last, Limit, LimitType, Quota, QuotaFlags};
pub use target::{
    Dup, FlowOffload, Fwd, Immediate, Log, LogFlags, LogLevel, Masq, Nat, NatFlags, NatType,
    Notrack, ObjRef, Queue, QueueFlags, Redir, Reject, RejectType, Synproxy, Tproxy,
};
pub use transform::{Bitwise, BitwiseOp, Byteorder, ByteorderOp};

use crate::attr::{Schema, Value};
use crate::chain::Counts;
use crate::error::{DecodeError, Fault};
use crate::name::{Bytes, Name};
use crate::saved::{Cursor, Saved};
use crate::wire::{Reader, Writer};

const NAME: u16 = 1;
const DATA: u16 = 2;

macro_rules! expressions {
    (@data $($variant:ident)*) => { $( expressions!(@one $variant); )* };
    (@one Notrack) => {};
    (@one $variant:ident) => { impl HasData for $variant {} };
    ($( $(#[$doc:meta])* $variant:ident = $name:literal, )*) => {
        /// One instruction of a rule.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum Expr {
            $( $(#[$doc])* $variant($variant), )*
            /// An expression this crate has no body for.
            Other(OtherExpr),
        }

        impl Expr {
            /// The kernel's name of the expression.
            pub fn name(&self) -> Name {
                match self {
                    $( Self::$variant(_) => $name.into(), )*
                    Self::Other(other) => other.name.clone(),
                }
            }

            /// Names of all expressions with a body here.
            pub const NAMES: &'static [&'static str] = &[$( $name ),*];

            fn data_schema(name: &str) -> Schema {
                match name {
                    $( $name => <$variant as Value>::schema(), )*
                    _ => Schema::Leaf,
                }
            }
        }

        expressions!(@data $($variant)*);

        $( impl From<$variant> for Expr {
            fn from(body: $variant) -> Self {
                Self::$variant(body)
            }
        } )*

        impl Value for Expr {
            const NESTED: bool = true;

            fn encode(&self, w: &mut Writer) {
                match self {
                    $( Self::$variant(body) => {
                        w.attribute(NAME, false, |w| w.put(concat!($name, "\0").as_bytes()));
                        if body.has_data() {
                            w.attribute(DATA, true, |w| body.encode(w));
                        }
                    } )*
                    Self::Other(other) => other.encode(w),
                }
            }

            fn decode(r: Reader<'_>) -> Result<Self, DecodeError> {
                let mut r = r.nest("expression")?;
                let start = r;
                let mut name = None;
                let mut data = None;
                while let Some(a) = r.attribute()? {
                    match a.kind {
                        NAME => name = Some(a.value),
                        DATA => data = Some(a.value),
                        kind => {
                            let value = u32::from(kind);
                            return Err(start.error("expression", Fault::Invalid { value }));
                        }
                    }
                }
                let Some(mut name) = name else {
                    return Err(start.error("expression.name", Fault::Missing));
                };
                let name = name.rest();
                let body = data.unwrap_or(Reader::new(&[]));
                match name.strip_suffix(&[0]).unwrap_or(name) {
                    $( bytes if bytes == $name.as_bytes() =>
                        $variant::decode(body).map(Self::$variant), )*
                    bytes => Ok(Self::Other(OtherExpr {
                        name: Name::from_stripped(bytes),
                        data: data.map(|mut data| Bytes::new(data.rest())),
                    })),
                }
            }

            fn schema() -> Schema {
                Schema::Expression(Self::data_schema)
            }
        }

        impl Saved for Expr {
            fn save(&self, out: &mut String) {
                match self {
                    $( Self::$variant(body) => {
                        out.push_str($name);
                        body.save(out);
                    } )*
                    Self::Other(other) => other.save(out),
                }
            }

            fn restore(cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
                if cursor.peek('"') {
                    return OtherExpr::restore(cursor).map(Self::Other);
                }
                let at = cursor.here();
                match cursor.token() {
                    $( $name => $variant::restore(cursor).map(Self::$variant), )*
                    _ => Err(at.error("expression", Fault::Unknown)),
                }
            }
        }
    };
}

expressions! {
    /// Put a value or verdict into a register.
    Immediate = "immediate",
    /// Load or write packet bytes.
    Payload = "payload",
    /// Load or set packet metadata.
    Meta = "meta",
    /// Load or set connection tracking data.
    Ct = "ct",
    /// Compare a register with a value.
    Cmp = "cmp",
    /// Compare a register with a range.
    Range = "range",
    /// Boolean or shift operation.
    Bitwise = "bitwise",
    /// Convert byte order.
    Byteorder = "byteorder",
    /// Look up a set or map.
    Lookup = "lookup",
    /// Add to or update a set from a packet.
    DynSet = "dynset",
    /// Count packets and bytes.
    Counter = "counter",
    /// Limit a rate.
    Limit = "limit",
    /// Limit bytes in total.
    Quota = "quota",
    /// Limit connections.
    ConnLimit = "connlimit",
    /// Remember the time of last use.
    Last = "last",
    /// Log the packet.
    Log = "log",
    /// Refuse the packet with an answer.
    Reject = "reject",
    /// Translate addresses.
    Nat = "nat",
    /// Translate the source to the outgoing interface's address.
    Masq = "masq",
    /// Translate the destination to this host.
    Redir = "redir",
    /// Hand to a user space queue.
    Queue = "queue",
    /// Do not track the connection.
    Notrack = "notrack",
    /// Use a named object.
    ObjRef = "objref",
    /// Query the routing table.
    Fib = "fib",
    /// Load or write an extension header or option.
    Exthdr = "exthdr",
    /// Load data of the local socket.
    Socket = "socket",
    /// Divert to a local socket.
    Tproxy = "tproxy",
    /// Load routing data of the packet.
    Rt = "rt",
    /// Hash a register.
    Hash = "hash",
    /// Generate a number.
    Numgen = "numgen",
    /// Guess the operating system.
    Osf = "osf",
    /// Load tunnel metadata.
    Tunnel = "tunnel",
    /// Load IPsec data.
    Xfrm = "xfrm",
    /// Load from the packet inside a tunnel.
    Inner = "inner",
    /// Answer SYN packets by proxy.
    Synproxy = "synproxy",
    /// Duplicate the packet.
    Dup = "dup",
    /// Forward the packet to a device.
    Fwd = "fwd",
    /// Put the connection into a flowtable.
    FlowOffload = "flow_offload",
    /// An iptables match.
    Match = "match",
    /// An iptables target.
    Target = "target",
}

/// Whether the kernel expects a data attribute, which may be empty.
trait HasData {
    fn has_data(&self) -> bool {
        true
    }
}

impl HasData for Notrack {
    fn has_data(&self) -> bool {
        !self.other.0.is_empty()
    }
}

impl Default for Expr {
    fn default() -> Self {
        Self::Notrack(Notrack::default())
    }
}

impl Expr {
    /// The part that user space decides: no counts, no consumed quota; what the kernel fills in
    /// is filled in.
    #[must_use]
    pub fn intended(&self) -> Self {
        match self {
            Self::Counter(_) => Self::Counter(Counts::default()),
            Self::Last(_) => Self::Last(Last::default()),
            Self::Quota(quota) => Self::Quota(quota.intended()),
            Self::DynSet(dynset) => Self::DynSet(dynset.intended()),
            Self::Nat(nat) => Self::Nat(nat.intended()),
            Self::Masq(masq) => Self::Masq(masq.intended()),
            Self::Redir(redir) => Self::Redir(redir.intended()),
            Self::Log(log) => Self::Log(log.intended()),
            Self::Ct(ct) => Self::Ct(ct.intended()),
            Self::Exthdr(exthdr) => Self::Exthdr(exthdr.intended()),
            Self::Reject(reject) => Self::Reject(reject.intended()),
            other => other.clone(),
        }
    }
}

/// An expression this crate has no body for, kept byte for byte.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct OtherExpr {
    /// The kernel's name.
    pub name: Name,
    /// Content of its data attribute, if it has one.
    pub data: Option<Bytes>,
}

impl OtherExpr {
    fn encode(&self, w: &mut Writer) {
        w.attribute(NAME, false, |w| self.name.encode(w));
        if let Some(data) = &self.data {
            w.attribute(DATA, true, |w| data.encode(w));
        }
    }

    fn save(&self, out: &mut String) {
        self.name.save(out);
        out.push('{');
        if let Some(data) = &self.data {
            out.push_str("data=");
            data.save(out);
        }
        out.push('}');
    }

    fn restore(cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        let name = Name::restore(cursor)?;
        cursor.open('{', "expression")?;
        let data = if cursor.key("data") {
            Some(Bytes::restore(cursor)?)
        } else {
            None
        };
        if !cursor.leave('}') {
            return Err(cursor.error("expression", Fault::Missing));
        }
        Ok(Self { name, data })
    }
}
