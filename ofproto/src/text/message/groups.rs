//! Groups: modification, description, statistics, features.

use std::fmt::{self, Write};

use crate::msg::{
    BUCKET_ALL, BUCKET_FIRST, BUCKET_LAST, Bucket, GROUP_ALL, GROUP_ANY, GroupCommand, GroupDesc,
    GroupFeatures, GroupMod, GroupStats, GroupType, SelectionMethod,
};

use super::super::action_print::write_actions;
use super::super::field::{write_port, write_value};
use super::super::flow::write_duration;
use super::connection::write_action_names;

const TYPES: [(GroupType, &str); 4] = [
    (GroupType::ALL, "all"),
    (GroupType::SELECT, "select"),
    (GroupType::INDIRECT, "indirect"),
    (GroupType::FAST_FAILOVER, "ff"),
];

pub(super) fn write_group_id(out: &mut String, group: u32) -> fmt::Result {
    match group {
        GROUP_ANY => out.write_str("ANY"),
        GROUP_ALL => out.write_str("ALL"),
        group => write!(out, "{group}"),
    }
}

fn write_bucket_id(out: &mut String, label: &str, bucket: u32) -> fmt::Result {
    out.push_str(label);
    match bucket {
        BUCKET_FIRST => out.push_str("first"),
        BUCKET_LAST => out.push_str("last"),
        BUCKET_ALL => out.push_str("all"),
        bucket => write!(out, "{bucket}")?,
    }
    out.write_char(',')
}

fn write_bucket(out: &mut String, bucket: &Bucket, group_type: GroupType) -> fmt::Result {
    out.push_str("bucket=");
    write_bucket_id(out, "bucket_id:", bucket.bucket_id)?;
    let usual = u16::from(group_type == GroupType::SELECT);
    if let Some(weight) = bucket.weight.filter(|weight| *weight != usual) {
        write!(out, "weight:{weight},")?;
    }
    if let Some(port) = bucket
        .watch_port
        .filter(|port| *port != crate::ports::Port::NONE)
    {
        out.push_str("watch_port:");
        write_port(out, port)?;
        out.push(',');
    }
    if let Some(group) = bucket.watch_group.filter(|group| *group != GROUP_ANY) {
        write!(out, "watch_group:{group},")?;
    }
    out.push_str("actions=");
    write_actions(out, &bucket.actions)
}

fn write_selection(out: &mut String, selection: &SelectionMethod) -> fmt::Result {
    let method = selection.method.to_text();
    if method.is_empty() {
        return Ok(());
    }
    write!(out, ",selection_method={method}")?;
    if selection.param != 0 {
        write!(out, ",selection_method_param={}", selection.param)?;
    }
    match selection.fields.len() {
        0 => return Ok(()),
        1 => out.push_str(",fields="),
        _ => out.push_str(",fields("),
    }
    for (index, (field, mask)) in selection.fields.iter().enumerate() {
        write!(out, "{}{}", if index > 0 { "," } else { "" }, field.name())?;
        let full = field.info().full_mask();
        if *mask != full {
            out.push('=');
            write_value(out, *field, *mask, full)?;
        }
    }
    if selection.fields.len() > 1 {
        out.write_char(')')
    } else {
        Ok(())
    }
}

/// The group without its type when that has no meaning for the command.
fn write_group(
    out: &mut String,
    id: u32,
    group_type: Option<GroupType>,
    selection: Option<&SelectionMethod>,
    buckets: &[Bucket],
) -> fmt::Result {
    write!(out, "group_id={id}")?;
    if let Some(known) = group_type {
        let name = TYPES
            .iter()
            .find(|(ty, _)| *ty == known)
            .map_or("unknown", |(_, name)| name);
        write!(out, ",type={name}")?;
    }
    if let Some(selection) = selection {
        write_selection(out, selection)?;
    }
    for bucket in buckets {
        out.push(',');
        write_bucket(out, bucket, group_type.unwrap_or(GroupType::ALL))?;
    }
    Ok(())
}

pub(super) fn write_mod(out: &mut String, group: &GroupMod) -> fmt::Result {
    let buckets_only = match group.command {
        GroupCommand::INSERT_BUCKET => Some("INSERT_BUCKET"),
        GroupCommand::REMOVE_BUCKET => Some("REMOVE_BUCKET"),
        _ => None,
    };
    out.push_str("\n ");
    match (group.command, buckets_only) {
        (_, Some(name)) => write!(out, "{name} ")?,
        (GroupCommand::ADD, _) => out.push_str("ADD "),
        (GroupCommand::MODIFY, _) => out.push_str("MOD "),
        (GroupCommand::ADD_OR_MOD, _) => out.push_str("ADD_OR_MOD "),
        (GroupCommand::DELETE, _) => out.push_str("DEL "),
        (other, _) => write!(out, "cmd:{} ", other.0)?,
    }
    if buckets_only.is_some() {
        write_bucket_id(out, "command_bucket_id:", group.command_bucket_id)?;
    }
    let group_type = buckets_only.is_none().then_some(group.group_type);
    write_group(
        out,
        group.group_id,
        group_type,
        group.selection.as_ref(),
        &group.buckets,
    )
}

pub(super) fn write_desc(out: &mut String, group: &GroupDesc) -> fmt::Result {
    out.push_str("\n ");
    let group_type = Some(group.group_type);
    write_group(
        out,
        group.group_id,
        group_type,
        group.selection.as_ref(),
        &group.buckets,
    )
}

pub(super) fn write_stats(out: &mut String, groups: &[GroupStats]) -> fmt::Result {
    for group in groups {
        write!(out, "\n group_id={},", group.group_id)?;
        if group.duration.0 != u32::MAX {
            out.push_str("duration=");
            write_duration(out, group.duration)?;
            out.push(',');
        }
        write!(
            out,
            "ref_count={},packet_count={},byte_count={}",
            group.ref_count, group.packets, group.bytes
        )?;
        for (index, (packets, bytes)) in group.buckets.iter().enumerate() {
            if *packets != u64::MAX {
                write!(
                    out,
                    ",bucket{index}:packet_count={packets},byte_count={bytes}"
                )?;
            }
        }
    }
    Ok(())
}

pub(super) fn write_features(out: &mut String, features: &GroupFeatures) -> fmt::Result {
    writeln!(out, "\n Group table:\n    Types:  {:#x}", features.types)?;
    writeln!(out, "    Capabilities:  {:#x}", features.capabilities)?;
    let limits = features.max_groups.iter().zip(features.actions);
    for ((ty, name), (most, actions)) in TYPES.iter().zip(limits) {
        if features.types & 1 << ty.0 == 0 {
            continue;
        }
        // Spelled out here only.
        let name = match *ty {
            GroupType::FAST_FAILOVER => "fast failover",
            _ => name,
        };
        write!(out, "    {name} group:\n       max_groups=")?;
        super::super::field::write_hex_number(out, (*most).into())?;
        out.push_str("\n       actions: ");
        write_action_names(out, actions)?;
        out.push('\n');
    }
    Ok(())
}
