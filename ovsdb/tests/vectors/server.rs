//! Vectors that a real ovsdb-server executes, through this crate's connection and codec.

use crate::harness::{Server, block_on};
use crate::{Vector, argument, canonical};
use ovsdb::json::{Json, Object, Str, parse};
use ovsdb::net::{Client, Config, Error};
use ovsdb::op::{Transaction, decode_results};
use ovsdb::schema::{DatabaseSchema, check_transaction};
use std::collections::HashMap;
use std::fmt::Write;
use std::time::Duration;

pub const LIMIT: Duration = Duration::from_secs(120);

pub fn run(vector: &Vector) -> Result<(), String> {
    let outcome = match vector.kind.as_str() {
        "execute" => execute(vector),
        "transact" => transact(vector),
        "round-trip" => round_trip(vector),
        _ => query(vector),
    };
    match (outcome, vector.error()) {
        (Err(_), Some(_)) => Ok(()),
        (Err(why), None) => Err(why),
        (Ok(ours), Some(error)) => Err(format!("gives {ours} instead of error {error:?}")),
        (Ok(ours), None) => {
            let expected = vector.text().unwrap_or_default();
            if comparable(&ours) == comparable(expected) {
                Ok(())
            } else {
                Err(format!("server gives\n{ours}\nexpected\n{expected}"))
            }
        }
    }
}

/// A client that monitors nothing, once it is connected.
pub async fn plain_client(server: &Server, database: &str) -> Client {
    let (client, mut events) = Client::spawn(Config::new(vec![server.remote()], database)).unwrap();
    let mut replica = ovsdb::replica::Replica::new(vec![]);
    crate::harness::snapshot(&mut events, &mut replica).await;
    client
}

/// Sends the raw parameters of a transact request; the reply must also decode.
pub async fn raw_transact(client: &Client, params: Vec<Json>) -> Json {
    let operations = params.len() - 1;
    let reply = client.request("transact", params, LIMIT).await;
    let json = match reply {
        Ok(json) => json,
        Err(Error::Server(error)) => return Json::from(error.to_string().as_str()),
        Err(error) => panic!("{error}"),
    };
    let failed = json
        .as_array()
        .unwrap()
        .iter()
        .any(|r| r.member("error").is_some());
    assert_eq!(
        decode_results(json.clone(), operations).is_err(),
        failed,
        "{json}"
    );
    json
}

/// Executes transactions and prints each result with row identifiers replaced.
fn execute(vector: &Vector) -> Result<String, String> {
    let schema = vector.member("schema");
    let server = Server::with_schema_text(&schema.to_string());
    let database = schema.member("name").unwrap().as_str().unwrap().to_owned();
    block_on(LIMIT, async {
        let client = plain_client(&server, &database).await;
        let mut out = String::new();
        for transaction in vector.member("transactions").as_array().unwrap() {
            let params = transaction.as_array().unwrap().to_vec();
            let result = raw_transact(&client, params).await;
            let _ = writeln!(out, "{}", canonical(&result));
        }
        Ok(out.trim_end().to_owned())
    })
}

/// The text with the rows of selects sorted, which the server returns in hash order, and with
/// the identifiers numbered.
fn comparable(text: &str) -> String {
    let line = |line: &str| match parse(line.as_bytes()) {
        Ok(json) => canonical(&sorted_rows(json)),
        Err(_) => line.to_owned(),
    };
    normalise(&text.lines().map(line).collect::<Vec<_>>().join("\n"))
}

fn sorted_rows(json: Json) -> Json {
    let Json::Array(results) = json else {
        return json;
    };
    let sort = |result| match result {
        Json::Object(mut object) => {
            if let Some(Json::Array(mut rows)) = object.remove("rows") {
                rows.sort_by_key(row_key);
                object.insert("rows", Json::Array(rows));
            }
            Json::Object(object)
        }
        other => other,
    };
    Json::Array(results.into_iter().map(sort).collect())
}

/// Sorts by numbers first, and without the identifiers.
fn row_key(row: &Json) -> (Vec<i64>, String) {
    let members = row.as_object().unwrap();
    let numbers = members.iter().filter_map(|(_, v)| v.as_integer());
    (numbers.collect(), mask(&canonical(row)))
}

/// The text without identifiers.
pub fn mask(text: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in normalise(text).chars() {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            c if !inside => out.push(c),
            _ => {}
        }
    }
    out
}

/// Replaces identifiers, already replaced or not, by numbers in order of appearance.
pub fn normalise(text: &str) -> String {
    let mut names: HashMap<String, usize> = HashMap::new();
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let token = identifier(rest);
        if let Some(length) = token {
            let next = names.len();
            let number = *names.entry(rest[..length].to_owned()).or_insert(next);
            let _ = write!(out, "<{number}>");
            rest = &rest[length..];
        } else {
            let c = rest.chars().next().unwrap();
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

fn identifier(text: &str) -> Option<usize> {
    if text.is_char_boundary(36) && text.len() >= 36 && ovsdb::Uuid::parse(&text[..36]).is_some() {
        return Some(36);
    }
    let digits = text.strip_prefix('<')?;
    let end = digits.find('>')?;
    (end > 0 && digits[..end].bytes().all(|b| b.is_ascii_digit())).then_some(end + 2)
}

/// A table of two integers, changed and printed step by step. What the vectors' own program
/// keeps in an open transaction is sent, with an abort, whenever it must be looked at.
fn transact(vector: &Vector) -> Result<String, String> {
    let schema = r#"{"name":"t","tables":{"t":{"columns":{
        "i":{"type":"integer"},"j":{"type":"integer"}}}}}"#;
    let server = Server::with_schema_text(schema);
    let id = |k: &str| format!("00000000-0000-0000-0000-{k:0>12}");
    block_on(LIMIT, async {
        let client = plain_client(&server, "t").await;
        let mut pending: Vec<Json> = vec!["t".into()];
        let mut out = String::new();
        for arg in vector.args() {
            let json = parse(arg.as_bytes()).unwrap();
            let words: Vec<&str> = json
                .as_array()
                .unwrap()
                .iter()
                .map(|w| w.as_str().unwrap())
                .collect();
            let _ = writeln!(out, "{}:", words.join(" "));
            let row =
                |i: &str, j: &str| parse(format!("{{\"i\":{i},\"j\":{j}}}").as_bytes()).unwrap();
            let which = |k: &str| {
                parse(format!("[[\"_uuid\",\"==\",[\"uuid\",\"{}\"]]]", id(k)).as_bytes()).unwrap()
            };
            match words.as_slice() {
                ["insert", k, i, j] => pending.push(Json::object([
                    ("op", "insert".into()),
                    ("table", "t".into()),
                    ("uuid", id(k).as_str().into()),
                    ("row", row(i, j)),
                ])),
                ["modify", k, i, j] => pending.push(Json::object([
                    ("op", "update".into()),
                    ("table", "t".into()),
                    ("where", which(k)),
                    // -1 leaves a column alone.
                    ("row", {
                        let Json::Object(mut row) = row(i, j) else {
                            unreachable!()
                        };
                        for column in ["i", "j"] {
                            if row.get(column) == Some(&Json::Integer(-1)) {
                                row.remove(column);
                            }
                        }
                        Json::Object(row)
                    }),
                ])),
                ["delete", k] => pending.push(Json::object([
                    ("op", "delete".into()),
                    ("table", "t".into()),
                    ("where", which(k)),
                ])),
                ["commit"] => {
                    let params = std::mem::replace(&mut pending, vec!["t".into()]);
                    let result = raw_transact(&client, params).await;
                    assert!(!result.to_string().contains("error"), "{result}");
                }
                ["abort"] => pending.truncate(1),
                ["print"] => {
                    let mut params = pending.clone();
                    let select = r#"{"op":"select","table":"t","where":[]}"#;
                    params.push(parse(select.as_bytes()).unwrap());
                    params.push(parse(br#"{"op":"abort"}"#).unwrap());
                    let at = params.len() - 3;
                    let result = raw_transact(&client, params).await;
                    let rows = result.as_array().unwrap()[at].member("rows").unwrap();
                    let mut lines: Vec<String> =
                        rows.as_array().unwrap().iter().map(print_row).collect();
                    lines.sort();
                    for line in lines {
                        let _ = writeln!(out, "{line}");
                    }
                }
                other => return Err(format!("unknown command {other:?}")),
            }
        }
        Ok(out.trim_end().to_owned())
    })
}

fn print_row(row: &Json) -> String {
    let uuid = row.member("_uuid").unwrap().as_array().unwrap()[1]
        .as_str()
        .unwrap();
    let number = |name: &str| row.member(name).unwrap().as_integer().unwrap();
    let k = uuid[24..].trim_start_matches('0');
    format!("{k}: i={}, j={}", number("i"), number("j"))
}

/// Inserts rows and selects with conditions, optionally only some columns of each row.
fn query(vector: &Vector) -> Result<String, String> {
    let args = vector.args();
    let schema = format!("{{\"name\":\"q\",\"tables\":{{\"q\":{}}}}}", args[0]);
    let typed = DatabaseSchema::parse(&parse(schema.as_bytes()).unwrap()).unwrap();
    let server = Server::with_schema_text(&schema);
    let list = |text: &str| match parse(text.as_bytes()).unwrap() {
        Json::Array(elements) => elements,
        other => panic!("{other}"),
    };
    let rows = list(args[1]);
    let columns = args.get(3).map(|arg| list(arg));
    block_on(LIMIT, async {
        let client = plain_client(&server, "q").await;
        let mut params: Vec<Json> = vec!["q".into()];
        for row in &rows {
            params.push(Json::object([
                ("op", "insert".into()),
                ("table", "q".into()),
                ("row", row.clone()),
            ]));
        }
        let inserted = raw_transact(&client, params).await;
        let ids: Vec<String> = inserted
            .as_array()
            .unwrap()
            .iter()
            .map(|r| r.member("uuid").unwrap().to_string())
            .collect();
        // Rows that agree in the chosen columns form a class, named a, b, c in order.
        let project = |row: &Json| {
            let names = columns.iter().flatten().map(|n| n.as_str().unwrap());
            names
                .map(|n| row.member(n).unwrap_or(&Json::Null).to_string())
                .collect::<Vec<_>>()
        };
        let mut out = String::new();
        for (i, condition) in list(args[2]).into_iter().enumerate() {
            let mut select = Object::new();
            select.insert("op", "select".into());
            select.insert("table", "q".into());
            select.insert("where", condition.clone());
            if let Some(columns) = &columns {
                select.insert("columns", Json::Array(columns.clone()));
            }
            let params = vec!["q".into(), Json::Object(select)];
            let result = raw_transact(&client, params).await;
            let result = &result.as_array().unwrap()[0];
            let Some(found) = result.member("rows").and_then(Json::as_array) else {
                return Err(result.to_string());
            };
            typed_select_agrees(&typed, &condition);
            let _ = write!(out, "query {i:2}: ");
            let mut classes: Vec<Vec<String>> = Vec::new();
            for (j, row) in rows.iter().enumerate() {
                if j > 0 && j % 5 == 0 {
                    out.push(' ');
                }
                if columns.is_none() {
                    let hits = found
                        .iter()
                        .filter(|f| f.member("_uuid").unwrap().to_string() == ids[j]);
                    let hits = hits.count();
                    out.push_str(&if hits == 0 {
                        "-".into()
                    } else {
                        hits.to_string()
                    });
                    continue;
                }
                let class = project(row);
                let known = classes.iter().position(|c| *c == class).unwrap_or_else(|| {
                    classes.push(class.clone());
                    classes.len() - 1
                });
                let letter = (b'a'..).nth(known).map_or('?', char::from);
                let times = found.iter().filter(|f| project(f) == class).count();
                assert!(times < 2, "row returned twice: {result}");
                out.push(if times == 1 { letter } else { '-' });
            }
            out.push('\n');
        }
        Ok(out.trim_end().to_owned())
    })
}

/// What the server accepts, the check before sending accepts.
fn typed_select_agrees(schema: &DatabaseSchema, condition: &Json) {
    let table = schema.table("q").unwrap();
    let clauses = condition.as_array().unwrap().iter();
    let conditions: Vec<_> = clauses
        .map(|c| ovsdb::condition::Condition::decode(c, table).unwrap())
        .collect();
    let mut txn = Transaction::new();
    txn.select::<Str>("q", conditions, []);
    check_transaction(schema, &txn).unwrap();
}

/// Stores values and prints them as the server returns them.
fn round_trip(vector: &Vector) -> Result<String, String> {
    let args = vector.args();
    let schema = format!(
        "{{\"name\":\"r\",\"tables\":{{\"r\":{{\"columns\":{{\"c\":{{\"type\":{}}}}}}}}}}}",
        argument(args[0])
    );
    let typed = DatabaseSchema::parse(&parse(schema.as_bytes()).unwrap()).unwrap();
    let kind = typed.table("r").unwrap().column("c").unwrap().kind.clone();
    let server = Server::with_schema_text(&schema);
    block_on(LIMIT, async {
        let client = plain_client(&server, "r").await;
        let mut out = String::new();
        for arg in &args[1..] {
            let value = argument(arg);
            let ours =
                ovsdb::value::Datum::decode(&value, &kind).and_then(|d| kind.check(&d).map(|()| d));
            let row = Json::object([("c", value)]);
            let insert = Json::object([
                ("op", "insert".into()),
                ("table", "r".into()),
                ("row", row),
                ("uuid-name", "x".into()),
            ]);
            let select = br#"{"op":"select","table":"r","where":[["_uuid","==",["named-uuid","x"]]],"columns":["c"]}"#;
            let params = vec!["r".into(), insert, parse(select).unwrap()];
            let result = raw_transact(&client, params).await;
            let result = result.as_array().unwrap();
            if let Some(error) = result[0].member("error") {
                assert!(ours.is_err(), "{arg}: server says {error}, we accept");
                let _ = writeln!(out, "{}", error.as_str().unwrap());
                continue;
            }
            let back = result[1].member("rows").unwrap().as_array().unwrap()[0].member("c");
            let back = back.unwrap();
            let ours = ours.map_err(|e| format!("{arg}: server accepts, we say {e}"))?;
            assert_eq!(
                ovsdb::value::Datum::decode(back, &kind).unwrap(),
                ours,
                "{arg}"
            );
            let _ = writeln!(out, "{}", canonical(back));
        }
        Ok(out.trim_end().to_owned())
    })
}
