//! What the control plane says, in the test's own words: networks, ports, groups, rules.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

/// An Ethernet address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    pub const BROADCAST: Mac = Mac([0xff; 6]);

    pub fn is_multicast(self) -> bool {
        self.0[0] & 1 == 1
    }

    /// The link-local address made from it: EUI-64 with the universal bit turned (RFC 4291 appendix A).
    pub fn link_local(self) -> Ipv6Addr {
        let m = self.0;
        let mut bytes = [0u8; 16];
        bytes[..2].copy_from_slice(&[0xfe, 0x80]);
        bytes[8..].copy_from_slice(&[m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]]);
        bytes.into()
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(|b| format!("{b:02x}")).collect();
        f.write_str(&parts.join(":"))
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// IPv4 or IPv6.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    pub const BOTH: [Family; 2] = [Family::V4, Family::V6];

    pub fn of(ip: IpAddr) -> Family {
        if ip.is_ipv4() { Family::V4 } else { Family::V6 }
    }

    pub fn ethertype_name(self) -> &'static str {
        match self {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        }
    }
}

/// Which way, as the port sees it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Direction {
    Ingress,
    Egress,
}

impl Direction {
    pub fn name(self) -> &'static str {
        match self {
            Direction::Ingress => "ingress",
            Direction::Egress => "egress",
        }
    }
}

/// Which packets a rule is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Service {
    Any,
    Protocol(u8),
    Ports { protocol: u8, min: u16, max: u16 },
    Icmp { kind: u8, code: Option<u8> },
}

/// The other end that a rule allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Remote {
    Any,
    Prefix(IpNet),
    /// Index in [`World::groups`].
    Group(usize),
    /// Index in [`World::address_groups`].
    Addresses(usize),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rule {
    pub direction: Direction,
    pub family: Family,
    pub service: Service,
    pub remote: Remote,
}

#[derive(Clone, Debug)]
pub struct Group {
    pub stateful: bool,
    pub rules: Vec<Rule>,
}

/// An allowed address pair; without a MAC it goes with the port's own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pair {
    pub prefix: IpNet,
    pub mac: Option<Mac>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Port {
    /// Index in [`World::networks`].
    pub network: usize,
    pub mac: Mac,
    pub ips: Vec<IpAddr>,
    pub pairs: Vec<Pair>,
    pub security: bool,
    pub owner: &'static str,
    /// Indexes in [`World::groups`].
    pub groups: Vec<usize>,
}

impl Port {
    /// Held to its addresses and groups: "not trusted and port_security_enabled".
    pub fn is_filtered(&self) -> bool {
        self.security && !self.owner.starts_with("network:")
    }

    /// Every (MAC, prefix) that it may send from, without the link-local ones.
    pub fn sources(&self) -> Vec<(Mac, IpNet)> {
        let own = self.ips.iter().map(|ip| (self.mac, IpNet::from(*ip)));
        let pairs = self
            .pairs
            .iter()
            .map(|p| (p.mac.unwrap_or(self.mac), p.prefix));
        own.chain(pairs).collect()
    }

    /// Every MAC that it may send from: its own, and those of pairs.
    pub fn macs(&self) -> Vec<Mac> {
        let mut macs = vec![self.mac];
        macs.extend(self.pairs.iter().filter_map(|p| p.mac));
        macs.sort_unstable();
        macs.dedup();
        macs
    }

    /// Its first address of a family.
    pub fn ip(&self, family: Family) -> Option<IpAddr> {
        self.ips
            .iter()
            .copied()
            .find(|ip| Family::of(*ip) == family)
    }
}

/// Everything.
#[derive(Clone, Default, Debug)]
pub struct World {
    /// How many networks.
    pub networks: usize,
    pub ports: Vec<Port>,
    /// Ports of other hosts: only their addresses matter, as members of groups.
    pub elsewhere: Vec<Port>,
    pub groups: Vec<Group>,
    pub address_groups: Vec<Vec<IpNet>>,
}

impl World {
    /// The ports of a network.
    pub fn on(&self, network: usize) -> impl Iterator<Item = usize> {
        (0..self.ports.len()).filter(move |&n| self.ports[n].network == network)
    }

    /// The port behind which the other hosts are, for a network: the first.
    pub fn router(&self, network: usize) -> Option<usize> {
        self.on(network).next()
    }

    /// The port without port security of a network: the second.
    pub fn witness(&self, network: usize) -> Option<usize> {
        self.on(network).nth(1)
    }

    /// Where a MAC is on a network.
    pub fn behind(&self, network: usize, mac: Mac) -> Vec<usize> {
        let has = |n: &usize| self.ports[*n].macs().contains(&mac);
        let here: Vec<usize> = self.on(network).filter(has).collect();
        if here.is_empty() && self.elsewhere.iter().any(|port| port.macs().contains(&mac)) {
            return self.router(network).into_iter().collect();
        }
        here
    }

    /// What a person needs to know about a port to judge a verdict.
    pub fn describe(&self, n: usize) -> String {
        let port = &self.ports[n];
        let mut text = format!(
            "port {n}: network {}, {}, {:?}, pairs {:?}, {}, groups {:?}\n",
            port.network,
            port.mac,
            port.ips,
            port.pairs,
            if port.is_filtered() {
                "filtered"
            } else {
                "not filtered"
            },
            port.groups
        );
        for &group in port.groups.iter().filter(|_| port.is_filtered()) {
            let kind = if self.groups[group].stateful {
                "stateful"
            } else {
                "stateless"
            };
            text += &format!("  group {group}, {kind}\n");
            for rule in &self.groups[group].rules {
                text += &format!("    {rule}\n");
            }
        }
        text
    }
}

impl World {
    /// Groups and address groups that the rules of a port name.
    pub fn named_by(&self, n: usize) -> Vec<Named> {
        let groups = self.ports[n].groups.iter();
        let rules = groups.flat_map(|&group| &self.groups[group].rules);
        rules
            .filter_map(|rule| match rule.remote {
                Remote::Group(n) => Some(Named::Group(n)),
                Remote::Addresses(n) => Some(Named::Addresses(n)),
                Remote::Any | Remote::Prefix(_) => None,
            })
            .collect()
    }

    /// Who is in it.
    pub fn describe_members(&self, named: Named) -> String {
        match named {
            Named::Addresses(n) => format!("address group {n}: {:?}\n", self.address_groups[n]),
            Named::Group(n) => {
                let ports = self.ports.iter().chain(&self.elsewhere);
                let members: Vec<String> = ports
                    .filter(|port| port.groups.contains(&n))
                    .flat_map(Port::sources)
                    .map(|(mac, net)| format!("{net} ({mac})"))
                    .collect();
                format!("group {n} has {}\n", members.join(", "))
            }
        }
    }
}

/// What a rule names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Named {
    Group(usize),
    Addresses(usize),
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {:?} {:?}",
            self.direction.name(),
            self.family,
            self.service
        )?;
        match self.remote {
            Remote::Any => Ok(()),
            Remote::Prefix(net) => write!(f, " with {net}"),
            Remote::Group(n) => write!(f, " with group {n}"),
            Remote::Addresses(n) => write!(f, " with address group {n}"),
        }
    }
}
