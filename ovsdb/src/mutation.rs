//! Mutations (RFC 7047 §5.1 `<mutation>`): typed on the way out, checked, and executable
//! locally with the server's semantics.
//!
//! Held by the `mutation` vectors.

use crate::error::{DecodeError, Fault};
use crate::json::{Json, Str};
use crate::schema::{
    AtomicType, ColumnType, Explanation, TableSchema, type_mismatch, unknown_column,
};
use crate::value::{Atom, Datum, Map, Real, Symbols};

/// One change of one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutation {
    /// The column.
    pub column: Str,
    /// What to do.
    pub mutator: Mutator,
    /// The operand.
    pub value: Datum,
}

/// Mutators (RFC 7047 §5.1 `<mutator>`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutator {
    /// `+=`
    Add,
    /// `-=`
    Subtract,
    /// `*=`
    Multiply,
    /// `/=`
    Divide,
    /// `%=`
    Remainder,
    /// `insert`; does not overwrite an existing key of a map.
    Insert,
    /// `delete`; keys of a map may be given as a set.
    Delete,
}

impl Mutator {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Add, "+="),
        (Self::Subtract, "-="),
        (Self::Multiply, "*="),
        (Self::Divide, "/="),
        (Self::Remainder, "%="),
        (Self::Insert, "insert"),
        (Self::Delete, "delete"),
    ];

    /// The wire name.
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(m, _)| *m == self)
            .map_or("+=", |(_, n)| n)
    }

    /// The mutator called `name`.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, n)| *n == name).map(|(m, _)| *m)
    }
}

impl Mutation {
    /// A mutation of `column`.
    pub fn new(column: impl Into<Str>, mutator: Mutator, value: impl Into<Datum>) -> Self {
        Self {
            column: column.into(),
            mutator,
            value: value.into(),
        }
    }

    /// Adds elements to a set or pairs to a map.
    pub fn insert(column: impl Into<Str>, value: impl Into<Datum>) -> Self {
        Self::new(column, Mutator::Insert, value)
    }

    /// Removes elements from a set, pairs from a map, or keys from a map.
    pub fn delete(column: impl Into<Str>, value: impl Into<Datum>) -> Self {
        Self::new(column, Mutator::Delete, value)
    }

    /// The wire form.
    pub fn to_json(&self) -> Json {
        Json::Array(vec![
            Json::String(self.column.clone()),
            Json::from(self.mutator.name()),
            self.value.to_json(),
        ])
    }

    /// Parses a mutation against a table, with the rules the server applies.
    pub fn decode(json: &Json, table: &TableSchema) -> Result<Self, DecodeError> {
        let Some([Json::String(column), Json::String(mutator), value]) = json.as_array() else {
            return Err(DecodeError::expected(
                "mutation",
                "[column, mutator, value]",
            ));
        };
        let schema = table
            .column(column)
            .ok_or(DecodeError::new("mutation", Fault::NoSuch("column")))?;
        let mutator = Mutator::parse(mutator).ok_or(DecodeError::new("mutator", Fault::BadWord))?;
        let kind = &schema.kind;
        let value = match mutator {
            Mutator::Insert | Mutator::Delete => {
                let decode =
                    |kind| Datum::decode_sized(value, kind, 0, usize::MAX, Symbols::Refused);
                match decode(kind) {
                    // A map may be told the keys to delete as a set.
                    Err(error) if mutator == Mutator::Delete && kind.is_map() => {
                        decode(&keys_of(kind)).map_err(|_| error)?
                    }
                    other => other?,
                }
            }
            _ => Datum::decode(value, &ColumnType::scalar(kind.key.kind))?,
        };
        let mutation = Self {
            column: column.clone(),
            mutator,
            value,
        };
        mutation.check(table)?;
        Ok(mutation)
    }

    /// Why `json` is no mutation of the table called `name`, in the words of ovsdb-server; `None`
    /// if it is one.
    pub fn explain(json: &Json, name: &str, table: &TableSchema) -> Option<Explanation> {
        let Some([Json::String(column), Json::String(word), value]) = json.as_array() else {
            return Some(Explanation::syntax(json, "Parse error in mutation."));
        };
        let Some(schema) = table.column(column) else {
            return Some(unknown_column(json, column, name));
        };
        if !schema.mutable {
            let details = format!("Cannot mutate immutable column {column} in table {name}.");
            return Some(Explanation {
                error: "constraint violation",
                ..Explanation::syntax(json, details)
            });
        }
        let Some(mutator) = Mutator::parse(word) else {
            return Some(Explanation {
                error: "unknown mutator",
                syntax: None,
                details: format!("No mutator named {word}."),
            });
        };
        let kind = &schema.kind;
        let fits = match mutator {
            Mutator::Insert | Mutator::Delete => check_composite(kind),
            _ => check_arithmetic(mutator, kind),
        };
        if fits.is_err() {
            return Some(type_mismatch(json, word, column, kind));
        }
        let explain =
            |kind: &ColumnType, min, max| kind.explain_sized(value, min, max, Symbols::Refused);
        match mutator {
            Mutator::Insert => explain(kind, 0, kind.max),
            Mutator::Delete => {
                let why = explain(kind, 0, usize::MAX)?;
                if kind.is_map() {
                    explain(&keys_of(kind), 0, usize::MAX)
                } else {
                    Some(why)
                }
            }
            _ => explain(&ColumnType::scalar(kind.key.kind), 1, 1),
        }
    }

    /// Why [`Self::apply`] fails, in the words of ovsdb-server; `None` if it does not.
    pub fn explain_apply(&self, old: &Datum, kind: &ColumnType) -> Option<Explanation> {
        let error = self.apply(old, kind).err()?;
        let result = |what: &str| format!("Result of \"{}\" operation {what}", self.mutator.name());
        let (error, details) = match error.fault {
            Fault::Range => ("range error", result("is out of range.")),
            Fault::Domain => ("domain error", "Division by zero.".to_owned()),
            Fault::Duplicate => ("constraint violation", result("contains duplicates.")),
            Fault::Count { had, .. } => {
                let kind = kind.english();
                let details = format!("Attempted to store {had} elements in {kind}.");
                ("constraint violation", details)
            }
            _ => {
                let operand = self.value.as_atom()?;
                let new = old
                    .atoms()
                    .iter()
                    .map(|a| arithmetic(a, self.mutator, operand));
                return new.flatten().find_map(|atom| kind.key.violation(&atom));
            }
        };
        Some(Explanation {
            error,
            syntax: None,
            details,
        })
    }

    /// Checks a mutation against a table, with the rules the server applies.
    pub fn check(&self, table: &TableSchema) -> Result<(), DecodeError> {
        let schema = table
            .column(&self.column)
            .ok_or(DecodeError::new("mutation", Fault::NoSuch("column")))?;
        if !schema.mutable {
            return Err(DecodeError::new(
                "mutation",
                Fault::Constraint("column is immutable"),
            ));
        }
        let kind = &schema.kind;
        match self.mutator {
            Mutator::Insert => {
                check_composite(kind)?;
                let (had, max) = (self.value.len(), kind.max);
                if had > max {
                    let fault = Fault::Count { had, min: 0, max };
                    return Err(DecodeError::new("mutation", fault));
                }
                kind.check_elements(&self.value.as_map_if(kind.is_map()))
            }
            Mutator::Delete => {
                check_composite(kind)?;
                if kind.is_map() && !matches!(self.value, Datum::Map(_)) {
                    return self
                        .value
                        .atoms()
                        .iter()
                        .try_for_each(|a| kind.key.check(a));
                }
                kind.check_elements(&self.value)
            }
            _ => {
                check_arithmetic(self.mutator, kind)?;
                match self.value.as_atom() {
                    Some(atom) if kind.key.kind.holds(atom) => Ok(()),
                    _ => Err(DecodeError::expected("mutation", kind.key.kind.name())),
                }
            }
        }
    }

    /// The value of the column after the mutation.
    pub fn apply(&self, old: &Datum, kind: &ColumnType) -> Result<Datum, DecodeError> {
        let new = match (self.mutator, old, &self.value) {
            (Mutator::Insert, Datum::Map(old), Datum::Map(add)) => {
                Datum::Map(add.iter().chain(old.iter()).cloned().collect::<Map>())
            }
            (Mutator::Insert, _, add) => Datum::set(old.atoms().iter().chain(add.atoms()).cloned()),
            (Mutator::Delete, Datum::Map(old), Datum::Map(gone)) => Datum::Map(
                old.iter()
                    .filter(|(k, v)| gone.get(k) != Some(v))
                    .cloned()
                    .collect(),
            ),
            (Mutator::Delete, Datum::Map(old), keys) => Datum::Map(
                old.iter()
                    .filter(|(k, _)| keys.atoms().binary_search(k).is_err())
                    .cloned()
                    .collect(),
            ),
            (Mutator::Delete, _, gone) => {
                let kept = |a: &&Atom| gone.atoms().binary_search(a).is_err();
                Datum::set(old.atoms().iter().filter(kept).cloned())
            }
            (mutator, _, operand) => {
                let operand = operand
                    .as_atom()
                    .ok_or(DecodeError::expected("mutation", "a number"))?;
                let mut atoms = Vec::new();
                for atom in old.atoms() {
                    atoms.push(arithmetic(atom, mutator, operand)?);
                }
                let count = atoms.len();
                let set = Datum::set(atoms);
                if set.len() != count {
                    return Err(DecodeError::new("mutation", Fault::Duplicate));
                }
                set
            }
        };
        kind.check(&new)?;
        Ok(new)
    }
}

/// The set of a map's keys.
fn keys_of(kind: &ColumnType) -> ColumnType {
    ColumnType {
        value: None,
        ..kind.clone()
    }
}

fn check_composite(kind: &ColumnType) -> Result<(), DecodeError> {
    if kind.is_scalar() {
        return Err(DecodeError::expected("mutation", "a set or map column"));
    }
    Ok(())
}

fn check_arithmetic(mutator: Mutator, kind: &ColumnType) -> Result<(), DecodeError> {
    let number = match kind.key.kind {
        AtomicType::Integer => true,
        AtomicType::Real => mutator != Mutator::Remainder,
        _ => false,
    };
    if kind.is_map() || !number {
        return Err(DecodeError::expected("mutation", "a column of numbers"));
    }
    Ok(())
}

fn arithmetic(atom: &Atom, mutator: Mutator, operand: &Atom) -> Result<Atom, DecodeError> {
    const RANGE: DecodeError = DecodeError::new("mutation", Fault::Range);
    const DOMAIN: DecodeError = DecodeError::new("mutation", Fault::Domain);
    match (atom, operand) {
        (Atom::Integer(a), Atom::Integer(b)) => {
            if *b == 0 && matches!(mutator, Mutator::Divide | Mutator::Remainder) {
                return Err(DOMAIN);
            }
            let result = match mutator {
                Mutator::Add => a.checked_add(*b),
                Mutator::Subtract => a.checked_sub(*b),
                Mutator::Multiply => a.checked_mul(*b),
                Mutator::Divide => a.checked_div(*b),
                _ => a.checked_rem(*b),
            };
            result.map(Atom::Integer).ok_or(RANGE)
        }
        (Atom::Real(a), Atom::Real(b)) => {
            let (a, b) = (a.value(), b.value());
            if b == 0.0 && mutator == Mutator::Divide {
                return Err(DOMAIN);
            }
            let result = match mutator {
                Mutator::Add => a + b,
                Mutator::Subtract => a - b,
                Mutator::Multiply => a * b,
                _ => a / b,
            };
            Real::new(result).map(Atom::Real).ok_or(RANGE)
        }
        _ => Err(DecodeError::expected("mutation", "a number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;

    fn both(column: &str, mutation: &str) -> (Result<Mutation, DecodeError>, Option<String>) {
        let table = format!(r#"{{"columns":{{"a":{{"type":{column}}}}}}}"#);
        let table = TableSchema::parse(&parse(table.as_bytes()).unwrap()).unwrap();
        let mutation = parse(mutation.as_bytes()).unwrap();
        let why = Mutation::explain(&mutation, "t", &table);
        (
            Mutation::decode(&mutation, &table),
            why.map(|why| why.details),
        )
    }

    #[test]
    fn what_is_inserted_is_no_more_than_the_column_holds() {
        let two = r#"{"key":"integer","min":0,"max":2}"#;
        let (decoded, why) = both(two, r#"["a","insert",["set",[1,2,3]]]"#);
        let (had, min, max) = (3, 0, 2);
        assert_eq!(decoded.unwrap_err().fault, Fault::Count { had, min, max });
        assert_eq!(
            why.as_deref(),
            Some("set must have 0 to 2 members but 3 are present")
        );
        // Of what is deleted there may be more.
        let (decoded, why) = both(two, r#"["a","delete",["set",[1,2,3]]]"#);
        assert_eq!((decoded.map(|m| m.value.len()), why), (Ok(3), None));
    }

    #[test]
    fn operands_keep_the_constraints_of_their_column() {
        let small = r#"{"key":{"type":"integer","maxInteger":5},"min":0,"max":"unlimited"}"#;
        for (mutator, refused) in [("insert", true), ("delete", true), ("+=", false)] {
            let (decoded, why) = both(small, &format!(r#"["a","{mutator}",7]"#));
            assert_eq!((decoded.is_err(), why.is_some()), (refused, refused));
        }
    }
}
