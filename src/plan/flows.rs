//! How flows are written down: the match and action vocabulary of the planner, and nothing else of OpenFlow.

use ipnet::{Ipv4Net, Ipv6Net};
use ofproto::action::{Action, ActionList};
use ofproto::matching::{FieldId, Match};
use ofproto::msg::FlowMod;

use super::tables::tun;
use crate::model::{Mac, Ofport};
use crate::ops::flow::{FlowBody, FlowKey};

const ETH_TYPE_ARP: u16 = 0x0806;
const ETH_TYPE_IPV6: u16 = 0x86dd;
const IPPROTO_ICMPV6: u8 = 58;
/// RFC 4861 §4.4.
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
/// The VLAN id of a tag control field.
const VID_BITS: u16 = 0x0fff;
/// The bit that marks group addresses.
const GROUP_BIT: [u8; 6] = [1, 0, 0, 0, 0, 0];

/// A flow without its cookie.
#[derive(Clone, PartialEq, Debug)]
pub struct Flow {
    /// What makes it itself.
    pub key: FlowKey,
    /// What it does.
    pub actions: ActionList,
}

impl Flow {
    /// A flow that matches everything and drops it.
    pub fn new(table: u8, priority: u16) -> Flow {
        Flow {
            key: FlowKey {
                table,
                priority,
                matching: Match::new(),
            },
            actions: ActionList::new(),
        }
    }

    fn matching(mut self, change: impl FnOnce(Match) -> Match) -> Flow {
        self.key.matching = change(self.key.matching);
        self
    }

    /// From this port.
    pub fn in_port(self, port: Ofport) -> Flow {
        self.matching(|m| m.with(FieldId::IN_PORT, port.number()))
    }

    /// With this VLAN tag.
    pub fn vlan(self, vid: u16) -> Flow {
        self.matching(|m| m.with(FieldId::DL_VLAN, vid))
    }

    /// Without a VLAN tag.
    pub fn untagged(self) -> Flow {
        self.matching(|mut m| {
            m.set_no_vlan();
            m
        })
    }

    /// To one station.
    pub fn unicast(self) -> Flow {
        self.matching(|m| m.with_masked(FieldId::ETH_DST, [0; 6], GROUP_BIT))
    }

    /// To a group.
    pub fn multicast(self) -> Flow {
        self.matching(|m| m.with_masked(FieldId::ETH_DST, GROUP_BIT, GROUP_BIT))
    }

    /// From this station.
    pub fn source(self, mac: Mac) -> Flow {
        self.matching(|m| m.with(FieldId::ETH_SRC, mac.0))
    }

    /// ARP.
    pub fn arp(self) -> Flow {
        self.matching(|m| m.with(FieldId::ETH_TYPE, ETH_TYPE_ARP))
    }

    /// ARP from these protocol addresses.
    pub fn arp_sender(self, net: Ipv4Net) -> Flow {
        self.matching(|m| m.with_masked(FieldId::ARP_SPA, net.network(), net.netmask()))
    }

    /// Neighbour advertisements.
    pub fn neighbour_advert(self) -> Flow {
        self.matching(|m| {
            m.with(FieldId::ETH_TYPE, ETH_TYPE_IPV6)
                .with(FieldId::NW_PROTO, IPPROTO_ICMPV6)
                .with(FieldId::ICMPV6_TYPE, NEIGHBOUR_ADVERTISEMENT)
        })
    }

    /// Neighbour advertisements for these addresses.
    pub fn nd_target(self, net: Ipv6Net) -> Flow {
        self.matching(|m| m.with_masked(FieldId::ND_TARGET, net.network(), net.netmask()))
    }

    /// Out of a tunnel, with this key.
    pub fn tunnel_key(self, key: u32) -> Flow {
        self.matching(|m| m.with(FieldId::TUN_ID, u64::from(key)))
    }

    /// With these actions.
    pub fn actions(mut self, actions: impl IntoIterator<Item = Action>) -> Flow {
        self.actions = actions.into_iter().collect();
        self
    }

    /// Drops.
    pub fn drop(mut self) -> Flow {
        self.actions = ActionList::new();
        self
    }
}

/// What deleting this flow of the tunnel bridge takes with it: the flows that the switch learned for the same local
/// VLAN. A table, and the match to delete by.
pub fn learned_through(key: &FlowKey) -> Option<(u8, Match)> {
    if key.table != tun::FLOOD {
        return None;
    }
    let (value, _) = key.matching.alias(FieldId::DL_VLAN)?;
    let vid = u16::try_from(value).ok()?;
    // The learn action compares the VLAN id alone, without the bit that says there is a tag.
    Some((
        tun::UNICAST,
        Match::new().with_masked(FieldId::VLAN_TCI, vid, VID_BITS),
    ))
}

/// A flow as `ovs-ofctl` writes it.
pub fn text(key: &FlowKey, body: &FlowBody) -> String {
    ofproto::text::flow_line(&FlowMod {
        table: key.table,
        priority: key.priority,
        match_: key.matching.clone(),
        cookie: body.cookie,
        actions: body.actions.clone(),
        ..FlowMod::default()
    })
}

/// Actions.
pub mod act {
    use ofproto::action::{Action, Learn, LearnDst, LearnSpec, LearnSrc, Subfield};
    use ofproto::matching::FieldId;
    use ofproto::ports::Port;

    use crate::model::Ofport;
    use crate::ops::flow::cookie;
    use crate::plan::tables::tun;

    /// A learned place is forgotten after this many seconds, unless it is learned again.
    const LEARNED_FOR: u16 = 300;

    /// Hands over to the switch's own learning.
    pub fn normal() -> Action {
        Action::Output {
            port: Port::NORMAL,
            max_len: 0,
        }
    }

    /// Out of this port.
    pub fn output(port: Ofport) -> Action {
        Action::Output {
            port: Port(port.number()),
            max_len: 0,
        }
    }

    /// Goes on in that table.
    pub fn resubmit(table: u8) -> Action {
        Action::ResubmitTable {
            port: Port::IN_PORT,
            table,
            with_ct: false,
        }
    }

    /// Sets the VLAN tag, adding one where there is none.
    pub fn set_vlan(vid: u16) -> Action {
        Action::SetVlanVid(vid)
    }

    /// Takes the VLAN tag off.
    pub fn strip_vlan() -> Action {
        Action::StripVlan
    }

    /// Sets the key of the tunnel that the packet leaves by.
    pub fn set_tunnel(key: u32) -> Action {
        Action::SetTunnel(key)
    }

    /// Remembers, for the local VLAN at hand, that the sender sits behind the tunnel that this came from: packets to
    /// it go there untagged and with the same key.
    pub fn learn_sender() -> Action {
        let spec = |n_bits, src, dst| LearnSpec { n_bits, src, dst };
        let vid = Subfield::new(FieldId::VLAN_TCI, 0, 12);
        let whole = |field| Subfield::all(field);
        Action::Learn(Box::new(Learn {
            hard_timeout: LEARNED_FOR,
            priority: 1,
            cookie: cookie::LEARNED,
            table: tun::UNICAST,
            specs: vec![
                spec(12, LearnSrc::Field(vid), LearnDst::Match(vid)),
                spec(
                    48,
                    LearnSrc::Field(whole(FieldId::ETH_SRC)),
                    LearnDst::Match(whole(FieldId::ETH_DST)),
                ),
                spec(
                    16,
                    LearnSrc::Imm(Box::new([0, 0])),
                    LearnDst::Load(whole(FieldId::VLAN_TCI)),
                ),
                spec(
                    64,
                    LearnSrc::Field(whole(FieldId::TUN_ID)),
                    LearnDst::Load(whole(FieldId::TUN_ID)),
                ),
                spec(
                    16,
                    LearnSrc::Field(whole(FieldId::IN_PORT)),
                    LearnDst::Output,
                ),
            ],
            ..Learn::default()
        }))
    }
}
