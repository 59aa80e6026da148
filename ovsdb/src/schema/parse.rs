//! Schemas from JSON (RFC 7047 §3.2).

use super::members::Members;
use super::{BaseType, ColumnSchema, ColumnType, DatabaseSchema, RefType, TableSchema};
use crate::error::{DecodeError, Fault};
use crate::json::{Json, Str};
use crate::value::is_id;
use std::collections::BTreeMap;
use std::sync::Arc;

impl DatabaseSchema {
    /// Parses a schema as returned by `get_schema`.
    pub fn parse(json: &Json) -> Result<Self, DecodeError> {
        const WHAT: &str = "database schema";
        let members = Members::new(WHAT, json)?;
        let name = members.id("name")?;
        let version = match members.optional("version") {
            Some(Json::String(v)) if is_version(v) => v.clone(),
            Some(_) => return Err(DecodeError::expected("version", "x.y.z")),
            None => Str::default(),
        };
        let checksum = match members.optional("cksum") {
            None => Str::default(),
            Some(Json::String(text)) => text.clone(),
            Some(_) => return Err(DecodeError::expected("cksum", "a string")),
        };
        let mut tables = BTreeMap::new();
        for (table, json) in members.object("tables")?.iter() {
            check_name("table", table)?;
            tables.insert(table.clone(), TableSchema::parse(json)?);
        }
        members.finish()?;
        let has_roots = tables.values().any(|t| t.is_root);
        for table in tables.values() {
            for column in table.columns.values() {
                check_reference(&column.kind.key, &tables)?;
                column
                    .kind
                    .value
                    .iter()
                    .try_for_each(|v| check_reference(v, &tables))?;
            }
        }
        // The flag was added later: where no table is a root, all are (ovsdb(7)).
        if !has_roots {
            tables.values_mut().for_each(|t| t.is_root = true);
        }
        let roots: Vec<Str> = tables
            .iter()
            .filter(|(_, t)| t.is_root)
            .map(|(n, _)| n.clone())
            .collect();
        for column in tables.values_mut().flat_map(|t| t.columns.values_mut()) {
            column.settle(&roots);
        }
        let has_roots = tables.values().any(|t| !t.is_root);
        let tables = tables.into_iter().map(|(n, t)| (n, Arc::new(t))).collect();
        Ok(Self {
            name,
            version,
            checksum,
            tables,
            has_roots,
        })
    }
}

fn is_version(text: &str) -> bool {
    let mut parts = 0;
    text.split('.').all(|p| {
        parts += 1;
        !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit())
    }) && parts == 3
}

fn check_reference(
    base: &BaseType,
    tables: &BTreeMap<Str, TableSchema>,
) -> Result<(), DecodeError> {
    match &base.reference {
        Some((table, _)) if !tables.contains_key(table) => {
            Err(DecodeError::new("refTable", Fault::NoSuch("table")))
        }
        _ => Ok(()),
    }
}

fn check_name(what: &'static str, name: &str) -> Result<(), DecodeError> {
    if name.starts_with('_') || !is_id(name) {
        return Err(DecodeError::expected(
            what,
            "a name without leading underscore",
        ));
    }
    Ok(())
}

impl TableSchema {
    /// Parses one table of a schema.
    pub fn parse(json: &Json) -> Result<Self, DecodeError> {
        let members = Members::new("table schema", json)?;
        let mut columns = BTreeMap::new();
        for (name, json) in members.object("columns")?.iter() {
            check_name("column", name)?;
            columns.insert(name.clone(), ColumnSchema::parse(json)?);
        }
        if columns.is_empty() {
            return Err(DecodeError::expected("table schema", "at least one column"));
        }
        let mutable = members.boolean("mutable", true)?;
        let is_root = members.boolean("isRoot", false)?;
        let max_rows = match members.optional("maxRows") {
            None => None,
            // The largest number and everything above it mean no limit.
            Some(Json::Integer(rows @ 1..)) => {
                u32::try_from(*rows).ok().filter(|rows| *rows < u32::MAX)
            }
            Some(_) => return Err(DecodeError::expected("maxRows", "at least 1")),
        };
        let mut indexes = Vec::new();
        if let Some(json) = members.optional("indexes") {
            let list = json
                .as_array()
                .ok_or(DecodeError::expected("indexes", "an array"))?;
            for index in list {
                indexes.push(parse_index(index, &columns)?);
            }
        }
        members.finish()?;
        Ok(Self {
            columns,
            mutable,
            max_rows,
            is_root,
            indexes,
        })
    }
}

fn parse_index(
    json: &Json,
    columns: &BTreeMap<Str, ColumnSchema>,
) -> Result<Vec<Str>, DecodeError> {
    const NAMES: DecodeError = DecodeError::expected("index", "an array of distinct column names");
    let mut out: Vec<Str> = Vec::new();
    for name in json.as_array().ok_or(NAMES)? {
        let Json::String(name) = name else {
            return Err(NAMES);
        };
        let column = columns
            .get(name)
            .ok_or(DecodeError::new("index", Fault::NoSuch("column")))?;
        if column.ephemeral {
            return Err(DecodeError::expected("index", "persistent columns"));
        }
        if out.contains(name) {
            return Err(NAMES);
        }
        out.push(name.clone());
    }
    if out.is_empty() { Err(NAMES) } else { Ok(out) }
}

impl ColumnSchema {
    /// Parses one column of a table schema.
    pub fn parse(json: &Json) -> Result<Self, DecodeError> {
        let members = Members::new("column schema", json)?;
        let kind = ColumnType::parse(members.required("type")?)?;
        let mutable = members.boolean("mutable", true)?;
        let ephemeral = members.boolean("ephemeral", false)?;
        members.finish()?;
        Ok(Self {
            kind,
            ephemeral,
            mutable,
        })
    }

    /// Applies what references imply: one that keeps a row alive must survive a restart, and a
    /// weak one must be able to vanish.
    fn settle(&mut self, roots: &[Str]) {
        let bases = || core::iter::once(&self.kind.key).chain(&self.kind.value);
        let refers = |wanted: RefType| {
            let is = move |b: &&BaseType| b.reference.as_ref().is_some_and(|r| r.1 == wanted);
            bases()
                .filter(is)
                .filter_map(|b| b.reference.as_ref().map(|r| &r.0))
        };
        let keeps_alive = refers(RefType::Strong).any(|table| !roots.contains(table));
        let weak = refers(RefType::Weak).next().is_some();
        self.ephemeral &= !keeps_alive;
        self.mutable |= weak;
    }
}
