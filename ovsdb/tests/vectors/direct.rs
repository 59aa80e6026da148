//! Vectors about values, types, schemas, conditions, mutations and rows.

use crate::{Vector, argument, canonical};
use ovsdb::condition::{Condition, Function};
use ovsdb::json::{Json, Object, SplitLimits, Splitter, parse};
use ovsdb::mutation::Mutation;
use ovsdb::schema::{AtomicType, BaseType, ColumnSchema, ColumnType, DatabaseSchema, TableSchema};
use ovsdb::value::text::atom_from_text;
use ovsdb::value::{Atom, Datum, apply_diff, diff};
use ovsdb::{DecodeError, Fault};
use std::collections::BTreeMap;
use std::fmt::Write;

pub fn run(vector: &Vector) -> Result<(), String> {
    let outcome = if vector.kind == "json" {
        json(vector)
    } else {
        produce(vector)
    };
    match (outcome, vector.error()) {
        (Err(_), Some(_)) => Ok(()),
        (Err(why), None) => Err(format!("fails: {why}")),
        (Ok(ours), Some(error)) => Err(format!("gives {ours:?} instead of error {error:?}")),
        (Ok(ours), None) => same(&ours, vector.text().unwrap_or_default()),
    }
}

/// Lines must be equal; where the expected line is an error message, its class must be.
fn same(ours: &str, theirs: &str) -> Result<(), String> {
    let (ours, theirs): (Vec<_>, Vec<_>) =
        (ours.trim().lines().collect(), theirs.lines().collect());
    if ours.len() != theirs.len() {
        return Err(format!("ours {ours:#?}\nexpected {theirs:#?}"));
    }
    for (ours, theirs) in ours.iter().zip(&theirs) {
        let agree = match class(theirs) {
            Some(class) => ours.contains(class),
            None => ours == theirs,
        };
        if !agree {
            return Err(format!("ours {ours:?}, expected {theirs:?}"));
        }
    }
    Ok(())
}

/// The error class in an expected line.
fn class(line: &str) -> Option<&'static str> {
    [
        "constraint violation",
        "syntax error",
        "range error",
        "domain error",
        "ovsdb error",
    ]
    .into_iter()
    .find(|class| line.contains(&format!("{class}:")))
}

/// The server's class of an error.
fn error_line(error: DecodeError) -> String {
    let class = match error.fault {
        Fault::Constraint(_) | Fault::Count { .. } | Fault::Duplicate => "constraint violation",
        Fault::Range => "range error",
        Fault::Domain => "domain error",
        _ => "syntax error",
    };
    format!("{class}: {error}")
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
                assert!(expected.starts_with(&out), "{out:?} before {error}");
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
    let mut out = String::new();
    match vector.kind.as_str() {
        "default-atoms" => {
            for kind in [
                AtomicType::Integer,
                AtomicType::Real,
                AtomicType::Boolean,
                AtomicType::String,
                AtomicType::Uuid,
            ] {
                let atom = kind.default_atom();
                let again = Atom::decode(&atom.to_json(), kind).map_err(fail)?;
                let datum = ColumnType::scalar(kind).default_datum();
                let good = again == atom && datum == Datum::Atom(atom);
                let _ = writeln!(
                    out,
                    "{}: {}",
                    kind.name(),
                    if good { "OK" } else { "wrong" }
                );
            }
        }
        "parse-atoms" => {
            let base = BaseType::parse(&argument(args[0])).map_err(fail)?;
            for arg in &args[1..] {
                let atom = Atom::decode(&argument(arg), base.kind)
                    .and_then(|atom| base.check(&atom).map(|()| atom));
                let line = atom.map_or_else(error_line, |atom| canonical(&atom.to_json()));
                let _ = writeln!(out, "{line}");
            }
        }
        "parse-atom-strings" => {
            let base = BaseType::parse(&argument(args[0])).map_err(fail)?;
            for arg in &args[1..] {
                let (atom, end) = atom_from_text(arg, &base).map_err(fail)?;
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
                let datum = Datum::decode(&argument(arg), &kind).map_err(fail)?;
                kind.check(&datum).map_err(fail)?;
                let _ = writeln!(out, "{}", canonical(&datum.to_json()));
            }
        }
        "parse-data-strings" => {
            let kind = ColumnType::parse(&argument(args[0])).map_err(fail)?;
            for arg in &args[1..] {
                let datum = Datum::from_text(arg, &kind).map_err(fail)?;
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
                let old = Datum::decode(&argument(pair[0]), &kind).map_err(fail)?;
                let new = Datum::decode(&argument(pair[1]), &kind).map_err(fail)?;
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
            for arg in &args[1..] {
                let mut list = conditions(&parse(arg.as_bytes()).unwrap(), &table).map_err(fail)?;
                list.sort_by_key(sort_key);
                let list = list.iter().map(Condition::to_json).collect();
                let _ = writeln!(out, "{}", canonical(&Json::Array(list)));
            }
        }
        "evaluate-conditions" | "evaluate-conditions-any" => {
            let table = table()?;
            let rows = rows(args[2], &table).map_err(fail)?;
            let lists = parse(args[1].as_bytes()).unwrap();
            for (i, list) in lists.as_array().unwrap().iter().enumerate() {
                let list = conditions(list, &table).map_err(fail)?;
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
            for arg in &args[1..] {
                let list = mutations(&parse(arg.as_bytes()).unwrap(), &table).map_err(fail)?;
                let list = list.iter().map(Mutation::to_json).collect();
                let _ = writeln!(out, "{}", canonical(&Json::Array(list)));
            }
        }
        "execute-mutations" => {
            let table = table()?;
            let rows = rows(args[2], &table).map_err(fail)?;
            let lists = parse(args[1].as_bytes()).unwrap();
            for (i, list) in lists.as_array().unwrap().iter().enumerate() {
                let list = mutations(list, &table).map_err(fail)?;
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
                let row = row(&json, &table).map_err(fail)?;
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
        let row = row(values, table).map_err(|e| e.to_string())?;
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

type TestRow = BTreeMap<String, Datum>;

fn row(json: &Json, table: &TableSchema) -> Result<TestRow, DecodeError> {
    let mut out: TestRow = table
        .columns
        .iter()
        .map(|(n, c)| (n.to_string(), c.kind.default_datum()))
        .collect();
    for (name, value) in json.as_object().unwrap().iter() {
        let column = table.column(name).unwrap();
        let datum = Datum::decode(value, &column.kind)?;
        column.kind.check(&datum)?;
        out.insert(name.to_string(), datum);
    }
    Ok(out)
}

fn rows(text: &str, table: &TableSchema) -> Result<Vec<TestRow>, DecodeError> {
    let list = parse(text.as_bytes()).unwrap();
    list.as_array()
        .unwrap()
        .iter()
        .map(|r| row(r, table))
        .collect()
}

fn conditions(list: &Json, table: &TableSchema) -> Result<Vec<Condition>, DecodeError> {
    let decode = |c| {
        let condition = Condition::decode(c, table)?;
        // What is decoded must also pass the check before sending.
        condition.check(table)?;
        Ok(condition)
    };
    list.as_array().unwrap().iter().map(decode).collect()
}

fn mutations(list: &Json, table: &TableSchema) -> Result<Vec<Mutation>, DecodeError> {
    let decode = |m| {
        let mutation = Mutation::decode(m, table)?;
        mutation.check(table)?;
        Ok(mutation)
    };
    list.as_array().unwrap().iter().map(decode).collect()
}

/// The order in which the server evaluates clauses.
fn sort_key(condition: &Condition) -> (String, usize) {
    const ORDER: [Function; 8] = [
        Function::Eq,
        Function::Includes,
        Function::Le,
        Function::Lt,
        Function::Ge,
        Function::Gt,
        Function::Excludes,
        Function::Ne,
    ];
    match condition {
        Condition::Const(_) => (String::new(), 0),
        Condition::Compare(column, function, _) => (
            column.to_string(),
            ORDER.iter().position(|f| f == function).unwrap(),
        ),
    }
}

fn execute(list: &[Mutation], row: &TestRow, table: &TableSchema) -> String {
    let mut new = row.clone();
    for mutation in list {
        let column = table.column(&mutation.column).unwrap();
        match mutation.apply(&new[&*mutation.column], &column.kind) {
            Ok(value) => drop(new.insert(mutation.column.to_string(), value)),
            Err(error) => return error_line(error),
        }
    }
    if new == *row {
        return "no change".to_owned();
    }
    let changed = new
        .iter()
        .map(|(n, d)| (n.as_str().into(), d.to_json()))
        .collect();
    canonical(&Json::Object(changed))
}
