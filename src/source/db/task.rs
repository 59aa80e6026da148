//! The thread that holds the connection: looks for changes, writes what the agent reports, and survives the loss of the
//! database.
//!
//! A change is looked for when the file system tells that somebody writes ([`Store::watch`]), and from time to time.
//!
//! It runs a single-threaded runtime of its own only to wait on channels and time; the calls to the database block
//! this thread and nobody else. Both channels are bounded: while the agent does not take events, nothing new is read.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::unix::pipe::Receiver;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use uuid::Uuid;

use super::follow::{FollowError, Follower};
use super::identity;
use crate::model::{Delta, Endpoint, FirewallDriver, HostName, PortId};
use crate::ops::report::{Heartbeat, PortReport};
use crate::store::agents::{self, Agent, Place, Registered};
use crate::store::{DatabaseUrl, Store, StoreError, changelog, clock, open};

/// Deltas per event.
const CHUNK: usize = 256;
/// Events that wait for the agent before requests are left in their channel too.
const QUEUED: usize = 256;
/// First and longest wait before the database is tried again.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// The first pause after a sign of life from the database. Each further one is twice as long, so a commit is seen at
/// most as long after it as it took.
const SOON: Duration = Duration::from_millis(1);
/// The longest pause, if the file system would tell.
const QUIET: Duration = Duration::from_secs(2);
/// How often a refused agent asks again, at least.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// How often the change log is pruned, and to how many entries.
const PRUNE: (Duration, u32) = (Duration::from_secs(600), 100_000);

/// What the source needs to know.
#[derive(Clone, Debug)]
pub struct DbSourceConfig {
    /// The database.
    pub url: DatabaseUrl,
    /// The host this agent is for.
    pub host: HostName,
    /// Where this host's tunnels end; empty without tunnels.
    pub endpoints: Vec<Endpoint>,
    /// Pause between two looks for changes where the file system does not tell of them.
    pub poll_interval: Duration,
    /// How often heartbeats will be requested; others judge by it whether this agent lives.
    pub heartbeat_interval: Duration,
    /// Random, one per process.
    pub instance: Uuid,
    /// See [`boot_id`].
    pub boot_id: String,
    /// Of the program.
    pub version: String,
    /// What enforces security groups here. With [`FirewallDriver::Noop`] nobody needs to know who is a member of what.
    pub firewall: FirewallDriver,
    /// Remembers over restarts which database this host follows, so that a new and empty one under the same name is
    /// not taken for "everything was deleted". `None`: only as long as the process lives.
    pub identity_file: Option<PathBuf>,
}

/// What the source tells.
#[derive(Debug)]
pub enum SourceEvent {
    /// Wishes, in order, some hundred at most.
    Deltas(Vec<Delta>),
    /// The database is there, and this host is ours.
    Up,
    /// The database is lost. What was told stays true.
    Down {
        /// Why, in words for a person.
        reason: String,
    },
    /// A batch of reports was written.
    Reported {
        /// As in the request.
        batch: u64,
        /// Per report; an error for a port that is not ours.
        results: Vec<(PortId, Result<(), String>)>,
    },
    /// A batch of reports was not written, no part of it.
    ReportFailed {
        /// As in the request.
        batch: u64,
        /// Why.
        reason: String,
    },
    /// Another agent has this host. It is asked for again from time to time; [`SourceEvent::Up`] tells of success.
    Refused {
        /// Why, and what to do.
        reason: String,
    },
}

/// What the source is asked.
#[derive(Debug)]
pub enum Request {
    /// Write the status of ports, in one transaction.
    Report {
        /// Comes back in the answer.
        batch: u64,
        /// Each port at most once.
        reports: Vec<PortReport>,
    },
    /// Tell that the agent lives.
    Heartbeat(Heartbeat),
    /// Where is this port bound?
    DescribePort(PortId, oneshot::Sender<Result<Place, String>>),
    /// Tell the others that this agent ends, and end.
    Stop,
}

/// The id of this boot of the machine; a random one if the kernel does not tell.
pub fn boot_id() -> String {
    match std::fs::read_to_string("/proc/sys/kernel/random/boot_id") {
        Ok(text) if !text.trim().is_empty() => text.trim().to_owned(),
        _ => Uuid::new_v4().to_string(),
    }
}

/// Starts the thread. It ends after [`Request::Stop`], or when one of the channels is dropped.
pub fn spawn(
    config: DbSourceConfig,
) -> std::io::Result<(mpsc::Sender<Request>, mpsc::Receiver<SourceEvent>)> {
    let (request_tx, request_rx) = mpsc::channel(64);
    let (event_tx, event_rx) = mpsc::channel(64);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .enable_io()
        .build()?;
    std::thread::Builder::new()
        .name("database".to_owned())
        .spawn(move || runtime.block_on(Task::new(config).run(request_rx, event_tx)))?;
    Ok((request_tx, event_rx))
}

fn follower(config: &DbSourceConfig, database: Option<Uuid>) -> Follower {
    let follower = Follower::new(config.host.clone(), database);
    match config.firewall {
        FirewallDriver::Noop => follower.without_members(),
        FirewallDriver::OpenFlow | FirewallDriver::Nft => follower,
    }
}

/// What was told last about the connection.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Told {
    Nothing,
    Up,
    Down(String),
    Refused,
}

/// Ready when the database shows a sign of life; everything that was signalled is read away. Dropping the future loses
/// nothing.
async fn stirred(watch: Option<&Receiver>) {
    let Some(watch) = watch else {
        return std::future::pending().await;
    };
    if watch.readable().await.is_err() {
        // The runtime is going down.
        return std::future::pending().await;
    }
    let mut bytes = [0u8; 4096];
    while watch.try_read(&mut bytes).is_ok_and(|n| n > 0) {}
}

struct Task {
    config: DbSourceConfig,
    agent: Agent,
    follower: Follower,
    queue: VecDeque<SourceEvent>,
    store: Option<Box<dyn Store>>,
    watch: Option<Receiver>,
    stamp: Option<i64>,
    told: Told,
    superseded: bool,
    backoff: Duration,
    next: Instant,
    /// The pause after the next look.
    pace: Duration,
    next_prune: Instant,
    counters: Option<Heartbeat>,
}

/// Why the database can not be used now.
#[derive(Debug)]
enum Trouble {
    Lost(String),
    Refused(String),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Trouble {
        Trouble::Lost(error.chain())
    }
}

impl Task {
    fn new(config: DbSourceConfig) -> Task {
        let agent = Agent {
            host: config.host.to_string(),
            instance: config.instance,
            boot_id: config.boot_id.clone(),
            version: config.version.clone(),
            started_at: clock::now(),
            heartbeat_every: u64::try_from(config.heartbeat_interval.as_micros())
                .unwrap_or(u64::MAX),
            endpoints: config.endpoints.clone(),
            firewall: config.firewall,
        };
        Task {
            agent,
            follower: follower(&config, None),
            config,
            queue: VecDeque::new(),
            store: None,
            watch: None,
            stamp: None,
            told: Told::Nothing,
            superseded: false,
            backoff: RETRY.0,
            next: Instant::now(),
            pace: SOON,
            next_prune: Instant::now() + PRUNE.0,
            counters: None,
        }
    }

    async fn run(
        mut self,
        mut requests: mpsc::Receiver<Request>,
        events: mpsc::Sender<SourceEvent>,
    ) {
        loop {
            tokio::select! {
                biased;
                permit = events.reserve(), if !self.queue.is_empty() => match permit {
                    Ok(permit) => {
                        if let Some(event) = self.queue.pop_front() {
                            permit.send(event);
                        }
                    }
                    Err(_) => break,
                },
                () = events.closed() => break,
                request = requests.recv(), if self.queue.len() < QUEUED => match request {
                    None | Some(Request::Stop) => break,
                    Some(request) => self.serve(request),
                },
                () = tokio::time::sleep_until(self.next), if self.queue.is_empty() => self.look(),
                () = stirred(self.watch.as_ref()), if self.queue.is_empty() => self.stir(),
            }
        }
        if let Some(store) = &mut self.store
            && let Err(error) = agents::stopped(
                &mut **store,
                &self.agent.host,
                self.agent.instance,
                clock::now(),
            )
        {
            tracing::warn!(reason = %error.chain(), "the end of this agent could not be written");
        }
    }

    /// Somebody writes: look soon, and again until the commit must have come.
    fn stir(&mut self) {
        self.pace = SOON;
        self.next = self.next.min(Instant::now() + SOON);
    }

    /// When to look again if this look found nothing to go on with.
    fn pause(&mut self) -> Duration {
        let interval = self.config.poll_interval;
        if self.watch.is_none() {
            return interval;
        }
        let pause = self.pace;
        self.pace = (pause * 2).min(interval.max(QUIET));
        pause
    }

    /// One look at the database: connect if there is no connection, else see what is new.
    fn look(&mut self) {
        let result = if self.store.is_none() {
            self.connect()
        } else {
            self.poll()
        };
        if let Err(trouble) = result {
            self.lose(trouble);
        }
    }

    fn connect(&mut self) -> Result<(), Trouble> {
        if self.follower.database().is_none()
            && let Some(path) = &self.config.identity_file
        {
            let known = identity::read(path).map_err(Trouble::Lost)?;
            self.follower = follower(&self.config, known);
        }
        let mut store = match (open(&self.config.url), self.follower.database()) {
            // To make a new one is no help to a host that follows one.
            (Err(StoreError::Missing { path }), Some(id)) => {
                let path = path.display();
                return Err(Trouble::Lost(format!(
                    "the database is gone from {path}: put back the one with id {id}"
                )));
            }
            (store, _) => store?,
        };
        self.follower
            .recognise(&mut *store)
            .map_err(|error| self.explain(error))?;
        let now = clock::now();
        match agents::register(&mut *store, &self.agent, self.superseded, now)? {
            Registered::Yes => {}
            Registered::Refused(reason) => return Err(Trouble::Refused(reason)),
        }
        if let Some(counters) = self.counters.take() {
            agents::heartbeat(
                &mut *store,
                &self.agent.host,
                self.agent.instance,
                &counters,
                now,
            )?;
        }
        if let (Some(path), Some(database)) = (&self.config.identity_file, self.follower.database())
        {
            identity::write(path, database).map_err(Trouble::Lost)?;
        }
        self.superseded = false;
        // It reads like a pipe. An error means that this runtime watches nothing: then looking has to do.
        self.watch = store
            .watch()
            .and_then(|fd| Receiver::from_owned_fd_unchecked(fd).ok());
        self.store = Some(store);
        self.stamp = None;
        self.next = Instant::now();
        self.told = Told::Up;
        tracing::debug!(database = %self.config.url, "database is up");
        self.queue.push_back(SourceEvent::Up);
        Ok(())
    }

    fn poll(&mut self) -> Result<(), Trouble> {
        let now = Instant::now();
        self.next = now + self.pause();
        let Some(store) = &mut self.store else {
            return Ok(());
        };
        store.check()?;
        let stamp = store.stamp()?;
        if self.stamp != Some(stamp) {
            let step = match self.follower.step(&mut **store) {
                Ok(step) => step,
                Err(error) => return Err(self.explain(error)),
            };
            if let Some(why) = step.snapshot {
                tracing::info!(why, deltas = step.deltas.len(), "snapshot read");
            }
            self.backoff = RETRY.0;
            if step.more {
                self.next = now;
            } else {
                self.stamp = Some(stamp);
            }
            let mut deltas = step.deltas.into_iter().peekable();
            while deltas.peek().is_some() {
                self.queue
                    .push_back(SourceEvent::Deltas(deltas.by_ref().take(CHUNK).collect()));
            }
        } else if now >= self.next_prune {
            self.next_prune = now + PRUNE.0;
            let removed = changelog::prune(&mut **store, PRUNE.1)?;
            tracing::debug!(removed, "change log pruned");
        }
        Ok(())
    }

    fn serve(&mut self, request: Request) {
        match request {
            Request::Report { batch, reports } => self.report(batch, &reports),
            Request::Heartbeat(counters) => match self.heartbeat(&counters) {
                Ok(()) => {}
                Err(trouble) => {
                    self.counters = Some(counters);
                    self.lose(trouble);
                }
            },
            Request::DescribePort(port, answer) => {
                let place = match &mut self.store {
                    Some(store) => agents::place(&mut **store, port).map_err(|error| error.chain()),
                    None => Err(self.why_not()),
                };
                // Whoever asked may have gone away meanwhile.
                let _ = answer.send(place);
            }
            // Handled by the loop, which ends.
            Request::Stop => {}
        }
    }

    fn heartbeat(&mut self, counters: &Heartbeat) -> Result<(), Trouble> {
        let Some(store) = &mut self.store else {
            self.counters = Some(counters.clone());
            return Ok(());
        };
        if agents::heartbeat(
            &mut **store,
            &self.agent.host,
            self.agent.instance,
            counters,
            clock::now(),
        )? {
            return Ok(());
        }
        Err(self.taken_over())
    }

    fn report(&mut self, batch: u64, reports: &[PortReport]) {
        let result = match &mut self.store {
            None => Err(None),
            Some(store) => store
                .check()
                .map_err(Trouble::from)
                .and_then(|()| {
                    agents::report(
                        &mut **store,
                        &self.agent.host,
                        self.agent.instance,
                        reports,
                        clock::now(),
                    )
                    .map_err(Trouble::from)
                })
                .map_err(Some),
        };
        let trouble = match result {
            Ok(Some(results)) => {
                self.queue
                    .push_back(SourceEvent::Reported { batch, results });
                // Our own writes do not move the stamp.
                self.stamp = None;
                self.next = Instant::now();
                return;
            }
            Ok(None) => Some(self.taken_over()),
            Err(trouble) => trouble,
        };
        let reason = match &trouble {
            Some(Trouble::Lost(reason) | Trouble::Refused(reason)) => reason.clone(),
            None => self.why_not(),
        };
        self.queue
            .push_back(SourceEvent::ReportFailed { batch, reason });
        if let Some(trouble) = trouble {
            self.lose(trouble);
        }
    }

    fn taken_over(&mut self) -> Trouble {
        self.superseded = true;
        Trouble::Refused(format!(
            "another agent took host {} over, or its row was deleted: two agents must not have the same host name",
            self.agent.host
        ))
    }

    /// Closes the connection, tells once, and sets the time of the next try.
    fn lose(&mut self, trouble: Trouble) {
        self.store = None;
        self.watch = None;
        let now = Instant::now();
        match trouble {
            Trouble::Lost(reason) => {
                self.next = now + self.backoff;
                self.backoff = (self.backoff * 2).min(RETRY.1);
                if self.told != Told::Down(reason.clone()) {
                    tracing::debug!(database = %self.config.url, %reason, "database is down");
                    self.told = Told::Down(reason.clone());
                    self.queue.push_back(SourceEvent::Down { reason });
                }
            }
            Trouble::Refused(reason) => {
                self.next = now + self.config.heartbeat_interval.min(ASK_AGAIN);
                if self.told != Told::Refused {
                    tracing::debug!(host = %self.agent.host, %reason, "host is refused");
                    self.told = Told::Refused;
                    self.queue.push_back(SourceEvent::Refused { reason });
                }
            }
        }
    }

    fn why_not(&self) -> String {
        match &self.told {
            Told::Down(reason) => format!("the database is down: {reason}"),
            Told::Refused => "another agent has this host".to_owned(),
            Told::Nothing | Told::Up => "the database was not reached yet".to_owned(),
        }
    }

    fn explain(&self, error: FollowError) -> Trouble {
        Trouble::Lost(match error {
            FollowError::Store(error) => error.chain(),
            FollowError::OtherDatabase { .. } => {
                format!(
                    "{error}. Put the old one back; if the new one is meant, {}",
                    accept(&self.config)
                )
            }
        })
    }
}

/// How a person accepts another database.
fn accept(config: &DbSourceConfig) -> String {
    match config.identity_file.as_deref().map(Path::display) {
        Some(path) => format!("remove {path} and restart the agent"),
        None => "restart the agent".to_owned(),
    }
}
