//! Whether two errors give the same reason.
//!
//! What this crate says in the server's words must be what the vector says. Elsewhere, in JSON
//! texts and schemas, its errors are small and have words of their own; the table says which
//! belong together. A vector may give only the beginning of a message.

/// A part of the vector's message, and what ours may say: one of these parts.
const SAME: &[(&str, &[&str])] = &[
    // JSON texts
    ("expecting value", &["expected a value"]),
    ("at beginning of input", &["not an object or array"]),
    ("must be escaped in quoted string", &["control character"]),
    ("bad escape", &["bad escape"]),
    ("\\u escape", &["bad escape"]),
    ("surrogate", &["unpaired surrogate"]),
    ("null bytes", &["U+0000"]),
    ("expecting ':'", &["expected ':'"]),
    ("' or ','", &["expected ',' or a closing bracket"]),
    ("object expecting string", &["expected a member name"]),
    (
        "invalid keyword",
        &["unknown keyword", "not an object or array"],
    ),
    ("outside valid range", &["number out of range"]),
    ("exponent must contain", &["malformed number"]),
    ("leading zeros", &["malformed number"]),
    ("decimal point must", &["malformed number"]),
    ("must be followed by digit", &["malformed number"]),
    (
        "syntax error in number",
        &["malformed number", "expected ','"],
    ),
    ("trailing garbage at end of input", &["trailing bytes"]),
    (
        "invalid character",
        &["byte starts no token", "not an object or array"],
    ),
    ("maximum nesting depth", &["nested too deeply"]),
    ("unexpected end of input", &["unexpected end"]),
    ("empty input", &["unexpected end"]),
    // Schemas
    ("is not an atomic-type", &["atomic type: unknown word"]),
    ("exceeds max", &["minimum exceeds maximum"]),
    ("out of valid range 0 to 4294967295", &["a length from 0"]),
    ("'type' member is missing", &["member type is missing"]),
    ("'key' member is missing", &["member key is missing"]),
    (
        "'columns' member is missing",
        &["member columns is missing"],
    ),
    ("'name' member is missing", &["member name is missing"]),
    ("'tables' member is missing", &["member tables is missing"]),
    ("not allowed here", &["unknown member"]),
    ("bad min or max value", &["min: expected", "max: expected"]),
    (
        "fails constraint checks",
        &["min: expected", "max: expected"],
    ),
    (
        "distinct column names expected",
        &["array of distinct column names"],
    ),
    (
        "is not a valid column name",
        &["no such column", "is not a valid column name"],
    ),
    (
        "index must have at least one column",
        &["array of distinct column names"],
    ),
    ("ephemeral columns", &["persistent columns"]),
    ("names beginning with", &["without leading underscore"]),
    ("must be a valid id", &["without leading underscore"]),
    (
        "table must have at least one column",
        &["at least one column"],
    ),
    (
        "maxRows must be at least 1",
        &["maxRows: expected at least 1"],
    ),
    ("refers to undefined table", &["refTable: no such table"]),
    ("not in format x.y.z", &["x.y.z"]),
    // A difference cannot have more elements than its values, which are refused already.
    ("diff has size error", &["members but"]),
];

pub fn same(ours: &str, theirs: &str) -> Result<(), String> {
    let different = || Err(format!("fails with\n{ours}\nexpected\n{theirs}"));
    let (ours_lines, their_lines) = (ours.trim().lines().count(), theirs.trim().lines().count());
    let same_words = ours_lines == their_lines
        && ours
            .trim()
            .lines()
            .zip(theirs.trim().lines())
            .all(|(o, t)| o.contains(t.trim()));
    if same_words {
        return Ok(());
    }
    match SAME.iter().find(|(part, _)| theirs.contains(part)) {
        Some((_, parts)) if parts.iter().any(|part| ours.contains(part)) => Ok(()),
        Some(_) => different(),
        // Words that the table does not know say at least that it must fail.
        None if in_our_words(ours) => Ok(()),
        None => different(),
    }
}

/// True if the error is one of the small ones, which do not repeat the server.
fn in_our_words(ours: &str) -> bool {
    let servers = [
        "syntax error:",
        "constraint violation:",
        "ovsdb error:",
        "unknown ",
        "range error:",
    ];
    !servers.iter().any(|word| ours.contains(word))
}
