//! Reading actions.

use super::subfield::{Use, decode_reference};
use super::{
    Action, ActionList, Bundle, Controller, Ct, Encap, Learn, MAX_DEPTH, Multipath, Nat, Sample,
    SetField, Subfield, UnknownAction,
};
use crate::codec::Reader;
use crate::error::{DecodeError, OfpError};
use crate::header::{NX_VENDOR, ONF_VENDOR};
use crate::matching::{FieldId, decode_header};
use crate::ports::Port;

/// Body lengths (after the 10-byte vendor header) that Nicira actions must have.
fn exact_body(subtype: u16) -> Option<usize> {
    Some(match subtype {
        1 | 2 | 4 | 5 | 14 | 17..=20 | 23..=26 | 30 | 31 | 34 | 39 | 40 | 43 | 44 | 254 | 255 => 6,
        7 | 9 | 15 | 27..=29 | 32 | 50 => 14,
        10 | 22 | 38 | 41 => 22,
        51 => 30,
        _ => return None,
    })
}

impl Action {
    /// Reads one action, with the length check of every action: at least 8, a multiple of 8, and
    /// within the list.
    #[inline]
    pub(super) fn decode_at(r: &mut Reader<'_>, depth: u8) -> Result<Action, DecodeError> {
        let at = r.offset();
        let had = r.remaining();
        let bad_len = || DecodeError::new(OfpError::OFPBAC_BAD_LEN, "action", at);
        let mut head = *r;
        let Ok([t0, t1, l0, l1]) = head.array("action header") else {
            return Err(bad_len().wanted(4, had));
        };
        let len = usize::from(u16::from_be_bytes([l0, l1]));
        let vendor = [t0, t1] == [0xff; 2];
        if len < 8 || len % 8 != 0 || len > had || vendor && len < 16 {
            // Its number is looked at before its length.
            return Err(match refused(r.peek()) {
                Some(code) => DecodeError::new(code, "action", at),
                None => bad_len().wanted(len, had),
            });
        }
        let mut body = r.sub(len, "action")?.short_as(OfpError::OFPBAC_BAD_LEN);
        body.skip(4, "action header")?;
        let kind = u16::from_be_bytes([t0, t1]);
        if kind == 0xffff {
            decode_vendor(&mut body, depth)
        } else {
            decode_standard(kind, body)
        }
    }
}

/// The highest standard action.
const LAST_STANDARD: u16 = 11;

fn is_known_nicira(subtype: u16) -> bool {
    matches!(subtype, 1 | 2 | 4..=10 | 12..=45 | 49..=51 | 254 | 255)
}

/// Why a switch refuses the action at the front of `bytes` whatever its length is.
fn refused(bytes: &[u8]) -> Option<OfpError> {
    let mut r = Reader::new(bytes);
    let kind = r.u16("type").ok()?;
    r.skip(2, "length").ok()?;
    let vendor = r.u32("vendor").ok()?;
    if kind != 0xffff {
        return (kind > LAST_STANDARD).then_some(OfpError::OFPBAC_BAD_TYPE);
    }
    if !matches!(vendor, NX_VENDOR | ONF_VENDOR) {
        return Some(OfpError::OFPBAC_BAD_VENDOR);
    }
    let subtype = r.u16("subtype").ok()?;
    r.skip(6, "body").ok()?;
    let known = vendor == NX_VENDOR && is_known_nicira(subtype);
    (!known).then_some(OfpError::OFPBAC_BAD_VENDOR_TYPE)
}

impl UnknownAction {
    /// What a switch answers.
    #[must_use]
    pub fn error(&self) -> OfpError {
        let vendor = self.body.first_chunk().map(|v| u32::from_be_bytes(*v));
        match (self.action_type, vendor) {
            (0xffff, Some(NX_VENDOR | ONF_VENDOR)) => OfpError::OFPBAC_BAD_VENDOR_TYPE,
            (0xffff, _) => OfpError::OFPBAC_BAD_VENDOR,
            _ => OfpError::OFPBAC_BAD_TYPE,
        }
    }
}

fn unknown(action_type: u16, mut body: Reader<'_>) -> Action {
    Action::Unknown(Box::new(UnknownAction {
        action_type,
        body: body.rest().into(),
    }))
}

fn decode_standard(kind: u16, mut r: Reader<'_>) -> Result<Action, DecodeError> {
    let original = r;
    let at = r.offset().saturating_sub(4);
    let wanted = match kind {
        0..=3 | 6..=10 => 4,
        4 | 5 | 11 => 12,
        _ => return Ok(unknown(kind, original)),
    };
    if r.remaining() != wanted {
        let had = r.remaining().saturating_add(4);
        return Err(
            DecodeError::new(OfpError::OFPBAC_BAD_LEN, "action", at).wanted(wanted + 4, had)
        );
    }
    let argument = |ok: bool, code| {
        if ok {
            Ok(())
        } else {
            Err(DecodeError::new(code, "action argument", at))
        }
    };
    Ok(match kind {
        0 => {
            let port = Port(r.u16("output port")?);
            argument(port.is_valid_output(), OfpError::OFPBAC_BAD_OUT_PORT)?;
            Action::Output {
                port,
                max_len: r.u16("max_len")?,
            }
        }
        1 => {
            let vid = r.u16("vlan id")?;
            argument(vid <= 0xfff, OfpError::OFPBAC_BAD_ARGUMENT)?;
            Action::SetVlanVid(vid)
        }
        2 => {
            let pcp = r.u8("vlan pcp")?;
            argument(pcp <= 7, OfpError::OFPBAC_BAD_ARGUMENT)?;
            Action::SetVlanPcp(pcp)
        }
        3 => Action::StripVlan,
        4 => Action::SetDlSrc(r.array("dl_src")?),
        5 => Action::SetDlDst(r.array("dl_dst")?),
        6 => Action::SetNwSrc(r.array::<4>("nw_src")?.into()),
        7 => Action::SetNwDst(r.array::<4>("nw_dst")?.into()),
        8 => {
            let tos = r.u8("nw_tos")?;
            argument(tos & 3 == 0, OfpError::OFPBAC_BAD_ARGUMENT)?;
            Action::SetNwTos(tos)
        }
        9 => Action::SetTpSrc(r.u16("tp_src")?),
        10 => Action::SetTpDst(r.u16("tp_dst")?),
        _ => {
            let port = Port(r.u16("enqueue port")?);
            r.skip(6, "pad")?;
            argument(port.has_queues(), OfpError::OFPBAC_BAD_OUT_PORT)?;
            Action::Enqueue {
                port,
                queue: r.u32("queue")?,
            }
        }
    })
}

fn decode_vendor(r: &mut Reader<'_>, depth: u8) -> Result<Action, DecodeError> {
    let original = *r;
    let at = r.offset().saturating_sub(4);
    let vendor = r.u32("vendor")?;
    if vendor != NX_VENDOR || r.remaining() < 8 {
        // A Nicira action is at least 16 bytes long.
        if vendor == NX_VENDOR {
            return Err(DecodeError::new(OfpError::OFPBAC_BAD_LEN, "action", at).wanted(16, 8));
        }
        return Ok(unknown(0xffff, original));
    }
    let subtype = r.u16("subtype")?;
    if let Some(wanted) = exact_body(subtype) {
        let had = r.remaining();
        if had != wanted {
            let e = DecodeError::new(OfpError::OFPBAC_BAD_LEN, "action", at);
            return Err(e.wanted(wanted.saturating_add(10), had.saturating_add(10)));
        }
    }
    let bad = |code| DecodeError::new(code, "action", at);
    let nested = || {
        if depth < MAX_DEPTH {
            return Ok(depth.saturating_add(1));
        }
        Err(bad(OfpError::OFPBAC_TOO_MANY))
    };
    let action = match subtype {
        1 => Action::Resubmit(Port(r.u16("in_port")?)),
        2 | 4 | 30 | 40 => {
            r.skip(2, "pad")?;
            let v = r.u32("argument")?;
            match subtype {
                2 => Action::SetTunnel(v),
                4 => Action::SetQueue(v),
                30 => Action::SetMplsLabel(v),
                _ => Action::Group(v),
            }
        }
        5 => Action::PopQueue,
        6 => decode_move(r, at)?,
        7 => decode_load(r, at)?,
        8 => Action::Note(r.rest().into()),
        9 => {
            r.skip(6, "pad")?;
            Action::SetTunnel64(r.u64("tunnel id")?)
        }
        10 => Action::Multipath(Box::new(Multipath::decode(r)?)),
        12 => Action::Bundle(Box::new(Bundle::decode(r, false)?)),
        13 => Action::Bundle(Box::new(Bundle::decode(r, true)?)),
        14 | 44 => {
            let port = Port(r.u16("in_port")?);
            let table = r.u8("table")?;
            r.zeros(3, OfpError::OFPBAC_BAD_ARGUMENT, "resubmit pad")?;
            Action::ResubmitTable {
                port,
                table,
                with_ct: subtype == 44,
            }
        }
        15 | 32 => decode_output_reg(r, subtype, at)?,
        16 => Action::Learn(Box::new(Learn::decode(r, false)?)),
        45 => Action::Learn(Box::new(Learn::decode(r, true)?)),
        17 => Action::Exit,
        18 => Action::DecTtl,
        19 => Action::FinTimeout {
            idle: r.u16("idle")?,
            hard: r.u16("hard")?,
        },
        20 => Action::Controller(Box::new(Controller::decode_short(r)?)),
        37 => Action::Controller(Box::new(Controller::decode_properties(r)?)),
        21 => decode_cnt_ids(r, at)?,
        22 => {
            r.zeros(6, OfpError::NXBRC_MUST_BE_ZERO, "write_metadata zeros")?;
            Action::WriteMetadata {
                value: r.u64("metadata")?,
                mask: r.u64("metadata mask")?,
            }
        }
        23 | 24 => {
            let ty = r.u16("ethertype")?;
            match subtype {
                23 if !matches!(ty, 0x8847 | 0x8848) => {
                    return Err(bad(OfpError::OFPBAC_BAD_ARGUMENT));
                }
                23 => Action::PushMpls(ty),
                _ => Action::PopMpls(ty),
            }
        }
        25 => Action::SetMplsTtl(r.u8("mpls ttl")?),
        26 => Action::DecMplsTtl,
        31 => Action::SetMplsTc(r.u8("mpls tc")?),
        27 => Action::StackPush(decode_stack(r, Use::Source, at)?),
        28 => Action::StackPop(decode_stack(r, Use::Destination, at)?),
        29 | 38 | 41 | 51 => Action::Sample(Box::new(Sample::decode(r, subtype)?)),
        33 => decode_set_field(r, at)?,
        34 => {
            let (clause, n_clauses) = (r.u8("clause")?, r.u8("clauses")?);
            if !(2..=64).contains(&n_clauses) || clause >= n_clauses {
                return Err(bad(OfpError::NXBAC_BAD_CONJUNCTION));
            }
            Action::Conjunction {
                clause,
                n_clauses,
                id: r.u32("conjunction id")?,
            }
        }
        35 => {
            let depth = nested()?;
            Action::Ct(Box::new(Ct::decode(r, depth)?))
        }
        36 => Action::Nat(Box::new(Nat::decode(r)?)),
        39 => {
            let port = Port(r.u16("output port")?);
            let max_len = r.u32("max_len")?;
            if max_len < 14 {
                return Err(bad(OfpError::OFPBAC_BAD_ARGUMENT));
            }
            Action::OutputTrunc { port, max_len }
        }
        42 => {
            r.skip(6, "pad")?;
            let list = ActionList::decode_nested(r, nested()?)?;
            if list.refuse_unknown().is_ok() {
                list.verify_plain().map_err(bad)?;
            }
            Action::Clone(Box::new(list))
        }
        43 => Action::CtClear,
        46 => match Encap::decode(r) {
            Ok(encap) => Action::Encap(Box::new(encap)),
            // Not an action of this version, so nobody says what is wrong with it.
            Err(_) => return Ok(unknown(0xffff, original)),
        },
        47 if r.remaining() == 6 => {
            r.skip(2, "pad")?;
            Action::Decap(r.u32("packet type")?)
        }
        48 if r.remaining() == 6 => Action::DecNshTtl,
        49 => {
            if r.remaining() < 14 {
                return Err(bad(OfpError::OFPBAC_BAD_LEN));
            }
            let len = r.u16("packet length")?;
            let ofs = r.u16("offset")?;
            let dst = Subfield::decode(r, ofs, 1)?;
            r.zeros(
                r.remaining(),
                OfpError::NXBRC_MUST_BE_ZERO,
                "check_pkt_larger pad",
            )?;
            dst.check(Use::Destination, at)?;
            Action::CheckPktLarger { len, dst }
        }
        50 => {
            let (field, tun_len) = decode_reference(r)?;
            Action::DeleteField { field, tun_len }
        }
        254 => Action::DebugSlow,
        255 => Action::DebugRecirc,
        _ => return Ok(unknown(0xffff, original)),
    };
    Ok(action)
}

fn decode_move(r: &mut Reader<'_>, at: usize) -> Result<Action, DecodeError> {
    let n_bits = r.u16("n_bits")?;
    let src_ofs = r.u16("source offset")?;
    let dst_ofs = r.u16("destination offset")?;
    let src = Subfield::decode(r, src_ofs, n_bits)?;
    let dst = Subfield::decode(r, dst_ofs, n_bits)?;
    r.zeros(r.remaining(), OfpError::NXBRC_MUST_BE_ZERO, "move pad")?;
    src.check(Use::Source, at)?;
    dst.check(Use::Destination, at)?;
    Ok(Action::Move { src, dst })
}

#[inline]
fn decode_load(r: &mut Reader<'_>, at: usize) -> Result<Action, DecodeError> {
    let (ofs, n_bits) = Subfield::split(r.u16("ofs_nbits")?);
    let dst = Subfield::decode_word(r, ofs, n_bits)?;
    let value = r.u64("load value")?;
    dst.check(Use::Destination, at)?;
    if n_bits < 64 && value >> n_bits != 0 {
        return Err(DecodeError::new(
            OfpError::OFPBAC_BAD_ARGUMENT,
            "load value",
            at,
        ));
    }
    Ok(Action::Load { dst, value })
}

fn decode_set_field(r: &mut Reader<'_>, at: usize) -> Result<Action, DecodeError> {
    let bad = |code| DecodeError::new(code, "set_field", at);
    let header = decode_header(r)?;
    let field = FieldId::from_header(&header)
        .filter(|f| *f != FieldId::COOKIE)
        .ok_or(bad(OfpError::OFPBAC_BAD_SET_TYPE))?;
    let length = header.payload_len().unwrap_or(0);
    let width = if header.masked { length / 2 } else { length };
    let bytes = usize::from(field.info().bytes);
    let fits = match field.tun_metadata_index() {
        Some(_) => (1..=bytes).contains(&width),
        None => width == bytes,
    };
    if length == 0 {
        return Err(bad(OfpError::OFPBAC_BAD_SET_TYPE));
    }
    if !fits || header.masked && length != width * 2 {
        return Err(bad(OfpError::OFPBAC_BAD_SET_LEN));
    }
    let payload = r.take(length, "set_field value")?;
    let (value, mask) = match payload.split_at_checked(width) {
        Some((value, mask)) if header.masked => (value, Some(mask)),
        _ => (payload, None),
    };
    if mask.is_some_and(|m| value.iter().zip(m).any(|(v, m)| v & !m != 0)) {
        return Err(bad(OfpError::OFPBMC_BAD_WILDCARDS));
    }
    r.zeros(
        r.remaining(),
        OfpError::OFPBAC_BAD_SET_ARGUMENT,
        "set_field pad",
    )?;
    if field.info().access != crate::matching::Access::Rw {
        return Err(bad(OfpError::OFPBAC_BAD_SET_ARGUMENT));
    }
    let exact = mask.is_none_or(|m| m.iter().all(|b| *b == 0xff));
    Ok(Action::SetField(Box::new(SetField {
        field,
        value: value.into(),
        mask: mask.filter(|_| !exact).map(Into::into),
    })))
}

fn decode_output_reg(r: &mut Reader<'_>, subtype: u16, at: usize) -> Result<Action, DecodeError> {
    let (ofs, n_bits) = Subfield::split(r.u16("ofs_nbits")?);
    let (src, max_len);
    if subtype == 32 {
        max_len = r.u16("max_len")?;
        src = Subfield::decode(r, ofs, n_bits)?;
        r.zeros(
            r.remaining(),
            OfpError::NXBRC_MUST_BE_ZERO,
            "output_reg2 pad",
        )?;
    } else {
        let mut zeros = *r;
        zeros.skip(6, "output_reg")?;
        zeros.zeros(6, OfpError::OFPBAC_BAD_ARGUMENT, "output_reg zeros")?;
        src = Subfield::decode_word(r, ofs, n_bits)?;
        max_len = r.u16("max_len")?;
        r.rest();
    }
    src.check(Use::Source, at)?;
    Ok(Action::OutputReg { src, max_len })
}

fn decode_stack(r: &mut Reader<'_>, used: Use, at: usize) -> Result<Subfield, DecodeError> {
    let ofs = r.u16("offset")?;
    let mut f = Subfield::decode(r, ofs, 0)?;
    f.n_bits = r.u16("n_bits")?;
    r.zeros(r.remaining(), OfpError::NXBRC_MUST_BE_ZERO, "stack pad")?;
    f.check(used, at)?;
    Ok(f)
}

fn decode_cnt_ids(r: &mut Reader<'_>, at: usize) -> Result<Action, DecodeError> {
    let n = r.u16("controller count")?;
    r.zeros(4, OfpError::NXBRC_MUST_BE_ZERO, "dec_ttl zeros")?;
    if r.remaining() < usize::from(n).saturating_mul(2) {
        return Err(DecodeError::new(
            OfpError::OFPBAC_BAD_LEN,
            "controller ids",
            at,
        ));
    }
    let mut ids = Vec::new();
    for _ in 0..n {
        ids.push(r.u16("controller id")?);
    }
    Ok(Action::DecTtlCntIds(ids.into()))
}
