//! Security groups as things that stand: one module per driver.
//!
//! A driver turns groups, remote sets and address pairs of the model into cells of its own; it knows nothing of the
//! other one.

pub mod nft;
pub mod openflow;
pub mod verdict;

/// How much a driver keeps; known at any time, without a look at the ports.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Counts {
    /// Filtered ports: with flows those that are wired, with nf_tables all of the host.
    pub ports: usize,
    /// Profiles: different sets of security groups among them.
    pub profiles: usize,
    /// Conjunctions of flows that rules with remote groups and address groups use: one per set, direction and family.
    /// None with nf_tables.
    pub conjunctions: usize,
}
