//! Named objects in the style of `nft list` and `nft -j list`.

use super::action;
use super::elements::duration;
use super::json::Json;
use super::value::{Kind, L4PROTO, Shown, quoted};
use crate::expr::QuotaFlags;
use crate::object::{CtTimeout, Object, ObjectData};
use crate::userdata::COMMENT;
use crate::wire::Reader;

/// Names of the connection states by protocol, in the order of their attributes, and the seconds that the kernel gives
/// them (`nf_conntrack_proto_tcp.c`, `nf_conntrack_proto_udp.c`).
const TCP: &[(&str, u32)] = &[
    ("syn_sent", 120),
    ("syn_recv", 60),
    ("established", 432_000),
    ("fin_wait", 120),
    ("close_wait", 60),
    ("last_ack", 30),
    ("time_wait", 120),
    ("close", 10),
    ("syn_sent2", 120),
    ("retrans", 300),
    ("unack", 300),
];
const UDP: &[(&str, u32)] = &[("unreplied", 30), ("replied", 120)];

/// What `nft` calls the type, and JSON too.
fn word(object: &Object) -> &'static str {
    match object.object_type().and_then(|kind| kind.name()) {
        Some("ct-helper") => "ct helper",
        Some("ct-timeout") => "ct timeout",
        Some("ct-expectation") => "ct expectation",
        Some(name) => name,
        None => "object",
    }
}

fn l3proto(number: Option<u16>) -> Option<&'static str> {
    match number {
        Some(2) => Some("ip"),
        Some(10) => Some("ip6"),
        Some(1) => Some("inet"),
        _ => None,
    }
}

fn protocol(number: Option<u8>) -> String {
    Kind::Names(L4PROTO).show(&[number.unwrap_or(0)]).text
}

/// The timeouts that are not the kernel's own.
fn policy(timeouts: &CtTimeout) -> Vec<(&'static str, u32)> {
    let names = match timeouts.l4proto {
        Some(6) => TCP,
        Some(17) => UDP,
        _ => &[],
    };
    let given = timeouts.timeouts.iter().flat_map(|nest| &nest.other.0);
    given
        .filter_map(|attribute| {
            let index = usize::from(attribute.kind).checked_sub(1)?;
            let (name, default) = names.get(index)?;
            let seconds = Reader::new(&attribute.payload).exactly("seconds").ok()?;
            let seconds = u32::from_be_bytes(seconds);
            (seconds != *default).then_some((*name, seconds))
        })
        .collect()
}

/// The lines between the braces, and the members of the JSON form.
fn content(object: &Object) -> (Vec<String>, Json) {
    let none = || Json::Object(Vec::new());
    let members = |shown: Shown| match shown.json {
        Json::Object(mut outer) => outer.pop().map_or_else(none, |(_, inner)| inner),
        other => other,
    };
    let without_word = |shown: &Shown| {
        let rest = shown.text.split_once(' ').map(|(_, rest)| rest.to_owned());
        vec![rest.unwrap_or_default()]
    };
    match &object.data {
        Some(ObjectData::Counter(e)) => {
            let shown = action::state(&e.clone().into());
            (without_word(&shown), members(shown))
        }
        Some(ObjectData::Quota(e)) => {
            let json = Json::object([
                ("bytes", e.bytes.into()),
                ("used", e.consumed.into()),
                ("inv", e.flags.contains(QuotaFlags::OVER).into()),
            ]);
            (without_word(&action::quota(e)), json)
        }
        Some(ObjectData::Limit(e)) => {
            let shown = action::limit(e);
            (without_word(&shown), members(shown))
        }
        Some(ObjectData::Synproxy(e)) => {
            let shown = action::synproxy(e);
            let mut lines = vec![format!("mss {}", e.mss), format!("wscale {}", e.wscale)];
            let options = shown.text.split(' ').skip(5).collect::<Vec<_>>().join(" ");
            lines.extend((!options.is_empty()).then_some(options));
            (lines, members(shown))
        }
        Some(ObjectData::CtHelper(e)) => {
            let (name, l4) = (e.name.to_text(), protocol(e.l4proto));
            let mut lines = vec![format!("type {} protocol {l4}", quoted(&name))];
            let mut json = Json::object([("type", name.into()), ("protocol", l4.into())]);
            if let Some(l3) = l3proto(e.l3proto) {
                lines.push(format!("l3proto {l3}"));
                json = json.with("l3proto", l3);
            }
            (lines, json)
        }
        Some(ObjectData::CtTimeout(e)) => {
            let l4 = protocol(e.l4proto);
            let mut lines = vec![format!("protocol {l4}")];
            let mut json = Json::one("protocol", l4);
            if let Some(l3) = l3proto(e.l3proto) {
                lines.push(format!("l3proto {l3}"));
                json = json.with("l3proto", l3);
            }
            let policy = policy(e);
            let list: Vec<_> = policy.iter().map(|(n, s)| format!("{n} : {s}")).collect();
            lines.push(format!("policy = {{ {} }}", list.join(", ")));
            let policy = policy.iter().fold(none(), |json, (n, s)| json.with(n, *s));
            (lines, json.with("policy", policy))
        }
        Some(ObjectData::CtExpectation(e)) => {
            let l4 = protocol(e.l4proto);
            let (dport, size) = (e.dport.unwrap_or(0), e.size.unwrap_or(0));
            let timeout = e.timeout.unwrap_or_default().0;
            let mut lines = vec![
                format!("protocol {l4}"),
                format!("dport {dport}"),
                format!("timeout {}", duration(timeout.into())),
                format!("size {size}"),
            ];
            let mut json = Json::object([
                ("protocol", l4.into()),
                ("dport", dport.into()),
                ("timeout", timeout.into()),
                ("size", size.into()),
            ]);
            if let Some(l3) = l3proto(e.l3proto) {
                lines.push(format!("l3proto {l3}"));
                json = json.with("l3proto", l3);
            }
            (lines, json)
        }
        _ => (vec![format!("# {}", crate::saved::to_text(object))], none()),
    }
}

/// As a block of a table.
pub(super) fn block(object: &Object) -> String {
    let name = object.name.clone().unwrap_or_default();
    let mut lines = Vec::new();
    let comment = object.userdata.as_ref().and_then(|u| u.text(COMMENT));
    lines.extend(comment.map(|text| format!("comment {}", quoted(&text))));
    lines.extend(content(object).0);
    let lines: String = lines.iter().map(|line| format!("\t\t{line}\n")).collect();
    format!("\t{} {name} {{\n{lines}\t}}\n", word(object))
}

/// As JSON; `place` says where it is.
pub(super) fn json(place: Json, object: &Object) -> Json {
    let mut json = place;
    let comment = object.userdata.as_ref().and_then(|u| u.text(COMMENT));
    if let Some(comment) = comment {
        json = json.with("comment", comment);
    }
    if let Json::Object(members) = content(object).1 {
        for (key, value) in members {
            json = json.with(&key, value);
        }
    }
    Json::one(word(object), json)
}
