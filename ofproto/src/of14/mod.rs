//! The part of OpenFlow 1.4 that an atomic bundle needs, and no more.
//!
//! OpenFlow 1.0 has no bundles. A second connection to the same switch, negotiated to 1.4, has:
//! open a bundle, add flow mods, look for errors up to a barrier, commit. This module writes those
//! messages and reads the answers; everything else of 1.4 stays [`Message14::Unknown`].
//!
//! The flow is the same [`FlowMod`] as on 1.0. Its match is written as OXM, its actions as one
//! apply-actions instruction (and write-metadata where the list has it), standard actions in their
//! 1.4 spelling, Nicira's as they are.
//!
//! ```
//! use ofproto::action::{Action, ActionList};
//! use ofproto::matching::{FieldId, Match};
//! use ofproto::msg::FlowMod;
//! use ofproto::of14::{BundleControl, BundleKind, Message14, bundle_flags};
//! use ofproto::ports::Port;
//!
//! let open = BundleControl { id: 1, kind: BundleKind::OPEN_REQUEST, flags: bundle_flags::ATOMIC };
//! let mut out = Message14::BundleControl(open).to_bytes(1)?;
//! let flow = FlowMod::add(
//!     0,
//!     100,
//!     Match::new().with(FieldId::IN_PORT, 5u16),
//!     ActionList::from([Action::output(Port(2))]),
//! );
//! Message14::BundleAdd { id: 1, flags: bundle_flags::ATOMIC, flow: Box::new(flow) }
//!     .encode(2, &mut out)?;
//! let commit = BundleControl { kind: BundleKind::COMMIT_REQUEST, ..open };
//! Message14::BundleControl(commit).encode(3, &mut out)?;
//! # Ok::<(), ofproto::EncodeError>(())
//! ```

mod action;
mod flow_mod;

use crate::codec::{Codec, Reader, Writer};
use crate::error::{DecodeError, EncodeError, OfpError};
use crate::header::{MsgType, OfHeader, Version, open_numbers};
use crate::msg::{ErrorMsg, FlowMod, Hello, UnknownMessage};

open_numbers! {
    /// Step of a bundle (OF1.4 §7.3.9.2).
    BundleKind: u16 {
        /// Open.
        OPEN_REQUEST = 0,
        /// Opened.
        OPEN_REPLY = 1,
        /// Take no more messages.
        CLOSE_REQUEST = 2,
        /// Closed.
        CLOSE_REPLY = 3,
        /// Apply.
        COMMIT_REQUEST = 4,
        /// Applied.
        COMMIT_REPLY = 5,
        /// Forget.
        DISCARD_REQUEST = 6,
        /// Forgotten.
        DISCARD_REPLY = 7,
    }
}

/// Bits of a bundle's flags.
pub mod bundle_flags {
    /// All messages or none.
    pub const ATOMIC: u16 = 1;
    /// In the order they were added.
    pub const ORDERED: u16 = 2;
}

/// `OFPT_BUNDLE_CONTROL`, 16 bytes.
///
/// ```text
///  8           12     14      16
/// +-----------+------+-------+
/// | bundle id | kind | flags |
/// +-----------+------+-------+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BundleControl {
    /// The bundle; numbers are per connection.
    pub id: u32,
    /// Step.
    pub kind: BundleKind,
    /// See [`bundle_flags`]; the same in every message of a bundle.
    pub flags: u16,
}

/// A message of OpenFlow 1.4, as far as this crate goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Message14 {
    /// Version negotiation.
    Hello(Hello),
    /// Refusal of an earlier message.
    Error(ErrorMsg),
    /// Liveness probe.
    EchoRequest(Box<[u8]>),
    /// Answer to it.
    EchoReply(Box<[u8]>),
    /// Change flows. Written, never read: a switch does not send it.
    FlowMod(Box<FlowMod>),
    /// Fence.
    BarrierRequest,
    /// Everything before the fence is done.
    BarrierReply,
    /// A step of a bundle.
    BundleControl(BundleControl),
    /// A flow mod for a bundle; the inner message carries the same xid. Written, never read.
    ///
    /// ```text
    ///  8           12    14      16
    /// +-----------+-----+-------+------------- - -
    /// | bundle id | pad | flags | whole message
    /// +-----------+-----+-------+------------- - -
    /// ```
    BundleAdd {
        /// The bundle.
        id: u32,
        /// Its flags.
        flags: u16,
        /// The change.
        flow: Box<FlowMod>,
    },
    /// Anything else.
    Unknown(UnknownMessage),
}

mod number {
    use crate::header::MsgType;

    pub(super) const BARRIER_REQUEST: MsgType = MsgType(20);
    pub(super) const BARRIER_REPLY: MsgType = MsgType(21);
    pub(super) const BUNDLE_CONTROL: MsgType = MsgType(33);
    pub(super) const BUNDLE_ADD: MsgType = MsgType(34);
}

impl Message14 {
    fn msg_type(&self) -> MsgType {
        match self {
            Message14::Hello(_) => MsgType::HELLO,
            Message14::Error(_) => MsgType::ERROR,
            Message14::EchoRequest(_) => MsgType::ECHO_REQUEST,
            Message14::EchoReply(_) => MsgType::ECHO_REPLY,
            Message14::FlowMod(_) => MsgType::FLOW_MOD,
            Message14::BarrierRequest => number::BARRIER_REQUEST,
            Message14::BarrierReply => number::BARRIER_REPLY,
            Message14::BundleControl(_) => number::BUNDLE_CONTROL,
            Message14::BundleAdd { .. } => number::BUNDLE_ADD,
            Message14::Unknown(u) => u.msg_type,
        }
    }

    /// Appends the whole message to `buf`. On error `buf` is as before.
    ///
    /// # Errors
    /// When a flow cannot be said in 1.4 or a message outgrows 65 535 bytes.
    pub fn encode(&self, xid: u32, buf: &mut Vec<u8>) -> Result<(), EncodeError> {
        let start = buf.len();
        let done = self.encode_message(xid, &mut Writer::new(buf));
        if done.is_err() {
            buf.truncate(start);
        }
        done
    }

    /// The whole message as a new vector.
    ///
    /// # Errors
    /// As for [`Message14::encode`].
    pub fn to_bytes(&self, xid: u32) -> Result<Vec<u8>, EncodeError> {
        let mut buf = Vec::new();
        self.encode(xid, &mut buf)?;
        Ok(buf)
    }

    fn encode_message(&self, xid: u32, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        let start = w.position();
        let version = match self {
            Message14::Unknown(u) => u.version,
            _ => Version::OF14,
        };
        OfHeader {
            version,
            msg_type: self.msg_type(),
            length: 0,
            xid,
        }
        .encode(w)?;
        match self {
            Message14::Hello(h) => w.bytes(&h.body),
            Message14::Error(e) => e.encode_body(version, w),
            Message14::EchoRequest(data) | Message14::EchoReply(data) => w.bytes(data),
            Message14::FlowMod(flow) => flow_mod::encode(flow, w)?,
            Message14::BarrierRequest | Message14::BarrierReply => {}
            Message14::BundleControl(b) => {
                w.u32(b.id);
                w.u16(b.kind.0);
                w.u16(b.flags);
            }
            Message14::BundleAdd { id, flags, flow } => {
                w.u32(*id);
                w.zeros(2);
                w.u16(*flags);
                let inner = w.position();
                let msg_type = MsgType::FLOW_MOD;
                OfHeader {
                    version,
                    msg_type,
                    length: 0,
                    xid,
                }
                .encode(w)?;
                flow_mod::encode(flow, w)?;
                w.patch_len(inner.saturating_add(2), inner, "message in bundle")?;
            }
            Message14::Unknown(u) => w.bytes(&u.body),
        }
        w.patch_len(start.saturating_add(2), start, "message")
    }

    /// Reads one whole message of version 1.4. Flow mods and bundle adds, which only travel the
    /// other way, come back as [`Message14::Unknown`].
    ///
    /// # Errors
    /// `OFPBRC_BAD_VERSION` for other versions, `OFPBRC_BAD_LEN` for wrong sizes.
    pub fn decode(bytes: &[u8]) -> Result<(OfHeader, Message14), DecodeError> {
        let mut r = Reader::new(bytes);
        let header = OfHeader::decode(&mut r)?;
        if usize::from(header.length) != bytes.len() {
            let e = DecodeError::new(OfpError::OFPBRC_BAD_LEN, "message length", 2);
            return Err(e.wanted(usize::from(header.length), bytes.len()));
        }
        let OfHeader {
            version, msg_type, ..
        } = header;
        if version != Version::OF14 && msg_type != MsgType::HELLO {
            return Err(DecodeError::new(
                OfpError::OFPBRC_BAD_VERSION,
                "message version",
                0,
            ));
        }
        let message = match msg_type {
            MsgType::HELLO => Message14::Hello(Hello {
                body: r.rest().into(),
            }),
            MsgType::ERROR => Message14::Error(ErrorMsg::decode_body(version, &mut r)?),
            MsgType::ECHO_REQUEST => Message14::EchoRequest(r.rest().into()),
            MsgType::ECHO_REPLY => Message14::EchoReply(r.rest().into()),
            number::BARRIER_REQUEST => Message14::BarrierRequest,
            number::BARRIER_REPLY => Message14::BarrierReply,
            number::BUNDLE_CONTROL => Message14::BundleControl(BundleControl {
                id: r.u32("bundle id")?,
                kind: BundleKind(r.u16("bundle kind")?),
                flags: r.u16("bundle flags")?,
            }),
            _ => Message14::Unknown(UnknownMessage {
                version,
                msg_type,
                body: r.rest().into(),
            }),
        };
        r.finish("message")?;
        Ok((header, message))
    }
}
