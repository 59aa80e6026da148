//! Security group rows written by hand: a rule that is not understood is left out with a text that names it, the column
//! and what it may be; other rules, groups and ports go on, and a repair is noticed.

use super::*;
use crate::model::{GroupId, SecurityGroup, Service};

fn group(desired: &Desired) -> &SecurityGroup {
    let id: GroupId = id("e", 0).parse().unwrap();
    desired.group(id).unwrap()
}

/// Runs the SQL on a good world and returns what is wrong with the group; rule 2 must stay, and so must the port.
fn fault(sql: &str) -> Vec<String> {
    let mut lab = Lab::new();
    lab.network(0);
    lab.group(0);
    lab.group(1);
    lab.port(1, 0, Some("hv1"));
    lab.join(1, 0);
    lab.sql(
        "INSERT INTO address_groups (id) VALUES (?)",
        &[id("9", 0).into()],
    );
    lab.rule(1, 0, "protocol", "tcp");
    lab.rule(2, 0, "remote_group_id", &id("e", 1));
    let mut follower = Follower::new(host("hv1"), None);
    let mut desired = Desired::default();
    follower.recognise(&mut *lab.store).unwrap();
    catch_up(&mut follower, &mut *lab.store, &mut desired);
    assert_eq!(
        (group(&desired).rules.len(), group(&desired).problems.len()),
        (2, 0)
    );
    let before = picture(&desired);
    let sql = sql
        .replace("$this", &format!("WHERE id = '{}'", id("f", 1)))
        .replace("$group", &id("e", 0))
        .replace("$other", &id("e", 1))
        .replace("$addresses", &id("9", 0));
    lab.by_hand(&sql);
    catch_up(&mut follower, &mut *lab.store, &mut desired);
    assert_eq!(
        picture(&desired),
        picture(&from_scratch(&lab.path("vifd.db"), "hv1")),
        "{sql}"
    );
    assert!(
        desired.port(port_id(1)).unwrap().unusable.is_none(),
        "{sql}"
    );
    let kept = id("f", 2).parse().unwrap();
    assert!(
        group(&desired).rules.iter().any(|rule| rule.id == kept),
        "{sql}"
    );
    let problems = group(&desired)
        .problems
        .iter()
        .map(ToString::to_string)
        .collect();

    lab.by_hand(&format!(
        "REPLACE INTO security_groups (id, name) VALUES ('{g}', 'g0'), ('{o}', 'g1');
         DELETE FROM security_group_rules WHERE group_id = '{g}' AND id <> '{kept}';
         INSERT INTO security_group_rules (id, group_id, direction, ethertype, protocol)
            VALUES ('{r}', '{g}', 'ingress', 'IPv4', 'tcp')",
        g = id("e", 0),
        o = id("e", 1),
        r = id("f", 1),
        kept = id("f", 2),
    ));
    catch_up(&mut follower, &mut *lab.store, &mut desired);
    assert_eq!(picture(&desired), before, "after the repair of {sql}");
    problems
}

fn check(sql: &str, wanted: &str) {
    let problems = fault(sql);
    let whole = format!(
        "security group g0 ({}): rule {} is left out: {wanted}",
        id("e", 0),
        id("f", 1)
    );
    assert!(
        matches!(problems.as_slice(), [one] if one.starts_with(&whole)),
        "{sql}: {problems:?} instead of {whole:?}"
    );
}

#[test]
fn rules() {
    for (set, wanted) in [
        (
            "direction = 'in'",
            "direction is \"in\", not ingress or egress",
        ),
        (
            "direction = x'ff'",
            "direction is a blob of 1 bytes, not ingress or egress",
        ),
        (
            "ethertype = 'ipv4'",
            "ethertype is \"ipv4\", not IPv4 or IPv6",
        ),
        ("ethertype = 4", "ethertype is \"4\", not IPv4 or IPv6"),
        (
            "protocol = 'tpc'",
            "protocol is \"tpc\", not any, a number in 0..=255, or one of icmp, igmp, ipip, tcp",
        ),
        ("protocol = ''", "protocol is \"\", not any"),
        (
            "protocol = '256'",
            "protocol is \"256\", not a number in 0..=255",
        ),
        ("protocol = '-1'", "protocol is \"-1\", not any"),
        (
            "protocol = 'icmpv6'",
            "protocol icmpv6 is for IPv6 rules, but ethertype is IPv4",
        ),
        (
            "protocol = 'ipv6-frag'",
            "protocol ipv6-frag is for IPv6 rules, but ethertype is IPv4",
        ),
        (
            "port_min = 80",
            "port_max is NULL beside a port_min: set both, or none",
        ),
        (
            "port_max = 80",
            "port_min is NULL beside a port_max: set both, or none",
        ),
        (
            "port_min = 0, port_max = 80",
            "port_min is 0, not a port in 1..=65535",
        ),
        (
            "port_min = 80, port_max = 65536",
            "port_max is 65536, not a port in 1..=65535",
        ),
        (
            "port_min = 'http', port_max = 'http'",
            "port_min is \"http\", not a port in 1..=65535",
        ),
        (
            "port_min = 443, port_max = 80",
            "port_min 443 is above port_max 80",
        ),
        (
            "protocol = NULL, port_min = 80, port_max = 80",
            "port_min is 80, but the protocol is any: only tcp, udp,",
        ),
        (
            "protocol = 'gre', port_min = 1",
            "port_min is 1, but the protocol is gre: only tcp, udp,",
        ),
        (
            "protocol = 'icmp', port_min = 256",
            "port_min is 256, not an ICMP type in 0..=255",
        ),
        (
            "protocol = 'icmp', port_min = 8, port_max = 256",
            "port_max is 256, not an ICMP code in 0..=255",
        ),
        (
            "protocol = 'icmp', port_max = 0",
            "port_max, the ICMP code, needs a type in port_min",
        ),
        (
            "remote_prefix = 'all'",
            "remote_prefix is \"all\", not an address or a prefix such as 192.0.2.0/24",
        ),
        (
            "remote_prefix = ''",
            "remote_prefix is \"\", not an address",
        ),
        (
            "remote_prefix = '2001:db8::/32'",
            "remote_prefix 2001:db8::/32 is of IPv6, but the rule is for IPv4",
        ),
        (
            "remote_group_id = 'web'",
            "remote_group_id is \"web\", not a UUID",
        ),
        (
            "remote_group_id = upper('$other')",
            "remote_group_id \"EEEEEEEE-0000-4000-8000-000000000001\" must be written as",
        ),
        (
            "remote_group_id = '$addresses'",
            "remote_group_id 99999999-0000-4000-8000-000000000000 is the id of no security group",
        ),
        (
            "remote_address_group_id = '$other'",
            "remote_address_group_id eeeeeeee-0000-4000-8000-000000000001 is the id of no address group",
        ),
        (
            "remote_group_id = '$other', remote_prefix = '10.0.0.0/8'",
            "remote_prefix and remote_group_id are all set: a rule has at most one",
        ),
        (
            "remote_group_id = '$other', remote_address_group_id = '$addresses'",
            "remote_group_id and remote_address_group_id are all set",
        ),
    ] {
        check(
            &format!("UPDATE security_group_rules SET {set} $this"),
            wanted,
        );
    }
}

#[test]
fn rules_without_an_id_and_groups_in_part() {
    let problems = fault(
        "INSERT INTO security_group_rules (id, group_id, direction, ethertype) VALUES ('me', '$group', 'ingress', 'IPv4')",
    );
    assert!(
        problems[0].contains("rule me is left out: id \"me\" is not a UUID"),
        "{problems:?}"
    );
    let problems = fault("UPDATE security_groups SET stateful = 'maybe' WHERE id = '$group'");
    assert!(
        problems[0].contains("stateful is \"maybe\", not 0 or 1; it is taken as 1"),
        "{problems:?}"
    );
    let problems = fault("UPDATE security_groups SET name = x'ff' WHERE id = '$group'");
    assert!(
        problems[0].contains("name is a blob of 1 bytes, not text"),
        "{problems:?}"
    );
    // Rows of no group, or of one that nobody here is in, concern nobody.
    for sql in [
        "INSERT INTO security_group_rules (id, group_id, direction, ethertype) VALUES ('x', 'y', 'z', 'z')",
        "INSERT INTO security_groups (id, name) VALUES ('x', x'ff')",
        "INSERT INTO address_group_entries (id, address_group_id, prefix) VALUES ('x', '$addresses', 'y')",
        "INSERT INTO port_security_groups (port_id, group_id) VALUES ('x', '$other')",
    ] {
        assert_eq!(fault(sql), [""; 0], "{sql}");
    }
}

/// A port in a group that is not there is told so, and gets the group when it appears.
#[test]
fn groups_that_do_not_exist() {
    let mut lab = Lab::new();
    lab.network(0);
    lab.port(1, 0, Some("hv1"));
    lab.by_hand(&format!(
        "INSERT INTO port_security_groups VALUES ('{}', '{}')",
        id("d", 1),
        id("e", 0)
    ));
    let mut follower = Follower::new(host("hv1"), None);
    let mut desired = Desired::default();
    follower.recognise(&mut *lab.store).unwrap();
    catch_up(&mut follower, &mut *lab.store, &mut desired);
    let problem = group(&desired).problems[0].to_string();
    assert!(
        problem.contains("does not exist, but ports are in it"),
        "{problem}"
    );
    assert_eq!(group(&desired).rules, []);
    lab.group(0);
    lab.rule(1, 0, "protocol", "tcp");
    catch_up(&mut follower, &mut *lab.store, &mut desired);
    assert_eq!(group(&desired).problems, []);
    assert_eq!(group(&desired).rules[0].service, Service::Protocol(6));
    // A rule that names a group may have been there before the group.
    lab.by_hand(&format!(
        "UPDATE security_group_rules SET remote_group_id = '{}'",
        id("e", 7)
    ));
    catch_up(&mut follower, &mut *lab.store, &mut desired);
    assert_eq!(group(&desired).rules, []);
    lab.group(7);
    catch_up(&mut follower, &mut *lab.store, &mut desired);
    assert_eq!(group(&desired).rules.len(), 1);
    lab.by_hand(&format!(
        "UPDATE port_security_groups SET group_id = 'g' WHERE port_id = '{}'",
        id("d", 1)
    ));
    catch_up(&mut follower, &mut *lab.store, &mut desired);
    let port = desired.port(port_id(1)).unwrap();
    assert!(
        port.unusable
            .as_ref()
            .unwrap()
            .contains("security group id \"g\" is not a UUID")
    );
}
