//! Networks and the segment that carries each.

use std::sync::Arc;

use serde::Deserialize;

use super::{EditError, Editor, Kind, checked_name, conflict, invalid};
use crate::model::NetworkType;
use crate::store::Value;
use crate::store::carrier::{MTU, network_type};

/// A network to be made.
#[derive(Clone, Default, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewNetwork {
    /// What people call it.
    pub name: String,
    /// `local`, `flat`, `vlan`, `gre` or `vxlan`.
    #[serde(rename = "type")]
    pub kind: String,
    /// For flat and vlan.
    #[serde(default)]
    pub physical_network: Option<String>,
    /// For vlan; for gre and vxlan the lowest free one if absent.
    #[serde(default)]
    pub segmentation_id: Option<i64>,
    /// Largest IP packet in bytes; what fits into 1500 with the tunnel's headers if absent.
    #[serde(default)]
    pub mtu: Option<i64>,
    /// Administratively up unless `false`.
    #[serde(default)]
    pub admin_up: Option<bool>,
    /// Random if absent.
    #[serde(default)]
    pub id: Option<String>,
}

/// What changes of a network.
#[derive(Clone, Default, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkChange {
    /// A new name.
    #[serde(default)]
    pub name: Option<String>,
    /// A new MTU.
    #[serde(default)]
    pub mtu: Option<i64>,
    /// Up or down.
    #[serde(default)]
    pub admin_up: Option<bool>,
}

impl Editor<'_> {
    /// Makes a network; its id.
    pub fn create_network(&mut self, new: &NewNetwork) -> Result<String, EditError> {
        checked_name("network", &new.name)?;
        let id = self.fresh_id(Kind::Network, new.id.as_deref())?;
        let physical_network = new.physical_network.as_deref().map(Arc::from);
        let mut number = Value::from(new.segmentation_id);
        if number.is_null() && (new.kind == "vxlan" || new.kind == "gre") {
            number = self.free_key(&new.kind)?.into();
        }
        let carrier = match network_type(&new.kind, physical_network.as_ref(), &number) {
            Ok(carrier) => carrier,
            Err(what) => return invalid(what),
        };
        let mtu = match new.mtu {
            Some(mtu) => checked_mtu(mtu)?,
            None => self.default_mtu(&carrier)?,
        };
        self.carrier_is_free(&carrier)?;
        self.store.execute(
            "INSERT INTO networks (id, name, admin_up, mtu, created_at) VALUES (?, ?, ?, ?, ?)",
            &[
                (&id).into(),
                (&new.name).into(),
                new.admin_up.unwrap_or(true).into(),
                mtu.into(),
                self.now.into(),
            ],
        )?;
        self.store.execute(
            "INSERT INTO segments (id, network_id, network_type, physical_network, segmentation_id, created_at) \
             VALUES (?, ?, ?, ?, ?, ?)",
            &[
                uuid::Uuid::new_v4().into(),
                (&id).into(),
                carrier.name().into(),
                carrier.physical_network().map(|name| &**name).into(),
                carrier.segmentation_id().into(),
                self.now.into(),
            ],
        )?;
        Ok(id)
    }

    /// Changes a network.
    pub fn set_network(&mut self, id: &str, change: &NetworkChange) -> Result<(), EditError> {
        if let Some(name) = &change.name {
            checked_name("network", name)?;
            self.set(Kind::Network, id, "name", name.into())?;
            self.forget();
        }
        if let Some(mtu) = change.mtu {
            self.set(Kind::Network, id, "mtu", checked_mtu(mtu)?.into())?;
        }
        if let Some(up) = change.admin_up {
            self.set(Kind::Network, id, "admin_up", up.into())?;
        }
        Ok(())
    }

    /// Removes a network with its subnets; not while it has ports.
    pub fn delete_network(&mut self, id: &str) -> Result<(), EditError> {
        let n_ports = self.count(
            "SELECT count(*) FROM ports WHERE network_id = ?",
            &[id.into()],
        )?;
        if n_ports > 0 {
            return conflict(format!(
                "network {id} has {n_ports} ports: delete them first (`vifd db port list --network {id}`)"
            ));
        }
        self.store
            .execute("DELETE FROM networks WHERE id = ?", &[id.into()])?;
        self.forget();
        Ok(())
    }

    /// The lowest tunnel key that no segment of the type has.
    fn free_key(&mut self, kind: &str) -> Result<i64, EditError> {
        let rows = self.store.query(
            "SELECT segmentation_id FROM segments WHERE network_type = ? AND segmentation_id > 0 ORDER BY \
             segmentation_id",
            &[kind.into()],
        )?;
        let used = rows.iter().filter_map(|row| row.first()?.int());
        Ok(used.fold(1, |free, used| if used == free { free + 1 } else { free }))
    }

    fn carrier_is_free(&mut self, carrier: &NetworkType) -> Result<(), EditError> {
        if *carrier == NetworkType::Local {
            return Ok(());
        }
        let users = self.texts(
            "SELECT n.name FROM segments s JOIN networks n ON n.id = s.network_id WHERE s.network_type = ? AND \
             coalesce(s.physical_network, '') = ? AND coalesce(s.segmentation_id, 0) = ?",
            &[
                carrier.name().into(),
                carrier.physical_network().map_or("", |name| &**name).into(),
                carrier.segmentation_id().unwrap_or(0).into(),
            ],
        )?;
        let Some(user) = users.first() else {
            return Ok(());
        };
        let what = match carrier {
            NetworkType::Flat { physical_network } => {
                return conflict(format!(
                    "physical network {physical_network} carries the flat network {user:?} already, and can carry only one"
                ));
            }
            NetworkType::Vlan {
                physical_network,
                vid,
            } => format!("VLAN {vid} of physical network {physical_network}"),
            other => format!(
                "{} key {}",
                other.name(),
                other.segmentation_id().unwrap_or(0)
            ),
        };
        conflict(format!(
            "{what} is used by network {user:?} already: choose another segmentation id"
        ))
    }

    fn default_mtu(&mut self, carrier: &NetworkType) -> Result<i64, EditError> {
        // Ethernet 14 + outer IPv4 20 (IPv6 40) + GRE with key 8, or UDP 8 + VXLAN 8.
        let overhead = match carrier.name() {
            "gre" => 42,
            "vxlan" => 50,
            _ => return Ok(1500),
        };
        let ipv6 = self.exists(
            "SELECT 1 FROM tunnel_endpoints WHERE ip LIKE '%:%' LIMIT 1",
            &[],
        )?;
        Ok(1500 - overhead - if ipv6 { 20 } else { 0 })
    }
}

fn checked_mtu(mtu: i64) -> Result<i64, EditError> {
    if MTU.contains(&mtu) {
        return Ok(mtu);
    }
    invalid(format!(
        "an MTU of {mtu} bytes is not in {}..={}",
        MTU.start(),
        MTU.end()
    ))
}
