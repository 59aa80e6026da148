//! Bytes on their way from the session to the socket.

use super::stream::Writer;
use crate::session::Session;
use tokio::io::AsyncWriteExt;

/// What is on its way to the peer.
pub(super) struct Output {
    writer: Writer,
    bytes: Vec<u8>,
    /// How many of the bytes the writer has taken.
    taken: usize,
    /// True if the writer may hold some of them back.
    unflushed: bool,
}

impl Output {
    pub(super) const fn new(writer: Writer) -> Self {
        Self {
            writer,
            bytes: Vec::new(),
            taken: 0,
            unflushed: false,
        }
    }

    /// Fetches what the session has to say, once everything before has been taken.
    pub(super) fn refill(&mut self, session: &mut Session) {
        if self.taken == self.bytes.len() {
            session.take_output(&mut self.bytes);
            self.taken = 0;
        }
    }

    pub(super) const fn is_pending(&self) -> bool {
        self.unflushed || self.taken < self.bytes.len()
    }

    /// Moves on as far as the writer goes at once: gives it bytes, or makes it let go of the
    /// last ones. Nothing is lost if it is dropped half-way.
    pub(super) async fn push(&mut self) -> std::io::Result<()> {
        let rest = self.bytes.get(self.taken..).unwrap_or_default();
        if rest.is_empty() {
            if self.unflushed {
                self.writer.flush().await?;
                self.unflushed = false;
            }
            return Ok(());
        }
        self.taken += self.writer.write(rest).await?;
        self.unflushed = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Config;
    use core::time::Duration;
    use tokio::io::AsyncReadExt;

    /// TLS holds bytes back when the socket is full, as this writer always does. Nothing else
    /// may be needed to make it let go of the last ones.
    #[test]
    fn what_the_writer_holds_back_is_pushed_out() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let mut session = Session::new(Config::new("d"));
        session.connected(Duration::ZERO);
        runtime.block_on(async {
            let (ours, mut peer) = tokio::io::duplex(16);
            let writer = tokio::io::BufWriter::with_capacity(1 << 20, ours);
            let mut output = Output::new(Box::new(writer));
            output.refill(&mut session);
            let length = output.bytes.len();
            let push = async {
                while output.is_pending() {
                    output.push().await.unwrap();
                }
            };
            let mut arrived = vec![0; length];
            let (_, read) = tokio::join!(push, peer.read_exact(&mut arrived));
            assert_eq!(read.unwrap(), length);
            assert_eq!(arrived, output.bytes);
        });
    }
}
