//! The agent: one loop that owns the planner and sees every other part.
//!
//! Events of a closed set come in over bounded channels, the planner thinks for a slice, batches go out, one in flight
//! per executor. Nothing in here waits for anything but the next event.

mod dump;
mod dump_groups;
mod executors;
mod run;

pub use run::{Error, run};
