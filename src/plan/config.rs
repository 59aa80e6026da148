//! What the planner has to know of the configuration.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::names;
use crate::model::{FirewallDriver, HostName, NetworkType, TunnelType};

/// The host as configured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlanConfig {
    /// This host's name: the ownership mark on rows.
    pub host: HostName,
    /// The integration bridge.
    pub integration_bridge: Arc<str>,
    /// The tunnel bridge.
    pub tunnel_bridge: Arc<str>,
    /// The integration bridge's end of the patch pair between the two.
    pub int_peer_patch_port: Arc<str>,
    /// The tunnel bridge's end.
    pub tun_peer_patch_port: Arc<str>,
    /// `datapath_type` of bridges that are created.
    pub datapath_type: Arc<str>,
    /// Physical network to bridge.
    pub bridge_mappings: BTreeMap<Arc<str>, Arc<str>>,
    /// This host's end of tunnels.
    pub local_ip: Option<IpAddr>,
    /// Encapsulations in use.
    pub tunnel_types: Vec<TunnelType>,
    /// UDP port of VXLAN; 4789 is the protocol's own.
    pub vxlan_udp_port: u16,
    /// Set the don't-fragment bit on outer packets.
    pub dont_fragment: bool,
    /// Checksum outer headers.
    pub tunnel_csum: bool,
    /// What enforces security groups.
    pub firewall: FirewallDriver,
    /// Most objects of the packet filter in one transaction that only adds.
    pub filter_batch: usize,
}

/// As many objects as the kernel takes at full speed: its hash tables grow between transactions, and one of 170,000
/// elements takes twice as long as eleven.
pub const FILTER_BATCH: usize = 16_384;

impl PlanConfig {
    /// `true` if tunnels are configured at all.
    pub fn has_tunnels(&self) -> bool {
        !self.tunnel_types.is_empty() && self.local_ip.is_some()
    }

    /// The bridge that carries a physical network.
    pub fn physical_bridge(&self, physnet: &str) -> Option<&Arc<str>> {
        self.bridge_mappings.get(physnet)
    }

    /// The physical network that a bridge carries.
    pub fn physnet_of(&self, bridge: &str) -> Option<&Arc<str>> {
        self.bridge_mappings
            .iter()
            .find(|(_, b)| &***b == bridge)
            .map(|(p, _)| p)
    }

    /// Name of the patch port to a physical bridge, on the integration bridge.
    pub fn int_port(&self, bridge: &str) -> Arc<str> {
        names::patch("int-", bridge)
    }

    /// Name of the patch port to the integration bridge, on a physical bridge.
    pub fn phy_port(&self, bridge: &str) -> Arc<str> {
        names::patch("phy-", bridge)
    }

    /// The physical network that a patch port, of either bridge, leads to.
    pub fn physnet_of_patch(&self, name: &str) -> Option<&Arc<str>> {
        let leads =
            |bridge: &str| &*self.int_port(bridge) == name || &*self.phy_port(bridge) == name;
        self.bridge_mappings
            .iter()
            .find(|(_, bridge)| leads(bridge))
            .map(|(physnet, _)| physnet)
    }

    /// `true` for the integration bridge's ends of vifd's own patch pairs.
    pub fn is_own_patch(&self, name: &str) -> bool {
        name == &*self.int_peer_patch_port
            || self
                .bridge_mappings
                .values()
                .any(|bridge| &*self.int_port(bridge) == name)
    }

    /// `Err` says why a segment of this type cannot be reached from this host.
    pub fn can_bind(&self, kind: &NetworkType) -> Result<(), Arc<str>> {
        match kind {
            NetworkType::Local => Ok(()),
            NetworkType::Flat { physical_network }
            | NetworkType::Vlan {
                physical_network, ..
            } => {
                if self.bridge_mappings.contains_key(physical_network) {
                    Ok(())
                } else {
                    Err(format!(
                        "physical network {physical_network} has no bridge on this host: add it to [ovs] bridge_mappings"
                    )
                    .into())
                }
            }
            NetworkType::Tunnel { kind, .. } => {
                if self.local_ip.is_none() {
                    Err("this host has no tunnel address: set [ovs] local_ip".into())
                } else if !self.tunnel_types.contains(kind) {
                    let name = kind.name();
                    Err(format!(
                        "{name} is not enabled on this host: add it to [agent] tunnel_types"
                    )
                    .into())
                } else {
                    Ok(())
                }
            }
        }
    }

    /// Every bridge whose flows the agent programs.
    pub fn bridges(&self) -> Vec<Arc<str>> {
        let mut bridges = vec![self.integration_bridge.clone()];
        if self.has_tunnels() {
            bridges.push(self.tunnel_bridge.clone());
        }
        bridges.extend(self.bridge_mappings.values().cloned());
        bridges
    }
}
