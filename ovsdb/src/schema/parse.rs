//! Schemas from JSON (RFC 7047 §3.2).

use super::{
    AtomicType, BaseType, ColumnSchema, ColumnType, DatabaseSchema, Limits, RefType, TableSchema,
};
use crate::error::{DecodeError, Fault};
use crate::json::{Json, Object, Str};
use crate::value::{Datum, Set, is_id};
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
        members.optional("cksum");
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
            Some(json) => match json.as_integer().and_then(|i| u32::try_from(i).ok()) {
                Some(rows @ 1..) => Some(rows),
                _ => return Err(DecodeError::expected("maxRows", "at least 1")),
            },
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

impl ColumnType {
    /// Parses a `<type>`.
    pub fn parse(json: &Json) -> Result<Self, DecodeError> {
        const WHAT: &str = "type";
        if json.as_str().is_some() {
            return Ok(Self {
                key: BaseType::parse(json)?,
                value: None,
                min: 1,
                max: 1,
            });
        }
        let members = Members::new(WHAT, json)?;
        let key = BaseType::parse(members.required("key")?)?;
        let value = members.optional("value").map(BaseType::parse).transpose()?;
        let min = match members.optional("min").map(Json::as_integer) {
            None => 1,
            Some(Some(0)) => 0,
            Some(Some(1)) => 1,
            Some(_) => return Err(DecodeError::expected("min", "0 or 1")),
        };
        let max = match members.optional("max") {
            None => 1,
            Some(Json::Integer(n)) => u32::try_from(*n)
                .ok()
                .and_then(|n| usize::try_from(n).ok())
                .filter(|n| *n >= 1)
                .ok_or(DecodeError::expected("max", "at least 1"))?,
            Some(Json::String(s)) if &**s == "unlimited" => usize::MAX,
            Some(_) => return Err(DecodeError::expected("max", "an integer or \"unlimited\"")),
        };
        members.finish()?;
        Ok(Self {
            key,
            value,
            min,
            max,
        })
    }
}

impl AtomicType {
    /// Parses an `<atomic-type>`.
    pub fn parse(json: &Json) -> Result<Self, DecodeError> {
        Ok(
            match json
                .as_str()
                .ok_or(DecodeError::expected("atomic type", "a string"))?
            {
                "integer" => Self::Integer,
                "real" => Self::Real,
                "boolean" => Self::Boolean,
                "string" => Self::String,
                "uuid" => Self::Uuid,
                _ => return Err(DecodeError::new("atomic type", Fault::BadWord)),
            },
        )
    }
}

impl BaseType {
    /// Parses a `<base-type>`.
    pub fn parse(json: &Json) -> Result<Self, DecodeError> {
        if json.as_str().is_some() {
            return AtomicType::parse(json).map(Self::plain);
        }
        let members = Members::new("base type", json)?;
        let kind = AtomicType::parse(members.required("type")?)?;
        let limits = if let Some(json) = members.optional("enum") {
            Limits::Enum(parse_enum(json, kind)?)
        } else {
            parse_limits(&members, kind)?
        };
        let reference = match (kind, members.optional_uuid_only(kind, "refTable")) {
            (AtomicType::Uuid, Some(Json::String(table))) if is_id(table) => {
                let strength = match members.optional("refType").map(|j| j.as_str()) {
                    None | Some(Some("strong")) => RefType::Strong,
                    Some(Some("weak")) => RefType::Weak,
                    Some(_) => return Err(DecodeError::new("refType", Fault::BadWord)),
                };
                Some((table.clone(), strength))
            }
            (AtomicType::Uuid, Some(_)) => {
                return Err(DecodeError::expected("refTable", "a table name"));
            }
            _ => None,
        };
        members.finish()?;
        Ok(Self {
            kind,
            limits,
            reference,
        })
    }
}

fn parse_enum(json: &Json, kind: AtomicType) -> Result<Set, DecodeError> {
    let column = ColumnType {
        key: BaseType::plain(kind),
        value: None,
        min: 1,
        max: usize::MAX,
    };
    Ok(Datum::decode(json, &column)?
        .atoms()
        .iter()
        .cloned()
        .collect())
}

fn parse_limits(members: &Members<'_>, kind: AtomicType) -> Result<Limits, DecodeError> {
    const ORDER: DecodeError =
        DecodeError::new("base type", Fault::Constraint("minimum exceeds maximum"));
    match kind {
        AtomicType::Integer => {
            let bound = |name| match members.optional(name) {
                None => Ok(None),
                Some(Json::Integer(i)) => Ok(Some(*i)),
                Some(_) => Err(DecodeError::expected("base type", "an integer bound")),
            };
            match (bound("minInteger")?, bound("maxInteger")?) {
                (None, None) => Ok(Limits::None),
                (Some(min), Some(max)) if min > max => Err(ORDER),
                (min, max) => Ok(Limits::Integer(min, max)),
            }
        }
        AtomicType::Real => {
            #[expect(clippy::cast_precision_loss, reason = "JSON has one number type")]
            let bound = |name| match members.optional(name) {
                None => Ok(None),
                Some(Json::Integer(i)) => Ok(Some(*i as f64)),
                Some(Json::Real(r)) => Ok(Some(*r)),
                Some(_) => Err(DecodeError::expected("base type", "a numeric bound")),
            };
            match (bound("minReal")?, bound("maxReal")?) {
                (None, None) => Ok(Limits::None),
                (Some(min), Some(max)) if min > max => Err(ORDER),
                (min, max) => Ok(Limits::Real(min, max)),
            }
        }
        AtomicType::String => {
            let bound = |name| match members.optional(name) {
                None => Ok(None),
                Some(json) => json
                    .as_integer()
                    .and_then(|i| u32::try_from(i).ok())
                    .map(Some)
                    .ok_or(DecodeError::expected(
                        "base type",
                        "a length from 0 to 4294967295",
                    )),
            };
            match (bound("minLength")?, bound("maxLength")?) {
                (None, None) => Ok(Limits::None),
                (Some(min), Some(max)) if min > max => Err(ORDER),
                (min, max) => Ok(Limits::Length(min, max)),
            }
        }
        AtomicType::Boolean | AtomicType::Uuid => Ok(Limits::None),
    }
}

/// The members of an object with a record of which ones have been asked for.
struct Members<'a> {
    what: &'static str,
    object: &'a Object,
    used: core::cell::RefCell<Vec<&'static str>>,
}

impl<'a> Members<'a> {
    fn new(what: &'static str, json: &'a Json) -> Result<Self, DecodeError> {
        let object = json
            .as_object()
            .ok_or(DecodeError::expected(what, "an object"))?;
        Ok(Self {
            what,
            object,
            used: core::cell::RefCell::default(),
        })
    }

    fn optional(&self, name: &'static str) -> Option<&'a Json> {
        self.used.borrow_mut().push(name);
        self.object.get(name)
    }

    fn optional_uuid_only(&self, kind: AtomicType, name: &'static str) -> Option<&'a Json> {
        if kind == AtomicType::Uuid {
            self.optional(name)
        } else {
            None
        }
    }

    fn required(&self, name: &'static str) -> Result<&'a Json, DecodeError> {
        self.optional(name)
            .ok_or(DecodeError::new(self.what, Fault::Missing(name)))
    }

    fn object(&self, name: &'static str) -> Result<&'a Object, DecodeError> {
        self.required(name)?
            .as_object()
            .ok_or(DecodeError::expected(self.what, "an object"))
    }

    fn id(&self, name: &'static str) -> Result<Str, DecodeError> {
        match self.required(name)? {
            Json::String(s) if is_id(s) => Ok(s.clone()),
            _ => Err(DecodeError::expected(self.what, "an <id>")),
        }
    }

    fn boolean(&self, name: &'static str, default: bool) -> Result<bool, DecodeError> {
        match self.optional(name) {
            None => Ok(default),
            Some(json) => json
                .as_bool()
                .ok_or(DecodeError::expected(self.what, "a boolean member")),
        }
    }

    /// Refuses members nobody asked for.
    fn finish(self) -> Result<(), DecodeError> {
        let used = self.used.borrow();
        if self.object.iter().all(|(name, _)| used.contains(&&**name)) {
            return Ok(());
        }
        Err(DecodeError::new(self.what, Fault::Unknown))
    }
}
