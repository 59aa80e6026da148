//! The task behind a connection.
//!
//! Owns: the loop that waits for whatever can move next. Reading, writing, commands, event
//! delivery and the timer are separate branches of one `select!`, so none waits for another.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::conn::{Batch, BundleFlags, CloseReason, Connection, Event, Frame, Tag};

use super::EVENT_BACKLOG;

/// Bytes per read and per write.
const CHUNK: usize = 64 << 10;
/// Unsent bytes at which submissions stay in the command queue.
const SEND_BACKLOG: usize = 32 << 20;

#[derive(Debug)]
pub(super) enum Command {
    Batch(Tag, Batch),
    Bundle(Tag, Batch, BundleFlags),
    Request(Tag, Frame),
    Close,
}

pub(super) struct Driver {
    conn: Connection,
    epoch: Instant,
    commands: mpsc::Receiver<Command>,
    /// All handles are gone.
    deserted: bool,
    events: mpsc::Sender<Event>,
    /// Taken from the connection, not yet delivered.
    waiting: VecDeque<Event>,
    output: Vec<u8>,
    written: usize,
}

impl Driver {
    pub fn new(
        conn: Connection,
        epoch: Instant,
        commands: mpsc::Receiver<Command>,
        events: mpsc::Sender<Event>,
    ) -> Self {
        Self {
            conn,
            epoch,
            commands,
            deserted: false,
            events,
            waiting: VecDeque::new(),
            output: Vec::new(),
            written: 0,
        }
    }

    pub async fn run<R, W>(mut self, mut reader: R, mut writer: W)
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let mut buffer = vec![0; CHUNK];
        while !self.conn.is_closed() {
            self.advance();
            if self.conn.is_closed() {
                break;
            }
            let deadline = self.conn.deadline().unwrap_or(Duration::MAX);
            let pending = self.output.get(self.written..).unwrap_or(&[]);
            tokio::select! {
                read = reader.read(&mut buffer), if self.conn.event_backlog() < EVENT_BACKLOG => {
                    self.received(read, &buffer);
                }
                sent = writer.write(pending), if !pending.is_empty() => self.sent(sent),
                command = self.commands.recv(),
                    if !self.deserted && self.conn.send_backlog() < SEND_BACKLOG =>
                {
                    match command {
                        Some(command) => self.command(command),
                        None => self.deserted = true,
                    }
                }
                // The next round delivers.
                () = has_room(&self.events), if !self.waiting.is_empty() => {}
                () = self.events.closed() => self.conn.close(CloseReason::Requested),
                () = sleep_until(self.epoch, deadline) => self.conn.tick(self.epoch.elapsed()),
            }
        }
        self.finish(reader, writer).await;
    }

    /// Does everything that needs no waiting.
    fn advance(&mut self) {
        if self.written >= self.output.len() {
            self.output.clear();
            self.written = 0;
            let now = self.epoch.elapsed();
            self.conn.transmit(now, CHUNK, &mut self.output);
        }
        self.deliver();
        if self.deserted && self.conn.is_idle() && self.output.is_empty() {
            self.conn.close(CloseReason::Requested);
        }
    }

    /// Hands events on as far as the user's queue has room. One at a time is taken from the
    /// connection, so that its backlog tells how far behind the user is.
    fn deliver(&mut self) {
        loop {
            let Some(event) = self.waiting.pop_front().or_else(|| self.conn.poll_event()) else {
                return;
            };
            if let Err(error) = self.events.try_send(event) {
                match error {
                    mpsc::error::TrySendError::Full(event) => self.waiting.push_front(event),
                    mpsc::error::TrySendError::Closed(_) => self.conn.close(CloseReason::Requested),
                }
                return;
            }
        }
    }

    fn received(&mut self, read: io::Result<usize>, buffer: &[u8]) {
        match read {
            Ok(0) => self.conn.close(CloseReason::PeerClosed),
            Ok(length) => {
                let bytes = buffer.get(..length).unwrap_or(&[]);
                self.conn.receive(self.epoch.elapsed(), bytes);
            }
            Err(error) => self.conn.close(reason(&error)),
        }
    }

    fn sent(&mut self, sent: io::Result<usize>) {
        match sent {
            Ok(0) => self.conn.close(CloseReason::PeerClosed),
            Ok(length) => self.written = self.written.saturating_add(length),
            // What the switch said before it hung up is still to be read: the reader will find
            // the end of the stream.
            Err(error) if is_hang_up(&error) => {
                self.output.clear();
                self.written = 0;
            }
            Err(error) => self.conn.close(reason(&error)),
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Batch(tag, batch) => self.conn.submit_batch(tag, batch),
            Command::Bundle(tag, batch, flags) => self.conn.submit_bundle(tag, batch, flags),
            Command::Request(tag, message) => self.conn.request(tag, message),
            Command::Close => self.conn.close(CloseReason::Requested),
        }
    }

    /// Closes the socket, fails what still waits in the queue, and delivers the last events.
    async fn finish<R, W: AsyncWrite + Unpin>(mut self, reader: R, mut writer: W) {
        drop(reader);
        // A failed shutdown changes nothing: the socket is dropped next.
        let _ = writer.shutdown().await;
        drop(writer);
        self.commands.close();
        while let Some(command) = self.commands.recv().await {
            self.command(command);
        }
        let mut closed = None;
        while let Some(event) = self.waiting.pop_front().or_else(|| self.conn.poll_event()) {
            if matches!(event, Event::Closed { .. }) {
                closed = Some(event);
            } else if self.events.send(event).await.is_err() {
                return;
            }
        }
        if let Some(event) = closed {
            // Nobody listens any more: nothing is left to be told.
            let _ = self.events.send(event).await;
        }
    }
}

fn reason(error: &io::Error) -> CloseReason {
    if is_hang_up(error) {
        return CloseReason::PeerClosed;
    }
    CloseReason::Io(error.raw_os_error().unwrap_or(0))
}

fn is_hang_up(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof
    )
}

async fn has_room(events: &mpsc::Sender<Event>) {
    // An error means that nobody listens any more; delivering finds out.
    let _ = events.reserve().await;
}

async fn sleep_until(epoch: Instant, deadline: Duration) {
    match epoch.checked_add(deadline) {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
