//! What the demo shows, step by step.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use testbed::probe::{ping, start_ping, start_udp};
use testbed::{FlowDump, Host, PHYSICAL_NETWORK, PlugSpec, PortRow, Site, Vm};

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

/// Tells the whole story; an error if anything is not as it should be.
pub fn tell(program: &Path, progress: &Progress) -> Result<()> {
    let mut site = Site::new(program)?;
    progress.say("one SQLite database for the whole site");
    for net in &NETS {
        let mtu = net.mtu.to_string();
        let mut options = net.options.to_vec();
        options.extend(["--mtu", &mtu]);
        site.database.create_network(net.name, &options)?;
        let cidr = format!("10.{}.0.0/16", net.subnet);
        site.database
            .json(&["subnet", "create", "--network", net.name, &cidr])?;
        progress.say(&format!(
            "network {:<6} {}  subnet {cidr}",
            net.name,
            net.options.join(" ")
        ));
    }
    let mut guests = Vec::new();
    for _ in 0..2 {
        guests.push(start_host(&mut site, progress)?);
    }
    plug(&site, &guests, progress)?;
    let rows = wait_active(&mut site, progress)?;
    connectivity(&guests, progress)?;
    isolation(&guests, progress)?;
    restart(&mut site, &guests, progress)?;
    let names: Vec<String> = site
        .hosts
        .iter()
        .map(|h| h.hypervisor.name().to_owned())
        .collect();
    let flows = site
        .hosts
        .iter()
        .map(count_flows)
        .collect::<Result<Vec<usize>>>()?;
    println!();
    table::print(&rows, &names, &flows);
    println!();
    progress.say(&format!("done in {:.1} s", progress.seconds()));
    Ok(())
}

/// Starts the next hypervisor and its agent, makes its ports in the database and their VMs.
fn start_host(site: &mut Site, progress: &Progress) -> Result<Vec<Guest>> {
    let host = site.add_host(|settings| settings)?;
    let name = host.hypervisor.name().to_owned();
    progress.say(&format!(
        "{name}: network namespace, ovsdb-server, ovs-vswitchd, tunnel address {}",
        host.hypervisor.tunnel_ip()
    ));
    host.start_agent()?;
    host.wait_bridge()?;
    progress.say(&format!(
        "{name}: vifd runs, pid {}",
        host.agent.daemon()?.pid()
    ));

    let index = u8::try_from(site.hosts.len())?;
    let mut ports = Vec::new();
    for n in 0..PORTS_PER_HOST {
        let net = n % NETS.len();
        let address = Ipv4Addr::new(10, NETS[net].subnet, index, u8::try_from(n + 1)?);
        let ip = address.to_string();
        let label = format!("{name}-{:02}", n + 1);
        let options = ["--name", &label, "--ip", &ip, "--host", &name];
        ports.push((
            net,
            address,
            site.database.create_port(NETS[net].name, &options)?,
        ));
    }
    let specs: Vec<PlugSpec> = ports
        .iter()
        .map(|(net, address, port)| PlugSpec {
            port_id: port.id.clone(),
            mac: port.mac.clone(),
            address: Some((*address, 8)),
            mtu: NETS[*net].mtu,
        })
        .collect();
    let vms = site.hosts[usize::from(index) - 1]
        .hypervisor
        .make_vms(&specs)?;
    let guests = ports
        .into_iter()
        .zip(vms)
        .map(|((net, address, _), vm)| Guest { net, address, vm })
        .collect();
    progress.say(&format!(
        "{name}: {PORTS_PER_HOST} ports in the database, {PORTS_PER_HOST} VMs (namespaces)"
    ));
    Ok(guests)
}

fn plug(site: &Site, guests: &[Vec<Guest>], progress: &Progress) -> Result<()> {
    let rows = site.database.ports()?;
    ensure!(
        rows.iter().all(|row| row.status != "ACTIVE"),
        "ports are ACTIVE before they are plugged"
    );
    for (host, guests) in site.hosts.iter().zip(guests) {
        let taps: Vec<&Vm> = guests.iter().map(|g| &g.vm).collect();
        host.hypervisor.plug_no_wait(&taps)?;
    }
    progress.say(&format!(
        "plugged {PORTS_PER_HOST} ports on each host, one transaction per host"
    ));
    Ok(())
}

fn wait_active(site: &mut Site, progress: &Progress) -> Result<Vec<PortRow>> {
    let deadline = Instant::now() + LIMIT;
    let mut shown = usize::MAX;
    loop {
        let rows = site.database.ports()?;
        let n_active = rows.iter().filter(|row| row.status == "ACTIVE").count();
        if n_active != shown {
            progress.say(&format!("{n_active} of {} ports ACTIVE", rows.len()));
            shown = n_active;
        }
        if n_active == rows.len() {
            return Ok(rows);
        }
        for host in &mut site.hosts {
            host.agent.check_running()?;
        }
        if Instant::now() > deadline {
            let mut why = String::new();
            for row in rows.iter().filter(|row| row.status != "ACTIVE").take(3) {
                let of = |host: &&Host| Some(host.hypervisor.name()) == row.host.as_deref();
                if let Some(host) = site.hosts.iter().find(of) {
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

fn guest(guests: &[Guest], net: usize, nth: usize) -> Result<&Guest> {
    guests
        .iter()
        .filter(|g| g.net == net)
        .nth(nth)
        .with_context(|| format!("no VM {nth} on network {}", NETS[net].name))
}

fn connectivity(hosts: &[Vec<Guest>], progress: &Progress) -> Result<()> {
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

/// Every VM has all of 10.0.0.0/8 on its link, so only the switch keeps the networks apart.
fn isolation(hosts: &[Vec<Guest>], progress: &Progress) -> Result<()> {
    let wait = Duration::from_millis(300);
    for (net, other) in [(0, 1), (0, 2), (1, 2)] {
        let from = guest(&hosts[0], net, 0)?;
        for guests in hosts {
            let to = guest(guests, other, 0)?;
            ensure!(
                !ping(from.vm.namespace(), to.address, wait)?,
                "{} answers a VM of {}",
                to.address,
                NETS[net].name
            );
        }
        progress.say(&format!(
            "isolation: no VM of {:<5} answers one of {}, on either host",
            NETS[other].name, NETS[net].name
        ));
    }
    Ok(())
}

fn restart(site: &mut Site, guests: &[Vec<Guest>], progress: &Progress) -> Result<()> {
    site.hosts[0].wait_settled()?;
    let (flows, ports) = (site.hosts[0].flows()?, site.hosts[0].ports()?);
    let mut probes = Vec::new();
    for (net, Net { name, .. }) in NETS.iter().enumerate() {
        let (from, to) = (guest(&guests[0], net, 0)?, guest(&guests[1], net, 0)?);
        let (a, b) = (from.vm.namespace(), to.vm.namespace());
        probes.push((format!("{name:<6} ping"), start_ping(a, to.address, PACE)?));
        probes.push((
            format!("{name:<6} UDP, every packet a new 5-tuple"),
            start_udp(a, b, to.address, PACE)?,
        ));
    }
    progress.say("3 pings and 3 UDP streams, a packet every 10 ms each, while hv1's agent dies");
    std::thread::sleep(Duration::from_millis(500));
    let host = &mut site.hosts[0];
    let old = host.agent.daemon()?.pid();
    host.agent.kill()?;
    progress.say(&format!("hv1: SIGKILL to vifd, pid {old}"));
    std::thread::sleep(Duration::from_millis(1000));
    let start = Instant::now();
    host.start_agent()?;
    host.wait_settled()?;
    progress.say(&format!(
        "hv1: vifd restarted and settled in {:.0} ms, pid {}",
        start.elapsed().as_secs_f64() * 1e3,
        host.agent.daemon()?.pid()
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
    host.check_same(&flows, &ports, "after the restart")?;
    let rows = site.database.ports()?;
    ensure!(
        rows.iter().all(|row| row.status == "ACTIVE"),
        "a port is not ACTIVE after the restart"
    );
    progress.say("flows and ports are the same as before, all ports are still ACTIVE");
    Ok(())
}

fn count_flows(host: &Host) -> Result<usize> {
    Ok(host.flows()?.iter().map(FlowDump::len).sum())
}
