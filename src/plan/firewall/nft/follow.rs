//! What makes cells of the packet filter dirty.

use rustc_hash::FxHashMap;

use crate::model::{Desired, FirewallDriver, GroupId, MemberAddress, Port, PortId, RemoteId};
use crate::ops::nft::{NftBody, NftKey, SetId, Variant};
use crate::plan::cell::{CellId, CellState, Facet, Key};
use crate::plan::render::Attachment;
use crate::plan::{ItemKey, Planner};

use super::numbers::{Moved, as_source};
use super::render::unfilterable;

impl Planner {
    /// `true` if security groups are enforced by the packet filter.
    pub(in crate::plan) fn filters_by_nft(&self) -> bool {
        self.config.firewall == FirewallDriver::Nft
    }

    /// The kernel was read; what stands there gives the numbers, the first time.
    pub(in crate::plan) fn on_nft_up(&mut self, variant: Variant, found: Vec<(NftKey, NftBody)>) {
        let is_new = self.filter.variant != Some(variant);
        self.filter.variant = Some(variant);
        self.filter.unable = None;
        self.filter.numbers.recover(&found);
        self.nft.go_online_with(found);
        self.nft_to_confirm = true;
        if is_new && self.filters_by_nft() {
            self.mark(CellId::new(Key::Host, Facet::FilterBase));
            let ports: Vec<PortId> = self.desired.ports().map(|p| p.id).collect();
            for id in ports {
                self.filter_port(id);
            }
        }
    }

    /// The kernel cannot filter.
    pub(in crate::plan) fn on_nft_unable(&mut self, reason: std::sync::Arc<str>) {
        self.filter.unable = Some(reason);
        self.filter.variant = None;
        self.nft.go_offline();
        if self.filters_by_nft() {
            self.mark(CellId::new(Key::Host, Facet::FilterBase));
            let ports: Vec<PortId> = self.desired.ports().map(|p| p.id).collect();
            for id in ports {
                self.mark(CellId::new(Key::Port(id), Facet::Filter));
            }
        }
    }

    /// A port is looked at again.
    pub(in crate::plan) fn filter_port(&mut self, id: PortId) {
        if !self.filters_by_nft() {
            return;
        }
        self.mark(CellId::new(Key::Port(id), Facet::Filter));
        self.mark(CellId::new(Key::Port(id), Facet::FilterLink));
        if !self.filter.numbers.is_ready() {
            return;
        }
        let port = filterable(&self.desired, &self.attachments, id).cloned();
        let is_let_go = self
            .desired
            .port(id)
            .is_some_and(|port| !port.is_filtered());
        if port.is_none() && !is_let_go && self.filter.numbers.zone(id).is_some() {
            self.filter.leaving.begin(id);
            return;
        }
        self.filter.leaving.end(id);
        self.place_port(id, port.as_ref());
    }

    /// The port has a place in the tables, or (`None`) no longer.
    pub(super) fn place_port(&mut self, id: PortId, port: Option<&Port>) {
        if port.is_none() && self.filter.numbers.zone(id).is_some() {
            self.cut_all_of(id);
        }
        let shape = self.filter.numbers.shape();
        let (cells, nft) = (&self.cells, &self.nft);
        let is_clean = |number: u16| {
            let cell = CellId::new(Key::Profile(number), Facet::FilterRules);
            !cells.contains_key(&cell) && nft.state(&cell) == CellState::Settled
        };
        let had_zone = self.filter.numbers.zone(id).is_some();
        let moved = self.filter.numbers.place(id, port, &self.desired, is_clean);
        if !had_zone && self.filter.numbers.zone(id).is_some() {
            // It may hold connections from before this agent started, or of the port that had it then.
            self.filter.cuts.check(id);
        }
        self.mark_moved(moved);
        self.mark_shape(&shape);
    }

    /// The control plane says something else of a port: its addresses or groups may differ.
    pub(in crate::plan) fn filter_changed(&mut self, id: PortId) {
        if self.filters_by_nft() && self.filter.numbers.zone(id).is_some() {
            self.filter.cuts.check(id);
        }
    }

    /// A device came, went or changed: it may be the bridge of a port.
    pub(in crate::plan) fn filter_device(&mut self, name: &str) {
        let Some(id) = name
            .strip_prefix("qbr")
            .and_then(|short| self.filter.numbers.port_named(short))
        else {
            return;
        };
        self.mark(CellId::new(Key::Port(id), Facet::FilterLink));
    }

    /// A group's rules differ.
    pub(in crate::plan) fn filter_group(&mut self, id: GroupId) {
        if !self.filters_by_nft() {
            return;
        }
        for number in self.filter.numbers.profiles_in(id) {
            self.filter_profile(number);
        }
        let is_stateful = self.desired.group(id).map(|group| group.stateful);
        if !self.filter.is_news(id, is_stateful) {
            return;
        }
        let ports: Vec<PortId> = self.desired.ports_in(id).collect();
        for port in ports {
            self.mark(CellId::new(Key::Port(port), Facet::Filter));
        }
    }

    fn filter_profile(&mut self, number: u16) {
        let shape = self.filter.numbers.shape();
        let moved = self.filter.numbers.refresh(number, &self.desired);
        self.mark_moved(moved);
        self.mark(CellId::new(Key::Profile(number), Facet::FilterRules));
        self.mark_shape(&shape);
    }

    /// Keys that a cell no longer asks for: where less is allowed, connections may have to go.
    pub(in crate::plan) fn filter_takes_away(&mut self, cell: &CellId, keys: &[ItemKey]) {
        let Key::Profile(number) = cell.key else {
            return;
        };
        let allowed = |key: &ItemKey| matches!(key, ItemKey::Nft(NftKey::Element(SetId::Pass, _)));
        if keys.iter().any(allowed) {
            let ports: Vec<PortId> = self.filter.numbers.ports_with(number).collect();
            for id in ports {
                self.filter.cuts.check(id);
            }
        }
    }

    /// Numbers found in the kernel that nobody came for: connections of those ports are nobody's.
    pub(in crate::plan) fn filter_settles_in(&mut self) {
        for zone in self.filter.numbers.drop_hints() {
            if let Some(scope) = self.scope_of(zone) {
                self.filter.cuts.gone(scope);
            }
        }
    }

    /// The addresses of a set differ.
    pub(in crate::plan) fn filter_remote(
        &mut self,
        id: RemoteId,
        added: &[MemberAddress],
        removed: &[MemberAddress],
    ) {
        if !self.filters_by_nft() || self.filter.numbers.remote(id).is_none() {
            return;
        }
        let mut has_nets = false;
        for address in added.iter().chain(removed) {
            let net = address.prefix;
            if net.prefix_len() == net.max_prefix_len() {
                self.mark(CellId::new(Key::Member(id, net), Facet::FilterMember));
            } else {
                has_nets |= as_source(address).is_some();
            }
        }
        for address in removed {
            self.filter.cuts.check_address(address.prefix);
        }
        if has_nets {
            for number in self.filter.numbers.profiles_naming(id) {
                self.filter_profile(number);
            }
        }
    }

    fn mark_moved(&mut self, moved: Moved) {
        for number in moved.profiles {
            self.mark(CellId::new(Key::Profile(number), Facet::FilterRules));
        }
        for id in moved.remotes {
            self.mark(CellId::new(Key::Remote(id), Facet::FilterRemote));
            for cell in self.member_cells(id) {
                self.mark(cell);
            }
        }
    }

    fn mark_shape(&mut self, before: &super::tables::Shape) {
        if *before != self.filter.numbers.shape() {
            self.mark(CellId::new(Key::Host, Facet::FilterBase));
        }
    }

    fn member_cells(&self, id: RemoteId) -> Vec<CellId> {
        let addresses = self
            .desired
            .remote(id)
            .into_iter()
            .flat_map(|set| set.addresses());
        let mut cells: Vec<CellId> = addresses
            .filter(|a| a.prefix.prefix_len() == a.prefix.max_prefix_len())
            .map(|a| CellId::new(Key::Member(id, a.prefix), Facet::FilterMember))
            .collect();
        cells.dedup();
        cells
    }

    /// Everything there could be to render.
    pub(in crate::plan) fn every_filter_cell(&self) -> Vec<CellId> {
        if !self.filters_by_nft() {
            return Vec::new();
        }
        let mut cells = vec![CellId::new(Key::Host, Facet::FilterBase)];
        let numbers = &self.filter.numbers;
        cells.extend(
            numbers
                .profiles()
                .map(|n| CellId::new(Key::Profile(n), Facet::FilterRules)),
        );
        for id in numbers.remotes() {
            cells.push(CellId::new(Key::Remote(id), Facet::FilterRemote));
            cells.extend(self.member_cells(id));
        }
        for port in self.desired.ports() {
            for facet in [Facet::Filter, Facet::FilterLink] {
                cells.push(CellId::new(Key::Port(port.id), facet));
            }
        }
        cells
    }
}

/// The port, if it is to be filtered and can be. It need not be plugged: its devices are known by name, and a switch that
/// gives the number of a port that left to one that comes sends to it what was meant for the other, before anybody can
/// look.
fn filterable<'a>(
    desired: &'a Desired,
    attachments: &FxHashMap<PortId, Attachment>,
    id: PortId,
) -> Option<&'a Port> {
    let vif = attachments.get(&id).map(|a| &a.vif);
    desired
        .port(id)
        .filter(|port| port.is_filtered() && vif.is_none_or(|vif| unfilterable(vif, id).is_none()))
}
