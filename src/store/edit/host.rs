//! Hosts and where their tunnels end.

use std::net::IpAddr;

use serde::Deserialize;

use super::{EditError, Editor, checked_name, checked_tunnel_type, conflict, invalid, listed};
use crate::model::{Endpoint, HostName};
use crate::store::agents;

/// A host to be made. An agent makes its own when it starts; a host that runs none is made by hand.
#[derive(Clone, Default, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewHost {
    /// As in `[DEFAULT] host`.
    pub name: String,
    /// Where its tunnels end; absent: no tunnels.
    #[serde(default)]
    pub tunnel_ip: Option<String>,
    /// All types if empty.
    #[serde(default)]
    pub tunnel_types: Vec<String>,
}

/// What changes of a host.
#[derive(Clone, Default, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostChange {
    /// Another address, or `none`.
    #[serde(default)]
    pub tunnel_ip: Option<String>,
    /// Other types; those it has if empty.
    #[serde(default)]
    pub tunnel_types: Vec<String>,
}

impl Editor<'_> {
    /// Makes a host.
    pub fn create_host(&mut self, new: &NewHost) -> Result<(), EditError> {
        checked_name("host", &new.name)?;
        if new.name.is_empty() || new.name.chars().any(char::is_whitespace) {
            return invalid(format!("{:?} is not a host name", new.name));
        }
        if self.exists("SELECT 1 FROM hosts WHERE name = ?", &[(&new.name).into()])? {
            return conflict(format!(
                "there is a host {:?} already: change it with `vifd db host set`",
                new.name
            ));
        }
        self.store.execute(
            "INSERT INTO hosts (name, created_at) VALUES (?, ?)",
            &[(&new.name).into(), self.now.into()],
        )?;
        self.forget();
        self.set_tunnels(&new.name, new.tunnel_ip.as_deref(), &new.tunnel_types)
    }

    /// Changes where the tunnels of a host end. Its agent, if it has one, says again what it is configured for when it
    /// starts.
    pub fn set_host(&mut self, name: &str, change: &HostChange) -> Result<(), EditError> {
        self.host_exists(name)?;
        let ip = match &change.tunnel_ip {
            Some(ip) => Some(ip.clone()).filter(|ip| ip != "none"),
            None => {
                let sql = "SELECT ip FROM tunnel_endpoints WHERE host = ? ORDER BY tunnel_type";
                self.texts(sql, &[name.into()])?.into_iter().next()
            }
        };
        let types = match change.tunnel_types.is_empty() {
            true => self.texts(
                "SELECT tunnel_type FROM tunnel_endpoints WHERE host = ?",
                &[name.into()],
            )?,
            false => change.tunnel_types.clone(),
        };
        self.set_tunnels(name, ip.as_deref(), &types)
    }

    /// Removes a host; not while its agent lives or ports are bound to it.
    pub fn delete_host(&mut self, name: &str) -> Result<(), EditError> {
        self.host_exists(name)?;
        if self.exists(
            "SELECT 1 FROM agents WHERE host = ? AND stopped_at IS NULL AND heartbeat_at + 3 * heartbeat_every > ?",
            &[name.into(), self.now.into()],
        )? {
            return conflict(format!("the agent of host {name} lives: stop it first"));
        }
        let n_ports = self.count("SELECT count(*) FROM ports WHERE host = ?", &[name.into()])?;
        if n_ports > 0 {
            return conflict(format!(
                "{n_ports} ports are bound to host {name}: move or delete them first (`vifd db port list --host {name}`)"
            ));
        }
        self.store
            .execute("DELETE FROM hosts WHERE name = ?", &[name.into()])?;
        self.forget();
        Ok(())
    }

    fn host_exists(&mut self, name: &str) -> Result<(), EditError> {
        if self.exists("SELECT 1 FROM hosts WHERE name = ?", &[name.into()])? {
            return Ok(());
        }
        let hint = self.host_hint()?;
        Err(EditError::NotFound {
            kind: "host",
            name: name.to_owned(),
            hint,
        })
    }

    /// What hosts there are, for a message about one that is not.
    pub(super) fn host_hint(&mut self) -> Result<String, EditError> {
        let names = self.texts("SELECT name FROM hosts ORDER BY name LIMIT 9", &[])?;
        Ok(listed(&names, "; there are no hosts yet"))
    }

    fn set_tunnels(
        &mut self,
        host: &str,
        ip: Option<&str>,
        types: &[String],
    ) -> Result<(), EditError> {
        let mut endpoints = Vec::new();
        if let Some(text) = ip {
            let Ok(ip) = text.parse::<IpAddr>() else {
                return invalid(format!("the tunnel address {text:?} is not an IP address"));
            };
            if ip.is_unspecified() || ip.is_multicast() {
                return invalid(format!("{ip} can not be the address of one host"));
            }
            let all = ["vxlan".to_owned(), "gre".to_owned()];
            for kind in if types.is_empty() { &all } else { types } {
                let kind = checked_tunnel_type(kind)?;
                let endpoint = Endpoint {
                    host: HostName::from(host),
                    kind,
                    ip,
                };
                if !endpoints.contains(&endpoint) {
                    endpoints.push(endpoint);
                }
                let users = self.texts(
                    "SELECT host FROM tunnel_endpoints WHERE tunnel_type = ? AND ip = ? AND host <> ?",
                    &[kind.name().into(), ip.to_string().into(), host.into()],
                )?;
                if let Some(user) = users.first() {
                    return conflict(format!(
                        "{ip} is the {} tunnel address of host {user} already",
                        kind.name()
                    ));
                }
            }
        }
        agents::set_endpoints(self.store, host, &endpoints)?;
        Ok(())
    }
}
