//! Rows of the Open_vSwitch schema (ovs-vswitchd.conf.db(5)) as facts.
//!
//! Knows which columns count and how each is read; a value that cannot be read counts as absent. Does not know what
//! was told before.

use std::collections::BTreeMap;
use std::sync::Arc;

use ovsdb::Uuid;
use ovsdb::monitor::TableMonitor;
use ovsdb::replica::{IndexSpec, Replica, Row};
use ovsdb::value::{Atom, Datum};

use crate::model::observed::{OfportState, VlanHint};
use crate::model::{BridgeFact, Ofport, PortFact};

/// Name of the database.
pub(super) const DATABASE: &str = "Open_vSwitch";
pub(super) const ROOT: &str = "Open_vSwitch";
pub(super) const BRIDGE: &str = "Bridge";
pub(super) const PORT: &str = "Port";
pub(super) const INTERFACE: &str = "Interface";

/// Key of `external_ids` for the host whose vifd made the row.
pub(super) const OWNER: &str = "vifd-owner";

/// The columns that count.
pub(super) fn monitors() -> Vec<TableMonitor> {
    vec![
        TableMonitor::new(ROOT, ["cur_cfg", "next_cfg"]),
        TableMonitor::new(
            BRIDGE,
            [
                "name",
                "ports",
                "datapath_type",
                "fail_mode",
                "external_ids",
            ],
        ),
        TableMonitor::new(
            PORT,
            [
                "name",
                "interfaces",
                "tag",
                "trunks",
                "vlan_mode",
                "other_config",
                "external_ids",
            ],
        ),
        TableMonitor::new(
            INTERFACE,
            ["name", "type", "options", "ofport", "error", "external_ids"],
        ),
    ]
}

/// Names, and the way up from an interface to its bridge.
pub(super) fn indexes() -> Vec<IndexSpec> {
    vec![
        IndexSpec::column(BRIDGE, "name"),
        IndexSpec::column(BRIDGE, "ports"),
        IndexSpec::column(PORT, "name"),
        IndexSpec::column(PORT, "interfaces"),
    ]
}

/// The row of that name.
pub(super) fn named<'a>(
    replica: &'a Replica,
    table: &str,
    name: &str,
) -> Option<(Uuid, &'a Arc<Row>)> {
    replica.find(table, "name", None, &Atom::from(name)).next()
}

/// The bridge that a port is on.
pub(super) fn bridge_of(replica: &Replica, port: Uuid) -> Option<(Uuid, &Arc<Row>)> {
    replica
        .find(BRIDGE, "ports", None, &Atom::from(port))
        .next()
}

/// The port that an interface is part of.
pub(super) fn port_of(replica: &Replica, interface: Uuid) -> Option<(Uuid, &Arc<Row>)> {
    replica
        .find(PORT, "interfaces", None, &Atom::from(interface))
        .next()
}

/// The interface that stands for a port: the one that bears its name, or else the first.
pub(super) fn interface_of<'a>(replica: &'a Replica, port: &Row) -> Option<(Uuid, &'a Arc<Row>)> {
    let rows = || {
        port.uuids("interfaces")
            .filter_map(|uuid| Some((uuid, replica.row(INTERFACE, uuid)?)))
    };
    rows()
        .find(|(_, row)| row.str("name") == port.str("name"))
        .or_else(|| rows().next())
}

/// The number of the configuration that `ovs-vswitchd` has applied, and of the one it is to reach.
pub(super) fn configuration(replica: &Replica) -> (i64, i64) {
    let root = replica.rows(ROOT).next();
    let number = |column| root.and_then(|(_, row)| row.integer(column)).unwrap_or(0);
    (number("cur_cfg"), number("next_cfg"))
}

/// A bridge as a fact.
pub(super) fn bridge(row: &Row) -> BridgeFact {
    BridgeFact {
        name: text(row, "name"),
        datapath_type: text(row, "datapath_type"),
        fail_mode: optional(row, "fail_mode"),
        owner: row.key("external_ids", OWNER).map(Arc::from),
    }
}

/// A port as a fact; `None` while it is on no bridge.
pub(super) fn port(replica: &Replica, uuid: Uuid, row: &Row) -> Option<PortFact> {
    let (_, bridge) = bridge_of(replica, uuid)?;
    let (_, interface) = interface_of(replica, row)?;
    let external = |key| interface.key("external_ids", key);
    Some(PortFact {
        name: text(row, "name"),
        row: row_id(uuid),
        bridge: text(bridge, "name"),
        tag: row.integer("tag").and_then(|tag| u16::try_from(tag).ok()),
        trunk: is_set(row, "vlan_mode") || is_set(row, "trunks"),
        hint: hint(row),
        owner: row.key("external_ids", OWNER).map(Arc::from),
        kind: text(interface, "type"),
        options: pairs(interface, "options"),
        ofport: ofport(interface),
        error: optional(interface, "error"),
        iface_id: external("iface-id").and_then(|id| id.parse().ok()),
        attached_mac: external("attached-mac").and_then(|mac| mac.parse().ok()),
    })
}

/// A row's identifier as the model has it, and back.
pub(super) fn row_id(uuid: Uuid) -> uuid::Uuid {
    uuid::Uuid::from_bytes(*uuid.as_bytes())
}

/// See [`row_id`].
pub(super) fn row_of(id: uuid::Uuid) -> Uuid {
    Uuid::from_bytes(*id.as_bytes())
}

/// -1 stands for a failure; numbers that OpenFlow 1.0 reserves are of no use either.
pub(super) fn ofport(interface: &Row) -> OfportState {
    match interface.integer("ofport") {
        None => OfportState::Unassigned,
        Some(number) => Ofport::new(number).map_or(OfportState::Failed, OfportState::Assigned),
    }
}

/// The keys that Neutron's agent writes; `segmentation_id` is absent for types without one.
fn hint(port: &Row) -> Option<VlanHint> {
    let key = |key| port.key("other_config", key);
    Some(VlanHint {
        network: key("net_uuid")?.parse().ok()?,
        network_type: Arc::from(key("network_type")?),
        physical_network: Some(key("physical_network")?)
            .filter(|name| *name != "None")
            .map(Arc::from),
        segmentation_id: match key("segmentation_id") {
            None | Some("None") => None,
            Some(number) => Some(number.parse().ok()?),
        },
        tag: key("tag")?.parse().ok()?,
    })
}

/// The keys of a hint with their values; `None` stands for a key that must not be there.
pub(super) fn hint_keys(hint: &VlanHint) -> [(&'static str, Option<String>); 5] {
    [
        ("net_uuid", Some(hint.network.to_string())),
        ("network_type", Some(hint.network_type.to_string())),
        (
            "physical_network",
            Some(
                hint.physical_network
                    .as_deref()
                    .unwrap_or("None")
                    .to_owned(),
            ),
        ),
        (
            "segmentation_id",
            hint.segmentation_id.map(|id| id.to_string()),
        ),
        ("tag", Some(hint.tag.to_string())),
    ]
}

/// Whether an optional column or a set holds anything.
pub(super) fn is_set(row: &Row, column: &str) -> bool {
    row.get(column).is_some_and(|datum| !datum.is_empty())
}

fn text(row: &Row, column: &str) -> Arc<str> {
    optional(row, column).unwrap_or_else(|| Arc::from(""))
}

/// Shares the replica's string.
fn optional(row: &Row, column: &str) -> Option<Arc<str>> {
    match row.get(column).and_then(Datum::as_atom)? {
        Atom::String(text) => Some(text.clone()),
        _ => None,
    }
}

fn pairs(row: &Row, column: &str) -> BTreeMap<Arc<str>, Arc<str>> {
    let map = row.get(column).and_then(Datum::as_map);
    let pairs = map.into_iter().flat_map(|map| map.iter());
    pairs
        .filter_map(|pair| match pair {
            (Atom::String(key), Atom::String(value)) => Some((key.clone(), value.clone())),
            _ => None,
        })
        .collect()
}
