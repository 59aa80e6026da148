//! The tokio driver: independent reading and writing, back-pressure, the end of a connection.

#[path = "conn_sim/switch.rs"]
mod switch;

use std::time::Duration;

use ofproto::conn::{Batch, CloseReason, Config, Event, Frame, Tag};
use ofproto::net::{self, Endpoint, Events, Handle, SUBMISSION_BACKLOG, SubmitError};
use switch::{Switch, flow_mod, message};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

fn batch(numbers: std::ops::Range<u32>) -> Batch {
    let mut batch = Batch::new();
    for number in numbers {
        batch.push_encoded(&flow_mod(1, number));
    }
    batch
}

/// A pipe of `size` bytes each way.
fn pipe(size: usize) -> (Handle, Events, DuplexStream) {
    let (near, far) = tokio::io::duplex(size);
    let (reader, writer) = tokio::io::split(near);
    let (handle, events) = net::spawn(reader, writer, Config::default());
    (handle, events, far)
}

/// Serves until the stream ends. Like ovs-vswitchd it does not read while replies wait.
async fn serve(
    mut switch: Switch,
    mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin,
) -> Switch {
    let mut buffer = vec![0; 4096];
    loop {
        while let Some(reply) = switch.pull() {
            if stream.write_all(&reply).await.is_err() {
                return switch;
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return switch,
            Ok(length) => switch.push(&buffer[..length]),
        }
    }
}

async fn next(events: &mut Events) -> Event {
    let limit = Duration::from_secs(20);
    let event = tokio::time::timeout(limit, events.next()).await;
    event.expect("an event in time").expect("not at the end")
}

#[tokio::test]
async fn refusals_in_bulk_over_a_narrow_pipe() {
    let (handle, mut events, far) = pipe(512);
    let mut switch = Switch::new(1);
    switch.bad.extend(0..10_000);
    let server = tokio::spawn(serve(switch, far));
    handle.submit_batch(Tag(1), batch(0..10_000)).unwrap();
    assert!(matches!(next(&mut events).await, Event::Ready { .. }));
    match next(&mut events).await {
        Event::BatchDone { tag, errors } => assert_eq!((tag, errors.len()), (Tag(1), 10_000)),
        other => panic!("{other:?}"),
    }
    // Dropping the last handle ends an idle connection.
    drop(handle);
    let reason = CloseReason::Requested;
    assert_eq!(next(&mut events).await, Event::Closed { reason });
    assert_eq!(events.next().await, None);
    assert_eq!(server.await.unwrap().accepted, []);
}

#[tokio::test]
async fn a_blocked_write_does_not_stop_reading() {
    let (handle, mut events, mut far) = pipe(1024);
    // The far end answers the set-up by hand and then never reads again.
    far.write_all(&message(6, 0, 0, &[])).await.unwrap();
    let mut set_up = [0; 8 + 20 + 24 + 8 + 8];
    far.read_exact(&mut set_up).await.unwrap();
    let xid = |at: usize| u32::from_be_bytes(set_up[at..at + 4].try_into().unwrap());
    far.write_all(&message(1, 6, xid(8 + 20 + 24 + 4), &[0; 24]))
        .await
        .unwrap();
    far.write_all(&message(1, 19, xid(8 + 20 + 24 + 8 + 4), &[]))
        .await
        .unwrap();
    assert!(matches!(next(&mut events).await, Event::Ready { .. }));
    handle.submit_batch(Tag(1), batch(0..50_000)).unwrap();
    for number in 0..1000u32 {
        far.write_all(&message(1, 10, 0, &number.to_be_bytes()))
            .await
            .unwrap();
        match next(&mut events).await {
            Event::Unsolicited { frame } => assert_eq!(frame.body(), number.to_be_bytes()),
            other => panic!("{other:?}"),
        }
    }
    drop(far);
    assert!(matches!(
        next(&mut events).await,
        Event::Failed { tag: Tag(1), .. }
    ));
    let reason = CloseReason::PeerClosed;
    assert_eq!(next(&mut events).await, Event::Closed { reason });
}

#[tokio::test]
async fn a_slow_user_pauses_reading_and_loses_nothing() {
    let (handle, mut events, far) = pipe(1 << 20);
    let mut switch = Switch::new(1);
    switch.parts = 400;
    let server = tokio::spawn(serve(switch, far));
    let request = Frame::new(message(1, 16, 0, &[0, 1, 0, 0])).unwrap();
    for tag in 0..50 {
        handle.request(Tag(tag), request.clone()).unwrap();
    }
    handle.submit_batch(Tag(50), batch(0..10)).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(matches!(next(&mut events).await, Event::Ready { .. }));
    for tag in 0..50 {
        for part in (0..400).rev() {
            match next(&mut events).await {
                Event::Reply { tag: got, more, .. } => {
                    assert_eq!((got, more), (Tag(tag), part > 0));
                }
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(matches!(
        next(&mut events).await,
        Event::BatchDone { tag: Tag(50), .. }
    ));
    drop(events);
    server.await.unwrap();
}

#[tokio::test]
async fn a_full_queue_gives_the_submission_back() {
    let (handle, mut events, far) = pipe(1024);
    // The task has not run yet, so everything stays in the queue.
    for tag in 0..SUBMISSION_BACKLOG as u64 {
        handle.submit_batch(Tag(tag), batch(0..1)).unwrap();
    }
    let one_more = batch(7..8);
    assert_eq!(
        handle.submit_batch(Tag(9999), one_more.clone()),
        Err(SubmitError::Full(one_more.clone()))
    );
    drop(far);
    let mut failed = 0;
    loop {
        match next(&mut events).await {
            Event::Failed { tag, .. } => {
                assert_eq!(tag, Tag(failed));
                failed += 1;
            }
            Event::Closed { .. } => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(failed, SUBMISSION_BACKLOG as u64);
    assert_eq!(events.next().await, None);
    assert_eq!(
        handle.submit_batch(Tag(1), one_more.clone()),
        Err(SubmitError::Closed(one_more))
    );
}

#[tokio::test(start_paused = true)]
async fn deadlines_run_on_the_runtime_clock() {
    let (handle, mut events, _far) = pipe(1024);
    handle.submit_batch(Tag(1), batch(0..1)).unwrap();
    let started = tokio::time::Instant::now();
    assert!(matches!(events.next().await, Some(Event::Failed { .. })));
    let reason = CloseReason::Timeout;
    assert_eq!(events.next().await, Some(Event::Closed { reason }));
    assert!((30..32).contains(&started.elapsed().as_secs()));
}

#[tokio::test]
async fn unix_and_tcp() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("br0.mgmt");
    let unix = tokio::net::UnixListener::bind(&path).unwrap();
    let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoints = [
        Endpoint::bridge(dir.path(), "br0"),
        Endpoint::Tcp(tcp.local_addr().unwrap()),
    ];
    tokio::spawn(async move {
        let (stream, _) = unix.accept().await.unwrap();
        serve(Switch::new(1), stream).await;
    });
    tokio::spawn(async move {
        let (stream, _) = tcp.accept().await.unwrap();
        serve(Switch::new(1), stream).await;
    });
    for endpoint in endpoints {
        let (handle, mut events) = net::connect(&endpoint, Config::default()).await.unwrap();
        handle.submit_batch(Tag(1), batch(0..5000)).unwrap();
        assert!(matches!(next(&mut events).await, Event::Ready { .. }));
        assert!(matches!(
            next(&mut events).await,
            Event::BatchDone { tag: Tag(1), .. }
        ));
        handle.close();
        let reason = CloseReason::Requested;
        assert_eq!(next(&mut events).await, Event::Closed { reason });
    }
    let gone = Endpoint::bridge(dir.path(), "br1");
    let error = net::connect(&gone, Config::default()).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
}
