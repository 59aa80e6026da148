//! Which field needs which others to be matched first.

use super::{FieldId, Match, Prereq, tci};

const ARP: u128 = 0x0806;
const RARP: u128 = 0x8035;
const IPV4: u128 = 0x0800;
const IPV6: u128 = 0x86dd;
const MPLS: u128 = 0x8847;
const MPLS_MCAST: u128 = 0x8848;
const NSH: u128 = 0x894f;

const CT_NEW: u128 = 0x01;
const CT_EST: u128 = 0x02;
const CT_REL: u128 = 0x04;
const CT_RPL: u128 = 0x08;
const CT_INV: u128 = 0x10;
const CT_TRK: u128 = 0x20;
const CT_SNAT: u128 = 0x40;
const CT_DNAT: u128 = 0x80;

impl Match {
    /// The Ethertype this match pins down, directly or by packet type; 0 when none.
    #[must_use]
    pub(crate) fn ether_type(&self) -> u128 {
        match self.get(FieldId::PACKET_TYPE) {
            Some((v, _)) if v >> 16 == 1 => v & 0xffff,
            Some((v, _)) if v != 0 => 0,
            _ => self.value_or_zero(FieldId::ETH_TYPE),
        }
    }

    fn is_ethernet(&self) -> bool {
        self.value_or_zero(FieldId::PACKET_TYPE) == 0
    }

    fn is_ip_proto(&self, proto: u128) -> bool {
        matches!(self.ether_type(), IPV4 | IPV6) && self.value_or_zero(FieldId::NW_PROTO) == proto
    }

    fn is_icmpv6(&self) -> bool {
        self.ether_type() == IPV6 && self.value_or_zero(FieldId::NW_PROTO) == 58
    }

    fn is_nd(&self) -> bool {
        self.is_icmpv6()
            && self.value_or_zero(FieldId::ICMPV6_CODE) == 0
            && matches!(self.value_or_zero(FieldId::ICMPV6_TYPE), 135 | 136)
    }

    fn is_first_fragment(&self) -> bool {
        self.value_or_zero(FieldId::IP_FRAG) & 2 == 0
    }

    /// Whether the conntrack entry is known to exist: a state bit that implies it, or tracked and
    /// explicitly not invalid.
    fn is_ct_valid(&self) -> bool {
        let (value, mask) = self.get(FieldId::CT_STATE).unwrap_or((0, 0));
        value & (CT_NEW | CT_EST | CT_REL | CT_RPL | CT_SNAT | CT_DNAT) != 0
            || (value & CT_TRK != 0 && mask & CT_INV != 0 && value & CT_INV == 0)
    }

    /// Whether this match satisfies the prerequisite of `field`, so that the field means
    /// something in its company.
    #[must_use]
    pub fn prereqs_met(&self, field: FieldId) -> bool {
        let l4 = |proto| self.is_ip_proto(proto) && self.is_first_fragment();
        match field.info().prereq {
            Prereq::None => true,
            Prereq::Ethernet => self.is_ethernet(),
            Prereq::VlanVid => {
                self.is_ethernet() && self.value_or_zero(FieldId::VLAN_TCI) & tci::CFI != 0
            }
            Prereq::Mpls => matches!(self.ether_type(), MPLS | MPLS_MCAST),
            Prereq::Ipv4 => self.ether_type() == IPV4,
            Prereq::Ipv6 => self.ether_type() == IPV6,
            Prereq::IpAny => matches!(self.ether_type(), IPV4 | IPV6),
            Prereq::Arp => matches!(self.ether_type(), ARP | RARP),
            Prereq::Tcp => l4(6),
            Prereq::Udp => l4(17),
            Prereq::Sctp => l4(132),
            Prereq::Icmpv4 => {
                self.ether_type() == IPV4 && self.value_or_zero(FieldId::NW_PROTO) == 1
            }
            Prereq::Icmpv6 => self.is_icmpv6(),
            Prereq::Nd => self.is_nd(),
            Prereq::NdSolicit => self.is_nd() && self.value_or_zero(FieldId::ICMPV6_TYPE) == 135,
            Prereq::NdAdvert => self.is_nd() && self.value_or_zero(FieldId::ICMPV6_TYPE) == 136,
            Prereq::Nsh => self.ether_type() == NSH,
            Prereq::Ct => self.is_ct_valid(),
        }
    }

    /// The first criterion whose prerequisite is missing.
    #[must_use]
    pub fn missing_prereq(&self) -> Option<FieldId> {
        self.iter().map(|f| f.field).find(|f| !self.prereqs_met(*f))
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
