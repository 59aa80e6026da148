//! Many packets at once, and which of them arrived where.
//!
//! No fixed waiting: after each handful, every port that sent sends a packet that must arrive at its network's witness,
//! and then a port that no filter holds sends one from a new MAC, which takes the slow way through every switch. What
//! has not come out when those have, and when the socket is empty, was dropped. A lost witness is an error.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::{Bed, next_number};
use crate::packet::{Body, Packet};
use crate::wire::{self, Arrivals};
use crate::world::Mac;

/// How many packets are under way at once: fewer than any queue on the way holds.
const HANDFUL: usize = 24;
/// How long witnesses and packets that should arrive are waited for.
const LIMIT: Duration = Duration::from_secs(10);
/// How long packets that should arrive are waited for when the witnesses have.
const STRAGGLERS: Duration = Duration::from_secs(2);

/// A packet to be sent, and where it should come out.
#[derive(Clone, Debug)]
pub struct Shot {
    pub number: u32,
    pub from: usize,
    pub packet: Packet,
    pub expected: Arrivals,
}

impl Shot {
    pub fn new(from: usize, packet: Packet, expected: Arrivals) -> Shot {
        Shot {
            number: next_number(),
            from,
            packet,
            expected,
        }
    }
}

/// Where the packets came out, by number: ports, with the parts of the packet.
#[derive(Default, Debug)]
pub struct Outcome {
    arrivals: BTreeMap<u32, Arrivals>,
    /// Frames sent, witnesses included.
    pub n_sent: u64,
    /// Frames that came out.
    pub n_arrived: u64,
}

impl Outcome {
    /// Where a packet came out, and which parts of it.
    pub fn of(&self, shot: &Shot) -> Arrivals {
        self.arrivals.get(&shot.number).cloned().unwrap_or_default()
    }

    fn has(&self, shot: &Shot) -> bool {
        let found = self.of(shot);
        let has = |(port, parts): (&usize, &BTreeSet<u8>)| {
            found.get(port).is_some_and(|f| parts.is_subset(f))
        };
        shot.expected.iter().all(has)
    }

    fn add(&mut self, wire: usize, frame: &[u8]) {
        self.n_arrived += 1;
        for (number, part) in wire::marks(frame) {
            let ports = self.arrivals.entry(number).or_default();
            ports.entry(wire).or_default().insert(part);
        }
    }
}

/// Sends all packets and tells which came out where.
pub fn volley(bed: &Bed, shots: &[Shot], outcome: &mut Outcome) -> Result<()> {
    for handful in shots.chunks(HANDFUL) {
        let mut senders = BTreeSet::new();
        for shot in handful {
            fire(bed, shot, outcome)?;
            senders.insert(shot.from);
        }
        let witnesses: Vec<Shot> = senders
            .iter()
            .map(|&n| witness(bed, n))
            .collect::<Result<_>>()?;
        for shot in &witnesses {
            fire(bed, shot, outcome)?;
        }
        wait(bed, &witnesses, LIMIT, outcome)?;
        ensure_all(&witnesses, outcome, "a port's own greeting")?;
        let heralds: Vec<Shot> = (0..bed.world.networks)
            .map(|n| herald(bed, n))
            .collect::<Result<_>>()?;
        for shot in &heralds {
            fire(bed, shot, outcome)?;
        }
        wait(bed, &heralds, LIMIT, outcome)?;
        ensure_all(&heralds, outcome, "a packet between unfiltered ports")?;
        wait(bed, handful, STRAGGLERS, outcome)?;
        while let Some(arrival) = bed.wires.receive(Instant::now())? {
            outcome.add(arrival.wire, &arrival.frame);
        }
    }
    ensure!(
        bed.wires.overflow()? == 0,
        "the receiving socket lost frames"
    );
    Ok(())
}

fn fire(bed: &Bed, shot: &Shot, outcome: &mut Outcome) -> Result<()> {
    for frame in wire::frames(&shot.packet, shot.number) {
        bed.wires.send(shot.from, &frame)?;
        outcome.n_sent += 1;
    }
    Ok(())
}

/// A greeting from a port to the witness of its network; from the witness to the router.
fn witness(bed: &Bed, from: usize) -> Result<Shot> {
    let to = bed.listener(from)?;
    let packet = bed.greeting(from, bed.world.ports[from].mac, bed.world.ports[to].mac);
    let expected = wire::whole(&packet, &[to]);
    Ok(Shot::new(from, packet, expected))
}

/// A packet from the router's port, from a MAC that was never seen.
fn herald(bed: &Bed, network: usize) -> Result<Shot> {
    let (from, to) = (bed.world.router(network), bed.world.witness(network));
    let (from, to) = from
        .zip(to)
        .context("a network without a router and a witness")?;
    let [_, b, c, d] = next_number().to_be_bytes();
    let packet = Packet {
        from: Mac([0x02, 0x77, 0, b, c, d]),
        to: bed.world.ports[to].mac,
        vlan: None,
        body: Body::Other(0x88b6),
    };
    let expected = wire::whole(&packet, &[to]);
    Ok(Shot::new(from, packet, expected))
}

/// Receives until all have arrived or the limit is reached.
fn wait(bed: &Bed, shots: &[Shot], limit: Duration, outcome: &mut Outcome) -> Result<()> {
    let until = Instant::now() + limit;
    while !shots.iter().all(|shot| outcome.has(shot)) {
        match bed.wires.receive(until)? {
            Some(arrival) => outcome.add(arrival.wire, &arrival.frame),
            None => break,
        }
    }
    Ok(())
}

fn ensure_all(shots: &[Shot], outcome: &Outcome, what: &str) -> Result<()> {
    match shots.iter().find(|shot| !outcome.has(shot)) {
        None => Ok(()),
        Some(shot) => bail!(
            "{what} did not arrive, so nothing can be said about the others: port {}, {}, to {:?}",
            shot.from,
            shot.packet,
            shot.expected
        ),
    }
}
