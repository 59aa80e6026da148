//! References to fields and parts of fields, as actions make them.

use core::fmt;

use crate::codec::{Reader, Writer};
use crate::error::{DecodeError, EncodeError, OfpError};
use crate::matching::{FieldId, Form, Header, Match, decode_header, encode_field_header};

/// A run of bits within a field: `NXM_NX_REG0[4..7]`.
///
/// On the wire, the field's NXM or OXM header with the first bit and the number of bits beside it,
/// as two numbers of 16 bits or packed into one (`nx_action_reg_load`, `ofs_nbits`):
///
/// ```text
///  0            10       16
/// +------------+--------+
/// | first bit  | bits-1 |
/// +------------+--------+
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subfield {
    /// The field; an alias is allowed.
    pub field: FieldId,
    /// Length of tunnel metadata in bytes; 0 stands for the registry's width.
    pub tun_len: u8,
    /// First bit, counted from the least significant.
    pub ofs: u16,
    /// Number of bits, at least 1.
    pub n_bits: u16,
}

impl fmt::Debug for Subfield {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}..+{}]", self.field, self.ofs, self.n_bits)
    }
}

/// Which accesses a subfield must allow.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Source,
    Destination,
}

impl Subfield {
    /// Bits `ofs` to `ofs + n_bits - 1` of `field`.
    #[must_use]
    pub const fn new(field: FieldId, ofs: u16, n_bits: u16) -> Self {
        Subfield {
            field,
            tun_len: 0,
            ofs,
            n_bits,
        }
    }

    /// The whole of `field`.
    #[must_use]
    pub fn all(field: FieldId) -> Self {
        Subfield::new(field, 0, field.info().bits)
    }

    /// Whether it covers the whole field.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.ofs == 0 && self.n_bits == self.width()
    }

    /// Bits in the field it is part of.
    #[must_use]
    pub fn width(&self) -> u16 {
        match self.tun_len {
            0 => self.field.info().bits,
            n => u16::from(n) * 8,
        }
    }

    /// Offset and width packed as in `ofs_nbits`: offset << 6 | (n_bits - 1).
    #[must_use]
    pub(crate) fn ofs_nbits(&self) -> u16 {
        self.ofs << 6 | (self.n_bits.wrapping_sub(1) & 0x3f)
    }

    /// Checks that the bits exist and that the field allows the use.
    pub(crate) fn check(&self, used: Use, at: usize) -> Result<(), DecodeError> {
        self.usable(used)
            .map_err(|code| DecodeError::new(code, "subfield", at))
    }

    /// As a switch checks it when an action is received.
    pub(crate) fn usable(&self, used: Use) -> Result<(), OfpError> {
        let end = self.ofs.checked_add(self.n_bits);
        if self.n_bits == 0 || end.is_none_or(|end| end > self.width()) {
            return Err(OfpError::OFPBAC_BAD_SET_LEN);
        }
        let readable = self.field != FieldId::COOKIE;
        let writable = self.field.info().access == crate::matching::Access::Rw;
        if !readable || used == Use::Destination && !writable {
            return Err(OfpError::OFPBAC_BAD_SET_ARGUMENT);
        }
        Ok(())
    }

    /// Checks that `m` matches the prerequisite of the field.
    pub(crate) fn consistent(&self, m: &Match) -> Result<(), OfpError> {
        if m.prereqs_met(self.field) {
            Ok(())
        } else {
            Err(OfpError::OFPBAC_MATCH_INCONSISTENT)
        }
    }

    /// Appends the field's header; 4 bytes, 8 for experimenter fields.
    pub(crate) fn encode_header(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        encode_reference(w, self.field, self.tun_len)
    }

    /// Reads a field header; the bits are filled in by the caller.
    pub(crate) fn decode(
        r: &mut Reader<'_>,
        ofs: u16,
        n_bits: u16,
    ) -> Result<Subfield, DecodeError> {
        let (field, tun_len) = decode_reference(r)?;
        Ok(Subfield {
            field,
            tun_len,
            ofs,
            n_bits,
        })
    }

    /// Reads a field header from a slot of exactly 4 bytes. Whether it says that a mask follows
    /// does not matter: nothing does.
    pub(crate) fn decode_word(
        r: &mut Reader<'_>,
        ofs: u16,
        n_bits: u16,
    ) -> Result<Subfield, DecodeError> {
        let at = r.offset();
        let mut word = r.sub(4, "field reference")?;
        let reference =
            decode_header(&mut word).and_then(|header| reference(header.unmasked(), at));
        let (field, tun_len) = reference
            .map_err(|_| DecodeError::new(OfpError::OFPBAC_BAD_SET_TYPE, "field reference", at))?;
        Ok(Subfield {
            field,
            tun_len,
            ofs,
            n_bits,
        })
    }

    /// Splits an `ofs_nbits` field.
    pub(crate) fn split(ofs_nbits: u16) -> (u16, u16) {
        (ofs_nbits >> 6, (ofs_nbits & 0x3f) + 1)
    }
}

/// Appends the header by which an action names `field`.
pub(crate) fn encode_reference(
    w: &mut Writer<'_>,
    field: FieldId,
    tun_len: u8,
) -> Result<(), EncodeError> {
    let bytes = if tun_len == 0 {
        field.info().bytes
    } else {
        tun_len
    };
    if encode_field_header(w, field, bytes, Form::Nxm) {
        Ok(())
    } else {
        Err(EncodeError::Unsupported {
            what: "field without wire name",
        })
    }
}

/// Reads a header that names a field: no mask, right length.
pub(crate) fn decode_reference(r: &mut Reader<'_>) -> Result<(FieldId, u8), DecodeError> {
    let at = r.offset();
    reference(decode_header(r)?, at)
}

fn reference(header: Header, at: usize) -> Result<(FieldId, u8), DecodeError> {
    let bad = |code| DecodeError::new(code, "field reference", at);
    let field = FieldId::from_header(&header).ok_or(bad(OfpError::OFPBMC_BAD_FIELD))?;
    let len = header.unmasked().payload_len().unwrap_or(0);
    let tun_len = match field.tun_metadata_index() {
        Some(_) if (1..=124).contains(&len) => u8::try_from(len).unwrap_or(0) % 124,
        None if len == usize::from(field.info().bytes) => 0,
        _ => return Err(bad(OfpError::OFPBMC_BAD_FIELD)),
    };
    if header.masked {
        return Err(bad(OfpError::OFPBMC_BAD_MASK));
    }
    if field == FieldId::COOKIE {
        return Err(bad(OfpError::OFPBMC_BAD_FIELD));
    }
    Ok((field, tun_len))
}
