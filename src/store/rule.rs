//! What the columns of a security group rule mean: the one place that knows which of them go together, for those who
//! write rows and for those who must survive what somebody wrote by hand.
//!
//! A rule only ever allows. So one that is not understood is left out, and that is safe.

use std::net::IpAddr;

use ipnet::IpNet;
use uuid::Uuid;

use super::Value;
use crate::model::secgroup::protocol;
use crate::model::{AddressGroupId, Direction, Family, GroupId, Remote, RemoteId, Service};

/// Names of protocols with their numbers (IANA "Protocol Numbers"). The first name of a number is the one shown.
/// Those that begin with `ipv6-`, and `icmpv6`, are for IPv6 rules only.
pub const PROTOCOLS: &[(&str, u8)] = &[
    ("icmp", protocol::ICMP),
    ("igmp", 2),
    ("ipip", 4),
    ("tcp", protocol::TCP),
    ("egp", 8),
    ("udp", protocol::UDP),
    ("dccp", protocol::DCCP),
    ("ipv6-encap", 41),
    ("ipv6-route", 43),
    ("ipv6-frag", 44),
    ("rsvp", 46),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("icmpv6", protocol::ICMPV6),
    ("ipv6-icmp", protocol::ICMPV6),
    ("ipv6-nonxt", 59),
    ("ipv6-opts", 60),
    ("ospf", 89),
    ("vrrp", 112),
    ("pgm", 113),
    ("sctp", protocol::SCTP),
    ("udplite", protocol::UDPLITE),
];

/// The columns of a row.
#[derive(Clone, Copy, Debug)]
pub struct RuleColumns<'a> {
    /// `ingress` or `egress`.
    pub direction: &'a Value,
    /// `IPv4` or `IPv6`.
    pub ethertype: &'a Value,
    /// A name of [`PROTOCOLS`], a number as text, or NULL, `any` or `0` for any.
    pub protocol: &'a Value,
    /// The lowest port, or the ICMP type.
    pub port_min: &'a Value,
    /// The highest port, or the ICMP code.
    pub port_max: &'a Value,
    /// An address or prefix.
    pub remote_prefix: &'a Value,
    /// A security group's id.
    pub remote_group_id: &'a Value,
    /// An address group's id.
    pub remote_address_group_id: &'a Value,
}

/// What a rule allows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Meaning {
    /// Which way.
    pub direction: Direction,
    /// Which family.
    pub family: Family,
    /// Which packets.
    pub service: Service,
    /// From or to whom.
    pub remote: Remote,
}

impl RuleColumns<'_> {
    /// What they mean, or which column is wrong and what it may be.
    pub fn meaning(&self) -> Result<Meaning, String> {
        let direction = one_of("direction", self.direction, Direction::ALL, Direction::name)?;
        let family = one_of("ethertype", self.ethertype, Family::ALL, Family::name)?;
        Ok(Meaning {
            direction,
            family,
            service: self.service(family)?,
            remote: self.remote(family)?,
        })
    }

    fn service(&self, family: Family) -> Result<Service, String> {
        let protocol = protocol_number(self.protocol, family)?;
        let unused = |what: &str| {
            for (name, value) in [("port_min", self.port_min), ("port_max", self.port_max)] {
                if !value.is_null() {
                    return Err(format!(
                        "{name} is {}, but {what}: only tcp, udp, sctp, dccp and udplite have ports, and icmp (icmpv6 \
                         in IPv6 rules) has a type and code in their place",
                        value.describe()
                    ));
                }
            }
            Ok(())
        };
        let icmp = match family {
            Family::V4 => protocol::ICMP,
            Family::V6 => protocol::ICMPV6,
        };
        match protocol {
            None => unused("the protocol is any").map(|()| Service::Any),
            Some(number) if protocol::has_ports(number) => self.ports(number),
            Some(number) if number == icmp => self.icmp(number),
            Some(number) => unused(&format!(
                "the protocol is {}",
                protocol_name(number, family)
            ))
            .map(|()| Service::Protocol(number)),
        }
    }

    fn ports(&self, protocol: u8) -> Result<Service, String> {
        let port = |name: &str, value: &Value| match value.int().map(u16::try_from) {
            Some(Ok(port)) if port > 0 => Ok(port),
            _ => Err(format!(
                "{name} is {}, not a port in 1..=65535",
                value.describe()
            )),
        };
        let (min, max) = match (self.port_min.is_null(), self.port_max.is_null()) {
            (true, true) => return Ok(Service::Protocol(protocol)),
            (false, false) => (
                port("port_min", self.port_min)?,
                port("port_max", self.port_max)?,
            ),
            (true, false) => {
                return Err("port_min is NULL beside a port_max: set both, or none".to_owned());
            }
            (false, true) => {
                return Err("port_max is NULL beside a port_min: set both, or none".to_owned());
            }
        };
        if min > max {
            return Err(format!(
                "port_min {min} is above port_max {max}: the lower port comes first"
            ));
        }
        Ok(Service::Ports { protocol, min, max })
    }

    fn icmp(&self, protocol: u8) -> Result<Service, String> {
        let byte = |name: &str, what: &str, value: &Value| match value.int().map(u8::try_from) {
            Some(Ok(n)) => Ok(n),
            _ => Err(format!(
                "{name} is {}, not an ICMP {what} in 0..=255",
                value.describe()
            )),
        };
        match (self.port_min.is_null(), self.port_max.is_null()) {
            (true, true) => Ok(Service::Protocol(protocol)),
            (true, false) => Err(
                "port_max, the ICMP code, needs a type in port_min: a code alone means nothing"
                    .to_owned(),
            ),
            (false, true) => Ok(Service::Icmp {
                kind: byte("port_min", "type", self.port_min)?,
                code: None,
            }),
            (false, false) => Ok(Service::Icmp {
                kind: byte("port_min", "type", self.port_min)?,
                code: Some(byte("port_max", "code", self.port_max)?),
            }),
        }
    }

    fn remote(&self, family: Family) -> Result<Remote, String> {
        let set: Vec<&str> = [
            ("remote_prefix", self.remote_prefix),
            ("remote_group_id", self.remote_group_id),
            ("remote_address_group_id", self.remote_address_group_id),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, _)| name)
        .collect();
        match set.as_slice() {
            [] => Ok(Remote::Any),
            ["remote_prefix"] => prefix(self.remote_prefix, family),
            ["remote_group_id"] => {
                let id = uuid("remote_group_id", self.remote_group_id)?;
                Ok(Remote::Set(RemoteId::Group(GroupId(id))))
            }
            ["remote_address_group_id"] => {
                let id = uuid("remote_address_group_id", self.remote_address_group_id)?;
                Ok(Remote::Set(RemoteId::Addresses(AddressGroupId(id))))
            }
            several => Err(format!(
                "{} are all set: a rule has at most one of them",
                several.join(" and ")
            )),
        }
    }
}

fn prefix(value: &Value, family: Family) -> Result<Remote, String> {
    let text = value.text().unwrap_or_default();
    let net = match (text.parse::<IpNet>(), text.parse::<IpAddr>()) {
        (Ok(net), _) => net.trunc(),
        (_, Ok(ip)) => IpNet::from(ip),
        _ => {
            return Err(format!(
                "remote_prefix is {}, not an address or a prefix such as 192.0.2.0/24",
                value.describe()
            ));
        }
    };
    if Family::of_net(net) != family {
        return Err(format!(
            "remote_prefix {net} is of {}, but the rule is for {}",
            Family::of_net(net).name(),
            family.name()
        ));
    }
    // Everybody of the family, which the rule says already.
    Ok(match net.prefix_len() {
        0 => Remote::Any,
        _ => Remote::Prefix(net),
    })
}

fn uuid(name: &str, value: &Value) -> Result<Uuid, String> {
    let text = value.text().unwrap_or_default();
    match Uuid::parse_str(text) {
        Ok(id) if id.to_string() == text => Ok(id),
        Ok(id) => Err(format!(
            "{name} {} must be written as {id}",
            value.describe()
        )),
        Err(_) => Err(format!("{name} is {}, not a UUID", value.describe())),
    }
}

fn one_of<T: Copy>(
    column: &str,
    value: &Value,
    all: [T; 2],
    name: impl Fn(T) -> &'static str,
) -> Result<T, String> {
    let found = all.into_iter().find(|x| value.text() == Some(name(*x)));
    let [a, b] = all.map(&name);
    found.ok_or_else(|| format!("{column} is {}, not {a} or {b}", value.describe()))
}

/// The number of a protocol in a rule of that family; `None` for any.
fn protocol_number(value: &Value, family: Family) -> Result<Option<u8>, String> {
    let text = match value {
        Value::Null => return Ok(None),
        Value::Int(n) => n.to_string(),
        Value::Text(text) => text.to_lowercase(),
        Value::Odd(_) => String::new(),
    };
    if text == "any" {
        return Ok(None);
    }
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return match text.parse::<u8>() {
            Ok(0) => Ok(None),
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(format!(
                "protocol is {}, not a number in 0..=255",
                value.describe()
            )),
        };
    }
    let Some((_, number)) = PROTOCOLS.iter().find(|(name, _)| *name == text) else {
        return Err(format!(
            "protocol is {}, not any, a number in 0..=255, or one of {}",
            value.describe(),
            PROTOCOLS
                .iter()
                .map(|(name, _)| *name)
                .collect::<Vec<_>>()
                .join(", ")
        ));
    };
    match family {
        Family::V4 if text.starts_with("ipv6-") || text == "icmpv6" => Err(format!(
            "protocol {text} is for IPv6 rules, but ethertype is IPv4"
        )),
        Family::V6 if *number == protocol::ICMP => Ok(Some(protocol::ICMPV6)),
        _ => Ok(Some(*number)),
    }
}

/// The name of a protocol in a rule of that family, or its number if it has none there.
pub fn protocol_name(number: u8, family: Family) -> String {
    PROTOCOLS
        .iter()
        .filter(|(_, n)| *n == number)
        .map(|(name, _)| (*name).to_owned())
        .find(|name| protocol_number(&name.into(), family) == Ok(Some(number)))
        .unwrap_or_else(|| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protocol, port_min, port_max in a rule of that family.
    fn service(
        family: Family,
        protocol: &str,
        min: Option<i64>,
        max: Option<i64>,
    ) -> Result<Service, String> {
        let meaning = RuleColumns {
            direction: &"ingress".into(),
            ethertype: &family.name().into(),
            protocol: &Some(protocol).filter(|text| *text != "NULL").into(),
            port_min: &min.into(),
            port_max: &max.into(),
            remote_prefix: &Value::Null,
            remote_group_id: &Value::Null,
            remote_address_group_id: &Value::Null,
        }
        .meaning()?;
        Ok(meaning.service)
    }

    #[test]
    fn protocols() {
        let any = [("NULL", 0), ("any", 0), ("ANY", 0), ("0", 0), ("00", 0)];
        let both = [
            ("tcp", 6),
            ("TCP", 6),
            ("udp", 17),
            ("sctp", 132),
            ("dccp", 33),
            ("udplite", 136),
            ("ah", 51),
            ("esp", 50),
            ("gre", 47),
            ("igmp", 2),
            ("ospf", 89),
            ("pgm", 113),
            ("rsvp", 46),
            ("vrrp", 112),
            ("egp", 8),
            ("ipip", 4),
            ("4", 4),
            ("255", 255),
            ("58", 58),
            ("1", 1),
        ];
        let only_v6 = [
            ("ipv6-encap", 41),
            ("ipv6-route", 43),
            ("ipv6-frag", 44),
            ("ipv6-icmp", 58),
            ("icmpv6", 58),
            ("ipv6-nonxt", 59),
            ("ipv6-opts", 60),
        ];
        for family in Family::ALL {
            for (name, number) in any.iter().chain(&both) {
                let wanted = match number {
                    0 => Service::Any,
                    number => Service::Protocol(*number),
                };
                assert_eq!(service(family, name, None, None), Ok(wanted), "{name}");
            }
        }
        for (name, number) in only_v6 {
            assert_eq!(
                service(Family::V6, name, None, None),
                Ok(Service::Protocol(number))
            );
            assert!(service(Family::V4, name, None, None).is_err(), "{name}");
        }
        assert_eq!(
            service(Family::V4, "icmp", None, None),
            Ok(Service::Protocol(1))
        );
        assert_eq!(
            service(Family::V6, "icmp", None, None),
            Ok(Service::Protocol(58))
        );
        // Every number has one name, which leads back to it.
        for family in Family::ALL {
            for number in 1..=255_u8 {
                let name = protocol_name(number, family);
                assert_eq!(
                    service(family, &name, None, None),
                    Ok(Service::Protocol(number)),
                    "{name}"
                );
            }
        }
        assert_eq!(
            protocol_name(1, Family::V6),
            "1",
            "icmp would mean 58 there"
        );
        assert_eq!(protocol_name(58, Family::V4), "58");
    }

    #[test]
    fn ports_types_and_codes() {
        for (name, protocol) in [
            ("tcp", 6),
            ("17", 17),
            ("sctp", 132),
            ("dccp", 33),
            ("136", 136),
        ] {
            let ports = Service::Ports {
                protocol,
                min: 1,
                max: 65535,
            };
            assert_eq!(service(Family::V4, name, Some(1), Some(65535)), Ok(ports));
        }
        let icmp = |kind, code| Ok(Service::Icmp { kind, code });
        assert_eq!(
            service(Family::V4, "icmp", Some(0), Some(0)),
            icmp(0, Some(0))
        );
        assert_eq!(service(Family::V4, "1", Some(8), None), icmp(8, None));
        assert_eq!(
            service(Family::V6, "icmp", Some(128), Some(0)),
            icmp(128, Some(0))
        );
        assert_eq!(service(Family::V6, "58", Some(255), None), icmp(255, None));
        // ICMP of the other family has no types of its own.
        assert!(service(Family::V6, "1", Some(8), None).is_err());
        assert!(service(Family::V4, "58", Some(8), None).is_err());
        assert!(service(Family::V4, "any", Some(80), Some(80)).is_err());
    }

    #[test]
    fn prefixes() {
        let remote = |family: Family, text: &str| prefix(&text.into(), family).map_err(|_| ());
        let net = |text: &str| Ok(Remote::Prefix(text.parse().unwrap()));
        assert_eq!(remote(Family::V4, "10.1.2.3/8"), net("10.0.0.0/8"));
        assert_eq!(remote(Family::V4, "10.1.2.3"), net("10.1.2.3/32"));
        assert_eq!(remote(Family::V6, "2001:DB8::1/64"), net("2001:db8::/64"));
        assert_eq!(remote(Family::V4, "0.0.0.0/0"), Ok(Remote::Any));
        assert_eq!(remote(Family::V6, "::/0"), Ok(Remote::Any));
        for (family, text) in [
            (Family::V6, "10.0.0.0/8"),
            (Family::V4, "::/0"),
            (Family::V4, "10.0.0.0/33"),
        ] {
            assert_eq!(remote(family, text), Err(()), "{text}");
        }
    }
}
