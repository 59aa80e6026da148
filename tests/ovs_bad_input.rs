//! Bad input of every kind: an error that says what and where, on the port or network concerned, while the rest goes on.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use testbed::{PATIENCE, PlugSpec, Site, Vm, probe, wait_until};

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_vifd"))
}

/// A host with a good network `blue` and two good ports that are ACTIVE; and what is left to be spoilt.
struct Good {
    site: Site,
    specs: Vec<PlugSpec>,
    vms: Vec<Vm>,
}

impl Good {
    fn new() -> Result<Self> {
        let mut site = Site::new(program())?;
        site.add_host(|settings| {
            settings.with(
                "ovs",
                "bridge_mappings = physnet1:br-ex,physnet2:br-missing",
            )
        })?
        .start_agent()?;
        site.database
            .create_network("blue", &["--type", "vxlan", "--segmentation-id", "5001"])?;
        site.database
            .json(&["subnet", "create", "--network", "blue", "10.1.0.0/16"])?;
        let specs = site.create_ports(0, "blue", 1, 2)?;
        let vms = site.plug_and_wait(0, &specs)?;
        Ok(Good { site, specs, vms })
    }

    /// Runs SQL as a person with a SQL shell would, past every check of `vifd db`.
    fn sql(&self, text: &str) -> Result<()> {
        let connection = rusqlite::Connection::open(self.site.scratch().path().join("vifd.db"))?;
        connection.busy_timeout(Duration::from_secs(10))?;
        connection.execute_batch(text)?;
        Ok(())
    }

    /// The port gets ERROR with a reason that has all the words; the good ports go on.
    fn check_error(&mut self, spec: &PlugSpec, words: &[&str]) -> Result<()> {
        let rows = self.site.wait_status(std::slice::from_ref(spec), "ERROR")?;
        let reason = rows[0].binding_error.clone().unwrap_or_default();
        for word in words {
            assert!(
                reason.contains(word),
                "the reason has no {word:?}: {reason:?}"
            );
        }
        self.check_good()
    }

    /// The two good ports are ACTIVE and reach each other, and a new one can be had.
    fn check_good(&mut self) -> Result<()> {
        self.site.wait_status(&self.specs, "ACTIVE")?;
        let target = self.specs[1].address.expect("has one").0;
        assert!(probe::ping(self.vms[0].namespace(), target, PATIENCE)?);
        let more = self.site.create_ports(0, "blue", 1, 1)?;
        let vms = self.site.plug_and_wait(0, &more)?;
        assert!(probe::ping(vms[0].namespace(), target, PATIENCE)?);
        self.site.hosts[0].hypervisor.unplug(&vms)?;
        self.site
            .database
            .command(&["port", "delete", &more[0].port_id])
            .map(drop)
    }

    /// A network that `vifd db` would not make, with a port on it that is plugged.
    fn spoilt_network(&mut self, name: &str, spoil: &str) -> Result<PlugSpec> {
        self.site
            .database
            .create_network(name, &["--type", "local"])?;
        let specs = self.site.create_ports(0, name, 1, 0)?;
        assert!(specs.is_empty());
        let spec = testbed::new_specs(1, 9, 1)?.remove(0);
        let (id, mac) = (&spec.port_id, &spec.mac);
        self.site.database.create_port(
            name,
            &["--id", id, "--mac", mac, "--no-ip", "--host", "hv1"],
        )?;
        self.sql(&format!(
            "UPDATE segments SET {spoil} WHERE network_id = (SELECT id FROM networks WHERE name = '{name}')"
        ))?;
        let vms = self.site.hosts[0]
            .hypervisor
            .make_vms(std::slice::from_ref(&spec))?;
        self.site.hosts[0].hypervisor.plug(&vms)?;
        self.vms.extend(vms);
        Ok(spec)
    }
}

#[test]
fn networks_that_cannot_be() -> Result<()> {
    let mut good = Good::new()?;
    for (name, spoil, words) in [
        (
            "unknown-type",
            "network_type = 'geneve', segmentation_id = 7",
            vec!["geneve"],
        ),
        (
            "vlan-out-of-range",
            "network_type = 'vlan', physical_network = 'physnet1', segmentation_id = 4095",
            vec!["4095"],
        ),
        (
            "vni-out-of-range",
            "network_type = 'vxlan', segmentation_id = 16777216",
            vec!["16777216"],
        ),
        (
            "no-physical-network",
            "network_type = 'flat', physical_network = NULL",
            vec!["flat"],
        ),
        (
            "unmapped",
            "network_type = 'flat', physical_network = 'physnet9'",
            vec!["physnet9"],
        ),
        (
            "bridge-missing",
            "network_type = 'flat', physical_network = 'physnet2'",
            vec!["br-missing"],
        ),
    ] {
        let spec = good.spoilt_network(name, spoil)?;
        good.check_error(&spec, &words)
            .map_err(|e| e.context(name))?;
    }
    // Mended, it is wired without a restart.
    let spec = good.spoilt_network("mended", "network_type = 'geneve', segmentation_id = 8")?;
    good.check_error(&spec, &["geneve"])?;
    good.sql("UPDATE segments SET network_type = 'gre' WHERE segmentation_id = 8")?;
    good.site.wait_status(&[spec], "ACTIVE")?;
    // A bridge that appears later is taken.
    let rows = good.site.database.ports()?;
    let waits = |row: &&testbed::PortRow| {
        row.binding_error
            .as_ref()
            .is_some_and(|error| error.contains("br-missing"))
    };
    let id = rows.iter().find(waits).expect("still in error").id.clone();
    let switch = &good.site.hosts[0].hypervisor.switch;
    let kind = format!("datapath_type={}", switch.datapath().name());
    switch.vsctl(&[
        "add-br",
        "br-missing",
        "--",
        "set",
        "Bridge",
        "br-missing",
        &kind,
    ])?;
    wait_until(
        "the port on the bridge that came later is ACTIVE",
        PATIENCE,
        || Ok((good.site.database.port(&id)?.status == "ACTIVE").then_some(())),
    )
}

#[test]
fn rows_that_cannot_be() -> Result<()> {
    let mut good = Good::new()?;
    let specs = good.site.create_ports(0, "blue", 1, 3)?;
    let vms = good.site.plug_and_wait(0, &specs)?;
    good.vms.extend(vms);
    good.sql(&format!(
        "UPDATE ports SET mac = 'not-a-mac' WHERE id = '{}'",
        specs[0].port_id
    ))?;
    good.check_error(&specs[0], &["not-a-mac"])?;
    good.sql(&format!(
        "UPDATE fixed_ips SET ip = '10.1.0.999' WHERE port_id = '{}'",
        specs[1].port_id
    ))?;
    good.check_error(&specs[1], &["10.1.0.999"])?;
    // A row whose id is no UUID is nobody's port: it is named in the log and holds up nothing.
    good.sql(
        "INSERT INTO ports (id, network_id, mac, host) \
         SELECT 'no-uuid', id, 'fa:16:3e:99:99:99', 'hv1' FROM networks WHERE name = 'blue'",
    )?;
    good.check_good()?;
    wait_until("the log names the row", PATIENCE, || {
        Ok(good.site.hosts[0]
            .agent
            .log()
            .contains("no-uuid")
            .then_some(()))
    })?;
    // Mended, it is ACTIVE again.
    let mac = &specs[0].mac;
    good.sql(&format!(
        "UPDATE ports SET mac = '{mac}' WHERE id = '{}'",
        specs[0].port_id
    ))?;
    good.site.wait_status(&specs[..1], "ACTIVE").map(drop)
}

#[test]
fn two_devices_for_one_port() -> Result<()> {
    let mut good = Good::new()?;
    let specs = good.site.create_ports(0, "blue", 1, 1)?;
    let vms = good.site.plug_and_wait(0, &specs)?;
    let target = good.specs[1].address.expect("has one").0;
    // A second device claims the same port.
    let switch = &good.site.hosts[0].hypervisor.switch;
    switch.vsctl(&[
        "add-port",
        "br-int",
        "twin0",
        "tag=4095",
        "--",
        "set",
        "Interface",
        "twin0",
        "type=internal",
        &format!("external_ids:iface-id={}", specs[0].port_id),
        &format!("external_ids:attached-mac=\"{}\"", specs[0].mac),
    ])?;
    wait_until(
        "the agent says that two devices claim a port",
        PATIENCE,
        || {
            let explained =
                good.site.hosts[0]
                    .agent
                    .command(&["port", "explain", &specs[0].port_id])?;
            let told =
                good.site.hosts[0].agent.log().contains("twin0") || explained.contains("twin0");
            Ok(told.then_some(()))
        },
    )?;
    good.check_good()?;
    // The twin goes; the port is as before.
    good.site.hosts[0]
        .hypervisor
        .switch
        .vsctl(&["del-port", "br-int", "twin0"])?;
    good.site.wait_status(&specs, "ACTIVE")?;
    assert!(probe::ping(vms[0].namespace(), target, PATIENCE)?);
    Ok(())
}

#[test]
fn a_second_agent_on_the_same_host() -> Result<()> {
    let mut good = Good::new()?;
    let (status, out, err) = good.site.hosts[0].agent.try_command(&["run"])?;
    assert!(!status.success(), "a second agent ran: {out}");
    let pid = good.site.hosts[0].agent.daemon()?.pid().to_string();
    assert!(
        err.contains(&pid),
        "the error names the process that is there ({pid}): {err}"
    );
    good.check_good()
}

#[test]
fn configuration_that_cannot_be_read() -> Result<()> {
    let mut site = Site::new(program())?;
    let host = site.add_host(|settings| settings)?;
    let config = host.agent.config().to_owned();
    let text = std::fs::read_to_string(&config)?;
    for (spoilt, words) in [
        (
            text.replace("datapath_type = ", "datapath_type = x"),
            ["vifd.conf:", "datapath_type"],
        ),
        (
            text.replace("local_ip = ", "local_ip = 999."),
            ["vifd.conf:", "local_ip"],
        ),
        (
            text.replace("physnet1:br-ex", "physnet1"),
            ["vifd.conf:", "bridge_mappings"],
        ),
        (
            text.replace("[database]", "[database"),
            ["vifd.conf:", "[database"],
        ),
    ] {
        assert_ne!(spoilt, text);
        std::fs::write(&config, &spoilt)?;
        let (status, _, err) = host.agent.try_command(&["run"])?;
        assert!(!status.success(), "it ran with {spoilt}");
        for word in words {
            assert!(err.contains(word), "the error has no {word:?}: {err}");
        }
    }
    std::fs::remove_file(&config)?;
    let (status, _, err) = host.agent.try_command(&["run"])?;
    assert!(!status.success());
    assert!(err.contains("vifd.conf"), "{err}");
    Ok(())
}

#[test]
fn commands_refuse_what_cannot_be() -> Result<()> {
    let site = Site::new(program())?;
    let database = &site.database;
    database.create_network("blue", &["--type", "vxlan", "--segmentation-id", "5001"])?;
    database.json(&["subnet", "create", "--network", "blue", "10.1.0.0/16"])?;
    database.create_port(
        "blue",
        &[
            "--mac",
            "fa:16:3e:00:00:01",
            "--ip",
            "10.1.0.5",
            "--host",
            "hv1",
        ],
    )?;
    for (args, words) in [
        (
            vec!["network", "create", "n", "--type", "geneve"],
            vec!["geneve", "vxlan"],
        ),
        (
            vec![
                "network",
                "create",
                "n",
                "--type",
                "vlan",
                "--physical-network",
                "p",
                "--segmentation-id",
                "4095",
            ],
            vec!["4095", "4094"],
        ),
        (
            vec![
                "network",
                "create",
                "n",
                "--type",
                "vxlan",
                "--segmentation-id",
                "5001",
            ],
            vec!["5001", "blue"],
        ),
        (
            vec![
                "port",
                "create",
                "--network",
                "blue",
                "--mac",
                "fa:16:3e:00:00:01",
            ],
            vec!["fa:16:3e:00:00:01"],
        ),
        (
            vec!["port", "create", "--network", "blue", "--mac", "nonsense"],
            vec!["nonsense"],
        ),
        (
            vec!["port", "create", "--network", "blue", "--ip", "10.1.0.5"],
            vec!["10.1.0.5"],
        ),
        (
            vec!["port", "create", "--network", "blue", "--ip", "10.9.0.5"],
            vec!["10.9.0.5"],
        ),
        (vec!["port", "create", "--network", "green"], vec!["green"]),
        (
            vec!["subnet", "create", "--network", "blue", "10.1.0.0/33"],
            vec!["10.1.0.0/33"],
        ),
    ] {
        let output = database.try_command(&args)?;
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{args:?} succeeded");
        for word in words {
            assert!(err.contains(word), "{args:?}: no {word:?} in: {err}");
        }
    }
    assert_eq!(database.ports()?.len(), 1);
    Ok(())
}
