//! The session against a scripted server on a virtual link and clock: old servers, cluster
//! members that are not the leader, resumption, cancelled monitors, lost requests.

mod harness;

use harness::pair::{A, B, Pair, TXN, initial, names};
use ovsdb::Uuid;
use ovsdb::condition::Condition;
use ovsdb::json::{Json, parse};
use ovsdb::op::{Transaction, columns};
use ovsdb::replica::ChangeKind;
use ovsdb::schema::AtomicType;
use ovsdb::session::{Config, Event, NotSent, Outcome, Reason, Session};
use ovsdb::value::{Atom, Datum};
use std::time::Duration;

#[test]
fn handshake_is_one_write_then_the_monitor() {
    let mut pair = Pair::new(|_| {});
    assert_eq!(
        pair.methods(),
        ["set_db_change_aware", "monitor_cond", "get_schema"]
    );
    pair.greet(0);
    let sent = pair.sent();
    let columns = sent[0].member("params").unwrap().as_array().unwrap()[2].to_string();
    assert_eq!(
        columns, r#"{"t":[{"columns":["n","s"]}]}"#,
        "columns the server has"
    );
    pair.reply(3, &format!(r#"[false,"{TXN}",{}]"#, initial()));
    assert_eq!(
        names(&pair.events()),
        [
            "Connected",
            "Update Insert Insert",
            "InitialSnapshotComplete"
        ]
    );
    assert_eq!(pair.session.last_txn(), Uuid::parse(TXN).unwrap());
    let found = pair
        .session
        .replica()
        .find("t", "n", None, &Atom::Integer(1))
        .count();
    assert_eq!(found, 1);
}

#[test]
fn old_servers_are_asked_with_old_methods() {
    let mut pair = Pair::new(|_| {});
    pair.sent();
    pair.greet(0);
    assert_eq!(pair.methods(), ["monitor_cond_since"]);
    pair.refuse(3);
    assert_eq!(pair.methods(), ["monitor_cond"]);
    pair.refuse(4);
    assert_eq!(pair.methods(), ["monitor"]);
    pair.reply(
        5,
        &format!(r#"{{"t":{{"{A}":{{"new":{{"n":1,"s":["set",[]]}}}}}}}}"#),
    );
    assert_eq!(
        names(&pair.events()).last().unwrap(),
        "InitialSnapshotComplete"
    );
    let update = format!(r#"{{"t":{{"{A}":{{"old":{{"n":1}},"new":{{"n":2,"s":"y"}}}}}}}}"#);
    pair.say(&format!(
        r#"{{"id":null,"method":"update","params":["vifd",{update}]}}"#
    ))
    .unwrap();
    let events = pair.events();
    let [Event::Update(changes)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(changes[0].kind(), ChangeKind::Modify);
    assert!(changes[0].changed("n") && changes[0].changed("s"));
    // The method that worked is the first one next time.
    pair.session.disconnected(Reason::Closed);
    pair.session.connected(pair.now);
    pair.sent();
    pair.greet(0);
    assert_eq!(pair.methods(), ["monitor"]);
}

#[test]
fn resumption_applies_only_what_is_new() {
    let mut pair = Pair::new(|_| {});
    pair.greet(0);
    pair.reply(3, &format!(r#"[false,"{TXN}",{}]"#, initial()));
    pair.session.disconnected(Reason::Closed);
    pair.events();
    pair.session.connected(pair.now);
    pair.sent();
    pair.greet(0);
    let sent = pair.sent();
    assert_eq!(
        sent[0].member("params").unwrap().as_array().unwrap()[3],
        Json::from(TXN)
    );
    pair.reply(
        3,
        &format!(r#"[true,"{B}",{{"t":{{"{A}":{{"modify":{{"s":"z"}}}}}}}}]"#),
    );
    let events = pair.events();
    assert_eq!(
        names(&events),
        ["Connected", "Update Modify", "InitialSnapshotComplete"]
    );
    assert_eq!(pair.session.counters().resumed, 1);
    assert_eq!(pair.session.replica().len(), 2);
}

#[test]
fn full_snapshot_after_a_reconnect_is_reported_as_a_difference() {
    let mut pair = Pair::new(|_| {});
    pair.greet(0);
    pair.reply(3, &format!(r#"[false,"{TXN}",{}]"#, initial()));
    pair.session.disconnected(Reason::Closed);
    pair.events();
    pair.session.connected(pair.now);
    pair.greet(0);
    // A has changed, B has vanished.
    pair.reply(
        3,
        &format!(r#"[false,"{TXN}",{{"t":{{"{A}":{{"initial":{{"n":5}}}}}}}}]"#),
    );
    let events = pair.events();
    assert_eq!(
        names(&events),
        [
            "Connected",
            "Update Modify Delete",
            "InitialSnapshotComplete"
        ]
    );
    let Event::Update(changes) = &events[1] else {
        panic!()
    };
    assert_eq!(
        changes[1].old.as_ref().unwrap().get("s"),
        Some(&Datum::from("x"))
    );
}

#[test]
fn bad_update_ends_the_connection_and_forces_a_full_snapshot() {
    let mut pair = Pair::new(|_| {});
    pair.greet(0);
    pair.reply(3, &format!(r#"[false,"{TXN}",{}]"#, initial()));
    pair.events();
    // A is changed, then a row nobody knows: the first change is reported, the rest ends it.
    let update =
        format!(r#"{{"t":{{"{A}":{{"modify":{{"n":9}}}},"{TXN}":{{"modify":{{"n":1}}}}}}}}"#);
    let text = format!(r#"{{"id":null,"method":"update3","params":["vifd","{B}",{update}]}}"#);
    let reason = pair.say(&text).unwrap_err();
    assert!(matches!(reason, Reason::Update(_)), "{reason}");
    pair.session.disconnected(reason);
    assert_eq!(pair.session.last_txn(), Uuid::ZERO);
    let reported: usize = pair
        .events()
        .iter()
        .map(|e| {
            if let Event::Update(changes) = e {
                changes.len()
            } else {
                0
            }
        })
        .sum();
    let nine = pair
        .session
        .replica()
        .find("t", "n", None, &Atom::Integer(9))
        .count();
    assert_eq!(reported, nine, "what the replica holds has been reported");
}

#[test]
fn only_the_leader_is_good_enough() {
    let database = |leader: bool, connected: bool| {
        format!(
            r#"{{"Database":{{"{A}":{{"initial":{{"name":"d","model":"clustered",
            "connected":{connected},"leader":{leader},"index":["set",[7]]}}}}}}}}"#
        )
    };
    let reply = |leader, connected| {
        format!(
            r#"{{"id":1,"result":{},"error":null}}"#,
            database(leader, connected)
        )
    };
    let mut pair = Pair::new(|config| config.leader_only = true);
    assert_eq!(pair.say(&reply(false, true)), Err(Reason::NotLeader));
    let mut pair = Pair::new(|config| config.leader_only = true);
    assert_eq!(pair.say(&reply(true, false)), Err(Reason::NotInCluster));
    let mut pair = Pair::new(|_| {});
    assert_eq!(pair.say(&reply(false, true)), Ok(()));
    let mut pair = Pair::new(|config| config.leader_only = true);
    assert_eq!(pair.say(&reply(true, true)), Ok(()));
    assert!(pair.session.server().unwrap().leader);
    // Leadership moves while connected.
    let update = format!(r#"{{"Database":{{"{A}":{{"modify":{{"leader":false}}}}}}}}"#);
    let text = format!(r#"{{"id":null,"method":"update2","params":["vifd-server",{update}]}}"#);
    assert_eq!(pair.say(&text), Err(Reason::NotLeader));
}

#[test]
fn cancelled_monitor_starts_over_from_the_schema() {
    let mut pair = Pair::new(|_| {});
    pair.greet(0);
    pair.reply(3, &format!(r#"[false,"{TXN}",{}]"#, initial()));
    pair.events();
    pair.sent();
    pair.say(r#"{"id":null,"method":"monitor_canceled","params":["vifd"]}"#)
        .unwrap();
    assert_eq!(pair.methods(), ["get_schema"]);
    // The new schema has no column s any more.
    let schema = r#"{"name":"d","version":"2.0.0","tables":{"t":{"columns":{
        "n":{"type":"integer"}}}}}"#;
    pair.reply(4, schema);
    assert_eq!(names(&pair.events()), ["Connected", "Update Delete Delete"]);
    let sent = pair.sent();
    assert!(sent[0].to_string().contains(r#""columns":["n"]"#));
    let kind = pair
        .session
        .schema()
        .unwrap()
        .table("t")
        .unwrap()
        .column("n")
        .unwrap();
    assert_eq!(kind.kind.key.kind, AtomicType::Integer);
}

#[test]
fn every_request_has_one_outcome() {
    let mut pair = Pair::new(|_| {});
    pair.greet(0);
    let deadline = Some(Duration::from_secs(1));
    let mut txn = Transaction::new();
    txn.comment("c");
    let ids: Vec<_> = (0..4)
        .map(|_| pair.session.transact(&txn, deadline).unwrap())
        .collect();
    pair.events();
    pair.reply(4, "[{}]");
    pair.refuse(5);
    pair.session.cancel(ids[2]);
    pair.session.disconnected(Reason::Closed);
    let mut outcomes = Vec::new();
    for event in pair.events() {
        if let Event::Reply(id, outcome) = event {
            outcomes.push((ids.iter().position(|i| *i == id).unwrap(), outcome));
        }
    }
    assert!(matches!(
        outcomes.as_slice(),
        [
            (0, Outcome::Result(_)),
            (1, Outcome::Error(_)),
            (2, Outcome::Expired),
            (3, Outcome::Lost)
        ]
    ));
    assert!(matches!(
        pair.session.transact(&txn, None),
        Err(NotSent::Refused(_))
    ));
}

#[test]
fn handshake_that_gets_no_answer_times_out() {
    let mut pair = Pair::new(|config| {
        config.handshake_timeout = Duration::from_secs(2);
        config.limits.probe = None;
    });
    assert_eq!(pair.session.deadline(), Some(Duration::from_secs(2)));
    assert_eq!(
        pair.session.tick(Duration::from_secs(2)),
        Err(Reason::HandshakeTimeout)
    );
}

/// A thousand ports are one message, so one round trip.
#[test]
fn a_thousand_ports_are_one_message() {
    let mut txn = Transaction::new();
    let mut ports = Vec::new();
    for i in 0..1000 {
        let name = format!("tap{i}");
        let interface = txn.insert("Interface", columns([("name", name.as_str())]));
        let row = columns([
            ("name", Datum::from(name)),
            ("interfaces", interface.reference.into()),
        ]);
        ports.push(txn.insert("Port", row).reference);
    }
    let insert = ovsdb::mutation::Mutation::insert("ports", Datum::set(ports));
    txn.mutate("Bridge", [Condition::eq("name", "br-int")], [insert]);
    let mut session = Session::new(Config::new("Open_vSwitch"));
    session.connected(Duration::ZERO);
    session.take_output(&mut Vec::new());
    session.transact(&txn, None).unwrap();
    let mut bytes = Vec::new();
    session.take_output(&mut bytes);
    assert!(parse(&bytes).is_ok(), "exactly one message");
}
