//! The thread: moves bytes between the socket and the session.

use super::client::{ConnectError, Shared};
use super::output::Output;
use super::stream::{self, Reader, Writer};
use super::{Config, Remote};
use crate::conn::{Refused, RequestId};
use crate::json::{Json, Str};
use crate::monitor::TableMonitor;
use crate::op::Transaction;
use crate::session::{Event, NotSent, Outcome, Reason, Session};
use core::task::Poll;
use core::time::Duration;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;
use tokio::io::AsyncReadExt;
use tokio::sync::{mpsc, oneshot};

/// What a caller gets for a request.
pub(super) type Reply = Result<Outcome, NotSent>;

/// What callers ask of the thread.
#[derive(Debug)]
pub(super) enum Command {
    Transact {
        transaction: Transaction,
        deadline: Instant,
        reply: oneshot::Sender<Reply>,
    },
    Request {
        method: Str,
        params: Vec<Json>,
        deadline: Instant,
        reply: oneshot::Sender<Reply>,
    },
    Lock {
        lock: Str,
        steal: bool,
    },
    Unlock(Str),
    Conditions(Vec<TableMonitor>),
    Reconnect,
}

/// Bytes read at a time.
const READ: usize = 256 << 10;

/// Commands taken per turn, so that reading is never far away.
const TURN: usize = 256;

pub(super) fn run(
    config: &Config,
    tls: Option<Arc<rustls::ClientConfig>>,
    commands: mpsc::Receiver<Command>,
    shared: &Shared,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    if let Ok(runtime) = runtime {
        let driver = Driver {
            config,
            tls,
            commands,
            shared,
            session: Session::new(config.session.clone()),
            replies: HashMap::new(),
            epoch: Instant::now(),
            buffer: vec![0; READ],
            open: true,
        };
        runtime.block_on(driver.run());
    }
    shared.mailbox().closed = true;
    shared.ready.notify_one();
}

struct Driver<'a> {
    config: &'a Config,
    tls: Option<Arc<rustls::ClientConfig>>,
    commands: mpsc::Receiver<Command>,
    shared: &'a Shared,
    session: Session,
    replies: HashMap<RequestId, oneshot::Sender<Reply>>,
    epoch: Instant,
    buffer: Vec<u8>,
    /// False once every client handle is gone.
    open: bool,
}

impl Driver<'_> {
    async fn run(mut self) {
        let mut backoff = self.config.backoff_min;
        while self.open {
            for remote in &self.config.remotes {
                if !self.open {
                    return;
                }
                let Some((reader, writer)) = self.connect(remote).await else {
                    continue;
                };
                let began = Instant::now();
                self.session.connected(self.now());
                let reason = self.converse(reader, writer).await;
                let unfit = matches!(
                    reason,
                    Reason::NotLeader | Reason::NotInCluster | Reason::Stale
                );
                self.session.disconnected(reason);
                self.deliver();
                if !unfit && began.elapsed() >= self.config.backoff_min {
                    backoff = self.config.backoff_min;
                }
            }
            self.refuse_for(backoff).await;
            backoff = (backoff * 2).min(self.config.backoff_max);
        }
    }

    fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// Connects; the reason of a failure is kept for whoever asks.
    async fn connect(&mut self, remote: &Remote) -> Option<(Reader, Writer)> {
        let tls = self.tls.clone();
        let connect = stream::connect(remote, tls.as_ref());
        let connect = tokio::time::timeout(self.config.connect_timeout, connect);
        tokio::pin!(connect);
        loop {
            tokio::select! {
                done = &mut connect => {
                    let reason = match done {
                        Ok(Ok(halves)) => {
                            *self.shared.failure() = None;
                            return Some(halves);
                        }
                        Ok(Err(error)) => error.to_string(),
                        Err(_) => format!("no answer within {:?}", self.config.connect_timeout),
                    };
                    *self.shared.failure() = Some(ConnectError {
                        remote: remote.clone(),
                        reason: reason.into(),
                    });
                    return None;
                }
                command = self.commands.recv(), if self.open => self.refuse(command),
            }
        }
    }

    /// Waits before the next round; requests are refused meanwhile.
    async fn refuse_for(&mut self, pause: Duration) {
        let sleep = tokio::time::sleep(pause);
        tokio::pin!(sleep);
        while self.open {
            tokio::select! {
                () = &mut sleep => return,
                command = self.commands.recv() => self.refuse(command),
            }
        }
    }

    fn refuse(&mut self, command: Option<Command>) {
        match command {
            None => self.open = false,
            Some(Command::Transact { reply, .. } | Command::Request { reply, .. }) => {
                drop(reply.send(Err(NotSent::Refused(Refused::NotConnected))));
            }
            Some(command) => self.command(command),
        }
    }

    /// Runs one connection to its end.
    async fn converse(&mut self, mut reader: Reader, writer: Writer) -> Reason {
        let mut output = Output::new(writer);
        let mut commands = Vec::new();
        loop {
            self.deliver();
            if !self.open {
                return Reason::Closed;
            }
            output.refill(&mut self.session);
            let now = self.now();
            let deadline = self.session.deadline();
            let sleep = deadline.map(|d| tokio::time::sleep(d.saturating_sub(now)));
            let mut read_some = false;
            // No branch waits for another. Reading comes first, so that a thread that was
            // starved sees what the peer sent before it looks at the clock.
            tokio::select! {
                biased;
                read = reader.read(&mut self.buffer) => {
                    if let Err(reason) = self.read(read) {
                        return reason;
                    }
                    read_some = true;
                },
                wrote = output.push(), if output.is_pending() => {
                    if let Err(error) = wrote {
                        return Reason::Transport(error.to_string().into());
                    }
                },
                n = self.commands.recv_many(&mut commands, TURN) => {
                    self.open &= n > 0;
                    if let Err(reason) = self.take(&mut commands) {
                        return reason;
                    }
                },
                () = async { match sleep {
                    Some(sleep) => sleep.await,
                    None => core::future::pending().await,
                } } => {
                    if let Err(reason) = self.session.tick(self.epoch.elapsed()) {
                        return reason;
                    }
                }
            }
            // A peer that always has something to say must not keep the rest waiting.
            if read_some {
                if let Err(reason) = self.after_reading(&mut commands) {
                    return reason;
                }
                output.refill(&mut self.session);
                if let Some(Err(error)) = ready(output.push()).await {
                    return Reason::Transport(error.to_string().into());
                }
            }
        }
    }

    fn read(&mut self, read: std::io::Result<usize>) -> Result<(), Reason> {
        match read {
            Ok(0) => Err(Reason::Transport("closed by peer".into())),
            Err(error) => Err(Reason::Transport(error.to_string().into())),
            Ok(n) => {
                let bytes = self.buffer.get(..n).unwrap_or_default();
                self.session.receive(bytes, self.epoch.elapsed())
            }
        }
    }

    /// What is due besides reading: commands that wait, and the clock.
    fn after_reading(&mut self, commands: &mut Vec<Command>) -> Result<(), Reason> {
        while commands.len() < TURN
            && let Ok(command) = self.commands.try_recv()
        {
            commands.push(command);
        }
        self.take(commands)?;
        let now = self.now();
        if self.session.deadline().is_some_and(|due| due <= now) {
            self.session.tick(now)?;
        }
        Ok(())
    }

    fn take(&mut self, commands: &mut Vec<Command>) -> Result<(), Reason> {
        for command in commands.drain(..) {
            if matches!(command, Command::Reconnect) {
                return Err(Reason::Closed);
            }
            self.command(command);
        }
        Ok(())
    }

    fn command(&mut self, command: Command) {
        let now = self.now();
        match command {
            Command::Transact {
                transaction,
                deadline,
                reply,
            } => {
                let deadline = deadline.saturating_duration_since(self.epoch);
                let sent = self.session.transact(&transaction, Some(deadline));
                self.expect(sent, reply);
            }
            Command::Request {
                method,
                params,
                deadline,
                reply,
            } => {
                let deadline = deadline.saturating_duration_since(self.epoch);
                let sent = self.session.request(&method, &params, Some(deadline));
                self.expect(sent.map_err(NotSent::Refused), reply);
            }
            Command::Lock { lock, steal: false } => self.session.lock(lock, now),
            Command::Lock { lock, steal: true } => self.session.steal(lock, now),
            Command::Unlock(lock) => self.session.unlock(&lock, now),
            Command::Conditions(tables) => self.session.change_conditions(&tables, now),
            Command::Reconnect => {}
        }
    }

    fn expect(&mut self, sent: Result<RequestId, NotSent>, reply: oneshot::Sender<Reply>) {
        match sent {
            Ok(id) => drop(self.replies.insert(id, reply)),
            Err(why) => drop(reply.send(Err(why))),
        }
    }

    /// Hands events out. Changes are in the mailbox before the reply that follows them.
    fn deliver(&mut self) {
        let mut mail = false;
        *self.shared.counters() = self.session.counters();
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Reply(id, outcome) => {
                    if let Some(reply) = self.replies.remove(&id) {
                        drop(reply.send(Ok(outcome)));
                    }
                }
                event => {
                    mail = true;
                    self.shared.mailbox().push(event);
                }
            }
        }
        if mail {
            self.shared.ready.notify_one();
        }
    }
}

/// The outcome of a future that is ready now.
async fn ready<F: Future>(future: F) -> Option<F::Output> {
    let mut future = core::pin::pin!(future);
    core::future::poll_fn(|context| {
        Poll::Ready(match future.as_mut().poll(context) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
}
