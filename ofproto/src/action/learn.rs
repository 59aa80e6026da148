//! `learn`: an action that adds a flow made from the packet.

use super::Subfield;
use super::encode::vendor_action;
use crate::codec::{Reader, Writer};
use crate::error::{DecodeError, EncodeError, OfpError};
use crate::matching::Access;

/// Bits of [`Learn::flags`].
pub mod learn_flags {
    /// The learned flow reports its removal.
    pub const SEND_FLOW_REM: u16 = 1;
    /// Deleting this flow deletes the learned ones.
    pub const DELETE_LEARNED: u16 = 2;
    /// Write whether a flow was learned to [`super::Learn::result`].
    pub const WRITE_RESULT: u16 = 4;
}

/// Where the bits of a [`LearnSpec`] come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LearnSrc {
    /// These bits of the packet.
    Field(Subfield),
    /// A constant, big-endian, right-aligned in `ceil(n_bits / 8)` bytes.
    Imm(Box<[u8]>),
}

/// Where the bits of a [`LearnSpec`] go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LearnDst {
    /// The learned flow matches them in these bits.
    Match(Subfield),
    /// The learned flow loads them into these bits.
    Load(Subfield),
    /// The learned flow outputs to the port they name.
    Output,
}

/// One part of a learned flow (`learn_spec` of `nx_action_learn`): 2 bits of source and 2 of
/// destination, the number of bits in the lower 11, then what they need.
///
/// ```text
///  0          2
/// +----------+--------------------------------+----------------------------+
/// | src dst n| field u32, ofs u16 | immediate | field u32, ofs u16 (m, l)  |
/// +----------+--------------------------------+----------------------------+
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LearnSpec {
    /// Number of bits, 1 to 1023 in a valid flow.
    pub n_bits: u16,
    /// Their source.
    pub src: LearnSrc,
    /// Their destination.
    pub dst: LearnDst,
}

/// `learn` (`nx_action_learn`, 32 bytes and specs; `nx_action_learn2`, 40 bytes, when it has a
/// limit or a result).
///
/// ```text
///  10     12     14     16             24      26    27   28       30
/// +------+------+------+--------------+-------+-----+----+--------+--------+
/// | idle | hard | prio |    cookie    | flags |table| 0  |fin_idle|fin_hard|
/// +------+------+------+--------------+-------+-----+----+--------+--------+
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Learn {
    /// Idle timeout of the learned flow, seconds.
    pub idle_timeout: u16,
    /// Hard timeout, seconds.
    pub hard_timeout: u16,
    /// Priority.
    pub priority: u16,
    /// Cookie.
    pub cookie: u64,
    /// See [`learn_flags`].
    pub flags: u16,
    /// Table to put it in.
    pub table: u8,
    /// Idle timeout after FIN or RST.
    pub fin_idle_timeout: u16,
    /// Hard timeout after FIN or RST.
    pub fin_hard_timeout: u16,
    /// Most flows to learn, 0 for no limit.
    pub limit: u32,
    /// One bit that tells whether a flow was learned; goes with `WRITE_RESULT`.
    pub result: Option<Subfield>,
    /// What the flow is made of.
    pub specs: Vec<LearnSpec>,
}

impl Default for Learn {
    fn default() -> Self {
        Learn {
            idle_timeout: 0,
            hard_timeout: 0,
            priority: 32768,
            cookie: 0,
            flags: 0,
            table: 1,
            fin_idle_timeout: 0,
            fin_hard_timeout: 0,
            limit: 0,
            result: None,
            specs: Vec::new(),
        }
    }
}

const N_BITS: u16 = 0x3ff;
const SRC_IMMEDIATE: u16 = 1 << 13;
const DST_LOAD: u16 = 1 << 11;
const DST_OUTPUT: u16 = 2 << 11;
const DST_MASK: u16 = 3 << 11;
/// Where the padding of the longer form is, after the 10-byte vendor header.
const LEARN2_PAD: usize = 28;
/// Bytes of a field and an offset.
const REFERENCE_LEN: usize = 6;

fn put_subfield(w: &mut Writer<'_>, f: &Subfield) -> Result<(), EncodeError> {
    f.encode_header(w)?;
    w.u16(f.ofs);
    Ok(())
}

fn take_subfield(r: &mut Reader<'_>, n_bits: u16) -> Result<Subfield, DecodeError> {
    let mut f = Subfield::decode_word(r, 0, n_bits)?;
    f.ofs = r.u16("learn offset")?;
    Ok(f)
}

impl LearnSpec {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        let invalid = EncodeError::Invalid {
            code: OfpError::OFPBAC_BAD_ARGUMENT,
            what: "learn spec",
        };
        let src = if matches!(self.src, LearnSrc::Imm(_)) {
            SRC_IMMEDIATE
        } else {
            0
        };
        let dst = match self.dst {
            LearnDst::Match(_) => 0,
            LearnDst::Load(_) => DST_LOAD,
            LearnDst::Output => DST_OUTPUT,
        };
        // All zeros would end the list.
        if self.n_bits > N_BITS || self.n_bits | src | dst == 0 {
            return Err(invalid);
        }
        w.u16(self.n_bits | src | dst);
        match &self.src {
            LearnSrc::Field(f) => put_subfield(w, f)?,
            LearnSrc::Imm(bytes) => {
                let room = usize::from(self.n_bits).div_ceil(16) * 2;
                w.zeros(room.checked_sub(bytes.len()).ok_or(invalid)?);
                w.bytes(bytes);
            }
        }
        match &self.dst {
            LearnDst::Match(f) | LearnDst::Load(f) => put_subfield(w, f),
            LearnDst::Output => Ok(()),
        }
    }

    /// Reads one spec; `None` at the terminating zero.
    fn decode(r: &mut Reader<'_>) -> Result<Option<Self>, DecodeError> {
        let at = r.offset();
        let bad = |code, what| DecodeError::new(code, what, at);
        let header = r.u16("learn spec")?;
        if header == 0 {
            return Ok(None);
        }
        let n_bits = header & N_BITS;
        let immediate = header & SRC_IMMEDIATE != 0;
        let output = header & DST_MASK == DST_OUTPUT;
        if header & DST_MASK == DST_MASK || output && immediate {
            return Err(bad(OfpError::OFPBAC_BAD_ARGUMENT, "learn spec"));
        }
        let src_len = match immediate {
            true => usize::from(n_bits).div_ceil(16) * 2,
            false => REFERENCE_LEN,
        };
        let needed = src_len + if output { 0 } else { REFERENCE_LEN };
        if r.remaining() < needed {
            let error = bad(OfpError::OFPBAC_BAD_LEN, "learn spec");
            return Err(error.wanted(needed, r.remaining()));
        }
        let src = if immediate {
            let bytes = r.take(src_len, "learn immediate")?;
            let used = usize::from(n_bits).div_ceil(8);
            LearnSrc::Imm(bytes.get(bytes.len() - used..).unwrap_or(bytes).into())
        } else {
            LearnSrc::Field(take_subfield(r, n_bits)?)
        };
        let dst = match header & DST_MASK {
            DST_OUTPUT => LearnDst::Output,
            kind => {
                let field = take_subfield(r, n_bits)?;
                if kind == DST_LOAD {
                    LearnDst::Load(field)
                } else {
                    LearnDst::Match(field)
                }
            }
        };
        Ok(Some(LearnSpec { n_bits, src, dst }))
    }
}

impl Learn {
    pub(super) fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        let long = self.limit != 0 || self.flags & learn_flags::WRITE_RESULT != 0;
        vendor_action(w, if long { 45 } else { 16 }, |w| {
            w.u16(self.idle_timeout);
            w.u16(self.hard_timeout);
            w.u16(self.priority);
            w.u64(self.cookie);
            w.u16(self.flags);
            w.u8(self.table);
            w.u8(0);
            w.u16(self.fin_idle_timeout);
            w.u16(self.fin_hard_timeout);
            if long {
                w.u32(self.limit);
                match self
                    .result
                    .filter(|_| self.flags & learn_flags::WRITE_RESULT != 0)
                {
                    Some(result) => {
                        w.u16(result.ofs);
                        w.zeros(2);
                        result.encode_header(w)?;
                    }
                    None => w.zeros(4),
                }
            }
            self.specs.iter().try_for_each(|s| s.encode(w))
        })
    }

    pub(super) fn decode(r: &mut Reader<'_>, long: bool) -> Result<Self, DecodeError> {
        let at = r.offset();
        let bad = |code| DecodeError::new(code, "learn", at);
        if long {
            let mut pad = *r;
            pad.skip(LEARN2_PAD, "learn2")?;
            pad.zeros(2, OfpError::NXBAC_MUST_BE_ZERO, "learn2 pad")?;
        }
        let mut l = Learn {
            idle_timeout: r.u16("idle_timeout")?,
            hard_timeout: r.u16("hard_timeout")?,
            priority: r.u16("priority")?,
            cookie: r.u64("cookie")?,
            flags: r.u16("learn flags")?,
            table: r.u8("table")?,
            ..Learn::default()
        };
        r.zeros(1, OfpError::OFPBAC_BAD_ARGUMENT, "learn pad")?;
        l.fin_idle_timeout = r.u16("fin_idle_timeout")?;
        l.fin_hard_timeout = r.u16("fin_hard_timeout")?;
        let known = if long { 7 } else { 3 };
        if l.table == 0xff || l.flags & !known != 0 {
            return Err(bad(OfpError::OFPBAC_BAD_ARGUMENT));
        }
        if long {
            l.limit = r.u32("limit")?;
            let ofs = r.u16("result offset")?;
            r.skip(2, "learn2 pad")?;
            if l.flags & learn_flags::WRITE_RESULT != 0 {
                let result = Subfield::decode(r, ofs, 1)?;
                if result.field.info().access != Access::Rw {
                    return Err(bad(OfpError::OFPBAC_BAD_SET_ARGUMENT));
                }
                l.result = Some(result);
            } else if ofs != 0 {
                return Err(bad(OfpError::OFPBAC_BAD_ARGUMENT));
            }
        }
        while r.remaining() >= 2 {
            match LearnSpec::decode(r)? {
                Some(spec) => l.specs.push(spec),
                None => break,
            }
        }
        r.zeros(
            r.remaining(),
            OfpError::OFPBAC_BAD_ARGUMENT,
            "learn padding",
        )?;
        Ok(l)
    }
}
