//! The connection: any sequence of requests, datagrams, losses and time ends in outcomes.
#![no_main]

use core::time::Duration;

use libfuzzer_sys::fuzz_target;
use nft::batch::Batch;
use nft::conn::{Connection, Dump, Request};
use nft::message::{Body, Family, Message, Op};
use nft::table::Table;
use nft::wire::Flags;

fuzz_target!(|data: &[u8]| {
    let mut connection = Connection::new(Duration::from_secs(1));
    let mut now = Duration::ZERO;
    let mut submitted = 0_usize;
    let mut finished = 0_usize;
    let mut rest = data;
    while let Some((&step, tail)) = rest.split_first() {
        rest = tail;
        match step % 8 {
            0 => {
                let mut batch = Batch::new();
                batch.add_table(Family::INET, &Table::new("t"));
                connection.submit(Request::Commit(batch.encode(None).expect("short")), now);
                submitted += 1;
            }
            1 => {
                let dump = Dump::new(Op::GET_TABLE, Family::INET, Body::Empty);
                connection.submit(Request::Dump(Box::new(dump)), now);
                submitted += 1;
            }
            2 => {
                connection.submit(Request::Generation, now);
                submitted += 1;
            }
            3 => connection.handle_overrun(now),
            4 => connection.handle_drained(now),
            5 => {
                now += Duration::from_millis(u64::from(step) * 10);
                connection.handle_timeout(now);
            }
            7 => {
                let request = Message::request(
                    Op::GET_TABLE,
                    Family::INET,
                    Flags::default(),
                    Table::new("t"),
                );
                connection.submit(Request::Get(Box::new(request)), now);
                submitted += 1;
            }
            _ => {
                let len = usize::from(step) * 2;
                let (datagram, tail) = rest.split_at(len.min(rest.len()));
                rest = tail;
                connection.handle_input(datagram, now);
            }
        }
        while connection.poll_transmit().is_some() {}
        while connection.poll_outcome().is_some() {
            finished += 1;
        }
    }
    // Whatever is left ends by its deadline.
    for _ in 0..submitted * 10 {
        now += Duration::from_secs(2);
        connection.handle_timeout(now);
        while connection.poll_outcome().is_some() {
            finished += 1;
        }
    }
    assert_eq!(finished, submitted);
    assert!(!connection.is_busy());
});
