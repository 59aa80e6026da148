//! Taps whose inner ends lie side by side in one namespace, under one raw socket: frames with any header go in at one tap
//! and come out at others, thousands a second, and no kernel stack answers by itself.

use std::collections::BTreeMap;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, Socket, Type};

use crate::hypervisor::{Hypervisor, PlugSpec};
use crate::link::{disable_tx_checksum, ip_batch};
use crate::namespace::Namespace;
use crate::process::run;

/// `ETH_P_ALL` (linux/if_ether.h), in network order as the socket wants it.
const ALL_PROTOCOLS: u16 = (libc::ETH_P_ALL as u16).to_be();
/// `PACKET_IGNORE_OUTGOING` (linux/if_packet.h): the socket does not hear itself.
const IGNORE_OUTGOING: libc::c_int = 23;
/// Room for everything that may arrive between two reads, in bytes.
const RECEIVE_BUFFER: libc::c_int = 16 << 20;
const MAX_FRAME: usize = 2048;

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
    socket: Socket,
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
            let indexes = (0..specs.len()).map(index_of).collect::<Result<Vec<_>>>()?;
            Ok((open()?, indexes))
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
        let to = address(self.indexes[wire])?;
        let sent = self.socket.send_to(frame, &to);
        let sent = sent.with_context(|| format!("send {} bytes into wire {wire}", frame.len()))?;
        ensure!(
            sent == frame.len(),
            "wire {wire} took {sent} bytes of {}",
            frame.len()
        );
        Ok(())
    }

    /// The next frame that came out of any wire; `None` if none does before `until`.
    pub fn receive(&self, until: Instant) -> Result<Option<Arrival>> {
        let mut buffer = [MaybeUninit::<u8>::uninit(); MAX_FRAME];
        loop {
            match self.socket.recv_from(&mut buffer) {
                Ok((n, from)) => {
                    let Some(&wire) = self.numbers.get(&index_in(&from)) else {
                        continue;
                    };
                    // SAFETY: the kernel wrote the first `n` bytes.
                    let frame = buffer[..n]
                        .iter()
                        .map(|b| unsafe { b.assume_init() })
                        .collect();
                    return Ok(Some(Arrival { wire, frame }));
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("receive frames"),
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.wait(left)?;
        }
    }

    /// Frames that the socket had no room for since the last call: a test that lost some knows nothing.
    pub fn overflow(&self) -> Result<u32> {
        let mut statistics = [0u32; 2];
        let mut len = libc::socklen_t::try_from(size_of_val(&statistics))?;
        // SAFETY: the kernel writes at most `len` bytes, the size of tpacket_stats (linux/if_packet.h).
        let done = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                statistics.as_mut_ptr().cast(),
                &raw mut len,
            )
        };
        ensure!(
            done == 0,
            "PACKET_STATISTICS: {}",
            std::io::Error::last_os_error()
        );
        Ok(statistics[1])
    }

    fn wait(&self, limit: Duration) -> Result<()> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let mut fds = [PollFd::new(&self.socket, PollFlags::IN)];
        let limit = Timespec {
            tv_sec: i64::try_from(limit.as_secs())?,
            tv_nsec: i64::from(limit.subsec_nanos()),
        };
        match poll(&mut fds, Some(&limit)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error).context("poll the raw socket"),
        }
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

/// A raw socket over all links of the calling thread's namespace.
fn open() -> Result<Socket> {
    let kind = Type::RAW.nonblocking().cloexec();
    let protocol = Some(Protocol::from(i32::from(ALL_PROTOCOLS)));
    let socket = Socket::new(Domain::PACKET, kind, protocol).context("raw socket (needs root)")?;
    for (level, option, value) in [
        (libc::SOL_PACKET, IGNORE_OUTGOING, 1),
        (libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, RECEIVE_BUFFER),
        (libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, RECEIVE_BUFFER),
    ] {
        // SAFETY: the kernel reads one int.
        let done = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                level,
                option,
                (&raw const value).cast(),
                libc::socklen_t::try_from(size_of_val(&value))?,
            )
        };
        if done != 0 {
            bail!(
                "option {option} of the raw socket: {}",
                std::io::Error::last_os_error()
            );
        }
    }
    Ok(socket)
}

fn index_of(n: usize) -> Result<libc::c_int> {
    let name = std::ffi::CString::new(format!("e{n}"))?;
    // SAFETY: a string that ends in zero.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    ensure!(index != 0, "no link e{n}");
    Ok(libc::c_int::try_from(index)?)
}

fn address(index: libc::c_int) -> Result<SockAddr> {
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: sockaddr_ll is smaller than a sockaddr_storage, and all-zero is valid for it.
    let link = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    link.sll_family = libc::AF_PACKET as u16;
    link.sll_ifindex = index;
    link.sll_halen = 6;
    let len = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>())?;
    // SAFETY: the storage holds a sockaddr_ll of that length.
    Ok(unsafe { SockAddr::new(storage, len) })
}

fn index_in(from: &SockAddr) -> libc::c_int {
    // SAFETY: a packet socket gives sockaddr_ll.
    unsafe { (*from.as_ptr().cast::<libc::sockaddr_ll>()).sll_ifindex }
}
