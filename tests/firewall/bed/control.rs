//! A world as lines for `vifd db apply`.

use serde_json::{Value, json};

use super::port_id;
use crate::packet::{ICMP, ICMPV6, TCP, UDP};
use crate::world::{Family, Pair, Port, Remote, Rule, Service, World};

const MARKER: &str = "00000000-eeee-4000-8000-000000000000";

fn network_id(n: usize) -> String {
    format!("{n:08x}-bbbb-4000-8000-{n:012x}")
}

fn group_id(n: usize) -> String {
    format!("{n:08x}-cccc-4000-8000-{n:012x}")
}

fn address_group_id(n: usize) -> String {
    format!("{n:08x}-dddd-4000-8000-{n:012x}")
}

/// By content, so that a rule that stays keeps its id.
fn rule_id(group: usize, rule: &Rule) -> String {
    let text = format!("{group} {rule:?}");
    let hash = |start: u64| {
        text.bytes().fold(start, |h, b| {
            (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
        })
    };
    let (a, b) = (hash(0xcbf2_9ce4_8422_2325), hash(0x9e37_79b9_7f4a_7c15));
    format!("{:08x}-ffff-4000-8000-{:012x}", a >> 32, b >> 16)
}

/// Everything, and a network that only carries the name of the last change.
pub fn create(world: &World) -> String {
    let mut lines =
        vec![json!({"create": "network", "id": MARKER, "name": "marker-0", "type": "local"})];
    for n in 0..world.networks {
        let (id, name) = (network_id(n), format!("net{n}"));
        lines.push(json!({"create": "network", "id": id, "name": name, "type": "local"}));
        for cidr in ["10.0.0.0/16", "2001:db8::/64", "fd00::/16"] {
            lines.push(json!({"create": "subnet", "network": id, "cidr": cidr}));
        }
    }
    for (n, entries) in world.address_groups.iter().enumerate() {
        let addresses: Vec<String> = entries.iter().map(ToString::to_string).collect();
        let (id, name) = (address_group_id(n), format!("addresses{n}"));
        lines.push(
            json!({"create": "address_group", "id": id, "name": name, "addresses": addresses}),
        );
    }
    for (n, group) in world.groups.iter().enumerate() {
        lines.push(json!({
            "create": "group", "id": group_id(n), "name": format!("group{n}"), "stateful": group.stateful,
            "no_rules": true,
        }));
    }
    for (n, group) in world.groups.iter().enumerate() {
        lines.extend(group.rules.iter().map(|rule| create_rule(n, rule)));
    }
    for (n, port) in world.ports.iter().enumerate() {
        lines.push(create_port(n, port, "hv1"));
    }
    for (n, port) in world.elsewhere.iter().enumerate() {
        lines.push(create_port(world.ports.len() + n, port, "elsewhere"));
    }
    text(&lines)
}

/// What differs between two worlds of the same networks, ports and groups.
pub fn change(from: &World, to: &World) -> String {
    let mut lines = Vec::new();
    for (n, (old, new)) in from
        .address_groups
        .iter()
        .zip(&to.address_groups)
        .enumerate()
    {
        let only = |a: &[ipnet::IpNet], b: &[ipnet::IpNet]| -> Vec<String> {
            a.iter()
                .filter(|net| !b.contains(net))
                .map(ToString::to_string)
                .collect()
        };
        let (remove, add) = (only(old, new), only(new, old));
        if !remove.is_empty() || !add.is_empty() {
            let id = address_group_id(n);
            lines.push(
                json!({"set": "address_group", "address_group": id, "remove": remove, "add": add}),
            );
        }
    }
    for (n, (old, new)) in from.groups.iter().zip(&to.groups).enumerate() {
        for rule in old.rules.iter().filter(|rule| !new.rules.contains(rule)) {
            lines.push(json!({"delete": "rule", "rule": rule_id(n, rule)}));
        }
        for rule in new.rules.iter().filter(|rule| !old.rules.contains(rule)) {
            lines.push(create_rule(n, rule));
        }
        if old.stateful != new.stateful {
            lines.push(json!({"set": "group", "group": group_id(n), "stateful": new.stateful}));
        }
    }
    let old = from.ports.iter().chain(&from.elsewhere);
    let new = to.ports.iter().chain(&to.elsewhere);
    for (n, (old, new)) in old.zip(new).enumerate() {
        if old != new {
            let mut line = columns(new);
            line["set"] = "port".into();
            line["port"] = port_id(n).into();
            lines.push(line);
        }
    }
    text(&lines)
}

/// Renames the marker.
pub fn mark(name: &str) -> String {
    json!({"set": "network", "network": MARKER, "name": name}).to_string()
}

fn create_port(n: usize, port: &Port, host: &str) -> Value {
    let mut line = columns(port);
    line["create"] = "port".into();
    line["id"] = port_id(n).into();
    line["name"] = format!("port{n}").into();
    line["network"] = network_id(port.network).into();
    line["host"] = host.into();
    line
}

/// What may change of a port. One that is not filtered may not join groups, but may leave those it is in.
fn columns(port: &Port) -> Value {
    let mut line = json!({
        "mac": port.mac.to_string(),
        "ips": port.ips.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "allowed_addresses": port.pairs.iter().map(pair).collect::<Vec<_>>(),
        "port_security": port.security, "device_owner": port.owner,
    });
    if port.is_filtered() || port.groups.is_empty() {
        line["groups"] = port.groups.iter().map(|&n| group_id(n)).collect();
    }
    line
}

fn pair(pair: &Pair) -> String {
    match pair.mac {
        Some(mac) => format!("{},{mac}", pair.prefix),
        None => pair.prefix.to_string(),
    }
}

fn create_rule(group: usize, rule: &Rule) -> Value {
    let mut line = json!({
        "create": "rule", "id": rule_id(group, rule), "group": group_id(group),
        "direction": rule.direction.name(), "ethertype": rule.family.ethertype_name(),
    });
    match rule.service {
        Service::Any => {}
        Service::Protocol(number) => line["protocol"] = protocol(number).into(),
        Service::Ports {
            protocol: number,
            min,
            max,
        } => {
            line["protocol"] = protocol(number).into();
            line["ports"] = if min == max {
                min.to_string()
            } else {
                format!("{min}:{max}")
            }
            .into();
        }
        Service::Icmp { kind, code } => {
            line["protocol"] = protocol(if rule.family == Family::V4 {
                ICMP
            } else {
                ICMPV6
            })
            .into();
            line["icmp_type"] = kind.into();
            if let Some(code) = code {
                line["icmp_code"] = code.into();
            }
        }
    }
    match rule.remote {
        Remote::Any => {}
        Remote::Prefix(net) => line["remote_prefix"] = net.to_string().into(),
        Remote::Group(n) => line["remote_group"] = group_id(n).into(),
        Remote::Addresses(n) => line["remote_address_group"] = address_group_id(n).into(),
    }
    line
}

/// Some by name, some by number. The name `icmp` means ICMPv6 in a rule for IPv6.
fn protocol(number: u8) -> String {
    match number {
        TCP => "tcp".to_owned(),
        UDP => "udp".to_owned(),
        ICMP | ICMPV6 => "icmp".to_owned(),
        number => number.to_string(),
    }
}

fn text(lines: &[Value]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}
