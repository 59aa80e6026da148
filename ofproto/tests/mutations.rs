//! Damaged messages, actions and matches: Open vSwitch and this crate accept and refuse the same
//! ones, with the same error, and print what they accept alike.
//!
//! Everything is made from valid values by a few random changes, run through `ovs-ofctl` in
//! batches, and compared whole. What may differ is listed in [`EXCUSES`], each with its reason and
//! a predicate that looks at the bytes; anything else fails the test. `VIFD_SEED` chooses another
//! seed.

mod prints;
mod run;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use arbitrary::Unstructured;
use ofproto::action::ActionList;
use ofproto::arbitrary::message_of;
use ofproto::codec::{Codec, Reader, Writer};
use ofproto::matching::{Form, Match, MatchOptions};
use ofproto::msg::registry::ENTRIES;
use ofproto::msg::{FlowMod, Message};
use ofproto::text::{Verbosity, nxm_to_string, print_message};
use prints::{Noise, hex, ofp_parse, report, seed};
use run::run;

/// Damaged messages per run.
const MESSAGES: usize = 15_000;
/// Damaged lists of actions, and damaged matches, per run.
const PARTS: usize = 15_000;

/// A number below `bound`.
fn below(noise: &mut Noise, bound: usize) -> usize {
    let word = u64::from_be_bytes(noise.bytes(8).try_into().unwrap());
    usize::try_from(word % u64::try_from(bound.max(1)).unwrap()).unwrap()
}

fn choose<T: Copy>(noise: &mut Noise, from: &[T]) -> T {
    from[below(noise, from.len())]
}

/// One to three changes behind the first `fixed` bytes.
fn damage(noise: &mut Noise, bytes: &mut Vec<u8>, fixed: usize) {
    const WORDS: [u16; 14] = [
        0, 1, 3, 4, 7, 8, 9, 16, 24, 32, 0x0fff, 0x2320, 0xfff8, 0xffff,
    ];
    for _ in 0..choose(noise, &[1, 1, 1, 2, 3]) {
        let room = bytes.len().saturating_sub(fixed);
        let at = fixed + below(noise, room);
        match below(noise, 8) {
            0 if room > 0 => bytes[at] ^= 1 << below(noise, 8),
            1 if room > 0 => {
                bytes[at] = choose(noise, &[0, 1, 2, 4, 8, 0x20, 0x7f, 0x80, 0xfe, 0xff]);
            }
            2 if room > 1 => {
                let at = (at & !1).max(fixed);
                if let Some(word) = bytes.get_mut(at..at + 2) {
                    word.copy_from_slice(&choose(noise, &WORDS).to_be_bytes());
                }
            }
            3 if room > 1 => {
                let at = (at & !1).max(fixed);
                if let Some(word) = bytes.get_mut(at..at + 2) {
                    let value = u16::from_be_bytes([word[0], word[1]]);
                    let change = choose(noise, &[1, 2, 4, 8, 0xffff, 0xfffe, 0xfffc, 0xfff8]);
                    word.copy_from_slice(&value.wrapping_add(change).to_be_bytes());
                }
            }
            4 => bytes.truncate(fixed + below(noise, room + 1)),
            5 => bytes.extend(vec![0; choose(noise, &[1, 4, 8, 16])]),
            6 if room >= 8 => {
                let at = fixed + 8 * below(noise, room / 8);
                bytes.drain(at..at + 8);
            }
            7 if room >= 8 => {
                let at = fixed + 8 * below(noise, room / 8);
                let again = bytes[at..at + 8].to_vec();
                bytes.splice(at..at, again);
            }
            _ => bytes.extend(noise.bytes(8)),
        }
    }
}

/// Why the two may differ on some bytes.
struct Excuse {
    reason: &'static str,
    /// Bytes, theirs, ours.
    applies: fn(&[u8], &str, &str) -> bool,
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// A Nicira action of this subtype may be in the bytes.
fn has_action(bytes: &[u8], subtype: u16) -> bool {
    let [high, low] = subtype.to_be_bytes();
    contains(bytes, &[0, 0, 0x23, 0x20, high, low])
}

fn is_nicira(bytes: &[u8], subtype: u8) -> bool {
    bytes.get(1) == Some(&4) && bytes.get(8..16) == Some(&[0, 0, 0x23, 0x20, 0, 0, 0, subtype])
}

const EXCUSES: &[Excuse] = &[
    Excuse {
        reason: "marks and labels of a conntrack flush are newer than 3.1, which skips what it \
                 does not know there; 3.1 also takes addresses of two families in some orders",
        applies: |bytes, _, _| is_nicira(bytes, 32),
    },
    Excuse {
        reason: "a switch looks at the zeros of NXT_CT_FLUSH_ZONE, its printer does not",
        applies: |bytes, _, ours| is_nicira(bytes, 29) && ours.contains("NXBRC_MUST_BE_ZERO"),
    },
    Excuse {
        reason: "bundle_load forgets what it found wrong in its arguments once its field is known",
        applies: |bytes, _, ours| has_action(bytes, 13) && ours.contains("OFPBAC_BAD_ARGUMENT"),
    },
    Excuse {
        reason: "the fourth form of sample is newer than 3.1",
        applies: |bytes, theirs, _| {
            has_action(bytes, 51) && theirs.contains("OFPBAC_BAD_VENDOR_TYPE")
        },
    },
    Excuse {
        reason: "the registers xreg8 to xreg15 are newer than 3.1",
        applies: |bytes, theirs, _| {
            (0x10..=0x1e)
                .step_by(2)
                .any(|field| contains(bytes, &[0x80, 1, field, 8]))
                && (theirs.contains("_BAD_SET_TYPE") || theirs.contains("OFPBMC_BAD_FIELD"))
        },
    },
    Excuse {
        reason: "an unknown set_field header is a wrong length when another field shares its place \
                 in a hash table",
        applies: |bytes, theirs, ours| {
            has_action(bytes, 33)
                && theirs.contains("OFPBAC_BAD_SET_LEN")
                && ours.contains("OFPBAC_BAD_SET_TYPE")
        },
    },
    Excuse {
        reason: "an error of vendor 0 is read as a standard one; here the bytes would be lost",
        applies: |bytes, _, ours| {
            bytes.get(1) == Some(&1)
                && ours.contains("OFPBRC_BAD_LEN")
                && (bytes.get(8..10) == Some(&[0xff, 0xff])
                    || bytes.get(8..16) == Some(&[0xb0, 0xc2, 0, 0, 0, 0, 0, 0]))
        },
    },
    Excuse {
        reason: "a message of another version inside an error is not decoded",
        applies: |bytes, _, ours| bytes.get(1) == Some(&1) && ours.contains("OFPBRC_BAD_VERSION"),
    },
    Excuse {
        reason: "reasons of a flow update above 255 do not exist",
        applies: |bytes, _, ours| {
            contains(bytes, &[0, 0, 0x23, 0x20, 0, 0, 0, 2]) && ours.contains("NXBRC_BAD_REASON")
        },
    },
    Excuse {
        reason: "an ICMP type or code has 8 bits, also where a match has room for 16",
        applies: |bytes, theirs, _| {
            matches!(bytes.get(1), Some(11 | 14 | 16 | 17)) && theirs.contains(",icmp")
        },
    },
    Excuse {
        reason: "the buckets of a group description are read from all that follows it, even where \
                 their list ends inside one",
        applies: |bytes, theirs, _| {
            contains(bytes, &[0, 0, 0x23, 0x20, 0, 0, 0, 8]) && theirs.contains("***decode error")
        },
    },
    Excuse {
        reason: "a field that learn names is looked up before the length of what follows is",
        applies: |bytes, theirs, ours| {
            has_action(bytes, 16) && theirs.contains("_BAD_LEN") && ours.contains("_BAD_SET_TYPE")
        },
    },
    Excuse {
        reason: "what a packet's match compares without its prerequisites keeps its own name",
        applies: |bytes, theirs, ours| {
            [17, 28, 30]
                .iter()
                .any(|subtype| is_nicira(bytes, *subtype))
                && !theirs.contains("error")
                && !ours.contains("error")
        },
    },
    Excuse {
        reason: "what a masked header says of the width of a tunnel option is not looked at in loads",
        applies: |bytes, _, ours| has_action(bytes, 7) && ours.contains("OFPBAC_BAD_SET_LEN"),
    },
    Excuse {
        reason: "names that are not ASCII are shown with a replacement character",
        applies: |_, _, ours| ours.contains('\u{fffd}'),
    },
    Excuse {
        reason: "the length of a group's counters is not held against its head or whole buckets",
        applies: |bytes, _, ours| {
            contains(bytes, &[0, 0, 0x23, 0x20, 0, 0, 0, 7]) && ours.contains("***parse error***")
        },
    },
    Excuse {
        reason: "tunnel options that are not mapped lose their value",
        applies: |_, theirs, _| theirs.contains("TUN_METADATA") || theirs.contains("tun_metadata"),
    },
    Excuse {
        reason: "a length that ends inside the padding of a flow update's match is too short at \
                 once, not after the actions that then are not there",
        applies: |bytes, _, ours| {
            contains(bytes, &[0, 0, 0x23, 0x20, 0, 0, 0, 2]) && ours.contains("OFPBRC_BAD_LEN")
        },
    },
];

/// Counts excuses and keeps what none explains.
#[derive(Default)]
struct Verdicts {
    excused: BTreeMap<&'static str, usize>,
    unexplained: Vec<String>,
}

impl Verdicts {
    fn compare(&mut self, bytes: &[u8], theirs: &str, ours: &str) {
        if theirs == ours {
            return;
        }
        match EXCUSES.iter().find(|e| (e.applies)(bytes, theirs, ours)) {
            Some(excuse) => *self.excused.entry(excuse.reason).or_default() += 1,
            None => {
                let bytes = hex(bytes);
                self.unexplained
                    .push(format!("ours   {ours}\ntheirs {theirs}\nbytes  {bytes}"));
            }
        }
    }

    fn finish(self, what: &str, total: usize) {
        for (reason, count) in &self.excused {
            println!("{what}: {count:4} excused: {reason}");
        }
        let excused: usize = self.excused.values().sum();
        assert!(
            excused * 100 < total,
            "{what}: {excused} of {total} excused"
        );
        report(what, &self.unexplained, total);
    }
}

#[test]
fn damaged_messages_print_alike() {
    let mut noise = Noise(seed() ^ 0xda3a);
    let mut messages = Vec::new();
    while messages.len() < MESSAGES {
        let entry = ENTRIES[messages.len() % ENTRIES.len()];
        let bytes = noise.bytes(1500);
        let value = message_of(entry.kind, &mut Unstructured::new(&bytes)).unwrap();
        let mut message = value.to_bytes(7).unwrap();
        damage(&mut noise, &mut message, 4);
        message.resize(message.len().clamp(8, 0xffff), 0);
        let length = u16::try_from(message.len()).unwrap();
        message[2..4].copy_from_slice(&length.to_be_bytes());
        messages.push(message);
    }
    let mut verdicts = Verdicts::default();
    for (message, theirs) in messages.iter().zip(ofp_parse(&messages, 0)) {
        let ours = print_message(message, Verbosity::NORMAL);
        verdicts.compare(message, &theirs, &ours);
    }
    verdicts.finish("damaged messages", messages.len());
}

/// Runs `ovs-ofctl` with lines for its standard input.
fn with_input(arguments: &[&str], lines: &[String]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("lines");
    let mut input = std::fs::File::create(&file).unwrap();
    for line in lines {
        writeln!(input, "{line}").unwrap();
    }
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(format!("exec ovs-ofctl \"$@\" < {}", file.display()))
        .arg("ovs-ofctl")
        .args(arguments)
        .stdin(Stdio::null());
    run(&mut command)
}

#[test]
fn damaged_actions_are_read_alike() {
    let mut noise = Noise(seed() ^ 0xac71);
    let mut lists = Vec::new();
    while lists.len() < PARTS {
        let bytes = noise.bytes(1200);
        let value: ActionList =
            arbitrary::Arbitrary::arbitrary(&mut Unstructured::new(&bytes)).unwrap();
        let mut list = value.to_bytes().unwrap();
        damage(&mut noise, &mut list, 0);
        if !list.is_empty() {
            lists.push(list);
        }
    }
    let lines: Vec<String> = lists.iter().map(|list| hex(list)).collect();
    let printed = with_input(&["parse-actions", "OpenFlow10"], &lines);
    let theirs: Vec<&str> = printed.trim_end().split("\n\n").collect();
    assert_eq!(theirs.len(), lists.len());
    let mut verdicts = Verdicts::default();
    for (bytes, theirs) in lists.iter().zip(theirs) {
        // Differences of the second encoding follow the first line.
        let theirs = theirs.trim_start().lines().next().unwrap_or("");
        let ours = match ActionList::decode_strict_plain(&mut Reader::new(bytes)) {
            Ok(list) => format!("actions={list}"),
            Err(error) => format!("bad OpenFlow10 actions: {}", error.code()),
        };
        verdicts.compare(bytes, theirs, &ours);
    }
    verdicts.finish("damaged actions", lists.len());
}

/// The entries of a match as `ovs-ofctl parse-nxm` reads them, headers as numbers. `None` for what
/// no text can say: entries that are cut short, masks of half a byte.
fn entries(mut bytes: &[u8]) -> Option<String> {
    let mut line = String::new();
    while !bytes.is_empty() {
        let experimenter = bytes.starts_with(&[0xff, 0xff]);
        let (id, masked) = (4 * usize::from(experimenter), bytes.get(2)? & 1 == 1);
        let payload = usize::from(*bytes.get(3)?).checked_sub(id)?;
        let (header, rest) = bytes.split_at_checked(4 + id)?;
        let (value, rest) = rest.split_at_checked(payload)?;
        bytes = rest;
        let half = value.len() / 2;
        match masked {
            true if value.len() % 2 == 1 => return None,
            true => write!(
                line,
                "{}({}/{})",
                hex(header),
                hex(&value[..half]),
                hex(&value[half..])
            ),
            false => write!(line, "{}({})", hex(header), hex(value)),
        }
        .unwrap();
        if header == [0; 4] {
            return None;
        }
    }
    (!line.is_empty()).then_some(line)
}

#[test]
fn damaged_matches_are_read_alike() {
    let mut noise = Noise(seed() ^ 0x3a7c);
    let mut matches: Vec<Vec<u8>> = Vec::new();
    let mut lines = Vec::new();
    while matches.len() < PARTS {
        let bytes = noise.bytes(1200);
        let flow: FlowMod =
            arbitrary::Arbitrary::arbitrary(&mut Unstructured::new(&bytes)).unwrap();
        let mut entry = Vec::new();
        flow.match_
            .encode_fields(&mut Writer::new(&mut entry), Form::Nxm);
        damage(&mut noise, &mut entry, 0);
        if let Some(line) = entries(&entry) {
            lines.push(line);
            matches.push(entry);
        }
    }
    let printed = with_input(&["--strict", "parse-nxm"], &lines);
    let theirs: Vec<&str> = printed.lines().collect();
    assert_eq!(theirs.len(), matches.len());
    let options = MatchOptions {
        lenient: false,
        allow_cookie: true,
    };
    let mut verdicts = Verdicts::default();
    for (bytes, theirs) in matches.iter().zip(theirs) {
        let ours = match Match::decode_fields(&mut Reader::new(bytes), options) {
            Ok(m) => {
                let mut again = Vec::new();
                m.encode_fields(&mut Writer::new(&mut again), Form::Nxm);
                nxm_to_string(&again)
            }
            Err(error) => format!("nx_pull_match() returned error {}", error.code()),
        };
        verdicts.compare(bytes, theirs, &ours);
    }
    verdicts.finish("damaged matches", matches.len());
}

/// What the damage leaves valid is as lossless as what was never damaged.
#[test]
fn what_is_accepted_survives() {
    let mut noise = Noise(seed() ^ 0x5e1f);
    let mut accepted = 0;
    for round in 0..MESSAGES {
        let entry = ENTRIES[round % ENTRIES.len()];
        let bytes = noise.bytes(800);
        let value = message_of(entry.kind, &mut Unstructured::new(&bytes)).unwrap();
        let mut message = value.to_bytes(7).unwrap();
        damage(&mut noise, &mut message, 4);
        message.resize(message.len().clamp(8, 0xffff), 0);
        let length = u16::try_from(message.len()).unwrap();
        message[2..4].copy_from_slice(&length.to_be_bytes());
        let Ok((header, value)) = Message::decode(&message) else {
            continue;
        };
        accepted += 1;
        match value.to_bytes(header.xid) {
            Ok(again) => assert_eq!(Message::decode(&again).unwrap().1, value),
            Err(ofproto::EncodeError::Unsupported { .. }) => {}
            Err(error) => panic!("{}: {error}: {value:?}", hex(&message)),
        }
    }
    println!("{accepted} of {MESSAGES} damaged messages are still valid");
    assert!(accepted > MESSAGES / 20);
}
