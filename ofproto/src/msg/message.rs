//! [`Message`]: the list of all messages, and which number belongs to which.

use super::registry::{self, Kind};
use super::{
    AsyncConfig, AsyncProperty, CtFlush, ErrorMsg, FlowFormat, FlowMod, FlowModForm, FlowRemoved,
    GroupMod, Hello, NxPacketIn, PacketIn, PacketIn2, PacketInFormat, PacketOut, PortMod,
    PortStatus, QueueConfig, Role, StatsReply, StatsRequest, SwitchConfig, SwitchFeatures,
    TlvTableMod, TlvTableReply, decode_list,
};
use crate::action::ActionList;
use crate::codec::{Codec, Reader, Writer};
use crate::error::{DecodeError, EncodeError, OfpError};
use crate::header::{HEADER_LEN, MsgType, NX_VENDOR, ONF_VENDOR, OfHeader, Version};
use crate::ports::Port;

/// A message this crate does not decode, kept as it came.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UnknownMessage {
    /// Its version.
    pub version: Version,
    /// Its type, in the numbering of that version.
    pub msg_type: MsgType,
    /// Everything after the header.
    pub body: Box<[u8]>,
}

impl UnknownMessage {
    /// What a switch answers.
    #[must_use]
    pub fn error(&self) -> OfpError {
        if self.version != Version::OF10 {
            return OfpError::OFPBRC_BAD_VERSION;
        }
        self.kind_error()
    }

    /// What is wrong with the numbers of its kind.
    pub(crate) fn kind_error(&self) -> OfpError {
        let stats = match self.version {
            Version::OF10 => [MsgType::STATS_REQUEST, MsgType::STATS_REPLY],
            _ => [MsgType(18), MsgType(19)],
        };
        let stats = stats.contains(&self.msg_type);
        match self.body.first_chunk::<4>() {
            None if stats => OfpError::OFPBRC_BAD_LEN,
            Some(_) if stats => OfpError::OFPBRC_BAD_STAT,
            _ if self.msg_type != MsgType::VENDOR => OfpError::OFPBRC_BAD_TYPE,
            _ if self.body.len() < 8 => OfpError::OFPBRC_BAD_LEN,
            Some(v) if matches!(u32::from_be_bytes(*v), NX_VENDOR | ONF_VENDOR) => {
                OfpError::OFPBRC_BAD_SUBTYPE
            }
            _ => OfpError::OFPBRC_BAD_VENDOR,
        }
    }
}

/// The body of a message (OF1.0 §5.3 and §5.4). Nicira messages name their subtype in brackets.
///
/// What follows the header of those whose type has no documentation of its own. Standard ones:
///
/// ```text
///       8                  10           12
///      +------------------+------------+
///  2, 3| payload                              EchoRequest, EchoReply
///   20 | port             | pad        |      QueueGetConfigRequest
///      +------------------+------------+
/// ```
///
/// Nicira ones (`nicira-ext.h`, `struct nicira_header`):
///
/// ```text
///       8        12       16     18      20            24
///      +--------+---------+------+-------+-------------+
///   10 | 0x2320 | subtype | role u32     |               RoleRequest
///   11 | 0x2320 | subtype | role u32     |               RoleReply
///   12 | 0x2320 | subtype | format u32   |               SetFlowFormat
///   15 | 0x2320 | subtype | set u8, pad 7              | FlowModTableId
///   16 | 0x2320 | subtype | format u32   |               SetPacketInFormat
///   20 | 0x2320 | subtype | pad 6, id u16              | SetControllerId
///   21 | 0x2320 | subtype | id u32       |               FlowMonitorCancel
///   29 | 0x2320 | subtype | pad 6, zone u16            | CtFlushZone
///  132 | 0x2320 | subtype | whole message                RequestForward
///      +--------+---------+------+-------+-------------+
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// Version negotiation.
    Hello(Hello),
    /// Refusal of an earlier message.
    Error(ErrorMsg),
    /// Liveness probe with payload.
    EchoRequest(Box<[u8]>),
    /// Answer with the same payload.
    EchoReply(Box<[u8]>),
    /// Who are you?
    FeaturesRequest,
    /// The answer.
    FeaturesReply(SwitchFeatures),
    /// Ask for fragment policy and miss length.
    GetConfigRequest,
    /// The answer.
    GetConfigReply(SwitchConfig),
    /// Set them.
    SetConfig(SwitchConfig),
    /// A packet for the controller.
    PacketIn(PacketIn),
    /// \[17\] The same with metadata.
    NxPacketIn(NxPacketIn),
    /// \[30\] The same as properties.
    PacketIn2(PacketIn2),
    /// \[28\] Go on with a paused packet.
    Resume(PacketIn2),
    /// A flow has gone; standard form or \[14\].
    FlowRemoved(FlowRemoved),
    /// A port came, went or changed.
    PortStatus(PortStatus),
    /// A packet to send.
    PacketOut(PacketOut),
    /// Change flows; standard form or \[13\].
    FlowMod(FlowMod),
    /// \[31\] Change a group.
    GroupMod(GroupMod),
    /// Change a port.
    PortMod(PortMod),
    /// Fence.
    BarrierRequest,
    /// Everything before the fence is done.
    BarrierReply,
    /// Ask for the queues of a port.
    QueueGetConfigRequest(Port),
    /// The answer.
    QueueGetConfigReply(QueueConfig),
    /// Ask for statistics.
    StatsRequest {
        /// No flags are defined.
        flags: u16,
        /// What is asked.
        body: StatsRequest,
    },
    /// A part of the answer.
    StatsReply {
        /// Bit 0: more parts follow.
        flags: u16,
        /// The part.
        body: StatsReply,
    },
    /// \[10\] Ask for a role.
    RoleRequest(Role),
    /// \[11\] The role now.
    RoleReply(Role),
    /// \[12\] Choose the form of flow messages.
    SetFlowFormat(FlowFormat),
    /// \[15\] Whether the high byte of a flow mod's command is a table.
    FlowModTableId(bool),
    /// \[16\] Choose the form of packet-ins.
    SetPacketInFormat(PacketInFormat),
    /// \[18\] Historical.
    FlowAge,
    /// \[19\] Choose asynchronous messages.
    SetAsyncConfig(AsyncConfig),
    /// \[27\] The same, as properties.
    SetAsyncConfig2(Vec<AsyncProperty>),
    /// \[20\] The number by which `controller` actions name this connection.
    SetControllerId(u16),
    /// \[21\] Cancel a flow monitor.
    FlowMonitorCancel(u32),
    /// \[22\] The flow monitor drops events from here on.
    FlowMonitorPaused,
    /// \[23\] The flow monitor is current again.
    FlowMonitorResumed,
    /// \[24\] Change the tunnel option table.
    TlvTableMod(TlvTableMod),
    /// \[25\] Ask for the tunnel option table.
    TlvTableRequest,
    /// \[26\] The answer.
    TlvTableReply(TlvTableReply),
    /// \[29\] Forget the connections of a zone.
    CtFlushZone(u16),
    /// \[32\] Forget matching connections.
    CtFlush(CtFlush),
    /// \[132\] Another controller's group mod, with its xid.
    RequestForward {
        /// Transaction id of the forwarded message.
        xid: u32,
        /// The forwarded message.
        request: Box<GroupMod>,
    },
    /// Anything else.
    Unknown(UnknownMessage),
}

/// Where a message's number is: in the header, or behind the Nicira vendor header.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Number {
    Std(MsgType),
    Nx(u32),
}

impl Message {
    /// The more-follows flag of a statistics reply.
    pub const REPLY_MORE: u16 = 1;

    fn number(&self) -> Number {
        use Number::{Nx, Std};
        match self {
            Message::Hello(_) => Std(MsgType::HELLO),
            Message::Error(_) => Std(MsgType::ERROR),
            Message::EchoRequest(_) => Std(MsgType::ECHO_REQUEST),
            Message::EchoReply(_) => Std(MsgType::ECHO_REPLY),
            Message::FeaturesRequest => Std(MsgType::FEATURES_REQUEST),
            Message::FeaturesReply(_) => Std(MsgType::FEATURES_REPLY),
            Message::GetConfigRequest => Std(MsgType::GET_CONFIG_REQUEST),
            Message::GetConfigReply(_) => Std(MsgType::GET_CONFIG_REPLY),
            Message::SetConfig(_) => Std(MsgType::SET_CONFIG),
            Message::PacketIn(_) => Std(MsgType::PACKET_IN),
            Message::NxPacketIn(_) => Nx(17),
            Message::PacketIn2(_) => Nx(30),
            Message::Resume(_) => Nx(28),
            Message::FlowRemoved(f) => match f.form {
                FlowModForm::Of10 => Std(MsgType::FLOW_REMOVED),
                FlowModForm::Nx => Nx(14),
            },
            Message::PortStatus(_) => Std(MsgType::PORT_STATUS),
            Message::PacketOut(_) => Std(MsgType::PACKET_OUT),
            Message::FlowMod(f) => match f.form {
                FlowModForm::Of10 => Std(MsgType::FLOW_MOD),
                FlowModForm::Nx => Nx(13),
            },
            Message::GroupMod(_) => Nx(31),
            Message::PortMod(_) => Std(MsgType::PORT_MOD),
            Message::BarrierRequest => Std(MsgType::BARRIER_REQUEST),
            Message::BarrierReply => Std(MsgType::BARRIER_REPLY),
            Message::QueueGetConfigRequest(_) => Std(MsgType::QUEUE_GET_CONFIG_REQUEST),
            Message::QueueGetConfigReply(_) => Std(MsgType::QUEUE_GET_CONFIG_REPLY),
            Message::StatsRequest { .. } => Std(MsgType::STATS_REQUEST),
            Message::StatsReply { .. } => Std(MsgType::STATS_REPLY),
            Message::RoleRequest(_) => Nx(10),
            Message::RoleReply(_) => Nx(11),
            Message::SetFlowFormat(_) => Nx(12),
            Message::FlowModTableId(_) => Nx(15),
            Message::SetPacketInFormat(_) => Nx(16),
            Message::FlowAge => Nx(18),
            Message::SetAsyncConfig(_) => Nx(19),
            Message::SetAsyncConfig2(_) => Nx(27),
            Message::SetControllerId(_) => Nx(20),
            Message::FlowMonitorCancel(_) => Nx(21),
            Message::FlowMonitorPaused => Nx(22),
            Message::FlowMonitorResumed => Nx(23),
            Message::TlvTableMod(_) => Nx(24),
            Message::TlvTableRequest => Nx(25),
            Message::TlvTableReply(_) => Nx(26),
            Message::CtFlushZone(_) => Nx(29),
            Message::CtFlush(_) => Nx(32),
            Message::RequestForward { .. } => Nx(132),
            Message::Unknown(u) => Std(u.msg_type),
        }
    }

    /// Appends the whole message, header included, to `buf`. On error `buf` is as before.
    ///
    /// # Errors
    /// When the value has no encoding or outgrows 65 535 bytes.
    #[inline]
    pub fn encode(&self, xid: u32, buf: &mut Vec<u8>) -> Result<(), EncodeError> {
        let start = buf.len();
        let mut w = Writer::new(buf);
        let done = self.encode_message(xid, &mut w);
        if done.is_err() {
            buf.truncate(start);
        }
        done
    }

    /// The whole message as a new vector.
    ///
    /// # Errors
    /// As for [`Message::encode`].
    pub fn to_bytes(&self, xid: u32) -> Result<Vec<u8>, EncodeError> {
        let mut buf = Vec::new();
        self.encode(xid, &mut buf)?;
        Ok(buf)
    }

    #[inline]
    fn encode_message(&self, xid: u32, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        let start = w.position();
        let version = match self {
            Message::Unknown(u) => u.version,
            _ => Version::OF10,
        };
        let number = self.number();
        let msg_type = match number {
            Number::Std(t) => t,
            Number::Nx(_) => MsgType::VENDOR,
        };
        OfHeader {
            version,
            msg_type,
            length: 0,
            xid,
        }
        .encode(w)?;
        if let Number::Nx(subtype) = number {
            w.u32(NX_VENDOR);
            w.u32(subtype);
        }
        self.encode_body(w)?;
        w.patch_len(start.saturating_add(2), start, "message")
    }

    #[inline]
    fn encode_body(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        match self {
            Message::FlowMod(f) => match f.form {
                FlowModForm::Of10 => return f.encode_of10(w),
                FlowModForm::Nx => return f.encode_nx(w),
            },
            Message::Hello(h) => w.bytes(&h.body),
            Message::Error(e) => e.encode_body(Version::OF10, w),
            Message::EchoRequest(data) | Message::EchoReply(data) => w.bytes(data),
            Message::FeaturesReply(f) => return f.encode(w),
            Message::GetConfigReply(c) | Message::SetConfig(c) => return c.encode(w),
            Message::PacketIn(p) => return p.encode(w),
            Message::NxPacketIn(p) => return p.encode(w),
            Message::PacketIn2(p) | Message::Resume(p) => return p.encode(w),
            Message::FlowRemoved(f) => return f.encode_body(w),
            Message::PortStatus(p) => return p.encode(w),
            Message::PacketOut(p) => return p.encode(w),
            Message::GroupMod(g) => return g.encode(w),
            Message::PortMod(p) => return p.encode(w),
            Message::QueueGetConfigRequest(port) => {
                w.u16(port.0);
                w.zeros(2);
            }
            Message::QueueGetConfigReply(q) => return q.encode(w),
            Message::StatsRequest { flags, body } => return body.encode_body(w, *flags),
            Message::StatsReply { flags, body } => return body.encode_body(w, *flags),
            Message::RoleRequest(role) | Message::RoleReply(role) => w.u32(role.0),
            Message::SetFlowFormat(format) => w.u32(format.0),
            Message::SetPacketInFormat(format) => w.u32(format.0),
            Message::FlowModTableId(on) => {
                w.u8(u8::from(*on));
                w.zeros(7);
            }
            Message::SetAsyncConfig(a) => return a.encode(w),
            Message::SetAsyncConfig2(props) => return props.iter().try_for_each(|p| p.encode(w)),
            Message::SetControllerId(id) | Message::CtFlushZone(id) => {
                w.zeros(6);
                w.u16(*id);
            }
            Message::FlowMonitorCancel(id) => w.u32(*id),
            Message::TlvTableMod(t) => return t.encode(w),
            Message::TlvTableReply(t) => return t.encode(w),
            Message::CtFlush(f) => return f.encode(w),
            Message::RequestForward { xid, request } => {
                // The forwarded message is whole, with a header of its own.
                let inner = w.position();
                let msg_type = MsgType::VENDOR;
                OfHeader {
                    version: Version::OF10,
                    msg_type,
                    length: 0,
                    xid: *xid,
                }
                .encode(w)?;
                w.u32(NX_VENDOR);
                w.u32(31);
                request.encode(w)?;
                return w.patch_len(inner.saturating_add(2), inner, "forwarded message");
            }
            Message::Unknown(u) => w.bytes(&u.body),
            Message::FeaturesRequest
            | Message::GetConfigRequest
            | Message::BarrierRequest
            | Message::BarrierReply
            | Message::FlowAge
            | Message::FlowMonitorPaused
            | Message::FlowMonitorResumed
            | Message::TlvTableRequest => {}
        }
        Ok(())
    }

    /// Reads one whole message: `bytes` is exactly as long as its header says.
    ///
    /// # Errors
    /// `OFPBRC_BAD_LEN` when header and slice disagree or the body has the wrong size, and the
    /// errors of the body.
    #[inline]
    pub fn decode(bytes: &[u8]) -> Result<(OfHeader, Message), DecodeError> {
        let mut r = Reader::new(bytes);
        let header = OfHeader::decode(&mut r)?;
        if usize::from(header.length) != bytes.len() {
            let e = DecodeError::new(OfpError::OFPBRC_BAD_LEN, "message length", 2);
            return Err(e.wanted(usize::from(header.length), bytes.len()));
        }
        if header.version == Version::OF10 {
            registry::check_length(bytes)?;
        }
        let message = Self::decode_body(header, &mut r)?;
        r.finish("message")?;
        Ok((header, message))
    }

    /// Checks what decoding leaves open, as the switch does that receives the message: that it is
    /// known, and that the actions in it are known, fit each other and fit the match.
    ///
    /// # Errors
    /// The error a switch would send.
    pub fn check(&self) -> Result<(), OfpError> {
        let plain = |list: &ActionList| {
            list.refuse_unknown()?;
            list.verify_plain()
        };
        let group = |group: &GroupMod| {
            let mut lists = group.buckets.iter().map(|bucket| &bucket.actions);
            lists.try_for_each(plain)?;
            group.check()
        };
        match self {
            Message::FlowMod(f) => f.check(),
            Message::PacketOut(p) => plain(&p.actions),
            Message::GroupMod(g) => group(g),
            Message::RequestForward { request, .. } => group(request),
            Message::SetConfig(config) => match config.flags & !SwitchConfig::FLAGS {
                0 => Ok(()),
                _ => Err(OfpError::OFPSCFC_BAD_FLAGS),
            },
            Message::SetPacketInFormat(format) => match format.name() {
                Some(_) => Ok(()),
                None => Err(OfpError::OFPBRC_EPERM),
            },
            Message::QueueGetConfigRequest(port) if port.0 >= Port::MAX => {
                Err(OfpError::OFPQOFC_BAD_PORT)
            }
            Message::StatsRequest {
                body: StatsRequest::Unknown(u),
                ..
            }
            | Message::StatsReply {
                body: StatsReply::Unknown(u),
                ..
            } => Err(u.error()),
            Message::Unknown(u) => Err(u.error()),
            _ => Ok(()),
        }
    }

    #[inline]
    fn decode_body(header: OfHeader, r: &mut Reader<'_>) -> Result<Message, DecodeError> {
        if header.version != Version::OF10 {
            return Ok(Message::Unknown(unknown(header, r)));
        }
        Ok(match header.msg_type {
            MsgType::VENDOR => return decode_vendor(header, r),
            MsgType::FLOW_MOD => Message::FlowMod(FlowMod::decode_of10(r)?),
            MsgType::HELLO => Message::Hello(Hello {
                body: r.rest().into(),
            }),
            MsgType::ERROR => Message::Error(ErrorMsg::decode_body(header.version, r)?),
            MsgType::ECHO_REQUEST => Message::EchoRequest(r.rest().into()),
            MsgType::ECHO_REPLY => Message::EchoReply(r.rest().into()),
            MsgType::FEATURES_REQUEST => Message::FeaturesRequest,
            MsgType::FEATURES_REPLY => Message::FeaturesReply(SwitchFeatures::decode(r)?),
            MsgType::GET_CONFIG_REQUEST => Message::GetConfigRequest,
            MsgType::GET_CONFIG_REPLY => Message::GetConfigReply(SwitchConfig::decode(r)?),
            MsgType::SET_CONFIG => Message::SetConfig(SwitchConfig::decode(r)?),
            MsgType::PACKET_IN => Message::PacketIn(PacketIn::decode(r)?),
            MsgType::FLOW_REMOVED => {
                Message::FlowRemoved(FlowRemoved::decode_body(r, FlowModForm::Of10)?)
            }
            MsgType::PORT_STATUS => Message::PortStatus(PortStatus::decode(r)?),
            MsgType::PACKET_OUT => Message::PacketOut(PacketOut::decode(r)?),
            MsgType::PORT_MOD => Message::PortMod(PortMod::decode(r)?),
            MsgType::STATS_REQUEST => {
                let (flags, body) = StatsRequest::decode_body(r)?;
                Message::StatsRequest { flags, body }
            }
            MsgType::STATS_REPLY => {
                let (flags, body) = StatsReply::decode_body(r)?;
                Message::StatsReply { flags, body }
            }
            MsgType::BARRIER_REQUEST => Message::BarrierRequest,
            MsgType::BARRIER_REPLY => Message::BarrierReply,
            MsgType::QUEUE_GET_CONFIG_REQUEST => {
                let port = Port(r.u16("port")?);
                r.skip(2, "pad")?;
                Message::QueueGetConfigRequest(port)
            }
            MsgType::QUEUE_GET_CONFIG_REPLY => {
                Message::QueueGetConfigReply(QueueConfig::decode(r)?)
            }
            _ => Message::Unknown(unknown(header, r)),
        })
    }
}

fn unknown(header: OfHeader, r: &mut Reader<'_>) -> UnknownMessage {
    UnknownMessage {
        version: header.version,
        msg_type: header.msg_type,
        body: r.rest().into(),
    }
}

#[inline]
fn decode_vendor(header: OfHeader, r: &mut Reader<'_>) -> Result<Message, DecodeError> {
    let mut body = *r;
    let vendor = body.u32("vendor")?;
    if vendor != NX_VENDOR {
        return Ok(Message::Unknown(unknown(header, r)));
    }
    let subtype = body.u32("vendor subtype")?;
    let message = match subtype {
        13 => Message::FlowMod(FlowMod::decode_nx(&mut body)?),
        10 | 11 => {
            let at = body.offset();
            let role = Role(body.u32("role")?);
            if role.name().is_none() {
                let code = OfpError::OFPRRFC_BAD_ROLE;
                return Err(DecodeError::new(code, "role", at));
            }
            if subtype == 10 {
                Message::RoleRequest(role)
            } else {
                Message::RoleReply(role)
            }
        }
        12 => Message::SetFlowFormat(FlowFormat(body.u32("flow format")?)),
        14 => Message::FlowRemoved(FlowRemoved::decode_body(&mut body, FlowModForm::Nx)?),
        15 => {
            let on = body.u8("flow mod table id")? != 0;
            body.skip(7, "pad")?;
            Message::FlowModTableId(on)
        }
        16 => Message::SetPacketInFormat(PacketInFormat(body.u32("packet-in format")?)),
        17 => Message::NxPacketIn(NxPacketIn::decode(&mut body)?),
        18 => Message::FlowAge,
        19 => Message::SetAsyncConfig(AsyncConfig::decode(&mut body)?),
        27 => Message::SetAsyncConfig2(decode_list::<AsyncProperty>(&mut body)?),
        20 | 29 => {
            // Open vSwitch looks at these zeros only in the zone.
            match subtype {
                20 => body.skip(6, "zeros")?,
                _ => body.zeros(6, OfpError::NXBRC_MUST_BE_ZERO, "zeros")?,
            }
            let id = body.u16("id")?;
            if subtype == 20 {
                Message::SetControllerId(id)
            } else {
                Message::CtFlushZone(id)
            }
        }
        21 => Message::FlowMonitorCancel(body.u32("monitor id")?),
        22 => Message::FlowMonitorPaused,
        23 => Message::FlowMonitorResumed,
        24 => Message::TlvTableMod(TlvTableMod::decode(&mut body)?),
        25 => Message::TlvTableRequest,
        26 => Message::TlvTableReply(TlvTableReply::decode(&mut body)?),
        28 => Message::Resume(PacketIn2::decode(&mut body)?),
        30 => Message::PacketIn2(PacketIn2::decode(&mut body)?),
        31 => Message::GroupMod(GroupMod::decode(&mut body)?),
        32 => Message::CtFlush(CtFlush::decode(&mut body)?),
        132 => decode_forward(&mut body)?,
        _ => return Ok(Message::Unknown(unknown(header, r))),
    };
    body.finish("message")?;
    r.rest();
    Ok(message)
}

/// Reads a forwarded message. Only group mods can be forwarded on 1.0; what follows it is ignored.
fn decode_forward(r: &mut Reader<'_>) -> Result<Message, DecodeError> {
    let here = *r;
    let error = |code| here.error(code, "forwarded message");
    let whole = r.peek();
    let header = OfHeader::decode(&mut r.short_as(OfpError::OFPBFC_MSG_BAD_LEN))?;
    let inner = match whole.get(..usize::from(header.length)) {
        Some(inner) if inner.len() >= HEADER_LEN => inner,
        _ => return Err(error(OfpError::OFPBFC_MSG_BAD_LEN)),
    };
    if header.version != Version::OF10 {
        return Err(error(OfpError::OFPBRC_BAD_VERSION));
    }
    registry::check_length(inner).map_err(|e| error(e.code()))?;
    let mut body = r.sub(inner.len(), "forwarded message")?;
    body.skip(HEADER_LEN, "header")?;
    match Kind::of(inner) {
        Some(Kind::Nicira(31)) => {}
        Some(kind) if kind.entry().is_some() => return Err(error(OfpError::OFPBFC_MSG_UNSUP)),
        _ => return Err(error(unknown(header, &mut body).error())),
    }
    body.skip(8, "vendor header")?;
    let request = Box::new(GroupMod::decode(&mut body)?);
    r.rest();
    Ok(Message::RequestForward {
        xid: header.xid,
        request,
    })
}
