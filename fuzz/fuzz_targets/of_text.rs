//! Any text as a flow: errors point into it, and what is read is written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ofproto::msg::{FlowMod, FlowModCommand, Message};
use ofproto::text::{flow_line, nxm_from_str, parse_flow_mod};

fuzz_target!(|text: &str| {
    let _ = nxm_from_str(text);
    let _ = parse_flow_mod(text, FlowModCommand::DELETE);
    match text.parse::<FlowMod>() {
        Ok(flow) => {
            let line = flow_line(&flow);
            let back: FlowMod = line
                .parse()
                .unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(flow_line(&back), line);
            if let Ok(bytes) = Message::FlowMod(flow).to_bytes(0) {
                let _ = Message::decode(&bytes);
            }
        }
        Err(error) => {
            assert!(error.offset() <= text.len());
            assert!(error.pointing_into(text).contains(error.what()));
        }
    }
});
