//! Whether rules allow a packet, from the model alone: by which it is decided which connections have to be cut.
//!
//! What cannot be told from a connection (ports of a protocol that the kernel does not follow, a MAC address) counts as
//! not allowed: a connection that is cut and still allowed is picked up with its next packet. Held by the tests below
//! and by `tests/firewall`.

use std::net::IpAddr;

use crate::model::{Desired, Direction, Family, Port, Remote, Rule, Service, secgroup::protocol};

/// The first packet of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flow {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// Protocol number.
    pub protocol: u8,
    /// Source and destination port.
    pub ports: Option<(u16, u16)>,
    /// ICMP type and code.
    pub icmp: Option<(u8, u8)>,
}

/// Whether some rule of the port's groups allows it.
pub fn allows(desired: &Desired, port: &Port, direction: Direction, flow: &Flow) -> bool {
    if always(direction, flow) {
        return true;
    }
    let remote = match direction {
        Direction::Ingress => flow.src,
        Direction::Egress => flow.dst,
    };
    let groups = port.groups.iter().filter_map(|id| desired.group(*id));
    groups
        .flat_map(|group| &group.rules)
        .filter(|rule| rule.direction == direction && rule.family == Family::of(remote))
        .any(|rule| serves(rule, flow) && reaches(desired, rule.remote, remote))
}

/// DHCP needs no rule, nor does ICMPv6 that leaves.
fn always(direction: Direction, flow: &Flow) -> bool {
    if direction == Direction::Egress && flow.protocol == protocol::ICMPV6 {
        return Family::of(flow.src) == Family::V6;
    }
    let Some(ports) = flow.ports.filter(|_| flow.protocol == protocol::UDP) else {
        return false;
    };
    let (client, server) = match Family::of(flow.src) {
        Family::V4 => (68, 67),
        Family::V6 => (546, 547),
    };
    match direction {
        Direction::Egress => ports == (client, server),
        Direction::Ingress => ports == (server, client),
    }
}

fn serves(rule: &Rule, flow: &Flow) -> bool {
    let is_protocol = rule
        .service
        .protocol(rule.family)
        .is_none_or(|number| number == flow.protocol);
    is_protocol
        && match rule.service {
            Service::Any | Service::Protocol(_) => true,
            Service::Ports { min, max, .. } => flow
                .ports
                .is_some_and(|(_, dst)| (min..=max).contains(&dst)),
            Service::Icmp { kind, code } => flow
                .icmp
                .is_some_and(|(k, c)| k == kind && code.is_none_or(|code| code == c)),
        }
}

fn reaches(desired: &Desired, remote: Remote, ip: IpAddr) -> bool {
    match remote {
        Remote::Any => true,
        Remote::Prefix(net) => net.contains(&ip),
        Remote::Set(id) => desired.remote(id).is_some_and(|set| {
            set.has_prefix(ip.into())
                || set
                    .nets()
                    .any(|a| a.prefix.prefix_len() > 0 && a.prefix.contains(&ip))
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use uuid::Uuid;

    use super::*;
    use crate::model::*;

    const GROUP: GroupId = GroupId(Uuid::from_u128(1));

    fn desired(rules: &[(Direction, Service, Remote)], members: &[&str]) -> Desired {
        let mut desired = Desired::default();
        let rules = rules.iter().map(|(direction, service, remote)| Rule {
            id: RuleId(Uuid::new_v4()),
            direction: *direction,
            family: Family::V4,
            service: *service,
            remote: *remote,
        });
        desired.apply(Delta::Group(SecurityGroup {
            id: GROUP,
            name: "web".into(),
            stateful: true,
            rules: rules.collect(),
            problems: Vec::new(),
        }));
        let addresses = members.iter().map(|text| MemberAddress {
            prefix: text.parse().unwrap(),
            mac: None,
        });
        desired.apply(Delta::Member(Member {
            set: RemoteId::Group(GROUP),
            id: MemberId(Uuid::from_u128(2)),
            addresses: addresses.collect(),
        }));
        desired
    }

    fn port() -> Port {
        Port {
            id: PortId(Uuid::from_u128(3)),
            network: NetworkId(Uuid::from_u128(4)),
            name: Arc::from("vm"),
            mac: Mac([2, 0, 0, 0, 0, 1]),
            admin_up: true,
            host: "hv1".into(),
            device_owner: "compute:nova".into(),
            fixed_ips: Vec::new(),
            allowed_pairs: Vec::new(),
            port_security: true,
            groups: vec![GROUP],
            status: PortStatus::Build,
            binding_error: None,
            unusable: None,
        }
    }

    fn tcp(src: &str, dst: &str, port: u16) -> Flow {
        Flow {
            src: src.parse().unwrap(),
            dst: dst.parse().unwrap(),
            protocol: protocol::TCP,
            ports: Some((40000, port)),
            icmp: None,
        }
    }

    #[test]
    fn services_and_remotes() {
        let web = Service::Ports {
            protocol: protocol::TCP,
            min: 80,
            max: 88,
        };
        let set = Remote::Set(RemoteId::Group(GROUP));
        let d = desired(
            &[
                (Direction::Ingress, web, set),
                (
                    Direction::Egress,
                    Service::Any,
                    Remote::Prefix("10.1.0.0/16".parse().unwrap()),
                ),
            ],
            &["10.0.0.7/32", "172.16.0.0/12", "0.0.0.0/0"],
        );
        let check = |direction, flow: Flow| allows(&d, &port(), direction, &flow);
        assert!(check(Direction::Ingress, tcp("10.0.0.7", "10.0.0.1", 88)));
        assert!(check(Direction::Ingress, tcp("172.20.1.1", "10.0.0.1", 80)));
        assert!(!check(Direction::Ingress, tcp("10.0.0.7", "10.0.0.1", 89)));
        assert!(
            !check(Direction::Ingress, tcp("10.0.0.8", "10.0.0.1", 80)),
            "everybody, without its MAC"
        );
        assert!(check(Direction::Egress, tcp("10.0.0.1", "10.1.2.3", 1)));
        assert!(!check(Direction::Egress, tcp("10.0.0.1", "10.2.2.3", 1)));
        let dhcp = Flow {
            protocol: protocol::UDP,
            ports: Some((68, 67)),
            ..tcp("10.0.0.1", "10.9.9.9", 67)
        };
        assert!(check(Direction::Egress, dhcp));
        assert!(!check(Direction::Ingress, dhcp));
        let unknown = Flow {
            ports: None,
            ..tcp("10.0.0.7", "10.0.0.1", 80)
        };
        assert!(!check(Direction::Ingress, unknown));
    }

    #[test]
    fn icmp_type_and_code_zero_are_values() {
        let service = Service::Icmp {
            kind: 0,
            code: Some(0),
        };
        let d = desired(&[(Direction::Ingress, service, Remote::Any)], &[]);
        let icmp = |icmp| Flow {
            protocol: protocol::ICMP,
            ports: None,
            icmp: Some(icmp),
            ..tcp("10.0.0.7", "10.0.0.1", 0)
        };
        let check = |flow: Flow| allows(&d, &port(), Direction::Ingress, &flow);
        assert!(check(icmp((0, 0))));
        assert!(!check(icmp((0, 1))));
        assert!(!check(icmp((8, 0))));
    }
}
