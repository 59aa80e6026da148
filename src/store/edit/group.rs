//! Security groups, and which of them a port is in.

use serde::Deserialize;

use super::{EditError, Editor, Kind, NewRule, checked_name, conflict, invalid};
use crate::store::{Value, default_group};

/// Longest description of anything, in characters.
const LONGEST_DESCRIPTION: usize = 255;

/// A security group to be made.
#[derive(Clone, Default, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewGroup {
    /// What people call it.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// Replies pass without rules of their own unless `false`.
    #[serde(default)]
    pub stateful: Option<bool>,
    /// Without rules; else it lets everything out, as people expect of a new group.
    #[serde(default)]
    pub no_rules: bool,
    /// Random if absent.
    #[serde(default)]
    pub id: Option<String>,
}

/// What changes of a security group.
#[derive(Clone, Default, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupChange {
    /// A new name.
    #[serde(default)]
    pub name: Option<String>,
    /// A new description.
    #[serde(default)]
    pub description: Option<String>,
    /// Stateful or stateless.
    #[serde(default)]
    pub stateful: Option<bool>,
}

impl Editor<'_> {
    /// Makes a security group; its id.
    pub fn create_group(&mut self, new: &NewGroup) -> Result<String, EditError> {
        named(&new.name)?;
        described(&new.description)?;
        let id = self.fresh_id(Kind::Group, new.id.as_deref())?;
        self.group_name_is_free(&new.name, &id)?;
        self.store.execute(
            "INSERT INTO security_groups (id, name, description, stateful, created_at) VALUES (?, ?, ?, ?, ?)",
            &[
                (&id).into(),
                (&new.name).into(),
                (&new.description).into(),
                new.stateful.unwrap_or(true).into(),
                self.now.into(),
            ],
        )?;
        self.forget();
        if !new.no_rules {
            for ethertype in ["IPv4", "IPv6"] {
                self.create_rule(&NewRule {
                    group: id.clone(),
                    direction: "egress".to_owned(),
                    ethertype: Some(ethertype.to_owned()),
                    ..NewRule::default()
                })?;
            }
        }
        Ok(id)
    }

    /// Changes a security group.
    pub fn set_group(&mut self, id: &str, change: &GroupChange) -> Result<(), EditError> {
        if let Some(name) = &change.name {
            named(name)?;
            self.group_name_is_free(name, id)?;
            self.set(Kind::Group, id, "name", name.into())?;
            self.forget();
        }
        if let Some(text) = &change.description {
            described(text)?;
            self.set(Kind::Group, id, "description", text.into())?;
        }
        if let Some(on) = change.stateful {
            self.set(Kind::Group, id, "stateful", on.into())?;
        }
        Ok(())
    }

    /// Removes a security group with its rules; not while ports are in it or rules of others name it.
    pub fn delete_group(&mut self, id: &str) -> Result<(), EditError> {
        let name = self.group_name(id)?;
        if default_group::id(self.store)?.as_deref() == Some(id) {
            return conflict(format!(
                "group {name:?} is the default group, which new ports join: change its rules, or make ports with --group \
                 or --no-group"
            ));
        }
        let ports = self.texts(
            "SELECT CASE WHEN p.name = '' THEN p.id ELSE p.name END FROM port_security_groups g JOIN ports p ON p.id = \
             g.port_id WHERE g.group_id = ? ORDER BY 1 LIMIT 9",
            &[id.into()],
        )?;
        if !ports.is_empty() {
            return conflict(format!(
                "ports are in group {name:?}: {}. Take them out first (`vifd db port set {} --no-group`, or --group with \
                 others)",
                some(&ports),
                ports.first().map_or("PORT", String::as_str)
            ));
        }
        let namers = self.texts(
            "SELECT DISTINCT g.name FROM security_group_rules r JOIN security_groups g ON g.id = r.group_id WHERE \
             r.remote_group_id = ? AND r.group_id <> ? ORDER BY 1 LIMIT 9",
            &[id.into(), id.into()],
        )?;
        if !namers.is_empty() {
            return conflict(format!(
                "rules of other groups name group {name:?}: {}. Delete those rules first (`vifd db rule list \
                 --remote-group {name}` shows them)",
                some(&namers)
            ));
        }
        // Rules that name their own group would keep it.
        self.store.execute(
            "DELETE FROM security_group_rules WHERE group_id = ?",
            &[id.into()],
        )?;
        self.store
            .execute("DELETE FROM security_groups WHERE id = ?", &[id.into()])?;
        self.forget();
        Ok(())
    }

    /// The groups of a port from now on. `None`: the default group.
    pub(super) fn join_groups(
        &mut self,
        port: &str,
        groups: Option<&[String]>,
    ) -> Result<(), EditError> {
        let mut ids = match groups {
            Some(names) => names
                .iter()
                .map(|name| self.resolve(Kind::Group, name))
                .collect::<Result<Vec<_>, _>>()?,
            None => self.default_group()?.into_iter().collect(),
        };
        ids.sort_unstable();
        ids.dedup();
        let present = self.texts(
            "SELECT group_id FROM port_security_groups WHERE port_id = ?",
            &[port.into()],
        )?;
        for id in present.iter().filter(|id| !ids.contains(id)) {
            self.store.execute(
                "DELETE FROM port_security_groups WHERE port_id = ? AND group_id = ?",
                &[port.into(), id.into()],
            )?;
        }
        for id in ids.iter().filter(|id| !present.contains(id)) {
            self.store.execute(
                "INSERT INTO port_security_groups (port_id, group_id) VALUES (?, ?)",
                &[port.into(), id.into()],
            )?;
        }
        Ok(())
    }

    /// Somebody who names groups should know where they do nothing.
    pub(super) fn expect_enforcement(&mut self, port: &str) -> Result<(), EditError> {
        let rows = self.store.query(
            "SELECT p.name, p.port_security, p.device_owner, p.host, a.firewall FROM ports p LEFT JOIN agents a ON a.host \
             = p.host WHERE p.id = ? AND EXISTS (SELECT 1 FROM port_security_groups g WHERE g.port_id = p.id)",
            &[port.into()],
        )?;
        let Some([name, security, owner, host, firewall]) = rows.first().map(Vec::as_slice) else {
            return Ok(());
        };
        let name = name.text().filter(|name| !name.is_empty()).unwrap_or(port);
        let warning = if *security == Value::Int(0) {
            format!(
                "the security groups of port {name} do not apply while its port security is off"
            )
        } else if owner
            .text()
            .is_some_and(|owner| owner.starts_with("network:"))
        {
            format!(
                "the security groups of port {name} do not apply: its device owner {} is trusted",
                owner.text().unwrap_or_default()
            )
        } else if firewall.text() == Some("noop") {
            format!(
                "nothing enforces security groups on host {}: set [securitygroup] firewall_driver there",
                host.text().unwrap_or_default()
            )
        } else {
            return Ok(());
        };
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
        Ok(())
    }

    /// The group that a port joins when nobody names one.
    fn default_group(&mut self) -> Result<Option<String>, EditError> {
        if self.default_group.is_none() {
            self.default_group = Some(default_group::id(self.store)?);
        }
        Ok(self.default_group.clone().flatten())
    }

    pub(super) fn group_name(&mut self, id: &str) -> Result<String, EditError> {
        let names = self.texts(
            "SELECT name FROM security_groups WHERE id = ?",
            &[id.into()],
        )?;
        Ok(names.into_iter().next().unwrap_or_default())
    }

    fn group_name_is_free(&mut self, name: &str, id: &str) -> Result<(), EditError> {
        let users = self.texts(
            "SELECT id FROM security_groups WHERE name = ? AND id <> ?",
            &[name.into(), id.into()],
        )?;
        match users.first() {
            Some(user) => conflict(format!(
                "there is a security group {name:?} already ({user}): groups are told apart by name, choose another"
            )),
            None => Ok(()),
        }
    }
}

/// A few names of a list that was read up to nine of.
pub(super) fn some(names: &[String]) -> String {
    match names {
        [first @ .., _] if names.len() > 8 => format!("{} …", first.join(", ")),
        all => all.join(", "),
    }
}

/// Rules name groups, so each needs a name.
fn named(name: &str) -> Result<(), EditError> {
    checked_name("security group", name)?;
    if name.trim().is_empty() {
        return invalid("a security group needs a name".to_owned());
    }
    Ok(())
}

pub(super) fn described(text: &str) -> Result<(), EditError> {
    if text.chars().count() > LONGEST_DESCRIPTION || text.chars().any(char::is_control) {
        return invalid(format!(
            "a description has at most {LONGEST_DESCRIPTION} characters and no control characters"
        ));
    }
    Ok(())
}
