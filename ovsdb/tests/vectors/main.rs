//! Test vectors: lines of JSON that say what goes in and what must come out.
//!
//! `VECTORS_DIR=DIR cargo test -p vifd-ovsdb --test vectors` runs every file of `DIR/ovsdb`;
//! without the variable the recorded files of this crate run. Kinds that describe a server
//! run against a real ovsdb-server. Each file's numbers of passed and failed vectors are
//! printed. A disagreement is a failure unless `known.rs` lists it with what ovsdb-server or
//! ovsdb-tool says instead.

#[path = "../harness/mod.rs"]
mod harness;

mod direct;
mod known;
mod monitor;
mod reason;
mod server;
mod typed;

use ovsdb::json::{Json, parse, text};
use std::path::PathBuf;

/// One vector.
pub struct Vector {
    pub name: String,
    pub kind: String,
    pub json: Json,
}

impl Vector {
    /// Positional arguments.
    pub fn args(&self) -> Vec<&str> {
        let args = self
            .json
            .member("args")
            .and_then(Json::as_array)
            .unwrap_or_default();
        args.iter()
            .map(|a| a.as_str().expect("argument is a string"))
            .collect()
    }

    /// The expected text.
    pub fn text(&self) -> Option<&str> {
        self.json.member("text").and_then(Json::as_str)
    }

    /// The expected error, if the vector must fail.
    pub fn error(&self) -> Option<&str> {
        self.json.member("expect_error").and_then(Json::as_str)
    }

    pub fn member(&self, name: &str) -> &Json {
        self.json.member(name).unwrap_or(&Json::Null)
    }
}

/// Parses an argument as JSON; arguments that must be wrapped to be JSON texts are unwrapped.
pub fn argument(arg: &str) -> Json {
    let json = parse(&text::encode(arg)).unwrap_or_else(|e| panic!("{arg}: {e}"));
    match json {
        Json::Array(mut elements) if elements.len() == 1 => elements.remove(0),
        other => other,
    }
}

/// Canonical text with 15 digits, as ovsdb-server prints it.
pub fn canonical(json: &Json) -> String {
    let mut out = Vec::new();
    ovsdb::json::write_pretty_real(json, Some(15), &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn run(vector: &Vector) -> Result<(), String> {
    match vector.kind.as_str() {
        "execute" | "transact" | "query" | "query-distinct" | "round-trip" => server::run(vector),
        "monitor" => monitor::run(vector),
        _ => direct::run(vector),
    }
}

/// A vector that makes the runner panic fails alone.
fn run_one(vector: &Vector) -> Result<(), String> {
    let run = std::panic::AssertUnwindSafe(|| run(vector));
    std::panic::catch_unwind(run).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        Err(format!("panics: {}", text.unwrap_or_default()))
    })
}

/// Python writes bytes that are not UTF-8 as lone surrogates U+DC80 to U+DCFF.
fn load_line(line: &str) -> Vector {
    let mut bytes = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.find("\\udc") {
        let (before, escape) = rest.split_at(at);
        bytes.extend_from_slice(before.as_bytes());
        let pair = before.len() >= 6
            && before[before.len() - 6..].starts_with("\\ud")
            && matches!(before.as_bytes()[before.len() - 3], b'8'..=b'9' | b'a'..=b'b');
        let byte = u8::from_str_radix(&escape[4..6], 16).unwrap();
        if pair || byte < 0x80 {
            bytes.extend_from_slice(&escape.as_bytes()[..6]);
        } else {
            bytes.push(byte);
        }
        rest = &escape[6..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    let json = parse(&bytes).unwrap_or_else(|e| panic!("{line}: {e}"));
    let string = |name: &str| json.member(name).and_then(Json::as_str).unwrap().to_owned();
    Vector {
        name: string("name"),
        kind: string("kind"),
        json,
    }
}

#[test]
fn vectors() {
    let dir = match std::env::var_os("VECTORS_DIR") {
        Some(dir) => PathBuf::from(dir).join("ovsdb"),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors"),
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(&dir)
        .unwrap_or_else(|e| panic!("{}: {e}", dir.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "jsonl"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{}: no vectors", dir.display());
    let (mut failures, mut known_seen) = (Vec::new(), 0);
    for file in files {
        let content = std::fs::read_to_string(&file).unwrap();
        let (mut passed, mut failed) = (0, 0);
        for line in content.lines().filter(|l| !l.trim().is_empty()) {
            let vector = load_line(line);
            match (run_one(&vector), known::disagreement(&vector)) {
                (Ok(()), None) => passed += 1,
                (Ok(()), Some(_)) => {
                    failed += 1;
                    failures.push(format!("{}: listed as known, but agrees", vector.name));
                }
                (Err(why), Some(known)) => {
                    failed += 1;
                    known_seen += 1;
                    println!("known: {}: {}\n{why}", vector.name, known.why);
                    if let Err(why) = (known.shown)(&vector) {
                        failures.push(format!("{}: not as listed: {why}", vector.name));
                    }
                }
                (Err(why), None) => {
                    failed += 1;
                    failures.push(format!("{}: {why}", vector.name));
                }
            }
        }
        assert!(passed + failed > 0, "{}: empty", file.display());
        let name = file.file_name().unwrap().to_string_lossy();
        println!("{name}: {passed} passed, {failed} failed");
    }
    println!("{known_seen} known disagreements");
    assert!(
        failures.is_empty(),
        "{} vectors:\n{}",
        failures.len(),
        failures.join("\n")
    );
}
