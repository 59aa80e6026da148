//! The reference: whether a packet passes, from what security groups promise, by the shortest code that says it. It shares
//! nothing with the planner: no type, no table, no idea of flows or chains.
//!
//! * Default deny in both directions for filtered ports; rules only allow, their order means nothing.
//! * Sources are held to (MAC, address) pairs: the port's own, allowed pairs, the link-local address of each MAC.
//! * What every port may do: ask for an address, resolve neighbours, report multicast. What none may: answer DHCP, send
//!   router advertisements, claim a neighbour's address.
//! * Stateful groups let replies and errors about known connections pass.

mod connections;
mod gates;
mod rules;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use connections::{Connections, State};
use gates::Gate;

use super::packet::{Body, Packet};
use super::world::{Direction, Mac, World};

/// What holds for one driver and not for another, by documented choice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Profile {
    /// Who shares a table of connections.
    pub zones: Zones,
    /// What follows connections.
    pub tracker: Tracker,
    /// Neighbour discovery and listener messages, which no tracker follows, are judged by rules; else they are invalid.
    pub untracked_by_rules: bool,
    /// ICMPv6 types that leave a port without a rule, from its own addresses.
    pub icmpv6_out: &'static [u8],
    /// Duplicate address detection is let out for the port's own addresses only.
    pub detects_own_only: bool,
    /// Frames for a MAC that nobody on the network has reach filtered ports, whose rules then judge them.
    pub strays_reach_filtered: bool,
    /// Protocols whose packets' ports the driver can see.
    pub sees_ports_of: &'static [u8],
    /// Fragments wait for the rest of their datagram on every port, filtered and tracked or not.
    pub holds_lone_fragments: bool,
}

/// What follows connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tracker {
    /// Linux.
    Kernel,
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
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Zone {
    Network(usize),
    Port(usize),
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
}

impl Reference {
    pub fn new(world: World, profile: Profile) -> Reference {
        Reference {
            world,
            profile,
            connections: Connections::default(),
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
        if arrived || self.profile.zones == Zones::Port {
            tracked.extend(left);
        }
        if let Body::Ip(ip) = &packet.body {
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
        let zone = match self.profile.zones {
            Zones::Network => Zone::Network(port.network),
            Zones::Port => Zone::Port(n),
        };
        let stateful = rules::is_stateful(&self.world, port);
        let tracked = (port.is_filtered() && stateful).then_some(zone);
        let ip = match (gate, &packet.body) {
            (Gate::Open(why), Body::Ip(_)) => return (verdict(true, why), tracked),
            (Gate::Open(why), _) => return (verdict(true, why), None),
            (Gate::Shut(why), _) => return (verdict(false, why), None),
            (Gate::Rules, Body::Ip(ip)) => ip,
            (Gate::Rules, _) => return (verdict(false, "neither ARP nor IP"), None),
        };
        let allowed = rules::allow(
            &self.world,
            port,
            direction,
            packet,
            ip,
            self.profile.sees_ports_of,
        );
        let by_rules = match allowed {
            true => verdict(true, "a rule allows it"),
            false => verdict(false, "no rule allows it"),
        };
        if !stateful {
            return (by_rules, None);
        }
        if ip.is_lone_fragment() {
            return (verdict(false, "waits for the rest"), None);
        }
        match self.connections.state(zone, ip, self.profile.tracker) {
            State::Invalid => (verdict(false, "invalid"), None),
            State::Reply => (verdict(true, "reply"), None),
            State::Related => (verdict(true, "related"), None),
            State::Untracked if self.profile.untracked_by_rules => (by_rules, None),
            State::Untracked => (verdict(false, "not tracked"), None),
            State::Established if allowed => (verdict(true, "established"), None),
            State::New | State::Established => (by_rules, tracked),
        }
    }

    /// What the state of a packet is at one of the ports of a network, in words, for counting.
    pub fn state(&self, n: usize, packet: &Packet) -> &'static str {
        let zone = match self.profile.zones {
            Zones::Network => Zone::Network(self.world.ports[n].network),
            Zones::Port => Zone::Port(n),
        };
        match &packet.body {
            Body::Ip(ip) => self
                .connections
                .state(zone, ip, self.profile.tracker)
                .name(),
            _ => "not IP",
        }
    }
}
