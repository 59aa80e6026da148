//! Results of operations and errors of the server (RFC 7047 §4.1.3, §5.2).

use super::OpIndex;
use crate::error::DecodeError;
use crate::json::{Json, Object, Str};
use crate::uuid::Uuid;
use crate::value::Atom;

/// Result of one operation.
#[derive(Clone, Debug, PartialEq)]
pub enum OpResult {
    /// Identifier of an inserted row.
    Inserted(Uuid),
    /// Rows of a select.
    Rows(Vec<Object>),
    /// Number of rows updated, mutated or deleted.
    Count(i64),
    /// Success without a value.
    Done,
}

impl OpResult {
    fn decode(json: Json) -> Result<Self, DecodeError> {
        const WHAT: &str = "operation result";
        let Json::Object(mut object) = json else {
            return Err(DecodeError::expected(WHAT, "an object"));
        };
        if let Some(json) = object.remove("uuid") {
            let atom = Atom::decode_untyped(&json)?;
            let uuid = atom
                .as_uuid()
                .ok_or(DecodeError::expected(WHAT, "a uuid"))?;
            return Ok(Self::Inserted(uuid));
        }
        if let Some(json) = object.remove("count") {
            let count = json
                .as_integer()
                .ok_or(DecodeError::expected(WHAT, "a count"))?;
            return Ok(Self::Count(count));
        }
        let Some(rows) = object.remove("rows") else {
            return Ok(Self::Done);
        };
        let Json::Array(rows) = rows else {
            return Err(DecodeError::expected(WHAT, "an array of rows"));
        };
        let mut out = Vec::new();
        for row in rows {
            let Json::Object(row) = row else {
                return Err(DecodeError::expected(WHAT, "a row"));
            };
            out.push(row);
        }
        Ok(Self::Rows(out))
    }

    /// The identifier of an inserted row.
    pub const fn uuid(&self) -> Option<Uuid> {
        if let Self::Inserted(uuid) = self {
            Some(*uuid)
        } else {
            None
        }
    }

    /// The number of rows changed.
    pub const fn count(&self) -> Option<i64> {
        if let Self::Count(count) = self {
            Some(*count)
        } else {
            None
        }
    }

    /// The rows of a select.
    pub fn rows(&self) -> Option<&[Object]> {
        if let Self::Rows(rows) = self {
            Some(rows)
        } else {
            None
        }
    }
}

/// An error object of the server (RFC 7047 §4.1.3, `<error>`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerError {
    /// Which operation failed; `None` if the commit or the request as a whole did.
    pub op: Option<OpIndex>,
    /// Short description, such as `constraint violation`.
    pub error: Str,
    /// Explanation for people; may be empty.
    pub details: Str,
}

impl ServerError {
    /// Reads an error object or a bare string.
    pub fn decode(json: &Json, op: Option<OpIndex>) -> Self {
        let text = |name: &str| match json.member(name) {
            Some(Json::String(s)) => s.clone(),
            _ => Str::default(),
        };
        match json {
            Json::String(error) => Self {
                op,
                error: error.clone(),
                details: Str::default(),
            },
            Json::Object(o) if o.get("error").is_some() => Self {
                op,
                error: text("error"),
                details: text("details"),
            },
            other => Self {
                op,
                error: other.to_string().into(),
                details: Str::default(),
            },
        }
    }
}

impl core::fmt::Display for ServerError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        if let Some(op) = self.op {
            write!(f, "operation {op}: ")?;
        }
        f.write_str(&self.error)?;
        if self.details.is_empty() {
            Ok(())
        } else {
            write!(f, ": {}", self.details)
        }
    }
}

impl core::error::Error for ServerError {}

/// Results of a transaction that committed, one per operation.
pub type Results = Vec<OpResult>;

/// Reads the result member of a transact reply; a failed operation or commit is an error.
pub fn decode_results(json: Json, operations: usize) -> Result<Results, TransactError> {
    let Json::Array(elements) = json else {
        return Err(TransactError::Decode(DecodeError::expected(
            "transact reply",
            "an array",
        )));
    };
    let failed = |json: &Json| json.member("error").is_some();
    if let Some(at) = elements.iter().position(failed) {
        let op = (at < operations).then_some(at);
        let error = elements.get(at).map(|json| ServerError::decode(json, op));
        return Err(error.map_or(TransactError::Short, TransactError::Server));
    }
    if elements.len() < operations {
        return Err(TransactError::Short);
    }
    let results = elements.into_iter().take(operations).map(OpResult::decode);
    results
        .collect::<Result<_, _>>()
        .map_err(TransactError::Decode)
}

/// Why the reply to a transaction is not a success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactError {
    /// The server refused it; nothing was changed.
    Server(ServerError),
    /// The reply has fewer results than there were operations.
    Short,
    /// The reply is not what RFC 7047 says.
    Decode(DecodeError),
}

impl core::fmt::Display for TransactError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Server(error) => error.fmt(f),
            Self::Short => f.write_str("reply has too few results"),
            Self::Decode(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for TransactError {}
