//! Groups that a switch would take, as far as it can tell without its ports and other groups.

use ::arbitrary::{Result, Unstructured};

use super::message::{plain_actions, real_port};
use crate::matching::FieldId;
use crate::msg::{
    BUCKET_ALL, BUCKET_FIRST, BUCKET_LAST, BUCKET_MAX, Bucket, FixedStr, GroupCommand, GroupDesc,
    GroupFeatures, GroupMod, GroupStats, GroupType, SelectionMethod,
};

const TYPES: [GroupType; 4] = [
    GroupType::ALL,
    GroupType::SELECT,
    GroupType::INDIRECT,
    GroupType::FAST_FAILOVER,
];

pub(super) fn group_mod(u: &mut Unstructured<'_>) -> Result<GroupMod> {
    let command = *u.choose(&[
        GroupCommand::ADD,
        GroupCommand::MODIFY,
        GroupCommand::ADD_OR_MOD,
        GroupCommand::DELETE,
        GroupCommand::INSERT_BUCKET,
        GroupCommand::REMOVE_BUCKET,
    ])?;
    let mut group_type = *u.choose(&TYPES)?;
    let whole = matches!(
        command,
        GroupCommand::ADD | GroupCommand::MODIFY | GroupCommand::ADD_OR_MOD
    );
    if !whole && group_type == GroupType::INDIRECT {
        group_type = GroupType::ALL;
    }
    let command_bucket_id = match command {
        GroupCommand::INSERT_BUCKET => *u.choose(&[BUCKET_FIRST, BUCKET_LAST, 7])?,
        GroupCommand::REMOVE_BUCKET => *u.choose(&[BUCKET_FIRST, BUCKET_ALL, BUCKET_MAX])?,
        _ => BUCKET_ALL,
    };
    Ok(GroupMod {
        command,
        group_type,
        group_id: u.int_in_range(0..=0xffff_ff00)?,
        command_bucket_id,
        buckets: match command {
            GroupCommand::REMOVE_BUCKET => Vec::new(),
            _ => buckets(u, group_type)?,
        },
        selection: if whole {
            selection(u, group_type)?
        } else {
            None
        },
    })
}

pub(super) fn group_desc(u: &mut Unstructured<'_>) -> Result<GroupDesc> {
    let group_type = *u.choose(&TYPES)?;
    Ok(GroupDesc {
        group_type,
        group_id: u.int_in_range(0..=0xffff_ff00)?,
        buckets: buckets(u, group_type)?,
        selection: selection(u, group_type)?,
    })
}

fn buckets(u: &mut Unstructured<'_>, group_type: GroupType) -> Result<Vec<Bucket>> {
    let count = match group_type {
        GroupType::INDIRECT => 1,
        _ => u.int_in_range(0..=3u32)?,
    };
    let mut buckets = Vec::new();
    for bucket_id in 0..count {
        let liveness = match group_type {
            GroupType::FAST_FAILOVER => true,
            GroupType::SELECT => u.arbitrary()?,
            _ => false,
        };
        buckets.push(Bucket {
            bucket_id,
            weight: match group_type {
                GroupType::SELECT if u.arbitrary()? => Some(u.arbitrary()?),
                _ => None,
            },
            watch_port: if liveness { Some(real_port(u)?) } else { None },
            watch_group: if liveness && u.arbitrary()? {
                Some(u.int_in_range(0..=0xffff_ff00)?)
            } else {
                None
            },
            actions: plain_actions(u)?,
        });
    }
    Ok(buckets)
}

fn selection(u: &mut Unstructured<'_>, group_type: GroupType) -> Result<Option<SelectionMethod>> {
    if group_type != GroupType::SELECT || u.arbitrary()? {
        return Ok(None);
    }
    let param = u.arbitrary()?;
    if u.arbitrary()? {
        return Ok(Some(SelectionMethod {
            method: FixedStr::new("dp_hash"),
            param,
            fields: Vec::new(),
        }));
    }
    // In the order in which Open vSwitch keeps them.
    let known = [
        FieldId::ETH_SRC,
        FieldId::ETH_DST,
        FieldId::IP_SRC,
        FieldId::IP_DST,
    ];
    let mut fields = Vec::new();
    for field in known {
        if u.arbitrary()? {
            fields.push((field, field.info().full_mask()));
        }
    }
    Ok(Some(SelectionMethod {
        method: FixedStr::new("hash"),
        param,
        fields,
    }))
}

pub(super) fn group_stats(u: &mut Unstructured<'_>) -> Result<GroupStats> {
    let mut buckets = Vec::new();
    for _ in 0..u.int_in_range(0..=3u8)? {
        buckets.push((u.arbitrary()?, u.arbitrary()?));
    }
    Ok(GroupStats {
        group_id: u.arbitrary()?,
        ref_count: u.arbitrary()?,
        packets: u.arbitrary()?,
        bytes: u.arbitrary()?,
        duration: super::message::duration(u)?,
        buckets,
    })
}

pub(super) fn group_features(u: &mut Unstructured<'_>) -> Result<GroupFeatures> {
    Ok(GroupFeatures {
        types: u.int_in_range(0..=15)?,
        capabilities: u.int_in_range(0..=15)?,
        max_groups: u.arbitrary()?,
        actions: u.arbitrary::<[u32; 4]>()?.map(|bits| bits & 0xfff),
    })
}
