//! Expressions that end the rule unless a register compares as wanted.

use crate::attr::{attributes, registry};
use crate::data::{Data, Register};

registry! {
    /// Comparison (`enum nft_cmp_ops`); order is that of the bytes.
    pub struct CmpOp(u32) {
        /// Equal.
        EQ = 0 "eq",
        /// Not equal.
        NEQ = 1 "neq",
        /// Less.
        LT = 2 "lt",
        /// Less or equal.
        LTE = 3 "lte",
        /// Greater.
        GT = 4 "gt",
        /// Greater or equal.
        GTE = 5 "gte",
    }
}

attributes! {
    /// Compare a register with a value (`enum nft_cmp_attributes`).
    pub struct Cmp "cmp" {
        /// Source.
        1 => sreg: Register,
        /// Comparison.
        2 => op: CmpOp,
        /// Value; its length decides how many bytes are compared.
        3 => data: Data,
    }
}

registry! {
    /// Inside or outside (`enum nft_range_ops`).
    pub struct RangeOp(u32) {
        /// Inside.
        EQ = 0 "eq",
        /// Outside.
        NEQ = 1 "neq",
    }
}

attributes! {
    /// Compare a register with an inclusive range (`enum nft_range_attributes`).
    pub struct Range "range" {
        /// Source.
        1 => sreg: Register,
        /// Inside or outside.
        2 => op: RangeOp,
        /// First value.
        3 => from: Data,
        /// Last value.
        4 => to: Data,
    }
}
