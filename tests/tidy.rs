//! Rules about the tree itself: directions of dependencies, calls that have one place, words that have none.
//!
//! The directions are those of ARCHITECTURE.md. A new module has to be added to [`DIRECTIONS`] before anything may use it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Module of `src/` → modules of `src/` that it may name.
const DIRECTIONS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("ops", &["model"]),
    ("plan", &["model", "ops"]),
    ("config", &["model"]),
    ("telemetry", &[]),
    ("store", &["model", "ops"]),
    ("source", &["model", "ops", "store", "telemetry"]),
    ("exec", &["model", "ops", "telemetry"]),
    ("admin", &["telemetry"]),
    (
        "agent",
        &[
            "admin",
            "config",
            "exec",
            "model",
            "ops",
            "plan",
            "source",
            "store",
            "telemetry",
        ],
    ),
    ("cli", &["admin", "agent", "config", "store", "telemetry"]),
    ("lib", &[]),
    ("main", &["cli"]),
];

/// Modules without IO, and what they may not name.
const PURE: &[&str] = &["model", "ops", "plan"];
const NOT_IN_PURE: &[&str] = &[
    "tokio",
    "std::time::Instant",
    "Instant::now",
    "SystemTime",
    "std::fs",
    "std::process",
    "std::net::TcpStream",
    "std::net::UdpSocket",
    "std::os::unix::net",
    "serde",
    "ofproto::conn",
    "ofproto::net",
    "ovsdb::conn",
    "ovsdb::net",
    "nft::conn::",
    "nft::conn;",
    "nft::net",
];

/// Crates of the protocols.
const PROTOCOLS: &[&str] = &["ofproto", "ovsdb", "nft"];
const NOT_IN_CODECS: &[&str] = &[
    "tokio",
    "rustls",
    "netlink_sys",
    "std::net::TcpStream",
    "std::net::UdpSocket",
    "std::os::unix::net",
    "Instant::now",
    "SystemTime::now",
    "std::fs",
    "std::process",
];

const MAX_LINES: usize = 800;
const VAGUE_NAMES: &[&str] = &[
    "util", "utils", "common", "misc", "manager", "helper", "helpers",
];

/// In two halves, so that this file does not hold what it forbids.
const FORBIDDEN: &[(&str, &str)] = &[
    ("/wo", "rk/"),
    ("index.crates", ".io"),
    ("static.crates", ".io"),
    ("todo", "!("),
    ("unimplemented", "!("),
    ("FIX", "ME"),
    ("#[ign", "ore"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files below the given directories, or the files given, that have one of the extensions.
fn files(places: &[&str], extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut todo: Vec<PathBuf> = places.iter().map(|p| root().join(p)).collect();
    while let Some(path) = todo.pop() {
        if path.is_dir() {
            let is_output = path
                .file_name()
                .is_some_and(|n| n == "target" || n == "corpus");
            if !is_output {
                todo.extend(fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
            }
        } else if path
            .extension()
            .is_some_and(|e| extensions.iter().any(|x| e == *x))
        {
            found.push(path);
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no file below {places:?}");
    found
}

/// Everything that is source.
fn sources() -> Vec<PathBuf> {
    files(
        &[
            "src", "ofproto", "ovsdb", "nft", "testbed", "xtask", "tests", "benches", "fuzz",
        ],
        &["rs"],
    )
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap_or(path)
        .display()
        .to_string()
}

/// A file's code: without comments, and without the unit tests at its foot.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let mut out = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(test)]"
            && lines
                .peek()
                .is_some_and(|next| next.trim_start().starts_with("mod ") && next.ends_with('{'))
        {
            break;
        }
        out += line.split("//").next().unwrap_or("");
        out.push('\n');
    }
    out
}

fn is_test_file(path: &Path) -> bool {
    path.strip_prefix(root()).unwrap().components().any(|c| {
        matches!(
            c.as_os_str().to_str(),
            Some("tests" | "tests.rs" | "benches")
        )
    })
}

/// The module of `src/` a file belongs to.
fn module_of(path: &Path) -> String {
    let inside = path.strip_prefix(root().join("src")).unwrap();
    let first = inside
        .components()
        .next()
        .unwrap()
        .as_os_str()
        .to_str()
        .unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// Top modules named as `crate::NAME` (or `vifd::NAME` in the program), also in braces.
fn modules_named(code: &str, prefix: &str) -> BTreeSet<String> {
    let word = |text: &str| -> String {
        text.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices(prefix) {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let rest = &code[at + prefix.len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut start = true;
            for (i, c) in list.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => start = true,
                    c if c.is_whitespace() => {}
                    _ if depth == 0 && start => {
                        names.insert(word(&list[i..]));
                        start = false;
                    }
                    _ => {}
                }
            }
        } else {
            names.insert(word(rest));
        }
    }
    names.retain(|n| !n.is_empty());
    names
}

fn fail_if_any(what: &str, problems: &[String]) {
    assert!(problems.is_empty(), "{what}:\n  {}", problems.join("\n  "));
}

#[test]
fn modules_depend_in_one_direction() {
    let allowed: BTreeMap<&str, &[&str]> = DIRECTIONS.iter().copied().collect();
    let mut problems = Vec::new();
    for path in files(&["src"], &["rs"]) {
        if is_test_file(&path) {
            continue;
        }
        let module = module_of(&path);
        let Some(may_name) = allowed.get(module.as_str()) else {
            problems.push(format!(
                "{}: module {module} has no directions",
                shown(&path)
            ));
            continue;
        };
        let code = code(&path);
        let prefix = if module == "main" {
            "vifd::"
        } else {
            "crate::"
        };
        for named in modules_named(&code, prefix) {
            let is_module = allowed.contains_key(named.as_str());
            if is_module && named != module && !may_name.contains(&named.as_str()) {
                problems.push(format!("{}: {module} may not name {named}", shown(&path)));
            }
        }
    }
    fail_if_any("directions of dependencies", &problems);
}

#[test]
fn every_module_of_the_tree_has_directions() {
    let known: BTreeSet<&str> = DIRECTIONS.iter().map(|(name, _)| *name).collect();
    let there: BTreeSet<String> = files(&["src"], &["rs"])
        .iter()
        .map(|p| module_of(p))
        .collect();
    let unknown: Vec<&String> = there
        .iter()
        .filter(|m| !known.contains(m.as_str()))
        .collect();
    assert!(
        unknown.is_empty(),
        "add {unknown:?} to DIRECTIONS and ARCHITECTURE.md"
    );
}

/// Whether the code names it as a whole: `nft::conn`, not `nft::conntrack`.
fn names(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let next = code[at + word.len()..].chars().next();
        !next.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

#[test]
fn pure_modules_know_no_io() {
    let mut problems = Vec::new();
    for path in files(&["src"], &["rs"]) {
        if !PURE.contains(&module_of(&path).as_str()) || is_test_file(&path) {
            continue;
        }
        let code = code(&path);
        for word in NOT_IN_PURE.iter().filter(|word| names(&code, word)) {
            problems.push(format!("{}: {word}", shown(&path)));
        }
    }
    fail_if_any("named in a pure module", &problems);
}

#[test]
fn codecs_know_no_io_outside_net() {
    let mut problems = Vec::new();
    for krate in PROTOCOLS {
        let source = format!("{krate}/src");
        let lib = fs::read_to_string(root().join(&source).join("lib.rs")).unwrap();
        for attribute in ["#![forbid(unsafe_code)]", "#![deny(missing_docs)]"] {
            if !lib.contains(attribute) {
                problems.push(format!("{source}/lib.rs: no {attribute}"));
            }
        }
        for path in files(&[&source], &["rs"]) {
            let inside = path
                .strip_prefix(root().join(&source))
                .unwrap()
                .to_string_lossy()
                .into_owned();
            let is_socket = inside == "net.rs" || inside.starts_with("net/");
            if is_socket || is_test_file(&path) {
                continue;
            }
            let code = code(&path);
            for word in NOT_IN_CODECS.iter().filter(|word| names(&code, word)) {
                problems.push(format!("{}: {word}", shown(&path)));
            }
        }
    }
    fail_if_any("in a codec, outside its module net", &problems);
}

/// Keys of a section of a manifest, with the rest of their lines.
fn section(manifest: &str, name: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(root().join(manifest)).unwrap();
    let mut inside = false;
    let mut keys = Vec::new();
    for line in text.lines() {
        if line.starts_with('[') {
            inside = line.trim() == format!("[{name}]");
        } else if let (true, Some((key, value))) = (inside, line.split_once('=')) {
            let key = key.trim().trim_end_matches(".workspace");
            keys.push((key.to_owned(), value.trim().to_owned()));
        }
    }
    keys
}

#[test]
fn manifests_depend_in_one_direction() {
    let mut problems = Vec::new();
    for krate in PROTOCOLS {
        let manifest = format!("{krate}/Cargo.toml");
        for (name, value) in section(&manifest, "dependencies") {
            if name.starts_with("vifd") {
                problems.push(format!(
                    "{manifest}: a protocol crate may not depend on {name}"
                ));
            }
            let is_io = [
                "tokio",
                "tokio-rustls",
                "rustls",
                "netlink-sys",
                "nftnl",
                "socket2",
            ]
            .contains(&name.as_str());
            if is_io && !value.contains("optional = true") {
                problems.push(format!("{manifest}: {name} belongs behind a feature"));
            }
        }
    }
    for (name, _) in section("Cargo.toml", "dependencies") {
        if ["vifd-testbed", "xtask", "anyhow", "openssl", "nftnl"].contains(&name.as_str()) {
            problems.push(format!("Cargo.toml: the program may not depend on {name}"));
        }
    }
    fail_if_any("manifests", &problems);
}

#[test]
fn one_lock_file_without_forbidden_crates() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    for name in ["aws-lc-sys", "openssl-sys", "bindgen"] {
        assert!(
            !lock.contains(&format!("name = \"{name}\"")),
            "{name} is in Cargo.lock"
        );
    }
}

#[test]
fn rust_netlink_types_have_one_place() {
    let mut problems = Vec::new();
    for path in files(&["src"], &["rs"]) {
        let place = shown(&path);
        let names_it = ["netlink_packet_", "rtnetlink", "netlink_proto"]
            .iter()
            .any(|word| code(&path).contains(word));
        if names_it && !place.starts_with("src/exec/rtnl") {
            problems.push(place);
        }
    }
    fail_if_any("rust-netlink is named outside src/exec/rtnl", &problems);
}

#[test]
fn no_program_is_started_but_dnsmasq() {
    let mut problems = Vec::new();
    for path in files(&["src", "ofproto/src", "ovsdb/src", "nft/src"], &["rs"]) {
        let place = shown(&path);
        if is_test_file(&path) || place.starts_with("src/exec/dnsmasq") {
            continue;
        }
        let code = code(&path);
        let braces = code.match_indices("process::{").any(|(at, _)| {
            code[at..]
                .split('}')
                .next()
                .is_some_and(|list| list.contains("Command"))
        });
        if code.contains("process::Command") || code.contains("libc::exec") || braces {
            problems.push(place);
        }
    }
    fail_if_any("starts programs", &problems);
}

#[test]
fn environment_is_read_in_one_place() {
    let mut problems = Vec::new();
    for path in files(&["src"], &["rs"]) {
        let module = module_of(&path);
        let code = code(&path);
        let reads = ["env::var", "env::vars"]
            .iter()
            .any(|word| code.contains(word));
        if reads
            && !is_test_file(&path)
            && !["config", "cli", "telemetry"].contains(&module.as_str())
        {
            problems.push(shown(&path));
        }
    }
    fail_if_any("reads the environment", &problems);
}

/// Whether a line of a property's configuration takes no notice of `PROPTEST_CASES`.
fn fixes_cases(line: &str) -> bool {
    let after = line.split("cases:").nth(1).unwrap_or_default();
    after.trim_start().starts_with(|c: char| c.is_ascii_digit())
}

#[test]
fn the_environment_says_how_many_cases_properties_try() {
    assert!(fixes_cases(
        &["ProptestConfig { ", "cases", ": 256 }"].concat()
    ));
    assert!(!fixes_cases(
        "ProptestConfig { cases: testbed::cases(256) }"
    ));
    let mut problems = Vec::new();
    for path in sources() {
        let text = fs::read_to_string(&path).unwrap();
        let is_property = text.contains("ProptestConfig");
        problems.extend(
            text.lines()
                .filter(|line| is_property && fixes_cases(line))
                .map(|line| format!("{}: {}", shown(&path), line.trim())),
        );
    }
    fail_if_any("fixed numbers of cases (testbed::cases)", &problems);
}

#[test]
fn files_are_short_and_named_for_what_they_hold() {
    let mut problems = Vec::new();
    for path in sources() {
        let n_lines = fs::read_to_string(&path).unwrap().lines().count();
        if n_lines > MAX_LINES {
            problems.push(format!(
                "{}: {n_lines} lines, at most {MAX_LINES}",
                shown(&path)
            ));
        }
        for part in path.strip_prefix(root()).unwrap().components() {
            let name = part.as_os_str().to_string_lossy();
            if VAGUE_NAMES.contains(&name.trim_end_matches(".rs")) {
                problems.push(format!("{}: {name} says nothing", shown(&path)));
            }
        }
    }
    fail_if_any("files", &problems);
}

#[test]
fn words_that_have_no_place_here() {
    let mut texts = sources();
    texts.extend(files(
        &[
            "README.md",
            "ARCHITECTURE.md",
            "CHANGELOG.md",
            "CONTRIBUTING.md",
            "Cargo.toml",
            "deny.toml",
            "clippy.toml",
            "ofproto",
            "ovsdb",
            "nft",
            "testbed",
            "xtask",
            "src",
        ],
        &["md", "toml", "sql", "conf"],
    ));
    texts.push(root().join(".ci/run"));
    let mut problems = Vec::new();
    for path in texts {
        let text = fs::read_to_string(&path).unwrap();
        for (head, tail) in FORBIDDEN {
            let word = format!("{head}{tail}");
            if let Some(at) = text.find(&word) {
                let line = text[..at].lines().count().max(1);
                problems.push(format!("{}:{line}: {word}", shown(&path)));
            }
        }
    }
    fail_if_any("forbidden", &problems);
}

#[test]
fn the_scanner_sees_what_it_should() {
    assert!(names("use nft::conn::Dump;", "nft::conn") && names("nft::conn", "nft::conn"));
    assert!(!names("use nft::conntrack::Entry;", "nft::conn"));
    let named = modules_named(
        "use crate::{plan::{a, b}, exec};\nlet x = crate::model::Y; mycrate::no::x",
        "crate::",
    );
    let expected: BTreeSet<String> = ["plan", "exec", "model"].map(str::to_owned).into();
    assert_eq!(named, expected);
}
