//! What a change makes dirty in the firewall. The index is brought up to date on the way.
//!
//! | Change | Cells |
//! |---|---|
//! | port, VIF | its guard; its stations; its profile, when it is the first or the last to follow it |
//! | rules of a group | the profiles with the group; the sets and members of what it names, if their use changes |
//! | member | that address |
//! | member's flow settled | who waits for the set |

use rustc_hash::FxHashSet;

use super::base::guard_cell;
use super::ids::{Peer, Profile, Uses};
use super::index::Stations;
use super::port::macs;
use crate::model::{
    FirewallDriver, GroupId, MemberAddress, OfportState, PortId, Remote, RemoteId, SecurityGroup,
};
use crate::ops::flow::{FlowBody, FlowKey};
use crate::plan::Planner;
use crate::plan::cell::{CellId, CellState, Facet, Key, SegKey};
use crate::plan::render::Standing;

impl Planner {
    /// `true` if flows enforce security groups.
    pub(in crate::plan) fn filters_by_flows(&self) -> bool {
        self.config.firewall == FirewallDriver::OpenFlow
    }

    /// The first complete snapshot, or a later one: what waited for it is rendered.
    pub(in crate::plan) fn on_groups_complete(&mut self) {
        for cell in self.firewall_cells() {
            self.mark(cell);
        }
        let ports: Vec<PortId> = self.attachments.keys().copied().collect();
        for port in ports {
            self.file_port(port);
            self.mark(guard_cell(port));
        }
    }

    /// Everything of the firewall there could be to render, besides ports.
    pub(in crate::plan) fn firewall_cells(&self) -> Vec<CellId> {
        let mut cells = Vec::new();
        if self.config.firewall != FirewallDriver::Noop {
            let groups = self.desired.ports().flat_map(|port| &port.groups);
            cells.extend(groups.map(|id| CellId::new(Key::Group(*id), Facet::Group)));
        }
        let index = &self.index;
        cells.extend(
            index
                .profiles()
                .map(|p| CellId::new(Key::FlowProfile(p.clone()), Facet::FlowRules)),
        );
        cells.extend(
            index
                .sets()
                .map(|set| CellId::new(Key::Remote(set), Facet::FlowSet)),
        );
        cells.extend(
            index
                .peers()
                .map(|peer| CellId::new(Key::Peer(*peer), Facet::FlowMember)),
        );
        cells.extend(
            index
                .stations()
                .map(|(seg, mac)| CellId::new(Key::Station(seg, mac), Facet::Station)),
        );
        cells.sort_unstable();
        cells.dedup();
        cells
    }

    /// The bridge was read: these, and no others.
    pub(in crate::plan) fn found_unflooded(&mut self, ports: Vec<(FlowKey, FlowBody)>) {
        self.unflooded.clear();
        self.on_unflooded(ports);
    }

    /// Ports of the integration bridge that the switch floods nothing to. Those of VIFs are ours to keep or to change;
    /// others are an operator's.
    pub(in crate::plan) fn on_unflooded(&mut self, ports: Vec<(FlowKey, FlowBody)>) {
        if !self.observed.switch_complete() {
            self.unflooded.extend(ports);
            return;
        }
        let bridge = self.config.integration_bridge.clone();
        let vifs: FxHashSet<u16> = self
            .observed
            .ports()
            .filter(|port| port.bridge == bridge && port.iface_id.is_some())
            .filter_map(|port| match port.ofport {
                OfportState::Assigned(number) => Some(number.number()),
                OfportState::Unassigned | OfportState::Failed => None,
            })
            .collect();
        let Some(ledger) = self.flows.get_mut(&bridge) else {
            return;
        };
        for (key, body) in ports {
            if key.is_no_flood().is_some_and(|port| vifs.contains(&port)) {
                ledger.observe(&key, Some(body));
            }
        }
    }

    /// The switch floods to ports again, or no longer, and it was not the agent's doing.
    pub(in crate::plan) fn on_floods(&mut self, bridge: &str, ports: Vec<(u16, bool)>) {
        if *bridge != *self.config.integration_bridge {
            return;
        }
        let mut unflooded = Vec::new();
        for (port, is_unflooded) in ports {
            let key = FlowKey::no_flood(port);
            self.unflooded.retain(|(found, _)| *found != key);
            if is_unflooded {
                unflooded.push((key, FlowBody::no_flood()));
            } else if let Some(ledger) = self.flows.get_mut(bridge) {
                ledger.observe(&key, None);
            }
        }
        if !unflooded.is_empty() {
            self.on_unflooded(unflooded);
        }
    }

    /// A port was looked at: whom it follows and how it is reached.
    pub(in crate::plan) fn file_port(&mut self, id: PortId) {
        if self.config.firewall != FirewallDriver::Noop
            && let Some(port) = self.desired.port(id)
        {
            for group in port.groups.clone() {
                self.mark(CellId::new(Key::Group(group), Facet::Group));
            }
        }
        if !self.filters_by_flows() {
            return;
        }
        self.file_profile(id);
        for (segment, mac) in self.reach_port(id) {
            self.mark(CellId::new(Key::Segment(segment), Facet::Multicast));
            self.mark(CellId::new(Key::Station(segment, mac), Facet::Station));
        }
    }

    /// By which addresses a port is reached: where it belongs, and where its VIF lingers. All of them; those that lead
    /// elsewhere than before are looked at again.
    pub(super) fn reach_port(&mut self, id: PortId) -> Stations {
        let segment = self.attachments.get(&id).map(|a| a.segment);
        let port = self.desired.port(id).filter(|p| p.is_filtered());
        let mut stations: Stations = match (port, segment) {
            (Some(port), Some(segment)) => {
                macs(port).into_iter().map(|mac| (segment, mac)).collect()
            }
            _ => Stations::new(),
        };
        let standing = |cell: &CellId| self.standing(cell);
        if self.view(&standing).lingering(id).is_some() {
            stations.extend(self.index.stations_of(id));
        }
        for (segment, mac) in self.index.reach(id, stations.clone()) {
            let cell = CellId::new(Key::Station(segment, mac), Facet::Station);
            if !stations.contains(&(segment, mac)) {
                self.leave_zone(segment, cell.clone());
            }
            self.mark(CellId::new(Key::Segment(segment), Facet::Multicast));
            self.mark(cell);
        }
        stations
    }

    fn file_profile(&mut self, id: PortId) {
        // Before, a group may be missing that is still to come.
        if !self.desired.is_complete() {
            return;
        }
        let profile = self
            .desired
            .port(id)
            .filter(|port| port.is_filtered() && self.attachments.contains_key(&id))
            .map(|port| Profile::of(port, &self.desired));
        if self.index.profile(id) == profile.as_ref() {
            return;
        }
        for new in self.index.follow(id, profile) {
            self.mark(CellId::new(Key::FlowProfile(new), Facet::FlowRules));
        }
        self.mark(guard_cell(id));
    }

    /// The port has left a segment: its number may not stand for another one while this cell's flows carry it.
    pub(in crate::plan) fn leave_zone(&mut self, segment: SegKey, cell: CellId) {
        if self.filters_by_flows() {
            self.index.leaving.entry(segment).or_default().insert(cell);
        }
    }

    /// The same for everything of a port.
    pub(in crate::plan) fn port_left(&mut self, id: PortId, segment: SegKey) {
        self.leave_zone(segment, guard_cell(id));
        let multicast = CellId::new(Key::Segment(segment), Facet::Multicast);
        self.leave_zone(segment, multicast);
        let stations: Vec<_> = self
            .index
            .stations_of(id)
            .filter(|(seg, _)| *seg == segment)
            .collect();
        for (segment, mac) in stations {
            let cell = CellId::new(Key::Station(segment, mac), Facet::Station);
            self.leave_zone(segment, cell);
        }
    }

    /// Rules of a group changed, or it came or went.
    pub(in crate::plan) fn on_group(&mut self, id: GroupId) {
        if self.config.firewall != FirewallDriver::Noop {
            self.mark(CellId::new(Key::Group(id), Facet::Group));
        }
        if !self.filters_by_flows() {
            return;
        }
        let old = self.index.named.remove(&id).unwrap_or_default();
        let new = self
            .desired
            .group(id)
            .map(SecurityGroup::remotes)
            .unwrap_or_default();
        for set in &new {
            self.recount_uses(*set);
        }
        for set in old.iter().filter(|set| !new.contains(set)) {
            self.recount_uses(*set);
        }
        if !new.is_empty() {
            self.index.named.insert(id, new);
        }
        let ports: Vec<PortId> = self.desired.ports_in(id).collect();
        for port in ports {
            self.file_profile(port);
        }
        let profiles: Vec<Profile> = self
            .index
            .profiles()
            .filter(|p| p.groups.contains(&id))
            .cloned()
            .collect();
        for profile in profiles {
            self.mark(CellId::new(Key::FlowProfile(profile), Facet::FlowRules));
        }
    }

    fn recount_uses(&mut self, set: RemoteId) {
        let mut uses = Uses::default();
        for group in self.desired.groups_naming(set) {
            let rules = self.desired.group(group).into_iter().flat_map(|g| &g.rules);
            for rule in rules.filter(|rule| rule.remote == Remote::Set(set)) {
                uses.add(rule.direction, rule.family);
            }
        }
        if uses == self.index.uses(set) {
            return;
        }
        self.index.set_uses(set, uses);
        self.mark(CellId::new(Key::Remote(set), Facet::FlowSet));
        let addresses = self.desired.remote(set).into_iter();
        let peers: Vec<Peer> = addresses
            .flat_map(|set| set.addresses())
            .filter_map(|address| Peer::of(&address))
            .collect();
        for peer in peers {
            self.mark_peer(peer);
        }
    }

    /// Addresses came into a set and left it.
    pub(in crate::plan) fn on_members(
        &mut self,
        set: RemoteId,
        added: &[MemberAddress],
        removed: &[MemberAddress],
    ) {
        if !self.filters_by_flows() {
            return;
        }
        for (addresses, comes) in [(added, true), (removed, false)] {
            for peer in addresses.iter().filter_map(Peer::of) {
                if self.index.count(peer, set, comes) {
                    self.mark_peer(peer);
                }
            }
        }
    }

    fn mark_peer(&mut self, peer: Peer) {
        self.index.settle(peer, false);
        self.mark(CellId::new(Key::Peer(peer), Facet::FlowMember));
    }

    /// Something about a cell moved that others of the firewall wait for without having asked.
    pub(in crate::plan) fn follow_firewall(&mut self, cell: &CellId) {
        if !self.filters_by_flows() {
            return;
        }
        let settled = self.standing(cell) == Standing::Is(CellState::Settled);
        match (&cell.key, cell.facet) {
            (Key::Peer(peer), Facet::FlowMember) => {
                let open = self.standing(cell) == Standing::Is(CellState::Pending);
                for set in self.index.settle(*peer, !open) {
                    self.on_moved(&CellId::new(Key::Remote(set), Facet::FlowSet));
                }
            }
            (Key::Port(id), Facet::Guard) => {
                if settled {
                    for profile in self.index.forget_earlier(*id) {
                        self.mark(CellId::new(Key::FlowProfile(profile), Facet::FlowRules));
                    }
                }
                self.follow_leaving(cell);
            }
            (Key::Station(segment, mac), Facet::Station) => {
                if matches!(self.ledger_state(cell), CellState::Failed(_)) {
                    // Refused after it stood: its ports are reached past it.
                    let ports: Vec<PortId> = self.index.at(*segment, *mac).collect();
                    for vif in ports
                        .iter()
                        .filter_map(|id| self.attachments.get(id))
                        .map(|a| a.vif.clone())
                        .collect::<Vec<_>>()
                    {
                        self.mark(CellId::new(Key::Vif(vif), Facet::Tag));
                    }
                }
                self.follow_leaving(cell);
            }
            (_, Facet::Multicast) => self.follow_leaving(cell),
            (Key::FlowProfile(profile), Facet::FlowRules)
                if matches!(self.ledger_state(cell), CellState::Failed(_)) =>
            {
                // Refused after they stood: their ports are not filtered as they should be.
                let users: Vec<PortId> = self
                    .index
                    .users
                    .get(profile)
                    .into_iter()
                    .flatten()
                    .copied()
                    .collect();
                for port in users {
                    self.mark(guard_cell(port));
                }
            }
            _ => {}
        }
    }

    /// A cell whose flows may carry a number that is given back: once they are gone or carry another one, it counts
    /// no more.
    fn follow_leaving(&mut self, cell: &CellId) {
        let names = |cells: &std::collections::BTreeSet<CellId>| cells.contains(cell);
        if !self.index.leaving.values().any(names) {
            return;
        }
        let rendered = self.cells.get(cell);
        let is_new = rendered.is_none_or(|c| c.keys.is_empty() || c.need.is_none());
        let stands = self.ledger_state(cell) == CellState::Settled;
        if !is_new || !stands || self.is_dirty.contains(cell) {
            return;
        }
        let mut left = Vec::new();
        self.index.leaving.retain(|segment, cells| {
            cells.remove(cell);
            if cells.is_empty() {
                left.push(*segment);
            }
            !cells.is_empty()
        });
        for segment in left {
            self.mark(CellId::new(Key::Segment(segment), Facet::Zone));
        }
    }
}
