//! The follower: knows how far it has read and what it has told, and turns what is new into deltas.
//!
//! No thread and no clock: each call reads in one transaction, and what it knows changes only after all reads
//! succeeded. So a lost database is resumed where it was.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use uuid::Uuid;

use super::groups::{self, Groups};
use super::read::{self, Record, Scope};
use super::translate;
use crate::model::{Delta, Endpoint, HostName, NetworkId, Port, PortId, SubnetId};
use crate::store::changelog::{self, Audience, Cursor, News};
use crate::store::{Mode, Row, Store, StoreError, Value, migrate, transaction};

/// Log entries per step: bounds what one step reads and sends.
const STEP: u32 = 1000;

/// Follows one database for one host.
#[derive(Debug)]
pub struct Follower {
    host: HostName,
    cursor: Option<Cursor>,
    database: Option<Uuid>,
    /// Told, with what is wrong with each.
    ports: FxHashMap<PortId, Option<Arc<str>>>,
    networks: FxHashSet<NetworkId>,
    subnets: FxHashSet<SubnetId>,
    endpoints: FxHashMap<String, Vec<Endpoint>>,
    groups: Groups,
    port_rivals: Rivals,
    network_rivals: Rivals,
}

/// What one step brought.
#[derive(Debug, Default)]
pub struct Step {
    /// To be applied in this order.
    pub deltas: Vec<Delta>,
    /// There is more: call again.
    pub more: bool,
    /// Why everything was read, if it was.
    pub snapshot: Option<&'static str>,
}

/// Why nothing was read. What is known stays.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another database is under the name now.
    #[error("the database is not the one this host followed: its id is {found}, not {wanted}")]
    OtherDatabase {
        /// In the database.
        found: Uuid,
        /// Followed until now.
        wanted: Uuid,
    },
}

/// Rows of ours that are unusable because of another row: when that one changes, they are read again.
#[derive(Debug, Default)]
struct Rivals {
    losers: FxHashMap<String, FxHashSet<String>>,
    of: FxHashMap<String, String>,
}

impl Rivals {
    fn set(&mut self, loser: &str, winner: Option<&String>) {
        if let Some(old) = self.of.remove(loser)
            && let Some(losers) = self.losers.get_mut(&old)
        {
            losers.remove(loser);
            if losers.is_empty() {
                self.losers.remove(&old);
            }
        }
        if let Some(winner) = winner {
            self.of.insert(loser.to_owned(), winner.clone());
            self.losers
                .entry(winner.clone())
                .or_default()
                .insert(loser.to_owned());
        }
    }

    fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    fn losers(&self, winner: &str) -> impl Iterator<Item = &String> {
        self.losers.get(winner).into_iter().flatten()
    }
}

/// Ids that the log named, in order of first mention.
#[derive(Default)]
pub(super) struct Ids {
    pub list: Vec<String>,
    seen: FxHashSet<String>,
}

impl Ids {
    pub fn add(&mut self, id: &str) {
        if self.seen.insert(id.to_owned()) {
            self.list.push(id.to_owned());
        }
    }
}

/// The rows that a step read.
#[derive(Default)]
struct Found {
    networks: (Ids, Vec<Record>),
    subnets: (Ids, Vec<Record>),
    ports: (Ids, Vec<Record>),
    endpoints: (Ids, Vec<Row>),
    groups: groups::Found,
}

enum Read {
    Snapshot {
        cursor: Cursor,
        found: Found,
        why: &'static str,
    },
    Increment {
        cursor: Cursor,
        found: Found,
        more: bool,
    },
}

impl Follower {
    /// Knows nothing yet. `database`: the id of the one followed in an earlier life, if that is known. The members of
    /// remote sets are told.
    pub fn new(host: HostName, database: Option<Uuid>) -> Follower {
        Follower {
            host,
            cursor: None,
            database,
            ports: FxHashMap::default(),
            networks: FxHashSet::default(),
            subnets: FxHashSet::default(),
            endpoints: FxHashMap::default(),
            groups: Groups::new(true),
            port_rivals: Rivals::default(),
            network_rivals: Rivals::default(),
        }
    }

    /// The same, but the members of remote sets are not told: for a host where nothing enforces security groups.
    pub fn without_members(self) -> Follower {
        Follower {
            groups: Groups::new(false),
            ..self
        }
    }

    /// The id of the database that it follows, once it does.
    pub fn database(&self) -> Option<Uuid> {
        self.database
    }

    /// An error if this is not the database it follows; remembers it if there was none.
    pub fn recognise(&mut self, store: &mut dyn Store) -> Result<(), FollowError> {
        migrate::require(store)?;
        let found = migrate::database_id(store)?;
        self.compare(found)?;
        self.database = Some(found);
        Ok(())
    }

    fn compare(&self, found: Uuid) -> Result<(), FollowError> {
        match self.database {
            Some(wanted) if wanted != found => Err(FollowError::OtherDatabase { found, wanted }),
            _ => Ok(()),
        }
    }

    /// Reads what is new: a snapshot at first and whenever the log does not reach back, else what the log names.
    pub fn step(&mut self, store: &mut dyn Store) -> Result<Step, FollowError> {
        let read = transaction(store, Mode::Read, |store| self.read(store))?;
        Ok(match read {
            Read::Snapshot { cursor, found, why } => {
                self.cursor = Some(cursor);
                Step {
                    deltas: self.snapshot(&found),
                    more: false,
                    snapshot: Some(why),
                }
            }
            Read::Increment {
                cursor,
                found,
                more,
            } => {
                self.cursor = Some(cursor);
                Step {
                    deltas: self.increment(&found),
                    more,
                    snapshot: None,
                }
            }
        })
    }

    fn read(&self, store: &mut dyn Store) -> Result<Read, FollowError> {
        self.compare(migrate::database_id(store)?)?;
        let Some(cursor) = &self.cursor else {
            return self.read_all(store, "first look");
        };
        // A rival's change is logged for its own host only, so while there is one every entry is looked at.
        let audience = if self.port_rivals.is_empty() {
            Audience::Host(&self.host.0)
        } else {
            Audience::Everybody
        };
        match changelog::news(store, cursor, audience, STEP)? {
            News::Gone { why } => self.read_all(store, why),
            News::Entries {
                cursor,
                entries,
                more,
            } => {
                let mut found = Found::default();
                let mut appeared = Ids::default();
                let mut mentioned = groups::Mentioned::default();
                for entry in &entries {
                    // Ids that are not text can not be told apart from others anyway: translate says so when it
                    // meets the row in a snapshot.
                    let Some(id) = entry.entity.text() else {
                        continue;
                    };
                    match entry.kind.as_str() {
                        "network" => {
                            found.networks.0.add(id);
                            self.network_rivals
                                .losers(id)
                                .for_each(|loser| found.networks.0.add(loser));
                            if entry.op != "update" {
                                appeared.add(id);
                            }
                        }
                        "subnet" => found.subnets.0.add(id),
                        "port" => {
                            found.ports.0.add(id);
                            self.port_rivals
                                .losers(id)
                                .for_each(|loser| found.ports.0.add(loser));
                        }
                        "endpoint" => found.endpoints.0.add(id),
                        // Security groups, or later kinds of entities.
                        _ => self.groups.note(entry, &mut mentioned),
                    }
                }
                // A port is unusable while its network does not exist.
                for id in read::ports_on(store, &self.host.0, &appeared.list)? {
                    id.text().into_iter().for_each(|id| found.ports.0.add(id));
                }
                found.networks.1 = read::networks(store, &Scope::Ids(&found.networks.0.list))?;
                found.subnets.1 = read::subnets(store, &Scope::Ids(&found.subnets.0.list))?;
                found.ports.1 = read::ports(store, &self.host.0, &Scope::Ids(&found.ports.0.list))?;
                found.endpoints.1 = read::endpoints(store, &Scope::Ids(&found.endpoints.0.list))?;
                found.groups = self.groups.read(store, mentioned, &found.ports.1)?;
                Ok(Read::Increment {
                    cursor,
                    found,
                    more,
                })
            }
        }
    }

    fn read_all(&self, store: &mut dyn Store, why: &'static str) -> Result<Read, FollowError> {
        let cursor = changelog::end(store)?;
        let mut found = Found {
            networks: (Ids::default(), read::networks(store, &Scope::All)?),
            subnets: (Ids::default(), read::subnets(store, &Scope::All)?),
            ports: (
                Ids::default(),
                read::ports(store, &self.host.0, &Scope::All)?,
            ),
            endpoints: (Ids::default(), read::endpoints(store, &Scope::All)?),
            groups: groups::Found::default(),
        };
        let nothing = groups::Mentioned::default();
        found.groups = self
            .groups
            .forgotten()
            .read(store, nothing, &found.ports.1)?;
        Ok(Read::Snapshot { cursor, found, why })
    }

    fn snapshot(&mut self, found: &Found) -> Vec<Delta> {
        self.ports.clear();
        self.networks.clear();
        self.subnets.clear();
        self.endpoints.clear();
        self.groups = self.groups.forgotten();
        self.port_rivals = Rivals::default();
        self.network_rivals = Rivals::default();
        let mut deltas = vec![Delta::SnapshotBegin];
        self.upserts(found, &mut deltas);
        deltas.push(Delta::SnapshotEnd);
        deltas
    }

    fn increment(&mut self, found: &Found) -> Vec<Delta> {
        let mut deltas = Vec::new();
        // Endpoints of a host are told as a whole: what the host does not have any more goes first.
        let fresh = endpoints(&found.endpoints.1);
        for host in &found.endpoints.0.list {
            let now = fresh.get(host).map_or(&[] as &[Endpoint], Vec::as_slice);
            for old in self.endpoints.remove(host).into_iter().flatten() {
                if !now.contains(&old) {
                    deltas.push(Delta::EndpointGone(old));
                }
            }
        }
        let told = self.upserts(found, &mut deltas);
        // Then what was named but is not there (or not here) any more; dependents first.
        for id in &told.ports_gone {
            self.port_rivals.set(&id.to_string(), None);
            deltas.push(Delta::PortGone(*id));
        }
        self.groups.removals(&mut deltas);
        for id in &found.subnets.0.list {
            if let Some(id) = gone(id, &told.subnets).map(SubnetId)
                && self.subnets.remove(&id)
            {
                deltas.push(Delta::SubnetGone(id));
            }
        }
        for id in &found.networks.0.list {
            if let Some(id) = gone(id, &told.networks).map(NetworkId)
                && self.networks.remove(&id)
            {
                self.network_rivals.set(&id.to_string(), None);
                deltas.push(Delta::NetworkGone(id));
            }
        }
        deltas
    }

    fn upserts(&mut self, found: &Found, deltas: &mut Vec<Delta>) -> Told {
        let mut told = Told::default();
        for (host, list) in endpoints(&found.endpoints.1) {
            deltas.extend(list.iter().cloned().map(Delta::Endpoint));
            self.endpoints.insert(host, list);
        }
        for record in &found.networks.1 {
            match translate::network(record) {
                Ok(network) => {
                    self.network_rivals
                        .set(&network.id.to_string(), record.rival.as_ref());
                    self.networks.insert(network.id);
                    told.networks.insert(network.id.0);
                    deltas.push(Delta::Network(network));
                }
                Err(reason) => tracing::warn!(%reason, "network row skipped"),
            }
        }
        for record in &found.subnets.1 {
            match translate::subnet(record) {
                Ok(subnet) => {
                    self.subnets.insert(subnet.id);
                    told.subnets.insert(subnet.id.0);
                    deltas.push(Delta::Subnet(subnet));
                }
                Err(reason) => {
                    let id = record.row.first().unwrap_or(&Value::Null).describe();
                    tracing::warn!(subnet = %id, %reason, "subnet row skipped");
                }
            }
        }
        // What a port may do is told before the port.
        let ports = self.ports(found, &mut told);
        self.groups.upserts(&found.groups, deltas);
        deltas.extend(ports.into_iter().map(Delta::Port));
        told
    }

    /// The ports that were understood; those that were told and were not found now are gone.
    fn ports(&mut self, found: &Found, told: &mut Told) -> Vec<Port> {
        let mut ports = Vec::new();
        let mut here: FxHashSet<Uuid> = FxHashSet::default();
        for record in &found.ports.1 {
            match translate::port(record, &self.host) {
                Ok(port) => {
                    self.port_rivals
                        .set(&port.id.to_string(), record.rival.as_ref());
                    let reason = port.unusable.clone();
                    let known = self.ports.insert(port.id, reason.clone());
                    // A row is read again whenever its status changes; what is wrong with it is said once.
                    if let Some(reason) = reason
                        && known.flatten().as_ref() != Some(&reason)
                    {
                        tracing::warn!(port = %port.id, name = %port.name, %reason, "port is unusable");
                    }
                    self.groups.joined(&port);
                    here.insert(port.id.0);
                    ports.push(port);
                }
                Err(reason) => tracing::warn!(%reason, "port row skipped"),
            }
        }
        for id in &found.ports.0.list {
            if let Some(id) = gone(id, &here).map(PortId)
                && self.ports.remove(&id).is_some()
            {
                self.groups.left(id);
                told.ports_gone.push(id);
            }
        }
        ports
    }
}

/// What a step's rows were understood as.
#[derive(Default)]
struct Told {
    networks: FxHashSet<Uuid>,
    subnets: FxHashSet<Uuid>,
    ports_gone: Vec<PortId>,
}

/// The id, if it was named but not told. Another spelling of an id is another row, which was never told.
fn gone(id: &str, told: &FxHashSet<Uuid>) -> Option<Uuid> {
    translate::id(Some(&Value::from(id)))
        .ok()
        .filter(|id| !told.contains(id))
}

fn endpoints(rows: &[Row]) -> FxHashMap<String, Vec<Endpoint>> {
    let mut by_host: FxHashMap<String, Vec<Endpoint>> = FxHashMap::default();
    for row in rows {
        match translate::endpoint(row) {
            Ok(endpoint) => by_host
                .entry(endpoint.host.to_string())
                .or_default()
                .push(endpoint),
            Err(reason) => {
                let host = row.first().unwrap_or(&Value::Null).describe();
                tracing::warn!(%host, %reason, "tunnel endpoint row skipped");
            }
        }
    }
    by_host
}
