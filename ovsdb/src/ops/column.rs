//! Reading and writing single columns and keys, with as little on the wire as the change
//! needs: nothing if nothing changes, and only the keys concerned of a map.

use super::lookup;
use crate::condition::Condition;
use crate::json::Str;
use crate::mutation::Mutation;
use crate::op::{Columns, Operation};
use crate::replica::{Replica, Row};
use crate::schema::{ColumnSchema, DatabaseSchema, TableSchema};
use crate::uuid::Uuid;
use crate::value::text::{TextError, atom_from_text, word_from_text};
use crate::value::{Atom, Datum};

/// The columns of `row` that differ from `wanted`.
pub fn differing(row: &Row, wanted: Columns) -> Columns {
    wanted
        .into_iter()
        .filter(|(column, value)| row.get(column) != Some(value))
        .collect()
}

/// Sets whole columns of one row; `None` if they all have these values.
pub fn update(table: &str, uuid: Uuid, row: &Row, wanted: Columns) -> Option<Operation> {
    let changed = differing(row, wanted);
    (!changed.is_empty()).then(|| Operation::Update {
        table: table.into(),
        conditions: vec![Condition::uuid(uuid)],
        row: changed,
    })
}

/// Mutations that set keys of a map column and leave all other keys alone. A key whose value
/// is `None` is removed.
pub fn key_mutations(
    row: Option<&Row>,
    column: &str,
    wanted: &[(&str, Option<&str>)],
) -> Vec<Mutation> {
    let (mut gone, mut new) = (Vec::new(), Vec::new());
    for (key, value) in wanted {
        let had = row.and_then(|row| row.key(column, key));
        if had == *value {
            continue;
        }
        // An insert does not overwrite, so the old pair goes first.
        if had.is_some() || row.is_none() {
            gone.push(Atom::from(*key));
        }
        new.extend(value.map(|v| (*key, v)));
    }
    let mut out = Vec::new();
    if !gone.is_empty() {
        out.push(Mutation::delete(column, Datum::set(gone)));
    }
    if !new.is_empty() {
        out.push(Mutation::insert(column, Datum::map(new)));
    }
    out
}

/// Mutations that turn one value of a set or map column into another.
pub fn difference(column: &str, old: &Datum, new: &Datum) -> Vec<Mutation> {
    let mut out = Vec::new();
    let (gone, added) = match (old, new) {
        (Datum::Map(old), Datum::Map(new)) => {
            let gone: Vec<Atom> = old
                .iter()
                .filter(|(k, v)| new.get(k) != Some(v))
                .map(|(k, _)| k.clone())
                .collect();
            let added = new.iter().filter(|(k, v)| old.get(k) != Some(v)).cloned();
            (Datum::set(gone), Datum::map(added))
        }
        _ => {
            let only = |a: &Datum, b: &Datum| {
                let b = b.atoms();
                Datum::set(
                    a.atoms()
                        .iter()
                        .filter(|x| b.binary_search(x).is_err())
                        .cloned(),
                )
            };
            (only(old, new), only(new, old))
        }
    };
    if !gone.is_empty() {
        out.push(Mutation::delete(column, gone));
    }
    if !added.is_empty() {
        out.push(Mutation::insert(column, added));
    }
    out
}

/// Sets a column of one row in the cheapest way: a mutation if it is a large set or a map, an
/// update otherwise, nothing if it has the value.
pub fn set(
    schema: &ColumnSchema,
    table: &str,
    uuid: Uuid,
    column: &str,
    old: &Datum,
    new: Datum,
) -> Option<Operation> {
    if *old == new {
        return None;
    }
    let conditions = vec![Condition::uuid(uuid)];
    if schema.kind.max > 1 {
        let mutations = difference(column, old, &new);
        return Some(Operation::Mutate {
            table: table.into(),
            conditions,
            mutations,
        });
    }
    let row = Columns::from([(Str::from(column), new)]);
    Some(Operation::Update {
        table: table.into(),
        conditions,
        row,
    })
}

/// A column or one key of it, as `ovs-vsctl get`, `set` and `remove` name them:
/// `column` or `column:key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Full name of the column.
    pub column: Str,
    /// The key.
    pub key: Option<Atom>,
}

impl Target {
    /// Parses `column[:key]` against a table; columns may be abbreviated as long as they are
    /// unique, with `-` for `_`.
    pub fn parse(text: &str, table: &TableSchema) -> Result<Self, TextError> {
        let (column, key) = match text.split_once(':') {
            Some((column, key)) => (column, Some(key)),
            None => (text, None),
        };
        let names = || table.columns.keys().map(|c| &**c);
        let implicit = matches!(column, "_uuid" | "_version").then_some(column);
        let name = implicit
            .or_else(|| complete(column, names()))
            .ok_or_else(|| {
                let several: Vec<&str> = candidates(column, names()).collect();
                let all: Vec<&str> = names().collect();
                TextError::from(if several.is_empty() {
                    format!(
                        "no column begins with \"{column}\": there are {}",
                        all.join(", ")
                    )
                } else {
                    format!(
                        "several columns begin with \"{column}\": {}",
                        several.join(", ")
                    )
                })
            })?;
        let kind = &table
            .column(name)
            .ok_or_else(|| TextError::from(format!("no column {name}")))?
            .kind;
        let key = match key {
            None => None,
            Some(_) if !kind.is_map() => {
                return Err(format!("{text}: {name} is no map and has no keys").into());
            }
            Some(key) => Some(atom_from_text(&word_from_text(key)?, &kind.key)?.0),
        };
        Ok(Self {
            column: name.into(),
            key,
        })
    }
}

/// The table called `name`, which may be abbreviated like columns.
pub fn table_name<'a>(schema: &'a DatabaseSchema, name: &str) -> Option<&'a Str> {
    let found = complete(name, schema.tables.keys().map(|t| &**t))?;
    schema.tables.get_key_value(found).map(|(n, _)| n)
}

/// The only name that `text` abbreviates, regardless of case and of `-` for `_`.
fn complete<'a>(text: &str, names: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    if let Some(exact) = names.clone().find(|n| fold(n) == fold(text)) {
        return Some(exact);
    }
    let mut matches = candidates(text, names);
    matches.next().filter(|_| matches.next().is_none())
}

/// All names that `text` abbreviates.
fn candidates<'a>(
    text: &str,
    names: impl Iterator<Item = &'a str>,
) -> impl Iterator<Item = &'a str> {
    let text = fold(text);
    names.filter(move |n| fold(n).starts_with(&text))
}

fn fold(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}

/// The table and column that refer to rows without a name of their own: people call such a row
/// by the name of the row that refers to it.
pub fn referrer(table: &str) -> Option<(&'static str, &'static str)> {
    Some(match table {
        "AutoAttach" => ("Bridge", "auto_attach"),
        "Controller" => ("Bridge", "controller"),
        "IPFIX" => ("Bridge", "ipfix"),
        "NetFlow" => ("Bridge", "netflow"),
        "QoS" => ("Port", "qos"),
        "sFlow" => ("Bridge", "sflow"),
        _ => return None,
    })
}

/// The row `record` names: `.` for the only row of a table; a UUID, or enough of its beginning;
/// the name of a bridge, port, interface or mirror; the target of a manager; the name of the
/// bridge or port that refers to the row (see [`referrer`]).
pub fn record(replica: &Replica, table: &str, record: &str) -> Option<Uuid> {
    if let Some(uuid) = Uuid::parse(record) {
        return replica.row(table, uuid).map(|_| uuid);
    }
    if record == "." {
        return only(replica.rows(table).map(|(uuid, _)| uuid));
    }
    let column = if table == "Manager" { "target" } else { "name" };
    let named = if replica.has_index(table, column, None) {
        replica.find(table, column, None, &record.into()).next()
    } else {
        replica.rows(table).find(|(_, r)| r.str(column) == record)
    };
    if let Some((uuid, _)) = named {
        return Some(uuid);
    }
    let referred = referrer(table).and_then(|(from, column)| {
        let (_, row) = lookup::by_name(replica, from, record)?;
        only(row.uuids(column))
    });
    let begins = |uuid: &Uuid| record.len() >= 4 && uuid.to_string().starts_with(record);
    let uuids = replica.rows(table).map(|(uuid, _)| uuid);
    referred.or_else(|| only(uuids.filter(begins)))
}

fn only<T>(mut items: impl Iterator<Item = T>) -> Option<T> {
    items.next().filter(|_| items.next().is_none())
}
