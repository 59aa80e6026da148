//! How much the firewall driver keeps, as gauges.

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::metrics::{OfKind, as_gauge};

/// What the firewall driver keeps, and what it was told.
#[derive(Clone, Debug, Default)]
pub struct Firewall {
    /// Filtered ports: with flows those that are wired, with nf_tables all of the host.
    pub ports: Gauge,
    /// Different sets of security groups among them.
    pub profiles: Gauge,
    /// Conjunctions in use; with flows only.
    pub conjunctions: Gauge,
    /// Addresses in the sets that rules name.
    pub addresses: Gauge,
    remotes: Family<OfKind, Gauge>,
}

impl Firewall {
    /// Rules name so many groups, or address groups, as the remote end; `kind` is a word of the program.
    pub fn remotes(&self, kind: &'static str, sets: usize) {
        self.remotes
            .get_or_create(&OfKind { kind })
            .set(as_gauge(sets));
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "firewall_ports",
            "Ports that the firewall driver filters: with flows those that are wired, with nf_tables all of the host",
            self.ports.clone(),
        );
        registry.register(
            "firewall_profiles",
            "Different sets of security groups that filtered ports are in; ports of one share all rules",
            self.profiles.clone(),
        );
        registry.register(
            "firewall_remotes",
            "Security groups and address groups that rules name as the remote end, by kind",
            self.remotes.clone(),
        );
        registry.register(
            "firewall_addresses",
            "Addresses of the members of all of those; one in two sets counts twice",
            self.addresses.clone(),
        );
        registry.register(
            "firewall_conjunctions",
            "Conjunctions that rules with a remote group or address group use; none with nf_tables",
            self.conjunctions.clone(),
        );
        // Shown from the start, at zero.
        for kind in ["group", "address_group"] {
            self.remotes(kind, 0);
        }
    }
}
