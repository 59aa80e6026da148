//! Security groups, rules and address groups for people.

use super::format::time;
use super::table::{Show, dash, or_dash};
use crate::store::view::{AddressGroupView, GroupRef, GroupView, PortView, RuleView};

impl GroupRef {
    fn shown(&self) -> String {
        if self.name.is_empty() {
            self.id.clone()
        } else {
            self.name.clone()
        }
    }
}

impl PortView {
    /// Names of its groups, and what to know about them.
    pub(super) fn groups_shown(&self) -> String {
        let names: Vec<String> = self.groups.iter().map(GroupRef::shown).collect();
        match self.unenforced() {
            Some(why) if !names.is_empty() => {
                format!("{}  (not enforced: {why})", names.join(", "))
            }
            _ => dash(&names.join(", ")),
        }
    }

    /// Why its groups do nothing, if that is known.
    pub(super) fn unenforced(&self) -> Option<String> {
        if !self.port_security {
            return Some("its port security is off".to_owned());
        }
        if self.device_owner.starts_with("network:") {
            return Some(format!("its device owner {} is trusted", self.device_owner));
        }
        let host = self.host.as_ref()?;
        (self.firewall.as_deref() == Some("noop"))
            .then(|| format!("[securitygroup] firewall_driver is noop on host {host}"))
    }
}

impl Show for GroupView {
    const MANY: &'static str = "security groups";
    const COLUMNS: &'static [&'static str] =
        &["ID", "NAME", "STATE", "RULES", "PORTS", "DESCRIPTION"];

    fn line(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            dash(&self.name),
            state(self.stateful),
            self.rules.len().to_string(),
            self.ports.to_string(),
            dash(&self.description),
        ]
    }

    fn card(&self) -> Vec<(&'static str, String)> {
        vec![
            ("id", self.id.clone()),
            ("name", dash(&self.name)),
            ("description", dash(&self.description)),
            ("state", state(self.stateful)),
            (
                "default",
                if self.is_default {
                    "yes: new ports join it"
                } else {
                    "no"
                }
                .to_owned(),
            ),
            ("ports", self.ports.to_string()),
            ("created", or_dash(self.created_at.map(time))),
        ]
    }
}

fn state(stateful: bool) -> String {
    if stateful { "stateful" } else { "stateless" }.to_owned()
}

impl RuleView {
    fn remote_shown(&self) -> String {
        self.remote().unwrap_or_else(|| "any".to_owned())
    }

    fn note(&self) -> String {
        match &self.problem {
            Some(problem) => format!("allows nothing: {problem}"),
            None => dash(&self.description),
        }
    }
}

impl Show for RuleView {
    const MANY: &'static str = "rules";
    const COLUMNS: &'static [&'static str] = &[
        "ID",
        "GROUP",
        "DIRECTION",
        "ETHERTYPE",
        "PROTOCOL",
        "PORTS",
        "REMOTE",
        "DESCRIPTION",
    ];

    fn line(&self) -> Vec<String> {
        let group = if self.group.is_empty() {
            &self.group_id
        } else {
            &self.group
        };
        vec![
            self.id.clone(),
            group.clone(),
            self.direction.clone(),
            self.ethertype.clone(),
            self.protocol.clone().unwrap_or_else(|| "any".to_owned()),
            or_dash(self.ports()),
            self.remote_shown(),
            self.note(),
        ]
    }

    fn card(&self) -> Vec<(&'static str, String)> {
        let mut card = vec![
            ("id", self.id.clone()),
            (
                "group",
                format!("{} ({})", dash(&self.group), self.group_id),
            ),
            ("direction", self.direction.clone()),
            ("ethertype", self.ethertype.clone()),
            (
                "protocol",
                self.protocol.clone().unwrap_or_else(|| "any".to_owned()),
            ),
            ("ports", self.ports().unwrap_or_else(|| "all".to_owned())),
            ("remote", self.remote_shown()),
            ("description", dash(&self.description)),
            ("created", or_dash(self.created_at.map(time))),
        ];
        if let Some(problem) = &self.problem {
            card.push(("problem", format!("it allows nothing: {problem}")));
        }
        card
    }
}

impl Show for AddressGroupView {
    const MANY: &'static str = "address groups";
    const COLUMNS: &'static [&'static str] = &["ID", "NAME", "ADDRESSES", "USED BY", "DESCRIPTION"];

    fn line(&self) -> Vec<String> {
        const SHOWN: usize = 4;
        let mut addresses: Vec<String> = self.addresses.iter().take(SHOWN).cloned().collect();
        if self.addresses.len() > SHOWN {
            addresses.push(format!("and {} more", self.addresses.len() - SHOWN));
        }
        vec![
            self.id.clone(),
            dash(&self.name),
            dash(&addresses.join(" ")),
            dash(&self.used_by.join(" ")),
            dash(&self.description),
        ]
    }

    fn card(&self) -> Vec<(&'static str, String)> {
        vec![
            ("id", self.id.clone()),
            ("name", dash(&self.name)),
            ("description", dash(&self.description)),
            ("addresses", dash(&self.addresses.join(" "))),
            ("used by", dash(&self.used_by.join(", "))),
            ("created", or_dash(self.created_at.map(time))),
        ]
    }
}
