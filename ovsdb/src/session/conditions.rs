//! Which rows are in view, changed while the monitor runs (`monitor_cond_change`,
//! ovsdb-server(7)). Held by `tests/session_changes.rs` and `tests/server_replica.rs`.

use super::Session;
use super::handshake::{Purpose, monitor_id};
use crate::json::Str;
use crate::monitor::{Method, TableMonitor, change_params};
use crate::uuid::Uuid;
use core::time::Duration;
use std::collections::BTreeSet;

/// Changes of conditions that the server has not confirmed.
#[derive(Debug, Default)]
pub(super) struct ConditionChanges {
    pub(super) in_flight: usize,
    /// Tables that changed while the monitor was being asked for.
    pub(super) waiting: BTreeSet<Str>,
}

impl ConditionChanges {
    pub(super) fn unsettled(&self) -> bool {
        self.in_flight > 0 || !self.waiting.is_empty()
    }
}

impl Session {
    /// Changes which rows are monitored (`monitor_cond_change`); tables not named keep their
    /// conditions. Rows that come into view or leave it are reported as changes.
    pub fn change_conditions(&mut self, tables: &[TableMonitor], now: Duration) {
        for table in tables {
            let monitors = self.config.monitors.iter_mut();
            for monitor in monitors.filter(|m| m.table == table.table) {
                monitor.conditions.clone_from(&table.conditions);
                self.conditions.waiting.insert(table.table.clone());
            }
        }
        let asking = |p: &Purpose| matches!(p, Purpose::Monitor(_));
        if self.active.is_some() {
            self.send_conditions(now);
        } else if !self.purposes.values().any(asking) {
            // The monitor yet to come starts with them, and from nothing.
            self.conditions.waiting.clear();
            self.last_txn = Uuid::ZERO;
        }
    }

    /// Tells the server the conditions that changed since it was last told.
    pub(super) fn send_conditions(&mut self, now: Duration) {
        let waiting = core::mem::take(&mut self.conditions.waiting);
        let mut changed = self.known_monitors();
        changed.retain(|m| waiting.contains(&m.table));
        if changed.is_empty() || self.active.is_none_or(|m| m == Method::Monitor) {
            return;
        }
        self.conditions.in_flight += 1;
        let params = change_params(&monitor_id(), &monitor_id(), &changed);
        self.ask(
            "monitor_cond_change",
            &params,
            Purpose::ConditionChange,
            now,
        );
    }
}
