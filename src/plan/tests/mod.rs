//! The planner against a simulated host.

mod budget;
mod property;
mod story;
mod world;
