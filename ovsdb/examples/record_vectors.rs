//! Records the vectors of this crate: sends inputs to a private ovsdb-server and writes down
//! what it says. `cargo run -p vifd-ovsdb --example record_vectors -- DIR` writes `DIR/*.jsonl`;
//! needs ovsdb-tool and ovsdb-server.

use ovsdb::json::{Json, Object, parse};
use ovsdb::net::{Client, Config, Error, Remote};
use ovsdb::session::Event;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(10);

const SCHEMA: &str = r#"{"name":"v","version":"1.0.0","tables":{
    "host":{"isRoot":true,"indexes":[["name"]],"columns":{
        "name":{"type":"string","mutable":false},
        "load":{"type":{"key":{"type":"real","minReal":0},"min":0,"max":1}},
        "vlans":{"type":{"key":{"type":"integer","minInteger":0,"maxInteger":4095},
            "min":0,"max":"unlimited"}},
        "mode":{"type":{"key":{"type":"string","enum":["set",["access","trunk"]]},"min":0,"max":1}},
        "ids":{"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
        "nics":{"type":{"key":{"type":"uuid","refTable":"nic"},"min":0,"max":"unlimited"}},
        "peer":{"type":{"key":{"type":"uuid","refTable":"host","refType":"weak"},
            "min":0,"max":1}}}},
    "nic":{"columns":{"mac":{"type":"string"},"up":{"type":"boolean"}}}}}"#;

/// Values by column type: stored, then read back.
const ROUND_TRIPS: &[(&str, &str, &[&str])] = &[
    (
        "integers",
        r#""integer""#,
        &["[0]", "[-9223372036854775808]", "[1e3]", "[1.5]", "[\"x\"]"],
    ),
    (
        "reals",
        r#""real""#,
        &[
            "[0]",
            "[-0.0]",
            "[1e300]",
            "[0.1]",
            "[123456789012345]",
            "[true]",
        ],
    ),
    (
        "strings",
        r#""string""#,
        &[
            "[\"\"]",
            "[\"\\u00e9\\ud834\\udd1e\\n\"]",
            "[\"a/b\"]",
            "[1]",
        ],
    ),
    (
        "optional",
        r#"{"key":"boolean","min":0}"#,
        &[
            "[[\"set\",[]]]",
            "[true]",
            "[[\"set\",[false]]]",
            "[[\"set\",[false,true]]]",
        ],
    ),
    (
        "sets",
        r#"{"key":"integer","min":0,"max":3}"#,
        &[
            "[[\"set\",[3,1,2]]]",
            "[7]",
            "[[\"set\",[1,1]]]",
            "[[\"set\",[1,2,3,4]]]",
        ],
    ),
    (
        "maps",
        r#"{"key":"string","value":"integer","min":0,"max":"unlimited"}"#,
        &[
            "[[\"map\",[[\"b\",1],[\"a\",2]]]]",
            "[[\"map\",[]]]",
            "[[\"map\",[[\"a\",1],[\"a\",2]]]]",
        ],
    ),
    (
        "enum",
        r#"{"key":{"type":"string","enum":["set",["a","b"]]}}"#,
        &["[\"a\"]", "[\"c\"]"],
    ),
    (
        "lengths",
        r#"{"key":{"type":"string","minLength":2,"maxLength":3}}"#,
        &[
            "[\"ab\"]",
            "[\"a\"]",
            "[\"abcd\"]",
            "[\"\\u00e9\\u00e9\\u00e9\"]",
        ],
    ),
];

const EXECUTIONS: &[(&str, &[&str])] = &[
    (
        "insert, select, garbage",
        &[
            r#"["v",{"op":"insert","table":"nic","row":{"mac":"lost"}}]"#,
            r#"["v",{"op":"select","table":"nic","where":[]}]"#,
            r#"["v",{"op":"insert","table":"nic","row":{"mac":"kept"},"uuid-name":"n"},{"op":"insert","table":"host","row":{"name":"h","nics":["named-uuid","n"]}}]"#,
            r#"["v",{"op":"select","table":"nic","where":[],"columns":["mac","up"]}]"#,
            r#"["v",{"op":"delete","table":"host","where":[]}]"#,
            r#"["v",{"op":"select","table":"nic","where":[],"columns":["mac"]}]"#,
        ],
    ),
    (
        "mutate maps and sets",
        &[
            r#"["v",{"op":"insert","table":"host","row":{"name":"h","ids":["map",[["a","1"]]],"vlans":5}}]"#,
            r#"["v",{"op":"mutate","table":"host","where":[["name","==","h"]],"mutations":[["ids","insert",["map",[["a","2"],["b","2"]]]],["vlans","insert",["set",[5,6]]]]},{"op":"select","table":"host","where":[],"columns":["ids","vlans"]}]"#,
            r#"["v",{"op":"mutate","table":"host","where":[],"mutations":[["ids","delete",["set",["a"]]],["ids","insert",["map",[["a","3"]]]],["vlans","delete",5]]},{"op":"select","table":"host","where":[],"columns":["ids","vlans"]}]"#,
            r#"["v",{"op":"mutate","table":"host","where":[],"mutations":[["vlans","+=",4090]]}]"#,
            r#"["v",{"op":"mutate","table":"host","where":[],"mutations":[["name","+=",1]]}]"#,
        ],
    ),
    (
        "refusals",
        &[
            r#"["v",{"op":"insert","table":"host","row":{"name":"h","load":-1}}]"#,
            r#"["v",{"op":"insert","table":"host","row":{"name":"h","mode":"other"}}]"#,
            r#"["v",{"op":"insert","table":"host","row":{"name":"h","nics":["uuid","11111111-2222-3333-4444-555555555555"]}}]"#,
            r#"["v",{"op":"insert","table":"host","row":{"name":"h"}},{"op":"update","table":"host","where":[],"row":{"name":"g"}}]"#,
            r#"["v",{"op":"insert","table":"host","row":{"name":"h"}},{"op":"abort"}]"#,
            r#"["v",{"op":"wait","timeout":0,"table":"host","where":[],"columns":["name"],"until":"==","rows":[{"name":"h"}]}]"#,
            r#"["v",{"op":"select","table":"host","where":[["name","<","h"]]}]"#,
            r#"["v",{"op":"insert","table":"host","row":{},"extra":1}]"#,
            r#"["v",{"op":"assert","lock":"l"}]"#,
            r#"["nodb"]"#,
        ],
    ),
    (
        "weak references vanish",
        &[
            r#"["v",{"op":"insert","table":"host","row":{"name":"a"},"uuid-name":"a"},{"op":"insert","table":"host","row":{"name":"b","peer":["named-uuid","a"]}}]"#,
            r#"["v",{"op":"delete","table":"host","where":[["name","==","a"]]}]"#,
            r#"["v",{"op":"select","table":"host","where":[],"columns":["name","peer"]}]"#,
        ],
    ),
];

/// JSON texts; what the server echoes is the canonical form.
const JSON: &[&str] = &[
    "[ 1 , 1.0, 1e2, -0, 12345678901234567890, 1.5e-7, 0.1 ]",
    "[\"\\u0041\\/\\b\\ud834\\udd1e\", \"\u{e9}\", \"\\\\\\\"\"]",
    "[{\"b\":1,\"a\":[],\"a\":{}}]",
    "[true,false,null,[[]]]",
    "[9223372036854775807,-9223372036854775808,9223372036854775808,1e400]",
    "[\"\\ud834\"]",
    "[\"\\u0000\"]",
    "[01]",
    "[1.]",
    "[+1]",
    "['x']",
    "[1,]",
    "[\"\t\"]",
];

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(dir: &Path, schema: &str) -> Server {
    let (file, db) = (dir.join("schema"), dir.join("db"));
    let _ = std::fs::remove_file(&db);
    std::fs::write(&file, schema).expect("write schema");
    let made = Command::new("ovsdb-tool")
        .arg("create")
        .arg(&db)
        .arg(&file)
        .status();
    assert!(made.expect("run ovsdb-tool").success());
    let socket = dir.join("sock");
    let _ = std::fs::remove_file(&socket);
    let child = Command::new("ovsdb-server")
        .arg(format!("--remote=punix:{}", socket.display()))
        .arg(format!("--unixctl={}", dir.join("ctl").display()))
        .arg(&db)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("run ovsdb-server");
    while std::os::unix::net::UnixStream::connect(&socket).is_err() {
        std::thread::sleep(Duration::from_millis(5));
    }
    Server(child)
}

async fn client(dir: &Path, database: &str) -> Client {
    let config = Config::new(vec![Remote::Unix(dir.join("sock"))], database);
    let (client, mut events) = Client::spawn(config).expect("start client");
    while !matches!(events.next().await, Some(Event::InitialSnapshotComplete)) {}
    client
}

async fn transact(client: &Client, params: Vec<Json>) -> Json {
    match client.request("transact", params, LIMIT).await {
        Ok(json) => json,
        Err(Error::Server(error)) => Json::from(error.to_string().as_str()),
        Err(error) => panic!("{error}"),
    }
}

fn vector(name: &str, kind: &str, more: Vec<(&str, Json)>) -> String {
    let mut object = Object::new();
    object.insert("source", "recorded from ovsdb-server".into());
    object.insert("name", name.into());
    object.insert("kind", kind.into());
    for (name, value) in more {
        object.insert(name, value);
    }
    Json::Object(object).to_string()
}

fn array(text: &str) -> Vec<Json> {
    match parse(text.as_bytes()) {
        Ok(Json::Array(elements)) => elements,
        other => panic!("{text}: {other:?}"),
    }
}

/// The server's text form: 15 digits.
fn canonical(json: &Json) -> String {
    let mut out = Vec::new();
    ovsdb::json::write_pretty_real(json, Some(15), &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

async fn round_trips(dir: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, kind, values) in ROUND_TRIPS {
        let schema =
            format!(r#"{{"name":"r","tables":{{"r":{{"columns":{{"c":{{"type":{kind}}}}}}}}}}}"#);
        let _server = start(dir, &schema);
        let client = client(dir, "r").await;
        let mut text = Vec::new();
        for value in *values {
            let value = &array(value)[0];
            let params = format!(
                r#"["r",{{"op":"insert","table":"r","row":{{"c":{value}}},"uuid-name":"x"}},{{"op":"select","table":"r","where":[["_uuid","==",["named-uuid","x"]]],"columns":["c"]}}]"#
            );
            let result = transact(&client, array(&params)).await;
            let result = result.as_array().expect("results").to_vec();
            text.push(match result[0].member("error") {
                Some(error) => error.as_str().unwrap_or_default().to_owned(),
                None => {
                    let rows = result[1]
                        .member("rows")
                        .and_then(Json::as_array)
                        .expect("rows");
                    canonical(rows[0].member("c").expect("column"))
                }
            });
        }
        let mut args: Vec<Json> = vec![format!("[{kind}]").as_str().into()];
        args.extend(values.iter().map(|v| Json::from(*v)));
        let text = Json::from(text.join("\n").as_str());
        lines.push(vector(
            name,
            "round-trip",
            vec![("args", Json::Array(args)), ("text", text)],
        ));
    }
    lines
}

async fn executions(dir: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, transactions) in EXECUTIONS {
        let _server = start(dir, SCHEMA);
        let client = client(dir, "v").await;
        let mut text = Vec::new();
        for transaction in *transactions {
            text.push(canonical(&transact(&client, array(transaction)).await));
        }
        let transactions = transactions.iter().map(|t| Json::Array(array(t))).collect();
        let schema = parse(SCHEMA.as_bytes()).expect("schema");
        let text = Json::from(text.join("\n").as_str());
        let more = vec![
            ("schema", schema),
            ("transactions", Json::Array(transactions)),
            ("text", text),
        ];
        lines.push(vector(name, "execute", more));
    }
    lines
}

/// Sends each text as the parameters of an echo over a fresh plain connection.
fn json(dir: &Path) -> Vec<String> {
    use std::io::{Read, Write};
    let _server = start(dir, SCHEMA);
    let mut lines = Vec::new();
    for text in JSON {
        let mut socket =
            std::os::unix::net::UnixStream::connect(dir.join("sock")).expect("connect");
        socket.set_read_timeout(Some(LIMIT)).expect("timeout");
        let request = format!("{{\"id\":1,\"method\":\"echo\",\"params\":{text}}}");
        socket.write_all(request.as_bytes()).expect("send");
        let mut reply = Vec::new();
        let mut buffer = [0; 4096];
        let echoed = loop {
            match socket.read(&mut buffer) {
                Ok(n) if n > 0 => reply.extend_from_slice(&buffer[..n]),
                _ => break None,
            }
            if let Ok(json) = parse(&reply) {
                break json.member("result").map(canonical);
            }
        };
        let hex: String = text.bytes().map(|b| format!("{b:02x}")).collect();
        let mut more = vec![("hex", Json::from(hex.as_str()))];
        match &echoed {
            Some(text) => more.push(("text", text.as_str().into())),
            None => more.push(("expect_error", "connection closed".into())),
        }
        lines.push(vector(text, "json", more));
    }
    lines
}

fn main() {
    let out = std::env::args().nth(1).expect("usage: record_vectors DIR");
    let scratch = std::env::temp_dir().join(format!("record-vectors-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).expect("scratch directory");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("runtime");
    let files = runtime.block_on(async {
        [
            ("json.jsonl", json(&scratch)),
            ("round-trip.jsonl", round_trips(&scratch).await),
            ("execution.jsonl", executions(&scratch).await),
        ]
    });
    for (name, lines) in files {
        let path = Path::new(&out).join(name);
        std::fs::write(&path, lines.join("\n") + "\n").expect("write vectors");
        println!("{name}: {}", lines.len());
    }
    std::fs::remove_dir_all(&scratch).expect("remove scratch directory");
}
