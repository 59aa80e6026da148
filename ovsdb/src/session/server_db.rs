//! The row of `_Server.Database` that describes the session's database (ovsdb-server(5)).

use crate::json::{Json, Object, Str};
use crate::monitor::RowUpdate;
use crate::schema::AtomicType;
use crate::uuid::Uuid;
use crate::value::Atom;

/// What the server says about the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerDatabase {
    uuid: Uuid,
    /// True if the database is part of a RAFT cluster.
    pub clustered: bool,
    /// True if the server is in contact with a majority of the cluster.
    pub connected: bool,
    /// True if the server leads the cluster.
    pub leader: bool,
    /// Index of the last entry applied, if the database is clustered.
    pub index: Option<i64>,
    /// The cluster, if the database is clustered and the server has joined it.
    pub cluster: Option<Uuid>,
}

impl ServerDatabase {
    pub(super) const COLUMNS: [&'static str; 6] =
        ["name", "model", "connected", "leader", "index", "cid"];

    /// Folds an update of a row of `_Server.Database` in.
    pub(super) fn fold(slot: &mut Option<Self>, database: &Str, uuid: Uuid, update: RowUpdate) {
        match update {
            RowUpdate::Present(row) if text(&row, "name") == Some(database) => {
                let mut new = Self {
                    uuid,
                    clustered: false,
                    connected: false,
                    leader: false,
                    index: None,
                    cluster: None,
                };
                new.set(&row);
                *slot = Some(new);
            }
            RowUpdate::Modified(row) | RowUpdate::Replaced(row) => {
                if let Some(known) = slot.as_mut().filter(|s| s.uuid == uuid) {
                    known.set(&row);
                }
            }
            RowUpdate::Absent if slot.as_ref().is_some_and(|s| s.uuid == uuid) => *slot = None,
            RowUpdate::Present(_) | RowUpdate::Absent => {}
        }
    }

    fn set(&mut self, row: &Object) {
        if let Some(model) = text(row, "model") {
            self.clustered = model == "clustered";
        }
        let flag = |name: &str| row.get(name).and_then(Json::as_bool);
        self.connected = flag("connected").unwrap_or(self.connected);
        self.leader = flag("leader").unwrap_or(self.leader);
        if let Some(index) = row.get("index") {
            self.index = index.as_integer();
        }
        if let Some(cid) = row.get("cid") {
            let atom = Atom::decode(cid, AtomicType::Uuid).ok();
            self.cluster = atom.and_then(|atom| atom.as_uuid());
        }
    }
}

fn text<'a>(row: &'a Object, name: &str) -> Option<&'a str> {
    row.get(name).and_then(Json::as_str)
}
