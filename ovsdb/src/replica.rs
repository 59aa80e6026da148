//! A copy of the monitored part of a database: a plain fold over updates.
//!
//! Every fold reports what changed, row by row, with the row before and after. Rows are shared,
//! immutable and cheap to keep. Knows nothing of connections or time. Held by the `monitor`
//! vectors, `tests/server_replica.rs` and the `ovsdb_replica` fuzz target.

mod index;

pub use index::IndexSpec;

use crate::error::{DecodeError, Fault};
use crate::json::{Object, Str};
use crate::monitor::{RowUpdate, TableMonitor, TableRowUpdate};
use crate::schema::{ColumnType, DatabaseSchema};
use crate::uuid::Uuid;
use crate::value::{Atom, Datum, Interner, apply_diff};
use index::Index;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The monitored columns of a table, sorted by name.
#[derive(Debug, PartialEq)]
pub struct Layout {
    /// Name of the table.
    pub table: Str,
    columns: Vec<(Str, ColumnType)>,
    defaults: Vec<Datum>,
}

impl Layout {
    /// Names of the columns in the order of [`Row::values`].
    pub fn columns(&self) -> impl Iterator<Item = &Str> {
        self.columns.iter().map(|(n, _)| n)
    }

    /// The value a column has if nothing sets it.
    pub fn default(&self, column: &str) -> Option<&Datum> {
        self.defaults.get(self.position(column)?)
    }

    fn position(&self, column: &str) -> Option<usize> {
        self.columns
            .binary_search_by(|(n, _)| (**n).cmp(column))
            .ok()
    }
}

/// One row of a replica.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    layout: Arc<Layout>,
    values: Box<[Datum]>,
}

impl Row {
    /// The value of a monitored column.
    pub fn get(&self, column: &str) -> Option<&Datum> {
        self.values.get(self.layout.position(column)?)
    }

    /// The layout the row was built with.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Columns and values in order of the column names.
    pub fn values(&self) -> impl Iterator<Item = (&Str, &Datum)> {
        self.layout.columns().zip(self.values.iter())
    }

    /// The column as a string; empty if it is absent or something else.
    pub fn str(&self, column: &str) -> &str {
        self.get(column).and_then(Datum::as_str).unwrap_or_default()
    }

    /// The column as an integer, if it has exactly one.
    pub fn integer(&self, column: &str) -> Option<i64> {
        self.get(column)?.as_integer()
    }

    /// The value at a key of a map column from strings to strings.
    pub fn key(&self, column: &str, key: &str) -> Option<&str> {
        self.get(column)?.as_map()?.str(key)
    }

    /// The row identifiers in a column.
    pub fn uuids(&self, column: &str) -> impl Iterator<Item = Uuid> + '_ {
        self.get(column).into_iter().flat_map(Datum::uuids)
    }
}

/// What kind of change a [`RowChange`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// The row is new.
    Insert,
    /// At least one monitored column differs.
    Modify,
    /// The row is gone.
    Delete,
}

/// A row before and after a change.
#[derive(Clone, Debug, PartialEq)]
pub struct RowChange {
    /// The table.
    pub table: Str,
    /// The row.
    pub uuid: Uuid,
    /// The row as it was; `None` if it is new.
    pub old: Option<Arc<Row>>,
    /// The row as it is; `None` if it is gone.
    pub new: Option<Arc<Row>>,
}

impl RowChange {
    /// What kind of change it is.
    pub const fn kind(&self) -> ChangeKind {
        match (&self.old, &self.new) {
            (None, _) => ChangeKind::Insert,
            (Some(_), Some(_)) => ChangeKind::Modify,
            (Some(_), None) => ChangeKind::Delete,
        }
    }

    /// True if the column differs between the two sides; for inserts and deletes, if it has
    /// another value than the default.
    pub fn changed(&self, column: &str) -> bool {
        let (old, new) = (self.side(&self.old, column), self.side(&self.new, column));
        old != new
    }

    /// Elements of a set column that are new.
    pub fn added<'a>(&'a self, column: &str) -> impl Iterator<Item = &'a Atom> {
        let old = self
            .side(&self.old, column)
            .map(Datum::atoms)
            .unwrap_or_default();
        let new = self
            .side(&self.new, column)
            .map(Datum::atoms)
            .unwrap_or_default();
        new.iter().filter(move |a| old.binary_search(a).is_err())
    }

    /// Elements of a set column that are gone.
    pub fn removed<'a>(&'a self, column: &str) -> impl Iterator<Item = &'a Atom> {
        let old = self
            .side(&self.old, column)
            .map(Datum::atoms)
            .unwrap_or_default();
        let new = self
            .side(&self.new, column)
            .map(Datum::atoms)
            .unwrap_or_default();
        old.iter().filter(move |a| new.binary_search(a).is_err())
    }

    fn side<'a>(&'a self, row: &'a Option<Arc<Row>>, column: &str) -> Option<&'a Datum> {
        match row {
            Some(row) => row.get(column),
            None => {
                let other = self.old.as_ref().or(self.new.as_ref())?;
                other.layout.defaults.get(other.layout.position(column)?)
            }
        }
    }
}

#[derive(Debug)]
struct Table {
    layout: Arc<Layout>,
    rows: BTreeMap<Uuid, Arc<Row>>,
    indexes: Vec<Index>,
}

/// The monitored part of a database.
#[derive(Debug, Default)]
pub struct Replica {
    tables: BTreeMap<Str, Table>,
    specs: Vec<IndexSpec>,
    interner: Interner,
}

impl Replica {
    /// An empty replica that will keep the given indexes.
    pub fn new(specs: Vec<IndexSpec>) -> Self {
        Self {
            specs,
            ..Self::default()
        }
    }

    /// Declares what is monitored. Rows of tables that keep their layout stay; tables that are
    /// no longer monitored lose theirs, as do tables whose columns changed their types: such
    /// rows are reported as deleted in `changes`.
    pub fn configure(
        &mut self,
        schema: &DatabaseSchema,
        monitors: &[TableMonitor],
        changes: &mut Vec<RowChange>,
    ) {
        let mut layouts = BTreeMap::new();
        for monitor in monitors {
            if let Some(layout) = layout(schema, monitor) {
                layouts.insert(monitor.table.clone(), layout);
            }
        }
        let stale: Vec<Str> = self
            .tables
            .iter()
            .filter(|(name, table)| layouts.get(*name) != Some(&*table.layout))
            .map(|(name, _)| name.clone())
            .collect();
        for name in stale {
            let Some(table) = self.tables.remove(&name) else {
                continue;
            };
            for (uuid, row) in table.rows {
                changes.push(RowChange {
                    table: name.clone(),
                    uuid,
                    old: Some(row),
                    new: None,
                });
            }
        }
        for (name, layout) in layouts {
            let specs = &self.specs;
            self.tables.entry(name).or_insert_with_key(|name| Table {
                layout: Arc::new(layout),
                rows: BTreeMap::new(),
                indexes: specs
                    .iter()
                    .filter(|s| s.table == *name)
                    .map(Index::new)
                    .collect(),
            });
        }
    }

    /// Folds updates in and appends what changed. After an error the replica holds everything
    /// up to the bad row, all of it reported in `changes`.
    pub fn apply(
        &mut self,
        updates: Vec<TableRowUpdate>,
        changes: &mut Vec<RowChange>,
    ) -> Result<(), DecodeError> {
        for (table, uuid, update) in updates {
            self.apply_row(&table, uuid, update, changes)?;
        }
        Ok(())
    }

    /// Replaces the content by a complete snapshot and appends the difference.
    pub fn replace(
        &mut self,
        snapshot: Vec<TableRowUpdate>,
        changes: &mut Vec<RowChange>,
    ) -> Result<(), DecodeError> {
        let had_rows = self.tables.values().any(|t| !t.rows.is_empty());
        let mut kept: BTreeSet<(Str, Uuid)> = BTreeSet::new();
        for (table, uuid, update) in snapshot {
            if had_rows {
                kept.insert((table.clone(), uuid));
            }
            self.apply_row(&table, uuid, update, changes)?;
        }
        if had_rows {
            let mut gone = Vec::new();
            for (name, table) in &self.tables {
                let missing = |uuid: &&Uuid| !kept.contains(&(name.clone(), **uuid));
                gone.extend(
                    table
                        .rows
                        .keys()
                        .filter(missing)
                        .map(|u| (name.clone(), *u)),
                );
            }
            for (table, uuid) in gone {
                self.apply_row(&table, uuid, RowUpdate::Absent, changes)?;
            }
        }
        Ok(())
    }

    fn apply_row(
        &mut self,
        name: &Str,
        uuid: Uuid,
        update: RowUpdate,
        changes: &mut Vec<RowChange>,
    ) -> Result<(), DecodeError> {
        let Some((name, table)) = self
            .tables
            .get_key_value(name)
            .map(|(n, _)| n.clone())
            .and_then(|name| Some((name.clone(), self.tables.get_mut(&name)?)))
        else {
            return Err(DecodeError::new("table updates", Fault::NoSuch("table")));
        };
        let old = table.rows.get(&uuid).cloned();
        let new = match (update, &old) {
            (RowUpdate::Absent, Some(_)) => None,
            (RowUpdate::Present(row), _) => Some(build(
                &table.layout,
                &table.layout.defaults,
                row,
                false,
                &mut self.interner,
            )?),
            (RowUpdate::Replaced(row), Some(old)) => Some(build(
                &table.layout,
                &old.values,
                row,
                false,
                &mut self.interner,
            )?),
            (RowUpdate::Modified(diff), Some(old)) => Some(build(
                &table.layout,
                &old.values,
                diff,
                true,
                &mut self.interner,
            )?),
            (_, None) => return Err(DecodeError::new("table updates", Fault::NoSuch("row"))),
        };
        if let (Some(old), Some(new)) = (&old, &new)
            && old.values == new.values
        {
            return Ok(());
        }
        let new = new.map(Arc::new);
        for index in &mut table.indexes {
            index.update(uuid, old.as_deref(), new.as_deref());
        }
        match &new {
            Some(row) => drop(table.rows.insert(uuid, row.clone())),
            None => drop(table.rows.remove(&uuid)),
        }
        changes.push(RowChange {
            table: name,
            uuid,
            old,
            new,
        });
        Ok(())
    }

    /// Takes over changes reported by another replica, sharing its rows: how a consumer of
    /// events keeps its own view with the same indexes.
    pub fn follow(&mut self, changes: &[RowChange]) {
        for change in changes {
            let Some(row) = change.new.as_ref().or(change.old.as_ref()) else {
                continue;
            };
            let specs = &self.specs;
            let table = self
                .tables
                .entry(change.table.clone())
                .or_insert_with_key(|name| Table {
                    layout: row.layout.clone(),
                    rows: BTreeMap::new(),
                    indexes: specs
                        .iter()
                        .filter(|s| s.table == *name)
                        .map(Index::new)
                        .collect(),
                });
            let old = match &change.new {
                Some(new) => table.rows.insert(change.uuid, new.clone()),
                None => table.rows.remove(&change.uuid),
            };
            for index in &mut table.indexes {
                index.update(change.uuid, old.as_deref(), change.new.as_deref());
            }
        }
    }

    /// A row.
    pub fn row(&self, table: &str, uuid: Uuid) -> Option<&Arc<Row>> {
        self.tables.get(table)?.rows.get(&uuid)
    }

    /// The rows of a table in order of their identifiers.
    pub fn rows(&self, table: &str) -> impl Iterator<Item = (Uuid, &Arc<Row>)> {
        self.tables
            .get(table)
            .into_iter()
            .flat_map(|t| t.rows.iter().map(|(u, r)| (*u, r)))
    }

    /// Names of the monitored tables.
    pub fn tables(&self) -> impl Iterator<Item = &Str> {
        self.tables.keys()
    }

    /// Number of rows in all tables.
    pub fn len(&self) -> usize {
        self.tables.values().map(|t| t.rows.len()).sum()
    }

    /// True if there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True if the replica keeps such an index.
    pub fn has_index(&self, table: &str, column: &str, key: Option<&str>) -> bool {
        self.tables
            .get(table)
            .is_some_and(|t| t.indexes.iter().any(|i| i.is(column, key)))
    }

    /// The rows an index finds under `value`, in order of their identifiers; none if there is
    /// no such index.
    pub fn find(
        &self,
        table: &str,
        column: &str,
        key: Option<&str>,
        value: &Atom,
    ) -> impl Iterator<Item = (Uuid, &Arc<Row>)> {
        let table = self.tables.get(table);
        let index = table.and_then(|t| t.indexes.iter().find(|i| i.is(column, key)));
        index
            .into_iter()
            .flat_map(|i| i.find(value))
            .filter_map(move |uuid| Some((uuid, table?.rows.get(&uuid)?)))
    }
}

fn layout(schema: &DatabaseSchema, monitor: &TableMonitor) -> Option<Layout> {
    let table = schema.table(&monitor.table)?;
    let mut columns: Vec<(Str, ColumnType)> = match &monitor.columns {
        None => table
            .columns
            .iter()
            .map(|(n, c)| (n.clone(), c.kind.clone()))
            .collect(),
        Some(names) => names
            .iter()
            .filter_map(|n| Some((n.clone(), table.column(n)?.kind.clone())))
            .collect(),
    };
    columns.sort_by(|a, b| a.0.cmp(&b.0));
    columns.dedup_by(|a, b| a.0 == b.0);
    let defaults = columns.iter().map(|(_, c)| c.default_datum()).collect();
    Some(Layout {
        table: monitor.table.clone(),
        columns,
        defaults,
    })
}

fn build(
    layout: &Arc<Layout>,
    base: &[Datum],
    row: Object,
    diff: bool,
    interner: &mut Interner,
) -> Result<Row, DecodeError> {
    let mut values: Box<[Datum]> = base.into();
    for (name, json) in row {
        let at = layout.position(&name);
        let Some((at, (_, kind))) = at.and_then(|at| Some((at, layout.columns.get(at)?))) else {
            return Err(DecodeError::new("row", Fault::NoSuch("column")));
        };
        let Some(slot) = values.get_mut(at) else {
            continue;
        };
        *slot = if diff {
            apply_diff(slot, &Datum::decode_diff(&json, kind)?, kind)
        } else {
            // Only the kind matters here: the server has checked the rest.
            interner.share(Datum::decode_diff(&json, kind)?)
        };
    }
    Ok(Row {
        layout: layout.clone(),
        values,
    })
}
