//! Security groups in flows, on the simulated host.

mod budget;
mod exposure;
mod property;
mod story;

use std::sync::Arc;

use ipnet::IpNet;
use uuid::Uuid;

use super::world;
use crate::model::*;

pub fn group_id(n: u128) -> GroupId {
    GroupId(Uuid::from_u128(0x4000 + n))
}

pub fn rule(n: u128, direction: Direction, service: Service, remote: Remote) -> Rule {
    let family = match remote {
        Remote::Prefix(net) => Family::of_net(net),
        _ => Family::V4,
    };
    Rule {
        id: RuleId(Uuid::from_u128(0x5000 + n)),
        direction,
        family,
        service,
        remote,
    }
}

pub fn tcp(min: u16, max: u16) -> Service {
    Service::Ports {
        protocol: secgroup::protocol::TCP,
        min,
        max,
    }
}

pub fn group(n: u128, rules: &[Rule]) -> SecurityGroup {
    SecurityGroup {
        id: group_id(n),
        name: format!("group{n}").into(),
        stateful: true,
        rules: rules.to_vec(),
        problems: Vec::<Arc<str>>::new(),
    }
}

/// What member `n` of a group contributes: `prefixes`, none of which takes it out.
pub fn member(set: u128, n: u128, prefixes: &[&str]) -> Delta {
    let mut addresses: Vec<MemberAddress> = prefixes
        .iter()
        .map(|prefix| MemberAddress {
            prefix: prefix.parse::<IpNet>().unwrap(),
            mac: Some(world::mac(n)),
        })
        .collect();
    addresses.sort_unstable();
    Delta::Member(Member {
        set: group_id(set).into(),
        id: MemberId(Uuid::from_u128(0x6000 + n)),
        addresses,
    })
}

pub fn port_in(n: u128, net: u128, groups: &[u128]) -> Port {
    Port {
        groups: groups.iter().map(|n| group_id(*n)).collect(),
        ..world::port(n, net)
    }
}
