//! `encap`: push a header. OpenFlow 1.3 and later; here for reading and printing only.

use crate::codec::Reader;
use crate::error::{DecodeError, OfpError};

/// A property of `encap`, uninterpreted (`ofp_ed_prop_header`).
///
/// ```text
///  0       2      3        4
/// +-------+------+--------+------ - -
/// | class | type | length | data
/// +-------+------+--------+------ - -
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EncapProperty {
    /// Property class; 4 is NSH.
    pub class: u16,
    /// Type within the class.
    pub kind: u8,
    /// Bytes after the four of the header, without padding.
    pub data: Box<[u8]>,
}

/// `encap` (`nx_action_encap`, 16 bytes and properties).
///
/// ```text
///  10         12           16
/// +----------+------------+------------ - -
/// | hdr size | packet type| properties
/// +----------+------------+------------ - -
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Encap {
    /// Header size in bytes, 0 for unspecified.
    pub hdr_size: u16,
    /// Packet type after the push: namespace << 16 | type.
    pub packet_type: u32,
    /// Properties of the new header.
    pub properties: Vec<EncapProperty>,
}

const KNOWN_TYPES: [u32; 4] = [0, 0x0001_894f, 0x0001_8847, 0x0001_8848];

impl Encap {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = r.offset();
        let hdr_size = r.u16("header size")?;
        let packet_type = r.u32("packet type")?;
        if !KNOWN_TYPES.contains(&packet_type) {
            return Err(DecodeError::new(
                OfpError::NXBAC_BAD_HEADER_TYPE,
                "encap",
                at,
            ));
        }
        let mut properties = Vec::new();
        while !r.is_empty() {
            let mut p = r.short_as(OfpError::OFPBAC_BAD_LEN);
            let class = p.u16("encap property class")?;
            let kind = p.u8("encap property type")?;
            let len = usize::from(p.u8("encap property length")?);
            let data = len
                .checked_sub(4)
                .ok_or(r.error(OfpError::OFPBAC_BAD_LEN, "encap property length"))?;
            let data = p.take(data, "encap property")?.into();
            let padded = len.next_multiple_of(8).min(r.remaining());
            r.skip(padded, "encap property")?;
            properties.push(EncapProperty { class, kind, data });
        }
        Ok(Encap {
            hdr_size,
            packet_type,
            properties,
        })
    }
}
