//! Whole rulesets in the style of `nft list` and `nft -j list`.

use super::action;
use super::elements;
use super::json::Json;
use super::object;
use super::statement::statements;
use super::value::{Shown, quoted, type_name};
use crate::chain::{Chain, Policy};
use crate::expr::Expr;
use crate::flowtable::Flowtable;
use crate::message::Family;
use crate::rule::OwnedRule;
use crate::ruleset::{Ruleset, SetState, TableState};
use crate::set::{DataType, Set, SetFlags};
use crate::table::TableFlags;
use crate::userdata::{COMMENT, SET_COMMENT};

/// One rule as one line.
pub fn rule(family: Family, owned: &OwnedRule) -> String {
    let mut parts: Vec<_> = statements(family, owned)
        .into_iter()
        .map(|s| s.text)
        .collect();
    if let Some(comment) = owned.rule.comment() {
        parts.push(format!("comment {}", quoted(&comment)));
    }
    parts.join(" ")
}

/// The statements of one rule as JSON.
pub fn rule_json(family: Family, owned: &OwnedRule) -> Json {
    statements(family, owned)
        .into_iter()
        .map(|s| s.json)
        .collect::<Vec<_>>()
        .into()
}

/// A ruleset as text.
pub fn ruleset(ruleset: &Ruleset) -> String {
    ruleset.tables.values().map(table).collect()
}

/// One table as text.
pub fn table(state: &TableState) -> String {
    let family = family_name(state.family);
    let mut blocks = Vec::new();
    let mut head = String::new();
    if let Some(comment) = state.table.userdata.as_ref().and_then(|u| u.text(COMMENT)) {
        head.push_str(&format!("\tcomment {}\n", quoted(&comment)));
    }
    let flags: Vec<_> = state.table.flags.names().collect();
    if !flags.is_empty() {
        head.push_str(&format!("\tflags {}\n", flags.join(",")));
    }
    blocks.extend(state.objects.values().map(object::block));
    blocks.extend(state.sets.values().map(set));
    blocks.extend(state.flowtables.values().map(flowtable));
    for chain in state.chains.values() {
        let mut body = chain_head(state.family, &chain.chain);
        for owned in &chain.rules {
            body.push_str(&format!("\t\t{}\n", rule(state.family, owned)));
        }
        let name = chain.chain.name.clone().unwrap_or_default();
        blocks.push(format!("\tchain {name} {{\n{body}\t}}\n"));
    }
    format!(
        "table {family} {} {{\n{head}{}}}\n",
        state.table.name,
        blocks.join("\n")
    )
}

pub(super) fn family_name(family: Family) -> &'static str {
    family.name().unwrap_or("unknown")
}

fn hook_name(family: Family, number: u32) -> &'static str {
    let names: &[&str] = match family {
        Family::NETDEV => &["ingress", "egress"],
        Family::ARP => &["input", "output", "forward"],
        _ => &[
            "prerouting",
            "input",
            "forward",
            "output",
            "postrouting",
            "ingress",
        ],
    };
    let index = usize::try_from(number).unwrap_or(usize::MAX);
    names.get(index).copied().unwrap_or("unknown")
}

/// Named priorities that `nft` prints, with an offset of up to ten.
fn priority_name(family: Family, hook: &str, priority: i32) -> String {
    let names: &[(&str, i32)] = match (family, hook) {
        (Family::BRIDGE, "prerouting") => &[("dstnat", -300), ("filter", -200)],
        (Family::BRIDGE, "output") => &[("filter", -200), ("out", 100)],
        (Family::BRIDGE, "postrouting") => &[("filter", -200), ("srcnat", 300)],
        (Family::BRIDGE, _) => &[("filter", -200)],
        (Family::NETDEV | Family::ARP, _) => &[("filter", 0)],
        (_, "prerouting") => &[
            ("raw", -300),
            ("mangle", -150),
            ("dstnat", -100),
            ("filter", 0),
            ("security", 50),
        ],
        (_, "postrouting") => &[
            ("raw", -300),
            ("mangle", -150),
            ("filter", 0),
            ("security", 50),
            ("srcnat", 100),
        ],
        _ => &[
            ("raw", -300),
            ("mangle", -150),
            ("filter", 0),
            ("security", 50),
        ],
    };
    let near = names
        .iter()
        .find(|(_, value)| priority.abs_diff(*value) <= 10);
    match near {
        None => priority.to_string(),
        Some((name, value)) => match priority.saturating_sub(*value) {
            0 => String::from(*name),
            offset if offset > 0 => format!("{name} + {offset}"),
            offset => format!("{name} - {}", offset.unsigned_abs()),
        },
    }
}

pub(super) fn chain_head(family: Family, chain: &Chain) -> String {
    let mut out = String::new();
    if let Some(comment) = chain.userdata.as_ref().and_then(|u| u.text(COMMENT)) {
        out.push_str(&format!("\t\tcomment {}\n", quoted(&comment)));
    }
    let Some(hook) = &chain.hook else { return out };
    let kind = chain.kind.clone().unwrap_or_else(|| "filter".into());
    let name = hook_name(family, hook.number);
    let device = hook
        .device
        .iter()
        .chain(hook.devices.iter().flatten())
        .next();
    let device = device
        .map(|d| format!(" device \"{d}\""))
        .unwrap_or_default();
    let priority = priority_name(family, name, hook.priority);
    let policy = chain
        .policy
        .unwrap_or(Policy::ACCEPT)
        .name()
        .unwrap_or("accept");
    out.push_str(&format!(
        "\t\ttype {kind} hook {name}{device} priority {priority}; policy {policy};\n"
    ));
    out
}

/// Flags as listed: those that are not shown otherwise.
fn set_flags(flags: SetFlags) -> Vec<&'static str> {
    let names = [
        (SetFlags::CONSTANT, "constant"),
        (SetFlags::EVAL, "dynamic"),
        (SetFlags::INTERVAL, "interval"),
        (SetFlags::TIMEOUT, "timeout"),
    ];
    names
        .iter()
        .filter(|(bit, _)| flags.contains(*bit))
        .map(|(_, name)| *name)
        .collect()
}

fn set_type(set: &Set) -> (String, Option<String>) {
    let key = type_name(set.key_type.unwrap_or(DataType::INTEGER));
    let data = match (set.flags.contains(SetFlags::OBJECT), set.object_type) {
        (true, kind) => {
            let kind = kind.map(crate::object::ObjectType).unwrap_or_default();
            Some(String::from(kind.name().unwrap_or("counter")))
        }
        (false, _) => set
            .data_type
            .filter(|_| set.flags.contains(SetFlags::MAP))
            .map(type_name),
    };
    (key, data)
}

pub(super) fn set(state: &SetState) -> String {
    let set = &state.set;
    let (key, data) = set_type(set);
    let word = if data.is_some() { "map" } else { "set" };
    let data = data.map(|data| format!(" : {data}")).unwrap_or_default();
    let mut body = format!("\t\ttype {key}{data}\n");
    if let Some(size) = set.desc.as_ref().and_then(|desc| desc.size) {
        body.push_str(&format!("\t\tsize {size}\n"));
    }
    let flags = set_flags(set.flags);
    // A timeout says the flag; with others all are listed.
    let is_said = flags == ["timeout"] && set.timeout.is_some_and(|timeout| timeout != 0);
    if !flags.is_empty() && !is_said {
        body.push_str(&format!("\t\tflags {}\n", flags.join(",")));
    }
    for expr in set.expr.iter().chain(set.exprs.iter().flatten()) {
        let shown = match expr {
            Expr::Counter(_) => String::from("counter"),
            other => action::state(other).text,
        };
        body.push_str(&format!("\t\t{shown}\n"));
    }
    if let Some(timeout) = set.timeout.filter(|&timeout| timeout != 0) {
        body.push_str(&format!("\t\ttimeout {}\n", elements::duration(timeout)));
    }
    if let Some(comment) = set.userdata.as_ref().and_then(|u| u.text(SET_COMMENT)) {
        body.push_str(&format!("\t\tcomment {}\n", quoted(&comment)));
    }
    let list = shown_elements(state);
    if !list.is_empty() {
        let text: Vec<_> = list.into_iter().map(|shown| shown.text).collect();
        body.push_str(&format!(
            "\t\telements = {{ {} }}\n",
            text.join(",\n\t\t\t     ")
        ));
    }
    format!("\t{word} {} {{\n{body}\t}}\n", set.name)
}

fn shown_elements(state: &SetState) -> Vec<Shown> {
    elements::show(&state.set, &elements::kinds_of(&state.set), &state.elements)
}

pub(super) fn flowtable(flowtable: &Flowtable) -> String {
    let name = flowtable.name.clone().unwrap_or_default();
    let hook = flowtable.hook.clone().unwrap_or_default();
    let devices: Vec<_> = hook.devices.iter().flatten().map(|d| d.to_text()).collect();
    let priority = priority_name(Family::NETDEV, "ingress", hook.priority.unwrap_or(0));
    format!(
        "\tflowtable {name} {{\n\t\thook ingress priority {priority}\n\t\tdevices = {{ {} }}\n\t}}\n",
        devices.join(", ")
    )
}

/// A ruleset as the JSON document of `nft -j`.
pub fn ruleset_json(ruleset: &Ruleset) -> Json {
    let head = Json::one("metainfo", Json::one("json_schema_version", 1_u32));
    let mut list = vec![head];
    ruleset
        .tables
        .values()
        .for_each(|table| table_json(table, &mut list));
    Json::one("nftables", list)
}

fn table_json(state: &TableState, list: &mut Vec<Json>) {
    let family = Json::from(family_name(state.family));
    let table = Json::from(state.table.name.to_text());
    let place = |name: String, handle: Option<u64>| {
        let json = Json::object([
            ("family", family.clone()),
            ("table", table.clone()),
            ("name", name.into()),
        ]);
        json.with("handle", handle.unwrap_or(0))
    };
    let mut json = Json::object([
        ("family", family.clone()),
        ("name", table.clone()),
        ("handle", state.table.handle.unwrap_or(0).into()),
    ]);
    let flags: Vec<_> = state.table.flags.names().map(Json::from).collect();
    if state.table.flags != TableFlags::NONE {
        json = json.with("flags", flags);
    }
    list.push(Json::one("table", json));
    for chain in state.chains.values() {
        let name = chain.chain.name.clone().unwrap_or_default();
        let mut json = place(name.to_text(), chain.chain.handle);
        if let Some(hook) = &chain.chain.hook {
            let kind = chain.chain.kind.clone().unwrap_or_default().to_text();
            json = json
                .with("type", kind)
                .with("hook", hook_name(state.family, hook.number))
                .with("prio", hook.priority);
            if let Some(device) = hook
                .device
                .iter()
                .chain(hook.devices.iter().flatten())
                .next()
            {
                json = json.with("dev", device.to_text());
            }
            let policy = chain.chain.policy.unwrap_or(Policy::ACCEPT);
            json = json.with("policy", policy.name().unwrap_or("accept"));
        }
        list.push(Json::one("chain", json));
    }
    for object in state.objects.values() {
        let name = object.name.clone().unwrap_or_default();
        list.push(object::json(place(name.to_text(), object.handle), object));
    }
    for state in state.sets.values() {
        list.push(set_json(
            place(state.set.name.to_text(), state.set.handle),
            state,
        ));
    }
    for owned in state.chains.values().flat_map(|chain| &chain.rules) {
        let mut json = Json::object([
            ("family", family.clone()),
            ("table", table.clone()),
            (
                "chain",
                owned
                    .rule
                    .chain
                    .clone()
                    .unwrap_or_default()
                    .to_text()
                    .into(),
            ),
            ("handle", owned.rule.handle.unwrap_or(0).into()),
        ]);
        if let Some(comment) = owned.rule.comment() {
            json = json.with("comment", comment);
        }
        json = json.with("expr", rule_json(state.family, owned));
        list.push(Json::one("rule", json));
    }
}

fn set_json(place: Json, state: &SetState) -> Json {
    let (key, data) = set_type(&state.set);
    let key = match key.split(" . ").collect::<Vec<_>>().as_slice() {
        [one] => Json::from(*one),
        many => many
            .iter()
            .map(|name| Json::from(*name))
            .collect::<Vec<_>>()
            .into(),
    };
    let word = if data.is_some() { "map" } else { "set" };
    let mut json = place.with("type", key);
    if let Some(data) = data {
        json = json.with("map", data);
    }
    let comment = state.set.userdata.as_ref();
    if let Some(comment) = comment.and_then(|u| u.text(SET_COMMENT)) {
        json = json.with("comment", comment);
    }
    let flags: Vec<_> = set_flags(state.set.flags)
        .into_iter()
        .map(Json::from)
        .collect();
    if !flags.is_empty() {
        json = json.with("flags", flags);
    }
    if let Some(size) = state.set.desc.as_ref().and_then(|desc| desc.size) {
        json = json.with("size", size);
    }
    if let Some(timeout) = state.set.timeout.filter(|&timeout| timeout != 0) {
        json = json.with("timeout", timeout / 1000);
    }
    let states = state
        .set
        .expr
        .iter()
        .chain(state.set.exprs.iter().flatten());
    let states: Vec<_> = states
        .map(|expr| match expr {
            Expr::Counter(_) => Json::one("counter", Json::Null),
            other => action::state(other).json,
        })
        .collect();
    if !states.is_empty() {
        json = json.with("stmt", states);
    }
    let list: Vec<_> = shown_elements(state)
        .into_iter()
        .map(|shown| shown.json)
        .collect();
    if !list.is_empty() {
        json = json.with("elem", list);
    }
    Json::one(word, json)
}
