//! Port numbers and cookies.
//!
//! ```
//! use ofproto::ports::Port;
//!
//! // The reserved ports of later versions have 32 bits.
//! assert_eq!(Port::LOCAL.to_of11(), 0xffff_fffe);
//! assert_eq!(Port::from_of11(5), Ok(Port(5)));
//! assert!(Port::from_of11(0x1_0000).is_err());
//! ```

use crate::error::OfpError;
use crate::header::open_numbers;

open_numbers! {
    /// A port of OpenFlow 1.0, 16 bits (OF1.0 §5.2.1, `enum ofp_port`). Real ports are 1 to 0xfeff.
    Port: u16 {
        /// No port chosen; Open vSwitch's marker inside its own structures.
        UNSET = 0xfff7,
        /// The port the packet came in on.
        IN_PORT = 0xfff8,
        /// Through the flow tables (packet-out only).
        TABLE = 0xfff9,
        /// The switch's own learning pipeline.
        NORMAL = 0xfffa,
        /// All ports but the input and those with flooding off.
        FLOOD = 0xfffb,
        /// All ports but the input.
        ALL = 0xfffc,
        /// Up to the controller.
        CONTROLLER = 0xfffd,
        /// The switch's own network device.
        LOCAL = 0xfffe,
        /// No port, or any port, depending on the place.
        NONE = 0xffff,
    }
}

impl Port {
    /// First number after the real ports.
    pub const MAX: u16 = 0xff00;

    /// From the 32-bit numbering of OpenFlow 1.1 and later.
    ///
    /// # Errors
    /// `OFPBAC_BAD_OUT_PORT` for numbers between the two real ranges.
    pub fn from_of11(port: u32) -> Result<Port, OfpError> {
        let [b3, b2, b1, b0] = port.to_be_bytes();
        let low = u16::from_be_bytes([b1, b0]);
        match u16::from_be_bytes([b3, b2]) {
            0 if low < Port::MAX => Ok(Port(low)),
            0xffff if low >= Port::MAX => Ok(Port(low)),
            _ => Err(OfpError::OFPBAC_BAD_OUT_PORT),
        }
    }

    /// In the 32-bit numbering of OpenFlow 1.1 and later.
    #[must_use]
    pub fn to_of11(self) -> u32 {
        if self.0 < Port::MAX {
            u32::from(self.0)
        } else {
            0xffff_0000 | u32::from(self.0)
        }
    }

    /// Whether `output` accepts this port (`ofpact_check_output_port` rules): a real port or a
    /// reserved one other than NONE and UNSET.
    #[must_use]
    pub fn is_valid_output(self) -> bool {
        self.0 < Port::MAX || (Port::IN_PORT.0..=Port::LOCAL.0).contains(&self.0)
    }

    /// Whether an `enqueue` action may name it.
    #[must_use]
    pub fn has_queues(self) -> bool {
        self.0 < Port::MAX || self == Port::IN_PORT || self == Port::LOCAL
    }
}

/// All ones in a cookie field of a MODIFY: leave the flow's cookie as it is.
pub const COOKIE_KEEP: u64 = u64::MAX;

/// Table number for "all tables" in requests.
pub const TABLE_ALL: u8 = 0xff;

/// "No buffer" in packet-ins, packet-outs and flow mods.
pub const NO_BUFFER: u32 = 0xffff_ffff;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of11_numbers() {
        assert_eq!(Port::from_of11(5), Ok(Port(5)));
        assert_eq!(Port::from_of11(0xffff_fffe), Ok(Port::LOCAL));
        assert!(Port::from_of11(0x0001_0000).is_err());
        assert!(Port::from_of11(0x0000_fffe).is_err());
        assert_eq!(Port::LOCAL.to_of11(), 0xffff_fffe);
        assert!(!Port::NONE.is_valid_output());
    }
}
