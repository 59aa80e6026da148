//! Statistics of all kinds, requests and replies.

use ::arbitrary::{Arbitrary, Result, Unstructured};

use super::group::{group_desc, group_features, group_stats};
use super::message::{duration, fixed_match, phy_port, plain, real_port, some};
use crate::matching::Match;
use crate::msg::registry::Kind;
use crate::msg::{
    AggregateStats, DescStats, FixedStr, FlowEvent, FlowMod, FlowModForm, FlowMonitorRequest,
    FlowRemovedReason, FlowStats, FlowStatsRequest, FlowUpdate, FlowUpdateFull, IpfixStats,
    PortStats, QueueStats, StatsReply, StatsRequest, TableStats,
};

fn flow_request(u: &mut Unstructured<'_>) -> Result<FlowStatsRequest> {
    Ok(FlowStatsRequest {
        match_: Match::arbitrary(u)?,
        table: u.arbitrary()?,
        out_port: real_port(u)?,
        ..FlowStatsRequest::default()
    })
}

pub(super) fn stats_request(kind: Kind, u: &mut Unstructured<'_>) -> Result<StatsRequest> {
    Ok(match kind {
        Kind::Stats(_, 1) => StatsRequest::Flow(fixed_request(u)?),
        Kind::Stats(_, 2) => StatsRequest::Aggregate(fixed_request(u)?),
        Kind::Stats(_, 3) => StatsRequest::Table,
        Kind::Stats(_, 4) => StatsRequest::Port(real_port(u)?),
        Kind::Stats(_, 5) => StatsRequest::Queue {
            port: real_port(u)?,
            queue: u.arbitrary()?,
        },
        Kind::Stats(_, 13) => StatsRequest::PortDesc,
        Kind::NiciraStats(_, 0) => StatsRequest::Flow(flow_request(u)?),
        Kind::NiciraStats(_, 1) => StatsRequest::Aggregate(flow_request(u)?),
        Kind::NiciraStats(_, 2) => StatsRequest::FlowMonitor(some(u, |u| {
            Ok(FlowMonitorRequest {
                id: u.arbitrary()?,
                flags: u.int_in_range(2..=63u16)? | 2,
                out_port: real_port(u)?,
                table: u.arbitrary()?,
                match_: Match::arbitrary(u)?,
            })
        })?),
        Kind::NiciraStats(_, 3) => StatsRequest::IpfixBridge,
        Kind::NiciraStats(_, 4) => StatsRequest::IpfixFlow,
        Kind::NiciraStats(_, 7) => StatsRequest::Group(u.arbitrary()?),
        Kind::NiciraStats(_, 8) => StatsRequest::GroupDesc(u.arbitrary()?),
        Kind::NiciraStats(_, 9) => StatsRequest::GroupFeatures,
        _ => StatsRequest::Desc,
    })
}

fn fixed_request(u: &mut Unstructured<'_>) -> Result<FlowStatsRequest> {
    let request = flow_request(u)?;
    Ok(FlowStatsRequest {
        form: FlowModForm::Of10,
        match_: fixed_match(&request.match_),
        ..request
    })
}

fn flow_stats(u: &mut Unstructured<'_>) -> Result<FlowStats> {
    let flow = FlowMod::arbitrary(u)?;
    Ok(FlowStats {
        table: flow.table,
        duration: duration(u)?,
        priority: flow.priority,
        idle_timeout: flow.idle_timeout,
        hard_timeout: flow.hard_timeout,
        idle_age: Some(u.int_in_range(0..=0xfffe)?),
        hard_age: Some(u.int_in_range(0..=0xfffe)?),
        cookie: flow.cookie,
        packets: u.arbitrary()?,
        bytes: u.arbitrary()?,
        match_: flow.match_,
        actions: flow.actions,
    })
}

/// A flow as the standard form shows it.
fn fixed_stats(u: &mut Unstructured<'_>) -> Result<FlowStats> {
    let flow = flow_stats(u)?;
    let match_ = fixed_match(&flow.match_);
    Ok(FlowStats {
        idle_age: None,
        hard_age: None,
        actions: super::action::arbitrary_actions(u, &match_)?,
        match_,
        ..flow
    })
}

fn totals(u: &mut Unstructured<'_>) -> Result<AggregateStats> {
    Ok(AggregateStats {
        packets: u.arbitrary()?,
        bytes: u.arbitrary()?,
        flows: u.arbitrary()?,
    })
}

fn words<const N: usize>(u: &mut Unstructured<'_>) -> Result<FixedStr<N>> {
    Ok(FixedStr::new(u.choose(&[
        "",
        "Open vSwitch",
        "3.1.0",
        "br-int",
    ])?))
}

fn ipfix(u: &mut Unstructured<'_>) -> Result<IpfixStats> {
    Ok(IpfixStats {
        total_flows: u.arbitrary()?,
        current_flows: u.arbitrary()?,
        packets: u.arbitrary()?,
        ipv4_packets: u.arbitrary()?,
        ipv6_packets: u.arbitrary()?,
        error_packets: u.arbitrary()?,
        ipv4_error_packets: u.arbitrary()?,
        ipv6_error_packets: u.arbitrary()?,
        tx_packets: u.arbitrary()?,
        tx_errors: u.arbitrary()?,
        collector_set_id: u.arbitrary()?,
    })
}

pub(super) fn stats_reply(kind: Kind, u: &mut Unstructured<'_>) -> Result<StatsReply> {
    Ok(match kind {
        Kind::Stats(_, 1) => StatsReply::Flow(FlowModForm::Of10, some(u, fixed_stats)?),
        Kind::Stats(_, 2) => StatsReply::Aggregate(FlowModForm::Of10, totals(u)?),
        Kind::Stats(_, 3) => StatsReply::Table(some(u, |u| {
            Ok(TableStats {
                table: u.arbitrary()?,
                name: FixedStr::new(u.choose(&["", "classifier"])?),
                wildcards: u.arbitrary::<u32>()? & 0x3f_ffff,
                max_entries: u.arbitrary()?,
                active: u.arbitrary()?,
                lookups: u.arbitrary()?,
                matches: u.arbitrary()?,
            })
        })?),
        Kind::Stats(_, 4) => StatsReply::Port(some(u, |u| {
            Ok(PortStats {
                port: real_port(u)?,
                rx_packets: u.arbitrary()?,
                tx_packets: u.arbitrary()?,
                rx_bytes: u.arbitrary()?,
                tx_bytes: u.arbitrary()?,
                rx_dropped: u.arbitrary()?,
                tx_dropped: u.arbitrary()?,
                rx_errors: u.arbitrary()?,
                tx_errors: u.arbitrary()?,
                rx_frame_err: u.arbitrary()?,
                rx_over_err: u.arbitrary()?,
                rx_crc_err: u.arbitrary()?,
                collisions: u.arbitrary()?,
            })
        })?),
        Kind::Stats(_, 5) => StatsReply::Queue(some(u, |u| {
            Ok(QueueStats {
                port: real_port(u)?,
                queue_id: u.arbitrary()?,
                tx_bytes: u.arbitrary()?,
                tx_packets: u.arbitrary()?,
                tx_errors: u.arbitrary()?,
            })
        })?),
        // Equal numbers have no order.
        Kind::Stats(_, 13) => StatsReply::PortDesc(vec![phy_port(u)?]),
        Kind::NiciraStats(_, 0) => StatsReply::Flow(FlowModForm::Nx, some(u, flow_stats)?),
        Kind::NiciraStats(_, 1) => StatsReply::Aggregate(FlowModForm::Nx, totals(u)?),
        Kind::NiciraStats(_, 2) => StatsReply::FlowMonitor(some(u, flow_update)?),
        Kind::NiciraStats(_, 3) => StatsReply::IpfixBridge(ipfix(u)?),
        Kind::NiciraStats(_, 4) => StatsReply::IpfixFlow(some(u, ipfix)?),
        Kind::NiciraStats(_, 7) => StatsReply::Group(some(u, group_stats)?),
        Kind::NiciraStats(_, 8) => StatsReply::GroupDesc(some(u, group_desc)?),
        Kind::NiciraStats(_, 9) => StatsReply::GroupFeatures(group_features(u)?),
        _ => StatsReply::Desc(Box::new(DescStats {
            manufacturer: words(u)?,
            hardware: words(u)?,
            software: words(u)?,
            serial: words(u)?,
            datapath: words(u)?,
        })),
    })
}

fn flow_update(u: &mut Unstructured<'_>) -> Result<FlowUpdate> {
    let flow = FlowMod::arbitrary(u)?;
    if u.ratio(1, 4)? {
        return Ok(FlowUpdate::Abbrev {
            xid: u.arbitrary()?,
        });
    }
    let event = FlowEvent(u.int_in_range(0..=2)?);
    let deleted = event == FlowEvent::DELETED;
    Ok(FlowUpdate::Full(Box::new(FlowUpdateFull {
        event,
        reason: FlowRemovedReason(if deleted { u.int_in_range(0..=5)? } else { 0 }),
        priority: flow.priority,
        idle_timeout: flow.idle_timeout,
        hard_timeout: flow.hard_timeout,
        table: flow.table,
        cookie: flow.cookie,
        match_: flow.match_,
        actions: plain(&flow.actions),
    })))
}
