//! vifd's tables in the packet filter, and what the kernel tracks for the ports that they filter.

use std::collections::BTreeSet;

use nft::batch::Batch;
use nft::conn::Dump;
use nft::conntrack::{Entry, Filter};
use nft::data::Data;
use nft::element::{Element, Elements};
use nft::message::{Body, Family, Message, Op};
use nft::name::Name;
use nft::net::{Client, ConntrackClient, DeleteFilters};
use nft::table::Table;

use super::Removal;
use crate::agent::hooks;

/// vifd's own, and the one that closes ports while that is not whole.
const NAMES: [&str; 2] = ["vifd", "vifd_closed"];
/// The map from devices to marks, of which the first two bytes are the number of a port.
const DEVICES: &str = "vif";
/// The set of bridges that hand their packets to the IP hooks for the sake of the other table.
const BRIDGES: &str = "bridges";
/// The set that is there where the kernel has no zones: labels of connections name the ports.
const OWNERS: &str = "owners";

/// What is there. A kernel without nf_tables has nothing.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Found {
    tables: Vec<(Family, String)>,
    /// The numbers of ports.
    numbers: BTreeSet<u16>,
    /// They are in the labels of connections; else they are zones.
    in_labels: bool,
    /// Bridges that hand their packets to the IP hooks.
    bridges: Vec<String>,
}

/// Looks. What could not be looked at is a problem.
pub(super) async fn find() -> (Found, Option<String>) {
    let (mut found, bridges) = look();
    let handing_over = hooks::handing_over(&bridges).await;
    let problem = handing_over.map(|bridges| found.bridges = bridges).err();
    (found, problem)
}

/// What is in tables, and the bridges that they name.
fn look() -> (Found, Vec<String>) {
    let Ok(mut client) = Client::open() else {
        return (Found::default(), Vec::new());
    };
    let dump = Dump::new(Op::GET_TABLE, Family::UNSPEC, Table::default());
    let tables = client.dump(dump).unwrap_or_default();
    let tables = tables.into_iter().filter_map(ours).collect();
    let devices = elements(&mut client, Family::BRIDGE, DEVICES).unwrap_or_default();
    let bridges = elements(&mut client, Family::INET, BRIDGES).unwrap_or_default();
    let found = Found {
        tables,
        numbers: devices.iter().filter_map(number).collect(),
        in_labels: elements(&mut client, Family::BRIDGE, OWNERS).is_some(),
        bridges: Vec::new(),
    };
    (found, bridges.iter().filter_map(device).collect())
}

fn ours(message: Message) -> Option<(Family, String)> {
    let family = message.gen_msg.family;
    let Body::Table(table) = message.body else {
        return None;
    };
    let name = NAMES.into_iter().find(|name| table.name == *name)?;
    [Family::BRIDGE, Family::INET]
        .contains(&family)
        .then(|| (family, name.to_owned()))
}

/// The elements of a set of vifd's table of that family, if it has that set.
fn elements(client: &mut Client, family: Family, set: &str) -> Option<Vec<Element>> {
    let [table, _] = NAMES;
    let list = Elements {
        elements: None,
        ..Elements::new(table, set, Vec::new())
    };
    let dump = Dump::new(Op::GET_SETELEM, family, list);
    let parts = client.dump(dump).ok()?.into_iter();
    let elements = parts.filter_map(|part| match part.body {
        Body::Elements(list) => list.elements,
        _ => None,
    });
    Some(elements.flatten().collect())
}

fn number(device: &Element) -> Option<u16> {
    match device.data.as_ref()? {
        Data::Value(mark) => mark.as_slice().first_chunk().copied(),
        Data::Verdict(_) => None,
    }
    .map(u16::from_ne_bytes)
}

fn device(name: &Element) -> Option<String> {
    let Data::Value(name) = name.key.as_ref()? else {
        return None;
    };
    let end = |byte: &u8| *byte == 0;
    let name = name.as_slice().split(end).next()?;
    String::from_utf8(name.to_vec()).ok()
}

impl Found {
    /// What a reader sees of them.
    pub fn removals(&self) -> Vec<Removal> {
        let tables = self.tables.iter().map(|(family, name)| Removal::Table {
            family: match *family {
                Family::BRIDGE => "bridge".to_owned(),
                _ => "inet".to_owned(),
            },
            name: name.clone(),
        });
        let connections = (!self.numbers.is_empty()).then(|| Removal::Connections {
            place: "the kernel".to_owned(),
            zones: self.numbers.iter().copied().collect(),
        });
        let bridges = self.bridges.iter().map(|bridge| Removal::Hooks {
            bridge: bridge.clone(),
        });
        tables.chain(connections).chain(bridges).collect()
    }

    /// Removes tables, all at once, then connections; says what went wrong. What could not be removed is found no more.
    pub async fn remove(&mut self) -> Vec<String> {
        let mut problems = Vec::new();
        if let Err(problem) = self.remove_tables() {
            problems.push(problem);
            *self = Found::default();
        }
        if let Err(error) = self.forget_connections() {
            problems.push(format!("tracked connections: {error}"));
            self.numbers.clear();
        }
        if let Err(problem) = hooks::release(&self.bridges).await {
            problems.push(format!("bridge netfilter: {problem}"));
            self.bridges.clear();
        }
        problems
    }

    fn remove_tables(&self) -> Result<(), String> {
        if self.tables.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::new();
        for (family, name) in &self.tables {
            batch.delete_table(*family, &Name::from(name.as_str()));
        }
        let result = Client::open()
            .map_err(Into::into)
            .and_then(|mut client| client.commit(batch, None));
        result
            .map(drop)
            .map_err(|error| format!("tables of the packet filter: {error}"))
    }

    fn forget_connections(&self) -> std::io::Result<()> {
        if self.numbers.is_empty() {
            return Ok(());
        }
        let mut client = ConntrackClient::open(DeleteFilters::default())?;
        client
            .delete_where(&Filter::default(), |entry| self.is_ours(entry))
            .map(drop)
    }

    fn is_ours(&self, entry: &Entry) -> bool {
        match self.in_labels {
            true => owners(entry).iter().any(|n| self.numbers.contains(n)),
            false => self.numbers.contains(&entry.zone_number()),
        }
    }
}

/// The ports that let a connection pass, at either end.
fn owners(entry: &Entry) -> [u16; 2] {
    let labels = entry.labels.as_ref().map_or(&[][..], |b| b.as_slice());
    [0, 4].map(|at| {
        let bytes = labels.get(at..at + 2).and_then(|b| b.try_into().ok());
        bytes.map_or(0, u16::from_ne_bytes)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::conntrack::Connection;
    use crate::ops::nft::SetId;
    use crate::plan::firewall::nft::layout;

    #[test]
    fn numbers_lie_where_the_planner_puts_them() {
        assert_eq!((DEVICES, OWNERS), (SetId::Vif.name(), SetId::Owners.name()));
        assert!(SetId::Vif.is_lower());
        let mark = layout::mark(0x1234, 7, layout::NETWORK_SIDE);
        let bridge = Element::key(layout::device("qbr00000001-00"));
        assert_eq!(device(&bridge).as_deref(), Some("qbr00000001-00"));
        assert_eq!(
            number(&Element::pair(*b"tap0", mark.to_vec())),
            Some(0x1234)
        );
        let entry = Entry {
            labels: Some([[7, 1, 0, 0], [9, 2, 0, 0]].concat().into()),
            ..Entry::default()
        };
        let connection = Connection {
            family: Family::IPV4,
            entry: entry.clone(),
        };
        assert_eq!(owners(&entry), connection.owners());
        let found = Found {
            numbers: BTreeSet::from([owners(&entry)[1], 5]),
            in_labels: true,
            ..Found::default()
        };
        assert!(found.is_ours(&entry));
        let in_zone = |zone| Entry {
            zone: Some(zone),
            ..Entry::default()
        };
        let by_zone = Found {
            in_labels: false,
            ..found
        };
        assert!(by_zone.is_ours(&in_zone(5)));
        assert!(!by_zone.is_ours(&in_zone(6)) && !by_zone.is_ours(&entry));
    }
}
