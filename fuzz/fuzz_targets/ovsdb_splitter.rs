//! Splitter and parser: every fragmentation gives the same messages, and what parses
//! re-encodes to a fixed point.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ovsdb::JsonError;
use ovsdb::json::{Json, SplitLimits, Splitter, parse, write};

// Well below the inputs the fuzzer makes.
const LIMITS: SplitLimits = SplitLimits {
    message: 1024,
    depth: 64,
};

fn split(data: &[u8], chunk: usize) -> (Vec<Vec<u8>>, Option<JsonError>) {
    let mut splitter = Splitter::new(LIMITS);
    let mut messages = Vec::new();
    for part in data.chunks(chunk) {
        splitter.push(part);
        loop {
            match splitter.next_message() {
                Ok(Some(message)) => messages.push(message.to_vec()),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
        assert!(splitter.buffered() <= LIMITS.message + chunk);
    }
    (messages, None)
}

fuzz_target!(|data: &[u8]| {
    let Some((first, data)) = data.split_first() else {
        return;
    };
    let whole = split(data, data.len().max(1));
    let parts = split(data, usize::from(*first % 32) + 1);
    assert_eq!(whole.0, parts.0);
    assert_eq!(whole.1.map(|e| e.kind), parts.1.map(|e| e.kind));
    for message in &whole.0 {
        if let Ok(json) = parse(message) {
            // A real that is integral once rounded comes back as an integer; from then on
            // nothing changes any more.
            let pass = |json: &Json| {
                let mut bytes = Vec::new();
                write(json, &mut bytes);
                parse(&bytes).expect("own output parses")
            };
            let once = pass(&json);
            assert_eq!(pass(&once), once);
        }
    }
});
