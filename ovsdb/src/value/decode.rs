//! JSON to values, with and without the column's type.

use super::{Atom, Datum, Map, Real, Set, real_to_json};
use crate::error::{DecodeError, Fault};
use crate::json::{Json, Str};
use crate::schema::{AtomicType, BaseType, ColumnType};
use crate::uuid::Uuid;

/// Whether `["named-uuid", ..]` is acceptable: only inside transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symbols {
    /// Named UUIDs are refused.
    Refused,
    /// Named UUIDs are accepted.
    Accepted,
}

impl Atom {
    /// Decodes an atom of a known type, without checking constraints.
    pub fn decode(json: &Json, kind: AtomicType) -> Result<Self, DecodeError> {
        Self::decode_symbols(json, kind, Symbols::Refused)
    }

    pub(crate) fn decode_symbols(
        json: &Json,
        kind: AtomicType,
        symbols: Symbols,
    ) -> Result<Self, DecodeError> {
        let wanted = |name| DecodeError::expected("atom", name);
        match (kind, json) {
            (AtomicType::Integer, Json::Integer(i)) => Ok(Self::Integer(*i)),
            (AtomicType::Integer, _) => Err(wanted("integer")),
            #[expect(clippy::cast_precision_loss, reason = "JSON has one number type")]
            (AtomicType::Real, Json::Integer(i)) => {
                Real::new(*i as f64).map(Self::Real).ok_or(wanted("real"))
            }
            (AtomicType::Real, Json::Real(r)) => {
                Real::new(*r).map(Self::Real).ok_or(wanted("real"))
            }
            (AtomicType::Real, _) => Err(wanted("real")),
            (AtomicType::Boolean, Json::Bool(b)) => Ok(Self::Boolean(*b)),
            (AtomicType::Boolean, _) => Err(wanted("boolean")),
            (AtomicType::String, Json::String(s)) => Ok(Self::String(s.clone())),
            (AtomicType::String, _) => Err(wanted("string")),
            (AtomicType::Uuid, _) => match Self::tagged_uuid(json) {
                Some(named @ Self::NamedUuid(_)) if symbols == Symbols::Accepted => Ok(named),
                Some(uuid @ Self::Uuid(_)) => Ok(uuid),
                _ => Err(wanted("[\"uuid\", ..]")),
            },
        }
    }

    /// Decodes an atom whose type is not known; numbers that are integral become integers, also where only a double is.
    pub fn decode_untyped(json: &Json) -> Result<Self, DecodeError> {
        match json {
            Json::Integer(i) => Ok(Self::Integer(*i)),
            Json::Real(r) => match real_to_json(*r) {
                Json::Integer(i) => Ok(Self::Integer(i)),
                _ => Real::new(*r)
                    .map(Self::Real)
                    .ok_or(DecodeError::expected("atom", "real")),
            },
            Json::Bool(b) => Ok(Self::Boolean(*b)),
            Json::String(s) => Ok(Self::String(s.clone())),
            _ => Self::tagged_uuid(json).ok_or(DecodeError::expected("atom", "an atom")),
        }
    }

    fn tagged_uuid(json: &Json) -> Option<Self> {
        let [Json::String(tag), Json::String(text)] = json.as_array()? else {
            return None;
        };
        match &**tag {
            "uuid" => Uuid::parse(text).map(Self::Uuid),
            "named-uuid" => is_id(text).then(|| Self::NamedUuid(text.clone())),
            _ => None,
        }
    }
}

/// True for the `<id>` of RFC 7047 §3.1, which names tables, columns and new rows.
pub fn is_id(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

impl Datum {
    /// Decodes a value of a known type. Kinds, duplicates and the number of elements are
    /// checked; ranges and enumerations are not (see [`ColumnType::check`]).
    pub fn decode(json: &Json, column: &ColumnType) -> Result<Self, DecodeError> {
        Self::decode_sized(json, column, column.min, column.max, Symbols::Refused)
    }

    /// Decodes a difference (update2): any number of elements.
    pub fn decode_diff(json: &Json, column: &ColumnType) -> Result<Self, DecodeError> {
        Self::decode_sized(json, column, 0, usize::MAX, Symbols::Refused)
    }

    pub(crate) fn decode_sized(
        json: &Json,
        column: &ColumnType,
        min: usize,
        max: usize,
        symbols: Symbols,
    ) -> Result<Self, DecodeError> {
        let datum = match &column.value {
            Some(value) => Self::decode_map(json, &column.key, value, symbols)?,
            None => Self::decode_set(json, &column.key, symbols)?,
        };
        let had = datum.len();
        if had < min || had > max {
            let what = if column.value.is_some() { "map" } else { "set" };
            return Err(DecodeError::new(what, Fault::Count { had, min, max }));
        }
        Ok(datum)
    }

    fn decode_set(json: &Json, key: &BaseType, symbols: Symbols) -> Result<Self, DecodeError> {
        let Some(elements) = untag(json, "set") else {
            return Atom::decode_symbols(json, key.kind, symbols).map(Self::Atom);
        };
        let mut atoms = Vec::new();
        for element in elements {
            atoms.push(Atom::decode_symbols(element, key.kind, symbols)?);
        }
        collect_set(atoms)
    }

    fn decode_map(
        json: &Json,
        key: &BaseType,
        value: &BaseType,
        symbols: Symbols,
    ) -> Result<Self, DecodeError> {
        let pairs = untag(json, "map").ok_or(DecodeError::expected("map", "[\"map\", ..]"))?;
        let mut out = Vec::new();
        for pair in pairs {
            let Json::Array(pair) = pair else {
                return Err(PAIR);
            };
            let [k, v] = pair.as_slice() else {
                return Err(PAIR);
            };
            out.push((
                Atom::decode_symbols(k, key.kind, symbols)?,
                Atom::decode_symbols(v, value.kind, symbols)?,
            ));
        }
        collect_map(out)
    }

    /// Decodes a value whose type is not known.
    pub fn decode_untyped(json: &Json) -> Result<Self, DecodeError> {
        if let Some(elements) = untag(json, "set") {
            return collect_set(
                elements
                    .iter()
                    .map(Atom::decode_untyped)
                    .collect::<Result<_, _>>()?,
            );
        }
        let Some(pairs) = untag(json, "map") else {
            return Atom::decode_untyped(json).map(Self::Atom);
        };
        let pair = |pair: &Json| match pair.as_array() {
            Some([k, v]) => Ok((Atom::decode_untyped(k)?, Atom::decode_untyped(v)?)),
            _ => Err(PAIR),
        };
        collect_map(pairs.iter().map(pair).collect::<Result<_, _>>()?)
    }
}

const PAIR: DecodeError = DecodeError::expected("map", "a pair of key and value");

fn untag<'a>(json: &'a Json, tag: &str) -> Option<&'a [Json]> {
    match json.as_array()? {
        [Json::String(t), Json::Array(elements)] if **t == *tag => Some(elements),
        _ => None,
    }
}

fn collect_set(mut atoms: Vec<Atom>) -> Result<Datum, DecodeError> {
    atoms.sort();
    if !atoms.is_sorted_by(|a, b| a < b) {
        return Err(DecodeError::new("set", Fault::Duplicate));
    }
    Ok(Set::from_sorted(atoms).into())
}

fn collect_map(mut pairs: Vec<(Atom, Atom)>) -> Result<Datum, DecodeError> {
    pairs.sort();
    if !pairs.is_sorted_by(|a, b| a.0 < b.0) {
        return Err(DecodeError::new("map", Fault::Duplicate));
    }
    Ok(Datum::Map(Map::from_sorted(pairs)))
}

/// Map keys repeat in every row; this keeps one copy of each.
#[derive(Debug, Default)]
pub(crate) struct Interner(std::collections::HashSet<Str>);

/// Longest string kept by an [`Interner`], and most strings it keeps.
const INTERN: (usize, usize) = (32, 4096);

impl Interner {
    /// Replaces the string keys of `datum` by the copies already known.
    pub(crate) fn share(&mut self, datum: Datum) -> Datum {
        let Datum::Map(map) = &datum else {
            return datum;
        };
        if map.is_empty() || !map.iter().all(|(k, _)| matches!(k, Atom::String(_))) {
            return datum;
        }
        let shared = map.iter().map(|(k, v)| (self.atom(k), v.clone())).collect();
        Datum::Map(Map::from_sorted(shared))
    }

    fn atom(&mut self, atom: &Atom) -> Atom {
        let Atom::String(s) = atom else {
            return atom.clone();
        };
        if let Some(known) = self.0.get(s) {
            return Atom::String(known.clone());
        }
        if s.len() <= INTERN.0 && self.0.len() < INTERN.1 {
            self.0.insert(s.clone());
        }
        atom.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;

    /// As text it is no integer, as a double it is, and so it is written as one.
    #[test]
    fn a_number_that_is_integral_once_rounded_is_an_integer_without_a_type() {
        let set = |text: &str| Datum::decode_untyped(&parse(text.as_bytes()).unwrap());
        let datum = set(r#"["set",[2,55222222222222222.002,0.5]]"#).unwrap();
        let json = datum.to_json();
        assert_eq!(json.to_string(), r#"["set",[2,55222222222222224,0.5]]"#);
        assert_eq!(Datum::decode_untyped(&json), Ok(datum));
        let twice = set(r#"["set",[55222222222222222.002,55222222222222224]]"#);
        assert_eq!(twice.unwrap_err().fault, Fault::Duplicate);
    }
}
