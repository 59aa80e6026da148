//! The connection against a real ovs-vswitchd: set-up, batches, errors, dumps, monitor, bundles.

mod ovs;
mod run;

use std::time::Duration;

use ofproto::action::{Action, ActionList};
use ofproto::conn::{Batch, BundleFlags, Config, Event, Failure, Frame, OpError, Tag};
use ofproto::error::OfpError;
use ofproto::matching::{FieldId, Match};
use ofproto::msg::{
    FlowEvent, FlowMod, FlowMonitorRequest, FlowStatsRequest, FlowUpdate, Message, StatsReply,
    StatsRequest, monitor_flags,
};
use ofproto::net::{self, Endpoint, Events, Handle};
use ofproto::ports::Port;
use ofproto::view::flow_views;
use ovs::Ovs;

fn flow(number: u32) -> FlowMod {
    let matching = Match::new()
        .with(FieldId::REG0, number)
        .with(FieldId::ETH_TYPE, 0x0800u16);
    let actions = ActionList::from([Action::output(Port(2)), Action::resubmit_table(94)]);
    FlowMod {
        cookie: u64::from(number),
        ..FlowMod::add(60, 100, matching, actions)
    }
}

/// A flow that every switch refuses: it outputs to no port.
fn bad_flow(number: u32) -> FlowMod {
    FlowMod {
        actions: ActionList::from([Action::output(Port::NONE)]),
        ..flow(number)
    }
}

async fn connect(ovs: &Ovs, config: Config) -> (Handle, Events) {
    let endpoint = Endpoint::Unix(ovs.management());
    let (handle, mut events) = net::connect(&endpoint, config).await.unwrap();
    let ready = next(&mut events).await;
    assert!(matches!(ready, Event::Ready { .. }), "{ready:?}");
    (handle, events)
}

async fn next(events: &mut Events) -> Event {
    let limit = Duration::from_secs(60);
    let event = tokio::time::timeout(limit, events.next()).await;
    event.expect("an event in time").expect("not at the end")
}

fn request(handle: &Handle, tag: u64, body: StatsRequest) {
    let message = Message::StatsRequest { flags: 0, body };
    let frame = Frame::of(&message).unwrap();
    handle.request(Tag(tag), frame).unwrap();
}

/// Table and cookie of every flow the request selects, sorted.
async fn dump(handle: &Handle, events: &mut Events, wanted: FlowStatsRequest) -> Vec<(u8, u64)> {
    request(handle, 77, StatsRequest::Flow(wanted));
    let mut flows = Vec::new();
    loop {
        match next(events).await {
            Event::Reply {
                tag: Tag(77),
                frame,
                more,
            } => {
                for flow in flow_views(frame.bytes()).unwrap() {
                    let flow = flow.unwrap();
                    flows.push((flow.table(), flow.cookie()));
                }
                if !more {
                    flows.sort_unstable();
                    return flows;
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

async fn done(events: &mut Events, tag: u64) -> Vec<(usize, OpError)> {
    match next(events).await {
        Event::BatchDone { tag: got, errors } => {
            assert_eq!(got, Tag(tag));
            errors
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn batches_dumps_and_errors() {
    let ovs = Ovs::start();
    let (handle, mut events) = connect(&ovs, Config::default()).await;

    let flows: Vec<FlowMod> = (0..20_000).map(flow).collect();
    handle
        .submit_batch(Tag(1), Batch::from_iter(&flows))
        .unwrap();
    assert_eq!(done(&mut events, 1).await, []);
    let all = dump(&handle, &mut events, FlowStatsRequest::default()).await;
    let expected: Vec<(u8, u64)> = (0..20_000).map(|cookie| (60, cookie)).collect();
    assert_eq!(all, expected);

    // By table, and by cookie bits.
    let none = FlowStatsRequest {
        table: 61,
        ..FlowStatsRequest::default()
    };
    assert_eq!(dump(&handle, &mut events, none).await, []);
    let some = FlowStatsRequest {
        cookie: 3,
        cookie_mask: 0xfff,
        ..FlowStatsRequest::default()
    };
    assert_eq!(dump(&handle, &mut events, some).await.len(), 5);

    // More refusals than the switch queues replies.
    let mixed: Vec<FlowMod> = (0..6_000)
        .map(|number| match number % 3 {
            0 => flow(number),
            _ => bad_flow(number),
        })
        .collect();
    handle
        .submit_batch(Tag(2), Batch::from_iter(&mixed))
        .unwrap();
    let errors = done(&mut events, 2).await;
    assert_eq!(errors.len(), 4_000);
    for (at, (index, error)) in errors.iter().enumerate() {
        assert_eq!(*index, at / 2 * 3 + 1 + at % 2);
        assert!(
            matches!(error, OpError::Refused(e) if e.name == Some(OfpError::OFPBAC_BAD_OUT_PORT)),
            "{error:?}"
        );
    }

    request(
        &handle,
        3,
        StatsRequest::Aggregate(FlowStatsRequest::default()),
    );
    match next(&mut events).await {
        Event::Reply {
            tag: Tag(3),
            frame,
            more: false,
        } => match frame.message().unwrap() {
            Message::StatsReply {
                body: StatsReply::Aggregate(_, totals),
                ..
            } => assert_eq!(totals.flows, 20_000),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }

    let delete = [FlowMod::delete_by_cookie(0, 1)];
    handle
        .submit_batch(Tag(4), Batch::from_iter(&delete))
        .unwrap();
    assert_eq!(done(&mut events, 4).await, []);
    let left = dump(&handle, &mut events, FlowStatsRequest::default()).await;
    assert_eq!(left.len(), 10_000);

    drop(ovs);
    assert!(matches!(next(&mut events).await, Event::Closed { .. }));
}

/// Neither side waits for the other: the switch has megabytes of dumps to send and reads nothing
/// while they wait, this side has as much to write, and at first nobody looks at the events.
#[tokio::test]
async fn dumps_and_batches_cross() {
    const FLOWS: u32 = 20_000;
    const DUMPS: u64 = 8;
    const BATCHES: u64 = 8;
    let ovs = Ovs::start();
    let (handle, mut events) = connect(&ovs, Config::default()).await;
    let flows: Vec<FlowMod> = (0..FLOWS).map(flow).collect();
    handle
        .submit_batch(Tag(1), Batch::from_iter(&flows))
        .unwrap();
    assert_eq!(done(&mut events, 1).await, []);

    for tag in 0..DUMPS {
        let all = StatsRequest::Flow(FlowStatsRequest::default());
        request(&handle, 100 + tag, all);
    }
    for tag in 0..BATCHES {
        let batch = Batch::from_iter(&flows);
        handle.submit_batch(Tag(200 + tag), batch).unwrap();
    }
    tokio::time::sleep(Duration::from_secs(1)).await;

    let (mut reported, mut batches) = (0, 0);
    let mut dumps = 0;
    while dumps < DUMPS || batches < BATCHES {
        match next(&mut events).await {
            Event::Reply { frame, more, .. } => {
                reported += flow_views(frame.bytes()).unwrap().count();
                dumps += u64::from(!more);
            }
            Event::BatchDone { errors, .. } => {
                assert_eq!(errors, []);
                batches += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(reported >= usize::try_from(u64::from(FLOWS) * DUMPS).unwrap());
}

#[tokio::test]
async fn the_monitor_reports_other_connections_and_overflows() {
    let ovs = Ovs::start();
    let (watcher, mut updates) = connect(&ovs, Config::default()).await;
    let subscription = FlowMonitorRequest {
        id: 5,
        flags: monitor_flags::INITIAL | monitor_flags::ADD | monitor_flags::DELETE,
        ..FlowMonitorRequest::default()
    };
    request(&watcher, 1, StatsRequest::FlowMonitor(vec![subscription]));
    let first = next(&mut updates).await;
    assert!(
        matches!(
            first,
            Event::Reply {
                tag: Tag(1),
                more: false,
                ..
            }
        ),
        "{first:?}"
    );

    let (handle, mut events) = connect(&ovs, Config::default()).await;
    let flows: Vec<FlowMod> = (0..300).map(flow).collect();
    handle
        .submit_batch(Tag(2), Batch::from_iter(&flows))
        .unwrap();
    assert_eq!(done(&mut events, 2).await, []);
    let mut seen = Vec::new();
    while seen.len() < 300 {
        let Event::MonitorUpdate { frame } = next(&mut updates).await else {
            panic!("not an update");
        };
        let Message::StatsReply {
            body: StatsReply::FlowMonitor(changes),
            ..
        } = frame.message().unwrap()
        else {
            panic!("not a monitor reply");
        };
        for change in changes {
            match change {
                FlowUpdate::Full(update) => {
                    assert_eq!(update.event, FlowEvent::ADDED);
                    seen.push(update.cookie);
                }
                FlowUpdate::Abbrev { .. } => panic!("another connection's change, abbreviated"),
            }
        }
    }
    assert_eq!(seen, (0..300).collect::<Vec<u64>>());
}

#[tokio::test]
async fn requests_the_switch_refuses() {
    let ovs = Ovs::start();
    let (handle, mut events) = connect(&ovs, Config::default()).await;
    // Nicira subtype 999.
    let unknown = vec![1, 4, 0, 16, 0, 0, 0, 0, 0, 0, 0x23, 0x20, 0, 0, 3, 0xe7];
    handle
        .request(Tag(1), Frame::new(unknown).unwrap())
        .unwrap();
    match next(&mut events).await {
        Event::Failed {
            tag: Tag(1),
            failure: Failure::Refused(error),
            ..
        } => assert_eq!(error.name, Some(OfpError::OFPBRC_BAD_SUBTYPE)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn bundles_are_all_or_nothing() {
    let ovs = Ovs::start();
    let (handle, mut events) = connect(&ovs, Config::default()).await;
    let (bundler, mut outcomes) = connect(&ovs, Config::bundles()).await;
    let bundle = |flows: &mut dyn Iterator<Item = FlowMod>| {
        let mut batch = Batch::new();
        flows.for_each(|flow| batch.push_of14(&flow));
        batch
    };
    let count = async |events: &mut Events| {
        dump(&handle, events, FlowStatsRequest::default())
            .await
            .len()
    };

    let good = bundle(&mut (0..5_000).map(flow));
    bundler
        .submit_bundle(Tag(1), good, BundleFlags::ATOMIC_ORDERED)
        .unwrap();
    let expected = Event::BundleDone {
        tag: Tag(1),
        committed: true,
        errors: Vec::new(),
        control: None,
    };
    assert_eq!(next(&mut outcomes).await, expected);
    assert_eq!(count(&mut events).await, 5_000);

    // One bad flow among good ones: nothing changes.
    let bad = bundle(&mut (6_000..6_100).map(|number| match number {
        6_042 => bad_flow(number),
        _ => flow(number),
    }));
    bundler
        .submit_bundle(Tag(2), bad, BundleFlags::ATOMIC)
        .unwrap();
    match next(&mut outcomes).await {
        Event::BundleDone {
            tag: Tag(2),
            committed: false,
            errors,
            control: None,
        } => assert!(
            matches!(errors[..], [(42, OpError::Refused(_))]),
            "{errors:?}"
        ),
        other => panic!("{other:?}"),
    }
    assert_eq!(count(&mut events).await, 5_000);
}
