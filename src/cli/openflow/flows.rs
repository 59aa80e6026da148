//! Flows of bridges: dump and compare.

use std::collections::BTreeMap;
use std::path::Path;

use ofproto::msg::{FlowMod, FlowStats, FlowStatsRequest};
use ofproto::ports::TABLE_ALL;
use ofproto::text::flow_line;
use serde_json::{Value, json};

use super::super::bridge::{Bridge, endpoint};
use super::super::failure::{Failure, Kind};
use super::super::output::{Output, say};
use super::super::switch::block_on;
use super::codec;
use crate::config::Config;

/// Prints the flows of a bridge
#[derive(clap::Args, Clone, PartialEq, Eq, Debug)]
pub(super) struct DumpFlows {
    /// Bridge
    bridge: String,
    /// Only flows at least as specific as this, in the syntax of flows without actions
    #[arg(value_name = "MATCH")]
    matching: Option<String>,
    /// Only this table
    #[arg(long, value_name = "N")]
    table: Option<u8>,
    /// Only flows with this cookie: VALUE or VALUE/MASK
    #[arg(long, value_name = "COOKIE")]
    cookie: Option<String>,
    /// Without counters and ages, so that a dump can be compared and loaded
    #[arg(long)]
    no_stats: bool,
    #[command(flatten)]
    output: Output,
}

/// Compares two sets of flows, each a bridge or a file of flows
#[derive(clap::Args, Clone, PartialEq, Eq, Debug)]
#[command(
    long_about = "Compares two sets of flows, each a bridge or a file of flows (a file that exists comes first). \
    Lines with - are only in the first, lines with + only in the second; a flow whose cookie, timeouts or actions differ \
    has both. The exit code is 1 if they differ."
)]
pub(super) struct DiffFlows {
    /// A file of flows, or a bridge
    first: String,
    /// A file of flows, or a bridge
    second: String,
    /// Do not compare cookies
    #[arg(long)]
    ignore_cookies: bool,
    #[command(flatten)]
    output: Output,
}

pub(super) fn dump(config: &Config, args: &DumpFlows) -> Result<(), Failure> {
    let mut request = FlowStatsRequest {
        table: args.table.unwrap_or(TABLE_ALL),
        ..FlowStatsRequest::default()
    };
    if let Some(text) = &args.matching {
        let flow = codec::flow(&format!("delete {text}")).or_else(|_| codec::flow(text))?;
        request.match_ = flow.match_;
        request.out_port = flow.out_port;
        if args.table.is_none() {
            request.table = flow.table;
        }
        (request.cookie, request.cookie_mask) = (flow.cookie_value, flow.cookie_mask);
    }
    if let Some(text) = &args.cookie {
        (request.cookie, request.cookie_mask) = cookie(text)?;
    }
    let mut flows = block_on(of_bridge(config, &args.bridge, request))?;
    flows.sort_by_cached_key(|f| (f.table, u16::MAX - f.priority, f.match_.to_string()));
    let line = |f: &FlowStats| {
        if args.no_stats {
            flow_line(&as_flow(f))
        } else {
            f.to_string()
        }
    };
    if !args.output.json {
        let text: Vec<String> = flows.iter().map(line).collect();
        return if text.is_empty() {
            Ok(())
        } else {
            say(&text.join("\n"))
        };
    }
    let json: Vec<Value> = flows.iter().map(|f| as_json(f, args.no_stats)).collect();
    args.output.print(&json, |_| String::new())
}

pub(super) fn diff(config: &Config, args: &DiffFlows) -> Result<(), Failure> {
    let read = |source: &str| -> Result<BTreeMap<Key, String>, Failure> {
        let flows = of_source(config, source)?;
        let entry = |mut flow: FlowMod| {
            if args.ignore_cookies {
                flow.cookie = 0;
            }
            let key = (
                flow.table,
                u16::MAX - flow.priority,
                flow.match_.to_string(),
            );
            (key, flow_line(&flow))
        };
        Ok(flows.into_iter().map(entry).collect())
    };
    let (first, second) = (read(&args.first)?, read(&args.second)?);
    let keys: std::collections::BTreeSet<&Key> = first.keys().chain(second.keys()).collect();
    let mut lines = Vec::new();
    for key in keys {
        let (a, b) = (first.get(key), second.get(key));
        if a != b {
            lines.extend(a.map(|line| ("-", line)));
            lines.extend(b.map(|line| ("+", line)));
        }
    }
    if args.output.json {
        let only = |sign| {
            lines
                .iter()
                .filter(|(s, _)| *s == sign)
                .map(|(_, l)| l.as_str())
                .collect::<Vec<_>>()
        };
        args.output.print(
            &json!({ "only_first": only("-"), "only_second": only("+") }),
            |_| String::new(),
        )?;
    } else if !lines.is_empty() {
        let text: Vec<String> = lines
            .iter()
            .map(|(sign, line)| format!("{sign}{line}"))
            .collect();
        say(&text.join("\n"))?;
    }
    match lines.len() {
        0 => Ok(()),
        _ => Err(Failure::text(
            Kind::Failed,
            format!("{} and {} differ", args.first, args.second),
        )),
    }
}

/// Table, priority (higher first) and match: what makes a flow the same flow.
type Key = (u8, u16, String);

async fn of_bridge(
    config: &Config,
    name: &str,
    request: FlowStatsRequest,
) -> Result<Vec<FlowStats>, Failure> {
    let endpoint = endpoint(config, name)?;
    Bridge::connect(endpoint, config.ovs.of_request_timeout)
        .await?
        .flows(request)
        .await
}

fn of_source(config: &Config, source: &str) -> Result<Vec<FlowMod>, Failure> {
    let path = Path::new(source);
    if !path.is_file() {
        let flows = block_on(of_bridge(config, source, FlowStatsRequest::default()))?;
        return Ok(flows.iter().map(as_flow).collect());
    }
    let text = std::fs::read_to_string(path)
        .map_err(|e| Failure::text(Kind::Usage, format!("cannot read {source}: {e}")))?;
    let mut flows = Vec::new();
    for line in codec::lines(&text) {
        let mut flow = codec::flow(&line)?;
        if flow.table == TABLE_ALL {
            flow.table = 0;
        }
        flows.push(flow);
    }
    Ok(flows)
}

/// The flow that an add would have to carry.
fn as_flow(stats: &FlowStats) -> FlowMod {
    FlowMod {
        cookie: stats.cookie,
        idle_timeout: stats.idle_timeout,
        hard_timeout: stats.hard_timeout,
        ..FlowMod::add(
            stats.table,
            stats.priority,
            stats.match_.clone(),
            stats.actions.clone(),
        )
    }
}

fn as_json(stats: &FlowStats, no_stats: bool) -> Value {
    let mut value = json!({
        "table": stats.table,
        "priority": stats.priority,
        "match": stats.match_.to_string(),
        "cookie": format!("{:#x}", stats.cookie),
        "actions": stats.actions.to_string(),
    });
    if let (false, Value::Object(members)) = (no_stats, &mut value) {
        members.insert("packets".to_owned(), stats.packets.into());
        members.insert("bytes".to_owned(), stats.bytes.into());
        members.insert("duration_s".to_owned(), stats.duration.0.into());
    }
    value
}

/// `VALUE` or `VALUE/MASK`, decimal or `0x`.
fn cookie(text: &str) -> Result<(u64, u64), Failure> {
    let number = |part: &str| match part.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => part.parse().ok(),
    };
    let (value, mask) = text
        .split_once('/')
        .map_or((number(text), Some(u64::MAX)), |(v, m)| {
            (number(v), number(m))
        });
    value.zip(mask).ok_or_else(|| {
        Failure::text(
            Kind::Usage,
            format!("--cookie {text}: give VALUE or VALUE/MASK, decimal or 0x…"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies() {
        assert_eq!(cookie("0x10/0xff00"), Ok((0x10, 0xff00)));
        assert_eq!(cookie("7"), Ok((7, u64::MAX)));
        cookie("x").unwrap_err();
        cookie("1/").unwrap_err();
    }

    #[test]
    fn files_compare_by_key_not_by_line() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_string_lossy().into_owned()
        };
        let config = Config::parse(&[], "x").unwrap().config;
        let args = |first: &str, second: &str, ignore_cookies| DiffFlows {
            first: first.to_owned(),
            second: second.to_owned(),
            ignore_cookies,
            output: Output { json: false },
        };
        let a = file(
            "a",
            "table=1,priority=5,udp,tp_dst=53,actions=drop\ntable=0,actions=NORMAL\n",
        );
        let b = file(
            "b",
            "actions=NORMAL\n cookie=0x1, duration=5s, table=1, n_packets=3, n_bytes=4, priority=5,udp,tp_dst=53 actions=drop\n",
        );
        diff(&config, &args(&a, &a, false)).unwrap();
        diff(&config, &args(&a, &b, true)).unwrap();
        let error = diff(&config, &args(&a, &b, false)).unwrap_err();
        assert!(error.text.ends_with("differ"), "{}", error.text);
    }
}
