//! The full pass: everything rendered anew with the same function, compared with what the ledgers want.

use super::Planner;
use super::cell::CellId;
use super::render::Item;
use super::{ItemKey, key_of};

impl Planner {
    /// Renders every cell there could be and returns those whose items are not what the ledgers want. They are dirty
    /// afterwards. Cells that are dirty already are left out.
    pub fn audit(&mut self) -> Vec<CellId> {
        let mut different = Vec::new();
        if !self.started {
            return different;
        }
        for id in self.every_cell() {
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
