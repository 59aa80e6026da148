//! Pipelined small transactions, beside a raw socket.

use crate::LIMIT;
use ovsdb::json::{SplitLimits, Splitter};
use ovsdb::net::Client;
use ovsdb::op::{Transaction, columns};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Instant;

const SMALL: usize = 10_000;
const ROUNDS: usize = 15;

/// One row's column changes and changes again.
fn small(i: usize) -> Transaction {
    let mut txn = Transaction::new();
    txn.update(
        "marker",
        [],
        columns([("n", i64::try_from(i).unwrap_or(0) + 2)]),
    );
    txn
}

pub async fn compare(client: &Client, dir: &Path) {
    let (mut ours, mut raw) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(pipelined(client).await);
        raw.push(raw_socket(&dir.join("sock")));
    }
    for times in [&mut ours, &mut raw] {
        times.sort_by(f64::total_cmp);
    }
    println!(
        "pipelined transactions of one update, {SMALL} a round, {ROUNDS} rounds, alternating:"
    );
    for (name, at) in [("best", 0), ("median", ROUNDS / 2)] {
        let rate = |times: &[f64]| SMALL as f64 / times[at];
        let (ours, raw) = (rate(&ours), rate(&raw));
        let share = ours / raw * 100.0;
        println!("{name}: this client {ours:.0}/s, raw socket {raw:.0}/s, {share:.0} %");
    }
}

/// Two batches in flight: one is handed over while the outcomes of the other are awaited.
async fn pipelined(client: &Client) -> f64 {
    const BATCH: usize = 1000;
    let mut transactions = (0..SMALL).map(small).collect::<Vec<_>>().into_iter();
    let began = Instant::now();
    let mut flying = std::collections::VecDeque::new();
    loop {
        for txn in transactions.by_ref().take(BATCH) {
            flying.push_back(client.submit(txn, LIMIT).await.expect("sent"));
        }
        if flying.is_empty() {
            return began.elapsed().as_secs_f64();
        }
        let keep = if transactions.len() > 0 { BATCH } else { 0 };
        while flying.len() > keep {
            flying
                .pop_front()
                .expect("window")
                .await
                .expect("transaction");
        }
    }
}

fn raw_socket(socket: &Path) -> f64 {
    let mut requests = Vec::new();
    for i in 0..SMALL {
        ovsdb::rpc::Message::Request {
            id: ovsdb::json::Json::Integer(i64::try_from(i).unwrap_or(0)),
            method: "transact".into(),
            params: small(i).to_params(&"bench".into()),
        }
        .encode(&mut requests);
    }
    let mut writer = UnixStream::connect(socket).expect("connect");
    let mut reader = writer.try_clone().expect("clone");
    let began = Instant::now();
    let thread = std::thread::spawn(move || writer.write_all(&requests).map(|()| writer));
    let mut splitter = Splitter::new(SplitLimits::default());
    let mut buffer = vec![0; 256 << 10];
    let mut replies = 0;
    while replies < SMALL {
        let n = reader.read(&mut buffer).expect("read");
        assert!(n > 0, "closed");
        splitter.push(&buffer[..n]);
        while splitter.next_message().expect("JSON").is_some() {
            replies += 1;
        }
    }
    let elapsed = began.elapsed().as_secs_f64();
    drop(thread.join().expect("writer").expect("write"));
    elapsed
}
