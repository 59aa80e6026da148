//! Column types from JSON (RFC 7047 §3.2 `<type>`, `<base-type>`, `<atomic-type>`).

use super::members::Members;
use super::{AtomicType, BaseType, ColumnType, Limits, RefType};
use crate::error::{DecodeError, Fault};
use crate::json::{Json, Str};
use crate::value::{Datum, Set, is_id};

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
                .filter(|n| (1..u32::MAX).contains(n))
                .and_then(|n| usize::try_from(n).ok())
                .ok_or(DecodeError::expected("max", "1 to 4294967294"))?,
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
        // A type has one constraint: an enumeration, or limits, or a reference.
        if let Some(json) = members.optional("enum") {
            let allowed = parse_enum(json, kind)?;
            members.finish()?;
            return Ok(Self {
                kind,
                limits: Limits::Enum(allowed),
                reference: None,
            });
        }
        let limits = parse_limits(&members, kind)?;
        let reference = match kind {
            AtomicType::Uuid => parse_reference(&members)?,
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

fn parse_reference(members: &Members<'_>) -> Result<Option<(Str, RefType)>, DecodeError> {
    let table = match members.optional("refTable") {
        None => return Ok(None),
        Some(Json::String(table)) if is_id(table) => table.clone(),
        Some(_) => return Err(DecodeError::expected("refTable", "a table name")),
    };
    let strength = match members.optional("refType").map(Json::as_str) {
        None | Some(Some("strong")) => RefType::Strong,
        Some(Some("weak")) => RefType::Weak,
        Some(_) => return Err(DecodeError::new("refType", Fault::BadWord)),
    };
    Ok(Some((table, strength)))
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
    // A bound at the end of its type's range is none.
    match kind {
        AtomicType::Integer => {
            let bound = |name, end| match members.optional(name) {
                None => Ok(None),
                Some(Json::Integer(i)) => Ok(Some(*i).filter(|i| *i != end)),
                Some(_) => Err(DecodeError::expected("base type", "an integer bound")),
            };
            match (
                bound("minInteger", i64::MIN)?,
                bound("maxInteger", i64::MAX)?,
            ) {
                (None, None) => Ok(Limits::None),
                (Some(min), Some(max)) if min > max => Err(ORDER),
                (min, max) => Ok(Limits::Integer(min, max)),
            }
        }
        AtomicType::Real => {
            #[expect(clippy::cast_precision_loss, reason = "JSON has one number type")]
            let bound = |name, end| match members.optional(name) {
                None => Ok(None),
                Some(Json::Integer(i)) => Ok(Some(*i as f64)),
                Some(Json::Real(r)) => Ok(Some(*r).filter(|r| *r != end)),
                Some(_) => Err(DecodeError::expected("base type", "a numeric bound")),
            };
            match (bound("minReal", f64::MIN)?, bound("maxReal", f64::MAX)?) {
                (None, None) => Ok(Limits::None),
                (Some(min), Some(max)) if min > max => Err(ORDER),
                (min, max) => Ok(Limits::Real(min, max)),
            }
        }
        AtomicType::String => {
            let bound = |name, end| match members.optional(name) {
                None => Ok(None),
                Some(json) => json
                    .as_integer()
                    .and_then(|i| u32::try_from(i).ok())
                    .map(|length| Some(length).filter(|length| *length != end))
                    .ok_or(DecodeError::expected(
                        "base type",
                        "a length from 0 to 4294967295",
                    )),
            };
            match (bound("minLength", 0)?, bound("maxLength", u32::MAX)?) {
                (None, None) => Ok(Limits::None),
                (Some(min), Some(max)) if min > max => Err(ORDER),
                (min, max) => Ok(Limits::Length(min, max)),
            }
        }
        AtomicType::Boolean | AtomicType::Uuid => Ok(Limits::None),
    }
}
