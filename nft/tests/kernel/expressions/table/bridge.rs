//! The bridge family, and link-layer addresses in others.

use super::*;

pub(super) fn cases(list: &mut Vec<Case>) {
    list.push(nft(
        Family::BRIDGE,
        "",
        "ether saddr 02:00:00:00:00:01",
        || {
            rule(vec![
                payload(PayloadBase::LINK, 6, 6, R1),
                eq([2, 0, 0, 0, 0, 1]),
            ])
        },
    ));
    list.push(nft(Family::BRIDGE, "", "ip saddr 192.0.2.1", || {
        cat(vec![
            ether_type(0x0800).to_vec(),
            ip_saddr(Ipv4Addr::new(192, 0, 2, 1)).to_vec(),
        ])
    }));
    list.push(nft(
        Family::BRIDGE,
        "",
        "ip saddr . ether saddr @pairs",
        || {
            cat(vec![
                ether_type(0x0800).to_vec(),
                vec![
                    payload(PayloadBase::NETWORK, 12, 4, R1),
                    payload(PayloadBase::LINK, 6, 6, Register::word(1)),
                    lookup("pairs", R1),
                ],
            ])
        },
    ));
    list.push(nft(Family::BRIDGE, "", "arp saddr ip 192.0.2.1", || {
        cat(vec![
            vec![payload(PayloadBase::LINK, 12, 2, R1), eq([8, 6])],
            vec![payload(PayloadBase::NETWORK, 14, 4, R1), eq([192, 0, 2, 1])],
        ])
    }));
    list.push(nft(Family::BRIDGE, "", "ether type arp drop", || {
        rule(vec![
            payload(PayloadBase::LINK, 12, 2, R1),
            eq([8, 6]),
            drop(),
        ])
    }));
    list.push(nft(Family::BRIDGE, "", "vlan id 7", || {
        rule(vec![
            payload(PayloadBase::LINK, 12, 2, R1),
            eq([0x81, 0]),
            payload(PayloadBase::LINK, 14, 2, R1),
            mask(&[0x0f, 0xff]),
            eq([0, 7]),
        ])
    }));
    list.push(nft(
        Family::INET,
        "",
        "ether saddr 02:00:00:00:00:01",
        || {
            rule(vec![
                meta(MetaKey::IIFTYPE, R1),
                eq(1_u16.to_ne_bytes()),
                payload(PayloadBase::LINK, 6, 6, R1),
                eq([2, 0, 0, 0, 0, 1]),
            ])
        },
    ));

    let bridge = |text, build: fn() -> OwnedRule| nft(Family::BRIDGE, "", text, build);
    list.push(bridge("ct state established,related accept", || {
        cat(vec![
            ct_state(ct_bits::ESTABLISHED | ct_bits::RELATED).to_vec(),
            vec![accept()],
        ])
    }));
    list.push(bridge("ct state invalid drop", || {
        cat(vec![ct_state(ct_bits::INVALID).to_vec(), vec![drop()]])
    }));
    list.push(bridge("ct mark 0x00000005", || {
        rule(vec![ct(CtKey::MARK, R1), eq(mark(5))])
    }));
    list.push(bridge("ct mark set 0x00000005", || {
        rule(vec![immediate(R1, mark(5)), ct_set(CtKey::MARK, R1)])
    }));
    list.push(bridge(
        "ct state vmap { established : accept, invalid : drop }",
        || {
            let set = Set::new("t", "", &[DataType::CT_STATE]).into_verdict_map();
            let elements = vec![
                Element::pair(mark(ct_bits::ESTABLISHED), Verdict::ACCEPT),
                Element::pair(mark(ct_bits::INVALID), Verdict::DROP),
            ];
            let verdict = Some(Register::VERDICT);
            with_set(vec![ct(CtKey::STATE, R1)], set, elements, verdict, vec![])
        },
    ));
    list.push(nft(Family::BRIDGE, PRE, "ct zone set 5", || {
        rule(vec![
            immediate(R1, 5_u16.to_ne_bytes()),
            ct_set(CtKey::ZONE, R1),
        ])
    }));
    list.push(nft(Family::BRIDGE, PRE, "notrack", || {
        rule(vec![Notrack::default().into()])
    }));
    for (text, key) in [
        ("meta ibrname \"br0\"", MetaKey::BRI_IIFNAME),
        ("meta obrname \"br0\"", MetaKey::BRI_OIFNAME),
    ] {
        list.push(nft(Family::BRIDGE, "", text, move || {
            rule(vec![meta(key, R1), eq(ifname("br0"))])
        }));
    }
    list.push(bridge("meta ibrpvid 7", || {
        rule(vec![
            meta(MetaKey::BRI_IIFPVID, R1),
            eq(7_u16.to_ne_bytes()),
        ])
    }));
    list.push(nft(
        Family::BRIDGE,
        PRE,
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
    list.push(bridge("iifname \"tap0\" oifname \"tap*\" drop", || {
        cat(vec![
            iifname("tap0").to_vec(),
            vec![meta(MetaKey::OIFNAME, R1), eq(*b"tap"), drop()],
        ])
    }));
    list.push(bridge("iifname vmap @verdicts", || {
        rule(vec![meta(MetaKey::IIFNAME, R1), vmap("verdicts", R1)])
    }));
    list.push(bridge("meta mark set iifname map @zones", || {
        rule(vec![
            meta(MetaKey::IIFNAME, R1),
            map("zones", R1, R1),
            meta_set(MetaKey::MARK, R1),
        ])
    }));
    list.push(bridge(
        "ip6 saddr 2001:db8::1 icmpv6 type nd-neighbor-advert",
        || {
            let address = "2001:db8::1".parse::<Ipv6Addr>().unwrap();
            cat(vec![
                ether_type(0x86dd).to_vec(),
                ip6_saddr(address).to_vec(),
                l4proto(58).to_vec(),
                vec![payload(PayloadBase::TRANSPORT, 0, 1, R1), eq([136])],
            ])
        },
    ));
    list.push(bridge("udp sport 67 udp dport 68 drop", || {
        cat(vec![
            udp(),
            vec![
                payload(PayloadBase::TRANSPORT, 0, 4, R1),
                eq([0, 67, 0, 68]),
                drop(),
            ],
        ])
    }));
    list.push(bridge(
        "tcp dport { 22, 80 } counter packets 0 bytes 0 accept",
        || {
            let (set, elements) = ports(&[22, 80]);
            let before = join(&[&tcp(), &[th(2)]]);
            with_set(before, set, elements, None, vec![counter(), accept()])
        },
    ));
    list.push(bridge("limit rate 3/second jump other", || {
        let limit = Limit {
            rate: 3,
            unit: 1,
            burst: 5,
            ..Limit::default()
        };
        rule(vec![limit.into(), verdict(Verdict::jump("other"))])
    }));
    list.push(bridge("counter name \"cnt\" return", || {
        rule(vec![
            ObjRef {
                kind: Some(ObjectType::COUNTER),
                name: Some("cnt".into()),
                ..ObjRef::default()
            }
            .into(),
            verdict(Verdict::RETURN),
        ])
    }));
    list.push(bridge("ether daddr set 02:00:00:00:00:01", || {
        rule(vec![
            immediate(R1, [2, 0, 0, 0, 0, 1]),
            Payload {
                sreg: Some(R1),
                base: PayloadBase::LINK,
                offset: 0,
                len: 6,
                csum_type: Some(0),
                csum_offset: Some(0),
                csum_flags: Some(0),
                ..Payload::default()
            }
            .into(),
        ])
    }));
    list.push(bridge("arp operation request", || {
        cat(vec![
            vec![payload(PayloadBase::LINK, 12, 2, R1), eq([8, 6])],
            vec![payload(PayloadBase::NETWORK, 6, 2, R1), eq([0, 1])],
        ])
    }));
    list.push(nft(Family::ARP, "", "arp operation request", || {
        rule(vec![payload(PayloadBase::NETWORK, 6, 2, R1), eq([0, 1])])
    }));
}
