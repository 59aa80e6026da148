//! Cutting flow syntax into pieces that know their column.
//!
//! Owns: [`Span`], a piece of the input with its place, and the two habits of the syntax: lists of
//! `key=value`, `key:value`, `key(value)` separated by commas or white space, where brackets keep
//! a value together, and numbers in C notation.

use super::error::TextError;

/// A piece of the input text and its byte offset in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Span<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub fn text(self) -> &'a str {
        self.text
    }

    pub fn is_empty(self) -> bool {
        self.text.is_empty()
    }

    /// An error about this piece.
    pub fn error(self, what: impl Into<std::borrow::Cow<'static, str>>) -> TextError {
        TextError::new(self.at, what)
    }

    /// Splits at byte `mid`, which must be a character boundary.
    pub fn split_at(self, mid: usize) -> (Self, Self) {
        let (head, tail) = self.text.split_at_checked(mid).unwrap_or((self.text, ""));
        let tail_at = self.at + head.len();
        (
            Self {
                text: head,
                at: self.at,
            },
            Self {
                text: tail,
                at: tail_at,
            },
        )
    }

    /// The parts before and after the first `separator`.
    pub fn split_once(self, separator: &str) -> Option<(Self, Self)> {
        let place = self.text.find(separator)?;
        let (head, rest) = self.split_at(place);
        Some((head, rest.split_at(separator.len()).1))
    }

    pub fn strip_prefix(self, prefix: &str) -> Option<Self> {
        self.text
            .starts_with(prefix)
            .then(|| self.split_at(prefix.len()).1)
    }

    pub fn trim(self) -> Self {
        let start = self.text.len() - self.text.trim_start().len();
        let (_, rest) = self.split_at(start);
        rest.split_at(rest.text.trim_end().len()).0
    }

    /// The pieces between characters of `separators`; empty ones are skipped.
    pub fn words(self, separators: &'static [char]) -> impl Iterator<Item = Self> {
        let mut rest = self;
        std::iter::from_fn(move || {
            let start = rest.text.find(|c| !separators.contains(&c))?;
            let (_, tail) = rest.split_at(start);
            let end = tail.text.find(separators).unwrap_or(tail.text.len());
            let (word, after) = tail.split_at(end);
            rest = after;
            Some(word)
        })
    }

    pub fn is_ignore_case(self, word: &str) -> bool {
        self.text.eq_ignore_ascii_case(word)
    }

    /// An unsigned number in C notation (decimal, `0x`, or octal with a leading 0), at most `max`.
    pub fn number(self, what: &str, max: u64) -> Result<u64, TextError> {
        match unsigned(self.text) {
            Some(number) if number <= u128::from(max) => {
                u64::try_from(number).map_err(|_| self.error("number too large"))
            }
            Some(_) => Err(self.error(format!("{} is too large for {what}", self.text))),
            None => Err(self.error(format!("{:?} is not a number for {what}", self.text))),
        }
    }

    pub fn u8(self, what: &str) -> Result<u8, TextError> {
        let number = self.number(what, u8::MAX.into())?;
        u8::try_from(number).map_err(|_| self.error("number too large"))
    }

    pub fn u16(self, what: &str) -> Result<u16, TextError> {
        let number = self.number(what, u16::MAX.into())?;
        u16::try_from(number).map_err(|_| self.error("number too large"))
    }

    pub fn u32(self, what: &str) -> Result<u32, TextError> {
        let number = self.number(what, u32::MAX.into())?;
        u32::try_from(number).map_err(|_| self.error("number too large"))
    }

    /// A 64-bit number; a minus sign wraps, so that -1 means all ones.
    pub fn u64(self, what: &str) -> Result<u64, TextError> {
        match self.strip_prefix("-") {
            Some(positive) => Ok(positive.number(what, u64::MAX)?.wrapping_neg()),
            None => self.number(what, u64::MAX),
        }
    }

    /// Pairs of hexadecimal digits, separated by dots or not at all.
    pub fn hex_bytes(self) -> Result<Vec<u8>, TextError> {
        let mut bytes = Vec::new();
        let mut rest = self;
        loop {
            while let Some(tail) = rest.strip_prefix(".") {
                rest = tail;
            }
            if rest.is_empty() {
                return Ok(bytes);
            }
            let (digits, tail) = rest.split_at(2);
            let byte = u8::from_str_radix(digits.text, 16);
            match byte {
                Ok(byte) if digits.text.len() == 2 && !digits.text.starts_with('+') => {
                    bytes.push(byte);
                }
                _ => return Err(rest.error("expected two hexadecimal digits")),
            }
            rest = tail;
        }
    }

    /// The next `key`, `key=value`, `key:value` or `key(value)`; `None` at the end.
    ///
    /// After `=` or `:` a value reaches to a comma or white space, after `(` to the closing bracket
    /// (and on through `->`); brackets inside keep it together. A key without a value has an empty
    /// one.
    pub fn next_pair(&mut self) -> Option<(Self, Self)> {
        const BETWEEN: &[char] = &[',', ' ', '\t', '\r', '\n'];
        let start = self
            .text
            .find(|c| !BETWEEN.contains(&c))
            .unwrap_or(self.text.len());
        let rest = self.split_at(start).1;
        if rest.is_empty() {
            *self = rest;
            return None;
        }
        let key_end = |c: char| matches!(c, ':' | '=' | '(') || BETWEEN.contains(&c);
        let (key, rest) = rest.split_at(rest.text.find(key_end).unwrap_or(rest.text.len()));
        let (delimiter, rest) = rest.split_at(rest.text.chars().next().map_or(0, char::len_utf8));
        let length = match delimiter.text {
            ":" | "=" => value_len(rest.text, BETWEEN),
            "(" => {
                let inner = value_len(rest.text, &[')']);
                let tail = rest.text.get(inner..).unwrap_or("");
                if tail.starts_with(")->") {
                    inner + value_len(tail, BETWEEN)
                } else {
                    inner
                }
            }
            _ => {
                *self = rest;
                return Some((key, key.split_at(key.text.len()).1));
            }
        };
        let (value, rest) = rest.split_at(length);
        *self = rest
            .split_at(rest.text.chars().next().map_or(0, char::len_utf8))
            .1;
        Some((key, value))
    }
}

/// Bytes up to the first of `delimiters` outside round brackets.
fn value_len(text: &str, delimiters: &[char]) -> usize {
    let mut level = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' => level += 1,
            ')' if level > 0 => level -= 1,
            _ if level == 0 && delimiters.contains(&c) => return at,
            _ => {}
        }
    }
    text.len()
}

/// An unsigned number in C notation.
pub(crate) fn unsigned(text: &str) -> Option<u128> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if text.len() > 1 && text.starts_with('0') => (text, 8),
        None => (text, 10),
    };
    if digits.starts_with('+') {
        return None;
    }
    u128::from_str_radix(digits, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String, usize)> {
        let mut rest = Span::new(text);
        std::iter::from_fn(|| rest.next_pair())
            .map(|(key, value)| (key.text.into(), value.text.into(), value.at))
            .collect()
    }

    #[test]
    fn pairs_know_their_columns() {
        let text = " tcp, nw_src=1.2.3.4,ct(a(b),c),load:5->x[0..3] (x)->y";
        let expected = [
            ("tcp", "", 4),
            ("nw_src", "1.2.3.4", 13),
            ("ct", "a(b),c", 24),
            ("load", "5->x[0..3]", 37),
            ("", "x)->y", 49),
        ];
        let expected: Vec<_> = expected.map(|(k, v, at)| (k.into(), v.into(), at)).into();
        assert_eq!(pairs(text), expected);
        for (_, value, at) in pairs(text) {
            assert_eq!(&text[at..at + value.len()], value);
        }
        assert_eq!(pairs(" ,, "), []);
        assert_eq!(pairs("a(b"), [("a".into(), "b".into(), 2)]);
        assert_eq!(pairs("é=ü,ß(").len(), 2);
    }

    #[test]
    fn numbers() {
        let number = |text| Span::new(text).number("x", u64::MAX).ok();
        assert_eq!(number("0x1f"), Some(31));
        assert_eq!(number("010"), Some(8));
        assert_eq!(number("0"), Some(0));
        assert_eq!(number("18446744073709551615"), Some(u64::MAX));
        for bad in ["", "x", "0x", "18446744073709551616", "1 ", "++1", "-1"] {
            assert_eq!(number(bad), None, "{bad}");
        }
        assert_eq!(Span::new("-1").u64("x").ok(), Some(u64::MAX));
        assert!(Span::new("256").u8("x").is_err());
    }

    #[test]
    fn hex_digits() {
        let hex = |text| Span::new(text).hex_bytes().ok();
        assert_eq!(hex("41.42.43"), Some(vec![0x41, 0x42, 0x43]));
        assert_eq!(hex("4142"), Some(vec![0x41, 0x42]));
        assert_eq!(hex(""), Some(vec![]));
        for bad in ["4", "4g", "+4", "41.4"] {
            assert_eq!(hex(bad), None, "{bad}");
        }
    }
}
