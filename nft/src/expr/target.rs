//! Expressions that act on the packet.

use crate::attr::{attributes, flags, registry};
use crate::data::{Data, Register};
use crate::name::Name;
use crate::object::ObjectType;

attributes! {
    /// Put a value or verdict into a register (`enum nft_immediate_attributes`).
    pub struct Immediate "immediate" {
        /// Destination.
        1 => dreg: Register,
        /// Value or verdict.
        2 => data: Data,
    }
}

registry! {
    /// Log level (`enum nft_log_level`).
    pub struct LogLevel(u32) {
        /// System is unusable.
        EMERG = 0 "emerg",
        /// Act now.
        ALERT = 1 "alert",
        /// Critical.
        CRIT = 2 "crit",
        /// Error.
        ERR = 3 "err",
        /// Warning; the default.
        WARNING = 4 "warn",
        /// Notice.
        NOTICE = 5 "notice",
        /// Information.
        INFO = 6 "info",
        /// Debugging.
        DEBUG = 7 "debug",
        /// To the audit system.
        AUDIT = 8 "audit",
    }
}

flags! {
    /// What to log (`NF_LOG_*`, `linux/netfilter/nf_log.h`).
    pub struct LogFlags(u32) {
        /// TCP sequence numbers.
        TCP_SEQUENCE = 0x1 "tcp-sequence",
        /// TCP options.
        TCP_OPTIONS = 0x2 "tcp-options",
        /// IP options.
        IP_OPTIONS = 0x4 "ip-options",
        /// User of the local socket.
        SKUID = 0x8 "skuid",
        /// Ethernet header.
        ETHER = 0x20 "ether",
    }
}

attributes! {
    /// Log the packet (`enum nft_log_attributes`). A group sends to user space, otherwise to the
    /// kernel log.
    pub struct Log "log" {
        /// Text before each line.
        2 => prefix: Option<Name>,
        /// Group of user space listeners.
        1 => group: Option<u16>,
        /// Bytes of the packet to send.
        3 => snaplen: Option<u32>,
        /// Messages per wake-up.
        4 => qthreshold: Option<u16>,
        /// Level.
        5 => level: Option<LogLevel>,
        /// What to log.
        6 => flags: LogFlags = zero,
    }
}

registry! {
    /// How to refuse (`enum nft_reject_types`).
    pub struct RejectType(u32) {
        /// ICMP unreachable of the rule's family.
        ICMP_UNREACH = 0 "icmp",
        /// TCP reset.
        TCP_RST = 1 "tcp-reset",
        /// ICMP unreachable of the packet's family.
        ICMPX_UNREACH = 2 "icmpx",
    }
}

attributes! {
    /// Refuse the packet with an answer (`enum nft_reject_attributes`).
    pub struct Reject "reject" {
        /// How.
        1 => kind: RejectType,
        /// ICMP code; for icmpx 0 no route, 1 port, 2 host, 3 prohibited.
        2 => code: Option<u8>,
    }
}

registry! {
    /// Which address (`enum nft_nat_types`).
    pub struct NatType(u32) {
        /// Source.
        SNAT = 0 "snat",
        /// Destination.
        DNAT = 1 "dnat",
    }
}

flags! {
    /// Address translation flags (`NF_NAT_RANGE_*`, `linux/netfilter/nf_nat.h`).
    pub struct NatFlags(u32) {
        /// Addresses are given.
        MAP_IPS = 0x1 "addresses",
        /// Ports are given.
        PROTO_SPECIFIED = 0x2 "ports",
        /// Random ports.
        PROTO_RANDOM = 0x4 "random",
        /// Same address for one client.
        PERSISTENT = 0x8 "persistent",
        /// Fully random ports.
        PROTO_RANDOM_FULLY = 0x10 "fully-random",
        /// Shift ports by an offset.
        PROTO_OFFSET = 0x20 "offset",
        /// Map prefix to prefix.
        NETMAP = 0x40 "netmap",
    }
}

attributes! {
    /// Translate addresses (`enum nft_nat_attributes`).
    pub struct Nat "nat" {
        /// Which address.
        1 => kind: NatType,
        /// Address family (`NFPROTO_*`).
        2 => family: u32,
        /// First address.
        3 => addr_min: Option<Register>,
        /// Last address.
        4 => addr_max: Option<Register>,
        /// First port.
        5 => proto_min: Option<Register>,
        /// Last port.
        6 => proto_max: Option<Register>,
        /// Flags.
        7 => flags: NatFlags = zero,
    }
}

attributes! {
    /// Translate the source to the interface's address (`enum nft_masq_attributes`).
    pub struct Masq "masq" {
        /// Flags.
        1 => flags: NatFlags = zero,
        /// First port.
        2 => proto_min: Option<Register>,
        /// Last port.
        3 => proto_max: Option<Register>,
    }
}

attributes! {
    /// Translate the destination to this host (`enum nft_redir_attributes`).
    pub struct Redir "redir" {
        /// First port.
        1 => proto_min: Option<Register>,
        /// Last port.
        2 => proto_max: Option<Register>,
        /// Flags.
        3 => flags: NatFlags = zero,
    }
}

flags! {
    /// Queue flags (`NFT_QUEUE_FLAG_*`).
    pub struct QueueFlags(u16) {
        /// Accept if nobody listens.
        BYPASS = 0x1 "bypass",
        /// Choose the queue by processor.
        CPU_FANOUT = 0x2 "fanout",
    }
}

attributes! {
    /// Hand to a user space queue (`enum nft_queue_attributes`).
    pub struct Queue "queue" {
        /// First queue.
        1 => number: Option<u16>,
        /// Number of queues.
        2 => total: Option<u16>,
        /// Flags.
        3 => flags: QueueFlags = zero,
        /// Queue number in a register.
        4 => sreg: Option<Register>,
    }
}

attributes! {
    /// Do not track the connection. Has no attributes.
    pub struct Notrack "notrack" {
    }
}

attributes! {
    /// Use a named object, or one found in a map (`enum nft_objref_attributes`).
    pub struct ObjRef "objref" {
        /// Type of the named object.
        1 => kind: Option<ObjectType>,
        /// Name of the object.
        2 => name: Option<Name>,
        /// Key for the map.
        3 => sreg: Option<Register>,
        /// Map to objects.
        4 => set: Option<Name>,
        /// Id of a map of the same batch.
        5 => set_id: Option<u32>,
    }
}

attributes! {
    /// Divert to a local socket (`enum nft_tproxy_attributes`).
    pub struct Tproxy "tproxy" {
        /// Address family (`NFPROTO_*`).
        1 => family: u32,
        /// Address.
        2 => address: Option<Register>,
        /// Port.
        3 => port: Option<Register>,
    }
}

attributes! {
    /// Answer SYN packets by proxy (`enum nft_synproxy_attributes`).
    pub struct Synproxy "synproxy" {
        /// Segment size to announce.
        1 => mss: u16 = zero,
        /// Window scale to announce.
        2 => wscale: u8 = zero,
        /// Options.
        3 => flags: u32 = zero,
    }
}

attributes! {
    /// Duplicate the packet (`enum nft_dup_attributes`).
    pub struct Dup "dup" {
        /// Address.
        1 => address: Option<Register>,
        /// Device index.
        2 => device: Option<Register>,
    }
}

attributes! {
    /// Forward the packet to a device (`enum nft_fwd_attributes`).
    pub struct Fwd "fwd" {
        /// Device index.
        1 => device: Option<Register>,
        /// Neighbour address.
        2 => address: Option<Register>,
        /// Address family (`NFPROTO_*`).
        3 => family: Option<u32>,
    }
}

attributes! {
    /// Put the connection into a flowtable (`enum nft_offload_attributes`).
    pub struct FlowOffload "flow_offload" {
        /// Flowtable.
        1 => table: Name,
    }
}

impl Nat {
    /// The part that user space decides, with what the kernel fills in: a last address and port,
    /// and the flags that go with them.
    #[must_use]
    pub fn intended(&self) -> Self {
        let mut nat = self.clone();
        if nat.addr_min.is_some() {
            nat.addr_max = nat.addr_max.or(nat.addr_min);
            nat.flags = nat.flags.with(NatFlags::MAP_IPS);
        }
        (nat.proto_max, nat.flags) = port_range(nat.proto_min, nat.proto_max, nat.flags);
        nat
    }
}

impl Masq {
    /// See [`Nat::intended`].
    #[must_use]
    pub fn intended(&self) -> Self {
        let (proto_max, flags) = port_range(self.proto_min, self.proto_max, self.flags);
        Self {
            proto_max,
            flags,
            ..self.clone()
        }
    }
}

impl Redir {
    /// See [`Nat::intended`].
    #[must_use]
    pub fn intended(&self) -> Self {
        let (proto_max, flags) = port_range(self.proto_min, self.proto_max, self.flags);
        Self {
            proto_max,
            flags,
            ..self.clone()
        }
    }
}

fn port_range(
    min: Option<Register>,
    max: Option<Register>,
    flags: NatFlags,
) -> (Option<Register>, NatFlags) {
    if min.is_none() {
        return (max, flags);
    }
    (max.or(min), flags.with(NatFlags::PROTO_SPECIFIED))
}

impl Log {
    /// The part that user space decides, with the kernel's default level.
    #[must_use]
    pub fn intended(&self) -> Self {
        let mut log = self.clone();
        if log.group.is_none() {
            log.level = log.level.or(Some(LogLevel::WARNING));
        } else {
            log.snaplen = log.snaplen.filter(|&len| len != 0);
            log.qthreshold = log.qthreshold.filter(|&count| count != 0);
        }
        log
    }
}

impl Reject {
    /// The part that user space decides: a reset has no code.
    #[must_use]
    pub fn intended(&self) -> Self {
        let code = if self.kind == RejectType::TCP_RST {
            None
        } else {
            self.code
        };
        Self {
            code,
            ..self.clone()
        }
    }
}
