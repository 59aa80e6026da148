//! What makes which cells dirty: the one table from changes to cells, and the bookkeeping that goes with them.
//!
//! A change costs its fan-out and no more: a port touches its own handful of cells, a network its segment and the
//! ports on it, an endpoint itself and the flood flow of the segments of its kind. Budget tests hold the counts.

use std::sync::Arc;

use super::cell::{CellId, CellState, Facet, Key, SegKey};
use super::render::{Attachment, Standing, Times};
use super::values;
use super::{Now, Planner};
use crate::model::desired::Change;
use crate::model::observed::Seen;
use crate::model::{Endpoint, NetworkId, NetworkType, PortFact, PortId};
use crate::ops::row::RowKey;
use rustc_hash::FxHashSet;

const SEGMENT: [Facet; 6] = [
    Facet::SegInt,
    Facet::SegPhys,
    Facet::SegTun,
    Facet::Flood,
    Facet::Multicast,
    Facet::Zone,
];
const HOST: [Facet; 5] = [
    Facet::Bridges,
    Facet::Patch,
    Facet::IntBase,
    Facet::IntPatch,
    Facet::TunBase,
];
const PHYSNET: [Facet; 2] = [Facet::PhysPatch, Facet::PhysBase];
const ENDPOINT: [Facet; 2] = [Facet::Tunnel, Facet::TunnelIn];
const PORT: [Facet; 3] = [Facet::Guard, Facet::Link, Facet::Report];
const VIF: [Facet; 2] = [Facet::Tag, Facet::Pass];

impl Planner {
    /// Makes one cell dirty.
    pub(super) fn mark(&mut self, cell: CellId) {
        if self.is_dirty.insert(cell.clone()) {
            self.dirty[super::rank(cell.facet)].push_back(cell);
        }
    }

    fn mark_all(&mut self, key: &Key, facets: &[Facet]) {
        for facet in facets {
            self.mark(CellId::new(key.clone(), *facet));
        }
    }

    pub(super) fn pop_dirty(&mut self) -> Option<CellId> {
        let cell = self
            .dirty
            .iter_mut()
            .find_map(std::collections::VecDeque::pop_front)?;
        self.is_dirty.remove(&cell);
        Some(cell)
    }

    /// How many cells wait to be rendered.
    pub fn n_dirty(&self) -> usize {
        self.is_dirty.len()
    }

    /// Something about this cell moved: whoever waits for it looks again.
    pub(super) fn on_moved(&mut self, cell: &CellId) {
        if let Some(waiters) = self.waiters.remove(cell) {
            for waiter in waiters {
                self.mark(waiter);
            }
        }
    }

    /// Follows what the ledgers say moved since the last call.
    pub(super) fn follow_moved(&mut self) {
        let mut moved = self.rows.take_moved();
        moved.extend(self.links.take_moved());
        moved.extend(self.nft.take_moved());
        moved.extend(self.reports.take_moved());
        for ledger in self.flows.values_mut() {
            moved.extend(ledger.take_moved());
        }
        moved.sort_unstable();
        moved.dedup();
        for cell in moved {
            self.on_moved(&cell);
            self.follow_firewall(&cell);
            match (&cell.key, cell.facet) {
                // Refused after it stood: those who relied on it look again.
                (Key::Port(id), Facet::Guard | Facet::Filter)
                    if matches!(self.ledger_state(&cell), CellState::Failed(_)) =>
                {
                    if let Some(vif) = self.attachments.get(id).map(|a| a.vif.clone()) {
                        self.mark(CellId::new(Key::Vif(vif), Facet::Tag));
                    }
                }
                (Key::Vif(name), Facet::Tag) => {
                    if let Some(id) = self.observed.port(name).and_then(|p| p.iface_id) {
                        self.mark(CellId::new(Key::Port(id), Facet::Report));
                    }
                }
                _ => {}
            }
        }
    }

    pub(super) fn on_change(&mut self, change: Change) {
        match change {
            Change::Complete => {
                let vifs: Vec<Arc<str>> = self.int_ports().map(|p| p.name.clone()).collect();
                for name in vifs {
                    self.mark_all(&Key::Vif(name), &VIF);
                }
                self.on_groups_complete();
            }
            Change::Network { id } => self.on_network(id),
            Change::Port { id, .. } => {
                self.filter_changed(id);
                self.on_port(id);
            }
            Change::Endpoint(endpoint) => self.on_endpoint(endpoint),
            Change::Group { id } => {
                self.filter_group(id);
                self.on_group(id);
            }
            Change::Remote { id, added, removed } => {
                self.filter_remote(id, &added, &removed);
                self.on_members(id, &added, &removed);
            }
        }
    }

    fn on_network(&mut self, id: NetworkId) {
        let segments: Vec<SegKey> = self
            .vlans
            .iter()
            .map(|(s, _)| s)
            .filter(|s| s.network == id)
            .collect();
        for segment in segments {
            self.mark_all(&Key::Segment(segment), &SEGMENT);
        }
        let ports: Vec<PortId> = self.desired.ports_on(id).collect();
        for port in ports {
            self.on_port(port);
        }
    }

    fn on_endpoint(&mut self, endpoint: Endpoint) {
        self.tunnel_names.insert(
            super::names::tunnel(endpoint.kind, endpoint.ip),
            endpoint.clone(),
        );
        self.mark_all(&Key::Endpoint(endpoint.clone()), &ENDPOINT);
        self.mark_floods(&endpoint);
    }

    fn mark_floods(&mut self, endpoint: &Endpoint) {
        let floods: Vec<SegKey> = self.segments_where(
            |kind| matches!(kind, NetworkType::Tunnel { kind, .. } if *kind == endpoint.kind),
        );
        for segment in floods {
            self.mark(CellId::new(Key::Segment(segment), Facet::Flood));
        }
    }

    fn segments_where(&self, wanted: impl Fn(&NetworkType) -> bool) -> Vec<SegKey> {
        self.vlans
            .iter()
            .map(|(key, _)| key)
            .filter(|key| {
                let network = self.desired.network(key.network);
                let segment = network.and_then(|n| n.segments.iter().find(|s| s.id == key.segment));
                segment.is_some_and(|s| wanted(&s.network_type))
            })
            .collect()
    }

    /// A port, its VIFs and its place are looked at again.
    fn on_port(&mut self, id: PortId) {
        if self.started {
            self.reattach(id);
            self.file_port(id);
        }
        self.mark_all(&Key::Port(id), &PORT);
        self.filter_port(id);
        let bridge = self.config.integration_bridge.clone();
        let vifs: Vec<Arc<str>> = self
            .observed
            .vifs(id, &bridge)
            .map(|p| p.name.clone())
            .collect();
        for name in vifs {
            self.mark_all(&Key::Vif(name), &VIF);
        }
    }

    /// Takes and gives back local VLANs as a port comes to or leaves a segment.
    fn reattach(&mut self, id: PortId) {
        let new = self.attach(id);
        let old = self.attachments.get(&id).cloned();
        if new == old {
            self.retry_vlan(id, new.as_ref());
            return;
        }
        let (was, is) = (old.map(|a| a.segment), new.as_ref().map(|a| a.segment));
        if was != is {
            if let Some(segment) = is {
                self.acquire(id, segment);
            }
            if let Some(segment) = was {
                self.port_left(id, segment);
                if self.vlans.release(segment) {
                    self.mark_all(&Key::Segment(segment), &SEGMENT);
                }
            }
        }
        match new {
            Some(attachment) => self.attachments.insert(id, attachment),
            None => {
                self.waiting_vlan.remove(&id);
                self.attachments.remove(&id)
            }
        };
    }

    fn retry_vlan(&mut self, id: PortId, attachment: Option<&Attachment>) {
        if let Some(attachment) = attachment
            && self.waiting_vlan.contains(&id)
            && let Some(kind) = self.kind_of(attachment.segment)
            && self.vlans.ensure(attachment.segment, &kind).is_some()
        {
            self.waiting_vlan.remove(&id);
            self.mark_all(&Key::Segment(attachment.segment), &SEGMENT);
        }
    }

    fn acquire(&mut self, id: PortId, segment: SegKey) {
        let Some(kind) = self.kind_of(segment) else {
            return;
        };
        if self.vlans.acquire(segment, &kind).is_none() {
            self.waiting_vlan.insert(id);
        } else if self.vlans.n_users(segment) == 1 {
            self.mark_all(&Key::Segment(segment), &SEGMENT);
        }
    }

    fn kind_of(&self, key: SegKey) -> Option<NetworkType> {
        let network = self.desired.network(key.network)?;
        network
            .segments
            .iter()
            .find(|s| s.id == key.segment)
            .map(|s| s.network_type.clone())
    }

    /// Numbers whose flows are confirmed gone become free; ports that wait for one get theirs. `true` if any did.
    pub(super) fn drain_vlans(&mut self) -> bool {
        let drained: Vec<SegKey> = self
            .vlans
            .draining()
            .filter(|segment| self.index.leaving(*segment).is_none())
            .filter(|segment| {
                SEGMENT.iter().all(|facet| {
                    let cell = CellId::new(Key::Segment(*segment), *facet);
                    self.standing(&cell) == Standing::Is(CellState::Settled)
                })
            })
            .collect();
        let mut freed = false;
        for segment in drained {
            freed |= self.vlans.drained(segment);
        }
        if !freed || self.waiting_vlan.is_empty() {
            return false;
        }
        let waiting: Vec<PortId> = self.waiting_vlan.iter().copied().collect();
        for id in waiting {
            self.on_port(id);
        }
        true
    }

    pub(super) fn int_ports(&self) -> impl Iterator<Item = &PortFact> {
        let bridge = self.config.integration_bridge.clone();
        self.observed.ports().filter(move |p| p.bridge == bridge)
    }

    pub(super) fn on_seen(&mut self, seen: Seen, now: Now) {
        match seen {
            Seen::SwitchComplete => self.on_switch_complete(now),
            Seen::SwitchLost => {
                self.doubtful.extend(self.vifs_under_way());
                self.rows.pause();
            }
            Seen::Bridge(name) => self.on_bridge(&name),
            Seen::Port { name, old } => self.on_switch_port(&name, old.as_deref(), now),
            Seen::Applied(cfg) => self.on_applied(cfg, now),
            Seen::Link(name) => {
                self.observe_link(&name);
                self.filter_device(&name);
                if let Some(id) = self.observed.port(&name).and_then(|p| p.iface_id) {
                    self.mark(CellId::new(Key::Port(id), Facet::Link));
                }
            }
            Seen::Address(ip) if Some(ip) == self.config.local_ip => self.mark_tunnels(),
            Seen::Address(_) => {}
            Seen::LinksComplete => {
                self.links.go_online();
                self.mark_tunnels();
            }
        }
    }

    fn mark_tunnels(&mut self) {
        let endpoints: Vec<Endpoint> = self.desired.endpoints().cloned().collect();
        for endpoint in endpoints {
            self.mark(CellId::new(Key::Endpoint(endpoint), Facet::Tunnel));
        }
    }

    fn on_switch_complete(&mut self, now: Now) {
        self.rows.go_online();
        let unflooded = std::mem::take(&mut self.unflooded);
        self.on_unflooded(unflooded);
        self.on_applied_floor(now);
        self.place_all();
        if self.started {
            return;
        }
        self.started = true;
        // What a dead port remembers is no longer true, unless the switch has not seen that it is dead.
        let is_behind = self.observed.cur_cfg() < self.observed.next_cfg();
        let mut remembered: Vec<PortFact> = self
            .int_ports()
            .filter(|p| p.is_wired() || is_behind)
            .cloned()
            .collect();
        remembered.sort_by(|a, b| (!a.is_wired(), &a.name).cmp(&(!b.is_wired(), &b.name)));
        for hint in remembered.iter().filter_map(|p| p.hint.as_ref()) {
            self.vlans.remember(hint);
        }
        for cell in self.every_cell() {
            self.mark(cell);
        }
        let ports: Vec<PortId> = self.desired.ports().map(|p| p.id).collect();
        for id in ports {
            self.on_port(id);
        }
    }

    /// Everything there could be to render, from the stores alone.
    pub(super) fn every_cell(&self) -> Vec<CellId> {
        let mut cells: Vec<CellId> = Vec::new();
        let mut all = |key: Key, facets: &[Facet]| {
            cells.extend(facets.iter().map(|facet| CellId::new(key.clone(), *facet)));
        };
        all(Key::Host, &HOST);
        for physnet in self.config.bridge_mappings.keys() {
            all(Key::Physnet(physnet.clone()), &PHYSNET);
        }
        for endpoint in self.desired.endpoints() {
            all(Key::Endpoint(endpoint.clone()), &ENDPOINT);
        }
        for (segment, _) in self.vlans.iter() {
            all(Key::Segment(segment), &SEGMENT);
        }
        for port in self.desired.ports() {
            all(Key::Port(port.id), &PORT);
        }
        for port in self.int_ports() {
            all(Key::Vif(port.name.clone()), &VIF);
        }
        cells.extend(self.firewall_cells());
        cells.extend(self.every_filter_cell());
        let known: FxHashSet<&CellId> = cells.iter().collect();
        let more: Vec<CellId> = self
            .cells
            .keys()
            .filter(|id| !known.contains(id))
            .cloned()
            .collect();
        cells.extend(more);
        cells
    }

    fn on_bridge(&mut self, name: &Arc<str>) {
        self.observe_row(&RowKey::Bridge(name.clone()));
        if self.observed.bridge(name).is_none()
            && let Some(ledger) = self.flows.get_mut(name)
            && !ledger.is_online()
        {
            ledger.assume_empty();
        }
        if *name == self.config.integration_bridge || *name == self.config.tunnel_bridge {
            self.mark_all(&Key::Host, &HOST);
        }
        if *name == self.config.integration_bridge {
            let physnets: Vec<Arc<str>> = self.config.bridge_mappings.keys().cloned().collect();
            for physnet in physnets {
                self.mark_all(&Key::Physnet(physnet), &PHYSNET);
            }
        }
        if *name == self.config.tunnel_bridge {
            self.mark_tunnels();
        }
        if let Some(physnet) = self.config.physnet_of(name).cloned() {
            self.mark_physnet(&physnet);
        }
    }

    fn mark_physnet(&mut self, physnet: &Arc<str>) {
        self.mark_all(&Key::Physnet(physnet.clone()), &PHYSNET);
        for segment in self.segments_where(|kind| kind.physical_network() == Some(physnet)) {
            self.mark_all(&Key::Segment(segment), &SEGMENT);
        }
    }

    fn on_switch_port(&mut self, name: &Arc<str>, old: Option<&PortFact>, now: Now) {
        self.observe_row(&RowKey::Port(name.clone()));
        self.observe_row(&RowKey::Vif(name.clone()));
        let new = self.observed.port(name).cloned();
        self.forget_tag(name, old, new.as_ref());
        if let Some(id) = new
            .as_ref()
            .filter(|p| p.is_wired())
            .and_then(|p| p.iface_id)
            && let Some(times) = self.times.get_mut(&id)
        {
            // The answer to the transaction may have been lost; when it comes, it has the better time.
            times.wired_at.get_or_insert(now.unix_us);
        }
        if let (Some(old), Some(new)) = (old, &new)
            && !values::differs_for_planning(old, new)
        {
            self.on_rewired(old, new);
            return;
        }
        if new.is_none() {
            self.applying.remove(name);
            self.doubtful.remove(name);
        }
        if *name == self.config.int_peer_patch_port || *name == self.config.tun_peer_patch_port {
            self.mark_all(&Key::Host, &HOST);
        }
        if let Some(physnet) = self.config.physnet_of_patch(name).cloned() {
            self.mark_physnet(&physnet);
        }
        if let Some(endpoint) = self.tunnel_names.get(name).cloned() {
            self.mark_all(&Key::Endpoint(endpoint.clone()), &ENDPOINT);
            self.mark_floods(&endpoint);
        }
        let bridge = self.config.integration_bridge.clone();
        let on_int = |fact: &PortFact| fact.bridge == bridge;
        if old.is_some_and(on_int) || new.as_ref().is_some_and(on_int) {
            self.mark_all(&Key::Vif(name.clone()), &VIF);
            let ids = [
                old.and_then(|p| p.iface_id),
                new.as_ref().and_then(|p| p.iface_id),
            ];
            for id in ids.into_iter().flatten() {
                self.on_vif(id, now);
            }
        }
    }

    /// What was asked for the VIF that bore a name is not asked for the one that bears it now, nor for another number of
    /// it.
    fn forget_tag(&mut self, name: &Arc<str>, old: Option<&PortFact>, new: Option<&PortFact>) {
        let vif = |fact: &PortFact| (fact.row, fact.iface_id);
        let key = RowKey::Vif(name.clone());
        let is_same = old.map(vif) == new.map(vif);
        let has_number = old.map(|fact| fact.ofport) == new.map(|fact| fact.ofport);
        if is_same && (has_number || self.rows.is_settled(&key)) {
            return;
        }
        let cell = CellId::new(Key::Vif(name.clone()), Facet::Tag);
        if let Some(rendered) = self.cells.get_mut(&cell) {
            rendered.keys.clear();
            self.rows.forget(&key, &cell);
        }
    }

    /// Which of several VIFs with one id stands for the port depends on which is wired.
    fn on_rewired(&mut self, old: &PortFact, new: &PortFact) {
        let bridge = self.config.integration_bridge.clone();
        if self.filters_by_flows()
            && old.tag != new.tag
            && let Some(id) = new.iface_id
        {
            // What its flows wait for.
            self.file_port(id);
            self.mark(CellId::new(Key::Port(id), Facet::Guard));
            self.mark(CellId::new(Key::Vif(new.name.clone()), Facet::Tag));
        }
        if let Some(id) = new.iface_id.filter(|_| old.is_wired() != new.is_wired())
            && self.observed.vifs(id, &bridge).nth(1).is_some()
        {
            self.on_port(id);
        }
    }

    fn on_vif(&mut self, id: PortId, now: Now) {
        let bridge = self.config.integration_bridge.clone();
        if self.observed.vifs(id, &bridge).next().is_none() {
            self.times.remove(&id);
        } else {
            // What was wired before it was first seen was wired no later than that.
            let wired = self
                .observed
                .vif(id, &bridge)
                .is_some_and(PortFact::is_wired);
            self.times.entry(id).or_insert(Times {
                seen_at: Some(now.unix_us),
                wired_at: wired.then_some(now.unix_us),
            });
        }
        self.on_port(id);
    }

    fn on_applied_floor(&mut self, now: Now) {
        // A tag whose confirmation was lost with the connection counts from what the switch says now.
        let cfg = self.observed.cur_cfg();
        self.pop_applied(cfg, now.unix_us);
    }

    fn on_applied(&mut self, cfg: i64, now: Now) {
        self.pop_applied(cfg, now.unix_us);
    }

    fn pop_applied(&mut self, cfg: i64, at: u64) {
        self.leave_applied(cfg);
        while let Some((due, name)) = self.to_apply.pop_front() {
            if due > cfg {
                self.to_apply.push_front((due, name));
                break;
            }
            if self.applying.get(&name) != Some(&due) {
                continue;
            }
            self.applying.remove(&name);
            self.note_wired(&name, at);
            self.look_for(&name);
            // Also where it left meanwhile.
            if let Some(id) = self.observed.port(&name).and_then(|p| p.iface_id) {
                self.mark(CellId::new(Key::Port(id), Facet::Report));
            }
        }
    }

    /// The switch has confirmed the tag of this VIF at that time.
    pub(super) fn note_wired(&mut self, name: &str, at: u64) {
        let Some(fact) = self.observed.port(name).filter(|p| p.is_wired()) else {
            return;
        };
        let Some(id) = fact.iface_id else {
            return;
        };
        if let Some(times) = self.times.get_mut(&id) {
            times.wired_at = Some(at);
            self.mark(CellId::new(Key::Port(id), Facet::Report));
        }
    }

    pub(super) fn observe_row(&mut self, key: &RowKey) {
        let have = match key {
            RowKey::Bridge(name) => self.observed.bridge(name).map(values::bridge_row),
            RowKey::Port(name) => self
                .observed
                .port(name)
                .filter(|p| self.rows.contains(key) || values::is_owned_by(p, &self.config.host.0))
                .map(values::port_row),
            RowKey::Vif(name) => self.observed.port(name).and_then(values::vif_row),
        };
        // Only vifd's own ports are known without being wanted: they alone are ever deleted.
        if self.rows.want(key).is_some() || matches!(key, RowKey::Port(_)) {
            self.rows.observe(key, have);
        }
    }

    pub(super) fn observe_link(&mut self, name: &Arc<str>) {
        if self.links.want(name).is_some() {
            let have = self
                .observed
                .link(name)
                .map(|l| crate::ops::link::LinkState {
                    mtu: Some(l.mtu),
                    up: l.up,
                    netfilter: l.netfilter,
                });
            self.links.observe(name, have);
        }
    }
}
