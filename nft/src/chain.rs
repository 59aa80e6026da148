//! Chains (`enum nft_chain_attributes`, `nft_hook_attributes`) and the standard priorities.
//!
//! Hook numbers and priorities: `linux/netfilter.h`, `netfilter_ipv4.h`, `netfilter_bridge.h`.

use crate::attr::{attributes, flags, registry};
use crate::name::Name;
use crate::userdata::UserData;

/// `enum nf_inet_hooks`, also valid for the bridge family.
pub mod hook {
    /// Before routing or bridging decisions.
    pub const PREROUTING: u32 = 0;
    /// To this host.
    pub const INPUT: u32 = 1;
    /// Through this host.
    pub const FORWARD: u32 = 2;
    /// From this host.
    pub const OUTPUT: u32 = 3;
    /// After routing or bridging decisions.
    pub const POSTROUTING: u32 = 4;
    /// Ingress of the inet family.
    pub const INET_INGRESS: u32 = 5;
    /// `NF_NETDEV_INGRESS`
    pub const NETDEV_INGRESS: u32 = 0;
    /// `NF_NETDEV_EGRESS`
    pub const NETDEV_EGRESS: u32 = 1;
}

/// Priorities of `enum nf_ip_hook_priorities` and `enum nf_br_hook_priorities`.
pub mod priority {
    /// Before connection tracking.
    pub const RAW: i32 = -300;
    /// Connection tracking itself.
    pub const CONNTRACK: i32 = -200;
    /// Packet mangling.
    pub const MANGLE: i32 = -150;
    /// Destination NAT.
    pub const DSTNAT: i32 = -100;
    /// Filtering.
    pub const FILTER: i32 = 0;
    /// After filtering.
    pub const SECURITY: i32 = 50;
    /// Source NAT.
    pub const SRCNAT: i32 = 100;
    /// Destination NAT in the bridge family.
    pub const BRIDGE_DSTNAT: i32 = -300;
    /// Filtering in the bridge family.
    pub const BRIDGE_FILTER: i32 = -200;
    /// `NF_BR_PRI_BRNF`: where bridge netfilter enters the IP hooks.
    pub const BRIDGE_NETFILTER: i32 = 0;
    /// Output in the bridge family.
    pub const BRIDGE_OUT: i32 = 100;
    /// Source NAT in the bridge family.
    pub const BRIDGE_SRCNAT: i32 = 300;
}

registry! {
    /// What happens at the end of a base chain.
    pub struct Policy(u32) {
        /// Discard.
        DROP = 0 "drop",
        /// Accept.
        ACCEPT = 1 "accept",
    }
}

flags! {
    /// Chain flags (`enum nft_chain_flags`).
    pub struct ChainFlags(u32) {
        /// Is a base chain; reported by the kernel.
        BASE = 0x1 "base",
        /// Offload to hardware.
        HW_OFFLOAD = 0x2 "offload",
        /// Lives inside a rule.
        BINDING = 0x4 "binding",
    }
}

attributes! {
    /// Where a base chain is attached (`enum nft_hook_attributes`).
    pub struct Hook "hook" {
        /// Hook number, see [`hook`].
        1 => number: u32,
        /// Priority; lower runs earlier, see [`priority`].
        2 => priority: i32,
        /// One device, for netdev chains.
        3 => device: Option<Name>,
        /// Several devices, for netdev chains.
        4 => devices: Option<Vec<Name>>,
    }
}

attributes! {
    /// Packet and byte counts (`enum nft_counter_attributes`).
    pub struct Counts "counter" pad(3) {
        /// Bytes.
        1 => bytes: u64 = zero,
        /// Packets.
        2 => packets: u64 = zero,
    }
}

attributes! {
    /// A chain; a base chain if it has a hook.
    pub struct Chain "chain" pad(9) {
        /// Table.
        1 => table: Name,
        /// Handle; from the kernel, or to name the chain.
        2 => handle: Option<u64>,
        /// Name; absent when named by handle.
        3 => name: Option<Name>,
        /// Attachment.
        4 => hook: Option<Hook>,
        /// Policy of a base chain.
        5 => policy: Option<Policy>,
        /// Number of references; from the kernel only.
        6 => used: Option<u32>,
        /// `filter`, `nat` or `route`.
        7 => kind: Option<Name>,
        /// Counters of a base chain's policy.
        8 => counters: Option<Counts>,
        /// Flags.
        10 => flags: ChainFlags = zero,
        /// Id for references within a batch.
        11 => id: Option<u32>,
        /// Free data of user space.
        12 => userdata: Option<UserData>,
    }
}

impl Chain {
    /// A regular chain.
    pub fn regular(table: impl Into<Name>, name: impl Into<Name>) -> Self {
        Self {
            table: table.into(),
            name: Some(name.into()),
            ..Self::default()
        }
    }

    /// A base chain of type `filter`.
    pub fn base(
        table: impl Into<Name>,
        name: impl Into<Name>,
        number: u32,
        priority: i32,
        policy: Policy,
    ) -> Self {
        Self {
            hook: Some(Hook {
                number,
                priority,
                ..Hook::default()
            }),
            policy: Some(policy),
            kind: Some("filter".into()),
            ..Self::regular(table, name)
        }
    }

    /// The same with another type: `nat` or `route`.
    #[must_use]
    pub fn of_kind(mut self, kind: &str) -> Self {
        self.kind = Some(kind.into());
        self
    }

    /// The same attached to one device, as netdev chains need.
    #[must_use]
    pub fn on_device(mut self, device: impl Into<Name>) -> Self {
        if let Some(hook) = &mut self.hook {
            hook.device = Some(device.into());
        }
        self
    }

    /// The part that user space decides. The kernel reports the base flag, so it is left out.
    #[must_use]
    pub fn intended(&self) -> Self {
        let mut chain = Self {
            handle: None,
            used: None,
            id: None,
            counters: None,
            flags: self.flags.without(ChainFlags::BASE),
            ..self.clone()
        };
        if let Some(hook) = &mut chain.hook
            && hook
                .devices
                .as_ref()
                .is_some_and(|devices| devices.len() == 1)
        {
            // The kernel reports a single device in both forms.
            hook.device = hook
                .devices
                .take()
                .and_then(|devices| devices.into_iter().next());
        }
        chain
    }
}
