//! Incremental equals snapshot; resume; pruning; who is woken.

use proptest::prelude::*;

use super::*;
use crate::store::changelog;

/// What happens to the database.
#[derive(Clone, Debug)]
enum Event {
    Network(u32),
    NetworkGone(u32),
    NetworkAdmin(u32, bool),
    Mtu(u32, u32),
    Segment(u32, u32),
    Subnet(u32),
    SubnetGone(u32),
    Port(u32, u32, u8),
    PortGone(u32),
    Bind(u32, u8),
    Move(u32, u32),
    Mac(u32, u32),
    FixedIp(u32, u32),
    FixedIpGone(u32),
    Pair(u32, u32),
    Status(u32, &'static str),
    Endpoint(u32, u32),
    EndpointGone(u32),
    /// Somebody writes by hand what breaks a port or a network.
    Break(u32, u8),
    /// Look, and compare.
    Look,
    /// The connection goes and comes.
    Reconnect,
    Prune(u32),
}

fn event() -> impl Strategy<Value = Event> {
    let n = 0..6u32;
    prop_oneof![
        3 => n.clone().prop_map(Event::Network),
        1 => n.clone().prop_map(Event::NetworkGone),
        1 => (n.clone(), any::<bool>()).prop_map(|(n, up)| Event::NetworkAdmin(n, up)),
        1 => (n.clone(), 60..2000u32).prop_map(|(n, mtu)| Event::Mtu(n, mtu)),
        1 => (n.clone(), n.clone()).prop_map(|(n, key)| Event::Segment(n, key)),
        2 => n.clone().prop_map(Event::Subnet),
        1 => n.clone().prop_map(Event::SubnetGone),
        6 => (0..12u32, n.clone(), 0..3u8).prop_map(|(p, n, h)| Event::Port(p, n, h)),
        2 => (0..12u32).prop_map(Event::PortGone),
        3 => (0..12u32, 0..3u8).prop_map(|(p, h)| Event::Bind(p, h)),
        1 => (0..12u32, n.clone()).prop_map(|(p, n)| Event::Move(p, n)),
        1 => (0..12u32, 0..12u32).prop_map(|(p, m)| Event::Mac(p, m)),
        3 => (0..12u32, n.clone()).prop_map(|(p, n)| Event::FixedIp(p, n)),
        1 => (0..12u32).prop_map(Event::FixedIpGone),
        1 => (0..12u32, 0..9u32).prop_map(|(p, n)| Event::Pair(p, n)),
        2 => (0..12u32, prop_oneof![Just("ACTIVE"), Just("DOWN"), Just("nonsense")])
            .prop_map(|(p, status)| Event::Status(p, status)),
        2 => (0..3u32, 1..9u32).prop_map(|(h, ip)| Event::Endpoint(h, ip)),
        1 => (0..3u32).prop_map(Event::EndpointGone),
        2 => (0..12u32, 0..10u8).prop_map(|(p, how)| Event::Break(p, how)),
        5 => Just(Event::Look),
        1 => Just(Event::Reconnect),
        1 => (1..40u32).prop_map(Event::Prune),
    ]
}

fn host_of(n: u8) -> Value {
    match n {
        0 => Value::Null,
        n => format!("hv{n}").into(),
    }
}

/// Does it; what a constraint refuses does not happen.
fn apply(lab: &mut Lab, event: &Event) {
    let store = &mut *lab.store;
    let mut sql = |sql: &str, params: &[Value]| match store.execute(sql, params) {
        Ok(_) | Err(crate::store::StoreError::Constraint(_)) => {}
        Err(error) => panic!("{sql}: {}", error.chain()),
    };
    match event {
        Event::Network(n) => {
            sql(
                "INSERT INTO networks (id) VALUES (?)",
                &[id("a", *n).into()],
            );
            sql(
                "INSERT INTO segments (id, network_id, network_type, segmentation_id) VALUES (?, ?, 'gre', ?)",
                &[id("b", *n).into(), id("a", *n).into(), (*n + 1).into()],
            );
        }
        Event::NetworkGone(n) => sql("DELETE FROM networks WHERE id = ?", &[id("a", *n).into()]),
        Event::NetworkAdmin(n, up) => {
            sql(
                "UPDATE networks SET admin_up = ? WHERE id = ?",
                &[(*up).into(), id("a", *n).into()],
            );
        }
        Event::Mtu(n, mtu) => sql(
            "UPDATE networks SET mtu = ? WHERE id = ?",
            &[(*mtu).into(), id("a", *n).into()],
        ),
        Event::Segment(n, key) => sql(
            "UPDATE segments SET segmentation_id = ? WHERE network_id = ?",
            &[(*key).into(), id("a", *n).into()],
        ),
        Event::Subnet(n) => sql(
            "INSERT INTO subnets (id, network_id, cidr, gateway) VALUES (?, ?, ?, ?)",
            &[
                id("c", *n).into(),
                id("a", *n).into(),
                format!("10.0.{n}.0/24").into(),
                format!("10.0.{n}.1").into(),
            ],
        ),
        Event::SubnetGone(n) => sql("DELETE FROM subnets WHERE id = ?", &[id("c", *n).into()]),
        Event::Port(p, n, h) => sql(
            "INSERT INTO ports (id, network_id, mac, host) VALUES (?, ?, ?, ?)",
            &[
                id("d", *p).into(),
                id("a", *n).into(),
                mac(*p).into(),
                host_of(*h),
            ],
        ),
        Event::PortGone(p) => sql("DELETE FROM ports WHERE id = ?", &[id("d", *p).into()]),
        Event::Bind(p, h) => sql(
            "UPDATE ports SET host = ? WHERE id = ?",
            &[host_of(*h), id("d", *p).into()],
        ),
        Event::Move(p, n) => {
            sql(
                "UPDATE ports SET network_id = ? WHERE id = ?",
                &[id("a", *n).into(), id("d", *p).into()],
            );
        }
        Event::Mac(p, m) => sql(
            "UPDATE ports SET mac = ? WHERE id = ?",
            &[mac(*m).into(), id("d", *p).into()],
        ),
        Event::FixedIp(p, n) => sql(
            "INSERT INTO fixed_ips (port_id, subnet_id, ip) VALUES (?, ?, ?)",
            &[
                id("d", *p).into(),
                id("c", *n).into(),
                format!("10.0.{n}.{}", p + 10).into(),
            ],
        ),
        Event::FixedIpGone(p) => sql(
            "DELETE FROM fixed_ips WHERE port_id = ?",
            &[id("d", *p).into()],
        ),
        Event::Pair(p, n) => sql(
            "INSERT INTO address_pairs (port_id, prefix) VALUES (?, ?)",
            &[id("d", *p).into(), format!("192.0.2.{n}").into()],
        ),
        Event::Status(p, status) => {
            sql(
                "UPDATE ports SET status = ? WHERE id = ?",
                &[(*status).into(), id("d", *p).into()],
            );
        }
        Event::Endpoint(h, ip) => {
            sql(
                "INSERT INTO hosts (name) VALUES (?)",
                &[format!("hv{h}").into()],
            );
            sql(
                "INSERT INTO tunnel_endpoints (host, tunnel_type, ip) VALUES (?, 'gre', ?)",
                &[format!("hv{h}").into(), format!("192.0.2.{ip}").into()],
            );
            sql(
                "UPDATE tunnel_endpoints SET ip = ? WHERE host = ?",
                &[format!("192.0.2.{ip}").into(), format!("hv{h}").into()],
            );
        }
        Event::EndpointGone(h) => sql(
            "DELETE FROM hosts WHERE name = ?",
            &[format!("hv{h}").into()],
        ),
        Event::Break(p, how) => {
            let statement = match how {
                0 => format!("UPDATE ports SET mac = 'zz' WHERE id = '{}'", id("d", *p)),
                1 => format!(
                    "UPDATE OR IGNORE ports SET mac = upper(mac) WHERE id = '{}'",
                    id("d", *p)
                ),
                2 => format!("DELETE FROM networks WHERE id = '{}'", id("a", *p % 6)),
                3 => format!(
                    "UPDATE segments SET network_type = 'what' WHERE id = '{}'",
                    id("b", *p % 6)
                ),
                4 => format!(
                    "UPDATE ports SET name = CAST(x'ff' AS TEXT) WHERE id = '{}'",
                    id("d", *p)
                ),
                5 => format!(
                    "UPDATE OR REPLACE ports SET mac = '{}' WHERE id = '{}'",
                    mac((*p + 1) % 12),
                    id("d", *p)
                ),
                6 => format!(
                    "UPDATE OR REPLACE segments SET segmentation_id = 3 WHERE network_id = '{}'",
                    id("a", *p % 6)
                ),
                7 => format!(
                    "REPLACE INTO fixed_ips VALUES ('{}', '{}', '10.0.0.77')",
                    id("d", *p),
                    id("c", *p % 6)
                ),
                8 => format!(
                    "REPLACE INTO tunnel_endpoints VALUES ('hv{}', 'gre', '192.0.2.1')",
                    p % 3
                ),
                _ => format!(
                    "REPLACE INTO ports (id, network_id, mac, host) VALUES ('{}', '{}', '{}', 'hv1')",
                    id("d", *p + 20),
                    id("a", *p % 6),
                    mac(*p)
                ),
            };
            // Two broken addresses may be equal: then the index refuses the second.
            if lab
                .store
                .script(&format!("PRAGMA foreign_keys = OFF; {statement}"))
                .is_err()
            {
                assert!(*how == 0, "{statement}");
            }
            lab.store.script("PRAGMA foreign_keys = ON").unwrap();
        }
        Event::Prune(keep) => {
            changelog::prune(&mut *lab.store, *keep).unwrap();
        }
        Event::Look | Event::Reconnect => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: testbed::cases(100), ..ProptestConfig::default() })]

    #[test]
    fn incremental_equals_snapshot(events in prop::collection::vec(event(), 1..80)) {
        let mut lab = Lab::new();
        let mut own = open(&lab.url()).unwrap();
        let mut follower = Follower::new(host("hv1"), None);
        let mut desired = Desired::default();
        follower.recognise(&mut *own).unwrap();
        for event in events.iter().chain([&Event::Look]) {
            apply(&mut lab, event);
            match event {
                Event::Look => {
                    catch_up(&mut follower, &mut *own, &mut desired);
                    let fresh = from_scratch(&lab.path("vifd.db"), "hv1");
                    prop_assert_eq!(picture(&desired), picture(&fresh));
                }
                Event::Reconnect => {
                    own = open(&lab.url()).unwrap();
                    follower.recognise(&mut *own).unwrap();
                }
                _ => {}
            }
        }
    }
}

fn followed(lab: &mut Lab) -> (Follower, Desired) {
    let mut follower = Follower::new(host("hv1"), None);
    let mut desired = Desired::default();
    follower.recognise(&mut *lab.store).unwrap();
    catch_up(&mut follower, &mut *lab.store, &mut desired);
    (follower, desired)
}

#[test]
fn one_change_is_one_delta() {
    let mut lab = Lab::new();
    lab.network(0);
    for n in 0..50 {
        lab.port(n, 0, Some("hv1"));
    }
    let (mut follower, mut desired) = followed(&mut lab);
    assert_eq!(desired.ports().count(), 50);
    lab.port(50, 0, Some("hv1"));
    let deltas = catch_up(&mut follower, &mut *lab.store, &mut desired);
    assert!(
        matches!(deltas.as_slice(), [Delta::Port(port)] if port.id == port_id(50)),
        "{deltas:?}"
    );
    assert_eq!(catch_up(&mut follower, &mut *lab.store, &mut desired), []);
}

#[test]
fn a_port_that_moves_to_another_host_is_gone_here() {
    let mut lab = Lab::new();
    lab.network(0);
    lab.port(1, 0, Some("hv1"));
    lab.port(2, 0, Some("hv2"));
    lab.port(3, 0, None);
    let (mut follower, mut desired) = followed(&mut lab);
    assert_eq!(
        desired.ports().map(|p| p.id).collect::<Vec<_>>(),
        [port_id(1)]
    );
    lab.sql(
        "UPDATE ports SET host = 'hv2' WHERE id = ?",
        &[id("d", 1).into()],
    );
    assert_eq!(
        catch_up(&mut follower, &mut *lab.store, &mut desired),
        [Delta::PortGone(port_id(1))]
    );
    lab.sql(
        "UPDATE ports SET host = 'hv1' WHERE id = ?",
        &[id("d", 3).into()],
    );
    let deltas = catch_up(&mut follower, &mut *lab.store, &mut desired);
    assert!(
        matches!(deltas.as_slice(), [Delta::Port(port)] if port.id == port_id(3)),
        "{deltas:?}"
    );
}

#[test]
fn other_hosts_ports_and_statuses_wake_nobody() {
    let mut lab = Lab::new();
    lab.network(0);
    lab.port(1, 0, Some("hv2"));
    let (mut follower, mut desired) = followed(&mut lab);
    lab.port(2, 0, Some("hv2"));
    lab.port(3, 0, None);
    lab.sql(
        "UPDATE ports SET status = 'ACTIVE', wired_at = 7 WHERE id = ?",
        &[id("d", 1).into()],
    );
    assert_eq!(catch_up(&mut follower, &mut *lab.store, &mut desired), []);
    // The timeline is not even logged.
    let end = changelog::end(&mut *lab.store).unwrap();
    lab.sql(
        "UPDATE ports SET seen_at = 8, wired_at = 9, active_at = 10 WHERE id = ?",
        &[id("d", 1).into()],
    );
    assert_eq!(changelog::end(&mut *lab.store).unwrap(), end);
}

#[test]
fn a_pruned_log_means_a_snapshot() {
    let mut lab = Lab::new();
    lab.network(0);
    let (mut follower, mut desired) = followed(&mut lab);
    // Caught up: pruning does no harm.
    changelog::prune(&mut *lab.store, 1).unwrap();
    assert_eq!(catch_up(&mut follower, &mut *lab.store, &mut desired), []);
    for n in 0..10 {
        lab.port(n, 0, Some("hv1"));
    }
    changelog::prune(&mut *lab.store, 3).unwrap();
    let deltas = catch_up(&mut follower, &mut *lab.store, &mut desired);
    assert_eq!(
        (deltas.first(), deltas.last()),
        (Some(&Delta::SnapshotBegin), Some(&Delta::SnapshotEnd))
    );
    assert_eq!(desired.ports().count(), 10);
}

#[test]
fn an_older_copy_put_back_means_a_snapshot() {
    let mut lab = Lab::new();
    lab.network(0);
    lab.port(1, 0, Some("hv1"));
    let copy = lab.path("copy.db");
    lab.sql("VACUUM INTO ?", &[copy.display().to_string().into()]);
    lab.port(2, 0, Some("hv1"));
    let (mut follower, mut desired) = followed(&mut lab);
    // The copy goes its own way, past the revision that was read.
    let mut store = open(&DatabaseUrl::Sqlite(copy.clone())).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(5));
    for n in 5..9 {
        let params = [id("d", n).into(), id("a", 0).into(), mac(n).into()];
        store
            .execute(
                "INSERT INTO ports (id, network_id, mac, host) VALUES (?, ?, ?, 'hv1')",
                &params,
            )
            .unwrap();
    }
    follower.recognise(&mut *store).unwrap();
    let deltas = catch_up(&mut follower, &mut *store, &mut desired);
    assert_eq!(deltas.first(), Some(&Delta::SnapshotBegin));
    assert_eq!(picture(&desired), picture(&from_scratch(&copy, "hv1")));
    assert!(desired.port(port_id(2)).is_none());
}

#[test]
fn another_database_is_refused() {
    let mut lab = Lab::new();
    lab.port_world();
    let (mut follower, mut desired) = followed(&mut lab);
    let mut other = Lab::new();
    let error = follower
        .recognise(&mut *other.store)
        .unwrap_err()
        .to_string();
    assert!(error.contains("not the one this host followed"), "{error}");
    assert!(follower.step(&mut *other.store).is_err());
    assert_eq!(catch_up(&mut follower, &mut *lab.store, &mut desired), []);
    assert_eq!(desired.ports().count(), 1);
}

impl Lab {
    fn port_world(&mut self) {
        self.network(0);
        self.subnet(0);
        self.port(1, 0, Some("hv1"));
    }
}
