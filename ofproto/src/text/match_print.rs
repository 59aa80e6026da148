//! Matches as `ovs-ofctl` prints them.
//!
//! Owns: the order of the fields and their printed names, which follow the protocol (`tcp`,
//! `arp_spa`, `icmp_type`) and not the registry. Held by the vectors and `tests/differential.rs`.

use std::fmt::{self, Write};

use crate::matching::{FieldId, Match, Prereq};

use super::field::{write_hex, write_hex_number, write_mac_masked, write_packet_type, write_value};
use super::flags;

pub(crate) const ETH_IPV4: u128 = 0x0800;
pub(crate) const ETH_ARP: u128 = 0x0806;
pub(crate) const ETH_RARP: u128 = 0x8035;
pub(crate) const ETH_IPV6: u128 = 0x86dd;
pub(crate) const ETH_MPLS: u128 = 0x8847;
pub(crate) const ETH_MPLS_MCAST: u128 = 0x8848;

/// Priority that is not printed.
pub(crate) const DEFAULT_PRIORITY: u16 = 0x8000;

impl fmt::Display for Match {
    /// The form of `ovs-ofctl`, nothing for the match that accepts everything.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_match(f, self, DEFAULT_PRIORITY)
    }
}

/// Writes the match with its priority unless that is the default one.
pub(crate) fn write_match(out: &mut dyn Write, matching: &Match, priority: u16) -> fmt::Result {
    write_match_with_inner_vlan(out, matching, priority, None).map(|_| ())
}

/// As [`write_match`], with a space behind unless nothing was written.
pub(crate) fn write_match_and_space(
    out: &mut dyn Write,
    matching: &Match,
    priority: u16,
) -> fmt::Result {
    match write_match_with_inner_vlan(out, matching, priority, None)? {
        true => out.write_char(' '),
        false => Ok(()),
    }
}

/// As [`write_match`], with a second VLAN tag behind the first: packets have one, matches do not.
/// Returns whether anything was written.
pub(crate) fn write_match_with_inner_vlan(
    out: &mut dyn Write,
    matching: &Match,
    priority: u16,
    inner_vlan: Option<u16>,
) -> Result<bool, fmt::Error> {
    let mut printer = Printer {
        out,
        matching,
        started: false,
        all_masks: false,
    };
    printer.print(priority, inner_vlan)?;
    Ok(printer.started)
}

/// As [`write_match`], with every mask, so that it can be read back.
pub(crate) fn write_whole_match(
    out: &mut dyn Write,
    matching: &Match,
    priority: u16,
) -> fmt::Result {
    let mut printer = Printer {
        out,
        matching,
        started: false,
        all_masks: true,
    };
    printer.print(priority, None)
}

/// What the names of later fields depend on.
#[derive(Clone, Copy)]
struct PacketKind {
    /// The protocol name already says the Ethernet type.
    eth_type_said: bool,
    /// The protocol name already says the IP protocol.
    ip_proto_said: bool,
}

struct Printer<'a> {
    out: &'a mut dyn Write,
    matching: &'a Match,
    started: bool,
    /// Also the masks that Open vSwitch leaves out.
    all_masks: bool,
}

impl Printer<'_> {
    fn print(&mut self, priority: u16, inner_vlan: Option<u16>) -> fmt::Result {
        if priority != DEFAULT_PRIORITY {
            self.named("priority")?;
            write!(self.out, "{priority}")?;
        }
        self.metadata()?;
        let ty = self.packet_kind()?;
        self.pipeline()?;
        self.vlan(inner_vlan)?;
        self.ethernet(ty)?;
        self.network(ty)?;
        self.transport()
    }

    fn item(&mut self) -> fmt::Result {
        if std::mem::replace(&mut self.started, true) {
            self.out.write_char(',')?;
        }
        Ok(())
    }

    fn word(&mut self, word: &str) -> fmt::Result {
        self.item()?;
        self.out.write_str(word)
    }

    fn named(&mut self, name: &str) -> fmt::Result {
        self.item()?;
        write!(self.out, "{name}=")
    }

    /// In the field's own form.
    fn plain(&mut self, field: FieldId, name: &str) -> fmt::Result {
        let Some((value, mask)) = self.matching.get(field) else {
            return Ok(());
        };
        self.named(name)?;
        write_value(&mut self.out, field, value, mask)
    }

    /// `%#x`, with the mask after a slash.
    fn hex(&mut self, field: FieldId, name: &str) -> fmt::Result {
        let Some((value, mask)) = self.matching.get(field) else {
            return Ok(());
        };
        self.named(name)?;
        write_hex_number(&mut self.out, value)?;
        if mask != field.info().full_mask() {
            self.out.write_char('/')?;
            write_hex_number(&mut self.out, mask)?;
        }
        Ok(())
    }

    /// Decimal, or `0x` value and mask of at least `width` digits.
    fn number(&mut self, field: FieldId, name: &str, width: usize) -> fmt::Result {
        let Some((value, mask)) = self.matching.get(field) else {
            return Ok(());
        };
        self.named(name)?;
        if mask == field.info().full_mask() {
            write!(self.out, "{value}")
        } else {
            write!(self.out, "0x{value:0width$x}/0x{mask:0width$x}")
        }
    }

    fn mac(&mut self, field: FieldId, name: &str) -> fmt::Result {
        let Some((value, mask)) = self.matching.get(field) else {
            return Ok(());
        };
        self.named(name)?;
        write_mac_masked(&mut self.out, value, mask)
    }

    fn metadata(&mut self) -> fmt::Result {
        self.hex(FieldId::PKT_MARK, "pkt_mark")?;
        self.hex(FieldId::RECIRC_ID, "recirc_id")?;
        self.hex(FieldId::DP_HASH, "dp_hash")?;
        self.number(FieldId::CONJ_ID, "conj_id", 1)?;
        self.plain(FieldId::ACTSET_OUTPUT, "actset_output")?;
        if let Some((value, mask)) = self.matching.get(FieldId::CT_STATE) {
            self.named("ct_state")?;
            let narrow = |wide: u128| u32::try_from(wide).unwrap_or(u32::MAX);
            let full = if mask == u128::from(u32::MAX) {
                u32::MAX
            } else {
                0xff
            };
            flags::CT_STATE.write_masked(&mut self.out, narrow(value), narrow(mask), full)?;
        }
        self.number(FieldId::CT_ZONE, "ct_zone", 1)?;
        self.hex(FieldId::CT_MARK, "ct_mark")?;
        self.hex(FieldId::CT_LABEL, "ct_label")?;
        self.plain(FieldId::CT_NW_SRC, "ct_nw_src")?;
        self.plain(FieldId::CT_IPV6_SRC, "ct_ipv6_src")?;
        self.plain(FieldId::CT_NW_DST, "ct_nw_dst")?;
        self.plain(FieldId::CT_IPV6_DST, "ct_ipv6_dst")?;
        self.number(FieldId::CT_NW_PROTO, "ct_nw_proto", 1)?;
        // Open vSwitch shows the ports beside their protocol only.
        if self.matching.get(FieldId::CT_NW_PROTO).is_none() && !self.all_masks {
            return Ok(());
        }
        self.number(FieldId::CT_TP_SRC, "ct_tp_src", 1)?;
        self.number(FieldId::CT_TP_DST, "ct_tp_dst", 1)
    }

    /// Packet type and protocol name.
    fn packet_kind(&mut self) -> Result<PacketKind, fmt::Error> {
        let mut eth_type = self.matching.exact(FieldId::ETH_TYPE).unwrap_or(0);
        let recirculated = self.matching.get(FieldId::RECIRC_ID).is_some();
        match self.matching.exact(FieldId::PACKET_TYPE) {
            Some(0) | None => {
                let mut fields = self.matching.iter();
                let ethernet = fields.any(|field| field.field.info().prereq != Prereq::None)
                    || self.matching.get(FieldId::PACKET_TYPE).is_some();
                if recirculated && ethernet {
                    self.word("eth")?;
                }
            }
            Some(ty) => {
                self.item()?;
                let narrow = u32::try_from(ty).unwrap_or(0);
                write_packet_type(&mut self.out, narrow, u32::MAX)?;
                if ty >> 16 == 1 {
                    eth_type = ty & 0xffff;
                }
            }
        }
        let proto = self.matching.exact(FieldId::NW_PROTO);
        let (word, ip_proto_said) = match (eth_type, proto) {
            _ if self.matching.get(FieldId::ETH_TYPE).is_none() => ("", false),
            (ETH_IPV4, Some(1)) => ("icmp", true),
            (ETH_IPV4, Some(6)) => ("tcp", true),
            (ETH_IPV4, Some(17)) => ("udp", true),
            (ETH_IPV4, Some(132)) => ("sctp", true),
            (ETH_IPV4, _) => ("ip", false),
            (ETH_IPV6, Some(58)) => ("icmp6", true),
            (ETH_IPV6, Some(6)) => ("tcp6", true),
            (ETH_IPV6, Some(17)) => ("udp6", true),
            (ETH_IPV6, Some(132)) => ("sctp6", true),
            (ETH_IPV6, _) => ("ipv6", false),
            (ETH_ARP, _) => ("arp", false),
            (ETH_RARP, _) => ("rarp", false),
            (ETH_MPLS, _) => ("mpls", false),
            (ETH_MPLS_MCAST, _) => ("mplsm", false),
            _ => ("", false),
        };
        if !word.is_empty() {
            self.word(word)?;
        }
        Ok(PacketKind {
            eth_type_said: !word.is_empty(),
            ip_proto_said,
        })
    }

    /// Registers, tunnel, metadata, port.
    fn pipeline(&mut self) -> fmt::Result {
        for index in 0..32 {
            if let Some(reg) = FieldId::reg(index)
                && self.matching.get(reg).is_some()
            {
                self.hex(reg, reg.name())?;
            }
        }
        self.hex(FieldId::TUN_ID, "tun_id")?;
        self.plain(FieldId::TUN_SRC, "tun_src")?;
        self.plain(FieldId::TUN_DST, "tun_dst")?;
        self.plain(FieldId::TUN_IPV6_SRC, "tun_ipv6_src")?;
        self.plain(FieldId::TUN_IPV6_DST, "tun_ipv6_dst")?;
        self.number(FieldId::TUN_GBP_ID, "tun_gbp_id", 1)?;
        self.hex_value(FieldId::TUN_GBP_FLAGS, "tun_gbp_flags")?;
        self.decimal_value(FieldId::TUN_ERSPAN_VER, "tun_erspan_ver")?;
        // Open vSwitch shows only what the version of the header has.
        let version = self.matching.value_or_zero(FieldId::TUN_ERSPAN_VER);
        if version == 1 || self.all_masks {
            self.hex_value(FieldId::TUN_ERSPAN_IDX, "tun_erspan_idx")?;
        }
        if version == 2 || self.all_masks {
            self.decimal_value(FieldId::TUN_ERSPAN_DIR, "tun_erspan_dir")?;
            self.hex_value(FieldId::TUN_ERSPAN_HWID, "tun_erspan_hwid")?;
        }
        // Open vSwitch prints other names than it reads.
        let (flags, msgtype) = match self.all_masks {
            true => ("tun_gtpu_flags", "tun_gtpu_msgtype"),
            false => ("gtpu_flags", "gtpu_msgtype"),
        };
        self.hex_value(FieldId::TUN_GTPU_FLAGS, flags)?;
        self.decimal_value(FieldId::TUN_GTPU_MSGTYPE, msgtype)?;
        if let Some((value, mask)) = self.matching.get(FieldId::TUN_FLAGS) {
            self.named("tun_flags")?;
            // Always with signs: the switch has more flags than may be matched.
            let narrow = |wide: u128| u32::try_from(wide & 1).unwrap_or(0);
            flags::TUNNEL.write_masked(&mut self.out, narrow(value), narrow(mask), u32::MAX)?;
        }
        for option in self.matching.tun_metadata() {
            self.item()?;
            write!(self.out, "tun_metadata{}", option.index)?;
            if self.all_masks && option.mask.len() > 1 && option.mask.first() == Some(&0) {
                // The longer number says how long the option is: bits that are not compared say it.
                let mut value = option.value.to_vec();
                value.iter_mut().take(1).for_each(|byte| *byte = 0xff);
                self.out.write_char('=')?;
                write_hex(&mut self.out, &value)?;
                self.out.write_char('/')?;
                write_hex(&mut self.out, &option.mask)?;
            } else if option.mask.iter().any(|byte| *byte != 0) {
                self.out.write_char('=')?;
                write_hex(&mut self.out, &option.value)?;
                if !option.is_exact() {
                    self.out.write_char('/')?;
                    write_hex(&mut self.out, &option.mask)?;
                }
            }
        }
        self.hex(FieldId::METADATA, "metadata")?;
        self.plain(FieldId::IN_PORT, "in_port")
    }

    /// Only the value, in hexadecimal: Open vSwitch does not print the mask of these fields.
    fn hex_value(&mut self, field: FieldId, name: &str) -> fmt::Result {
        let Some((value, mask)) = self.matching.get(field) else {
            return Ok(());
        };
        self.named(name)?;
        write_hex_number(&mut self.out, value)?;
        self.unprinted_mask(field, mask)
    }

    fn unprinted_mask(&mut self, field: FieldId, mask: u128) -> fmt::Result {
        if !self.all_masks || mask == field.info().full_mask() {
            return Ok(());
        }
        write!(self.out, "/{mask:#x}")
    }

    fn decimal_value(&mut self, field: FieldId, name: &str) -> fmt::Result {
        let Some((value, mask)) = self.matching.get(field) else {
            return Ok(());
        };
        self.named(name)?;
        write!(self.out, "{value}")?;
        self.unprinted_mask(field, mask)
    }

    fn vlan(&mut self, inner: Option<u16>) -> fmt::Result {
        if let Some((value, mask)) = self.matching.get(FieldId::VLAN_TCI) {
            self.tag("", value, mask)?;
        }
        inner.map_or(Ok(()), |tci| self.tag("1", tci.into(), 0xffff))
    }

    /// One VLAN tag, as id and priority where the mask covers them in whole.
    fn tag(&mut self, suffix: &str, value: u128, mask: u128) -> fmt::Result {
        use crate::matching::tci;
        {
            let whole = |part: u128| mask & part == 0 || mask & part == part;
            let (vid, pcp) = (mask & tci::VID != 0, mask & tci::PCP != 0);
            let tagged = mask & value & tci::CFI != 0;
            if tagged && whole(tci::VID) && whole(tci::PCP) && (vid || pcp) {
                if vid {
                    self.item()?;
                    write!(self.out, "dl_vlan{suffix}=")?;
                    write!(self.out, "{}", value & tci::VID)?;
                }
                if pcp {
                    self.item()?;
                    write!(self.out, "dl_vlan_pcp{suffix}=")?;
                    write!(self.out, "{}", (value & tci::PCP) >> 13)?;
                }
            } else {
                self.item()?;
                write!(self.out, "vlan_tci{suffix}=")?;
                write!(self.out, "{value:#06x}")?;
                if mask != 0xffff {
                    write!(self.out, "/{mask:#06x}")?;
                }
            }
        }
        Ok(())
    }

    fn ethernet(&mut self, ty: PacketKind) -> fmt::Result {
        self.mac(FieldId::ETH_SRC, "dl_src")?;
        self.mac(FieldId::ETH_DST, "dl_dst")?;
        if !ty.eth_type_said
            && let Some((value, _)) = self.matching.get(FieldId::ETH_TYPE)
        {
            self.named("dl_type")?;
            write!(self.out, "{value:#06x}")?;
        }
        Ok(())
    }

    fn network(&mut self, ty: PacketKind) -> fmt::Result {
        // Open vSwitch shows the addresses of the Ethernet type only.
        let ipv6 = self.matching.exact(FieldId::ETH_TYPE) == Some(0x86dd);
        if ipv6 || self.all_masks {
            self.plain(FieldId::IPV6_SRC, "ipv6_src")?;
            self.plain(FieldId::IPV6_DST, "ipv6_dst")?;
            self.ipv6_label()?;
        }
        self.plain(FieldId::ARP_SPA, "arp_spa")?;
        self.plain(FieldId::ARP_TPA, "arp_tpa")?;
        self.nsh()?;
        if !ipv6 || self.all_masks {
            self.plain(FieldId::IP_SRC, "nw_src")?;
            self.plain(FieldId::IP_DST, "nw_dst")?;
        }
        if !ty.ip_proto_said {
            self.number(FieldId::NW_PROTO, "nw_proto", 2)?;
        }
        self.number(FieldId::ARP_OP, "arp_op", 1)?;
        self.mac(FieldId::ARP_SHA, "arp_sha")?;
        self.mac(FieldId::ARP_THA, "arp_tha")?;
        self.decimal_value(FieldId::NW_TOS, "nw_tos")?;
        self.decimal_value(FieldId::NW_ECN, "nw_ecn")?;
        self.decimal_value(FieldId::NW_TTL, "nw_ttl")?;
        self.decimal_value(FieldId::MPLS_LABEL, "mpls_label")?;
        self.decimal_value(FieldId::MPLS_TC, "mpls_tc")?;
        self.decimal_value(FieldId::MPLS_TTL, "mpls_ttl")?;
        self.decimal_value(FieldId::MPLS_BOS, "mpls_bos")?;
        self.plain(FieldId::IP_FRAG, "nw_frag")
    }

    fn ipv6_label(&mut self) -> fmt::Result {
        let Some((value, mask)) = self.matching.get(FieldId::IPV6_LABEL) else {
            return Ok(());
        };
        self.named("ipv6_label")?;
        write!(self.out, "0x{value:05x}")?;
        if mask != FieldId::IPV6_LABEL.info().full_mask() {
            write!(self.out, "/0x{mask:05x}")?;
        }
        Ok(())
    }

    fn nsh(&mut self) -> fmt::Result {
        self.number(FieldId::NSH_FLAGS, "nsh_flags", 2)?;
        self.number(FieldId::NSH_TTL, "nsh_ttl", 2)?;
        self.number(FieldId::NSH_MDTYPE, "nsh_mdtype", 2)?;
        self.number(FieldId::NSH_NP, "nsh_np", 2)?;
        self.padless_hex(FieldId::NSH_SPI, "nsh_spi")?;
        self.number(FieldId::NSH_SI, "nsh_si", 2)?;
        // Open vSwitch shows the contexts of metadata type 1 only.
        if self.matching.exact(FieldId::NSH_MDTYPE) != Some(1) && !self.all_masks {
            return Ok(());
        }
        self.padless_hex(FieldId::NSH_C1, "nsh_c1")?;
        self.padless_hex(FieldId::NSH_C2, "nsh_c2")?;
        self.padless_hex(FieldId::NSH_C3, "nsh_c3")?;
        self.padless_hex(FieldId::NSH_C4, "nsh_c4")
    }

    /// `0x0` for zero, unlike `hex`.
    fn padless_hex(&mut self, field: FieldId, name: &str) -> fmt::Result {
        let Some((value, mask)) = self.matching.get(field) else {
            return Ok(());
        };
        self.named(name)?;
        write!(self.out, "{value:#x}")?;
        if mask != field.info().full_mask() {
            write!(self.out, "/{mask:#x}")?;
        }
        Ok(())
    }

    fn transport(&mut self) -> fmt::Result {
        self.number(FieldId::ICMP_TYPE, "icmp_type", 1)?;
        self.number(FieldId::ICMP_CODE, "icmp_code", 1)?;
        self.number(FieldId::ICMPV6_TYPE, "icmp_type", 1)?;
        self.number(FieldId::ICMPV6_CODE, "icmp_code", 1)?;
        self.plain(FieldId::ND_TARGET, "nd_target")?;
        self.mac(FieldId::ND_SLL, "nd_sll")?;
        self.mac(FieldId::ND_TLL, "nd_tll")?;
        self.number(FieldId::ND_RESERVED, "nd_reserved", 8)?;
        self.number(FieldId::ND_OPTIONS_TYPE, "nd_options_type", 1)?;
        for field in [FieldId::TCP_SRC, FieldId::UDP_SRC, FieldId::SCTP_SRC] {
            self.number(field, "tp_src", 1)?;
        }
        for field in [FieldId::TCP_DST, FieldId::UDP_DST, FieldId::SCTP_DST] {
            self.number(field, "tp_dst", 1)?;
        }
        self.plain(FieldId::TCP_FLAGS, "tcp_flags")
    }
}
