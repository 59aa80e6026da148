//! The planner: deltas and facts in, batches out. Pure, synchronous, without a clock.
//!
//! State is split into [cells](cell). A delta or fact makes a few cells dirty ([`fanout`]), a dirty cell is
//! [rendered](render) from the stores as they are, and what it asks for goes into the [ledger] of one executor, which
//! knows what stands and so what to write. A cell that cannot be rendered yet says what it waits for and is dirty
//! again when that moves. An audit renders everything with the same function and must find no difference.

mod audit;
mod batches;
pub mod cell;
pub mod config;
pub mod explain;
mod fanout;
pub mod firewall;
pub mod flows;
pub mod inspect;
pub mod ledger;
pub mod lint;
pub mod names;
pub mod render;
mod settle;
pub mod tables;
pub mod text;
mod values;
pub mod vlans;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::model::{Delta, Desired, Endpoint, Fact, Observed, PortId};
use crate::ops::flow::{FlowBody, FlowKey, cookie};
use crate::ops::link::LinkState;
use crate::ops::nft::{NftBody, NftKey, SetId};
use crate::ops::report::PortReport;
use crate::ops::row::{Row, RowKey};
use crate::ops::{Batch, ExecEvent, Outcome, Target};
use cell::{CellId, CellState, Facet, Need};
use config::PlanConfig;
use firewall::nft::Filter;
use ledger::{Learns, Ledger};
use render::{Attachment, Item, Rendered, Standing, Times, View};
use tables::int;
use vlans::LocalVlans;

/// Most flows in one batch: one barrier each.
const FLOW_BATCH: usize = 4096;
/// Most rows in one transaction.
const ROW_BATCH: usize = 4096;
/// Most devices in one batch.
const LINK_BATCH: usize = 64;
/// Most objects of the packet filter in one transaction: everything, so that what belongs together changes together.
const NFT_BATCH: usize = 1 << 22;
/// Most reports in one transaction.
const REPORT_BATCH: usize = 1024;

/// The caller's clocks at the time of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Monotonic, in ms from any origin.
    pub mono_ms: u64,
    /// Wall clock, in µs since the Unix epoch.
    pub unix_us: u64,
}

/// What the planner has done so far. Counts only grow; tests hold budgets against them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Cells rendered.
    pub cells_rendered: u64,
    /// Flow batches handed out; one barrier each.
    pub flow_batches: u64,
    /// Flows handed out.
    pub flows: u64,
    /// Row batches handed out; one transaction each.
    pub row_batches: u64,
    /// Rows handed out.
    pub rows: u64,
    /// Packet filter batches handed out; one transaction each.
    pub nft_batches: u64,
    /// Objects of the packet filter handed out.
    pub nft_items: u64,
    /// Device batches handed out.
    pub link_batches: u64,
    /// Report batches handed out.
    pub report_batches: u64,
    /// Reports handed out.
    pub reports: u64,
    /// Items that an executor refused.
    pub refused: u64,
    /// Keys that two cells asked for.
    pub conflicts: u64,
    /// Cells that an audit found different.
    pub audit_differences: u64,
}

/// What a cell asked for, by key.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum ItemKey {
    Flow(Arc<str>, Box<FlowKey>),
    Row(RowKey),
    Link(Arc<str>),
    Nft(NftKey),
    Report(PortId),
}

/// Something a person should read: an entity is not what was asked for, or is again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    /// The cell concerned.
    pub cell: CellId,
    /// What is wrong; `None`: nothing any more.
    pub need: Option<Need>,
}

#[derive(Clone, Debug, Default)]
struct Cell {
    keys: Vec<ItemKey>,
    need: Option<Need>,
}

/// As many items cost about as much as a cell.
const ITEMS_PER_CELL: usize = 16;

/// Order in which dirty cells are taken: what others wait for first.
const RANKS: usize = 4;

fn rank(facet: Facet) -> usize {
    match facet {
        Facet::Bridges
        | Facet::Patch
        | Facet::IntBase
        | Facet::IntPatch
        | Facet::TunBase
        | Facet::PhysPatch => 0,
        Facet::PhysBase | Facet::Tunnel | Facet::TunnelIn => 0,
        Facet::FlowRules | Facet::FlowSet | Facet::FlowMember | Facet::Station => 1,
        Facet::Zone | Facet::Multicast => 1,
        Facet::SegInt | Facet::SegPhys | Facet::SegTun | Facet::Flood | Facet::Pass => 1,
        Facet::FilterBase | Facet::FilterRemote | Facet::FilterRules => 0,
        Facet::Guard | Facet::Link | Facet::FilterMember | Facet::Filter | Facet::FilterLink => 1,
        Facet::Tag => 2,
        Facet::Report | Facet::Group => 3,
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Planner {
    config: PlanConfig,
    desired: Desired,
    observed: Observed,
    vlans: LocalVlans,
    attachments: FxHashMap<PortId, Attachment>,
    times: FxHashMap<PortId, Times>,
    waiting_vlan: FxHashSet<PortId>,
    tunnel_names: FxHashMap<Arc<str>, Endpoint>,
    index: firewall::openflow::Index,
    /// Cells of the firewall that hold what they have not rendered in this life: what stands of them is claimed by
    /// nobody yet.
    unclaimed: FxHashSet<CellId>,
    /// Ports of the integration bridge found without floods, not yet known to be VIFs.
    unflooded: Vec<(FlowKey, FlowBody)>,
    cells: FxHashMap<CellId, Cell>,
    waiters: FxHashMap<CellId, FxHashSet<CellId>>,
    dirty: [VecDeque<CellId>; RANKS],
    is_dirty: FxHashSet<CellId>,
    to_audit: Vec<CellId>,
    flows: BTreeMap<Arc<str>, Ledger<FlowKey, FlowBody>>,
    rows: Ledger<RowKey, Row>,
    links: Ledger<Arc<str>, LinkState>,
    nft: Ledger<NftKey, NftBody>,
    filter: Filter,
    /// The packet filter was read: it is told when everything wanted stands.
    nft_to_confirm: bool,
    /// The last reading of the packet filter.
    nft_reading: u64,
    /// The batch that tells it.
    nft_confirming: Option<u64>,
    reports: Ledger<PortId, PortReport>,
    applying: FxHashMap<Arc<str>, i64>,
    /// VIFs whose row was under way when the connection went.
    doubtful: FxHashSet<Arc<str>>,
    to_apply: VecDeque<(i64, Arc<str>)>,
    misreported: FxHashSet<PortId>,
    notes: Vec<Note>,
    noted: FxHashSet<CellId>,
    int_flows_since: Option<u64>,
    started: bool,
    settled_in: bool,
    /// What was found of the integration bridge's flows, and nobody asked for, may go as well.
    let_go: bool,
    /// The integration bridge was read: packets enter when every VIF on a network is held to its rules.
    is_opening: bool,
    /// The batch under way that empties conntrack zones, and which, by item.
    flushing: (u64, Vec<(usize, u16)>),
    next_batch: u64,
    stats: Stats,
}

impl Planner {
    /// A planner that knows nothing yet.
    pub fn new(config: PlanConfig) -> Planner {
        let ledger = |bridge: &Arc<str>| {
            let ledger = Ledger::new(Learns::FromAcks, FLOW_BATCH);
            match *bridge == config.integration_bridge {
                // Nothing meets half a pipeline, not after a restart of the switch either.
                true => ledger
                    .with_entries(|key: &FlowKey| key.table == int::LOCAL_SWITCHING)
                    .waiting_for_answers(),
                false => ledger,
            }
        };
        let flows = config
            .bridges()
            .into_iter()
            .map(|bridge| (bridge.clone(), ledger(&bridge)))
            .collect();
        let nft = Ledger::new(Learns::FromAcks, NFT_BATCH)
            .with_new_in_parts(config.filter_batch)
            .waiting_for_answers()
            .with_entries(|key| matches!(key, NftKey::Element(SetId::Vif, _)));
        Planner {
            config,
            desired: Desired::default(),
            observed: Observed::default(),
            vlans: LocalVlans::default(),
            attachments: FxHashMap::default(),
            times: FxHashMap::default(),
            waiting_vlan: FxHashSet::default(),
            tunnel_names: FxHashMap::default(),
            index: firewall::openflow::Index::default(),
            unclaimed: FxHashSet::default(),
            unflooded: Vec::new(),
            cells: FxHashMap::default(),
            waiters: FxHashMap::default(),
            dirty: Default::default(),
            is_dirty: FxHashSet::default(),
            to_audit: Vec::new(),
            flows,
            rows: Ledger::new(Learns::FromFacts, ROW_BATCH),
            links: Ledger::new(Learns::FromFacts, LINK_BATCH),
            nft,
            filter: Filter::default(),
            nft_to_confirm: false,
            nft_reading: 0,
            nft_confirming: None,
            reports: Ledger::new(Learns::FromAcks, REPORT_BATCH),
            applying: FxHashMap::default(),
            doubtful: FxHashSet::default(),
            to_apply: VecDeque::new(),
            misreported: FxHashSet::default(),
            notes: Vec::new(),
            noted: FxHashSet::default(),
            int_flows_since: None,
            started: false,
            settled_in: false,
            let_go: false,
            is_opening: false,
            flushing: (0, Vec::new()),
            next_batch: 1,
            stats: Stats::default(),
        }
    }

    /// The configuration it plans for.
    pub fn config(&self) -> &PlanConfig {
        &self.config
    }

    /// What should be.
    pub fn desired(&self) -> &Desired {
        &self.desired
    }

    /// What is there.
    pub fn observed(&self) -> &Observed {
        &self.observed
    }

    /// The packet filter: numbers and variant.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// `true` while the packet filter takes batches.
    pub fn nft_online(&self) -> bool {
        self.nft.is_online()
    }

    /// The objects of the packet filter wanted.
    pub fn wanted_nft(&self) -> impl Iterator<Item = (&NftKey, &CellId, &NftBody)> {
        self.nft.wanted()
    }

    /// Local VLANs.
    pub fn vlans(&self) -> &LocalVlans {
        &self.vlans
    }

    /// What was done so far.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// `true` once everything was rendered after the first complete snapshot, so that what nobody asked for goes.
    pub fn is_settled_in(&self) -> bool {
        self.settled_in
    }

    /// The flows wanted on a bridge.
    pub fn wanted_flows(
        &self,
        bridge: &str,
    ) -> impl Iterator<Item = (&FlowKey, &CellId, &FlowBody)> {
        self.flows.get(bridge).into_iter().flat_map(Ledger::wanted)
    }

    /// The flows known to stand on a bridge.
    pub fn installed_flows(&self, bridge: &str) -> impl Iterator<Item = (&FlowKey, &FlowBody)> {
        self.flows
            .get(bridge)
            .into_iter()
            .flat_map(Ledger::installed)
    }

    /// `true` while the bridge's flow connection is up.
    pub fn bridge_online(&self, bridge: &str) -> bool {
        self.flows.get(bridge).is_some_and(Ledger::is_online)
    }

    /// The rows wanted.
    pub fn wanted_rows(&self) -> impl Iterator<Item = (&RowKey, &CellId, &Row)> {
        self.rows.wanted()
    }

    /// The reports wanted.
    pub fn wanted_reports(&self) -> impl Iterator<Item = (&PortId, &CellId, &PortReport)> {
        self.reports.wanted()
    }

    /// Takes a step of the source in.
    pub fn delta(&mut self, delta: Delta) {
        if let Delta::Port(port) = &delta
            && self.reports.contains(&port.id)
        {
            self.reports.observe(&port.id, Some(values::shown(port)));
        }
        for change in self.desired.apply(delta) {
            self.on_change(change);
        }
    }

    /// Takes an executor's word in.
    pub fn event(&mut self, event: ExecEvent, now: Now) {
        match event {
            ExecEvent::Facts(facts) => {
                for fact in facts {
                    self.fact(fact, now);
                }
            }
            ExecEvent::FlowsUp { bridge, flows } => self.on_flows_up(&bridge, flows, now),
            ExecEvent::Floods { bridge, ports } => self.on_floods(&bridge, ports),
            ExecEvent::FlowsDown { bridge, .. } => {
                let gone = self.observed.switch_up() && self.observed.bridge(&bridge).is_none();
                if let Some(ledger) = self.flows.get_mut(&bridge) {
                    if gone {
                        ledger.assume_empty()
                    } else {
                        ledger.go_offline()
                    }
                }
            }
            ExecEvent::NftUp {
                variant,
                found,
                reading,
            } => {
                self.nft_reading = reading;
                self.on_nft_up(variant, found);
            }
            ExecEvent::NftDown { .. } => self.nft.go_offline(),
            ExecEvent::NftUnable { reason } => self.on_nft_unable(reason),
            ExecEvent::Connections(found) => self.on_connections(found),
            ExecEvent::ReportsUp(true) => self.reports.go_online(),
            ExecEvent::ReportsUp(false) => self.reports.pause(),
            ExecEvent::Finished {
                target,
                id,
                outcome,
            } => self.finish(&target, id, &outcome, now),
        }
    }

    /// Takes one fact in.
    pub fn fact(&mut self, fact: Fact, now: Now) {
        for seen in self.observed.apply(fact) {
            self.on_seen(seen, now);
        }
    }

    fn finish(&mut self, target: &Target, id: u64, outcome: &Outcome, now: Now) {
        self.stats.refused += match outcome {
            Outcome::Done { refused, .. } => refused.len() as u64,
            Outcome::Rejected { .. } => 1,
            Outcome::Lost { .. } => 0,
        };
        match target {
            Target::Flows(bridge) => {
                self.note_flushed(id, outcome);
                if let Some(ledger) = self.flows.get_mut(bridge) {
                    ledger.finish(id, outcome, now.mono_ms);
                }
            }
            Target::Rows => {
                if let Outcome::Done {
                    next_cfg: Some(cfg),
                    ..
                } = outcome
                {
                    self.await_applied(*cfg, now);
                }
                let vifs = self.vifs_under_way();
                if matches!(outcome, Outcome::Lost { .. }) {
                    self.doubtful.extend(vifs.iter().cloned());
                }
                self.rows.finish(id, outcome, now.mono_ms);
                self.finish_leaving(id, outcome, now);
                for name in vifs {
                    self.look_for(&name);
                }
            }
            Target::Links => {
                self.links.finish(id, outcome, now.mono_ms);
            }
            Target::Nft => {
                if self.nft_confirming.take_if(|batch| *batch == id).is_some() {
                    self.nft_to_confirm |= !matches!(outcome, Outcome::Done { .. });
                }
                self.nft.finish(id, outcome, now.mono_ms);
            }
            Target::Conntrack => self.finish_conntrack(id, outcome),
            Target::Reports => {
                self.note_misreported();
                self.reports.finish(id, outcome, now.mono_ms);
            }
        }
    }

    /// A report that was under way when its port went may have met a new port of the same id: that one has to be told
    /// again what it is.
    fn note_misreported(&mut self) {
        let stray =
            |id: &PortId| self.reports.want(id).is_none() && self.desired.port(*id).is_some();
        let stray: Vec<PortId> = self.reports.in_flight().copied().filter(stray).collect();
        for id in stray {
            self.misreported.insert(id);
            self.mark(CellId::new(cell::Key::Port(id), Facet::Report));
        }
    }

    /// The tags of the row batch under way count as wired when `ovs-vswitchd` reaches this `next_cfg`.
    fn await_applied(&mut self, cfg: i64, now: Now) {
        let keys: Vec<RowKey> = self.rows.in_flight().cloned().collect();
        let reached = self.observed.cur_cfg() >= cfg;
        for key in keys {
            match key {
                RowKey::Vif(name) if reached => self.note_wired(&name, now.unix_us),
                RowKey::Vif(name) | RowKey::Bridge(name) if !reached => {
                    self.applying.insert(name.clone(), cfg);
                    self.to_apply.push_back((cfg, name));
                }
                _ => {}
            }
        }
    }

    /// Renders dirty cells, at most `budget` of them, and returns the batches that can go now. `true` if there is
    /// more to render.
    pub fn step(&mut self, now: Now, budget: usize) -> (Vec<Batch>, bool) {
        let mut left = budget;
        // The kernel is not kept waiting for what is rendered meanwhile.
        let mut batches = Vec::new();
        if self.nft.has_only_new() {
            batches.extend(self.take_nft(now));
        }
        if self.observed.switch_complete() {
            loop {
                self.follow_moved();
                let Some(cell) = self.pop_dirty() else {
                    if self.drain_vlans() {
                        continue;
                    }
                    break;
                };
                let items = self.render_cell(&cell);
                left = left.saturating_sub(1 + items / ITEMS_PER_CELL);
                if left == 0 {
                    break;
                }
            }
        }
        let more = left == 0;
        if !more {
            self.settle_in();
        }
        batches.extend(self.take_batches(now));
        (batches, more)
    }

    fn view<'a>(&'a self, standing: &'a dyn Fn(&CellId) -> Standing) -> View<'a> {
        View {
            int_flows: self.flows.get(&self.config.integration_bridge),
            config: &self.config,
            desired: &self.desired,
            observed: &self.observed,
            vlans: &self.vlans,
            attachments: &self.attachments,
            index: &self.index,
            times: &self.times,
            standing,
            applying: &self.applying,
            doubtful: &self.doubtful,
            rows: &self.rows,
            reports: &self.reports,
            misreported: &self.misreported,
            filter: &self.filter,
        }
    }

    /// Renders without touching anything; the second value lists the cells it found not standing.
    fn render(&self, cell: &CellId) -> (Rendered, Vec<CellId>) {
        let asked = RefCell::new(Vec::new());
        let standing = |other: &CellId| {
            let standing = self.standing(other);
            if standing != Standing::Is(CellState::Settled) {
                asked.borrow_mut().push(other.clone());
            }
            standing
        };
        let rendered = render::render(cell, &self.view(&standing));
        (rendered, asked.into_inner())
    }

    fn attach(&self, id: PortId) -> Option<Attachment> {
        let standing = |other: &CellId| self.standing(other);
        render::attach(&self.view(&standing), id)
    }

    /// Where a cell stands for those who depend on it.
    pub fn standing(&self, cell: &CellId) -> Standing {
        if self.is_dirty.contains(cell) {
            return Standing::Is(CellState::Pending);
        }
        if let Some(need) = self.cells.get(cell).and_then(|c| c.need.clone()) {
            return Standing::Waits(need);
        }
        match (&cell.key, self.ledger_state(cell)) {
            // A set stands when the flows of its members do.
            (cell::Key::Remote(set), CellState::Settled) if self.index.is_open(*set) => {
                Standing::Is(CellState::Pending)
            }
            (_, state) => Standing::Is(state),
        }
    }

    /// Where a cell stands with its executor.
    pub fn ledger_state(&self, cell: &CellId) -> CellState {
        match cell.facet {
            Facet::Bridges | Facet::Patch | Facet::PhysPatch | Facet::Tunnel | Facet::Tag => {
                self.rows.state(cell)
            }
            Facet::Link | Facet::FilterLink => self.links.state(cell),
            Facet::FilterBase
            | Facet::FilterRules
            | Facet::FilterRemote
            | Facet::FilterMember
            | Facet::Filter => self.nft.state(cell),
            Facet::Report => self.reports.state(cell),
            Facet::IntBase
            | Facet::IntPatch
            | Facet::SegInt
            | Facet::Guard
            | Facet::Pass
            | Facet::Zone
            | Facet::Multicast
            | Facet::FlowRules
            | Facet::FlowSet
            | Facet::FlowMember
            | Facet::Station => self.flow_state(&self.config.integration_bridge, cell),
            Facet::Group => CellState::Settled,
            Facet::TunBase | Facet::TunnelIn | Facet::SegTun | Facet::Flood => {
                self.flow_state(&self.config.tunnel_bridge, cell)
            }
            Facet::PhysBase | Facet::SegPhys => self
                .config
                .bridge_mappings
                .values()
                .map(|bridge| self.flow_state(bridge, cell))
                .find(|state| *state != CellState::Settled)
                .unwrap_or(CellState::Settled),
        }
    }

    fn flow_state(&self, bridge: &str, cell: &CellId) -> CellState {
        self.flows
            .get(bridge)
            .map_or(CellState::Settled, |ledger| ledger.state(cell))
    }

    /// The number of items it came to.
    fn render_cell(&mut self, id: &CellId) -> usize {
        self.stats.cells_rendered += 1;
        let (rendered, asked) = self.render(id);
        for other in asked {
            self.waiters.entry(other).or_default().insert(id.clone());
        }
        let mut cell = self.cells.remove(id).unwrap_or_default();
        let tag = match (&id.key, id.facet) {
            (cell::Key::Vif(name), Facet::Tag) => Some(name.clone()),
            _ => None,
        };
        let tag_before = tag
            .clone()
            .and_then(|name| self.rows.want(&RowKey::Vif(name)).cloned());
        let mut need = rendered.need;
        if rendered.items.is_some() {
            self.unclaimed.remove(id);
        } else if !self.settled_in && id.facet.is_firewall() {
            self.unclaimed.insert(id.clone());
        }
        if let Some(items) = rendered.items {
            let old = std::mem::take(&mut cell.keys);
            let mut keys: Vec<ItemKey> = Vec::with_capacity(items.len());
            let gone = no_longer(old, &items);
            for key in &gone {
                self.unset(key, id);
            }
            self.filter_takes_away(id, &gone);
            for item in items {
                let key = key_of(&item);
                match self.set(&key, id, item) {
                    Ok(()) => keys.push(key),
                    Err(owner) => {
                        self.stats.conflicts += 1;
                        self.waiters
                            .entry(owner.clone())
                            .or_default()
                            .insert(id.clone());
                        need = need.or(Some(Need::Conflict(Box::new(owner))));
                    }
                }
            }
            cell.keys = keys;
        }
        if cell.need != need {
            self.note(id, need.as_ref());
        }
        cell.need = need;
        let n_items = cell.keys.len();
        if n_items > 0 || cell.need.is_some() {
            self.cells.insert(id.clone(), cell);
        }
        self.on_moved(id);
        self.follow_firewall(id);
        if let Some(name) = tag
            && self.rows.want(&RowKey::Vif(name.clone())) != tag_before.as_ref()
        {
            self.look_for(&name);
        }
        n_items
    }

    fn note(&mut self, id: &CellId, need: Option<&Need>) {
        let had = self.noted.contains(id);
        let tells = need.is_some_and(Need::is_trouble) && id.facet.is_told();
        if tells {
            self.noted.insert(id.clone());
        } else if had && need.is_none() {
            self.noted.remove(id);
        } else {
            return;
        }
        self.notes.push(Note {
            cell: id.clone(),
            need: need.filter(|_| tells).cloned(),
        });
    }

    /// What a person should read of the last steps.
    pub fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    fn set(&mut self, key: &ItemKey, cell: &CellId, item: Item) -> Result<(), CellId> {
        match (key, item) {
            (ItemKey::Flow(bridge, key), Item::Flow(_, flow)) => match self.flows.get_mut(bridge) {
                Some(ledger) => {
                    let body = match key.is_no_flood() {
                        Some(_) => FlowBody::no_flood(),
                        None => FlowBody {
                            cookie: cookie::OWNER | u64::from(cell.cookie()),
                            actions: flow.actions,
                        },
                    };
                    ledger.set(key, cell, body)?;
                    if flows::zone_of(key).is_some_and(|zone| self.vlans.is_unflushed(zone)) {
                        ledger.renew(key);
                    }
                    Ok(())
                }
                None => Ok(()),
            },
            (ItemKey::Row(key), Item::Row(_, row)) => {
                self.rows.set(key, cell, row)?;
                self.observe_row(key);
                Ok(())
            }
            (ItemKey::Link(name), Item::Link(_, state)) => {
                self.links.set(name, cell, state)?;
                self.observe_link(name);
                Ok(())
            }
            (ItemKey::Nft(key), Item::Nft(_, body)) => self.nft.set(key, cell, body),
            (ItemKey::Report(id), Item::Report(report)) => {
                let first = !self.reports.contains(id);
                self.misreported.remove(id);
                self.reports.set(id, cell, report)?;
                if first && let Some(port) = self.desired.port(*id) {
                    self.reports.observe(id, Some(values::shown(port)));
                }
                Ok(())
            }
            // `key` was made from `item`.
            _ => Ok(()),
        }
    }

    fn unset(&mut self, key: &ItemKey, cell: &CellId) {
        match key {
            ItemKey::Flow(bridge, key) => {
                if let Some(ledger) = self.flows.get_mut(bridge) {
                    ledger.unset(key, cell);
                }
            }
            ItemKey::Row(key @ RowKey::Port(_)) => self.rows.unset(key, cell),
            ItemKey::Row(key) => self.rows.forget(key, cell),
            ItemKey::Link(name) => self.links.forget(name, cell),
            ItemKey::Nft(key) => self.nft.unset(key, cell),
            ItemKey::Report(port) => self.reports.forget(port, cell),
        }
    }
}

/// The keys that are not among those of the items. Most renderings differ in a few keys, if in any: what is the same at
/// both ends is only compared.
fn no_longer(mut old: Vec<ItemKey>, items: &[Item]) -> Vec<ItemKey> {
    let is_same = |(key, item): &(&ItemKey, &Item)| **key == key_of(item);
    let first = old.iter().zip(items).take_while(is_same).count();
    let (_, items) = items.split_at(first);
    old.drain(..first);
    let last = old.iter().rev().zip(items.iter().rev());
    let last = last.take_while(is_same).count();
    old.truncate(old.len() - last);
    if !old.is_empty() {
        let items = items.iter().take(items.len() - last);
        let wanted: FxHashSet<ItemKey> = items.map(key_of).collect();
        old.retain(|key| !wanted.contains(key));
    }
    old
}

fn key_of(item: &Item) -> ItemKey {
    match item {
        Item::Flow(bridge, flow) => ItemKey::Flow(bridge.clone(), Box::new(flow.key.clone())),
        Item::Row(key, _) => ItemKey::Row(key.clone()),
        Item::Link(name, _) => ItemKey::Link(name.clone()),
        Item::Nft(key, _) => ItemKey::Nft(key.clone()),
        Item::Report(report) => ItemKey::Report(report.port),
    }
}

#[cfg(test)]
mod tests;
