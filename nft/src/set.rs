//! Sets and maps (`enum nft_set_attributes`) and the data types of user space.

use crate::attr::{attributes, flags};
use crate::expr::Expr;
use crate::name::Name;
use crate::userdata::{SET_DATA_BYTEORDER, SET_KEY_BYTEORDER, UserData};

flags! {
    /// Set flags (`enum nft_set_flags`).
    pub struct SetFlags(u32) {
        /// Lives and dies with its rule.
        ANONYMOUS = 0x1 "anonymous",
        /// Content is fixed once bound.
        CONSTANT = 0x2 "constant",
        /// Holds intervals.
        INTERVAL = 0x4 "interval",
        /// Is a map.
        MAP = 0x8 "map",
        /// Elements may time out.
        TIMEOUT = 0x10 "timeout",
        /// Rules may add elements.
        EVAL = 0x20 "dynamic",
        /// Maps to stateful objects.
        OBJECT = 0x40 "object",
        /// Key is a concatenation with intervals.
        CONCAT = 0x80 "concat",
        /// Elements carry expressions.
        EXPR = 0x100 "expr",
    }
}

/// A data type number of user space. The kernel stores it; `nft` prints by it. Concatenations
/// hold several, 6 bits each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DataType(pub u32);

impl DataType {
    /// Verdict, as `nft` numbers it in maps; on the wire [`DataType::VERDICT_WIRE`].
    pub const VERDICT: Self = Self(1);
    /// `NFT_DATA_VERDICT`: the data type of verdict maps on the wire.
    pub const VERDICT_WIRE: Self = Self(0xffff_ff00);
    /// Netfilter protocol family.
    pub const NF_PROTO: Self = Self(2);
    /// Bits without meaning.
    pub const BITMASK: Self = Self(3);
    /// Integer.
    pub const INTEGER: Self = Self(4);
    /// String.
    pub const STRING: Self = Self(5);
    /// Link-layer address.
    pub const LL_ADDR: Self = Self(6);
    /// IPv4 address.
    pub const IPV4_ADDR: Self = Self(7);
    /// IPv6 address.
    pub const IPV6_ADDR: Self = Self(8);
    /// Ethernet address.
    pub const ETHER_ADDR: Self = Self(9);
    /// Ethernet type.
    pub const ETHER_TYPE: Self = Self(10);
    /// ARP operation.
    pub const ARP_OP: Self = Self(11);
    /// Transport protocol.
    pub const INET_PROTO: Self = Self(12);
    /// Port.
    pub const INET_SERVICE: Self = Self(13);
    /// ICMP type.
    pub const ICMP_TYPE: Self = Self(14);
    /// TCP flags.
    pub const TCP_FLAG: Self = Self(15);
    /// Packet mark.
    pub const MARK: Self = Self(19);
    /// Interface index.
    pub const IFINDEX: Self = Self(20);
    /// Connection state.
    pub const CT_STATE: Self = Self(26);
    /// ICMPv6 type.
    pub const ICMPV6_TYPE: Self = Self(29);
    /// Packet type.
    pub const PKT_TYPE: Self = Self(31);
    /// Interface name, 16 bytes.
    pub const IFNAME: Self = Self(41);

    /// The concatenation of several types.
    pub fn concat(fields: &[Self]) -> Self {
        Self(
            fields
                .iter()
                .fold(0, |sum, field| sum << 6 | field.0 & 0x3f),
        )
    }

    /// The fields of a concatenation, or the type itself.
    pub fn fields(self) -> impl DoubleEndedIterator<Item = Self> {
        let bits = 32_u32.saturating_sub(self.0.leading_zeros());
        let count = bits.div_ceil(6).max(1);
        (0..count)
            .rev()
            .map(move |i| Self(self.0 >> i.saturating_mul(6) & 0x3f))
    }

    /// Bytes of a value of this type, if it has one length.
    pub const fn length(self) -> Option<u32> {
        Some(match self {
            Self::IPV4_ADDR | Self::MARK | Self::IFINDEX | Self::CT_STATE => 4,
            Self::IPV6_ADDR | Self::IFNAME => 16,
            Self::ETHER_ADDR => 6,
            Self::INET_SERVICE | Self::ETHER_TYPE | Self::ARP_OP => 2,
            Self::INET_PROTO
            | Self::NF_PROTO
            | Self::ICMP_TYPE
            | Self::ICMPV6_TYPE
            | Self::TCP_FLAG
            | Self::PKT_TYPE => 1,
            _ => return None,
        })
    }

    /// Whether values are in host byte order.
    pub const fn is_host_endian(self) -> bool {
        matches!(
            self,
            Self::MARK | Self::IFINDEX | Self::CT_STATE | Self::IFNAME | Self::NF_PROTO
        )
    }
}

impl crate::attr::Value for DataType {
    fn encode(&self, w: &mut crate::wire::Writer) {
        self.0.encode(w);
    }
    fn decode(r: crate::wire::Reader<'_>) -> Result<Self, crate::error::DecodeError> {
        r.exactly("data type").map(|b| Self(u32::from_be_bytes(b)))
    }
}

impl crate::saved::Saved for DataType {
    fn save(&self, out: &mut String) {
        self.0.save(out);
    }
    fn restore(cursor: &mut crate::saved::Cursor<'_>) -> Result<Self, crate::error::DecodeError> {
        u32::restore(cursor).map(Self)
    }
}

attributes! {
    /// Length of one field of a concatenation (`enum nft_set_field_attributes`).
    pub struct FieldLength "field" {
        /// Bytes, without padding.
        1 => length: u32,
    }
}

attributes! {
    /// Hints for the kernel's choice of structure (`enum nft_set_desc_attributes`).
    pub struct SetDesc "desc" {
        /// Expected or largest number of elements.
        1 => size: Option<u32>,
        /// Field lengths of an interval concatenation.
        2 => concat: Option<Vec<FieldLength>>,
    }
}

attributes! {
    /// A set, map or verdict map without its elements.
    pub struct Set "set" pad(14) {
        /// Table.
        1 => table: Name,
        /// Name; `__set%d` or `__map%d` for anonymous ones.
        2 => name: Name,
        /// Flags.
        3 => flags: SetFlags = zero,
        /// Type of the key.
        4 => key_type: Option<DataType>,
        /// Bytes of the key; concatenated fields are padded to 4 bytes.
        5 => key_len: Option<u32>,
        /// Type of the data.
        6 => data_type: Option<DataType>,
        /// Bytes of the data.
        7 => data_len: Option<u32>,
        /// 0 performance, 1 memory.
        8 => policy: Option<u32>,
        /// Hints.
        9 => desc: Option<SetDesc>,
        /// Id for references within a batch.
        10 => id: Option<u32>,
        /// Default timeout of elements in milliseconds.
        11 => timeout: Option<u64>,
        /// Garbage collection interval in milliseconds.
        12 => gc_interval: Option<u32>,
        /// Free data of user space; `nft` keeps byte orders here.
        13 => userdata: Option<UserData>,
        /// Type of the objects of an object map.
        15 => object_type: Option<u32>,
        /// Handle; from the kernel only.
        16 => handle: Option<u64>,
        /// Expression copied into each element.
        17 => expr: Option<Expr>,
        /// Expressions copied into each element.
        18 => exprs: Option<Vec<Expr>>,
        /// Name of the structure the kernel chose; from the kernel only.
        19 => backend: Option<Name>,
        /// Number of elements; from the kernel only.
        20 => count: Option<u32>,
    }
}

impl Set {
    /// A plain set of keys of one type or a concatenation of types with known lengths.
    pub fn new(table: impl Into<Name>, name: impl Into<Name>, fields: &[DataType]) -> Self {
        let key_len = match fields {
            [one] => one.length().unwrap_or(4),
            many => many
                .iter()
                .map(|f| f.length().unwrap_or(4).next_multiple_of(4))
                .sum(),
        };
        let host = fields
            .first()
            .is_some_and(|f| fields.len() == 1 && f.is_host_endian());
        Self {
            table: table.into(),
            name: name.into(),
            key_type: Some(DataType::concat(fields)),
            key_len: Some(key_len),
            userdata: Some(
                UserData::default().with_number(SET_KEY_BYTEORDER, if host { 1 } else { 2 }),
            ),
            ..Self::default()
        }
    }

    /// The same with more flags.
    #[must_use]
    pub fn with_flags(mut self, flags: SetFlags) -> Self {
        self.flags = self.flags.with(flags);
        self
    }

    /// The same as a verdict map.
    #[must_use]
    pub fn into_verdict_map(self) -> Self {
        Self {
            data_type: Some(DataType::VERDICT_WIRE),
            data_len: Some(16),
            ..self.with_flags(SetFlags::MAP)
        }
    }

    /// The same as a map to values of a type.
    #[must_use]
    pub fn into_map(self, data: DataType) -> Self {
        let order = if data.is_host_endian() { 1 } else { 2 };
        let userdata = self.userdata.clone().unwrap_or_default();
        Self {
            userdata: Some(userdata.with_number(SET_DATA_BYTEORDER, order)),
            data_type: Some(data),
            data_len: data.length().or(Some(4)),
            ..self.with_flags(SetFlags::MAP)
        }
    }

    /// The same holding intervals; concatenations list their field lengths for it.
    #[must_use]
    pub fn with_intervals(self, fields: &[DataType]) -> Self {
        if fields.len() < 2 {
            return self.with_flags(SetFlags::INTERVAL);
        }
        let lengths = fields
            .iter()
            .map(|f| FieldLength {
                length: f.length().unwrap_or(4),
                ..FieldLength::default()
            })
            .collect();
        let desc = SetDesc {
            concat: Some(lengths),
            ..self.desc.clone().unwrap_or_default()
        };
        Self {
            desc: Some(desc),
            ..self.with_flags(SetFlags::INTERVAL.with(SetFlags::CONCAT))
        }
    }

    /// The part that user space decides. Empty descriptions and zero numbers are left out because
    /// the kernel does not report them.
    #[must_use]
    pub fn intended(&self) -> Self {
        let mut set = Self {
            handle: None,
            id: None,
            backend: None,
            count: None,
            ..self.clone()
        };
        if set.desc.as_ref().is_some_and(|d| *d == SetDesc::default()) {
            set.desc = None;
        }
        if set.flags.contains(SetFlags::CONSTANT)
            && let Some(desc) = &mut set.desc
        {
            // The kernel keeps the size of a constant set only as an allocation hint.
            desc.size = None;
            if desc.concat.is_none() {
                set.desc = None;
            }
        }
        set.policy = set.policy.filter(|&policy| policy != 0);
        set.timeout = set.timeout.filter(|&timeout| timeout != 0);
        set.gc_interval = set.gc_interval.filter(|&interval| interval != 0);
        set
    }

    /// Whether the name is chosen by the kernel.
    pub const fn is_anonymous(&self) -> bool {
        self.flags.contains(SetFlags::ANONYMOUS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn concatenated_types() {
        let both = DataType::concat(&[DataType::IPV4_ADDR, DataType::INET_SERVICE]);
        assert_eq!(both.0, 0x1cd);
        let fields: Vec<_> = both.fields().collect();
        assert_eq!(fields, [DataType::IPV4_ADDR, DataType::INET_SERVICE]);
        assert_eq!(DataType::MARK.fields().count(), 1);
    }

    #[test]
    fn concatenated_key_is_padded() {
        let set = Set::new("t", "s", &[DataType::IPV4_ADDR, DataType::ETHER_ADDR]);
        assert_eq!(set.key_len, Some(12));
    }
}
