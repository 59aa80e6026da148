//! Dumps of flows: `OFPST_FLOW`, `NXST_FLOW` and their aggregates (OF1.0 §5.3.5).

use crate::action::ActionList;
use crate::codec::{Codec, Reader, Writer};
use crate::error::{DecodeError, EncodeError, OfpError};
use crate::matching::{FixedMatch, Match, MatchOptions};
use crate::ports::{Port, TABLE_ALL};

use super::flow_mod::{FlowModForm, put_nx_match, take_cookie, take_nx_match};

/// Which flows to report, for dumps and aggregates.
///
/// Standard form (`ofp_flow_stats_request`):
///
/// ```text
///  12       52      53    54         56
/// +--------+-------+-----+----------+
/// | match40| table | pad | out_port |
/// +--------+-------+-----+----------+
/// ```
///
/// Nicira form (`nx_flow_stats_request`):
///
/// ```text
///  24         26          28      29    32
/// +----------+-----------+-------+-----+------ - -
/// | out_port | match len | table | pad | match padded to 8
/// +----------+-----------+-------+-----+------ - -
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FlowStatsRequest {
    /// Wire form.
    pub form: FlowModForm,
    /// Flows at least as specific as this.
    pub match_: Match,
    /// Flows with this cookie, under `cookie_mask`. Nicira form only.
    pub cookie: u64,
    /// Which cookie bits to compare, 0 for none.
    pub cookie_mask: u64,
    /// Flows of this table, or [`TABLE_ALL`].
    pub table: u8,
    /// Flows that output here, or [`Port::NONE`].
    pub out_port: Port,
}

impl Default for FlowStatsRequest {
    /// Everything, in Nicira form.
    fn default() -> Self {
        FlowStatsRequest {
            form: FlowModForm::Nx,
            match_: Match::new(),
            cookie: 0,
            cookie_mask: 0,
            table: TABLE_ALL,
            out_port: Port::NONE,
        }
    }
}

impl FlowStatsRequest {
    pub(crate) fn encode_body(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        match self.form {
            FlowModForm::Of10 => {
                let (fixed, lossless) = FixedMatch::from_match(&self.match_);
                if !lossless || self.cookie_mask != 0 {
                    return Err(EncodeError::Unsupported {
                        what: "match in OpenFlow 1.0 form",
                    });
                }
                fixed.encode(w)?;
                w.u8(self.table);
                w.u8(0);
                w.u16(self.out_port.0);
                Ok(())
            }
            FlowModForm::Nx => {
                w.u16(self.out_port.0);
                let len_at = w.position();
                w.u16(0);
                w.u8(self.table);
                w.zeros(3);
                put_nx_match(w, len_at, &self.match_, self.cookie, self.cookie_mask)
            }
        }
    }

    pub(crate) fn decode_body(r: &mut Reader<'_>, form: FlowModForm) -> Result<Self, DecodeError> {
        let mut q = FlowStatsRequest {
            form,
            ..FlowStatsRequest::default()
        };
        match form {
            FlowModForm::Of10 => {
                q.match_ = FixedMatch::decode(r)?.to_match_as_is();
                q.table = r.u8("table")?;
                r.skip(1, "pad")?;
                q.out_port = Port(r.u16("out port")?);
            }
            FlowModForm::Nx => {
                q.out_port = Port(r.u16("out port")?);
                let len = r.u16("match length")?;
                q.table = r.u8("table")?;
                r.skip(3, "pad")?;
                let options = MatchOptions {
                    lenient: false,
                    allow_cookie: true,
                };
                q.match_ = take_nx_match(r, len, options)?;
                (q.cookie, q.cookie_mask) = take_cookie(&mut q.match_);
            }
        }
        Ok(q)
    }
}

/// One flow in a dump.
///
/// Nicira form, 48 bytes, match padded to 8, actions (`nx_flow_stats`):
///
/// ```text
///  0      2     3   4     8      12    14    16    18     20    22    24       32
/// +------+-----+---+-----+------+-----+-----+-----+------+-----+-----+--------+- -
/// |length|table| 0 | sec | nsec |prio |idle |hard |m. len|idle+|hard+| cookie | packets bytes
/// +------+-----+---+-----+------+-----+-----+-----+------+-----+-----+--------+- -
/// ```
///
/// Standard form, 88 bytes and actions (`ofp10_flow_stats`), has the fixed match after the table
/// and no ages. Its match is reported as it is, even where it makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FlowStats {
    /// Table the flow is in.
    pub table: u8,
    /// Age: whole seconds and nanoseconds.
    pub duration: (u32, u32),
    /// Priority.
    pub priority: u16,
    /// Seconds without traffic before it goes, 0 for never.
    pub idle_timeout: u16,
    /// Seconds before it goes, 0 for never.
    pub hard_timeout: u16,
    /// Seconds since it last matched. Nicira form only.
    pub idle_age: Option<u16>,
    /// Seconds since it was last modified. Nicira form only.
    pub hard_age: Option<u16>,
    /// Cookie.
    pub cookie: u64,
    /// Packets matched; all ones when not known.
    pub packets: u64,
    /// Bytes matched; all ones when not known.
    pub bytes: u64,
    /// Which packets.
    pub match_: Match,
    /// What happens to them.
    pub actions: ActionList,
}

impl FlowStats {
    /// Bytes of an entry in Nicira form before its match.
    const NX_LEN: usize = 48;

    pub(crate) fn encode_nx(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        let start = w.position();
        w.u16(0);
        w.u8(self.table);
        w.u8(0);
        w.u32(self.duration.0);
        w.u32(self.duration.1);
        w.u16(self.priority);
        w.u16(self.idle_timeout);
        w.u16(self.hard_timeout);
        let len_at = w.position();
        w.u16(0);
        w.u16(self.idle_age.map_or(0, |a| a.saturating_add(1)));
        w.u16(self.hard_age.map_or(0, |a| a.saturating_add(1)));
        w.u64(self.cookie);
        w.u64(self.packets);
        w.u64(self.bytes);
        put_nx_match(w, len_at, &self.match_, 0, 0)?;
        self.actions.encode(w)?;
        w.patch_len(start, start, "flow stats entry")
    }

    pub(crate) fn encode_of10(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        let start = w.position();
        w.u16(0);
        w.u8(self.table);
        w.u8(0);
        FixedMatch::from_match(&self.match_).0.encode(w)?;
        w.u32(self.duration.0);
        w.u32(self.duration.1);
        w.u16(self.priority);
        w.u16(self.idle_timeout);
        w.u16(self.hard_timeout);
        w.zeros(6);
        w.u64(self.cookie);
        w.u64(self.packets);
        w.u64(self.bytes);
        self.actions.encode(w)?;
        w.patch_len(start, start, "flow stats entry")
    }

    /// The reader over one entry, its length field consumed.
    fn entry<'a>(r: &mut Reader<'a>) -> Result<Reader<'a>, DecodeError> {
        let mut head = *r;
        let len = usize::from(head.u16("flow stats length")?);
        let mut entry = r.sub(len, "flow stats entry")?;
        entry.skip(2, "flow stats length")?;
        Ok(entry)
    }

    /// As in Open vSwitch, the match may take what the message has, not only what the entry has.
    pub(crate) fn decode_nx(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = r.offset();
        let too_short = || DecodeError::new(OfpError::OFPBRC_BAD_LEN, "flow stats entry", at);
        let mut head = r.sub(Self::NX_LEN, "flow stats entry")?;
        let len = usize::from(head.u16("flow stats length")?);
        let table = head.u8("table")?;
        head.skip(1, "pad")?;
        let duration = (head.u32("seconds")?, head.u32("nanoseconds")?);
        let priority = head.u16("priority")?;
        let idle_timeout = head.u16("idle timeout")?;
        let hard_timeout = head.u16("hard timeout")?;
        let match_len = head.u16("match length")?;
        let idle_age = head.u16("idle age")?.checked_sub(1);
        let hard_age = head.u16("hard age")?.checked_sub(1);
        let cookie = head.u64("cookie")?;
        let packets = head.u64("packets")?;
        let bytes = head.u64("bytes")?;
        let fixed = Self::NX_LEN + usize::from(match_len).next_multiple_of(8);
        let actions_len = len.checked_sub(fixed).ok_or_else(too_short)?;
        let match_ = take_nx_match(r, match_len, MatchOptions::default())?;
        let actions = ActionList::decode(&mut r.sub(actions_len, "flow stats actions")?)?;
        Ok(FlowStats {
            table,
            duration,
            priority,
            idle_timeout,
            hard_timeout,
            idle_age,
            hard_age,
            cookie,
            packets,
            bytes,
            match_,
            actions,
        })
    }

    pub(crate) fn decode_of10(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut r = Self::entry(r)?;
        let table = r.u8("table")?;
        r.skip(1, "pad")?;
        let match_ = FixedMatch::decode(&mut r)?.to_match_as_is();
        let duration = (r.u32("seconds")?, r.u32("nanoseconds")?);
        let priority = r.u16("priority")?;
        let idle_timeout = r.u16("idle timeout")?;
        let hard_timeout = r.u16("hard timeout")?;
        r.skip(6, "pad")?;
        Ok(FlowStats {
            table,
            duration,
            priority,
            idle_timeout,
            hard_timeout,
            idle_age: None,
            hard_age: None,
            cookie: r.u64("cookie")?,
            packets: r.u64("packets")?,
            bytes: r.u64("bytes")?,
            match_,
            actions: ActionList::decode(&mut r)?,
        })
    }
}

/// Totals over the flows of a [`FlowStatsRequest`] (`ofp_aggregate_stats_reply`, OF1.0 §5.3.5).
///
/// ```text
///  0         8       16      20
/// +---------+-------+-------+-----+
/// | packets | bytes | flows | pad |
/// +---------+-------+-------+-----+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct AggregateStats {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
    /// Flows.
    pub flows: u32,
}

impl Codec for AggregateStats {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u64(self.packets);
        w.u64(self.bytes);
        w.u32(self.flows);
        w.zeros(4);
        Ok(())
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let stats = AggregateStats {
            packets: r.u64("packets")?,
            bytes: r.u64("bytes")?,
            flows: r.u32("flows")?,
        };
        r.skip(4, "pad")?;
        Ok(stats)
    }
}
