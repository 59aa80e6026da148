//! The flows of a profile's rules.
//!
//! A rule is looked at where the packets of its direction pass, by their own fields, and where the replies pass, by
//! the tuple of the connection's first direction: a reply passes as long as the rule that let the connection in or out
//! still does. So a connection that nothing allows any more stops in both directions at once, in whichever direction
//! its next packet goes, and nothing has to be looked for in the table of connections.
//!
//! Rules that name a set are conjunctions: (set, 1/2) a member's address, (set, 2/2) the profile and the service.

use ofproto::action::Action;
use ofproto::matching::FieldId;
use rustc_hash::FxHashMap;

use super::ids::Profile;
use super::service::{by_connection, by_protocol, is_unseen, looks_deeper, on_the_wire, replies};
use super::{PROFILE_HIGH, PROFILE_LOW, halves};
use crate::model::secgroup::protocol;
use crate::model::{Direction, Family, Remote, Rule, Service};
use crate::ops::flow::FlowKey;
use crate::plan::cell::Need;
use crate::plan::flows::{Flow, act, ct_state};
use crate::plan::render::{Item, Rendered, View};
use crate::plan::tables::int;

/// Flows of conjunctions: all of one conjunction have the same.
pub(super) const SETS: u16 = 70;
/// Rules without a set, by how much they look at: as Neutron's agent counts.
const PLAIN: u16 = 74;
/// What passes without a rule: what belongs to a connection without being of it, and answers to ICMPv6.
const WITHOUT_RULE: u16 = 90;

/// Where packets of a direction pass the rules.
pub(super) fn table(direction: Direction) -> u8 {
    match direction {
        Direction::Ingress => int::RULES_INGRESS,
        Direction::Egress => int::RULES_EGRESS,
    }
}

/// Where replies to packets of a direction pass the rules.
pub(super) fn reply_table(direction: Direction) -> u8 {
    match direction {
        Direction::Ingress => int::RULES_EGRESS,
        Direction::Egress => int::RULES_INGRESS,
    }
}

/// Where a packet goes that the rules of a table allow.
pub(super) fn accept(table: u8) -> Action {
    act::resubmit(match table {
        int::RULES_EGRESS => int::ACCEPT_OR_INGRESS,
        _ => int::ACCEPTED_INGRESS,
    })
}

/// All flows of a profile.
pub fn render(view: &View<'_>, profile: &Profile) -> Rendered {
    if !view.index.is_used(profile) {
        return Rendered::absent();
    }
    if !view.desired.is_complete() {
        return Rendered::held(Need::Snapshot);
    }
    let mut flows = Flows::new(profile);
    for rule in profile.known(view.desired).flat_map(|group| &group.rules) {
        flows.rule(view, rule);
    }
    let bridge = &view.config.integration_bridge;
    Rendered::ready(
        flows
            .into_flows()
            .map(|flow| Item::flow(bridge, flow))
            .collect(),
    )
}

/// What a flow does: accept, or take part in these conjunctions.
enum Verdict {
    Accept,
    Sets(Vec<u32>),
}

/// Flows by key: rules that come to the same flow share it.
struct Flows<'a> {
    profile: &'a Profile,
    flows: FxHashMap<FlowKey, Verdict>,
}

impl<'a> Flows<'a> {
    fn new(profile: &'a Profile) -> Flows<'a> {
        let mut flows = Flows {
            profile,
            flows: FxHashMap::default(),
        };
        if profile.stateful {
            for direction in Direction::ALL {
                let related = flows.flow(table(direction), WITHOUT_RULE).ct_state(
                    ct_state::TRK | ct_state::REL,
                    ct_state::NEW | ct_state::EST | ct_state::INV,
                );
                flows.flows.insert(related.key, Verdict::Accept);
            }
            // ICMPv6 leaves without a rule.
            let answer = flows
                .flow(reply_table(Direction::Egress), WITHOUT_RULE)
                .ip(Family::V6)
                .ct_state(ct_state::TRK | ct_state::RPL, ct_state::INV | ct_state::REL)
                .with(FieldId::CT_NW_PROTO, protocol::ICMPV6);
            flows.flows.insert(answer.key, Verdict::Accept);
        }
        flows
    }

    fn flow(&self, table: u8, priority: u16) -> Flow {
        let (high, low) = halves(self.profile);
        Flow::new(table, priority)
            .with(PROFILE_HIGH, high)
            .with(PROFILE_LOW, low)
    }

    fn rule(&mut self, view: &View<'_>, rule: &Rule) {
        let (direction, family, service) = (rule.direction, rule.family, rule.service);
        let (priority, set) = match rule.remote {
            Remote::Set(set) => match view.index.conj().of(set, direction, family) {
                Some(id) => (SETS, Some(id)),
                // Not claimed: never used, so nothing can match.
                None => return,
            },
            Remote::Any | Remote::Prefix(_) => (PLAIN + offset(service), None),
        };
        let stateful = self.profile.stateful;
        let here = || {
            let flow = self.flow(table(direction), priority).ip(family);
            let flow = match stateful {
                true => flow.ct_state(ct_state::TRK, ct_state::INV | ct_state::RPL),
                false => flow,
            };
            match (rule.remote, direction) {
                (Remote::Prefix(net), Direction::Ingress) => flow.ip_source(net),
                (Remote::Prefix(net), Direction::Egress) => flow.ip_destination(net),
                _ => flow,
            }
        };
        let mut found = on_the_wire(&here(), family, service);
        if stateful {
            let reply = self
                .flow(reply_table(direction), priority)
                .ip(family)
                .ct_state(ct_state::TRK | ct_state::RPL, ct_state::INV | ct_state::REL);
            let reply = match (rule.remote, direction) {
                (Remote::Prefix(net), Direction::Ingress) => reply.opened_from(net),
                (Remote::Prefix(net), Direction::Egress) => reply.opened_to(net),
                _ => reply,
            };
            found.extend(replies(&reply, family, service));
            if is_unseen(service) {
                found.extend(by_connection(&here(), family, service));
            } else if looks_deeper(service) {
                found.extend(by_connection(&here().first_fragment(), family, service));
            }
            // A later fragment of IPv6 does not show its protocol either.
            if looks_deeper(service) || family == Family::V6 && service != Service::Any {
                let later = |flow: Flow| by_protocol(&flow.later_fragment(), family, service);
                found.push(later(here()));
                found.push(later(reply));
            }
        }
        // Where nothing is followed conntrack is asked for the protocol of later fragments, which IPv6 does not show.
        if !stateful && family == Family::V6 && matches!(service, Service::Protocol(_)) {
            let later = here()
                .later_fragment()
                .ct_state(ct_state::TRK, ct_state::INV);
            found.push(by_protocol(&later, family, service));
        }
        for flow in found {
            self.add(flow.key, set);
        }
    }

    fn add(&mut self, key: FlowKey, set: Option<u32>) {
        match set {
            None => {
                self.flows.insert(key, Verdict::Accept);
            }
            Some(id) => {
                let verdict = self
                    .flows
                    .entry(key)
                    .or_insert_with(|| Verdict::Sets(Vec::new()));
                if let Verdict::Sets(ids) = verdict {
                    ids.push(id);
                }
            }
        }
    }

    fn into_flows(self) -> impl Iterator<Item = Flow> {
        self.flows.into_iter().map(|(key, verdict)| {
            let table = key.table;
            let flow = Flow::of(key);
            match verdict {
                Verdict::Accept => flow.actions([accept(table)]),
                Verdict::Sets(mut ids) => {
                    ids.sort_unstable();
                    ids.dedup();
                    flow.actions(ids.into_iter().map(|id| act::conjunction(id, 1)))
                }
            }
        })
    }
}

/// Neutron's agent gives more weight to what looks at more.
fn offset(service: Service) -> u16 {
    match service {
        Service::Any => 0,
        Service::Protocol(number) if is_icmp(number) => 1,
        Service::Icmp { code: None, .. } => 2,
        Service::Protocol(_) | Service::Ports { .. } | Service::Icmp { .. } => 3,
    }
}

fn is_icmp(number: u8) -> bool {
    matches!(number, protocol::ICMP | protocol::ICMPV6)
}

/// The families that a set may have members of.
pub(super) const FAMILIES: [Family; 2] = Family::ALL;
