//! Messages: everything that is valid on an OpenFlow 1.0 connection to Open vSwitch.
//!
//! [`Message`] is the body of a message as a value; [`Message::encode`] and [`Message::decode`]
//! add and check the header. What the crate does not know - other versions, foreign vendors, new
//! numbers - becomes [`Message::Unknown`], byte for byte, and is written back unchanged.
//!
//! ```
//! use ofproto::msg::{FlowStatsRequest, Message, StatsRequest};
//!
//! // Ask for all flows of table 5.
//! let request = StatsRequest::Flow(FlowStatsRequest { table: 5, ..Default::default() });
//! let message = Message::StatsRequest { flags: 0, body: request };
//! let mut buf = Vec::new();
//! message.encode(1, &mut buf)?;
//! assert_eq!(buf.len(), 32);
//! assert_eq!(Message::decode(&buf).unwrap().1, message);
//! # Ok::<(), ofproto::EncodeError>(())
//! ```
//!
//! One message or family per file, with its wire picture. `tests/vectors.rs` holds them against
//! recorded messages.

mod counters;
mod flow_mod;
mod flow_removed;
mod flow_stats;
mod group;
mod handshake;
mod message;
mod monitor;
mod nicira;
mod packet;
mod port;
mod queue;
pub mod registry;
mod stats;

pub use counters::{DescStats, IpfixStats, PortStats, TableStats};
pub use flow_mod::{FlowMod, FlowModCommand, FlowModForm, flow_flags};
pub use flow_removed::{FlowRemoved, FlowRemovedReason};
pub use flow_stats::{AggregateStats, FlowStats, FlowStatsRequest};
pub use group::{
    BUCKET_ALL, BUCKET_FIRST, BUCKET_LAST, BUCKET_MAX, Bucket, GROUP_ALL, GROUP_ANY, GroupCommand,
    GroupDesc, GroupFeatures, GroupMod, GroupStats, GroupType, SelectionMethod,
};
pub use handshake::{ErrorMsg, Hello, SwitchConfig, SwitchFeatures};
pub use message::{Message, UnknownMessage};
pub use monitor::{FlowEvent, FlowMonitorRequest, FlowUpdate, FlowUpdateFull, monitor_flags};
pub(crate) use nicira::Family;
pub use nicira::{
    AsyncConfig, AsyncProperty, CtFlush, CtTuple, FlowFormat, PacketInFormat, Role, TlvCommand,
    TlvMap, TlvTableMod, TlvTableReply,
};
pub use packet::{NxPacketIn, PacketIn, PacketIn2, PacketOut};
pub use port::{FixedStr, PhyPort, PortMod, PortReason, PortStatus};
pub use queue::{PacketQueue, QUEUE_ALL, QueueConfig, QueueProperty, QueueStats};
pub use stats::{StatsReply, StatsRequest, UnknownStats};

use crate::codec::{Codec, Reader};
use crate::error::DecodeError;

/// Reads values until `r` is empty or one is not valid; what is wrong with that comes second.
fn decode_prefix<'a, T>(
    r: &mut Reader<'a>,
    decode: impl Fn(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> (Vec<T>, Option<DecodeError>) {
    let mut list = Vec::new();
    while !r.is_empty() {
        match decode(r) {
            Ok(value) => list.push(value),
            Err(error) => return (list, Some(error)),
        }
    }
    (list, None)
}

/// Reads values until `r` is empty. Every value takes at least one byte, so the list is bounded by
/// the input.
fn decode_list<T: Codec>(r: &mut Reader<'_>) -> Result<Vec<T>, DecodeError> {
    let mut list = Vec::new();
    while !r.is_empty() {
        list.push(T::decode(r)?);
    }
    Ok(list)
}
