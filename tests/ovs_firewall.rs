//! The OVS-native firewall with real packets: what groups allow passes, in whole connections and in fragments, and
//! nothing else does; changes cut what they forbid and nothing else.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use testbed::{PATIENCE, PlugSpec, Site, Vm, probe, wait_until};

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_vifd"))
}

/// How long a packet that must not arrive is waited for.
const SHORT: Duration = Duration::from_millis(300);

struct Lab {
    site: Site,
    vms: Vec<Vm>,
    specs: Vec<PlugSpec>,
}

impl Lab {
    /// One host, network `blue`, groups by JSON lines, and a port per entry of `ports` in its groups.
    fn new(groups: &str, ports: &[&[&str]]) -> Result<Lab> {
        let mut site = Site::new(program())?;
        let driver = "firewall_driver = openvswitch";
        site.add_host(|settings| settings.with("securitygroup", driver))?
            .start_agent()?;
        site.database
            .create_network("blue", &["--type", "vxlan", "--segmentation-id", "7"])?;
        site.database
            .json(&["subnet", "create", "--network", "blue", "10.1.0.0/16"])?;
        site.database.apply(groups)?;
        let specs = site.create_ports(0, "blue", 1, ports.len())?;
        let lines: Vec<String> = specs
            .iter()
            .zip(ports)
            .map(|(spec, groups)| {
                serde_json::json!({"set": "port", "port": spec.port_id, "groups": groups})
                    .to_string()
            })
            .collect();
        site.database.apply(&lines.join("\n"))?;
        let vms = site.plug_and_wait(0, &specs)?;
        let mut lab = Lab { site, vms, specs };
        lab.settle()?;
        Ok(lab)
    }

    fn settle(&mut self) -> Result<()> {
        self.site.wait_followed(0)
    }

    fn change(&mut self, lines: &str) -> Result<()> {
        self.site.database.apply(lines)?;
        self.settle()
    }

    fn ip(&self, n: usize) -> Ipv4Addr {
        self.specs[n].address.expect("the tests give addresses").0
    }

    fn ping(&self, from: usize, to: usize) -> Result<bool> {
        probe::ping(self.vms[from].namespace(), self.ip(to), SHORT)
    }

    fn ofctl(&self, args: &[&str]) -> Result<String> {
        self.site.hosts[0].hypervisor.switch.ofctl(args)
    }

    /// `true` if a datagram of that size from one VM arrives at a port of another.
    fn udp(&self, from: usize, to: usize, port: u16, size: usize) -> Result<bool> {
        let receiver = self.bind(to, port)?;
        let sender = self.bind(from, 0)?;
        let target = SocketAddr::new(IpAddr::V4(self.ip(to)), port);
        sender.send_to(&vec![7; size], target)?;
        arrives(&receiver, size)
    }

    fn bind(&self, vm: usize, port: u16) -> Result<UdpSocket> {
        let ip = IpAddr::V4(self.ip(vm));
        let bind = || {
            let socket = UdpSocket::bind((ip, port))?;
            socket.set_read_timeout(Some(SHORT))?;
            Ok(socket)
        };
        self.vms[vm].namespace().run(bind)
    }

    fn bind_any(&self, vm: usize, port: u16) -> Result<UdpSocket> {
        let bind = || {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))?;
            socket.set_read_timeout(Some(SHORT))?;
            Ok(socket)
        };
        self.vms[vm].namespace().run(bind)
    }

    fn set(&self, vm: usize, fields: &str) -> String {
        let id = &self.specs[vm].port_id;
        format!(r#"{{"set": "port", "port": "{id}", {fields}}}"#)
    }

    fn explain(&self, vm: usize) -> Result<String> {
        let id = self.specs[vm].port_id.as_str();
        self.site.hosts[0].agent.command(&["port", "explain", id])
    }

    fn shell(&self, vm: usize, argv: &[&str]) -> Result<bool> {
        let run = || {
            let status = std::process::Command::new(argv[0])
                .args(&argv[1..])
                .stdout(std::process::Stdio::null())
                .status()?;
            Ok(status.success())
        };
        self.vms[vm].namespace().run(run)
    }

    /// `true` if a datagram from that address of one VM arrives at another.
    fn sends_from(&self, vm: usize, source: Ipv4Addr, to: usize) -> Result<bool> {
        let receiver = self.bind(to, 4242)?;
        let send = || {
            let socket = UdpSocket::bind((source, 0))?;
            Ok(socket.send_to(&[7; 10], (self.ip(to), 4242))?)
        };
        self.vms[vm].namespace().run(send)?;
        arrives(&receiver, 10)
    }

    /// A TCP connection, or that there is none.
    fn tcp(&self, from: usize, to: usize, port: u16) -> Result<Option<(TcpStream, TcpStream)>> {
        let at = SocketAddr::new(IpAddr::V4(self.ip(to)), port);
        let listener = self.vms[to]
            .namespace()
            .run(|| Ok(TcpListener::bind(at)?))?;
        let connect = || Ok(TcpStream::connect_timeout(&at, SHORT).ok());
        let Some(client) = self.vms[from].namespace().run(connect)? else {
            return Ok(None);
        };
        let (server, _) = listener.accept()?;
        for socket in [&client, &server] {
            socket.set_read_timeout(Some(SHORT))?;
        }
        Ok(Some((client, server)))
    }
}

fn arrives(socket: &UdpSocket, size: usize) -> Result<bool> {
    let mut buffer = vec![0; 65_536];
    match socket.recv(&mut buffer) {
        Ok(n) => {
            ensure!(n == size, "{n} bytes of {size}");
            Ok(true)
        }
        Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(false),
        Err(e) => Err(e).context("receiving"),
    }
}

fn passes(from: &mut TcpStream, to: &mut TcpStream) -> Result<bool> {
    from.write_all(b"x")?;
    let mut byte = [0];
    match to.read(&mut byte) {
        Ok(n) => Ok(n == 1),
        Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(false),
        Err(e) => Err(e).context("receiving"),
    }
}

const OUT: &str = r#"{"create": "rule", "group": "GROUP", "direction": "egress"}"#;

fn group(name: &str, rules: &[&str]) -> String {
    let mut lines =
        format!("{{\"create\": \"group\", \"name\": \"{name}\", \"no_rules\": true}}\n");
    for rule in rules {
        lines += &format!("{}\n", rule.replace("GROUP", name));
    }
    lines
}

#[test]
fn rules_decide_and_replies_pass() -> Result<()> {
    let groups = group("client", &[OUT])
        + &group(
            "server",
            &[
                r#"{"create": "rule", "group": "GROUP", "direction": "ingress", "protocol": "tcp", "ports": "80"}"#,
                r#"{"create": "rule", "group": "GROUP", "direction": "ingress", "protocol": "udp", "ports": "1000:1999"}"#,
                r#"{"create": "rule", "group": "GROUP", "direction": "ingress", "protocol": "icmp", "icmp_type": 8}"#,
            ],
        )
        + &group(
            "members",
            &[
                OUT,
                r#"{"create": "rule", "group": "GROUP", "direction": "ingress", "remote_group": "members"}"#,
            ],
        );
    let lab = Lab::new(
        &groups,
        &[&["client"], &["server"], &["members"], &["members"], &[]],
    )?;
    let (client, server, m1, m2, none) = (0, 1, 2, 3, 4);
    let dump = || lab.ofctl(&["dump-flows", "br-int", "--no-stats"]);
    assert!(lab.ping(client, server)?, "{}", dump()?);
    assert!(!lab.ping(server, client)?, "no rule lets the server out");
    assert!(lab.udp(client, server, 1000, 10)?);
    assert!(lab.udp(client, server, 1999, 10)?);
    assert!(!lab.udp(client, server, 999, 10)?);
    assert!(!lab.udp(client, server, 2000, 10)?);
    assert!(lab.udp(client, server, 1500, 4000)?, "in fragments");
    assert!(!lab.udp(client, server, 2000, 4000)?, "in fragments");
    let (mut a, mut b) = lab.tcp(client, server, 80)?.context("port 80")?;
    assert!(passes(&mut a, &mut b)? && passes(&mut b, &mut a)?);
    assert!(lab.tcp(client, server, 81)?.is_none());
    assert!(lab.ping(m1, m2)? && lab.ping(m2, m1)?, "{}", dump()?);
    assert!(!lab.ping(client, m1)?);
    assert!(!lab.ping(m1, none)? && !lab.ping(none, m1)?);
    assert!(lab.udp(m1, m2, 53, 4000)?, "in fragments");
    // To everybody: each by its own rules.
    let receivers = [(server, 1000), (m1, 1000), (none, 1000)];
    for from in [m2, client] {
        let sockets = receivers
            .iter()
            .map(|(vm, port)| lab.bind_any(*vm, *port))
            .collect::<Result<Vec<_>>>()?;
        let sender = lab.bind(from, 0)?;
        sender.set_broadcast(true)?;
        sender.send_to(&[7; 10], (Ipv4Addr::new(10, 255, 255, 255), 1000))?;
        let got: Vec<bool> = sockets
            .iter()
            .map(|socket| arrives(socket, 10))
            .collect::<Result<_>>()?;
        assert_eq!(got, [true, from == m2, false], "{}", dump()?);
    }
    Ok(())
}

#[test]
fn a_change_cuts_what_it_forbids_and_nothing_else() -> Result<()> {
    let rule = |id: u8, ports: &str| {
        format!(
            r#"{{"create": "rule", "id": "00000000-0000-4000-8000-0000000000{id:02}", "group": "server", "direction": "ingress", "protocol": "tcp", "ports": "{ports}"}}"#
        )
    };
    let groups =
        group("client", &[OUT]) + &group("server", &[]) + &rule(1, "80") + "\n" + &rule(2, "81");
    let mut lab = Lab::new(&groups, &[&["client"], &["server"]])?;
    let (mut a80, mut b80) = lab.tcp(0, 1, 80)?.context("port 80")?;
    let (mut a81, mut b81) = lab.tcp(0, 1, 81)?.context("port 81")?;
    let (mut quiet, mut speaks) = lab.tcp(0, 1, 80)?.context("port 80 again")?;
    lab.change(r#"{"delete": "rule", "rule": "00000000-0000-4000-8000-000000000001"}"#)?;
    assert!(
        !passes(&mut speaks, &mut quiet)?,
        "replies alone are cut as well"
    );
    assert!(!passes(&mut a80, &mut b80)? && !passes(&mut b80, &mut a80)?);
    assert!(passes(&mut a81, &mut b81)? && passes(&mut b81, &mut a81)?);
    lab.change(&rule(3, "80"))?;
    let start = Instant::now();
    wait_until("the connection goes on", PATIENCE, || {
        let mut bytes = [0; 8];
        Ok((b80.read(&mut bytes).unwrap_or(0) > 0).then_some(()))
    })?;
    println!("resumed after {:?}", start.elapsed());
    Ok(())
}

#[test]
fn addresses_are_held_stateless_groups_need_both_ways_and_unfiltered_ports_pass() -> Result<()> {
    let both = [
        r#"{"create": "rule", "group": "GROUP", "direction": "egress"}"#,
        r#"{"create": "rule", "group": "GROUP", "direction": "ingress"}"#,
    ];
    let asks = [
        r#"{"create": "rule", "group": "GROUP", "direction": "egress", "protocol": "udp"}"#,
        r#"{"create": "rule", "group": "GROUP", "direction": "ingress", "protocol": "icmp"}"#,
    ];
    let groups = group("open", &both) + &group("half", &asks) + &group("shut", &[]);
    let groups = groups.replace(r#""name": "half""#, r#""name": "half", "stateful": false"#);
    let mut lab = Lab::new(&groups, &[&["open"], &["open"], &["half"], &["shut"]])?;
    let (a, b, half, shut) = (0, 1, 2, 3);
    assert!(lab.ping(a, b)?);
    assert!(lab.udp(half, a, 77, 10)? && !lab.udp(a, half, 77, 10)?);
    assert!(!lab.ping(a, half)?, "the answer needs a rule of its own");
    // Another's address.
    let other = Ipv4Addr::new(10, 1, 99, 99);
    assert!(lab.shell(a, &["ip", "addr", "add", "10.1.99.99/8", "dev", "eth0"])?);
    assert!(!lab.sends_from(a, other, b)?);
    lab.change(&lab.set(a, r#""allowed_addresses": ["10.1.99.0/24"]"#))?;
    assert!(lab.sends_from(a, other, b)?, "a pair allows it");
    assert!(lab.ping(a, b)?);
    // Port security off and on again.
    assert!(!lab.ping(a, shut)?);
    lab.change(&lab.set(shut, r#""port_security": false, "groups": []"#))?;
    assert!(lab.ping(a, shut)? && lab.ping(shut, a)?);
    lab.change(&lab.set(shut, r#""port_security": true, "groups": ["shut"]"#))?;
    assert!(!lab.ping(a, shut)?, "{}", lab.explain(shut)?);
    assert!(!lab.ping(shut, a)?, "{}", lab.explain(shut)?);
    Ok(())
}

#[test]
fn restarts_change_nothing_and_let_nothing_through() -> Result<()> {
    let member =
        r#"{"create": "rule", "group": "GROUP", "direction": "ingress", "remote_group": "GROUP"}"#;
    let groups = group("friends", &[OUT, member]) + &group("others", &[OUT]);
    let mut lab = Lab::new(&groups, &[&["friends"], &["friends"], &["others"]])?;
    let (a, b, other) = (0, 1, 2);
    assert!(lab.ping(a, b)? && !lab.ping(other, b)?);
    let (flows, ports) = (lab.site.hosts[0].flows()?, lab.site.hosts[0].ports()?);
    lab.site.hosts[0].agent.kill()?;
    lab.site.hosts[0].agent.run()?;
    lab.settle()?;
    lab.site.hosts[0].check_same(&flows, &ports, "after the agent's restart")?;
    // A stranger tries all the time while the switch starts again.
    let target = SocketAddr::new(IpAddr::V4(lab.ip(b)), 4000);
    let receiver = lab.bind(b, 4000)?;
    let sender = lab.bind(other, 0)?;
    let stop = std::sync::atomic::AtomicBool::new(false);
    let sent = std::thread::scope(|scope| -> Result<u32> {
        let prober = scope.spawn(|| {
            let mut sent = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                sent += u32::from(sender.send_to(&[1], target).is_ok());
                std::thread::sleep(Duration::from_millis(1));
            }
            sent
        });
        lab.site.hosts[0].hypervisor.restart_vswitchd()?;
        wait_until("friends reach each other", PATIENCE, || {
            Ok(lab.ping(a, b)?.then_some(()))
        })?;
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        Ok(prober.join().expect("the prober"))
    })?;
    ensure!(sent > 100, "{sent} packets");
    ensure!(
        !arrives(&receiver, 1)?,
        "one of {sent} forbidden packets arrived"
    );
    lab.settle()?;
    assert!(!lab.ping(other, b)?);
    lab.change(&lab.set(other, r#""groups": ["friends"]"#))?;
    assert!(lab.ping(other, b)?, "a member now");
    lab.change(&lab.set(other, r#""groups": ["others"]"#))?;
    assert!(!lab.ping(other, b)?, "and no longer");
    Ok(())
}

#[test]
fn the_switch_floods_to_no_vif_again_whatever_becomes_of_its_port() -> Result<()> {
    let mut lab = Lab::new(&group("shut", &[OUT]), &[&["shut"], &["shut"]])?;
    let (a, b) = (0, 1);
    let tap = lab.vms[a].tap().to_owned();
    let switch = &lab.site.hosts[0].hypervisor.switch;
    let management = switch.management("br-int");
    let number = switch.vsctl(&["get", "Interface", &tap, "ofport"])?;
    let is_unflooded = |lab: &Lab| -> Result<bool> {
        let shown = lab.ofctl(&["show", &management])?;
        let (_, port) = shown.split_once(&format!("({tap})")).context("the port")?;
        let config = port.lines().find(|line| line.contains("config:"));
        Ok(config.is_some_and(|line| line.contains("NO_FLOOD")))
    };
    let again =
        |lab: &Lab, what: &str| wait_until(what, PATIENCE, || Ok(is_unflooded(lab)?.then_some(())));
    let broadcast_arrives = |lab: &Lab| -> Result<bool> {
        let receiver = lab.bind_any(a, 4000)?;
        let sender = lab.bind(b, 0)?;
        sender.set_broadcast(true)?;
        sender.send_to(b"x", (Ipv4Addr::new(10, 1, 255, 255), 4000))?;
        arrives(&receiver, 1)
    };
    assert!(is_unflooded(&lab)? && !broadcast_arrives(&lab)?);
    let (flows, ports) = (lab.site.hosts[0].flows()?, lab.site.hosts[0].ports()?);
    for _ in 0..3 {
        lab.ofctl(&["mod-port", &management, &tap, "flood"])?;
        again(&lab, "another hand is followed")?;
        assert!(!broadcast_arrives(&lab)?);
    }
    lab.site.hosts[0].check_same(&flows, &ports, "after another hand")?;

    // A device of another kind under the same name and number.
    testbed::ip_batch(
        lab.site.hosts[0].hypervisor.namespace(),
        &format!("link del {tap}\n"),
    )?;
    let switch = &lab.site.hosts[0].hypervisor.switch;
    switch.vsctl(&["set", "Interface", &tap, "type=internal"])?;
    assert_eq!(
        switch.vsctl(&["get", "Interface", &tap, "ofport"])?,
        number,
        "the switch gives the same number"
    );
    again(&lab, "a new device is followed")?;
    lab.settle()?;
    assert_eq!(lab.site.hosts[0].flows()?, flows, "after a new device");
    Ok(())
}
