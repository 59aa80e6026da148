//! What a switch checks beyond the encoding: whether actions fit each other and the match.

use super::bundle::is_member;
use super::ct::check_nested;
use super::subfield::Use;
use super::{Action, ActionList, CtAlg, CtZone, LearnDst, LearnSrc, SampleId, Subfield};
use crate::error::OfpError;
use crate::matching::{FieldId, Match};

impl ActionList {
    /// Refuses actions this crate does not know, as a switch would.
    ///
    /// # Errors
    /// `OFPBAC_BAD_TYPE`, `OFPBAC_BAD_VENDOR` or `OFPBAC_BAD_VENDOR_TYPE`.
    pub fn refuse_unknown(&self) -> Result<(), OfpError> {
        self.iter().try_for_each(|a| match a {
            Action::Unknown(u) => Err(u.error()),
            // From OpenFlow 1.3 on, and of switches that are built for tests.
            Action::Encap(_)
            | Action::Decap(_)
            | Action::DecNshTtl
            | Action::DebugSlow
            | Action::DebugRecirc => Err(OfpError::OFPBAC_BAD_VENDOR_TYPE),
            Action::Ct(ct) => ct.actions.refuse_unknown(),
            Action::Clone(list) => list.refuse_unknown(),
            _ => Ok(()),
        })
    }

    /// Checks the list as the action list of a flow with match `m`: what [`ActionList::verify`]
    /// checks, and that fields are matched which Open vSwitch insists on. On OpenFlow 1.0 it does
    /// so for actions that name fields, for `ct` and `nat`, but not for standard actions such as
    /// `mod_nw_src`. Pushing and popping tags and labels changes what later actions see.
    ///
    /// # Errors
    /// The error a switch would send, for example `OFPBAC_MATCH_INCONSISTENT`.
    pub fn check(&self, m: &Match) -> Result<(), OfpError> {
        self.verify()?;
        let mut seen = m.clone();
        self.iter().try_for_each(|a| check_action(a, &mut seen))
    }

    /// What is known of a packet of match `m` after these actions.
    pub(crate) fn packet_after(&self, m: &Match) -> Match {
        let mut seen = m.clone();
        for action in self {
            // What does not fit changes nothing.
            let _ = check_action(action, &mut seen);
        }
        seen
    }

    /// Checks what does not depend on the match: `conjunction` only beside `note`,
    /// `write_metadata` once and last, `nat` and writes to `ct_mark` and `ct_label` only inside
    /// `ct`.
    ///
    /// # Errors
    /// The error a switch would send, for example `NXBAC_BAD_CONJUNCTION`.
    pub fn verify(&self) -> Result<(), OfpError> {
        self.verify_where(true)
    }

    /// The same where only plain actions may stand, as in a packet-out or group bucket.
    ///
    /// # Errors
    /// As for [`ActionList::verify`], and `OFPBIC_UNSUP_INST` for `write_metadata`.
    pub fn verify_plain(&self) -> Result<(), OfpError> {
        self.verify_where(false)
    }

    /// Looks at the actions in order, as a switch does, so that it finds the same fault first.
    fn verify_where(&self, instructions: bool) -> Result<(), OfpError> {
        let mut written_metadata = false;
        for action in self {
            if matches!(action, Action::Conjunction { .. }) {
                let alone = self
                    .iter()
                    .all(|a| matches!(a, Action::Conjunction { .. } | Action::Note(_)));
                return if alone {
                    Ok(())
                } else {
                    Err(OfpError::NXBAC_BAD_CONJUNCTION)
                };
            }
            let ct_only = matches!(action, Action::Nat(_))
                || matches!(
                    written_field(action),
                    Some(FieldId::CT_MARK | FieldId::CT_LABEL)
                );
            if ct_only {
                return Err(OfpError::OFPBAC_BAD_SET_ARGUMENT);
            }
            if let Action::Clone(list) = action {
                list.verify_plain()?;
            }
            if written_metadata {
                return Err(OfpError::OFPBAC_UNSUPPORTED_ORDER);
            }
            written_metadata = matches!(action, Action::WriteMetadata { .. });
            if written_metadata && !instructions {
                return Err(OfpError::OFPBIC_UNSUP_INST);
            }
        }
        Ok(())
    }
}

/// The field an action sets or moves to; other ways to write one are not looked at.
fn written_field(action: &Action) -> Option<FieldId> {
    match action {
        Action::Load { dst, .. } | Action::Move { dst, .. } => Some(dst.field),
        Action::SetField(f) => Some(f.field),
        _ => None,
    }
}

fn require(m: &Match, field: FieldId) -> Result<(), OfpError> {
    if m.prereqs_met(field) {
        Ok(())
    } else {
        Err(OfpError::OFPBAC_MATCH_INCONSISTENT)
    }
}

fn both(m: &Match, f: &Subfield, used: Use) -> Result<(), OfpError> {
    f.usable(used)?;
    f.consistent(m)
}

/// Checks one action against what is known of the packet, and notes what it changes.
fn check_action(action: &Action, m: &mut Match) -> Result<(), OfpError> {
    match action {
        Action::Output { port, .. } | Action::OutputTrunc { port, .. }
            if !port.is_valid_output() =>
        {
            Err(OfpError::OFPBAC_BAD_OUT_PORT)
        }
        Action::Enqueue { port, .. } if !port.has_queues() => Err(OfpError::OFPBAC_BAD_OUT_PORT),
        Action::DeleteField { field, .. } if field.tun_metadata_index().is_none() => {
            Err(OfpError::OFPBAC_BAD_ARGUMENT)
        }
        Action::SetVlanVid(_) | Action::SetVlanPcp(_) => {
            // Pushes a tag when there is none; from here on there is one.
            let (v, mask) = m.get(FieldId::VLAN_TCI).unwrap_or((0, 0));
            m.put(FieldId::VLAN_TCI, v | 0x1000, mask | 0x1000);
            Ok(())
        }
        Action::StripVlan => {
            m.set_no_vlan();
            Ok(())
        }
        Action::Move { src, dst } => {
            both(m, src, Use::Source)?;
            both(m, dst, Use::Destination)
        }
        Action::Load { dst, .. } | Action::StackPop(dst) | Action::CheckPktLarger { dst, .. } => {
            both(m, dst, Use::Destination)
        }
        Action::SetField(f) => {
            require(m, f.field)?;
            if f.field == FieldId::VLAN_TCI {
                let value = f.value.iter().fold(0, |v, b| v << 8 | u128::from(*b));
                m.put(FieldId::VLAN_TCI, value, 0xffff);
            }
            Ok(())
        }
        Action::ResubmitTable { with_ct: true, .. } => require(m, FieldId::CT_NW_PROTO),
        Action::OutputReg { src, .. } | Action::StackPush(src) => both(m, src, Use::Source),
        Action::Multipath(mp) => both(m, &mp.dst, Use::Destination),
        Action::Bundle(b) => {
            if let Some(dst) = &b.dst {
                both(m, dst, Use::Destination)?;
            }
            if b.members.iter().all(|port| is_member(*port)) {
                Ok(())
            } else {
                Err(OfpError::OFPBAC_BAD_OUT_PORT)
            }
        }
        Action::Sample(s) => [s.obs_domain_id, s.obs_point_id]
            .iter()
            .try_for_each(|id| match id {
                SampleId::Imm(_) => Ok(()),
                SampleId::Field(f) => both(m, f, Use::Source),
            }),
        Action::Learn(l) => check_learn(l, m),
        Action::Ct(ct) => check_ct(ct, m),
        Action::Clone(list) => {
            let mut inner = m.clone();
            list.iter().try_for_each(|a| check_action(a, &mut inner))
        }
        Action::PushMpls(ethertype) => {
            m.put(FieldId::ETH_TYPE, (*ethertype).into(), 0xffff);
            m.put(FieldId::NW_PROTO, 0, 0);
            Ok(())
        }
        Action::PopMpls(ethertype) => {
            m.put(FieldId::ETH_TYPE, (*ethertype).into(), 0xffff);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Connection tracking needs IP, the helpers their protocol, and a commit must not be known to
/// be of an invalid packet.
fn check_ct(ct: &super::Ct, m: &Match) -> Result<(), OfpError> {
    let proto = m.value_or_zero(FieldId::NW_PROTO);
    let invalid = m.value_or_zero(FieldId::CT_STATE) & 0x10 != 0;
    let commits = ct.flags & super::ct_flags::COMMIT != 0;
    ct.actions
        .iter()
        .try_for_each(|action| check_nested(action, commits))?;
    let helper_fits = match ct.alg {
        CtAlg::FTP => proto == 6,
        CtAlg::TFTP => proto == 17,
        _ => true,
    };
    if !helper_fits || invalid && commits {
        return Err(OfpError::OFPBAC_MATCH_INCONSISTENT);
    }
    require(m, FieldId::NW_PROTO)?;
    if let CtZone::Field(f) = &ct.zone {
        return both(m, f, Use::Source);
    }
    let mut inner = m.clone();
    ct.actions.iter().try_for_each(|a| match a {
        Action::Nat(nat) => match nat.range {
            Some(super::NatRange::V4(..)) => require(m, FieldId::IP_SRC),
            Some(super::NatRange::V6(..)) => require(m, FieldId::IPV6_SRC),
            None => Ok(()),
        },
        other => check_action(other, &mut inner),
    })
}

fn check_learn(learn: &super::Learn, m: &Match) -> Result<(), OfpError> {
    let mut learned = Match::new();
    for spec in &learn.specs {
        if let LearnSrc::Field(f) = &spec.src {
            both(m, f, Use::Source)?;
        }
        match &spec.dst {
            LearnDst::Match(f) => {
                f.usable(Use::Source)?;
                f.consistent(&learned)?;
                if let LearnSrc::Imm(bytes) = &spec.src {
                    let v = bytes
                        .iter()
                        .take(16)
                        .fold(0, |v, b| v << 8 | u128::from(*b));
                    if f.is_whole() {
                        learned.set(f.field, v, u128::MAX).map_err(|e| e.code)?;
                    }
                } else if let Some((v, mask)) = m.alias(f.field) {
                    // A field copied onto itself keeps what is known of it.
                    let _ = learned.set(f.field, v, mask);
                }
            }
            LearnDst::Load(f) => {
                f.usable(Use::Destination)?;
                f.consistent(&learned)?;
            }
            LearnDst::Output => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Codec, Reader};
    use crate::ports::Port;

    #[test]
    fn prerequisites_follow_the_match() {
        let std = ActionList::from([Action::SetNwTos(4)]);
        assert_eq!(std.check(&Match::new()), Ok(()));
        let list = ActionList::from([Action::load(FieldId::IP_DST, 1)]);
        assert_eq!(
            list.check(&Match::new()),
            Err(OfpError::OFPBAC_MATCH_INCONSISTENT)
        );
        let ip = Match::new().with(FieldId::ETH_TYPE, 0x0800u16);
        assert_eq!(list.check(&ip), Ok(()));
    }

    #[test]
    fn conjunction_stands_alone() {
        let conj = Action::Conjunction {
            clause: 0,
            n_clauses: 2,
            id: 9,
        };
        let list = ActionList::from([conj.clone(), Action::output(Port(1))]);
        assert_eq!(
            list.check(&Match::new()),
            Err(OfpError::NXBAC_BAD_CONJUNCTION)
        );
        let list = ActionList::from([conj.clone(), conj, Action::Note(Box::new([1; 6]))]);
        assert_eq!(list.check(&Match::new()), Ok(()));
    }

    #[test]
    fn unknown_actions_are_kept_or_refused() {
        let bytes = [
            0xff, 0xff, 0, 16, 0, 0, 0x23, 0x20, 0x03, 0xe7, 1, 2, 3, 4, 5, 6,
        ];
        let list = ActionList::from_bytes(&bytes).unwrap();
        assert_eq!(list.to_bytes().unwrap(), bytes);
        let err = ActionList::decode_strict(&mut Reader::new(&bytes)).unwrap_err();
        assert_eq!(err.code(), OfpError::OFPBAC_BAD_VENDOR_TYPE);
    }
}
