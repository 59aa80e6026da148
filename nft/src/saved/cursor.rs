//! The position in a saved text.

use crate::error::{DecodeError, Fault};
use crate::wire::MAX_DEPTH;

/// Reads a text front to back. White space between tokens is skipped.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    text: &'a str,
    rest: &'a str,
    depth: u8,
}

impl<'a> Cursor<'a> {
    /// A cursor at the start of `text`.
    pub const fn new(text: &'a str) -> Self {
        Self {
            text,
            rest: text,
            depth: 0,
        }
    }

    /// An error about the item at this position.
    pub fn error(&self, what: &'static str, fault: Fault) -> DecodeError {
        let offset = self.text.len().saturating_sub(self.rest.len());
        DecodeError {
            what,
            offset: u32::try_from(offset).unwrap_or(u32::MAX),
            fault,
        }
    }

    /// Fails if anything but white space is left.
    pub fn finish(mut self, what: &'static str) -> Result<(), DecodeError> {
        self.space();
        match self.rest.len() {
            0 => Ok(()),
            had => Err(self.error(
                what,
                Fault::Trailing {
                    had: had.try_into().unwrap_or(u32::MAX),
                },
            )),
        }
    }

    /// Whether only white space is left.
    pub fn at_end(&mut self) -> bool {
        self.space();
        self.rest.is_empty()
    }

    /// The position of the next token.
    pub(crate) fn here(&self) -> Self {
        Self {
            rest: self.rest.trim_start(),
            ..*self
        }
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Takes `c` if it comes next, without skipping space.
    pub fn eat(&mut self, c: char) -> bool {
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Takes `c`, which must come next after any space.
    pub fn expect(&mut self, c: char, what: &'static str) -> Result<(), DecodeError> {
        self.space();
        if self.eat(c) {
            return Ok(());
        }
        let fault = match self.rest.chars().next() {
            Some(found) => Fault::Unexpected { found },
            None => Fault::Ended,
        };
        Err(self.error(what, fault))
    }

    /// Enters a bracket; fails when brackets nest too deeply.
    pub fn open(&mut self, c: char, what: &'static str) -> Result<(), DecodeError> {
        self.expect(c, what)?;
        if self.depth >= MAX_DEPTH {
            return Err(self.error(what, Fault::TooDeep));
        }
        self.depth = self.depth.saturating_add(1);
        Ok(())
    }

    /// Enters a record; returns the position for errors about missing fields.
    pub fn enter(&mut self, what: &'static str) -> Result<Self, DecodeError> {
        self.open('{', what)?;
        Ok(*self)
    }

    /// Takes a closing bracket if it comes next.
    pub fn leave(&mut self, c: char) -> bool {
        self.space();
        let left = self.eat(c);
        if left {
            self.depth = self.depth.saturating_sub(1);
        }
        left
    }

    /// Takes the word if the next token is exactly that.
    pub fn word(&mut self, word: &str) -> bool {
        let rest = self.rest.trim_start();
        let Some(after) = rest.strip_prefix(word) else {
            return false;
        };
        if after.chars().next().is_some_and(is_word) {
            return false;
        }
        self.rest = after;
        true
    }

    /// Takes `name=` if it comes next.
    pub fn key(&mut self, name: &str) -> bool {
        let rest = self.rest.trim_start();
        match rest
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('='))
        {
            Some(after) => {
                self.rest = after;
                true
            }
            None => false,
        }
    }

    /// The next run of letters, digits, `-` and `_`; may be empty.
    pub fn token(&mut self) -> &'a str {
        self.space();
        let end = self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        token
    }

    /// A decimal or `0x` number.
    pub fn number(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        let at = self.here();
        let rest = at.rest;
        let (radix, digits) = match rest.strip_prefix("0x") {
            Some(rest) => (16, rest),
            None => (10, rest),
        };
        let end = digits
            .find(|c: char| !c.is_digit(radix))
            .unwrap_or(digits.len());
        let (digits, rest) = digits.split_at_checked(end).unwrap_or((digits, ""));
        self.rest = rest;
        let fault = match digits {
            "" if at.rest.is_empty() => Fault::Ended,
            "" => Fault::NotANumber,
            _ => Fault::OutOfRange,
        };
        u64::from_str_radix(digits, radix).map_err(|_| at.error(what, fault))
    }

    /// `0x` and an even number of hexadecimal digits.
    pub fn hex(&mut self, what: &'static str) -> Result<Vec<u8>, DecodeError> {
        self.space();
        let at = *self;
        let Some(rest) = self.rest.strip_prefix("0x") else {
            let fault = match self.rest.chars().next() {
                Some(found) => Fault::Unexpected { found },
                None => Fault::Ended,
            };
            return Err(at.error(what, fault));
        };
        let end = rest
            .find(|c: char| !c.is_ascii_hexdigit())
            .unwrap_or(rest.len());
        let (digits, rest) = rest.split_at_checked(end).unwrap_or((rest, ""));
        self.rest = rest;
        let nibbles: Vec<u8> = digits
            .chars()
            .filter_map(|c| c.to_digit(16)?.try_into().ok())
            .collect();
        let (pairs, odd) = nibbles.as_chunks::<2>();
        if !odd.is_empty() {
            return Err(at.error(what, Fault::Truncated { wanted: 2, had: 1 }));
        }
        Ok(pairs.iter().map(|[high, low]| high << 4 | low).collect())
    }

    /// Whether the next character is `c`, after any space.
    pub fn peek(&mut self, c: char) -> bool {
        self.space();
        self.rest.starts_with(c)
    }

    /// A quoted byte string; `\xNN` stands for any byte.
    pub fn quoted(&mut self, what: &'static str) -> Result<Vec<u8>, DecodeError> {
        self.expect('"', what)?;
        let mut bytes = Vec::new();
        loop {
            let at = *self;
            let mut chars = self.rest.chars();
            let Some(c) = chars.next() else {
                return Err(at.error(what, Fault::Ended));
            };
            self.rest = chars.as_str();
            match c {
                '"' => return Ok(bytes),
                '\\' => {
                    let mut digit = || chars.next().and_then(|c| c.to_digit(16));
                    let byte = match (
                        self.rest.strip_prefix('x').is_some(),
                        digit(),
                        digit(),
                        digit(),
                    ) {
                        (true, _, Some(high), Some(low)) => u8::try_from(high << 4 | low).ok(),
                        _ => None,
                    };
                    let Some(byte) = byte else {
                        return Err(at.error(what, Fault::Unexpected { found: c }));
                    };
                    self.rest = chars.as_str();
                    bytes.push(byte);
                }
                c => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_bytes() {
        let mut c = Cursor::new(" \"a\\x22\\xff\" x");
        assert_eq!(c.quoted("q").unwrap(), [b'a', 0x22, 0xff]);
        assert!(c.word("x"));
        assert!(c.at_end());
    }

    #[test]
    fn words_do_not_match_prefixes() {
        let mut c = Cursor::new("accepted");
        assert!(!c.word("accept"));
        assert_eq!(c.token(), "accepted");
    }

    #[test]
    fn odd_hexadecimal_is_an_error() {
        assert!(Cursor::new("0x123").hex("h").is_err());
        assert_eq!(Cursor::new("0x").hex("h").unwrap(), Vec::<u8>::new());
    }
}
