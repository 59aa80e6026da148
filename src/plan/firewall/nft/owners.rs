//! Whose a connection is where the kernel has no zones, so that all ports share one table of connections.
//!
//! The labels of a connection name a port at either end: word 0 the one that let out what goes the way of the first
//! packet, word 1 the one that let it in. A port that lets a packet pass by its rules claims its end, unless that is
//! another's. Only what belongs to a connection that the port itself let pass needs no rule; everything else is judged as
//! if it were the first packet. So nobody can open, on a network of equal addresses or with a packet that the receiver
//! refused, what the port's own rules do not.
//!
//! Labels can only be added to. Two ports with equal addresses that talk with equal peers by equal ports at the same time
//! do not both get the end: the replies to the later one need a rule. Where connections are not kept apart nothing better
//! can be had.

use nft::data::Register;
use nft::expr::build::{cmp, ct, ct_set, ct_state, immediate, lookup, map, meta};
use nft::expr::{CmpOp, CtDirection, CtKey, Expr, MetaKey, load};

use super::layout::ZONE;
use super::tables::bits;
use crate::model::Direction;
use crate::model::secgroup::protocol;
use crate::ops::nft::SetId;

const W: fn(u8) -> Register = Register::word;
/// Where labels are loaded to.
const LABELS: u8 = 4;

/// For each direction of a connection, the end that the port is at: 0 where its first packet came from.
pub fn ends(direction: Direction) -> [(CtDirection, u8); 2] {
    let (near, far) = match direction {
        Direction::Egress => (0, 1),
        Direction::Ingress => (1, 0),
    };
    [(CtDirection::ORIGINAL, near), (CtDirection::REPLY, far)]
}

/// Ends the rule unless the packet goes that way.
pub fn goes(way: CtDirection) -> [Expr; 2] {
    let load = ct(CtKey::DIRECTION, W(0));
    [load, cmp(CmpOp::EQ, W(0), [way.0])]
}

/// Ends the rule unless that end is the port's.
pub fn is_owned(end: u8) -> [Expr; 4] {
    let at = LABELS + end - 1;
    [
        ct(CtKey::LABELS, W(LABELS)),
        meta(MetaKey::MARK, W(at)),
        bits(at, &ZONE, &[0; 4]),
        lookup(SetId::Owners.name(), W(at)),
    ]
}

/// Makes that end the port's, if it is nobody's. Neither an error about a connection nor the answer to a ping claims
/// anything: pings would follow it in.
pub fn claim(way: CtDirection, end: u8, device: MetaKey) -> Vec<Expr> {
    let others = (0..4).filter(|word| *word != end);
    let mut claim = ct_state(load::state::NEW | load::state::ESTABLISHED).to_vec();
    claim.extend(goes(way));
    if way == CtDirection::REPLY {
        let differs = |number: u8| cmp(CmpOp::NEQ, W(0), [number]);
        claim.push(meta(MetaKey::L4PROTO, W(0)));
        claim.extend([protocol::ICMP, protocol::ICMPV6].map(differs));
    }
    claim.extend([
        ct(CtKey::LABELS, W(LABELS)),
        cmp(CmpOp::EQ, W(LABELS + end), [0; 4]),
        meta(device, W(0)),
        map(SetId::Vif.name(), W(0), W(end)),
        bits(end, &ZONE, &[0; 4]),
    ]);
    claim.extend(others.map(|word| immediate(W(word), [0; 4])));
    claim.push(ct_set(CtKey::LABELS, W(0)));
    claim
}
