//! Rows as text, for dumps and scenario files.

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
