//! Column types (RFC 7047 §3.2 `<type>`, `<base-type>`, `<atomic-type>`) and their constraints.

use crate::error::{DecodeError, Fault};
use crate::json::text::has_stray_bytes;
use crate::json::{Json, Object, Str};
use crate::uuid::Uuid;
use crate::value::{Atom, Datum, Map, Real, Set};

/// The five scalar types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AtomicType {
    /// 64-bit signed integer.
    Integer,
    /// Double.
    Real,
    /// Boolean.
    Boolean,
    /// String.
    String,
    /// Row identifier.
    Uuid,
}

/// What kind of reference a uuid column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefType {
    /// The referenced row is kept alive and must exist.
    Strong,
    /// The reference disappears with the row.
    Weak,
}

/// Constraint on the values of a base type.
#[derive(Clone, Debug, PartialEq)]
pub enum Limits {
    /// Every value is allowed.
    None,
    /// Only the listed values are allowed.
    Enum(Set),
    /// Smallest and largest integer.
    Integer(Option<i64>, Option<i64>),
    /// Smallest and largest real.
    Real(Option<f64>, Option<f64>),
    /// Smallest and largest number of characters.
    Length(Option<u32>, Option<u32>),
}

/// A scalar type with its constraint (RFC 7047 §3.2 `<base-type>`).
#[derive(Clone, Debug, PartialEq)]
pub struct BaseType {
    /// The scalar type.
    pub kind: AtomicType,
    /// Which values are allowed.
    pub limits: Limits,
    /// For uuids: table and kind of the reference.
    pub reference: Option<(Str, RefType)>,
}

/// The type of a column (RFC 7047 §3.2 `<type>`).
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnType {
    /// Type of the elements, or of the keys of a map.
    pub key: BaseType,
    /// Type of the values of a map.
    pub value: Option<BaseType>,
    /// Smallest number of elements: 0 or 1.
    pub min: usize,
    /// Largest number of elements; `usize::MAX` is unlimited.
    pub max: usize,
}

impl AtomicType {
    /// The name used in schemas.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Real => "real",
            Self::Boolean => "boolean",
            Self::String => "string",
            Self::Uuid => "uuid",
        }
    }

    /// The value a column of this type has if a new row does not set it.
    pub fn default_atom(self) -> Atom {
        match self {
            Self::Integer => Atom::Integer(0),
            Self::Real => Atom::Real(Real::default()),
            Self::Boolean => Atom::Boolean(false),
            Self::String => Atom::String(Str::default()),
            Self::Uuid => Atom::Uuid(Uuid::ZERO),
        }
    }

    /// True for integers and reals.
    pub const fn is_number(self) -> bool {
        matches!(self, Self::Integer | Self::Real)
    }

    /// True if `atom` is of this type; a named UUID counts as a UUID.
    pub const fn holds(self, atom: &Atom) -> bool {
        matches!(
            (self, atom),
            (Self::Integer, Atom::Integer(_))
                | (Self::Real, Atom::Real(_))
                | (Self::Boolean, Atom::Boolean(_))
                | (Self::String, Atom::String(_))
                | (Self::Uuid, Atom::Uuid(_) | Atom::NamedUuid(_))
        )
    }
}

impl BaseType {
    /// An unconstrained scalar.
    pub const fn plain(kind: AtomicType) -> Self {
        Self {
            kind,
            limits: Limits::None,
            reference: None,
        }
    }

    /// Checks type and constraint of one atom.
    pub fn check(&self, atom: &Atom) -> Result<(), DecodeError> {
        let fail = |text| Err(DecodeError::new("atom", Fault::Constraint(text)));
        if !self.kind.holds(atom) {
            return Err(DecodeError::expected("atom", self.kind.name()));
        }
        match (&self.limits, atom) {
            (Limits::Enum(allowed), _) if !allowed.contains(atom) => {
                fail("not one of the allowed values")
            }
            (Limits::Integer(Some(min), _), Atom::Integer(i)) if i < min => fail("below minimum"),
            (Limits::Integer(_, Some(max)), Atom::Integer(i)) if i > max => fail("above maximum"),
            (Limits::Real(Some(min), _), Atom::Real(r)) if r.value() < *min => {
                fail("below minimum")
            }
            (Limits::Real(_, Some(max)), Atom::Real(r)) if r.value() > *max => {
                fail("above maximum")
            }
            (Limits::Length(min, max), Atom::String(s)) => {
                let length = s.chars().count();
                let at_least = |limit: u32| length >= usize::try_from(limit).unwrap_or(usize::MAX);
                let at_most = |limit: u32| length <= usize::try_from(limit).unwrap_or(usize::MAX);
                if !min.is_none_or(at_least) {
                    fail("shorter than allowed")
                } else if !max.is_none_or(at_most) {
                    fail("longer than allowed")
                } else {
                    check_text(s)
                }
            }
            (_, Atom::String(s)) => check_text(s),
            _ => Ok(()),
        }
    }

    /// The canonical JSON form.
    pub fn to_json(&self) -> Json {
        let name = Json::from(self.kind.name());
        let mut out = Object::new();
        match &self.limits {
            Limits::None => {}
            Limits::Enum(allowed) => out.insert("enum", Datum::from(allowed.clone()).to_json()),
            Limits::Integer(min, max) => {
                set(&mut out, "minInteger", min.map(Json::Integer));
                set(&mut out, "maxInteger", max.map(Json::Integer));
            }
            Limits::Real(min, max) => {
                let json = |r: f64| Real::new(r).map_or(Json::Null, |r| Atom::Real(r).to_json());
                set(&mut out, "minReal", min.map(json));
                set(&mut out, "maxReal", max.map(json));
            }
            Limits::Length(min, max) => {
                set(
                    &mut out,
                    "minLength",
                    min.map(|l| Json::Integer(i64::from(l))),
                );
                set(
                    &mut out,
                    "maxLength",
                    max.map(|l| Json::Integer(i64::from(l))),
                );
            }
        }
        if let Some((table, kind)) = &self.reference {
            out.insert("refTable", Json::String(table.clone()));
            if *kind == RefType::Weak {
                out.insert("refType", Json::from("weak"));
            }
        }
        if out.is_empty() {
            return name;
        }
        out.insert("type", name);
        Json::Object(out)
    }
}

fn set(out: &mut Object, name: &'static str, value: Option<Json>) {
    if let Some(value) = value {
        out.insert(name, value);
    }
}

/// The server stores only UTF-8, although it passes other bytes through elsewhere, and closes
/// the connection at U+0000.
fn check_text(s: &str) -> Result<(), DecodeError> {
    if s.contains('\0') {
        return Err(DecodeError::new(
            "atom",
            Fault::Constraint("contains U+0000"),
        ));
    }
    let text = crate::json::text::encode;
    if has_stray_bytes(s) && core::str::from_utf8(&text(s)).is_err() {
        return Err(DecodeError::new("atom", Fault::Constraint("not UTF-8")));
    }
    Ok(())
}

impl ColumnType {
    /// Exactly one unconstrained scalar.
    pub const fn scalar(kind: AtomicType) -> Self {
        Self {
            key: BaseType::plain(kind),
            value: None,
            min: 1,
            max: 1,
        }
    }

    /// True if the column holds exactly one element and no map.
    pub const fn is_scalar(&self) -> bool {
        self.value.is_none() && self.min == 1 && self.max == 1
    }

    /// True if the column holds at most one element and no map.
    pub const fn is_scalar_or_optional(&self) -> bool {
        self.value.is_none() && self.max == 1
    }

    /// True if the column holds a map.
    pub const fn is_map(&self) -> bool {
        self.value.is_some()
    }

    /// The value a column has if a new row does not set it.
    pub fn default_datum(&self) -> Datum {
        match (&self.value, self.min) {
            (None, 0) => Datum::EMPTY,
            (Some(_), 0) => Datum::Map(Map::EMPTY),
            (None, _) => Datum::Atom(self.key.kind.default_atom()),
            (Some(value), _) => {
                Datum::map([(self.key.kind.default_atom(), value.kind.default_atom())])
            }
        }
    }

    /// Checks types, constraints and number of elements of a value.
    pub fn check(&self, datum: &Datum) -> Result<(), DecodeError> {
        let had = datum.len();
        if had < self.min || had > self.max {
            let fault = Fault::Count {
                had,
                min: self.min,
                max: self.max,
            };
            return Err(DecodeError::new("column value", fault));
        }
        self.check_elements(datum)
    }

    /// Checks types and constraints, but not the number of elements.
    pub fn check_elements(&self, datum: &Datum) -> Result<(), DecodeError> {
        match (datum, &self.value) {
            (Datum::Map(map), Some(value)) => map.iter().try_for_each(|(k, v)| {
                self.key.check(k)?;
                value.check(v)
            }),
            (Datum::Atom(_) | Datum::Set(_), None) => {
                datum.atoms().iter().try_for_each(|a| self.key.check(a))
            }
            (_, Some(_)) => Err(DecodeError::expected("column value", "a map")),
            (_, None) => Err(DecodeError::expected("column value", "a set")),
        }
    }

    /// The canonical JSON form.
    pub fn to_json(&self) -> Json {
        let key = self.key.to_json();
        if self.is_scalar() && key.as_str().is_some() {
            return key;
        }
        let mut out = Object::new();
        out.insert("key", key);
        set(
            &mut out,
            "value",
            self.value.as_ref().map(BaseType::to_json),
        );
        if self.min != 1 {
            out.insert("min", Json::Integer(0));
        }
        if self.max == usize::MAX {
            out.insert("max", Json::from("unlimited"));
        } else if self.max != 1 {
            out.insert(
                "max",
                Json::Integer(i64::try_from(self.max).unwrap_or(i64::MAX)),
            );
        }
        Json::Object(out)
    }
}
