//! An OpenFlow connection without sockets and without a clock.
//!
//! Bytes and the time go in; bytes, [`Event`]s and the next deadline come out. The owner moves them
//! (the module `net` does it with tokio):
//!
//! ```text
//!   socket reader --> receive(now, bytes) --+             +--> poll_event() --> user
//!                                           | Connection  |
//!   user --> submit_batch / request / ... --+             +--> transmit(now, max, out) --> socket writer
//!   timer --> tick(now) --------------------+             +--> deadline() --> timer
//! ```
//!
//! Reader and writer are independent: `receive` never needs room in the output and `transmit` never
//! needs input. A switch stops reading while its own replies are not read, so an owner that waits
//! for a write before it reads again will hang; one that polls both does not.
//!
//! # Pipelining
//!
//! Submissions are sent in the order they were made. A [`Batch`] is followed by one barrier (a very
//! long one by several, see [`Config::window_messages`]); errors are mapped back to the operation
//! they belong to, and [`Event::BatchDone`] comes when the barrier is answered. Several batches
//! and requests are in flight at once, up to the window.
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//! use ofproto::conn::{Batch, Config, Connection, Event, Tag};
//!
//! let now = Duration::ZERO; // time since any fixed moment
//! let mut conn = Connection::new(Config::default(), now);
//!
//! // Our hello goes out first, and set-up messages once the switch has said hello.
//! let mut out = Vec::new();
//! conn.transmit(now, 65_536, &mut out);
//! assert_eq!(out[..4], [1, 0, 0, 8]);
//! conn.receive(now, &[1, 0, 0, 8, 0, 0, 0, 9]);
//! out.clear();
//! conn.transmit(now, 65_536, &mut out);
//!
//! // Submissions made now wait for Event::Ready.
//! conn.submit_batch(Tag(1), Batch::new());
//! assert_eq!(conn.poll_event(), None);
//! ```
//!
//! # Invariants
//!
//! * Every submission is answered by exactly one final event (`BatchDone`, `BundleDone`,
//!   `Reply { more: false }` or `Failed`), whatever the peer does. `Closed` is the last event.
//! * Memory is bounded by what was submitted, one incomplete message and undelivered events.
//! * Nothing panics on any input.
//!
//! `tests/conn.rs` holds them, over a simulated link; the fuzz target `of_conn` feeds garbage.

mod batch;
mod bundle;
mod config;
mod event;
mod frame;
mod handshake;
mod pipeline;

use std::collections::VecDeque;
use std::time::Duration;

pub use batch::Batch;
pub use bundle::{BUNDLE_ADD_OVERHEAD, BundleFlags, BundleId};
pub use config::{Config, WireVersion};
pub use event::{CloseReason, Event, Failure, OfError, OpError, Tag};
pub use frame::{Frame, HEADER_LEN};

use frame::{BadLength, FrameBuffer, kind, write_message};
use handshake::{Handshake, NICIRA};
use pipeline::{Pipeline, Run, Work};

/// NXT_FLOW_MONITOR_PAUSED and _RESUMED (nicira-ext.h).
const FLOW_MONITOR_PAUSED: u32 = 22;
const FLOW_MONITOR_RESUMED: u32 = 23;
/// NXST_FLOW_MONITOR.
const FLOW_MONITOR: u32 = 2;

/// One connection to a switch, from hello to the end.
///
/// A connection is not reused: after [`Event::Closed`] make a new one.
#[derive(Debug)]
pub struct Connection {
    config: Config,
    state: State,
    input: FrameBuffer,
    /// Hello, set-up and echo messages: sent before anything else, outside the window.
    urgent: Vec<u8>,
    pipeline: Pipeline,
    events: VecDeque<Event>,
    event_bytes: usize,
    started: Duration,
    last_heard: Duration,
    probe_sent: bool,
    monitor_paused: bool,
    next_bundle: u32,
}

#[derive(Debug)]
enum State {
    Opening(Handshake),
    Ready,
    Closed,
}

impl Connection {
    /// A fresh connection at time `now` (since any fixed moment, the same for all calls).
    pub fn new(config: Config, now: Duration) -> Self {
        let mut pipeline = Pipeline::new(config);
        let mut urgent = Vec::new();
        let handshake = Handshake::start(config, &mut pipeline, &mut urgent);
        Self {
            config,
            state: State::Opening(handshake),
            input: FrameBuffer::default(),
            urgent,
            pipeline,
            events: VecDeque::new(),
            event_bytes: 0,
            started: now,
            last_heard: now,
            probe_sent: false,
            monitor_paused: false,
            next_bundle: 1,
        }
    }

    /// Queues operations that have no replies. Answered by [`Event::BatchDone`] or
    /// [`Event::Failed`].
    pub fn submit_batch(&mut self, tag: Tag, batch: Batch) {
        self.submit(Work::Batch(Run::new(tag, batch)));
    }

    /// Queues operations that take effect together; needs [`WireVersion::V1_4`] and messages of
    /// that version. Answered by [`Event::BundleDone`] or [`Event::Failed`].
    ///
    /// If any operation is refused, the bundle is discarded and nothing changes. Later submissions
    /// wait until the bundle is over.
    pub fn submit_bundle(&mut self, tag: Tag, batch: Batch, flags: BundleFlags) {
        let errors = batch.too_long_for(usize::from(u16::MAX) - BUNDLE_ADD_OVERHEAD);
        if !errors.is_empty() && !self.is_closed() {
            self.events.push_back(Event::BundleDone {
                tag,
                committed: false,
                errors,
                control: None,
            });
            return;
        }
        let id = BundleId(self.next_bundle);
        self.next_bundle = self.next_bundle.wrapping_add(1);
        let run = Run::new(tag, batch);
        self.submit(Work::Bundle {
            run,
            id,
            flags,
            stage: bundle::Stage::Unopened,
        });
    }

    /// Queues one encoded message that has a reply: statistics, features, config, role, ...
    /// Answered by one or more [`Event::Reply`], or [`Event::Failed`].
    ///
    /// For messages without a reply use a [`Batch`]. `message` must be one whole message; its xid
    /// is replaced.
    pub fn request(&mut self, tag: Tag, message: Frame) {
        let bytes = message.into_bytes();
        self.submit(Work::Request { tag, bytes });
    }

    fn submit(&mut self, work: Work) {
        self.pipeline.submit(work);
        if self.is_closed() {
            self.pipeline.fail_all(Failure::Closed, &mut self.events);
        }
    }

    /// Takes received bytes, in pieces of any size.
    pub fn receive(&mut self, now: Duration, bytes: &[u8]) {
        if self.is_closed() {
            return;
        }
        if !bytes.is_empty() {
            self.last_heard = now;
            self.probe_sent = false;
        }
        self.input.feed(bytes);
        while !self.is_closed() {
            match self.input.next_frame() {
                Ok(None) => return,
                Ok(Some(frame)) => {
                    let length = frame.bytes().len();
                    let before = self.events.len();
                    if let Err(reason) = self.receive_frame(now, frame) {
                        self.close(reason);
                    }
                    if self.events.len() > before {
                        self.event_bytes = self.event_bytes.saturating_add(length);
                    }
                }
                Err(BadLength(_)) => self.close(CloseReason::Protocol("header length below 8")),
            }
        }
    }

    fn receive_frame(&mut self, now: Duration, frame: Frame) -> Result<(), CloseReason> {
        match frame.kind() {
            // Echo replies carry the version of the request, whatever it is.
            kind::ECHO_REQUEST => {
                let (version, xid) = (frame.version(), frame.xid());
                if self.urgent.len() > MAX_URGENT {
                    return Err(CloseReason::Protocol("echo requests faster than replies"));
                }
                write_message(
                    &mut self.urgent,
                    version,
                    kind::ECHO_REPLY,
                    xid,
                    frame.body(),
                );
                return Ok(());
            }
            kind::ECHO_REPLY if frame.xid() == PROBE_XID => return Ok(()),
            _ => {}
        }
        match &mut self.state {
            State::Opening(handshake) => {
                let ready = handshake.receive(
                    self.config,
                    frame,
                    &mut self.pipeline,
                    &mut self.urgent,
                    &mut self.events,
                )?;
                if let Some(event) = ready {
                    self.state = State::Ready;
                    self.events.push_back(event);
                }
                Ok(())
            }
            State::Ready => {
                if frame.version() != self.config.version.byte() {
                    return Err(CloseReason::Protocol("message of another version"));
                }
                if frame.kind() == kind::HELLO {
                    return Ok(());
                }
                if let Some(frame) = self.pipeline.receive(now, frame, &mut self.events)? {
                    self.unasked(frame);
                }
                Ok(())
            }
            State::Closed => Ok(()),
        }
    }

    /// A message that answers nothing.
    fn unasked(&mut self, frame: Frame) {
        let stats = self.config.version.stats_reply();
        let event = match (frame.kind(), frame.u32_at(8), frame.u32_at(12)) {
            (kind::VENDOR, Some(NICIRA), Some(FLOW_MONITOR_PAUSED)) => {
                self.monitor_paused = true;
                Event::MonitorPaused
            }
            (kind::VENDOR, Some(NICIRA), Some(FLOW_MONITOR_RESUMED)) => {
                self.monitor_paused = false;
                Event::MonitorResumed
            }
            (of_stats, Some(head), Some(NICIRA))
                if of_stats == stats
                    && head >> 16 == 0xffff
                    && frame.u32_at(16) == Some(FLOW_MONITOR) =>
            {
                Event::MonitorUpdate { frame }
            }
            _ => Event::Unsolicited { frame },
        };
        self.events.push_back(event);
    }

    /// The next event, if any.
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front();
        if self.events.is_empty() {
            self.event_bytes = 0;
        }
        event
    }

    /// Bytes received for events not yet polled. An owner whose user is slow stops reading the
    /// socket when this is large.
    pub fn event_backlog(&self) -> usize {
        self.event_bytes
    }

    /// Bytes submitted and not yet handed to the writer.
    pub fn send_backlog(&self) -> usize {
        self.pipeline.backlog()
    }

    /// Messages sent and not yet known to be executed.
    pub fn in_flight(&self) -> usize {
        self.pipeline.in_flight()
    }

    /// Whether everything submitted was answered.
    pub fn is_idle(&self) -> bool {
        self.pipeline.is_idle()
    }

    /// Whether the handshake is through and the connection not closed.
    pub fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready)
    }

    /// Whether the connection is over.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Whether flow monitor updates are interrupted, so that what they told is out of date.
    pub fn is_monitor_paused(&self) -> bool {
        self.monitor_paused
    }

    /// Appends whole messages to `out` until the window is full or `out` holds `max` bytes or a
    /// little more (the last message is never cut). Returns how many bytes were appended. Bytes
    /// handed out count as sent.
    ///
    /// Call it when the writer can take more, after `receive`, submissions and `tick`. Writes of
    /// 16 to 64 KiB are best.
    pub fn transmit(&mut self, now: Duration, max: usize, out: &mut Vec<u8>) -> usize {
        let start = out.len();
        out.append(&mut self.urgent);
        if self.is_ready() && out.len() < max {
            self.pipeline.release(now, max, out);
        }
        out.len().saturating_sub(start)
    }

    /// When [`tick`](Self::tick) must be called next; `None` once closed.
    pub fn deadline(&self) -> Option<Duration> {
        let probe = self.last_heard.saturating_add(if self.probe_sent {
            self.config.probe_interval.saturating_mul(2)
        } else {
            self.config.probe_interval
        });
        let answer = match &self.state {
            State::Opening(_) => Some(self.started.saturating_add(self.config.request_timeout)),
            State::Ready => self.pipeline.deadline(),
            State::Closed => return None,
        };
        Some(answer.map_or(probe, |answer| answer.min(probe)))
    }

    /// Acts on deadlines that have passed by `now`.
    pub fn tick(&mut self, now: Duration) {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        let answer = match &self.state {
            State::Opening(_) => Some(self.started.saturating_add(self.config.request_timeout)),
            State::Ready => self.pipeline.deadline(),
            State::Closed => return,
        };
        if answer.is_some_and(|deadline| deadline <= now) {
            self.close_failing(CloseReason::Timeout, Failure::Timeout);
        } else if self.probe_sent {
            self.close(CloseReason::Silent);
        } else {
            self.probe_sent = true;
            let version = self.config.version.byte();
            write_message(
                &mut self.urgent,
                version,
                kind::ECHO_REQUEST,
                PROBE_XID,
                &[],
            );
        }
    }

    /// Ends the connection; open submissions fail, [`Event::Closed`] follows.
    pub fn close(&mut self, reason: CloseReason) {
        self.close_failing(reason, Failure::Closed);
    }

    fn close_failing(&mut self, reason: CloseReason, oldest: Failure) {
        if self.is_closed() {
            return;
        }
        self.state = State::Closed;
        self.urgent.clear();
        self.pipeline.fail_all(oldest, &mut self.events);
        self.events.push_back(Event::Closed { reason });
    }
}

/// Most bytes of echo replies that wait for the writer.
const MAX_URGENT: usize = 1 << 20;

/// The xid of our probes; the pipeline's own ids start at 1 and wrap before it.
const PROBE_XID: u32 = u32::MAX;
