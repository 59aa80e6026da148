//! Tracked connections: lists and deletes them, over ctnetlink in the agent's own network namespace.
//!
//! Before a list is made, every packet that was judged by the old rules has become a connection or nothing: otherwise it
//! would be missed. It has a thread of its own, because a large table takes long to read.
//! Decides nothing. Held by `tests/exec_conntrack.rs`.

use std::time::Duration;

use ::nft::conntrack::Filter;
use ::nft::net::{ConntrackClient, DeleteFilters};
use rustix::thread::{MembarrierCommand, membarrier};
use tokio::sync::mpsc;
use tracing::error;

use crate::ops::conntrack::{Connection, CtItems, Scope, Scopes};
use crate::ops::{Batch, ExecEvent, Items, Outcome, Target};
use crate::telemetry::PacketFilter;

/// How long a packet may be on its way through the hooks, where the kernel cannot tell.
const IN_FLIGHT: Duration = Duration::from_millis(5);
/// So many zones are asked for one by one; more are picked from a listing of everything.
const ZONES_BY_KERNEL: usize = 8;

/// Starts the executor in the calling thread's network namespace.
pub fn spawn(events: mpsc::Sender<ExecEvent>, metrics: PacketFilter) -> mpsc::Sender<Batch> {
    let (sender, mut batches) = mpsc::channel::<Batch>(1);
    let started = std::thread::Builder::new()
        .name("vifd-conntrack".into())
        .spawn(move || {
            while let Some(batch) = batches.blocking_recv() {
                let outcome = match carry_out(&batch.items, &events, &metrics) {
                    Ok(()) => Outcome::Done {
                        refused: Vec::new(),
                        next_cfg: None,
                    },
                    Err(error) => Outcome::Lost {
                        reason: format!("conntrack: {error}").into(),
                    },
                };
                let finished = ExecEvent::Finished {
                    target: Target::Conntrack,
                    id: batch.id,
                    outcome,
                };
                if events.blocking_send(finished).is_err() {
                    return;
                }
            }
        });
    if let Err(error) = started {
        error!(%error, "connections are not cut: the thread could not be started");
    }
    sender
}

fn carry_out(
    items: &Items,
    events: &mpsc::Sender<ExecEvent>,
    metrics: &PacketFilter,
) -> std::io::Result<()> {
    let mut client = ConntrackClient::open(DeleteFilters::default())?;
    match items {
        Items::Conntrack(CtItems::List(scopes)) => {
            wait_for_packets();
            let found = list(&mut client, scopes)?;
            // Nobody listens any more: the answer to the batch will find out.
            let _ = events.blocking_send(ExecEvent::Connections(found));
            Ok(())
        }
        Items::Conntrack(CtItems::Cut(connections)) => {
            for connection in connections {
                let cut = client.delete_one(connection.family, &connection.entry)?;
                metrics.connections_cut.inc_by(u64::from(cut));
            }
            Ok(())
        }
        _ => Err(std::io::Error::other("not for connections")),
    }
}

/// Waits until no packet is in the middle of the hooks that was there at the call. They run under RCU, and the global
/// barrier of membarrier(2) is a grace period of it. It does not exist where cores run without a tick (`nohz_full`).
fn wait_for_packets() {
    if membarrier(MembarrierCommand::Global).is_err() {
        std::thread::sleep(IN_FLIGHT);
    }
}

fn list(client: &mut ConntrackClient, scopes: &[Scope]) -> std::io::Result<Vec<Connection>> {
    let scopes: Scopes = scopes.iter().collect();
    let zones: Option<Vec<u16>> = scopes.only_zones().map(Iterator::collect);
    let filters: Vec<Filter> = match zones {
        Some(zones) if zones.len() <= ZONES_BY_KERNEL => {
            let of = |zone| Filter {
                zone: Some(zone),
                ..Filter::default()
            };
            zones.into_iter().map(of).collect()
        }
        _ => vec![Filter::default()],
    };
    let mut found = Vec::new();
    for filter in filters {
        let entries = client.dump(&filter)?.into_iter();
        let connections = entries.map(|(family, entry)| Connection { family, entry });
        found.extend(connections.filter(|c| scopes.hold(c)));
    }
    Ok(found)
}
