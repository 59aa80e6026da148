//! Random changes of the control plane and of the switch, with restarts between them: in the end the switch holds what an
//! agent makes from scratch on an empty switch, and the planner's own full pass finds no difference.
//!
//! `VIFD_RANDOM_STEPS` is the number of steps (60), `VIFD_RANDOM_SEED` the seed, which is printed.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use testbed::{PATIENCE, PHYSICAL_NETWORK, PlugSpec, Site, Vm};

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_vifd"))
}

fn setting(name: &str, default: u64) -> Result<u64> {
    std::env::var(name).map_or(Ok(default), |text| text.parse().context(name.to_owned()))
}

/// SplitMix64: the same sequence everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % (limit as u64)).expect("below a usize")
    }
}

struct Port {
    network: &'static str,
    spec: PlugSpec,
    in_database: bool,
    plugged: bool,
}

const NETWORKS: [(&str, &[&str]); 4] = [
    ("vxlan", &["--type", "vxlan", "--segmentation-id", "5001"]),
    ("gre", &["--type", "gre", "--segmentation-id", "5002"]),
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
    ),
    (
        "flat",
        &["--type", "flat", "--physical-network", PHYSICAL_NETWORK],
    ),
];

/// One step; what it did, in words.
fn step(site: &mut Site, ports: &mut [Port], vms: &[Vm], random: &mut Random) -> Result<String> {
    let n = random.below(ports.len());
    let (port, vm) = (&mut ports[n], &vms[n..=n]);
    let id = port.spec.port_id.clone();
    let done = match random.below(10) {
        0..=2 if !port.in_database => {
            let ip = port.spec.address.expect("has one").0.to_string();
            let mac = port.spec.mac.clone();
            site.database.create_port(
                port.network,
                &["--id", &id, "--mac", &mac, "--ip", &ip, "--host", "hv1"],
            )?;
            port.in_database = true;
            "create"
        }
        0 if port.in_database => {
            site.database.command(&["port", "delete", &id])?;
            port.in_database = false;
            "delete"
        }
        1..=5 if !port.plugged => {
            site.hosts[0].hypervisor.plug_no_wait(vm)?;
            port.plugged = true;
            "plug"
        }
        1 | 2 if port.plugged => {
            site.hosts[0].hypervisor.unplug(vm)?;
            port.plugged = false;
            "unplug"
        }
        3 | 4 if port.in_database => {
            let way = ["--admin-down", "--admin-up"][random.below(2)];
            site.database.command(&["port", "set", &id, way])?;
            "set admin"
        }
        5 if port.in_database => {
            let to = ["hv1", "hv1", "elsewhere"][random.below(3)];
            site.database.command(&["port", "set", &id, "--host", to])?;
            "set host"
        }
        6 => {
            let peer = format!("peer{}", random.below(3));
            let ip = format!("192.0.2.{}", 90 + random.below(3));
            let made = site
                .database
                .try_command(&["host", "create", &peer, "--tunnel-ip", &ip])?;
            if !made.status.success() {
                // Already there, or its address is another's: then it goes.
                site.database.try_command(&["host", "delete", &peer])?;
            }
            "peer"
        }
        7 => {
            site.hosts[0].agent.kill()?;
            site.hosts[0].agent.run()?;
            "kill agent"
        }
        8 if random.below(4) == 0 => {
            site.hosts[0].hypervisor.restart_vswitchd()?;
            "restart ovs-vswitchd"
        }
        9 if random.below(4) == 0 => {
            site.hosts[0].hypervisor.switch.kill_database()?;
            site.hosts[0].hypervisor.switch.start_database()?;
            "restart ovsdb-server"
        }
        _ => {
            std::thread::sleep(Duration::from_millis(random.below(200) as u64));
            "wait"
        }
    };
    Ok(format!("{done} {n}"))
}

#[test]
fn random_changes_end_where_a_fresh_start_ends() -> Result<()> {
    let n_steps = setting(
        "VIFD_RANDOM_STEPS",
        if std::env::var_os("VIFD_SOAK").is_some() {
            2000
        } else {
            60
        },
    )?;
    let seed = setting("VIFD_RANDOM_SEED", 7)?;
    println!("{n_steps} steps, VIFD_RANDOM_SEED={seed}");
    let mut random = Random(seed);
    let mut site = Site::with_hosts(program(), 1)?;
    site.hosts[0].wait_settled()?;
    let mut ports = Vec::new();
    for (n, (name, options)) in (1u8..).zip(NETWORKS) {
        site.database.create_network(name, options)?;
        site.database.json(&[
            "subnet",
            "create",
            "--network",
            name,
            &format!("10.{n}.0.0/16"),
        ])?;
        for spec in testbed::new_specs(1, n, 3)? {
            ports.push(Port {
                network: name,
                spec,
                in_database: false,
                plugged: false,
            });
        }
    }
    let specs: Vec<PlugSpec> = ports.iter().map(|port| port.spec.clone()).collect();
    let vms = site.hosts[0].hypervisor.make_vms(&specs)?;

    let mut story = Vec::new();
    for _ in 0..n_steps {
        story.push(step(&mut site, &mut ports, &vms, &mut random)?);
    }
    let context = || format!("seed {seed}: {}", story.join(", "));
    // One VIF more, so that the end has been looked at by the agent: what came before it is in the same order.
    let last = site.create_ports(0, "vxlan", 1, 1)?;
    let last_vm = site.plug_and_wait(0, &last).with_context(context)?;
    site.hosts[0].wait_settled().with_context(context)?;
    let found = site.hosts[0].agent.json(&["audit"])?;
    assert_eq!(found["differences"], 0, "{found}: {}", context());
    assert_eq!(found["findings"], serde_json::json!([]), "{}", context());
    let (flows, tags) = (site.hosts[0].flows()?, site.hosts[0].ports()?);

    // The same from scratch: no flow, no port of the agent's, another process.
    let host = &mut site.hosts[0];
    host.agent.kill()?;
    let plugged: Vec<&Vm> = vms
        .iter()
        .zip(&ports)
        .filter(|(_, p)| p.plugged)
        .map(|(vm, _)| vm)
        .collect();
    host.hypervisor.switch.vsctl(&[
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
    let management = host.hypervisor.switch.management("br-ex");
    host.hypervisor.switch.ofctl(&["del-flows", &management])?;
    host.agent.run()?;
    host.wait_bridge()?;
    host.hypervisor.plug(&plugged)?;
    host.hypervisor.plug(&last_vm)?;
    host.wait_same(&flows, &tags, "from scratch")
        .with_context(context)?;
    host.agent.wait_settled(PATIENCE)
}
