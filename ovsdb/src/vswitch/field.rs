//! Conversions from column values to the fields of typed rows.

use crate::json::Str;
use crate::uuid::Uuid;
use crate::value::{Atom, Datum, Map};

/// A field of a typed row.
pub(super) trait Field {
    /// Reads the column; `None` if it is not monitored.
    fn read(datum: Option<&Datum>) -> Self;
}

impl Field for Str {
    fn read(datum: Option<&Datum>) -> Self {
        match datum.and_then(Datum::as_atom) {
            Some(Atom::String(s)) => s.clone(),
            _ => Self::default(),
        }
    }
}

impl Field for Option<Str> {
    fn read(datum: Option<&Datum>) -> Self {
        match datum?.as_atom()? {
            Atom::String(s) => Some(s.clone()),
            _ => None,
        }
    }
}

impl Field for i64 {
    fn read(datum: Option<&Datum>) -> Self {
        datum.and_then(Datum::as_integer).unwrap_or_default()
    }
}

impl Field for Option<i64> {
    fn read(datum: Option<&Datum>) -> Self {
        datum?.as_integer()
    }
}

impl Field for bool {
    fn read(datum: Option<&Datum>) -> Self {
        datum.and_then(Datum::as_bool).unwrap_or_default()
    }
}

impl Field for Option<Uuid> {
    fn read(datum: Option<&Datum>) -> Self {
        datum?.as_uuid()
    }
}

impl Field for Vec<Str> {
    fn read(datum: Option<&Datum>) -> Self {
        let atoms = datum.map(Datum::atoms).unwrap_or_default();
        atoms
            .iter()
            .map(|a| Field::read(Some(&Datum::Atom(a.clone()))))
            .collect()
    }
}

impl Field for Vec<i64> {
    fn read(datum: Option<&Datum>) -> Self {
        datum
            .map(Datum::atoms)
            .unwrap_or_default()
            .iter()
            .filter_map(Atom::as_integer)
            .collect()
    }
}

/// A set of row identifiers; cheap to clone however large it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UuidSet(Datum);

impl UuidSet {
    /// The identifiers in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = Uuid> + '_ {
        self.0.uuids()
    }

    /// True if `uuid` is in the set.
    pub fn contains(&self, uuid: Uuid) -> bool {
        self.0.atoms().binary_search(&Atom::Uuid(uuid)).is_ok()
    }

    /// Number of identifiers.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Field for UuidSet {
    fn read(datum: Option<&Datum>) -> Self {
        Self(datum.cloned().unwrap_or(Datum::EMPTY))
    }
}

/// A map from strings to strings; cheap to clone however large it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StrMap(Map);

impl StrMap {
    /// The value at `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.str(key)
    }

    /// The pairs in ascending order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .filter_map(|(k, v)| Some((k.as_str()?, v.as_str()?)))
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The underlying map.
    pub const fn as_map(&self) -> &Map {
        &self.0
    }
}

impl Field for StrMap {
    fn read(datum: Option<&Datum>) -> Self {
        Self(datum.and_then(Datum::as_map).cloned().unwrap_or_default())
    }
}
