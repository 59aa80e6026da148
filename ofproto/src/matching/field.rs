//! What a match field is: [`FieldId`], its [`FieldInfo`], and the NXM/OXM header codes.
//!
//! The table itself is in `registry.rs`. Everything here is static data; values and matches are in
//! [`crate::matching`].
//!
//! ```
//! use ofproto::matching::{FieldId, Form};
//!
//! let f = FieldId::from_name("tcp_dst").unwrap();
//! assert_eq!(f, FieldId::TCP_DST);
//! assert_eq!((f.info().bytes, f.info().bits), (2, 16));
//! assert_eq!(f.header(Form::Nxm).unwrap().name, "NXM_OF_TCP_DST");
//! ```

use core::fmt;

use super::registry::{FIELDS, HEADER_LOOKUP, NO_FIELD};
use crate::header::{NSH_VENDOR, NX_VENDOR, ONF_VENDOR, Version};

/// One match field, as an index into the registry.
///
/// The fields a [`super::Match`] stores come first, in the order Open vSwitch writes them on the
/// wire; behind them are aliases, other spellings of stored bits (for example `VLAN_VID` of
/// `VLAN_TCI`), which a match translates when they are set.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldId(pub(super) u8);

/// Which masks a field accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaskRule {
    /// All bits or none.
    No,
    /// Any bits.
    Bitwise,
}

/// Whether actions may write a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read-only.
    Ro,
    /// Read and write.
    Rw,
}

/// What must be matched before a field means anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "each is named after the header that must be present"
)]
pub enum Prereq {
    None,
    Ethernet,
    VlanVid,
    Mpls,
    Ipv4,
    Ipv6,
    IpAny,
    Arp,
    Tcp,
    Udp,
    Sctp,
    Icmpv4,
    Icmpv6,
    Nd,
    NdSolicit,
    NdAdvert,
    Nsh,
    Ct,
}

/// How people write a value of the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Decimal number.
    Decimal,
    /// Hexadecimal number.
    Hex,
    /// `aa:bb:cc:dd:ee:ff`.
    Mac,
    /// `192.0.2.1`.
    Ipv4,
    /// `2001:db8::1`.
    Ipv6,
    /// Port number or reserved port name.
    Port,
    /// `no`, `yes`, `first`, `later`, `not_later`.
    Frag,
    /// Flags `new est rel rpl inv trk snat dnat`.
    CtState,
    /// Flags `fin syn rst psh ack urg ece cwr`.
    TcpFlags,
    /// Flag `oam`.
    TunFlags,
    /// `(namespace,type)`.
    PacketType,
}

/// A family of header codes: an OXM class, or an experimenter within class 0xffff.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum HeaderClass {
    /// Class 0x0000, `NXM_OF_*`.
    Nxm0 = 0,
    /// Class 0x0001, `NXM_NX_*`.
    Nxm1 = 1,
    /// Class 0x8000, `OXM_OF_*`.
    Oxm = 2,
    /// Class 0x8001, `OXM_OF_PKT_REG*`.
    PktReg = 3,
    /// Class 0x1000, `ERICOXM_OF_*`.
    Eric = 4,
    /// Class 0xffff, Nicira, `NXOXM_ET_*`.
    NxEt = 5,
    /// Class 0xffff, ONF, `ONFOXM_ET_*`.
    OnfEt = 6,
    /// Class 0xffff, NSH, `NXOXM_NSH_*`.
    Nsh = 7,
}

impl HeaderClass {
    /// The 16-bit class, and the experimenter id when the class is 0xffff.
    #[must_use]
    pub const fn code(self) -> (u16, Option<u32>) {
        match self {
            HeaderClass::Nxm0 => (0x0000, None),
            HeaderClass::Nxm1 => (0x0001, None),
            HeaderClass::Oxm => (0x8000, None),
            HeaderClass::PktReg => (0x8001, None),
            HeaderClass::Eric => (0x1000, None),
            HeaderClass::NxEt => (0xffff, Some(NX_VENDOR)),
            HeaderClass::OnfEt => (0xffff, Some(ONF_VENDOR)),
            HeaderClass::Nsh => (0xffff, Some(NSH_VENDOR)),
        }
    }

    const fn from_code(class: u16, experimenter: u32) -> Option<HeaderClass> {
        Some(match (class, experimenter) {
            (0x0000, _) => HeaderClass::Nxm0,
            (0x0001, _) => HeaderClass::Nxm1,
            (0x8000, _) => HeaderClass::Oxm,
            (0x8001, _) => HeaderClass::PktReg,
            (0x1000, _) => HeaderClass::Eric,
            (0xffff, NX_VENDOR) => HeaderClass::NxEt,
            (0xffff, ONF_VENDOR) => HeaderClass::OnfEt,
            (0xffff, NSH_VENDOR) => HeaderClass::Nsh,
            _ => return None,
        })
    }
}

/// One wire name of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderSpec {
    /// Class and experimenter.
    pub class: HeaderClass,
    /// Field number within the class.
    pub number: u8,
    /// Name, for example `NXM_OF_ETH_SRC`.
    pub name: &'static str,
    /// Minor number of the first OpenFlow version that has it; 0 for extensions.
    pub since_minor: u8,
}

/// Static facts about a field.
#[derive(Clone, Copy, Debug)]
pub struct FieldInfo {
    /// Main name, for example `eth_src`.
    pub name: &'static str,
    /// Second name (`dl_src`), or empty.
    pub alias: &'static str,
    /// Width on the wire in bytes; for tunnel metadata the maximum.
    pub bytes: u8,
    /// Significant low bits.
    pub bits: u16,
    /// Which masks are allowed in a match.
    pub mask: MaskRule,
    /// Whether actions may write it.
    pub access: Access,
    /// What must be matched first.
    pub prereq: Prereq,
    /// How values are written in text.
    pub format: Format,
    /// Wire names, extensions first, then by OpenFlow version.
    pub headers: &'static [HeaderSpec],
}

impl FieldInfo {
    /// All ones over the wire width (for widths up to 16 bytes).
    #[must_use]
    pub const fn full_mask(&self) -> u128 {
        if self.bytes >= 16 {
            u128::MAX
        } else {
            (1u128 << (self.bytes as u32 * 8)) - 1
        }
    }
}

/// The family of header codes an encoder prefers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Nicira's, used on OpenFlow 1.0 connections. Fields without an NXM name get their OXM one.
    Nxm,
    /// The standard's, as of the given version (1.2 or later).
    Oxm(Version),
}

/// A decoded 4- or 8-byte NXM/OXM header.
///
/// ```text
///  0                16       23 24       32                      64
/// +------------------+---------+-+--------+- - - - - - - - - - - -+
/// |      class       |  field  |M| length |  experimenter (0xffff) |
/// +------------------+---------+-+--------+- - - - - - - - - - - -+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Header {
    /// OXM class.
    pub class: u16,
    /// Field number, 7 bits.
    pub number: u8,
    /// Whether a mask follows the value.
    pub masked: bool,
    /// Bytes after the first four.
    pub length: u8,
    /// Experimenter id, 0 unless the class is 0xffff.
    pub experimenter: u32,
}

impl Header {
    /// Bytes of value and mask, without the experimenter id; `None` when the length is too small.
    #[must_use]
    pub fn payload_len(&self) -> Option<usize> {
        let len = usize::from(self.length);
        if self.class == 0xffff {
            len.checked_sub(4)
        } else {
            Some(len)
        }
    }

    /// The header of the same field without a mask.
    pub(crate) fn unmasked(self) -> Self {
        let id = if self.class == 0xffff { 4 } else { 0 };
        let payload = self.length.saturating_sub(id);
        Header {
            masked: false,
            length: if self.masked {
                id + payload / 2
            } else {
                self.length
            },
            ..self
        }
    }

    /// Whether this is the cookie pseudo-field of Nicira matches. It shares its number with the
    /// one-byte `NXM_NX_MPLS_TTL`; the length tells them apart.
    #[must_use]
    #[inline]
    pub fn is_cookie(&self) -> bool {
        let length = if self.masked { 16 } else { 8 };
        self.class == 1 && self.number == 30 && self.length == length
    }
}

impl FieldId {
    /// Static facts about this field.
    #[must_use]
    #[inline]
    pub fn info(self) -> &'static FieldInfo {
        FIELDS.get(usize::from(self.0)).unwrap_or(&FIELDS[0])
    }

    /// Main name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.info().name
    }

    /// The field called `name`, main or second name, in the spelling of Open vSwitch.
    #[must_use]
    pub fn from_name(name: &str) -> Option<FieldId> {
        if name.is_empty() {
            return None;
        }
        Self::all().find(|f| f.info().name == name || f.info().alias == name)
    }

    /// The field with this wire name, for example `NXM_OF_ETH_SRC`.
    #[must_use]
    pub fn from_header_name(name: &str) -> Option<FieldId> {
        Self::all().find(|f| f.info().headers.iter().any(|h| h.name == name))
    }

    /// All fields in registry order.
    pub fn all() -> impl Iterator<Item = FieldId> {
        (0..).take(FIELDS.len()).map(FieldId)
    }

    /// The wire name to use in `form`, if the field has any.
    #[must_use]
    #[inline]
    pub fn header(self, form: Form) -> Option<&'static HeaderSpec> {
        let headers = self.info().headers;
        let minor = match form {
            Form::Nxm => return headers.first(),
            Form::Oxm(v) => v.0.saturating_sub(1),
        };
        // The newest there is; of two equally new ones the first.
        let known = headers.iter().rev().filter(|h| h.since_minor <= minor);
        known.max_by_key(|h| h.since_minor).or(headers.first())
    }

    /// The field a header names, whatever its length (but see [`Header::is_cookie`]).
    #[must_use]
    #[inline]
    pub fn from_header(header: &Header) -> Option<FieldId> {
        if header.is_cookie() {
            return Some(FieldId::COOKIE);
        }
        let class = HeaderClass::from_code(header.class, header.experimenter)?;
        let row = HEADER_LOOKUP.get(class as usize)?;
        let id = *row.get(usize::from(header.number))?;
        (id != NO_FIELD).then_some(FieldId(id))
    }

    /// Tunnel metadata field `index`, 0 to 63.
    #[must_use]
    pub fn tun_metadata(index: u8) -> Option<FieldId> {
        (index < 64).then_some(FieldId(FieldId::TUN_METADATA0.0 + index))
    }

    /// The index when this is a tunnel metadata field.
    #[must_use]
    #[inline]
    pub fn tun_metadata_index(self) -> Option<u8> {
        self.0
            .checked_sub(FieldId::TUN_METADATA0.0)
            .filter(|i| *i < 64)
    }

    /// Register `index`, 0 to 31 (the upper half from Open vSwitch 3.7).
    #[must_use]
    pub fn reg(index: u8) -> Option<FieldId> {
        (index < 32).then_some(FieldId(FieldId::REG0.0 + index))
    }

    /// The index when this is a 32-bit register.
    #[must_use]
    #[inline]
    pub fn reg_index(self) -> Option<u8> {
        self.0.checked_sub(FieldId::REG0.0).filter(|i| *i < 32)
    }

    /// The first 32-bit register and the number of them that a wide register covers.
    #[must_use]
    pub fn wide_reg(self) -> Option<(u8, u8)> {
        if let Some(i) = self.0.checked_sub(FieldId::XREG0.0).filter(|i| *i < 16) {
            return Some((i * 2, 2));
        }
        let i = self.0.checked_sub(FieldId::XXREG0.0).filter(|i| *i < 8)?;
        Some((i * 4, 4))
    }

    /// 64-bit register `index`, 0 to 15.
    #[must_use]
    pub fn xreg(index: u8) -> Option<FieldId> {
        (index < 16).then_some(FieldId(FieldId::XREG0.0 + index))
    }
}

impl fmt::Debug for FieldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for FieldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wire_name_leads_back_to_its_field() {
        for f in FieldId::all() {
            assert_eq!(FieldId::from_name(f.name()), Some(f));
            for h in f.info().headers {
                let (class, exp) = h.class.code();
                let header = Header {
                    class,
                    number: h.number,
                    masked: false,
                    length: f.info().bytes,
                    experimenter: exp.unwrap_or(0),
                };
                assert_eq!(FieldId::from_header(&header), Some(f), "{}", h.name);
                assert_eq!(FieldId::from_header_name(h.name), Some(f));
            }
        }
    }

    #[test]
    fn preferred_headers() {
        let name = |f: FieldId, form| f.header(form).map(|h| h.name);
        assert_eq!(name(FieldId::METADATA, Form::Nxm), Some("OXM_OF_METADATA"));
        assert_eq!(
            name(FieldId::IP_SRC, Form::Oxm(Version::OF14)),
            Some("OXM_OF_IPV4_SRC")
        );
        assert_eq!(
            name(FieldId::REG0, Form::Oxm(Version::OF14)),
            Some("NXM_NX_REG0")
        );
        assert_eq!(
            name(FieldId::TCP_FLAGS, Form::Oxm(Version::OF13)),
            Some("ONFOXM_ET_TCP_FLAGS")
        );
        assert_eq!(FieldId::reg(31).unwrap().name(), "reg31");
        assert_eq!(FieldId::tun_metadata(63).unwrap().name(), "tun_metadata63");
        assert_eq!(FieldId::XXREG0.wide_reg(), Some((0, 4)));
    }
}
