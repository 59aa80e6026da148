//! What the kernel knows of a TCP connection.

use std::net::TcpStream;
use std::os::fd::AsRawFd;

use anyhow::{Result, ensure};

/// Segments that this end has sent again (`tcpi_total_retrans` of `linux/tcp.h`).
pub fn n_sent_again(stream: &TcpStream) -> Result<u32> {
    // SAFETY: all-zero is a valid tcp_info.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    let mut len = libc::socklen_t::try_from(size_of_val(&info))?;
    // SAFETY: the kernel writes at most `len` bytes.
    let done = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut info).cast(),
            &raw mut len,
        )
    };
    ensure!(done == 0, "TCP_INFO: {}", std::io::Error::last_os_error());
    Ok(info.tcpi_total_retrans)
}
