//! Executors: batches in, outcomes and facts out. One module per transport; each owns its socket, its deadlines and
//! its way back after a loss.
//!
//! | Module | Peer | Carries out | Tells |
//! |---|---|---|---|
//! | [`ovsdb`] | ovsdb-server | [`Items::Rows`](crate::ops::Items::Rows): one transaction per batch | bridges, ports, `cur_cfg` |
//! | [`openflow`] | one task per bridge | [`Items::Flows`](crate::ops::Items::Flows): one barrier per batch | the flows that carry our mark |
//! | [`conntrack`] | the kernel | [`Items::Conntrack`](crate::ops::Items::Conntrack) | tracked connections, when asked |
//! | [`nft`] | the kernel | [`Items::Nft`](crate::ops::Items::Nft): one transaction per batch | what stands of vifd's tables |
//! | [`rtnl`] | the kernel | [`Items::Links`](crate::ops::Items::Links) | devices and addresses |
//!
//! Every executor keeps the same contract with its caller:
//!
//! * It is started by a `spawn` function that returns the sender of its batches, and ends when that sender is dropped
//!   or nobody receives its events any more. It never panics and never gives up: a peer that is away is tried again
//!   after a pause that [`Backoff`] chooses.
//! * Every batch is answered by exactly one [`Finished`](crate::ops::ExecEvent::Finished), also when the peer is away
//!   ([`Outcome::Lost`]; the executor of devices, which cannot say that it is away, waits
//!   for its next session instead). Facts that a batch caused are told before its answer.
//! * After a loss it tells everything it finds, then goes on with changes. It decides nothing: what a key should hold
//!   is in the batch, and what already holds is not written again.
//! * Every request has a deadline. A peer that lets one pass is treated as lost.
//!
//! The caller in turn has one batch under way per executor (the packet filter may have two) and always takes events: the
//! channel of events is bounded, and an executor waits for room in it.
//!
//! No executor knows another one, the planner or a clock beyond tokio's. Held by `tests/exec_*.rs`, which run each
//! against its real peer.

mod backoff;
pub mod conntrack;
pub mod nft;
pub mod openflow;
pub mod ovsdb;
pub mod rtnl;

use tokio::sync::mpsc;

use crate::model::Fact;
use crate::ops::{ExecEvent, Outcome, Target};

pub use backoff::Backoff;

/// Facts in one event: the caller plans between two of them.
const FACTS_PER_EVENT: usize = 512;

/// Nobody takes events any more: the executor ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Deserted;

/// The way to the agent.
#[derive(Clone, Debug)]
struct Teller {
    events: mpsc::Sender<ExecEvent>,
    target: Target,
}

impl Teller {
    async fn event(&self, event: ExecEvent) -> Result<(), Deserted> {
        self.events.send(event).await.map_err(|_| Deserted)
    }

    async fn facts(&self, facts: Vec<Fact>) -> Result<(), Deserted> {
        if facts.len() <= FACTS_PER_EVENT {
            return if facts.is_empty() {
                Ok(())
            } else {
                self.event(ExecEvent::Facts(facts)).await
            };
        }
        let mut rest = facts.into_iter();
        loop {
            let chunk: Vec<Fact> = rest.by_ref().take(FACTS_PER_EVENT).collect();
            if chunk.is_empty() {
                return Ok(());
            }
            self.event(ExecEvent::Facts(chunk)).await?;
        }
    }

    async fn finished(&self, id: u64, outcome: Outcome) -> Result<(), Deserted> {
        self.event(ExecEvent::Finished {
            target: self.target.clone(),
            id,
            outcome,
        })
        .await
    }
}
