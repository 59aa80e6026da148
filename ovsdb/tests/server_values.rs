//! Generated values survive the way through a real ovsdb-server unchanged: stored, selected,
//! and received by a monitor, and again through their text form.

mod harness;

use harness::{Server, block_on, connect, drain};
use ovsdb::Uuid;
use ovsdb::json::{Json, parse};
use ovsdb::monitor::TableMonitor;
use ovsdb::net::Config;
use ovsdb::op::{Columns, Transaction};
use ovsdb::schema::{ColumnType, DatabaseSchema};
use ovsdb::value::{Atom, Datum, Real};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

/// Column name and type.
const TYPES: [(&str, &str); 9] = [
    ("i", r#""integer""#),
    ("r", r#""real""#),
    ("b", r#""boolean""#),
    ("s", r#""string""#),
    ("u", r#""uuid""#),
    ("os", r#"{"key":"string","min":0,"max":1}"#),
    ("si", r#"{"key":"integer","min":0,"max":"unlimited"}"#),
    ("ss", r#"{"key":"string","min":0,"max":"unlimited"}"#),
    (
        "m",
        r#"{"key":"string","value":"real","min":0,"max":"unlimited"}"#,
    ),
];

fn schema_text() -> String {
    let columns: Vec<String> = TYPES
        .iter()
        .map(|(n, t)| format!("\"{n}\":{{\"type\":{t}}}"))
        .collect();
    format!(
        "{{\"name\":\"p\",\"tables\":{{\"p\":{{\"columns\":{{{}}}}}}}}}",
        columns.join(",")
    )
}

fn atom_of(kind: &str) -> BoxedStrategy<Atom> {
    match kind {
        "i" => prop_oneof![any::<i64>(), -5..5i64]
            .prop_map(Atom::Integer)
            .boxed(),
        // The server writes 15 significant digits, so that is what can survive.
        "r" => (-999_999_999_999_999i64..=999_999_999_999_999, -30..30i32)
            .prop_map(|(digits, exponent)| {
                let real: f64 = format!("{digits}e{exponent}").parse().unwrap();
                Atom::Real(Real::new(real).unwrap())
            })
            .boxed(),
        "b" => any::<bool>().prop_map(Atom::Boolean).boxed(),
        "s" => prop_oneof![
            any::<String>().prop_map(|s| s.replace('\0', "\u{1}")),
            "[a-z\"\\\\/ \u{10ff80}\u{fffd}]{0,8}",
        ]
        .prop_map(|s| {
            // Through the decoder, as it would come from a peer.
            Atom::from(ovsdb::json::text::decode(s.as_bytes()).as_ref())
        })
        .boxed(),
        _ => any::<u128>()
            .prop_map(|u| Atom::Uuid(Uuid::from_random(u)))
            .boxed(),
    }
}

fn value_of(column: &str) -> BoxedStrategy<Datum> {
    match column {
        "os" => proptest::option::of(atom_of("s"))
            .prop_map(|a| a.map_or(Datum::EMPTY, Datum::from))
            .boxed(),
        "si" => proptest::collection::vec(atom_of("i"), 0..6)
            .prop_map(Datum::set)
            .boxed(),
        "ss" => proptest::collection::vec(atom_of("s"), 0..6)
            .prop_map(Datum::set)
            .boxed(),
        "m" => proptest::collection::vec((atom_of("s"), atom_of("r")), 0..5)
            .prop_map(Datum::map)
            .boxed(),
        scalar => atom_of(scalar).prop_map(Datum::from).boxed(),
    }
}

#[test]
fn values_survive_the_server() {
    let server = Server::with_schema_text(&schema_text());
    let json = parse(schema_text().as_bytes()).unwrap();
    let schema = DatabaseSchema::parse(&json).unwrap();
    let kind = |column: &str| -> ColumnType {
        schema
            .table("p")
            .unwrap()
            .column(column)
            .unwrap()
            .kind
            .clone()
    };
    let mut runner = TestRunner::deterministic();
    block_on(LIMIT, async {
        let mut config = Config::new(vec![server.remote()], "p");
        config.session.monitors = vec![TableMonitor::all("p")];
        let (client, mut events, mut replica) = connect(config).await;
        for _ in 0..400 {
            let mut row = Columns::new();
            for (column, _) in TYPES {
                let value = value_of(column).new_tree(&mut runner).unwrap().current();
                row.insert(column.into(), value);
            }
            let mut txn = Transaction::new();
            txn.delete("p", []);
            let op = txn.insert("p", row.clone()).op;
            txn.push(ovsdb::op::Operation::Select {
                table: "p".into(),
                conditions: vec![],
                columns: None,
            });
            let sent = Json::Array(txn.to_params(&"p".into()));
            let results = client.transact(txn, LIMIT).await;
            let mut why = || std::iter::from_fn(|| events.try_next()).last();
            let results = results.unwrap_or_else(|e| panic!("{e}: {sent}: {:?}", why()));
            let uuid = results[op].uuid().unwrap();
            let selected = &results[2].rows().unwrap()[0];
            drain(&mut events, &mut replica);
            let monitored = replica.row("p", uuid).unwrap();
            for (column, value) in &row {
                let kind = kind(column);
                let back = Datum::decode(selected.get(column).unwrap(), &kind).unwrap();
                assert_eq!(&back, value, "select {column}");
                assert_eq!(monitored.get(column).unwrap(), value, "monitor {column}");
                let text = value.to_text(&kind);
                assert_eq!(&Datum::from_text(&text, &kind).unwrap(), value, "{text}");
            }
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn decode_inverts_encode(column in 0..TYPES.len(), seed in any::<u64>()) {
        let (name, kind) = TYPES[column];
        let mut runner = TestRunner::new_with_rng(
            proptest::test_runner::Config::default(),
            proptest::test_runner::TestRng::from_seed(
                proptest::test_runner::RngAlgorithm::ChaCha,
                &[seed.to_le_bytes(); 4].concat(),
            ),
        );
        let value = value_of(name).new_tree(&mut runner).unwrap().current();
        let text = format!("[{kind}]");
        let Json::Array(kinds) = parse(text.as_bytes()).unwrap() else { unreachable!() };
        let kind = ColumnType::parse(&kinds[0]).unwrap();
        let mut bytes = Vec::new();
        ovsdb::json::write(&Json::Array(vec![value.to_json()]), &mut bytes);
        let Json::Array(back) = parse(&bytes).unwrap() else { unreachable!() };
        prop_assert_eq!(Datum::decode(&back[0], &kind).unwrap(), value.clone());
        let untyped = Datum::decode_untyped(&back[0]).unwrap();
        prop_assert_eq!(Datum::decode(&untyped.to_json(), &kind).unwrap(), value);
    }
}
