//! Groups as Nicira carries them on OpenFlow 1.0: `NXT_GROUP_MOD` (31) and the statistics NXST 7,
//! 8 and 9. The layouts are those of OpenFlow 1.5, with OpenFlow 1.0 actions.

use crate::action::ActionList;
use crate::codec::{Codec, Reader, Writer};
use crate::error::{DecodeError, EncodeError, OfpError};
use crate::header::open_numbers;
use crate::matching::{FieldId, Form, decode_header, encode_field_header};
use crate::ports::Port;
use crate::property::{self, EXPERIMENTER};

/// Any group, in requests; all groups, in deletes (0xfffffffc is "all").
pub const GROUP_ANY: u32 = 0xffff_ffff;
/// All groups.
pub const GROUP_ALL: u32 = 0xffff_fffc;
/// All buckets of a group.
pub const BUCKET_ALL: u32 = 0xffff_ffff;
/// The last bucket, for inserting after it.
pub const BUCKET_LAST: u32 = 0xffff_fffe;
/// The first bucket, for inserting before it.
pub const BUCKET_FIRST: u32 = 0xffff_fffd;
/// The largest real bucket id.
pub const BUCKET_MAX: u32 = 0xffff_ff00;

open_numbers! {
    /// What to do with a group.
    GroupCommand: u16 {
        /// Add a new one.
        ADD = 0,
        /// Change an existing one.
        MODIFY = 1,
        /// Delete.
        DELETE = 2,
        /// Insert buckets.
        INSERT_BUCKET = 3,
        /// Remove buckets.
        REMOVE_BUCKET = 5,
        /// Add or change (Nicira).
        ADD_OR_MOD = 0x8000,
    }
}

open_numbers! {
    /// How a group uses its buckets.
    GroupType: u8 {
        /// A copy to each.
        ALL = 0,
        /// One, chosen by hash.
        SELECT = 1,
        /// The only one.
        INDIRECT = 2,
        /// The first that is live.
        FAST_FAILOVER = 3,
    }
}

/// A bucket (`ofp15_bucket`, 8 bytes, actions, properties).
///
/// ```text
///  0      2             4            8
/// +------+-------------+------------+--------- - -+------------ - -
/// | len  | actions len | bucket id  | actions     | properties
/// +------+-------------+------------+--------- - -+------------ - -
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bucket {
    /// Number within the group.
    pub bucket_id: u32,
    /// Share in a select group; `None` if not given.
    pub weight: Option<u16>,
    /// Port whose state decides whether the bucket is live.
    pub watch_port: Option<Port>,
    /// Group whose state decides whether the bucket is live.
    pub watch_group: Option<u32>,
    /// What to do.
    pub actions: ActionList,
}

const WEIGHT: u16 = 0;
const WATCH_PORT: u16 = 1;
const WATCH_GROUP: u16 = 2;

impl Codec for Bucket {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        let start = w.position();
        w.zeros(4);
        w.u32(self.bucket_id);
        let actions = w.position();
        self.actions.encode(w)?;
        w.patch_len(start.saturating_add(2), actions, "bucket actions")?;
        if let Some(weight) = self.weight {
            property::put_u16(w, WEIGHT, weight)?;
        }
        if let Some(port) = self.watch_port {
            property::put_u32(w, WATCH_PORT, port.to_of11())?;
        }
        if let Some(group) = self.watch_group {
            property::put_u32(w, WATCH_GROUP, group)?;
        }
        w.patch_len(start, start, "bucket")
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let bad = r.error(OfpError::OFPGMFC_BAD_BUCKET, "bucket");
        let mut head = r.short_as(OfpError::OFPGMFC_BAD_BUCKET);
        let len = usize::from(head.u16("bucket length")?);
        let mut body = r.sub(len, "bucket").map_err(|_| bad)?;
        body = body.short_as(OfpError::OFPGMFC_BAD_BUCKET);
        body.skip(2, "bucket length")?;
        let actions_len = usize::from(body.u16("actions length")?);
        let bucket_id = body.u32("bucket id")?;
        let mut actions = body.sub(actions_len, "bucket actions")?;
        if !actions_len.is_multiple_of(8) {
            return Err(body.error(OfpError::OFPBRC_BAD_LEN, "bucket actions"));
        }
        let actions = ActionList::decode(&mut actions)?;
        let mut b = Bucket {
            bucket_id,
            weight: None,
            watch_port: None,
            watch_group: None,
            actions,
        };
        let properties = b.decode_properties(&mut body);
        properties.map_err(|error| after_actions(core::slice::from_ref(&b), error))?;
        if bucket_id > BUCKET_MAX {
            return Err(after_actions(core::slice::from_ref(&b), bad));
        }
        Ok(b)
    }
}

impl Bucket {
    fn decode_properties(&mut self, body: &mut Reader<'_>) -> Result<(), DecodeError> {
        let mut watch_port = None;
        while !body.is_empty() {
            let mut p = property::take(body)?;
            match p.kind {
                WEIGHT => self.weight = Some(p.u16()?),
                WATCH_PORT => watch_port = Some((p.u32()?, p.at)),
                WATCH_GROUP => self.watch_group = Some(p.u32()?),
                _ => return Err(p.unknown("bucket property")),
            }
        }
        if let Some((port, at)) = watch_port {
            let bad = |_| DecodeError::new(OfpError::OFPGMFC_BAD_WATCH, "watch port", at);
            self.watch_port = Some(Port::from_of11(port).map_err(bad)?);
        }
        Ok(())
    }
}

/// How a select group chooses (`ntr_group_prop_selection_method`, 40 bytes and fields).
///
/// ```text
///  0        2     4        8      12    16         32      40
/// +--------+-----+--------+------+-----+----------+-------+------ - -
/// | 0xffff | len | 0x154d |  1   |  0  |  method  | param | fields
/// +--------+-----+--------+------+-----+----------+-------+------ - -
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SelectionMethod {
    /// `hash` or `dp_hash`, NUL-padded.
    pub method: super::FixedStr<16>,
    /// Parameter of the method.
    pub param: u64,
    /// Fields to hash, with masks; empty for the default.
    pub fields: Vec<(FieldId, u128)>,
}

const NTR: u32 = 0x0000_154d;
/// The number that Open vSwitch 2.4 used instead.
const NTR_OLD: u32 = 0x0000_1540;

impl SelectionMethod {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        property::put(w, EXPERIMENTER, |w| {
            w.u32(NTR);
            w.u32(1);
            w.zeros(4);
            w.bytes(&self.method.0);
            w.u64(self.param);
            for (field, mask) in &self.fields {
                let bytes = field.info().bytes;
                if !encode_field_header(w, *field, bytes, Form::Oxm(crate::header::Version::OF15)) {
                    return Err(EncodeError::Unsupported {
                        what: "field without wire name",
                    });
                }
                let all = mask.to_be_bytes();
                let n = usize::from(bytes).min(16);
                w.bytes(all.get(16 - n..).unwrap_or(&[]));
            }
            Ok(())
        })
    }

    /// Whether this is what the property holds.
    fn is_in(p: &property::Property<'_>) -> bool {
        let mut ids = p.data;
        let known = |vendor, kind| matches!((vendor, kind), (NTR | NTR_OLD, 1));
        p.kind == EXPERIMENTER
            && matches!((ids.u32("experimenter"), ids.u32("type")), (Ok(v), Ok(k)) if known(v, k))
    }

    fn decode(p: &mut property::Property<'_>) -> Result<Self, DecodeError> {
        let at = p.at;
        let bad = |code| DecodeError::new(code, "selection method", at);
        let r = &mut p.data;
        r.skip(12, "property experimenter")?;
        let method = super::FixedStr(r.array("selection method")?);
        if !matches!(method.as_bytes(), b"hash" | b"dp_hash") {
            return Err(bad(OfpError::OFPBPC_BAD_VALUE));
        }
        let param = r.u64("selection parameter")?;
        let mut fields = Vec::new();
        while !r.is_empty() {
            let header = decode_header(r)?;
            if header.payload_len().is_none_or(|len| len > r.remaining()) {
                return Err(bad(OfpError::OFPBMC_BAD_LEN));
            }
            let field = FieldId::from_header(&header)
                .filter(|f| *f != FieldId::COOKIE && f.tun_metadata_index().is_none())
                .ok_or(bad(OfpError::OFPBMC_BAD_FIELD))?;
            let value = r.take(usize::from(field.info().bytes), "selection field")?;
            let expected = usize::from(field.info().bytes);
            if header.payload_len() != Some(expected) {
                return Err(bad(OfpError::OFPBMC_BAD_LEN));
            }
            let mask = value
                .iter()
                .take(16)
                .fold(0, |v, b| v << 8 | u128::from(*b));
            fields.push((field, mask));
        }
        Ok(SelectionMethod {
            method,
            param,
            fields,
        })
    }
}

/// The error that a switch finds first: an unknown action in the buckets, or what follows them.
fn after_actions(buckets: &[Bucket], error: DecodeError) -> DecodeError {
    let mut actions = buckets.iter().map(|bucket| &bucket.actions);
    match actions.try_for_each(ActionList::refuse_unknown) {
        Ok(()) => error,
        Err(code) => DecodeError::new(code, "action", error.offset()),
    }
}

fn decode_buckets(r: &mut Reader<'_>, len: u16) -> Result<Vec<Bucket>, DecodeError> {
    let mut list = r.sub(usize::from(len), "bucket list")?;
    let (buckets, error) = super::decode_prefix(&mut list, Bucket::decode);
    if let Some(error) = error {
        return Err(after_actions(&buckets, error));
    }
    let mut ids: Vec<u32> = buckets.iter().map(|bucket| bucket.bucket_id).collect();
    ids.sort_unstable();
    let before = ids.len();
    ids.dedup();
    if ids.len() != before {
        let error = r.error(OfpError::OFPGMFC_BAD_BUCKET, "bucket id");
        return Err(after_actions(&buckets, error));
    }
    Ok(buckets)
}

/// Properties of a group: how it selects, where that means something.
fn decode_properties(
    r: &mut Reader<'_>,
    group_type: GroupType,
    command: GroupCommand,
) -> Result<Option<SelectionMethod>, DecodeError> {
    let mut selection = None;
    while !r.is_empty() {
        let mut p = property::take(r)?;
        if !SelectionMethod::is_in(&p) {
            return Err(p.unknown("group property"));
        }
        let misplaced = match (group_type, command) {
            (GroupType::SELECT, c) if c.name().is_none() => Some(OfpError::OFPGMFC_BAD_COMMAND),
            (
                GroupType::SELECT,
                GroupCommand::ADD | GroupCommand::MODIFY | GroupCommand::ADD_OR_MOD,
            ) => None,
            (t, _) if t.name().is_none() => Some(OfpError::OFPGMFC_BAD_TYPE),
            _ => Some(OfpError::OFPBPC_BAD_VALUE),
        };
        if let Some(code) = misplaced {
            return Err(DecodeError::new(code, "selection method", p.at));
        }
        selection = Some(SelectionMethod::decode(&mut p)?);
    }
    Ok(selection)
}

/// `NXT_GROUP_MOD`.
///
/// ```text
///  16        18     19    20         24            26    28                32
/// +---------+------+-----+----------+-------------+-----+-----------------+------ - -
/// | command | type | pad | group id | buckets len | pad | for this bucket | buckets
/// +---------+------+-----+----------+-------------+-----+-----------------+------ - -
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GroupMod {
    /// What to do.
    pub command: GroupCommand,
    /// Type of the group.
    pub group_type: GroupType,
    /// Which group, or [`GROUP_ALL`] in deletes.
    pub group_id: u32,
    /// For bucket commands, where; else [`BUCKET_ALL`].
    pub command_bucket_id: u32,
    /// The buckets.
    pub buckets: Vec<Bucket>,
    /// How a select group chooses.
    pub selection: Option<SelectionMethod>,
}

impl Codec for GroupMod {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u16(self.command.0);
        w.u8(self.group_type.0);
        w.u8(0);
        w.u32(self.group_id);
        let len_at = w.position();
        w.u32(0);
        w.u32(self.command_bucket_id);
        let start = w.position();
        self.buckets.iter().try_for_each(|b| b.encode(w))?;
        w.patch_len(len_at, start, "buckets")?;
        self.selection.iter().try_for_each(|s| s.encode(w))
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = r.offset();
        let bad = |code| Err(DecodeError::new(code, "group mod", at));
        let command = GroupCommand(r.u16("group command")?);
        let group_type = GroupType(r.u8("group type")?);
        r.skip(1, "pad")?;
        let group_id = r.u32("group id")?;
        let len = r.u16("buckets length")?;
        r.skip(2, "pad")?;
        let command_bucket_id = r.u32("command bucket id")?;
        let special = |v: u32| v <= BUCKET_MAX || matches!(v, BUCKET_FIRST | BUCKET_LAST);
        let ok = match command {
            GroupCommand::REMOVE_BUCKET => {
                command_bucket_id == BUCKET_ALL || special(command_bucket_id)
            }
            GroupCommand::INSERT_BUCKET => special(command_bucket_id),
            _ => command_bucket_id == BUCKET_ALL,
        };
        if !ok {
            return bad(OfpError::OFPGMFC_BAD_BUCKET);
        }
        let buckets = decode_buckets(r, len)?;
        let selection = decode_properties(r, group_type, command)
            .map_err(|error| after_actions(&buckets, error))?;
        Ok(GroupMod {
            command,
            group_type,
            group_id,
            command_bucket_id,
            buckets,
            selection,
        })
    }
}

impl GroupMod {
    /// Checks what a switch would refuse of a well-formed message: a type or command that does not
    /// exist, and buckets that do not fit the type.
    ///
    /// # Errors
    /// The error a switch would send, for example `OFPGMFC_INVALID_GROUP`.
    pub fn check(&self) -> Result<(), OfpError> {
        if self.group_type.name().is_none() {
            return Err(OfpError::OFPGMFC_BAD_TYPE);
        }
        let one = self.group_type != GroupType::INDIRECT
            || self.command == GroupCommand::DELETE
            || self.buckets.len() == 1;
        if !one {
            return Err(OfpError::OFPGMFC_INVALID_GROUP);
        }
        if self.command.name().is_none() {
            return Err(OfpError::OFPGMFC_BAD_COMMAND);
        }
        if self.command == GroupCommand::REMOVE_BUCKET && !self.buckets.is_empty() {
            return Err(OfpError::OFPGMFC_BAD_BUCKET);
        }
        self.buckets.iter().try_for_each(|b| self.check_bucket(b))
    }

    fn check_bucket(&self, bucket: &Bucket) -> Result<(), OfpError> {
        let select = self.group_type == GroupType::SELECT;
        let weighed = bucket.weight.is_some_and(|weight| weight != 0);
        if weighed && !select && self.command != GroupCommand::INSERT_BUCKET {
            return Err(OfpError::OFPGMFC_INVALID_GROUP);
        }
        let watched = bucket.watch_port.is_some_and(|port| port != Port::NONE)
            || bucket.watch_group.is_some_and(|group| group != GROUP_ANY);
        match self.group_type {
            GroupType::ALL | GroupType::INDIRECT if watched => {
                Err(OfpError::OFPGMFC_WATCH_UNSUPPORTED)
            }
            GroupType::FAST_FAILOVER if !watched => Err(OfpError::OFPGMFC_INVALID_GROUP),
            _ => Ok(()),
        }
    }
}

/// A group in a NXST 8 reply: 16 bytes, buckets, properties.
///
/// ```text
///  0     2      3     4          8             10   16
/// +-----+------+-----+----------+-------------+----+--------- - -+------------ - -
/// | len | type | pad | group id | buckets len | 0  | buckets     | properties
/// +-----+------+-----+----------+-------------+----+--------- - -+------------ - -
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GroupDesc {
    /// Type.
    pub group_type: GroupType,
    /// Number.
    pub group_id: u32,
    /// Its buckets.
    pub buckets: Vec<Bucket>,
    /// How a select group chooses.
    pub selection: Option<SelectionMethod>,
}

impl Codec for GroupDesc {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        let start = w.position();
        w.u16(0);
        w.u8(self.group_type.0);
        w.u8(0);
        w.u32(self.group_id);
        let len_at = w.position();
        w.u64(0);
        let buckets = w.position();
        self.buckets.iter().try_for_each(|b| b.encode(w))?;
        w.patch_len(len_at, buckets, "buckets")?;
        self.selection.iter().try_for_each(|s| s.encode(w))?;
        w.patch_len(start, start, "group description")
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut head = *r;
        let len = usize::from(head.u16("group length")?);
        let mut body = r.sub(len, "group description")?;
        body.skip(2, "group length")?;
        let group_type = GroupType(body.u8("group type")?);
        body.skip(1, "pad")?;
        let group_id = body.u32("group id")?;
        let buckets_len = body.u16("buckets length")?;
        body.skip(6, "pad")?;
        Ok(GroupDesc {
            group_type,
            group_id,
            buckets: decode_buckets(&mut body, buckets_len)?,
            // A description has no command; it is what an add made.
            selection: decode_properties(&mut body, group_type, GroupCommand::ADD)?,
        })
    }
}

/// Counters of a group in a NXST 7 reply: 40 bytes and 16 per bucket.
///
/// ```text
///  0     2     4     8       12    16      24     32    36     40
/// +-----+-----+-----+-------+-----+-------+------+-----+------+------------- - -
/// | len | pad | id  | refs  | pad |packets|bytes | sec | nsec | packets, bytes
/// +-----+-----+-----+-------+-----+-------+------+-----+------+------------- - -
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GroupStats {
    /// The group.
    pub group_id: u32,
    /// Flows and groups that refer to it.
    pub ref_count: u32,
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
    /// Age: seconds and nanoseconds.
    pub duration: (u32, u32),
    /// Packets and bytes of each bucket.
    pub buckets: Vec<(u64, u64)>,
}

impl Codec for GroupStats {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        let start = w.position();
        w.u32(0);
        w.u32(self.group_id);
        w.u32(self.ref_count);
        w.zeros(4);
        w.u64(self.packets);
        w.u64(self.bytes);
        w.u32(self.duration.0);
        w.u32(self.duration.1);
        for (packets, bytes) in &self.buckets {
            w.u64(*packets);
            w.u64(*bytes);
        }
        w.patch_len(start, start, "group stats")
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut head = *r;
        let len = usize::from(head.u16("group stats length")?);
        let mut body = r.sub(len, "group stats")?;
        body.skip(4, "group stats length")?;
        let group_id = body.u32("group id")?;
        let ref_count = body.u32("reference count")?;
        body.skip(4, "pad")?;
        let mut g = GroupStats {
            group_id,
            ref_count,
            packets: body.u64("packets")?,
            bytes: body.u64("bytes")?,
            duration: (body.u32("seconds")?, body.u32("nanoseconds")?),
            buckets: Vec::new(),
        };
        while !body.is_empty() {
            g.buckets
                .push((body.u64("bucket packets")?, body.u64("bucket bytes")?));
        }
        Ok(g)
    }
}

/// What a switch can do with groups (`ofp12_group_features_stats`, 40 bytes).
///
/// ```text
///  0       4              8                     24                    40
/// +-------+--------------+---------------------+---------------------+
/// | types | capabilities | most groups, 4 types| actions, 4 bitmaps  |
/// +-------+--------------+---------------------+---------------------+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GroupFeatures {
    /// Bit n is set if group type n is supported.
    pub types: u32,
    /// Bits of `enum ofp12_group_capabilities`.
    pub capabilities: u32,
    /// Most groups of each type.
    pub max_groups: [u32; 4],
    /// Supported actions in each type, as a bitmap of action types.
    pub actions: [u32; 4],
}

impl Codec for GroupFeatures {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u32(self.types);
        w.u32(self.capabilities);
        self.max_groups.iter().for_each(|v| w.u32(*v));
        self.actions.iter().for_each(|v| w.u32(*v));
        Ok(())
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let types = r.u32("group types")?;
        let capabilities = r.u32("group capabilities")?;
        let mut four = |what| -> Result<[u32; 4], DecodeError> {
            Ok([r.u32(what)?, r.u32(what)?, r.u32(what)?, r.u32(what)?])
        };
        Ok(GroupFeatures {
            types,
            capabilities,
            max_groups: four("max groups")?,
            actions: four("group actions")?,
        })
    }
}
