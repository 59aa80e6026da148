//! Taps whose inner ends lie side by side in one namespace, under one raw socket: frames with any header go in at one tap
//! and come out at others, thousands a second, and no kernel stack answers by itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;

use crate::hypervisor::{Hypervisor, PlugSpec};
use crate::link::{disable_tx_checksum, ip_batch};
use crate::namespace::Namespace;
use crate::process::run;
use crate::raw::RawSocket;

/// How a tap is joined to `br-int`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Join {
    /// It is a port of `br-int`.
    Direct,
    /// It is a port of a Linux bridge of its own (`qbr…`), which a veth pair (`qvb…`, `qvo…`) joins to `br-int`.
    Hybrid,
}

/// See the module. Dropping it removes the taps.
#[derive(Debug)]
pub struct Wires {
    // Before the namespace, which it holds open.
    socket: RawSocket,
    far: Arc<Namespace>,
    specs: Vec<PlugSpec>,
    join: Join,
    /// By number of the wire.
    indexes: Vec<libc::c_int>,
    numbers: BTreeMap<libc::c_int, usize>,
}

/// A frame that came out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Arrival {
    /// At which wire.
    pub wire: usize,
    /// What.
    pub frame: Vec<u8>,
}

impl Wires {
    /// Makes a tap per spec; plugs none.
    pub fn new(hypervisor: &Hypervisor, specs: &[PlugSpec], join: Join) -> Result<Self> {
        let far = Namespace::new(false)?;
        let mut lines = String::new();
        for (n, spec) in specs.iter().enumerate() {
            let (tap, mtu) = (name("tap", spec), spec.mtu);
            lines += &format!(
                "link add {tap} mtu {mtu} type veth peer name e{n} address {mac} mtu {mtu} netns {ns}\n\
                 link set {tap} up\n",
                mac = spec.mac,
                ns = far.path()
            );
            if join == Join::Hybrid {
                let [bridge, inner, outer] = ["qbr", "qvb", "qvo"].map(|p| name(p, spec));
                lines += &format!(
                    "link add {bridge} mtu {mtu} type bridge forward_delay 0 stp_state 0 mcast_snooping 0\n\
                     link add {inner} mtu {mtu} type veth peer name {outer} mtu {mtu}\n\
                     link set {tap} master {bridge}\nlink set {inner} master {bridge}\n\
                     link set {bridge} up\nlink set {inner} up promisc on\nlink set {outer} up promisc on\n"
                );
            }
        }
        ip_batch(hypervisor.namespace(), &lines)?;
        if join == Join::Hybrid {
            hypervisor.namespace().run(|| {
                specs.iter().try_for_each(|spec| {
                    disable_tx_checksum(&name("qvb", spec))?;
                    disable_tx_checksum(&name("qvo", spec))
                })
            })?;
        }
        let up: String = (0..specs.len())
            .map(|n| format!("link set e{n} arp off up\n"))
            .collect();
        ip_batch(&far, &up)?;
        let (socket, indexes) = far.run(|| {
            let index = |n| RawSocket::index_of(&format!("e{n}"));
            let indexes = (0..specs.len()).map(index).collect::<Result<Vec<_>>>()?;
            Ok((RawSocket::open()?, indexes))
        })?;
        Ok(Wires {
            socket,
            far,
            specs: specs.to_vec(),
            join,
            numbers: indexes.iter().enumerate().map(|(n, i)| (*i, n)).collect(),
            indexes,
        })
    }

    /// What a wire was made from.
    pub fn spec(&self, wire: usize) -> &PlugSpec {
        &self.specs[wire]
    }

    /// The hypervisor's end of a wire.
    pub fn tap(&self, wire: usize) -> String {
        name("tap", &self.specs[wire])
    }

    /// The interface of a wire that is plugged into `br-int`.
    pub fn plugged(&self, wire: usize) -> String {
        match self.join {
            Join::Direct => self.tap(wire),
            Join::Hybrid => name("qvo", &self.specs[wire]),
        }
    }

    /// Plugs wires into `br-int`, all in one transaction, without waiting for the switch.
    pub fn plug(&self, hypervisor: &Hypervisor, wires: &[usize]) -> Result<()> {
        let taps: Vec<(String, &PlugSpec)> = wires
            .iter()
            .map(|&n| (self.plugged(n), &self.specs[n]))
            .collect();
        hypervisor.plug_interfaces(&taps, &["--no-wait"])
    }

    /// Takes wires out of `br-int`, without waiting for the switch.
    pub fn unplug(&self, hypervisor: &Hypervisor, wires: &[usize]) -> Result<()> {
        let mut args = vec!["--no-wait".to_owned()];
        for &n in wires {
            args.extend(["--", "--if-exists", "del-port", "br-int"].map(str::to_owned));
            args.push(self.plugged(n));
        }
        hypervisor.switch.vsctl(&args).map(drop)
    }

    /// Sends one frame into a wire.
    pub fn send(&self, wire: usize, frame: &[u8]) -> Result<()> {
        self.socket.send(self.indexes[wire], frame)
    }

    /// The next frame that came out of any wire; `None` if none does before `until`.
    pub fn receive(&self, until: Instant) -> Result<Option<Arrival>> {
        while let Some((index, frame)) = self.socket.receive(until)? {
            if let Some(&wire) = self.numbers.get(&index) {
                return Ok(Some(Arrival { wire, frame }));
            }
        }
        Ok(None)
    }

    /// Frames that the socket had no room for since the last call: a test that lost some knows nothing.
    pub fn overflow(&self) -> Result<u32> {
        self.socket.overflow()
    }

    /// Gives a wire a network stack: its inner end moves into a namespace of its own, with an address in a network. Nothing goes
    /// through the raw socket there any more. A segment that is lost stays lost for 10 s, so that a loss is not hidden
    /// by a retransmission nor a delay taken for one.
    pub fn give_stack(&self, wire: usize, address: &str, net: &str) -> Result<Arc<Namespace>> {
        let namespace = Namespace::new(false)?;
        let path = namespace.path();
        ip_batch(
            &self.far,
            &format!("link set e{wire} netns {path} name eth0\n"),
        )?;
        namespace.run(|| {
            disable_tx_checksum("eth0")?;
            let path = "/proc/sys/net/ipv4/tcp_early_retrans";
            std::fs::write(path, "0")?;
            Ok(())
        })?;
        let lines = format!(
            "addr add {address} dev eth0\nlink set eth0 arp on up\nroute replace {net} dev eth0 rto_min 10s\n"
        );
        ip_batch(&namespace, &lines)?;
        Ok(namespace)
    }

    /// The namespace of the inner ends.
    pub fn namespace(&self) -> &Arc<Namespace> {
        &self.far
    }

    /// Removes the links that outlive their peers: the bridges of hybrid wires.
    pub fn remove_bridges(&self, hypervisor: &Hypervisor) -> Result<()> {
        if self.join == Join::Direct {
            return Ok(());
        }
        let lines: String = self
            .specs
            .iter()
            .map(|spec| {
                format!(
                    "link del {}\nlink del {}\n",
                    name("qvb", spec),
                    name("qbr", spec)
                )
            })
            .collect();
        run(
            Some(hypervisor.namespace()),
            &["ip", "-force", "-batch", "-"],
            &[],
            &lines,
        )
        .map(drop)
    }
}

/// `PREFIX` and the first 11 characters of the port id, as hypervisor drivers name interfaces.
fn name(prefix: &str, spec: &PlugSpec) -> String {
    let head: String = spec.port_id.chars().take(11).collect();
    format!("{prefix}{head}")
}
