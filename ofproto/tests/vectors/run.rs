//! One vector in all directions it allows.

use ofproto::action::ActionList;
use ofproto::codec::{Codec, Reader, Writer};
use ofproto::error::OfpError;
use ofproto::header::Version;
use ofproto::matching::{FixedMatch, Form, Match, MatchOptions};
use ofproto::msg::{ErrorMsg, FlowMod, FlowModCommand, FlowModForm, Message};
use ofproto::of14::Message14;
use ofproto::text::{Verbosity, nxm_from_str, nxm_to_string, parse_flow_mod};

use super::vector::{Vector, hex};

pub enum Outcome {
    Passed,
    Differs { wanted: String, got: String },
    Failed(String),
    OutOfScope,
}

type Results = Vec<(&'static str, Outcome)>;

fn same<T: PartialEq + std::fmt::Display>(got: &T, wanted: &T) -> Outcome {
    if got == wanted {
        Outcome::Passed
    } else {
        Outcome::Differs {
            wanted: wanted.to_string(),
            got: got.to_string(),
        }
    }
}

fn same_bytes(got: &[u8], wanted: &[u8]) -> Outcome {
    same(&hex(got), &hex(wanted))
}

fn failed(what: &str, e: impl std::fmt::Display) -> Outcome {
    Outcome::Failed(format!("{what}: {e}"))
}

fn version(v: &Vector) -> Version {
    match v.version.as_deref() {
        Some("1.0") => Version::OF10,
        Some("1.1") => Version::OF11,
        Some("1.2") => Version::OF12,
        Some("1.3") => Version::OF13,
        Some("1.4") => Version::OF14,
        Some("1.5") => Version::OF15,
        _ => Version(0),
    }
}

pub fn all_directions(v: &Vector) -> Results {
    match v.kind.as_str() {
        "message" => message(v),
        "encode-error-reply" => error_reply(v),
        "print-error" => print_error(v),
        "actions" | "instructions" if v.is_version("1.0") => actions(v),
        "match-strict" => nx_match(v, false),
        "match-loose" => nx_match(v, true),
        "ofp10-match" => fixed_match(v),
        "flow-text" => flow_text(v),
        "flow-mod-encode" => flow_mod(v),
        "flow-mod-14" => flow_mod_14(v),
        "openflow-fuzz-input" => fuzz_input(v),
        // Structures of other versions, packets and JSON.
        "actions" | "instructions" | "ofp11-match" | "packet-fuzz-input" | "json-fuzz-input" => {
            vec![("bytes to value", Outcome::OutOfScope)]
        }
        other => vec![("kind", Outcome::Failed(format!("unknown kind {other:?}")))],
    }
}

fn print_message(bytes: &[u8], verbosity: u8) -> String {
    ofproto::text::print_message(bytes, Verbosity(verbosity))
}

/// A message of another version: lossless or a typed error.
fn foreign(bytes: &[u8]) -> Results {
    let outcome = match Message::decode(bytes) {
        Ok((h, m)) => match m.to_bytes(h.xid) {
            Ok(back) if back == bytes => Outcome::OutOfScope,
            Ok(back) => same_bytes(&back, bytes),
            Err(e) => failed("encode", e),
        },
        Err(_) => Outcome::OutOfScope,
    };
    vec![("bytes to value", outcome)]
}

/// Decodes, encodes and decodes again: the values are equal.
fn fixed_point(bytes: &[u8]) -> Outcome {
    let (header, value) = match Message::decode(bytes) {
        Ok(v) => v,
        Err(e) => return failed("decode", e),
    };
    let back = match value.to_bytes(header.xid) {
        Ok(b) => b,
        Err(e) => return failed("encode", e),
    };
    match Message::decode(&back) {
        Ok((_, again)) if again == value => Outcome::Passed,
        Ok((_, again)) => Outcome::Failed(format!("{again:?}\n    is not {value:?}")),
        Err(e) => failed("decode again", e),
    }
}

/// Text without trailing blanks at line ends.
fn trimmed(text: &str) -> String {
    text.trim_end()
        .lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n")
}

fn message(v: &Vector) -> Results {
    let bytes = v.hex().expect("message bytes");
    let foreign_version = bytes.first() != Some(&1);
    if foreign_version && v.name.contains("ofp-errors") {
        return foreign_error(v, &bytes);
    }
    if foreign_version {
        return foreign(&bytes);
    }
    let mut results = Results::new();
    let verbosity = v.verbosity.unwrap_or(2);
    let text = v.text.as_deref().map(trimmed);
    let decoded = Message::decode(&bytes);
    let refused = v.expect_error.is_some()
        || text.as_deref().is_some_and(|t| {
            let first = t.lines().next().unwrap_or("");
            first.starts_with("(***") || first.contains("***decode error")
        });
    if refused {
        let outcome = match decoded {
            Err(e) => match &v.expect_error {
                Some(name) if name.starts_with("OFP") || name.starts_with("NX") => {
                    same(&e.code().to_string(), name)
                }
                _ => Outcome::Passed,
            },
            Ok(_) => Outcome::Failed("accepted".into()),
        };
        results.push(("bytes to error", outcome));
    } else {
        results.push(("bytes to value and back", fixed_point(&bytes)));
    }
    if let Some(text) = text {
        results.push((
            "bytes to text",
            same(&trimmed(&print_message(&bytes, verbosity)), &text),
        ));
    }
    results
}

/// Error messages of other versions: the registry knows them.
fn foreign_error(v: &Vector, bytes: &[u8]) -> Results {
    let text = v.text.clone().unwrap_or_default();
    let name = text
        .lines()
        .next()
        .and_then(|l| l.rsplit(' ').next())
        .unwrap_or("")
        .to_owned();
    let outcome = match ErrorMsg::from_message(bytes) {
        Ok((header, e)) => match e.error(header.version) {
            Some(error) => same(&error.name().to_owned(), &name),
            None => Outcome::Failed(format!("{:?} has no name, wanted {name}", e.code)),
        },
        Err(e) => failed("decode", e),
    };
    let mut results = foreign(bytes);
    results.push(("bytes to error name", outcome));
    results
}

fn error_reply(v: &Vector) -> Results {
    let request = v.hex().expect("request bytes");
    let name = v.text.as_deref().expect("error name");
    let outcome = match OfpError::from_name(name) {
        None => Outcome::Failed(format!("no error called {name}")),
        Some(error) => {
            let xid = request
                .get(4..8)
                .and_then(|b| <[u8; 4]>::try_from(b).ok())
                .expect("xid");
            let msg = ErrorMsg::new(error, version(v), &request);
            match msg.to_message(version(v), u32::from_be_bytes(xid)) {
                Ok(bytes) => same_bytes(&bytes, &v.canonical().expect("reply bytes")),
                Err(e) => failed("encode", e),
            }
        }
    };
    vec![("value to bytes", outcome)]
}

fn print_error(v: &Vector) -> Results {
    let name = v.error_name.as_deref().expect("error name");
    let Some(error) = OfpError::from_name(name) else {
        return vec![(
            "name to codes",
            Outcome::Failed(format!("no error called {name}")),
        )];
    };
    let mut text = String::new();
    for minor in 0..6u8 {
        if let Some(c) = error.code(Version(minor + 1)) {
            text += &format!(
                "OpenFlow 1.{minor}: vendor {:#x}, type {}, code {}\n",
                c.vendor, c.error_type, c.code
            );
        }
    }
    let text = text.replace("vendor 0x0,", "vendor 0,");
    vec![(
        "name to codes",
        same(&trimmed(&text), &trimmed(v.text.as_deref().unwrap_or(""))),
    )]
}

fn actions(v: &Vector) -> Results {
    let bytes = v.hex().expect("action bytes");
    let mut r = Reader::new(&bytes);
    let decoded = if v.kind == "actions" {
        ActionList::decode_strict_plain(&mut r)
    } else {
        // As the whole of a flow, they must fit a match too; here one of everything.
        ActionList::decode_strict(&mut r).and_then(|list| match list.check(&Match::new()) {
            Ok(()) => Ok(list),
            Err(code) => Err(ofproto::DecodeError::new(code, "actions", 0)),
        })
    };
    if let Some(name) = &v.expect_error {
        let outcome = match decoded {
            Err(e) => same(&e.code().to_string(), name),
            Ok(list) => Outcome::Failed(format!("accepted as {list:?}")),
        };
        return vec![("bytes to error", outcome)];
    }
    let list = match decoded {
        Ok(list) => list,
        Err(e) => return vec![("bytes to value", failed("decode", e))],
    };
    let mut results = vec![("bytes to value", Outcome::Passed)];
    let canonical = canonical_actions(v);
    results.push(match list.to_bytes() {
        Ok(back) => (
            "value to bytes",
            same_bytes(&back, &v.canonical().expect("bytes")),
        ),
        Err(e) => ("value to bytes", failed("encode", e)),
    });
    if let Some(text) = v.text.as_deref() {
        results.push((
            "value to text",
            same(&format!("actions={list}"), &text.to_owned()),
        ));
        let body = text.strip_prefix("actions=").unwrap_or(text);
        results.push((
            "text to value",
            match body.parse::<ActionList>() {
                Ok(parsed) => match parsed.to_bytes() {
                    Ok(back) => same_bytes(&back, &canonical),
                    Err(e) => failed("encode", e),
                },
                Err(e) => failed("parse", e),
            },
        ));
    }
    results
}

/// The bytes the text stands for: `max_len` of an output to a port that is not the controller has
/// no meaning and no text, and is zero.
fn canonical_actions(v: &Vector) -> Vec<u8> {
    let mut bytes = v.canonical().expect("action bytes");
    if !v.has_reencode() && bytes.len() == 8 && bytes[..2] == [0, 0] && bytes[2..4] != [0xff, 0xfd]
    {
        bytes[6..8].fill(0);
    }
    bytes
}

fn form(v: &Vector) -> Form {
    if v.is_version("nxm") {
        Form::Nxm
    } else {
        Form::Oxm(version(v))
    }
}

fn encode_match(m: &Match, form: Form) -> Vec<u8> {
    let mut buf = Vec::new();
    m.encode_fields(&mut Writer::new(&mut buf), form);
    buf
}

fn nx_match(v: &Vector, lenient: bool) -> Results {
    let bytes = v.hex().expect("match bytes");
    let options = MatchOptions {
        lenient,
        // Only Nicira's form has it.
        allow_cookie: v.is_version("nxm"),
    };
    let decoded = Match::decode_fields(&mut Reader::new(&bytes), options);
    let mut results = Results::new();
    if let Some(input) = v.input_text.as_deref() {
        let input = input.split('#').next().unwrap_or(input).trim_end();
        results.push(match nxm_from_str(input) {
            Ok(got) => ("text to bytes", same_bytes(&got, &bytes)),
            Err(e) => ("text to bytes", failed("parse", e)),
        });
    }
    if let Some(name) = &v.expect_error {
        results.push(match decoded {
            Err(e) => ("bytes to error", same(&e.code().to_string(), name)),
            Ok(m) => (
                "bytes to error",
                Outcome::Failed(format!("accepted as {m:?}")),
            ),
        });
        return results;
    }
    match decoded {
        Err(e) => results.push(("bytes to value", failed("decode", e))),
        Ok(m) => {
            let back = encode_match(&m, form(v));
            results.push((
                "value to bytes",
                same_bytes(&back, &v.canonical().expect("bytes")),
            ));
            if let Some(text) = v.text.as_deref() {
                results.push((
                    "value to text",
                    same(&nxm_to_string(&back), &text.to_owned()),
                ));
            }
        }
    }
    results
}

/// The bytes with don't-care nibbles zeroed.
fn masked(bytes: &[u8], mask: Option<&str>) -> String {
    let Some(mask) = mask else { return hex(bytes) };
    hex(bytes)
        .chars()
        .zip(mask.chars())
        .map(|(b, m)| if m == 'x' { '0' } else { b })
        .collect()
}

fn fixed_match(v: &Vector) -> Results {
    let bytes = v.hex().expect("match bytes");
    let fixed = match FixedMatch::from_bytes(&bytes) {
        Ok(f) => f,
        Err(e) => return vec![("bytes to value", failed("decode", e))],
    };
    let as_is = fixed.to_match_as_is();
    let encode = |m: &Match| FixedMatch::from_match(m).0.to_bytes().expect("fixed match");
    let canonical = v.canonical().expect("match bytes");
    let mut results = vec![("bytes to bytes", {
        let back = encode(&as_is);
        if v.has_reencode() {
            same_bytes(&back, &canonical)
        } else {
            let mask = v.hex_mask.as_deref();
            same(&masked(&back, mask), &masked(&canonical, mask))
        }
    })];
    if let Some(text) = v.text.as_deref() {
        results.push(("value to text", same(&as_is.to_string(), &text.to_owned())));
        if v.normalized().is_none() && v.expect_error.is_none() {
            results.push(match text.parse::<Match>() {
                Ok(m) => ("text to value", same(&m.to_string(), &as_is.to_string())),
                Err(e) => ("text to value", failed("parse", e)),
            });
        }
    }
    if let Some(normalized) = v.normalized() {
        results.push((
            "normalisation",
            same_bytes(&encode(&fixed.to_match()), &normalized),
        ));
    }
    results
}

/// Whether the flow was asked for or printed in another version.
fn is_foreign_text(v: &Vector) -> bool {
    let asked = v.options.as_deref().unwrap_or("");
    let later = |minor: u8| asked.contains(&format!("OpenFlow1{minor}"));
    // `OFPT_FLOW_MOD (OF1.3): ADD ...`
    let printed = v.text.as_deref().unwrap_or("");
    let named = printed.split(": ").next().unwrap_or("");
    (1..=5).any(later) || asked.contains("OXM") || named.contains("(OF1.")
}

/// The command word a line begins with, and the rest.
fn command(line: &str) -> (FlowModCommand, &str) {
    for (word, command) in [
        ("modify_strict", FlowModCommand::MODIFY_STRICT),
        ("modify", FlowModCommand::MODIFY),
        ("delete_strict", FlowModCommand::DELETE_STRICT),
        ("delete", FlowModCommand::DELETE),
        ("add", FlowModCommand::ADD),
    ] {
        if let Some(rest) = line
            .strip_prefix(word)
            .filter(|r| r.starts_with([' ', ',']))
        {
            return (command, rest.trim_start_matches([' ', ',']));
        }
    }
    (FlowModCommand::ADD, line)
}

fn parse_line(line: &str) -> Result<FlowMod, ofproto::text::TextError> {
    let (command, rest) = command(line);
    parse_flow_mod(rest, command)
}

/// The flow as printed, without the message name and the table that `ovs-ofctl` shows when none
/// was given.
fn flow_body(printed: &str) -> String {
    let body = printed.split_once(": ").map_or(printed, |(_, body)| body);
    body.replace("table:255 ", "")
}

fn flow_text(v: &Vector) -> Results {
    let input = v.input_text.as_deref().expect("flow text");
    let parsed = parse_line(input);
    if v.expect_error.is_some() {
        return vec![(
            "text to error",
            match parsed {
                Err(_) => Outcome::Passed,
                Ok(f) => Outcome::Failed(format!("accepted as {f}")),
            },
        )];
    }
    if is_foreign_text(v) {
        return vec![("text to value", Outcome::OutOfScope)];
    }
    let text = v.text.as_deref().expect("flow text");
    let flow = match parsed {
        Ok(flow) => flow,
        Err(e) => return vec![("text to value", failed("parse", e))],
    };
    let wanted = flow_body(text);
    let got = if v.options.as_deref().is_some_and(|o| o.contains("-mmm")) {
        print_nx(&flow)
    } else {
        flow.to_string()
    };
    let mut results = vec![("text to value to text", same(&flow_body(&got), &wanted))];
    let again = ofproto::text::flow_line(&flow);
    results.push(match parse_line(&again) {
        Ok(back) => (
            "value to text to value",
            same(&format!("{back:?}"), &format!("{flow:?}")),
        ),
        Err(e) => ("value to text to value", failed(&again, e)),
    });
    results
}

/// The flow as `NXT_FLOW_MOD` with its match shown field by field.
fn print_nx(flow: &FlowMod) -> String {
    let flow = FlowMod {
        form: FlowModForm::Nx,
        table: 0,
        ..flow.clone()
    };
    match Message::FlowMod(flow).to_bytes(0) {
        Ok(bytes) => trimmed(&print_message(&bytes, 3)),
        Err(e) => e.to_string(),
    }
}

fn flow_mod(v: &Vector) -> Results {
    let bytes = v.hex().expect("flow mod bytes");
    if bytes.first() != Some(&1) {
        return foreign(&bytes);
    }
    let (header, value) = match Message::decode(&bytes) {
        Ok(d) => d,
        Err(e) => return vec![("bytes to value", failed("decode", e))],
    };
    let mut results = vec![(
        "value to bytes",
        match value.to_bytes(header.xid) {
            Ok(back) => same_bytes(&back, &bytes),
            Err(e) => failed("encode", e),
        },
    )];
    if let Some(printed) = v.printed.as_deref() {
        let verbosity = if v.options.as_deref().is_some_and(|o| o.contains("-mmm")) {
            3
        } else {
            2
        };
        let got = print_message(&bytes, verbosity);
        results.push((
            "value to text",
            same(&flow_body(trimmed(&got).as_str()), &flow_body(printed)),
        ));
    }
    if let (Some(text), Message::FlowMod(decoded)) = (v.text.as_deref(), &value) {
        results.push((
            "text to bytes",
            match parse_line(text) {
                Ok(parsed) => {
                    let parsed = FlowMod {
                        form: decoded.form,
                        table: decoded.table,
                        ..parsed
                    };
                    match Message::FlowMod(parsed).to_bytes(header.xid) {
                        Ok(back) => same_bytes(&back, &bytes),
                        Err(e) => failed("encode", e),
                    }
                }
                Err(e) => failed("parse", e),
            },
        ));
    }
    results
}

/// A flow as OpenFlow 1.4 carries it: written, never read.
fn flow_mod_14(v: &Vector) -> Results {
    let bytes = v.hex().expect("flow mod bytes");
    let text = v.text.as_deref().expect("flow text");
    let outcome = match parse_line(text) {
        Ok(flow) => match Message14::FlowMod(Box::new(flow)).to_bytes(0) {
            Ok(got) => same_bytes(&got, &bytes),
            Err(e) => failed("encode", e),
        },
        Err(e) => failed("parse", e),
    };
    vec![("text to bytes", outcome)]
}

/// Any bytes: a typed error or a value that survives.
fn fuzz_input(v: &Vector) -> Results {
    let bytes = v.hex().expect("bytes");
    let _ = print_message(&bytes, 4);
    let outcome = match Message::decode(&bytes) {
        Err(_) => Outcome::Passed,
        Ok((h, m)) => match m.to_bytes(h.xid).map(|b| Message::decode(&b)) {
            Ok(Ok((_, again))) => same(&format!("{again:?}"), &format!("{m:?}")),
            Ok(Err(e)) => failed("decode again", e),
            // encap and decap are read but have no encoding on 1.0.
            Err(ofproto::EncodeError::Unsupported { .. }) => Outcome::Passed,
            Err(e) => failed("encode", e),
        },
    };
    vec![("bytes to value", outcome)]
}
