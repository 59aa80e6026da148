//! The metric registry. Every name begins with `vifd_` and ends with its unit.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::firewall::Firewall;
use super::health::Health;

/// The kinds of executors.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Executor {
    /// Flows, of all bridges.
    Flows,
    /// Rows of the switch's database.
    Rows,
    /// Devices of the host.
    Links,
    /// The packet filter.
    Nft,
    /// Tracked connections.
    Conntrack,
    /// Reports to the control plane.
    Reports,
}

impl Executor {
    /// All of them.
    pub const ALL: [Executor; 6] = [
        Executor::Flows,
        Executor::Rows,
        Executor::Links,
        Executor::Nft,
        Executor::Conntrack,
        Executor::Reports,
    ];

    /// The label's value.
    pub fn name(self) -> &'static str {
        match self {
            Executor::Flows => "flows",
            Executor::Rows => "rows",
            Executor::Links => "links",
            Executor::Nft => "nft",
            Executor::Conntrack => "conntrack",
            Executor::Reports => "reports",
        }
    }
}

impl EncodeLabelValue for Executor {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.name().encode(encoder)
    }
}

/// Label `executor`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct OfExecutor {
    executor: Executor,
}

/// Label `kind`: a word from the program, never from outside.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(super) struct OfKind {
    pub kind: &'static str,
}

/// Label `need`: what a cell waits for.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct OfNeed {
    need: &'static str,
}

/// Label `status` of a port.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct OfStatus {
    status: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Build {
    version: &'static str,
}

/// What goes to the switch on the wire.
#[derive(Clone, Debug, Default)]
pub struct SwitchTraffic {
    /// Transactions sent to ovsdb-server.
    pub ovsdb_transactions: Counter,
    /// Barriers sent to `ovs-vswitchd`.
    pub openflow_barriers: Counter,
    /// Flow modifications sent to `ovs-vswitchd`.
    pub flows_sent: Counter,
}

/// What befalls vifd's tables in the kernel.
#[derive(Clone, Debug)]
pub struct PacketFilter {
    /// Times that somebody else changed or removed vifd's tables.
    pub foreign_changes: Counter,
    /// From the notice of such a change until no filtered port had any traffic: the time in which filters were open.
    pub exposed_seconds: Histogram,
    /// From the notice of such a change until everything stood again.
    pub restored_seconds: Histogram,
    /// Connections cut because rules no longer allow them.
    pub connections_cut: Counter,
}

impl Default for PacketFilter {
    fn default() -> Self {
        PacketFilter {
            foreign_changes: Counter::default(),
            exposed_seconds: Histogram::new(EXPOSED_SECONDS),
            restored_seconds: Histogram::new(BATCH_SECONDS),
            connections_cut: Counter::default(),
        }
    }
}

/// Every metric, and the health that stands beside them. Cloning a metric's handle is cheap; one `Metrics` exists.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    events: Family<OfKind, Counter>,
    /// Cells rendered.
    pub cells_rendered: Counter,
    items_sent: Family<OfExecutor, Counter>,
    items_refused: Family<OfExecutor, Counter>,
    batches: Family<OfExecutor, Counter>,
    batch_seconds: Family<OfExecutor, Histogram>,
    resyncs: Family<OfExecutor, Counter>,
    executor_up: Family<OfExecutor, Gauge>,
    cells_blocked: Family<OfNeed, Gauge>,
    ports_by_status: Family<OfStatus, Gauge>,
    /// VIFs on the integration bridge.
    pub vifs: Gauge,
    /// 1 while the control plane answers.
    pub source_up: Gauge,
    /// Seconds of the planner's own work.
    pub planner_seconds: Counter<f64, AtomicU64>,
    /// Reports that reached the control plane.
    pub reports: Counter,
    /// What goes to the switch.
    pub traffic: SwitchTraffic,
    /// What befalls the packet filter.
    pub packet_filter: PacketFilter,
    /// What the firewall driver keeps.
    pub firewall: Firewall,
    /// Readiness.
    pub health: Health,
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics::new()
    }
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Metrics {
        let mut metrics = Metrics {
            registry: Registry::with_prefix("vifd"),
            events: Family::default(),
            cells_rendered: Counter::default(),
            items_sent: Family::default(),
            items_refused: Family::default(),
            batches: Family::default(),
            batch_seconds: Family::new_with_constructor(|| Histogram::new(BATCH_SECONDS)),
            resyncs: Family::default(),
            executor_up: Family::default(),
            cells_blocked: Family::default(),
            ports_by_status: Family::default(),
            vifs: Gauge::default(),
            source_up: Gauge::default(),
            planner_seconds: Counter::default(),
            reports: Counter::default(),
            traffic: SwitchTraffic::default(),
            packet_filter: PacketFilter::default(),
            firewall: Firewall::default(),
            health: Health::default(),
        };
        metrics.register();
        metrics
    }

    /// The agent's loop took an event; `kind` is a word of the program.
    pub fn event(&self, kind: &'static str) {
        self.events.get_or_create(&OfKind { kind }).inc();
    }

    /// A batch of that many items went out.
    pub fn batch_sent(&self, executor: Executor, items: usize) {
        let label = OfExecutor { executor };
        self.batches.get_or_create(&label).inc();
        self.items_sent.get_or_create(&label).inc_by(items as u64);
    }

    /// A batch came back after that time, with that many items refused.
    pub fn batch_finished(&self, executor: Executor, took: Duration, refused: usize) {
        let label = OfExecutor { executor };
        self.batch_seconds
            .get_or_create(&label)
            .observe(took.as_secs_f64());
        self.items_refused
            .get_or_create(&label)
            .inc_by(refused as u64);
    }

    /// An executor told anew what stands.
    pub fn resync(&self, executor: Executor) {
        self.resyncs.get_or_create(&OfExecutor { executor }).inc();
    }

    /// So many connections of an executor are up.
    pub fn connections(&self, executor: Executor, up: usize) {
        self.executor_up
            .get_or_create(&OfExecutor { executor })
            .set(as_gauge(up));
    }

    /// So many cells wait for a thing of that kind; `need` is a word of the program.
    pub fn blocked(&self, need: &'static str, cells: usize) {
        self.cells_blocked
            .get_or_create(&OfNeed { need })
            .set(as_gauge(cells));
    }

    /// So many ports have that status; `status` is a word of the program.
    pub fn ports(&self, status: &'static str, ports: usize) {
        self.ports_by_status
            .get_or_create(&OfStatus { status })
            .set(as_gauge(ports));
    }

    /// The text that `/metrics` answers.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    fn register(&mut self) {
        let r = &mut self.registry;
        r.register(
            "build",
            "The version that runs",
            Info::new(Build {
                version: env!("CARGO_PKG_VERSION"),
            }),
        );
        r.register(
            "events",
            "Events that the agent's loop took, by kind",
            self.events.clone(),
        );
        r.register(
            "cells_rendered",
            "Cells that the planner rendered",
            self.cells_rendered.clone(),
        );
        r.register(
            "items_sent",
            "Items sent to executors: flows, rows, devices, reports",
            self.items_sent.clone(),
        );
        r.register(
            "items_refused",
            "Items that an executor refused",
            self.items_refused.clone(),
        );
        r.register("batches", "Batches sent to executors", self.batches.clone());
        r.register_with_unit(
            "batch_duration",
            "From sending a batch to its outcome",
            Unit::Seconds,
            self.batch_seconds.clone(),
        );
        r.register(
            "resyncs",
            "Times that an executor told anew what stands",
            self.resyncs.clone(),
        );
        r.register(
            "executor_up",
            "Connections of an executor that are up",
            self.executor_up.clone(),
        );
        r.register(
            "cells_blocked",
            "Cells that wait, by what they wait for",
            self.cells_blocked.clone(),
        );
        r.register(
            "ports",
            "Ports bound to this host, by status",
            self.ports_by_status.clone(),
        );
        r.register(
            "vifs",
            "VIFs present on the integration bridge",
            self.vifs.clone(),
        );
        r.register(
            "source_up",
            "1 while the control plane answers",
            self.source_up.clone(),
        );
        r.register_with_unit(
            "planner",
            "Time that the planner worked",
            Unit::Seconds,
            self.planner_seconds.clone(),
        );
        r.register(
            "reports",
            "Port reports that reached the control plane",
            self.reports.clone(),
        );
        r.register(
            "ovsdb_transactions",
            "Transactions sent to ovsdb-server",
            self.traffic.ovsdb_transactions.clone(),
        );
        r.register(
            "openflow_barriers",
            "Barriers sent to ovs-vswitchd",
            self.traffic.openflow_barriers.clone(),
        );
        r.register(
            "flows_sent",
            "Flow modifications sent to ovs-vswitchd",
            self.traffic.flows_sent.clone(),
        );
        let filter = self.packet_filter.clone();
        let r = &mut self.registry;
        r.register(
            "nft_foreign_changes",
            "Times that somebody else changed or removed vifd's tables",
            filter.foreign_changes,
        );
        r.register_with_unit(
            "nft_exposed",
            "From the notice of a foreign change until filtered ports were closed",
            Unit::Seconds,
            filter.exposed_seconds,
        );
        r.register_with_unit(
            "nft_restored",
            "From the notice of a foreign change until everything stood again",
            Unit::Seconds,
            filter.restored_seconds,
        );
        r.register(
            "connections_cut",
            "Connections cut because rules no longer allow them",
            filter.connections_cut,
        );
        self.firewall.register(r);
        for executor in Executor::ALL {
            // Shown from the start, at zero.
            drop(self.items_sent.get_or_create(&OfExecutor { executor }));
            drop(self.batches.get_or_create(&OfExecutor { executor }));
            self.connections(executor, 0);
        }
    }
}

/// A count as a gauge takes it.
pub fn as_gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Upper bounds of the batch histogram: a batch of one takes about a millisecond, a full one on a large switch seconds.
const BATCH_SECONDS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0,
];

/// Upper bounds of the exposure: closing takes one small transaction.
const EXPOSED_SECONDS: [f64; 9] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.1, 1.0,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_shown_with_its_name_and_help() {
        let metrics = Metrics::new();
        metrics.event("facts");
        metrics.batch_sent(Executor::Rows, 5);
        metrics.batch_finished(Executor::Rows, Duration::from_millis(4), 1);
        metrics.resync(Executor::Links);
        metrics.blocked("ofport", 2);
        metrics.ports("ACTIVE", 7);
        metrics.connections(Executor::Flows, 2);
        metrics.traffic.clone().flows_sent.inc_by(40);
        metrics.firewall.profiles.set(3);
        metrics.firewall.remotes("group", 5);
        let text = metrics.text();
        for line in [
            "vifd_events_total{kind=\"facts\"} 1",
            "vifd_items_sent_total{executor=\"rows\"} 5",
            "vifd_items_refused_total{executor=\"rows\"} 1",
            "vifd_batches_total{executor=\"rows\"} 1",
            "vifd_resyncs_total{executor=\"links\"} 1",
            "vifd_batch_duration_seconds_bucket{le=\"0.005\",executor=\"rows\"} 1",
            "vifd_batch_duration_seconds_bucket{le=\"0.0025\",executor=\"rows\"} 0",
            "vifd_cells_blocked{need=\"ofport\"} 2",
            "vifd_ports{status=\"ACTIVE\"} 7",
            "vifd_executor_up{executor=\"flows\"} 2",
            "vifd_executor_up{executor=\"rows\"} 0",
            "vifd_flows_sent_total 40",
            "vifd_cells_rendered_total 0",
            "vifd_firewall_ports 0",
            "vifd_firewall_profiles 3",
            "vifd_firewall_remotes{kind=\"group\"} 5",
            "vifd_firewall_remotes{kind=\"address_group\"} 0",
            "vifd_firewall_addresses 0",
            "vifd_firewall_conjunctions 0",
            "# EOF",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
        let (helps, types) = (
            text.matches("# HELP ").count(),
            text.matches("# TYPE ").count(),
        );
        assert_eq!(helps, types, "{text}");
        assert!(
            text.lines()
                .filter(|l| !l.starts_with('#'))
                .all(|l| l.starts_with("vifd_")),
            "{text}"
        );
    }
}
