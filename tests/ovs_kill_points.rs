//! The agent is killed at random points while ports are being plugged, and restarted: every time the switch ends up in the
//! state that it has without a kill.
//!
//! `VIFD_KILL_POINTS` is the number of kills (20), `VIFD_KILL_SEED` the seed, which is printed.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use testbed::{PHYSICAL_NETWORK, PlugSpec, Site, Vm};

const N_PORTS: usize = 6;

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_vifd"))
}

fn setting(name: &str, default: u64) -> Result<u64> {
    match std::env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("{name}={text}")),
        Err(_) => Ok(default),
    }
}

/// SplitMix64: enough to spread kill points, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// Everything down to the ground: no port on the switch, nothing of the agent's.
fn reset(site: &mut Site, vms: &[Vm]) -> Result<()> {
    let host = &mut site.hosts[0];
    host.agent.kill()?;
    host.hypervisor.unplug(vms)?;
    let switch = &host.hypervisor.switch;
    switch.vsctl(&[
        "--",
        "--if-exists",
        "del-br",
        "br-tun",
        "--",
        "--if-exists",
        "del-br",
        "br-int",
        "--",
        "--if-exists",
        "del-port",
        "br-ex",
        "phy-br-ex",
    ])?;
    let management = switch.management("br-ex");
    switch.ofctl(&["del-flows", &management]).map(drop)
}

fn specs(site: &Site) -> Result<Vec<PlugSpec>> {
    let mut specs = site.create_ports(0, "vxlan", 1, N_PORTS / 2)?;
    specs.extend(site.create_ports(0, "vlan", 2, N_PORTS / 2)?);
    Ok(specs)
}

#[test]
fn every_kill_point_ends_in_the_same_state() -> Result<()> {
    let n_points = setting("VIFD_KILL_POINTS", 20)?;
    let seed = setting("VIFD_KILL_SEED", 2026)?;
    println!("{n_points} kill points, VIFD_KILL_SEED={seed}");
    let mut random = Random(seed);
    let mut site = Site::new(program())?;
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
    // A peer, so that there is a tunnel mesh.
    site.database.json(&[
        "host",
        "create",
        "peer",
        "--tunnel-ip",
        "192.0.2.99",
        "--tunnel-types",
        "vxlan,gre",
    ])?;
    site.add_host(|settings| settings)?;
    let specs = specs(&site)?;
    let vms = site.hosts[0].hypervisor.make_vms(&specs)?;

    // Without a kill, and how long that takes: kills are spread over twice that time.
    site.hosts[0].agent.run()?;
    let start = std::time::Instant::now();
    site.hosts[0].wait_bridge()?;
    site.hosts[0].hypervisor.plug_no_wait(&vms)?;
    site.wait_status(&specs, "ACTIVE")?;
    let span = start.elapsed();
    site.hosts[0].wait_settled()?;
    let (flows, ports) = (site.hosts[0].flows()?, site.hosts[0].ports()?);
    assert!(flows.iter().all(|dump| !dump.is_empty()));

    for point in 0..n_points {
        reset(&mut site, &vms)?;
        let at = Duration::from_micros(random.below(2 * u64::try_from(span.as_micros())?));
        let host = &mut site.hosts[0];
        host.agent.run()?;
        let start = std::time::Instant::now();
        // Half of the kills hit plugging into a bridge that is there, half also the making of bridges.
        if point % 2 == 0 {
            host.wait_bridge()?;
        } else {
            host.hypervisor.add_integration_bridge()?;
        }
        host.hypervisor.plug_no_wait(&vms)?;
        std::thread::sleep(at.saturating_sub(start.elapsed()));
        host.agent.kill()?;
        host.agent.run()?;
        let when = format!("kill point {point} of seed {seed}, {at:?} after the start");
        // The status in the database is that of the round before until the agent has looked: the switch decides.
        site.hosts[0].wait_same(&flows, &ports, &when)?;
        site.hosts[0].wait_settled().with_context(|| when.clone())?;
        site.wait_status(&specs, "ACTIVE")
            .with_context(|| when.clone())?;
        site.hosts[0].check_same(&flows, &ports, &when)?;
    }
    Ok(())
}
