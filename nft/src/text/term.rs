//! What a register holds: a field, metadata, a constant, or something computed from them.

use super::field::{FieldName, Protocols, raw};
use super::json::Json;
use super::value::{
    ADDRTYPE, ARPHRD, CT_DIRECTION, CT_EVENTS, CT_STATE, CT_STATUS, ETHERTYPE, Kind, L4PROTO,
    NFPROTO, PKTTYPE, Shown,
};
use crate::expr::*;
use crate::name::Bytes;

/// The content of a register.
#[derive(Clone, Debug)]
pub(super) struct Term {
    pub(super) shown: Shown,
    pub(super) kind: Kind,
    pub(super) bytes: u32,
    pub(super) source: Source,
    /// How many instructions it took.
    pub(super) steps: usize,
}

/// Where it came from, as far as that changes how it is shown.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// Packet bytes at a position in bits.
    Payload {
        base: PayloadBase,
        offset: u32,
        len: u32,
        field: Option<FieldName>,
    },
    /// Metadata that says which protocol follows.
    Meta(MetaKey),
    /// `(of & mask) ^ xor`
    Masked {
        of: Box<Term>,
        mask: Bytes,
        xor: Bytes,
    },
    /// Bytes given in the rule.
    Constant(Bytes),
    /// Anything else.
    Other,
}

impl Term {
    pub(super) fn other(shown: Shown, kind: Kind, bytes: u32) -> Self {
        Self {
            shown,
            kind,
            bytes,
            source: Source::Other,
            steps: 1,
        }
    }

    /// The same after so many instructions.
    pub(super) fn after(self, steps: usize) -> Self {
        Self { steps, ..self }
    }

    /// A register nobody filled.
    pub(super) fn unknown(register: u32) -> Self {
        Self::other(Shown::word(format!("reg {register}")), Kind::Number, 4)
    }

    /// A constant.
    pub(super) fn constant(bytes: &Bytes) -> Self {
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let source = Source::Constant(bytes.clone());
        let shown = Kind::Number.show(bytes.as_slice());
        Self {
            shown,
            kind: Kind::Number,
            bytes: len,
            source,
            steps: 1,
        }
    }

    /// The term as the value of something of a kind.
    pub(super) fn as_value(&self, kind: Kind) -> Shown {
        match &self.source {
            Source::Constant(bytes) => kind.show(bytes.as_slice()),
            _ => self.shown.clone(),
        }
    }
}

/// Packet bytes.
pub(super) fn payload(e: &Payload, protocols: Protocols) -> Term {
    let (offset, len) = (e.offset.saturating_mul(8), e.len.saturating_mul(8));
    let field = protocols.field(e.base, offset, len);
    let shown = field.map_or_else(|| raw(e.base, offset, len), |field| field.show());
    let kind = field.map_or(Kind::Raw, |field| field.kind);
    let source = Source::Payload {
        base: e.base,
        offset,
        len,
        field,
    };
    Term {
        shown,
        kind,
        bytes: e.len,
        source,
        steps: 1,
    }
}

/// Metadata.
pub(super) fn meta(key: MetaKey) -> Term {
    let name = key.name().unwrap_or("unknown");
    let bare = matches!(
        key,
        MetaKey::IIF
            | MetaKey::OIF
            | MetaKey::IIFNAME
            | MetaKey::OIFNAME
            | MetaKey::IIFGROUP
            | MetaKey::OIFGROUP
    );
    let text = if bare {
        String::from(name)
    } else {
        format!("meta {name}")
    };
    let (kind, bytes) = match key {
        MetaKey::MARK => (Kind::Mark, 4),
        MetaKey::PRIORITY => (Kind::TrafficClass, 4),
        MetaKey::PROTOCOL | MetaKey::BRI_IIFVPROTO => (Kind::Names(ETHERTYPE), 2),
        MetaKey::IIFNAME
        | MetaKey::OIFNAME
        | MetaKey::BRI_IIFNAME
        | MetaKey::BRI_OIFNAME
        | MetaKey::IIFKIND
        | MetaKey::OIFKIND
        | MetaKey::SDIFNAME => (Kind::Name, 16),
        MetaKey::IIFTYPE | MetaKey::OIFTYPE => (Kind::HostNames(ARPHRD), 2),
        MetaKey::NFPROTO => (Kind::HostNames(NFPROTO), 1),
        MetaKey::L4PROTO => (Kind::Names(L4PROTO), 1),
        MetaKey::PKTTYPE => (Kind::HostNames(PKTTYPE), 1),
        MetaKey::PRANDOM => (Kind::Number, 4),
        MetaKey::SECPATH => (Kind::Exists, 1),
        MetaKey::RTCLASSID => (Kind::Realm, 4),
        MetaKey::NFTRACE => (Kind::Number, 1),
        MetaKey::BRI_IIFPVID => (Kind::HostNumber, 2),
        MetaKey::TIME_NS => (Kind::HostNumber, 8),
        MetaKey::BRI_IIFHWADDR => (Kind::Ether, 6),
        _ => (Kind::HostNumber, 4),
    };
    let json = Json::one("meta", Json::one("key", name));
    Term {
        shown: Shown::new(text, json),
        kind,
        bytes,
        source: Source::Meta(key),
        steps: 1,
    }
}

/// Connection tracking data.
pub(super) fn ct(key: CtKey, direction: Option<CtDirection>) -> Term {
    let (name, kind, bytes) = match key {
        CtKey::STATE => ("state", Kind::Bits(CT_STATE), 4),
        CtKey::STATUS => ("status", Kind::Bits(CT_STATUS), 4),
        CtKey::DIRECTION => ("direction", Kind::HostNames(CT_DIRECTION), 1),
        CtKey::MARK => ("mark", Kind::Mark, 4),
        CtKey::HELPER => ("helper", Kind::Name, 16),
        CtKey::SRC_IP => ("ip saddr", Kind::Ipv4, 4),
        CtKey::DST_IP => ("ip daddr", Kind::Ipv4, 4),
        CtKey::SRC_IP6 => ("ip6 saddr", Kind::Ipv6, 16),
        CtKey::DST_IP6 => ("ip6 daddr", Kind::Ipv6, 16),
        CtKey::PROTO_SRC | CtKey::PROTO_DST => (key.name().unwrap_or("?"), Kind::Number, 2),
        CtKey::PROTOCOL => ("protocol", Kind::Names(L4PROTO), 1),
        CtKey::L3PROTOCOL => ("l3proto", Kind::HostNames(NFPROTO), 1),
        CtKey::ZONE => ("zone", Kind::HostNumber, 2),
        CtKey::LABELS => ("label", Kind::BitNumbers, 16),
        CtKey::EVENTMASK => ("event", Kind::Bits(CT_EVENTS), 4),
        CtKey::EXPIRATION => ("expiration", Kind::Milliseconds, 4),
        CtKey::PKTS | CtKey::BYTES | CtKey::AVGPKT => {
            (key.name().unwrap_or("?"), Kind::HostNumber, 8)
        }
        _ => (key.name().unwrap_or("unknown"), Kind::HostNumber, 4),
    };
    let mut json = Json::one("key", name);
    let mut text = String::from("ct ");
    if let Some(direction) = direction.and_then(CtDirection::name) {
        text.push_str(direction);
        text.push(' ');
        json = json.with("dir", direction);
    }
    text.push_str(name);
    Term::other(Shown::new(text, Json::one("ct", json)), kind, bytes)
}

/// Routing data of the packet.
pub(super) fn rt(e: &Rt) -> Term {
    let (text, key, kind, bytes) = match e.key {
        RtKey::CLASSID => ("rt classid", "classid", Kind::Realm, 4),
        RtKey::NEXTHOP4 => ("rt ip nexthop", "nexthop", Kind::Ipv4, 4),
        RtKey::NEXTHOP6 => ("rt ip6 nexthop", "nexthop", Kind::Ipv6, 16),
        RtKey::TCPMSS => ("rt mtu", "mtu", Kind::HostNumber, 2),
        _ => ("rt ipsec", "ipsec", Kind::Exists, 1),
    };
    let mut json = Json::one("key", key);
    match e.key {
        RtKey::NEXTHOP4 => json = json.with("family", "ip"),
        RtKey::NEXTHOP6 => json = json.with("family", "ip6"),
        _ => {}
    }
    Term::other(Shown::new(text, Json::one("rt", json)), kind, bytes)
}

/// A routing query.
pub(super) fn fib(e: &Fib) -> Term {
    let names: Vec<_> = e.flags.without(FibFlags::PRESENT).names().collect();
    let present = e.flags.contains(FibFlags::PRESENT) || e.result == FibResult::OIF;
    let kind = match e.result {
        FibResult::ADDRTYPE => Kind::HostNames(ADDRTYPE),
        FibResult::OIFNAME if !present => Kind::Name,
        _ if present => Kind::Exists,
        _ => Kind::HostNumber,
    };
    let result = e.result.name().unwrap_or("?");
    let flags: Vec<_> = names.iter().map(|name| Json::from(*name)).collect();
    let json = Json::object([("result", result.into()), ("flags", flags.into())]);
    let text = format!("fib {} {result}", names.join(" . "));
    Term::other(Shown::new(text, Json::one("fib", json)), kind, 4)
}

/// Data of the local socket.
pub(super) fn socket(e: &Socket) -> Term {
    let key = e.key.name().unwrap_or("?");
    let kind = if e.key == SocketKey::MARK {
        Kind::Mark
    } else {
        Kind::HostNumber
    };
    let json = Json::one("socket", Json::one("key", key));
    Term::other(Shown::new(format!("socket {key}"), json), kind, 4)
}

/// A generated number.
pub(super) fn numgen(e: &Numgen) -> Term {
    let mode = e.kind.name().unwrap_or("?");
    let json = Json::object([
        ("mode", mode.into()),
        ("mod", e.modulus.into()),
        ("offset", e.offset.into()),
    ]);
    let offset = if e.offset == 0 {
        String::new()
    } else {
        format!(" offset {}", e.offset)
    };
    let text = format!("numgen {mode} mod {}{offset}", e.modulus);
    Term::other(
        Shown::new(text, Json::one("numgen", json)),
        Kind::HostNumber,
        4,
    )
}

/// A hash of `of`, or of the whole packet.
pub(super) fn hash(e: &Hash, of: Option<&Term>) -> Term {
    let mut json = Json::one("mod", e.modulus);
    let name = if of.is_some() { "jhash" } else { "symhash" };
    let mut text = String::from(name);
    if let Some(of) = of {
        text.push_str(&format!(" {}", of.shown.text));
    }
    text.push_str(&format!(" mod {}", e.modulus));
    if let Some(seed) = e.seed {
        text.push_str(&format!(" seed 0x{seed:x}"));
        json = json.with("seed", seed);
    }
    if e.offset != 0 {
        text.push_str(&format!(" offset {}", e.offset));
        json = json.with("offset", e.offset);
    }
    if let Some(of) = of {
        json = json.with("expr", of.shown.json.clone());
    }
    let steps = of.map_or(0, |of| of.steps).saturating_add(1);
    Term::other(Shown::new(text, Json::one(name, json)), Kind::HostNumber, 4).after(steps)
}

/// The guess of an operating system.
pub(super) fn osf(e: &Osf) -> Term {
    let key = if e.flags & 1 == 1 { "version" } else { "name" };
    let (ttl, json) = match e.ttl {
        1 => ("ttl loose ", Json::one("ttl", "loose")),
        2 => ("ttl skip ", Json::one("ttl", "skip")),
        _ => ("", Json::Object(Vec::new())),
    };
    let json = Json::one("osf", json.with("key", key));
    Term::other(Shown::new(format!("osf {ttl}{key}"), json), Kind::Name, 16)
}

/// Bits of a term.
pub(super) fn bitwise(e: &Bitwise, of: Term) -> Term {
    let bytes = |data: &Option<crate::data::Data>| {
        data.as_ref()
            .and_then(|d| d.value().cloned())
            .unwrap_or_default()
    };
    let steps = of.steps.saturating_add(1);
    if e.op != BitwiseOp::MASK_XOR {
        let count = super::value::number(bytes(&e.data).as_slice(), true);
        let sign = match e.op {
            BitwiseOp::LSHIFT => "<<",
            BitwiseOp::RSHIFT => ">>",
            _ => "?",
        };
        let json = Json::one(sign, vec![of.shown.json.clone(), count.into()]);
        let shown = Shown::new(format!("{} {sign} {count}", of.shown.text), json);
        return Term { shown, ..of }.after(steps);
    }
    let (mask, xor) = (bytes(&e.mask), bytes(&e.xor));
    let sets_only = mask
        .as_slice()
        .iter()
        .zip(xor.as_slice())
        .all(|(m, x)| m ^ x == 0xff);
    let masked = of.kind.show(mask.as_slice());
    let masked = match of.kind {
        Kind::Bits(_) | Kind::NetBits(_) => Shown::new(masked.text, masked.json),
        _ => masked,
    };
    // Bits that are all either kept or set need no mask.
    let mut shown = match sets_only {
        true => of.shown.clone(),
        false => Shown::new(
            format!("{} & {}", of.shown.text, masked.text),
            Json::one("&", vec![of.shown.json.clone(), masked.json]),
        ),
    };
    if xor.as_slice().iter().any(|byte| *byte != 0) {
        let disjoint = mask
            .as_slice()
            .iter()
            .zip(xor.as_slice())
            .all(|(m, x)| m & x == 0);
        let sign = if disjoint { "|" } else { "^" };
        let value = of.kind.show(xor.as_slice());
        shown = Shown::new(
            format!("{} {sign} {}", shown.text, value.text),
            Json::one(sign, vec![shown.json, value.json]),
        );
    }
    let (kind, len) = (of.kind, of.bytes);
    Term {
        shown,
        kind,
        bytes: len,
        source: Source::Masked {
            of: Box::new(of),
            mask,
            xor,
        },
        steps,
    }
}
