//! Interfaces, marks and other metadata.

use super::*;

pub(super) fn cases(list: &mut Vec<Case>) {
    list.push(nft(Family::INET, "", "iifname \"tap0\"", || {
        rule(iifname("tap0").to_vec())
    }));
    list.push(nft(Family::INET, "", "oifname \"tap0\"", || {
        rule(oifname("tap0").to_vec())
    }));
    list.push(nft(Family::INET, "", "iifname \"tap*\"", || {
        rule(vec![meta(MetaKey::IIFNAME, R1), eq(*b"tap")])
    }));
    list.push(nft(Family::INET, "", "meta mark 0x7", || {
        rule(vec![meta(MetaKey::MARK, R1), eq(7_u32.to_ne_bytes())])
    }));
    list.push(nft(Family::INET, "", "meta mark & 0xff == 1", || {
        rule(vec![
            meta(MetaKey::MARK, R1),
            mask(&0xff_u32.to_ne_bytes()),
            eq(1_u32.to_ne_bytes()),
        ])
    }));
    list.push(nft(Family::INET, "", "meta mark set 0x7", || {
        rule(vec![
            immediate(R1, 7_u32.to_ne_bytes()),
            meta_set(MetaKey::MARK, R1),
        ])
    }));
    list.push(nft(
        Family::INET,
        "",
        "meta mark set meta mark & 0xffff0000",
        || {
            rule(vec![
                meta(MetaKey::MARK, R1),
                mask(&0xffff_0000_u32.to_ne_bytes()),
                meta_set(MetaKey::MARK, R1),
            ])
        },
    ));
    list.push(nft(Family::INET, "", "meta nftrace set 1", || {
        rule(vec![immediate(R1, [1]), meta_set(MetaKey::NFTRACE, R1)])
    }));
    list.push(nft(Family::INET, "", "meta pkttype broadcast", || {
        rule(vec![meta(MetaKey::PKTTYPE, R1), eq([1])])
    }));
    list.push(nft(Family::INET, "", "meta length > 1000", || {
        rule(vec![
            meta(MetaKey::LEN, R1),
            Byteorder {
                sreg: R1,
                dreg: R1,
                op: ByteorderOp::HTON,
                len: 4,
                size: 4,
                ..Byteorder::default()
            }
            .into(),
            cmp(CmpOp::GT, R1, 1000_u32.to_be_bytes()),
        ])
    }));
    list.push(nft(
        Family::INET,
        "",
        "meta mark set iifname map @zones",
        || {
            rule(vec![
                meta(MetaKey::IIFNAME, R1),
                map("zones", R1, R1),
                meta_set(MetaKey::MARK, R1),
            ])
        },
    ));
    list.push(nft(Family::INET, "", "iifname vmap @verdicts", || {
        rule(vec![meta(MetaKey::IIFNAME, R1), vmap("verdicts", R1)])
    }));
    list.push(nft(
        Family::INET,
        "",
        "iifname vmap { \"a\" : accept, \"b\" : jump other }",
        || {
            let set = Set::new("t", "", &[DataType::IFNAME]).into_verdict_map();
            with_set(
                vec![meta(MetaKey::IIFNAME, R1)],
                set,
                vec![
                    Element::pair(ifname("a"), Verdict::ACCEPT),
                    Element::pair(ifname("b"), Verdict::jump("other")),
                ],
                Some(Register::VERDICT),
                vec![],
            )
        },
    ));
    list.push(nft(Family::INET, "", "meta cpu 1", || {
        rule(vec![meta(MetaKey::CPU, R1), eq(1_u32.to_ne_bytes())])
    }));
    list.push(nft(Family::INET, "", "meta random <= 4", || {
        rule(vec![
            meta(MetaKey::PRANDOM, R1),
            cmp(CmpOp::LTE, R1, 4_u32.to_be_bytes()),
        ])
    }));

    // What only the host has names for.
    let unlisted = |text, build: fn() -> OwnedRule| {
        case(Family::INET, "", Witness::CompilesUnlisted(text), build)
    };
    list.push(unlisted("iif \"lo\"", || {
        rule(vec![meta(MetaKey::IIF, R1), eq(1_u32.to_ne_bytes())])
    }));
    list.push(unlisted("oif \"lo\"", || {
        rule(vec![meta(MetaKey::OIF, R1), eq(1_u32.to_ne_bytes())])
    }));
    list.push(unlisted("meta iifgroup 7", || {
        rule(vec![meta(MetaKey::IIFGROUP, R1), eq(7_u32.to_ne_bytes())])
    }));
    list.push(unlisted("meta oifgroup 7", || {
        rule(vec![meta(MetaKey::OIFGROUP, R1), eq(7_u32.to_ne_bytes())])
    }));
    list.push(unlisted("meta hour \"10:00\"", || {
        rule(vec![
            meta(MetaKey::TIME_HOUR, R1),
            eq(36_000_u32.to_ne_bytes()),
        ])
    }));
    list.push(unlisted("meta day \"Monday\"", || {
        rule(vec![meta(MetaKey::TIME_DAY, R1), eq([1])])
    }));

    // More keys.
    let inet = |text, build: fn() -> OwnedRule| nft(Family::INET, "", text, build);
    list.push(inet("meta skuid 0", || {
        rule(vec![meta(MetaKey::SKUID, R1), eq(0_u32.to_ne_bytes())])
    }));
    list.push(inet("meta skgid 0", || {
        rule(vec![meta(MetaKey::SKGID, R1), eq(0_u32.to_ne_bytes())])
    }));
    list.push(inet("meta cgroup 5", || {
        rule(vec![meta(MetaKey::CGROUP, R1), eq(5_u32.to_ne_bytes())])
    }));
    list.push(inet("meta iifkind \"veth\"", || {
        rule(vec![meta(MetaKey::IIFKIND, R1), eq(ifname("veth"))])
    }));
    list.push(inet("meta oifkind \"veth\"", || {
        rule(vec![meta(MetaKey::OIFKIND, R1), eq(ifname("veth"))])
    }));
    list.push(inet("meta sdifname \"vrf1\"", || {
        rule(vec![meta(MetaKey::SDIFNAME, R1), eq(ifname("vrf1"))])
    }));
    list.push(inet("meta ipsec exists", || {
        rule(vec![meta(MetaKey::SECPATH, R1), eq([1])])
    }));
    list.push(inet("meta protocol ip", || {
        rule(vec![meta(MetaKey::PROTOCOL, R1), eq([8, 0])])
    }));
    list.push(inet("meta iiftype ether", || {
        rule(vec![meta(MetaKey::IIFTYPE, R1), eq(1_u16.to_ne_bytes())])
    }));
    list.push(inet("meta nfproto ipv6", || rule(v6())));
    list.push(inet("meta priority set \"cafe:beef\"", || {
        rule(vec![
            immediate(R1, 0xcafe_beef_u32.to_ne_bytes()),
            meta_set(MetaKey::PRIORITY, R1),
        ])
    }));
    list.push(nft(Family::INET, PRE, "meta pkttype set host", || {
        rule(vec![immediate(R1, [0]), meta_set(MetaKey::PKTTYPE, R1)])
    }));
    list.push(inet("iifname { \"a\", \"b\" }", || {
        let set = Set::new("t", "", &[DataType::IFNAME]);
        let names = ["a", "b"].map(|name| Element::key(ifname(name)));
        with_set(
            vec![meta(MetaKey::IIFNAME, R1)],
            set,
            names.to_vec(),
            None,
            vec![],
        )
    }));
    list.push(inet("iifname . oifname { \"a\" . \"b\" } accept", || {
        let set = Set::new("t", "", &[DataType::IFNAME, DataType::IFNAME]);
        let key = [ifname("a"), ifname("b")].concat();
        with_set(
            vec![meta(MetaKey::IIFNAME, R1), meta(MetaKey::OIFNAME, R2)],
            set,
            vec![Element::key(key)],
            None,
            vec![accept()],
        )
    }));
    list.push(inet("meta l4proto . th dport vmap @services", || {
        rule(vec![
            meta(MetaKey::L4PROTO, R1),
            // That one byte is turned is how nft does it.
            Byteorder {
                sreg: R1,
                dreg: R1,
                op: ByteorderOp::HTON,
                len: 1,
                size: 2,
                ..Byteorder::default()
            }
            .into(),
            payload(PayloadBase::TRANSPORT, 2, 2, Register::word(1)),
            vmap("services", R1),
        ])
    }));
    list.push(inet("meta mark 0x10-0x20", || {
        rule(vec![
            meta(MetaKey::MARK, R1),
            Byteorder {
                sreg: R1,
                dreg: R1,
                op: ByteorderOp::HTON,
                len: 4,
                size: 4,
                ..Byteorder::default()
            }
            .into(),
            cmp(CmpOp::GTE, R1, 0x10_u32.to_be_bytes()),
            cmp(CmpOp::LTE, R1, 0x20_u32.to_be_bytes()),
        ])
    }));
    list.push(inet("meta mark { 0x00000001, 0x00000005 }", || {
        let set = Set::new("t", "", &[DataType::MARK]);
        let marks = [mark(1), mark(5)].map(Element::key);
        with_set(
            vec![meta(MetaKey::MARK, R1)],
            set,
            marks.to_vec(),
            None,
            vec![],
        )
    }));
    list.push(inet("meta mark set meta mark << 8", || {
        rule(vec![
            meta(MetaKey::MARK, R1),
            shift(BitwiseOp::LSHIFT, 8),
            meta_set(MetaKey::MARK, R1),
        ])
    }));
    list.push(inet("meta mark set ct mark >> 8", || {
        rule(vec![
            ct(CtKey::MARK, R1),
            shift(BitwiseOp::RSHIFT, 8),
            meta_set(MetaKey::MARK, R1),
        ])
    }));
    list.push(inet("meta mark set meta mark | 0x00000010", || {
        rule(vec![
            meta(MetaKey::MARK, R1),
            Bitwise {
                sreg: R1,
                dreg: R1,
                len: 4,
                mask: Some(Data::from(mark(0xffff_ffef))),
                xor: Some(Data::from(mark(0x10))),
                ..Bitwise::default()
            }
            .into(),
            meta_set(MetaKey::MARK, R1),
        ])
    }));
    let registers = |name, op: BitwiseOp| {
        let silent = Witness::Silent(name, "libnftnl before 1.2.9 does not know it");
        case(Family::INET, "", silent, move || {
            rule(vec![
                meta(MetaKey::MARK, R1),
                ct(CtKey::MARK, R2),
                Bitwise {
                    sreg: R1,
                    sreg2: Some(R2),
                    dreg: R1,
                    op,
                    len: 4,
                    ..Bitwise::default()
                }
                .into(),
                ct_set(CtKey::MARK, R1),
            ])
        })
    };
    list.push(registers("and of two registers", BitwiseOp::AND));
    list.push(registers("or of two registers", BitwiseOp::OR));
    list.push(registers("exclusive or of two registers", BitwiseOp::XOR));
}

fn shift(op: BitwiseOp, bits: u32) -> Expr {
    Bitwise {
        sreg: R1,
        dreg: R1,
        op,
        len: 4,
        data: Some(Data::from(bits.to_ne_bytes())),
        ..Bitwise::default()
    }
    .into()
}
