//! Remote sets: what their conjunctions accept, and each member's part in them.
//!
//! An address has one flow per direction for packets and one for replies, whatever the number of sets that it is in
//! and of networks in use: a flow names all conjunctions that it takes part in.

use ofproto::matching::FieldId;

use super::ids::Peer;
use super::rules::{FAMILIES, SETS, accept, reply_table, table};
use crate::model::{Direction, RemoteId};
use crate::plan::cell::Need;
use crate::plan::flows::{Flow, act, ct_state};
use crate::plan::render::{Item, Rendered, View};

/// What a conjunction of the set selects is accepted.
pub fn render(view: &View<'_>, set: RemoteId) -> Rendered {
    let uses = view.index.uses(set);
    if uses.is_empty() {
        return Rendered::absent();
    }
    if !view.desired.is_complete() {
        return Rendered::held(Need::Snapshot);
    }
    let bridge = &view.config.integration_bridge;
    let mut items = Vec::new();
    for direction in Direction::ALL {
        for family in FAMILIES {
            let id = view.index.conj().of(set, direction, family);
            let Some(id) = id.filter(|_| uses.has(direction, family)) else {
                continue;
            };
            for table in [table(direction), reply_table(direction)] {
                // Looked up once more with the number; nothing else of this priority names one.
                let flow = Flow::new(table, SETS + 1)
                    .ip(family)
                    .with(FieldId::CONJ_ID, id)
                    .actions([act::load(FieldId::REG7, id), accept(table)]);
                items.push(Item::flow(bridge, flow));
            }
        }
    }
    Rendered::ready(items)
}

/// A member's part.
pub fn member(view: &View<'_>, peer: &Peer) -> Rendered {
    if view.index.sets_of(peer).next().is_none() {
        return Rendered::absent();
    }
    if !view.desired.is_complete() {
        return Rendered::held(Need::Snapshot);
    }
    let family = peer.family();
    let bridge = &view.config.integration_bridge;
    let mut items = Vec::new();
    for direction in Direction::ALL {
        let mut ids: Vec<u32> = view
            .index
            .sets_of(peer)
            .filter(|set| view.index.uses(*set).has(direction, family))
            .filter_map(|set| view.index.conj().of(set, direction, family))
            .collect();
        if ids.is_empty() {
            continue;
        }
        ids.sort_unstable();
        for flow in [packets(peer, direction), replies(peer, direction)] {
            let flow = flow.actions(ids.iter().map(|id| act::conjunction(*id, 0)));
            items.push(Item::flow(bridge, flow));
        }
    }
    Rendered::ready(items)
}

/// Packets of that direction with this remote end.
fn packets(peer: &Peer, direction: Direction) -> Flow {
    let flow = Flow::new(table(direction), SETS).ip(peer.family());
    match (direction, peer.mac) {
        (Direction::Ingress, None) => flow.ip_source(peer.prefix),
        (Direction::Egress, None) => flow.ip_destination(peer.prefix),
        (Direction::Ingress, Some(mac)) => flow.source(mac),
        (Direction::Egress, Some(mac)) => flow.destination(mac),
    }
}

/// Replies of connections of that direction with this remote end.
fn replies(peer: &Peer, direction: Direction) -> Flow {
    let flow = Flow::new(reply_table(direction), SETS)
        .ip(peer.family())
        .ct_state(ct_state::TRK | ct_state::RPL, ct_state::INV);
    match (direction, peer.mac) {
        (Direction::Ingress, None) => flow.opened_from(peer.prefix),
        (Direction::Egress, None) => flow.opened_to(peer.prefix),
        // The other end of a reply is at the other end of the frame.
        (Direction::Ingress, Some(mac)) => flow.destination(mac),
        (Direction::Egress, Some(mac)) => flow.source(mac),
    }
}
