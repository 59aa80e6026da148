//! Links and addresses, through `ip -batch` as an independent witness, and the checksum switch of a link.

use std::sync::Arc;

use anyhow::{Result, bail};

use crate::namespace::Namespace;
use crate::process::run;

/// Runs lines of `ip` commands in a namespace, in one process; stops at the first that fails.
pub fn ip_batch(namespace: &Arc<Namespace>, lines: &str) -> Result<()> {
    run(Some(namespace), &["ip", "-batch", "-"], &[], lines).map(drop)
}

const SIOCETHTOOL: libc::c_ulong = 0x8946;
const ETHTOOL_STXCSUM: u32 = 0x17;

#[repr(C)]
struct EthtoolValue {
    cmd: u32,
    data: u32,
}

/// Turns off transmit checksum offload of a link in the *calling thread's* namespace.
///
/// A veth end leaves checksums to be filled in by hardware that never comes when the other end is in a userspace
/// datapath: ping passes, UDP and TCP do not.
pub(crate) fn disable_tx_checksum(name: &str) -> Result<()> {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0")
        .or_else(|_| std::net::UdpSocket::bind("0.0.0.0:0"))?;
    let mut value = EthtoolValue {
        cmd: ETHTOOL_STXCSUM,
        data: 0,
    };
    // SAFETY: all-zero is a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.len() >= request.ifr_name.len() {
        bail!("link name {name:?} is too long");
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    use std::os::fd::AsRawFd;
    // SAFETY: the kernel reads one ifreq and the ethtool_value it points to; both live across the call.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &raw mut request) };
    if done != 0 {
        bail!(
            "turn off tx checksums of {name}: {}",
            std::io::Error::last_os_error()
        );
    }
    Ok(())
}
