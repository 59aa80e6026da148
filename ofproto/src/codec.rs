//! The three pieces every codec in this crate is made of: [`Reader`], [`Writer`] and [`Codec`].
//!
//! A [`Reader`] walks a byte slice and never panics: whatever it cannot give is a
//! [`DecodeError`] that says what was being read and where. Every length-delimited part of a
//! message is decoded in a sub-reader of its own ([`Reader::sub`]), so an inner length can never
//! reach beyond the outer one. A [`Writer`] appends to a buffer of the caller, so one buffer
//! serves a whole connection.
//!
//! All integers are big-endian (OpenFlow 1.0 §5).
//!
//! ```
//! use ofproto::codec::{Reader, Writer};
//!
//! let mut buf = Vec::new();
//! let mut w = Writer::new(&mut buf);
//! w.u16(0x0102);
//! w.u32(7);
//!
//! let mut r = Reader::new(&buf);
//! assert_eq!(r.u16("first")?, 0x0102);
//! assert_eq!(r.u32("second")?, 7);
//! r.finish("example")?;
//! # Ok::<(), ofproto::DecodeError>(())
//! ```

use crate::error::{DecodeError, EncodeError, OfpError};

/// A value with one wire form that can be decoded without outside knowledge.
pub trait Codec: Sized {
    /// Appends the wire form to `w`.
    ///
    /// # Errors
    /// When the value has no wire form, for example because a list outgrows its 16-bit length.
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError>;

    /// Reads one value from the front of `r`.
    ///
    /// # Errors
    /// When the bytes are not a valid encoding.
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError>;

    /// The wire form as a new vector.
    ///
    /// # Errors
    /// As for [`Codec::encode`].
    fn to_bytes(&self) -> Result<Vec<u8>, EncodeError> {
        let mut buf = Vec::new();
        self.encode(&mut Writer::new(&mut buf))?;
        Ok(buf)
    }

    /// Decodes a value that fills `bytes` exactly.
    ///
    /// # Errors
    /// As for [`Codec::decode`], and when bytes are left over.
    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        let value = Self::decode(&mut r)?;
        r.finish("value")?;
        Ok(value)
    }
}

/// A cursor over received bytes.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    buf: &'a [u8],
    /// Offset of `buf` in the outermost slice, for error messages.
    offset: usize,
    /// What to report when this part runs short.
    short: OfpError,
}

impl<'a> Reader<'a> {
    /// A reader over all of `buf`. Running short is reported as `OFPBRC_BAD_LEN`.
    #[must_use]
    pub fn new(buf: &'a [u8]) -> Self {
        Reader {
            buf,
            offset: 0,
            short: OfpError::OFPBRC_BAD_LEN,
        }
    }

    /// The same position, but running short is reported as `error` from here on.
    #[must_use]
    pub fn short_as(mut self, error: OfpError) -> Self {
        self.short = error;
        self
    }

    /// Offset from the start of the outermost slice.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Bytes not read yet.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.buf.len()
    }

    /// True when everything has been read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buf.is_empty()
    }

    /// The unread bytes, without consuming them.
    #[must_use]
    pub fn peek(&self) -> &'a [u8] {
        self.buf
    }

    /// An error at the current position.
    #[must_use]
    #[cold]
    pub fn error(&self, code: OfpError, what: &'static str) -> DecodeError {
        DecodeError::new(code, what, self.offset)
    }

    #[cold]
    fn short_error(&self, what: &'static str, wanted: usize) -> DecodeError {
        DecodeError::new(self.short, what, self.offset).wanted(wanted, self.buf.len())
    }

    /// The next `n` bytes.
    ///
    /// # Errors
    /// When fewer are left.
    #[inline]
    pub fn take(&mut self, n: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        match self.buf.split_at_checked(n) {
            Some((head, tail)) => {
                self.buf = tail;
                self.offset += n;
                Ok(head)
            }
            None => Err(self.short_error(what, n)),
        }
    }

    /// The next `N` bytes as an array.
    ///
    /// # Errors
    /// When fewer are left.
    #[inline]
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], DecodeError> {
        match self.buf.split_first_chunk::<N>() {
            Some((head, tail)) => {
                self.buf = tail;
                self.offset += N;
                Ok(*head)
            }
            None => Err(self.short_error(what, N)),
        }
    }

    /// A reader over the next `n` bytes, which are consumed here.
    ///
    /// # Errors
    /// When fewer are left.
    #[inline]
    pub fn sub(&mut self, n: usize, what: &'static str) -> Result<Reader<'a>, DecodeError> {
        let (offset, short) = (self.offset, self.short);
        let buf = self.take(n, what)?;
        Ok(Reader { buf, offset, short })
    }

    /// All unread bytes.
    #[inline]
    pub fn rest(&mut self) -> &'a [u8] {
        let rest = self.buf;
        self.offset += rest.len();
        self.buf = &[];
        rest
    }

    /// One byte.
    ///
    /// # Errors
    /// When none is left.
    #[inline]
    pub fn u8(&mut self, what: &'static str) -> Result<u8, DecodeError> {
        let [b] = self.array::<1>(what)?;
        Ok(b)
    }

    /// A 16-bit integer.
    ///
    /// # Errors
    /// When fewer than 2 bytes are left.
    #[inline]
    pub fn u16(&mut self, what: &'static str) -> Result<u16, DecodeError> {
        Ok(u16::from_be_bytes(self.array(what)?))
    }

    /// A 32-bit integer.
    ///
    /// # Errors
    /// When fewer than 4 bytes are left.
    #[inline]
    pub fn u32(&mut self, what: &'static str) -> Result<u32, DecodeError> {
        Ok(u32::from_be_bytes(self.array(what)?))
    }

    /// A 64-bit integer.
    ///
    /// # Errors
    /// When fewer than 8 bytes are left.
    #[inline]
    pub fn u64(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        Ok(u64::from_be_bytes(self.array(what)?))
    }

    /// A 128-bit integer.
    ///
    /// # Errors
    /// When fewer than 16 bytes are left.
    #[inline]
    pub fn u128(&mut self, what: &'static str) -> Result<u128, DecodeError> {
        Ok(u128::from_be_bytes(self.array(what)?))
    }

    /// Skips `n` padding bytes of any value.
    ///
    /// # Errors
    /// When fewer are left.
    #[inline]
    pub fn skip(&mut self, n: usize, what: &'static str) -> Result<(), DecodeError> {
        self.take(n, what).map(|_| ())
    }

    /// Skips `n` bytes that must be zero.
    ///
    /// # Errors
    /// `error` when one is not; the reader's short error when fewer are left.
    #[inline]
    pub fn zeros(
        &mut self,
        n: usize,
        error: OfpError,
        what: &'static str,
    ) -> Result<(), DecodeError> {
        let at = self.offset;
        if self.take(n, what)?.iter().any(|b| *b != 0) {
            return Err(DecodeError::new(error, what, at));
        }
        Ok(())
    }

    /// Asserts that nothing is left over.
    ///
    /// # Errors
    /// When bytes remain.
    #[inline]
    pub fn finish(&self, what: &'static str) -> Result<(), DecodeError> {
        if self.buf.is_empty() {
            Ok(())
        } else {
            Err(self.short_error(what, 0))
        }
    }
}

/// Appends wire bytes to a buffer of the caller.
#[derive(Debug)]
pub struct Writer<'a> {
    buf: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    /// A writer that appends to `buf`; what is already there is left alone.
    #[must_use]
    pub fn new(buf: &'a mut Vec<u8>) -> Self {
        Writer { buf }
    }

    /// Length of the whole buffer so far: a position for [`Writer::patch_len`].
    #[must_use]
    pub fn position(&self) -> usize {
        self.buf.len()
    }

    /// Cuts the buffer back to `position`, for instance to undo a failed encode.
    pub fn truncate(&mut self, position: usize) {
        self.buf.truncate(position);
    }

    /// What has been written since `start`.
    #[must_use]
    pub fn since(&self, start: usize) -> &[u8] {
        self.buf.get(start..).unwrap_or(&[])
    }

    /// Appends bytes.
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.buf.extend_from_slice(bytes);
    }

    /// Appends one byte.
    #[inline]
    pub fn u8(&mut self, v: u8) {
        self.buf.push(v);
    }

    /// Appends a 16-bit integer.
    #[inline]
    pub fn u16(&mut self, v: u16) {
        self.bytes(&v.to_be_bytes());
    }

    /// Appends a 32-bit integer.
    #[inline]
    pub fn u32(&mut self, v: u32) {
        self.bytes(&v.to_be_bytes());
    }

    /// Appends a 64-bit integer.
    #[inline]
    pub fn u64(&mut self, v: u64) {
        self.bytes(&v.to_be_bytes());
    }

    /// Appends a 128-bit integer.
    #[inline]
    pub fn u128(&mut self, v: u128) {
        self.bytes(&v.to_be_bytes());
    }

    /// Appends `n` zero bytes.
    #[inline]
    pub fn zeros(&mut self, n: usize) {
        let len = self.buf.len();
        self.buf.resize(len.saturating_add(n), 0);
    }

    /// Appends zero bytes until the length since `start` is a multiple of 8.
    #[inline]
    pub fn pad8(&mut self, start: usize) {
        let len = self.buf.len().saturating_sub(start);
        self.zeros(len.next_multiple_of(8) - len);
    }

    /// Overwrites the 16-bit field at `at`, a position inside the buffer.
    #[inline]
    pub fn patch_u16(&mut self, at: usize, v: u16) {
        if let Some(slot) = self
            .buf
            .get_mut(at..)
            .and_then(|b| b.first_chunk_mut::<2>())
        {
            *slot = v.to_be_bytes();
        } else {
            debug_assert!(false, "patch outside the buffer");
        }
    }

    /// Writes the number of bytes since `start` into the 16-bit field at `at`.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] when it does not fit.
    #[inline]
    pub fn patch_len(
        &mut self,
        at: usize,
        start: usize,
        what: &'static str,
    ) -> Result<(), EncodeError> {
        let len = self.buf.len().saturating_sub(start);
        match u16::try_from(len) {
            Ok(v) => {
                self.patch_u16(at, v);
                Ok(())
            }
            Err(_) => Err(EncodeError::TooLong { what, len }),
        }
    }
}

/// How many zero bytes bring `len` to a multiple of 8.
#[must_use]
pub(crate) fn padding8(len: usize) -> usize {
    len.wrapping_neg() % 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sub_reader_bounds_inner_reads() {
        let mut r = Reader::new(&[1, 2, 3, 4]);
        let mut s = r.sub(2, "inner").unwrap();
        assert_eq!(s.u16("x").unwrap(), 0x0102);
        let err = s.u8("past the end").unwrap_err();
        assert_eq!((err.offset(), err.what()), (2, "past the end"));
        assert_eq!(r.rest(), &[3, 4]);
    }

    #[test]
    fn finish_rejects_leftovers() {
        let mut r = Reader::new(&[1, 2]);
        r.u8("x").unwrap();
        assert_eq!(
            r.finish("all").unwrap_err().code(),
            OfpError::OFPBRC_BAD_LEN
        );
    }

    #[test]
    fn patch_len_refuses_what_does_not_fit() {
        let mut buf = vec![0; 70_000];
        let mut w = Writer::new(&mut buf);
        assert!(matches!(
            w.patch_len(0, 0, "big"),
            Err(EncodeError::TooLong { .. })
        ));
        assert_eq!(padding8(0), 0);
        assert_eq!(padding8(9), 7);
    }
}
