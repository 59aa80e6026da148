//! The probe says of each feature what `nft` finds when it uses it, and changes nothing.

use std::time::Duration;

use nft::net::{Client, Events};
use nft::probe::{Choice, Feature, Variant};

use crate::namespace::{isolated, tool, try_tool};

const INPUT: &str = "type filter hook input priority 0;";
const RAW: &str = "type filter hook prerouting priority -300;";

/// A script that uses the feature. `any` is a family that the kernel has.
fn script(feature: Feature, any: &str) -> Option<String> {
    let rule = |family: &str, hook: &str, rule: &str| {
        Some(format!(
            "table {family} x {{ chain c {{ {hook} {rule}; }}; }}"
        ))
    };
    let body = |body: &str| Some(format!("table {any} x {{\n{body}\n}}"));
    let forward = "type filter hook forward priority 0;";
    match feature {
        Feature::Inet => rule("inet", INPUT, "accept"),
        Feature::Bridge => rule("bridge", forward, "accept"),
        Feature::Netdev => rule(
            "netdev",
            "type filter hook ingress device lo priority 0;",
            "accept",
        ),
        Feature::Egress => rule(
            "netdev",
            "type filter hook egress device lo priority 0;",
            "accept",
        ),
        Feature::Conntrack => rule("inet", INPUT, "ct state new"),
        Feature::BridgeConntrack => rule("bridge", forward, "ct state new"),
        Feature::ConntrackZones => rule("inet", RAW, "ct zone set 7"),
        Feature::BridgeConntrackZones => rule("bridge", RAW, "ct zone set 7"),
        Feature::ConntrackCount => rule("inet", INPUT, "ct count 1 accept"),
        Feature::BridgeMeta => rule("bridge", forward, "meta ibrname \"x\""),
        Feature::ConcatIntervals => {
            body("set s { type ipv4_addr . inet_service; flags interval; }")
        }
        Feature::SetTimeouts => body("set s { type ipv4_addr; flags timeout; }"),
        Feature::SetExpressions => body("set s { type ipv4_addr; counter; }"),
        Feature::DynamicSets => body(
            "set s { type ipv4_addr; flags dynamic,timeout; }
             chain c { type filter hook input priority 0; add @s { ip saddr }\n}",
        ),
        Feature::NamedObjects => body("counter o { }"),
        Feature::Flowtables => {
            let flowtable = "flowtable f { hook ingress priority 0; devices = { lo }; }";
            Some(format!("table inet x {{\n{flowtable}\n}}"))
        }
        Feature::Nat => rule(
            "ip",
            "type nat hook prerouting priority -100;",
            "dnat to 192.0.2.1",
        ),
        Feature::Masquerade => rule(
            "ip",
            "type nat hook postrouting priority 100;",
            "masquerade",
        ),
        Feature::Redirect => rule("ip", "type nat hook prerouting priority -100;", "redirect"),
        Feature::Notrack => rule("inet", RAW, "notrack"),
        Feature::BridgeNotrack => rule("bridge", RAW, "notrack"),
        Feature::Reject => rule("inet", INPUT, "reject"),
        Feature::BridgeReject => rule(
            "bridge",
            "type filter hook prerouting priority 0;",
            "reject",
        ),
        Feature::Log => rule(any, INPUT, "log"),
        Feature::Queue => rule(any, INPUT, "queue flags bypass to 0"),
        Feature::Fib => rule("inet", RAW, "fib saddr . iif oif missing drop"),
        Feature::Socket => rule("inet", RAW, "socket transparent 1 accept"),
        Feature::Tproxy => rule(
            "inet",
            "type filter hook prerouting priority -150;",
            "meta l4proto tcp tproxy to :80",
        ),
        Feature::Synproxy => rule("inet", INPUT, "meta l4proto tcp synproxy mss 1460"),
        // nft 1.0.6 has no text for these; tests/kernel/batch.rs uses the flags.
        Feature::TableOwner | Feature::TablePersist | Feature::ConntrackLabels => None,
    }
}

#[test]
fn findings_agree_with_nft_and_leave_no_trace() {
    isolated(|| {
        let mut client = Client::open().unwrap();
        let generation = client.generation().unwrap();
        let mut events = Events::open().unwrap();
        let features = client.probe().unwrap();
        assert_eq!(features.iter().count(), Feature::ALL.len());
        assert_eq!(client.generation().unwrap(), generation);
        assert!(events.wait(Duration::from_millis(50)).unwrap().is_none());
        assert_eq!(tool("nft", &["list", "ruleset"], ""), "");

        let any = if features.has(Feature::Inet) {
            "inet"
        } else {
            "bridge"
        };
        let mut disagreements = Vec::new();
        for feature in Feature::ALL {
            let Some(script) = script(feature, any) else {
                continue;
            };
            let verdict = try_tool("nft", &["-f", "-"], &script);
            if verdict.is_ok() != features.has(feature) {
                disagreements.push(format!("{feature:?}: nft says {verdict:?}"));
            }
            tool("nft", &["flush", "ruleset"], "");
        }
        assert!(
            disagreements.is_empty(),
            "{disagreements:#?}\n{}",
            features.report()
        );
        // Linux 5.12, and 6.9.
        assert!(features.has(Feature::TableOwner));
        let release = tool("uname", &["-r"], "");
        let is_old = [
            "5.", "6.0", "6.1.", "6.2.", "6.3.", "6.4.", "6.5.", "6.6.", "6.7.", "6.8.",
        ];
        let is_old = is_old.iter().any(|old| release.starts_with(old));
        assert_eq!(features.has(Feature::TablePersist), !is_old, "{release}");
        let choice = Choice::of(&features, true);
        let best = if features.has(Feature::BridgeConntrack) {
            Variant::BridgeConntrack
        } else {
            Variant::BridgeNetfilter
        };
        assert_eq!(choice.variant, best, "{:?}", choice.reasons);
    });
}
