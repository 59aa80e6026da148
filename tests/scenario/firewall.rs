//! Security groups in stories.
//!
//! ```text
//! > group 1 [stateless] [RULE; RULE; …]        RULE as `vifd dump desired` prints it
//! > member 1 of 2 10.0.0.9/32 …                what member 1 contributes to group 2, from any host
//! > port 1 on 1 [v6] [in 1,2]                  with an IPv6 address; in these groups
//! > plug hybrid 1                              the VIF that a port plugged hybrid has on the integration bridge
//! > tables                                     everything that is wanted in nf_tables, as `vifd nft list` shows it
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;
use std::sync::Arc;

use nft::data::Data;
use nft::element::Element;
use nft::message::Family as NfFamily;
use nft::ruleset::TableState;
use nft::userdata::UserData;
use uuid::Uuid;
use vifd::model::secgroup::protocol;
use vifd::model::*;
use vifd::ops::nft::{NftBody, NftKey};
use vifd::plan::Planner;
use vifd::plan::firewall::nft::numbers::short;
use vifd::plan::firewall::openflow::{ConjIds, Profile};

use super::number;
use super::world::{self, World};

pub fn driver(start: &str) -> Option<FirewallDriver> {
    match start {
        "start" => None,
        "start openvswitch" => Some(FirewallDriver::OpenFlow),
        "start nft" => Some(FirewallDriver::Nft),
        other => panic!("a story begins with `start`, not with {other}"),
    }
}

/// With nf_tables ids differ in the characters that devices are named after.
pub fn port_id(world: &World, n: u128) -> PortId {
    match world.firewall {
        Some(FirewallDriver::Nft) => PortId(Uuid::from_u128((n << 96) | (0x2000 + n))),
        _ => world::port_id(n),
    }
}

pub fn vif(name: &str, id: PortId) -> String {
    match name {
        "hybrid" => format!("qvo{}", short(id)),
        name => name.to_owned(),
    }
}

fn group_id(n: &str) -> GroupId {
    GroupId(Uuid::from_u128(0x4000 + number::<u128>(n)))
}

pub fn join(port: &mut Port, n: u128, flags: &[&str]) {
    if flags.contains(&"v6") {
        let ip = Ipv6Addr::from(0x2001_0db8 << 96 | n);
        port.fixed_ips.push(FixedIp {
            ip: ip.into(),
            subnet: None,
        });
    }
    if let [.., "in", groups] = flags {
        port.groups = groups.split(',').map(group_id).collect();
        port.groups.sort_unstable();
    }
}

pub fn group(n: u128, words: &[&str]) -> SecurityGroup {
    let (stateful, rules) = match words {
        ["stateless", rules @ ..] => (false, rules.join(" ")),
        rules => (true, rules.join(" ")),
    };
    let rules = rules.split("; ").filter(|rule| !rule.is_empty());
    SecurityGroup {
        id: group_id(&n.to_string()),
        name: format!("group{n}").into(),
        stateful,
        rules: (n * 100..)
            .zip(rules)
            .map(|(id, text)| rule(id, text))
            .collect(),
        problems: Vec::<Arc<str>>::new(),
    }
}

/// `ingress IPv4 tcp 80:443 from group 2`
fn rule(id: u128, text: &str) -> Rule {
    let words: Vec<&str> = text.split(' ').collect();
    let [direction, family, rest @ ..] = words.as_slice() else {
        panic!("no rule: {text}");
    };
    let direction = match *direction {
        "ingress" => Direction::Ingress,
        "egress" => Direction::Egress,
        other => panic!("no direction: {other}"),
    };
    let family = match *family {
        "IPv4" => Family::V4,
        "IPv6" => Family::V6,
        other => panic!("no family: {other}"),
    };
    let at = rest.iter().position(|word| matches!(*word, "from" | "to"));
    let (service, remote) = rest.split_at(at.unwrap_or_else(|| panic!("no remote end: {text}")));
    let service = match service {
        ["any", "protocol"] => Service::Any,
        ["icmp", "type", kind] => icmp(kind, None),
        ["icmp", "type", kind, "code", code] => icmp(kind, Some(number(code))),
        [name] => Service::Protocol(protocol_of(name, family)),
        [name, ports] => {
            let (min, max) = ports.split_once(':').unwrap_or((ports, ports));
            Service::Ports {
                protocol: protocol_of(name, family),
                min: number(min),
                max: number(max),
            }
        }
        other => panic!("no service: {other:?}"),
    };
    let remote = match remote {
        [_, "anywhere"] => Remote::Any,
        [_, "group", n] => Remote::Set(group_id(n).into()),
        [_, prefix] => Remote::Prefix(number(prefix)),
        other => panic!("no remote end: {other:?}"),
    };
    Rule {
        id: RuleId(Uuid::from_u128(0x5000 + id)),
        direction,
        family,
        service,
        remote,
    }
}

fn icmp(kind: &str, code: Option<u8>) -> Service {
    Service::Icmp {
        kind: number(kind),
        code,
    }
}

fn protocol_of(name: &str, family: Family) -> u8 {
    match (name, family) {
        ("tcp", _) => protocol::TCP,
        ("udp", _) => protocol::UDP,
        ("icmp", Family::V4) => protocol::ICMP,
        ("icmp", Family::V6) => protocol::ICMPV6,
        (other, _) => panic!("no protocol: {other}"),
    }
}

pub fn member(n: u128, set: u128, prefixes: &[&str]) -> Member {
    let mut addresses: Vec<MemberAddress> = prefixes
        .iter()
        .map(|prefix| MemberAddress {
            prefix: number(prefix),
            mac: None,
        })
        .collect();
    addresses.sort_unstable();
    Member {
        set: group_id(&set.to_string()).into(),
        id: MemberId(Uuid::from_u128(0x6000 + n)),
        addresses,
    }
}

/// What stands for groups in registers and conjunctions of flows, as far as it was told.
#[derive(Default)]
pub struct Numbers {
    told: BTreeSet<String>,
}

impl Numbers {
    /// Those that are new.
    pub fn tell(&mut self, planner: &Planner) -> String {
        if planner.config().firewall != FirewallDriver::OpenFlow {
            return String::new();
        }
        let desired = planner.desired();
        let name = |id: &GroupId| {
            let group = desired.group(*id);
            group.map_or_else(|| id.to_string(), |group| group.name.to_string())
        };
        let mut all: BTreeSet<String> = BTreeSet::new();
        for port in desired.ports().filter(|port| port.is_filtered()) {
            let profile = Profile::of(port, desired);
            let groups: Vec<String> = profile.groups.iter().map(name).collect();
            let (number, kind) = (
                profile.number(),
                match profile.stateful {
                    true => "",
                    false => ", stateless",
                },
            );
            all.insert(format!(
                "reg0=0x{:x},reg1=0x{:x}: profile of {}{kind}",
                number >> 32,
                number & 0xffff_ffff,
                groups.join(" and ")
            ));
        }
        for rule in desired.groups().flat_map(|group| &group.rules) {
            let Remote::Set(set @ RemoteId::Group(group)) = rule.remote else {
                continue;
            };
            let mut ids = ConjIds::default();
            ids.claim(set);
            if let Some(id) = ids.of(set, rule.direction, rule.family) {
                all.insert(format!(
                    "conjunction {id}: {} {} {}",
                    name(&group),
                    rule.direction.name(),
                    rule.family.name()
                ));
            }
        }
        let new: Vec<String> = all.difference(&self.told).cloned().collect();
        self.told.extend(new.iter().cloned());
        if new.is_empty() {
            return String::new();
        }
        let lines = new.iter().map(|line| format!("    {line}\n"));
        format!("  numbers\n{}", lines.collect::<String>())
    }
}

/// The tables with their elements.
pub fn tables(planner: &Planner) -> String {
    let mut tables: BTreeMap<NfFamily, TableState> = BTreeMap::new();
    for (key, _, body) in planner.wanted_nft() {
        if let (NftKey::Table(family), NftBody::Table(table)) = (key, body) {
            tables.insert(*family, (**table).clone());
        }
    }
    let mut elements: Vec<_> = planner
        .wanted_nft()
        .filter_map(|(key, _, body)| match (key, body) {
            (NftKey::Element(set, key), NftBody::Element(entry)) => Some((*set, key, entry)),
            _ => None,
        })
        .collect();
    elements.sort_unstable_by_key(|(set, key, _)| (*set, key.as_slice()));
    for (id, key, entry) in elements {
        let set = tables
            .values_mut()
            .find_map(|table| table.sets.get_mut(id.name().as_bytes()))
            .expect("an element is of a set of the tables");
        let mut element = Element::key(key.clone());
        element.data = entry.data.map(|data| Data::Value(data.into()));
        element.userdata = entry.comment.as_deref().map(UserData::comment);
        set.elements.push(element);
    }
    let text: String = tables.values().map(nft::text::list::table).collect();
    text.lines()
        .map(|line| format!("{}\n", format!("  {line}").trim_end()))
        .collect()
}
