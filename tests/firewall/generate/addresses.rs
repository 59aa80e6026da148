//! Addresses in and around prefixes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::random::Random;
use crate::world::{Family, Mac, Port};

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u32::from(ip).into(),
        IpAddr::V6(ip) => ip.into(),
    }
}

fn address(family: Family, number: u128) -> IpAddr {
    match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::from((number & 0xffff_ffff) as u32)),
        Family::V6 => IpAddr::V6(Ipv6Addr::from(number)),
    }
}

/// What no sender may use and no bridge forwards without a thought: multicast, broadcast, unspecified, loopback.
fn is_odd(ip: IpAddr) -> bool {
    let zero = number(ip) >> if ip.is_ipv4() { 24 } else { 120 } == 0;
    ip.is_multicast() || ip.is_loopback() || zero || ip == IpAddr::V4(Ipv4Addr::BROADCAST)
}

/// The first and last address of a prefix, and their neighbours outside.
pub fn edges(net: IpNet) -> Vec<IpAddr> {
    let family = Family::of(net.addr());
    let (first, last) = (number(net.network()), number(net.broadcast()));
    let around = [first, last, first.wrapping_sub(1), last.wrapping_add(1)];
    around
        .into_iter()
        .map(|n| address(family, n))
        .filter(|ip| !is_odd(*ip))
        .collect()
}

/// An address of a prefix, often the first or last.
pub fn inside(random: &mut Random, net: IpNet) -> IpAddr {
    let family = Family::of(net.addr());
    let (first, last) = (number(net.network()), number(net.broadcast()));
    for _ in 0..16 {
        let wide = u128::from(random.next()) << 64 | u128::from(random.next());
        let n = match random.below(3) {
            0 => first,
            1 => last,
            _ => first + wide % (last - first).saturating_add(1),
        };
        let ip = address(family, n);
        if !is_odd(ip) {
            return ip;
        }
    }
    net.addr()
}

/// A source that a port may use, of a family, with the MAC that goes with it.
pub fn own_source(random: &mut Random, port: &Port, family: Family) -> Option<(Mac, IpAddr)> {
    let sources: Vec<(Mac, IpNet)> = port
        .sources()
        .into_iter()
        .filter(|(_, net)| Family::of(net.addr()) == family)
        .collect();
    if family == Family::V6 && random.chance(12) {
        let mac = *random.pick(&port.macs());
        return Some((mac, mac.link_local().into()));
    }
    let (mac, net) = *random.any(&sources)?;
    Some((mac, inside(random, net)))
}
