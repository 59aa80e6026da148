//! What a switch checks beyond the encoding: whether actions fit each other and the match.

use super::subfield::Use;
use super::{Action, ActionList, CtZone, LearnDst, LearnSrc, SampleId, Subfield};
use crate::error::OfpError;
use crate::header::NX_VENDOR;
use crate::matching::{FieldId, Match};

const MPLS: [u16; 2] = [0x8847, 0x8848];

impl ActionList {
    /// Refuses actions this crate does not know, as a switch would.
    ///
    /// # Errors
    /// `OFPBAC_BAD_TYPE`, `OFPBAC_BAD_VENDOR` or `OFPBAC_BAD_VENDOR_TYPE`.
    pub fn refuse_unknown(&self) -> Result<(), OfpError> {
        self.iter().try_for_each(|a| match a {
            Action::Unknown(u) if u.action_type != 0xffff => Err(OfpError::OFPBAC_BAD_TYPE),
            Action::Unknown(u) if u.body.starts_with(&NX_VENDOR.to_be_bytes()) => {
                Err(OfpError::OFPBAC_BAD_VENDOR_TYPE)
            }
            Action::Unknown(_) => Err(OfpError::OFPBAC_BAD_VENDOR),
            Action::Ct(ct) => ct.actions.refuse_unknown(),
            Action::Clone(list) => list.refuse_unknown(),
            _ => Ok(()),
        })
    }

    /// Checks the list as the action list of a flow with match `m`: prerequisites of every field
    /// touched, the order of `write_metadata`, `conjunction` alone, `nat` only inside `ct`.
    /// Pushing and popping labels changes what later actions see.
    ///
    /// # Errors
    /// The error a switch would send, for example `OFPBAC_MATCH_INCONSISTENT`.
    pub fn check(&self, m: &Match) -> Result<(), OfpError> {
        self.check_order()?;
        let mut seen = m.clone();
        self.iter().try_for_each(|a| check_action(a, &mut seen))
    }

    /// Checks the list where only plain actions may stand, as in a packet-out or group bucket.
    ///
    /// # Errors
    /// `OFPBIC_UNSUP_INST` for `write_metadata`.
    pub fn check_no_instructions(&self) -> Result<(), OfpError> {
        if self
            .iter()
            .any(|a| matches!(a, Action::WriteMetadata { .. }))
        {
            return Err(OfpError::OFPBIC_UNSUP_INST);
        }
        Ok(())
    }

    fn check_order(&self) -> Result<(), OfpError> {
        let conjunctions = self
            .iter()
            .filter(|a| matches!(a, Action::Conjunction { .. }))
            .count();
        let notes = self.iter().filter(|a| matches!(a, Action::Note(_))).count();
        if conjunctions != 0 && conjunctions.saturating_add(notes) != self.len() {
            return Err(OfpError::NXBAC_BAD_CONJUNCTION);
        }
        let writes = self
            .iter()
            .position(|a| matches!(a, Action::WriteMetadata { .. }));
        match writes {
            Some(at) if at.saturating_add(1) != self.len() => {
                Err(OfpError::OFPBAC_UNSUPPORTED_ORDER)
            }
            _ => Ok(()),
        }
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
    let l4 = |m: &Match| {
        let fields = [FieldId::TCP_SRC, FieldId::UDP_SRC, FieldId::SCTP_SRC];
        if fields.iter().any(|f| m.prereqs_met(*f)) {
            Ok(())
        } else {
            Err(OfpError::OFPBAC_MATCH_INCONSISTENT)
        }
    };
    match action {
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
        Action::SetNwSrc(_) | Action::SetNwDst(_) => require(m, FieldId::IP_SRC),
        Action::SetNwTos(_) | Action::DecTtl | Action::DecTtlCntIds(_) => {
            require(m, FieldId::NW_TOS)
        }
        Action::SetTpSrc(_) | Action::SetTpDst(_) => l4(m),
        Action::FinTimeout { .. } => require(m, FieldId::TCP_SRC),
        Action::Move { src, dst } => {
            both(m, src, Use::Source)?;
            both(m, dst, Use::Destination)
        }
        Action::Load { dst, .. } | Action::StackPop(dst) | Action::CheckPktLarger { dst, .. } => {
            both(m, dst, Use::Destination)
        }
        Action::SetField(f) => require(m, f.field),
        Action::OutputReg { src, .. } | Action::StackPush(src) => both(m, src, Use::Source),
        Action::Multipath(mp) => both(m, &mp.dst, Use::Destination),
        Action::Bundle(b) => match &b.dst {
            Some(dst) => both(m, dst, Use::Destination),
            None => Ok(()),
        },
        Action::Sample(s) => [s.obs_domain_id, s.obs_point_id]
            .iter()
            .try_for_each(|id| match id {
                SampleId::Imm(_) => Ok(()),
                SampleId::Field(f) => both(m, f, Use::Source),
            }),
        Action::Learn(l) => check_learn(l, m),
        Action::Ct(ct) => {
            if let CtZone::Field(f) = &ct.zone {
                both(m, f, Use::Source)?;
            }
            // Tracking needs an IP packet.
            require(m, FieldId::NW_PROTO)?;
            ct.actions.iter().try_for_each(|a| match a {
                Action::Nat(nat) => match nat.range {
                    Some(super::NatRange::V4(..)) => require(m, FieldId::IP_SRC),
                    Some(super::NatRange::V6(..)) => require(m, FieldId::IPV6_SRC),
                    None => Ok(()),
                },
                other => check_action(other, m),
            })
        }
        Action::Nat(_) => Err(OfpError::OFPBAC_BAD_ARGUMENT),
        Action::Clone(list) => {
            let mut inner = m.clone();
            list.iter().try_for_each(|a| check_action(a, &mut inner))
        }
        Action::PushMpls(ethertype) => {
            m.put(FieldId::ETH_TYPE, (*ethertype).into(), 0xffff);
            Ok(())
        }
        Action::PopMpls(ethertype) => {
            require(m, FieldId::MPLS_LABEL)?;
            m.put(FieldId::ETH_TYPE, (*ethertype).into(), 0xffff);
            if !MPLS.contains(ethertype) {
                m.put(FieldId::MPLS_LABEL, 0, 0);
            }
            Ok(())
        }
        Action::SetMplsTtl(_)
        | Action::DecMplsTtl
        | Action::SetMplsLabel(_)
        | Action::SetMplsTc(_) => require(m, FieldId::MPLS_LABEL),
        _ => Ok(()),
    }
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
