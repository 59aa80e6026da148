//! Appends messages and attributes to one growing buffer, patching lengths afterwards.

use super::align;

const NESTED: u16 = 0x8000;

/// An append-only buffer of netlink bytes.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    buf: Vec<u8>,
    overflow: bool,
}

impl Writer {
    /// An empty writer.
    pub const fn new() -> Self {
        Self {
            buf: Vec::new(),
            overflow: false,
        }
    }

    /// A writer that appends to `buf`, keeping its allocation.
    pub const fn with_buffer(buf: Vec<u8>) -> Self {
        Self {
            buf,
            overflow: false,
        }
    }

    /// The bytes so far.
    pub fn bytes(&self) -> &[u8] {
        &self.buf
    }

    /// The bytes, giving up the writer.
    pub fn into_bytes(self) -> Vec<u8> {
        self.buf
    }

    /// Number of bytes so far.
    pub const fn len(&self) -> usize {
        self.buf.len()
    }

    /// Whether nothing has been written.
    pub const fn is_empty(&self) -> bool {
        self.buf.is_empty()
    }

    /// Whether some attribute exceeded 65 535 bytes since the last call. Such bytes must not be
    /// sent: the length field wrapped.
    pub const fn take_overflow(&mut self) -> bool {
        let was = self.overflow;
        self.overflow = false;
        was
    }

    /// Drops everything after `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.buf.truncate(len);
    }

    /// Appends raw bytes.
    pub fn put(&mut self, bytes: &[u8]) {
        self.buf.extend_from_slice(bytes);
    }

    /// Appends zero bytes up to the next multiple of 4.
    pub fn pad(&mut self) {
        self.buf.resize(align(self.buf.len()), 0);
    }

    /// Appends one attribute whose payload `body` writes.
    pub fn attribute(&mut self, kind: u16, nested: bool, body: impl FnOnce(&mut Self)) {
        let start = self.buf.len();
        let tag = if nested { kind | NESTED } else { kind };
        self.put(&[0, 0]);
        self.put(&tag.to_ne_bytes());
        body(self);
        let len = self.buf.len().saturating_sub(start);
        let len = u16::try_from(len).unwrap_or_else(|_| {
            self.overflow = true;
            u16::MAX
        });
        self.patch(start, &len.to_ne_bytes());
        self.pad();
    }

    /// Appends the header of an attribute whose length, header included, is known beforehand.
    pub fn header(&mut self, kind: u16, nested: bool, len: usize) {
        let len = u16::try_from(len).unwrap_or_else(|_| {
            self.overflow = true;
            u16::MAX
        });
        let tag = if nested { kind | NESTED } else { kind };
        let [a, b] = len.to_ne_bytes();
        let [c, d] = tag.to_ne_bytes();
        self.put(&[a, b, c, d]);
    }

    /// Overwrites bytes written before.
    pub fn patch(&mut self, at: usize, bytes: &[u8]) {
        let end = at.saturating_add(bytes.len());
        debug_assert!(end <= self.buf.len(), "patch within written bytes");
        if let Some(hole) = self.buf.get_mut(at..end) {
            hole.copy_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oversized_attribute_is_noticed() {
        let mut w = Writer::new();
        w.attribute(1, false, |w| w.put(&[0; 70_000]));
        assert!(w.take_overflow());
        assert!(!w.take_overflow());
    }

    #[test]
    fn attribute_is_padded() {
        let mut w = Writer::new();
        w.attribute(3, true, |w| w.put(b"ab"));
        assert_eq!(w.bytes(), [6, 0, 3, 0x80, b'a', b'b', 0, 0]);
    }
}
