//! The planner against a simulated host.

mod audit;
mod budget;
mod firewall;
mod lint;
mod nft;
mod property;
mod story;
mod world;
