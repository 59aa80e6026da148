//! JSON as OVSDB speaks it: value tree, parser, writer and stream splitter.
//!
//! The dialect follows ovsdb-server: integers are numbers that are integral and fit 64 bits,
//! however they are spelled; U+0000 and a leading surrogate without its other half are refused;
//! later duplicates of a member win; nesting is limited; raw invalid UTF-8 passes through
//! unchanged (see [`mod@text`]). In one thing it is more lenient than the server: it reads reals
//! below 2.3e-308 and the largest one rounded up to 15 digits, which servers write and refuse.
//! Knows nothing of OVSDB's own encodings. Held by the `json` vectors,
//! `tests/server_differential` and the `ovsdb_splitter` fuzz target.
//!
//! ```
//! use ovsdb::json::{Json, SplitLimits, Splitter, parse};
//!
//! let mut splitter = Splitter::new(SplitLimits::default());
//! splitter.push(br#"{"id":1,"result":["#);
//! assert!(splitter.next_message()?.is_none(), "half a message");
//! splitter.push(br#""}{"],"error":null} {"id":2"#);
//! let message = parse(splitter.next_message()?.unwrap())?;
//! assert_eq!(message.member("id"), Some(&Json::Integer(1)));
//! # Ok::<(), ovsdb::JsonError>(())
//! ```

mod number;
mod parse;
mod split;
pub mod text;
mod write;

pub use number::format_real;
pub(crate) use number::largest;
pub use parse::{MAX_DEPTH, parse, parse_prefix};
pub use split::{SplitLimits, Splitter};
pub use write::{write, write_pretty_real, write_string};

use std::sync::Arc;

/// An immutable string that is cheap to clone.
pub type Str = Arc<str>;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number that is integral and fits 64 bits.
    Integer(i64),
    /// Any other number; never NaN or infinite.
    Real(f64),
    /// A string.
    String(Str),
    /// An array.
    Array(Vec<Json>),
    /// An object.
    Object(Object),
}

/// The members of a JSON object, sorted by name, each name once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object(Vec<(Str, Json)>);

impl Object {
    /// An object without members.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Builds an object from members in any order; of several with one name the last wins.
    pub fn from_members(mut members: Vec<(Str, Json)>) -> Self {
        if !members.is_sorted_by(|a, b| a.0 < b.0) {
            members.sort_by(|a, b| a.0.cmp(&b.0));
            members.dedup_by(|later, earlier| {
                let same = later.0 == earlier.0;
                if same {
                    core::mem::swap(later, earlier);
                }
                same
            });
        }
        Self(members)
    }

    /// The member called `name`.
    pub fn get(&self, name: &str) -> Option<&Json> {
        let at = self.0.binary_search_by(|(n, _)| (**n).cmp(name)).ok()?;
        self.0.get(at).map(|(_, v)| v)
    }

    /// Takes the member called `name` out.
    pub fn remove(&mut self, name: &str) -> Option<Json> {
        let at = self.0.binary_search_by(|(n, _)| (**n).cmp(name)).ok()?;
        Some(self.0.remove(at).1)
    }

    /// Sets the member called `name`.
    pub fn insert(&mut self, name: impl Into<Str>, value: Json) {
        let name = name.into();
        match self.0.binary_search_by(|(n, _)| n.cmp(&name)) {
            Ok(at) => {
                if let Some(slot) = self.0.get_mut(at) {
                    slot.1 = value;
                }
            }
            Err(at) => self.0.insert(at, (name, value)),
        }
    }

    /// The members in order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&Str, &Json)> {
        self.0.iter().map(|(n, v)| (n, v))
    }

    /// Number of members.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there are no members.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl IntoIterator for Object {
    type Item = (Str, Json);
    type IntoIter = std::vec::IntoIter<(Str, Json)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl FromIterator<(Str, Json)> for Object {
    fn from_iter<I: IntoIterator<Item = (Str, Json)>>(members: I) -> Self {
        Self::from_members(members.into_iter().collect())
    }
}

impl Json {
    /// An object from name and value pairs.
    pub fn object<N: Into<Str>, const K: usize>(members: [(N, Json); K]) -> Self {
        Self::Object(members.into_iter().map(|(n, v)| (n.into(), v)).collect())
    }

    /// The string, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(s) = self {
            Some(s)
        } else {
            None
        }
    }

    /// The integer, if it is one.
    pub const fn as_integer(&self) -> Option<i64> {
        if let Self::Integer(i) = self {
            Some(*i)
        } else {
            None
        }
    }

    /// The boolean, if it is one.
    pub const fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(b) = self {
            Some(*b)
        } else {
            None
        }
    }

    /// The elements, if it is an array.
    pub fn as_array(&self) -> Option<&[Json]> {
        if let Self::Array(a) = self {
            Some(a)
        } else {
            None
        }
    }

    /// The object, if it is one.
    pub const fn as_object(&self) -> Option<&Object> {
        if let Self::Object(o) = self {
            Some(o)
        } else {
            None
        }
    }

    /// The member `name` of an object; `None` for other values too.
    pub fn member(&self, name: &str) -> Option<&Json> {
        self.as_object()?.get(name)
    }
}

impl From<&str> for Json {
    fn from(s: &str) -> Self {
        Self::String(s.into())
    }
}

impl From<Str> for Json {
    fn from(s: Str) -> Self {
        Self::String(s)
    }
}

impl From<i64> for Json {
    fn from(i: i64) -> Self {
        Self::Integer(i)
    }
}

impl From<bool> for Json {
    fn from(b: bool) -> Self {
        Self::Bool(b)
    }
}

impl From<Vec<Json>> for Json {
    fn from(a: Vec<Json>) -> Self {
        Self::Array(a)
    }
}

impl core::fmt::Display for Json {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut out = Vec::new();
        write(self, &mut out);
        f.write_str(&String::from_utf8_lossy(&out))
    }
}
