//! The table: what `nft` is asked for, and the expressions this crate makes for the same.

mod action;
mod bridge;
mod metadata;
mod other;
mod packet;
mod state;
mod tracking;

use core::net::{Ipv4Addr, Ipv6Addr};

use nft::data::{Data, Register, Verdict};
use nft::element::{Element, interval};
use nft::expr::build::*;
use nft::expr::load::state as ct_bits;
use nft::expr::*;
use nft::message::Family;
use nft::object::ObjectType;
use nft::rule::{OwnedRule, Rule};
use nft::set::{DataType, Set, SetFlags};

/// What `nft` has to say about a case.
pub enum Witness {
    /// It compiles this text to the same.
    Compiles(&'static str),
    /// It compiles this text to the same, but lists it by a name that only the host knows, or as broken JSON.
    CompilesUnlisted(&'static str),
    /// It has no text for it, but prints the same instructions of what was written.
    Prints(&'static str),
    /// It does not know the expression, or misprints it: only the kernel's own dump is compared. The reason.
    Silent(&'static str, &'static str),
}

impl Witness {
    /// What the case is called.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Compiles(name)
            | Self::CompilesUnlisted(name)
            | Self::Prints(name)
            | Self::Silent(name, _) => name,
        }
    }
}

/// One row.
pub struct Case {
    pub family: Family,
    /// Base chain hook, for example `type nat hook prerouting priority -100`; empty for a regular
    /// chain.
    pub hook: &'static str,
    pub witness: Witness,
    pub build: Box<dyn Fn() -> OwnedRule>,
}

/// All rows.
pub fn cases() -> Vec<Case> {
    let mut list = Vec::new();
    packet::cases(&mut list);
    metadata::cases(&mut list);
    tracking::cases(&mut list);
    state::cases(&mut list);
    action::cases(&mut list);
    other::cases(&mut list);
    bridge::cases(&mut list);
    list
}

fn case(
    family: Family,
    hook: &'static str,
    witness: Witness,
    build: impl Fn() -> OwnedRule + 'static,
) -> Case {
    Case {
        family,
        hook,
        witness,
        build: Box::new(build),
    }
}

fn nft(
    family: Family,
    hook: &'static str,
    text: &'static str,
    build: impl Fn() -> OwnedRule + 'static,
) -> Case {
    case(family, hook, Witness::Compiles(text), build)
}

/// What both chains need: named objects and sets, and the chains themselves.
pub fn prelude(case: &Case) -> String {
    let family = case.family.name().unwrap();
    let hook = if case.hook.is_empty() {
        String::new()
    } else {
        format!("{{ {}; }}", case.hook)
    };
    let address = if case.family == Family::IPV6 {
        "ipv6_addr"
    } else {
        "ipv4_addr"
    };
    format!(
        "add table {family} t
         add chain {family} t other
         add chain {family} t ours {hook}
         add chain {family} t theirs {hook}
         add set {family} t addresses {{ type {address}; }}
         add set {family} t pairs {{ type ipv4_addr . ether_addr; }}
         add set {family} t dyn {{ type ipv4_addr; flags dynamic,timeout; timeout 1m; }}
         add map {family} t dynmap {{ type ipv4_addr : inet_service; flags dynamic,timeout; timeout 1m; }}
         add set {family} t conns {{ type ipv4_addr; flags dynamic; }}
         add map {family} t zones {{ type ifname : mark; }}
         add map {family} t ctzones {{ typeof iifname : ct zone; }}
         add map {family} t verdicts {{ type ifname : verdict; }}
         add map {family} t services {{ type inet_proto . inet_service : verdict; flags interval; }}
         add map {family} t nats {{ type ipv4_addr : ipv4_addr; }}
         add map {family} t counters {{ type ipv4_addr : counter; }}
         add counter {family} t cnt
         add quota {family} t quo {{ over 10 mbytes }}
         add limit {family} t lim {{ rate 10/second }}
        "
    )
}

const IN: &str = "type filter hook input priority 0";
const PRE: &str = "type filter hook prerouting priority -300";
const FWD: &str = "type filter hook forward priority 0";
const DNAT: &str = "type nat hook prerouting priority -100";
const LO: &str = "type filter hook ingress device \"lo\" priority 0";
const SNAT: &str = "type nat hook postrouting priority 100";

const R1: Register = Register::R1;
const R2: Register = Register::R2;

fn rule(expressions: Vec<Expr>) -> OwnedRule {
    OwnedRule::from(Rule::new("t", "ours", expressions))
}

fn join(parts: &[&[Expr]]) -> Vec<Expr> {
    parts.iter().flat_map(|part| part.iter().cloned()).collect()
}

fn cat(parts: Vec<Vec<Expr>>) -> OwnedRule {
    rule(parts.into_iter().flatten().collect())
}

/// A lookup in an anonymous set placed after `before`.
fn with_set(
    before: Vec<Expr>,
    set: Set,
    elements: Vec<Element>,
    dreg: Option<Register>,
    after: Vec<Expr>,
) -> OwnedRule {
    let mut owned = rule(before);
    let (name, id) = owned.add_set(set, elements);
    let lookup = Lookup {
        set: name,
        set_id: Some(id),
        sreg: R1,
        dreg,
        ..Lookup::default()
    };
    owned.rule.expressions.push(lookup.into());
    owned.rule.expressions.extend(after);
    owned
}

fn tcp() -> Vec<Expr> {
    l4proto(6).to_vec()
}

fn udp() -> Vec<Expr> {
    l4proto(17).to_vec()
}

fn v4() -> Vec<Expr> {
    nfproto(NFPROTO_IPV4).to_vec()
}

fn v6() -> Vec<Expr> {
    nfproto(NFPROTO_IPV6).to_vec()
}

/// Loads the IPv4 source.
fn saddr() -> Expr {
    payload(PayloadBase::NETWORK, 12, 4, R1)
}

/// Loads two bytes of the transport header.
fn th(offset: u32) -> Expr {
    payload(PayloadBase::TRANSPORT, offset, 2, R1)
}

fn ports(elements: &[u16]) -> (Set, Vec<Element>) {
    let set = Set::new("t", "", &[DataType::INET_SERVICE]);
    let keys = elements.iter().map(|port| Element::key(port.to_be_bytes()));
    (set, keys.collect())
}

fn mark(value: u32) -> [u8; 4] {
    value.to_ne_bytes()
}
