//! Tables and cards for people.

use super::format::{span, time};
use crate::store::clock;
use crate::store::view::{HostView, NetworkView, PortView, SubnetView};

/// Something that people look at.
pub(super) trait Show {
    /// What several are called when there are none.
    const MANY: &'static str;
    /// Headings of the table.
    const COLUMNS: &'static [&'static str];
    /// One line of the table.
    fn line(&self) -> Vec<String>;
    /// Everything, as name and value.
    fn card(&self) -> Vec<(&'static str, String)>;
}

/// A table of all rows.
pub(super) fn list<T: Show>(rows: &[T]) -> String {
    if rows.is_empty() {
        return format!("no {}", T::MANY);
    }
    let mut lines: Vec<Vec<String>> =
        vec![T::COLUMNS.iter().map(|&name| name.to_owned()).collect()];
    lines.extend(rows.iter().map(Show::line));
    let mut widths = vec![0; T::COLUMNS.len()];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let text = |line: &Vec<String>| {
        let cells: Vec<String> = line
            .iter()
            .zip(&widths)
            .map(|(cell, &width)| format!("{cell:width$}"))
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    lines.iter().map(text).collect::<Vec<_>>().join("\n")
}

/// One row with all that is known of it.
pub(super) fn card<T: Show>(row: &T) -> String {
    let fields = row.card();
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    fields
        .iter()
        .map(|(name, value)| format!("{name:width$}  {value}"))
        .collect::<Vec<_>>()
        .join("\n")
}

pub(super) fn dash(text: &str) -> String {
    if text.is_empty() {
        "-".to_owned()
    } else {
        text.to_owned()
    }
}

pub(super) fn or_dash(text: Option<impl ToString>) -> String {
    text.map_or("-".to_owned(), |text| text.to_string())
}

fn up(up: bool) -> String {
    if up { "up" } else { "down" }.to_owned()
}

impl Show for NetworkView {
    const MANY: &'static str = "networks";
    const COLUMNS: &'static [&'static str] = &[
        "ID", "NAME", "TYPE", "PHYSICAL", "SEGMENT", "MTU", "ADMIN", "SUBNETS", "PORTS",
    ];

    fn line(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            dash(&self.name),
            or_dash(self.kind.as_ref()),
            or_dash(self.physical_network.as_ref()),
            or_dash(self.segmentation_id),
            or_dash(self.mtu),
            up(self.admin_up),
            dash(&self.subnets.join(" ")),
            self.ports.to_string(),
        ]
    }

    fn card(&self) -> Vec<(&'static str, String)> {
        vec![
            ("id", self.id.clone()),
            ("name", dash(&self.name)),
            ("type", or_dash(self.kind.as_ref())),
            ("physical network", or_dash(self.physical_network.as_ref())),
            ("segmentation id", or_dash(self.segmentation_id)),
            ("mtu", or_dash(self.mtu)),
            ("admin", up(self.admin_up)),
            ("subnets", dash(&self.subnets.join(" "))),
            ("ports", self.ports.to_string()),
            ("created", or_dash(self.created_at.map(time))),
        ]
    }
}

impl Show for SubnetView {
    const MANY: &'static str = "subnets";
    const COLUMNS: &'static [&'static str] = &["ID", "NAME", "NETWORK", "CIDR", "GATEWAY"];

    fn line(&self) -> Vec<String> {
        let network = if self.network.is_empty() {
            &self.network_id
        } else {
            &self.network
        };
        vec![
            self.id.clone(),
            dash(&self.name),
            network.clone(),
            self.cidr.clone(),
            or_dash(self.gateway.as_ref()),
        ]
    }

    fn card(&self) -> Vec<(&'static str, String)> {
        vec![
            ("id", self.id.clone()),
            ("name", dash(&self.name)),
            (
                "network",
                format!("{} ({})", dash(&self.network), self.network_id),
            ),
            ("cidr", self.cidr.clone()),
            ("gateway", or_dash(self.gateway.as_ref())),
            ("created", or_dash(self.created_at.map(time))),
        ]
    }
}

impl PortView {
    fn ips(&self) -> String {
        dash(
            &self
                .fixed_ips
                .iter()
                .map(|fixed| fixed.ip.as_str())
                .collect::<Vec<_>>()
                .join(" "),
        )
    }

    /// A step of the timeline: the time of the first, the distance from it for the others.
    fn since_bound(&self, at: Option<i64>) -> String {
        match (at, self.bound_at.or(self.created_at)) {
            (Some(at), Some(start)) => {
                format!("{}  ({} after it was bound)", time(at), span(at - start))
            }
            (Some(at), None) => time(at),
            (None, _) => "-".to_owned(),
        }
    }
}

impl Show for PortView {
    const MANY: &'static str = "ports";
    const COLUMNS: &'static [&'static str] = &[
        "ID",
        "NAME",
        "NETWORK",
        "MAC",
        "ADDRESSES",
        "HOST",
        "ADMIN",
        "STATUS",
    ];

    fn line(&self) -> Vec<String> {
        let network = if self.network.is_empty() {
            &self.network_id
        } else {
            &self.network
        };
        let status = match &self.binding_error {
            Some(error) => format!("{}: {error}", self.status),
            None => self.status.clone(),
        };
        vec![
            self.id.clone(),
            dash(&self.name),
            network.clone(),
            self.mac.clone(),
            self.ips(),
            or_dash(self.host.as_ref()),
            up(self.admin_up),
            status,
        ]
    }

    fn card(&self) -> Vec<(&'static str, String)> {
        vec![
            ("id", self.id.clone()),
            ("name", dash(&self.name)),
            (
                "network",
                format!("{} ({})", dash(&self.network), self.network_id),
            ),
            ("mac", self.mac.clone()),
            ("addresses", self.ips()),
            ("allowed", dash(&self.allowed_addresses.join(" "))),
            (
                "port security",
                if self.port_security { "on" } else { "off" }.to_owned(),
            ),
            ("groups", self.groups_shown()),
            ("device owner", dash(&self.device_owner)),
            ("admin", up(self.admin_up)),
            ("host", or_dash(self.host.as_ref())),
            ("status", self.status.clone()),
            ("binding error", or_dash(self.binding_error.as_ref())),
            ("created", or_dash(self.created_at.map(time))),
            ("bound", or_dash(self.bound_at.map(time))),
            ("seen", self.since_bound(self.seen_at)),
            ("wired", self.since_bound(self.wired_at)),
            ("active", self.since_bound(self.active_at)),
        ]
    }
}

impl HostView {
    fn state(&self) -> String {
        match &self.agent {
            None => "no agent".to_owned(),
            Some(agent) if agent.alive => "alive".to_owned(),
            Some(agent) if agent.stopped_at.is_some() => "stopped".to_owned(),
            Some(_) => "silent".to_owned(),
        }
    }

    fn heard(&self) -> String {
        let now = i64::try_from(clock::now()).unwrap_or(i64::MAX);
        let at = self.agent.as_ref().and_then(|agent| agent.heartbeat_at);
        at.map_or("-".to_owned(), |at| {
            format!("{} ago", span(now.saturating_sub(at).max(0)))
        })
    }

    fn tunnels(&self) -> String {
        let all: Vec<String> = self
            .endpoints
            .iter()
            .map(|e| format!("{} {}", e.kind, e.ip))
            .collect();
        dash(&all.join(", "))
    }

    fn counters(&self) -> (String, String, String) {
        match &self.agent {
            Some(agent) => (
                agent.vifs.to_string(),
                agent.active.to_string(),
                agent.blocked.to_string(),
            ),
            None => ("-".to_owned(), "-".to_owned(), "-".to_owned()),
        }
    }
}

impl Show for HostView {
    const MANY: &'static str = "hosts";
    const COLUMNS: &'static [&'static str] = &[
        "HOST", "AGENT", "HEARD", "TUNNELS", "PORTS", "VIFS", "ACTIVE", "BLOCKED", "VERSION",
    ];

    fn line(&self) -> Vec<String> {
        let (vifs, active, blocked) = self.counters();
        vec![
            self.name.clone(),
            self.state(),
            self.heard(),
            self.tunnels(),
            self.ports.to_string(),
            vifs,
            active,
            blocked,
            or_dash(self.agent.as_ref().map(|agent| &agent.version)),
        ]
    }

    fn card(&self) -> Vec<(&'static str, String)> {
        let (vifs, active, blocked) = self.counters();
        let agent = self.agent.as_ref();
        vec![
            ("host", self.name.clone()),
            ("agent", self.state()),
            ("heard", self.heard()),
            (
                "started",
                or_dash(agent.and_then(|agent| agent.started_at).map(time)),
            ),
            ("version", or_dash(agent.map(|agent| &agent.version))),
            (
                "firewall driver",
                agent.map_or("-".to_owned(), |agent| dash(&agent.firewall)),
            ),
            ("tunnels", self.tunnels()),
            ("ports bound", self.ports.to_string()),
            ("vifs", vifs),
            ("active", active),
            ("blocked", blocked),
            ("created", or_dash(self.created_at.map(time))),
        ]
    }
}
