//! Packets by meaning; `wire.rs` turns them into bytes.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::world::{Family, Mac};

/// One Ethernet frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet {
    pub from: Mac,
    pub to: Mac,
    /// An 802.1Q tag that the sender put on it.
    pub vlan: Option<u16>,
    pub body: Body,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    Arp {
        op: u16,
        sha: Mac,
        spa: Ipv4Addr,
        tpa: Ipv4Addr,
    },
    Ip(Ip),
    /// Another ethertype.
    Other(u16),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ip {
    pub src: IpAddr,
    pub dst: IpAddr,
    pub payload: Payload,
    pub fragments: Fragments,
    /// The transport checksum is wrong.
    pub bad_sum: bool,
}

/// What of the datagram is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fragments {
    /// All, in one packet.
    Whole,
    /// All, in two fragments.
    Both,
    /// The first of two fragments only.
    First,
    /// The second of two fragments only.
    Second,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Tcp {
    pub src: u16,
    pub dst: u16,
    pub flags: u8,
    pub seq: u32,
    pub ack: u32,
}

pub const FIN: u8 = 1;
pub const SYN: u8 = 2;
pub const RST: u8 = 4;
pub const ACK: u8 = 16;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Payload {
    Tcp(Tcp),
    Udp {
        src: u16,
        dst: u16,
    },
    /// SCTP; a kind of chunk: 1 INIT, 2 INIT ACK.
    Sctp {
        src: u16,
        dst: u16,
        chunk: u8,
    },
    UdpLite {
        src: u16,
        dst: u16,
    },
    /// DCCP; a type of packet: 0 Request, 1 Response.
    Dccp {
        src: u16,
        dst: u16,
        kind: u8,
    },
    /// ICMP or ICMPv6 with an identifier.
    Icmp {
        kind: u8,
        code: u8,
        id: u16,
    },
    /// An ICMP or ICMPv6 error about a packet.
    Error {
        kind: u8,
        code: u8,
        about: Box<Ip>,
    },
    /// Neighbour discovery and router messages; a target for those that have one.
    Neighbour {
        kind: u8,
        target: Ipv6Addr,
    },
    /// Multicast listener messages.
    Listener {
        kind: u8,
    },
    /// Another protocol.
    Protocol(u8),
}

pub const ICMP: u8 = 1;
pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const ICMPV6: u8 = 58;
pub const SCTP: u8 = 132;
pub const DCCP: u8 = 33;
pub const UDPLITE: u8 = 136;

impl Ip {
    /// A whole datagram.
    pub fn new(src: IpAddr, dst: IpAddr, payload: Payload) -> Ip {
        Ip {
            src,
            dst,
            payload,
            fragments: Fragments::Whole,
            bad_sum: false,
        }
    }

    pub fn family(&self) -> Family {
        Family::of(self.src)
    }

    /// Its protocol number.
    pub fn protocol(&self) -> u8 {
        match self.payload {
            Payload::Tcp(_) => TCP,
            Payload::Udp { .. } => UDP,
            Payload::Sctp { .. } => SCTP,
            Payload::UdpLite { .. } => UDPLITE,
            Payload::Dccp { .. } => DCCP,
            Payload::Icmp { .. }
            | Payload::Error { .. }
            | Payload::Neighbour { .. }
            | Payload::Listener { .. } => match self.family() {
                Family::V4 => ICMP,
                Family::V6 => ICMPV6,
            },
            Payload::Protocol(number) => number,
        }
    }

    /// ICMP type and code, if it is ICMP.
    pub fn icmp(&self) -> Option<(u8, u8)> {
        match self.payload {
            Payload::Icmp { kind, code, .. } | Payload::Error { kind, code, .. } => {
                Some((kind, code))
            }
            Payload::Neighbour { kind, .. } | Payload::Listener { kind } => Some((kind, 0)),
            _ => None,
        }
    }

    /// ICMPv6 type, if it is ICMPv6.
    pub fn icmpv6(&self) -> Option<u8> {
        (self.family() == Family::V6).then(|| self.icmp().map(|(kind, _)| kind))?
    }

    /// Ports, if it has some.
    pub fn ports(&self) -> Option<(u16, u16)> {
        match self.payload {
            Payload::Tcp(Tcp { src, dst, .. })
            | Payload::Udp { src, dst }
            | Payload::Sctp { src, dst, .. }
            | Payload::UdpLite { src, dst }
            | Payload::Dccp { src, dst, .. } => Some((src, dst)),
            _ => None,
        }
    }

    /// It is sent in fragments, or one is.
    pub fn is_fragmented(&self) -> bool {
        self.fragments != Fragments::Whole
    }

    /// The rest of the datagram is not sent.
    pub fn is_lone_fragment(&self) -> bool {
        matches!(self.fragments, Fragments::First | Fragments::Second)
    }

    /// UDP from and to these ports.
    pub fn is_udp(&self, from: u16, to: u16) -> bool {
        matches!(self.payload, Payload::Udp { src, dst } if (src, dst) == (from, to))
    }
}

impl Packet {
    pub fn ip(from: Mac, to: Mac, ip: Ip) -> Packet {
        Packet {
            from,
            to,
            vlan: None,
            body: Body::Ip(ip),
        }
    }
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.from, self.to)?;
        if let Some(vlan) = self.vlan {
            write!(f, ", VLAN {vlan}")?;
        }
        match &self.body {
            Body::Arp { op, sha, spa, tpa } => {
                write!(f, ", ARP op {op}, {spa} is at {sha}, asks for {tpa}")
            }
            Body::Other(kind) => write!(f, ", ethertype {kind:#06x}"),
            Body::Ip(ip) => write!(f, ", {ip}"),
        }
    }
}

impl fmt::Display for Ip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}, ", self.src, self.dst)?;
        match &self.payload {
            Payload::Tcp(t) => write!(f, "TCP {} -> {}, flags {:#04x}", t.src, t.dst, t.flags)?,
            Payload::Udp { src, dst } => write!(f, "UDP {src} -> {dst}")?,
            Payload::Error { kind, code, about } => {
                write!(f, "ICMP error {kind}/{code} about [{about}]")?;
            }
            other => write!(f, "{other:?}")?,
        }
        if self.fragments != Fragments::Whole {
            write!(f, ", fragments: {:?}", self.fragments)?;
        }
        if self.bad_sum {
            write!(f, ", wrong checksum")?;
        }
        Ok(())
    }
}
