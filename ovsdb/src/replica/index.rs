//! Reverse look-ups from column elements to rows, kept up to date change by change.

use super::Row;
use crate::json::Str;
use crate::uuid::Uuid;
use crate::value::{Atom, Datum};
use std::collections::{BTreeMap, BTreeSet};

/// Which column of which table to index. Every element of a set is indexed; of a map only the
/// value at `key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexSpec {
    /// The table.
    pub table: Str,
    /// The column.
    pub column: Str,
    /// The key, for map columns.
    pub key: Option<Str>,
}

impl IndexSpec {
    /// Index of the elements of a column.
    pub fn column(table: &str, column: &str) -> Self {
        Self {
            table: table.into(),
            column: column.into(),
            key: None,
        }
    }

    /// Index of the values a map column has at `key`.
    pub fn key(table: &str, column: &str, key: &str) -> Self {
        Self {
            table: table.into(),
            column: column.into(),
            key: Some(key.into()),
        }
    }
}

#[derive(Debug)]
pub(super) struct Index {
    spec: IndexSpec,
    rows: BTreeMap<Atom, BTreeSet<Uuid>>,
}

impl Index {
    pub(super) fn new(spec: &IndexSpec) -> Self {
        Self {
            spec: spec.clone(),
            rows: BTreeMap::new(),
        }
    }

    pub(super) fn is(&self, column: &str, key: Option<&str>) -> bool {
        *self.spec.column == *column && self.spec.key.as_deref() == key
    }

    pub(super) fn find(&self, value: &Atom) -> impl Iterator<Item = Uuid> + '_ {
        self.rows.get(value).into_iter().flatten().copied()
    }

    pub(super) fn update(&mut self, uuid: Uuid, old: Option<&Row>, new: Option<&Row>) {
        let (old, new) = (self.elements(old), self.elements(new));
        if old == new {
            return;
        }
        for gone in old.iter().filter(|a| new.binary_search(a).is_err()) {
            if let Some(set) = self.rows.get_mut(gone) {
                set.remove(&uuid);
                if set.is_empty() {
                    self.rows.remove(gone);
                }
            }
        }
        for added in new.iter().filter(|a| old.binary_search(a).is_err()) {
            self.rows.entry(added.clone()).or_default().insert(uuid);
        }
    }

    fn elements<'a>(&self, row: Option<&'a Row>) -> &'a [Atom] {
        let Some(value) = row.and_then(|r| r.get(&self.spec.column)) else {
            return &[];
        };
        match (&self.spec.key, value) {
            (Some(key), Datum::Map(map)) => map
                .get(&Atom::String(key.clone()))
                .map(core::slice::from_ref)
                .unwrap_or_default(),
            (None, value) => value.atoms(),
            _ => &[],
        }
    }
}
