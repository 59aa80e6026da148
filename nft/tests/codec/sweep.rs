//! Every recorded message, cut at every byte and with every byte changed: an error or a value that
//! encodes to a fixed point, never a panic.

use nft::conntrack::CtMessage;
use nft::message::Message;
use nft::wire::{Ack, Frames, Writer};

use crate::vectors::all;

/// Decodes whatever it is; a decoded message must encode to something that decodes to itself.
fn digest(bytes: &[u8]) -> bool {
    let mut fine = true;
    for frame in Frames::new(bytes) {
        let Ok(frame) = frame else { return false };
        fine &= Ack::decode_error(&frame).is_ok() | Ack::decode_done(&frame).is_ok();
        if let Ok(message) = Message::decode(&frame) {
            fine = true;
            let mut w = Writer::new();
            message.encode(&mut w);
            let again = Frames::new(w.bytes()).next().unwrap().unwrap();
            assert_eq!(Message::decode(&again).unwrap(), message);
        }
        if let Ok(message) = CtMessage::decode(&frame) {
            fine = true;
            let mut w = Writer::new();
            message.encode(&mut w);
            let again = Frames::new(w.bytes()).next().unwrap().unwrap();
            assert_eq!(CtMessage::decode(&again).unwrap(), message);
        }
    }
    fine
}

#[test]
fn every_truncation_is_an_error() {
    for vector in all() {
        assert!(digest(&vector.bytes), "{}", vector.about);
        for len in 1..vector.bytes.len() {
            // Cut by the transport: the length field promises more.
            assert!(
                !digest(&vector.bytes[..len]),
                "{} cut at {len}",
                vector.about
            );
        }
        // Cut inside a shorter message that claims to be whole.
        for len in 20..vector.bytes.len() {
            let mut cut = vector.bytes[..len].to_vec();
            cut[..4].copy_from_slice(&u32::try_from(len).unwrap().to_ne_bytes());
            digest(&cut);
        }
    }
}

#[test]
fn every_flipped_byte_is_survived() {
    for vector in all() {
        let mut bytes = vector.bytes.clone();
        for at in 0..bytes.len() {
            let before = bytes[at];
            for change in [0x01, 0x80, 0xff, before] {
                bytes[at] = before ^ change;
                digest(&bytes);
            }
            bytes[at] = before;
        }
    }
}
