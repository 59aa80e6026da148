//! One request and its replies.

use super::{CtMessage, CtOp};
use crate::error::DecodeError;
use crate::wire::{Ack, Flags, Frames, Writer, kind};

/// A request whose replies are being gathered.
#[derive(Debug)]
pub struct Exchange {
    message: CtMessage,
    replies: Vec<CtMessage>,
    interrupted: bool,
}

/// How an exchange ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replies {
    /// Success, with the reported entries. `interrupted` says that the table changed meanwhile,
    /// so that entries may be missing or twice.
    Entries {
        /// The entries.
        entries: Vec<CtMessage>,
        /// Whether the table changed during the dump.
        interrupted: bool,
    },
    /// The kernel refused.
    Refused(Ack),
    /// A reply could not be decoded.
    Malformed(DecodeError),
}

impl Exchange {
    /// An exchange with a sequence number of its own.
    pub const fn new(mut message: CtMessage, seq: u32) -> Self {
        message.seq = seq;
        Self {
            message,
            replies: Vec::new(),
            interrupted: false,
        }
    }

    /// The bytes to send.
    pub fn bytes(&self) -> Vec<u8> {
        let mut w = Writer::new();
        self.message.encode(&mut w);
        w.into_bytes()
    }

    /// Takes one datagram; yields the end when it has come. Replies to other requests are ignored.
    pub fn handle_input(&mut self, datagram: &[u8]) -> Option<Replies> {
        for frame in Frames::new(datagram) {
            let frame = match frame {
                Ok(frame) if frame.header.seq == self.message.seq => frame,
                Ok(_) => continue,
                Err(error) => return Some(Replies::Malformed(error)),
            };
            self.interrupted |= frame.header.flags.contains(Flags::DUMP_INTR);
            let ack = match frame.header.kind {
                kind::ERROR => Ack::decode_error(&frame),
                kind::DONE => Ack::decode_done(&frame),
                _ => match CtMessage::decode(&frame) {
                    Ok(reply) => {
                        self.replies.push(reply);
                        // A get of one entry is answered by the entry, then an acknowledgement.
                        continue;
                    }
                    Err(error) => Err(error),
                },
            };
            return Some(match ack {
                Ok(ack) if ack.errno == 0 => Replies::Entries {
                    entries: core::mem::take(&mut self.replies),
                    interrupted: self.interrupted,
                },
                Ok(ack) => Replies::Refused(ack),
                Err(error) => Replies::Malformed(error),
            });
        }
        None
    }

    /// The operation that was asked for.
    pub const fn op(&self) -> CtOp {
        self.message.op
    }
}
