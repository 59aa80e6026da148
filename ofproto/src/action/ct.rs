//! Connection tracking: `ct` with its nested actions, and `nat`.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::encode::vendor_action;
use super::subfield::Use;
use super::{Action, ActionList, Subfield};
use crate::codec::{Reader, Writer};
use crate::error::{DecodeError, EncodeError, OfpError};
use crate::header::open_numbers;

/// Bits of [`Ct::flags`].
pub mod ct_flags {
    /// Make the connection permanent.
    pub const COMMIT: u16 = 1;
    /// Replace an entry that goes the other way; needs `COMMIT`.
    pub const FORCE: u16 = 2;
}

/// Bits of [`Nat::flags`].
pub mod nat_flags {
    /// Translate the source.
    pub const SRC: u16 = 1;
    /// Translate the destination.
    pub const DST: u16 = 2;
    /// Keep mappings across reboots.
    pub const PERSISTENT: u16 = 4;
    /// Choose ports by hash.
    pub const PROTO_HASH: u16 = 8;
    /// Choose ports at random.
    pub const PROTO_RANDOM: u16 = 16;
    /// All of them.
    pub const ALL: u16 = 31;
}

open_numbers! {
    /// A protocol helper, named by its well-known port.
    CtAlg: u16 {
        /// None.
        NONE = 0,
        /// FTP.
        FTP = 21,
        /// TFTP.
        TFTP = 69,
    }
}

/// The zone of a `ct`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CtZone {
    /// This number.
    Imm(u16),
    /// The number in these 16 bits.
    Field(Subfield),
}

/// `ct`: send the packet through connection tracking (`nx_action_conntrack`, 24 bytes and nested
/// actions).
///
/// ```text
///  10      12         16          18     19    22      24
/// +-------+----------+-----------+------+-----+-------+---- - -
/// | flags | zone_src | zone / ofs| table| pad |  alg  | actions
/// +-------+----------+-----------+------+-----+-------+---- - -
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ct {
    /// See [`ct_flags`].
    pub flags: u16,
    /// Zone.
    pub zone: CtZone,
    /// Table to go on in with a copy that carries the state, if any.
    pub table: Option<u8>,
    /// Protocol helper.
    pub alg: CtAlg,
    /// `nat`, and loads of `ct_mark` and `ct_label`.
    pub actions: ActionList,
}

impl Default for Ct {
    fn default() -> Self {
        Ct {
            flags: 0,
            zone: CtZone::Imm(0),
            table: None,
            alg: CtAlg::NONE,
            actions: ActionList::new(),
        }
    }
}

/// A range of addresses for `nat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NatRange {
    /// IPv4, the second bound only if given.
    V4(Ipv4Addr, Option<Ipv4Addr>),
    /// IPv6, the second bound only if given.
    V6(Ipv6Addr, Option<Ipv6Addr>),
}

/// `nat`: translate addresses of the connection (`nx_action_nat`, 16 bytes and ranges).
///
/// ```text
///  10   12      14       16
/// +----+-------+--------+---------------------------------------- - -
/// | 0  | flags | present| v4min v4max v6min v6max pmin pmax, as present
/// +----+-------+--------+---------------------------------------- - -
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Nat {
    /// See [`nat_flags`].
    pub flags: u16,
    /// Addresses to choose from.
    pub range: Option<NatRange>,
    /// Ports to choose from, the second bound only if given; needs `range`.
    pub ports: Option<(u16, Option<u16>)>,
}

const NO_TABLE: u8 = 255;

impl Ct {
    pub(super) fn encode(&self, w: &mut Writer<'_>, depth: u8) -> Result<(), EncodeError> {
        vendor_action(w, 35, |w| {
            w.u16(self.flags);
            match self.zone {
                CtZone::Imm(zone) => {
                    w.u32(0);
                    w.u16(zone);
                }
                CtZone::Field(f) => {
                    f.encode_header(w)?;
                    w.u16(f.ofs_nbits());
                }
            }
            w.u8(self.table.unwrap_or(NO_TABLE));
            w.zeros(3);
            w.u16(self.alg.0);
            self.actions.encode_nested(w, depth)
        })
    }

    pub(super) fn decode(r: &mut Reader<'_>, depth: u8) -> Result<Self, DecodeError> {
        let at = r.offset();
        let bad = |code, what| Err(DecodeError::new(code, what, at));
        if r.remaining() < 14 {
            return bad(OfpError::OFPBAC_BAD_LEN, "ct");
        }
        let flags = r.u16("ct flags")?;
        if flags & ct_flags::FORCE != 0 && flags & ct_flags::COMMIT == 0 {
            return bad(OfpError::OFPBAC_BAD_ARGUMENT, "ct force without commit");
        }
        let mut source = r.sub(4, "zone source")?;
        let zone = r.u16("zone")?;
        let zone = if source.peek() == [0; 4] {
            CtZone::Imm(zone)
        } else {
            let (ofs, n_bits) = Subfield::split(zone);
            let field = Subfield::decode_word(&mut source, ofs, n_bits)?;
            field.check(Use::Source, at)?;
            if n_bits != 16 {
                return bad(OfpError::OFPBAC_BAD_SET_LEN, "ct zone width");
            }
            CtZone::Field(field)
        };
        let table = Some(r.u8("table")?).filter(|t| *t != NO_TABLE);
        r.skip(3, "pad")?;
        let alg = CtAlg(r.u16("alg")?);
        let actions = ActionList::decode_nested(r, depth)?;
        actions
            .refuse_unknown()
            .map_err(|code| DecodeError::new(code, "action inside ct", at))?;
        for a in &actions {
            check_nested(a, flags & ct_flags::COMMIT != 0)
                .map_err(|code| DecodeError::new(code, "action inside ct", at))?;
        }
        Ok(Ct {
            flags,
            zone,
            table,
            alg,
            actions,
        })
    }
}

/// Which actions `ct` may carry, and with which of its flags.
pub(super) fn check_nested(action: &Action, commit: bool) -> Result<(), OfpError> {
    use crate::matching::FieldId;
    let field = match action {
        Action::Nat(nat) => {
            let plain = nat.flags == 0 && nat.range.is_none();
            return if commit || plain {
                Ok(())
            } else {
                Err(OfpError::OFPBAC_BAD_ARGUMENT)
            };
        }
        Action::Load { dst, .. } => dst.field,
        Action::SetField(f) => f.field,
        Action::Move { dst, .. } => dst.field,
        _ => return Err(OfpError::OFPBAC_BAD_ARGUMENT),
    };
    let allowed = matches!(field, FieldId::CT_MARK | FieldId::CT_LABEL);
    if allowed && commit {
        Ok(())
    } else {
        Err(OfpError::OFPBAC_BAD_ARGUMENT)
    }
}

impl Nat {
    pub(super) fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        let invalid = EncodeError::Invalid {
            code: OfpError::OFPBAC_BAD_ARGUMENT,
            what: "nat",
        };
        if self.ports.is_some() && self.range.is_none() {
            return Err(invalid);
        }
        vendor_action(w, 36, |w| {
            w.zeros(2);
            w.u16(self.flags);
            let present = match self.range {
                None => 0,
                Some(NatRange::V4(_, max)) => 1 | u16::from(max.is_some()) << 1,
                Some(NatRange::V6(_, max)) => 4 | u16::from(max.is_some()) << 3,
            };
            let ports = match self.ports {
                None => 0,
                Some((_, max)) => 16 | u16::from(max.is_some()) << 5,
            };
            w.u16(present | ports);
            match self.range {
                None => {}
                Some(NatRange::V4(min, max)) => {
                    w.bytes(&min.octets());
                    max.iter().for_each(|m| w.bytes(&m.octets()));
                }
                Some(NatRange::V6(min, max)) => {
                    w.bytes(&min.octets());
                    max.iter().for_each(|m| w.bytes(&m.octets()));
                }
            }
            if let Some((min, max)) = self.ports {
                w.u16(min);
                max.iter().for_each(|m| w.u16(*m));
            }
            Ok(())
        })
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = r.offset();
        let bad = || DecodeError::new(OfpError::OFPBAC_BAD_ARGUMENT, "nat", at);
        let mut r2 = r.short_as(OfpError::OFPBAC_BAD_ARGUMENT);
        r2.skip(2, "pad")?;
        let flags = r2.u16("nat flags")?;
        let both = |a: u16, b: u16| flags & a != 0 && flags & b != 0;
        if flags & !nat_flags::ALL != 0
            || both(nat_flags::SRC, nat_flags::DST)
            || both(nat_flags::PROTO_HASH, nat_flags::PROTO_RANDOM)
        {
            return Err(bad());
        }
        let present = r2.u16("nat ranges")?;
        let has = |bit: u16| present & bit != 0;
        let range = if has(1) {
            let min: [u8; 4] = r2.array("nat address")?;
            let max: Option<[u8; 4]> = if has(2) {
                Some(r2.array("nat address")?)
            } else {
                None
            };
            if has(4 | 8) || min == [0; 4] || max.is_some_and(|m| m < min) {
                return Err(bad());
            }
            Some(NatRange::V4(min.into(), max.map(Ipv4Addr::from)))
        } else if has(2) {
            return Err(bad());
        } else if has(4) {
            let min: [u8; 16] = r2.array("nat address")?;
            let max: Option<[u8; 16]> = if has(8) {
                Some(r2.array("nat address")?)
            } else {
                None
            };
            if min == [0; 16] || max.is_some_and(|m| m < min) {
                return Err(bad());
            }
            Some(NatRange::V6(min.into(), max.map(Ipv6Addr::from)))
        } else if has(8) {
            return Err(bad());
        } else {
            None
        };
        let ports = if has(16) {
            let min = r2.u16("nat port")?;
            let max = if has(32) {
                Some(r2.u16("nat port")?)
            } else {
                None
            };
            if range.is_none() || min == 0 || max.is_some_and(|m| m < min) {
                return Err(bad());
            }
            Some((min, max))
        } else if has(32) {
            return Err(bad());
        } else {
            None
        };
        r.rest();
        Ok(Nat {
            flags,
            range,
            ports,
        })
    }
}
