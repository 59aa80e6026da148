//! OVSDB values: atoms, sets and maps (RFC 7047 §5.1), ordered and cheap to clone.
//!
//! `decode` turns JSON into values with or without a column type, `delta` holds the
//! difference semantics of update2, [`text`] the text form `ovs-vsctl` prints and reads.
//! Knows nothing of rows or tables. Held by the `data` vectors, `tests/server_values.rs` and
//! the `ovsdb_datum` fuzz target.

mod decode;
mod delta;
mod map;
mod read_text;
mod set;
pub mod text;

pub use decode::is_id;
pub(crate) use decode::{Interner, Symbols};
pub use delta::{apply_diff, diff};
pub use map::Map;
pub use set::Set;

use crate::json::{Json, Str};
use crate::uuid::Uuid;

/// A double that is neither NaN nor infinite nor negative zero, and so has a total order.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Real(f64);

impl Real {
    /// Wraps a finite double; negative zero becomes zero.
    pub fn new(value: f64) -> Option<Self> {
        value
            .is_finite()
            .then_some(Self(if value == 0.0 { 0.0 } else { value }))
    }

    /// The double.
    pub const fn value(self) -> f64 {
        self.0
    }
}

impl Eq for Real {}

impl PartialOrd for Real {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Real {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl core::hash::Hash for Real {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

/// A scalar (RFC 7047 §5.1 `<atom>`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Atom {
    /// A 64-bit signed integer.
    Integer(i64),
    /// A double.
    Real(Real),
    /// A boolean.
    Boolean(bool),
    /// A string.
    String(Str),
    /// The identifier of a row.
    Uuid(Uuid),
    /// A row inserted by the same transaction, by its `uuid-name`.
    NamedUuid(Str),
}

/// A column value: exactly one atom, a set of any other size, or a map.
///
/// A set of one element and that element are the same value, so [`Set`]s of size one are
/// never stored as `Datum::Set`; build values with [`Datum::set`] and the `From` conversions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Datum {
    /// One element.
    Atom(Atom),
    /// No element, or two and more.
    Set(Set),
    /// Pairs with distinct keys.
    Map(Map),
}

impl Datum {
    /// The empty set, which is also the absent optional value.
    pub const EMPTY: Self = Self::Set(Set::EMPTY);

    /// A set of atoms in any order; duplicates are merged.
    pub fn set<A: Into<Atom>>(atoms: impl IntoIterator<Item = A>) -> Self {
        Set::from_iter(atoms.into_iter().map(Into::into)).into()
    }

    /// A map of pairs in any order; of pairs with one key the last wins.
    pub fn map<K: Into<Atom>, V: Into<Atom>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        Self::Map(
            pairs
                .into_iter()
                .map(|(k, v)| (k.into(), v.into()))
                .collect(),
        )
    }

    /// The elements as a sorted slice; empty for maps.
    pub fn atoms(&self) -> &[Atom] {
        match self {
            Self::Atom(atom) => core::slice::from_ref(atom),
            Self::Set(set) => set.as_slice(),
            Self::Map(_) => &[],
        }
    }

    /// The only element, if there is exactly one.
    pub const fn as_atom(&self) -> Option<&Atom> {
        if let Self::Atom(atom) = self {
            Some(atom)
        } else {
            None
        }
    }

    /// The map, if it is one.
    pub const fn as_map(&self) -> Option<&Map> {
        if let Self::Map(map) = self {
            Some(map)
        } else {
            None
        }
    }

    /// The only element as a string.
    pub fn as_str(&self) -> Option<&str> {
        self.as_atom()?.as_str()
    }

    /// The only element as an integer.
    pub fn as_integer(&self) -> Option<i64> {
        self.as_atom()?.as_integer()
    }

    /// The only element as a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        self.as_atom()?.as_bool()
    }

    /// The only element as a UUID.
    pub fn as_uuid(&self) -> Option<Uuid> {
        self.as_atom()?.as_uuid()
    }

    /// The value itself, but an empty set as the empty map if `map`: the two look alike to
    /// callers that build values without a schema at hand.
    pub(crate) fn as_map_if(&self, map: bool) -> Self {
        if map && self.is_empty() {
            Self::Map(Map::EMPTY)
        } else {
            self.clone()
        }
    }

    /// The UUIDs among the elements.
    pub fn uuids(&self) -> impl Iterator<Item = Uuid> + '_ {
        self.atoms().iter().filter_map(Atom::as_uuid)
    }

    /// Number of elements or pairs.
    pub fn len(&self) -> usize {
        match self {
            Self::Map(map) => map.len(),
            _ => self.atoms().len(),
        }
    }

    /// True if there is no element and no pair.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The wire form (RFC 7047 §5.1 `<value>`).
    pub fn to_json(&self) -> Json {
        match self {
            Self::Atom(atom) => atom.to_json(),
            Self::Set(set) => tagged("set", Json::Array(set.iter().map(Atom::to_json).collect())),
            Self::Map(map) => {
                let pair = |(k, v): &(Atom, Atom)| Json::Array(vec![k.to_json(), v.to_json()]);
                tagged("map", Json::Array(map.iter().map(pair).collect()))
            }
        }
    }
}

impl Atom {
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
        if let Self::Boolean(b) = self {
            Some(*b)
        } else {
            None
        }
    }

    /// The UUID, if it is one.
    pub const fn as_uuid(&self) -> Option<Uuid> {
        if let Self::Uuid(u) = self {
            Some(*u)
        } else {
            None
        }
    }

    /// The wire form (RFC 7047 §5.1 `<atom>`).
    pub fn to_json(&self) -> Json {
        match self {
            Self::Integer(i) => Json::Integer(*i),
            Self::Real(r) => real_to_json(r.value()),
            Self::Boolean(b) => Json::Bool(*b),
            Self::String(s) => Json::String(s.clone()),
            Self::Uuid(u) => tagged("uuid", Json::String(u.to_string().into())),
            Self::NamedUuid(n) => tagged("named-uuid", Json::String(n.clone())),
        }
    }

    /// A reference to a row inserted by the same transaction.
    pub fn named(name: impl Into<Str>) -> Self {
        Self::NamedUuid(name.into())
    }
}

/// JSON has one number type: integral reals are written as integers.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the range is checked and the value integral"
)]
fn real_to_json(r: f64) -> Json {
    // 2^63: below it the conversion is exact.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if r.fract() == 0.0 && r.abs() < LIMIT {
        Json::Integer(r as i64)
    } else {
        Json::Real(r)
    }
}

fn tagged(tag: &'static str, value: Json) -> Json {
    Json::Array(vec![Json::String(tag_str(tag)), value])
}

/// The four tags, allocated once per thread.
fn tag_str(tag: &'static str) -> Str {
    thread_local! {
        static TAGS: [Str; 4] = ["set", "map", "uuid", "named-uuid"].map(Str::from);
    }
    TAGS.with(|tags| tags.iter().find(|t| &***t == tag).cloned())
        .unwrap_or_else(|| tag.into())
}

macro_rules! atom_from {
    ($($from:ty => |$v:ident| $atom:expr;)*) => {$(
        impl From<$from> for Atom {
            fn from($v: $from) -> Self {
                $atom
            }
        }
        impl From<$from> for Datum {
            fn from(value: $from) -> Self {
                Self::Atom(value.into())
            }
        }
    )*};
}

atom_from! {
    i64 => |v| Atom::Integer(v);
    i32 => |v| Atom::Integer(i64::from(v));
    u32 => |v| Atom::Integer(i64::from(v));
    u16 => |v| Atom::Integer(i64::from(v));
    Real => |v| Atom::Real(v);
    bool => |v| Atom::Boolean(v);
    &str => |v| Atom::String(v.into());
    String => |v| Atom::String(v.into());
    Str => |v| Atom::String(v);
    Uuid => |v| Atom::Uuid(v);
}

impl From<Atom> for Datum {
    fn from(atom: Atom) -> Self {
        Self::Atom(atom)
    }
}

impl From<Map> for Datum {
    fn from(map: Map) -> Self {
        Self::Map(map)
    }
}

impl From<Set> for Datum {
    fn from(set: Set) -> Self {
        match set.as_slice() {
            [only] => Self::Atom(only.clone()),
            _ => Self::Set(set),
        }
    }
}

impl<T: Into<Atom>> From<Option<T>> for Datum {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::EMPTY, |v| Self::Atom(v.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_element_set_is_the_element() {
        assert_eq!(Datum::set([5i64]), Datum::from(5i64));
        assert_eq!(
            Datum::set([2i64, 1, 2]).to_json().to_string(),
            r#"["set",[1,2]]"#
        );
        assert_eq!(Datum::set::<Atom>([]), Datum::EMPTY);
        assert_eq!(Datum::map([("b", "1"), ("a", "2")]).len(), 2);
    }

    #[test]
    fn values_are_small() {
        assert_eq!(size_of::<Atom>(), 24);
        assert!(size_of::<Datum>() <= 32);
    }
}
