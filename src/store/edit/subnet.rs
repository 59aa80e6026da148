//! Subnets.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;

use super::{EditError, Editor, Kind, checked_name, conflict, invalid};
use crate::store::Value;

/// A subnet to be made.
#[derive(Clone, Default, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewSubnet {
    /// Name or id of its network.
    pub network: String,
    /// Its addresses, such as `192.0.2.0/24`.
    pub cidr: String,
    /// The default gateway; the first address if absent, none if `none`.
    #[serde(default)]
    pub gateway: Option<String>,
    /// What people call it.
    #[serde(default)]
    pub name: String,
    /// Random if absent.
    #[serde(default)]
    pub id: Option<String>,
}

/// What changes of a subnet.
#[derive(Clone, Default, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubnetChange {
    /// A new name.
    #[serde(default)]
    pub name: Option<String>,
    /// Another gateway, or `none`.
    #[serde(default)]
    pub gateway: Option<String>,
}

impl Editor<'_> {
    /// Makes a subnet; its id.
    pub fn create_subnet(&mut self, new: &NewSubnet) -> Result<String, EditError> {
        checked_name("subnet", &new.name)?;
        let network = self.resolve(Kind::Network, &new.network)?;
        let cidr = checked_cidr(&new.cidr)?;
        let gateway = match new.gateway.as_deref() {
            None => usable(&cidr).map(|(first, _)| first),
            Some(text) => checked_gateway(&cidr, text)?,
        };
        for other in self.texts(
            "SELECT cidr FROM subnets WHERE network_id = ?",
            &[(&network).into()],
        )? {
            if let Ok(other) = other.parse::<IpNet>()
                && (other.contains(&cidr) || cidr.contains(&other))
            {
                return conflict(format!(
                    "{cidr} overlaps the subnet {other} of the same network"
                ));
            }
        }
        let id = self.fresh_id(Kind::Subnet, new.id.as_deref())?;
        self.store.execute(
            "INSERT INTO subnets (id, network_id, name, cidr, gateway, created_at) VALUES (?, ?, ?, ?, ?, ?)",
            &[
                (&id).into(),
                network.into(),
                (&new.name).into(),
                cidr.to_string().into(),
                gateway.map(|ip| ip.to_string()).into(),
                self.now.into(),
            ],
        )?;
        Ok(id)
    }

    /// Changes a subnet.
    pub fn set_subnet(&mut self, id: &str, change: &SubnetChange) -> Result<(), EditError> {
        if let Some(name) = &change.name {
            checked_name("subnet", name)?;
            self.set(Kind::Subnet, id, "name", name.into())?;
        }
        if let Some(text) = &change.gateway {
            let cidrs = self.texts("SELECT cidr FROM subnets WHERE id = ?", &[id.into()])?;
            let gateway = checked_gateway(
                &checked_cidr(cidrs.first().map_or("", String::as_str))?,
                text,
            )?;
            if let Some(ip) = gateway {
                let users = self.texts(
                    "SELECT port_id FROM fixed_ips WHERE subnet_id = ? AND ip = ?",
                    &[id.into(), ip.to_string().into()],
                )?;
                if let Some(port) = users.first() {
                    self.warnings.push(format!(
                        "the gateway {ip} is also an address of port {port}"
                    ));
                }
            }
            self.set(
                Kind::Subnet,
                id,
                "gateway",
                Value::from(gateway.map(|ip| ip.to_string())),
            )?;
        }
        self.forget();
        Ok(())
    }

    /// Removes a subnet; not while ports have addresses of it.
    pub fn delete_subnet(&mut self, id: &str) -> Result<(), EditError> {
        let n_ports = self.count(
            "SELECT count(DISTINCT port_id) FROM fixed_ips WHERE subnet_id = ?",
            &[id.into()],
        )?;
        if n_ports > 0 {
            return conflict(format!(
                "{n_ports} ports have addresses of subnet {id}: delete them or their addresses first"
            ));
        }
        self.store
            .execute("DELETE FROM subnets WHERE id = ?", &[id.into()])?;
        self.forget();
        Ok(())
    }
}

/// The first and last address that a station may have; `None` if the gateway would be the only one.
pub(super) fn usable(cidr: &IpNet) -> Option<(IpAddr, IpAddr)> {
    let hosts = cidr.max_prefix_len() - cidr.prefix_len();
    if hosts < 2 {
        return None;
    }
    match cidr {
        IpNet::V4(net) => {
            let (first, last) = (u32::from(net.network()) + 1, u32::from(net.broadcast()) - 1);
            Some((IpAddr::V4(first.into()), IpAddr::V4(last.into())))
        }
        // The all-zero address is the subnet-router anycast address (RFC 4291 §2.6.1).
        IpNet::V6(net) => {
            let (first, last) = (u128::from(net.network()) + 1, u128::from(net.broadcast()));
            Some((IpAddr::V6(first.into()), IpAddr::V6(last.into())))
        }
    }
}

fn checked_cidr(text: &str) -> Result<IpNet, EditError> {
    let Ok(cidr) = text.parse::<IpNet>() else {
        return invalid(format!(
            "{text:?} is not a prefix such as 192.0.2.0/24 or 2001:db8::/64"
        ));
    };
    if cidr.trunc() != cidr {
        return invalid(format!(
            "{cidr} has bits set behind its prefix: {} is meant?",
            cidr.trunc()
        ));
    }
    if cidr.network().is_multicast() || cidr.network().is_loopback() {
        return invalid(format!("{cidr} is a multicast or loopback prefix"));
    }
    Ok(cidr)
}

fn checked_gateway(cidr: &IpNet, text: &str) -> Result<Option<IpAddr>, EditError> {
    if text == "none" {
        return Ok(None);
    }
    let Ok(ip) = text.parse::<IpAddr>() else {
        return invalid(format!(
            "the gateway {text:?} is neither an IP address nor none"
        ));
    };
    let range = usable(cidr).unwrap_or((cidr.network(), cidr.broadcast()));
    if !(range.0..=range.1).contains(&ip) {
        return invalid(format!(
            "the gateway {ip} is not in {}..={}, the addresses of {cidr}",
            range.0, range.1
        ));
    }
    Ok(Some(ip))
}
