//! The text form of values: what `ovs-vsctl` prints and reads (ovs-vsctl(8) "Database
//! Values").
//!
//! Held by the `parse-atom-strings` and `parse-data-strings` vectors and `tests/server_ops.rs`.

use super::{Atom, Datum, Map, Real};
use crate::error::{DecodeError, Fault};
use crate::json::text::encode;
use crate::json::{Json, format_real, parse, write_string};
use crate::schema::{AtomicType, BaseType, ColumnType};
use crate::uuid::Uuid;

/// Most integers a range such as `1-4094` may stand for.
const RANGE: i64 = 4096;

impl Atom {
    /// Appends the text form; strings are quoted only if they would be misread without.
    pub fn push_text(&self, out: &mut String) {
        match self {
            Self::Integer(i) => out.push_str(&i.to_string()),
            Self::Real(r) => out.push_str(&format_real(r.value(), Some(15))),
            Self::Boolean(b) => out.push_str(if *b { "true" } else { "false" }),
            Self::String(s) if !needs_quotes(s) => out.push_str(s),
            Self::String(s) => {
                let mut quoted = Vec::new();
                write_string(s, &mut quoted);
                out.push_str(&crate::json::text::decode(&quoted));
            }
            Self::Uuid(u) => out.push_str(&u.to_string()),
            Self::NamedUuid(n) => {
                out.push('@');
                out.push_str(n);
            }
        }
    }
}

/// True if a string must be quoted to be read back as the same string.
fn needs_quotes(s: &str) -> bool {
    let mut bytes = s.bytes();
    let first = bytes
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    let rest = bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    !first || !rest || Uuid::parse(s).is_some() || s == "true" || s == "false"
}

impl Datum {
    /// The text form of a value of the given type: `[a, b]`, `{k=v}`, or one bare element if
    /// the type allows no more.
    pub fn to_text(&self, kind: &ColumnType) -> String {
        let mut out = String::new();
        let many = kind.max > 1 || self.is_empty();
        if many {
            out.push(if kind.is_map() { '{' } else { '[' });
        }
        match self {
            Self::Map(map) => {
                for (i, (k, v)) in map.iter().enumerate() {
                    if i > 0 {
                        out.push_str(", ");
                    }
                    k.push_text(&mut out);
                    out.push('=');
                    v.push_text(&mut out);
                }
            }
            _ => {
                for (i, atom) in self.atoms().iter().enumerate() {
                    if i > 0 {
                        out.push_str(", ");
                    }
                    atom.push_text(&mut out);
                }
            }
        }
        if many {
            out.push(if kind.is_map() { '}' } else { ']' });
        }
        out
    }

    /// Reads the text form of a value of the given type and checks its constraints.
    pub fn from_text(text: &str, kind: &ColumnType) -> Result<Self, DecodeError> {
        let mut tokens = Tokens { rest: text };
        let datum = match &kind.value {
            None => tokens.set(&kind.key)?,
            Some(value) => tokens.map(&kind.key, value)?,
        };
        tokens.space();
        if !tokens.rest.is_empty() {
            return Err(DecodeError::expected("value", "nothing more"));
        }
        kind.check(&datum)?;
        Ok(datum)
    }
}

/// Reads the text form of one atom, or of a range of integers: its first and last value.
pub fn atom_from_text(text: &str, base: &BaseType) -> Result<(Atom, Option<i64>), DecodeError> {
    let (atom, end) = read_atom(text, base.kind)?;
    if let (Atom::Integer(first), Some(last)) = (&atom, end) {
        (*first..=last).try_for_each(|i| base.check(&Atom::Integer(i)))?;
    }
    base.check(&atom)?;
    Ok((atom, end))
}

fn read_atom(text: &str, kind: AtomicType) -> Result<(Atom, Option<i64>), DecodeError> {
    let bad = DecodeError::expected("atom", kind.name());
    Ok(match kind {
        AtomicType::Integer => return read_integers(text).ok_or(bad)?,
        AtomicType::Real => {
            // Rust also reads words such as "inf", which are no reals here.
            let plain = text
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
            let real = text.parse().ok().filter(|_| plain).and_then(Real::new);
            (Atom::Real(real.ok_or(bad)?), None)
        }
        AtomicType::Boolean => match text {
            "true" | "yes" | "on" | "1" => (Atom::Boolean(true), None),
            "false" | "no" | "off" | "0" => (Atom::Boolean(false), None),
            _ => return Err(bad),
        },
        AtomicType::String if text.starts_with('"') => (unquote(text)?, None),
        AtomicType::String if text.is_empty() => {
            return Err(DecodeError::expected("atom", "\"\" for the empty string"));
        }
        AtomicType::String => (Atom::from(text), None),
        AtomicType::Uuid => match text.strip_prefix('@') {
            Some(name) if super::is_id(name) => (Atom::named(name), None),
            _ => (Atom::Uuid(Uuid::parse(text).ok_or(bad)?), None),
        },
    })
}

type AtomOrRange = Result<(Atom, Option<i64>), DecodeError>;

fn read_integers(text: &str) -> Option<AtomOrRange> {
    let read = |t: &str| t.parse::<i64>().ok();
    if let Some(integer) = read(text) {
        return Some(Ok((Atom::Integer(integer), None)));
    }
    // The dash between the ends is the first one that is not a sign.
    let dash = text.char_indices().skip(1).find(|(_, c)| *c == '-')?.0;
    let (first, last) = text.split_at(dash);
    let (first, last) = (read(first)?, read(last.get(1..)?)?);
    let fail = |text| Some(Err(DecodeError::new("range", Fault::Constraint(text))));
    if last < first {
        return fail("ends before it starts");
    }
    match last.checked_sub(first) {
        Some(span) if span < RANGE => Some(Ok((Atom::Integer(first), Some(last)))),
        _ => fail("too large"),
    }
}

fn unquote(text: &str) -> Result<Atom, DecodeError> {
    const QUOTES: DecodeError = DecodeError::expected("string", "balanced quotes");
    let json = parse(&encode(&format!("[{text}]"))).map_err(|_| QUOTES)?;
    match json.as_array() {
        Some([Json::String(s)]) => Ok(Atom::String(s.clone())),
        _ => Err(QUOTES),
    }
}

struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn accept(&mut self, c: char) -> bool {
        self.space();
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// A quoted string with its quotes, or everything up to a delimiter.
    fn token(&mut self) -> Result<&'a str, DecodeError> {
        self.space();
        let end = if self.rest.starts_with('"') {
            let mut escaped = false;
            let close = self.rest.char_indices().skip(1).find(|(_, c)| {
                let closes = *c == '"' && !escaped;
                escaped = *c == '\\' && !escaped;
                closes
            });
            close
                .ok_or(DecodeError::expected("string", "a closing quote"))?
                .0
                + 1
        } else {
            self.rest
                .find([
                    ':', '=', ',', ' ', '\t', '\n', '[', ']', '{', '}', '!', '<', '>',
                ])
                .unwrap_or(self.rest.len())
        };
        if end == 0 {
            return Err(DecodeError::expected("value", "an atom"));
        }
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(token)
    }

    fn set(&mut self, key: &BaseType) -> Result<Datum, DecodeError> {
        let close = if self.accept('[') {
            Some(']')
        } else if self.accept('{') {
            Some('}')
        } else {
            None
        };
        let mut atoms = Vec::new();
        loop {
            self.space();
            match close {
                Some(c) if self.accept(c) => break,
                None if self.rest.is_empty() => break,
                _ => {}
            }
            match atom_from_text(self.token()?, key)? {
                (Atom::Integer(first), Some(last)) => {
                    atoms.extend((first..=last).map(Atom::Integer));
                }
                (atom, _) => atoms.push(atom),
            }
            self.accept(',');
        }
        let count = atoms.len();
        let set = Self::checked(Datum::set(atoms), count)?;
        Ok(set)
    }

    fn map(&mut self, key: &BaseType, value: &BaseType) -> Result<Datum, DecodeError> {
        let braced = self.accept('{');
        let mut pairs = Vec::new();
        loop {
            self.space();
            if if braced {
                self.accept('}')
            } else {
                self.rest.is_empty()
            } {
                break;
            }
            let (k, _) = atom_from_text(self.token()?, key)?;
            if !self.accept('=') {
                return Err(DecodeError::expected("map", "key=value"));
            }
            let (v, _) = atom_from_text(self.token()?, value)?;
            pairs.push((k, v));
            self.accept(',');
        }
        let count = pairs.len();
        Self::checked(Datum::Map(pairs.into_iter().collect::<Map>()), count)
    }

    fn checked(datum: Datum, count: usize) -> Result<Datum, DecodeError> {
        if datum.len() != count {
            return Err(DecodeError::new("value", Fault::Duplicate));
        }
        Ok(datum)
    }
}
