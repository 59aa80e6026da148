//! Addresses, ports, flags: what is in the packet.

use super::*;

pub(super) fn cases(list: &mut Vec<Case>) {
    // Addresses and families.
    list.push(nft(Family::INET, "", "ip saddr 192.0.2.1", || {
        cat(vec![v4(), ip_saddr(Ipv4Addr::new(192, 0, 2, 1)).to_vec()])
    }));
    list.push(nft(Family::INET, "", "ip daddr 192.0.2.1", || {
        cat(vec![v4(), ip_daddr(Ipv4Addr::new(192, 0, 2, 1)).to_vec()])
    }));
    list.push(nft(Family::IPV4, "", "ip saddr 192.0.2.1", || {
        rule(ip_saddr(Ipv4Addr::new(192, 0, 2, 1)).to_vec())
    }));
    list.push(nft(Family::INET, "", "ip saddr 10.1.0.0/16", || {
        cat(vec![v4(), prefix(12, &[10, 1, 0, 0], 16)])
    }));
    list.push(nft(Family::INET, "", "ip saddr 10.1.16.0/20", || {
        cat(vec![v4(), prefix(12, &[10, 1, 16, 0], 20)])
    }));
    list.push(nft(Family::INET, "", "ip6 saddr 2001:db8::1", || {
        cat(vec![
            v6(),
            ip6_saddr("2001:db8::1".parse::<Ipv6Addr>().unwrap()).to_vec(),
        ])
    }));
    list.push(nft(Family::INET, "", "ip6 daddr 2001:db8::/32", || {
        cat(vec![
            v6(),
            prefix(24, &"2001:db8::".parse::<Ipv6Addr>().unwrap().octets(), 32),
        ])
    }));
    list.push(nft(Family::INET, "", "ip saddr != 192.0.2.1", || {
        cat(vec![
            v4(),
            vec![
                payload(PayloadBase::NETWORK, 12, 4, R1),
                cmp(CmpOp::NEQ, R1, [192, 0, 2, 1]),
            ],
        ])
    }));
    list.push(nft(Family::INET, "", "ip saddr @addresses accept", || {
        cat(vec![
            v4(),
            vec![
                payload(PayloadBase::NETWORK, 12, 4, R1),
                lookup("addresses", R1),
                accept(),
            ],
        ])
    }));
    list.push(nft(Family::INET, "", "ip saddr != @addresses drop", || {
        cat(vec![
            v4(),
            vec![
                payload(PayloadBase::NETWORK, 12, 4, R1),
                Lookup {
                    set: "addresses".into(),
                    sreg: R1,
                    flags: LookupFlags::INVERT,
                    ..Lookup::default()
                }
                .into(),
                drop(),
            ],
        ])
    }));
    list.push(nft(Family::INET, "", "ip frag-off & 0x1fff != 0", || {
        cat(vec![
            v4(),
            vec![
                payload(PayloadBase::NETWORK, 6, 2, R1),
                mask(&[0x1f, 0xff]),
                cmp(CmpOp::NEQ, R1, [0, 0]),
            ],
        ])
    }));
    list.push(nft(Family::INET, "", "ip ttl > 64", || {
        cat(vec![
            v4(),
            vec![
                payload(PayloadBase::NETWORK, 8, 1, R1),
                cmp(CmpOp::GT, R1, [64]),
            ],
        ])
    }));
    list.push(nft(Family::INET, "", "ip ttl < 64", || {
        cat(vec![
            v4(),
            vec![
                payload(PayloadBase::NETWORK, 8, 1, R1),
                cmp(CmpOp::LT, R1, [64]),
            ],
        ])
    }));
    // Transport.
    list.push(nft(Family::INET, "", "tcp dport 22 accept", || {
        cat(vec![tcp(), dport(22, 22), vec![accept()]])
    }));
    list.push(nft(Family::INET, "", "udp sport 53", || {
        cat(vec![udp(), sport(53, 53)])
    }));
    list.push(nft(Family::INET, "", "tcp dport 1000-2000", || {
        cat(vec![tcp(), dport(1000, 2000)])
    }));
    list.push(nft(Family::INET, "", "tcp dport != 1000-2000", || {
        cat(vec![
            tcp(),
            vec![
                payload(PayloadBase::TRANSPORT, 2, 2, R1),
                Range {
                    sreg: R1,
                    op: RangeOp::NEQ,
                    from: Data::from(1000_u16.to_be_bytes()),
                    to: Data::from(2000_u16.to_be_bytes()),
                    ..Range::default()
                }
                .into(),
            ],
        ])
    }));
    list.push(nft(Family::INET, "", "tcp dport { 22, 80 } accept", || {
        let (set, elements) = ports(&[22, 80]);
        with_set(
            join(&[&tcp(), &[payload(PayloadBase::TRANSPORT, 2, 2, R1)]]),
            set,
            elements,
            None,
            vec![accept()],
        )
    }));
    list.push(nft(Family::INET, "", "udp dport { 100-200, 5000 }", || {
        let set = Set::new("t", "", &[DataType::INET_SERVICE]).with_flags(SetFlags::INTERVAL);
        let mut elements = vec![Element::end([0, 0])];
        elements.extend(interval(&100_u16.to_be_bytes(), &200_u16.to_be_bytes()));
        elements.extend(interval(&5000_u16.to_be_bytes(), &5000_u16.to_be_bytes()));
        with_set(
            join(&[&udp(), &[payload(PayloadBase::TRANSPORT, 2, 2, R1)]]),
            set,
            elements,
            None,
            vec![],
        )
    }));
    list.push(nft(Family::INET, "", "meta l4proto { tcp, udp }", || {
        let set = Set::new("t", "", &[DataType::INET_PROTO]);
        with_set(
            vec![meta(MetaKey::L4PROTO, R1)],
            set,
            vec![Element::key([6]), Element::key([17])],
            None,
            vec![],
        )
    }));
    list.push(nft(
        Family::INET,
        "",
        "tcp flags & (syn | ack) == syn",
        || {
            cat(vec![
                tcp(),
                vec![
                    payload(PayloadBase::TRANSPORT, 13, 1, R1),
                    mask(&[0x12]),
                    eq([2]),
                ],
            ])
        },
    ));
    list.push(nft(Family::INET, "", "icmp type echo-request", || {
        cat(vec![
            v4(),
            l4proto(1).to_vec(),
            vec![payload(PayloadBase::TRANSPORT, 0, 1, R1), eq([8])],
        ])
    }));
    list.push(nft(
        Family::INET,
        "",
        "icmpv6 type nd-neighbor-solicit",
        || {
            cat(vec![
                v6(),
                l4proto(58).to_vec(),
                vec![payload(PayloadBase::TRANSPORT, 0, 1, R1), eq([135])],
            ])
        },
    ));
    list.push(nft(Family::INET, "", "tcp sport 1 tcp dport 2", || {
        cat(vec![
            tcp(),
            vec![payload(PayloadBase::TRANSPORT, 0, 4, R1), eq([0, 1, 0, 2])],
        ])
    }));

    // Concatenations.
    let inet = |text, build: fn() -> OwnedRule| nft(Family::INET, "", text, build);
    list.push(inet(
        "ip saddr . tcp dport { 10.0.0.0/24 . 80-90, 10.1.0.1 . 22 } accept",
        || {
            let fields = [DataType::IPV4_ADDR, DataType::INET_SERVICE];
            let set = Set::new("t", "", &fields).with_intervals(&fields);
            let elements = vec![
                Element::key([10, 0, 0, 0, 0, 80, 0, 0]).until([10, 0, 0, 255, 0, 90, 0, 0]),
                Element::key([10, 1, 0, 1, 0, 22, 0, 0]).until([10, 1, 0, 1, 0, 22, 0, 0]),
            ];
            let before = join(&[
                &v4(),
                &tcp(),
                &[
                    saddr(),
                    payload(PayloadBase::TRANSPORT, 2, 2, Register::word(1)),
                ],
            ]);
            with_set(before, set, elements, None, vec![accept()])
        },
    ));
    list.push(inet("ip saddr { 10.0.0.0/8, 192.168.0.1 }", || {
        let set = Set::new("t", "", &[DataType::IPV4_ADDR]).with_flags(SetFlags::INTERVAL);
        let mut elements = vec![Element::end([0; 4])];
        elements.extend(interval(&[10, 0, 0, 0], &[10, 255, 255, 255]));
        elements.extend(interval(&[192, 168, 0, 1], &[192, 168, 0, 1]));
        with_set(join(&[&v4(), &[saddr()]]), set, elements, None, vec![])
    }));
    list.push(inet("tcp dport vmap { 22 : accept, 80 : drop }", || {
        let set = Set::new("t", "", &[DataType::INET_SERVICE]).into_verdict_map();
        let elements = vec![
            Element::pair(22_u16.to_be_bytes(), Verdict::ACCEPT),
            Element::pair(80_u16.to_be_bytes(), Verdict::DROP),
        ];
        let before = join(&[&tcp(), &[th(2)]]);
        with_set(before, set, elements, Some(Register::VERDICT), vec![])
    }));
    list.push(inet("icmpv6 code port-unreachable", || {
        cat(vec![
            v6(),
            l4proto(58).to_vec(),
            vec![payload(PayloadBase::TRANSPORT, 1, 1, R1), eq([4])],
        ])
    }));
    list.push(inet("sctp dport 5000", || {
        cat(vec![l4proto(132).to_vec(), dport(5000, 5000)])
    }));
    list.push(inet("ip protocol 47", || {
        cat(vec![
            v4(),
            vec![payload(PayloadBase::NETWORK, 9, 1, R1), eq([47])],
        ])
    }));
    list.push(inet("ip6 nexthdr 47", || {
        cat(vec![
            v6(),
            vec![payload(PayloadBase::NETWORK, 6, 1, R1), eq([47])],
        ])
    }));
    list.push(inet("ip dscp af11", || {
        cat(vec![
            v4(),
            vec![
                payload(PayloadBase::NETWORK, 1, 1, R1),
                mask(&[0xfc]),
                eq([0x28]),
            ],
        ])
    }));
    list.push(inet("tcp flags syn", || {
        cat(vec![
            tcp(),
            vec![
                payload(PayloadBase::TRANSPORT, 13, 1, R1),
                mask(&[2]),
                cmp(CmpOp::NEQ, R1, [0]),
            ],
        ])
    }));
}
