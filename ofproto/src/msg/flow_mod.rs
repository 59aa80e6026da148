//! Changing flows: `OFPT_FLOW_MOD` (OF1.0 §5.3.3) and `NXT_FLOW_MOD`.

use crate::action::ActionList;
use crate::codec::{Codec, Reader, Writer, padding8};
use crate::error::{DecodeError, EncodeError, OfpError};
use crate::header::open_numbers;
use crate::matching::{FieldId, FixedMatch, Form, Match, MatchOptions};
use crate::ports::{NO_BUFFER, Port, TABLE_ALL};

open_numbers! {
    /// What to do with a flow, the low byte of `command`.
    FlowModCommand: u8 {
        /// Add; replaces a flow with the same match and priority.
        ADD = 0,
        /// Change the actions of all flows that match; adds one if none does.
        MODIFY = 1,
        /// The same for the flow with exactly this match and priority.
        MODIFY_STRICT = 2,
        /// Delete all flows that match.
        DELETE = 3,
        /// Delete the flow with exactly this match and priority.
        DELETE_STRICT = 4,
    }
}

/// Bits of [`FlowMod::flags`].
pub mod flow_flags {
    /// Send a flow-removed message when the flow goes.
    pub const SEND_FLOW_REM: u16 = 1;
    /// Refuse the flow if it overlaps one of equal priority.
    pub const CHECK_OVERLAP: u16 = 2;
    /// For emergency flow tables, which no switch has.
    pub const EMERG: u16 = 4;
    /// All there are.
    pub const ALL: u16 = 7;
}

/// The wire form of a [`FlowMod`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub enum FlowModForm {
    /// `OFPT_FLOW_MOD` with the fixed 40-byte match.
    Of10,
    /// `NXT_FLOW_MOD` with an NXM match.
    #[default]
    Nx,
}

/// A change to the flow tables (OF1.0 §5.3.3).
///
/// Standard form (`ofp_flow_mod`), 72 bytes and actions:
///
/// ```text
///  8        48        56        58      60      62      64       68        70
/// +--------+---------+---------+-------+-------+-------+--------+---------+-------+
/// | match40| cookie  | command | idle  | hard  | prio  | buffer | out_port| flags |
/// +--------+---------+---------+-------+-------+-------+--------+---------+-------+
/// ```
///
/// Nicira form (`nx_flow_mod`), 48 bytes, match padded to 8, and actions:
///
/// ```text
///  16      24        26     28     30     32      36       38      40      42    48
/// +-------+---------+------+------+------+-------+--------+-------+-------+-----+- -
/// | cookie| command | idle | hard | prio | buffer|out_port| flags |m. len | pad | match
/// +-------+---------+------+------+------+-------+--------+-------+-------+-----+- -
/// ```
///
/// The high byte of `command` is the table; a switch accepts it only after the
/// flow-mod-table-id message ([`super::Message::FlowModTableId`]).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FlowMod {
    /// Wire form.
    pub form: FlowModForm,
    /// What to do.
    pub command: FlowModCommand,
    /// Table, 0 unless table ids are enabled; [`TABLE_ALL`] in deletes means every table.
    pub table: u8,
    /// Priority; higher wins.
    pub priority: u16,
    /// Which packets.
    pub match_: Match,
    /// Cookie to store. On a modify, [`crate::ports::COOKIE_KEEP`] leaves the old one.
    pub cookie: u64,
    /// With `cookie_mask`, restricts a modify or delete to flows with this cookie. Nicira form
    /// only.
    pub cookie_value: u64,
    /// Which cookie bits to compare, 0 for none.
    pub cookie_mask: u64,
    /// Seconds without traffic before the flow goes, 0 for never.
    pub idle_timeout: u16,
    /// Seconds before the flow goes, 0 for never.
    pub hard_timeout: u16,
    /// Buffered packet to apply the actions to, or [`NO_BUFFER`].
    pub buffer_id: u32,
    /// Restricts a delete to flows that output here; [`Port::NONE`] for no restriction.
    pub out_port: Port,
    /// See [`flow_flags`].
    pub flags: u16,
    /// What to do with matching packets.
    pub actions: ActionList,
}

impl Default for FlowMod {
    /// Adds a flow that drops everything, at the default priority 32 768.
    fn default() -> Self {
        FlowMod {
            form: FlowModForm::Nx,
            command: FlowModCommand::ADD,
            table: 0,
            priority: 32_768,
            match_: Match::new(),
            cookie: 0,
            cookie_value: 0,
            cookie_mask: 0,
            idle_timeout: 0,
            hard_timeout: 0,
            buffer_id: NO_BUFFER,
            out_port: Port::NONE,
            flags: 0,
            actions: ActionList::new(),
        }
    }
}

impl FlowMod {
    /// An add in Nicira form.
    #[must_use]
    pub fn add(table: u8, priority: u16, match_: Match, actions: ActionList) -> Self {
        FlowMod {
            table,
            priority,
            match_,
            actions,
            ..FlowMod::default()
        }
    }

    /// Deletes every flow of every table whose cookie equals `value` under `mask`.
    #[must_use]
    pub fn delete_by_cookie(value: u64, mask: u64) -> Self {
        FlowMod {
            command: FlowModCommand::DELETE,
            table: TABLE_ALL,
            cookie_value: value & mask,
            cookie_mask: mask,
            ..FlowMod::default()
        }
    }

    fn command_word(&self) -> u16 {
        u16::from_be_bytes([self.table, self.command.0])
    }

    /// Appends the body of `OFPT_FLOW_MOD`, after the 8-byte header.
    pub(crate) fn encode_of10(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        let (fixed, lossless) = FixedMatch::from_match(&self.match_);
        if !lossless || self.cookie_mask != 0 {
            return Err(EncodeError::Unsupported {
                what: "match in OpenFlow 1.0 form",
            });
        }
        fixed.encode(w)?;
        w.u64(self.cookie);
        w.u16(self.command_word());
        w.u16(self.idle_timeout);
        w.u16(self.hard_timeout);
        w.u16(self.priority);
        w.u32(self.buffer_id);
        w.u16(self.out_port.0);
        w.u16(self.flags);
        self.actions.encode(w)
    }

    /// Appends the body of `NXT_FLOW_MOD`, after the 16-byte vendor header.
    #[inline]
    pub(crate) fn encode_nx(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u64(self.cookie);
        w.u16(self.command_word());
        w.u16(self.idle_timeout);
        w.u16(self.hard_timeout);
        w.u16(self.priority);
        w.u32(self.buffer_id);
        w.u16(self.out_port.0);
        w.u16(self.flags);
        let len_at = w.position();
        w.zeros(8);
        put_nx_match(w, len_at, &self.match_, self.cookie_value, self.cookie_mask)?;
        self.actions.encode(w)
    }

    pub(crate) fn decode_of10(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let match_ = FixedMatch::decode(r)?.to_match();
        let mut fm = FlowMod {
            form: FlowModForm::Of10,
            match_,
            ..FlowMod::default()
        };
        fm.decode_common(r)?;
        fm.check_command()?;
        fm.actions = ActionList::decode(r)?;
        Ok(fm)
    }

    #[inline]
    pub(crate) fn decode_nx(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut fm = FlowMod::default();
        fm.decode_common(r)?;
        let len = r.u16("match length")?;
        r.skip(6, "pad")?;
        let options = MatchOptions {
            lenient: false,
            allow_cookie: true,
        };
        nx_match_reader(r, len)
            .and_then(|mut fields| fm.match_.decode_into(&mut fields, options))?;
        (fm.cookie_value, fm.cookie_mask) = take_cookie(&mut fm.match_);
        fm.check_command()?;
        fm.actions = ActionList::decode(r)?;
        Ok(fm)
    }

    /// Only these five commands exist, and an add cannot choose flows by cookie.
    #[inline]
    fn check_command(&self) -> Result<(), DecodeError> {
        let (code, what) = if self.command == FlowModCommand::ADD && self.cookie_mask != 0 {
            (OfpError::NXBRC_NXM_INVALID, "cookie criterion of an add")
        } else if self.command > FlowModCommand::DELETE_STRICT {
            (OfpError::OFPFMFC_BAD_COMMAND, "flow mod command")
        } else {
            return Ok(());
        };
        Err(DecodeError::new(code, what, COMMAND_AT))
    }

    #[inline]
    fn decode_common(&mut self, r: &mut Reader<'_>) -> Result<(), DecodeError> {
        let [
            c0,
            c1,
            c2,
            c3,
            c4,
            c5,
            c6,
            c7,
            table,
            command,
            i0,
            i1,
            h0,
            h1,
            p0,
            p1, //
            b0,
            b1,
            b2,
            b3,
            o0,
            o1,
            f0,
            f1,
        ] = r.array("flow mod")?;
        self.cookie = u64::from_be_bytes([c0, c1, c2, c3, c4, c5, c6, c7]);
        self.table = table;
        self.command = FlowModCommand(command);
        self.idle_timeout = u16::from_be_bytes([i0, i1]);
        self.hard_timeout = u16::from_be_bytes([h0, h1]);
        self.priority = u16::from_be_bytes([p0, p1]);
        self.buffer_id = u32::from_be_bytes([b0, b1, b2, b3]);
        self.out_port = Port(u16::from_be_bytes([o0, o1]));
        self.flags = u16::from_be_bytes([f0, f1]);
        Ok(())
    }

    /// Checks what a switch would refuse: unknown actions, and actions that do not fit the match.
    ///
    /// # Errors
    /// The error a switch would send.
    pub fn check(&self) -> Result<(), OfpError> {
        if self.match_.missing_prereq().is_some() {
            return Err(OfpError::OFPBMC_BAD_PREREQ);
        }
        self.check_tuple()?;
        self.actions.refuse_unknown()?;
        self.actions.verify()?;
        if self.flags & !flow_flags::ALL != 0 {
            return Err(OfpError::OFPFMFC_BAD_FLAGS);
        }
        if self.flags & flow_flags::EMERG != 0 {
            let timeouts = self.idle_timeout != 0 || self.hard_timeout != 0;
            return Err(if timeouts {
                OfpError::OFPFMFC_BAD_EMERG_TIMEOUT
            } else {
                OfpError::OFPFMFC_TABLE_FULL
            });
        }
        self.actions.check(&self.match_)
    }

    /// The addresses of a tracked connection are of the family of the packet.
    fn check_tuple(&self) -> Result<(), OfpError> {
        let matched = |fields: [FieldId; 2]| fields.iter().any(|f| self.match_.get(*f).is_some());
        let eth_type = self.match_.value_or_zero(FieldId::ETH_TYPE);
        let wrong = |fields, family| matched(fields) && eth_type != family;
        if wrong([FieldId::CT_NW_SRC, FieldId::CT_NW_DST], 0x0800)
            || wrong([FieldId::CT_IPV6_SRC, FieldId::CT_IPV6_DST], 0x86dd)
        {
            return Err(OfpError::OFPBAC_MATCH_INCONSISTENT);
        }
        Ok(())
    }
}

/// Where the command stands in a Nicira flow mod.
const COMMAND_AT: usize = 24;

/// Writes an NXM match with its cookie criterion, padded to 8, and its length at `len_at`.
#[inline]
pub(crate) fn put_nx_match(
    w: &mut Writer<'_>,
    len_at: usize,
    m: &Match,
    cookie: u64,
    cookie_mask: u64,
) -> Result<(), EncodeError> {
    let start = w.position();
    m.encode_fields(w, Form::Nxm);
    if cookie_mask != 0 {
        let value = u128::from(cookie & cookie_mask);
        let mut only = Match::new();
        only.put(FieldId::COOKIE, value, cookie_mask.into());
        only.encode_fields(w, Form::Nxm);
    }
    w.patch_len(len_at, start, "match")?;
    w.pad8(start);
    Ok(())
}

/// Reads an NXM match of `len` bytes and its padding.
#[inline]
pub(crate) fn take_nx_match(
    r: &mut Reader<'_>,
    len: u16,
    options: MatchOptions,
) -> Result<Match, DecodeError> {
    Match::decode_fields(&mut nx_match_reader(r, len)?, options)
}

/// The reader over an NXM match of `len` bytes; its padding is skipped.
#[inline]
fn nx_match_reader<'a>(r: &mut Reader<'a>, len: u16) -> Result<Reader<'a>, DecodeError> {
    let len = usize::from(len);
    let at = r.offset();
    let bad = |_| DecodeError::new(OfpError::OFPBMC_BAD_LEN, "match length", at);
    let fields = r.sub(len, "match").map_err(bad)?;
    r.skip(padding8(len), "match padding").map_err(bad)?;
    Ok(fields)
}

/// Takes the cookie criterion out of a match.
#[inline]
pub(crate) fn take_cookie(m: &mut Match) -> (u64, u64) {
    // The cookie is the last of all stored fields.
    if m.iter()
        .next_back()
        .is_none_or(|f| f.field != FieldId::COOKIE)
    {
        return (0, 0);
    }
    let (value, mask) = m.remove(FieldId::COOKIE).unwrap_or((0, 0));
    (
        u64::try_from(value).unwrap_or(0),
        u64::try_from(mask).unwrap_or(0),
    )
}
