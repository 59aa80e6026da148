//! Actions of the 1.0 vocabulary in their OpenFlow 1.4 spelling (OF1.4 §7.2.5). Nicira's actions
//! are the same in both.

use crate::action::{Action, MAX_DEPTH, vendor_action};
use crate::codec::Writer;
use crate::error::EncodeError;
use crate::header::Version;
use crate::matching::{FieldId, Form, Match, encode_field_header};

const OUTPUT: u16 = 0;
const SET_MPLS_TTL: u16 = 15;
const DEC_MPLS_TTL: u16 = 16;
const PUSH_VLAN: u16 = 17;
const POP_VLAN: u16 = 18;
const PUSH_MPLS: u16 = 19;
const POP_MPLS: u16 = 20;
const SET_QUEUE: u16 = 21;
const GROUP: u16 = 22;
const DEC_NW_TTL: u16 = 24;
const SET_FIELD: u16 = 25;

/// What the spelling of an action depends on.
#[derive(Clone, Copy)]
struct Packet {
    has_vlan: bool,
    proto: u128,
    depth: u8,
}

/// Appends `actions` as they act on a packet that matches `m`.
pub(super) fn encode_list(
    actions: &[Action],
    m: &Match,
    w: &mut Writer<'_>,
) -> Result<(), EncodeError> {
    let has_vlan = m.value_or_zero(FieldId::VLAN_TCI) & 0x1000 != 0;
    let proto = m.value_or_zero(FieldId::NW_PROTO);
    encode(
        actions,
        &mut Packet {
            has_vlan,
            proto,
            depth: 1,
        },
        w,
    )
}

fn encode(actions: &[Action], p: &mut Packet, w: &mut Writer<'_>) -> Result<(), EncodeError> {
    actions.iter().try_for_each(|a| encode_one(a, p, w))
}

/// An action of 8 bytes with a 32-bit argument.
fn word(w: &mut Writer<'_>, kind: u16, argument: u32) {
    w.u16(kind);
    w.u16(8);
    w.u32(argument);
}

/// `set_field` of a whole field.
fn set_field(w: &mut Writer<'_>, field: FieldId, value: u128) -> Result<(), EncodeError> {
    let start = w.position();
    w.u16(SET_FIELD);
    w.u16(0);
    let bytes = field.info().bytes;
    if !encode_field_header(w, field, bytes, Form::Oxm(Version::OF14)) {
        return Err(EncodeError::Unsupported {
            what: "field without wire name",
        });
    }
    let all = value.to_be_bytes();
    w.bytes(
        all.get(16usize.saturating_sub(usize::from(bytes))..)
            .unwrap_or(&[]),
    );
    w.pad8(start);
    w.patch_len(start.saturating_add(2), start, "set_field")
}

fn push_vlan_if_needed(p: &mut Packet, w: &mut Writer<'_>) {
    if !p.has_vlan {
        word(w, PUSH_VLAN, 0x8100 << 16);
        p.has_vlan = true;
    }
}

fn mac(bytes: [u8; 6]) -> u128 {
    bytes.iter().fold(0, |v, b| v << 8 | u128::from(*b))
}

fn encode_one(a: &Action, p: &mut Packet, w: &mut Writer<'_>) -> Result<(), EncodeError> {
    match a {
        Action::Output { port, max_len } => {
            w.u16(OUTPUT);
            w.u16(16);
            w.u32(port.to_of11());
            w.u16(*max_len);
            w.zeros(6);
        }
        Action::SetVlanVid(vid) => {
            push_vlan_if_needed(p, w);
            return set_field(w, FieldId::VLAN_VID, u128::from(*vid) | 0x1000);
        }
        Action::SetVlanPcp(pcp) => {
            push_vlan_if_needed(p, w);
            return set_field(w, FieldId::VLAN_PCP, (*pcp).into());
        }
        Action::StripVlan => {
            p.has_vlan = false;
            word(w, POP_VLAN, 0);
        }
        Action::SetDlSrc(v) => return set_field(w, FieldId::ETH_SRC, mac(*v)),
        Action::SetDlDst(v) => return set_field(w, FieldId::ETH_DST, mac(*v)),
        Action::SetNwSrc(v) => return set_field(w, FieldId::IP_SRC, u32::from(*v).into()),
        Action::SetNwDst(v) => return set_field(w, FieldId::IP_DST, u32::from(*v).into()),
        Action::SetNwTos(v) => return set_field(w, FieldId::IP_DSCP, (*v >> 2).into()),
        Action::SetTpSrc(v) | Action::SetTpDst(v) => {
            let src = matches!(a, Action::SetTpSrc(_));
            let field = match (p.proto, src) {
                (6, true) => FieldId::TCP_SRC,
                (6, false) => FieldId::TCP_DST,
                (17, true) => FieldId::UDP_SRC,
                (17, false) => FieldId::UDP_DST,
                (132, true) => FieldId::SCTP_SRC,
                (132, false) => FieldId::SCTP_DST,
                _ => {
                    return Err(EncodeError::Unsupported {
                        what: "port of no protocol",
                    });
                }
            };
            return set_field(w, field, (*v).into());
        }
        Action::SetQueue(queue) => word(w, SET_QUEUE, *queue),
        Action::Group(id) => word(w, GROUP, *id),
        Action::DecTtl => word(w, DEC_NW_TTL, 0),
        Action::PushMpls(ty) => word(w, PUSH_MPLS, u32::from(*ty) << 16),
        Action::PopMpls(ty) => word(w, POP_MPLS, u32::from(*ty) << 16),
        Action::SetMplsTtl(ttl) => word(w, SET_MPLS_TTL, u32::from(*ttl) << 24),
        Action::DecMplsTtl => word(w, DEC_MPLS_TTL, 0),
        Action::SetMplsLabel(label) => {
            return set_field(w, FieldId::MPLS_LABEL, (*label).into());
        }
        Action::SetMplsTc(tc) => return set_field(w, FieldId::MPLS_TC, (*tc).into()),
        Action::Enqueue { port, queue } => {
            word(w, SET_QUEUE, *queue);
            return encode_one(&Action::output(*port), p, w)
                .and_then(|()| encode_one(&Action::PopQueue, p, w));
        }
        Action::Clone(list) => {
            if p.depth >= MAX_DEPTH {
                let len = usize::from(p.depth);
                return Err(EncodeError::TooLong {
                    what: "action nesting",
                    len,
                });
            }
            let mut inner = Packet {
                depth: p.depth.saturating_add(1),
                ..*p
            };
            return vendor_action(w, 42, |w| {
                w.zeros(6);
                encode(list, &mut inner, w)
            });
        }
        Action::Unknown(u) if u.action_type != 0xffff => {
            return Err(EncodeError::Unsupported {
                what: "unknown action",
            });
        }
        nicira => return nicira.encode_at(w, p.depth),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Port;

    fn bytes(actions: &[Action], m: &Match) -> Vec<u8> {
        let mut buf = Vec::new();
        encode_list(actions, m, &mut Writer::new(&mut buf)).unwrap();
        buf
    }

    #[test]
    fn output_is_16_bytes_with_a_wide_port() {
        let got = bytes(&[Action::output(Port::LOCAL)], &Match::new());
        assert_eq!(
            got,
            [0, 0, 0, 16, 0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 0, 0, 0, 0, 0]
        );
    }

    #[test]
    fn setting_a_vlan_pushes_a_tag_once() {
        let got = bytes(
            &[Action::SetVlanVid(9), Action::SetVlanPcp(1)],
            &Match::new(),
        );
        assert_eq!(got[..8], [0, 17, 0, 8, 0x81, 0, 0, 0]);
        assert_eq!(
            got[8..],
            [
                0, 25, 0, 16, 0x80, 0, 12, 2, 0x10, 9, 0, 0, 0, 0, 0, 0, //
                0, 25, 0, 16, 0x80, 0, 14, 1, 1, 0, 0, 0, 0, 0, 0, 0,
            ]
        );
    }
}
