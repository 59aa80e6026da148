//! The client against a real ovsdb-server: order of events, big transactions, reconnects.

mod harness;

use harness::{Server, block_on, connect, drain, snapshot};
use ovsdb::condition::Condition;
use ovsdb::mutation::Mutation;
use ovsdb::net::{Client, Config, Error};
use ovsdb::op::{Transaction, columns};
use ovsdb::replica::ChangeKind;
use ovsdb::session::Event;
use ovsdb::value::{Atom, Datum};
use ovsdb::vswitch::{Changed, Port};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);
const SECOND: Duration = Duration::from_secs(1);

/// A bridge with `n` ports, in one transaction.
fn bridge_with_ports(name: &str, n: usize) -> Transaction {
    let mut txn = Transaction::new();
    let mut ports = Vec::new();
    for i in 0..n {
        let name = format!("{name}-{i}");
        let interface = txn.insert("Interface", columns([("name", name.as_str())]));
        let port = txn.insert(
            "Port",
            columns([
                ("name", Datum::from(name.as_str())),
                ("interfaces", interface.reference.into()),
            ]),
        );
        ports.push(port.reference);
    }
    let bridge = txn.insert(
        "Bridge",
        columns([("name", Datum::from(name)), ("ports", Datum::set(ports))]),
    );
    txn.mutate(
        "Open_vSwitch",
        [],
        [Mutation::insert("bridges", bridge.reference)],
    );
    txn
}

#[test]
fn own_update_arrives_before_the_reply() {
    let server = Server::vswitch();
    server.vsctl(&["init"]);
    block_on(LIMIT, async {
        let (client, mut events, mut replica) =
            connect(Config::vswitch(vec![server.remote()])).await;
        assert_eq!(replica.len(), 1);
        client
            .transact(bridge_with_ports("br0", 1000), LIMIT)
            .await
            .unwrap();
        drain(&mut events, &mut replica);
        assert_eq!(replica.rows("Port").count(), 1000);
        let found: Vec<_> = replica
            .find("Port", "name", None, &Atom::from("br0-17"))
            .map(|(u, _)| u)
            .collect();
        assert_eq!(found.len(), 1);

        // A change of one row is one event of one row.
        let mut txn = Transaction::new();
        txn.update("Port", [Condition::uuid(found[0])], columns([("tag", 7)]));
        client.transact(txn, LIMIT).await.unwrap();
        let Some(Event::Update(changes)) = events.try_next() else {
            panic!("no update")
        };
        let [change] = changes.as_slice() else {
            panic!("{} changes", changes.len())
        };
        assert_eq!(change.kind(), ChangeKind::Modify);
        let port = Changed::<Port>::from_change(change).unwrap();
        assert!(port.differs(|p| &p.tag) && !port.differs(|p| &p.name));
        assert_eq!(port.new.unwrap().tag, Some(7));
    });
}

#[test]
fn rows_that_vanished_while_away_are_deleted() {
    let mut server = Server::vswitch();
    server.vsctl(&["init", "--", "add-br", "br0", "--", "add-br", "br1"]);
    block_on(LIMIT, async {
        let mut config = Config::vswitch(vec![server.remote()]);
        config.backoff_min = Duration::from_millis(20);
        config.backoff_max = Duration::from_millis(50);
        let (client, mut events, mut replica) = connect(config).await;
        assert_eq!(replica.rows("Bridge").count(), 2);
        server.kill();
        loop {
            if let Some(Event::Disconnected(_)) = events.next().await {
                break;
            }
        }
        let refused = client.transact(Transaction::new(), SECOND).await;
        assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
        server.restart();
        server.vsctl(&[
            "del-br",
            "br1",
            "--",
            "set",
            "Bridge",
            "br0",
            "fail_mode=secure",
        ]);
        // The client may have seen the time before, or between, or only the end.
        let gone = |r: &ovsdb::replica::Replica| r.rows("Bridge").count() == 1;
        while !gone(&replica) {
            if let Some(Event::Update(changes)) = events.next().await {
                replica.follow(&changes);
            }
        }
        let (_, bridge) = replica.rows("Bridge").next().unwrap();
        assert_eq!(
            (bridge.str("name"), bridge.str("fail_mode")),
            ("br0", "secure")
        );
        assert_eq!(replica.rows("Port").count(), 1);
    });
}

#[test]
fn deadline_of_a_waiting_transaction() {
    let server = Server::vswitch();
    server.vsctl(&["init"]);
    block_on(LIMIT, async {
        let (client, _events, _replica) = connect(Config::vswitch(vec![server.remote()])).await;
        let mut txn = Transaction::new();
        txn.push(ovsdb::op::Operation::Wait {
            timeout: None,
            table: "Open_vSwitch".into(),
            conditions: vec![],
            columns: vec!["next_cfg".into()],
            until_equal: true,
            rows: vec![columns([("next_cfg", 77)])],
        });
        let expired = client
            .transact(txn.clone(), Duration::from_millis(300))
            .await;
        assert_eq!(expired, Err(Error::Expired));
        // The connection is still good, and the server has dropped the transaction.
        client.transact(Transaction::new(), SECOND).await.unwrap();
    });
}

#[test]
fn locks_are_granted_stolen_and_released() {
    let server = Server::vswitch();
    block_on(LIMIT, async {
        let config = || Config::new(vec![server.remote()], "Open_vSwitch");
        let mut replica = ovsdb::replica::Replica::new(vec![]);
        let (a, mut a_events) = Client::spawn(config()).unwrap();
        let (b, mut b_events) = Client::spawn(config()).unwrap();
        snapshot(&mut a_events, &mut replica).await;
        snapshot(&mut b_events, &mut replica).await;
        a.lock("agent").await.unwrap();
        let lock = |event| match event {
            Some(Event::Lock(name, held)) => (name.to_string(), held),
            other => panic!("{other:?}"),
        };
        assert_eq!(lock(a_events.next().await), ("agent".into(), true));
        b.steal("agent").await.unwrap();
        assert_eq!(lock(b_events.next().await), ("agent".into(), true));
        assert_eq!(lock(a_events.next().await), ("agent".into(), false));
        b.unlock("agent").await.unwrap();
        assert_eq!(lock(b_events.next().await), ("agent".into(), false));
        assert_eq!(lock(a_events.next().await), ("agent".into(), true));
    });
}
