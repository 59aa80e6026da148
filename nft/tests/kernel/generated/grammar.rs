//! Random rules in the language of `nft`, valid by construction: at most one protocol per layer.

use std::fmt::Write;

/// A small generator of numbers; the same seed gives the same rules.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[usize::try_from(self.below(list.len() as u64)).unwrap()]
    }
}

/// How values of a field look.
#[derive(Clone, Copy)]
enum Values {
    V4,
    V6,
    Port,
    Number(u64),
    Names(&'static [&'static str]),
    Mark,
    Ifname,
    Mac,
}

const L4: Values = Values::Names(&["tcp", "udp", "icmp", "sctp", "gre", "esp", "udplite"]);
const ICMP: Values = Values::Names(&[
    "echo-request",
    "echo-reply",
    "destination-unreachable",
    "time-exceeded",
    "redirect",
    "parameter-problem",
]);
const ICMPV6: Values = Values::Names(&[
    "echo-request",
    "nd-neighbor-solicit",
    "nd-neighbor-advert",
    "nd-router-advert",
    "mld-listener-query",
    "packet-too-big",
]);
const DSCP: Values = Values::Names(&["cs1", "af11", "af42", "ef", "cs6"]);

fn value(d: &mut Dice, values: Values) -> String {
    match values {
        Values::V4 => format!("10.{}.{}.{}", d.below(3), d.below(256), d.below(256)),
        Values::V6 => format!("2001:db8:{:x}::{:x}", d.below(16), d.below(0xffff) + 1),
        Values::Port => (1 + d.below(65_000)).to_string(),
        Values::Number(limit) => d.below(limit).to_string(),
        Values::Names(names) => d.pick(names).to_owned(),
        Values::Mark => format!("0x{:x}", d.below(1 << 16)),
        Values::Ifname => format!("\"tap{}\"", d.below(8)),
        Values::Mac => format!("02:00:00:00:{:02x}:{:02x}", d.below(256), d.below(256)),
    }
}

/// Increasing values without overlap, as single ones or ranges.
fn several(d: &mut Dice, values: Values) -> String {
    let count = 2 + d.below(4);
    let mut list: Vec<String> = Vec::new();
    for i in 0..count {
        let item = match values {
            Values::Port if d.one_in(3) => {
                let first = 1 + i * 10_000 + d.below(4_000);
                format!("{first}-{}", first + 1 + d.below(5_000))
            }
            Values::Port => (1 + i * 10_000 + d.below(9_000)).to_string(),
            Values::V4 if d.one_in(3) => format!("10.{}.0.0/16", 10 + i * 10 + d.below(9)),
            Values::V4 => format!("10.{}.{}.7", 100 + i, d.below(256)),
            other => value(d, other),
        };
        if !list.contains(&item) {
            list.push(item);
        }
    }
    format!("{{ {} }}", list.join(", "))
}

/// One comparison of a field.
fn relation(d: &mut Dice, field: &str, values: Values) -> String {
    let ordered = matches!(
        values,
        Values::Port | Values::Number(_) | Values::V4 | Values::Mark
    );
    let networks = matches!(values, Values::V4 | Values::V6);
    match d.below(8) {
        0 => format!("{field} != {}", value(d, values)),
        1 | 2 if !matches!(values, Values::Mark | Values::Number(_)) => {
            format!("{field} {}", several(d, values))
        }
        3 if matches!(values, Values::Port | Values::V4) => {
            format!("{field} != {}", several(d, values))
        }
        4 if ordered && !networks => {
            let sign = d.pick(&["<", ">", "<=", ">="]);
            let limit = match values {
                Values::Number(limit) => 1 + d.below(limit - 2),
                _ => 5 + d.below(60_000),
            };
            format!("{field} {sign} {limit}")
        }
        5 if matches!(values, Values::Port) => {
            let first = 1 + d.below(30_000);
            format!("{field} {first}-{}", first + 1 + d.below(30_000))
        }
        6 if matches!(values, Values::V4) => {
            format!("{field} 10.{}.0.0/{}", d.below(3), 16 + d.below(16))
        }
        6 if matches!(values, Values::V6) => {
            format!(
                "{field} 2001:db8:{:x}::/{}",
                d.below(16),
                48 + 8 * d.below(3)
            )
        }
        _ => format!("{field} {}", value(d, values)),
    }
}

const V4_FIELDS: &[(&str, Values)] = &[
    ("ip saddr", Values::V4),
    ("ip daddr", Values::V4),
    ("ip protocol", L4),
    ("ip ttl", Values::Number(255)),
    ("ip length", Values::Number(60_000)),
    ("ip id", Values::Number(60_000)),
    ("ip dscp", DSCP),
];
const V6_FIELDS: &[(&str, Values)] = &[
    ("ip6 saddr", Values::V6),
    ("ip6 daddr", Values::V6),
    ("ip6 nexthdr", L4),
    ("ip6 hoplimit", Values::Number(255)),
    ("ip6 length", Values::Number(60_000)),
];
const TCP_FIELDS: &[(&str, Values)] = &[
    ("tcp sport", Values::Port),
    ("tcp dport", Values::Port),
    ("tcp window", Values::Number(60_000)),
    ("tcp sequence", Values::Number(60_000)),
];
const UDP_FIELDS: &[(&str, Values)] = &[
    ("udp sport", Values::Port),
    ("udp dport", Values::Port),
    ("udp length", Values::Number(60_000)),
];
const SCTP_FIELDS: &[(&str, Values)] =
    &[("sctp sport", Values::Port), ("sctp dport", Values::Port)];
const TH_FIELDS: &[(&str, Values)] = &[("th sport", Values::Port), ("th dport", Values::Port)];
const ICMP_FIELDS: &[(&str, Values)] = &[("icmp type", ICMP), ("icmp id", Values::Number(60_000))];
const ICMPV6_FIELDS: &[(&str, Values)] = &[("icmpv6 type", ICMPV6)];
const META_FIELDS: &[(&str, Values)] = &[
    ("iifname", Values::Ifname),
    ("oifname", Values::Ifname),
    ("meta mark", Values::Mark),
    ("meta length", Values::Number(60_000)),
    ("meta skuid", Values::Number(60_000)),
    ("meta cgroup", Values::Number(60_000)),
    ("meta cpu", Values::Number(8)),
    (
        "meta pkttype",
        Values::Names(&["host", "broadcast", "multicast", "other"]),
    ),
];
const CT_FIELDS: &[(&str, Values)] = &[
    (
        "ct state",
        Values::Names(&["new", "established", "related", "invalid", "untracked"]),
    ),
    ("ct direction", Values::Names(&["original", "reply"])),
    ("ct mark", Values::Mark),
    ("ct zone", Values::Number(60_000)),
    ("ct original bytes", Values::Number(60_000)),
];
const ETHER_FIELDS: &[(&str, Values)] =
    &[("ether saddr", Values::Mac), ("ether daddr", Values::Mac)];

const SIGNS: [&str; 5] = [" != ", " <= ", " >= ", " < ", " > "];

fn fields(d: &mut Dice, list: &[(&str, Values)], most: u64, out: &mut Vec<String>) {
    let mut used = Vec::new();
    for _ in 0..d.below(most + 1) {
        let (field, values) = list[usize::try_from(d.below(list.len() as u64)).unwrap()];
        if !used.contains(&field) {
            used.push(field);
            let mut one = relation(d, field, values);
            // nft merges two inequalities of neighbouring fields into one, which says something else, and lists the
            // bounds of two fields as a range of one.
            for sign in SIGNS {
                let other = |o: &String| SIGNS.iter().any(|s| o.contains(s));
                if one.contains(sign) && out.iter().any(other) {
                    one = one.replace(sign, " ");
                }
            }
            out.push(one);
        }
    }
}

/// What else may be asked of a packet.
fn special(d: &mut Dice, tcp: bool) -> String {
    let mark = value(d, Values::Mark);
    match d.below(11) {
        0 => "ct state established,related".to_owned(),
        1 => format!("meta mark & 0xff == 0x{:x}", d.below(255)),
        2 => "ct status snat,assured".to_owned(),
        3 => format!("ct mark & 0xf0 != {mark}"),
        4 => "fib saddr . iif oif missing".to_owned(),
        5 => "fib daddr type local".to_owned(),
        6 if tcp => "tcp flags & (syn | ack) == syn".to_owned(),
        7 if tcp => "tcp flags syn".to_owned(),
        8 => format!("limit rate {}/second", 1 + d.below(100)),
        9 => format!(
            "limit rate over {}/minute burst {} packets",
            1 + d.below(9),
            6 + d.below(9)
        ),
        _ => format!("ct count over {}", 1 + d.below(100)),
    }
}

fn action(d: &mut Dice, v4: bool) -> String {
    let mark = value(d, Values::Mark);
    match d.below(9) {
        0 => format!("meta mark set {mark}"),
        1 => format!("ct mark set {mark}"),
        2 => "ct mark set meta mark".to_owned(),
        3 => format!("meta mark set meta mark & 0x{:x}", 0xffff - d.below(255)),
        4 => format!("log prefix \"r{}: \" level info", d.below(99)),
        5 => format!("log group {} snaplen {}", d.below(9), 64 + d.below(64)),
        6 => format!("quota over {} mbytes", 1 + d.below(99)),
        7 if v4 => "ip dscp set cs1".to_owned(),
        _ => "counter packets 0 bytes 0".to_owned(),
    }
}

fn verdict(d: &mut Dice) -> &'static str {
    d.pick(&[
        "accept",
        "drop",
        "return",
        "continue",
        "jump other",
        "goto other",
        "",
    ])
}

/// The keys and sets of concatenations and verdict maps; they come last.
fn lookup(d: &mut Dice, network: u64, transport: u64) -> Option<String> {
    let address = value(d, if network == 1 { Values::V4 } else { Values::V6 });
    let saddr = if network == 1 {
        "ip saddr"
    } else {
        "ip6 saddr"
    };
    let port = value(d, Values::Port);
    let iface = value(d, Values::Ifname);
    let protocol = match transport {
        1 => "tcp",
        2 => "udp",
        _ => {
            return match d.below(3) {
                0 => Some(format!(
                    "iifname vmap {{ {iface} : drop, \"eth0\" : jump other }}"
                )),
                1 => Some(
                    "ct state vmap { established : accept, invalid : drop, new : continue }".into(),
                ),
                _ => None,
            };
        }
    };
    match (d.below(5), network) {
        (0, 1 | 2) => Some(format!(
            "{saddr} . {protocol} dport {{ {address} . {port} }}"
        )),
        (1, 1) => Some(format!(
            "ip saddr . {protocol} dport {{ 10.0.0.0/24 . 80-90, 10.1.0.0-10.1.0.9 . {port} }}"
        )),
        (2, 1 | 2) => Some(format!(
            "iifname . {saddr} . {protocol} dport vmap {{ {iface} . {address} . {port} : drop }}"
        )),
        (3, _) => Some(format!(
            "{protocol} dport vmap {{ 22 : accept, 1000-2000 : drop }}"
        )),
        _ => Some(format!(
            "meta mark set {protocol} dport map {{ 22 : 0x1, 80 : 0x2 }}"
        )),
    }
}

/// A rule for a table of a family.
pub fn rule(d: &mut Dice, family: &str) -> String {
    let mut parts = Vec::new();
    let network = match family {
        "ip" => 1,
        "ip6" => 2,
        _ => d.below(3),
    };
    let transport = d.below(7);
    let is_bridge = family == "bridge";
    if is_bridge {
        fields(d, ETHER_FIELDS, 2, &mut parts);
    }
    match network {
        1 => fields(d, V4_FIELDS, 2, &mut parts),
        2 => fields(d, V6_FIELDS, 2, &mut parts),
        _ => {}
    }
    let names_protocol = parts
        .iter()
        .any(|p| p.contains("protocol") || p.contains("nexthdr"));
    if !names_protocol {
        match transport {
            1 => fields(d, TCP_FIELDS, 2, &mut parts),
            2 => fields(d, UDP_FIELDS, 2, &mut parts),
            3 => fields(d, SCTP_FIELDS, 2, &mut parts),
            4 if network != 2 => fields(d, ICMP_FIELDS, 1, &mut parts),
            5 if network != 1 => fields(d, ICMPV6_FIELDS, 1, &mut parts),
            6 => {
                parts.push(format!(
                    "meta l4proto {}",
                    d.pick(&["tcp", "udp", "{ tcp, udp }"])
                ));
                fields(d, TH_FIELDS, 1, &mut parts);
            }
            _ => {}
        }
    }
    fields(d, META_FIELDS, 2, &mut parts);
    if !is_bridge {
        fields(d, CT_FIELDS, 2, &mut parts);
        if network == 1 && d.one_in(8) {
            parts.push(relation(d, "ct original ip saddr", Values::V4));
        }
        if d.one_in(2) {
            parts.push(special(d, transport == 1 && !names_protocol));
        }
    }
    if d.one_in(3) {
        // Another order than that of the layers.
        let n = parts.len();
        for i in (1..n).rev() {
            parts.swap(i, usize::try_from(d.below(i as u64 + 1)).unwrap());
        }
    }
    if !is_bridge && d.one_in(3) {
        parts.push(action(d, network == 1));
    } else if is_bridge && d.one_in(3) {
        parts.push("counter packets 0 bytes 0".to_owned());
    }
    let mut text = parts.join(" ");
    let lookup = if names_protocol || is_bridge {
        None
    } else {
        lookup(d, network, transport)
    };
    match lookup.filter(|_| d.one_in(4)) {
        Some(lookup) => write!(text, " {lookup}").unwrap(),
        None => write!(text, " {}", verdict(d)).unwrap(),
    }
    if d.one_in(5) {
        write!(text, " comment \"rule {}\"", d.below(1000)).unwrap();
    }
    let text = text.trim().to_owned();
    if text.is_empty() || text.starts_with("comment") {
        return "accept".to_owned();
    }
    text
}

/// Types of keys and how their values look.
const TYPES: &[(&str, Values)] = &[
    ("ipv4_addr", Values::V4),
    ("ipv6_addr", Values::V6),
    ("ether_addr", Values::Mac),
    ("inet_service", Values::Port),
    ("inet_proto", L4),
    ("mark", Values::Mark),
    ("ifname", Values::Ifname),
    ("icmp_type", ICMP),
    ("icmpv6_type", ICMPV6),
];

/// A set or map with its elements, as a block of a table that has a chain `other` and a counter `hits`.
pub fn set(d: &mut Dice, name: &str) -> String {
    let fields: Vec<_> = (0..1 + d.below(3))
        .map(|_| TYPES[usize::try_from(d.below(TYPES.len() as u64)).unwrap()])
        .collect();
    let types: Vec<_> = fields.iter().map(|f| f.0).collect();
    let ranges = matches!(fields.as_slice(), [(_, Values::V4 | Values::Port)]) && d.one_in(2);
    let counted = !ranges && d.one_in(4);
    let data = match d.below(6) {
        0 => Some("verdict"),
        1 => Some("mark"),
        2 => Some("ipv4_addr"),
        3 if fields.len() == 1 => Some("counter"),
        _ => None,
    };
    let data = data.filter(|_| !counted);
    let keys: Vec<String> = match (ranges, fields.as_slice()) {
        (true, [(_, values)]) => several(d, *values)
            .trim_matches(['{', ' ', '}'])
            .split(", ")
            .map(str::to_owned)
            .collect(),
        _ => {
            let mut keys: Vec<String> = Vec::new();
            for _ in 0..d.below(9) {
                let key: Vec<_> = fields.iter().map(|f| value(d, f.1)).collect();
                let key = key.join(" . ");
                if !keys.contains(&key) {
                    keys.push(key);
                }
            }
            keys
        }
    };
    let elements: Vec<String> = keys
        .into_iter()
        .map(|key| {
            let comment = match d.one_in(5) {
                true => format!(" comment \"c{}\"", d.below(100)),
                false => String::new(),
            };
            let data = match data {
                None => String::new(),
                Some("verdict") => {
                    format!(" : {}", d.pick(&["accept", "drop", "jump other", "return"]))
                }
                Some("mark") => format!(" : {}", value(d, Values::Mark)),
                Some("counter") => " : \"hits\"".to_owned(),
                Some(_) => format!(" : {}", value(d, Values::V4)),
            };
            format!("{key}{comment}{data}")
        })
        .collect();
    let word = if data.is_some() { "map" } else { "set" };
    let data = data.map_or(String::new(), |data| format!(" : {data}"));
    let mut out = format!("{word} {name} {{ type {}{data};", types.join(" . "));
    if ranges {
        out.push_str(" flags interval;");
    }
    if counted {
        out.push_str(" counter;");
    }
    if d.one_in(4) {
        write!(out, " comment \"set {name}\";").unwrap();
    }
    if !elements.is_empty() {
        write!(out, " elements = {{ {} }};", elements.join(", ")).unwrap();
    }
    out.push_str(" }\n");
    out
}
