//! Security groups as things that stand: one module per driver.
//!
//! A driver turns groups, remote sets and address pairs of the model into cells of its own; it knows nothing of the
//! other one.

pub mod nft;
pub mod openflow;
pub mod verdict;
