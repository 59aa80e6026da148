//! Comparisons: ranges, prefixes, flags, fields of a few bits, and what they say about the protocols
//! that follow.

use super::{Decoder, big_endian, run_of_bits};
use crate::data::Register;
use crate::expr::*;
use crate::name::Bytes;
use crate::text::action::fallback;
use crate::text::elements;
use crate::text::field::{FieldName, is_address};
use crate::text::json::Json;
use crate::text::term::{Source, Term};
use crate::text::value::{Kind, Shown, bits, joined, number};

impl Decoder<'_> {
    /// Two comparisons of one register that make a range.
    pub(super) fn range_pair(&mut self, first: &Expr, second: Option<&Expr>) -> bool {
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

    pub(super) fn range(&mut self, sreg: Register, op: CmpOp, from: &Bytes, to: &Bytes) {
        let term = self.term(sreg);
        let value = elements::range(term.kind, from.as_slice(), to.as_slice());
        self.relate(&term.shown, op, value, false);
    }

    pub(super) fn relate(&mut self, left: &Shown, op: CmpOp, right: Shown, explicit: bool) {
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

    pub(super) fn compare(&mut self, e: &Cmp) {
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
                        let part = Term {
                            shown: field.show(),
                            kind: field.kind,
                            bytes: field.len / 8,
                            source: Source::Payload {
                                base: *base,
                                offset: field.offset,
                                len: field.len,
                                field: Some(field),
                            },
                            steps: 1,
                        };
                        self.learn(&part, &Bytes::new(head));
                        self.relate(
                            &part.shown,
                            e.op,
                            field.kind.show(head),
                            is_bits(field.kind),
                        );
                    }
                    return;
                }
                let shown = match field {
                    Some(field) if field.len > *len => prefix(field.kind, value, *len, field.len),
                    _ => term.kind.show(value.as_slice()),
                };
                self.relate(&term.shown, e.op, shown, is_bits(term.kind));
            }
            _ => {
                let given = u32::try_from(value.len()).unwrap_or(u32::MAX);
                let shown = if is_address(term.kind) && given < term.bytes {
                    let (len, whole) = (given.saturating_mul(8), term.bytes.saturating_mul(8));
                    prefix(term.kind, value, len, whole)
                } else {
                    term.kind.show(value.as_slice())
                };
                self.relate(&term.shown, e.op, shown, is_bits(term.kind));
            }
        }
    }

    pub(super) fn compare_masked(
        &mut self,
        op: CmpOp,
        term: &Term,
        of: &Term,
        mask: &Bytes,
        value: &Bytes,
    ) {
        let zero = value.as_slice().iter().all(|byte| *byte == 0);
        if of.kind == Kind::BitNumbers && zero && op == CmpOp::NEQ {
            let shown = relation(&of.shown, "in", "", of.kind.show(mask.as_slice()));
            return self.say(shown);
        }
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
        if is_address(of.kind)
            && let Some((0, count)) = run_of_bits(mask.as_slice())
        {
            let whole = of.bytes.saturating_mul(8);
            let shown = prefix(of.kind, value, count, whole);
            return self.relate(&of.shown, op, shown, false);
        }
        if let Some(part) = self.part_of_a_byte(of, mask) {
            let shown = part.field.kind.show(&part.value_of(value.as_slice()));
            return self.relate(&part.field.show(), op, shown, false);
        }
        self.relate(&term.shown, op, of.kind.show(value.as_slice()), true);
    }

    /// The field of a few bits that a masked load is about.
    pub(super) fn part_of_a_byte(&self, of: &Term, mask: &Bytes) -> Option<Part> {
        let Source::Payload {
            base, offset, len, ..
        } = &of.source
        else {
            return None;
        };
        let (skip, count) = run_of_bits(mask.as_slice())?;
        let at = offset.saturating_add(skip);
        if (at, count) == (*offset, *len) {
            return None;
        }
        let field = self.protocols.field(*base, at, count)?;
        let shift = len.saturating_sub(skip).saturating_sub(count).min(63);
        Some(Part {
            field,
            shift,
            bits: count,
        })
    }

    /// What a comparison says about the protocols that follow.
    pub(super) fn learn(&mut self, term: &Term, value: &Bytes) {
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
}

/// A field of less than a byte, or of bytes and some bits.
pub(super) struct Part {
    pub(super) field: FieldName,
    shift: u32,
    bits: u32,
}

impl Part {
    /// The field's own value in bytes that were loaded.
    pub(super) fn value_of(&self, loaded: &[u8]) -> Vec<u8> {
        big_endian(number(loaded, false) >> self.shift, self.bits)
    }
}

/// Without a sign a comparison of bits would ask for some of them.
const fn is_bits(kind: Kind) -> bool {
    matches!(kind, Kind::Bits(_) | Kind::NetBits(_))
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
