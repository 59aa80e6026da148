//! From the instructions of a rule back to its statements.
//!
//! Follows what each register holds; a comparison, lookup or store turns its content into a
//! statement. Comparisons that only say which protocol follows (`meta l4proto tcp` before a TCP
//! port) are left out once a field of that protocol has been shown, as `nft` does.

use std::collections::BTreeMap;

use super::action::{self, fallback};
use super::elements;
use super::field::Protocols;
use super::json::Json;
use super::term::{self, Source, Term};
use super::value::{Kind, Shown, bits, joined, number};
use crate::data::{Data, Register, Verdict, VerdictCode};
use crate::expr::*;
use crate::message::Family;
use crate::name::{Bytes, Name};
use crate::rule::OwnedRule;

/// A verdict.
pub(super) fn verdict(verdict: &Verdict) -> Shown {
    let name = verdict.code.name().unwrap_or("unknown");
    match &verdict.chain {
        Some(chain) if matches!(verdict.code, VerdictCode::JUMP | VerdictCode::GOTO) => {
            let chain = chain.to_text();
            let json = Json::one(name, Json::one("target", chain.as_str()));
            Shown::new(format!("{name} {chain}"), json)
        }
        _ => Shown::new(name, Json::one(name, Json::Null)),
    }
}

/// The statements of a rule of a family.
pub fn statements(family: Family, owned: &OwnedRule) -> Vec<Shown> {
    let mut decoder = Decoder::new(family, owned);
    let mut rest = owned.rule.expressions.as_slice();
    while let Some((expr, tail)) = rest.split_first() {
        rest = tail;
        if decoder.range_pair(expr, tail.first()) {
            rest = tail.get(1..).unwrap_or_default();
            continue;
        }
        decoder.step(expr);
    }
    decoder
        .statements
        .into_iter()
        .filter(|s| !s.hidden)
        .map(|s| s.shown)
        .collect()
}

struct Statement {
    shown: Shown,
    hidden: bool,
}

/// Statements that a later field makes superfluous, by layer.
#[derive(Default)]
struct Implied {
    link: Option<usize>,
    network: Option<usize>,
    transport: Option<usize>,
}

struct Decoder<'a> {
    family: Family,
    owned: &'a OwnedRule,
    registers: BTreeMap<u8, Term>,
    protocols: Protocols,
    implied: Implied,
    statements: Vec<Statement>,
}

impl<'a> Decoder<'a> {
    fn new(family: Family, owned: &'a OwnedRule) -> Self {
        let network = match family {
            Family::IPV4 => Some(0x0800),
            Family::IPV6 => Some(0x86dd),
            Family::ARP => Some(0x0806),
            _ => None,
        };
        Self {
            family,
            owned,
            registers: BTreeMap::new(),
            protocols: Protocols {
                network,
                transport: None,
            },
            implied: Implied::default(),
            statements: Vec::new(),
        }
    }

    fn say(&mut self, shown: Shown) {
        self.statements.push(Statement {
            shown,
            hidden: false,
        });
    }

    fn load(&mut self, register: Option<Register>, term: Term) {
        if let Some(word) = register.and_then(Register::first_word) {
            self.registers.insert(word, term);
        }
    }

    fn term(&self, register: Register) -> Term {
        let word = register.first_word();
        let held = word.and_then(|word| self.registers.get(&word));
        held.cloned().unwrap_or_else(|| Term::unknown(register.0))
    }

    fn hide(&mut self, index: Option<usize>) {
        if let Some(statement) = index.and_then(|index| self.statements.get_mut(index)) {
            statement.hidden = true;
        }
    }

    fn payload(&mut self, e: &Payload) -> Term {
        match e.base {
            PayloadBase::LINK => {
                let at = self.implied.link.take();
                self.hide(at);
                if e.offset >= 14 && self.protocols.network == Some(0x8100) {
                    let at = self.implied.network.take();
                    self.hide(at);
                }
            }
            PayloadBase::NETWORK if self.protocols.network.is_some() => {
                let at = self.implied.network.take();
                self.hide(at);
            }
            PayloadBase::TRANSPORT if self.protocols.transport.is_some() => {
                let at = self.implied.transport.take();
                self.hide(at);
                if matches!(self.protocols.transport, Some(1 | 58)) {
                    let at = self.implied.network.take();
                    self.hide(at);
                }
            }
            _ => {}
        }
        term::payload(e, self.protocols)
    }

    fn step(&mut self, expr: &Expr) {
        match expr {
            Expr::Immediate(e) => match &e.data {
                Data::Value(bytes) => self.load(Some(e.dreg), Term::constant(bytes)),
                Data::Verdict(v) => self.say(verdict(v)),
            },
            Expr::Payload(e) => match e.sreg {
                Some(sreg) => self.write(e, sreg),
                None => {
                    let term = self.payload(e);
                    self.load(e.dreg, term);
                }
            },
            Expr::Meta(e) => self.load_or_set(e.dreg, e.sreg, term::meta(e.key)),
            Expr::Ct(e) => self.load_or_set(e.dreg, e.sreg, term::ct(e.key, e.direction)),
            Expr::Rt(e) => self.load(Some(e.dreg), term::rt(e)),
            Expr::Fib(e) => self.load(Some(e.dreg), term::fib(e)),
            Expr::Socket(e) => self.load(Some(e.dreg), term::socket(e)),
            Expr::Numgen(e) => self.load(Some(e.dreg), term::numgen(e)),
            Expr::Osf(e) => self.load(Some(e.dreg), term::osf(e)),
            Expr::Hash(e) => {
                let of = e.sreg.map(|sreg| self.term(sreg));
                self.load(Some(e.dreg), term::hash(e, of.as_ref()));
            }
            Expr::Exthdr(e) => {
                if e.op == ExthdrOp::IPV6 {
                    let at = self.implied.network.take();
                    self.hide(at);
                }
                self.load_or_set(e.dreg, e.sreg, term::exthdr(e));
            }
            Expr::Bitwise(e) => {
                let of = self.term(e.sreg);
                self.load(Some(e.dreg), term::bitwise(e, of));
            }
            Expr::Byteorder(e) => {
                let mut of = self.term(e.sreg);
                if of.kind == Kind::HostNumber {
                    of.kind = Kind::Number;
                }
                self.load(Some(e.dreg), of);
            }
            Expr::Cmp(e) => self.compare(e),
            Expr::Range(e) => {
                let op = if e.op == RangeOp::NEQ {
                    CmpOp::NEQ
                } else {
                    CmpOp::EQ
                };
                if let (Some(from), Some(to)) = (e.from.value(), e.to.value()) {
                    self.range(e.sreg, op, from, to);
                }
            }
            Expr::Lookup(e) => self.lookup(e),
            Expr::DynSet(e) => self.dynset(e),
            Expr::Log(e) => self.say(action::log(e)),
            Expr::Reject(e) => self.say(action::reject(e, self.family)),
            Expr::Queue(e) if e.sreg.is_none() => self.say(action::queue(e)),
            Expr::Synproxy(e) => self.say(action::synproxy(e)),
            Expr::Notrack(_) => self.say(Shown::new("notrack", Json::one("notrack", Json::Null))),
            Expr::Nat(e) => self.nat(e),
            Expr::Masq(e) => self.masq("masquerade", e.proto_min, e.proto_max, e.flags),
            Expr::Redir(e) => self.masq("redirect", e.proto_min, e.proto_max, e.flags),
            Expr::Tproxy(e) => self.tproxy(e),
            Expr::Dup(e) => self.copy("dup", e.address, e.device),
            Expr::Fwd(e) => self.copy("fwd", e.address, e.device),
            Expr::ObjRef(e) => self.objref(e),
            Expr::FlowOffload(e) => {
                let name = e.table.to_text();
                let json = Json::object([
                    ("op", "add".into()),
                    ("flowtable", format!("@{name}").into()),
                ]);
                self.say(Shown::new(
                    format!("flow add @{name}"),
                    Json::one("flow", json),
                ));
            }
            Expr::Counter(_)
            | Expr::Limit(_)
            | Expr::Quota(_)
            | Expr::ConnLimit(_)
            | Expr::Last(_) => self.say(action::state(expr)),
            other => self.say(fallback(other)),
        }
    }

    fn load_or_set(&mut self, dreg: Option<Register>, sreg: Option<Register>, term: Term) {
        let Some(sreg) = sreg else {
            return self.load(dreg, term);
        };
        let value = self.term(sreg).as_value(term.kind);
        self.assign(term.shown, value);
    }

    fn assign(&mut self, key: Shown, value: Shown) {
        let json = Json::object([("key", key.json), ("value", value.json)]);
        let text = format!("{} set {}", key.text, value.text);
        self.say(Shown::new(text, Json::one("mangle", json)));
    }

    /// A write to the packet. Fields of a few bits are written as whole bytes: loaded, masked,
    /// written back.
    fn write(&mut self, e: &Payload, sreg: Register) {
        let (offset, len) = (e.offset.saturating_mul(8), e.len.saturating_mul(8));
        let value = self.term(sreg);
        let target = term::payload(e, self.protocols);
        if let Source::Masked { mask, xor, .. } = &value.source {
            let written: Vec<u8> = mask.as_slice().iter().map(|byte| !byte).collect();
            if let Some((skip, count)) = run_of_bits(&written)
                && let Some(field) =
                    self.protocols
                        .field(e.base, offset.saturating_add(skip), count)
            {
                let shift = len.saturating_sub(skip).saturating_sub(count);
                let bits = number(xor.as_slice(), false) >> shift.min(63);
                let shown = field.kind.show(&big_endian(bits, count));
                return self.assign(field.show(), shown);
            }
        }
        let value = value.as_value(target.kind);
        self.assign(target.shown, value);
    }

    /// Two comparisons of one register that make a range.
    fn range_pair(&mut self, first: &Expr, second: Option<&Expr>) -> bool {
        let (Expr::Cmp(low), Some(Expr::Cmp(high))) = (first, second) else {
            return false;
        };
        let pair = low.op == CmpOp::GTE && high.op == CmpOp::LTE && low.sreg == high.sreg;
        let (true, Some(from), Some(to)) = (pair, low.data.value(), high.data.value()) else {
            return false;
        };
        self.range(low.sreg, CmpOp::EQ, from, to);
        true
    }

    fn range(&mut self, sreg: Register, op: CmpOp, from: &Bytes, to: &Bytes) {
        let term = self.term(sreg);
        let value = elements::range(term.kind, from.as_slice(), to.as_slice());
        self.relate(&term.shown, op, value, false);
    }

    fn relate(&mut self, left: &Shown, op: CmpOp, right: Shown, explicit: bool) {
        let sign = match op {
            CmpOp::EQ => "==",
            CmpOp::NEQ => "!=",
            CmpOp::LT => "<",
            CmpOp::LTE => "<=",
            CmpOp::GT => ">",
            _ => ">=",
        };
        let shown_sign = if op == CmpOp::EQ && !explicit {
            String::new()
        } else {
            format!("{sign} ")
        };
        self.say(relation(left, sign, &shown_sign, right));
    }

    fn compare(&mut self, e: &Cmp) {
        let Some(value) = e.data.value() else {
            return self.say(fallback(&e.clone().into()));
        };
        let term = self.term(e.sreg);
        if e.op == CmpOp::EQ {
            self.learn(&term, value);
        }
        match &term.source {
            Source::Masked { of, mask, xor } if xor.as_slice().iter().all(|byte| *byte == 0) => {
                self.compare_masked(e.op, &term, of, mask, value);
            }
            Source::Payload {
                base,
                offset,
                len,
                field,
            } => {
                let run = match field {
                    None if e.op == CmpOp::EQ => self.protocols.run(*base, *offset, *len),
                    _ => None,
                };
                if let Some(run) = run {
                    let mut rest = value.as_slice();
                    for field in run {
                        let bytes = usize::try_from(field.len / 8).unwrap_or(0);
                        let (head, tail) = rest.split_at_checked(bytes).unwrap_or((rest, &[]));
                        rest = tail;
                        self.relate(&field.show(), e.op, field.kind.show(head), false);
                    }
                    return;
                }
                let shown = match field {
                    Some(field) if field.len > *len => prefix(field.kind, value, *len, field.len),
                    _ => term.kind.show(value.as_slice()),
                };
                self.relate(&term.shown, e.op, shown, false);
            }
            _ => self.relate(&term.shown, e.op, term.kind.show(value.as_slice()), false),
        }
    }

    fn compare_masked(&mut self, op: CmpOp, term: &Term, of: &Term, mask: &Bytes, value: &Bytes) {
        let zero = value.as_slice().iter().all(|byte| *byte == 0);
        if let Kind::Bits(names) | Kind::NetBits(names) = of.kind {
            let host = matches!(of.kind, Kind::Bits(_));
            let set = bits(names, number(mask.as_slice(), host));
            if zero && op == CmpOp::NEQ {
                return self.say(relation(&of.shown, "in", "", joined(&set, ",")));
            }
            if zero {
                let shown = relation(&of.shown, "!", "! ", joined(&set, ","));
                return self.say(shown);
            }
            let wanted = joined(&bits(names, number(value.as_slice(), host)), ",");
            let all = joined(&set, ",");
            let sign = if op == CmpOp::EQ { "==" } else { "!=" };
            let left = Json::one("&", vec![of.shown.json.clone(), all.json]);
            let json = Json::object([("op", sign.into()), ("left", left), ("right", wanted.json)]);
            let shown_sign = if op == CmpOp::EQ { "" } else { "!= " };
            let text = format!(
                "{} {shown_sign}{} / {}",
                of.shown.text, wanted.text, all.text
            );
            return self.say(Shown::new(text, Json::one("match", json)));
        }
        if let Source::Payload {
            base,
            offset,
            len,
            field,
        } = &of.source
            && let Some((skip, count)) = run_of_bits(mask.as_slice())
        {
            if let Some(field) = field
                && super::field::is_address(field.kind)
                && skip == 0
            {
                let shown = prefix(field.kind, value, count, field.len);
                return self.relate(&of.shown, op, shown, false);
            }
            let at = offset.saturating_add(skip);
            if let Some(field) = self.protocols.field(*base, at, count)
                && (at, count) != (*offset, *len)
            {
                let shift = len.saturating_sub(skip).saturating_sub(count);
                let bits = number(value.as_slice(), false) >> shift.min(63);
                let shown = field.kind.show(&big_endian(bits, count));
                return self.relate(&field.show(), op, shown, false);
            }
        }
        self.relate(&term.shown, op, of.kind.show(value.as_slice()), true);
    }

    /// What a comparison says about the protocols that follow.
    fn learn(&mut self, term: &Term, value: &Bytes) {
        let next = Some(self.statements.len());
        let bytes = value.as_slice();
        match &term.source {
            Source::Meta(MetaKey::L4PROTO) => {
                self.protocols.transport = bytes.first().copied();
                self.implied.transport = next;
            }
            Source::Meta(MetaKey::NFPROTO) => {
                self.protocols.network = match bytes {
                    [2] => Some(0x0800),
                    [10] => Some(0x86dd),
                    _ => None,
                };
                self.implied.network = next;
            }
            Source::Meta(MetaKey::IIFTYPE) => self.implied.link = next,
            Source::Meta(MetaKey::PROTOCOL) => {
                self.protocols.network = <[u8; 2]>::try_from(bytes).ok().map(u16::from_be_bytes);
                self.implied.network = next;
            }
            Source::Payload {
                base: PayloadBase::LINK,
                offset: 96,
                ..
            } => {
                self.protocols.network = <[u8; 2]>::try_from(bytes).ok().map(u16::from_be_bytes);
                self.implied.network = next;
            }
            Source::Payload {
                base: PayloadBase::NETWORK,
                field: Some(field),
                ..
            } if matches!(field.name, "protocol" | "nexthdr") => {
                self.protocols.transport = bytes.first().copied();
                self.implied.transport = next;
            }
            _ => {}
        }
    }

    /// The key at a register: one term or a concatenation of terms in consecutive words.
    fn key(&mut self, sreg: Register) -> (Shown, Vec<Kind>) {
        let Some(mut word) = sreg.first_word() else {
            return (Term::unknown(sreg.0).shown, Vec::new());
        };
        let mut parts = Vec::new();
        while let Some(term) = self.registers.remove(&word) {
            let words = term.bytes.div_ceil(4).clamp(1, 16);
            word = word.saturating_add(u8::try_from(words).unwrap_or(16));
            parts.push(term);
        }
        let kinds = parts.iter().map(|term| term.kind).collect();
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
        (shown, kinds)
    }

    /// A set by name, or the content of an anonymous one.
    fn set(&self, name: &Name, id: Option<u32>, kinds: &[Kind]) -> Shown {
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
        let list = elements::show(&owned.set, kinds, &owned.elements);
        let text: Vec<_> = list.iter().map(|shown| shown.text.as_str()).collect();
        let json: Vec<_> = list.iter().map(|shown| shown.json.clone()).collect();
        Shown::new(format!("{{ {} }}", text.join(", ")), Json::one("set", json))
    }

    fn lookup(&mut self, e: &Lookup) {
        let (key, kinds) = self.key(e.sreg);
        let set = self.set(&e.set, e.set_id, &kinds);
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
                self.load(Some(dreg), term);
            }
        }
    }

    fn dynset(&mut self, e: &DynSet) {
        let (key, _) = self.key(e.sreg_key);
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
            let shown = action::state(expr);
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

    fn objref(&mut self, e: &ObjRef) {
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
                let (key, kinds) = self.key(sreg);
                let set = self.set(&e.set.clone().unwrap_or_default(), e.set_id, &kinds);
                let text = format!("{kind} name {} map {}", key.text, set.text);
                let json = Json::object([("key", key.json), ("data", set.json)]);
                Shown::new(text, Json::one(kind, Json::one("map", json)))
            }
            (None, None) => fallback(&e.clone().into()),
        };
        self.say(shown);
    }

    /// One register or two as a value or range.
    fn span(&self, min: Option<Register>, max: Option<Register>, kind: Kind) -> Option<Shown> {
        let low = self.term(min?).as_value(kind);
        match max.filter(|max| Some(*max) != min) {
            None => Some(low),
            Some(max) => {
                let high = self.term(max).as_value(kind);
                let json = Json::one("range", vec![low.json, high.json]);
                Some(Shown::new(format!("{}-{}", low.text, high.text), json))
            }
        }
    }

    fn nat(&mut self, e: &Nat) {
        let name = e.kind.name().unwrap_or("?");
        let (kind, family) = if e.family == 10 {
            (Kind::Ipv6, "ip6")
        } else {
            (Kind::Ipv4, "ip")
        };
        let mut text = String::from(name);
        let mut json = Json::Object(Vec::new());
        let address = self.span(e.addr_min, e.addr_max, kind);
        let port = self.span(e.proto_min, e.proto_max, Kind::Number);
        if self.family == Family::INET && address.is_some() {
            text.push_str(&format!(" {family}"));
            json = json.with("family", family);
        }
        text.push_str(" to ");
        if let Some(address) = address {
            let brackets = kind == Kind::Ipv6 && port.is_some();
            text.push_str(&if brackets {
                format!("[{}]", address.text)
            } else {
                address.text
            });
            json = json.with("addr", address.json);
        }
        if let Some(port) = port {
            text.push_str(&format!(":{}", port.text));
            json = json.with("port", port.json);
        }
        let (flags, flags_json) = action::nat_flags(e.flags);
        text.push_str(&flags);
        if let Some(flags) = flags_json {
            json = json.with("flags", flags);
        }
        self.say(Shown::new(text, Json::one(name, json)));
    }

    fn masq(&mut self, name: &str, min: Option<Register>, max: Option<Register>, flags: NatFlags) {
        let mut text = String::from(name);
        let mut json = Json::Object(Vec::new());
        if let Some(port) = self.span(min, max, Kind::Number) {
            text.push_str(&format!(" to :{}", port.text));
            json = json.with("port", port.json);
        }
        let (flags, flags_json) = action::nat_flags(flags);
        text.push_str(&flags);
        if let Some(flags) = flags_json {
            json = json.with("flags", flags);
        }
        let json = if json == Json::Object(Vec::new()) {
            Json::Null
        } else {
            json
        };
        self.say(Shown::new(text, Json::one(name, json)));
    }

    fn tproxy(&mut self, e: &Tproxy) {
        let mut text = String::from("tproxy");
        let mut json = Json::Object(Vec::new());
        let (kind, family) = if e.family == 10 {
            (Kind::Ipv6, "ip6")
        } else {
            (Kind::Ipv4, "ip")
        };
        if self.family == Family::INET && e.family != 0 {
            text.push_str(&format!(" {family}"));
            json = json.with("family", family);
        }
        text.push_str(" to ");
        if let Some(address) = self.span(e.address, None, kind) {
            text.push_str(&address.text);
            json = json.with("addr", address.json);
        }
        if let Some(port) = self.span(e.port, None, Kind::Number) {
            text.push_str(&format!(":{}", port.text));
            json = json.with("port", port.json);
        }
        self.say(Shown::new(text, Json::one("tproxy", json)));
    }

    fn copy(&mut self, name: &str, address: Option<Register>, device: Option<Register>) {
        let kind = if self.family == Family::IPV6 {
            Kind::Ipv6
        } else {
            Kind::Ipv4
        };
        let mut json = Json::Object(Vec::new());
        let mut text = format!("{name} to");
        if let Some(address) = self.span(address, None, kind) {
            text.push_str(&format!(" {}", address.text));
            json = json.with("addr", address.json);
        }
        if let Some(device) = self.span(device, None, Kind::HostNumber) {
            let word = if text.ends_with(" to") { "" } else { " device" };
            text.push_str(&format!("{word} {}", device.text));
            json = json.with("dev", device.json);
        }
        self.say(Shown::new(text, Json::one(name, json)));
    }
}

fn relation(left: &Shown, op: &str, shown_op: &str, right: Shown) -> Shown {
    let json = Json::object([
        ("op", op.into()),
        ("left", left.json.clone()),
        ("right", right.json),
    ]);
    Shown::new(
        format!("{} {shown_op}{}", left.text, right.text),
        Json::one("match", json),
    )
}

/// An address of which only `len` bits were compared.
fn prefix(kind: Kind, value: &Bytes, len: u32, whole: u32) -> Shown {
    let mut address = value.as_slice().to_vec();
    address.resize(usize::try_from(whole / 8).unwrap_or(16), 0);
    let address = kind.show(&address);
    let json = Json::object([("addr", address.json), ("len", len.into())]);
    Shown::new(format!("{}/{len}", address.text), Json::one("prefix", json))
}

/// Zero bits before, and the length of, the only run of set bits.
fn run_of_bits(mask: &[u8]) -> Option<(u32, u32)> {
    let mut skip = 0_u32;
    let mut count = 0_u32;
    let mut ended = false;
    for bit in mask
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |i| byte >> i & 1))
    {
        match (bit, count, ended) {
            (1, _, true) => return None,
            (1, ..) => count = count.saturating_add(1),
            (_, 0, _) => skip = skip.saturating_add(1),
            _ => ended = true,
        }
    }
    (count > 0).then_some((skip, count))
}

/// The low `bits` bits of a number as big-endian bytes.
fn big_endian(value: u64, bits: u32) -> Vec<u8> {
    let bytes = usize::try_from(bits.div_ceil(8)).unwrap_or(8).min(8);
    let all = value.to_be_bytes();
    all.get(8_usize.saturating_sub(bytes)..)
        .unwrap_or_default()
        .to_vec()
}
