//! Hello and the set-up messages of a fresh connection.
//!
//! Owns: the version check (OF1.0 §5.5.1, the version bitmap of OF1.3 §7.5.1) and the set-up
//! sequence: NXT_SET_FLOW_FORMAT, NXT_FLOW_MOD_TABLE_ID, FEATURES_REQUEST, BARRIER_REQUEST
//! (nicira-ext.h). Held by `tests/conn.rs`.

use std::collections::VecDeque;

use super::config::{Config, WireVersion};
use super::event::{CloseReason, Event, OfError};
use super::frame::{Frame, kind, write_message};
use super::pipeline::Pipeline;

/// Vendor id of the Nicira extensions.
pub(super) const NICIRA: u32 = 0x0000_2320;

/// NXFF_NXM for NXT_SET_FLOW_FORMAT: `u32 vendor, u32 subtype = 12, u32 format = 2`.
const SET_FLOW_FORMAT_NXM: [u8; 12] = [0, 0, 0x23, 0x20, 0, 0, 0, 12, 0, 0, 0, 2];
/// NXT_FLOW_MOD_TABLE_ID: `u32 vendor, u32 subtype = 15, u8 set = 1, pad7`.
const FLOW_MOD_TABLE_ID: [u8; 16] = [0, 0, 0x23, 0x20, 0, 0, 0, 15, 1, 0, 0, 0, 0, 0, 0, 0];

/// Where a connection stands before it is ready.
#[derive(Debug)]
pub(super) enum Handshake {
    /// Our hello is on its way, the peer's is awaited.
    Hello,
    /// The set-up messages are on their way.
    Setup {
        first_xid: u32,
        features_xid: u32,
        barrier_xid: u32,
        features: Option<Frame>,
    },
}

impl Handshake {
    /// Starts by queueing the hello. A hello without a bitmap pins the connection to its version.
    pub fn start(config: Config, pipeline: &mut Pipeline, out: &mut Vec<u8>) -> Self {
        let xid = pipeline.take_xid();
        write_message(out, config.version.byte(), kind::HELLO, xid, &[]);
        Self::Hello
    }

    /// Takes one message in; `Ok(Some)` is the event that ends the handshake.
    pub fn receive(
        &mut self,
        config: Config,
        frame: Frame,
        pipeline: &mut Pipeline,
        out: &mut Vec<u8>,
        events: &mut VecDeque<Event>,
    ) -> Result<Option<Event>, CloseReason> {
        let error = (frame.kind() == kind::ERROR)
            .then(|| OfError::of(&frame))
            .flatten();
        match self {
            Self::Hello if frame.kind() == kind::HELLO => {
                check_version(config.version, &frame)?;
                *self = Self::set_up(config, pipeline, out);
                Ok(None)
            }
            Self::Hello => match error {
                Some(error) => Err(CloseReason::ForeignSwitch(error)),
                None => Err(CloseReason::Protocol("first message is not a hello")),
            },
            Self::Setup {
                first_xid,
                features_xid,
                barrier_xid,
                features,
            } => {
                let ours = (*first_xid..=*barrier_xid).contains(&frame.xid());
                let version = config.version;
                match error {
                    Some(error) if ours || error.code.error_type == 0 => {
                        return Err(CloseReason::ForeignSwitch(error));
                    }
                    None if frame.xid() == *features_xid
                        && frame.kind() == version.features_reply() =>
                    {
                        *features = Some(frame);
                    }
                    None if frame.xid() == *barrier_xid
                        && frame.kind() == version.barrier_reply() =>
                    {
                        return match features.take() {
                            Some(features) => Ok(Some(Event::Ready { features })),
                            None => Err(CloseReason::Protocol("no features reply")),
                        };
                    }
                    _ => events.push_back(Event::Unsolicited { frame }),
                }
                Ok(None)
            }
        }
    }

    fn set_up(config: Config, pipeline: &mut Pipeline, out: &mut Vec<u8>) -> Self {
        let version = config.version.byte();
        let mut send = |kind, body: &[u8]| {
            let xid = pipeline.take_xid();
            write_message(out, version, kind, xid, body);
            xid
        };
        let mut first_xid = None;
        if config.nicira {
            first_xid = Some(send(kind::VENDOR, &SET_FLOW_FORMAT_NXM));
            send(kind::VENDOR, &FLOW_MOD_TABLE_ID);
        }
        let features_xid = send(kind::FEATURES_REQUEST, &[]);
        let barrier_xid = send(config.version.barrier_request(), &[]);
        Self::Setup {
            first_xid: first_xid.unwrap_or(features_xid),
            features_xid,
            barrier_xid,
            features: None,
        }
    }
}

/// OFPHFC_INCOMPATIBLE unless the peer speaks our version.
fn check_version(ours: WireVersion, hello: &Frame) -> Result<(), CloseReason> {
    let shared = match version_bitmap(hello.body()) {
        Some(bitmap) => bitmap & (1 << ours.byte()) != 0,
        None => hello.version() >= ours.byte(),
    };
    let offered = hello.version();
    shared.then_some(()).ok_or(CloseReason::Version { offered })
}

/// The first word of the version bitmap element (type 1), if the hello has one.
///
/// Elements are `u16 type, u16 length, payload`, padded to 8 bytes; unknown ones are skipped.
fn version_bitmap(mut elements: &[u8]) -> Option<u32> {
    const VERSION_BITMAP: u16 = 1;
    loop {
        let &[kind_high, kind_low, high, low] = elements.first_chunk::<4>()?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length < 4 {
            return None;
        }
        if u16::from_be_bytes([kind_high, kind_low]) == VERSION_BITMAP {
            let word = elements.get(4..length)?.first_chunk()?;
            return Some(u32::from_be_bytes(*word));
        }
        elements = elements.get(length.next_multiple_of(8)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(version: u8, body: &[u8]) -> Frame {
        let mut bytes = Vec::new();
        write_message(&mut bytes, version, kind::HELLO, 0, body);
        Frame::new(bytes).unwrap()
    }

    #[test]
    fn versions() {
        let check = |ours, version, body: &[u8]| check_version(ours, &hello(version, body)).is_ok();
        assert!(check(WireVersion::V1_0, 6, &[]));
        assert!(check(WireVersion::V1_0, 1, &[]));
        assert!(check(WireVersion::V1_4, 5, &[]));
        assert!(!check(WireVersion::V1_4, 4, &[]));
        // Only 1.3 (bit 4).
        assert!(!check(WireVersion::V1_0, 4, &[0, 1, 0, 8, 0, 0, 0, 0x10]));
        assert!(check(WireVersion::V1_0, 4, &[0, 1, 0, 8, 0, 0, 0, 0x12]));
        // An unknown element of 6 bytes before the bitmap.
        let skipped = [0xff, 0xff, 0, 6, 1, 2, 0, 0, 0, 1, 0, 8, 0, 0, 0, 0x10];
        assert!(!check(WireVersion::V1_0, 4, &skipped));
        // Elements that lead nowhere are no bitmap.
        assert!(check(WireVersion::V1_0, 4, &[0, 2, 0, 0, 0, 0, 0, 0]));
        assert!(check(WireVersion::V1_0, 4, &[0, 1, 0, 8, 0]));
    }
}
