//! Flows that bear our cookie, on bridges that stay.

use ofproto::action::{Action, ActionList};
use ofproto::conn::Batch;
use ofproto::matching::Match;
use ofproto::msg::{FlowMod, FlowStatsRequest, Message};
use ofproto::ports::Port;

use super::super::bridge::{Bridge, endpoint};
use super::super::failure::Failure;
use super::Removal;
use super::survey::Staying;
use crate::config::Config;

/// The letters `vifd` in the upper half of a cookie, learned flows included.
const COOKIE: u64 = 0x7669_6664_0000_0000;
const COOKIE_MASK: u64 = 0xffff_ffff_0000_0000;

/// Counts them. Bridges that do not answer are problems.
pub(super) async fn find(config: &Config, bridges: &[Staying]) -> (Vec<Removal>, Vec<String>) {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    for Staying { name, .. } in bridges {
        match count(config, name).await {
            Ok(0) => {}
            Ok(flows) => found.push(Removal::Flows {
                bridge: name.clone(),
                flows,
            }),
            Err(failure) => problems.push(failure.text),
        }
    }
    (found, problems)
}

async fn count(config: &Config, name: &str) -> Result<usize, Failure> {
    let mut bridge = connect(config, name).await?;
    let request = FlowStatsRequest {
        cookie: COOKIE,
        cookie_mask: COOKIE_MASK,
        ..FlowStatsRequest::default()
    };
    Ok(bridge.flows(request).await?.len())
}

/// Deletes them; those that could not be deleted leave the list.
pub(super) async fn remove(
    config: &Config,
    bridges: &[Staying],
    found: &mut Vec<Removal>,
) -> Vec<String> {
    let mut problems = Vec::new();
    let mut removed = Vec::new();
    for removal in found.drain(..) {
        if let Removal::Flows { bridge, .. } = &removal {
            match delete(config, bridge, is_uplink(bridges, bridge)).await {
                Ok(()) => removed.push(removal),
                Err(failure) => problems.push(failure.text),
            }
        }
    }
    *found = removed;
    problems
}

/// What is not removed, in words.
pub(super) fn kept(bridges: &[Staying], found: &[Removal]) -> Vec<String> {
    let of = |removal: &Removal| match removal {
        Removal::Flows { bridge, .. } if is_uplink(bridges, bridge) => Some(format!(
            "actions=NORMAL of {bridge}, as a flow without our cookie: the bridge forwards by itself"
        )),
        _ => None,
    };
    found.iter().filter_map(of).collect()
}

fn is_uplink(bridges: &[Staying], name: &str) -> bool {
    bridges
        .iter()
        .any(|bridge| bridge.uplink && bridge.name == name)
}

/// Our lowest flow on a physical bridge has taken the place of the one by which the bridge forwarded before; a flow of
/// the same match and priority without our cookie takes its place in turn, so that the uplink is never cut.
async fn delete(config: &Config, name: &str, uplink: bool) -> Result<(), Failure> {
    let mut bridge = connect(config, name).await?;
    let mut batch = Batch::new();
    if uplink {
        let normal = ActionList::from([Action::output(Port::NORMAL)]);
        let message = Message::FlowMod(FlowMod::add(0, 0, Match::new(), normal));
        batch.push_with(|out| message.encode(0, out));
    }
    let message = Message::FlowMod(FlowMod::delete_by_cookie(COOKIE, COOKIE_MASK));
    batch.push_with(|out| message.encode(0, out));
    bridge.submit(batch).await
}

async fn connect(config: &Config, name: &str) -> Result<Bridge, Failure> {
    Bridge::connect(endpoint(config, name)?, config.ovs.of_request_timeout).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::flow::cookie;

    #[test]
    fn the_cookie_is_the_planners() {
        assert_eq!((COOKIE, COOKIE_MASK), (cookie::OWNER, cookie::OWNER_MASK));
        assert_eq!(cookie::LEARNED & COOKIE_MASK, COOKIE);
    }
}
