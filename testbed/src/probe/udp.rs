//! A UDP stream whose every packet has a new 5-tuple, so that none rides on a flow the datapath has cached.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{Running, collect, pace};
use crate::namespace::Namespace;

const PORT: u16 = 7000;
const FIRST_SOURCE: u64 = 10_000;
const N_SOURCES: u64 = 55_000;

/// Sends one packet from `from` to `to` (which has address `target`) every `interval` until stopped, each from a
/// source port that was not used before. Fails after 55,000 packets, when they are used up.
pub fn start_udp(
    from: &Arc<Namespace>,
    to: &Arc<Namespace>,
    target: Ipv4Addr,
    interval: Duration,
) -> Result<Running> {
    let receiver = to.run(|| {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT)).context("bind UDP receiver")?;
        socket.set_read_timeout(Some(Duration::from_millis(20)))?;
        Ok(socket)
    })?;
    let from = from.clone();
    Ok(Running::start(
        move |stop| {
            from.enter()?;
            pace(stop, interval, |number| {
                if number >= N_SOURCES {
                    bail!("all {N_SOURCES} source ports are used: the probe ran too long");
                }
                let source = u16::try_from(FIRST_SOURCE + number)?;
                let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, source))
                    .with_context(|| format!("bind UDP source port {source}"))?;
                // A refusal (no neighbour, no buffer) is a lost packet, not the end of the probe.
                let _ = socket.send_to(&number.to_be_bytes(), (target, PORT));
                Ok(())
            })
        },
        move |progress| {
            collect(progress, || {
                let mut bytes = [0u8; 8];
                match receiver.recv(&mut bytes) {
                    Ok(8) => Ok(Some(u64::from_be_bytes(bytes))),
                    Ok(_) => Ok(None),
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(None),
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Ok(None),
                    Err(error) => Err(error).context("receive UDP"),
                }
            })
        },
    ))
}
