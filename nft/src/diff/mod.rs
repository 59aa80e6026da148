//! From what is there to what is wanted, with as few operations as possible.
//!
//! Owns the comparison and the order of the operations in one batch. Compares only what user space
//! decides ([`intended`](crate::ruleset::TableState::intended)): counters of untouched rules keep
//! counting. [`rules`] and [`elements`] serve callers that know which chain or set is dirty and
//! must not pay for the rest. Knows no sockets. Held by `tests/kernel` (`ruleset`) and the
//! property tests of `tests/codec`.
//!
//! ```
//! use nft::diff;
//! use nft::element::Element;
//!
//! let (wanted, there) = ([1_u8, 2, 3], [2_u8, 3, 4]);
//! let keys = |list: [u8; 3]| list.map(|i| Element::key([10, 0, 0, i]));
//! let (gone, new) = diff::elements(&keys(wanted), &keys(there), |_| false);
//! assert_eq!(gone, [Element::key([10, 0, 0, 4])]);
//! assert_eq!(new, [Element::key([10, 0, 0, 1])]);
//! ```

mod change;
mod elements;
mod rules;

pub use change::Change;
pub use elements::elements;
pub use rules::rules;

use std::collections::BTreeSet;

use crate::chain::Chain;
use crate::data::Verdict;
use crate::element::Element;
use crate::expr::Expr;
use crate::message::Family;
use crate::name::Name;
use crate::rule::OwnedRule;
use crate::ruleset::{ChainState, Ruleset, SetState, TableState};

/// Changes that turn `observed` into `desired` for all tables that `owned` says are ours. Foreign
/// tables are never touched.
pub fn ruleset(
    desired: &Ruleset,
    observed: &Ruleset,
    owned: impl Fn(Family, &Name) -> bool,
) -> Vec<Change> {
    let mut changes = Vec::new();
    for ((family, name), there) in &observed.tables {
        if owned(*family, name) && !desired.tables.contains_key(&(*family, name.clone())) {
            changes.push(Change::DeleteTable(there.family, name.clone()));
        }
    }
    for ((family, name), wanted) in &desired.tables {
        if owned(*family, name) {
            changes.extend(table(wanted, observed.table(*family, name)));
        }
    }
    changes
}

/// Changes that turn one table into another, or create it.
pub fn table(desired: &TableState, observed: Option<&TableState>) -> Vec<Change> {
    let empty;
    let (observed, exists) = match observed {
        Some(observed) => (observed, true),
        None => {
            empty = TableState::new(desired.family, desired.table.clone());
            (&empty, false)
        }
    };
    let mut plan = Plan {
        desired,
        observed,
        replaced: Replaced::find(desired, observed),
    };
    let mut changes = Vec::new();
    if !exists || desired.table.intended() != observed.table.intended() {
        changes.push(Change::AddTable(desired.family, desired.table.intended()));
    }
    plan.remove_references(&mut changes);
    plan.remove_objects(&mut changes);
    plan.add_objects(&mut changes);
    plan.add_references(&mut changes);
    changes
}

/// Objects that exist on both sides but cannot be changed in place: they are deleted and made
/// again, and so is everything that refers to them.
#[derive(Default)]
struct Replaced {
    chains: BTreeSet<Name>,
    sets: BTreeSet<Name>,
    objects: BTreeSet<Name>,
}

impl Replaced {
    fn find(desired: &TableState, observed: &TableState) -> Self {
        let mut replaced = Self::default();
        for (name, there) in &observed.chains {
            if let Some(wanted) = desired.chains.get(name)
                && !can_update(&wanted.chain, &there.chain)
            {
                replaced.chains.insert(name.clone());
            }
        }
        for (name, there) in &observed.sets {
            if let Some(wanted) = desired.sets.get(name)
                && wanted.set.intended() != there.set.intended()
            {
                replaced.sets.insert(name.clone());
            }
        }
        for (key, there) in &observed.objects {
            if let Some(wanted) = desired.objects.get(key)
                && wanted.intended() != there.intended()
            {
                replaced.objects.insert(key.1.clone());
            }
        }
        replaced
    }

    fn is_empty(&self) -> bool {
        self.chains.is_empty() && self.sets.is_empty() && self.objects.is_empty()
    }

    fn verdict(&self, verdict: &Verdict) -> bool {
        verdict
            .chain
            .as_ref()
            .is_some_and(|chain| self.chains.contains(chain))
    }

    fn element(&self, element: &Element) -> bool {
        let verdict = element.data.as_ref().and_then(|data| data.verdict());
        verdict.is_some_and(|verdict| self.verdict(verdict))
            || element
                .object
                .as_ref()
                .is_some_and(|object| self.objects.contains(object))
    }

    fn rule(&self, owned: &OwnedRule) -> bool {
        !self.is_empty()
            && (owned.rule.expressions.iter().any(|expr| self.expr(expr))
                || owned
                    .sets
                    .iter()
                    .flat_map(|s| &s.elements)
                    .any(|e| self.element(e)))
    }

    fn expr(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Lookup(e) => self.sets.contains(&e.set),
            Expr::DynSet(e) => self.sets.contains(&e.set),
            Expr::ObjRef(e) => {
                e.set.as_ref().is_some_and(|set| self.sets.contains(set))
                    || e.name
                        .as_ref()
                        .is_some_and(|name| self.objects.contains(name))
            }
            Expr::Immediate(e) => e.data.verdict().is_some_and(|v| self.verdict(v)),
            _ => false,
        }
    }
}

/// The kernel changes the policy of a chain in place, and nothing else.
fn can_update(wanted: &Chain, there: &Chain) -> bool {
    let fixed = |chain: &Chain| Chain {
        policy: None,
        ..chain.intended()
    };
    fixed(wanted) == fixed(there)
}

struct Plan<'a> {
    desired: &'a TableState,
    observed: &'a TableState,
    replaced: Replaced,
}

impl Plan<'_> {
    fn keeps_chain(&self, name: &Name) -> bool {
        self.desired.chains.contains_key(name) && !self.replaced.chains.contains(name)
    }

    fn keeps_set(&self, name: &Name) -> bool {
        self.desired.sets.contains_key(name) && !self.replaced.sets.contains(name)
    }

    /// Rules and elements that go, which frees what they refer to.
    fn remove_references(&mut self, changes: &mut Vec<Change>) {
        let (family, table) = (self.observed.family, &self.observed.table.name);
        for (name, there) in &self.observed.chains {
            if there.rules.is_empty() {
                continue;
            }
            if !self.keeps_chain(name) {
                changes.push(Change::FlushChain(family, table.clone(), name.clone()));
            }
        }
        for (name, there) in &self.observed.sets {
            if self.keeps_set(name) {
                let wanted = self.wanted_elements(name);
                let gone = elements(&wanted, &there.elements, |e| self.replaced.element(e)).0;
                if !gone.is_empty() {
                    changes.push(Change::DeleteElements(
                        family,
                        table.clone(),
                        name.clone(),
                        gone,
                    ));
                }
            } else if !there.elements.is_empty() {
                changes.push(Change::FlushSet(family, table.clone(), name.clone()));
            }
        }
        for (name, there) in &self.observed.chains {
            if self.keeps_chain(name) {
                changes.extend(
                    self.rule_changes(name, there)
                        .into_iter()
                        .filter(Change::is_removal),
                );
            }
        }
    }

    fn wanted_elements(&self, name: &Name) -> Vec<Element> {
        self.desired
            .sets
            .get(name)
            .map(|state| state.elements.clone())
            .unwrap_or_default()
    }

    fn rule_changes(&self, name: &Name, there: &ChainState) -> Vec<Change> {
        let none = Vec::new();
        let wanted = self
            .desired
            .chains
            .get(name)
            .map_or(&none, |state| &state.rules);
        rules(self.desired.family, wanted, &there.rules, |rule| {
            self.replaced.rule(rule)
        })
    }

    fn remove_objects(&mut self, changes: &mut Vec<Change>) {
        let (family, table) = (self.observed.family, &self.observed.table.name);
        for name in self.observed.chains.keys() {
            if !self.keeps_chain(name) {
                changes.push(Change::DeleteChain(family, table.clone(), name.clone()));
            }
        }
        for name in self.observed.sets.keys() {
            if !self.keeps_set(name) {
                changes.push(Change::DeleteSet(family, table.clone(), name.clone()));
            }
        }
        for (key, there) in &self.observed.objects {
            if !self.desired.objects.contains_key(key) || self.replaced.objects.contains(&key.1) {
                changes.push(Change::DeleteObject(family, there.intended()));
            }
        }
        for (name, there) in &self.observed.flowtables {
            if self.desired.flowtables.get(name).map(|f| f.intended()) != Some(there.intended()) {
                changes.push(Change::DeleteFlowtable(family, table.clone(), name.clone()));
            }
        }
    }

    fn add_objects(&mut self, changes: &mut Vec<Change>) {
        let family = self.desired.family;
        for (key, wanted) in &self.desired.objects {
            if !self.observed.objects.contains_key(key) || self.replaced.objects.contains(&key.1) {
                changes.push(Change::AddObject(family, wanted.clone()));
            }
        }
        for (name, wanted) in &self.desired.flowtables {
            if self.observed.flowtables.get(name).map(|f| f.intended()) != Some(wanted.intended()) {
                changes.push(Change::AddFlowtable(family, wanted.intended()));
            }
        }
        for (name, wanted) in &self.desired.chains {
            let there = self.observed.chains.get(name);
            let same = there.is_some_and(|t| t.chain.intended() == wanted.chain.intended());
            if !same {
                changes.push(Change::AddChain(family, wanted.chain.intended()));
            }
        }
        for (name, wanted) in &self.desired.sets {
            if !self.observed.sets.contains_key(name) || self.replaced.sets.contains(name) {
                changes.push(Change::AddSet(family, wanted.set.intended()));
            }
        }
    }

    fn add_references(&mut self, changes: &mut Vec<Change>) {
        let (family, table) = (self.desired.family, &self.desired.table.name);
        let nothing = SetState::default();
        for (name, wanted) in &self.desired.sets {
            let there = match self.observed.sets.get(name) {
                Some(there) if self.keeps_set(name) => there,
                _ => &nothing,
            };
            let redo = |e: &Element| self.replaced.element(e);
            let new = elements(&wanted.elements, &there.elements, redo).1;
            if !new.is_empty() {
                changes.push(Change::AddElements(
                    family,
                    table.clone(),
                    name.clone(),
                    new,
                ));
            }
        }
        let nothing = ChainState::default();
        for name in self.desired.chains.keys() {
            let there = match self.observed.chains.get(name) {
                Some(there) if self.keeps_chain(name) => there,
                _ => &nothing,
            };
            changes.extend(
                self.rule_changes(name, there)
                    .into_iter()
                    .filter(|change| !change.is_removal()),
            );
        }
    }
}
