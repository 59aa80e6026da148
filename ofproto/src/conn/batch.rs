//! Encoded operations that travel together.
//!
//! Owns: the bytes of the messages, back to back, and which operations could not be encoded.
//! Messages keep whatever xid they were encoded with until they are sent; the connection then
//! writes its own. Held by the tests below and `tests/conn.rs`.

use crate::codec::{Codec, Writer};
use crate::error::EncodeError;
use crate::header::{MsgType, NX_VENDOR, OfHeader, Version};
use crate::msg::{FlowMod, FlowModForm, Message};
use crate::of14::Message14;

use super::event::OpError;
use super::frame::HEADER_LEN;

/// A list of messages that have no reply of their own (flow_mod, packet_out, port_mod, ...).
///
/// Operations are numbered from 0 in the order they were pushed. One that cannot be encoded keeps
/// its number and is reported with the others when the batch is done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    bytes: Vec<u8>,
    messages: usize,
    unsent: Vec<(usize, OpError)>,
}

impl Batch {
    /// An empty batch. Submitted as it is, it is a plain barrier.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets all operations and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.messages = 0;
        self.unsent.clear();
    }

    /// Number of operations pushed.
    pub fn len(&self) -> usize {
        self.messages + self.unsent.len()
    }

    /// Whether nothing was pushed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the encoded messages.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// The encoded messages, back to back.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Operations that could not be encoded, in ascending order of index.
    pub fn unsent(&self) -> &[(usize, OpError)] {
        &self.unsent
    }

    /// Adds an OpenFlow 1.0 flow modification.
    pub fn push(&mut self, flow: &FlowMod) {
        self.push_with(|out| encode_flow_mod(flow, out));
    }

    /// Adds a flow modification in OpenFlow 1.4 form, for a connection of
    /// [`WireVersion::V1_4`](super::WireVersion).
    pub fn push_of14(&mut self, flow: &FlowMod) {
        self.push_with(|out| Message14::FlowMod(Box::new(flow.clone())).encode(0, out));
    }

    /// Adds any other OpenFlow 1.0 message that has no reply of its own.
    pub fn push_message(&mut self, message: &Message) {
        self.push_with(|out| message.encode(0, out));
    }

    /// Adds the message that `encode` appends to the buffer, xid of no importance.
    pub fn push_with(&mut self, encode: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>) {
        let start = self.bytes.len();
        let result = encode(&mut self.bytes).map_err(OpError::Unencodable);
        match result.and_then(|()| self.check_message(start)) {
            Ok(()) => self.messages += 1,
            Err(error) => {
                self.bytes.truncate(start);
                self.unsent.push((self.len(), error));
            }
        }
    }

    /// Adds one whole message that is encoded already.
    pub fn push_encoded(&mut self, message: &[u8]) {
        self.push_with(|out| {
            out.extend_from_slice(message);
            Ok(())
        });
    }

    /// The header of what was appended at `start` must give exactly its size.
    fn check_message(&self, start: usize) -> Result<(), OpError> {
        let written = self.bytes.len().saturating_sub(start);
        match message_len(&self.bytes, start) {
            Some(length) if length == written => Ok(()),
            _ => Err(OpError::TooLong(written)),
        }
    }

    /// The bytes of the message at byte `cursor`, `None` at the end.
    pub(crate) fn message_at(&self, cursor: usize) -> Option<&[u8]> {
        let length = message_len(&self.bytes, cursor)?;
        self.bytes.get(cursor..cursor.checked_add(length)?)
    }

    /// Empty if all messages fit into `most` bytes; otherwise the operations that do not fit and
    /// those that could not be encoded.
    pub(crate) fn too_long_for(&self, most: usize) -> Vec<(usize, OpError)> {
        let (mut cursor, mut sent, mut found) = (0, 0, Vec::new());
        while let Some(message) = self.message_at(cursor) {
            if message.len() > most {
                let index = Self::op_index(&self.unsent, sent);
                found.push((index, OpError::TooLong(message.len())));
            }
            cursor += message.len();
            sent += 1;
        }
        if !found.is_empty() {
            found.extend_from_slice(&self.unsent);
            found.sort_by_key(|(index, _)| *index);
        }
        found
    }

    /// The operation number of the `sent`-th message.
    pub(crate) fn op_index(unsent: &[(usize, OpError)], sent: usize) -> usize {
        let mut index = sent;
        for (skipped, _) in unsent {
            if *skipped > index {
                break;
            }
            index += 1;
        }
        index
    }

    pub(crate) fn take_unsent(&mut self) -> Vec<(usize, OpError)> {
        std::mem::take(&mut self.unsent)
    }
}

/// As [`Message::encode`], without a copy of the flow.
fn encode_flow_mod(flow: &FlowMod, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    const NXT_FLOW_MOD: u32 = 13;
    let start = out.len();
    let mut w = Writer::new(out);
    let msg_type = match flow.form {
        FlowModForm::Of10 => MsgType::FLOW_MOD,
        FlowModForm::Nx => MsgType::VENDOR,
    };
    OfHeader {
        version: Version::OF10,
        msg_type,
        length: 0,
        xid: 0,
    }
    .encode(&mut w)?;
    match flow.form {
        FlowModForm::Of10 => flow.encode_of10(&mut w)?,
        FlowModForm::Nx => {
            w.u32(NX_VENDOR);
            w.u32(NXT_FLOW_MOD);
            flow.encode_nx(&mut w)?;
        }
    }
    w.patch_len(start.saturating_add(2), start, "message")
}

impl<'a> Extend<&'a FlowMod> for Batch {
    fn extend<I: IntoIterator<Item = &'a FlowMod>>(&mut self, flows: I) {
        flows.into_iter().for_each(|flow| self.push(flow));
    }
}

impl<'a> FromIterator<&'a FlowMod> for Batch {
    fn from_iter<I: IntoIterator<Item = &'a FlowMod>>(flows: I) -> Self {
        let mut batch = Self::new();
        batch.extend(flows);
        batch
    }
}

fn message_len(bytes: &[u8], start: usize) -> Option<usize> {
    let field = bytes.get(start.checked_add(2)?..)?.first_chunk()?;
    let length = usize::from(u16::from_be_bytes(*field));
    (length >= HEADER_LEN).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_are_encoded_as_messages_are() {
        for form in [FlowModForm::Of10, FlowModForm::Nx] {
            let flow = FlowMod {
                form,
                priority: 7,
                ..FlowMod::default()
            };
            let batch = Batch::from_iter([&flow]);
            let message = Message::FlowMod(flow).to_bytes(0).unwrap();
            assert_eq!(batch.message_at(0), Some(&message[..]));
        }
    }

    #[test]
    fn indices_skip_what_was_not_sent() {
        let mut batch = Batch::new();
        let good = [1, 14, 0, 8, 0, 0, 0, 0];
        batch.push_encoded(&[1, 14, 0, 9, 0, 0, 0, 0]);
        batch.push_encoded(&good);
        batch.push_encoded(&good);
        batch.push_encoded(&[]);
        batch.push_encoded(&good);
        assert_eq!(batch.len(), 5);
        assert_eq!(batch.byte_len(), 24);
        let skipped: Vec<usize> = batch.unsent().iter().map(|(index, _)| *index).collect();
        assert_eq!(skipped, [0, 3]);
        let sent: Vec<usize> = (0..3)
            .map(|sent| Batch::op_index(batch.unsent(), sent))
            .collect();
        assert_eq!(sent, [1, 2, 4]);
        assert_eq!(batch.message_at(8), Some(&good[..]));
        assert_eq!(batch.message_at(24), None);
    }
}
