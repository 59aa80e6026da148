//! Lookups in sets and maps, changes of sets, and named objects.

use super::Decoder;
use crate::data::{Data, Register};
use crate::element::Element;
use crate::expr::*;
use crate::name::{Bytes, Name};
use crate::text::action::{self, fallback};
use crate::text::elements;
use crate::text::json::Json;
use crate::text::term::{Source, Term};
use crate::text::value::{Kind, Shown};

/// What is looked up.
struct Key {
    shown: Shown,
    /// What its parts mean.
    kinds: Vec<Kind>,
    /// How many instructions it took.
    steps: usize,
}

impl Key {
    const fn of(shown: Shown) -> Self {
        Self {
            shown,
            kinds: Vec::new(),
            steps: 1,
        }
    }
}

impl Decoder<'_> {
    /// The key at a register: one term or a concatenation of terms in consecutive words.
    fn key(&mut self, sreg: Register) -> Key {
        let Some(mut word) = sreg.first_word() else {
            return Key::of(Term::unknown(sreg.0).shown);
        };
        let mut parts = Vec::new();
        while let Some(term) = self.registers.remove(&word) {
            let words = term.bytes.div_ceil(4).clamp(1, 16);
            word = word.saturating_add(u8::try_from(words).unwrap_or(16));
            parts.push(term);
        }
        let kinds = parts.iter().map(|term| term.kind).collect();
        let steps = parts.iter().map(|term| term.steps);
        let steps = steps.fold(0_usize, usize::saturating_add);
        let shown = match parts.as_slice() {
            [] => Term::unknown(sreg.0).shown,
            [one] => one.shown.clone(),
            many => {
                let text: Vec<_> = many.iter().map(|term| term.shown.text.as_str()).collect();
                let json = many
                    .iter()
                    .map(|term| term.shown.json.clone())
                    .collect::<Vec<_>>();
                Shown::new(text.join(" . "), Json::one("concat", json))
            }
        };
        Key {
            shown,
            kinds,
            steps,
        }
    }

    /// A set by name, or the content of an anonymous one.
    fn set(&self, name: &Name, id: Option<u32>, kinds: &[Kind]) -> Shown {
        self.set_of(name, id, kinds, Bytes::clone)
    }

    /// The same; `value` is what a key means.
    fn set_of(
        &self,
        name: &Name,
        id: Option<u32>,
        kinds: &[Kind],
        value: impl Fn(&Bytes) -> Bytes,
    ) -> Shown {
        let anonymous = id.and_then(|id| {
            let index = usize::try_from(id).ok()?.checked_sub(1)?;
            self.owned.sets.get(index)
        });
        let Some(owned) = anonymous else {
            return Shown::word(format!("@{name}"));
        };
        let own = elements::kinds_of(&owned.set);
        let kinds = if kinds.len() == own.len() || own.len() < 2 {
            kinds
        } else {
            &own
        };
        let meant = |data: &Data| match data {
            Data::Value(bytes) => Data::Value(value(bytes)),
            verdict => verdict.clone(),
        };
        let all: Vec<Element> = owned
            .elements
            .iter()
            .map(|e| Element {
                key: e.key.as_ref().map(meant),
                key_end: e.key_end.as_ref().map(meant),
                ..e.clone()
            })
            .collect();
        let list = elements::show(&owned.set, kinds, &all);
        let text: Vec<_> = list.iter().map(|shown| shown.text.as_str()).collect();
        let json: Vec<_> = list.iter().map(|shown| shown.json.clone()).collect();
        Shown::new(format!("{{ {} }}", text.join(", ")), Json::one("set", json))
    }

    /// The key of a lookup and the set.
    fn key_and_set(&mut self, sreg: Register, name: &Name, id: Option<u32>) -> (Key, Shown) {
        let term = self.term(sreg);
        let part = match &term.source {
            Source::Masked { of, mask, .. } => self.part_of_a_byte(of, mask),
            _ => None,
        };
        if let Some(part) = part {
            let set = self.set_of(name, id, &[part.field.kind], |key| {
                Bytes::from(part.value_of(key.as_slice()))
            });
            self.key(sreg);
            return (Key::of(part.field.show()), set);
        }
        let key = self.key(sreg);
        let set = self.set(name, id, &key.kinds);
        (key, set)
    }

    pub(super) fn lookup(&mut self, e: &Lookup) {
        let (key, set) = self.key_and_set(e.sreg, &e.set, e.set_id);
        let Key {
            shown: key, steps, ..
        } = key;
        match e.dreg {
            None => {
                let invert = e.flags.contains(LookupFlags::INVERT);
                let op = if invert { CmpOp::NEQ } else { CmpOp::EQ };
                self.relate(&key, op, set, false);
            }
            Some(Register::VERDICT) => {
                let text = format!("{} vmap {}", key.text, set.text);
                let json = Json::object([("key", key.json), ("data", set.json)]);
                self.say(Shown::new(text, Json::one("vmap", json)));
            }
            Some(dreg) => {
                let text = format!("{} map {}", key.text, set.text);
                let json = Json::object([("key", key.json), ("data", set.json)]);
                let mut term = Term::unknown(dreg.0);
                term.shown = Shown::new(text, Json::one("map", json));
                self.load(Some(dreg), term.after(steps.saturating_add(1)));
            }
        }
    }

    pub(super) fn dynset(&mut self, e: &DynSet) {
        let key = self.key(e.sreg_key).shown;
        let op = e.op.name().unwrap_or("?");
        let mut text = format!("{op} @{} {{ {}", e.set, key.text);
        let mut element = key.json;
        if let Some(timeout) = e.timeout.filter(|&timeout| timeout != 0) {
            text.push_str(&format!(" timeout {}", elements::duration(timeout)));
            let timed = Json::object([("val", element), ("timeout", (timeout / 1000).into())]);
            element = Json::one("elem", timed);
        }
        let mut state = Vec::new();
        for expr in e
            .expr
            .as_deref()
            .into_iter()
            .chain(e.exprs.iter().flatten())
        {
            let shown = match expr {
                // Each element gets a counter of its own, which starts at zero.
                Expr::Counter(_) => Shown::new("counter", Json::one("counter", Json::Null)),
                other => action::state(other),
            };
            text.push_str(&format!(" {}", shown.text));
            state.push(shown.json);
        }
        let set = Json::from(format!("@{}", e.set));
        let mut json = Json::object([("op", op.into()), ("elem", element)]);
        let mut kind = "set";
        if let Some(sreg) = e.sreg_data {
            let data = self.term(sreg).shown;
            text.push_str(&format!(" : {}", data.text));
            json = json.with("data", data.json).with("map", set);
            kind = "map";
        } else {
            json = json.with("set", set);
        }
        if !state.is_empty() {
            json = json.with("stmt", state);
        }
        text.push_str(" }");
        self.say(Shown::new(text, Json::one(kind, json)));
    }

    pub(super) fn objref(&mut self, e: &ObjRef) {
        let kind = match e.kind.and_then(crate::object::ObjectType::name) {
            Some("ct-helper") => "ct helper",
            Some("ct-timeout") => "ct timeout",
            Some("ct-expectation") => "ct expectation",
            Some(name) => name,
            None => "counter",
        };
        let shown = match (&e.name, e.sreg) {
            (Some(name), _) => {
                let name = name.to_text();
                let text = match kind {
                    "ct helper" | "ct timeout" | "ct expectation" => {
                        format!("{kind} set \"{name}\"")
                    }
                    kind => format!("{kind} name \"{name}\""),
                };
                Shown::new(text, Json::one(kind, name))
            }
            (None, Some(sreg)) => {
                let name = e.set.clone().unwrap_or_default();
                let (Key { shown: key, .. }, set) = self.key_and_set(sreg, &name, e.set_id);
                let text = format!("{kind} name {} map {}", key.text, set.text);
                let json = Json::object([("key", key.json), ("data", set.json)]);
                Shown::new(text, Json::one(kind, Json::one("map", json)))
            }
            (None, None) => fallback(&e.clone().into()),
        };
        self.say(shown);
    }
}
