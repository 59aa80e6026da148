//! `vifd cleanup` after either firewall driver, with packets: what was forbidden passes as if vifd had never been there,
//! nothing of it is left in the switch or in the kernel, and what others made is as it was.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nft::conntrack::{Entry, Filter, Tuple};
use nft::message::Family;
use nft::net::{ConntrackClient, DeleteFilters};
use testbed::{Join, Namespace, PATIENCE, PlugSpec, Site, Wires, ip_batch, run};

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_vifd"))
}

/// How long a packet that must not arrive is waited for.
const SHORT: Duration = Duration::from_millis(300);
/// Which port the rules allow, and one that they do not.
const ALLOWED: u16 = 1000;
const FORBIDDEN: u16 = 2000;

const GROUPS: &str = r#"
{"create": "group", "name": "web", "no_rules": true}
{"create": "rule", "group": "web", "direction": "egress"}
{"create": "rule", "group": "web", "direction": "ingress", "protocol": "udp", "ports": "1000", "remote_group": "web"}
"#;

/// The operator's: a port, with no floods to it; a flow; a table of the kernel.
const THEIR_FLOW: &str = "cookie=0xbeef,table=200,priority=7,actions=drop\n";
const THEIR_TABLE: &str = "table bridge theirs {
    chain input { type filter hook input priority 0; }
}
";

struct Lab {
    // Before the site, whose namespace they lead into.
    vms: Vec<Arc<Namespace>>,
    wires: Wires,
    specs: Vec<PlugSpec>,
    site: Site,
}

impl Lab {
    fn new(driver: &str, join: Join) -> Result<Lab> {
        let mut site = Site::new(program())?;
        let driver = format!("firewall_driver = {driver}");
        site.add_host(|settings| settings.with("securitygroup", driver))?;
        site.database
            .create_network("blue", &["--type", "vxlan", "--segmentation-id", "7"])?;
        site.database
            .json(&["subnet", "create", "--network", "blue", "10.1.0.0/16"])?;
        site.database.apply(GROUPS)?;
        let specs = site.create_ports(0, "blue", 1, 2)?;
        let lines: Vec<String> = specs
            .iter()
            .map(|spec| {
                let id = &spec.port_id;
                format!(r#"{{"set": "port", "port": "{id}", "groups": ["web"]}}"#)
            })
            .collect();
        site.database.apply(&lines.join("\n"))?;
        let wires = Wires::new(&site.hosts[0].hypervisor, &specs, join)?;
        let stack = |n: usize| {
            let (ip, _) = specs[n].address.context("the tests give addresses")?;
            wires.give_stack(n, &format!("{ip}/16"), "10.1.0.0/16")
        };
        let vms = vec![stack(0)?, stack(1)?];
        Ok(Lab {
            vms,
            wires,
            specs,
            site,
        })
    }

    /// What is there before vifd.
    fn operator(&self) -> Result<()> {
        let hypervisor = &self.site.hosts[0].hypervisor;
        hypervisor.add_integration_bridge()?;
        let add = "add-port br-int op0 -- set Interface op0 type=internal";
        hypervisor
            .switch
            .vsctl(&add.split(' ').collect::<Vec<_>>())?;
        let management = hypervisor.switch.management("br-int");
        self.ofctl(&["mod-port", &management, "op0", "no-flood"])?;
        hypervisor.switch.add_flows("br-int", THEIR_FLOW)?;
        let bridge = "link add opbr0 type bridge nf_call_iptables 1 nf_call_ip6tables 1\n";
        ip_batch(hypervisor.namespace(), bridge)?;
        let nft = run(
            Some(hypervisor.namespace()),
            &["nft", "-f", "-"],
            &[],
            THEIR_TABLE,
        )?;
        ensure!(nft.is_empty(), "{nft}");
        let theirs = Entry {
            timeout: Some(600),
            ..their_connection()
        };
        self.conntrack(|client| client.create(Family::IPV4, theirs))
    }

    fn ofctl(&self, args: &[&str]) -> Result<String> {
        self.site.hosts[0].hypervisor.switch.ofctl(args)
    }

    fn flows(&self, bridge: &str) -> Result<String> {
        let management = self.site.hosts[0].hypervisor.switch.management(bridge);
        self.ofctl(&["--no-stats", "dump-flows", &management])
    }

    fn conntrack<T: Send>(
        &self,
        ask: impl FnOnce(&mut ConntrackClient) -> std::io::Result<T> + Send,
    ) -> Result<T> {
        self.site.hosts[0].hypervisor.namespace().run(|| {
            let mut client = ConntrackClient::open(DeleteFilters::default())?;
            Ok(ask(&mut client)?)
        })
    }

    fn ip(&self, vm: usize) -> Ipv4Addr {
        self.specs[vm].address.expect("the tests give addresses").0
    }

    fn bind(&self, vm: usize, ip: Ipv4Addr, port: u16) -> Result<UdpSocket> {
        self.vms[vm].run(|| {
            let socket = UdpSocket::bind((ip, port))?;
            socket.set_read_timeout(Some(SHORT))?;
            socket.set_broadcast(true)?;
            Ok(socket)
        })
    }

    /// `true` if a datagram from one VM arrives at a port of the other, by address or by broadcast.
    fn arrives(&self, from: usize, to: usize, address: Ipv4Addr, port: u16) -> Result<bool> {
        let receiver = self.bind(to, Ipv4Addr::UNSPECIFIED, port)?;
        let sender = self.bind(from, self.ip(from), 0)?;
        sender.send_to(b"x", SocketAddr::new(IpAddr::V4(address), port))?;
        match receiver.recv_from(&mut [0; 8]) {
            Ok((_, source)) => Ok(source.ip() == IpAddr::V4(self.ip(from))),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    fn reaches(&self, from: usize, to: usize, port: u16) -> Result<bool> {
        self.arrives(from, to, self.ip(to), port)
    }

    /// Ports of `br-int` that the switch floods nothing to.
    fn unflooded(&self) -> Result<BTreeSet<String>> {
        let shown = self.ofctl(&[
            "show",
            &self.site.hosts[0].hypervisor.switch.management("br-int"),
        ])?;
        let mut found = BTreeSet::new();
        let mut name = String::new();
        for line in shown.lines() {
            if let Some((_, rest)) = line.split_once('(')
                && let Some((port, _)) = rest.split_once("): addr:")
            {
                name = port.to_owned();
            }
            if line.contains("config:") && line.contains("NO_FLOOD") {
                found.insert(name.clone());
            }
        }
        Ok(found)
    }

    /// Connections of the VMs in conntrack zones: the switch's and the kernel's.
    fn tracked(&self) -> Result<Vec<String>> {
        let switch = &self.site.hosts[0].hypervisor.switch;
        let dumped = switch.appctl(&["dpctl/dump-conntrack"])?;
        let source = format!("src={},", self.ip(0));
        let ours = |line: &&str| line.contains(&source);
        let mut found: Vec<String> = dumped.lines().filter(ours).map(str::to_owned).collect();
        let all = self.conntrack(|client| client.dump(&Filter::default()))?;
        let ends = |entry: &Entry| entry.original.as_ref().and_then(Tuple::src);
        let vms = [0, 1].map(|vm| Some(IpAddr::V4(self.ip(vm))));
        let kept = all.iter().filter(|(_, entry)| vms.contains(&ends(entry)));
        found.extend(kept.map(|(_, entry)| format!("{entry:?}")));
        Ok(found)
    }

    fn tables(&self) -> Result<String> {
        let hypervisor = &self.site.hosts[0].hypervisor;
        run(
            Some(hypervisor.namespace()),
            &["nft", "list", "tables"],
            &[],
            "",
        )
    }

    /// Bridges that hand their packets to the IP hooks.
    fn handing_over(&self) -> Result<BTreeSet<String>> {
        let hypervisor = &self.site.hosts[0].hypervisor;
        let show = ["ip", "-d", "-o", "link", "show", "type", "bridge"];
        let shown = run(Some(hypervisor.namespace()), &show, &[], "")?;
        let is_on = |line: &&str| {
            line.contains("nf_call_iptables 1") && line.contains("nf_call_ip6tables 1")
        };
        let name = |line: &str| line.split(": ").nth(1).map(str::to_owned);
        Ok(shown.lines().filter(is_on).filter_map(name).collect())
    }

    /// What an operator does who wants the ports on one plain network.
    fn make_plain(&self) -> Result<()> {
        let switch = &self.site.hosts[0].hypervisor.switch;
        for n in 0..self.specs.len() {
            let port = self.wires.plugged(n);
            assert_eq!(switch.vsctl(&["get", "Port", &port, "tag"])?.trim(), "4095");
            switch.vsctl(&["clear", "Port", &port, "tag"])?;
        }
        switch.add_flows("br-int", "table=0,priority=0,actions=NORMAL\n")?;
        for vm in &self.vms {
            run(Some(vm), &["ip", "neigh", "flush", "all"], &[], "")?;
        }
        Ok(())
    }
}

fn their_connection() -> Entry {
    let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
    let (src, dst) = (ip("198.51.100.1"), ip("198.51.100.2"));
    Entry {
        original: Some(Tuple::new(src, dst, 17, 40000, 53)),
        reply: Some(Tuple::new(dst, src, 17, 53, 40000)),
        ..Entry::default()
    }
}

fn nothing_is_left(driver: &str, join: Join) -> Result<()> {
    let mut lab = Lab::new(driver, join)?;
    lab.operator()?;
    let tables_before = lab.tables()?;
    lab.site.hosts[0].start_agent()?;
    lab.site.hosts[0].wait_bridge()?;
    lab.wires.plug(&lab.site.hosts[0].hypervisor, &[0, 1])?;
    lab.site.wait_status(&lab.specs, "ACTIVE")?;
    lab.site.hosts[0].wait_settled()?;

    assert!(lab.reaches(0, 1, ALLOWED)?, "the rules allow it");
    assert!(!lab.reaches(0, 1, FORBIDDEN)?, "no rule allows it");
    assert!(!lab.arrives(0, 1, Ipv4Addr::new(10, 1, 255, 255), FORBIDDEN)?);
    assert!(!lab.tracked()?.is_empty(), "what was allowed is tracked");
    let vifs: BTreeSet<String> = (0..2).map(|n| lab.wires.plugged(n)).collect();
    let mut quiet = BTreeSet::from(["op0".to_owned()]);
    match driver {
        "nft" => assert_ne!(lab.tables()?, tables_before),
        _ => quiet.extend(vifs.iter().cloned()),
    }
    assert_eq!(lab.unflooded()?, quiet);
    let theirs = BTreeSet::from(["opbr0".to_owned()]);
    let through_hooks = lab.tables()?.contains("table inet vifd");
    assert_eq!(lab.handing_over()? != theirs, through_hooks);

    let host = &mut lab.site.hosts[0];
    assert!(host.agent.terminate(PATIENCE)?.success());
    let told = host.agent.command(&["cleanup", "--dry-run"])?;
    let zones = match driver {
        "nft" => "would remove connections in 2 conntrack zones of the kernel\n",
        _ => "would remove connections in 1 conntrack zone of br-int\n",
    };
    assert!(told.contains(zones), "{told}");
    for vif in vifs.intersection(&quiet) {
        let line = format!("would remove no-flood of VIF {vif} on br-int\n");
        assert!(told.contains(&line), "{told}");
    }
    let dry = host.agent.json(&["cleanup", "--dry-run"])?;
    let done = host.agent.json(&["cleanup"])?;
    assert_eq!(
        dry["removed"], done["removed"],
        "the dry run told the truth"
    );
    assert_eq!(done["problems"], serde_json::json!([]), "{done:#}");

    for bridge in ["br-int", "br-ex"] {
        let flows = lab.flows(bridge)?;
        assert!(!flows.contains("cookie=0x76696664"), "{flows}");
    }
    let flows = lab.flows("br-int")?;
    assert!(flows.contains("cookie=0xbeef"), "{flows}");
    assert_eq!(
        lab.unflooded()?,
        BTreeSet::from(["op0".to_owned()]),
        "the operator's bit stays, vifd's goes"
    );
    assert_eq!(lab.tables()?, tables_before);
    assert_eq!(lab.handing_over()?, theirs);
    assert_eq!(lab.tracked()?, Vec::<String>::new());
    let kept = lab.conntrack(|client| client.dump(&Filter::default()))?;
    let is_theirs = |(_, entry): &(Family, Entry)| entry.original == their_connection().original;
    assert!(kept.iter().any(is_theirs), "{kept:?}");

    lab.make_plain()?;
    for (from, to) in [(0, 1), (1, 0)] {
        assert!(lab.reaches(from, to, FORBIDDEN)?, "{from} to {to}");
        let all = Ipv4Addr::new(10, 1, 255, 255);
        assert!(lab.arrives(from, to, all, FORBIDDEN)?, "{from} to all");
    }
    let again = lab.site.hosts[0].agent.command(&["cleanup"])?;
    assert_eq!(again, "nothing on this host bears vifd's marks\n");
    lab.wires.remove_bridges(&lab.site.hosts[0].hypervisor)
}

#[test]
fn nothing_is_left_of_the_firewall_in_the_switch() -> Result<()> {
    nothing_is_left("openvswitch", Join::Direct)
}

#[test]
fn nothing_is_left_of_the_firewall_in_nf_tables() -> Result<()> {
    nothing_is_left("nft", Join::Hybrid)
}
