//! Recorded messages, matches, actions and flows against the codec and the text forms.
//!
//! With `VECTORS_DIR=DIR` every `DIR/openflow/*.jsonl` is run; an empty directory is a failure.
//! Without it the crate's own vectors under `vectors/` are run, which `vectors/README.md`
//! describes. Every vector goes in all directions it allows: bytes to value, value to bytes, text
//! to value, value to text. Passed, failed and out-of-scope are printed per file.
//!
//! A disagreement counts as known only when `vectors/known-disagreements.jsonl` explains it: each
//! entry names a difference that is looked for exactly, its cause, and what `ovs-ofctl` says on
//! the same input. More than 50 known disagreements are a failure.

#[path = "vectors/known.rs"]
mod known;
#[path = "vectors/run.rs"]
mod run;
#[path = "vectors/sweep.rs"]
mod sweep;
#[path = "vectors/vector.rs"]
mod vector;

use std::path::{Path, PathBuf};

use run::Outcome;
/// Where the vectors are, and whether the environment says so.
fn directory() -> PathBuf {
    match std::env::var_os("VECTORS_DIR") {
        Some(dir) => Path::new(&dir).join("openflow"),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/openflow"),
    }
}

#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
    known: usize,
    out_of_scope: usize,
}

#[test]
fn vectors() {
    let dir = directory();
    let files = vector::files(&dir);
    assert!(!files.is_empty(), "no vector files in {}", dir.display());
    let known = known::Known::load();
    let mut failures = Vec::new();
    let mut total = Tally::default();
    println!(
        "{:28} {:>7} {:>7} {:>7} {:>13}",
        "file", "passed", "failed", "known", "out of scope"
    );
    for file in files {
        let mut tally = Tally::default();
        for v in vector::load(&file) {
            for (direction, outcome) in run::all_directions(&v) {
                match outcome {
                    Outcome::Passed => tally.passed += 1,
                    Outcome::OutOfScope => tally.out_of_scope += 1,
                    Outcome::Differs { wanted, got } => {
                        if known.covers(&wanted, &got) {
                            tally.known += 1;
                        } else {
                            tally.failed += 1;
                            failures.push(format!(
                                "{} [{direction}]\n    wanted {wanted}\n    got    {got}",
                                v.name
                            ));
                        }
                    }
                    Outcome::Failed(why) => {
                        tally.failed += 1;
                        failures.push(format!("{} [{direction}]\n    {why}", v.name));
                    }
                }
            }
        }
        print_row(&vector::file_name(&file), &tally);
        total.passed += tally.passed;
        total.failed += tally.failed;
        total.known += tally.known;
        total.out_of_scope += tally.out_of_scope;
    }
    print_row("total", &total);
    assert!(total.passed > 0, "nothing was checked");
    assert!(
        failures.is_empty(),
        "{} failed:\n{}",
        failures.len(),
        failures.join("\n")
    );
    assert!(
        total.known <= 50,
        "{} known disagreements are too many",
        total.known
    );
}

fn print_row(name: &str, t: &Tally) {
    println!(
        "{name:28} {:7} {:7} {:7} {:13}",
        t.passed, t.failed, t.known, t.out_of_scope
    );
}

/// Every vector's bytes, cut, stretched and flipped: a typed error or a value, and a value has a
/// fixed point.
#[test]
fn sweeps() {
    let dir = directory();
    let mut done = sweep::Report::default();
    for file in vector::files(&dir) {
        for v in vector::load(&file) {
            if let Some(bytes) = v.hex() {
                sweep::all(&v.name, &v.kind, &bytes, &mut done);
            }
        }
    }
    println!("{done}");
    assert!(done.inputs() > 0, "nothing was swept");
}

/// The same over the crate's own vectors, whatever the environment says.
#[test]
fn own_vectors_have_an_origin() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/openflow");
    let mut n = 0;
    for file in vector::files(&dir) {
        for v in vector::load(&file) {
            assert!(!v.source.is_empty(), "{} has no origin", v.name);
            n += 1;
        }
    }
    assert!(n > 0, "no own vectors");
}

#[test]
fn known_list_is_short_and_explained() {
    let known = known::Known::load();
    assert!(known.len() <= 50, "{} known disagreements", known.len());
    known.assert_explained();
}
