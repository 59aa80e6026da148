//! The blocking client.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::net::sockopt::{Timeout, set_socket_timeout};

use super::channel::{Channel, is_overrun};
use super::error::{NetError, committed, dumped, found, generation};
use crate::batch::Batch;
use crate::conn::{Connection, Dump, Outcome, Request};
use crate::message::Message;
use crate::probe::{Features, Probe};
use crate::ruleset::Ruleset;
use crate::snapshot::{Next, Picture, Scope, Snapshot};

/// Sends one request at a time and waits for its outcome.
#[derive(Debug)]
pub struct Client {
    channel: Channel,
    connection: Connection,
    start: Instant,
}

impl Client {
    /// A client in the current thread's network namespace.
    pub fn open() -> io::Result<Self> {
        Ok(Self::over(Channel::open()?))
    }

    /// A client over an open socket.
    pub fn over(channel: Channel) -> Self {
        Self {
            channel,
            connection: Connection::default(),
            start: Instant::now(),
        }
    }

    /// The socket's port id, as it appears in events.
    pub const fn port(&self) -> u32 {
        self.channel.port()
    }

    /// Carries out one request.
    pub fn run(&mut self, request: Request) -> io::Result<Outcome> {
        let replies = match &request {
            Request::Commit(encoded) => encoded.len(),
            _ => 0,
        };
        self.connection.submit(request, self.start.elapsed());
        loop {
            while let Some(bytes) = self.connection.poll_transmit() {
                if let Err(error) = self.channel.send(&bytes, replies) {
                    let errno = error.raw_os_error().and_then(|errno| errno.try_into().ok());
                    self.connection
                        .handle_send_error(errno.unwrap_or(5), self.start.elapsed());
                }
            }
            if let Some((_, outcome)) = self.connection.poll_outcome() {
                return Ok(outcome);
            }
            self.receive()?;
        }
    }

    fn receive(&mut self) -> io::Result<()> {
        let now = self.start.elapsed();
        // Everything the kernel has to say about a batch is queued when the send returns.
        match self.channel.try_receive() {
            Ok(Some(bytes)) => {
                self.connection.handle_input(bytes, now);
                return Ok(());
            }
            Ok(None) => self.connection.handle_drained(now),
            Err(error) if is_overrun(&error) => {
                self.connection.handle_overrun(now);
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        let Some(deadline) = self.connection.poll_timeout() else {
            return Ok(());
        };
        let left = deadline.saturating_sub(now).max(Duration::from_millis(1));
        set_socket_timeout(&self.channel, Timeout::Recv, Some(left))?;
        match self.channel.receive() {
            Ok(bytes) => self.connection.handle_input(bytes, self.start.elapsed()),
            Err(error) if is_overrun(&error) => {
                self.connection.handle_overrun(self.start.elapsed());
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.connection.handle_timeout(self.start.elapsed());
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Applies a batch, if the ruleset is at the expected generation. Returns the objects of
    /// operations with [`crate::wire::Flags::ECHO`].
    pub fn commit(
        &mut self,
        batch: Batch,
        expected: Option<u32>,
    ) -> Result<Vec<Message>, NetError> {
        committed(self.run(Request::Commit(batch.encode(expected)?))?)
    }

    /// The current generation.
    pub fn generation(&mut self) -> Result<u32, NetError> {
        generation(self.run(Request::Generation)?)
    }

    /// One consistent dump.
    pub fn dump(&mut self, dump: Dump) -> Result<Vec<Message>, NetError> {
        dumped(self.run(Request::Dump(Box::new(dump)))?)
    }

    /// Single objects, without [`crate::wire::Flags::DUMP`]; empty if the kernel has none.
    pub fn get(&mut self, request: Message) -> Result<Vec<Message>, NetError> {
        found(self.run(Request::Get(Box::new(request)))?)
    }

    /// A consistent picture of one table or of everything.
    pub fn snapshot(&mut self, scope: Scope) -> Result<Picture, NetError> {
        let mut snapshot = Snapshot::new(scope);
        let mut request = snapshot.start();
        loop {
            match snapshot.handle(self.run(request)?) {
                Next::Submit(next) => request = next,
                Next::Done(result) => return Ok(result?),
            }
        }
    }

    /// What the kernel can do. Nothing is changed.
    pub fn probe(&mut self) -> io::Result<Features> {
        let mut probe = Probe::new();
        while let Some(request) = probe.request() {
            probe.handle(self.run(request)?);
        }
        Ok(probe.finish())
    }

    /// Reads, plans and applies: `plan` turns a picture into a batch, which the kernel refuses if
    /// anybody changed the ruleset meanwhile; then all is done again, up to `attempts` times.
    /// Returns the number of attempts made.
    pub fn transact(
        &mut self,
        scope: &Scope,
        attempts: u32,
        mut plan: impl FnMut(&Ruleset) -> Batch,
    ) -> Result<u32, NetError> {
        for attempt in 1..=attempts {
            let picture = self.snapshot(scope.clone())?;
            let batch = plan(&picture.ruleset);
            match self.commit(batch, Some(picture.generation)) {
                Ok(_) => return Ok(attempt),
                Err(NetError::Stale) => {}
                Err(error) => return Err(error),
            }
        }
        Err(NetError::Stale)
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }
}
