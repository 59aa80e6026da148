//! The fixed choices of one connection.
//!
//! Owns: version, window, deadlines. Knows no sockets and no clock.

use std::time::Duration;

use super::frame::kind;

/// The one version a connection is pinned to by its hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireVersion {
    /// OpenFlow 1.0 (0x01) with the Nicira extensions: everything but bundles.
    V1_0,
    /// OpenFlow 1.4 (0x05): for atomic bundles beside a 1.0 connection.
    V1_4,
}

impl WireVersion {
    /// The version byte of the header.
    pub fn byte(self) -> u8 {
        match self {
            Self::V1_0 => 0x01,
            Self::V1_4 => 0x05,
        }
    }

    /// OF1.0 §5.1: 18; 20 from OpenFlow 1.1 on.
    pub(crate) fn barrier_request(self) -> u8 {
        match self {
            Self::V1_0 => 18,
            Self::V1_4 => 20,
        }
    }

    pub(crate) fn barrier_reply(self) -> u8 {
        self.barrier_request() + 1
    }

    /// OF1.0 §5.1: 17; 19 from OpenFlow 1.1 on.
    pub(crate) fn stats_reply(self) -> u8 {
        match self {
            Self::V1_0 => 17,
            Self::V1_4 => 19,
        }
    }

    pub(crate) fn features_reply(self) -> u8 {
        kind::FEATURES_REQUEST + 1
    }
}

/// Settings of a [`Connection`](super::Connection).
///
/// The defaults suit Open vSwitch: flow modification rates flatten at a few hundred messages per
/// barrier, so 2 048 messages per barrier and two such segments in flight keep the switch busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// The version to pin the connection to.
    pub version: WireVersion,
    /// On 1.0: ask for the NXM flow format and for table ids in flow_mods while connecting. A
    /// switch that refuses is reported as [`CloseReason::ForeignSwitch`](super::CloseReason).
    pub nicira: bool,
    /// Most messages sent and not yet known to be executed. A batch of up to half of this gets
    /// exactly one barrier, a longer one is divided into segments of that size.
    pub window_messages: usize,
    /// Most bytes sent and not yet known to be executed; one message may go beyond.
    pub window_bytes: usize,
    /// How long the oldest unanswered message may stay without any progress before its submission
    /// fails and the connection closes. Also bounds the time until [`Event::Ready`](super::Event).
    pub request_timeout: Duration,
    /// Silence after which an ECHO_REQUEST is sent; after the same time again without a single
    /// received byte the connection closes.
    pub probe_interval: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            version: WireVersion::V1_0,
            nicira: true,
            window_messages: 4096,
            window_bytes: 1 << 20,
            request_timeout: Duration::from_secs(30),
            probe_interval: Duration::from_secs(15),
        }
    }
}

impl Config {
    /// The defaults, pinned to OpenFlow 1.4 for bundles.
    pub fn bundles() -> Self {
        Self {
            version: WireVersion::V1_4,
            nicira: false,
            ..Self::default()
        }
    }
}
