//! The operations people know from `ovs-vsctl`, as look-ups in a replica and minimal
//! transactions.
