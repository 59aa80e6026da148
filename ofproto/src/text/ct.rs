//! `ct(...)` and `nat(...)`.

use std::fmt::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::action::{Action, Ct, CtAlg, CtZone, Nat, NatRange, ct_flags, nat_flags};

use super::action_parse::parse_exec;
use super::action_print::write_actions;
use super::address::{self, parse_ipv4, parse_ipv6};
use super::error::TextError;
use super::field::{parse_subfield, write_subfield};
use super::scan::Span;

/// Writes items with commas between.
struct Items<'a, W> {
    out: &'a mut W,
    started: bool,
}

impl<'a, W: Write> Items<'a, W> {
    fn new(out: &'a mut W) -> Self {
        Self {
            out,
            started: false,
        }
    }

    fn next(&mut self) -> Result<&mut W, fmt::Error> {
        if std::mem::replace(&mut self.started, true) {
            self.out.write_char(',')?;
        }
        Ok(self.out)
    }
}

pub(crate) fn write_ct(out: &mut impl Write, ct: &Ct) -> fmt::Result {
    out.write_str("ct(")?;
    let mut items = Items::new(out);
    if ct.flags & ct_flags::COMMIT != 0 {
        items.next()?.write_str("commit")?;
    }
    if ct.flags & ct_flags::FORCE != 0 {
        items.next()?.write_str("force")?;
    }
    if let Some(table) = ct.table {
        write!(items.next()?, "table={table}")?;
    }
    match ct.zone {
        CtZone::Imm(0) => {}
        CtZone::Imm(zone) => write!(items.next()?, "zone={zone}")?,
        CtZone::Field(field) => {
            let out = items.next()?;
            out.write_str("zone=")?;
            write_subfield(out, &field)?;
        }
    }
    // A leading nat stands outside of exec.
    let rest = match ct.actions.split_first() {
        Some((Action::Nat(nat), rest)) => {
            write_nat(items.next()?, nat)?;
            rest
        }
        _ => &ct.actions[..],
    };
    if !rest.is_empty() {
        let out = items.next()?;
        out.write_str("exec(")?;
        write_actions(out, rest)?;
        out.write_char(')')?;
    }
    match ct.alg {
        CtAlg::NONE => {}
        CtAlg::FTP => items.next()?.write_str("alg=ftp")?,
        CtAlg::TFTP => items.next()?.write_str("alg=tftp")?,
        CtAlg(port) => write!(items.next()?, "alg={port}")?,
    }
    out.write_char(')')
}

pub(crate) fn write_nat(out: &mut impl Write, nat: &Nat) -> fmt::Result {
    out.write_str("nat")?;
    let side = match nat.flags & (nat_flags::SRC | nat_flags::DST) {
        0 => return Ok(()),
        side if side & nat_flags::SRC != 0 => "src",
        _ => "dst",
    };
    write!(out, "({side}")?;
    if let Some(range) = nat.range {
        out.write_char('=')?;
        write_range(out, range, nat.ports.is_some_and(|(first, _)| first != 0))?;
        if let Some((first, last)) = nat.ports.filter(|(first, _)| *first != 0) {
            write!(out, ":{first}")?;
            if let Some(last) = last.filter(|last| *last != 0 && *last != first) {
                write!(out, "-{last}")?;
            }
        }
        let names = [
            (nat_flags::PERSISTENT, ",persistent"),
            (nat_flags::PROTO_HASH, ",hash"),
            (nat_flags::PROTO_RANDOM, ",random"),
        ];
        for (_, name) in names.iter().filter(|(flag, _)| nat.flags & flag != 0) {
            out.write_str(name)?;
        }
    }
    out.write_char(')')
}

/// IPv6 addresses are bracketed when a port follows.
fn write_range(out: &mut impl Write, range: NatRange, ports: bool) -> fmt::Result {
    match range {
        NatRange::V4(first, last) => {
            write!(out, "{first}")?;
            match last.filter(|last| *last != first && !last.is_unspecified()) {
                Some(last) => write!(out, "-{last}"),
                None => Ok(()),
            }
        }
        NatRange::V6(first, last) => {
            write_ipv6_in(out, first, ports)?;
            match last.filter(|last| *last != first && !last.is_unspecified()) {
                Some(last) => {
                    out.write_char('-')?;
                    write_ipv6_in(out, last, ports)
                }
                None => Ok(()),
            }
        }
    }
}

fn write_ipv6_in(out: &mut impl Write, address: Ipv6Addr, brackets: bool) -> fmt::Result {
    if brackets {
        out.write_char('[')?;
    }
    address::write_ipv6(out, address.to_bits())?;
    if brackets {
        out.write_char(']')
    } else {
        Ok(())
    }
}

pub(crate) fn parse_ct(mut arguments: Span<'_>, depth: u8) -> Result<Ct, TextError> {
    let whole = arguments;
    let mut ct = Ct::default();
    while let Some((key, value)) = arguments.next_pair() {
        match key.text() {
            "commit" => ct.flags |= ct_flags::COMMIT,
            "force" => ct.flags |= ct_flags::FORCE,
            "table" => match value.u8("a table")? {
                255 => return Err(value.error("table 255 cannot be continued in")),
                table => ct.table = Some(table),
            },
            "zone" => ct.zone = parse_zone(value)?,
            "alg" => {
                ct.alg = match value.text() {
                    "ftp" => CtAlg::FTP,
                    "tftp" => CtAlg::TFTP,
                    _ => return Err(value.error("expected ftp or tftp")),
                };
            }
            "nat" => ct.actions.push(Action::Nat(Box::new(parse_nat(value)?))),
            "exec" => {
                for action in &parse_exec(value, depth)? {
                    ct.actions.push(action.clone());
                }
            }
            other => return Err(key.error(format!("{other:?} is not an argument of ct"))),
        }
    }
    if ct.flags & ct_flags::FORCE != 0 && ct.flags & ct_flags::COMMIT == 0 {
        return Err(whole.error("force needs commit"));
    }
    Ok(ct)
}

fn parse_zone(value: Span<'_>) -> Result<CtZone, TextError> {
    if value.text().starts_with(|c: char| c.is_ascii_digit()) {
        return Ok(CtZone::Imm(value.u16("a zone")?));
    }
    let field = parse_subfield(value)?;
    if field.n_bits != 16 {
        return Err(value.error(format!("a zone has 16 bits, not {}", field.n_bits)));
    }
    Ok(CtZone::Field(field))
}

pub(crate) fn parse_nat(mut arguments: Span<'_>) -> Result<Nat, TextError> {
    let whole = arguments;
    let mut nat = Nat::default();
    while let Some((key, value)) = arguments.next_pair() {
        match key.text() {
            "src" => nat.flags |= nat_flags::SRC,
            "dst" => nat.flags |= nat_flags::DST,
            "persistent" => nat.flags |= nat_flags::PERSISTENT,
            "hash" => nat.flags |= nat_flags::PROTO_HASH,
            "random" => nat.flags |= nat_flags::PROTO_RANDOM,
            other => return Err(key.error(format!("{other:?} is not an argument of nat"))),
        }
        if !value.is_empty() && matches!(key.text(), "src" | "dst") {
            (nat.range, nat.ports) = parse_range(value)?;
        }
    }
    let both = |a: u16, b: u16| nat.flags & a != 0 && nat.flags & b != 0;
    if both(nat_flags::SRC, nat_flags::DST) {
        return Err(whole.error("only one of src and dst is possible"));
    }
    if both(nat_flags::PROTO_HASH, nat_flags::PROTO_RANDOM) {
        return Err(whole.error("only one of hash and random is possible"));
    }
    if nat.flags != 0 && nat.flags & (nat_flags::SRC | nat_flags::DST) == 0 {
        return Err(whole.error("flags need src or dst"));
    }
    Ok(nat)
}

type Range = (Option<NatRange>, Option<(u16, Option<u16>)>);

/// `ADDRESS[-ADDRESS][:PORT[-PORT]]`, IPv6 addresses in square brackets when ports follow.
fn parse_range(span: Span<'_>) -> Result<Range, TextError> {
    let (addresses, ports) = split_ports(span);
    let ports = match ports.map(|ports| (ports, ports.split_once("-"))) {
        None => None,
        Some((_, Some((first, last)))) => {
            let (low, high) = (first.u16("a port")?, last.u16("a port")?);
            if high < low {
                return Err(last.error("the range ends before it begins"));
            }
            Some((low, Some(high)))
        }
        Some((first, None)) => Some((first.u16("a port")?, None)),
    };
    let (first, last) = match addresses.split_once("-") {
        Some((first, last)) => (first, Some(last)),
        None => (addresses, None),
    };
    let backwards = |span: Span<'_>| span.error("the range ends before it begins");
    let range = if first.text().contains(':') {
        let low = parse_ipv6(unbracket(first))?;
        let high = last.map(|last| parse_ipv6(unbracket(last))).transpose()?;
        if let Some((last, _)) = last.zip(high).filter(|(_, high)| *high < low) {
            return Err(backwards(last));
        }
        NatRange::V6(Ipv6Addr::from_bits(low), high.map(Ipv6Addr::from_bits))
    } else {
        let low = parse_ipv4(first)?;
        let high = last.map(parse_ipv4).transpose()?;
        if let Some((last, _)) = last.zip(high).filter(|(_, high)| *high < low) {
            return Err(backwards(last));
        }
        NatRange::V4(Ipv4Addr::from_bits(low), high.map(Ipv4Addr::from_bits))
    };
    Ok((Some(range), ports))
}

/// Splits at the colon before the ports, which for IPv6 stands behind a square bracket.
fn split_ports(span: Span<'_>) -> (Span<'_>, Option<Span<'_>>) {
    let text = span.text();
    let colon = match text.rfind("]:") {
        Some(bracket) => Some(bracket + 1),
        None if text.matches(':').count() == 1 => text.find(':'),
        None => None,
    };
    match colon {
        Some(at) => {
            let (head, tail) = span.split_at(at);
            (head, Some(tail.split_at(1).1))
        }
        None => (span, None),
    }
}

fn unbracket(span: Span<'_>) -> Span<'_> {
    let inner = span
        .strip_prefix("[")
        .filter(|rest| rest.text().ends_with(']'));
    inner.map_or(span, |rest| rest.split_at(rest.text().len() - 1).0)
}
