//! Values, masks and bit ranges of match fields.
//!
//! Owns: how one field's value is read and written ([`FieldInfo::format`](crate::matching::FieldInfo)
//! says in which form), port names, and sub-fields such as `NXM_NX_REG0[0..15]`.

use std::fmt;

use crate::action::Subfield;
use crate::matching::{FieldId, Form, Format};
use crate::ports::Port;

use super::address;
use super::error::TextError;
use super::flags;
use super::scan::Span;

/// Reserved ports and their names; `ANY` is read like `NONE`.
const PORTS: [(Port, &str); 10] = [
    (Port::UNSET, "UNSET"),
    (Port::IN_PORT, "IN_PORT"),
    (Port::TABLE, "TABLE"),
    (Port::NORMAL, "NORMAL"),
    (Port::FLOOD, "FLOOD"),
    (Port::ALL, "ALL"),
    (Port::CONTROLLER, "CONTROLLER"),
    (Port::LOCAL, "LOCAL"),
    (Port::NONE, "ANY"),
    (Port::NONE, "NONE"),
];

/// Values of `ip_frag`: name, value, mask (`FLOW_NW_FRAG_ANY` is 1, `_LATER` 2).
const FRAGMENTS: [(&str, u128, u128); 7] = [
    ("no", 0, 3),
    ("first", 1, 3),
    ("later", 3, 3),
    ("no", 0, 1),
    ("yes", 1, 1),
    ("not_later", 0, 2),
    ("later", 2, 2),
];

/// A number, or a reserved name in any case.
pub(crate) fn parse_port(span: Span<'_>) -> Result<Port, TextError> {
    let text = span.text();
    if let Some((port, _)) = PORTS
        .iter()
        .find(|(_, name)| name.eq_ignore_ascii_case(text))
    {
        return Ok(*port);
    }
    let unknown = || span.error(format!("{text:?} is not a port"));
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(unknown());
    }
    // Numbers of OpenFlow 1.1 and later mean the same reserved ports.
    let number: u32 = text.parse().map_err(|_| unknown())?;
    match u16::try_from(number) {
        Ok(number) => Ok(Port(number)),
        Err(_) => Port::from_of11(number).map_err(|_| unknown()),
    }
}

pub(crate) fn write_port(out: &mut impl fmt::Write, port: Port) -> fmt::Result {
    match PORTS.iter().find(|(known, _)| *known == port) {
        Some((_, name)) => out.write_str(name),
        None => write!(out, "{}", port.0),
    }
}

/// The name of a field as `NXM_...` where it has one.
fn wire_name(field: FieldId) -> &'static str {
    field
        .header(Form::Nxm)
        .map_or_else(|| field.name(), |header| header.name)
}

/// `NAME`, `NAME[]`, `NAME[bit]` or `NAME[first..last]`, by main, second or wire name.
pub(crate) fn parse_subfield(span: Span<'_>) -> Result<Subfield, TextError> {
    let (name, range) = match span.text().find('[') {
        Some(at) => span.split_at(at),
        None => span.split_at(span.text().len()),
    };
    let field = parse_field_name(name)?;
    let bits = field.info().bits;
    if range.is_empty() || range.text() == "[]" {
        return Ok(Subfield::all(field));
    }
    let inner = range
        .strip_prefix("[")
        .and_then(|rest| rest.split_once("]"));
    let Some((inner, tail)) = inner.filter(|(_, tail)| tail.is_empty()) else {
        return Err(range.error("expected [], [BIT] or [FIRST..LAST]"));
    };
    debug_assert!(tail.is_empty());
    let (first, last) = match inner.split_once("..") {
        Some((first, last)) => (first.u16("a bit")?, last.u16("a bit")?),
        None => {
            let bit = inner.u16("a bit")?;
            (bit, bit)
        }
    };
    if last < first {
        return Err(inner.error(format!("first bit {first} is after last bit {last}")));
    }
    if last >= bits {
        return Err(inner.error(format!("{} has only {bits} bits", field.name())));
    }
    Ok(Subfield::new(field, first, last - first + 1))
}

/// A field by its main, second or wire name.
pub(crate) fn parse_field_name(span: Span<'_>) -> Result<FieldId, TextError> {
    let text = span.text();
    let wire = text.strip_suffix("_W").unwrap_or(text);
    let known = FieldId::from_name(text).or_else(|| FieldId::from_header_name(wire));
    let known = known.filter(|field| *field != FieldId::COOKIE);
    known.ok_or_else(|| span.error(format!("{text:?} is not a field")))
}

pub(crate) fn write_subfield(out: &mut impl fmt::Write, part: &Subfield) -> fmt::Result {
    out.write_str(wire_name(part.field))?;
    let last = i32::from(part.ofs) + i32::from(part.n_bits) - 1;
    match (part.ofs, part.n_bits) {
        _ if part.is_whole() => out.write_str("[]"),
        (bit, 1) => write!(out, "[{bit}]"),
        (first, _) => write!(out, "[{first}..{last}]"),
    }
}

/// Value and mask of `field`. `*` is anything; so is `ANY`, which Open vSwitch prints for it, but for ports, of which it
/// is one. Not for tunnel metadata.
pub(crate) fn parse_value(field: FieldId, span: Span<'_>) -> Result<(u128, u128), TextError> {
    let info = field.info();
    let full = info.full_mask();
    match (span.text(), info.format) {
        ("ANY", Format::Port) => {}
        ("*" | "ANY", _) => return Ok((0, 0)),
        _ => {}
    }
    match info.format {
        Format::Decimal | Format::Hex => parse_integer(field, span),
        Format::Mac => parse_mac_masked(span),
        Format::Ipv4 => {
            address::parse_masked(span, 32, |part| address::parse_ipv4(part).map(u128::from))
        }
        Format::Ipv6 => address::parse_masked(span, 128, address::parse_ipv6),
        Format::Port => {
            let port = parse_port(span)?;
            let number = if info.bytes == 2 {
                u32::from(port.0)
            } else {
                port.to_of11()
            };
            Ok((number.into(), full))
        }
        Format::Frag => {
            let known = FRAGMENTS
                .iter()
                .find(|(name, ..)| span.is_ignore_case(name));
            let known = known.map(|(_, value, mask)| (*value, *mask));
            known.ok_or_else(|| span.error("expected no, yes, first, later or not_later"))
        }
        Format::CtState => parse_flags(&flags::CT_STATE, span, full),
        Format::TcpFlags => parse_flags(&flags::TCP, span, full),
        Format::TunFlags => parse_flags(&flags::TUNNEL, span, full),
        Format::PacketType => {
            // Open vSwitch prints a value of this field with its name, and Ethernet as a word.
            let span = span.strip_prefix("packet_type=").unwrap_or(span);
            if span.text() == "eth" {
                return Ok((0, full));
            }
            let inner = span.strip_prefix("(").and_then(|rest| rest.split_once(","));
            let Some((namespace, rest)) = inner else {
                return Err(span.error("expected (NAMESPACE,TYPE)"));
            };
            let Some((ty, tail)) = rest.split_once(")") else {
                return Err(rest.error("expected a closing bracket"));
            };
            if !tail.is_empty() {
                return Err(tail.error("nothing may follow the bracket"));
            }
            let high = u128::from(namespace.u16("a namespace")?) << 16;
            Ok((high | u128::from(ty.u16("a packet type")?), full))
        }
    }
}

fn parse_flags(
    flags: &flags::Flags,
    span: Span<'_>,
    full: u128,
) -> Result<(u128, u128), TextError> {
    let (value, mask) = flags.parse(span)?;
    Ok((value.into(), u128::from(mask) & full))
}

fn parse_mac_masked(span: Span<'_>) -> Result<(u128, u128), TextError> {
    use crate::matching::FieldValue;
    match span.split_once("/") {
        Some((value, mask)) => Ok((
            address::parse_mac(value)?.to_field(),
            address::parse_mac(mask)?.to_field(),
        )),
        None => Ok((address::parse_mac(span)?.to_field(), (1 << 48) - 1)),
    }
}

/// `VALUE` or `VALUE/MASK`, each no wider than the field's bytes.
fn parse_integer(field: FieldId, span: Span<'_>) -> Result<(u128, u128), TextError> {
    let info = field.info();
    let integer = |part: Span<'_>| match super::scan::unsigned(part.text()) {
        Some(value) if value <= info.full_mask() => Ok(value),
        Some(_) => Err(part.error(format!("too large for {}, {} bytes", info.name, info.bytes))),
        None => Err(part.error(format!(
            "{:?} is not a number for {}",
            part.text(),
            info.name
        ))),
    };
    match span.split_once("/") {
        Some((value, mask)) => Ok((integer(value)?, integer(mask)?)),
        None => Ok((integer(span)?, info.full_mask())),
    }
}

/// Bytes of tunnel metadata, as many as the longer of value and mask needs; empty text compares
/// only presence.
pub(crate) fn parse_tun_metadata(span: Span<'_>) -> Result<(Vec<u8>, Vec<u8>), TextError> {
    if span.is_empty() {
        return Ok((vec![0], vec![0]));
    }
    let (value, mask) = match span.split_once("/") {
        Some((value, mask)) => (wide_integer(value)?, Some(wide_integer(mask)?)),
        None => (wide_integer(span)?, None),
    };
    let length = value.len().max(mask.as_ref().map_or(1, Vec::len)).max(1);
    let widen = |bytes: Vec<u8>| {
        let mut wide = vec![0; length - bytes.len()];
        wide.extend(bytes);
        wide
    };
    Ok((widen(value), mask.map_or_else(|| vec![0xff; length], widen)))
}

/// A number of up to 124 bytes without leading zeros.
fn wide_integer(span: Span<'_>) -> Result<Vec<u8>, TextError> {
    const MOST: usize = 124;
    let text = span.text();
    let bad = || span.error(format!("{text:?} is not a number"));
    let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) else {
        let number = span.number("tunnel metadata", u64::MAX)?;
        let bytes = number.to_be_bytes();
        return Ok(bytes.into_iter().skip_while(|byte| *byte == 0).collect());
    };
    let digits = digits.trim_start_matches('0');
    if text.len() <= 2 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(bad());
    }
    if digits.len() > MOST * 2 {
        return Err(span.error("wider than 124 bytes"));
    }
    let padded = format!(
        "{digits:0>width$}",
        width = digits.len().next_multiple_of(2)
    );
    Span::new(&padded).hex_bytes().map_err(|_| bad())
}

/// `0` or `0x...` without leading zeros, for numbers of any width.
pub(crate) fn write_hex(out: &mut impl fmt::Write, bytes: &[u8]) -> fmt::Result {
    let mut digits = bytes.iter().skip_while(|byte| **byte == 0);
    match digits.next() {
        None => out.write_char('0'),
        Some(first) => {
            write!(out, "{first:#x}")?;
            digits.try_for_each(|byte| write!(out, "{byte:02x}"))
        }
    }
}

/// `0` or `0x...`, the form of `%#x`.
pub(crate) fn write_hex_number(out: &mut impl fmt::Write, value: u128) -> fmt::Result {
    if value == 0 {
        out.write_char('0')
    } else {
        write!(out, "{value:#x}")
    }
}

/// Value and mask in the form of the field; no mask is written for an exact one.
pub(crate) fn write_value(
    out: &mut impl fmt::Write,
    field: FieldId,
    value: u128,
    mask: u128,
) -> fmt::Result {
    let info = field.info();
    let exact = mask == info.full_mask();
    if mask == 0 {
        return out.write_str("ANY");
    }
    let narrow = |wide: u128| u32::try_from(wide & 0xffff_ffff).unwrap_or(0);
    match info.format {
        Format::Port if exact => {
            let port = match info.bytes {
                2 => Port(u16::try_from(value).unwrap_or(u16::MAX)),
                _ => Port::from_of11(narrow(value)).unwrap_or(Port::NONE),
            };
            write_port(out, port)
        }
        Format::Decimal | Format::Port | Format::Hex => {
            match info.format {
                Format::Hex => write_hex_number(out, value)?,
                _ => write!(out, "{value}")?,
            }
            if exact {
                return Ok(());
            }
            out.write_char('/')?;
            write_hex_number(out, mask)
        }
        Format::Mac => write_mac_masked(out, value, mask),
        Format::Ipv4 => address::write_ipv4_masked(out, narrow(value), narrow(mask)),
        Format::Ipv6 => address::write_ipv6_masked(out, value, mask),
        Format::Frag => {
            let (value, mask) = (value & mask & 3, mask & 3);
            let known = FRAGMENTS.iter().find(|(_, v, m)| (*v, *m) == (value, mask));
            out.write_str(known.map_or("<error>", |(name, ..)| name))
        }
        Format::CtState => {
            flags::CT_STATE.write_masked(out, narrow(value), narrow(mask), u16::MAX.into())
        }
        Format::TcpFlags => {
            flags::TCP.write_masked(out, narrow(value), narrow(mask) & 0xfff, 0xfff)
        }
        Format::TunFlags => flags::TUNNEL.write_masked(out, narrow(value), narrow(mask) & 1, 1),
        Format::PacketType => write_packet_type(out, narrow(value), narrow(mask)),
    }
}

pub(crate) fn mac_bytes(value: u128) -> [u8; 6] {
    let [.., a, b, c, d, e, f] = value.to_be_bytes();
    [a, b, c, d, e, f]
}

pub(crate) fn write_mac_masked(out: &mut impl fmt::Write, value: u128, mask: u128) -> fmt::Result {
    address::write_mac(out, mac_bytes(value))?;
    if mask != (1 << 48) - 1 {
        out.write_char('/')?;
        address::write_mac(out, mac_bytes(mask))?;
    }
    Ok(())
}

pub(crate) fn write_packet_type(out: &mut impl fmt::Write, value: u32, mask: u32) -> fmt::Result {
    if value == 0 && mask == u32::MAX {
        return out.write_str("eth");
    }
    out.write_str("packet_type=(")?;
    let halves = [
        (value >> 16, mask >> 16, ","),
        (value & 0xffff, mask & 0xffff, ")"),
    ];
    for (half, bits, after) in halves {
        match bits {
            0 => out.write_char('*')?,
            _ => {
                // One digit is the same in both notations.
                out.write_str(if half > 9 { "0x" } else { "" })?;
                write!(out, "{half:x}")?;
                if bits != 0xffff {
                    write!(out, "/{bits:#x}")?;
                }
            }
        }
        out.write_str(after)?;
    }
    Ok(())
}
