//! Whether some rule of a port's groups allows a packet.

use std::net::IpAddr;

use crate::packet::{Ip, Packet};
use crate::world::{Direction, Mac, Port, Remote, Rule, Service, World};

/// Groups of a port are all of one kind; a port without groups tracks connections.
pub fn is_stateful(world: &World, port: &Port) -> bool {
    port.groups
        .first()
        .is_none_or(|&group| world.groups[group].stateful)
}

/// Whether a rule of any of the port's groups allows it.
pub fn allow(
    world: &World,
    port: &Port,
    direction: Direction,
    packet: &Packet,
    ip: &Ip,
    sees_ports_of: &[u8],
) -> bool {
    let (remote, mac) = match direction {
        Direction::Ingress => (ip.src, packet.from),
        Direction::Egress => (ip.dst, packet.to),
    };
    port.groups
        .iter()
        .flat_map(|&group| &world.groups[group].rules)
        .filter(|rule| rule.direction == direction && rule.family == ip.family())
        .any(|rule| serves(rule, ip, sees_ports_of) && reaches(world, rule.remote, remote, mac))
}

fn serves(rule: &Rule, ip: &Ip, sees_ports_of: &[u8]) -> bool {
    match rule.service {
        Service::Any => true,
        Service::Protocol(number) => number == ip.protocol(),
        Service::Ports { protocol, min, max } => {
            protocol == ip.protocol()
                && sees_ports_of.contains(&protocol)
                && ip
                    .ports()
                    .is_some_and(|(_, dst)| (min..=max).contains(&dst))
        }
        Service::Icmp { kind, code } => {
            let fits = |(k, c)| k == kind && code.is_none_or(|code| code == c);
            ip.icmp().is_some_and(fits)
        }
    }
}

fn reaches(world: &World, remote: Remote, ip: IpAddr, mac: Mac) -> bool {
    match remote {
        Remote::Any => true,
        Remote::Prefix(net) => net.contains(&ip),
        Remote::Addresses(n) => world.address_groups[n].iter().any(|net| net.contains(&ip)),
        Remote::Group(n) => world
            .ports
            .iter()
            .chain(&world.elsewhere)
            .filter(|port| port.groups.contains(&n))
            .flat_map(Port::sources)
            .any(|(member, net)| net.contains(&ip) && (net.prefix_len() > 0 || member == mac)),
    }
}
