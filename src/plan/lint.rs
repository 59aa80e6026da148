//! Checks over all cells at once: what no cell can see by itself.
//!
//! A finding is a defect of the planner, never of what it was given. It looks at a planner that has come to rest; while
//! cells are dirty or wait, references may lead to what is still to come, and those checks are left out. It knows no
//! rendering. Held by the tests at the foot; the property tests, the stories and every `vifd audit` run it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use ofproto::action::{Action, ActionList};
use ofproto::matching::{FieldId, Match};
use rustc_hash::{FxHashMap, FxHashSet};

use super::Planner;
use super::cell::CellId;
use crate::model::observed::OfportState;
use crate::model::{LocalVlan, PortStatus};
use crate::ops::flow::{FlowBody, FlowKey, cookie};
use crate::ops::row::{Row, RowKey};

/// Something that cannot be right.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// The cell that asks for it.
    pub cell: CellId,
    /// What is wrong, with the item.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "«{}»: {}", self.cell, self.what)
    }
}

/// The first number that is no port but has a meaning (OF1.0 §5.2.1, `OFPP_MAX`).
const FIRST_RESERVED: u16 = 0xff00;

type Wanted<'a> = (&'a FlowKey, &'a CellId, &'a FlowBody);

impl Planner {
    /// Everything that cannot be right.
    pub fn lint(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let at_rest = self.n_dirty() == 0 && self.cells.values().all(|cell| cell.need.is_none());
        for bridge in self.config.bridges() {
            let flows: Vec<Wanted<'_>> = self.wanted_flows(&bridge).collect();
            self.lint_marks(&flows, &mut findings);
            lint_overlaps(&flows, &mut findings);
            if at_rest {
                lint_tables(&flows, &mut findings);
                self.lint_ports(&bridge, &flows, &mut findings);
            }
        }
        self.lint_vlans(&mut findings);
        self.lint_reports(&mut findings);
        findings
    }

    /// Every flow carries the mark of its cell, or it would be taken for a stranger's after a restart.
    fn lint_marks(&self, flows: &[Wanted<'_>], findings: &mut Vec<Finding>) {
        for (key, cell, body) in flows {
            let is_flow = key.is_no_flood().is_none();
            if is_flow && body.cookie != cookie::OWNER | u64::from(cell.cookie()) {
                findings.push(finding(cell, "does not carry its cell's cookie", key, body));
            }
        }
    }

    /// Numbers of ports are those of ports on that bridge.
    fn lint_ports(&self, bridge: &Arc<str>, flows: &[Wanted<'_>], findings: &mut Vec<Finding>) {
        let known: FxHashSet<u16> = self
            .observed
            .ports()
            .filter(|port| port.bridge == *bridge)
            .filter_map(|port| match port.ofport {
                OfportState::Assigned(number) => Some(number.number()),
                _ => None,
            })
            .collect();
        for (key, cell, body) in flows {
            let from = key
                .matching
                .exact(FieldId::IN_PORT)
                .and_then(|n| u16::try_from(n).ok());
            let to = body.actions.iter().filter_map(|action| match action {
                Action::Output { port, .. } => Some(port.0),
                _ => None,
            });
            let strange = from
                .into_iter()
                .chain(to)
                .find(|n| *n < FIRST_RESERVED && !known.contains(n));
            if let Some(number) = strange {
                let what = format!("names port {number}, which {bridge} does not have");
                findings.push(finding(cell, &what, key, body));
            }
        }
    }

    /// A VIF has the tag of its segment or the dead one, and two segments never share a number.
    fn lint_vlans(&self, findings: &mut Vec<Finding>) {
        let mut segments = BTreeMap::new();
        for (segment, vlan) in self.vlans.iter() {
            segments
                .entry(vlan.number())
                .or_insert_with(Vec::new)
                .push(segment);
        }
        let by_vif: FxHashMap<&str, u16> = self
            .attachments
            .values()
            .filter_map(|a| Some((&*a.vif, self.vlans.of(a.segment)?.number())))
            .collect();
        for (key, cell, row) in self.wanted_rows() {
            let (RowKey::Vif(name), Row::Vif(row)) = (key, row) else {
                continue;
            };
            let right = row.tag == LocalVlan::DEAD || by_vif.get(&**name) == Some(&row.tag);
            let shared = segments.get(&row.tag).is_some_and(|s| s.len() > 1);
            if !right || shared {
                findings.push(Finding {
                    cell: cell.clone(),
                    what: format!(
                        "tag {} of {name} is not the local VLAN of its segment alone",
                        row.tag
                    ),
                });
            }
        }
    }

    /// ACTIVE is told of ports that have a tag only.
    fn lint_reports(&self, findings: &mut Vec<Finding>) {
        for (id, cell, report) in self.wanted_reports() {
            if report.status != PortStatus::Active {
                continue;
            }
            let tag = self
                .attachments
                .get(id)
                .and_then(|a| self.rows.want(&RowKey::Vif(a.vif.clone())))
                .and_then(|row| match row {
                    Row::Vif(row) => Some(row.tag),
                    _ => None,
                });
            if tag.is_none_or(|tag| tag == LocalVlan::DEAD) && self.n_dirty() == 0 {
                findings.push(Finding {
                    cell: cell.clone(),
                    what: format!("port {id} is ACTIVE with tag {tag:?}"),
                });
            }
        }
    }
}

fn finding(cell: &CellId, what: &str, key: &FlowKey, body: &FlowBody) -> Finding {
    Finding {
        cell: cell.clone(),
        what: format!("{what}: {}", super::flows::text(key, body)),
    }
}

/// A table that flows lead to has flows of its own.
fn lint_tables(flows: &[Wanted<'_>], findings: &mut Vec<Finding>) {
    let tables: FxHashSet<u8> = flows.iter().map(|(key, ..)| key.table).collect();
    for (key, cell, body) in flows {
        let dangling = body.actions.iter().find_map(|action| match action {
            Action::ResubmitTable { table, .. } => (!tables.contains(table)).then_some(*table),
            _ => None,
        });
        if let Some(table) = dangling {
            let what = format!("leads to table {table}, where nothing is");
            findings.push(finding(cell, &what, key, body));
        }
    }
}

/// No packet meets two flows of one table and priority that do different things with it: which one it gets is
/// undefined (OF1.0 §3.4).
fn lint_overlaps(flows: &[Wanted<'_>], findings: &mut Vec<Finding>) {
    let mut levels: BTreeMap<(u8, u16), Vec<&Wanted<'_>>> = BTreeMap::new();
    for flow in flows {
        levels
            .entry((flow.0.table, flow.0.priority))
            .or_default()
            .push(flow);
    }
    for level in levels.values() {
        for alike in apart(level).values() {
            for (at, one) in alike.iter().enumerate() {
                let clash = alike[at + 1..].iter().find(|other| {
                    differ(&one.2.actions, &other.2.actions)
                        && overlap(&one.0.matching, &other.0.matching)
                });
                if let Some(other) = clash {
                    let what = format!(
                        "a packet may also meet {} of «{}»",
                        super::flows::text(other.0, other.2),
                        other.1
                    );
                    findings.push(finding(one.1, &what, one.0, one.2));
                }
            }
        }
    }
}

/// Flows by their values of the fields that every one of them compares whole: flows of different values never meet.
fn apart<'a, 'b>(level: &[&'b Wanted<'a>]) -> FxHashMap<Vec<u128>, Vec<&'b Wanted<'a>>> {
    let mut whole: Option<FxHashSet<FieldId>> = None;
    for (key, ..) in level {
        let fields = key
            .matching
            .iter()
            .filter(|f| f.is_exact())
            .map(|f| f.field);
        whole = Some(match whole {
            None => fields.collect(),
            Some(known) => fields.filter(|f| known.contains(f)).collect(),
        });
    }
    let mut whole: Vec<FieldId> = whole.unwrap_or_default().into_iter().collect();
    whole.sort_unstable();
    let mut groups: FxHashMap<Vec<u128>, Vec<&Wanted<'_>>> = FxHashMap::default();
    for flow in level {
        let values = whole
            .iter()
            .filter_map(|f| flow.0.matching.exact(*f))
            .collect();
        groups.entry(values).or_default().push(flow);
    }
    groups
}

/// Several conjunctions on one packet add up; anything else excludes each other.
fn differ(one: &ActionList, other: &ActionList) -> bool {
    let joins = |actions: &ActionList| {
        !actions.is_empty()
            && actions
                .iter()
                .all(|a| matches!(a, Action::Conjunction { .. }))
    };
    one != other && !(joins(one) && joins(other))
}

/// Whether a packet may fit both.
fn overlap(one: &Match, other: &Match) -> bool {
    one.iter().all(|field| match other.get(field.field) {
        None => true,
        Some((value, mask)) => (field.value ^ value) & field.mask & mask == 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Mac;
    use crate::plan::flows::{Flow, act};

    fn flow(n: u16) -> Flow {
        Flow::new(0, 10).in_port(crate::model::Ofport::new(i64::from(n)).unwrap())
    }

    #[test]
    fn what_a_packet_may_fit() {
        let two = |a: Flow, b: Flow| overlap(&a.key.matching, &b.key.matching);
        assert!(two(Flow::new(0, 1), flow(1)));
        assert!(!two(flow(1), flow(2)));
        assert!(!two(flow(1).arp(), flow(1).neighbour_advert()));
        assert!(two(flow(1).arp(), flow(1).source(Mac([2; 6]))));
        assert!(!two(flow(1).vlan(5), flow(1).untagged()));
        assert!(!two(flow(1).unicast(), flow(1).multicast()));
        let net = |text: &str| flow(1).arp().arp_sender(text.parse().unwrap());
        assert!(two(net("10.0.0.0/24"), net("10.0.0.7/32")));
        assert!(!two(net("10.0.0.0/24"), net("10.0.1.0/24")));
    }

    #[test]
    fn which_actions_exclude_each_other() {
        let list = |actions: Vec<Action>| actions.into_iter().collect::<ActionList>();
        let join = |id| Action::Conjunction {
            clause: 0,
            n_clauses: 2,
            id,
        };
        assert!(!differ(
            &list(vec![act::normal()]),
            &list(vec![act::normal()])
        ));
        assert!(differ(&list(vec![act::normal()]), &list(vec![])));
        assert!(!differ(&list(vec![join(1)]), &list(vec![join(2)])));
        assert!(differ(&list(vec![join(1)]), &list(vec![act::normal()])));
        assert!(differ(&list(vec![join(1)]), &list(vec![])));
    }
}
