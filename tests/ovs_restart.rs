//! Restarts of the agent, of `ovs-vswitchd`, of `ovsdb-server`: the same state afterwards, and no packet lost where none
//! has to be.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use testbed::{FlowDump, PATIENCE, PHYSICAL_NETWORK, PlugSpec, Site, Vm, probe};

const PACE: Duration = Duration::from_millis(10);

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_vifd"))
}

/// Two hosts, two networks, two ports on each of each; all ACTIVE.
struct Wired {
    site: Site,
    vms: Vec<Vec<Vm>>,
    specs: Vec<Vec<PlugSpec>>,
}

impl Wired {
    fn new() -> Result<Self> {
        let mut site = Site::with_hosts(program(), 2)?;
        site.database
            .create_network("vxlan", &["--type", "vxlan", "--segmentation-id", "5001"])?;
        let physical = [
            "--type",
            "vlan",
            "--physical-network",
            PHYSICAL_NETWORK,
            "--segmentation-id",
            "101",
        ];
        site.database.create_network("vlan", &physical)?;
        for (name, cidr) in [("vxlan", "10.1.0.0/16"), ("vlan", "10.2.0.0/16")] {
            site.database
                .json(&["subnet", "create", "--network", name, cidr])?;
        }
        let (mut vms, mut specs) = (Vec::new(), Vec::new());
        for host in 0..2 {
            let mut ports = site.create_ports(host, "vxlan", 1, 2)?;
            ports.extend(site.create_ports(host, "vlan", 2, 2)?);
            vms.push(site.plug_and_wait(host, &ports)?);
            specs.push(ports);
        }
        let mut wired = Wired { site, vms, specs };
        wired.settle()?;
        wired.check_packets("at the start")?;
        Ok(wired)
    }

    fn settle(&mut self) -> Result<()> {
        self.site
            .hosts
            .iter_mut()
            .try_for_each(|host| host.wait_settled())
    }

    /// Every port of hv1 reaches the other on its host and those on the other host.
    fn check_packets(&self, when: &str) -> Result<()> {
        for network in [0, 2] {
            for (host, port) in [(0, network + 1), (1, network), (1, network + 1)] {
                let target = self.specs[host][port].address.expect("has one").0;
                let from = self.vms[0][network].namespace();
                assert!(
                    probe::ping(from, target, PATIENCE)?,
                    "{when}: {target} does not answer"
                );
            }
        }
        Ok(())
    }

    fn state(&self) -> Result<(Vec<FlowDump>, Vec<String>)> {
        Ok((self.site.hosts[0].flows()?, self.site.hosts[0].ports()?))
    }

    fn all_active(&mut self) -> Result<()> {
        let all: Vec<PlugSpec> = self.specs.iter().flatten().cloned().collect();
        self.site.wait_status(&all, "ACTIVE").map(drop)
    }
}

/// Starts a ping and a stream of new 5-tuples on both networks, runs `during`, and wants nothing lost.
fn without_loss(wired: &mut Wired, during: impl FnOnce(&mut Wired) -> Result<()>) -> Result<()> {
    let mut probes = Vec::new();
    for network in [0, 2] {
        let target = wired.specs[1][network].address.expect("has one").0;
        let (from, to) = (
            wired.vms[0][network].namespace(),
            wired.vms[1][network].namespace(),
        );
        probes.push((
            format!("ping {target}"),
            probe::start_ping(from, target, PACE)?,
        ));
        probes.push((
            format!("udp {target}"),
            probe::start_udp(from, to, target, PACE)?,
        ));
    }
    std::thread::sleep(Duration::from_millis(300));
    during(wired)?;
    std::thread::sleep(Duration::from_millis(500));
    for (name, running) in probes {
        let report = running.stop()?;
        assert!(report.sent > 50 && report.lost() == 0, "{name}: {report}");
    }
    Ok(())
}

#[test]
fn killing_the_agent_loses_no_packet() -> Result<()> {
    let mut wired = Wired::new()?;
    let (flows, ports) = wired.state()?;
    without_loss(&mut wired, |wired| {
        let host = &mut wired.site.hosts[0];
        host.agent.kill()?;
        std::thread::sleep(Duration::from_millis(300));
        host.start_agent()?;
        host.wait_settled()
    })?;
    wired.site.hosts[0].wait_same(&flows, &ports, "after SIGKILL of the agent")?;
    // And once more with an orderly end.
    without_loss(&mut wired, |wired| {
        let host = &mut wired.site.hosts[0];
        host.agent.terminate(PATIENCE)?;
        host.start_agent()?;
        host.wait_settled()
    })?;
    wired.site.hosts[0].wait_same(&flows, &ports, "after SIGTERM of the agent")?;
    wired.all_active()
}

#[test]
fn ovs_vswitchd_restarted_is_programmed_again() -> Result<()> {
    let mut wired = Wired::new()?;
    let (flows, ports) = wired.state()?;
    wired.site.hosts[0].hypervisor.restart_vswitchd()?;
    wired.site.hosts[0].wait_same(&flows, &ports, "after a restart of ovs-vswitchd")?;
    wired.settle()?;
    wired.check_packets("after a restart of ovs-vswitchd")?;
    wired.all_active()
}

#[test]
fn ovsdb_server_restarted_is_followed_again() -> Result<()> {
    let mut wired = Wired::new()?;
    let (flows, ports) = wired.state()?;
    without_loss(&mut wired, |wired| {
        let host = &mut wired.site.hosts[0];
        host.hypervisor.switch.kill_database()?;
        std::thread::sleep(Duration::from_millis(300));
        host.hypervisor.switch.start_database()?;
        host.hypervisor.switch.wait_applied()?;
        host.wait_settled()
    })?;
    wired.site.hosts[0].check_same(&flows, &ports, "after a restart of ovsdb-server")?;
    // What happens from now on is seen.
    let more = wired.site.create_ports(0, "vxlan", 1, 1)?;
    let vms = wired.site.plug_and_wait(0, &more)?;
    let target = wired.specs[1][0].address.expect("has one").0;
    assert!(probe::ping(vms[0].namespace(), target, PATIENCE)?);
    Ok(())
}

#[test]
fn both_daemons_restarted() -> Result<()> {
    let mut wired = Wired::new()?;
    let (flows, ports) = wired.state()?;
    let host = &mut wired.site.hosts[0];
    host.hypervisor.switch.kill_vswitchd()?;
    host.hypervisor.switch.kill_database()?;
    std::thread::sleep(Duration::from_millis(200));
    host.hypervisor.switch.start_database()?;
    host.hypervisor.switch.start_vswitchd()?;
    host.hypervisor.restore_addresses()?;
    host.wait_same(&flows, &ports, "after a restart of both daemons")?;
    wired.settle()?;
    wired.check_packets("after a restart of both daemons")?;
    wired.all_active()
}

#[test]
fn a_switch_that_was_never_there_is_waited_for() -> Result<()> {
    let mut site = Site::new(program())?;
    site.database
        .create_network("vxlan", &["--type", "vxlan", "--segmentation-id", "5001"])?;
    site.database
        .json(&["subnet", "create", "--network", "vxlan", "10.1.0.0/16"])?;
    let host = site.add_host(|settings| settings)?;
    host.hypervisor.switch.kill_vswitchd()?;
    host.hypervisor.switch.kill_database()?;
    host.start_agent()?;
    std::thread::sleep(Duration::from_millis(300));
    host.agent.check_running()?;
    host.hypervisor.switch.start_database()?;
    host.hypervisor.switch.start_vswitchd()?;
    host.hypervisor.restore_addresses()?;
    host.wait_settled()?;
    let specs = site.create_ports(0, "vxlan", 1, 1)?;
    site.plug_and_wait(0, &specs).map(drop)
}
