//! What goes out, and what has to wait: one batch per executor at a time, but for additions to the packet
//! filter, of which a second one waits there.

use std::sync::Arc;

use super::cell::{self, CellId, CellState, Facet};

use super::render::Standing;
use super::{Now, Planner, flows};
use crate::ops::nft::NftBatch;
use crate::ops::row::RowKey;
use crate::ops::{Batch, FlowItem, Items, Target};

/// How long the integration bridge's flows wait for the physical bridges' after a restart of the switch.
const PHYSICAL_FIRST_MS: u64 = 1000;

impl Planner {
    /// When [`Planner::step`] has something to retry, on the caller's monotonic clock in ms.
    pub fn next_deadline(&self) -> Option<u64> {
        let flows = self
            .flows
            .iter()
            .filter(|(bridge, _)| !self.bridge_row_open(bridge))
            .filter_map(|(_, ledger)| ledger.next_retry());
        let others = [
            self.rows.next_retry(),
            self.links.next_retry(),
            self.nft.next_retry(),
            self.reports.next_retry(),
            self.next_barrier(),
        ];
        flows
            .chain(others.into_iter().flatten())
            .chain(self.int_flows_wait())
            .min()
    }

    /// `true` while what vifd wants of the bridge's own row is not applied. `ovs-vswitchd` flushes the flows of a bridge
    /// whose `fail_mode` changes, so none are sent before.
    fn bridge_row_open(&self, bridge: &Arc<str>) -> bool {
        self.applying.contains_key(bridge) || !self.rows.is_settled(&RowKey::Bridge(bridge.clone()))
    }

    /// Until when the integration bridge's flows have to wait. A physical bridge that restarted floods what it is
    /// given, local VLANs and all, until its drop stands again; so that goes first. It has a moment for it: a bridge
    /// that does not answer must not stop the whole host.
    fn int_flows_wait(&self) -> Option<u64> {
        let until = self.int_flows_since? + PHYSICAL_FIRST_MS;
        let open = self.config.bridge_mappings.iter().any(|(physnet, bridge)| {
            let base = CellId::new(cell::Key::Physnet(physnet.clone()), Facet::PhysBase);
            self.observed.port(&self.config.phy_port(bridge)).is_some()
                && self.standing(&base) != Standing::Is(CellState::Settled)
        });
        open.then_some(until)
    }

    fn has_only_entries(&self) -> bool {
        let ledger = self.flows.get(&self.config.integration_bridge);
        ledger.is_some_and(|ledger| ledger.has_only_entries_to_write())
    }

    pub(super) fn take_batches(&mut self, now: Now) -> Vec<Batch> {
        let mut batches = Vec::new();
        let int_waits = self
            .int_flows_wait()
            .is_some_and(|until| now.mono_ms < until);
        if !int_waits {
            self.int_flows_since = None;
        }
        let int_bridge = self.config.integration_bridge.clone();
        let open: Vec<Arc<str>> = self
            .flows
            .keys()
            .filter(|bridge| self.bridge_row_open(bridge))
            .cloned()
            .collect();
        let tunnel_bridge = self.config.tunnel_bridge.clone();
        let vlans = &self.vlans;
        let half_rendered = self.filters_by_flows() && !self.is_dirty.is_empty();
        if self.is_opening && !half_rendered && self.has_only_entries() && self.is_guarded() {
            self.is_opening = false;
        }
        let entries_wait = half_rendered || self.is_opening;
        for (bridge, ledger) in &mut self.flows {
            ledger.let_entries_wait(entries_wait && *bridge == int_bridge);
            if int_waits && *bridge == int_bridge || open.contains(bridge) {
                continue;
            }
            let id = self.next_batch;
            if let Some(items) = ledger.take(id, now.mono_ms) {
                self.next_batch += 1;
                self.stats.flow_batches += 1;
                self.stats.flows += items.len() as u64;
                let is_tunnel = *bridge == tunnel_bridge;
                let is_int = *bridge == int_bridge;
                let items = items
                    .into_iter()
                    .map(|(key, body)| {
                        let gone = is_tunnel && body.is_none();
                        let zone = flows::zone_of(&key).filter(|_| is_int);
                        let is_emptied = |zone: &u16| body.is_none() || vlans.is_unflushed(*zone);
                        FlowItem {
                            zone: zone.filter(is_emptied),
                            learned: gone.then(|| flows::learned_through(&key)).flatten(),
                            key,
                            body,
                        }
                    })
                    .collect();
                batches.push(Batch {
                    target: Target::Flows(bridge.clone()),
                    id,
                    items: Items::Flows(items),
                });
            }
        }
        let int_target = Target::Flows(int_bridge);
        for batch in batches.iter().filter(|batch| batch.target == int_target) {
            if let Items::Flows(items) = &batch.items {
                self.note_flushing(batch.id, items);
            }
        }
        let id = self.next_batch;
        if !self.filter.leaving.is_busy()
            && let Some(items) = self.rows.take(id, now.mono_ms)
        {
            self.next_batch += 1;
            self.leave_with(id, &items);
            self.stats.row_batches += 1;
            self.stats.rows += items.len() as u64;
            batches.push(Batch {
                target: Target::Rows,
                id,
                items: Items::Rows(items),
            });
        }
        let id = self.next_batch;
        if let Some(batch) = self.take_barrier(id, now) {
            self.next_batch += 1;
            self.stats.row_batches += 1;
            batches.push(batch);
        }
        let id = self.next_batch;
        if let Some(items) = self.links.take(id, now.mono_ms) {
            self.next_batch += 1;
            self.stats.link_batches += 1;
            let items = items
                .into_iter()
                .filter_map(|(name, state)| Some((name, state?)))
                .collect();
            batches.push(Batch {
                target: Target::Links,
                id,
                items: Items::Links(items),
            });
        }
        batches.extend(self.take_nft(now));
        let id = self.next_batch;
        batches.extend(self.take_conntrack(id));
        let id = self.next_batch;
        if let Some(items) = self.reports.take(id, now.mono_ms) {
            self.next_batch += 1;
            self.stats.report_batches += 1;
            self.stats.reports += items.len() as u64;
            let items = items.into_iter().filter_map(|(_, report)| report).collect();
            batches.push(Batch {
                target: Target::Reports,
                id,
                items: Items::Reports(items),
            });
        }
        batches
    }

    /// Objects of the packet filter. What changes or goes waits until everything is rendered, so that it changes at once.
    /// After the filter was read, the last batch says that it is complete: what is half restored must not be opened.
    pub(super) fn take_nft(&mut self, now: Now) -> Option<Batch> {
        let id = self.next_batch;
        let is_whole = self.filter.is_settled_in && self.is_dirty.is_empty();
        if !self.nft.has_room() || self.nft_confirming.is_some() {
            return None;
        }
        if !is_whole && !self.nft.has_only_new() {
            return None;
        }
        self.nft.let_entries_wait(!self.is_dirty.is_empty());
        let is_alone = !self.nft.is_busy();
        let items = self.nft.take(id, now.mono_ms).unwrap_or_default();
        let complete = self.nft_to_confirm && is_whole && is_alone && !self.nft.has_more();
        if items.is_empty() && !complete {
            return None;
        }
        if complete {
            self.nft_to_confirm = false;
            self.nft_confirming = Some(id);
        }
        self.next_batch += 1;
        self.stats.nft_batches += u64::from(!items.is_empty());
        self.stats.nft_items += items.len() as u64;
        Some(Batch {
            target: Target::Nft,
            id,
            items: Items::Nft(NftBatch {
                items,
                complete,
                reading: self.nft_reading,
            }),
        })
    }
}
