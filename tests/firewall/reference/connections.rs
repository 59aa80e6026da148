//! Connections as a tracker knows them: by protocol, both addresses, both ports, in a table of a zone.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{Tracker, Zone};
use crate::packet::{ACK, DCCP, FIN, Ip, Payload, RST, SCTP, SYN, TCP, UDP, UDPLITE};
use crate::world::Family;

const REDIRECT: u8 = 137;

/// How a packet relates to what is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// The first of a connection.
    New,
    /// Another in the direction of the first.
    Established,
    /// In the other direction.
    Reply,
    /// An error about a known connection.
    Related,
    /// It can belong to no connection and start none.
    Invalid,
    /// Of a kind that no tracker follows.
    Untracked,
    /// Of a connection that others have let pass, in a table that all share.
    Foreign,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            State::New => "new",
            State::Established => "established",
            State::Reply => "reply",
            State::Related => "related",
            State::Invalid => "invalid",
            State::Untracked => "untracked",
            State::Foreign => "of others' connections",
        }
    }
}

/// A connection as its first packet shows it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Key {
    protocol: u8,
    src: (IpAddr, u16),
    dst: (IpAddr, u16),
    /// Of ICMP, the type of the request.
    request: u8,
}

impl Key {
    /// The other way.
    pub fn reversed(self) -> Key {
        Key {
            src: self.dst,
            dst: self.src,
            ..self
        }
    }
}

/// See the module.
#[derive(Default)]
pub struct Connections {
    known: BTreeSet<(Zone, Key)>,
}

impl Connections {
    pub fn remember(&mut self, zone: Zone, ip: &Ip, tracker: Tracker) {
        if let Some((key, false)) = key(ip, tracker)
            && !self.known.contains(&(zone, key.reversed()))
        {
            self.known.insert((zone, key));
        }
    }

    /// The state of a packet in a zone.
    pub fn state(&self, zone: Zone, ip: &Ip, tracker: Tracker) -> State {
        // Linux sums UDP-Lite as if it were UDP (`net/netfilter/nf_conntrack_proto_udp.c`), and finds it wrong.
        let unsummed = tracker != Tracker::Userspace && ip.protocol() == UDPLITE;
        if ip.bad_sum || unsummed {
            return State::Invalid;
        }
        match &ip.payload {
            Payload::Error { about, .. } => {
                let known = key(about, tracker).is_some_and(|(key, answer)| {
                    let key = if answer { key.reversed() } else { key };
                    self.knows(zone, key) || self.knows(zone, key.reversed())
                });
                return if known {
                    State::Related
                } else {
                    State::Invalid
                };
            }
            // No tracker takes a redirect for neighbour discovery (`net/netfilter/nf_conntrack_proto_icmpv6.c`).
            Payload::Neighbour { kind: REDIRECT, .. } => return State::Invalid,
            Payload::Neighbour { .. } | Payload::Listener { .. } => return State::Untracked,
            _ => {}
        }
        let Some((key, answer)) = key(ip, tracker) else {
            return State::Invalid;
        };
        // Open vSwitch holds that there is no port 0 of TCP and UDP.
        let has_zero = [TCP, UDP].contains(&key.protocol) && [key.src.1, key.dst.1].contains(&0);
        if has_zero && tracker == Tracker::Userspace {
            return State::Invalid;
        }
        if answer {
            // It has the same shape in the table as the request that it answers, turned round.
            return if self.knows(zone, key.reversed()) {
                State::Reply
            } else {
                State::Invalid
            };
        }
        if self.knows(zone, key) {
            State::Established
        } else if ip.icmp().is_none() && self.knows(zone, key.reversed()) {
            State::Reply
        } else if starts(ip, tracker) {
            State::New
        } else {
            State::Invalid
        }
    }

    /// The connection that a packet belongs to, and whether it goes the other way than the first one.
    pub fn find(&self, zone: Zone, ip: &Ip, tracker: Tracker) -> Option<(Key, bool)> {
        match self.state(zone, ip, tracker) {
            State::Established => Some((key(ip, tracker)?.0, false)),
            // The answer to a ping makes nobody know the ping.
            State::Reply if ip.icmp().is_none() => Some((key(ip, tracker)?.0.reversed(), true)),
            _ => None,
        }
    }

    fn knows(&self, zone: Zone, key: Key) -> bool {
        self.known.contains(&(zone, key))
    }
}

/// The connection that a packet, or the one that it is an error about, would belong to: one key for both ways.
pub fn about(ip: &Ip, tracker: Tracker) -> Option<Key> {
    let ip = match &ip.payload {
        Payload::Error { about, .. } => about,
        Payload::Neighbour { .. } | Payload::Listener { .. } => return None,
        _ => ip,
    };
    let (key, _) = key(ip, tracker)?;
    Some(key.min(key.reversed()))
}

/// Whether a packet may be the first of a connection. TCP may be picked up in the middle, but not by an answer.
fn starts(ip: &Ip, tracker: Tracker) -> bool {
    let kernel = tracker != Tracker::Userspace;
    match ip.payload {
        Payload::Tcp(tcp) => match tcp.flags & (SYN | RST | FIN | ACK) {
            SYN | ACK => true,
            // Open vSwitch takes a reset for the start of something.
            RST => !kernel,
            _ => false,
        },
        Payload::Sctp { chunk, .. } => chunk == 1 || !kernel,
        Payload::Dccp { kind, .. } => kind == 0 || tracker != Tracker::Kernel { dccp: true },
        _ => true,
    }
}

/// The key of a packet as if it were in the direction of the first, and whether it is an answer by its kind.
fn key(ip: &Ip, tracker: Tracker) -> Option<(Key, bool)> {
    let known: &[u8] = match tracker {
        Tracker::Kernel { dccp: true } => &[TCP, UDP, SCTP, UDPLITE, DCCP],
        Tracker::Kernel { dccp: false } => &[TCP, UDP, SCTP, UDPLITE],
        Tracker::Userspace => &[TCP, UDP],
    };
    let knows_ports = known.contains(&ip.protocol());
    let (src_port, dst_port) = ip.ports().filter(|_| knows_ports).unwrap_or((0, 0));
    let mut key = Key {
        protocol: ip.protocol(),
        src: (ip.src, src_port),
        dst: (ip.dst, dst_port),
        request: 0,
    };
    let mut answer = false;
    if let Payload::Icmp { kind, code, id } = ip.payload {
        if code != 0 && tracker == Tracker::Userspace {
            return None;
        }
        let pairs: &[(u8, u8)] = match ip.family() {
            Family::V4 => &[(8, 0), (13, 14)],
            Family::V6 => &[(128, 129)],
        };
        let &(request, reply) = pairs
            .iter()
            .find(|(request, reply)| [*request, *reply].contains(&kind))?;
        key.request = request;
        key.src.1 = id;
        key.dst.1 = id;
        answer = kind == reply;
    }
    Some((key, answer))
}
