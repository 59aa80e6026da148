//! Generated flows and messages against Open vSwitch itself.
//!
//! Four comparisons, all in batches: what `ovs-ofctl ofp-parse` prints for our bytes, what
//! `ovs-ofctl parse-flows` makes of our text, what a real ovs-vswitchd dumps after our adds, and
//! what `ovs-ofctl dump-flows` reads from it. The generator is seeded; `VIFD_SEED` chooses another
//! seed, which a failure names.

mod ovs;
mod prints;
mod run;

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use ofproto::conn::{Batch, Config, Event, Frame, Tag};
use ofproto::matching::FieldId;
use ofproto::msg::{FlowMod, FlowStats, FlowStatsRequest, Message, StatsRequest};
use ofproto::net::{self, Endpoint};
use ofproto::text::{Verbosity, flow_line, print_message};
use ofproto::view::flow_views;
use ovs::Ovs;
use prints::{Noise, hex, ofp_parse, report, seed};
use run::run;

/// Flows per run that take part in every comparison.
const FLOWS: usize = 20_000;
/// Messages of other kinds.
const MESSAGES: usize = 3_000;

/// Distinct flows: `reg8` holds the number of each.
fn flows() -> Vec<FlowMod> {
    let mut noise = Noise(seed());
    (0..FLOWS)
        .map(|number| {
            let bytes = noise.bytes(1200);
            let mut flow = FlowMod::arbitrary(&mut Unstructured::new(&bytes)).unwrap();
            let number = number as u128;
            flow.match_
                .set(FieldId::reg(8).unwrap(), number, u128::MAX)
                .unwrap();
            flow
        })
        .collect()
}

fn messages() -> Vec<Message> {
    let mut noise = Noise(seed() ^ 0xffff);
    (0..MESSAGES)
        .map(|_| {
            let bytes = noise.bytes(2000);
            Message::arbitrary(&mut Unstructured::new(&bytes)).unwrap()
        })
        .collect()
}

/// Compares the prints of a stream of messages with those of `ovs-ofctl ofp-parse`.
fn compare_prints(what: &str, messages: &[Vec<u8>]) {
    let theirs = ofp_parse(messages, 0);
    let mut differences = Vec::new();
    for (message, their) in messages.iter().zip(&theirs) {
        let ours = print_message(message, Verbosity::NORMAL);
        if ours != *their {
            differences.push(format!(
                "ours   {ours}theirs {their}bytes  {}",
                hex(message)
            ));
        }
    }
    report(what, &differences, messages.len());
}

#[test]
fn flows_print_as_ovs_ofctl_prints_them() {
    let bytes: Vec<Vec<u8>> = flows()
        .into_iter()
        .zip(0..)
        .map(|(flow, xid)| Message::FlowMod(flow).to_bytes(xid).unwrap())
        .collect();
    for message in &bytes {
        let (header, value) = Message::decode(message).unwrap();
        assert_eq!(&value.to_bytes(header.xid).unwrap(), message, "{value:?}");
    }
    compare_prints("flow mods, ofp-parse", &bytes);
}

#[test]
fn messages_print_as_ovs_ofctl_prints_them() {
    let bytes: Vec<Vec<u8>> = messages()
        .iter()
        .zip(0..)
        .map(|(message, xid)| message.to_bytes(xid).unwrap())
        .collect();
    for (message, original) in bytes.iter().zip(messages()) {
        let (_, value) = Message::decode(message).unwrap();
        assert_eq!(value, original);
    }
    compare_prints("messages, ofp-parse", &bytes);
}

#[test]
fn lines_are_read_alike() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("flows.txt");
    let flows = flows();
    let lines: Vec<String> = flows.iter().map(flow_line).collect();
    std::fs::write(&file, lines.join("\n") + "\n").unwrap();
    let theirs = run(Command::new("ovs-ofctl")
        .args(["-F", "nxm+table_id", "parse-flows"])
        .arg(&file));
    // Two lines about protocols come first.
    let theirs: Vec<&str> = theirs
        .lines()
        .filter(|line| line.starts_with("NXT_FLOW_MOD"))
        .collect();
    assert_eq!(theirs.len(), flows.len());
    let mut differences = Vec::new();
    for ((flow, line), their) in flows.iter().zip(&lines).zip(theirs) {
        let back: FlowMod = match line.parse() {
            Ok(back) => back,
            Err(error) => {
                differences.push(format!("{line}: {error}"));
                continue;
            }
        };
        if back != *flow {
            differences.push(format!(
                "{line}\nread as {}\nfrom    {}",
                flow_line(&back),
                line
            ));
        }
        let (_, their) = their.split_once("): ").unwrap();
        let ours = flow.to_string();
        if ours != their {
            differences.push(format!("line   {line}\nours   {ours}\ntheirs {their}"));
        }
    }
    report("flow lines, parse-flows", &differences, flows.len());
}

/// What a flow is, without counters.
fn identity(flow: &FlowStats) -> String {
    let flow = FlowMod {
        cookie: flow.cookie,
        idle_timeout: flow.idle_timeout,
        hard_timeout: flow.hard_timeout,
        ..FlowMod::add(
            flow.table,
            flow.priority,
            flow.match_.clone(),
            flow.actions.clone(),
        )
    };
    flow_line(&flow)
}

#[tokio::test]
async fn a_switch_dumps_what_was_added() {
    let ovs = Ovs::start();
    let flows = flows();
    let endpoint = Endpoint::Unix(ovs.management());
    let (handle, mut events) = net::connect(&endpoint, Config::default()).await.unwrap();
    handle
        .submit_batch(Tag(1), Batch::from_iter(&flows))
        .unwrap();
    let request = StatsRequest::Flow(FlowStatsRequest::default());
    let request = Message::StatsRequest {
        flags: 0,
        body: request,
    };
    handle
        .request(Tag(2), Frame::of(&request).unwrap())
        .unwrap();

    let mut dumped: BTreeMap<u128, (FlowStats, Vec<u8>, Vec<u8>)> = BTreeMap::new();
    loop {
        let event = tokio::time::timeout(Duration::from_secs(60), events.next()).await;
        match event.expect("an event in time").expect("not at the end") {
            Event::Ready { .. } => {}
            Event::BatchDone { errors, .. } => {
                let refused: Vec<String> = errors
                    .iter()
                    .map(|(index, error)| format!("{error}: {}", flow_line(&flows[*index])))
                    .collect();
                report("adds", &refused, flows.len());
            }
            Event::Reply { frame, more, .. } => {
                for view in flow_views(frame.bytes()).unwrap() {
                    let view = view.unwrap();
                    let flow = view.stats().unwrap();
                    let number = flow.match_.exact(FieldId::reg(8).unwrap()).unwrap();
                    let bytes = (view.match_bytes().to_vec(), view.action_bytes().to_vec());
                    dumped.insert(number, (flow, bytes.0, bytes.1));
                }
                if !more {
                    break;
                }
            }
            other => panic!("{other:?}"),
        }
    }
    let mut differences = Vec::new();
    for (number, sent) in flows.iter().enumerate() {
        let Some((got, match_bytes, action_bytes)) = dumped.get(&(number as u128)) else {
            differences.push(format!("not dumped: {}", flow_line(sent)));
            continue;
        };
        let wanted = FlowMod {
            flags: 0,
            ..sent.clone()
        };
        let (wanted, got_line) = (flow_line(&wanted), identity(got));
        if sent.match_ != got.match_ || sent.actions != got.actions || wanted != got_line {
            differences.push(format!("sent   {wanted}\ndumped {got_line}"));
            continue;
        }
        // The switch encodes match and actions in the same bytes as we did.
        let message = Message::FlowMod(sent.clone()).to_bytes(0).unwrap();
        let end = 48 + match_bytes.len();
        let same = message[48..end] == match_bytes[..]
            && message[end.next_multiple_of(8)..] == action_bytes[..];
        if !same {
            differences.push(format!("other bytes for {wanted}"));
        }
    }
    report("dumped flows", &differences, flows.len());

    // And as the tool prints them.
    let socket = format!("unix:{}", ovs.management().display());
    let printed = run(Command::new("ovs-ofctl")
        .args(["--no-stats", "-F", "nxm", "dump-flows"])
        .arg(socket));
    let mut theirs: Vec<String> = printed
        .lines()
        .filter(|line| line.contains("actions="))
        .map(|line| line.trim().to_owned())
        .collect();
    let mut ours: Vec<String> = dumped
        .values()
        .map(|(flow, ..)| without_counters(&flow.to_string()))
        .collect();
    theirs.sort();
    ours.sort();
    let unlike = ours.iter().zip(&theirs).filter(|(our, their)| our != their);
    let differences: Vec<String> = unlike
        .map(|(our, their)| format!("ours   {our}\ntheirs {their}"))
        .collect();
    report("dump-flows", &differences, ours.len());
    assert_eq!(ours.len(), theirs.len());
}

/// Drops what `--no-stats` leaves out: counters, ages, and a zero cookie or table.
fn without_counters(line: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let (head, actions) = line.split_once("actions=").unwrap();
    let items: Vec<&str> = head.split(", ").collect();
    for item in items {
        let counter = [
            "duration=",
            "n_packets=",
            "n_bytes=",
            "idle_age=",
            "hard_age=",
        ]
        .iter()
        .any(|name| item.starts_with(name));
        let zero = item == "cookie=0x0" || item == "table=0";
        if !counter && !zero {
            kept.push(item);
        }
    }
    format!("{}actions={actions}", kept.join(", "))
}
