//! The check of a transaction against the schema before it is sent: everything ovsdb-server
//! would refuse without looking at the data. It does not enforce the `mutable` member of
//! tables, and neither does this (measured with ovsdb-server 3.1.0).

use super::{ColumnSchema, DatabaseSchema, TableSchema};
use crate::condition::Condition;
use crate::error::{DecodeError, Fault};
use crate::json::Str;
use crate::op::{Columns, OpIndex, Operation, Transaction};
use crate::value::{Atom, Datum, is_id};
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
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "operation {}", self.op)?;
        if let Some(column) = &self.column {
            write!(f, ", column {column}")?;
        }
        write!(f, ": {}", self.error)
    }
}

impl core::error::Error for CheckError {}

type Finding = (Option<Str>, DecodeError);

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
            return Err(CheckError {
                op,
                column: None,
                error,
            });
        }
    }
    for (op, operation) in transaction.operations().iter().enumerate() {
        check_operation(schema, operation, &names).map_err(|(column, error)| CheckError {
            op,
            column,
            error,
        })?;
    }
    Ok(())
}

fn check_operation(
    schema: &DatabaseSchema,
    operation: &Operation,
    names: &HashSet<&str>,
) -> Result<(), Finding> {
    let table = |name: &str| {
        schema
            .table(name)
            .ok_or((None, DecodeError::new("operation", Fault::NoSuch("table"))))
    };
    match operation {
        Operation::Insert {
            table: name, row, ..
        } => check_row(table(name)?, row, names, |_| true),
        Operation::Select {
            table: name,
            conditions,
            columns,
        } => {
            let table = table(name)?;
            check_conditions(table, conditions, names)?;
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
            check_conditions(table, conditions, names)?;
            check_row(table, row, names, |column| column.mutable)
        }
        Operation::Mutate {
            table: name,
            conditions,
            mutations,
        } => {
            let table = table(name)?;
            check_conditions(table, conditions, names)?;
            mutations.iter().try_for_each(|m| {
                m.check(table).map_err(|e| (Some(m.column.clone()), e))?;
                check_names(&m.value, names).map_err(|e| (Some(m.column.clone()), e))
            })
        }
        Operation::Delete {
            table: name,
            conditions,
        } => check_conditions(table(name)?, conditions, names),
        Operation::Wait {
            table: name,
            conditions,
            columns,
            rows,
            ..
        } => {
            let table = table(name)?;
            check_conditions(table, conditions, names)?;
            columns
                .iter()
                .try_for_each(|c| column(table, c).map(|_| ()))?;
            rows.iter()
                .try_for_each(|row| check_row(table, row, names, |_| true))
        }
        Operation::Commit { .. } | Operation::Abort | Operation::Comment(_) => Ok(()),
        Operation::Assert { lock } if is_id(lock) => Ok(()),
        Operation::Assert { .. } => Err((None, DecodeError::expected("lock", "an <id>"))),
    }
}

fn column<'a>(table: &'a TableSchema, name: &Str) -> Result<&'a ColumnSchema, Finding> {
    table.column(name).ok_or_else(|| {
        (
            Some(name.clone()),
            DecodeError::new("column", Fault::NoSuch("column")),
        )
    })
}

fn check_conditions(
    table: &TableSchema,
    conditions: &[Condition],
    names: &HashSet<&str>,
) -> Result<(), Finding> {
    for condition in conditions {
        let Condition::Compare(column, _, value) = condition else {
            continue;
        };
        let at = |error| (Some(column.clone()), error);
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
        let at = |error| (Some(name.clone()), error);
        let schema = column(table, name)?;
        if name.starts_with('_') || !writable(schema) {
            return Err(at(DecodeError::new(
                "row",
                Fault::Constraint("column is immutable"),
            )));
        }
        schema
            .kind
            .check(&value.as_map_if(schema.kind.is_map()))
            .map_err(at)?;
        check_names(value, names).map_err(at)?;
    }
    Ok(())
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
