//! Values, rows, conditions and mutations of a vector against its table's schema: each is
//! parsed and explained, and the two must agree on whether it is in order.

use crate::{Vector, canonical};
use ovsdb::condition::{Condition, Function};
use ovsdb::json::{Json, parse, text};
use ovsdb::mutation::Mutation;
use ovsdb::schema::{AtomicType, BaseType, ColumnType, TableSchema};
use ovsdb::value::{Atom, Datum, Real};
use std::collections::BTreeMap;
use std::fmt::Write;

pub type TestRow = BTreeMap<String, Datum>;

/// A value, or what is wrong with it.
pub fn datum(json: &Json, kind: &ColumnType) -> Result<Datum, String> {
    let datum = Datum::decode(json, kind).and_then(|d| kind.check(&d).map(|()| d));
    let why = kind.explain(json);
    assert_eq!(datum.is_err(), why.is_some(), "{json}: {datum:?}, {why:?}");
    datum.map_err(|_| why.map(|why| why.to_string()).unwrap_or_default())
}

/// Parses each argument; all of them must be in order, or none.
pub fn each(
    args: &[&str],
    parse_one: impl Fn(&Json) -> Result<Json, String>,
) -> Result<String, String> {
    let (mut good, mut bad) = (String::new(), String::new());
    for arg in args {
        let _ = match parse_one(&parse(&text::encode(arg)).unwrap()) {
            Ok(json) => writeln!(good, "{}", canonical(&json)),
            Err(why) => writeln!(bad, "{why}"),
        };
    }
    match (good.is_empty(), bad.is_empty()) {
        (_, true) => Ok(good),
        (true, false) => Err(bad),
        (false, false) => Err(format!("some pass:\n{good}{bad}")),
    }
}

/// For each line of what is expected, `TYPE: ..` or `key TYPE, value TYPE, n_min N: ..`: whether
/// the default value of that type is what it should be.
pub fn defaults(vector: &Vector) -> String {
    let named = |name: &str| parse(format!("[\"{name}\"]").as_bytes()).unwrap();
    let kind = |name: &str| AtomicType::parse(&named(name).as_array().unwrap()[0]);
    let mut out = String::new();
    for line in vector.text().unwrap_or_default().lines() {
        let (what, _) = line.split_once(": ").unwrap();
        let words: Vec<&str> = what.split([' ', ',']).filter(|w| !w.is_empty()).collect();
        let (key, value, min) = match words.as_slice() {
            [key] => (*key, "void", 1),
            ["key", key, "value", value, "n_min", min] => (*key, *value, min.parse().unwrap()),
            other => panic!("{other:?}"),
        };
        let key = kind(key).unwrap();
        let value = kind(value).ok();
        let plain = BaseType::plain;
        let column = ColumnType {
            key: plain(key),
            value: value.map(plain),
            min,
            max: 1,
        };
        let expected = match (min, value) {
            (0, None) => Datum::EMPTY,
            (0, Some(_)) => Datum::map::<Atom, Atom>([]),
            (_, None) => zero(key).into(),
            (_, Some(value)) => Datum::map([(zero(key), zero(value))]),
        };
        let good = column.default_datum() == expected
            && Datum::decode(&expected.to_json(), &column) == Ok(expected);
        let _ = writeln!(out, "{what}: {}", if good { "OK" } else { "wrong" });
    }
    out
}

/// RFC 7047 §5.2.1: what a column holds that an insert leaves out.
pub fn zero(kind: AtomicType) -> Atom {
    match kind {
        AtomicType::Integer => 0.into(),
        AtomicType::Real => Atom::Real(Real::new(0.0).unwrap()),
        AtomicType::Boolean => false.into(),
        AtomicType::String => "".into(),
        AtomicType::Uuid => ovsdb::Uuid::ZERO.into(),
    }
}

pub fn row(json: &Json, table: &TableSchema) -> Result<TestRow, String> {
    let mut out: TestRow = table
        .columns
        .iter()
        .map(|(n, c)| (n.to_string(), c.kind.default_datum()))
        .collect();
    for (name, value) in json.as_object().unwrap().iter() {
        let column = table
            .column(name)
            .ok_or_else(|| format!("no column {name}"))?;
        out.insert(name.to_string(), datum(value, &column.kind)?);
    }
    Ok(out)
}

pub fn rows(text: &str, table: &TableSchema) -> Result<Vec<TestRow>, String> {
    let list = parse(text.as_bytes()).unwrap();
    list.as_array()
        .unwrap()
        .iter()
        .map(|r| row(r, table))
        .collect()
}

/// The name of every vector's table.
pub const TABLE: &str = "mytable";

pub fn conditions(list: &Json, table: &TableSchema) -> Result<Vec<Condition>, String> {
    let decode = |json| {
        // What is decoded must also pass the check before sending.
        let clause = Condition::decode(json, table).and_then(|c| c.check(table).map(|()| c));
        let why = Condition::explain(json, TABLE, table);
        assert_eq!(
            clause.is_err(),
            why.is_some(),
            "{json}: {clause:?}, {why:?}"
        );
        clause.map_err(|_| why.map(|why| why.to_string()).unwrap_or_default())
    };
    list.as_array().unwrap().iter().map(decode).collect()
}

pub fn mutations(list: &Json, table: &TableSchema) -> Result<Vec<Mutation>, String> {
    let decode = |json| {
        let mutation = Mutation::decode(json, table).and_then(|m| m.check(table).map(|()| m));
        let why = Mutation::explain(json, TABLE, table);
        assert_eq!(
            mutation.is_err(),
            why.is_some(),
            "{json}: {mutation:?}, {why:?}"
        );
        mutation.map_err(|_| why.map(|why| why.to_string()).unwrap_or_default())
    };
    list.as_array().unwrap().iter().map(decode).collect()
}

/// The order in which the server evaluates clauses.
pub fn sort_key(condition: &Condition) -> (String, usize) {
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

pub fn execute(list: &[Mutation], row: &TestRow, table: &TableSchema) -> String {
    let mut new = row.clone();
    for mutation in list {
        let column = table.column(&mutation.column).unwrap();
        match mutation.apply(&new[&*mutation.column], &column.kind) {
            Ok(value) => drop(new.insert(mutation.column.to_string(), value)),
            Err(_) => {
                let why = mutation.explain_apply(&new[&*mutation.column], &column.kind);
                return why.map_or_else(String::new, |why| why.to_string());
            }
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
