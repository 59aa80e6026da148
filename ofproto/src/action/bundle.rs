//! Choosing one of several links by hash: `multipath` and `bundle`.

use super::Subfield;
use super::encode::vendor_action;
use super::subfield::Use;
use crate::codec::{Reader, Writer};
use crate::error::{DecodeError, EncodeError, OfpError};
use crate::header::open_numbers;
use crate::ports::Port;

open_numbers! {
    /// Which packet fields are hashed (`enum nx_hash_fields`).
    HashFields: u16 {
        /// Ethernet source.
        ETH_SRC = 0,
        /// L2 to L4, the same both ways.
        SYMMETRIC_L4 = 1,
        /// L3 and TCP or SCTP ports, the same both ways.
        SYMMETRIC_L3L4 = 2,
        /// As `SYMMETRIC_L3L4`, and UDP ports.
        SYMMETRIC_L3L4_UDP = 3,
        /// Network source.
        NW_SRC = 4,
        /// Network destination.
        NW_DST = 5,
        /// L3 addresses, the same both ways.
        SYMMETRIC_L3 = 6,
    }
}

open_numbers! {
    /// How a hash becomes a link number (`enum nx_mp_algorithm`).
    MultipathAlgorithm: u16 {
        /// Remainder.
        MODULO_N = 0,
        /// Equal ranges.
        HASH_THRESHOLD = 1,
        /// Highest random weight.
        HRW = 2,
        /// Iterated hash.
        ITER_HASH = 3,
    }
}

open_numbers! {
    /// How a bundle chooses among live members (`enum nx_bd_algorithm`).
    BundleAlgorithm: u16 {
        /// The first live one.
        ACTIVE_BACKUP = 0,
        /// Highest random weight.
        HRW = 1,
    }
}

/// `multipath`: hash a packet into a link number (`nx_action_multipath`, 32 bytes).
///
/// ```text
///  10       12       14    16       18       20       24  26       28
/// +--------+--------+-----+--------+--------+--------+---+--------+--------+
/// | fields | basis  | pad |  alg   |max_link|  arg   |pad|ofs_nbit|  dst   |
/// +--------+--------+-----+--------+--------+--------+---+--------+--------+
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Multipath {
    /// What to hash.
    pub fields: HashFields,
    /// Seed of the hash.
    pub basis: u16,
    /// How to map it.
    pub algorithm: MultipathAlgorithm,
    /// Number of links less one.
    pub max_link: u16,
    /// Parameter of the algorithm.
    pub arg: u32,
    /// Where the link number goes.
    pub dst: Subfield,
}

/// `bundle` and `bundle_load`: choose a live port (`nx_action_bundle`, 32 bytes and members).
///
/// ```text
///  10     12       14       16          20      22       24    28      32
/// +------+--------+--------+-----------+-------+--------+-----+-------+---- - -
/// | alg  | fields | basis  |member type|   n   |ofs_nbit| dst | zero  | ports
/// +------+--------+--------+-----------+-------+--------+-----+-------+---- - -
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bundle {
    /// How to choose.
    pub algorithm: BundleAlgorithm,
    /// What to hash.
    pub fields: HashFields,
    /// Seed of the hash.
    pub basis: u16,
    /// The ports.
    pub members: Vec<Port>,
    /// For `bundle_load`: write the port here instead of sending to it.
    pub dst: Option<Subfield>,
}

/// NXM header of the only member type there is, `NXM_OF_IN_PORT`.
const MEMBER_TYPE_PORT: u32 = 0x0000_0002;
/// Open vSwitch's limit.
const MAX_MEMBERS: u16 = 2048;

/// Whether a bundle may have this port, or this placeholder, as a member.
pub(super) fn is_member(port: Port) -> bool {
    port == Port::NONE || port != Port::CONTROLLER && port.is_valid_output()
}

fn argument(at: usize, what: &'static str) -> DecodeError {
    DecodeError::new(OfpError::OFPBAC_BAD_ARGUMENT, what, at)
}

impl Multipath {
    pub(super) fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        vendor_action(w, 10, |w| {
            w.u16(self.fields.0);
            w.u16(self.basis);
            w.zeros(2);
            w.u16(self.algorithm.0);
            w.u16(self.max_link);
            w.u32(self.arg);
            w.zeros(2);
            w.u16(self.dst.ofs_nbits());
            self.dst.encode_header(w)
        })
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = r.offset();
        let fields = HashFields(r.u16("hash fields")?);
        let basis = r.u16("basis")?;
        r.skip(2, "pad")?;
        let algorithm = MultipathAlgorithm(r.u16("algorithm")?);
        let max_link = r.u16("max link")?;
        let arg = r.u32("argument")?;
        r.skip(2, "pad")?;
        let (ofs, n_bits) = Subfield::split(r.u16("ofs_nbits")?);
        let dst = Subfield::decode_word(r, ofs, n_bits)?;
        let needed = (u32::from(max_link) + 1)
            .next_power_of_two()
            .trailing_zeros();
        if fields.name().is_none() || algorithm.name().is_none() || u32::from(dst.n_bits) < needed {
            return Err(argument(at, "multipath"));
        }
        dst.check(Use::Destination, at)?;
        Ok(Multipath {
            fields,
            basis,
            algorithm,
            max_link,
            arg,
            dst,
        })
    }
}

impl Bundle {
    pub(super) fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        let subtype = if self.dst.is_some() { 13 } else { 12 };
        vendor_action(w, subtype, |w| {
            w.u16(self.algorithm.0);
            w.u16(self.fields.0);
            w.u16(self.basis);
            w.u32(MEMBER_TYPE_PORT);
            let n = u16::try_from(self.members.len()).map_err(|_| EncodeError::TooLong {
                what: "bundle members",
                len: self.members.len(),
            })?;
            w.u16(n);
            if let Some(dst) = self.dst {
                w.u16(dst.ofs_nbits());
                dst.encode_header(w)?;
            } else {
                w.zeros(6);
            }
            w.zeros(4);
            self.members.iter().for_each(|p| w.u16(p.0));
            Ok(())
        })
    }

    pub(super) fn decode(r: &mut Reader<'_>, load: bool) -> Result<Self, DecodeError> {
        let at = r.offset();
        let algorithm = BundleAlgorithm(r.u16("algorithm")?);
        let fields = HashFields(r.u16("hash fields")?);
        let basis = r.u16("basis")?;
        let member_type = r.u32("member type")?;
        let n = r.u16("member count")?;
        let ofs_nbits = r.u16("ofs_nbits")?;
        let mut dst_reader = r.sub(4, "destination")?;
        let dst = if load {
            let (ofs, n_bits) = Subfield::split(ofs_nbits);
            Some(Subfield::decode_word(&mut dst_reader, ofs, n_bits)?)
        } else {
            None
        };
        let surplus = !load && (ofs_nbits != 0 || dst_reader.peek() != [0; 4]);
        let zeros = r.u32("bundle zeros")?;
        if r.remaining() < usize::from(n) * 2 {
            return Err(DecodeError::new(
                OfpError::OFPBAC_BAD_LEN,
                "bundle members",
                at,
            ));
        }
        if fields.name().is_none()
            || algorithm.name().is_none()
            || member_type != MEMBER_TYPE_PORT
            || zeros != 0
            || surplus
            || n > MAX_MEMBERS
            || dst.is_some_and(|d| d.n_bits < 16)
        {
            return Err(argument(at, "bundle"));
        }
        let mut members = Vec::new();
        for _ in 0..n {
            let port = Port(r.u16("bundle member")?);
            if !is_member(port) {
                return Err(DecodeError::new(
                    OfpError::OFPBAC_BAD_OUT_PORT,
                    "bundle member",
                    at,
                ));
            }
            members.push(port);
        }
        if let Some(dst) = dst {
            dst.check(Use::Destination, at)?;
        }
        r.skip(r.remaining(), "pad")?;
        Ok(Bundle {
            algorithm,
            fields,
            basis,
            members,
            dst,
        })
    }
}
