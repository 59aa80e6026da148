//! The switch's database: one client of ovsdb-server.
//!
//! Owns: the connection, a replica of the columns that count, the lock that lets one agent at a time write, and the
//! transaction that a batch becomes ([`mod@write`]). What the rows mean for the agent is in [`read`], which of them is
//! news in [`view`]. Statistics are never monitored. Held by `tests/exec_ovsdb.rs`.
//!
//! While another process holds the lock (RFC 7047 §4.1.8) nothing is told and nothing written: the agent stays
//! without a complete replica, and so without a plan. The server passes the lock on when a connection ends, so an
//! agent that was killed stands in nobody's way.

#[cfg(test)]
mod fixture;
mod read;
mod view;
mod write;

use std::sync::Arc;
use std::time::Duration;

use ovsdb::conn::Refused;
use ovsdb::json::Str;
use ovsdb::net::{Client, Config, Error, Events, Remote, TlsConfig};
use ovsdb::op::Results;
use ovsdb::session::{Event, Reason};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{info, warn};

use super::{Backoff, Deserted, Teller};
use crate::model::{Fact, HostName};
use crate::ops::{Batch, ExecEvent, Items, Outcome, Target};
use crate::telemetry::SwitchTraffic;
use view::View;
use write::Draft;

/// The shortest time a transaction gets: a large commit keeps the server busy for seconds.
const SHORTEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the connection or the lock may take at first before it is worth a word.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where the database is and who writes to it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `unix:PATH`, `tcp:IP:PORT`, `ssl:IP:PORT`, or several with commas.
    pub connection: String,
    /// Key material for `ssl:`.
    pub tls: Option<TlsConfig>,
    /// How long a transaction may take; at least 10 s are given.
    pub timeout: Duration,
    /// The bridge that the agent answers for: two agents for the same one exclude each other.
    pub integration_bridge: Arc<str>,
    /// The ownership mark.
    pub host: HostName,
}

impl Settings {
    /// The name of the lock: an `<id>` of RFC 7047, different for different bridges.
    fn lock(&self) -> Str {
        let mut lock = String::from("vifd_");
        for byte in self.integration_bridge.bytes() {
            if byte.is_ascii_alphanumeric() {
                lock.push(char::from(byte));
            } else {
                lock.push_str(&format!("_{byte:02x}"));
            }
        }
        lock.into()
    }

    fn client(&self) -> Result<(Client, Events), String> {
        let remotes = Remote::parse_list(&self.connection).map_err(|error| error.to_string())?;
        let is_nearby = remotes
            .iter()
            .all(|remote| matches!(remote, Remote::Unix(_)));
        let mut config = Config::new(remotes, read::DATABASE);
        config.tls = self.tls.clone();
        config.backoff_min = Backoff::FIRST;
        config.backoff_max = if is_nearby {
            Backoff::NEARBY
        } else {
            Backoff::LAST
        };
        config.session.monitors = read::monitors();
        config.session.indexes = read::indexes();
        Client::spawn(config).map_err(|error| error.to_string())
    }
}

/// Starts the executor on the current runtime.
pub fn spawn(
    settings: Settings,
    events: mpsc::Sender<ExecEvent>,
    traffic: SwitchTraffic,
) -> mpsc::Sender<Batch> {
    let (sender, batches) = mpsc::channel(1);
    let teller = Teller {
        events,
        target: Target::Rows,
    };
    tokio::spawn(async move {
        // It ends when nobody asks or listens any more; there is nobody to tell.
        let _ = run(settings, batches, teller, traffic).await;
    });
    sender
}

async fn run(
    settings: Settings,
    mut batches: mpsc::Receiver<Batch>,
    teller: Teller,
    traffic: SwitchTraffic,
) -> Result<(), Deserted> {
    let mut backoff = Backoff::new();
    loop {
        let reason: Arc<str> = match settings.client() {
            Ok((client, events)) => {
                let lock = settings.lock();
                drop(client.lock(lock.clone()).await);
                let executor = Executor {
                    timeout: settings.timeout.max(SHORTEST_TIMEOUT),
                    settings: settings.clone(),
                    lock,
                    client,
                    view: View::default(),
                    teller: teller.clone(),
                    traffic: traffic.clone(),
                    complete: false,
                    held: false,
                    up: false,
                    patience: Some(Instant::now() + PATIENCE),
                    end: None,
                };
                executor.run(events, &mut batches).await?;
                "the client of ovsdb-server ended".into()
            }
            Err(error) => error.into(),
        };
        warn!(connection = %settings.connection, %reason, "no client of ovsdb-server");
        teller
            .facts(vec![Fact::SwitchLost {
                reason: reason.clone(),
            }])
            .await?;
        let until = Instant::now() + backoff.pause();
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(until) => break,
                batch = batches.recv() => {
                    let reason = reason.clone();
                    teller.finished(batch.ok_or(Deserted)?.id, Outcome::Lost { reason }).await?;
                }
                () = teller.events.closed() => return Err(Deserted),
            }
        }
    }
}

struct Executor {
    settings: Settings,
    timeout: Duration,
    lock: Str,
    client: Client,
    view: View,
    teller: Teller,
    traffic: SwitchTraffic,
    /// The replica holds everything there is.
    complete: bool,
    /// The lock is ours.
    held: bool,
    /// The agent was told everything and no end since.
    up: bool,
    /// When to say that something is missing.
    patience: Option<Instant>,
    /// How the last connection ended.
    end: Option<String>,
}

impl Executor {
    /// Returns `Ok` if the client ended.
    async fn run(
        mut self,
        mut events: Events,
        batches: &mut mpsc::Receiver<Batch>,
    ) -> Result<(), Deserted> {
        loop {
            let patience = self.patience;
            tokio::select! {
                event = events.next() => match event {
                    Some(event) => self.event(event).await?,
                    None => return Ok(()),
                },
                batch = batches.recv() => self.batch(batch.ok_or(Deserted)?, &mut events).await?,
                () = until(patience) => self.complain().await?,
                () = self.teller.events.closed() => return Err(Deserted),
            }
        }
    }

    async fn event(&mut self, event: Event) -> Result<(), Deserted> {
        match event {
            Event::Update(changes) => {
                let facts = self.view.follow(&changes, self.up);
                self.teller.facts(facts).await
            }
            Event::InitialSnapshotComplete => {
                self.complete = true;
                self.rise().await
            }
            Event::Lock(lock, held) if lock == self.lock => {
                self.held = held;
                if held {
                    return self.rise().await;
                }
                self.patience = Some(Instant::now() + PATIENCE);
                let reason = format!("the lock {lock} of the switch's database is gone");
                self.fall(reason.into()).await
            }
            Event::Disconnected(reason) => {
                self.complete = false;
                self.held = false;
                self.patience = Some(Instant::now() + PATIENCE);
                let reason = match reason {
                    Reason::Closed => "dropped, it did not answer in time".to_owned(),
                    reason => reason.to_string(),
                };
                self.end = Some(reason.clone());
                self.fall(format!("connection to ovsdb-server: {reason}").into())
                    .await
            }
            Event::Connected(_) | Event::Lock(..) | Event::Reply(..) | Event::Notification(..) => {
                Ok(())
            }
        }
    }

    /// Tells everything, once there is everything and it is ours to write.
    async fn rise(&mut self) -> Result<(), Deserted> {
        if self.up || !self.complete || !self.held {
            return Ok(());
        }
        self.up = true;
        self.end = None;
        self.patience = None;
        let facts = self.view.tell_all();
        info!(connection = %self.settings.connection, facts = facts.len(), "switch database read");
        self.teller.facts(facts).await
    }

    async fn fall(&mut self, reason: Arc<str>) -> Result<(), Deserted> {
        if !std::mem::replace(&mut self.up, false) {
            return Ok(());
        }
        warn!(connection = %self.settings.connection, %reason, "switch database lost");
        self.teller.facts(vec![Fact::SwitchLost { reason }]).await
    }

    /// Says what is missing.
    async fn complain(&mut self) -> Result<(), Deserted> {
        self.patience = None;
        let connection = &self.settings.connection;
        let reason: Arc<str> = if !self.complete {
            let end = self.end.as_deref().unwrap_or("nobody answers");
            format!("no connection to ovsdb-server at {connection}: {end}").into()
        } else if !self.held {
            let bridge = &self.settings.integration_bridge;
            format!("another vifd holds {bridge} (lock {} of this switch's database); waiting for its end", self.lock)
                .into()
        } else {
            return Ok(());
        };
        warn!(connection = %self.settings.connection, "{reason}");
        self.teller.facts(vec![Fact::SwitchLost { reason }]).await
    }

    async fn batch(&mut self, batch: Batch, events: &mut Events) -> Result<(), Deserted> {
        let Items::Rows(items) = &batch.items else {
            let reason = Arc::from("not for the executor of rows");
            return self
                .teller
                .finished(batch.id, Outcome::Rejected { at: None, reason })
                .await;
        };
        if !self.up {
            let reason = Arc::from("no connection to ovsdb-server, or not ours to write");
            return self
                .teller
                .finished(batch.id, Outcome::Lost { reason })
                .await;
        }
        let mut draft = Draft::new(
            items,
            self.view.replica(),
            &self.settings.host.0,
            &self.lock,
        );
        if draft.is_empty() {
            return self.teller.finished(batch.id, draft.unchanged()).await;
        }
        self.traffic.ovsdb_transactions.inc();
        let client = self.client.clone();
        let transact = client.transact(draft.take(), self.timeout);
        tokio::pin!(transact);
        // Facts go on while the server works.
        let result = loop {
            tokio::select! {
                biased;
                result = &mut transact => break result,
                event = events.next() => match event {
                    Some(event) => self.event(event).await?,
                    None => break Err(Error::Closed),
                },
            }
        };
        // What the transaction changed is there already; it is told before the answer.
        while let Some(event) = events.try_next() {
            self.event(event).await?;
        }
        let outcome = self.outcome(result, &draft).await?;
        self.teller.finished(batch.id, outcome).await
    }

    async fn outcome(
        &mut self,
        result: Result<Results, Error>,
        draft: &Draft,
    ) -> Result<Outcome, Deserted> {
        let reason: Arc<str> = match result {
            Ok(results) => return Ok(draft.done(&results)),
            Err(Error::Server(error)) if error.op.is_some_and(|op| draft.is_assert(op)) => {
                // The notice of the loss is on its way; until the lock comes back nothing is ours to write.
                self.held = false;
                format!("the lock {} is not held: {error}", self.lock).into()
            }
            Err(Error::Server(error)) => {
                let reason = format!("{}: {}", error.error, error.details);
                return Ok(draft.rejected(error.op, reason.trim_end_matches(": ").into()));
            }
            // Never sent: the schema of this switch does not know it.
            Err(Error::Check(error)) => {
                return Ok(draft.rejected(Some(error.op), error.to_string().into()));
            }
            Err(error) => {
                // Whatever else went wrong, a connection that does not answer is worth nothing.
                let is_gone = matches!(
                    error,
                    Error::Lost | Error::Closed | Error::Refused(Refused::NotConnected)
                );
                if !is_gone {
                    drop(self.client.reconnect().await);
                }
                format!("ovsdb-server: {error}").into()
            }
        };
        // The end of the connection may be told later than the end of the request.
        self.patience = Some(Instant::now() + PATIENCE);
        self.fall(reason.clone()).await?;
        Ok(Outcome::Lost { reason })
    }
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_an_id_and_tells_bridges_apart() {
        let lock = |bridge: &str| {
            let settings = Settings {
                connection: String::new(),
                tls: None,
                timeout: SHORTEST_TIMEOUT,
                integration_bridge: bridge.into(),
                host: HostName("h".into()),
            };
            settings.lock().to_string()
        };
        assert_eq!(lock("br-int"), "vifd_br_2dint");
        assert_ne!(lock("br_2dint"), lock("br-int"));
        assert_ne!(lock("br_int"), lock("br-int"));
        assert!(ovsdb::value::is_id(&lock("br-ünt.7")));
    }
}
