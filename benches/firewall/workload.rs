//! What everybody loads: VMs with a group of 422 rules each, and remote groups. And what of it is allowed, by looking at
//! one rule after the other.

use std::net::Ipv4Addr;

use uuid::Uuid;

use crate::model::*;
use crate::world::{port, vxlan};

/// Security-group rules of one VM.
pub const RULES: u128 = 422;
/// Members of each remote group.
pub const MEMBERS: u128 = 50;
pub const REMOTES: u128 = 20;

pub fn gid(n: u128) -> GroupId {
    GroupId(Uuid::from_u128(0x6000 + n))
}

/// A port's id, different in the characters that its devices are named by.
pub fn pid(n: u128) -> PortId {
    PortId(Uuid::from_u128(n << 100 | 0x42))
}

pub fn remote(n: u128) -> RemoteId {
    RemoteId::Group(gid(10_000 + n % REMOTES))
}

/// The n-th rule of a VM's group: 45 % one port from anywhere, 10 % a range, 20 % a port from a prefix, 25 % a port from
/// a remote group.
pub fn rule(vm: u128, n: u128) -> Rule {
    let first = 1000 + ((vm * 37 + n * 97) % 50_000) as u16;
    let last = if n % 10 == 9 { first + 100 } else { first };
    let remote = match n % 20 {
        0..=4 => Remote::Set(remote(n / 20)),
        5..=8 => Remote::Prefix(
            format!("10.{}.{}.0/24", vm % 250, n % 200)
                .parse()
                .expect("prefix"),
        ),
        _ => Remote::Any,
    };
    Rule {
        id: RuleId(Uuid::from_u128(vm << 32 | n)),
        direction: Direction::Ingress,
        family: Family::V4,
        service: Service::Ports {
            protocol: 6,
            min: first,
            max: last,
        },
        remote,
    }
}

pub fn group(vm: u128, rules: u128) -> Delta {
    Delta::Group(SecurityGroup {
        id: gid(vm),
        name: format!("group{vm}").into(),
        stateful: true,
        rules: (0..rules).map(|n| rule(vm, n)).collect(),
        problems: Vec::new(),
    })
}

/// The n-th member's address; member `n` is in the remote group `n / MEMBERS`.
pub fn address(n: u128) -> Ipv4Addr {
    Ipv4Addr::from(0x0b00_0000 + u32::try_from(n).expect("few"))
}

pub fn member(set: RemoteId, n: u128, present: bool) -> Delta {
    let address = MemberAddress {
        prefix: std::net::IpAddr::from(address(n)).into(),
        mac: None,
    };
    Delta::Member(Member {
        set,
        id: MemberId(Uuid::from_u128(n)),
        addresses: if present { vec![address] } else { Vec::new() },
    })
}

/// A VM's port.
pub fn vm_port(n: u128, group: u128) -> Port {
    Port {
        id: pid(n),
        groups: vec![gid(group)],
        ..port(n, 1)
    }
}

/// Everything for so many VMs.
pub fn workload(vms: u128) -> Vec<Delta> {
    let mut list = vec![Delta::Network(vxlan(1, 5001))];
    for set in 0..REMOTES {
        list.extend((0..MEMBERS).map(|n| member(remote(set), set * MEMBERS + n, true)));
    }
    for vm in 0..vms {
        list.extend([group(vm, RULES), Delta::Port(vm_port(vm + 1, vm))]);
    }
    list
}

/// First and last port of a rule.
pub fn ports(rule: &Rule) -> (u16, u16) {
    match rule.service {
        Service::Ports { min, max, .. } => (min, max),
        _ => unreachable!("only ports"),
    }
}

/// Whether a VM's rules let the first packet of a TCP connection in.
pub fn allows(vm: u128, from: Ipv4Addr, port: u16) -> bool {
    let number = u128::from(u32::from(from).wrapping_sub(0x0b00_0000));
    (0..RULES).map(|n| rule(vm, n)).any(|rule| {
        let (first, last) = ports(&rule);
        (first..=last).contains(&port)
            && match rule.remote {
                Remote::Any => true,
                Remote::Prefix(net) => net.contains(&std::net::IpAddr::from(from)),
                Remote::Set(id) => number < REMOTES * MEMBERS && id == remote(number / MEMBERS),
            }
    })
}

/// A packet to try.
#[derive(Clone, Copy, Debug)]
pub struct Try {
    pub vm: u128,
    pub from: Ipv4Addr,
    pub port: u16,
}

/// Packets to some VMs: for some of their rules one that is allowed by it, and ones with another source or port.
pub fn tries(vms: &[u128]) -> Vec<Try> {
    let mut list = Vec::new();
    for &vm in vms {
        for n in (0..RULES).step_by(13) {
            let rule = rule(vm, n);
            let (_, port) = ports(&rule);
            let inside = match rule.remote {
                Remote::Any => Ipv4Addr::new(203, 0, 113, 7),
                Remote::Prefix(net) => match net.network() {
                    std::net::IpAddr::V4(net) => Ipv4Addr::from(u32::from(net) | 77),
                    _ => unreachable!("only IPv4"),
                },
                Remote::Set(_) => address((n / 20) % REMOTES * MEMBERS + n % MEMBERS),
            };
            let outside = Ipv4Addr::new(203, 0, 113, 9);
            let other = address((n / 20 + 1) % REMOTES * MEMBERS);
            for (from, port) in [
                (inside, port),
                (outside, port),
                (other, port),
                (inside, port.wrapping_add(101)),
            ] {
                list.push(Try { vm, from, port });
            }
        }
    }
    list
}
