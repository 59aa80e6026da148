//! The ruleset's generation (`enum nft_gen_attributes`): a number that each commit increases.

use crate::attr::attributes;
use crate::name::Name;

attributes! {
    /// Generation and who made it.
    pub struct Generation "generation" {
        /// Number; per network namespace.
        1 => id: u32,
        /// Process that committed; only in events.
        2 => process: Option<u32>,
        /// Its name; only in events.
        3 => process_name: Option<Name>,
    }
}
