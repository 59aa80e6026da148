//! Why is this port not ACTIVE: every step of its wiring in order, done or not, and what it waits for.

use std::fmt;
use std::sync::Arc;

use super::Planner;
use super::cell::{CellId, CellState, Facet, Key, Need};
use super::render::Standing;
use crate::model::observed::OfportState;
use crate::model::{PortFact, PortId, PortStatus};

/// How far a step is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StepState {
    /// It is done.
    Done,
    /// It waits, or has not been reached.
    Waiting,
    /// It was tried and refused, or cannot be done as things are.
    Failed,
}

impl fmt::Display for StepState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StepState::Done => "done",
            StepState::Waiting => "waiting",
            StepState::Failed => "failed",
        })
    }
}

/// One step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// Its name.
    pub name: &'static str,
    /// How far it is.
    pub state: StepState,
    /// What was found, or what is missing and what to do.
    pub detail: String,
}

/// The whole story of one port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explanation {
    /// The steps in order.
    pub steps: Vec<Step>,
    /// In one line: ACTIVE, or the first thing that is missing.
    pub verdict: String,
}

pub(super) fn step(name: &'static str, state: StepState, detail: impl Into<String>) -> Step {
    Step {
        name,
        state,
        detail: detail.into(),
    }
}

impl Planner {
    /// The story of a port, known or not.
    pub fn explain(&self, id: PortId) -> Explanation {
        let mut steps = vec![self.explain_known(id)];
        let vif = self.observed().vif(id, &self.config().integration_bridge);
        steps.push(self.explain_vif(id, vif));
        steps.push(explain_ofport(vif));
        steps.push(self.explain_vlan(id));
        steps.push(self.explain_segment(id));
        steps.extend(self.explain_groups(id));
        steps.push(self.explain_cell(
            "guard flows",
            CellId::new(Key::Port(id), Facet::Guard),
            "acknowledged by the switch",
        ));
        if self.filters_by_nft() && self.desired().port(id).is_some_and(|p| p.is_filtered()) {
            steps.push(self.explain_filter(id));
        }
        steps.push(self.explain_tag(vif));
        steps.push(self.explain_applied(vif));
        steps.push(self.explain_report(id));
        let open = steps.iter().find(|s| s.state == StepState::Failed);
        let open = open.or_else(|| steps.iter().find(|s| s.state != StepState::Done));
        let verdict = match open {
            None => "ACTIVE: wired and reported".to_owned(),
            Some(step) => format!("{} {}: {}", step.name, step.state, step.detail),
        };
        Explanation { steps, verdict }
    }

    fn explain_known(&self, id: PortId) -> Step {
        const NAME: &str = "control plane";
        let Some(port) = self.desired().port(id) else {
            let need = if self.desired().is_complete() {
                Need::Known
            } else {
                Need::Snapshot
            };
            return step(NAME, StepState::Waiting, need.to_string());
        };
        if let Some(why) = &port.unusable {
            return step(NAME, StepState::Failed, why.to_string());
        }
        let Some(network) = self.desired().network(port.network) else {
            return step(
                NAME,
                StepState::Waiting,
                Need::Network(port.network).to_string(),
            );
        };
        if !port.admin_up || !network.admin_up {
            return step(NAME, StepState::Waiting, Need::AdminUp.to_string());
        }
        step(
            NAME,
            StepState::Done,
            format!("bound to this host, network {}", network.name),
        )
    }

    fn explain_vif(&self, id: PortId, vif: Option<&PortFact>) -> Step {
        const NAME: &str = "VIF";
        match vif {
            Some(vif) => {
                let bridge = &self.config().integration_bridge;
                let others: Vec<&str> = self
                    .observed()
                    .vifs(id, bridge)
                    .map(|p| &*p.name)
                    .filter(|n| *n != &*vif.name)
                    .collect();
                let also = match others.as_slice() {
                    [] => String::new(),
                    others => format!(
                        "; {} carries the same iface-id and stays on the dead VLAN",
                        others.join(", ")
                    ),
                };
                step(
                    NAME,
                    StepState::Done,
                    format!("{} on {}{also}", vif.name, vif.bridge),
                )
            }
            None => {
                let elsewhere = self.observed().ports().find(|p| p.iface_id == Some(id));
                match elsewhere {
                    Some(p) => step(
                        NAME,
                        StepState::Waiting,
                        format!(
                            "{} is on bridge {}, not on {}",
                            p.name,
                            p.bridge,
                            self.config().integration_bridge
                        ),
                    ),
                    None => step(NAME, StepState::Waiting, Need::Vif.to_string()),
                }
            }
        }
    }

    fn explain_vlan(&self, id: PortId) -> Step {
        const NAME: &str = "local VLAN";
        match self.attachments.get(&id) {
            None => step(NAME, StepState::Waiting, "not placed on a segment yet"),
            Some(attachment) => match self.vlans().of(attachment.segment) {
                Some(vlan) => step(NAME, StepState::Done, format!("{vlan}")),
                None => step(NAME, StepState::Failed, Need::LocalVlan.to_string()),
            },
        }
    }

    fn explain_segment(&self, id: PortId) -> Step {
        const NAME: &str = "segment flows";
        let Some(attachment) = self.attachments.get(&id) else {
            let why = self
                .cells
                .get(&CellId::new(Key::Port(id), Facet::Report))
                .and_then(|c| c.need.as_ref());
            return match why {
                Some(need @ Need::Segment(_)) => step(NAME, StepState::Failed, need.to_string()),
                _ => step(NAME, StepState::Waiting, "not placed on a segment yet"),
            };
        };
        for facet in [Facet::SegInt, Facet::SegPhys, Facet::SegTun] {
            let found = self.explain_cell(
                NAME,
                CellId::new(Key::Segment(attachment.segment), facet),
                "",
            );
            if found.state != StepState::Done {
                return found;
            }
        }
        let kind = self
            .desired()
            .network(attachment.segment.network)
            .and_then(|n| {
                n.segments
                    .iter()
                    .find(|s| s.id == attachment.segment.segment)
                    .map(|s| {
                        let id = s
                            .network_type
                            .segmentation_id()
                            .map(|id| format!(" {id}"))
                            .unwrap_or_default();
                        format!("{}{id}", s.network_type.name())
                    })
            });
        step(NAME, StepState::Done, kind.unwrap_or_default())
    }

    pub(super) fn explain_cell(&self, name: &'static str, cell: CellId, done: &str) -> Step {
        match self.standing(&cell) {
            Standing::Is(CellState::Settled) => {
                if self.cells.contains_key(&cell) || cell.facet != Facet::Guard {
                    step(name, StepState::Done, done)
                } else {
                    step(name, StepState::Waiting, "not asked for yet")
                }
            }
            Standing::Is(CellState::Pending) => step(
                name,
                StepState::Waiting,
                format!("«{cell}» is on its way to the switch"),
            ),
            Standing::Is(CellState::Failed(why)) => step(
                name,
                StepState::Failed,
                format!("the switch refused «{cell}»: {why}"),
            ),
            Standing::Waits(
                need @ (Need::Bridge(_)
                | Need::OfportFailed(..)
                | Need::Conflict(_)
                | Need::Unfilterable(_)),
            ) => step(name, StepState::Failed, need.to_string()),
            Standing::Waits(need) => step(name, StepState::Waiting, need.to_string()),
        }
    }

    fn explain_filter(&self, id: PortId) -> Step {
        const NAME: &str = "packet filter";
        let numbers = &self.filter.numbers;
        let mut cells = vec![CellId::new(Key::Host, Facet::FilterBase)];
        cells.extend(
            numbers
                .profile_number(id)
                .map(|n| CellId::new(Key::Profile(n), Facet::FilterRules)),
        );
        cells.push(CellId::new(Key::Port(id), Facet::Filter));
        for cell in cells {
            let found = self.explain_cell(NAME, cell, "");
            if found.state != StepState::Done {
                return found;
            }
        }
        match (numbers.profile_number(id), numbers.zone(id)) {
            (Some(profile), Some(zone)) => step(
                NAME,
                StepState::Done,
                format!("profile {profile}, zone {zone}"),
            ),
            _ => step(NAME, StepState::Waiting, "not asked for yet"),
        }
    }

    fn explain_tag(&self, vif: Option<&PortFact>) -> Step {
        const NAME: &str = "tag";
        let Some(vif) = vif else {
            return step(NAME, StepState::Waiting, "no VIF to tag");
        };
        let found = self.explain_cell(
            NAME,
            CellId::new(Key::Vif(vif.name.clone()), Facet::Tag),
            "",
        );
        match (found.state, vif.tag) {
            (StepState::Done, Some(tag)) => step(NAME, StepState::Done, format!("{tag}")),
            (_, Some(tag)) => Step {
                detail: format!("{} (now {tag})", found.detail),
                ..found
            },
            _ => found,
        }
    }

    fn explain_applied(&self, vif: Option<&PortFact>) -> Step {
        const NAME: &str = "applied by ovs-vswitchd";
        match vif.and_then(|vif| self.applying.get(&vif.name)) {
            Some(cfg) => {
                let now = self.observed().cur_cfg();
                step(
                    NAME,
                    StepState::Waiting,
                    format!("waits for cur_cfg {cfg}, is {now}: is ovs-vswitchd running?"),
                )
            }
            None => match vif {
                Some(vif)
                    if vif
                        .tag
                        .is_some_and(|tag| tag != crate::model::LocalVlan::DEAD) =>
                {
                    step(
                        NAME,
                        StepState::Done,
                        format!("cur_cfg {}", self.observed().cur_cfg()),
                    )
                }
                _ => step(NAME, StepState::Waiting, "no tag to apply yet"),
            },
        }
    }

    fn explain_report(&self, id: PortId) -> Step {
        const NAME: &str = "status";
        let cell = CellId::new(Key::Port(id), Facet::Report);
        match (self.reports.want(&id), self.standing(&cell)) {
            (Some(report), Standing::Is(CellState::Settled))
                if report.status == PortStatus::Active =>
            {
                step(NAME, StepState::Done, "ACTIVE")
            }
            (Some(report), _) if !self.reports.is_online() => step(
                NAME,
                StepState::Waiting,
                format!(
                    "{} waits for the control plane to come back",
                    report.status.name()
                ),
            ),
            (Some(report), Standing::Is(CellState::Failed(why))) => step(
                NAME,
                StepState::Failed,
                format!(
                    "{} was refused by the control plane: {why}",
                    report.status.name()
                ),
            ),
            (Some(report), Standing::Is(CellState::Settled))
                if report.status == PortStatus::Error =>
            {
                let reason = report.reason.as_deref().unwrap_or("without a reason");
                step(
                    NAME,
                    StepState::Failed,
                    format!("ERROR, reported: {reason}"),
                )
            }
            (Some(report), _) => {
                let reason: Arc<str> = report
                    .reason
                    .clone()
                    .unwrap_or_else(|| Arc::from("on its way"));
                step(
                    NAME,
                    StepState::Waiting,
                    format!("{}: {reason}", report.status.name()),
                )
            }
            (None, _) => step(NAME, StepState::Waiting, "nothing reported yet"),
        }
    }
}

fn explain_ofport(vif: Option<&PortFact>) -> Step {
    const NAME: &str = "OpenFlow port";
    match vif.map(|vif| (vif, vif.ofport)) {
        None => step(NAME, StepState::Waiting, "no VIF yet"),
        Some((_, OfportState::Assigned(number))) => {
            step(NAME, StepState::Done, format!("{number}"))
        }
        Some((vif, OfportState::Unassigned)) => step(
            NAME,
            StepState::Waiting,
            Need::Ofport(vif.name.clone()).to_string(),
        ),
        Some((vif, OfportState::Failed)) => step(
            NAME,
            StepState::Failed,
            Need::OfportFailed(vif.name.clone(), vif.error.clone()).to_string(),
        ),
    }
}
