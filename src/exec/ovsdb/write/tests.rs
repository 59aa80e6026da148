//! Batches against a small replica: the operations written, the items refused, the replies mapped back.

use super::super::fixture::{ROWS, Source};
use super::*;
use crate::model::VlanHint;
use std::collections::BTreeMap;

fn draft(items: &[(RowKey, Option<Row>)]) -> Draft {
    let mut replica = Replica::new(read::indexes());
    replica.follow(&Source::new().update(ROWS));
    Draft::new(items, &replica, &"hv1".into(), &"vifd_x".into())
}

/// The operations between the first and the two last, which are always the same.
fn operations(draft: &mut Draft) -> Vec<String> {
    let params = draft.take().to_params(&"Open_vSwitch".into());
    let all: Vec<String> = params.iter().map(Json::to_string).collect();
    assert_eq!(all[1], r#"{"lock":"vifd_x","op":"assert"}"#);
    let [_, _, middle @ .., raise, select] = &all[..] else {
        panic!("{all:?}")
    };
    assert!(raise.contains(r#"[["next_cfg","+=",1]]"#), "{raise}");
    assert!(select.contains(r#""op":"select""#), "{select}");
    middle.to_vec()
}

fn vif(tag: u16, hint: Option<VlanHint>) -> (RowKey, Option<Row>) {
    let row = VifRow {
        vif: tap1(),
        tag,
        hint,
    };
    (RowKey::Vif("tap1".into()), Some(Row::Vif(row)))
}

/// The VIF of [`ROWS`].
fn tap1() -> VifId {
    VifId {
        row: "00000000-0000-4000-8000-000000000013".parse().unwrap(),
        iface_id: "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee".parse().unwrap(),
        ofport: None,
    }
}

fn port(name: &str, bridge: &str, peer: &str) -> (RowKey, Option<Row>) {
    let options = BTreeMap::from([("peer".into(), peer.into())]);
    let row = PortRow {
        bridge: bridge.into(),
        kind: "patch".into(),
        options,
    };
    (RowKey::Port(name.into()), Some(Row::Port(row)))
}

fn bridge(name: &str, mode: &str, create: bool) -> (RowKey, Option<Row>) {
    let row = BridgeRow {
        datapath_type: Some("system".into()),
        fail_mode: Some(mode.into()),
        create,
    };
    (RowKey::Bridge(name.into()), Some(Row::Bridge(row)))
}

#[test]
fn nothing_to_write_at_all_asks_the_switch_how_far_it_is() {
    let mut draft = draft(&[]);
    assert!(!draft.is_empty());
    let text = format!("{:?}", draft.take());
    assert!(text.contains("next_cfg"), "{text}");
}

#[test]
fn what_stands_is_not_written() {
    let items = [
        bridge("br-int", "secure", true),
        port("patch-tun", "br-int", "x"),
        (RowKey::Port("nobody".into()), None),
        (RowKey::Vif("nobody".into()), None),
    ];
    let draft = draft(&items);
    assert!(draft.is_empty());
    assert_eq!(
        draft.unchanged(),
        Outcome::Done {
            refused: vec![],
            next_cfg: None
        }
    );
}

#[test]
fn only_columns_and_keys_that_differ_are_written() {
    let hint = VlanHint {
        network: "11111111-2222-4333-8444-555555555555".parse().unwrap(),
        network_type: "local".into(),
        physical_network: None,
        segmentation_id: None,
        tag: 9,
    };
    let items = [vif(9, Some(hint)), port("patch-tun", "br-int", "y")];
    let written = operations(&mut draft(&items));
    let is =
        |at: u8| format!(r#"[["_uuid","==",["uuid","00000000-0000-4000-8000-0000000000{at}"]]]"#);
    let expected = [
        concat!(
            r#"{"columns":["name"],"op":"wait","rows":[{"name":"tap1"}],"table":"Interface","timeout":0,"until":"==","#,
            r#""where":[["_uuid","==",["uuid","00000000-0000-4000-8000-000000000023"]],"#,
            r#"["external_ids","includes",["map",[["iface-id","aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"]]]]]}"#
        )
        .to_owned(),
        format!(
            r#"{{"op":"update","row":{{"tag":9,"trunks":["set",[]]}},"table":"Port","where":{}}}"#,
            is(13)
        ),
        format!(
            concat!(
                r#"{{"mutations":[["other_config","delete","segmentation_id"],["other_config","insert",["map",["#,
                r#"["net_uuid","11111111-2222-4333-8444-555555555555"],["network_type","local"],"#,
                r#"["physical_network","None"]]]]],"op":"mutate","table":"Port","where":{}}}"#
            ),
            is(13)
        ),
        format!(
            concat!(
                r#"{{"mutations":[["options","delete","peer"],["options","insert",["map",[["peer","y"]]]]],"#,
                r#""op":"mutate","table":"Interface","where":{}}}"#
            ),
            is(22)
        ),
    ];
    assert_eq!(written, expected);
}

#[test]
fn a_new_bridge_takes_ports_of_the_same_batch() {
    let mut draft = draft(&[bridge("br-tun", "secure", true), port("p", "br-tun", "q")]);
    let written = operations(&mut draft);
    let inserts = written
        .iter()
        .filter(|op| op.contains(r#""op":"insert""#))
        .count();
    assert_eq!((written.len(), inserts), (7, 5), "{written:#?}");
    assert!(
        written[6].contains(r#"["name","==","br-tun"]"#),
        "{}",
        written[6]
    );
    assert_eq!(
        written
            .iter()
            .filter(|op| op.contains("vifd-owner"))
            .count(),
        2,
        "{written:#?}"
    );
}

#[test]
fn what_cannot_be_is_refused_alone() {
    let items = [
        bridge("br-ex", "secure", false),
        port("p", "br-ex", "q"),
        (RowKey::Port("tap1".into()), None),
        (RowKey::Vif("tap9".into()), vif(1, None).1),
        (RowKey::Vif("tap1".into()), bridge("x", "y", true).1),
        vif(1, None),
    ];
    let mut draft = draft(&items);
    assert_eq!(operations(&mut draft).len(), 2);
    let count = OpResult::Count(1);
    let results = [OpResult::Done, OpResult::Done, count.clone(), count];
    let Outcome::Done { refused, .. } = draft.done(&results) else {
        panic!()
    };
    assert_eq!(
        refused.iter().map(|(at, _)| *at).collect::<Vec<_>>(),
        [0, 1, 2, 3, 4],
        "{refused:?}"
    );
}

#[test]
fn replies_find_their_items() {
    let draft = draft(&[port("p", "br-int", "q"), vif(1, None)]);
    // assert, insert, insert, mutate, wait, update, mutate, select
    let at = |op| match draft.rejected(op, "no".into()) {
        Outcome::Rejected { at, .. } => at,
        other => panic!("{other:?}"),
    };
    let found: Vec<_> = (0..8).map(|op| at(Some(op))).collect();
    let [first, second] = [Some(0), Some(1)];
    assert_eq!(
        found,
        [None, first, first, first, second, second, None, None]
    );
    assert_eq!(at(None), None);
    // The bridge went between replica and commit.
    let results = |mutated, updated| {
        let counts = [
            OpResult::Count(mutated),
            OpResult::Done,
            OpResult::Count(updated),
            OpResult::Count(1),
        ];
        let mut row = ovsdb::json::Object::new();
        row.insert("next_cfg", Json::Integer(42));
        let mut results = vec![OpResult::Done, OpResult::Done, OpResult::Done];
        results.extend(counts);
        results.push(OpResult::Rows(vec![row]));
        results
    };
    assert_eq!(
        draft.done(&results(1, 1)),
        Outcome::Done {
            refused: vec![],
            next_cfg: Some(42)
        }
    );
    let Outcome::Done {
        refused,
        next_cfg: Some(42),
    } = draft.done(&results(0, 1))
    else {
        panic!()
    };
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].0, 0);
}

#[test]
fn a_tag_is_meant_for_one_vif() {
    let hint = || {
        Some(VlanHint {
            network: "11111111-2222-4333-8444-555555555555".parse().unwrap(),
            network_type: "local".into(),
            physical_network: None,
            segmentation_id: None,
            tag: 1,
        })
    };
    let refusal = |vif: VifId| {
        let row = VifRow {
            vif,
            tag: 1,
            hint: hint(),
        };
        let items = [(RowKey::Vif("tap1".into()), Some(Row::Vif(row)))];
        let draft = draft(&items);
        match draft.unchanged() {
            Outcome::Done { refused, .. } if draft.is_empty() => refused.first().cloned(),
            _ => None,
        }
    };
    assert_eq!(refusal(tap1()), None);
    let anew = VifId {
        row: "00000000-0000-4000-8000-000000000099".parse().unwrap(),
        ..tap1()
    };
    let other = VifId {
        iface_id: "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeee0".parse().unwrap(),
        ..tap1()
    };
    let renumbered = VifId {
        ofport: crate::model::Ofport::new(7),
        ..tap1()
    };
    for (vif, why) in [
        (anew, "not the one"),
        (other, "another VIF's"),
        (renumbered, "another number"),
    ] {
        let (at, reason) = refusal(vif).expect("a refusal");
        assert!(at == 0 && reason.contains(why), "{reason}");
    }
}
