//! Rows and objects of the packet filter as text, for dumps and scenario files.

use crate::ops::link::LinkState;
use crate::ops::nft::{NftBody, NftKey, TABLE};
use crate::ops::row::{Row, RowKey};

/// `Port vxlan-0a000002: bridge=br-tun type=vxlan remote_ip=10.0.0.2 …`
pub fn row(key: &RowKey, row: &Row) -> String {
    let name = match key {
        RowKey::Bridge(name) => format!("Bridge {name}"),
        RowKey::Port(name) => format!("Port {name}"),
        RowKey::Vif(name) => format!("VIF {name}"),
    };
    match row {
        Row::Bridge(row) => {
            let mode = row.fail_mode.as_deref().unwrap_or("unchanged");
            format!(
                "{name}: fail_mode={mode}{}",
                if row.create {
                    " created when missing"
                } else {
                    ""
                }
            )
        }
        Row::Port(row) => {
            let options: Vec<String> = row
                .options
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            format!(
                "{name}: bridge={} type={} {}",
                row.bridge,
                row.kind,
                options.join(" ")
            )
        }
        Row::Vif(row) => format!("{name}: tag={}", row.tag),
    }
}

/// `device tap0: mtu 1450 up`
pub fn link(name: &str, state: &LinkState) -> String {
    let mtu = state
        .mtu
        .map(|mtu| format!("mtu {mtu} "))
        .unwrap_or_default();
    let up = if state.up { "up" } else { "down" };
    let netfilter = if state.netfilter {
        ", packets go through the IP hooks"
    } else {
        ""
    };
    format!("device {name}: {mtu}{up}{netfilter}")
}

/// `inet vifd pass 00000001060016100000 …`
pub fn nft(key: &NftKey, body: Option<&NftBody>) -> String {
    match key {
        NftKey::Table(family) => match body {
            Some(NftBody::Table(table)) => format!(
                "table {family:?} {TABLE}: {} sets, {} chains, {} rules",
                table.sets.len(),
                table.chains.len(),
                table.rule_count()
            ),
            _ => format!("table {family:?} {TABLE}"),
        },
        NftKey::Element(set, bytes) => {
            let mut text = format!("{} {bytes:?}", set.name());
            if let Some(NftBody::Element(entry)) = body {
                if let Some([a, b, c, d]) = entry.data {
                    text.push_str(&format!(" : {a:02x}{b:02x}{c:02x}{d:02x}"));
                }
                if let Some(comment) = &entry.comment {
                    text.push_str(&format!(" ({comment})"));
                }
            }
            text
        }
    }
}
