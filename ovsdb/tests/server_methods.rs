//! Every method and every operation of RFC 7047 and ovsdb-server's extensions, each once,
//! against a real ovsdb-server.

mod harness;

use harness::{Server, block_on, connect, drain};
use ovsdb::Uuid;
use ovsdb::condition::Condition;
use ovsdb::json::Json;
use ovsdb::monitor::{Format, Method, RowUpdate, TableMonitor, change_params, decode_updates};
use ovsdb::mutation::{Mutation, Mutator};
use ovsdb::net::{Client, Config, Error};
use ovsdb::op::{OpResult, Operation, Transaction, columns};
use ovsdb::schema::DatabaseSchema;
use ovsdb::session::Event;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

const SCHEMA: &str = r#"{"name":"m","version":"1.0.0","tables":{"t":{"isRoot":true,"columns":{
    "n":{"type":"integer"},"s":{"type":{"key":"integer","min":0,"max":"unlimited"}}}}}}"#;

async fn start(server: &Server) -> (Client, ovsdb::net::Events) {
    let config = Config::new(vec![server.remote()], "m");
    let (client, events, _) = connect(config).await;
    (client, events)
}

async fn ask(client: &Client, method: &str, params: Vec<Json>) -> Json {
    client.request(method, params, LIMIT).await.unwrap()
}

#[test]
fn every_operation() {
    let server = Server::with_schema_text(SCHEMA);
    block_on(LIMIT, async {
        let (client, mut events) = start(&server).await;
        client.lock("l").await.unwrap();
        while !matches!(events.next().await, Some(Event::Lock(_, true))) {}
        let chosen = Uuid::from_random(42);
        let this = || vec![Condition::uuid(chosen)];
        let mut txn = Transaction::new();
        txn.push(Operation::Assert { lock: "l".into() });
        txn.push(Operation::Insert {
            table: "t".into(),
            row: columns([("n", 1)]),
            uuid_name: None,
            uuid: Some(chosen),
        });
        txn.update("t", this(), columns([("n", 2)]));
        txn.mutate("t", this(), [Mutation::new("n", Mutator::Multiply, 3)]);
        txn.guard("t", this(), ["n"], vec![columns([("n", 6)])]);
        txn.select("t", this(), ["n"]);
        txn.delete("t", [Condition::eq("n", 7)]);
        txn.comment("every operation");
        txn.push(Operation::Commit { durable: true });
        let results = client.transact(txn, LIMIT).await.unwrap();
        assert_eq!(results[1].uuid(), Some(chosen));
        let counts: Vec<_> = results.iter().map(OpResult::count).collect();
        assert_eq!(
            (counts[2], counts[3], counts[6]),
            (Some(1), Some(1), Some(0))
        );
        let row = &results[5].rows().unwrap()[0];
        assert_eq!(row.get("n"), Some(&Json::Integer(6)));

        for (operation, error) in [
            (Operation::Abort, "aborted"),
            (
                Operation::Assert {
                    lock: "other".into(),
                },
                "not owner",
            ),
        ] {
            let sent = client.transact(vec![operation].into(), LIMIT).await;
            let Err(Error::Server(why)) = sent else {
                panic!("{sent:?}")
            };
            assert_eq!((&*why.error, why.op), (error, Some(0)));
        }
    });
}

#[test]
fn every_plain_method() {
    let server = Server::with_schema_text(SCHEMA);
    block_on(LIMIT, async {
        let (client, _events) = start(&server).await;
        let names = ask(&client, "list_dbs", vec![]).await.to_string();
        assert!(
            names.contains("\"m\"") && names.contains("\"_Server\""),
            "{names}"
        );
        let schema = ask(&client, "get_schema", vec!["m".into()]).await;
        assert_eq!(&*DatabaseSchema::parse(&schema).unwrap().version, "1.0.0");
        let unknown = client
            .request("get_schema", vec!["none".into()], LIMIT)
            .await;
        assert!(matches!(unknown, Err(Error::Server(e)) if &*e.error == "unknown database"));
        let id = ask(&client, "get_server_id", vec![]).await;
        assert!(Uuid::parse(id.as_str().unwrap()).is_some(), "{id}");
        let aware = ask(&client, "set_db_change_aware", vec![true.into()]).await;
        assert_eq!(aware.to_string(), "{}");
        let words = vec![Json::from("a"), Json::Null, Json::Integer(3)];
        assert_eq!(
            ask(&client, "echo", words.clone()).await,
            Json::Array(words)
        );
        let unknown = client.request("nonsense", vec![], LIMIT).await;
        assert!(matches!(unknown, Err(Error::Server(e)) if &*e.error == "unknown method"));
        let other = || vec![Json::from("other")];
        assert_eq!(
            ask(&client, "lock", other()).await.to_string(),
            r#"{"locked":true}"#
        );
        assert_eq!(ask(&client, "unlock", other()).await.to_string(), "{}");
        assert_eq!(
            ask(&client, "steal", other()).await.to_string(),
            r#"{"locked":true}"#
        );
    });
}

/// The methods of all three generations, with the notifications that belong to them; the
/// session's own monitor and others live beside each other.
#[test]
fn every_monitor_method() {
    let server = Server::with_schema_text(SCHEMA);
    block_on(LIMIT, async {
        let (client, mut events) = start(&server).await;
        let tables = [TableMonitor::new("t", ["n"])];
        for (method, notification) in [
            (Method::Monitor, "update"),
            (Method::Cond, "update2"),
            (Method::CondSince, "update3"),
        ] {
            let id = Json::from(method.name());
            let params = method.params(&"m".into(), &id, &tables, Uuid::ZERO);
            let initial = ask(&client, method.name(), params).await;
            assert!(!initial.to_string().contains("\"n\""), "{initial}");
            let mut txn = Transaction::new();
            txn.insert("t", columns([("n", 5)]));
            client.transact(txn, LIMIT).await.unwrap();
            let (said, updates) = notified(&mut events, &id);
            assert_eq!(said, notification);
            let updates = decode_updates(updates, method.format()).unwrap();
            assert!(matches!(
                updates.as_slice(),
                [(_, _, RowUpdate::Present(_))]
            ));
            if method != Method::Monitor {
                // Out of view, and the monitor gets another name.
                let none = [tables[0].clone().when([Condition::Const(false)])];
                let renamed = Json::from("renamed");
                ask(
                    &client,
                    "monitor_cond_change",
                    change_params(&id, &renamed, &none),
                )
                .await;
                let (_, updates) = notified(&mut events, &renamed);
                let updates = decode_updates(updates, Format::Update2).unwrap();
                assert!(matches!(updates.as_slice(), [(_, _, RowUpdate::Absent)]));
                ask(&client, "monitor_cancel", vec![renamed]).await;
            } else {
                ask(&client, "monitor_cancel", vec![id]).await;
            }
            let mut txn = Transaction::new();
            txn.delete("t", []);
            client.transact(txn, LIMIT).await.unwrap();
            assert!(events.try_next().is_none(), "a cancelled monitor is silent");
        }
        drain(&mut events, &mut ovsdb::replica::Replica::new(vec![]));
    });
}

/// The notification for the monitor `id`, which has arrived before the last reply: its method
/// and its updates.
fn notified(events: &mut ovsdb::net::Events, id: &Json) -> (String, Json) {
    while let Some(event) = events.try_next() {
        if let Event::Notification(method, params) = event
            && params.first() == Some(id)
        {
            return (method.to_string(), params.last().unwrap().clone());
        }
    }
    panic!("no notification for {id}")
}

/// A waiting transaction that is given up is cancelled at the server: it never happens.
#[test]
fn cancel() {
    let server = Server::with_schema_text(SCHEMA);
    block_on(LIMIT, async {
        let (client, _events) = start(&server).await;
        let mut waiting = Transaction::new();
        waiting.push(Operation::Wait {
            timeout: None,
            table: "t".into(),
            conditions: vec![],
            columns: vec!["n".into()],
            until_equal: true,
            rows: vec![columns([("n", 1)])],
        });
        waiting.insert("t", columns([("n", 2)]));
        let expired = client.transact(waiting, Duration::from_millis(50)).await;
        assert_eq!(expired, Err(Error::Expired));
        let mut txn = Transaction::new();
        txn.insert("t", columns([("n", 1)]));
        client.transact(txn, LIMIT).await.unwrap();
        let mut txn = Transaction::new();
        txn.select("t", [], ["n"]);
        let results = client.transact(txn, LIMIT).await.unwrap();
        let rows = results[0].rows().unwrap();
        assert_eq!(rows.len(), 1, "{rows:?}");
    });
}
