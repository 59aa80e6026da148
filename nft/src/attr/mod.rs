//! How a Rust value becomes the payload of a netlink attribute, and back.
//!
//! Owns the traits [`Value`] (one payload) and [`Field`] (one attribute of a nest), the macros that
//! turn an annotated table into a struct, and the names used to explain the kernel's error
//! offsets ([`Schema`]). Knows no particular nf_tables object. Sources: `linux/nf_tables.h`
//! (integers are big-endian there). Held by `tests/codec/sweep.rs` and `tests/codec/roundtrip.rs`.

mod integers;
mod list;
mod record;
mod registry;
mod schema;

pub use integers::HostU32;
pub use list::{Unknown, UnknownAttribute};
pub use schema::{Schema, path_at};

use crate::error::DecodeError;
use crate::saved::Saved;
use crate::wire::{Reader, Writer};

pub(crate) use record::attributes;
pub(crate) use registry::{flags, registry};

/// The payload of one attribute.
pub trait Value: Sized + Saved {
    /// Whether `NLA_F_NESTED` is set on attributes holding this.
    const NESTED: bool = false;

    /// Appends the payload.
    fn encode(&self, w: &mut Writer);

    /// Reads the whole payload; anything left over is an error.
    fn decode(r: Reader<'_>) -> Result<Self, DecodeError>;

    /// What the payload consists of, for explaining error offsets.
    fn schema() -> Schema {
        Schema::Leaf
    }
}

/// An attribute of a nest: required for a plain [`Value`], optional for `Option`.
pub trait Field: Sized {
    /// The payload's type.
    type Inner: Value;

    /// From a payload that was present.
    fn present(value: Self::Inner) -> Self;
    /// The value for an absent attribute, if it may be absent.
    fn absent() -> Option<Self>;
    /// The payload to write, if any.
    fn inner(&self) -> Option<&Self::Inner>;
}

impl<T: Value> Field for T {
    type Inner = T;

    fn present(value: T) -> Self {
        value
    }
    fn absent() -> Option<Self> {
        None
    }
    fn inner(&self) -> Option<&T> {
        Some(self)
    }
}

impl<T: Value> Field for Option<T> {
    type Inner = T;

    fn present(value: T) -> Self {
        Some(value)
    }
    fn absent() -> Option<Self> {
        Some(None)
    }
    fn inner(&self) -> Option<&T> {
        self.as_ref()
    }
}

/// Appends a field as an attribute, or nothing if it is absent.
pub(crate) fn put<F: Field>(w: &mut Writer, kind: u16, field: &F) {
    if let Some(inner) = field.inner() {
        w.attribute(kind, F::Inner::NESTED, |w| inner.encode(w));
    }
}
