//! A cursor over received bytes; every length-delimited part is read in its own sub-reader.

use super::align;
use crate::error::{DecodeError, Fault};

/// Deepest accepted nesting of attributes. The kernel's own messages reach seven.
pub const MAX_DEPTH: u8 = 16;

const TYPE_MASK: u16 = 0x3fff;
const NESTED: u16 = 0x8000;

/// Reads a byte slice front to back and knows its offset in the whole message.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    offset: u32,
    depth: u8,
}

/// One attribute (`struct nlattr`): its kind without the flag bits, and its payload.
#[derive(Clone, Copy, Debug)]
pub struct Attribute<'a> {
    /// Attribute number with `NLA_F_NESTED` and `NLA_F_NET_BYTEORDER` removed.
    pub kind: u16,
    /// Whether `NLA_F_NESTED` was set.
    pub nested: bool,
    /// The payload without padding.
    pub value: Reader<'a>,
}

impl<'a> Reader<'a> {
    /// A reader over a whole message or payload.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            offset: 0,
            depth: 0,
        }
    }

    /// A reader whose first byte has the given offset in its message.
    pub(crate) const fn at(bytes: &'a [u8], offset: u32) -> Self {
        Self {
            rest: bytes,
            offset,
            depth: 0,
        }
    }

    /// Offset of the next byte.
    pub const fn offset(&self) -> u32 {
        self.offset
    }

    /// Bytes not read yet.
    pub const fn len(&self) -> usize {
        self.rest.len()
    }

    /// Whether everything has been read.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// An error about the item at the current position.
    pub const fn error(&self, what: &'static str, fault: Fault) -> DecodeError {
        DecodeError {
            what,
            offset: self.offset,
            fault,
        }
    }

    /// The next `len` bytes.
    pub fn take(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        match self.rest.split_at_checked(len) {
            Some((head, tail)) => {
                self.rest = tail;
                self.offset = self.offset.saturating_add(small(len));
                Ok(head)
            }
            None => Err(self.error(
                what,
                Fault::Truncated {
                    wanted: small(len),
                    had: small(self.rest.len()),
                },
            )),
        }
    }

    /// The next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], DecodeError> {
        let wanted = self.take(N, what)?;
        // The slice has length N by construction of `take`.
        <[u8; N]>::try_from(wanted).map_err(|_| {
            self.error(
                what,
                Fault::Truncated {
                    wanted: small(N),
                    had: 0,
                },
            )
        })
    }

    /// Everything that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        let rest = self.rest;
        self.offset = self.offset.saturating_add(small(rest.len()));
        self.rest = &[];
        rest
    }

    /// A sub-reader over the next `len` bytes.
    pub fn sub(&mut self, len: usize, what: &'static str) -> Result<Reader<'a>, DecodeError> {
        let (offset, depth) = (self.offset, self.depth);
        Ok(Reader {
            rest: self.take(len, what)?,
            offset,
            depth,
        })
    }

    /// Fails if anything is left.
    pub fn finish(self, what: &'static str) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            had => Err(self.error(what, Fault::Trailing { had: small(had) })),
        }
    }

    /// The whole remaining payload as an array of exactly `N` bytes.
    pub fn exactly<const N: usize>(mut self, what: &'static str) -> Result<[u8; N], DecodeError> {
        let array = self.array(what)?;
        self.finish(what)?;
        Ok(array)
    }

    /// Marks this payload as a nest; fails when nests go too deep.
    pub fn nest(mut self, what: &'static str) -> Result<Self, DecodeError> {
        if self.depth >= MAX_DEPTH {
            return Err(self.error(what, Fault::TooDeep));
        }
        self.depth = self.depth.saturating_add(1);
        Ok(self)
    }

    /// The next attribute, or `None` at the end. The padding of the last one may be absent.
    pub fn attribute(&mut self) -> Result<Option<Attribute<'a>>, DecodeError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let start = *self;
        let len = usize::from(u16::from_ne_bytes(self.array("attribute.length")?));
        let tag = u16::from_ne_bytes(self.array("attribute.kind")?);
        let Some(payload) = len.checked_sub(4) else {
            let value = small(len);
            return Err(start.error("attribute.length", Fault::Invalid { value }));
        };
        let value = self.sub(payload, "attribute.value")?;
        let padding = align(payload).saturating_sub(payload).min(self.rest.len());
        self.take(padding, "attribute.padding")?;
        Ok(Some(Attribute {
            kind: tag & TYPE_MASK,
            nested: tag & NESTED != 0,
            value,
        }))
    }
}

/// Lengths in errors are clipped to 32 bits; no netlink message is larger.
fn small(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attribute_without_final_padding() {
        let mut r = Reader::new(&[5, 0, 1, 0x80, 9]);
        let a = r.attribute().unwrap().unwrap();
        assert_eq!((a.kind, a.nested, a.value.len()), (1, true, 1));
        assert!(r.attribute().unwrap().is_none());
    }

    #[test]
    fn attribute_shorter_than_its_header() {
        let mut r = Reader::new(&[3, 0, 1, 0]);
        assert_eq!(
            r.attribute().unwrap_err(),
            DecodeError {
                what: "attribute.length",
                offset: 0,
                fault: Fault::Invalid { value: 3 }
            }
        );
    }

    #[test]
    fn nests_are_bounded() {
        let mut r = Reader::new(&[]);
        for _ in 0..MAX_DEPTH {
            r = r.nest("n").unwrap();
        }
        assert_eq!(r.nest("n").unwrap_err().fault, Fault::TooDeep);
    }
}
