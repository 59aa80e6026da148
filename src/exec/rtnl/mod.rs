//! Devices of the host: rtnetlink in the agent's own network namespace.
//!
//! Owns: a listing of devices and addresses, kept up to date by the kernel's messages, and the requests that change a
//! device. It creates and deletes none. Knows nothing of ports or bridges. Held by `tests/exec_rtnl.rs`.
//!
//! The kernel carries a request out while it is being sent, under a lock that Open vSwitch holds too while it adds
//! ports. So the executor has a thread of its own, and nobody else waits.

pub mod hooks;
mod socket;
mod table;
mod wire;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tracing::{debug, error, warn};

use super::{Backoff, Deserted, Teller};
use crate::model::Fact;
use crate::ops::link::LinkState;
use crate::ops::{Batch, ExecEvent, Items, Outcome, Target};
use socket::{Socket, Trouble};
use table::Table;
use wire::{Answer, Body, News};

/// Requests sent and not yet answered. More would overflow the socket with answers.
const WINDOW: usize = 64;
/// How long the kernel may take for one answer.
const DEADLINE: Duration = Duration::from_secs(10);
/// Listings that changed while they were made, in a row, before the last one has to do.
const INTERRUPTED: usize = 8;

/// Starts the executor in the calling thread's network namespace.
pub fn spawn(events: mpsc::Sender<ExecEvent>) -> mpsc::Sender<Batch> {
    let (sender, batches) = mpsc::channel(1);
    let executor = Executor {
        teller: Teller {
            events,
            target: Target::Links,
        },
        batches,
        table: Table::default(),
        sequence: 0,
        complete: false,
    };
    let started = std::thread::Builder::new()
        .name("vifd-rtnl".into())
        .spawn(move || {
            match tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
            {
                Ok(runtime) => runtime.block_on(executor.run()),
                Err(error) => {
                    error!(%error, "no devices are watched: the thread has no event queue")
                }
            }
        });
    if let Err(error) = started {
        error!(%error, "no devices are watched: the thread could not be started");
    }
    sender
}

struct Executor {
    teller: Teller,
    batches: mpsc::Receiver<Batch>,
    table: Table,
    sequence: u32,
    /// The first listing was told.
    complete: bool,
}

/// Why a session is over.
enum End {
    Deserted,
    Trouble(Trouble),
}

impl From<Deserted> for End {
    fn from(_: Deserted) -> Self {
        End::Deserted
    }
}

impl From<Trouble> for End {
    fn from(trouble: Trouble) -> Self {
        End::Trouble(trouble)
    }
}

/// A pair of sockets and what was heard on the first.
struct Session {
    listener: Socket,
    asker: Socket,
    heard: Vec<Answer>,
}

impl Executor {
    async fn run(mut self) {
        let mut backoff = Backoff::new();
        loop {
            match self.session(&mut backoff).await {
                End::Deserted => return,
                End::Trouble(trouble) => {
                    warn!(reason = %trouble, "rtnetlink session ended, starting another")
                }
            }
            if self.pause(backoff.pause()).await.is_err() {
                return;
            }
        }
    }

    /// Waits. What is asked meanwhile waits too: an answer now would only bring the question back.
    async fn pause(&mut self, pause: Duration) -> Result<(), Deserted> {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = self.teller.events.closed() => return Err(Deserted),
        }
        if self.batches.is_closed() && self.batches.is_empty() {
            Err(Deserted)
        } else {
            Ok(())
        }
    }

    async fn session(&mut self, backoff: &mut Backoff) -> End {
        let session = Socket::listening().and_then(|listener| Ok((listener, Socket::asking()?)));
        let (listener, asker) = match session {
            Ok(sockets) => sockets,
            Err(error) => return End::Trouble(Trouble::Io(error)),
        };
        let mut session = Session {
            listener,
            asker,
            heard: Vec::new(),
        };
        if let Err(end) = self.list(&mut session).await {
            return end;
        }
        backoff.reset();
        loop {
            if let Err(end) = self.round(&mut session).await {
                return end;
            }
        }
    }

    /// One thing that happens.
    async fn round(&mut self, session: &mut Session) -> Result<(), End> {
        tokio::select! {
            heard = session.listener.receive(&mut session.heard) => self.heard(heard, session).await,
            batch = self.batches.recv() => {
                let batch = batch.ok_or(Deserted)?;
                self.batch(batch, session).await
            }
            () = self.teller.events.closed() => Err(End::Deserted),
        }
    }

    /// Takes what was heard in, with whatever else waits, and tells the news.
    async fn heard(
        &mut self,
        mut heard: Result<(), Trouble>,
        session: &mut Session,
    ) -> Result<(), End> {
        while heard.is_ok() {
            heard = match session.listener.try_receive(&mut session.heard) {
                Ok(true) => Ok(()),
                Ok(false) => break,
                Err(trouble) => Err(trouble),
            };
        }
        let mut facts = Vec::new();
        for answer in session.heard.drain(..) {
            if let Body::News(news) = answer.body {
                self.table.apply(news, &mut facts);
            }
        }
        self.teller.facts(facts).await?;
        match heard {
            Ok(()) => Ok(()),
            Err(Trouble::Io(error)) => Err(Trouble::Io(error).into()),
            Err(lost) => {
                debug!(reason = %lost, "listing devices again");
                self.list(session).await
            }
        }
    }

    /// Lists everything and tells the difference.
    async fn list(&mut self, session: &mut Session) -> Result<(), End> {
        let mut listing = Vec::new();
        for request in [wire::list_devices, wire::list_addresses] {
            listing.extend(self.dump(request, &mut session.asker).await?);
        }
        let mut facts = Vec::new();
        self.table.replace(listing, &mut facts);
        if !std::mem::replace(&mut self.complete, true) {
            facts.push(Fact::LinksComplete);
        }
        Ok(self.teller.facts(facts).await?)
    }

    async fn dump(
        &mut self,
        request: fn(u32) -> Vec<u8>,
        asker: &mut Socket,
    ) -> Result<Vec<News>, Trouble> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let sequence = self.next_sequence();
            asker.send(&request(sequence)).await?;
            let (listing, interrupted) = dumped(sequence, asker).await?;
            if !interrupted || attempts == INTERRUPTED {
                return Ok(listing);
            }
        }
    }

    async fn batch(&mut self, batch: Batch, session: &mut Session) -> Result<(), End> {
        let Items::Links(items) = batch.items else {
            let reason = Arc::from("not for the executor of devices");
            return Ok(self
                .teller
                .finished(batch.id, Outcome::Rejected { at: None, reason })
                .await?);
        };
        let mut refused = Vec::new();
        let result = self.change(&items, &mut refused, session).await;
        // The kernel told the listener before it answered: the facts go first.
        let heard = self.heard(Ok(()), session).await;
        let outcome = match &result {
            Ok(()) => Outcome::Done {
                refused,
                next_cfg: None,
            },
            Err(trouble) => Outcome::Lost {
                reason: trouble.to_string().into(),
            },
        };
        self.teller.finished(batch.id, outcome).await?;
        heard.and(result.map_err(End::from))
    }

    async fn change(
        &mut self,
        items: &[(Arc<str>, LinkState)],
        refused: &mut Vec<(usize, Arc<str>)>,
        session: &mut Session,
    ) -> Result<(), Trouble> {
        let mut waiting: BTreeMap<u32, usize> = BTreeMap::new();
        for (at, (name, want)) in items.iter().enumerate() {
            let sequence = self.next_sequence();
            let Some(device) = self.table.device(name) else {
                refused.push((
                    at,
                    format!("no device {name} in the agent's network namespace").into(),
                ));
                continue;
            };
            if want.mtu.is_none_or(|mtu| mtu == device.mtu)
                && device.up == want.up
                && (device.netfilter || !want.netfilter)
            {
                continue;
            }
            session
                .asker
                .send(&wire::change_device(sequence, device, *want))
                .await?;
            waiting.insert(sequence, at);
            while waiting.len() >= WINDOW {
                answered(&mut waiting, refused, &mut session.asker).await?;
            }
        }
        while !waiting.is_empty() {
            answered(&mut waiting, refused, &mut session.asker).await?;
        }
        refused.sort_by_key(|(at, _)| *at);
        Ok(())
    }

    fn next_sequence(&mut self) -> u32 {
        // 0 is what the kernel says unasked.
        self.sequence = self.sequence.wrapping_add(1).max(1);
        self.sequence
    }
}

/// Collects a listing; `true` if it changed while it was made.
async fn dumped(sequence: u32, asker: &mut Socket) -> Result<(Vec<News>, bool), Trouble> {
    let mut listing = Vec::new();
    let mut interrupted = false;
    loop {
        for answer in receive(asker)
            .await?
            .into_iter()
            .filter(|a| a.sequence == sequence)
        {
            interrupted |= answer.interrupted;
            match answer.body {
                Body::News(news) => listing.push(news),
                Body::Done(Ok(())) | Body::Ack(Ok(())) => return Ok((listing, interrupted)),
                Body::Done(Err(why)) | Body::Ack(Err(why)) => return Err(Trouble::Garbled(why)),
                Body::Other => {}
            }
        }
    }
}

async fn answered(
    waiting: &mut BTreeMap<u32, usize>,
    refused: &mut Vec<(usize, Arc<str>)>,
    asker: &mut Socket,
) -> Result<(), Trouble> {
    for answer in receive(asker).await? {
        let Body::Ack(verdict) = answer.body else {
            continue;
        };
        let Some(at) = waiting.remove(&answer.sequence) else {
            continue;
        };
        if let Err(why) = verdict {
            refused.push((at, why.into()));
        }
    }
    Ok(())
}

async fn receive(asker: &mut Socket) -> Result<Vec<Answer>, Trouble> {
    let mut answers = Vec::new();
    match tokio::time::timeout(DEADLINE, asker.receive(&mut answers)).await {
        Ok(received) => received.map(|()| answers),
        Err(_) => Err(Trouble::Io(io::Error::new(
            io::ErrorKind::TimedOut,
            "the kernel did not answer",
        ))),
    }
}
