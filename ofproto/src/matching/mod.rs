//! Matches: which packets a flow applies to.
//!
//! A [`Match`] is a set of `(field, value, mask)` in one normal form, whatever spelling it came
//! in: `xreg0` becomes `reg0` and `reg1`, `vlan_vid` and `vlan_pcp` become bits of `vlan_tci`,
//! `ip_dscp` becomes `nw_tos`, and value bits outside the mask are cleared. Two matches are equal
//! exactly when a switch treats them as the same flow key, so a dumped flow compares equal to the
//! flow that was sent.
//!
//! Values are right-aligned integers in a `u128`, wide enough for all fields but tunnel metadata,
//! which is kept apart ([`TunMetadata`]).
//!
//! ```
//! use ofproto::matching::{FieldId, Form, Match};
//! use ofproto::codec::Writer;
//!
//! let m = Match::new()
//!     .with(FieldId::IN_PORT, 5u16)
//!     .with(FieldId::ETH_TYPE, 0x0800u16)
//!     .with_masked(FieldId::IP_DST, 0x0a000000u32, 0xff000000u32);
//! let mut buf = Vec::new();
//! m.encode_fields(&mut Writer::new(&mut buf), Form::Nxm);
//! assert_eq!(
//!     buf,
//!     [0, 0, 0, 2, 0, 5, 0, 0, 6, 2, 8, 0, 0, 0, 0x11, 8, 10, 0, 0, 0, 0xff, 0, 0, 0]
//! );
//! ```
//!
//! `nxm.rs` holds the NXM/OXM encoding, `fixed.rs` the 40-byte match of OpenFlow 1.0,
//! `prereq.rs` the rules which field needs which.

mod field;
mod fixed;
mod nxm;
mod prereq;
mod registry;
mod value;

use core::fmt;

use smallvec::SmallVec;

pub use field::{
    Access, FieldId, FieldInfo, Form, Format, Header, HeaderClass, HeaderSpec, MaskRule, Prereq,
};
pub use fixed::{FixedMatch, wildcards};
pub use nxm::{MatchOptions, decode_header, encode_field_header};
pub use value::FieldValue;

use crate::error::OfpError;

/// VLAN TCI bits.
pub(crate) mod tci {
    pub(crate) const VID: u128 = 0x0fff;
    pub(crate) const CFI: u128 = 0x1000;
    pub(crate) const PCP: u128 = 0xe000;
}

/// One criterion: the packet's field under `mask` equals `value`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MatchField {
    /// The field, always one that matches store (never an alias).
    pub field: FieldId,
    /// Right-aligned value; zero outside `mask`.
    pub value: u128,
    /// Right-aligned mask; all ones over the field's bytes for an exact match.
    pub mask: u128,
}

impl MatchField {
    /// Whether every bit of the field is compared.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.mask == self.field.info().full_mask()
    }
}

impl fmt::Debug for MatchField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={:#x}", self.field, self.value)?;
        if self.is_exact() {
            Ok(())
        } else {
            write!(f, "/{:#x}", self.mask)
        }
    }
}

/// A criterion on a Geneve option mapped to `tun_metadata<index>`.
///
/// `value` and `mask` have the option's length, 124 bytes at most. A mask of zeros is meaningful:
/// the option must be present, with any value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TunMetadata {
    /// 0 to 63.
    pub index: u8,
    /// The bytes to compare; zero outside the mask.
    pub value: Box<[u8]>,
    /// Which bits to compare.
    pub mask: Box<[u8]>,
}

impl TunMetadata {
    /// Whether every bit is compared.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.mask.iter().all(|b| *b == 0xff)
    }
}

/// A value that a field cannot take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MatchError {
    /// The error a switch would answer with.
    pub code: OfpError,
    /// The field at fault.
    pub field: FieldId,
}

impl fmt::Display for MatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for field {}", self.code, self.field)
    }
}

impl core::error::Error for MatchError {}

/// A set of criteria, in normal form and registry order. See the [module](self).
#[derive(Clone, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Match {
    fields: SmallVec<[MatchField; 8]>,
    tun_metadata: Vec<TunMetadata>,
}

impl fmt::Debug for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(&self.fields)
            .entries(&self.tun_metadata)
            .finish()
    }
}

impl Match {
    /// The match that accepts every packet.
    #[must_use]
    pub fn new() -> Self {
        Match::default()
    }

    /// Whether every packet is accepted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.tun_metadata.is_empty()
    }

    /// The stored criteria, without tunnel metadata, in registry order.
    #[inline]
    pub fn iter(&self) -> core::slice::Iter<'_, MatchField> {
        self.fields.iter()
    }

    /// The criteria on tunnel metadata, by index.
    #[must_use]
    pub fn tun_metadata(&self) -> &[TunMetadata] {
        &self.tun_metadata
    }

    /// Value and mask of a stored field; `None` when it is not compared. For aliases see
    /// [`Match::alias`].
    #[must_use]
    #[inline]
    pub fn get(&self, field: FieldId) -> Option<(u128, u128)> {
        self.fields
            .iter()
            .find(|f| f.field == field)
            .map(|f| (f.value, f.mask))
    }

    /// The value of a stored field that is compared in full.
    #[must_use]
    pub fn exact(&self, field: FieldId) -> Option<u128> {
        self.fields
            .iter()
            .find(|f| f.field == field && f.is_exact())
            .map(|f| f.value)
    }

    /// The value of a stored field, 0 when it is not compared.
    #[must_use]
    pub(crate) fn value_or_zero(&self, field: FieldId) -> u128 {
        self.get(field).map_or(0, |(v, _)| v)
    }

    /// Value and mask of `field` where it may be an alias such as `XREG0` or `VLAN_VID`.
    #[must_use]
    pub fn alias(&self, field: FieldId) -> Option<(u128, u128)> {
        if let Some((first, n)) = field.wide_reg() {
            let (mut value, mut mask) = (0, 0);
            for i in first..first.saturating_add(n) {
                let (v, m) = FieldId::reg(i).and_then(|f| self.get(f)).unwrap_or((0, 0));
                value = value << 32 | v;
                mask = mask << 32 | m;
            }
            return (mask != 0).then_some((value, mask));
        }
        let part = |keep: u128, shift: u32| {
            let (v, m) = self.get(FieldId::VLAN_TCI)?;
            (m & keep != 0).then_some(((v & keep) >> shift, (m & keep) >> shift))
        };
        match field {
            FieldId::VLAN_VID => part(tci::VID | tci::CFI, 0),
            FieldId::DL_VLAN => part(tci::VID, 0),
            FieldId::VLAN_PCP | FieldId::DL_VLAN_PCP => part(tci::PCP, 13),
            FieldId::IP_DSCP => self.get(FieldId::NW_TOS).map(|(v, _)| (v >> 2, 0xff)),
            FieldId::IN_PORT_OXM => self.get(FieldId::IN_PORT).map(|(v, _)| {
                let low = u16::try_from(v).unwrap_or(u16::MAX);
                (u128::from(crate::ports::Port(low).to_of11()), 0xffff_ffff)
            }),
            _ => self.get(field),
        }
    }

    /// Stops comparing a stored field. Returns what was compared.
    pub fn remove(&mut self, field: FieldId) -> Option<(u128, u128)> {
        if let Some(index) = field.tun_metadata_index() {
            self.tun_metadata.retain(|t| t.index != index);
            return None;
        }
        let at = self.fields.iter().position(|f| f.field == field)?;
        let old = self.fields.remove(at);
        Some((old.value, old.mask))
    }

    /// Puts a stored field in its place. A zero mask removes it.
    #[inline]
    pub(crate) fn put(&mut self, field: FieldId, value: u128, mask: u128) {
        let entry = MatchField {
            field,
            value: value & mask,
            mask,
        };
        match self.fields.last() {
            Some(last) if last.field >= field => {}
            _ => {
                if mask != 0 {
                    self.fields.push(entry);
                }
                return;
            }
        }
        match self.fields.binary_search_by(|f| f.field.cmp(&field)) {
            Ok(at) if mask == 0 => {
                self.fields.remove(at);
            }
            Ok(at) => {
                if let Some(slot) = self.fields.get_mut(at) {
                    *slot = entry;
                }
            }
            Err(_) if mask == 0 => {}
            Err(at) => self.fields.insert(at, entry),
        }
    }

    fn merge_tci(&mut self, value: u128, mask: u128, keep: u128) {
        let (v, m) = self.get(FieldId::VLAN_TCI).unwrap_or((0, 0));
        self.put(FieldId::VLAN_TCI, v & keep | value, m & keep | mask);
    }

    /// Compares `field` under `mask` with `value`, translating aliases and replacing what was
    /// there. A zero mask stops comparing; of a field that only Ethernet packets have it leaves,
    /// as in Open vSwitch, the criterion that the packet is one.
    ///
    /// In five fields (`tun_erspan_ver`, `_dir`, `_hwid`, `tun_gtpu_flags`, `_msgtype`) Open
    /// vSwitch compares only the bits that are one in the value, whatever the mask; the match says
    /// what the switch does.
    ///
    /// Prerequisites are not checked here (see [`Match::prereqs_met`]).
    ///
    /// # Errors
    /// `OFPBMC_BAD_MASK` for a partial mask on a field that has none, `OFPBMC_BAD_VALUE` for a
    /// value out of range, `OFPBMC_BAD_FIELD` for fields that cannot be matched and for tunnel
    /// metadata (see [`Match::set_tun_metadata`]).
    #[inline]
    pub fn set(&mut self, field: FieldId, value: u128, mask: u128) -> Result<(), MatchError> {
        let info = field.info();
        let full = info.full_mask();
        let mask = mask & full;
        if info.mask == MaskRule::No && mask != 0 && mask != full {
            return Err(MatchError {
                code: OfpError::OFPBMC_BAD_MASK,
                field,
            });
        }
        if value & !full != 0 || !field.value_in_range(value) {
            return Err(MatchError {
                code: OfpError::OFPBMC_BAD_VALUE,
                field,
            });
        }
        if field.tun_metadata_index().is_some() {
            return Err(MatchError {
                code: OfpError::OFPBMC_BAD_FIELD,
                field,
            });
        }
        if field <= FieldId::COOKIE {
            let mask = field.stored_mask(value, mask);
            self.put(field, value, mask);
        } else {
            self.set_alias(field, value, mask)?;
        }
        self.settle_packet_type(field, mask);
        Ok(())
    }

    /// Keeps "is an Ethernet packet" exactly when no other criterion implies it.
    #[inline]
    fn settle_packet_type(&mut self, field: FieldId, mask: u128) {
        let needs_ethernet = field.info().prereq != Prereq::None;
        if needs_ethernet && mask != 0 {
            if self
                .fields
                .first()
                .is_some_and(|f| f.field == FieldId::PACKET_TYPE && f.value == 0)
            {
                self.fields.remove(0);
            }
        } else if needs_ethernet {
            if !self.implies_ethernet() && self.get(FieldId::PACKET_TYPE).is_none() {
                self.put(FieldId::PACKET_TYPE, 0, 0xffff_ffff);
            }
        } else if field == FieldId::PACKET_TYPE
            && self.value_or_zero(FieldId::PACKET_TYPE) == 0
            && self.implies_ethernet()
        {
            self.put(FieldId::PACKET_TYPE, 0, 0);
        }
    }

    /// Whether some criterion only makes sense on Ethernet packets.
    pub(crate) fn implies_ethernet(&self) -> bool {
        self.fields
            .iter()
            .any(|f| f.field.info().prereq != Prereq::None)
    }

    fn set_alias(&mut self, field: FieldId, value: u128, mask: u128) -> Result<(), MatchError> {
        if let Some((first, n)) = field.wide_reg() {
            for (i, reg) in (first..first.saturating_add(n)).rev().enumerate() {
                if let Some(reg) = FieldId::reg(reg) {
                    let part = |v: u128| v.checked_shr(32 * small(i)).unwrap_or(0) & 0xffff_ffff;
                    self.put(reg, part(value), part(mask));
                }
            }
            return Ok(());
        }
        let vid_cfi = tci::VID | tci::CFI;
        match field {
            FieldId::VLAN_VID => self.merge_tci(value & mask & vid_cfi, mask & vid_cfi, tci::PCP),
            FieldId::VLAN_PCP | FieldId::DL_VLAN_PCP if mask == 0 => {
                self.merge_tci(0, 0, vid_cfi);
            }
            FieldId::VLAN_PCP | FieldId::DL_VLAN_PCP => {
                self.merge_tci(value << 13 | tci::CFI, tci::PCP | tci::CFI, vid_cfi);
            }
            FieldId::DL_VLAN if mask == 0 => self.merge_tci(0, 0, tci::PCP),
            FieldId::DL_VLAN => self.merge_tci(value & tci::VID | tci::CFI, vid_cfi, tci::PCP),
            FieldId::IP_DSCP => {
                self.put(
                    FieldId::NW_TOS,
                    value << 2,
                    if mask == 0 { 0 } else { 0xff },
                );
            }
            FieldId::IN_PORT_OXM => {
                let port = u32::try_from(value)
                    .ok()
                    .and_then(|v| crate::ports::Port::from_of11(v).ok());
                let port = port.ok_or(MatchError {
                    code: OfpError::OFPBMC_BAD_VALUE,
                    field,
                })?;
                self.put(
                    FieldId::IN_PORT,
                    u128::from(port.0),
                    if mask == 0 { 0 } else { 0xffff },
                );
            }
            _ => {
                return Err(MatchError {
                    code: OfpError::OFPBMC_BAD_FIELD,
                    field,
                });
            }
        }
        Ok(())
    }

    /// Requires that the packet has no VLAN tag (OpenFlow 1.0's `dl_vlan=0xffff`).
    pub fn set_no_vlan(&mut self) {
        let set = self.set(FieldId::VLAN_TCI, 0, 0xffff);
        debug_assert!(set.is_ok());
    }

    /// Compares a Geneve option. `value` and `mask` have the same length, 1 to 124 bytes.
    ///
    /// # Errors
    /// `OFPBMC_BAD_FIELD` for other fields, `OFPBMC_BAD_VALUE` for impossible lengths.
    pub fn set_tun_metadata(
        &mut self,
        field: FieldId,
        value: &[u8],
        mask: &[u8],
    ) -> Result<(), MatchError> {
        let index = field.tun_metadata_index().ok_or(MatchError {
            code: OfpError::OFPBMC_BAD_FIELD,
            field,
        })?;
        if value.len() != mask.len() || value.len() > 124 {
            return Err(MatchError {
                code: OfpError::OFPBMC_BAD_VALUE,
                field,
            });
        }
        let entry = TunMetadata {
            index,
            value: value.iter().zip(mask).map(|(v, m)| v & m).collect(),
            mask: mask.into(),
        };
        match self.tun_metadata.binary_search_by(|t| t.index.cmp(&index)) {
            Ok(at) => {
                if let Some(slot) = self.tun_metadata.get_mut(at) {
                    *slot = entry;
                }
            }
            Err(at) => self.tun_metadata.insert(at, entry),
        }
        Ok(())
    }

    /// The same match, comparing also all of `field` with `value`. A value that the field cannot
    /// take leaves the match as it was; use [`Match::set`] to learn of it.
    #[must_use]
    pub fn with(mut self, field: FieldId, value: impl FieldValue) -> Self {
        let r = self.set(field, value.to_field(), u128::MAX);
        debug_assert!(r.is_ok(), "{r:?}");
        self
    }

    /// The same match, comparing also `field` under `mask` with `value`. As [`Match::with`].
    #[must_use]
    pub fn with_masked<V: FieldValue>(mut self, field: FieldId, value: V, mask: V) -> Self {
        let r = self.set(field, value.to_field() & mask.to_field(), mask.to_field());
        debug_assert!(r.is_ok(), "{r:?}");
        self
    }
}

impl<'a> IntoIterator for &'a Match {
    type Item = &'a MatchField;
    type IntoIter = core::slice::Iter<'a, MatchField>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

fn small(i: usize) -> u32 {
    u32::try_from(i).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_meet_in_one_normal_form() {
        let a = Match::new().with(FieldId::XREG0, 0x1_0000_0002u64);
        let b = Match::new()
            .with(FieldId::REG1, 2u32)
            .with(FieldId::REG0, 1u32);
        assert_eq!(a, b);
        assert_eq!(
            b.alias(FieldId::XREG0),
            Some((0x1_0000_0002, u128::from(u64::MAX)))
        );
        let vid = Match::new().with(FieldId::DL_VLAN, 9u16);
        assert_eq!(vid.get(FieldId::VLAN_TCI), Some((0x1009, 0x1fff)));
        let both = vid.with(FieldId::VLAN_PCP, 3u8);
        assert_eq!(both.get(FieldId::VLAN_TCI), Some((0x7009, 0xffff)));
    }

    #[test]
    fn zero_mask_removes_and_order_does_not_matter() {
        let mut m = Match::new()
            .with(FieldId::REG3, 7u32)
            .with(FieldId::IN_PORT, 1u16);
        m.set(FieldId::REG3, 0, 0).unwrap();
        assert_eq!(m, Match::new().with(FieldId::IN_PORT, 1u16));
        assert_eq!(m.remove(FieldId::IN_PORT), Some((1, 0xffff)));
        assert!(m.is_empty());
    }

    #[test]
    fn bad_values_are_refused() {
        let mut m = Match::new();
        let code = |r: Result<(), MatchError>| r.unwrap_err().code;
        assert_eq!(
            code(m.set(FieldId::NW_TOS, 3, 0xff)),
            OfpError::OFPBMC_BAD_VALUE
        );
        assert_eq!(
            code(m.set(FieldId::ETH_TYPE, 8, 0xf)),
            OfpError::OFPBMC_BAD_MASK
        );
        assert_eq!(
            code(m.set(FieldId::TUN_TTL, 8, 0xff)),
            OfpError::OFPBMC_BAD_FIELD
        );
    }
}
