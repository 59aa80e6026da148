//! What is wrong with a value, in the words of ovsdb-server: for people who know them, and
//! because they name the value and what would be allowed, which a [`DecodeError`] of plain
//! words cannot.
//!
//! Slow and never needed to decide anything: the decoder has refused already. Held by the
//! `data` and `mutation` vectors and `tests/server_differential`.
//!
//! [`DecodeError`]: crate::DecodeError

use super::{BaseType, ColumnType, Limits};
use crate::json::{Json, format_real, text, write_pretty_real};
use crate::value::{Atom, Datum, Symbols, is_id};
use core::fmt;

/// An error as ovsdb-server states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The kind, such as `constraint violation`: the member `error` of an error object.
    pub error: &'static str,
    /// The JSON that is at fault, if it is one of syntax: the member `syntax`.
    pub syntax: Option<String>,
    /// The explanation: the member `details`.
    pub details: String,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(syntax) = &self.syntax {
            write!(f, "syntax \"{syntax}\": ")?;
        }
        write!(f, "{}: {}", self.error, self.details)
    }
}

impl Explanation {
    /// A value that breaks a constraint.
    pub(crate) const fn constraint(details: String) -> Self {
        Self {
            error: "constraint violation",
            syntax: None,
            details,
        }
    }

    /// JSON that is not what it should be.
    pub(crate) fn syntax(json: &Json, details: impl Into<String>) -> Self {
        Self {
            error: "syntax error",
            syntax: Some(canonical(json)),
            details: details.into(),
        }
    }
}

/// An operator on a column whose type has none such.
pub(crate) fn type_mismatch(
    json: &Json,
    operator: &str,
    column: &str,
    kind: &ColumnType,
) -> Explanation {
    let kind = kind.english();
    let details = format!(
        "Type mismatch: \"{operator}\" operator may not be applied to column {column} of type {kind}."
    );
    Explanation::syntax(json, details)
}

/// A column that the table does not have.
pub(crate) fn unknown_column(json: &Json, column: &str, table: &str) -> Explanation {
    Explanation {
        error: "unknown column",
        ..Explanation::syntax(json, format!("No column {column} in table {table}."))
    }
}

fn canonical(json: &Json) -> String {
    let mut out = Vec::new();
    write_pretty_real(json, Some(15), &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

impl BaseType {
    /// Why `atom`, which is of this type, is not allowed; `None` if it is.
    pub fn violation(&self, atom: &Atom) -> Option<Explanation> {
        self.check(atom).err()?;
        let mut value = String::new();
        atom.push_text(&mut value);
        let real = |r: f64| format_real(r, Some(15));
        let details = match (&self.limits, atom) {
            (Limits::Enum(allowed), _) => {
                let many = ColumnType {
                    key: Self::plain(self.kind),
                    value: None,
                    min: 0,
                    max: usize::MAX,
                };
                let allowed = Datum::from(allowed.clone()).to_text(&many);
                format!("{value} is not one of the allowed values ({allowed})")
            }
            (Limits::Integer(min, max), _) => range(
                &value,
                min.map(|i| i.to_string()),
                max.map(|i| i.to_string()),
            ),
            (Limits::Real(min, max), _) => range(&value, min.map(real), max.map(real)),
            (limits, Atom::String(s)) => string(s, limits)?,
            _ => return None,
        };
        Some(Explanation::constraint(details))
    }
}

fn range(value: &str, min: Option<String>, max: Option<String>) -> String {
    match (min, max) {
        (Some(min), Some(max)) => {
            format!("{value} is not in the valid range {min} to {max} (inclusive)")
        }
        (Some(min), None) => format!("{value} is less than minimum allowed value {min}"),
        (None, max) => {
            let max = max.unwrap_or_default();
            format!("{value} is greater than maximum allowed value {max}")
        }
    }
}

fn string(s: &str, limits: &Limits) -> Option<String> {
    let bytes = text::encode(s);
    if let Err(error) = core::str::from_utf8(&bytes) {
        let bad = bytes.get(error.valid_up_to()..).unwrap_or_default();
        // The bytes that could begin a character, and the one that cannot follow them.
        let leads = bad.first().is_some_and(|b| (0xC2..=0xF4).contains(b));
        let shown = if leads {
            error.error_len().unwrap_or(bad.len()) + 1
        } else {
            1
        };
        let shown: String = bad
            .iter()
            .take(shown)
            .map(|b| format!(" {b:#04x}"))
            .collect();
        return Some(format!(
            "not a valid UTF-8 string: invalid UTF-8 sequence{shown}"
        ));
    }
    if s.contains('\0') {
        return Some("contains U+0000, which ends a string".to_owned());
    }
    let Limits::Length(min, max) = limits else {
        return None;
    };
    let length = s.chars().count();
    let below = min.filter(|min| u32::try_from(length).is_ok_and(|length| length < *min));
    Some(match (below, max) {
        (Some(min), _) => {
            format!("\"{s}\" length {length} is less than minimum allowed length {min}")
        }
        (None, max) => {
            let max = max.unwrap_or(u32::MAX);
            format!("\"{s}\" length {length} is greater than maximum allowed length {max}")
        }
    })
}

impl ColumnType {
    /// The type in English, such as `set of 1 to 3 strings`.
    pub fn english(&self) -> String {
        let key = self.key.kind.name();
        if self.is_scalar() {
            return key.to_owned();
        }
        let class = if self.is_map() { "map" } else { "set" };
        let count = match (self.min, self.max) {
            (0, usize::MAX) => String::new(),
            (min, usize::MAX) => format!(" {min} or more"),
            (0, max) => format!(" up to {max}"),
            (min, max) => format!(" {min} to {max}"),
        };
        match &self.value {
            Some(value) => format!("{class} of{count} ({key}, {}) pairs", value.kind.name()),
            None => format!("{class} of{count} {key}s"),
        }
    }

    /// Why `json` is no value of this type; `None` if it is.
    pub fn explain(&self, json: &Json) -> Option<Explanation> {
        self.explain_sized(json, self.min, self.max, Symbols::Refused)
    }

    /// The same, with another number of elements, and with named UUIDs if they are accepted.
    pub(crate) fn explain_sized(
        &self,
        json: &Json,
        min: usize,
        max: usize,
        symbols: Symbols,
    ) -> Option<Explanation> {
        let Some(value) = &self.value else {
            let tagged = json.as_array().and_then(|a| a.first()?.as_str()) == Some("set");
            if !tagged {
                return explain_atom(json, &self.key, symbols);
            }
            return match elements(json, "set", min, max) {
                Err(why) => Some(why),
                Ok(elements) => elements
                    .iter()
                    .find_map(|e| explain_atom(e, &self.key, symbols))
                    .or_else(|| self.duplicate(json, "set contains duplicate")),
            };
        };
        let pairs = match elements(json, "map", min, max) {
            Err(why) => return Some(why),
            Ok(pairs) => pairs,
        };
        let pair = |pair: &Json| match pair.as_array() {
            Some([k, v]) => {
                explain_atom(k, &self.key, symbols).or_else(|| explain_atom(v, value, symbols))
            }
            _ => Some(Explanation::syntax(pair, "expected 2-element array")),
        };
        pairs
            .iter()
            .find_map(pair)
            .or_else(|| self.duplicate(json, "map contains duplicate key"))
    }

    /// Nothing else is wrong: then elements are equal, or it is right.
    fn duplicate(&self, json: &Json, details: &str) -> Option<Explanation> {
        Datum::decode_sized(json, self, 0, usize::MAX, Symbols::Accepted).err()?;
        Some(Explanation {
            error: "ovsdb error",
            syntax: None,
            details: details.to_owned(),
        })
    }
}

fn elements<'a>(
    json: &'a Json,
    class: &str,
    min: usize,
    max: usize,
) -> Result<&'a [Json], Explanation> {
    let elements = match json.as_array() {
        Some([Json::String(tag), Json::Array(elements)]) if **tag == *class => elements,
        _ => {
            let details = format!("expected [\"{class}\", <array>]");
            return Err(Explanation::syntax(json, details));
        }
    };
    let n = elements.len();
    if n >= min && n <= max {
        return Ok(elements);
    }
    let details = if min == 1 && max == 1 {
        format!("{class} must have exactly one member but {n} are present")
    } else {
        let max = if max == usize::MAX {
            u32::MAX.to_string()
        } else {
            max.to_string()
        };
        format!("{class} must have {min} to {max} members but {n} are present")
    };
    Err(Explanation::syntax(json, details))
}

fn explain_atom(json: &Json, base: &BaseType, symbols: Symbols) -> Option<Explanation> {
    match Atom::decode_symbols(json, base.kind, symbols) {
        Ok(atom) => base.violation(&atom),
        Err(_) => Some(Explanation::syntax(json, atom_words(json, base, symbols))),
    }
}

fn atom_words(json: &Json, base: &BaseType, symbols: Symbols) -> String {
    use super::AtomicType::Uuid;
    match (base.kind, json.as_array()) {
        (Uuid, Some([Json::String(tag), Json::String(text)])) if **tag == *"uuid" => {
            format!("\"{text}\" is not a valid UUID")
        }
        (Uuid, Some([Json::String(tag), Json::String(text)]))
            if **tag == *"named-uuid" && symbols == Symbols::Accepted && !is_id(text) =>
        {
            "named-uuid string is not a valid <id>".to_owned()
        }
        (Uuid, _) => "expected [\"uuid\", <string>]".to_owned(),
        (kind, _) => format!("expected {}", kind.name()),
    }
}
