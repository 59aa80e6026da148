//! The same flows through this crate, os-ken and ovs-ofctl: one table with ratios, and a plot.
//! `cargo bench -p vifd-ofproto --bench compare`.
//!
//! os-ken runs in the Python named by `OS_KEN_PYTHON` (default `python3`; `pip install os-ken`),
//! ovs-ofctl is taken from the path. What is not installed is left out. Before anything is timed,
//! the results of the other programs are held against this crate's: the work is equal.
//!
//! Every figure is the median of several samples of processor time, which other programs on the
//! machine disturb less than the time of day, with the least and the greatest sample.

#[path = "../flows.rs"]
mod flows;
mod ofctl;
mod os_ken;
mod plot;
mod rate;
mod table;

use std::hint::black_box;
use std::path::{Path, PathBuf};

use flows::{dump, encode_all, flows, split};
use ofproto::conn::Batch;
use ofproto::msg::{FlowMod, Message};
use ofproto::text::{Verbosity, flow_line, print_message};
use ofproto::view::flow_views;
use rate::{Rate, rate};

const COUNT: u32 = 100_000;
/// os-ken gets fewer, so that a run takes seconds.
const OS_KEN_COUNT: u32 = 20_000;

/// One line of the table.
struct Row {
    what: &'static str,
    ours: Rate,
    /// Copying the same bytes.
    floor: Option<Rate>,
    other: Option<(&'static str, Rate)>,
}

impl Row {
    fn floor(what: &'static str, ours: Rate, floor: Rate) -> Row {
        Row {
            what,
            ours,
            floor: Some(floor),
            other: None,
        }
    }

    fn other(what: &'static str, ours: Rate, name: &'static str, rate: Rate) -> Row {
        Row {
            what,
            ours,
            floor: None,
            other: Some((name, rate)),
        }
    }
}

fn main() {
    let dir = std::env::temp_dir().join(format!("ofproto-compare-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a temporary directory");
    let mut rows = own();
    rows.extend(beside_os_ken(&dir));
    rows.extend(beside_ofctl(&dir));
    std::fs::remove_dir_all(&dir).expect("own temporary directory");
    print!("{}", table::table(&rows));
    let plot = target_dir().join("ofproto-compare.svg");
    std::fs::write(&plot, plot::svg(&rows)).expect("the plot");
    println!("plot: {}", plot.display());
}

fn target_dir() -> PathBuf {
    let fallback = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    let dir = std::env::var_os("CARGO_TARGET_DIR").map_or_else(fallback, Into::into);
    std::fs::create_dir_all(&dir).expect("the target directory");
    dir
}

/// Copying messages one by one.
fn copying<'a>(count: u32, messages: impl Iterator<Item = &'a [u8]> + Clone) -> Rate {
    let mut copy = Vec::new();
    rate(count, || {
        copy.clear();
        let messages = messages.clone();
        messages.for_each(|message| copy.extend_from_slice(black_box(message)));
        black_box(&copy);
    })
}

fn encoding(flows: &[FlowMod]) -> Rate {
    let mut batch = Batch::new();
    rate(u32::try_from(flows.len()).expect("a count"), || {
        batch.clear();
        batch.extend(black_box(flows));
        black_box(batch.as_bytes());
    })
}

/// Decoding `parts`, which hold `count` flows in all.
fn decoding<'a>(count: u32, parts: impl Iterator<Item = &'a [u8]> + Clone) -> Rate {
    rate(count, || {
        for part in parts.clone() {
            black_box(Message::decode(black_box(part))).expect("own message");
        }
    })
}

fn own() -> Vec<Row> {
    let all = flows(COUNT);
    let mut bytes = Vec::new();
    encode_all(&all, &mut bytes);
    let parts = dump(&all);
    let parts = || parts.iter().map(Vec::as_slice);
    let lines: Vec<String> = all.iter().map(flow_line).collect();

    let copied = copying(COUNT, split(&bytes));
    let dump_copied = copying(COUNT, parts());
    let heads = rate(COUNT, || {
        let flows = parts().flat_map(|part| flow_views(black_box(part)).expect("a dump"));
        black_box(flows.fold(0, |sum, flow| sum ^ flow.expect("a flow").cookie()));
    });
    let whole = rate(COUNT, || {
        let flows = parts().flat_map(|part| flow_views(black_box(part)).expect("a dump"));
        let seen = flows.fold(0, |seen, flow| {
            let flow = flow.expect("a flow");
            let fields = flow.entries().filter(|entry| entry.field().is_some());
            seen + fields.count() + flow.actions().count()
        });
        black_box(seen);
    });
    let print = rate(COUNT, || {
        all.iter().for_each(|flow| {
            black_box(flow_line(black_box(flow)));
        });
    });
    let parse = rate(COUNT, || {
        for line in &lines {
            black_box(line.parse::<FlowMod>()).expect("own text");
        }
    });
    vec![
        Row::floor("encode NXT_FLOW_MOD", encoding(&all), copied),
        Row::floor(
            "decode NXT_FLOW_MOD",
            decoding(COUNT, split(&bytes)),
            copied,
        ),
        Row::floor("walk a dump in place: heads", heads, dump_copied),
        Row::floor("… heads, fields, actions", whole, dump_copied),
        Row::floor("decode a dump", decoding(COUNT, parts()), dump_copied),
        Row {
            what: "print a flow",
            ours: print,
            floor: None,
            other: None,
        },
        Row {
            what: "read a printed flow",
            ours: parse,
            floor: None,
            other: None,
        },
    ]
}

fn beside_os_ken(dir: &Path) -> Vec<Row> {
    let known: Vec<FlowMod> = (0..OS_KEN_COUNT).filter_map(os_ken::known).collect();
    let count = u32::try_from(known.len()).expect("a count");
    let parts = dump(&known);
    let Some((encode, decode)) = os_ken::rates(dir, &known, &parts) else {
        return Vec::new();
    };
    let ours = decoding(count, parts.iter().map(Vec::as_slice));
    vec![
        Row::other("encode NXT_FLOW_MOD", encoding(&known), "os-ken", encode),
        Row::other("decode a dump", ours, "os-ken", decode),
    ]
}

fn beside_ofctl(dir: &Path) -> Vec<Row> {
    let all = flows(COUNT);
    let mut bytes = Vec::new();
    encode_all(&all, &mut bytes);
    let lines: Vec<String> = all.iter().map(flow_line).collect();
    // What ovs-ofctl parse-flows does: read, encode, decode, print.
    let chain = |line: &String| {
        let flow: FlowMod = line.parse().expect("own text");
        let message = Message::FlowMod(flow).to_bytes(0).expect("a flow");
        print_message(&message, Verbosity::NORMAL)
    };
    let printed = |message: &[u8]| print_message(message, Verbosity::NORMAL);
    let all_printed: String = split(&bytes).map(printed).collect();
    let all_chained: String = lines.iter().map(chain).collect();
    let Some((parse, read)) = ofctl::rates(dir, (&bytes, &all_printed), (&lines, &all_chained))
    else {
        return Vec::new();
    };
    let print = rate(COUNT, || {
        split(&bytes).for_each(|message| {
            black_box(printed(black_box(message)));
        });
    });
    let chained = rate(COUNT, || {
        lines.iter().for_each(|line| {
            black_box(chain(black_box(line)));
        });
    });
    vec![
        Row::other("decode and print", print, "ovs-ofctl", parse),
        Row::other("read, encode, decode, print", chained, "ovs-ofctl", read),
    ]
}
