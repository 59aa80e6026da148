//! How flows are written down: the match and action vocabulary of the planner, and nothing else of OpenFlow.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use ofproto::action::{Action, ActionList};
use ofproto::matching::{FieldId, FieldValue, Match};
use ofproto::msg::FlowMod;

use super::tables::{int, tun};
use crate::model::secgroup::protocol;
use crate::model::{Family, Mac, Ofport};
use crate::ops::flow::{FlowBody, FlowKey};

const ETH_TYPE_ARP: u16 = 0x0806;
const ETH_TYPE_RARP: u16 = 0x8035;
const ETH_TYPE_IPV4: u16 = 0x0800;
const ETH_TYPE_IPV6: u16 = 0x86dd;
const IPPROTO_ICMPV6: u8 = protocol::ICMPV6;
/// RFC 4861 §4.4.
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
/// The VLAN id of a tag control field.
const VID_BITS: u16 = 0x0fff;
/// The bit that marks group addresses.
const GROUP_BIT: [u8; 6] = [1, 0, 0, 0, 0, 0];
/// `NXM_NX_IP_FRAG`: not the first fragment (`OFPUTIL_FRAG_LATER`), and a fragment at all.
const FRAG_LATER: u8 = 2;
const FRAG_ANY: u8 = 1;

/// Bits of `NXM_NX_CT_STATE`.
pub mod ct_state {
    /// The connection is new.
    pub const NEW: u32 = 0x01;
    /// It has been seen in both directions.
    pub const EST: u32 = 0x02;
    /// The packet belongs to another connection, as an ICMP error does.
    pub const REL: u32 = 0x04;
    /// The packet goes the other way than the connection's first one.
    pub const RPL: u32 = 0x08;
    /// The packet belongs to no connection and cannot start one.
    pub const INV: u32 = 0x10;
    /// The packet went through conntrack.
    pub const TRK: u32 = 0x20;
}

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

    /// With this value in that field.
    pub fn with(self, field: FieldId, value: impl FieldValue) -> Flow {
        self.matching(|m| m.with(field, value))
    }

    /// With these bits of a field as in the value; no bits: any value.
    pub fn masked<V: FieldValue>(self, field: FieldId, value: V, mask: V) -> Flow {
        self.matching(|m| m.with_masked(field, value, mask))
    }

    /// What does nothing yet under this key.
    pub fn of(key: FlowKey) -> Flow {
        Flow {
            key,
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

    /// To this station.
    pub fn destination(self, mac: Mac) -> Flow {
        self.matching(|m| m.with(FieldId::ETH_DST, mac.0))
    }

    /// IP of this family.
    pub fn ip(self, family: Family) -> Flow {
        let number = match family {
            Family::V4 => ETH_TYPE_IPV4,
            Family::V6 => ETH_TYPE_IPV6,
        };
        self.matching(|m| m.with(FieldId::ETH_TYPE, number))
    }

    /// From addresses of this prefix: the packet's source.
    pub fn ip_source(self, net: IpNet) -> Flow {
        self.prefix(net, FieldId::IP_SRC, FieldId::IPV6_SRC)
    }

    /// To addresses of this prefix: the packet's destination.
    pub fn ip_destination(self, net: IpNet) -> Flow {
        self.prefix(net, FieldId::IP_DST, FieldId::IPV6_DST)
    }

    /// Of a connection that was opened from this prefix.
    pub fn opened_from(self, net: IpNet) -> Flow {
        self.prefix(net, FieldId::CT_NW_SRC, FieldId::CT_IPV6_SRC)
    }

    /// Of a connection that was opened to this prefix.
    pub fn opened_to(self, net: IpNet) -> Flow {
        self.prefix(net, FieldId::CT_NW_DST, FieldId::CT_IPV6_DST)
    }

    fn prefix(self, net: IpNet, v4: FieldId, v6: FieldId) -> Flow {
        match net {
            IpNet::V4(net) => self.masked(v4, net.network(), net.netmask()),
            IpNet::V6(net) => self.masked(v6, net.network(), net.netmask()),
        }
    }

    /// UDP of this family between these ports.
    pub fn udp(self, family: Family, source: u16, destination: u16) -> Flow {
        self.ip(family)
            .with(FieldId::NW_PROTO, protocol::UDP)
            .with(FieldId::UDP_SRC, source)
            .with(FieldId::UDP_DST, destination)
    }

    /// ICMPv6 of this type.
    pub fn icmpv6(self, kind: u8) -> Flow {
        self.ip(Family::V6)
            .with(FieldId::NW_PROTO, IPPROTO_ICMPV6)
            .with(FieldId::ICMPV6_TYPE, kind)
    }

    /// These bits of the conntrack state set, those not.
    pub fn ct_state(self, set: u32, unset: u32) -> Flow {
        self.masked(FieldId::CT_STATE, set, set | unset)
    }

    /// No fragment.
    pub fn whole(self) -> Flow {
        self.masked(FieldId::IP_FRAG, 0, FRAG_ANY)
    }

    /// A fragment.
    pub fn fragment(self) -> Flow {
        self.masked(FieldId::IP_FRAG, FRAG_ANY, FRAG_ANY)
    }

    /// The first of several fragments.
    pub fn first_fragment(self) -> Flow {
        self.masked(FieldId::IP_FRAG, FRAG_ANY, FRAG_ANY | FRAG_LATER)
    }

    /// A fragment after the first.
    pub fn later_fragment(self) -> Flow {
        let later = FRAG_ANY | FRAG_LATER;
        self.masked(FieldId::IP_FRAG, later, later)
    }

    /// RARP (RFC 903), as hypervisors send when a VM has moved.
    pub fn rarp(self) -> Flow {
        self.matching(|m| m.with(FieldId::ETH_TYPE, ETH_TYPE_RARP))
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

/// The conntrack zone that is emptied with this flow of the integration bridge.
pub fn zone_of(key: &FlowKey) -> Option<u16> {
    if key.table != int::ACCEPTED_EGRESS {
        return None;
    }
    let zone = key.matching.exact(FieldId::REG6)?;
    u16::try_from(zone).ok()
}

/// A flow as `ovs-ofctl` writes it.
pub fn text(key: &FlowKey, body: &FlowBody) -> String {
    if let Some(port) = key.is_no_flood() {
        return format!("port {port}: no-flood");
    }
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
    use ofproto::action::{
        Action, ActionList, Ct, CtAlg, CtZone, Learn, LearnDst, LearnSpec, LearnSrc, Subfield,
        ct_flags,
    };
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

    /// The conntrack zone: the local VLAN that the packet is on, in register 6.
    fn zone() -> CtZone {
        CtZone::Field(Subfield::new(FieldId::REG6, 0, 16))
    }

    /// Through conntrack, then on in that table.
    pub fn track(table: u8) -> Action {
        Action::Ct(Box::new(Ct {
            flags: 0,
            zone: zone(),
            table: Some(table),
            alg: CtAlg::NONE,
            actions: ActionList::new(),
        }))
    }

    /// Keeps the connection.
    pub fn commit() -> Action {
        Action::Ct(Box::new(Ct {
            flags: ct_flags::COMMIT,
            zone: zone(),
            table: None,
            alg: CtAlg::NONE,
            actions: ActionList::new(),
        }))
    }

    /// Forgets what conntrack said.
    pub fn untrack() -> Action {
        Action::CtClear
    }

    /// Puts a number into a register.
    pub fn load(register: FieldId, value: u32) -> Action {
        Action::load(register, u64::from(value))
    }

    /// Out of the port in register 5.
    pub fn output_register() -> Action {
        Action::OutputReg {
            src: Subfield::new(FieldId::REG5, 0, 16),
            max_len: 0xffff,
        }
    }

    /// One dimension, counted from 0, of a conjunction of two.
    pub fn conjunction(id: u32, clause: u8) -> Action {
        Action::Conjunction {
            clause,
            n_clauses: 2,
            id,
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
