//! The table: nft text, and the expressions this crate makes for it.

use core::net::{Ipv4Addr, Ipv6Addr};

use nft::data::{Data, Register, Verdict};
use nft::element::{Element, ElementFlags};
use nft::expr::build::*;
use nft::expr::load::state;
use nft::expr::*;
use nft::message::Family;
use nft::name::Name;
use nft::object::ObjectType;
use nft::rule::{OwnedRule, Rule};
use nft::set::{DataType, Set, SetFlags};

/// One row.
pub struct Case {
    pub family: Family,
    /// Base chain hook, for example `type nat hook prerouting priority -100`; empty for a regular
    /// chain.
    pub hook: &'static str,
    pub text: &'static str,
    pub build: Box<dyn Fn() -> OwnedRule>,
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
         add map {family} t zones {{ type ifname : mark; }}
         add map {family} t verdicts {{ type ifname : verdict; }}
         add map {family} t nats {{ type ipv4_addr : ipv4_addr; }}
         add counter {family} t cnt
         add quota {family} t quo {{ over 10 mbytes }}
         add limit {family} t lim {{ rate 10/second }}
        "
    )
}

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
    owned.rule.expressions.push(
        Lookup {
            set: name,
            set_id: Some(id),
            sreg: Register::R1,
            dreg,
            ..Lookup::default()
        }
        .into(),
    );
    owned.rule.expressions.extend(after);
    owned
}

const R1: Register = Register::R1;
const R2: Register = Register::R2;

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

fn ports(elements: &[u16]) -> (Set, Vec<Element>) {
    let set = Set::new("t", "", &[DataType::INET_SERVICE]);
    (
        set,
        elements
            .iter()
            .map(|port| Element::key(port.to_be_bytes()))
            .collect(),
    )
}

/// All rows.
pub fn cases() -> Vec<Case> {
    let mut list: Vec<Case> = Vec::new();
    macro_rules! case {
        ($family:ident, $hook:expr, $text:expr, $build:expr) => {
            list.push(Case {
                family: Family::$family,
                hook: $hook,
                text: $text,
                build: Box::new(|| $build),
            })
        };
    }
    const IN: &str = "type filter hook input priority 0";
    const PRE: &str = "type filter hook prerouting priority -300";
    const FWD: &str = "type filter hook forward priority 0";
    const DNAT: &str = "type nat hook prerouting priority -100";
    const SNAT: &str = "type nat hook postrouting priority 100";

    // Addresses and families.
    case!(INET, "", "ip saddr 192.0.2.1", cat(vec![v4(), ip_saddr(Ipv4Addr::new(192, 0, 2,
        1)).to_vec()]));
    case!(INET, "", "ip daddr 192.0.2.1", cat(vec![v4(), ip_daddr(Ipv4Addr::new(192, 0, 2,
        1)).to_vec()]));
    case!(IPV4, "", "ip saddr 192.0.2.1", rule(ip_saddr(Ipv4Addr::new(192, 0, 2, 1)).to_vec()));
    case!(INET, "", "ip saddr 10.1.0.0/16", cat(vec![v4(), prefix(12, &[10, 1, 0, 0], 16)]));
    case!(INET, "", "ip saddr 10.1.16.0/20", cat(vec![v4(), prefix(12, &[10, 1, 16, 0], 20)]));
    case!(INET, "", "ip6 saddr 2001:db8::1", cat(vec![v6(),
        ip6_saddr("2001:db8::1".parse::<Ipv6Addr>().unwrap()).to_vec()]));
    case!(INET, "", "ip6 daddr 2001:db8::/32", cat(vec![v6(), prefix(24,
        &"2001:db8::".parse::<Ipv6Addr>().unwrap().octets(), 32)]));
    case!(INET, "", "ip saddr != 192.0.2.1", cat(vec![v4(), vec![payload(PayloadBase::NETWORK,
        12, 4, R1), cmp(CmpOp::NEQ, R1, [192, 0, 2, 1])]]));
    case!(INET, "", "ip saddr @addresses accept", cat(vec![v4(),
        vec![payload(PayloadBase::NETWORK, 12, 4, R1), lookup("addresses", R1), accept()]]));
    case!(INET, "", "ip saddr != @addresses drop", cat(vec![v4(),
        vec![payload(PayloadBase::NETWORK, 12, 4, R1), Lookup { set: "addresses".into(),
        sreg: R1, flags: LookupFlags::INVERT, ..Lookup::default() } .into(), drop()]]));
    case!(INET, "", "ip frag-off & 0x1fff != 0", cat(vec![v4(),
        vec![payload(PayloadBase::NETWORK, 6, 2, R1), mask(&[0x1f, 0xff]), cmp(CmpOp::NEQ, R1,
        [0, 0])]]));
    case!(INET, "", "ip ttl > 64", cat(vec![v4(), vec![payload(PayloadBase::NETWORK, 8, 1, R1),
        cmp(CmpOp::GT, R1, [64])]]));
    case!(INET, "", "ip ttl < 64", cat(vec![v4(), vec![payload(PayloadBase::NETWORK, 8, 1, R1),
        cmp(CmpOp::LT, R1, [64])]]));

    // Transport.
    case!(INET, "", "tcp dport 22 accept", cat(vec![tcp(), dport(22, 22), vec![accept()]]));
    case!(INET, "", "udp sport 53", cat(vec![udp(), sport(53, 53)])); case!(INET, "",
        "tcp dport 1000-2000", cat(vec![tcp(), dport(1000, 2000)]));
    case!(INET, "", "tcp dport != 1000-2000", cat(vec![tcp(),
        vec![payload(PayloadBase::TRANSPORT, 2, 2, R1), Range { sreg: R1, op: RangeOp::NEQ,
        from: Data::from(1000_u16.to_be_bytes()), to: Data::from(2000_u16.to_be_bytes()),
        ..Range::default() } .into()]]));
    case!(INET, "", "tcp dport { 22, 80 } accept", { let (set, elements) = ports(&[22,
        80]); with_set(join(&[&tcp(), &[payload(PayloadBase::TRANSPORT, 2, 2, R1)]]), set,
        elements, None, vec![accept()]) }); case!(INET, "", "udp dport { 100-200, 5000 }",
        { let set = Set::new("t", "",
        &[DataType::INET_SERVICE]).with_flags(SetFlags::INTERVAL); let mut elements = vec![Element::end([0,
        0])]; elements.extend(nft::element::interval(&100_u16.to_be_bytes(),
        &200_u16.to_be_bytes())); elements.extend(nft::element::interval(&5000_u16.to_be_bytes(),
        &5000_u16.to_be_bytes())); with_set(join(&[&udp(), &[payload(PayloadBase::TRANSPORT, 2,
        2, R1)]]), set, elements, None, vec![]) }); case!(INET, "", "meta l4proto { tcp, udp }",
        { let set = Set::new("t", "",
        &[DataType::INET_PROTO]); with_set(vec![meta(MetaKey::L4PROTO, R1)], set,
        vec![Element::key([6]), Element::key([17])], None, vec![]) }); case!(INET, "",
        "tcp flags & (syn | ack) == syn", cat(vec![tcp(), vec![payload(PayloadBase::TRANSPORT,
        13, 1, R1), mask(&[0x12]), eq([2])]]));
    case!(INET, "", "icmp type echo-request", cat(vec![v4(), l4proto(1).to_vec(),
        vec![payload(PayloadBase::TRANSPORT, 0, 1, R1), eq([8])]]));
    case!(INET, "", "icmpv6 type nd-neighbor-solicit", cat(vec![v6(), l4proto(58).to_vec(),
        vec![payload(PayloadBase::TRANSPORT, 0, 1, R1), eq([135])]]));
    case!(INET, "", "tcp sport 1 tcp dport 2", cat(vec![tcp(),
        vec![payload(PayloadBase::TRANSPORT, 0, 4, R1), eq([0, 1, 0, 2])]]));

    // Interfaces and other metadata.
    case!(INET, "", "iifname \"tap0\"", rule(iifname("tap0").to_vec())); case!(INET, "",
        "oifname \"tap0\"", rule(oifname("tap0").to_vec())); case!(INET, "", "iifname \"tap*\"",
        rule(vec![meta(MetaKey::IIFNAME, R1), eq(*b"tap")]));
    case!(INET, "", "meta mark 0x7", rule(vec![meta(MetaKey::MARK, R1),
        eq(7_u32.to_ne_bytes())]));
    case!(INET, "", "meta mark & 0xff == 1", rule(vec![meta(MetaKey::MARK, R1),
        mask(&0xff_u32.to_ne_bytes()), eq(1_u32.to_ne_bytes())]));
    case!(INET, "", "meta mark set 0x7", rule(vec![immediate(R1, 7_u32.to_ne_bytes()),
        meta_set(MetaKey::MARK, R1)]));
    case!(INET, "", "meta mark set meta mark & 0xffff0000", rule(vec![meta(MetaKey::MARK, R1),
        mask(&0xffff_0000_u32.to_ne_bytes()), meta_set(MetaKey::MARK, R1)]));
    case!(INET, "", "meta nftrace set 1", rule(vec![immediate(R1, [1]),
        meta_set(MetaKey::NFTRACE, R1)]));
    case!(INET, "", "meta pkttype broadcast", rule(vec![meta(MetaKey::PKTTYPE, R1), eq([1])]));
    case!(INET, "", "meta length > 1000", rule(vec![meta(MetaKey::LEN, R1), Byteorder { sreg: R1,
        dreg: R1, op: ByteorderOp::HTON, len: 4, size: 4, ..Byteorder::default() } .into(),
        cmp(CmpOp::GT, R1, 1000_u32.to_be_bytes())]));
    case!(INET, "", "meta mark set iifname map @zones", rule(vec![meta(MetaKey::IIFNAME, R1),
        map("zones", R1, R1), meta_set(MetaKey::MARK, R1)]));
    case!(INET, "", "iifname vmap @verdicts", rule(vec![meta(MetaKey::IIFNAME, R1),
        vmap("verdicts", R1)]));
    case!(INET, "", "iifname vmap { \"a\" : accept, \"b\" : jump other }",
        { let set = Set::new("t", "",
        &[DataType::IFNAME]).into_verdict_map(); with_set(vec![meta(MetaKey::IIFNAME, R1)], set,
        vec![Element::pair(ifname("a"), Verdict::ACCEPT), Element::pair(ifname("b"),
        Verdict::jump("other"))], Some(Register::VERDICT), vec![]) });
    case!(INET, "", "meta cpu 1", rule(vec![meta(MetaKey::CPU, R1), eq(1_u32.to_ne_bytes())]));
    case!(INET, "", "meta random <= 4", rule(vec![meta(MetaKey::PRANDOM, R1), cmp(CmpOp::LTE, R1,
        4_u32.to_be_bytes())]));

    // Connection tracking.
    case!(INET, "", "ct state established,related accept",
        cat(vec![ct_state(state::ESTABLISHED | state::RELATED).to_vec(), vec![accept()]]));
    case!(INET, "", "ct state invalid drop", cat(vec![ct_state(state::INVALID).to_vec(),
        vec![drop()]]));
    case!(INET, "", "ct state vmap { established : accept, invalid : drop }",
        { let set = Set::new("t", "",
        &[DataType::CT_STATE]).into_verdict_map(); with_set(vec![ct(CtKey::STATE, R1)], set,
        vec![Element::pair(2_u32.to_ne_bytes(), Verdict::ACCEPT),
        Element::pair(1_u32.to_ne_bytes(), Verdict::DROP)], Some(Register::VERDICT), vec![]) });
    case!(INET, "", "ct mark 5", rule(vec![ct(CtKey::MARK, R1), eq(5_u32.to_ne_bytes())]));
    case!(INET, "", "ct mark set meta mark", rule(vec![meta(MetaKey::MARK, R1),
        ct_set(CtKey::MARK, R1)]));
    case!(INET, "", "meta mark set ct mark", rule(vec![ct(CtKey::MARK, R1),
        meta_set(MetaKey::MARK, R1)]));
    case!(INET, "", "ct original zone 7", rule(vec![ct_dir(CtKey::ZONE, CtDirection::ORIGINAL,
        R1), eq(7_u16.to_ne_bytes())]));
    case!(INET, "", "ct zone 7", rule(vec![ct(CtKey::ZONE, R1), eq(7_u16.to_ne_bytes())]));
    case!(INET, PRE, "ct zone set 5", rule(vec![immediate(R1, 5_u16.to_ne_bytes()),
        ct_set(CtKey::ZONE, R1)]));
    case!(INET, "", "ct direction original", rule(vec![ct(CtKey::DIRECTION, R1), eq([0])]));
    case!(INET, "", "ct status dnat", rule(vec![ct(CtKey::STATUS, R1),
        mask(&0x20_u32.to_ne_bytes()), cmp(CmpOp::NEQ, R1, [0; 4])]));
    case!(INET, "", "ct original ip saddr 192.0.2.1", rule(vec![ct_dir(CtKey::SRC_IP,
        CtDirection::ORIGINAL, R1), eq([192, 0, 2, 1])]));
    case!(INET, "", "meta l4proto tcp ct original proto-dst 80", cat(vec![tcp(),
        vec![ct_dir(CtKey::PROTO_DST, CtDirection::ORIGINAL, R1), eq([0, 80])]]));
    case!(INET, "", "ct reply packets > 10", rule(vec![ct_dir(CtKey::PKTS, CtDirection::REPLY,
        R1), Byteorder { sreg: R1, dreg: R1, op: ByteorderOp::HTON, len: 8, size: 8,
        ..Byteorder::default() } .into(), cmp(CmpOp::GT, R1, 10_u64.to_be_bytes())]));
    case!(INET, PRE, "notrack", rule(vec![Notrack::default().into()])); case!(INET, "",
        "ct count 20 accept", rule(vec![ConnLimit { count: 20, ..ConnLimit::default() } .into(),
        accept()]));
    case!(INET, "", "ct count over 20 drop", rule(vec![ConnLimit { count: 20,
        flags: Invert::OVER, ..ConnLimit::default() } .into(), drop()]));

    // State.
    case!(INET, "", "counter packets 0 bytes 0", rule(vec![counter()])); case!(INET, "",
        "counter packets 3 bytes 77 drop", rule(vec![Counter { packets: 3, bytes: 77,
        ..Counter::default() } .into(), drop()]));
    case!(INET, "", "limit rate 3/second accept", rule(vec![Limit { rate: 3, unit: 1, burst: 5,
        ..Limit::default() } .into(), accept()]));
    case!(INET, "", "limit rate over 10/minute burst 7 packets drop", rule(vec![Limit { rate: 10,
        unit: 60, burst: 7, flags: Invert::OVER, ..Limit::default() } .into(), drop()]));
    case!(INET, "", "limit rate 10 kbytes/second", rule(vec![Limit { rate: 10240, unit: 1,
        burst: 0, kind: LimitType::BYTES, ..Limit::default() } .into()]));
    case!(INET, "", "quota over 10 mbytes drop", rule(vec![Quota { bytes: 10 << 20,
        flags: QuotaFlags::OVER, ..Quota::default() } .into(), drop()]));
    case!(INET, "", "counter name \"cnt\"", rule(vec![ObjRef { kind: Some(ObjectType::COUNTER),
        name: Some("cnt".into()), ..ObjRef::default() } .into()]));
    case!(INET, "", "quota name \"quo\" drop", rule(vec![ObjRef { kind: Some(ObjectType::QUOTA),
        name: Some("quo".into()), ..ObjRef::default() } .into(), drop()]));
    case!(INET, "", "limit name \"lim\"", rule(vec![ObjRef { kind: Some(ObjectType::LIMIT),
        name: Some("lim".into()), ..ObjRef::default() } .into()]));
    case!(INET, "", "add @dyn { ip saddr }", cat(vec![v4(), vec![payload(PayloadBase::NETWORK,
        12, 4, R1), DynSet { set: "dyn".into(), op: DynSetOp::ADD, sreg_key: R1,
        ..DynSet::default() } .into()]]));
    case!(INET, "", "update @dyn { ip saddr timeout 30s }", cat(vec![v4(),
        vec![payload(PayloadBase::NETWORK, 12, 4, R1), DynSet { set: "dyn".into(),
        op: DynSetOp::UPDATE, sreg_key: R1, timeout: Some(30_000),
        ..DynSet::default() } .into()]]));
    case!(INET, "", "add @dyn { ip saddr limit rate 3/second } accept", cat(vec![v4(),
        vec![payload(PayloadBase::NETWORK, 12, 4, R1), DynSet { set: "dyn".into(),
        op: DynSetOp::ADD, sreg_key: R1, flags: DynSetFlags::EXPR,
        expr: Some(Box::new(Limit { rate: 3, unit: 1, burst: 5, ..Limit::default() } .into())),
        ..DynSet::default() } .into(), accept()]]));

    // Verdicts and actions.
    case!(INET, "", "jump other", rule(vec![verdict(Verdict::jump("other"))]));
    case!(INET, "", "goto other", rule(vec![verdict(Verdict::goto("other"))]));
    case!(INET, "", "return", rule(vec![verdict(Verdict::RETURN)])); case!(INET, "",
        "log prefix \"x: \" level info", rule(vec![Log { prefix: Some("x: ".into()),
        level: Some(LogLevel::INFO), ..Log::default() } .into()]));
    case!(INET, "", "log group 3 queue-threshold 2 snaplen 100", rule(vec![Log { group: Some(3),
        qthreshold: Some(2), snaplen: Some(100), ..Log::default() } .into()]));
    case!(INET, "", "log flags all", rule(vec![Log { flags: LogFlags(0x2f),
        ..Log::default() } .into()]));
    case!(INET, IN, "reject", rule(vec![Reject { kind: RejectType::ICMPX_UNREACH, code: Some(1),
        ..Reject::default() } .into()]));
    case!(INET, IN, "reject with icmpx type admin-prohibited",
        rule(vec![Reject { kind: RejectType::ICMPX_UNREACH, code: Some(3),
        ..Reject::default() } .into()]));
    case!(INET, IN, "tcp dport 1 reject with tcp reset", cat(vec![tcp(), dport(1, 1),
        vec![Reject { kind: RejectType::TCP_RST, code: Some(0),
        ..Reject::default() } .into()]]));
    case!(IPV4, IN, "reject with icmp type host-unreachable",
        rule(vec![Reject { kind: RejectType::ICMP_UNREACH, code: Some(1),
        ..Reject::default() } .into()]));

    // Address translation.
    case!(IPV4, DNAT, "dnat to 10.0.0.1", rule(vec![immediate(R1, [10, 0, 0, 1]),
        Nat { kind: NatType::DNAT, family: 2, addr_min: Some(R1), ..Nat::default() } .into()]));
    case!(IPV4, DNAT, "tcp dport 80 dnat to 10.0.0.1:8080", cat(vec![tcp(), dport(80, 80),
        vec![immediate(R1, [10, 0, 0, 1]), immediate(R2, 8080_u16.to_be_bytes()),
        Nat { kind: NatType::DNAT, family: 2, addr_min: Some(R1), proto_min: Some(R2),
        flags: NatFlags::PROTO_SPECIFIED, ..Nat::default() } .into()]]));
    case!(IPV4, SNAT, "snat to 192.0.2.9-192.0.2.12", rule(vec![immediate(R1, [192, 0, 2, 9]),
        immediate(R2, [192, 0, 2, 12]), Nat { kind: NatType::SNAT, family: 2, addr_min: Some(R1),
        addr_max: Some(R2), ..Nat::default() } .into()]));
    case!(INET, DNAT, "dnat ip to ip daddr map @nats", cat(vec![v4(),
        vec![payload(PayloadBase::NETWORK, 16, 4, R1), map("nats", R1, R1),
        Nat { kind: NatType::DNAT, family: 2, addr_min: Some(R1), ..Nat::default() } .into()]]));
    case!(IPV4, SNAT, "masquerade", rule(vec![Masq::default().into()])); case!(IPV4, SNAT,
        "masquerade random", rule(vec![Masq { flags: NatFlags::PROTO_RANDOM,
        ..Masq::default() } .into()]));
    case!(IPV4, SNAT, "udp sport 5 masquerade to :1024-2048", cat(vec![udp(), sport(5, 5),
        vec![immediate(R1, 1024_u16.to_be_bytes()), immediate(R2, 2048_u16.to_be_bytes()),
        Masq { flags: NatFlags::PROTO_SPECIFIED, proto_min: Some(R1), proto_max: Some(R2),
        ..Masq::default() } .into()]]));
    case!(IPV4, DNAT, "tcp dport 80 redirect to :3128", cat(vec![tcp(), dport(80, 80),
        vec![immediate(R1, 3128_u16.to_be_bytes()), Redir { proto_min: Some(R1),
        flags: NatFlags::PROTO_SPECIFIED, ..Redir::default() } .into()]]));

    // The rest.
    case!(INET, PRE, "fib saddr . iif oif missing drop", rule(vec![Fib { dreg: R1,
        result: FibResult::OIF, flags: FibFlags(0x29), ..Fib::default() } .into(), eq([0; 4]),
        drop()]));
    case!(INET, PRE, "fib daddr type local", rule(vec![Fib { dreg: R1,
        result: FibResult::ADDRTYPE, flags: FibFlags::DADDR, ..Fib::default() } .into(),
        eq(2_u32.to_ne_bytes())]));
    case!(INET, FWD, "tcp flags syn tcp option maxseg size set 1400", cat(vec![tcp(),
        vec![payload(PayloadBase::TRANSPORT, 13, 1, R1), mask(&[2]), cmp(CmpOp::NEQ, R1, [0]),
        immediate(R1, 1400_u16.to_be_bytes()), Exthdr { sreg: Some(R1), kind: 2, offset: 2,
        len: 2, op: ExthdrOp::TCPOPT, ..Exthdr::default() } .into()]]));
    case!(INET, "", "tcp option sack-perm exists", cat(vec![vec![Exthdr { dreg: Some(R1),
        kind: 4, offset: 0, len: 1, op: ExthdrOp::TCPOPT, flags: ExthdrFlags::PRESENT,
        ..Exthdr::default() } .into(), eq([1])]]));
    case!(INET, "", "exthdr frag exists", cat(vec![v6(), vec![Exthdr { dreg: Some(R1), kind: 44,
        offset: 0, len: 1, op: ExthdrOp::IPV6, flags: ExthdrFlags::PRESENT,
        ..Exthdr::default() } .into(), eq([1])]]));
    case!(INET, PRE, "socket transparent 1 accept",
        rule(vec![Socket { key: SocketKey::TRANSPARENT, dreg: R1, ..Socket::default() } .into(),
        eq([1]), accept()]));
    case!(INET, PRE, "tcp dport 80 tproxy to :8080", cat(vec![tcp(), dport(80, 80),
        vec![immediate(R1, 8080_u16.to_be_bytes()), Tproxy { port: Some(R1),
        ..Tproxy::default() } .into()]]));
    case!(INET, "", "numgen inc mod 2 0", rule(vec![Numgen { dreg: R1, modulus: 2,
        ..Numgen::default() } .into(), eq(0_u32.to_ne_bytes())]));
    case!(IPV4, "", "jhash ip saddr mod 2 seed 0x1234 1", rule(vec![payload(PayloadBase::NETWORK,
        12, 4, R2), Hash { sreg: Some(R2), dreg: R1, len: Some(4), modulus: 2,
        seed: Some(0x1234), ..Hash::default() } .into(), eq(1_u32.to_ne_bytes())]));
    case!(INET, IN, "osf name \"Linux\"", rule(vec![Osf { dreg: R1, ..Osf::default() } .into(),
        eq(ifname("Linux"))]));
    case!(INET, FWD, "rt classid 3", rule(vec![Rt { dreg: R1, key: RtKey::CLASSID,
        ..Rt::default() } .into(), eq(3_u32.to_ne_bytes())]));
    case!(INET, IN, "tcp dport 80 synproxy mss 1460 wscale 7 timestamp sack-perm",
        cat(vec![tcp(), dport(80, 80), vec![Synproxy { mss: 1460, wscale: 7, flags: 0xf,
        ..Synproxy::default() } .into()]]));
    case!(IPV4, PRE, "dup to 192.0.2.7", rule(vec![immediate(R1, [192, 0, 2, 7]),
        Dup { address: Some(R1), ..Dup::default() } .into()]));
    case!(IPV4, "", "ip dscp set 3", rule(vec![payload(PayloadBase::NETWORK, 0, 2, R1),
        Bitwise { sreg: R1, dreg: R1, len: 2, mask: Some(Data::from([0xff, 0x03])),
        xor: Some(Data::from([0, 0x0c])), ..Bitwise::default() } .into(),
        Payload { sreg: Some(R1), base: PayloadBase::NETWORK, offset: 0, len: 2,
        csum_type: Some(1), csum_offset: Some(10), csum_flags: Some(0),
        ..Payload::default() } .into()]));
    case!(IPV4, "", "ip ttl set 5", rule(vec![payload(PayloadBase::NETWORK, 8, 2, R1),
        Bitwise { sreg: R1, dreg: R1, len: 2, mask: Some(Data::from([0, 0xff])),
        xor: Some(Data::from([5, 0])), ..Bitwise::default() } .into(), Payload { sreg: Some(R1),
        base: PayloadBase::NETWORK, offset: 8, len: 2, csum_type: Some(1), csum_offset: Some(10),
        csum_flags: Some(0), ..Payload::default() } .into()]));

    // Bridge.
    case!(BRIDGE, "", "ether saddr 02:00:00:00:00:01", rule(vec![payload(PayloadBase::LINK, 6, 6,
        R1), eq([2, 0, 0, 0, 0, 1])]));
    case!(BRIDGE, "", "ip saddr 192.0.2.1", cat(vec![ether_type(0x0800).to_vec(),
        ip_saddr(Ipv4Addr::new(192, 0, 2, 1)).to_vec()]));
    case!(BRIDGE, "", "ip saddr . ether saddr @pairs", cat(vec![ether_type(0x0800).to_vec(),
        vec![payload(PayloadBase::NETWORK, 12, 4, R1), payload(PayloadBase::LINK, 6, 6,
        Register::word(1)), lookup("pairs", R1)]]));
    case!(BRIDGE, "", "arp saddr ip 192.0.2.1", cat(vec![vec![payload(PayloadBase::LINK, 12, 2,
        R1), eq([8, 6])], vec![payload(PayloadBase::NETWORK, 14, 4, R1), eq([192, 0, 2, 1])]]));
    case!(BRIDGE, "", "ether type arp drop", rule(vec![payload(PayloadBase::LINK, 12, 2, R1),
        eq([8, 6]), drop()]));
    case!(BRIDGE, "", "vlan id 7", rule(vec![payload(PayloadBase::LINK, 12, 2, R1), eq([0x81,
        0]), payload(PayloadBase::LINK, 14, 2, R1), mask(&[0x0f, 0xff]), eq([0, 7])]));
    case!(INET, "", "ether saddr 02:00:00:00:00:01", rule(vec![meta(MetaKey::IIFTYPE, R1),
        eq(1_u16.to_ne_bytes()), payload(PayloadBase::LINK, 6, 6, R1), eq([2, 0, 0, 0, 0, 1])]));

    let _ = (ElementFlags::CATCHALL, Name::from(""));
    list
}
