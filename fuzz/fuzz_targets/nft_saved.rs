//! Saved rulesets: what restores saves to a text that restores to the same, and any two can be compared.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nft::diff;
use nft::ruleset::Ruleset;
use nft::text::{change, list};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    let ruleset = match Ruleset::restore(text) {
        Ok(ruleset) => ruleset,
        Err(error) => {
            error.pointing_into(text);
            return;
        }
    };
    let saved = ruleset.save();
    // Comments change nothing, whatever a rule says.
    let commented = Ruleset::restore(&ruleset.save_commented()).expect("own text restores");
    assert_eq!(commented.save(), saved);
    let again = Ruleset::restore(&saved).expect("own text restores");
    assert_eq!(again.save(), saved);
    list::ruleset(&ruleset);
    let none = Ruleset::default();
    for (wanted, there) in [(&ruleset, &none), (&none, &ruleset), (&ruleset, &ruleset)] {
        for change in diff::ruleset(wanted, there, |_, _| true) {
            change::lines(&change, wanted, there);
        }
    }
    let _ = list::ruleset_json(&ruleset).to_string();
});
