//! Ports on a real switch: wired, isolated, taken down, deleted; and what is not ours stays as it is.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use testbed::{PATIENCE, PHYSICAL_NETWORK, PlugSpec, Site, Vm, probe, wait_until};

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_vifd"))
}

/// The five types: name, options of `network create`, second byte of the subnet.
const NETWORKS: [(&str, &[&str], u8); 5] = [
    ("local", &["--type", "local"], 1),
    (
        "flat",
        &["--type", "flat", "--physical-network", PHYSICAL_NETWORK],
        2,
    ),
    (
        "vlan",
        &[
            "--type",
            "vlan",
            "--physical-network",
            PHYSICAL_NETWORK,
            "--segmentation-id",
            "101",
        ],
        3,
    ),
    ("gre", &["--type", "gre", "--segmentation-id", "5002"], 4),
    (
        "vxlan",
        &["--type", "vxlan", "--segmentation-id", "5001"],
        5,
    ),
];

fn create_networks(site: &Site) -> Result<()> {
    for (name, options, subnet) in NETWORKS {
        site.database.create_network(name, options)?;
        let cidr = format!("10.{subnet}.0.0/16");
        site.database
            .json(&["subnet", "create", "--network", name, &cidr])?;
    }
    Ok(())
}

fn reaches(from: &Vm, to: &PlugSpec, limit: Duration) -> Result<bool> {
    let (target, _) = to.address.expect("the tests give addresses");
    probe::ping(from.namespace(), target, limit)
}

fn tag(site: &Site, host: usize, tap: &str) -> Result<String> {
    let tag = site.hosts[host]
        .hypervisor
        .switch
        .vsctl(&["get", "Port", tap, "tag"])?;
    Ok(tag.trim().to_owned())
}

#[test]
fn all_five_types_carry_packets_and_keep_apart() -> Result<()> {
    let mut site = Site::with_hosts(program(), 2)?;
    create_networks(&site)?;
    let mut vms: Vec<Vec<Vm>> = Vec::new();
    let mut ports: Vec<Vec<PlugSpec>> = Vec::new();
    for host in 0..2 {
        let mut specs = Vec::new();
        for (name, _, subnet) in NETWORKS {
            specs.extend(site.create_ports(host, name, subnet, 2)?);
        }
        vms.push(site.plug_and_wait(host, &specs)?);
        ports.push(specs);
    }
    for host in &mut site.hosts {
        host.wait_settled()?;
    }
    for (i, (name, ..)) in NETWORKS.iter().enumerate() {
        let from = &vms[0][2 * i];
        assert!(
            reaches(from, &ports[0][2 * i + 1], PATIENCE)?,
            "{name}: same host"
        );
        let crosses = reaches(
            from,
            &ports[1][2 * i],
            Duration::from_secs(if i == 0 { 1 } else { 20 }),
        )?;
        let dumps = || -> Result<String> {
            let mut text = String::new();
            for host in &site.hosts {
                for dump in host.flows()? {
                    text += &format!("{dump}\n--\n");
                }
                text += &host.hypervisor.diagnosis();
            }
            Ok(text)
        };
        assert_eq!(
            crosses,
            *name != "local",
            "{name}: other host\n{}",
            dumps()?
        );
    }
    // All addresses are on one link as far as the VMs can tell: only the switch keeps networks apart.
    for (i, (name, ..)) in NETWORKS.iter().enumerate() {
        let from = &vms[0][2 * i];
        for (j, (other, ..)) in NETWORKS.iter().enumerate().filter(|(j, _)| *j != i) {
            for (host, specs) in ports.iter().enumerate() {
                assert!(
                    !reaches(from, &specs[2 * j], Duration::from_millis(150))?,
                    "{name} reaches {other} on hv{}",
                    host + 1
                );
            }
        }
    }
    Ok(())
}

/// What the planner has asked for so far.
fn counters(site: &Site) -> Result<serde_json::Value> {
    Ok(site.hosts[0].agent.json(&["status"])?["counters"].clone())
}

#[test]
fn one_more_port_is_one_transaction_and_one_barrier() -> Result<()> {
    let mut site = Site::with_hosts(program(), 1)?;
    create_networks(&site)?;
    let there = site.create_ports(0, "vxlan", 5, 8)?;
    let _vms = site.plug_and_wait(0, &there)?;
    site.hosts[0].wait_settled()?;
    let known = site.create_ports(0, "vxlan", 5, 1)?;
    site.hosts[0].wait_settled()?;
    let before = counters(&site)?;
    let _more = site.plug_and_wait(0, &known)?;
    site.hosts[0].wait_settled()?;
    let after = counters(&site)?;
    let grown = |name: &str| {
        let at = |counters: &serde_json::Value| counters[name].as_u64().unwrap_or(0);
        at(&after) - at(&before)
    };
    let text = format!("{before} -> {after}");
    for name in [
        "flow_batches",
        "row_batches",
        "rows",
        "report_batches",
        "reports",
    ] {
        assert_eq!(grown(name), 1, "{name}: {text}");
    }
    assert!(
        grown("flows") <= 8 && grown("cells_rendered") <= 30,
        "{text}"
    );
    Ok(())
}

#[test]
fn tunnels_between_ipv6_endpoints_carry_packets() -> Result<()> {
    let mut site = Site::new(program())?;
    create_networks(&site)?;
    for n in 1..=2 {
        let local_ip = format!("local_ip = 2001:db8::{n}");
        let host = site.add_host(|settings| settings.with("ovs", &local_ip))?;
        host.hypervisor.add_ipv6_tunnel_address()?;
        host.start_agent()?;
    }
    let tunnelled: Vec<_> = NETWORKS
        .iter()
        .filter(|n| ["gre", "vxlan"].contains(&n.0))
        .collect();
    let (mut vms, mut ports) = (Vec::new(), Vec::new());
    for host in 0..2 {
        let mut specs = Vec::new();
        for (name, _, subnet) in &tunnelled {
            specs.extend(site.create_ports(host, name, *subnet, 1)?);
        }
        vms.push(site.plug_and_wait(host, &specs)?);
        ports.push(specs);
    }
    for host in &mut site.hosts {
        host.wait_settled()?;
    }
    for (i, (name, ..)) in tunnelled.iter().enumerate() {
        assert!(
            reaches(&vms[0][i], &ports[1][i], PATIENCE)?,
            "{name}\n{}\n{}",
            site.hosts[0].hypervisor.diagnosis(),
            site.hosts[1].hypervisor.diagnosis()
        );
    }
    let kinds = site.hosts[0].hypervisor.switch.vsctl(&[
        "--bare",
        "--columns=type",
        "find",
        "Interface",
        "options:remote_ip=\"2001:db8::2\"",
    ])?;
    let mut kinds: Vec<&str> = kinds.split_whitespace().collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["ip6gre", "vxlan"], "no IPv4 tunnel carried this");
    Ok(())
}

#[test]
fn a_tap_may_come_before_its_port_or_after() -> Result<()> {
    let mut site = Site::with_hosts(program(), 1)?;
    create_networks(&site)?;
    // After.
    let known = site.create_ports(0, "vxlan", 5, 1)?;
    let first = site.plug_and_wait(0, &known)?;
    // Before: an iface-id nobody knows stays on the dead VLAN, also if it was plugged without a tag.
    let unknown = testbed::new_specs(1, 5, 1)?;
    let second = site.hosts[0].hypervisor.make_vms(&unknown)?;
    site.hosts[0].hypervisor.plug(&second)?;
    site.hosts[0]
        .hypervisor
        .switch
        .vsctl(&["clear", "Port", second[0].tap(), "tag"])?;
    wait_until("an unknown port is put on the dead VLAN", PATIENCE, || {
        Ok((tag(&site, 0, second[0].tap())? == "4095").then_some(()))
    })?;
    ensure!(
        !reaches(&first[0], &unknown[0], Duration::from_millis(500))?,
        "an unknown port answers"
    );
    let spec = &unknown[0];
    let ip = spec.address.expect("has one").0.to_string();
    let (id, mac) = (&spec.port_id, &spec.mac);
    site.database.create_port(
        "vxlan",
        &["--id", id, "--mac", mac, "--ip", &ip, "--host", "hv1"],
    )?;
    let rows = site.wait_status(&unknown, "ACTIVE")?;
    assert_ne!(tag(&site, 0, second[0].tap())?, "4095");
    assert!(reaches(&first[0], spec, PATIENCE)?);
    let row = &rows[0];
    assert!(
        row.seen_at.is_some() && row.seen_at <= row.wired_at && row.wired_at <= row.active_at,
        "{row:?}"
    );
    Ok(())
}

#[test]
fn admin_down_unbound_unplugged_deleted() -> Result<()> {
    let mut site = Site::with_hosts(program(), 1)?;
    create_networks(&site)?;
    let specs = site.create_ports(0, "vlan", 3, 3)?;
    let mut vms = site.plug_and_wait(0, &specs)?;
    site.hosts[0].wait_settled()?;
    let wired = tag(&site, 0, vms[0].tap())?;

    site.database
        .command(&["port", "set", &specs[0].port_id, "--admin-down"])?;
    site.wait_status(&specs[..1], "DOWN")?;
    assert_eq!(tag(&site, 0, vms[0].tap())?, "4095");
    assert!(
        !reaches(&vms[1], &specs[0], Duration::from_millis(500))?,
        "a port that is down answers"
    );
    assert!(
        reaches(&vms[1], &specs[2], PATIENCE)?,
        "the others are not concerned"
    );
    site.database
        .command(&["port", "set", &specs[0].port_id, "--admin-up"])?;
    site.wait_status(&specs[..1], "ACTIVE")?;
    assert_eq!(tag(&site, 0, vms[0].tap())?, wired, "the local VLAN stays");
    assert!(reaches(&vms[1], &specs[0], PATIENCE)?);

    // Unplugged: DOWN; plugged again: ACTIVE.
    site.hosts[0].hypervisor.unplug(&vms[..1])?;
    site.wait_status(&specs[..1], "DOWN")?;
    site.hosts[0].hypervisor.plug(&vms[..1])?;
    site.wait_status(&specs[..1], "ACTIVE")?;
    assert!(reaches(&vms[1], &specs[0], PATIENCE)?);

    // Deleted while plugged: dead VLAN, and no flow names it any more.
    site.database
        .command(&["port", "delete", &specs[0].port_id])?;
    wait_until("a deleted port is on the dead VLAN", PATIENCE, || {
        Ok((tag(&site, 0, vms[0].tap())? == "4095").then_some(()))
    })?;
    site.hosts[0].wait_settled()?;
    let dump = site.hosts[0].flows()?[0].to_string();
    assert!(
        !dump.contains(vms[0].tap()),
        "flows of a deleted port:\n{dump}"
    );
    assert!(
        !reaches(&vms[1], &specs[0], Duration::from_millis(500))?,
        "a deleted port answers"
    );

    // The last port of a network goes: its local VLAN is reclaimed on every bridge.
    site.hosts[0].hypervisor.unplug(&vms)?;
    for spec in &specs[1..] {
        site.database.command(&["port", "delete", &spec.port_id])?;
    }
    wait_until("no flow of the network is left", PATIENCE, || {
        let flows = site.hosts[0].flows()?;
        Ok(flows
            .iter()
            .all(|d| !d.to_string().contains("dl_vlan=101"))
            .then_some(()))
    })?;
    vms.clear();
    Ok(())
}

/// Rows and flows that are not the agent's, as text.
fn foreign(site: &Site) -> Result<String> {
    let switch = &site.hosts[0].hypervisor.switch;
    let mut text = String::new();
    for args in [
        [
            "--columns=_uuid,name,ports,fail_mode,other_config,external_ids",
            "list",
            "Bridge",
            "br-under",
        ],
        [
            "--columns=_uuid,name,tag,other_config,external_ids",
            "list",
            "Port",
            "eth0",
        ],
        [
            "--columns=_uuid,name,type,other_config,external_ids",
            "list",
            "Interface",
            "foreign0",
        ],
        [
            "--columns=_uuid,name,tag,other_config,external_ids",
            "list",
            "Port",
            "eth1",
        ],
    ] {
        text += &switch.vsctl(&args)?;
    }
    let management = switch.management("br-under");
    text += &switch.ofctl(&["--no-stats", "dump-flows", &management])?;
    let management = switch.management("br-int");
    let theirs = switch.ofctl(&["--no-stats", "dump-flows", &management, "cookie=0xbeef/-1"])?;
    text += theirs
        .lines()
        .filter(|l| l.contains("actions="))
        .collect::<Vec<_>>()
        .join("\n")
        .as_str();
    Ok(text)
}

#[test]
fn what_is_not_ours_stays_as_it_is() -> Result<()> {
    let mut site = Site::new(program())?;
    create_networks(&site)?;
    let host = site.add_host(|settings| settings)?;
    host.hypervisor.add_integration_bridge()?;
    let switch = &host.hypervisor.switch;
    switch.vsctl(&[
        "add-port",
        "br-int",
        "foreign0",
        "tag=77",
        "--",
        "set",
        "Interface",
        "foreign0",
        "type=internal",
        "external_ids:purpose=monitoring",
        "--",
        "set",
        "Bridge",
        "br-under",
        "external_ids:bridge-id=br-under",
    ])?;
    switch.add_flows(
        "br-int",
        "cookie=0xbeef,table=200,priority=7,actions=drop\n",
    )?;
    switch.add_flows(
        "br-under",
        "cookie=0xbeef,priority=7,dl_type=0x88cc,actions=drop\n",
    )?;
    let before = foreign(&site)?;
    assert!(
        before.contains("0xbeef") && before.contains("monitoring"),
        "{before}"
    );

    site.hosts[0].start_agent()?;
    let specs = site.create_ports(0, "vxlan", 5, 2)?;
    let _vms = site.plug_and_wait(0, &specs)?;
    site.hosts[0].wait_settled()?;
    assert_eq!(foreign(&site)?, before, "after wiring");
    site.hosts[0].agent.kill()?;
    site.hosts[0].start_agent()?;
    site.hosts[0].wait_settled()?;
    assert_eq!(foreign(&site)?, before, "after a restart");

    let status = site.hosts[0].agent.terminate(PATIENCE)?;
    assert!(status.success(), "SIGTERM: {status}");
    let flows = site.hosts[0].flows()?;
    assert!(
        flows.iter().all(|dump| !dump.is_empty()),
        "flows stay when the agent ends"
    );
    let plan = site.hosts[0].agent.command(&["cleanup", "--dry-run"])?;
    assert!(plan.contains("br-tun"), "{plan}");
    assert_eq!(site.hosts[0].flows()?, flows, "a dry run changes nothing");
    site.hosts[0].agent.command(&["cleanup"])?;
    assert_eq!(foreign(&site)?, before, "after cleanup");
    let left = site.hosts[0].hypervisor.switch.vsctl(&["show"])?;
    for name in ["br-tun", "patch-tun", "int-br-ex", "phy-br-ex"] {
        assert!(!left.contains(name), "cleanup leaves {name}:\n{left}");
    }
    assert!(
        left.contains("br-under") && left.contains("br-ex") && left.contains("foreign0"),
        "{left}"
    );
    Ok(())
}
