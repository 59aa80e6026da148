//! A batch as it is sent: bytes, sequence numbers, the request for an acknowledgement.

use crate::wire::Flags;

/// A batch as bytes. Sequence numbers run from [`Encoded::base`] (begin) without gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// What is sent, from the first start on.
    bytes: Vec<u8>,
    starts: Vec<usize>,
    base: u32,
}

impl Encoded {
    /// From the bytes and where each message starts: begin, operations, end.
    pub(super) fn new(bytes: Vec<u8>, starts: Vec<usize>) -> Self {
        let mut encoded = Self {
            bytes,
            starts,
            base: 0,
        };
        encoded.ask_ack();
        encoded
    }

    /// Takes the end message away.
    pub(super) fn drop_end(&mut self) {
        if let Some(end) = self.starts.last() {
            self.bytes.truncate(*end);
        }
    }

    /// The bytes; they must go out in one send.
    pub fn bytes(&self) -> &[u8] {
        let first = self.starts.first().copied().unwrap_or_default();
        self.bytes.get(first..).unwrap_or_default()
    }

    /// Number of operations, begin and end not counted.
    pub const fn len(&self) -> usize {
        self.starts.len().saturating_sub(2)
    }

    /// Whether there is no operation.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sequence number of the begin message.
    pub const fn base(&self) -> u32 {
        self.base
    }

    /// Sequence number of the last operation, whose acknowledgement ends the exchange.
    pub fn last(&self) -> u32 {
        let count = u32::try_from(self.len()).unwrap_or(u32::MAX);
        self.base.wrapping_add(count)
    }

    /// Numbers the messages from `base` on.
    pub fn number(&mut self, base: u32) {
        self.base = base;
        let mut seq = base;
        for start in &self.starts {
            let at = start.saturating_add(8);
            if let Some(field) = self.bytes.get_mut(at..at.saturating_add(4)) {
                field.copy_from_slice(&seq.to_ne_bytes());
            }
            seq = seq.wrapping_add(1);
        }
    }

    /// Index of the operation with a sequence number; `None` for begin, end and others.
    pub fn index_of(&self, seq: u32) -> Option<usize> {
        let distance = usize::try_from(seq.wrapping_sub(self.base)).ok()?;
        let index = distance.checked_sub(1)?;
        (index < self.len()).then_some(index)
    }

    /// The bytes of one operation.
    pub fn op_bytes(&self, index: usize) -> Option<&[u8]> {
        let start = *self.starts.get(index.checked_add(1)?)?;
        let end = *self.starts.get(index.checked_add(2)?)?;
        self.bytes.get(start..end)
    }

    /// Asks for an acknowledgement of the last operation. Kernels before 6.10 never acknowledge
    /// the end message; the kernel reports in order after the commit, so the last operation's
    /// acknowledgement is the end of the report on all of them.
    fn ask_ack(&mut self) {
        let Some(index) = self.len().checked_sub(1) else {
            return;
        };
        let Some(start) = self.starts.get(index.saturating_add(1)) else {
            return;
        };
        if let Some(low) = self
            .bytes
            .get_mut(start.saturating_add(6)..start.saturating_add(8))
        {
            let mut flags = [0; 2];
            flags.copy_from_slice(low);
            let flags = u16::from_ne_bytes(flags) | Flags::ACK.0;
            low.copy_from_slice(&flags.to_ne_bytes());
        }
    }
}
