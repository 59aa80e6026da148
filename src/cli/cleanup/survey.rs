//! Rows of the switch's database that bear our marks.

use std::collections::BTreeSet;

use ovsdb::Uuid;
use ovsdb::op::columns;
use ovsdb::ops::lookup;
use ovsdb::replica::{Replica, Row};
use ovsdb::vswitch::Table;

use super::super::failure::Failure;
use super::super::switch::{Apply, Switch};
use super::Removal;
use crate::config::Config;

/// Key of `external_ids` for the host whose vifd made the row.
const OWNER: &str = "vifd-owner";
/// Key of an interface's `external_ids` for the port that it is the VIF of.
const VIF: &str = "iface-id";
/// Keys of a VIF's `other_config` that remember its local VLAN.
const HINT: [&str; 5] = [
    "net_uuid",
    "network_type",
    "physical_network",
    "segmentation_id",
    "tag",
];
/// The tag that carries nothing anywhere.
const DEAD_VLAN: i64 = 4095;

/// What bears our marks.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Survey {
    /// To be removed.
    pub rows: Vec<Removal>,
    /// Left, and why.
    pub kept: Vec<String>,
    /// Bridges that stay, with whatever else is ours on them.
    pub staying: Vec<Staying>,
}

/// A bridge that stays.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Staying {
    pub name: String,
    /// It leads to a physical network and is the operator's.
    pub uplink: bool,
    /// Its VIFs: interfaces that say which port they are. None but on the integration bridge.
    pub vifs: Vec<String>,
}

/// Looks at every bridge.
pub(super) fn survey(replica: &Replica, config: &Config) -> Survey {
    let mut found = Survey::default();
    let host = &*config.host.0;
    let physical: BTreeSet<&str> = config
        .ovs
        .bridge_mappings
        .iter()
        .map(|m| &*m.bridge)
        .collect();
    for name in lookup::bridges(replica) {
        let Some((_, bridge)) = lookup::bridge(replica, &name) else {
            continue;
        };
        let ports: Vec<(Uuid, &Row)> = lookup::port_rows(replica, bridge)
            .map(|(uuid, row)| (uuid, &**row))
            .collect();
        let foreign = ports
            .iter()
            .filter(|(_, p)| p.str("name") != &*name && owner(p) != Some(host))
            .count();
        match owner(bridge) {
            Some(o) if o == host && foreign == 0 => {
                found.rows.push(Removal::Bridge {
                    name: name.to_string(),
                });
                continue;
            }
            Some(o) if o == host => {
                found.kept.push(format!(
                    "bridge {name}: vifd made it, but it holds {foreign} ports of others"
                ));
            }
            Some(o) => found.kept.push(format!(
                "bridge {name}: it was made by vifd of {o}, this is {host}"
            )),
            None => {}
        }
        let uplink = physical.contains(&*name) && owner(bridge).is_none();
        let has_vifs = *name == *config.ovs.integration_bridge;
        let interfaces = ports
            .iter()
            .filter(|_| has_vifs)
            .flat_map(|(_, port)| lookup::interface_rows(replica, port));
        let vifs = interfaces
            .filter(|(_, row)| row.key("external_ids", VIF).is_some())
            .map(|(_, row)| row.str("name").to_owned())
            .collect();
        found.staying.push(Staying {
            name: name.to_string(),
            uplink,
            vifs,
        });
        for (_, port) in ports {
            found.port(port, &name, host, has_vifs);
        }
    }
    found.rows.sort_by_key(|row| row.text());
    found
}

impl Survey {
    fn port(&mut self, port: &Row, bridge: &str, host: &str, may_be_vif: bool) {
        let (name, bridge) = (port.str("name").to_owned(), bridge.to_owned());
        match owner(port) {
            Some(o) if o == host => self.rows.push(Removal::Port { name, bridge }),
            Some(o) => self.kept.push(format!(
                "port {name} on {bridge}: it was made by vifd of {o}, this is {host}"
            )),
            None if may_be_vif && port.key("other_config", "net_uuid").is_some() => {
                let tag = port.integer("tag").filter(|tag| *tag != DEAD_VLAN);
                self.rows.push(Removal::Vif { name, bridge, tag });
            }
            None => {}
        }
    }
}

fn owner(row: &Row) -> Option<&str> {
    row.key("external_ids", OWNER)
}

/// Removes rows in one transaction.
pub(super) async fn remove(
    switch: &mut Switch,
    rows: &[Removal],
    apply: Apply,
) -> Result<(), Failure> {
    let uuids: Vec<Option<Uuid>> = rows
        .iter()
        .map(|row| match row {
            Removal::Vif { name, .. } => lookup::port(&switch.replica, name).map(|(uuid, _)| uuid),
            _ => None,
        })
        .collect();
    let changed = switch
        .change(apply, |batch| {
            for (row, uuid) in rows.iter().zip(uuids) {
                match (row, uuid) {
                    (Removal::Bridge { name }, _) => batch.delete_bridge(name)?,
                    (Removal::Port { name, .. }, _) => batch.delete_port(name)?,
                    (Removal::Vif { .. }, Some(uuid)) => {
                        let table = ovsdb::vswitch::Port::NAME;
                        batch.set(table, uuid, columns([("tag", DEAD_VLAN)]))?;
                        batch.set_keys(
                            table,
                            uuid,
                            "other_config",
                            &HINT.map(|key| (key, None)),
                        )?;
                    }
                    _ => {}
                }
            }
            Ok(())
        })
        .await;
    changed.map(drop)
}
