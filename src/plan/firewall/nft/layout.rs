//! How numbers lie in marks and in the keys of sets: the one place that knows.
//!
//! A frame carries its port in its packet mark, four bytes as they lie in memory:
//!
//! ```text
//! byte 0, 1   zone of the port, native order (what `ct zone set` reads from a register)
//!             while rules are looked at: the source that is being tried, big-endian
//! byte 2      0x80 from or to the network side   0x40 stateless   0x20 passed   0x1f profile, upper bits
//! byte 3      profile, lower bits
//! ```
//!
//! A *context* is what the set `pass` is keyed by: the same four bytes with the source in the first two and, in the
//! place of the three flags, direction and family. A source is a number: 0 is any address, below 0x8000 it is a remote
//! set of the host, from there on a prefix or MAC address of the profile.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use nft::name::Bytes;
use smallvec::{SmallVec, smallvec};

use crate::model::{Direction, Family, Mac, Service, secgroup::protocol};

/// Highest number of a profile; 0 stands for none.
pub const PROFILES: u16 = 0x1fff;
/// Highest number of remote sets in a profile.
pub const SLOTS: u16 = 0x0fff;
/// Highest number of a remote set.
pub const REMOTES: u16 = 0x7fff;
/// First source number of a prefix or MAC address.
pub const FIRST_NET: u16 = 0x8000;

/// The device leads to the network, not to the VM.
pub const NETWORK_SIDE: [u8; 4] = [0, 0, 0x80, 0];
/// Connections of the port are not tracked.
pub const STATELESS: [u8; 4] = [0, 0, 0x40, 0];
/// The packet has been allowed.
pub const PASSED: [u8; 4] = [0, 0, 0x20, 0];
/// What must be clear in a packet that is to be judged.
pub const NOT_TO_JUDGE: [u8; 4] = [0, 0, 0xa0, 0];
/// The bits of the profile.
pub const PROFILE: [u8; 4] = [0, 0, 0x1f, 0xff];
/// The bytes of the zone or source.
pub const ZONE: [u8; 4] = [0xff, 0xff, 0, 0];
/// Everything but the zone.
pub const NO_ZONE: [u8; 4] = [0, 0, 0xff, 0xff];
/// Source and profile.
pub const CONTEXT: [u8; 4] = [0xff, 0xff, 0x1f, 0xff];

/// Level in a selector: any protocol.
pub const ANY_PROTOCOL: u8 = 0xff;
/// Level in a selector: this protocol has ranges of ports.
pub const HAS_RANGES: u8 = 0xfe;
/// Level in a selector: one port.
pub const ONE_PORT: u8 = 16;
/// Level in a selector: ICMP type, any code.
pub const ICMP_TYPE: u8 = 0x48;
/// Level in a selector: ICMP type and code.
pub const ICMP_CODE: u8 = 0x50;
/// Levels of blocks of ports, as lengths of a prefix of the port number.
pub const BLOCKS: [u8; 7] = [2, 4, 6, 8, 10, 12, 14];

/// Direction and family in a context.
pub fn tag(direction: Direction, family: Family) -> u8 {
    let direction = match direction {
        Direction::Egress => 0,
        Direction::Ingress => 0x80,
    };
    let family = match family {
        Family::V4 => 0,
        Family::V6 => 0x40,
    };
    direction | family
}

/// The mark of a device.
pub fn mark(zone: u16, profile: u16, flags: [u8; 4]) -> [u8; 4] {
    let [a, b] = zone.to_ne_bytes();
    let [hi, lo] = (profile & PROFILES).to_be_bytes();
    [a, b, hi | flags[2], lo]
}

/// The zone in a mark.
pub fn zone_of(mark: [u8; 4]) -> u16 {
    u16::from_ne_bytes([mark[0], mark[1]])
}

/// The profile in a mark or key.
pub fn profile_of(word: [u8; 4]) -> u16 {
    u16::from_be_bytes([word[2], word[3]]) & PROFILES
}

/// The source in a context.
pub fn source_of(word: [u8; 4]) -> u16 {
    u16::from_be_bytes([word[0], word[1]])
}

/// A zone as the first word of a key.
pub fn zone_word(zone: u16) -> [u8; 4] {
    mark(zone, 0, [0; 4])
}

/// A zone, and the word of a connection's labels that names it ([`crate::ops::conntrack::Connection::owners`]).
pub fn owner(zone: u16) -> Bytes {
    key(&[&zone_word(zone), &zone_word(zone)])
}

/// A profile as the first word of a key.
pub fn profile_word(profile: u16) -> [u8; 4] {
    mark(0, profile, [0; 4])
}

/// A source of a profile, as a mark takes it.
pub fn source_word(profile: u16, source: u16) -> [u8; 4] {
    let [a, b] = source.to_be_bytes();
    let [_, _, c, d] = profile_word(profile);
    [a, b, c, d]
}

fn key(fields: &[&[u8]]) -> Bytes {
    let mut bytes = Bytes::default();
    for field in fields {
        bytes.field(field);
    }
    bytes
}

/// A device name, padded.
pub fn device(name: &str) -> Bytes {
    nft::expr::build::ifname(name).into()
}

/// Zone and MAC.
pub fn sender(zone: u16, mac: Mac) -> Bytes {
    key(&[&zone_word(zone), &mac.0])
}

/// Zone, MAC and address.
pub fn sender_at(zone: u16, mac: Mac, ip: IpAddr) -> Bytes {
    match ip {
        IpAddr::V4(ip) => key(&[&zone_word(zone), &mac.0, &ip.octets()]),
        IpAddr::V6(ip) => key(&[&zone_word(zone), &mac.0, &ip.octets()]),
    }
}

/// Zone, MAC twice (of the frame and in it) and address or, for a prefix, its length and network.
pub fn speaker(zone: u16, mac: Mac, net: IpNet) -> Bytes {
    let mut bytes = key(&[&zone_word(zone), &mac.0, &mac.0]);
    if net.prefix_len() < net.max_prefix_len() {
        bytes.field(&length_word(net.prefix_len()));
    }
    match net.network() {
        IpAddr::V4(ip) => bytes.field(&ip.octets()),
        IpAddr::V6(ip) => bytes.field(&ip.octets()),
    }
    bytes
}

/// Zone, MAC, prefix length and network.
pub fn sender_in(zone: u16, mac: Mac, net: IpNet) -> Bytes {
    let length = length_word(net.prefix_len());
    match net.network() {
        IpAddr::V4(ip) => key(&[&zone_word(zone), &mac.0, &length, &ip.octets()]),
        IpAddr::V6(ip) => key(&[&zone_word(zone), &mac.0, &length, &ip.octets()]),
    }
}

/// A prefix length as a word.
pub fn length_word(length: u8) -> [u8; 4] {
    u32::from(length).to_ne_bytes()
}

/// The mask of a prefix length.
pub fn netmask(family: Family, length: u8) -> Vec<u8> {
    match family {
        Family::V4 => {
            let bits = u32::MAX.checked_shl(32 - u32::from(length.min(32)));
            Ipv4Addr::from(bits.unwrap_or(0)).octets().to_vec()
        }
        Family::V6 => {
            let bits = u128::MAX.checked_shl(128 - u32::from(length.min(128)));
            Ipv6Addr::from(bits.unwrap_or(0)).octets().to_vec()
        }
    }
}

/// Profile and the index of a remote set in it.
pub fn slot(profile: u16, index: u16) -> Bytes {
    key(&[&profile_word(profile), &u32::from(index).to_ne_bytes()])
}

/// Profile, prefix length and network.
pub fn net(profile: u16, net: IpNet) -> Bytes {
    let length = length_word(net.prefix_len());
    match net.network() {
        IpAddr::V4(ip) => key(&[&profile_word(profile), &length, &ip.octets()]),
        IpAddr::V6(ip) => key(&[&profile_word(profile), &length, &ip.octets()]),
    }
}

/// Profile and MAC.
pub fn net_mac(profile: u16, mac: Mac) -> Bytes {
    key(&[&profile_word(profile), &mac.0])
}

/// Remote set and address.
pub fn member(remote: u16, ip: IpAddr) -> Bytes {
    match ip {
        IpAddr::V4(ip) => key(&[&source_word(0, remote), &ip.octets()]),
        IpAddr::V6(ip) => key(&[&source_word(0, remote), &ip.octets()]),
    }
}

/// Context, protocol and selector.
pub fn pass(profile: u16, source: u16, tag: u8, (protocol, selector): (u8, [u8; 4])) -> [u8; 12] {
    let [a, b, c, d] = source_word(profile, source);
    let [e, f, g, h] = selector;
    [a, b, c | tag, d, protocol, 0, 0, 0, e, f, g, h]
}

/// Protocols with selectors.
pub type Selectors = SmallVec<[(u8, [u8; 4]); 12]>;

/// A service as protocols and selectors.
pub fn selectors(service: Service, family: Family) -> Selectors {
    match service {
        Service::Any => smallvec![(0, [0, 0, ANY_PROTOCOL, 0])],
        Service::Protocol(number) => smallvec![(number, [0; 4])],
        Service::Icmp { kind, code } => {
            let number = service.protocol(family).unwrap_or(protocol::ICMP);
            smallvec![match code {
                None => (number, [kind, 0, ICMP_TYPE, 0]),
                Some(code) => (number, [kind, code, ICMP_CODE, 0]),
            }]
        }
        Service::Ports { protocol, min, max } => {
            let mut list = Selectors::new();
            let mut has_blocks = false;
            for (first, level) in blocks(min, max) {
                let [hi, lo] = first.to_be_bytes();
                has_blocks |= BLOCKS.contains(&level);
                list.push((protocol, [hi, lo, level, 0]));
            }
            if has_blocks {
                list.push((protocol, [0, 0, HAS_RANGES, 0]));
            }
            list
        }
    }
}

/// A range of ports as blocks of 4^k ports: the first port of each, and its level.
fn blocks(min: u16, max: u16) -> impl Iterator<Item = (u16, u8)> {
    let (mut at, end) = (u32::from(min), u32::from(max) + 1);
    std::iter::from_fn(move || {
        let first = u16::try_from(at).ok().filter(|_| at < end)?;
        let fits = |bits: u32| at.is_multiple_of(1 << bits) && at + (1 << bits) <= end;
        let bits = [16u32, 14, 12, 10, 8, 6, 4, 2]
            .into_iter()
            .find(|bits| fits(*bits))
            .unwrap_or(0);
        at += 1 << bits;
        Some((first, u8::try_from(16 - bits).ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_a_range_exactly() {
        for (min, max) in [
            (0, 0),
            (1, 65535),
            (0, 65535),
            (80, 80),
            (1024, 65535),
            (5000, 5010),
            (30000, 32767),
            (65535, 65535),
        ] {
            let mut ports: Vec<u32> = Vec::new();
            let list: Vec<_> = blocks(min, max).collect();
            for (first, level) in &list {
                assert!(*level == 0 || *level == ONE_PORT || BLOCKS.contains(level));
                ports.extend((0..1u32 << (16 - level)).map(|n| u32::from(*first) + n));
            }
            assert!(ports.iter().copied().eq(u32::from(min)..=u32::from(max)));
            assert!(list.len() <= 48, "{min}-{max}: {}", list.len());
        }
    }

    #[test]
    fn a_mark_holds_zone_and_profile() {
        let word = mark(4097, 8000, STATELESS);
        assert_eq!((zone_of(word), profile_of(word)), (4097, 8000));
        assert_eq!(word[2] & STATELESS[2], STATELESS[2]);
        let context = source_word(8000, 0x1234);
        assert_eq!((source_of(context), profile_of(context)), (0x1234, 8000));
    }

    #[test]
    fn masks() {
        assert_eq!(netmask(Family::V4, 0), [0, 0, 0, 0]);
        assert_eq!(netmask(Family::V4, 20), [255, 255, 240, 0]);
        assert_eq!(netmask(Family::V4, 32), [255; 4]);
        assert_eq!(netmask(Family::V6, 0), [0; 16]);
        assert_eq!(netmask(Family::V6, 128), [255; 16]);
    }
}
