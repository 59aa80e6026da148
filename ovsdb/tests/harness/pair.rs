//! A session and a script that plays its server, on a virtual link and clock.

use ovsdb::json::{Json, parse_prefix};
use ovsdb::monitor::TableMonitor;
use ovsdb::replica::IndexSpec;
use ovsdb::session::{Config, Event, Reason, Session};
use std::time::Duration;

pub const SCHEMA: &str = r#"{"name":"d","version":"1.0.0","tables":{"t":{"columns":{
    "n":{"type":"integer"},"s":{"type":{"key":"string","min":0,"max":"unlimited"}}}}}}"#;
pub const A: &str = "aaaaaaaa-0000-0000-0000-000000000000";
pub const B: &str = "bbbbbbbb-0000-0000-0000-000000000000";
pub const TXN: &str = "11111111-0000-0000-0000-000000000000";

/// Both ends of the link: what the session says is parsed, what the script says is delivered.
pub struct Pair {
    pub session: Session,
    pub now: Duration,
}

impl Pair {
    pub fn new(adapt: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new("d");
        config.monitors = vec![TableMonitor::new("t", ["n", "s", "unknown"])];
        config.indexes = vec![IndexSpec::column("t", "n")];
        adapt(&mut config);
        let mut session = Session::new(config);
        session.connected(Duration::ZERO);
        Self {
            session,
            now: Duration::ZERO,
        }
    }

    /// Messages the session has sent since the last call.
    pub fn sent(&mut self) -> Vec<Json> {
        let mut bytes = Vec::new();
        self.session.take_output(&mut bytes);
        let mut out = Vec::new();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let (json, used) = parse_prefix(rest).unwrap();
            out.push(json);
            rest = &rest[used..];
        }
        out
    }

    pub fn methods(&mut self) -> Vec<String> {
        let method = |m: &Json| m.member("method").unwrap().as_str().unwrap().to_owned();
        self.sent().iter().map(method).collect()
    }

    pub fn say(&mut self, text: &str) -> Result<(), Reason> {
        self.session.receive(text.as_bytes(), self.now)
    }

    pub fn reply(&mut self, id: i64, result: &str) {
        self.say(&format!(r#"{{"id":{id},"result":{result},"error":null}}"#))
            .unwrap();
    }

    pub fn refuse(&mut self, id: i64) {
        self.say(&format!(r#"{{"id":{id},"error":"unknown method"}}"#))
            .unwrap();
    }

    pub fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.session.poll_event()).collect()
    }

    /// Answers the first three requests of a handshake whose first id is `id`.
    pub fn greet(&mut self, id: i64) {
        self.reply(id, "{}");
        self.refuse(id + 1);
        self.reply(id + 2, SCHEMA);
    }
}

pub fn names(events: &[Event]) -> Vec<String> {
    let name = |event: &Event| match event {
        Event::Update(changes) => {
            let kinds: Vec<String> = changes.iter().map(|c| format!("{:?}", c.kind())).collect();
            format!("Update {}", kinds.join(" "))
        }
        Event::Connected(_) => "Connected".into(),
        Event::Disconnected(reason) => format!("Disconnected {reason}"),
        Event::Reply(_, outcome) => format!("{outcome:?}"),
        other => format!("{other:?}"),
    };
    events.iter().map(name).collect()
}

pub fn initial() -> String {
    format!(r#"{{"t":{{"{A}":{{"initial":{{"n":1}}}},"{B}":{{"initial":{{"s":"x"}}}}}}}}"#)
}
