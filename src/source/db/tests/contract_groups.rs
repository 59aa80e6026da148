//! The contract for security groups: in a world full of them, whatever happens, what was told step by step is what a
//! new follower is told at once.

use proptest::prelude::*;

use super::*;
use crate::store::{StoreError, changelog};

const PORTS: u32 = 6;
const GROUPS: u32 = 4;
const RULES: u32 = 5;

/// What happens to the database.
#[derive(Clone, Debug)]
enum Event {
    Join(u32, u32),
    Leave(u32, u32),
    Bind(u32, u8),
    Port(u32, u8),
    PortGone(u32),
    Mac(u32, u32),
    Address(u32, u32),
    AddressGone(u32),
    Pair(u32, u32),
    PairChange(u32, u32),
    PairGone(u32),
    Group(u32),
    GroupGone(u32),
    Stateful(u32, bool),
    /// Rule, group, what it names.
    Rule(u32, u32, u8),
    RuleGone(u32),
    RuleRemote(u32, u8),
    AddressGroup(u32),
    AddressGroupGone(u32),
    Entry(u32, u32, u32),
    EntryGone(u32),
    /// Somebody writes by hand what breaks a group, a rule or a member.
    Break(u32, u8),
    Look,
    Prune(u32),
}

fn event() -> impl Strategy<Value = Event> {
    let port = || 0..PORTS;
    let group = || 0..GROUPS;
    prop_oneof![
        6 => (port(), group()).prop_map(|(p, g)| Event::Join(p, g)),
        4 => (port(), group()).prop_map(|(p, g)| Event::Leave(p, g)),
        2 => (port(), 0..3u8).prop_map(|(p, h)| Event::Bind(p, h)),
        2 => (port(), 0..3u8).prop_map(|(p, h)| Event::Port(p, h)),
        1 => port().prop_map(Event::PortGone),
        1 => (port(), port()).prop_map(|(p, m)| Event::Mac(p, m)),
        2 => (port(), 1..9u32).prop_map(|(p, n)| Event::Address(p, n)),
        1 => port().prop_map(Event::AddressGone),
        2 => (port(), 0..3u32).prop_map(|(p, n)| Event::Pair(p, n)),
        1 => (port(), 0..3u32).prop_map(|(p, n)| Event::PairChange(p, n)),
        1 => port().prop_map(Event::PairGone),
        1 => group().prop_map(Event::Group),
        1 => group().prop_map(Event::GroupGone),
        1 => (group(), any::<bool>()).prop_map(|(g, on)| Event::Stateful(g, on)),
        4 => (0..RULES, group(), 0..8u8).prop_map(|(r, g, to)| Event::Rule(r, g, to)),
        3 => (0..RULES).prop_map(Event::RuleGone),
        2 => (0..RULES, 0..8u8).prop_map(|(r, to)| Event::RuleRemote(r, to)),
        1 => (0..2u32).prop_map(Event::AddressGroup),
        1 => (0..2u32).prop_map(Event::AddressGroupGone),
        2 => (0..3u32, 0..2u32, 0..3u32).prop_map(|(e, a, n)| Event::Entry(e, a, n)),
        2 => (0..3u32).prop_map(Event::EntryGone),
        3 => (0..PORTS, 0..23u8).prop_map(|(n, how)| Event::Break(n, how)),
        8 => Just(Event::Look),
        1 => (1..40u32).prop_map(Event::Prune),
    ]
}

/// Two ports on each of two hosts and two on none, each in one group; every group lets another one in, one of them
/// addresses too.
fn world() -> Lab {
    let mut lab = Lab::new();
    lab.network(0);
    lab.subnet(0);
    for n in 0..2 {
        lab.sql(
            "INSERT INTO address_groups (id) VALUES (?)",
            &[id("9", n).into()],
        );
    }
    (0..GROUPS).for_each(|n| lab.group(n));
    for n in 0..GROUPS {
        lab.rule(n, n, "remote_group_id", &id("e", (n + 1) % GROUPS));
    }
    lab.rule(4, 0, "remote_address_group_id", &id("9", 0));
    for n in 0..PORTS {
        lab.port(n, 0, [None, Some("hv1"), Some("hv2")][n as usize % 3]);
        lab.address(n, &format!("10.0.0.{}", n + 10));
        lab.join(n, n % GROUPS);
    }
    lab
}

/// What a rule names: prefix, group, address group.
fn remote(n: u8) -> [Value; 3] {
    let none = Value::Null;
    match n {
        0..4 => [none, id("e", n.into()).into(), Value::Null],
        4..6 => [none, Value::Null, id("9", u32::from(n) - 4).into()],
        6 => ["10.0.0.0/8".into(), none, Value::Null],
        _ => [none, Value::Null, Value::Null],
    }
}

fn host_of(n: u8) -> Value {
    match n {
        0 => Value::Null,
        n => format!("hv{n}").into(),
    }
}

/// Does it; what a constraint refuses does not happen.
fn apply(lab: &mut Lab, event: &Event) {
    let (sql, params): (&str, Vec<Value>) = match event {
        Event::Join(p, g) => (
            "INSERT INTO port_security_groups (port_id, group_id) VALUES (?, ?)",
            vec![id("d", *p).into(), id("e", *g).into()],
        ),
        Event::Leave(p, g) => (
            "DELETE FROM port_security_groups WHERE port_id = ? AND group_id = ?",
            vec![id("d", *p).into(), id("e", *g).into()],
        ),
        Event::Bind(p, h) => (
            "UPDATE ports SET host = ? WHERE id = ?",
            vec![host_of(*h), id("d", *p).into()],
        ),
        Event::Port(p, h) => (
            "INSERT INTO ports (id, network_id, mac, host) VALUES (?, ?, ?, ?)",
            vec![
                id("d", *p).into(),
                id("a", 0).into(),
                mac(*p).into(),
                host_of(*h),
            ],
        ),
        Event::PortGone(p) => ("DELETE FROM ports WHERE id = ?", vec![id("d", *p).into()]),
        Event::Mac(p, m) => (
            "UPDATE ports SET mac = ? WHERE id = ?",
            vec![mac(m + 50).into(), id("d", *p).into()],
        ),
        Event::Address(p, n) => (
            "INSERT INTO fixed_ips (port_id, subnet_id, ip) VALUES (?, ?, ?)",
            vec![
                id("d", *p).into(),
                id("c", 0).into(),
                format!("10.0.0.{n}").into(),
            ],
        ),
        Event::AddressGone(p) => (
            "DELETE FROM fixed_ips WHERE port_id = ?",
            vec![id("d", *p).into()],
        ),
        Event::Pair(p, n) => (
            "INSERT INTO address_pairs (port_id, prefix) VALUES (?, ?)",
            vec![id("d", *p).into(), format!("192.0.2.{n}").into()],
        ),
        Event::PairChange(p, n) => (
            "UPDATE address_pairs SET mac = ? WHERE port_id = ?",
            vec![mac(n + 70).into(), id("d", *p).into()],
        ),
        Event::PairGone(p) => (
            "DELETE FROM address_pairs WHERE port_id = ?",
            vec![id("d", *p).into()],
        ),
        Event::Group(g) => (
            "INSERT INTO security_groups (id, name) VALUES (?, ?)",
            vec![id("e", *g).into(), format!("g{g}").into()],
        ),
        Event::GroupGone(g) => (
            "DELETE FROM security_groups WHERE id = ?",
            vec![id("e", *g).into()],
        ),
        Event::Stateful(g, on) => (
            "UPDATE security_groups SET stateful = ? WHERE id = ?",
            vec![(*on).into(), id("e", *g).into()],
        ),
        Event::Rule(r, g, to) => {
            let [prefix, group, addresses] = remote(*to);
            (
                "INSERT INTO security_group_rules (id, group_id, direction, ethertype, protocol, port_min, port_max, \
                 remote_prefix, remote_group_id, remote_address_group_id) VALUES (?, ?, 'ingress', 'IPv4', 'tcp', 80, \
                 80, ?, ?, ?)",
                vec![
                    id("f", *r).into(),
                    id("e", *g).into(),
                    prefix,
                    group,
                    addresses,
                ],
            )
        }
        Event::RuleGone(r) => (
            "DELETE FROM security_group_rules WHERE id = ?",
            vec![id("f", *r).into()],
        ),
        Event::RuleRemote(r, to) => {
            let [prefix, group, addresses] = remote(*to);
            (
                "UPDATE security_group_rules SET remote_prefix = ?, remote_group_id = ?, remote_address_group_id = ? \
                 WHERE id = ?",
                vec![prefix, group, addresses, id("f", *r).into()],
            )
        }
        Event::AddressGroup(a) => (
            "INSERT INTO address_groups (id) VALUES (?)",
            vec![id("9", *a).into()],
        ),
        Event::AddressGroupGone(a) => (
            "DELETE FROM address_groups WHERE id = ?",
            vec![id("9", *a).into()],
        ),
        Event::Entry(e, a, n) => (
            "INSERT INTO address_group_entries (id, address_group_id, prefix) VALUES (?, ?, ?)",
            vec![
                id("8", *e).into(),
                id("9", *a).into(),
                format!("198.51.100.{n}").into(),
            ],
        ),
        Event::EntryGone(e) => (
            "DELETE FROM address_group_entries WHERE id = ?",
            vec![id("8", *e).into()],
        ),
        Event::Break(n, how) => return lab.by_hand(&broken(*n, *how)),
        Event::Prune(keep) => {
            changelog::prune(&mut *lab.store, *keep).unwrap();
            return;
        }
        Event::Look => return,
    };
    match lab.store.execute(sql, &params) {
        Ok(_) | Err(StoreError::Constraint(_)) => {}
        Err(error) => panic!("{sql}: {}", error.chain()),
    }
}

/// What the `sqlite3` shell, where foreign keys are off, lets somebody do.
fn broken(n: u32, how: u8) -> String {
    let (port, group, rule) = (id("d", n), id("e", n % GROUPS), id("f", n % RULES));
    let (entry, addresses) = (id("8", n % 3), id("9", n % 2));
    let (other_port, other) = (id("d", (n + 1) % PORTS), id("e", (n + 1) % GROUPS));
    match how {
        0 => format!("DELETE FROM security_groups WHERE id = '{group}'"),
        1 => format!("DELETE FROM ports WHERE id = '{port}'"),
        2 => format!("UPDATE security_group_rules SET protocol = 'tpc' WHERE id = '{rule}'"),
        3 => format!("UPDATE security_group_rules SET remote_group_id = 'x' WHERE id = '{rule}'"),
        4 => format!(
            "REPLACE INTO security_group_rules (id, group_id, direction, ethertype, remote_group_id) VALUES ('{rule}', \
             '{group}', 'egress', 'IPv4', '{other}')"
        ),
        5 => format!("REPLACE INTO security_groups (id, name) VALUES ('{group}', 'again')"),
        6 => format!("UPDATE OR REPLACE security_groups SET id = '{other}' WHERE id = '{group}'"),
        7 => format!(
            "UPDATE OR REPLACE port_security_groups SET group_id = '{other}' WHERE port_id = '{port}'"
        ),
        8 => format!(
            "UPDATE OR REPLACE port_security_groups SET port_id = '{port}' WHERE group_id = '{group}'"
        ),
        9 => format!(
            "UPDATE OR REPLACE address_group_entries SET address_group_id = '{addresses}' WHERE id = '{entry}'"
        ),
        10 => {
            format!("UPDATE OR IGNORE address_group_entries SET prefix = 'x' WHERE id = '{entry}'")
        }
        11 => format!(
            "REPLACE INTO address_group_entries VALUES ('{entry}', '{addresses}', '198.51.100.1')"
        ),
        12 => format!("DELETE FROM address_groups WHERE id = '{addresses}'"),
        13 => format!(
            "UPDATE OR REPLACE security_group_rules SET id = '{}' WHERE id = '{rule}'",
            id("f", (n + 1) % RULES)
        ),
        14 => format!("UPDATE OR REPLACE ports SET id = '{other_port}' WHERE id = '{port}'"),
        15 => format!(
            "UPDATE OR REPLACE ports SET mac = '{}' WHERE id = '{port}'",
            mac((n + 1) % PORTS)
        ),
        16 => format!("UPDATE ports SET mac = 'm{n}' WHERE id = '{port}'"),
        17 => format!(
            "REPLACE INTO fixed_ips VALUES ('{port}', '{}', '10.0.0.10')",
            id("c", 0)
        ),
        18 => format!("UPDATE OR REPLACE fixed_ips SET ip = '10.0.0.11' WHERE port_id = '{port}'"),
        19 => format!(
            "REPLACE INTO address_group_entries VALUES ('{entry}', '{addresses}', '198.51.100.0')"
        ),
        20 => format!(
            "UPDATE OR REPLACE address_group_entries SET prefix = '198.51.100.0' WHERE id = '{entry}'"
        ),
        21 => format!(
            "UPDATE OR REPLACE address_groups SET id = '{}' WHERE id = '{addresses}'",
            id("9", (n + 1) % 2)
        ),
        _ => format!(
            "REPLACE INTO ports (id, network_id, mac, host) VALUES ('{port}', '{}', '{}', 'hv2')",
            id("a", 0),
            mac((n + 2) % PORTS)
        ),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: testbed::cases(100), ..ProptestConfig::default() })]

    #[test]
    fn incremental_equals_snapshot(events in prop::collection::vec(event(), 1..60)) {
        let mut lab = world();
        let mut own = open(&lab.url()).unwrap();
        let mut follower = Follower::new(host("hv1"), None);
        let mut desired = Desired::default();
        follower.recognise(&mut *own).unwrap();
        catch_up(&mut follower, &mut *own, &mut desired);
        for event in events.iter().chain([&Event::Look]) {
            apply(&mut lab, event);
            if matches!(event, Event::Look) {
                catch_up(&mut follower, &mut *own, &mut desired);
                let fresh = from_scratch(&lab.path("vifd.db"), "hv1");
                prop_assert_eq!(picture(&desired), picture(&fresh));
            }
        }
    }
}
