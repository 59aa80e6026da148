//! What can be written into a field: integers and addresses as right-aligned `u128`, and the
//! range rules of single fields.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::FieldId;
use crate::ports::Port;

/// A value for [`super::Match::with`].
pub trait FieldValue {
    /// The value as a right-aligned integer.
    fn to_field(&self) -> u128;
}

macro_rules! ints {
    ($($t:ty)*) => {$(impl FieldValue for $t {
        fn to_field(&self) -> u128 {
            u128::from(*self)
        }
    })*};
}
ints!(u8 u16 u32 u64 u128);

impl FieldValue for [u8; 6] {
    fn to_field(&self) -> u128 {
        self.iter().fold(0, |v, b| v << 8 | u128::from(*b))
    }
}

impl FieldValue for Ipv4Addr {
    fn to_field(&self) -> u128 {
        u128::from(u32::from(*self))
    }
}

impl FieldValue for Ipv6Addr {
    fn to_field(&self) -> u128 {
        u128::from(*self)
    }
}

impl FieldValue for Port {
    fn to_field(&self) -> u128 {
        u128::from(self.0)
    }
}

impl FieldId {
    /// Whether Open vSwitch accepts `value` for this field (bits that must be zero, ranges).
    #[must_use]
    #[inline]
    pub fn value_in_range(self, value: u128) -> bool {
        let allowed = match self {
            FieldId::NW_TOS => 0xfc,
            FieldId::IP_DSCP => 0x3f,
            FieldId::NW_ECN | FieldId::IP_FRAG => 0x3,
            FieldId::TCP_FLAGS => 0xfff,
            FieldId::ARP_OP | FieldId::CT_STATE => 0xff,
            FieldId::DL_VLAN => 0xfff,
            FieldId::VLAN_VID => 0x1fff,
            FieldId::DL_VLAN_PCP | FieldId::VLAN_PCP | FieldId::MPLS_TC => 0x7,
            FieldId::IPV6_LABEL | FieldId::MPLS_LABEL => 0xf_ffff,
            FieldId::MPLS_BOS | FieldId::TUN_FLAGS => 0x1,
            FieldId::NSH_TTL => 0x3f,
            FieldId::NSH_SPI => 0xff_ffff,
            FieldId::NSH_MDTYPE => return value == 1 || value == 2,
            FieldId::IN_PORT_OXM | FieldId::ACTSET_OUTPUT => {
                return u32::try_from(value).is_ok_and(|v| Port::from_of11(v).is_ok());
            }
            _ => return true,
        };
        value & !allowed == 0
    }

    /// The mask kept for a stored field when `mask` was asked for. Fields whose unused high bits do
    /// not matter are widened to an exact match when all used bits are compared; the switch's own
    /// habits are followed where it compares less than asked.
    #[must_use]
    #[inline]
    pub(crate) fn stored_mask(self, value: u128, mask: u128) -> u128 {
        let used = match self {
            FieldId::IPV6_LABEL if mask & 0xf_ffff == 0xf_ffff => 0xf_ffff,
            FieldId::NSH_SPI => 0xff_ffff,
            FieldId::IP_FRAG => 0x3,
            FieldId::CT_STATE => return mask & 0xff,
            FieldId::TUN_FLAGS => return mask & 0x1,
            FieldId::TUN_ERSPAN_VER
            | FieldId::TUN_ERSPAN_DIR
            | FieldId::TUN_ERSPAN_HWID
            | FieldId::TUN_GTPU_FLAGS
            | FieldId::TUN_GTPU_MSGTYPE => return value & mask,
            _ => return mask,
        };
        match mask & used {
            m if m == used => self.info().full_mask(),
            m => m,
        }
    }
}
