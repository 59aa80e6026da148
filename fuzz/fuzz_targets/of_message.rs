//! Any bytes as a message: what decodes is written back to a fixed point, and prints.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ofproto::msg::Message;
use ofproto::of14::Message14;
use ofproto::text::{Verbosity, print_message};
use ofproto::view::{ActionViews, NxmEntries, flow_views, packet_in_frame};

fuzz_target!(|bytes: &[u8]| {
    let _ = print_message(bytes, Verbosity::DETAILED);
    let _ = Message14::decode(bytes);
    let _ = packet_in_frame(bytes);
    if let Ok(flows) = flow_views(bytes) {
        for flow in flows.flatten() {
            let counted = flow.entries().count() + flow.actions().count();
            assert!(counted <= bytes.len());
            let _ = flow.stats();
        }
    }
    let _ = NxmEntries::new(bytes).count() + ActionViews::new(bytes).count();

    let Ok((header, message)) = Message::decode(bytes) else {
        return;
    };
    // Values that came from bytes may still be too long once in normal form.
    let Ok(first) = message.to_bytes(header.xid) else {
        return;
    };
    let (again, second) = Message::decode(&first).expect("own bytes");
    assert_eq!(again.xid, header.xid);
    assert_eq!(
        second.to_bytes(again.xid).as_ref(),
        Ok(&first),
        "a fixed point"
    );
});
