//! What libnftnl reads of this crate's messages and writes again is the same: every rule of the table of expressions, and
//! the anonymous sets and elements in them.

use std::ffi::c_char;

use nft::batch::{Batch, Place};
use nft::wire::{Frame, Frames};
use nftnl::nftnl_sys as sys;

use crate::table::cases;
use crate::tree::{Tree, tree};

/// What libnftnl 1.2.4 does not write as it read it. Each is checked to be really so: with a newer library the test fails,
/// and the line goes.
const KNOWN_LOSSES: &[(&str, &str)] = &[
    ("vxlan", "libnftnl knows the expression inner since 1.2.5"),
    ("and of two registers", "since 1.2.9"),
    ("or of two registers", "since 1.2.9"),
    ("exclusive or of two registers", "since 1.2.9"),
];

/// Room for any message of the table, aligned as netlink wants it.
struct Room(Vec<u32>);

impl Room {
    fn of(bytes: &[u8]) -> Self {
        let mut words = vec![0; bytes.len().div_ceil(4)];
        for (word, chunk) in words.iter_mut().zip(bytes.chunks(4)) {
            let mut four = [0; 4];
            four[..chunk.len()].copy_from_slice(chunk);
            *word = u32::from_ne_bytes(four);
        }
        Self(words)
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }
}

/// The message as libnftnl writes it after reading it; `None` if it does not read it.
fn reread(frame: &Frame<'_>) -> Option<Vec<u8>> {
    let read = Room::of(frame.bytes);
    let mut written = Room(vec![0; 1 << 14]);
    let [_, op] = frame.header.kind.to_be_bytes();
    let family = frame.bytes[16];
    // SAFETY: the first argument has room for 64 KiB; the others are numbers.
    let header = unsafe {
        sys::nftnl_nlmsg_build_hdr(
            written.0.as_mut_ptr().cast::<c_char>(),
            u16::from(op),
            u16::from(family),
            0,
            0,
        )
    };
    let from = read.0.as_ptr().cast();
    // SAFETY: `from` is one whole message, aligned, and lives as long as `read`; what libnftnl allocates it frees.
    let ok = unsafe {
        match op {
            6 => {
                let rule = sys::nftnl_rule_alloc();
                let ok = sys::nftnl_rule_nlmsg_parse(from, rule) >= 0;
                if ok {
                    sys::nftnl_rule_nlmsg_build_payload(header.cast(), rule);
                }
                sys::nftnl_rule_free(rule);
                ok
            }
            9 => {
                let set = sys::nftnl_set_alloc();
                let ok = sys::nftnl_set_nlmsg_parse(from, set) >= 0;
                if ok {
                    sys::nftnl_set_nlmsg_build_payload(header.cast(), set);
                }
                sys::nftnl_set_free(set);
                ok
            }
            12 => {
                let set = sys::nftnl_set_alloc();
                let ok = sys::nftnl_set_elems_nlmsg_parse(from, set) >= 0;
                if ok {
                    sys::nftnl_set_elems_nlmsg_build_payload(header.cast(), set);
                }
                sys::nftnl_set_free(set);
                ok
            }
            _ => false,
        }
    };
    ok.then(|| written.bytes())
}

fn tree_of(bytes: &[u8]) -> Tree {
    let frame = Frames::new(bytes).next().unwrap().unwrap();
    tree(frame.payload)
}

#[test]
fn what_libnftnl_reads_it_writes_the_same() {
    let mut compared = 0;
    let mut failures = Vec::new();
    for case in cases() {
        let name = case.witness.name();
        let known = KNOWN_LOSSES.iter().any(|(known, _)| name.contains(known));
        let mut batch = Batch::new();
        batch.add_owned_rule(case.family, &(case.build)(), Place::Last);
        let encoded = batch.encode(None).unwrap();
        let mut lost = false;
        for frame in Frames::new(encoded.bytes()).map(Result::unwrap) {
            if frame.header.kind >> 8 != 10 {
                continue;
            }
            let ours = tree(frame.payload);
            let theirs = reread(&frame).map(|bytes| tree_of(&bytes));
            compared += 1;
            match theirs {
                Some(theirs) if theirs == ours => {}
                _ if known => lost = true,
                Some(theirs) => failures.push(format!("{name}\n  {ours:?}\n  {theirs:?}")),
                None => failures.push(format!("{name}: not read")),
            }
        }
        if known && !lost {
            failures.push(format!("{name} is kept now: no known loss any more"));
        }
    }
    assert!(compared > 250, "{compared}");
    assert!(
        failures.is_empty(),
        "{}\n{} of {compared} differ",
        failures.join("\n"),
        failures.len()
    );
}
