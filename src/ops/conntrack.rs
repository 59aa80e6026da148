//! Connections that the kernel tracks: which to look at, and which to cut.

use nft::conntrack::Entry;
use nft::message::Family;

/// Connections of one port.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scope {
    /// Those in this zone.
    Zone(u16),
    /// Those that the port of this number let pass, where there are no zones.
    Owner(u16),
}

impl Scope {
    /// Whether a connection belongs to it.
    pub fn holds(&self, connection: &Connection) -> bool {
        match self {
            Scope::Zone(zone) => connection.zone() == *zone,
            Scope::Owner(number) => connection.owners().contains(number),
        }
    }

    /// The number of the port.
    pub fn number(&self) -> u16 {
        let (Scope::Zone(number) | Scope::Owner(number)) = self;
        *number
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
