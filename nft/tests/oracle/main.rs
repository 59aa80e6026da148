//! Differential encoding: the same table, chain, set and rules made by libnftnl (through the
//! `nftnl` crate) and by this crate are the same attributes. Feature `oracle-nftnl`; needs
//! libnftnl-dev and libmnl-dev, no privilege and no kernel.

mod reread;
#[path = "../kernel/expressions/table/mod.rs"]
#[allow(dead_code, reason = "the tests against a kernel need more of it")]
mod table;
#[path = "../tree/mod.rs"]
mod tree;

use std::ffi::CString;
use std::net::Ipv4Addr;

use nft::attr::Value;
use nft::chain::{Chain, Policy, hook};
use nft::data::{Register, Verdict};
use nft::element::{Element, Elements};
use nft::expr::build;
use nft::expr::{self as ours, Expr, MetaKey};
use nft::message::{Body, Family, Message, Op};
use nft::rule::Rule;
use nft::wire::{Flags, Frames, Writer};
use nftnl::expr::{
    Bitwise, Cmp, CmpOp, Conntrack, Counter, Expression, IcmpCode, Immediate, Ipv4HeaderField,
    Ipv6HeaderField, LLHeaderField, Lookup, Masquerade, Meta, Nat, NatType, NetworkHeaderField,
    Payload, RejectionType, TcpHeaderField, TransportHeaderField, UdpHeaderField,
};
use nftnl::{MsgType, ProtoFamily};
use tree::tree;

const R1: Register = Register::R1;
const R2: Register = Register::R2;

/// The messages of a libnftnl batch without begin and end.
fn messages(batch: nftnl::Batch) -> Vec<Vec<u8>> {
    let finalized = batch.finalize();
    let bytes: Vec<u8> = finalized.iter().flatten().copied().collect();
    Frames::new(&bytes)
        .map(|frame| frame.expect("libnftnl frames"))
        .filter(|frame| frame.header.kind >> 8 == 10)
        .map(|frame| frame.bytes.to_vec())
        .collect()
}

/// Both as trees, and the decoded value of libnftnl's bytes.
fn compare(theirs: &[u8], op: Op, family: Family, body: impl Into<Body>, about: &str) {
    let message = Message::request(op, family, Flags::default(), body);
    let mut w = Writer::new();
    message.encode(&mut w);
    let ours = Frames::new(w.bytes()).next().unwrap().unwrap();
    let theirs = Frames::new(theirs).next().unwrap().unwrap();
    assert_eq!(tree(theirs.payload), tree(ours.payload), "{about}");
    assert_eq!(
        Message::decode(&theirs).unwrap().body,
        message.body,
        "{about}"
    );
}

type Pair = (&'static str, Box<dyn Expression>, Expr);

trait AnyExpression {
    fn add_to(&self, rule: &mut nftnl::Rule<'_>);
}

/// The trait of nftnl is not usable through a box; this is.
struct Shim<'a>(&'a dyn Expression);

impl Expression for Shim<'_> {
    fn to_expr(&self, rule: &nftnl::Rule<'_>) -> std::ptr::NonNull<nftnl::nftnl_sys::nftnl_expr> {
        self.0.to_expr(rule)
    }
}

impl AnyExpression for Box<dyn Expression> {
    fn add_to(&self, rule: &mut nftnl::Rule<'_>) {
        rule.add_expr(&Shim(self.as_ref()));
    }
}

fn pairs() -> Vec<Pair> {
    let mut list: Vec<Pair> = Vec::new();
    let mut pair =
        |about, theirs: Box<dyn Expression>, ours: Expr| list.push((about, theirs, ours));
    let metas = [
        ("protocol", Meta::Protocol, MetaKey::PROTOCOL),
        ("mark", Meta::Mark { set: false }, MetaKey::MARK),
        ("iif", Meta::Iif, MetaKey::IIF),
        ("oif", Meta::Oif, MetaKey::OIF),
        ("iifname", Meta::IifName, MetaKey::IIFNAME),
        ("oifname", Meta::OifName, MetaKey::OIFNAME),
        ("iiftype", Meta::IifType, MetaKey::IIFTYPE),
        ("oiftype", Meta::OifType, MetaKey::OIFTYPE),
        ("skuid", Meta::SkUid, MetaKey::SKUID),
        ("skgid", Meta::SkGid, MetaKey::SKGID),
        ("nfproto", Meta::NfProto, MetaKey::NFPROTO),
        ("l4proto", Meta::L4Proto, MetaKey::L4PROTO),
        ("cgroup", Meta::Cgroup, MetaKey::CGROUP),
        ("random", Meta::PRandom, MetaKey::PRANDOM),
    ];
    for (about, theirs, key) in metas {
        pair(about, Box::new(theirs), build::meta(key, R1));
    }
    pair(
        "mark set",
        Box::new(Meta::Mark { set: true }),
        build::meta_set(MetaKey::MARK, R1),
    );
    let bases = [
        (
            Payload::LinkLayer(LLHeaderField::Saddr),
            ours::PayloadBase::LINK,
            6,
            6,
        ),
        (
            Payload::LinkLayer(LLHeaderField::EtherType),
            ours::PayloadBase::LINK,
            12,
            2,
        ),
        (
            Payload::Network(NetworkHeaderField::Ipv4(Ipv4HeaderField::Saddr)),
            ours::PayloadBase::NETWORK,
            12,
            4,
        ),
        (
            Payload::Network(NetworkHeaderField::Ipv6(Ipv6HeaderField::Daddr)),
            ours::PayloadBase::NETWORK,
            24,
            16,
        ),
        (
            Payload::Transport(TransportHeaderField::Tcp(TcpHeaderField::Dport)),
            ours::PayloadBase::TRANSPORT,
            2,
            2,
        ),
        (
            Payload::Transport(TransportHeaderField::Udp(UdpHeaderField::Sport)),
            ours::PayloadBase::TRANSPORT,
            0,
            2,
        ),
    ];
    for (theirs, base, offset, len) in bases {
        pair(
            "payload",
            Box::new(theirs),
            build::payload(base, offset, len, R1),
        );
    }
    let operators = [
        (CmpOp::Eq, ours::CmpOp::EQ),
        (CmpOp::Neq, ours::CmpOp::NEQ),
        (CmpOp::Lt, ours::CmpOp::LT),
        (CmpOp::Lte, ours::CmpOp::LTE),
        (CmpOp::Gt, ours::CmpOp::GT),
        (CmpOp::Gte, ours::CmpOp::GTE),
    ];
    for (theirs, op) in operators {
        let bytes: &[u8] = &[10, 0, 0, 1, 7];
        pair(
            "cmp",
            Box::new(Cmp::new(theirs, bytes)),
            build::cmp(op, R1, bytes),
        );
    }
    let (mask, xor): (&[u8], &[u8]) = (&[0xff, 0, 0xf0], &[0, 1, 2]);
    let bitwise = ours::Bitwise {
        sreg: R1,
        dreg: R1,
        len: 3,
        mask: Some(mask.into()),
        xor: Some(xor.into()),
        ..Default::default()
    };
    pair("bitwise", Box::new(Bitwise::new(mask, xor)), bitwise.into());
    pair("counter", Box::new(Counter), build::counter());
    pair(
        "ct state",
        Box::new(Conntrack::State),
        build::ct(ours::CtKey::STATE, R1),
    );
    pair(
        "ct status",
        Box::new(Conntrack::Status),
        build::ct(ours::CtKey::STATUS, R1),
    );
    pair(
        "ct mark",
        Box::new(Conntrack::Mark { set: false }),
        build::ct(ours::CtKey::MARK, R1),
    );
    pair(
        "ct mark set",
        Box::new(Conntrack::Mark { set: true }),
        build::ct_set(ours::CtKey::MARK, R1),
    );
    pair(
        "immediate",
        Box::new(Immediate::new(7_u32, nftnl::expr::Register::Reg2)),
        build::immediate(R2, 7_u32.to_ne_bytes()),
    );
    let chain = || CString::new("other").unwrap();
    let verdicts = [
        (nftnl::expr::Verdict::Accept, Verdict::ACCEPT),
        (nftnl::expr::Verdict::Drop, Verdict::DROP),
        (nftnl::expr::Verdict::Return, Verdict::RETURN),
        (nftnl::expr::Verdict::Continue, Verdict::CONTINUE),
        (
            nftnl::expr::Verdict::Jump { chain: chain() },
            Verdict::jump("other"),
        ),
        (
            nftnl::expr::Verdict::Goto { chain: chain() },
            Verdict::goto("other"),
        ),
    ];
    for (theirs, verdict) in verdicts {
        pair("verdict", Box::new(theirs), build::verdict(verdict));
    }
    pair(
        "masquerade",
        Box::new(Masquerade),
        ours::Masq::default().into(),
    );
    pair(
        "nat",
        Box::new(Nat {
            nat_type: NatType::DNat,
            family: ProtoFamily::Ipv4,
            ip_register: nftnl::expr::Register::Reg1,
            port_register: Some(nftnl::expr::Register::Reg2),
        }),
        ours::Nat {
            kind: ours::NatType::DNAT,
            family: 2,
            addr_min: Some(R1),
            proto_min: Some(R2),
            ..Default::default()
        }
        .into(),
    );
    pair(
        "reject",
        Box::new(nftnl::expr::Verdict::Reject(RejectionType::Icmp(
            IcmpCode::PortUnreach,
        ))),
        ours::Reject {
            kind: ours::RejectType::ICMPX_UNREACH,
            code: Some(1),
            ..Default::default()
        }
        .into(),
    );
    list
}

#[test]
fn every_expression_of_libnftnl_is_encoded_the_same() {
    let table = nftnl::Table::new(c"t", ProtoFamily::Inet);
    let chain = nftnl::Chain::new(c"c", &table);
    let pairs = pairs();
    assert!(pairs.len() >= 40, "{}", pairs.len());
    for (about, theirs, ours) in &pairs {
        let mut rule = nftnl::Rule::new(&chain);
        theirs.add_to(&mut rule);
        let mut batch = nftnl::Batch::new();
        batch.add(&rule, MsgType::Add);
        let theirs = messages(batch);
        let ours = Rule::new("t", "c", vec![ours.clone()]);
        compare(&theirs[0], Op::NEW_RULE, Family::INET, ours, about);
    }
    // All of them in one rule, with a comment.
    let mut rule = nftnl::Rule::new(&chain);
    pairs
        .iter()
        .for_each(|(_, theirs, _)| theirs.add_to(&mut rule));
    rule.set_comment(c"who").unwrap();
    let mut batch = nftnl::Batch::new();
    batch.add(&rule, MsgType::Add);
    let expressions = pairs.into_iter().map(|pair| pair.2).collect();
    let ours = Rule::new("t", "c", expressions).commented("who");
    compare(&messages(batch)[0], Op::NEW_RULE, Family::INET, ours, "all");
}

#[test]
fn tables_chains_and_sets_are_encoded_the_same() {
    let table = nftnl::Table::new(c"t", ProtoFamily::Inet);
    let mut chain = nftnl::Chain::new(c"c", &table);
    chain.set_hook(nftnl::Hook::Forward, -5);
    chain.set_policy(nftnl::Policy::Drop);
    chain.set_type(nftnl::ChainType::Filter);
    let mut batch = nftnl::Batch::new();
    batch.add(&table, MsgType::Add);
    batch.add(&chain, MsgType::Add);
    let theirs = messages(batch);
    let ours = nft::table::Table::new("t");
    compare(&theirs[0], Op::NEW_TABLE, Family::INET, ours, "table");
    let ours = Chain::base("t", "c", hook::FORWARD, -5, Policy::DROP);
    compare(&theirs[1], Op::NEW_CHAIN, Family::INET, ours, "chain");

    let addresses = [Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)];
    let mut set = nftnl::set::Set::new(c"s", 3, &table, ProtoFamily::Inet);
    addresses.iter().for_each(|address| set.add(address));
    let mut rule = nftnl::Rule::new(&chain);
    rule.add_expr(&Lookup::new(&set));
    let mut batch = nftnl::Batch::new();
    batch.add_iter(set.elems_iter(), MsgType::Add);
    batch.add(&rule, MsgType::Add);
    let theirs = messages(batch);
    let list = addresses
        .iter()
        .map(|address| Element::key(*address))
        .collect();
    let ours = Elements {
        set_id: Some(3),
        ..Elements::new("t", "s", list)
    };
    compare(&theirs[0], Op::NEW_SETELEM, Family::INET, ours, "elements");
    let lookup = ours::Lookup {
        set: "s".into(),
        set_id: Some(3),
        sreg: R1,
        ..Default::default()
    };
    let ours = Rule::new("t", "c", vec![lookup.into()]);
    compare(&theirs[1], Op::NEW_RULE, Family::INET, ours, "lookup");
    let mut w = Writer::new();
    Element::key(addresses[0]).encode(&mut w);
    assert_eq!(w.len(), 12, "an element of an address");
}
