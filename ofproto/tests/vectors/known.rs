//! The list of disagreements that are understood.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Entry {
    name: String,
    direction: String,
    cause: String,
    ovs_ofctl: String,
}

pub struct Known {
    entries: Vec<Entry>,
    used: RefCell<BTreeSet<usize>>,
}

impl Known {
    pub fn load() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/known-disagreements.jsonl");
        let text = std::fs::read_to_string(path).expect("list of known disagreements");
        let entries = text
            .lines()
            .filter(|l| !l.trim().is_empty())
            .map(|l| serde_json::from_str(l).expect("known disagreement"))
            .collect();
        Known {
            entries,
            used: RefCell::default(),
        }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn covers(&self, name: &str, direction: &str) -> bool {
        let at = self
            .entries
            .iter()
            .position(|e| e.name == name && e.direction == direction);
        at.is_some_and(|at| {
            self.used.borrow_mut().insert(at);
            true
        })
    }

    /// Listed disagreements that did not show up: either healed, or not among these vectors.
    pub fn unused(&self) -> Vec<String> {
        let used = self.used.borrow();
        let unused = self
            .entries
            .iter()
            .enumerate()
            .filter(|(i, _)| !used.contains(i));
        unused.map(|(_, e)| e.name.clone()).collect()
    }

    pub fn assert_explained(&self) {
        for e in &self.entries {
            assert!(e.cause.len() > 10, "{}: no cause", e.name);
            assert!(
                !e.ovs_ofctl.is_empty(),
                "{}: not shown against ovs-ofctl",
                e.name
            );
        }
    }
}
