//! Conntrack zones: one for each local VLAN, with its number.
//!
//! A zone is emptied when its segment has left, and again before a number that is given anew is used: an agent that died
//! between the two, or before the first, leaves connections that must not count for the next segment. A number that the
//! switch remembers of the same segment keeps its connections.

use ofproto::matching::FieldId;
use rustc_hash::FxHashSet;

use crate::ops::{FlowItem, Outcome};
use crate::plan::Planner;
use crate::plan::flows::Flow;
use crate::plan::tables::int;

/// What stands for a zone.
pub(super) fn flow(zone: u16) -> Flow {
    Flow::new(int::ACCEPTED_EGRESS, 2).with(FieldId::REG6, u32::from(zone))
}

impl Planner {
    /// The switch was read: zones that are still to be emptied are, although their flows stand.
    pub(in crate::plan) fn renew_zones(&mut self) {
        if let Some(ledger) = self.flows.get_mut(&self.config.integration_bridge) {
            for zone in self.vlans.unflushed() {
                ledger.renew(&flow(zone).key);
            }
        }
    }

    /// A batch goes out; the zones that are emptied by flows that it writes, by item.
    pub(in crate::plan) fn note_flushing(&mut self, batch: u64, items: &[FlowItem]) {
        let comes = |(at, item): (usize, &FlowItem)| {
            item.zone
                .filter(|_| item.body.is_some())
                .map(|zone| (at, zone))
        };
        self.flushing = (batch, items.iter().enumerate().filter_map(comes).collect());
    }

    /// A batch came back: these zones are empty.
    pub(in crate::plan) fn note_flushed(&mut self, batch: u64, outcome: &Outcome) {
        let Outcome::Done { refused, .. } = outcome else {
            return;
        };
        if self.flushing.0 != batch {
            return;
        }
        let refused: FxHashSet<usize> = refused.iter().map(|(at, _)| *at).collect();
        for (at, zone) in std::mem::take(&mut self.flushing.1) {
            if !refused.contains(&at) {
                self.vlans.flushed(zone);
            }
        }
    }
}
