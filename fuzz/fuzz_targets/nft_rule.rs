//! Rules and elements: the printers and the saved text take whatever decodes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nft::attr::Value;
use nft::message::Family;
use nft::rule::{OwnedRule, Rule};
use nft::saved::{from_text, to_text};
use nft::text::{bytecode, list};
use nft::wire::Reader;

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let Ok(rule) = Rule::decode(Reader::new(rest)) else {
        return;
    };
    bytecode::lines(&rule.expressions);
    let text = to_text(&rule);
    // A known number among the nameless attributes reads back as itself.
    assert_eq!(from_text::<Rule>(&text).as_ref(), Ok(&rule), "{text}");
    let owned = OwnedRule::from(rule).intended();
    list::rule(Family(*first), &owned);
    let json = list::rule_json(Family(*first), &owned).to_string();
    assert!(json.starts_with('[') && json.ends_with(']'));
});
