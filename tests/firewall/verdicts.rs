//! The driver's verdicts on generated packets are the reference's.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Result, ensure};

use crate::bed::{Bed, Driver, Outcome, Shot, check_connections_fit, volley};
use crate::generate::{Script, Scripts, Step, Taste, world};
use crate::packet::{Body, Fragments};
use crate::random::{Random, seed, setting, soak};
use crate::reference::Reference;
use crate::wire::{self, Arrivals};
use crate::world::World;

/// After so many wrong verdicts of a world the rest says nothing new.
const ENOUGH: usize = 12;

/// What was tried, by kind.
#[derive(Default, Debug)]
pub struct Tally {
    pub n_tuples: usize,
    pub n_passed: usize,
    pub n_dropped: usize,
    pub n_sent: u64,
    pub n_arrived: u64,
    /// Not sent, because nothing can be said of them.
    pub n_unsettled: usize,
    pub by_kind: BTreeMap<String, usize>,
    pub wrong: Vec<String>,
}

impl Tally {
    fn count(&mut self, kind: &str) {
        *self.by_kind.entry(kind.to_owned()).or_default() += 1;
    }

    pub fn print(&self, what: &str) {
        println!(
            "{what}: {} tuples, {} pass, {} drop; {} frames sent, {} arrived; {} left out; {} mismatches",
            self.n_tuples,
            self.n_passed,
            self.n_dropped,
            self.n_sent,
            self.n_arrived,
            self.n_unsettled,
            self.wrong.len()
        );
        let kinds: Vec<String> = self
            .by_kind
            .iter()
            .map(|(kind, n)| format!("{kind} {n}"))
            .collect();
        println!("{what}: {}", kinds.join(", "));
    }
}

/// Makes a world, generates conversations, and compares every packet's fate.
pub fn compare(
    program: &Path,
    driver: Driver,
    taste: Taste,
    seed: u64,
    n_scripts: usize,
    tally: &mut Tally,
) -> Result<()> {
    let mut random = Random::new(seed);
    let world = world(&mut random, taste);
    let bed = Bed::start(program, &world, driver)?;
    bed.introduce()?;
    let mut scripts = Scripts::new();
    let scripts: Vec<Script> = (0..n_scripts)
        .map(|_| scripts.next(&mut random, &world))
        .collect();
    let mut reference = Reference::new(world.clone(), driver.profile());
    run(
        &bed,
        &mut reference,
        &scripts,
        &format!("VIFD_SEED={seed}"),
        tally,
    )
}

/// Runs scripts in step: the first packets of all, then the second ones, and so on.
pub fn run(
    bed: &Bed,
    reference: &mut Reference,
    scripts: &[Script],
    context: &str,
    tally: &mut Tally,
) -> Result<()> {
    let n_steps: usize = scripts.iter().map(|s| s.steps.len()).sum();
    check_connections_fit(2 * n_steps as u64)?;
    let mut alive: Vec<bool> = vec![true; scripts.len()];
    for at in 0..scripts.iter().map(|s| s.steps.len()).max().unwrap_or(0) {
        let mut left: Vec<usize> = (0..scripts.len()).collect();
        while !left.is_empty() {
            // Where conversations share a connection, one after the other.
            let mut under_way = BTreeSet::new();
            let (now, later) = left.into_iter().partition(|&n| {
                let step = scripts[n].steps.get(at);
                let connection = step.and_then(|step| reference.connection(&step.packet));
                connection.is_none_or(|key| under_way.insert(key))
            });
            left = later;
            let steps = now
                .into_iter()
                .filter_map(|n| Some((n, scripts[n].steps.get(at)?)));
            let mut shots = Vec::new();
            let mut reasons = Vec::new();
            for (n, step) in steps {
                if step.needs_previous && !alive[n] {
                    continue;
                }
                if let Some(why) = reference.unsettled(step.from, &step.packet) {
                    alive[n] = false;
                    tally.n_unsettled += 1;
                    tally.count(&format!("left out: {why}"));
                    continue;
                }
                let state = reference.state(step.from, &step.packet);
                let judgement = reference.judge(step.from, &step.packet);
                let receivers: Vec<usize> = judgement.receivers().collect();
                let expected = wire::whole(&step.packet, &receivers);
                alive[n] = !expected.is_empty();
                note(tally, &reference.world, step, state, judgement.why());
                shots.push(Shot::new(step.from, step.packet.clone(), expected));
                reasons.push((n, state, judgement));
            }
            let mut outcome = Outcome::default();
            volley(bed, &shots, &mut outcome)?;
            tally.n_sent += outcome.n_sent;
            tally.n_arrived += outcome.n_arrived;
            for (shot, (n, state, judgement)) in shots.iter().zip(&reasons) {
                tally.n_tuples += 1;
                if shot.expected.is_empty() {
                    tally.n_dropped += 1;
                } else {
                    tally.n_passed += 1;
                }
                let arrived = outcome.of(shot);
                if arrived != shot.expected {
                    let story = format!(
                        "state {state}, expected at {:?}: {judgement:?}; arrived at {arrived:?}\n{}",
                        shot.expected,
                        reproduction(bed, &reference.world, &scripts[*n], at, state, &arrived)?
                    );
                    println!("MISMATCH, {context}\n{story}");
                    tally.wrong.push(story);
                    ensure!(tally.wrong.len() < ENOUGH, "{ENOUGH} mismatches; {context}");
                }
            }
        }
    }
    Ok(())
}

fn note(tally: &mut Tally, world: &World, step: &Step, state: &str, why: &str) {
    tally.count(&format!("state {state}"));
    tally.count(&format!("by: {why}"));
    if let Body::Ip(ip) = &step.packet.body {
        tally.count(&format!("{:?}", ip.family()));
        if ip.fragments != Fragments::Whole {
            tally.count("fragments");
        }
        if ip.icmp().is_some() {
            tally.count("ICMP");
        }
    }
    if world.ports[step.from]
        .groups
        .first()
        .is_some_and(|&g| !world.groups[g].stateful)
    {
        tally.count("from stateless ports");
    }
}

/// What a person needs to see it again: the packets so far, the ports with their rules, what the switch makes of it.
fn reproduction(
    bed: &Bed,
    world: &World,
    script: &Script,
    at: usize,
    state: &str,
    arrived: &Arrivals,
) -> Result<String> {
    let mut text = String::new();
    for (n, step) in script.steps.iter().take(at + 1).enumerate() {
        text += &format!("  packet {n} from port {}: {}\n", step.from, step.packet);
    }
    let step = &script.steps[at];
    let mut ports = BTreeSet::from([step.from]);
    ports.extend(world.behind(world.ports[step.from].network, step.packet.to));
    ports.extend(arrived.keys().take(2));
    let mut named = BTreeSet::new();
    for &port in &ports {
        text += &world.describe(port);
        named.extend(world.named_by(port));
    }
    for group in named {
        text += &world.describe_members(group);
    }
    text += &bed.trace(step.from, &step.packet, state)?;
    Ok(text)
}

/// The size of a random world.
pub const TASTE: Taste = Taste {
    networks: 3,
    filtered: 5,
    stateful: 6,
    stateless: 2,
};

/// The seeds of a run: as many worlds as asked for, from the seed that is printed.
pub fn seeds(n: u64) -> Result<Vec<u64>> {
    let seed = seed()?;
    println!("{n} worlds from VIFD_SEED={seed}");
    Ok((0..n).map(|k| seed + k).collect())
}

#[test]
fn without_a_firewall_everything_arrives_where_it_is_sent() -> Result<()> {
    let program = Path::new(env!("CARGO_BIN_EXE_vifd"));
    let mut random = Random::new(seed()?);
    let mut world = world(&mut random, TASTE);
    for port in world.ports.iter_mut().chain(&mut world.elsewhere) {
        port.security = false;
        port.groups.clear();
    }
    world.groups.clear();
    world.address_groups.clear();
    let bed = Bed::start(program, &world, Driver::Noop)?;
    bed.introduce()?;
    let mut scripts = Scripts::new();
    let scripts: Vec<Script> = (0..300)
        .map(|_| scripts.next(&mut random, &world))
        .collect();
    let mut reference = Reference::new(world, Driver::Noop.profile());
    let mut tally = Tally::default();
    run(&bed, &mut reference, &scripts, "no firewall", &mut tally)?;
    tally.print("no firewall");
    ensure!(tally.wrong.is_empty(), "{} mismatches", tally.wrong.len());
    Ok(())
}

fn agree(driver: Driver, n_worlds: u64, n_scripts: usize) -> Result<()> {
    let program = Path::new(env!("CARGO_BIN_EXE_vifd"));
    let mut tally = Tally::default();
    for seed in seeds(n_worlds)? {
        compare(program, driver, TASTE, seed, n_scripts, &mut tally)?;
    }
    let zones = driver.profile().zones;
    tally.print(&format!("{driver:?}, connections by {zones:?}"));
    ensure!(tally.wrong.is_empty(), "{} mismatches", tally.wrong.len());
    Ok(())
}

fn n_worlds() -> Result<u64> {
    setting("VIFD_WORLDS", if soak() { 60 } else { 9 })
}

#[test]
fn openflow_agrees() -> Result<()> {
    agree(Driver::OpenFlow, n_worlds()?, 500)
}

#[test]
fn nft_agrees() -> Result<()> {
    agree(Driver::Nft, n_worlds()?, 500)
}
