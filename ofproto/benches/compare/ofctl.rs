//! ovs-ofctl on the same flows, its output held against ours.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use super::COUNT;
use super::rate::Rate;

const SAMPLES: usize = 5;

/// Rates of `ofp-parse` on a stream of messages, which prints as `.1`, and of `parse-flows` on
/// lines, likewise.
pub fn rates(dir: &Path, stream: (&[u8], &str), lines: (&[String], &str)) -> Option<(Rate, Rate)> {
    let (messages, text, empty) = (dir.join("stream"), dir.join("flows"), dir.join("empty"));
    std::fs::write(&messages, stream.0).expect("the stream");
    std::fs::write(&text, lines.0.join("\n") + "\n").expect("the flows");
    std::fs::write(&empty, "").expect("an empty file");
    let parse = ["ofp-parse"];
    let read = ["-F", "nxm+table_id", "parse-flows"];
    check(&output(dir, &parse, &messages)?, stream.1);
    let read_output = output(dir, &read, &text)?;
    // The protocols come first, and every message has a number of its own.
    let (_, printed) = read_output.split_once("\nNXT_")?;
    check(
        &without_xid(&format!("NXT_{printed}")),
        &without_xid(lines.1),
    );
    let start_up = (0..SAMPLES)
        .map(|_| seconds(&parse, &empty))
        .min_by(f64::total_cmp)?;
    let rate = |args: &[&str], file| {
        let sample = |_| f64::from(COUNT) / (seconds(args, file) - start_up).max(1e-9);
        Rate::of((0..SAMPLES).map(sample).collect())
    };
    Some((rate(&parse, &messages), rate(&read, &text)))
}

fn check(theirs: &str, ours: &str) {
    let differ = theirs.lines().zip(ours.lines()).find(|(a, b)| a != b);
    assert_eq!(differ, None, "ovs-ofctl and this crate");
    assert_eq!(theirs.lines().count(), ours.lines().count());
}

/// What is printed, without the transaction numbers.
fn without_xid(text: &str) -> String {
    let lines = text.lines().map(|line| match line.split_once("): ") {
        Some((_, rest)) => format!("{rest}\n"),
        None => format!("{line}\n"),
    });
    lines.collect()
}

fn command(args: &[&str], file: &Path, output: Stdio) -> Option<()> {
    let mut command = Command::new("ovs-ofctl");
    command
        .args(args)
        .arg(file)
        .stdout(output)
        .stderr(Stdio::null());
    command.status().ok()?.success().then_some(())
}

/// What it prints; `None` when it is not installed.
fn output(dir: &Path, args: &[&str], file: &Path) -> Option<String> {
    let path = dir.join("output");
    command(args, file, File::create(&path).expect("a file").into())?;
    Some(std::fs::read_to_string(path).expect("text"))
}

/// Processor time of one run.
fn seconds(args: &[&str], file: &Path) -> f64 {
    let before = children();
    command(args, file, Stdio::null()).expect("ovs-ofctl");
    children() - before
}

/// Processor time of all children that have ended, from `/proc/self/stat`.
fn children() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("own state");
    let fields = stat.rsplit_once(')').expect("a name").1.split_whitespace();
    let ticks: f64 = fields
        .skip(13)
        .take(2)
        .map(|ticks| ticks.parse::<f64>().expect("ticks"))
        .sum();
    ticks / 100.0
}
