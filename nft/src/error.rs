//! The one decode error of this crate.
//!
//! Owns what can be wrong with received bytes. Knows nothing of the kernel's own error replies
//! (those are [`crate::wire::Ack`]). Held by `tests/codec/sweep.rs`.

use core::fmt;

/// Why bytes could not be decoded: which item, where, and what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DecodeError {
    /// The item being read, for example `chain.name`.
    pub what: &'static str,
    /// Byte offset from the start of the message (or of the text for saved rulesets).
    pub offset: u32,
    /// What is wrong with it.
    pub fault: Fault,
}

/// The ways an item can be malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Fewer bytes than the item needs.
    Truncated {
        /// Bytes needed.
        wanted: u32,
        /// Bytes present.
        had: u32,
    },
    /// Bytes left over after the item.
    Trailing {
        /// Number of bytes left.
        had: u32,
    },
    /// A required attribute is absent.
    Missing,
    /// Nests deeper than [`crate::wire::MAX_DEPTH`].
    TooDeep,
    /// A value outside what the item can hold.
    Invalid {
        /// The offending value.
        value: u32,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at offset {}: ", self.what, self.offset)?;
        match self.fault {
            Fault::Truncated { wanted, had } => write!(f, "wanted {wanted} bytes, had {had}"),
            Fault::Trailing { had } => write!(f, "{had} bytes left over"),
            Fault::Missing => f.write_str("required attribute is missing"),
            Fault::TooDeep => f.write_str("nested too deeply"),
            Fault::Invalid { value } => write!(f, "invalid value {value}"),
        }
    }
}

impl core::error::Error for DecodeError {}
