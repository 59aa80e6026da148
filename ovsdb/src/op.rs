//! Database operations (RFC 7047 §5.2) and their results.
//!
//! [`Transaction`] collects operations; rows it inserts can be referred to at once, before the
//! server has given them identifiers. Knows nothing of the connection that carries it. Held by
//! the `execution` vectors and `tests/server_ops.rs`.

mod results;

pub use results::{OpResult, Results, ServerError, TransactError, decode_results};

use crate::condition::Condition;
use crate::json::{Json, Object, Str};
use crate::mutation::Mutation;
use crate::uuid::Uuid;
use crate::value::{Atom, Datum};
use std::collections::BTreeMap;

/// Column values by column name.
pub type Columns = BTreeMap<Str, Datum>;

/// Column values from pairs.
pub fn columns<N: Into<Str>, D: Into<Datum>, const K: usize>(pairs: [(N, D); K]) -> Columns {
    pairs
        .into_iter()
        .map(|(n, d)| (n.into(), d.into()))
        .collect()
}

/// One database operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// RFC 7047 §5.2.1
    Insert {
        /// Table to insert into.
        table: Str,
        /// Columns that differ from their default.
        row: Columns,
        /// Name by which the transaction refers to the row.
        uuid_name: Option<Str>,
        /// Identifier chosen by the client; an extension of ovsdb-server.
        uuid: Option<Uuid>,
    },
    /// RFC 7047 §5.2.2
    Select {
        /// Table to read.
        table: Str,
        /// Which rows.
        conditions: Vec<Condition>,
        /// Which columns; `None` is all, with `_uuid` and `_version`.
        columns: Option<Vec<Str>>,
    },
    /// RFC 7047 §5.2.3
    Update {
        /// Table to change.
        table: Str,
        /// Which rows.
        conditions: Vec<Condition>,
        /// New values.
        row: Columns,
    },
    /// RFC 7047 §5.2.4
    Mutate {
        /// Table to change.
        table: Str,
        /// Which rows.
        conditions: Vec<Condition>,
        /// What to change.
        mutations: Vec<Mutation>,
    },
    /// RFC 7047 §5.2.5
    Delete {
        /// Table to delete from.
        table: Str,
        /// Which rows.
        conditions: Vec<Condition>,
    },
    /// RFC 7047 §5.2.6
    Wait {
        /// Milliseconds until the operation fails; `None` waits without end.
        timeout: Option<u64>,
        /// Table to watch.
        table: Str,
        /// Which rows.
        conditions: Vec<Condition>,
        /// Which columns are compared.
        columns: Vec<Str>,
        /// True waits until the rows equal `rows`, false until they differ.
        until_equal: bool,
        /// The rows to compare with.
        rows: Vec<Columns>,
    },
    /// RFC 7047 §5.2.7
    Commit {
        /// True if the reply must wait until the change is on disk.
        durable: bool,
    },
    /// RFC 7047 §5.2.8
    Abort,
    /// RFC 7047 §5.2.9
    Comment(Str),
    /// RFC 7047 §5.2.10
    Assert {
        /// Lock that must be held.
        lock: Str,
    },
}

impl Operation {
    /// The wire form.
    pub fn to_json(&self) -> Json {
        let mut out = Object::new();
        let mut set = |name: &'static str, value: Json| out.insert(name, value);
        match self {
            Self::Insert {
                table,
                row,
                uuid_name,
                uuid,
            } => {
                set("op", "insert".into());
                set("table", table.clone().into());
                set("row", row_to_json(row));
                if let Some(name) = uuid_name {
                    set("uuid-name", name.clone().into());
                }
                if let Some(uuid) = uuid {
                    set("uuid", uuid.to_string().as_str().into());
                }
            }
            Self::Select {
                table,
                conditions,
                columns,
            } => {
                set("op", "select".into());
                set("table", table.clone().into());
                set("where", conditions_to_json(conditions));
                if let Some(columns) = columns {
                    set("columns", names_to_json(columns));
                }
            }
            Self::Update {
                table,
                conditions,
                row,
            } => {
                set("op", "update".into());
                set("table", table.clone().into());
                set("where", conditions_to_json(conditions));
                set("row", row_to_json(row));
            }
            Self::Mutate {
                table,
                conditions,
                mutations,
            } => {
                set("op", "mutate".into());
                set("table", table.clone().into());
                set("where", conditions_to_json(conditions));
                let mutations = mutations.iter().map(Mutation::to_json).collect();
                set("mutations", Json::Array(mutations));
            }
            Self::Delete { table, conditions } => {
                set("op", "delete".into());
                set("table", table.clone().into());
                set("where", conditions_to_json(conditions));
            }
            Self::Wait {
                timeout,
                table,
                conditions,
                columns,
                until_equal,
                rows,
            } => {
                set("op", "wait".into());
                if let Some(ms) = timeout {
                    set(
                        "timeout",
                        Json::Integer(i64::try_from(*ms).unwrap_or(i64::MAX)),
                    );
                }
                set("table", table.clone().into());
                set("where", conditions_to_json(conditions));
                set("columns", names_to_json(columns));
                set("until", if *until_equal { "==" } else { "!=" }.into());
                set("rows", Json::Array(rows.iter().map(row_to_json).collect()));
            }
            Self::Commit { durable } => {
                set("op", "commit".into());
                set("durable", Json::Bool(*durable));
            }
            Self::Abort => set("op", "abort".into()),
            Self::Comment(text) => {
                set("op", "comment".into());
                set("comment", text.clone().into());
            }
            Self::Assert { lock } => {
                set("op", "assert".into());
                set("lock", lock.clone().into());
            }
        }
        Json::Object(out)
    }
}

/// The wire form of a row.
pub(crate) fn row_to_json(row: &Columns) -> Json {
    Json::Object(row.iter().map(|(n, d)| (n.clone(), d.to_json())).collect())
}

pub(crate) fn conditions_to_json(conditions: &[Condition]) -> Json {
    Json::Array(conditions.iter().map(Condition::to_json).collect())
}

fn names_to_json(names: &[Str]) -> Json {
    Json::Array(names.iter().cloned().map(Json::String).collect())
}

/// Operations that take effect together or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transaction {
    operations: Vec<Operation>,
}

/// Position of an operation in its transaction and of its result in the reply.
pub type OpIndex = usize;

/// A row inserted by a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRow {
    /// Position of the insert operation.
    pub op: OpIndex,
    /// Refers to the row from other operations of the same transaction.
    pub reference: Atom,
}

impl Transaction {
    /// An empty transaction.
    pub const fn new() -> Self {
        Self {
            operations: Vec::new(),
        }
    }

    /// Appends an operation.
    pub fn push(&mut self, operation: Operation) -> OpIndex {
        self.operations.push(operation);
        self.operations.len() - 1
    }

    /// Inserts a row.
    pub fn insert(&mut self, table: impl Into<Str>, row: Columns) -> NewRow {
        let name: Str = format!("row{}", self.operations.len()).into();
        let op = self.push(Operation::Insert {
            table: table.into(),
            row,
            uuid_name: Some(name.clone()),
            uuid: None,
        });
        NewRow {
            op,
            reference: Atom::NamedUuid(name),
        }
    }

    /// Changes column values of the rows that match every condition.
    pub fn update(
        &mut self,
        table: impl Into<Str>,
        conditions: impl Into<Vec<Condition>>,
        row: Columns,
    ) -> OpIndex {
        let (table, conditions) = (table.into(), conditions.into());
        self.push(Operation::Update {
            table,
            conditions,
            row,
        })
    }

    /// Mutates the rows that match every condition.
    pub fn mutate(
        &mut self,
        table: impl Into<Str>,
        conditions: impl Into<Vec<Condition>>,
        mutations: impl Into<Vec<Mutation>>,
    ) -> OpIndex {
        let (table, conditions, mutations) = (table.into(), conditions.into(), mutations.into());
        self.push(Operation::Mutate {
            table,
            conditions,
            mutations,
        })
    }

    /// Deletes the rows that match every condition.
    pub fn delete(
        &mut self,
        table: impl Into<Str>,
        conditions: impl Into<Vec<Condition>>,
    ) -> OpIndex {
        let (table, conditions) = (table.into(), conditions.into());
        self.push(Operation::Delete { table, conditions })
    }

    /// Reads columns of the rows that match every condition.
    pub fn select<N: Into<Str>>(
        &mut self,
        table: impl Into<Str>,
        conditions: impl Into<Vec<Condition>>,
        columns: impl IntoIterator<Item = N>,
    ) -> OpIndex {
        self.push(Operation::Select {
            table: table.into(),
            conditions: conditions.into(),
            columns: Some(columns.into_iter().map(Into::into).collect()),
        })
    }

    /// Fails the transaction at once unless exactly the given rows match: a guard against
    /// concurrent changes.
    pub fn guard<N: Into<Str>>(
        &mut self,
        table: impl Into<Str>,
        conditions: impl Into<Vec<Condition>>,
        columns: impl IntoIterator<Item = N>,
        rows: Vec<Columns>,
    ) -> OpIndex {
        self.push(Operation::Wait {
            timeout: Some(0),
            table: table.into(),
            conditions: conditions.into(),
            columns: columns.into_iter().map(Into::into).collect(),
            until_equal: true,
            rows,
        })
    }

    /// Adds a comment for the server's log.
    pub fn comment(&mut self, text: impl Into<Str>) -> OpIndex {
        self.push(Operation::Comment(text.into()))
    }

    /// The operations in order.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// Number of operations.
    pub const fn len(&self) -> usize {
        self.operations.len()
    }

    /// True if there is no operation.
    pub const fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Parameters of a `transact` request (RFC 7047 §4.1.3).
    pub fn to_params(&self, database: &Str) -> Vec<Json> {
        let mut params = vec![Json::String(database.clone())];
        params.extend(self.operations.iter().map(Operation::to_json));
        params
    }
}

impl From<Vec<Operation>> for Transaction {
    fn from(operations: Vec<Operation>) -> Self {
        Self { operations }
    }
}
