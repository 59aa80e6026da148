//! Security groups through the program itself: `vifd db` makes them, the agents of two hosts are told them, and where
//! nothing enforces them that is said.

use std::path::Path;

use anyhow::Result;
use serde_json::Value;
use testbed::{PATIENCE, Site, wait_until};

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_vifd"))
}

/// What the agent of a host was told, once it is as wanted.
fn desired(site: &Site, host: usize, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    wait_until("the agent is told", PATIENCE, || {
        let text = site.hosts[host]
            .agent
            .command(&["dump", "desired", "--json"])?;
        let dump: Value = serde_json::from_str(&text)?;
        Ok(wanted(&dump).then_some(dump))
    })
}

#[test]
fn from_the_command_line_to_two_agents() -> Result<()> {
    let mut site = Site::new(program())?;
    site.add_host(|settings| settings)?.start_agent()?;
    site.add_host(|settings| settings.with("securitygroup", "firewall_driver = openvswitch"))?
        .start_agent()?;
    let log = |site: &Site, host: usize, words: &str| {
        wait_until(words, PATIENCE, || {
            Ok(site.hosts[host].agent.log().contains(words).then_some(()))
        })
    };
    log(
        &site,
        0,
        "security groups are not enforced: firewall_driver is noop",
    )?;
    log(
        &site,
        1,
        "security groups are enforced driver=\"openvswitch\"",
    )?;

    site.database
        .create_network("blue", &["--type", "vxlan", "--segmentation-id", "5001"])?;
    site.database
        .json(&["subnet", "create", "--network", "blue", "10.1.0.0/24"])?;
    for command in [
        "group create web --description shop",
        "address-group create offices 198.51.100.0/24",
        "rule create --group web --ingress --protocol tcp --port 80:443 --remote-prefix 10.0.0.0/8",
        "rule create --group web --ingress --icmp-type 8 --icmp-code 0",
        "rule create --group web --ingress --protocol tcp --port 22 --remote-address-group offices",
    ] {
        site.database
            .command(&command.split(' ').collect::<Vec<_>>())?;
    }
    for (name, host, group) in [
        ("vm1", "hv1", "web"),
        ("vm2", "hv2", "web"),
        ("vm3", "hv1", "default"),
        ("vm4", "hv2", "default"),
    ] {
        let create =
            format!("port create --network blue --name {name} --host {host} --group {group}");
        let output = site
            .database
            .try_command(&create.split(' ').collect::<Vec<_>>())?;
        assert!(output.status.success(), "{output:?}");
        let warned = String::from_utf8_lossy(&output.stderr)
            .contains("nothing enforces security groups on host hv1: set [securitygroup]");
        assert_eq!(warned, host == "hv1", "{output:?}");
    }
    log(
        &site,
        0,
        "ports are in security groups, but nothing enforces them on this host",
    )?;
    let shown = site.database.command(&["port", "show", "vm1"])?;
    assert!(
        shown.contains("web  (not enforced: [securitygroup] firewall_driver is noop on host hv1)"),
        "{shown}"
    );
    let shown = site.database.command(&["port", "show", "vm2"])?;
    assert!(shown.contains("groups         web\n"), "{shown}");
    let listed = site
        .database
        .try_command(&["rule", "list", "--port", "vm1"])?;
    let err = String::from_utf8_lossy(&listed.stderr).into_owned();
    assert!(err.contains("none of this is enforced"), "{err}");
    let host = site.database.command(&["host", "show", "hv2"])?;
    assert!(host.contains("firewall driver  openvswitch"), "{host}");

    // Both are told the groups, and the one that enforces them the members on both hosts.
    let rules = |dump: &Value, name: &str| -> Vec<String> {
        let groups = dump["groups"].as_array().into_iter().flatten();
        let rules = groups
            .filter(|group| group["name"] == name)
            .flat_map(|group| group["rules"].as_array().into_iter().flatten());
        let mut rules: Vec<String> = rules
            .map(|rule| rule["allows"].as_str().unwrap_or_default().to_owned())
            .collect();
        rules.sort();
        rules
    };
    let both = |dump: &Value| dump["groups"].as_array().is_some_and(|g| g.len() == 2);
    let first = desired(&site, 0, both)?;
    assert_eq!(first["sets"], serde_json::json!([]));
    let second = desired(&site, 1, |dump| {
        let sets = dump["sets"].as_array();
        both(dump) && sets.is_some_and(|sets| sets.iter().any(|set| set["members"] == 2))
    })?;
    for dump in [&first, &second] {
        let offices = rules(dump, "web")
            .into_iter()
            .filter(|rule| rule.starts_with("ingress IPv4 tcp 22 from addresses "));
        assert_eq!(offices.count(), 1);
        let rest: Vec<_> = rules(dump, "web")
            .into_iter()
            .filter(|rule| !rule.contains("addresses"))
            .collect();
        assert_eq!(
            rest,
            [
                "egress IPv4 any protocol to anywhere",
                "egress IPv6 any protocol to anywhere",
                "ingress IPv4 icmp type 8 code 0 from anywhere",
                "ingress IPv4 tcp 80:443 from 10.0.0.0/8",
            ]
        );
        assert_eq!(
            rules(dump, "default"),
            [
                "egress IPv4 any protocol to anywhere",
                "egress IPv6 any protocol to anywhere",
                "ingress IPv4 any protocol from group default",
                "ingress IPv6 any protocol from group default",
            ]
        );
    }
    let offices = second["sets"].as_array().into_iter().flatten();
    let offices: Vec<&Value> = offices.filter(|set| set["kind"] == "addresses").collect();
    assert_eq!(offices.len(), 1);
    assert_eq!(
        offices[0]["addresses"],
        serde_json::json!(["198.51.100.0/24"])
    );
    let text = site.hosts[1].agent.command(&["dump", "desired"])?;
    assert!(
        text.contains("ingress IPv4 tcp 80:443 from 10.0.0.0/8"),
        "{text}"
    );

    // A member that leaves on one host is gone on the other.
    site.database
        .command(&["port", "set", "vm3", "--no-group"])?;
    desired(&site, 1, |dump| {
        let mut sets = dump["sets"].as_array().into_iter().flatten();
        sets.any(|set| set["kind"] == "group" && set["members"] == 1)
    })?;
    Ok(())
}
