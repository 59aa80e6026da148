//! Properties: encode and decode, save and restore, diff and apply are inverse to each other.

use nft::attr::Value;
use nft::batch::Place;
use nft::diff::{self, Change};
use nft::element::Element;
use nft::expr::Expr;
use nft::message::Family;
use nft::rule::{OwnedRule, Rule};
use nft::saved::{from_text, to_text};
use nft::text::{bytecode, list};
use nft::wire::{Reader, Writer};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::generate::{element, expr, rule};

fn through_bytes<T: Value>(value: &T) -> T {
    let mut w = Writer::new();
    value.encode(&mut w);
    assert!(!w.take_overflow());
    T::decode(Reader::new(w.bytes())).unwrap()
}

proptest! {
    #[test]
    fn expressions(value in expr()) {
        prop_assert_eq!(&through_bytes(&value), &value);
        let text = to_text(&value);
        prop_assert_eq!(&from_text::<Expr>(&text).unwrap(), &value, "{}", text);
        bytecode::line(&value);
    }

    #[test]
    fn rules(value in rule()) {
        prop_assert_eq!(&through_bytes(&value), &value);
        let text = to_text(&value);
        prop_assert_eq!(&from_text::<Rule>(&text).unwrap(), &value, "{}", text);
        for family in [Family::INET, Family::BRIDGE, Family::IPV6] {
            let owned = OwnedRule::from(value.clone());
            list::rule(family, &owned);
            let json = list::rule_json(family, &owned).to_string();
            serde_json::from_str::<serde_json::Value>(&json).unwrap();
        }
    }

    #[test]
    fn elements(value in element()) {
        prop_assert_eq!(&through_bytes(&value), &value);
        let text = to_text(&value);
        prop_assert_eq!(&from_text::<Element>(&text).unwrap(), &value, "{}", text);
    }

    #[test]
    fn rule_differences(from in vec(0..6_u8, 0..12), to in vec(0..6_u8, 0..12)) {
        let make = |list: &[u8]| -> Vec<OwnedRule> {
            list.iter()
                .zip(1..)
                .map(|(n, handle)| {
                    let rule = Rule::new("t", "c", Vec::new()).commented(&n.to_string());
                    OwnedRule::from(Rule { handle: Some(handle), ..rule })
                })
                .collect()
        };
        let (observed, desired) = (make(&from), make(&to));
        let changes = diff::rules(Family::INET, &desired, &observed, |_| false);
        let mut list = observed;
        for change in &changes {
            match change {
                Change::DeleteRule(_, gone) => {
                    list.retain(|owned| owned.rule.handle != gone.rule.handle);
                }
                Change::AddRule(_, new, Place::Last) => list.push(new.clone()),
                Change::AddRule(_, new, Place::Before(handle)) => {
                    let at = list.iter().position(|r| r.rule.handle == Some(*handle)).unwrap();
                    list.insert(at, new.clone());
                }
                other => panic!("{other:?}"),
            }
        }
        let comments: Vec<_> = list.iter().map(|r| r.rule.comment().unwrap()).collect();
        let wanted: Vec<_> = to.iter().map(u8::to_string).collect();
        prop_assert_eq!(comments, wanted);
        prop_assert!(changes.len() <= from.len() + to.len());
    }

    #[test]
    fn element_differences(from in vec((0..9_u8, 0..3_u8), 0..12), to in vec((0..9_u8, 0..3_u8), 0..12)) {
        let make = |list: &[(u8, u8)]| -> Vec<Element> {
            let unique: std::collections::BTreeMap<u8, u8> = list.iter().copied().collect();
            unique.into_iter().map(|(key, data)| Element::pair([key], [data])).collect()
        };
        let (observed, desired) = (make(&from), make(&to));
        let (gone, new) = diff::elements(&desired, &observed, |_| false);
        let mut list = observed;
        for gone in &gone {
            let before = list.len();
            list.retain(|e| e.key != gone.key);
            prop_assert_eq!(list.len() + 1, before);
        }
        for new in new {
            prop_assert!(list.iter().all(|e| e.key != new.key));
            list.push(new);
        }
        list.sort_by_key(|e| e.key.as_ref().unwrap().value().cloned());
        prop_assert_eq!(list, desired);
    }
}

#[test]
fn text_that_is_no_text_is_an_error() {
    for text in [
        "",
        "{",
        "lookup",
        "lookup{}",
        "lookup{set=\"a\" sreg=1",
        "frob{}",
        "cmp{sreg=x}",
    ] {
        assert!(from_text::<Expr>(text).is_err(), "{text}");
    }
    let deep = "dynset{expr=".repeat(40);
    assert!(from_text::<Expr>(&deep).is_err());
}
