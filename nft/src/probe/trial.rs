//! A batch for each feature.

use super::Feature;
use crate::batch::Batch;
use crate::chain::{Chain, Counts, Policy, hook, priority};
use crate::data::Register;
use crate::expr::build::*;
use crate::expr::*;
use crate::flowtable::Flowtable;
use crate::message::Family;
use crate::name::Name;
use crate::object::{Object, ObjectData};
use crate::rule::Rule;
use crate::set::{DataType, Set, SetFlags};
use crate::table::{Table, TableFlags};

const TABLE: &str = "vifd-probe";
const R1: Register = Register::R1;

/// The batch that uses a feature. `any` is the family for features that belong to none.
pub(super) fn batch(feature: Feature, any: Family) -> Batch {
    let inet = |rule: Vec<Expr>| chain_with(Family::INET, input(), rule);
    let bridge = |rule: Vec<Expr>| {
        chain_with(
            Family::BRIDGE,
            base(hook::FORWARD, priority::BRIDGE_FILTER),
            rule,
        )
    };
    let raw = || base(hook::PREROUTING, priority::RAW);
    let zone = || vec![immediate(R1, 7_u16.to_ne_bytes()), ct_set(CtKey::ZONE, R1)];
    match feature {
        Feature::Inet => inet(vec![accept()]),
        Feature::Bridge => bridge(vec![accept()]),
        Feature::Netdev => netdev(hook::NETDEV_INGRESS),
        Feature::Egress => netdev(hook::NETDEV_EGRESS),
        Feature::Conntrack => inet(ct_state(load::state::ESTABLISHED).to_vec()),
        Feature::BridgeConntrack => bridge(ct_state(load::state::ESTABLISHED).to_vec()),
        Feature::ConntrackZones => chain_with(Family::INET, raw(), zone()),
        Feature::BridgeConntrackZones => chain_with(Family::BRIDGE, raw(), zone()),
        Feature::ConntrackLabels => {
            let labels = vec![ct(CtKey::LABELS, R1), ct_set(CtKey::LABELS, R1)];
            chain_with(any, input(), labels)
        }
        Feature::ConntrackCount => inet(vec![
            ConnLimit {
                count: 1,
                ..ConnLimit::default()
            }
            .into(),
        ]),
        Feature::BridgeMeta => bridge(vec![meta(MetaKey::BRI_IIFNAME, R1)]),
        Feature::ConcatIntervals => {
            let fields = [DataType::IPV4_ADDR, DataType::INET_SERVICE];
            set(any, &Set::new(TABLE, "s", &fields).with_intervals(&fields))
        }
        Feature::SetTimeouts => set(
            any,
            &Set::new(TABLE, "s", &[DataType::IPV4_ADDR]).with_flags(SetFlags::TIMEOUT),
        ),
        Feature::SetExpressions => {
            let plain = Set::new(TABLE, "s", &[DataType::IPV4_ADDR]);
            set(
                any,
                &Set {
                    expr: Some(counter()),
                    ..plain
                },
            )
        }
        Feature::DynamicSets => dynamic(any),
        Feature::NamedObjects => {
            let mut batch = table(any, TableFlags::NONE);
            let data = ObjectData::Counter(Counts::default());
            batch.add_object(any, &Object::new(TABLE, "o", data));
            batch
        }
        Feature::Flowtables => {
            let mut batch = table(Family::INET, TableFlags::NONE);
            let devices = vec![Name::from("lo")];
            batch.add_flowtable(Family::INET, &Flowtable::new(TABLE, "f", 0, devices));
            batch
        }
        Feature::Nat => nat(
            hook::PREROUTING,
            priority::DSTNAT,
            vec![
                immediate(R1, [192, 0, 2, 1]),
                Nat {
                    kind: NatType::DNAT,
                    family: 2,
                    addr_min: Some(R1),
                    ..Nat::default()
                }
                .into(),
            ],
        ),
        Feature::Masquerade => nat(
            hook::POSTROUTING,
            priority::SRCNAT,
            vec![Masq::default().into()],
        ),
        Feature::Redirect => nat(
            hook::PREROUTING,
            priority::DSTNAT,
            vec![Redir::default().into()],
        ),
        Feature::Notrack => chain_with(Family::INET, raw(), vec![Notrack::default().into()]),
        Feature::BridgeNotrack => {
            chain_with(Family::BRIDGE, raw(), vec![Notrack::default().into()])
        }
        Feature::Reject => inet(vec![reject()]),
        Feature::BridgeReject => {
            chain_with(Family::BRIDGE, base(hook::PREROUTING, 0), vec![reject()])
        }
        Feature::Log => chain_with(any, input(), vec![Log::default().into()]),
        Feature::Queue => {
            let queue = Queue {
                number: Some(0),
                total: Some(1),
                flags: QueueFlags::BYPASS,
                ..Queue::default()
            };
            chain_with(any, input(), vec![queue.into()])
        }
        Feature::Fib => chain_with(
            Family::INET,
            raw(),
            vec![
                Fib {
                    dreg: R1,
                    result: FibResult::OIF,
                    flags: FibFlags::SADDR.with(FibFlags::IIF),
                    ..Fib::default()
                }
                .into(),
            ],
        ),
        Feature::Socket => chain_with(
            Family::INET,
            raw(),
            vec![
                Socket {
                    key: SocketKey::TRANSPARENT,
                    dreg: R1,
                    ..Socket::default()
                }
                .into(),
            ],
        ),
        Feature::Tproxy => chain_with(
            Family::INET,
            base(hook::PREROUTING, priority::MANGLE),
            [
                &l4proto(6)[..],
                &[
                    immediate(R1, 80_u16.to_be_bytes()),
                    Tproxy {
                        port: Some(R1),
                        ..Tproxy::default()
                    }
                    .into(),
                ],
            ]
            .concat(),
        ),
        Feature::Synproxy => inet(vec![
            Synproxy {
                mss: 1460,
                ..Synproxy::default()
            }
            .into(),
        ]),
        Feature::TableOwner => table(any, TableFlags::OWNER),
        Feature::TablePersist => table(any, TableFlags::OWNER.with(TableFlags::PERSIST)),
    }
}

fn table(family: Family, flags: TableFlags) -> Batch {
    let mut batch = Batch::new();
    batch.add_table(
        family,
        &Table {
            flags,
            ..Table::new(TABLE)
        },
    );
    batch
}

fn base(number: u32, priority: i32) -> Chain {
    Chain::base(TABLE, "c", number, priority, Policy::ACCEPT)
}

fn input() -> Chain {
    base(hook::INPUT, 0)
}

fn chain_with(family: Family, chain: Chain, rule: Vec<Expr>) -> Batch {
    let mut batch = table(family, TableFlags::NONE);
    batch.add_chain(family, &chain);
    batch.add_rule(family, &Rule::new(TABLE, "c", rule));
    batch
}

fn netdev(number: u32) -> Batch {
    chain_with(
        Family::NETDEV,
        base(number, 0).on_device("lo"),
        vec![accept()],
    )
}

fn nat(number: u32, priority: i32, rule: Vec<Expr>) -> Batch {
    chain_with(Family::IPV4, base(number, priority).of_kind("nat"), rule)
}

fn set(family: Family, set: &Set) -> Batch {
    let mut batch = table(family, TableFlags::NONE);
    batch.add_set(family, set);
    batch
}

fn dynamic(family: Family) -> Batch {
    let flags = SetFlags::EVAL.with(SetFlags::TIMEOUT);
    let mut batch = set(
        family,
        &Set::new(TABLE, "s", &[DataType::IPV4_ADDR]).with_flags(flags),
    );
    batch.add_chain(family, &input());
    let add = DynSet {
        set: "s".into(),
        op: DynSetOp::ADD,
        sreg_key: R1,
        ..DynSet::default()
    };
    let load = payload(PayloadBase::NETWORK, 12, 4, R1);
    batch.add_rule(family, &Rule::new(TABLE, "c", vec![load, add.into()]));
    batch
}

fn reject() -> Expr {
    Reject {
        kind: RejectType::ICMPX_UNREACH,
        code: Some(1),
        ..Reject::default()
    }
    .into()
}
