//! Errors of the codec: small values that name the item, the place and what was there instead.
//!
//! Owns [`JsonError`] (bytes that are not JSON) and [`DecodeError`] (JSON that is not OVSDB).
//! Knows nothing of connections. Held by `tests/vectors.rs` and the truncation sweeps in
//! `tests/hostile.rs`.

use core::fmt;

/// Why a byte sequence is not acceptable JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonError {
    /// What went wrong.
    pub kind: JsonErrorKind,
    /// Offset of the offending byte, counted from the end of the previous message.
    pub offset: usize,
}

/// Kinds of JSON errors, after the distinctions ovsdb-server makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JsonErrorKind {
    /// The text does not start with an object or array.
    NotAContainer,
    /// A value was expected.
    ExpectedValue,
    /// A member name was expected.
    ExpectedName,
    /// A colon was expected.
    ExpectedColon,
    /// A comma or the closing bracket was expected.
    ExpectedCommaOrEnd,
    /// A bare word that is not `null`, `true` or `false`.
    BadKeyword,
    /// A byte that starts no token.
    BadByte,
    /// A control character inside a string.
    Control,
    /// An unknown escape, or four hexadecimal digits missing after `\u`.
    BadEscape,
    /// Half of a surrogate pair without the other half.
    LoneSurrogate,
    /// The escape for U+0000.
    Nul,
    /// A number that breaks the grammar, such as `01` or `1.`.
    BadNumber,
    /// A number outside the range of a double.
    NumberRange,
    /// Nested deeper than the limit.
    Depth,
    /// Longer than the limit.
    Size,
    /// The text ends too early.
    Truncated,
    /// Bytes follow the value.
    Trailing,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.kind {
            JsonErrorKind::NotAContainer => "not an object or array",
            JsonErrorKind::ExpectedValue => "expected a value",
            JsonErrorKind::ExpectedName => "expected a member name",
            JsonErrorKind::ExpectedColon => "expected ':'",
            JsonErrorKind::ExpectedCommaOrEnd => "expected ',' or a closing bracket",
            JsonErrorKind::BadKeyword => "unknown keyword",
            JsonErrorKind::BadByte => "byte starts no token",
            JsonErrorKind::Control => "control character in string",
            JsonErrorKind::BadEscape => "bad escape",
            JsonErrorKind::LoneSurrogate => "unpaired surrogate",
            JsonErrorKind::Nul => "U+0000 in string",
            JsonErrorKind::BadNumber => "malformed number",
            JsonErrorKind::NumberRange => "number out of range",
            JsonErrorKind::Depth => "nested too deeply",
            JsonErrorKind::Size => "message too long",
            JsonErrorKind::Truncated => "unexpected end",
            JsonErrorKind::Trailing => "trailing bytes",
        };
        write!(f, "JSON: {text} at byte {}", self.offset)
    }
}

impl core::error::Error for JsonError {}

/// Why a JSON value is not the OVSDB item it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// The item being decoded, such as `"atom"` or `"table schema"`.
    pub what: &'static str,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Another kind of value was expected; the text names it.
    Expected(&'static str),
    /// A required member is absent.
    Missing(&'static str),
    /// A member that is not part of the item.
    Unknown,
    /// A word outside the closed list for this item.
    BadWord,
    /// A value violates a constraint of its type.
    Constraint(&'static str),
    /// A set or map holds an element twice.
    Duplicate,
    /// More or fewer elements than the type allows.
    Count {
        /// Number of elements found.
        had: usize,
        /// Smallest permitted number.
        min: usize,
        /// Largest permitted number.
        max: usize,
    },
    /// A named table or column is not in the schema.
    NoSuch(&'static str),
    /// Arithmetic result outside the type's range.
    Range,
    /// Division by zero.
    Domain,
}

impl DecodeError {
    /// An item that should have been something else.
    pub(crate) const fn expected(what: &'static str, wanted: &'static str) -> Self {
        Self {
            what,
            fault: Fault::Expected(wanted),
        }
    }

    /// Shorthand constructor.
    pub(crate) const fn new(what: &'static str, fault: Fault) -> Self {
        Self { what, fault }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.what;
        match self.fault {
            Fault::Expected(wanted) => write!(f, "{what}: expected {wanted}"),
            Fault::Missing(member) => write!(f, "{what}: member {member} is missing"),
            Fault::Unknown => write!(f, "{what}: unknown member"),
            Fault::BadWord => write!(f, "{what}: unknown word"),
            Fault::Constraint(text) => write!(f, "{what}: {text}"),
            Fault::Duplicate => write!(f, "{what}: contains a duplicate"),
            Fault::Count { had, min, max } => {
                write!(f, "{what}: {had} elements where {min} to {max} are allowed")
            }
            Fault::NoSuch(kind) => write!(f, "{what}: no such {kind}"),
            Fault::Range => write!(f, "{what}: result out of range"),
            Fault::Domain => write!(f, "{what}: division by zero"),
        }
    }
}

impl core::error::Error for DecodeError {}
