//! The JSON-RPC connection without socket and clock (RFC 7047 §4).
//!
//! Bytes and `now` in ([`Conn::receive`], [`Conn::tick`]); bytes ([`Conn::take_output`]),
//! events ([`Conn::poll_event`]) and the next deadline ([`Conn::deadline`]) out. Owns request
//! numbers, deadlines, echo and probes; answers echo by itself, whatever the owner is doing.
//! Knows nothing of databases. Time is the distance from any fixed point. Held by
//! `tests/hostile.rs` and the `ovsdb_conn` fuzz target.
//!
//! Memory is bounded. Input: [`SplitLimits::message`] plus one read of text, and while a
//! message is taken apart up to 40 times its length for its values (a peer that wants to hurt
//! sends `[[0]],[[0]],..`). Output: [`Limits::output`] and
//! a quarter, plus one message. Requests: [`Limits::in_flight`].
//!
//! ```
//! use ovsdb::conn::{Conn, Event, Limits};
//! use std::time::Duration;
//!
//! let mut conn = Conn::new(Limits::default(), Duration::ZERO);
//! let question = conn.request("list_dbs", &[], None).unwrap();
//! assert_eq!(conn.output(), br#"{"id":0,"method":"list_dbs","params":[]}"#);
//! conn.receive(br#"{"id":0,"result":["d"],"error":null}"#, Duration::ZERO)?;
//! let Some(Event::Reply { id, outcome: Ok(names) }) = conn.poll_event() else { panic!() };
//! assert_eq!((id, names.to_string()), (question, r#"["d"]"#.into()));
//! # Ok::<(), ovsdb::conn::ConnError>(())
//! ```

use crate::error::{DecodeError, JsonError};
use crate::json::{Json, SplitLimits, Splitter, Str, parse};
use crate::rpc::{Message, encode_call};
use core::fmt;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Limits of a [`Conn`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Limits of incoming messages.
    pub split: SplitLimits,
    /// Most bytes waiting to be sent before requests are refused. Echo replies may exceed it
    /// by a quarter before the peer is given up.
    pub output: usize,
    /// Most requests without a reply.
    pub in_flight: usize,
    /// Silence after which an echo is sent, and after which again the peer is given up;
    /// `None` never probes.
    pub probe: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            split: SplitLimits::default(),
            output: 64 << 20,
            in_flight: 8192,
            probe: Some(Duration::from_secs(5)),
        }
    }
}

/// Number of a request on its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub(crate) i64);

/// What a connection reports.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A notification of the server.
    Notification {
        /// Method name.
        method: Str,
        /// Parameters.
        params: Vec<Json>,
    },
    /// The reply to a request.
    Reply {
        /// The request.
        id: RequestId,
        /// The result, or the error.
        outcome: Result<Json, Json>,
    },
    /// A request passed its deadline; a reply that comes later is dropped.
    Expired(RequestId),
}

/// Why a connection must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnError {
    /// The peer sent bytes that are no JSON objects, or one too long.
    Json(JsonError),
    /// The peer sent a JSON object that is no message.
    Message(DecodeError),
    /// The peer was silent although probed.
    Inactive,
    /// The peer sends echo requests and does not read the replies.
    Flood,
}

impl fmt::Display for ConnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => error.fmt(f),
            Self::Message(error) => error.fmt(f),
            Self::Inactive => f.write_str("no answer to the inactivity probe"),
            Self::Flood => f.write_str("peer requests faster than it reads"),
        }
    }
}

impl core::error::Error for ConnError {}

/// Why a request is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Too many requests without a reply.
    InFlight,
    /// Too many bytes waiting to be sent.
    Output,
    /// There is no connection.
    NotConnected,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InFlight => "too many requests in flight",
            Self::Output => "too many bytes waiting to be sent",
            Self::NotConnected => "not connected",
        })
    }
}

impl core::error::Error for Refused {}

/// A JSON-RPC connection.
#[derive(Debug)]
pub struct Conn {
    limits: Limits,
    splitter: Splitter,
    output: Vec<u8>,
    events: VecDeque<Event>,
    next_id: i64,
    pending: BTreeMap<i64, Option<Duration>>,
    deadlines: BTreeSet<(Duration, i64)>,
    /// When bytes last arrived.
    heard: Duration,
    probing: bool,
    stray_replies: u64,
    failed: Option<ConnError>,
}

/// The id of our echo requests; numbers are for the owner's.
const PROBE_ID: &str = "echo";

impl Conn {
    /// A connection that has just been established.
    pub fn new(limits: Limits, now: Duration) -> Self {
        Self {
            splitter: Splitter::new(limits.split),
            limits,
            output: Vec::new(),
            events: VecDeque::new(),
            next_id: 0,
            pending: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            heard: now,
            probing: false,
            stray_replies: 0,
            failed: None,
        }
    }

    /// Takes bytes read from the peer. An error is final.
    pub fn receive(&mut self, bytes: &[u8], now: Duration) -> Result<(), ConnError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if !bytes.is_empty() {
            self.heard = now;
            self.probing = false;
        }
        self.splitter.push(bytes);
        let result = self.dispatch_all();
        self.failed = result.err();
        result
    }

    fn dispatch_all(&mut self) -> Result<(), ConnError> {
        while let Some(message) = self.splitter.next_message().map_err(ConnError::Json)? {
            let json = parse(message).map_err(ConnError::Json)?;
            // The text of a large snapshot need not be there while its content is worked on.
            self.splitter.shrink();
            let message = Message::decode(json).map_err(ConnError::Message)?;
            self.dispatch(message)?;
        }
        Ok(())
    }

    fn dispatch(&mut self, message: Message) -> Result<(), ConnError> {
        match message {
            Message::Request { id, method, params } => {
                let outcome = if &*method == "echo" {
                    Ok(Json::Array(params))
                } else {
                    Err(Json::from("unknown method"))
                };
                Message::Reply { id, outcome }.encode(&mut self.output);
                if self.output.len() > self.limits.output + self.limits.output / 4 {
                    return Err(ConnError::Flood);
                }
            }
            Message::Notification { method, params } => {
                self.events
                    .push_back(Event::Notification { method, params });
            }
            Message::Reply { id, outcome } => match id.as_integer() {
                Some(id) if self.forget(id) => {
                    self.events.push_back(Event::Reply {
                        id: RequestId(id),
                        outcome,
                    });
                }
                _ if id.as_str() == Some(PROBE_ID) => {}
                _ => self.stray_replies += 1,
            },
        }
        Ok(())
    }

    /// Queues a request; [`Event::Expired`] follows if no reply arrives by `deadline`.
    pub fn request(
        &mut self,
        method: &str,
        params: &[Json],
        deadline: Option<Duration>,
    ) -> Result<RequestId, Refused> {
        if self.pending.len() >= self.limits.in_flight {
            return Err(Refused::InFlight);
        }
        if self.output.len() >= self.limits.output {
            return Err(Refused::Output);
        }
        let id = self.next_id;
        self.next_id += 1;
        encode_call(Some(&Json::Integer(id)), method, params, &mut self.output);
        self.pending.insert(id, deadline);
        self.deadlines.extend(deadline.map(|d| (d, id)));
        Ok(RequestId(id))
    }

    /// Queues a notification.
    pub fn notify(&mut self, method: &str, params: &[Json]) {
        encode_call(None, method, params, &mut self.output);
    }

    /// Stops waiting for a request and asks the server to drop it (RFC 7047 §4.1.4).
    pub fn cancel(&mut self, id: RequestId) {
        if self.forget(id.0) {
            self.notify("cancel", &[Json::Integer(id.0)]);
        }
    }

    fn forget(&mut self, id: i64) -> bool {
        let Some(deadline) = self.pending.remove(&id) else {
            return false;
        };
        if let Some(deadline) = deadline {
            self.deadlines.remove(&(deadline, id));
        }
        true
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Bytes to be sent.
    pub fn output(&self) -> &[u8] {
        &self.output
    }

    /// Swaps the bytes to be sent for `empty`, whose content is discarded.
    pub fn take_output(&mut self, empty: &mut Vec<u8>) {
        empty.clear();
        core::mem::swap(&mut self.output, empty);
    }

    /// When [`Self::tick`] has something to do.
    pub fn deadline(&self) -> Option<Duration> {
        let request = self.deadlines.first().map(|(d, _)| *d);
        let probe = self
            .limits
            .probe
            .map(|p| self.heard + if self.probing { p * 2 } else { p });
        [request, probe].into_iter().flatten().min()
    }

    /// Lets time pass. Read what the socket holds first: a caller that slept too long must not
    /// blame the peer for it.
    pub fn tick(&mut self, now: Duration) -> Result<(), ConnError> {
        while let Some(&(deadline, id)) = self.deadlines.first() {
            if deadline > now {
                break;
            }
            self.cancel(RequestId(id));
            self.events.push_back(Event::Expired(RequestId(id)));
        }
        if let Some(probe) = self.limits.probe {
            if self.probing && now >= self.heard + probe * 2 {
                return Err(ConnError::Inactive);
            }
            if !self.probing && now >= self.heard + probe {
                self.probing = true;
                // The answer is due one interval from now, however late this call is.
                self.heard = now - probe;
                encode_call(Some(&Json::from(PROBE_ID)), "echo", &[], &mut self.output);
            }
        }
        Ok(())
    }

    /// Number of requests without a reply.
    pub fn in_flight(&self) -> usize {
        self.pending.len()
    }

    /// Number of replies to requests that were given up or never made.
    pub const fn stray_replies(&self) -> u64 {
        self.stray_replies
    }

    /// Bytes held for an unfinished message.
    pub const fn buffered(&self) -> usize {
        self.splitter.buffered()
    }
}
