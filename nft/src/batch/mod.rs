//! One atomic change: messages between a begin and an end, sent by one `sendmsg`.
//!
//! Owns the encoding of batches, the ids of anonymous sets, the splitting of element lists at the
//! 64 KiB limit of an attribute, and the attribution of errors (`report.rs`). Knows no sockets.
//! Held by `tests/kernel/batch.rs`.
//!
//! ```
//! use nft::batch::Batch;
//! use nft::element::Element;
//! use nft::message::Family;
//! use nft::set::{DataType, Set};
//! use nft::table::Table;
//!
//! let mut batch = Batch::new();
//! batch.add_table(Family::INET, &Table::new("t"));
//! batch.add_set(Family::INET, &Set::new("t", "members", &[DataType::IPV4_ADDR]));
//! let list: Vec<_> = (0..200_u8).map(|i| Element::key([10, 0, 0, i])).collect();
//! batch.add_elements(Family::INET, &"t".into(), &"members".into(), &list);
//! assert_eq!(batch.len(), 3);
//! // One datagram; refused by the kernel unless the ruleset is at generation 57.
//! let encoded = batch.encode(Some(57)).unwrap();
//! assert!(encoded.bytes().len() > 200 * 16);
//! ```

mod encoded;
mod report;

pub use encoded::Encoded;
pub use report::{OpError, describe};

use crate::attr::Value;
use crate::chain::Chain;
use crate::element::{Element, ElementRef};
use crate::expr::Expr;
use crate::flowtable::Flowtable;
use crate::message::{BATCH_BEGIN, BATCH_END, Body, Family, Message, NfGen, Op, SUBSYSTEM};
use crate::name::Name;
use crate::object::Object;
use crate::rule::{OwnedRule, Rule};
use crate::set::Set;
use crate::table::Table;
use crate::wire::{Flags, Header, Writer};

/// A list of elements is cut when its attribute has this many bytes; the limit is 65 535.
const ELEMENT_LIST: usize = 60_000;

/// `NFNL_BATCH_GENID`
const BATCH_GENID: u16 = 1;
/// Bytes of the longest begin message: headers, and the attribute with the generation.
const BEGIN: usize = 16 + 4 + 8;

/// Where a new rule goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// At the end of the chain.
    Last,
    /// At the front of the chain.
    First,
    /// Right before the rule with this handle.
    Before(u64),
    /// Right after the rule with this handle.
    After(u64),
    /// In place of the rule with this handle.
    Replace(u64),
}

/// An attribute did not fit into 65 535 bytes: such a batch cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TooLong {
    /// Index of the operation.
    pub index: usize,
}

impl core::fmt::Display for TooLong {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "operation {} has an attribute over 65535 bytes",
            self.index
        )
    }
}

impl core::error::Error for TooLong {}

/// Operations to be applied together or not at all.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Room for the begin message, then the operations.
    writer: Writer,
    starts: Vec<usize>,
    next_id: u32,
    too_long: Option<TooLong>,
}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        let mut writer = Writer::new();
        writer.put(&[0; BEGIN]);
        Self {
            writer,
            starts: Vec::new(),
            next_id: 1,
            too_long: None,
        }
    }

    /// Number of operations.
    pub const fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether there is nothing to do.
    pub const fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Bytes of the operations so far.
    pub const fn byte_len(&self) -> usize {
        self.writer.len().saturating_sub(BEGIN)
    }

    /// Appends one operation and returns its index.
    pub fn push(&mut self, message: &Message) -> usize {
        self.append(|w| message.encode(w))
    }

    fn append(&mut self, encode: impl FnOnce(&mut Writer)) -> usize {
        let index = self.starts.len();
        self.starts.push(self.writer.len());
        encode(&mut self.writer);
        if self.writer.take_overflow() {
            self.too_long.get_or_insert(TooLong { index });
        }
        index
    }

    /// Appends one operation on one object.
    pub fn op(&mut self, op: Op, family: Family, flags: Flags, body: &impl Value) -> usize {
        let kind = u16::from_be_bytes([SUBSYSTEM, op.0]);
        let header = Header {
            kind,
            flags: flags.with(Flags::REQUEST),
            ..Header::default()
        };
        self.append(|w| {
            header.encode(w, |w| {
                NfGen {
                    family,
                    ..NfGen::default()
                }
                .encode(w);
                body.encode(w);
            });
        })
    }

    /// Creates a table, or changes its flags.
    pub fn add_table(&mut self, family: Family, table: &Table) -> usize {
        self.op(Op::NEW_TABLE, family, Flags::CREATE, table)
    }

    /// Deletes a table with everything in it; an error if it does not exist.
    pub fn delete_table(&mut self, family: Family, name: &Name) -> usize {
        self.op(
            Op::DEL_TABLE,
            family,
            Flags::default(),
            &Table::new_named(name),
        )
    }

    /// Deletes a table if it exists, on kernels of every age: creates it first.
    pub fn ensure_no_table(&mut self, family: Family, name: &Name) -> usize {
        self.add_table(family, &Table::new_named(name));
        self.delete_table(family, name)
    }

    /// Creates a chain, or changes its policy.
    pub fn add_chain(&mut self, family: Family, chain: &Chain) -> usize {
        self.op(Op::NEW_CHAIN, family, Flags::CREATE, chain)
    }

    /// Deletes a chain. Rules in it go too unless something still jumps to it.
    pub fn delete_chain(&mut self, family: Family, table: &Name, name: &Name) -> usize {
        let chain = Chain {
            table: table.clone(),
            name: Some(name.clone()),
            ..Chain::default()
        };
        self.op(Op::DEL_CHAIN, family, Flags::default(), &chain)
    }

    /// Deletes all rules of a chain.
    pub fn flush_chain(&mut self, family: Family, table: &Name, chain: &Name) -> usize {
        let rule = Rule {
            table: table.clone(),
            chain: Some(chain.clone()),
            ..Rule::default()
        };
        self.op(Op::DEL_RULE, family, Flags::default(), &rule)
    }

    /// Creates a set or map.
    pub fn add_set(&mut self, family: Family, set: &Set) -> usize {
        if set.id.is_some() {
            return self.op(Op::NEW_SET, family, Flags::CREATE, set);
        }
        let set = Set {
            id: Some(self.take_id()),
            ..set.clone()
        };
        self.op(Op::NEW_SET, family, Flags::CREATE, &set)
    }

    /// Deletes a set or map.
    pub fn delete_set(&mut self, family: Family, table: &Name, name: &Name) -> usize {
        let set = Set {
            table: table.clone(),
            name: name.clone(),
            ..Set::default()
        };
        self.op(Op::DEL_SET, family, Flags::default(), &set)
    }

    /// Adds elements to a named set, in as many messages as their size needs. Existing equal
    /// elements are no error. Returns the number of messages.
    pub fn add_elements(
        &mut self,
        family: Family,
        table: &Name,
        set: &Name,
        list: &[Element],
    ) -> usize {
        let flags = Flags::CREATE;
        self.elements(
            Op::NEW_SETELEM,
            family,
            flags,
            &ElementTarget {
                table,
                set,
                id: None,
            },
            list,
        )
    }

    /// The same as [`Batch::add_elements`], of elements that borrow their parts.
    pub fn add_element_refs<'a>(
        &mut self,
        family: Family,
        table: &Name,
        set: &Name,
        list: impl IntoIterator<Item = ElementRef<'a>>,
    ) -> usize {
        let target = ElementTarget {
            table,
            set,
            id: None,
        };
        let (op, flags) = (Op::NEW_SETELEM, Flags::CREATE);
        self.list(op, family, flags, &target, list, ElementRef::encode)
    }

    /// The same as [`Batch::delete_elements`], by keys alone.
    pub fn delete_keys<'a>(
        &mut self,
        family: Family,
        table: &Name,
        set: &Name,
        keys: impl IntoIterator<Item = &'a [u8]>,
    ) -> usize {
        let target = ElementTarget {
            table,
            set,
            id: None,
        };
        let list = keys.into_iter().map(|key| ElementRef {
            key,
            data: None,
            comment: None,
        });
        let (op, flags) = (Op::DEL_SETELEM, Flags::default());
        self.list(op, family, flags, &target, list, ElementRef::encode)
    }

    /// Deletes elements of a named set; absent ones are an error. Returns the number
    /// of messages.
    pub fn delete_elements(
        &mut self,
        family: Family,
        table: &Name,
        set: &Name,
        list: &[Element],
    ) -> usize {
        let target = ElementTarget {
            table,
            set,
            id: None,
        };
        let keys: Vec<Element> = list.iter().map(Element::to_delete).collect();
        self.elements(Op::DEL_SETELEM, family, Flags::default(), &target, &keys)
    }

    /// Deletes all elements of a named set.
    pub fn flush_set(&mut self, family: Family, table: &Name, set: &Name) -> usize {
        let all = crate::element::Elements {
            table: table.clone(),
            set: set.clone(),
            ..crate::element::Elements::default()
        };
        self.op(Op::DEL_SETELEM, family, Flags::default(), &all)
    }

    fn elements(
        &mut self,
        op: Op,
        family: Family,
        flags: Flags,
        target: &ElementTarget<'_>,
        list: &[Element],
    ) -> usize {
        self.list(op, family, flags, target, list, |element, w| {
            w.attribute(1, true, |w| element.encode(w));
        })
    }

    fn list<T>(
        &mut self,
        op: Op,
        family: Family,
        flags: Flags,
        target: &ElementTarget<'_>,
        list: impl IntoIterator<Item = T>,
        write: impl Fn(&T, &mut Writer),
    ) -> usize {
        let before = self.len();
        let kind = u16::from_be_bytes([SUBSYSTEM, op.0]);
        let header = Header {
            kind,
            flags: flags.with(Flags::REQUEST),
            ..Header::default()
        };
        let mut left = list.into_iter().peekable();
        while left.peek().is_some() {
            self.append(|w| {
                header.encode(w, |w| {
                    NfGen {
                        family,
                        ..NfGen::default()
                    }
                    .encode(w);
                    w.attribute(1, false, |w| target.table.encode(w));
                    w.attribute(2, false, |w| target.set.encode(w));
                    if let Some(id) = target.id {
                        w.attribute(4, false, |w| id.encode(w));
                    }
                    w.attribute(3, true, |w| {
                        let start = w.len();
                        while w.len().saturating_sub(start) < ELEMENT_LIST
                            && let Some(element) = left.next()
                        {
                            write(&element, w);
                        }
                    });
                });
            });
        }
        self.len().saturating_sub(before)
    }

    /// Creates an object, or updates it where the kernel can.
    pub fn add_object(&mut self, family: Family, object: &Object) -> usize {
        self.op(Op::NEW_OBJ, family, Flags::CREATE, object)
    }

    /// Deletes an object.
    pub fn delete_object(&mut self, family: Family, object: &Object) -> usize {
        let named = Object {
            table: object.table.clone(),
            name: object.name.clone(),
            kind: object.object_type(),
            ..Object::default()
        };
        self.op(Op::DEL_OBJ, family, Flags::default(), &named)
    }

    /// Creates a flowtable.
    pub fn add_flowtable(&mut self, family: Family, flowtable: &Flowtable) -> usize {
        self.op(Op::NEW_FLOWTABLE, family, Flags::CREATE, flowtable)
    }

    /// Deletes a flowtable.
    pub fn delete_flowtable(&mut self, family: Family, table: &Name, name: &Name) -> usize {
        let flowtable = Flowtable {
            table: table.clone(),
            name: Some(name.clone()),
            ..Flowtable::default()
        };
        self.op(Op::DEL_FLOWTABLE, family, Flags::default(), &flowtable)
    }

    /// Adds a rule without anonymous sets, at the end of its chain.
    pub fn add_rule(&mut self, family: Family, rule: &Rule) -> usize {
        self.op(
            Op::NEW_RULE,
            family,
            Flags::CREATE.with(Flags::APPEND),
            rule,
        )
    }

    /// Adds a rule with its anonymous sets. Returns the index of the rule's own operation.
    pub fn add_owned_rule(&mut self, family: Family, owned: &OwnedRule, place: Place) -> usize {
        let (flags, handle, position) = match place {
            Place::Last => (Flags::CREATE.with(Flags::APPEND), None, None),
            Place::First => (Flags::CREATE, None, None),
            Place::Before(handle) => (Flags::CREATE, None, Some(handle)),
            Place::After(handle) => (Flags::CREATE.with(Flags::APPEND), None, Some(handle)),
            Place::Replace(handle) => (Flags::REPLACE, Some(handle), None),
        };
        if owned.sets.is_empty() && handle == owned.rule.handle && position == owned.rule.position {
            return self.op(Op::NEW_RULE, family, flags, &owned.rule);
        }
        let first = self.next_id;
        for sub in &owned.sets {
            let id = Some(self.take_id());
            let set = Set {
                table: owned.rule.table.clone(),
                id,
                ..sub.set.clone()
            };
            self.op(Op::NEW_SET, family, Flags::CREATE, &set);
            let target = ElementTarget {
                table: &set.table,
                set: &set.name,
                id,
            };
            self.elements(
                Op::NEW_SETELEM,
                family,
                Flags::CREATE,
                &target,
                &sub.elements,
            );
        }
        let mut rule = Rule {
            handle,
            position,
            ..owned.rule.clone()
        };
        for expr in &mut rule.expressions {
            let local = match expr {
                Expr::Lookup(lookup) => &mut lookup.set_id,
                Expr::DynSet(dynset) => &mut dynset.set_id,
                Expr::ObjRef(objref) => &mut objref.set_id,
                _ => continue,
            };
            *local = local.map(|id| first.saturating_add(id).saturating_sub(1));
        }
        self.op(Op::NEW_RULE, family, flags, &rule)
    }

    /// Deletes the rule with a handle.
    pub fn delete_rule(
        &mut self,
        family: Family,
        table: &Name,
        chain: &Name,
        handle: u64,
    ) -> usize {
        let rule = Rule {
            table: table.clone(),
            chain: Some(chain.clone()),
            handle: Some(handle),
            ..Rule::default()
        };
        self.op(Op::DEL_RULE, family, Flags::default(), &rule)
    }

    fn take_id(&mut self) -> u32 {
        let id = self.next_id;
        self.next_id = self.next_id.saturating_add(1);
        id
    }

    /// The bytes of a trial: without an end message the kernel checks everything and applies
    /// nothing. It then reports success or the errors as for a batch.
    pub fn encode_trial(self) -> Result<Encoded, TooLong> {
        let mut encoded = self.encode(None)?;
        encoded.drop_end();
        Ok(encoded)
    }

    /// The bytes to send. `expected` makes the kernel refuse the batch unless the ruleset is at
    /// that generation.
    pub fn encode(self, expected: Option<u32>) -> Result<Encoded, TooLong> {
        if let Some(error) = self.too_long {
            return Err(error);
        }
        let control = |kind| Header {
            kind,
            flags: Flags::REQUEST,
            ..Header::default()
        };
        let tables = NfGen {
            res_id: u16::from(SUBSYSTEM),
            ..NfGen::default()
        };
        let mut begin = Writer::new();
        control(BATCH_BEGIN).encode(&mut begin, |w| {
            tables.encode(w);
            if let Some(generation) = expected {
                w.attribute(BATCH_GENID, false, |w| generation.encode(w));
            }
        });
        let mut w = self.writer;
        let first = BEGIN.saturating_sub(begin.len());
        w.patch(first, begin.bytes());
        let end = w.len();
        control(BATCH_END).encode(&mut w, |w| tables.encode(w));
        let mut starts = Vec::with_capacity(self.starts.len().saturating_add(2));
        starts.push(first);
        starts.extend(self.starts);
        starts.push(end);
        Ok(Encoded::new(w.into_bytes(), starts))
    }
}

struct ElementTarget<'a> {
    table: &'a Name,
    set: &'a Name,
    id: Option<u32>,
}

impl Table {
    fn new_named(name: &Name) -> Self {
        Self {
            name: name.clone(),
            ..Self::default()
        }
    }
}

impl Message {
    /// A get request for all objects an operation reports, in one family or all.
    pub fn dump(op: Op, family: Family, body: impl Into<Body>) -> Self {
        Self::request(op, family, Flags::DUMP, body)
    }
}

#[cfg(test)]
mod tests;
