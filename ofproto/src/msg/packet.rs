//! Packets up and down: packet-in in its four forms, resume, packet-out (OF1.0 §5.3.6, §5.4.1).

use crate::action::{ActionList, PacketInReason};
use crate::codec::{Codec, Reader, Writer};
use crate::error::{DecodeError, EncodeError, OfpError};
use crate::matching::{Form, Match, MatchOptions};
use crate::ports::{NO_BUFFER, Port};
use crate::property;

use super::flow_mod::{put_nx_match, take_nx_match};

/// How packet metadata is read: unknown fields are skipped, prerequisites not asked for.
const LENIENT: MatchOptions = MatchOptions {
    lenient: true,
    allow_cookie: false,
};

/// `OFPT_PACKET_IN`, 18 bytes and the frame.
///
/// ```text
///  8        12          14        16       17    18
/// +--------+-----------+---------+--------+-----+------- - -
/// | buffer | total_len | in_port | reason | pad | frame
/// +--------+-----------+---------+--------+-----+------- - -
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PacketIn {
    /// Buffer in the switch, or [`NO_BUFFER`].
    pub buffer_id: u32,
    /// Length of the whole frame.
    pub total_len: u16,
    /// Where it came in.
    pub in_port: Port,
    /// Why it is sent.
    pub reason: PacketInReason,
    /// The frame or its beginning.
    pub data: Box<[u8]>,
}

impl Codec for PacketIn {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u32(self.buffer_id);
        w.u16(self.total_len);
        w.u16(self.in_port.0);
        w.u8(self.reason.0);
        w.zeros(1);
        w.bytes(&self.data);
        Ok(())
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let buffer_id = r.u32("buffer id")?;
        let total_len = r.u16("total_len")?;
        let in_port = Port(r.u16("in_port")?);
        let reason = PacketInReason(r.u8("reason")?);
        r.skip(1, "pad")?;
        Ok(PacketIn {
            buffer_id,
            total_len,
            in_port,
            reason,
            data: r.rest().into(),
        })
    }
}

/// `NXT_PACKET_IN`, 40 bytes, match padded to 8, 2 bytes, and the frame.
///
/// ```text
///  16       20          22       23      24       32      34   40
/// +--------+-----------+--------+-------+--------+-------+----+-------+---+------- - -
/// | buffer | total_len | reason | table | cookie |m. len | 0  | match | 0 | frame
/// +--------+-----------+--------+-------+--------+-------+----+-------+---+------- - -
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NxPacketIn {
    /// Buffer in the switch, or [`NO_BUFFER`].
    pub buffer_id: u32,
    /// Length of the whole frame.
    pub total_len: u16,
    /// Why it is sent.
    pub reason: PacketInReason,
    /// Table that sent it.
    pub table: u8,
    /// Cookie of the flow that sent it.
    pub cookie: u64,
    /// Metadata of the packet: input port, tunnel, registers.
    pub metadata: Match,
    /// The frame or its beginning.
    pub data: Box<[u8]>,
}

impl Codec for NxPacketIn {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u32(self.buffer_id);
        w.u16(self.total_len);
        w.u8(self.reason.0);
        w.u8(self.table);
        w.u64(self.cookie);
        let len_at = w.position();
        w.zeros(8);
        put_nx_match(w, len_at, &self.metadata, 0, 0)?;
        w.zeros(2);
        w.bytes(&self.data);
        Ok(())
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let buffer_id = r.u32("buffer id")?;
        let total_len = r.u16("total_len")?;
        let reason = PacketInReason(r.u8("reason")?);
        let table = r.u8("table")?;
        let cookie = r.u64("cookie")?;
        let len = r.u16("match length")?;
        r.skip(6, "pad")?;
        let metadata = take_nx_match(r, len, LENIENT)?;
        r.skip(2, "pad")?;
        let data = r.rest().into();
        Ok(NxPacketIn {
            buffer_id,
            total_len,
            reason,
            table,
            cookie,
            metadata,
            data,
        })
    }
}

/// `NXT_PACKET_IN2` and, sent back to go on, `NXT_RESUME`: a list of properties
/// (`enum nx_packet_in2_prop_type`), each padded to 8.
///
/// ```text
///  16     18       20
/// +------+--------+----------------------------+
/// |  0   | length | frame                      |
/// |  1   |   8    | length of the whole frame  |
/// |  2   |   8    | buffer id                  |
/// |  3   |   5    | table                      |
/// |  4   |   16   | pad 4, cookie              |
/// |  5   |   5    | reason                     |
/// |  6   | length | metadata, an NXM match     |
/// |  7   | length | userdata                   |
/// |  8   | length | pad 4, continuation        |
/// +------+--------+----------------------------+
/// ```
///
/// The continuation is the switch's own business; echo it unchanged in a resume.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct PacketIn2 {
    /// The frame or its beginning.
    pub packet: Box<[u8]>,
    /// Length of the whole frame, when `packet` is only its beginning.
    pub full_len: Option<u32>,
    /// Buffer in the switch.
    pub buffer_id: Option<u32>,
    /// Table that sent it.
    pub table: Option<u8>,
    /// Cookie of the flow that sent it.
    pub cookie: Option<u64>,
    /// Why it is sent.
    pub reason: Option<PacketInReason>,
    /// Metadata of the packet.
    pub metadata: Option<Match>,
    /// What the `controller` action handed along.
    pub userdata: Option<Box<[u8]>>,
    /// Frozen state of the pipeline.
    pub continuation: Option<Box<[u8]>>,
    /// Properties that are not known, with their types.
    pub unknown: Vec<(u16, Box<[u8]>)>,
}

mod prop {
    pub(super) const PACKET: u16 = 0;
    pub(super) const FULL_LEN: u16 = 1;
    pub(super) const BUFFER_ID: u16 = 2;
    pub(super) const TABLE: u16 = 3;
    pub(super) const COOKIE: u16 = 4;
    pub(super) const REASON: u16 = 5;
    pub(super) const METADATA: u16 = 6;
    pub(super) const USERDATA: u16 = 7;
    pub(super) const CONTINUATION: u16 = 8;
}

impl Codec for PacketIn2 {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        if !self.packet.is_empty() {
            property::put_bytes(w, prop::PACKET, &self.packet)?;
        }
        if let Some(len) = self.full_len {
            property::put_u32(w, prop::FULL_LEN, len)?;
        }
        if let Some(id) = self.buffer_id {
            property::put_u32(w, prop::BUFFER_ID, id)?;
        }
        if let Some(table) = self.table {
            property::put_u8(w, prop::TABLE, table)?;
        }
        if let Some(cookie) = self.cookie {
            property::put_u64(w, prop::COOKIE, cookie)?;
        }
        if let Some(reason) = self.reason {
            property::put_u8(w, prop::REASON, reason.0)?;
        }
        if let Some(metadata) = &self.metadata {
            property::put(w, prop::METADATA, |w| {
                metadata.encode_fields(w, Form::Nxm);
                Ok(())
            })?;
        }
        if let Some(userdata) = &self.userdata {
            property::put_bytes(w, prop::USERDATA, userdata)?;
        }
        if let Some(continuation) = &self.continuation {
            property::put(w, prop::CONTINUATION, |w| {
                w.zeros(4);
                w.bytes(continuation);
                Ok(())
            })?;
        }
        for (kind, data) in &self.unknown {
            property::put_bytes(w, *kind, data)?;
        }
        Ok(())
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut p2 = PacketIn2::default();
        while !r.is_empty() {
            let mut p = property::take(r)?;
            match p.kind {
                prop::PACKET => p2.packet = p.data.rest().into(),
                prop::FULL_LEN => p2.full_len = Some(p.u32()?),
                prop::BUFFER_ID => p2.buffer_id = Some(p.u32()?),
                prop::TABLE => p2.table = Some(p.u8()?),
                prop::COOKIE => p2.cookie = Some(p.u64()?),
                prop::REASON => p2.reason = Some(PacketInReason(p.u8()?)),
                prop::METADATA => p2.metadata = Some(Match::decode_fields(&mut p.data, LENIENT)?),
                prop::USERDATA => p2.userdata = Some(p.data.rest().into()),
                prop::CONTINUATION => p2.continuation = Some(p.nested()?.rest().into()),
                _ => p2.unknown.push((p.kind, p.data.rest().into())),
            }
        }
        let full_len = p2.full_len.filter(|len| *len != 0);
        if p2.packet.is_empty() {
            return Err(r.error(OfpError::OFPBRC_BAD_LEN, "packet-in without packet"));
        }
        if full_len.is_some_and(|len| (len as usize) < p2.packet.len()) {
            return Err(r.error(
                OfpError::OFPBRC_BAD_LEN,
                "packet longer than its full length",
            ));
        }
        Ok(p2)
    }
}

/// `OFPT_PACKET_OUT`, 16 bytes, actions and the frame.
///
/// ```text
///  8        12        14            16
/// +--------+---------+-------------+--------- - -+------- - -
/// | buffer | in_port | actions_len | actions     | frame
/// +--------+---------+-------------+--------- - -+------- - -
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PacketOut {
    /// Buffer in the switch, or [`NO_BUFFER`] when `data` has the frame.
    pub buffer_id: u32,
    /// Port to pretend it came in on; [`Port::NONE`] for none.
    pub in_port: Port,
    /// What to do with it.
    pub actions: ActionList,
    /// The frame.
    pub data: Box<[u8]>,
}

impl Default for PacketOut {
    fn default() -> Self {
        PacketOut {
            buffer_id: NO_BUFFER,
            in_port: Port::NONE,
            actions: ActionList::new(),
            data: Box::default(),
        }
    }
}

impl Codec for PacketOut {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u32(self.buffer_id);
        w.u16(self.in_port.0);
        let len_at = w.position();
        w.u16(0);
        let start = w.position();
        self.actions.encode(w)?;
        w.patch_len(len_at, start, "actions")?;
        w.bytes(&self.data);
        Ok(())
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let buffer_id = r.u32("buffer id")?;
        let in_port = Port(r.u16("in_port")?);
        let bad_port = r.error(OfpError::OFPBRC_BAD_PORT, "packet-out in_port");
        let len = usize::from(r.u16("actions length")?);
        if !len.is_multiple_of(8) {
            return Err(r.error(OfpError::OFPBRC_BAD_LEN, "actions length"));
        }
        let mut actions = r.sub(len, "actions")?;
        let actions = ActionList::decode(&mut actions)?;
        let ok =
            in_port.0 < Port::MAX || matches!(in_port, Port::LOCAL | Port::NONE | Port::CONTROLLER);
        if !ok {
            // An unknown action comes first.
            actions
                .refuse_unknown()
                .map_err(|code| DecodeError::new(code, "action", bad_port.offset()))?;
            return Err(bad_port);
        }
        Ok(PacketOut {
            buffer_id,
            in_port,
            actions,
            data: r.rest().into(),
        })
    }
}
