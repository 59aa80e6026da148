//! `nft` prints vifd's tables as JSON, and what it prints is what was asked for: sets with their types, elements with
//! values and notes, chains with their hooks, and the number of rules in each.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ::nft::message::Family;
use ::nft::ruleset::TableState;
use ::nft::set::DataType;
use serde_json::{Value, json};
use vifd::exec::nft::Settings;
use vifd::model::{Direction, Family as Ip, Mac, Service};
use vifd::ops::nft::{Entry, NftBody, NftKey, SetId, TABLE, Variant};
use vifd::plan::firewall::nft::layout::{self, NETWORK_SIDE, STATELESS};
use vifd::plan::firewall::nft::tables::{Shape, set, tables};

use super::{all, block_on, inside, start, up, write};

type Items = Vec<(NftKey, Option<NftBody>)>;

const MAC: Mac = Mac([0xfa, 0x16, 0x3e, 0, 0x12, 0x34]);

fn item(set: SetId, key: impl Into<::nft::name::Bytes>, entry: Entry) -> (NftKey, Option<NftBody>) {
    let key = NftKey::Element(set, key.into());
    (key, Some(NftBody::Element(entry)))
}

/// Some elements in every set, of both families, with every kind of selector.
fn elements(variant: Variant) -> Items {
    let plain = Entry::default();
    let valued = |mark: [u8; 4]| Entry {
        data: Some(mark),
        comment: None,
    };
    let noted = |text: &str| Entry {
        data: None,
        comment: Some(text.into()),
    };
    let ip = |text: &str| -> IpAddr { text.parse().unwrap() };
    let net = |text: &str| -> ipnet::IpNet { text.parse().unwrap() };
    let mut items = Vec::new();
    for zone in [1, 0x1234, u16::MAX] {
        let device = layout::device(&format!("tap{zone:08x}-0"));
        items.push(item(
            SetId::Vif,
            device,
            valued(layout::mark(zone, 8000, STATELESS)),
        ));
        let device = layout::device(&format!("qvb{zone:08x}-0"));
        items.push(item(
            SetId::Vif,
            device,
            valued(layout::mark(zone, 1, NETWORK_SIDE)),
        ));
        let device = layout::device(&format!("qbr{zone:08x}-0"));
        items.push(item(SetId::Bridges, device, plain.clone()));
        if SetId::Owners.is_in(variant) {
            items.push(item(SetId::Owners, layout::owner(zone), plain.clone()));
        }
        for set in [SetId::Rarp, SetId::Macs] {
            items.push(item(set, layout::sender(zone, MAC), plain.clone()));
        }
        let (v4, v6) = (ip("10.1.2.3"), ip("2001:db8::5"));
        let (net4, net6) = (net("10.0.0.0/16"), net("2001:db8::/64"));
        for (set, key) in [
            (SetId::Arp, layout::speaker(zone, MAC, v4.into())),
            (SetId::ArpPair, layout::speaker(zone, MAC, net4)),
            (SetId::Source4, layout::sender_at(zone, MAC, v4)),
            (SetId::Source6, layout::sender_at(zone, MAC, v6)),
            (SetId::Pair4, layout::sender_in(zone, MAC, net4)),
            (SetId::Pair6, layout::sender_in(zone, MAC, net6)),
            (SetId::Members4, layout::member(zone & 0x7fff, v4)),
            (SetId::Members6, layout::member(zone & 0x7fff, v6)),
        ] {
            items.push(item(set, key, plain.clone()));
        }
        let profile = zone & 0x1fff;
        let note = format!("{zone}, groups: of \u{e4} port");
        items.push(item(
            SetId::Profiles,
            layout::profile_word(profile),
            noted(&note),
        ));
        let word = layout::source_word(0, zone & 0x7fff);
        items.push(item(SetId::Remotes, word, noted(&note)));
        let source = valued(layout::source_word(profile, 0x8001));
        for (set, key) in [
            (SetId::Slots, layout::slot(profile, 4095)),
            (SetId::Nets4, layout::net(profile, net4)),
            (SetId::Nets6, layout::net(profile, net6)),
            (SetId::NetMacs, layout::net_mac(profile, MAC)),
        ] {
            items.push(item(set, key, source.clone()));
        }
        for (family, service) in services() {
            let tag = layout::tag(Direction::Ingress, family);
            for selector in layout::selectors(service, family) {
                items.push(item(
                    SetId::Pass,
                    layout::pass(profile, 7, tag, selector),
                    plain.clone(),
                ));
            }
        }
    }
    items.dedup();
    items
}

fn services() -> Vec<(Ip, Service)> {
    let range = |protocol, min, max| Service::Ports { protocol, min, max };
    Ip::ALL
        .into_iter()
        .flat_map(|family| {
            [
                Service::Any,
                Service::Protocol(47),
                range(6, 22, 22),
                range(17, 1000, 1999),
                Service::Icmp {
                    kind: 0,
                    code: Some(0),
                },
                Service::Icmp {
                    kind: 128,
                    code: None,
                },
            ]
            .map(|service| (family, service))
        })
        .collect()
}

/// A value as `nft` shows it: one field of a key or the value of a map.
fn shown(kind: DataType, bytes: &[u8]) -> Value {
    match kind {
        DataType::MARK => u32::from_ne_bytes(bytes.try_into().unwrap()).into(),
        DataType::ETHER_ADDR => {
            let parts: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
            parts.join(":").into()
        }
        DataType::IPV4_ADDR => Ipv4Addr::from(<[u8; 4]>::try_from(bytes).unwrap())
            .to_string()
            .into(),
        DataType::IPV6_ADDR => Ipv6Addr::from(<[u8; 16]>::try_from(bytes).unwrap())
            .to_string()
            .into(),
        DataType::INET_PROTO => bytes[0].into(),
        DataType::IFNAME => {
            let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
            String::from_utf8(bytes[..end].to_vec()).unwrap().into()
        }
        other => panic!("no set has {other:?}"),
    }
}

/// An element as `nft` shows it; counters are left out on both sides.
fn element(id: SetId, key: &[u8], entry: &Entry) -> Value {
    let set = set(id);
    let mut rest = key;
    let mut fields: Vec<Value> = Vec::new();
    for kind in set.key_type.unwrap().fields() {
        let len = kind.length().unwrap() as usize;
        let (field, tail) = rest.split_at(len.next_multiple_of(4).min(rest.len()));
        fields.push(shown(kind, &field[..len]));
        rest = tail;
    }
    assert!(rest.is_empty(), "{id:?}: {rest:?} is left of the key");
    let key = match fields.len() {
        1 => fields.remove(0),
        _ => json!({ "concat": fields }),
    };
    match (entry.data, &entry.comment) {
        (Some(data), _) => json!([key, shown(set.data_type.unwrap(), &data)]),
        (None, Some(comment)) => json!({"elem": {"val": key, "comment": **comment}}),
        (None, None) => key,
    }
}

fn family_name(family: Family) -> &'static str {
    if family == Family::BRIDGE {
        "bridge"
    } else {
        "inet"
    }
}

/// What `nft` says of vifd's table: the values of all objects of one kind.
fn listed(family: Family, kind: &str) -> Vec<Value> {
    let line = format!("-n -j list table {} {TABLE}", family_name(family));
    let text = super::nft(&line).unwrap_or_else(|error| panic!("nft {line}: {error}"));
    let all: Value = serde_json::from_str(&text).unwrap();
    let objects = all["nftables"].as_array().unwrap();
    objects
        .iter()
        .filter_map(|o| o.get(kind).cloned())
        .collect()
}

fn without_counters(mut element: Value) -> Value {
    if let Some(inner) = element.get_mut("elem") {
        inner.as_object_mut().unwrap().remove("counter");
    }
    element
}

fn sorted(list: impl Iterator<Item = Value>) -> Vec<String> {
    let mut list: Vec<String> = list.map(|value| value.to_string()).collect();
    list.sort_unstable();
    list
}

fn check_table(variant: Variant, table: &TableState, elements: &Items) {
    let sets: BTreeMap<String, Value> = ["set", "map"]
        .into_iter()
        .flat_map(|kind| listed(table.family, kind))
        .map(|set| (set["name"].as_str().unwrap().to_owned(), set))
        .collect();
    let mine = |id: &&SetId| id.is_in(variant) && id.family(variant) == table.family;
    assert_eq!(sets.len(), SetId::ALL.iter().filter(mine).count());
    for id in SetId::ALL.iter().filter(mine) {
        let intended = elements.iter().filter_map(|(key, body)| match (key, body) {
            (NftKey::Element(set, key), Some(NftBody::Element(entry))) if set == id => {
                Some(element(*id, key.as_slice(), entry))
            }
            _ => None,
        });
        let intended = sorted(intended);
        assert!(!intended.is_empty(), "no element of {id:?} is looked at");
        let found = sets[id.name()]["elem"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let found = sorted(found.into_iter().map(without_counters));
        assert_eq!(found, intended, "elements of {id:?}");
    }
    let chains = listed(table.family, "chain");
    assert_eq!(chains.len(), table.chains.len());
    let rules = listed(table.family, "rule");
    for (name, state) in &table.chains {
        let name = name.to_string();
        let chain = chains.iter().find(|chain| chain["name"] == *name).unwrap();
        let hook = state.chain.hook.as_ref();
        assert_eq!(chain.get("hook").is_some(), hook.is_some(), "{chain}");
        if let Some(hook) = hook {
            assert_eq!(chain["prio"], hook.priority, "{chain}");
        }
        let n_rules = rules.iter().filter(|rule| rule["chain"] == *name).count();
        assert_eq!(n_rules, state.rules.len(), "rules of {name}");
    }
}

#[test]
fn nft_prints_what_was_asked_for_as_json() {
    inside(|| {
        block_on(async {
            let (mut mailbox, _) = start(Settings::default());
            let (variant, _) = up(&mut mailbox).await;
            let shape = Shape {
                slots: 8,
                nets4: [1, 16, 31].into(),
                nets6: [1, 64, 127].into(),
                pairs4: [0, 16, 31].into(),
                pairs6: [0, 64, 127].into(),
            };
            let elements = elements(variant);
            write(
                &mut mailbox,
                [all(variant, &shape), elements.clone()].concat(),
            )
            .await;
            for table in tables(variant, &shape) {
                check_table(variant, &table, &elements);
            }
        });
    });
}
