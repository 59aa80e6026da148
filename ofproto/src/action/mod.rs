//! Actions: what to do with a packet.
//!
//! An [`ActionList`] is a plain concatenation of actions (OF1.0 §5.2.4):
//!
//! ```text
//!  0        2        4                8        10
//! +--------+--------+----------------+--------+--- - -
//! |  type  | length | vendor (0xffff)| subtype| data
//! +--------+--------+----------------+--------+--- - -
//! ```
//!
//! `length` counts the whole action and is a multiple of 8. Actions the crate does not know are
//! kept byte for byte as [`Action::Unknown`]; known ones that are malformed are errors. What a
//! switch checks beyond the encoding is in [`ActionList::check`].
//!
//! ```
//! use ofproto::action::{Action, ActionList};
//! use ofproto::codec::Codec;
//! use ofproto::ports::Port;
//!
//! let list: ActionList = [
//!     Action::ResubmitTable { port: Port::IN_PORT, table: 94, with_ct: false },
//!     Action::output(Port(3)),
//! ]
//! .into_iter()
//! .collect();
//! let bytes = list.to_bytes()?;
//! assert_eq!(bytes.len(), 24);
//! assert_eq!(ActionList::from_bytes(&bytes).unwrap(), list);
//! # Ok::<(), ofproto::EncodeError>(())
//! ```

mod bundle;
mod check;
mod controller;
mod ct;
mod decode;
mod encap;
mod encode;
mod learn;
mod list;
mod sample;
mod subfield;

use core::net::Ipv4Addr;

pub use bundle::{Bundle, BundleAlgorithm, HashFields, Multipath, MultipathAlgorithm};
pub use controller::{Controller, PacketInReason};
pub use ct::{Ct, CtAlg, CtZone, Nat, NatRange, ct_flags, nat_flags};
pub use encap::{Encap, EncapProperty};
pub(crate) use encode::vendor_action;
pub use learn::{Learn, LearnDst, LearnSpec, LearnSrc, learn_flags};
pub use list::{ActionList, MAX_DEPTH};
pub use sample::{Sample, SampleDirection, SampleId};
pub use subfield::Subfield;

use crate::matching::FieldId;
use crate::ports::Port;

/// `load2`, which prints as `set_field` or `load`: write value bits into a field, under a mask
/// (`NXAST_REG_LOAD2`).
///
/// ```text
///  0                            10
/// +----------------------------+----------------------+
/// | vendor action, subtype 33  | NXM entry, pad to 8  |
/// +----------------------------+----------------------+
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SetField {
    /// The field.
    pub field: FieldId,
    /// The value, big-endian, as long as the field on the wire.
    pub value: Box<[u8]>,
    /// Bits to write; `None` for all.
    pub mask: Option<Box<[u8]>>,
}

impl SetField {
    /// Writes all of a field of at most 16 bytes.
    #[must_use]
    pub fn new(field: FieldId, value: u128, mask: u128) -> Self {
        let bytes = usize::from(field.info().bytes).min(16);
        let cut =
            |v: u128| -> Box<[u8]> { v.to_be_bytes().get(16 - bytes..).unwrap_or(&[]).into() };
        let full = field.info().full_mask();
        let mask = mask & full;
        SetField {
            field,
            value: cut(value & mask),
            mask: (mask != full).then(|| cut(mask)),
        }
    }
}

/// An action this crate does not know, kept as it came.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UnknownAction {
    /// Action type; 0xffff for vendor actions.
    pub action_type: u16,
    /// Everything after type and length.
    pub body: Box<[u8]>,
}

/// One action. The variants name the Nicira subtype in brackets where there is one.
///
/// What follows the header, by type; rows without a field of their own are in the documentation of
/// the type they hold. Standard actions (OF1.0 §5.2.4) have 4 bytes of header, offsets from there:
///
/// ```text
///          4                    6            8       10         12      16
///         +--------------------+------------+-------+----------+-------+
///  0      | port               | max_len    |                    Output
///  1      | VLAN id            | pad        |                    SetVlanVid
///  2      | priority, pad 3                 |                    SetVlanPcp
///  3      | pad                             |                    StripVlan
///  4, 5   | Ethernet address                        | pad        | SetDlSrc, SetDlDst
///  6, 7   | IPv4 address                    |                    SetNwSrc, SetNwDst
///  8      | tos, pad 3                      |                    SetNwTos
///  9, 10  | port               | pad        |                    SetTpSrc, SetTpDst
///  11     | port               | pad                | queue      | Enqueue
///         +--------------------+------------+-------+----------+-------+
/// ```
///
/// Nicira actions (`ofp-actions.c`) have 10:
///
/// ```text
///             10           12       13     14       16              24        32
///            +------------+--------+------+--------+---------------+---------+
///  1         | in_port    | zeros                  | Resubmit
///  14, 44    | in_port    | table  | zeros         | ResubmitTable
///  2, 30, 40 | zeros      | number u32             | SetTunnel, SetMplsLabel, Group
///  4         | zeros      | queue u32              | SetQueue
///  9         | zeros                               | tunnel id     | SetTunnel64
///  5, 17, 18 | zeros                               | PopQueue, Exit, DecTtl
///  26, 43    | zeros                               | DecMplsTtl, CtClear
///  254, 255  | zeros                               | DebugSlow, DebugRecirc
///  6         | n_bits     | source, destination ofs| src u32, dst u32        Move
///  7         | ofs_nbits  | field u32              | value         | Load
///  8         | bytes                                                Note
///  15        | ofs_nbits  | field u32              | max_len, zeros| OutputReg
///  19        | idle       | hard          | zeros  | FinTimeout
///  21        | count      | zeros                  | controller ids          DecTtlCntIds
///  22        | zeros                               | value         | mask    | WriteMetadata
///  23, 24    | Ethertype  | zeros                  | PushMpls, PopMpls
///  25, 31    | u8, zeros                           | SetMplsTtl, SetMplsTc
///  27, 28    | ofs        | field u32              | n_bits, zeros | StackPush, StackPop
///  34        |clause, of n| id u32                 | Conjunction
///  39        | port       | max_len u32            | OutputTrunc
///  42        | zeros                               | actions                 Clone
///  47        | zeros      | packet type u32        | Decap
///  49        | length     | ofs, field u32         | zeros         | CheckPktLarger
///  50        | field u32 or u64, zeros             | zeros         | DeleteField
///            +------------+--------+------+--------+---------------+---------+
/// ```
///
/// A field is named by its NXM header, or one of 8 bytes if it has an experimenter. `ofs_nbits` is
/// the first bit in the upper 10 bits and the number of bits less one in the lower 6.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Send the packet out of a port; `max_len` bytes of it when that is the controller.
    Output {
        /// Where to.
        port: Port,
        /// Bytes to send to a controller; meaningless for other ports.
        max_len: u16,
    },
    /// Set the VLAN id, pushing a tag when there is none.
    SetVlanVid(u16),
    /// Set the VLAN priority, pushing a tag when there is none.
    SetVlanPcp(u8),
    /// Remove the VLAN tag.
    StripVlan,
    /// Set the Ethernet source.
    SetDlSrc([u8; 6]),
    /// Set the Ethernet destination.
    SetDlDst([u8; 6]),
    /// Set the IPv4 source.
    SetNwSrc(Ipv4Addr),
    /// Set the IPv4 destination.
    SetNwDst(Ipv4Addr),
    /// Set the DSCP, in the top six bits.
    SetNwTos(u8),
    /// Set the TCP or UDP source port.
    SetTpSrc(u16),
    /// Set the TCP or UDP destination port.
    SetTpDst(u16),
    /// Output through a queue.
    Enqueue {
        /// The port.
        port: Port,
        /// The queue on that port.
        queue: u32,
    },
    /// \[1\] Look the packet up again in the current table with another input port.
    Resubmit(Port),
    /// \[14, 44\] Look the packet up again in a table.
    ResubmitTable {
        /// Input port to pretend; [`Port::IN_PORT`] keeps it.
        port: Port,
        /// The table; 255 is the current one.
        table: u8,
        /// Look up with the conntrack tuple swapped in (subtype 44).
        with_ct: bool,
    },
    /// \[2\] Set the low 32 bits of the tunnel id.
    SetTunnel(u32),
    /// \[9\] Set the tunnel id.
    SetTunnel64(u64),
    /// \[4\] Use a queue for later outputs.
    SetQueue(u32),
    /// \[5\] Go back to the queue before `SetQueue`.
    PopQueue,
    /// \[6\] Copy bits from field to field.
    Move {
        /// Source bits.
        src: Subfield,
        /// Destination; as many bits.
        dst: Subfield,
    },
    /// \[7\] Write an immediate value of up to 64 bits.
    Load {
        /// Destination.
        dst: Subfield,
        /// The value, right-aligned.
        value: u64,
    },
    /// \[33\] Write a field of any width, possibly masked.
    SetField(Box<SetField>),
    /// \[8\] Nothing; carries bytes for people.
    Note(Box<[u8]>),
    /// \[10\] Hash fields into a link number.
    Multipath(Box<Multipath>),
    /// \[12, 13\] Choose a live port by hash; with a destination, write it there.
    Bundle(Box<Bundle>),
    /// \[15, 32\] Output to the port in a field.
    OutputReg {
        /// Where the port number is.
        src: Subfield,
        /// Bytes to send if that is the controller.
        max_len: u16,
    },
    /// \[16, 45\] Add a flow made from this packet.
    Learn(Box<Learn>),
    /// \[17\] Stop processing.
    Exit,
    /// \[18\] Decrement the IP TTL.
    DecTtl,
    /// \[21\] Decrement the IP TTL; when it expires send to these controllers.
    DecTtlCntIds(Box<[u16]>),
    /// \[19\] Shorten the flow's timeouts when a TCP FIN or RST passes.
    FinTimeout {
        /// New idle timeout, seconds.
        idle: u16,
        /// New hard timeout, seconds.
        hard: u16,
    },
    /// \[20, 37\] Send to a controller.
    Controller(Box<Controller>),
    /// \[22\] Write the metadata field; an instruction in disguise.
    WriteMetadata {
        /// Value.
        value: u64,
        /// Which bits.
        mask: u64,
    },
    /// \[23\] Push an MPLS label with this Ethertype.
    PushMpls(u16),
    /// \[24\] Pop an MPLS label, leaving this Ethertype.
    PopMpls(u16),
    /// \[25\] Set the MPLS TTL.
    SetMplsTtl(u8),
    /// \[26\] Decrement the MPLS TTL.
    DecMplsTtl,
    /// \[30\] Set the MPLS label.
    SetMplsLabel(u32),
    /// \[31\] Set the MPLS traffic class.
    SetMplsTc(u8),
    /// \[27\] Push bits on the stack.
    StackPush(Subfield),
    /// \[28\] Pop bits from the stack.
    StackPop(Subfield),
    /// \[29, 38, 41, 51\] Sample the packet to a collector.
    Sample(Box<Sample>),
    /// \[34\] One dimension of a conjunctive match.
    Conjunction {
        /// Dimension, counted from 0 as on the wire (text counts from 1).
        clause: u8,
        /// Number of dimensions, 2 to 64.
        n_clauses: u8,
        /// What the flow that the conjunction selects matches as `conj_id`.
        id: u32,
    },
    /// \[35\] Connection tracking.
    Ct(Box<Ct>),
    /// \[36\] Address translation, only inside `Ct`.
    Nat(Box<Nat>),
    /// \[39\] Output at most `max_len` bytes.
    OutputTrunc {
        /// Where to.
        port: Port,
        /// At least 14.
        max_len: u32,
    },
    /// \[40\] Hand to a group.
    Group(u32),
    /// \[42\] Run actions on a copy.
    Clone(Box<ActionList>),
    /// \[43\] Forget connection tracking state.
    CtClear,
    /// \[49\] Write whether the packet is longer than `len`.
    CheckPktLarger {
        /// The limit in bytes.
        len: u16,
        /// One bit to write to.
        dst: Subfield,
    },
    /// \[50\] Remove a field, a Geneve option.
    DeleteField {
        /// The field.
        field: FieldId,
        /// Length of tunnel metadata, 0 for the registry's width.
        tun_len: u8,
    },
    /// \[46\] Push a header. OpenFlow 1.3 and later only: decoded, never encoded for 1.0.
    Encap(Box<Encap>),
    /// \[47\] Pop a header. As [`Action::Encap`].
    Decap(u32),
    /// \[48\] Decrement the NSH TTL. As [`Action::Encap`].
    DecNshTtl,
    /// \[254\] For tests of the switch.
    DebugSlow,
    /// \[255\] For tests of the switch.
    DebugRecirc,
    /// Anything else.
    Unknown(Box<UnknownAction>),
}

impl Action {
    /// Output to `port`.
    #[must_use]
    pub fn output(port: Port) -> Action {
        Action::Output { port, max_len: 0 }
    }

    /// Look up again in `table`, keeping the input port.
    #[must_use]
    pub fn resubmit_table(table: u8) -> Action {
        Action::ResubmitTable {
            port: Port::IN_PORT,
            table,
            with_ct: false,
        }
    }

    /// Write `value` into all of `field`, which must be at most 64 bits wide.
    #[must_use]
    pub fn load(field: FieldId, value: u64) -> Action {
        Action::Load {
            dst: Subfield::all(field),
            value,
        }
    }
}
