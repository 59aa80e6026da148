//! Connections that the kernel tracks: which to look at, and which to cut.

use std::net::IpAddr;

use ipnet::IpNet;
use nft::conntrack::Entry;
use nft::message::Family;
use rustc_hash::FxHashSet;

/// Some connections.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scope {
    /// Those in this zone: of one port.
    Zone(u16),
    /// Those that the port of this number let pass, where there are no zones.
    Owner(u16),
    /// Those whose first packet came from here or went here.
    Address(IpNet),
}

impl Scope {
    /// Whether a connection belongs to it.
    pub fn holds(&self, connection: &Connection) -> bool {
        match self {
            Scope::Zone(zone) => connection.zone() == *zone,
            Scope::Owner(number) => connection.owners().contains(number),
            Scope::Address(net) => connection.addresses().any(|ip| net.contains(&ip)),
        }
    }

    /// The number of the port, if it is about one.
    pub fn number(&self) -> Option<u16> {
        match self {
            Scope::Zone(number) | Scope::Owner(number) => Some(*number),
            Scope::Address(_) => None,
        }
    }
}

/// Many of them, to find out at once whether one holds a connection.
#[derive(Clone, Default, Debug)]
pub struct Scopes {
    zones: FxHashSet<u16>,
    owners: FxHashSet<u16>,
    hosts: FxHashSet<IpAddr>,
    nets: Vec<IpNet>,
}

impl<'a> FromIterator<&'a Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = &'a Scope>>(list: I) -> Self {
        let mut scopes = Scopes::default();
        for scope in list {
            match scope {
                Scope::Zone(zone) => {
                    scopes.zones.insert(*zone);
                }
                Scope::Owner(number) => {
                    scopes.owners.insert(*number);
                }
                Scope::Address(net) if net.prefix_len() == net.max_prefix_len() => {
                    scopes.hosts.insert(net.addr());
                }
                Scope::Address(net) => scopes.nets.push(*net),
            }
        }
        scopes
    }
}

impl Scopes {
    /// Whether a connection belongs to one of them.
    pub fn hold(&self, connection: &Connection) -> bool {
        let is_at =
            |ip: IpAddr| self.hosts.contains(&ip) || self.nets.iter().any(|net| net.contains(&ip));
        self.zones.contains(&connection.zone())
            || connection
                .owners()
                .iter()
                .any(|number| self.owners.contains(number))
            || connection.addresses().any(is_at)
    }

    /// The zones, if it is about nothing else.
    pub fn only_zones(&self) -> Option<impl Iterator<Item = u16> + '_> {
        let is_only = self.owners.is_empty() && self.hosts.is_empty() && self.nets.is_empty();
        is_only.then(|| self.zones.iter().copied())
    }
}

/// One tracked connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Connection {
    /// IPv4 or IPv6.
    pub family: Family,
    /// Its entry: the original tuple, the zone and the id name it.
    pub entry: Entry,
}

impl Connection {
    /// Its zone; 0 if it has none.
    pub fn zone(&self) -> u16 {
        self.entry.zone_number()
    }

    /// Where its first packet came from and went to.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let tuple = self.entry.original.as_ref();
        let ends = tuple.map(|tuple| [tuple.src(), tuple.dst()]);
        ends.into_iter().flatten().flatten()
    }

    /// Where there are no zones: the numbers of the ports that let it pass, at the end that its first packet came from
    /// and at the one that it went to; 0 if none did. They are the first two bytes, native order, of the first two words
    /// of its labels.
    pub fn owners(&self) -> [u16; 2] {
        let labels = self.entry.labels.as_ref().map_or(&[][..], |b| b.as_slice());
        [0, 4].map(|at| {
            let bytes = labels.get(at..at + 2).and_then(|b| b.try_into().ok());
            bytes.map_or(0, u16::from_ne_bytes)
        })
    }
}

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CtItems {
    /// Tell these connections.
    List(Vec<Scope>),
    /// Delete these connections. One that is gone already is no error.
    Cut(Vec<Connection>),
}

impl CtItems {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            CtItems::List(scopes) => scopes.len(),
            CtItems::Cut(connections) => connections.len(),
        }
    }

    /// `true` if there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
