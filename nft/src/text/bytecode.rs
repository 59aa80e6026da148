//! One line per expression, in the notation of `nft --debug=netlink`.
//!
//! Data is shown as 32-bit words in host order, as that tool does. Held by `tests/kernel`
//! (`bytecode`): equal to the tool's output for every fragment of its table.

use crate::attr::Value;
use crate::data::{Data, Register, VerdictCode};
use crate::expr::*;
use crate::name::{Bytes, Name};
use crate::object::ObjectType;

/// The lines of a rule's expressions.
pub fn lines(expressions: &[Expr]) -> Vec<String> {
    expressions.iter().map(line).collect()
}

fn reg(register: Option<Register>) -> u32 {
    register.unwrap_or_default().0
}

/// The line of one expression, in brackets.
pub fn line(expr: &Expr) -> String {
    let name = expr.name();
    let body = match expr {
        Expr::Immediate(e) => format!("reg {} {}", e.dreg.0, data(&e.data)),
        Expr::Payload(e) => payload(e),
        Expr::Meta(e) => match e.sreg {
            Some(sreg) => format!("set {} with reg {}", meta_key(e.key), sreg.0),
            None => format!("load {} => reg {}", meta_key(e.key), reg(e.dreg)),
        },
        Expr::Ct(e) => ct(e),
        Expr::Cmp(e) => {
            format!(
                "{} reg {} {}",
                e.op.name().unwrap_or("?"),
                e.sreg.0,
                data(&e.data)
            )
        }
        Expr::Range(e) => format!(
            "{} reg {} {} {}",
            e.op.name().unwrap_or("?"),
            e.sreg.0,
            data(&e.from),
            data(&e.to)
        ),
        Expr::Bitwise(e) => bitwise(e),
        Expr::Byteorder(e) => format!(
            "reg {} = {}(reg {}, {}, {})",
            e.dreg.0,
            e.op.name().unwrap_or("?"),
            e.sreg.0,
            e.size,
            e.len
        ),
        Expr::Lookup(e) => lookup(e),
        Expr::DynSet(e) => dynset(e),
        Expr::Counter(e) => format!("pkts {} bytes {}", e.packets, e.bytes),
        Expr::Limit(e) => limit(e),
        Expr::Quota(e) => {
            format!(
                "bytes {} consumed {} flags {}",
                e.bytes, e.consumed, e.flags.0
            )
        }
        Expr::ConnLimit(e) => format!("count {} flags {:x}", e.count, e.flags.0),
        Expr::Last(e) => match e.set {
            0 => String::from("never"),
            _ => e.milliseconds.to_string(),
        },
        Expr::Log(e) => log(e),
        Expr::Reject(e) => format!("type {} code {}", e.kind.0, e.code.unwrap_or(0)),
        Expr::Nat(e) => nat(e),
        Expr::Masq(e) => nat_range(e.proto_min, e.proto_max, e.flags),
        Expr::Redir(e) => nat_range(e.proto_min, e.proto_max, e.flags),
        Expr::Queue(e) => queue(e),
        Expr::Notrack(_) => String::new(),
        Expr::ObjRef(e) => objref(e),
        Expr::Fib(e) => fib(e),
        Expr::Exthdr(e) => exthdr(e),
        Expr::Socket(e) => {
            format!("load {} => reg {}", e.key.name().unwrap_or("?"), e.dreg.0)
        }
        Expr::Tproxy(e) => tproxy(e),
        Expr::Rt(e) => format!("load {} => reg {}", e.key.name().unwrap_or("?"), e.dreg.0),
        Expr::Hash(e) => hash(e),
        Expr::Numgen(e) => format!(
            "reg {} = {} mod {}{}",
            e.dreg.0,
            e.kind.name().unwrap_or("?"),
            e.modulus,
            offset(e.offset)
        ),
        Expr::Osf(e) => format!("dreg {}", e.dreg.0),
        Expr::Dup(e) => registers(&[("sreg_addr", e.address), ("sreg_dev", e.device)]),
        Expr::Fwd(e) => registers(&[("sreg_dev", e.device), ("sreg_addr", e.address)]),
        Expr::FlowOffload(e) => format!("flowtable {}", e.table),
        Expr::Synproxy(e) => format!("mss {} wscale {}", e.mss, e.wscale),
        Expr::Match(e) => format!("name {} rev {}", e.name, e.revision),
        Expr::Target(e) => format!("name {} rev {}", e.name, e.revision),
        Expr::Tunnel(e) => format!(
            "load {} => reg {}",
            if e.key == 0 { "path" } else { "id" },
            e.dreg.0
        ),
        Expr::Xfrm(e) => format!(
            "load {} {} {} => reg {}",
            if e.direction == 0 { "in" } else { "out" },
            e.position,
            match e.key {
                1 => "daddr4",
                2 => "daddr6",
                3 => "saddr4",
                4 => "saddr6",
                5 => "reqid",
                6 => "spi",
                _ => "unknown",
            },
            e.dreg.0
        ),
        Expr::Inner(e) => format!(
            "type {} hdrsize {} flags {:x} {}",
            e.kind.0,
            e.header_size,
            e.flags.0,
            line(&e.expr)
        ),
        Expr::Other(_) => String::from("(unknown)"),
    };
    if body.is_empty() {
        format!("[ {name} ]")
    } else {
        format!("[ {name} {} ]", body.trim_end())
    }
}

fn meta_key(key: MetaKey) -> &'static str {
    match key {
        MetaKey::LEN => "len",
        MetaKey::BRI_IIFNAME => "bri_iifname",
        MetaKey::BRI_OIFNAME => "bri_oifname",
        MetaKey::PRANDOM => "prandom",
        MetaKey::SECPATH => "secpath",
        other => other.name().unwrap_or("unknown"),
    }
}

fn words(bytes: &Bytes) -> String {
    let mut out = Vec::new();
    for chunk in bytes.as_slice().chunks(4) {
        let mut word = [0; 4];
        for (to, from) in word.iter_mut().zip(chunk) {
            *to = *from;
        }
        out.push(format!("0x{:08x}", u32::from_ne_bytes(word)));
    }
    out.join(" ")
}

fn data(data: &Data) -> String {
    match data {
        Data::Value(bytes) => words(bytes),
        Data::Verdict(verdict) => {
            let code = verdict.code.name().unwrap_or("unknown");
            match &verdict.chain {
                Some(chain) if matches!(verdict.code, VerdictCode::JUMP | VerdictCode::GOTO) => {
                    format!("{code} -> {chain}")
                }
                _ => String::from(code),
            }
        }
    }
}

fn payload(e: &Payload) -> String {
    let base = match e.base {
        PayloadBase::LINK => "link",
        other => other.name().unwrap_or("unknown"),
    };
    match e.sreg {
        Some(sreg) => format!(
            "write reg {} => {}b @ {base} header + {} csum_type {} csum_off {} csum_flags 0x{:x}",
            sreg.0,
            e.len,
            e.offset,
            e.csum_type.unwrap_or(0),
            e.csum_offset.unwrap_or(0),
            e.csum_flags.unwrap_or(0)
        ),
        None => format!(
            "load {}b @ {base} header + {} => reg {}",
            e.len,
            e.offset,
            reg(e.dreg)
        ),
    }
}

fn ct(e: &Ct) -> String {
    let key = match e.key {
        CtKey::PROTO_SRC => "proto_src",
        CtKey::PROTO_DST => "proto_dst",
        CtKey::SRC => "src",
        CtKey::DST => "dst",
        CtKey::SRC_IP => "src_ip",
        CtKey::DST_IP => "dst_ip",
        CtKey::SRC_IP6 => "src_ip6",
        CtKey::DST_IP6 => "dst_ip6",
        CtKey::L3PROTOCOL => "l3protocol",
        CtKey::PKTS => "packets",
        other => other.name().unwrap_or("unknown"),
    };
    if let Some(sreg) = e.sreg {
        return format!("set {key} with reg {}", sreg.0);
    }
    let direction = match e.direction.and_then(CtDirection::name) {
        Some(name) => format!(" , dir {name}"),
        None => String::new(),
    };
    format!("load {key} => reg {}{direction}", reg(e.dreg))
}

fn bitwise(e: &Bitwise) -> String {
    let empty = Data::default();
    match e.op {
        BitwiseOp::MASK_XOR => format!(
            "reg {} = ( reg {} & {} ) ^ {}",
            e.dreg.0,
            e.sreg.0,
            data(e.mask.as_ref().unwrap_or(&empty)),
            data(e.xor.as_ref().unwrap_or(&empty))
        ),
        op => {
            let sign = match op {
                BitwiseOp::LSHIFT => "<<",
                BitwiseOp::RSHIFT => ">>",
                BitwiseOp::AND => "&",
                BitwiseOp::OR => "|",
                _ => "^",
            };
            let right = match (&e.data, e.sreg2) {
                (Some(count), _) => data(count),
                (None, second) => format!("reg {}", reg(second)),
            };
            format!("reg {} = ( reg {} {sign} {right} )", e.dreg.0, e.sreg.0)
        }
    }
}

fn lookup(e: &Lookup) -> String {
    let mut out = format!("reg {} set {}", e.sreg.0, e.set);
    if let Some(dreg) = e.dreg {
        out.push_str(&format!(" dreg {}", dreg.0));
    }
    if e.flags.0 != 0 {
        out.push_str(&format!(" 0x{:x}", e.flags.0));
    }
    out
}

fn dynset(e: &DynSet) -> String {
    let mut out = format!(
        "{} reg_key {} set {}",
        e.op.name().unwrap_or("?"),
        e.sreg_key.0,
        e.set
    );
    if let Some(sreg) = e.sreg_data {
        out.push_str(&format!(" sreg_data {}", sreg.0));
    }
    if let Some(timeout) = e.timeout {
        out.push_str(&format!(" timeout {timeout}ms"));
    }
    let one = e.expr.as_deref().into_iter();
    for expr in one.chain(e.exprs.iter().flatten()) {
        out.push_str(&format!(" expr {}", line(expr)));
    }
    out
}

fn limit(e: &Limit) -> String {
    let unit = match e.unit {
        1 => "second",
        60 => "minute",
        3600 => "hour",
        86_400 => "day",
        604_800 => "week",
        _ => "?",
    };
    let kind = e.kind.name().unwrap_or("?");
    format!(
        "rate {}/{unit} burst {} type {kind} flags 0x{:x}",
        e.rate, e.burst, e.flags.0
    )
}

fn log(e: &Log) -> String {
    let mut out = Vec::new();
    if let Some(prefix) = &e.prefix {
        out.push(format!("prefix {prefix}"));
    }
    if let Some(group) = e.group {
        out.push(format!(
            "group {group} snaplen {} qthreshold {}",
            e.snaplen.unwrap_or(0),
            e.qthreshold.unwrap_or(0)
        ));
    } else {
        if let Some(level) = e.level {
            out.push(format!("level {}", level.0));
        }
        let names = [
            (LogFlags::TCP_SEQUENCE, "tcpseq"),
            (LogFlags::TCP_OPTIONS, "tcpopt"),
            (LogFlags::IP_OPTIONS, "ipopt"),
            (LogFlags::SKUID, "uid"),
            (LogFlags::ETHER, "macdecode"),
        ];
        let set = names.iter().filter(|(bit, _)| e.flags.contains(*bit));
        out.extend(set.map(|(_, name)| String::from(*name)));
    }
    out.join(" ")
}

fn family(number: u32) -> &'static str {
    match number {
        2 => "ip",
        10 => "ip6",
        1 => "inet",
        _ => "unspec",
    }
}

fn nat(e: &Nat) -> String {
    let mut out = format!("{} {}", e.kind.name().unwrap_or("?"), family(e.family));
    out.push_str(&prefixed(&[
        ("addr_min", e.addr_min),
        ("addr_max", e.addr_max),
        ("proto_min", e.proto_min),
        ("proto_max", e.proto_max),
    ]));
    if e.flags.0 != 0 {
        out.push_str(&format!(" flags 0x{:x}", e.flags.0));
    }
    out
}

fn prefixed(list: &[(&str, Option<Register>)]) -> String {
    list.iter()
        .filter_map(|(name, reg)| Some(format!(" {name} reg {}", (*reg)?.0)))
        .collect()
}

fn nat_range(min: Option<Register>, max: Option<Register>, flags: NatFlags) -> String {
    let mut out = prefixed(&[("proto_min", min), ("proto_max", max)]);
    if flags.0 != 0 {
        out.push_str(&format!(" flags 0x{:x}", flags.0));
    }
    String::from(out.trim_start())
}

fn registers(list: &[(&str, Option<Register>)]) -> String {
    let set = list
        .iter()
        .filter_map(|(name, reg)| Some(format!("{name} {}", (*reg)?.0)));
    set.collect::<Vec<_>>().join(" ")
}

fn queue(e: &Queue) -> String {
    let mut out = match (e.number, e.total) {
        (Some(first), Some(total)) if total > 1 => {
            format!(
                "num {first}-{}",
                first.saturating_add(total).saturating_sub(1)
            )
        }
        (Some(first), _) => format!("num {first}"),
        (None, _) => format!("sreg_qnum {}", reg(e.sreg)),
    };
    if e.flags.contains(QueueFlags::BYPASS) {
        out.push_str(" bypass");
    }
    if e.flags.contains(QueueFlags::CPU_FANOUT) {
        out.push_str(" fanout");
    }
    out
}

fn objref(e: &ObjRef) -> String {
    match (&e.set, &e.name) {
        (Some(set), _) => format!("sreg {} set {set}", reg(e.sreg)),
        (None, name) => format!(
            "type {} name {}",
            e.kind.unwrap_or(ObjectType(0)).0,
            name.clone().unwrap_or_else(|| Name::from(""))
        ),
    }
}

fn fib(e: &Fib) -> String {
    let flags: Vec<_> = e.flags.without(FibFlags::PRESENT).names().collect();
    let present = if e.flags.contains(FibFlags::PRESENT) {
        " present"
    } else {
        ""
    };
    let result = e.result.name().unwrap_or("?");
    format!(
        "{} {result}{present} => reg {}",
        flags.join(" . "),
        e.dreg.0
    )
}

fn exthdr(e: &Exthdr) -> String {
    // That tool has no words for the other kinds.
    let op = match e.op {
        ExthdrOp::TCPOPT => "tcpopt ",
        ExthdrOp::IPV4 => "ipv4 ",
        ExthdrOp::IPV6 => "ipv6 ",
        _ => "",
    };
    let (offset, len) = (e.offset.unwrap_or(0), e.len.unwrap_or(0));
    if let Some(sreg) = e.sreg {
        return format!("write {op}reg {} => {len}b @ {} + {offset}", sreg.0, e.kind);
    }
    let present = if e.flags.contains(ExthdrFlags::PRESENT) {
        " present"
    } else {
        ""
    };
    match e.dreg {
        Some(dreg) => {
            format!(
                "load {op}{len}b @ {} + {offset}{present} => reg {}",
                e.kind, dreg.0
            )
        }
        None => format!("reset {op}{}", e.kind),
    }
}

fn tproxy(e: &Tproxy) -> String {
    let mut out = match e.family {
        0 => String::new(),
        number => String::from(family(number)),
    };
    out.push_str(&prefixed(&[("addr", e.address), ("port", e.port)]));
    String::from(out.trim_start())
}

fn offset(offset: u32) -> String {
    if offset == 0 {
        String::new()
    } else {
        format!(" offset {offset}")
    }
}

fn hash(e: &Hash) -> String {
    let tail = format!("mod {}{}", e.modulus, offset(e.offset));
    match e.kind {
        HashType::SYM => format!("reg {} = symhash() % {tail}", e.dreg.0),
        _ => format!(
            "reg {} = jhash(reg {}, {}, 0x{:x}) % {tail}",
            e.dreg.0,
            reg(e.sreg),
            e.len.unwrap_or(0),
            e.seed.unwrap_or(0)
        ),
    }
}

/// Bytes of an expression on the wire, for tools that show raw messages.
pub fn wire_bytes(expr: &Expr) -> Vec<u8> {
    let mut w = crate::wire::Writer::new();
    expr.encode(&mut w);
    w.into_bytes()
}
