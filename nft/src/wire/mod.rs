//! Netlink framing: messages, attributes and acknowledgements.
//!
//! Owns the byte layout of `linux/netlink.h` (host-endian headers, 4-byte alignment). Knows
//! nothing of nf_tables. Sources: `linux/netlink.h`, `net/netlink.h` alignment macros.
//! Held by the unit tests here and by `tests/codec/sweep.rs`.
//!
//! ```
//! use nft::wire::{Flags, Frames, Header, Writer};
//!
//! let mut w = Writer::new();
//! let header = Header { kind: 16, flags: Flags::REQUEST, seq: 7, port: 0 };
//! header.encode(&mut w, |w| w.attribute(3, false, |w| w.put(b"lo\0")));
//! let frame = Frames::new(w.bytes()).next().unwrap().unwrap();
//! let mut payload = frame.payload;
//! let attribute = payload.attribute().unwrap().unwrap();
//! assert_eq!((frame.header.seq, attribute.kind, attribute.value.len()), (7, 3, 3));
//! ```

mod ack;
mod header;
mod reader;
mod writer;

pub use ack::Ack;
pub use header::{Flags, Frame, Frames, HEADER_LEN, Header, kind};
pub use reader::{Attribute, MAX_DEPTH, Reader};
pub use writer::Writer;

/// Rounds a length up to the netlink alignment of 4 bytes (`NLMSG_ALIGN`, `NLA_ALIGN`).
pub const fn align(len: usize) -> usize {
    len.saturating_add(3) & !3
}
