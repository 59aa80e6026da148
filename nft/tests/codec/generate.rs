//! Random valid values.

use nft::attr::{Unknown, UnknownAttribute};
use nft::data::{Data, Register, Verdict, VerdictCode};
use nft::element::{Element, ElementFlags};
use nft::expr::*;
use nft::name::{Bytes, Name};
use nft::rule::Rule;
use nft::userdata::UserData;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

pub fn name() -> impl Strategy<Value = Name> {
    prop_oneof![
        "[a-z][a-z0-9_-]{0,14}".prop_map(Name::from),
        vec(1..=255_u8, 0..8).prop_map(|bytes| Name::new(&bytes)),
    ]
}

pub fn bytes() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..40).prop_map(Bytes::from)
}

fn unknown() -> impl Strategy<Value = Unknown> {
    let one = (200..0x3fff_u16, any::<bool>(), vec(any::<u8>(), 0..9)).prop_map(
        |(kind, nested, payload)| UnknownAttribute {
            kind,
            nested,
            payload,
        },
    );
    vec(one, 0..2).prop_map(Unknown)
}

fn register() -> impl Strategy<Value = Register> {
    any::<u32>().prop_map(Register)
}

fn verdict() -> impl Strategy<Value = Verdict> {
    (any::<u32>(), of(name()), of(any::<u32>()), unknown()).prop_map(
        |(code, chain, chain_id, other)| Verdict {
            code: VerdictCode(code),
            chain,
            chain_id,
            other,
        },
    )
}

pub fn data() -> impl Strategy<Value = Data> {
    prop_oneof![
        bytes().prop_map(Data::Value),
        verdict().prop_map(Data::Verdict)
    ]
}

pub fn expr() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        (register(), data(), unknown()).prop_map(|(dreg, data, other)| Immediate {
            dreg,
            data,
            other
        }
        .into()),
        (
            of(register()),
            of(register()),
            any::<[u32; 3]>(),
            of(any::<u32>()),
            unknown()
        )
            .prop_map(
                |(dreg, sreg, [base, offset, len], csum_type, other)| Payload {
                    dreg,
                    sreg,
                    base: PayloadBase(base),
                    offset,
                    len,
                    csum_type,
                    csum_offset: csum_type,
                    csum_flags: csum_type,
                    other
                }
                .into()
            ),
        (any::<u32>(), of(register()), of(register()), unknown()).prop_map(
            |(key, dreg, sreg, other)| Meta {
                key: MetaKey(key),
                dreg,
                sreg,
                other
            }
            .into()
        ),
        (any::<u32>(), of(register()), of(any::<u8>()), unknown()).prop_map(
            |(key, dreg, direction, other)| Ct {
                key: CtKey(key),
                dreg,
                direction: direction.map(CtDirection),
                sreg: None,
                other
            }
            .into()
        ),
        (register(), any::<u32>(), data(), unknown()).prop_map(|(sreg, op, data, other)| Cmp {
            sreg,
            op: CmpOp(op),
            data,
            other
        }
        .into()),
        (register(), any::<u32>(), of(data()), unknown()).prop_map(|(reg, op, data, other)| {
            Bitwise {
                sreg: reg,
                sreg2: None,
                dreg: reg,
                op: BitwiseOp(op),
                len: op,
                mask: data.clone(),
                xor: data.clone(),
                data,
                other,
            }
            .into()
        }),
        (
            name(),
            of(any::<u32>()),
            register(),
            of(register()),
            any::<u32>(),
            unknown()
        )
            .prop_map(|(set, set_id, sreg, dreg, flags, other)| Lookup {
                set,
                set_id,
                sreg,
                dreg,
                flags: LookupFlags(flags),
                other
            }
            .into()),
        (any::<u64>(), any::<u64>(), unknown()).prop_map(|(bytes, packets, other)| Counter {
            bytes,
            packets,
            other
        }
        .into()),
        (any::<[u64; 2]>(), any::<[u32; 3]>()).prop_map(|([rate, unit], [burst, kind, flags])| {
            Limit {
                rate,
                unit,
                burst,
                kind: LimitType(kind),
                flags: Invert(flags),
                other: Unknown::NONE,
            }
            .into()
        }),
        (of(name()), of(any::<u16>()), of(any::<u32>()), any::<u32>()).prop_map(
            |(prefix, group, snaplen, flags)| Log {
                prefix,
                group,
                snaplen,
                qthreshold: group,
                level: snaplen.map(LogLevel),
                flags: LogFlags(flags),
                other: Unknown::NONE
            }
            .into()
        ),
        (any::<[u32; 3]>(), of(register()), of(register())).prop_map(
            |([kind, family, flags], addr_min, proto_min)| Nat {
                kind: NatType(kind),
                family,
                addr_min,
                addr_max: addr_min,
                proto_min,
                proto_max: None,
                flags: NatFlags(flags),
                other: Unknown::NONE
            }
            .into()
        ),
        Just(Notrack::default().into()),
        ("[a-z]{1,8}x", of(bytes())).prop_map(|(name, data)| Expr::Other(nft::expr::OtherExpr {
            name: format!("{name}-unknown").into(),
            data
        })),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        (
            name(),
            register(),
            of(inner.clone()),
            of(vec(inner, 0..3)),
            unknown(),
        )
            .prop_map(|(set, sreg_key, expr, exprs, other)| {
                DynSet {
                    set,
                    sreg_key,
                    expr: expr.map(Box::new),
                    exprs,
                    other,
                    ..DynSet::default()
                }
                .into()
            })
    })
}

pub fn element() -> impl Strategy<Value = Element> {
    let parts = (of(data()), of(data()), of(data()), any::<u32>());
    (
        parts,
        of(any::<u64>()),
        of(bytes()),
        of(expr()),
        of(name()),
        unknown(),
    )
        .prop_map(
            |((key, key_end, data, flags), timeout, userdata, expr, object, other)| Element {
                key,
                key_end,
                data,
                flags: ElementFlags(flags),
                timeout,
                expiration: timeout,
                userdata: userdata.map(UserData),
                expr: expr.map(Box::new),
                object,
                exprs: None,
                other,
            },
        )
}

pub fn rule() -> impl Strategy<Value = Rule> {
    let ids = (of(any::<u64>()), of(any::<u64>()), of(any::<u32>()));
    (
        name(),
        of(name()),
        ids,
        vec(expr(), 0..6),
        of(bytes()),
        unknown(),
    )
        .prop_map(
            |(table, chain, (handle, position, id), expressions, userdata, other)| Rule {
                table,
                chain,
                handle,
                position,
                id,
                position_id: id,
                chain_id: None,
                expressions,
                compat: None,
                userdata: userdata.map(UserData),
                other,
            },
        )
}
