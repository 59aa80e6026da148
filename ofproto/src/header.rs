//! The 8-byte header in front of every message, and the open number spaces it names.
//!
//! Owns framing facts only; what a body means is the business of [`crate::msg`].
//!
//! ```
//! use ofproto::codec::Codec;
//! use ofproto::header::{MsgType, OfHeader, Version};
//!
//! let header = OfHeader::from_bytes(&[1, 18, 0, 8, 0, 0, 0, 7]).unwrap();
//! assert_eq!((header.version, header.msg_type), (Version::OF10, MsgType::BARRIER_REQUEST));
//! assert_eq!((header.length, header.xid), (8, 7));
//! ```

use crate::codec::{Codec, Reader, Writer};
use crate::error::{DecodeError, EncodeError};

/// Bytes in a header.
pub const HEADER_LEN: usize = 8;
/// Bytes in the header of a vendor message: header, vendor, subtype.
pub const VENDOR_HEADER_LEN: usize = 16;
/// The largest message the 16-bit length can describe.
pub const MAX_MESSAGE_LEN: usize = 65_535;

macro_rules! open_numbers {
    ($(#[$meta:meta])* $name:ident: $int:ty { $($(#[$cmeta:meta])* $c:ident = $v:expr),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
        pub struct $name(pub $int);

        impl $name {
            $($(#[$cmeta])* pub const $c: $name = $name($v);)*

            /// The name of the constant, if this number has one.
            #[must_use]
            pub fn name(self) -> Option<&'static str> {
                match self {
                    $($name::$c => Some(stringify!($c)),)*
                    _ => None,
                }
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, concat!(stringify!($name), "({:#x})"), self.0),
                }
            }
        }
    };
}
pub(crate) use open_numbers;

open_numbers! {
    /// Protocol version, byte 0 of a header.
    Version: u8 {
        /// OpenFlow 1.0, the main subject of this crate.
        OF10 = 0x01,
        /// OpenFlow 1.1.
        OF11 = 0x02,
        /// OpenFlow 1.2, the first with OXM.
        OF12 = 0x03,
        /// OpenFlow 1.3.
        OF13 = 0x04,
        /// OpenFlow 1.4, used only for bundles ([`crate::of14`]).
        OF14 = 0x05,
        /// OpenFlow 1.5.
        OF15 = 0x06,
    }
}

open_numbers! {
    /// Message type of OpenFlow 1.0, byte 1 of a header (OF1.0 §5.1, `enum ofp_type`).
    MsgType: u8 {
        /// Version negotiation.
        HELLO = 0,
        /// Refusal of an earlier message.
        ERROR = 1,
        /// Liveness probe.
        ECHO_REQUEST = 2,
        /// Answer to a probe.
        ECHO_REPLY = 3,
        /// Extension message.
        VENDOR = 4,
        /// Ask for the datapath's identity and ports.
        FEATURES_REQUEST = 5,
        /// The answer.
        FEATURES_REPLY = 6,
        /// Ask for the fragment policy and miss length.
        GET_CONFIG_REQUEST = 7,
        /// The answer.
        GET_CONFIG_REPLY = 8,
        /// Set fragment policy and miss length.
        SET_CONFIG = 9,
        /// A packet sent up.
        PACKET_IN = 10,
        /// A flow has gone.
        FLOW_REMOVED = 11,
        /// A port was added, removed or changed.
        PORT_STATUS = 12,
        /// A packet sent down.
        PACKET_OUT = 13,
        /// Change the flow table.
        FLOW_MOD = 14,
        /// Change a port.
        PORT_MOD = 15,
        /// Ask for statistics.
        STATS_REQUEST = 16,
        /// The answer, possibly in several parts.
        STATS_REPLY = 17,
        /// Ask for a fence.
        BARRIER_REQUEST = 18,
        /// All before the request is done.
        BARRIER_REPLY = 19,
        /// Ask for the queues of a port.
        QUEUE_GET_CONFIG_REQUEST = 20,
        /// The answer.
        QUEUE_GET_CONFIG_REPLY = 21,
    }
}

/// The vendor id of Nicira, whose extensions Open vSwitch implements.
pub const NX_VENDOR: u32 = 0x0000_2320;
/// The experimenter id of the Open Networking Foundation.
pub const ONF_VENDOR: u32 = 0x4f4e_4600;
/// The experimenter id used for NSH fields.
pub const NSH_VENDOR: u32 = 0x005a_d650;

/// A message header (`ofp_header`).
///
/// ```text
///  0        1        2                4
/// +--------+--------+----------------+--------------------------------+
/// | version|  type  |     length     |              xid               |
/// +--------+--------+----------------+--------------------------------+
/// ```
///
/// `length` counts the whole message, 8 to 65 535 bytes (OF1.0 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OfHeader {
    /// Protocol version.
    pub version: Version,
    /// Message type; its meaning depends on the version.
    pub msg_type: MsgType,
    /// Length of the whole message including this header.
    pub length: u16,
    /// Transaction id; a reply carries that of its request.
    pub xid: u32,
}

impl Codec for OfHeader {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u8(self.version.0);
        w.u8(self.msg_type.0);
        w.u16(self.length);
        w.u32(self.xid);
        Ok(())
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let [version, msg_type, l0, l1, x0, x1, x2, x3] = r.array("header")?;
        Ok(OfHeader {
            version: Version(version),
            msg_type: MsgType(msg_type),
            length: u16::from_be_bytes([l0, l1]),
            xid: u32::from_be_bytes([x0, x1, x2, x3]),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_round_trip() {
        let bytes = [1, 14, 0, 80, 0, 0, 0, 9];
        let h = OfHeader::from_bytes(&bytes).unwrap();
        assert_eq!(
            (h.version, h.msg_type, h.length, h.xid),
            (Version::OF10, MsgType::FLOW_MOD, 80, 9)
        );
        assert_eq!(h.to_bytes().unwrap(), bytes);
        assert_eq!(
            format!("{:?} {:?}", h.msg_type, MsgType(99)),
            "FLOW_MOD MsgType(0x63)"
        );
    }
}
