//! Actions that fit a match.

use std::net::{Ipv4Addr, Ipv6Addr};

use ::arbitrary::{Result, Unstructured};

use crate::action::{
    Action, ActionList, Bundle, BundleAlgorithm, Controller, Ct, CtAlg, CtZone, HashFields, Learn,
    LearnDst, LearnSpec, LearnSrc, Multipath, MultipathAlgorithm, Nat, NatRange, PacketInReason,
    Sample, SampleDirection, SampleId, Subfield, ct_flags, learn_flags, nat_flags,
};
use crate::matching::{FieldId, Match};
use crate::ports::Port;

/// Ports that an output accepts.
fn port(u: &mut Unstructured<'_>) -> Result<Port> {
    if u.ratio(1, 4)? {
        return u
            .choose(&[
                Port::IN_PORT,
                Port::NORMAL,
                Port::FLOOD,
                Port::ALL,
                Port::LOCAL,
            ])
            .copied();
    }
    Ok(Port(u.int_in_range(1..=0xfeff)?))
}

/// Writable fields without prerequisites, at most 64 bits wide.
const REGISTERS: [FieldId; 9] = [
    FieldId::REG0,
    FieldId::REG3,
    FieldId::REG9,
    FieldId::REG15,
    FieldId::XREG1,
    FieldId::XREG7,
    FieldId::PKT_MARK,
    FieldId::TUN_ID,
    FieldId::METADATA,
];

/// Some bits of a register, at most `most`.
fn bits(u: &mut Unstructured<'_>, most: u16) -> Result<Subfield> {
    let field = *u.choose(&REGISTERS)?;
    let width = field.info().bits;
    let n_bits = u.int_in_range(1..=width.min(most))?;
    let ofs = u.int_in_range(0..=width - n_bits)?;
    Ok(Subfield::new(field, ofs, n_bits))
}

/// Exactly `n_bits` bits of a register.
fn exactly(u: &mut Unstructured<'_>, n_bits: u16) -> Result<Subfield> {
    let candidates = REGISTERS.iter().filter(|field| field.info().bits >= n_bits);
    let candidates: Vec<FieldId> = candidates.copied().collect();
    let field = *u.choose(&candidates)?;
    let ofs = u.int_in_range(0..=field.info().bits - n_bits)?;
    Ok(Subfield::new(field, ofs, n_bits))
}

fn load(u: &mut Unstructured<'_>) -> Result<Action> {
    let dst = bits(u, 64)?;
    let value = u.arbitrary::<u64>()? & (u64::MAX >> (64 - u32::from(dst.n_bits)));
    Ok(Action::Load { dst, value })
}

pub(super) fn arbitrary_actions(u: &mut Unstructured<'_>, m: &Match) -> Result<ActionList> {
    let mut list = ActionList::new();
    if u.ratio(1, 20)? {
        // A conjunction stands alone.
        let n_clauses = u.int_in_range(2..=64)?;
        let clause = u.int_in_range(0..=n_clauses - 1)?;
        let id = u.arbitrary()?;
        list.push(Action::Conjunction {
            clause,
            n_clauses,
            id,
        });
        return Ok(list);
    }
    let count = u.int_in_range(0..=5)?;
    for _ in 0..count {
        list.push(one(u, m, 0)?);
    }
    if u.ratio(1, 10)? {
        list.push(Action::WriteMetadata {
            value: u.arbitrary()?,
            mask: u.arbitrary()?,
        });
    }
    Ok(list)
}

/// An action that leaves the kind of packet as it is.
fn one(u: &mut Unstructured<'_>, m: &Match, depth: u8) -> Result<Action> {
    let eth_type = m.exact(FieldId::ETH_TYPE).unwrap_or(0);
    let ip = matches!(eth_type, 0x0800 | 0x86dd);
    let proto = m.exact(FieldId::NW_PROTO).unwrap_or(0);
    Ok(match u.int_in_range(0..=29u8)? {
        0 | 1 => Action::output(port(u)?),
        2 => Action::Output {
            port: Port::CONTROLLER,
            max_len: u.arbitrary()?,
        },
        3 => Action::SetDlSrc(u.arbitrary()?),
        4 => Action::SetDlDst(u.arbitrary()?),
        5 if eth_type == 0x0800 => Action::SetNwSrc(Ipv4Addr::from_bits(u.arbitrary()?)),
        6 if eth_type == 0x0800 => Action::SetNwDst(Ipv4Addr::from_bits(u.arbitrary()?)),
        7 if ip => Action::SetNwTos(u.arbitrary::<u8>()? & 0xfc),
        8 if proto == 6 || proto == 17 => Action::SetTpSrc(u.arbitrary()?),
        9 if proto == 6 || proto == 17 => Action::SetTpDst(u.arbitrary()?),
        10 => Action::Enqueue {
            port: Port(u.int_in_range(1..=0xfeff)?),
            queue: u.arbitrary()?,
        },
        11 => Action::ResubmitTable {
            port: Port::IN_PORT,
            table: u.int_in_range(0..=253)?,
            with_ct: false,
        },
        // `Action::Resubmit` says the same, and is read back as this.
        12 => Action::ResubmitTable {
            port: Port(u.int_in_range(1..=0xfeff)?),
            table: 255,
            with_ct: false,
        },
        13 => Action::SetTunnel(u.arbitrary()?),
        14 => Action::SetTunnel64(u.arbitrary()?),
        15 => Action::SetQueue(u.arbitrary()?),
        16 => Action::PopQueue,
        17 => {
            let src = bits(u, 64)?;
            Action::Move {
                src,
                dst: exactly(u, src.n_bits)?,
            }
        }
        18 => load(u)?,
        19 => note(u)?,
        20 => multipath(u)?,
        21 => bundle(u)?,
        22 => Action::OutputReg {
            src: bits(u, 16)?,
            // Text does not show it.
            max_len: u16::MAX,
        },
        23 => learn(u)?,
        24 if ip => Action::DecTtl,
        25 => controller(u)?,
        26 => sample(u)?,
        27 if ip => ct(u, m, eth_type, proto)?,
        28 if depth < 3 => {
            let mut list = ActionList::new();
            for _ in 0..u.int_in_range(1..=3)? {
                list.push(one(u, m, depth + 1)?);
            }
            Action::Clone(Box::new(list))
        }
        29 => small(u)?,
        _ => load(u)?,
    })
}

fn small(u: &mut Unstructured<'_>) -> Result<Action> {
    Ok(match u.int_in_range(0..=5u8)? {
        0 => Action::Exit,
        1 => Action::CtClear,
        2 => Action::OutputTrunc {
            port: Port(u.int_in_range(1..=0xfeff)?),
            max_len: u.int_in_range(14..=u32::MAX)?,
        },
        3 => Action::StackPush(bits(u, 64)?),
        4 => Action::StackPop(bits(u, 64)?),
        _ => Action::CheckPktLarger {
            len: u.arbitrary()?,
            dst: Subfield::new(FieldId::REG3, u.int_in_range(0..=31)?, 1),
        },
    })
}

fn note(u: &mut Unstructured<'_>) -> Result<Action> {
    let mut bytes = vec![0; 6 + 8 * usize::from(u.int_in_range(0..=3u8)?)];
    u.fill_buffer(&mut bytes)?;
    Ok(Action::Note(bytes.into()))
}

fn hash_fields(u: &mut Unstructured<'_>) -> Result<HashFields> {
    Ok(HashFields(u.int_in_range(0..=5)?))
}

fn multipath(u: &mut Unstructured<'_>) -> Result<Action> {
    let dst = Subfield::new(FieldId::REG9, 0, u.int_in_range(1..=16)?);
    let most = u32::MAX >> (32 - u32::from(dst.n_bits));
    Ok(Action::Multipath(Box::new(Multipath {
        fields: hash_fields(u)?,
        basis: u.arbitrary()?,
        algorithm: MultipathAlgorithm(u.int_in_range(0..=3)?),
        max_link: u16::try_from(u.int_in_range(0..=most)?).unwrap_or(0),
        arg: u.arbitrary::<u32>()? >> 1,
        dst,
    })))
}

fn bundle(u: &mut Unstructured<'_>) -> Result<Action> {
    let mut members = Vec::new();
    for _ in 0..u.int_in_range(0..=5u8)? {
        members.push(Port(u.int_in_range(1..=0xfeff)?));
    }
    let load = u.arbitrary()?;
    Ok(Action::Bundle(Box::new(Bundle {
        algorithm: BundleAlgorithm(u.int_in_range(0..=1)?),
        fields: hash_fields(u)?,
        basis: u.arbitrary()?,
        members,
        dst: if load {
            Some(Subfield::new(FieldId::REG3, 8, 16))
        } else {
            None
        },
    })))
}

fn learn(u: &mut Unstructured<'_>) -> Result<Action> {
    let mut specs = Vec::new();
    for _ in 0..u.int_in_range(0..=3u8)? {
        specs.push(learn_spec(u)?);
    }
    let limited = u.ratio(1, 3)?;
    let flags = u.int_in_range(0..=3)?;
    let result = limited.then(|| Subfield::new(FieldId::REG0, 5, 1));
    Ok(Action::Learn(Box::new(Learn {
        idle_timeout: u.arbitrary()?,
        hard_timeout: u.arbitrary()?,
        priority: u.arbitrary()?,
        cookie: u.arbitrary()?,
        flags: flags
            | if limited {
                learn_flags::WRITE_RESULT
            } else {
                0
            },
        table: u.int_in_range(0..=253)?,
        fin_idle_timeout: u.arbitrary()?,
        fin_hard_timeout: u.arbitrary()?,
        limit: if limited {
            u.int_in_range(0..=i32::MAX.unsigned_abs())?
        } else {
            0
        },
        result,
        specs,
    })))
}

fn learn_spec(u: &mut Unstructured<'_>) -> Result<LearnSpec> {
    let dst = bits(u, 32)?;
    let n_bits = dst.n_bits;
    let immediate = u.arbitrary()?;
    let src = if immediate {
        let value = u.arbitrary::<u64>()? & (u64::MAX >> (64 - u32::from(n_bits)));
        let bytes = usize::from(n_bits).div_ceil(8);
        LearnSrc::Imm(value.to_be_bytes().get(8 - bytes..).unwrap_or(&[]).into())
    } else {
        LearnSrc::Field(exactly(u, n_bits)?)
    };
    Ok(match u.int_in_range(0..=2u8)? {
        0 => LearnSpec {
            n_bits,
            src,
            dst: LearnDst::Match(dst),
        },
        1 => LearnSpec {
            n_bits,
            src,
            dst: LearnDst::Load(dst),
        },
        _ => {
            let src = bits(u, 16)?;
            LearnSpec {
                n_bits: src.n_bits,
                src: LearnSrc::Field(src),
                dst: LearnDst::Output,
            }
        }
    })
}

fn controller(u: &mut Unstructured<'_>) -> Result<Action> {
    let mut userdata = vec![0; usize::from(u.int_in_range(0..=9u8)?)];
    u.fill_buffer(&mut userdata)?;
    Ok(Action::Controller(Box::new(Controller {
        max_len: u.arbitrary()?,
        controller_id: u.arbitrary()?,
        reason: PacketInReason(u.int_in_range(0..=2)?),
        userdata: userdata.into(),
        pause: u.arbitrary()?,
        meter: None,
    })))
}

fn sample(u: &mut Unstructured<'_>) -> Result<Action> {
    let with_port = u.arbitrary()?;
    Ok(Action::Sample(Box::new(Sample {
        probability: u.int_in_range(1..=u16::MAX)?,
        collector_set_id: u.arbitrary()?,
        obs_domain_id: SampleId::Imm(u.arbitrary()?),
        obs_point_id: SampleId::Imm(u.arbitrary()?),
        sampling_port: if with_port {
            Port(u.int_in_range(1..=0xfeff)?)
        } else {
            Port::NONE
        },
        direction: SampleDirection(u.int_in_range(0..=2)?),
    })))
}

fn ct(u: &mut Unstructured<'_>, m: &Match, eth_type: u128, proto: u128) -> Result<Action> {
    /// Invalid packets have no connection to commit.
    const INVALID: u128 = 0x10;
    let invalid = matches!(m.get(FieldId::CT_STATE), Some((value, _)) if value & INVALID != 0);
    let commit = !invalid && u.arbitrary()?;
    let force = commit && u.ratio(1, 3)?;
    let mut actions = ActionList::new();
    if u.ratio(1, 2)? {
        // A translation is chosen when the connection is committed, and only looked up else.
        let nat = if commit {
            nat(u, eth_type)?
        } else {
            Nat::default()
        };
        actions.push(Action::Nat(Box::new(nat)));
    }
    if commit && u.arbitrary()? {
        let dst = Subfield::all(FieldId::CT_MARK);
        let value = u64::from(u.arbitrary::<u32>()?);
        actions.push(Action::Load { dst, value });
    }
    if commit && u.arbitrary()? {
        let dst = Subfield::new(FieldId::CT_LABEL, u.int_in_range(0..=64)?, 64);
        actions.push(Action::Load {
            dst,
            value: u.arbitrary()?,
        });
    }
    let helper = match proto {
        6 => CtAlg::FTP,
        17 => CtAlg::TFTP,
        _ => CtAlg::NONE,
    };
    let from_field = u.ratio(1, 3)?;
    let table = u.int_in_range(0..=253)?;
    Ok(Action::Ct(Box::new(Ct {
        flags: if commit { ct_flags::COMMIT } else { 0 } | if force { ct_flags::FORCE } else { 0 },
        zone: if from_field {
            CtZone::Field(exactly(u, 16)?)
        } else {
            CtZone::Imm(u.arbitrary()?)
        },
        table: if u.arbitrary()? { Some(table) } else { None },
        alg: if commit && u.arbitrary()? {
            helper
        } else {
            CtAlg::NONE
        },
        actions,
    })))
}

fn nat(u: &mut Unstructured<'_>, eth_type: u128) -> Result<Nat> {
    let side = *u.choose(&[0, nat_flags::SRC, nat_flags::DST])?;
    if side == 0 || u.ratio(1, 4)? {
        return Ok(Nat {
            flags: side,
            range: None,
            ports: None,
        });
    }
    let how = *u.choose(&[
        0,
        nat_flags::PERSISTENT,
        nat_flags::PROTO_HASH,
        nat_flags::PROTO_RANDOM,
    ])?;
    let first = u.int_in_range(1..=u32::MAX - 1)?;
    let last = u.int_in_range(first + 1..=u32::MAX)?;
    let ranged = u.arbitrary::<bool>()?;
    let range = if eth_type == 0x0800 {
        NatRange::V4(
            Ipv4Addr::from_bits(first),
            ranged.then(|| Ipv4Addr::from_bits(last)),
        )
    } else {
        let wide = |low: u32| Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(low));
        NatRange::V6(wide(first), ranged.then(|| wide(last)))
    };
    let low = u.int_in_range(1..=0xfffe)?;
    let high = u.int_in_range(low + 1..=0xffff)?;
    let ports = match u.int_in_range(0..=2u8)? {
        0 => None,
        1 => Some((low, None)),
        _ => Some((low, Some(high))),
    };
    Ok(Nat {
        flags: side | how,
        range: Some(range),
        ports,
    })
}
