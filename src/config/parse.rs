//! Texts to typed values. Every error says what is allowed.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::{BridgeMapping, DatapathType, LogFormat, OvsdbAddress};
use crate::model::{FirewallDriver, TunnelType};

type Parsed<T> = Result<T, String>;

/// One of `true`, `false` and their usual spellings.
pub(super) fn boolean(text: &str) -> Parsed<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("not a truth value: give true or false".to_owned()),
    }
}

/// A whole number within bounds.
pub(super) fn number<T>(text: &str, min: T, max: T) -> Parsed<T>
where
    T: FromStr + PartialOrd + std::fmt::Display,
{
    match text.parse::<T>() {
        Ok(n) if min <= n && n <= max => Ok(n),
        _ => Err(format!(
            "not a whole number from {min} to {max}{}",
            comment_hint(text)
        )),
    }
}

/// Whole seconds.
pub(super) fn seconds(text: &str) -> Parsed<Duration> {
    number(text, 1, 3600)
        .map(Duration::from_secs)
        .map_err(|e| format!("{e} (seconds)"))
}

/// Whole milliseconds.
pub(super) fn milliseconds(text: &str) -> Parsed<Duration> {
    number(text, 1, 60_000)
        .map(Duration::from_millis)
        .map_err(|e| format!("{e} (milliseconds)"))
}

/// A name that a network device can have: bridges and ports are devices.
pub(super) fn device(text: &str) -> Parsed<Arc<str>> {
    let bad = |c: char| c.is_whitespace() || c.is_control() || c == '/' || c == ':' || c == ',';
    if text.is_empty() || text.len() > 15 || text.contains(bad) || text == "." || text == ".." {
        Err(format!(
            "not a device name: 1 to 15 bytes without white space, /, : or ,{}",
            comment_hint(text)
        ))
    } else {
        Ok(Arc::from(text))
    }
}

/// A path from the root.
pub(super) fn path(text: &str) -> Parsed<PathBuf> {
    if Path::new(text).is_absolute() {
        Ok(PathBuf::from(text))
    } else {
        Err("not an absolute path: start it with /".to_owned())
    }
}

/// Like [`path`], or nothing.
pub(super) fn optional_path(text: &str) -> Parsed<Option<PathBuf>> {
    if text.is_empty() {
        Ok(None)
    } else {
        path(text).map(Some)
    }
}

/// A host's name as the control plane writes it.
pub(super) fn host(text: &str) -> Parsed<Arc<str>> {
    if text.is_empty()
        || text.len() > 255
        || text.contains(|c: char| c.is_whitespace() || c.is_control())
    {
        Err("not a host name: 1 to 255 bytes without white space".to_owned())
    } else {
        Ok(Arc::from(text))
    }
}

/// A source address for tunnels, or nothing.
pub(super) fn local_ip(text: &str) -> Parsed<Option<IpAddr>> {
    if text.is_empty() {
        return Ok(None);
    }
    let allowed = "give an IPv4 or IPv6 address of this host, e.g. 192.0.2.1";
    match text.parse::<IpAddr>() {
        Err(_) => Err(format!(
            "not an IP address: {allowed}{}",
            comment_hint(text)
        )),
        Ok(ip) if ip.is_unspecified() => Err(format!(
            "the unspecified address is no tunnel endpoint: {allowed}"
        )),
        Ok(ip) if ip.is_multicast() => Err(format!(
            "a multicast address is no tunnel endpoint: {allowed}"
        )),
        Ok(IpAddr::V4(ip)) if ip.is_broadcast() => Err(format!(
            "the broadcast address is no tunnel endpoint: {allowed}"
        )),
        Ok(ip) => Ok(Some(ip)),
    }
}

/// `physnet:bridge,…` with the checks and the words of Neutron's agent. Everything wrong is told.
pub(super) fn bridge_mappings(text: &str) -> Parsed<Vec<BridgeMapping>> {
    let mut mappings: Vec<BridgeMapping> = Vec::new();
    let mut wrong = Vec::new();
    for mapping in text
        .split([',', '\n'])
        .map(str::trim)
        .filter(|m| !m.is_empty())
    {
        let parts: Vec<&str> = mapping.split(':').map(str::trim).collect();
        let [physical_network, bridge] = parts.as_slice() else {
            wrong.push(format!(
                "Invalid mapping: '{mapping}' (give PHYSICAL_NETWORK:BRIDGE)"
            ));
            continue;
        };
        if physical_network.is_empty() {
            wrong.push(format!("Missing key in mapping: '{mapping}'"));
        } else if bridge.is_empty() {
            wrong.push(format!("Missing value in mapping: '{mapping}'"));
        } else if mappings
            .iter()
            .any(|m| &*m.physical_network == *physical_network)
        {
            wrong.push(format!(
                "Key {physical_network} in mapping: '{mapping}' not unique"
            ));
        } else if mappings.iter().any(|m| &*m.bridge == *bridge) {
            wrong.push(format!("Value {bridge} in mapping: '{mapping}' not unique"));
        } else {
            match device(bridge) {
                Ok(bridge) => mappings.push(BridgeMapping {
                    physical_network: Arc::from(*physical_network),
                    bridge,
                }),
                Err(why) => wrong.push(format!("bridge {bridge} in mapping: '{mapping}': {why}")),
            }
        }
    }
    if wrong.is_empty() {
        Ok(mappings)
    } else {
        Err(wrong.join("; "))
    }
}

/// `gre,vxlan`: encapsulations, each once.
pub(super) fn tunnel_types(text: &str) -> Parsed<Vec<TunnelType>> {
    let mut kinds = Vec::new();
    for name in text
        .split([',', '\n'])
        .map(str::trim)
        .filter(|n| !n.is_empty())
    {
        match name.parse::<TunnelType>() {
            Ok(kind) if kinds.contains(&kind) => {}
            Ok(kind) => kinds.push(kind),
            Err(()) => {
                return Err(format!(
                    "unknown tunnel type {name:?}: allowed are gre and vxlan{}",
                    comment_hint(text)
                ));
            }
        }
    }
    Ok(kinds)
}

/// Where ovsdb-server listens.
pub(super) fn ovsdb_address(text: &str) -> Parsed<OvsdbAddress> {
    let allowed = "give unix:/PATH, tcp:IP:PORT or ssl:IP:PORT (an IPv6 address in [])";
    let (scheme, rest) = text.split_once(':').unwrap_or((text, ""));
    let socket = || {
        rest.parse::<SocketAddr>()
            .map_err(|_| format!("{rest:?} is not IP:PORT: {allowed}"))
    };
    match scheme {
        "unix" if Path::new(rest).is_absolute() => Ok(OvsdbAddress::Unix(PathBuf::from(rest))),
        "unix" => Err(format!("{rest:?} is not an absolute path: {allowed}")),
        "tcp" => socket().map(OvsdbAddress::Tcp),
        "ssl" => socket().map(OvsdbAddress::Ssl),
        _ => Err(format!("unknown connection method {scheme:?}: {allowed}")),
    }
}

/// The database's address; what it may be is up to the store, only the family is checked here.
pub(super) fn database(text: &str) -> Parsed<Arc<str>> {
    match text.split_once(":///") {
        Some(("sqlite", path)) if !path.is_empty() => Ok(Arc::from(text)),
        _ => Err(
            "not a database that this build can use: give sqlite:////ABSOLUTE/PATH (four slashes)"
                .to_owned(),
        ),
    }
}

/// `IP:PORT`, or nothing.
pub(super) fn listen(text: &str) -> Parsed<Option<SocketAddr>> {
    match text {
        "" => Ok(None),
        _ => text.parse().map(Some).map_err(|_| {
            "not IP:PORT: give e.g. 127.0.0.1:9477, or nothing to switch it off".to_owned()
        }),
    }
}

/// Neutron's names for its drivers, short ones and paths of classes, and vifd's own. What was iptables there is
/// nf_tables here.
pub(super) fn firewall_driver(text: &str) -> Parsed<FirewallDriver> {
    let name = text.rsplit('.').next().unwrap_or(text);
    match name {
        "" | "noop" | "NoopFirewallDriver" => Ok(FirewallDriver::Noop),
        "openvswitch" | "OVSFirewallDriver" => Ok(FirewallDriver::OpenFlow),
        "nft"
        | "iptables"
        | "iptables_hybrid"
        | "IptablesFirewallDriver"
        | "OVSHybridIptablesFirewallDriver" => Ok(FirewallDriver::Nft),
        _ => Err(
            "not a firewall driver: give noop, openvswitch (flows of the integration bridge) or nft (nf_tables on Linux bridges; iptables and iptables_hybrid mean the same)"
                .to_owned(),
        ),
    }
}

/// `system` or `netdev`.
pub(super) fn datapath_type(text: &str) -> Parsed<DatapathType> {
    match text {
        "system" => Ok(DatapathType::System),
        "netdev" => Ok(DatapathType::Netdev),
        _ => Err(
            "unknown datapath type: allowed are system (kernel) and netdev (userspace)".to_owned(),
        ),
    }
}

/// `text` or `json`.
pub(super) fn log_format(text: &str) -> Parsed<LogFormat> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("unknown log format: allowed are text and json".to_owned()),
    }
}

/// A level, and levels of single modules after it: `info,vifd::exec=debug`.
pub(super) fn log_level(text: &str) -> Parsed<Arc<str>> {
    let level = |l: &str| {
        ["off", "error", "warn", "info", "debug", "trace"]
            .contains(&l.to_ascii_lowercase().as_str())
    };
    let module = |m: &str| {
        !m.is_empty()
            && m.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b':' || b == b'_')
    };
    let good = |part: &str| match part.split_once('=') {
        Some((m, l)) => module(m) && level(l),
        None => level(part),
    };
    if text.split(',').all(good) {
        Ok(Arc::from(text))
    } else {
        Err("not a log level: give off, error, warn, info, debug or trace, then MODULE=LEVEL parts behind commas if wanted".to_owned())
    }
}

fn comment_hint(text: &str) -> &'static str {
    if text.contains(['#', ';']) {
        " (a comment needs a line of its own)"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_speak_neutrons_words() {
        let mappings = bridge_mappings(" physnet1:br-ex , ,physnet2 : br-b,\n").unwrap();
        let shown: Vec<_> = mappings
            .iter()
            .map(|m| format!("{}:{}", m.physical_network, m.bridge))
            .collect();
        assert_eq!(shown, ["physnet1:br-ex", "physnet2:br-b"]);
        for (text, message) in [
            ("a", "Invalid mapping: 'a'"),
            ("a:b:c", "Invalid mapping: 'a:b:c'"),
            (":b", "Missing key in mapping: ':b'"),
            ("a:", "Missing value in mapping: 'a:'"),
            ("a:b,a:c", "Key a in mapping: 'a:c' not unique"),
            ("a:b,c:b", "Value b in mapping: 'c:b' not unique"),
            ("a:br-much-too-long-a-name", "not a device name"),
        ] {
            let error = bridge_mappings(text).unwrap_err();
            assert!(error.contains(message), "{text}: {error}");
        }
        assert_eq!(
            bridge_mappings("a,:b,c:")
                .unwrap_err()
                .matches("; ")
                .count(),
            2,
            "all at once"
        );
    }

    #[test]
    fn local_ip_must_be_an_endpoint() {
        assert_eq!(
            local_ip("2001:db8::1").unwrap().unwrap().to_string(),
            "2001:db8::1"
        );
        assert_eq!(local_ip("").unwrap(), None);
        for bad in [
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
            "192.0.2.1/24",
            "eth0",
        ] {
            local_ip(bad).unwrap_err();
        }
    }

    #[test]
    fn ovsdb_addresses() {
        for good in [
            "unix:/run/x.sock",
            "tcp:127.0.0.1:6640",
            "tcp:[::1]:6640",
            "ssl:192.0.2.7:6640",
        ] {
            assert_eq!(ovsdb_address(good).unwrap().to_string(), good);
        }
        for bad in [
            "",
            "unix:",
            "unix:x",
            "tcp:127.0.0.1",
            "tcp:host:1",
            "ptcp:1:1",
            "/run/x.sock",
        ] {
            assert!(
                ovsdb_address(bad).unwrap_err().contains("give unix:/PATH"),
                "{bad}"
            );
        }
    }

    #[test]
    fn scalars() {
        assert_eq!(boolean("Yes"), Ok(true));
        boolean("maybe").unwrap_err();
        assert_eq!(number("65535", 1u16, u16::MAX), Ok(65535));
        for bad in ["0", "65536", "-1", "1.5", ""] {
            number(bad, 1u16, u16::MAX).unwrap_err();
        }
        assert!(
            number("5 # five", 1u16, 9)
                .unwrap_err()
                .contains("a line of its own")
        );
        assert_eq!(
            tunnel_types("vxlan, gre,vxlan"),
            Ok(vec![TunnelType::Vxlan, TunnelType::Gre])
        );
        assert!(
            tunnel_types("geneve")
                .unwrap_err()
                .contains("gre and vxlan")
        );
        log_level("info,vifd::exec=trace").unwrap();
        for bad in ["", "loud", "info,=debug", "a b=info"] {
            log_level(bad).unwrap_err();
        }
        database("sqlite:///rel.db").unwrap();
        for bad in [
            "",
            "sqlite://",
            "sqlite:///",
            "mysql://a/b",
            "/var/lib/x.db",
        ] {
            database(bad).unwrap_err();
        }
        assert_eq!(listen(""), Ok(None));
        listen("9477").unwrap_err();
    }
}
