//! What a session says by itself: the steps after a connect, and what comes of the replies.
//!
//! After a connect `set_db_change_aware`, the monitor of `_Server` and `get_schema` go out in
//! one write; the monitor follows when the schema is known. Replies come in order, so what
//! `_Server` says is known before the schema arrives.

use super::{Event, Outcome, Reason, ServerDatabase, Session};
use crate::conn::{self, RequestId};
use crate::json::{Json, Str};
use crate::monitor::{Format, Method, TableMonitor, decode_updates};
use crate::op::ServerError;
use crate::schema::DatabaseSchema;
use crate::uuid::Uuid;
use core::time::Duration;
use std::sync::Arc;

/// Who waits for a reply.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
    /// The owner of the session.
    Caller,
    /// Nobody cares about the content.
    Ignored,
    ServerMonitor,
    Schema,
    Monitor(Method),
    ConditionChange,
    Lock(Str),
}

const SERVER_DB: &str = "_Server";

impl Session {
    pub(super) fn start_handshake(&mut self, now: Duration) {
        self.ask(
            "set_db_change_aware",
            &[Json::Bool(true)],
            Purpose::Ignored,
            now,
        );
        let tables = [TableMonitor::new("Database", ServerDatabase::COLUMNS)];
        let params = Method::Cond.params(&SERVER_DB.into(), &server_monitor(), &tables, Uuid::ZERO);
        self.ask("monitor_cond", &params, Purpose::ServerMonitor, now);
        self.ask_schema(now);
        let locks: Vec<Str> = self.locks.keys().cloned().collect();
        for lock in locks {
            let steal = self.steals.remove(&lock);
            self.ask_lock(if steal { "steal" } else { "lock" }, lock, now);
        }
    }

    fn ask_schema(&mut self, now: Duration) {
        let database = Json::String(self.config.database.clone());
        self.ask("get_schema", &[database], Purpose::Schema, now);
    }

    fn ask_monitor(&mut self, now: Duration) {
        let monitors = self.known_monitors();
        if monitors.is_empty() {
            self.events.push_back(Event::InitialSnapshotComplete);
            return;
        }
        let params = self.method.params(
            &self.config.database,
            &monitor_id(),
            &monitors,
            self.last_txn,
        );
        self.ask(
            self.method.name(),
            &params,
            Purpose::Monitor(self.method),
            now,
        );
    }

    /// The monitors without tables and columns this server's schema does not have.
    pub(super) fn known_monitors(&self) -> Vec<TableMonitor> {
        let Some(schema) = &self.schema else {
            return Vec::new();
        };
        let known = |monitor: &TableMonitor| {
            let table = schema.table(&monitor.table)?;
            let mut monitor = monitor.clone();
            // Left to itself the server would add `_version` to "all columns".
            let all = || table.columns.keys().cloned().collect();
            let mut columns = monitor.columns.take().unwrap_or_else(all);
            columns.retain(|c| table.column(c).is_some());
            monitor.columns = Some(columns);
            Some(monitor)
        };
        self.config.monitors.iter().filter_map(known).collect()
    }

    pub(super) fn ask(&mut self, method: &str, params: &[Json], purpose: Purpose, now: Duration) {
        let deadline = now + self.config.handshake_timeout;
        let Some(conn) = &mut self.conn else { return };
        match conn.request(method, params, Some(deadline)) {
            Ok(id) => drop(self.purposes.insert(id, purpose)),
            Err(refused) => self.fail(Reason::Refused(refused.to_string().into())),
        }
    }

    pub(super) fn fail(&mut self, reason: Reason) {
        self.failed.get_or_insert(reason);
    }

    /// Handles everything the connection reports.
    pub(super) fn pump(&mut self, now: Duration) {
        while self.failed.is_none()
            && let Some(event) = self.conn.as_mut().and_then(conn::Conn::poll_event)
        {
            match event {
                conn::Event::Notification { method, params } => {
                    self.notification(method, params, now);
                }
                conn::Event::Reply { id, outcome } => {
                    if let Some(purpose) = self.purposes.remove(&id) {
                        self.reply(id, purpose, outcome, now);
                    }
                }
                conn::Event::Expired(id) => match self.purposes.remove(&id) {
                    Some(Purpose::Caller) => {
                        self.events.push_back(Event::Reply(id, Outcome::Expired));
                    }
                    // A lock may be granted at any time; a server may be too old for the rest.
                    Some(Purpose::Lock(_) | Purpose::Ignored | Purpose::ServerMonitor) | None => {}
                    Some(_) => self.fail(Reason::HandshakeTimeout),
                },
            }
        }
    }

    fn reply(
        &mut self,
        id: RequestId,
        purpose: Purpose,
        outcome: Result<Json, Json>,
        now: Duration,
    ) {
        match (purpose, outcome) {
            (Purpose::Caller, outcome) => {
                let outcome = outcome.map_or_else(Outcome::Error, Outcome::Result);
                self.events.push_back(Event::Reply(id, outcome));
            }
            (Purpose::Ignored, _) | (Purpose::ServerMonitor, Err(_)) => {}
            (Purpose::ServerMonitor, Ok(json)) => self.server_update(json),
            (Purpose::Schema, Ok(json)) => self.schema_known(&json, now),
            (Purpose::Monitor(method), Ok(json)) => self.monitor_started(method, json, now),
            (Purpose::Monitor(method), Err(error)) if is_unknown_method(&error) => {
                match method.older() {
                    Some(older) => self.method = older,
                    None => return self.fail(Reason::Refused("server knows no monitor".into())),
                }
                self.last_txn = Uuid::ZERO;
                // The request will hold the newest conditions.
                self.conditions.waiting.clear();
                self.ask_monitor(now);
            }
            (Purpose::ConditionChange, Ok(_)) => {
                self.conditions.in_flight = self.conditions.in_flight.saturating_sub(1);
            }
            (Purpose::Lock(lock), Ok(json)) => {
                if json.member("locked").and_then(Json::as_bool) == Some(true) {
                    self.lock_changed(&lock, true);
                }
            }
            (_, Err(error)) => {
                let error = ServerError::decode(&error, None);
                self.fail(Reason::Refused(error.to_string().into()));
            }
        }
    }

    fn schema_known(&mut self, json: &Json, now: Duration) {
        let schema = match DatabaseSchema::parse(json) {
            Ok(schema) => Arc::new(schema),
            Err(error) => return self.fail(Reason::Schema(error)),
        };
        if self
            .schema
            .as_ref()
            .is_some_and(|old| old.version != schema.version)
        {
            self.last_txn = Uuid::ZERO;
        }
        self.schema = Some(schema.clone());
        self.events.push_back(Event::Connected(schema.clone()));
        let mut changes = Vec::new();
        self.replica
            .configure(&schema, &self.config.monitors, &mut changes);
        if !changes.is_empty() {
            self.last_txn = Uuid::ZERO;
        }
        self.report(changes);
        self.ask_monitor(now);
    }

    fn monitor_started(&mut self, method: Method, json: Json, now: Duration) {
        let (found, updates) = match (method, json) {
            (Method::CondSince, Json::Array(parts)) => {
                let mut parts = parts.into_iter();
                let found = parts.next().and_then(|j| j.as_bool()).unwrap_or(false);
                self.note_txn(parts.next().as_ref());
                (found, parts.next().unwrap_or(Json::Null))
            }
            (_, json) => (false, json),
        };
        self.active = Some(method);
        self.counters.resumed += u64::from(found);
        self.fold(updates, method.format(), !found);
        if self.failed.is_none() {
            self.events.push_back(Event::InitialSnapshotComplete);
            self.send_conditions(now);
        }
    }

    fn fold(&mut self, updates: Json, format: Format, snapshot: bool) {
        let mut changes = Vec::new();
        let result = decode_updates(updates, format).and_then(|updates| {
            if snapshot {
                self.replica.replace(updates, &mut changes)
            } else {
                self.replica.apply(updates, &mut changes)
            }
        });
        self.counters.updates += 1;
        self.report(changes);
        if let Err(error) = result {
            // The next snapshot must be complete, or the damage would stay.
            self.last_txn = Uuid::ZERO;
            self.fail(Reason::Update(error));
        }
    }

    fn report(&mut self, changes: Vec<crate::replica::RowChange>) {
        if !changes.is_empty() {
            self.counters.changes += u64::try_from(changes.len()).unwrap_or(0);
            self.events.push_back(Event::Update(changes));
        }
    }

    fn note_txn(&mut self, json: Option<&Json>) {
        let uuid = json.and_then(Json::as_str).and_then(Uuid::parse);
        self.last_txn = uuid.unwrap_or(Uuid::ZERO);
    }

    fn notification(&mut self, method: Str, params: Vec<Json>, now: Duration) {
        let ours = params.first() == Some(&monitor_id());
        let servers = params.first() == Some(&server_monitor());
        match &*method {
            "update" | "update2" | "update3" if ours && self.active.is_some() => {
                let mut params = params.into_iter().skip(1);
                let format = if &*method == "update" {
                    Format::Update
                } else {
                    Format::Update2
                };
                if &*method == "update3" {
                    self.note_txn(params.next().as_ref());
                }
                self.fold(params.next().unwrap_or(Json::Null), format, false);
            }
            "update2" | "update" | "update3" if servers => {
                self.server_update(params.into_iter().next_back().unwrap_or(Json::Null));
            }
            // The database was converted or moved away and back: start over from its schema.
            "monitor_canceled" if ours => {
                self.active = None;
                self.last_txn = Uuid::ZERO;
                self.ask_schema(now);
            }
            "monitor_canceled" if servers => self.server = None,
            "locked" | "stolen" => {
                if let Some(Json::String(lock)) = params.first() {
                    let lock = lock.clone();
                    self.lock_changed(&lock, &*method == "locked");
                }
            }
            _ => self.events.push_back(Event::Notification(method, params)),
        }
    }

    fn server_update(&mut self, json: Json) {
        let Ok(updates) = decode_updates(json, Format::Update2) else {
            return;
        };
        for (_, uuid, update) in updates {
            ServerDatabase::fold(&mut self.server, &self.config.database, uuid, update);
        }
        let Some(server) = &self.server else { return };
        if server.clustered && !server.connected {
            self.fail(Reason::NotInCluster);
        } else if server.clustered && !server.leader && self.config.leader_only {
            self.fail(Reason::NotLeader);
        } else if let (Some(cluster), Some(index)) = (server.cluster, server.index) {
            match self.seen {
                Some((seen, highest)) if seen == cluster && index < highest => {
                    self.fail(Reason::Stale);
                }
                _ => self.seen = Some((cluster, index)),
            }
        }
    }
}

/// What a server says that is older than the method.
fn is_unknown_method(error: &Json) -> bool {
    &*ServerError::decode(error, None).error == "unknown method"
}

pub(super) fn monitor_id() -> Json {
    Json::from("vifd")
}

fn server_monitor() -> Json {
    Json::from("vifd-server")
}
