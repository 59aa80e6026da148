//! Two netlink sockets: one that only listens, one that asks.
//!
//! A listener that is overrun loses messages and says so ([`Trouble::Overrun`]); an asker would lose acknowledgements,
//! so what is asked at once is bounded by the caller.

use std::fmt;
use std::io;
use std::os::fd::AsFd;

use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{AsyncSocket, TokioSocket};

use super::wire::{self, Answer};

/// `linux/rtnetlink.h`: `enum rtnetlink_groups`.
const RTNLGRP_LINK: u32 = 1;
const RTNLGRP_IPV4_IFADDR: u32 = 5;
const RTNLGRP_IPV6_IFADDR: u32 = 9;

/// Messages that may wait while the task is busy with a batch.
const LISTEN_BUFFER: usize = 8 << 20;
/// Largest datagram: the kernel fills 32 KiB when it lists, and no single message comes near.
const DATAGRAM: usize = 64 << 10;
/// `ENOBUFS` (`asm-generic/errno.h`).
const ENOBUFS: i32 = 105;

/// Why a socket is of no more use, or what it lost.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Messages were lost: what was told may be out of date.
    Overrun,
    /// A system call failed.
    Io(io::Error),
    /// Something that is no rtnetlink.
    Garbled(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Overrun => f.write_str("messages were lost"),
            Trouble::Io(error) => error.fmt(f),
            Trouble::Garbled(what) => write!(f, "unreadable message: {what}"),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        if error.raw_os_error() == Some(ENOBUFS) {
            Trouble::Overrun
        } else {
            Trouble::Io(error)
        }
    }
}

/// One socket.
pub(super) struct Socket {
    socket: TokioSocket,
    buffer: Vec<u8>,
}

impl Socket {
    /// One that hears of every device and address.
    pub fn listening() -> io::Result<Socket> {
        let socket = Socket::asking()?;
        let raw = socket.socket.socket_ref();
        // Without the privilege the usual size has to do; an overrun is noticed.
        if rustix::net::sockopt::set_socket_recv_buffer_size_force(raw.as_fd(), LISTEN_BUFFER)
            .is_err()
        {
            raw.set_rx_buf_sz(i32::try_from(LISTEN_BUFFER).unwrap_or(i32::MAX))?;
        }
        for group in [RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR] {
            raw.add_membership(group)?;
        }
        Ok(socket)
    }

    /// One for requests.
    pub fn asking() -> io::Result<Socket> {
        let mut socket = TokioSocket::new(NETLINK_ROUTE)?;
        socket.socket_mut().bind_auto()?;
        socket.socket_ref().set_cap_ack(true)?;
        socket.socket_ref().set_ext_ack(true)?;
        Ok(Socket {
            socket,
            buffer: Vec::with_capacity(DATAGRAM),
        })
    }

    /// Sends one request. The kernel carries a change out before this returns.
    pub async fn send(&self, request: &[u8]) -> Result<(), Trouble> {
        std::future::poll_fn(|cx| self.socket.poll_send(cx, request)).await?;
        Ok(())
    }

    /// Waits for a datagram. Dropping the future loses nothing.
    pub async fn receive(&mut self, answers: &mut Vec<Answer>) -> Result<(), Trouble> {
        let Socket { socket, buffer } = self;
        buffer.clear();
        std::future::poll_fn(|cx| socket.poll_recv(cx, buffer)).await?;
        wire::read(buffer, answers).map_err(Trouble::Garbled)
    }

    /// Takes a datagram if there is one.
    pub fn try_receive(&mut self, answers: &mut Vec<Answer>) -> Result<bool, Trouble> {
        self.buffer.clear();
        match self.socket.socket_ref().recv(&mut self.buffer, 0) {
            Ok(_) => wire::read(&self.buffer, answers)
                .map_err(Trouble::Garbled)
                .map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
