//! The check of a transaction against the schema before it is sent: everything ovsdb-server
//! would refuse without looking at the data. It does not enforce the `mutable` member of
//! tables, and neither does this (measured with ovsdb-server 3.1.0).

use super::{ColumnSchema, ColumnType, DatabaseSchema, Explanation, TableSchema};
use crate::condition::Condition;
use crate::error::{DecodeError, Fault};
use crate::json::Str;
use crate::mutation::Mutation;
use crate::op::{Columns, OpIndex, Operation, Transaction};
use crate::value::{Atom, Datum, Symbols, is_id};
use core::fmt;
use std::collections::HashSet;

/// Why a transaction would be refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckError {
    /// The operation.
    pub op: OpIndex,
    /// The column, if the fault lies in one.
    pub column: Option<Str>,
    /// The fault.
    pub error: DecodeError,
    /// The fault in the server's words, if it is in a value.
    pub words: Option<Box<Explanation>>,
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "operation {}", self.op)?;
        if let Some(column) = &self.column {
            write!(f, ", column {column}")?;
        }
        match &self.words {
            Some(words) => write!(f, ": {words}"),
            None => write!(f, ": {}", self.error),
        }
    }
}

impl core::error::Error for CheckError {}

/// A fault without the number of its operation.
struct Finding {
    column: Option<Str>,
    error: DecodeError,
    words: Option<Box<Explanation>>,
}

impl Finding {
    const fn new(column: Option<Str>, error: DecodeError) -> Self {
        Self {
            column,
            error,
            words: None,
        }
    }

    fn at(self, op: OpIndex) -> CheckError {
        CheckError {
            op,
            column: self.column,
            error: self.error,
            words: self.words,
        }
    }
}

/// Checks every operation. Named UUIDs must belong to an insert of the same transaction.
pub fn check_transaction(
    schema: &DatabaseSchema,
    transaction: &Transaction,
) -> Result<(), CheckError> {
    let mut names: HashSet<&str> = HashSet::new();
    for (op, operation) in transaction.operations().iter().enumerate() {
        if let Operation::Insert {
            uuid_name: Some(name),
            ..
        } = operation
        {
            let error = if !is_id(name) {
                DecodeError::expected("uuid-name", "an <id>")
            } else if !names.insert(name) {
                DecodeError::new("uuid-name", Fault::Duplicate)
            } else {
                continue;
            };
            return Err(Finding::new(None, error).at(op));
        }
    }
    for (op, operation) in transaction.operations().iter().enumerate() {
        check_operation(schema, operation, &names).map_err(|finding| finding.at(op))?;
    }
    Ok(())
}

fn check_operation(
    schema: &DatabaseSchema,
    operation: &Operation,
    names: &HashSet<&str>,
) -> Result<(), Finding> {
    let table = |name: &str| {
        let none = DecodeError::new("operation", Fault::NoSuch("table"));
        schema.table(name).ok_or(Finding::new(None, none))
    };
    match operation {
        Operation::Insert {
            table: name, row, ..
        } => {
            let table = table(name)?;
            check_row(table, row, names, |_| true)?;
            check_defaults(table, row)
        }
        Operation::Select {
            table: name,
            conditions,
            columns,
        } => {
            let table = table(name)?;
            check_conditions((name, table), conditions, names)?;
            columns
                .iter()
                .flatten()
                .try_for_each(|c| column(table, c).map(|_| ()))
        }
        Operation::Update {
            table: name,
            conditions,
            row,
        } => {
            let table = table(name)?;
            check_conditions((name, table), conditions, names)?;
            check_row(table, row, names, |column| column.mutable)
        }
        Operation::Mutate {
            table: name,
            conditions,
            mutations,
        } => {
            let table = table(name)?;
            check_conditions((name, table), conditions, names)?;
            mutations.iter().try_for_each(|m| {
                let at = |error| Finding {
                    words: Mutation::explain(&m.to_json(), name, table).map(Box::new),
                    ..Finding::new(Some(m.column.clone()), error)
                };
                m.check(table).map_err(at)?;
                check_names(&m.value, names).map_err(at)
            })
        }
        Operation::Delete {
            table: name,
            conditions,
        } => check_conditions((name, table(name)?), conditions, names),
        Operation::Wait {
            table: name,
            conditions,
            columns,
            rows,
            ..
        } => {
            let table = table(name)?;
            check_conditions((name, table), conditions, names)?;
            columns
                .iter()
                .try_for_each(|c| column(table, c).map(|_| ()))?;
            rows.iter()
                .try_for_each(|row| check_row(table, row, names, |_| true))
        }
        Operation::Commit { .. } | Operation::Abort | Operation::Comment(_) => Ok(()),
        Operation::Assert { lock } if is_id(lock) => Ok(()),
        Operation::Assert { .. } => {
            Err(Finding::new(None, DecodeError::expected("lock", "an <id>")))
        }
    }
}

fn column<'a>(table: &'a TableSchema, name: &Str) -> Result<&'a ColumnSchema, Finding> {
    let none = || DecodeError::new("column", Fault::NoSuch("column"));
    let column = table.column(name);
    column.ok_or_else(|| Finding::new(Some(name.clone()), none()))
}

fn check_conditions(
    (name, table): (&str, &TableSchema),
    conditions: &[Condition],
    names: &HashSet<&str>,
) -> Result<(), Finding> {
    for condition in conditions {
        let Condition::Compare(column, _, value) = condition else {
            continue;
        };
        let at = |error| Finding {
            words: Condition::explain(&condition.to_json(), name, table).map(Box::new),
            ..Finding::new(Some(column.clone()), error)
        };
        condition.check(table).map_err(at)?;
        check_names(value, names).map_err(at)?;
    }
    Ok(())
}

fn check_row(
    table: &TableSchema,
    row: &Columns,
    names: &HashSet<&str>,
    writable: impl Fn(&ColumnSchema) -> bool,
) -> Result<(), Finding> {
    for (name, value) in row {
        let schema = column(table, name)?;
        if name.starts_with('_') || !writable(schema) {
            let error = DecodeError::new("row", Fault::Constraint("column is immutable"));
            return Err(Finding::new(Some(name.clone()), error));
        }
        check_value(name, &value.as_map_if(schema.kind.is_map()), &schema.kind)?;
        check_names(value, names).map_err(|error| Finding::new(Some(name.clone()), error))?;
    }
    Ok(())
}

/// A column that an insert leaves out gets the default of its type, which its constraints need
/// not allow.
fn check_defaults(table: &TableSchema, row: &Columns) -> Result<(), Finding> {
    let left_out = |(name, _): &(&Str, &ColumnSchema)| !row.contains_key(*name);
    let mut columns = table.columns.iter().filter(left_out);
    columns.try_for_each(|(name, c)| check_value(name, &c.kind.default_datum(), &c.kind))
}

fn check_value(name: &Str, value: &Datum, kind: &ColumnType) -> Result<(), Finding> {
    kind.check(value).map_err(|error| Finding {
        words: kind
            .explain_sized(&value.to_json(), kind.min, kind.max, Symbols::Accepted)
            .map(Box::new),
        ..Finding::new(Some(name.clone()), error)
    })
}

fn check_names(value: &Datum, names: &HashSet<&str>) -> Result<(), DecodeError> {
    let known = |atom: &Atom| match atom {
        Atom::NamedUuid(name) => names.contains(&**name),
        _ => true,
    };
    let all = match value {
        Datum::Map(map) => map.iter().all(|(k, v)| known(k) && known(v)),
        other => other.atoms().iter().all(known),
    };
    if all {
        Ok(())
    } else {
        Err(DecodeError::new("named-uuid", Fault::NoSuch("row")))
    }
}
