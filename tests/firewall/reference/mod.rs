//! The reference: whether a packet passes, from what security groups promise, by the shortest code that says it. It shares
//! nothing with the planner: no type, no table, no idea of flows or chains.
//!
//! * Default deny in both directions for filtered ports; rules only allow, their order means nothing.
//! * Sources are held to (MAC, address) pairs: the port's own, allowed pairs, the link-local address of each MAC.
//! * What every port may do: ask for an address, resolve neighbours, report multicast. What none may: answer DHCP, send
//!   router advertisements, claim a neighbour's address.
//! * ICMPv6 leaves without a rule, from the port's own addresses and whatever is known of its connection.
//! * Stateful groups let replies and errors about known connections pass.
//!
//! What is known is a matter of [`Zones`]. Where a host has one table for all ports ([`Zones::Host`]), each connection in it
//! has two ends, and at each the first port that let it pass by its rules, if any: [`owners`]. A port knows the connections
//! at whose end it is. Those of others are to it as if they were new, but for what could start none (an answer, a segment
//! without SYN): its rules are asked instead of finding it invalid.

mod connections;
mod gates;
mod owners;
mod rules;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use connections::Key;
use connections::{Connections, State};
use gates::Gate;
use owners::Owners;

use super::packet::{Body, Fragments, Ip, Packet};
use super::world::{Direction, Family, Mac, World};

/// What holds for one driver and not for another, by documented choice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Profile {
    /// Who shares a table of connections.
    pub zones: Zones,
    /// What follows connections.
    pub tracker: Tracker,
    /// Neighbour discovery and listener messages, which no tracker follows, are judged by rules; else they are invalid.
    pub untracked_by_rules: bool,
    /// The type of an ICMPv6 message in fragments can not be seen: of what leaves in fragments of IPv6 nothing passes that a
    /// tracker finds invalid, on no port.
    pub fragments_hide_types: bool,
    /// Duplicate address detection is let out for the port's own addresses only.
    pub detects_own_only: bool,
    /// Frames for a MAC that nobody on the network has reach filtered ports, whose rules then judge them.
    pub strays_reach_filtered: bool,
    /// Protocols whose packets' ports the driver can see.
    pub sees_ports_of: &'static [u8],
    /// Fragments wait for the rest of their datagram on every port, filtered or not.
    pub holds_lone_fragments: bool,
    /// They wait in bridges that track connections, not elsewhere; those of one datagram that several bridges get at once
    /// may wait for each other.
    pub bridges_reassemble: bool,
}

/// What follows connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tracker {
    /// Linux, with DCCP or, since 6.16, without.
    Kernel { dccp: bool },
    /// Open vSwitch's own: it knows the ports of TCP and UDP, others by their addresses only, and ICMP queries of code 0.
    Userspace,
}

/// Who shares a table of connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Zones {
    /// All ports of a network on a host: a connection between two of them is known when both let it pass.
    Network,
    /// Each port has its own: it is known where it passed.
    Port,
    /// All ports of a host: it is known to the port at either end that let it pass first.
    Host,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Zone {
    Network(usize),
    Port(usize),
    Host,
}

/// Why a packet passes or not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
    pub passes: bool,
    pub why: &'static str,
}

/// What becomes of a packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Judgement {
    /// At the sender.
    pub egress: Verdict,
    /// At every port that the packet is for, by port; not asked if it did not leave.
    pub ingress: BTreeMap<usize, Verdict>,
}

impl Judgement {
    /// Where it arrives.
    pub fn receivers(&self) -> impl Iterator<Item = usize> {
        self.ingress
            .iter()
            .filter(|(_, v)| v.passes)
            .map(|(n, _)| *n)
    }

    /// The words that decided.
    pub fn why(&self) -> &'static str {
        match self.ingress.values().next() {
            Some(verdict) if self.egress.passes => verdict.why,
            _ => self.egress.why,
        }
    }
}

/// The reference with its connections.
pub struct Reference {
    pub world: World,
    profile: Profile,
    connections: Connections,
    owners: Owners,
}

impl Reference {
    pub fn new(world: World, profile: Profile) -> Reference {
        Reference {
            world,
            profile,
            connections: Connections::default(),
            owners: Owners::default(),
        }
    }

    /// Judges a packet, and remembers the connections that it makes.
    pub fn judge(&mut self, from: usize, packet: &Packet) -> Judgement {
        let network = self.world.ports[from].network;
        let (egress, left) = self.pass(from, Direction::Egress, packet);
        let mut judgement = Judgement {
            egress,
            ingress: BTreeMap::new(),
        };
        let lone = matches!(&packet.body, Body::Ip(ip) if ip.is_lone_fragment());
        if lone && self.profile.holds_lone_fragments {
            judgement.egress = Verdict {
                passes: false,
                why: "waits for the rest",
            };
        }
        if !judgement.egress.passes {
            return judgement;
        }
        let mut tracked: Vec<Zone> = Vec::new();
        let targets = self.targets(network, from, packet.to);
        let alone = targets.is_empty();
        for n in targets {
            let (verdict, entered) = self.pass(n, Direction::Ingress, packet);
            if verdict.passes {
                tracked.extend(entered);
            }
            judgement.ingress.insert(n, verdict);
        }
        // In a table of the network, a connection is known when it passed at both ends.
        let arrived = judgement.receivers().next().is_some() || alone;
        if self.profile.zones == Zones::Port || arrived && self.profile.zones == Zones::Network {
            tracked.extend(left);
        }
        if let Body::Ip(ip) = &packet.body {
            if self.profile.zones == Zones::Host {
                self.cross(from, ip, &judgement, left, tracked);
                return judgement;
            }
            for zone in tracked {
                self.connections.remember(zone, ip, self.profile.tracker);
            }
        }
        judgement
    }

    /// Whom a frame is for: those with that address; everybody, if it is a group's or nobody has it.
    fn targets(&self, network: usize, from: usize, to: Mac) -> Vec<usize> {
        let all = || self.world.on(network).collect();
        let mut at: Vec<usize> = if to.is_multicast() {
            all()
        } else {
            self.world.behind(network, to)
        };
        if at.is_empty() {
            at = all();
            let hears = |n: &usize| {
                self.profile.strays_reach_filtered || !self.world.ports[*n].is_filtered()
            };
            at.retain(hears);
        }
        at.retain(|&n| n != from);
        at
    }

    /// The verdict at one port, and the table in which the connection is remembered if the packet arrives.
    fn pass(&self, n: usize, direction: Direction, packet: &Packet) -> (Verdict, Option<Zone>) {
        let port = &self.world.ports[n];
        let gate = match direction {
            Direction::Egress => gates::egress(port, packet, &self.profile),
            Direction::Ingress => gates::ingress(port, packet),
        };
        let verdict = |passes, why| Verdict { passes, why };
        let zone = self.zone(n);
        let stateful = rules::is_stateful(&self.world, port);
        let tracked = (port.is_filtered() && stateful).then_some(zone);
        let ip = match (gate, &packet.body) {
            (Gate::Open(why), Body::Ip(ip)) if !port.is_filtered() || !ip.is_fragmented() => {
                return (verdict(true, why), tracked);
            }
            (Gate::Shut(why), _) => return (verdict(false, why), None),
            (Gate::Open(_) | Gate::Rules, Body::Ip(ip)) => ip,
            (Gate::Open(why), _) => return (verdict(true, why), None),
            (Gate::Rules, _) => return (verdict(false, "neither ARP nor IP"), None),
        };
        let hides_type = self.profile.fragments_hide_types
            && ip.is_fragmented()
            && (direction, ip.family()) == (Direction::Egress, Family::V6);
        let needs_none = gate != Gate::Rules;
        let allowed = needs_none
            || rules::allow(
                &self.world,
                port,
                direction,
                packet,
                ip,
                self.profile.sees_ports_of,
            );
        let by_rules = match allowed {
            true if needs_none => verdict(true, "it needs no rule"),
            true => verdict(true, "a rule allows it"),
            false => verdict(false, "no rule allows it"),
        };
        if !stateful && hides_type && self.state_at(n, ip) == State::Invalid {
            return (verdict(false, "invalid"), None);
        }
        if !stateful {
            return (by_rules, None);
        }
        if ip.is_lone_fragment() {
            return (verdict(false, "waits for the rest"), None);
        }
        match self.state_at(n, ip) {
            State::Invalid if needs_none && !hides_type => (by_rules, None),
            State::Invalid => (verdict(false, "invalid"), None),
            State::Reply => (verdict(true, "reply"), None),
            State::Related => (verdict(true, "related"), None),
            State::Untracked if self.profile.untracked_by_rules => (by_rules, None),
            State::Untracked => (verdict(false, "not tracked"), None),
            State::Established if allowed => (verdict(true, "established"), None),
            State::New | State::Established | State::Foreign => (by_rules, tracked),
        }
    }

    /// The table in which a port's connections are looked up.
    fn zone(&self, n: usize) -> Zone {
        match self.profile.zones {
            Zones::Network => Zone::Network(self.world.ports[n].network),
            Zones::Port | Zones::Host => Zone::Port(n),
        }
    }

    fn state_at(&self, n: usize, ip: &Ip) -> State {
        let tracker = self.profile.tracker;
        let state = self.connections.state(self.zone(n), ip, tracker);
        let is_strange = [State::New, State::Invalid].contains(&state);
        if self.profile.zones == Zones::Host && is_strange {
            let known = self.connections.state(Zone::Host, ip, tracker);
            if [State::Established, State::Reply].contains(&known) {
                return State::Foreign;
            }
        }
        state
    }

    /// A packet crosses the bridges of its sender and its receivers, which share a table; ports that let it pass by their
    /// rules take the connection's ends.
    fn cross(
        &mut self,
        from: usize,
        ip: &Ip,
        judgement: &Judgement,
        left: Option<Zone>,
        entered: Vec<Zone>,
    ) {
        let tracker = self.profile.tracker;
        let passed = judgement.receivers().chain([from]);
        let is_followed = |n: usize| {
            let port = &self.world.ports[n];
            !port.is_filtered() || rules::is_stateful(&self.world, port)
        };
        if !passed.into_iter().any(is_followed) {
            return;
        }
        if self.connections.state(Zone::Host, ip, tracker) == State::New {
            self.connections.remember(Zone::Host, ip, tracker);
        }
        let Some((connection, is_reply)) = self.connections.find(Zone::Host, ip, tracker) else {
            return;
        };
        let (near, far) = if is_reply { (1, 0) } else { (0, 1) };
        for (end, zones) in [(near, left.into_iter().collect()), (far, entered)] {
            for zone in self.owners.take(connection, end, zones) {
                self.connections.remember(zone, ip, tracker);
            }
        }
    }

    /// Why nothing can be said of a packet: it depends on the order in which the switch delivered this packet or, where all
    /// ports share a table, an earlier one to several ports at once.
    pub fn unsettled(&self, from: usize, packet: &Packet) -> Option<&'static str> {
        let Body::Ip(ip) = &packet.body else {
            return None;
        };
        let mut ports = self.targets(self.world.ports[from].network, from, packet.to);
        let is_spread = ports.len() > 1 && ip.fragments != Fragments::Whole;
        if is_spread && self.profile.bridges_reassemble {
            return Some("fragments for several ports");
        }
        if self.profile.zones != Zones::Host {
            return None;
        }
        ports.push(from);
        let zones: Vec<Zone> = ports.into_iter().map(Zone::Port).collect();
        let key = connections::about(ip, self.profile.tracker)?;
        self.owners
            .is_contested(key, &zones)
            .then_some("several ports may own the connection")
    }

    /// What names the connection of a packet, either way; two of one name are not to be under way at the same time.
    pub fn connection(&self, packet: &Packet) -> Option<Key> {
        match &packet.body {
            Body::Ip(ip) if self.profile.zones == Zones::Host => {
                connections::about(ip, self.profile.tracker)
            }
            _ => None,
        }
    }

    /// What the state of a packet is at one of the ports of a network, in words, for counting.
    pub fn state(&self, n: usize, packet: &Packet) -> &'static str {
        match &packet.body {
            Body::Ip(ip) => self.state_at(n, ip).name(),
            _ => "not IP",
        }
    }
}
