//! A world made real: a hypervisor, its agent, the world in its database, and a raw wire into every port.

mod control;
mod kernel;
mod picture;
mod volley;

use std::collections::BTreeSet;
use std::net::Ipv6Addr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, bail};
use ipnet::IpNet;
use testbed::{Join, PATIENCE, PlugSpec, Site, Wires, wait_until};

pub use picture::Picture;
pub use volley::{Outcome, Shot, volley};

use crate::packet::{Body, DCCP, Ip, Packet, Payload, SCTP, TCP, UDP, UDPLITE};
use crate::reference::{Profile, Tracker, Zones};
use crate::world::{Mac, World};

/// MTU of every wire.
const MTU: u16 = 1400;

/// What enforces the world.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Driver {
    /// Nothing does: for the test of the test.
    Noop,
    /// Flows of the integration bridge.
    OpenFlow,
    /// nf_tables on a Linux bridge of each port.
    Nft,
}

impl Driver {
    /// The name in the configuration of the agent.
    fn name(self) -> &'static str {
        match self {
            Driver::Noop => "noop",
            Driver::OpenFlow => "openvswitch",
            Driver::Nft => "nft",
        }
    }

    fn join(self) -> Join {
        match self {
            Driver::Noop | Driver::OpenFlow => Join::Direct,
            Driver::Nft => Join::Hybrid,
        }
    }

    /// What this driver does in its own way.
    pub fn profile(self) -> Profile {
        match self {
            // The tracker is that of the userspace datapath: a kernel with `openvswitch.ko` and conntrack zones is not
            // at hand.
            Driver::Noop | Driver::OpenFlow => Profile {
                zones: Zones::Network,
                tracker: Tracker::Userspace,
                untracked_by_rules: false,
                fragments_hide_types: true,
                detects_own_only: true,
                strays_reach_filtered: self == Driver::Noop,
                sees_ports_of: &[TCP, UDP, SCTP],
                holds_lone_fragments: false,
                bridges_reassemble: false,
            },
            Driver::Nft => Profile {
                zones: if kernel::has_one_table() {
                    Zones::Host
                } else {
                    Zones::Port
                },
                tracker: Tracker::Kernel {
                    dccp: kernel::tracks_dccp(),
                },
                untracked_by_rules: true,
                fragments_hide_types: false,
                detects_own_only: false,
                strays_reach_filtered: true,
                sees_ports_of: &[TCP, UDP, SCTP, DCCP, UDPLITE],
                holds_lone_fragments: true,
                bridges_reassemble: kernel::tracks_in_bridges(),
            },
        }
    }
}

/// See the module.
pub struct Bed {
    // Before the site, whose namespace they lead into.
    pub wires: Arc<Wires>,
    pub site: Site,
    pub world: World,
    pub driver: Driver,
    /// Ports that are plugged.
    pub plugged: BTreeSet<usize>,
    round: u32,
}

impl Bed {
    /// Starts everything; every port of the world is plugged and ACTIVE.
    pub fn start(program: &Path, world: &World, driver: Driver) -> Result<Bed> {
        Bed::start_with(program, world, driver, &[])
    }

    /// The same with more options of `[vifd]`.
    pub fn start_with(
        program: &Path,
        world: &World,
        driver: Driver,
        options: &[&str],
    ) -> Result<Bed> {
        let mut site = Site::new(program)?;
        site.add_host(|settings| {
            let driver = format!("firewall_driver = {}", driver.name());
            options.iter().fold(
                settings.with("securitygroup", driver),
                |settings, option| settings.with("vifd", *option),
            )
        })?;
        site.database.apply(&control::create(world))?;
        let specs: Vec<PlugSpec> = (0..world.ports.len()).map(|n| spec(world, n)).collect();
        let wires = Wires::new(&site.hosts[0].hypervisor, &specs, driver.join())?;
        let mut bed = Bed {
            wires: Arc::new(wires),
            site,
            world: world.clone(),
            driver,
            plugged: BTreeSet::new(),
            round: 0,
        };
        bed.site.hosts[0].start_agent()?;
        bed.site.hosts[0].wait_bridge()?;
        let all: Vec<usize> = (0..world.ports.len()).collect();
        bed.plug(&all)?;
        bed.settle()?;
        Ok(bed)
    }

    /// Plugs ports and waits until they are ACTIVE.
    pub fn plug(&mut self, ports: &[usize]) -> Result<()> {
        self.plug_no_wait(ports)?;
        self.wait_active(ports)
    }

    /// Plugs ports.
    pub fn plug_no_wait(&mut self, ports: &[usize]) -> Result<()> {
        self.plugged.extend(ports);
        self.wires.plug(&self.site.hosts[0].hypervisor, ports)
    }

    /// Waits until ports are ACTIVE.
    pub fn wait_active(&mut self, ports: &[usize]) -> Result<()> {
        let specs: Vec<PlugSpec> = ports.iter().map(|&n| self.wires.spec(n).clone()).collect();
        self.site.wait_status(&specs, "ACTIVE").map(drop)
    }

    /// Takes ports out.
    pub fn unplug(&mut self, ports: &[usize]) -> Result<()> {
        self.plugged.retain(|n| !ports.contains(n));
        self.wires.unplug(&self.site.hosts[0].hypervisor, ports)
    }

    /// Makes the database say what `world` says, and waits until the agent has done it.
    pub fn change(&mut self, world: &World) -> Result<()> {
        self.tell(world)?;
        self.settle()
    }

    /// Removes a port from the database for good; the world does not know.
    pub fn delete(&mut self, port: usize) -> Result<()> {
        let line = serde_json::json!({"delete": "port", "port": port_id(port)});
        self.site.database.apply(&line.to_string())?;
        self.settle()
    }

    /// Makes the database say what `world` says.
    pub fn tell(&mut self, world: &World) -> Result<()> {
        self.site
            .database
            .apply(&control::change(&self.world, world))?;
        self.world = world.clone();
        Ok(())
    }

    /// Waits until the agent has seen the database as it is now and has nothing left to do.
    pub fn settle(&mut self) -> Result<()> {
        self.round += 1;
        let name = format!("marker-{}", self.round);
        self.site.database.apply(&control::mark(&name))?;
        let host = &mut self.site.hosts[0];
        wait_until("the agent has seen the last change", PATIENCE, || {
            host.agent.check_running()?;
            let Ok(desired) = host.agent.json(&["dump", "desired"]) else {
                return Ok(None);
            };
            let networks = desired["networks"]
                .as_array()
                .context("networks in the dump")?;
            Ok(networks.iter().any(|n| n["name"] == *name).then_some(()))
        })
        .with_context(|| host.agent.log())?;
        host.wait_settled()?;
        // Cutting connections is no cell's business.
        wait_until("the agent has no batch under way", PATIENCE, || {
            let status = host.agent.json(&["status"])?;
            Ok((status["counters"]["batches_in_flight"] == 0).then_some(()))
        })
    }

    /// Teaches every switch on the way where the MACs of every port are; those of other hosts are behind the router.
    pub fn introduce(&self) -> Result<()> {
        let mut shots = Vec::new();
        for (n, port) in self
            .world
            .ports
            .iter()
            .enumerate()
            .filter(|(n, _)| self.plugged.contains(n))
        {
            let mut packets: Vec<Packet> = Vec::new();
            for mac in port.macs() {
                packets.push(self.greeting(n, mac, Mac::BROADCAST));
            }
            if self.world.router(port.network) == Some(n) {
                let macs = self.world.elsewhere.iter().flat_map(|port| port.macs());
                packets.extend(macs.map(|from| Packet {
                    from,
                    to: Mac::BROADCAST,
                    vlan: None,
                    body: Body::Other(0x88b6),
                }));
            }
            let heard_by = self.listener(n)?;
            shots.extend(packets.into_iter().map(|packet| {
                let expected = crate::wire::whole(&packet, &[heard_by]);
                Shot::new(n, packet, expected)
            }));
        }
        volley(self, &shots, &mut Outcome::default())
    }

    /// Who hears whatever a port sends to all: the witness, or the router for the witness itself.
    fn listener(&self, from: usize) -> Result<usize> {
        let network = self.world.ports[from].network;
        let to = match self.world.witness(network) {
            witness if witness == Some(from) => self.world.router(network),
            witness => witness,
        };
        to.context("a network without a witness")
    }

    /// A packet that every filtered port may send from one of its MACs.
    pub fn greeting(&self, n: usize, mac: Mac, to: Mac) -> Packet {
        let sources = self.world.ports[n].sources();
        let own = sources.iter().find_map(|(m, net)| match net {
            IpNet::V4(net) if *m == mac && net.prefix_len() > 0 => Some(net.addr()),
            _ => None,
        });
        if let Some(spa) = own {
            let body = Body::Arp {
                op: 1,
                sha: mac,
                spa,
                tpa: spa,
            };
            return Packet {
                from: mac,
                to,
                vlan: None,
                body,
            };
        }
        let target = mac.link_local();
        let to = if to == Mac::BROADCAST {
            Mac([0x33, 0x33, 0, 0, 0, 1])
        } else {
            to
        };
        let all = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
        let payload = Payload::Neighbour { kind: 135, target };
        Packet::ip(mac, to, Ip::new(target.into(), all.into(), payload))
    }

    /// What the switch does with a packet of a connection in that state, by its own account; the rules of nf_tables.
    pub fn trace(&self, from: usize, packet: &Packet, state: &str) -> Result<String> {
        if self.driver == Driver::Nft {
            let namespace = self.site.hosts[0].hypervisor.namespace();
            return testbed::run(Some(namespace), &["nft", "list", "ruleset"], &[], "");
        }
        let switch = &self.site.hosts[0].hypervisor.switch;
        let next = match state {
            "established" => "trk,est",
            "reply" => "trk,est,rpl",
            "related" => "trk,rel",
            "invalid" | "untracked" => "trk,inv",
            _ => "trk,new",
        };
        let mut text = String::new();
        for frame in crate::wire::frames(packet, next_number()) {
            let hex: String = frame.iter().map(|b| format!("{b:02x}")).collect();
            let flow = format!("in_port={}", self.wires.plugged(from));
            let args = [
                "ofproto/trace",
                "br-int",
                &flow,
                &hex,
                "--ct-next",
                next,
                "--ct-next",
                next,
            ];
            text += &switch.appctl(&args)?;
        }
        Ok(text)
    }
}

/// Numbers that mark packets; no two packets of a process share one.
pub fn next_number() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Ids of a world's things in the database.
pub fn port_id(n: usize) -> String {
    format!("{n:08x}-aaaa-4000-8000-{n:012x}")
}

fn spec(world: &World, n: usize) -> PlugSpec {
    PlugSpec {
        port_id: port_id(n),
        mac: world.ports[n].mac.to_string(),
        address: None,
        mtu: MTU,
    }
}

/// Fails unless some kernel limit on connections is far away.
pub fn check_connections_fit(expected: u64) -> Result<()> {
    let path = "/proc/sys/net/netfilter/nf_conntrack_max";
    let Ok(text) = std::fs::read_to_string(path) else {
        return Ok(());
    };
    let max: u64 = text.trim().parse().context(path)?;
    if max < 2 * expected {
        bail!("{path} is {max}, too few for {expected} connections");
    }
    Ok(())
}
