//! The full pass: everything rendered anew with the same function, compared with what the ledgers want. At once, or in
//! slices between other work. Held by `tests::audit`.

use super::Planner;
use super::cell::CellId;
use super::render::Item;
use super::{ItemKey, key_of};

/// How far a pass in slices has come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Slice {
    /// Cells of this slice whose items are not what the ledgers want. They are dirty now.
    pub different: Vec<CellId>,
    /// Cells of the pass that are still to be looked at.
    pub left: usize,
}

impl Planner {
    /// Renders every cell there could be and returns those whose items are not what the ledgers want. They are dirty
    /// afterwards. Cells that are dirty already are left out.
    pub fn audit(&mut self) -> Vec<CellId> {
        if !self.started {
            return Vec::new();
        }
        let all = self.every_cell();
        self.compare(all)
    }

    /// Begins a pass that [`Planner::audit_slice`] goes on with, unless one is under way.
    pub fn begin_audit(&mut self) {
        if self.started && self.to_audit.is_empty() {
            self.to_audit = self.every_cell();
        }
    }

    /// `true` while a pass in slices is under way.
    pub fn is_auditing(&self) -> bool {
        !self.to_audit.is_empty()
    }

    /// The next `budget` cells of the pass.
    pub fn audit_slice(&mut self, budget: usize) -> Slice {
        let at = self.to_audit.len().saturating_sub(budget);
        let some = self.to_audit.split_off(at);
        Slice {
            different: self.compare(some),
            left: self.to_audit.len(),
        }
    }

    fn compare(&mut self, cells: Vec<CellId>) -> Vec<CellId> {
        let mut different = Vec::new();
        for id in cells {
            if self.is_dirty.contains(&id) {
                continue;
            }
            let (rendered, _) = self.render(&id);
            let Some(mut items) = rendered.items else {
                continue;
            };
            // What another cell holds cannot be had; the cell says so itself.
            items.retain(|item| self.owner(&key_of(item)).is_none_or(|owner| *owner == id));
            if !self.asks_for(&id, &items) {
                different.push(id);
            }
        }
        self.stats.audit_differences += different.len() as u64;
        for id in &different {
            self.mark(id.clone());
        }
        different
    }

    fn owner(&self, key: &ItemKey) -> Option<&CellId> {
        match key {
            ItemKey::Flow(bridge, key) => {
                self.flows.get(bridge).and_then(|ledger| ledger.owner(key))
            }
            ItemKey::Row(key) => self.rows.owner(key),
            ItemKey::Link(name) => self.links.owner(name),
            ItemKey::Nft(key) => self.nft.owner(key),
            ItemKey::Report(port) => self.reports.owner(port),
        }
    }

    fn asks_for(&self, id: &CellId, items: &[Item]) -> bool {
        let keys = self.cells.get(id).map_or(&[][..], |cell| &cell.keys);
        keys.len() == items.len()
            && items.iter().all(|item| match item {
                Item::Flow(bridge, flow) => self
                    .flows
                    .get(bridge)
                    .and_then(|ledger| ledger.want(&flow.key))
                    .is_some_and(|body| body.actions == flow.actions),
                Item::Row(key, row) => self.rows.want(key) == Some(row),
                Item::Link(name, state) => self.links.want(name) == Some(state),
                Item::Nft(key, body) => self.nft.want(key) == Some(body),
                Item::Report(report) => self.reports.want(&report.port) == Some(report),
            })
    }
}
