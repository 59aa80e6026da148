//! How many keys of each cell are not what they should be.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::slots::{Slot, Slots};
use crate::plan::cell::{CellId, CellState};

#[derive(Clone, Default, Debug)]
struct Count {
    /// Keys that name the cell.
    keys: u32,
    unsettled: u32,
    failed: u32,
    reason: Option<Arc<str>>,
}

/// What one key adds to its cell's count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    Settled,
    Pending,
    Failed,
}

/// Cells by number, with their counts.
#[derive(Clone, Default, Debug)]
pub(super) struct Counts {
    cells: Slots<CellId, Count>,
    unsettled: FxHashSet<CellId>,
    moved: Vec<CellId>,
}

impl Counts {
    /// A key names the cell.
    pub fn join(&mut self, cell: &CellId) -> Slot {
        let slot = self.cells.find_or_insert(cell, Count::default);
        if let Some(count) = self.cells.at_mut(slot) {
            count.keys += 1;
        }
        slot
    }

    /// A key that counts as settled names it no longer.
    pub fn leave(&mut self, slot: Slot) {
        let Some(count) = self.cells.at_mut(slot) else {
            return;
        };
        count.keys -= 1;
        if count.keys == 0 {
            self.cells.remove(slot);
        }
    }

    /// The cell of that number.
    pub fn cell(&self, slot: Slot) -> Option<&CellId> {
        self.cells.at(slot).map(|(cell, _)| cell)
    }

    /// The number of a cell that a key names.
    pub fn find(&self, cell: &CellId) -> Option<Slot> {
        self.cells.find(cell)
    }

    /// A key of the cell counted as `before` and counts as `after` now.
    pub fn change(&mut self, slot: Slot, before: Part, after: Part, reason: Option<&Arc<str>>) {
        if before == after && after != Part::Failed {
            return;
        }
        let Some(count) = self.cells.at_mut(slot) else {
            return;
        };
        let was = (count.unsettled > 0, count.failed > 0);
        count.unsettled -= u32::from(before != Part::Settled);
        count.unsettled += u32::from(after != Part::Settled);
        count.failed -= u32::from(before == Part::Failed);
        count.failed += u32::from(after == Part::Failed);
        if let (Part::Failed, Some(reason)) = (after, reason) {
            count.reason = Some(reason.clone());
        }
        let is = (count.unsettled > 0, count.failed > 0);
        if was == is && after != Part::Failed {
            return;
        }
        if let Some((cell, _)) = self.cells.at(slot) {
            self.moved.push(cell.clone());
            if was.0 && !is.0 {
                self.unsettled.remove(cell);
            } else if is.0 && !was.0 {
                self.unsettled.insert(cell.clone());
            }
        }
    }

    /// Where a cell stands.
    pub fn state(&self, cell: &CellId) -> CellState {
        match self.cells.get(cell) {
            Some(count) if count.failed > 0 => {
                CellState::Failed(count.reason.clone().unwrap_or_else(|| Arc::from("refused")))
            }
            Some(count) if count.unsettled > 0 => CellState::Pending,
            _ => CellState::Settled,
        }
    }

    /// Cells that are not settled.
    pub fn unsettled(&self) -> impl Iterator<Item = &CellId> {
        self.unsettled.iter()
    }

    /// Cells whose state may have moved since the last call.
    pub fn take_moved(&mut self) -> Vec<CellId> {
        std::mem::take(&mut self.moved)
    }
}
