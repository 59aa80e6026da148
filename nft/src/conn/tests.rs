//! The connection against a kernel of a few lines.

use super::*;
use crate::batch::Batch;
use crate::table::Table;
use crate::wire::{Header, Reader};

const NOW: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(10);

fn batch(tables: usize) -> Encoded {
    let mut batch = Batch::new();
    for i in 0..tables {
        batch.add_table(Family::INET, &Table::new(format!("t{i}")));
    }
    batch.encode(Some(3)).unwrap()
}

/// Sequence numbers of what the connection sends next.
fn sent(connection: &mut Connection) -> Vec<u32> {
    let bytes = connection.poll_transmit().expect("something to send");
    Frames::new(&bytes)
        .map(|frame| frame.unwrap().header.seq)
        .collect()
}

fn frame(kind: u16, flags: Flags, seq: u32, body: &[u8]) -> Vec<u8> {
    let mut w = Writer::new();
    Header {
        kind,
        flags,
        seq,
        port: 0,
    }
    .encode(&mut w, |w| w.put(body));
    w.into_bytes()
}

fn ack(seq: u32, errno: i32) -> Vec<u8> {
    let mut body = (-errno).to_ne_bytes().to_vec();
    body.extend([0; 16]);
    frame(kind::ERROR, Flags::CAPPED, seq, &body)
}

fn done(seq: u32, flags: Flags) -> Vec<u8> {
    frame(kind::DONE, flags, seq, &[0; 4])
}

/// A table in a dump, at a generation.
fn table(seq: u32, generation: u16, flags: Flags) -> Vec<u8> {
    let mut message = Message::request(Op::NEW_TABLE, Family::INET, flags, Table::new("t"));
    message.seq = seq;
    message.gen_msg.res_id = generation;
    let mut w = Writer::new();
    message.encode(&mut w);
    w.into_bytes()
}

fn dump(attempts: u8) -> Request {
    let dump = Dump {
        attempts,
        ..Dump::new(Op::GET_TABLE, Family::UNSPEC, Body::Empty)
    };
    Request::Dump(Box::new(dump))
}

#[test]
fn commit_ends_with_the_last_acknowledgement() {
    let mut c = Connection::new(PATIENCE);
    let id = c.submit(Request::Commit(batch(3)), NOW);
    let seqs = sent(&mut c);
    assert_eq!(seqs.len(), 5);
    c.handle_input(&ack(seqs[3], 0), NOW);
    assert_eq!(
        c.poll_outcome(),
        Some((id, Outcome::Committed { echoed: Vec::new() }))
    );
    assert!(!c.is_busy());
}

#[test]
fn errors_are_gathered_until_the_last_acknowledgement() {
    let mut c = Connection::new(PATIENCE);
    c.submit(Request::Commit(batch(3)), NOW);
    let seqs = sent(&mut c);
    for (seq, errno) in [(seqs[1], 17), (seqs[2], 2)] {
        c.handle_input(&ack(seq, errno), NOW);
        assert_eq!(c.poll_outcome(), None);
    }
    c.handle_input(&ack(seqs[3], 0), NOW);
    let Some((_, Outcome::Refused(errors))) = c.poll_outcome() else {
        panic!("not refused")
    };
    let told: Vec<_> = errors.iter().map(|e| (e.index, e.errno)).collect();
    assert_eq!(told, [(Some(0), 17), (Some(1), 2)]);
}

#[test]
fn success_after_an_error_of_the_same_operation_is_no_success() {
    // A fault found at the commit is reported for the first operation, which may be the last.
    let mut c = Connection::new(PATIENCE);
    c.submit(Request::Commit(batch(1)), NOW);
    let seqs = sent(&mut c);
    let mut both = ack(seqs[1], 22);
    both.extend(ack(seqs[1], 0));
    let next = c.submit(Request::Generation, NOW);
    c.handle_input(&both, NOW);
    assert!(matches!(c.poll_outcome(), Some((_, Outcome::Refused(_)))));
    // The stray success does not answer the next request.
    assert_eq!(c.poll_outcome(), None);
    let seq = sent(&mut c)[0];
    c.handle_input(&ack(seq, 1), NOW);
    let failed = Ack {
        errno: 1,
        seq,
        ..Ack::default()
    };
    assert_eq!(c.poll_outcome(), Some((next, Outcome::Failed(failed))));
}

#[test]
fn another_generation_is_stale_at_once() {
    let mut c = Connection::new(PATIENCE);
    let id = c.submit(Request::Commit(batch(2)), NOW);
    let seqs = sent(&mut c);
    c.handle_input(&ack(seqs[0], 85), NOW);
    assert_eq!(c.poll_outcome(), Some((id, Outcome::Stale)));
}

#[test]
fn lost_answers_are_unknown() {
    type Loss = fn(&mut Connection, u32);
    let losses: [Loss; 4] = [
        |c, _| c.handle_overrun(NOW),
        |c, _| c.handle_drained(NOW),
        |c, _| c.handle_timeout(NOW + PATIENCE),
        |c, seq| c.handle_input(&ack(seq, 0)[..10], NOW),
    ];
    for loss in losses {
        let mut c = Connection::new(PATIENCE);
        let id = c.submit(Request::Commit(batch(1)), NOW);
        let seqs = sent(&mut c);
        assert_eq!(c.poll_timeout(), Some(NOW + PATIENCE));
        c.handle_timeout(NOW);
        assert_eq!(c.poll_outcome(), None, "too early");
        loss(&mut c, seqs[1]);
        assert_eq!(c.poll_outcome(), Some((id, Outcome::Unknown)));
        assert_eq!(c.poll_timeout(), None);
    }
}

#[test]
fn out_of_memory_ends_the_report() {
    let mut c = Connection::new(PATIENCE);
    c.submit(Request::Commit(batch(3)), NOW);
    let seqs = sent(&mut c);
    c.handle_input(&ack(seqs[1], 12), NOW);
    assert!(matches!(c.poll_outcome(), Some((_, Outcome::Refused(e))) if e[0].errno == 12));
}

#[test]
fn dump_is_repeated_when_flagged_or_when_the_generation_moves() {
    let mut c = Connection::new(PATIENCE);
    let id = c.submit(dump(3), NOW);
    let first = sent(&mut c)[0];
    c.handle_input(&table(first, 7, Flags::MULTI.with(Flags::DUMP_INTR)), NOW);
    c.handle_input(&done(first, Flags::MULTI), NOW);
    let second = sent(&mut c)[0];
    c.handle_input(&table(second, 7, Flags::MULTI), NOW);
    // A late message of the first attempt does not count.
    c.handle_input(&table(first, 7, Flags::MULTI), NOW);
    c.handle_input(&table(second, 8, Flags::MULTI), NOW);
    c.handle_input(&done(second, Flags::MULTI), NOW);
    let third = sent(&mut c)[0];
    let mut whole = table(third, 8, Flags::MULTI);
    whole.extend(table(third, 8, Flags::MULTI));
    whole.extend(done(third, Flags::MULTI));
    c.handle_input(&whole, NOW);
    let Some((done_id, Outcome::Dumped(tables))) = c.poll_outcome() else {
        panic!("no dump")
    };
    assert_eq!((done_id, tables.len()), (id, 2));
}

#[test]
fn dump_gives_up_after_its_attempts() {
    let mut c = Connection::new(PATIENCE);
    let id = c.submit(dump(2), NOW);
    for _ in 0..2 {
        let seq = sent(&mut c)[0];
        c.handle_input(&done(seq, Flags::DUMP_INTR), NOW);
    }
    let failed = Outcome::DumpFailed(DumpError::Interrupted);
    assert_eq!(c.poll_outcome(), Some((id, failed)));
    let id = c.submit(dump(2), NOW);
    for _ in 0..2 {
        sent(&mut c);
        c.handle_overrun(NOW);
    }
    assert_eq!(
        c.poll_outcome(),
        Some((id, Outcome::DumpFailed(DumpError::Lost)))
    );
}

#[test]
fn requests_wait_their_turn() {
    let mut c = Connection::new(PATIENCE);
    let ids: Vec<_> = (0..3)
        .map(|_| c.submit(Request::Commit(batch(1)), NOW))
        .collect();
    let empty = c.submit(Request::Commit(Batch::new().encode(None).unwrap()), NOW);
    for id in ids {
        let seqs = sent(&mut c);
        assert!(c.poll_transmit().is_none(), "one in flight");
        c.handle_input(&ack(seqs[1], 0), NOW);
        assert_eq!(c.poll_outcome().map(|o| o.0), Some(id));
    }
    assert_eq!(c.poll_outcome().map(|o| o.0), Some(empty));
}

#[test]
fn trial_has_no_end() {
    let mut trial = Batch::new();
    trial.add_table(Family::INET, &Table::new("t"));
    let encoded = trial.encode_trial().unwrap();
    let kinds: Vec<_> = Frames::new(encoded.bytes())
        .map(|frame| frame.unwrap().header.kind)
        .collect();
    assert_eq!(kinds, [16, 0xa00]);
    let mut first = Frames::new(encoded.bytes())
        .next()
        .unwrap()
        .unwrap()
        .payload;
    first.take(4, "nfgenmsg").unwrap();
    assert!(Reader::new(first.rest()).attribute().unwrap().is_none());
}
