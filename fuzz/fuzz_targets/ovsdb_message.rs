//! Messages, schemas, updates, conditions, mutations and results: what decodes re-encodes to
//! the same value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ovsdb::condition::Condition;
use ovsdb::json::{Json, parse};
use ovsdb::monitor::{Format, decode_updates};
use ovsdb::mutation::Mutation;
use ovsdb::op::{ServerError, decode_results};
use ovsdb::rpc::Message;
use ovsdb::schema::{DatabaseSchema, TableSchema};

fn parts(json: &Json) {
    if let Ok(schema) = DatabaseSchema::parse(json) {
        let again = DatabaseSchema::parse(&schema.to_json()).expect("own schema parses");
        assert_eq!(again, schema);
    }
    // `[table schema, condition or mutation..]`
    if let Some([table, rest @ ..]) = json.as_array()
        && let Ok(table) = TableSchema::parse(table)
    {
        for part in rest {
            let condition = Condition::decode(part, &table);
            let why = Condition::explain(part, "t", &table);
            assert_eq!(condition.is_err(), why.is_some(), "{part}: {why:?}");
            let mutation = Mutation::decode(part, &table).and_then(|m| m.check(&table).map(|()| m));
            let why = Mutation::explain(part, "t", &table);
            assert_eq!(mutation.is_err(), why.is_some(), "{part}: {why:?}");
            if let Ok(condition) = Condition::decode(part, &table) {
                condition.check(&table).expect("decoded condition checks");
                let again = Condition::decode(&condition.to_json(), &table);
                assert_eq!(again.as_ref(), Ok(&condition));
            }
            if let Ok(mutation) = Mutation::decode(part, &table) {
                mutation.check(&table).expect("decoded mutation checks");
                let again = Mutation::decode(&mutation.to_json(), &table);
                assert_eq!(again.as_ref(), Ok(&mutation));
                let column = table.column(&mutation.column).expect("column exists");
                let _ = mutation.apply(&column.kind.default_datum(), &column.kind);
            }
        }
    }
    let _ = decode_updates(json.clone(), Format::Update);
    let _ = decode_updates(json.clone(), Format::Update2);
    let _ = decode_results(json.clone(), 3);
    let _ = ServerError::decode(json, None).to_string();
}

fuzz_target!(|data: &[u8]| {
    let Ok(json) = parse(data) else { return };
    parts(&json);
    let Ok(message) = Message::decode(json) else {
        return;
    };
    // A real that is integral once rounded comes back as an integer, hence the first pass.
    let pass = |message: &Message| {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        Message::decode(parse(&bytes).expect("own output parses")).expect("own output decodes")
    };
    let message = pass(&message);
    assert_eq!(pass(&message), message);
    match message {
        Message::Request { params, .. } | Message::Notification { params, .. } => {
            params.iter().for_each(parts);
        }
        Message::Reply {
            outcome: Ok(json) | Err(json),
            ..
        } => parts(&json),
    }
});
