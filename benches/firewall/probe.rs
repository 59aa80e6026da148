//! Equal work: packets through what was loaded, each of which has to arrive, or not, as the rules say.
//!
//! A few VMs have devices. For vifd, a VM's tap is on a bridge of its own, joined to the network by a pair; for the
//! peers, who filter what is forwarded, it is the route to the VM's address.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use testbed::{Namespace, RawSocket, ip_batch};
use vifd::plan::firewall::nft::numbers::short;

use crate::workload::{Try, allows, pid, tries};

const ROUTER: [u8; 6] = [2, 0, 0, 0, 0, 1];
const QUIET: Duration = Duration::from_millis(300);

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Bridged,
    Routed,
}

pub struct Probe {
    // Before the namespace that it is in.
    socket: RawSocket,
    vms: Vec<u128>,
    way: Way,
    /// Interface indexes: where packets to a VM go in and where they come out.
    ends: Vec<(i32, i32)>,
    _far: Arc<Namespace>,
}

fn mac(vm: u128) -> [u8; 6] {
    crate::world::mac(vm + 1).0
}

fn colons(mac: [u8; 6]) -> String {
    mac.map(|b| format!("{b:02x}")).join(":")
}

fn ip(way: Way, vm: u128) -> Ipv4Addr {
    let n = vm as u8 + 1;
    match way {
        Way::Bridged => Ipv4Addr::new(10, 0, 0, n),
        Way::Routed => Ipv4Addr::new(198, 51, 100, n),
    }
}

impl Probe {
    /// Devices for these VMs in the namespace.
    pub fn new(near: &Arc<Namespace>, way: Way, vms: &[u128]) -> Probe {
        let far = Namespace::new(false).expect("a namespace");
        let mut lines = String::new();
        let mut far_lines = String::new();
        let mut pair = |name: &str, far_name: &str| {
            lines += &format!(
                "link add {name} type veth peer name {far_name} netns {}\nlink set {name} up\n",
                far.path()
            );
            far_lines += &format!("link set {far_name} arp off up\n");
        };
        if way == Way::Routed {
            pair("in0", "net");
        }
        for &vm in vms {
            match way {
                Way::Routed => pair(&format!("tap{vm}"), &format!("vm{vm}")),
                Way::Bridged => {
                    let name = short(pid(vm + 1));
                    pair(&format!("tap{name}"), &format!("vm{vm}"));
                    pair(&format!("qvb{name}"), &format!("net{vm}"));
                }
            }
        }
        if way == Way::Routed {
            lines += &format!("link set in0 address {}\n", colons(ROUTER));
            lines += "addr add 192.0.2.1/24 dev in0\nroute add default dev in0\n";
        }
        for &vm in vms {
            let (ip, mac) = (ip(way, vm), colons(mac(vm)));
            lines += &match way {
                Way::Routed => format!(
                    "route add {ip}/32 dev tap{vm}\nneigh add {ip} lladdr {mac} nud permanent dev tap{vm}\n"
                ),
                Way::Bridged => {
                    let name = short(pid(vm + 1));
                    format!(
                        "link add qbr{name} type bridge forward_delay 0 stp_state 0 mcast_snooping 0 nf_call_iptables 1\n\
                         link set tap{name} master qbr{name}\nlink set qvb{name} master qbr{name}\nlink set qbr{name} up\n"
                    )
                }
            };
        }
        ip_batch(near, &lines).expect("devices");
        ip_batch(&far, &far_lines).expect("their other ends");
        if way == Way::Routed {
            let set = |name: &str, value: &str| {
                std::fs::write(format!("/proc/sys/net/ipv4/{name}"), value).expect(name);
            };
            let set_all = || {
                set("ip_forward", "1");
                for device in ["all", "default", "in0"] {
                    set(&format!("conf/{device}/rp_filter"), "0");
                }
                Ok(())
            };
            near.run(set_all).expect("a router");
        }
        let open = || {
            let ends = vms.iter().map(|vm| {
                let net = match way {
                    Way::Routed => "net".to_owned(),
                    Way::Bridged => format!("net{vm}"),
                };
                let out = RawSocket::index_of(&format!("vm{vm}"))?;
                Ok((RawSocket::index_of(&net)?, out))
            });
            Ok((RawSocket::open()?, ends.collect::<anyhow::Result<_>>()?))
        };
        let (socket, ends) = far.run(open).expect("a raw socket");
        Probe {
            socket,
            vms: vms.to_vec(),
            way,
            ends,
            _far: far,
        }
    }

    /// Sends every packet and compares. How many were sent, and how many of them were to arrive.
    pub fn check(&self, who: &str) -> (usize, usize) {
        let list = tries(&self.vms);
        let mut wanted = BTreeSet::new();
        for (number, packet) in list.iter().enumerate() {
            if allows(packet.vm, packet.from, packet.port) {
                wanted.insert(number);
            }
        }
        assert!(wanted.len() > 100 && list.len() - wanted.len() > 100);
        let mut arrived = BTreeSet::new();
        for (number, packet) in list.iter().enumerate() {
            self.send(number, packet);
            self.receive(&mut arrived, Duration::ZERO);
        }
        self.receive(&mut arrived, QUIET);
        let wrong: Vec<&Try> = wanted
            .symmetric_difference(&arrived)
            .map(|number| &list[*number])
            .collect();
        assert!(wrong.is_empty(), "{who} judges otherwise: {wrong:?}");
        (list.len(), wanted.len())
    }

    fn send(&self, number: usize, packet: &Try) {
        let at = self.vms.iter().position(|vm| *vm == packet.vm);
        let (to, _) = self.ends[at.expect("it has devices")];
        let receiver = match self.way {
            Way::Routed => ROUTER,
            Way::Bridged => mac(packet.vm),
        };
        let frame = frame(receiver, number, packet, ip(self.way, packet.vm));
        self.socket.send(to, &frame).expect("it takes frames");
    }

    /// Takes in what arrives at VMs, until nothing does for so long.
    fn receive(&self, arrived: &mut BTreeSet<usize>, quiet: Duration) {
        let next = || self.socket.receive(Instant::now() + quiet);
        while let Some((at, frame)) = next().expect("it hears frames") {
            let is_vm = self.ends.iter().any(|(_, vm)| *vm == at);
            if is_vm && frame.len() >= 42 && frame[12..14] == [8, 0] && frame[23] == 6 {
                let number = u16::from_be_bytes([frame[34], frame[35]]);
                arrived.insert(usize::from(number) - 20_000);
            }
        }
    }
}

/// The first packet of a TCP connection, from port 20,000 + `number`.
fn frame(receiver: [u8; 6], number: usize, packet: &Try, to: Ipv4Addr) -> Vec<u8> {
    let mut tcp = Vec::new();
    tcp.extend((20_000 + number as u16).to_be_bytes());
    tcp.extend(packet.port.to_be_bytes());
    tcp.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0]);
    let mut pseudo = [packet.from.octets(), to.octets()].concat();
    pseudo.extend([0, 6, 0, 20]);
    pseudo.extend(&tcp);
    tcp[16..18].copy_from_slice(&checksum(&pseudo).to_be_bytes());
    let mut header = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0];
    header.extend(packet.from.octets());
    header.extend(to.octets());
    let sum = checksum(&header).to_be_bytes();
    header[10..12].copy_from_slice(&sum);
    [&receiver[..], &[2, 0, 0, 0, 0, 9], &[8, 0], &header, &tcp].concat()
}

/// RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)])))
        .sum();
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !(sum as u16)
}
