//! Tables and trees the way `ovs-vsctl` prints them.

use super::lookup;
use crate::json::Json;
use crate::replica::{Replica, Row};
use crate::schema::TableSchema;
use crate::uuid::Uuid;
use crate::value::Datum;
use core::fmt::Write;

/// `ovs-vsctl list TABLE [RECORD]`: one line per column, rows separated by an empty line.
pub fn list<'a>(table: &TableSchema, rows: impl IntoIterator<Item = (Uuid, &'a Row)>) -> String {
    let mut out = String::new();
    for (uuid, row) in rows {
        if !out.is_empty() {
            out.push('\n');
        }
        let _ = writeln!(out, "{:<20}: {uuid}", "_uuid");
        for (name, value) in row.values() {
            let Some(schema) = table.column(name) else {
                continue;
            };
            let _ = writeln!(out, "{name:<20}: {}", value.to_text(&schema.kind));
        }
    }
    out
}

/// The same as JSON: `{"headings": [..], "data": [[..], ..]}`, as `--format=json` gives it.
pub fn list_json<'a>(rows: impl IntoIterator<Item = (Uuid, &'a Row)>) -> Json {
    let (mut headings, mut data) = (Vec::new(), Vec::new());
    for (uuid, row) in rows {
        if headings.is_empty() {
            headings.push(Json::from("_uuid"));
            headings.extend(row.layout().columns().cloned().map(Json::String));
        }
        let mut line = vec![Datum::from(uuid).to_json()];
        line.extend(row.values().map(|(_, value)| value.to_json()));
        data.push(Json::Array(line));
    }
    Json::object([
        ("headings", Json::Array(headings)),
        ("data", Json::Array(data)),
    ])
}

/// `ovs-vsctl show`: the root, its managers if they are in the replica, its bridges, their
/// ports and interfaces.
pub fn show(replica: &Replica) -> String {
    let mut out = String::new();
    let Some((uuid, root)) = lookup::root(replica) else {
        return out;
    };
    let _ = writeln!(out, "{uuid}");
    let mut managers: Vec<_> = replica.rows("Manager").map(|(_, m)| m).collect();
    managers.sort_by(|a, b| a.str("target").cmp(b.str("target")));
    for manager in managers {
        show_target("    Manager", manager, &mut out);
    }
    for name in lookup::bridges(replica) {
        let Some((_, bridge)) = lookup::bridge(replica, &name) else {
            continue;
        };
        let _ = writeln!(out, "    Bridge {}", word(&name));
        for controller in bridge.uuids("controller") {
            let Some(row) = replica.row("Controller", controller) else {
                continue;
            };
            show_target("        Controller", row, &mut out);
        }
        for (column, value) in [
            ("fail_mode", bridge.str("fail_mode")),
            ("datapath_type", bridge.str("datapath_type")),
        ] {
            if !value.is_empty() {
                let _ = writeln!(out, "        {column}: {}", word(value));
            }
        }
        let mut ports: Vec<_> = lookup::port_rows(replica, bridge).map(|(_, p)| p).collect();
        ports.sort_by(|a, b| a.str("name").cmp(b.str("name")));
        for port in ports {
            show_port(replica, port, &mut out);
        }
    }
    let version = root.str("ovs_version");
    if !version.is_empty() {
        let _ = writeln!(out, "    ovs_version: {}", word(version));
    }
    out
}

fn show_target(what: &str, row: &Row, out: &mut String) {
    let _ = writeln!(out, "{what} {}", word(row.str("target")));
    if row.get("is_connected").and_then(Datum::as_bool) == Some(true) {
        let indent = what.len() - what.trim_start().len() + 4;
        let _ = writeln!(out, "{:indent$}is_connected: true", "");
    }
}

fn show_port(replica: &Replica, port: &Row, out: &mut String) {
    let _ = writeln!(out, "        Port {}", word(port.str("name")));
    if let Some(tag) = port.integer("tag") {
        let _ = writeln!(out, "            tag: {tag}");
    }
    if let Some(trunks) = port.get("trunks").filter(|t| !t.is_empty()) {
        let _ = writeln!(out, "            trunks: {}", bracketed(trunks));
    }
    let mut interfaces: Vec<_> = lookup::interface_rows(replica, port)
        .map(|(_, i)| i)
        .collect();
    interfaces.sort_by(|a, b| a.str("name").cmp(b.str("name")));
    for interface in interfaces {
        let _ = writeln!(out, "            Interface {}", word(interface.str("name")));
        let kind = interface.str("type");
        if !kind.is_empty() {
            let _ = writeln!(out, "                type: {}", word(kind));
        }
        if let Some(options) = interface.get("options").filter(|o| !o.is_empty()) {
            let _ = writeln!(out, "                options: {}", bracketed(options));
        }
        let error = interface.str("error");
        if !error.is_empty() {
            let _ = writeln!(out, "                error: {}", word(error));
        }
    }
}

fn word(text: &str) -> String {
    let mut out = String::new();
    crate::value::Atom::from(text).push_text(&mut out);
    out
}

fn bracketed(value: &Datum) -> String {
    use crate::schema::{AtomicType, BaseType, ColumnType};
    let map = matches!(value, Datum::Map(_)).then(|| BaseType::plain(AtomicType::String));
    let key = BaseType::plain(AtomicType::String);
    value.to_text(&ColumnType {
        key,
        value: map,
        min: 0,
        max: usize::MAX,
    })
}
