//! Rules of security groups: what people say is made into the columns that sources read, and checked with the same
//! function that they use.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;

use super::group::described;
use super::{EditError, Editor, Kind, conflict, invalid};
use crate::model::secgroup::protocol;
use crate::model::{Family, Remote, Service};
use crate::store::Value;
use crate::store::rule::{Meaning, PROTOCOLS, RuleColumns, protocol_name};
use crate::store::view::{self, RuleFilter};

/// A rule to be made.
#[derive(Clone, Default, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRule {
    /// Name or id of its group.
    pub group: String,
    /// `ingress` or `egress`.
    pub direction: String,
    /// `IPv4` or `IPv6`; absent: as the prefix or the protocol says, else IPv4.
    #[serde(default)]
    pub ethertype: Option<String>,
    /// A name, a number, or any.
    #[serde(default)]
    pub protocol: Option<String>,
    /// `80` or `8000:8100`.
    #[serde(default)]
    pub ports: Option<String>,
    /// ICMP type.
    #[serde(default)]
    pub icmp_type: Option<i64>,
    /// ICMP code.
    #[serde(default)]
    pub icmp_code: Option<i64>,
    /// Address or prefix of the other end.
    #[serde(default)]
    pub remote_prefix: Option<String>,
    /// Name or id of a security group: the other end is one of its ports.
    #[serde(default)]
    pub remote_group: Option<String>,
    /// Name or id of an address group.
    #[serde(default)]
    pub remote_address_group: Option<String>,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// Random if absent.
    #[serde(default)]
    pub id: Option<String>,
}

impl Editor<'_> {
    /// Makes a rule; its id. One that allows exactly what another of the group does is refused.
    pub fn create_rule(&mut self, new: &NewRule) -> Result<String, EditError> {
        described(&new.description)?;
        let group = self.resolve(Kind::Group, &new.group)?;
        let id = self.fresh_id(Kind::Rule, new.id.as_deref())?;
        let text = |text: &Option<String>| Value::from(text.as_deref());
        let prefix = new
            .remote_prefix
            .as_deref()
            .map(checked_prefix)
            .transpose()?;
        let (protocol, [min, max]) = service(new)?;
        let remotes = [
            ("a remote prefix", new.remote_prefix.is_some()),
            ("a remote group", new.remote_group.is_some()),
            ("a remote address group", new.remote_address_group.is_some()),
        ];
        let given: Vec<&str> = remotes.iter().filter(|r| r.1).map(|r| r.0).collect();
        if given.len() > 1 {
            return invalid(format!(
                "{} in one rule: a rule has at most one of them, make two rules",
                given.join(" and ")
            ));
        }
        let mut resolved = |kind, name: &Option<String>| {
            name.as_deref()
                .map(|name| self.resolve(kind, name))
                .transpose()
        };
        let remote_group = resolved(Kind::Group, &new.remote_group)?;
        let remote_addresses = resolved(Kind::AddressGroup, &new.remote_address_group)?;
        let direction: Value = new.direction.to_lowercase().into();
        let family = family(new, prefix, protocol.as_deref())?;
        let ethertype: Value = family.name().into();
        let columns = RuleColumns {
            direction: &direction,
            ethertype: &ethertype,
            protocol: &text(&protocol),
            port_min: &min.into(),
            port_max: &max.into(),
            remote_prefix: &prefix.map(|net| net.to_string()).into(),
            remote_group_id: &text(&remote_group),
            remote_address_group_id: &text(&remote_addresses),
        };
        let meaning = columns.meaning().map_err(EditError::Invalid)?;
        self.rule_is_new(&group, &meaning)?;
        // One spelling for each protocol, whatever it was called.
        let protocol = meaning
            .service
            .protocol(family)
            .map(|number| protocol_name(number, family));
        self.store.execute(
            "INSERT INTO security_group_rules (id, group_id, direction, ethertype, protocol, port_min, port_max, \
             remote_prefix, remote_group_id, remote_address_group_id, description, created_at) VALUES (?, ?, ?, ?, ?, \
             ?, ?, ?, ?, ?, ?, ?)",
            &[
                (&id).into(),
                (&group).into(),
                columns.direction.clone(),
                columns.ethertype.clone(),
                protocol.into(),
                columns.port_min.clone(),
                columns.port_max.clone(),
                columns.remote_prefix.clone(),
                columns.remote_group_id.clone(),
                columns.remote_address_group_id.clone(),
                (&new.description).into(),
                self.now.into(),
            ],
        )?;
        self.rules_of(&group)?.push((id.clone(), meaning));
        Ok(id)
    }

    /// Removes a rule.
    pub fn delete_rule(&mut self, id: &str) -> Result<(), EditError> {
        self.store.execute(
            "DELETE FROM security_group_rules WHERE id = ?",
            &[id.into()],
        )?;
        self.forget();
        Ok(())
    }

    fn rule_is_new(&mut self, group: &str, wanted: &Meaning) -> Result<(), EditError> {
        let known = self.rules_of(group)?;
        let twin = known.iter().find(|(_, meaning)| meaning == wanted);
        if let Some((id, _)) = twin {
            let id = id.clone();
            let text = self.rule_text(&id)?;
            return conflict(format!("{text} allows exactly this already"));
        }
        let wider = known.iter().find(|(_, meaning)| covers(meaning, wanted));
        if let Some((id, _)) = wider {
            let id = id.clone();
            let text = self.rule_text(&id)?;
            self.warnings
                .push(format!("{text} allows all of this already"));
        }
        Ok(())
    }

    /// The rules of a group that are understood; loaded once, since a batch may make thousands.
    fn rules_of(&mut self, group: &str) -> Result<&mut Vec<(String, Meaning)>, EditError> {
        if !self.rules_of.contains_key(group) {
            let filter = RuleFilter {
                group_id: Some(group.to_owned()),
                ..RuleFilter::default()
            };
            let known = view::rules(self.store, &filter)?
                .into_iter()
                .filter_map(|rule| Some((rule.id, rule.meaning?)))
                .collect();
            self.rules_of.insert(group.to_owned(), known);
        }
        Ok(self.rules_of.entry(group.to_owned()).or_default())
    }

    fn rule_text(&mut self, id: &str) -> Result<String, EditError> {
        let filter = RuleFilter {
            id: Some(id.to_owned()),
            ..RuleFilter::default()
        };
        let rules = view::rules(self.store, &filter)?;
        Ok(rules.first().map_or_else(String::new, |rule| {
            format!(
                "rule {} of group {:?} ({})",
                rule.id,
                rule.group,
                rule.text()
            )
        }))
    }
}

/// `true` if whatever passes by `b` passes by `a` too.
fn covers(a: &Meaning, b: &Meaning) -> bool {
    let service = match (a.service, b.service) {
        (Service::Any, _) => true,
        (Service::Protocol(number), other) => other.protocol(b.family) == Some(number),
        (
            Service::Ports { protocol, min, max },
            Service::Ports {
                protocol: other,
                min: low,
                max: high,
            },
        ) => protocol == other && min <= low && high <= max,
        (
            Service::Icmp { kind, code },
            Service::Icmp {
                kind: other,
                code: narrow,
            },
        ) => kind == other && (code.is_none() || code == narrow),
        _ => false,
    };
    let remote = match (a.remote, b.remote) {
        (Remote::Any, _) => true,
        (Remote::Prefix(wide), Remote::Prefix(narrow)) => wide.contains(&narrow),
        (a, b) => a == b,
    };
    a.direction == b.direction && a.family == b.family && service && remote
}

/// An address, or a prefix without bits behind its length.
pub(super) fn checked_prefix(text: &str) -> Result<IpNet, EditError> {
    let text = text.trim();
    match (text.parse::<IpNet>(), text.parse::<IpAddr>()) {
        (Ok(net), _) if net.trunc() == net => Ok(net),
        (Ok(net), _) => invalid(format!(
            "{net} has bits set behind its prefix: give {} for all of it, or {} for the one address",
            net.trunc(),
            net.addr()
        )),
        (_, Ok(ip)) => Ok(IpNet::from(ip)),
        _ => invalid(format!(
            "{text:?} is not an address or a prefix such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/64"
        )),
    }
}

/// What was said, or what the prefix or the protocol leaves no choice about.
fn family(
    new: &NewRule,
    prefix: Option<IpNet>,
    protocol: Option<&str>,
) -> Result<Family, EditError> {
    let said = match new.ethertype.as_deref() {
        None => None,
        Some(text) => {
            let found = Family::ALL
                .into_iter()
                .find(|family| family.name().eq_ignore_ascii_case(text));
            match found {
                None => return invalid(format!("ethertype {text:?} is not IPv4 or IPv6")),
                found => found,
            }
        }
    };
    let of_prefix = prefix.map(Family::of_net);
    if let (Some(said), Some(of_prefix), Some(prefix)) = (said, of_prefix, prefix)
        && said != of_prefix
    {
        return invalid(format!(
            "the remote prefix {prefix} is of {}, but the ethertype is {}: leave the ethertype out, or give a prefix of {1}",
            of_prefix.name(),
            said.name()
        ));
    }
    let only_ipv6 = protocol.is_some_and(|name| name.starts_with("ipv6-") || name == "icmpv6");
    let of_protocol = only_ipv6.then_some(Family::V6);
    Ok(said.or(of_prefix).or(of_protocol).unwrap_or(Family::V4))
}

/// The protocol, and the two columns that hold ports, or ICMP type and code.
fn service(new: &NewRule) -> Result<(Option<String>, [Option<i64>; 2]), EditError> {
    let protocol = new.protocol.as_deref().map(str::to_lowercase);
    let any = matches!(protocol.as_deref(), None | Some("any" | "0"));
    let number = protocol.as_deref().and_then(|text| {
        let named = PROTOCOLS.iter().find(|(name, _)| *name == text);
        named.map_or_else(|| text.parse().ok(), |(_, number)| Some(*number))
    });
    if let Some(text) = &new.ports {
        if any {
            return invalid(format!(
                "ports {text} of which protocol? Ports need one: tcp, udp, sctp, dccp or udplite (--protocol)"
            ));
        }
        if new.icmp_type.is_some() || new.icmp_code.is_some() {
            return invalid("ports and an ICMP type in one rule: make two rules".to_owned());
        }
        if let Some(number) = number.filter(|number| !protocol::has_ports(*number)) {
            return invalid(format!(
                "protocol {} has no ports{}: tcp, udp, sctp, dccp and udplite have",
                protocol.as_deref().unwrap_or_default(),
                match number {
                    protocol::ICMP | protocol::ICMPV6 => " but types and codes (--icmp-type)",
                    _ => "",
                }
            ));
        }
        let (min, max) = checked_ports(text)?;
        return Ok((protocol, [Some(min), Some(max)]));
    }
    if new.icmp_type.is_none() && new.icmp_code.is_none() {
        return Ok((protocol, [None, None]));
    }
    if new.icmp_type.is_none() {
        return invalid("an ICMP code needs a type: give both".to_owned());
    }
    let icmp = any || matches!(number, Some(protocol::ICMP | protocol::ICMPV6));
    if !icmp {
        return invalid(format!(
            "an ICMP type needs protocol icmp or icmpv6, not {}",
            protocol.as_deref().unwrap_or_default()
        ));
    }
    for (what, value) in [("type", new.icmp_type), ("code", new.icmp_code)] {
        if let Some(n) = value.filter(|n| !(0..=255).contains(n)) {
            return invalid(format!("the ICMP {what} {n} is not in 0..=255"));
        }
    }
    let protocol = if any {
        Some("icmp".to_owned())
    } else {
        protocol
    };
    Ok((protocol, [new.icmp_type, new.icmp_code]))
}

fn checked_ports(text: &str) -> Result<(i64, i64), EditError> {
    let (min, max) = match text.split_once([':', '-']) {
        Some((min, max)) => (min, max),
        None => (text, text),
    };
    let (Ok(min), Ok(max)) = (min.trim().parse::<i64>(), max.trim().parse::<i64>()) else {
        return invalid(format!(
            "{text:?} is not a port or a range of ports such as 80 or 8000:8100"
        ));
    };
    for port in [min, max] {
        if !(1..=65535).contains(&port) {
            return invalid(format!("port {port} is not in 1..=65535"));
        }
    }
    if min > max {
        return invalid(format!(
            "the range {min}:{max} is empty: {max}:{min} is meant?"
        ));
    }
    Ok((min, max))
}
