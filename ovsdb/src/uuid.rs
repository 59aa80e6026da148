//! UUIDs in the text form of RFC 4122 §3, the only form OVSDB uses.

use core::fmt;

/// A 128-bit row identifier; sorts like its text.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid([u8; 16]);

impl Uuid {
    /// The all-zero UUID, the default value of a uuid column.
    pub const ZERO: Self = Self([0; 16]);

    /// A UUID from its 16 bytes in text order.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes in text order.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// A version 4 UUID made of random bits supplied by the caller.
    pub const fn from_random(random: u128) -> Self {
        let mut value = random;
        value = value & !(0xF << 76) | 4 << 76;
        value = value & !(0x3 << 62) | 2 << 62;
        Self(value.to_be_bytes())
    }

    /// Parses `8-4-4-4-12` hexadecimal digits of either case.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() != 36 {
            return None;
        }
        let mut value: u128 = 0;
        for (i, b) in bytes.iter().enumerate() {
            if matches!(i, 8 | 13 | 18 | 23) {
                if *b != b'-' {
                    return None;
                }
            } else {
                value = value << 4 | u128::from(char::from(*b).to_digit(16)?);
            }
        }
        Some(Self(value.to_be_bytes()))
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let value = u128::from_be_bytes(self.0);
        let mut text = [b'-'; 36];
        let mut shift = 128u32;
        for (i, slot) in text.iter_mut().enumerate() {
            if !matches!(i, 8 | 13 | 18 | 23) {
                shift -= 4;
                let nibble = usize::try_from(value >> shift & 0xF).unwrap_or(0);
                *slot = HEX.get(nibble).copied().unwrap_or(b'0');
            }
        }
        f.write_str(core::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl core::str::FromStr for Uuid {
    type Err = crate::error::DecodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text).ok_or(crate::error::DecodeError::expected(
            "uuid",
            "8-4-4-4-12 hexadecimal digits",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trip() {
        let text = "b10d28f7-af18-4a67-9e78-2a6394516c59";
        assert_eq!(Uuid::parse(text).unwrap().to_string(), text);
        assert_eq!(Uuid::parse(&text.to_uppercase()), Uuid::parse(text));
        for bad in ["", "1234-5678", "b10d28f7-af18-4a67-9e78-2a6394516c5g"] {
            assert_eq!(Uuid::parse(bad), None);
        }
        let random = Uuid::from_random(u128::MAX).to_string();
        assert_eq!(random, "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
