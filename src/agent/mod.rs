//! The agent: one loop that owns the planner and sees every other part.
//!
//! Events of a closed set come in over bounded channels, the planner thinks for a slice, batches go out, one in flight
//! per executor. Nothing in here waits for anything but the next event.

mod dump;
mod dump_groups;
mod executors;
mod run;

/// What is done to bridges without an agent, after one.
pub use crate::exec::rtnl::hooks;
pub use run::{Error, run};
