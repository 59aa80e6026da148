//! Objects of the packet filter (nf_tables) that vifd answers for: its own tables, and the elements of their sets.
//!
//! A table with its sets, chains and rules is one item; every element is an item of its own. So a change of policy is a
//! few elements, and rules are written once.

use std::sync::Arc;

use nft::message::Family;
use nft::name::Bytes;
use nft::ruleset::TableState;

/// The name of vifd's tables, in every family.
pub const TABLE: &str = "vifd";

/// Which design the kernel can carry.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Variant {
    /// One bridge table with connection tracking.
    Bridge {
        /// Each port has a zone of connections of its own; else labels say which ports let a connection pass.
        zones: bool,
    },
    /// A bridge table for devices and ARP, an inet table for everything else, joined by bridge netfilter.
    BridgeInet,
}

impl Variant {
    /// Its name in logs and dumps.
    pub fn name(self) -> &'static str {
        match self {
            Variant::Bridge { zones: true } => "bridge",
            Variant::Bridge { zones: false } => "bridge without zones",
            Variant::BridgeInet => "bridge and inet",
        }
    }

    /// The family of the table that sees addresses, state and services.
    pub fn upper(self) -> Family {
        match self {
            Variant::Bridge { .. } => Family::BRIDGE,
            Variant::BridgeInet => Family::INET,
        }
    }

    /// Whether each port has a zone of connections of its own.
    pub fn has_zones(self) -> bool {
        self != Variant::Bridge { zones: false }
    }

    /// The families of all tables.
    pub fn families(self) -> &'static [Family] {
        match self {
            Variant::Bridge { .. } => &[Family::BRIDGE],
            Variant::BridgeInet => &[Family::BRIDGE, Family::INET],
        }
    }
}

macro_rules! sets {
    ($($(#[$doc:meta])* $variant:ident = $name:literal in $layer:ident,)*) => {
        /// A named set or map of vifd's tables.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum SetId {
            $($(#[$doc])* $variant,)*
        }

        impl SetId {
            /// All.
            pub const ALL: &'static [SetId] = &[$(SetId::$variant),*];

            /// The name in the kernel.
            pub fn name(self) -> &'static str {
                match self { $(SetId::$variant => $name,)* }
            }

            /// Whether it is in the table that sees devices; else it is in the upper one.
            pub fn is_lower(self) -> bool {
                match self { $(SetId::$variant => sets!(@lower $layer),)* }
            }
        }
    };
    (@lower lower) => { true };
    (@lower upper) => { false };
}

sets! {
    /// Device → mark: which port it belongs to, and from which side.
    Vif = "vif" in lower,
    /// Mark, MAC of the frame, MAC and IPv4 address in it: ARP senders.
    Arp = "arp_from" in lower,
    /// Mark, MAC of the frame, MAC in it, prefix length, IPv4 network: ARP senders.
    ArpPair = "arp_pair" in lower,
    /// Mark, MAC: RARP senders.
    Rarp = "rarp_from" in lower,
    /// Names of bridges with filtered ports.
    Bridges = "bridges" in upper,
    /// Mark, word of a connection's labels: ports. Only where there are no zones.
    Owners = "owners" in upper,
    /// Mark, MAC: senders, whatever the address.
    Macs = "macs" in upper,
    /// Mark, MAC, IPv4 address: senders.
    Source4 = "source4" in upper,
    /// Mark, MAC, IPv6 address: senders.
    Source6 = "source6" in upper,
    /// Mark, MAC, prefix length, IPv4 network: senders.
    Pair4 = "pair4" in upper,
    /// Mark, MAC, prefix length, IPv6 network: senders.
    Pair6 = "pair6" in upper,
    /// Profile, index → remote set.
    Slots = "slots" in upper,
    /// Remote set, IPv4 address.
    Members4 = "members4" in upper,
    /// Remote set, IPv6 address.
    Members6 = "members6" in upper,
    /// Profile, prefix length, IPv4 network → context.
    Nets4 = "nets4" in upper,
    /// Profile, prefix length, IPv6 network → context.
    Nets6 = "nets6" in upper,
    /// Profile, MAC → context.
    NetMacs = "netmacs" in upper,
    /// Context, protocol, selector: what is allowed.
    Pass = "pass" in upper,
    /// Profiles in use, with the groups they stand for, and what they dropped.
    Profiles = "profiles" in upper,
    /// Remote sets in use.
    Remotes = "remotes" in upper,
}

impl SetId {
    /// The set of that name.
    pub fn from_name(name: &[u8]) -> Option<SetId> {
        SetId::ALL
            .iter()
            .copied()
            .find(|id| id.name().as_bytes() == name)
    }

    /// Whether the variant has it.
    pub fn is_in(self, variant: Variant) -> bool {
        self != SetId::Owners || !variant.has_zones()
    }

    /// The family of the table it is in.
    pub fn family(self, variant: Variant) -> Family {
        if self.is_lower() {
            Family::BRIDGE
        } else {
            variant.upper()
        }
    }
}

/// Which object.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum NftKey {
    /// The table `vifd` of that family.
    Table(Family),
    /// An element, by the bytes of its key.
    Element(SetId, Bytes),
}

/// What should stand.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NftBody {
    /// A table with sets, chains and rules, without elements.
    Table(Arc<TableState>),
    /// An element.
    Element(Entry),
}

/// What an element holds besides its key.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Entry {
    /// The value, in maps.
    pub data: Option<[u8; 4]>,
    /// A note that is kept with it.
    pub comment: Option<Arc<str>>,
}

/// One transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NftBatch {
    /// What should stand; `None` deletes. May be empty if `complete`.
    pub items: Vec<(NftKey, Option<NftBody>)>,
    /// With these, everything that is wanted stands: what was closed because it did not may be opened.
    pub complete: bool,
    /// The reading on which it rests. An executor that has read again since does not carry it out.
    pub reading: u64,
}
