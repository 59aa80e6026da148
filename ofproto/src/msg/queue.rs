//! Queues of a port: configuration (OF1.0 §5.2.2, §5.3.7) and counters.

use crate::codec::{Codec, Reader, Writer};
use crate::error::{DecodeError, EncodeError, OfpError};
use crate::ports::Port;

/// All queues, in requests.
pub const QUEUE_ALL: u32 = 0xffff_ffff;

/// A property of a queue that is not a rate, kept as it came (`ofp_queue_prop_header`).
///
/// ```text
///  0      2        4
/// +------+--------+------ - -
/// | kind | length | data
/// +------+--------+------ - -
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct QueueProperty {
    /// Property number.
    pub kind: u16,
    /// Everything after number and length.
    pub data: Box<[u8]>,
}

/// One queue (`ofp_packet_queue`, OF1.0 §5.2.2).
///
/// ```text
///  0          4       6     8
/// +----------+-------+-----+--------------------------------------- - -
/// | queue id |  len  | pad | property u16, len u16, pad 4, rate u16, pad 6
/// +----------+-------+-----+--------------------------------------- - -
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct PacketQueue {
    /// Number.
    pub queue_id: u32,
    /// Guaranteed rate in tenths of a percent; above 1000 it is disabled.
    pub min_rate: Option<u16>,
    /// Highest rate in tenths of a percent (an extension on 1.0).
    pub max_rate: Option<u16>,
    /// Other properties.
    pub others: Vec<QueueProperty>,
}

const MIN_RATE: u16 = 1;
const MAX_RATE: u16 = 2;

fn put_rate(w: &mut Writer<'_>, kind: u16, rate: u16) {
    w.u16(kind);
    w.u16(16);
    w.zeros(4);
    w.u16(rate);
    w.zeros(6);
}

impl Codec for PacketQueue {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        let start = w.position();
        w.u32(self.queue_id);
        w.zeros(4);
        if let Some(rate) = self.min_rate {
            put_rate(w, MIN_RATE, rate);
        }
        if let Some(rate) = self.max_rate {
            put_rate(w, MAX_RATE, rate);
        }
        for p in &self.others {
            let at = w.position();
            w.u16(p.kind);
            w.u16(0);
            w.bytes(&p.data);
            w.patch_len(at.saturating_add(2), at, "queue property")?;
            w.pad8(at);
        }
        w.patch_len(start.saturating_add(4), start, "queue")
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let bad = r.error(OfpError::OFPBRC_BAD_LEN, "queue");
        let mut head = *r;
        let queue_id = head.u32("queue id")?;
        let len = usize::from(head.u16("queue length")?);
        if len < 8 || len % 8 != 0 {
            return Err(bad);
        }
        let mut body = r.sub(len, "queue")?;
        body.skip(8, "queue")?;
        let mut q = PacketQueue {
            queue_id,
            ..PacketQueue::default()
        };
        while !body.is_empty() {
            let mut head = body;
            let kind = head.u16("queue property")?;
            let len = usize::from(head.u16("queue property length")?);
            if len < 8 || len % 8 != 0 {
                return Err(bad);
            }
            let mut p = body.sub(len, "queue property")?;
            p.skip(4, "queue property")?;
            if matches!(kind, MIN_RATE | MAX_RATE) {
                if len != 16 {
                    return Err(bad);
                }
                p.skip(4, "pad")?;
                let rate = Some(p.u16("queue rate")?);
                if kind == MIN_RATE {
                    q.min_rate = rate
                } else {
                    q.max_rate = rate
                }
            } else {
                q.others.push(QueueProperty {
                    kind,
                    data: p.rest().into(),
                });
            }
        }
        Ok(q)
    }
}

/// `OFPT_QUEUE_GET_CONFIG_REPLY` (OF1.0 §5.3.7), 16 bytes and queues.
///
/// ```text
///  8      10    16
/// +------+-----+-------- - -
/// | port | pad | queues
/// +------+-----+-------- - -
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct QueueConfig {
    /// The port asked about.
    pub port: Port,
    /// Its queues.
    pub queues: Vec<PacketQueue>,
}

impl Codec for QueueConfig {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u16(self.port.0);
        w.zeros(6);
        self.queues.iter().try_for_each(|q| q.encode(w))
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match Self::decode_prefix(r)? {
            (config, None) => Ok(config),
            (_, Some(error)) => Err(error),
        }
    }
}

impl QueueConfig {
    /// Reads the queues before the first one that is not valid, and what is wrong with that.
    pub(crate) fn decode_prefix(
        r: &mut Reader<'_>,
    ) -> Result<(Self, Option<DecodeError>), DecodeError> {
        let port = Port(r.u16("port")?);
        r.skip(6, "pad")?;
        let (queues, error) = super::decode_prefix(r, Codec::decode);
        Ok((QueueConfig { port, queues }, error))
    }
}

/// Counters of a queue (`ofp_queue_stats`, OF1.0 §5.3.5, 32 bytes).
///
/// ```text
///  0      2     4       8       16        24       32
/// +------+-----+-------+-------+---------+--------+
/// | port | pad | queue | bytes | packets | errors |
/// +------+-----+-------+-------+---------+--------+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QueueStats {
    /// The port.
    pub port: Port,
    /// The queue.
    pub queue_id: u32,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Packets dropped for want of room.
    pub tx_errors: u64,
}

impl Codec for QueueStats {
    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u16(self.port.0);
        w.zeros(2);
        w.u32(self.queue_id);
        w.u64(self.tx_bytes);
        w.u64(self.tx_packets);
        w.u64(self.tx_errors);
        Ok(())
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let port = Port(r.u16("port")?);
        r.skip(2, "pad")?;
        Ok(QueueStats {
            port,
            queue_id: r.u32("queue id")?,
            tx_bytes: r.u64("bytes")?,
            tx_packets: r.u64("packets")?,
            tx_errors: r.u64("errors")?,
        })
    }
}
