//! From a saved text to the kernel: `restore` and `diff`.

use std::io::Read;

use nft::batch::Batch;
use nft::conn::{Outcome, Request};
use nft::diff::{self, Change};
use nft::net::NetError;
use nft::ruleset::Ruleset;
use nft::text::change::lines;
use serde_json::{Value, json};

use super::super::failure::{Failure, Kind};
use super::super::output::{Output, say};
use super::kernel::{ATTEMPTS, explain, open, picture};
use super::pattern::Patterns;

/// Brings saved tables back: all of them or nothing
#[derive(clap::Args, Clone, PartialEq, Eq, Debug)]
#[command(
    long_about = "Brings saved tables back. Afterwards the tables that --table names (default vifd, vifd-*) are exactly \
    those of the file: what differs is changed, what is not in the file is removed, what is equal is not touched and goes \
    on counting. Everything happens in one batch, which the kernel applies as a whole or not at all; no packet meets a \
    half of it."
)]
pub(super) struct RestoreArgs {
    /// File that `save` has written; - or nothing is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    file: String,
    /// Remove the tables if the file holds none at all
    #[arg(long)]
    allow_empty: bool,
    /// Only ask the kernel whether it would take it, and change nothing
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    output: Output,
}

/// Prints what `restore` would change
#[derive(clap::Args, Clone, PartialEq, Eq, Debug)]
#[command(
    long_about = "Prints what `restore FILE` would change, or what leads from the tables of one file to those of \
    another. Lines with + would be added, lines with - removed; a rule or element that differs has both. The exit code is \
    1 if they differ."
)]
pub(super) struct DiffArgs {
    /// What should be: a file that `save` has written; - is standard input
    #[arg(value_name = "FILE")]
    wanted: String,
    /// What is: another such file [default: the kernel]
    #[arg(value_name = "OTHER")]
    observed: Option<String>,
    #[command(flatten)]
    output: Output,
}

pub(super) fn restore(
    netns: Option<&str>,
    tables: &Patterns,
    args: &RestoreArgs,
) -> Result<(), Failure> {
    let wanted = read(&args.file, tables)?;
    let mut client = open(netns)?;
    for _ in 0..ATTEMPTS {
        let there = picture(&mut client, tables)?;
        if wanted.tables.is_empty() && !args.allow_empty {
            refuse_empty(&args.file, &there.ruleset)?;
        }
        let changes = changes(&wanted, &there.ruleset, tables);
        let batch: Batch = changes.iter().collect();
        let shown = Shown::of(&changes, &wanted, &there.ruleset);
        if args.check {
            let trial = batch.encode_trial().map_err(|e| explain(&e.into()))?;
            return match client.run(Request::Commit(trial)) {
                Ok(Outcome::Committed { .. }) => shown.tell(args.output, "would make"),
                Ok(Outcome::Refused(errors)) => Err(explain(&NetError::Refused(errors))),
                Ok(other) => Err(explain(&NetError::Unexpected(Box::new(other)))),
                Err(error) => Err(explain(&error.into())),
            };
        }
        match client.commit(batch, Some(there.generation)) {
            Ok(_) => return shown.tell(args.output, "made"),
            Err(NetError::Stale) => {}
            Err(error) => return Err(explain(&error)),
        }
    }
    Err(Failure::text(
        Kind::Failed,
        format!(
            "others changed the ruleset during each of {ATTEMPTS} attempts, nothing was changed; try again"
        ),
    ))
}

pub(super) fn diff(netns: Option<&str>, tables: &Patterns, args: &DiffArgs) -> Result<(), Failure> {
    let wanted = read(&args.wanted, tables)?;
    let (observed, name) = match &args.observed {
        Some(file) => (read(file, tables)?, file.as_str()),
        None => (picture(&mut open(netns)?, tables)?.ruleset, "the kernel"),
    };
    let shown = Shown::of(&changes(&wanted, &observed, tables), &wanted, &observed);
    if args.output.json {
        args.output.print(&shown.json(), |_| String::new())?;
    } else if !shown.lines.is_empty() {
        say(&shown.lines.join("\n"))?;
    }
    match shown.lines.len() {
        0 => Ok(()),
        _ => Err(Failure::text(
            Kind::Failed,
            format!("{name} differs from {}", named(&args.wanted)),
        )),
    }
}

/// A file without tables is rather the result of a mistake, such as another --table when it was saved.
fn refuse_empty(file: &str, there: &Ruleset) -> Result<(), Failure> {
    let tables: Vec<String> = there
        .tables
        .keys()
        .map(|(family, name)| format!("{} {name}", family.name().unwrap_or("unknown")))
        .collect();
    if tables.is_empty() {
        return Ok(());
    }
    Err(Failure::text(
        Kind::Usage,
        format!(
            "{} holds no table, and restoring it would remove {}: nothing was changed. If that is meant, add --allow-empty",
            named(file),
            tables.join(", ")
        ),
    ))
}

fn changes(wanted: &Ruleset, there: &Ruleset, tables: &Patterns) -> Vec<Change> {
    diff::ruleset(wanted, there, |family, name| tables.allow(family, name))
}

/// Changes as they are told.
struct Shown {
    lines: Vec<String>,
}

impl Shown {
    fn of(changes: &[Change], wanted: &Ruleset, there: &Ruleset) -> Shown {
        let lines = changes.iter().flat_map(|c| lines(c, wanted, there));
        Shown {
            lines: lines.collect(),
        }
    }

    fn json(&self) -> Value {
        let of = |sign: &str| -> Vec<&str> {
            let lines = self.lines.iter();
            lines.filter_map(|line| line.strip_prefix(sign)).collect()
        };
        json!({ "add": of("+ "), "remove": of("- ") })
    }

    fn tell(&self, output: Output, done: &str) -> Result<(), Failure> {
        output.print(&self.json(), |_| match self.lines.len() {
            0 => "nothing to change".to_owned(),
            1 => format!("{done} 1 change"),
            many => format!("{done} {many} changes"),
        })
    }
}

fn named(file: &str) -> &str {
    if file == "-" { "standard input" } else { file }
}

/// Reads a saved text. A table that may not be touched is an error: part of a file is not what was asked for.
fn read(file: &str, tables: &Patterns) -> Result<Ruleset, Failure> {
    let mut text = String::new();
    let result = match file {
        "-" => std::io::stdin().read_to_string(&mut text).map(drop),
        path => std::fs::read_to_string(path).map(|content| text = content),
    };
    let name = named(file);
    result.map_err(|e| Failure::text(Kind::Usage, format!("cannot read {name}: {e}")))?;
    let ruleset = Ruleset::restore(&text).map_err(|e| {
        let hint = match text.trim_start().starts_with('{') {
            true => "\nthis looks like JSON; only the text that `vifd nft save` writes without --json restores",
            false => "",
        };
        let text = format!("{name}: {}{hint}", e.pointing_into(&text));
        Failure::text(Kind::Usage, text)
    })?;
    for (family, table) in ruleset.tables.keys() {
        if !tables.allow(*family, table) {
            let family = family.name().unwrap_or("unknown");
            return Err(Failure::text(
                Kind::Usage,
                format!(
                    "{name} holds the table {family} {table}, which is not among {tables}; nothing was changed. \
                     --table {family}/{table} names it"
                ),
            ));
        }
    }
    Ok(ruleset)
}
