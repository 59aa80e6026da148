//! Any bytes as an action list: what decodes is written back to a fixed point, prints, and what
//! prints is read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ofproto::action::ActionList;
use ofproto::codec::Codec;
use ofproto::matching::Match;

fuzz_target!(|bytes: &[u8]| {
    let Ok(list) = ActionList::from_bytes(bytes) else {
        return;
    };
    let text = list.to_string();
    let _ = list.check(&Match::new());
    if let Ok(first) = list.to_bytes() {
        let second = ActionList::from_bytes(&first).expect("own bytes");
        assert_eq!(second.to_bytes().as_ref(), Ok(&first), "a fixed point");
    }
    if let Ok(read) = text.parse::<ActionList>() {
        let again = read.to_string();
        if let Ok(last) = again.parse::<ActionList>() {
            assert_eq!(last.to_string(), again, "text at a fixed point");
        }
    }
});
