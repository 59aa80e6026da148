//! Answers to people: the stores and the planner as the shapes of the admin socket.

use std::collections::BTreeMap;

use super::dump_groups;
use super::run::Agent;
use crate::admin::shape::*;
use crate::admin::{AdminReply, AdminRequest, Command};
use crate::model::observed::OfportState;
use crate::model::{PortId, PortStatus};
use crate::plan::cell::CellState;
use crate::plan::explain::StepState;
use crate::plan::inspect::CellView;

impl Agent {
    /// Answers one question. Whoever asked may have gone.
    pub(super) fn on_admin(&mut self, request: AdminRequest) {
        self.metrics.event("admin");
        let reply = match request.command {
            Command::Status => AdminReply::Status(Box::new(self.status())),
            Command::PortExplain { id } => self.explain(&id),
            Command::DumpDesired => AdminReply::Desired(self.dump_desired()),
            Command::DumpObserved => AdminReply::Observed(self.dump_observed()),
            Command::DumpCells {
                matching,
                unsettled,
            } => AdminReply::Cells(self.dump_cells(matching.as_deref(), unsettled)),
            Command::Audit => AdminReply::Audit(self.audit()),
        };
        // Nobody waits any more: nothing to do.
        let _ = request.reply.send(reply);
    }

    fn audit(&mut self) -> Audit {
        const SHOWN: usize = 8;
        let different = self.planner.audit();
        let findings = self.planner.lint();
        Audit {
            cells: self.planner.cells().len() as u64,
            differences: different.len() as u64,
            different: different
                .iter()
                .take(SHOWN)
                .map(ToString::to_string)
                .collect(),
            findings: findings.iter().map(ToString::to_string).collect(),
        }
    }

    fn status(&self) -> Status {
        let planner = &self.planner;
        let observed = planner.observed();
        let part = |part: &str, up: bool, detail: Option<String>| PartStatus {
            part: part.to_owned(),
            up,
            detail,
        };
        let mut parts = vec![
            part(
                "source",
                self.source_up.is_ok(),
                self.source_up.clone().err(),
            ),
            part("snapshot", planner.desired().is_complete(), None),
            part(
                "ovsdb",
                observed.switch_up(),
                (!observed.switch_up()).then(|| self.switch_lost.to_string()),
            ),
            part("links", observed.links_complete(), None),
        ];
        parts.extend(planner.config().bridges().iter().map(|b| {
            part(
                &format!("flows {b}"),
                planner.bridge_online(b),
                self.no_flows(b),
            )
        }));
        let mut cells = CellCounts {
            pending: (planner.n_leaving() + planner.n_dirty()) as u64,
            ..CellCounts::default()
        };
        for cell in planner.cells() {
            *match (&cell.state, &cell.need) {
                (CellState::Failed(_), _) => &mut cells.failed,
                (_, Some(_)) => &mut cells.blocked,
                (CellState::Pending, None) => &mut cells.pending,
                (CellState::Settled, None) => &mut cells.settled,
            } += 1;
        }
        let stats = planner.stats();
        let counters = [
            ("cells_rendered", stats.cells_rendered),
            ("flow_batches", stats.flow_batches),
            ("flows", stats.flows),
            ("row_batches", stats.row_batches),
            ("rows", stats.rows),
            ("link_batches", stats.link_batches),
            ("nft_batches", stats.nft_batches),
            ("nft_items", stats.nft_items),
            ("report_batches", stats.report_batches),
            ("reports", stats.reports),
            ("refused", stats.refused),
            ("conflicts", stats.conflicts),
            ("audit_differences", stats.audit_differences),
            ("batches_in_flight", self.executors.n_in_flight() as u64),
            ("cells_dirty", planner.n_dirty() as u64),
        ];
        let statuses = [
            PortStatus::Build,
            PortStatus::Active,
            PortStatus::Down,
            PortStatus::Error,
        ];
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            host: self.config.host.to_string(),
            pid: std::process::id(),
            uptime_s: self.started.elapsed().as_secs(),
            parts,
            vifs: planner.summary().0,
            ports: statuses
                .iter()
                .map(|s| (s.name().to_owned(), planner.n_ports_with(*s) as u64))
                .collect(),
            local_vlans: planner.vlans().iter().count() as u64,
            cells,
            counters: counters
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        }
    }

    /// Why there is no flow connection, if there is none.
    fn no_flows(&self, bridge: &str) -> Option<String> {
        let observed = self.planner.observed();
        if self.planner.bridge_online(bridge) {
            None
        } else if observed.switch_up() && observed.bridge(bridge).is_none() {
            Some("no such bridge".to_owned())
        } else {
            Some(format!(
                "nobody answers on {}/{bridge}.mgmt: is ovs-vswitchd running?",
                self.config.ovs.ovs_rundir.display()
            ))
        }
    }

    /// Finds a port by id, beginning of an id, name, or device.
    fn find_port(&self, text: &str) -> Result<PortId, String> {
        if let Ok(id) = text.parse() {
            return Ok(id);
        }
        let planner = &self.planner;
        if let Some(id) = planner.observed().port(text).and_then(|p| p.iface_id) {
            return Ok(id);
        }
        let named: Vec<PortId> = planner
            .desired()
            .ports()
            .filter(|p| &*p.name == text)
            .map(|p| p.id)
            .collect();
        let found = if named.is_empty() {
            let begins = |id: &PortId| text.len() >= 4 && id.to_string().starts_with(text);
            planner
                .desired()
                .ports()
                .map(|p| p.id)
                .filter(begins)
                .collect()
        } else {
            named
        };
        match found.as_slice() {
            [id] => Ok(*id),
            [] if !planner.desired().is_complete() => Err(format!(
                "no port with the id, name or device «{text}» is known yet: the agent has not read all of the control \
                 plane (see `vifd status`)"
            )),
            [] => Err(format!(
                "no port of this host has the id, name or device «{text}»"
            )),
            several => Err(format!(
                "«{text}» fits {} ports: give the whole id",
                several.len()
            )),
        }
    }

    fn explain(&self, text: &str) -> AdminReply {
        let id = match self.find_port(text) {
            Ok(id) => id,
            Err(why) => return AdminReply::not_found(why),
        };
        let planner = &self.planner;
        let port = planner.desired().port(id);
        let vif = planner
            .observed()
            .vif(id, &self.config.ovs.integration_bridge);
        if port.is_none() && vif.is_none() {
            return AdminReply::not_found(format!(
                "port {id}: not bound to this host, and no VIF with this iface-id is on {}",
                self.config.ovs.integration_bridge
            ));
        }
        let network = port.and_then(|p| planner.desired().network(p.network));
        let story = planner.explain(id);
        let status = planner
            .wanted_reports()
            .find(|(p, _, _)| **p == id)
            .map(|(_, _, r)| r.status);
        let steps = story.steps.into_iter().map(|step| Step {
            step: step.name.to_owned(),
            state: match step.state {
                StepState::Done => State::Done,
                StepState::Waiting => State::Waiting,
                StepState::Failed => State::Failed,
            },
            detail: step.detail,
            since: None,
        });
        AdminReply::PortExplain(PortExplain {
            id: id.to_string(),
            name: port.map(|p| p.name.to_string()).unwrap_or_default(),
            network: network
                .map(|n| format!("{} ({})", n.name, n.id))
                .unwrap_or_default(),
            device: vif.map(|v| v.name.to_string()),
            status: status
                .or(port.map(|p| p.status))
                .map_or("unknown", PortStatus::name)
                .to_owned(),
            steps: steps.collect(),
            verdict: story.verdict,
        })
    }

    fn dump_desired(&self) -> DumpDesired {
        let planner = &self.planner;
        let desired = planner.desired();
        let vlans: BTreeMap<_, _> = planner
            .vlans()
            .iter()
            .map(|(s, v)| (s, v.number()))
            .collect();
        let mut dump = DumpDesired {
            complete: desired.is_complete(),
            ..DumpDesired::default()
        };
        dump.networks = desired
            .networks()
            .map(|n| DesiredNetwork {
                id: n.id.to_string(),
                name: n.name.to_string(),
                admin_up: n.admin_up,
                mtu: n.mtu,
                segments: n
                    .segments
                    .iter()
                    .map(|s| DesiredSegment {
                        id: s.id.to_string(),
                        network_type: s.network_type.name().to_owned(),
                        physical_network: s
                            .network_type
                            .physical_network()
                            .map(ToString::to_string),
                        segmentation_id: s.network_type.segmentation_id(),
                        local_vlan: vlans
                            .get(&crate::plan::cell::SegKey {
                                network: n.id,
                                segment: s.id,
                            })
                            .copied(),
                    })
                    .collect(),
                unusable: n.unusable.as_ref().map(ToString::to_string),
            })
            .collect();
        dump.networks.sort_by(|a, b| a.id.cmp(&b.id));
        dump.subnets = desired
            .subnets()
            .map(|s| DesiredSubnet {
                id: s.id.to_string(),
                network: s.network.to_string(),
                cidr: s.cidr.to_string(),
                gateway: s.gateway.map(|g| g.to_string()),
            })
            .collect();
        dump.subnets.sort_by(|a, b| a.id.cmp(&b.id));
        dump.ports = desired
            .ports()
            .map(|p| DesiredPort {
                id: p.id.to_string(),
                name: p.name.to_string(),
                network: p.network.to_string(),
                mac: p.mac.to_string(),
                ips: p.fixed_ips.iter().map(|f| f.ip.to_string()).collect(),
                allowed_pairs: p
                    .allowed_pairs
                    .iter()
                    .map(|pair| match pair.mac {
                        Some(mac) => format!("{} {mac}", pair.prefix),
                        None => pair.prefix.to_string(),
                    })
                    .collect(),
                admin_up: p.admin_up,
                port_security: p.port_security,
                groups: p.groups.iter().map(ToString::to_string).collect(),
                device_owner: p.device_owner.to_string(),
                status: p.status.name().to_owned(),
                unusable: p.unusable.as_ref().map(ToString::to_string),
            })
            .collect();
        dump.ports.sort_by(|a, b| a.id.cmp(&b.id));
        dump.groups = dump_groups::groups(desired);
        dump.sets = dump_groups::sets(desired);
        dump.endpoints = desired
            .endpoints()
            .map(|e| DesiredEndpoint {
                host: e.host.to_string(),
                kind: e.kind.name().to_owned(),
                ip: e.ip.to_string(),
            })
            .collect();
        dump.endpoints
            .sort_by(|a, b| (&a.host, &a.kind).cmp(&(&b.host, &b.kind)));
        dump
    }

    fn dump_observed(&self) -> DumpObserved {
        let observed = self.planner.observed();
        let mut dump = DumpObserved {
            switch_up: observed.switch_up(),
            switch_complete: observed.switch_complete(),
            cur_cfg: observed.cur_cfg(),
            ..DumpObserved::default()
        };
        dump.bridges = observed
            .bridges()
            .map(|b| ObservedBridge {
                name: b.name.to_string(),
                datapath_type: b.datapath_type.to_string(),
                fail_mode: b.fail_mode.as_ref().map(ToString::to_string),
                owner: b.owner.as_ref().map(ToString::to_string),
            })
            .collect();
        dump.bridges.sort_by(|a, b| a.name.cmp(&b.name));
        dump.ports = observed
            .ports()
            .map(|p| ObservedPort {
                name: p.name.to_string(),
                bridge: p.bridge.to_string(),
                tag: p.tag,
                kind: p.kind.to_string(),
                ofport: match p.ofport {
                    OfportState::Assigned(number) => Some(number.number()),
                    _ => None,
                },
                error: p.error.as_ref().map(ToString::to_string),
                iface_id: p.iface_id.map(|id| id.to_string()),
                attached_mac: p.attached_mac.map(|mac| mac.to_string()),
                owner: p.owner.as_ref().map(ToString::to_string),
            })
            .collect();
        dump.ports
            .sort_by(|a, b| (&a.bridge, &a.name).cmp(&(&b.bridge, &b.name)));
        dump.links = observed
            .links()
            .map(|l| ObservedLink {
                name: l.name.to_string(),
                mtu: l.mtu,
                up: l.up,
            })
            .collect();
        dump.links.sort_by(|a, b| a.name.cmp(&b.name));
        dump.addresses = observed.addresses().map(|ip| ip.to_string()).collect();
        dump.addresses.sort();
        dump
    }

    fn dump_cells(&self, matching: Option<&str>, unsettled: bool) -> DumpCells {
        let cells = self.planner.cells().into_iter().map(cell).filter(|cell| {
            matching.is_none_or(|text| cell.cell.contains(text) || cell.facet.contains(text))
                && (!unsettled || cell.state != State::Done)
        });
        DumpCells {
            cells: cells.collect(),
        }
    }
}

fn cell(view: CellView) -> DumpCell {
    let state = match (&view.state, &view.need) {
        (CellState::Failed(_), _) => State::Failed,
        (CellState::Settled, None) => State::Done,
        _ => State::Waiting,
    };
    let (attempts, last_error) = match view.refused {
        Some((attempts, reason)) => (attempts, Some(reason)),
        None => (0, None),
    };
    DumpCell {
        cell: view.id.key.to_string(),
        facet: view.id.facet.name().to_owned(),
        state,
        items: view.items,
        blocked_on: view.need.map(|need| need.to_string()),
        attempts,
        last_error,
    }
}
