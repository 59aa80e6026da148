//! The check before sending against the server: what one refuses without looking at the data,
//! the other refuses too.

mod harness;

use harness::{Server, block_on, snapshot};
use ovsdb::Uuid;
use ovsdb::condition::{Condition, Function};
use ovsdb::json::{Json, parse};
use ovsdb::mutation::{Mutation, Mutator};
use ovsdb::net::{Client, Config, Error};
use ovsdb::op::{Columns, Operation, Transaction, columns};
use ovsdb::schema::{DatabaseSchema, check_transaction};
use ovsdb::value::{Atom, Datum, Real};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

const SCHEMA: &str = r#"{"name":"c","tables":{
    "t":{"isRoot":true,"columns":{
        "name":{"type":"string","mutable":false},
        "n":{"type":{"key":{"type":"integer","minInteger":0,"maxInteger":10}}},
        "r":{"type":"real"},
        "opt":{"type":{"key":"integer","min":0,"max":1}},
        "set":{"type":{"key":"integer","min":0,"max":3}},
        "map":{"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
        "mode":{"type":{"key":{"type":"string","enum":["set",["a","b"]]},"min":0,"max":1}},
        "ref":{"type":{"key":{"type":"uuid","refTable":"t"},"min":0,"max":1}}}},
    "picky":{"isRoot":true,"columns":{"p":{"type":{"key":{"type":"integer","minInteger":1}}}}},
    "fixed":{"isRoot":true,"mutable":false,"columns":{"x":{"type":"integer"}}}}}"#;

fn one(operation: Operation) -> Transaction {
    Transaction::from(vec![operation])
}

fn insert(row: Columns) -> Transaction {
    one(Operation::Insert {
        table: "t".into(),
        row,
        uuid_name: None,
        uuid: None,
    })
}

fn set(column: &str, value: impl Into<Datum>) -> Transaction {
    let mut txn = Transaction::new();
    txn.update("t", [], Columns::from([(column.into(), value.into())]));
    txn
}

fn mutate(column: &str, mutator: Mutator, value: impl Into<Datum>) -> Transaction {
    let mut txn = Transaction::new();
    txn.mutate("t", [], [Mutation::new(column, mutator, value)]);
    txn
}

fn select(column: &str, function: Function, value: impl Into<Datum>) -> Transaction {
    let mut txn = Transaction::new();
    let condition = Condition::Compare(column.into(), function, value.into());
    txn.select("t", [condition], ["name"]);
    txn
}

/// Transactions that are in order, and transactions that are not. One row with name "x",
/// n 5, opt 1, set {1, 2} exists.
fn cases() -> Vec<Transaction> {
    let real = |r| Real::new(r).unwrap();
    let mut all = vec![
        insert(columns([("name", "y")])),
        insert(columns([("name", Datum::from(1))])),
        insert(columns([("nope", "y")])),
        insert(columns([("n", 11)])),
        insert(columns([("n", Datum::EMPTY)])),
        insert(columns([("opt", Datum::set([1i64, 2]))])),
        insert(columns([("set", Datum::set([1i64, 2, 3]))])),
        insert(columns([("set", Datum::set([1i64, 2, 3, 4]))])),
        insert(columns([("map", Datum::map([("a", "b")]))])),
        insert(columns([("map", Datum::map([("a", 1)]))])),
        insert(columns([("map", Datum::from("a"))])),
        insert(columns([("mode", "a")])),
        insert(columns([("mode", "c")])),
        insert(columns([("r", Datum::from(real(0.5)))])),
        set("name", "z"),
        set("n", 3),
        set("n", -1),
        set("opt", Datum::EMPTY),
        set("set", Datum::from(2)),
        mutate("n", Mutator::Add, 1),
        mutate("n", Mutator::Add, "1"),
        mutate("n", Mutator::Insert, 1),
        mutate("name", Mutator::Add, 1),
        mutate("r", Mutator::Multiply, real(2.5)),
        mutate("r", Mutator::Remainder, real(2.5)),
        mutate("set", Mutator::Insert, Datum::set([2i64, 3])),
        mutate("set", Mutator::Insert, Datum::set([1i64, 2, 3, 4])),
        mutate("set", Mutator::Delete, Datum::set([1i64, 2, 3, 4])),
        mutate("opt", Mutator::Insert, Datum::set([1i64, 2])),
        mutate("mode", Mutator::Insert, "c"),
        mutate("mode", Mutator::Delete, "c"),
        mutate("set", Mutator::Delete, Datum::set([2i64, 9])),
        mutate("set", Mutator::Add, 1),
        mutate("opt", Mutator::Delete, 1),
        mutate("map", Mutator::Insert, Datum::map([("k", "v")])),
        mutate("map", Mutator::Insert, Datum::set(["k"])),
        mutate("map", Mutator::Delete, Datum::set(["k"])),
        mutate("map", Mutator::Delete, Datum::set([1i64])),
        mutate("map", Mutator::Delete, Datum::map([("k", "v")])),
        mutate("nope", Mutator::Add, 1),
        mutate("_version", Mutator::Insert, Uuid::ZERO),
        select("name", Function::Eq, "x"),
        select("name", Function::Lt, "x"),
        select("n", Function::Lt, 3),
        select("n", Function::Eq, Datum::EMPTY),
        select("opt", Function::Lt, 3),
        select("opt", Function::Eq, Datum::EMPTY),
        select("opt", Function::Lt, Datum::EMPTY),
        select("set", Function::Lt, 3),
        select("set", Function::Includes, Datum::set([1i64, 2, 3, 4])),
        select("n", Function::Includes, Datum::set([1i64, 2])),
        select("set", Function::Excludes, Datum::set([1i64, 2, 3, 4])),
        select("n", Function::Excludes, Datum::EMPTY),
        select("map", Function::Includes, Datum::map([("a", "b")])),
        select("nope", Function::Eq, 1),
        select("_uuid", Function::Eq, Uuid::ZERO),
    ];
    let insert_named = |name: &str| Operation::Insert {
        table: "t".into(),
        row: Columns::new(),
        uuid_name: Some(name.into()),
        uuid: None,
    };
    all.push(vec![insert_named("a"), insert_named("b")].into());
    all.push(vec![insert_named("a"), insert_named("a")].into());
    all.push(vec![insert_named("0")].into());
    all.push(one(Operation::Delete {
        table: "nope".into(),
        conditions: vec![],
    }));
    all.push(one(Operation::Delete {
        table: "fixed".into(),
        conditions: vec![],
    }));
    all.push(one(Operation::Insert {
        table: "fixed".into(),
        row: Columns::new(),
        uuid_name: None,
        uuid: None,
    }));
    // A column's default need not be allowed.
    for row in [Columns::new(), columns([("p", 0)]), columns([("p", 1)])] {
        all.push(one(Operation::Insert {
            table: "picky".into(),
            row,
            uuid_name: None,
            uuid: None,
        }));
    }
    all.push(one(Operation::Update {
        table: "fixed".into(),
        conditions: vec![],
        row: columns([("x", 1)]),
    }));
    all.push(one(Operation::Comment("words".into())));
    all.push(one(Operation::Commit { durable: true }));
    all.push(one(Operation::Delete {
        table: "t".into(),
        conditions: vec![Condition::Const(true)],
    }));
    for (column, rows) in [("name", columns([("name", "x")])), ("nope", Columns::new())] {
        let mut txn = Transaction::new();
        txn.guard("t", [], [column], vec![rows]);
        all.push(txn);
    }
    all
}

#[test]
fn check_and_server_agree() {
    let server = Server::with_schema_text(SCHEMA);
    let schema = DatabaseSchema::parse(&parse(SCHEMA.as_bytes()).unwrap()).unwrap();
    block_on(LIMIT, async {
        let (client, mut events) = Client::spawn(Config::new(vec![server.remote()], "c")).unwrap();
        snapshot(&mut events, &mut ovsdb::replica::Replica::new(vec![])).await;
        let mut refused = 0;
        for txn in cases() {
            // Every case meets the same data.
            let mut fresh = Transaction::new();
            fresh.delete("t", []);
            fresh.insert(
                "t",
                columns([
                    ("name", Datum::from("x")),
                    ("n", 5.into()),
                    ("opt", 1.into()),
                    ("set", Datum::set([1i64, 2])),
                ]),
            );
            client.transact(fresh, LIMIT).await.unwrap();
            let mut params: Vec<Json> = txn.to_params(&"c".into());
            params.push(parse(br#"{"op":"abort"}"#).unwrap());
            let reply = client.request("transact", params, LIMIT).await.unwrap();
            let results = reply.as_array().unwrap();
            let bad = results[..txn.len()]
                .iter()
                .find(|r| r.member("error").is_some());
            let check = check_transaction(&schema, &txn);
            assert_eq!(
                bad.is_some(),
                check.is_err(),
                "{}\nserver: {bad:?}\ncheck: {check:?}",
                Json::Array(txn.to_params(&"c".into()))
            );
            if let Err(error) = check {
                refused += 1;
                if let Some(words) = &error.words {
                    let theirs = bad.unwrap();
                    let said = |member: &str| theirs.member(member).and_then(Json::as_str);
                    assert_eq!(said("error"), Some(words.error), "{theirs}");
                    assert_eq!(said("details"), Some(&*words.details), "{theirs}");
                }
                let sent = client.transact(txn, LIMIT).await;
                assert_eq!(sent, Err(Error::Check(error)));
            }
        }
        assert!(refused > 20, "{refused}");
    });
}

/// Where the check is deliberately stricter than the parser of the server.
#[test]
fn check_refuses_what_cannot_work() {
    let schema = DatabaseSchema::parse(&parse(SCHEMA.as_bytes()).unwrap()).unwrap();
    let server = Server::with_schema_text(SCHEMA);
    // A name nobody carries makes the commit fail.
    let nobody = insert(columns([("ref", Datum::from(Atom::named("nobody")))]));
    assert!(check_transaction(&schema, &nobody).is_err());
    block_on(LIMIT, async {
        let (client, mut events) = Client::spawn(Config::new(vec![server.remote()], "c")).unwrap();
        snapshot(&mut events, &mut ovsdb::replica::Replica::new(vec![])).await;
        let reply = client
            .request("transact", nobody.to_params(&"c".into()), LIMIT)
            .await;
        assert!(
            reply
                .unwrap()
                .to_string()
                .contains("referential integrity violation")
        );
    });
    // The server takes an identifier among the columns and ignores it.
    let own_id = insert(columns([("_uuid", Uuid::ZERO)]));
    assert!(check_transaction(&schema, &own_id).is_err());
}
