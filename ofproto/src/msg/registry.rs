//! The list of all messages that are valid on OpenFlow 1.0: number, name, and how long the body
//! may be.
//!
//! One row per entry of Open vSwitch's message table (`ofp-msgs.h`). Framing is checked against
//! it before a body is read, [`crate::text`] takes names from it, and `tests/catalogue.rs` sends
//! every row through the codec and through `ovs-ofctl`.

use crate::codec::Reader;
use crate::error::{DecodeError, OfpError};
use crate::header::{HEADER_LEN, MsgType, NX_VENDOR, VENDOR_HEADER_LEN};

/// What identifies a message on OpenFlow 1.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A standard type (`OFPT`).
    Standard(MsgType),
    /// A Nicira message by subtype (`NXT`): type 4, vendor 0x2320.
    Nicira(u32),
    /// Standard statistics (`OFPST`), request (16) or reply (17).
    Stats(MsgType, u16),
    /// Nicira statistics by subtype (`NXST`): statistics type 0xffff, vendor 0x2320.
    NiciraStats(MsgType, u32),
}

/// Statistics type of vendor statistics.
pub(crate) const VENDOR_STATS: u16 = 0xffff;
/// Bytes in front of the body of standard statistics.
const STATS_HEADER_LEN: usize = 12;
/// Bytes in front of the body of Nicira statistics.
const NICIRA_STATS_HEADER_LEN: usize = 24;

impl Kind {
    /// Reads the numbers at the front of a message. `None` when they belong to another vendor or
    /// there are too few bytes to tell.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Kind> {
        let mut r = Reader::new(bytes);
        let [_, msg_type, ..] = r.array::<HEADER_LEN>("header").ok()?;
        match MsgType(msg_type) {
            MsgType::VENDOR => {
                let vendor = r.u32("vendor").ok()?;
                let subtype = r.u32("vendor subtype").ok()?;
                (vendor == NX_VENDOR).then_some(Kind::Nicira(subtype))
            }
            side @ (MsgType::STATS_REQUEST | MsgType::STATS_REPLY) => {
                let stats = r.u16("stats type").ok()?;
                r.skip(2, "stats flags").ok()?;
                if stats != VENDOR_STATS {
                    return Some(Kind::Stats(side, stats));
                }
                let vendor = r.u32("stats vendor").ok()?;
                let subtype = r.u32("stats subtype").ok()?;
                r.skip(4, "pad").ok()?;
                (vendor == NX_VENDOR).then_some(Kind::NiciraStats(side, subtype))
            }
            standard => Some(Kind::Standard(standard)),
        }
    }

    fn header_len(self) -> usize {
        match self {
            Kind::Standard(_) => HEADER_LEN,
            Kind::Nicira(_) => VENDOR_HEADER_LEN,
            Kind::Stats(..) => STATS_HEADER_LEN,
            Kind::NiciraStats(..) => NICIRA_STATS_HEADER_LEN,
        }
    }

    /// The row of this kind, if there is one.
    #[must_use]
    #[inline]
    pub fn entry(self) -> Option<&'static Entry> {
        let row = ENTRIES.binary_search_by_key(&self.order(), |entry| entry.kind.order());
        row.ok().and_then(|row| ENTRIES.get(row))
    }

    /// The order of [`ENTRIES`].
    #[inline]
    const fn order(self) -> u64 {
        let (class, number, side) = match self {
            Kind::Standard(MsgType(n)) => (0u64, n as u64, 0),
            Kind::Nicira(n) => (1, n as u64, 0),
            Kind::Stats(MsgType(side), n) => (2, n as u64, side),
            Kind::NiciraStats(MsgType(side), n) => (3, n as u64, side),
        };
        class << 40 | number << 8 | side as u64
    }
}

/// A row of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub kind: Kind,
    /// Its name as Open vSwitch prints it.
    pub name: &'static str,
    /// Least bytes of the body.
    pub min_body: u16,
    /// What may follow: nothing (0), or units of so many bytes.
    pub unit: u16,
}

impl Entry {
    /// Whether a message of this kind may be `len` bytes long, header included.
    #[must_use]
    pub fn allows(&self, len: usize) -> bool {
        let least = self.kind.header_len() + usize::from(self.min_body);
        match (len.checked_sub(least), self.unit) {
            (Some(rest), 0) => rest == 0,
            (Some(rest), unit) => rest.is_multiple_of(usize::from(unit)),
            (None, _) => false,
        }
    }
}

/// Checks what can be said of a message of version 1.0 without reading its body: a known kind has
/// a length that is possible for it.
///
/// # Errors
/// `OFPBRC_BAD_LEN`.
#[inline]
pub(crate) fn check_length(bytes: &[u8]) -> Result<(), DecodeError> {
    let entry = Kind::of(bytes).and_then(Kind::entry);
    if entry.is_none_or(|entry| entry.allows(bytes.len())) {
        return Ok(());
    }
    let code = OfpError::OFPBRC_BAD_LEN;
    Err(DecodeError::new(code, "message length", 2))
}

macro_rules! entries {
    ($($kind:ident $(($($arg:expr),*))? $name:literal $min:literal $unit:literal;)*) => {
        /// All messages, in the order of their numbers.
        pub const ENTRIES: &[Entry] = &[$(Entry {
            kind: entries!(@ $kind $($($arg),*)?),
            name: $name,
            min_body: $min,
            unit: $unit,
        },)*];
    };
    (@ Std $n:expr) => { Kind::Standard(MsgType($n)) };
    (@ Nx $n:expr) => { Kind::Nicira($n) };
    (@ Request $n:expr) => { Kind::Stats(MsgType::STATS_REQUEST, $n) };
    (@ Reply $n:expr) => { Kind::Stats(MsgType::STATS_REPLY, $n) };
    (@ NxRequest $n:expr) => { Kind::NiciraStats(MsgType::STATS_REQUEST, $n) };
    (@ NxReply $n:expr) => { Kind::NiciraStats(MsgType::STATS_REPLY, $n) };
}

entries! {
    Std(0) "OFPT_HELLO" 0 1;
    Std(1) "OFPT_ERROR" 4 1;
    Std(2) "OFPT_ECHO_REQUEST" 0 1;
    Std(3) "OFPT_ECHO_REPLY" 0 1;
    Std(5) "OFPT_FEATURES_REQUEST" 0 0;
    Std(6) "OFPT_FEATURES_REPLY" 24 48;
    Std(7) "OFPT_GET_CONFIG_REQUEST" 0 0;
    Std(8) "OFPT_GET_CONFIG_REPLY" 4 0;
    Std(9) "OFPT_SET_CONFIG" 4 0;
    Std(10) "OFPT_PACKET_IN" 10 1;
    Std(11) "OFPT_FLOW_REMOVED" 80 0;
    Std(12) "OFPT_PORT_STATUS" 56 0;
    Std(13) "OFPT_PACKET_OUT" 8 1;
    Std(14) "OFPT_FLOW_MOD" 64 8;
    Std(15) "OFPT_PORT_MOD" 24 0;
    Std(18) "OFPT_BARRIER_REQUEST" 0 0;
    Std(19) "OFPT_BARRIER_REPLY" 0 0;
    Std(20) "OFPT_QUEUE_GET_CONFIG_REQUEST" 4 0;
    Std(21) "OFPT_QUEUE_GET_CONFIG_REPLY" 8 8;
    Nx(10) "NXT_ROLE_REQUEST" 4 0;
    Nx(11) "NXT_ROLE_REPLY" 4 0;
    Nx(12) "NXT_SET_FLOW_FORMAT" 4 0;
    Nx(13) "NXT_FLOW_MOD" 32 8;
    Nx(14) "NXT_FLOW_REMOVED" 40 8;
    Nx(15) "NXT_FLOW_MOD_TABLE_ID" 8 0;
    Nx(16) "NXT_SET_PACKET_IN_FORMAT" 4 0;
    Nx(17) "NXT_PACKET_IN" 24 1;
    Nx(18) "NXT_FLOW_AGE" 0 0;
    Nx(19) "NXT_SET_ASYNC_CONFIG" 24 0;
    Nx(20) "NXT_SET_CONTROLLER_ID" 8 0;
    Nx(21) "NXT_FLOW_MONITOR_CANCEL" 4 0;
    Nx(22) "NXT_FLOW_MONITOR_PAUSED" 0 0;
    Nx(23) "NXT_FLOW_MONITOR_RESUMED" 0 0;
    Nx(24) "NXT_TLV_TABLE_MOD" 8 8;
    Nx(25) "NXT_TLV_TABLE_REQUEST" 0 0;
    Nx(26) "NXT_TLV_TABLE_REPLY" 16 8;
    Nx(27) "NXT_SET_ASYNC_CONFIG2" 0 8;
    Nx(28) "NXT_RESUME" 0 8;
    Nx(29) "NXT_CT_FLUSH_ZONE" 8 0;
    Nx(30) "NXT_PACKET_IN2" 0 8;
    Nx(31) "NXT_GROUP_MOD" 16 8;
    Nx(32) "NXT_CT_FLUSH" 8 8;
    Nx(132) "NXT_REQUESTFORWARD" 8 8;
    Request(0) "OFPST_DESC request" 0 0;
    Reply(0) "OFPST_DESC reply" 1056 0;
    Request(1) "OFPST_FLOW request" 44 0;
    Reply(1) "OFPST_FLOW reply" 0 1;
    Request(2) "OFPST_AGGREGATE request" 44 0;
    Reply(2) "OFPST_AGGREGATE reply" 24 0;
    Request(3) "OFPST_TABLE request" 0 0;
    Reply(3) "OFPST_TABLE reply" 0 64;
    Request(4) "OFPST_PORT request" 8 0;
    Reply(4) "OFPST_PORT reply" 0 104;
    Request(5) "OFPST_QUEUE request" 8 0;
    Reply(5) "OFPST_QUEUE reply" 0 32;
    Request(13) "OFPST_PORT_DESC request" 0 0;
    Reply(13) "OFPST_PORT_DESC reply" 0 48;
    NxRequest(0) "NXST_FLOW request" 8 8;
    NxReply(0) "NXST_FLOW reply" 0 1;
    NxRequest(1) "NXST_AGGREGATE request" 8 8;
    NxReply(1) "NXST_AGGREGATE reply" 24 0;
    NxRequest(2) "NXST_FLOW_MONITOR request" 0 8;
    NxReply(2) "NXST_FLOW_MONITOR reply" 0 8;
    NxRequest(3) "NXST_IPFIX_BRIDGE request" 0 0;
    NxReply(3) "NXST_IPFIX_BRIDGE reply" 88 0;
    NxRequest(4) "NXST_IPFIX_FLOW request" 0 0;
    NxReply(4) "NXST_IPFIX_FLOW reply" 0 88;
    NxRequest(7) "NXST_GROUP request" 8 0;
    NxReply(7) "NXST_GROUP reply" 0 8;
    NxRequest(8) "NXST_GROUP_DESC request" 8 0;
    NxReply(8) "NXST_GROUP_DESC reply" 0 8;
    NxRequest(9) "NXST_GROUP_FEATURES request" 0 0;
    NxReply(9) "NXST_GROUP_FEATURES reply" 40 0;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_unique() {
        assert!(ENTRIES.is_sorted_by_key(|entry| entry.kind.order()));
        for (i, a) in ENTRIES.iter().enumerate() {
            for b in &ENTRIES[..i] {
                assert!(a.kind != b.kind && a.name != b.name, "{a:?} {b:?}");
            }
            assert_eq!(a.kind.entry(), Some(a));
        }
    }

    #[test]
    fn lengths() {
        let flow_mod = Kind::Nicira(13).entry().unwrap();
        assert!(flow_mod.allows(48) && flow_mod.allows(56));
        assert!(!flow_mod.allows(40) && !flow_mod.allows(52));
        let barrier = Kind::Standard(MsgType::BARRIER_REQUEST).entry().unwrap();
        assert!(barrier.allows(8) && !barrier.allows(9));
    }
}
