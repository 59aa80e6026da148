//! Values as people type them, to this crate and to `ovs-vsctl`.

use crate::generate::{Random, cases};
use crate::harness::{Server, VSWITCH_SCHEMA};
use ovsdb::json::parse;
use ovsdb::schema::{AtomicType, ColumnType, DatabaseSchema};
use ovsdb::value::Datum;
use std::process::Command;

/// Columns of all kinds.
const COLUMNS: &[(&str, &str)] = &[
    ("Port", "tag"),
    ("Port", "trunks"),
    ("Port", "external_ids"),
    ("Port", "vlan_mode"),
    ("Port", "fake_bridge"),
    ("Port", "bond_updelay"),
    ("Interface", "mac"),
    ("Interface", "statistics"),
    ("Bridge", "protocols"),
    ("Bridge", "flood_vlans"),
    ("Bridge", "datapath_id"),
];

const WORDS: &[&str] = &[
    "0",
    "1",
    "-1",
    "+5",
    "4095",
    "4096",
    "1-3",
    "3-1",
    "0-4095",
    "0-4096",
    "-3--1",
    "1-",
    "0.5",
    "x",
    "true",
    "no",
    "yes",
    "on",
    "",
    "\"\"",
    "\"a b\"",
    "a b",
    "\"a\\\"b\"",
    "\"a\"b\"",
    "\"a\\",
    "\"a\\\"",
    "a\\ b",
    "a\\",
    "\"\\u0041\"",
    "\"\\u004\"",
    "\"\\ud834\\udd1e\"",
    "\"\\ud834x\"",
    "\"\\q\"",
    "\"\\u0000\"",
    "OpenFlow10",
    "OpenFlow13",
    "access",
    "trunk",
    "nonsense",
    "a\"b c\"d",
    "9223372036854775808",
    "\"é\"",
    "\"\t\"",
    "a\nb",
    "00-ff",
    "0x10",
    "1 2",
    "!",
    "a!b",
];

/// A word that is likely to be in order for such a column.
fn good_word(random: &mut Random, kind: AtomicType) -> &'static str {
    match kind {
        AtomicType::Integer => random.pick(&["0", "1", "+5", "7-9", "4095", "100", "0-4095"]),
        AtomicType::Boolean => random.pick(&["true", "false", "yes", "no", "on", "off", "1", "0"]),
        _ => random.pick(&[
            "OpenFlow10",
            "trunk",
            "x",
            "\"a b\"",
            "a\\ b",
            "\"\\u0041\"",
            "\"\"",
            "k-1",
        ]),
    }
}

/// A text in order, or one that mixes everything.
fn text(random: &mut Random, kind: &ColumnType) -> String {
    let tidy = random.one_in(2);
    let class = if kind.is_map() {
        ["{", "}"]
    } else {
        ["[", "]"]
    };
    let brackets = match (tidy, random.below(3)) {
        (true, 0) => class,
        (true, _) => ["", ""],
        (false, _) => [
            random.pick(&["", "", "", "", "[", "{", " [", "{ "]),
            random.pick(&["", "", "", "", "]", "}", " ]", "} ", ",", "] x"]),
        ],
    };
    let most = kind.max.min(3);
    let mut out = brackets[0].to_owned();
    for i in 0..=random.below(most) {
        if i > 0 && tidy {
            out.push_str(random.pick(&[",", ", ", " "]));
        } else if i > 0 {
            out.push_str(random.pick(&[",", ", ", " ", ",,", " , ", "\n"]));
        }
        let word = |random: &mut Random, kind: AtomicType| {
            if tidy {
                good_word(random, kind)
            } else {
                random.pick(WORDS)
            }
        };
        out.push_str(word(random, kind.key.kind));
        let value = kind.value.as_ref().map(|value| value.kind);
        match value.filter(|_| tidy) {
            Some(kind) => {
                out.push_str(random.pick(&["=", "=", "= ", " ="]));
                out.push_str(word(random, kind));
            }
            None if !tidy && random.one_in(2) => {
                out.push_str(random.pick(&["=", "=", "= ", " =", ":"]));
                out.push_str(random.pick(WORDS));
            }
            None => {}
        }
    }
    out.push_str(brackets[1]);
    out
}

/// The value as `ovs-vsctl` prints it, or its message.
fn vsctl(server: &Server, table: &str, column: &str, text: &str) -> Result<String, String> {
    let output = Command::new("ovs-vsctl")
        .arg(format!("--db={}", server.address()))
        .args([
            "--no-wait",
            "--dry-run",
            "--timeout=20",
            "--",
            "set",
            table,
            "br0",
        ])
        .arg(format!("{column}={text}"))
        .args(["--", "get", table, "br0", column])
        .output()
        .unwrap();
    let string = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    if output.status.success() {
        let printed = string(output.stdout);
        return Ok(printed.strip_suffix('\n').unwrap().to_owned());
    }
    let message = string(output.stderr);
    let message = message.strip_prefix("ovs-vsctl: ").unwrap_or(&message);
    let message = message.strip_suffix('\n').unwrap_or(message);
    // The character it stumbled over is the end of the string, and so ends the message.
    let cut = message.ends_with("syntax error at \"");
    Err(format!(
        "{message}{}",
        if cut { "\" expecting \"=\"" } else { "" }
    ))
}

#[test]
fn typed_values_are_read_alike() {
    let server = Server::vswitch();
    server.vsctl(&["init", "--", "add-br", "br0"]);
    let schema = std::fs::read(VSWITCH_SCHEMA).unwrap();
    let schema = DatabaseSchema::parse(&parse(&schema).unwrap()).unwrap();
    let mut random = Random(0x5851_F42D_4C95_7F2D);
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..cases(300) {
        let (table, column) = random.pick(COLUMNS);
        let kind = &schema.table(table).unwrap().column(column).unwrap().kind;
        let text = text(&mut random, kind);
        if text.is_empty() {
            // It does not get as far as the value.
            continue;
        }
        let ours = Datum::from_text(&text, kind);
        let ours = ours
            .map(|value| value.to_text(kind))
            .map_err(|e| e.to_string());
        let theirs = vsctl(&server, table, column, &text);
        assert_eq!(ours, theirs, "{table} {column}={text}");
        match ours {
            Ok(_) => taken += 1,
            Err(_) => refused += 1,
        }
    }
    assert!(
        taken > 30 && refused > 30,
        "{taken} taken, {refused} refused"
    );
}
