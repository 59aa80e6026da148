//! What the planner shows of itself: counts for metrics, and cells for people.

use std::collections::BTreeMap;

use super::cell::{CellId, CellState, Need};
use super::firewall::Counts;
use super::ledger::Ledger;
use super::{ItemKey, Planner};
use crate::model::{FirewallDriver, PortStatus};

/// One cell, as shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CellView {
    /// Which.
    pub id: CellId,
    /// Where it stands with its executor.
    pub state: CellState,
    /// What it waits for.
    pub need: Option<Need>,
    /// What it asks for, as text.
    pub items: Vec<String>,
    /// Attempts and reason of the worst refusal.
    pub refused: Option<(u32, String)>,
}

impl Planner {
    /// `true` while some cell cannot have a key because another cell holds it.
    pub fn has_conflicts(&self) -> bool {
        self.cells
            .values()
            .any(|cell| matches!(cell.need, Some(Need::Conflict(_))))
    }

    /// VIFs on the integration bridge, ports reported active, and cells that wait.
    pub fn summary(&self) -> (u64, u64, u64) {
        let bridge = &self.config.integration_bridge;
        let vifs = self
            .observed
            .ports()
            .filter(|p| p.bridge == *bridge && p.iface_id.is_some())
            .count();
        let active = self.n_ports_with(PortStatus::Active);
        let blocked = self.cells.values().filter(|c| c.need.is_some()).count();
        (vifs as u64, active as u64, blocked as u64)
    }

    /// Ports bound to this host with that status, as last reported or as the control plane shows it.
    pub fn n_ports_with(&self, status: PortStatus) -> usize {
        self.desired
            .ports()
            .filter(|port| {
                self.reports
                    .want(&port.id)
                    .map_or(port.status, |report| report.status)
                    == status
            })
            .count()
    }

    /// How many cells wait, by kind of need.
    pub fn blocked_by_need(&self) -> BTreeMap<&'static str, usize> {
        let mut counts: BTreeMap<&'static str, usize> =
            Need::KINDS.iter().map(|kind| (*kind, 0)).collect();
        for need in self.cells.values().filter_map(|c| c.need.as_ref()) {
            *counts.entry(need.kind()).or_default() += 1;
        }
        counts
    }

    /// How much the firewall driver keeps.
    pub fn firewall_counts(&self) -> Counts {
        match self.config.firewall {
            FirewallDriver::Noop => Counts::default(),
            FirewallDriver::OpenFlow => self.index.counts(),
            FirewallDriver::Nft => self.filter.numbers.counts(),
        }
    }

    /// Cells that ask for nothing any more while what they asked for is still being removed.
    pub fn n_leaving(&self) -> usize {
        let flows = self.flows.values().flat_map(Ledger::unsettled_cells);
        let others = self
            .rows
            .unsettled_cells()
            .chain(self.links.unsettled_cells())
            .chain(self.nft.unsettled_cells());
        flows
            .chain(others)
            .filter(|id| !self.cells.contains_key(id))
            .count()
    }

    /// Every cell, in order.
    pub fn cells(&self) -> Vec<CellView> {
        let mut ids: Vec<&CellId> = self.cells.keys().collect();
        ids.sort_unstable();
        ids.into_iter().filter_map(|id| self.cell(id)).collect()
    }

    /// One cell.
    pub fn cell(&self, id: &CellId) -> Option<CellView> {
        let cell = self.cells.get(id)?;
        Some(CellView {
            id: id.clone(),
            state: self.ledger_state(id),
            need: cell.need.clone(),
            items: cell.keys.iter().map(|key| self.item_text(key)).collect(),
            refused: cell
                .keys
                .iter()
                .filter_map(|key| self.refusal(key))
                .max_by_key(|(attempts, _)| *attempts)
                .map(|(attempts, reason)| (attempts, reason.to_owned())),
        })
    }

    fn refusal(&self, key: &ItemKey) -> Option<(u32, &str)> {
        let failure = match key {
            ItemKey::Flow(bridge, key) => self
                .flows
                .get(bridge)
                .and_then(|ledger| ledger.failure(key)),
            ItemKey::Row(key) => self.rows.failure(key),
            ItemKey::Link(name) => self.links.failure(name),
            ItemKey::Nft(key) => self.nft.failure(key),
            ItemKey::Report(port) => self.reports.failure(port),
        };
        failure.map(|(attempts, reason)| (attempts, &**reason))
    }

    fn item_text(&self, key: &ItemKey) -> String {
        match key {
            ItemKey::Flow(bridge, key) => {
                match self.flows.get(bridge).and_then(|ledger| ledger.want(key)) {
                    Some(body) => format!("{bridge}: {}", super::flows::text(key, body)),
                    None => format!("{bridge}: {key:?}"),
                }
            }
            ItemKey::Row(key) => match Ledger::want(&self.rows, key) {
                Some(row) => super::text::row(key, row),
                None => format!("{key:?}"),
            },
            ItemKey::Link(name) => match self.links.want(name) {
                Some(state) => super::text::link(name, state),
                None => format!("device {name}"),
            },
            ItemKey::Nft(key) => super::text::nft(key, self.nft.want(key)),
            ItemKey::Report(port) => match self.reports.want(port) {
                Some(report) => match &report.reason {
                    Some(reason) => format!("report {}: {reason}", report.status.name()),
                    None => format!("report {}", report.status.name()),
                },
                None => format!("report {port}"),
            },
        }
    }
}
