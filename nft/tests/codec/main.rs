//! Tests of bytes and values that need neither kernel nor privilege.

mod generate;
mod roundtrip;
mod sweep;
mod vectors;
