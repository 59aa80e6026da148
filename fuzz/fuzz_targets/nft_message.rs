//! nf_tables messages: what decodes re-encodes to a fixed point; errors are explained without
//! panic; the event monitor takes anything.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nft::attr::path_at;
use nft::batch::describe;
use nft::event::Monitor;
use nft::message::{Body, Message, operation};
use nft::wire::{Ack, Frames, Writer};

fuzz_target!(|data: &[u8]| {
    let offset = data.first().map_or(0, |byte| u32::from(*byte) * 4);
    let mut monitor = Monitor::new();
    monitor.handle_input(data);
    for frame in Frames::new(data) {
        let Ok(frame) = frame else { break };
        let _ = Ack::decode_error(&frame);
        let _ = Ack::decode_done(&frame);
        describe(frame.bytes);
        if let Some(op) = operation(frame.header.kind) {
            path_at(frame.payload, Body::schema(op), offset);
        }
        let Ok(message) = Message::decode(&frame) else {
            continue;
        };
        let mut w = Writer::new();
        message.encode(&mut w);
        assert!(!w.take_overflow());
        let again = Frames::new(w.bytes()).next().expect("one").expect("whole");
        assert_eq!(Message::decode(&again).as_ref(), Ok(&message));
    }
});
