//! Worlds and packets from a seed, made so that both verdicts are frequent and boundaries are hit.

mod addresses;
mod layer2;
mod talk;
mod world;

pub use talk::{Script, Scripts, Step};
pub use world::{Taste, world};
