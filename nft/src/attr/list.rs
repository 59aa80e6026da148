//! Lists of nested items, and attributes without a name here.

use super::{Schema, Value};
use crate::error::DecodeError;
use crate::wire::{Reader, Writer};

/// `NFTA_LIST_ELEM`; also what the kernel uses for device names in hook lists.
const ELEMENT: u16 = 1;

/// A nest whose attributes all have kind 1 (`NFTA_LIST_ELEM`).
impl<T: Value> Value for Vec<T> {
    const NESTED: bool = true;

    fn encode(&self, w: &mut Writer) {
        for item in self {
            w.attribute(ELEMENT, T::NESTED, |w| item.encode(w));
        }
    }

    fn decode(r: Reader<'_>) -> Result<Self, DecodeError> {
        let mut r = r.nest("list")?;
        let mut items = Self::new();
        while let Some(a) = r.attribute()? {
            items.push(T::decode(a.value)?);
        }
        Ok(items)
    }

    fn schema() -> Schema {
        Schema::List(T::schema)
    }
}

/// A value on the heap, for types that contain themselves.
impl<T: Value> Value for Box<T> {
    const NESTED: bool = T::NESTED;

    fn encode(&self, w: &mut Writer) {
        self.as_ref().encode(w);
    }
    fn decode(r: Reader<'_>) -> Result<Self, DecodeError> {
        T::decode(r).map(Self::new)
    }
    fn schema() -> Schema {
        T::schema()
    }
}

/// One attribute this crate has no name for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UnknownAttribute {
    /// Attribute number without flag bits.
    pub kind: u16,
    /// Whether `NLA_F_NESTED` was set.
    pub nested: bool,
    /// Payload as it came.
    pub payload: Vec<u8>,
}

/// Attributes this crate has no name for, in the order they came; written back after the known
/// ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Unknown(pub Vec<UnknownAttribute>);

impl Unknown {
    /// Nothing unknown; usable in constants.
    pub const NONE: Self = Self(Vec::new());

    /// Appends them all.
    pub(crate) fn encode(&self, w: &mut Writer) {
        for a in &self.0 {
            w.attribute(a.kind, a.nested, |w| w.put(&a.payload));
        }
    }
}
