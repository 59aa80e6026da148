//! Where a VIF is: what its row says, and what `ovs-vswitchd` may still do, or do already, besides.
//!
//! A VIF's flows may go, or change for another place, only when it is on the dead VLAN *in the switch*. The database says
//! so earlier than `ovs-vswitchd` does, a transaction may be under way that says something else, and one whose answer
//! was lost may have said it. Until all of that has passed a VIF *lingers*, and what stands for it is held. Held by
//! `plan::tests::firewall::exposure`.

use std::sync::Arc;

use crate::model::{LocalVlan, OfportState, PortFact, PortId};
use crate::ops::row::{Row, RowKey};
use crate::plan::Planner;
use crate::plan::cell::{CellId, Facet, Key};
use crate::plan::render::View;

use super::base::guard_cell;

/// The tag that a row gives a VIF.
fn tag_of(row: &Row) -> Option<u16> {
    match row {
        Row::Vif(row) => Some(row.tag),
        Row::Bridge(_) | Row::Port(_) => None,
    }
}

impl View<'_> {
    /// `true` if the switch does with a VIF what its row says, and nothing under way says otherwise.
    fn is_still(&self, name: &Arc<str>) -> bool {
        !self.applying.contains_key(name)
            && !self.doubtful.contains(name)
            && !self.rows.is_under_way(&RowKey::Vif(name.clone()))
    }

    /// `true` if a VIF may be, or be about to be, anywhere but on the dead VLAN or on that one. Without a tag it is
    /// nowhere yet.
    fn may_be_off(&self, vif: &PortFact, place: Option<u16>) -> bool {
        let is_off = |tag| tag != LocalVlan::DEAD && Some(tag) != place;
        let want = self.rows.want(&RowKey::Vif(vif.name.clone()));
        vif.tag.is_some_and(is_off)
            || want.and_then(tag_of).is_some_and(is_off)
            || !self.is_still(&vif.name)
    }

    /// The first VIF of a port that may be elsewhere than where the port belongs: its flows are held for it.
    pub(super) fn lingering(&self, id: PortId) -> Option<Arc<str>> {
        let attachment = self.attachments.get(&id);
        let place = attachment.and_then(|a| self.vlans.of(a.segment));
        let mut vifs = self.observed.vifs(id, &self.config.integration_bridge);
        let lingers = |vif: &&PortFact| {
            let own = attachment.is_some_and(|a| a.vif == vif.name);
            let place = place.filter(|_| own).map(LocalVlan::number);
            self.may_be_off(vif, place)
        };
        vifs.find(lingers).map(|vif| vif.name.clone())
    }

    /// `true` if a VIF may be on a network.
    pub(super) fn may_be_wired(&self, vif: &PortFact) -> bool {
        self.may_be_off(vif, None)
    }
}

impl Planner {
    /// What is known of where a VIF is has changed: what was held for it is looked at again.
    pub(in crate::plan) fn look_for(&mut self, name: &Arc<str>) {
        if !self.filters_by_flows() {
            return;
        }
        let Some(id) = self.observed.port(name).and_then(|vif| vif.iface_id) else {
            return;
        };
        let bridge = self.config.integration_bridge.clone();
        if self.observed.vifs(id, &bridge).nth(1).is_some() {
            // Its stations lead to each that may be on a network.
            self.file_port(id);
        } else {
            self.reach_port(id);
        }
        let guard = guard_cell(id);
        if self
            .cells
            .get(&guard)
            .is_some_and(|cell| cell.need.is_some())
        {
            self.mark(guard);
        }
    }

    /// The VIFs whose rows are under way.
    pub(in crate::plan) fn vifs_under_way(&self) -> Vec<Arc<str>> {
        let name = |key: &RowKey| match key {
            RowKey::Vif(name) => Some(name.clone()),
            RowKey::Bridge(_) | RowKey::Port(_) => None,
        };
        self.rows.in_flight().filter_map(name).collect()
    }

    /// The database is there again, or for the first time: it may be ahead of the switch. Whoever a transaction without
    /// an answer was about, and at first everybody, counts as placed when the switch has come that far.
    pub(in crate::plan) fn place_all(&mut self) {
        if !self.filters_by_flows() {
            return;
        }
        let next = self.observed.next_cfg();
        let mut doubtful: Vec<Arc<str>> = self.doubtful.drain().collect();
        if !self.started {
            doubtful.extend(
                self.int_ports()
                    .filter(|p| p.iface_id.is_some())
                    .map(|p| p.name.clone()),
            );
        }
        doubtful.sort_unstable();
        doubtful.dedup();
        for name in doubtful {
            if self.observed.cur_cfg() < next {
                self.applying.insert(name.clone(), next);
                self.to_apply.push_back((next, name));
            } else {
                self.look_for(&name);
            }
        }
    }

    /// `true` while a VIF that belongs nowhere may be on a network: what was found and nobody has asked for may be what
    /// keeps others away from it, and its number is not free.
    pub(in crate::plan) fn has_strays(&self) -> bool {
        let standing = |cell: &CellId| self.standing(cell);
        let view = self.view(&standing);
        let mut vifs = self.int_ports().filter(|vif| vif.iface_id.is_some());
        vifs.any(|vif| {
            let want = self.rows.want(&RowKey::Vif(vif.name.clone()));
            let is_dead = want.and_then(tag_of) == Some(LocalVlan::DEAD);
            !view.is_still(&vif.name) || is_dead && view.may_be_wired(vif)
        })
    }

    /// `true` if every VIF that may be on a network is held to its rules by flows that stand; so packets may enter.
    pub(in crate::plan) fn is_guarded(&self) -> bool {
        let standing = |cell: &CellId| self.standing(cell);
        let view = self.view(&standing);
        let all = self.int_ports().filter(|vif| vif.iface_id.is_some());
        // One that the switch could not add is reached by nobody.
        let there = all.filter(|vif| vif.ofport != OfportState::Failed);
        there.filter(|vif| view.may_be_wired(vif)).all(|vif| {
            vif.iface_id.is_some_and(|id| {
                let belongs = self.attachments.get(&id).is_some_and(|a| a.vif == vif.name);
                let stations = self.index.stations_of(id);
                let stations = stations
                    .map(|(segment, mac)| CellId::new(Key::Station(segment, mac), Facet::Station));
                let mut cells = stations.chain([guard_cell(id)]);
                belongs
                    && view.lingering(id).is_none()
                    && cells.all(|cell| self.values_stand(&cell))
            })
        })
    }

    /// `true` if everything of a cell stands but what lets packets in.
    fn values_stand(&self, id: &CellId) -> bool {
        let Some(ledger) = self.flows.get(&self.config.integration_bridge) else {
            return false;
        };
        self.cells.get(id).is_some_and(|cell| {
            let mut flows = cell.keys.iter().filter_map(|key| match key {
                crate::plan::ItemKey::Flow(_, key) => Some(key),
                _ => None,
            });
            cell.need.is_none() && flows.all(|key| ledger.is_entry(key) || ledger.is_settled(key))
        })
    }
}
