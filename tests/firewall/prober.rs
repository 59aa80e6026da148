//! A prober: packets that are forbidden and packets that are allowed, sent without pause while something else happens.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use anyhow::Result;
use testbed::Wires;

use crate::bed::next_number;
use crate::packet::Packet;
use crate::wire;

/// Between two packets, at least. A switch that handles packets and its configuration in one thread may take a second
/// off, and its queues hold about 270 packets of each port: one that sends what is allowed sends fewer in a second.
const PACE: Duration = Duration::from_micros(700);
/// How long the last allowed packets are waited for.
const GRACE: Duration = Duration::from_secs(10);

/// A packet to be sent again and again, if `fresh` each time with its source port (or what stands for it) changed.
#[derive(Clone)]
pub struct Probe {
    pub from: usize,
    /// The port that it is for.
    pub to: usize,
    /// It arrives there; else it is forbidden.
    pub is_allowed: bool,
    /// Where it may arrive: anywhere else it is a leak.
    pub may: BTreeSet<usize>,
    pub packet: Packet,
    /// Each packet is of a new connection.
    pub fresh: bool,
}

/// What came of it.
#[derive(Default, Debug)]
pub struct Report {
    pub n_forbidden: u64,
    /// Forbidden ones that arrived: when (after the start of the prober) and in words.
    pub leaked: Vec<(Duration, String)>,
    pub n_allowed: u64,
    /// Allowed ones that did not: in words.
    pub lost: Vec<String>,
    /// When it began to send.
    pub start: Option<Instant>,
    /// How long it was sending.
    pub took: Duration,
    /// Between two forbidden packets for the same port.
    pub gaps: Vec<Duration>,
}

impl Report {
    pub fn add(&mut self, other: Report) {
        self.n_forbidden += other.n_forbidden;
        self.n_allowed += other.n_allowed;
        self.leaked.extend(other.leaked);
        self.lost.extend(other.lost);
        self.took += other.took;
        self.gaps.extend(other.gaps);
    }

    /// The gap that so many of a hundred do not exceed.
    pub fn gap(&self, percent: usize) -> Duration {
        let mut gaps = self.gaps.clone();
        gaps.sort_unstable();
        let at = (gaps.len() * percent / 100).min(gaps.len().saturating_sub(1));
        gaps.get(at).copied().unwrap_or_default()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = self.n_forbidden as f64 / self.took.as_secs_f64();
        write!(
            f,
            "{} forbidden packets in {:.1?} ({rate:.0} a second; one for each port every {:.1?}, 99 of 100 times within \
             {:.1?}, at most {:.1?}), {} arrived; {} allowed packets, {} lost",
            self.n_forbidden,
            self.took,
            self.gap(50),
            self.gap(99),
            self.gap(100),
            self.leaked.len(),
            self.n_allowed,
            self.lost.len()
        )
    }
}

/// A packet that was sent: which probe it is of, and when.
type Sent = BTreeMap<u32, (usize, Duration)>;
/// Where a packet came out.
type Came = BTreeMap<u32, Vec<usize>>;

fn arrived(came: &Came, number: u32, to: usize) -> bool {
    came.get(&number).is_some_and(|ports| ports.contains(&to))
}

/// Sends until `stop`, then waits for what is still under way. Tells `opened` when connections that go on are there.
pub fn run(
    wires: &Wires,
    probes: &[Probe],
    opened: &Sender<()>,
    stop: &AtomicBool,
) -> Result<Report> {
    let mut report = Report::default();
    let mut sent = Sent::new();
    let mut came = Came::new();
    let start = Instant::now();
    // Connections that go on are there before anything else: an answer must not overtake its question.
    let going_on = |probe: &Probe| probe.is_allowed && !probe.fresh;
    for (n, probe) in probes.iter().enumerate().filter(|(_, p)| going_on(p)) {
        let number = next_number();
        sent.insert(number, (n, start.elapsed()));
        for frame in wire::frames(&probe.packet, number) {
            wires.send(probe.from, &frame)?;
        }
        while !arrived(&came, number, probe.to) && start.elapsed() < GRACE {
            receive(wires, Instant::now() + PACE, &mut came)?;
        }
    }
    let start = Instant::now();
    // Whoever waited for it has gone: then nobody needs to know.
    let _ = opened.send(());
    let order = interleaved(probes);
    let mut last: BTreeMap<usize, Duration> = BTreeMap::new();
    let mut round = 0u32;
    // Each at least once.
    while !stop.load(Ordering::SeqCst) || (round as usize) < probes.len() {
        let n = order[round as usize % order.len()];
        let probe = &probes[n];
        let packet = if probe.fresh {
            varied(&probe.packet, round)
        } else {
            probe.packet.clone()
        };
        let number = next_number();
        let at = start.elapsed();
        sent.insert(number, (n, at));
        for frame in wire::frames(&packet, number) {
            wires.send(probe.from, &frame)?;
        }
        if !probe.is_allowed
            && let Some(before) = last.insert(probe.to, at)
        {
            report.gaps.push(at - before);
        }
        round += 1;
        // What was missed is not made up for: a burst would fill the queues.
        receive(wires, start + at + PACE, &mut came)?;
    }
    report.start = Some(start);
    report.took = start.elapsed();
    let until = Instant::now() + GRACE;
    let is_missing = |came: &Came, number: u32, n: usize| {
        probes[n].is_allowed && !arrived(came, number, probes[n].to)
    };
    while Instant::now() < until
        && sent
            .iter()
            .any(|(number, (n, _))| is_missing(&came, *number, *n))
    {
        receive(wires, Instant::now() + Duration::from_millis(20), &mut came)?;
    }
    count(probes, &sent, &came, &mut report);
    Ok(report)
}

fn count(probes: &[Probe], sent: &Sent, came: &Came, report: &mut Report) {
    let first = sent.keys().next().copied().unwrap_or(0);
    for (number, (n, at)) in sent {
        let probe = &probes[*n];
        let told = || {
            format!(
                "{at:.1?}, packet {} from port {} to port {}: {}",
                number - first,
                probe.from,
                probe.to,
                probe.packet
            )
        };
        let ports = came.get(number).map_or(&[][..], Vec::as_slice);
        let leaks: Vec<&usize> = ports.iter().filter(|n| !probe.may.contains(n)).collect();
        if !leaks.is_empty() {
            let leaked = format!("{}, arrived at {leaks:?}", told());
            report.leaked.push((*at, leaked));
        }
        if probe.is_allowed {
            report.n_allowed += 1;
            if !ports.contains(&probe.to) {
                report.lost.push(told());
            }
        } else {
            report.n_forbidden += 1;
        }
    }
}

/// One of each port that packets are for after the other.
fn interleaved(probes: &[Probe]) -> Vec<usize> {
    let mut turns: BTreeMap<usize, usize> = BTreeMap::new();
    let mut order: Vec<(usize, usize)> = Vec::new();
    let totals = |to: usize| probes.iter().filter(|probe| probe.to == to).count();
    for (n, probe) in probes.iter().enumerate() {
        let turn = turns.entry(probe.to).or_default();
        // Evenly spread over a cycle, however many a port has.
        order.push((*turn * probes.len() / totals(probe.to), n));
        *turn += 1;
    }
    order.sort_unstable();
    order.into_iter().map(|(_, n)| n).collect()
}

fn receive(wires: &Wires, until: Instant, came: &mut Came) -> Result<()> {
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
