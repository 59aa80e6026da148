//! A prober: packets that are forbidden at all times and packets that are allowed at all times, sent without pause while
//! something else happens.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use anyhow::Result;
use testbed::Wires;

use crate::bed::next_number;
use crate::packet::Packet;
use crate::wire;

/// Between two packets: a switch that handles packets and its configuration in one thread may take a second off, and its
/// queues hold about 270 packets of each port.
const PACE: Duration = Duration::from_micros(1500);
/// How long the last allowed packets are waited for.
const GRACE: Duration = Duration::from_secs(10);

/// A packet to be sent again and again, each time with its source port (or what stands for it) changed by `vary`.
#[derive(Clone)]
pub struct Probe {
    pub from: usize,
    /// Where it arrives, if it is allowed.
    pub to: Option<usize>,
    /// Where it may arrive although it is forbidden: where no filter is.
    pub harmless_at: Vec<usize>,
    pub packet: Packet,
    /// Each packet is of a new connection.
    pub fresh: bool,
}

/// What came of it.
#[derive(Default, Debug)]
pub struct Report {
    pub n_forbidden: u64,
    /// Forbidden ones that arrived: in words.
    pub leaked: Vec<String>,
    pub n_allowed: u64,
    /// Allowed ones that did not: in words.
    pub lost: Vec<String>,
}

impl Report {
    pub fn add(&mut self, other: Report) {
        self.n_forbidden += other.n_forbidden;
        self.n_allowed += other.n_allowed;
        self.leaked.extend(other.leaked);
        self.lost.extend(other.lost);
    }
}

/// Sends until `stop`, then waits for what is still under way. Tells `opened` when connections that go on are there.
pub fn run(
    wires: &Wires,
    probes: &[Probe],
    opened: &Sender<()>,
    stop: &AtomicBool,
) -> Result<Report> {
    let mut report = Report::default();
    let mut sent: BTreeMap<u32, (usize, Duration)> = BTreeMap::new();
    let mut came: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    let arrived = |came: &BTreeMap<u32, Vec<usize>>, number: &u32, to: usize| {
        came.get(number).is_some_and(|ports| ports.contains(&to))
    };
    let start = Instant::now();
    // Connections that go on are there before anything else: an answer must not overtake its question.
    for (n, probe) in probes.iter().enumerate().filter(|(_, probe)| !probe.fresh) {
        let Some(to) = probe.to else {
            continue;
        };
        let number = next_number();
        sent.insert(number, (n, start.elapsed()));
        for frame in wire::frames(&probe.packet, number) {
            wires.send(probe.from, &frame)?;
        }
        while !arrived(&came, &number, to) && start.elapsed() < GRACE {
            receive(wires, Instant::now() + PACE, &mut came)?;
        }
    }
    // Whoever waited for it has gone: then nobody needs to know.
    let _ = opened.send(());
    let start = Instant::now();
    let mut round = 0u32;
    // Each at least once.
    while !stop.load(Ordering::SeqCst) || (round as usize) < probes.len() {
        let n = round as usize % probes.len();
        let probe = &probes[n];
        let packet = if probe.fresh {
            varied(&probe.packet, round)
        } else {
            probe.packet.clone()
        };
        let number = next_number();
        sent.insert(number, (n, start.elapsed()));
        for frame in wire::frames(&packet, number) {
            wires.send(probe.from, &frame)?;
        }
        round += 1;
        receive(wires, start + PACE * round, &mut came)?;
    }
    let until = Instant::now() + GRACE;
    while Instant::now() < until
        && sent
            .iter()
            .any(|(number, (n, _))| probes[*n].to.is_some_and(|to| !arrived(&came, number, to)))
    {
        receive(wires, Instant::now() + Duration::from_millis(20), &mut came)?;
    }
    let first = sent.keys().next().copied().unwrap_or(0);
    for (number, (n, at)) in &sent {
        let probe = &probes[*n];
        let told = || {
            format!(
                "{at:.1?}, packet {} from port {}: {}",
                number - first,
                probe.from,
                probe.packet
            )
        };
        match probe.to {
            Some(to) => {
                report.n_allowed += 1;
                if !arrived(&came, number, to) {
                    report.lost.push(told());
                }
            }
            None => {
                report.n_forbidden += 1;
                let mut ports = came.get(number).cloned().unwrap_or_default();
                ports.retain(|port| !probe.harmless_at.contains(port));
                if !ports.is_empty() {
                    let leaked = format!("{}, arrived at {ports:?}", told());
                    report.leaked.push(leaked);
                }
            }
        }
    }
    Ok(report)
}

fn receive(wires: &Wires, until: Instant, came: &mut BTreeMap<u32, Vec<usize>>) -> Result<()> {
    while let Some(arrival) = wires.receive(until)? {
        for (number, _) in wire::marks(&arrival.frame) {
            came.entry(number).or_default().push(arrival.wire);
        }
    }
    Ok(())
}

/// The packet with another source port or identifier.
fn varied(packet: &Packet, round: u32) -> Packet {
    use crate::packet::{Body, Payload};
    let mut packet = packet.clone();
    let fresh = 10_000 + u16::try_from(round % 50_000).expect("below 50,000");
    if let Body::Ip(ip) = &mut packet.body {
        match &mut ip.payload {
            Payload::Tcp(tcp) => tcp.src = fresh,
            Payload::Udp { src, .. } => *src = fresh,
            Payload::Icmp { id, .. } => *id = fresh,
            _ => {}
        }
    }
    packet
}
