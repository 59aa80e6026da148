//! Peers that break the rules, against the connection without sockets: every prefix, every
//! flipped byte, floods, slow senders, giants. Memory stays within the bounds the module
//! documentation of `ovsdb::conn` states.

use ovsdb::conn::{Conn, ConnError, Event, Limits, Refused};
use ovsdb::json::{Json, MAX_DEPTH, SplitLimits};
use ovsdb::{JsonError, JsonErrorKind};
use std::time::Duration;

const ZERO: Duration = Duration::ZERO;
const SECOND: Duration = Duration::from_secs(1);

fn limits() -> Limits {
    Limits {
        split: SplitLimits {
            message: 64 << 10,
            depth: MAX_DEPTH,
        },
        output: 64 << 10,
        in_flight: 100,
        probe: Some(SECOND * 5),
    }
}

fn conn() -> Conn {
    Conn::new(limits(), ZERO)
}

/// A stream with every kind of message.
const STREAM: &str = concat!(
    r#"{"id":null,"method":"update2","params":["m",{"t":{}}]}"#,
    r#" {"id":0,"result":[{"count":1}],"error":null}"#,
    r#"{"id":"echo","method":"echo","params":["\ud834\udd1e{"]}"#,
    r#"{"id":7,"error":"unknown method"}"#,
);

fn feed(chunks: &[&[u8]]) -> (Vec<Event>, Result<(), ConnError>) {
    let mut conn = conn();
    conn.request("transact", &[], None).unwrap();
    let mut events = Vec::new();
    for chunk in chunks {
        let result = conn.receive(chunk, ZERO);
        events.extend(std::iter::from_fn(|| conn.poll_event()));
        if result.is_err() {
            return (events, result);
        }
    }
    (events, Ok(()))
}

#[test]
fn every_cut_of_a_stream_gives_the_same_events() {
    let whole = feed(&[STREAM.as_bytes()]);
    assert_eq!(whole.0.len(), 2);
    for at in 0..=STREAM.len() {
        let (a, b) = STREAM.as_bytes().split_at(at);
        assert_eq!(feed(&[a, b]), whole, "cut at {at}");
    }
    for size in 1..20 {
        let chunks: Vec<&[u8]> = STREAM.as_bytes().chunks(size).collect();
        assert_eq!(feed(&chunks), whole, "chunks of {size}");
    }
}

#[test]
fn every_prefix_is_incomplete_and_every_flip_is_survived() {
    let message = &STREAM[..STREAM.find(" {").unwrap()];
    for end in 0..message.len() {
        let (events, result) = feed(&[&message.as_bytes()[..end]]);
        assert!(events.is_empty() && result.is_ok(), "prefix of {end}");
    }
    for at in 0..STREAM.len() {
        for bit in 0..8 {
            let mut bytes = STREAM.as_bytes().to_vec();
            bytes[at] ^= 1 << bit;
            // Any outcome but a panic; an error is final.
            let mut conn = conn();
            if let Err(error) = conn.receive(&bytes, ZERO) {
                assert_eq!(conn.receive(b" ", ZERO), Err(error), "errors are final");
            }
        }
    }
}

#[test]
fn messages_over_the_limit_are_refused_before_they_end() {
    let mut conn = conn();
    let mut sent = 0;
    let result = loop {
        let mut chunk = vec![b'x'; 4096];
        if sent == 0 {
            chunk[..6].copy_from_slice(b"{\"a\":\"");
        }
        sent += chunk.len();
        let result = conn.receive(&chunk, ZERO);
        assert!(
            conn.buffered() <= limits().split.message + 4096,
            "{}",
            conn.buffered()
        );
        if result.is_err() || sent > 1 << 20 {
            break result;
        }
    };
    let Err(ConnError::Json(JsonError {
        kind: JsonErrorKind::Size,
        ..
    })) = result
    else {
        panic!("{result:?} after {sent} bytes")
    };
    assert!(sent <= limits().split.message + 2 * 4096);
    assert_eq!(conn.buffered(), 0);
}

#[test]
fn deep_nesting_is_refused_without_recursion() {
    let mut text = b"{\"a\":".to_vec();
    text.resize(60_000, b'[');
    let result = conn().receive(&text, ZERO);
    assert!(
        matches!(
            result,
            Err(ConnError::Json(JsonError {
                kind: JsonErrorKind::Depth,
                ..
            }))
        ),
        "{result:?}"
    );
}

/// One byte per probe interval keeps a connection alive only while it makes sense: the buffer
/// grows by what is sent and no more, and silence ends it.
#[test]
fn slow_sender_costs_what_it_sends() {
    let mut conn = conn();
    let mut now = ZERO;
    for (i, byte) in STREAM.as_bytes().iter().take(50).enumerate() {
        now += SECOND * 4;
        conn.receive(&[*byte], now).unwrap();
        conn.tick(now).unwrap();
        assert_eq!(conn.buffered(), i + 1);
    }
    now += SECOND * 5;
    conn.tick(now).unwrap();
    now += SECOND * 5;
    assert_eq!(conn.tick(now), Err(ConnError::Inactive));
}

#[test]
fn echo_flood_from_a_peer_that_does_not_read_is_given_up() {
    let mut conn = conn();
    let echo = format!(
        r#"{{"id":1,"method":"echo","params":["{}"]}}"#,
        "y".repeat(1000)
    );
    let mut received = 0;
    loop {
        match conn.receive(echo.as_bytes(), ZERO) {
            Ok(()) => received += echo.len(),
            Err(error) => {
                assert_eq!(error, ConnError::Flood);
                break;
            }
        }
        // The stated bound: the output limit, a quarter more, and one message.
        assert!(conn.output().len() <= 64 * 1024 * 5 / 4 + echo.len() + 100);
        assert!(received < 1 << 20);
    }
}

#[test]
fn requests_are_bounded_in_number_and_bytes() {
    let mut conn = conn();
    for _ in 0..100 {
        conn.request("transact", &[], None).unwrap();
    }
    assert_eq!(conn.request("transact", &[], None), Err(Refused::InFlight));
    let mut conn = self::conn();
    let big = Json::from("z".repeat(40 << 10).as_str());
    conn.request("transact", std::slice::from_ref(&big), None)
        .unwrap();
    conn.request("transact", std::slice::from_ref(&big), None)
        .unwrap();
    assert_eq!(conn.request("transact", &[big], None), Err(Refused::Output));
    assert_eq!(conn.in_flight(), 2);
}

#[test]
fn expired_requests_are_cancelled_and_late_replies_dropped() {
    let mut conn = conn();
    let id = conn.request("transact", &[], Some(SECOND)).unwrap();
    assert_eq!(conn.deadline(), Some(SECOND));
    conn.take_output(&mut Vec::new());
    conn.tick(SECOND / 2).unwrap();
    assert_eq!(conn.poll_event(), None);
    conn.tick(SECOND).unwrap();
    assert_eq!(conn.poll_event(), Some(Event::Expired(id)));
    assert_eq!(conn.in_flight(), 0);
    assert_eq!(
        conn.output(),
        br#"{"id":null,"method":"cancel","params":[0]}"#
    );
    conn.receive(br#"{"id":0,"result":{},"error":null}"#, SECOND)
        .unwrap();
    assert_eq!(conn.poll_event(), None);
    assert_eq!(conn.stray_replies(), 1);
}

/// A thread that was not scheduled for a minute must first hear what the peer said, then
/// probe, and wait a full interval for the answer, before it gives the peer up.
#[test]
fn starved_owner_does_not_blame_the_peer() {
    let mut conn = conn();
    let late = SECOND * 60;
    conn.tick(late).unwrap();
    assert_eq!(
        conn.output(),
        br#"{"id":"echo","method":"echo","params":[]}"#
    );
    assert_eq!(conn.deadline(), Some(late + SECOND * 5));
    conn.tick(late + SECOND * 4).unwrap();
    // Starved again: the answer lies in the socket and is read before the clock is.
    let later = late + SECOND * 60;
    conn.receive(br#"{"id":"echo","result":[],"error":null}"#, later)
        .unwrap();
    conn.tick(later).unwrap();
    assert_eq!(conn.deadline(), Some(later + SECOND * 5));
}

#[test]
fn peers_requests_are_answered() {
    let mut conn = conn();
    conn.receive(br#"{"id":[1,{}],"method":"echo","params":[null,2]}"#, ZERO)
        .unwrap();
    assert_eq!(
        conn.output(),
        br#"{"error":null,"id":[1,{}],"result":[null,2]}"#
    );
    conn.take_output(&mut Vec::new());
    conn.receive(br#"{"id":3,"method":"reboot","params":[]}"#, ZERO)
        .unwrap();
    assert_eq!(
        conn.output(),
        br#"{"error":"unknown method","id":3,"result":null}"#
    );
}
