//! One dump: its request, its repetition when a commit overtook it, its end.

use super::Outcome;
use crate::error::DecodeError;
use crate::message::{Body, Family, Message, Op};
use crate::wire::{Ack, Flags, Frame, kind};

/// What to report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dump {
    /// A get operation.
    pub op: Op,
    /// One family, or [`Family::UNSPEC`] for all.
    pub family: Family,
    /// What to look for; which attributes filter depends on the operation.
    pub filter: Body,
    /// How often to repeat it when commits overtake it.
    pub attempts: u8,
}

impl Dump {
    /// A dump that is repeated up to 8 times.
    pub fn new(op: Op, family: Family, filter: impl Into<Body>) -> Self {
        Self {
            op,
            family,
            filter: filter.into(),
            attempts: 8,
        }
    }
}

/// Why a dump yielded nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DumpError {
    /// Commits overtook every attempt.
    Interrupted,
    /// Replies were lost or came too late in every attempt.
    Lost,
    /// The kernel refused.
    Refused(Ack),
    /// A reply could not be decoded.
    Malformed(DecodeError),
}

#[derive(Debug)]
pub(super) struct Progress {
    dump: Dump,
    objects: Vec<Message>,
    interrupted: bool,
    generation: Option<u16>,
    attempt: u8,
}

pub(super) enum Step {
    More,
    Restart,
    Done(Outcome),
}

impl Progress {
    pub(super) const fn new(dump: Dump) -> Self {
        Self {
            dump,
            objects: Vec::new(),
            interrupted: false,
            generation: None,
            attempt: 1,
        }
    }

    pub(super) fn request(&self) -> Message {
        Message::dump(self.dump.op, self.dump.family, self.dump.filter.clone())
    }

    pub(super) const fn may_retry(&self) -> bool {
        self.attempt < self.dump.attempts
    }

    pub(super) fn restart(&mut self) {
        self.objects.clear();
        self.interrupted = false;
        self.generation = None;
        self.attempt = self.attempt.saturating_add(1);
    }

    /// A dump is inconsistent if any of its messages carries the flag, or if the low bits of the
    /// generation differ between them: element dumps set only the latter.
    pub(super) fn take(&mut self, frame: &Frame<'_>) -> Step {
        self.interrupted |= frame.header.flags.contains(Flags::DUMP_INTR);
        match frame.header.kind {
            kind::DONE => match Ack::decode_done(frame) {
                Ok(ack) if ack.errno != 0 => self.refused(ack),
                Ok(_) if !self.interrupted => {
                    Step::Done(Outcome::Dumped(core::mem::take(&mut self.objects)))
                }
                Ok(_) if self.may_retry() => Step::Restart,
                Ok(_) => Step::Done(Outcome::DumpFailed(DumpError::Interrupted)),
                Err(error) => malformed(error),
            },
            kind::ERROR => match Ack::decode_error(frame) {
                Ok(ack) => self.refused(ack),
                Err(error) => malformed(error),
            },
            kind::NOOP | kind::OVERRUN => Step::More,
            _ => match Message::decode(frame) {
                Ok(message) => {
                    let generation = message.gen_msg.res_id;
                    let first = *self.generation.get_or_insert(generation);
                    self.interrupted |= first != generation;
                    self.objects.push(message);
                    Step::More
                }
                Err(error) => malformed(error),
            },
        }
    }

    fn refused(&mut self, ack: Ack) -> Step {
        const EINTR: u16 = 4;
        if ack.errno == EINTR && self.may_retry() {
            return Step::Restart;
        }
        Step::Done(Outcome::DumpFailed(DumpError::Refused(ack)))
    }
}

const fn malformed(error: DecodeError) -> Step {
    Step::Done(Outcome::DumpFailed(DumpError::Malformed(error)))
}
