//! Security groups: who is told what, and what it costs.

use super::*;
use crate::model::{GroupId, Member, MemberAddress, MemberId, RemoteId};
use crate::store::{Dialect, Mode, Row, StoreError, changelog};

fn group_id(n: u32) -> GroupId {
    id("e", n).parse().unwrap()
}

fn set(n: u32) -> RemoteId {
    RemoteId::Group(group_id(n))
}

fn addresses(n: u32) -> RemoteId {
    RemoteId::Addresses(id("9", n).parse().unwrap())
}

fn member(set: RemoteId, kind: &str, n: u32, list: &[(&str, Option<u32>)]) -> Delta {
    let address = |(prefix, who): &(&str, Option<u32>)| MemberAddress {
        prefix: prefix.parse().unwrap(),
        mac: who.map(|n| mac(n).parse().unwrap()),
    };
    Delta::Member(Member {
        set,
        id: MemberId(uuid::Uuid::parse_str(&id(kind, n)).unwrap()),
        addresses: list.iter().map(address).collect(),
    })
}

fn follower(lab: &mut Lab, name: &str) -> (Follower, Desired) {
    let mut follower = Follower::new(host(name), None);
    let mut desired = Desired::default();
    follower.recognise(&mut *lab.store).unwrap();
    catch_up(&mut follower, &mut *lab.store, &mut desired);
    (follower, desired)
}

/// Port 1 on hv1 is in group 0, whose rule lets group 1 in. Ports 2 and 3 on hv2.
fn world() -> Lab {
    let mut lab = Lab::new();
    lab.network(0);
    lab.subnet(0);
    lab.group(0);
    lab.group(1);
    lab.group(2);
    lab.rule(0, 0, "remote_group_id", &id("e", 1));
    lab.port(1, 0, Some("hv1"));
    lab.port(2, 0, Some("hv2"));
    lab.port(3, 0, Some("hv2"));
    lab.address(2, "10.0.0.2");
    lab.address(3, "10.0.0.3");
    lab.join(1, 0);
    lab
}

#[test]
fn members_on_any_host_are_told_where_a_rule_names_their_group() {
    let mut lab = world();
    lab.join(2, 1);
    let (mut follower, mut desired) = follower(&mut lab, "hv1");
    assert_eq!(desired.port(port_id(1)).unwrap().groups, [group_id(0)]);
    let told: Vec<_> = desired.groups().map(|group| group.id).collect();
    assert_eq!(told, [group_id(0)], "not the groups of others");
    assert_eq!(desired.remote(set(1)).unwrap().len(), 1);

    let mut next = |lab: &mut Lab| catch_up(&mut follower, &mut *lab.store, &mut desired);
    lab.join(3, 1);
    let joined = member(set(1), "d", 3, &[("10.0.0.3/32", Some(3))]);
    assert_eq!(next(&mut lab), [joined]);
    lab.sql(
        "INSERT INTO address_pairs (port_id, prefix, mac) VALUES (?, '192.0.2.7/24', ''), (?, '0.0.0.0/0', ?)",
        &[id("d", 3).into(), id("d", 3).into(), mac(9).into()],
    );
    let pairs = [
        ("0.0.0.0/0", Some(9)),
        ("10.0.0.3/32", Some(3)),
        ("192.0.2.0/24", Some(3)),
    ];
    assert_eq!(next(&mut lab), [member(set(1), "d", 3, &pairs)]);
    // What moves no address is no news: another name, another host, a status.
    lab.sql(
        "UPDATE ports SET name = 'x', host = 'hv3', status = 'ACTIVE', admin_up = 0 WHERE id = ?",
        &[id("d", 3).into()],
    );
    assert_eq!(next(&mut lab), []);
    lab.sql("DELETE FROM address_pairs", &[]);
    lab.sql(
        "UPDATE ports SET mac = ? WHERE id = ?",
        &[mac(7).into(), id("d", 3).into()],
    );
    let moved = member(set(1), "d", 3, &[("10.0.0.3/32", Some(7))]);
    assert_eq!(next(&mut lab), [moved]);
    lab.sql("DELETE FROM ports WHERE id = ?", &[id("d", 3).into()]);
    assert_eq!(next(&mut lab), [member(set(1), "d", 3, &[])]);
    lab.sql(
        "DELETE FROM port_security_groups WHERE port_id = ?",
        &[id("d", 2).into()],
    );
    assert_eq!(next(&mut lab), [member(set(1), "d", 2, &[])]);
}

#[test]
fn groups_that_no_rule_names_are_not_logged() {
    let mut lab = world();
    let (mut follower, mut desired) = follower(&mut lab, "hv1");
    let end = changelog::end(&mut *lab.store).unwrap().revision;
    lab.join(2, 2);
    let news = changelog::end(&mut *lab.store).unwrap().revision - end;
    assert_eq!(news, 1, "for the port's own host");
    lab.join(2, 1);
    let news = changelog::end(&mut *lab.store).unwrap().revision - end;
    assert_eq!(
        news, 3,
        "once more for it, and once for all who name group 1"
    );
    let deltas = catch_up(&mut follower, &mut *lab.store, &mut desired);
    assert_eq!(deltas.len(), 1, "{deltas:?}");
}

#[test]
fn who_names_nobody_hears_nothing_of_members() {
    let mut lab = world();
    lab.port(4, 0, Some("hv3"));
    lab.join(4, 2);
    let (mut other, mut desired) = follower(&mut lab, "hv3");
    lab.join(2, 1);
    lab.join(3, 0);
    assert_eq!(catch_up(&mut other, &mut *lab.store, &mut desired), []);
}

#[test]
fn sets_come_and_go_with_the_rules_that_name_them() {
    let mut lab = world();
    lab.join(2, 1);
    lab.join(3, 2);
    let (mut follower, mut desired) = follower(&mut lab, "hv1");
    let mut next = |lab: &mut Lab| catch_up(&mut follower, &mut *lab.store, &mut desired);
    lab.sql(
        "UPDATE security_group_rules SET remote_group_id = ?",
        &[id("e", 2).into()],
    );
    let deltas = next(&mut lab);
    let [Delta::Group(group), came, gone] = deltas.as_slice() else {
        panic!("{deltas:?}");
    };
    assert_eq!(group.remotes(), [set(2)]);
    assert_eq!(*came, member(set(2), "d", 3, &[("10.0.0.3/32", Some(3))]));
    assert_eq!(*gone, Delta::RemoteGone(set(1)));
    // The last local port leaves: the group goes with what it names.
    lab.sql(
        "DELETE FROM port_security_groups WHERE port_id = ?",
        &[id("d", 1).into()],
    );
    let deltas = next(&mut lab);
    let [Delta::Port(port), gone @ ..] = deltas.as_slice() else {
        panic!("{deltas:?}");
    };
    assert_eq!(port.groups, []);
    assert_eq!(
        gone,
        [Delta::GroupGone(group_id(0)), Delta::RemoteGone(set(2))]
    );
}

/// While nobody names a group its members are not logged. The next rule to name it makes up for that, also for a host
/// that looks only once afterwards.
#[test]
fn a_set_that_was_not_named_for_a_moment() {
    let mut lab = world();
    lab.join(2, 1);
    let (mut follower, mut desired) = follower(&mut lab, "hv1");
    let rule = "SELECT * FROM security_group_rules";
    assert_eq!(
        lab.store.query(rule, &[]).unwrap().len(),
        5,
        "4 of the default group"
    );
    lab.sql(
        "DELETE FROM security_group_rules WHERE id = ?",
        &[id("f", 0).into()],
    );
    lab.join(3, 1);
    lab.sql(
        "DELETE FROM port_security_groups WHERE port_id = ?",
        &[id("d", 2).into()],
    );
    lab.rule(0, 0, "remote_group_id", &id("e", 1));
    catch_up(&mut follower, &mut *lab.store, &mut desired);
    assert_eq!(
        picture(&desired),
        picture(&from_scratch(&lab.path("vifd.db"), "hv1"))
    );
    let members: Vec<_> = desired.remote(set(1)).unwrap().members().collect();
    assert_eq!(members.len(), 1, "{members:?}");
}

#[test]
fn address_groups() {
    let mut lab = world();
    lab.sql(
        "INSERT INTO address_groups (id) VALUES (?)",
        &[id("9", 1).into()],
    );
    lab.rule(1, 0, "remote_address_group_id", &id("9", 1));
    let (mut follower, mut desired) = follower(&mut lab, "hv1");
    let mut next = |lab: &mut Lab| catch_up(&mut follower, &mut *lab.store, &mut desired);
    let entry = |lab: &mut Lab, n: u32, prefix: &str| {
        lab.sql(
            "INSERT INTO address_group_entries (id, address_group_id, prefix) VALUES (?, ?, ?)",
            &[id("8", n).into(), id("9", 1).into(), prefix.into()],
        );
    };
    entry(&mut lab, 1, "198.51.100.0/24");
    entry(&mut lab, 2, "2001:db8::7");
    entry(&mut lab, 3, "0.0.0.0/0");
    let mut deltas = next(&mut lab);
    deltas.sort_by_key(|delta| format!("{delta:?}"));
    assert_eq!(
        deltas,
        [
            member(addresses(1), "8", 1, &[("198.51.100.0/24", None)]),
            member(addresses(1), "8", 2, &[("2001:db8::7/128", None)]),
            member(
                addresses(1),
                "8",
                3,
                &[("0.0.0.0/1", None), ("128.0.0.0/1", None)]
            ),
        ]
    );
    lab.sql(
        "UPDATE address_group_entries SET prefix = '198.51.100.0/25' WHERE id = ?",
        &[id("8", 1).into()],
    );
    let changed = member(addresses(1), "8", 1, &[("198.51.100.0/25", None)]);
    assert_eq!(next(&mut lab), [changed]);
    lab.sql(
        "DELETE FROM address_group_entries WHERE id = ?",
        &[id("8", 2).into()],
    );
    assert_eq!(next(&mut lab), [member(addresses(1), "8", 2, &[])]);
    lab.sql("UPDATE address_groups SET name = 'offices'", &[]);
    assert_eq!(next(&mut lab), []);
}

/// Where nothing enforces groups they are shown, but nobody follows thousands of members.
#[test]
fn without_members() {
    let mut lab = world();
    lab.join(2, 1);
    let mut follower = Follower::new(host("hv1"), None).without_members();
    let mut desired = Desired::default();
    follower.recognise(&mut *lab.store).unwrap();
    catch_up(&mut follower, &mut *lab.store, &mut desired);
    assert_eq!(desired.groups().count(), 1);
    assert_eq!(desired.remotes().count(), 0);
    lab.join(3, 1);
    assert_eq!(catch_up(&mut follower, &mut *lab.store, &mut desired), []);
}

/// Counts what is asked of a store, and what it answers.
struct Counting {
    store: Box<dyn Store>,
    statements: usize,
    rows: usize,
}

impl Store for Counting {
    fn dialect(&self) -> Dialect {
        self.store.dialect()
    }
    fn query(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        let rows = self.store.query(sql, params)?;
        self.statements += 1;
        self.rows += rows.len();
        Ok(rows)
    }
    fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64, StoreError> {
        self.store.execute(sql, params)
    }
    fn script(&mut self, sql: &str) -> Result<(), StoreError> {
        self.store.script(sql)
    }
    fn begin(&mut self, mode: Mode) -> Result<(), StoreError> {
        self.store.begin(mode)
    }
    fn commit(&mut self) -> Result<(), StoreError> {
        self.store.commit()
    }
    fn rollback(&mut self) -> Result<(), StoreError> {
        self.store.rollback()
    }
    fn durable(&mut self) -> Result<(), StoreError> {
        self.store.durable()
    }
    fn stamp(&mut self) -> Result<i64, StoreError> {
        self.store.stamp()
    }
    fn check(&mut self) -> Result<(), StoreError> {
        self.store.check()
    }
    fn watch(&self) -> Option<std::os::fd::OwnedFd> {
        self.store.watch()
    }
}

/// What one more member, its change and its leaving cost a host whose rules name a group of that many members: deltas,
/// entries of the log, statements, rows.
fn cost(n_members: u32) -> Vec<[usize; 4]> {
    let mut lab = world();
    lab.store.begin(Mode::Write).unwrap();
    for n in 10..10 + n_members {
        lab.port(n, 0, Some("hv2"));
        lab.address(n, &format!("10.0.{}.{}", n / 250, n % 250 + 1));
        lab.join(n, 1);
    }
    lab.store.commit().unwrap();
    let mut store = Counting {
        store: open(&lab.url()).unwrap(),
        statements: 0,
        rows: 0,
    };
    let mut follower = Follower::new(host("hv1"), None);
    let mut desired = Desired::default();
    follower.recognise(&mut store).unwrap();
    catch_up(&mut follower, &mut store, &mut desired);
    assert_eq!(desired.remote(set(1)).unwrap().len(), n_members as usize);
    let mut costs = Vec::new();
    for sql in [
        "INSERT INTO port_security_groups (port_id, group_id) VALUES (?, ?)",
        "UPDATE fixed_ips SET ip = '10.0.200.1' WHERE port_id = ? AND ? <> ''",
        "DELETE FROM port_security_groups WHERE port_id = ? AND group_id = ?",
    ] {
        let log = changelog::end(&mut *lab.store).unwrap().revision;
        lab.sql(sql, &[id("d", 3).into(), id("e", 1).into()]);
        let log = changelog::end(&mut *lab.store).unwrap().revision - log;
        (store.statements, store.rows) = (0, 0);
        let deltas = catch_up(&mut follower, &mut store, &mut desired);
        costs.push([
            deltas.len(),
            usize::try_from(log).unwrap(),
            store.statements,
            store.rows,
        ]);
    }
    costs
}

/// A group of 2,000 members costs what one of 10 does.
#[test]
fn a_change_of_one_member_costs_the_same_in_a_group_of_any_size() {
    let few = cost(10);
    assert_eq!(few, cost(2000));
    for [deltas, _, statements, rows] in few {
        assert_eq!(deltas, 1);
        assert!(statements <= 16 && rows <= 24, "{statements} {rows}");
    }
}
