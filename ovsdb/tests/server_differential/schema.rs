//! Schemas, as parameters of `convert`, and what `get_schema` gives back.

use crate::generate::{ATOMIC, Random, atom_of, canonical, cases, junk, number, set_of};
use crate::harness::{Server, block_on};
use crate::{LIMIT, plain_client};
use ovsdb::json::{Json, Object};
use ovsdb::net::Error;
use ovsdb::schema::DatabaseSchema;

/// Usually what `good` makes.
fn mostly(random: &mut Random, good: impl FnOnce(&mut Random) -> Json) -> Json {
    if random.one_in(40) {
        junk(random)
    } else {
        good(random)
    }
}

fn maybe(
    out: &mut Object,
    name: &'static str,
    random: &mut Random,
    one_in: usize,
    value: impl FnOnce(&mut Random) -> Json,
) {
    if random.one_in(one_in) {
        let value = mostly(random, value);
        out.insert(name, value);
    }
}

fn base_type(random: &mut Random) -> Json {
    let kind = random.pick(&ATOMIC);
    if random.one_in(3) {
        return mostly(random, |_| kind.into());
    }
    let mut out = Object::new();
    let name = mostly(random, |_| kind.into());
    out.insert("type", name);
    maybe(&mut out, "enum", random, 4, |r| {
        if r.one_in(3) {
            atom_of(r, kind)
        } else {
            set_of(r, 3, |r| atom_of(r, kind))
        }
    });
    // Members of the right kind are likelier.
    let fits = |wanted: &str| if kind == wanted { 3 } else { 60 };
    for name in ["minInteger", "maxInteger"] {
        maybe(&mut out, name, random, fits("integer"), number);
    }
    for name in ["minReal", "maxReal"] {
        maybe(&mut out, name, random, fits("real"), number);
    }
    for name in ["minLength", "maxLength"] {
        maybe(&mut out, name, random, fits("string"), number);
    }
    maybe(&mut out, "refTable", random, fits("uuid"), |r| {
        r.pick(&["t", "u", "t", "u", "nope", "0"]).into()
    });
    maybe(&mut out, "refType", random, fits("uuid"), |r| {
        r.pick(&["strong", "weak", "weak", "other"]).into()
    });
    maybe(&mut out, "extra", random, 80, junk);
    Json::Object(out)
}

fn column_type(random: &mut Random) -> Json {
    if random.one_in(3) {
        return base_type_name(random);
    }
    let mut out = Object::new();
    if !random.one_in(60) {
        let key = base_type(random);
        out.insert("key", key);
    }
    maybe(&mut out, "value", random, 3, base_type);
    maybe(&mut out, "min", random, 2, |r| {
        Json::Integer(i64::from(r.one_in(2)))
    });
    maybe(&mut out, "max", random, 2, |r| {
        if r.one_in(3) {
            "unlimited".into()
        } else {
            number(r)
        }
    });
    maybe(&mut out, "extra", random, 80, junk);
    Json::Object(out)
}

fn base_type_name(random: &mut Random) -> Json {
    mostly(random, |r| r.pick(&ATOMIC).into())
}

fn table_schema(random: &mut Random) -> Json {
    let mut columns = Object::new();
    for _ in 0..=random.below(3) {
        let name = if random.one_in(60) {
            random.pick(&["_a", "0a", "a-b", ""])
        } else {
            random.pick(&["a", "b", "c"])
        };
        let mut column = Object::new();
        let kind = column_type(random);
        column.insert("type", kind);
        maybe(&mut column, "ephemeral", random, 4, |r| {
            Json::Bool(r.one_in(2))
        });
        maybe(&mut column, "mutable", random, 4, |r| {
            Json::Bool(r.one_in(2))
        });
        maybe(&mut column, "extra", random, 100, junk);
        columns.insert(name, Json::Object(column));
    }
    if random.one_in(60) {
        columns = Object::new();
    }
    let mut out = Object::new();
    out.insert("columns", Json::Object(columns));
    maybe(&mut out, "isRoot", random, 3, |r| Json::Bool(r.one_in(2)));
    maybe(&mut out, "mutable", random, 8, |r| Json::Bool(r.one_in(2)));
    maybe(&mut out, "maxRows", random, 4, number);
    maybe(&mut out, "indexes", random, 4, |r| {
        let index = |r: &mut Random| {
            let names = (0..r.below(3)).map(|_| mostly(r, |r| r.pick(&["a", "b", "c"]).into()));
            Json::Array(names.collect())
        };
        Json::Array((0..r.below(3)).map(|_| mostly(r, index)).collect())
    });
    maybe(&mut out, "extra", random, 100, junk);
    Json::Object(out)
}

fn schema(random: &mut Random) -> Json {
    let mut tables = Object::new();
    for name in ["t", "u"] {
        let table = mostly(random, table_schema);
        tables.insert(name, table);
    }
    if random.one_in(60) {
        let table = table_schema(random);
        tables.insert(random.pick(&["_t", "0", "t t"]), table);
    }
    let mut out = Object::new();
    out.insert("name", "d".into());
    out.insert("tables", Json::Object(tables));
    maybe(&mut out, "version", random, 4, |r| {
        r.pick(&["1.2.3", "0.0.10", "1.2", "1.2.3.4", "1..3", "a.b.c", ""])
            .into()
    });
    maybe(&mut out, "cksum", random, 6, |_| "12345678 9".into());
    maybe(&mut out, "extra", random, 100, junk);
    Json::Object(out)
}

#[test]
fn schemas_are_read_alike() {
    let server = Server::with_schema_text(r#"{"name":"d","tables":{}}"#);
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let (mut taken, mut refused) = (0, 0);
    block_on(LIMIT, async {
        let client = plain_client(&server).await;
        for _ in 0..cases(1000) {
            let schema = schema(&mut random);
            let ours = DatabaseSchema::parse(&schema);
            let params = vec!["d".into(), schema.clone()];
            match (client.request("convert", params, LIMIT).await, ours) {
                (Ok(_), Ok(ours)) => {
                    let theirs = client
                        .request("get_schema", vec!["d".into()], LIMIT)
                        .await
                        .unwrap();

                    assert_eq!(canonical(&ours.to_json()), canonical(&theirs), "{schema}");
                    taken += 1;
                }
                (Err(Error::Server(_)), Err(_)) => refused += 1,
                (theirs, ours) => panic!("{schema}\nserver: {theirs:?}\nhere: {ours:?}"),
            }
        }
    });
    assert!(
        taken > 100 && refused > 100,
        "{taken} taken, {refused} refused"
    );
}
