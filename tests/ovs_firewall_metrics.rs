//! The metrics of the firewall drivers, from an agent with wired ports.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use anyhow::{Context, Result};
use testbed::{Host, Join, PATIENCE, Site, Wires, wait_until};

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_vifd"))
}

/// Two groups, one of which names itself (both families), the other and an address group.
const GROUPS: &str = r#"
{"create": "address_group", "name": "offices", "addresses": ["198.51.100.0/24", "2001:db8::/64"]}
{"create": "group", "name": "shop", "no_rules": true}
{"create": "group", "name": "web", "no_rules": true}
{"create": "rule", "group": "web", "direction": "ingress", "protocol": "tcp", "ports": "22", "remote_address_group": "offices"}
{"create": "rule", "group": "web", "direction": "ingress", "remote_group": "web"}
{"create": "rule", "group": "web", "direction": "ingress", "ethertype": "IPv6", "remote_group": "web"}
{"create": "rule", "group": "web", "direction": "egress", "remote_group": "shop"}
"#;

fn scrape(host: &Host) -> Result<String> {
    let log = host.agent.log();
    let line = log.lines().find(|line| line.contains("metrics and health"));
    let address = line.and_then(|line| line.split("address=").nth(1));
    let address = address.context("the agent says where it listens")?.trim();
    host.hypervisor.namespace().run(|| {
        let mut stream = TcpStream::connect(address)?;
        let request = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes())?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    })
}

/// The lines of the firewall, once they are as they should be.
fn wait_for(host: &Host, wanted: &[&str]) -> Result<()> {
    let mut last = String::new();
    let seen = wait_until("the metrics follow", PATIENCE, || {
        last = scrape(host)?;
        let all = wanted.iter().all(|line| last.lines().any(|l| l == *line));
        Ok(all.then_some(()))
    });
    seen.with_context(|| format!("{wanted:#?} in\n{last}"))
}

fn counts_follow(driver: &str, join: Join, conjunctions: u32) -> Result<()> {
    let mut site = Site::new(program())?;
    site.add_host(|settings| {
        settings
            .with("securitygroup", format!("firewall_driver = {driver}"))
            .with("vifd", "metrics_listen = 127.0.0.1:0")
    })?;
    site.database
        .create_network("blue", &["--type", "vxlan", "--segmentation-id", "7"])?;
    site.database
        .json(&["subnet", "create", "--network", "blue", "10.1.0.0/16"])?;
    site.database.apply(GROUPS)?;
    let specs = site.create_ports(0, "blue", 1, 3)?;
    let put = |port: usize, groups: &str| {
        let id = &specs[port].port_id;
        format!(r#"{{"set": "port", "port": "{id}", "groups": {groups}}}"#)
    };
    let lines = [
        put(0, r#"["web"]"#),
        put(1, r#"["web"]"#),
        put(2, r#"["shop"]"#),
    ];
    site.database.apply(&lines.join("\n"))?;
    let wires = Wires::new(&site.hosts[0].hypervisor, &specs, join)?;
    site.hosts[0].start_agent()?;
    site.hosts[0].wait_bridge()?;
    wires.plug(&site.hosts[0].hypervisor, &[0, 1, 2])?;
    site.wait_status(&specs, "ACTIVE")?;
    let in_use = format!("vifd_firewall_conjunctions {conjunctions}");
    wait_for(
        &site.hosts[0],
        &[
            "vifd_firewall_ports 3",
            "vifd_firewall_profiles 2",
            "vifd_firewall_remotes{kind=\"group\"} 2",
            "vifd_firewall_remotes{kind=\"address_group\"} 1",
            // Two prefixes, two members of `web`, one of `shop`.
            "vifd_firewall_addresses 5",
            &in_use,
        ],
    )?;
    // One set of groups less, one member of `shop` less; then nobody names a set.
    site.database.apply(&put(2, r#"["web"]"#))?;
    wait_for(
        &site.hosts[0],
        &["vifd_firewall_profiles 1", "vifd_firewall_addresses 5"],
    )?;
    site.database.apply(&put(2, "[]"))?;
    wait_for(
        &site.hosts[0],
        &["vifd_firewall_profiles 2", "vifd_firewall_addresses 4"],
    )?;
    site.database
        .apply(&[put(0, "[]"), put(1, "[]")].join("\n"))?;
    // With nf_tables a port has its filter while it is bound to the host, plugged or not.
    wires.unplug(&site.hosts[0].hypervisor, &[1])?;
    let gone = &specs[1].port_id;
    site.database
        .apply(&format!(r#"{{"delete": "port", "port": "{gone}"}}"#))?;
    wait_for(
        &site.hosts[0],
        &[
            "vifd_firewall_ports 2",
            "vifd_firewall_profiles 1",
            "vifd_firewall_remotes{kind=\"group\"} 0",
            "vifd_firewall_remotes{kind=\"address_group\"} 0",
            "vifd_firewall_addresses 0",
            "vifd_firewall_conjunctions 0",
        ],
    )
}

#[test]
fn counts_follow_with_openflow() -> Result<()> {
    // `web` in both families, `shop`, and the address group: one each.
    counts_follow("openvswitch", Join::Direct, 4)
}

#[test]
fn counts_follow_with_nf_tables() -> Result<()> {
    counts_follow("nft", Join::Hybrid, 0)
}
