//! The agent's snapshots as text for people.

use std::fmt::Write;

use super::output::Table;
use crate::admin::shape::{DumpCells, DumpDesired, DumpObserved, PortExplain, State, Status};

/// `vifd status`
pub fn status(status: &Status) -> String {
    let mut out = format!(
        "vifd {} on {}, process {}, up {}\n\n",
        status.version,
        status.host,
        status.pid,
        duration(status.uptime_s)
    );
    let mut parts = Table::new(["PART", "STATE", "DETAIL"]);
    for part in &status.parts {
        let state = if part.up { "up" } else { "DOWN" };
        parts.row([
            part.part.clone(),
            state.to_owned(),
            part.detail.clone().unwrap_or_default(),
        ]);
    }
    out.push_str(&parts.text());
    let ports: Vec<String> = status
        .ports
        .iter()
        .filter(|(_, n)| **n > 0)
        .map(|(name, n)| format!("{n} {name}"))
        .collect();
    let ports = if ports.is_empty() {
        "none".to_owned()
    } else {
        ports.join(", ")
    };
    let cells = status.cells;
    // Writing into a String cannot fail, here and below.
    let _ = writeln!(
        out,
        "\nports:  {ports} (VIFs present: {}, local VLANs: {})",
        status.vifs, status.local_vlans
    );
    let _ = writeln!(
        out,
        "cells:  {} settled, {} pending, {} blocked, {} failed",
        cells.settled, cells.pending, cells.blocked, cells.failed
    );
    let hint = match (cells.failed, cells.blocked + cells.pending) {
        (0, 0) => "",
        (0, _) => "see `vifd dump cells --unsettled` for what is waited for\n",
        _ => "see `vifd dump cells --unsettled` for what was refused\n",
    };
    out.push_str(hint);
    if !status.counters.is_empty() {
        let counters: Vec<String> = status
            .counters
            .iter()
            .filter(|(_, n)| **n > 0)
            .map(|(name, n)| format!("{name} {n}"))
            .collect();
        let _ = writeln!(out, "counts: {}", counters.join(", "));
    }
    out
}

/// `vifd port explain`
pub fn port(port: &PortExplain) -> String {
    let mut out = format!(
        "port {} ({}) on network {}\n",
        port.id,
        or_dash(&port.name),
        or_dash(&port.network)
    );
    let device = port.device.as_deref().unwrap_or("none on this host");
    let _ = writeln!(out, "device {device}, status {}\n", or_dash(&port.status));
    let mut table = Table::new(["", "STEP", "STATE", "AT", "DETAIL"]);
    let first = port.steps.iter().filter_map(|s| s.since).min();
    for step in &port.steps {
        let mark = match step.state {
            State::Done => "✓",
            State::Waiting => "…",
            State::Failed => "✗",
        };
        let at = step
            .since
            .zip(first)
            .map_or_else(String::new, |(at, first)| moment(at, first));
        table.row([
            mark.to_owned(),
            step.step.clone(),
            step.state.name().to_owned(),
            at,
            step.detail.clone(),
        ]);
    }
    if first.is_none() {
        table.drop_column("AT");
    }
    out.push_str(&table.text());
    let _ = writeln!(out, "\n{}", port.verdict);
    out
}

/// `vifd dump desired`
pub fn desired(dump: &DumpDesired) -> String {
    let mut out = String::new();
    if !dump.complete {
        out.push_str("the control plane has not given its first complete snapshot yet\n\n");
    }
    let mut networks = Table::new([
        "NETWORK",
        "NAME",
        "SEGMENT",
        "LOCAL VLAN",
        "MTU",
        "ADMIN",
        "REMARK",
    ]);
    for network in &dump.networks {
        let segments: Vec<String> = network
            .segments
            .iter()
            .map(|s| {
                let physical = s
                    .physical_network
                    .as_ref()
                    .map(|p| format!(" {p}"))
                    .unwrap_or_default();
                let id = s
                    .segmentation_id
                    .map(|id| format!(" {id}"))
                    .unwrap_or_default();
                format!("{}{physical}{id}", s.network_type)
            })
            .collect();
        let vlans: Vec<String> = network
            .segments
            .iter()
            .filter_map(|s| s.local_vlan)
            .map(|v| v.to_string())
            .collect();
        networks.row([
            network.id.clone(),
            network.name.clone(),
            segments.join(", "),
            vlans.join(", "),
            network.mtu.to_string(),
            up_down(network.admin_up),
            network.unusable.clone().unwrap_or_default(),
        ]);
    }
    let mut subnets = Table::new(["SUBNET", "NETWORK", "CIDR", "GATEWAY"]);
    for subnet in &dump.subnets {
        let gateway = subnet.gateway.clone().unwrap_or_default();
        subnets.row([
            subnet.id.clone(),
            subnet.network.clone(),
            subnet.cidr.clone(),
            gateway,
        ]);
    }
    let mut ports = Table::new([
        "PORT",
        "NAME",
        "NETWORK",
        "MAC",
        "ADDRESSES",
        "ADMIN",
        "STATUS",
        "REMARK",
    ]);
    for port in &dump.ports {
        ports.row([
            port.id.clone(),
            port.name.clone(),
            port.network.clone(),
            port.mac.clone(),
            port.ips.join(", "),
            up_down(port.admin_up),
            port.status.clone(),
            port.unusable.clone().unwrap_or_default(),
        ]);
    }
    let mut endpoints = Table::new(["HOST", "TUNNEL", "ADDRESS"]);
    for endpoint in &dump.endpoints {
        endpoints.row([
            endpoint.host.clone(),
            endpoint.kind.clone(),
            endpoint.ip.clone(),
        ]);
    }
    let mut rules = Table::new(["SECURITY GROUP", "NAME", "STATE", "ALLOWS", "REMARK"]);
    for group in &dump.groups {
        let state = if group.stateful {
            "stateful"
        } else {
            "stateless"
        };
        let mut row = |allows: &str, remark: &str| {
            rules.row([
                group.id.clone(),
                group.name.clone(),
                state.to_owned(),
                allows.to_owned(),
                remark.to_owned(),
            ]);
        };
        for rule in &group.rules {
            row(&rule.allows, "");
        }
        for problem in &group.problems {
            row("", problem);
        }
        if group.rules.is_empty() && group.problems.is_empty() {
            row("", "it allows nothing");
        }
    }
    let mut sets = Table::new(["SET", "ID", "MEMBERS", "ADDRESSES"]);
    for set in &dump.sets {
        const SHOWN: usize = 3;
        let mut addresses = set.addresses.clone();
        if addresses.len() > SHOWN {
            addresses.truncate(SHOWN);
            addresses.push(format!("and {} more", set.addresses.len() - SHOWN));
        }
        sets.row([
            set.kind.clone(),
            set.id.clone(),
            set.members.to_string(),
            addresses.join(", "),
        ]);
    }
    join(&mut out, [networks, subnets, ports, endpoints, rules, sets]);
    out
}

/// `vifd dump observed`
pub fn observed(dump: &DumpObserved) -> String {
    let mut out = format!(
        "switch: {}, {}, cur_cfg {}\n\n",
        if dump.switch_up {
            "connected"
        } else {
            "NOT CONNECTED"
        },
        if dump.switch_complete {
            "replica complete"
        } else {
            "replica not complete yet"
        },
        dump.cur_cfg
    );
    let mut bridges = Table::new(["BRIDGE", "DATAPATH", "FAIL MODE", "OWNER"]);
    for b in &dump.bridges {
        let fail_mode = b.fail_mode.clone().unwrap_or_default();
        bridges.row([
            b.name.clone(),
            b.datapath_type.clone(),
            fail_mode,
            b.owner.clone().unwrap_or_default(),
        ]);
    }
    let mut ports = Table::new([
        "PORT", "BRIDGE", "TYPE", "OFPORT", "TAG", "IFACE-ID", "MAC", "OWNER", "ERROR",
    ]);
    for p in &dump.ports {
        ports.row([
            p.name.clone(),
            p.bridge.clone(),
            p.kind.clone(),
            p.ofport.map(|n| n.to_string()).unwrap_or_default(),
            p.tag.map(|n| n.to_string()).unwrap_or_default(),
            p.iface_id.clone().unwrap_or_default(),
            p.attached_mac.clone().unwrap_or_default(),
            p.owner.clone().unwrap_or_default(),
            p.error.clone().unwrap_or_default(),
        ]);
    }
    let mut links = Table::new(["DEVICE", "MTU", "STATE"]);
    for link in &dump.links {
        links.row([link.name.clone(), link.mtu.to_string(), up_down(link.up)]);
    }
    join(&mut out, [bridges, ports, links]);
    if !dump.addresses.is_empty() {
        let _ = writeln!(out, "\naddresses: {}", dump.addresses.join(", "));
    }
    out
}

/// `vifd dump cells`
pub fn cells(dump: &DumpCells) -> String {
    let mut out = String::new();
    for cell in &dump.cells {
        let _ = write!(out, "{}: {}  {}", cell.cell, cell.facet, cell.state.name());
        if cell.attempts > 0 {
            let _ = write!(out, " after {} attempts", cell.attempts);
        }
        out.push('\n');
        if let Some(need) = &cell.blocked_on {
            let _ = writeln!(out, "    waits: {need}");
        }
        if let Some(error) = &cell.last_error {
            let _ = writeln!(out, "    refused: {error}");
        }
        for item in &cell.items {
            let _ = writeln!(out, "    {item}");
        }
    }
    if dump.cells.is_empty() {
        out.push_str("no such cells\n");
    }
    out
}

fn join<const N: usize>(out: &mut String, tables: [Table; N]) {
    let full: Vec<String> = tables
        .iter()
        .filter(|t| !t.is_empty())
        .map(Table::text)
        .collect();
    out.push_str(&full.join("\n"));
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

fn up_down(up: bool) -> String {
    if up { "up" } else { "down" }.to_owned()
}

fn duration(s: u64) -> String {
    match (s / 86_400, s / 3600 % 24, s / 60 % 60, s % 60) {
        (0, 0, 0, s) => format!("{s} s"),
        (0, 0, m, s) => format!("{m} min {s} s"),
        (0, h, m, _) => format!("{h} h {m} min"),
        (d, h, _, _) => format!("{d} d {h} h"),
    }
}

/// A time of day for the first moment, the distance from it for the others. Both in µs since the Unix epoch.
fn moment(at: u64, first: u64) -> String {
    if at == first {
        let s = at / 1_000_000;
        return format!(
            "{:02}:{:02}:{:02}.{:03} UTC",
            s / 3600 % 24,
            s / 60 % 60,
            s % 60,
            at / 1000 % 1000
        );
    }
    let us = at - first;
    match us {
        0..10_000_000 => format!("+{}.{:03} ms", us / 1000, us % 1000),
        _ => format!("+{}", duration(us / 1_000_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::shape::{CellCounts, DumpCell, PartStatus, Step};

    #[test]
    fn a_status_for_people() {
        let part = |part: &str, up, detail: Option<&str>| PartStatus {
            part: part.into(),
            up,
            detail: detail.map(Into::into),
        };
        let shown = status(&Status {
            version: "0.1.0".into(),
            host: "hv1".into(),
            pid: 7,
            uptime_s: 125,
            parts: vec![
                part("source", true, None),
                part("ovsdb", false, Some("connection refused")),
            ],
            vifs: 3,
            ports: [("ACTIVE".to_owned(), 2), ("DOWN".to_owned(), 1)].into(),
            local_vlans: 1,
            cells: CellCounts {
                settled: 10,
                pending: 0,
                blocked: 1,
                failed: 0,
            },
            counters: [("rows".to_owned(), 4)].into(),
        });
        let expected = "\
vifd 0.1.0 on hv1, process 7, up 2 min 5 s

PART    STATE  DETAIL
source  up     -
ovsdb   DOWN   connection refused

ports:  2 ACTIVE, 1 DOWN (VIFs present: 3, local VLANs: 1)
cells:  10 settled, 0 pending, 1 blocked, 0 failed
see `vifd dump cells --unsettled` for what is waited for
counts: rows 4
";
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_port_step_by_step() {
        let step = |step: &str, state, detail: &str, since| Step {
            step: step.into(),
            state,
            detail: detail.into(),
            since,
        };
        let shown = port(&PortExplain {
            id: "7b0d".into(),
            name: String::new(),
            network: "blue".into(),
            device: Some("tap7b0d".into()),
            status: "DOWN".into(),
            steps: vec![
                step("VIF", State::Done, "tap7b0d on br-int", Some(3_661_000_500)),
                step("tag", State::Waiting, "guard first", Some(3_661_004_700)),
                step("status", State::Failed, "", None),
            ],
            verdict: "tag waiting: guard first".into(),
        });
        let expected = "\
port 7b0d (-) on network blue
device tap7b0d, status DOWN

-  STEP    STATE    AT                DETAIL
✓  VIF     done     01:01:01.000 UTC  tap7b0d on br-int
…  tag     waiting  +4.200 ms         guard first
✗  status  failed   -                 -

tag waiting: guard first
";
        assert_eq!(shown, expected.replace("-  STEP", "   STEP"));
    }

    #[test]
    fn cells_with_their_items() {
        let shown = cells(&DumpCells {
            cells: vec![DumpCell {
                cell: "port 7b0d".into(),
                facet: "guard".into(),
                state: State::Failed,
                items: vec!["br-int table=24".into()],
                blocked_on: None,
                attempts: 2,
                last_error: Some("OFPFMFC_ALL_TABLES_FULL".into()),
            }],
        });
        assert_eq!(
            shown,
            "port 7b0d: guard  failed after 2 attempts\n    refused: OFPFMFC_ALL_TABLES_FULL\n    br-int table=24\n"
        );
        assert_eq!(cells(&DumpCells::default()), "no such cells\n");
    }

    #[test]
    fn durations() {
        let shown: Vec<String> = [5, 65, 3_700, 90_000].into_iter().map(duration).collect();
        assert_eq!(shown, ["5 s", "1 min 5 s", "1 h 1 min", "1 d 1 h"]);
        assert_eq!(moment(20_000_000, 0), "+20 s");
    }
}
