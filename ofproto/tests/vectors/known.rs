//! Disagreements that are understood: what exactly differs, why, and what `ovs-ofctl` says.

use std::net::Ipv6Addr;
use std::path::Path;

use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Entry {
    /// Which difference, one of those in [`Entry::explains`].
    difference: String,
    cause: String,
    ovs_ofctl: String,
}

impl Entry {
    /// Whether this difference, and nothing else, is between the two.
    fn explains(&self, wanted: &str, got: &str) -> bool {
        match self.difference.as_str() {
            "ipv6-single-zero-group" => wanted.contains("::") && spelled(wanted) == spelled(got),
            "resubmit-subtype" => with_table(wanted) == got,
            other => panic!("unknown difference {other:?}"),
        }
    }
}

/// The address with every run of zero groups shortened, as no valid spelling has it.
fn shortened(address: Ipv6Addr) -> String {
    let groups: Vec<String> = address
        .segments()
        .iter()
        .map(|g| format!("{g:x}"))
        .collect();
    let mut text = format!(":{}:", groups.join(":"));
    while text.contains(":0:") {
        text = text.replace(":0:", "::");
    }
    while text.contains(":::") {
        text = text.replace(":::", "::");
    }
    let text = text
        .strip_prefix(':')
        .filter(|t| !t.starts_with(':'))
        .unwrap_or(&text);
    text.strip_suffix(':')
        .filter(|t| !t.ends_with(':'))
        .map_or(text.to_owned(), str::to_owned)
}

/// The text with every IPv6 address shortened in the same way.
fn spelled(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_hexdigit() || c == ':' || c == '.';
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_part) {
        let (before, at) = rest.split_at(start);
        let end = at.find(|c| !is_part(c)).unwrap_or(at.len());
        let (token, after) = at.split_at(end);
        out += before;
        match token.parse::<Ipv6Addr>() {
            Ok(address) => out += &shortened(address),
            Err(_) => out += token,
        }
        rest = after;
    }
    out + rest
}

/// The bytes with every `resubmit` to the current table in its longer form.
fn with_table(bytes: &str) -> String {
    let short = "ffff0010000023200001";
    match bytes.split_once(short) {
        Some((before, after)) if after.len() >= 12 => {
            format!(
                "{before}ffff001000002320000e{}ff000000{}",
                &after[..4],
                with_table(&after[12..])
            )
        }
        _ => bytes.to_owned(),
    }
}

pub struct Known(Vec<Entry>);

impl Known {
    pub fn load() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/known-disagreements.jsonl");
        let text = std::fs::read_to_string(path).expect("list of known disagreements");
        let lines = text.lines().filter(|l| !l.trim().is_empty());
        Known(
            lines
                .map(|l| serde_json::from_str(l).expect("known disagreement"))
                .collect(),
        )
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn covers(&self, wanted: &str, got: &str) -> bool {
        self.0.iter().any(|e| e.explains(wanted, got))
    }

    pub fn assert_explained(&self) {
        for e in &self.0 {
            assert!(e.cause.len() > 10, "{}: no cause", e.difference);
            assert!(
                e.ovs_ofctl.contains("ovs-ofctl"),
                "{}: not shown",
                e.difference
            );
        }
    }
}

#[test]
fn differences_are_exact() {
    assert_eq!(
        spelled("a=fec0::1234:1:2:3:4:5,b"),
        spelled("a=fec0:0:1234:1:2:3:4:5,b")
    );
    assert_ne!(spelled("a=fec0::1"), spelled("a=fec0::2"));
    assert_eq!(
        spelled("fec0:0:1234:f045:8fff:1111::/96"),
        "fec0::1234:f045:8fff:1111::/96"
    );
    assert_eq!(
        (spelled("::"), spelled("::1"), spelled("1::")),
        ("::".into(), "::1".into(), "1::".into())
    );
    assert_eq!(
        with_table("ffff0010000023200001000500000000"),
        "ffff001000002320000e0005ff000000"
    );
}
