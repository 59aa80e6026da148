//! Connection tracking.

use super::*;

pub(super) fn cases(list: &mut Vec<Case>) {
    list.push(nft(
        Family::INET,
        "",
        "ct state established,related accept",
        || {
            cat(vec![
                ct_state(ct_bits::ESTABLISHED | ct_bits::RELATED).to_vec(),
                vec![accept()],
            ])
        },
    ));
    list.push(nft(Family::INET, "", "ct state invalid drop", || {
        cat(vec![ct_state(ct_bits::INVALID).to_vec(), vec![drop()]])
    }));
    list.push(nft(
        Family::INET,
        "",
        "ct state vmap { established : accept, invalid : drop }",
        || {
            let set = Set::new("t", "", &[DataType::CT_STATE]).into_verdict_map();
            with_set(
                vec![ct(CtKey::STATE, R1)],
                set,
                vec![
                    Element::pair(2_u32.to_ne_bytes(), Verdict::ACCEPT),
                    Element::pair(1_u32.to_ne_bytes(), Verdict::DROP),
                ],
                Some(Register::VERDICT),
                vec![],
            )
        },
    ));
    list.push(nft(Family::INET, "", "ct mark 5", || {
        rule(vec![ct(CtKey::MARK, R1), eq(5_u32.to_ne_bytes())])
    }));
    list.push(nft(Family::INET, "", "ct mark set meta mark", || {
        rule(vec![meta(MetaKey::MARK, R1), ct_set(CtKey::MARK, R1)])
    }));
    list.push(nft(Family::INET, "", "meta mark set ct mark", || {
        rule(vec![ct(CtKey::MARK, R1), meta_set(MetaKey::MARK, R1)])
    }));
    list.push(nft(Family::INET, "", "ct original zone 7", || {
        rule(vec![
            ct_dir(CtKey::ZONE, CtDirection::ORIGINAL, R1),
            eq(7_u16.to_ne_bytes()),
        ])
    }));
    list.push(nft(Family::INET, "", "ct zone 7", || {
        rule(vec![ct(CtKey::ZONE, R1), eq(7_u16.to_ne_bytes())])
    }));
    list.push(nft(Family::INET, PRE, "ct zone set 5", || {
        rule(vec![
            immediate(R1, 5_u16.to_ne_bytes()),
            ct_set(CtKey::ZONE, R1),
        ])
    }));
    list.push(nft(Family::INET, "", "ct direction original", || {
        rule(vec![ct(CtKey::DIRECTION, R1), eq([0])])
    }));
    list.push(nft(Family::INET, "", "ct status dnat", || {
        rule(vec![
            ct(CtKey::STATUS, R1),
            mask(&0x20_u32.to_ne_bytes()),
            cmp(CmpOp::NEQ, R1, [0; 4]),
        ])
    }));
    list.push(nft(
        Family::INET,
        "",
        "ct original ip saddr 192.0.2.1",
        || {
            rule(vec![
                ct_dir(CtKey::SRC_IP, CtDirection::ORIGINAL, R1),
                eq([192, 0, 2, 1]),
            ])
        },
    ));
    list.push(nft(
        Family::INET,
        "",
        "meta l4proto tcp ct original proto-dst 80",
        || {
            cat(vec![
                tcp(),
                vec![
                    ct_dir(CtKey::PROTO_DST, CtDirection::ORIGINAL, R1),
                    eq([0, 80]),
                ],
            ])
        },
    ));
    list.push(nft(Family::INET, "", "ct reply packets > 10", || {
        rule(vec![
            ct_dir(CtKey::PKTS, CtDirection::REPLY, R1),
            Byteorder {
                sreg: R1,
                dreg: R1,
                op: ByteorderOp::HTON,
                len: 8,
                size: 8,
                ..Byteorder::default()
            }
            .into(),
            cmp(CmpOp::GT, R1, 10_u64.to_be_bytes()),
        ])
    }));
    list.push(nft(Family::INET, PRE, "notrack", || {
        rule(vec![Notrack::default().into()])
    }));
    list.push(nft(Family::INET, "", "ct count 20 accept", || {
        rule(vec![
            ConnLimit {
                count: 20,
                ..ConnLimit::default()
            }
            .into(),
            accept(),
        ])
    }));
    list.push(nft(Family::INET, "", "ct count over 20 drop", || {
        rule(vec![
            ConnLimit {
                count: 20,
                flags: Invert::OVER,
                ..ConnLimit::default()
            }
            .into(),
            drop(),
        ])
    }));

    let inet = |text, build: fn() -> OwnedRule| nft(Family::INET, "", text, build);
    list.push(inet("ct mark set 0x00000007", || {
        rule(vec![immediate(R1, mark(7)), ct_set(CtKey::MARK, R1)])
    }));
    list.push(inet("ct mark & 0xff == 3", || {
        rule(vec![
            ct(CtKey::MARK, R1),
            self::mask(&mark(0xff)),
            eq(mark(3)),
        ])
    }));
    list.push(inet("ct state != established", || {
        rule(vec![ct(CtKey::STATE, R1), cmp(CmpOp::NEQ, R1, mark(2))])
    }));
    list.push(inet("ct state new,untracked accept", || {
        cat(vec![
            ct_state(ct_bits::NEW | ct_bits::UNTRACKED).to_vec(),
            vec![accept()],
        ])
    }));
    list.push(inet("ct label 1", || {
        let mut bits = [0; 16];
        bits[0] = 2;
        rule(vec![
            ct(CtKey::LABELS, R1),
            self::mask(&bits),
            cmp(CmpOp::NEQ, R1, [0; 16]),
        ])
    }));
    list.push(inet("ct label set 1", || {
        let mut bits = [0; 16];
        bits[0] = 2;
        rule(vec![immediate(R1, bits), ct_set(CtKey::LABELS, R1)])
    }));
    list.push(inet("ct helper \"ftp\"", || {
        rule(vec![ct(CtKey::HELPER, R1), eq(ifname("ftp"))])
    }));
    list.push(inet("ct expiration 30s", || {
        rule(vec![
            ct(CtKey::EXPIRATION, R1),
            eq(30_000_u32.to_ne_bytes()),
        ])
    }));
    let silent = Witness::Silent("ct id 5", "libnftnl before 1.2.5 has no name for it");
    list.push(case(Family::INET, "", silent, || {
        rule(vec![ct(CtKey::ID, R1), eq(5_u32.to_be_bytes())])
    }));
    list.push(inet("ct bytes > 1000", || {
        rule(vec![
            ct(CtKey::BYTES, R1),
            host_to_network(8),
            cmp(CmpOp::GT, R1, 1000_u64.to_be_bytes()),
        ])
    }));
    list.push(inet("ct original avgpkt > 100", || {
        rule(vec![
            ct_dir(CtKey::AVGPKT, CtDirection::ORIGINAL, R1),
            host_to_network(8),
            cmp(CmpOp::GT, R1, 100_u64.to_be_bytes()),
        ])
    }));
    list.push(inet("ct original protocol 6", || {
        rule(vec![
            ct_dir(CtKey::PROTOCOL, CtDirection::ORIGINAL, R1),
            eq([6]),
        ])
    }));
    list.push(inet("ct original l3proto ipv4", || {
        rule(vec![
            ct_dir(CtKey::L3PROTOCOL, CtDirection::ORIGINAL, R1),
            eq([2]),
        ])
    }));
    list.push(inet("ct reply ip6 daddr 2001:db8::1", || {
        let address = "2001:db8::1".parse::<Ipv6Addr>().unwrap();
        rule(vec![
            ct_dir(CtKey::DST_IP6, CtDirection::REPLY, R1),
            eq(address),
        ])
    }));
    list.push(inet("ct status snat,assured", || {
        rule(vec![
            ct(CtKey::STATUS, R1),
            self::mask(&mark(0x14)),
            cmp(CmpOp::NEQ, R1, [0; 4]),
        ])
    }));
    list.push(nft(
        Family::INET,
        PRE,
        "ct zone set iifname map @ctzones",
        || {
            rule(vec![
                meta(MetaKey::IIFNAME, R1),
                map("ctzones", R1, R1),
                ct_set(CtKey::ZONE, R1),
            ])
        },
    ));
    list.push(inet("ct event set new,destroy", || {
        rule(vec![immediate(R1, mark(5)), ct_set(CtKey::EVENTMASK, R1)])
    }));
}

fn host_to_network(len: u32) -> Expr {
    Byteorder {
        sreg: R1,
        dreg: R1,
        op: ByteorderOp::HTON,
        len,
        size: len,
        ..Byteorder::default()
    }
    .into()
}
