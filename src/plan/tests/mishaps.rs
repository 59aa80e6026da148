//! What befalls the simulated host: daemons that end and come back, batches that come to grief, other hands.

use std::sync::Arc;

use super::{World, in_order};
use crate::model::*;
use crate::ops::flow::FlowKey;
use crate::ops::{Batch, ExecEvent, Items, Outcome, Target};
use crate::plan::Planner;

impl World {
    /// Somebody else writes a tag.
    pub fn retag(&mut self, planner: &mut Planner, name: &str, tag: u16) {
        if let Some(fact) = self.ports.get_mut(name) {
            fact.tag = Some(tag);
            self.theirs.insert(name.into());
            if let Some(port) = self.in_force.get_mut(name) {
                port.wired = false;
            }
            planner.fact(Fact::Port(fact.clone()), self.now());
        }
    }

    /// A device is replaced under its name and number: the switch floods to it again.
    pub fn replace_device(&mut self, planner: &mut Planner, name: &str) {
        let bridge: Arc<str> = "br-int".into();
        let fact = self.ports.get(name).filter(|fact| fact.bridge == bridge);
        let Some(OfportState::Assigned(number)) = fact.map(|fact| fact.ofport) else {
            return;
        };
        let flows = self.flows.get_mut(&bridge);
        let key = FlowKey::no_flood(number.number());
        let was_unflooded = flows.is_some_and(|flows| flows.remove(&key).is_some());
        if was_unflooded && self.connected.contains(&bridge) {
            let ports = vec![(number.number(), false)];
            planner.event(ExecEvent::Floods { bridge, ports }, self.now());
        }
    }

    /// The agent dies while batches are under way: the switch has got some of what was sent, and of a transaction all
    /// or nothing.
    pub fn kill_agent(&mut self, planner: &mut Planner, at: usize) {
        for batch in std::mem::take(&mut self.pending) {
            match (&batch.target, &batch.items) {
                (Target::Flows(bridge), Items::Flows(items)) => {
                    let n = at % (items.len() + 1);
                    for (i, item) in (1..).zip(in_order(items).into_iter().take(n)) {
                        // A flow that goes is one message, what goes with it another.
                        let mut item = item.clone();
                        item.zone.take_if(|_| i == n && item.body.is_none());
                        self.apply_flow(bridge, &item);
                    }
                }
                (_, Items::Rows(items)) if at % 2 == 1 => {
                    self.apply_rows(items);
                    self.next_cfg += 1;
                }
                _ => {}
            }
        }
        *planner = self.start_agent();
    }

    /// `ovs-vswitchd` dies and comes back: flows are gone, numbers may differ.
    pub fn restart_vswitchd(&mut self, planner: &mut Planner, renumber: bool) {
        self.lose_flow_batches(planner);
        for bridge in std::mem::take(&mut self.connected) {
            planner.event(
                ExecEvent::FlowsDown {
                    bridge,
                    reason: "EOF".into(),
                },
                self.now(),
            );
        }
        for flows in self.flows.values_mut() {
            flows.clear();
        }
        if renumber {
            for fact in self.ports.values_mut() {
                fact.ofport = OfportState::Unassigned;
            }
            let mut names: Vec<Arc<str>> = self.ports.keys().cloned().collect();
            names.reverse();
            for name in &names {
                planner.fact(Fact::Port(self.ports[name].clone()), self.now());
            }
            self.next_ofport = 1;
        }
        self.apply(planner);
    }

    fn lose_flow_batches(&mut self, planner: &mut Planner) {
        for batch in std::mem::take(&mut self.pending) {
            if let Target::Flows(_) = &batch.target {
                let outcome = Outcome::Lost {
                    reason: "EOF".into(),
                };
                self.answer(planner, batch, outcome);
            } else {
                self.pending.push(batch);
            }
        }
    }

    /// The connection to ovsdb-server goes and comes back; `applied` says whether the batch under way was committed.
    pub fn bounce_ovsdb(&mut self, planner: &mut Planner, applied: bool) {
        planner.fact(
            Fact::SwitchLost {
                reason: "EOF".into(),
            },
            self.now(),
        );
        for batch in std::mem::take(&mut self.pending) {
            match &batch.items {
                Items::Rows(items) => {
                    if applied {
                        self.apply_rows(items);
                        self.next_cfg += 1;
                    }
                }
                _ => self.pending.push(batch),
            }
        }
        self.tell_switch(planner);
        self.vswitchd(planner);
    }

    /// One pending batch comes to grief.
    pub fn fail(&mut self, planner: &mut Planner, at: usize, how: u8) {
        let batch = self.pending.remove(at);
        let n = batch.items.len().max(1);
        let outcome = match (&batch.items, how % 3) {
            (Items::Rows(_), 0) => Outcome::Rejected {
                at: Some(usize::from(how) % n),
                reason: "constraint violation".into(),
            },
            (Items::Rows(_), _) => Outcome::Rejected {
                at: None,
                reason: "constraint violation".into(),
            },
            (Items::Flows(items), _) => {
                let Target::Flows(bridge) = &batch.target else {
                    panic!("flows without a bridge")
                };
                let bad = usize::from(how) % n;
                for item in in_order(items) {
                    if *item != items[bad] {
                        self.apply_flow(bridge, item);
                    }
                }
                Outcome::Done {
                    refused: vec![(bad, "OFPFMFC_TABLE_FULL".into())],
                    next_cfg: None,
                }
            }
            (Items::Nft(_), 0) => Outcome::Rejected {
                at: Some(usize::from(how) % n),
                reason: "ENOMEM".into(),
            },
            _ => Outcome::Lost {
                reason: "database is locked".into(),
            },
        };
        self.answer(planner, batch, outcome);
    }

    fn answer(&self, planner: &mut Planner, batch: Batch, outcome: Outcome) {
        let finished = ExecEvent::Finished {
            target: batch.target,
            id: batch.id,
            outcome,
        };
        planner.event(finished, self.now());
    }
}
