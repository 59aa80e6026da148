//! A copy of the monitored part of a database: a plain fold over updates.
//!
//! Every fold reports what changed, row by row, with the row before and after. Rows are shared,
//! immutable and cheap to keep. Knows nothing of connections or time. Held by the `monitor`
//! vectors, `tests/server_replica.rs` and the `ovsdb_replica` fuzz target.
//!
//! ```
//! use ovsdb::{json::parse, schema::DatabaseSchema};
//! use ovsdb::monitor::{Format, TableMonitor, decode_updates};
//! use ovsdb::replica::{ChangeKind, Replica};
//!
//! let json = parse(br#"{"name":"d","tables":{"t":{"columns":{
//!     "vlans":{"type":{"key":"integer","min":0,"max":"unlimited"}}}}}}"#)?;
//! let mut replica = Replica::new(vec![]);
//! let mut changes = Vec::new();
//! replica.configure(&DatabaseSchema::parse(&json)?, &[TableMonitor::all("t")], &mut changes);
//! for update in [
//!     r#"{"insert":{"vlans":["set",[1,2]]}}"#,
//!     // Sets come as symmetric differences: 2 is gone, 3 is new.
//!     r#"{"modify":{"vlans":["set",[2,3]]}}"#,
//! ] {
//!     let row = r#""aaaaaaaa-0000-0000-0000-000000000000""#;
//!     let json = parse(format!("{{\"t\":{{{row}:{update}}}}}").as_bytes())?;
//!     replica.apply(decode_updates(json, Format::Update2)?, &mut changes)?;
//! }
//! assert_eq!(changes[1].kind(), ChangeKind::Modify);
//! let (_, row) = replica.rows("t").next().unwrap();
//! assert_eq!(row.get("vlans").unwrap().to_json().to_string(), r#"["set",[1,3]]"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod index;
mod row;

pub use index::IndexSpec;
pub use row::{ChangeKind, Layout, Row, RowChange};

use crate::error::{DecodeError, Fault};
use crate::json::Str;
use crate::monitor::{RowUpdate, TableMonitor, TableRowUpdate};
use crate::schema::DatabaseSchema;
use crate::uuid::Uuid;
use crate::value::{Atom, Interner};
use index::Index;
use row::{build, layout};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

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
