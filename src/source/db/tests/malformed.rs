//! Rows written by hand: each is named with its fault, the others go on, and a repair is noticed.

use super::*;

/// Runs the SQL on a good world; the reason why port 1, or else network 0, is unusable; port 2 must stay usable.
fn fault(sql: &str) -> String {
    let mut lab = Lab::new();
    lab.network(0);
    lab.network(1);
    lab.subnet(0);
    lab.port(1, 0, Some("hv1"));
    lab.port(2, 1, Some("hv1"));
    let mut follower = Follower::new(host("hv1"), None);
    let mut desired = Desired::default();
    follower.recognise(&mut *lab.store).unwrap();
    catch_up(&mut follower, &mut *lab.store, &mut desired);
    assert_eq!(reason(&desired), "");
    let before = picture(&desired);
    let sql = sql
        .replace("$port", &id("d", 1))
        .replace("$network", &id("a", 0))
        .replace("$segment", &id("b", 0));
    let sql = sql
        .replace("$subnet", &id("c", 0))
        .replace("$other", &id("a", 1));
    lab.by_hand(&sql);

    catch_up(&mut follower, &mut *lab.store, &mut desired);
    assert_eq!(
        picture(&desired),
        picture(&from_scratch(&lab.path("vifd.db"), "hv1")),
        "{sql}"
    );
    assert!(
        desired.port(port_id(2)).unwrap().unusable.is_none(),
        "{sql}"
    );
    let reason = reason(&desired);
    lab.by_hand(&format!(
        "DELETE FROM ports WHERE id <> '{p2}'; DELETE FROM fixed_ips; DELETE FROM address_pairs;
         DELETE FROM subnets; DELETE FROM segments; DELETE FROM networks WHERE id <> '{other}';
         REPLACE INTO networks (id, name) VALUES ('{n0}', 'n0');
         INSERT INTO segments (id, network_id, network_type, segmentation_id)
            VALUES ('{s0}', '{n0}', 'vxlan', 1), ('{s1}', '{other}', 'vxlan', 2);
         INSERT INTO subnets (id, network_id, cidr) VALUES ('{c0}', '{n0}', '10.0.0.0/24');
         INSERT INTO ports (id, network_id, mac, host) VALUES ('{p1}', '{n0}', '{mac}', 'hv1')",
        p1 = id("d", 1),
        p2 = id("d", 2),
        n0 = id("a", 0),
        other = id("a", 1),
        s0 = id("b", 0),
        s1 = id("b", 1),
        c0 = id("c", 0),
        mac = mac(1),
    ));
    catch_up(&mut follower, &mut *lab.store, &mut desired);
    assert_eq!(picture(&desired), before, "after the repair of {sql}");
    reason
}

fn reason(desired: &Desired) -> String {
    let port = desired.port(port_id(1)).and_then(|p| p.unusable.clone());
    let network = id("a", 0)
        .parse()
        .ok()
        .and_then(|id| desired.network(id))
        .and_then(|n| n.unusable.clone());
    port.or(network)
        .map_or(String::new(), |reason| reason.to_string())
}

fn check(sql: &str, wanted: &str) {
    let found = fault(sql);
    assert!(
        found.contains(wanted),
        "{sql}: {found:?} instead of {wanted:?}"
    );
}

#[test]
fn ports() {
    check(
        "UPDATE ports SET mac = 'hello' WHERE id = '$port'",
        "mac is \"hello\", not a MAC address",
    );
    check(
        "UPDATE ports SET mac = x'00ff' WHERE id = '$port'",
        "mac is a blob of 2 bytes",
    );
    check(
        "UPDATE ports SET mac = upper(mac) WHERE id = '$port'",
        "must be written as fa:16:3e:00:00:01",
    );
    check(
        "UPDATE ports SET mac = '01:00:5e:00:00:01' WHERE id = '$port'",
        "not the address of one station",
    );
    check(
        "UPDATE ports SET mac = '00:00:00:00:00:00' WHERE id = '$port'",
        "not the address of one station",
    );
    check(
        "UPDATE ports SET name = CAST(x'41ff' AS TEXT) WHERE id = '$port'",
        "name is text that is not UTF-8",
    );
    check(
        "UPDATE ports SET admin_up = 'yes' WHERE id = '$port'",
        "admin_up is \"yes\", not 0 or 1",
    );
    check(
        "UPDATE ports SET admin_up = 0.5 WHERE id = '$port'",
        "admin_up is the fraction 0.5",
    );
    check(
        "UPDATE ports SET status = 'FINE' WHERE id = '$port'",
        "status is \"FINE\"",
    );
    check(
        "UPDATE ports SET network_id = 'x' WHERE id = '$port'",
        "network id \"x\" is not a UUID",
    );
    check(
        "DELETE FROM networks WHERE id = '$network'",
        "does not exist",
    );
    check(
        "INSERT INTO fixed_ips VALUES ('$port', '$subnet', '10.0.0.300')",
        "fixed ip is \"10.0.0.300\"",
    );
    check(
        "INSERT INTO fixed_ips VALUES ('$port', 'nowhere', '10.0.0.3')",
        "fixed ip: subnet id \"nowhere\"",
    );
    check(
        "INSERT INTO address_pairs VALUES ('$port', 'all', '')",
        "allowed prefix is \"all\"",
    );
    check(
        "INSERT INTO address_pairs VALUES ('$port', '10.0.0.0/8', 'm')",
        "allowed mac is \"m\"",
    );
}

#[test]
fn networks() {
    check(
        "UPDATE segments SET network_type = 'geneve' WHERE id = '$segment'",
        "network type \"geneve\" is unknown",
    );
    check(
        "UPDATE segments SET segmentation_id = 16777216 WHERE id = '$segment'",
        "not a tunnel key in 1..=16777215",
    );
    check(
        "UPDATE segments SET segmentation_id = 0 WHERE id = '$segment'",
        "not a tunnel key",
    );
    check(
        "UPDATE segments SET segmentation_id = NULL WHERE id = '$segment'",
        "needs a segmentation id",
    );
    check(
        "UPDATE segments SET segmentation_id = 'x' WHERE id = '$segment'",
        "segmentation id \"x\" is not",
    );
    check(
        "UPDATE segments SET network_type = 'vlan', physical_network = 'p', segmentation_id = 4095 WHERE id = '$segment'",
        "segmentation id 4095 is not a VLAN id in 1..=4094",
    );
    check(
        "UPDATE segments SET network_type = 'vlan' WHERE id = '$segment'",
        "needs a physical network",
    );
    check(
        "UPDATE segments SET physical_network = 'p' WHERE id = '$segment'",
        "has no physical network",
    );
    check(
        "UPDATE segments SET network_type = 'flat' WHERE id = '$segment'",
        "a flat network has no segmentation id",
    );
    check(
        "DELETE FROM segments WHERE id = '$segment'",
        "it has no segment",
    );
    check(
        "UPDATE networks SET mtu = 99999 WHERE id = '$network'",
        "mtu is 99999, not a number in 68..=65535",
    );
    check(
        "UPDATE networks SET mtu = 'big' WHERE id = '$network'",
        "mtu is \"big\"",
    );
    check(
        "UPDATE networks SET name = x'ff' WHERE id = '$network'",
        "name is a blob of 1 bytes",
    );
}

#[test]
fn rows_that_can_not_be_named_are_left_out() {
    for sql in [
        "INSERT INTO ports (id, network_id, mac, host) VALUES ('me', '$network', 'm', 'hv1')",
        "INSERT INTO ports (id, network_id, mac, host) VALUES (upper('$port'), '$network', 'm', 'hv1')",
        "INSERT INTO ports (id, network_id, mac, host) VALUES (x'ff', '$network', 'm', 'hv1')",
        "INSERT INTO networks (id) VALUES (CAST(x'fe' AS TEXT))",
        "INSERT INTO subnets (id, network_id, cidr) VALUES ('dddddddd-0000-4000-8000-000000000009', '$network', 'x')",
        "INSERT INTO tunnel_endpoints VALUES ('hv9', 'stt', '192.0.2.1')",
        "INSERT INTO tunnel_endpoints VALUES ('hv9', 'gre', 'here')",
        "INSERT INTO changes (kind, entity_id, op) VALUES ('moon', 'x', 'y'), ('port', x'ff', 'insert')",
    ] {
        check(sql, "");
    }
}

/// Without the unique indexes (somebody dropped them), the older row wins, and the younger recovers when it goes.
#[test]
fn duplicates() {
    let mut lab = Lab::new();
    lab.store
        .script("DROP INDEX ports_network_mac; DROP INDEX segments_carrier")
        .unwrap();
    lab.network(0);
    lab.network(1);
    lab.sql(
        "INSERT INTO ports (id, network_id, mac, host, created_at) VALUES (?, ?, ?, 'hv2', 5)",
        &[id("d", 9).into(), id("a", 0).into(), mac(1).into()],
    );
    lab.port(1, 0, Some("hv1"));
    lab.port(2, 0, Some("hv1"));
    lab.sql(
        "UPDATE segments SET segmentation_id = 1, created_at = created_at + 1 WHERE network_id = ?",
        &[id("a", 1).into()],
    );
    let mut follower = Follower::new(host("hv1"), None);
    let mut desired = Desired::default();
    follower.recognise(&mut *lab.store).unwrap();
    catch_up(&mut follower, &mut *lab.store, &mut desired);
    let wanted = format!(
        "mac \"{}\" is already used by the older port {} of the same network: give this one another (`vifd db port set {} \
         --mac …`), or delete one of them",
        mac(1),
        id("d", 9),
        id("d", 1)
    );
    assert_eq!(reason(&desired), wanted);
    assert!(desired.port(port_id(2)).unwrap().unusable.is_none());
    let other = |desired: &Desired| {
        desired
            .network(id("a", 1).parse().unwrap())
            .unwrap()
            .unusable
            .clone()
    };
    assert!(
        other(&desired)
            .unwrap()
            .contains("already used by the older network aaaaaaaa-"),
        "{:?}",
        other(&desired)
    );

    lab.sql("DELETE FROM ports WHERE id = ?", &[id("d", 9).into()]);
    lab.sql(
        "UPDATE segments SET segmentation_id = 77 WHERE network_id = ?",
        &[id("a", 0).into()],
    );
    catch_up(&mut follower, &mut *lab.store, &mut desired);
    assert_eq!(reason(&desired), "");
    assert_eq!(other(&desired), None);
    assert_eq!(
        picture(&desired),
        picture(&from_scratch(&lab.path("vifd.db"), "hv1"))
    );
}
