//! `vifd db group`, `rule` and `address-group`: see the module above.

use super::group_args::{AddressGroupCommand, GroupCommand, RuleCommand, RuleList};
use super::{Error, Out, change, table};
use crate::store::edit::{self, Kind};
use crate::store::view::{self, PortFilter, RuleFilter};
use crate::store::{Mode, Store, StoreError, transaction};

pub(super) fn group(
    store: &mut dyn Store,
    command: GroupCommand,
    out: &mut Out<'_>,
) -> Result<(), Error> {
    match command {
        GroupCommand::Create(new) => {
            let id = change(store, |editor| editor.create_group(&new.into()))?;
            show(store, &id, out)
        }
        GroupCommand::List => out.list(&view::groups(store, None)?),
        GroupCommand::Show { group } => {
            let id = edit::resolve(store, Kind::Group, &group)?;
            show(store, &id, out)
        }
        GroupCommand::Set {
            group,
            change: wanted,
        } => {
            let id = edit::resolve(store, Kind::Group, &group)?;
            change(store, |editor| editor.set_group(&id, &wanted.into()))?;
            show(store, &id, out)
        }
        GroupCommand::Delete { groups } => {
            change(store, |editor| {
                groups.iter().try_for_each(|name| {
                    let id = editor.resolve(Kind::Group, name)?;
                    editor.delete_group(&id)
                })
            })?;
            out.done("deleted", "group", &groups)
        }
    }
}

/// A group with its rules below it.
fn show(store: &mut dyn Store, id: &str, out: &mut Out<'_>) -> Result<(), Error> {
    let groups = view::groups(store, Some(id))?;
    out.one(&groups)?;
    match groups.as_slice() {
        [group] if !out.json => {
            out.line("")?;
            out.line(table::list(&group.rules))
        }
        _ => Ok(()),
    }
}

pub(super) fn rule(
    store: &mut dyn Store,
    command: RuleCommand,
    out: &mut Out<'_>,
) -> Result<(), Error> {
    let one = |id: &str| RuleFilter {
        id: Some(id.to_owned()),
        ..RuleFilter::default()
    };
    match command {
        RuleCommand::Create(new) => {
            let id = change(store, |editor| editor.create_rule(&(*new).into()))?;
            out.one(&view::rules(store, &one(&id))?)
        }
        RuleCommand::List(which) => list(store, &which, out),
        RuleCommand::Show { rule } => {
            let id = edit::resolve(store, Kind::Rule, &rule)?;
            out.one(&view::rules(store, &one(&id))?)
        }
        RuleCommand::Delete { rules } => {
            change(store, |editor| {
                rules.iter().try_for_each(|name| {
                    let id = editor.resolve(Kind::Rule, name)?;
                    editor.delete_rule(&id)
                })
            })?;
            out.done("deleted", "rule", &rules)
        }
    }
}

fn list(store: &mut dyn Store, which: &RuleList, out: &mut Out<'_>) -> Result<(), Error> {
    let mut resolved = |kind, name: &Option<String>| {
        name.as_deref()
            .map(|name| edit::resolve(store, kind, name))
            .transpose()
    };
    let filter = RuleFilter {
        id: None,
        group_id: resolved(Kind::Group, &which.group)?,
        port_id: resolved(Kind::Port, &which.port)?,
        remote_group_id: resolved(Kind::Group, &which.remote_group)?,
        remote_address_group_id: resolved(Kind::AddressGroup, &which.remote_address_group)?,
        direction: match (which.ingress, which.egress) {
            (true, _) => Some("ingress".to_owned()),
            (_, true) => Some("egress".to_owned()),
            _ => None,
        },
    };
    let port = PortFilter {
        id: filter.port_id.clone(),
        ..PortFilter::default()
    };
    let (rules, ports) = transaction(store, Mode::Read, |store| {
        let ports = match &port.id {
            Some(_) => view::ports(store, &port)?,
            None => Vec::new(),
        };
        Ok::<_, StoreError>((view::rules(store, &filter)?, ports))
    })?;
    for port in &ports {
        if let Some(why) = port.unenforced() {
            eprintln!("warning: none of this is enforced: {why}");
        } else if port.groups.is_empty() {
            eprintln!(
                "warning: the port is in no security group: where groups are enforced it passes only DHCP, ARP and \
                 neighbour discovery"
            );
        }
    }
    out.list(&rules)
}

pub(super) fn address_group(
    store: &mut dyn Store,
    command: AddressGroupCommand,
    out: &mut Out<'_>,
) -> Result<(), Error> {
    match command {
        AddressGroupCommand::Create(new) => {
            let id = change(store, |editor| editor.create_address_group(&new.into()))?;
            out.one(&view::address_groups(store, Some(&id))?)
        }
        AddressGroupCommand::List => out.list(&view::address_groups(store, None)?),
        AddressGroupCommand::Show { group } => {
            let id = edit::resolve(store, Kind::AddressGroup, &group)?;
            out.one(&view::address_groups(store, Some(&id))?)
        }
        AddressGroupCommand::Set {
            group,
            change: wanted,
        } => {
            let id = edit::resolve(store, Kind::AddressGroup, &group)?;
            change(store, |editor| {
                editor.set_address_group(&id, &wanted.into())
            })?;
            out.one(&view::address_groups(store, Some(&id))?)
        }
        AddressGroupCommand::Delete { groups } => {
            change(store, |editor| {
                groups.iter().try_for_each(|name| {
                    let id = editor.resolve(Kind::AddressGroup, name)?;
                    editor.delete_address_group(&id)
                })
            })?;
            out.done("deleted", "address group", &groups)
        }
    }
}
