//! Cuts an undelimited stream into JSON objects (RFC 7047 §4.1 leaves framing to JSON itself).
//!
//! The scanner remembers where it stopped, so that every byte is looked at once however the
//! stream is fragmented. Memory is bounded by [`SplitLimits::message`] plus one read.

use super::{MAX_DEPTH, parse::is_space};
use crate::error::{JsonError, JsonErrorKind};

/// Limits of a [`Splitter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SplitLimits {
    /// Longest message in bytes.
    pub message: usize,
    /// Deepest nesting.
    pub depth: usize,
}

impl Default for SplitLimits {
    fn default() -> Self {
        Self {
            message: 64 << 20,
            depth: MAX_DEPTH,
        }
    }
}

/// Incremental splitter: bytes in, whole messages out.
#[derive(Debug)]
pub struct Splitter {
    limits: SplitLimits,
    buffer: Vec<u8>,
    /// Start of the message under inspection.
    start: usize,
    /// First byte not yet looked at.
    scanned: usize,
    depth: usize,
    state: Scan,
    failed: Option<JsonError>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scan {
    Outside,
    Plain,
    InString,
    Escaped,
}

/// A buffer larger than this is given back to the allocator once it is empty.
const KEEP: usize = 256 << 10;

impl Splitter {
    /// A splitter at the start of a stream.
    pub const fn new(limits: SplitLimits) -> Self {
        Self {
            limits,
            buffer: Vec::new(),
            start: 0,
            scanned: 0,
            depth: 0,
            state: Scan::Outside,
            failed: None,
        }
    }

    /// Adds bytes read from the stream. Call [`Self::next_message`] until it returns `None`
    /// before adding more; that keeps the buffer within its bound.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next complete message, without the white space around it; `None` if more bytes are
    /// needed. An error is final: the stream cannot be resynchronised.
    pub fn next_message(&mut self) -> Result<Option<&[u8]>, JsonError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        match self.scan() {
            Ok(Some((start, end))) => {
                self.start = end;
                Ok(Some(self.buffer.get(start..end).unwrap_or_default()))
            }
            Ok(None) => {
                self.compact();
                Ok(None)
            }
            Err(kind) => {
                let error = JsonError {
                    kind,
                    offset: self.scanned - self.start,
                };
                self.failed = Some(error);
                self.buffer = Vec::new();
                Err(error)
            }
        }
    }

    /// Bytes held for an unfinished message.
    pub const fn buffered(&self) -> usize {
        self.buffer.len() - self.start
    }

    fn scan(&mut self) -> Result<Option<(usize, usize)>, JsonErrorKind> {
        let Some(fresh) = self.buffer.get(self.scanned..) else {
            return Ok(None);
        };
        let mut bytes = fresh.iter();
        let base = self.scanned;
        let total = fresh.len();
        let outcome = loop {
            let Some(&b) = bytes.next() else {
                break Ok(None);
            };
            match self.state {
                Scan::InString => match b {
                    b'"' => self.state = Scan::Plain,
                    b'\\' => self.state = Scan::Escaped,
                    _ => {}
                },
                Scan::Escaped => self.state = Scan::InString,
                Scan::Plain => match b {
                    b'"' => self.state = Scan::InString,
                    b'{' | b'[' => {
                        if self.depth >= self.limits.depth {
                            break Err(JsonErrorKind::Depth);
                        }
                        self.depth += 1;
                    }
                    b'}' | b']' => {
                        self.depth -= 1;
                        if self.depth == 0 {
                            self.state = Scan::Outside;
                            let end = base + total - bytes.len();
                            break Ok(Some((self.start, end)));
                        }
                    }
                    _ => {}
                },
                Scan::Outside => {
                    if b == b'{' {
                        self.start = base + total - bytes.len() - 1;
                        self.depth = 1;
                        self.state = Scan::Plain;
                    } else if !is_space(b) {
                        break Err(JsonErrorKind::NotAContainer);
                    }
                }
            }
        };
        self.scanned = base + total - bytes.len();
        match outcome {
            Ok(Some((start, end))) if end - start > self.limits.message => Err(JsonErrorKind::Size),
            Ok(None) if self.state == Scan::Outside => {
                self.start = self.scanned;
                Ok(None)
            }
            Ok(None) if self.scanned - self.start > self.limits.message => Err(JsonErrorKind::Size),
            // It was too long before it was too deep, in whatever pieces it came.
            Err(JsonErrorKind::Depth) if self.scanned - self.start > self.limits.message => {
                Err(JsonErrorKind::Size)
            }
            Err(kind) => {
                self.scanned = self.scanned.saturating_sub(1).max(self.start);
                Err(kind)
            }
            other => other,
        }
    }

    /// Gives a large buffer back if everything in it has been handed out.
    pub fn shrink(&mut self) {
        if self.start == self.buffer.len() && self.buffer.capacity() > KEEP {
            self.compact();
        }
    }

    /// Drops what has been handed out.
    fn compact(&mut self) {
        if self.start == self.buffer.len() && self.buffer.capacity() > KEEP {
            self.buffer = Vec::new();
        } else if self.start > 0 {
            self.buffer.drain(..self.start);
        }
        self.scanned -= self.start;
        self.start = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(splitter: &mut Splitter) -> Result<Vec<String>, JsonError> {
        let mut out = Vec::new();
        while let Some(message) = splitter.next_message()? {
            out.push(String::from_utf8_lossy(message).into_owned());
        }
        Ok(out)
    }

    #[test]
    fn the_first_limit_counts_in_whatever_pieces() {
        let limits = SplitLimits {
            message: 8,
            depth: 2,
        };
        for (text, kind) in [
            ("{      [[[", JsonErrorKind::Size),
            ("{     [[[", JsonErrorKind::Depth),
            ("            x", JsonErrorKind::NotAContainer),
        ] {
            for size in 1..=text.len() {
                let mut splitter = Splitter::new(limits);
                let failed = text.as_bytes().chunks(size).find_map(|piece| {
                    splitter.push(piece);
                    splitter.next_message().err()
                });
                assert_eq!(failed.map(|e| e.kind), Some(kind), "{text:?} by {size}");
            }
        }
    }

    #[test]
    fn every_fragmentation_gives_the_same_messages() {
        let text = " {\"a\":\"}{\\\"\u{1d11e}\"}{\"b\":[1,{\"c\":\"\\\\\"}]}\n{}";
        let whole = [
            "{\"a\":\"}{\\\"\u{1d11e}\"}",
            "{\"b\":[1,{\"c\":\"\\\\\"}]}",
            "{}",
        ];
        for size in 1..=text.len() {
            let mut splitter = Splitter::new(SplitLimits::default());
            let mut seen = Vec::new();
            for chunk in text.as_bytes().chunks(size) {
                splitter.push(chunk);
                seen.extend(all(&mut splitter).unwrap());
            }
            assert_eq!(seen, whole, "chunks of {size}");
            assert_eq!(splitter.buffered(), 0);
        }
    }

    #[test]
    fn limits_hold_before_the_message_ends() {
        let limits = SplitLimits {
            message: 100,
            depth: 3,
        };
        let mut splitter = Splitter::new(limits);
        splitter.push(b"{\"a\":\"");
        splitter.push(&[b'x'; 101]);
        assert_eq!(
            splitter.next_message().unwrap_err().kind,
            JsonErrorKind::Size
        );
        splitter.push(b"more");
        assert_eq!(splitter.buffered(), 0);
        let mut splitter = Splitter::new(limits);
        splitter.push(b"{\"a\":[[[");
        assert_eq!(
            splitter.next_message().unwrap_err().kind,
            JsonErrorKind::Depth
        );
        let mut splitter = Splitter::new(limits);
        splitter.push(b" [1]");
        assert_eq!(
            splitter.next_message().unwrap_err(),
            JsonError {
                kind: JsonErrorKind::NotAContainer,
                offset: 1
            }
        );
    }
}
