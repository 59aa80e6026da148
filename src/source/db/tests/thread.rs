//! The thread: loss and return of the database, reports, and who has the host.

use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::super::{DbSourceConfig, Request, SourceEvent, spawn};
use super::*;
use crate::model::{Change, Endpoint, FirewallDriver, PortStatus, TunnelType};
use crate::ops::report::{Heartbeat, PortReport};
use crate::store::agents::{Place, Results};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// Long enough to notice what should not happen.
const QUIET: Duration = Duration::from_millis(250);

struct Source {
    requests: mpsc::Sender<Request>,
    events: mpsc::Receiver<SourceEvent>,
    runtime: tokio::runtime::Runtime,
    desired: Desired,
    snapshots: usize,
}

fn config(lab: &Lab, name: &str) -> DbSourceConfig {
    DbSourceConfig {
        url: lab.url(),
        host: host(name),
        endpoints: Vec::new(),
        poll_interval: Duration::from_millis(5),
        heartbeat_interval: Duration::from_millis(100),
        instance: Uuid::new_v4(),
        boot_id: "this boot".to_owned(),
        version: "test".to_owned(),
        firewall: FirewallDriver::OpenFlow,
        identity_file: None,
    }
}

/// Alive for all of the test without a word.
fn patient(config: DbSourceConfig) -> DbSourceConfig {
    DbSourceConfig {
        heartbeat_interval: Duration::from_secs(60),
        ..config
    }
}

impl Source {
    fn start(config: DbSourceConfig) -> Source {
        let (requests, events) = spawn(config).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        Source {
            requests,
            events,
            runtime,
            desired: Desired::default(),
            snapshots: 0,
        }
    }

    /// The next event within this time; deltas are taken in.
    fn next(&mut self, within: Duration) -> Option<SourceEvent> {
        let events = &mut self.events;
        let event = self
            .runtime
            .block_on(async { tokio::time::timeout(within, events.recv()).await.ok() });
        let event = event.map(|event| event.expect("the thread ended"));
        if let Some(SourceEvent::Deltas(deltas)) = &event {
            for delta in deltas {
                let changes = self.desired.apply(delta.clone());
                self.snapshots += changes
                    .iter()
                    .filter(|change| **change == Change::Complete)
                    .count();
            }
        }
        event
    }

    fn until<T>(
        &mut self,
        wanted: &str,
        mut is: impl FnMut(&Source, SourceEvent) -> Option<T>,
    ) -> T {
        let deadline = std::time::Instant::now() + PATIENCE;
        while std::time::Instant::now() < deadline {
            if let Some(event) = self.next(PATIENCE)
                && let Some(found) = is(self, event)
            {
                return found;
            }
        }
        panic!("no {wanted} within {PATIENCE:?}");
    }

    fn up(&mut self) {
        self.until("Up", |_, event| {
            matches!(event, SourceEvent::Up).then_some(())
        });
    }

    fn down(&mut self) -> String {
        self.until("Down", |_, event| match event {
            SourceEvent::Down { reason } => Some(reason),
            _ => None,
        })
    }

    fn refused(&mut self) -> String {
        self.until("Refused", |_, event| match event {
            SourceEvent::Refused { reason } => Some(reason),
            _ => None,
        })
    }

    fn ports(&mut self, wanted: usize) {
        if self.desired.is_complete() && self.desired.ports().count() == wanted {
            return;
        }
        self.until(&format!("{wanted} ports"), |source, _| {
            (source.desired.is_complete() && source.desired.ports().count() == wanted).then_some(())
        });
    }

    /// Nothing is told that would change anything.
    fn quiet(&mut self) {
        let deadline = std::time::Instant::now() + QUIET;
        while let Some(left) = deadline.checked_duration_since(std::time::Instant::now()) {
            if let Some(event) = self.next(left) {
                assert!(matches!(event, SourceEvent::Down { .. }), "{event:?}");
            }
        }
    }

    fn ask(&self, request: Request) {
        self.requests.blocking_send(request).unwrap();
    }

    fn report(&mut self, batch: u64, reports: Vec<PortReport>) -> Result<Results, String> {
        self.ask(Request::Report { batch, reports });
        self.until("answer to the report", |_, event| match event {
            SourceEvent::Reported { batch: b, results } if b == batch => Some(Ok(results)),
            SourceEvent::ReportFailed { batch: b, reason } if b == batch => Some(Err(reason)),
            _ => None,
        })
    }
}

fn active(n: u32) -> PortReport {
    PortReport {
        port: port_id(n),
        status: PortStatus::Active,
        reason: None,
        seen_at: Some(7),
        wired_at: Some(8),
    }
}

fn column(lab: &mut Lab, n: u32, column: &str) -> Value {
    let rows = lab
        .store
        .query(
            &format!("SELECT {column} FROM ports WHERE id = ?"),
            &[id("d", n).into()],
        )
        .unwrap();
    rows[0][0].clone()
}

/// Nobody looks for a minute, unless the file system tells.
#[test]
fn a_change_is_noticed_without_polling() {
    let mut lab = Lab::new();
    lab.network(0);
    let mut source = Source::start(patient(DbSourceConfig {
        poll_interval: Duration::from_secs(60),
        ..config(&lab, "hv1")
    }));
    source.up();
    source.ports(0);
    for n in 1..=20 {
        lab.port(n, 0, Some("hv1"));
        source.ports(n as usize);
        std::thread::sleep(Duration::from_millis(u64::from(n)));
    }
}

#[test]
fn follows_and_reports() {
    let mut lab = Lab::new();
    lab.network(0);
    lab.port(1, 0, Some("hv1"));
    lab.port(2, 0, Some("hv2"));
    let mut source = Source::start(config(&lab, "hv1"));
    source.up();
    source.ports(1);
    lab.port(3, 0, Some("hv1"));
    source.ports(2);

    let results = source
        .report(4, vec![active(1), active(2), active(9)])
        .unwrap();
    assert_eq!(
        results,
        [
            (port_id(1), Ok(())),
            (port_id(2), Err("the port is bound to host hv2".to_owned())),
            (port_id(9), Err("no such port in the database".to_owned())),
        ]
    );
    let status = |source: &Source| source.desired.port(port_id(1)).map(|port| port.status);
    if status(&source) != Some(PortStatus::Active) {
        source.until("the status of its own report", |source, _| {
            (status(source) == Some(PortStatus::Active)).then_some(())
        });
    }
    assert_eq!(column(&mut lab, 2, "status"), "BUILD".into());
    assert_eq!(
        [
            column(&mut lab, 1, "seen_at"),
            column(&mut lab, 1, "wired_at")
        ],
        [Value::Int(7), Value::Int(8)]
    );
    let active_at = column(&mut lab, 1, "active_at");
    assert!(
        active_at.int().is_some_and(|at| at > 1_600_000_000_000_000),
        "{active_at:?}"
    );

    let failed = PortReport {
        status: PortStatus::Error,
        reason: Some("no bridge".into()),
        ..active(1)
    };
    source.report(5, vec![failed]).unwrap();
    assert_eq!(column(&mut lab, 1, "binding_error"), "no bridge".into());
    let down = PortReport {
        status: PortStatus::Down,
        reason: None,
        seen_at: None,
        wired_at: None,
        port: port_id(1),
    };
    source.report(6, vec![down]).unwrap();
    assert_eq!(column(&mut lab, 1, "binding_error"), Value::Null);
    assert_eq!(column(&mut lab, 1, "wired_at"), Value::Int(8));
    assert_eq!(column(&mut lab, 1, "active_at"), active_at);
    assert_eq!(source.snapshots, 1);
}

#[test]
fn says_where_a_port_is_bound() {
    let mut lab = Lab::new();
    lab.network(0);
    lab.port(1, 0, Some("hv2"));
    lab.port(2, 0, None);
    let mut source = Source::start(config(&lab, "hv1"));
    source.up();
    let ask = |n| {
        let (answer, place) = oneshot::channel();
        source.ask(Request::DescribePort(port_id(n), answer));
        source.runtime.block_on(place).unwrap().unwrap()
    };
    assert_eq!(
        [ask(1), ask(2), ask(3)],
        [
            Place::Bound("hv2".to_owned()),
            Place::Unbound,
            Place::Unknown
        ]
    );
}

#[test]
fn a_database_that_goes_and_comes_is_resumed() {
    let mut lab = Lab::new();
    lab.network(0);
    lab.port(1, 0, Some("hv1"));
    let mut source = Source::start(config(&lab, "hv1"));
    source.up();
    source.ports(1);
    std::fs::rename(lab.path("vifd.db"), lab.path("away.db")).unwrap();
    let reason = source.down();
    assert!(
        reason.contains("was moved, deleted or replaced")
            || reason.contains("the database is gone from"),
        "{reason}"
    );
    source.quiet();
    let reason = source.report(1, vec![active(1)]).unwrap_err();
    assert!(reason.contains("the database is down"), "{reason}");
    assert_eq!(source.desired.ports().count(), 1);
    std::fs::rename(lab.path("away.db"), lab.path("vifd.db")).unwrap();
    source.up();
    lab.store = open(&lab.url()).unwrap();
    lab.port(2, 0, Some("hv1"));
    source.ports(2);
    assert_eq!(source.snapshots, 1, "resumed by revision");
    source.report(2, vec![active(1)]).unwrap();
}

#[test]
fn a_new_database_is_not_taken_for_an_empty_one() {
    let mut lab = Lab::new();
    lab.network(0);
    lab.port(1, 0, Some("hv1"));
    let identity = lab.path("state/database-id");
    let configured = DbSourceConfig {
        identity_file: Some(identity),
        ..config(&lab, "hv1")
    };
    let with_identity = || DbSourceConfig {
        instance: Uuid::new_v4(),
        ..configured.clone()
    };
    let mut source = Source::start(with_identity());
    source.up();
    source.ports(1);
    // Everything of the old one is put aside: a log that stays behind would be played into the new one.
    lab.store
        .query("PRAGMA wal_checkpoint(TRUNCATE)", &[])
        .unwrap();
    std::fs::rename(lab.path("vifd.db"), lab.path("old.db")).unwrap();
    source.down();
    lab.store = Lab::new().store;
    for file in ["vifd.db-wal", "vifd.db-shm"] {
        let _ = std::fs::remove_file(lab.path(file));
    }
    std::fs::write(lab.path("vifd.db"), "").unwrap();
    source.until("Down for a file without schema", |_, event| match event {
        SourceEvent::Down { reason } => reason.contains("has no vifd schema").then_some(()),
        _ => None,
    });
    migrate::migrate(&mut *open(&lab.url()).unwrap()).unwrap();
    source.until("Down for another database", |_, event| match event {
        SourceEvent::Down { reason } => reason
            .contains("is not the one this host followed")
            .then_some(()),
        _ => None,
    });
    source.quiet();
    assert_eq!(source.desired.ports().count(), 1);

    // A new process remembers too.
    drop(source);
    let mut second = Source::start(with_identity());
    let reason = second.down();
    assert!(
        reason.contains("remove ") && reason.contains("database-id"),
        "{reason}"
    );
    std::fs::remove_file(lab.path("vifd.db")).unwrap();
    std::fs::rename(lab.path("old.db"), lab.path("vifd.db")).unwrap();
    second.up();
    second.ports(1);
}

#[test]
fn a_database_locked_for_too_long_is_lost_until_it_is_free() {
    let mut lab = Lab::new();
    lab.network(0);
    lab.port(1, 0, Some("hv1"));
    let mut source = Source::start(config(&lab, "hv1"));
    source.up();
    source.ports(1);
    lab.store.script("BEGIN IMMEDIATE").unwrap();
    let reason = source.report(1, vec![active(1)]).unwrap_err();
    assert!(reason.contains("locked by another writer"), "{reason}");
    source.down();
    lab.store.script("COMMIT").unwrap();
    source.up();
    source.report(2, vec![active(1)]).unwrap();
    assert_eq!(source.snapshots, 1);
}

#[test]
fn a_database_that_appears_late() {
    let lab = Lab::new();
    let late = DatabaseUrl::Sqlite(lab.path("late.db"));
    let mut source = Source::start(DbSourceConfig {
        url: late.clone(),
        ..config(&lab, "hv1")
    });
    let reason = source.down();
    assert!(
        reason.contains("no database at") && reason.contains("vifd db init"),
        "{reason}"
    );
    migrate::migrate(&mut *create(&late).unwrap()).unwrap();
    source.up();
    source.ports(0);
}

#[test]
fn a_damaged_database_is_down_with_what_it_said() {
    let lab = Lab::new();
    let path = lab.path("damaged.db");
    std::fs::write(&path, vec![b'x'; 8192]).unwrap();
    let mut source = Source::start(DbSourceConfig {
        url: DatabaseUrl::Sqlite(path),
        ..config(&lab, "hv1")
    });
    let reason = source.down();
    assert!(reason.contains("file is not a database"), "{reason}");
}

#[test]
fn endpoints_of_all_hosts_are_told() {
    let lab = Lab::new();
    let ends = |name: &str, ip: &str| {
        let ip: IpAddr = ip.parse().unwrap();
        TunnelType::ALL
            .map(|kind| Endpoint {
                host: host(name),
                kind,
                ip,
            })
            .to_vec()
    };
    let mut one = Source::start(DbSourceConfig {
        endpoints: ends("hv1", "192.0.2.1"),
        ..config(&lab, "hv1")
    });
    one.up();
    let mut two = Source::start(DbSourceConfig {
        endpoints: ends("hv2", "2001:db8::2"),
        ..config(&lab, "hv2")
    });
    two.up();
    one.until("four endpoints", |source, _| {
        (source.desired.endpoints().count() == 4).then_some(())
    });
    let mut thief = Source::start(DbSourceConfig {
        endpoints: ends("hv3", "192.0.2.1"),
        ..config(&lab, "hv3")
    });
    let reason = thief.refused();
    assert!(
        reason.contains("192.0.2.1 of host hv3 belongs to host \"hv1\""),
        "{reason}"
    );
    // Another address after a restart: the old one goes.
    drop(two);
    let _two = Source::start(DbSourceConfig {
        endpoints: ends("hv2", "192.0.2.2"),
        ..config(&lab, "hv2")
    });
    one.until("the new address", |source, _| {
        let ips: Vec<String> = source
            .desired
            .endpoints()
            .map(|e| e.ip.to_string())
            .collect();
        (ips.len() == 4 && !ips.contains(&"2001:db8::2".to_owned())).then_some(())
    });
}

#[test]
fn another_machine_waits_until_the_host_is_free() {
    let mut lab = Lab::new();
    let mut first = Source::start(patient(config(&lab, "hv1")));
    first.up();
    first.ask(Request::Heartbeat(Heartbeat {
        vifs: 3,
        active: 2,
        blocked: 1,
    }));
    let other = || DbSourceConfig {
        boot_id: "other boot".to_owned(),
        ..config(&lab, "hv1")
    };
    let mut second = Source::start(other());
    let reason = second.refused();
    assert!(reason.contains("on another machine"), "{reason}");
    first.ask(Request::Stop);
    second.up();
    let rows = lab
        .store
        .query("SELECT vifs, active, blocked, version FROM agents", &[])
        .unwrap();
    assert_eq!(
        rows,
        [[Value::Int(3), Value::Int(2), Value::Int(1), "test".into()]]
    );
    // The same once it is only silent: three intervals of 100 ms.
    let mut third = Source::start(config(&lab, "hv1"));
    third.up();
}

#[test]
fn a_newer_agent_of_the_same_boot_takes_over_and_keeps_the_host() {
    let lab = Lab::new();
    let mut first = Source::start(config(&lab, "hv1"));
    first.up();
    let mut second = Source::start(patient(config(&lab, "hv1")));
    second.up();
    let reason = first.report(1, vec![active(1)]).unwrap_err();
    assert!(reason.contains("took host hv1 over"), "{reason}");
    first.refused();
    for _ in 0..8 {
        second.ask(Request::Heartbeat(Heartbeat::default()));
        first.quiet_refused();
        let event = second.next(Duration::from_millis(50));
        assert!(
            event
                .as_ref()
                .is_none_or(|event| matches!(event, SourceEvent::Deltas(_))),
            "{event:?}"
        );
    }
    second.ask(Request::Stop);
    first.up();
}

impl Source {
    fn quiet_refused(&mut self) {
        let event = self.next(Duration::from_millis(1));
        assert!(event.is_none(), "{event:?}");
    }
}

#[test]
fn a_slow_agent_stops_the_reading_not_the_answers() {
    let mut lab = Lab::new();
    lab.network(0);
    for n in 0..3000 {
        lab.port(n, 0, Some("hv1"));
    }
    let mut source = Source::start(config(&lab, "hv1"));
    std::thread::sleep(Duration::from_millis(100));
    for batch in 0..40 {
        source.ask(Request::Report {
            batch,
            reports: vec![active(1)],
        });
    }
    source.up();
    let mut answers = 0;
    source.until("all answers and ports", |source, event| {
        answers += usize::from(matches!(
            event,
            SourceEvent::Reported { .. } | SourceEvent::ReportFailed { .. }
        ));
        (answers == 40 && source.desired.ports().count() == 3000).then_some(())
    });
}

/// Three hosts report while somebody makes ports: nobody is turned away, every host sees exactly its own.
#[test]
fn several_hosts_and_an_editor_write_at_once() {
    let mut lab = Lab::new();
    lab.network(0);
    for n in 0..300 {
        lab.port(n, 0, Some(["hv0", "hv1", "hv2"][n as usize % 3]));
    }
    let reporters: Vec<_> = (0..3_u32)
        .map(|which| {
            let config = config(&lab, &format!("hv{which}"));
            std::thread::spawn(move || {
                let mut source = Source::start(config);
                source.up();
                for batch in 0..20 {
                    let reports = (0..100).map(|n| active(n * 3 + which)).collect();
                    let results = source.report(batch, reports).unwrap();
                    assert!(
                        results.iter().all(|(_, result)| result.is_ok()),
                        "{results:?}"
                    );
                }
                source.ports(200);
            })
        })
        .collect();
    for n in 300..600 {
        lab.port(n, 0, Some(["hv0", "hv1", "hv2"][n as usize % 3]));
    }
    for reporter in reporters {
        reporter.join().unwrap();
    }
    let active = lab
        .store
        .query("SELECT count(*) FROM ports WHERE status = 'ACTIVE'", &[])
        .unwrap();
    assert_eq!(active[0][0], Value::Int(300));
}
