//! A host without a host: rows, flows, devices and a control plane that obey batches, one at a time, and can be made
//! to fail. It shares no code with the executors; it only keeps the contract of [`crate::ops`].

#[path = "mishaps.rs"]
mod mishaps;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;
use uuid::Uuid;

use crate::model::observed::OfportState;
use crate::model::*;
use crate::ops::conntrack::{Connection, CtItems};
use crate::ops::flow::{FlowBody, FlowKey, cookie};
use crate::ops::nft::{NftBatch, NftBody, NftKey, Variant};
use crate::ops::report::PortReport;
use crate::ops::row::{Row, RowKey, VifRow};
use crate::ops::{Batch, ExecEvent, FlowItem, Items, Outcome, Target};
use crate::plan::config::{FILTER_BATCH, PlanConfig};
use crate::plan::{Now, Planner};

pub fn net_id(n: u128) -> NetworkId {
    NetworkId(Uuid::from_u128(0x1000 + n))
}

pub fn port_id(n: u128) -> PortId {
    PortId(Uuid::from_u128(0x2000 + n))
}

pub fn seg_id(n: u128) -> SegmentId {
    SegmentId(Uuid::from_u128(0x3000 + n))
}

pub fn config() -> PlanConfig {
    PlanConfig {
        host: "hv1".into(),
        integration_bridge: "br-int".into(),
        tunnel_bridge: "br-tun".into(),
        int_peer_patch_port: "patch-tun".into(),
        tun_peer_patch_port: "patch-int".into(),
        datapath_type: "netdev".into(),
        bridge_mappings: BTreeMap::from([(Arc::from("physnet1"), Arc::from("br-ex"))]),
        local_ip: Some("192.0.2.1".parse().unwrap()),
        tunnel_types: vec![TunnelType::Gre, TunnelType::Vxlan],
        vxlan_udp_port: 4789,
        dont_fragment: true,
        firewall: crate::model::FirewallDriver::Noop,
        filter_batch: FILTER_BATCH,
        tunnel_csum: false,
    }
}

pub fn network(n: u128, network_type: NetworkType) -> Network {
    Network {
        id: net_id(n),
        name: format!("net{n}").into(),
        admin_up: true,
        mtu: 1450,
        segments: vec![Segment {
            id: seg_id(n),
            network_type,
        }],
        unusable: None,
    }
}

pub fn vxlan(n: u128, key: u32) -> Network {
    network(
        n,
        NetworkType::Tunnel {
            kind: TunnelType::Vxlan,
            key,
        },
    )
}

pub fn port(n: u128, net: u128) -> Port {
    Port {
        id: port_id(n),
        network: net_id(net),
        name: format!("port{n}").into(),
        mac: mac(n),
        admin_up: true,
        host: "hv1".into(),
        device_owner: "compute:nova".into(),
        fixed_ips: vec![FixedIp {
            ip: [10, 0, (n >> 8) as u8, n as u8].into(),
            subnet: None,
        }],
        allowed_pairs: vec![],
        port_security: true,
        groups: vec![],
        status: PortStatus::Build,
        binding_error: None,
        unusable: None,
    }
}

pub fn mac(n: u128) -> Mac {
    Mac([0xfa, 0x16, 0x3e, 0, (n >> 8) as u8, n as u8])
}

pub fn endpoint(n: u8) -> Endpoint {
    Endpoint {
        host: format!("hv{n}").as_str().into(),
        kind: TunnelType::Vxlan,
        ip: [192, 0, 2, n].into(),
    }
}

/// The switch's rows and flows, the host's devices, the control plane's wishes and what it was told.
#[derive(Clone, Default)]
pub struct World {
    pub deltas: BTreeMap<String, Delta>,
    pub statuses: FxHashMap<PortId, (PortStatus, Option<Arc<str>>)>,
    pub bridges: BTreeMap<Arc<str>, BridgeFact>,
    pub ports: BTreeMap<Arc<str>, PortFact>,
    pub flows: BTreeMap<Arc<str>, FxHashMap<FlowKey, FlowBody>>,
    pub nft: FxHashMap<NftKey, NftBody>,
    /// What was asked of the connection tracker.
    pub conntrack: Vec<CtItems>,
    /// The connections that it knows.
    pub connections: Vec<Connection>,
    pub connected: BTreeSet<Arc<str>>,
    pub next_cfg: i64,
    /// What `ovs-vswitchd` has applied of it.
    pub cur_cfg: i64,
    pub next_ofport: i64,
    pub next_row: u128,
    /// `ovs-vswitchd` looks at the rows when [`World::apply`] says so, not at once.
    pub lazy: bool,
    /// What it does, by port name.
    pub in_force: BTreeMap<Arc<str>, InForce>,
    /// The networks whose connections a conntrack zone may hold.
    pub zones: BTreeMap<u16, BTreeSet<NetworkId>>,
    /// Ports whose tag somebody else wrote last.
    pub theirs: BTreeSet<Arc<str>>,
    /// Looked at after every modification of a flow; what it found first.
    pub watch: Option<fn(&World) -> Option<String>>,
    pub found: Option<String>,
    pub pending: Vec<Batch>,
    pub time: u64,
    /// What the agent is configured to enforce groups with; nothing if `None`.
    pub firewall: Option<FirewallDriver>,
    /// All filtered ports share one table of connections.
    pub has_no_zones: bool,
    /// Most objects of the packet filter in one transaction.
    pub filter_batch: usize,
}

/// What `ovs-vswitchd` does with a port of the integration bridge.
#[derive(Clone, Debug)]
pub struct InForce {
    pub tag: Option<u16>,
    pub ofport: Ofport,
    pub iface_id: Option<PortId>,
    /// The network that its tag stood for when vifd wrote it.
    pub network: Option<NetworkId>,
    /// It is on a network, and it was vifd that put it there.
    pub wired: bool,
}

impl World {
    /// A host with an operator's bridge to the wire.
    pub fn new() -> World {
        let mut world = World {
            next_ofport: 1,
            filter_batch: FILTER_BATCH,
            ..World::default()
        };
        world.add_bridge("br-ex", None);
        world
    }

    /// The same, with flows that enforce security groups.
    pub fn with_flow_firewall() -> World {
        World {
            firewall: Some(FirewallDriver::OpenFlow),
            ..World::new()
        }
    }

    fn add_bridge(&mut self, name: &str, owner: Option<Arc<str>>) {
        let name: Arc<str> = name.into();
        self.bridges.insert(
            name.clone(),
            BridgeFact {
                name: name.clone(),
                datapath_type: "netdev".into(),
                fail_mode: None,
                owner,
            },
        );
        self.flows.insert(name, FxHashMap::default());
    }

    pub fn now(&self) -> Now {
        Now {
            mono_ms: self.time,
            unix_us: self.time * 1000,
        }
    }

    /// A planner that has been told everything that is there.
    pub fn start_agent(&mut self) -> Planner {
        let mut planner = self.start_agent_without_flows();
        self.connect_all(&mut planner);
        if self.firewall == Some(FirewallDriver::Nft) {
            self.tell_nft(&mut planner);
        }
        self.tell_source(&mut planner);
        planner
    }

    /// An agent that has read the switch's database, and no flows yet.
    pub fn start_agent_without_flows(&mut self) -> Planner {
        let mut planner = self.new_agent();
        self.tell_switch(&mut planner);
        planner.fact(Fact::LinksComplete, self.now());
        planner
    }

    /// An agent that knows nothing but an address; what the one before had under way is lost.
    pub fn new_agent(&mut self) -> Planner {
        self.pending.clear();
        self.connected.clear();
        let mut planner = Planner::new(PlanConfig {
            firewall: self.firewall.unwrap_or(FirewallDriver::Noop),
            filter_batch: self.filter_batch,
            ..config()
        });
        planner.fact(Fact::Address("192.0.2.1".parse().unwrap()), self.now());
        planner
    }

    /// The packet filter as it stands.
    pub fn tell_nft(&self, planner: &mut Planner) {
        let found = self.nft.iter().map(|(k, b)| (k.clone(), b.clone()));
        let variant = Variant::Bridge {
            zones: !self.has_no_zones,
        };
        let found = found.collect();
        planner.event(
            ExecEvent::NftUp {
                variant,
                found,
                reading: 1,
            },
            self.now(),
        );
    }

    pub fn tell_source(&mut self, planner: &mut Planner) {
        planner.event(ExecEvent::ReportsUp(true), self.now());
        planner.delta(Delta::SnapshotBegin);
        for delta in self.deltas.values() {
            planner.delta(self.with_status(delta.clone()));
        }
        planner.delta(Delta::SnapshotEnd);
    }

    fn with_status(&self, delta: Delta) -> Delta {
        match delta {
            Delta::Port(mut port) => {
                if let Some((status, reason)) = self.statuses.get(&port.id) {
                    port.status = *status;
                    port.binding_error = reason.clone();
                }
                Delta::Port(port)
            }
            other => other,
        }
    }

    pub fn tell_switch(&self, planner: &mut Planner) {
        let mut facts = vec![Fact::SwitchBegin];
        facts.extend(self.bridges.values().cloned().map(Fact::Bridge));
        facts.extend(self.ports.values().cloned().map(Fact::Port));
        facts.push(Fact::SwitchComplete {
            cur_cfg: self.cur_cfg,
            next_cfg: self.next_cfg,
        });
        planner.event(ExecEvent::Facts(facts), self.now());
    }

    pub fn connect_all(&mut self, planner: &mut Planner) {
        let names: Vec<Arc<str>> = self.bridges.keys().cloned().collect();
        for bridge in names {
            self.connect(planner, &bridge);
        }
    }

    fn connect(&mut self, planner: &mut Planner, bridge: &Arc<str>) {
        if !planner.config().bridges().contains(bridge) || !self.connected.insert(bridge.clone()) {
            return;
        }
        let flows = self.flows[bridge]
            .iter()
            .filter(|(_, body)| body.cookie & cookie::OWNER_MASK == cookie::OWNER);
        let flows = flows
            .map(|(key, body)| (key.clone(), body.clone()))
            .collect();
        planner.event(
            ExecEvent::FlowsUp {
                bridge: bridge.clone(),
                flows,
            },
            self.now(),
        );
    }

    /// Control plane: an object comes, changes or goes.
    pub fn wish(&mut self, planner: &mut Planner, delta: Delta) {
        let name = |delta: &Delta| match delta {
            Delta::Network(n) => format!("1 {}", n.id),
            Delta::NetworkGone(id) => format!("1 {id}"),
            Delta::Port(p) => format!("3 {}", p.id),
            Delta::PortGone(id) => format!("3 {id}"),
            Delta::Endpoint(e) | Delta::EndpointGone(e) => format!("2 {e:?}"),
            Delta::Group(group) => format!("4 {}", group.id),
            Delta::GroupGone(id) => format!("4 {id}"),
            Delta::Member(member) => format!("5 {:?} {:?}", member.set, member.id),
            other => format!("9 {other:?}"),
        };
        match &delta {
            Delta::Member(member) if member.addresses.is_empty() => {
                self.deltas.remove(&name(&delta));
            }
            Delta::RemoteGone(set) => {
                let of_set = format!("5 {set:?} ");
                self.deltas.retain(|name, _| !name.starts_with(&of_set));
            }
            Delta::NetworkGone(_)
            | Delta::PortGone(_)
            | Delta::EndpointGone(_)
            | Delta::GroupGone(_) => {
                self.deltas.remove(&name(&delta));
                if let Delta::PortGone(id) = &delta {
                    self.statuses.remove(id);
                }
            }
            _ => {
                self.deltas.insert(name(&delta), delta.clone());
            }
        }
        planner.delta(self.with_status(delta));
    }

    fn row(&mut self) -> Uuid {
        self.next_row += 1;
        Uuid::from_u128(0x7000 + self.next_row)
    }

    fn vif(&mut self, name: &str, id: PortId, mac: Mac, ofport: OfportState) -> PortFact {
        PortFact {
            name: name.into(),
            row: self.row(),
            bridge: "br-int".into(),
            tag: None,
            trunk: false,
            hint: None,
            owner: None,
            kind: "".into(),
            options: BTreeMap::new(),
            ofport,
            error: None,
            iface_id: Some(id),
            attached_mac: Some(mac),
        }
    }

    /// Somebody plugs a VIF, as Neutron's plugger does: dead until told otherwise.
    pub fn plug(&mut self, planner: &mut Planner, name: &str, id: PortId, mac: Mac) {
        let fact = self.vif(name, id, mac, OfportState::Unassigned);
        self.ports.insert(name.into(), fact.clone());
        self.theirs.remove(name);
        planner.fact(Fact::Port(fact), self.now());
        self.vswitchd(planner);
    }

    /// A VIF goes. The switch is quicker than anybody who is told.
    pub fn unplug(&mut self, planner: &mut Planner, name: &str) {
        if self.ports.remove(name).is_some() {
            if let Some(old) = self.in_force.remove(name)
                && let Some(flows) = self.flows.get_mut("br-int")
            {
                flows.remove(&FlowKey::no_flood(old.ofport.number()));
            }
            planner.fact(Fact::PortGone(name.into()), self.now());
        }
    }

    fn vswitchd(&mut self, planner: &mut Planner) {
        if !self.lazy {
            self.apply(planner);
        }
    }

    /// `ovs-vswitchd` looks at the rows: numbers for new ports, then `cur_cfg`.
    pub fn apply(&mut self, planner: &mut Planner) {
        let now = self.now();
        for fact in self.ports.values_mut() {
            if fact.ofport == OfportState::Unassigned {
                fact.ofport = OfportState::Assigned(Ofport::new(self.next_ofport).unwrap());
                self.next_ofport += 1;
                planner.fact(Fact::Port(fact.clone()), now);
            }
        }
        self.in_force = self
            .ports
            .values()
            .filter(|fact| &*fact.bridge == "br-int")
            .filter_map(|fact| {
                let OfportState::Assigned(ofport) = fact.ofport else {
                    return None;
                };
                let is_dead = fact.tag == Some(LocalVlan::DEAD);
                let wired = fact.is_wired() && !is_dead && !self.theirs.contains(&fact.name);
                let port = InForce {
                    tag: fact.tag,
                    ofport,
                    iface_id: fact.iface_id,
                    network: fact.hint.as_ref().map(|hint| hint.network),
                    wired,
                };
                Some((fact.name.clone(), port))
            })
            .collect();
        for port in self.in_force.values().filter(|port| port.wired) {
            if let (Some(zone), Some(network)) = (port.tag, port.network) {
                self.zones.entry(zone).or_default().insert(network);
            }
        }
        self.cur_cfg = self.next_cfg;
        planner.fact(Fact::Applied(self.next_cfg), now);
        self.connect_all(planner);
    }

    /// Lets the planner think until it has nothing more to hand out.
    pub fn think(&mut self, planner: &mut Planner) {
        loop {
            let (batches, more) = planner.step(self.now(), 64);
            self.pending.extend(batches);
            if !more {
                break;
            }
        }
    }

    /// Carries one pending batch out.
    pub fn carry_out(&mut self, planner: &mut Planner, at: usize) {
        let batch = self.pending.remove(at);
        let mut facts = Vec::new();
        let mut refused = Vec::new();
        let mut next_cfg = None;
        match &batch.items {
            Items::Flows(items) => {
                let Target::Flows(bridge) = &batch.target else {
                    panic!("flows without a bridge")
                };
                let gone =
                    |(at, item)| (!self.can_stand(item)).then_some((at, Arc::from("no such port")));
                refused.extend(items.iter().enumerate().filter_map(gone));
                for item in in_order(items) {
                    self.apply_flow(bridge, item);
                }
            }
            Items::Rows(items) => {
                for (at, (key, row)) in items.iter().enumerate() {
                    if let (RowKey::Vif(name), Some(Row::Vif(row))) = (key, row)
                        && !self.is_meant(name, row)
                    {
                        refused.push((at, Arc::from("no such port")));
                    }
                }
                facts = self.apply_rows(items);
                self.next_cfg += 1;
                next_cfg = Some(self.next_cfg);
            }
            Items::Links(_) => {}
            Items::Conntrack(items) => {
                self.conntrack.push(items.clone());
                match items {
                    CtItems::List(scopes) => {
                        let held = |c: &&Connection| scopes.iter().any(|s| s.holds(c));
                        let found = self.connections.iter().filter(held).cloned().collect();
                        planner.event(ExecEvent::Connections(found), self.now());
                    }
                    CtItems::Cut(list) => self.connections.retain(|c| !list.contains(c)),
                }
            }
            Items::Nft(batch) => self.apply_nft(batch),
            Items::Reports(reports) => {
                for (at, report) in reports.iter().enumerate() {
                    if self.deltas.contains_key(&format!("3 {}", report.port)) {
                        self.report(report);
                    } else {
                        refused.push((at, Arc::from("no such port")));
                    }
                }
            }
        }
        planner.event(ExecEvent::Facts(facts), self.now());
        let outcome = Outcome::Done { refused, next_cfg };
        planner.event(
            ExecEvent::Finished {
                target: batch.target.clone(),
                id: batch.id,
                outcome,
            },
            self.now(),
        );
        if batch.target == Target::Rows {
            self.vswitchd(planner);
        }
    }

    fn report(&mut self, report: &PortReport) {
        if report.status == PortStatus::Active {
            assert!(
                report.seen_at.is_some() && report.seen_at <= report.wired_at,
                "{report:?}"
            );
        }
        self.statuses
            .insert(report.port, (report.status, report.reason.clone()));
    }

    fn apply_nft(&mut self, batch: &NftBatch) {
        for (key, body) in &batch.items {
            match body {
                Some(body) => self.nft.insert(key.clone(), body.clone()),
                None => self.nft.remove(key),
            };
        }
    }

    /// `false` for what is said of a port that is not there.
    fn can_stand(&self, item: &FlowItem) -> bool {
        let there = |number| {
            self.in_force
                .values()
                .any(|port| port.ofport.number() == number)
        };
        item.body.is_none() || item.key.is_no_flood().is_none_or(there)
    }

    fn apply_flow(&mut self, bridge: &Arc<str>, item: &FlowItem) {
        if !self.can_stand(item) {
            return;
        }
        if let Some(zone) = item.zone {
            self.zones.remove(&zone);
        }
        let missing = item.key.matching.missing_prereq();
        assert_eq!(missing, None, "a switch refuses {:?}", item.key);
        let flows = self.flows.get_mut(bridge).unwrap();
        match &item.body {
            Some(body) => flows.insert(item.key.clone(), body.clone()),
            None => flows.remove(&item.key),
        };
        if let Some(watch) = self.watch
            && self.found.is_none()
        {
            self.found = watch(self).map(|what| format!("{what}, after {item:?}"));
        }
    }

    /// `true` if the VIF of that name is the one that the row is for.
    fn is_meant(&self, name: &str, row: &VifRow) -> bool {
        self.ports.get(name).is_some_and(|fact| {
            fact.row == row.vif.row
                && fact.iface_id == Some(row.vif.iface_id)
                && row
                    .vif
                    .ofport
                    .is_none_or(|number| fact.ofport == OfportState::Assigned(number))
        })
    }

    fn apply_rows(&mut self, items: &[(RowKey, Option<Row>)]) -> Vec<Fact> {
        let mut facts = Vec::new();
        for (key, row) in items {
            match (key, row) {
                (RowKey::Bridge(name), Some(Row::Bridge(row))) => {
                    if !self.bridges.contains_key(name) {
                        assert!(row.create, "asked to write to a bridge that is not there");
                        self.add_bridge(name, Some("hv1".into()));
                    }
                    let bridge = self.bridges.get_mut(name).unwrap();
                    if row.fail_mode.is_some() {
                        bridge.fail_mode = row.fail_mode.clone();
                    }
                    facts.push(Fact::Bridge(bridge.clone()));
                }
                (RowKey::Port(name), Some(Row::Port(row))) => {
                    let row_id = self.row();
                    let old = self.ports.get(name);
                    let fact = PortFact {
                        name: name.clone(),
                        row: old.map_or(row_id, |old| old.row),
                        bridge: row.bridge.clone(),
                        tag: None,
                        trunk: false,
                        hint: None,
                        owner: Some("hv1".into()),
                        kind: row.kind.clone(),
                        options: row.options.clone(),
                        ofport: old.map_or(OfportState::Unassigned, |o| o.ofport),
                        error: None,
                        iface_id: None,
                        attached_mac: None,
                    };
                    self.ports.insert(name.clone(), fact.clone());
                    facts.push(Fact::Port(fact));
                }
                (RowKey::Port(name), None) => {
                    assert!(
                        self.ports
                            .get(name)
                            .is_none_or(|p| p.owner.as_deref() == Some("hv1")),
                        "{name}: not ours"
                    );
                    if self.ports.remove(name).is_some() {
                        facts.push(Fact::PortGone(name.clone()));
                    }
                }
                (RowKey::Vif(name), Some(Row::Vif(row))) => {
                    if self.is_meant(name, row)
                        && let Some(fact) = self.ports.get_mut(name)
                    {
                        self.theirs.remove(name);
                        fact.tag = Some(row.tag);
                        if row.hint.is_some() {
                            fact.hint = row.hint.clone();
                        }
                        facts.push(Fact::Port(fact.clone()));
                    }
                }
                other => panic!("never asked for: {other:?}"),
            }
        }
        facts
    }

    /// Carries everything out until nothing is pending and nothing is retried.
    pub fn quiesce(&mut self, planner: &mut Planner) {
        for round in 0.. {
            assert!(round < 10_000, "does not converge: {:?}", self.pending);
            self.think(planner);
            if self.pending.is_empty() && self.is_behind() {
                self.apply(planner);
                continue;
            }
            if self.pending.is_empty() {
                match planner.next_deadline() {
                    Some(at) => self.time = self.time.max(at),
                    None => break,
                }
                continue;
            }
            self.carry_out(planner, 0);
        }
    }

    /// `ovs-vswitchd` has something to look at.
    fn is_behind(&self) -> bool {
        let unseen = |port: &PortFact| port.ofport == OfportState::Unassigned;
        self.cur_cfg != self.next_cfg || self.ports.values().any(unseen)
    }

    /// Everything that would be written by an agent that starts now.
    pub fn restart_writes(&self) -> Vec<Batch> {
        let mut copy = self.clone();
        let mut planner = copy.start_agent();
        copy.think(&mut planner);
        copy.pending
    }
}

impl World {
    /// Like [`World::plug`] with its number given at once, without telling anybody.
    pub fn plug_quietly(&mut self, name: &str, id: PortId, mac: Mac, told: &mut Option<PortFact>) {
        let ofport = OfportState::Assigned(Ofport::new(self.next_ofport).unwrap());
        let fact = self.vif(name, id, mac, ofport);
        self.next_ofport += 1;
        self.ports.insert(name.into(), fact.clone());
        *told = Some(fact);
    }
}

/// In the order of the executor of flows: ports, then what is to stand, then what is to go.
fn in_order(items: &[FlowItem]) -> Vec<&FlowItem> {
    let mut ordered: Vec<&FlowItem> = items.iter().collect();
    ordered.sort_by_key(|item| (item.key.is_no_flood().is_none(), item.body.is_none()));
    ordered
}
