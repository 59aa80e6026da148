//! One raw socket over all links of a network namespace: frames as they are.

use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, Socket, Type};

/// `ETH_P_ALL` (linux/if_ether.h), in network order as the socket wants it.
const ALL_PROTOCOLS: u16 = (libc::ETH_P_ALL as u16).to_be();
/// `PACKET_IGNORE_OUTGOING` (linux/if_packet.h): the socket does not hear itself.
const IGNORE_OUTGOING: libc::c_int = 23;
/// Room for everything that may arrive between two reads, in bytes.
const RECEIVE_BUFFER: libc::c_int = 16 << 20;
const MAX_FRAME: usize = 2048;

/// See the module. Links are named by index.
#[derive(Debug)]
pub struct RawSocket(Socket);

impl RawSocket {
    /// In the calling thread's namespace. It does not hear what it sends itself.
    pub fn open() -> Result<Self> {
        let kind = Type::RAW.nonblocking().cloexec();
        let protocol = Some(Protocol::from(i32::from(ALL_PROTOCOLS)));
        let socket =
            Socket::new(Domain::PACKET, kind, protocol).context("raw socket (needs root)")?;
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
        Ok(RawSocket(socket))
    }

    /// The index of a link of the calling thread's namespace.
    pub fn index_of(link: &str) -> Result<libc::c_int> {
        let name = std::ffi::CString::new(link)?;
        // SAFETY: a string that ends in zero.
        let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
        ensure!(index != 0, "no link {link}");
        Ok(libc::c_int::try_from(index)?)
    }

    /// Sends one frame out of a link.
    pub fn send(&self, link: libc::c_int, frame: &[u8]) -> Result<()> {
        let sent = self.0.send_to(frame, &address(link)?);
        let sent =
            sent.with_context(|| format!("send {} bytes out of link {link}", frame.len()))?;
        ensure!(
            sent == frame.len(),
            "link {link} took {sent} bytes of {}",
            frame.len()
        );
        Ok(())
    }

    /// The next frame that came in at any link, and that link; `None` if none does before `until`.
    pub fn receive(&self, until: Instant) -> Result<Option<(libc::c_int, Vec<u8>)>> {
        let mut buffer = [MaybeUninit::<u8>::uninit(); MAX_FRAME];
        loop {
            match self.0.recv_from(&mut buffer) {
                Ok((n, from)) => {
                    // SAFETY: the kernel wrote the first `n` bytes.
                    let frame = buffer[..n]
                        .iter()
                        .map(|b| unsafe { b.assume_init() })
                        .collect();
                    return Ok(Some((index_in(&from), frame)));
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

    /// Frames that it had no room for since the last call.
    pub fn overflow(&self) -> Result<u32> {
        let mut statistics = [0u32; 2];
        let mut len = libc::socklen_t::try_from(size_of_val(&statistics))?;
        // SAFETY: the kernel writes at most `len` bytes, the size of tpacket_stats (linux/if_packet.h).
        let done = unsafe {
            libc::getsockopt(
                self.0.as_raw_fd(),
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
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        let limit = Timespec {
            tv_sec: i64::try_from(limit.as_secs())?,
            tv_nsec: i64::from(limit.subsec_nanos()),
        };
        match poll(&mut fds, Some(&limit)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error).context("poll the raw socket"),
        }
    }
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
