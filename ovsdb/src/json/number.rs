//! JSON numbers: integers where they can be, doubles otherwise (RFC 7159 §6 narrowed to what
//! ovsdb-server does).

use super::Json;
use crate::error::JsonErrorKind;

/// An exponent that has reached this may not have another digit, even of a zero: the server's
/// own limit.
const EXPONENT: i64 = (i32::MAX / 10) as i64;

/// Splits the number at the start of `bytes` off; returns the value and its length.
pub(super) fn number(bytes: &[u8]) -> Result<(Json, usize), (JsonErrorKind, usize)> {
    let mut at = 0;
    let peek = |at: usize| bytes.get(at).copied();
    let negative = peek(0) == Some(b'-');
    if negative {
        at += 1;
    }
    let mut digits = Digits::default();
    match peek(at) {
        Some(b'0') => {
            at += 1;
            if peek(at).is_some_and(|c| c.is_ascii_digit()) {
                return Err((JsonErrorKind::BadNumber, at));
            }
        }
        Some(b'1'..=b'9') => {
            while let Some(c @ b'0'..=b'9') = peek(at) {
                digits.push(c, false);
                at += 1;
            }
        }
        _ => return Err((JsonErrorKind::BadNumber, at)),
    }
    if peek(at) == Some(b'.') {
        at += 1;
        if !peek(at).is_some_and(|c| c.is_ascii_digit()) {
            return Err((JsonErrorKind::BadNumber, at));
        }
        while let Some(c @ b'0'..=b'9') = peek(at) {
            digits.push(c, true);
            at += 1;
        }
    }
    if matches!(peek(at), Some(b'e' | b'E')) {
        at += 1;
        let minus = peek(at) == Some(b'-');
        if matches!(peek(at), Some(b'+' | b'-')) {
            at += 1;
        }
        if !peek(at).is_some_and(|c| c.is_ascii_digit()) {
            return Err((JsonErrorKind::BadNumber, at));
        }
        let mut exponent: i64 = 0;
        while let Some(c @ b'0'..=b'9') = peek(at) {
            if exponent >= EXPONENT {
                return Err((JsonErrorKind::NumberRange, at));
            }
            exponent = exponent * 10 + i64::from(c - b'0');
            at += 1;
        }
        digits.scale(if minus { -exponent } else { exponent });
        if digits.pow10 < i64::from(i32::MIN) || digits.pow10 > i64::from(i32::MAX) {
            return Err((JsonErrorKind::NumberRange, at));
        }
    }
    if let Some(integer) = digits.integer(negative) {
        return Ok((Json::Integer(integer), at));
    }
    let text = bytes.get(..at).unwrap_or_default();
    let real: f64 = core::str::from_utf8(text)
        .ok()
        .and_then(|t| t.parse().ok())
        .ok_or((JsonErrorKind::BadNumber, at))?;
    if !real.is_finite() {
        let largest = digits.largest().ok_or((JsonErrorKind::NumberRange, at))?;
        return Ok((Json::Real(if negative { -largest } else { largest }), at));
    }
    // An underflow to zero loses its sign and becomes the integer.
    Ok((
        if real == 0.0 {
            Json::Integer(0)
        } else {
            Json::Real(real)
        },
        at,
    ))
}

/// The largest double if `text`, which lies beyond the range, is what its 15 digits are rounded to: see [`Digits::largest`].
pub(crate) fn largest(text: &str) -> Option<f64> {
    match number(text.as_bytes()) {
        Ok((Json::Real(real), used)) if used == text.len() => Some(real),
        _ => None,
    }
}

/// Decimal digits with an exponent: `significand * 10^pow10`, unless `lossy`.
#[derive(Default)]
struct Digits {
    significand: u64,
    pow10: i64,
    lossy: bool,
}

impl Digits {
    fn push(&mut self, c: u8, fraction: bool) {
        let digit = u64::from(c - b'0');
        match self
            .significand
            .checked_mul(10)
            .and_then(|s| s.checked_add(digit))
        {
            Some(next) => {
                self.significand = next;
                if fraction {
                    self.pow10 -= 1;
                }
            }
            None => {
                self.lossy |= digit != 0;
                if !fraction {
                    self.pow10 += 1;
                }
            }
        }
    }

    fn scale(&mut self, exponent: i64) {
        self.pow10 = self.pow10.saturating_add(exponent);
    }

    /// The largest double, if that is what a server had to write with its 15 digits: they are
    /// rounded up, beyond the range.
    fn largest(&self) -> Option<f64> {
        const TENTH_WITH_15_DIGITS: f64 = 1.797_693_134_862_32e307;
        let exponent = self.pow10.checked_sub(1)?;
        let tenth: f64 = format!("{}e{exponent}", self.significand).parse().ok()?;
        (tenth <= TENTH_WITH_15_DIGITS).then_some(f64::MAX)
    }

    fn integer(&self, negative: bool) -> Option<i64> {
        if self.lossy {
            return None;
        }
        let (mut value, mut pow10) = (self.significand, self.pow10);
        if value == 0 {
            return Some(0);
        }
        while pow10 > 0 {
            value = value.checked_mul(10)?;
            pow10 -= 1;
        }
        while pow10 < 0 && value.is_multiple_of(10) {
            value /= 10;
            pow10 += 1;
        }
        if pow10 != 0 {
            return None;
        }
        if negative {
            0i64.checked_sub_unsigned(value)
        } else {
            i64::try_from(value).ok()
        }
    }
}

/// Formats a finite double the way C's `%.*g` does, with at most `digits` significant digits
/// (1 to 17), or with the fewest digits that read back as the same value if `digits` is `None`.
pub fn format_real(real: f64, digits: Option<u8>) -> String {
    let scientific = match digits {
        Some(n) => {
            let n = usize::from(n.clamp(1, 17));
            format!("{:.*e}", n - 1, real)
        }
        None => format!("{real:e}"),
    };
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let Ok(exponent) = exponent.parse::<i32>() else {
        return scientific;
    };
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let mut plain: String = mantissa.chars().filter(|c| *c != '.').collect();
    let kept = plain.trim_end_matches('0').len().max(1);
    plain.truncate(kept);
    let precision = i32::from(digits.unwrap_or(17));
    if exponent < -4 || exponent >= precision {
        let (head, tail) = plain.split_at(1);
        let dot = if tail.is_empty() { "" } else { "." };
        let mark = if exponent < 0 { '-' } else { '+' };
        return format!(
            "{sign}{head}{dot}{tail}e{mark}{:02}",
            exponent.unsigned_abs()
        );
    }
    if exponent < 0 {
        let zeros = usize::try_from(-exponent - 1).unwrap_or(0);
        return format!("{sign}0.{}{plain}", "0".repeat(zeros));
    }
    let whole = usize::try_from(exponent + 1).unwrap_or(1);
    if plain.len() <= whole {
        let zeros = whole - plain.len();
        return format!("{sign}{plain}{}", "0".repeat(zeros));
    }
    let (head, tail) = plain.split_at(whole);
    format!("{sign}{head}.{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_servers_write_is_read() {
        for real in [f64::MAX, f64::MIN, 5e-324, 1.5e-310] {
            let text = format_real(real, Some(15));
            let Ok((Json::Real(back), used)) = number(text.as_bytes()) else {
                panic!("{text}")
            };
            assert_eq!(used, text.len());
            assert_eq!(format_real(back, Some(15)), text);
        }
        for text in ["1.8e308", "1.797693134862321e308", "1e309", "-1e9999"] {
            let error = number(text.as_bytes()).unwrap_err();
            assert_eq!(error.0, JsonErrorKind::NumberRange, "{text}");
        }
    }

    #[test]
    fn formats_like_printf() {
        for (real, digits, text) in [
            (1e37, Some(15), "1e+37"),
            (12345678901234567890.0, Some(15), "1.23456789012346e+19"),
            (0.00390625, None, "0.00390625"),
            (1.525878906e-5, None, "1.525878906e-05"),
            (-2.5, None, "-2.5"),
            (0.1 + 0.2, None, "0.30000000000000004"),
            (0.1 + 0.2, Some(15), "0.3"),
            (100000.0, Some(15), "100000"),
            (f64::MAX, Some(15), "1.79769313486232e+308"),
        ] {
            assert_eq!(format_real(real, digits), text);
        }
    }
}
