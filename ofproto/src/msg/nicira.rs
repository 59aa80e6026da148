//! Nicira's connection settings and side services: roles, asynchronous message filters, tunnel
//! option table, conntrack flush (`nicira-ext.h`).

use core::net::Ipv6Addr;

use crate::codec::{Codec, Reader, Writer};
use crate::error::{DecodeError, EncodeError, OfpError};
use crate::header::open_numbers;
use crate::property;

open_numbers! {
    /// A controller's role.
    Role: u32 {
        /// Full access; the default.
        OTHER = 0,
        /// Full access, at most one.
        PRIMARY = 1,
        /// Read-only.
        SECONDARY = 2,
    }
}

open_numbers! {
    /// Which flow messages a switch sends (`NXT_SET_FLOW_FORMAT`).
    FlowFormat: u32 {
        /// The standard ones.
        OPENFLOW10 = 0,
        /// Nicira's.
        NXM = 2,
    }
}

open_numbers! {
    /// Which packet-in messages a switch sends (`NXT_SET_PACKET_IN_FORMAT`).
    PacketInFormat: u32 {
        /// The standard ones.
        STANDARD = 0,
        /// `NXT_PACKET_IN`.
        NXT_PACKET_IN = 1,
        /// `NXT_PACKET_IN2`.
        NXT_PACKET_IN2 = 2,
    }
}

/// `NXT_SET_ASYNC_CONFIG`: which asynchronous messages to send, bit n for reason n. The first
/// of each pair is for primary and other, the second for secondary.
///
/// ```text
///  16             24               32               40
/// +--------------+----------------+----------------+
/// | packet_in x2 | port_status x2 | flow_removed x2|
/// +--------------+----------------+----------------+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct AsyncConfig {
    /// Packet-in reasons.
    pub packet_in: [u32; 2],
    /// Port status reasons.
    pub port_status: [u32; 2],
    /// Flow removed reasons.
    pub flow_removed: [u32; 2],
}

impl Codec for AsyncConfig {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        for pair in [self.packet_in, self.port_status, self.flow_removed] {
            pair.iter().for_each(|m| w.u32(*m));
        }
        Ok(())
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut pair = || -> Result<[u32; 2], DecodeError> {
            Ok([r.u32("async mask")?, r.u32("async mask")?])
        };
        Ok(AsyncConfig {
            packet_in: pair()?,
            port_status: pair()?,
            flow_removed: pair()?,
        })
    }
}

/// One property of `NXT_SET_ASYNC_CONFIG2` (`ofp14_async_config_prop_reasons`).
///
/// ```text
///  0      2     4      8
/// +------+-----+------+
/// | kind |  8  | mask |
/// +------+-----+------+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AsyncProperty {
    /// Twice the message kind (packet-in, port status, flow removed, role status, table status,
    /// requestforward), plus 1 for primary.
    pub kind: u16,
    /// Bit n for reason n.
    pub mask: u32,
}

impl AsyncProperty {
    /// The reasons that exist, per pair of property types: packet-in, port status, flow removed,
    /// role status, table status, request forward.
    pub const ALLOWED: [u32; 6] = [0b111, 0b111, 0b11_1111, 0b111, 0b1_1000, 0b11];
    /// From here on property types are an experimenter's.
    const EXPERIMENTER: u16 = 0xfffe;
}

impl Codec for AsyncProperty {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        property::put_u32(w, self.kind, self.mask)
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut p = property::take_with(r, Self::EXPERIMENTER)?;
        let Some(allowed) = Self::ALLOWED.get(usize::from(p.kind / 2)) else {
            // Most messages answer with an error about properties here.
            let code = match p.kind {
                Self::EXPERIMENTER.. => OfpError::OFPBPC_BAD_EXP_TYPE,
                _ => OfpError::OFPACFC_UNSUPPORTED,
            };
            return Err(DecodeError::new(code, "async property", p.at));
        };
        let mask = p.u32()?;
        if mask & !allowed != 0 {
            let code = OfpError::OFPACFC_INVALID;
            return Err(DecodeError::new(code, "async reasons", p.at));
        }
        Ok(AsyncProperty { kind: p.kind, mask })
    }
}

open_numbers! {
    /// What to do with the tunnel option table.
    TlvCommand: u16 {
        /// Add mappings.
        ADD = 0,
        /// Remove mappings.
        DELETE = 1,
        /// Remove all.
        CLEAR = 2,
    }
}

/// A Geneve option and the `tun_metadata` field that shows it (`nx_tlv_map`, 8 bytes).
///
/// ```text
///  0       2      3     4       6     8
/// +-------+------+-----+-------+-----+
/// | class | type | len | index | pad |
/// +-------+------+-----+-------+-----+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TlvMap {
    /// Option class.
    pub class: u16,
    /// Option type.
    pub kind: u8,
    /// Option length in bytes, a multiple of 4 from 4 to 124.
    pub len: u8,
    /// Number of the `tun_metadata` field.
    pub index: u16,
}

impl Codec for TlvMap {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u16(self.class);
        w.u8(self.kind);
        w.u8(self.len);
        w.u16(self.index);
        w.zeros(2);
        Ok(())
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = r.offset();
        let m = TlvMap {
            class: r.u16("option class")?,
            kind: r.u8("option type")?,
            len: r.u8("option length")?,
            index: r.u16("option index")?,
        };
        r.skip(2, "pad")?;
        if !m.len.is_multiple_of(4) || m.len > 124 {
            return Err(DecodeError::new(
                OfpError::NXTTMFC_BAD_OPT_LEN,
                "option length",
                at,
            ));
        }
        Ok(m)
    }
}

/// How many `tun_metadata` fields there are.
const TUN_METADATA_FIELDS: u16 = 64;

/// Reads mappings to fields below `fields`.
fn decode_maps(r: &mut Reader<'_>, fields: u16) -> Result<Vec<TlvMap>, DecodeError> {
    let mut maps = Vec::new();
    while !r.is_empty() {
        let map = TlvMap::decode(r)?;
        if map.index >= fields {
            return Err(r.error(OfpError::NXTTMFC_BAD_FIELD_IDX, "option index"));
        }
        maps.push(map);
    }
    Ok(maps)
}

/// `NXT_TLV_TABLE_MOD`, 24 bytes and mappings.
///
/// ```text
///  16        18    24
/// +---------+-----+------ - -
/// | command | pad | maps
/// +---------+-----+------ - -
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TlvTableMod {
    /// What to do.
    pub command: TlvCommand,
    /// With which mappings.
    pub maps: Vec<TlvMap>,
}

impl Codec for TlvTableMod {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u16(self.command.0);
        w.zeros(6);
        self.maps.iter().try_for_each(|m| m.encode(w))
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let command = TlvCommand(r.u16("tlv command")?);
        if command.name().is_none() {
            return Err(r.error(OfpError::NXTTMFC_BAD_COMMAND, "tlv command"));
        }
        r.skip(6, "pad")?;
        let maps = decode_maps(r, TUN_METADATA_FIELDS)?;
        Ok(TlvTableMod { command, maps })
    }
}

/// `NXT_TLV_TABLE_REPLY`, 32 bytes and mappings.
///
/// ```text
///  16                 20           22         32
/// +------------------+------------+----------+------ - -
/// | max option space | max fields | reserved | maps
/// +------------------+------------+----------+------ - -
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TlvTableReply {
    /// Bytes of options in all.
    pub max_option_space: u32,
    /// Number of fields.
    pub max_fields: u16,
    /// The mappings.
    pub maps: Vec<TlvMap>,
}

impl Codec for TlvTableReply {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u32(self.max_option_space);
        w.u16(self.max_fields);
        w.zeros(10);
        self.maps.iter().try_for_each(|m| m.encode(w))
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let max_option_space = r.u32("max option space")?;
        let max_fields = r.u16("max fields")?;
        r.skip(10, "reserved")?;
        Ok(TlvTableReply {
            max_option_space,
            max_fields,
            maps: decode_maps(r, max_fields)?,
        })
    }
}

/// One direction of a connection to flush (`enum nx_ct_flush_tuple_tlv_type`); what is not given
/// matches anything.
///
/// A property that holds properties, each padded to 8:
///
/// ```text
///  0      2        4     8                                                     type
/// +------+--------+-----+---------- - -     +---------------------------------+
/// | kind | length | pad | properties        | source address, 16 bytes        | 0
/// +------+--------+-----+---------- - -     | destination address, 16 bytes   | 1
///                                           | source port, destination port   | 2, 3
///                                           | ICMP id, type, code             | 4, 5, 6
///                                           +---------------------------------+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct CtTuple {
    /// Source address; IPv4 as an IPv4-mapped address.
    pub src: Option<Ipv6Addr>,
    /// Destination address.
    pub dst: Option<Ipv6Addr>,
    /// Source port.
    pub src_port: Option<u16>,
    /// Destination port.
    pub dst_port: Option<u16>,
    /// ICMP id.
    pub icmp_id: Option<u16>,
    /// ICMP type.
    pub icmp_type: Option<u8>,
    /// ICMP code.
    pub icmp_code: Option<u8>,
}

impl CtTuple {
    fn is_empty(&self) -> bool {
        *self == CtTuple::default()
    }

    fn encode(&self, w: &mut Writer<'_>, kind: u16) -> Result<(), EncodeError> {
        if self.is_empty() {
            return Ok(());
        }
        property::put(w, kind, |w| {
            w.zeros(4);
            let start = w.position();
            if let Some(a) = self.src {
                property::put_bytes(w, 0, &a.octets())?;
            }
            if let Some(a) = self.dst {
                property::put_bytes(w, 1, &a.octets())?;
            }
            if let Some(v) = self.icmp_id {
                property::put_u16(w, 4, v)?;
            }
            if let Some(v) = self.icmp_type {
                property::put_u8(w, 5, v)?;
            }
            if let Some(v) = self.icmp_code {
                property::put_u8(w, 6, v)?;
            }
            if let Some(v) = self.src_port {
                property::put_u16(w, 2, v)?;
            }
            if let Some(v) = self.dst_port {
                property::put_u16(w, 3, v)?;
            }
            w.pad8(start);
            Ok(())
        })
    }

    fn decode(mut r: Reader<'_>) -> Result<Self, DecodeError> {
        let mut t = CtTuple::default();
        while !r.is_empty() {
            let mut p = property::take(&mut r)?;
            match p.kind {
                0 | 1 => {
                    let address = Ipv6Addr::from(p.data.array::<16>("tuple address")?);
                    if p.kind == 0 {
                        t.src = Some(address)
                    } else {
                        t.dst = Some(address)
                    }
                }
                2 => t.src_port = Some(p.u16()?),
                3 => t.dst_port = Some(p.u16()?),
                4 => t.icmp_id = Some(p.u16()?),
                5 => t.icmp_type = Some(p.u8()?),
                6 => t.icmp_code = Some(p.u8()?),
                _ => return Err(p.unknown("tuple property")),
            }
        }
        Ok(t)
    }
}

/// `NXT_CT_FLUSH`: forget matching connections.
///
/// ```text
///  16         17    24
/// +----------+-----+------------ - -
/// | ip_proto | pad | properties: tuples, zone, mark, labels
/// +----------+-----+------------ - -
/// ```
///
/// Marks and labels are newer than Open vSwitch 3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct CtFlush {
    /// IP protocol, 0 for any.
    pub ip_proto: u8,
    /// The connection as its first packet saw it.
    pub orig: CtTuple,
    /// The connection as replies see it.
    pub reply: CtTuple,
    /// Zone.
    pub zone: Option<u16>,
    /// Mark.
    pub mark: Option<u32>,
    /// Which mark bits; all if only `mark` is given.
    pub mark_mask: Option<u32>,
    /// Labels.
    pub labels: Option<u128>,
    /// Which label bits; all if only `labels` is given.
    pub labels_mask: Option<u128>,
}

/// The addresses of a flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// None, or the unspecified one.
    Unknown,
    V4,
    V6,
}

impl CtFlush {
    /// Of which family the addresses are; `None` when of both. An unspecified address is of
    /// neither.
    pub(crate) fn family(&self) -> Option<Family> {
        let sides = [self.orig, self.reply];
        let addresses = sides.iter().flat_map(|tuple| [tuple.src, tuple.dst]);
        addresses
            .flatten()
            .try_fold(Family::Unknown, |so_far, address| {
                let family = match address.to_ipv4_mapped() {
                    _ if address.is_unspecified() => Family::Unknown,
                    Some(_) => Family::V4,
                    None => Family::V6,
                };
                let mixed = so_far != family && so_far != Family::Unknown;
                (!mixed || family == Family::Unknown).then_some(family)
            })
    }
}

impl Codec for CtFlush {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u8(self.ip_proto);
        w.zeros(7);
        self.orig.encode(w, 0)?;
        self.reply.encode(w, 1)?;
        if let Some(v) = self.zone {
            property::put_u16(w, 2, v)?;
        }
        if let Some(v) = self.mark {
            property::put_u32(w, 3, v)?;
        }
        if let Some(v) = self.mark_mask {
            property::put_u32(w, 4, v)?;
        }
        if let Some(v) = self.labels {
            property::put_bytes(w, 5, &v.to_be_bytes())?;
        }
        if let Some(v) = self.labels_mask {
            property::put_bytes(w, 6, &v.to_be_bytes())?;
        }
        Ok(())
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut f = CtFlush {
            ip_proto: r.u8("ip_proto")?,
            ..CtFlush::default()
        };
        r.zeros(7, OfpError::NXBRC_MUST_BE_ZERO, "ct flush pad")?;
        while !r.is_empty() {
            let mut p = property::take(r)?;
            let (kind, at) = (p.kind, p.at);
            match kind {
                0 => f.orig = CtTuple::decode(p.nested()?)?,
                1 => f.reply = CtTuple::decode(p.nested()?)?,
                2 => f.zone = Some(p.u16()?),
                3 => f.mark = Some(p.u32()?),
                4 => f.mark_mask = Some(p.u32()?),
                5 | 6 => {
                    let v = p.data.u128("labels")?;
                    p.data.finish("labels")?;
                    if p.kind == 5 {
                        f.labels = Some(v)
                    } else {
                        f.labels_mask = Some(v)
                    }
                }
                _ => return Err(p.unknown("ct flush property")),
            }
            if matches!(kind, 0 | 1) && f.family().is_none() {
                let code = OfpError::OFPBPC_BAD_VALUE;
                return Err(DecodeError::new(code, "tuple address", at));
            }
        }
        Ok(f)
    }
}
