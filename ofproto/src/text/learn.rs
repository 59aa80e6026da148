//! `learn(...)`.

use std::fmt::{self, Write};

use crate::action::{Learn, LearnDst, LearnSpec, LearnSrc, Subfield, learn_flags};
use crate::matching::{Access, Form, HeaderClass};

use super::error::TextError;
use super::field::{
    parse_subfield, parse_value, write_hex, write_hex_number, write_subfield, write_value,
};
use super::match_print::DEFAULT_PRIORITY;
use super::scan::{Span, unsigned};

pub(crate) fn write_learn(out: &mut impl Write, learn: &Learn) -> fmt::Result {
    write!(out, "learn(table={}", learn.table)?;
    let timeouts = [
        ("idle_timeout", learn.idle_timeout),
        ("hard_timeout", learn.hard_timeout),
        ("fin_idle_timeout", learn.fin_idle_timeout),
        ("fin_hard_timeout", learn.fin_hard_timeout),
    ];
    for (name, value) in timeouts.iter().filter(|(_, value)| *value != 0) {
        write!(out, ",{name}={value}")?;
    }
    if learn.priority != DEFAULT_PRIORITY {
        write!(out, ",priority={}", learn.priority)?;
    }
    if learn.flags & learn_flags::SEND_FLOW_REM != 0 {
        out.write_str(",send_flow_rem")?;
    }
    if learn.flags & learn_flags::DELETE_LEARNED != 0 {
        out.write_str(",delete_learned")?;
    }
    if learn.cookie != 0 {
        write!(out, ",cookie={:#x}", learn.cookie)?;
    }
    if learn.limit != 0 {
        write!(out, ",limit={}", learn.limit)?;
    }
    if let Some(result) = learn.result {
        out.write_str(",result_dst=")?;
        write_subfield(out, &result)?;
    }
    for spec in &learn.specs {
        out.write_char(',')?;
        write_spec(out, spec)?;
    }
    out.write_char(')')
}

fn write_spec(out: &mut impl Write, spec: &LearnSpec) -> fmt::Result {
    match (&spec.src, &spec.dst) {
        (LearnSrc::Imm(bytes), LearnDst::Match(dst)) => {
            if dst.is_whole() && dst.field.tun_metadata_index().is_none() {
                let value = bytes.iter().fold(0, |n: u128, b| n << 8 | u128::from(*b));
                write!(out, "{}=", dst.field.name())?;
                write_value(out, dst.field, value, dst.field.info().full_mask())
            } else {
                write_subfield(out, dst)?;
                out.write_char('=')?;
                write_hex(out, bytes)
            }
        }
        (LearnSrc::Field(src), LearnDst::Match(dst)) => {
            write_subfield(out, dst)?;
            if (src.field, src.ofs) == (dst.field, dst.ofs) {
                return Ok(());
            }
            out.write_char('=')?;
            write_subfield(out, src)
        }
        (src, LearnDst::Load(dst)) => {
            out.write_str("load:")?;
            match src {
                LearnSrc::Imm(bytes) => write_hex(out, bytes)?,
                LearnSrc::Field(src) => write_subfield(out, src)?,
            }
            out.write_str("->")?;
            write_subfield(out, dst)
        }
        (LearnSrc::Field(src), LearnDst::Output) => {
            out.write_str("output:")?;
            write_subfield(out, src)
        }
        (LearnSrc::Imm(bytes), LearnDst::Output) => {
            // Has no meaning to a switch, but is shown.
            out.write_str("output:")?;
            let value = bytes.iter().fold(0, |n: u128, b| n << 8 | u128::from(*b));
            write_hex_number(out, value)
        }
    }
}

pub(crate) fn parse_learn(mut arguments: Span<'_>) -> Result<Learn, TextError> {
    let mut learn = Learn::default();
    while let Some((key, value)) = arguments.next_pair() {
        match key.text() {
            "table" => {
                learn.table = value.u8("a table")?;
                if learn.table == 255 {
                    return Err(value.error("flows cannot be learned in table 255"));
                }
            }
            "priority" => learn.priority = value.u16("a priority")?,
            "idle_timeout" => learn.idle_timeout = value.u16("a timeout")?,
            "hard_timeout" => learn.hard_timeout = value.u16("a timeout")?,
            "fin_idle_timeout" => learn.fin_idle_timeout = value.u16("a timeout")?,
            "fin_hard_timeout" => learn.fin_hard_timeout = value.u16("a timeout")?,
            "cookie" => learn.cookie = value.u64("a cookie")?,
            "send_flow_rem" => learn.flags |= learn_flags::SEND_FLOW_REM,
            "delete_learned" => learn.flags |= learn_flags::DELETE_LEARNED,
            "limit" => learn.limit = value.u32("a limit")?,
            "result_dst" => {
                let result = parse_subfield(value)?;
                if result.n_bits != 1 || result.field.info().access != Access::Rw {
                    return Err(value.error("the result needs one writable bit"));
                }
                learn.flags |= learn_flags::WRITE_RESULT;
                learn.result = Some(result);
            }
            "load" => learn.specs.push(parse_load(value)?),
            "output" => {
                let part = parse_subfield(value)?;
                learn.specs.push(LearnSpec {
                    n_bits: part.n_bits,
                    src: LearnSrc::Field(part),
                    dst: LearnDst::Output,
                });
            }
            _ => learn.specs.push(parse_match(key, value)?),
        }
    }
    Ok(learn)
}

/// A destination must have a 32-bit header: the action has no room for an experimenter id.
fn parse_short_subfield(span: Span<'_>) -> Result<Subfield, TextError> {
    let part = parse_subfield(span)?;
    let class = part.field.header(Form::Nxm).map(|header| header.class);
    match class {
        Some(HeaderClass::NxEt | HeaderClass::OnfEt | HeaderClass::Nsh) | None => {
            Err(span.error(format!("{} cannot be learned", part.field.name())))
        }
        Some(_) => Ok(part),
    }
}

/// `FIELD`, `FIELD=FIELD` or `FIELD=VALUE`.
fn parse_match(key: Span<'_>, value: Span<'_>) -> Result<LearnSpec, TextError> {
    let dst = parse_short_subfield(key)?;
    let n_bits = dst.n_bits;
    let spec = |src| LearnSpec {
        n_bits,
        src,
        dst: LearnDst::Match(dst),
    };
    if value.is_empty() {
        return Ok(spec(LearnSrc::Field(dst)));
    }
    if let Ok(src) = parse_subfield(value) {
        if src.n_bits != n_bits {
            return Err(value.error(format!("{} bits for {n_bits}", src.n_bits)));
        }
        return Ok(spec(LearnSrc::Field(src)));
    }
    let number = if dst.is_whole() && dst.field.tun_metadata_index().is_none() {
        let (number, mask) = parse_value(dst.field, value)?;
        if mask != dst.field.info().full_mask() {
            return Err(value.error("no mask is possible here"));
        }
        number
    } else {
        number_for(value, n_bits)?
    };
    Ok(spec(immediate(number, n_bits)))
}

/// `FIELD->FIELD` or `VALUE->FIELD`.
fn parse_load(value: Span<'_>) -> Result<LearnSpec, TextError> {
    let Some((src, dst)) = value.split_once("->") else {
        return Err(value.error("expected SOURCE->DESTINATION"));
    };
    if src.text().starts_with(|c: char| c.is_ascii_digit()) {
        let dst = parse_short_subfield(dst)?;
        let number = number_for(src, dst.n_bits)?;
        let (n_bits, src) = (dst.n_bits, immediate(number, dst.n_bits));
        return Ok(LearnSpec {
            n_bits,
            src,
            dst: LearnDst::Load(dst),
        });
    }
    let (from, to) = (parse_subfield(src)?, parse_subfield(dst)?);
    if from.n_bits != to.n_bits {
        return Err(value.error(format!("{} bits into {}", from.n_bits, to.n_bits)));
    }
    Ok(LearnSpec {
        n_bits: to.n_bits,
        src: LearnSrc::Field(from),
        dst: LearnDst::Load(to),
    })
}

fn number_for(span: Span<'_>, n_bits: u16) -> Result<u128, TextError> {
    let number = unsigned(span.text());
    let number = number.ok_or_else(|| span.error(format!("{:?} is not a number", span.text())))?;
    if n_bits < 128 && number >> n_bits != 0 {
        return Err(span.error(format!("{} does not fit into {n_bits} bits", span.text())));
    }
    Ok(number)
}

fn immediate(number: u128, n_bits: u16) -> LearnSrc {
    let bytes = usize::from(n_bits).div_ceil(8);
    let number = number.to_be_bytes();
    let mut wide = vec![0; bytes.saturating_sub(number.len())];
    wide.extend_from_slice(
        number
            .get(number.len().saturating_sub(bytes)..)
            .unwrap_or(&[]),
    );
    LearnSrc::Imm(wide.into())
}
