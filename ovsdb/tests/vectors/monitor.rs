//! Monitor vectors: the replica's row changes, printed the way `ovsdb-client monitor
//! --format=csv` prints them, against the expected log.

use crate::Vector;
use crate::harness::{Server, block_on, drain};
use crate::server::{LIMIT, mask, normalise, raw_transact};
use ovsdb::condition::Condition;
use ovsdb::json::{Json, Str, parse};
use ovsdb::monitor::TableMonitor;
use ovsdb::net::{Client, Config, Events};
use ovsdb::replica::{ChangeKind, Replica, Row, RowChange};
use ovsdb::schema::{DatabaseSchema, TableSchema};
use ovsdb::session::Event;
use std::sync::Arc;

pub fn run(vector: &Vector) -> Result<(), String> {
    compare(vector, |blocks| blocks)
}

/// The same, if the first rows are left out of our log.
pub fn run_without_initial(vector: &Vector) -> Result<(), String> {
    compare(vector, |blocks| {
        let initial = |block: &String| block.contains(",initial,");
        blocks.into_iter().filter(|block| !initial(block)).collect()
    })
}

fn compare(vector: &Vector, choose: impl Fn(Vec<String>) -> Vec<String>) -> Result<(), String> {
    let expected = vector.text().unwrap_or_default();
    let header = expected.lines().next().unwrap_or_default();
    let ours = choose(Log::new(vector, header).run(vector)).join("\n\n");
    let (ours, theirs) = (comparable(&ours), comparable(expected));
    if ours == theirs {
        Ok(())
    } else {
        Err(format!("ours\n{ours}\nexpected\n{theirs}"))
    }
}

struct Log {
    table: Str,
    /// Columns in the order of the header.
    columns: Vec<Str>,
    header: String,
    /// Kinds of changes that are not wanted.
    without: Vec<String>,
    conditions: Vec<Condition>,
    /// Later conditions.
    changes: Vec<Vec<Condition>>,
    /// With conditions, the log shows update2: defaults and deleted rows are blank.
    terse: bool,
    schema: DatabaseSchema,
}

impl Log {
    fn new(vector: &Vector, header: &str) -> Self {
        let schema = DatabaseSchema::parse(vector.member("schema")).unwrap();
        let name = vector.member("table").as_str().unwrap();
        let table = schema.table(name).unwrap().clone();
        let (mut without, mut conditions) = (Vec::new(), Vec::new());
        match vector.member("columns").as_str() {
            Some(text) if text.starts_with('[') => conditions = clauses(text, &table),
            Some(text) => without = text.split(',').map(|w| w[1..].to_owned()).collect(),
            None => {}
        }
        let mut changes = Vec::new();
        for list in vector.member("rest").as_array().unwrap_or_default() {
            // One text of several comma-separated `[[clauses]]`.
            let all = parse(format!("[{}]", list.as_str().unwrap()).as_bytes()).unwrap();
            for one in all.as_array().unwrap() {
                let inner = match one.as_array().unwrap() {
                    [Json::Array(inner)] => inner.clone(),
                    other => panic!("{other:?}"),
                };
                let inner = if inner
                    .iter()
                    .all(|c| matches!(c, Json::Array(_) | Json::Bool(_)))
                {
                    inner
                } else {
                    vec![Json::Array(inner)]
                };
                changes.push(
                    inner
                        .iter()
                        .map(|c| Condition::decode(c, &table).unwrap())
                        .collect(),
                );
            }
        }
        Self {
            table: name.into(),
            columns: header.split(',').skip(2).map(Str::from).collect(),
            header: header.to_owned(),
            without,
            terse: !conditions.is_empty() || !changes.is_empty(),
            conditions,
            changes,
            schema,
        }
    }

    fn run(&self, vector: &Vector) -> Vec<String> {
        let server = Server::with_schema_text(&vector.member("schema").to_string());
        let database = vector.member("db").as_str().unwrap().to_owned();
        let mut out = Vec::new();
        block_on(LIMIT, async {
            let writer = crate::server::plain_client(&server, &database).await;
            let transactions = |name: &str| {
                let list = vector.member(name).as_array().unwrap();
                list.iter()
                    .map(|t| t.as_array().unwrap().to_vec())
                    .collect::<Vec<_>>()
            };
            for params in transactions("before") {
                raw_transact(&writer, params).await;
            }
            let mut config = Config::new(vec![server.remote()], &database);
            let monitor = TableMonitor::new(self.table.clone(), self.columns.iter().cloned());
            config.session.monitors = vec![monitor.when(self.conditions.clone())];
            let (client, mut events) = Client::spawn(config).unwrap();
            let mut replica = Replica::new(vec![]);
            out.push(self.initial(&mut events).await);
            for params in transactions("transactions") {
                raw_transact(&writer, params).await;
                settle(&client).await;
                out.push(self.print(&take(&mut events), false));
            }
            for conditions in &self.changes {
                let table = TableMonitor::new(self.table.clone(), Vec::<Str>::new());
                client
                    .change_conditions(vec![table.when(conditions.clone())])
                    .await
                    .unwrap();
                settle(&client).await;
                out.push(self.print(&take(&mut events), false));
            }
            drain(&mut events, &mut replica);
        });
        out.retain(|block| !block.is_empty());
        out
    }

    async fn initial(&self, events: &mut Events) -> String {
        let mut changes = Vec::new();
        loop {
            match events.next().await.unwrap() {
                Event::Update(more) => changes.extend(more),
                Event::InitialSnapshotComplete => return self.print(&changes, true),
                _ => {}
            }
        }
    }

    fn print(&self, changes: &[RowChange], initial: bool) -> String {
        let mut lines = Vec::new();
        for change in changes {
            let (kind, action) = match change.kind() {
                ChangeKind::Insert if initial => ("initial", "initial"),
                ChangeKind::Insert => ("insert", "insert"),
                ChangeKind::Delete => ("delete", "delete"),
                ChangeKind::Modify => ("modify", "old"),
            };
            if self.without.iter().any(|w| w == kind) {
                continue;
            }
            let uuid = change.uuid;
            let all = |_: &str| true;
            match (&change.old, &change.new) {
                (Some(old), None) => {
                    lines.push(format!(
                        "{uuid},{action},{}",
                        self.cells(old, |_| !self.terse)
                    ));
                }
                (Some(old), Some(new)) => {
                    // The two lines of a change belong together.
                    let changed = self.cells(old, |c| change.changed(c));
                    let new = self.cells(new, all);
                    lines.push(format!("{uuid},{action},{changed}\n,new,{new}"));
                }
                (None, Some(new)) => {
                    let shown = |c: &str| !self.terse || new.get(c) != new.layout().default(c);
                    lines.push(format!("{uuid},{action},{}", self.cells(new, shown)));
                }
                (None, None) => {}
            }
        }
        if lines.is_empty() {
            return String::new();
        }
        format!("{}\n{}", self.header, lines.join("\n"))
    }

    fn cells(&self, row: &Arc<Row>, shown: impl Fn(&str) -> bool) -> String {
        let table: &TableSchema = self.schema.table(&self.table).unwrap();
        let cell = |column: &Str| {
            assert!(table.column(column).is_some(), "{column}");
            if !shown(column) {
                return String::new();
            }
            let text = row.get(column).unwrap().to_json().to_string();
            let quote = text.contains(['"', ',']);
            if quote {
                format!("\"{}\"", text.replace('"', "\"\""))
            } else {
                text
            }
        };
        self.columns.iter().map(cell).collect::<Vec<_>>().join(",")
    }
}

fn clauses(text: &str, table: &TableSchema) -> Vec<Condition> {
    let list = parse(format!("[{text}]").as_bytes()).unwrap();
    list.as_array()
        .unwrap()
        .iter()
        .map(|c| Condition::decode(c, table).unwrap())
        .collect()
}

/// Waits until every update that belongs to what happened before has arrived: replies and
/// updates come in order.
async fn settle(client: &Client) {
    for _ in 0..2 {
        client.request("echo", vec![], LIMIT).await.unwrap();
    }
}

fn take(events: &mut Events) -> Vec<RowChange> {
    let mut out = Vec::new();
    while let Some(event) = events.try_next() {
        if let Event::Update(changes) = event {
            out.extend(changes);
        }
    }
    out
}

/// Sorts the rows of each block, since the server sends them in hash order, then numbers the
/// identifiers.
fn comparable(text: &str) -> String {
    let mut blocks = Vec::new();
    for block in text.split("\n\n") {
        let mut lines: Vec<String> = Vec::new();
        for line in block.lines() {
            match lines.last_mut() {
                Some(last) if line.starts_with(",new") => {
                    last.push('\n');
                    last.push_str(line);
                }
                _ => lines.push(line.to_owned()),
            }
        }
        if lines.len() > 1 {
            lines[1..].sort_by_key(|line| mask(line));
        }
        blocks.push(lines.join("\n"));
    }
    normalise(&blocks.join("\n\n"))
}
