//! Cutting connections that rules no longer allow.
//!
//! A change notes the ports or addresses that it concerns; when everything that could be written is committed, the kernel is asked
//! for their connections, each is judged by the rules as they are now, and exactly those that are forbidden are deleted.
//! One question for all changes so far, one deletion after it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::render::{is_stateless, senders};
use crate::model::{Direction, Port, PortId};
use crate::ops::conntrack::{Connection, CtItems, Scope};
use crate::ops::{Batch, Items, Outcome, Target};
use crate::plan::Planner;
use crate::plan::firewall::verdict::{self, Flow};

/// What is to be asked for.
#[derive(Clone, Default, Debug)]
struct Question {
    ports: BTreeSet<PortId>,
    /// They left sets that rules name.
    addresses: BTreeSet<IpNet>,
    /// Of ports that are gone.
    gone: BTreeSet<Scope>,
}

/// What is to be looked at.
#[derive(Clone, Default, Debug)]
pub struct Cuts {
    next: Question,
    condemned: Vec<Connection>,
    /// The question or deletion under way.
    under_way: Option<(u64, Question)>,
}

impl Cuts {
    /// Connections of this port may not be allowed any more.
    pub fn check(&mut self, id: PortId) {
        self.next.ports.insert(id);
    }

    /// Connections with these addresses may not be allowed any more, whoever's they are.
    pub fn check_address(&mut self, net: IpNet) {
        self.next.addresses.insert(net);
    }

    /// Nothing that this scope holds is allowed any more.
    pub fn gone(&mut self, scope: Scope) {
        self.next.gone.insert(scope);
    }
}

fn flow(connection: &Connection) -> Option<Flow> {
    let tuple = connection.entry.original.as_ref()?;
    let proto = tuple.proto.as_ref();
    let icmp = proto.and_then(|p| {
        let v4 = p.icmp_type.zip(p.icmp_code);
        v4.or_else(|| p.icmpv6_type.zip(p.icmpv6_code))
    });
    Some(Flow {
        src: tuple.src()?,
        dst: tuple.dst()?,
        protocol: tuple.protocol()?,
        ports: proto.and_then(|p| p.src_port.zip(p.dst_port)),
        icmp,
    })
}

/// A port that has no address yet may send from none.
fn may_send(port: &Port, from: IpAddr) -> bool {
    from.is_unspecified() || senders(port).iter().any(|(_, net)| net.contains(&from))
}

/// Which way a connection of a port goes: out, if it comes from an address of the port.
fn direction(port: &Port, flow: &Flow) -> Direction {
    let is_own = |ip: IpAddr| port.fixed_ips.iter().any(|fixed| fixed.ip == ip);
    if is_own(flow.src) || may_send(port, flow.src) && !is_own(flow.dst) {
        Direction::Egress
    } else {
        Direction::Ingress
    }
}

impl Planner {
    fn scope(&self, id: PortId) -> Option<Scope> {
        self.scope_of(self.filter.numbers.zone(id)?)
    }

    /// The connections of the port with this number.
    pub(super) fn scope_of(&self, zone: u16) -> Option<Scope> {
        match self.filter.variant? {
            variant if variant.has_zones() => Some(Scope::Zone(zone)),
            _ => Some(Scope::Owner(zone)),
        }
    }

    /// The port leaves, or is no longer filtered: its connections go with it.
    pub(in crate::plan) fn cut_all_of(&mut self, id: PortId) {
        if let Some(scope) = self.scope(id) {
            self.filter.cuts.gone(scope);
        }
        self.filter.cuts.next.ports.remove(&id);
    }

    /// The next question or deletion, once what could be written is committed.
    pub(in crate::plan) fn take_conntrack(&mut self, id: u64) -> Option<Batch> {
        let is_settled = self.nft.is_online() && !self.nft.is_busy() && self.is_dirty.is_empty();
        if !is_settled || self.filter.cuts.under_way.is_some() {
            return None;
        }
        let condemned = std::mem::take(&mut self.filter.cuts.condemned);
        let (items, question) = if condemned.is_empty() {
            let question = std::mem::take(&mut self.filter.cuts.next);
            let ports = question.ports.iter().filter_map(|id| self.scope(*id));
            let addresses = question.addresses.iter().copied().map(Scope::Address);
            let mut scopes: Vec<Scope> = ports.chain(addresses).collect();
            scopes.extend(question.gone.iter().cloned());
            scopes.sort();
            scopes.dedup();
            (CtItems::List(scopes), question)
        } else {
            (CtItems::Cut(condemned), Question::default())
        };
        if items.is_empty() {
            return None;
        }
        self.next_batch += 1;
        self.filter.cuts.under_way = Some((id, question));
        Some(Batch {
            target: Target::Conntrack,
            id,
            items: Items::Conntrack(items),
        })
    }

    /// The kernel's answer.
    pub(in crate::plan) fn on_connections(&mut self, found: Vec<Connection>) {
        let Some((_, Question { gone, .. })) = self.filter.cuts.under_way.clone() else {
            return;
        };
        let condemned: Vec<Connection> = found
            .into_iter()
            .filter(|connection| self.is_condemned(connection, &gone))
            .collect();
        self.filter.cuts.condemned.extend(condemned);
    }

    fn is_condemned(&self, connection: &Connection, gone: &BTreeSet<Scope>) -> bool {
        let is_free = |scope: &Scope| {
            let port = scope.number().map(|n| self.filter.numbers.port_of(n));
            port == Some(None)
        };
        if gone.iter().any(|s| s.holds(connection) && is_free(s)) {
            return true;
        }
        // Announced by another connection: it goes when that one goes.
        if connection.entry.master.is_some() {
            return false;
        }
        let Some(flow) = flow(connection) else {
            return false;
        };
        let port = |number| self.desired.port(self.filter.numbers.port_of(number)?);
        let is_forbidden = |port: &Port, direction| {
            let is_foreign = direction == Direction::Egress && !may_send(port, flow.src);
            port.is_filtered()
                && !is_stateless(port, &self.desired)
                && (is_foreign || !verdict::allows(&self.desired, port, direction, &flow))
        };
        if self.filter.variant.is_some_and(|v| !v.has_zones()) {
            let [from, to] = connection.owners().map(port);
            return from.is_some_and(|port| is_forbidden(port, Direction::Egress))
                || to.is_some_and(|port| is_forbidden(port, Direction::Ingress));
        }
        port(connection.zone()).is_some_and(|port| is_forbidden(port, direction(port, &flow)))
    }

    /// A question or deletion is over.
    pub(in crate::plan) fn finish_conntrack(&mut self, id: u64, outcome: &Outcome) {
        let cuts = &mut self.filter.cuts;
        let Some((_, question)) = cuts.under_way.take_if(|(batch, _)| *batch == id) else {
            return;
        };
        if !matches!(outcome, Outcome::Done { .. }) {
            cuts.next.ports.extend(question.ports);
            cuts.next.addresses.extend(question.addresses);
            cuts.next.gone.extend(question.gone);
        }
    }
}
