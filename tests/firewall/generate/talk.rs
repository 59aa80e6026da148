//! Conversations: the first packet, answers, more of the same, errors about it; and packets that belong to none.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::addresses::{edges, inside, own_source};
use super::layer2;
use crate::packet::{
    ACK, Body, DCCP, Fragments, ICMP, ICMPV6, Ip, Packet, Payload, RST, SCTP, SYN, TCP, Tcp, UDP,
    UDPLITE,
};
use crate::random::Random;
use crate::wire::TCP_DATA;
use crate::world::{Direction, Family, Mac, Port, Remote, Rule, Service, World};

/// One packet of a conversation.
#[derive(Clone, Debug)]
pub struct Step {
    pub from: usize,
    pub packet: Packet,
    /// It has no meaning if the step before did not arrive.
    pub needs_previous: bool,
}

/// A conversation, in order.
#[derive(Clone, Debug)]
pub struct Script {
    pub steps: Vec<Step>,
}

/// Ports (and identifiers) that one script has and no other.
const EPHEMERAL: std::ops::Range<u16> = 20_000..32_000;

/// Makes scripts no two of which share a connection.
pub struct Scripts {
    last: Option<Script>,
    used: BTreeSet<(usize, u8, IpAddr, IpAddr, u16)>,
    next: u16,
}

/// Who talks to whom.
pub struct Scene<'a> {
    world: &'a World,
    from: usize,
    to: usize,
}

impl Scene<'_> {
    pub fn sender(&self) -> &Port {
        &self.world.ports[self.from]
    }

    pub fn receiver(&self) -> &Port {
        &self.world.ports[self.to]
    }

    fn is_one_network(&self) -> bool {
        self.sender().network == self.receiver().network
    }

    fn is_stateless(&self) -> bool {
        [self.from, self.to]
            .into_iter()
            .any(|n| is_stateless(self.world, n))
    }

    /// MAC and address to send from: mostly the sender's, sometimes forged.
    pub fn source(&self, random: &mut Random, family: Family) -> Option<(Mac, IpAddr)> {
        let own = own_source(random, self.sender(), family);
        if !self.sender().is_filtered() {
            // It may send from anything: from members elsewhere, from what rules name, from the edges of prefixes.
            let ip = if random.chance(25) {
                own.map(|(_, ip)| ip)
            } else {
                self.interesting(random, family)
            };
            // Ports of other hosts are behind the router, as far as this switch has learnt.
            let is_router = self.world.router(self.sender().network) == Some(self.from);
            let mac = if is_router && random.chance(30) {
                self.member_mac(random)
            } else {
                self.sender().mac
            };
            return Some((mac, ip.or(own.map(|(_, ip)| ip))?));
        }
        match random.below(100) {
            0..5 => Some((self.sender().mac, self.interesting(random, family)?)),
            5..9 => {
                let (mac, net) = *random.any(&self.sender().sources())?;
                let around: Vec<IpAddr> = edges(net)
                    .into_iter()
                    .filter(|ip| Family::of(*ip) == family)
                    .collect();
                Some((mac, *random.any(&around)?))
            }
            9..13 => Some((self.other_mac(random), own?.1)),
            _ => own,
        }
    }

    /// An address to send to: mostly the receiver's.
    pub fn target(&self, random: &mut Random, family: Family) -> Option<IpAddr> {
        match random.below(100) {
            0..12 => self.interesting(random, family),
            12..20 => own_source(random, self.receiver(), family).map(|(_, ip)| ip),
            _ => self
                .receiver()
                .ip(family)
                .or_else(|| self.interesting(random, family)),
        }
    }

    /// The receiver's MAC, or sometimes one that all hear.
    pub fn unicast_or(&self, random: &mut Random, all: Mac) -> Mac {
        if random.chance(60) {
            self.receiver().mac
        } else {
            all
        }
    }

    /// A MAC that is not the sender's.
    pub fn other_mac(&self, random: &mut Random) -> Mac {
        loop {
            let mac = random.pick(&self.world.ports).mac;
            if !self.sender().macs().contains(&mac) {
                return mac;
            }
        }
    }

    fn member_mac(&self, random: &mut Random) -> Mac {
        let port = random.pick(&self.world.elsewhere);
        *random.pick(&port.macs())
    }

    /// An address that some rule or group or port is about.
    fn interesting(&self, random: &mut Random, family: Family) -> Option<IpAddr> {
        for _ in 0..8 {
            let net = match random.below(3) {
                0 => {
                    let sources = random_member(random, self.world).sources();
                    random.any(&sources).map(|(_, net)| *net)
                }
                1 => {
                    let rules = self.rules(Direction::Ingress);
                    let nets: Vec<_> = rules
                        .iter()
                        .filter_map(|rule| match rule.remote {
                            Remote::Prefix(net) => Some(net),
                            _ => None,
                        })
                        .collect();
                    random.any(&nets).copied()
                }
                _ => {
                    let entries: Vec<_> = self
                        .world
                        .address_groups
                        .iter()
                        .flatten()
                        .copied()
                        .collect();
                    random.any(&entries).copied()
                }
            };
            let Some(net) = net.filter(|net| Family::of(net.addr()) == family) else {
                continue;
            };
            let ip = if random.chance(60) {
                Some(inside(random, net))
            } else {
                random.any(&edges(net)).copied()
            };
            if ip.is_some() {
                return ip;
            }
        }
        None
    }

    /// Rules of the receiver (ingress) or the sender (egress).
    fn rules(&self, direction: Direction) -> Vec<Rule> {
        let port = match direction {
            Direction::Ingress => self.receiver(),
            Direction::Egress => self.sender(),
        };
        port.groups
            .iter()
            .flat_map(|&group| &self.world.groups[group].rules)
            .filter(|rule| rule.direction == direction)
            .copied()
            .collect()
    }
}

fn random_member<'a>(random: &mut Random, world: &'a World) -> &'a Port {
    if random.chance(40) {
        random.pick(&world.elsewhere)
    } else {
        random.pick(&world.ports)
    }
}

impl Scripts {
    pub fn new() -> Scripts {
        Scripts {
            last: None,
            used: BTreeSet::new(),
            next: EPHEMERAL.start,
        }
    }

    /// The next script.
    pub fn next(&mut self, random: &mut Random, world: &World) -> Script {
        if let Some(last) = self.last.take()
            && world.networks > 1
            && random.chance(15)
            && let Some(script) = twin(random, world, &last)
            && self.claim(world, &script)
        {
            return script;
        }
        loop {
            let Some(scene) = scene(random, world) else {
                continue;
            };
            let script = match random.below(100) {
                0..14 => layer2::packet(random, &scene).map(|packet| single(scene.from, packet)),
                14..24 => self.loose(random, &scene),
                24..33 => self.fragments(random, &scene),
                _ => self.conversation(random, &scene),
            };
            if let Some(script) = script
                && self.claim(world, &script)
            {
                self.last = Some(script.clone());
                return script;
            }
        }
    }

    /// A port that no other connection of this run has.
    fn port(&mut self) -> u16 {
        self.next += 1;
        if !EPHEMERAL.contains(&self.next) {
            self.next = EPHEMERAL.start;
        }
        self.next
    }

    /// Takes the connections of a script; `false` if another has them.
    fn claim(&mut self, world: &World, script: &Script) -> bool {
        let mut keys = BTreeSet::new();
        for step in &script.steps {
            if let Body::Ip(ip) = &step.packet.body {
                let (a, b) = (ip.src.min(ip.dst), ip.src.max(ip.dst));
                // Some trackers know others than these by their addresses only.
                let tie = match &ip.payload {
                    Payload::Icmp { id, .. } => *id,
                    Payload::Tcp(Tcp { src, dst, .. }) | Payload::Udp { src, dst } => {
                        if EPHEMERAL.contains(src) { *src } else { *dst }
                    }
                    _ => 0,
                };
                let is_state = !matches!(
                    ip.payload,
                    Payload::Error { .. } | Payload::Neighbour { .. } | Payload::Listener { .. }
                );
                if is_state {
                    keys.insert((world.ports[step.from].network, ip.protocol(), a, b, tie));
                }
            }
        }
        if keys.iter().any(|key| self.used.contains(key)) {
            return false;
        }
        self.used.extend(keys);
        true
    }

    /// A first packet that follows some rule, or just misses it.
    fn first(&mut self, random: &mut Random, scene: &Scene<'_>) -> Option<Packet> {
        let mut rules = scene.rules(Direction::Ingress);
        if rules.is_empty() || random.chance(25) {
            rules = scene.rules(Direction::Egress);
        }
        let rule = random.any(&rules).copied().filter(|_| random.chance(80));
        let family = match rule {
            Some(rule) => rule.family,
            None => *random.pick(&Family::BOTH),
        };
        let payload = self.payload(random, family, rule.map(|rule| rule.service));
        let (mac, mut src) = scene.source(random, family)?;
        let mut dst = scene.target(random, family)?;
        if let Some(Rule {
            direction,
            remote: Remote::Prefix(net),
            ..
        }) = rule
            && random.chance(40)
        {
            let near = if random.chance(70) {
                Some(inside(random, net))
            } else {
                random.any(&edges(net)).copied()
            };
            match direction {
                Direction::Egress => dst = near.unwrap_or(dst),
                Direction::Ingress if !scene.sender().is_filtered() => src = near.unwrap_or(src),
                Direction::Ingress => {}
            }
        }
        // A packet from an address to itself has no direction that a tracker could tell.
        if src == dst {
            return None;
        }
        let to = if random.chance(90) {
            scene.receiver().mac
        } else {
            *random.pick(&scene.receiver().macs())
        };
        Some(Packet::ip(mac, to, Ip::new(src, dst, payload)))
    }

    fn payload(
        &mut self,
        random: &mut Random,
        family: Family,
        service: Option<Service>,
    ) -> Payload {
        let icmp = if family == Family::V4 { ICMP } else { ICMPV6 };
        let some =
            |random: &mut Random| *random.pick(&[TCP, UDP, icmp, SCTP, UDPLITE, DCCP, 4, 47, 112]);
        let some_port = |random: &mut Random| {
            *random.pick(&[1, 22, 53, 80, 89, 1023, 1024, 1999, 4111, 32768, 65535])
        };
        let (protocol, dst) = match service {
            Some(Service::Protocol(number)) if random.chance(85) => (number, some_port(random)),
            Some(Service::Ports { protocol, min, max }) => {
                let span = max - min;
                let middle =
                    min + u16::try_from(random.below(usize::from(span) + 1)).expect("in the range");
                let near = [
                    min,
                    max,
                    middle,
                    min.saturating_sub(1),
                    max.saturating_add(1),
                ];
                let protocol = if random.chance(92) {
                    protocol
                } else {
                    some(random)
                };
                (protocol, *random.pick(&near))
            }
            Some(Service::Icmp { kind, code }) if random.chance(90) => {
                let code = code.unwrap_or(*random.pick(&[0, 0, 3])) + u8::from(random.chance(15));
                // Answers and errors without a question are for `loose`; a question has to be one of its kind.
                let kind = if [8, 13, 128].contains(&kind) {
                    kind
                } else if family == Family::V4 {
                    8
                } else {
                    128
                };
                return Payload::Icmp {
                    kind,
                    code,
                    id: self.port(),
                };
            }
            _ => (some(random), some_port(random)),
        };
        let src = self.port();
        match protocol {
            TCP => Payload::Tcp(Tcp {
                src,
                dst,
                flags: SYN,
                seq: 1000,
                ack: 0,
            }),
            UDP => Payload::Udp { src, dst },
            SCTP => Payload::Sctp { src, dst, chunk: 1 },
            UDPLITE => Payload::UdpLite { src, dst },
            DCCP => Payload::Dccp { src, dst, kind: 0 },
            ICMP | ICMPV6 => {
                let kind = if family == Family::V4 {
                    *random.pick(&[8, 8, 13])
                } else {
                    128
                };
                Payload::Icmp {
                    kind,
                    code: 0,
                    id: src,
                }
            }
            number => Payload::Protocol(number),
        }
    }

    fn conversation(&mut self, random: &mut Random, scene: &Scene<'_>) -> Option<Script> {
        let first = self.first(random, scene)?;
        let Body::Ip(question) = first.body.clone() else {
            return None;
        };
        let there = |packet: Packet, needs_previous| Step {
            from: scene.from,
            packet,
            needs_previous,
        };
        let back = |ip: Ip, needs_previous| Step {
            from: scene.to,
            packet: Packet::ip(first.to, first.from, ip),
            needs_previous,
        };
        let mut steps = vec![there(first.clone(), false)];
        // Nobody answers across networks.
        let Some(answer) = answer(&question).filter(|_| scene.is_one_network()) else {
            return Some(Script { steps });
        };
        let needs = matches!(
            question.payload,
            Payload::Tcp(_) | Payload::Dccp { .. } | Payload::Sctp { .. }
        );
        steps.push(back(answer.clone(), false));
        if let Some(more) = more(&question) {
            steps.push(there(Packet::ip(first.from, first.to, more), needs));
        }
        if random.chance(50) && question.protocol() != SCTP && question.protocol() != DCCP {
            let about = if random.chance(70) {
                &question
            } else {
                &answer
            };
            let error = error(random, about);
            let step = if about == &question {
                back(error, needs)
            } else {
                there(Packet::ip(first.from, first.to, error), needs)
            };
            steps.push(step);
        }
        Some(Script { steps })
    }

    /// One packet that belongs to no connection, or is broken.
    fn loose(&mut self, random: &mut Random, scene: &Scene<'_>) -> Option<Script> {
        let mut packet = self.first(random, scene)?;
        if random.chance(12) && scene.sender().is_filtered() {
            packet.vlan = Some(*random.pick(&[1, 2, 100, 4094]));
            return Some(single(scene.from, packet));
        }
        let Body::Ip(ip) = &mut packet.body else {
            return None;
        };
        match &mut ip.payload {
            Payload::Tcp(tcp) => tcp.flags = *random.pick(&[SYN | ACK, RST, ACK, 0, SYN | RST]),
            Payload::Icmp { kind, .. } if random.chance(50) => {
                *kind = match *kind {
                    8 => 0,
                    13 => 14,
                    _ => 129,
                };
            }
            Payload::Udp { .. } | Payload::Icmp { .. } if random.chance(50) => ip.bad_sum = true,
            _ => {
                // Of others some tracker knows the addresses alone: it could be about another script's connection, which
                // is under way at the same time.
                let has_own = |ip: &Ip| {
                    matches!(
                        ip.payload,
                        Payload::Tcp(_) | Payload::Udp { .. } | Payload::Icmp { .. }
                    )
                };
                let about = answer(ip).filter(has_own)?;
                *ip = error(random, &about);
            }
        }
        Some(single(scene.from, packet))
    }

    fn fragments(&mut self, random: &mut Random, scene: &Scene<'_>) -> Option<Script> {
        // Whether somebody puts fragments together where nothing is tracked is a matter of the driver: `named::services`.
        if scene.is_stateless() {
            return None;
        }
        let mut packet = self.first(random, scene)?;
        let Body::Ip(ip) = &mut packet.body else {
            return None;
        };
        if !matches!(
            ip.payload,
            Payload::Udp { .. } | Payload::Icmp { .. } | Payload::Tcp(_)
        ) {
            return None;
        }
        ip.fragments = *random.pick(&[
            Fragments::Both,
            Fragments::Both,
            Fragments::Both,
            Fragments::First,
            Fragments::Second,
        ]);
        if let Payload::Tcp(tcp) = &mut ip.payload {
            tcp.flags = ACK;
        }
        Some(single(scene.from, packet))
    }
}

/// The same conversation on another network, between the ports of the same places: equal addresses and ports.
fn twin(random: &mut Random, world: &World, script: &Script) -> Option<Script> {
    let network = |n: usize| world.ports[n].network;
    let here = network(script.steps.first()?.from);
    let other = (here + 1 + random.below(world.networks - 1)) % world.networks;
    let (ours, theirs): (Vec<usize>, Vec<usize>) =
        (world.on(here).collect(), world.on(other).collect());
    let there = |n: usize| Some(theirs[ours.iter().position(|&m| m == n)?]);
    let moved = |mac: Mac| {
        let owner = ours.iter().position(|&n| world.ports[n].mac == mac);
        owner.map_or(mac, |at| world.ports[theirs[at]].mac)
    };
    let mut steps = Vec::new();
    for step in &script.steps {
        let mut step = Step {
            from: there(step.from)?,
            ..step.clone()
        };
        step.packet.from = moved(step.packet.from);
        step.packet.to = moved(step.packet.to);
        if let Body::Arp { sha, .. } = &mut step.packet.body {
            *sha = moved(*sha);
        }
        // As in `Scripts::fragments`.
        let is_fragmented =
            matches!(&step.packet.body, Body::Ip(ip) if ip.fragments != Fragments::Whole);
        if is_fragmented && theirs.iter().any(|&n| is_stateless(world, n)) {
            return None;
        }
        steps.push(step);
    }
    Some(Script { steps })
}

fn is_stateless(world: &World, n: usize) -> bool {
    let groups = &world.ports[n].groups;
    groups.iter().any(|&group| !world.groups[group].stateful)
}

fn single(from: usize, packet: Packet) -> Script {
    Script {
        steps: vec![Step {
            from,
            packet,
            needs_previous: false,
        }],
    }
}

/// Two ports of one network, at least one filtered; now and then of two networks.
fn scene<'a>(random: &mut Random, world: &'a World) -> Option<Scene<'a>> {
    let from = random.below(world.ports.len());
    let network = world.ports[from].network;
    let others: Vec<usize> = if random.chance(95) {
        world.on(network).filter(|&n| n != from).collect()
    } else {
        (0..world.ports.len())
            .filter(|&n| world.ports[n].network != network)
            .collect()
    };
    let to = *random.any(&others)?;
    let scene = Scene { world, from, to };
    let filtered = scene.sender().is_filtered() || scene.receiver().is_filtered();
    (filtered || random.chance(10)).then_some(scene)
}

/// What the receiver answers.
fn answer(question: &Ip) -> Option<Ip> {
    let payload = match question.payload.clone() {
        Payload::Tcp(t) => Payload::Tcp(Tcp {
            src: t.dst,
            dst: t.src,
            flags: SYN | ACK,
            seq: 5000,
            ack: t.seq + 1 + TCP_DATA,
        }),
        Payload::Udp { src, dst } => Payload::Udp { src: dst, dst: src },
        Payload::UdpLite { src, dst } => Payload::UdpLite { src: dst, dst: src },
        Payload::Sctp { src, dst, .. } => Payload::Sctp {
            src: dst,
            dst: src,
            chunk: 2,
        },
        Payload::Dccp { src, dst, .. } => Payload::Dccp {
            src: dst,
            dst: src,
            kind: 1,
        },
        Payload::Icmp { kind, code, id } => {
            let kind = match kind {
                8 => 0,
                13 => 14,
                128 => 129,
                _ => return None,
            };
            Payload::Icmp { kind, code, id }
        }
        Payload::Protocol(number) => Payload::Protocol(number),
        Payload::Error { .. } | Payload::Neighbour { .. } | Payload::Listener { .. } => {
            return None;
        }
    };
    Some(Ip::new(question.dst, question.src, payload))
}

/// What the sender says next.
fn more(question: &Ip) -> Option<Ip> {
    let payload = match question.payload.clone() {
        Payload::Tcp(t) => Payload::Tcp(Tcp {
            flags: ACK,
            seq: t.seq + 1 + TCP_DATA,
            ack: 5001 + TCP_DATA,
            ..t
        }),
        Payload::Sctp { .. } | Payload::Dccp { .. } => return None,
        other => other,
    };
    Some(Ip::new(question.src, question.dst, payload))
}

/// An error about a packet, from the one it was for.
fn error(random: &mut Random, about: &Ip) -> Ip {
    let (kind, code) = match about.family() {
        Family::V4 => *random.pick(&[(3, 3), (3, 1), (11, 0)]),
        Family::V6 => *random.pick(&[(1, 4), (1, 1), (3, 0), (2, 0)]),
    };
    Ip::new(
        about.dst,
        about.src,
        Payload::Error {
            kind,
            code,
            about: Box::new(about.clone()),
        },
    )
}
