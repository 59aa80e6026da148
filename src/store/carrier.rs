//! What may carry a network: the one place that knows which columns go together and which numbers are allowed, for
//! those who write rows and for those who must survive what somebody wrote by hand.

use std::str::FromStr;
use std::sync::Arc;

use super::Value;
use crate::model::{NetworkType, TunnelType};

/// Smallest and largest MTU that a network may have: the smallest that IPv4 allows (RFC 791 §3.2), and the largest
/// that fits into the 16 bits of an IP length.
pub const MTU: std::ops::RangeInclusive<i64> = 68..=65535;

/// The carrier that the columns of a segment name, or what is wrong with them.
pub fn network_type(
    kind: &str,
    physical_network: Option<&Arc<str>>,
    number: &Value,
) -> Result<NetworkType, String> {
    let physical = || {
        let missing = || format!("a {kind} network needs a physical network");
        physical_network.cloned().ok_or_else(missing)
    };
    let number_in = |what: &str, max: u32| match number {
        Value::Int(n) if (1..=i64::from(max)).contains(n) => {
            u32::try_from(*n).map_err(|_| String::new())
        }
        Value::Null => Err(format!(
            "a {kind} network needs a segmentation id: a {what} in 1..={max}"
        )),
        other => Err(format!(
            "segmentation id {} is not a {what} in 1..={max}",
            other.describe()
        )),
    };
    let without = |what: &str, present: bool| match present {
        true => Err(format!("a {kind} network has no {what}")),
        false => Ok(()),
    };
    match kind {
        "local" => {
            without("physical network", physical_network.is_some())?;
            without("segmentation id", !number.is_null())?;
            Ok(NetworkType::Local)
        }
        "flat" => {
            without("segmentation id", !number.is_null())?;
            Ok(NetworkType::Flat {
                physical_network: physical()?,
            })
        }
        "vlan" => {
            let vid = number_in("VLAN id", 4094)?;
            Ok(NetworkType::Vlan {
                physical_network: physical()?,
                vid: u16::try_from(vid).unwrap_or(0),
            })
        }
        _ => {
            let kind = TunnelType::from_str(kind).map_err(|()| {
                format!("network type {kind:?} is unknown: local, flat, vlan, gre and vxlan are")
            })?;
            without("physical network", physical_network.is_some())?;
            Ok(NetworkType::Tunnel {
                kind,
                key: number_in("tunnel key", kind.max_key())?,
            })
        }
    }
}
