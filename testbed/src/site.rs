//! A whole site: one database, some hypervisors, an agent on each.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::agent::{Agent, AgentSettings};
use crate::database::{Database, PortRow};
use crate::dump::{FlowDump, LocalVlans};
use crate::hypervisor::{Hypervisor, PlugSpec};
use crate::scratch::Scratch;
use crate::underlay::Underlay;
use crate::vm::Vm;
use crate::wait::wait_until;

/// How long anything may take that should take milliseconds: a busy machine, or a guest kernel.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The bridges an agent programs.
pub const BRIDGES: [&str; 3] = ["br-int", "br-tun", "br-ex"];

/// A site. Agents end first, switches next, files last.
#[derive(Debug)]
pub struct Site {
    /// The hypervisors, in the order they were added.
    pub hosts: Vec<Host>,
    /// The control plane.
    pub database: Database,
    program: PathBuf,
    underlay: Underlay,
    scratch: Scratch,
    /// Times that [`Site::wait_followed`] was called.
    markers: u32,
}

/// A hypervisor with its agent.
#[derive(Debug)]
pub struct Host {
    /// The agent.
    pub agent: Agent,
    /// The hypervisor.
    pub hypervisor: Hypervisor,
}

impl Site {
    /// A site without hypervisors. `program` is vifd.
    pub fn new(program: &Path) -> Result<Self> {
        let scratch = Scratch::new()?;
        let database = Database::create(program, &scratch.path().join("vifd.db"))?;
        Ok(Site {
            hosts: Vec::new(),
            database,
            program: program.to_owned(),
            underlay: Underlay::new()?,
            scratch,
            markers: 0,
        })
    }

    /// A site with hypervisors `hv1`, `hv2` … whose agents run.
    pub fn with_hosts(program: &Path, n: usize) -> Result<Self> {
        let mut site = Site::new(program)?;
        for _ in 0..n {
            site.add_host(|settings| settings)?.start_agent()?;
        }
        Ok(site)
    }

    /// Adds the next hypervisor; its agent is configured, not started.
    pub fn add_host(
        &mut self,
        adapt: impl FnOnce(AgentSettings) -> AgentSettings,
    ) -> Result<&mut Host> {
        let index = u8::try_from(self.hosts.len() + 1)?;
        let name = format!("hv{index}");
        let hypervisor = Hypervisor::start(&self.scratch, &self.underlay, &name, index)?;
        let settings = adapt(AgentSettings::new(&self.program, self.database.url()));
        let agent = Agent::configure(&hypervisor, &settings)?;
        self.hosts.push(Host { agent, hypervisor });
        self.hosts.last_mut().context("just added")
    }

    /// The directory of this site.
    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// Makes ports bound to a host, in one database transaction; what to plug for each. Their addresses are
    /// `subnet` with the host's number in the third byte and 1, 2 … in the fourth.
    pub fn create_ports(
        &self,
        host: usize,
        network: &str,
        subnet: u8,
        n: usize,
    ) -> Result<Vec<PlugSpec>> {
        let name = self.hosts[host].hypervisor.name().to_owned();
        let specs = new_specs(u8::try_from(host + 1)?, subnet, n)?;
        let lines: Vec<String> = specs
            .iter()
            .map(|spec| {
                let ips: Vec<String> = spec.address.iter().map(|(ip, _)| ip.to_string()).collect();
                serde_json::json!({
                    "create": "port", "network": network, "id": spec.port_id, "mac": spec.mac,
                    "host": name, "ips": ips,
                })
                .to_string()
            })
            .collect();
        self.database.apply(&lines.join("\n"))?;
        Ok(specs)
    }

    /// Waits until the given ports have a status; their rows.
    pub fn wait_status(&mut self, specs: &[PlugSpec], status: &str) -> Result<Vec<PortRow>> {
        let mut last = String::new();
        let done = wait_until(
            &format!("{} ports are {status}", specs.len()),
            PATIENCE,
            || {
                for host in self.hosts.iter_mut().filter(|h| h.agent.was_started()) {
                    host.agent.check_running()?;
                }
                let rows: Vec<PortRow> = self
                    .database
                    .ports()?
                    .into_iter()
                    .filter(|row| specs.iter().any(|spec| spec.port_id == row.id))
                    .collect();
                last = rows
                    .iter()
                    .filter(|r| r.status != status)
                    .map(|r| format!("{r:?}\n"))
                    .take(3)
                    .collect();
                let done = rows.len() == specs.len() && rows.iter().all(|row| row.status == status);
                Ok(done.then_some(rows))
            },
        );
        done.with_context(|| format!("{last}{}", self.explain(specs)))
    }

    /// Waits until an agent has been told everything that was written so far, and has nothing left to do. (One that has
    /// nothing to do may not have heard of the last change yet.)
    pub fn wait_followed(&mut self, host: usize) -> Result<()> {
        let id = "00000000-aaaa-4000-8000-000000000000";
        self.markers += 1;
        let name = format!("marker-{}", self.markers);
        let marker = match self.markers {
            1 => serde_json::json!({"create": "network", "id": id, "name": name, "type": "local"}),
            _ => serde_json::json!({"set": "network", "network": id, "name": name}),
        };
        self.database.apply(&marker.to_string())?;
        let host = &mut self.hosts[host];
        wait_until("the agent has been told", PATIENCE, || {
            host.agent.check_running()?;
            let Ok(desired) = host.agent.json(&["dump", "desired"]) else {
                return Ok(None);
            };
            let mut networks = desired["networks"].as_array().into_iter().flatten();
            Ok(networks.any(|n| n["name"] == *name).then_some(()))
        })?;
        host.wait_settled()
    }

    /// What the agents say about the first of some ports, for error messages.
    fn explain(&self, specs: &[PlugSpec]) -> String {
        let mut text = String::new();
        for host in &self.hosts {
            for spec in specs.iter().take(1) {
                if let Ok((_, out, err)) =
                    host.agent.try_command(&["port", "explain", &spec.port_id])
                {
                    text += &format!("{}: {out}{err}\n", host.hypervisor.name());
                }
            }
            let log = host.agent.log();
            let lines: Vec<&str> = log.lines().collect();
            text += &lines[lines.len().saturating_sub(12)..].join("\n");
            text.push('\n');
        }
        text
    }

    /// Plugs VMs for ports on a host and waits until they are ACTIVE.
    pub fn plug_and_wait(&mut self, host: usize, specs: &[PlugSpec]) -> Result<Vec<Vm>> {
        let vms = self.hosts[host].hypervisor.make_vms(specs)?;
        self.hosts[host].hypervisor.plug(&vms)?;
        self.wait_status(specs, "ACTIVE")?;
        Ok(vms)
    }
}

impl Host {
    /// Starts the agent and waits until it answers.
    pub fn start_agent(&mut self) -> Result<()> {
        self.agent.run()?;
        self.agent.wait_ready(PATIENCE)
    }

    /// Waits until the agent that was just started has made `br-int`, so that one may plug.
    pub fn wait_bridge(&mut self) -> Result<()> {
        wait_until("br-int is there", PATIENCE, || {
            self.agent.check_running()?;
            let found = self
                .hypervisor
                .switch
                .vsctl(&["--no-wait", "br-exists", "br-int"]);
            Ok(found.is_ok().then_some(()))
        })
    }

    /// Waits until the agent has nothing to do: all its parts are there, no cell is pending or failed.
    pub fn wait_settled(&mut self) -> Result<()> {
        self.agent.wait_settled(PATIENCE)
    }

    /// Normalised flows of the three bridges, one after the other. A bridge that is not there has none.
    pub fn flows(&self) -> Result<Vec<FlowDump>> {
        let switch = &self.hypervisor.switch;
        let vlans = LocalVlans::read(switch)?;
        BRIDGES
            .iter()
            .map(|bridge| FlowDump::read(switch, bridge, &vlans))
            .collect()
    }

    /// What the ports look like: name, tag by name of its local VLAN, type and options, sorted.
    pub fn ports(&self) -> Result<Vec<String>> {
        let switch = &self.hypervisor.switch;
        let vlans = LocalVlans::read(switch)?;
        let text = switch.vsctl(&[
            "--format=csv",
            "--no-headings",
            "--columns=name,tag",
            "list",
            "Port",
        ])?;
        let mut lines: Vec<String> = text
            .lines()
            .map(|line| {
                let (name, tag) = line.split_once(',').unwrap_or((line, ""));
                match tag
                    .parse::<u16>()
                    .ok()
                    .and_then(|tag| vlans.names().get(&tag))
                {
                    Some(network) => format!("{name},<{network}>"),
                    None => format!("{name},{tag}"),
                }
            })
            .collect();
        let text = switch.vsctl(&[
            "--format=csv",
            "--no-headings",
            "--columns=name,type,options",
            "list",
            "Interface",
        ])?;
        lines.extend(text.lines().map(str::to_owned));
        lines.sort_unstable();
        Ok(lines)
    }

    /// Fails, showing the difference, unless flows and ports are as they were.
    pub fn check_same(&self, flows: &[FlowDump], ports: &[String], when: &str) -> Result<()> {
        for ((bridge, before), after) in BRIDGES.iter().zip(flows).zip(self.flows()?) {
            ensure!(
                *before == after,
                "{when}, {bridge}:\n{}",
                before.difference(&after)
            );
        }
        let now = self.ports()?;
        if now != ports {
            let gone: Vec<&String> = ports.iter().filter(|p| !now.contains(p)).collect();
            let new: Vec<&String> = now.iter().filter(|p| !ports.contains(p)).collect();
            bail!("{when}, ports: gone {gone:#?}, new {new:#?}");
        }
        Ok(())
    }

    /// Waits until flows and ports are as they were; fails with the difference.
    pub fn wait_same(&self, flows: &[FlowDump], ports: &[String], when: &str) -> Result<()> {
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            match self.check_same(flows, ports, when) {
                Ok(()) => return Ok(()),
                Err(error) if std::time::Instant::now() > deadline => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }
}

/// Ports with ids that no other port of this process has. Every address is on-link to every other (10.0.0.0/8), so that
/// only the switch keeps networks apart.
pub fn new_specs(host: u8, subnet: u8, n: usize) -> Result<Vec<PlugSpec>> {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    (0..n)
        .map(|_| {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let [_, _, high, low] = number.to_be_bytes();
            Ok(PlugSpec {
                port_id: format!("{number:08x}-0000-4000-8000-{number:012x}"),
                mac: format!("fa:16:3e:{host:02x}:{high:02x}:{low:02x}"),
                address: Some((Ipv4Addr::new(10, subnet, host * 16 + high, low), 8)),
                mtu: 1400,
            })
        })
        .collect()
}
