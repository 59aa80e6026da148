//! Any bytes as NXM and OXM entries, strict and lenient, and as a fixed match.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ofproto::codec::{Codec, Reader, Writer};
use ofproto::matching::{FixedMatch, Form, Match, MatchOptions};
use ofproto::text::{nxm_from_str, nxm_to_string};

fuzz_target!(|bytes: &[u8]| {
    for lenient in [false, true] {
        let options = MatchOptions {
            lenient,
            allow_cookie: true,
        };
        let Ok(value) = Match::decode_fields(&mut Reader::new(bytes), options) else {
            continue;
        };
        let mut encoded = Vec::new();
        value.encode_fields(&mut Writer::new(&mut encoded), Form::Nxm);
        let strict = MatchOptions {
            lenient: false,
            allow_cookie: true,
        };
        match Match::decode_fields(&mut Reader::new(&encoded), strict) {
            Ok(back) => assert_eq!(back, value),
            // Lenient reading accepts fields without their prerequisites.
            Err(_) => assert!(lenient),
        }
        // The text of a match is read again, though not everything is in it.
        let text = value.to_string();
        let _ = text.parse::<Match>();
    }
    let text = nxm_to_string(bytes);
    if let Ok(back) = nxm_from_str(&text) {
        assert_eq!(nxm_to_string(&back), text);
    }
    if let Ok(fixed) = FixedMatch::from_bytes(bytes) {
        let (back, _) = FixedMatch::from_match(&fixed.to_match());
        assert_eq!(back.to_match(), fixed.to_match());
    }
});
