//! Security groups and remote sets as the admin socket tells them.

use std::collections::BTreeMap;

use crate::admin::shape::{DesiredGroup, DesiredRule, DesiredSet};
use crate::model::{Desired, MemberAddress, Remote, RemoteId, Rule};
use crate::store::rule_text;

/// Names of groups and what they allow, by name.
pub(super) fn groups(desired: &Desired) -> Vec<DesiredGroup> {
    let names: BTreeMap<_, _> = desired.groups().map(|g| (g.id, g.name.clone())).collect();
    let set_name = |set: RemoteId| match set {
        RemoteId::Group(id) => match names.get(&id) {
            Some(name) => format!("group {name}"),
            None => format!("group {id}"),
        },
        RemoteId::Addresses(id) => format!("addresses {id}"),
    };
    let mut groups: Vec<DesiredGroup> = desired
        .groups()
        .map(|group| {
            let rule = |rule: &Rule| DesiredRule {
                id: rule.id.to_string(),
                allows: text(rule, set_name),
            };
            let mut rules: Vec<DesiredRule> = group.rules.iter().map(rule).collect();
            rules.sort_by(|a, b| (&a.allows, &a.id).cmp(&(&b.allows, &b.id)));
            DesiredGroup {
                id: group.id.to_string(),
                name: group.name.to_string(),
                stateful: group.stateful,
                rules,
                problems: group.problems.iter().map(ToString::to_string).collect(),
            }
        })
        .collect();
    groups.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    groups
}

/// The addresses of sets that rules name.
pub(super) fn sets(desired: &Desired) -> Vec<DesiredSet> {
    let address = |address: MemberAddress| match address.mac {
        Some(mac) => format!("{} {mac}", address.prefix),
        None => address.prefix.to_string(),
    };
    let mut sets: Vec<DesiredSet> = desired
        .remotes()
        .map(|(id, set)| DesiredSet {
            kind: match id {
                RemoteId::Group(_) => "group".to_owned(),
                RemoteId::Addresses(_) => "addresses".to_owned(),
            },
            id: match id {
                RemoteId::Group(id) => id.to_string(),
                RemoteId::Addresses(id) => id.to_string(),
            },
            members: set.members().count() as u64,
            addresses: set.addresses().map(address).collect(),
        })
        .collect();
    sets.sort_by(|a, b| (&a.kind, &a.id).cmp(&(&b.kind, &b.id)));
    sets
}

fn text(rule: &Rule, set_name: impl Fn(RemoteId) -> String) -> String {
    let remote = match rule.remote {
        Remote::Any => None,
        Remote::Prefix(prefix) => Some(prefix.to_string()),
        Remote::Set(set) => Some(set_name(set)),
    };
    rule_text::line(rule, remote.as_deref())
}
