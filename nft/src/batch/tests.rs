use super::*;
use crate::set::{DataType, SetFlags};
use crate::wire::{Ack, Frames};

fn kinds(encoded: &Encoded) -> Vec<(u16, u32, bool)> {
    Frames::new(encoded.bytes())
        .map(|frame| frame.unwrap().header)
        .map(|h| (h.kind, h.seq, h.flags.contains(Flags::ACK)))
        .collect()
}

#[test]
fn only_the_last_operation_is_acknowledged() {
    let mut batch = Batch::new();
    batch.add_table(Family::INET, &Table::new("t"));
    batch.add_chain(Family::INET, &Chain::regular("t", "c"));
    let mut encoded = batch.encode(None).unwrap();
    encoded.number(40);
    let expected = [
        (16, 40, false),
        (0xa00, 41, false),
        (0xa03, 42, true),
        (17, 43, false),
    ];
    assert_eq!(kinds(&encoded), expected);
    assert_eq!(encoded.last(), 42);
    assert_eq!(encoded.index_of(40), None);
    assert_eq!(encoded.index_of(41), Some(0));
    assert_eq!(encoded.index_of(43), None);
}

#[test]
fn long_element_lists_are_split() {
    let mut batch = Batch::new();
    let list: Vec<_> = (0..10_000_u32)
        .map(|i| Element::key(i.to_be_bytes()))
        .collect();
    batch.add_elements(Family::INET, &"t".into(), &"s".into(), &list);
    let encoded = batch.encode(None).unwrap();
    assert_eq!(encoded.len(), 3);
    let decoded: usize = Frames::new(encoded.bytes())
        .filter_map(|frame| Message::decode(&frame.unwrap()).ok())
        .map(|message| match message.body {
            Body::Elements(list) => list.elements.unwrap().len(),
            other => panic!("{other:?}"),
        })
        .sum();
    assert_eq!(decoded, 10_000);
}

#[test]
fn too_long_attribute_is_refused_here() {
    let mut batch = Batch::new();
    let exprs = vec![crate::expr::build::counter(); 10_000];
    batch.add_table(Family::INET, &Table::new("t"));
    batch.add_rule(Family::INET, &Rule::new("t", "c", exprs));
    assert_eq!(batch.encode(None), Err(TooLong { index: 1 }));
}

#[test]
fn anonymous_sets_get_ids_of_the_batch() {
    let mut batch = Batch::new();
    for _ in 0..2 {
        let mut owned = OwnedRule::from(Rule::new("t", "c", Vec::new()));
        let set = Set::new("t", "", &[DataType::INET_SERVICE]);
        let (name, id) = owned.add_set(set, vec![Element::key([0, 22])]);
        owned.rule.expressions.push(
            crate::expr::Lookup {
                set: name,
                set_id: Some(id),
                sreg: crate::data::Register::R1,
                ..Default::default()
            }
            .into(),
        );
        batch.add_owned_rule(Family::INET, &owned, Place::Last);
    }
    let encoded = batch.encode(None).unwrap();
    let mut ids = Vec::new();
    for frame in Frames::new(encoded.bytes()) {
        match Message::decode(&frame.unwrap()).map(|m| m.body) {
            Ok(Body::Set(set)) => {
                assert!(set.flags.contains(SetFlags::ANONYMOUS));
                ids.push(set.id.unwrap());
            }
            Ok(Body::Elements(list)) => ids.push(list.set_id.unwrap()),
            Ok(Body::Rule(rule)) => match &rule.expressions[0] {
                Expr::Lookup(lookup) => ids.push(lookup.set_id.unwrap()),
                other => panic!("{other:?}"),
            },
            _ => {}
        }
    }
    assert_eq!(ids, [1, 1, 1, 2, 2, 2]);
}

#[test]
fn offset_becomes_a_path() {
    let mut batch = Batch::new();
    batch.add_table(Family::INET, &Table::new("t"));
    let lookup = crate::expr::build::lookup("missing", crate::data::Register::R1);
    let exprs = vec![crate::expr::build::counter(), lookup];
    batch.add_rule(Family::INET, &Rule::new("t", "c", exprs).commented("who"));
    let mut encoded = batch.encode(Some(7)).unwrap();
    encoded.number(1);
    let op = encoded.op_bytes(1).unwrap();
    let at = op.windows(8).position(|w| w == b"missing\0").unwrap() - 4;
    let ack = Ack {
        errno: 2,
        seq: 3,
        offset: Some(u32::try_from(at).unwrap()),
        ..Ack::default()
    };
    let error = OpError::explain(&encoded, &ack);
    assert_eq!(
        error.to_string(),
        "new-rule inet t c \"who\" (operation 1) at expressions[1] lookup.set: \
         no such file or directory (ENOENT)"
    );
}
