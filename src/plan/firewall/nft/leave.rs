//! Ports that leave the switch keep their filter until `ovs-vswitchd` has let go of them.
//!
//! The switch's database says first that a VIF is gone or on the dead VLAN; `ovs-vswitchd` follows, and forwards what
//! comes until it has. So a transaction that raises `next_cfg` goes out after that was seen, and the elements of the
//! port go when `cur_cfg` has come so far. Devices that an earlier agent left behind wait for one such transaction, too;
//! whatever else it left only lets through, and goes at once.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashSet;

use super::numbers::short;
use crate::model::{LocalVlan, PortId};
use crate::ops::nft::{NftKey, SetId};
use crate::ops::row::{Row, RowKey};
use crate::ops::{Batch, Items, Outcome, Target};
use crate::plan::cell::{CellId, Facet, Key};
use crate::plan::{Now, Planner};

/// Before a transaction that was refused or lost is sent again.
const RETRY_MS: u64 = 250;

/// How far it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// For its VIF to be out, and for a transaction after that.
    Waits,
    /// That batch was sent.
    Sent(u64),
    /// It goes when `cur_cfg` is that.
    Due(i64),
}

/// Who leaves.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Who {
    Port(PortId),
    /// Everything found that nobody asks for.
    Found,
}

/// See the module.
#[derive(Clone, Default, Debug)]
pub struct Leaving {
    stages: BTreeMap<Who, Stage>,
    /// Those that wait.
    waiting: BTreeSet<Who>,
    /// Those that each batch under way is for.
    sent: BTreeMap<u64, BTreeSet<Who>>,
    /// Those that each `cur_cfg` is for.
    due: BTreeMap<i64, BTreeSet<Who>>,
    /// A transaction that only raises `next_cfg` is under way.
    barrier: Option<u64>,
    retry_at: Option<u64>,
}

impl Leaving {
    /// Whether a port's elements stay as they are for now.
    pub fn holds(&self, id: PortId) -> bool {
        self.stages.contains_key(&Who::Port(id))
    }

    /// The port leaves.
    pub(super) fn begin(&mut self, id: PortId) {
        if !self.holds(id) {
            self.put(Who::Port(id), Some(Stage::Waits));
        }
    }

    /// It is back, or has nothing to keep.
    pub(super) fn end(&mut self, id: PortId) {
        self.put(Who::Port(id), None);
    }

    /// It is so far now, or (`None`) leaves no longer.
    fn put(&mut self, who: Who, stage: Option<Stage>) {
        let old = match stage {
            Some(stage) => self.stages.insert(who, stage),
            None => self.stages.remove(&who),
        };
        match old {
            None => {}
            Some(Stage::Waits) => {
                self.waiting.remove(&who);
            }
            Some(Stage::Sent(batch)) => take_from(&mut self.sent, batch, who),
            Some(Stage::Due(cfg)) => take_from(&mut self.due, cfg, who),
        }
        match stage {
            None => {}
            Some(Stage::Waits) => {
                self.waiting.insert(who);
            }
            Some(Stage::Sent(batch)) => {
                self.sent.entry(batch).or_default().insert(who);
            }
            Some(Stage::Due(cfg)) => {
                self.due.entry(cfg).or_default().insert(who);
            }
        }
    }

    /// Whether the three indexes say what the stages say.
    #[cfg(test)]
    pub(in crate::plan) fn is_consistent(&self) -> bool {
        let mut again = Leaving::default();
        for (who, stage) in &self.stages {
            again.put(*who, Some(*stage));
        }
        (&again.waiting, &again.sent, &again.due) == (&self.waiting, &self.sent, &self.due)
    }

    /// Those that a batch was sent for.
    fn sent_with(&self, batch: u64) -> Vec<Who> {
        let those = self.sent.get(&batch);
        those.into_iter().flatten().copied().collect()
    }

    /// Those that may go when `cur_cfg` is that.
    fn due_at(&self, cfg: i64) -> Vec<Who> {
        let mut those: Vec<Who> = self
            .due
            .range(..=cfg)
            .flat_map(|(_, w)| w)
            .copied()
            .collect();
        those.sort_unstable();
        those
    }

    /// Rows have to wait: one batch is under way at a time.
    pub(in crate::plan) fn is_busy(&self) -> bool {
        self.barrier.is_some()
    }
}

fn take_from<K: Ord>(index: &mut BTreeMap<K, BTreeSet<Who>>, key: K, who: Who) {
    if let Entry::Occupied(mut those) = index.entry(key) {
        those.get_mut().remove(&who);
        if those.get().is_empty() {
            those.remove();
        }
    }
}

/// An element without which something would pass a port: those of rules and members only let through.
fn is_of_a_port(key: &NftKey) -> bool {
    use SetId as S;
    match key {
        NftKey::Table(_) => false,
        NftKey::Element(set, _) => matches!(set, S::Vif | S::Bridges),
    }
}

impl Planner {
    /// As far as the switch's database says, the port can neither send nor receive.
    fn is_out(&self, who: Who) -> bool {
        let Who::Port(id) = who else {
            return true;
        };
        let vif = self.observed.port(&format!("qvo{}", short(id)));
        vif.filter(|vif| vif.bridge == self.config.integration_bridge)
            .is_none_or(|vif| vif.tag == Some(LocalVlan::DEAD))
    }

    /// What was found and nobody asks for may go, once the switch has followed what its database says.
    pub(in crate::plan) fn let_found_go(&mut self) {
        if self.filters_by_nft() && (!self.nft.is_online() || self.nft.is_withholding()) {
            self.nft.allow_deletes_but(is_of_a_port);
            self.filter.leaving.put(Who::Found, Some(Stage::Waits));
        } else {
            self.nft.allow_deletes();
        }
    }

    /// Rows go out that raise `next_cfg`: those who wait for that go with them.
    pub(in crate::plan) fn leave_with(&mut self, batch: u64, rows: &[(RowKey, Option<Row>)]) {
        if self.filter.leaving.waiting.is_empty() {
            return;
        }
        let goes_dead = |(key, row): &(RowKey, Option<Row>)| match (key, row) {
            (RowKey::Vif(name), Some(Row::Vif(vif))) if vif.tag == LocalVlan::DEAD => {
                self.filter.numbers.port_named(name.strip_prefix("qvo")?)
            }
            _ => None,
        };
        let dead: FxHashSet<PortId> = rows.iter().filter_map(goes_dead).collect();
        let goes = |who: &Who| {
            let is_dead = matches!(who, Who::Port(id) if dead.contains(id));
            is_dead || self.is_out(*who)
        };
        let waiting = self.filter.leaving.waiting.iter();
        let going: Vec<Who> = waiting.filter(|who| goes(who)).copied().collect();
        for who in going {
            self.filter.leaving.put(who, Some(Stage::Sent(batch)));
        }
    }

    /// A transaction could go out, and somebody waits for it.
    fn needs_barrier(&self) -> bool {
        let is_free =
            self.rows.is_online() && !self.rows.is_busy() && !self.filter.leaving.is_busy();
        let mut waiting = self.filter.leaving.waiting.iter();
        is_free && waiting.any(|who| self.is_out(*who))
    }

    /// When one is sent again.
    pub(in crate::plan) fn next_barrier(&self) -> Option<u64> {
        let at = self.filter.leaving.retry_at?;
        self.needs_barrier().then_some(at)
    }

    /// A transaction for those who wait for one, if no rows are under way.
    pub(in crate::plan) fn take_barrier(&mut self, batch: u64, now: Now) -> Option<Batch> {
        if !self.needs_barrier() || self.filter.leaving.retry_at > Some(now.mono_ms) {
            return None;
        }
        self.leave_with(batch, &[]);
        self.filter.leaving.barrier = Some(batch);
        self.filter.leaving.retry_at = None;
        Some(Batch {
            target: Target::Rows,
            id: batch,
            items: Items::Rows(Vec::new()),
        })
    }

    /// The answer to rows.
    pub(in crate::plan) fn finish_leaving(&mut self, batch: u64, outcome: &Outcome, now: Now) {
        let raised = match outcome {
            Outcome::Done { next_cfg, .. } => *next_cfg,
            Outcome::Rejected { .. } | Outcome::Lost { .. } => None,
        };
        if self
            .filter
            .leaving
            .barrier
            .take_if(|b| *b == batch)
            .is_some()
            && raised.is_none()
        {
            self.filter.leaving.retry_at = Some(now.mono_ms + RETRY_MS);
        }
        for who in self.filter.leaving.sent_with(batch) {
            let stage = match raised {
                Some(cfg) if self.is_out(who) => Stage::Due(cfg),
                _ => Stage::Waits,
            };
            self.filter.leaving.put(who, Some(stage));
        }
        self.leave_applied(self.observed.cur_cfg());
    }

    /// `ovs-vswitchd` has come so far.
    pub(in crate::plan) fn leave_applied(&mut self, cfg: i64) {
        for who in self.filter.leaving.due_at(cfg) {
            self.filter.leaving.put(who, None);
            match who {
                Who::Found => self.nft.allow_deletes(),
                Who::Port(id) => self.filter_left(id),
            }
        }
    }

    fn filter_left(&mut self, id: PortId) {
        self.mark(CellId::new(Key::Port(id), Facet::Filter));
        self.mark(CellId::new(Key::Port(id), Facet::FilterLink));
        self.place_port(id, None);
    }
}
