//! What is ours on bridges that stay: flows that bear our cookie, the connections that they track, and VIFs that the
//! switch floods nothing to.

use std::collections::BTreeSet;

use ofproto::action::{Action, ActionList};
use ofproto::conn::Batch;
use ofproto::matching::{FieldId, Match};
use ofproto::msg::{FixedStr, FlowMod, FlowStats, FlowStatsRequest, Message, PhyPort, PortMod};
use ofproto::ports::Port;

use super::super::bridge::{Bridge, endpoint};
use super::super::failure::Failure;
use super::Removal;
use super::survey::Staying;
use crate::config::Config;

/// The letters `vifd` in the upper half of a cookie, learned flows included.
const COOKIE: u64 = 0x7669_6664_0000_0000;
const COOKIE_MASK: u64 = 0xffff_ffff_0000_0000;
/// The table with one flow per conntrack zone that the firewall of the bridge uses; register 6 is the zone.
const ZONES: u8 = 91;
/// `OFPPC_NO_FLOOD` (OF1.0 §5.2.1).
const NO_FLOOD: u32 = 1 << 4;

/// What is ours on one bridge.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Found {
    bridge: String,
    uplink: bool,
    flows: usize,
    /// VIFs that the switch floods nothing to: the agent keeps them so, or not, as it needs.
    unflooded: Vec<PhyPort>,
    zones: BTreeSet<u16>,
}

/// Looks at every bridge. Those that do not answer are problems.
pub(super) async fn find(config: &Config, bridges: &[Staying]) -> (Vec<Found>, Vec<String>) {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    for staying in bridges {
        match look(config, staying).await {
            Ok(one) if one.flows == 0 && one.unflooded.is_empty() => {}
            Ok(one) => found.push(one),
            Err(failure) => problems.push(failure.text),
        }
    }
    (found, problems)
}

async fn look(config: &Config, staying: &Staying) -> Result<Found, Failure> {
    let mut bridge = connect(config, &staying.name).await?;
    let request = FlowStatsRequest {
        cookie: COOKIE,
        cookie_mask: COOKIE_MASK,
        ..FlowStatsRequest::default()
    };
    let flows = bridge.flows(request).await?;
    let mut unflooded = bridge.ports().await?;
    unflooded.retain(|port| {
        // Longer names are cut on the wire.
        let is_vif = |vif: &String| port.name == FixedStr::new(vif);
        port.config & NO_FLOOD != 0 && staying.vifs.iter().any(is_vif)
    });
    Ok(Found {
        bridge: staying.name.clone(),
        uplink: staying.uplink,
        flows: flows.len(),
        unflooded,
        zones: flows.iter().filter_map(zone_of).collect(),
    })
}

fn zone_of(flow: &FlowStats) -> Option<u16> {
    let zone = match flow.table {
        ZONES => flow.match_.exact(FieldId::REG6)?,
        _ => return None,
    };
    u16::try_from(zone).ok()
}

/// What a reader sees of them.
pub(super) fn removals(found: &[Found]) -> Vec<Removal> {
    let of = |found: &Found| {
        let bridge = &found.bridge;
        let mut removals = Vec::new();
        if found.flows > 0 {
            removals.push(Removal::Flows {
                bridge: bridge.clone(),
                flows: found.flows,
            });
        }
        removals.extend(found.unflooded.iter().map(|port| Removal::NoFlood {
            port: port.name.to_text(),
            bridge: bridge.clone(),
        }));
        if !found.zones.is_empty() {
            removals.push(Removal::Connections {
                place: bridge.clone(),
                zones: found.zones.iter().copied().collect(),
            });
        }
        removals
    };
    found.iter().flat_map(of).collect()
}

/// Takes it all away; what could not be taken leaves the list.
pub(super) async fn remove(config: &Config, found: &mut Vec<Found>) -> Vec<String> {
    let mut problems = Vec::new();
    let mut removed = Vec::new();
    for one in found.drain(..) {
        match delete(config, &one).await {
            Ok(()) => removed.push(one),
            Err(failure) => problems.push(failure.text),
        }
    }
    *found = removed;
    problems
}

/// What is not removed, in words.
pub(super) fn kept(found: &[Found]) -> Vec<String> {
    let uplinks = found.iter().filter(|found| found.uplink);
    let text = |found: &Found| {
        let bridge = &found.bridge;
        format!(
            "actions=NORMAL of {bridge}, as a flow without our cookie: the bridge forwards by itself"
        )
    };
    uplinks.map(text).collect()
}

/// Our lowest flow on a physical bridge has taken the place of the one by which the bridge forwarded before; a flow of
/// the same match and priority without our cookie takes its place in turn, so that the uplink is never cut. Connections
/// go when no flow makes new ones.
async fn delete(config: &Config, found: &Found) -> Result<(), Failure> {
    let mut bridge = connect(config, &found.bridge).await?;
    let mut messages = Vec::new();
    if found.uplink {
        let normal = ActionList::from([Action::output(Port::NORMAL)]);
        messages.push(Message::FlowMod(FlowMod::add(0, 0, Match::new(), normal)));
    }
    let ours = FlowMod::delete_by_cookie(COOKIE, COOKIE_MASK);
    messages.push(Message::FlowMod(ours));
    messages.extend(found.unflooded.iter().map(floods_again));
    messages.extend(found.zones.iter().map(|zone| Message::CtFlushZone(*zone)));
    let mut batch = Batch::new();
    for message in messages {
        batch.push_with(|out| message.encode(0, out));
    }
    bridge.submit(batch).await
}

fn floods_again(port: &PhyPort) -> Message {
    Message::PortMod(PortMod {
        port_no: port.port_no,
        hw_addr: port.hw_addr,
        config: 0,
        mask: NO_FLOOD,
        advertise: 0,
    })
}

async fn connect(config: &Config, name: &str) -> Result<Bridge, Failure> {
    Bridge::connect(endpoint(config, name)?, config.ovs.of_request_timeout).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::flow::cookie;
    use crate::plan::tables::int;

    #[test]
    fn marks_are_the_planners() {
        assert_eq!((COOKIE, COOKIE_MASK), (cookie::OWNER, cookie::OWNER_MASK));
        assert_eq!(cookie::LEARNED & COOKIE_MASK, COOKIE);
        assert_eq!(ZONES, int::ACCEPTED_EGRESS);
    }
}
