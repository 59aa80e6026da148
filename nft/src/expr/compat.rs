//! iptables extensions inside nf_tables rules (`linux/netfilter/nf_tables_compat.h`). Kept byte for
//! byte and never interpreted: tables with them belong to iptables.

use crate::attr::attributes;
use crate::name::{Bytes, Name};

attributes! {
    /// An iptables match (`NFTA_MATCH_*`).
    pub struct Match "match" {
        /// Extension.
        1 => name: Name,
        /// Revision.
        2 => revision: u32,
        /// Its private structure.
        3 => info: Bytes,
    }
}

attributes! {
    /// An iptables target (`NFTA_TARGET_*`).
    pub struct Target "target" {
        /// Extension.
        1 => name: Name,
        /// Revision.
        2 => revision: u32,
        /// Its private structure.
        3 => info: Bytes,
    }
}
