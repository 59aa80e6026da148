//! What the planner itself costs per event, on a host with 1,000 ports and on one with 10,000: no switch, no database, no
//! socket. `cargo bench --bench planner`.
//!
//! Only the planner's own calls are timed; the simulated host that answers its batches is not. Beside each event stands
//! the floor: putting the same items into a hash map and taking them out again, which is the least that anybody does
//! who remembers what stands. Every event is checked to ask for the same number of items at both sizes.

#[allow(
    dead_code,
    reason = "the planner's own tests use the rest of it; this needs the host at its start"
)]
#[path = "../src/plan/tests/world.rs"]
mod world;

use std::collections::HashMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use vifd::model::*;
use vifd::ops::row::{Row, RowKey};
use vifd::ops::{Batch, ExecEvent, Items, Outcome};
use vifd::plan::Planner;
// `world` names them from the root of its crate.
use vifd::{model, ops, plan};
use world::{World, endpoint, mac, port, port_id, vxlan};

const SIZES: [u128; 2] = [1_000, 10_000];
/// Ports per network, so that a peer concerns the same number of networks at both sizes.
const NETWORKS: u128 = 50;
/// Times that each event is repeated; the median counts.
const ROUNDS: usize = 101;

fn main() {
    println!("bench: planner alone, {ROUNDS} rounds per event, median (lowest to highest)");
    let mut hosts: Vec<Host> = SIZES.into_iter().map(Host::new).collect();
    for host in &hosts {
        println!(
            "bench: {:>6} ports: {} cells, first pass {:.1} µs of processor per port",
            host.n_ports,
            host.planner.cells().len(),
            host.first.as_secs_f64() * 1e6 / host.n_ports as f64
        );
    }
    for (name, event) in EVENTS {
        let mut samples = vec![Vec::new(); hosts.len()];
        let mut items = vec![Vec::new(); hosts.len()];
        // In turn, so that whatever else the machine does hits all alike.
        for round in 0..ROUNDS {
            for (i, host) in hosts.iter_mut().enumerate() {
                let (took, asked) = host.event(event, round);
                samples[i].push(took);
                items[i].push(asked);
            }
        }
        assert!(
            items.iter().all(|counts| *counts == items[0]),
            "{name}: the same event asks for more on one of the hosts"
        );
        for (host, samples) in hosts.iter().zip(&mut samples) {
            report(name, &host.n_ports.to_string(), samples);
        }
        let mut floor: Vec<Duration> = (0..ROUNDS).map(|_| hosts[0].floor()).collect();
        report(name, "floor", &mut floor);
        let medians: Vec<f64> = samples
            .iter()
            .map(|s| s[s.len() / 2].as_secs_f64())
            .collect();
        println!(
            "bench: {name:<22} {} items, {} / {} ports = {:.2}",
            items[0][0],
            SIZES[1],
            SIZES[0],
            medians[1] / medians[0]
        );
    }
    for host in &mut hosts {
        let begun = on_cpu();
        assert_eq!(host.planner.audit(), vec![], "nothing was missed");
        let took = on_cpu().saturating_sub(begun);
        let cells = host.planner.cells().len();
        println!(
            "bench: {:<22} {:>6} ports: {:.2} µs of processor per cell",
            "audit",
            host.n_ports,
            took.as_secs_f64() * 1e6 / cells as f64
        );
    }
}

/// Processor time of this thread so far: for what takes so long that the machine does other things in between.
fn on_cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("the kernel counts");
    let first = text.split_whitespace().next().expect("three numbers");
    Duration::from_nanos(first.parse().expect("a number of ns"))
}

fn report(name: &str, subject: &str, samples: &mut [Duration]) {
    samples.sort_unstable();
    let us = |at: usize| samples[at].as_secs_f64() * 1e6;
    println!(
        "bench: {name:<22} {subject:>6}: {:>8.1} µs ({:.1} to {:.1})",
        us(samples.len() / 2),
        us(0),
        us(samples.len() - 1)
    );
}

type Event = fn(&mut Host, usize);

/// Each leaves the host as it was, so that it can be repeated.
const EVENTS: [(&str, Event); 4] = [
    ("port comes and goes", |host, round| {
        let n = host.n_ports + 1 + round as u128;
        host.plug(n);
        host.unplug(n);
    }),
    ("port down and up", |host, round| {
        let n = 1 + round as u128;
        for admin_up in [false, true] {
            let mut port = host.port(n);
            port.admin_up = admin_up;
            host.delta(Delta::Port(port));
            host.settle();
        }
    }),
    ("port's address changes", |host, round| {
        let n = 1 + round as u128;
        for last in [250, n as u8] {
            let mut port = host.port(n);
            port.fixed_ips[0].ip = [10, 0, 200, last].into();
            host.delta(Delta::Port(port));
            host.settle();
        }
        host.delta(Delta::Port(host.port(n)));
        host.settle();
    }),
    ("peer comes and goes", |host, _| {
        host.delta(Delta::Endpoint(endpoint(77)));
        host.settle();
        host.delta(Delta::EndpointGone(endpoint(77)));
        host.settle();
    }),
];

/// A simulated host and its planner.
struct Host {
    n_ports: u128,
    world: World,
    planner: Planner,
    /// What the first pass took of the processor, the simulated host included.
    first: Duration,
    /// Time spent in the planner, and what it asked for, in the event at hand.
    spent: Duration,
    asked: Vec<Batch>,
}

impl Host {
    fn new(n_ports: u128) -> Host {
        let mut world = World::new();
        let planner = world.start_agent();
        let mut host = Host {
            n_ports,
            world,
            planner,
            first: Duration::ZERO,
            spent: Duration::ZERO,
            asked: Vec::new(),
        };
        // Bridges and patch ports, and a peer.
        host.world.quiesce(&mut host.planner);
        host.world
            .wish(&mut host.planner, Delta::Endpoint(endpoint(2)));
        host.world.quiesce(&mut host.planner);
        let begun = on_cpu();
        for n in 1..=NETWORKS {
            host.delta(Delta::Network(vxlan(n, n as u32)));
        }
        for n in 1..=n_ports {
            host.delta(Delta::Port(host.port(n)));
            host.appear(n);
        }
        host.settle();
        host.first = on_cpu().saturating_sub(begun);
        host
    }

    fn port(&self, n: u128) -> Port {
        port(n, 1 + n % NETWORKS)
    }

    fn timed<T>(&mut self, call: impl FnOnce(&mut Planner) -> T) -> T {
        let begun = Instant::now();
        let result = call(&mut self.planner);
        self.spent += begun.elapsed();
        result
    }

    fn delta(&mut self, delta: Delta) {
        self.timed(|planner| planner.delta(delta));
    }

    fn tell(&mut self, event: ExecEvent) {
        let now = self.world.now();
        self.timed(|planner| planner.event(event, now));
    }

    /// A VIF with its number.
    fn appear(&mut self, n: u128) {
        let mut fact = None;
        self.world
            .plug_quietly(&format!("tap{n}"), port_id(n), mac(n), &mut fact);
        let fact = fact.expect("it was made");
        self.tell(ExecEvent::Facts(vec![Fact::Port(fact)]));
    }

    fn plug(&mut self, n: u128) {
        self.delta(Delta::Port(self.port(n)));
        self.appear(n);
        self.settle();
    }

    fn unplug(&mut self, n: u128) {
        let name: std::sync::Arc<str> = format!("tap{n}").into();
        self.world.ports.remove(&name);
        self.tell(ExecEvent::Facts(vec![Fact::PortGone(name)]));
        self.delta(Delta::PortGone(port_id(n)));
        self.settle();
    }

    /// Answers batches until there are none.
    fn settle(&mut self) {
        loop {
            let now = self.world.now();
            let (batches, more) = self.timed(|planner| planner.step(now, 256));
            if batches.is_empty() && !more {
                let left = self.planner.next_deadline();
                assert_eq!(left, None, "nothing is refused here");
                return;
            }
            for batch in batches {
                self.answer(&batch);
                self.asked.push(batch);
            }
        }
    }

    /// Everything is done at once, as asked.
    fn answer(&mut self, batch: &Batch) {
        let mut next_cfg = None;
        let mut facts = Vec::new();
        if let Items::Rows(rows) = &batch.items {
            facts.extend(
                rows.iter()
                    .filter_map(|(key, row)| self.written(key, row.as_ref())),
            );
            self.world.next_cfg += 1;
            next_cfg = Some(self.world.next_cfg);
        }
        if !facts.is_empty() {
            self.tell(ExecEvent::Facts(facts));
        }
        self.tell(ExecEvent::Finished {
            target: batch.target.clone(),
            id: batch.id,
            outcome: Outcome::Done {
                refused: Vec::new(),
                next_cfg,
            },
        });
        if let Some(cfg) = next_cfg {
            self.tell(ExecEvent::Facts(vec![Fact::Applied(cfg)]));
        }
    }

    /// The row as the switch tells it afterwards.
    fn written(&mut self, key: &RowKey, row: Option<&Row>) -> Option<Fact> {
        match (key, row) {
            (RowKey::Vif(name), Some(Row::Vif(row))) => {
                let fact = self.world.ports.get_mut(name)?;
                fact.tag = Some(row.tag);
                if row.hint.is_some() {
                    fact.hint = row.hint.clone();
                }
                Some(Fact::Port(fact.clone()))
            }
            (RowKey::Port(name), Some(Row::Port(row))) => {
                let mut fact = self
                    .world
                    .ports
                    .values()
                    .find(|p| p.owner.is_some())?
                    .clone();
                fact.name = name.clone();
                fact.bridge = row.bridge.clone();
                fact.kind = row.kind.clone();
                fact.options = row.options.clone();
                self.world.ports.insert(name.clone(), fact.clone());
                Some(Fact::Port(fact))
            }
            (RowKey::Port(name), None) => {
                self.world.ports.remove(name);
                Some(Fact::PortGone(name.clone()))
            }
            other => panic!("never asked for here: {other:?}"),
        }
    }

    /// One event: the time in the planner, and how many items it asked for.
    fn event(&mut self, event: Event, round: usize) -> (Duration, usize) {
        self.spent = Duration::ZERO;
        self.asked.clear();
        event(self, round);
        (self.spent, self.asked.iter().map(|b| b.items.len()).sum())
    }

    /// The items of the last event, into a map and out again.
    fn floor(&self) -> Duration {
        let begun = Instant::now();
        let mut flows = HashMap::new();
        let mut rows = HashMap::new();
        for batch in &self.asked {
            match &batch.items {
                Items::Flows(items) => {
                    for item in items {
                        flows.insert(item.key.clone(), item.body.clone());
                    }
                }
                Items::Rows(items) => {
                    for (key, row) in items {
                        rows.insert(key.clone(), row.clone());
                    }
                }
                _ => {}
            }
        }
        for batch in &self.asked {
            match &batch.items {
                Items::Flows(items) => {
                    for item in items {
                        black_box(flows.remove(&item.key));
                    }
                }
                Items::Rows(items) => {
                    for (key, _) in items {
                        black_box(rows.remove(key));
                    }
                }
                _ => {}
            }
        }
        begun.elapsed()
    }
}
