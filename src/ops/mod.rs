//! What executors are asked to do and what they answer: typed values, no sockets, no clocks.
//!
//! Every executor is asked for *items*: a key, and what should stand under it (`None`: nothing). Asking twice for the
//! same is harmless, and an executor that was cut off between two bytes is asked again after it has told what it
//! found. One batch is in flight per executor, or two at the packet filter, which are carried out in order; the planner
//! answers for the order of what depends on each other, the executor for the order inside a batch (add, then modify, then
//! delete).

pub mod conntrack;
pub mod flow;
pub mod link;
pub mod nft;
pub mod report;
pub mod row;

use std::sync::Arc;

use self::nft::{NftBatch, NftBody, NftKey, Variant};
use crate::model::Fact;
use conntrack::{Connection, CtItems};
use flow::{FlowBody, FlowKey};
use link::LinkState;
use report::PortReport;
use row::{Row, RowKey};

/// One executor: it takes one batch at a time.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Target {
    /// The flows of this bridge.
    Flows(Arc<str>),
    /// Rows of the switch's database.
    Rows,
    /// Devices of the host.
    Links,
    /// The packet filter.
    Nft,
    /// Tracked connections.
    Conntrack,
    /// The control plane.
    Reports,
}

/// Items for one executor.
#[derive(Clone, PartialEq, Debug)]
pub struct Batch {
    /// Who.
    pub target: Target,
    /// Comes back in the [`Outcome`].
    pub id: u64,
    /// What.
    pub items: Items,
}

/// A flow, what the switch learned through one that goes, and the connections that one stands for which comes or goes.
#[derive(Clone, PartialEq, Debug)]
pub struct FlowItem {
    /// Which flow.
    pub key: FlowKey,
    /// What should stand; `None` deletes it (strictly).
    pub body: Option<FlowBody>,
    /// Deleted with it (loosely, restricted to [`flow::cookie::LEARNED`]): a table and a match.
    pub learned: Option<(u8, ofproto::matching::Match)>,
    /// Emptied with it, before it stands or after it is gone: a conntrack zone of the datapath.
    pub zone: Option<u16>,
}

/// The items of a batch, by kind.
#[derive(Clone, PartialEq, Debug)]
pub enum Items {
    /// Flows.
    Flows(Vec<FlowItem>),
    /// Rows: all in one transaction. None at all ask only when `ovs-vswitchd` has followed what was written so far.
    Rows(Vec<(RowKey, Option<Row>)>),
    /// Devices.
    Links(Vec<(Arc<str>, LinkState)>),
    /// Objects of the packet filter: all in one transaction.
    Nft(NftBatch),
    /// Tracked connections.
    Conntrack(CtItems),
    /// Reports.
    Reports(Vec<PortReport>),
}

impl Items {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Items::Flows(items) => items.len(),
            Items::Rows(items) => items.len(),
            Items::Links(items) => items.len(),
            Items::Nft(batch) => batch.items.len(),
            Items::Conntrack(items) => items.len(),
            Items::Reports(items) => items.len(),
        }
    }

    /// `true` if there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What became of a batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It was carried out; the items that were refused, by index, with the reason.
    Done {
        /// Refused items.
        refused: Vec<(usize, Arc<str>)>,
        /// Rows only: the `next_cfg` that this batch asked `ovs-vswitchd` to reach.
        next_cfg: Option<i64>,
    },
    /// Nothing of it stands, and one of the items is to blame (a transaction is all or nothing).
    Rejected {
        /// The item at fault, if the answer told.
        at: Option<usize>,
        /// Why.
        reason: Arc<str>,
    },
    /// The connection went before the answer: how much of it stands is unknown until the executor tells again.
    Lost {
        /// Why.
        reason: Arc<str>,
    },
}

/// What an executor tells the agent.
#[derive(Clone, PartialEq, Debug)]
pub enum ExecEvent {
    /// Observations.
    Facts(Vec<Fact>),
    /// A bridge's flow connection is up; these flows carry our mark (learned ones left out).
    FlowsUp {
        /// The bridge.
        bridge: Arc<str>,
        /// What stands there.
        flows: Vec<(FlowKey, FlowBody)>,
    },
    /// A bridge's flow connection is gone.
    FlowsDown {
        /// The bridge.
        bridge: Arc<str>,
        /// Why.
        reason: Arc<str>,
    },
    /// On a bridge whose flow connection is up another hand has changed what the switch floods to, or a device was
    /// replaced. Not told: what a batch does, and ports that are gone.
    Floods {
        /// The bridge.
        bridge: Arc<str>,
        /// OpenFlow ports, and whether the switch floods nothing to them now.
        ports: Vec<(u16, bool)>,
    },
    /// The packet filter can be used; this is what stands of vifd's tables.
    NftUp {
        /// The design that the kernel can carry.
        variant: Variant,
        /// What stands.
        found: Vec<(NftKey, NftBody)>,
        /// The number of this reading.
        reading: u64,
    },
    /// The packet filter takes nothing for now. What stands stays.
    NftDown {
        /// Why.
        reason: Arc<str>,
    },
    /// The kernel lacks what filtering needs.
    NftUnable {
        /// What is missing.
        reason: Arc<str>,
    },
    /// The answer to [`CtItems::List`]; comes before its `Finished`.
    Connections(Vec<Connection>),
    /// The batch is finished.
    Finished {
        /// Whose.
        target: Target,
        /// Which.
        id: u64,
        /// How.
        outcome: Outcome,
    },
    /// Reports can be taken (again), or not for now.
    ReportsUp(bool),
}
