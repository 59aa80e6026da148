//! One entry of the connection table (`enum ctattr_type` and the nests in it).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::attr::{HostU32, Value, attributes, flags};
use crate::error::DecodeError;
use crate::name::Bytes;
use crate::object::Nest;
use crate::saved::{Cursor, Saved};
use crate::wire::{Reader, Writer};

impl Value for Ipv4Addr {
    fn encode(&self, w: &mut Writer) {
        w.put(&self.octets());
    }
    fn decode(r: Reader<'_>) -> Result<Self, DecodeError> {
        r.exactly::<4>("IPv4 address").map(Self::from)
    }
}

impl Value for Ipv6Addr {
    fn encode(&self, w: &mut Writer) {
        w.put(&self.octets());
    }
    fn decode(r: Reader<'_>) -> Result<Self, DecodeError> {
        r.exactly::<16>("IPv6 address").map(Self::from)
    }
}

macro_rules! saved_as_bytes {
    ($($ty:ty),*) => {$(
        impl Saved for $ty {
            fn save(&self, out: &mut String) {
                crate::saved::save_hex(&self.octets(), out);
            }
            fn restore(cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
                let at = *cursor;
                let bytes = cursor.hex("address")?;
                let wanted = u32::try_from(size_of::<Self>()).unwrap_or(u32::MAX);
                let had = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                <[u8; size_of::<Self>()]>::try_from(bytes).map(Self::from).map_err(|_| {
                    at.error("address", crate::error::Fault::Truncated { wanted, had })
                })
            }
        }
    )*};
}
saved_as_bytes!(Ipv4Addr, Ipv6Addr);

attributes! {
    /// Addresses of a tuple (`enum ctattr_ip`).
    pub struct TupleAddresses "ip" {
        /// IPv4 source.
        1 => v4_src: Option<Ipv4Addr>,
        /// IPv4 destination.
        2 => v4_dst: Option<Ipv4Addr>,
        /// IPv6 source.
        3 => v6_src: Option<Ipv6Addr>,
        /// IPv6 destination.
        4 => v6_dst: Option<Ipv6Addr>,
    }
}

attributes! {
    /// Protocol of a tuple (`enum ctattr_l4proto`).
    pub struct PortTuple "proto" {
        /// Protocol number.
        1 => number: Option<u8>,
        /// Source port.
        2 => src_port: Option<u16>,
        /// Destination port.
        3 => dst_port: Option<u16>,
        /// ICMP identifier.
        4 => icmp_id: Option<u16>,
        /// ICMP type.
        5 => icmp_type: Option<u8>,
        /// ICMP code.
        6 => icmp_code: Option<u8>,
        /// ICMPv6 identifier.
        7 => icmpv6_id: Option<u16>,
        /// ICMPv6 type.
        8 => icmpv6_type: Option<u8>,
        /// ICMPv6 code.
        9 => icmpv6_code: Option<u8>,
    }
}

attributes! {
    /// One direction of a connection (`enum ctattr_tuple`).
    pub struct Tuple "tuple" {
        /// Addresses.
        1 => addresses: Option<TupleAddresses>,
        /// Protocol and ports.
        2 => proto: Option<PortTuple>,
        /// Zone of this direction only.
        3 => zone: Option<u16>,
    }
}

impl Tuple {
    /// A tuple of a protocol with ports.
    pub fn new(src: IpAddr, dst: IpAddr, proto: u8, src_port: u16, dst_port: u16) -> Self {
        let mut addresses = TupleAddresses::default();
        match src {
            IpAddr::V4(address) => addresses.v4_src = Some(address),
            IpAddr::V6(address) => addresses.v6_src = Some(address),
        }
        match dst {
            IpAddr::V4(address) => addresses.v4_dst = Some(address),
            IpAddr::V6(address) => addresses.v6_dst = Some(address),
        }
        let proto = PortTuple {
            number: Some(proto),
            src_port: Some(src_port),
            dst_port: Some(dst_port),
            ..PortTuple::default()
        };
        Self {
            addresses: Some(addresses),
            proto: Some(proto),
            ..Self::default()
        }
    }

    /// Source address.
    pub fn src(&self) -> Option<IpAddr> {
        let a = self.addresses.as_ref()?;
        a.v4_src.map(IpAddr::V4).or(a.v6_src.map(IpAddr::V6))
    }

    /// Destination address.
    pub fn dst(&self) -> Option<IpAddr> {
        let a = self.addresses.as_ref()?;
        a.v4_dst.map(IpAddr::V4).or(a.v6_dst.map(IpAddr::V6))
    }

    /// Protocol number.
    pub fn protocol(&self) -> Option<u8> {
        self.proto.as_ref()?.number
    }
}

flags! {
    /// Status bits (`enum ip_conntrack_status`).
    pub struct Status(u32) {
        /// Announced by another connection.
        EXPECTED = 0x1 "expected",
        /// Packets were seen in both directions.
        SEEN_REPLY = 0x2 "seen-reply",
        /// Is not dropped early.
        ASSURED = 0x4 "assured",
        /// Its first packet left.
        CONFIRMED = 0x8 "confirmed",
        /// Source is translated.
        SRC_NAT = 0x10 "src-nat",
        /// Destination is translated.
        DST_NAT = 0x20 "dst-nat",
        /// Is being removed.
        DYING = 0x200 "dying",
        /// Timeout does not change.
        FIXED_TIMEOUT = 0x400 "fixed-timeout",
    }
}

attributes! {
    /// Packets and bytes of one direction (`enum ctattr_counters`).
    pub struct Counters "counters" pad(5) {
        /// Packets.
        1 => packets: u64,
        /// Bytes.
        2 => bytes: u64,
    }
}

/// Flag pairs of TCP: value and mask (`struct nf_ct_tcp_flags`), two single bytes.
pub type NativeFlags = Bytes;

attributes! {
    /// TCP state (`enum ctattr_protoinfo_tcp`).
    pub struct TcpInfo "tcp" {
        /// State number.
        1 => state: Option<u8>,
        /// Window scale of the original direction.
        2 => wscale_original: Option<u8>,
        /// Window scale of the reply direction.
        3 => wscale_reply: Option<u8>,
        /// Flags of the original direction: value, mask.
        4 => flags_original: Option<NativeFlags>,
        /// Flags of the reply direction: value, mask.
        5 => flags_reply: Option<NativeFlags>,
    }
}

attributes! {
    /// Protocol state (`enum ctattr_protoinfo`).
    pub struct ProtoInfo "protoinfo" {
        /// TCP.
        1 => tcp: Option<TcpInfo>,
    }
}

attributes! {
    /// Which fields of a partial tuple count (`enum ctattr_filter`). Bits: 0 source address,
    /// 1 destination address, 2 zone, 3 protocol, 4 source port, 5 destination port, 6 to 8 ICMP
    /// type, code, id, 9 to 11 ICMPv6.
    pub struct FilterFlags "filter" {
        /// Of the original direction.
        1 => original: Option<HostU32>,
        /// Of the reply direction.
        2 => reply: Option<HostU32>,
    }
}

attributes! {
    /// An entry, or in requests what to look for (`enum ctattr_type`).
    pub struct Entry "entry" {
        /// Original direction.
        1 => original: Option<Tuple>,
        /// Reply direction.
        2 => reply: Option<Tuple>,
        /// Status.
        3 => status: Option<Status>,
        /// Protocol state.
        4 => protoinfo: Option<ProtoInfo>,
        /// Helper.
        5 => helper: Option<Nest>,
        /// Seconds until it expires.
        7 => timeout: Option<u32>,
        /// Mark.
        8 => mark: Option<u32>,
        /// Counters of the original direction.
        9 => counters_original: Option<Counters>,
        /// Counters of the reply direction.
        10 => counters_reply: Option<Counters>,
        /// Number of references.
        11 => used: Option<u32>,
        /// Identity.
        12 => id: Option<u32>,
        /// Tuple of the connection that announced it.
        14 => master: Option<Tuple>,
        /// Shift of sequence numbers in the original direction.
        15 => seq_adj_original: Option<Nest>,
        /// Shift of sequence numbers in the reply direction.
        16 => seq_adj_reply: Option<Nest>,
        /// Zone of both directions.
        18 => zone: Option<u16>,
        /// Security context.
        19 => secctx: Option<Nest>,
        /// Start and stop times.
        20 => timestamp: Option<Nest>,
        /// Bits of the mark that count.
        21 => mark_mask: Option<u32>,
        /// Labels.
        22 => labels: Option<Bytes>,
        /// Bits of the labels that count.
        23 => labels_mask: Option<Bytes>,
        /// SYN proxy state.
        24 => synproxy: Option<Nest>,
        /// Which fields of the tuples count.
        25 => filter: Option<FilterFlags>,
        /// Bits of the status that count.
        26 => status_mask: Option<u32>,
    }
}

impl Entry {
    /// The zone of both directions, or of the original one; 0 if there is none.
    #[must_use]
    pub fn zone_number(&self) -> u16 {
        self.zone
            .or_else(|| self.original.as_ref()?.zone)
            .unwrap_or(0)
    }

    /// What names exactly this entry in a delete request: the original tuple, the zone, the id.
    #[must_use]
    pub fn to_delete(&self) -> Self {
        Self {
            original: self.original.clone(),
            zone: self.zone,
            id: self.id,
            ..Self::default()
        }
    }
}
