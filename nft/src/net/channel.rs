//! One netlink socket with the options this crate relies on.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use netlink_sys::{Socket, SocketAddr};
use rustix::net::sockopt;
use tokio::io::unix::AsyncFd;

/// `NETLINK_NETFILTER`
const NETLINK_NETFILTER: isize = 12;
/// `MSG_TRUNC`
const MSG_TRUNC: i32 = 0x20;
/// `MSG_DONTWAIT`
const MSG_DONTWAIT: i32 = 0x40;
/// The kernel's dump datagrams reach 32 KiB; error replies are smaller.
const RECEIVE: usize = 256 * 1024;
/// Receive buffer of the socket unless a batch asks for more.
const RECEIVE_BUFFER: usize = 4 << 20;
/// Kernel memory charged for one queued reply.
const REPLY_COST: usize = 1024;

/// A netfilter socket: extended acknowledgements, capped errors, large buffers.
#[derive(Debug)]
pub struct Channel {
    socket: Socket,
    port: u32,
    sized_for: usize,
    buf: Vec<u8>,
}

impl Channel {
    /// Opens a socket in the current thread's network namespace.
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        let port = socket.bind_auto()?.port_number();
        socket.set_ext_ack(true)?;
        socket.set_cap_ack(true)?;
        let channel = Self {
            socket,
            port,
            sized_for: 0,
            buf: Vec::with_capacity(RECEIVE),
        };
        channel.size_receive(RECEIVE_BUFFER);
        Ok(channel)
    }

    /// The socket's port id, as it appears in events.
    pub const fn port(&self) -> u32 {
        self.port
    }

    /// Joins a multicast group.
    pub fn join(&self, group: u32) -> io::Result<()> {
        self.socket.add_membership(group)
    }

    /// Makes receiving return [`io::ErrorKind::WouldBlock`] instead of waiting.
    pub fn set_non_blocking(&self, non_blocking: bool) -> io::Result<()> {
        self.socket.set_non_blocking(non_blocking)
    }

    /// Enlarges the receive buffer; without the privilege, as far as the system allows.
    pub fn size_receive(&self, bytes: usize) {
        if sockopt::set_socket_recv_buffer_size_force(self, bytes).is_err() {
            // The unprivileged call caps the size silently; a smaller buffer only costs retries.
            let _ = sockopt::set_socket_recv_buffer_size(self, bytes);
        }
    }

    /// Sends one datagram to the kernel. The buffers grow first: a batch must fit into the send
    /// buffer as a whole, and one error per operation into the receive buffer.
    pub fn send(&mut self, bytes: &[u8], replies: usize) -> io::Result<()> {
        if bytes.len() > self.sized_for {
            let size = bytes.len().saturating_add(64 * 1024).max(1 << 20);
            if sockopt::set_socket_send_buffer_size_force(&*self, size).is_err() {
                sockopt::set_socket_send_buffer_size(&*self, size)?;
            }
            self.sized_for = size;
        }
        let queued = replies.saturating_mul(REPLY_COST);
        if queued > RECEIVE_BUFFER {
            self.size_receive(queued);
        }
        let sent = self.socket.send_to(bytes, &SocketAddr::new(0, 0), 0)?;
        if sent == bytes.len() {
            return Ok(());
        }
        Err(io::Error::other(
            "the kernel took only a part of the datagram",
        ))
    }

    /// Receives one datagram, waiting for it if the socket blocks.
    pub fn receive(&mut self) -> io::Result<&[u8]> {
        self.receive_with(0)
    }

    /// Receives one datagram if there is one.
    pub fn try_receive(&mut self) -> io::Result<Option<&[u8]>> {
        match self.receive_with(MSG_DONTWAIT) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn receive_with(&mut self, flags: i32) -> io::Result<&[u8]> {
        self.buf.clear();
        let len = loop {
            match self.socket.recv(&mut self.buf, flags | MSG_TRUNC) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        if len > self.buf.len() {
            return Err(io::Error::other("datagram larger than the receive buffer"));
        }
        Ok(&self.buf)
    }
}

/// Puts a socket under tokio's care.
pub(super) fn register(channel: Channel) -> io::Result<AsyncFd<Channel>> {
    channel.set_non_blocking(true)?;
    #[allow(
        deprecated,
        reason = "the replacement is unsafe only for types whose descriptor may change or close; \
                  a channel owns one open socket from creation to drop"
    )]
    AsyncFd::new(channel)
}

/// Whether an error means that the kernel dropped replies (`ENOBUFS`).
pub(super) fn is_overrun(error: &io::Error) -> bool {
    error.raw_os_error() == Some(105)
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for Channel {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}
