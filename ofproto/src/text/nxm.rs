//! Matches entry by entry, under their wire names: `NXM_OF_IN_PORT(0001), NXM_NX_REG0_W(01/ff)`.
//!
//! This is the form `ovs-ofctl` prints at high verbosity. It judges nothing: any header and any
//! bytes can be written down and read back.

use std::fmt::Write;

use crate::codec::Reader;
use crate::matching::{FieldId, Form, decode_header};

use super::error::TextError;
use super::scan::Span;

/// Writes NXM or OXM entries without outer padding. `<any>` stands for none; bytes that are no
/// whole entry are counted at the end.
#[must_use]
pub fn nxm_to_string(entries: &[u8]) -> String {
    if entries.is_empty() {
        return "<any>".to_owned();
    }
    let mut out = String::new();
    let mut reader = Reader::new(entries);
    loop {
        let rest = reader.peek();
        if rest.is_empty() {
            return out;
        }
        let separator = if out.is_empty() { "" } else { ", " };
        let Some(entry) = one_entry(&mut reader) else {
            // Writing to a string cannot fail.
            let _ = write!(out, "{separator}<{} invalid bytes>", rest.len());
            return out;
        };
        out.push_str(separator);
        out.push_str(&entry);
    }
}

fn one_entry(reader: &mut Reader<'_>) -> Option<String> {
    let header = decode_header(reader).ok()?;
    let length = header.payload_len()?;
    if header.masked && length % 2 != 0 {
        // Value and mask have the same width.
        return None;
    }
    let payload = reader.take(length, "entry").ok()?;
    let name = match FieldId::from_header(&header) {
        Some(field) => wire_name(field, header.class, header.number).to_owned(),
        None if header.is_cookie() => "NXM_NX_COOKIE".to_owned(),
        None => format!("{}:{}", header.class, header.number),
    };
    let known = name.starts_with(|c: char| c.is_ascii_alphabetic());
    let mut entry = name;
    if header.masked && known {
        entry.push_str("_W");
    }
    let width = if header.masked { length / 2 } else { length };
    let (value, mask) = payload.split_at_checked(width)?;
    entry.push('(');
    for byte in value {
        let _ = write!(entry, "{byte:02x}");
    }
    if header.masked {
        entry.push('/');
        for byte in mask.get(..width)? {
            let _ = write!(entry, "{byte:02x}");
        }
    }
    entry.push(')');
    Some(entry)
}

/// The field's name in the family the header belongs to.
fn wire_name(field: FieldId, class: u16, number: u8) -> &'static str {
    let headers = field.info().headers;
    let found = headers
        .iter()
        .find(|spec| spec.class.code().0 == class && spec.number == number);
    found
        .or_else(|| field.header(Form::Nxm))
        .map_or_else(|| field.name(), |spec| spec.name)
}

/// Reads what [`nxm_to_string`] writes, and headers given as 8 or 16 hexadecimal digits.
///
/// # Errors
/// What is wrong, and at which column.
pub fn nxm_from_str(text: &str) -> Result<Vec<u8>, TextError> {
    let mut out = Vec::new();
    let mut rest = Span::new(text).trim();
    if rest.text() == "<any>" {
        return Ok(out);
    }
    loop {
        while let Some(tail) = rest.strip_prefix(",").or_else(|| rest.strip_prefix(" ")) {
            rest = tail;
        }
        if rest.is_empty() {
            return Ok(out);
        }
        let Some((name, tail)) = rest.split_once("(") else {
            return Err(rest.error("expected NAME(DIGITS)"));
        };
        let Some((digits, tail)) = tail.split_once(")") else {
            return Err(tail.error("expected a closing bracket"));
        };
        entry_from(name, digits, &mut out)?;
        rest = tail;
    }
}

fn entry_from(name: Span<'_>, digits: Span<'_>, out: &mut Vec<u8>) -> Result<(), TextError> {
    let (value, mask) = match digits.split_once("/") {
        Some((value, mask)) => (value.trim().hex_bytes()?, Some(mask.trim().hex_bytes()?)),
        None => (digits.trim().hex_bytes()?, None),
    };
    let length = value.len() + mask.as_ref().map_or(0, Vec::len);
    header_from(name, length, mask.is_some(), digits, out)?;
    out.extend(value);
    out.extend(mask.unwrap_or_default());
    Ok(())
}

fn header_from(
    name: Span<'_>,
    length: usize,
    masked: bool,
    digits: Span<'_>,
    out: &mut Vec<u8>,
) -> Result<(), TextError> {
    let text = name.text();
    if [8, 16].contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        out.extend(name.hex_bytes()?);
        return Ok(());
    }
    let (plain, wild) = match text.strip_suffix("_W") {
        Some(plain) => (plain, true),
        None => (text, false),
    };
    if wild != masked {
        let what = if wild {
            "expected VALUE/MASK"
        } else {
            "a mask needs a name ending in _W"
        };
        return Err(digits.error(what));
    }
    let spec = FieldId::from_header_name(plain)
        .and_then(|field| field.info().headers.iter().find(|spec| spec.name == plain));
    let (class, experimenter, number) = match spec {
        Some(spec) => (spec.class.code().0, spec.class.code().1, spec.number),
        None if plain == "NXM_NX_COOKIE" => (1, None, 30),
        None => return Err(name.error(format!("{text:?} is not an NXM or OXM name"))),
    };
    let length = length + if experimenter.is_some() { 4 } else { 0 };
    let length = u8::try_from(length).map_err(|_| digits.error("longer than 255 bytes"))?;
    let [high, low] = class.to_be_bytes();
    out.extend([high, low, number << 1 | u8::from(masked), length]);
    if let Some(id) = experimenter {
        out.extend(id.to_be_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        for text in [
            "<any>",
            "NXM_OF_IN_PORT(0001)",
            "NXM_OF_ETH_TYPE(0800), NXM_NX_CT_STATE_W(00000020/000000ff)",
            "OXM_OF_METADATA(1234567890abcdef), NXOXM_ET_REG31(00000001)",
            "NXM_NX_COOKIE_W(0000000000000001/00000000000000ff), NXM_NX_TUN_METADATA3(0102)",
        ] {
            let bytes = nxm_from_str(text).unwrap();
            assert_eq!(nxm_to_string(&bytes), text);
        }
        assert_eq!(nxm_from_str("00000002(0001)").unwrap(), [0, 0, 0, 2, 0, 1]);
        assert_eq!(nxm_to_string(&[0, 0, 0, 2, 0]), "<5 invalid bytes>");
        assert!(nxm_from_str("NXM_OF_IN_PORT(0001").is_err());
        assert!(nxm_from_str("NXM_OF_IN_PORT(0001/ffff)").is_err());
        assert!(nxm_from_str("BOGUS(00)").is_err());
    }
}
