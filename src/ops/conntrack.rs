//! Connections that the kernel tracks: which to look at, and which to cut.

use std::net::IpAddr;

use nft::conntrack::Entry;
use nft::message::Family;

/// Connections of one port.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scope {
    /// Those in this zone.
    Zone(u16),
    /// Those from or to these addresses, where there are no zones.
    Addresses(Vec<IpAddr>),
}

impl Scope {
    /// Whether a connection belongs to it.
    pub fn holds(&self, connection: &Connection) -> bool {
        let Some(tuple) = connection.entry.original.as_ref() else {
            return false;
        };
        match self {
            Scope::Zone(zone) => connection.zone() == *zone,
            Scope::Addresses(list) => [tuple.src(), tuple.dst()]
                .into_iter()
                .flatten()
                .any(|ip| list.contains(&ip)),
        }
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
        self.entry
            .zone
            .or_else(|| self.entry.original.as_ref()?.zone)
            .unwrap_or(0)
    }
}

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CtItems {
    /// Tell the connections of these ports.
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
