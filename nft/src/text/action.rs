//! Expressions that are statements by themselves: state, logging, translation, refusal.

use super::json::Json;
use super::value::Shown;
use crate::expr::*;
use crate::message::Family;

/// A counter, limit or another expression with state.
pub(super) fn state(expr: &Expr) -> Shown {
    match expr {
        Expr::Counter(e) => {
            let json = Json::object([("packets", e.packets.into()), ("bytes", e.bytes.into())]);
            let text = format!("counter packets {} bytes {}", e.packets, e.bytes);
            Shown::new(text, Json::one("counter", json))
        }
        Expr::Limit(e) => limit(e),
        Expr::Quota(e) => quota(e),
        Expr::ConnLimit(e) => {
            let mut json = Json::one("val", e.count);
            let over = e.flags.contains(Invert::OVER);
            if over {
                json = json.with("inv", true);
            }
            let text = format!("ct count {}{}", if over { "over " } else { "" }, e.count);
            Shown::new(text, Json::one("ct count", json))
        }
        Expr::Last(e) => {
            let used = match e.set {
                0 => String::from("never"),
                _ => super::elements::duration(e.milliseconds),
            };
            Shown::new(
                format!("last used {used}"),
                Json::one("last", e.milliseconds),
            )
        }
        other => fallback(other),
    }
}

/// What there is no better form for: the bytecode.
pub(super) fn fallback(expr: &Expr) -> Shown {
    let line = super::bytecode::line(expr);
    Shown {
        json: Json::one("expr", line.as_str()),
        text: line,
    }
}

fn bytes_unit(bytes: u64) -> (u64, &'static str) {
    match bytes {
        0 => (0, "bytes"),
        bytes if bytes % (1 << 20) == 0 => (bytes >> 20, "mbytes"),
        bytes if bytes % 1024 == 0 => (bytes >> 10, "kbytes"),
        bytes => (bytes, "bytes"),
    }
}

/// A rate.
pub(super) fn limit(e: &Limit) -> Shown {
    let per = match e.unit {
        1 => "second",
        60 => "minute",
        3600 => "hour",
        86_400 => "day",
        604_800 => "week",
        _ => "?",
    };
    let over = e.flags.contains(Invert::OVER);
    let head = if over {
        "limit rate over "
    } else {
        "limit rate "
    };
    let (text, mut json) = if e.kind == LimitType::BYTES {
        let (rate, unit) = bytes_unit(e.rate);
        let (burst, burst_unit) = bytes_unit(u64::from(e.burst));
        let tail = if e.burst == 0 {
            String::new()
        } else {
            format!(" burst {burst} {burst_unit}")
        };
        let json = Json::object([
            ("rate", rate.into()),
            ("burst", burst.into()),
            ("per", per.into()),
            ("rate_unit", unit.into()),
            ("burst_unit", burst_unit.into()),
        ]);
        (format!("{head}{rate} {unit}/{per}{tail}"), json)
    } else {
        let tail = match e.burst {
            0 | 5 => String::new(),
            burst => format!(" burst {burst} packets"),
        };
        let json = Json::object([
            ("rate", e.rate.into()),
            ("burst", e.burst.into()),
            ("per", per.into()),
        ]);
        (format!("{head}{}/{per}{tail}", e.rate), json)
    };
    if over {
        json = json.with("inv", true);
    }
    Shown::new(text, Json::one("limit", json))
}

/// A quota.
pub(super) fn quota(e: &Quota) -> Shown {
    let over = e.flags.contains(QuotaFlags::OVER);
    let (val, unit) = bytes_unit(e.bytes);
    let mut json = Json::object([("val", val.into()), ("val_unit", unit.into())]);
    let mut text = format!("quota {}{val} {unit}", if over { "over " } else { "" });
    if e.consumed != 0 {
        let (used, unit) = bytes_unit(e.consumed);
        text.push_str(&format!(" used {used} {unit}"));
        json = json.with("used", used).with("used_unit", unit);
    }
    if over {
        json = json.with("inv", true);
    }
    Shown::new(text, Json::one("quota", json))
}

/// Logging.
pub(super) fn log(e: &Log) -> Shown {
    let mut text = String::from("log");
    let mut json = Json::Object(Vec::new());
    if let Some(prefix) = &e.prefix {
        let prefix = prefix.to_text();
        text.push_str(&format!(" prefix \"{prefix}\""));
        json = json.with("prefix", prefix);
    }
    if let Some(group) = e.group {
        text.push_str(&format!(" group {group}"));
        json = json.with("group", group);
        if let Some(snaplen) = e.snaplen.filter(|&len| len != 0) {
            text.push_str(&format!(" snaplen {snaplen}"));
            json = json.with("snaplen", snaplen);
        }
        if let Some(threshold) = e.qthreshold.filter(|&count| count != 0) {
            text.push_str(&format!(" queue-threshold {threshold}"));
            json = json.with("queue-threshold", threshold);
        }
    }
    if let Some(level) = e.level.filter(|&level| level != LogLevel::WARNING)
        && let Some(name) = level.name()
    {
        text.push_str(&format!(" level {name}"));
        json = json.with("level", name);
    }
    if e.flags.0 & 0x2f == 0x2f {
        text.push_str(" flags all");
        json = json.with("flags", "all");
    } else if e.flags.0 != 0 {
        let names = [
            (LogFlags::TCP_SEQUENCE, "tcp sequence"),
            (LogFlags::TCP_OPTIONS, "tcp options"),
            (LogFlags::IP_OPTIONS, "ip options"),
            (LogFlags::SKUID, "skuid"),
            (LogFlags::ETHER, "ether"),
        ];
        let set: Vec<_> = names
            .iter()
            .filter(|(bit, _)| e.flags.contains(*bit))
            .collect();
        set.iter()
            .for_each(|(_, name)| text.push_str(&format!(" flags {name}")));
        let list: Vec<_> = set.iter().map(|(_, name)| Json::from(*name)).collect();
        json = json.with("flags", list);
    }
    if json == Json::Object(Vec::new()) {
        json = Json::Null;
    }
    Shown::new(text, Json::one("log", json))
}

/// Refusal.
pub(super) fn reject(e: &Reject, family: Family) -> Shown {
    let code = e.code.unwrap_or(0);
    let (kind, name) = match e.kind {
        RejectType::TCP_RST => {
            let json = Json::one("reject", Json::one("type", "tcp reset"));
            return Shown::new("reject with tcp reset", json);
        }
        RejectType::ICMPX_UNREACH => (
            "icmpx",
            [
                "no-route",
                "port-unreachable",
                "host-unreachable",
                "admin-prohibited",
            ]
            .get(usize::from(code))
            .copied(),
        ),
        _ if family == Family::IPV6 => (
            "icmpv6",
            match code {
                0 => Some("no-route"),
                1 => Some("admin-prohibited"),
                3 => Some("addr-unreachable"),
                4 => Some("port-unreachable"),
                5 => Some("policy-fail"),
                6 => Some("reject-route"),
                _ => None,
            },
        ),
        _ => (
            "icmp",
            match code {
                0 => Some("net-unreachable"),
                1 => Some("host-unreachable"),
                2 => Some("prot-unreachable"),
                3 => Some("port-unreachable"),
                9 => Some("net-prohibited"),
                10 => Some("host-prohibited"),
                13 => Some("admin-prohibited"),
                _ => None,
            },
        ),
    };
    let name = name.map_or_else(|| code.to_string(), String::from);
    let text = match name.as_str() {
        "port-unreachable" => String::from("reject"),
        name => format!("reject with {kind} {name}"),
    };
    let json = Json::object([("type", kind.into()), ("expr", name.into())]);
    Shown::new(text, Json::one("reject", json))
}

/// Flags of translations, as text with a leading blank and as JSON.
pub(super) fn nat_flags(flags: NatFlags) -> (String, Option<Json>) {
    let names = [
        (NatFlags::PROTO_RANDOM, "random"),
        (NatFlags::PROTO_RANDOM_FULLY, "fully-random"),
        (NatFlags::PERSISTENT, "persistent"),
    ];
    let set: Vec<_> = names
        .iter()
        .filter(|(bit, _)| flags.contains(*bit))
        .map(|(_, name)| *name)
        .collect();
    match set.as_slice() {
        [] => (String::new(), None),
        [one] => (format!(" {one}"), Some(Json::from(*one))),
        many => {
            let list: Vec<_> = many.iter().map(|name| Json::from(*name)).collect();
            (format!(" {}", many.join(",")), Some(list.into()))
        }
    }
}

/// A user space queue.
pub(super) fn queue(e: &Queue) -> Shown {
    let first = e.number.unwrap_or(0);
    let last = first.saturating_add(e.total.unwrap_or(1)).saturating_sub(1);
    let (to, num) = if last > first {
        let range = Json::one("range", vec![first.into(), last.into()]);
        (format!("{first}-{last}"), range)
    } else {
        (first.to_string(), first.into())
    };
    let names: Vec<_> = e.flags.names().collect();
    let mut json = Json::one("num", num);
    let mut text = String::from("queue");
    match names.as_slice() {
        [] => {}
        [one] => json = json.with("flags", *one),
        many => {
            json = json.with(
                "flags",
                many.iter().map(|n| Json::from(*n)).collect::<Vec<_>>(),
            );
        }
    }
    if !names.is_empty() {
        text.push_str(&format!(" flags {}", names.join(",")));
    }
    text.push_str(&format!(" to {to}"));
    Shown::new(text, Json::one("queue", json))
}

/// A SYN proxy.
pub(super) fn synproxy(e: &Synproxy) -> Shown {
    let mut json = Json::object([("mss", e.mss.into()), ("wscale", e.wscale.into())]);
    let mut text = format!("synproxy mss {} wscale {}", e.mss, e.wscale);
    let names = [(4, "timestamp"), (8, "sack-perm")];
    let set: Vec<_> = names
        .iter()
        .filter(|(bit, _)| e.flags & bit != 0)
        .map(|(_, name)| *name)
        .collect();
    set.iter()
        .for_each(|name| text.push_str(&format!(" {name}")));
    match set.as_slice() {
        [] => {}
        [one] => json = json.with("flags", *one),
        many => {
            json = json.with(
                "flags",
                many.iter().map(|n| Json::from(*n)).collect::<Vec<_>>(),
            );
        }
    }
    Shown::new(text, Json::one("synproxy", json))
}
