//! Flows of a bridge.

use ofproto::action::ActionList;
use ofproto::matching::{FieldId, Match};

/// What stands where a table would for what is no flow: a port that the switch leaves out when it floods. No table has
/// this number.
const PORTS: u8 = 255;

/// What makes a flow the same flow: OpenFlow replaces a flow of equal table, priority and match.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FlowKey {
    /// Table, 0..=253; 255 for what is no flow.
    pub table: u8,
    /// Priority; higher wins.
    pub priority: u16,
    /// Match, in the order in which the switch itself lists fields.
    pub matching: Match,
}

impl FlowKey {
    /// What stands here is that the switch floods nothing to a port (`OFPPC_NO_FLOOD`).
    pub fn no_flood(port: u16) -> FlowKey {
        FlowKey {
            table: PORTS,
            priority: 0,
            matching: Match::new().with(FieldId::IN_PORT, port),
        }
    }

    /// The port, if nothing is to be flooded to it.
    pub fn is_no_flood(&self) -> Option<u16> {
        if self.table != PORTS {
            return None;
        }
        let port = self.matching.exact(FieldId::IN_PORT)?;
        u16::try_from(port).ok()
    }
}

impl FlowBody {
    /// What stands under [`FlowKey::no_flood`].
    pub fn no_flood() -> FlowBody {
        FlowBody {
            cookie: cookie::OWNER,
            actions: ActionList::new(),
        }
    }
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
