//! Verdicts, logging, refusal, address translation.

use super::*;

pub(super) fn cases(list: &mut Vec<Case>) {
    // Verdicts and actions.
    list.push(nft(Family::INET, "", "jump other", || {
        rule(vec![verdict(Verdict::jump("other"))])
    }));
    list.push(nft(Family::INET, "", "goto other", || {
        rule(vec![verdict(Verdict::goto("other"))])
    }));
    list.push(nft(Family::INET, "", "return", || {
        rule(vec![verdict(Verdict::RETURN)])
    }));
    list.push(nft(
        Family::INET,
        "",
        "log prefix \"x: \" level info",
        || {
            rule(vec![
                Log {
                    prefix: Some("x: ".into()),
                    level: Some(LogLevel::INFO),
                    ..Log::default()
                }
                .into(),
            ])
        },
    ));
    list.push(nft(
        Family::INET,
        "",
        "log group 3 queue-threshold 2 snaplen 100",
        || {
            rule(vec![
                Log {
                    group: Some(3),
                    qthreshold: Some(2),
                    snaplen: Some(100),
                    ..Log::default()
                }
                .into(),
            ])
        },
    ));
    list.push(nft(Family::INET, "", "log flags all", || {
        rule(vec![
            Log {
                flags: LogFlags(0x2f),
                ..Log::default()
            }
            .into(),
        ])
    }));
    list.push(nft(Family::INET, IN, "reject", || {
        rule(vec![
            Reject {
                kind: RejectType::ICMPX_UNREACH,
                code: Some(1),
                ..Reject::default()
            }
            .into(),
        ])
    }));
    list.push(nft(
        Family::INET,
        IN,
        "reject with icmpx type admin-prohibited",
        || {
            rule(vec![
                Reject {
                    kind: RejectType::ICMPX_UNREACH,
                    code: Some(3),
                    ..Reject::default()
                }
                .into(),
            ])
        },
    ));
    list.push(nft(
        Family::INET,
        IN,
        "tcp dport 1 reject with tcp reset",
        || {
            cat(vec![
                tcp(),
                dport(1, 1),
                vec![
                    Reject {
                        kind: RejectType::TCP_RST,
                        code: Some(0),
                        ..Reject::default()
                    }
                    .into(),
                ],
            ])
        },
    ));
    list.push(nft(
        Family::IPV4,
        IN,
        "reject with icmp type host-unreachable",
        || {
            rule(vec![
                Reject {
                    kind: RejectType::ICMP_UNREACH,
                    code: Some(1),
                    ..Reject::default()
                }
                .into(),
            ])
        },
    ));
    // Address translation.
    list.push(nft(Family::IPV4, DNAT, "dnat to 10.0.0.1", || {
        rule(vec![
            immediate(R1, [10, 0, 0, 1]),
            Nat {
                kind: NatType::DNAT,
                family: 2,
                addr_min: Some(R1),
                ..Nat::default()
            }
            .into(),
        ])
    }));
    list.push(nft(
        Family::IPV4,
        DNAT,
        "tcp dport 80 dnat to 10.0.0.1:8080",
        || {
            cat(vec![
                tcp(),
                dport(80, 80),
                vec![
                    immediate(R1, [10, 0, 0, 1]),
                    immediate(R2, 8080_u16.to_be_bytes()),
                    Nat {
                        kind: NatType::DNAT,
                        family: 2,
                        addr_min: Some(R1),
                        proto_min: Some(R2),
                        flags: NatFlags::PROTO_SPECIFIED,
                        ..Nat::default()
                    }
                    .into(),
                ],
            ])
        },
    ));
    list.push(nft(
        Family::IPV4,
        SNAT,
        "snat to 192.0.2.9-192.0.2.12",
        || {
            rule(vec![
                immediate(R1, [192, 0, 2, 9]),
                immediate(R2, [192, 0, 2, 12]),
                Nat {
                    kind: NatType::SNAT,
                    family: 2,
                    addr_min: Some(R1),
                    addr_max: Some(R2),
                    ..Nat::default()
                }
                .into(),
            ])
        },
    ));
    list.push(nft(
        Family::INET,
        DNAT,
        "dnat ip to ip daddr map @nats",
        || {
            cat(vec![
                v4(),
                vec![
                    payload(PayloadBase::NETWORK, 16, 4, R1),
                    map("nats", R1, R1),
                    Nat {
                        kind: NatType::DNAT,
                        family: 2,
                        addr_min: Some(R1),
                        ..Nat::default()
                    }
                    .into(),
                ],
            ])
        },
    ));
    list.push(nft(Family::IPV4, SNAT, "masquerade", || {
        rule(vec![Masq::default().into()])
    }));
    list.push(nft(Family::IPV4, SNAT, "masquerade random", || {
        rule(vec![
            Masq {
                flags: NatFlags::PROTO_RANDOM,
                ..Masq::default()
            }
            .into(),
        ])
    }));
    list.push(nft(
        Family::IPV4,
        SNAT,
        "udp sport 5 masquerade to :1024-2048",
        || {
            cat(vec![
                udp(),
                sport(5, 5),
                vec![
                    immediate(R1, 1024_u16.to_be_bytes()),
                    immediate(R2, 2048_u16.to_be_bytes()),
                    Masq {
                        flags: NatFlags::PROTO_SPECIFIED,
                        proto_min: Some(R1),
                        proto_max: Some(R2),
                        ..Masq::default()
                    }
                    .into(),
                ],
            ])
        },
    ));
    list.push(nft(
        Family::IPV4,
        DNAT,
        "tcp dport 80 redirect to :3128",
        || {
            cat(vec![
                tcp(),
                dport(80, 80),
                vec![
                    immediate(R1, 3128_u16.to_be_bytes()),
                    Redir {
                        proto_min: Some(R1),
                        flags: NatFlags::PROTO_SPECIFIED,
                        ..Redir::default()
                    }
                    .into(),
                ],
            ])
        },
    ));

    let inet = |text, build: fn() -> OwnedRule| nft(Family::INET, "", text, build);
    list.push(inet("continue", || rule(vec![verdict(Verdict::CONTINUE)])));
    list.push(inet(
        "log prefix \"a\" flags tcp options flags skuid flags ether",
        || {
            rule(vec![
                Log {
                    prefix: Some("a".into()),
                    flags: LogFlags::TCP_OPTIONS
                        .with(LogFlags::SKUID)
                        .with(LogFlags::ETHER),
                    ..Log::default()
                }
                .into(),
            ])
        },
    ));
    list.push(inet("log level audit", || {
        rule(vec![
            Log {
                level: Some(LogLevel::AUDIT),
                ..Log::default()
            }
            .into(),
        ])
    }));
    list.push(nft(
        Family::IPV6,
        IN,
        "reject with icmpv6 type no-route",
        || {
            rule(vec![
                Reject {
                    kind: RejectType::ICMP_UNREACH,
                    code: Some(0),
                    ..Reject::default()
                }
                .into(),
            ])
        },
    ));
    list.push(nft(
        Family::INET,
        IN,
        "queue flags bypass,fanout to 1-3",
        || {
            rule(vec![
                Queue {
                    number: Some(1),
                    total: Some(3),
                    flags: QueueFlags::BYPASS.with(QueueFlags::CPU_FANOUT),
                    ..Queue::default()
                }
                .into(),
            ])
        },
    ));
    list.push(nft(Family::BRIDGE, FWD, "queue to 7", || {
        rule(vec![
            Queue {
                number: Some(7),
                total: Some(1),
                ..Queue::default()
            }
            .into(),
        ])
    }));
    list.push(case(
        Family::NETDEV,
        LO,
        Witness::CompilesUnlisted("fwd to \"lo\""),
        || {
            rule(vec![
                immediate(R1, 1_u32.to_ne_bytes()),
                Fwd {
                    device: Some(R1),
                    ..Fwd::default()
                }
                .into(),
            ])
        },
    ));
    list.push(case(
        Family::NETDEV,
        LO,
        Witness::CompilesUnlisted("dup to \"lo\""),
        || {
            rule(vec![
                immediate(R1, 1_u32.to_ne_bytes()),
                Dup {
                    device: Some(R1),
                    ..Dup::default()
                }
                .into(),
            ])
        },
    ));
    list.push(case(
        Family::INET,
        FWD,
        Witness::Prints("flow add @f"),
        || {
            rule(vec![
                FlowOffload {
                    table: "f".into(),
                    ..FlowOffload::default()
                }
                .into(),
            ])
        },
    ));
    list.push(nft(
        Family::IPV6,
        SNAT,
        "snat to 2001:db8::9 persistent",
        || {
            rule(vec![
                immediate(R1, "2001:db8::9".parse::<Ipv6Addr>().unwrap()),
                Nat {
                    kind: NatType::SNAT,
                    family: 10,
                    addr_min: Some(R1),
                    flags: NatFlags::PERSISTENT,
                    ..Nat::default()
                }
                .into(),
            ])
        },
    ));
    list.push(nft(
        Family::INET,
        DNAT,
        "meta l4proto tcp dnat ip to 10.0.0.1:80-90 random",
        || {
            cat(vec![
                tcp(),
                vec![
                    immediate(R1, [10, 0, 0, 1]),
                    immediate(R2, 80_u16.to_be_bytes()),
                    immediate(Register::R3, 90_u16.to_be_bytes()),
                    Nat {
                        kind: NatType::DNAT,
                        family: 2,
                        addr_min: Some(R1),
                        proto_min: Some(R2),
                        proto_max: Some(Register::R3),
                        flags: NatFlags::PROTO_SPECIFIED.with(NatFlags::PROTO_RANDOM),
                        ..Nat::default()
                    }
                    .into(),
                ],
            ])
        },
    ));
    list.push(nft(
        Family::IPV4,
        SNAT,
        "masquerade fully-random,persistent",
        || {
            rule(vec![
                Masq {
                    flags: NatFlags::PROTO_RANDOM_FULLY.with(NatFlags::PERSISTENT),
                    ..Masq::default()
                }
                .into(),
            ])
        },
    ));
    list.push(nft(Family::IPV4, DNAT, "redirect", || {
        rule(vec![Redir::default().into()])
    }));
    list.push(nft(
        Family::IPV4,
        SNAT,
        "snat ip prefix to 192.168.0.0/24",
        || {
            rule(vec![
                immediate(R1, [192, 168, 0, 0]),
                immediate(R2, [192, 168, 0, 255]),
                Nat {
                    kind: NatType::SNAT,
                    family: 2,
                    addr_min: Some(R1),
                    addr_max: Some(R2),
                    flags: NatFlags::NETMAP,
                    ..Nat::default()
                }
                .into(),
            ])
        },
    ));
}
