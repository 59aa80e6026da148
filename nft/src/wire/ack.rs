//! `struct nlmsgerr` and the extended acknowledgement (`enum nlmsgerr_attrs`).

use super::{Flags, Frame, HEADER_LEN, Reader};
use crate::error::{DecodeError, Fault};

/// An error or acknowledgement, or the end of a dump.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Ack {
    /// 0 for success, otherwise the positive errno.
    pub errno: u16,
    /// Sequence number of the request this answers.
    pub seq: u32,
    /// The kernel's words (`NLMSGERR_ATTR_MSG`).
    pub message: Option<String>,
    /// Byte offset in the request of the attribute at fault (`NLMSGERR_ATTR_OFFS`).
    pub offset: Option<u32>,
    /// Kind of an attribute that is missing (`NLMSGERR_ATTR_MISS_TYPE`).
    pub missing: Option<u32>,
    /// Offset of the nest in which it is missing (`NLMSGERR_ATTR_MISS_NEST`).
    pub missing_nest: Option<u32>,
}

const MSG: u16 = 1;
const OFFS: u16 = 2;
const MISS_TYPE: u16 = 5;
const MISS_NEST: u16 = 6;

impl Ack {
    /// Decodes an `NLMSG_ERROR` message.
    pub fn decode_error(frame: &Frame<'_>) -> Result<Self, DecodeError> {
        let mut r = frame.payload;
        let errno = errno(&mut r)?;
        let total = u32::from_ne_bytes(r.array("ack.request")?);
        r.take(HEADER_LEN.saturating_sub(4), "ack.request")?;
        let seq = frame.header.seq;
        if !frame.header.flags.contains(Flags::CAPPED) && errno != 0 {
            let body = usize::try_from(total).unwrap_or(usize::MAX);
            let body = super::align(body).saturating_sub(HEADER_LEN);
            r.take(body, "ack.request")?;
        }
        let mut ack = Self {
            errno,
            seq,
            ..Self::default()
        };
        if frame.header.flags.contains(Flags::ACK_TLVS) {
            ack.read_attributes(r)?;
        }
        Ok(ack)
    }

    /// Decodes an `NLMSG_DONE` message, whose value is 0 or a negative errno.
    pub fn decode_done(frame: &Frame<'_>) -> Result<Self, DecodeError> {
        let mut r = frame.payload;
        let errno = if r.is_empty() { 0 } else { errno(&mut r)? };
        let mut ack = Self {
            errno,
            seq: frame.header.seq,
            ..Self::default()
        };
        if frame.header.flags.contains(Flags::ACK_TLVS) {
            ack.read_attributes(r)?;
        }
        Ok(ack)
    }

    fn read_attributes(&mut self, mut r: Reader<'_>) -> Result<(), DecodeError> {
        while let Some(a) = r.attribute()? {
            let word = |what| a.value.exactly(what).map(u32::from_ne_bytes);
            match a.kind {
                MSG => {
                    let mut value = a.value;
                    let bytes = value.rest();
                    let text = bytes.strip_suffix(&[0]).unwrap_or(bytes);
                    self.message = Some(String::from_utf8_lossy(text).into_owned());
                }
                OFFS => self.offset = Some(word("ack.offset")?),
                MISS_TYPE => self.missing = Some(word("ack.missing")?),
                MISS_NEST => self.missing_nest = Some(word("ack.missing_nest")?),
                _ => {}
            }
        }
        Ok(())
    }
}

fn errno(r: &mut Reader<'_>) -> Result<u16, DecodeError> {
    let at = *r;
    let code = i32::from_ne_bytes(r.array("ack.errno")?);
    u16::try_from(code.wrapping_neg()).map_err(|_| {
        at.error(
            "ack.errno",
            Fault::Invalid {
                value: u32::from_ne_bytes(code.to_ne_bytes()),
            },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Frames, Header, Writer};
    use super::*;

    fn message(flags: Flags, body: &[u8]) -> Vec<u8> {
        let mut w = Writer::new();
        Header {
            kind: super::super::kind::ERROR,
            flags,
            seq: 9,
            port: 0,
        }
        .encode(&mut w, |w| w.put(body));
        w.into_bytes()
    }

    #[test]
    fn capped_error_with_text_and_offset() {
        let mut body = Vec::new();
        body.extend((-2_i32).to_ne_bytes());
        body.extend(40_u32.to_ne_bytes());
        body.extend([0; 12]);
        let mut w = Writer::with_buffer(body);
        w.attribute(1, false, |w| w.put(b"no such\0"));
        w.attribute(2, false, |w| w.put(&28_u32.to_ne_bytes()));
        let bytes = message(Flags::CAPPED.with(Flags::ACK_TLVS), w.bytes());
        let frame = Frames::new(&bytes).next().unwrap().unwrap();
        let ack = Ack::decode_error(&frame).unwrap();
        assert_eq!(ack.errno, 2);
        assert_eq!(ack.message.as_deref(), Some("no such"));
        assert_eq!(ack.offset, Some(28));
        assert_eq!(ack.seq, 9);
    }

    #[test]
    fn uncapped_error_repeats_the_request() {
        let mut body = Vec::new();
        body.extend((-22_i32).to_ne_bytes());
        body.extend(20_u32.to_ne_bytes());
        body.extend([0; 16]);
        let mut w = Writer::with_buffer(body);
        w.attribute(2, false, |w| w.put(&4_u32.to_ne_bytes()));
        let bytes = message(Flags::ACK_TLVS, w.bytes());
        let frame = Frames::new(&bytes).next().unwrap().unwrap();
        assert_eq!(Ack::decode_error(&frame).unwrap().offset, Some(4));
    }
}
