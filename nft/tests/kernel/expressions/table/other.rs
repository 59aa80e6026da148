//! Routing, options, sockets, hashes, rewriting.

use super::*;

pub(super) fn cases(list: &mut Vec<Case>) {
    list.push(nft(
        Family::INET,
        PRE,
        "fib saddr . iif oif missing drop",
        || {
            rule(vec![
                Fib {
                    dreg: R1,
                    result: FibResult::OIF,
                    flags: FibFlags(0x29),
                    ..Fib::default()
                }
                .into(),
                eq([0; 4]),
                drop(),
            ])
        },
    ));
    list.push(nft(Family::INET, PRE, "fib daddr type local", || {
        rule(vec![
            Fib {
                dreg: R1,
                result: FibResult::ADDRTYPE,
                flags: FibFlags::DADDR,
                ..Fib::default()
            }
            .into(),
            eq(2_u32.to_ne_bytes()),
        ])
    }));
    list.push(nft(
        Family::INET,
        FWD,
        "tcp flags syn tcp option maxseg size set 1400",
        || {
            cat(vec![
                tcp(),
                vec![
                    payload(PayloadBase::TRANSPORT, 13, 1, R1),
                    mask(&[2]),
                    cmp(CmpOp::NEQ, R1, [0]),
                    immediate(R1, 1400_u16.to_be_bytes()),
                    Exthdr {
                        sreg: Some(R1),
                        kind: 2,
                        offset: Some(2),
                        len: Some(2),
                        op: ExthdrOp::TCPOPT,
                        ..Exthdr::default()
                    }
                    .into(),
                ],
            ])
        },
    ));
    list.push(nft(Family::INET, "", "tcp option sack-perm exists", || {
        cat(vec![vec![
            Exthdr {
                dreg: Some(R1),
                kind: 4,
                offset: Some(0),
                len: Some(1),
                op: ExthdrOp::TCPOPT,
                flags: ExthdrFlags::PRESENT,
                ..Exthdr::default()
            }
            .into(),
            eq([1]),
        ]])
    }));
    list.push(nft(Family::INET, "", "exthdr frag exists", || {
        cat(vec![
            v6(),
            vec![
                Exthdr {
                    dreg: Some(R1),
                    kind: 44,
                    offset: Some(0),
                    len: Some(1),
                    op: ExthdrOp::IPV6,
                    flags: ExthdrFlags::PRESENT,
                    ..Exthdr::default()
                }
                .into(),
                eq([1]),
            ],
        ])
    }));
    list.push(nft(
        Family::INET,
        PRE,
        "socket transparent 1 accept",
        || {
            rule(vec![
                Socket {
                    key: SocketKey::TRANSPARENT,
                    dreg: R1,
                    ..Socket::default()
                }
                .into(),
                eq([1]),
                accept(),
            ])
        },
    ));
    list.push(nft(
        Family::INET,
        PRE,
        "tcp dport 80 tproxy to :8080",
        || {
            cat(vec![
                tcp(),
                dport(80, 80),
                vec![
                    immediate(R1, 8080_u16.to_be_bytes()),
                    Tproxy {
                        port: Some(R1),
                        ..Tproxy::default()
                    }
                    .into(),
                ],
            ])
        },
    ));
    list.push(nft(Family::INET, "", "numgen inc mod 2 0", || {
        rule(vec![
            Numgen {
                dreg: R1,
                modulus: 2,
                ..Numgen::default()
            }
            .into(),
            eq(0_u32.to_ne_bytes()),
        ])
    }));
    list.push(nft(
        Family::IPV4,
        "",
        "jhash ip saddr mod 2 seed 0x1234 1",
        || {
            rule(vec![
                payload(PayloadBase::NETWORK, 12, 4, R2),
                Hash {
                    sreg: Some(R2),
                    dreg: R1,
                    len: Some(4),
                    modulus: 2,
                    seed: Some(0x1234),
                    ..Hash::default()
                }
                .into(),
                eq(1_u32.to_ne_bytes()),
            ])
        },
    ));
    list.push(nft(Family::INET, IN, "osf name \"Linux\"", || {
        rule(vec![
            Osf {
                dreg: R1,
                ..Osf::default()
            }
            .into(),
            eq(ifname("Linux")),
        ])
    }));
    list.push(nft(Family::INET, FWD, "rt classid 3", || {
        rule(vec![
            Rt {
                dreg: R1,
                key: RtKey::CLASSID,
                ..Rt::default()
            }
            .into(),
            eq(3_u32.to_ne_bytes()),
        ])
    }));
    list.push(nft(
        Family::INET,
        IN,
        "tcp dport 80 synproxy mss 1460 wscale 7 timestamp sack-perm",
        || {
            cat(vec![
                tcp(),
                dport(80, 80),
                vec![
                    Synproxy {
                        mss: 1460,
                        wscale: 7,
                        flags: 0xf,
                        ..Synproxy::default()
                    }
                    .into(),
                ],
            ])
        },
    ));
    list.push(nft(Family::IPV4, PRE, "dup to 192.0.2.7", || {
        rule(vec![
            immediate(R1, [192, 0, 2, 7]),
            Dup {
                address: Some(R1),
                ..Dup::default()
            }
            .into(),
        ])
    }));
    list.push(nft(Family::IPV4, "", "ip dscp set 3", || {
        rule(vec![
            payload(PayloadBase::NETWORK, 0, 2, R1),
            Bitwise {
                sreg: R1,
                dreg: R1,
                len: 2,
                mask: Some(Data::from([0xff, 0x03])),
                xor: Some(Data::from([0, 0x0c])),
                ..Bitwise::default()
            }
            .into(),
            write(PayloadBase::NETWORK, 0, 2, (10, 0)),
        ])
    }));
    list.push(nft(Family::IPV4, "", "ip ttl set 5", || {
        rule(vec![
            payload(PayloadBase::NETWORK, 8, 2, R1),
            Bitwise {
                sreg: R1,
                dreg: R1,
                len: 2,
                mask: Some(Data::from([0, 0xff])),
                xor: Some(Data::from([5, 0])),
                ..Bitwise::default()
            }
            .into(),
            write(PayloadBase::NETWORK, 8, 2, (10, 0)),
        ])
    }));

    let inet = |text, build: fn() -> OwnedRule| nft(Family::INET, "", text, build);
    list.push(case(
        Family::INET,
        PRE,
        Witness::CompilesUnlisted("fib saddr oif \"lo\""),
        || {
            rule(vec![
                Fib {
                    dreg: R1,
                    result: FibResult::OIF,
                    flags: FibFlags::SADDR,
                    ..Fib::default()
                }
                .into(),
                eq(1_u32.to_ne_bytes()),
            ])
        },
    ));
    list.push(nft(
        Family::INET,
        PRE,
        "fib daddr . mark oifname \"lo\"",
        || {
            rule(vec![
                Fib {
                    dreg: R1,
                    result: FibResult::OIFNAME,
                    flags: FibFlags::DADDR.with(FibFlags::MARK),
                    ..Fib::default()
                }
                .into(),
                eq(ifname("lo")),
            ])
        },
    ));
    list.push(nft(Family::IPV4, "", "ip option lsrr exists", || {
        rule(vec![
            Exthdr {
                dreg: Some(R1),
                kind: 131,
                offset: Some(0),
                len: Some(1),
                op: ExthdrOp::IPV4,
                flags: ExthdrFlags::PRESENT,
                ..Exthdr::default()
            }
            .into(),
            eq([1]),
        ])
    }));
    list.push(inet("sctp chunk data exists", || {
        cat(vec![vec![
            Exthdr {
                dreg: Some(R1),
                kind: 0,
                offset: Some(0),
                len: Some(1),
                op: ExthdrOp::SCTP,
                flags: ExthdrFlags::PRESENT,
                ..Exthdr::default()
            }
            .into(),
            eq([1]),
        ]])
    }));
    list.push(inet("reset tcp option sack-perm", || {
        rule(vec![
            Exthdr {
                kind: 4,

                op: ExthdrOp::TCPOPT,
                ..Exthdr::default()
            }
            .into(),
        ])
    }));
    list.push(nft(
        Family::INET,
        FWD,
        "tcp option maxseg size set rt mtu",
        || {
            rule(vec![
                Rt {
                    dreg: R1,
                    key: RtKey::TCPMSS,
                    ..Rt::default()
                }
                .into(),
                Byteorder {
                    sreg: R1,
                    dreg: R1,
                    op: ByteorderOp::HTON,
                    len: 2,
                    size: 2,
                    ..Byteorder::default()
                }
                .into(),
                Exthdr {
                    sreg: Some(R1),
                    kind: 2,
                    offset: Some(2),
                    len: Some(2),
                    op: ExthdrOp::TCPOPT,
                    ..Exthdr::default()
                }
                .into(),
            ])
        },
    ));
    list.push(nft(Family::INET, FWD, "rt ip nexthop 192.0.2.1", || {
        cat(vec![vec![
            Rt {
                dreg: R1,
                key: RtKey::NEXTHOP4,
                ..Rt::default()
            }
            .into(),
            eq([192, 0, 2, 1]),
        ]])
    }));
    list.push(nft(Family::INET, PRE, "socket mark 0x00000005", || {
        rule(vec![
            Socket {
                key: SocketKey::MARK,
                dreg: R1,
                ..Socket::default()
            }
            .into(),
            eq(mark(5)),
        ])
    }));
    list.push(nft(Family::INET, PRE, "socket wildcard 0", || {
        rule(vec![
            Socket {
                key: SocketKey::WILDCARD,
                dreg: R1,
                ..Socket::default()
            }
            .into(),
            eq([0]),
        ])
    }));
    list.push(case(
        Family::INET,
        IN,
        Witness::Prints("socket cgroupv2 level 1"),
        || {
            rule(vec![
                Socket {
                    key: SocketKey::CGROUPV2,
                    dreg: R1,
                    level: Some(1),
                    ..Socket::default()
                }
                .into(),
                eq(7_u64.to_ne_bytes()),
            ])
        },
    ));
    list.push(inet("symhash mod 2 1", || {
        rule(vec![
            Hash {
                dreg: R1,
                modulus: 2,
                kind: HashType::SYM,
                ..Hash::default()
            }
            .into(),
            eq(1_u32.to_ne_bytes()),
        ])
    }));
    list.push(inet("numgen random mod 4 offset 10 11", || {
        rule(vec![
            Numgen {
                dreg: R1,
                modulus: 4,
                kind: NumgenType::RANDOM,
                offset: 10,
                ..Numgen::default()
            }
            .into(),
            eq(11_u32.to_ne_bytes()),
        ])
    }));
    list.push(nft(
        Family::INET,
        IN,
        "osf ttl loose version \"Linux:4.0\"",
        || {
            rule(vec![
                Osf {
                    dreg: R1,
                    ttl: 1,
                    flags: 1,
                    ..Osf::default()
                }
                .into(),
                eq(ifname("Linux:4.0")),
            ])
        },
    ));
    list.push(nft(Family::INET, PRE, "ipsec in reqid 1", || {
        rule(vec![
            Xfrm {
                dreg: R1,
                key: 5,
                ..Xfrm::default()
            }
            .into(),
            eq(1_u32.to_ne_bytes()),
        ])
    }));
    list.push(case(
        Family::NETDEV,
        LO,
        Witness::Silent("tunnel id", "nft 1.0 cannot list it"),
        || {
            rule(vec![
                Tunnel {
                    key: 1,
                    dreg: R1,
                    ..Tunnel::default()
                }
                .into(),
                eq(7_u32.to_ne_bytes()),
            ])
        },
    ));
    list.push(case(
        Family::INET,
        "",
        Witness::Silent("vxlan ip saddr", "libnftnl before 1.2.5 does not know it"),
        || {
            let inner = Inner {
                number: 0,
                kind: InnerType::VXLAN,
                flags: InnerFlags(0xf),
                header_size: 8,
                expr: Box::new(saddr()),
                ..Inner::default()
            };
            cat(vec![
                udp(),
                dport(4789, 4789),
                vec![inner.into(), eq([10, 0, 0, 1])],
            ])
        },
    ));
    list.push(inet("exthdr hbh exists", || {
        cat(vec![v6(), vec![header(0), eq([1])]])
    }));
    list.push(inet("tcp dport set 80", || {
        cat(vec![
            tcp(),
            vec![
                immediate(R1, 80_u16.to_be_bytes()),
                write(PayloadBase::TRANSPORT, 2, 2, (16, 0)),
            ],
        ])
    }));
    list.push(inet("udp sport set 53", || {
        cat(vec![
            udp(),
            vec![
                immediate(R1, 53_u16.to_be_bytes()),
                write(PayloadBase::TRANSPORT, 0, 2, (6, 0)),
            ],
        ])
    }));
    list.push(nft(Family::IPV4, "", "ip saddr set 10.0.0.1", || {
        rule(vec![
            immediate(R1, [10, 0, 0, 1]),
            write(PayloadBase::NETWORK, 12, 4, (10, 1)),
        ])
    }));
    list.push(inet("@th,16,16 80", || {
        rule(vec![th(2), eq(80_u16.to_be_bytes())])
    }));
    list.push(inet("@nh,96,32 0xa000001", || {
        rule(vec![saddr(), eq([10, 0, 0, 1])])
    }));
}

/// Whether an IPv6 extension header is there.
fn header(kind: u8) -> Expr {
    Exthdr {
        dreg: Some(R1),
        kind,
        offset: Some(0),
        len: Some(1),
        op: ExthdrOp::IPV6,
        flags: ExthdrFlags::PRESENT,
        ..Exthdr::default()
    }
    .into()
}

/// Writes register 1 into a header, and mends the internet checksum at an offset, with these flags.
fn write(base: PayloadBase, offset: u32, len: u32, checksum: (u32, u32)) -> Expr {
    Payload {
        sreg: Some(R1),
        base,
        offset,
        len,
        csum_type: Some(1),
        csum_offset: Some(checksum.0),
        csum_flags: Some(checksum.1),
        ..Payload::default()
    }
    .into()
}
