//! Damage: every input cut at every byte, every 16-bit word set to awkward values, every byte
//! flipped. Decoding must give a typed error or a value, and a value must survive encoding.

use std::fmt;

use ofproto::action::ActionList;
use ofproto::codec::{Codec, Reader, Writer};
use ofproto::matching::{FixedMatch, Form, Match, MatchOptions};
use ofproto::msg::Message;

#[derive(Default)]
pub struct Report {
    inputs: usize,
    accepted: usize,
}

impl Report {
    pub fn inputs(&self) -> usize {
        self.inputs
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refused = self.inputs - self.accepted;
        write!(
            f,
            "swept {} inputs: {} accepted, {refused} refused",
            self.inputs, self.accepted
        )
    }
}

/// Decodes; a value must encode to something that decodes to the same value. Returns whether the
/// input was accepted.
fn try_message(name: &str, bytes: &[u8]) -> bool {
    let Ok((header, value)) = Message::decode(bytes) else {
        return false;
    };
    let back = match value.to_bytes(header.xid) {
        Ok(back) => back,
        Err(ofproto::EncodeError::Unsupported { .. }) => return true,
        Err(e) => panic!("{name}: {value:?} does not encode: {e}"),
    };
    match Message::decode(&back) {
        Ok((_, again)) => assert_eq!(again, value, "{name}"),
        Err(e) => panic!("{name}: {value:?} encodes to what does not decode: {e}"),
    }
    true
}

fn try_actions(name: &str, bytes: &[u8]) -> bool {
    let Ok(list) = ActionList::from_bytes(bytes) else {
        return false;
    };
    match list.to_bytes() {
        Ok(back) => assert_eq!(ActionList::from_bytes(&back), Ok(list), "{name}"),
        Err(ofproto::EncodeError::Unsupported { .. }) => {}
        Err(e) => panic!("{name}: {list:?} does not encode: {e}"),
    }
    true
}

fn try_match(name: &str, bytes: &[u8], lenient: bool) -> bool {
    let options = MatchOptions {
        lenient,
        allow_cookie: true,
    };
    let Ok(m) = Match::decode_fields(&mut Reader::new(bytes), options) else {
        return false;
    };
    let mut buf = Vec::new();
    m.encode_fields(&mut Writer::new(&mut buf), Form::Nxm);
    let again = Match::decode_fields(&mut Reader::new(&buf), options);
    assert_eq!(again.as_ref(), Ok(&m), "{name}: {buf:02x?}");
    true
}

fn try_fixed(name: &str, bytes: &[u8]) -> bool {
    let Ok(f) = FixedMatch::from_bytes(bytes) else {
        return false;
    };
    let m = f.to_match();
    let (back, lossless) = FixedMatch::from_match(&m);
    assert!(lossless, "{name}: {m:?}");
    assert_eq!(back.to_match(), m, "{name}");
    true
}

fn attempt(name: &str, kind: &str, bytes: &[u8], report: &mut Report) {
    report.inputs += 1;
    let accepted = match kind {
        "actions" | "instructions" => try_actions(name, bytes),
        "match-strict" => try_match(name, bytes, false),
        "match-loose" => try_match(name, bytes, true),
        "ofp10-match" => try_fixed(name, bytes),
        _ => try_message(name, bytes),
    };
    report.accepted += usize::from(accepted);
}

/// Sets the message length to the slice's, so that damage behind it is seen.
fn fix_length(bytes: &mut [u8]) {
    let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes();
    if let Some(slot) = bytes.get_mut(2..4) {
        slot.copy_from_slice(&len);
    }
}

fn is_message(kind: &str) -> bool {
    !matches!(
        kind,
        "actions" | "instructions" | "match-strict" | "match-loose" | "ofp10-match"
    )
}

pub fn all(name: &str, kind: &str, bytes: &[u8], report: &mut Report) {
    if matches!(
        kind,
        "ofp11-match" | "packet-fuzz-input" | "json-fuzz-input"
    ) {
        return;
    }
    attempt(name, kind, bytes, report);
    for end in 0..bytes.len() {
        let mut cut = bytes[..end].to_vec();
        attempt(name, kind, &cut, report);
        if is_message(kind) {
            fix_length(&mut cut);
            attempt(name, kind, &cut, report);
        }
    }
    // Long dumps repeat themselves: look at every n-th word and byte of them.
    let stride = 1 + bytes.len() / 512;
    // Any aligned word may be a length; set each to what lengths get wrong.
    for at in (0..bytes.len().saturating_sub(1)).step_by(2 * stride) {
        let was = u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        for new in [
            0,
            1,
            3,
            4,
            7,
            8,
            9,
            16,
            was.wrapping_sub(1),
            was.wrapping_add(1),
            0xffff,
        ] {
            let mut damaged = bytes.to_vec();
            damaged[at..at + 2].copy_from_slice(&new.to_be_bytes());
            attempt(name, kind, &damaged, report);
        }
    }
    for at in (0..bytes.len()).step_by(stride) {
        for flip in [0x01, 0x80, 0xff] {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= flip;
            attempt(name, kind, &damaged, report);
        }
    }
}
