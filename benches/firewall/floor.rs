//! What the kernel's part takes: the bytes of a load, encoded beforehand.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use nft::batch::{Batch, Encoded};
use nft::conn::{Outcome, Request};
use nft::element::ElementRef;
use nft::name::Name;
use rustc_hash::FxHashMap;
use vifd::ops::nft::{NftBody, NftKey, TABLE};
use vifd::plan::Planner;

/// Tables, then elements, in these parts.
pub fn encode(planner: &Planner, parts: &[Vec<NftKey>]) -> Vec<Encoded> {
    let variant = planner.filter().variant.expect("known");
    let wanted: FxHashMap<&NftKey, &NftBody> = planner
        .wanted_nft()
        .map(|(key, _, body)| (key, body))
        .collect();
    let mut batch = Batch::new();
    for body in wanted.values() {
        if let NftBody::Table(table) = body {
            table.create(&mut batch);
        }
    }
    let mut encoded = Vec::new();
    let mut finish = |batch: &mut Batch| {
        let bytes = std::mem::take(batch).encode(None);
        encoded.push(bytes.expect("no attribute is too long"));
    };
    finish(&mut batch);
    for part in parts {
        let mut lists: BTreeMap<_, Vec<ElementRef<'_>>> = BTreeMap::new();
        for key in part {
            let body = wanted.get(key);
            if let (NftKey::Element(set, key), Some(NftBody::Element(entry))) = (key, body) {
                lists.entry(*set).or_default().push(ElementRef {
                    key: key.as_slice(),
                    data: entry.data.as_ref().map(|data| data.as_slice()),
                    comment: entry.comment.as_deref(),
                });
            }
        }
        for (set, list) in lists {
            let (table, name) = (Name::from(TABLE), set.name().into());
            batch.add_element_refs(set.family(variant), &table, &name, list);
        }
        if !batch.is_empty() {
            finish(&mut batch);
        }
    }
    encoded
}

/// Commits them one after the other, in the calling thread's network namespace.
pub fn commit(parts: Vec<Encoded>) -> Duration {
    let mut client = nft::net::Client::open().expect("a socket");
    let begun = Instant::now();
    for part in parts {
        let outcome = client.run(Request::Commit(part));
        let outcome = outcome.expect("the kernel answers");
        assert!(matches!(outcome, Outcome::Committed { .. }), "{outcome:?}");
    }
    begun.elapsed()
}
