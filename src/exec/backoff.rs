//! Pauses between attempts to reach a peer.

use std::time::Duration;

/// Doubles from 50 ms up to a limit; starts over when the peer was reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backoff {
    next: Duration,
    last: Duration,
}

impl Backoff {
    /// The first pause.
    pub const FIRST: Duration = Duration::from_millis(50);
    /// The longest pause.
    pub const LAST: Duration = Duration::from_secs(2);
    /// The longest pause for a socket of this host: finding out that nobody listens costs one system call.
    pub const NEARBY: Duration = Duration::from_millis(250);

    /// Nothing has failed yet.
    pub fn new() -> Backoff {
        Backoff {
            next: Self::FIRST,
            last: Self::LAST,
        }
    }

    /// The same for a socket of this host.
    pub fn nearby() -> Backoff {
        Backoff {
            next: Self::FIRST,
            last: Self::NEARBY,
        }
    }

    /// The peer was reached.
    pub fn reset(&mut self) {
        self.next = Self::FIRST;
    }

    /// The pause before the next attempt.
    pub fn pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = self.next.saturating_mul(2).min(self.last);
        pause
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_last_and_starts_over() {
        let mut backoff = Backoff::new();
        let pauses: Vec<u128> = (0..8).map(|_| backoff.pause().as_millis()).collect();
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1600, 2000, 2000]);
        backoff.reset();
        assert_eq!(backoff.pause(), Backoff::FIRST);
        let mut backoff = Backoff::nearby();
        let pauses: Vec<u128> = (0..5).map(|_| backoff.pause().as_millis()).collect();
        assert_eq!(pauses, [50, 100, 200, 250, 250]);
    }
}
