//! What stands of vifd's tables, as far as writing needs to know, and batches of items as operations.
//!
//! Plain elements are not remembered: adding one twice is harmless, and the caller knows what to delete. An element
//! with a value or a note is, because it has to be deleted before it can be written anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use ::nft::batch::{Batch, Place};
use ::nft::element::{Element, ElementRef};
use ::nft::message::Family;
use ::nft::name::{Bytes, Name};
use ::nft::ruleset::{Ruleset, TableState};
use ::nft::table::TableFlags;
use ::nft::userdata::COMMENT;
use rustc_hash::FxHashMap;

use crate::ops::nft::{Entry, NftBody, NftKey, SetId, TABLE, Variant};

/// See the module.
#[derive(Default)]
pub(super) struct Stands {
    /// Tables without elements.
    tables: BTreeMap<Family, Arc<TableState>>,
    /// By set: most have plain elements only.
    held: BTreeMap<SetId, FxHashMap<Bytes, Entry>>,
}

/// A batch, and the item that each operation stands for, where it stands for one.
pub(super) struct Encoded {
    pub batch: Batch,
    pub blame: Vec<Option<usize>>,
    /// A table was made anew: its elements are gone.
    pub emptied: bool,
}

impl Stands {
    /// Takes in what was read, and tells it.
    pub fn replace(&mut self, ruleset: &Ruleset) -> Vec<(NftKey, NftBody)> {
        self.tables.clear();
        self.held.clear();
        let mut found = Vec::new();
        for ((family, name), table) in &ruleset.tables {
            if *name != TABLE {
                continue;
            }
            let mut skeleton = TableState {
                sets: BTreeMap::new(),
                ..table.clone()
            };
            for (name, state) in &table.sets {
                skeleton.add_set(state.set.clone());
                let Some(id) = SetId::from_name(name.as_bytes()) else {
                    continue;
                };
                for element in &state.elements {
                    if let Some((key, entry)) = entry(element) {
                        self.hold(id, &key, &entry);
                        found.push((NftKey::Element(id, key), NftBody::Element(entry)));
                    }
                }
            }
            let mut skeleton = skeleton.intended();
            skeleton.table.flags = TableFlags::NONE;
            let skeleton = Arc::new(skeleton);
            self.tables.insert(*family, skeleton.clone());
            found.push((NftKey::Table(*family), NftBody::Table(skeleton)));
        }
        found
    }

    /// The families of the tables that stand.
    pub fn families(&self) -> impl Iterator<Item = Family> + '_ {
        self.tables.keys().copied()
    }

    /// Devices that lead to filtered ports.
    pub fn devices(&self) -> impl Iterator<Item = Bytes> + '_ {
        let devices = self.held.get(&SetId::Vif);
        devices.into_iter().flat_map(|there| there.keys().cloned())
    }

    /// Whether something else stands under that key, to be deleted first.
    fn is_other(&self, set: SetId, key: &Bytes, entry: &Entry) -> bool {
        let Some(there) = self.held.get(&set) else {
            return false;
        };
        there.get(key).is_some_and(|held| held != entry)
    }

    fn hold(&mut self, set: SetId, key: &Bytes, entry: &Entry) {
        if *entry != Entry::default() {
            let there = self.held.entry(set).or_default();
            there.insert(key.clone(), entry.clone());
        }
    }

    fn release(&mut self, set: SetId, key: &Bytes) {
        if let Some(there) = self.held.get_mut(&set) {
            there.remove(key);
        }
    }

    /// Notes what a batch has brought about.
    pub fn committed(&mut self, items: &[(NftKey, Option<NftBody>)]) {
        for (key, body) in items {
            match (key, body) {
                (NftKey::Table(family), Some(NftBody::Table(table))) => {
                    self.tables.insert(*family, table.clone());
                }
                (NftKey::Table(family), _) => {
                    self.tables.remove(family);
                }
                (NftKey::Element(set, key), Some(NftBody::Element(entry))) => {
                    if *entry == Entry::default() {
                        self.release(*set, key);
                    } else {
                        self.hold(*set, key, entry);
                    }
                }
                (NftKey::Element(set, key), _) => {
                    self.release(*set, key);
                }
            }
        }
    }

    /// Items as operations. `flags` are those of tables that are made.
    pub fn encode(
        &self,
        items: &[(NftKey, Option<NftBody>)],
        variant: Variant,
        flags: TableFlags,
    ) -> Encoded {
        let mut encoded = Encoded {
            batch: Batch::new(),
            blame: Vec::new(),
            emptied: false,
        };
        let mut gone: BTreeMap<SetId, Elements<'_>> = BTreeMap::new();
        let mut new: BTreeMap<SetId, Elements<'_>> = BTreeMap::new();
        let mut dropped = Vec::new();
        for (index, (key, body)) in items.iter().enumerate() {
            match (key, body) {
                (NftKey::Table(family), Some(NftBody::Table(table))) => {
                    encoded.emptied |= self.table(&mut encoded.batch, *family, table, flags);
                    encoded.blame.resize(encoded.batch.len(), Some(index));
                }
                (NftKey::Table(family), _) => dropped.push((index, *family)),
                (NftKey::Element(set, key), Some(NftBody::Element(entry))) => {
                    if self.is_other(*set, key, entry) {
                        gone.entry(*set)
                            .or_default()
                            .push((index, element(key, &PLAIN)));
                    }
                    new.entry(*set)
                        .or_default()
                        .push((index, element(key, entry)));
                }
                (NftKey::Element(set, key), _) => {
                    gone.entry(*set)
                        .or_default()
                        .push((index, element(key, &PLAIN)));
                }
            }
        }
        let table = Name::from(TABLE);
        // A table that was made in this batch has nothing to delete.
        gone.retain(|set, _| !encoded.emptied && self.tables.contains_key(&set.family(variant)));
        for (is_new, lists) in [(false, gone), (true, new)] {
            for (set, list) in lists {
                let blame = match list.as_slice() {
                    [(index, _)] => Some(*index),
                    _ => None,
                };
                let (family, name) = (set.family(variant), Name::from(set.name()));
                let list = list.into_iter().map(|(_, element)| element);
                if is_new {
                    encoded.batch.add_element_refs(family, &table, &name, list);
                } else {
                    let keys = list.map(|element| element.key);
                    encoded.batch.delete_keys(family, &table, &name, keys);
                }
                encoded.blame.resize(encoded.batch.len(), blame);
            }
        }
        for (index, family) in dropped {
            if self.tables.contains_key(&family) {
                encoded.batch.delete_table(family, &table);
                encoded.blame.resize(encoded.batch.len(), Some(index));
            }
        }
        encoded
    }

    /// Brings a table about. `true` if its elements are gone then.
    fn table(
        &self,
        batch: &mut Batch,
        family: Family,
        wanted: &TableState,
        flags: TableFlags,
    ) -> bool {
        let mut made = wanted.clone();
        made.table.flags = flags;
        let Some(there) = self.tables.get(&family) else {
            made.create(batch);
            return false;
        };
        let same_sets = there.sets == wanted.intended().sets;
        let bases = |table: &TableState| -> Vec<_> {
            let chains = table
                .chains
                .values()
                .filter(|state| state.chain.hook.is_some());
            chains.map(|state| state.chain.intended()).collect()
        };
        if !same_sets || bases(there) != bases(wanted) || there.objects != wanted.objects {
            batch.delete_table(family, &wanted.table.name);
            made.create(batch);
            return true;
        }
        let table = &wanted.table.name;
        // Rules first: they refer to chains.
        let changed: Vec<&Name> = wanted
            .chains
            .iter()
            .filter(|(name, state)| {
                there.chains.get(*name).is_none_or(|old| {
                    let intended = |list: &[nft::rule::OwnedRule]| -> Vec<_> {
                        list.iter().map(nft::rule::OwnedRule::intended).collect()
                    };
                    intended(&old.rules) != intended(&state.rules)
                })
            })
            .map(|(name, _)| name)
            .collect();
        let gone: Vec<&Name> = there
            .chains
            .keys()
            .filter(|name| !wanted.chains.contains_key(*name))
            .collect();
        for name in changed.iter().chain(&gone) {
            if there.chains.contains_key(*name) {
                batch.flush_chain(family, table, name);
            } else if let Some(state) = wanted.chains.get(*name) {
                batch.add_chain(family, &state.chain.intended());
            }
        }
        for name in &gone {
            batch.delete_chain(family, table, name);
        }
        for name in changed {
            for rule in wanted
                .chains
                .get(name)
                .into_iter()
                .flat_map(|state| &state.rules)
            {
                batch.add_owned_rule(family, rule, Place::Last);
            }
        }
        false
    }
}

/// Items of one set, with their places in the batch.
type Elements<'a> = Vec<(usize, ElementRef<'a>)>;

/// An element with a key alone.
const PLAIN: Entry = Entry {
    data: None,
    comment: None,
};

fn element<'a>(key: &'a Bytes, entry: &'a Entry) -> ElementRef<'a> {
    ElementRef {
        key: key.as_slice(),
        data: entry.data.as_ref().map(|data| data.as_slice()),
        comment: entry.comment.as_deref(),
    }
}

fn entry(element: &Element) -> Option<(Bytes, Entry)> {
    let key = element.key.as_ref()?.value()?.clone();
    let data = element
        .data
        .as_ref()
        .and_then(|data| data.value())
        .and_then(|bytes| bytes.as_slice().try_into().ok());
    let comment = element
        .userdata
        .as_ref()
        .and_then(|u| u.text(COMMENT))
        .map(Arc::from);
    Some((key, Entry { data, comment }))
}
