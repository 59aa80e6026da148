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
    /// Text: another character than the grammar wants.
    Unexpected {
        /// The character.
        found: char,
    },
    /// Text: it ends inside the item.
    Ended,
    /// Text: a word that names nothing here.
    Unknown,
    /// Text: where a number should be.
    NotANumber,
    /// Text: a number that the item cannot hold.
    OutOfRange,
    /// Text: names something that no line above declares.
    Undeclared,
    /// Text: a line above declares it already.
    Twice,
    /// Text: another number of objects than its last line says.
    Count {
        /// Objects announced.
        told: u64,
        /// Objects there.
        had: u64,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at offset {}: {}", self.what, self.offset, self.fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Fault::Truncated { wanted, had } => write!(f, "wanted {wanted} bytes, had {had}"),
            Fault::Trailing { had } => write!(f, "{had} bytes left over"),
            Fault::Missing => f.write_str("is missing"),
            Fault::TooDeep => f.write_str("nested too deeply"),
            Fault::Invalid { value } => write!(f, "invalid value {value}"),
            Fault::Unexpected { found } => write!(f, "unexpected {found:?}"),
            Fault::Ended => f.write_str("the line ends here"),
            Fault::Unknown => f.write_str("nothing has this name"),
            Fault::NotANumber => f.write_str("not a number"),
            Fault::OutOfRange => f.write_str("number out of range"),
            Fault::Undeclared => f.write_str("not declared above"),
            Fault::Twice => f.write_str("declared above already"),
            Fault::Count { told, had } => write!(
                f,
                "says {told} objects, there are {had}: was something lost? After editing write `end` alone"
            ),
        }
    }
}

impl core::error::Error for DecodeError {}
