//! Registers, verdicts and data (`enum nft_registers`, `nft_verdicts`, `nft_data_attributes`).
//!
//! Held by `tests/codec/roundtrip.rs` and `tests/kernel/expressions.rs`.

use crate::attr::{Schema, Value, attributes, registry};
use crate::error::{DecodeError, Fault};
use crate::name::{Bytes, Name};
use crate::saved::{Cursor, Saved};
use crate::wire::{Reader, Writer};

/// A register number (`enum nft_registers`).
///
/// The data area is 64 bytes: registers 1 to 4 are its 16-byte quarters, 8 to 23 its 4-byte words.
/// The kernel reports a word that starts a quarter as the quarter, so [`Register::word`] names it
/// that way too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Register(pub u32);

impl Register {
    /// The verdict register.
    pub const VERDICT: Self = Self(0);
    /// First 16-byte register.
    pub const R1: Self = Self(1);
    /// Second 16-byte register.
    pub const R2: Self = Self(2);
    /// Third 16-byte register.
    pub const R3: Self = Self(3);
    /// Fourth 16-byte register.
    pub const R4: Self = Self(4);

    /// The register that starts at 4-byte word `index` (0 to 15) of the data area.
    pub const fn word(index: u8) -> Self {
        let index = index & 15;
        if index & 3 == 0 {
            Self(index as u32 / 4 + 1)
        } else {
            Self(index as u32 + 8)
        }
    }

    /// The word at which this register starts, `None` for the verdict and for unknown numbers.
    pub const fn first_word(self) -> Option<u8> {
        match self.0 {
            1 => Some(0),
            2 => Some(4),
            3 => Some(8),
            4 => Some(12),
            #[allow(clippy::cast_possible_truncation, reason = "at most 15")]
            8..=23 => Some((self.0 - 8) as u8),
            _ => None,
        }
    }

    /// The same register as the kernel reports it.
    #[must_use]
    pub const fn canonical(self) -> Self {
        match self.first_word() {
            Some(word) => Self::word(word),
            None => self,
        }
    }
}

impl Value for Register {
    fn encode(&self, w: &mut Writer) {
        self.0.encode(w);
    }
    fn decode(r: Reader<'_>) -> Result<Self, DecodeError> {
        r.exactly("register").map(|b| Self(u32::from_be_bytes(b)))
    }
}

impl Saved for Register {
    fn save(&self, out: &mut String) {
        self.0.save(out);
    }
    fn restore(cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        u32::restore(cursor).map(Self)
    }
}

registry! {
    /// A verdict code (`enum nft_verdicts` and `NF_*`), as the two's complement on the wire.
    pub struct VerdictCode(u32) {
        /// Discard; final.
        DROP = 0 "drop",
        /// Accept in this base chain.
        ACCEPT = 1 "accept",
        /// Take the packet away (used by queue targets).
        STOLEN = 2 "stolen",
        /// Hand to user space.
        QUEUE = 3 "queue",
        /// Next rule.
        CONTINUE = 0xffff_ffff "continue",
        /// End this rule.
        BREAK = 0xffff_fffe "break",
        /// Enter a chain and come back.
        JUMP = 0xffff_fffd "jump",
        /// Enter a chain and do not come back.
        GOTO = 0xffff_fffc "goto",
        /// Back to the calling chain.
        RETURN = 0xffff_fffb "return",
    }
}

attributes! {
    /// A verdict (`enum nft_verdict_attributes`).
    pub struct Verdict "verdict" {
        /// What to do.
        1 => code: VerdictCode,
        /// Target of jump and goto.
        2 => chain: Option<Name>,
        /// Target by an id of the same batch instead of a name.
        3 => chain_id: Option<u32>,
    }
}

impl Verdict {
    /// A verdict without a target.
    pub const fn of(code: VerdictCode) -> Self {
        Self {
            code,
            chain: None,
            chain_id: None,
            other: crate::attr::Unknown::NONE,
        }
    }

    /// Accept in this base chain.
    pub const ACCEPT: Self = Self::of(VerdictCode::ACCEPT);
    /// Discard.
    pub const DROP: Self = Self::of(VerdictCode::DROP);
    /// Back to the calling chain.
    pub const RETURN: Self = Self::of(VerdictCode::RETURN);
    /// Next rule.
    pub const CONTINUE: Self = Self::of(VerdictCode::CONTINUE);

    /// Enter `chain` and come back.
    pub fn jump(chain: impl Into<Name>) -> Self {
        Self {
            chain: Some(chain.into()),
            ..Self::of(VerdictCode::JUMP)
        }
    }

    /// Enter `chain` and do not come back.
    pub fn goto(chain: impl Into<Name>) -> Self {
        Self {
            chain: Some(chain.into()),
            ..Self::of(VerdictCode::GOTO)
        }
    }
}

/// The content of a data attribute (`enum nft_data_attributes`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Data {
    /// Bytes for a data register.
    Value(Bytes),
    /// A verdict.
    Verdict(Verdict),
}

impl Default for Data {
    fn default() -> Self {
        Self::Value(Bytes::default())
    }
}

impl Data {
    /// The bytes, unless it is a verdict.
    pub const fn value(&self) -> Option<&Bytes> {
        match self {
            Self::Value(bytes) => Some(bytes),
            Self::Verdict(_) => None,
        }
    }

    /// The verdict, unless it is bytes.
    pub const fn verdict(&self) -> Option<&Verdict> {
        match self {
            Self::Value(_) => None,
            Self::Verdict(verdict) => Some(verdict),
        }
    }
}

impl From<Verdict> for Data {
    fn from(verdict: Verdict) -> Self {
        Self::Verdict(verdict)
    }
}

impl<T: Into<Bytes>> From<T> for Data {
    fn from(bytes: T) -> Self {
        Self::Value(bytes.into())
    }
}

const VALUE: u16 = 1;
const VERDICT: u16 = 2;

impl Value for Data {
    const NESTED: bool = true;

    fn encode(&self, w: &mut Writer) {
        match self {
            Self::Value(bytes) => w.attribute(VALUE, false, |w| bytes.encode(w)),
            Self::Verdict(verdict) => w.attribute(VERDICT, true, |w| verdict.encode(w)),
        }
    }

    fn decode(r: Reader<'_>) -> Result<Self, DecodeError> {
        let mut r = r.nest("data")?;
        let start = r;
        let Some(a) = r.attribute()? else {
            return Err(start.error("data", Fault::Missing));
        };
        r.finish("data")?;
        match a.kind {
            VALUE => Bytes::decode(a.value).map(Self::Value),
            VERDICT => Verdict::decode(a.value).map(Self::Verdict),
            kind => Err(start.error(
                "data",
                Fault::Invalid {
                    value: u32::from(kind),
                },
            )),
        }
    }

    fn schema() -> Schema {
        Schema::Record(&[
            (VALUE, "value", <Bytes as Value>::schema),
            (VERDICT, "verdict", <Verdict as Value>::schema),
        ])
    }
}

impl Saved for Data {
    fn save(&self, out: &mut String) {
        match self {
            Self::Value(bytes) => bytes.save(out),
            Self::Verdict(verdict) => verdict.save(out),
        }
    }
    fn restore(cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        if cursor.peek('{') {
            Verdict::restore(cursor).map(Self::Verdict)
        } else {
            Bytes::restore(cursor).map(Self::Value)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_quarters_name_the_same_area() {
        assert_eq!(Register::word(0), Register::R1);
        assert_eq!(Register::word(1), Register(9));
        assert_eq!(Register::word(4), Register::R2);
        assert_eq!(Register(8).canonical(), Register::R1);
        assert_eq!(Register(12).canonical(), Register::R2);
        assert_eq!(Register::VERDICT.first_word(), None);
    }
}
