//! The tables: sets, chains and rules. Their number depends on nothing but [`Shape`]; policy is elements.
//!
//! ```text
//! bridge  prerouting  -450  device → mark; ethertype; ARP and RARP senders
//! upper   prerouting  -450  zone (bridge netfilter; before defragmentation, so that fragments stay apart)
//!         prerouting  -300  stateless ports; sender's MAC and address
//!         prerouting  -150  from the VM: DHCP, neighbour discovery, state, rules
//! bridge  forward     -300  what was not allowed above goes no further; device → mark
//! upper   forward        0  to the VM: DHCP, neighbour discovery, state, rules
//! bridge  postrouting  300  what was not allowed above is not delivered; the mark is cleared
//! bridge  input, output     the same for frames to and from the host itself
//! ```
//!
//! *upper* is the inet table that bridge netfilter feeds, or the bridge table itself where that tracks connections. An
//! IP packet reaches a VM, or leaves it, only with the mark's *passed* bit, which only the upper chains set: where
//! bridge netfilter is switched off, nothing passes. Every policy is accept, and a device that is not in `vif` is not
//! ours.
//!
//! Where the kernel has no zones, all ports share one table of connections: `owners`.
//!
//! Held by `tests/firewall`.

use std::collections::BTreeSet;

use nft::chain::{Chain, Policy, hook};
use nft::data::{Register, Verdict};
use nft::expr::build::{
    accept, cmp, counter, ct_set, ct_state, drop, immediate, l4proto, lookup, map, meta, meta_set,
    payload, verdict,
};
use nft::expr::{Bitwise, CmpOp, CtKey, Expr, MetaKey, Notrack, PayloadBase, load};
use nft::message::Family as Nf;
use nft::rule::Rule;
use nft::ruleset::TableState;
use nft::set::{DataType, Set};
use nft::table::Table;

use super::{
    layout::{self, *},
    owners,
};
use crate::model::secgroup::protocol;
use crate::model::{Direction, Family};
use crate::ops::nft::{SetId, TABLE, Variant};

/// What rules depend on: the lengths of prefixes in use, and how many remote sets a profile has at most.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Shape {
    /// Remote sets per profile.
    pub slots: u16,
    /// Lengths of IPv4 prefixes in rules and remote sets.
    pub nets4: BTreeSet<u8>,
    /// Lengths of IPv6 prefixes in rules and remote sets.
    pub nets6: BTreeSet<u8>,
    /// Lengths of IPv4 prefixes that ports may use.
    pub pairs4: BTreeSet<u8>,
    /// Lengths of IPv6 prefixes that ports may use.
    pub pairs6: BTreeSet<u8>,
}

const IPV4: u16 = 0x0800;
const ARP: u16 = 0x0806;
const RARP: u16 = 0x8035;
const IPV6: u16 = 0x86dd;

const W: fn(u8) -> Register = Register::word;

/// The tables of a variant.
pub fn tables(variant: Variant, shape: &Shape) -> Vec<TableState> {
    let mut lower = Build::new(Nf::BRIDGE, variant);
    lower.sets(true);
    lower.lower(shape);
    if variant.upper() == Nf::BRIDGE {
        lower.sets(false);
        lower.upper(shape);
        return vec![lower.state];
    }
    let mut upper = Build::new(variant.upper(), variant);
    upper.sets(false);
    upper.upper(shape);
    vec![lower.state, upper.state]
}

/// The set, without elements.
pub fn set(id: SetId) -> Set {
    use DataType as T;
    let new = |fields: &[T]| Set::new(TABLE, id.name(), fields);
    match id {
        SetId::Vif => new(&[T::IFNAME]).into_map(T::MARK),
        SetId::Arp => new(&[T::MARK, T::ETHER_ADDR, T::ETHER_ADDR, T::IPV4_ADDR]),
        SetId::ArpPair => new(&[T::MARK, T::ETHER_ADDR, T::ETHER_ADDR, T::MARK, T::IPV4_ADDR]),
        SetId::Pair4 => new(&[T::MARK, T::ETHER_ADDR, T::MARK, T::IPV4_ADDR]),
        SetId::Rarp | SetId::Macs => new(&[T::MARK, T::ETHER_ADDR]),
        SetId::Bridges => new(&[T::IFNAME]),
        SetId::Owners => new(&[T::MARK, T::MARK]),
        SetId::Source4 => new(&[T::MARK, T::ETHER_ADDR, T::IPV4_ADDR]),
        SetId::Source6 => new(&[T::MARK, T::ETHER_ADDR, T::IPV6_ADDR]),
        SetId::Pair6 => new(&[T::MARK, T::ETHER_ADDR, T::MARK, T::IPV6_ADDR]),
        SetId::Slots => new(&[T::MARK, T::MARK]).into_map(T::MARK),
        SetId::Members4 => new(&[T::MARK, T::IPV4_ADDR]),
        SetId::Members6 => new(&[T::MARK, T::IPV6_ADDR]),
        SetId::Nets4 => new(&[T::MARK, T::MARK, T::IPV4_ADDR]).into_map(T::MARK),
        SetId::Nets6 => new(&[T::MARK, T::MARK, T::IPV6_ADDR]).into_map(T::MARK),
        SetId::NetMacs => new(&[T::MARK, T::ETHER_ADDR]).into_map(T::MARK),
        SetId::Pass => new(&[T::MARK, T::INET_PROTO, T::MARK]),
        SetId::Profiles => Set {
            expr: Some(counter()),
            ..new(&[T::MARK])
        },
        SetId::Remotes => new(&[T::MARK]),
    }
}

fn payload_at(base: PayloadBase, offset: u32, len: u32, to: u8) -> Expr {
    payload(base, offset, len, W(to))
}

/// Ethernet source.
fn ether_source(to: u8) -> Expr {
    payload_at(PayloadBase::LINK, 6, 6, to)
}

fn network(offset: u32, len: u32, to: u8) -> Expr {
    payload_at(PayloadBase::NETWORK, offset, len, to)
}

fn transport(offset: u32, len: u32, to: u8) -> Expr {
    payload_at(PayloadBase::TRANSPORT, offset, len, to)
}

fn eq(value: impl Into<nft::name::Bytes>) -> Expr {
    cmp(CmpOp::EQ, W(0), value)
}

/// `word[at] = word[at] & mask ^ xor`
pub(super) fn bits(at: u8, mask: &[u8], xor: &[u8]) -> Expr {
    Bitwise {
        sreg: W(at),
        dreg: W(at),
        len: u32::try_from(mask.len()).unwrap_or(u32::MAX),
        mask: Some(nft::name::Bytes::new(mask).into()),
        xor: Some(nft::name::Bytes::new(xor).into()),
        ..Bitwise::default()
    }
    .into()
}

/// The mark's bits under a mask, with others turned, in word 0.
fn mark_bits(mask: [u8; 4], xor: [u8; 4]) -> [Expr; 2] {
    [meta(MetaKey::MARK, W(0)), bits(0, &mask, &xor)]
}

/// Ends the rule unless the mark has none of these bits.
fn clear(mask: [u8; 4]) -> Vec<Expr> {
    [&mark_bits(mask, [0; 4])[..], &[eq([0; 4])]].concat()
}

/// Ends the rule unless the mark has some of these bits.
fn some(mask: [u8; 4]) -> Vec<Expr> {
    let differs = cmp(CmpOp::NEQ, W(0), [0; 4]);
    [&mark_bits(mask, [0; 4])[..], &[differs]].concat()
}

/// Ends the rule unless the device is ours; its mark in word 0.
fn device_mark(key: MetaKey) -> [Expr; 2] {
    [meta(key, W(0)), map(SetId::Vif.name(), W(0), W(0))]
}

/// Ends the rule unless the device is ours and leads to a VM.
fn vm_device(key: MetaKey) -> Vec<Expr> {
    let side = [bits(0, &NETWORK_SIDE, &[0; 4]), eq([0; 4])];
    [&device_mark(key)[..], &side].concat()
}

fn set_mark() -> Expr {
    meta_set(MetaKey::MARK, W(0))
}

fn clear_mark() -> [Expr; 2] {
    [immediate(W(0), [0; 4]), set_mark()]
}

/// Ethertype of the frame itself: a tag in front of it shows.
fn frame_type(number: u16) -> [Expr; 2] {
    let load = payload_at(PayloadBase::LINK, 12, 2, 0);
    [load, eq(number.to_be_bytes())]
}

fn packet_type(family: Family) -> [Expr; 2] {
    let number = match family {
        Family::V4 => IPV4,
        Family::V6 => IPV6,
    };
    let load = meta(MetaKey::PROTOCOL, W(0));
    [load, eq(number.to_be_bytes())]
}

/// Zone and MAC of the sender in words 0 to 2.
fn sender() -> Vec<Expr> {
    [&mark_bits(ZONE, [0; 4])[..], &[ether_source(1)]].concat()
}

/// Ends the rule unless the address that `load` puts into word 3 is the sender's.
fn sender_at(set: SetId, load: Expr) -> Vec<Expr> {
    [&sender()[..], &[load, lookup(set.name(), W(0))]].concat()
}

/// Ends the rule unless the address that `load` puts into word 4 is in a prefix of that length of the sender's.
fn sender_in(set: SetId, family: Family, length: u8, load: Expr) -> Vec<Expr> {
    let mask = netmask(family, length);
    let rest = [
        immediate(W(3), length_word(length)),
        load,
        bits(4, &mask, &vec![0; mask.len()]),
        lookup(set.name(), W(0)),
    ];
    [&sender()[..], &rest].concat()
}

/// Ends the rule unless UDP goes from one port to the other.
fn udp(from: u16, to: u16) -> Vec<Expr> {
    let [a, b] = from.to_be_bytes();
    let [c, d] = to.to_be_bytes();
    let ports = [transport(0, 4, 0), eq([a, b, c, d])];
    [&l4proto(protocol::UDP)[..], &ports].concat()
}

fn icmpv6(kind: u8) -> Vec<Expr> {
    let kind = [transport(0, 1, 0), eq([kind])];
    [&l4proto(protocol::ICMPV6)[..], &kind].concat()
}

fn goto(chain: &str) -> Expr {
    verdict(Verdict::goto(chain))
}

fn jump(chain: &str) -> Expr {
    verdict(Verdict::jump(chain))
}

fn ret() -> Expr {
    verdict(Verdict::RETURN)
}

struct Build {
    state: TableState,
    family: Nf,
    variant: Variant,
}

impl Build {
    fn new(family: Nf, variant: Variant) -> Build {
        Build {
            state: TableState::new(family, Table::new(TABLE)),
            family,
            variant,
        }
    }

    fn sets(&mut self, lower: bool) {
        for id in SetId::ALL.iter().filter(|id| id.is_lower() == lower) {
            if id.is_in(self.variant) {
                self.state.add_set(set(*id));
            }
        }
    }

    fn base(&mut self, name: &str, hook: u32, priority: i32) {
        let chain = Chain::base(TABLE, name, hook, priority, Policy::ACCEPT);
        self.state.add_chain(chain);
    }

    fn chain(&mut self, name: &str) {
        self.state.add_chain(Chain::regular(TABLE, name));
    }

    fn rule(&mut self, chain: &str, parts: &[&[Expr]]) {
        self.state.add_rule(Rule::new(TABLE, chain, parts.concat()));
    }

    fn dropped(&mut self, chain: &str, parts: &[&[Expr]], why: &str) {
        let rule = [parts.concat(), vec![counter(), drop()]].concat();
        self.state
            .add_rule(Rule::new(TABLE, chain, rule).commented(why));
    }

    fn lower(&mut self, shape: &Shape) {
        use MetaKey as M;
        for name in ["l2_port", "l2_arp", "l2_rarp", "l2_allow", "l2_to"] {
            self.chain(name);
        }
        self.base("l2_prerouting", hook::PREROUTING, -450);
        self.rule(
            "l2_prerouting",
            &[&device_mark(M::IIFNAME), &[set_mark(), goto("l2_port")]],
        );

        if let Variant::Bridge { zones: true } = self.variant {
            self.rule("l2_port", &[&clear(STATELESS), &zone()]);
        }
        self.rule("l2_port", &[&some(NETWORK_SIDE), &[accept()]]);
        self.rule("l2_port", &[&frame_type(IPV4), &[accept()]]);
        self.rule("l2_port", &[&frame_type(IPV6), &[accept()]]);
        self.rule("l2_port", &[&frame_type(ARP), &[goto("l2_arp")]]);
        self.rule("l2_port", &[&frame_type(RARP), &[goto("l2_rarp")]]);
        self.dropped("l2_port", &[], "neither IP nor ARP");

        // Sender's hardware address, then its protocol address (RFC 826).
        let speaker = [&sender()[..], &[network(8, 6, 3)]].concat();
        let one = [network(14, 4, 5), lookup(SetId::Arp.name(), W(0))];
        self.rule("l2_arp", &[&speaker, &one, &[goto("l2_allow")]]);
        for length in &shape.pairs4 {
            let mask = netmask(Family::V4, *length);
            let pair = [
                immediate(W(5), length_word(*length)),
                network(14, 4, 6),
                bits(6, &mask, &[0; 4]),
                lookup(SetId::ArpPair.name(), W(0)),
            ];
            self.rule("l2_arp", &[&speaker, &pair, &[goto("l2_allow")]]);
        }
        self.dropped("l2_arp", &[], "ARP with a foreign address");

        let known = [&sender()[..], &[lookup(SetId::Rarp.name(), W(0))]].concat();
        self.rule("l2_rarp", &[&known, &[goto("l2_allow")]]);
        self.dropped("l2_rarp", &[], "RARP with a foreign address");
        self.allow("l2_allow");

        self.base("l2_forward", hook::FORWARD, -300);
        self.dropped(
            "l2_forward",
            &[&vm_device(M::IIFNAME), &clear(PASSED)],
            "from a VM, not looked at",
        );
        self.rule(
            "l2_forward",
            &[&device_mark(M::OIFNAME), &[set_mark(), goto("l2_to")]],
        );
        self.rule("l2_forward", &[&device_mark(M::IIFNAME), &clear_mark()]);
        self.rule("l2_to", &[&some(NETWORK_SIDE), &[accept()]]);
        for number in [IPV4, IPV6, ARP] {
            self.rule("l2_to", &[&frame_type(number), &[accept()]]);
        }
        self.dropped("l2_to", &[], "neither IP nor ARP");

        self.base("l2_input", hook::INPUT, -300);
        self.dropped(
            "l2_input",
            &[&vm_device(M::IIFNAME), &clear(PASSED)],
            "from a VM, not looked at",
        );
        self.rule("l2_input", &[&device_mark(M::IIFNAME), &clear_mark()]);

        // The host itself may talk to its VMs.
        self.base("l2_output", hook::OUTPUT, -300);
        let passed = bits(0, &[0xff, 0xff, 0xdf, 0xff], &PASSED);
        self.rule(
            "l2_output",
            &[&device_mark(M::OIFNAME), &[passed, set_mark()]],
        );

        self.base("l2_postrouting", hook::POSTROUTING, 300);
        self.rule(
            "l2_postrouting",
            &[
                &vm_device(M::OIFNAME),
                &frame_type(ARP),
                &clear_mark(),
                &[accept()],
            ],
        );
        self.dropped(
            "l2_postrouting",
            &[&vm_device(M::OIFNAME), &clear(PASSED)],
            "to a VM, not looked at",
        );
        self.rule("l2_postrouting", &[&device_mark(M::OIFNAME), &clear_mark()]);
    }

    /// Sets the mark's *passed* bit and accepts.
    fn allow(&mut self, chain: &str) {
        let passed = mark_bits([0xff, 0xff, 0xdf, 0xff], PASSED);
        self.rule(chain, &[&passed, &[set_mark(), accept()]]);
    }

    /// Ends the rule unless the packet is on a bridge of ours: marks of others mean nothing.
    fn ours(&self, key: MetaKey) -> [Expr; 2] {
        match self.family {
            Nf::BRIDGE => device_mark(key),
            _ => [
                meta(MetaKey::IIFNAME, W(0)),
                lookup(SetId::Bridges.name(), W(0)),
            ],
        }
    }

    fn upper(&mut self, shape: &Shape) {
        for name in [
            "source4",
            "source6",
            "nowhere6",
            "from4",
            "from6",
            "to4",
            "to6",
            "icmp_from",
            "nd_to",
            "allow",
        ] {
            self.chain(name);
        }
        self.allow("allow");
        if !self.variant.has_zones() {
            self.claims();
        }
        let ours = self.ours(MetaKey::IIFNAME);
        if self.family != Nf::BRIDGE {
            self.base("l3_zone", hook::PREROUTING, -450);
            self.rule(
                "l3_zone",
                &[&some(PROFILE), &clear(STATELESS), &ours, &zone()],
            );
        }

        self.base("l3_source", hook::PREROUTING, -300);
        self.rule(
            "l3_source",
            &[&some(STATELESS), &ours, &[Notrack::default().into()]],
        );
        for (family, chain) in [(Family::V4, "source4"), (Family::V6, "source6")] {
            self.rule(
                "l3_source",
                &[
                    &clear(NOT_TO_JUDGE),
                    &some(PROFILE),
                    &ours,
                    &packet_type(family),
                    &[jump(chain)],
                ],
            );
        }
        self.sources(shape);

        self.base("l3_from", hook::PREROUTING, -150);
        for (family, chain) in [(Family::V4, "from4"), (Family::V6, "from6")] {
            self.rule(
                "l3_from",
                &[
                    &clear(NOT_TO_JUDGE),
                    &some(PROFILE),
                    &ours,
                    &packet_type(family),
                    &[goto(chain)],
                ],
            );
        }
        self.from(shape);

        let ours = self.ours(MetaKey::OIFNAME);
        self.base("l3_to", hook::FORWARD, 0);
        for (family, chain) in [(Family::V4, "to4"), (Family::V6, "to6")] {
            self.rule(
                "l3_to",
                &[
                    &clear(NOT_TO_JUDGE),
                    &some(PROFILE),
                    &ours,
                    &packet_type(family),
                    &[goto(chain)],
                ],
            );
        }
        self.to();

        for direction in Direction::ALL {
            for family in Family::ALL {
                self.rules(direction, family, shape);
            }
        }
    }

    /// Senders: MAC and address.
    fn sources(&mut self, shape: &Shape) {
        let known_mac = [&sender()[..], &[lookup(SetId::Macs.name(), W(0))]].concat();
        let from4 = |to| network(12, 4, to);
        let from6 = |to| network(8, 16, to);

        self.rule("source4", &[&sender_at(SetId::Source4, from4(3)), &[ret()]]);
        for length in &shape.pairs4 {
            let pair = sender_in(SetId::Pair4, Family::V4, *length, from4(4));
            self.rule("source4", &[&pair, &[ret()]]);
        }
        let unspecified = [from4(0), eq([0; 4]), network(16, 4, 0), eq([0xff; 4])];
        self.rule(
            "source4",
            &[&unspecified, &udp(68, 67), &known_mac, &[goto("allow")]],
        );
        self.dropped("source4", &[], "foreign source address");

        let unspecified = [from6(0), eq([0; 16])];
        self.rule("source6", &[&unspecified, &[goto("nowhere6")]]);
        self.rule("source6", &[&sender_at(SetId::Source6, from6(3)), &[ret()]]);
        for length in &shape.pairs6 {
            let pair = sender_in(SetId::Pair6, Family::V6, *length, from6(4));
            self.rule("source6", &[&pair, &[ret()]]);
        }
        self.dropped("source6", &[], "foreign source address");
        let to_link = [network(24, 2, 0), eq([0xff, 0x02])];
        for kind in [131, 135, 143] {
            self.rule(
                "nowhere6",
                &[&to_link, &icmpv6(kind), &known_mac, &[goto("allow")]],
            );
        }
        self.dropped("nowhere6", &[], "unspecified source address");
    }

    fn state(&mut self, chain: &str, direction: Direction) {
        let passes = ct_state(load::state::ESTABLISHED | load::state::RELATED);
        if !self.variant.has_zones() {
            for (way, end) in owners::ends(direction) {
                let owned = [&passes[..], &owners::goes(way), &owners::is_owned(end)].concat();
                self.rule(chain, &[&owned, &[goto("allow")]]);
            }
            let related = ct_state(load::state::RELATED);
            self.dropped(chain, &[&related], "about a connection of others");
        } else {
            self.rule(chain, &[&passes, &[goto("allow")]]);
        }
        self.dropped(chain, &[&ct_state(load::state::INVALID)], "invalid state");
    }

    /// The chain for what may pass a port as the first packet of a connection.
    fn admit(&self, direction: Direction) -> &'static str {
        match direction {
            _ if self.variant.has_zones() => "allow",
            Direction::Egress => "admit_egress",
            Direction::Ingress => "admit_ingress",
        }
    }

    /// Where there are no zones, a connection is its first port's at either end.
    fn claims(&mut self) {
        for (direction, device) in [
            (Direction::Egress, MetaKey::IIFNAME),
            (Direction::Ingress, MetaKey::OIFNAME),
        ] {
            let chain = self.admit(direction);
            self.chain(chain);
            for (way, end) in owners::ends(direction) {
                self.rule(chain, &[&owners::claim(way, end, device)]);
            }
            self.rule(chain, &[&[goto("allow")]]);
        }
    }

    fn from(&mut self, shape: &Shape) {
        let admit = self.admit(Direction::Egress);
        self.rule("from4", &[&udp(68, 67), &[goto(admit)]]);
        self.dropped("from4", &[&udp(67, 68)], "DHCP server");
        self.state("from4", Direction::Egress);
        self.rule(
            "from4",
            &[&[goto(&rules_chain(Direction::Egress, Family::V4))]],
        );

        self.rule("from6", &[&l4proto(protocol::ICMPV6), &[goto("icmp_from")]]);
        self.rule("from6", &[&udp(546, 547), &[goto(admit)]]);
        self.dropped("from6", &[&udp(547, 546)], "DHCPv6 server");
        self.state("from6", Direction::Egress);
        self.rule(
            "from6",
            &[&[goto(&rules_chain(Direction::Egress, Family::V6))]],
        );

        // From an address of the port it needs no rule, whatever the state of a connection.
        self.dropped("icmp_from", &[&icmpv6(134)], "router advertisement");
        let target = |to| transport(8, 16, to);
        let own = sender_at(SetId::Source6, target(3));
        self.rule("icmp_from", &[&icmpv6(136), &own, &[goto("allow")]]);
        for length in &shape.pairs6 {
            let pair = sender_in(SetId::Pair6, Family::V6, *length, target(4));
            self.rule("icmp_from", &[&icmpv6(136), &pair, &[goto("allow")]]);
        }
        self.dropped(
            "icmp_from",
            &[&icmpv6(136)],
            "foreign neighbour advertisement",
        );
        self.rule("icmp_from", &[&[goto(admit)]]);
    }

    fn to(&mut self) {
        let admit = self.admit(Direction::Ingress);
        self.rule("to4", &[&udp(67, 68), &[goto(admit)]]);
        self.state("to4", Direction::Ingress);
        self.rule(
            "to4",
            &[&[goto(&rules_chain(Direction::Ingress, Family::V4))]],
        );

        self.rule("to6", &[&l4proto(protocol::ICMPV6), &[jump("nd_to")]]);
        self.rule("to6", &[&udp(547, 546), &[goto(admit)]]);
        self.state("to6", Direction::Ingress);
        self.rule(
            "to6",
            &[&[goto(&rules_chain(Direction::Ingress, Family::V6))]],
        );
        for kind in [130, 134, 135, 136] {
            self.rule("nd_to", &[&icmpv6(kind), &[goto("allow")]]);
        }
    }

    /// What a profile's rules allow: from any source, then for each source that the remote end is.
    fn rules(&mut self, direction: Direction, family: Family, shape: &Shape) {
        let chain = rules_chain(direction, family);
        let service = service_chain(direction, family);
        self.chain(&chain);
        self.chain(&service);
        let remote = |to| match (direction, family) {
            (Direction::Ingress, Family::V4) => network(12, 4, to),
            (Direction::Egress, Family::V4) => network(16, 4, to),
            (Direction::Ingress, Family::V6) => network(8, 16, to),
            (Direction::Egress, Family::V6) => network(24, 16, to),
        };
        let (members, nets, lengths) = match family {
            Family::V4 => (SetId::Members4, SetId::Nets4, &shape.nets4),
            Family::V6 => (SetId::Members6, SetId::Nets6, &shape.nets6),
        };
        let profile = mark_bits(PROFILE, [0; 4]);
        let tried = [set_mark(), jump(&service)];

        self.rule(&chain, &[&mark_bits(NO_ZONE, [0; 4]), &tried]);
        for index in 1..=shape.slots {
            // The map's value is the mark with the set as its source.
            let set = [
                immediate(W(1), u32::from(index).to_ne_bytes()),
                map(SetId::Slots.name(), W(0), W(0)),
                set_mark(),
            ];
            let is_member = [remote(1), lookup(members.name(), W(0)), jump(&service)];
            self.rule(
                &chain,
                &[&profile, &set, &mark_bits(ZONE, [0; 4]), &is_member],
            );
        }
        for length in lengths {
            let mask = netmask(family, *length);
            let is_in = [
                immediate(W(1), length_word(*length)),
                remote(2),
                bits(2, &mask, &vec![0; mask.len()]),
                map(nets.name(), W(0), W(0)),
            ];
            self.rule(&chain, &[&profile, &is_in, &tried]);
        }
        let at = match direction {
            Direction::Ingress => 6,
            Direction::Egress => 0,
        };
        let is_mac = [
            payload_at(PayloadBase::LINK, at, 6, 1),
            map(SetId::NetMacs.name(), W(0), W(0)),
        ];
        self.rule(&chain, &[&profile, &is_mac, &tried]);
        let counted = [lookup(SetId::Profiles.name(), W(0)), drop()];
        self.rule(&chain, &[&profile, &counted]);
        self.dropped(&chain, &[], "unknown profile");
        self.services(&service, direction, family);
    }

    /// Whether protocol and ports are allowed for the source in the mark.
    fn services(&mut self, chain: &str, direction: Direction, family: Family) {
        let ranges = format!("{chain}_ranges");
        self.chain(&ranges);
        let context = mark_bits(CONTEXT, [0, 0, layout::tag(direction, family), 0]);
        let number = meta(MetaKey::L4PROTO, W(1));
        let found = lookup(SetId::Pass.name(), W(0));
        let passes = [found.clone(), goto(self.admit(direction))];
        let level = |level: u8| immediate(W(2), [0, 0, level, 0]);
        let at = |offset, mask: [u8; 4], level: u8| {
            [transport(offset, 4, 2), bits(2, &mask, &[0, 0, level, 0])]
        };

        self.rule(
            chain,
            &[
                &context,
                &[immediate(W(1), [0; 4]), level(ANY_PROTOCOL)],
                &passes,
            ],
        );
        self.rule(chain, &[&context, &[number.clone(), level(0)], &passes]);
        let one = at(2, [0xff, 0xff, 0, 0], ONE_PORT);
        self.rule(
            chain,
            &[&context, std::slice::from_ref(&number), &one, &passes],
        );
        self.rule(
            chain,
            &[
                &context,
                &[number.clone(), level(HAS_RANGES), found, jump(&ranges)],
            ],
        );
        let icmp = match family {
            Family::V4 => protocol::ICMP,
            Family::V6 => protocol::ICMPV6,
        };
        let kind = at(0, [0xff, 0, 0, 0], ICMP_TYPE);
        let code = at(0, [0xff, 0xff, 0, 0], ICMP_CODE);
        for selector in [kind, code] {
            self.rule(
                chain,
                &[
                    &l4proto(icmp),
                    &context,
                    std::slice::from_ref(&number),
                    &selector,
                    &passes,
                ],
            );
        }
        for length in BLOCKS {
            let [hi, lo] = (u16::MAX << (16 - length)).to_be_bytes();
            let block = at(2, [hi, lo, 0, 0], length);
            self.rule(
                &ranges,
                &[&context, std::slice::from_ref(&number), &block, &passes],
            );
        }
    }
}

/// Puts the packet's connection into the zone of its port. A packet that has a zone cannot be exempt from tracking any
/// more.
fn zone() -> [Expr; 2] {
    [meta(MetaKey::MARK, W(0)), ct_set(CtKey::ZONE, W(0))]
}

fn rules_chain(direction: Direction, family: Family) -> String {
    format!("rules_{}_{}", direction.name(), family.name())
}

fn service_chain(direction: Direction, family: Family) -> String {
    format!("service_{}_{}", direction.name(), family.name())
}
