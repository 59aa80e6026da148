//! When is what stands good enough: the values of each ledger, and how facts become values.

use std::sync::Arc;

use nft::name::Name;
use nft::ruleset::{ChainState, TableState};

use super::ledger::Value;
use crate::model::{BridgeFact, OfportState, Port, PortFact, PortStatus};
use crate::ops::flow::FlowBody;
use crate::ops::link::LinkState;
use crate::ops::nft::NftBody;
use crate::ops::report::PortReport;
use crate::ops::row::{BridgeRow, PortRow, Row, VifId, VifRow};

impl Value for FlowBody {
    fn satisfied_by(&self, installed: &Self) -> bool {
        self == installed
    }
}

impl Value for LinkState {
    fn satisfied_by(&self, installed: &Self) -> bool {
        (self.mtu.is_none() || self.mtu == installed.mtu)
            && self.up == installed.up
            && (!self.netfilter || installed.netfilter)
    }
}

impl Value for NftBody {
    fn satisfied_by(&self, installed: &Self) -> bool {
        self == installed
    }

    /// Tables differ by the lengths of prefixes and the numbers of remote sets that are looked up: with more rules more
    /// is looked up.
    fn extends(&self, installed: &Self) -> bool {
        match (self, installed) {
            (NftBody::Table(new), NftBody::Table(old)) => has_all_rules(new, old),
            _ => false,
        }
    }
}

/// Whether the one has the rules of the other, in their order, in the same chains and with the same sets.
fn has_all_rules(new: &TableState, old: &TableState) -> bool {
    let has_chain = |(name, old): (&Name, &ChainState)| {
        let Some(new) = new.chains.get(name) else {
            return false;
        };
        let mut rules = new.rules.iter();
        new.chain == old.chain
            && old
                .rules
                .iter()
                .all(|rule| rules.any(|other| other.rule.expressions == rule.rule.expressions))
    };
    new.sets == old.sets && old.chains.iter().all(has_chain)
}

impl Value for PortReport {
    /// Times are written along with a change of status, never for their own sake.
    fn satisfied_by(&self, installed: &Self) -> bool {
        self.status == installed.status
            && (self.status != PortStatus::Error || self.reason == installed.reason)
    }
}

impl Value for Row {
    /// Columns and keys that are not asked for are somebody else's.
    fn satisfied_by(&self, installed: &Self) -> bool {
        match (self, installed) {
            (Row::Bridge(want), Row::Bridge(have)) => {
                want.fail_mode.is_none() || want.fail_mode == have.fail_mode
            }
            (Row::Port(want), Row::Port(have)) => {
                want.bridge == have.bridge
                    && want.kind == have.kind
                    && want
                        .options
                        .iter()
                        .all(|(key, value)| have.options.get(key) == Some(value))
            }
            (Row::Vif(want), Row::Vif(have)) => {
                want.tag == have.tag && (want.hint.is_none() || want.hint == have.hint)
            }
            _ => false,
        }
    }
}

/// A bridge as it stands.
pub fn bridge_row(fact: &BridgeFact) -> Row {
    Row::Bridge(BridgeRow {
        datapath_type: Some(fact.datapath_type.clone()),
        fail_mode: fact.fail_mode.clone(),
        create: false,
    })
}

/// A port as it stands.
pub fn port_row(fact: &PortFact) -> Row {
    Row::Port(PortRow {
        bridge: fact.bridge.clone(),
        kind: fact.kind.clone(),
        options: fact.options.clone(),
    })
}

/// A VIF's tag as it stands; a trunk satisfies nothing.
pub fn vif_row(fact: &PortFact) -> Option<Row> {
    let tag = fact.tag.filter(|_| !fact.trunk)?;
    Some(Row::Vif(VifRow {
        vif: vif_id(fact)?,
        tag,
        hint: fact.hint.clone(),
    }))
}

/// A VIF as it is seen, with the number that it has.
pub fn vif_id(fact: &PortFact) -> Option<VifId> {
    Some(VifId {
        row: fact.row,
        iface_id: fact.iface_id?,
        ofport: match fact.ofport {
            OfportState::Assigned(number) => Some(number),
            OfportState::Unassigned | OfportState::Failed => None,
        },
    })
}

/// `true` if the two differ in more than what vifd itself writes on a VIF.
pub fn differs_for_planning(old: &PortFact, new: &PortFact) -> bool {
    old.row != new.row
        || old.bridge != new.bridge
        || old.owner != new.owner
        || old.kind != new.kind
        || old.options != new.options
        || old.ofport != new.ofport
        || old.error != new.error
        || old.iface_id != new.iface_id
        || old.attached_mac != new.attached_mac
}

/// The mark of this host.
pub fn is_owned_by(fact: &PortFact, host: &str) -> bool {
    fact.owner
        .as_ref()
        .is_some_and(|owner: &Arc<str>| &**owner == host)
}

/// What the control plane shows for a port.
pub fn shown(port: &Port) -> PortReport {
    PortReport {
        port: port.id,
        status: port.status,
        reason: port.binding_error.clone(),
        seen_at: None,
        wired_at: None,
    }
}
