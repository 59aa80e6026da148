//! A consistent picture of one table or of everything: several dumps between two equal
//! generations.
//!
//! Owns the order of the dumps and the repetition when the generation moved. A state machine over
//! [`crate::conn`]; knows no sockets. Held by `tests/kernel/batch.rs`.

use crate::conn::{Dump, DumpError, Outcome, Request};
use crate::element::Elements;
use crate::flowtable::Flowtable;
use crate::message::{Body, Family, Message, Op};
use crate::name::Name;
use crate::object::Object;
use crate::rule::Rule;
use crate::ruleset::Ruleset;

/// What to picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All tables of a family, or of all with [`Family::UNSPEC`].
    Family(Family),
    /// One table; the picture is empty if it does not exist.
    Table(Family, Name),
}

/// A ruleset and the generation at which it was so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    /// The generation.
    pub generation: u32,
    /// The tables.
    pub ruleset: Ruleset,
}

/// Why there is no picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotError {
    /// Commits overtook every attempt.
    Moving,
    /// A dump failed.
    Dump(DumpError),
    /// The kernel answered something else.
    Unexpected(Box<Outcome>),
}

impl core::fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Moving => f.write_str("the ruleset changed during every attempt to read it"),
            Self::Dump(error) => write!(f, "dump failed: {error:?}"),
            Self::Unexpected(outcome) => write!(f, "unexpected answer: {outcome:?}"),
        }
    }
}

impl core::error::Error for SnapshotError {}

/// What to do next.
#[derive(Debug)]
pub enum Next {
    /// Submit this and pass its outcome to [`Snapshot::handle`].
    Submit(Request),
    /// Finished.
    Done(Result<Picture, SnapshotError>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Before,
    Tables,
    Chains,
    Sets,
    Objects,
    Flowtables,
    Rules,
    Elements(usize),
    After,
}

/// The state machine.
#[derive(Debug)]
pub struct Snapshot {
    scope: Scope,
    stage: Stage,
    generation: u32,
    messages: Vec<Message>,
    sets: Vec<(Family, Name, Name)>,
    attempts: u8,
}

impl Snapshot {
    /// A picture of `scope`, trying up to 8 times.
    pub const fn new(scope: Scope) -> Self {
        Self {
            scope,
            stage: Stage::Before,
            generation: 0,
            messages: Vec::new(),
            sets: Vec::new(),
            attempts: 8,
        }
    }

    /// The first request.
    pub const fn start(&self) -> Request {
        Request::Generation
    }

    /// Takes the outcome of the last request.
    pub fn handle(&mut self, outcome: Outcome) -> Next {
        const ENOENT: u16 = 2;
        match (self.stage, outcome) {
            (Stage::Before, Outcome::Generation(generation)) => {
                self.generation = generation.id;
                self.messages.clear();
                self.sets.clear();
                self.go(Stage::Tables)
            }
            (Stage::After, Outcome::Generation(generation)) => {
                if generation.id != self.generation {
                    return self.again();
                }
                let messages = core::mem::take(&mut self.messages);
                let mut ruleset = Ruleset::assemble(messages);
                if let Scope::Table(family, name) = &self.scope {
                    ruleset
                        .tables
                        .retain(|key, _| key.0 == *family && key.1 == *name);
                }
                Next::Done(Ok(Picture {
                    generation: self.generation,
                    ruleset,
                }))
            }
            (stage, Outcome::Dumped(messages)) => {
                self.keep(messages);
                let next = self.following(stage);
                self.go(next)
            }
            (_, Outcome::DumpFailed(DumpError::Interrupted)) => self.again(),
            // A set or table went away between two dumps: the generation will have moved.
            (_, Outcome::DumpFailed(DumpError::Refused(ack))) if ack.errno == ENOENT => {
                self.again()
            }
            (Stage::Flowtables, Outcome::DumpFailed(DumpError::Refused(_))) => {
                // A kernel without flowtables.
                let next = self.following(Stage::Flowtables);
                self.go(next)
            }
            (_, Outcome::DumpFailed(error)) => Next::Done(Err(SnapshotError::Dump(error))),
            (_, outcome) => Next::Done(Err(SnapshotError::Unexpected(Box::new(outcome)))),
        }
    }

    fn again(&mut self) -> Next {
        match self.attempts.checked_sub(1) {
            Some(left) if left > 0 => {
                self.attempts = left;
                self.stage = Stage::Before;
                Next::Submit(Request::Generation)
            }
            _ => Next::Done(Err(SnapshotError::Moving)),
        }
    }

    fn keep(&mut self, messages: Vec<Message>) {
        for message in messages {
            let family = message.gen_msg.family;
            let wanted = match (&self.scope, &message.body) {
                (Scope::Table(_, name), Body::Table(table)) => table.name == *name,
                (Scope::Table(_, name), Body::Chain(chain)) => chain.table == *name,
                _ => true,
            };
            if !wanted {
                continue;
            }
            if let Body::Set(set) = &message.body {
                self.sets
                    .push((family, set.table.clone(), set.name.clone()));
            }
            self.messages.push(message);
        }
    }

    fn following(&self, stage: Stage) -> Stage {
        match stage {
            Stage::Before => Stage::Tables,
            Stage::Tables if self.messages.is_empty() => Stage::After,
            Stage::Tables => Stage::Chains,
            Stage::Chains => Stage::Sets,
            Stage::Sets => Stage::Objects,
            Stage::Objects => Stage::Flowtables,
            Stage::Flowtables => Stage::Rules,
            Stage::Rules if self.sets.is_empty() => Stage::After,
            Stage::Rules => Stage::Elements(0),
            Stage::Elements(i) if i.saturating_add(1) < self.sets.len() => {
                Stage::Elements(i.saturating_add(1))
            }
            Stage::Elements(_) | Stage::After => Stage::After,
        }
    }

    fn go(&mut self, stage: Stage) -> Next {
        self.stage = stage;
        let (family, table) = match &self.scope {
            Scope::Family(family) => (*family, None),
            Scope::Table(family, name) => (*family, Some(name.clone())),
        };
        let filter = |body: fn(Name) -> Body| table.clone().map_or(Body::Empty, body);
        let (op, filter) = match stage {
            Stage::Before | Stage::After => return Next::Submit(Request::Generation),
            Stage::Tables => (Op::GET_TABLE, Body::Empty),
            Stage::Chains => (Op::GET_CHAIN, Body::Empty),
            Stage::Sets => (
                Op::GET_SET,
                table.map_or(Body::Empty, |table| SetFilter(table).into()),
            ),
            Stage::Objects => (
                Op::GET_OBJ,
                filter(|table| {
                    Body::Object(Object {
                        table,
                        ..Object::default()
                    })
                }),
            ),
            Stage::Flowtables => (
                Op::GET_FLOWTABLE,
                filter(|table| {
                    Body::Flowtable(Flowtable {
                        table,
                        ..Flowtable::default()
                    })
                }),
            ),
            Stage::Rules => (
                Op::GET_RULE,
                filter(|table| {
                    Body::Rule(Rule {
                        table,
                        ..Rule::default()
                    })
                }),
            ),
            Stage::Elements(i) => {
                let Some((family, table, set)) = self.sets.get(i).cloned() else {
                    return self.go(Stage::After);
                };
                let list = Elements {
                    table,
                    set,
                    ..Elements::default()
                };
                let dump = Dump::new(Op::GET_SETELEM, family, list);
                return Next::Submit(Request::Dump(Box::new(dump)));
            }
        };
        Next::Submit(Request::Dump(Box::new(Dump::new(op, family, filter))))
    }
}

/// A set dump of one table names the table and no set.
struct SetFilter(Name);

impl From<SetFilter> for Body {
    fn from(filter: SetFilter) -> Self {
        let mut w = crate::wire::Writer::new();
        w.attribute(1, false, |w| crate::attr::Value::encode(&filter.0, w));
        Self::Unknown(w.into_bytes())
    }
}
