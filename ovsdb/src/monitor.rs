//! Monitor requests and table updates (RFC 7047 §4.1.5, §4.1.6; ovsdb-server(7) for
//! `monitor_cond`, `monitor_cond_since` and their update2 and update3 notifications).
//!
//! Decodes updates into [`RowUpdate`]s; folding them into rows is the replica's work. Held by
//! the `monitor` vectors.

use crate::condition::Condition;
use crate::error::{DecodeError, Fault};
use crate::json::{Json, Object, Str};
use crate::op::conditions_to_json;
use crate::uuid::Uuid;

/// Which rows and columns of one table to monitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableMonitor {
    /// The table.
    pub table: Str,
    /// The columns; `None` is all.
    pub columns: Option<Vec<Str>>,
    /// A row is monitored if any of these holds; none given means every row.
    pub conditions: Vec<Condition>,
}

impl TableMonitor {
    /// Chosen columns of all rows.
    pub fn new<N: Into<Str>>(table: impl Into<Str>, columns: impl IntoIterator<Item = N>) -> Self {
        Self {
            table: table.into(),
            columns: Some(columns.into_iter().map(Into::into).collect()),
            conditions: Vec::new(),
        }
    }

    /// All columns of all rows.
    pub fn all(table: impl Into<Str>) -> Self {
        Self {
            table: table.into(),
            columns: None,
            conditions: Vec::new(),
        }
    }

    /// The same table and columns with other conditions.
    #[must_use]
    pub fn when(mut self, conditions: impl Into<Vec<Condition>>) -> Self {
        self.conditions = conditions.into();
        self
    }
}

/// The three generations of the monitor method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `monitor` with `update`; knows no conditions.
    Monitor,
    /// `monitor_cond` with `update2`.
    Cond,
    /// `monitor_cond_since` with `update3`.
    CondSince,
}

impl Method {
    /// The wire name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Monitor => "monitor",
            Self::Cond => "monitor_cond",
            Self::CondSince => "monitor_cond_since",
        }
    }

    /// The next older method.
    pub const fn older(self) -> Option<Self> {
        match self {
            Self::Monitor => None,
            Self::Cond => Some(Self::Monitor),
            Self::CondSince => Some(Self::Cond),
        }
    }

    /// Format of the updates.
    pub const fn format(self) -> Format {
        match self {
            Self::Monitor => Format::Update,
            Self::Cond | Self::CondSince => Format::Update2,
        }
    }

    /// Parameters of the request; `last_txn` matters to `monitor_cond_since` only.
    pub fn params(
        self,
        database: &Str,
        monitor_id: &Json,
        tables: &[TableMonitor],
        last_txn: Uuid,
    ) -> Vec<Json> {
        let requests: Object = tables
            .iter()
            .map(|t| (t.table.clone(), Json::Array(vec![self.request(t)])))
            .collect();
        let mut params = vec![
            database.clone().into(),
            monitor_id.clone(),
            Json::Object(requests),
        ];
        if self == Self::CondSince {
            params.push(Json::from(last_txn.to_string().as_str()));
        }
        params
    }

    fn request(self, table: &TableMonitor) -> Json {
        let mut out = Object::new();
        if let Some(columns) = &table.columns {
            out.insert(
                "columns",
                Json::Array(columns.iter().cloned().map(Json::String).collect()),
            );
        }
        if self != Self::Monitor && !table.conditions.is_empty() {
            out.insert("where", conditions_to_json(&table.conditions));
        }
        Json::Object(out)
    }
}

/// Parameters of `monitor_cond_change`.
pub fn change_params(old_id: &Json, new_id: &Json, tables: &[TableMonitor]) -> Vec<Json> {
    let request = |t: &TableMonitor| {
        let conditions = if t.conditions.is_empty() {
            Json::Array(vec![Json::Bool(true)])
        } else {
            conditions_to_json(&t.conditions)
        };
        (
            t.table.clone(),
            Json::Array(vec![Json::object([("where", conditions)])]),
        )
    };
    let requests = Json::Object(tables.iter().map(request).collect());
    vec![old_id.clone(), new_id.clone(), requests]
}

/// Update formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Old and new values.
    Update,
    /// Differences; shared by update2 and update3.
    Update2,
}

/// What happened to one row.
#[derive(Clone, Debug, PartialEq)]
pub enum RowUpdate {
    /// The row exists with these columns; all others monitored have their default.
    Present(Object),
    /// The row is gone.
    Absent,
    /// The row changed; the columns are differences in the sense of update2.
    Modified(Object),
    /// The row exists with these columns; others keep their values.
    Replaced(Object),
}

/// A row update with its place.
pub type TableRowUpdate = (Str, Uuid, RowUpdate);

/// Reads a `<table-updates>` or `<table-updates2>` object.
pub fn decode_updates(json: Json, format: Format) -> Result<Vec<TableRowUpdate>, DecodeError> {
    const WHAT: &str = "table updates";
    let Json::Object(tables) = json else {
        return Err(DecodeError::expected(WHAT, "an object"));
    };
    let mut out = Vec::new();
    for (table, rows) in tables {
        let Json::Object(rows) = rows else {
            return Err(DecodeError::expected(WHAT, "an object of rows"));
        };
        for (uuid, update) in rows {
            let uuid = Uuid::parse(&uuid).ok_or(DecodeError::expected(WHAT, "a row uuid"))?;
            let Json::Object(update) = update else {
                return Err(DecodeError::expected("row update", "an object"));
            };
            let update = match format {
                Format::Update => decode_update(update)?,
                Format::Update2 => decode_update2(update)?,
            };
            out.push((table.clone(), uuid, update));
        }
    }
    Ok(out)
}

fn decode_update(mut update: Object) -> Result<RowUpdate, DecodeError> {
    let (old, new) = (update.remove("old"), update.remove("new"));
    match (old, new) {
        _ if !update.is_empty() => Err(DecodeError::new("row update", Fault::Unknown)),
        (None, Some(Json::Object(new))) => Ok(RowUpdate::Present(new)),
        (Some(_), Some(Json::Object(new))) => Ok(RowUpdate::Replaced(new)),
        (Some(_), None | Some(Json::Null)) => Ok(RowUpdate::Absent),
        _ => Err(DecodeError::expected("row update", "old or new")),
    }
}

fn decode_update2(update: Object) -> Result<RowUpdate, DecodeError> {
    const WHAT: &str = "row update2";
    let mut members = update.into_iter();
    match (members.next(), members.next()) {
        (Some((kind, row)), None) => match (&*kind, row) {
            ("initial" | "insert", Json::Object(row)) => Ok(RowUpdate::Present(row)),
            ("modify", Json::Object(diff)) => Ok(RowUpdate::Modified(diff)),
            ("delete", _) => Ok(RowUpdate::Absent),
            ("initial" | "insert" | "modify", _) => Err(DecodeError::expected(WHAT, "a row")),
            _ => Err(DecodeError::new(WHAT, Fault::Unknown)),
        },
        _ => Err(DecodeError::expected(WHAT, "one member")),
    }
}
