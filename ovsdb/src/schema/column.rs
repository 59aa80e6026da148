//! Column schemas: the implicit columns and the canonical form.

use super::{AtomicType, BaseType, ColumnSchema, ColumnType, Limits};
use crate::json::{Json, Object};

/// `_uuid` and `_version`: maintained by the server.
pub(super) static IMPLICIT: ColumnSchema = ColumnSchema {
    kind: ColumnType {
        key: BaseType {
            kind: AtomicType::Uuid,
            limits: Limits::None,
            reference: None,
        },
        value: None,
        min: 1,
        max: 1,
    },
    ephemeral: false,
    mutable: false,
};

impl ColumnSchema {
    /// The canonical JSON form.
    pub fn to_json(&self) -> Json {
        let mut out = Object::new();
        out.insert("type", self.kind.to_json());
        if self.ephemeral {
            out.insert("ephemeral", Json::Bool(true));
        }
        if !self.mutable {
            out.insert("mutable", Json::Bool(false));
        }
        Json::Object(out)
    }
}
