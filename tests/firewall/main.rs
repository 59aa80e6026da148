//! The firewall drivers against a reference that shares nothing with them, with real packets.
//!
//! [`reference`] says what security groups promise; [`generate`] makes worlds and packets from a seed; [`bed`] makes a world
//! real and sends packets through it; [`verdicts`] compares, [`named`] holds single situations, [`crash`] kills the agent
//! while a [`prober`] sends what is forbidden. `VIFD_SEED` is the first seed, `VIFD_WORLDS` the number of worlds (9; 60 with
//! `VIFD_SOAK`), `VIFD_KILL_POINTS` the number of kills (20).

mod bed;
mod crash;
mod generate;
mod named;
mod packet;
mod prober;
mod random;
mod reference;
mod verdicts;
mod wire;
mod world;
