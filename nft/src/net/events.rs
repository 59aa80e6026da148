//! Ruleset events from the multicast group.

use std::io;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use tokio::io::unix::AsyncFd;

use super::channel::{Channel, is_overrun, register};
use crate::event::{Event, Monitor};
use crate::message::GROUP_NFTABLES;

/// Receive buffer: a commit of 10 000 rules sends some megabytes of events.
const BUFFER: usize = 16 << 20;

/// Follows the changes of the ruleset in one network namespace.
#[derive(Debug)]
pub struct Events {
    channel: Channel,
    monitor: Monitor,
}

impl Events {
    /// Joins the group in the current thread's network namespace.
    pub fn open() -> io::Result<Self> {
        let channel = Channel::open()?;
        channel.size_receive(BUFFER);
        channel.join(GROUP_NFTABLES)?;
        Ok(Self {
            channel,
            monitor: Monitor::new(),
        })
    }

    /// The next event; `None` if none comes within `patience`.
    pub fn wait(&mut self, patience: Duration) -> io::Result<Option<Event>> {
        set_socket_timeout(&self.channel, Timeout::Recv, Some(patience))?;
        loop {
            if let Some(event) = self.monitor.poll() {
                return Ok(Some(event));
            }
            match self.channel.receive() {
                Ok(bytes) => self.monitor.handle_input(bytes),
                Err(error) if is_overrun(&error) => self.monitor.handle_overrun(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// For use under tokio.
    pub fn into_async(self) -> io::Result<AsyncEvents> {
        Ok(AsyncEvents {
            channel: register(self.channel)?,
            monitor: self.monitor,
        })
    }
}

/// [`Events`] under tokio.
#[derive(Debug)]
pub struct AsyncEvents {
    channel: AsyncFd<Channel>,
    monitor: Monitor,
}

impl AsyncEvents {
    /// The next event. Cancel safe.
    pub async fn next(&mut self) -> io::Result<Event> {
        loop {
            if let Some(event) = self.monitor.poll() {
                return Ok(event);
            }
            let mut guard = self.channel.readable_mut().await?;
            match guard.get_inner_mut().try_receive() {
                Ok(Some(bytes)) => self.monitor.handle_input(bytes),
                Ok(None) => guard.clear_ready(),
                Err(error) if is_overrun(&error) => self.monitor.handle_overrun(),
                Err(error) => return Err(error),
            }
        }
    }
}
