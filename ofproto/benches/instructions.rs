//! CPU instructions per flow, counted by callgrind: the same on every machine and under any load.
//! `cargo bench -p vifd-ofproto --bench instructions`, with valgrind installed.
//!
//! The program runs itself under valgrind with two sizes of each workload; the difference is free
//! of start-up and preparation.

mod flows;

use std::hint::black_box;
use std::process::Command;

use flows::{dump, encode_all, flows, split};
use ofproto::conn::Batch;
use ofproto::msg::{FlowMod, Message};
use ofproto::text::flow_line;
use ofproto::view::flow_views;

const WORKLOADS: [&str; 6] = ["encode", "decode", "views", "decode dump", "print", "parse"];
const FLOWS: u32 = 500;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, marker, name, repeat] = &arguments[..]
        && marker == "workload"
    {
        let repeat = repeat.parse().expect("a number");
        return run(name, repeat);
    }
    println!("{:<14}{:>22}", "per flow", "instructions");
    for name in WORKLOADS {
        let (once, thrice) = (count(name, 1), count(name, 3));
        let each = thrice.saturating_sub(once) as f64 / f64::from(2 * FLOWS);
        println!("{name:<14}{each:>22.0}");
    }
}

/// Instructions of a whole run.
fn count(name: &str, repeat: u32) -> u64 {
    let program = std::env::current_exe().expect("own path");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(["workload", name, &repeat.to_string()])
        .output()
        .expect("valgrind: install the package valgrind");
    let log = String::from_utf8_lossy(&output.stderr);
    let collected = log.lines().find_map(|line| line.split_once("Collected : "));
    let (_, number) = collected.unwrap_or_else(|| panic!("callgrind says:\n{log}"));
    number.trim().parse().expect("a count")
}

fn run(name: &str, repeat: u32) {
    let all = flows(FLOWS);
    let mut bytes = Vec::new();
    encode_all(&all, &mut bytes);
    let parts = dump(&all);
    let lines: Vec<String> = all.iter().map(flow_line).collect();
    let mut batch = Batch::new();
    for _ in 0..repeat {
        match name {
            "encode" => {
                batch.clear();
                batch.extend(black_box(&all));
            }
            "decode" => split(&bytes).for_each(|message| {
                let _ = black_box(Message::decode(message));
            }),
            "views" => {
                let views = parts
                    .iter()
                    .flat_map(|part| flow_views(part).expect("a dump"));
                black_box(views.fold(0, |sum, flow| sum ^ flow.expect("a flow").cookie()));
            }
            "decode dump" => parts.iter().for_each(|part| {
                let _ = black_box(Message::decode(part));
            }),
            "print" => all.iter().for_each(|flow| {
                black_box(flow_line(flow));
            }),
            "parse" => lines.iter().for_each(|line| {
                black_box(line.parse::<FlowMod>()).expect("own text");
            }),
            other => panic!("unknown workload {other}"),
        }
    }
}
