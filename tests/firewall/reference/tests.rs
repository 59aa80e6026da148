//! The sentences of the promise, one test each, among them what older agents got wrong: two addresses on one port dropped
//! everything, ICMP type 0 meant "any", the lower end of the range 1 to 65535 was lost, protocol 4 had no name, DHCP and
//! ICMPv6 passed before the address check, a port without IPv6 addresses had no IPv6 check at all.

use std::net::IpAddr;

use super::{Judgement, Profile, Reference, Tracker, Zones};
use crate::packet::{ACK, Body, Fragments, Ip, Packet, Payload, SYN, Tcp};
use crate::world::{Direction, Family, Group, Mac, Pair, Port, Remote, Rule, Service, World};

pub const PROFILE: Profile = Profile {
    zones: Zones::Network,
    tracker: Tracker::Kernel { dccp: false },
    untracked_by_rules: false,
    fragments_hide_types: false,
    detects_own_only: false,
    strays_reach_filtered: true,
    sees_ports_of: &[6, 17, 33, 132, 136],
    holds_lone_fragments: false,
    bridges_reassemble: false,
};
const A: Mac = Mac([2, 0, 0, 0, 0, 1]);
const B: Mac = Mac([2, 0, 0, 0, 0, 2]);
const VIP: Mac = Mac([2, 0, 0, 0, 0, 9]);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn port(mac: Mac, ips: &[&str], groups: &[usize]) -> Port {
    Port {
        network: 0,
        mac,
        ips: ips.iter().map(|t| ip(t)).collect(),
        pairs: Vec::new(),
        security: true,
        owner: "compute:nova",
        groups: groups.to_vec(),
    }
}

fn rule(direction: Direction, family: Family, service: Service, remote: Remote) -> Rule {
    Rule {
        direction,
        family,
        service,
        remote,
    }
}

/// Everything out, both families.
pub fn all_out() -> Vec<Rule> {
    Family::BOTH
        .map(|family| rule(Direction::Egress, family, Service::Any, Remote::Any))
        .to_vec()
}

/// A, in group 0 that lets everything out, and B, in group 1 with the given rules.
pub fn world(rules: Vec<Rule>) -> World {
    let group = |rules| Group {
        stateful: true,
        rules,
    };
    World {
        networks: 1,
        ports: vec![
            port(A, &["10.0.0.1", "10.0.0.11", "2001:db8::1"], &[0]),
            port(B, &["10.0.0.2", "2001:db8::2"], &[1]),
        ],
        elsewhere: Vec::new(),
        groups: vec![group(all_out()), group(rules)],
        address_groups: Vec::new(),
    }
}

fn ingress(service: Service, remote: Remote) -> Vec<Rule> {
    Family::BOTH
        .map(|family| rule(Direction::Ingress, family, service, remote))
        .to_vec()
}

fn judge(reference: &mut Reference, from: usize, packet: Ip) -> Judgement {
    let (src, dst) = if from == 0 { (A, B) } else { (B, A) };
    reference.judge(from, &Packet::ip(src, dst, packet))
}

fn arrives(world: &World, from: usize, packet: Ip) -> bool {
    let mut reference = Reference::new(world.clone(), PROFILE);
    judge(&mut reference, from, packet)
        .receivers()
        .next()
        .is_some()
}

fn udp(src: &str, dst: &str, ports: (u16, u16)) -> Ip {
    let (src_port, dst_port) = ports;
    Ip::new(
        ip(src),
        ip(dst),
        Payload::Udp {
            src: src_port,
            dst: dst_port,
        },
    )
}

fn icmp(src: &str, dst: &str, kind: u8, code: u8) -> Ip {
    Ip::new(ip(src), ip(dst), Payload::Icmp { kind, code, id: 7 })
}

fn tcp(src: &str, dst: &str, ports: (u16, u16), flags: u8) -> Ip {
    let tcp = Tcp {
        src: ports.0,
        dst: ports.1,
        flags,
        seq: 1,
        ack: 1,
    };
    Ip::new(ip(src), ip(dst), Payload::Tcp(tcp))
}

#[test]
fn default_deny_both_ways_and_only_for_filtered_ports() {
    let packet = udp("10.0.0.1", "10.0.0.2", (1000, 53));
    let mut w = world(vec![]);
    assert!(!arrives(&w, 0, packet.clone()), "no ingress rule");
    w.groups[1].rules = ingress(Service::Any, Remote::Any);
    assert!(arrives(&w, 0, packet.clone()));
    w.groups[0].rules.clear();
    assert!(!arrives(&w, 0, packet.clone()), "no egress rule");
    w.ports[0].owner = "network:router_interface";
    assert!(arrives(&w, 0, packet.clone()), "trusted");
    w.groups[1].rules.clear();
    w.ports[1].security = false;
    assert!(
        arrives(&w, 0, udp("192.0.2.1", "10.0.0.2", (1, 1))),
        "unfiltered, spoofed"
    );
}

#[test]
fn both_of_two_addresses_may_send_and_no_third() {
    let w = world(ingress(Service::Any, Remote::Any));
    for src in ["10.0.0.1", "10.0.0.11"] {
        assert!(arrives(&w, 0, udp(src, "10.0.0.2", (1, 1))), "{src}");
    }
    assert!(!arrives(&w, 0, udp("10.0.0.3", "10.0.0.2", (1, 1))));
    assert!(!arrives(&w, 1, udp("2001:db8::3", "2001:db8::1", (1, 1))));
}

#[test]
fn a_pair_goes_with_its_own_mac() {
    let mut w = world(ingress(Service::Any, Remote::Any));
    let prefix = "192.168.0.0/24".parse().unwrap();
    w.ports[0].pairs = vec![Pair {
        prefix,
        mac: Some(VIP),
    }];
    let mut reference = Reference::new(w, PROFILE);
    let packet = udp("192.168.0.9", "10.0.0.2", (1, 1));
    let mut from = |mac, packet: &Ip| {
        reference
            .judge(0, &Packet::ip(mac, B, packet.clone()))
            .egress
            .passes
    };
    assert!(from(VIP, &packet));
    assert!(!from(A, &packet), "the port's MAC with the pair's address");
    assert!(!from(VIP, &udp("10.0.0.1", "10.0.0.2", (1, 1))));
    let link_local = udp(&VIP.link_local().to_string(), "2001:db8::2", (1, 1));
    assert!(
        from(VIP, &link_local),
        "the link-local address of each allowed MAC"
    );
}

#[test]
fn ports_are_destination_ports_and_ranges_hold_both_ends() {
    for (min, max) in [(80, 80), (1, 65535), (1000, 2000)] {
        let service = Service::Ports {
            protocol: 17,
            min,
            max,
        };
        let w = world(ingress(service, Remote::Any));
        for dst in [0, 1, min - 1, min, max, max.saturating_add(1)] {
            let wanted = dst >= min && dst <= max;
            assert_eq!(
                arrives(&w, 0, udp("10.0.0.1", "10.0.0.2", (80, dst))),
                wanted,
                "{dst}"
            );
        }
        assert!(
            !arrives(&w, 0, tcp("10.0.0.1", "10.0.0.2", (1, min), SYN)),
            "another protocol"
        );
    }
}

#[test]
fn icmp_type_and_code_zero_are_values() {
    let service = Service::Icmp {
        kind: 0,
        code: Some(0),
    };
    let mut w = world(ingress(service, Remote::Any));
    w.groups[1].stateful = false;
    w.ports[0].security = false;
    assert!(arrives(&w, 0, icmp("10.0.0.1", "10.0.0.2", 0, 0)));
    assert!(!arrives(&w, 0, icmp("10.0.0.1", "10.0.0.2", 0, 1)));
    assert!(!arrives(&w, 0, icmp("10.0.0.1", "10.0.0.2", 8, 0)));
    w.groups[1].rules = ingress(
        Service::Icmp {
            kind: 8,
            code: None,
        },
        Remote::Any,
    );
    assert!(
        arrives(&w, 0, icmp("10.0.0.1", "10.0.0.2", 8, 3)),
        "any code"
    );
}

#[test]
fn protocols_by_number() {
    let w = world(ingress(Service::Protocol(4), Remote::Any));
    let of = |n| Ip::new(ip("10.0.0.1"), ip("10.0.0.2"), Payload::Protocol(n));
    assert!(arrives(&w, 0, of(4)));
    assert!(!arrives(&w, 0, of(47)));
}

#[test]
fn remote_groups_hold_fixed_addresses_and_pairs_of_any_network() {
    let mut w = world(ingress(Service::Any, Remote::Group(0)));
    assert!(arrives(&w, 0, udp("10.0.0.11", "10.0.0.2", (1, 1))));
    w.ports[0].groups = vec![];
    w.ports[0].security = false;
    assert!(
        !arrives(&w, 0, udp("10.0.0.11", "10.0.0.2", (1, 1))),
        "left the group"
    );
    let mut member = port(VIP, &["10.0.0.11"], &[0]);
    member.network = 5;
    member.pairs = vec![Pair {
        prefix: "172.16.0.0/16".parse().unwrap(),
        mac: None,
    }];
    w.elsewhere = vec![member];
    for (src, wanted) in [
        ("10.0.0.11", true),
        ("172.16.9.9", true),
        ("172.17.0.1", false),
    ] {
        assert_eq!(
            arrives(&w, 0, udp(src, "10.0.0.2", (1, 1))),
            wanted,
            "{src}"
        );
    }
}

#[test]
fn a_member_of_everything_counts_by_its_mac() {
    let mut w = world(ingress(Service::Any, Remote::Group(0)));
    w.ports[0].security = false;
    w.ports[0].groups = vec![];
    let mut member = port(VIP, &[], &[0]);
    member.pairs = vec![Pair {
        prefix: "0.0.0.0/0".parse().unwrap(),
        mac: None,
    }];
    w.elsewhere = vec![member];
    let mut reference = Reference::new(w, PROFILE);
    let packet = udp("198.51.100.1", "10.0.0.2", (1, 1));
    assert!(
        !reference
            .judge(0, &Packet::ip(A, B, packet.clone()))
            .ingress[&1]
            .passes
    );
    assert!(reference.judge(0, &Packet::ip(VIP, B, packet)).ingress[&1].passes);
}

#[test]
fn replies_and_errors_pass_and_nothing_else_in_that_direction() {
    let mut reference = Reference::new(world(ingress(Service::Any, Remote::Any)), PROFILE);
    let question = udp("10.0.0.1", "10.0.0.2", (1000, 53));
    let answer = udp("10.0.0.2", "10.0.0.1", (53, 1000));
    assert!(
        !judge(&mut reference, 1, answer.clone()).egress.passes,
        "before the question"
    );
    assert!(judge(&mut reference, 0, question.clone()).ingress[&1].passes);
    let judgement = judge(&mut reference, 1, answer);
    assert_eq!(
        (judgement.why(), judgement.receivers().count()),
        ("reply", 1)
    );
    let other = judge(&mut reference, 1, udp("10.0.0.2", "10.0.0.1", (53, 1001)));
    assert!(!other.egress.passes);
    let error = |about: &Ip| {
        let about = Box::new(about.clone());
        Ip::new(
            ip("10.0.0.2"),
            ip("10.0.0.1"),
            Payload::Error {
                kind: 3,
                code: 3,
                about,
            },
        )
    };
    assert_eq!(judge(&mut reference, 1, error(&question)).why(), "related");
    let unknown = udp("10.0.0.1", "10.0.0.2", (1001, 53));
    assert_eq!(judge(&mut reference, 1, error(&unknown)).why(), "invalid");
}

#[test]
fn packets_of_no_connection_are_invalid() {
    let rules = ingress(Service::Any, Remote::Any);
    let w = world(rules);
    assert!(!arrives(
        &w,
        0,
        tcp("10.0.0.1", "10.0.0.2", (1, 2), SYN | ACK)
    ));
    assert!(!arrives(&w, 0, icmp("10.0.0.1", "10.0.0.2", 0, 0)));
    assert!(
        arrives(&w, 0, tcp("10.0.0.1", "10.0.0.2", (1, 2), ACK)),
        "picked up"
    );
}

#[test]
fn equal_addresses_on_two_networks_are_two_connections() {
    let mut w = world(ingress(Service::Any, Remote::Any));
    let mut others = w.ports.clone();
    others.iter_mut().for_each(|p| p.network = 1);
    w.ports.extend(others);
    w.networks = 2;
    let mut reference = Reference::new(w, PROFILE);
    assert!(judge(&mut reference, 0, udp("10.0.0.1", "10.0.0.2", (1, 2))).ingress[&1].passes);
    let answer = Packet::ip(B, A, udp("10.0.0.2", "10.0.0.1", (2, 1)));
    assert!(
        !reference.judge(3, &answer).egress.passes,
        "on the other network"
    );
    assert!(reference.judge(1, &answer).egress.passes);
}

#[test]
fn stateless_groups_judge_replies_by_rules() {
    let mut w = world(ingress(
        Service::Ports {
            protocol: 17,
            min: 53,
            max: 53,
        },
        Remote::Any,
    ));
    w.groups[0].stateful = false;
    w.groups[1].stateful = false;
    w.groups[1].rules.extend(all_out());
    let mut reference = Reference::new(w, PROFILE);
    assert!(judge(&mut reference, 0, udp("10.0.0.1", "10.0.0.2", (1000, 53))).ingress[&1].passes);
    let answer = judge(&mut reference, 1, udp("10.0.0.2", "10.0.0.1", (53, 1000)));
    assert!(answer.egress.passes && !answer.ingress[&0].passes);
}

#[test]
fn dhcp_clients_yes_servers_no() {
    let w = world(vec![]);
    let mut reference = Reference::new(w, PROFILE);
    let mut leaves = |from: Mac, to: Mac, packet: Ip| {
        reference
            .judge(1, &Packet::ip(from, to, packet))
            .egress
            .passes
    };
    let discover = udp("0.0.0.0", "255.255.255.255", (68, 67));
    assert!(
        leaves(B, Mac::BROADCAST, discover.clone()),
        "without any rule"
    );
    assert!(!leaves(A, Mac::BROADCAST, discover), "with another's MAC");
    assert!(leaves(B, A, udp("10.0.0.2", "10.0.0.1", (68, 67))));
    assert!(
        !leaves(B, A, udp("10.0.0.9", "10.0.0.1", (68, 67))),
        "with another's address"
    );
    assert!(!leaves(B, A, udp("10.0.0.2", "10.0.0.1", (67, 68))));
    let own = B.link_local().to_string();
    assert!(leaves(B, A, udp(&own, "ff02::1:2", (546, 547))));
    assert!(!leaves(B, A, udp(&own, "2001:db8::1", (547, 546))));
    assert!(!leaves(B, A, udp(&own, "2001:db8::1", (5, 6))), "no rule");
}

#[test]
fn neighbour_discovery_within_own_addresses() {
    let w = world(vec![]);
    let mut reference = Reference::new(w, PROFILE);
    let mut leaves = |src: &str, dst: &str, kind: u8, target: &str| {
        let target = target.parse().unwrap();
        let packet = Ip::new(ip(src), ip(dst), Payload::Neighbour { kind, target });
        reference.judge(1, &Packet::ip(B, A, packet)).egress.passes
    };
    let own = "2001:db8::2";
    assert!(leaves(own, "2001:db8::1", 135, "2001:db8::1"));
    assert!(
        leaves("::", "ff02::1:ff00:2", 135, own),
        "duplicate address detection"
    );
    assert!(!leaves("::", "2001:db8::1", 135, own));
    assert!(!leaves("::", "ff02::1", 136, own));
    assert!(leaves(own, "2001:db8::1", 136, own));
    assert!(
        !leaves(own, "2001:db8::1", 136, "2001:db8::1"),
        "another's target"
    );
    assert!(
        !leaves("2001:db8::7", "2001:db8::1", 136, own),
        "another's source"
    );
    assert!(!leaves(own, "ff02::1", 134, "::"), "router advertisement");
}

#[test]
fn icmpv6_is_checked_for_its_source_even_without_ipv6_addresses() {
    let mut w = world(ingress(Service::Any, Remote::Any));
    w.ports[0].ips = vec![ip("10.0.0.1")];
    assert!(!arrives(&w, 0, icmp("2001:db8::1", "2001:db8::2", 128, 0)));
    let own = A.link_local().to_string();
    assert!(arrives(&w, 0, icmp(&own, "2001:db8::2", 128, 0)));
    w.groups[0].rules.clear();
    assert!(
        arrives(&w, 0, icmp(&own, "2001:db8::2", 128, 0)),
        "it needs no rule to leave"
    );
    assert!(!arrives(&w, 0, udp(&own, "2001:db8::2", (1, 2))));
}

#[test]
fn icmpv6_leaves_without_a_rule_and_its_answers_come_in() {
    let mut w = world(vec![]);
    w.groups[0].rules.clear();
    w.ports[1].security = false;
    let (own, other) = ("2001:db8::1", "2001:db8::2");
    let neighbour = |src: &str, kind: u8| {
        let target = own.parse().unwrap();
        Ip::new(ip(src), ip("ff02::1"), Payload::Neighbour { kind, target })
    };
    for (stateful, answered) in [(true, true), (false, false)] {
        w.groups[0].stateful = stateful;
        let mut reference = Reference::new(w.clone(), PROFILE);
        assert!(!judge(&mut reference, 1, icmp(other, own, 129, 0)).ingress[&0].passes);
        assert!(judge(&mut reference, 0, icmp(own, other, 128, 0)).ingress[&1].passes);
        let answer = judge(&mut reference, 1, icmp(other, own, 129, 0));
        assert_eq!(answer.ingress[&0].passes, answered);
        let mut unknown = icmp(own, other, 129, 0);
        unknown.payload = Payload::Icmp {
            kind: 129,
            code: 0,
            id: 8,
        };
        assert!(
            judge(&mut reference, 0, unknown).egress.passes,
            "an answer to nothing"
        );
        for kind in [130, 131, 132, 133, 135, 137, 143] {
            assert!(
                judge(&mut reference, 0, neighbour(own, kind)).egress.passes,
                "{kind}"
            );
        }
        assert!(!judge(&mut reference, 0, neighbour(own, 134)).egress.passes);
        for kind in 128..=143 {
            let wanted = [131, 135, 143].contains(&kind);
            let judgement = judge(&mut reference, 0, neighbour("::", kind));
            assert_eq!(judgement.egress.passes, wanted, "{kind} from ::");
        }
        let mut part = icmp(own, other, 128, 0);
        part.fragments = Fragments::Second;
        assert_eq!(judge(&mut reference, 0, part).egress.passes, !stateful);
    }
}

#[test]
fn fragments_that_hide_their_type_may_be_router_advertisements() {
    let profile = Profile {
        fragments_hide_types: true,
        ..PROFILE
    };
    let mut w = world(ingress(Service::Any, Remote::Any));
    w.groups[0].rules.clear();
    let (own, other) = ("2001:db8::1", "2001:db8::2");
    for (kind, stateful, wanted) in [
        (128, true, true),
        (129, true, false),
        (128, false, true),
        (129, false, false),
    ] {
        w.groups[0].stateful = stateful;
        let mut reference = Reference::new(w.clone(), profile);
        let mut packet = icmp(own, other, kind, 0);
        packet.fragments = Fragments::Both;
        let judgement = judge(&mut reference, 0, packet);
        assert_eq!(judgement.egress.passes, wanted, "{kind}, {stateful}");
    }
}

#[test]
fn a_port_without_addresses_is_held_to_its_mac() {
    let mut w = world(ingress(Service::Any, Remote::Any));
    w.ports[0].ips.clear();
    assert!(arrives(&w, 0, udp("198.51.100.7", "10.0.0.2", (1, 1))));
    let mut reference = Reference::new(w, PROFILE);
    let packet = Packet::ip(VIP, B, udp("198.51.100.7", "10.0.0.2", (1, 1)));
    assert!(!reference.judge(0, &packet).egress.passes);
}

#[test]
fn frames_for_nobody_go_to_all_whose_rules_let_them() {
    let mut w = world(ingress(Service::Any, Remote::Any));
    w.ports
        .push(port(Mac([2, 0, 0, 0, 0, 3]), &["10.0.0.3"], &[0]));
    let mut reference = Reference::new(w, PROFILE);
    let packet = udp("10.0.0.1", "10.0.0.9", (1, 1));
    let judgement = reference.judge(0, &Packet::ip(A, VIP, packet));
    assert_eq!(judgement.receivers().collect::<Vec<_>>(), [1]);
    assert_eq!(judgement.ingress.len(), 2);
}

#[test]
fn arp_within_own_addresses() {
    let mut reference = Reference::new(world(vec![]), PROFILE);
    let mut leaves = |from: Mac, sha: Mac, spa: &str| {
        let body = Body::Arp {
            op: 2,
            sha,
            spa: spa.parse().unwrap(),
            tpa: "10.0.0.1".parse().unwrap(),
        };
        let packet = Packet {
            from,
            to: A,
            vlan: None,
            body,
        };
        reference.judge(1, &packet).receivers().count() == 1
    };
    assert!(leaves(B, B, "10.0.0.2"));
    assert!(!leaves(B, B, "10.0.0.1"));
    assert!(!leaves(A, A, "10.0.0.2"));
    assert!(!leaves(B, A, "10.0.0.2"));
}

#[test]
fn tables_of_ports_know_what_left_although_it_did_not_arrive() {
    let mut w = world(vec![]);
    w.groups[1].rules = all_out();
    let ask = udp("10.0.0.1", "10.0.0.2", (1, 2));
    let answer = udp("10.0.0.2", "10.0.0.1", (2, 1));
    for (zones, wanted) in [
        (Zones::Network, false),
        (Zones::Port, true),
        (Zones::Host, true),
    ] {
        let mut reference = Reference::new(w.clone(), Profile { zones, ..PROFILE });
        assert!(!judge(&mut reference, 0, ask.clone()).ingress[&1].passes);
        let judgement = judge(&mut reference, 1, answer.clone());
        assert_eq!(judgement.ingress[&0].passes, wanted, "{zones:?}");
    }
}
