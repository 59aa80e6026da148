//! The firewall drivers against a reference that shares nothing with them, with real packets.
//!
//! [`reference`] says what security groups promise; [`generate`] makes worlds and packets from a seed; [`bed`] makes a world
//! real and sends packets through it; [`verdicts`] compares, [`named`] holds single situations. `VIFD_SEED` is the first
//! seed, `VIFD_WORLDS` the number of worlds (5; 60 with `VIFD_SOAK`).

mod bed;
mod generate;
mod named;
mod packet;
mod random;
mod reference;
mod verdicts;
mod wire;
mod world;
