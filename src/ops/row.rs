//! Rows of the switch's database that vifd answers for.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use crate::model::{Ofport, PortId, VlanHint};

/// Which row.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RowKey {
    /// A bridge, by name.
    Bridge(Arc<str>),
    /// A port with its interface that is vifd's own (patch, tunnel), by name.
    Port(Arc<str>),
    /// The tag of a VIF that somebody else plugged, by port name; [`VifRow::vif`] says which one of that name.
    Vif(Arc<str>),
}

/// What should stand in it. A column that is not mentioned is not vifd's and is left alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Row {
    /// A bridge.
    Bridge(BridgeRow),
    /// A port of vifd's own.
    Port(PortRow),
    /// The tag of a VIF.
    Vif(VifRow),
}

/// Columns of a bridge.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BridgeRow {
    /// `datapath_type`, written when the bridge is created and when it differs; `None` leaves it.
    pub datapath_type: Option<Arc<str>>,
    /// `fail_mode`.
    pub fail_mode: Option<Arc<str>>,
    /// `true`: create it, marked as ours, when it does not exist. `false`: it is the operator's; never created.
    pub create: bool,
}

/// Columns of a port and its interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PortRow {
    /// The bridge it is on.
    pub bridge: Arc<str>,
    /// `Interface.type`.
    pub kind: Arc<str>,
    /// Keys of `Interface.options` with their values; other keys are left alone.
    pub options: BTreeMap<Arc<str>, Arc<str>>,
}

/// The VIF that is meant, as it was seen. Another one may bear its name by the time that a transaction reaches it; that
/// one is left alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VifId {
    /// `Port._uuid`.
    pub row: Uuid,
    /// `Interface.external_ids:iface-id`.
    pub iface_id: PortId,
    /// `Interface.ofport`; `None`: whatever it is.
    pub ofport: Option<Ofport>,
}

/// Columns of a VIF's port row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VifRow {
    /// Whose.
    pub vif: VifId,
    /// `Port.tag`; 4095 is the dead VLAN. `vlan_mode` and `trunks` are cleared with it.
    pub tag: u16,
    /// What `Port.other_config` remembers for the next start; `None` leaves what is there.
    pub hint: Option<VlanHint>,
}
