//! Connection tracking messages and the exchange that gathers them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nft::conntrack::{CtMessage, Exchange, Filter};
use nft::message::Family;
use nft::wire::{Frames, Writer};

fuzz_target!(|data: &[u8]| {
    for frame in Frames::new(data) {
        let Ok(frame) = frame else { break };
        let mut exchange = Exchange::new(Filter::default().dump(), frame.header.seq);
        exchange.handle_input(data);
        let Ok(message) = CtMessage::decode(&frame) else {
            continue;
        };
        let mut w = Writer::new();
        message.encode(&mut w);
        let again = Frames::new(w.bytes()).next().expect("one").expect("whole");
        assert_eq!(CtMessage::decode(&again).as_ref(), Ok(&message));
        assert!(Filter::default().matches(Family::UNSPEC, &message.entry));
    }
});
