//! Tests of bytes and values that need neither kernel nor privilege.

mod generate;
mod roundtrip;
mod sweep;
#[path = "../tree/mod.rs"]
mod tree;
mod vectors;
