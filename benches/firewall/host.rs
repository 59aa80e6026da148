//! A planner on a simulated switch, and the real executor of the packet filter.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use vifd::exec::nft::{self as exec, Settings};
use vifd::ops::nft::{NftBody, NftKey};
use vifd::ops::{Batch, ExecEvent, Items, Outcome};
use vifd::plan::Planner;
use vifd::plan::firewall::nft::numbers::short;
use vifd::telemetry::PacketFilter;

use crate::model::*;
use crate::workload::{pid, vm_port};
use crate::world::World;

/// Cells rendered before the executor's word is listened to again, as in the agent.
const SLICE: usize = 256;

pub struct Host {
    world: World,
    planner: Planner,
    batches: mpsc::Sender<Batch>,
    events: mpsc::Receiver<ExecEvent>,
    runtime: tokio::runtime::Runtime,
    /// Objects written.
    pub items: usize,
    /// The keys of each batch, if they are to be kept.
    pub parts: Option<Vec<Vec<NftKey>>>,
    /// From the first batch to the last answer of the kernel; the planner works meanwhile.
    pub executor: Duration,
}

impl Host {
    /// In the calling thread's network namespace, before anything stands.
    pub fn new() -> Host {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let (sender, events) = mpsc::channel(64);
        let batches = exec::spawn(Settings::default(), sender, PacketFilter::default());
        let mut world = World::new();
        world.firewall = Some(FirewallDriver::Nft);
        let planner = world.start_agent();
        let mut host = Host {
            world,
            planner,
            batches,
            events,
            runtime,
            items: 0,
            parts: None,
            executor: Duration::ZERO,
        };
        let up = host.event();
        host.planner.event(up, host.world.now());
        host
    }

    fn event(&mut self) -> ExecEvent {
        let next = self.events.recv();
        self.runtime.block_on(next).expect("the executor lives")
    }

    /// Everything that is asked for is carried out: objects of the packet filter by the kernel, while the planner goes
    /// on, and the rest by the simulated switch.
    fn settle(&mut self) {
        let mut n_under_way = 0;
        let mut first = None;
        loop {
            let (batches, more) = self.planner.step(self.world.now(), SLICE);
            for batch in batches {
                if matches!(batch.items, Items::Nft(_)) {
                    first.get_or_insert_with(Instant::now);
                    self.submit(batch);
                    n_under_way += 1;
                } else {
                    self.world.pending.push(batch);
                }
            }
            while !self.world.pending.is_empty() {
                self.world.carry_out(&mut self.planner, 0);
            }
            if !more && n_under_way == 0 && self.planner.n_dirty() == 0 {
                return;
            }
            let event = match (more, n_under_way) {
                (true, _) => self.events.try_recv().ok(),
                (false, 0) => None,
                (false, _) => Some(self.event()),
            };
            let Some(event) = event else { continue };
            if let ExecEvent::Finished { outcome, .. } = &event {
                assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
                n_under_way -= 1;
                self.executor = first.map_or(Duration::ZERO, |first: Instant| first.elapsed());
            }
            self.planner.event(event, self.world.now());
        }
    }

    fn submit(&mut self, batch: Batch) {
        if let Items::Nft(batch) = &batch.items {
            self.items += batch.items.len();
            if let Some(parts) = &mut self.parts {
                parts.push(batch.items.iter().map(|(key, _)| key.clone()).collect());
            }
        }
        self.batches
            .try_send(batch)
            .expect("it takes what the planner hands out");
    }

    pub fn wish(&mut self, delta: Delta) {
        self.world.wish(&mut self.planner, delta);
    }

    pub fn plug(&mut self, n: u128, group: u128) {
        self.load(vec![Delta::Port(vm_port(n, group))]);
    }

    pub fn unplug(&mut self, n: u128) {
        let name = format!("qvo{}", short(pid(n)));
        self.world.unplug(&mut self.planner, &name);
        self.wish(Delta::PortGone(pid(n)));
    }

    /// How long a change takes until everything stands, and how many objects it writes.
    pub fn time(&mut self, change: impl FnOnce(&mut Host)) -> (Duration, usize) {
        self.items = 0;
        let begun = Instant::now();
        change(self);
        self.settle();
        (begun.elapsed(), self.items)
    }

    /// Takes a workload in, and its ports.
    pub fn load(&mut self, workload: Vec<Delta>) {
        for delta in workload {
            let port = match &delta {
                Delta::Port(port) => Some((port.id, port.mac)),
                _ => None,
            };
            self.wish(delta);
            if let Some((id, mac)) = port {
                let name = format!("qvo{}", short(id));
                self.world.plug(&mut self.planner, &name, id, mac);
            }
        }
    }

    pub fn planner(&self) -> &Planner {
        &self.planner
    }

    /// Rules in the kernel.
    pub fn n_rules(&self) -> usize {
        let count = |body: &NftBody| match body {
            NftBody::Table(table) => table.rule_count(),
            NftBody::Element(_) => 0,
        };
        let wanted = self.planner.wanted_nft();
        wanted.map(|(_, _, body)| count(body)).sum()
    }
}
