//! The flows of one bridge: one connection to its management socket.
//!
//! Owns: the connection, the dump after every connect, and the flow modifications of a batch ([`wire`]). Knows
//! nothing of what a flow is for. Held by `tests/exec_openflow.rs`, which installs every kind of flow that the planner
//! renders and reads it back.
//!
//! A bridge without a socket is looked for again and again: it may not exist yet, or `ovs-vswitchd` may be starting.
//! After a restart of the switch everything installed is gone, so every connection starts with a dump. So does
//! one after a flow of ours was deleted by another hand, as a flow monitor tells: an operator's, or the switch's own,
//! which empties a bridge whose `fail_mode` changes (`ofproto/connmgr.c`). Changes of a flow are not told with its
//! cookie; they go unseen. That the switch floods to a port again, or no longer, is told as well ([`ports`]).

mod ports;
mod wire;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ofproto::conn::{Config, Event, Frame, OpError, Tag};
use ofproto::msg::PhyPort;
use ofproto::net::{self, Endpoint, Events, Handle};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::{Backoff, Deserted, Teller};
use crate::ops::flow::{FlowBody, FlowKey};
use crate::ops::{Batch, ExecEvent, FlowItem, Items, Outcome, Target};
use crate::telemetry::SwitchTraffic;
use ports::Ports;

/// Messages between two barriers: more than any batch has, so that a batch costs one barrier.
const WINDOW_MESSAGES: usize = 32 << 10;
/// Bytes sent and not yet known to be carried out.
const WINDOW_BYTES: usize = 8 << 20;

/// Which bridge, and how patiently.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The directory of `BRIDGE.mgmt`.
    pub run_dir: PathBuf,
    /// The bridge.
    pub bridge: Arc<str>,
    /// How long the switch may stay silent about the oldest request.
    pub timeout: Duration,
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
        target: Target::Flows(settings.bridge.clone()),
    };
    let executor = Executor {
        settings,
        batches,
        teller,
        traffic,
        backoff: Backoff::nearby(),
        complaint: None,
        absent: false,
        ports: Ports::default(),
    };
    tokio::spawn(async move {
        // It ends when nobody asks or listens any more; there is nobody to tell.
        let _ = executor.run().await;
    });
    sender
}

struct Executor {
    settings: Settings,
    batches: mpsc::Receiver<Batch>,
    teller: Teller,
    traffic: SwitchTraffic,
    backoff: Backoff,
    /// The last failure that was logged: the same one is not logged again.
    complaint: Option<String>,
    /// Nobody has made the socket yet.
    absent: bool,
    /// What this connection knows of them.
    ports: Ports,
}

/// The tags of requests. Batches are counted from 1, too far to come here.
const MONITOR: Tag = Tag(u64::MAX);
const DUMP: Tag = Tag(u64::MAX - 1);
const PORTS: Tag = Tag(u64::MAX - 2);
const CONFIG: Tag = Tag(u64::MAX - 3);
const TELL: Tag = Tag(u64::MAX - 4);

/// A batch under way.
struct Pending {
    id: u64,
    /// The item of each modification.
    item_of: Vec<usize>,
    /// Items that were not even sent.
    unsent: Reasons,
    /// Items that are ports, and whether the switch is to flood nothing to them.
    ports: Vec<(usize, u16, bool)>,
}

/// A batch that changes ports waits for what they are: a modification has to give their hardware addresses.
struct Waiting {
    batch: Batch,
    ports: Vec<PhyPort>,
}

/// Why a session is over.
enum End {
    Deserted,
    Lost(String),
}

impl From<Deserted> for End {
    fn from(_: Deserted) -> Self {
        End::Deserted
    }
}

impl Executor {
    async fn run(mut self) -> Deserted {
        loop {
            match self.session().await {
                End::Deserted => return Deserted,
                End::Lost(reason) => self.complain(reason),
            }
            let pause = self.backoff.pause();
            if self.wait(pause).await.is_err() {
                return Deserted;
            }
        }
    }

    fn complain(&mut self, reason: String) {
        if self.complaint.as_ref() == Some(&reason) {
            return;
        }
        let bridge = &self.settings.bridge;
        if self.absent {
            info!(%bridge, %reason, "no flow connection yet: waiting for the bridge, or for ovs-vswitchd");
        } else {
            warn!(%bridge, %reason, "no flow connection");
        }
        self.complaint = Some(reason);
    }

    /// Waits, and answers what is asked meanwhile.
    async fn wait(&mut self, pause: Duration) -> Result<(), Deserted> {
        let until = Instant::now() + pause;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(until) => return Ok(()),
                batch = self.batches.recv() => self.turn_away(&batch.ok_or(Deserted)?).await?,
                () = self.teller.events.closed() => return Err(Deserted),
            }
        }
    }

    async fn turn_away(&self, batch: &Batch) -> Result<(), Deserted> {
        let reason = Arc::from("no flow connection");
        self.teller
            .finished(batch.id, Outcome::Lost { reason })
            .await
    }

    /// From a connect to the end of the connection.
    async fn session(&mut self) -> End {
        let endpoint = Endpoint::bridge(&self.settings.run_dir, &self.settings.bridge);
        let config = Config {
            window_messages: WINDOW_MESSAGES,
            window_bytes: WINDOW_BYTES,
            request_timeout: self.settings.timeout,
            ..Config::default()
        };
        let (handle, mut events) = match net::connect(&endpoint, config).await {
            Ok(connection) => connection,
            Err(error) => {
                self.absent = error.kind() == io::ErrorKind::NotFound;
                return End::Lost(format!("{endpoint}: {error}"));
            }
        };
        self.absent = false;
        self.ports = Ports::default();
        let flows = match self.opened(&handle, &mut events).await {
            Ok(flows) => flows,
            Err(end) => return end,
        };
        debug!(bridge = %self.settings.bridge, flows = flows.len(), "flows read");
        self.backoff.reset();
        self.complaint = None;
        let bridge = self.settings.bridge.clone();
        if self
            .teller
            .event(ExecEvent::FlowsUp {
                bridge: bridge.clone(),
                flows,
            })
            .await
            .is_err()
        {
            return End::Deserted;
        }
        let reason = match self.serve(&handle, &mut events).await {
            End::Deserted => return End::Deserted,
            End::Lost(reason) => reason,
        };
        let event = ExecEvent::FlowsDown {
            bridge,
            reason: reason.as_str().into(),
        };
        match self.teller.event(event).await {
            Ok(()) => End::Lost(reason),
            Err(Deserted) => End::Deserted,
        }
    }

    /// Waits for the end of the set-up, then asks for everything that carries our mark.
    async fn opened(
        &mut self,
        handle: &Handle,
        events: &mut Events,
    ) -> Result<Vec<(FlowKey, FlowBody)>, End> {
        let mut flows = Vec::new();
        let mut ports = Vec::new();
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(Event::Ready { .. }) => {
                        request(handle, CONFIG, wire::config())?;
                    }
                    Some(Event::Reply { tag: CONFIG, frame, .. }) => {
                        let messages = wire::tell_ports(&frame).map_err(End::Lost)?;
                        let sent = handle.submit_batch(TELL, messages);
                        sent.map_err(|error| End::Lost(error.to_string()))?;
                        // What tells of changes first, so that none falls between.
                        request(handle, MONITOR, wire::monitor())?;
                        request(handle, PORTS, wire::ports())?;
                        request(handle, DUMP, wire::dump())?;
                    }
                    Some(Event::BatchDone { tag: TELL, errors }) => {
                        if let Some((_, error)) = errors.first() {
                            warn!(bridge = %self.settings.bridge, %error, "no news of ports: floods that others allow go unseen");
                        }
                    }
                    Some(Event::Unsolicited { frame }) => self.told(&frame),
                    Some(Event::Failed { tag: MONITOR, failure, .. }) => {
                        warn!(bridge = %self.settings.bridge, %failure, "no flow monitor: deletions by others go unseen");
                    }
                    Some(Event::Reply { tag: PORTS, frame, .. }) => {
                        wire::described(&frame, &mut ports).map_err(End::Lost)?;
                    }
                    Some(Event::Reply { tag: DUMP, frame, more }) => {
                        wire::dumped(&frame, &mut flows).map_err(End::Lost)?;
                        if !more {
                            // Answers come in the order of the requests.
                            let unflooded = wire::unflooded(&ports);
                            self.ports.read(unflooded.clone());
                            let keys = unflooded.map(FlowKey::no_flood);
                            flows.extend(keys.map(|key| (key, FlowBody::no_flood())));
                            return Ok(flows);
                        }
                    }
                    Some(Event::Failed { failure, .. }) => return Err(End::Lost(format!("dump: {failure}"))),
                    Some(Event::Closed { reason }) => return Err(End::Lost(reason.to_string())),
                    Some(_) => {}
                    None => return Err(End::Lost("connection closed".into())),
                },
                batch = self.batches.recv() => self.turn_away(&batch.ok_or(Deserted)?).await?,
                () = self.teller.events.closed() => return Err(End::Deserted),
            }
        }
    }

    /// Carries batches out until the connection ends.
    async fn serve(&mut self, handle: &Handle, events: &mut Events) -> End {
        let mut pending: Option<Pending> = None;
        let mut waiting: Option<Waiting> = None;
        loop {
            let step = tokio::select! {
                event = events.next() => match event {
                    Some(Event::Reply { tag: PORTS, frame, more }) => {
                        self.ports(&frame, more, handle, &mut waiting, &mut pending)
                    }
                    event => self.event(event, &mut pending).await,
                },
                batch = self.batches.recv(), if pending.is_none() && waiting.is_none() => match batch {
                    Some(batch) => self.take(batch, handle, &mut waiting, &mut pending).await,
                    None => Err(End::Deserted),
                },
                () = self.teller.events.closed() => Err(End::Deserted),
            };
            let step = match step {
                Ok(()) if pending.is_none() => self.tell_ports().await,
                step => step,
            };
            if let Err(end) = step {
                let waiting = waiting.map(|waiting| waiting.batch.id);
                return self.abandon(end, pending.map(|p| p.id).or(waiting)).await;
            }
        }
    }

    /// A message that answers nothing.
    fn told(&mut self, frame: &Frame) {
        if let Some((port, is_unflooded)) = wire::port_status(frame) {
            self.ports.told(port, is_unflooded);
        }
    }

    /// Passes on what the switch told of ports.
    async fn tell_ports(&mut self) -> Result<(), End> {
        let ports = self.ports.news();
        if ports.is_empty() {
            return Ok(());
        }
        let bridge = self.settings.bridge.clone();
        debug!(%bridge, ?ports, "floods are not as they were");
        Ok(self
            .teller
            .event(ExecEvent::Floods { bridge, ports })
            .await?)
    }

    /// One part of what the ports are; the last one sends the batch on its way.
    fn ports(
        &self,
        frame: &Frame,
        more: bool,
        handle: &Handle,
        waiting: &mut Option<Waiting>,
        pending: &mut Option<Pending>,
    ) -> Result<(), End> {
        if let Some(waiting) = waiting {
            wire::described(frame, &mut waiting.ports).map_err(End::Lost)?;
        }
        if !more && let Some(Waiting { batch, ports }) = waiting.take() {
            return self.submit(batch, &ports, handle, pending);
        }
        Ok(())
    }

    async fn abandon(&mut self, end: End, pending: Option<u64>) -> End {
        if let (End::Lost(reason), Some(pending)) = (&end, pending) {
            let outcome = Outcome::Lost {
                reason: reason.as_str().into(),
            };
            if self.teller.finished(pending, outcome).await.is_err() {
                return End::Deserted;
            }
        }
        end
    }

    async fn take(
        &mut self,
        batch: Batch,
        handle: &Handle,
        waiting: &mut Option<Waiting>,
        pending: &mut Option<Pending>,
    ) -> Result<(), End> {
        let Items::Flows(items) = &batch.items else {
            let reason = Arc::from("not for the executor of flows");
            let outcome = Outcome::Rejected { at: None, reason };
            return Ok(self.teller.finished(batch.id, outcome).await?);
        };
        if items.iter().all(|item| item.key.is_no_flood().is_none()) {
            return self.submit(batch, &[], handle, pending);
        }
        request(handle, PORTS, wire::ports())?;
        *waiting = Some(Waiting {
            batch,
            ports: Vec::new(),
        });
        Ok(())
    }

    fn submit(
        &self,
        batch: Batch,
        ports: &[PhyPort],
        handle: &Handle,
        pending: &mut Option<Pending>,
    ) -> Result<(), End> {
        let items = match &batch.items {
            Items::Flows(items) => items.as_slice(),
            _ => &[],
        };
        let (messages, item_of, unsent) = ordered(items, ports);
        self.traffic.flows_sent.inc_by(item_of.len() as u64);
        self.traffic.openflow_barriers.inc();
        let bridge = &self.settings.bridge;
        debug!(%bridge, batch = batch.id, flow_mods = item_of.len(), "flow batch sent");
        let is_port = |(at, item): (usize, &FlowItem)| {
            let port = item.key.is_no_flood()?;
            Some((at, port, item.body.is_some()))
        };
        *pending = Some(Pending {
            id: batch.id,
            item_of,
            unsent,
            ports: items.iter().enumerate().filter_map(is_port).collect(),
        });
        let sent = handle.submit_batch(Tag(batch.id), messages);
        sent.map_err(|error| End::Lost(error.to_string()))
    }

    async fn event(
        &mut self,
        event: Option<Event>,
        pending: &mut Option<Pending>,
    ) -> Result<(), End> {
        match event {
            Some(Event::BatchDone { tag, errors }) => {
                if let Some(done) = pending.take_if(|pending| pending.id == tag.0) {
                    let refused = refused(&errors, &done.item_of, done.unsent);
                    for (at, port, is_unflooded) in done.ports {
                        if refused.iter().all(|(bad, _)| *bad != at) {
                            self.ports.done(port, is_unflooded);
                        }
                    }
                    let outcome = Outcome::Done {
                        refused,
                        next_cfg: None,
                    };
                    self.teller.finished(done.id, outcome).await?;
                }
                Ok(())
            }
            Some(Event::MonitorUpdate { frame }) => match wire::deleted_ours(&frame) {
                Ok(false) => Ok(()),
                Ok(true) => Err(End::Lost(
                    "flows of ours were deleted by another hand".into(),
                )),
                Err(reason) => Err(End::Lost(reason)),
            },
            Some(Event::MonitorPaused) => Err(End::Lost("deletions of flows went unseen".into())),
            Some(Event::Unsolicited { frame }) => {
                self.told(&frame);
                Ok(())
            }
            // The reason for all of it follows with the end of the connection.
            Some(Event::Failed { failure, .. }) => {
                debug!(bridge = %self.settings.bridge, %failure, "no answer to a request");
                Ok(())
            }
            Some(Event::Closed { reason }) => Err(End::Lost(reason.to_string())),
            Some(_) => Ok(()),
            None => Err(End::Lost("connection closed".into())),
        }
    }
}

fn request(handle: &Handle, tag: Tag, frame: Result<Frame, String>) -> Result<(), End> {
    let sent = handle.request(tag, frame.map_err(End::Lost)?);
    sent.map_err(|error| End::Lost(error.to_string()))
}

/// Items that did not take effect, with the reason.
type Reasons = Vec<(usize, Arc<str>)>;

/// What is to stand, then what is to go: no packet meets a table without either.
fn ordered(items: &[FlowItem], ports: &[PhyPort]) -> (ofproto::conn::Batch, Vec<usize>, Reasons) {
    let mut messages = ofproto::conn::Batch::new();
    let mut item_of = Vec::new();
    let mut unsent = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let Some(number) = item.key.is_no_flood() else {
            continue;
        };
        match ports.iter().find(|port| port.port_no.0 == number) {
            Some(port) => {
                messages.push_with(|out| wire::set_no_flood(port, item.body.is_some(), out));
                item_of.push(at);
            }
            None if item.body.is_some() => {
                unsent.push((at, format!("the bridge has no port {number}").into()));
            }
            // It went, and what was said of it with it.
            None => {}
        }
    }
    let flows = || {
        let flows = items.iter().enumerate();
        flows.filter(|(_, item)| item.key.is_no_flood().is_none())
    };
    for (at, item) in flows() {
        if let Some(body) = &item.body {
            if let Some(zone) = item.zone {
                messages.push_with(|out| wire::flush_zone(zone, out));
                item_of.push(at);
            }
            messages.push_with(|out| wire::add(&item.key, body, out));
            item_of.push(at);
        }
    }
    for (at, item) in flows().filter(|(_, item)| item.body.is_none()) {
        messages.push_with(|out| wire::delete(&item.key, out));
        item_of.push(at);
        if let Some(zone) = item.zone {
            messages.push_with(|out| wire::flush_zone(zone, out));
            item_of.push(at);
        }
        if let Some((table, matching)) = &item.learned {
            messages.push_with(|out| wire::delete_learned(*table, matching, out));
            item_of.push(at);
        }
    }
    (messages, item_of, unsent)
}

/// The first reason for each item, in order of the items.
fn refused(errors: &[(usize, OpError)], item_of: &[usize], unsent: Reasons) -> Reasons {
    let mut refused = unsent;
    refused.extend(
        errors
            .iter()
            .filter_map(|(op, error)| Some((*item_of.get(*op)?, Arc::from(error.to_string())))),
    );
    refused.sort_by_key(|(at, _)| *at);
    refused.dedup_by_key(|(at, _)| *at);
    refused
}

#[cfg(test)]
mod tests {
    use super::*;
    use ofproto::action::ActionList;
    use ofproto::matching::Match;

    fn item(table: u8, add: bool, learned: bool) -> FlowItem {
        FlowItem {
            key: FlowKey {
                table,
                priority: 1,
                matching: Match::new(),
            },
            body: add.then(|| FlowBody {
                cookie: 1,
                actions: ActionList::new(),
            }),
            learned: learned.then(|| (20, Match::new())),
            zone: None,
        }
    }

    #[test]
    fn additions_go_first_and_errors_find_their_items() {
        let items = [
            item(1, false, true),
            item(2, true, false),
            item(3, false, false),
            item(4, true, false),
        ];
        let (messages, item_of, _) = ordered(&items, &[]);
        assert_eq!(item_of, [1, 3, 0, 0, 2]);
        assert_eq!(messages.len(), 5);
        let error = |op| (op, OpError::TooLong(op));
        let errors = [error(1), error(2), error(3), error(9)];
        let refused = refused(&errors, &item_of, Vec::new());
        let found: Vec<(usize, &str)> = refused.iter().map(|(at, why)| (*at, &**why)).collect();
        assert_eq!(
            found,
            [
                (0, "message of 2 bytes is too long"),
                (3, "message of 1 bytes is too long")
            ]
        );
    }
}
