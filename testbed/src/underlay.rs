//! The network between hypervisors: one namespace with one kernel bridge per uplink.

use std::sync::Arc;

use anyhow::Result;

use crate::link::ip_batch;
use crate::namespace::Namespace;

/// Two learning bridges: `tunnels` for encapsulated traffic, `physical` for VLAN and flat networks.
#[derive(Debug)]
pub struct Underlay {
    namespace: Arc<Namespace>,
}

impl Underlay {
    /// Makes the namespace and both bridges.
    pub fn new() -> Result<Self> {
        let namespace = Namespace::new(false)?;
        ip_batch(
            &namespace,
            "link add tunnels type bridge mcast_snooping 0\nlink set tunnels up\n\
             link add physical type bridge mcast_snooping 0\nlink set physical up\n",
        )?;
        Ok(Underlay { namespace })
    }

    /// Gives `hypervisor` its uplinks: `eth0` into `tunnels`, `eth1` into `physical`.
    pub(crate) fn connect(&self, hypervisor: &Namespace, name: &str) -> Result<()> {
        let mut lines = String::new();
        for (link, bridge, mtu) in [("eth0", "tunnels", 1600), ("eth1", "physical", 1500)] {
            let near = format!("{name}-{link}");
            lines += &format!(
                "link add {near} mtu {mtu} type veth peer name {link} mtu {mtu} netns {}\n\
                 link set {near} master {bridge} up\n",
                hypervisor.path()
            );
        }
        ip_batch(&self.namespace, &lines)
    }

    /// The namespace of the bridges, to look at what passes.
    pub fn namespace(&self) -> &Arc<Namespace> {
        &self.namespace
    }
}
