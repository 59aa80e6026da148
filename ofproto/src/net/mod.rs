//! Sockets for [`crate::conn`], on tokio (feature `net`).
//!
//! Owns: one task per connection that moves bytes, time and events between a socket, a
//! [`Connection`] and the user's [`Handle`] and [`Events`]. Knows no messages. Held by
//! `tests/conn_net.rs`.
//!
//! # Use
//!
//! ```no_run
//! use ofproto::conn::{Batch, Config, Event, Tag};
//! use ofproto::net::{self, Endpoint};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let endpoint: Endpoint = "unix:/run/openvswitch/br-int.mgmt".parse()?;
//! let (handle, mut events) = net::connect(&endpoint, Config::default()).await?;
//!
//! // Submissions never wait; before Event::Ready they are queued.
//! handle.submit_batch(Tag(1), Batch::new()).map_err(|error| error.to_string())?;
//! while let Some(event) = events.next().await {
//!     match event {
//!         Event::BatchDone { tag, errors } => println!("{tag:?}: {} refused", errors.len()),
//!         Event::Closed { reason } => println!("{reason}"),
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Promises
//!
//! * Submitting never waits: a full queue gives the submission back. So one task may submit and
//!   read events without ever blocking itself.
//! * A blocked write never stops reading. Reading stops only while more than
//!   [`EVENT_BACKLOG`] bytes of events wait for the user.
//! * Every accepted submission gets its final event, then comes [`Event::Closed`], then the end of
//!   [`Events`]. Reconnecting is the user's business: a bridge that is deleted or a daemon that
//!   restarts closes the connection, and everything installed may be gone.
//! * When all handles are dropped, the connection closes as soon as everything is answered; when
//!   [`Events`] is dropped, at once.

mod driver;
mod endpoint;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

use crate::conn::{Batch, BundleFlags, Config, Connection, Event, Frame, Tag};

use driver::{Command, Driver};

pub use endpoint::{BadEndpoint, Endpoint};

/// Submissions that may wait for the task; one more is given back.
pub const SUBMISSION_BACKLOG: usize = 1024;

/// Bytes of undelivered events at which reading from the socket pauses.
pub const EVENT_BACKLOG: usize = 8 << 20;

/// Connects and starts the task. Must run inside a tokio runtime with time and I/O enabled.
///
/// Returns as soon as the socket is connected; [`Event::Ready`] tells that the switch is usable.
pub async fn connect(endpoint: &Endpoint, config: Config) -> std::io::Result<(Handle, Events)> {
    match endpoint {
        Endpoint::Unix(path) => {
            let (reader, writer) = tokio::net::UnixStream::connect(path).await?.into_split();
            Ok(spawn(reader, writer, config))
        }
        Endpoint::Tcp(address) => {
            let stream = tokio::net::TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let (reader, writer) = stream.into_split();
            Ok(spawn(reader, writer, config))
        }
    }
}

/// Starts the task over any two halves of a byte stream.
pub fn spawn<R, W>(reader: R, writer: W, config: Config) -> (Handle, Events)
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let (commands, queue) = mpsc::channel(SUBMISSION_BACKLOG);
    let (sender, receiver) = mpsc::channel(64);
    let epoch = tokio::time::Instant::now();
    let conn = Connection::new(config, std::time::Duration::ZERO);
    tokio::spawn(Driver::new(conn, epoch, queue, sender).run(reader, writer));
    (Handle { commands }, Events { receiver })
}

/// The sending side of a connection. Cheap to clone; all methods return at once.
#[derive(Clone, Debug)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
}

impl Handle {
    /// See [`Connection::submit_batch`].
    pub fn submit_batch(&self, tag: Tag, batch: Batch) -> Result<(), SubmitError<Batch>> {
        let Some(slot) = self.slot() else {
            return Err(self.give_back(batch));
        };
        slot.send(Command::Batch(tag, batch));
        Ok(())
    }

    /// See [`Connection::submit_bundle`].
    pub fn submit_bundle(
        &self,
        tag: Tag,
        batch: Batch,
        flags: BundleFlags,
    ) -> Result<(), SubmitError<Batch>> {
        let Some(slot) = self.slot() else {
            return Err(self.give_back(batch));
        };
        slot.send(Command::Bundle(tag, batch, flags));
        Ok(())
    }

    /// See [`Connection::request`].
    pub fn request(&self, tag: Tag, message: Frame) -> Result<(), SubmitError<Frame>> {
        let Some(slot) = self.slot() else {
            return Err(self.give_back(message));
        };
        slot.send(Command::Request(tag, message));
        Ok(())
    }

    /// Ends the connection; what is not answered yet fails.
    pub fn close(&self) {
        // Without a slot the queue is full or the task gone: waking it is enough.
        if let Some(slot) = self.slot() {
            slot.send(Command::Close);
        }
    }

    /// Whether the connection is over.
    pub fn is_closed(&self) -> bool {
        self.commands.is_closed()
    }

    fn slot(&self) -> Option<mpsc::Permit<'_, Command>> {
        self.commands.try_reserve().ok()
    }

    fn give_back<T>(&self, submission: T) -> SubmitError<T> {
        if self.is_closed() {
            SubmitError::Closed(submission)
        } else {
            SubmitError::Full(submission)
        }
    }
}

/// A submission that was not taken; it is given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubmitError<T> {
    /// [`SUBMISSION_BACKLOG`] submissions wait already; try again after some events.
    Full(T),
    /// The connection is over.
    Closed(T),
}

impl<T> std::fmt::Display for SubmitError<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "too many submissions wait for the connection",
            Self::Closed(_) => "the connection is over",
        })
    }
}

impl<T: std::fmt::Debug> std::error::Error for SubmitError<T> {}

/// The receiving side of a connection.
#[derive(Debug)]
pub struct Events {
    receiver: mpsc::Receiver<Event>,
}

impl Events {
    /// The next event; `None` after [`Event::Closed`]. Safe to drop half-way (in `select!`).
    pub async fn next(&mut self) -> Option<Event> {
        self.receiver.recv().await
    }

    /// The next event if one is there already.
    pub fn try_next(&mut self) -> Option<Event> {
        self.receiver.try_recv().ok()
    }
}
