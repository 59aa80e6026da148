//! Database schemas (RFC 7047 §3.2): types, parsing, constraints, and the check of a
//! transaction before it is sent.
//!
//! Knows nothing of connections. Held by the `types`, `column`, `table` and `schema` vectors
//! and `tests/server_check.rs`.
//!
//! ```
//! use ovsdb::{json::parse, schema::DatabaseSchema, value::Datum};
//!
//! let json = parse(
//!     br#"{"name":"d","tables":{"t":{"columns":{"tag":{"type":{
//!         "key":{"type":"integer","minInteger":0,"maxInteger":4095},"min":0}}}}}}"#,
//! )?;
//! let schema = DatabaseSchema::parse(&json)?;
//! let kind = &schema.table("t").unwrap().column("tag").unwrap().kind;
//! assert_eq!(Datum::from_text("5", kind)?, Datum::from(5));
//! assert_eq!(
//!     Datum::from_text("5000", kind).unwrap_err().to_string(),
//!     "constraint violation: 5000 is not in the valid range 0 to 4095 (inclusive)"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod check;
mod column;
mod members;
mod parse;
mod parse_type;
mod types;
mod words;

pub use check::{CheckError, check_transaction};
pub use types::{AtomicType, BaseType, ColumnType, Limits, RefType};
pub use words::Explanation;
pub(crate) use words::{type_mismatch, unknown_column};

use crate::json::{Json, Object, Str};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A database schema (RFC 7047 §3.2 `<database-schema>`).
#[derive(Clone, Debug, PartialEq)]
pub struct DatabaseSchema {
    /// Name of the database.
    pub name: Str,
    /// Version such as `8.3.1`; empty if the schema does not say.
    pub version: Str,
    /// What the author of the schema file put into `cksum`; empty if nothing.
    pub checksum: Str,
    /// Tables by name.
    pub tables: BTreeMap<Str, Arc<TableSchema>>,
    /// False if every table is a root.
    pub has_roots: bool,
}

/// A table schema (RFC 7047 §3.2 `<table-schema>`).
#[derive(Clone, Debug, PartialEq)]
pub struct TableSchema {
    /// Columns by name, without `_uuid` and `_version`.
    pub columns: BTreeMap<Str, ColumnSchema>,
    /// False if rows can never be modified.
    pub mutable: bool,
    /// Most rows the table may hold.
    pub max_rows: Option<u32>,
    /// True if rows stay without being referenced.
    pub is_root: bool,
    /// Sets of columns that are unique together.
    pub indexes: Vec<Vec<Str>>,
}

/// A column schema (RFC 7047 §3.2 `<column-schema>`).
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnSchema {
    /// Type of the values.
    pub kind: ColumnType,
    /// True if the values are not kept over a restart of the server.
    pub ephemeral: bool,
    /// False if the value is fixed once the row exists.
    pub mutable: bool,
}

impl DatabaseSchema {
    /// The table called `name`.
    pub fn table(&self, name: &str) -> Option<&Arc<TableSchema>> {
        self.tables.get(name)
    }

    /// The canonical JSON form.
    pub fn to_json(&self) -> Json {
        let tables = self
            .tables
            .iter()
            .map(|(name, table)| (name.clone(), table.to_json_in(self.has_roots)))
            .collect();
        let mut out = Object::new();
        out.insert("name", Json::String(self.name.clone()));
        out.insert("tables", Json::Object(tables));
        if !self.version.is_empty() {
            out.insert("version", Json::String(self.version.clone()));
        }
        if !self.checksum.is_empty() {
            out.insert("cksum", Json::String(self.checksum.clone()));
        }
        Json::Object(out)
    }
}

impl TableSchema {
    /// The column called `name`, including the implicit `_uuid` and `_version`.
    pub fn column(&self, name: &str) -> Option<&ColumnSchema> {
        let implicit = matches!(name, "_uuid" | "_version").then_some(&column::IMPLICIT);
        self.columns.get(name).or(implicit)
    }

    /// The canonical JSON form.
    pub fn to_json(&self) -> Json {
        self.to_json_in(true)
    }

    fn to_json_in(&self, has_roots: bool) -> Json {
        let columns = self
            .columns
            .iter()
            .map(|(n, c)| (n.clone(), c.to_json()))
            .collect();
        let mut out = Object::new();
        out.insert("columns", Json::Object(columns));
        if !self.mutable {
            out.insert("mutable", Json::Bool(false));
        }
        if let Some(max) = self.max_rows {
            out.insert("maxRows", Json::Integer(i64::from(max)));
        }
        if self.is_root && has_roots {
            out.insert("isRoot", Json::Bool(true));
        }
        if !self.indexes.is_empty() {
            let index = |columns: &Vec<Str>| {
                Json::Array(columns.iter().cloned().map(Json::String).collect())
            };
            out.insert(
                "indexes",
                Json::Array(self.indexes.iter().map(index).collect()),
            );
        }
        Json::Object(out)
    }
}
