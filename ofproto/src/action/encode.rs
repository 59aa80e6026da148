//! Writing actions.

use super::subfield::{Use, encode_reference};
use super::{Action, MAX_DEPTH, SetField, Subfield};
use crate::codec::Writer;
use crate::error::{EncodeError, OfpError};
use crate::header::NX_VENDOR;
use crate::matching::{FieldId, Form, HeaderClass};

/// Writes a Nicira action around `body`: header before, padding to 8 and length after.
#[inline]
pub(crate) fn vendor_action(
    w: &mut Writer<'_>,
    subtype: u16,
    body: impl FnOnce(&mut Writer<'_>) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    let start = w.position();
    let [v0, v1, v2, v3] = NX_VENDOR.to_be_bytes();
    let [s0, s1] = subtype.to_be_bytes();
    w.bytes(&[0xff, 0xff, 0, 0, v0, v1, v2, v3, s0, s1]);
    body(w)?;
    w.pad8(start);
    w.patch_len(start.saturating_add(2), start, "action")
}

/// Writes a Nicira action of 16 bytes whose data is at most 6 bytes.
#[inline]
fn short(w: &mut Writer<'_>, subtype: u16, data: [u8; 6]) {
    let [v0, v1, v2, v3] = NX_VENDOR.to_be_bytes();
    let [s0, s1] = subtype.to_be_bytes();
    let [d0, d1, d2, d3, d4, d5] = data;
    w.bytes(&[
        0xff, 0xff, 0, 16, v0, v1, v2, v3, s0, s1, d0, d1, d2, d3, d4, d5,
    ]);
}

/// Writes a standard action of 8 bytes.
#[inline]
fn standard(w: &mut Writer<'_>, kind: u8, [a, b, c, d]: [u8; 4]) {
    w.bytes(&[0, kind, 0, 8, a, b, c, d]);
}

fn set_mac(w: &mut Writer<'_>, kind: u8, mac: &[u8; 6]) {
    w.bytes(&[0, kind, 0, 16]);
    w.bytes(mac);
    w.zeros(6);
}

fn pair(a: u16) -> [u8; 4] {
    let [x, y] = a.to_be_bytes();
    [x, y, 0, 0]
}

fn front(v: u16) -> [u8; 6] {
    let [a, b] = v.to_be_bytes();
    [a, b, 0, 0, 0, 0]
}

fn back(v: u32) -> [u8; 6] {
    let [a, b, c, d] = v.to_be_bytes();
    [0, 0, a, b, c, d]
}

fn is_long_header(field: FieldId) -> bool {
    field.header(Form::Nxm).is_some_and(|h| {
        matches!(
            h.class,
            HeaderClass::NxEt | HeaderClass::OnfEt | HeaderClass::Nsh
        )
    })
}

fn usable(f: &Subfield, used: Use, what: &'static str) -> Result<(), EncodeError> {
    f.usable(used)
        .map_err(|code| EncodeError::Invalid { code, what })
}

impl SetField {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        let len = self.value.len();
        let fits = match self.field.tun_metadata_index() {
            Some(_) => (1..=124).contains(&len),
            None => len == usize::from(self.field.info().bytes),
        };
        if !fits || self.mask.as_ref().is_some_and(|m| m.len() != len) {
            let code = OfpError::OFPBAC_BAD_SET_LEN;
            return Err(EncodeError::Invalid {
                code,
                what: "set_field value",
            });
        }
        vendor_action(w, 33, |w| {
            let start = w.position();
            let tun_len = u8::try_from(len).unwrap_or(u8::MAX);
            encode_reference(w, self.field, tun_len)?;
            w.bytes(&self.value);
            if let Some(mask) = &self.mask {
                w.bytes(mask);
                // The mask bit and the doubled length of the header.
                let payload = u16::from(tun_len).saturating_mul(2);
                let extra = if is_long_header(self.field) { 4 } else { 0 };
                let [_, _, number, ..] = w.since(start) else {
                    return Ok(());
                };
                let number = u16::from(*number | 1);
                let at = start.saturating_add(2);
                w.patch_u16(at, number << 8 | payload.saturating_add(extra));
            }
            Ok(())
        })
    }
}

impl Action {
    #[inline]
    pub(crate) fn encode_at(&self, w: &mut Writer<'_>, depth: u8) -> Result<(), EncodeError> {
        match self {
            Action::Output { port, max_len } => {
                let [a, b] = port.0.to_be_bytes();
                let [c, d] = max_len.to_be_bytes();
                standard(w, 0, [a, b, c, d]);
            }
            Action::SetVlanVid(vid) => standard(w, 1, pair(*vid)),
            Action::SetVlanPcp(pcp) => standard(w, 2, [*pcp, 0, 0, 0]),
            Action::StripVlan => standard(w, 3, [0; 4]),
            Action::SetDlSrc(mac) => set_mac(w, 4, mac),
            Action::SetDlDst(mac) => set_mac(w, 5, mac),
            Action::SetNwSrc(ip) => standard(w, 6, ip.octets()),
            Action::SetNwDst(ip) => standard(w, 7, ip.octets()),
            Action::SetNwTos(tos) => standard(w, 8, [*tos, 0, 0, 0]),
            Action::SetTpSrc(port) => standard(w, 9, pair(*port)),
            Action::SetTpDst(port) => standard(w, 10, pair(*port)),
            Action::Enqueue { port, queue } => {
                w.bytes(&[0, 11, 0, 16]);
                w.u16(port.0);
                w.zeros(6);
                w.u32(*queue);
            }
            Action::Resubmit(port) => short(w, 1, front(port.0)),
            Action::ResubmitTable {
                port,
                table,
                with_ct,
            } => {
                let [a, b] = port.0.to_be_bytes();
                short(w, if *with_ct { 44 } else { 14 }, [a, b, *table, 0, 0, 0]);
            }
            Action::SetTunnel(id) => short(w, 2, back(*id)),
            Action::SetQueue(queue) => short(w, 4, back(*queue)),
            Action::PopQueue => short(w, 5, [0; 6]),
            Action::Load { dst, value } => return encode_load(w, dst, *value),
            Action::Exit => short(w, 17, [0; 6]),
            Action::DecTtl => short(w, 18, [0; 6]),
            Action::FinTimeout { idle, hard } => {
                let ([a, b], [c, d]) = (idle.to_be_bytes(), hard.to_be_bytes());
                short(w, 19, [a, b, c, d, 0, 0]);
            }
            Action::PushMpls(ty) => short(w, 23, front(*ty)),
            Action::PopMpls(ty) => short(w, 24, front(*ty)),
            Action::SetMplsTtl(ttl) => short(w, 25, [*ttl, 0, 0, 0, 0, 0]),
            Action::DecMplsTtl => short(w, 26, [0; 6]),
            Action::SetMplsLabel(label) => short(w, 30, back(*label)),
            Action::SetMplsTc(tc) => short(w, 31, [*tc, 0, 0, 0, 0, 0]),
            Action::Conjunction {
                clause,
                n_clauses,
                id,
            } => {
                let [a, b, c, d] = id.to_be_bytes();
                short(w, 34, [*clause, *n_clauses, a, b, c, d]);
            }
            Action::OutputTrunc { port, max_len } => {
                let [p, q] = port.0.to_be_bytes();
                let [a, b, c, d] = max_len.to_be_bytes();
                short(w, 39, [p, q, a, b, c, d]);
            }
            Action::Group(id) => short(w, 40, back(*id)),
            Action::CtClear => short(w, 43, [0; 6]),
            Action::DebugSlow => short(w, 254, [0; 6]),
            Action::DebugRecirc => short(w, 255, [0; 6]),
            other => return other.encode_long(w, depth),
        }
        Ok(())
    }

    fn encode_long(&self, w: &mut Writer<'_>, depth: u8) -> Result<(), EncodeError> {
        let nested = || {
            if depth < MAX_DEPTH {
                return Ok(depth.saturating_add(1));
            }
            Err(EncodeError::TooLong {
                what: "action nesting",
                len: usize::from(depth),
            })
        };
        match self {
            Action::SetTunnel64(id) => vendor_action(w, 9, |w| {
                w.zeros(6);
                w.u64(*id);
                Ok(())
            }),
            Action::Move { src, dst } => vendor_action(w, 6, |w| {
                w.u16(src.n_bits);
                w.u16(src.ofs);
                w.u16(dst.ofs);
                src.encode_header(w)?;
                dst.encode_header(w)
            }),
            Action::SetField(set) => set.encode(w),
            Action::Note(bytes) => vendor_action(w, 8, |w| {
                w.bytes(bytes);
                Ok(())
            }),
            Action::Multipath(m) => m.encode(w),
            Action::Bundle(b) => b.encode(w),
            Action::OutputReg { src, max_len } => encode_output_reg(w, src, *max_len),
            Action::Learn(l) => l.encode(w),
            Action::DecTtlCntIds(ids) => vendor_action(w, 21, |w| {
                let n = u16::try_from(ids.len()).map_err(|_| EncodeError::TooLong {
                    what: "controller ids",
                    len: ids.len(),
                })?;
                w.u16(n);
                w.zeros(4);
                ids.iter().for_each(|id| w.u16(*id));
                Ok(())
            }),
            Action::Controller(c) => c.encode(w),
            Action::WriteMetadata { value, mask } => vendor_action(w, 22, |w| {
                w.zeros(6);
                w.u64(*value);
                w.u64(*mask);
                Ok(())
            }),
            Action::StackPush(f) => encode_stack(w, 27, f),
            Action::StackPop(f) => encode_stack(w, 28, f),
            Action::Sample(s) => s.encode(w),
            Action::Ct(ct) => ct.encode(w, nested()?),
            Action::Nat(nat) => nat.encode(w),
            Action::Clone(list) => {
                let depth = nested()?;
                vendor_action(w, 42, |w| {
                    w.zeros(6);
                    list.encode_nested(w, depth)
                })
            }
            Action::CheckPktLarger { len, dst } => vendor_action(w, 49, |w| {
                w.u16(*len);
                w.u16(dst.ofs);
                let start = w.position();
                dst.encode_header(w)?;
                w.zeros(10usize.saturating_sub(w.since(start).len()));
                Ok(())
            }),
            Action::DeleteField { field, tun_len } => vendor_action(w, 50, |w| {
                let start = w.position();
                encode_reference(w, *field, *tun_len)?;
                w.zeros(14usize.saturating_sub(w.since(start).len()));
                Ok(())
            }),
            Action::Encap(_) => Err(EncodeError::Unsupported { what: "encap" }),
            Action::Decap(_) => Err(EncodeError::Unsupported { what: "decap" }),
            Action::DecNshTtl => Err(EncodeError::Unsupported {
                what: "dec_nsh_ttl",
            }),
            Action::Unknown(u) => {
                let start = w.position();
                w.u16(u.action_type);
                w.u16(0);
                w.bytes(&u.body);
                w.pad8(start);
                w.patch_len(start.saturating_add(2), start, "action")
            }
            // Everything else was written by `encode_at`.
            _ => Ok(()),
        }
    }
}

#[inline]
fn encode_load(w: &mut Writer<'_>, dst: &Subfield, value: u64) -> Result<(), EncodeError> {
    usable(dst, Use::Destination, "load")?;
    if dst.n_bits > 64 || dst.n_bits < 64 && value >> dst.n_bits != 0 {
        return Err(EncodeError::Invalid {
            code: OfpError::OFPBAC_BAD_ARGUMENT,
            what: "load",
        });
    }
    if is_long_header(dst.field) {
        // The 4-byte slot has no room for an experimenter header: use the masked set_field.
        let shift = u32::from(dst.ofs);
        let ones = u128::MAX
            .checked_shr(128 - u32::from(dst.n_bits))
            .unwrap_or(0);
        let value = u128::from(value).checked_shl(shift).unwrap_or(0);
        return SetField::new(dst.field, value, ones.checked_shl(shift).unwrap_or(0)).encode(w);
    }
    vendor_action(w, 7, |w| {
        w.u16(dst.ofs_nbits());
        dst.encode_header(w)?;
        w.u64(value);
        Ok(())
    })
}

fn encode_output_reg(w: &mut Writer<'_>, src: &Subfield, max_len: u16) -> Result<(), EncodeError> {
    usable(src, Use::Source, "output register")?;
    if is_long_header(src.field) {
        return vendor_action(w, 32, |w| {
            w.u16(src.ofs_nbits());
            w.u16(max_len);
            let start = w.position();
            src.encode_header(w)?;
            w.zeros(10usize.saturating_sub(w.since(start).len()));
            Ok(())
        });
    }
    vendor_action(w, 15, |w| {
        w.u16(src.ofs_nbits());
        src.encode_header(w)?;
        w.u16(max_len);
        w.zeros(6);
        Ok(())
    })
}

fn encode_stack(w: &mut Writer<'_>, subtype: u16, f: &Subfield) -> Result<(), EncodeError> {
    vendor_action(w, subtype, |w| {
        w.u16(f.ofs);
        let start = w.position();
        f.encode_header(w)?;
        w.u16(f.n_bits);
        w.zeros(12usize.saturating_sub(w.since(start).len()));
        Ok(())
    })
}
