//! What the executors' tests share: a mailbox for events, with words for what did not come.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use vifd::model::Fact;
use vifd::ops::{Batch, ExecEvent, Items, Outcome, Target};

/// How long anything may take on a loaded machine.
pub const LIMIT: Duration = Duration::from_secs(30);

/// The agent's end of an executor.
pub struct Mailbox {
    pub events: mpsc::Receiver<ExecEvent>,
    pub batches: mpsc::Sender<Batch>,
    pub target: Target,
    next: u64,
    /// Everything that came so far and was no answer to a batch.
    pub seen: Vec<ExecEvent>,
}

#[allow(dead_code, reason = "each test file uses its part")]
impl Mailbox {
    pub fn new(
        target: Target,
        events: mpsc::Receiver<ExecEvent>,
        batches: mpsc::Sender<Batch>,
    ) -> Mailbox {
        Mailbox {
            events,
            batches,
            target,
            next: 1,
            seen: Vec::new(),
        }
    }

    async fn next(&mut self, what: &str) -> ExecEvent {
        match timeout_at(Instant::now() + LIMIT, self.events.recv()).await {
            Ok(Some(event)) => event,
            Ok(None) => panic!("{what}: the executor ended"),
            Err(_) => panic!("{what}: nothing within {LIMIT:?}; so far {:#?}", self.seen),
        }
    }

    /// Waits for an event that `wanted` takes.
    pub async fn until<T>(
        &mut self,
        what: &str,
        mut wanted: impl FnMut(&ExecEvent) -> Option<T>,
    ) -> T {
        loop {
            let event = self.next(what).await;
            let found = wanted(&event);
            self.seen.push(event);
            if let Some(found) = found {
                return found;
            }
        }
    }

    /// Waits for a fact that `wanted` takes.
    pub async fn fact<T>(&mut self, what: &str, mut wanted: impl FnMut(&Fact) -> Option<T>) -> T {
        self.until(what, |event| match event {
            ExecEvent::Facts(facts) => facts.iter().find_map(&mut wanted),
            _ => None,
        })
        .await
    }

    /// Sends a batch without waiting for its end.
    pub async fn submit(&mut self, items: Items) -> u64 {
        let id = self.next;
        self.next += 1;
        self.batches
            .send(Batch {
                target: self.target.clone(),
                id,
                items,
            })
            .await
            .expect("the executor takes batches");
        id
    }

    /// Waits for the end of a batch.
    pub async fn outcome(&mut self, id: u64) -> Outcome {
        self.until("the end of a batch", |event| match event {
            ExecEvent::Finished {
                id: finished,
                outcome,
                ..
            } if *finished == id => Some(outcome.clone()),
            _ => None,
        })
        .await
    }

    /// Sends a batch and waits for its end.
    pub async fn carry_out(&mut self, items: Items) -> Outcome {
        let id = self.submit(items).await;
        self.outcome(id).await
    }

    /// Every fact so far, in order.
    pub fn facts(&self) -> impl Iterator<Item = &Fact> {
        self.seen.iter().flat_map(|event| match event {
            ExecEvent::Facts(facts) => &facts[..],
            _ => &[],
        })
    }
}

/// Runs a test on the kind of runtime that the agent has.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}
