//! Reading matches.
//!
//! Owns: protocol words (`tcp6`), field assignments, sub-field assignments, and giving fields that
//! share a name (`nw_src`, `tp_dst`, `icmp_type`) their meaning once the protocol is known,
//! wherever in the text it stands. Held by the vectors and `tests/differential.rs`.

use std::str::FromStr;

use crate::matching::{FieldId, Match};

use super::error::TextError;
use super::field::{parse_subfield, parse_tun_metadata, parse_value};
use super::match_print::{ETH_ARP, ETH_IPV4, ETH_IPV6, ETH_MPLS, ETH_MPLS_MCAST, ETH_RARP};
use super::scan::Span;

/// Word, Ethernet type, IP protocol.
const PROTOCOLS: [(&str, u128, u128); 17] = [
    ("ip", ETH_IPV4, 0),
    ("ipv4", ETH_IPV4, 0),
    ("ip4", ETH_IPV4, 0),
    ("arp", ETH_ARP, 0),
    ("icmp", ETH_IPV4, 1),
    ("tcp", ETH_IPV4, 6),
    ("udp", ETH_IPV4, 17),
    ("sctp", ETH_IPV4, 132),
    ("ipv6", ETH_IPV6, 0),
    ("ip6", ETH_IPV6, 0),
    ("icmp6", ETH_IPV6, 58),
    ("tcp6", ETH_IPV6, 6),
    ("udp6", ETH_IPV6, 17),
    ("sctp6", ETH_IPV6, 132),
    ("rarp", ETH_RARP, 0),
    ("mpls", ETH_MPLS, 0),
    ("mplsm", ETH_MPLS_MCAST, 0),
];

/// OFP_VLAN_NONE: `dl_vlan=0xffff` asks for packets without a tag.
const NO_VLAN: u128 = 0xffff;

impl FromStr for Match {
    type Err = TextError;

    /// Reads the syntax of `ovs-ofctl`, without flow properties such as `priority`.
    fn from_str(text: &str) -> Result<Self, TextError> {
        let mut rest = Span::new(text);
        let mut builder = MatchBuilder::default();
        while let Some((key, value)) = rest.next_pair() {
            if !builder.take(key, value)? {
                return Err(key.error(format!("{:?} is not a match field", key.text())));
            }
        }
        Ok(builder.finish())
    }
}

/// Collects match fields in any order.
#[derive(Default)]
pub(crate) struct MatchBuilder {
    matching: Match,
}

impl MatchBuilder {
    /// Whether `key` was a match field (or sub-field, or protocol word), now taken in.
    pub fn take(&mut self, key: Span<'_>, value: Span<'_>) -> Result<bool, TextError> {
        if let Some((_, eth_type, proto)) = PROTOCOLS.iter().find(|(word, ..)| *word == key.text())
        {
            self.set(key, FieldId::ETH_TYPE, *eth_type, u128::MAX)?;
            if *proto != 0 {
                self.set(key, FieldId::NW_PROTO, *proto, u128::MAX)?;
            }
            return Ok(true);
        }
        if key.text() == "eth" {
            self.set(key, FieldId::PACKET_TYPE, 0, u128::MAX)?;
            return Ok(true);
        }
        if key.text().contains('[') {
            self.take_part(key, value)?;
            return Ok(true);
        }
        let Some(field) = FieldId::from_name(key.text()) else {
            return Ok(false);
        };
        if field == FieldId::COOKIE {
            return Ok(false);
        }
        self.take_field(key, field, value)?;
        Ok(true)
    }

    fn take_field(
        &mut self,
        key: Span<'_>,
        field: FieldId,
        value: Span<'_>,
    ) -> Result<(), TextError> {
        if field.tun_metadata_index().is_some() {
            let (bytes, mask) = parse_tun_metadata(value)?;
            let result = self.matching.set_tun_metadata(field, &bytes, &mask);
            return result.map_err(|error| value.error(error.to_string()));
        }
        if value.is_empty() {
            // Naming a field without a value compares nothing.
            return self.set(key, field, 0, 0);
        }
        let (bits, mask) = parse_value(field, value)?;
        if field == FieldId::DL_VLAN && bits == NO_VLAN {
            self.matching.set_no_vlan();
            return Ok(());
        }
        self.set(value, field, bits, mask)
    }

    /// `field[a..b]=N`, on top of what was set before.
    fn take_part(&mut self, key: Span<'_>, value: Span<'_>) -> Result<(), TextError> {
        let part = parse_subfield(key)?;
        let number = super::scan::unsigned(value.text());
        let number =
            number.ok_or_else(|| value.error(format!("{:?} is not a number", value.text())))?;
        let width = u32::from(part.n_bits);
        let ones = u128::MAX
            .checked_shr(128u32.saturating_sub(width))
            .unwrap_or(u128::MAX);
        if number > ones || part.n_bits > 128 {
            return Err(value.error(format!("{number:#x} does not fit into {width} bits")));
        }
        let shift = u32::from(part.ofs);
        let (old, old_mask) = self.matching.alias(part.field).unwrap_or((0, 0));
        let place = ones.checked_shl(shift).unwrap_or(0);
        let bits = number.checked_shl(shift).unwrap_or(0);
        self.set(key, part.field, (old & !place) | bits, old_mask | place)
    }

    fn set(
        &mut self,
        span: Span<'_>,
        field: FieldId,
        value: u128,
        mask: u128,
    ) -> Result<(), TextError> {
        let result = self.matching.set(field, value & mask, mask);
        result.map_err(|error| {
            span.error(format!(
                "{} for {} ({})",
                reason(&error),
                field.name(),
                error.code
            ))
        })
    }

    /// The match, with every field under the name its protocol gives it.
    pub fn finish(mut self) -> Match {
        let eth_type = match self.matching.exact(FieldId::PACKET_TYPE) {
            Some(ty) if ty >> 16 == 1 => Some(ty & 0xffff),
            _ => self.matching.exact(FieldId::ETH_TYPE),
        };
        let arp = matches!(eth_type, Some(ETH_ARP | ETH_RARP));
        self.rename(arp, &[FieldId::IP_SRC, FieldId::ARP_SPA]);
        self.rename(arp, &[FieldId::IP_DST, FieldId::ARP_TPA]);
        self.rename(arp, &[FieldId::NW_PROTO, FieldId::ARP_OP]);
        let v6 = eth_type == Some(ETH_IPV6);
        let kind = match self.matching.exact(FieldId::NW_PROTO) {
            Some(17) => 1,
            Some(132) => 2,
            Some(1) if !v6 => 3,
            Some(58) if v6 => 4,
            _ => 0,
        };
        const SOURCE: [FieldId; 5] = [
            FieldId::TCP_SRC,
            FieldId::UDP_SRC,
            FieldId::SCTP_SRC,
            FieldId::ICMP_TYPE,
            FieldId::ICMPV6_TYPE,
        ];
        const DESTINATION: [FieldId; 5] = [
            FieldId::TCP_DST,
            FieldId::UDP_DST,
            FieldId::SCTP_DST,
            FieldId::ICMP_CODE,
            FieldId::ICMPV6_CODE,
        ];
        self.move_to(kind, &SOURCE);
        self.move_to(kind, &DESTINATION);
        self.matching
    }

    fn rename(&mut self, second: bool, names: &[FieldId; 2]) {
        self.move_to(usize::from(second), names);
    }

    /// Moves what is set under any of `names` to the one at `index`, if it fits there, else to the first: they are
    /// names of one thing, and what has no meaning for the protocol is printed under one of them.
    fn move_to(&mut self, index: usize, names: &[FieldId]) {
        let Some(target) = names.get(index).copied() else {
            return;
        };
        for name in names.iter().copied().filter(|name| *name != target) {
            let Some((value, mask)) = self.matching.get(name) else {
                continue;
            };
            let full = mask == name.info().full_mask();
            let mut holds = |field: FieldId| {
                let mask = if full { field.info().full_mask() } else { mask };
                self.matching.set(field, value, mask).is_ok()
            };
            let moved = holds(target)
                || names
                    .first()
                    .is_some_and(|first| *first != name && holds(*first));
            if moved {
                self.matching.remove(name);
            }
        }
    }
}

fn reason(error: &crate::matching::MatchError) -> &'static str {
    use crate::error::OfpError;
    match error.code {
        OfpError::OFPBMC_BAD_MASK => "this mask is not allowed",
        OfpError::OFPBMC_BAD_VALUE => "value out of range",
        _ => "not allowed",
    }
}
