//! A connection fed with anything by its peer, while its user submits. Every submission gets
//! exactly one final event, and the end of the connection is the last one.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use ofproto::conn::{
    Batch, BundleFlags, CloseReason, Config, Connection, Event, Frame, Tag, WireVersion,
};

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, mut rest)) = bytes.split_first() else {
        return;
    };
    let version = if first & 1 == 0 {
        WireVersion::V1_0
    } else {
        WireVersion::V1_4
    };
    let config = Config {
        version,
        nicira: first & 2 == 0,
        window_messages: usize::from(first >> 2) + 1,
        window_bytes: 300,
        ..Config::default()
    };
    let mut now = Duration::ZERO;
    let mut conn = Connection::new(config, now);
    let mut submitted = 0;
    let mut finished = Vec::new();
    let mut closed = false;
    let mut out = Vec::new();
    // Each step: one byte of what to do, one of how many bytes arrive.
    while let [what, length, tail @ ..] = rest {
        let (piece, tail) = tail.split_at(usize::from(*length).min(tail.len()));
        rest = tail;
        match what % 8 {
            0 | 1 => conn.receive(now, piece),
            2 => {
                let mut batch = Batch::new();
                for message in piece.chunks(9) {
                    batch.push_encoded(message);
                    batch.push_encoded(&[version.byte(), 14, 0, 8, 0, 0, 0, 0]);
                }
                conn.submit_batch(Tag(submitted), batch);
                submitted += 1;
            }
            3 => {
                let request = vec![version.byte(), 16, 0, 8, 0, 0, 0, 0];
                conn.request(Tag(submitted), Frame::new(request).unwrap());
                submitted += 1;
            }
            4 => {
                let mut batch = Batch::new();
                batch.push_encoded(&[5, 14, 0, 8, 0, 0, 0, 0]);
                conn.submit_bundle(Tag(submitted), batch, BundleFlags::ATOMIC);
                submitted += 1;
            }
            5 => {
                now += Duration::from_secs(u64::from(*length));
                conn.tick(now);
            }
            6 => {
                out.clear();
                conn.transmit(now, usize::from(*length), &mut out);
            }
            _ => {
                // What a switch would say: the set-up answered in order.
                for xid in 1..8u8 {
                    let reply = version.byte();
                    let (hello, features) =
                        ([reply, 0, 0, 8, 0, 0, 0, 0], [reply, 6, 0, 8, 0, 0, 0, xid]);
                    let barrier = if reply == 1 { 19 } else { 21 };
                    conn.receive(now, &hello);
                    conn.receive(now, &features);
                    conn.receive(now, &[reply, barrier, 0, 8, 0, 0, 0, xid]);
                }
            }
        }
        collect(&mut conn, &mut finished, &mut closed);
    }
    conn.close(CloseReason::Requested);
    collect(&mut conn, &mut finished, &mut closed);
    assert!(closed);
    finished.sort_unstable();
    assert_eq!(finished, (0..submitted).collect::<Vec<u64>>());
});

fn collect(conn: &mut Connection, finished: &mut Vec<u64>, closed: &mut bool) {
    while let Some(event) = conn.poll_event() {
        match event {
            Event::BatchDone { tag, .. }
            | Event::BundleDone { tag, .. }
            | Event::Failed { tag, .. }
            | Event::Reply {
                tag, more: false, ..
            } => finished.push(tag.0),
            Event::Closed { .. } => {
                assert!(!*closed);
                *closed = true;
            }
            _ => {}
        }
    }
}
