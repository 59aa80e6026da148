//! Typed rows of the Open_vSwitch schema (ovs-vswitchd.conf.db(5)), as far as an agent needs
//! them.
//!
//! Each type is declared once by the `table!` macro: the declaration is the list of columns to
//! monitor, the reader of a replica row, and, through `Eq`, the detection of changes. Columns
//! that are not monitored read as their default. Statistics are left out on purpose: they
//! change every few seconds on every row. Held by the tests below and `tests/server_ops.rs`.

mod field;
mod tables;

pub use field::{StrMap, UuidSet};
pub use tables::{Bridge, Controller, Interface, OpenVSwitch, Port};

use crate::monitor::TableMonitor;
use crate::replica::{IndexSpec, Row, RowChange};
use crate::uuid::Uuid;

/// Name of the database.
pub const DATABASE: &str = "Open_vSwitch";

/// A typed row.
pub trait Table: Sized {
    /// Name of the table.
    const NAME: &'static str;
    /// The columns the type reads.
    const COLUMNS: &'static [&'static str];

    /// Reads a replica row.
    fn from_row(uuid: Uuid, row: &Row) -> Self;

    /// A monitor of exactly the columns the type reads.
    fn monitor() -> TableMonitor {
        TableMonitor::new(Self::NAME, Self::COLUMNS.iter().copied())
    }
}

/// A typed row before and after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed<T> {
    /// The row as it was.
    pub old: Option<T>,
    /// The row as it is.
    pub new: Option<T>,
}

impl<T: Table> Changed<T> {
    /// Reads a change, if it is one of this table.
    pub fn from_change(change: &RowChange) -> Option<Self> {
        if *change.table != *T::NAME {
            return None;
        }
        let read = |row: &std::sync::Arc<Row>| T::from_row(change.uuid, row);
        Some(Self {
            old: change.old.as_ref().map(read),
            new: change.new.as_ref().map(read),
        })
    }

    /// True if `field` differs between the sides; a row that appears or goes counts as
    /// different.
    pub fn differs<F: PartialEq>(&self, field: impl Fn(&T) -> &F) -> bool {
        match (&self.old, &self.new) {
            (Some(old), Some(new)) => field(old) != field(new),
            _ => true,
        }
    }
}

/// A change of one of the typed tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The one row of Open_vSwitch.
    OpenVSwitch(Changed<OpenVSwitch>),
    /// A bridge.
    Bridge(Changed<Bridge>),
    /// A port.
    Port(Changed<Port>),
    /// An interface.
    Interface(Changed<Interface>),
    /// A controller.
    Controller(Changed<Controller>),
}

impl Change {
    /// Reads a change; `None` for other tables.
    pub fn read(change: &RowChange) -> Option<Self> {
        Some(match &*change.table {
            OpenVSwitch::NAME => Self::OpenVSwitch(Changed::from_change(change)?),
            Bridge::NAME => Self::Bridge(Changed::from_change(change)?),
            Port::NAME => Self::Port(Changed::from_change(change)?),
            Interface::NAME => Self::Interface(Changed::from_change(change)?),
            Controller::NAME => Self::Controller(Changed::from_change(change)?),
            _ => return None,
        })
    }
}

/// Monitors of all typed tables.
pub fn monitors() -> Vec<TableMonitor> {
    vec![
        OpenVSwitch::monitor(),
        Bridge::monitor(),
        Port::monitor(),
        Interface::monitor(),
        Controller::monitor(),
    ]
}

/// Indexes [`crate::ops`] needs: names, the way up from interface to bridge, and iface-id.
pub fn indexes() -> Vec<IndexSpec> {
    vec![
        IndexSpec::column("Bridge", "name"),
        IndexSpec::column("Bridge", "ports"),
        IndexSpec::column("Port", "name"),
        IndexSpec::column("Port", "interfaces"),
        IndexSpec::column("Interface", "name"),
        IndexSpec::key("Interface", "external_ids", "iface-id"),
    ]
}

/// What ovs-vswitchd has said about an interface's OpenFlow port number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ofport {
    /// Not looked at yet.
    Pending,
    /// The interface could not be made; see its `error` column.
    Failed,
    /// The number in use.
    Assigned(u16),
}

impl Interface {
    /// The realised port number.
    pub fn ofport(&self) -> Ofport {
        match self.ofport_raw {
            None => Ofport::Pending,
            Some(n) => u16::try_from(n).map_or(Ofport::Failed, Ofport::Assigned),
        }
    }
}

impl OpenVSwitch {
    /// True if ovs-vswitchd has applied every configuration up to and including `next_cfg`.
    pub const fn has_applied(&self, next_cfg: i64) -> bool {
        self.cur_cfg >= next_cfg
    }
}
