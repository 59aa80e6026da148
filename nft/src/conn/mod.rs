//! The nf_tables connection without a socket: requests and datagrams in; bytes, outcomes and the
//! next deadline out.
//!
//! Owns sequence numbers, what is in flight, when a dump must be repeated and when results are
//! lost. One request is in flight at a time: the kernel answers a batch before `sendmsg` returns.
//! Knows neither sockets nor clocks; time is a [`Duration`] since any fixed moment. Held by
//! `conn/tests.rs` (a scripted kernel) and `tests/kernel/batch.rs` (a real one).
//!
//! ```
//! use core::time::Duration;
//! use nft::conn::{Connection, Outcome, Request};
//!
//! let mut connection = Connection::new(Duration::from_secs(10));
//! let now = Duration::ZERO;
//! let id = connection.submit(Request::Generation, now);
//! let datagram = connection.poll_transmit().unwrap(); // for one `sendmsg`
//! assert_eq!(datagram.len(), 20);
//! // Received datagrams go to `handle_input`. Nothing came in time:
//! connection.handle_timeout(connection.poll_timeout().unwrap());
//! assert_eq!(connection.poll_outcome(), Some((id, Outcome::Unknown)));
//! ```

mod dump;

pub use dump::{Dump, DumpError};

use core::time::Duration;
use std::collections::VecDeque;

use crate::batch::{Encoded, OpError};
use crate::generation::Generation;
use crate::message::{Body, Family, Message, Op};
use crate::wire::{Ack, Flags, Frame, Frames, Writer, kind};

/// `ERESTART`: the generation is not the expected one.
const ERESTART: u16 = 85;
/// After these the kernel forgets its list of errors: nothing else follows.
const ABORTING: [u16; 2] = [4, 12];

/// Identifies a request in its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// What can be asked of the kernel.
#[derive(Clone, Debug)]
pub enum Request {
    /// Apply a batch.
    Commit(Encoded),
    /// Report objects.
    Dump(Box<Dump>),
    /// Report single objects: a get request without [`Flags::DUMP`], for example one element.
    Get(Box<Message>),
    /// Report the generation.
    Generation,
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The batch was applied; objects of operations with [`Flags::ECHO`] follow.
    Committed {
        /// New objects with their handles.
        echoed: Vec<Message>,
    },
    /// Nothing was applied because of these operations.
    Refused(Vec<OpError>),
    /// Nothing was applied: the ruleset is at another generation than expected.
    Stale,
    /// The objects of a consistent dump.
    Dumped(Vec<Message>),
    /// The objects a get request found; a set's element that is absent is [`Outcome::Failed`] with
    /// ENOENT.
    Got(Vec<Message>),
    /// The dump failed.
    DumpFailed(DumpError),
    /// The generation.
    Generation(Generation),
    /// The kernel refused the request.
    Failed(Ack),
    /// Replies were lost or did not come in time: whether the batch was applied is unknown. Dump
    /// and compare.
    Unknown,
}

/// The state machine of one socket.
#[derive(Debug)]
pub struct Connection {
    next_seq: u32,
    next_id: u64,
    queue: VecDeque<(RequestId, Request)>,
    flight: Option<Flight>,
    transmit: VecDeque<Vec<u8>>,
    outcomes: VecDeque<(RequestId, Outcome)>,
    patience: Duration,
}

#[derive(Debug)]
struct Flight {
    id: RequestId,
    first_seq: u32,
    deadline: Duration,
    kind: FlightKind,
}

#[derive(Debug)]
enum FlightKind {
    Commit {
        encoded: Encoded,
        errors: Vec<OpError>,
        echoed: Vec<Message>,
    },
    Dump(Box<dump::Progress>),
    Get {
        request: Box<Message>,
        found: Vec<Message>,
    },
    Generation,
}

impl Default for Connection {
    fn default() -> Self {
        Self::new(Duration::from_secs(10))
    }
}

impl Connection {
    /// A connection that gives up on replies after `patience`.
    pub const fn new(patience: Duration) -> Self {
        Self {
            next_seq: 1,
            next_id: 0,
            queue: VecDeque::new(),
            flight: None,
            transmit: VecDeque::new(),
            outcomes: VecDeque::new(),
            patience,
        }
    }

    /// Queues a request.
    pub fn submit(&mut self, request: Request, now: Duration) -> RequestId {
        let id = RequestId(self.next_id);
        self.next_id = self.next_id.wrapping_add(1);
        self.queue.push_back((id, request));
        self.start_next(now);
        id
    }

    /// The next bytes for one `sendmsg`.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.transmit.pop_front()
    }

    /// The next finished request.
    pub fn poll_outcome(&mut self) -> Option<(RequestId, Outcome)> {
        self.outcomes.pop_front()
    }

    /// When [`Connection::handle_timeout`] wants to be called, if ever.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.flight.as_ref().map(|flight| flight.deadline)
    }

    /// Whether a request waits for replies.
    pub const fn is_busy(&self) -> bool {
        self.flight.is_some()
    }

    /// Takes one received datagram. Messages that belong to no request in flight are ignored.
    pub fn handle_input(&mut self, datagram: &[u8], now: Duration) {
        for frame in Frames::new(datagram) {
            let Ok(frame) = frame else {
                self.finish(Outcome::Unknown, now);
                return;
            };
            self.handle_frame(&frame, now);
        }
    }

    /// The socket reported ENOBUFS: replies are lost.
    pub fn handle_overrun(&mut self, now: Duration) {
        self.give_up(now);
    }

    /// The receive queue is empty although a batch was sent: the kernel answers batches before
    /// `sendmsg` returns, so nothing more will come. Does nothing for other requests.
    pub fn handle_drained(&mut self, now: Duration) {
        if let Some(Flight {
            kind: FlightKind::Commit { errors, .. },
            ..
        }) = &mut self.flight
        {
            let outcome = match core::mem::take(errors) {
                none if none.is_empty() => Outcome::Unknown,
                errors => Outcome::Refused(errors),
            };
            self.finish(outcome, now);
        }
    }

    /// The send itself failed, with this errno.
    pub fn handle_send_error(&mut self, errno: u16, now: Duration) {
        let ack = Ack {
            errno,
            ..Ack::default()
        };
        self.finish(Outcome::Failed(ack), now);
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Duration) {
        if self
            .flight
            .as_ref()
            .is_some_and(|flight| flight.deadline <= now)
        {
            self.give_up(now);
        }
    }

    fn give_up(&mut self, now: Duration) {
        match &mut self.flight {
            Some(Flight {
                kind: FlightKind::Dump(progress),
                ..
            }) if progress.may_retry() => {
                self.restart_dump(now);
            }
            Some(Flight {
                kind: FlightKind::Dump(_),
                ..
            }) => {
                self.finish(Outcome::DumpFailed(DumpError::Lost), now);
            }
            Some(_) => self.finish(Outcome::Unknown, now),
            None => {}
        }
    }

    fn finish(&mut self, outcome: Outcome, now: Duration) {
        if let Some(flight) = self.flight.take() {
            self.outcomes.push_back((flight.id, outcome));
        }
        self.start_next(now);
    }

    fn take_seq(&mut self, count: usize) -> u32 {
        let first = self.next_seq;
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.next_seq = self.next_seq.wrapping_add(count);
        first
    }

    fn start_next(&mut self, now: Duration) {
        while self.flight.is_none()
            && let Some((id, request)) = self.queue.pop_front()
        {
            let deadline = now.saturating_add(self.patience);
            let kind = match request {
                Request::Commit(encoded) if encoded.is_empty() => {
                    let outcome = Outcome::Committed { echoed: Vec::new() };
                    self.outcomes.push_back((id, outcome));
                    continue;
                }
                Request::Commit(mut encoded) => {
                    let base = self.take_seq(encoded.len().saturating_add(2));
                    encoded.number(base);
                    self.transmit.push_back(encoded.bytes().to_vec());
                    FlightKind::Commit {
                        encoded,
                        errors: Vec::new(),
                        echoed: Vec::new(),
                    }
                }
                Request::Dump(dump) => FlightKind::Dump(Box::new(dump::Progress::new(*dump))),
                Request::Get(request) => FlightKind::Get {
                    request,
                    found: Vec::new(),
                },
                Request::Generation => FlightKind::Generation,
            };
            let first_seq = match &kind {
                FlightKind::Commit { encoded, .. } => encoded.base(),
                FlightKind::Dump(progress) => {
                    let request = progress.request();
                    self.send(request)
                }
                FlightKind::Get { request, .. } => {
                    // The objects come first, the acknowledgement ends them.
                    let mut request = request.as_ref().clone();
                    request.flags = request.flags.with(Flags::REQUEST).with(Flags::ACK);
                    self.send(request)
                }
                FlightKind::Generation => {
                    let flags = Flags::default();
                    self.send(Message::request(
                        Op::GET_GEN,
                        Family::UNSPEC,
                        flags,
                        Body::Empty,
                    ))
                }
            };
            self.flight = Some(Flight {
                id,
                first_seq,
                deadline,
                kind,
            });
        }
    }

    fn send(&mut self, mut message: Message) -> u32 {
        message.seq = self.take_seq(1);
        let mut w = Writer::new();
        message.encode(&mut w);
        self.transmit.push_back(w.into_bytes());
        message.seq
    }

    fn restart_dump(&mut self, now: Duration) {
        let Some(Flight {
            id,
            kind: FlightKind::Dump(mut progress),
            ..
        }) = self.flight.take()
        else {
            return;
        };
        progress.restart();
        let first_seq = self.send(progress.request());
        let deadline = now.saturating_add(self.patience);
        self.flight = Some(Flight {
            id,
            first_seq,
            deadline,
            kind: FlightKind::Dump(progress),
        });
    }

    fn handle_frame(&mut self, frame: &Frame<'_>, now: Duration) {
        let Some(flight) = &mut self.flight else {
            return;
        };
        let seq = frame.header.seq;
        match &mut flight.kind {
            FlightKind::Commit {
                encoded,
                errors,
                echoed,
            } => {
                let distance = seq.wrapping_sub(flight.first_seq);
                if usize::try_from(distance).unwrap_or(usize::MAX) > encoded.len() {
                    return;
                }
                if frame.header.kind != kind::ERROR {
                    if let Ok(message) = Message::decode(frame)
                        && message.op != Op::NEW_GEN
                    {
                        echoed.push(message);
                    }
                    return;
                }
                let Ok(ack) = Ack::decode_error(frame) else {
                    return;
                };
                let is_begin = seq == encoded.base();
                if is_begin && ack.errno == ERESTART {
                    return self.finish(Outcome::Stale, now);
                }
                if ack.errno != 0 {
                    errors.push(OpError::explain(encoded, &ack));
                }
                if is_begin || seq == encoded.last() || ABORTING.contains(&ack.errno) {
                    let outcome = if errors.is_empty() {
                        Outcome::Committed {
                            echoed: core::mem::take(echoed),
                        }
                    } else {
                        Outcome::Refused(core::mem::take(errors))
                    };
                    self.finish(outcome, now);
                }
            }
            FlightKind::Dump(progress) => {
                if seq != flight.first_seq {
                    return;
                }
                match progress.take(frame) {
                    dump::Step::More => {}
                    dump::Step::Restart => self.restart_dump(now),
                    dump::Step::Done(outcome) => self.finish(outcome, now),
                }
            }
            FlightKind::Get { found, .. } => {
                if seq != flight.first_seq {
                    return;
                }
                let outcome = match frame.header.kind {
                    kind::ERROR => match Ack::decode_error(frame) {
                        Ok(ack) if ack.errno == 0 => Outcome::Got(core::mem::take(found)),
                        Ok(ack) => Outcome::Failed(ack),
                        Err(_) => Outcome::Unknown,
                    },
                    _ => match Message::decode(frame) {
                        Ok(message) => return found.push(message),
                        Err(_) => Outcome::Unknown,
                    },
                };
                self.finish(outcome, now);
            }
            FlightKind::Generation => {
                if seq != flight.first_seq {
                    return;
                }
                let outcome = match frame.header.kind {
                    kind::ERROR => match Ack::decode_error(frame) {
                        Ok(ack) => Outcome::Failed(ack),
                        Err(_) => Outcome::Unknown,
                    },
                    _ => match Message::decode(frame).map(|message| message.body) {
                        Ok(Body::Generation(generation)) => Outcome::Generation(generation),
                        _ => Outcome::Unknown,
                    },
                };
                self.finish(outcome, now);
            }
        }
    }
}

#[cfg(test)]
mod tests;
