//! Counters, limits, quotas, named objects and sets that rules change.

use super::*;

pub(super) fn cases(list: &mut Vec<Case>) {
    list.push(nft(Family::INET, "", "counter packets 0 bytes 0", || {
        rule(vec![counter()])
    }));
    list.push(nft(
        Family::INET,
        "",
        "counter packets 3 bytes 77 drop",
        || {
            rule(vec![
                Counter {
                    packets: 3,
                    bytes: 77,
                    ..Counter::default()
                }
                .into(),
                drop(),
            ])
        },
    ));
    list.push(nft(Family::INET, "", "limit rate 3/second accept", || {
        rule(vec![
            Limit {
                rate: 3,
                unit: 1,
                burst: 5,
                ..Limit::default()
            }
            .into(),
            accept(),
        ])
    }));
    list.push(nft(
        Family::INET,
        "",
        "limit rate over 10/minute burst 7 packets drop",
        || {
            rule(vec![
                Limit {
                    rate: 10,
                    unit: 60,
                    burst: 7,
                    flags: Invert::OVER,
                    ..Limit::default()
                }
                .into(),
                drop(),
            ])
        },
    ));
    list.push(nft(Family::INET, "", "limit rate 10 kbytes/second", || {
        rule(vec![
            Limit {
                rate: 10240,
                unit: 1,
                burst: 0,
                kind: LimitType::BYTES,
                ..Limit::default()
            }
            .into(),
        ])
    }));
    list.push(nft(Family::INET, "", "quota over 10 mbytes drop", || {
        rule(vec![
            Quota {
                bytes: 10 << 20,
                flags: QuotaFlags::OVER,
                ..Quota::default()
            }
            .into(),
            drop(),
        ])
    }));
    list.push(nft(Family::INET, "", "counter name \"cnt\"", || {
        rule(vec![
            ObjRef {
                kind: Some(ObjectType::COUNTER),
                name: Some("cnt".into()),
                ..ObjRef::default()
            }
            .into(),
        ])
    }));
    list.push(nft(Family::INET, "", "quota name \"quo\" drop", || {
        rule(vec![
            ObjRef {
                kind: Some(ObjectType::QUOTA),
                name: Some("quo".into()),
                ..ObjRef::default()
            }
            .into(),
            drop(),
        ])
    }));
    list.push(nft(Family::INET, "", "limit name \"lim\"", || {
        rule(vec![
            ObjRef {
                kind: Some(ObjectType::LIMIT),
                name: Some("lim".into()),
                ..ObjRef::default()
            }
            .into(),
        ])
    }));
    list.push(nft(Family::INET, "", "add @dyn { ip saddr }", || {
        cat(vec![
            v4(),
            vec![
                payload(PayloadBase::NETWORK, 12, 4, R1),
                DynSet {
                    set: "dyn".into(),
                    op: DynSetOp::ADD,
                    sreg_key: R1,
                    ..DynSet::default()
                }
                .into(),
            ],
        ])
    }));
    list.push(nft(
        Family::INET,
        "",
        "update @dyn { ip saddr timeout 30s }",
        || {
            cat(vec![
                v4(),
                vec![
                    payload(PayloadBase::NETWORK, 12, 4, R1),
                    DynSet {
                        set: "dyn".into(),
                        op: DynSetOp::UPDATE,
                        sreg_key: R1,
                        timeout: Some(30_000),
                        ..DynSet::default()
                    }
                    .into(),
                ],
            ])
        },
    ));
    list.push(nft(
        Family::INET,
        "",
        "add @dyn { ip saddr limit rate 3/second } accept",
        || {
            cat(vec![
                v4(),
                vec![
                    payload(PayloadBase::NETWORK, 12, 4, R1),
                    DynSet {
                        set: "dyn".into(),
                        op: DynSetOp::ADD,
                        sreg_key: R1,
                        flags: DynSetFlags::EXPR,
                        expr: Some(Box::new(
                            Limit {
                                rate: 3,
                                unit: 1,
                                burst: 5,
                                ..Limit::default()
                            }
                            .into(),
                        )),
                        ..DynSet::default()
                    }
                    .into(),
                    accept(),
                ],
            ])
        },
    ));

    let inet = |text, build: fn() -> OwnedRule| nft(Family::INET, "", text, build);
    list.push(inet("counter name ip saddr map @counters", || {
        cat(vec![
            v4(),
            vec![
                saddr(),
                ObjRef {
                    sreg: Some(R1),
                    set: Some("counters".into()),
                    ..ObjRef::default()
                }
                .into(),
            ],
        ])
    }));
    list.push(inet(
        "counter name tcp dport map { 80 : \"cnt\", 81 : \"cnt\" }",
        || {
            let mut owned = rule(join(&[&tcp(), &[th(2)]]));
            let set = Set {
                object_type: Some(ObjectType::COUNTER.0),
                ..Set::new("t", "", &[DataType::INET_SERVICE])
            };
            let set = set.with_flags(SetFlags::OBJECT);
            let elements = [80_u16, 81].map(|port| Element {
                object: Some("cnt".into()),
                ..Element::key(port.to_be_bytes())
            });
            let (_, id) = owned.add_set(set, elements.to_vec());
            owned.sets[0].set.name = "__objmap%d".into();
            owned.rule.expressions.push(
                ObjRef {
                    sreg: Some(R1),
                    set: Some("__objmap%d".into()),
                    set_id: Some(id),
                    ..ObjRef::default()
                }
                .into(),
            );
            owned
        },
    ));
    list.push(inet("limit rate 5 mbytes/second burst 1 mbytes", || {
        rule(vec![
            Limit {
                rate: 5 << 20,
                unit: 1,
                burst: 1 << 20,
                kind: LimitType::BYTES,
                ..Limit::default()
            }
            .into(),
        ])
    }));
    list.push(inet("quota 5 kbytes", || {
        rule(vec![
            Quota {
                bytes: 5 << 10,
                ..Quota::default()
            }
            .into(),
        ])
    }));
    list.push(inet("delete @dyn { ip saddr }", || {
        cat(vec![v4(), vec![saddr(), change("dyn", DynSetOp::DELETE)]])
    }));
    let misprinted = Witness::CompilesUnlisted("update @dynmap { ip saddr : tcp dport }");
    list.push(case(Family::INET, "", misprinted, || {
        cat(vec![
            v4(),
            tcp(),
            vec![
                saddr(),
                payload(PayloadBase::TRANSPORT, 2, 2, R2),
                DynSet {
                    set: "dynmap".into(),
                    op: DynSetOp::UPDATE,
                    sreg_key: R1,
                    sreg_data: Some(R2),
                    ..DynSet::default()
                }
                .into(),
            ],
        ])
    }));
    list.push(inet("add @conns { ip saddr ct count over 5 } drop", || {
        let count = ConnLimit {
            count: 5,
            flags: Invert::OVER,
            ..ConnLimit::default()
        };
        cat(vec![
            v4(),
            vec![
                saddr(),
                DynSet {
                    set: "conns".into(),
                    op: DynSetOp::ADD,
                    sreg_key: R1,
                    flags: DynSetFlags::EXPR,
                    expr: Some(Box::new(count.into())),
                    ..DynSet::default()
                }
                .into(),
                drop(),
            ],
        ])
    }));
    list.push(inet(
        "add @dyn { ip saddr counter limit rate 3/second }",
        || {
            let limit = Limit {
                rate: 3,
                unit: 1,
                burst: 5,
                ..Limit::default()
            };
            cat(vec![
                v4(),
                vec![
                    saddr(),
                    DynSet {
                        set: "dyn".into(),
                        op: DynSetOp::ADD,
                        sreg_key: R1,
                        flags: DynSetFlags::EXPR,
                        exprs: Some(vec![counter(), limit.into()]),
                        ..DynSet::default()
                    }
                    .into(),
                ],
            ])
        },
    ));
    list.push(case(Family::INET, "", Witness::Prints("last used"), || {
        rule(vec![Last::default().into(), accept()])
    }));
}

fn change(set: &str, op: DynSetOp) -> Expr {
    DynSet {
        set: set.into(),
        op,
        sreg_key: R1,
        ..DynSet::default()
    }
    .into()
}
