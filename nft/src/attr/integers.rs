//! Integers and nothing else: big-endian, as `linux/nf_tables.h` has them, but for a few.

use super::Value;
use crate::error::DecodeError;
use crate::saved::{Cursor, Saved};
use crate::wire::{Reader, Writer};

macro_rules! integers {
    ($($ty:ident),*) => {$(
        impl Value for $ty {
            fn encode(&self, w: &mut Writer) {
                w.put(&self.to_be_bytes());
            }
            fn decode(r: Reader<'_>) -> Result<Self, DecodeError> {
                r.exactly(stringify!($ty)).map($ty::from_be_bytes)
            }
        }
    )*};
}

integers!(u8, u16, u32, u64, i32);

/// A number in host byte order: the kernel forgot to convert it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostU32(pub u32);

impl Value for HostU32 {
    fn encode(&self, w: &mut Writer) {
        w.put(&self.0.to_ne_bytes());
    }
    fn decode(r: Reader<'_>) -> Result<Self, DecodeError> {
        r.exactly("number").map(|b| Self(u32::from_ne_bytes(b)))
    }
}

impl Saved for HostU32 {
    fn save(&self, out: &mut String) {
        self.0.save(out);
    }
    fn restore(cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        u32::restore(cursor).map(Self)
    }
}
