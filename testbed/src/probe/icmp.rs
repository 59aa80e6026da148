//! Ping, from a raw socket inside a namespace. Echo request and reply: RFC 792.

use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use socket2::{Domain, Protocol, Socket, Type};

use super::{Running, collect, pace};
use crate::namespace::Namespace;

/// Pings `target` from `namespace` every `interval` until stopped.
pub fn start_ping(
    namespace: &Arc<Namespace>,
    target: Ipv4Addr,
    interval: Duration,
) -> Result<Running> {
    let socket = namespace.run(open)?;
    let sender = socket.try_clone()?;
    let id = next_id();
    Ok(Running::start(
        move |stop| {
            pace(stop, interval, |number| {
                // A refusal (no neighbour, no buffer) is a lost packet, not the end of the probe.
                let _ = sender.send_to(&request(id, number), &SocketAddrV4::new(target, 0).into());
                Ok(())
            })
        },
        move |progress| collect(progress, || reply(&socket, id)),
    ))
}

/// Pings until one answer comes, for at most `limit`; whether one came.
pub fn ping(namespace: &Arc<Namespace>, target: Ipv4Addr, limit: Duration) -> Result<bool> {
    let socket = namespace.run(open)?;
    let id = next_id();
    let deadline = Instant::now() + limit;
    let mut number = 0;
    let mut resend = Instant::now();
    while Instant::now() < deadline {
        if Instant::now() >= resend {
            let _ = socket.send_to(&request(id, number), &SocketAddrV4::new(target, 0).into());
            number += 1;
            resend += Duration::from_millis(100);
        }
        if reply(&socket, id)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn next_id() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn open() -> Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))
        .context("raw ICMP socket (needs root)")?;
    socket.set_read_timeout(Some(Duration::from_millis(20)))?;
    Ok(socket)
}

fn request(id: u16, number: u64) -> [u8; 16] {
    let mut packet = [0u8; 16];
    packet[0] = 8;
    packet[4..6].copy_from_slice(&id.to_be_bytes());
    packet[6..8].copy_from_slice(&(number as u16).to_be_bytes());
    packet[8..16].copy_from_slice(&number.to_be_bytes());
    let sum = packet
        .chunks_exact(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum::<u32>();
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    packet[2..4].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    packet
}

/// The number of the next echo reply to `id`; `None` if another packet or nothing came.
fn reply(socket: &Socket, id: u16) -> Result<Option<u64>> {
    let mut buffer = [MaybeUninit::<u8>::uninit(); 256];
    let n = match socket.recv(&mut buffer) {
        Ok(n) => n,
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(None),
        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => return Ok(None),
        Err(error) => return Err(error).context("receive ICMP"),
    };
    // SAFETY: the kernel wrote the first `n` bytes.
    let bytes: Vec<u8> = buffer[..n]
        .iter()
        .map(|b| unsafe { b.assume_init() })
        .collect();
    let Some(header) = bytes.first().map(|b| usize::from(b & 15) * 4) else {
        return Ok(None);
    };
    let Some(icmp) = bytes.get(header..header + 16) else {
        return Ok(None);
    };
    if icmp[0] != 0 || icmp[4..6] != id.to_be_bytes() {
        return Ok(None);
    }
    Ok(icmp[8..16].try_into().ok().map(u64::from_be_bytes))
}
