//! Bit sets that people write by name: `+trk-new`, `syn|ack`, `oam`.

use std::fmt;

use super::error::TextError;
use super::scan::Span;

/// Names of bits, lowest bit first; an empty name is a bit without one.
pub(crate) struct Flags {
    /// What kind of flags they are, for errors.
    pub kind: &'static str,
    pub names: &'static [&'static str],
    /// Bits that may be named in a text.
    pub allowed: u32,
}

pub(crate) const CT_STATE: Flags = Flags {
    kind: "ct_state",
    names: &["new", "est", "rel", "rpl", "inv", "trk", "snat", "dnat"],
    allowed: 0xff,
};

pub(crate) const TCP: Flags = Flags {
    kind: "TCP",
    names: &[
        "fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr", "ns", "[200]", "[400]", "[800]",
    ],
    allowed: 0xfff,
};

pub(crate) const TUNNEL: Flags = Flags {
    kind: "tunnel",
    names: &["oam"],
    allowed: 1,
};

/// How Open vSwitch prints a bit without a name. It prints an exact value that way where a `learn` matches it: every
/// bit of the field, in ascending order.
const NAMELESS: &str = "[Unknown]";

impl Flags {
    /// `a|b`, `0` when empty, bits without a name as one number at the end.
    pub fn write_set(&self, out: &mut impl fmt::Write, flags: u32) -> fmt::Result {
        if flags == 0 {
            return out.write_char('0');
        }
        let mut rest = flags;
        let mut separator = "";
        for (name, bit) in self.bits() {
            if flags & bit != 0 {
                write!(out, "{separator}{name}")?;
                separator = "|";
                rest &= !bit;
            }
        }
        if rest != 0 {
            write!(out, "{separator}{rest:#x}")?;
        }
        Ok(())
    }

    /// The form of `write_set` when `mask` is `full`, otherwise `+a-b` over the bits of the mask.
    pub fn write_masked(
        &self,
        out: &mut impl fmt::Write,
        flags: u32,
        mask: u32,
        full: u32,
    ) -> fmt::Result {
        if mask == full {
            return self.write_set(out, flags);
        }
        if mask == 0 {
            return out.write_str("0/0");
        }
        for place in 0..32 {
            let bit = 1u32 << place;
            if mask & bit == 0 {
                continue;
            }
            let sign = if flags & bit != 0 { '+' } else { '-' };
            let name = self.bits().find(|(_, known)| *known == bit);
            write!(out, "{sign}{}", name.map_or(NAMELESS, |(name, _)| name))?;
        }
        Ok(())
    }

    fn bits(&self) -> impl Iterator<Item = (&'static str, u32)> {
        let numbered = self.names.iter().zip(0u32..);
        numbered
            .filter(|(name, _)| !name.is_empty())
            .map(|(name, place)| (*name, 1 << place))
    }

    /// Value and mask. Without signs the mask is all ones.
    pub fn parse(&self, span: Span<'_>) -> Result<(u32, u32), TextError> {
        if let Some((value, mask)) = span.split_once("/") {
            let (flags, bits) = (value.u32(self.kind)?, mask.u32(self.kind)?);
            if (flags | bits) & !self.allowed != 0 {
                return Err(span.error(format!("unknown {} flags", self.kind)));
            }
            return Ok((flags, bits));
        }
        if span.text().starts_with(['+', '-']) {
            return self.parse_signed(span);
        }
        let mut flags = 0;
        for word in span.words(&['|']) {
            flags |= match super::scan::unsigned(word.text()) {
                Some(_) => word.u32(self.kind)?,
                None => self.bit(word)?,
            };
            if flags & !self.allowed != 0 {
                return Err(word.error(format!("unknown {} flags", self.kind)));
            }
        }
        Ok((flags, u32::MAX))
    }

    fn parse_signed(&self, span: Span<'_>) -> Result<(u32, u32), TextError> {
        let (mut flags, mut mask) = (0, 0);
        let mut rest = span;
        while !rest.is_empty() {
            let (sign, tail) = rest.split_at(1);
            let end = tail.text().find(['+', '-']).unwrap_or(tail.text().len());
            let (name, after) = tail.split_at(end);
            let bit = match (sign.text(), name.text()) {
                ("-", NAMELESS) => self.nameless_above(mask),
                _ => self.bit(name)?,
            };
            if mask & bit != 0 {
                return Err(name.error(format!("{} is named twice", name.text())));
            }
            mask |= bit;
            if sign.text() == "+" {
                flags |= bit;
            }
            rest = after;
        }
        if mask & !self.allowed != 0 && mask != u32::MAX {
            return Err(span.error(format!("unknown {} flags", self.kind)));
        }
        Ok((flags, mask))
    }

    /// The first bit without a name that is higher than those of the mask; the highest of them if there is none.
    fn nameless_above(&self, mask: u32) -> u32 {
        let above = 32 - mask.leading_zeros();
        let nameless = |place: &u32| self.bits().all(|(_, known)| known != 1 << place);
        (above..32)
            .find(nameless)
            .map_or(1 << 31, |place| 1 << place)
    }

    fn bit(&self, name: Span<'_>) -> Result<u32, TextError> {
        let found = self.bits().find(|(known, _)| *known == name.text());
        let unknown = || name.error(format!("{:?} is not a {} flag", name.text(), self.kind));
        found.map(|(_, bit)| bit).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading() {
        fn parse(text: &str) -> Option<(u32, u32)> {
            CT_STATE.parse(Span::new(text)).ok()
        }
        assert_eq!(parse("+trk-new"), Some((0x20, 0x21)));
        assert_eq!(parse("trk|est"), Some((0x22, u32::MAX)));
        assert_eq!(parse("0x20/0x21"), Some((0x20, 0x21)));
        assert_eq!(parse("0"), Some((0, u32::MAX)));
        let mut exact = String::new();
        CT_STATE
            .write_masked(&mut exact, 0x20, u32::MAX, 0xff)
            .unwrap();
        assert!(exact.contains("+trk-snat-dnat-[Unknown]"), "{exact}");
        assert_eq!(parse(&exact), Some((0x20, u32::MAX)));
        for bad in ["+trk+trk", "+x", "x", "0x100/0x100", "+", "trk|x", "+trk/1"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert_eq!(parse("+trk-[Unknown]"), None);
        let (set, more) = (exact.replacen("-[", "+[", 1), format!("{exact}-[Unknown]"));
        assert_eq!((parse(&set), parse(&more)), (None, None));
    }

    #[test]
    fn writing() {
        let mut out = String::new();
        TCP.write_masked(&mut out, 0x12, 0xfff, 0xfff).unwrap();
        out.push(' ');
        TCP.write_masked(&mut out, 0x202, 0x212, 0xfff).unwrap();
        out.push(' ');
        CT_STATE.write_set(&mut out, 0x121).unwrap();
        assert_eq!(out, "syn|ack +syn-ack+[200] new|trk|0x100");
    }
}
