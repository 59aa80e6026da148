//! What goes back to the control plane: the status of ports, and that the agent lives.

use std::sync::Arc;

use crate::model::{PortId, PortStatus};

/// The status of one port as this host sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PortReport {
    /// Which port.
    pub port: PortId,
    /// `Active`, `Down` or `Error`.
    pub status: PortStatus,
    /// Why it is not active, in words for a person. `None` when it is.
    pub reason: Option<Arc<str>>,
    /// When its VIF was first seen on this host, in µs since the Unix epoch.
    pub seen_at: Option<u64>,
    /// When the switch confirmed its wiring, in µs since the Unix epoch.
    pub wired_at: Option<u64>,
}

/// The heartbeat of the agent, with the counters an operator looks at first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Heartbeat {
    /// VIFs present on the integration bridge.
    pub vifs: u64,
    /// Ports reported active.
    pub active: u64,
    /// Ports that wait for something.
    pub blocked: u64,
}
