//! Extension headers and options by name: IPv6 headers, IPv4 and TCP options, SCTP chunks, and IPsec data.

use super::json::Json;
use super::term::Term;
use super::value::{Kind, L4PROTO, Shown};
use crate::expr::{Exthdr, ExthdrFlags, ExthdrOp, Xfrm};

/// A field: offset and length in bytes, name, how its value is shown.
type Field = (u32, u32, &'static str, Kind);
/// A header or option: number, name, fields.
type Header = (u8, &'static str, &'static [Field]);

const N: Kind = Kind::Number;
const NEXT: Kind = Kind::Names(L4PROTO);

const IPV6_HEADERS: &[Header] = &[
    (0, "hbh", &[(0, 1, "nexthdr", NEXT), (1, 1, "hdrlength", N)]),
    (
        43,
        "rt",
        &[
            (0, 1, "nexthdr", NEXT),
            (1, 1, "hdrlength", N),
            (2, 1, "type", N),
            (3, 1, "seg-left", N),
        ],
    ),
    (
        44,
        "frag",
        &[
            (0, 1, "nexthdr", NEXT),
            (1, 1, "reserved", N),
            (4, 4, "id", N),
        ],
    ),
    (51, "ah", &[]),
    (
        60,
        "dst",
        &[(0, 1, "nexthdr", NEXT), (1, 1, "hdrlength", N)],
    ),
    (
        135,
        "mh",
        &[(0, 1, "nexthdr", NEXT), (1, 1, "hdrlength", N)],
    ),
];
const ROUTE: &[Field] = &[
    (0, 1, "type", N),
    (1, 1, "length", N),
    (2, 1, "ptr", N),
    (3, 4, "addr", Kind::Ipv4),
];
const IPV4_OPTIONS: &[Header] = &[
    (7, "rr", ROUTE),
    (131, "lsrr", ROUTE),
    (137, "ssrr", ROUTE),
    (
        148,
        "ra",
        &[(0, 1, "type", N), (1, 1, "length", N), (2, 2, "value", N)],
    ),
];
const TCP_OPTIONS: &[Header] = &[
    (0, "eol", &[]),
    (1, "nop", &[]),
    (2, "maxseg", &[(2, 2, "size", N)]),
    (3, "window", &[(2, 1, "count", N)]),
    (4, "sack-perm", &[]),
    (5, "sack", &[(2, 4, "left", N), (6, 4, "right", N)]),
    (8, "timestamp", &[(2, 4, "tsval", N), (6, 4, "tsecr", N)]),
    (19, "md5sig", &[]),
    (30, "mptcp", &[]),
    (34, "fastopen", &[]),
];
const SCTP_CHUNKS: &[Header] = &[
    (
        0,
        "data",
        &[
            (4, 4, "tsn", N),
            (8, 2, "stream", N),
            (10, 2, "ssn", N),
            (12, 4, "ppid", N),
        ],
    ),
    (1, "init", &[]),
    (2, "init-ack", &[]),
    (3, "sack", &[]),
    (4, "heartbeat", &[]),
    (5, "heartbeat-ack", &[]),
    (6, "abort", &[]),
    (7, "shutdown", &[]),
    (8, "shutdown-ack", &[]),
    (9, "error", &[]),
    (10, "cookie-echo", &[]),
    (11, "cookie-ack", &[]),
    (12, "ecne", &[]),
    (13, "cwr", &[]),
    (14, "shutdown-complete", &[]),
];

/// What an extension header or option is called.
pub(super) fn exthdr(e: &Exthdr) -> Term {
    let present = e.flags.contains(ExthdrFlags::PRESENT);
    let (headers, head): (&[Header], _) = match e.op {
        ExthdrOp::TCPOPT => (TCP_OPTIONS, "tcp option"),
        ExthdrOp::IPV4 => (IPV4_OPTIONS, "ip option"),
        ExthdrOp::SCTP => (SCTP_CHUNKS, "sctp chunk"),
        ExthdrOp::IPV6 => (IPV6_HEADERS, "exthdr"),
        _ => (&[], "dccp option"),
    };
    let known = headers.iter().find(|header| header.0 == e.kind);
    let name = known.map_or_else(|| e.kind.to_string(), |h| String::from(h.1));
    let (offset, len) = (e.offset.unwrap_or(0), e.len.unwrap_or(0));
    let fields = known.map(|h| h.2).unwrap_or_default();
    let field = fields
        .iter()
        .find(|f| (f.0, f.1) == (offset, len))
        .filter(|_| !present);
    let mut json = Json::one("name", name.as_str());
    // Fields of IPv6 headers go without the word before them.
    let mut text = match (e.op, present) {
        (ExthdrOp::IPV6, false) => name,
        _ => format!("{head} {name}"),
    };
    match field {
        Some((_, _, field, _)) => {
            text.push_str(&format!(" {field}"));
            json = json.with("field", *field);
        }
        None if !present && len > 0 => {
            let (offset, len) = (offset.saturating_mul(8), len.saturating_mul(8));
            text.push_str(&format!(" @{offset},{len}"));
        }
        None => {}
    }
    let kind = match field {
        Some(field) => field.3,
        None if present => Kind::Exists,
        None => N,
    };
    Term::other(Shown::new(text, Json::one(head, json)), kind, len)
}

/// What IPsec data is called.
pub(super) fn xfrm(e: &Xfrm) -> Term {
    let direction = if e.direction == 0 { "in" } else { "out" };
    let (key, family, kind, bytes) = match e.key {
        1 => ("daddr", Some("ip"), Kind::Ipv4, 4),
        2 => ("daddr", Some("ip6"), Kind::Ipv6, 16),
        3 => ("saddr", Some("ip"), Kind::Ipv4, 4),
        4 => ("saddr", Some("ip6"), Kind::Ipv6, 16),
        5 => ("reqid", None, Kind::HostNumber, 4),
        6 => ("spi", None, N, 4),
        _ => ("unknown", None, Kind::HostNumber, 4),
    };
    let mut text = format!("ipsec {direction}");
    if e.position != 0 {
        text.push_str(&format!(" spnum {}", e.position));
    }
    let mut json = Json::one("key", key);
    if let Some(family) = family {
        text.push_str(&format!(" {family}"));
        json = json.with("family", family);
    }
    text.push_str(&format!(" {key}"));
    let json = json.with("dir", direction).with("spnum", e.position);
    Term::other(Shown::new(text, Json::one("ipsec", json)), kind, bytes)
}
