//! What the demo shows, step by step.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use testbed::probe::{ping, start_ping, start_udp};
use testbed::{
    Agent, AgentSettings, Database, FlowDump, Hypervisor, LocalVlans, PHYSICAL_NETWORK, PlugSpec,
    PortRow, Scratch, Underlay, Vm,
};

use super::{Progress, table};

const PORTS_PER_HOST: usize = 20;
const LIMIT: Duration = Duration::from_secs(30);
const PACE: Duration = Duration::from_millis(10);

struct Net {
    name: &'static str,
    options: &'static [&'static str],
    subnet: u8,
    mtu: u16,
}

const NETS: [Net; 3] = [
    Net {
        name: "blue",
        options: &["--type", "vxlan", "--segmentation-id", "5001"],
        subnet: 1,
        mtu: 1450,
    },
    Net {
        name: "green",
        options: &["--type", "gre", "--segmentation-id", "5002"],
        subnet: 2,
        mtu: 1450,
    },
    Net {
        name: "red",
        options: &[
            "--type",
            "vlan",
            "--physical-network",
            PHYSICAL_NETWORK,
            "--segmentation-id",
            "101",
        ],
        subnet: 3,
        mtu: 1500,
    },
];

/// A port of the demo: which network, which address, on which VM.
struct Guest {
    net: usize,
    address: Ipv4Addr,
    vm: Vm,
}

struct Host {
    hypervisor: Hypervisor,
    agent: Agent,
    guests: Vec<Guest>,
}

/// Tells the whole story; an error if anything is not as it should be.
pub fn tell(program: &Path, progress: &Progress) -> Result<()> {
    let scratch = Scratch::new()?;
    let underlay = Underlay::new()?;
    let file = scratch.path().join("vifd.db");
    let database = Database::create(program, &file)?;
    progress.say("one SQLite database for the whole cluster");
    for net in &NETS {
        let mtu = net.mtu.to_string();
        let mut options = net.options.to_vec();
        options.extend(["--mtu", &mtu]);
        database.create_network(net.name, &options)?;
        let cidr = format!("10.{}.0.0/16", net.subnet);
        database.json(&["subnet", "create", "--network", net.name, &cidr])?;
        progress.say(&format!(
            "network {:<6} {}  subnet {cidr}",
            net.name,
            net.options.join(" ")
        ));
    }

    let mut hosts = Vec::new();
    for (index, name) in (1u8..).zip(["hv1", "hv2"]) {
        hosts.push(start_host(
            program, &scratch, &underlay, &database, name, index, progress,
        )?);
    }
    plug(&hosts, &database, progress)?;
    let rows = wait_active(&mut hosts, &database, progress)?;
    connectivity(&hosts, progress)?;
    isolation(&hosts, progress)?;
    restart(&mut hosts, &database, progress)?;
    let flows = hosts
        .iter()
        .map(count_flows)
        .collect::<Result<Vec<usize>>>()?;
    println!();
    table::print(
        &rows,
        &hosts
            .iter()
            .map(|h| h.hypervisor.name().to_owned())
            .collect::<Vec<_>>(),
        &flows,
    );
    println!();
    progress.say(&format!("done in {:.1} s", progress.seconds()));
    Ok(())
}

fn start_host(
    program: &Path,
    scratch: &Scratch,
    underlay: &Underlay,
    database: &Database,
    name: &str,
    index: u8,
    progress: &Progress,
) -> Result<Host> {
    let hypervisor = Hypervisor::start(scratch, underlay, name, index)?;
    progress.say(&format!(
        "{name}: network namespace, ovsdb-server, ovs-vswitchd, tunnel address {}",
        hypervisor.tunnel_ip()
    ));
    let mut agent = Agent::start(&hypervisor, &AgentSettings::new(program, database.url()))?;
    agent.wait_ready(LIMIT).with_context(|| agent.log())?;
    progress.say(&format!("{name}: vifd runs, pid {}", agent.daemon()?.pid()));

    let mut ports = Vec::new();
    for n in 0..PORTS_PER_HOST {
        let net = n % NETS.len();
        let address = Ipv4Addr::new(10, NETS[net].subnet, index, u8::try_from(n + 1)?);
        let ip = address.to_string();
        let label = format!("{name}-{:02}", n + 1);
        let options = ["--name", &label, "--ip", &ip, "--host", name];
        ports.push((
            net,
            address,
            database.create_port(NETS[net].name, &options)?,
        ));
    }
    let specs: Vec<PlugSpec> = ports
        .iter()
        .map(|(net, address, port)| PlugSpec {
            port_id: port.id.clone(),
            mac: port.mac.clone(),
            address: Some((*address, 16)),
            mtu: NETS[*net].mtu,
        })
        .collect();
    let vms = hypervisor.make_vms(&specs)?;
    let guests = ports
        .into_iter()
        .zip(vms)
        .map(|((net, address, _), vm)| Guest { net, address, vm })
        .collect();
    progress.say(&format!(
        "{name}: {PORTS_PER_HOST} ports in the database, {PORTS_PER_HOST} VMs (namespaces)"
    ));
    Ok(Host {
        hypervisor,
        agent,
        guests,
    })
}

fn plug(hosts: &[Host], database: &Database, progress: &Progress) -> Result<()> {
    let statuses: Vec<String> = database.ports()?.into_iter().map(|p| p.status).collect();
    ensure!(
        statuses.iter().all(|s| s != "ACTIVE"),
        "ports are ACTIVE before they are plugged"
    );
    for host in hosts {
        let taps: Vec<&Vm> = host.guests.iter().map(|g| &g.vm).collect();
        host.hypervisor.plug_no_wait(&taps)?;
    }
    progress.say(&format!(
        "plugged {PORTS_PER_HOST} ports on each host, one transaction per host"
    ));
    Ok(())
}

fn wait_active(
    hosts: &mut [Host],
    database: &Database,
    progress: &Progress,
) -> Result<Vec<PortRow>> {
    let deadline = Instant::now() + LIMIT;
    let mut shown = usize::MAX;
    loop {
        let rows = database.ports()?;
        let n_active = rows.iter().filter(|row| row.status == "ACTIVE").count();
        if n_active != shown {
            progress.say(&format!("{n_active} of {} ports ACTIVE", rows.len()));
            shown = n_active;
        }
        if n_active == rows.len() {
            return Ok(rows);
        }
        for host in &mut *hosts {
            host.agent.check_running()?;
        }
        if Instant::now() > deadline {
            let mut why = String::new();
            for row in rows.iter().filter(|row| row.status != "ACTIVE").take(3) {
                let host = hosts
                    .iter()
                    .find(|h| Some(h.hypervisor.name()) == row.host.as_deref());
                if let Some(host) = host {
                    why += &host
                        .agent
                        .command(&["port", "explain", &row.id])
                        .unwrap_or_default();
                }
            }
            bail!("not every port became ACTIVE within {LIMIT:?}\n{why}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn guest(host: &Host, net: usize, nth: usize) -> Result<&Guest> {
    host.guests
        .iter()
        .filter(|g| g.net == net)
        .nth(nth)
        .with_context(|| format!("no VM {nth} on network {}", NETS[net].name))
}

fn connectivity(hosts: &[Host], progress: &Progress) -> Result<()> {
    for (net, Net { name, .. }) in NETS.iter().enumerate() {
        let from = guest(&hosts[0], net, 0)?;
        for (host, nth, place) in [(0, 1, "same host"), (1, 0, "other host")] {
            let to = guest(&hosts[host], net, nth)?;
            let start = Instant::now();
            ensure!(
                ping(from.vm.namespace(), to.address, Duration::from_secs(5))?,
                "{name}: no answer from {} ({place})",
                to.address
            );
            progress.say(&format!(
                "ping {name:<6} {} -> {:<9} {place}: answered after {:.1} ms",
                from.address,
                to.address.to_string(),
                start.elapsed().as_secs_f64() * 1e3
            ));
        }
    }
    Ok(())
}

/// Gives one VM of each network addresses of the others, so that only the switch keeps them apart.
fn isolation(hosts: &[Host], progress: &Progress) -> Result<()> {
    let wait = Duration::from_millis(400);
    let from = guest(&hosts[0], 0, 0)?;
    for net in [1, 2] {
        let foreign = Ipv4Addr::new(10, NETS[net].subnet, 250, 1);
        testbed::ip_batch(
            from.vm.namespace(),
            &format!("addr add {foreign}/16 dev eth0\n"),
        )?;
        for host in hosts {
            let to = guest(host, net, 0)?;
            ensure!(
                !ping(from.vm.namespace(), to.address, wait)?,
                "{} answers a VM of {}",
                to.address,
                NETS[0].name
            );
        }
        testbed::ip_batch(
            from.vm.namespace(),
            &format!("addr del {foreign}/16 dev eth0\n"),
        )?;
        progress.say(&format!(
            "isolation: a VM of {} with an address of {} gets no answer there, on either host",
            NETS[0].name, NETS[net].name
        ));
    }
    Ok(())
}

fn dumps(host: &Host) -> Result<Vec<FlowDump>> {
    let vlans = LocalVlans::read(&host.hypervisor.switch)?;
    ["br-int", "br-tun", "br-ex"]
        .iter()
        .map(|bridge| FlowDump::read(&host.hypervisor.switch, bridge, &vlans))
        .collect()
}

fn restart(hosts: &mut [Host], database: &Database, progress: &Progress) -> Result<()> {
    let before = dumps(&hosts[0])?;
    let mut probes = Vec::new();
    for (net, Net { name, .. }) in NETS.iter().enumerate() {
        let (from, to) = (guest(&hosts[0], net, 0)?, guest(&hosts[1], net, 0)?);
        let (a, b) = (from.vm.namespace(), to.vm.namespace());
        probes.push((format!("{name} ping"), start_ping(a, to.address, PACE)?));
        probes.push((
            format!("{name} UDP, every packet a new 5-tuple"),
            start_udp(a, b, to.address, PACE)?,
        ));
    }
    progress.say("3 pings and 3 UDP streams, a packet every 10 ms each, while hv1's agent dies");
    std::thread::sleep(Duration::from_millis(500));
    let old = hosts[0].agent.daemon()?.pid();
    hosts[0].agent.kill()?;
    progress.say(&format!("hv1: SIGKILL to vifd, pid {old}"));
    std::thread::sleep(Duration::from_millis(1000));
    let start = Instant::now();
    hosts[0].agent.run()?;
    hosts[0].agent.wait_ready(LIMIT)?;
    wait_settled(&hosts[0])?;
    progress.say(&format!(
        "hv1: vifd restarted and settled in {:.0} ms, pid {}",
        start.elapsed().as_secs_f64() * 1e3,
        hosts[0].agent.daemon()?.pid()
    ));
    std::thread::sleep(Duration::from_millis(1000));
    for (name, probe) in probes {
        let report = probe.stop()?;
        progress.say(&format!("{name}: {report}"));
        ensure!(report.lost() == 0, "{name}: {report}");
        ensure!(
            report.sent >= 200,
            "{name}: only {} packets were sent",
            report.sent
        );
    }
    let after = dumps(&hosts[0])?;
    for (one, two) in before.iter().zip(&after) {
        ensure!(
            one == two,
            "the restart changed flows:\n{}",
            one.difference(two)
        );
    }
    let rows = database.ports()?;
    ensure!(
        rows.iter().all(|row| row.status == "ACTIVE"),
        "a port is not ACTIVE after the restart"
    );
    progress.say("flows are the same as before, all ports are still ACTIVE");
    Ok(())
}

/// Waits until the agent says that nothing is pending.
fn wait_settled(host: &Host) -> Result<()> {
    testbed::wait_until("the agent has settled", LIMIT, || {
        let status = host.agent.json(&["status"])?;
        Ok((status["settled"] == true).then_some(()))
    })
}

fn count_flows(host: &Host) -> Result<usize> {
    Ok(dumps(host)?.iter().map(FlowDump::len).sum())
}
