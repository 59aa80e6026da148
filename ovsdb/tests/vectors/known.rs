//! Vectors this crate does not agree with, each with the server's own word on it.

use crate::harness::{Server, block_on};
use crate::server::{LIMIT, plain_client, raw_transact};
use crate::{Vector, monitor};
use ovsdb::json::{Json, Object, parse};

/// Vectors that are expected to fail.
pub struct Known {
    /// Whether a vector is one of them.
    pub is: fn(&Vector) -> bool,
    /// What is different.
    pub why: &'static str,
    /// Asks ovsdb-server or ovsdb-tool, and fails if they do not side with this crate, or if
    /// more is different than the list says.
    pub shown: fn(&Vector) -> Result<(), String>,
}

const LIST: &[Known] = &[Known {
    is: |vector| {
        let conditions = vector
            .member("columns")
            .as_str()
            .is_some_and(|c| c.starts_with('['));
        conditions
            && !vector.text().unwrap_or_default().contains(",initial,")
            && vector.name.contains("delete due to modify")
    },
    why: "the expected log leaves out the initial row, which the server does send",
    shown: initial_row_is_sent,
}];

/// Monitors the vector's condition and looks for a row in the server's own reply.
fn initial_row_is_sent(vector: &Vector) -> Result<(), String> {
    monitor::run_without_initial(vector)?;
    let server = Server::with_schema_text(&vector.member("schema").to_string());
    let string = |name: &str| vector.member(name).as_str().unwrap();
    let clauses = parse(format!("[{}]", string("columns")).as_bytes()).unwrap();
    let mut requests = Object::new();
    requests.insert(string("table"), Json::object([("where", clauses)]));
    block_on(LIMIT, async {
        let client = plain_client(&server, string("db")).await;
        for params in vector.member("before").as_array().unwrap() {
            raw_transact(&client, params.as_array().unwrap().to_vec()).await;
        }
        let params = vec![string("db").into(), "m".into(), Json::Object(requests)];
        let reply = client
            .request("monitor_cond", params, LIMIT)
            .await
            .unwrap()
            .to_string();
        if reply.contains("\"initial\"") {
            Ok(())
        } else {
            Err(reply)
        }
    })
}

pub fn disagreement(vector: &Vector) -> Option<&'static Known> {
    LIST.iter().find(|known| (known.is)(vector))
}
