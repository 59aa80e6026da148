//! os-ken on the flows that it knows, its results held against ours.

use std::path::Path;
use std::process::Command;

use ofproto::matching::{FieldId, Match};
use ofproto::msg::{FlowMod, Message};

use super::flows::{self, split};
use super::rate::Rate;

/// os-ken fails where it decodes ct_state or a register: two of the three kinds of flows remain,
/// with `tun_id` instead of the register.
pub fn known(number: u32) -> Option<FlowMod> {
    let flow = flows::flow(number);
    let mut match_ = Match::new().with(FieldId::TUN_ID, u64::from(number));
    for criterion in flow.match_.iter() {
        match criterion.field {
            FieldId::CT_STATE => return None,
            FieldId::REG6 => {}
            field => match_ = match_.with(field, criterion.value),
        }
    }
    Some(FlowMod { match_, ..flow })
}

/// Encoding and decoding rates.
pub fn rates(dir: &Path, known: &[FlowMod], parts: &[Vec<u8>]) -> Option<(Rate, Rate)> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/compare/os_ken_rates.py");
    let python = std::env::var("OS_KEN_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let (dumped, encoded) = (dir.join("dump"), dir.join("encoded"));
    std::fs::write(&dumped, parts.concat()).expect("the dump");
    let numbers: Vec<String> = known.iter().map(number_of).collect();
    std::fs::write(dir.join("numbers"), numbers.join("\n")).expect("the numbers");
    let mut command = Command::new(python);
    command
        .arg(script)
        .args([&dumped, &dir.join("numbers"), &encoded]);
    let output = command.output().ok()?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        eprintln!("os-ken: {}", stderr.trim_end());
        return None;
    }
    check_encoded(&std::fs::read(encoded).expect("what os-ken encoded"), known);
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = text.lines();
    assert_eq!(lines.next()?, sums(known), "flows that os-ken decoded");
    let mut samples = lines.map(|line| {
        let samples = line
            .split_whitespace()
            .map(|sample| sample.parse().expect("a rate"));
        Rate::of(samples.collect())
    });
    Some((samples.next()?, samples.next()?))
}

fn number_of(flow: &FlowMod) -> String {
    (flow.cookie & u64::from(u32::MAX)).to_string()
}

/// Fails unless os-ken made the same flows.
fn check_encoded(bytes: &[u8], known: &[FlowMod]) {
    let decode = |message| match Message::decode(message) {
        Ok((_, Message::FlowMod(flow))) => flow,
        other => panic!("os-ken encoded {other:?}"),
    };
    let theirs: Vec<FlowMod> = split(bytes).map(decode).collect();
    assert!(theirs == known, "os-ken encoded other flows");
}

/// Flows, the exclusive or of their cookies, fields and actions.
fn sums(known: &[FlowMod]) -> String {
    let cookies = known.iter().fold(0u64, |sum, flow| sum ^ flow.cookie);
    let fields: usize = known.iter().map(|flow| flow.match_.iter().count()).sum();
    let actions: usize = known.iter().map(|flow| flow.actions.len()).sum();
    format!("{} {cookies} {fields} {actions}", known.len())
}
