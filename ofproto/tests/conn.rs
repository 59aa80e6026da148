//! The sans-io connection against a simulated switch: order, windows, errors, deadlines, bundles.

#[path = "conn_sim/pair.rs"]
mod pair;
#[path = "conn_sim/switch.rs"]
mod switch;

use std::collections::BTreeMap;
use std::time::Duration;

use ofproto::conn::{
    Batch, BundleFlags, CloseReason, Config, Connection, Event, Failure, Frame, OfError, OpError,
    Tag,
};
use ofproto::error::OfpError;
use ofproto::header::Version;
use pair::Pair;
use switch::{Switch, flow_mod, message};

const SECOND: Duration = Duration::from_secs(1);

fn pair_with(config: Config, set_up: impl FnOnce(&mut Switch)) -> Pair {
    let mut switch = Switch::new(config.version.byte());
    set_up(&mut switch);
    Pair::new(Connection::new(config, Duration::ZERO), switch)
}

fn ready(config: Config, set_up: impl FnOnce(&mut Switch)) -> Pair {
    let mut pair = pair_with(config, set_up);
    pair.run();
    let events = pair.take_events();
    assert!(matches!(events[..], [Event::Ready { .. }]), "{events:?}");
    pair.switch.barriers = 0;
    pair.switch.seen.clear();
    pair
}

fn batch(version: u8, numbers: impl IntoIterator<Item = u32>) -> Batch {
    let mut batch = Batch::new();
    for number in numbers {
        batch.push_encoded(&flow_mod(version, number));
    }
    batch
}

fn stats_request() -> Frame {
    Frame::new(message(1, 16, 0, &[0, 1, 0, 0])).unwrap()
}

fn refused(index: usize, ty: u16, code: u16) -> (usize, OpError) {
    (
        index,
        OpError::Refused(OfError::standard(Version::OF10, ty, code)),
    )
}

fn refused14(index: usize, ty: u16, code: u16) -> (usize, OpError) {
    (
        index,
        OpError::Refused(OfError::standard(Version::OF14, ty, code)),
    )
}

fn tag_of(event: &Event) -> Option<Tag> {
    match event {
        Event::BatchDone { tag, .. }
        | Event::BundleDone { tag, .. }
        | Event::Failed { tag, .. }
        | Event::Reply {
            tag, more: false, ..
        } => Some(*tag),
        _ => None,
    }
}

#[test]
fn handshake_asks_for_the_nicira_extensions() {
    let mut pair = pair_with(Config::default(), |_| {});
    pair.run();
    let kinds: Vec<u8> = pair.switch.seen.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [0, 4, 4, 5, 18]);
    assert!(pair.conn.is_ready());
    match &pair.take_events()[..] {
        [Event::Ready { features }] => assert_eq!(features.bytes().len(), 32),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_refused_set_up_is_a_foreign_switch() {
    for subtype in [12, 15] {
        let mut pair = pair_with(Config::default(), |switch| {
            switch.bad_vendor.insert(subtype);
        });
        pair.conn.submit_batch(Tag(1), batch(1, 0..3));
        pair.run();
        let error = OfError::standard(Version::OF10, 1, 4);
        let expected = [
            Event::Failed {
                tag: Tag(1),
                failure: Failure::Closed,
                acknowledged: 0,
                errors: Vec::new(),
            },
            Event::Closed {
                reason: CloseReason::ForeignSwitch(error),
            },
        ];
        assert_eq!(pair.take_events(), expected);
    }
}

#[test]
fn no_common_version() {
    let mut pair = pair_with(Config::bundles(), |switch| {
        switch.replies = [message(4, 0, 1, &[])].into();
    });
    pair.run();
    let reason = CloseReason::Version { offered: 4 };
    assert_eq!(pair.take_events(), [Event::Closed { reason }]);
    // A hello refused with an ERROR.
    let mut pair = pair_with(Config::default(), |switch| {
        switch.replies = [message(4, 1, 1, &[0; 4])].into();
    });
    pair.run();
    let events = pair.take_events();
    assert!(
        matches!(events[..], [Event::Closed { reason: CloseReason::ForeignSwitch(error) }] if error.name == Some(OfpError::OFPHFC_INCOMPATIBLE)),
        "{events:?}"
    );
}

#[test]
fn one_barrier_per_batch_and_errors_by_operation() {
    let mut pair = ready(Config::default(), |switch| {
        switch.bad.extend([2, 5, 100]);
    });
    pair.conn.submit_batch(Tag(7), batch(1, 0..10));
    pair.conn.submit_batch(Tag(8), batch(1, 100..101));
    pair.conn.submit_batch(Tag(9), Batch::new());
    pair.run();
    let expected = [
        Event::BatchDone {
            tag: Tag(7),
            errors: vec![refused(2, 3, 0), refused(5, 3, 0)],
        },
        Event::BatchDone {
            tag: Tag(8),
            errors: vec![refused(0, 3, 0)],
        },
        Event::BatchDone {
            tag: Tag(9),
            errors: Vec::new(),
        },
    ];
    assert_eq!(pair.take_events(), expected);
    assert_eq!(pair.switch.barriers, 3);
    assert!(pair.conn.is_idle());
    assert_eq!((pair.conn.in_flight(), pair.conn.send_backlog()), (0, 0));
}

#[test]
fn operations_that_cannot_be_encoded_keep_their_number() {
    let mut pair = ready(Config::default(), |switch| {
        switch.bad.insert(4);
    });
    let mut ops = batch(1, 0..2);
    ops.push_encoded(&[1, 14, 0, 7]);
    for number in 3..6 {
        ops.push_encoded(&flow_mod(1, number));
    }
    pair.conn.submit_batch(Tag(1), ops);
    pair.run();
    let expected = Event::BatchDone {
        tag: Tag(1),
        errors: vec![(2, OpError::TooLong(4)), refused(4, 3, 0)],
    };
    assert_eq!(pair.take_events(), [expected]);
    assert_eq!(pair.switch.accepted, [0, 1, 3, 5]);
}

#[test]
fn long_batches_stay_within_the_window() {
    let config = Config {
        window_messages: 64,
        window_bytes: 3000,
        ..Config::default()
    };
    let mut pair = ready(config, |switch| switch.bad.extend([0, 999, 4999]));
    pair.capacity = 500;
    pair.conn.submit_batch(Tag(1), batch(1, 0..5000));
    let mut most = 0;
    while pair.step() {
        most = most.max(pair.conn.in_flight());
    }
    // 3000 bytes hold 41 messages of 72 bytes; barriers come on top.
    assert!((20..=64).contains(&most), "{most}");
    assert!(pair.switch.longest_run <= 32);
    assert!(pair.switch.barriers > 100);
    let errors = [0, 999, 4999].map(|index| refused(index, 3, 0)).to_vec();
    assert_eq!(
        pair.take_events(),
        [Event::BatchDone {
            tag: Tag(1),
            errors
        }]
    );
    assert_eq!(pair.switch.accepted.len(), 4997);
    assert!(pair.switch.accepted.is_sorted());
}

/// The switch stops reading at 100 unread replies; a client that writes first and reads later would
/// hang here.
#[test]
fn a_burst_of_errors_does_not_deadlock() {
    let mut pair = ready(Config::default(), |switch| switch.bad.extend(0..20_000));
    pair.capacity = 4096;
    pair.conn.submit_batch(Tag(1), batch(1, 0..20_000));
    pair.run();
    match &pair.take_events()[..] {
        [Event::BatchDone { tag, errors }] => {
            assert_eq!((*tag, errors.len()), (Tag(1), 20_000));
            assert!(
                errors
                    .iter()
                    .enumerate()
                    .all(|(at, (index, _))| at == *index)
            );
        }
        other => panic!("{other:?}"),
    }
}

/// Nobody takes the output, yet input is processed and answered.
#[test]
fn the_reader_does_not_wait_for_the_writer() {
    let mut pair = ready(Config::default(), |_| {});
    pair.conn.submit_batch(Tag(1), batch(1, 0..100_000));
    let now = pair.now;
    pair.conn.receive(now, &message(1, 10, 0, &[0; 10]));
    pair.conn.receive(now, &message(1, 2, 5, b"payload"));
    assert!(matches!(
        pair.conn.poll_event(),
        Some(Event::Unsolicited { .. })
    ));
    // The echo reply overtakes the batch.
    let mut out = Vec::new();
    pair.conn.transmit(now, 15, &mut out);
    assert_eq!(out, message(1, 3, 5, b"payload"));
}

#[test]
fn multipart_replies_stream() {
    let mut pair = ready(Config::default(), |switch| switch.parts = 5);
    pair.conn.submit_batch(Tag(1), batch(1, 0..3));
    pair.conn.request(Tag(2), stats_request());
    pair.conn.submit_batch(Tag(3), batch(1, 3..5));
    pair.run();
    let events = pair.take_events();
    let more: Vec<bool> = events
        .iter()
        .filter_map(|event| match event {
            Event::Reply { tag, more, frame } => {
                assert_eq!((*tag, frame.kind()), (Tag(2), 17));
                Some(*more)
            }
            _ => None,
        })
        .collect();
    assert_eq!(more, [true, true, true, true, false]);
    assert_eq!(
        events.iter().filter_map(tag_of).collect::<Vec<_>>(),
        [Tag(1), Tag(2), Tag(3)]
    );
}

#[test]
fn refused_and_unanswered_requests() {
    let mut pair = ready(Config::default(), |switch| {
        switch.bad_vendor.insert(99);
    });
    let vendor = message(1, 4, 0, &[0, 0, 0x23, 0x20, 0, 0, 0, 99]);
    pair.conn.request(Tag(1), Frame::new(vendor).unwrap());
    // SET_CONFIG has no reply; the barrier of the next batch shows it.
    let set_config = message(1, 9, 0, &[0; 4]);
    pair.conn.request(Tag(2), Frame::new(set_config).unwrap());
    pair.conn.submit_batch(Tag(3), batch(1, 0..1));
    pair.run();
    let events = pair.take_events();
    let failures: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Failed { tag, failure, .. } => Some((*tag, *failure)),
            _ => None,
        })
        .collect();
    let error = OfError::standard(Version::OF10, 1, 4);
    let expected = [
        (Tag(1), Failure::Refused(error)),
        (Tag(2), Failure::Unanswered),
    ];
    assert_eq!(failures, expected);
    assert_eq!(events.iter().filter_map(tag_of).count(), 3);
}

#[test]
fn the_monitor_tells_when_it_is_out_of_date() {
    let mut pair = ready(Config::default(), |_| {});
    let nicira = |subtype: u8| message(1, 4, 0, &[0, 0, 0x23, 0x20, 0, 0, 0, subtype]);
    let update = message(
        1,
        17,
        0,
        &[
            0xff, 0xff, 0, 0, 0, 0, 0x23, 0x20, 0, 0, 0, 2, 0, 0, 0, 0, 0, 8, 0, 3, 0, 0, 0, 1,
        ],
    );
    for bytes in [&update, &nicira(22)] {
        pair.conn.receive(pair.now, bytes);
    }
    assert!(pair.conn.is_monitor_paused());
    for bytes in [&update, &nicira(23)] {
        pair.conn.receive(pair.now, bytes);
    }
    assert!(!pair.conn.is_monitor_paused());
    let frame = Frame::new(update).unwrap();
    let update = Event::MonitorUpdate { frame };
    let events: Vec<Event> = std::iter::from_fn(|| pair.conn.poll_event()).collect();
    let expected = [
        update.clone(),
        Event::MonitorPaused,
        update,
        Event::MonitorResumed,
    ];
    assert_eq!(events, expected);
}

#[test]
fn a_late_answer_fails_its_submission_and_closes() {
    let config = Config {
        request_timeout: 5 * SECOND,
        probe_interval: 60 * SECOND,
        ..Config::default()
    };
    let mut pair = ready(config, |_| {});
    pair.switch.reply_limit = 0;
    pair.conn.request(Tag(1), stats_request());
    pair.conn.submit_batch(Tag(2), batch(1, 0..9));
    pair.wait(4 * SECOND);
    assert_eq!(pair.take_events(), []);
    pair.wait(2 * SECOND);
    let events = pair.take_events();
    let failures: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Failed { tag, failure, .. } => Some((*tag, *failure)),
            _ => None,
        })
        .collect();
    assert_eq!(
        failures,
        [(Tag(1), Failure::Timeout), (Tag(2), Failure::Closed)]
    );
    assert_eq!(
        events.last(),
        Some(&Event::Closed {
            reason: CloseReason::Timeout
        })
    );
    assert_eq!(pair.conn.deadline(), None);
    // Too late.
    pair.conn.submit_batch(Tag(3), Batch::new());
    assert!(matches!(
        pair.conn.poll_event(),
        Some(Event::Failed { tag: Tag(3), .. })
    ));
}

#[test]
fn a_switch_that_never_says_hello() {
    let mut pair = pair_with(Config::default(), |switch| switch.replies.clear());
    pair.wait(29 * SECOND);
    assert_eq!(pair.take_events(), []);
    pair.wait(2 * SECOND);
    assert!(pair.conn.is_closed());
}

#[test]
fn silence_is_probed_and_then_ends_the_connection() {
    let mut pair = ready(Config::default(), |_| {});
    pair.wait(100 * SECOND);
    let probes = pair.switch.seen.iter().filter(|(kind, _)| *kind == 2);
    assert!((5..8).contains(&probes.count()));
    assert_eq!(pair.take_events(), []);
    pair.switch.reply_limit = 0;
    pair.wait(31 * SECOND);
    let reason = CloseReason::Silent;
    assert_eq!(pair.take_events(), [Event::Closed { reason }]);
}

#[test]
fn the_end_of_the_stream_says_what_was_acknowledged() {
    let config = Config {
        window_messages: 20,
        ..Config::default()
    };
    let mut pair = ready(config, |switch| {
        switch.bad.insert(3);
    });
    let mut ops = Batch::new();
    ops.push_encoded(&[]);
    for number in 1..100 {
        ops.push_encoded(&flow_mod(1, number));
    }
    pair.conn.submit_batch(Tag(1), ops);
    while pair.switch.barriers < 2 {
        pair.step();
    }
    pair.switch.reply_limit = 0;
    while pair.step() {}
    pair.conn.close(CloseReason::PeerClosed);
    pair.run();
    match &pair.take_events()[..] {
        [
            Event::Failed {
                tag: Tag(1),
                failure: Failure::Closed,
                acknowledged,
                errors,
            },
            Event::Closed {
                reason: CloseReason::PeerClosed,
            },
        ] => {
            assert!((11..=40).contains(acknowledged), "{acknowledged}");
            let executed = (1..*acknowledged as u32).filter(|number| *number != 3);
            assert!(
                executed
                    .into_iter()
                    .all(|n| pair.switch.accepted.contains(&n))
            );
            assert_eq!(errors[..], [(0, OpError::TooLong(0)), refused(3, 3, 0)]);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn bundles_commit_only_when_every_add_was_accepted() {
    let mut pair = ready(Config::bundles(), |switch| switch.bad.extend([50]));
    let flags = BundleFlags::ATOMIC_ORDERED;
    pair.conn.submit_bundle(Tag(1), batch(5, 0..10), flags);
    pair.conn.submit_bundle(Tag(2), batch(5, 48..60), flags);
    pair.conn.submit_batch(Tag(3), batch(5, 90..91));
    pair.run();
    let expected = [
        Event::BundleDone {
            tag: Tag(1),
            committed: true,
            errors: Vec::new(),
            control: None,
        },
        Event::BundleDone {
            tag: Tag(2),
            committed: false,
            errors: vec![refused14(2, 5, 1)],
            control: None,
        },
        Event::BatchDone {
            tag: Tag(3),
            errors: Vec::new(),
        },
    ];
    assert_eq!(pair.take_events(), expected);
    assert_eq!(
        pair.switch.accepted,
        (0..10).chain([90]).collect::<Vec<_>>()
    );
    assert_eq!(pair.switch.discards, 1);
    assert!(pair.conn.is_idle());
}

#[test]
fn a_failed_commit_names_the_operation() {
    let mut pair = ready(Config::bundles(), |switch| {
        switch.commit_blames = Some(3005);
    });
    let ops = batch(5, 3000..8000);
    pair.conn.submit_bundle(Tag(1), ops, BundleFlags::ATOMIC);
    pair.run();
    let expected = Event::BundleDone {
        tag: Tag(1),
        committed: false,
        errors: vec![refused14(5, 5, 1)],
        control: Some(OfError::standard(Version::OF14, 17, 13)),
    };
    assert_eq!(pair.take_events(), [expected]);
    assert_eq!(pair.switch.accepted, []);
}

#[test]
fn a_message_too_long_for_a_bundle_never_leaves() {
    let mut pair = ready(Config::bundles(), |_| {});
    let mut ops = batch(5, 0..1);
    ops.push_encoded(&message(5, 14, 0, &vec![0; 65_519 - 8 + 1]));
    pair.conn.submit_bundle(Tag(1), ops, BundleFlags::ATOMIC);
    pair.run();
    let expected = Event::BundleDone {
        tag: Tag(1),
        committed: false,
        errors: vec![(1, OpError::TooLong(65_520))],
        control: None,
    };
    assert_eq!(pair.take_events(), [expected]);
    assert_eq!(pair.switch.seen, []);
}

#[test]
fn header_length_below_eight_closes() {
    let mut pair = ready(Config::default(), |_| {});
    pair.conn.receive(pair.now, &[1, 2, 0, 7, 0, 0, 0, 0]);
    pair.run();
    let events = pair.take_events();
    assert!(
        matches!(
            events[..],
            [Event::Closed {
                reason: CloseReason::Protocol(_)
            }]
        ),
        "{events:?}"
    );
}

/// A barrier reply that overtakes an earlier one breaks the protocol, and nothing is forgotten.
#[test]
fn barrier_replies_out_of_order() {
    let mut pair = ready(Config::default(), |_| {});
    for tag in 0..3 {
        pair.conn.submit_batch(Tag(tag), Batch::new());
    }
    let mut out = Vec::new();
    pair.conn.transmit(pair.now, 65_536, &mut out);
    // The barriers are 8 bytes each; the second is answered first.
    let xid: [u8; 4] = out[12..16].try_into().unwrap();
    let reply = message(1, 19, u32::from_be_bytes(xid), &[]);
    pair.conn.receive(pair.now, &reply);
    let events: Vec<Event> = std::iter::from_fn(|| pair.conn.poll_event()).collect();
    let tags: Vec<Tag> = events.iter().filter_map(tag_of).collect();
    assert_eq!(tags, [Tag(0), Tag(1), Tag(2)]);
    let reason = CloseReason::Protocol("barrier replies out of order");
    assert_eq!(events.last(), Some(&Event::Closed { reason }));
}

/// Random submissions, windows, link sizes, refusals and a random end: every submission gets
/// exactly one final event, in order, and `Closed` is last.
#[test]
fn every_submission_gets_one_final_event() {
    for seed in 1..400 {
        let mut pair = pair_with(Config::default(), |_| {});
        for _ in 0..seed {
            pair.random(2);
        }
        let config = Config {
            window_messages: 1 + pair.random(50),
            window_bytes: 1 + pair.random(5000),
            ..Config::default()
        };
        pair.conn = Connection::new(config, Duration::ZERO);
        pair.capacity = 1 + pair.random(2000);
        pair.switch.reply_limit = 1 + pair.random(10);
        pair.switch
            .bad
            .extend((0..1000).filter(|number| number % 7 == seed % 7));
        let submissions = 1 + pair.random(20) as u64;
        let mut lengths = BTreeMap::new();
        for tag in 0..submissions {
            match pair.random(4) {
                0 => pair.conn.request(Tag(tag), stats_request()),
                _ => {
                    let first = pair.random(900) as u32;
                    let length = pair.random(100) as u32;
                    lengths.insert(Tag(tag), (first, length));
                    let ops = batch(1, first..first + length);
                    pair.conn.submit_batch(Tag(tag), ops);
                }
            }
        }
        let cut = (pair.random(3) == 0).then(|| pair.random(300));
        let mut steps = 0;
        while pair.step() {
            steps += 1;
            if Some(steps) == cut {
                pair.conn.close(CloseReason::PeerClosed);
            }
        }
        let events = pair.take_events();
        let tags: Vec<Tag> = events.iter().filter_map(tag_of).collect();
        let all: Vec<Tag> = (0..submissions).map(Tag).collect();
        if let Some(Event::Closed { .. }) = events.last() {
            assert_eq!(tags, all, "seed {seed}");
        } else {
            assert_eq!(tags, all, "seed {seed}");
            assert!(pair.conn.is_idle());
        }
        for event in &events {
            if let Event::BatchDone { tag, errors } = event {
                let (first, length) = lengths[tag];
                let bad: Vec<usize> = (0..length)
                    .filter(|offset| (first + offset) % 7 == seed % 7)
                    .map(|offset| offset as usize)
                    .collect();
                let named: Vec<usize> = errors.iter().map(|(index, _)| *index).collect();
                assert_eq!(named, bad, "seed {seed} {tag:?}");
            }
        }
    }
}

/// Well-framed nonsense: no panic, and the promises hold.
#[test]
fn nonsense_from_the_peer() {
    for seed in 1..3000usize {
        let mut pair = ready(Config::default(), |_| {});
        for _ in 0..seed {
            pair.random(2);
        }
        pair.conn.submit_batch(Tag(0), batch(1, 0..5));
        pair.conn.request(Tag(1), stats_request());
        let mut out = Vec::new();
        pair.conn.transmit(pair.now, 65_536, &mut out);
        for _ in 0..20 {
            let body: Vec<u8> = (0..pair.random(30)).map(|n| (n * seed) as u8).collect();
            let kind = [1, 2, 3, 4, 17, 19, 10, 6][pair.random(8)];
            let xid = pair.random(14) as u32;
            pair.conn.receive(pair.now, &message(1, kind, xid, &body));
        }
        pair.conn.close(CloseReason::Requested);
        pair.run();
        let events = pair.take_events();
        let mut tags: Vec<Tag> = events.iter().filter_map(tag_of).collect();
        tags.sort();
        assert_eq!(tags, [Tag(0), Tag(1)], "seed {seed}: {events:?}");
        assert!(matches!(events.last(), Some(Event::Closed { .. })));
    }
}
