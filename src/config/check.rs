//! From texts to a [`Config`]: every option once, then what must hold between them.

use std::path::Path;
use std::sync::Arc;

use super::ini::{Ini, Value};
use super::problem::{ConfigError, Problem};
use super::{Agent, Config, Database, Loaded, Log, Ovs, OvsdbAddress, Tls, names, parse};
use crate::model::{FirewallDriver, HostName};

pub(super) fn check(
    files: &[(&Path, String)],
    system_host: &str,
    mut problems: Vec<Problem>,
) -> Result<Loaded, ConfigError> {
    let mut ini = Ini::default();
    for (file, text) in files {
        ini.add(file, text, &mut problems);
    }
    let mut checker = Checker {
        ini: &ini,
        problems,
    };
    let config = checker.config(system_host);
    checker.relations(&config);
    if checker.problems.is_empty() {
        Ok(Loaded {
            config,
            warnings: names::unknown(&ini),
        })
    } else {
        let mut problems = checker.problems;
        problems.sort_by(|a, b| (a.place.is_none(), &a.place).cmp(&(b.place.is_none(), &b.place)));
        Err(ConfigError(problems))
    }
}

struct Checker<'a> {
    ini: &'a Ini,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn config(&mut self, system_host: &str) -> Config {
        Config {
            host: HostName(self.option("DEFAULT", "host", |text| {
                parse::host(if text.is_empty() { system_host } else { text })
            })),
            log: Log {
                level: self.option("DEFAULT", "log_level", parse::log_level),
                format: self.option("DEFAULT", "log_format", parse::log_format),
            },
            ovs: self.ovs(),
            agent: Agent {
                tunnel_types: self.option("agent", "tunnel_types", parse::tunnel_types),
                vxlan_udp_port: self
                    .option("agent", "vxlan_udp_port", |t| parse::number(t, 1, u16::MAX)),
                dont_fragment: self.option("agent", "dont_fragment", parse::boolean),
                tunnel_csum: self.option("agent", "tunnel_csum", parse::boolean),
                report_interval: self.option("agent", "report_interval", parse::seconds),
            },
            firewall: self.firewall(),
            database: Database {
                connection: self.option("database", "connection", parse::database),
                poll_interval: self.option("database", "poll_interval_ms", parse::milliseconds),
            },
            state_dir: self.option("vifd", "state_dir", parse::path),
            run_dir: self.option("vifd", "run_dir", parse::path),
            metrics_listen: self.option("vifd", "metrics_listen", parse::listen),
            own_tables: self.option("vifd", "own_tables", parse::boolean),
        }
    }

    fn firewall(&mut self) -> FirewallDriver {
        let driver = self.option("securitygroup", "firewall_driver", parse::firewall_driver);
        let enabled = self.option("securitygroup", "enable_security_group", parse::boolean);
        if enabled {
            driver
        } else {
            FirewallDriver::Noop
        }
    }

    fn ovs(&mut self) -> Ovs {
        let key = self.option("ovs", "ssl_key_file", parse::optional_path);
        let cert = self.option("ovs", "ssl_cert_file", parse::optional_path);
        let ca = self.option("ovs", "ssl_ca_cert_file", parse::optional_path);
        Ovs {
            integration_bridge: self.option("ovs", "integration_bridge", parse::device),
            tunnel_bridge: self.option("ovs", "tunnel_bridge", parse::device),
            int_peer_patch_port: self.option("ovs", "int_peer_patch_port", parse::device),
            tun_peer_patch_port: self.option("ovs", "tun_peer_patch_port", parse::device),
            bridge_mappings: self.option("ovs", "bridge_mappings", parse::bridge_mappings),
            datapath_type: self.option("ovs", "datapath_type", parse::datapath_type),
            local_ip: self.option("ovs", "local_ip", parse::local_ip),
            ovsdb_connection: self.option("ovs", "ovsdb_connection", parse::ovsdb_address),
            ovs_rundir: self.option("ovs", "ovs_rundir", parse::path),
            ovsdb_timeout: self.option("ovs", "ovsdb_timeout", parse::seconds),
            of_request_timeout: self.option("ovs", "of_request_timeout", parse::seconds),
            tls: match (key, cert, ca) {
                (Some(key), Some(cert), Some(ca)) => Some(Tls { key, cert, ca }),
                _ => None,
            },
        }
    }

    /// What a single option cannot tell.
    fn relations(&mut self, config: &Config) {
        let Config { ovs, agent, .. } = config;
        let given = |option| {
            self.ini
                .last("ovs", option)
                .is_some_and(|v| !v.text.is_empty())
        };
        let local_ip_given = given("local_ip");
        let all_tls = given("ssl_key_file") && given("ssl_cert_file") && given("ssl_ca_cert_file");
        if !agent.tunnel_types.is_empty() && ovs.local_ip.is_none() && !local_ip_given {
            self.wrong("agent", "tunnel_types", "tunnels need [ovs] local_ip: set it to an IPv4 or IPv6 address of this host, or leave tunnel_types empty");
        }
        if matches!(ovs.ovsdb_connection, OvsdbAddress::Ssl(_)) && !all_tls {
            self.wrong(
                "ovs",
                "ovsdb_connection",
                "ssl: needs ssl_key_file, ssl_cert_file and ssl_ca_cert_file",
            );
        }
        if ovs.integration_bridge == ovs.tunnel_bridge {
            self.wrong(
                "ovs",
                "tunnel_bridge",
                "it must differ from integration_bridge",
            );
        }
        if ovs.int_peer_patch_port == ovs.tun_peer_patch_port {
            self.wrong(
                "ovs",
                "tun_peer_patch_port",
                "it must differ from int_peer_patch_port",
            );
        }
        for mapping in &ovs.bridge_mappings {
            if mapping.bridge == ovs.integration_bridge || mapping.bridge == ovs.tunnel_bridge {
                let why = format!(
                    "{} is the integration or tunnel bridge: a physical network needs a bridge of its own",
                    mapping.bridge
                );
                self.wrong("ovs", "bridge_mappings", &why);
            }
        }
    }

    /// The option's value, or its default's if it cannot be used (which is noted).
    fn option<T>(
        &mut self,
        section: &str,
        name: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> T {
        let value = self.ini.last(section, name).cloned();
        let default = names::default_of(section, name).unwrap_or_default();
        if let Some(value) = &value {
            match substitute(self.ini, section, &value.text, 0).and_then(|text| parse(&text)) {
                Ok(parsed) => return parsed,
                Err(why) => self.note(section, name, value, &why),
            }
        }
        match parse(default) {
            Ok(parsed) => parsed,
            Err(why) if value.is_none() => {
                self.problems.push(Problem {
                    place: None,
                    text: format!(
                        "[{section}] {name} is not set, and its default cannot be used: {why}"
                    ),
                });
                self.stand_in(section, name, parse)
            }
            Err(_) => self.stand_in(section, name, parse),
        }
    }

    /// For options whose default comes from the system and could not be used: any valid text will do, the
    /// configuration is refused anyway.
    fn stand_in<T>(
        &self,
        section: &str,
        name: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> T {
        match parse("x") {
            Ok(parsed) => parsed,
            // The only default from outside is the host's name, for which this text is valid; the other defaults are
            // constants that `tests::defaults` reads.
            Err(why) => unreachable!("default of [{section}] {name}: {why}"),
        }
    }

    fn wrong(&mut self, section: &str, name: &str, why: &str) {
        match self.ini.last(section, name).cloned() {
            Some(value) => self.note(section, name, &value, why),
            None => {
                let default = names::default_of(section, name).unwrap_or_default();
                let text = format!("[{section}] {name} = {default} (the default): {why}");
                self.problems.push(Problem { place: None, text });
            }
        }
    }

    fn note(&mut self, section: &str, name: &str, value: &Value, why: &str) {
        let text = format!(
            "[{section}] {name} = {}: {why}",
            value.text.replace('\n', " ")
        );
        self.problems.push(Problem {
            place: Some(value.place.clone()),
            text,
        });
    }
}

/// Replaces `$name`, `${name}` and `${section.name}` by the value of that option; `$$` and `\$` stand for a dollar.
fn substitute(ini: &Ini, section: &str, text: &str, depth: u8) -> Result<String, String> {
    if depth > 8 {
        return Err("the options that it refers to refer to each other in a circle".to_owned());
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        if let Some(before) = before.strip_suffix('\\') {
            out.push_str(before);
            out.push('$');
            rest = after;
            continue;
        }
        out.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let (name, tail) = reference(after);
        if name.is_empty() {
            out.push('$');
            rest = after;
            continue;
        }
        out.push_str(&lookup(ini, section, name, depth)?);
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

/// The name at the start of what follows a dollar, and the text behind it.
fn reference(after: &str) -> (&str, &str) {
    if let Some((name, tail)) = after
        .strip_prefix('{')
        .and_then(|inner| inner.split_once('}'))
    {
        return (name, tail);
    }
    let end = after
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(after.len());
    after.split_at(end)
}

fn lookup(ini: &Ini, section: &str, name: &str, depth: u8) -> Result<String, String> {
    let candidates: Vec<(&str, &str)> = match name.split_once('.') {
        Some((section, option)) => vec![(section, option)],
        None => vec![(section, name), ("DEFAULT", name)],
    };
    for (section, option) in &candidates {
        if let Some(value) = ini.last(section, option) {
            return substitute(ini, section, &value.text, depth + 1);
        }
    }
    let default = candidates
        .iter()
        .find_map(|(section, option)| names::default_of(section, option));
    let known: Option<Arc<str>> = default.filter(|d| !d.is_empty()).map(Arc::from);
    known.map(|d| d.to_string()).ok_or_else(|| {
        format!("it refers to ${name}, which has no value (write $$ for a dollar sign)")
    })
}
