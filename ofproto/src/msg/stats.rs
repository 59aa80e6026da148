//! Statistics requests and replies: the header, and which body belongs to which number
//! (OF1.0 §5.3.5; vendor statistics in `nicira-ext.h`).
//!
//! ```text
//!  8      10      12                vendor: 12       16        20    24
//! +------+-------+------ - -              +--------+---------+-----+------ - -
//! | type | flags | body      type 0xffff: | vendor | subtype | pad | body
//! +------+-------+------ - -              +--------+---------+-----+------ - -
//! ```
//!
//! Bit 0 of a reply's flags says that another part follows under the same xid.

use super::counters::{DescStats, IpfixStats, PortStats, TableStats};
use super::flow_mod::FlowModForm;
use super::flow_stats::{AggregateStats, FlowStats, FlowStatsRequest};
use super::group::{GroupDesc, GroupFeatures, GroupStats};
use super::monitor::{FlowMonitorRequest, FlowUpdate};
use super::port::PhyPort;
use super::queue::QueueStats;
use super::registry::VENDOR_STATS as VENDOR;
use super::{decode_list, decode_prefix};
use crate::codec::{Codec, Reader, Writer};
use crate::error::{DecodeError, EncodeError, OfpError};
use crate::header::NX_VENDOR;
use crate::ports::Port;

/// Statistics of a kind this crate does not know, kept as they came.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UnknownStats {
    /// Statistics type.
    pub stats_type: u16,
    /// Everything after type and flags.
    pub body: Box<[u8]>,
}

impl UnknownStats {
    /// What a switch answers.
    #[must_use]
    pub fn error(&self) -> OfpError {
        match self.body.first_chunk::<4>() {
            Some(v) if self.stats_type == VENDOR && u32::from_be_bytes(*v) == NX_VENDOR => {
                OfpError::OFPBRC_BAD_SUBTYPE
            }
            _ if self.stats_type == VENDOR => OfpError::OFPBRC_BAD_VENDOR,
            _ => OfpError::OFPBRC_BAD_STAT,
        }
    }
}

/// What is asked (OF1.0 §5.3.5; `nicira10_stats_msg` for NXST).
///
/// ```text
///  8      10      12                                      12       16        20    24
/// +------+-------+---------- - -     NXST: type 0xffff   +--------+---------+-----+------ - -
/// | type | flags | body                                  | vendor | subtype | pad | body
/// +------+-------+---------- - -                         +--------+---------+-----+------ - -
///
///  OFPST 4   | port u16, pad 6           |     NXST 7, 8 | group u32, pad 4 |
///  OFPST 5   | port u16, pad 2, queue u32|
/// ```
///
/// The bodies of others are empty or in the documentation of the type they hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StatsRequest {
    /// OFPST 0: what the switch is.
    Desc,
    /// OFPST 1 or NXST 0: flows.
    Flow(FlowStatsRequest),
    /// OFPST 2 or NXST 1: totals over flows.
    Aggregate(FlowStatsRequest),
    /// OFPST 3: tables.
    Table,
    /// OFPST 4: counters of a port, or of all with [`Port::NONE`].
    Port(Port),
    /// OFPST 5: counters of queues.
    Queue {
        /// A port, or [`Port::ALL`].
        port: Port,
        /// A queue, or [`super::QUEUE_ALL`].
        queue: u32,
    },
    /// OFPST 13: ports.
    PortDesc,
    /// NXST 7: counters of a group, or of all with [`super::GROUP_ANY`].
    Group(u32),
    /// NXST 8: a group, or all with [`super::GROUP_ANY`].
    GroupDesc(u32),
    /// NXST 9: what groups can do.
    GroupFeatures,
    /// NXST 2: subscribe to flow changes.
    FlowMonitor(Vec<FlowMonitorRequest>),
    /// NXST 3: IPFIX of the bridge.
    IpfixBridge,
    /// NXST 4: IPFIX of flows.
    IpfixFlow,
    /// Anything else.
    Unknown(UnknownStats),
}

/// What is answered, one part of it: the header of [`StatsRequest`], then a list of what the
/// variant holds. Bit 0 of the flags says that more parts follow.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StatsReply {
    /// OFPST 0.
    Desc(Box<DescStats>),
    /// OFPST 1 or NXST 0.
    Flow(FlowModForm, Vec<FlowStats>),
    /// OFPST 2 or NXST 1.
    Aggregate(FlowModForm, AggregateStats),
    /// OFPST 3.
    Table(Vec<TableStats>),
    /// OFPST 4.
    Port(Vec<PortStats>),
    /// OFPST 5.
    Queue(Vec<QueueStats>),
    /// OFPST 13.
    PortDesc(Vec<PhyPort>),
    /// NXST 7.
    Group(Vec<GroupStats>),
    /// NXST 8.
    GroupDesc(Vec<GroupDesc>),
    /// NXST 9.
    GroupFeatures(GroupFeatures),
    /// NXST 2.
    FlowMonitor(Vec<FlowUpdate>),
    /// NXST 3.
    IpfixBridge(IpfixStats),
    /// NXST 4.
    IpfixFlow(Vec<IpfixStats>),
    /// Anything else.
    Unknown(UnknownStats),
}

/// Statistics numbers: standard, or Nicira's subtype.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Std(u16),
    Nx(u32),
}

fn put_header(w: &mut Writer<'_>, kind: Kind, flags: u16) {
    match kind {
        Kind::Std(n) => {
            w.u16(n);
            w.u16(flags);
        }
        Kind::Nx(n) => {
            w.u16(VENDOR);
            w.u16(flags);
            w.u32(NX_VENDOR);
            w.u32(n);
            w.zeros(4);
        }
    }
}

/// Reads the statistics header. `None` when the numbers are foreign; the reader then stands after
/// type and flags.
fn take_header(r: &mut Reader<'_>) -> Result<(u16, u16, Option<Kind>), DecodeError> {
    let stats_type = r.u16("stats type")?;
    let flags = r.u16("stats flags")?;
    if stats_type != VENDOR {
        return Ok((stats_type, flags, Some(Kind::Std(stats_type))));
    }
    let mut rest = *r;
    let vendor = rest.u32("stats vendor")?;
    if vendor != NX_VENDOR {
        return Ok((stats_type, flags, None));
    }
    let subtype = rest.u32("stats subtype")?;
    rest.skip(4, "pad")?;
    *r = rest;
    Ok((stats_type, flags, Some(Kind::Nx(subtype))))
}

fn by_form(form: FlowModForm, std: u16, nx: u32) -> Kind {
    match form {
        FlowModForm::Of10 => Kind::Std(std),
        FlowModForm::Nx => Kind::Nx(nx),
    }
}

fn put_unknown(w: &mut Writer<'_>, u: &UnknownStats, flags: u16) {
    w.u16(u.stats_type);
    w.u16(flags);
    w.bytes(&u.body);
}

fn unknown(stats_type: u16, mut r: Reader<'_>) -> UnknownStats {
    UnknownStats {
        stats_type,
        body: r.rest().into(),
    }
}

impl StatsRequest {
    fn kind(&self) -> Option<Kind> {
        Some(match self {
            StatsRequest::Desc => Kind::Std(0),
            StatsRequest::Flow(q) => by_form(q.form, 1, 0),
            StatsRequest::Aggregate(q) => by_form(q.form, 2, 1),
            StatsRequest::Table => Kind::Std(3),
            StatsRequest::Port(_) => Kind::Std(4),
            StatsRequest::Queue { .. } => Kind::Std(5),
            StatsRequest::PortDesc => Kind::Std(13),
            StatsRequest::Group(_) => Kind::Nx(7),
            StatsRequest::GroupDesc(_) => Kind::Nx(8),
            StatsRequest::GroupFeatures => Kind::Nx(9),
            StatsRequest::FlowMonitor(_) => Kind::Nx(2),
            StatsRequest::IpfixBridge => Kind::Nx(3),
            StatsRequest::IpfixFlow => Kind::Nx(4),
            StatsRequest::Unknown(_) => return None,
        })
    }

    pub(crate) fn encode_body(&self, w: &mut Writer<'_>, flags: u16) -> Result<(), EncodeError> {
        if let Some(kind) = self.kind() {
            put_header(w, kind, flags);
        }
        match self {
            StatsRequest::Flow(q) | StatsRequest::Aggregate(q) => return q.encode_body(w),
            StatsRequest::Port(port) => {
                w.u16(port.0);
                w.zeros(6);
            }
            StatsRequest::Queue { port, queue } => {
                w.u16(port.0);
                w.zeros(2);
                w.u32(*queue);
            }
            StatsRequest::Group(id) | StatsRequest::GroupDesc(id) => {
                w.u32(*id);
                w.zeros(4);
            }
            StatsRequest::FlowMonitor(list) => return list.iter().try_for_each(|m| m.encode(w)),
            StatsRequest::Unknown(u) => put_unknown(w, u, flags),
            _ => {}
        }
        Ok(())
    }

    /// Reads flags and request.
    pub(crate) fn decode_body(r: &mut Reader<'_>) -> Result<(u16, Self), DecodeError> {
        match Self::decode_prefix(r)? {
            (flags, request, None) => Ok((flags, request)),
            (.., Some(error)) => Err(error),
        }
    }

    /// Reads flags and as much of a request as is valid, as [`StatsReply::decode_prefix`] does.
    pub(crate) fn decode_prefix(
        r: &mut Reader<'_>,
    ) -> Result<(u16, Self, Option<DecodeError>), DecodeError> {
        let start = *r;
        let (stats_type, flags, kind) = take_header(r)?;
        let mut end = None;
        let request = match kind {
            Some(Kind::Std(0)) => StatsRequest::Desc,
            Some(Kind::Std(1)) => {
                StatsRequest::Flow(FlowStatsRequest::decode_body(r, FlowModForm::Of10)?)
            }
            Some(Kind::Std(2)) => {
                StatsRequest::Aggregate(FlowStatsRequest::decode_body(r, FlowModForm::Of10)?)
            }
            Some(Kind::Nx(0)) => {
                StatsRequest::Flow(FlowStatsRequest::decode_body(r, FlowModForm::Nx)?)
            }
            Some(Kind::Nx(1)) => {
                StatsRequest::Aggregate(FlowStatsRequest::decode_body(r, FlowModForm::Nx)?)
            }
            Some(Kind::Std(3)) => StatsRequest::Table,
            Some(Kind::Std(4)) => {
                let port = Port(r.u16("port")?);
                r.skip(6, "pad")?;
                StatsRequest::Port(port)
            }
            Some(Kind::Std(5)) => {
                let port = Port(r.u16("port")?);
                r.skip(2, "pad")?;
                StatsRequest::Queue {
                    port,
                    queue: r.u32("queue")?,
                }
            }
            Some(Kind::Std(13)) => StatsRequest::PortDesc,
            Some(Kind::Nx(n @ (7 | 8))) => {
                let id = r.u32("group id")?;
                r.skip(4, "pad")?;
                if n == 7 {
                    StatsRequest::Group(id)
                } else {
                    StatsRequest::GroupDesc(id)
                }
            }
            Some(Kind::Nx(9)) => StatsRequest::GroupFeatures,
            Some(Kind::Nx(2)) => {
                StatsRequest::FlowMonitor(keep(decode_prefix(r, Codec::decode), &mut end))
            }
            Some(Kind::Nx(3)) => StatsRequest::IpfixBridge,
            Some(Kind::Nx(4)) => StatsRequest::IpfixFlow,
            _ => {
                *r = start;
                r.skip(4, "stats header")?;
                let u = unknown(stats_type, *r);
                r.rest();
                StatsRequest::Unknown(u)
            }
        };
        Ok((flags, request, end))
    }
}

impl StatsReply {
    fn kind(&self) -> Option<Kind> {
        Some(match self {
            StatsReply::Desc(_) => Kind::Std(0),
            StatsReply::Flow(form, _) => by_form(*form, 1, 0),
            StatsReply::Aggregate(form, _) => by_form(*form, 2, 1),
            StatsReply::Table(_) => Kind::Std(3),
            StatsReply::Port(_) => Kind::Std(4),
            StatsReply::Queue(_) => Kind::Std(5),
            StatsReply::PortDesc(_) => Kind::Std(13),
            StatsReply::Group(_) => Kind::Nx(7),
            StatsReply::GroupDesc(_) => Kind::Nx(8),
            StatsReply::GroupFeatures(_) => Kind::Nx(9),
            StatsReply::FlowMonitor(_) => Kind::Nx(2),
            StatsReply::IpfixBridge(_) => Kind::Nx(3),
            StatsReply::IpfixFlow(_) => Kind::Nx(4),
            StatsReply::Unknown(_) => return None,
        })
    }

    pub(crate) fn encode_body(&self, w: &mut Writer<'_>, flags: u16) -> Result<(), EncodeError> {
        fn list<T: Codec>(w: &mut Writer<'_>, items: &[T]) -> Result<(), EncodeError> {
            items.iter().try_for_each(|i| i.encode(w))
        }
        if let Some(kind) = self.kind() {
            put_header(w, kind, flags);
        }
        match self {
            StatsReply::Desc(d) => d.encode(w),
            StatsReply::Flow(FlowModForm::Of10, flows) => {
                flows.iter().try_for_each(|f| f.encode_of10(w))
            }
            StatsReply::Flow(FlowModForm::Nx, flows) => {
                flows.iter().try_for_each(|f| f.encode_nx(w))
            }
            StatsReply::Aggregate(_, a) => a.encode(w),
            StatsReply::Table(v) => list(w, v),
            StatsReply::Port(v) => list(w, v),
            StatsReply::Queue(v) => list(w, v),
            StatsReply::PortDesc(v) => list(w, v),
            StatsReply::Group(v) => list(w, v),
            StatsReply::GroupDesc(v) => list(w, v),
            StatsReply::GroupFeatures(f) => f.encode(w),
            StatsReply::FlowMonitor(v) => list(w, v),
            StatsReply::IpfixBridge(i) => i.encode(w),
            StatsReply::IpfixFlow(v) => list(w, v),
            StatsReply::Unknown(u) => {
                put_unknown(w, u, flags);
                Ok(())
            }
        }
    }

    /// Reads flags and reply.
    pub(crate) fn decode_body(r: &mut Reader<'_>) -> Result<(u16, Self), DecodeError> {
        match Self::decode_prefix(r)? {
            (flags, reply, None) => Ok((flags, reply)),
            (.., Some(error)) => Err(error),
        }
    }

    /// Reads flags and as much of a reply as is valid: a list ends before the first entry that is
    /// not, and what is wrong with that comes third.
    pub(crate) fn decode_prefix(
        r: &mut Reader<'_>,
    ) -> Result<(u16, Self, Option<DecodeError>), DecodeError> {
        let start = *r;
        let (stats_type, flags, kind) = take_header(r)?;
        let mut end = None;
        let reply = match kind {
            Some(Kind::Std(0)) => StatsReply::Desc(Box::new(DescStats::decode(r)?)),
            Some(Kind::Std(1)) => StatsReply::Flow(
                FlowModForm::Of10,
                keep(decode_prefix(r, FlowStats::decode_of10), &mut end),
            ),
            Some(Kind::Nx(0)) => StatsReply::Flow(
                FlowModForm::Nx,
                keep(decode_prefix(r, FlowStats::decode_nx), &mut end),
            ),
            Some(Kind::Std(2)) => {
                StatsReply::Aggregate(FlowModForm::Of10, AggregateStats::decode(r)?)
            }
            Some(Kind::Nx(1)) => StatsReply::Aggregate(FlowModForm::Nx, AggregateStats::decode(r)?),
            Some(Kind::Std(3)) => StatsReply::Table(decode_list(r)?),
            Some(Kind::Std(4)) => StatsReply::Port(decode_list(r)?),
            Some(Kind::Std(5)) => StatsReply::Queue(decode_list(r)?),
            Some(Kind::Std(13)) => StatsReply::PortDesc(decode_list(r)?),
            Some(Kind::Nx(7)) => StatsReply::Group(keep(decode_prefix(r, Codec::decode), &mut end)),
            Some(Kind::Nx(8)) => {
                StatsReply::GroupDesc(keep(decode_prefix(r, Codec::decode), &mut end))
            }
            Some(Kind::Nx(9)) => StatsReply::GroupFeatures(GroupFeatures::decode(r)?),
            Some(Kind::Nx(2)) => {
                StatsReply::FlowMonitor(keep(decode_prefix(r, Codec::decode), &mut end))
            }
            Some(Kind::Nx(3)) => StatsReply::IpfixBridge(IpfixStats::decode(r)?),
            Some(Kind::Nx(4)) => StatsReply::IpfixFlow(decode_list(r)?),
            _ => {
                *r = start;
                r.skip(4, "stats header")?;
                let u = unknown(stats_type, *r);
                r.rest();
                StatsReply::Unknown(u)
            }
        };
        Ok((flags, reply, end))
    }
}

/// The values; the error goes to `end`.
fn keep<T>(list: (Vec<T>, Option<DecodeError>), end: &mut Option<DecodeError>) -> Vec<T> {
    *end = list.1;
    list.0
}
