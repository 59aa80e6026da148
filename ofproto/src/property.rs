//! Properties of the OpenFlow 1.3+ shape, which Nicira's newer messages use on 1.0 too.
//!
//! ```text
//!  0      2        4
//! +------+--------+------ - -+- - - - - - - +
//! | type | length |   data   | padding to 8 |
//! +------+--------+------ - -+- - - - - - - +
//! ```
//!
//! `length` counts type, length and data. Open vSwitch gives 16-bit values a length of 8, 8-bit
//! ones 5; 64-bit values and nested properties start at offset 8.

use crate::codec::{Reader, Writer, padding8};
use crate::error::{DecodeError, EncodeError, OfpError};

/// The type of properties that begin with an experimenter and a type of its own.
pub(crate) const EXPERIMENTER: u16 = 0xffff;

/// Writes one property around `body`.
pub(crate) fn put(
    w: &mut Writer<'_>,
    kind: u16,
    body: impl FnOnce(&mut Writer<'_>) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    let start = w.position();
    w.u16(kind);
    w.u16(0);
    body(w)?;
    w.patch_len(start.saturating_add(2), start, "property")?;
    w.pad8(start);
    Ok(())
}

pub(crate) fn put_bytes(w: &mut Writer<'_>, kind: u16, data: &[u8]) -> Result<(), EncodeError> {
    put(w, kind, |w| {
        w.bytes(data);
        Ok(())
    })
}

pub(crate) fn put_u8(w: &mut Writer<'_>, kind: u16, v: u8) -> Result<(), EncodeError> {
    put_bytes(w, kind, &[v])
}

pub(crate) fn put_u16(w: &mut Writer<'_>, kind: u16, v: u16) -> Result<(), EncodeError> {
    put_u32(w, kind, u32::from(v) << 16)
}

pub(crate) fn put_u32(w: &mut Writer<'_>, kind: u16, v: u32) -> Result<(), EncodeError> {
    put_bytes(w, kind, &v.to_be_bytes())
}

pub(crate) fn put_u64(w: &mut Writer<'_>, kind: u16, v: u64) -> Result<(), EncodeError> {
    put(w, kind, |w| {
        w.zeros(4);
        w.u64(v);
        Ok(())
    })
}

/// One property as read.
pub(crate) struct Property<'a> {
    pub(crate) kind: u16,
    pub(crate) at: usize,
    pub(crate) data: Reader<'a>,
}

/// Reads the next property and its padding.
pub(crate) fn take<'a>(r: &mut Reader<'a>) -> Result<Property<'a>, DecodeError> {
    take_with(r, EXPERIMENTER)
}

/// As [`take`], where all types from `experimenter` on are an experimenter's.
pub(crate) fn take_with<'a>(
    r: &mut Reader<'a>,
    experimenter: u16,
) -> Result<Property<'a>, DecodeError> {
    let at = r.offset();
    let mut head = r.short_as(OfpError::OFPBPC_BAD_LEN);
    let kind = head.u16("property type")?;
    let len = usize::from(head.u16("property length")?);
    let bad = || DecodeError::new(OfpError::OFPBPC_BAD_LEN, "property length", at);
    let data = head.sub(len.checked_sub(4).ok_or_else(bad)?, "property")?;
    head.skip(padding8(len), "property padding")?;
    if kind >= experimenter {
        let ids = data.peek().first_chunk::<8>().ok_or_else(bad)?;
        if ids.starts_with(&[0; 4]) {
            // It would look like a standard property.
            let code = OfpError::OFPBPC_BAD_EXPERIMENTER;
            return Err(DecodeError::new(code, "property experimenter", at));
        }
    }
    r.skip(len.saturating_add(padding8(len)), "property")?;
    Ok(Property { kind, at, data })
}

impl<'a> Property<'a> {
    /// An 8-bit value; what follows it is ignored.
    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.data.u8("property value")
    }

    /// A 16-bit value; what follows it is ignored.
    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.data.u16("property value")
    }

    /// A 32-bit value and nothing else.
    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        let v = self.data.u32("property value")?;
        self.data.finish("property value")?;
        Ok(v)
    }

    /// A 64-bit value after 4 bytes of padding.
    pub(crate) fn u64(&mut self) -> Result<u64, DecodeError> {
        self.data.skip(4, "property padding")?;
        let v = self.data.u64("property value")?;
        self.data.finish("property value")?;
        Ok(v)
    }

    /// Nested properties, after 4 bytes of padding.
    pub(crate) fn nested(mut self) -> Result<Reader<'a>, DecodeError> {
        self.data.skip(4, "property padding")?;
        Ok(self.data)
    }

    /// `OFPBPC_BAD_TYPE` or `OFPBPC_BAD_EXP_TYPE` at this property.
    pub(crate) fn unknown(&self, what: &'static str) -> DecodeError {
        let code = match self.kind {
            EXPERIMENTER => OfpError::OFPBPC_BAD_EXP_TYPE,
            _ => OfpError::OFPBPC_BAD_TYPE,
        };
        DecodeError::new(code, what, self.at)
    }
}
