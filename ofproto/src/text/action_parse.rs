//! Reading actions.
//!
//! Owns: the action words and the translation of `set_field` and of the words that OpenFlow 1.0
//! has no action for into loads. Actions with arguments of their own are read beside their
//! printers. Held by the vectors and `tests/differential.rs`.

use std::net::Ipv4Addr;
use std::str::FromStr;

use crate::action::{Action, ActionList, MAX_DEPTH, SetField, Subfield, UnknownAction};
use crate::matching::{Access, FieldId, Form, HeaderClass, tci};
use crate::ports::Port;

use super::address::{parse_ipv4, parse_mac};
use super::error::TextError;
use super::field::{parse_field_name, parse_port, parse_subfield, parse_tun_metadata, parse_value};
use super::scan::{Span, unsigned};
use super::{controller, ct, hash, learn, sample};

impl FromStr for ActionList {
    type Err = TextError;

    /// Reads the syntax of `ovs-ofctl` behind `actions=`.
    fn from_str(text: &str) -> Result<Self, TextError> {
        parse_actions(Span::new(text))
    }
}

pub(crate) fn parse_actions(span: Span<'_>) -> Result<ActionList, TextError> {
    parse_nested(span, 1)
}

/// Reads a list that is `depth` lists deep.
pub(crate) fn parse_nested(span: Span<'_>, depth: u8) -> Result<ActionList, TextError> {
    parse_list(span, depth, false)
}

/// Like [`parse_nested`], for what `ct` does, which may be `nat`.
pub(crate) fn parse_exec(span: Span<'_>, depth: u8) -> Result<ActionList, TextError> {
    parse_list(span, depth, true)
}

fn parse_list(span: Span<'_>, depth: u8, in_ct: bool) -> Result<ActionList, TextError> {
    if depth > MAX_DEPTH {
        return Err(span.error("actions are nested too deeply"));
    }
    let mut rest = span;
    let mut list = ActionList::new();
    let mut drop = None;
    let mut goto: Option<Span<'_>> = None;
    while let Some((key, value)) = rest.next_pair() {
        if let Some(goto) = goto {
            return Err(goto.error("goto_table must come last"));
        }
        if key.is_ignore_case("goto_table") {
            if depth > 1 {
                return Err(key.error("goto_table cannot be inside another action"));
            }
            goto = Some(key);
        }
        if key.is_ignore_case("drop") {
            drop = Some(key);
        } else if in_ct && key.text() == "nat" {
            list.push(Action::Nat(Box::new(ct::parse_nat(value)?)));
        } else {
            parse_action(key, value, depth, &mut list)?;
        }
    }
    match drop {
        Some(drop) if !list.is_empty() => Err(drop.error("drop must stand alone")),
        _ => Ok(list),
    }
}

fn parse_action(
    key: Span<'_>,
    value: Span<'_>,
    depth: u8,
    list: &mut ActionList,
) -> Result<(), TextError> {
    let word = key.text().to_ascii_lowercase();
    let action = match word.as_str() {
        "output" => parse_output(value)?,
        "enqueue" => parse_enqueue(value)?,
        "controller" => controller::parse_controller(value)?,
        "group" => Action::Group(value.u32("a group")?),
        "bundle" | "bundle_load" => {
            Action::Bundle(Box::new(hash::parse_bundle(value, word == "bundle_load")?))
        }
        "multipath" => Action::Multipath(Box::new(hash::parse_multipath(value)?)),
        "set_field" => return parse_set_field(value, list),
        "load" => return parse_load(value, list),
        "move" => parse_move(value)?,
        "push" => Action::StackPush(parse_subfield(value)?),
        "pop" => Action::StackPop(writable(value, parse_subfield(value)?)?),
        "mod_vlan_vid" | "set_vlan_vid" => Action::SetVlanVid(limited(value, "a VLAN id", 0xfff)?),
        "mod_vlan_pcp" | "set_vlan_pcp" => {
            let pcp = limited(value, "a VLAN priority", 7)?;
            Action::SetVlanPcp(u8::try_from(pcp).unwrap_or(7))
        }
        "strip_vlan" | "pop_vlan" => Action::StripVlan,
        "mod_dl_src" => Action::SetDlSrc(parse_mac(value)?),
        "mod_dl_dst" => Action::SetDlDst(parse_mac(value)?),
        "mod_nw_src" => Action::SetNwSrc(Ipv4Addr::from_bits(parse_ipv4(value)?)),
        "mod_nw_dst" => Action::SetNwDst(Ipv4Addr::from_bits(parse_ipv4(value)?)),
        "mod_nw_tos" => match value.u8("a type of service")? {
            tos if tos & 3 == 0 => Action::SetNwTos(tos),
            _ => return Err(value.error("the low two bits belong to ECN")),
        },
        "mod_nw_ecn" => {
            let value = limited(value, "ECN", 3)?.into();
            Action::Load {
                dst: Subfield::all(FieldId::NW_ECN),
                value,
            }
        }
        "mod_nw_ttl" | "set_nw_ttl" => Action::load(FieldId::NW_TTL, value.u8("a TTL")?.into()),
        "mod_tp_src" => Action::SetTpSrc(value.u16("a port")?),
        "mod_tp_dst" => Action::SetTpDst(value.u16("a port")?),
        "dec_ttl" => parse_dec_ttl(value)?,
        "set_mpls_label" => {
            Action::SetMplsLabel(value.number("a label", 0xf_ffff).and_then(|label| {
                u32::try_from(label).map_err(|_| value.error("label too large"))
            })?)
        }
        "set_mpls_tc" => {
            let tc = limited(value, "a traffic class", 7)?;
            Action::SetMplsTc(u8::try_from(tc).unwrap_or(7))
        }
        "set_mpls_ttl" => Action::SetMplsTtl(value.u8("a TTL")?),
        "dec_mpls_ttl" => Action::DecMplsTtl,
        "push_mpls" => Action::PushMpls(value.u16("an Ethertype")?),
        "pop_mpls" => Action::PopMpls(value.u16("an Ethertype")?),
        "delete_field" => {
            let field = parse_field_name(value)?;
            Action::DeleteField { field, tun_len: 0 }
        }
        "set_tunnel" => match value.u64("a tunnel id")? {
            id if id > u32::MAX.into() => Action::SetTunnel64(id),
            id => Action::SetTunnel(u32::try_from(id).unwrap_or(u32::MAX)),
        },
        "set_tunnel64" => Action::SetTunnel64(value.u64("a tunnel id")?),
        "set_queue" => Action::SetQueue(value.u32("a queue")?),
        "pop_queue" => Action::PopQueue,
        "fin_timeout" => parse_fin_timeout(value)?,
        "resubmit" => parse_resubmit(value)?,
        "learn" => Action::Learn(Box::new(learn::parse_learn(value)?)),
        "conjunction" => parse_conjunction(value)?,
        "note" => parse_note(value)?,
        "exit" => Action::Exit,
        "sample" => Action::Sample(Box::new(sample::parse_sample(value)?)),
        "ct" => Action::Ct(Box::new(ct::parse_ct(value, depth.saturating_add(1))?)),
        "ct_clear" => Action::CtClear,
        "clone" => Action::Clone(Box::new(parse_nested(value, depth.saturating_add(1))?)),
        "check_pkt_larger" => parse_check_pkt_larger(value)?,
        "write_metadata" => {
            let (bits, mask) = value
                .split_once("/")
                .map_or((value, None), |(a, b)| (a, Some(b)));
            Action::WriteMetadata {
                value: bits.u64("metadata")?,
                mask: mask.map_or(Ok(u64::MAX), |mask| mask.u64("a mask"))?,
            }
        }
        "debug_recirc" => Action::DebugRecirc,
        "debug_slow" => Action::DebugSlow,
        "unknown" => parse_unknown(value)?,
        "nat" => return Err(key.error("nat is possible only inside ct")),
        // An instruction of later versions; here it is the resubmission that it means.
        "goto_table" => {
            let table = value.u8("a table")?;
            if table == u8::MAX {
                return Err(value.error("255 stands for no table"));
            }
            Action::ResubmitTable {
                port: Port::IN_PORT,
                table,
                with_ct: false,
            }
        }
        "push_vlan" | "write_actions" | "clear_actions" | "meter" | "encap" | "decap"
        | "dec_nsh_ttl" | "apply_actions" => {
            return Err(key.error(format!("OpenFlow 1.0 has no {word}")));
        }
        _ => match parse_port(key) {
            Ok(port) if value.is_empty() => Action::Output { port, max_len: 0 },
            _ => return Err(key.error(format!("{:?} is not an action", key.text()))),
        },
    };
    list.push(action);
    Ok(())
}

fn limited(span: Span<'_>, what: &str, max: u16) -> Result<u16, TextError> {
    let number = span.number(what, max.into())?;
    u16::try_from(number).map_err(|_| span.error("number too large"))
}

fn writable(span: Span<'_>, part: Subfield) -> Result<Subfield, TextError> {
    match part.field.info().access {
        Access::Rw => Ok(part),
        Access::Ro => Err(span.error(format!("{} is read-only", part.field.name()))),
    }
}

/// A port, `port=P,max_len=N`, or a field that holds the port.
fn parse_output(value: Span<'_>) -> Result<Action, TextError> {
    if value.text().contains("max_len") {
        return parse_output_trunc(value);
    }
    if let Ok(port) = parse_port(value) {
        let max_len = if port == Port::CONTROLLER {
            u16::MAX
        } else {
            0
        };
        return Ok(Action::Output { port, max_len });
    }
    match parse_subfield(value) {
        Ok(src) => Ok(Action::OutputReg {
            src: on_the_wire(src),
            max_len: u16::MAX,
        }),
        Err(_) => Err(value.error(format!("{:?} is neither a port nor a field", value.text()))),
    }
}

/// The width of the source has six bits beside the offset. Wider fields name no port; written as
/// Open vSwitch writes them, their width spills over into the offset.
fn on_the_wire(src: Subfield) -> Subfield {
    match src.n_bits {
        0..=64 => src,
        wide => Subfield {
            ofs: src.ofs | (wide - 1) >> 6,
            n_bits: ((wide - 1) & 0x3f) + 1,
            ..src
        },
    }
}

fn parse_output_trunc(mut arguments: Span<'_>) -> Result<Action, TextError> {
    let whole = arguments;
    let (mut port, mut max_len) = (None, None);
    while let Some((key, value)) = arguments.next_pair() {
        match key.text() {
            "port" => {
                let named = parse_port(value)?;
                let allowed = [Port::LOCAL, Port::IN_PORT].contains(&named);
                if named.0 >= Port::MAX && !allowed {
                    return Err(value.error("packets for this port cannot be cut"));
                }
                port = Some(named);
            }
            "max_len" => match value.u32("a length")? {
                0..14 => return Err(value.error("an Ethernet header has 14 bytes")),
                length => max_len = Some(length),
            },
            other => return Err(key.error(format!("{other:?} is not an argument of output"))),
        }
    }
    match (port, max_len) {
        (Some(port), Some(max_len)) => Ok(Action::OutputTrunc { port, max_len }),
        _ => Err(whole.error("expected port=PORT,max_len=BYTES")),
    }
}

/// `PORT:QUEUE`, `PORT,QUEUE` or `PORTqQUEUE`.
fn parse_enqueue(value: Span<'_>) -> Result<Action, TextError> {
    let cut = value.text().find([':', 'q', ',']);
    let Some(cut) = cut.filter(|cut| *cut > 0) else {
        return Err(value.error("expected PORT:QUEUE"));
    };
    let (port, queue) = value.split_at(cut);
    let queue = queue.split_at(1).1;
    Ok(Action::Enqueue {
        port: parse_port(port)?,
        queue: queue.u32("a queue")?,
    })
}

fn parse_move(value: Span<'_>) -> Result<Action, TextError> {
    let Some((from, to)) = value.split_once("->") else {
        return Err(value.error("expected SOURCE->DESTINATION"));
    };
    let (src, dst) = (parse_subfield(from)?, writable(to, parse_subfield(to)?)?);
    if src.n_bits != dst.n_bits {
        return Err(value.error(format!("{} bits into {}", src.n_bits, dst.n_bits)));
    }
    Ok(Action::Move { src, dst })
}

fn parse_load(value: Span<'_>, list: &mut ActionList) -> Result<(), TextError> {
    let Some((number, to)) = value.split_once("->") else {
        return Err(value.error("expected VALUE->DESTINATION"));
    };
    let dst = writable(to, parse_subfield(to)?)?;
    let bits = unsigned(number.text())
        .ok_or_else(|| number.error(format!("{:?} is not a number", number.text())))?;
    if dst.n_bits < 128 && bits >> dst.n_bits != 0 {
        return Err(number.error(format!("does not fit into {} bits", dst.n_bits)));
    }
    let mask = u128::MAX
        .checked_shr(128 - u32::from(dst.n_bits.min(128)))
        .unwrap_or(0);
    let shift = u32::from(dst.ofs);
    let shifted = |wide: u128| wide.checked_shl(shift).unwrap_or(0);
    push_loads(list, dst.field, shifted(bits), shifted(mask));
    Ok(())
}

/// One load per run of mask bits, none longer than the 64 bits a load can carry.
fn push_loads(list: &mut ActionList, field: FieldId, value: u128, mask: u128) {
    let bits = field.info().bits.min(128);
    let mut ofs = 0;
    while ofs < bits {
        let rest = mask >> ofs;
        if rest == 0 {
            return;
        }
        if rest & 1 == 0 {
            ofs += 1;
            continue;
        }
        let run = u16::try_from(rest.trailing_ones()).unwrap_or(128);
        let n_bits = run.min(64).min(bits - ofs);
        let part = (value >> ofs) & (u128::MAX >> (128 - u32::from(n_bits)));
        let dst = Subfield::new(field, ofs, n_bits);
        list.push(Action::Load {
            dst,
            value: u64::try_from(part).unwrap_or(u64::MAX),
        });
        ofs += n_bits;
    }
}

/// `VALUE[/MASK]->FIELD`, in the oldest action that does it.
fn parse_set_field(value: Span<'_>, list: &mut ActionList) -> Result<(), TextError> {
    let Some((number, name)) = value.split_once("->") else {
        return Err(value.error("expected VALUE->FIELD"));
    };
    let Some(field) = FieldId::from_name(name.text()).filter(|field| *field != FieldId::COOKIE)
    else {
        return Err(name.error(format!("{:?} is not a field", name.text())));
    };
    if field.info().access == Access::Ro {
        return Err(name.error(format!("{} is read-only", field.name())));
    }
    if field.tun_metadata_index().is_some() {
        let (value, mask) = parse_tun_metadata(number)?;
        let exact = mask.iter().all(|byte| *byte == 0xff);
        let mask = (!exact).then(|| mask.into());
        list.push(Action::SetField(Box::new(SetField {
            field,
            value: value.into(),
            mask,
        })));
        return Ok(());
    }
    let (bits, mask) = parse_value(field, number)?;
    if !field.value_in_range(bits) {
        return Err(number.error(format!("out of range for {}", field.name())));
    }
    let exact = mask == field.info().full_mask();
    if !(exact && push_standard(list, field, bits)) {
        match field.header(Form::Nxm).map(|header| header.class) {
            None => return Err(name.error(format!("{} has no wire form", field.name()))),
            Some(HeaderClass::NxEt | HeaderClass::OnfEt | HeaderClass::Nsh) => {
                list.push(Action::SetField(Box::new(SetField::new(field, bits, mask))));
            }
            Some(_) => push_loads(list, field, bits & mask, mask),
        }
    }
    Ok(())
}

/// The standard action that sets all of `field`, if there is one.
fn push_standard(list: &mut ActionList, field: FieldId, value: u128) -> bool {
    use super::field::mac_bytes;
    let short = u16::try_from(value & 0xffff).unwrap_or(0);
    let byte = u8::try_from(value & 0xff).unwrap_or(0);
    let address = Ipv4Addr::from_bits(u32::try_from(value & 0xffff_ffff).unwrap_or(0));
    let vid = u16::try_from(value & tci::VID).unwrap_or(0);
    let action = match field {
        FieldId::VLAN_TCI if value & tci::CFI != 0 => {
            let pcp = u8::try_from((value & tci::PCP) >> 13).unwrap_or(0);
            list.push(Action::SetVlanVid(vid));
            Action::SetVlanPcp(pcp)
        }
        FieldId::VLAN_TCI => Action::StripVlan,
        FieldId::VLAN_VID => Action::SetVlanVid(vid),
        FieldId::VLAN_PCP => Action::SetVlanPcp(byte),
        FieldId::ETH_SRC => Action::SetDlSrc(mac_bytes(value)),
        FieldId::ETH_DST => Action::SetDlDst(mac_bytes(value)),
        FieldId::IP_SRC => Action::SetNwSrc(address),
        FieldId::IP_DST => Action::SetNwDst(address),
        FieldId::NW_TOS => Action::SetNwTos(byte & 0xfc),
        FieldId::IP_DSCP => Action::SetNwTos((byte & 0x3f) << 2),
        FieldId::NW_ECN => Action::Load {
            dst: Subfield::all(field),
            value: u64::from(byte & 3),
        },
        FieldId::TCP_SRC | FieldId::UDP_SRC => Action::SetTpSrc(short),
        FieldId::TCP_DST | FieldId::UDP_DST => Action::SetTpDst(short),
        _ => return false,
    };
    list.push(action);
    true
}

fn parse_dec_ttl(value: Span<'_>) -> Result<Action, TextError> {
    if value.is_empty() {
        return Ok(Action::DecTtl);
    }
    let ids = value
        .words(&[',', ' '])
        .map(|word| word.u16("a controller id"));
    let ids = ids.collect::<Result<Vec<_>, _>>()?;
    if ids.is_empty() {
        return Err(value.error("expected controller ids"));
    }
    Ok(Action::DecTtlCntIds(ids.into()))
}

fn parse_fin_timeout(mut arguments: Span<'_>) -> Result<Action, TextError> {
    let (mut idle, mut hard) = (0, 0);
    while let Some((key, value)) = arguments.next_pair() {
        match key.text() {
            "idle_timeout" => idle = value.u16("a timeout")?,
            "hard_timeout" => hard = value.u16("a timeout")?,
            other => return Err(key.error(format!("{other:?} is not an argument of fin_timeout"))),
        }
    }
    Ok(Action::FinTimeout { idle, hard })
}

/// `PORT`, `PORT,TABLE`, `,TABLE`, each with `,ct` behind it.
fn parse_resubmit(value: Span<'_>) -> Result<Action, TextError> {
    let (first, rest) = value
        .split_once(",")
        .map_or((value, None), |(a, b)| (a, Some(b)));
    let (second, third) = match rest {
        None => (None, None),
        Some(rest) => rest
            .split_once(",")
            .map_or((Some(rest), None), |(a, b)| (Some(a), Some(b))),
    };
    let port = match first.trim() {
        empty if empty.is_empty() => Port::IN_PORT,
        port => parse_port(port)?,
    };
    let table = match second.map(Span::trim).filter(|table| !table.is_empty()) {
        None => 255,
        Some(table) => table.u8("a table")?,
    };
    let with_ct = match third.map(Span::trim).filter(|word| !word.is_empty()) {
        None => false,
        Some(word) if word.text() == "ct" => true,
        Some(word) => return Err(word.error(format!("expected ct, found {:?}", word.text()))),
    };
    if port == Port::IN_PORT && table == 255 {
        return Err(value.error("resubmit needs a port or a table"));
    }
    Ok(Action::ResubmitTable {
        port,
        table,
        with_ct,
    })
}

/// `ID,CLAUSE/CLAUSES`, the clause counted from 1.
fn parse_conjunction(value: Span<'_>) -> Result<Action, TextError> {
    let parts = value
        .split_once(",")
        .and_then(|(id, rest)| Some((id, rest.split_once("/")?)));
    let Some((id, (clause, n_clauses))) = parts else {
        return Err(value.error("expected ID,CLAUSE/CLAUSES"));
    };
    let id = id.trim().u32("an id")?;
    let (place, count) = (clause.trim(), n_clauses.trim());
    let n_clauses = count.u8("a number of clauses")?;
    if !(2..=64).contains(&n_clauses) {
        return Err(count.error("a conjunction has 2 to 64 clauses"));
    }
    match place.u8("a clause")? {
        clause if (1..=n_clauses).contains(&clause) => Ok(Action::Conjunction {
            clause: clause - 1,
            n_clauses,
            id,
        }),
        _ => Err(place.error(format!("clauses are numbered 1 to {n_clauses}"))),
    }
}

/// Bytes, filled with zeros to the 6 + 8 n that the wire has.
fn parse_note(value: Span<'_>) -> Result<Action, TextError> {
    let mut bytes = value.hex_bytes()?;
    let length = (bytes.len() + 2).next_multiple_of(8) - 2;
    bytes.resize(length, 0);
    Ok(Action::Note(bytes.into()))
}

fn parse_check_pkt_larger(value: Span<'_>) -> Result<Action, TextError> {
    let Some((length, place)) = value.split_once("->") else {
        return Err(value.error("expected (LENGTH)->BIT"));
    };
    let end = length.text().trim_end_matches(')').len();
    let dst = writable(place, parse_subfield(place)?)?;
    if dst.n_bits != 1 {
        return Err(place.error("the destination is a single bit"));
    }
    Ok(Action::CheckPktLarger {
        len: length.split_at(end).0.u16("a length")?,
        dst,
    })
}

/// `TYPE,BYTES`, as the printer writes what it does not know.
fn parse_unknown(value: Span<'_>) -> Result<Action, TextError> {
    let Some((action_type, body)) = value.split_once(",") else {
        return Err(value.error("expected TYPE,BYTES"));
    };
    let action_type = action_type.u16("an action type")?;
    let body = body.hex_bytes()?.into();
    Ok(Action::Unknown(Box::new(UnknownAction {
        action_type,
        body,
    })))
}
