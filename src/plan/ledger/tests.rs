//! What a ledger writes, when, and what it knows to stand.

use super::super::cell::{Facet, Key};
use super::*;

impl Value for u32 {
    fn satisfied_by(&self, installed: &u32) -> bool {
        self == installed
    }
}

fn cell(name: &str) -> CellId {
    CellId::new(Key::Vif(Arc::from(name)), Facet::Guard)
}

fn online() -> Ledger<&'static str, u32> {
    let mut ledger = Ledger::new(Learns::FromAcks, 8);
    ledger.go_online_with([]);
    ledger.allow_deletes();
    ledger
}

fn done() -> Outcome {
    Outcome::Done {
        refused: vec![],
        next_cfg: None,
    }
}

#[test]
fn writes_once_and_settles() {
    let mut ledger = online();
    ledger.set(&"k", &cell("a"), 1).unwrap();
    assert_eq!(ledger.state(&cell("a")), CellState::Pending);
    assert_eq!(ledger.take(1, 0), Some(vec![("k", Some(1))]));
    assert_eq!(ledger.take(2, 0), None, "one batch in flight");
    assert!(ledger.finish(1, &done(), 0));
    assert_eq!(ledger.state(&cell("a")), CellState::Settled);
    ledger.set(&"k", &cell("a"), 1).unwrap();
    assert_eq!(ledger.take(3, 0), None, "nothing changed, nothing written");
}

#[test]
fn a_change_in_flight_goes_into_the_next_batch() {
    let mut ledger = online();
    ledger.set(&"k", &cell("a"), 1).unwrap();
    ledger.take(1, 0).unwrap();
    ledger.set(&"k", &cell("a"), 2).unwrap();
    ledger.finish(1, &done(), 0);
    assert_eq!(ledger.state(&cell("a")), CellState::Pending);
    assert_eq!(ledger.take(2, 0), Some(vec![("k", Some(2))]));
}

#[test]
fn what_is_asked_for_again_while_it_is_removed_does_not_stand() {
    let mut ledger = online().waiting_for_answers();
    ledger.set(&"k", &cell("a"), 1).unwrap();
    ledger.take(1, 0).unwrap();
    ledger.finish(1, &done(), 0);
    ledger.unset(&"k", &cell("a"));
    assert_eq!(ledger.take(2, 0), Some(vec![("k", None)]));
    ledger.set(&"k", &cell("a"), 1).unwrap();
    assert_eq!(ledger.state(&cell("a")), CellState::Pending);
    ledger.finish(2, &done(), 0);
    assert_eq!(ledger.state(&cell("a")), CellState::Pending);
    assert_eq!(ledger.take(3, 0), Some(vec![("k", Some(1))]));
    ledger.finish(3, &done(), 0);
    assert_eq!(ledger.state(&cell("a")), CellState::Settled);
}

#[test]
fn what_is_no_longer_asked_for_while_it_is_written_is_not_gone() {
    let mut ledger = online().waiting_for_answers();
    ledger.set(&"k", &cell("a"), 1).unwrap();
    ledger.take(1, 0).unwrap();
    ledger.unset(&"k", &cell("a"));
    assert_eq!(ledger.state(&cell("a")), CellState::Pending);
    ledger.finish(1, &done(), 0);
    assert_eq!(ledger.state(&cell("a")), CellState::Pending);
    assert_eq!(ledger.take(2, 0), Some(vec![("k", None)]));
    ledger.finish(2, &done(), 0);
    assert_eq!(ledger.state(&cell("a")), CellState::Settled);
}

#[test]
fn a_key_that_moves_to_another_cell_is_never_deleted() {
    let mut ledger = online();
    ledger.set(&"k", &cell("a"), 1).unwrap();
    ledger.take(1, 0).unwrap();
    ledger.finish(1, &done(), 0);
    assert_eq!(ledger.set(&"k", &cell("b"), 2), Err(cell("a")));
    ledger.unset(&"k", &cell("a"));
    ledger.set(&"k", &cell("b"), 2).unwrap();
    assert_eq!(ledger.take(2, 0), Some(vec![("k", Some(2))]));
    assert_eq!(ledger.state(&cell("a")), CellState::Settled);
}

#[test]
fn removals_wait_for_permission_and_come_last() {
    let mut ledger: Ledger<&str, u32> = Ledger::new(Learns::FromAcks, 8);
    ledger.go_online_with([("old", 7), ("kept", 1)]);
    ledger.set(&"kept", &cell("a"), 1).unwrap();
    assert_eq!(ledger.take(1, 0), None);
    ledger.allow_deletes();
    ledger.set(&"new", &cell("a"), 3).unwrap();
    assert_eq!(
        ledger.take(1, 0),
        Some(vec![("new", Some(3)), ("old", None)])
    );
    ledger.finish(1, &done(), 0);
    assert_eq!(ledger.installed().count(), 2);
}

#[test]
fn entries_are_written_last_and_removed_first() {
    let mut ledger: Ledger<&str, u32> =
        Ledger::new(Learns::FromAcks, 2).with_entries(|key| key.starts_with("in"));
    ledger.go_online_with([]);
    ledger.allow_deletes();
    for key in ["in1", "in2", "a", "b", "c"] {
        ledger.set(&key, &cell(key), 1).unwrap();
    }
    let mut taken = Vec::new();
    for batch in 1.. {
        let Some(items) = ledger.take(batch, 0) else {
            break;
        };
        taken.extend(items.iter().map(|(key, _)| *key));
        ledger.finish(batch, &done(), 0);
    }
    assert_eq!(taken, ["a", "b", "c", "in1", "in2"]);
    ledger.unset(&"a", &cell("a"));
    ledger.unset(&"in1", &cell("in1"));
    let gone = ledger.take(9, 0).unwrap();
    assert_eq!(gone, vec![("in1", None), ("a", None)]);
}

#[test]
fn a_removal_that_is_wanted_again_is_written_in_its_turn() {
    let mut ledger = online();
    ledger.set(&"k", &cell("k"), 1).unwrap();
    ledger.take(1, 0).unwrap();
    ledger.finish(1, &done(), 0);
    ledger.unset(&"k", &cell("k"));
    ledger.set(&"k", &cell("k"), 2).unwrap();
    assert_eq!(ledger.take(2, 0), Some(vec![("k", Some(2))]));
    ledger.set(&"new", &cell("k"), 1).unwrap();
    ledger.unset(&"new", &cell("k"));
    ledger.finish(2, &done(), 0);
    ledger.take(3, 0);
    ledger.finish(3, &done(), 0);
    assert_eq!(ledger.state(&cell("k")), CellState::Settled);
    assert_eq!(ledger.installed().count(), 1);
}

#[test]
fn a_refused_item_waits_and_others_go_on() {
    let mut ledger = online();
    ledger.set(&"bad", &cell("a"), 1).unwrap();
    ledger.set(&"good", &cell("b"), 1).unwrap();
    ledger.take(1, 0).unwrap();
    ledger.finish(
        1,
        &Outcome::Done {
            refused: vec![(0, Arc::from("no"))],
            next_cfg: None,
        },
        0,
    );
    assert_eq!(ledger.state(&cell("a")), CellState::Failed(Arc::from("no")));
    assert_eq!(ledger.state(&cell("b")), CellState::Settled);
    assert_eq!(ledger.take(2, 0), None);
    let at = ledger.next_retry().unwrap();
    assert_eq!(ledger.take(3, at), Some(vec![("bad", Some(1))]));
    ledger.finish(3, &done(), at);
    assert_eq!(ledger.state(&cell("a")), CellState::Settled);
}

#[test]
fn an_anonymous_rejection_is_halved_until_it_shows() {
    let mut ledger = online();
    for key in ["a", "b", "c", "bad", "e", "f", "g", "h"] {
        ledger.set(&key, &cell(key), 1).unwrap();
    }
    let mut batch = 0;
    while let Some(items) = ledger.take(batch, 0) {
        let outcome = if items.iter().any(|(k, _)| *k == "bad") {
            Outcome::Rejected {
                at: None,
                reason: Arc::from("constraint violation"),
            }
        } else {
            done()
        };
        ledger.finish(batch, &outcome, 0);
        batch += 1;
        assert!(batch < 30);
    }
    assert_eq!(
        ledger.state(&cell("bad")),
        CellState::Failed(Arc::from("constraint violation"))
    );
    assert_eq!(ledger.installed().count(), 7);
}

#[test]
fn a_reconnect_writes_only_what_is_missing_or_different() {
    let mut ledger = online();
    for (key, value) in [("a", 1), ("b", 2), ("c", 3)] {
        ledger.set(&key, &cell("x"), value).unwrap();
    }
    ledger.take(1, 0).unwrap();
    ledger.go_offline();
    assert_eq!(ledger.state(&cell("x")), CellState::Pending);
    assert!(!ledger.finish(1, &done(), 0), "an answer from before");
    ledger.go_online_with([("a", 1), ("b", 9)]);
    let mut items = ledger.take(2, 0).unwrap();
    items.sort();
    assert_eq!(items, vec![("b", Some(2)), ("c", Some(3))]);
}

#[test]
fn what_is_new_goes_in_parts_and_what_changes_at_once() {
    let mut ledger: Ledger<u32, u32> = Ledger::new(Learns::FromAcks, 100).with_new_in_parts(3);
    ledger.go_online_with([]);
    ledger.allow_deletes();
    let a = cell("a");
    for key in 0..8 {
        ledger.set(&key, &a, 1).unwrap();
    }
    let mut sizes = Vec::new();
    for batch in 1.. {
        let Some(items) = ledger.take(batch, 0) else {
            break;
        };
        assert_eq!(ledger.has_more(), batch < 3);
        sizes.push(items.len());
        ledger.finish(batch, &done(), 0);
    }
    assert_eq!(sizes, [3, 3, 2]);
    assert_eq!(ledger.state(&a), CellState::Settled);

    for key in 8..13 {
        ledger.set(&key, &a, 1).unwrap();
    }
    assert!(ledger.has_only_new());
    ledger.set(&2, &a, 7).unwrap();
    assert!(!ledger.has_only_new());
    assert_eq!(ledger.take(10, 0).map(|items| items.len()), Some(6));
    ledger.set(&9, &a, 5).unwrap();
    ledger.finish(10, &done(), 0);
    assert!(!ledger.has_only_new(), "it changed while it was under way");
    assert_eq!(ledger.take(11, 0), Some(vec![(9, Some(5))]));
    ledger.finish(11, &done(), 0);

    for key in 13..18 {
        ledger.set(&key, &a, 1).unwrap();
    }
    ledger.unset(&0, &a);
    assert_eq!(ledger.take(12, 0).map(|items| items.len()), Some(6));
}

#[test]
fn a_second_batch_of_what_is_new_goes_beside_the_first() {
    let mut ledger: Ledger<u32, u32> = Ledger::new(Learns::FromAcks, 100)
        .with_new_in_parts(16)
        .with_entries(|key| *key >= 900);
    ledger.go_online_with([]);
    ledger.allow_deletes();
    let a = cell("a");
    let want = |ledger: &mut Ledger<u32, u32>, keys: std::ops::Range<u32>| {
        for key in keys {
            ledger.set(&key, &a, 1).unwrap();
        }
    };
    let sent = |items: Option<Writes<u32, u32>>| -> Option<Vec<u32>> {
        Some(items?.into_iter().map(|(key, _)| key).collect())
    };
    want(&mut ledger, 0..4);
    assert_eq!(sent(ledger.take(1, 0)), Some(vec![0, 1, 2, 3]));
    want(&mut ledger, 4..5);
    want(&mut ledger, 900..901);
    assert_eq!(ledger.take(2, 0), None, "too little to go beside another");
    want(&mut ledger, 5..6);
    assert_eq!(sent(ledger.take(2, 0)), Some(vec![4, 5]));
    want(&mut ledger, 6..20);
    assert_eq!(ledger.take(3, 0), None, "two are under way");
    // Of two that come to nothing, what is wanted goes again.
    assert!(ledger.finish(2, &done(), 0));
    let lost = Outcome::Lost {
        reason: Arc::from("gone"),
    };
    assert!(ledger.finish(1, &lost, 0));
    let first: Vec<u32> = (6..20).chain([0, 1]).collect();
    assert_eq!(sent(ledger.take(3, 0)), Some(first));
    want(&mut ledger, 20..30);
    ledger.unset(&4, &a);
    assert_eq!(ledger.take(4, 0), None, "what goes waits until all is back");
    assert!(ledger.finish(3, &done(), 0));
    let rest: Vec<u32> = [2, 3].into_iter().chain(20..30).chain([900, 4]).collect();
    assert_eq!(sent(ledger.take(4, 0)), Some(rest));
    want(&mut ledger, 30..40);
    assert_eq!(
        ledger.take(5, 0),
        None,
        "nothing goes beside what is not only new"
    );
    ledger.go_offline();
    assert!(
        !ledger.finish(4, &done(), 0),
        "an answer from before says nothing"
    );
}

#[test]
fn what_is_renewed_is_written_once_more_and_removed_if_nobody_wants_it_any_more() {
    let mut ledger = online();
    ledger.go_online_with([("k", 1), ("other", 1)]);
    for key in ["k", "other"] {
        ledger.set(&key, &cell(key), 1).unwrap();
        ledger.renew(&key);
    }
    assert_eq!(ledger.state(&cell("k")), CellState::Pending);
    ledger.unset(&"other", &cell("other"));
    assert_eq!(
        ledger.take(1, 0),
        Some(vec![("k", Some(1)), ("other", None)])
    );
    ledger.finish(1, &done(), 0);
    assert_eq!(ledger.state(&cell("k")), CellState::Settled);
    assert_eq!(ledger.take(2, 0), None);
}

#[test]
fn a_refusal_of_what_is_not_wanted_any_more_says_nothing() {
    let mut ledger = online();
    ledger.set(&"k", &cell("a"), 1).unwrap();
    ledger.take(1, 0).unwrap();
    ledger.set(&"k", &cell("a"), 2).unwrap();
    let refused = Outcome::Done {
        refused: vec![(0, Arc::from("no"))],
        next_cfg: None,
    };
    ledger.finish(1, &refused, 0);
    assert_eq!(ledger.state(&cell("a")), CellState::Pending);
    assert_eq!(ledger.take(2, 0), Some(vec![("k", Some(2))]));
}
