//! Flows of a bridge.

use ofproto::action::ActionList;
use ofproto::matching::Match;

/// What makes a flow the same flow: OpenFlow replaces a flow of equal table, priority and match.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FlowKey {
    /// Table, 0..=253.
    pub table: u8,
    /// Priority; higher wins.
    pub priority: u16,
    /// Match, in the order in which the switch itself lists fields.
    pub matching: Match,
}

/// What a flow does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FlowBody {
    /// [`cookie::OWNER`] and the cell.
    pub cookie: u64,
    /// Actions in order; none drops the packet.
    pub actions: ActionList,
}

/// The marks by which vifd knows its own flows.
pub mod cookie {
    /// Upper half: the letters `vifd`.
    pub const OWNER: u64 = 0x7669_6664_0000_0000;
    /// The bits of [`OWNER`].
    pub const OWNER_MASK: u64 = 0xffff_ffff_0000_0000;
    /// Flows that the switch learned by itself from a learn action of ours.
    pub const LEARNED: u64 = OWNER | 1;
}
