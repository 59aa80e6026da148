//! Packet probes that count loss exactly: every packet sent is accounted for by its number.

mod icmp;
mod udp;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

pub use icmp::{ping, start_ping};
pub use udp::start_udp;

/// How long the last packets are waited for.
const GRACE: Duration = Duration::from_secs(1);

/// What a probe counted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// Packets sent, or tried to be.
    pub sent: u64,
    /// Different ones that came back (ping) or arrived (UDP).
    pub received: u64,
    /// Numbers of the first few that did not.
    pub missing: Vec<u64>,
}

impl Report {
    /// Packets that did not arrive.
    pub fn lost(&self) -> u64 {
        self.sent - self.received
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sent, {} lost", self.sent, self.lost())?;
        if let Some(first) = self.missing.first() {
            write!(f, " (first missing: number {first})")?;
        }
        Ok(())
    }
}

/// A probe that is under way. Dropping it stops it.
#[derive(Debug)]
pub struct Running {
    stop: Arc<AtomicBool>,
    sender: Option<JoinHandle<Result<u64>>>,
    receiver: Option<JoinHandle<Result<Vec<bool>>>>,
}

impl Running {
    fn start(
        send: impl FnOnce(&AtomicBool) -> Result<u64> + Send + 'static,
        receive: impl FnOnce(&Progress) -> Result<Vec<bool>> + Send + 'static,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let progress = Arc::new(Progress::default());
        let sender = {
            let (stop, progress) = (stop.clone(), progress.clone());
            std::thread::spawn(move || {
                let sent = send(&stop);
                progress
                    .sent
                    .store(*sent.as_ref().unwrap_or(&0), Ordering::SeqCst);
                progress.done.store(true, Ordering::SeqCst);
                sent
            })
        };
        let receiver = std::thread::spawn(move || receive(&progress));
        Running {
            stop,
            sender: Some(sender),
            receiver: Some(receiver),
        }
    }

    /// Stops sending, waits for what is still under way, and counts.
    pub fn stop(mut self) -> Result<Report> {
        self.stop.store(true, Ordering::SeqCst);
        let sent = join(self.sender.take())?;
        let mut seen = join(self.receiver.take())?;
        seen.resize(usize::try_from(sent)?, false);
        let missing: Vec<u64> = (0..sent)
            .zip(&seen)
            .filter(|(_, s)| !**s)
            .map(|(n, _)| n)
            .collect();
        let received = sent - missing.len() as u64;
        Ok(Report {
            sent,
            received,
            missing: missing.into_iter().take(8).collect(),
        })
    }
}

fn join<T>(handle: Option<JoinHandle<Result<T>>>) -> Result<T> {
    handle
        .ok_or_else(|| anyhow!("probe already stopped"))?
        .join()
        .map_err(|_| anyhow!("probe thread panicked"))?
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

#[derive(Debug, Default)]
struct Progress {
    done: AtomicBool,
    sent: std::sync::atomic::AtomicU64,
}

/// Marks numbers as seen until all that were sent are, or the grace time after the last one is over.
/// `next` returns the number of a received packet, or `None` after a short time-out.
fn collect(
    progress: &Progress,
    mut next: impl FnMut() -> Result<Option<u64>>,
) -> Result<Vec<bool>> {
    let mut seen: Vec<bool> = Vec::new();
    let mut n_seen = 0u64;
    let mut ended: Option<Instant> = None;
    loop {
        if let Some(number) = next()? {
            let number = usize::try_from(number)?;
            if number >= seen.len() {
                seen.resize(number + 1, false);
            }
            if !std::mem::replace(&mut seen[number], true) {
                n_seen += 1;
            }
        }
        if progress.done.load(Ordering::SeqCst) {
            let since = *ended.get_or_insert_with(Instant::now);
            if n_seen >= progress.sent.load(Ordering::SeqCst) || since.elapsed() > GRACE {
                return Ok(seen);
            }
        }
    }
}

/// Calls `send` with 0, 1, 2 … at a fixed pace until `stop`; the number of calls.
fn pace(
    stop: &AtomicBool,
    interval: Duration,
    mut send: impl FnMut(u64) -> Result<()>,
) -> Result<u64> {
    let start = Instant::now();
    let mut number = 0u64;
    while !stop.load(Ordering::SeqCst) {
        let due = start + interval * u32::try_from(number)?;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        send(number)?;
        number += 1;
    }
    Ok(number)
}
