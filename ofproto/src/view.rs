//! Looking at bulk messages in place: flow dumps and packet payloads.
//!
//! Owns: views that borrow a received message and read single fields from it, without allocation
//! and without judging matches or actions. For owned, checked values decode the message or call
//! [`FlowView::stats`].
//!
//! ```text
//! NXST_FLOW reply                           one entry (nx_flow_stats)
//!   0  header                                 0 u16 length   2 u8 table   3 pad
//!   8  u16 0xffff  10 u16 flags               4 u32 sec      8 u32 nsec  12 u16 priority
//!  12  u32 vendor  16 u32 subtype            14 u16 idle    16 u16 hard  18 u16 match_len
//!  20  pad4        24 entries ...            20 u16 idle_age+1  22 u16 hard_age+1
//!                                            24 u64 cookie  32 u64 packets  40 u64 bytes
//!                                            48 match, padded to 8, then actions
//! ```
//!
//! ```
//! use ofproto::view::flow_views;
//!
//! # let mut message = vec![1, 17, 0, 72, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0, 0x23, 0x20];
//! # message.extend([0; 8]);
//! # let mut entry = [0; 48];
//! # (entry[1], entry[2], entry[31]) = (48, 60, 7);
//! # message.extend(entry);
//! for flow in flow_views(&message)? {
//!     let flow = flow?;
//!     assert_eq!((flow.table(), flow.cookie()), (60, 7));
//!     assert_eq!(flow.entries().count() + flow.actions().count(), 0);
//! }
//! # Ok::<(), ofproto::DecodeError>(())
//! ```
//!
//! Held by the tests below, against the owned decoder, and the benchmark `codec`.

use zerocopy::byteorder::network_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use crate::codec::Reader;
use crate::error::{DecodeError, OfpError};
use crate::header::{HEADER_LEN, NX_VENDOR};
use crate::matching::{FieldId, Header, decode_header};
use crate::msg::FlowStats;

/// The fixed part of an entry of an NXST_FLOW reply (`struct nx_flow_stats`).
#[derive(Debug, FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct FlowHead {
    length: U16,
    table: u8,
    pad: u8,
    seconds: U32,
    nanoseconds: U32,
    priority: U16,
    idle_timeout: U16,
    hard_timeout: U16,
    match_len: U16,
    idle_age: U16,
    hard_age: U16,
    cookie: U64,
    packets: U64,
    bytes: U64,
}

/// The head of a statistics message with a vendor body.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct NxStatsHead {
    header: [u8; HEADER_LEN],
    kind: U16,
    flags: U16,
    vendor: U32,
    subtype: U32,
    pad: [u8; 4],
}

/// OFPST_VENDOR.
const VENDOR: u16 = 0xffff;
/// NXST_FLOW.
const FLOW: u32 = 0;

fn bad(what: &'static str, offset: usize) -> DecodeError {
    DecodeError::new(OfpError::OFPBRC_BAD_LEN, what, offset)
}

/// The flows of one NXST_FLOW reply message, header included.
///
/// # Errors
/// `OFPBRC_BAD_STAT` if it is another message, `OFPBRC_BAD_LEN` if it is cut short.
pub fn flow_views(message: &[u8]) -> Result<FlowViews<'_>, DecodeError> {
    let (head, entries) =
        NxStatsHead::ref_from_prefix(message).map_err(|_| bad("NXST_FLOW reply", 0))?;
    let stats = matches!(head.header, [1, 17, ..]);
    if !stats
        || (head.kind.get(), head.vendor.get(), head.subtype.get()) != (VENDOR, NX_VENDOR, FLOW)
    {
        return Err(DecodeError::new(
            OfpError::OFPBRC_BAD_STAT,
            "NXST_FLOW reply",
            0,
        ));
    }
    let offset = message.len() - entries.len();
    Ok(FlowViews {
        rest: entries,
        offset,
    })
}

/// Iterator over the flows of a dump; ends after the first error.
#[derive(Clone, Debug)]
pub struct FlowViews<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Iterator for FlowViews<'a> {
    type Item = Result<FlowView<'a>, DecodeError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let entry = FlowView::new(self.rest);
        let (length, result) = match entry {
            Some(view) => (usize::from(view.head.length.get()), Ok(view)),
            None => (self.rest.len(), Err(bad("flow entry", self.offset))),
        };
        self.rest = self.rest.get(length..).unwrap_or(&[]);
        self.offset += length;
        Some(result)
    }
}

/// One flow of a dump, in place.
#[derive(Clone, Copy, Debug)]
pub struct FlowView<'a> {
    head: &'a FlowHead,
    entry: &'a [u8],
    match_bytes: &'a [u8],
    actions: &'a [u8],
}

impl<'a> FlowView<'a> {
    #[inline]
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let (head, _) = FlowHead::ref_from_prefix(bytes).ok()?;
        let entry = bytes.get(..usize::from(head.length.get()))?;
        let body = entry.get(size_of::<FlowHead>()..)?;
        let match_len = usize::from(head.match_len.get());
        let match_bytes = body.get(..match_len)?;
        let actions = body.get(match_len.next_multiple_of(8)..)?;
        Some(Self {
            head,
            entry,
            match_bytes,
            actions,
        })
    }

    /// The table.
    #[inline]
    #[must_use]
    pub fn table(&self) -> u8 {
        self.head.table
    }

    /// The priority.
    #[inline]
    #[must_use]
    pub fn priority(&self) -> u16 {
        self.head.priority.get()
    }

    /// The cookie.
    #[inline]
    #[must_use]
    pub fn cookie(&self) -> u64 {
        self.head.cookie.get()
    }

    /// Packets that matched.
    #[inline]
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.head.packets.get()
    }

    /// Bytes of those packets.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.head.bytes.get()
    }

    /// Age in seconds and nanoseconds.
    #[inline]
    #[must_use]
    pub fn duration(&self) -> (u32, u32) {
        (self.head.seconds.get(), self.head.nanoseconds.get())
    }

    /// Idle and hard timeout in seconds, 0 for none.
    #[inline]
    #[must_use]
    pub fn timeouts(&self) -> (u16, u16) {
        (self.head.idle_timeout.get(), self.head.hard_timeout.get())
    }

    /// The NXM match, without padding. Two flows of one switch have the same match exactly when
    /// these bytes are equal.
    #[inline]
    #[must_use]
    pub fn match_bytes(&self) -> &'a [u8] {
        self.match_bytes
    }

    /// The encoded actions.
    #[inline]
    #[must_use]
    pub fn action_bytes(&self) -> &'a [u8] {
        self.actions
    }

    /// The entries of the match.
    #[inline]
    #[must_use]
    pub fn entries(&self) -> NxmEntries<'a> {
        NxmEntries {
            rest: Reader::new(self.match_bytes),
        }
    }

    /// The actions.
    #[inline]
    #[must_use]
    pub fn actions(&self) -> ActionViews<'a> {
        ActionViews { rest: self.actions }
    }

    /// The flow as an owned value, everything checked.
    ///
    /// # Errors
    /// What the decoder finds wrong with match or actions.
    pub fn stats(&self) -> Result<FlowStats, DecodeError> {
        let mut reader = Reader::new(self.entry);
        FlowStats::decode_nx(&mut reader)
    }
}

/// One entry of an NXM match.
#[derive(Clone, Copy, Debug)]
pub struct NxmEntry<'a> {
    /// The decoded header.
    pub header: Header,
    /// The value, big-endian.
    pub value: &'a [u8],
    /// The mask, if the header says there is one.
    pub mask: Option<&'a [u8]>,
}

impl NxmEntry<'_> {
    /// The field, if it is known.
    #[must_use]
    pub fn field(&self) -> Option<FieldId> {
        FieldId::from_header(&self.header)
    }
}

/// Iterator over NXM entries; ends early where bytes are no whole entry.
#[derive(Clone, Debug)]
pub struct NxmEntries<'a> {
    rest: Reader<'a>,
}

impl<'a> NxmEntries<'a> {
    /// Over any concatenation of entries.
    #[must_use]
    pub fn new(entries: &'a [u8]) -> Self {
        Self {
            rest: Reader::new(entries),
        }
    }
}

impl<'a> Iterator for NxmEntries<'a> {
    type Item = NxmEntry<'a>;

    fn next(&mut self) -> Option<NxmEntry<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let header = decode_header(&mut self.rest).ok()?;
        let payload = self.rest.take(header.payload_len()?, "entry").ok()?;
        if !header.masked {
            return Some(NxmEntry {
                header,
                value: payload,
                mask: None,
            });
        }
        let (value, mask) = payload.split_at_checked(payload.len() / 2)?;
        Some(NxmEntry {
            header,
            value,
            mask: Some(mask),
        })
    }
}

/// One action in place: its type and all of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActionView<'a> {
    /// The type; 0xffff for vendor actions.
    pub kind: u16,
    /// For vendor actions of Nicira the subtype.
    pub subtype: Option<u16>,
    /// The action, header included.
    pub bytes: &'a [u8],
}

/// Iterator over actions; ends early where bytes are no whole action.
#[derive(Clone, Debug)]
pub struct ActionViews<'a> {
    rest: &'a [u8],
}

impl<'a> ActionViews<'a> {
    /// Over any concatenation of actions.
    #[must_use]
    pub fn new(actions: &'a [u8]) -> Self {
        Self { rest: actions }
    }
}

impl<'a> Iterator for ActionViews<'a> {
    type Item = ActionView<'a>;

    fn next(&mut self) -> Option<ActionView<'a>> {
        let &[k, l, high, low] = self.rest.first_chunk()?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length < 4 {
            return None;
        }
        let (bytes, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        let kind = u16::from_be_bytes([k, l]);
        let subtype = match bytes {
            [0xff, 0xff, _, _, 0, 0, 0x23, 0x20, s, t, ..] => Some(u16::from_be_bytes([*s, *t])),
            _ => None,
        };
        Some(ActionView {
            kind,
            subtype,
            bytes,
        })
    }
}

/// The frame inside a packet-in of any of the three forms, header included; `None` for other
/// messages and for those cut short.
///
/// OFPT_PACKET_IN (OF1.0 §5.4.1) has it behind 18 bytes, NXT_PACKET_IN behind the padded match and
/// two zero bytes, NXT_PACKET_IN2 in property 0.
#[must_use]
pub fn packet_in_frame(message: &[u8]) -> Option<&[u8]> {
    const NXT_PACKET_IN: u8 = 17;
    const NXT_PACKET_IN2: u8 = 30;
    match message {
        [1, 10, ..] => message.get(18..),
        [
            1,
            4,
            _,
            _,
            _,
            _,
            _,
            _,
            0,
            0,
            0x23,
            0x20,
            0,
            0,
            0,
            NXT_PACKET_IN,
            ..,
        ] => {
            let length = message.get(32..)?.first_chunk().copied()?;
            let length = usize::from(u16::from_be_bytes(length));
            message.get(40 + length.next_multiple_of(8) + 2..)
        }
        [
            1,
            4,
            _,
            _,
            _,
            _,
            _,
            _,
            0,
            0,
            0x23,
            0x20,
            0,
            0,
            0,
            NXT_PACKET_IN2,
            rest @ ..,
        ] => {
            let mut rest = rest;
            loop {
                let &[k, l, high, low] = rest.first_chunk()?;
                let length = usize::from(u16::from_be_bytes([high, low]));
                let data = rest.get(4..length)?;
                if (k, l) == (0, 0) {
                    return Some(data);
                }
                rest = rest.get(length.next_multiple_of(8)..)?;
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::{Action, ActionList, PacketInReason};
    use crate::matching::Match;
    use crate::msg::{FlowModForm, Message, NxPacketIn, PacketIn, PacketIn2, StatsReply};
    use crate::ports::{NO_BUFFER, Port};

    fn flow(number: u32) -> FlowStats {
        let match_ =
            Match::new()
                .with(FieldId::REG0, number)
                .with_masked(FieldId::METADATA, 5u64, 0xff);
        FlowStats {
            table: 60,
            duration: (7, 8),
            priority: 100,
            idle_timeout: 9,
            hard_timeout: 10,
            idle_age: Some(11),
            hard_age: None,
            cookie: u64::from(number),
            packets: 12,
            bytes: 13,
            match_,
            actions: ActionList::from([Action::output(Port(2)), Action::resubmit_table(94)]),
        }
    }

    fn dump() -> (Vec<FlowStats>, Vec<u8>) {
        let flows: Vec<FlowStats> = (0..3).map(flow).collect();
        let body = StatsReply::Flow(FlowModForm::Nx, flows.clone());
        let bytes = Message::StatsReply { flags: 0, body }.to_bytes(1).unwrap();
        (flows, bytes)
    }

    #[test]
    fn views_show_what_the_decoder_reads() {
        let (flows, bytes) = dump();
        let views: Vec<FlowView<'_>> = flow_views(&bytes).unwrap().map(Result::unwrap).collect();
        assert_eq!(views.len(), flows.len());
        for (view, flow) in views.iter().zip(&flows) {
            assert_eq!(&view.stats().unwrap(), flow);
            assert_eq!((view.table(), view.priority()), (flow.table, flow.priority));
            assert_eq!(
                (view.cookie(), view.duration()),
                (flow.cookie, flow.duration)
            );
            assert_eq!((view.packets(), view.bytes()), (flow.packets, flow.bytes));
            assert_eq!(view.timeouts(), (flow.idle_timeout, flow.hard_timeout));
            let fields: Vec<_> = view.entries().map(|entry| entry.field().unwrap()).collect();
            assert_eq!(fields, [FieldId::REG0, FieldId::METADATA]);
            let masks: Vec<bool> = view.entries().map(|entry| entry.mask.is_some()).collect();
            assert_eq!(masks, [false, true]);
            let actions: Vec<_> = view
                .actions()
                .map(|action| (action.kind, action.subtype))
                .collect();
            assert_eq!(actions, [(0, None), (0xffff, Some(14))]);
        }
    }

    #[test]
    fn every_truncation_ends_in_an_error() {
        let (_, bytes) = dump();
        let whole = [24, 24 + 104, 24 + 208];
        for end in 0..bytes.len() {
            let bad = match flow_views(&bytes[..end]) {
                Ok(mut flows) => flows.any(|flow| flow.is_err()),
                Err(_) => true,
            };
            assert_eq!(bad, !whole.contains(&end), "cut at {end}");
        }
        for (at, value) in [(24, 0xff), (25, 1), (42, 0xff), (43, 0xff)] {
            let mut damaged = bytes.clone();
            damaged[at] = value;
            assert!(
                flow_views(&damaged).unwrap().any(|flow| flow.is_err()),
                "byte {at}"
            );
        }
        assert!(flow_views(&[1, 18, 0, 8, 0, 0, 0, 0]).is_err());
    }

    #[test]
    fn frames_of_all_packet_ins() {
        let data: Box<[u8]> = (0..40).collect();
        let messages = [
            Message::PacketIn(PacketIn {
                buffer_id: NO_BUFFER,
                total_len: 40,
                in_port: Port(1),
                reason: PacketInReason::ACTION,
                data: data.clone(),
            }),
            Message::NxPacketIn(NxPacketIn {
                buffer_id: NO_BUFFER,
                total_len: 40,
                reason: PacketInReason::ACTION,
                table: 3,
                cookie: 4,
                metadata: Match::new().with(FieldId::IN_PORT, 1u16),
                data: data.clone(),
            }),
            Message::PacketIn2(PacketIn2 {
                packet: data.clone(),
                table: Some(3),
                ..PacketIn2::default()
            }),
        ];
        for message in messages {
            let bytes = message.to_bytes(0).unwrap();
            assert_eq!(packet_in_frame(&bytes), Some(&data[..]), "{message:?}");
            for end in 0..bytes.len() {
                let _ = packet_in_frame(&bytes[..end]);
            }
        }
        assert_eq!(packet_in_frame(&[1, 18, 0, 8, 0, 0, 0, 0]), None);
    }
}
