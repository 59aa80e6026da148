//! Commands that only look.

use ovsdb::ops::{lookup, show as text};
use ovsdb::replica::Row;
use ovsdb::value::Datum;
use serde_json::{Value, json};

use super::super::failure::{Failure, Kind};
use super::super::output::{Output, say};
use super::super::switch::{Switch, Target};
use super::record::{self, Wanted, plain};

pub(super) async fn show(target: Target, output: Output) -> Result<(), Failure> {
    let (switch, _) = Switch::with_table(target, "Manager").await?;
    output.print(&tree(&switch), |_| text::show(&switch.replica))
}

/// Everything that `show` prints, for programs.
fn tree(switch: &Switch) -> Value {
    let replica = &switch.replica;
    let interface = |(_, row): lookup::Found<'_>| {
        json!({
            "name": row.str("name"),
            "type": row.str("type"),
            "ofport": row.integer("ofport"),
            "options": row.get("options").map(|v| plain(v, true)),
            "external_ids": row.get("external_ids").map(|v| plain(v, true)),
            "error": row.get("error").and_then(Datum::as_str),
        })
    };
    let port = |(_, row): lookup::Found<'_>| {
        let mut interfaces: Vec<Value> = lookup::interface_rows(replica, row)
            .map(interface)
            .collect();
        interfaces.sort_by(|a, b| a["name"].as_str().cmp(&b["name"].as_str()));
        json!({
            "name": row.str("name"),
            "tag": row.integer("tag"),
            "trunks": row.get("trunks").map(|v| plain(v, true)),
            "interfaces": interfaces,
        })
    };
    let bridges = lookup::bridges(replica).into_iter().filter_map(|name| {
        let (_, row) = lookup::bridge(replica, &name)?;
        let mut ports: Vec<Value> = lookup::port_rows(replica, row).map(port).collect();
        ports.sort_by(|a, b| a["name"].as_str().cmp(&b["name"].as_str()));
        Some(json!({
            "name": &*name,
            "datapath_type": row.str("datapath_type"),
            "fail_mode": row.get("fail_mode").and_then(Datum::as_str),
            "controllers": row.uuids("controller")
                .filter_map(|uuid| replica.row("Controller", uuid))
                .map(|row| peer(row))
                .collect::<Vec<_>>(),
            "ports": ports,
        }))
    });
    let root = lookup::root(replica);
    json!({
        "uuid": root.map(|(uuid, _)| uuid.to_string()),
        "ovs_version": root.and_then(|(_, row)| row.get("ovs_version")?.as_str().map(str::to_owned)),
        "managers": replica.rows("Manager").map(|(_, row)| peer(row)).collect::<Vec<_>>(),
        "bridges": bridges.collect::<Vec<_>>(),
    })
}

/// A controller or manager.
fn peer(row: &Row) -> Value {
    json!({
        "target": row.str("target"),
        "is_connected": row.get("is_connected").and_then(Datum::as_bool),
    })
}

pub(super) async fn list(
    target: Target,
    table: &str,
    records: &[String],
    output: Output,
) -> Result<(), Failure> {
    let (switch, table) = Switch::with_table(target, table).await?;
    let schema = record::table_schema(&switch, &table)?;
    let mut rows = Vec::new();
    for name in records {
        rows.push(record::row(&switch.replica, &table, name)?);
    }
    if records.is_empty() {
        rows.extend(switch.replica.rows(&table));
    }
    let rows = || rows.iter().map(|(uuid, row)| (*uuid, &***row));
    if output.json {
        return output.print(&record::plain_json(&text::list_json(rows())), |_| {
            String::new()
        });
    }
    let text = text::list(&schema, rows());
    if text.is_empty() {
        Ok(())
    } else {
        say(text.trim_end_matches('\n'))
    }
}

pub(super) async fn get(
    target: Target,
    (table, name): (&str, &str),
    columns: &[String],
    if_exists: bool,
    output: Output,
) -> Result<(), Failure> {
    let (switch, table) = Switch::with_table(target, table).await?;
    let schema = record::table_schema(&switch, &table)?;
    let (uuid, row) = record::row(&switch.replica, &table, name)?;
    let (mut lines, mut values) = (Vec::new(), serde_json::Map::new());
    for text in columns {
        if text == "_uuid" {
            lines.push(uuid.to_string());
            values.insert(text.clone(), uuid.to_string().into());
            continue;
        }
        let target = record::target(text, &table, &schema)?;
        let kind = &record::column_schema(&schema, &target.column)?.kind;
        match target.key {
            None => {
                let Some(value) = row.get(&target.column) else {
                    continue;
                };
                lines.push(value.to_text(kind));
                values.insert(text.clone(), plain(value, kind.max > 1));
            }
            Some(key) => match record::key_of(row, &target.column, &key) {
                Some(value) => {
                    let mut line = String::new();
                    value.push_text(&mut line);
                    lines.push(line);
                    values.insert(text.clone(), record::plain_atom(value));
                }
                None if if_exists => {
                    values.insert(text.clone(), Value::Null);
                }
                None => {
                    let key = record::atom_text(&key);
                    let column = &target.column;
                    return Err(Failure::text(
                        Kind::NotFound,
                        format!("no key \"{key}\" in {table} record \"{name}\" column {column}"),
                    ));
                }
            },
        }
    }
    if lines.is_empty() && !output.json {
        return Ok(());
    }
    output.print(&values, |_| lines.join("\n"))
}

pub(super) async fn bridges(target: Target, output: Output) -> Result<(), Failure> {
    let switch = Switch::connect(target).await?;
    names(output, &lookup::bridges(&switch.replica))
}

pub(super) async fn ports(target: Target, bridge: &str, output: Output) -> Result<(), Failure> {
    let switch = Switch::connect(target).await?;
    let none = || Failure::text(Kind::NotFound, format!("no bridge named {bridge}"));
    names(
        output,
        &lookup::ports(&switch.replica, bridge).ok_or_else(none)?,
    )
}

pub(super) async fn bridge_of(
    target: Target,
    interface: &str,
    output: Output,
) -> Result<(), Failure> {
    let switch = Switch::connect(target).await?;
    let none = || Failure::text(Kind::NotFound, format!("no interface named {interface}"));
    let bridge = lookup::interface_to_bridge(&switch.replica, interface).ok_or_else(none)?;
    output.print(&bridge.to_string(), Clone::clone)
}

fn names(output: Output, names: &[ovsdb::Str]) -> Result<(), Failure> {
    let names: Vec<&str> = names.iter().map(|n| &**n).collect();
    if names.is_empty() && !output.json {
        Ok(())
    } else {
        output.print(&names, |names| names.join("\n"))
    }
}

pub(super) async fn wait(
    target: Target,
    (table, name): (&str, &str),
    values: &[String],
) -> Result<(), Failure> {
    let patience = target.patience;
    let (mut switch, table) = Switch::with_table(target, table).await?;
    let schema = record::table_schema(&switch, &table)?;
    let wanted: Vec<Wanted> = values
        .iter()
        .map(|text| record::assignment(text, &table, &schema))
        .collect::<Result<_, _>>()?;
    let holds = |replica: &ovsdb::replica::Replica| {
        record::row(replica, &table, name).is_ok_and(|(_, row)| wanted.iter().all(|w| w.holds(row)))
    };
    if switch.wait_until(patience, holds).await? {
        return Ok(());
    }
    let open: Vec<&str> = match record::row(&switch.replica, &table, name) {
        Err(_) => vec!["the row to exist"],
        Ok((_, row)) => wanted
            .iter()
            .zip(values)
            .filter(|(w, _)| !w.holds(row))
            .map(|(_, text)| text.as_str())
            .collect(),
    };
    let s = patience.as_secs();
    Err(Failure::text(
        Kind::Failed,
        format!("{table} {name}: waited {s} s for {}", open.join(", ")),
    ))
}
