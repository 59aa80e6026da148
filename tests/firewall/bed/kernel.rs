//! What this kernel can do, by other signs than those that the agent goes by.

use std::path::Path;
use std::sync::OnceLock;

use testbed::Namespace;

/// Whether, by `nft`, it tracks connections in bridges.
pub fn tracks_in_bridges() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| accepts("ct state new"))
}

/// Whether it does so and has no zones to keep them apart.
pub fn has_one_table() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| tracks_in_bridges() && !accepts("ct zone set 1"))
}

/// Whether it knows connections of DCCP.
pub fn tracks_dccp() -> bool {
    Path::new("/proc/sys/net/netfilter/nf_conntrack_dccp_loose").exists()
}

/// Whether a bridge table may have this rule.
fn accepts(rule: &str) -> bool {
    let table = format!(
        "table bridge t {{ chain c {{ type filter hook prerouting priority -300; {rule}; }}; }}"
    );
    let namespace = Namespace::new(false).expect("root can make namespaces");
    testbed::run(Some(&namespace), &["nft", "-f", "-"], &[], &table).is_ok()
}
