//! Whole OpenFlow messages cut out of a byte stream.
//!
//! Owns: the 8-byte header (OF1.0 §5.1: version, type, length, xid) as far as framing needs it, and
//! the reassembly buffer. Knows nothing about bodies. Held by `tests/conn.rs` (split reads) and the
//! tests below.
//!
//! ```text
//!  0        1        2                 4                                 8
//!  +--------+--------+-----------------+---------------------------------+
//!  |version |  type  | length (8..)    | xid                             | body ...
//!  +--------+--------+-----------------+---------------------------------+
//! ```

use crate::error::{DecodeError, EncodeError};
use crate::msg::Message;

/// Length of the OpenFlow header, in bytes.
pub const HEADER_LEN: usize = 8;

/// Message types the connection itself has to recognise (OF1.0 §5.1, `enum ofp_type`).
pub(crate) mod kind {
    pub const HELLO: u8 = 0;
    pub const ERROR: u8 = 1;
    pub const ECHO_REQUEST: u8 = 2;
    pub const ECHO_REPLY: u8 = 3;
    pub const VENDOR: u8 = 4;
    pub const FEATURES_REQUEST: u8 = 5;
    pub const BUNDLE_CONTROL: u8 = 33;
    pub const BUNDLE_ADD: u8 = 34;
}

/// One whole message, at least 8 bytes, whose header length equals its size.
///
/// A frame says nothing about its body: decode it with the message codec, or look at a flow dump
/// without copying through [`crate::view`].
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    bytes: Vec<u8>,
}

impl Frame {
    /// Wraps one whole message; `None` if the size is below 8 or differs from the header's length.
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        let frame = Self { bytes };
        let length = usize::from(frame.u16_at(2)?);
        (length >= HEADER_LEN && length == frame.bytes.len()).then_some(frame)
    }

    /// An encoded OpenFlow 1.0 message, its xid still open.
    ///
    /// # Errors
    /// As for [`Message::encode`].
    pub fn of(message: &Message) -> Result<Self, EncodeError> {
        let bytes = message.to_bytes(0)?;
        let len = bytes.len();
        Self::new(bytes).ok_or(EncodeError::TooLong {
            what: "message",
            len,
        })
    }

    /// Decodes the message.
    ///
    /// # Errors
    /// As for [`Message::decode`].
    pub fn message(&self) -> Result<Message, DecodeError> {
        Message::decode(&self.bytes).map(|(_, message)| message)
    }

    /// The OpenFlow version byte (1 is OpenFlow 1.0, 5 is OpenFlow 1.4).
    pub fn version(&self) -> u8 {
        self.bytes.first().copied().unwrap_or(0)
    }

    /// The message type, whose meaning depends on the version.
    pub fn kind(&self) -> u8 {
        self.bytes.get(1).copied().unwrap_or(0)
    }

    /// The transaction id.
    pub fn xid(&self) -> u32 {
        self.u32_at(4).unwrap_or(0)
    }

    /// The message, header included.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes after the header.
    pub fn body(&self) -> &[u8] {
        self.bytes.get(HEADER_LEN..).unwrap_or(&[])
    }

    /// Gives the bytes away.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(crate) fn u16_at(&self, offset: usize) -> Option<u16> {
        let field = self.bytes.get(offset..)?.first_chunk()?;
        Some(u16::from_be_bytes(*field))
    }

    pub(crate) fn u32_at(&self, offset: usize) -> Option<u32> {
        let field = self.bytes.get(offset..)?.first_chunk()?;
        Some(u32::from_be_bytes(*field))
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Frame {{ version: {}, kind: {}, xid: {:#x}, length: {} }}",
            self.version(),
            self.kind(),
            self.xid(),
            self.bytes.len()
        )
    }
}

/// A header length below 8: the stream cannot be followed any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadLength(pub u16);

/// Collects received bytes and gives whole messages back.
///
/// Holds at most one incomplete message (65 535 bytes) between two calls of
/// [`next_frame`](Self::next_frame) that returned nothing, plus what the caller fed since.
#[derive(Debug, Default)]
pub(crate) struct FrameBuffer {
    bytes: Vec<u8>,
    start: usize,
}

impl FrameBuffer {
    /// Appends received bytes.
    pub fn feed(&mut self, received: &[u8]) {
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(received);
    }

    /// The next whole message, or `None` until more bytes arrive.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, BadLength> {
        let rest = self.bytes.get(self.start..).unwrap_or(&[]);
        let Some(&[_, _, high, low, ..]) = rest.first_chunk::<HEADER_LEN>() else {
            return Ok(None);
        };
        let length = u16::from_be_bytes([high, low]);
        if usize::from(length) < HEADER_LEN {
            return Err(BadLength(length));
        }
        let Some(message) = rest.get(..usize::from(length)) else {
            return Ok(None);
        };
        let frame = Frame {
            bytes: message.to_vec(),
        };
        self.start += usize::from(length);
        Ok(Some(frame))
    }
}

/// Appends a message of `version` and `kind` with `body` (at most 65 527 bytes) to `out`.
pub(crate) fn write_message(out: &mut Vec<u8>, version: u8, kind: u8, xid: u32, body: &[u8]) {
    let length = u16::try_from(HEADER_LEN + body.len()).unwrap_or(u16::MAX);
    debug_assert_eq!(usize::from(length), HEADER_LEN + body.len());
    out.extend_from_slice(&[version, kind]);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&xid.to_be_bytes());
    out.extend_from_slice(body);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_reads_give_the_same_frames() {
        let mut stream = Vec::new();
        for xid in 0..20u32 {
            write_message(
                &mut stream,
                1,
                kind::ECHO_REQUEST,
                xid,
                &vec![7; xid as usize],
            );
        }
        for step in [1, 2, 3, 7, 8, 9, 64, 4096] {
            let mut buffer = FrameBuffer::default();
            let mut seen = Vec::new();
            for piece in stream.chunks(step) {
                buffer.feed(piece);
                while let Some(frame) = buffer.next_frame().unwrap() {
                    seen.push(frame);
                }
            }
            assert_eq!(seen.len(), 20, "step {step}");
            for (xid, frame) in seen.iter().enumerate() {
                assert_eq!(frame.xid() as usize, xid);
                assert_eq!(frame.body().len(), xid);
            }
        }
    }

    #[test]
    fn short_length_is_an_error() {
        for length in 0..8u8 {
            let mut buffer = FrameBuffer::default();
            buffer.feed(&[1, 0, 0, length, 0, 0, 0, 0]);
            assert_eq!(buffer.next_frame(), Err(BadLength(u16::from(length))));
        }
    }

    #[test]
    fn frame_checks_its_own_length() {
        assert!(Frame::new(vec![1, 0, 0, 8, 0, 0, 0, 1]).is_some());
        assert!(Frame::new(vec![1, 0, 0, 9, 0, 0, 0, 1]).is_none());
        assert!(Frame::new(vec![1, 0, 0, 7, 0, 0, 0]).is_none());
        assert!(Frame::new(Vec::new()).is_none());
    }
}
