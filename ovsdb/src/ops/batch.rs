//! Many changes of bridges and ports in one transaction and one round trip.
//!
//! A batch is planned against a replica and guarded: every mutation that adds to or takes from
//! a row is checked to have met exactly that row, so that a bridge deleted meanwhile is an
//! error and not a silent loss. The caller decides between insert and update from the same
//! replica; a name inserted by somebody else meanwhile fails the whole transaction with
//! `constraint violation`.

use super::{column, lookup};
use crate::condition::Condition;
use crate::json::Str;
use crate::mutation::{Mutation, Mutator};
use crate::op::{Columns, OpIndex, OpResult, Operation, Transaction};
use crate::replica::Replica;
use crate::uuid::Uuid;
use crate::value::{Atom, Datum};
use core::fmt;
use std::collections::BTreeMap;

/// A bridge to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BridgeSpec {
    /// Name of the bridge, its local port and its local interface.
    pub name: Str,
    /// `system`, `netdev` or empty.
    pub datapath_type: Str,
    /// Further columns of the Bridge row, such as `fail_mode` and `protocols`.
    pub columns: Columns,
}

/// A port with one interface to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortSpec {
    /// Name of port and interface.
    pub name: Str,
    /// Type of the interface; empty is an ordinary network device.
    pub kind: Str,
    /// Further columns of the Port row, such as `tag`.
    pub port: Columns,
    /// Further columns of the Interface row, such as `options` and `external_ids`.
    pub interface: Columns,
}

/// A tunnel port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunnelSpec {
    /// Name of port and interface.
    pub name: Str,
    /// `vxlan`, `gre`, `geneve`, `ip6gre`.
    pub kind: Str,
    /// Options such as `remote_ip`, `local_ip`, `key`.
    pub options: BTreeMap<Str, Str>,
}

impl PortSpec {
    /// An ordinary port.
    pub fn new(name: impl Into<Str>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// A port of the switch itself.
    pub fn internal(name: impl Into<Str>) -> Self {
        Self {
            name: name.into(),
            kind: "internal".into(),
            ..Self::default()
        }
    }

    /// One end of a pair of patch ports.
    pub fn patch(name: impl Into<Str>, peer: &str) -> Self {
        let mut spec = Self {
            name: name.into(),
            kind: "patch".into(),
            ..Self::default()
        };
        spec.interface
            .insert("options".into(), Datum::map([("peer", peer)]));
        spec
    }

    /// A tunnel port.
    pub fn tunnel(tunnel: &TunnelSpec) -> Self {
        let options = tunnel.options.iter().map(|(k, v)| (k.clone(), v.clone()));
        let mut spec = Self {
            name: tunnel.name.clone(),
            kind: tunnel.kind.clone(),
            ..Self::default()
        };
        spec.interface.insert("options".into(), Datum::map(options));
        spec
    }

    /// The same with a column of the Port row.
    #[must_use]
    pub fn with_port(mut self, column: &str, value: impl Into<Datum>) -> Self {
        self.port.insert(column.into(), value.into());
        self
    }

    /// The same with a column of the Interface row.
    #[must_use]
    pub fn with_interface(mut self, column: &str, value: impl Into<Datum>) -> Self {
        self.interface.insert(column.into(), value.into());
        self
    }
}

/// Why a change cannot be planned or did not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpsError {
    /// There is no such bridge.
    NoBridge(Str),
    /// There is no such port.
    NoPort(Str),
    /// There is no such row.
    NoRow(Str, Uuid),
    /// A bridge, port or interface of that name exists.
    Exists(Str),
    /// The database has no row in Open_vSwitch.
    NoRoot,
    /// A row was gone when the transaction ran: position of the operation.
    Vanished(OpIndex),
}

impl fmt::Display for OpsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBridge(name) => write!(f, "no bridge named {name}"),
            Self::NoPort(name) => write!(f, "no port named {name}"),
            Self::NoRow(table, uuid) => write!(f, "no row {uuid} in table {table}"),
            Self::Exists(name) => write!(f, "{name} exists already"),
            Self::NoRoot => f.write_str("table Open_vSwitch is empty"),
            Self::Vanished(op) => write!(f, "operation {op}: the row was gone"),
        }
    }
}

impl core::error::Error for OpsError {}

/// Ports that come to and go from one bridge.
#[derive(Debug, Default)]
struct Ports {
    add: Vec<Atom>,
    remove: Vec<Uuid>,
}

/// Changes gathered for one transaction.
#[derive(Debug)]
pub struct Batch<'a> {
    replica: &'a Replica,
    txn: Transaction,
    /// Bridges made by this batch; inserted last, when all their ports are known.
    new_bridges: BTreeMap<Str, (Columns, Vec<Atom>)>,
    deleted_bridges: BTreeMap<Str, Uuid>,
    ports: BTreeMap<Uuid, Ports>,
    /// Names of ports and interfaces made by this batch.
    new_names: std::collections::BTreeSet<Str>,
    deleted_names: std::collections::BTreeSet<Str>,
    /// Operations that must meet exactly one row.
    guards: Vec<OpIndex>,
}

/// A finished batch.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The transaction; empty if there is nothing to do.
    pub transaction: Transaction,
    guards: Vec<OpIndex>,
    next_cfg: Option<OpIndex>,
}

impl<'a> Batch<'a> {
    /// An empty batch planned against `replica`.
    pub const fn new(replica: &'a Replica) -> Self {
        Self {
            replica,
            txn: Transaction::new(),
            new_bridges: BTreeMap::new(),
            deleted_bridges: BTreeMap::new(),
            ports: BTreeMap::new(),
            new_names: std::collections::BTreeSet::new(),
            deleted_names: std::collections::BTreeSet::new(),
            guards: Vec::new(),
        }
    }

    /// Makes a bridge with its local port.
    pub fn add_bridge(&mut self, spec: &BridgeSpec) -> Result<(), OpsError> {
        let exists = lookup::bridge(self.replica, &spec.name).is_some();
        let deleted = self.deleted_bridges.contains_key(&spec.name);
        if exists && !deleted || self.new_bridges.contains_key(&spec.name) {
            return Err(OpsError::Exists(spec.name.clone()));
        }
        let local = self.insert_port(&PortSpec::internal(spec.name.clone()))?;
        let mut row = spec.columns.clone();
        row.insert("name".into(), spec.name.clone().into());
        if !spec.datapath_type.is_empty() {
            row.insert("datapath_type".into(), spec.datapath_type.clone().into());
        }
        self.new_bridges
            .insert(spec.name.clone(), (row, vec![local]));
        Ok(())
    }

    /// Deletes a bridge with everything on it.
    pub fn delete_bridge(&mut self, name: &str) -> Result<(), OpsError> {
        let (uuid, row) =
            lookup::bridge(self.replica, name).ok_or_else(|| OpsError::NoBridge(name.into()))?;
        for (_, port) in lookup::port_rows(self.replica, row) {
            self.deleted_names.insert(port.str("name").into());
            for (_, interface) in lookup::interface_rows(self.replica, port) {
                self.deleted_names.insert(interface.str("name").into());
            }
        }
        self.ports.remove(&uuid);
        self.deleted_bridges.insert(name.into(), uuid);
        Ok(())
    }

    /// Deletes a bridge, if it is there, and makes it anew, empty.
    pub fn reset_bridge(&mut self, spec: &BridgeSpec) -> Result<(), OpsError> {
        if lookup::bridge(self.replica, &spec.name).is_some() {
            self.delete_bridge(&spec.name)?;
        }
        self.add_bridge(spec)
    }

    /// Makes a port on a bridge, which may be one made by this batch.
    pub fn add_port(&mut self, bridge: &str, spec: &PortSpec) -> Result<(), OpsError> {
        if self.new_bridges.contains_key(bridge) {
            let port = self.insert_port(spec)?;
            if let Some((_, ports)) = self.new_bridges.get_mut(bridge) {
                ports.push(port);
            }
            return Ok(());
        }
        let uuid = self.existing_bridge(bridge)?;
        let port = self.insert_port(spec)?;
        self.ports.entry(uuid).or_default().add.push(port);
        Ok(())
    }

    /// Deletes a port with its interfaces.
    pub fn delete_port(&mut self, name: &str) -> Result<(), OpsError> {
        let none = || OpsError::NoPort(name.into());
        let (uuid, port) = lookup::port(self.replica, name).ok_or_else(none)?;
        if self.deleted_names.contains(name) {
            return Err(none());
        }
        let (bridge, _) = lookup::bridge_of_port(self.replica, uuid).ok_or_else(none)?;
        self.deleted_names.insert(name.into());
        for (_, interface) in lookup::interface_rows(self.replica, port) {
            self.deleted_names.insert(interface.str("name").into());
        }
        self.ports.entry(bridge).or_default().remove.push(uuid);
        Ok(())
    }

    /// Sets columns of an existing row, if they differ.
    pub fn set(&mut self, table: &str, uuid: Uuid, wanted: Columns) -> Result<(), OpsError> {
        let row = self.row(table, uuid)?;
        if let Some(operation) = column::update(table, uuid, row, wanted) {
            self.guarded(operation);
        }
        Ok(())
    }

    /// Sets (or, with `None`, removes) keys of a map column of an existing row, if they differ.
    pub fn set_keys(
        &mut self,
        table: &str,
        uuid: Uuid,
        column: &str,
        keys: &[(&str, Option<&str>)],
    ) -> Result<(), OpsError> {
        let row = self.row(table, uuid)?;
        let mutations = column::key_mutations(Some(row), column, keys);
        if !mutations.is_empty() {
            let conditions = vec![Condition::uuid(uuid)];
            self.guarded(Operation::Mutate {
                table: table.into(),
                conditions,
                mutations,
            });
        }
        Ok(())
    }

    /// Makes columns of an existing row empty or zero, if they are not.
    pub fn clear(&mut self, table: &str, uuid: Uuid, columns: &[&str]) -> Result<(), OpsError> {
        let row = self.row(table, uuid)?;
        let default = |name: &&str| Some((Str::from(*name), row.layout().default(name)?.clone()));
        let wanted = columns.iter().filter_map(default).collect();
        self.set(table, uuid, wanted)
    }

    /// Appends any other operation.
    pub fn push(&mut self, operation: Operation) -> OpIndex {
        self.txn.push(operation)
    }

    /// Ends the batch without asking ovs-vswitchd to report completion.
    pub fn finish(self) -> Result<Plan, OpsError> {
        self.finish_with(false)
    }

    /// Ends the batch and, if it changes anything, raises `next_cfg`: [`Plan::check`] tells the
    /// number, and `cur_cfg` reaches it when ovs-vswitchd has applied everything.
    pub fn finish_with_next_cfg(self) -> Result<Plan, OpsError> {
        self.finish_with(true)
    }

    fn finish_with(mut self, next_cfg: bool) -> Result<Plan, OpsError> {
        let ports = core::mem::take(&mut self.ports);
        for (bridge, Ports { add, remove }) in ports {
            let mut mutations = Vec::new();
            if !remove.is_empty() {
                mutations.push(Mutation::delete("ports", Datum::set(remove)));
            }
            if !add.is_empty() {
                mutations.push(Mutation::insert("ports", Datum::set(add)));
            }
            let conditions = vec![Condition::uuid(bridge)];
            self.guarded(Operation::Mutate {
                table: "Bridge".into(),
                conditions,
                mutations,
            });
        }
        let mut mutations = Vec::new();
        if !self.deleted_bridges.is_empty() {
            let gone = Datum::set(self.deleted_bridges.values().copied());
            mutations.push(Mutation::delete("bridges", gone));
        }
        let mut new = Vec::new();
        for (_, (mut row, ports)) in core::mem::take(&mut self.new_bridges) {
            row.insert("ports".into(), Datum::set(ports));
            new.push(self.txn.insert("Bridge", row).reference);
        }
        if !new.is_empty() {
            mutations.push(Mutation::insert("bridges", Datum::set(new)));
        }
        if !mutations.is_empty() {
            let (root, _) = lookup::root(self.replica).ok_or(OpsError::NoRoot)?;
            let conditions = vec![Condition::uuid(root)];
            self.guarded(Operation::Mutate {
                table: "Open_vSwitch".into(),
                conditions,
                mutations,
            });
        }
        let next_cfg = (next_cfg && !self.txn.is_empty()).then(|| bump_next_cfg(&mut self.txn));
        Ok(Plan {
            transaction: self.txn,
            guards: self.guards,
            next_cfg,
        })
    }

    fn guarded(&mut self, operation: Operation) {
        let op = self.txn.push(operation);
        self.guards.push(op);
    }

    fn row(&self, table: &str, uuid: Uuid) -> Result<&'a crate::replica::Row, OpsError> {
        match self.replica.row(table, uuid) {
            Some(row) => Ok(row),
            None => Err(OpsError::NoRow(table.into(), uuid)),
        }
    }

    fn existing_bridge(&self, name: &str) -> Result<Uuid, OpsError> {
        match lookup::bridge(self.replica, name) {
            Some((uuid, _)) if !self.deleted_bridges.contains_key(name) => Ok(uuid),
            _ => Err(OpsError::NoBridge(name.into())),
        }
    }

    fn insert_port(&mut self, spec: &PortSpec) -> Result<Atom, OpsError> {
        let taken = lookup::port(self.replica, &spec.name).is_some()
            || lookup::interface(self.replica, &spec.name).is_some();
        if taken && !self.deleted_names.contains(&spec.name)
            || !self.new_names.insert(spec.name.clone())
        {
            return Err(OpsError::Exists(spec.name.clone()));
        }
        let mut interface = spec.interface.clone();
        interface.insert("name".into(), spec.name.clone().into());
        if !spec.kind.is_empty() {
            interface.insert("type".into(), spec.kind.clone().into());
        }
        let interface = self.txn.insert("Interface", interface);
        let mut port = spec.port.clone();
        port.insert("name".into(), spec.name.clone().into());
        port.insert("interfaces".into(), interface.reference.into());
        Ok(self.txn.insert("Port", port).reference)
    }
}

/// Raises `next_cfg` and reads it back; returns the position of the select.
pub fn bump_next_cfg(txn: &mut Transaction) -> OpIndex {
    let mutation = Mutation::new("next_cfg", Mutator::Add, 1);
    txn.mutate("Open_vSwitch", [], [mutation]);
    txn.select("Open_vSwitch", [], ["next_cfg"])
}

/// The number read by [`bump_next_cfg`].
pub fn next_cfg(result: &OpResult) -> Option<i64> {
    result.rows()?.first()?.get("next_cfg")?.as_integer()
}

impl Plan {
    /// True if there is nothing to send.
    pub const fn is_empty(&self) -> bool {
        self.transaction.is_empty()
    }

    /// Reads the results: every guarded operation must have met its row. The number is the
    /// `next_cfg` to wait for, if it was asked for.
    ///
    /// The error means that part of what was planned had no effect, because a bridge or row
    /// was deleted meanwhile; plan again against the new replica.
    pub fn check(&self, results: &[OpResult]) -> Result<Option<i64>, OpsError> {
        for op in &self.guards {
            if results.get(*op).and_then(OpResult::count) != Some(1) {
                return Err(OpsError::Vanished(*op));
            }
        }
        Ok(self.next_cfg.and_then(|op| next_cfg(results.get(op)?)))
    }
}
