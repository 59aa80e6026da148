//! The NXM and OXM encoding of matches (`nicira-ext.h`, OF1.2 §A.2.3).
//!
//! A match is a plain concatenation of entries, each a [`Header`] and its payload:
//!
//! ```text
//! +--------+---------------+---------------------------+--- - -
//! | header | value (n B)   | mask (n B, if header.M)   | next entry
//! +--------+---------------+---------------------------+--- - -
//! ```
//!
//! Padding to 8 bytes is the business of the message around it.

use super::prereq::Facts;
use super::{FieldId, Form, Header, Match, tci};
use crate::codec::{Reader, Writer};
use crate::error::{DecodeError, OfpError};
use crate::header::Version;
use crate::ports::Port;

/// How to read a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct MatchOptions {
    /// Skip unknown fields and do not ask for prerequisites, as for packet metadata.
    pub lenient: bool,
    /// Accept the cookie pseudo-field; it is stored as [`FieldId::COOKIE`].
    pub allow_cookie: bool,
}

/// Reads one 4- or 8-byte header.
///
/// # Errors
/// `OFPBMC_BAD_LEN` when it is cut short or its length cannot be.
#[inline]
pub fn decode_header(r: &mut Reader<'_>) -> Result<Header, DecodeError> {
    let start = r.offset();
    let bad_len = |what| DecodeError::new(OfpError::OFPBMC_BAD_LEN, what, start);
    let [c0, c1, fm, length] = r.array("NXM header").map_err(|_| bad_len("NXM header"))?;
    let class = u16::from_be_bytes([c0, c1]);
    let mut header = Header {
        class,
        number: fm >> 1,
        masked: fm & 1 != 0,
        length,
        experimenter: 0,
    };
    if class == 0xffff {
        header.experimenter = r
            .u32("experimenter id")
            .map_err(|_| bad_len("NXM experimenter id"))?;
        if length < 4 {
            return Err(bad_len("NXM experimenter length"));
        }
    }
    Ok(header)
}

/// Writes the header of `field` for a value of `bytes` bytes, as actions refer to fields.
/// Returns false, and writes nothing, when the field has no wire name.
pub fn encode_field_header(w: &mut Writer<'_>, field: FieldId, bytes: u8, form: Form) -> bool {
    put_header(w, field, bytes, false, form)
}

#[inline]
fn put_header(w: &mut Writer<'_>, field: FieldId, bytes: u8, masked: bool, form: Form) -> bool {
    let Some(spec) = field.header(form) else {
        return false;
    };
    let (class, experimenter) = spec.class.code();
    let payload = if masked {
        bytes.saturating_mul(2)
    } else {
        bytes
    };
    let length = if experimenter.is_some() {
        payload.saturating_add(4)
    } else {
        payload
    };
    let [c0, c1] = class.to_be_bytes();
    w.bytes(&[c0, c1, spec.number << 1 | u8::from(masked), length]);
    if let Some(id) = experimenter {
        w.u32(id);
    }
    true
}

#[inline]
fn put_value(w: &mut Writer<'_>, bytes: u8, value: u128) {
    let all = value.to_be_bytes();
    let [.., a, b] = all;
    match bytes {
        1 => w.u8(b),
        2 => w.bytes(&[a, b]),
        4 => w.bytes(all.last_chunk::<4>().unwrap_or(&[0; 4])),
        6 => w.bytes(all.last_chunk::<6>().unwrap_or(&[0; 6])),
        8 => w.bytes(all.last_chunk::<8>().unwrap_or(&[0; 8])),
        _ => w.bytes(&all),
    }
}

#[inline]
fn put_entry(w: &mut Writer<'_>, field: FieldId, value: u128, mask: u128, form: Form) {
    let info = field.info();
    let masked = mask != info.full_mask();
    if put_header(w, field, info.bytes, masked, form) {
        put_value(w, info.bytes, value);
        if masked {
            put_value(w, info.bytes, mask);
        }
    }
}

/// Reads a right-aligned integer of a field's width.
#[inline]
fn integer(bytes: &[u8]) -> u128 {
    match *bytes {
        [a] => a.into(),
        [a, b] => u16::from_be_bytes([a, b]).into(),
        [a, b, c, d] => u32::from_be_bytes([a, b, c, d]).into(),
        [a, b, c, d, e, f] => u64::from_be_bytes([0, 0, a, b, c, d, e, f]).into(),
        [a, b, c, d, e, f, g, h] => u64::from_be_bytes([a, b, c, d, e, f, g, h]).into(),
        _ => bytes
            .iter()
            .take(16)
            .fold(0, |v, b| v << 8 | u128::from(*b)),
    }
}

impl Match {
    /// Appends the entries of this match, without outer header or padding.
    pub fn encode_fields(&self, w: &mut Writer<'_>, form: Form) {
        if form == Form::Nxm {
            self.encode_nxm(w);
        } else {
            self.encode_oxm(w, form);
        }
    }

    fn encode_nxm(&self, w: &mut Writer<'_>) {
        let mut tun_done = self.tun_metadata.is_empty();
        for f in self.iter() {
            if !tun_done && f.field > FieldId::TUN_METADATA0 {
                self.encode_tun_metadata(w, Form::Nxm);
                tun_done = true;
            }
            put_entry(w, f.field, f.value, f.mask, Form::Nxm);
        }
        if !tun_done {
            self.encode_tun_metadata(w, Form::Nxm);
        }
    }

    fn encode_oxm(&self, w: &mut Writer<'_>, form: Form) {
        let wide_regs = matches!(form, Form::Oxm(v) if v >= Version::OF15);
        let mut tun_done = self.tun_metadata.is_empty();
        let mut regs_done = 0;
        for f in self.iter() {
            if !tun_done && f.field > FieldId::TUN_METADATA0 {
                self.encode_tun_metadata(w, form);
                tun_done = true;
            }
            match f.field {
                FieldId::IN_PORT => {
                    let port = Port(u16::try_from(f.value).unwrap_or(u16::MAX));
                    let value = u128::from(port.to_of11());
                    put_entry(w, FieldId::IN_PORT_OXM, value, 0xffff_ffff, form);
                }
                FieldId::VLAN_TCI => {
                    let keep = tci::VID | tci::CFI;
                    let (vid, mask) = (f.value & keep, f.mask & keep);
                    if mask != 0 {
                        let full = if mask == keep { 0xffff } else { mask };
                        put_entry(w, FieldId::VLAN_VID, vid, full, form);
                    }
                    if vid != 0 && f.mask & tci::PCP != 0 {
                        put_entry(w, FieldId::VLAN_PCP, f.value >> 13, 0xff, form);
                    }
                }
                FieldId::NW_TOS => put_entry(w, FieldId::IP_DSCP, f.value >> 2, 0xff, form),
                field => match field.reg_index() {
                    Some(i) if wide_regs => {
                        let wide = FieldId::xreg(i / 2);
                        if let Some(wide) = wide.filter(|_| i / 2 >= regs_done) {
                            regs_done = i / 2 + 1;
                            let (value, mask) = self.alias(wide).unwrap_or((0, 0));
                            put_entry(w, wide, value, mask, form);
                        }
                    }
                    _ => put_entry(w, field, f.value, f.mask, form),
                },
            }
        }
        if !tun_done {
            self.encode_tun_metadata(w, form);
        }
    }

    fn encode_tun_metadata(&self, w: &mut Writer<'_>, form: Form) {
        for t in &self.tun_metadata {
            let Some(field) = FieldId::tun_metadata(t.index) else {
                continue;
            };
            let masked = !t.is_exact();
            let bytes = u8::try_from(t.value.len()).unwrap_or(u8::MAX);
            if put_header(w, field, bytes, masked, form) {
                w.bytes(&t.value);
                if masked {
                    w.bytes(&t.mask);
                }
            }
        }
    }

    /// Reads entries until `r` is empty.
    ///
    /// Checks, in the order Open vSwitch does: lengths, value bits outside the mask, known field,
    /// mask rule, range, prerequisites (unless lenient), duplicates.
    ///
    /// # Errors
    /// The `OFPBMC_*` error that a switch would send.
    pub fn decode_fields(r: &mut Reader<'_>, options: MatchOptions) -> Result<Match, DecodeError> {
        let mut m = Match::new();
        m.decode_into(r, options)?;
        Ok(m)
    }

    /// As [`Match::decode_fields`], into an empty match.
    #[inline]
    pub(crate) fn decode_into(
        &mut self,
        r: &mut Reader<'_>,
        options: MatchOptions,
    ) -> Result<(), DecodeError> {
        let mut facts = Facts::default();
        while !r.is_empty() {
            self.decode_entry(r, options, &mut facts)?;
        }
        Ok(())
    }

    #[inline]
    fn decode_entry(
        &mut self,
        r: &mut Reader<'_>,
        options: MatchOptions,
        facts: &mut Facts,
    ) -> Result<(), DecodeError> {
        let start = r.offset();
        let fail = |code, what| Err(DecodeError::new(code, what, start));
        let header = decode_header(r)?;
        let len = header.payload_len().unwrap_or(0);
        let Ok(payload) = r.take(len, "NXM payload") else {
            return fail(OfpError::OFPBMC_BAD_LEN, "NXM payload");
        };
        let (value, mask) = if header.masked {
            let (v, m) = payload.split_at(len / 2);
            // The last byte of an odd length is nobody's.
            let m = m.get(..v.len()).unwrap_or(m);
            if v.iter().zip(m).any(|(v, m)| v & !m != 0) {
                return fail(OfpError::OFPBMC_BAD_WILDCARDS, "NXM value outside mask");
            }
            (v, Some(m))
        } else {
            (payload, None)
        };
        let field = match FieldId::from_header(&header) {
            Some(field) if field != FieldId::COOKIE || options.allow_cookie => field,
            _ if options.lenient => return Ok(()),
            _ => return fail(OfpError::OFPBMC_BAD_FIELD, "NXM field"),
        };
        let info = field.info();
        let bytes = usize::from(info.bytes);
        let is_tun = field.tun_metadata_index().is_some();
        let fits = value.len() == bytes || is_tun && value.len() <= bytes;
        if !fits {
            if options.lenient {
                return Ok(());
            }
            return fail(OfpError::OFPBMC_BAD_FIELD, "NXM length");
        }
        if is_tun {
            return self.decode_tun_metadata(field, value, mask, start);
        }
        let mask = mask.map_or(info.full_mask(), integer);
        let value = integer(value);
        if !options.lenient && !facts.meet(info.prereq) {
            // A bad mask or value is reported before a missing prerequisite.
            if let Err(e) = Match::new().set(field, value, mask) {
                return fail(e.code, "NXM value");
            }
            return fail(OfpError::OFPBMC_BAD_PREREQ, "NXM prerequisite");
        }
        let duplicate = self.compares_any(field);
        if let Err(e) = self.set(field, value, mask) {
            return fail(e.code, "NXM value");
        }
        if duplicate {
            return fail(OfpError::OFPBMC_DUP_FIELD, "NXM field");
        }
        facts.note(field, self);
        Ok(())
    }

    fn decode_tun_metadata(
        &mut self,
        field: FieldId,
        value: &[u8],
        mask: Option<&[u8]>,
        start: usize,
    ) -> Result<(), DecodeError> {
        let index = field.tun_metadata_index();
        if self.tun_metadata.iter().any(|t| Some(t.index) == index) {
            return Err(DecodeError::new(
                OfpError::OFPBMC_DUP_FIELD,
                "NXM field",
                start,
            ));
        }
        let exact = [0xff; 124];
        let mask = mask.or(exact.get(..value.len())).unwrap_or(&[]);
        self.set_tun_metadata(field, value, mask)
            .map_err(|e| DecodeError::new(e.code, "tunnel metadata", start))
    }

    /// Whether any bit that `field` (stored or alias) covers is compared already.
    fn compares_any(&self, field: FieldId) -> bool {
        match field {
            FieldId::VLAN_VID => self
                .get(FieldId::VLAN_TCI)
                .is_some_and(|(_, m)| m & (tci::VID | tci::CFI) != 0),
            FieldId::VLAN_PCP => self
                .get(FieldId::VLAN_TCI)
                .is_some_and(|(_, m)| m & tci::PCP != 0),
            // Fields of Ethernet packets have pinned the packet type down already.
            FieldId::PACKET_TYPE => self.get(field).is_some() || self.implies_ethernet(),
            f if f <= FieldId::COOKIE => {
                self.iter().next_back().is_some_and(|last| last.field >= f) && self.get(f).is_some()
            }
            f => self.alias(f).is_some(),
        }
    }
}
