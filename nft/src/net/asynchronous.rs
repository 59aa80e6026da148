//! The same client under tokio.

use std::io;
use std::time::Instant;

use tokio::io::unix::AsyncFd;

use super::channel::{Channel, is_overrun, register};
use super::error::{NetError, committed, dumped, found, generation};
use crate::batch::Batch;
use crate::conn::{Connection, Dump, Outcome, Request};
use crate::message::Message;
use crate::probe::{Features, Probe};
use crate::ruleset::Ruleset;
use crate::snapshot::{Next, Picture, Scope, Snapshot};

/// Sends one request at a time and awaits its outcome. Dropping a future in the middle leaves
/// replies behind, which the next request ignores.
#[derive(Debug)]
pub struct AsyncClient {
    channel: AsyncFd<Channel>,
    connection: Connection,
    start: Instant,
}

impl AsyncClient {
    /// A client in the current thread's network namespace, inside a tokio runtime.
    pub fn open() -> io::Result<Self> {
        Self::over(Channel::open()?)
    }

    /// A client over an open socket.
    pub fn over(channel: Channel) -> io::Result<Self> {
        let channel = register(channel)?;
        Ok(Self {
            channel,
            connection: Connection::default(),
            start: Instant::now(),
        })
    }

    /// The socket's port id, as it appears in events.
    pub fn port(&self) -> u32 {
        self.channel.get_ref().port()
    }

    /// Carries out one request. Outcomes of requests whose future was dropped are discarded.
    pub async fn run(&mut self, request: Request) -> io::Result<Outcome> {
        let replies = match &request {
            Request::Commit(encoded) => encoded.len(),
            _ => 0,
        };
        let id = self.connection.submit(request, self.start.elapsed());
        loop {
            while let Some(bytes) = self.connection.poll_transmit() {
                if let Err(error) = self.channel.get_mut().send(&bytes, replies) {
                    let errno = error.raw_os_error().and_then(|errno| errno.try_into().ok());
                    self.connection
                        .handle_send_error(errno.unwrap_or(5), self.start.elapsed());
                }
            }
            while let Some((done, outcome)) = self.connection.poll_outcome() {
                if done == id {
                    return Ok(outcome);
                }
            }
            self.receive().await?;
        }
    }

    async fn receive(&mut self) -> io::Result<()> {
        let now = self.start.elapsed();
        match self.channel.get_mut().try_receive() {
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
        let left = deadline.saturating_sub(now);
        match tokio::time::timeout(left, self.channel.readable_mut()).await {
            Ok(ready) => {
                let mut guard = ready?;
                // Readiness is edge-triggered: it is cleared only when a read found nothing.
                match guard.get_inner_mut().try_receive() {
                    Ok(Some(bytes)) => {
                        self.connection.handle_input(bytes, self.start.elapsed());
                    }
                    Ok(None) => guard.clear_ready(),
                    Err(error) if is_overrun(&error) => {
                        self.connection.handle_overrun(self.start.elapsed());
                    }
                    Err(error) => return Err(error),
                }
            }
            Err(_) => self.connection.handle_timeout(self.start.elapsed()),
        }
        Ok(())
    }

    /// See [`super::Client::commit`].
    pub async fn commit(
        &mut self,
        batch: Batch,
        expected: Option<u32>,
    ) -> Result<Vec<Message>, NetError> {
        committed(self.run(Request::Commit(batch.encode(expected)?)).await?)
    }

    /// See [`super::Client::generation`].
    pub async fn generation(&mut self) -> Result<u32, NetError> {
        generation(self.run(Request::Generation).await?)
    }

    /// See [`super::Client::dump`].
    pub async fn dump(&mut self, dump: Dump) -> Result<Vec<Message>, NetError> {
        dumped(self.run(Request::Dump(Box::new(dump))).await?)
    }

    /// See [`super::Client::get`].
    pub async fn get(&mut self, request: Message) -> Result<Vec<Message>, NetError> {
        found(self.run(Request::Get(Box::new(request))).await?)
    }

    /// See [`super::Client::snapshot`].
    pub async fn snapshot(&mut self, scope: Scope) -> Result<Picture, NetError> {
        let mut snapshot = Snapshot::new(scope);
        let mut request = snapshot.start();
        loop {
            match snapshot.handle(self.run(request).await?) {
                Next::Submit(next) => request = next,
                Next::Done(result) => return Ok(result?),
            }
        }
    }

    /// See [`super::Client::probe`].
    pub async fn probe(&mut self) -> io::Result<Features> {
        let mut probe = Probe::new();
        while let Some(request) = probe.request() {
            probe.handle(self.run(request).await?);
        }
        Ok(probe.finish())
    }

    /// See [`super::Client::transact`].
    pub async fn transact(
        &mut self,
        scope: &Scope,
        attempts: u32,
        mut plan: impl FnMut(&Ruleset) -> Batch,
    ) -> Result<u32, NetError> {
        for attempt in 1..=attempts {
            let picture = self.snapshot(scope.clone()).await?;
            let batch = plan(&picture.ruleset);
            match self.commit(batch, Some(picture.generation)).await {
                Ok(_) => return Ok(attempt),
                Err(NetError::Stale) => {}
                Err(error) => return Err(error),
            }
        }
        Err(NetError::Stale)
    }
}
