//! The same 100 000 flows through this crate, os-ken and ovs-ofctl, in one table with ratios and
//! a plot. `cargo bench -p vifd-ofproto --bench compare`.
//!
//! os-ken runs in the Python named by `OS_KEN_PYTHON` (default `python3`; `pip install os-ken`),
//! ovs-ofctl is taken from the path. What is not installed is shown as such. Every figure is the
//! best of several runs, on one core; programs are charged without the time they need to start.

mod flows;

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use flows::{dump, encode_all, flows, split};
use ofproto::conn::Batch;
use ofproto::matching::{FieldId, Match};
use ofproto::msg::{FlowMod, Message};
use ofproto::text::{Verbosity, flow_line, print_message};
use ofproto::view::flow_views;

const COUNT: u32 = 100_000;
/// os-ken gets fewer, so that a run takes seconds.
const OS_KEN_COUNT: u32 = 20_000;
const RUNS: u32 = 5;

struct Row {
    what: &'static str,
    ours: f64,
    floor: Option<f64>,
    os_ken: Option<f64>,
    ofctl: Option<f64>,
}

/// Flows per second, the best of several runs.
fn rate(count: u32, mut run: impl FnMut()) -> f64 {
    let best = (0..RUNS).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed()
    });
    f64::from(count) / best.min().unwrap_or_default().as_secs_f64().max(1e-9)
}

fn main() {
    let dir = std::env::temp_dir().join(format!("ofproto-compare-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a temporary directory");
    let rows = measure(&dir);
    std::fs::remove_dir_all(&dir).expect("own temporary directory");
    print!("{}", table(&rows));
    let plot = target_dir().join("ofproto-compare.svg");
    std::fs::write(&plot, svg(&rows)).expect("the plot");
    println!("plot: {}", plot.display());
}

fn target_dir() -> std::path::PathBuf {
    let fallback = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    let dir = std::env::var_os("CARGO_TARGET_DIR").map_or_else(fallback, Into::into);
    std::fs::create_dir_all(&dir).expect("the target directory");
    dir
}

fn measure(dir: &Path) -> Vec<Row> {
    let all = flows(COUNT);
    let mut bytes = Vec::new();
    encode_all(&all, &mut bytes);
    let parts = dump(&all);
    let lines: Vec<String> = all.iter().map(flow_line).collect();

    let (mut copy, mut batch) = (Vec::new(), Batch::new());
    let copied = rate(COUNT, || {
        copy.clear();
        split(&bytes).for_each(|message| copy.extend_from_slice(black_box(message)));
    });
    let dump_copied = rate(COUNT, || {
        copy.clear();
        parts
            .iter()
            .for_each(|part| copy.extend_from_slice(black_box(part)));
    });
    let encode = rate(COUNT, || {
        batch.clear();
        batch.extend(black_box(&all));
    });
    let decode = rate(COUNT, || {
        for message in split(&bytes) {
            let _ = black_box(Message::decode(message));
        }
    });
    let views = rate(COUNT, || {
        let flows = parts
            .iter()
            .flat_map(|part| flow_views(part).expect("a dump"));
        black_box(flows.fold(0, |sum: u64, flow| sum ^ flow.expect("a flow").cookie()));
    });
    let dump_decode = rate(COUNT, || {
        for part in &parts {
            let _ = black_box(Message::decode(part));
        }
    });
    let print = rate(COUNT, || {
        for message in split(&bytes) {
            black_box(print_message(message, Verbosity::NORMAL));
        }
    });
    // What ovs-ofctl parse-flows does: read, encode, decode, print.
    let chain = rate(COUNT, || {
        for line in &lines {
            let flow: FlowMod = line.parse().expect("own text");
            let message = Message::FlowMod(flow).to_bytes(0).expect("a flow");
            black_box(print_message(&message, Verbosity::NORMAL));
        }
    });
    let os_ken = os_ken(dir);
    let ofctl = ofctl(dir, &bytes, &lines);
    let row = |what, ours, floor, os_ken, ofctl| Row {
        what,
        ours,
        floor,
        os_ken,
        ofctl,
    };
    vec![
        row(
            "encode NXT_FLOW_MOD",
            encode,
            Some(copied),
            os_ken.map(|rates| rates.0),
            None,
        ),
        row("decode NXT_FLOW_MOD", decode, Some(copied), None, None),
        row(
            "iterate a dump in place",
            views,
            Some(dump_copied),
            None,
            None,
        ),
        row(
            "decode a dump",
            dump_decode,
            Some(dump_copied),
            os_ken.map(|rates| rates.1),
            None,
        ),
        row(
            "decode and print",
            print,
            None,
            None,
            ofctl.map(|rates| rates.0),
        ),
        row(
            "read, encode, decode, print",
            chain,
            None,
            None,
            ofctl.map(|rates| rates.1),
        ),
    ]
}

/// Encoding and decoding rates of os-ken.
/// os-ken fails where it decodes ct_state or a register: two of the three kinds of flows remain,
/// with `tun_id` instead of the register.
fn known_to_os_ken(number: u32) -> Option<FlowMod> {
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

fn os_ken(dir: &Path) -> Option<(f64, f64)> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/os_ken_rates.py");
    let python = std::env::var("OS_KEN_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let file = dir.join("dump");
    let known: Vec<FlowMod> = (0..OS_KEN_COUNT).filter_map(known_to_os_ken).collect();
    std::fs::write(&file, dump(&known).concat()).expect("the dump");
    let count = known.len().to_string();
    let output = Command::new(python)
        .arg(script)
        .arg(file)
        .arg(count)
        .output()
        .ok()?;
    if !output.status.success() {
        eprintln!(
            "os-ken: {}",
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
        return None;
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut numbers = text.split_whitespace().map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// Rates of ofp-parse and parse-flows.
fn ofctl(dir: &Path, bytes: &[u8], lines: &[String]) -> Option<(f64, f64)> {
    let (stream, text, empty) = (dir.join("stream"), dir.join("flows"), dir.join("empty"));
    std::fs::write(&stream, bytes).expect("the stream");
    std::fs::write(&text, lines.join("\n") + "\n").expect("the flows");
    std::fs::write(&empty, "").expect("an empty file");
    let time = |args: &[&str], file: &Path| {
        let runs = (0..3).map(|_| {
            let start = Instant::now();
            let mut command = Command::new("ovs-ofctl");
            command
                .args(args)
                .arg(file)
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            let status = command.status().ok()?;
            status.success().then(|| start.elapsed().as_secs_f64())
        });
        runs.collect::<Option<Vec<f64>>>()?
            .into_iter()
            .reduce(f64::min)
    };
    let start_up = time(&["ofp-parse"], &empty)?;
    let rate = |seconds: f64| f64::from(COUNT) / (seconds - start_up).max(1e-9);
    let parse = rate(time(&["ofp-parse"], &stream)?);
    let read = rate(time(&["-F", "nxm+table_id", "parse-flows"], &text)?);
    Some((parse, read))
}

fn cell(rate: Option<f64>, ours: f64) -> (String, String) {
    match rate {
        Some(rate) => (millions(rate), format!("{:.1}x", ours / rate)),
        None => ("-".to_owned(), "-".to_owned()),
    }
}

fn millions(rate: f64) -> String {
    if rate >= 1e5 {
        format!("{:.2} M", rate / 1e6)
    } else {
        format!("{:.1} k", rate / 1e3)
    }
}

fn table(rows: &[Row]) -> String {
    let mut out = String::new();
    let head = [
        "flows per second",
        "ofproto",
        "copy",
        "share",
        "os-ken",
        "ratio",
        "ovs-ofctl",
        "ratio",
    ];
    let line = |out: &mut String, cells: [String; 8]| {
        let [first, rest @ ..] = cells;
        let _ = write!(out, "{first:<30}");
        for cell in &rest {
            let _ = write!(out, "{cell:>11}");
        }
        out.push('\n');
    };
    line(&mut out, head.map(str::to_owned));
    for row in rows {
        let (floor, _) = cell(row.floor, row.ours);
        let share = row.floor.map_or("-".to_owned(), |floor| {
            format!("{:.0}%", 100.0 * row.ours / floor)
        });
        let (os_ken, os_ken_ratio) = cell(row.os_ken, row.ours);
        let (ofctl, ofctl_ratio) = cell(row.ofctl, row.ours);
        let ours = millions(row.ours);
        line(
            &mut out,
            [
                row.what.to_owned(),
                ours,
                floor,
                share,
                os_ken,
                os_ken_ratio,
                ofctl,
                ofctl_ratio,
            ],
        );
    }
    out
}

/// Bars on a logarithmic scale from a thousand to a thousand million flows per second.
fn svg(rows: &[Row]) -> String {
    const LEFT: f64 = 220.0;
    const WIDTH: f64 = 560.0;
    let place = |rate: f64| LEFT + WIDTH * ((rate.log10() - 3.0) / 6.0).clamp(0.0, 1.0);
    let bars = |row: &Row| {
        [
            ("ofproto", Some(row.ours), "#2b6cb0"),
            ("copying the bytes", row.floor, "#a0aec0"),
            ("os-ken", row.os_ken, "#c05621"),
            ("ovs-ofctl", row.ofctl, "#2f855a"),
        ]
    };
    let mut body = String::new();
    let mut y = 40.0;
    for row in rows {
        let _ = writeln!(body, "<text x='10' y='{}'>{}</text>", y + 14.0, row.what);
        for (name, rate, colour) in bars(row) {
            let Some(rate) = rate else { continue };
            let end = place(rate);
            let _ = writeln!(
                body,
                "<rect x='{LEFT}' y='{y}' width='{:.1}' height='14' fill='{colour}'/>\
                 <text x='{:.1}' y='{}'>{} {name}</text>",
                end - LEFT,
                end + 5.0,
                y + 12.0,
                millions(rate)
            );
            y += 18.0;
        }
        y += 12.0;
    }
    for power in 3..=9 {
        let x = place(10f64.powi(power));
        let _ = writeln!(
            body,
            "<line x1='{x:.1}' y1='30' x2='{x:.1}' y2='{y}' stroke='#ddd'/>\
             <text x='{x:.1}' y='24' text-anchor='middle'>10^{power}</text>"
        );
    }
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='980' height='{}' \
         font-family='sans-serif' font-size='12'>\n<rect width='100%' height='100%' fill='white'/>\n\
         <text x='10' y='24'>flows per second, one core</text>\n{body}</svg>\n",
        y + 20.0
    )
}
