//! Names and byte strings.
//!
//! [`Name`] is a kernel string without its final NUL: table, chain, set, device. [`Bytes`] is an
//! uninterpreted payload such as a key or a comparison value. Held by `tests/codec/roundtrip.rs`.

use core::borrow::Borrow;
use core::fmt;

use smallvec::SmallVec;

use crate::attr::Value;
use crate::error::DecodeError;
use crate::saved::{Cursor, Saved, save_hex};
use crate::wire::{Reader, Writer};

/// A kernel string (`NLA_NUL_STRING`), stored without the final NUL. Any bytes are kept.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Box<[u8]>);

impl Name {
    /// A name from bytes; one final NUL is dropped.
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.strip_suffix(&[0]).unwrap_or(bytes).into())
    }

    /// A name from bytes whose final NUL has been dropped already.
    pub(crate) fn from_stripped(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The bytes without the final NUL.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text, with `\xNN` for bytes that are not printable ASCII.
    pub fn to_text(&self) -> String {
        let mut out = String::with_capacity(self.0.len());
        escape(&self.0, &mut out);
        out
    }

    /// Whether the name is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the name starts with `prefix`.
    pub fn starts_with(&self, prefix: &str) -> bool {
        self.0.starts_with(prefix.as_bytes())
    }
}

fn escape(bytes: &[u8], out: &mut String) {
    for &byte in bytes {
        if (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\' {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self::new(text.as_bytes())
    }
}

impl From<String> for Name {
    fn from(text: String) -> Self {
        Self::new(text.as_bytes())
    }
}

impl Borrow<[u8]> for Name {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        *self.0 == *other.as_bytes()
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_text())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl Value for Name {
    fn encode(&self, w: &mut Writer) {
        w.put(&self.0);
        w.put(&[0]);
    }
    fn decode(mut r: Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self::new(r.rest()))
    }
}

impl Saved for Name {
    fn save(&self, out: &mut String) {
        out.push('"');
        escape(&self.0, out);
        out.push('"');
    }
    fn restore(cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        Ok(Self(cursor.quoted("name")?.into()))
    }
}

/// An uninterpreted payload; short ones need no allocation.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bytes(SmallVec<[u8; 16]>);

impl Bytes {
    /// A copy of `bytes`.
    pub fn new(bytes: &[u8]) -> Self {
        Self(SmallVec::from_slice(bytes))
    }

    /// `len` zero bytes.
    pub fn zero(len: usize) -> Self {
        Self(SmallVec::from_elem(0, len))
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// Number of bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends bytes.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Appends one field of a concatenation, padded with zeros to a multiple of 4 bytes.
    pub fn field(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        let len = crate::wire::align(self.0.len());
        self.0.resize(len, 0);
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        Self::new(bytes)
    }
}

impl<const N: usize> From<[u8; N]> for Bytes {
    fn from(bytes: [u8; N]) -> Self {
        Self::new(&bytes)
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(SmallVec::from_vec(bytes))
    }
}

impl From<core::net::Ipv4Addr> for Bytes {
    fn from(address: core::net::Ipv4Addr) -> Self {
        Self::new(&address.octets())
    }
}

impl From<core::net::Ipv6Addr> for Bytes {
    fn from(address: core::net::Ipv6Addr) -> Self {
        Self::new(&address.octets())
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        save_hex(&self.0, &mut out);
        f.write_str(&out)
    }
}

impl Value for Bytes {
    fn encode(&self, w: &mut Writer) {
        w.put(&self.0);
    }
    fn decode(mut r: Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self::new(r.rest()))
    }
}

impl Saved for Bytes {
    fn save(&self, out: &mut String) {
        save_hex(&self.0, out);
    }
    fn restore(cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        cursor.hex("bytes").map(Self::from)
    }
}
