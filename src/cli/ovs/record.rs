//! Rows, columns and values as they are written on a command line.

use std::sync::Arc;

use ovsdb::Uuid;
use ovsdb::json::Json;
use ovsdb::ops::column::{self, Target};
use ovsdb::replica::{Replica, Row};
use ovsdb::schema::{ColumnSchema, TableSchema};
use ovsdb::value::text::atom_from_text;
use ovsdb::value::{Atom, Datum};

use super::super::failure::{Failure, Kind};
use super::super::switch::Switch;

/// A table's schema.
pub(super) fn table_schema(switch: &Switch, table: &str) -> Result<Arc<TableSchema>, Failure> {
    switch
        .schema
        .table(table)
        .cloned()
        .ok_or_else(|| Failure::text(Kind::NotFound, format!("no table {table}")))
}

/// The row that a word names.
pub(super) fn row<'a>(
    replica: &'a Replica,
    table: &str,
    record: &str,
) -> Result<(Uuid, &'a Arc<Row>), Failure> {
    column::record(replica, table, record)
        .and_then(|uuid| Some((uuid, replica.row(table, uuid)?)))
        .ok_or_else(|| {
            Failure::text(
                Kind::NotFound,
                format!("no row \"{record}\" in table {table}"),
            )
        })
}

/// `COLUMN` or `COLUMN:KEY`.
pub(super) fn target(text: &str, table: &str, schema: &TableSchema) -> Result<Target, Failure> {
    Target::parse(text, schema)
        .map_err(|why| Failure::text(Kind::Usage, format!("table {table}: {why}")))
}

/// `COLUMN` or `COLUMN:KEY` of an existing row, to be changed.
pub(super) fn writable(text: &str, table: &str, schema: &TableSchema) -> Result<Target, Failure> {
    let target = target(text, table, schema)?;
    if column_schema(schema, &target.column)?.mutable {
        return Ok(target);
    }
    let column = &target.column;
    let why = format!("cannot modify read-only column {column} in table {table}");
    Err(Failure::text(Kind::Usage, why))
}

/// A column and what belongs there: the whole of it, or the value of one key.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Wanted {
    Column(String, Datum),
    Key(String, Atom, Atom),
}

/// `COLUMN=VALUE` or `COLUMN:KEY=VALUE`.
pub(super) fn assignment(text: &str, table: &str, schema: &TableSchema) -> Result<Wanted, Failure> {
    let usage = |why: String| Failure::text(Kind::Usage, why);
    let (left, value) = text
        .split_once('=')
        .ok_or_else(|| usage(format!("{text}: give COLUMN=VALUE or COLUMN:KEY=VALUE")))?;
    let Target { column, key } = target(left, table, schema)?;
    let kind = &column_schema(schema, &column)?.kind;
    let bad = |e| usage(format!("{text}: {e}"));
    match (key, &kind.value) {
        (Some(key), Some(base)) => {
            let (value, _) = atom_from_text(value, base).map_err(bad)?;
            Ok(Wanted::Key(column.to_string(), key, value))
        }
        _ => Ok(Wanted::Column(
            column.to_string(),
            Datum::from_text(value, kind).map_err(bad)?,
        )),
    }
}

/// A column's schema.
pub(super) fn column_schema<'a>(
    schema: &'a TableSchema,
    column: &str,
) -> Result<&'a ColumnSchema, Failure> {
    schema
        .column(column)
        .ok_or_else(|| Failure::text(Kind::NotFound, format!("no column {column}")))
}

impl Wanted {
    /// The column concerned.
    pub(super) fn column(&self) -> &str {
        match self {
            Wanted::Column(column, _) | Wanted::Key(column, ..) => column,
        }
    }

    /// `true` if the row has it.
    pub(super) fn holds(&self, row: &Row) -> bool {
        match self {
            Wanted::Column(column, value) => row.get(column) == Some(value),
            Wanted::Key(column, key, value) => key_of(row, column, key) == Some(value),
        }
    }
}

/// The value at a key of a map column.
pub(super) fn key_of<'a>(row: &'a Row, column: &str, key: &Atom) -> Option<&'a Atom> {
    row.get(column)?.as_map()?.get(key)
}

/// A value as the JSON that a program expects: lists and objects, without RFC 7047's tags.
pub(super) fn plain(value: &Datum, many: bool) -> serde_json::Value {
    match value {
        Datum::Map(map) => map
            .iter()
            .map(|(k, v)| (atom_text(k), plain_atom(v)))
            .collect(),
        Datum::Atom(atom) if !many => plain_atom(atom),
        _ if !many && value.is_empty() => serde_json::Value::Null,
        _ => value.atoms().iter().map(plain_atom).collect(),
    }
}

/// An atom as plain JSON.
pub(super) fn plain_atom(atom: &Atom) -> serde_json::Value {
    match atom {
        Atom::Uuid(uuid) => uuid.to_string().into(),
        Atom::NamedUuid(name) => name.to_string().into(),
        other => plain_json(&other.to_json()),
    }
}

/// An atom as a person writes it.
pub(super) fn atom_text(atom: &Atom) -> String {
    match atom {
        Atom::String(text) => text.to_string(),
        other => {
            let mut text = String::new();
            other.push_text(&mut text);
            text
        }
    }
}

/// The same value for `serde_json`. Both keep to JSON, so nothing is lost.
pub(super) fn plain_json(json: &Json) -> serde_json::Value {
    serde_json::from_str(&json.to_string()).unwrap_or(serde_json::Value::Null)
}
