//! What of the replica was told, and what of a change is news.
//!
//! A change costs the ports that it touches. The same fact is never told twice. Held by the tests of
//! `tests/exec_ovsdb.rs` and the one at the foot.

use std::collections::BTreeSet;
use std::sync::Arc;

use ovsdb::json::Str;
use ovsdb::replica::{Replica, RowChange};
use rustc_hash::FxHashMap;

use super::read;
use crate::model::{BridgeFact, Fact, PortFact};

/// See the module.
#[derive(Debug)]
pub(super) struct View {
    replica: Replica,
    bridges: FxHashMap<Arc<str>, BridgeFact>,
    ports: FxHashMap<Arc<str>, PortFact>,
    applied: Option<i64>,
}

impl Default for View {
    fn default() -> Self {
        View {
            replica: Replica::new(read::indexes()),
            bridges: FxHashMap::default(),
            ports: FxHashMap::default(),
            applied: None,
        }
    }
}

impl View {
    /// The rows as they stand.
    pub fn replica(&self) -> &Replica {
        &self.replica
    }

    /// Takes changes in; the news in them, if anybody is to be told.
    pub fn follow(&mut self, changes: &[RowChange], tell: bool) -> Vec<Fact> {
        self.replica.follow(changes);
        let mut facts = Vec::new();
        if !tell {
            return facts;
        }
        let (mut bridges, mut ports) = (BTreeSet::new(), BTreeSet::new());
        for change in changes {
            self.touched(change, &mut bridges, &mut ports);
        }
        // Bridges before the ports on them, ports before their bridges' end.
        let (there, gone): (Vec<Str>, Vec<Str>) = bridges
            .into_iter()
            .partition(|name| read::named(&self.replica, read::BRIDGE, name).is_some());
        for name in there {
            self.tell_bridge(&name, &mut facts);
        }
        for name in ports {
            self.tell_port(&name, &mut facts);
        }
        for name in gone {
            if self.bridges.remove(&name).is_some() {
                facts.push(Fact::BridgeGone(name));
            }
        }
        let (applied, _) = read::configuration(&self.replica);
        if self.applied.replace(applied) != Some(applied) {
            facts.push(Fact::Applied(applied));
        }
        facts
    }

    /// Everything there is, as a listing.
    pub fn tell_all(&mut self) -> Vec<Fact> {
        let mut facts = vec![Fact::SwitchBegin];
        self.bridges.clear();
        self.ports.clear();
        for (_, row) in self.replica.rows(read::BRIDGE) {
            let fact = read::bridge(row);
            self.bridges.insert(fact.name.clone(), fact.clone());
            facts.push(Fact::Bridge(fact));
        }
        for (uuid, row) in self.replica.rows(read::PORT) {
            if let Some(fact) = read::port(&self.replica, uuid, row) {
                self.ports.insert(fact.name.clone(), fact.clone());
                facts.push(Fact::Port(fact));
            }
        }
        let (cur_cfg, next_cfg) = read::configuration(&self.replica);
        self.applied = Some(cur_cfg);
        facts.push(Fact::SwitchComplete { cur_cfg, next_cfg });
        facts
    }

    /// The bridges and ports that a change may make different, by name.
    fn touched(&self, change: &RowChange, bridges: &mut BTreeSet<Str>, ports: &mut BTreeSet<Str>) {
        let name = || {
            let row = change.new.as_ref().or(change.old.as_ref());
            row.map(|row| Str::from(row.str("name")))
        };
        match &*change.table {
            read::BRIDGE => {
                bridges.extend(name());
                // The row of a port that is gone altogether is a change of its own.
                let moved = change
                    .added("ports")
                    .chain(change.removed("ports"))
                    .filter_map(|atom| atom.as_uuid());
                let rows = moved.filter_map(|uuid| self.replica.row(read::PORT, uuid));
                ports.extend(rows.map(|row| Str::from(row.str("name"))));
            }
            read::PORT => ports.extend(name()),
            // An interface that is gone changes the row of its port.
            read::INTERFACE => {
                let port = read::port_of(&self.replica, change.uuid);
                ports.extend(port.map(|(_, row)| Str::from(row.str("name"))));
            }
            _ => {}
        }
    }

    fn tell_bridge(&mut self, name: &str, facts: &mut Vec<Fact>) {
        let Some((_, row)) = read::named(&self.replica, read::BRIDGE, name) else {
            return;
        };
        let fact = read::bridge(row);
        if self.bridges.get(name) != Some(&fact) {
            self.bridges.insert(fact.name.clone(), fact.clone());
            facts.push(Fact::Bridge(fact));
        }
    }

    fn tell_port(&mut self, name: &Str, facts: &mut Vec<Fact>) {
        // Two rows of one name exist for the moment in which one replaces the other.
        let fact = self
            .replica
            .find(read::PORT, "name", None, &name.clone().into())
            .find_map(|(uuid, row)| read::port(&self.replica, uuid, row));
        match fact {
            Some(fact) if self.ports.get(name) == Some(&fact) => {}
            Some(fact) => {
                self.ports.insert(fact.name.clone(), fact.clone());
                facts.push(Fact::Port(fact));
            }
            None => {
                if self.ports.remove(name).is_some() {
                    facts.push(Fact::PortGone(name.clone()));
                }
            }
        }
    }
}
