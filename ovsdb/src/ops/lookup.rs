//! Questions answered by the replica, each a hash or tree look-up. They need the indexes of
//! [`crate::vswitch::indexes`].

use crate::json::Str;
use crate::replica::{Replica, Row};
use crate::uuid::Uuid;
use crate::value::Atom;
use crate::vswitch::{Interface, Ofport, Table};
use std::sync::Arc;

/// A row and its identifier.
pub type Found<'a> = (Uuid, &'a Arc<Row>);

/// The row of `table` whose indexed `name` column is `name`.
pub fn by_name<'a>(replica: &'a Replica, table: &str, name: &str) -> Option<Found<'a>> {
    replica.find(table, "name", None, &Atom::from(name)).next()
}

/// The bridge called `name`.
pub fn bridge<'a>(replica: &'a Replica, name: &str) -> Option<Found<'a>> {
    by_name(replica, "Bridge", name)
}

/// The port called `name`.
pub fn port<'a>(replica: &'a Replica, name: &str) -> Option<Found<'a>> {
    by_name(replica, "Port", name)
}

/// The interface called `name`.
pub fn interface<'a>(replica: &'a Replica, name: &str) -> Option<Found<'a>> {
    by_name(replica, "Interface", name)
}

/// The row of Open_vSwitch.
pub fn root(replica: &Replica) -> Option<Found<'_>> {
    replica.rows("Open_vSwitch").next()
}

/// Names of the bridges, sorted: `ovs-vsctl list-br`.
pub fn bridges(replica: &Replica) -> Vec<Str> {
    let mut names: Vec<Str> = replica
        .rows("Bridge")
        .map(|(_, r)| r.str("name").into())
        .collect();
    names.sort();
    names
}

/// The ports of a bridge, the local one included.
pub fn port_rows<'a>(replica: &'a Replica, bridge: &'a Row) -> impl Iterator<Item = Found<'a>> {
    bridge
        .uuids("ports")
        .filter_map(|uuid| Some((uuid, replica.row("Port", uuid)?)))
}

/// The interfaces of a port.
pub fn interface_rows<'a>(replica: &'a Replica, port: &'a Row) -> impl Iterator<Item = Found<'a>> {
    port.uuids("interfaces")
        .filter_map(|uuid| Some((uuid, replica.row("Interface", uuid)?)))
}

/// Names of the ports of a bridge without the local one, sorted: `ovs-vsctl list-ports`.
pub fn ports(replica: &Replica, name: &str) -> Option<Vec<Str>> {
    let (_, bridge) = bridge(replica, name)?;
    let mut names: Vec<Str> = port_rows(replica, bridge)
        .map(|(_, port)| port.str("name"))
        .filter(|port| *port != name)
        .map(Str::from)
        .collect();
    names.sort();
    Some(names)
}

/// Names of the interfaces of a bridge without the local one, sorted: `ovs-vsctl list-ifaces`.
pub fn interfaces(replica: &Replica, name: &str) -> Option<Vec<Str>> {
    let (_, bridge) = bridge(replica, name)?;
    let mut names: Vec<Str> = port_rows(replica, bridge)
        .flat_map(|(_, port)| interface_rows(replica, port))
        .map(|(_, interface)| interface.str("name"))
        .filter(|interface| *interface != name)
        .map(Str::from)
        .collect();
    names.sort();
    Some(names)
}

/// The bridge a port belongs to.
pub fn bridge_of_port(replica: &Replica, port: Uuid) -> Option<Found<'_>> {
    replica
        .find("Bridge", "ports", None, &Atom::Uuid(port))
        .next()
}

/// The port an interface belongs to.
pub fn port_of_interface(replica: &Replica, interface: Uuid) -> Option<Found<'_>> {
    replica
        .find("Port", "interfaces", None, &Atom::Uuid(interface))
        .next()
}

/// Name of the bridge a port is on: `ovs-vsctl port-to-br`.
pub fn port_to_bridge(replica: &Replica, name: &str) -> Option<Str> {
    let (uuid, _) = port(replica, name)?;
    Some(bridge_of_port(replica, uuid)?.1.str("name").into())
}

/// Name of the bridge an interface is on: `ovs-vsctl iface-to-br`.
pub fn interface_to_bridge(replica: &Replica, name: &str) -> Option<Str> {
    let (uuid, _) = interface(replica, name)?;
    let (port, _) = port_of_interface(replica, uuid)?;
    Some(bridge_of_port(replica, port)?.1.str("name").into())
}

/// Rows of `table` with `external_ids:key` equal to `value`: from the index if there is one,
/// by looking at every row otherwise.
pub fn by_external_id<'a>(
    replica: &'a Replica,
    table: &str,
    key: &str,
    value: &str,
) -> Vec<Found<'a>> {
    if replica.has_index(table, "external_ids", Some(key)) {
        return replica
            .find(table, "external_ids", Some(key), &Atom::from(value))
            .collect();
    }
    let matches = |(_, row): &Found<'_>| row.key("external_ids", key) == Some(value);
    replica.rows(table).filter(matches).collect()
}

/// A virtual interface: an interface with both `iface-id` and `attached-mac`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VifPort {
    /// Name of the interface.
    pub name: Str,
    /// Realised port number.
    pub ofport: Ofport,
    /// `external_ids:iface-id`
    pub iface_id: Str,
    /// `external_ids:attached-mac`
    pub mac: Str,
    /// The bridge.
    pub bridge: Str,
}

/// The virtual interfaces of a bridge, sorted by name.
pub fn vif_ports(replica: &Replica, name: &str) -> Option<Vec<VifPort>> {
    let (_, bridge) = bridge(replica, name)?;
    let vif = |(uuid, row): Found<'_>| {
        Some(VifPort {
            name: row.str("name").into(),
            ofport: Interface::from_row(uuid, row).ofport(),
            iface_id: row.key("external_ids", "iface-id")?.into(),
            mac: row.key("external_ids", "attached-mac")?.into(),
            bridge: name.into(),
        })
    };
    let mut vifs: Vec<VifPort> = port_rows(replica, bridge)
        .flat_map(|(_, port)| interface_rows(replica, port))
        .filter_map(vif)
        .collect();
    vifs.sort_by(|a, b| a.name.cmp(&b.name));
    Some(vifs)
}
