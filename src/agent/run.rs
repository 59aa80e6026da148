//! The loop.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tracing::{debug, error, info, warn};
use uuid::Uuid;

use super::executors::{Executors, label};
use crate::admin::AdminRequest;
use crate::config::Config;
use crate::model::{Delta, Endpoint, FirewallDriver, Port, PortStatus};
use crate::ops::report::Heartbeat;
use crate::ops::{ExecEvent, Outcome, Target};
use crate::plan::config::{FILTER_BATCH, PlanConfig};
use crate::plan::{Now, Planner};
use crate::source::db::{self, DbSourceConfig, Request, SourceEvent};
use crate::store::{DatabaseUrl, clock};
use crate::telemetry::metrics::as_gauge;
use crate::telemetry::{Metrics, Ready};

/// Events of executors that wait for the loop.
const EVENTS: usize = 256;
/// Cells rendered in one slice, so that answers stay prompt.
const SLICE: usize = 256;
/// Events taken in before the planner thinks again: a burst becomes one batch.
const BURST: usize = 128;
/// Between a change and the next count of everything.
const RECOUNT: Duration = Duration::from_secs(1);
/// Between two full passes that look for what the incremental ones missed.
const AUDIT: Duration = Duration::from_secs(600);

/// Why the agent cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `[database] connection` names none.
    #[error("[database] connection: {0}")]
    Database(String),
    /// The thread of the source could not be started.
    #[error("cannot start the database thread")]
    Thread(#[source] std::io::Error),
}

/// What the agent is, besides the planner.
pub struct Agent {
    pub(super) config: Arc<Config>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) planner: Planner,
    pub(super) executors: Executors,
    pub(super) source: mpsc::Sender<Request>,
    pub(super) source_up: Result<(), String>,
    /// Why `ovsdb-server` is not there, while it is not.
    pub(super) switch_lost: Arc<str>,
    /// When what is counted over all ports and cells is counted again: soon after a change, and not while nothing
    /// happens.
    recount_at: Option<Instant>,
    /// The control plane was told the first counts that mean something.
    counts_told: bool,
    pub(super) started: Instant,
    unenforced: Unenforced,
}

/// Ports in security groups on a host where nothing enforces them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Unenforced {
    None,
    Seen,
    Told,
}

/// What the planner needs of the configuration.
pub fn plan_config(config: &Config) -> PlanConfig {
    PlanConfig {
        host: config.host.clone(),
        integration_bridge: config.ovs.integration_bridge.clone(),
        tunnel_bridge: config.ovs.tunnel_bridge.clone(),
        int_peer_patch_port: config.ovs.int_peer_patch_port.clone(),
        tun_peer_patch_port: config.ovs.tun_peer_patch_port.clone(),
        datapath_type: config.ovs.datapath_type.name().into(),
        bridge_mappings: config
            .ovs
            .bridge_mappings
            .iter()
            .map(|mapping| (mapping.physical_network.clone(), mapping.bridge.clone()))
            .collect(),
        local_ip: config.ovs.local_ip,
        tunnel_types: config.agent.tunnel_types.clone(),
        vxlan_udp_port: config.agent.vxlan_udp_port,
        dont_fragment: config.agent.dont_fragment,
        firewall: config.firewall,
        filter_batch: FILTER_BATCH,
        tunnel_csum: config.agent.tunnel_csum,
    }
}

fn source_config(config: &Config) -> Result<DbSourceConfig, Error> {
    let url: DatabaseUrl = config
        .database
        .connection
        .parse()
        .map_err(|e: crate::store::StoreError| Error::Database(e.to_string()))?;
    let endpoints = config.ovs.local_ip.into_iter().flat_map(|ip| {
        config.agent.tunnel_types.iter().map(move |kind| Endpoint {
            host: config.host.clone(),
            kind: *kind,
            ip,
        })
    });
    Ok(DbSourceConfig {
        url,
        host: config.host.clone(),
        endpoints: endpoints.collect(),
        poll_interval: config.database.poll_interval,
        heartbeat_interval: config.agent.report_interval,
        instance: Uuid::new_v4(),
        boot_id: db::boot_id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        firewall: config.firewall,
        identity_file: Some(config.state_dir.join("database-id")),
    })
}

/// Runs the agent until `stop`. The dataplane stays as it is when it returns.
pub async fn run(
    config: Arc<Config>,
    metrics: Arc<Metrics>,
    mut admin: mpsc::Receiver<AdminRequest>,
    stop: impl Future<Output = ()>,
) -> Result<(), Error> {
    let plan = plan_config(&config);
    let (requests, mut source) = db::spawn(source_config(&config)?).map_err(Error::Thread)?;
    let (events_tx, mut events) = mpsc::channel(EVENTS);
    let bridges = plan.bridges();
    let executors = Executors::start(
        &config,
        &bridges,
        requests.clone(),
        &events_tx,
        metrics.clone(),
    );
    let mut heartbeat = tokio::time::interval(config.agent.report_interval);
    let mut audit = tokio::time::interval_at(tokio::time::Instant::now() + AUDIT, AUDIT);
    let mut agent = Agent {
        planner: Planner::new(plan),
        config,
        metrics,
        executors,
        source: requests,
        source_up: Err("not connected yet".to_owned()),
        switch_lost: "not connected yet".into(),
        recount_at: None,
        counts_told: false,
        started: Instant::now(),
        unenforced: Unenforced::None,
    };
    info!(host = %agent.config.host, bridges = bridges.len(), "agent started");
    match agent.config.firewall {
        FirewallDriver::Noop => info!("security groups are not enforced: firewall_driver is noop"),
        driver => info!(driver = driver.name(), "security groups are enforced"),
    }
    tokio::pin!(stop);
    let mut more = false;
    loop {
        let retry = agent
            .planner
            .next_deadline()
            .map(|ms| agent.started + Duration::from_millis(ms));
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some(event) = events.recv() => {
                agent.on_exec(event);
                for _ in 0..BURST {
                    match events.try_recv() {
                        Ok(event) => agent.on_exec(event),
                        Err(_) => break,
                    }
                }
            }
            Some(event) = source.recv() => {
                agent.on_source(event);
                for _ in 0..BURST {
                    match source.try_recv() {
                        Ok(event) => agent.on_source(event),
                        Err(_) => break,
                    }
                }
            }
            Some(request) = admin.recv() => agent.on_admin(request),
            _ = heartbeat.tick() => agent.on_heartbeat(),
            _ = audit.tick() => agent.planner.begin_audit(),
            () = sleep_until(retry) => {}
            () = sleep_until(agent.recount_at) => agent.on_recount(),
            () = tokio::task::yield_now(), if more => {}
        }
        more = agent.think();
    }
    info!("agent stops; the dataplane stays as it is");
    // A database that hangs must not keep the agent from ending.
    let _ = tokio::time::timeout(Duration::from_secs(1), agent.source.send(Request::Stop)).await;
    let ended = async { while source.recv().await.is_some() {} };
    let _ = tokio::time::timeout(Duration::from_secs(2), ended).await;
    Ok(())
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

fn in_groups(port: &Port) -> bool {
    port.is_filtered() && !port.groups.is_empty()
}

impl Agent {
    fn now(&self) -> Now {
        let mono_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Now {
            mono_ms,
            unix_us: clock::now(),
        }
    }

    /// One slice of the planner; `true` if it wants another at once.
    fn think(&mut self) -> bool {
        let begun = Instant::now();
        let rendered = self.planner.stats().cells_rendered;
        let (batches, more) = self.planner.step(self.now(), SLICE);
        let lost: Vec<ExecEvent> = batches
            .into_iter()
            .filter_map(|batch| self.executors.submit(batch))
            .collect();
        let now = self.now();
        for event in lost {
            self.planner.event(event, now);
        }
        for note in self.planner.take_notes() {
            match note.need {
                Some(need) => warn!(cell = %note.cell, "{need}"),
                None => info!(cell = %note.cell, "as it should be"),
            }
        }
        self.metrics
            .cells_rendered
            .inc_by(self.planner.stats().cells_rendered - rendered);
        self.metrics
            .planner_seconds
            .inc_by(begun.elapsed().as_secs_f64());
        self.gauge_connections();
        // Last of all: only when nothing else is to be done.
        more || self.audit_slice()
    }

    fn on_exec(&mut self, event: ExecEvent) {
        self.recount_soon();
        match &event {
            ExecEvent::Facts(facts) => {
                self.metrics.event("facts");
                debug!(facts = facts.len(), "facts");
                for fact in facts {
                    if let crate::model::Fact::SwitchLost { reason } = fact {
                        warn!(%reason, "ovsdb-server is not there; what is wired stays wired");
                        self.switch_lost = reason.clone();
                    }
                    if let crate::model::Fact::SwitchComplete { .. } = fact {
                        self.metrics.resync(label(&Target::Rows));
                        debug!("switch database complete");
                    }
                }
            }
            ExecEvent::FlowsUp { bridge, flows } => {
                self.metrics.event("flows_up");
                self.metrics.resync(label(&Target::Flows(bridge.clone())));
                info!(%bridge, flows = flows.len(), "flow connection up");
            }
            ExecEvent::Floods { bridge, ports } => {
                self.metrics.event("floods");
                info!(%bridge, ports = ports.len(), "another hand changed what is flooded to, or a device was replaced");
            }
            ExecEvent::FlowsDown { bridge, reason } => {
                self.metrics.event("flows_down");
                warn!(%bridge, %reason, "flow connection down");
            }
            ExecEvent::Finished {
                target,
                id,
                outcome,
            } => {
                self.metrics.event("finished");
                self.log_outcome(target, *id, outcome);
                self.executors.finished(*id, outcome);
            }
            ExecEvent::NftUp { variant, found, .. } => {
                self.metrics.event("nft_up");
                self.metrics.resync(label(&Target::Nft));
                info!(
                    variant = variant.name(),
                    objects = found.len(),
                    "packet filter read"
                );
            }
            ExecEvent::NftDown { reason } => {
                self.metrics.event("nft_down");
                warn!(%reason, "packet filter away; what stands there stays");
            }
            ExecEvent::NftUnable { reason } => {
                self.metrics.event("nft_unable");
                error!(%reason, "this kernel cannot filter ports; filtered ports stay off the network");
            }
            ExecEvent::Connections(found) => {
                self.metrics.event("connections");
                debug!(connections = found.len(), "tracked connections");
            }
            ExecEvent::ReportsUp(_) => {}
        }
        let now = self.now();
        self.planner.event(event, now);
    }

    fn log_outcome(&self, target: &Target, id: u64, outcome: &Outcome) {
        match outcome {
            Outcome::Done { refused, .. } => {
                for (item, reason) in refused {
                    warn!(?target, batch = id, item, %reason, "refused; will be tried again");
                }
                debug!(?target, batch = id, refused = refused.len(), "batch done");
            }
            Outcome::Rejected { at, reason } => {
                warn!(?target, batch = id, item = ?at, %reason, "batch rejected")
            }
            Outcome::Lost { reason } => {
                warn!(?target, batch = id, %reason, "batch lost; its part is read again")
            }
        }
    }

    /// Whoever puts ports into groups should know, once, that nothing comes of it here.
    fn warn_of_groups(&mut self) {
        let desired = self.planner.desired();
        let noop = self.config.firewall == FirewallDriver::Noop;
        if noop && self.unenforced == Unenforced::Seen && desired.is_complete() {
            self.unenforced = Unenforced::Told;
            let ports = desired.ports().filter(|port| in_groups(port)).count();
            warn!(
                ports,
                "ports are in security groups, but nothing enforces them on this host: set [securitygroup] \
                 firewall_driver to openvswitch or nft"
            );
        }
    }

    fn on_source(&mut self, event: SourceEvent) {
        self.recount_soon();
        let now = self.now();
        match event {
            SourceEvent::Deltas(deltas) => {
                self.metrics.event("deltas");
                debug!(deltas = deltas.len(), "deltas");
                for delta in deltas {
                    if matches!(&delta, Delta::Port(port) if in_groups(port)) {
                        self.unenforced = self.unenforced.max(Unenforced::Seen);
                    }
                    self.planner.delta(delta);
                }
                self.warn_of_groups();
            }
            SourceEvent::Up => {
                info!("control plane up");
                self.source_up = Ok(());
                self.metrics.source_up.set(1);
                self.planner.event(ExecEvent::ReportsUp(true), now);
            }
            SourceEvent::Down { reason } => {
                warn!(%reason, "control plane down; what is wired stays wired");
                self.source_lost(reason, now);
            }
            SourceEvent::Refused { reason } => {
                error!(%reason, "the control plane refuses this agent");
                self.source_lost(reason, now);
            }
            SourceEvent::Reported { batch, results } => {
                self.metrics.reports.inc_by(results.len() as u64);
                let outcome = self.executors.reported(batch, &results);
                self.on_exec(ExecEvent::Finished {
                    target: Target::Reports,
                    id: batch,
                    outcome,
                });
            }
            SourceEvent::ReportFailed { batch, reason } => {
                let outcome = Outcome::Lost {
                    reason: reason.into(),
                };
                self.on_exec(ExecEvent::Finished {
                    target: Target::Reports,
                    id: batch,
                    outcome,
                });
            }
        }
    }

    fn source_lost(&mut self, reason: String, now: Now) {
        self.source_up = Err(reason);
        self.metrics.source_up.set(0);
        self.planner.event(ExecEvent::ReportsUp(false), now);
    }

    fn recount_soon(&mut self) {
        self.recount_at
            .get_or_insert_with(|| Instant::now() + RECOUNT);
    }

    fn on_recount(&mut self) {
        self.recount_at = None;
        if !self.counts_told && self.planner.is_settled_in() {
            self.counts_told = true;
            self.on_heartbeat();
        } else {
            self.gauge_counts();
        }
    }

    fn on_heartbeat(&mut self) {
        let (vifs, active, blocked) = self.gauge_counts();
        // A full channel means that the source is busy; the next beat will do.
        let _ = self.source.try_send(Request::Heartbeat(Heartbeat {
            vifs,
            active,
            blocked,
        }));
    }

    /// Counts over all ports and cells: VIFs, ports that are ACTIVE, cells that wait.
    fn gauge_counts(&self) -> (u64, u64, u64) {
        let (vifs, active, blocked) = self.planner.summary();
        self.metrics
            .vifs
            .set(i64::try_from(vifs).unwrap_or(i64::MAX));
        for (need, cells) in self.planner.blocked_by_need() {
            self.metrics.blocked(need, cells);
        }
        for status in [
            PortStatus::Build,
            PortStatus::Active,
            PortStatus::Down,
            PortStatus::Error,
        ] {
            self.metrics
                .ports(status.name(), self.planner.n_ports_with(status));
        }
        self.gauge_firewall();
        (vifs, active, blocked)
    }

    fn gauge_firewall(&self) {
        let metrics = &self.metrics.firewall;
        let kept = self.planner.firewall_counts();
        metrics.ports.set(as_gauge(kept.ports));
        metrics.profiles.set(as_gauge(kept.profiles));
        metrics.conjunctions.set(as_gauge(kept.conjunctions));
        let told = self.planner.desired().set_counts();
        metrics.addresses.set(as_gauge(told.addresses));
        metrics.remotes("group", told.groups);
        metrics.remotes("address_group", told.address_groups);
    }

    /// The next slice of the full pass, if one is under way; `true` if there is more of it.
    fn audit_slice(&mut self) -> bool {
        if !self.planner.is_auditing() {
            return false;
        }
        let slice = self.planner.audit_slice(SLICE);
        if !slice.different.is_empty() {
            let cells = slice.different.iter().take(8);
            let cells: Vec<String> = cells.map(ToString::to_string).collect();
            error!(
                n = slice.different.len(),
                ?cells,
                "audit: cells differ from what they should ask for; corrected"
            );
        }
        if slice.left == 0 {
            debug!("audit done");
        }
        // What was found is to be rendered.
        slice.left > 0 || !slice.different.is_empty()
    }

    fn gauge_connections(&self) {
        let observed = self.planner.observed();
        let flows = self
            .planner
            .config()
            .bridges()
            .iter()
            .filter(|b| self.planner.bridge_online(b))
            .count();
        self.metrics
            .connections(label(&Target::Flows("".into())), flows);
        self.metrics
            .connections(label(&Target::Rows), usize::from(observed.switch_up()));
        self.metrics
            .connections(label(&Target::Nft), usize::from(self.planner.nft_online()));
        self.metrics.connections(
            label(&Target::Links),
            usize::from(observed.links_complete()),
        );
        self.metrics
            .connections(label(&Target::Reports), usize::from(self.source_up.is_ok()));
        let planner = &self.planner;
        let bridges = planner.config().bridges();
        self.metrics.health.set(Ready {
            source: planner.desired().is_complete(),
            switch: observed.switch_up(),
            bridges: bridges
                .into_iter()
                .map(|b| (b.clone(), planner.bridge_online(&b)))
                .collect(),
        });
    }
}
