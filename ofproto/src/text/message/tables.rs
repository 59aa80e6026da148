//! Statistics of tables, queues and collectors, and the switch description.

use std::fmt::{self, Write};

use crate::matching::wildcards;
use crate::msg::{DescStats, FixedStr, IpfixStats, QUEUE_ALL, QueueConfig, QueueStats, TableStats};

use super::super::field::write_port;
use super::Verbosity;
use super::ports::write_counters;

pub(super) fn write_desc(out: &mut String, desc: &DescStats) -> fmt::Result {
    fn line<const N: usize>(out: &mut String, name: &str, text: &FixedStr<N>) -> fmt::Result {
        writeln!(out, "{name}: {}", text.to_text())
    }
    out.push('\n');
    line(out, "Manufacturer", &desc.manufacturer)?;
    line(out, "Hardware", &desc.hardware)?;
    line(out, "Software", &desc.software)?;
    line(out, "Serial Num", &desc.serial)?;
    line(out, "DP Description", &desc.datapath)
}

/// Wildcard bits in the order and under the names in which fields are listed.
const FIELDS: [(u32, &str); 12] = [
    (wildcards::IN_PORT, "in_port"),
    (wildcards::DL_SRC, "eth_src"),
    (wildcards::DL_DST, "eth_dst"),
    (wildcards::DL_TYPE, "eth_type"),
    (wildcards::DL_VLAN, "vlan_vid"),
    (wildcards::DL_VLAN_PCP, "vlan_pcp"),
    (0x3f << wildcards::NW_SRC_SHIFT, "ip_src"),
    (0x3f << wildcards::NW_DST_SHIFT, "ip_dst"),
    (wildcards::NW_PROTO, "nw_proto"),
    (wildcards::NW_TOS, "nw_tos"),
    (wildcards::TP_SRC, "tcp_src"),
    (wildcards::TP_DST, "tcp_dst"),
];

pub(super) fn write_tables(out: &mut String, tables: &[TableStats]) -> fmt::Result {
    let mut previous: Option<&TableStats> = None;
    let mut dittos: Option<(u8, u8)> = None;
    for table in tables {
        let same_counts = previous.is_some_and(|previous| {
            (previous.active, previous.lookups, previous.matches)
                == (table.active, table.lookups, table.matches)
        });
        let same_features = previous.is_some_and(|previous| {
            (previous.wildcards, previous.max_entries) == (table.wildcards, table.max_entries)
        });
        let name = table.name.to_text();
        if same_counts && same_features && name.is_empty() {
            let first = dittos.map_or(table.table, |(first, _)| first);
            dittos = Some((first, table.table));
        } else {
            write_dittos(out, dittos.take())?;
            write!(out, "\n  table {}", table.table)?;
            if !name.is_empty() {
                write!(out, " (\"{name}\")")?;
            }
            out.push(':');
            if same_counts && same_features {
                out.push_str(" ditto");
            } else {
                let empty = table.wildcards == 0 && table.max_entries == 0;
                write_table(out, table, same_features, empty, previous)?;
            }
        }
        previous = Some(table);
    }
    write_dittos(out, dittos)
}

fn write_dittos(out: &mut String, dittos: Option<(u8, u8)>) -> fmt::Result {
    match dittos {
        None => Ok(()),
        Some((first, last)) if first == last => writeln!(out, "\n  table {first}: ditto"),
        Some((first, last)) => writeln!(out, "\n  tables {first}...{last}: ditto"),
    }
}

fn write_table(
    out: &mut String,
    table: &TableStats,
    same_features: bool,
    empty: bool,
    previous: Option<&TableStats>,
) -> fmt::Result {
    writeln!(
        out,
        "\n    active={}, lookup={}, matched={}",
        table.active, table.lookups, table.matches
    )?;
    if same_features {
        return if empty {
            Ok(())
        } else {
            out.write_str("    (same features)\n")
        };
    }
    if table.max_entries != 0 {
        writeln!(out, "    max_entries={}", table.max_entries)?;
    }
    let listed = FIELDS
        .iter()
        .filter(|(bits, _)| table.wildcards & bits != 0);
    let names: Vec<&str> = listed.map(|(_, name)| *name).collect();
    if names.is_empty() {
        return Ok(());
    }
    if previous.is_some_and(|previous| previous.wildcards == table.wildcards) {
        return out.write_str("    (same matching)\n");
    }
    out.push_str("    matching:\n      exact match or wildcard:");
    write_grouped(out, &names)?;
    out.write_char('\n')
}

/// Names with a common beginning are drawn together: `eth_{src,dst}`.
fn write_grouped(out: &mut String, names: &[&str]) -> fmt::Result {
    let mut rest = names;
    while let Some(first) = rest.first() {
        let prefix = first.split_inclusive('_').next().unwrap_or(first);
        let run = rest
            .iter()
            .take_while(|name| name.starts_with(prefix))
            .count();
        let (group, tail) = rest.split_at_checked(run.max(1)).unwrap_or((rest, &[]));
        out.push(' ');
        if group.len() == 1 {
            out.push_str(first);
        } else {
            let ends = group
                .iter()
                .map(|name| name.strip_prefix(prefix).unwrap_or(name));
            let ends: Vec<&str> = ends.collect();
            write!(out, "{prefix}{{{}}}", ends.join(","))?;
        }
        rest = tail;
    }
    Ok(())
}

pub(super) fn write_queue_id(out: &mut String, queue: u32) -> fmt::Result {
    if queue == QUEUE_ALL {
        out.write_str("ALL")
    } else {
        write!(out, "{queue}")
    }
}

pub(super) fn write_queue_stats(
    out: &mut String,
    queues: &[QueueStats],
    verbosity: Verbosity,
) -> fmt::Result {
    writeln!(out, " {} queues", queues.len())?;
    if verbosity < Verbosity::BRIEF {
        return Ok(());
    }
    for queue in queues {
        out.push_str("  port ");
        write_port(out, queue.port)?;
        out.push_str(" queue ");
        write_queue_id(out, queue.queue_id)?;
        out.push_str(": ");
        // OpenFlow 1.0 does not say how long a queue has existed.
        let counters = [
            ("bytes", queue.tx_bytes),
            ("pkts", queue.tx_packets),
            ("errors", queue.tx_errors),
            ("duration", u64::MAX),
        ];
        write_counters(out, &counters)?;
    }
    Ok(())
}

pub(super) fn write_queue_config(out: &mut String, config: &QueueConfig) -> fmt::Result {
    out.push(' ');
    let mut queues: Vec<_> = config.queues.iter().collect();
    queues.sort_by_key(|queue| queue.queue_id);
    if !queues.is_empty() && config.port.0 != 0 {
        out.push_str("port=");
        write_port(out, config.port)?;
        out.push('\n');
    }
    for queue in queues {
        write!(out, "queue {}:", queue.queue_id)?;
        for (name, rate) in [("min_rate", queue.min_rate), ("max_rate", queue.max_rate)] {
            match rate {
                Some(rate @ 0..=1000) => write!(out, " {name}:{}.{}%", rate / 10, rate % 10)?,
                Some(0xffff) | None => {}
                Some(_) => write!(out, " {name}:(disabled)")?,
            }
        }
        out.push('\n');
    }
    Ok(())
}

pub(super) fn write_ipfix_bridge(out: &mut String, stats: &IpfixStats) -> fmt::Result {
    out.push_str("\n  bridge ipfix: ");
    write_ipfix(out, stats, 16)
}

pub(super) fn write_ipfix_flows(out: &mut String, stats: &[IpfixStats]) -> fmt::Result {
    writeln!(out, " {} ids", stats.len())?;
    stats.iter().try_for_each(|stats| {
        write!(out, "  id {:3}: ", stats.collector_set_id)?;
        write_ipfix(out, stats, 10)
    })
}

fn write_ipfix(out: &mut String, stats: &IpfixStats, indent: usize) -> fmt::Result {
    write_counters(
        out,
        &[
            ("flows", stats.total_flows),
            ("current flows", stats.current_flows),
            ("sampled pkts", stats.packets),
            ("ipv4 ok", stats.ipv4_packets),
            ("ipv6 ok", stats.ipv6_packets),
            ("tx pkts", stats.tx_packets),
        ],
    )?;
    write!(out, "{:indent$}", "")?;
    write_counters(
        out,
        &[
            ("pkts errs", stats.error_packets),
            ("ipv4 errs", stats.ipv4_error_packets),
            ("ipv6 errs", stats.ipv6_error_packets),
            ("tx errs", stats.tx_errors),
        ],
    )
}
