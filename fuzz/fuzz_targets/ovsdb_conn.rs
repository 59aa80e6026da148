//! A whole session against arbitrary bytes, in arbitrary pieces, with time passing, requests
//! going out and connections being lost. Bounds hold, every request has one outcome, and the
//! row changes reported are consistent with each other.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ovsdb::conn::Limits;
use ovsdb::json::SplitLimits;
use ovsdb::monitor::TableMonitor;
use ovsdb::op::Transaction;
use ovsdb::replica::Replica;
use ovsdb::session::{Config, Event, Reason, Session};
use std::collections::BTreeSet;
use std::time::Duration;

const LIMITS: Limits = Limits {
    split: SplitLimits {
        message: 8192,
        depth: 64,
    },
    output: 4096,
    in_flight: 8,
    probe: Some(Duration::from_secs(5)),
};

// The input is a list of lines. A line that starts with `{` or a space is received; `t`
// passes time, `r` sends a transaction, `x` loses the connection, `l`, `s` and `u` lock, steal
// and unlock, `c` changes the conditions.
fuzz_target!(|data: &[u8]| {
    let mut config = Config::new("d");
    config.limits = LIMITS;
    config.monitors = vec![TableMonitor::all("t")];
    let mut session = Session::new(config);
    let mut view = Replica::new(vec![]);
    let mut now = Duration::ZERO;
    let mut open = BTreeSet::new();
    let mut output = Vec::new();
    session.connected(now);
    for line in data.split(|b| *b == b'\n') {
        let result = match line.first() {
            Some(b't') => {
                now += Duration::from_millis(700);
                session.tick(now)
            }
            Some(b'r') => {
                let mut txn = Transaction::new();
                txn.comment("c");
                if let Ok(id) = session.transact(&txn, Some(now + Duration::from_secs(1))) {
                    assert!(open.insert(id));
                }
                Ok(())
            }
            Some(b'l') => {
                session.lock("lock", now);
                Ok(())
            }
            Some(b's') => {
                session.steal("lock", now);
                Ok(())
            }
            Some(b'u') => {
                session.unlock("lock", now);
                Ok(())
            }
            Some(b'c') => {
                let all = ovsdb::condition::Condition::Const(line.len() % 2 == 0);
                session.change_conditions(&[TableMonitor::all("t").when([all])], now);
                Ok(())
            }
            Some(b'o') => {
                session.take_output(&mut output);
                Ok(())
            }
            Some(b'x') => Err(Reason::Closed),
            _ => session.receive(line, now),
        };
        let lost = result.is_err();
        if let Err(reason) = result {
            session.disconnected(reason);
        }
        while let Some(event) = session.poll_event() {
            match event {
                Event::Reply(id, _) => assert!(open.remove(&id)),
                Event::Update(changes) => {
                    for change in &changes {
                        let known = view.row(&change.table, change.uuid);
                        assert_eq!(known, change.old.as_ref());
                        view.follow(std::slice::from_ref(change));
                    }
                }
                _ => {}
            }
        }
        if lost {
            assert!(open.is_empty() && !session.is_connected());
            session.connected(now);
        }
        // The handshake may add a few requests of its own to a full output.
        assert!(session.output_len() <= LIMITS.output * 2 + 8192);
        assert!(open.len() <= LIMITS.in_flight);
    }
    session.disconnected(Reason::Closed);
    assert!(view.rows("t").eq(session.replica().rows("t")));
});
