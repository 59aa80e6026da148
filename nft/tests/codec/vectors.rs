//! Recorded messages: what `nft` sent and what the kernel reported. Origin and rule text stand
//! above each.

use nft::conntrack::CtMessage;
use nft::message::{Body, Message};
use nft::saved::{from_text, to_text};
use nft::wire::{Ack, Frames, Writer, kind};

use crate::tree::tree;

/// One recorded message.
pub struct Vector {
    pub file: &'static str,
    pub about: String,
    pub bytes: Vec<u8>,
}

/// All recorded messages.
pub fn all() -> Vec<Vector> {
    let files: [(&str, &str); 7] = [
        ("nft-full", include_str!("../vectors/nft-full.txt")),
        ("nft-rules", include_str!("../vectors/nft-rules.txt")),
        ("kernel-full", include_str!("../vectors/kernel-full.txt")),
        ("kernel-rules", include_str!("../vectors/kernel-rules.txt")),
        (
            "kernel-events",
            include_str!("../vectors/kernel-events.txt"),
        ),
        ("kernel-acks", include_str!("../vectors/kernel-acks.txt")),
        ("conntrack", include_str!("../vectors/conntrack.txt")),
    ];
    let mut list = Vec::new();
    for (file, text) in files {
        let mut about = String::new();
        for line in text.lines() {
            if let Some(comment) = line.strip_prefix("# ") {
                about = comment.to_owned();
                continue;
            }
            let digits: Vec<u8> = line
                .chars()
                .map(|c| u8::try_from(c.to_digit(16).unwrap()).unwrap())
                .collect();
            let bytes = digits
                .chunks(2)
                .map(|pair| pair[0] << 4 | pair[1])
                .collect();
            list.push(Vector {
                file,
                about: about.clone(),
                bytes,
            });
        }
    }
    list
}

/// The nf_tables messages among them, decoded.
pub fn messages() -> Vec<(Vector, Message)> {
    all()
        .into_iter()
        .filter(|v| v.file != "conntrack" && v.file != "kernel-acks")
        .filter_map(|v| {
            let frame = Frames::new(&v.bytes).next().unwrap().unwrap();
            if frame.header.kind <= kind::OVERRUN {
                return None;
            }
            let message = Message::decode(&frame)
                .unwrap_or_else(|error| panic!("{} {}: {error}", v.file, v.about));
            Some((v, message))
        })
        .collect()
}

#[test]
fn nothing_recorded_is_unknown() {
    let list = messages();
    assert!(list.len() > 300, "{}", list.len());
    for (vector, message) in list {
        let text = format!("{message:?}");
        let fine = !text.contains("UnknownAttribute") && !text.contains("Other(OtherExpr");
        // The timeouts of a protocol are numbered per protocol.
        let timeouts = text.contains("CtTimeout");
        // An expectation's and newer kernels' bookkeeping has no name here.
        assert!(fine || timeouts, "{} {}: {text}", vector.file, vector.about);
        assert!(
            !matches!(message.body, Body::Unknown(_)),
            "{}",
            vector.about
        );
    }
}

#[test]
fn messages_of_nft_encode_to_the_same_bytes() {
    let mut checked = 0;
    for (vector, message) in messages() {
        if !vector.file.starts_with("nft") {
            continue;
        }
        let mut w = Writer::new();
        message.encode(&mut w);
        let again = Frames::new(w.bytes()).next().unwrap().unwrap();
        assert_eq!(Message::decode(&again).unwrap(), message);
        let ours = tree(again.payload);
        let frame = Frames::new(&vector.bytes).next().unwrap().unwrap();
        assert_eq!(ours, tree(frame.payload), "{}: {message:?}", vector.about);
        checked += 1;
    }
    assert!(checked > 120, "{checked}");
}

#[test]
fn saved_text_of_every_message_restores_it() {
    for (vector, message) in messages() {
        macro_rules! check {
            ($body:expr) => {{
                let text = to_text($body);
                let again = from_text(&text)
                    .unwrap_or_else(|error| panic!("{}: {error}\n{text}", vector.about));
                assert_eq!($body, &again, "{text}");
            }};
        }
        match &message.body {
            Body::Table(body) => check!(body),
            Body::Chain(body) => check!(body),
            Body::Rule(body) => check!(body),
            Body::Set(body) => check!(body),
            Body::Elements(body) => check!(body),
            Body::Object(body) => check!(body),
            Body::Flowtable(body) => check!(body),
            Body::Generation(body) => check!(body),
            Body::Empty => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn connections_decode_in_full() {
    let mut seen = 0;
    for vector in all().into_iter().filter(|v| v.file == "conntrack") {
        let frame = Frames::new(&vector.bytes).next().unwrap().unwrap();
        if frame.header.kind == kind::DONE {
            continue;
        }
        let message = CtMessage::decode(&frame).unwrap();
        let mut w = Writer::new();
        message.encode(&mut w);
        let again = Frames::new(w.bytes()).next().unwrap().unwrap();
        assert_eq!(CtMessage::decode(&again).unwrap(), message);
        assert_eq!(w.len(), vector.bytes.len(), "{message:?}");
        assert!(message.entry.original.is_some() && message.entry.other.0.is_empty());
        seen += 1;
    }
    assert!(seen >= 4, "{seen}");
}

#[test]
fn acknowledgements_tell_what_was_wrong() {
    let acks: Vec<_> = all()
        .into_iter()
        .filter(|v| v.file == "kernel-acks")
        .map(|v| {
            let frame = Frames::new(&v.bytes).next().unwrap().unwrap();
            (v.about, Ack::decode_error(&frame).unwrap())
        })
        .collect();
    let errno = |about: &str| {
        acks.iter()
            .find(|a| a.0.starts_with(about))
            .unwrap()
            .1
            .clone()
    };
    assert_eq!(errno("missing table").errno, 2);
    assert_eq!(errno("modification outside").errno, 22);
    assert_eq!(errno("stale generation").errno, 85);
    let chain = errno("chain in a missing");
    assert_eq!((chain.errno, chain.offset), (2, Some(20)));
}
