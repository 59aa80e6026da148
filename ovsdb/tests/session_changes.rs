//! What changes while a session is under way, on a virtual link and clock: conditions, locks,
//! and members of a cluster that are behind.

mod harness;

use harness::pair::{A, B, Pair, SCHEMA, TXN, initial, names};
use ovsdb::Uuid;
use ovsdb::condition::Condition;
use ovsdb::json::Json;
use ovsdb::monitor::{Method, TableMonitor};
use ovsdb::session::{Event, Reason};

fn only(n: i64) -> Vec<TableMonitor> {
    vec![TableMonitor::all("t").when([Condition::eq("n", n)])]
}

fn param(message: &Json, at: usize) -> String {
    message.member("params").unwrap().as_array().unwrap()[at].to_string()
}

/// A session whose monitor has been answered.
fn running() -> Pair {
    let mut pair = Pair::new(|_| {});
    pair.greet(0);
    pair.reply(3, &format!(r#"[false,"{TXN}",{}]"#, initial()));
    pair.events();
    pair.sent();
    pair
}

fn reconnect(pair: &mut Pair) -> Json {
    pair.session.disconnected(Reason::Closed);
    pair.session.connected(pair.now);
    pair.sent();
    pair.greet(0);
    pair.sent().remove(0)
}

#[test]
fn conditions_changed_during_the_handshake_are_not_lost() {
    let mut pair = Pair::new(|_| {});
    // Before the monitor is asked for, they are part of the request.
    pair.session.change_conditions(&only(1), pair.now);
    pair.sent();
    pair.greet(0);
    let sent = pair.sent();
    assert!(param(&sent[0], 2).contains(r#""where":[["n","==",1]]"#));
    // After that, they follow its reply.
    pair.session.change_conditions(&only(2), pair.now);
    assert_eq!(pair.sent(), []);
    pair.reply(3, &format!(r#"[false,"{TXN}",{{}}]"#));
    let sent = pair.sent();
    assert_eq!(
        sent[0].member("method"),
        Some(&"monitor_cond_change".into())
    );
    assert_eq!(param(&sent[0], 2), r#"{"t":[{"where":[["n","==",2]]}]}"#);
}

#[test]
fn conditions_that_were_not_confirmed_forbid_a_resumption() {
    let update = format!(r#"{{"t":{{"{A}":{{"modify":{{"n":2}}}}}}}}"#);
    let update = format!(r#"{{"id":null,"method":"update3","params":["vifd","{B}",{update}]}}"#);
    // Confirmed: the last transaction seen is good to resume from.
    let mut pair = running();
    pair.session.change_conditions(&only(1), pair.now);
    pair.say(&update).unwrap();
    pair.reply(4, "{}");
    assert_eq!(param(&reconnect(&mut pair), 3), format!("\"{B}\""));
    // On its way: nobody knows which rows the server had in view at that transaction.
    let mut pair = running();
    pair.session.change_conditions(&only(1), pair.now);
    pair.say(&update).unwrap();
    let zero = format!("\"{}\"", Uuid::ZERO);
    assert_eq!(param(&reconnect(&mut pair), 3), zero);
    // Changed while away: the same.
    let mut pair = running();
    pair.session.disconnected(Reason::Closed);
    pair.session.change_conditions(&only(1), pair.now);
    assert_eq!(param(&reconnect(&mut pair), 3), zero);
}

#[test]
fn only_a_server_that_lacks_the_method_is_asked_with_an_older_one() {
    let mut pair = Pair::new(|_| {});
    pair.sent();
    pair.greet(0);
    let refusal = r#"{"id":3,"error":{"error":"syntax error","details":"no column x"}}"#;
    let reason = pair.say(refusal).unwrap_err();
    assert_eq!(reason, Reason::Refused("syntax error: no column x".into()));
    pair.session.disconnected(reason);
    pair.session.connected(pair.now);
    pair.sent();
    pair.greet(0);
    assert_eq!(pair.methods(), [Method::CondSince.name()]);
}

#[test]
fn a_member_that_is_behind_is_left() {
    let member = |cluster: &str, index: i64| {
        format!(
            r#"{{"id":1,"result":{{"Database":{{"{A}":{{"initial":{{"name":"d","model":"clustered",
            "connected":true,"leader":false,"index":{index},"cid":["uuid","{cluster}"]}}}}}}}},
            "error":null}}"#
        )
    };
    let mut pair = Pair::new(|_| {});
    let mut next = |cluster: &str, index| {
        pair.session.disconnected(Reason::Closed);
        pair.session.connected(pair.now);
        pair.say(&member(cluster, index))
    };
    assert_eq!(next(A, 7), Ok(()));
    assert_eq!(next(A, 6), Err(Reason::Stale));
    assert_eq!(next(A, 7), Ok(()));
    // It grows while connected, and another cluster counts for itself.
    assert_eq!(next(A, 9), Ok(()));
    assert_eq!(next(A, 8), Err(Reason::Stale));
    assert_eq!(next(B, 1), Ok(()));
    assert_eq!(next(B, 0), Err(Reason::Stale));
}

#[test]
fn a_lock_waited_for_can_be_stolen() {
    let mut pair = running();
    pair.session.lock("l", pair.now);
    pair.session.lock("l", pair.now);
    assert_eq!(pair.methods(), ["lock"], "asking twice is asking once");
    pair.reply(4, r#"{"locked":false}"#);
    pair.session.steal("l", pair.now);
    // The server takes a second request for a lock only after an unlock.
    assert_eq!(pair.methods(), ["unlock", "steal"]);
    pair.reply(5, "{}");
    pair.reply(6, r#"{"locked":true}"#);
    assert_eq!(names(&pair.events()), [r#"Lock("l", true)"#]);
    pair.session.steal("l", pair.now);
    assert_eq!(pair.sent(), [], "it is held");
    // Stolen while away, it is stolen at the next connect and only locked at the one after.
    pair.session.disconnected(Reason::Closed);
    pair.session.steal("m", pair.now);
    for method in ["steal", "lock"] {
        pair.session.connected(pair.now);
        let sent = pair.sent();
        let locks = sent
            .iter()
            .map(|m| m.member("method").unwrap().as_str().unwrap());
        assert_eq!(locks.skip(3).collect::<Vec<_>>(), ["lock", method]);
        pair.session.disconnected(Reason::Closed);
    }
}

#[test]
fn a_lock_with_a_bad_name_ends_the_connection() {
    let mut pair = running();
    pair.session.lock("no name", pair.now);
    let refusal = r#"{"id":4,"error":{"error":"syntax error","details":"bad lock"}}"#;
    assert!(matches!(pair.say(refusal), Err(Reason::Refused(_))));
}

/// A schema that comes back unchanged after a reconnect does not end the resumption.
#[test]
fn the_same_schema_resumes() {
    let mut pair = running();
    assert_eq!(param(&reconnect(&mut pair), 3), format!("\"{TXN}\""));
    let mut pair = running();
    pair.session.disconnected(Reason::Closed);
    pair.session.connected(pair.now);
    pair.reply(0, "{}");
    pair.refuse(1);
    pair.reply(2, &SCHEMA.replace("1.0.0", "1.0.1"));
    let sent = pair.sent();
    let monitor = sent.last().unwrap();
    assert_eq!(param(monitor, 3), format!("\"{}\"", Uuid::ZERO));
    assert!(
        pair.events()
            .iter()
            .any(|e| matches!(e, Event::Connected(_)))
    );
}
