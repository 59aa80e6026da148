//! The text form of values read: what people type after `ovs-vsctl set` (ovs-vsctl(8)
//! "Database Values"), with the messages they know.
//!
//! Held by the `parse-atom-strings` and `parse-data-strings` vectors and
//! `tests/server_ops.rs`, which compares with `ovs-vsctl` itself.

use super::{Atom, Datum, Map, Real};
use crate::json::{largest, text as stray};
use crate::schema::{AtomicType, BaseType, ColumnType, Explanation};
use crate::uuid::Uuid;
use core::fmt;

/// Most integers a range such as `1-4094` may stand for.
const RANGE: i64 = 4096;

/// Characters that end a word outside of quotes.
const DELIMITERS: &[char] = &[':', '=', ',', ' ', '[', ']', '{', '}', '!', '<', '>'];

/// Why a text is no value of its type, in the words of `ovs-vsctl`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextError(Box<str>);

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for TextError {}

impl From<String> for TextError {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&str> for TextError {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<Explanation> for TextError {
    fn from(explanation: Explanation) -> Self {
        explanation.to_string().into()
    }
}

impl Datum {
    /// Reads the text form of a value of the given type and checks its constraints.
    pub fn from_text(text: &str, kind: &ColumnType) -> Result<Self, TextError> {
        let (open, close) = if kind.is_map() {
            ('{', '}')
        } else {
            ('[', ']')
        };
        let mut words = Words { rest: text };
        words.space();
        let close = words.accept(open).then_some(close);
        if close.is_none() && words.rest.is_empty() {
            let class = if kind.is_map() { "map" } else { "set" };
            return Err(format!(
                "use \"{}{}\" to specify the empty {class}",
                open,
                if kind.is_map() { '}' } else { ']' }
            )
            .into());
        }
        let mut elements = Vec::new();
        loop {
            words.space();
            match words.peek() {
                None => break,
                Some(c) if Some(c) == close => break,
                Some(c) if DELIMITERS.contains(&c) => {
                    return Err(
                        format!("{text}: unexpected \"{c}\" parsing {}", kind.english()).into(),
                    );
                }
                Some(_) => words.element(kind, &mut elements)?,
            }
            words.space();
            words.accept(',');
        }
        if let Some(close) = close {
            if !words.accept(close) {
                return Err(format!("{text}: missing \"{close}\" at end of data").into());
            }
            words.space();
            if !words.rest.is_empty() {
                return Err(format!("{text}: trailing garbage after \"{close}\"").into());
            }
        }
        collect(text, kind, elements)
    }
}

/// A key, and a value if it is a map.
type Element = (Atom, Option<Atom>);

fn collect(text: &str, kind: &ColumnType, elements: Vec<Element>) -> Result<Datum, TextError> {
    let had = elements.len();
    let noun = if kind.is_map() { "pair(s)" } else { "value(s)" };
    if had < kind.min {
        let min = kind.min;
        return Err(
            format!("{text}: {had} {noun} specified but the minimum number is {min}").into(),
        );
    }
    if had > kind.max {
        let max = kind.max;
        return Err(
            format!("{text}: {had} {noun} specified but the maximum number is {max}").into(),
        );
    }
    let (datum, what) = if kind.is_map() {
        let pairs = elements.into_iter().filter_map(|(k, v)| Some((k, v?)));
        (
            Datum::Map(pairs.collect::<Map>()),
            "map contains duplicate key",
        )
    } else {
        let atoms = elements.into_iter().map(|(k, _)| k);
        (Datum::set(atoms), "set contains duplicate value")
    };
    if datum.len() != had {
        return Err(format!("{text}: {what}").into());
    }
    Ok(datum)
}

struct Words<'a> {
    rest: &'a str,
}

impl Words<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn space(&mut self) {
        self.rest = self
            .rest
            .trim_start_matches([' ', '\t', '\n', '\u{b}', '\u{c}', '\r']);
    }

    fn accept(&mut self, c: char) -> bool {
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// One element, or all integers of a range.
    fn element(&mut self, kind: &ColumnType, out: &mut Vec<Element>) -> Result<(), TextError> {
        let start = self.rest;
        let (key, last) = atom_from_text(&self.word()?, &kind.key)?;
        let value = match &kind.value {
            None => None,
            Some(base) => {
                self.space();
                if !self.accept('=') {
                    let at = self.peek().map(String::from).unwrap_or_default();
                    return Err(format!("{start}: syntax error at \"{at}\" expecting \"=\"").into());
                }
                self.space();
                Some(single_atom(&self.word()?, base)?)
            }
        };
        match (&key, last) {
            (Atom::Integer(first), Some(last)) => {
                out.extend((*first..=last).map(|i| (Atom::Integer(i), value.clone())));
            }
            _ => out.push((key, value)),
        }
        Ok(())
    }

    /// Everything up to a delimiter that is neither quoted nor escaped. Quotes and what they
    /// hold are kept as they are; other backslashes only protect what follows.
    fn word(&mut self) -> Result<String, TextError> {
        let mut out = String::new();
        let mut quoted = false;
        let mut chars = self.rest.chars();
        loop {
            let before = chars.as_str();
            match chars.next() {
                Some('\\') => {
                    let next = chars.next();
                    let next = next.ok_or_else(|| {
                        TextError::from(format!("{}: backslash at end of argument", self.rest))
                    })?;
                    if quoted {
                        out.push('\\');
                    }
                    out.push(next);
                }
                Some(c) if quoted || !DELIMITERS.contains(&c) => {
                    quoted ^= c == '"';
                    out.push(c);
                }
                _ if quoted => {
                    let why = "quoted string extends past end of argument";
                    return Err(format!("{}: {why}", self.rest).into());
                }
                _ => {
                    self.rest = before;
                    return Ok(out);
                }
            }
        }
    }
}

/// Reads one word, such as the key after a column's name: escapes and quotes protect what would
/// end it.
pub(crate) fn word_from_text(text: &str) -> Result<String, TextError> {
    let mut words = Words { rest: text };
    let word = words.word()?;
    if words.rest.is_empty() {
        Ok(word)
    } else {
        Err(format!("{text}: trailing garbage \"{}\"", words.rest).into())
    }
}

/// Reads the text form of one atom, or of a range of integers: its first and last value.
pub fn atom_from_text(text: &str, base: &BaseType) -> Result<(Atom, Option<i64>), TextError> {
    if base.kind == AtomicType::Integer
        && let Some((first, last)) = integer_range(text)
    {
        return check_range(text, first, last, base);
    }
    single_atom(text, base).map(|atom| (atom, None))
}

fn integer_range(text: &str) -> Option<(i64, i64)> {
    // The dash between the ends is the first one that is no sign.
    let dash = text.char_indices().skip(1).find(|(_, c)| *c == '-')?.0;
    let (first, last) = text.split_at(dash);
    Some((first.parse().ok()?, last.get(1..)?.parse().ok()?))
}

fn check_range(
    text: &str,
    first: i64,
    last: i64,
    base: &BaseType,
) -> Result<(Atom, Option<i64>), TextError> {
    if last < first {
        let why = "is not a valid range. Range end cannot be before start.";
        return Err(format!("\"{text}\" {why}").into());
    }
    let small = last.checked_sub(first).is_some_and(|span| span < RANGE);
    // Of a large range the ends must do.
    let violation = if small {
        (first..=last).find_map(|i| base.violation(&Atom::Integer(i)))
    } else {
        [first, last]
            .into_iter()
            .find_map(|i| base.violation(&Atom::Integer(i)))
    };
    match violation {
        Some(violation) => Err(violation.into()),
        None if small => Ok((Atom::Integer(first), Some(last))),
        None => {
            let limit = format!("Maximum allowed size is {RANGE}.");
            let details = format!("Range \"{first}-{last}\" is too big. {limit}");
            Err(Explanation::constraint(details).into())
        }
    }
}

fn single_atom(text: &str, base: &BaseType) -> Result<Atom, TextError> {
    let bad = |what: &str| TextError::from(format!("\"{text}\" is not a valid {what}"));
    let atom = match base.kind {
        AtomicType::Integer => Atom::Integer(text.parse().map_err(|_| bad("integer or range"))?),
        AtomicType::Real => {
            // Rust also reads words such as "inf", which are no reals here.
            let plain = |b: u8| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
            let real = text.parse().ok().filter(|_| text.bytes().all(plain));
            let finite = |real| Real::new(real).or_else(|| Real::new(largest(text)?));
            Atom::Real(real.and_then(finite).ok_or_else(|| bad("real number"))?)
        }
        AtomicType::Boolean => match text {
            "true" | "yes" | "on" | "1" => Atom::Boolean(true),
            "false" | "no" | "off" | "0" => Atom::Boolean(false),
            _ => return Err(bad("boolean (use \"true\" or \"false\")")),
        },
        AtomicType::String => read_string(text)?,
        AtomicType::Uuid => match text.strip_prefix('@') {
            Some(name) if super::is_id(name) => Atom::named(name),
            _ => Atom::Uuid(Uuid::parse(text).ok_or_else(|| bad("UUID"))?),
        },
    };
    match base.violation(&atom) {
        Some(violation) => Err(violation.into()),
        None => Ok(atom),
    }
}

fn read_string(text: &str) -> Result<Atom, TextError> {
    let Some(inner) = text.strip_prefix('"') else {
        if text.is_empty() {
            let use_quotes = "use \"\" to represent the empty string";
            return Err(format!("An empty string is not valid as input; {use_quotes}").into());
        }
        return Ok(whole(text));
    };
    let Some(inner) = inner.strip_suffix('"') else {
        return Err(format!("{text}: missing quote at end of quoted string").into());
    };
    match unescape(inner) {
        Ok(string) => Ok(whole(&string)),
        Err(why) => Err(format!("{text}: {why}").into()),
    }
}

/// Stray bytes that an escape kept apart may be a character together: then they are that.
fn whole(text: &str) -> Atom {
    if stray::has_stray_bytes(text) {
        stray::decode(&stray::encode(text)).into_owned().into()
    } else {
        text.into()
    }
}

/// Resolves the escapes of JSON. Unlike in JSON, control characters may stand for themselves.
fn unescape(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return Err("quoted string may not include unescaped \"".into()),
            '\\' => match chars.next() {
                None => return Err("quoted string may not end with backslash".into()),
                Some(c @ ('"' | '\\' | '/')) => out.push(c),
                Some('b') => out.push('\u{8}'),
                Some('f') => out.push('\u{c}'),
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some('t') => out.push('\t'),
                Some('u') => code_point(&mut chars, &mut out)?,
                Some(other) => return Err(format!("bad escape \\{other}")),
            },
            c => out.push(c),
        }
    }
    Ok(out)
}

fn code_point(chars: &mut core::str::Chars<'_>, out: &mut String) -> Result<(), String> {
    let code = match hex4(chars)? {
        lead @ 0xD800..=0xDBFF => {
            let Some(rest) = chars.as_str().strip_prefix("\\u") else {
                return Err("malformed escaped surrogate pair".into());
            };
            *chars = rest.chars();
            match hex4(chars)? {
                trail @ 0xDC00..=0xDFFF => 0x1_0000 + ((lead - 0xD800) << 10) + (trail - 0xDC00),
                _ => {
                    return Err(
                        "second half of escaped surrogate pair is not trailing surrogate".into(),
                    );
                }
            }
        }
        other => other,
    };
    match char::from_u32(code) {
        Some(c) => stray::push(c.encode_utf8(&mut [0; 4]).as_bytes(), out),
        // A trailing surrogate alone: the bytes it would have are no UTF-8 and refused later.
        None => stray::push_surrogate(code, out),
    }
    Ok(())
}

fn hex4(chars: &mut core::str::Chars<'_>) -> Result<u32, String> {
    let rest = chars.as_str();
    if rest.chars().take(4).count() < 4 {
        return Err("quoted string ends within \\u escape".into());
    }
    let digits: Option<u32> = rest
        .chars()
        .take(4)
        .try_fold(0, |value, c| Some(value << 4 | c.to_digit(16)?));
    chars.nth(3);
    match digits {
        None => Err("malformed \\u escape".into()),
        Some(0) => Err("null bytes not supported in quoted strings".into()),
        Some(code) => Ok(code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::text::decode;

    #[test]
    fn bytes_that_make_a_character_are_that_character() {
        let strings = ColumnType {
            min: 0,
            max: usize::MAX,
            ..ColumnType::scalar(AtomicType::String)
        };
        let read = |bytes: &[u8]| Datum::from_text(&decode(bytes), &strings);
        let one = read("é".as_bytes()).unwrap();
        assert_eq!(one.as_str(), Some("é"));
        // The escape keeps its two bytes apart until it is gone.
        assert_eq!(read(b"\xc3\\\xa9"), Ok(one.clone()));
        let twice = read(b"[\xc3\\\xa9,\xc3\xa9]").unwrap_err();
        assert!(twice.to_string().contains("duplicate"), "{twice}");
    }

    /// Its 15 digits are rounded up, beyond the range.
    #[test]
    fn the_largest_real_is_read_as_it_is_written() {
        let real = ColumnType::scalar(AtomicType::Real);
        for (text, max) in [
            ("1.7976931348623157e308", f64::MAX),
            ("-1.7976931348623157e308", f64::MIN),
        ] {
            let datum = Datum::from(Atom::Real(Real::new(max).unwrap()));
            let written = datum.to_text(&real);
            for text in [text, &written] {
                assert_eq!(Datum::from_text(text, &real).as_ref(), Ok(&datum), "{text}");
            }
        }
        assert!(Datum::from_text("1.8e308", &real).is_err());
    }

    #[test]
    fn an_escaped_character_of_those_that_stand_for_bytes_is_itself() {
        let string = ColumnType::scalar(AtomicType::String);
        let escaped = Datum::from_text(r#""\udbff\udfc3\udbff\udfa9""#, &string);
        let raw = decode("\u{10ffc3}\u{10ffa9}".as_bytes());
        assert_eq!(escaped.unwrap().as_str(), Some(&*raw));
        assert_ne!(raw, decode("é".as_bytes()));
    }
}
