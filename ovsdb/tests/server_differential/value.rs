//! Values of all kinds of columns, and conditions and mutations of them.

use crate::generate::{ATOMIC, Random, atom_of, canonical, cases, junk, number, set_of};
use crate::harness::{Server, block_on};
use crate::{LIMIT, plain_client};
use ovsdb::DecodeError;
use ovsdb::condition::Condition;
use ovsdb::json::{Json, Object, parse};
use ovsdb::mutation::Mutation;
use ovsdb::net::Client;
use ovsdb::schema::{ColumnType, DatabaseSchema, Explanation, TableSchema};
use ovsdb::value::Datum;

/// Types of the columns `c0`, `c1`, ..
const TYPES: &[&str] = &[
    r#""integer""#,
    r#""real""#,
    r#""boolean""#,
    r#""string""#,
    r#""uuid""#,
    r#"{"key":{"type":"integer","minInteger":-2,"maxInteger":3}}"#,
    r#"{"key":{"type":"integer","minInteger":-1}}"#,
    r#"{"key":{"type":"integer","maxInteger":2}}"#,
    r#"{"key":{"type":"integer","enum":["set",[-2,0,1,3]]}}"#,
    r#"{"key":{"type":"real","minReal":-1.25,"maxReal":2}}"#,
    r#"{"key":{"type":"real","minReal":-0.5}}"#,
    r#"{"key":{"type":"real","enum":["set",[0.5,2]]}}"#,
    r#"{"key":{"type":"string","minLength":1,"maxLength":4}}"#,
    r#"{"key":{"type":"string","maxLength":3},"min":0}"#,
    r#"{"key":{"type":"string","enum":["set",["a","b","two words"]]},"min":0}"#,
    r#"{"key":"integer","min":0}"#,
    r#"{"key":"real","min":0}"#,
    r#"{"key":"boolean","min":0}"#,
    r#"{"key":"string","min":0}"#,
    r#"{"key":"uuid","min":0}"#,
    r#"{"key":"integer","min":0,"max":"unlimited"}"#,
    r#"{"key":"integer","min":1,"max":3}"#,
    r#"{"key":{"type":"integer","minInteger":-2,"maxInteger":3},"min":0,"max":3}"#,
    r#"{"key":"real","min":0,"max":"unlimited"}"#,
    r#"{"key":"boolean","min":0,"max":"unlimited"}"#,
    r#"{"key":"string","min":0,"max":2}"#,
    r#"{"key":"uuid","min":0,"max":"unlimited"}"#,
    r#"{"key":"string","value":"string","min":0,"max":"unlimited"}"#,
    r#"{"key":"integer","value":"boolean","min":0,"max":2}"#,
    r#"{"key":"integer","value":"integer"}"#,
    r#"{"key":"uuid","value":"real","min":1,"max":3}"#,
    r#"{"key":{"type":"string","maxLength":3},"value":{"type":"integer","minInteger":0},"min":0,"max":"unlimited"}"#,
    r#"{"key":"real","value":"string","min":0}"#,
];

fn type_json(text: &str) -> Json {
    let Json::Array(mut one) = parse(format!("[{text}]").as_bytes()).unwrap() else {
        unreachable!()
    };
    one.remove(0)
}

/// A table per type, each with the one column `c`: other columns' defaults do not matter.
fn values_schema() -> Json {
    let table = |text: &&str| {
        let column = Json::object([("type", type_json(text))]);
        Json::object([("columns", Json::object([("c", column)]))])
    };
    let tables = TYPES.iter().enumerate();
    let tables: Object = tables
        .map(|(i, t)| (format!("t{i}").into(), table(t)))
        .collect();
    Json::object([("name", "d".into()), ("tables", Json::Object(tables))])
}

fn key_kind(kind: &Json, member: &str) -> Option<String> {
    let base = if kind.as_str().is_some() {
        kind
    } else {
        kind.member(member)?
    };
    let name = base.as_str().or_else(|| base.member("type")?.as_str());
    name.map(str::to_owned)
}

/// An atom, of the wrong type now and then.
fn some_atom(random: &mut Random, kind: &str) -> Json {
    match random.below(30) {
        0 => junk(random),
        1 => {
            let other = random.pick(&ATOMIC);
            atom_of(random, other)
        }
        2 if kind == "uuid" => Json::Array(vec!["uuid".into(), "nonsense".into()]),
        2 => Json::Array(vec!["uuid".into(), Json::Integer(1)]),
        3 if kind == "integer" || kind == "real" => number(random),
        _ => atom_of(random, kind),
    }
}

fn some_value(random: &mut Random, kind: &Json) -> Json {
    let key = key_kind(kind, "key").unwrap();
    let value = kind.member("value").and_then(|_| key_kind(kind, "value"));
    match (value, random.below(12)) {
        (_, 0) => junk(random),
        (Some(_), 1) => set_of(random, 3, |r| some_atom(r, &key)),
        (Some(value), _) => {
            let pair = |r: &mut Random| {
                let mut pair = vec![some_atom(r, &key), some_atom(r, &value)];
                if r.one_in(60) {
                    pair.pop();
                }
                Json::Array(pair)
            };
            let pairs = (0..random.below(4)).map(|_| pair(random)).collect();
            Json::Array(vec!["map".into(), Json::Array(pairs)])
        }
        (None, 1) => Json::Array(vec!["map".into(), Json::Array(vec![])]),
        (None, 2..=7) => some_atom(random, &key),
        (None, _) => set_of(random, 4, |r| some_atom(r, &key)),
    }
}

/// One table, here and at the server.
struct Table<'a> {
    client: &'a Client,
    name: String,
    schema: &'a TableSchema,
}

impl Table<'_> {
    /// Runs operations and undoes them; the results of all but the undoing.
    async fn run(&self, mut operations: Vec<Json>) -> Vec<Json> {
        let n = operations.len();
        operations.insert(0, "d".into());
        operations.push(Json::object([("op", "abort".into())]));
        let shown = format!("{operations:?}");
        let reply = self
            .client
            .request("transact", operations, LIMIT)
            .await
            .unwrap_or_else(|e| panic!("{e}: {shown}"));
        reply.as_array().unwrap()[..n].to_vec()
    }

    fn op<const N: usize>(&self, op: &str, members: [(&'static str, Json); N]) -> Json {
        let own = [("op", op.into()), ("table", self.name.as_str().into())];
        let members = own.into_iter().chain(members);
        Json::Object(members.map(|(n, v)| (n.into(), v)).collect())
    }

    fn insert(&self, value: &Json) -> Json {
        self.op("insert", [("row", Json::object([("c", value.clone())]))])
    }

    fn select(&self, conditions: Vec<Json>) -> Json {
        let columns = Json::Array(vec!["c".into()]);
        self.op(
            "select",
            [("where", Json::Array(conditions)), ("columns", columns)],
        )
    }

    fn kind(&self) -> &ColumnType {
        &self.schema.column("c").unwrap().kind
    }

    fn ours(&self, value: &Json) -> Result<Datum, DecodeError> {
        let datum = Datum::decode(value, self.kind())?;
        self.kind().check(&datum)?;
        Ok(datum)
    }

    fn mutated(&self, value: &Datum, mutation: &Json) -> Result<Datum, DecodeError> {
        let mutation = Mutation::decode(mutation, self.schema)?;
        mutation.check(self.schema)?;
        mutation.apply(value, self.kind())
    }
}

/// The value in the first row of a select.
fn selected(result: &Json) -> Option<Json> {
    let rows = result.member("rows")?.as_array()?;
    rows.first()?.member("c").cloned()
}

/// False for products of integers that version 3.1 gets wrong: its check for overflow divides by
/// the operand before it looks whether that is zero, which kills it, and refuses some products
/// near the largest that would fit.
fn multiplies_well(value: &Datum, mutation: &Json) -> bool {
    let small = |i: i64| i.unsigned_abs() < 1 << 31;
    let operand = Datum::decode_untyped(&mutation.as_array().unwrap()[2]);
    let operand = operand.ok().and_then(|operand| operand.as_integer());
    operand.is_none_or(|i| i != 0 && small(i))
        && value
            .atoms()
            .iter()
            .all(|a| a.as_integer().is_none_or(small))
}

/// Both give the same reason, word for word.
fn said_alike(ours: Option<Explanation>, theirs: &Json) {
    let text = |name: &str| theirs.member(name).map(|text| text.as_str().unwrap());
    let ours = ours.unwrap_or_else(|| panic!("no explanation, but {theirs}"));
    assert_eq!(text("error"), Some(ours.error), "{theirs}");
    assert_eq!(text("details"), Some(&*ours.details), "{theirs}");
    assert_eq!(text("syntax"), ours.syntax.as_deref(), "{theirs}");
}

#[derive(Default)]
struct Count {
    taken: usize,
    refused: usize,
}

#[test]
fn values_conditions_and_mutations_are_read_alike() {
    let json = values_schema();
    let schema = DatabaseSchema::parse(&json).unwrap();
    let server = Server::with_schema_text(&json.to_string());
    let mut random = Random(0xD1B5_4A32_D192_ED03);
    let mut counts: [Count; 3] = Default::default();
    block_on(LIMIT, async {
        let client = plain_client(&server).await;
        for _ in 0..cases(6000) {
            let at = random.below(TYPES.len());
            let name = format!("t{at}");
            let table = Table {
                client: &client,
                schema: schema.table(&name).unwrap(),
                name,
            };
            let kind = type_json(TYPES[at]);
            let value = some_value(&mut random, &kind);
            let results = table
                .run(vec![table.insert(&value), table.select(vec![])])
                .await;
            let ours = table.ours(&value);
            let theirs = selected(&results[1]);
            let same = ours.as_ref().map(|d| canonical(&d.to_json())).ok()
                == theirs.as_ref().map(canonical);
            assert!(
                same,
                "{kind} {value}\nserver: {}\nhere: {ours:?}",
                results[0]
            );
            let Ok(ours) = ours else {
                counts[0].refused += 1;
                said_alike(table.kind().explain(&value), &results[0]);
                continue;
            };
            assert_eq!(table.kind().explain(&value), None, "{kind} {value}");
            counts[0].taken += 1;

            let function = random.pick(&[
                "<", "<=", "==", "!=", ">", ">=", "includes", "excludes", "in",
            ]);
            let argument = some_value(&mut random, &kind);
            let clause = Json::Array(vec!["c".into(), function.into(), argument]);
            let results = table
                .run(vec![
                    table.insert(&value),
                    table.select(vec![clause.clone()]),
                ])
                .await;
            let theirs = results[1]
                .member("rows")
                .map(|rows| rows.as_array().unwrap().len() == 1);
            let condition = Condition::decode(&clause, table.schema);
            let holds = condition.as_ref().ok().map(|c| c.holds(|_| Some(&ours)));
            assert_eq!(
                holds, theirs,
                "{kind} {value} {clause}\nserver: {}\nhere: {condition:?}",
                results[1]
            );
            match condition {
                Ok(condition) => {
                    assert_eq!(condition.check(table.schema), Ok(()), "{kind} {clause}");
                    counts[1].taken += 1;
                }
                Err(_) => {
                    counts[1].refused += 1;
                    said_alike(
                        Condition::explain(&clause, &table.name, table.schema),
                        &results[1],
                    );
                }
            }

            let mutator = random.pick(&[
                "+=", "-=", "*=", "/=", "%=", "insert", "insert", "delete", "delete", "set",
            ]);
            let argument = some_value(&mut random, &kind);
            let mutation = Json::Array(vec!["c".into(), mutator.into(), argument]);
            let mutations = Json::Array(vec![mutation.clone()]);
            let applied = table.mutated(&ours, &mutation);
            if mutator == "*=" && !multiplies_well(&ours, &mutation) {
                continue;
            }
            let mutate = table.op(
                "mutate",
                [("where", Json::Array(vec![])), ("mutations", mutations)],
            );
            let results = table
                .run(vec![table.insert(&value), mutate, table.select(vec![])])
                .await;
            let theirs = selected(&results[2]).as_ref().map(canonical);
            let same = applied.as_ref().map(|d| canonical(&d.to_json())).ok() == theirs;
            assert!(
                same,
                "{kind} {value} {mutation}\nserver: {results:?}\nhere: {applied:?}"
            );
            if applied.is_ok() {
                counts[2].taken += 1;
                continue;
            }
            counts[2].refused += 1;
            let ours = match Mutation::explain(&mutation, &table.name, table.schema) {
                Some(why) => Some(why),
                None => Mutation::decode(&mutation, table.schema)
                    .unwrap()
                    .explain_apply(&ours, table.kind()),
            };
            said_alike(ours, &results[1]);
        }
    });
    for Count { taken, refused } in counts {
        assert!(
            taken > 100 && refused > 100,
            "{taken} taken, {refused} refused"
        );
    }
}
