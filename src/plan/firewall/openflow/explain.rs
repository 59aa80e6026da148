//! What a person is told of a port's groups.

use std::collections::BTreeSet;

use crate::model::{Port, PortId, Remote, RemoteId};
use crate::plan::Planner;
use crate::plan::cell::{CellId, CellState, Facet, Key};
use crate::plan::explain::{Step, StepState, step};
use crate::plan::render::Standing;

impl Planner {
    /// The steps of a filtered port: its groups, then the sets that their rules name.
    pub(in crate::plan) fn explain_groups(&self, id: PortId) -> Vec<Step> {
        let port = self.desired.port(id).filter(|port| port.is_filtered());
        match port.filter(|_| self.filters_by_flows()) {
            Some(port) => vec![self.explain_rules(port), self.explain_sets(port)],
            None => Vec::new(),
        }
    }

    fn explain_rules(&self, port: &Port) -> Step {
        const NAME: &str = "security groups";
        let missing = port
            .groups
            .iter()
            .find(|id| self.desired.group(**id).is_none());
        let names: Vec<String> = port
            .groups
            .iter()
            .map(|id| match self.desired.group(*id) {
                Some(group) => format!("{} ({} rules)", group.name, group.rules.len()),
                None => format!("{id} (not known)"),
            })
            .collect();
        let Some(profile) = self.index.profile(port.id) else {
            return step(NAME, StepState::Waiting, "not placed on a segment yet");
        };
        let kind = if profile.stateful { "" } else { ", stateless" };
        let list = match names.as_slice() {
            [] => "none: nothing passes but what every port may".to_owned(),
            names => names.join(", "),
        };
        let found = self.explain_cell(
            NAME,
            CellId::new(Key::FlowProfile(profile.clone()), Facet::FlowRules),
            &format!("{list}{kind}; profile {profile}"),
        );
        match missing {
            Some(_) if found.state == StepState::Done => step(
                NAME,
                StepState::Waiting,
                format!("{}: waits for the group that is not known", found.detail),
            ),
            _ => found,
        }
    }

    fn explain_sets(&self, port: &Port) -> Step {
        const NAME: &str = "remote sets";
        let groups = port.groups.iter().filter_map(|id| self.desired.group(*id));
        let sets: BTreeSet<RemoteId> = groups
            .flat_map(|group| &group.rules)
            .filter_map(|rule| match rule.remote {
                Remote::Set(set) => Some(set),
                Remote::Any | Remote::Prefix(_) => None,
            })
            .collect();
        for set in &sets {
            let cell = CellId::new(Key::Remote(*set), Facet::FlowSet);
            match self.standing(&cell) {
                Standing::Is(CellState::Settled) => {}
                _ => {
                    let open = self.index.n_open(*set);
                    let found = self.explain_cell(NAME, cell, "");
                    return Step {
                        detail: format!("{}, {open} members on their way", found.detail),
                        ..found
                    };
                }
            }
        }
        let addresses: usize = sets
            .iter()
            .filter_map(|set| self.desired.remote(*set))
            .map(|set| set.len())
            .sum();
        let count = match sets.len() {
            0 => "no rule names one".to_owned(),
            n => format!("{n} with {addresses} addresses"),
        };
        step(NAME, StepState::Done, count)
    }
}
