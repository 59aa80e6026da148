//! What to look for in the connection table.

use core::net::IpAddr;

use super::{CtMessage, CtOp, Entry, FilterFlags, PortTuple, Tuple, TupleAddresses};
use crate::attr::HostU32;
use crate::message::Family;
use crate::wire::Flags;

/// Fields of one direction that must be equal; absent ones do not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PartialTuple {
    /// Source address.
    pub src: Option<IpAddr>,
    /// Destination address.
    pub dst: Option<IpAddr>,
    /// Protocol number; needed for ports.
    pub protocol: Option<u8>,
    /// Source port.
    pub src_port: Option<u16>,
    /// Destination port.
    pub dst_port: Option<u16>,
}

/// Conditions that must all hold. An empty filter is everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    /// Family; [`Family::UNSPEC`] is both.
    pub family: Family,
    /// Zone of both directions.
    pub zone: Option<u16>,
    /// Mark: value and the bits that count.
    pub mark: Option<(u32, u32)>,
    /// Original direction.
    pub original: PartialTuple,
    /// Reply direction.
    pub reply: PartialTuple,
}

impl PartialTuple {
    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn matches(&self, tuple: Option<&Tuple>) -> bool {
        if self.is_empty() {
            return true;
        }
        let Some(tuple) = tuple else { return false };
        let proto = tuple.proto.as_ref();
        fn same<T: PartialEq>(wanted: Option<T>, there: Option<T>) -> bool {
            wanted.is_none() || wanted == there
        }
        same(self.src, tuple.src())
            && same(self.dst, tuple.dst())
            && same(self.protocol, tuple.protocol())
            && same(self.src_port, proto.and_then(|p| p.src_port))
            && same(self.dst_port, proto.and_then(|p| p.dst_port))
    }

    /// The tuple for the kernel and the bits that say which fields count.
    fn request(&self) -> Option<(Tuple, u32)> {
        if self.is_empty() {
            return None;
        }
        let mut addresses = TupleAddresses::default();
        let mut bits = 0;
        match self.src {
            Some(IpAddr::V4(address)) => addresses.v4_src = Some(address),
            Some(IpAddr::V6(address)) => addresses.v6_src = Some(address),
            None => {}
        }
        match self.dst {
            Some(IpAddr::V4(address)) => addresses.v4_dst = Some(address),
            Some(IpAddr::V6(address)) => addresses.v6_dst = Some(address),
            None => {}
        }
        let mut set = |bit: u32, present: bool| bits |= u32::from(present) << bit;
        set(0, self.src.is_some());
        set(1, self.dst.is_some());
        set(3, self.protocol.is_some());
        set(4, self.src_port.is_some());
        set(5, self.dst_port.is_some());
        let proto = self.protocol.map(|number| PortTuple {
            number: Some(number),
            src_port: self.src_port,
            dst_port: self.dst_port,
            ..PortTuple::default()
        });
        Some((
            Tuple {
                addresses: Some(addresses),
                proto,
                ..Tuple::default()
            },
            bits,
        ))
    }
}

impl Filter {
    /// Whether nothing is asked for: such a filter deletes everything.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether an entry of a family meets all conditions. Kernels that do not know a condition
    /// report more than asked for; this is applied to every reply.
    pub fn matches(&self, family: Family, entry: &Entry) -> bool {
        (self.family == Family::UNSPEC || self.family == family)
            && self.zone.is_none_or(|zone| entry.zone.unwrap_or(0) == zone)
            && self
                .mark
                .is_none_or(|(value, mask)| entry.mark.unwrap_or(0) & mask == value & mask)
            && self.original.matches(entry.original.as_ref())
            && self.reply.matches(entry.reply.as_ref())
    }

    fn entry(&self) -> Entry {
        let original = self.original.request();
        let reply = self.reply.request();
        let filter = (original.is_some() || reply.is_some()).then(|| FilterFlags {
            original: original.as_ref().map(|(_, bits)| HostU32(*bits)),
            reply: reply.as_ref().map(|(_, bits)| HostU32(*bits)),
            ..FilterFlags::default()
        });
        Entry {
            original: original.map(|(tuple, _)| tuple),
            reply: reply.map(|(tuple, _)| tuple),
            zone: self.zone,
            mark: self.mark.map(|(value, _)| value),
            mark_mask: self.mark.map(|(_, mask)| mask),
            filter,
            ..Entry::default()
        }
    }

    /// A dump of matching entries.
    pub fn dump(&self) -> CtMessage {
        CtMessage::request(CtOp::GET, self.family, Flags::DUMP, self.entry())
    }

    /// Deletion of matching entries by the kernel. A kernel that does not know a condition may
    /// delete more: use it only where a probe has shown what the kernel honours.
    pub fn delete(&self) -> CtMessage {
        CtMessage::request(CtOp::DELETE, self.family, Flags::ACK, self.entry())
    }
}
