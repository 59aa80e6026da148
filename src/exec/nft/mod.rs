//! The packet filter: nf_tables in the agent's own network namespace.
//!
//! Owns: the sockets, the choice of the design that the kernel can carry, one transaction per batch, and the watch over
//! vifd's tables. Every batch is refused by the kernel if somebody changed the ruleset since it was last read, and sent
//! again if that did not concern vifd's tables.
//!
//! Where the kernel can (flags *owner* and *persist*), the tables belong to this socket: nobody else can change or
//! flush them, and they outlive the agent, whose successor adopts them before it looks at anything else. Until then,
//! while no agent runs, nobody owns them and a flush removes them. Elsewhere foreign changes are watched for; when
//! one concerns vifd's tables, the filtered ports are closed by one small transaction first, then everything is read
//! and told, and the batch that makes it complete opens them in the same transaction.
//!
//! It has a thread of its own: the kernel carries a transaction out while it is being sent. Knows nothing of ports and
//! groups. Held by `tests/exec_nft.rs`.

mod closed;
mod stands;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::nft::batch::Batch as NftBytes;
use ::nft::conn::Dump;
use ::nft::event::Event;
use ::nft::message::{Body, Family, Message, Op};
use ::nft::name::Name;
use ::nft::net::{AsyncClient, AsyncEvents, Events, NetError};
use ::nft::probe::{Choice, Feature, Variant as Design};
use ::nft::snapshot::Scope;
use ::nft::table::{Table, TableFlags};
use tokio::sync::mpsc;
use tracing::{debug, error, info, warn};

use super::{Backoff, Deserted, Teller};
use crate::ops::nft::{NftBatch, TABLE, Variant};
use crate::ops::{Batch, ExecEvent, Items, Outcome, Target};
use crate::telemetry::PacketFilter;
use stands::Stands;

/// Attempts at a batch that foreign commits overtake.
const ATTEMPTS: usize = 32;
/// Batches in a row that do not fit what stands, before it is the batch that is to blame.
const OUT_OF_STEP: u32 = 3;
/// Between two looks at a kernel that cannot filter: a module may have been loaded.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// What to do with it.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Own the tables where the kernel can.
    pub own: bool,
    /// The design to use instead of the best one.
    pub variant: Option<Variant>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            own: true,
            variant: None,
        }
    }
}

/// Starts the executor in the calling thread's network namespace.
pub fn spawn(
    settings: Settings,
    events: mpsc::Sender<ExecEvent>,
    metrics: PacketFilter,
) -> mpsc::Sender<Batch> {
    // One more than the planner has under way beside the one at work.
    let (sender, batches) = mpsc::channel(2);
    let executor = Executor {
        settings,
        teller: Teller {
            events,
            target: Target::Nft,
        },
        batches,
        metrics,
        told: None,
        reading: 0,
    };
    let started = std::thread::Builder::new()
        .name("vifd-nft".into())
        .spawn(move || {
            match tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
            {
                Ok(runtime) => runtime.block_on(executor.run()),
                Err(error) => error!(%error, "no packet filter: the thread has no event queue"),
            }
        });
    if let Err(error) = started {
        error!(%error, "no packet filter: the thread could not be started");
    }
    sender
}

struct Executor {
    settings: Settings,
    teller: Teller,
    batches: mpsc::Receiver<Batch>,
    metrics: PacketFilter,
    /// What was said of the design, so that it is said once.
    told: Option<String>,
    /// How often the tables were read.
    reading: u64,
}

/// Why a session is over.
enum End {
    Deserted,
    Unable(String),
    Net(NetError),
}

impl From<Deserted> for End {
    fn from(_: Deserted) -> Self {
        End::Deserted
    }
}

impl From<NetError> for End {
    fn from(error: NetError) -> Self {
        End::Net(error)
    }
}

impl From<std::io::Error> for End {
    fn from(error: std::io::Error) -> Self {
        End::Net(error.into())
    }
}

struct Session {
    client: AsyncClient,
    /// `None`: the tables are ours, and nobody else can change them.
    events: Option<AsyncEvents>,
    variant: Variant,
    flags: TableFlags,
    generation: u32,
    stands: Stands,
    /// The closing table stands.
    is_closed: bool,
    /// Batches in a row that did not fit what stands.
    out_of_step: u32,
    /// Since when something is not as it should be.
    disturbed: Option<Instant>,
}

/// What came of one attempt.
enum Commit {
    Done,
    /// Somebody else changed vifd's tables.
    Disturbed,
    Refused(Option<usize>, String),
    /// What stands is not what was thought.
    OutOfStep(String),
}

impl Executor {
    async fn run(mut self) {
        let mut backoff = Backoff::nearby();
        loop {
            let end = self.session(&mut backoff).await;
            let (reason, pause) = match end {
                Err(End::Deserted) | Ok(()) => return,
                Err(End::Unable(reason)) => {
                    let event = ExecEvent::NftUnable {
                        reason: reason.into(),
                    };
                    if self.teller.event(event).await.is_err() {
                        return;
                    }
                    (None, LOOK_AGAIN)
                }
                Err(End::Net(error)) => (Some(chain(&error)), backoff.pause()),
            };
            if let Some(reason) = reason {
                warn!(%reason, "nf_tables session ended, starting another");
                let event = ExecEvent::NftDown {
                    reason: reason.into(),
                };
                if self.teller.event(event).await.is_err() {
                    return;
                }
            }
            if self.pause(pause).await.is_err() {
                return;
            }
        }
    }

    /// Waits. What is asked for meanwhile is lost.
    async fn pause(&mut self, pause: Duration) -> Result<(), Deserted> {
        let until = tokio::time::Instant::now() + pause;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(until) => return Ok(()),
                () = self.teller.events.closed() => return Err(Deserted),
                batch = self.batches.recv() => {
                    let id = batch.ok_or(Deserted)?.id;
                    let reason = Arc::from("nf_tables is not there");
                    self.teller.finished(id, Outcome::Lost { reason }).await?;
                }
            }
        }
    }

    async fn session(&mut self, backoff: &mut Backoff) -> Result<(), End> {
        let mut session = self.open().await?;
        backoff.reset();
        self.read(&mut session).await?;
        loop {
            tokio::select! {
                event = next(&mut session.events) => {
                    match told(&session, &event?) {
                        Told::Nothing => {}
                        Told::Foreign => self.disturbed(&mut session).await?,
                        Told::Lost => self.read(&mut session).await?,
                    }
                }
                batch = self.batches.recv() => {
                    let batch = batch.ok_or(Deserted)?;
                    self.batch(batch, &mut session).await?;
                }
                () = self.teller.events.closed() => return Err(End::Deserted),
            }
        }
    }

    /// Sockets, and the design that the kernel can carry.
    async fn open(&mut self) -> Result<Session, End> {
        let mut client = AsyncClient::open()?;
        if self.settings.own {
            take_over(&mut client).await;
        }
        let features = client.probe().await?;
        let has_netfilter = Path::new("/proc/sys/net/bridge/bridge-nf-call-iptables").exists();
        let choice = Choice::of(&features, has_netfilter);
        let best = match choice.variant {
            Design::BridgeConntrack => Some(Variant::Bridge {
                zones: features.has(Feature::BridgeConntrackZones),
            }),
            Design::BridgeNetfilter => Some(Variant::BridgeInet),
            Design::Stateless | Design::None => None,
        };
        let reasons = choice.reasons.join("; ");
        let variant = match (self.settings.variant, best) {
            (Some(asked), Some(_)) => asked,
            (_, Some(best)) => best,
            (_, None) => return Err(End::Unable(reasons)),
        };
        let can_own = features.has(Feature::TablePersist);
        let text = format!("{}: {reasons}", variant.name());
        if self.told.as_ref() != Some(&text) {
            info!(
                variant = variant.name(),
                %reasons,
                owned = can_own && self.settings.own,
                "design of the packet filter"
            );
            self.told = Some(text);
        }
        let flags = if can_own && self.settings.own {
            TableFlags::OWNER.with(TableFlags::PERSIST)
        } else {
            TableFlags::NONE
        };
        Ok(Session {
            client,
            events: None,
            variant,
            flags,
            generation: 0,
            stands: Stands::default(),
            is_closed: false,
            out_of_step: 0,
            disturbed: None,
        })
    }

    /// Reads what stands, and tells it.
    async fn read(&mut self, session: &mut Session) -> Result<(), End> {
        if session.flags == TableFlags::NONE && session.events.is_none() {
            session.events = Some(Events::open()?.into_async()?);
        }
        let before: Vec<Family> = session.stands.families().collect();
        let mut ruleset = nft::ruleset::Ruleset::default();
        for family in session.variant.families() {
            let scope = Scope::Table(*family, Name::from(TABLE));
            let picture = session.client.snapshot(scope).await?;
            session.generation = picture.generation;
            picture
                .ruleset
                .tables
                .into_values()
                .for_each(|table| ruleset.insert(table));
        }
        if let Some(lost) = before
            .iter()
            .find(|family| ruleset.table(**family, &Name::from(TABLE)).is_none())
            && !session.is_closed
        {
            debug!(family = ?lost, "table is gone");
            self.close(session).await?;
        }
        let closed = Scope::Table(Family::BRIDGE, Name::from(closed::NAME));
        let picture = session.client.snapshot(closed).await?;
        session.is_closed = !picture.ruleset.tables.is_empty();
        session.generation = picture.generation;
        self.adopt(session, &ruleset).await?;
        let found = session.stands.replace(&ruleset);
        self.reading += 1;
        let event = ExecEvent::NftUp {
            variant: session.variant,
            found,
            reading: self.reading,
        };
        Ok(self.teller.event(event).await?)
    }

    /// Tables that an earlier agent left are made this socket's own.
    async fn adopt(
        &mut self,
        session: &mut Session,
        ruleset: &nft::ruleset::Ruleset,
    ) -> Result<(), End> {
        if session.flags == TableFlags::NONE {
            return Ok(());
        }
        let mut batch = NftBytes::new();
        for found in ruleset.tables.values() {
            if found.table.owner != Some(session.client.port()) {
                let table = Table {
                    flags: session.flags,
                    ..Table::new(TABLE)
                };
                batch.add_table(found.family, &table);
            }
        }
        if batch.is_empty() {
            return Ok(());
        }
        let expected = Some(session.generation);
        match session.client.commit(batch, expected).await {
            Ok(_) => {
                session.generation = session.client.generation().await?;
                Ok(())
            }
            Err(NetError::Refused(errors)) => {
                let why: Vec<String> = errors.iter().map(ToString::to_string).collect();
                let why = why.join("; ");
                if errors.iter().any(|error| error.errno == EPERM) {
                    return Err(End::Unable(format!(
                        "the tables {TABLE} belong to another process that runs ({why}): stop it"
                    )));
                }
                warn!(reason = %why, "tables of an earlier agent cannot be owned; they are watched instead");
                session.flags = TableFlags::NONE;
                session.events = Some(Events::open()?.into_async()?);
                session.generation = session.client.generation().await?;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Somebody else changed vifd's tables.
    async fn disturbed(&mut self, session: &mut Session) -> Result<(), End> {
        self.metrics.foreign_changes.inc();
        warn!("somebody else changed vifd's tables: closing filtered ports until they stand again");
        if !session.is_closed {
            self.close(session).await?;
        }
        self.read(session).await
    }

    /// Nothing passes from or to filtered ports from here on.
    async fn close(&mut self, session: &mut Session) -> Result<(), End> {
        let since = *session.disturbed.get_or_insert_with(Instant::now);
        let mut batch = NftBytes::new();
        closed::table(session.stands.devices()).replace(&mut batch);
        session.client.commit(batch, None).await?;
        session.is_closed = true;
        self.metrics
            .exposed_seconds
            .observe(since.elapsed().as_secs_f64());
        Ok(())
    }

    async fn batch(&mut self, batch: Batch, session: &mut Session) -> Result<(), End> {
        let Items::Nft(items) = batch.items else {
            let reason = Arc::from("not for the packet filter");
            let outcome = Outcome::Rejected { at: None, reason };
            return Ok(self.teller.finished(batch.id, outcome).await?);
        };
        if items.reading != self.reading {
            let reason = Arc::from("the tables were read again meanwhile");
            let outcome = Outcome::Lost { reason };
            return Ok(self.teller.finished(batch.id, outcome).await?);
        }
        let result = self.change(&items, session).await;
        let outcome = match &result {
            Ok((Commit::Done, _)) => Outcome::Done {
                refused: Vec::new(),
                next_cfg: None,
            },
            Ok((Commit::Refused(at, reason), _)) => Outcome::Rejected {
                at: *at,
                reason: reason.as_str().into(),
            },
            Ok((Commit::Disturbed, _)) => Outcome::Lost {
                reason: "somebody else changed vifd's tables".into(),
            },
            Ok((Commit::OutOfStep(reason), _)) => Outcome::Lost {
                reason: reason.as_str().into(),
            },
            Err(End::Net(error)) => Outcome::Lost {
                reason: chain(error).into(),
            },
            Err(_) => Outcome::Lost {
                reason: "ends".into(),
            },
        };
        self.teller.finished(batch.id, outcome).await?;
        match result? {
            (Commit::Disturbed, _) => self.disturbed(session).await,
            (Commit::OutOfStep(_), _) | (Commit::Done, true) => self.read(session).await,
            _ => Ok(()),
        }
    }

    /// Writes a batch; the second value says that a table lost its elements.
    async fn change(
        &mut self,
        wanted: &NftBatch,
        session: &mut Session,
    ) -> Result<(Commit, bool), End> {
        for _ in 0..ATTEMPTS {
            let mut encoded = session
                .stands
                .encode(&wanted.items, session.variant, session.flags);
            let opens = wanted.complete && session.is_closed && !encoded.emptied;
            if encoded.emptied && !session.is_closed {
                self.close(session).await?;
            }
            if opens {
                closed::open(&mut encoded.batch);
            }
            if encoded.batch.is_empty() {
                self.settled(wanted.complete, session);
                return Ok((Commit::Done, false));
            }
            let expected = session.events.is_some().then_some(session.generation);
            match session.client.commit(encoded.batch, expected).await {
                Ok(_) => {
                    session.generation = session.generation.wrapping_add(1);
                    session.out_of_step = 0;
                    session.stands.committed(&wanted.items);
                    session.is_closed &= !opens;
                    self.settled(wanted.complete, session);
                    return Ok((Commit::Done, encoded.emptied));
                }
                Err(NetError::Stale) => {
                    if is_disturbed(session).await? {
                        return Ok((Commit::Disturbed, false));
                    }
                    session.generation = session.client.generation().await?;
                }
                Err(NetError::Refused(errors)) => {
                    let text = NetError::Refused(errors.clone()).to_string();
                    let lost = |errno: u16| [ENOENT, EEXIST, EPERM].contains(&errno);
                    session.out_of_step += 1;
                    // What is missing may be the kernel's own doing: then reading again would go on for ever.
                    if session.out_of_step < OUT_OF_STEP
                        && errors.iter().any(|error| lost(error.errno))
                    {
                        return Ok((Commit::OutOfStep(text), false));
                    }
                    let at = errors
                        .iter()
                        .find_map(|e| encoded.blame.get(e.index?).copied().flatten());
                    return Ok((Commit::Refused(at, text), false));
                }
                Err(NetError::Unknown) => {
                    return Ok((
                        Commit::OutOfStep("the kernel's answer was lost".into()),
                        false,
                    ));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok((
            Commit::OutOfStep("others change the ruleset all the time".into()),
            false,
        ))
    }

    /// Everything stands again.
    fn settled(&self, complete: bool, session: &mut Session) {
        if complete && let Some(since) = session.disturbed.take() {
            let took = since.elapsed();
            self.metrics.restored_seconds.observe(took.as_secs_f64());
            info!(seconds = took.as_secs_f64(), "vifd's tables stand again");
        }
    }
}

/// Takes what an earlier agent left before anything else is looked at: nobody owns it, so anybody could flush it. What
/// comes of it, and whether the kernel knows how, shows when the tables are read.
async fn take_over(client: &mut AsyncClient) {
    let all = Dump::new(Op::GET_TABLE, Family::UNSPEC, Table::default());
    let mut batch = NftBytes::new();
    for message in client.dump(all).await.unwrap_or_default() {
        if let Body::Table(found) = &message.body
            && found.name == TABLE
            && found.owner.is_none()
        {
            let table = Table {
                flags: TableFlags::OWNER.with(TableFlags::PERSIST),
                ..Table::new(TABLE)
            };
            batch.add_table(message.gen_msg.family, &table);
        }
    }
    if !batch.is_empty()
        && let Err(error) = client.commit(batch, None).await
    {
        debug!(%error, "tables of an earlier agent");
    }
}

const EPERM: u16 = 1;
const ENOENT: u16 = 2;
const EEXIST: u16 = 17;

/// The next event, if events are watched.
async fn next(events: &mut Option<AsyncEvents>) -> std::io::Result<Event> {
    match events {
        Some(events) => events.next().await,
        None => std::future::pending().await,
    }
}

/// Takes in what was heard so far: `true` if it concerns vifd's tables.
async fn is_disturbed(session: &mut Session) -> Result<bool, End> {
    let mut disturbed = false;
    while let Ok(event) = tokio::time::timeout(Duration::ZERO, next(&mut session.events)).await {
        let event = event?;
        disturbed |= told(session, &event) != Told::Nothing;
    }
    Ok(disturbed)
}

/// What an event means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Told {
    Nothing,
    /// Somebody else changed vifd's tables.
    Foreign,
    /// Events were lost; somebody may have.
    Lost,
}

fn told(session: &Session, event: &Event) -> Told {
    match event {
        Event::Lost => Told::Lost,
        Event::Malformed(error) => {
            debug!(%error, "event of nf_tables");
            Told::Lost
        }
        Event::Commit { port, changes, .. } => {
            let is_foreign = *port != session.client.port() && changes.iter().any(concerns_us);
            if is_foreign {
                Told::Foreign
            } else {
                Told::Nothing
            }
        }
    }
}

fn concerns_us(message: &Message) -> bool {
    let table = match &message.body {
        Body::Table(table) => &table.name,
        Body::Chain(chain) => &chain.table,
        Body::Rule(rule) => &rule.table,
        Body::Set(set) => &set.table,
        Body::Elements(list) => &list.table,
        Body::Object(object) => &object.table,
        _ => return false,
    };
    let family = message.gen_msg.family;
    (family == Family::BRIDGE || family == Family::INET)
        && (*table == TABLE || *table == closed::NAME)
}

/// An error with its causes.
fn chain(error: &NetError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}
