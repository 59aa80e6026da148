//! The caller's side: requests and the event stream.

use super::driver::{self, Command};
use super::mailbox::Mailbox;
use super::{Config, Remote, TlsError, tls};
use crate::conn::Refused;
use crate::error::DecodeError;
use crate::json::{Json, Str};
use crate::monitor::TableMonitor;
use crate::op::{Results, ServerError, TransactError, Transaction, decode_results};
use crate::schema::CheckError;
use crate::session::{Counters, Event, NotSent, Outcome};
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::{Notify, mpsc, oneshot};

/// Most requests on their way from callers to the thread.
const COMMANDS: usize = 1024;

/// State shared between the thread and the callers.
#[derive(Debug, Default)]
pub(super) struct Shared {
    mailbox: Mutex<Mailbox>,
    pub(super) ready: Notify,
    counters: Mutex<Counters>,
    failure: Mutex<Option<ConnectError>>,
}

impl Shared {
    pub(super) fn mailbox(&self) -> MutexGuard<'_, Mailbox> {
        self.mailbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn counters(&self) -> MutexGuard<'_, Counters> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn failure(&self) -> MutexGuard<'_, Option<ConnectError>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a remote could not be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectError {
    /// The remote.
    pub remote: Remote,
    /// The reason, in the words of the system or of TLS.
    pub reason: Str,
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot connect to {}: {}", self.remote, self.reason)
    }
}

impl core::error::Error for ConnectError {}

/// Why a request has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The server refused it; nothing was changed.
    Server(ServerError),
    /// The reply makes no sense.
    Decode(DecodeError),
    /// It was not sent: the connection does not take it.
    Refused(Refused),
    /// It was not sent: the schema forbids it.
    Check(CheckError),
    /// The deadline passed after it was sent: a transaction may or may not have been committed.
    Expired,
    /// The connection was lost after it was sent: a transaction may or may not have been
    /// committed.
    Lost,
    /// The deadline passed before it was sent.
    Busy,
    /// The client was closed.
    Closed,
}

impl Error {
    /// True if a transaction may have been committed all the same.
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::Expired | Self::Lost | Self::Decode(_))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(error) => error.fmt(f),
            Self::Decode(error) => error.fmt(f),
            Self::Refused(refused) => refused.fmt(f),
            Self::Check(error) => error.fmt(f),
            Self::Expired => f.write_str("no reply in time"),
            Self::Lost => f.write_str("connection lost before the reply"),
            Self::Busy => f.write_str("not sent in time"),
            Self::Closed => f.write_str("client closed"),
        }
    }
}

impl core::error::Error for Error {}

/// A handle for requests; clones share the connection. The thread ends when the last handle
/// is dropped.
#[derive(Clone, Debug)]
pub struct Client {
    commands: mpsc::Sender<Command>,
    shared: Arc<Shared>,
}

/// The event stream of a client. Row changes that have not been taken are merged per row.
#[derive(Debug)]
pub struct Events {
    shared: Arc<Shared>,
}

impl Client {
    /// Starts the thread. Fails if it cannot be started or the TLS files are unusable.
    pub fn spawn(config: Config) -> Result<(Self, Events), TlsError> {
        let connector = config.tls.as_ref().map(tls::connector).transpose()?;
        let (commands, receiver) = mpsc::channel(COMMANDS);
        let shared = Arc::new(Shared::default());
        let events = Events {
            shared: shared.clone(),
        };
        let theirs = shared.clone();
        std::thread::Builder::new()
            .name("ovsdb".into())
            .spawn(move || driver::run(&config, connector, receiver, &theirs))
            .map_err(|error| TlsError::Thread(error.to_string().into()))?;
        Ok((Self { commands, shared }, events))
    }

    /// Runs a transaction. The changes it makes to monitored rows are in the event stream
    /// before this returns. After an error that [`Error::is_unknown`], look at the replica
    /// before trying again.
    pub async fn transact(
        &self,
        transaction: Transaction,
        timeout: Duration,
    ) -> Result<Results, Error> {
        self.submit(transaction, timeout).await?.await
    }

    /// Hands a transaction over without waiting for its outcome. Transactions are sent in the
    /// order of these calls; the deadline runs whether or not the outcome is awaited.
    pub async fn submit(
        &self,
        transaction: Transaction,
        timeout: Duration,
    ) -> Result<Pending, Error> {
        let operations = transaction.len();
        let (reply, outcome) = oneshot::channel();
        let deadline = Instant::now() + timeout;
        self.send(
            Command::Transact {
                transaction,
                deadline,
                reply,
            },
            deadline,
        )
        .await?;
        Ok(Pending {
            operations,
            outcome,
        })
    }

    /// Sends any request.
    pub async fn request(
        &self,
        method: impl Into<Str>,
        params: Vec<Json>,
        timeout: Duration,
    ) -> Result<Json, Error> {
        let (reply, outcome) = oneshot::channel();
        let deadline = Instant::now() + timeout;
        let method = method.into();
        self.send(
            Command::Request {
                method,
                params,
                deadline,
                reply,
            },
            deadline,
        )
        .await?;
        decode_outcome(outcome.await)
    }

    /// Acquires a lock, again after each reconnect; see [`Event::Lock`].
    pub async fn lock(&self, lock: impl Into<Str>) -> Result<(), Error> {
        let lock = lock.into();
        self.commands
            .send(Command::Lock { lock, steal: false })
            .await
            .map_err(|_| Error::Closed)
    }

    /// Takes a lock from its owner.
    pub async fn steal(&self, lock: impl Into<Str>) -> Result<(), Error> {
        let lock = lock.into();
        self.commands
            .send(Command::Lock { lock, steal: true })
            .await
            .map_err(|_| Error::Closed)
    }

    /// Releases a lock.
    pub async fn unlock(&self, lock: impl Into<Str>) -> Result<(), Error> {
        self.commands
            .send(Command::Unlock(lock.into()))
            .await
            .map_err(|_| Error::Closed)
    }

    /// Changes which rows of the given tables are monitored.
    pub async fn change_conditions(&self, tables: Vec<TableMonitor>) -> Result<(), Error> {
        self.commands
            .send(Command::Conditions(tables))
            .await
            .map_err(|_| Error::Closed)
    }

    /// Drops the connection; the client connects again after its usual pause.
    pub async fn reconnect(&self) -> Result<(), Error> {
        self.commands
            .send(Command::Reconnect)
            .await
            .map_err(|_| Error::Closed)
    }

    /// Why the last attempt to connect failed; `None` if it succeeded or none has ended yet.
    pub fn last_failure(&self) -> Option<ConnectError> {
        self.shared.failure().clone()
    }

    /// Counters over all connections.
    pub fn counters(&self) -> Counters {
        *self.shared.counters()
    }

    async fn send(&self, command: Command, deadline: Instant) -> Result<(), Error> {
        match self.commands.try_send(command) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(Error::Closed),
            Err(mpsc::error::TrySendError::Full(command)) => {
                let sent = tokio::time::timeout_at(deadline.into(), self.commands.send(command));
                match sent.await {
                    Ok(Ok(())) => Ok(()),
                    Ok(Err(_)) => Err(Error::Closed),
                    Err(_) => Err(Error::Busy),
                }
            }
        }
    }
}

fn decode_outcome(
    outcome: Result<driver::Reply, oneshot::error::RecvError>,
) -> Result<Json, Error> {
    match outcome {
        Ok(Ok(Outcome::Result(json))) => Ok(json),
        Ok(Ok(Outcome::Error(json))) => Err(Error::Server(ServerError::decode(&json, None))),
        Ok(Ok(Outcome::Expired)) => Err(Error::Expired),
        Ok(Ok(Outcome::Lost)) => Err(Error::Lost),
        Ok(Err(NotSent::Refused(refused))) => Err(Error::Refused(refused)),
        Ok(Err(NotSent::Check(error))) => Err(Error::Check(error)),
        Err(_) => Err(Error::Closed),
    }
}

/// The outcome of a transaction that was handed over; a future.
#[derive(Debug)]
#[must_use = "the outcome is lost unless it is awaited"]
pub struct Pending {
    operations: usize,
    outcome: oneshot::Receiver<driver::Reply>,
}

impl Future for Pending {
    type Output = Result<Results, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = core::task::ready!(Pin::new(&mut self.outcome).poll(context));
        Poll::Ready(decode_outcome(outcome).and_then(|json| {
            decode_results(json, self.operations).map_err(|error| match error {
                TransactError::Server(error) => Error::Server(error),
                TransactError::Decode(error) => Error::Decode(error),
                TransactError::Short => Error::Decode(DecodeError::expected(
                    "transact reply",
                    "one result per operation",
                )),
            })
        }))
    }
}

impl Events {
    /// The next event; `None` once the client is closed and everything has been taken.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            let ready = self.shared.ready.notified();
            {
                let mut mailbox = self.shared.mailbox();
                if let Some(event) = mailbox.pop() {
                    return Some(event);
                }
                if mailbox.closed {
                    return None;
                }
            }
            ready.await;
        }
    }

    /// The next event if there is one now.
    pub fn try_next(&mut self) -> Option<Event> {
        self.shared.mailbox().pop()
    }
}
