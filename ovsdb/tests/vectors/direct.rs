//! Vectors about values, types, schemas, conditions, mutations and rows.

use crate::typed::{conditions, datum, defaults, each, execute, mutations, row, rows, sort_key};
use crate::{Vector, argument, canonical, reason};
use ovsdb::DecodeError;
use ovsdb::condition::Condition;
use ovsdb::json::{Json, Object, SplitLimits, Splitter, parse};
use ovsdb::mutation::Mutation;
use ovsdb::schema::{AtomicType, BaseType, ColumnSchema, ColumnType, DatabaseSchema, TableSchema};
use ovsdb::value::text::atom_from_text;
use ovsdb::value::{Atom, Datum, apply_diff, diff};
use std::fmt::Write;

pub fn run(vector: &Vector) -> Result<(), String> {
    let outcome = if vector.kind == "json" {
        json(vector)
    } else {
        produce(vector)
    };
    match (outcome, vector.error()) {
        (Err(why), Some(error)) => reason::same(&why, error),
        (Err(why), None) => Err(format!("fails: {why}")),
        (Ok(ours), Some(error)) => Err(format!("gives {ours:?} instead of error {error:?}")),
        (Ok(ours), None) => same(&ours, vector.text().unwrap_or_default()),
    }
}

fn same(ours: &str, theirs: &str) -> Result<(), String> {
    let (ours, theirs) = (ours.trim(), theirs.trim());
    if ours == theirs {
        Ok(())
    } else {
        Err(format!("ours\n{ours}\nexpected\n{theirs}"))
    }
}

fn json(vector: &Vector) -> Result<String, String> {
    let hex = vector.member("hex").as_str().unwrap();
    let byte = |i: usize| u8::from_str_radix(&hex[i..i + 2], 16).unwrap();
    let input: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
    if vector.member("options").as_str() != Some("--multiple") {
        return parse(&input)
            .map(|json| canonical(&json))
            .map_err(|e| e.to_string());
    }
    let mut splitter = Splitter::new(SplitLimits::default());
    splitter.push(&input);
    let mut out = String::new();
    loop {
        match splitter.next_message() {
            Ok(Some(message)) => {
                let json = parse(message).map_err(|e| e.to_string())?;
                let _ = writeln!(out, "{}", canonical(&json));
            }
            Ok(None) => return Ok(out),
            // What came before the error must be right all the same.
            Err(error) => {
                let expected = vector.error().unwrap_or_default();
                if !expected.starts_with(&out) {
                    return Ok(format!("{out:?}, then {error}"));
                }
                return Err(error.to_string());
            }
        }
    }
}

fn produce(vector: &Vector) -> Result<String, String> {
    let mut args = vector.args();
    if args.first() == Some(&"--") {
        args.remove(0);
    }
    let fail = |e: DecodeError| e.to_string();
    let table = || TableSchema::parse(&argument(args[0])).map_err(fail);
    let datum = |kind: &ColumnType, arg: &str| datum(&argument(arg), kind);
    let mut out = String::new();
    match vector.kind.as_str() {
        "default-atoms" | "default-data" => return Ok(defaults(vector)),
        "parse-atoms" => {
            let key = BaseType::parse(&argument(args[0])).map_err(fail)?;
            let kind = ColumnType {
                key,
                value: None,
                min: 1,
                max: 1,
            };
            for arg in &args[1..] {
                let line = datum(&kind, arg).map_or_else(|e| e, |d| canonical(&d.to_json()));
                let _ = writeln!(out, "{line}");
            }
        }
        "parse-atom-strings" => {
            let base = BaseType::parse(&argument(args[0])).map_err(fail)?;
            for arg in &args[1..] {
                let (atom, end) = atom_from_text(arg, &base).map_err(|e| e.to_string())?;
                atom.push_text(&mut out);
                if let Some(end) = end {
                    let _ = write!(out, "-{end}");
                }
                out.push('\n');
            }
        }
        "parse-data" => {
            let kind = ColumnType::parse(&argument(args[0])).map_err(fail)?;
            for arg in &args[1..] {
                let _ = writeln!(out, "{}", canonical(&datum(&kind, arg)?.to_json()));
            }
        }
        "parse-data-strings" => {
            let kind = ColumnType::parse(&argument(args[0])).map_err(fail)?;
            for arg in &args[1..] {
                let datum = Datum::from_text(arg, &kind).map_err(|e| e.to_string())?;
                let _ = writeln!(out, "{}", datum.to_text(&kind));
            }
        }
        "sort-atoms" => {
            let base = BaseType::parse(&argument(args[0])).map_err(fail)?;
            let list = parse(args[1].as_bytes()).unwrap();
            let atoms = list
                .as_array()
                .unwrap()
                .iter()
                .map(|a| Atom::decode(a, base.kind));
            let mut atoms = atoms.collect::<Result<Vec<_>, _>>().map_err(fail)?;
            atoms.sort();
            out = canonical(&Json::Array(atoms.iter().map(Atom::to_json).collect()));
        }
        "diff-data" => {
            let kind = ColumnType::parse(&argument(args[0])).map_err(fail)?;
            for pair in args[1..].chunks(2) {
                let (old, new) = (datum(&kind, pair[0])?, datum(&kind, pair[1])?);
                let delta = diff(&old, &new, &kind);
                let applied = apply_diff(&old, &delta, &kind);
                let _ = writeln!(out, "diff: {}", canonical(&delta.to_json()));
                for label in ["apply diff", "apply diff in place"] {
                    let _ = writeln!(out, "{label}: {}", canonical(&applied.to_json()));
                }
                out.push_str(if applied == new { "OK\n" } else { "differs\n" });
            }
        }
        "parse-atomic-type" => {
            let kind = AtomicType::parse(&argument(args[0])).map_err(fail)?;
            out = format!("\"{}\"", kind.name());
        }
        "parse-base-type" => {
            out = canonical(&BaseType::parse(&argument(args[0])).map_err(fail)?.to_json());
        }
        "parse-type" => {
            out = canonical(
                &ColumnType::parse(&argument(args[0]))
                    .map_err(fail)?
                    .to_json(),
            );
        }
        "parse-column" => {
            out = canonical(
                &ColumnSchema::parse(&argument(args[1]))
                    .map_err(fail)?
                    .to_json(),
            );
        }
        "parse-table" => {
            out = canonical(
                &TableSchema::parse(&argument(args[1]))
                    .map_err(fail)?
                    .to_json(),
            );
        }
        "parse-schema" => {
            out = canonical(
                &DatabaseSchema::parse(&argument(args[0]))
                    .map_err(fail)?
                    .to_json(),
            );
        }
        "parse-conditions" => {
            let table = table()?;
            let parse = |json: &Json| {
                let mut list = conditions(json, &table)?;
                list.sort_by_key(sort_key);
                Ok(Json::Array(list.iter().map(Condition::to_json).collect()))
            };
            return each(&args[1..], parse);
        }
        "evaluate-conditions" | "evaluate-conditions-any" => {
            let table = table()?;
            let rows = rows(args[2], &table)?;
            let lists = parse(args[1].as_bytes()).unwrap();
            for (i, list) in lists.as_array().unwrap().iter().enumerate() {
                let list = conditions(list, &table)?;
                let _ = write!(out, "condition {i:2}: ");
                for (j, row) in rows.iter().enumerate() {
                    let holds = |c: &Condition| c.holds(|column| row.get(column));
                    let all = match vector.kind.as_str() {
                        "evaluate-conditions" => list.iter().all(holds),
                        _ => list.iter().any(holds),
                    };
                    if j > 0 && j % 5 == 0 {
                        out.push(' ');
                    }
                    out.push(if all { 'T' } else { '-' });
                }
                out.push('\n');
            }
        }
        "parse-mutations" => {
            let table = table()?;
            let parse = |json: &Json| {
                let list = mutations(json, &table)?;
                Ok(Json::Array(list.iter().map(Mutation::to_json).collect()))
            };
            return each(&args[1..], parse);
        }
        "execute-mutations" => {
            let table = table()?;
            let rows = rows(args[2], &table)?;
            let lists = parse(args[1].as_bytes()).unwrap();
            for (i, list) in lists.as_array().unwrap().iter().enumerate() {
                let list = mutations(list, &table)?;
                let _ = writeln!(out, "mutation {i:2}:");
                for (j, row) in rows.iter().enumerate() {
                    let _ = writeln!(out, "row {j}: {}", execute(&list, row, &table));
                }
                out.push('\n');
            }
        }
        "parse-rows" => {
            let table = table()?;
            for arg in &args[1..] {
                let json = argument(arg);
                let row = row(&json, &table)?;
                let zero = Datum::from(ovsdb::Uuid::ZERO).to_json();
                let mut full: Object = row
                    .iter()
                    .map(|(n, d)| (n.as_str().into(), d.to_json()))
                    .collect();
                full.insert("_uuid", zero.clone());
                full.insert("_version", zero);
                let named: Vec<&str> = json
                    .as_object()
                    .unwrap()
                    .iter()
                    .map(|(n, _)| &**n)
                    .collect();
                let named = if named.is_empty() {
                    "<none>".into()
                } else {
                    named.join(", ")
                };
                let _ = writeln!(out, "{}\n{named}", canonical(&Json::Object(full)));
            }
        }
        "compare-rows" => return compare_rows(vector, &table()?),
        other => return Err(format!("unknown kind {other}")),
    }
    Ok(out)
}

/// Equalities are ours to decide; equal hashes are the server's own affair.
fn compare_rows(vector: &Vector, table: &TableSchema) -> Result<String, String> {
    let args = vector.args();
    let mut named = Vec::new();
    for arg in &args[1..] {
        let json = parse(arg.as_bytes()).unwrap();
        let [name, values] = json.as_array().unwrap() else {
            panic!("{arg}")
        };
        let row = row(values, table)?;
        named.push((name.as_str().unwrap().to_owned(), row));
    }
    let mut equal = Vec::new();
    for (i, (a, row_a)) in named.iter().enumerate() {
        for (b, row_b) in &named[i + 1..] {
            if row_a == row_b {
                equal.push(format!("{a} == {b}"));
            }
        }
    }
    let text = vector.text().unwrap_or_default();
    let expected: Vec<&str> = text.lines().filter(|l| !l.starts_with("hash(")).collect();
    if equal != expected {
        return Err(format!("ours {equal:?}, expected {expected:?}"));
    }
    Ok(text.to_owned())
}
