//! rtnetlink messages: what is sent, and what is read of the answers.
//!
//! Requests are built with `netlink-packet-route`. Of answers only the headers and the few attributes that count here
//! are read (`if_link.h`, `if_addr.h`), so that an attribute that some kernel lays out differently costs no device.
//! Held by the tests at the foot, by `tests/exec_rtnl.rs` and by the fuzz target `rtnl_messages`, which compiles this file
//! without the rest of the program.

use std::net::IpAddr;
use std::sync::Arc;

use netlink_packet_core::{
    ErrorMessage, NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkBuffer,
    NetlinkHeader, NetlinkMessage, NetlinkPayload, NlasIterator, Parseable,
};
use netlink_packet_route::address::{AddressHeader, AddressMessage};
use netlink_packet_route::link::{
    InfoBridge, InfoData, InfoKind, LinkAttribute, LinkExtentMask, LinkFlags, LinkHeader, LinkInfo,
    LinkMessage,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::ops::link::LinkState;

/// `linux/netlink.h`: `struct nlmsghdr`.
const MESSAGE_HEADER: usize = 16;
/// `linux/rtnetlink.h`: `struct ifinfomsg`.
const LINK_HEADER: usize = 16;
/// `linux/if_addr.h`: `struct ifaddrmsg`.
const ADDRESS_HEADER: usize = 8;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;

/// `linux/if_link.h`.
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_BR_NF_CALL_IPTABLES: u16 = 36;
const IFLA_BR_NF_CALL_IP6TABLES: u16 = 37;
/// `linux/if_addr.h`.
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
/// `linux/netlink.h`: `enum nlmsgerr_attrs`.
const NLMSGERR_ATTR_MSG: u16 = 1;

/// One message of the kernel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Answer {
    /// The request it belongs to; 0 for what nobody asked.
    pub sequence: u32,
    /// The listing changed while it was made and may lack something.
    pub interrupted: bool,
    pub body: Body,
}

/// What it says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Body {
    News(News),
    /// Carried out (`Ok`), or why not.
    Ack(Result<(), String>),
    /// End of a listing, or why there is none.
    Done(Result<(), String>),
    /// Nothing of interest.
    Other,
}

/// A device as the kernel shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Device {
    pub index: u32,
    pub name: Arc<str>,
    pub mtu: u32,
    pub up: bool,
    pub netfilter: bool,
}

/// One message about devices or addresses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum News {
    Device(Device),
    DeviceGone(u32),
    Address(u32, IpAddr),
    AddressGone(u32, IpAddr),
}

/// Asks for every device.
pub(super) fn list_devices(sequence: u32) -> Vec<u8> {
    let mut message = LinkMessage::default();
    message
        .attributes
        .push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    request(sequence, NLM_F_DUMP, RouteNetlinkMessage::GetLink(message))
}

/// Asks for every address.
pub(super) fn list_addresses(sequence: u32) -> Vec<u8> {
    request(
        sequence,
        NLM_F_DUMP,
        RouteNetlinkMessage::GetAddress(AddressMessage::default()),
    )
}

/// Asks for the device to be changed where it differs.
pub(super) fn change_device(sequence: u32, device: &Device, want: LinkState) -> Vec<u8> {
    let mut message = LinkMessage::default();
    message.header.index = device.index;
    if device.up != want.up {
        message.header.flags = if want.up {
            LinkFlags::Up
        } else {
            LinkFlags::empty()
        };
        message.header.change_mask = LinkFlags::Up;
    }
    if let Some(mtu) = want.mtu.filter(|mtu| *mtu != device.mtu) {
        message.attributes.push(LinkAttribute::Mtu(mtu));
    }
    if want.netfilter && !device.netfilter {
        message.attributes.push(bridge_netfilter(true));
    }
    request(sequence, NLM_F_ACK, RouteNetlinkMessage::NewLink(message))
}

/// Asks that a bridge no longer hands its packets to the IP hooks.
pub(super) fn release_bridge(sequence: u32, bridge: &Device) -> Vec<u8> {
    let mut message = LinkMessage::default();
    message.header.index = bridge.index;
    message.attributes.push(bridge_netfilter(false));
    request(sequence, NLM_F_ACK, RouteNetlinkMessage::NewLink(message))
}

fn bridge_netfilter(on: bool) -> LinkAttribute {
    let settings = vec![
        InfoBridge::NfCallIpTables(on),
        InfoBridge::NfCallIp6Tables(on),
    ];
    LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::Bridge),
        LinkInfo::Data(InfoData::Bridge(settings)),
    ])
}

fn request(sequence: u32, flags: u16, message: RouteNetlinkMessage) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | flags;
    header.sequence_number = sequence;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(message));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

/// Reads the messages of one datagram. `Err` says what is wrong with the rest of it.
pub(super) fn read(mut bytes: &[u8], answers: &mut Vec<Answer>) -> Result<(), String> {
    while !bytes.is_empty() {
        let message = NetlinkBuffer::new_checked(bytes).map_err(|e| e.to_string())?;
        let length = usize::try_from(message.length()).unwrap_or(usize::MAX);
        let Some(payload) = bytes.get(MESSAGE_HEADER..length) else {
            return Err(format!("a message of {length} bytes"));
        };
        let body = body(message.message_type(), payload)?;
        answers.push(Answer {
            sequence: message.sequence_number(),
            interrupted: message.flags() & NLM_F_DUMP_INTR != 0,
            body,
        });
        // Messages start at multiples of 4 bytes.
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or(&[]);
    }
    Ok(())
}

fn body(kind: u16, payload: &[u8]) -> Result<Body, String> {
    Ok(match kind {
        RTM_NEWLINK => device(payload)?.map_or(Body::Other, |d| Body::News(News::Device(d))),
        RTM_DELLINK => {
            let header = LinkHeader::parse(payload).map_err(|e| e.to_string())?;
            match header.interface_family {
                AddressFamily::Unspec => Body::News(News::DeviceGone(header.index)),
                // A bridge lost a port; the device is still there.
                _ => Body::Other,
            }
        }
        RTM_NEWADDR => {
            address(payload)?.map_or(Body::Other, |(i, ip)| Body::News(News::Address(i, ip)))
        }
        RTM_DELADDR => {
            address(payload)?.map_or(Body::Other, |(i, ip)| Body::News(News::AddressGone(i, ip)))
        }
        NLMSG_ERROR => Body::Ack(verdict(payload)?),
        NLMSG_DONE => Body::Done(done(payload)),
        _ => Body::Other,
    })
}

fn device(payload: &[u8]) -> Result<Option<Device>, String> {
    let header = LinkHeader::parse(payload).map_err(|e| e.to_string())?;
    if header.interface_family != AddressFamily::Unspec {
        return Ok(None);
    }
    let (mut name, mut mtu, mut netfilter) = (None, None, false);
    for attribute in NlasIterator::new(payload.get(LINK_HEADER..).unwrap_or(&[])) {
        let attribute = attribute.map_err(|e| e.to_string())?;
        match attribute.kind() {
            IFLA_IFNAME => name = Some(Arc::from(text(attribute.value()))),
            IFLA_MTU => {
                mtu = attribute
                    .value()
                    .first_chunk()
                    .map(|v| u32::from_ne_bytes(*v))
            }
            IFLA_LINKINFO => netfilter = has_netfilter(attribute.value()),
            _ => {}
        }
    }
    let up = header.flags.contains(LinkFlags::Up);
    Ok(name.zip(mtu).map(|(name, mtu)| Device {
        index: header.index,
        name,
        mtu,
        up,
        netfilter,
    }))
}

/// A bridge that hands its packets to the hooks of both families. Attributes that cannot be read are none.
fn has_netfilter(info: &[u8]) -> bool {
    let find = |bytes: &[u8], kind: u16| {
        NlasIterator::new(bytes)
            .map_while(Result::ok)
            .find(|attribute| attribute.kind() == kind)
            .map(|attribute| attribute.value().to_vec())
    };
    let is_bridge =
        find(info, IFLA_INFO_KIND).is_some_and(|kind| kind.strip_suffix(&[0]) == Some(b"bridge"));
    let data = find(info, IFLA_INFO_DATA).unwrap_or_default();
    let is_set = |kind| find(&data, kind).is_some_and(|value| value.first() == Some(&1));
    is_bridge && is_set(IFLA_BR_NF_CALL_IPTABLES) && is_set(IFLA_BR_NF_CALL_IP6TABLES)
}

/// `IFA_LOCAL` is the host's own end; `IFA_ADDRESS` is it too, unless the device is point to point.
fn address(payload: &[u8]) -> Result<Option<(u32, IpAddr)>, String> {
    let header = AddressHeader::parse(payload).map_err(|e| e.to_string())?;
    let (mut local, mut address) = (None, None);
    for attribute in NlasIterator::new(payload.get(ADDRESS_HEADER..).unwrap_or(&[])) {
        let attribute = attribute.map_err(|e| e.to_string())?;
        match attribute.kind() {
            IFA_LOCAL => local = ip(attribute.value()),
            IFA_ADDRESS => address = ip(attribute.value()),
            _ => {}
        }
    }
    Ok(local.or(address).map(|ip| (header.index, ip)))
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(IpAddr::from(v4));
    }
    <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or(bytes)).into_owned()
}

/// The kernel's own words stand behind the request's header, which is all of the request that comes back
/// (`NETLINK_CAP_ACK`).
fn verdict(payload: &[u8]) -> Result<Result<(), String>, String> {
    let buffer =
        netlink_packet_core::ErrorBuffer::new_checked(&payload).map_err(|e| e.to_string())?;
    let error = ErrorMessage::parse(&buffer).map_err(|e| e.to_string())?;
    let Some(code) = error.code else {
        return Ok(Ok(()));
    };
    // `ErrorMessage::to_io` negates without looking.
    Ok(Err(explained(
        &std::io::Error::from_raw_os_error(code.get().saturating_neg()),
        error.header.get(MESSAGE_HEADER..).unwrap_or(&[]),
    )))
}

fn done(payload: &[u8]) -> Result<(), String> {
    let code = payload
        .first_chunk()
        .map_or(0, |code| i32::from_ne_bytes(*code));
    if code >= 0 {
        return Ok(());
    }
    Err(explained(
        &std::io::Error::from_raw_os_error(code.saturating_neg()),
        payload.get(4..).unwrap_or(&[]),
    ))
}

fn explained(error: &std::io::Error, attributes: &[u8]) -> String {
    let words = NlasIterator::new(attributes)
        .map_while(Result::ok)
        .find(|a| a.kind() == NLMSGERR_ATTR_MSG)
        .map(|a| text(a.value()))
        .filter(|words| !words.is_empty());
    match words {
        Some(words) => format!("{words} ({error})"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend((payload.len() as u32 + 16).to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(0u16.to_ne_bytes());
        bytes.extend(7u32.to_ne_bytes());
        bytes.extend(0u32.to_ne_bytes());
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend((value.len() as u16 + 4).to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn link(family: u8, index: u32, flags: u32, attributes: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = vec![family, 0, 1, 0];
        bytes.extend(index.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(0u32.to_ne_bytes());
        attributes.iter().for_each(|a| bytes.extend(a));
        bytes
    }

    fn bodies(bytes: &[u8]) -> Vec<Body> {
        let mut answers = Vec::new();
        read(bytes, &mut answers).unwrap();
        answers.into_iter().map(|a| a.body).collect()
    }

    #[test]
    fn devices_and_their_end() {
        let attributes = [
            attribute(3, b"tap0\0"),
            attribute(4, &1450u32.to_ne_bytes()),
            attribute(999, &[1, 2, 3]),
        ];
        let mut bytes = message(16, &link(0, 9, 1, &attributes));
        bytes.extend(message(17, &link(0, 9, 0, &attributes)));
        let device = Device {
            index: 9,
            name: "tap0".into(),
            mtu: 1450,
            up: true,
            netfilter: false,
        };
        assert_eq!(
            bodies(&bytes),
            [
                Body::News(News::Device(device)),
                Body::News(News::DeviceGone(9))
            ]
        );
    }

    #[test]
    fn what_a_bridge_says_of_its_ports_is_no_end_of_a_device() {
        let attributes = [
            attribute(3, b"tap0\0"),
            attribute(4, &1450u32.to_ne_bytes()),
        ];
        let mut bytes = message(17, &link(7, 9, 0, &attributes));
        bytes.extend(message(16, &link(7, 9, 1, &attributes)));
        assert_eq!(bodies(&bytes), [Body::Other, Body::Other]);
    }

    #[test]
    fn the_local_end_of_an_address_counts() {
        let header = [2, 32, 0, 0, 4, 0, 0, 0];
        let with =
            |attributes: &[Vec<u8>]| message(20, &[&header[..], &attributes.concat()].concat());
        let peer = attribute(1, &[192, 0, 2, 2]);
        let local = attribute(2, &[192, 0, 2, 1]);
        let told = |bytes: &[u8]| bodies(bytes);
        let index = u32::from_ne_bytes([4, 0, 0, 0]);
        let news = |ip: [u8; 4]| vec![Body::News(News::Address(index, IpAddr::from(ip)))];
        assert_eq!(told(&with(&[peer.clone(), local])), news([192, 0, 2, 1]));
        assert_eq!(told(&with(&[peer])), news([192, 0, 2, 2]));
    }

    #[test]
    fn a_refusal_carries_the_kernels_words() {
        let mut payload = (-22i32).to_ne_bytes().to_vec();
        payload.extend([0; 16]);
        assert_eq!(
            bodies(&message(2, &payload)),
            [Body::Ack(Err("Invalid argument (os error 22)".into()))]
        );
        payload.extend(attribute(1, b"mtu greater than device maximum\0"));
        let words = "mtu greater than device maximum (Invalid argument (os error 22))";
        assert_eq!(
            bodies(&message(2, &payload)),
            [Body::Ack(Err(words.into()))]
        );
        assert_eq!(bodies(&message(2, &[0; 20])), [Body::Ack(Ok(()))]);
        assert_eq!(
            bodies(&message(3, &0i32.to_ne_bytes())),
            [Body::Done(Ok(()))]
        );
        assert!(matches!(
            bodies(&message(3, &(-4i32).to_ne_bytes()))[..],
            [Body::Done(Err(_))]
        ));
    }

    #[test]
    fn every_cut_is_survived() {
        let attributes = [
            attribute(3, b"tap0\0"),
            attribute(4, &1450u32.to_ne_bytes()),
        ];
        let mut bytes = message(16, &link(0, 9, 1, &attributes));
        bytes.extend(message(
            20,
            &[2, 32, 0, 0, 4, 0, 0, 0, 8, 0, 2, 0, 192, 0, 2, 1],
        ));
        bytes.extend(message(2, &[0xff; 40]));
        bytes.extend(message(
            2,
            &[&i32::MIN.to_ne_bytes()[..], &[0; 16]].concat(),
        ));
        for end in 0..bytes.len() {
            let _ = read(&bytes[..end], &mut Vec::new());
        }
        for at in 0..bytes.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bytes = bytes.clone();
                bytes[at] = value;
                let _ = read(&bytes, &mut Vec::new());
            }
        }
    }

    #[test]
    fn only_what_differs_is_asked_for() {
        let device = Device {
            index: 9,
            name: "tap0".into(),
            mtu: 1500,
            up: true,
            netfilter: false,
        };
        let bytes = change_device(
            3,
            &device,
            LinkState {
                mtu: Some(1450),
                up: true,
                netfilter: false,
            },
        );
        let expected = [
            40, 0, 0, 0, 16, 0, 5, 0, 3, 0, 0, 0, 0, 0, 0, 0, // header
            0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // ifinfomsg: no flag is changed
            8, 0, 4, 0, 0xaa, 5, 0, 0, // IFLA_MTU
        ];
        if cfg!(target_endian = "little") {
            assert_eq!(bytes, expected);
        }
        let down = Device {
            up: false,
            ..device
        };
        let bytes = change_device(
            3,
            &down,
            LinkState {
                mtu: Some(1500),
                up: true,
                netfilter: false,
            },
        );
        assert_eq!(bytes.len(), 32);
        assert_eq!(
            bytes[24..32],
            [1u32.to_ne_bytes(), 1u32.to_ne_bytes()].concat()
        );
    }
}
