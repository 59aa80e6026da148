//! Whole tables as values: what was dumped, or what is wanted.
//!
//! Owns the assembly of dumped messages, in which anonymous sets move into their rules, and the
//! whole-table operations. `saved.rs` is the text form, [`diff`](crate::diff) compares. Knows no
//! sockets. Held by `tests/kernel/ruleset.rs`.
//!
//! ```
//! use nft::message::Family;
//! use nft::ruleset::{Ruleset, TableState};
//! use nft::table::Table;
//!
//! let mut ruleset = Ruleset::default();
//! ruleset.insert(TableState::new(Family::BRIDGE, Table::new("t")));
//! let text = ruleset.save();
//! assert_eq!(text, "table bridge {name=\"t\"}\nend 1\n");
//! let cut_off = text.trim_end_matches("end 1\n");
//! assert_eq!(Ruleset::restore(&text), Ok(ruleset));
//! assert!(Ruleset::restore(cut_off).is_err());
//! ```

mod saved;

pub use saved::RestoreError;

use std::collections::{BTreeMap, HashMap};

use crate::batch::{Batch, Place};
use crate::chain::Chain;
use crate::element::Element;
use crate::expr::{DynSetFlags, Expr};
use crate::flowtable::Flowtable;
use crate::message::{Body, Family, Message, Op};
use crate::name::Name;
use crate::object::{Object, ObjectType};
use crate::rule::{AnonymousSet, OwnedRule, Rule};
use crate::set::{Set, SetFlags};
use crate::table::Table;

/// A chain with its rules in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChainState {
    /// The chain.
    pub chain: Chain,
    /// Its rules.
    pub rules: Vec<OwnedRule>,
}

/// A named set or map with its elements.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetState {
    /// The set.
    pub set: Set,
    /// Its elements; their order means nothing.
    pub elements: Vec<Element>,
}

/// A table with everything in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableState {
    /// The family.
    pub family: Family,
    /// The table.
    pub table: Table,
    /// Chains by name.
    pub chains: BTreeMap<Name, ChainState>,
    /// Named sets by name.
    pub sets: BTreeMap<Name, SetState>,
    /// Objects by type and name.
    pub objects: BTreeMap<(ObjectType, Name), Object>,
    /// Flowtables by name.
    pub flowtables: BTreeMap<Name, Flowtable>,
}

impl TableState {
    /// An empty table.
    pub fn new(family: Family, table: Table) -> Self {
        Self {
            family,
            table,
            ..Self::default()
        }
    }

    /// Adds or replaces a chain, keeping its rules.
    pub fn add_chain(&mut self, chain: Chain) -> &mut ChainState {
        let name = chain.name.clone().unwrap_or_default();
        let state = self.chains.entry(name).or_default();
        state.chain = chain;
        state
    }

    /// Appends a rule to a chain that exists; returns whether it does.
    pub fn add_rule(&mut self, rule: impl Into<OwnedRule>) -> bool {
        let owned = rule.into();
        let chain = owned.rule.chain.clone().unwrap_or_default();
        match self.chains.get_mut(&chain) {
            Some(state) => {
                state.rules.push(owned);
                true
            }
            None => false,
        }
    }

    /// Adds or replaces a set, keeping its elements.
    pub fn add_set(&mut self, set: Set) -> &mut SetState {
        let state = self.sets.entry(set.name.clone()).or_default();
        state.set = set;
        state
    }

    /// Adds or replaces an object.
    pub fn add_object(&mut self, object: Object) {
        let kind = object.object_type().unwrap_or_default();
        self.objects
            .insert((kind, object.name.clone().unwrap_or_default()), object);
    }

    /// Adds or replaces a flowtable.
    pub fn add_flowtable(&mut self, flowtable: Flowtable) {
        self.flowtables
            .insert(flowtable.name.clone().unwrap_or_default(), flowtable);
    }

    /// The part that user space decides, for comparing what is wanted with what is there.
    #[must_use]
    pub fn intended(&self) -> Self {
        let sorted = |elements: &[Element]| {
            let mut elements: Vec<_> = elements.iter().map(Element::intended).collect();
            elements.sort_by_cached_key(|e| {
                let bytes = |data: &Option<crate::data::Data>| {
                    data.as_ref().and_then(|data| data.value().cloned())
                };
                (bytes(&e.key), e.flags, bytes(&e.key_end))
            });
            elements
        };
        let chain = |state: &ChainState| ChainState {
            chain: state.chain.intended(),
            rules: state.rules.iter().map(OwnedRule::intended).collect(),
        };
        let set = |state: &SetState| SetState {
            set: state.set.intended(),
            elements: sorted(&state.elements),
        };
        Self {
            family: self.family,
            table: self.table.intended(),
            chains: self
                .chains
                .iter()
                .map(|(k, v)| (k.clone(), chain(v)))
                .collect(),
            sets: self.sets.iter().map(|(k, v)| (k.clone(), set(v))).collect(),
            objects: self
                .objects
                .iter()
                .map(|(k, v)| (k.clone(), v.intended()))
                .collect(),
            flowtables: self
                .flowtables
                .iter()
                .map(|(k, v)| (k.clone(), v.intended()))
                .collect(),
        }
    }

    /// Appends everything needed to create the table where it does not exist.
    pub fn create(&self, batch: &mut Batch) {
        let (family, table) = (self.family, &self.table.name);
        batch.add_table(family, &self.table.intended());
        for object in self.objects.values() {
            batch.add_object(family, object);
        }
        for flowtable in self.flowtables.values() {
            batch.add_flowtable(family, &flowtable.intended());
        }
        for state in self.chains.values() {
            batch.add_chain(family, &state.chain.intended());
        }
        for state in self.sets.values() {
            batch.add_set(family, &state.set.intended());
        }
        for (name, state) in &self.sets {
            batch.add_elements(family, table, name, &state.elements);
        }
        for owned in self.chains.values().flat_map(|state| &state.rules) {
            batch.add_owned_rule(family, &without_handles(owned), Place::Last);
        }
    }

    /// Appends the replacement of the whole table, whether it exists or not.
    pub fn replace(&self, batch: &mut Batch) {
        batch.ensure_no_table(self.family, &self.table.name);
        self.create(batch);
    }

    /// Number of rules in all chains.
    pub fn rule_count(&self) -> usize {
        self.chains.values().map(|state| state.rules.len()).sum()
    }
}

/// A rule to be written: handles and positions would name rules of the past, and what the kernel reports of an anonymous
/// set it does not take back.
pub(crate) fn without_handles(owned: &OwnedRule) -> OwnedRule {
    let rule = Rule {
        handle: None,
        position: None,
        ..owned.rule.clone()
    };
    let sets = owned.sets.iter().map(|anonymous| AnonymousSet {
        set: Set {
            id: anonymous.set.id,
            ..anonymous.set.intended()
        },
        elements: anonymous.elements.clone(),
    });
    OwnedRule {
        rule,
        sets: sets.collect(),
    }
}

/// Tables by family and name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ruleset {
    /// The tables.
    pub tables: BTreeMap<(Family, Name), TableState>,
}

impl Ruleset {
    /// One table.
    pub fn table(&self, family: Family, name: &Name) -> Option<&TableState> {
        self.tables.get(&(family, name.clone()))
    }

    /// Adds or replaces a table.
    pub fn insert(&mut self, table: TableState) {
        self.tables
            .insert((table.family, table.table.name.clone()), table);
    }

    /// Folds the messages of dumps of tables, chains, sets, objects, flowtables, elements and
    /// rules, in any order. Objects of tables that are not among them are left out.
    pub fn assemble(messages: impl IntoIterator<Item = Message>) -> Self {
        let mut ruleset = Self::default();
        let mut later = Vec::new();
        let mut rules = Vec::new();
        for message in messages {
            let family = message.gen_msg.family;
            match message.body {
                Body::Table(table) if message.op == Op::NEW_TABLE => {
                    ruleset.insert(TableState::new(family, table));
                }
                Body::Rule(rule) => rules.push((family, rule)),
                body => later.push((family, body)),
            }
        }
        // Sets come before their elements whatever the order of the dumps.
        later.sort_by_key(|(_, body)| matches!(body, Body::Elements(_)));
        for (family, body) in later {
            ruleset.place(family, body);
        }
        ruleset.place_rules(rules);
        ruleset
    }

    fn owner(&mut self, family: Family, table: &Name) -> Option<&mut TableState> {
        self.tables.get_mut(&(family, table.clone()))
    }

    fn place(&mut self, family: Family, body: Body) {
        match body {
            Body::Chain(chain) => {
                if let Some(owner) = self.owner(family, &chain.table) {
                    owner.add_chain(chain);
                }
            }
            Body::Set(set) => {
                if let Some(owner) = self.owner(family, &set.table) {
                    owner.add_set(set);
                }
            }
            Body::Elements(list) => {
                if let Some(owner) = self.owner(family, &list.table)
                    && let Some(state) = owner.sets.get_mut(&list.set)
                {
                    state.elements.extend(list.elements.unwrap_or_default());
                }
            }
            Body::Object(object) => {
                if let Some(owner) = self.owner(family, &object.table) {
                    owner.add_object(object);
                }
            }
            Body::Flowtable(flowtable) => {
                if let Some(owner) = self.owner(family, &flowtable.table) {
                    owner.add_flowtable(flowtable);
                }
            }
            _ => {}
        }
    }

    fn place_rules(&mut self, rules: Vec<(Family, Rule)>) {
        let mut anonymous: HashMap<(Family, Name), HashMap<Name, SetState>> = HashMap::new();
        for (key, table) in &mut self.tables {
            let taken = table
                .sets
                .extract_if(.., |_, state| state.set.is_anonymous());
            anonymous.insert(key.clone(), taken.collect());
        }
        for (family, rule) in rules {
            let key = (family, rule.table.clone());
            let Some(table) = self.tables.get_mut(&key) else {
                continue;
            };
            let mut empty = HashMap::new();
            let sets = anonymous.get_mut(&key).unwrap_or(&mut empty);
            table.add_rule(adopt(rule, sets));
        }
        // Sets whose rule is unknown are kept: nothing is lost.
        for (key, sets) in anonymous {
            if let Some(table) = self.tables.get_mut(&key) {
                table.sets.extend(sets);
            }
        }
    }
}

/// Moves the anonymous sets a rule refers to into it, under the names and ids they had when
/// written.
fn adopt(rule: Rule, sets: &mut HashMap<Name, SetState>) -> OwnedRule {
    let mut owned = OwnedRule {
        rule,
        sets: Vec::new(),
    };
    let mut expressions = core::mem::take(&mut owned.rule.expressions);
    for expr in &mut expressions {
        // What the kernel reports otherwise than it wants it written.
        match expr {
            Expr::DynSet(dynset) if dynset.exprs.is_some() => {
                dynset.flags = dynset.flags.with(DynSetFlags::EXPR);
            }
            Expr::Exthdr(exthdr) => *exthdr = exthdr.intended(),
            _ => {}
        }
        let (name, id) = match expr {
            Expr::Lookup(lookup) => (&mut lookup.set, &mut lookup.set_id),
            Expr::DynSet(dynset) => (&mut dynset.set, &mut dynset.set_id),
            Expr::ObjRef(objref) => match &mut objref.set {
                Some(name) => (name, &mut objref.set_id),
                None => continue,
            },
            _ => continue,
        };
        if let Some(state) = sets.remove(name) {
            let flags = state.set.flags;
            let (pattern, local) = owned.add_set(state.set, state.elements);
            if flags.contains(SetFlags::OBJECT)
                && let Some(last) = owned.sets.last_mut()
            {
                last.set.name = "__objmap%d".into();
                *name = "__objmap%d".into();
            } else {
                *name = pattern;
            }
            *id = Some(local);
        }
    }
    owned.rule.expressions = expressions;
    owned
}
