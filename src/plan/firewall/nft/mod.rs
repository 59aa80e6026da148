//! Security groups by nf_tables, for ports whose tap is on a Linux bridge of their own (hybrid plugging).
//!
//! # Design
//!
//! A commit that writes a rule, or an element that jumps, makes the kernel validate the whole table again (about 150 ns
//! for every rule that can be reached); one that writes plain elements does not. So rules are constant ([`tables`]: 170
//! to 280 by the lengths of prefixes in use, whatever the number of ports and groups) and policy is elements of plain hash sets, which are added and
//! removed in microseconds at any size:
//!
//! * A device's name gives the packet its mark: the port's zone and its *profile*, a number that stands for the port's
//!   set of groups. Ports with the same groups share all rules.
//! * `pass` holds what a profile allows: (profile, direction, family, source, protocol, selector). A range of ports is
//!   at most 48 blocks of 4^k ports. A new rule is a few elements.
//! * The source is found by one look-up per remote set of the profile (`slots`, then `members`), one per length of
//!   prefix in use (`nets`), and one for the MAC. A new member of a group is one element, whoever names the group.
//! * There are no interval sets: a change of one costs more the larger it is.
//!
//! Rules change only when a length of prefix comes into use for the first time, or a profile names more remote sets than
//! any did before.
//!
//! # Parts
//!
//! `cut` finds connections that are no longer allowed, `owners` keeps them apart where there are no zones.
//! [`layout`] knows how keys and marks are made up, [`tables`] the rules, [`numbers`] what stands for what, `render` the
//! cells, `follow` what makes them dirty, `leave` when the elements of a port may go. The kernel's tables are what numbers
//! are recovered from after a restart.
//!
//! # Semantics
//!
//! As the integration bridge's own firewall: what is invalid is dropped before rules are looked at, but for ICMPv6 that
//! leaves, which needs no rule; from a port only IPv4, IPv6, ARP and RARP pass, untagged; a port is stateless if all its
//! groups are. The host itself may send to its VMs. Held by the stories and properties of `plan::tests` and, with
//! packets, by `tests/firewall`.

mod cut;
mod follow;
pub mod layout;
mod leave;
pub mod numbers;
mod owners;
pub mod render;
pub mod tables;

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::model::GroupId;
use crate::ops::nft::Variant;
use crate::plan::cell::Need;
use crate::plan::render::Rendered;
use cut::Cuts;
use leave::Leaving;
use numbers::Numbers;

/// What the planner knows of the packet filter.
#[derive(Clone, Default, Debug)]
pub struct Filter {
    /// The design in use, once the kernel was looked at.
    pub variant: Option<Variant>,
    /// What the kernel lacks.
    pub unable: Option<Arc<str>>,
    /// Everything was rendered after the first complete snapshot: what was found and nobody asked for goes, in one
    /// transaction with what changes. Until then, where something was found, nothing is written: what is new would meet
    /// what is old.
    pub is_settled_in: bool,
    /// Numbers.
    pub numbers: Numbers,
    /// Whether groups are stateful, as their ports were last told.
    stateful: FxHashMap<GroupId, bool>,
    /// Connections to look at.
    pub(in crate::plan) cuts: Cuts,
    /// Ports that leave.
    pub(in crate::plan) leaving: Leaving,
}

impl Filter {
    /// `true` if the group was not known to be so.
    fn is_news(&mut self, id: GroupId, is_stateful: Option<bool>) -> bool {
        let old = match is_stateful {
            Some(is) => self.stateful.insert(id, is),
            None => self.stateful.remove(&id),
        };
        old != is_stateful
    }

    /// Nothing can be asked for yet, or ever.
    pub fn lacking(&self) -> Rendered {
        match &self.unable {
            Some(why) => Rendered::blocked(Need::Unfilterable(
                format!("this kernel cannot filter bridged ports: {why}").into(),
            )),
            None => Rendered::held(Need::PacketFilter),
        }
    }
}
