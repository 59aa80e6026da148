//! Saved rulesets: what restores saves to a text that restores to the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nft::ruleset::Ruleset;
use nft::text::list;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    let Ok(ruleset) = Ruleset::restore(text) else {
        return;
    };
    let saved = ruleset.save();
    let again = Ruleset::restore(&saved).expect("own text restores");
    assert_eq!(again.save(), saved);
    list::ruleset(&ruleset);
    let _ = list::ruleset_json(&ruleset).to_string();
});
