//! The blocking conntrack client.

use std::io;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};

use super::channel::{Channel, is_overrun};
use crate::conntrack::{CtMessage, CtOp, Entry, Exchange, Filter, Replies};
use crate::message::Family;
use crate::wire::Flags;

/// How long the kernel may be silent.
const PATIENCE: Duration = Duration::from_secs(10);
const ENOENT: u16 = 2;

/// What the kernel honours in delete requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct DeleteFilters {
    /// Zone.
    pub zone: bool,
    /// Mark and mask.
    pub mark: bool,
    /// Partial tuples.
    pub tuple: bool,
}

impl DeleteFilters {
    /// Whether all conditions of a filter are honoured.
    pub fn honour(self, filter: &Filter) -> bool {
        let partial = !filter.original.is_empty() || !filter.reply.is_empty();
        (self.zone || filter.zone.is_none())
            && (self.mark || filter.mark.is_none())
            && (self.tuple || !partial)
    }
}

/// A conntrack socket in the network namespace of the thread that opened it.
#[derive(Debug)]
pub struct ConntrackClient {
    channel: Channel,
    seq: u32,
    filters: DeleteFilters,
}

impl ConntrackClient {
    /// Opens a socket. `filters` is what [`ConntrackClient::probe`] found, or the default, with
    /// which matching entries are dumped and deleted one by one.
    pub fn open(filters: DeleteFilters) -> io::Result<Self> {
        Ok(Self {
            channel: Channel::open()?,
            seq: 0,
            filters,
        })
    }

    /// Carries out one request. A dump whose replies were lost is repeated.
    pub fn run(&mut self, message: &CtMessage) -> io::Result<Replies> {
        let mut left = 4_u8;
        loop {
            self.seq = self.seq.wrapping_add(1);
            let mut exchange = Exchange::new(message.clone(), self.seq);
            self.channel.send(&exchange.bytes(), 0)?;
            set_socket_timeout(&self.channel, Timeout::Recv, Some(PATIENCE))?;
            loop {
                match self.channel.receive() {
                    Ok(bytes) => {
                        if let Some(replies) = exchange.handle_input(bytes) {
                            return Ok(replies);
                        }
                    }
                    Err(error) if is_overrun(&error) && left > 0 => break,
                    Err(error) => return Err(error),
                }
            }
            left = left.saturating_sub(1);
        }
    }

    fn entries(&mut self, message: &CtMessage) -> io::Result<(Vec<CtMessage>, bool)> {
        match self.run(message)? {
            Replies::Entries {
                entries,
                interrupted,
            } => Ok((entries, interrupted)),
            Replies::Refused(ack) => Err(io::Error::from_raw_os_error(i32::from(ack.errno))),
            Replies::Malformed(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        }
    }

    /// All entries that match. The kernel filters what it can, the rest is filtered here.
    pub fn dump(&mut self, filter: &Filter) -> io::Result<Vec<(Family, Entry)>> {
        let (messages, _) = self.entries(&filter.dump())?;
        Ok(messages
            .into_iter()
            .filter(|m| filter.matches(m.gen_msg.family, &m.entry))
            .map(|m| (m.gen_msg.family, m.entry))
            .collect())
    }

    /// Deletes all entries that match. Returns their number where it is known: the kernel does not
    /// tell it when it filters itself.
    pub fn delete(&mut self, filter: &Filter) -> io::Result<Option<usize>> {
        if self.filters.honour(filter) {
            self.entries(&filter.delete())?;
            return Ok(None);
        }
        self.delete_where(filter, |_| true).map(Some)
    }

    /// Deletes the entries that match and that `condemned` picks, one by one; returns their
    /// number. An entry that went away by itself is not counted.
    pub fn delete_where(
        &mut self,
        filter: &Filter,
        condemned: impl Fn(&Entry) -> bool,
    ) -> io::Result<usize> {
        let mut count = 0_usize;
        // Entries may move in the table during a dump: one more pass finds those that were missed.
        for _ in 0..3 {
            let (messages, interrupted) = self.entries(&filter.dump())?;
            for message in messages {
                let family = message.gen_msg.family;
                if filter.matches(family, &message.entry) && condemned(&message.entry) {
                    count =
                        count.saturating_add(usize::from(self.delete_one(family, &message.entry)?));
                }
            }
            if !interrupted {
                break;
            }
        }
        Ok(count)
    }

    /// Deletes one entry; returns whether it was there.
    pub fn delete_one(&mut self, family: Family, entry: &Entry) -> io::Result<bool> {
        let flags = Flags::ACK;
        let message = CtMessage::request(CtOp::DELETE, family, flags, entry.to_delete());
        match self.run(&message)? {
            Replies::Entries { .. } => Ok(true),
            Replies::Refused(ack) if ack.errno == ENOENT => Ok(false),
            Replies::Refused(ack) => Err(io::Error::from_raw_os_error(i32::from(ack.errno))),
            Replies::Malformed(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        }
    }

    /// Creates an entry: original and reply tuple and a timeout are needed.
    pub fn create(&mut self, family: Family, entry: Entry) -> io::Result<()> {
        let flags = Flags::ACK.with(Flags::CREATE).with(Flags::EXCL);
        self.entries(&CtMessage::request(CtOp::NEW, family, flags, entry))
            .map(|_| ())
    }

    /// Finds out which filters the kernel honours in delete requests, by deleting what must stay.
    ///
    /// Only for a scratch network namespace: on a kernel without a filter, everything in the
    /// namespace is deleted.
    pub fn probe(&mut self) -> io::Result<DeleteFilters> {
        use core::net::{IpAddr, Ipv4Addr};
        let address = |last| IpAddr::V4(Ipv4Addr::new(192, 0, 2, last));
        let original = crate::conntrack::Tuple::new(address(1), address(2), 17, 1000, 2000);
        let reply = crate::conntrack::Tuple::new(address(2), address(1), 17, 2000, 1000);
        let entry = Entry {
            original: Some(original),
            reply: Some(reply),
            timeout: Some(60),
            mark: Some(1),
            ..Entry::default()
        };
        let other = Filter {
            family: Family::IPV4,
            ..Filter::default()
        };
        let elsewhere = crate::conntrack::PartialTuple {
            dst: Some(address(99)),
            ..Default::default()
        };
        let trials = [
            Filter {
                zone: Some(7),
                ..other.clone()
            },
            Filter {
                mark: Some((2, u32::MAX)),
                ..other.clone()
            },
            Filter {
                original: elsewhere,
                ..other.clone()
            },
        ];
        let mut honoured = [false; 3];
        for (trial, honoured) in trials.iter().zip(&mut honoured) {
            self.entries(&other.delete())?;
            self.create(Family::IPV4, entry.clone())?;
            // A refusal is no harm and means that the filter cannot be used.
            let accepted = matches!(self.run(&trial.delete())?, Replies::Entries { .. });
            *honoured = accepted && !self.dump(&other)?.is_empty();
        }
        self.entries(&other.delete())?;
        let [zone, mark, tuple] = honoured;
        Ok(DeleteFilters { zone, mark, tuple })
    }
}
