//! Ruleset events: the changes of each commit, gathered up to its generation.
//!
//! Owns the folding of the multicast group [`crate::message::GROUP_NFTABLES`]. An overrun is a
//! normal event, [`Event::Lost`]: take a new picture. Knows no sockets. Held by
//! `tests/kernel/batch.rs`.
//!
//! ```
//! use nft::event::{Event, Monitor};
//!
//! let mut monitor = Monitor::new();
//! // Datagrams of the group go to `handle_input`; the socket said ENOBUFS:
//! monitor.handle_overrun();
//! assert_eq!(monitor.poll(), Some(Event::Lost));
//! ```

use std::collections::VecDeque;

use crate::error::DecodeError;
use crate::generation::Generation;
use crate::message::{Body, Message};
use crate::wire::Frames;

/// What the group told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A commit.
    Commit {
        /// Its generation, and the process that made it.
        generation: Generation,
        /// Port id of the socket that made it; compare with one's own to tell foreign changes.
        port: u32,
        /// What changed.
        changes: Vec<Message>,
    },
    /// Events were lost: the kernel dropped some, or the generation skipped.
    Lost,
    /// A message could not be decoded.
    Malformed(DecodeError),
}

/// Folds datagrams into events.
#[derive(Debug, Default)]
pub struct Monitor {
    changes: Vec<Message>,
    last: Option<u32>,
    events: VecDeque<Event>,
}

impl Monitor {
    /// A monitor that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one datagram.
    pub fn handle_input(&mut self, datagram: &[u8]) {
        for frame in Frames::new(datagram) {
            let message = match frame.and_then(|frame| Message::decode(&frame)) {
                Ok(message) => message,
                Err(error) => {
                    self.events.push_back(Event::Malformed(error));
                    continue;
                }
            };
            let Body::Generation(generation) = message.body else {
                self.changes.push(message);
                continue;
            };
            if self
                .last
                .is_some_and(|last| last.wrapping_add(1) != generation.id)
            {
                self.events.push_back(Event::Lost);
            }
            self.last = Some(generation.id);
            let changes = core::mem::take(&mut self.changes);
            let port = message.port;
            self.events.push_back(Event::Commit {
                generation,
                port,
                changes,
            });
        }
    }

    /// The socket reported ENOBUFS.
    pub fn handle_overrun(&mut self) {
        self.changes.clear();
        self.last = None;
        self.events.push_back(Event::Lost);
    }

    /// The next event.
    pub fn poll(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
}
