//! Named stateful objects (`enum nft_object_attributes`).

use crate::attr::{HostU32, Schema, Unknown, UnknownAttribute, Value, attributes, registry};
use crate::chain::Counts;
use crate::error::{DecodeError, Fault};
use crate::expr::{ConnLimit, Limit, Quota, Synproxy};
use crate::name::Name;
use crate::saved::{Cursor, Saved};
use crate::userdata::UserData;
use crate::wire::{Reader, Writer};

registry! {
    /// Object type (`NFT_OBJECT_*`).
    pub struct ObjectType(u32) {
        /// Packets and bytes.
        COUNTER = 1 "counter",
        /// Byte quota.
        QUOTA = 2 "quota",
        /// Connection tracking helper.
        CT_HELPER = 3 "ct-helper",
        /// Rate limit.
        LIMIT = 4 "limit",
        /// Connection count limit.
        CONNLIMIT = 5 "connlimit",
        /// Tunnel metadata.
        TUNNEL = 6 "tunnel",
        /// Connection timeouts.
        CT_TIMEOUT = 7 "ct-timeout",
        /// Security mark.
        SECMARK = 8 "secmark",
        /// Connection expectation.
        CT_EXPECT = 9 "ct-expectation",
        /// SYN proxy.
        SYNPROXY = 10 "synproxy",
    }
}

attributes! {
    /// A connection tracking helper (`enum nft_ct_helper_attributes`).
    pub struct CtHelper "ct-helper" {
        /// Helper name, for example `ftp`.
        1 => name: Name,
        /// Address family.
        2 => l3proto: Option<u16>,
        /// Transport protocol.
        3 => l4proto: Option<u8>,
    }
}

attributes! {
    /// Connection timeouts (`enum nft_ct_timeout_timeout_attributes`).
    pub struct CtTimeout "ct-timeout" {
        /// Address family.
        1 => l3proto: Option<u16>,
        /// Transport protocol.
        2 => l4proto: Option<u8>,
        /// Timeouts in seconds per state; attribute numbers depend on the protocol.
        3 => timeouts: Option<Nest>,
    }
}

attributes! {
    /// An expectation (`enum nft_ct_expectation_attributes`).
    pub struct CtExpectation "ct-expectation" {
        /// Address family.
        1 => l3proto: Option<u16>,
        /// Transport protocol.
        2 => l4proto: Option<u8>,
        /// Destination port.
        3 => dport: Option<u16>,
        /// Lifetime in milliseconds.
        4 => timeout: Option<HostU32>,
        /// Most expectations per connection.
        5 => size: Option<u8>,
    }
}

attributes! {
    /// A security mark (`enum nft_secmark_attributes`).
    pub struct Secmark "secmark" {
        /// Security context.
        1 => context: Name,
    }
}

attributes! {
    /// A nest whose attributes have no names here.
    pub struct Nest "nest" {
    }
}

/// The state of an object; its type is a separate attribute on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ObjectData {
    /// Packets and bytes.
    Counter(Counts),
    /// Byte quota.
    Quota(Quota),
    /// Connection tracking helper.
    CtHelper(CtHelper),
    /// Rate limit.
    Limit(Limit),
    /// Connection count limit.
    ConnLimit(ConnLimit),
    /// Connection timeouts.
    CtTimeout(CtTimeout),
    /// Security mark.
    Secmark(Secmark),
    /// Connection expectation.
    CtExpectation(CtExpectation),
    /// SYN proxy.
    Synproxy(Synproxy),
    /// A type this crate has no body for.
    Other(ObjectType, Nest),
}

impl Default for ObjectData {
    fn default() -> Self {
        Self::Counter(Counts::default())
    }
}

macro_rules! object_data {
    ($($konst:ident $variant:ident $ty:ty),* $(,)?) => {
        impl ObjectData {
            /// The type number.
            pub const fn object_type(&self) -> ObjectType {
                match self {
                    $( Self::$variant(_) => ObjectType::$konst, )*
                    Self::Other(kind, _) => *kind,
                }
            }

            fn encode(&self, w: &mut Writer) {
                match self {
                    $( Self::$variant(body) => body.encode(w), )*
                    Self::Other(_, body) => body.encode(w),
                }
            }

            fn decode(kind: ObjectType, r: Reader<'_>) -> Result<Self, DecodeError> {
                match kind {
                    $( ObjectType::$konst => <$ty>::decode(r).map(Self::$variant), )*
                    kind => Nest::decode(r).map(|body| Self::Other(kind, body)),
                }
            }

            fn save(&self, out: &mut String) {
                match self {
                    $( Self::$variant(body) => body.save(out), )*
                    Self::Other(_, body) => body.save(out),
                }
            }

            fn restore(kind: ObjectType, c: &mut Cursor<'_>) -> Result<Self, DecodeError> {
                match kind {
                    $( ObjectType::$konst => <$ty>::restore(c).map(Self::$variant), )*
                    kind => Nest::restore(c).map(|body| Self::Other(kind, body)),
                }
            }
        }
    };
}

object_data! {
    COUNTER Counter Counts,
    QUOTA Quota Quota,
    CT_HELPER CtHelper CtHelper,
    LIMIT Limit Limit,
    CONNLIMIT ConnLimit ConnLimit,
    CT_TIMEOUT CtTimeout CtTimeout,
    SECMARK Secmark Secmark,
    CT_EXPECT CtExpectation CtExpectation,
    SYNPROXY Synproxy Synproxy,
}

/// A named object. Hand-written because the type attribute decides how to read the data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Object {
    /// Table.
    pub table: Name,
    /// Name, unique per type; absent when all are asked for.
    pub name: Option<Name>,
    /// Type without state, in requests that name or dump objects.
    pub kind: Option<ObjectType>,
    /// Type and state.
    pub data: Option<ObjectData>,
    /// Number of references; from the kernel only.
    pub used: Option<u32>,
    /// Handle; from the kernel only.
    pub handle: Option<u64>,
    /// Free data of user space.
    pub userdata: Option<UserData>,
    /// Attributes this crate has no name for.
    pub other: Unknown,
}

impl Object {
    /// An object with its initial state.
    pub fn new(table: impl Into<Name>, name: impl Into<Name>, data: ObjectData) -> Self {
        Self {
            table: table.into(),
            name: Some(name.into()),
            data: Some(data),
            ..Self::default()
        }
    }

    /// A reference to an object by type and name.
    pub fn named(table: impl Into<Name>, name: impl Into<Name>, kind: ObjectType) -> Self {
        Self {
            table: table.into(),
            name: Some(name.into()),
            kind: Some(kind),
            ..Self::default()
        }
    }

    /// The type, from the state or given alone.
    pub fn object_type(&self) -> Option<ObjectType> {
        self.data
            .as_ref()
            .map(ObjectData::object_type)
            .or(self.kind)
    }

    /// The part that user space decides: no counts, no consumed quota.
    #[must_use]
    pub fn intended(&self) -> Self {
        let data = self.data.clone().map(|data| match data {
            ObjectData::Counter(_) => ObjectData::Counter(Counts::default()),
            ObjectData::Quota(quota) => ObjectData::Quota(quota.intended()),
            other => other,
        });
        Self {
            used: None,
            handle: None,
            data,
            ..self.clone()
        }
    }
}

impl Value for Object {
    const NESTED: bool = true;

    fn encode(&self, w: &mut Writer) {
        crate::attr::put(w, 1, &self.table);
        crate::attr::put(w, 2, &self.name);
        crate::attr::put(w, 3, &self.object_type());
        if let Some(data) = &self.data {
            w.attribute(4, true, |w| data.encode(w));
        }
        crate::attr::put(w, 5, &self.used);
        crate::attr::put(w, 6, &self.handle);
        crate::attr::put(w, 8, &self.userdata);
        self.other.encode(w);
    }

    fn decode(r: Reader<'_>) -> Result<Self, DecodeError> {
        let mut r = r.nest("object")?;
        let start = r;
        let mut table = None;
        let mut object = Self::default();
        let mut data = None;
        while let Some(a) = r.attribute()? {
            match a.kind {
                1 => table = Some(Name::decode(a.value)?),
                2 => object.name = Some(Name::decode(a.value)?),
                3 => object.kind = Some(ObjectType::decode(a.value)?),
                4 => data = Some(a.value),
                5 => object.used = Some(u32::decode(a.value)?),
                6 => object.handle = Some(u64::decode(a.value)?),
                7 => {}
                8 => object.userdata = Some(UserData::decode(a.value)?),
                kind => {
                    let mut value = a.value;
                    let payload = value.rest().to_vec();
                    object.other.0.push(UnknownAttribute {
                        kind,
                        nested: a.nested,
                        payload,
                    });
                }
            }
        }
        object.table = table.ok_or(start.error("object.table", Fault::Missing))?;
        if let Some(data) = data {
            let kind = object
                .kind
                .take()
                .ok_or(start.error("object.type", Fault::Missing))?;
            object.data = Some(ObjectData::decode(kind, data)?);
        }
        Ok(object)
    }

    fn schema() -> Schema {
        Schema::Record(&[
            (1, "table", <Name as Value>::schema),
            (2, "name", <Name as Value>::schema),
            (3, "type", <ObjectType as Value>::schema),
            (4, "data", <Nest as Value>::schema),
            (8, "userdata", <UserData as Value>::schema),
        ])
    }
}

impl Saved for Object {
    fn save(&self, out: &mut String) {
        out.push('{');
        crate::saved::save_field(out, "table", &self.table);
        crate::saved::save_field(out, "name", &self.name);
        crate::saved::save_field(out, "type", &self.object_type());
        if let Some(data) = &self.data {
            out.push_str(" data=");
            data.save(out);
        }
        crate::saved::save_field(out, "used", &self.used);
        crate::saved::save_field(out, "handle", &self.handle);
        crate::saved::save_field(out, "userdata", &self.userdata);
        crate::saved::save_unknown(&self.other, out);
        out.push('}');
    }

    fn restore(cursor: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        let start = cursor.enter("object")?;
        let mut table = None;
        let mut object = Self::default();
        while !cursor.leave('}') {
            if cursor.key("table") {
                table = Some(Name::restore(cursor)?);
            } else if cursor.key("name") {
                object.name = Some(Name::restore(cursor)?);
            } else if cursor.key("type") {
                object.kind = Some(ObjectType::restore(cursor)?);
            } else if cursor.key("data") {
                let kind = object.kind.take();
                let kind = kind.ok_or_else(|| start.error("object.type", Fault::Missing))?;
                object.data = Some(ObjectData::restore(kind, cursor)?);
            } else if cursor.key("used") {
                object.used = Some(u32::restore(cursor)?);
            } else if cursor.key("handle") {
                object.handle = Some(u64::restore(cursor)?);
            } else if cursor.key("userdata") {
                object.userdata = Some(UserData::restore(cursor)?);
            } else {
                let unknown = crate::saved::restore_unknown(cursor, "object")?;
                object.other.0.push(unknown);
            }
        }
        object.table = table.ok_or_else(|| start.error("object.table", Fault::Missing))?;
        if object.data.is_some() {
            object.kind = None;
        }
        Ok(object)
    }
}
