//! Ports: addresses are checked against the subnets of the network, or taken from them.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;
use uuid::Uuid;

use super::subnet::usable;
use super::{EditError, Editor, Kind, checked_mac, checked_name, conflict, invalid};
use crate::model::Mac;
use crate::store::Value;

/// A port to be made.
#[derive(Clone, Default, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPort {
    /// Name or id of its network.
    pub network: String,
    /// What people call it.
    #[serde(default)]
    pub name: String,
    /// Random, fa:16:3e:…, if absent.
    #[serde(default)]
    pub mac: Option<String>,
    /// Its addresses; absent: a free one of each family that the network has a subnet of.
    #[serde(default)]
    pub ips: Option<Vec<String>>,
    /// The host it is bound to.
    #[serde(default)]
    pub host: Option<String>,
    /// Administratively up unless `false`.
    #[serde(default)]
    pub admin_up: Option<bool>,
    /// Held to its addresses unless `false`.
    #[serde(default)]
    pub port_security: Option<bool>,
    /// Who uses it.
    #[serde(default)]
    pub device_owner: String,
    /// Prefixes or addresses it may use too, each perhaps followed by `,MAC`.
    #[serde(default)]
    pub allowed_addresses: Vec<String>,
    /// Names or ids of its security groups; absent: the default group, unless nothing would hold it to its rules.
    #[serde(default)]
    pub groups: Option<Vec<String>>,
    /// Random if absent.
    #[serde(default)]
    pub id: Option<String>,
}

/// What changes of a port.
#[derive(Clone, Default, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortChange {
    /// A new name.
    #[serde(default)]
    pub name: Option<String>,
    /// A new hardware address.
    #[serde(default)]
    pub mac: Option<String>,
    /// These addresses instead of those it has.
    #[serde(default)]
    pub ips: Option<Vec<String>>,
    /// Another host; empty unbinds it.
    #[serde(default)]
    pub host: Option<String>,
    /// Up or down.
    #[serde(default)]
    pub admin_up: Option<bool>,
    /// Held to its addresses or not.
    #[serde(default)]
    pub port_security: Option<bool>,
    /// Who uses it.
    #[serde(default)]
    pub device_owner: Option<String>,
    /// These pairs instead of those it has.
    #[serde(default)]
    pub allowed_addresses: Option<Vec<String>>,
    /// These security groups instead of those it is in.
    #[serde(default)]
    pub groups: Option<Vec<String>>,
}

/// The free addresses of a subnet, as far as they were asked for.
pub(super) struct Pool {
    cidr: IpNet,
    used: BTreeSet<IpAddr>,
    next: u128,
}

impl Editor<'_> {
    /// Makes a port; its id.
    pub fn create_port(&mut self, new: &NewPort) -> Result<String, EditError> {
        checked_name("port", &new.name)?;
        let network = self.resolve(Kind::Network, &new.network)?;
        let id = self.fresh_id(Kind::Port, new.id.as_deref())?;
        let mac = match &new.mac {
            Some(text) => {
                let mac = checked_mac(text)?;
                self.mac_is_free(&network, mac, &id)?;
                mac
            }
            None => self.free_mac(&network)?,
        };
        let host = new.host.as_deref().filter(|host| !host.is_empty());
        if let Some(host) = host {
            self.expect_host(host)?;
        }
        self.store.execute(
            "INSERT INTO ports (id, network_id, name, mac, admin_up, host, device_owner, port_security, status, \
             created_at, bound_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'BUILD', ?, ?)",
            &[
                (&id).into(),
                (&network).into(),
                (&new.name).into(),
                mac.to_string().into(),
                new.admin_up.unwrap_or(true).into(),
                host.into(),
                (&new.device_owner).into(),
                new.port_security.unwrap_or(true).into(),
                self.now.into(),
                host.map(|_| self.now).into(),
            ],
        )?;
        self.give_addresses(&id, &network, new.ips.as_deref())?;
        self.give_pairs(&id, &new.allowed_addresses)?;
        let trusted = new.device_owner.starts_with("network:");
        match &new.groups {
            Some(groups) => {
                self.join_groups(&id, Some(groups))?;
                self.expect_enforcement(&id)?;
            }
            None if trusted || new.port_security == Some(false) => {}
            None => self.join_groups(&id, None)?,
        }
        Ok(id)
    }

    /// Changes a port.
    pub fn set_port(&mut self, id: &str, change: &PortChange) -> Result<(), EditError> {
        let network = self.texts("SELECT network_id FROM ports WHERE id = ?", &[id.into()])?;
        let network = network.into_iter().next().unwrap_or_default();
        if let Some(name) = &change.name {
            checked_name("port", name)?;
            self.set(Kind::Port, id, "name", name.into())?;
        }
        if let Some(text) = &change.mac {
            let mac = checked_mac(text)?;
            self.mac_is_free(&network, mac, id)?;
            self.set(Kind::Port, id, "mac", mac.to_string().into())?;
        }
        if let Some(up) = change.admin_up {
            self.set(Kind::Port, id, "admin_up", up.into())?;
        }
        if let Some(on) = change.port_security {
            self.set(Kind::Port, id, "port_security", on.into())?;
        }
        if let Some(owner) = &change.device_owner {
            self.set(Kind::Port, id, "device_owner", owner.into())?;
        }
        if let Some(ips) = &change.ips {
            self.store
                .execute("DELETE FROM fixed_ips WHERE port_id = ?", &[id.into()])?;
            self.forget();
            self.give_addresses(id, &network, Some(ips))?;
        }
        if let Some(pairs) = &change.allowed_addresses {
            self.store
                .execute("DELETE FROM address_pairs WHERE port_id = ?", &[id.into()])?;
            self.give_pairs(id, pairs)?;
        }
        if let Some(host) = &change.host {
            self.bind(id, Some(host.as_str()).filter(|host| !host.is_empty()))?;
        }
        if let Some(groups) = &change.groups {
            self.join_groups(id, Some(groups))?;
        }
        if change.groups.is_some() || change.port_security == Some(false) {
            self.expect_enforcement(id)?;
        }
        self.resolved.clear();
        Ok(())
    }

    /// Removes a port with its addresses.
    pub fn delete_port(&mut self, id: &str) -> Result<(), EditError> {
        for (table, what) in [
            ("router_interfaces", "the interface of a router"),
            ("floating_ips", "used by a floating IP"),
        ] {
            if self.exists(
                &format!("SELECT 1 FROM {table} WHERE port_id = ?"),
                &[id.into()],
            )? {
                return conflict(format!("port {id} is {what}: remove that first"));
            }
        }
        self.store
            .execute("DELETE FROM ports WHERE id = ?", &[id.into()])?;
        self.forget();
        Ok(())
    }

    /// A port that goes to another host is to be built there: what the old host said of it is not true any more.
    fn bind(&mut self, id: &str, host: Option<&str>) -> Result<(), EditError> {
        if let Some(host) = host {
            self.expect_host(host)?;
        }
        let now = self.texts(
            "SELECT coalesce(host, '') FROM ports WHERE id = ?",
            &[id.into()],
        )?;
        if now.first().map(String::as_str) == Some(host.unwrap_or("")) {
            return Ok(());
        }
        let status = if host.is_some() { "BUILD" } else { "DOWN" };
        self.store.execute(
            "UPDATE ports SET host = ?, status = ?, bound_at = ?, binding_error = NULL, seen_at = NULL, \
             wired_at = NULL, active_at = NULL WHERE id = ?",
            &[host.into(), status.into(), host.map(|_| self.now).into(), id.into()],
        )?;
        Ok(())
    }

    /// A host that nobody knows may yet come, but more often it is a slip.
    fn expect_host(&mut self, host: &str) -> Result<(), EditError> {
        if self.known_hosts.contains_key(host) {
            return Ok(());
        }
        checked_name("host", host)?;
        let known = self.exists("SELECT 1 FROM hosts WHERE name = ?", &[host.into()])?;
        if !known {
            let hint = self.host_hint()?;
            self.warnings.push(format!(
                "host {host:?} is not known{hint}: the port waits until its agent starts"
            ));
        }
        self.known_hosts.insert(host.to_owned(), known);
        Ok(())
    }

    /// Of 2^24 addresses, two among some thousand are likely to be equal: so look.
    fn free_mac(&mut self, network: &str) -> Result<Mac, EditError> {
        const TRIES: usize = 100;
        for _ in 0..TRIES {
            let mac = random_mac();
            let taken = "SELECT 1 FROM ports WHERE network_id = ? AND mac = ?";
            if !self.exists(taken, &[network.into(), mac.to_string().into()])? {
                return Ok(mac);
            }
        }
        conflict(format!(
            "no free hardware address was found on network {network}: give one"
        ))
    }

    fn mac_is_free(&mut self, network: &str, mac: Mac, port: &str) -> Result<(), EditError> {
        let users = self.texts(
            "SELECT id FROM ports WHERE network_id = ? AND mac = ? AND id <> ?",
            &[network.into(), mac.to_string().into(), port.into()],
        )?;
        match users.first() {
            Some(user) => conflict(format!(
                "{mac} is the address of port {user} on the same network already"
            )),
            None => Ok(()),
        }
    }

    fn give_addresses(
        &mut self,
        port: &str,
        network: &str,
        ips: Option<&[String]>,
    ) -> Result<(), EditError> {
        let subnets = self.load_pools(network)?;
        let mut given = Vec::new();
        match ips {
            Some(ips) => {
                for text in ips {
                    given.push(self.claim(network, &subnets, text)?);
                }
            }
            None => {
                for ipv6 in [false, true] {
                    let family = |id: &&String| {
                        self.pools
                            .get(*id)
                            .is_some_and(|pool| pool.cidr.addr().is_ipv6() == ipv6)
                    };
                    let of_family: Vec<String> = subnets.iter().filter(family).cloned().collect();
                    given.extend(self.allocate(network, &of_family)?);
                }
            }
        }
        for (subnet, ip) in given {
            self.store.execute(
                "INSERT INTO fixed_ips (port_id, subnet_id, ip) VALUES (?, ?, ?)",
                &[port.into(), subnet.into(), ip.to_string().into()],
            )?;
        }
        Ok(())
    }

    /// The subnets of the network, oldest first; their pools are loaded afterwards.
    fn load_pools(&mut self, network: &str) -> Result<Vec<String>, EditError> {
        let rows = self.store.query(
            "SELECT id, cidr, gateway FROM subnets WHERE network_id = ? ORDER BY created_at, id",
            &[network.into()],
        )?;
        let mut ids = Vec::new();
        for row in rows {
            let [Value::Text(id), Value::Text(cidr), gateway] = row.as_slice() else {
                continue;
            };
            let Ok(cidr) = cidr.parse::<IpNet>() else {
                continue;
            };
            if !self.pools.contains_key(id) {
                let taken =
                    self.texts("SELECT ip FROM fixed_ips WHERE subnet_id = ?", &[id.into()])?;
                let gateway = gateway.text().map(str::to_owned);
                let used = taken
                    .iter()
                    .chain(&gateway)
                    .filter_map(|ip| ip.parse().ok())
                    .collect();
                self.pools.insert(
                    id.clone(),
                    Pool {
                        cidr,
                        used,
                        next: 0,
                    },
                );
            }
            ids.push(id.clone());
        }
        Ok(ids)
    }

    fn claim(
        &mut self,
        network: &str,
        subnets: &[String],
        text: &str,
    ) -> Result<(String, IpAddr), EditError> {
        let Ok(ip) = text.parse::<IpAddr>() else {
            return invalid(format!("{text:?} is not an IP address"));
        };
        for id in subnets {
            let Some(pool) = self.pools.get_mut(id) else {
                continue;
            };
            if !pool.cidr.contains(&ip) {
                continue;
            }
            let cidr = pool.cidr;
            if let Some((first, last)) = usable(&cidr)
                && !(first..=last).contains(&ip)
            {
                return invalid(format!(
                    "{ip} is not in {first}..={last}, the addresses that stations of {cidr} may have"
                ));
            }
            if pool.used.insert(ip) {
                return Ok((id.clone(), ip));
            }
            let user = self.texts(
                "SELECT port_id FROM fixed_ips WHERE subnet_id = ? AND ip = ?",
                &[id.into(), ip.to_string().into()],
            )?;
            return match user.first() {
                Some(port) => conflict(format!("{ip} is an address of port {port} already")),
                // Routers and the like own the gateway's address.
                None if self.is_gateway(id, ip)? => {
                    self.warnings
                        .push(format!("{ip} is the gateway of its subnet"));
                    Ok((id.clone(), ip))
                }
                None => conflict(format!("{ip} is given twice")),
            };
        }
        let cidrs: Vec<String> = subnets
            .iter()
            .filter_map(|id| Some(self.pools.get(id)?.cidr.to_string()))
            .collect();
        match cidrs.is_empty() {
            true => invalid(format!(
                "{ip}: network {network} has no subnets, make one with `vifd db subnet create`"
            )),
            false => invalid(format!(
                "{ip} is in no subnet of network {network}: {}",
                cidrs.join(", ")
            )),
        }
    }

    fn is_gateway(&mut self, subnet: &str, ip: IpAddr) -> Result<bool, EditError> {
        self.exists(
            "SELECT 1 FROM subnets WHERE id = ? AND gateway = ?",
            &[subnet.into(), ip.to_string().into()],
        )
    }

    /// A free address of the first of these subnets that has one; none without subnets.
    fn allocate(
        &mut self,
        network: &str,
        subnets: &[String],
    ) -> Result<Option<(String, IpAddr)>, EditError> {
        for id in subnets {
            if let Some(ip) = self.pools.get_mut(id).and_then(Pool::take) {
                return Ok(Some((id.clone(), ip)));
            }
        }
        match subnets.is_empty() {
            true => Ok(None),
            false => conflict(format!(
                "no address is free on network {network}: add a subnet, delete ports, or make the port without addresses"
            )),
        }
    }

    fn give_pairs(&mut self, port: &str, pairs: &[String]) -> Result<(), EditError> {
        for text in pairs {
            let (prefix, mac) = match text.split_once(',') {
                Some((prefix, mac)) => (prefix, checked_mac(mac.trim())?.to_string()),
                None => (text.as_str(), String::new()),
            };
            let prefix = match (
                prefix.trim().parse::<IpNet>(),
                prefix.trim().parse::<IpAddr>(),
            ) {
                (Ok(net), _) => net.trunc(),
                (_, Ok(ip)) => IpNet::from(ip),
                _ => {
                    return invalid(format!(
                        "{text:?} is not PREFIX or PREFIX,MAC such as 192.0.2.0/24,fa:16:3e:00:00:01"
                    ));
                }
            };
            let row: [Value; 3] = [port.into(), prefix.to_string().into(), mac.into()];
            if !self.exists(
                "SELECT 1 FROM address_pairs WHERE port_id = ? AND prefix = ? AND mac = ?",
                &row,
            )? {
                self.store.execute(
                    "INSERT INTO address_pairs (port_id, prefix, mac) VALUES (?, ?, ?)",
                    &row,
                )?;
            }
        }
        Ok(())
    }
}

impl Pool {
    /// The lowest free address, which is not free afterwards.
    fn take(&mut self) -> Option<IpAddr> {
        let (first, last) = usable(&self.cidr)?;
        let (first, last) = (number(first), number(last));
        let mut candidate = first.max(self.next);
        while candidate <= last {
            let ip = match self.cidr {
                IpNet::V4(_) => IpAddr::V4(u32::try_from(candidate).ok()?.into()),
                IpNet::V6(_) => IpAddr::V6(candidate.into()),
            };
            candidate += 1;
            if self.used.insert(ip) {
                self.next = candidate;
                return Some(ip);
            }
        }
        None
    }
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(u32::from(ip)),
        IpAddr::V6(ip) => u128::from(ip),
    }
}

/// fa:16:3e is the locally administered prefix that OpenStack uses for virtual interfaces.
fn random_mac() -> Mac {
    let [a, b, c, ..] = Uuid::new_v4().into_bytes();
    Mac([0xfa, 0x16, 0x3e, a, b, c])
}
