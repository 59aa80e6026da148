//! `struct nlmsghdr` and the walk over the messages of one datagram.

use super::{Reader, Writer, align};
use crate::error::{DecodeError, Fault};

/// Length of `struct nlmsghdr`.
pub const HEADER_LEN: usize = 16;

/// Message types below `NLMSG_MIN_TYPE`.
pub mod kind {
    /// `NLMSG_NOOP`
    pub const NOOP: u16 = 1;
    /// `NLMSG_ERROR`: an acknowledgement or an error.
    pub const ERROR: u16 = 2;
    /// `NLMSG_DONE`: end of a dump.
    pub const DONE: u16 = 3;
    /// `NLMSG_OVERRUN`
    pub const OVERRUN: u16 = 4;
}

/// `nlmsg_flags`. The bits above 0xff mean different things in requests and replies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(pub u16);

impl Flags {
    /// `NLM_F_REQUEST`
    pub const REQUEST: Self = Self(0x1);
    /// `NLM_F_MULTI`: part of a dump.
    pub const MULTI: Self = Self(0x2);
    /// `NLM_F_ACK`: acknowledge success too.
    pub const ACK: Self = Self(0x4);
    /// `NLM_F_ECHO`: send the created object back.
    pub const ECHO: Self = Self(0x8);
    /// `NLM_F_DUMP_INTR`: the dump is inconsistent.
    pub const DUMP_INTR: Self = Self(0x10);
    /// `NLM_F_DUMP` in get requests.
    pub const DUMP: Self = Self(0x300);
    /// `NLM_F_REPLACE` in new requests.
    pub const REPLACE: Self = Self(0x100);
    /// `NLM_F_EXCL`: fail if it exists.
    pub const EXCL: Self = Self(0x200);
    /// `NLM_F_CREATE`
    pub const CREATE: Self = Self(0x400);
    /// `NLM_F_APPEND`: at the end; without it a rule goes to the front.
    pub const APPEND: Self = Self(0x800);
    /// `NLM_F_NONREC` in delete requests.
    pub const NONREC: Self = Self(0x100);
    /// `NLM_F_CAPPED` in errors: the request's payload is not repeated.
    pub const CAPPED: Self = Self(0x100);
    /// `NLM_F_ACK_TLVS` in errors: extended-ack attributes follow.
    pub const ACK_TLVS: Self = Self(0x200);

    /// Whether all bits of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets of bits.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// `struct nlmsghdr` without the length, which the framing handles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Header {
    /// Message type; for nfnetlink `subsystem << 8 | operation`.
    pub kind: u16,
    /// Flag bits.
    pub flags: Flags,
    /// Sequence number; replies repeat the request's.
    pub seq: u32,
    /// Port id of the destination socket; 0 from and to the kernel.
    pub port: u32,
}

impl Header {
    /// Appends one message: this header, then what `body` writes, with the length patched in.
    pub fn encode(self, w: &mut Writer, body: impl FnOnce(&mut Writer)) {
        let start = w.len();
        w.put(&[0; 4]);
        w.put(&self.kind.to_ne_bytes());
        w.put(&self.flags.0.to_ne_bytes());
        w.put(&self.seq.to_ne_bytes());
        w.put(&self.port.to_ne_bytes());
        body(w);
        let len = u32::try_from(w.len().saturating_sub(start)).unwrap_or(u32::MAX);
        w.patch(start, &len.to_ne_bytes());
        w.pad();
    }
}

/// One message of a datagram.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// The header.
    pub header: Header,
    /// Everything after the header. Offsets count from the start of the message.
    pub payload: Reader<'a>,
    /// The message's bytes, header included, padding excluded.
    pub bytes: &'a [u8],
}

/// Iterates over the messages in one datagram; stops after the first malformed one.
#[derive(Clone, Copy, Debug)]
pub struct Frames<'a> {
    rest: &'a [u8],
}

impl<'a> Frames<'a> {
    /// Messages of `datagram`.
    pub const fn new(datagram: &'a [u8]) -> Self {
        Self { rest: datagram }
    }

    fn split(&mut self) -> Result<Frame<'a>, DecodeError> {
        let mut r = Reader::new(self.rest);
        let total = u32::from_ne_bytes(r.array("message.length")?);
        let kind = u16::from_ne_bytes(r.array("message.kind")?);
        let flags = Flags(u16::from_ne_bytes(r.array("message.flags")?));
        let seq = u32::from_ne_bytes(r.array("message.seq")?);
        let port = u32::from_ne_bytes(r.array("message.port")?);
        let len = usize::try_from(total).unwrap_or(usize::MAX);
        let Some(body) = len.checked_sub(HEADER_LEN) else {
            let fault = Fault::Invalid { value: total };
            return Err(DecodeError {
                what: "message.length",
                offset: 0,
                fault,
            });
        };
        let bytes = self.rest;
        let payload = Reader::at(r.take(body, "message.body")?, 16);
        let next = align(len).min(bytes.len());
        self.rest = bytes.get(next..).unwrap_or_default();
        let bytes = bytes.get(..len).unwrap_or_default();
        Ok(Frame {
            header: Header {
                kind,
                flags,
                seq,
                port,
            },
            payload,
            bytes,
        })
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let frame = self.split();
        if frame.is_err() {
            self.rest = &[];
        }
        Some(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_follow_each_other_aligned() {
        let mut w = Writer::new();
        let header = Header {
            kind: 16,
            seq: 7,
            ..Header::default()
        };
        header.encode(&mut w, |w| w.put(b"abc"));
        header.encode(&mut w, |w| w.put(b"d"));
        let frames: Vec<_> = Frames::new(w.bytes()).map(|f| f.unwrap()).collect();
        assert_eq!(frames.len(), 2);
        assert_eq!(frames[0].payload.len(), 3);
        assert_eq!(frames[1].payload.len(), 1);
        assert_eq!(frames[1].header.seq, 7);
    }

    #[test]
    fn length_beyond_the_datagram() {
        let mut w = Writer::new();
        Header::default().encode(&mut w, |w| w.put(&[0; 8]));
        let cut = &w.bytes()[..20];
        let error = Frames::new(cut).next().unwrap().unwrap_err();
        assert_eq!(error.fault, Fault::Truncated { wanted: 8, had: 4 });
    }
}
