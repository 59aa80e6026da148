//! Integers and nothing else: big-endian, as `linux/nf_tables.h` has them.

use super::Value;
use crate::error::DecodeError;
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
