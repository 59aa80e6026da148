//! The table, in Markdown.

use std::fmt::Write as _;

use super::Row;
use super::rate::Rate;

pub fn table(rows: &[Row]) -> String {
    let mut out = String::new();
    let head = [
        "flows per second of one core",
        "this crate",
        "copying the same bytes",
        "of it",
        "other",
        "this crate is faster by",
    ];
    line(&mut out, &head.map(str::to_owned));
    line(
        &mut out,
        &["---", "---:", "---:", "---:", "---:", "---:"].map(str::to_owned),
    );
    for row in rows {
        let share = row
            .floor
            .map(|floor| format!("{:.1} %", 100.0 * row.ours.median / floor.median));
        let other = row
            .other
            .map(|(name, rate)| format!("{name} {}", shown(rate)));
        let ratio = row
            .other
            .map(|(_, rate)| format!("{:.1}×", row.ours.median / rate.median));
        let or_none = |cell: Option<String>| cell.unwrap_or_default();
        line(
            &mut out,
            &[
                row.what.to_owned(),
                shown(row.ours),
                or_none(row.floor.map(shown)),
                or_none(share),
                or_none(other),
                or_none(ratio),
            ],
        );
    }
    out
}

fn line(out: &mut String, cells: &[String]) {
    let _ = writeln!(out, "| {} |", cells.join(" | "));
}

/// The median and how far samples are from it.
fn shown(rate: Rate) -> String {
    format!("{} ± {:.0} %", number(rate.median), 100.0 * rate.spread())
}

pub fn number(rate: f64) -> String {
    match rate {
        1e5.. => format!("{:.2} M", rate / 1e6),
        _ => format!("{:.1} k", rate / 1e3),
    }
}
