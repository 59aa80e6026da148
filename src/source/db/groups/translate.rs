//! Rows of security groups into model values. A rule that is not understood is left out with a text that says which
//! column is wrong and what it may be: since rules only allow, that is safe.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::super::translate::id;
use super::read::{GroupRecord, MemberRecord};
use crate::model::{
    AddressGroupId, GroupId, Mac, Member, MemberAddress, MemberId, Remote, RemoteId, Rule, RuleId,
    SecurityGroup,
};
use crate::store::rule::RuleColumns;
use crate::store::{Row, Value};

/// A group, or `None` if its id is not one.
pub(super) fn group(record: &GroupRecord) -> Option<SecurityGroup> {
    let id = GroupId(id(record.row.first()).ok()?);
    let mut problems: Vec<String> = Vec::new();
    let name: Arc<str> = match record.row.get(1) {
        Some(Value::Text(name)) => Arc::from(name.as_str()),
        other => {
            problems.push(format!("name is {}, not text", describe(other)));
            Arc::from("")
        }
    };
    let stateful = match record.row.get(2) {
        Some(Value::Int(0)) => false,
        Some(Value::Int(1)) => true,
        other => {
            problems.push(format!(
                "stateful is {}, not 0 or 1; it is taken as 1",
                describe(other)
            ));
            true
        }
    };
    let mut rules = Vec::new();
    for row in &record.rules {
        match rule(row) {
            Ok(rule) => rules.push(rule),
            Err(what) => problems.push(format!(
                "rule {} is left out: {what}",
                row.get(1).and_then(Value::text).unwrap_or("without an id")
            )),
        }
    }
    rules.sort_unstable_by_key(|rule| rule.id);
    let problems = problems
        .into_iter()
        .map(|what| Arc::from(format!("security group {name} ({id}): {what}")))
        .collect();
    Some(SecurityGroup {
        id,
        name,
        stateful,
        rules,
        problems,
    })
}

/// What stands for a group that ports are in and that does not exist: it allows nothing.
pub(super) fn missing(id: GroupId) -> SecurityGroup {
    SecurityGroup {
        id,
        name: Arc::from(""),
        stateful: true,
        rules: Vec::new(),
        problems: vec![Arc::from(format!(
            "security group {id} does not exist, but ports are in it (table port_security_groups): it allows nothing"
        ))],
    }
}

fn describe(value: Option<&Value>) -> String {
    value.unwrap_or(&Value::Null).describe()
}

fn rule(row: &Row) -> Result<Rule, String> {
    let value = |at: usize| row.get(at).unwrap_or(&Value::Null);
    let id = id(row.get(1))?;
    let meaning = RuleColumns {
        direction: value(2),
        ethertype: value(3),
        protocol: value(4),
        port_min: value(5),
        port_max: value(6),
        remote_prefix: value(7),
        remote_group_id: value(8),
        remote_address_group_id: value(9),
    }
    .meaning()?;
    match meaning.remote {
        Remote::Set(RemoteId::Group(group)) if value(10).is_null() => Err(format!(
            "remote_group_id {group} is the id of no security group"
        )),
        Remote::Set(RemoteId::Addresses(group)) if value(11).is_null() => Err(format!(
            "remote_address_group_id {group} is the id of no address group"
        )),
        remote => Ok(Rule {
            id: RuleId(id),
            direction: meaning.direction,
            family: meaning.family,
            service: meaning.service,
            remote,
        }),
    }
}

/// The group that a row of port_security_groups names.
pub(in super::super) fn membership(row: &Row) -> Result<GroupId, String> {
    id(row.get(1))
        .map(GroupId)
        .map_err(|what| format!("security group {what}"))
}

/// What a port contributes to a group. An address that is not one is left out: the port's own host tells what is wrong
/// with it.
pub(super) fn member(record: &MemberRecord) -> Option<Member> {
    let set = RemoteId::Group(GroupId(id(Some(&(&record.group).into())).ok()?));
    let port = MemberId(id(Some(&(&record.port).into())).ok()?);
    let own = record.mac.text().and_then(|text| text.parse::<Mac>().ok());
    let mut addresses: Vec<MemberAddress> = record
        .ips
        .iter()
        .filter_map(|ip| {
            let ip: IpAddr = ip.text()?.parse().ok()?;
            Some(MemberAddress {
                prefix: IpNet::from(ip),
                mac: own,
            })
        })
        .collect();
    for (prefix, mac) in &record.pairs {
        let Some(prefix) = prefix.text().and_then(prefix_of) else {
            continue;
        };
        let mac = match mac {
            Value::Text(text) if text.is_empty() => own,
            Value::Text(text) => match text.parse() {
                Ok(mac) => Some(mac),
                Err(_) => continue,
            },
            _ => continue,
        };
        addresses.push(MemberAddress { prefix, mac });
    }
    // Everybody, but only from a certain station: without that it would be everybody.
    addresses.retain(|address| address.prefix.prefix_len() > 0 || address.mac.is_some());
    Some(finished(set, port, addresses))
}

/// What an entry of an address group contributes.
pub(super) fn entry(row: &Row) -> Option<Member> {
    let set = RemoteId::Addresses(AddressGroupId(id(row.first()).ok()?));
    let member = MemberId(id(row.get(1)).ok()?);
    let prefix = row.get(2).and_then(Value::text).and_then(prefix_of);
    if prefix.is_none() {
        tracing::warn!(
            entry = %member.0,
            reason = format!("prefix is {}, not an address or a prefix", describe(row.get(2))),
            "entry of an address group left out"
        );
    }
    let addresses = prefix.into_iter().flat_map(halves).collect();
    Some(finished(set, member, addresses))
}

fn finished(set: RemoteId, id: MemberId, mut addresses: Vec<MemberAddress>) -> Member {
    addresses.sort_unstable();
    addresses.dedup();
    Member { set, id, addresses }
}

fn prefix_of(text: &str) -> Option<IpNet> {
    match (text.parse::<IpNet>(), text.parse::<IpAddr>()) {
        (Ok(net), _) => Some(net.trunc()),
        (_, Ok(ip)) => Some(IpNet::from(ip)),
        _ => None,
    }
}

/// A prefix without a hardware address; one of length 0 as its two halves, because alone it does not count
/// ([`MemberAddress::mac`]), and here everybody is really meant.
fn halves(prefix: IpNet) -> Vec<MemberAddress> {
    let prefixes = match (prefix, prefix.prefix_len()) {
        (IpNet::V4(_), 0) => [Ipv4Addr::UNSPECIFIED, Ipv4Addr::new(128, 0, 0, 0)]
            .into_iter()
            .filter_map(|ip| Ipv4Net::new(ip, 1).ok().map(IpNet::V4))
            .collect(),
        (IpNet::V6(_), 0) => [
            Ipv6Addr::UNSPECIFIED,
            Ipv6Addr::new(0x8000, 0, 0, 0, 0, 0, 0, 0),
        ]
        .into_iter()
        .filter_map(|ip| Ipv6Net::new(ip, 1).ok().map(IpNet::V6))
        .collect(),
        _ => vec![prefix],
    };
    prefixes
        .into_iter()
        .map(|prefix| MemberAddress { prefix, mac: None })
        .collect()
}
