//! Recursive-descent JSON parser with a depth limit.

use super::{Json, Object, Str, number::number, text};
use crate::error::{JsonError, JsonErrorKind};

/// Deepest nesting accepted, the same as ovsdb-server's.
pub const MAX_DEPTH: usize = 1000;

/// Parses exactly one object or array; white space may surround it.
pub fn parse(bytes: &[u8]) -> Result<Json, JsonError> {
    let (json, used) = parse_prefix(bytes)?;
    let rest = bytes.get(used..).unwrap_or_default();
    match rest.iter().position(|b| !is_space(*b)) {
        None => Ok(json),
        Some(at) => Err(JsonError {
            kind: JsonErrorKind::Trailing,
            offset: used + at,
        }),
    }
}

/// Parses the object or array at the start of `bytes`; returns it and the number of bytes used.
pub fn parse_prefix(bytes: &[u8]) -> Result<(Json, usize), JsonError> {
    let mut parser = Parser {
        names: Names::default(),
        bytes,
        at: 0,
        depth: 0,
    };
    parser.space();
    match parser.peek() {
        Some(b'{' | b'[') => {}
        None => return Err(parser.fail(JsonErrorKind::Truncated)),
        Some(_) => return Err(parser.fail(JsonErrorKind::NotAContainer)),
    }
    let json = parser.value()?;
    Ok((json, parser.at))
}

/// JSON white space (RFC 7159 §2).
pub(super) const fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\n' | b'\r')
}

struct Parser<'a> {
    names: Names,
    bytes: &'a [u8],
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    const fn fail(&self, kind: JsonErrorKind) -> JsonError {
        JsonError {
            kind,
            offset: self.at,
        }
    }

    /// `kind`, or `Truncated` at the end of the input.
    fn fail_here(&self, kind: JsonErrorKind) -> JsonError {
        self.fail(if self.peek().is_none() {
            JsonErrorKind::Truncated
        } else {
            kind
        })
    }

    fn space(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.at += 1;
        }
    }

    fn value(&mut self) -> Result<Json, JsonError> {
        match self.peek() {
            Some(b'"') => Ok(Json::String(self.string()?)),
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'-' | b'0'..=b'9') => match number(self.rest()) {
                Ok((json, used)) => {
                    self.at += used;
                    Ok(json)
                }
                Err((kind, used)) => {
                    self.at += used;
                    Err(self.fail_here(kind))
                }
            },
            Some(b'a'..=b'z' | b'A'..=b'Z') => self.keyword(),
            Some(b',' | b':' | b']' | b'}') => Err(self.fail(JsonErrorKind::ExpectedValue)),
            Some(_) => Err(self.fail(JsonErrorKind::BadByte)),
            None => Err(self.fail(JsonErrorKind::Truncated)),
        }
    }

    fn nested(
        &mut self,
        body: fn(&mut Self) -> Result<Json, JsonError>,
    ) -> Result<Json, JsonError> {
        if self.depth >= MAX_DEPTH {
            return Err(self.fail(JsonErrorKind::Depth));
        }
        self.depth += 1;
        self.at += 1;
        self.space();
        let json = body(self)?;
        self.depth -= 1;
        Ok(json)
    }

    fn array(&mut self) -> Result<Json, JsonError> {
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Json::Array(Vec::new()));
        }
        // Nearly every array of the protocol is a pair.
        let mut elements = Vec::with_capacity(2);
        loop {
            elements.push(self.value()?);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Json::Array(elements));
                }
                _ => return Err(self.fail_here(JsonErrorKind::ExpectedCommaOrEnd)),
            }
            self.space();
        }
    }

    fn object(&mut self) -> Result<Json, JsonError> {
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Json::Object(Object::new()));
        }
        let mut members = Vec::with_capacity(1);
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.fail_here(JsonErrorKind::ExpectedName));
            }
            let name = self.name()?;
            self.space();
            if self.peek() != Some(b':') {
                return Err(self.fail_here(JsonErrorKind::ExpectedColon));
            }
            self.at += 1;
            self.space();
            members.push((name, self.value()?));
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Json::Object(Object::from_members(members)));
                }
                _ => return Err(self.fail_here(JsonErrorKind::ExpectedCommaOrEnd)),
            }
            self.space();
        }
    }

    /// Parses a member name; the position is at its opening quote. Names repeat in every row of
    /// an update, so recent ones are shared.
    fn name(&mut self) -> Result<Str, JsonError> {
        let start = self.at;
        self.at += 1;
        let run = self.plain_run()?;
        if self.peek() == Some(b'"')
            && let Some(name) = self.names.share(run)
        {
            self.at += 1;
            return Ok(name);
        }
        self.at = start;
        self.string()
    }

    fn keyword(&mut self) -> Result<Json, JsonError> {
        let rest = self.rest();
        let word = |b: &u8| b.is_ascii_alphanumeric();
        let length = rest.iter().position(|b| !word(b)).unwrap_or(rest.len());
        let json = match rest.get(..length) {
            Some(b"null") => Json::Null,
            Some(b"true") => Json::Bool(true),
            Some(b"false") => Json::Bool(false),
            _ => return Err(self.fail(JsonErrorKind::BadKeyword)),
        };
        self.at += length;
        Ok(json)
    }

    /// Parses a string; the position is at its opening quote.
    fn string(&mut self) -> Result<Str, JsonError> {
        self.at += 1;
        let run = self.plain_run()?;
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(text::decode(run).into());
        }
        // Raw bytes are gathered first: a character must not be cut by an escape's neighbour.
        let mut out = String::new();
        text::push(run, &mut out);
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out.into());
                }
                Some(b'\\') => self.escape(&mut out)?,
                _ => {
                    let run = self.plain_run()?;
                    text::push(run, &mut out);
                }
            }
        }
    }

    /// Bytes up to the next quote or backslash.
    fn plain_run(&mut self) -> Result<&'a [u8], JsonError> {
        let rest = self.rest();
        let Some(length) = rest
            .iter()
            .position(|b| *b < 0x20 || *b == b'"' || *b == b'\\')
        else {
            self.at = self.bytes.len();
            return Err(self.fail(JsonErrorKind::Truncated));
        };
        self.at += length;
        if self.peek().is_some_and(|b| b < 0x20) {
            return Err(self.fail(JsonErrorKind::Control));
        }
        Ok(rest.get(..length).unwrap_or_default())
    }

    /// Parses an escape sequence; the position is at its backslash.
    fn escape(&mut self, out: &mut String) -> Result<(), JsonError> {
        self.at += 1;
        out.push(match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(out),
            _ => return Err(self.fail_here(JsonErrorKind::BadEscape)),
        });
        self.at += 1;
        Ok(())
    }

    /// A leading surrogate needs its other half. A trailing one alone stands for the three bytes
    /// UTF-8 would have for it if that were allowed; ovsdb-server makes the same of it.
    fn unicode_escape(&mut self, out: &mut String) -> Result<(), JsonError> {
        let start = self.at;
        self.at += 1;
        let code = match self.hex4()? {
            0 => {
                return Err(JsonError {
                    kind: JsonErrorKind::Nul,
                    offset: start,
                });
            }
            lead @ 0xD800..=0xDBFF => {
                if !self.rest().starts_with(b"\\u") {
                    return Err(self.fail_here(JsonErrorKind::LoneSurrogate));
                }
                self.at += 2;
                match self.hex4()? {
                    trail @ 0xDC00..=0xDFFF => {
                        0x1_0000 + ((lead - 0xD800) << 10) + (trail - 0xDC00)
                    }
                    _ => return Err(self.fail(JsonErrorKind::LoneSurrogate)),
                }
            }
            other => other,
        };
        match char::from_u32(code) {
            Some(c) => text::push(c.encode_utf8(&mut [0; 4]).as_bytes(), out),
            None => text::push_surrogate(code, out),
        }
        Ok(())
    }

    fn hex4(&mut self) -> Result<u32, JsonError> {
        let mut value = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|b| char::from(b).to_digit(16));
            let Some(digit) = digit else {
                return Err(self.fail_here(JsonErrorKind::BadEscape));
            };
            value = value * 16 + digit;
            self.at += 1;
        }
        Ok(value)
    }
}

/// The member names seen last. Identifiers of rows are longer than [`Names::LENGTH`] and do not
/// push the names of columns out.
#[derive(Default)]
struct Names {
    recent: Vec<Str>,
    oldest: usize,
}

impl Names {
    const LENGTH: usize = 32;
    const COUNT: usize = 32;

    /// A shared copy of `name`; `None` if it is too long or no plain text.
    fn share(&mut self, name: &[u8]) -> Option<Str> {
        if name.len() > Self::LENGTH {
            return None;
        }
        if let Some(known) = self.recent.iter().find(|known| known.as_bytes() == name) {
            return Some(known.clone());
        }
        let text = core::str::from_utf8(name)
            .ok()
            .filter(|t| !text::has_stray_bytes(t))?;
        let name = Str::from(text);
        match self.recent.get_mut(self.oldest) {
            Some(slot) => slot.clone_from(&name),
            None => self.recent.push(name.clone()),
        }
        self.oldest = (self.oldest + 1) % Self::COUNT;
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_duplicate_wins() {
        let json = parse(br#"{"a":1,"b":2,"a":3}"#).unwrap();
        assert_eq!(json.member("a"), Some(&Json::Integer(3)));
        assert_eq!(json.as_object().unwrap().len(), 2);
    }

    #[test]
    fn offsets_name_the_byte() {
        let fail = |text: &str| parse(text.as_bytes()).unwrap_err();
        assert_eq!(
            fail("[1,]"),
            JsonError {
                kind: JsonErrorKind::ExpectedValue,
                offset: 3
            }
        );
        assert_eq!(fail("[\"\\ud800\"]").kind, JsonErrorKind::LoneSurrogate);
        assert_eq!(fail("[01]").kind, JsonErrorKind::BadNumber);
    }

    #[test]
    fn trailing_surrogate_alone_is_three_bytes() {
        let json = parse(br#"["a\udd1eb"]"#).unwrap();
        let mut out = Vec::new();
        crate::json::write(&json, &mut out);
        assert_eq!(out, b"[\"a\xed\xb4\x9eb\"]");
    }

    #[test]
    fn depth_limit_is_exact() {
        let nest = |n: usize| [vec![b'['; n], vec![b']'; n]].concat();
        assert!(parse(&nest(MAX_DEPTH)).is_ok());
        assert_eq!(
            parse(&nest(MAX_DEPTH + 1)).unwrap_err().kind,
            JsonErrorKind::Depth
        );
    }
}
