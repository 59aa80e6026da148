//! Which bridges hand their packets to the IP hooks (bridge netfilter), and an end to it: for who cleans up after an
//! agent, without an executor. Held by `tests/ovs_cleanup.rs`.

use super::socket::{Socket, Trouble};
use super::wire::{self, Body, Device, News};
use super::{INTERRUPTED, dumped, receive};

/// Of the bridges with these names those that do.
pub async fn handing_over(names: &[String]) -> Result<Vec<String>, String> {
    let found = find(names, &mut open()?).await;
    let found = found.map_err(|trouble| trouble.to_string())?;
    Ok(found.iter().map(|device| device.name.to_string()).collect())
}

/// Those no longer do.
pub async fn release(names: &[String]) -> Result<(), String> {
    let mut socket = open()?;
    let found = find(names, &mut socket).await;
    for (sequence, device) in (2..).zip(found.map_err(|trouble| trouble.to_string())?) {
        let verdict = ask(sequence, &device, &mut socket).await;
        let verdict = verdict.unwrap_or_else(|trouble| Err(trouble.to_string()));
        verdict.map_err(|why| format!("{}: {why}", device.name))?;
    }
    Ok(())
}

fn open() -> Result<Socket, String> {
    Socket::asking().map_err(|error| format!("cannot open a netlink socket for devices: {error}"))
}

async fn find(names: &[String], socket: &mut Socket) -> Result<Vec<Device>, Trouble> {
    let mut listing = Vec::new();
    for _ in 0..INTERRUPTED {
        socket.send(&wire::list_devices(1)).await?;
        let (found, interrupted) = dumped(1, socket).await?;
        listing = found;
        if !interrupted {
            break;
        }
    }
    let is_one =
        |device: &Device| device.netfilter && names.iter().any(|name| **name == *device.name);
    let devices = listing.into_iter().filter_map(|news| match news {
        News::Device(device) => Some(device),
        _ => None,
    });
    Ok(devices.filter(is_one).collect())
}

async fn ask(
    sequence: u32,
    device: &Device,
    socket: &mut Socket,
) -> Result<Result<(), String>, Trouble> {
    socket.send(&wire::release_bridge(sequence, device)).await?;
    loop {
        for answer in receive(socket).await? {
            if let (true, Body::Ack(verdict)) = (answer.sequence == sequence, answer.body) {
                return Ok(verdict);
            }
        }
    }
}
