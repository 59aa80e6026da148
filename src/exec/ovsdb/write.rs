//! A batch of rows as one transaction, and its reply as an outcome.
//!
//! Compared with the replica, so that what stands already is not written: every change makes `ovs-vswitchd` look at
//! its whole configuration again. Of maps only the keys asked for are touched. The last operations raise `next_cfg`,
//! the number by which `ovs-vswitchd` later says that it is done; without any other operation there is no
//! transaction. Knows no connection. Held by `tests` and `tests/exec_ovsdb.rs`.

use std::sync::Arc;

use ovsdb::Uuid;
use ovsdb::condition::Condition;
use ovsdb::json::Json;
use ovsdb::mutation::{Mutation, Mutator};
use ovsdb::op::{Columns, OpIndex, OpResult, Operation, Transaction, columns};
use ovsdb::replica::{Replica, Row as ReplicaRow};
use ovsdb::value::Datum;
use rustc_hash::FxHashSet;

use super::read::{self, BRIDGE, INTERFACE, OWNER, PORT, ROOT};
use crate::model::OfportState;
use crate::ops::Outcome;
use crate::ops::row::{BridgeRow, PortRow, Row, RowKey, VifId, VifRow};

/// The operation that makes sure that the lock is still ours.
const ASSERT: OpIndex = 0;

/// A transaction and what each of its operations is for.
#[derive(Debug)]
pub(super) struct Draft {
    transaction: Transaction,
    /// The item of each operation.
    item_of: Vec<Option<usize>>,
    /// Operations that must find their row, with their items.
    finds_one: Vec<(OpIndex, usize)>,
    refused: Vec<(usize, Arc<str>)>,
    next_cfg: Option<OpIndex>,
}

impl Draft {
    /// What has to be written so that the items stand.
    pub fn new(
        items: &[(RowKey, Option<Row>)],
        replica: &Replica,
        host: &Arc<str>,
        lock: &Arc<str>,
    ) -> Draft {
        let mut writer = Writer {
            replica,
            host,
            new_bridges: FxHashSet::default(),
            at: 0,
            draft: Draft::empty(lock),
        };
        for (at, (key, row)) in items.iter().enumerate() {
            writer.at = at;
            let refused = writer.item(key, row.as_ref()).err();
            writer
                .draft
                .refused
                .extend(refused.map(|reason| (at, reason)));
            let operations = writer.draft.transaction.len();
            writer.draft.item_of.resize(operations, Some(at));
        }
        let mut draft = writer.draft;
        // No items at all: the switch is to say when it has followed what others wrote.
        if draft.transaction.len() > ASSERT + 1 || items.is_empty() {
            draft
                .transaction
                .mutate(ROOT, [], [Mutation::new("next_cfg", Mutator::Add, 1i64)]);
            draft.next_cfg = Some(draft.transaction.select(ROOT, [], ["next_cfg"]));
        }
        draft
    }

    fn empty(lock: &Arc<str>) -> Draft {
        let mut transaction = Transaction::new();
        transaction.push(Operation::Assert { lock: lock.clone() });
        Draft {
            transaction,
            item_of: vec![None],
            finds_one: Vec::new(),
            refused: Vec::new(),
            next_cfg: None,
        }
    }

    /// `true` if there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.next_cfg.is_none()
    }

    /// The transaction, once.
    pub fn take(&mut self) -> Transaction {
        std::mem::take(&mut self.transaction)
    }

    /// `true` for the operation that fails when the lock is lost.
    pub fn is_assert(&self, op: OpIndex) -> bool {
        op == ASSERT
    }

    /// The outcome if there was nothing to write.
    pub fn unchanged(&self) -> Outcome {
        Outcome::Done {
            refused: self.refused.clone(),
            next_cfg: None,
        }
    }

    /// The outcome of a commit.
    pub fn done(&self, results: &[OpResult]) -> Outcome {
        let mut refused = self.refused.clone();
        for (op, at) in &self.finds_one {
            let found = results.get(*op).and_then(OpResult::count) == Some(1);
            if !found && !refused.iter().any(|(other, _)| other == at) {
                refused.push((*at, Arc::from("the row is gone from the switch's database")));
            }
        }
        refused.sort_by_key(|(at, _)| *at);
        let selected = self
            .next_cfg
            .and_then(|op| results.get(op))
            .and_then(OpResult::rows);
        let next_cfg =
            selected.and_then(|rows| rows.first()?.get("next_cfg").and_then(Json::as_integer));
        Outcome::Done { refused, next_cfg }
    }

    /// The outcome of a refusal, for the operation that was refused if it is known.
    pub fn rejected(&self, op: Option<OpIndex>, reason: Arc<str>) -> Outcome {
        let at = op.and_then(|op| self.item_of.get(op).copied().flatten());
        Outcome::Rejected { at, reason }
    }
}

/// Writes one item after another.
struct Writer<'a> {
    replica: &'a Replica,
    host: &'a Arc<str>,
    /// Bridges that this transaction makes.
    new_bridges: FxHashSet<&'a str>,
    /// The item at hand.
    at: usize,
    draft: Draft,
}

type Refusal = Arc<str>;

impl<'a> Writer<'a> {
    fn item(&mut self, key: &'a RowKey, row: Option<&'a Row>) -> Result<(), Refusal> {
        match (key, row) {
            (RowKey::Bridge(name), Some(Row::Bridge(row))) => self.bridge(name, row),
            (RowKey::Bridge(name), None) => self.delete_bridge(name),
            (RowKey::Port(name), Some(Row::Port(row))) => self.port(name, row),
            (RowKey::Port(name), None) => self.delete_port(name),
            (RowKey::Vif(name), Some(Row::Vif(row))) => self.vif(name, row),
            // A VIF's tag is nobody's once its port is gone.
            (RowKey::Vif(_), None) => Ok(()),
            (_, Some(_)) => Err("a row of another kind than its key".into()),
        }
    }

    fn bridge(&mut self, name: &'a Arc<str>, want: &BridgeRow) -> Result<(), Refusal> {
        let Some((uuid, row)) = read::named(self.replica, BRIDGE, name) else {
            if !want.create {
                return Err(format!("there is no bridge {name}").into());
            }
            self.insert_bridge(name, want);
            return Ok(());
        };
        let mut changed = Columns::new();
        if let Some(mode) = &want.fail_mode
            && row.get("fail_mode").and_then(Datum::as_str) != Some(&**mode)
        {
            changed.insert("fail_mode".into(), mode.clone().into());
        }
        if let Some(datapath) = &want.datapath_type
            && !same_datapath(row.str("datapath_type"), datapath)
        {
            changed.insert("datapath_type".into(), datapath.clone().into());
        }
        self.update(BRIDGE, uuid, changed);
        Ok(())
    }

    /// The bridge with its own port. Only the bridge bears the mark: the port is not one of ours to remove.
    fn insert_bridge(&mut self, name: &'a Arc<str>, want: &BridgeRow) {
        let txn = &mut self.draft.transaction;
        let interface = txn.insert(
            INTERFACE,
            columns([("name", &**name), ("type", "internal")]),
        );
        let port = txn.insert(
            PORT,
            named_row(name, [("interfaces", interface.reference.into())]),
        );
        let mut bridge = named_row(
            name,
            [
                ("ports", port.reference.into()),
                ("external_ids", mark(self.host)),
            ],
        );
        for (column, value) in [
            ("datapath_type", &want.datapath_type),
            ("fail_mode", &want.fail_mode),
        ] {
            if let Some(value) = value {
                bridge.insert(column.into(), value.clone().into());
            }
        }
        let bridge = txn.insert(BRIDGE, bridge);
        let op = txn.mutate(ROOT, [], [Mutation::insert("bridges", bridge.reference)]);
        self.draft.finds_one.push((op, self.at));
        self.new_bridges.insert(name);
    }

    fn delete_bridge(&mut self, name: &str) -> Result<(), Refusal> {
        let Some((uuid, row)) = read::named(self.replica, BRIDGE, name) else {
            return Ok(());
        };
        self.is_ours(row)?;
        self.draft
            .transaction
            .mutate(ROOT, [], [Mutation::delete("bridges", uuid)]);
        Ok(())
    }

    fn port(&mut self, name: &Arc<str>, want: &PortRow) -> Result<(), Refusal> {
        let bridge = self.bridge_condition(&want.bridge)?;
        let Some((uuid, row)) = read::named(self.replica, PORT, name) else {
            self.insert_port(name, want, bridge);
            return Ok(());
        };
        let Some((interface, interface_row)) = read::interface_of(self.replica, row) else {
            return Err(format!("port {name} has no interface").into());
        };
        if interface_row.str("type") != &*want.kind {
            self.update(INTERFACE, interface, columns([("type", want.kind.clone())]));
        }
        let options = want
            .options
            .iter()
            .map(|(key, value)| (&**key, Some(&**value)));
        let mutations = map_mutations(interface_row, "options", options);
        self.mutate(INTERFACE, interface, mutations);
        let old = read::bridge_of(self.replica, uuid);
        if old.is_none_or(|(_, row)| row.str("name") != &*want.bridge) {
            if let Some((old, _)) = old {
                self.mutate(BRIDGE, old, vec![Mutation::delete("ports", uuid)]);
            }
            let op =
                self.draft
                    .transaction
                    .mutate(BRIDGE, [bridge], [Mutation::insert("ports", uuid)]);
            self.draft.finds_one.push((op, self.at));
        }
        Ok(())
    }

    fn insert_port(&mut self, name: &Arc<str>, want: &PortRow, bridge: Condition) {
        let txn = &mut self.draft.transaction;
        let options = Datum::map(
            want.options
                .iter()
                .map(|(key, value)| (key.clone(), value.clone())),
        );
        let interface = txn.insert(
            INTERFACE,
            named_row(
                name,
                [("type", want.kind.clone().into()), ("options", options)],
            ),
        );
        let port = named_row(
            name,
            [
                ("interfaces", interface.reference.into()),
                ("external_ids", mark(self.host)),
            ],
        );
        let port = txn.insert(PORT, port);
        let op = txn.mutate(
            BRIDGE,
            [bridge],
            [Mutation::insert("ports", port.reference)],
        );
        // Rows that no bridge takes up vanish with the commit.
        self.draft.finds_one.push((op, self.at));
    }

    fn delete_port(&mut self, name: &str) -> Result<(), Refusal> {
        let Some((uuid, row)) = read::named(self.replica, PORT, name) else {
            return Ok(());
        };
        self.is_ours(row)?;
        if let Some((bridge, _)) = read::bridge_of(self.replica, uuid) {
            self.draft
                .transaction
                .mutate(BRIDGE, [is(bridge)], [Mutation::delete("ports", uuid)]);
        }
        Ok(())
    }

    /// The tag reaches the VIF that was meant or none: who is plugged under its name by now, or in its row, is asked for
    /// in the same transaction.
    fn vif(&mut self, name: &str, want: &VifRow) -> Result<(), Refusal> {
        let uuid = read::row_of(want.vif.row);
        let found = self.replica.row(PORT, uuid);
        let Some(row) = found.filter(|row| row.str("name") == name) else {
            return Err(match read::named(self.replica, PORT, name) {
                None => format!("there is no port {name} in the switch's database").into(),
                Some(_) => format!("port {name} is not the one that was meant any more").into(),
            });
        };
        let guard = self.meant(row, &want.vif).ok_or_else(|| {
            Refusal::from(format!(
                "port {name} is another VIF's by now, or has another number"
            ))
        })?;
        let mut changed = Columns::new();
        if row.integer("tag") != Some(i64::from(want.tag)) {
            changed.insert("tag".into(), want.tag.into());
        }
        for column in ["vlan_mode", "trunks"] {
            if read::is_set(row, column) {
                changed.insert(column.into(), Datum::EMPTY);
            }
        }
        let mutations = want.hint.as_ref().map_or_else(Vec::new, |hint| {
            let keys = read::hint_keys(hint);
            let keys = keys.iter().map(|(key, value)| (*key, value.as_deref()));
            map_mutations(row, "other_config", keys)
        });
        if !changed.is_empty() || !mutations.is_empty() {
            self.draft.transaction.push(guard);
        }
        self.update(PORT, uuid, changed);
        self.mutate(PORT, uuid, mutations);
        Ok(())
    }

    /// What fails the transaction unless the interface is that VIF's; `None` if it is not in the replica either.
    fn meant(&self, port: &ReplicaRow, vif: &VifId) -> Option<Operation> {
        let (uuid, row) = read::interface_of(self.replica, port)?;
        let iface_id = row.key("external_ids", "iface-id")?;
        if iface_id.parse() != Ok(vif.iface_id) {
            return None;
        }
        let (column, value): (&str, Datum) = match vif.ofport {
            Some(number) if read::ofport(row) != OfportState::Assigned(number) => return None,
            Some(number) => ("ofport", i64::from(number.number()).into()),
            None => ("name", row.str("name").into()),
        };
        let mine = Datum::map([("iface-id", iface_id)]);
        Some(Operation::Wait {
            timeout: Some(0),
            table: INTERFACE.into(),
            conditions: vec![is(uuid), Condition::includes("external_ids", mine)],
            columns: vec![column.into()],
            until_equal: true,
            rows: vec![columns([(column, value)])],
        })
    }

    /// How a port finds its bridge: one that the same transaction makes has no identifier yet.
    fn bridge_condition(&self, name: &str) -> Result<Condition, Refusal> {
        if let Some((uuid, _)) = read::named(self.replica, BRIDGE, name) {
            return Ok(is(uuid));
        }
        if self.new_bridges.contains(name) {
            return Ok(Condition::eq("name", name));
        }
        Err(format!("there is no bridge {name}").into())
    }

    fn is_ours(&self, row: &ReplicaRow) -> Result<(), Refusal> {
        match row.key("external_ids", OWNER) {
            Some(owner) if *owner == **self.host => Ok(()),
            Some(owner) => {
                Err(format!("{} is marked as made by vifd of {owner}", row.str("name")).into())
            }
            None => Err(format!("{} does not bear vifd's mark", row.str("name")).into()),
        }
    }

    fn update(&mut self, table: &'static str, uuid: Uuid, row: Columns) {
        if !row.is_empty() {
            let op = self.draft.transaction.update(table, [is(uuid)], row);
            self.draft.finds_one.push((op, self.at));
        }
    }

    fn mutate(&mut self, table: &'static str, uuid: Uuid, mutations: Vec<Mutation>) {
        if !mutations.is_empty() {
            let op = self.draft.transaction.mutate(table, [is(uuid)], mutations);
            self.draft.finds_one.push((op, self.at));
        }
    }
}

fn is(uuid: Uuid) -> Condition {
    Condition::eq("_uuid", uuid)
}

fn mark(host: &Arc<str>) -> Datum {
    Datum::map([(OWNER, host.clone())])
}

fn named_row<const N: usize>(name: &Arc<str>, more: [(&str, Datum); N]) -> Columns {
    let mut row = columns(more);
    row.insert("name".into(), name.clone().into());
    row
}

/// An empty type is the kernel's.
fn same_datapath(have: &str, want: &str) -> bool {
    let named = |datapath: &str| {
        if datapath.is_empty() {
            "system".to_owned()
        } else {
            datapath.to_owned()
        }
    };
    named(have) == named(want)
}

/// Sets keys to their values and removes keys that have none; other keys are left alone. `insert` does not overwrite,
/// so a key with another value is deleted first.
fn map_mutations<'k>(
    row: &ReplicaRow,
    column: &'static str,
    wanted: impl Iterator<Item = (&'k str, Option<&'k str>)>,
) -> Vec<Mutation> {
    let (mut stale, mut new) = (Vec::new(), Vec::new());
    for (key, value) in wanted {
        let have = row.key(column, key);
        if have == value {
            continue;
        }
        if have.is_some() {
            stale.push(key);
        }
        new.extend(value.map(|value| (key, value)));
    }
    let mut mutations = Vec::new();
    if !stale.is_empty() {
        mutations.push(Mutation::delete(column, Datum::set(stale)));
    }
    if !new.is_empty() {
        mutations.push(Mutation::insert(column, Datum::map(new)));
    }
    mutations
}

#[cfg(test)]
mod tests;
