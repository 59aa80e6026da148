//! Conditions (RFC 7047 §5.1 `<condition>`): typed on the way out, parsed and evaluated for
//! tests of the replica and for local queries.
//!
//! Held by the `condition` and `query` vectors.

use crate::error::{DecodeError, Fault};
use crate::json::{Json, Str};
use crate::schema::{ColumnType, Explanation, TableSchema, type_mismatch, unknown_column};
use crate::uuid::Uuid;
use crate::value::{Atom, Datum, Symbols};

/// One clause of a `where`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Every row (`true`) or none (`false`).
    Const(bool),
    /// A comparison of a column with a value.
    Compare(Str, Function, Datum),
}

/// Comparison functions (RFC 7047 §5.1 `<function>`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `includes`
    Includes,
    /// `excludes`
    Excludes,
}

impl Function {
    const ALL: [(Self, &'static str); 8] = [
        (Self::Lt, "<"),
        (Self::Le, "<="),
        (Self::Eq, "=="),
        (Self::Ne, "!="),
        (Self::Gt, ">"),
        (Self::Ge, ">="),
        (Self::Includes, "includes"),
        (Self::Excludes, "excludes"),
    ];

    /// The wire name.
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(f, _)| *f == self)
            .map_or("==", |(_, n)| n)
    }

    /// The function called `name`.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, n)| *n == name).map(|(f, _)| *f)
    }

    const fn is_order(self) -> bool {
        matches!(self, Self::Lt | Self::Le | Self::Gt | Self::Ge)
    }
}

impl Condition {
    /// `column == value`
    pub fn eq(column: impl Into<Str>, value: impl Into<Datum>) -> Self {
        Self::Compare(column.into(), Function::Eq, value.into())
    }

    /// `column includes value`
    pub fn includes(column: impl Into<Str>, value: impl Into<Datum>) -> Self {
        Self::Compare(column.into(), Function::Includes, value.into())
    }

    /// The row with this identifier; the server answers it from an index.
    pub fn uuid(uuid: Uuid) -> Self {
        Self::eq("_uuid", uuid)
    }

    /// The wire form.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Const(value) => Json::Bool(*value),
            Self::Compare(column, function, value) => Json::Array(vec![
                Json::String(column.clone()),
                Json::from(function.name()),
                value.to_json(),
            ]),
        }
    }

    /// Parses a clause against a table.
    pub fn decode(json: &Json, table: &TableSchema) -> Result<Self, DecodeError> {
        if let Some(value) = json.as_bool() {
            return Ok(Self::Const(value));
        }
        let Some([Json::String(column), Json::String(function), value]) = json.as_array() else {
            return Err(DecodeError::expected(
                "condition",
                "[column, function, value]",
            ));
        };
        let schema = table
            .column(column)
            .ok_or(DecodeError::new("condition", Fault::NoSuch("column")))?;
        let function = Function::parse(function)
            .ok_or(DecodeError::new("condition function", Fault::BadWord))?;
        check_function(function, &schema.kind)?;
        let (min, max) = argument_size(function, &schema.kind);
        let value = Datum::decode_sized(value, &schema.kind, min, max, Symbols::Refused)?;
        schema.kind.check_elements(&value)?;
        Ok(Self::Compare(column.clone(), function, value))
    }

    /// Why `json` is no clause for the table called `name`, in the words of ovsdb-server; `None`
    /// if it is one.
    pub fn explain(json: &Json, name: &str, table: &TableSchema) -> Option<Explanation> {
        if json.as_bool().is_some() {
            return None;
        }
        let Some([Json::String(column), Json::String(word), value]) = json.as_array() else {
            return Some(Explanation::syntax(json, "Parse error in condition."));
        };
        let Some(schema) = table.column(column) else {
            return Some(unknown_column(json, column, name));
        };
        let Some(function) = Function::parse(word) else {
            return Some(Explanation {
                error: "unknown function",
                syntax: None,
                details: format!("No function named {word}."),
            });
        };
        if check_function(function, &schema.kind).is_err() {
            return Some(type_mismatch(json, word, column, &schema.kind));
        }
        let (min, max) = argument_size(function, &schema.kind);
        let symbols = Symbols::Refused;
        schema.kind.explain_sized(value, min, max, symbols)
    }

    /// Checks a clause against a table, with the rules the server applies.
    pub fn check(&self, table: &TableSchema) -> Result<(), DecodeError> {
        let Self::Compare(column, function, value) = self else {
            return Ok(());
        };
        let schema = table
            .column(column)
            .ok_or(DecodeError::new("condition", Fault::NoSuch("column")))?;
        check_function(*function, &schema.kind)?;
        let (min, max) = argument_size(*function, &schema.kind);
        let had = value.len();
        if had < min || had > max {
            return Err(DecodeError::new(
                "condition",
                Fault::Count { had, min, max },
            ));
        }
        schema
            .kind
            .check_elements(&value.as_map_if(schema.kind.is_map()))
    }

    /// Evaluates the clause for a row whose column values `value_of` looks up.
    pub fn holds<'a>(&self, value_of: impl Fn(&str) -> Option<&'a Datum>) -> bool {
        match self {
            Self::Const(value) => *value,
            Self::Compare(column, function, arg) => {
                value_of(column).is_some_and(|value| compare(value, *function, arg))
            }
        }
    }
}

fn check_function(function: Function, kind: &ColumnType) -> Result<(), DecodeError> {
    if function.is_order() && !(kind.is_scalar_or_optional() && kind.key.kind.is_number()) {
        return Err(DecodeError::expected(
            "condition",
            "a scalar number for an order comparison",
        ));
    }
    Ok(())
}

/// How many elements the argument may have.
const fn argument_size(function: Function, kind: &ColumnType) -> (usize, usize) {
    match function {
        Function::Includes | Function::Excludes if kind.is_scalar() => (1, 1),
        Function::Includes => (0, kind.max),
        Function::Excludes => (0, usize::MAX),
        Function::Lt | Function::Le | Function::Gt | Function::Ge => (1, 1),
        Function::Eq | Function::Ne => (kind.min, kind.max),
    }
}

fn compare(value: &Datum, function: Function, arg: &Datum) -> bool {
    match function {
        Function::Eq => value == arg,
        Function::Ne => value != arg,
        Function::Includes => elements(arg, value).all(|found| found),
        Function::Excludes => elements(arg, value).all(|found| !found),
        _ => {
            let (Some(value), Some(arg)) = (value.as_atom(), arg.as_atom()) else {
                return false;
            };
            match function {
                Function::Lt => value < arg,
                Function::Le => value <= arg,
                Function::Gt => value > arg,
                _ => value >= arg,
            }
        }
    }
}

/// For every element of `arg`, whether `value` has it.
fn elements<'a>(arg: &'a Datum, value: &'a Datum) -> Box<dyn Iterator<Item = bool> + 'a> {
    if let Datum::Map(pairs) = arg {
        return Box::new(
            pairs
                .iter()
                .map(|(k, v)| value.as_map().and_then(|m| m.get(k)) == Some(v)),
        );
    }
    let found = |a: &Atom| value.atoms().binary_search(a).is_ok();
    Box::new(arg.atoms().iter().map(found))
}
