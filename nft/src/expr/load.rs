//! Expressions that fill a register from the packet or its surroundings. Several can also write
//! (a source register instead of a destination).

use crate::attr::{attributes, flags, registry};
use crate::data::Register;
use crate::expr::Expr;

registry! {
    /// Which header an offset counts from (`enum nft_payload_bases`).
    pub struct PayloadBase(u32) {
        /// Link layer.
        LINK = 0 "link",
        /// Network layer.
        NETWORK = 1 "network",
        /// Transport layer.
        TRANSPORT = 2 "transport",
        /// Content of the transport layer.
        INNER = 3 "inner",
        /// Header of the tunnel, only in [`Inner`].
        TUNNEL = 4 "tunnel",
    }
}

attributes! {
    /// Load packet bytes, or write them (`enum nft_payload_attributes`).
    pub struct Payload "payload" {
        /// Destination when loading.
        1 => dreg: Option<Register>,
        /// Source when writing.
        5 => sreg: Option<Register>,
        /// Header the offset counts from.
        2 => base: PayloadBase,
        /// Offset in bytes.
        3 => offset: u32,
        /// Length in bytes.
        4 => len: u32,
        /// Checksum to mend after writing: 0 none, 1 internet, 2 SCTP.
        6 => csum_type: Option<u32>,
        /// Where that checksum is.
        7 => csum_offset: Option<u32>,
        /// 1: a pseudo header is part of a transport checksum.
        8 => csum_flags: Option<u32>,
    }
}

registry! {
    /// Metadata (`enum nft_meta_keys`).
    pub struct MetaKey(u32) {
        /// Packet length.
        LEN = 0 "length",
        /// Link-layer protocol, network order.
        PROTOCOL = 1 "protocol",
        /// Queueing priority.
        PRIORITY = 2 "priority",
        /// Packet mark.
        MARK = 3 "mark",
        /// Input interface index.
        IIF = 4 "iif",
        /// Output interface index.
        OIF = 5 "oif",
        /// Input interface name, 16 bytes.
        IIFNAME = 6 "iifname",
        /// Output interface name, 16 bytes.
        OIFNAME = 7 "oifname",
        /// Input interface hardware type.
        IIFTYPE = 8 "iiftype",
        /// Output interface hardware type.
        OIFTYPE = 9 "oiftype",
        /// User of the local socket.
        SKUID = 10 "skuid",
        /// Group of the local socket.
        SKGID = 11 "skgid",
        /// Trace this packet.
        NFTRACE = 12 "nftrace",
        /// Routing realm.
        RTCLASSID = 13 "rtclassid",
        /// Security mark.
        SECMARK = 14 "secmark",
        /// Netfilter family of the hook.
        NFPROTO = 15 "nfproto",
        /// Transport protocol.
        L4PROTO = 16 "l4proto",
        /// Bridge of the input port.
        BRI_IIFNAME = 17 "ibrname",
        /// Bridge of the output port.
        BRI_OIFNAME = 18 "obrname",
        /// Packet type: host, broadcast, multicast, other.
        PKTTYPE = 19 "pkttype",
        /// Processor.
        CPU = 20 "cpu",
        /// Input interface group.
        IIFGROUP = 21 "iifgroup",
        /// Output interface group.
        OIFGROUP = 22 "oifgroup",
        /// Control group of the socket.
        CGROUP = 23 "cgroup",
        /// Pseudo-random number.
        PRANDOM = 24 "random",
        /// Has a security path.
        SECPATH = 25 "ipsec",
        /// Kind of the input interface.
        IIFKIND = 26 "iifkind",
        /// Kind of the output interface.
        OIFKIND = 27 "oifkind",
        /// Port VLAN id of the input bridge port.
        BRI_IIFPVID = 28 "ibrpvid",
        /// VLAN protocol of the input bridge.
        BRI_IIFVPROTO = 29 "ibrvproto",
        /// Time in nanoseconds.
        TIME_NS = 30 "time",
        /// Day of week.
        TIME_DAY = 31 "day",
        /// Second of day.
        TIME_HOUR = 32 "hour",
        /// Slave device index.
        SDIF = 33 "sdif",
        /// Slave device name.
        SDIFNAME = 34 "sdifname",
        /// Route instead of bridging.
        BRI_BROUTE = 35 "broute",
        /// Hardware address of the input bridge.
        BRI_IIFHWADDR = 37 "ibrhwaddr",
    }
}

attributes! {
    /// Load or set metadata (`enum nft_meta_attributes`).
    pub struct Meta "meta" {
        /// What.
        2 => key: MetaKey,
        /// Destination when loading.
        1 => dreg: Option<Register>,
        /// Source when setting.
        3 => sreg: Option<Register>,
    }
}

registry! {
    /// Connection tracking data (`enum nft_ct_keys`).
    pub struct CtKey(u32) {
        /// State bits, see [`state`].
        STATE = 0 "state",
        /// Direction of the packet.
        DIRECTION = 1 "direction",
        /// Status bits.
        STATUS = 2 "status",
        /// Connection mark.
        MARK = 3 "mark",
        /// Security mark.
        SECMARK = 4 "secmark",
        /// Milliseconds until it expires.
        EXPIRATION = 5 "expiration",
        /// Helper name.
        HELPER = 6 "helper",
        /// Address family.
        L3PROTOCOL = 7 "l3proto",
        /// Source address.
        SRC = 8 "saddr",
        /// Destination address.
        DST = 9 "daddr",
        /// Transport protocol.
        PROTOCOL = 10 "protocol",
        /// Source port.
        PROTO_SRC = 11 "proto-src",
        /// Destination port.
        PROTO_DST = 12 "proto-dst",
        /// Label bits, 16 bytes.
        LABELS = 13 "label",
        /// Packets.
        PKTS = 14 "packets",
        /// Bytes.
        BYTES = 15 "bytes",
        /// Bytes per packet.
        AVGPKT = 16 "avgpkt",
        /// Zone.
        ZONE = 17 "zone",
        /// Events to report.
        EVENTMASK = 18 "event",
        /// IPv4 source.
        SRC_IP = 19 "saddr-ip",
        /// IPv4 destination.
        DST_IP = 20 "daddr-ip",
        /// IPv6 source.
        SRC_IP6 = 21 "saddr-ip6",
        /// IPv6 destination.
        DST_IP6 = 22 "daddr-ip6",
        /// Identity of the entry.
        ID = 23 "id",
    }
}

/// Connection state bits as `ct state` loads them (`NF_CT_STATE_BIT`).
pub mod state {
    /// Not part of any connection.
    pub const INVALID: u32 = 1;
    /// Part of a connection that has seen packets in both directions.
    pub const ESTABLISHED: u32 = 2;
    /// Starts a connection that another one announced.
    pub const RELATED: u32 = 4;
    /// Starts a connection.
    pub const NEW: u32 = 8;
    /// Not tracked.
    pub const UNTRACKED: u32 = 64;
}

registry! {
    /// Direction of a connection (`enum ip_conntrack_dir`).
    pub struct CtDirection(u8) {
        /// As the first packet.
        ORIGINAL = 0 "original",
        /// As the answer.
        REPLY = 1 "reply",
    }
}

attributes! {
    /// Load or set connection tracking data (`enum nft_ct_attributes`).
    pub struct Ct "ct" {
        /// What.
        2 => key: CtKey,
        /// Destination when loading.
        1 => dreg: Option<Register>,
        /// Direction, for keys that have two values.
        3 => direction: Option<CtDirection>,
        /// Source when setting.
        4 => sreg: Option<Register>,
    }
}

registry! {
    /// Routing data of the packet (`enum nft_rt_keys`).
    pub struct RtKey(u32) {
        /// Realm.
        CLASSID = 0 "classid",
        /// IPv4 next hop.
        NEXTHOP4 = 1 "nexthop4",
        /// IPv6 next hop.
        NEXTHOP6 = 2 "nexthop6",
        /// Largest TCP segment the route allows.
        TCPMSS = 3 "tcpmss",
        /// Route transforms.
        XFRM = 4 "ipsec",
    }
}

attributes! {
    /// Load routing data (`enum nft_rt_attributes`).
    pub struct Rt "rt" {
        /// Destination.
        1 => dreg: Register,
        /// What.
        2 => key: RtKey,
    }
}

registry! {
    /// What a routing query yields (`enum nft_fib_result`).
    pub struct FibResult(u32) {
        /// Output interface index.
        OIF = 1 "oif",
        /// Output interface name.
        OIFNAME = 2 "oifname",
        /// Type of the address.
        ADDRTYPE = 3 "type",
    }
}

flags! {
    /// What a routing query uses (`enum nft_fib_flags`).
    pub struct FibFlags(u32) {
        /// Source address.
        SADDR = 0x1 "saddr",
        /// Destination address.
        DADDR = 0x2 "daddr",
        /// Packet mark.
        MARK = 0x4 "mark",
        /// Input interface.
        IIF = 0x8 "iif",
        /// Output interface.
        OIF = 0x10 "oif",
        /// Only whether a route exists.
        PRESENT = 0x20 "present",
    }
}

attributes! {
    /// Query the routing table (`enum nft_fib_attributes`).
    pub struct Fib "fib" {
        /// Destination.
        1 => dreg: Register,
        /// What to yield.
        2 => result: FibResult,
        /// What to use.
        3 => flags: FibFlags,
    }
}

registry! {
    /// Kind of extension header (`enum nft_exthdr_op`).
    pub struct ExthdrOp(u32) {
        /// IPv6 extension header.
        IPV6 = 0 "ipv6",
        /// TCP option.
        TCPOPT = 1 "tcpopt",
        /// IPv4 option.
        IPV4 = 2 "ipv4",
        /// SCTP chunk.
        SCTP = 3 "sctp",
        /// DCCP option.
        DCCP = 4 "dccp",
    }
}

flags! {
    /// Extension header flags (`enum nft_exthdr_flags`).
    pub struct ExthdrFlags(u32) {
        /// Only whether it is there.
        PRESENT = 0x1 "present",
    }
}

attributes! {
    /// Load or write an extension header (`enum nft_exthdr_attributes`).
    pub struct Exthdr "exthdr" {
        /// Destination when loading.
        1 => dreg: Option<Register>,
        /// Source when writing.
        7 => sreg: Option<Register>,
        /// Header or option number.
        2 => kind: u8,
        /// Offset in it; absent to remove a TCP option.
        3 => offset: Option<u32>,
        /// Length in bytes; absent to remove a TCP option.
        4 => len: Option<u32>,
        /// Kind of header.
        6 => op: ExthdrOp = zero,
        /// Flags.
        5 => flags: ExthdrFlags = zero,
    }
}

impl Exthdr {
    /// The part that user space decides: an option that is removed has no place in the packet.
    #[must_use]
    pub fn intended(&self) -> Self {
        let mut exthdr = self.clone();
        if self.dreg.is_none() && self.sreg.is_none() {
            (exthdr.offset, exthdr.len) = (None, None);
        }
        exthdr
    }
}

impl Ct {
    /// The part that user space decides: the protocols are the same in both directions.
    #[must_use]
    pub fn intended(&self) -> Self {
        let mut ct = self.clone();
        if matches!(self.key, CtKey::PROTOCOL | CtKey::L3PROTOCOL) {
            ct.direction = None;
        }
        ct
    }
}

registry! {
    /// Data of the local socket (`enum nft_socket_keys`).
    pub struct SocketKey(u32) {
        /// Is transparent.
        TRANSPARENT = 0 "transparent",
        /// Its mark.
        MARK = 1 "mark",
        /// Is bound to all addresses.
        WILDCARD = 2 "wildcard",
        /// Its control group.
        CGROUPV2 = 3 "cgroupv2",
    }
}

attributes! {
    /// Load data of the local socket (`enum nft_socket_attributes`).
    pub struct Socket "socket" {
        /// What.
        1 => key: SocketKey,
        /// Destination.
        2 => dreg: Register,
        /// Depth of the control group.
        3 => level: Option<u32>,
    }
}

registry! {
    /// Hash function (`enum nft_hash_types`).
    pub struct HashType(u32) {
        /// Jenkins hash of a register.
        JENKINS = 0 "jenkins",
        /// Symmetric hash of the packet.
        SYM = 1 "symmetric",
    }
}

attributes! {
    /// Hash (`enum nft_hash_attributes`).
    pub struct Hash "hash" {
        /// Source.
        1 => sreg: Option<Register>,
        /// Destination.
        2 => dreg: Register,
        /// Bytes to hash.
        3 => len: Option<u32>,
        /// Result is below this.
        4 => modulus: u32,
        /// Seed; the kernel picks one if absent.
        5 => seed: Option<u32>,
        /// Added to the result.
        6 => offset: u32 = zero,
        /// Function.
        7 => kind: HashType = zero,
    }
}

registry! {
    /// Number generator (`enum nft_ng_types`).
    pub struct NumgenType(u32) {
        /// One more each time.
        INCREMENTAL = 0 "inc",
        /// Random.
        RANDOM = 1 "random",
    }
}

attributes! {
    /// Generate a number (`enum nft_ng_attributes`).
    pub struct Numgen "numgen" {
        /// Destination.
        1 => dreg: Register,
        /// Result is below this.
        2 => modulus: u32,
        /// Generator.
        3 => kind: NumgenType,
        /// Added to the result.
        4 => offset: u32 = zero,
    }
}

attributes! {
    /// Guess the operating system (`enum nft_osf_attributes`).
    pub struct Osf "osf" {
        /// Destination: a name of 16 bytes.
        1 => dreg: Register,
        /// How to treat the time to live: 0 strict, 1 loose, 2 skip.
        2 => ttl: u8 = zero,
        /// 1: the version too.
        3 => flags: u32 = zero,
    }
}

attributes! {
    /// Load tunnel metadata (`enum nft_tunnel_attributes`).
    pub struct Tunnel "tunnel" {
        /// 0 path present, 1 tunnel id.
        1 => key: u32,
        /// Destination.
        2 => dreg: Register,
        /// 0 any, 1 receive, 2 transmit.
        3 => mode: u32 = zero,
    }
}

attributes! {
    /// Load IPsec data (`enum nft_xfrm_attributes`).
    pub struct Xfrm "xfrm" {
        /// Destination.
        1 => dreg: Register,
        /// What: 1 and 3 IPv4 addresses, 2 and 4 IPv6, 5 request id, 6 SPI.
        2 => key: u32,
        /// 0 in, 1 out.
        3 => direction: u8,
        /// Position in the bundle.
        4 => position: u32 = zero,
    }
}

registry! {
    /// Kind of tunnel (`enum nft_inner_type`).
    pub struct InnerType(u32) {
        /// Any whose header has a fixed size.
        UNSPEC = 0 "unspec",
        /// VXLAN.
        VXLAN = 1 "vxlan",
        /// GENEVE, with its options.
        GENEVE = 2 "geneve",
    }
}

flags! {
    /// What follows the tunnel's header (`enum nft_inner_flags`).
    pub struct InnerFlags(u32) {
        /// The header's size is given.
        HEADER_SIZE = 0x1 "header-size",
        /// A link layer.
        LINK = 0x2 "link",
        /// A network layer.
        NETWORK = 0x4 "network",
        /// A transport layer.
        TRANSPORT = 0x8 "transport",
    }
}

attributes! {
    /// Load from the packet inside a tunnel (`enum nft_inner_attributes`, since Linux 6.2).
    pub struct Inner "inner" {
        /// Which header: 0.
        1 => number: u32,
        /// Kind of tunnel.
        2 => kind: InnerType,
        /// What follows its header.
        3 => flags: InnerFlags,
        /// Bytes of its header.
        4 => header_size: u32,
        /// What to load: a [`Payload`] or [`Meta`].
        5 => expr: Box<Expr>,
    }
}
