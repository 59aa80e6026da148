//! Starts the executors and hands them their batches.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;
use tracing::{debug, info};

use crate::config::Config;
use crate::exec::{conntrack, nft, openflow, ovsdb, rtnl};
use crate::model::FirewallDriver;
use crate::model::{PortId, PortStatus};
use crate::ops::{Batch, ExecEvent, Items, Outcome, Target};
use crate::source::db::Request;
use crate::telemetry::{Executor, Metrics};

/// A batch under way.
struct InFlight {
    target: Target,
    since: Instant,
    /// Reports only: the ports in the order of the batch, and what is told of them.
    ports: Vec<(PortId, PortStatus)>,
}

/// Every executor, by target.
pub struct Executors {
    senders: BTreeMap<Target, mpsc::Sender<Batch>>,
    reports: mpsc::Sender<Request>,
    in_flight: BTreeMap<u64, InFlight>,
    metrics: Arc<Metrics>,
}

/// The metric label of a target.
pub fn label(target: &Target) -> Executor {
    match target {
        Target::Flows(_) => Executor::Flows,
        Target::Rows => Executor::Rows,
        Target::Links => Executor::Links,
        Target::Nft => Executor::Nft,
        Target::Conntrack => Executor::Conntrack,
        Target::Reports => Executor::Reports,
    }
}

impl Executors {
    /// Starts one per bridge, one for rows and one for devices; reports go to the source.
    pub fn start(
        config: &Config,
        bridges: &[Arc<str>],
        reports: mpsc::Sender<Request>,
        events: &mpsc::Sender<ExecEvent>,
        metrics: Arc<Metrics>,
    ) -> Executors {
        let mut senders = BTreeMap::new();
        for bridge in bridges {
            let settings = openflow::Settings {
                run_dir: config.ovs.ovs_rundir.clone(),
                bridge: bridge.clone(),
                timeout: config.ovs.of_request_timeout,
            };
            let sender = openflow::spawn(settings, events.clone(), metrics.traffic.clone());
            senders.insert(Target::Flows(bridge.clone()), sender);
        }
        let settings = ovsdb::Settings {
            connection: config.ovs.ovsdb_connection.to_string(),
            tls: config.ovs.tls.as_ref().map(|tls| ::ovsdb::net::TlsConfig {
                ca_cert: tls.ca.clone(),
                certificate: tls.cert.clone(),
                private_key: tls.key.clone(),
                check_name: false,
            }),
            timeout: config.ovs.ovsdb_timeout,
            integration_bridge: config.ovs.integration_bridge.clone(),
            host: config.host.clone(),
        };
        senders.insert(
            Target::Rows,
            ovsdb::spawn(settings, events.clone(), metrics.traffic.clone()),
        );
        senders.insert(Target::Links, rtnl::spawn(events.clone()));
        if config.firewall == FirewallDriver::Nft {
            let settings = nft::Settings {
                own: config.own_tables,
                ..nft::Settings::default()
            };
            let sender = nft::spawn(settings, events.clone(), metrics.packet_filter.clone());
            senders.insert(Target::Nft, sender);
            let sender = conntrack::spawn(events.clone(), metrics.packet_filter.clone());
            senders.insert(Target::Conntrack, sender);
        }
        Executors {
            senders,
            reports,
            in_flight: BTreeMap::new(),
            metrics,
        }
    }

    /// Hands a batch out. `Some` is the outcome if that is known at once: the executor is not there.
    pub fn submit(&mut self, batch: Batch) -> Option<ExecEvent> {
        let (target, id) = (batch.target.clone(), batch.id);
        let ports = match &batch.items {
            Items::Reports(reports) => reports.iter().map(|r| (r.port, r.status)).collect(),
            _ => Vec::new(),
        };
        debug!(target = ?target, batch = id, items = batch.items.len(), "batch out");
        self.metrics.batch_sent(label(&target), batch.items.len());
        let sent = match batch.items {
            Items::Reports(reports) => self
                .reports
                .try_send(Request::Report { batch: id, reports })
                .is_ok(),
            items => self.senders.get(&target).is_some_and(|sender| {
                sender
                    .try_send(Batch {
                        target: target.clone(),
                        id,
                        items,
                    })
                    .is_ok()
            }),
        };
        if !sent {
            let outcome = Outcome::Lost {
                reason: "the executor takes nothing".into(),
            };
            return Some(ExecEvent::Finished {
                target,
                id,
                outcome,
            });
        }
        self.in_flight.insert(
            id,
            InFlight {
                target,
                since: Instant::now(),
                ports,
            },
        );
        None
    }

    /// Books a batch that came back.
    pub fn finished(&mut self, id: u64, outcome: &Outcome) {
        if let Some(batch) = self.in_flight.remove(&id) {
            let refused = match outcome {
                Outcome::Done { refused, .. } => refused.len(),
                Outcome::Rejected { .. } => 1,
                Outcome::Lost { .. } => 0,
            };
            if matches!(outcome, Outcome::Done { .. }) && !batch.ports.is_empty() {
                let of = |status| batch.ports.iter().filter(|(_, s)| *s == status).count();
                info!(
                    active = of(PortStatus::Active),
                    down = of(PortStatus::Down),
                    error = of(PortStatus::Error),
                    refused,
                    "status of ports written"
                );
            }
            self.metrics
                .batch_finished(label(&batch.target), batch.since.elapsed(), refused);
        }
    }

    /// The outcome of a report batch from the source's answer per port.
    pub fn reported(&self, id: u64, results: &[(PortId, Result<(), String>)]) -> Outcome {
        let order = self
            .in_flight
            .get(&id)
            .map_or(&[][..], |batch| &batch.ports);
        let refused = results
            .iter()
            .filter_map(|(port, result)| {
                let reason = result.as_ref().err()?;
                let at = order.iter().position(|(p, _)| p == port)?;
                Some((at, Arc::from(reason.as_str())))
            })
            .collect();
        Outcome::Done {
            refused,
            next_cfg: None,
        }
    }

    /// How many batches are under way.
    pub fn n_in_flight(&self) -> usize {
        self.in_flight.len()
    }
}
