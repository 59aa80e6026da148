//! User data: the TLVs that `nft` stores in tables, chains, rules, sets and elements.
//!
//! Layout: type u8, length u8, value (libnftnl `udata`). Bytes that are no such list are kept and
//! simply yield no items.

use crate::attr::Value;
use crate::error::DecodeError;
use crate::name::Bytes;
use crate::saved::{Cursor, Saved};
use crate::wire::{Reader, Writer};

/// Raw user data, at most 256 bytes for the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserData(pub Bytes);

/// Type of a comment in tables, chains, rules, objects and elements.
pub const COMMENT: u8 = 0;
/// Type of a comment in sets.
pub const SET_COMMENT: u8 = 7;
/// Set user data: byte order of the key, u32 host-endian: 1 host, 2 network.
pub const SET_KEY_BYTEORDER: u8 = 0;
/// Set user data: byte order of the data.
pub const SET_DATA_BYTEORDER: u8 = 1;
/// Set user data: adjacent elements may be merged, u32.
pub const SET_MERGE_ELEMENTS: u8 = 2;

impl UserData {
    /// A comment. Longer text than 253 bytes is cut.
    pub fn comment(text: &str) -> Self {
        Self::default().with_text(COMMENT, text)
    }

    /// With one more item; items over 255 bytes are cut.
    #[must_use]
    pub fn with(mut self, kind: u8, value: &[u8]) -> Self {
        let value = value.get(..255).unwrap_or(value);
        let len = u8::try_from(value.len()).unwrap_or(u8::MAX);
        self.0.extend(&[kind, len]);
        self.0.extend(value);
        self
    }

    /// With one more NUL-terminated text.
    #[must_use]
    pub fn with_text(self, kind: u8, text: &str) -> Self {
        let mut end = text.len().min(253);
        while !text.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        let mut bytes = text.get(..end).unwrap_or_default().as_bytes().to_vec();
        bytes.push(0);
        self.with(kind, &bytes)
    }

    /// With one more host-endian number.
    #[must_use]
    pub fn with_number(self, kind: u8, number: u32) -> Self {
        self.with(kind, &number.to_ne_bytes())
    }

    /// The items, up to the first malformed one.
    pub fn items(&self) -> impl Iterator<Item = (u8, &[u8])> {
        let mut rest = self.0.as_slice();
        core::iter::from_fn(move || {
            let (&[kind, len], tail) = rest.split_first_chunk::<2>()?;
            let (value, tail) = tail.split_at_checked(usize::from(len))?;
            rest = tail;
            Some((kind, value))
        })
    }

    /// The text of the first item of that kind.
    pub fn text(&self, kind: u8) -> Option<String> {
        let (_, value) = self.items().find(|item| item.0 == kind)?;
        let value = value.strip_suffix(&[0]).unwrap_or(value);
        Some(String::from_utf8_lossy(value).into_owned())
    }

    /// The host-endian number of the first item of that kind.
    pub fn number(&self, kind: u8) -> Option<u32> {
        let (_, value) = self.items().find(|item| item.0 == kind)?;
        Some(u32::from_ne_bytes(value.try_into().ok()?))
    }
}

impl Value for UserData {
    fn encode(&self, w: &mut Writer) {
        self.0.encode(w);
    }
    fn decode(r: Reader<'_>) -> Result<Self, DecodeError> {
        Bytes::decode(r).map(Self)
    }
}

impl Saved for UserData {
    fn save(&self, out: &mut String) {
        self.0.save(out);
    }
    fn restore(cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        Bytes::restore(cursor).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comment_as_nft_writes_it() {
        let data = UserData::comment("dhcp-spoof");
        assert_eq!(data.0.as_slice(), b"\x00\x0bdhcp-spoof\0");
        assert_eq!(data.text(COMMENT).as_deref(), Some("dhcp-spoof"));
    }

    #[test]
    fn malformed_data_yields_no_items() {
        assert_eq!(UserData(Bytes::new(&[0, 9, 1])).items().count(), 0);
    }
}
