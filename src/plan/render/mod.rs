//! Cell → items. Pure: the same view gives the same items, for an event and for an audit alike.

mod host;
mod physnet;
mod port;
mod segment;
mod tunnel;

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::cell::{CellId, CellState, Facet, Key, Need, SegKey};
use super::config::PlanConfig;
use super::firewall::nft::{self, Filter};
use super::firewall::openflow;
use super::flows::Flow;
use super::ledger::Ledger;
use super::vlans::LocalVlans;
use crate::model::observed::OfportState;
use crate::model::{Desired, FirewallDriver, Observed, Ofport, PortId};
use crate::ops::flow::{FlowBody, FlowKey};
use crate::ops::link::LinkState;
use crate::ops::nft::{NftBody, NftKey};
use crate::ops::report::PortReport;
use crate::ops::row::{Row, RowKey};

/// One thing that should stand.
#[derive(Clone, PartialEq, Debug)]
pub enum Item {
    /// A flow of a bridge.
    Flow(Arc<str>, Box<Flow>),
    /// A row.
    Row(RowKey, Row),
    /// A device.
    Link(Arc<str>, LinkState),
    /// An object of the packet filter.
    Nft(NftKey, NftBody),
    /// A report.
    Report(PortReport),
}

impl Item {
    pub(in crate::plan) fn flow(bridge: &Arc<str>, flow: Flow) -> Item {
        Item::Flow(bridge.clone(), Box::new(flow))
    }
}

/// What a cell comes to.
#[derive(Clone, PartialEq, Debug)]
pub struct Rendered {
    /// What should stand; `None` leaves whatever stands.
    pub items: Option<Vec<Item>>,
    /// What is missing for the entity to be what was asked for.
    pub need: Option<Need>,
}

impl Rendered {
    /// All is known.
    pub fn ready(items: Vec<Item>) -> Rendered {
        Rendered {
            items: Some(items),
            need: None,
        }
    }

    /// Nothing is asked for.
    pub fn absent() -> Rendered {
        Rendered::ready(Vec::new())
    }

    /// Nothing can stand until the need is met.
    pub fn blocked(need: Need) -> Rendered {
        Rendered {
            items: Some(Vec::new()),
            need: Some(need),
        }
    }

    /// What stands is right to stay until the need is met.
    pub fn held(need: Need) -> Rendered {
        Rendered {
            items: None,
            need: Some(need),
        }
    }

    /// These stand instead of what was asked for.
    pub fn degraded(items: Vec<Item>, need: Need) -> Rendered {
        Rendered {
            items: Some(items),
            need: Some(need),
        }
    }
}

/// Where a port is wired on this host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attachment {
    /// The VIF on the integration bridge.
    pub vif: Arc<str>,
    /// The segment it is on.
    pub segment: SegKey,
}

/// Where another cell stands, as a dependent sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// As its ledger says.
    Is(CellState),
    /// It waits itself.
    Waits(Need),
}

/// Moments of a port's wiring, in µs since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Times {
    /// Its VIF was first seen.
    pub seen_at: Option<u64>,
    /// The switch confirmed its wiring.
    pub wired_at: Option<u64>,
}

/// Everything that rendering may look at.
pub struct View<'a> {
    /// Configuration.
    pub config: &'a PlanConfig,
    /// What should be.
    pub desired: &'a Desired,
    /// What is there.
    pub observed: &'a Observed,
    /// Local VLANs.
    pub vlans: &'a LocalVlans,
    /// Ports wired here.
    pub attachments: &'a FxHashMap<PortId, Attachment>,
    /// Who shares what in the firewall.
    pub index: &'a openflow::Index,
    /// When ports were seen and wired.
    pub times: &'a FxHashMap<PortId, Times>,
    /// The flows of the integration bridge.
    pub int_flows: Option<&'a Ledger<FlowKey, FlowBody>>,
    /// Where other cells stand.
    pub standing: &'a dyn Fn(&CellId) -> Standing,
    /// VIFs whose tag `ovs-vswitchd` has not applied, with the `next_cfg` they wait for.
    pub applying: &'a FxHashMap<Arc<str>, i64>,
    /// VIFs of which it is not known what the database says.
    pub doubtful: &'a FxHashSet<Arc<str>>,
    /// The rows wanted and known.
    pub rows: &'a Ledger<RowKey, Row>,
    /// What the control plane was or will be told.
    pub reports: &'a Ledger<PortId, PortReport>,
    /// Ports whose row may carry a report that was meant for an earlier port of the same id.
    pub misreported: &'a FxHashSet<PortId>,
    /// The packet filter.
    pub filter: &'a Filter,
}

impl View<'_> {
    /// `Ok` once a bridge that vifd makes itself is there.
    fn own_bridge(&self, name: &str) -> Result<(), Need> {
        match self.observed.bridge(name) {
            Some(_) => Ok(()),
            None => Err(Need::Cell(Box::new(CellId::new(Key::Host, Facet::Bridges)))),
        }
    }

    /// The OpenFlow number of a port on a bridge, or what it lacks.
    pub(super) fn ofport(&self, bridge: &str, name: &str) -> Result<Ofport, Need> {
        let Some(port) = self.observed.port(name).filter(|p| &*p.bridge == bridge) else {
            return Err(Need::Ofport(Arc::from(name)));
        };
        match port.ofport {
            OfportState::Assigned(number) => Ok(number),
            OfportState::Unassigned => Err(Need::Ofport(Arc::from(name))),
            OfportState::Failed => Err(Need::OfportFailed(Arc::from(name), port.error.clone())),
        }
    }

    /// `true` once the flows of the integration bridge were read.
    pub(super) fn has_read_flows(&self) -> bool {
        self.int_flows.is_some_and(Ledger::was_read)
    }

    /// `true` if that flow of the integration bridge is wanted or known to stand.
    pub(super) fn is_installed(&self, key: &FlowKey) -> bool {
        self.int_flows.is_some_and(|ledger| ledger.contains(key))
    }

    /// `true` if that flow of the integration bridge is wanted or may stand.
    pub(super) fn may_stand(&self, key: &FlowKey) -> bool {
        self.int_flows
            .is_none_or(|ledger| !ledger.was_read() || ledger.contains(key))
    }

    /// `Ok` if the cell stands, `Err` with what to wait for otherwise.
    pub(super) fn stands(&self, key: Key, facet: Facet) -> Result<(), Need> {
        let cell = CellId::new(key, facet);
        match (self.standing)(&cell) {
            Standing::Is(CellState::Settled) => Ok(()),
            Standing::Is(CellState::Pending) => Err(Need::Cell(Box::new(cell))),
            Standing::Is(CellState::Failed(reason)) => Err(Need::Failed(Box::new(cell), reason)),
            Standing::Waits(need) => Err(need),
        }
    }
}

/// Renders one cell.
pub fn render(cell: &CellId, view: &View<'_>) -> Rendered {
    match (&cell.key, cell.facet) {
        (Key::Host, Facet::Bridges) => host::bridges(view),
        (Key::Host, Facet::Patch) => host::patch(view),
        (Key::Host, Facet::IntBase) => host::int_base(view),
        (Key::Host, Facet::IntPatch) => host::int_patch(view),
        (Key::Host, Facet::TunBase) => host::tun_base(view),
        (Key::Physnet(name), Facet::PhysPatch) => physnet::patch(view, name),
        (Key::Physnet(name), Facet::PhysBase) => physnet::base(view, name),
        (Key::Endpoint(endpoint), Facet::Tunnel) => tunnel::port(view, endpoint),
        (Key::Endpoint(endpoint), Facet::TunnelIn) => tunnel::inbound(view, endpoint),
        (Key::Segment(key), Facet::SegInt) => segment::int(view, *key),
        (Key::Segment(key), Facet::SegPhys) => segment::phys(view, *key),
        (Key::Segment(key), Facet::SegTun) => segment::tun(view, *key),
        (Key::Segment(key), Facet::Flood) => segment::flood(view, *key),
        (Key::Port(id), Facet::Guard) => match view.config.firewall {
            FirewallDriver::OpenFlow => openflow::guard(view, *id),
            FirewallDriver::Noop | FirewallDriver::Nft => port::guard(view, *id),
        },
        (Key::Segment(key), Facet::Multicast) => openflow::multicast(view, *key),
        (Key::Segment(key), Facet::Zone) => openflow::zone(view, *key),
        (Key::Group(id), Facet::Group) => openflow::group(view, *id),
        (Key::FlowProfile(profile), Facet::FlowRules) => openflow::rules(view, profile),
        (Key::Remote(set), Facet::FlowSet) => openflow::set(view, *set),
        (Key::Peer(peer), Facet::FlowMember) => openflow::member(view, peer),
        (Key::Station(segment, mac), Facet::Station) => openflow::station(view, *segment, *mac),
        (Key::Port(id), Facet::Link) => port::link(view, *id),
        (Key::Port(id), Facet::Report) => port::report(view, *id),
        (Key::Vif(name), Facet::Tag) => port::tag(view, name),
        (Key::Vif(name), Facet::Pass) => port::pass(view, name),
        (Key::Host, Facet::FilterBase) => nft::render::base(view),
        (Key::Profile(number), Facet::FilterRules) => nft::render::profile(view, *number),
        (Key::Remote(id), Facet::FilterRemote) => nft::render::remote(view, *id),
        (Key::Member(id, net), Facet::FilterMember) => nft::render::member(view, *id, *net),
        (Key::Port(id), Facet::FilterLink) => nft::render::link(view, *id),
        (Key::Port(id), Facet::Filter) => nft::render::port(view, *id),
        // No other combination is ever made; were it, it would ask for nothing.
        _ => Rendered::absent(),
    }
}

pub(super) use port::attach;
