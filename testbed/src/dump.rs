//! Flow dumps that can be compared: between runs, between restarts, between hosts.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context, Result};

use crate::switch::Switch;

/// Upper half of every cookie vifd writes.
const MARK: u64 = 0x7669_6664;
/// Cookie of flows the switch learnt by itself.
const LEARNED: u64 = (MARK << 32) | 1;

/// Sorted flows of one bridge without counters, with port names for numbers and without what may differ between
/// equal states: learned flows, cookies below the owner's mark, local VLAN numbers (when given).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FlowDump {
    lines: Vec<String>,
}

impl FlowDump {
    /// Dumps a bridge. `vlans` names the local VLANs, so that two allocations in another order compare equal.
    pub fn read(switch: &Switch, bridge: &str, vlans: &LocalVlans) -> Result<Self> {
        let text = switch.ofctl(&[
            "--names",
            "--no-stats",
            "dump-flows",
            &switch.management(bridge),
        ])?;
        let ports = ports(switch)?;
        let mut lines: Vec<String> = text
            .lines()
            .map(str::trim)
            .filter(|line| line.contains("actions="))
            .filter_map(|line| normalise(line, vlans, &ports))
            .collect();
        lines.sort_unstable();
        Ok(FlowDump { lines })
    }

    /// Number of flows.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The flows.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// What only one of two dumps has; empty if they are equal.
    pub fn difference(&self, other: &FlowDump) -> String {
        let mut text = String::new();
        for (sign, from, to) in [('-', self, other), ('+', other, self)] {
            for line in &from.lines {
                if to.lines.binary_search(line).is_err() {
                    text += &format!("{sign} {line}\n");
                }
            }
        }
        if text.is_empty() && self.len() != other.len() {
            text = format!("{} and {} lines, some repeated\n", self.len(), other.len());
        }
        text
    }
}

impl fmt::Display for FlowDump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.join("\n"))
    }
}

/// Local VLAN number → what it stands for, from the persistence keys of the ports on `br-int`.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct LocalVlans {
    names: BTreeMap<u16, String>,
}

impl LocalVlans {
    /// No names: numbers stay.
    pub fn none() -> Self {
        LocalVlans::default()
    }

    /// Reads `Port.other_config:tag`, `network_type` and `segmentation_id` of the ports that have that tag. On a port that
    /// was put on the dead VLAN the keys are only a memory.
    pub fn read(switch: &Switch) -> Result<Self> {
        let columns = "--columns=tag,other_config";
        let text = switch.vsctl(&["--format=json", columns, "list", "Port"])?;
        let table: serde_json::Value = serde_json::from_str(&text).context("ovs-vsctl json")?;
        let mut names = BTreeMap::new();
        for row in table["data"].as_array().into_iter().flatten() {
            let pairs = row[1][1].as_array().cloned().unwrap_or_default();
            let value = |key: &str| {
                pairs
                    .iter()
                    .find(|p| p[0] == key)
                    .and_then(|p| p[1].as_str())
                    .unwrap_or("-")
            };
            if let (Ok(tag), Some(real)) = (value("tag").parse::<u16>(), row[0].as_u64())
                && u64::from(tag) == real
            {
                names.insert(
                    tag,
                    format!("{}/{}", value("network_type"), value("segmentation_id")),
                );
            }
        }
        Ok(LocalVlans { names })
    }

    /// Number → name.
    pub fn names(&self) -> &BTreeMap<u16, String> {
        &self.names
    }
}

/// OpenFlow port number → name of the interface.
fn ports(switch: &Switch) -> Result<BTreeMap<u16, String>> {
    let columns = "--columns=ofport,name";
    let text = switch.vsctl(&["--format=json", columns, "list", "Interface"])?;
    let table: serde_json::Value = serde_json::from_str(&text).context("ovs-vsctl json")?;
    let rows = table["data"].as_array().into_iter().flatten();
    Ok(rows
        .filter_map(|row| {
            let number = u16::try_from(row[0].as_u64()?).ok()?;
            Some((number, row[1].as_str()?.to_owned()))
        })
        .collect())
}

/// The registers that hold a port and a local VLAN, in a match and in an action.
const PORT_REGISTER: [&str; 2] = ["reg5=0x", "->NXM_NX_REG5[]"];
const VLAN_REGISTER: [&str; 2] = ["reg6=0x", "->NXM_NX_REG6[]"];

fn normalise(line: &str, vlans: &LocalVlans, ports: &BTreeMap<u16, String>) -> Option<String> {
    let mut fields = Vec::new();
    for field in line.split(' ') {
        let field = field.trim_end_matches(',');
        if let Some(cookie) = field.strip_prefix("cookie=") {
            let number = u64::from_str_radix(cookie.trim_start_matches("0x"), 16).unwrap_or(0);
            if number == LEARNED {
                return None;
            }
            let mark = if number >> 32 == MARK {
                "cookie=vifd".to_owned()
            } else {
                field.to_owned()
            };
            fields.push(mark);
        } else {
            fields.push(field.to_owned());
        }
    }
    let mut line = fields.join(" ");
    for (number, name) in &vlans.names {
        line = rename(&line, "dl_vlan=", *number, name);
        line = rename(&line, "mod_vlan_vid:", *number, name);
    }
    line = rename_register(&line, VLAN_REGISTER, &vlans.names);
    line = rename_register(&line, PORT_REGISTER, ports);
    Some(line)
}

/// Replaces the numbers of a register by what they stand for, in `reg5=0x1` and `load:0x1->NXM_NX_REG5[]`.
fn rename_register(line: &str, [key, end]: [&str; 2], names: &BTreeMap<u16, String>) -> String {
    let mut line = line.to_owned();
    for (number, name) in names {
        let loaded = format!("load:{number:#x}{end}");
        line = line.replace(&loaded, &format!("load:<{name}>{end}"));
        let matched = format!("{key}{number:x}");
        for after in [",", " "] {
            let with = format!("{matched}{after}");
            line = line.replace(&with, &format!("{key}<{name}>{after}"));
        }
    }
    line
}

/// Replaces `number` after `key` where it stands as a whole number.
fn rename(line: &str, key: &str, number: u16, name: &str) -> String {
    let wanted = format!("{key}{number}");
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(&wanted) {
        let (before, tail) = rest.split_at(at);
        let after = &tail[wanted.len()..];
        out += before;
        if after.starts_with(|c: char| c.is_ascii_digit()) {
            out += &wanted;
        } else {
            out += &format!("{key}<{name}>");
        }
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_only() {
        assert_eq!(
            rename("dl_vlan=1,x dl_vlan=12", "dl_vlan=", 1, "a"),
            "dl_vlan=<a>,x dl_vlan=12"
        );
    }

    #[test]
    fn registers_are_named_where_they_hold_that_number() {
        let ports = BTreeMap::from([(1, "tap1".to_owned())]);
        assert_eq!(
            rename_register(
                "reg5=0x1,reg5=0x12 load:0x1->NXM_NX_REG5[],load:0x1->NXM_NX_REG6[]",
                PORT_REGISTER,
                &ports
            ),
            "reg5=0x<tap1>,reg5=0x12 load:<tap1>->NXM_NX_REG5[],load:0x1->NXM_NX_REG6[]"
        );
    }

    #[test]
    fn learned_flows_are_left_out_and_marks_kept() {
        let line = |cookie: &str| format!("cookie={cookie}, priority=1 actions=drop");
        let none = BTreeMap::new();
        assert_eq!(
            normalise(&line("0x7669666400000001"), &LocalVlans::none(), &none),
            None
        );
        assert_eq!(
            normalise(&line("0x76696664abcdef01"), &LocalVlans::none(), &none).as_deref(),
            Some("cookie=vifd priority=1 actions=drop")
        );
        assert_eq!(
            normalise(&line("0x5"), &LocalVlans::none(), &none).as_deref(),
            Some("cookie=0x5 priority=1 actions=drop")
        );
    }
}
