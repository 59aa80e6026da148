//! What the agent lets others see of itself: logs, metrics, health.
//!
//! Owns: the log setup, the one metric registry, the readiness of each part, and the HTTP server for both. Must not
//! know: what the numbers mean to the planner; the parts set them. No label ever has a value per port, network or
//! bridge. Held by the tests at the foot of each file.

pub mod firewall;
pub mod health;
pub mod http;
mod limit;
pub mod log;
pub mod metrics;

pub use health::{Health, Ready};
pub use metrics::{Executor, Metrics, PacketFilter, SwitchTraffic};
