//! Rows, how they are laid out, and how they change.

use crate::error::{DecodeError, Fault};
use crate::json::{Object, Str};
use crate::monitor::TableMonitor;
use crate::schema::{ColumnType, DatabaseSchema};
use crate::uuid::Uuid;
use crate::value::{Atom, Datum, Interner, apply_diff};
use std::sync::Arc;

/// The monitored columns of a table, sorted by name.
#[derive(Debug, PartialEq)]
pub struct Layout {
    /// Name of the table.
    pub table: Str,
    pub(super) columns: Vec<(Str, ColumnType)>,
    pub(super) defaults: Vec<Datum>,
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

    pub(super) fn position(&self, column: &str) -> Option<usize> {
        self.columns
            .binary_search_by(|(n, _)| (**n).cmp(column))
            .ok()
    }
}

/// One row of a replica.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub(super) layout: Arc<Layout>,
    pub(super) values: Box<[Datum]>,
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
        let (old, new) = self.elements(column);
        new.iter().filter(move |a| old.binary_search(a).is_err())
    }

    /// Elements of a set column that are gone.
    pub fn removed<'a>(&'a self, column: &str) -> impl Iterator<Item = &'a Atom> {
        let (old, new) = self.elements(column);
        old.iter().filter(move |a| new.binary_search(a).is_err())
    }

    /// Elements of a set column, before and after.
    fn elements<'a>(&'a self, column: &str) -> (&'a [Atom], &'a [Atom]) {
        let of = |row| {
            let side = self.side(row, column);
            side.map(Datum::atoms).unwrap_or_default()
        };
        (of(&self.old), of(&self.new))
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

pub(super) fn layout(schema: &DatabaseSchema, monitor: &TableMonitor) -> Option<Layout> {
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

pub(super) fn build(
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
