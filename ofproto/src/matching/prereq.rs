//! Which field needs which others to be matched first.

use super::{FieldId, Match, Prereq, tci};

const ARP: u128 = 0x0806;
const RARP: u128 = 0x8035;
const IPV4: u128 = 0x0800;
const IPV6: u128 = 0x86dd;
const MPLS: u128 = 0x8847;
const MPLS_MCAST: u128 = 0x8848;
const NSH: u128 = 0x894f;

/// ICMPv6 types of neighbour discovery.
const SOLICIT: u128 = 135;
const ADVERT: u128 = 136;

const CT_NEW: u128 = 0x01;
const CT_EST: u128 = 0x02;
const CT_REL: u128 = 0x04;
const CT_RPL: u128 = 0x08;
const CT_INV: u128 = 0x10;
const CT_TRK: u128 = 0x20;
const CT_SNAT: u128 = 0x40;
const CT_DNAT: u128 = 0x80;

/// What a match says about the fields that others depend on. Of the empty match: any Ethernet
/// packet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Facts {
    packet_type: u128,
    eth_type: u128,
    vlan_tci: u128,
    frag: u128,
    proto: u128,
    icmp_type: u128,
    icmp_code: u128,
    ct_state: (u128, u128),
}

impl Facts {
    /// Whether `prereq` is satisfied.
    #[inline]
    pub(super) fn meet(&self, prereq: Prereq) -> bool {
        match prereq {
            Prereq::None => true,
            Prereq::Ethernet => self.packet_type == 0,
            Prereq::VlanVid => self.packet_type == 0 && self.vlan_tci & tci::CFI != 0,
            Prereq::Mpls => matches!(self.ether_type(), MPLS | MPLS_MCAST),
            Prereq::Arp => matches!(self.ether_type(), ARP | RARP),
            Prereq::Nsh => self.ether_type() == NSH,
            Prereq::Ct => is_ct_valid(self.ct_state.0, self.ct_state.1),
            Prereq::Ipv4 => self.ether_type() == IPV4,
            Prereq::Ipv6 => self.ether_type() == IPV6,
            Prereq::IpAny => self.is_ip(),
            Prereq::Tcp => self.carries(6),
            Prereq::Udp => self.carries(17),
            Prereq::Sctp => self.carries(132),
            Prereq::Icmpv4 => self.ether_type() == IPV4 && self.proto == 1,
            Prereq::Icmpv6 => self.is_icmpv6(),
            Prereq::Nd => self.is_discovery() && matches!(self.icmp_type, SOLICIT | ADVERT),
            Prereq::NdSolicit => self.is_discovery() && self.icmp_type == SOLICIT,
            Prereq::NdAdvert => self.is_discovery() && self.icmp_type == ADVERT,
        }
    }

    /// The type of an Ethernet packet, or of a packet that is not, if its type is one of those.
    fn ether_type(&self) -> u128 {
        match self.packet_type {
            0 => self.eth_type,
            t if t >> 16 == 1 => t & 0xffff,
            _ => 0,
        }
    }

    fn is_ip(&self) -> bool {
        matches!(self.ether_type(), IPV4 | IPV6)
    }

    /// Whether the packet begins with a header of `proto`: later fragments do not.
    fn carries(&self, proto: u128) -> bool {
        self.proto == proto && self.frag & 2 == 0 && self.is_ip()
    }

    fn is_icmpv6(&self) -> bool {
        self.ether_type() == IPV6 && self.proto == 58
    }

    fn is_discovery(&self) -> bool {
        self.is_icmpv6() && self.icmp_code == 0
    }

    /// Takes note of a criterion on a stored field.
    #[inline]
    fn read(&mut self, field: FieldId, value: u128, mask: u128) {
        match field {
            FieldId::PACKET_TYPE => self.packet_type = value,
            FieldId::ETH_TYPE => self.eth_type = value,
            FieldId::VLAN_TCI => self.vlan_tci = value,
            FieldId::IP_FRAG => self.frag = value,
            FieldId::NW_PROTO => self.proto = value,
            FieldId::ICMPV6_TYPE => self.icmp_type = value,
            FieldId::ICMPV6_CODE => self.icmp_code = value,
            FieldId::CT_STATE => self.ct_state = (value, mask),
            _ => {}
        }
    }

    /// Takes note that `field`, stored or alias, was just set in `m`.
    #[inline]
    pub(super) fn note(&mut self, field: FieldId, m: &Match) {
        let stored = match field {
            FieldId::VLAN_VID | FieldId::VLAN_PCP => FieldId::VLAN_TCI,
            FieldId::ETH_TYPE | FieldId::NW_PROTO | FieldId::CT_STATE => field,
            FieldId::PACKET_TYPE | FieldId::VLAN_TCI | FieldId::IP_FRAG => field,
            FieldId::ICMPV6_TYPE | FieldId::ICMPV6_CODE => field,
            _ => return,
        };
        let (value, mask) = m.get(stored).unwrap_or((0, 0));
        self.read(stored, value, mask);
    }

    /// What `m` satisfies.
    pub(super) fn of(m: &Match) -> Self {
        let mut facts = Facts::default();
        for f in m {
            facts.read(f.field, f.value, f.mask);
        }
        facts
    }
}

/// Whether a conntrack entry is known to exist: a state bit that implies it, or tracked and
/// explicitly not invalid.
fn is_ct_valid(value: u128, mask: u128) -> bool {
    value & (CT_NEW | CT_EST | CT_REL | CT_RPL | CT_SNAT | CT_DNAT) != 0
        || (value & CT_TRK != 0 && mask & CT_INV != 0 && value & CT_INV == 0)
}

impl Match {
    /// Whether this match satisfies the prerequisite of `field`, so that the field means
    /// something in its company.
    #[must_use]
    pub fn prereqs_met(&self, field: FieldId) -> bool {
        Facts::of(self).meet(field.info().prereq)
    }

    /// The first criterion whose prerequisite is missing.
    #[must_use]
    pub fn missing_prereq(&self) -> Option<FieldId> {
        let facts = Facts::of(self);
        self.iter()
            .map(|f| f.field)
            .find(|f| !facts.meet(f.info().prereq))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tcp_needs_ip_and_proto() {
        let mut m = Match::new().with(FieldId::ETH_TYPE, 0x0800u16);
        assert!(!m.prereqs_met(FieldId::TCP_SRC));
        m.set(FieldId::NW_PROTO, 6, 0xff).unwrap();
        assert!(m.prereqs_met(FieldId::TCP_SRC));
        assert!(!m.prereqs_met(FieldId::UDP_SRC));
        m.set(FieldId::IP_FRAG, 3, 0xff).unwrap();
        assert!(
            !m.prereqs_met(FieldId::TCP_SRC),
            "later fragments have no ports"
        );
    }

    #[test]
    fn ct_tuple_needs_a_valid_entry() {
        let ct = |v, m| Match::new().with_masked::<u32>(FieldId::CT_STATE, v, m);
        assert!(ct(0x21, 0x21).prereqs_met(FieldId::CT_NW_SRC));
        assert!(ct(0x20, 0x30).prereqs_met(FieldId::CT_NW_SRC));
        assert!(!ct(0x20, 0x20).prereqs_met(FieldId::CT_NW_SRC));
    }
}
