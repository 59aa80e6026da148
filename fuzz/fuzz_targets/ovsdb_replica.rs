//! Updates of every format, one per line: the replica never panics, its changes rebuild it,
//! and its indexes find what a scan finds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ovsdb::json::parse;
use ovsdb::monitor::{Format, TableMonitor, decode_updates};
use ovsdb::replica::{IndexSpec, Replica};
use ovsdb::schema::DatabaseSchema;
use ovsdb::value::Atom;
use std::sync::LazyLock;

static SCHEMA: LazyLock<DatabaseSchema> = LazyLock::new(|| {
    let text = br#"{"name":"d","tables":{
        "t":{"columns":{"i":{"type":"integer"},
            "o":{"type":{"key":"string","min":0,"max":1}},
            "s":{"type":{"key":"integer","min":0,"max":"unlimited"}},
            "m":{"type":{"key":"string","value":"string","min":0,"max":"unlimited"}}}},
        "u":{"columns":{"r":{"type":{"key":"uuid","min":0,"max":3}}}}}}"#;
    DatabaseSchema::parse(&parse(text).expect("JSON")).expect("schema")
});

fuzz_target!(|data: &[u8]| {
    let specs = || vec![IndexSpec::column("t", "s"), IndexSpec::key("t", "m", "k")];
    let mut replica = Replica::new(specs());
    let mut follower = Replica::new(specs());
    let mut changes = Vec::new();
    let monitors = [TableMonitor::all("t"), TableMonitor::all("u")];
    replica.configure(&SCHEMA, &monitors, &mut changes);
    for line in data.split(|b| *b == b'\n') {
        let Some((first, rest)) = line.split_first() else {
            continue;
        };
        let Ok(json) = parse(rest) else { continue };
        let format = if first & 1 == 0 {
            Format::Update
        } else {
            Format::Update2
        };
        let Ok(updates) = decode_updates(json, format) else {
            continue;
        };
        changes.clear();
        let _ = if first & 2 == 0 {
            replica.apply(updates, &mut changes)
        } else {
            replica.replace(updates, &mut changes)
        };
        for change in &changes {
            assert!(change.old != change.new);
            assert_eq!(
                follower.row(&change.table, change.uuid),
                change.old.as_ref()
            );
            follower.follow(std::slice::from_ref(change));
        }
    }
    for table in ["t", "u"] {
        assert!(replica.rows(table).eq(follower.rows(table)));
    }
    for (uuid, row) in replica.rows("t") {
        for atom in row.get("s").expect("column").atoms() {
            assert!(replica.find("t", "s", None, atom).any(|(u, _)| u == uuid));
        }
        if let Some(value) = row.key("m", "k") {
            let value = Atom::from(value);
            let mut found = follower.find("t", "m", Some("k"), &value);
            assert!(found.any(|(u, _)| u == uuid));
        }
    }
});
