//! What of the replica was told, and what of a change is news.
//!
//! A change costs the ports that it touches. The same fact is never told twice. Held by the tests at
//! the foot and `tests/exec_ovsdb.rs`.

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

#[cfg(test)]
mod tests {
    use super::super::fixture::{ROWS, Source};
    use super::*;
    use crate::model::Ofport;
    use crate::model::observed::OfportState;

    fn started() -> (Source, View) {
        let (mut source, mut view) = (Source::new(), View::default());
        assert_eq!(
            view.follow(&source.update(ROWS), false),
            [],
            "nobody is told yet"
        );
        (source, view)
    }

    fn names(facts: &[Fact]) -> Vec<String> {
        let name = |fact: &Fact| match fact {
            Fact::SwitchBegin => "begin".to_owned(),
            Fact::SwitchComplete { cur_cfg, next_cfg } => format!("complete {cur_cfg} {next_cfg}"),
            Fact::Bridge(bridge) => format!("bridge {}", bridge.name),
            Fact::BridgeGone(name) => format!("no bridge {name}"),
            Fact::Port(port) => format!("port {} on {}", port.name, port.bridge),
            Fact::PortGone(name) => format!("no port {name}"),
            Fact::Applied(cfg) => format!("applied {cfg}"),
            other => format!("{other:?}"),
        };
        facts.iter().map(name).collect()
    }

    #[test]
    fn a_listing_and_how_rows_are_read() {
        let (_, mut view) = started();
        let facts = view.tell_all();
        let expected = [
            "begin",
            "bridge br-int",
            "port br-int on br-int",
            "port patch-tun on br-int",
            "port tap1 on br-int",
            "complete 7 8",
        ];
        assert_eq!(names(&facts), expected);
        let port = |wanted: &str| {
            let mut ports = facts.iter().filter_map(|fact| match fact {
                Fact::Port(port) if &*port.name == wanted => Some(port.clone()),
                _ => None,
            });
            ports.next().unwrap()
        };
        assert_eq!(port("br-int").ofport, OfportState::Assigned(Ofport::LOCAL));
        assert_eq!(port("patch-tun").owner.as_deref(), Some("hv1"));
        let tap = port("tap1");
        assert_eq!(
            (tap.ofport, tap.error.as_deref()),
            (OfportState::Failed, Some("could not open"))
        );
        assert_eq!((tap.tag, tap.trunk, tap.hint), (Some(4095), true, None));
        assert!(tap.iface_id.is_some());
        assert_eq!(tap.attached_mac, None, "unreadable is absent");
    }

    #[test]
    fn a_change_tells_what_it_touches_and_once() {
        let (mut source, mut view) = started();
        view.tell_all();
        let mut told = |updates: &str| names(&view.follow(&source.update(updates), true));
        let interface =
            r#"{"Interface": {"00000000-0000-4000-8000-000000000023": {"modify": {"ofport": 3}}}}"#;
        assert_eq!(told(interface), ["port tap1 on br-int"]);
        // What nobody reads is no news.
        let noise = r#"{"Interface": {"00000000-0000-4000-8000-000000000023": {"modify":
            {"external_ids": ["map", [["vm-uuid", "1"]]]}}}}"#;
        assert_eq!(told(noise), [] as [&str; 0]);
        let applied = r#"{"Open_vSwitch": {"00000000-0000-4000-8000-000000000000": {"modify": {"cur_cfg": 8}}}}"#;
        assert_eq!(told(applied), ["applied 8"]);
        // A second bridge takes a port over.
        let moved = r#"{"Bridge": {
            "00000000-0000-4000-8000-000000000001": {"modify": {"ports": ["uuid", "00000000-0000-4000-8000-000000000012"]}},
            "00000000-0000-4000-8000-000000000002": {"insert": {"name": "br-tun", "ports": ["uuid", "00000000-0000-4000-8000-000000000012"]}}}}"#;
        assert_eq!(told(moved), ["bridge br-tun", "port patch-tun on br-tun"]);
        // A port on no bridge is none.
        let loose = r#"{"Bridge": {"00000000-0000-4000-8000-000000000001": {"modify": {"ports": ["uuid", "00000000-0000-4000-8000-000000000013"]}}}}"#;
        assert_eq!(told(loose), ["no port tap1"]);
        let gone = r#"{"Bridge": {"00000000-0000-4000-8000-000000000002": {"delete": null}},
            "Port": {"00000000-0000-4000-8000-000000000012": {"delete": null}},
            "Interface": {"00000000-0000-4000-8000-000000000022": {"delete": null}}}"#;
        assert_eq!(told(gone), ["no port patch-tun", "no bridge br-tun"]);
    }

    #[test]
    fn a_row_that_replaces_another_of_its_name() {
        let (mut source, mut view) = started();
        view.tell_all();
        let replaced = r#"{
            "Bridge": {"00000000-0000-4000-8000-000000000001": {"modify": {"ports": ["set", [
                ["uuid", "00000000-0000-4000-8000-000000000013"], ["uuid", "00000000-0000-4000-8000-000000000014"]]]}}},
            "Port": {
                "00000000-0000-4000-8000-000000000013": {"delete": null},
                "00000000-0000-4000-8000-000000000014": {"insert": {"name": "tap1", "tag": 5, "interfaces": ["uuid", "00000000-0000-4000-8000-000000000024"]}}},
            "Interface": {
                "00000000-0000-4000-8000-000000000023": {"delete": null},
                "00000000-0000-4000-8000-000000000024": {"insert": {"name": "tap1"}}}}"#;
        let facts = view.follow(&source.update(replaced), true);
        let [Fact::Port(port)] = &facts[..] else {
            panic!("{facts:?}")
        };
        assert_eq!((port.tag, port.ofport), (Some(5), OfportState::Unassigned));
    }
}
