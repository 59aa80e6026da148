//! Packets as bytes. Every frame carries a mark with a number and a part, by which arrivals are told apart.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::packet::{Body, Fragments, Ip, Packet, Payload, Tcp};
use super::world::Family;

/// Where a packet comes out: by port, which parts of it.
pub type Arrivals = BTreeMap<usize, BTreeSet<u8>>;

const MAGIC: [u8; 6] = *b"\x8dvIfD\xe3";
const N_MARK: usize = 12;
/// Transport bytes in the first of two fragments: a multiple of 8, and above the 1,200 (IPv4) and 1,280 (IPv6) bytes
/// below which the userspace datapath drops fragments.
const FIRST_PART: usize = 1280;
/// The bytes of data that a TCP segment carries.
pub const TCP_DATA: u32 = N_MARK as u32;

/// The frames of a packet: two if it is sent as two fragments.
pub fn frames(packet: &Packet, number: u32) -> Vec<Vec<u8>> {
    match &packet.body {
        Body::Arp { op, sha, spa, tpa } => {
            let mut arp = vec![0, 1, 8, 0, 6, 4];
            arp.extend(op.to_be_bytes());
            arp.extend(sha.0);
            arp.extend(spa.octets());
            arp.extend([0; 6]);
            arp.extend(tpa.octets());
            arp.extend(mark(number, 0));
            vec![ethernet(packet, 0x0806, &arp)]
        }
        Body::Other(kind) => vec![ethernet(packet, *kind, &mark(number, 0))],
        Body::Ip(ip) => datagrams(ip, number)
            .iter()
            .map(|bytes| ethernet(packet, ethertype(ip.family()), bytes))
            .collect(),
    }
}

/// The marks in a frame: number and part of each.
pub fn marks(frame: &[u8]) -> Vec<(u32, u8)> {
    frame
        .windows(N_MARK)
        .filter(|w| w.starts_with(&MAGIC))
        .map(|w| (u32::from_be_bytes([w[6], w[7], w[8], w[9]]), w[10]))
        .collect()
}

/// Which parts of a packet there are.
fn parts(packet: &Packet) -> &'static [u8] {
    match &packet.body {
        Body::Ip(ip) => match ip.fragments {
            Fragments::Whole | Fragments::First => &[0],
            Fragments::Both => &[0, 1],
            Fragments::Second => &[1],
        },
        Body::Arp { .. } | Body::Other(_) => &[0],
    }
}

/// All parts of a packet, at each of some ports.
pub fn whole(packet: &Packet, ports: &[usize]) -> Arrivals {
    let parts: BTreeSet<u8> = parts(packet).iter().copied().collect();
    ports.iter().map(|port| (*port, parts.clone())).collect()
}

fn ethertype(family: Family) -> u16 {
    match family {
        Family::V4 => 0x0800,
        Family::V6 => 0x86dd,
    }
}

fn mark(number: u32, part: u8) -> [u8; N_MARK] {
    let mut bytes = [0; N_MARK];
    bytes[..6].copy_from_slice(&MAGIC);
    bytes[6..10].copy_from_slice(&number.to_be_bytes());
    bytes[10] = part;
    bytes
}

fn ethernet(packet: &Packet, kind: u16, body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(64);
    frame.extend(packet.to.0);
    frame.extend(packet.from.0);
    if let Some(vlan) = packet.vlan {
        frame.extend(0x8100u16.to_be_bytes());
        frame.extend(vlan.to_be_bytes());
    }
    frame.extend(kind.to_be_bytes());
    frame.extend(body);
    frame.resize(frame.len().max(60), 0);
    frame
}

fn datagrams(ip: &Ip, number: u32) -> Vec<Vec<u8>> {
    let data = transport(ip, number);
    if ip.fragments == Fragments::Whole {
        return vec![network(ip, &data, None, number)];
    }
    let (first, second) = data.split_at(FIRST_PART);
    let first = network(ip, first, Some((0, true)), number);
    let second = network(ip, second, Some((FIRST_PART, false)), number);
    match ip.fragments {
        Fragments::First => vec![first],
        Fragments::Second => vec![second],
        Fragments::Whole | Fragments::Both => vec![first, second],
    }
}

/// An IP header before `data`; `fragment` is the offset in bytes and whether more follow.
fn network(ip: &Ip, data: &[u8], fragment: Option<(usize, bool)>, number: u32) -> Vec<u8> {
    match (ip.src, ip.dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            let (offset, more) = fragment.unwrap_or((0, false));
            let mut header = vec![0x45, 0];
            header.extend(u16_of(20 + data.len()).to_be_bytes());
            header.extend(u16_of(number as usize & 0xffff).to_be_bytes());
            header.extend((u16_of(offset / 8) | if more { 0x2000 } else { 0 }).to_be_bytes());
            header.extend([64, ip.protocol(), 0, 0]);
            header.extend(src.octets());
            header.extend(dst.octets());
            let sum = checksum(&header);
            header[10..12].copy_from_slice(&sum.to_be_bytes());
            header.extend(data);
            header
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            let extension = if fragment.is_some() { 8 } else { 0 };
            let mut header = vec![0x60, 0, 0, 0];
            header.extend(u16_of(data.len() + extension).to_be_bytes());
            header.push(if fragment.is_some() {
                44
            } else {
                ip.protocol()
            });
            header.push(255);
            header.extend(src.octets());
            header.extend(dst.octets());
            if let Some((offset, more)) = fragment {
                header.extend([ip.protocol(), 0]);
                header.extend((u16_of(offset) | u16::from(more)).to_be_bytes());
                header.extend(number.to_be_bytes());
            }
            header.extend(data);
            header
        }
        _ => panic!("two families in {ip}"),
    }
}

/// The transport header and data, checksum included. Fragmented ones are long enough for two, with a mark in each.
fn transport(ip: &Ip, number: u32) -> Vec<u8> {
    let mut data = head(&ip.payload, number);
    if ip.fragments != Fragments::Whole {
        data.resize(FIRST_PART + 64, 0);
        data.extend(mark(number, 1));
    }
    let len = u16_of(data.len());
    let sum_at = match &ip.payload {
        Payload::Udp { .. } => {
            data[4..6].copy_from_slice(&len.to_be_bytes());
            6
        }
        Payload::UdpLite { .. } => 6,
        Payload::Dccp { .. } => 6,
        Payload::Tcp(_) => 16,
        Payload::Sctp { .. } => {
            let sum = crc32c(&data) ^ u32::from(ip.bad_sum);
            data[8..12].copy_from_slice(&sum.to_le_bytes());
            return data;
        }
        Payload::Protocol(_) => return data,
        _ => 2,
    };
    let mut summed = Vec::new();
    if !(ip.family() == Family::V4 && ip.icmp().is_some()) {
        summed = pseudo_header(ip, data.len());
    }
    summed.extend(&data);
    let mut sum = checksum(&summed);
    if sum == 0 && ip.icmp().is_none() {
        sum = 0xffff;
    }
    if ip.bad_sum {
        sum ^= 0x0101;
    }
    data[sum_at..sum_at + 2].copy_from_slice(&sum.to_be_bytes());
    data
}

fn head(payload: &Payload, number: u32) -> Vec<u8> {
    let mut data = Vec::new();
    let two = |data: &mut Vec<u8>, src: u16, dst: u16| {
        data.extend(src.to_be_bytes());
        data.extend(dst.to_be_bytes());
    };
    match payload {
        Payload::Tcp(Tcp {
            src,
            dst,
            flags,
            seq,
            ack,
        }) => {
            two(&mut data, *src, *dst);
            data.extend(seq.to_be_bytes());
            data.extend(ack.to_be_bytes());
            data.extend([0x50, *flags, 0x20, 0, 0, 0, 0, 0]);
        }
        Payload::Udp { src, dst } | Payload::UdpLite { src, dst } => {
            two(&mut data, *src, *dst);
            data.extend([0; 4]);
        }
        Payload::Sctp { src, dst, chunk } => {
            let (tag, own) = if *chunk == 1 {
                (0u32, 0x1111_1111u32)
            } else {
                (0x1111_1111, 0x2222_2222)
            };
            two(&mut data, *src, *dst);
            data.extend(tag.to_be_bytes());
            data.extend([0; 4]);
            // A chunk of 20 bytes and a parameter of 16 that a receiver skips.
            data.extend([*chunk, 0, 0, 36]);
            data.extend(own.to_be_bytes());
            data.extend([0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0xc0, 0xfe, 0, 16]);
        }
        Payload::Dccp { src, dst, kind } => {
            two(&mut data, *src, *dst);
            // Data offset in words, checksum over all, type with long sequence numbers (RFC 4340 section 5.1).
            let words = if *kind == 0 { 5 } else { 7 };
            data.extend([words, 0, 0, 0, kind << 1 | 1, 0, 0, 0, 0, 0, 0, 1]);
            if *kind == 1 {
                data.extend([0, 0, 0, 0, 0, 0, 0, 1]);
            }
            data.extend([0; 4]);
        }
        Payload::Icmp { kind, code, id } => {
            data.extend([*kind, *code, 0, 0]);
            data.extend(id.to_be_bytes());
            data.extend([0, 1]);
        }
        Payload::Error { kind, code, about } => {
            // ICMP keeps an MTU in the last two bytes, ICMPv6 in all four, for the types that have one.
            data.extend([*kind, *code, 0, 0, 0, 0, 4, 0]);
            let inner = head(&about.payload, number);
            data.extend(network(about, &inner, None, number));
        }
        Payload::Neighbour { kind, target } => {
            data.extend([*kind, 0, 0, 0, 0, 0, 0, 0]);
            match kind {
                134 => data.extend([0; 8]),
                135 | 136 => data.extend(target.octets()),
                137 => {
                    data.extend(target.octets());
                    data.extend(target.octets());
                }
                _ => {}
            }
            // An option for experiments (RFC 4727), 16 bytes.
            data.extend([253, 2]);
            data.extend(mark(number, 0));
            data.extend([0, 0]);
            return data;
        }
        Payload::Listener { kind } => {
            data.extend([*kind, 0, 0, 0, 0, 0, 0, 0]);
            data.extend([0; 16]);
        }
        Payload::Protocol(_) => data.extend([0; 8]),
    }
    data.extend(mark(number, 0));
    data
}

fn pseudo_header(ip: &Ip, len: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    match (ip.src, ip.dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            bytes.extend(src.octets());
            bytes.extend(dst.octets());
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            bytes.extend(src.octets());
            bytes.extend(dst.octets());
        }
        _ => panic!("two families in {ip}"),
    }
    bytes.extend([0, ip.protocol()]);
    bytes.extend(u16_of(len).to_be_bytes());
    bytes
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| {
            u32::from(u16::from_be_bytes([
                pair[0],
                pair.get(1).copied().unwrap_or(0),
            ]))
        })
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// CRC32c (RFC 9260 appendix A), bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 }
        })
    })
}

fn u16_of(n: usize) -> u16 {
    u16::try_from(n).expect("frames are short")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Mac;

    #[test]
    fn checksums_of_known_bytes() {
        // RFC 1071 section 3.
        assert_eq!(
            checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]),
            !0xddf2
        );
        // RFC 3720 appendix B.4: 32 bytes of zero.
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    }

    #[test]
    fn every_part_is_marked() {
        let udp = Payload::Udp { src: 1, dst: 2 };
        for (src, dst) in [("10.0.0.1", "10.0.0.2"), ("2001:db8::1", "2001:db8::2")] {
            let mut ip = Ip::new(src.parse().unwrap(), dst.parse().unwrap(), udp.clone());
            for (fragments, marked) in [
                (Fragments::Whole, vec![vec![(77, 0)]]),
                (Fragments::Both, vec![vec![(77, 0)], vec![(77, 1)]]),
                (Fragments::Second, vec![vec![(77, 1)]]),
            ] {
                ip.fragments = fragments;
                let packet = Packet::ip(Mac([2; 6]), Mac([4; 6]), ip.clone());
                let found: Vec<_> = frames(&packet, 77).iter().map(|f| marks(f)).collect();
                assert_eq!(found, marked, "{packet}");
            }
        }
    }
}
