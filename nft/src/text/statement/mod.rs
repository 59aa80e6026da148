//! From the instructions of a rule back to its statements.
//!
//! Follows what each register holds; a comparison, lookup or store turns its content into a
//! statement. Comparisons that only say which protocol follows (`meta l4proto tcp` before a TCP
//! port) are left out once a field of that protocol has been shown, as `nft` does.

mod compare;
mod sets;
mod translate;

use std::collections::BTreeMap;

use super::action::{self, fallback};
use super::extension;
use super::field::Protocols;
use super::json::Json;
use super::term::{self, Source, Term};
use super::value::{Shown, number};
use crate::data::{Data, Register, Verdict, VerdictCode};
use crate::expr::*;
use crate::message::Family;
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
        if acts(expr) {
            // What follows may not hide which packets this was done to.
            decoder.implied = Implied::default();
        }
    }
    decoder
        .statements
        .into_iter()
        .filter(|s| !s.hidden)
        .map(|s| s.shown)
        .collect()
}

/// Whether an instruction does something to the packet or with it, other than asking.
fn acts(expr: &Expr) -> bool {
    match expr {
        Expr::Immediate(e) => e.data.verdict().is_some(),
        Expr::Payload(Payload { sreg, .. })
        | Expr::Meta(Meta { sreg, .. })
        | Expr::Ct(Ct { sreg, .. }) => sreg.is_some(),
        Expr::Exthdr(e) => e.dreg.is_none(),
        Expr::Rt(_)
        | Expr::Fib(_)
        | Expr::Socket(_)
        | Expr::Numgen(_)
        | Expr::Osf(_)
        | Expr::Hash(_)
        | Expr::Xfrm(_)
        | Expr::Tunnel(_)
        | Expr::Inner(_)
        | Expr::Bitwise(_)
        | Expr::Byteorder(_)
        | Expr::Cmp(_)
        | Expr::Range(_)
        | Expr::Lookup(_) => false,
        _ => true,
    }
}

/// Instructions of a term that is shown; a register that took more is shown as that. All sixteen words concatenated,
/// each masked and turned, take fewer. What is copied and concatenated again and again would double each time.
const LONGEST: usize = 64;

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
        let Some(register) = register else { return };
        if let Some(word) = register.first_word() {
            let term = match term.steps {
                0..=LONGEST => term,
                _ => Term::unknown(register.0),
            };
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
            Expr::Xfrm(e) => self.load(Some(e.dreg), extension::xfrm(e)),
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
                let term = extension::exthdr(e);
                if e.dreg.is_none() && e.sreg.is_none() {
                    let json = Json::one("reset", term.shown.json);
                    self.say(Shown::new(format!("reset {}", term.shown.text), json));
                } else {
                    self.load_or_set(e.dreg, e.sreg, term);
                }
            }
            Expr::Bitwise(e) => {
                let of = self.term(e.sreg);
                self.load(Some(e.dreg), term::bitwise(e, of));
            }
            Expr::Byteorder(e) => {
                let mut of = self.term(e.sreg);
                if e.op == ByteorderOp::HTON {
                    of.kind = of.kind.in_network_order();
                }
                let steps = of.steps.saturating_add(1);
                self.load(Some(e.dreg), of.after(steps));
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
        let target = self.payload(e);
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

#[cfg(test)]
mod tests {
    use crate::message::Family;
    use crate::rule::{OwnedRule, Rule};
    use crate::saved::from_text;
    use crate::text::list;

    fn listed(expressions: &str) -> (String, String) {
        let expressions = from_text(&format!("[{expressions}]")).unwrap();
        let owned = OwnedRule::from(Rule::new("t", "c", expressions));
        (
            list::rule(Family::INET, &owned),
            list::rule_json(Family::INET, &owned).to_string(),
        )
    }

    const MATCH: &str = "cmp{sreg=8 op=eq data=0x00000001}";

    /// A value copied into the next register and looked up together with itself is twice as long each time.
    #[test]
    fn terms_that_double_do_not_grow_without_end() {
        let double =
            "byteorder{sreg=8 dreg=9 op=hton len=4 size=4} lookup{set=\"s\" sreg=8 dreg=8} ";
        let rule = |times| format!("meta{{key=mark dreg=8}} {}{MATCH}", double.repeat(times));
        let (text, _) = listed(&rule(2));
        let twice = "meta mark . meta mark map @s";
        assert_eq!(text, format!("{twice} . {twice} map @s 1"));
        let (text, json) = listed(&rule(60));
        assert!(text.len() < 2000, "{} characters", text.len());
        assert!(json.len() < 20_000, "{} characters", json.len());
    }

    #[test]
    fn what_registers_can_hold_is_shown_in_full() {
        let words = (8..24).map(|register| {
            format!(
                "meta{{key=mark dreg={register}}} \
                 bitwise{{sreg={register} dreg={register} len=4 op=mask-xor mask=0x0000ffff xor=0x00000000}} \
                 byteorder{{sreg={register} dreg={register} op=hton len=4 size=4}} "
            )
        });
        let words: String = words.collect();
        let (text, _) = listed(&format!("{words}lookup{{set=\"s\" sreg=8 dreg=8}} {MATCH}"));
        let (keys, _) = text.split_once(" map @s").unwrap();
        assert_eq!(keys.split(" . ").count(), 16);
        assert!(keys.split(" . ").all(|key| key.starts_with("meta mark & ")));
    }
}
