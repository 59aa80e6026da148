//! Bundles on an OpenFlow 1.4 connection (OF1.4 §7.3.9).
//!
//! Owns: the two message layouts and the stages a bundle goes through. Open vSwitch commits a
//! bundle even after an add was refused, so the pipeline first settles all adds with a barrier and
//! then commits only a bundle without refusals. Held by `tests/conn.rs`.
//!
//! ```text
//! BUNDLE_CONTROL (33)                    BUNDLE_ADD_MESSAGE (34)
//!   0  header                              0  header
//!   8  u32 bundle id                       8  u32 bundle id
//!  12  u16 kind   14  u16 flags           12  pad2   14  u16 flags
//!                                         16  one whole message, same xid
//! ```

use super::frame::kind;

/// Bytes a bundle adds in front of each message.
pub const BUNDLE_ADD_OVERHEAD: usize = 16;

/// Number of a bundle; lives as long as the bundle, on its connection only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BundleId(pub u32);

/// How a bundle is to be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BundleFlags(pub u16);

impl BundleFlags {
    /// All or nothing; packets see either the state before or after.
    pub const ATOMIC: Self = Self(1);
    /// In the order of the messages.
    pub const ORDERED: Self = Self(2);
    /// Both.
    pub const ATOMIC_ORDERED: Self = Self(3);
}

/// `enum ofp_bundle_ctrl_type`, the requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ControlKind {
    Open,
    Commit,
    Discard,
}

impl ControlKind {
    pub fn body(self, id: BundleId, flags: BundleFlags) -> [u8; 8] {
        let kind: u8 = match self {
            Self::Open => 0,
            Self::Commit => 4,
            Self::Discard => 6,
        };
        let ([a, b, c, d], [e, f]) = (id.0.to_be_bytes(), flags.0.to_be_bytes());
        [a, b, c, d, 0, kind, e, f]
    }
}

/// How far a bundle has come. Nothing else is sent between two stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Unopened,
    Adding,
    /// All sent, waiting for the last barrier.
    Settling,
    /// Commit or discard sent.
    Ending,
}

/// Wraps `message` into an add message; both carry `xid` (OFPBFC_MSG_BAD_XID otherwise).
pub(super) fn append_add(
    out: &mut Vec<u8>,
    message: &[u8],
    xid: u32,
    id: BundleId,
    flags: BundleFlags,
) {
    let version = message.first().copied().unwrap_or(0);
    let length = u16::try_from(BUNDLE_ADD_OVERHEAD + message.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&[version, kind::BUNDLE_ADD]);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&xid.to_be_bytes());
    out.extend_from_slice(&id.0.to_be_bytes());
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&flags.0.to_be_bytes());
    super::pipeline::append_with_xid(out, message, xid);
}
