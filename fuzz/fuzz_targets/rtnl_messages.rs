//! What the kernel says about devices and addresses: any bytes are read without panic, and what one datagram said does
//! not depend on what came before it. The file is the program's own, without the rest of it.
#![no_main]
#![allow(
    dead_code,
    reason = "the program uses all of the file, this only what reads"
)]

use libfuzzer_sys::fuzz_target;

#[path = "../../src/ops/link.rs"]
mod link;
#[path = "../../src/exec/rtnl/wire.rs"]
mod wire;

/// The name under which the file knows it.
mod ops {
    pub(crate) use crate::link;
}

fuzz_target!(|data: &[u8]| {
    let mut answers = Vec::new();
    let complete = wire::read(data, &mut answers).is_ok();
    let mut again = Vec::new();
    assert_eq!(wire::read(data, &mut again).is_ok(), complete);
    assert_eq!(again, answers);
    // A datagram is no longer than the smallest messages would make it.
    assert!(answers.len() <= data.len().div_ceil(16));
    for answer in answers {
        let wire::Body::News(wire::News::Device(device)) = answer.body else {
            continue;
        };
        let want = link::LinkState {
            mtu: Some(device.mtu.wrapping_add(1)),
            up: !device.up,
            netfilter: !device.netfilter,
        };
        let request = wire::change_device(answer.sequence, &device, want);
        let mut echoed = Vec::new();
        // The kernel's news has the layout of the request.
        assert_eq!(wire::read(&request, &mut echoed), Ok(()));
        assert_eq!(echoed.len(), 1);
    }
});
