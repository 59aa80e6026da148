//! Expressions that compute a register from a register.

use crate::attr::{attributes, registry};
use crate::data::{Data, Register};

registry! {
    /// Operation (`enum nft_bitwise_ops`).
    pub struct BitwiseOp(u32) {
        /// `(value & mask) ^ xor`
        MASK_XOR = 0 "mask-xor",
        /// Shift left.
        LSHIFT = 1 "lshift",
        /// Shift right.
        RSHIFT = 2 "rshift",
        /// And of two registers.
        AND = 3 "and",
        /// Or of two registers.
        OR = 4 "or",
        /// Exclusive or of two registers.
        XOR = 5 "xor",
    }
}

attributes! {
    /// Bits of a register (`enum nft_bitwise_attributes`).
    pub struct Bitwise "bitwise" {
        /// Source.
        1 => sreg: Register,
        /// Second source, for and, or, xor.
        8 => sreg2: Option<Register>,
        /// Destination.
        2 => dreg: Register,
        /// Operation.
        6 => op: BitwiseOp = zero,
        /// Bytes.
        3 => len: u32,
        /// Mask.
        4 => mask: Option<Data>,
        /// Bits to flip.
        5 => xor: Option<Data>,
        /// Shift count, 4 bytes host-endian.
        7 => data: Option<Data>,
    }
}

registry! {
    /// Direction (`enum nft_byteorder_ops`).
    pub struct ByteorderOp(u32) {
        /// From network to host.
        NTOH = 0 "ntoh",
        /// From host to network.
        HTON = 1 "hton",
    }
}

attributes! {
    /// Convert byte order (`enum nft_byteorder_attributes`).
    pub struct Byteorder "byteorder" {
        /// Source.
        1 => sreg: Register,
        /// Destination.
        2 => dreg: Register,
        /// Direction.
        3 => op: ByteorderOp,
        /// Bytes in total.
        4 => len: u32,
        /// Bytes per number: 2, 4 or 8.
        5 => size: u32,
    }
}
