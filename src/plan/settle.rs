//! What is found on a bridge; and from the first complete snapshot on what nobody asked for goes, each kind when nothing
//! can still need it.

use std::sync::Arc;

use super::{Now, Planner};
use crate::ops::flow::{FlowBody, FlowKey};

impl Planner {
    /// The flows of a bridge were read.
    pub(super) fn on_flows_up(
        &mut self,
        bridge: &Arc<str>,
        flows: Vec<(FlowKey, FlowBody)>,
        now: Now,
    ) {
        let is_integration = *bridge == self.config.integration_bridge;
        if is_integration {
            self.int_flows_since = Some(now.mono_ms);
            self.is_opening = self.filters_by_flows();
        }
        let (ports, flows): (Vec<_>, Vec<_>) = flows
            .into_iter()
            .partition(|(key, _)| key.is_no_flood().is_some());
        if let Some(ledger) = self.flows.get_mut(bridge) {
            ledger.go_online_with(flows);
        }
        if is_integration {
            self.found_unflooded(ports);
            self.renew_zones();
        }
    }

    /// After the first complete snapshot and one full pass, what nobody asked for may go.
    pub(super) fn settle_in(&mut self) {
        if self.settled_in {
            self.let_go();
            return;
        }
        let known = self.desired.is_complete()
            && self.observed.switch_complete()
            && self.observed.links_complete();
        if !known {
            return;
        }
        if !self.filter.is_settled_in {
            self.filter.is_settled_in = true;
            self.filter_settles_in();
            self.let_found_go();
        }
        if !self.unclaimed.is_empty() {
            for ledger in self.flows.values_mut() {
                ledger.allow_drops();
            }
            return;
        }
        self.settled_in = true;
        let int_bridge = self.config.integration_bridge.clone();
        for (_, ledger) in self
            .flows
            .iter_mut()
            .filter(|(bridge, _)| **bridge != int_bridge)
        {
            ledger.allow_deletes();
        }
        self.rows.allow_deletes();
        self.links.allow_deletes();
        self.reports.allow_deletes();
        self.let_go();
    }

    /// What was found on the integration bridge goes when no VIF is left on a network that nobody wants there: it may be
    /// what keeps others away from that one. So do the numbers that the switch remembers.
    fn let_go(&mut self) {
        if self.let_go || self.filters_by_flows() && self.has_strays() {
            return;
        }
        self.let_go = true;
        self.vlans.drop_hints();
        if let Some(ledger) = self.flows.get_mut(&self.config.integration_bridge) {
            ledger.allow_deletes();
        }
    }
}
