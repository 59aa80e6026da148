//! Groups, members, rules and ports change, and the agent is killed in between at seeded moments: no packet arrives that
//! is forbidden in both of two states, none is lost that is allowed in both, and each state ends as it does undisturbed.
//!
//! `VIFD_KILL_POINTS` is the number of kills (20), `VIFD_SEED` the seed, which is printed.

mod foreign;
mod probes;
mod states;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::bed::{Bed, Driver, Picture};
use crate::prober::{self, Probe, Report};
use crate::random::{Random, seed, setting};

use states::State;

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_vifd"))
}

/// Runs the prober while `during` does something to the bed's site.
fn under_probe<T>(
    bed: &mut Bed,
    probes: &[Probe],
    during: impl FnOnce(&mut Bed) -> Result<T>,
) -> Result<(T, Report)> {
    let stop = AtomicBool::new(false);
    let wires = bed.wires.clone();
    std::thread::scope(|scope| {
        let (opened, is_open) = std::sync::mpsc::channel();
        let (wires, stop_it) = (&wires, &stop);
        let prober = scope.spawn(move || prober::run(wires, probes, &opened, stop_it));
        // An error of the prober ends the wait, too, and is told below.
        let _ = is_open.recv();
        let done = during(bed);
        stop.store(true, Ordering::SeqCst);
        let report = prober
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok((done?, report))
    })
}

/// Waits until everything looks as it should.
fn wait_for(bed: &Bed, wanted: &Picture, when: &str) -> Result<()> {
    let deadline = Instant::now() + testbed::PATIENCE;
    loop {
        let now = Picture::of(bed)?;
        if now == *wanted {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!(
                "{when}: not as without a kill:\n{}",
                wanted.difference(&now)
            );
        }
        std::thread::sleep(Duration::from_millis(30));
    }
}

/// Makes a state of the one that is there; waits for nothing.
fn enter(bed: &mut Bed, state: &State) -> Result<()> {
    bed.tell(&state.world)?;
    let (out, in_) = state.plugs(&bed.plugged);
    if !out.is_empty() {
        bed.unplug(&out)?;
    }
    if !in_.is_empty() {
        bed.plug_no_wait(&in_)?;
    }
    Ok(())
}

/// Kills the agent after a pause, while another thread goes on.
fn kill_after<T>(
    bed: &mut Bed,
    pause: Duration,
    meanwhile: impl FnOnce(&mut Bed) -> Result<T>,
) -> Result<(T, Duration)> {
    let start = Instant::now();
    let pid = bed.site.hosts[0].agent.daemon()?.pid();
    let done = std::thread::scope(|scope| {
        let killer = scope.spawn(move || {
            std::thread::sleep(pause);
            let pid = i32::try_from(pid)
                .ok()
                .and_then(rustix::process::Pid::from_raw);
            rustix::process::kill_process(pid.context("a pid")?, rustix::process::Signal::KILL)?;
            Ok(start.elapsed())
        });
        let done = meanwhile(bed);
        let killed: Result<Duration> = killer
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok::<_, anyhow::Error>((done?, killed?))
    })?;
    bed.site.hosts[0].agent.kill()?;
    Ok(done)
}

/// What was under way when the agent was killed.
type Tally = BTreeMap<&'static str, usize>;

fn note(tally: &mut Tally, old: &State, new: &State) {
    for (what, is_part) in states::KINDS {
        *tally.entry(what).or_default() += usize::from(is_part(old, new));
    }
}

/// Undisturbed, once round: what each state looks like, and how long it takes.
fn pictures(
    bed: &mut Bed,
    states: &[State],
    total: &mut Report,
) -> Result<(Vec<Picture>, Duration)> {
    let start = Instant::now();
    let mut pictures = Vec::new();
    for n in 0..=states.len() {
        let (old, new) = (&states[n.saturating_sub(1)], &states[n % states.len()]);
        let probes = probes::between(bed.driver, old, new);
        let (picture, report) = under_probe(bed, &probes, |bed| {
            enter(bed, new)?;
            bed.settle()?;
            let plugged: Vec<usize> = new.plugged().into_iter().collect();
            bed.wait_active(&plugged)?;
            bed.settle()?;
            Picture::of(bed)
        })?;
        check(&report, &format!("undisturbed, to state {n}"))?;
        total.add(report);
        pictures.push(picture);
    }
    let back = pictures.pop().context("the first state again")?;
    ensure!(
        back == pictures[0],
        "the first state is another when it comes back:\n{}",
        pictures[0].difference(&back)
    );
    Ok((pictures, start.elapsed() / u32::try_from(states.len() + 1)?))
}

fn kill_points(driver: Driver) -> Result<()> {
    let n_points = setting("VIFD_KILL_POINTS", 20)?;
    let seed = seed()?;
    println!("{driver:?}: {n_points} kill points, VIFD_SEED={seed}");
    let mut random = Random::new(seed);
    let states = states::all();
    let mut bed = Bed::start(program(), &states[0].world, driver)?;
    bed.introduce()?;
    let mut total = Report::default();
    let (pictures, span) = pictures(&mut bed, &states, &mut total)?;
    println!(
        "{driver:?}: undisturbed, {span:.1?} for each of {} states: {total}",
        states.len()
    );

    let mut total = Report::default();
    let mut tally = Tally::new();
    let mut at = 0;
    for point in 0..n_points {
        let next = (at + 1 + random.below(states.len() - 1)) % states.len();
        // Most of the work is done at the beginning.
        let part = if random.chance(70) { span / 4 } else { span };
        let pause = part.mul_f64(random.below(1000) as f64 / 1000.0);
        let when = format!(
            "{driver:?}: kill point {point} of VIFD_SEED={seed}, from state {at} to {next}, after {pause:?}"
        );
        let (old, new) = (&states[at], &states[next]);
        note(&mut tally, old, new);
        let probes = probes::between(driver, old, new);
        let (story, report) = under_probe(&mut bed, &probes, |bed| {
            let start = Instant::now();
            let (entered, killed) = kill_after(bed, pause, |bed| {
                enter(bed, new)?;
                Ok(start.elapsed())
            })?;
            bed.site.hosts[0].agent.run()?;
            wait_for(bed, &pictures[next], &when)?;
            bed.site.hosts[0].wait_settled()?;
            Ok(format!(
                "told at {entered:.1?}, killed at {killed:.1?}, settled at {:.1?}",
                start.elapsed()
            ))
        })
        .with_context(|| when.clone())?;
        let when = format!("{when}: {story}");
        check(&report, &when).with_context(|| bed.site.hosts[0].agent.log_tail(80))?;
        total.add(report);
        wait_for(&bed, &pictures[next], &when)?;
        let audit = bed.site.hosts[0].agent.json(&["audit"])?;
        ensure!(
            audit["differences"] == 0,
            "{when}: {audit}\n{}",
            bed.site.hosts[0].agent.log_tail(80)
        );
        at = next;
    }
    println!("{driver:?}: {n_points} kill points: {total}");
    println!("{driver:?}: when the agent was killed: {tally:?}");
    // Fewer may miss some.
    if n_points >= 100 {
        ensure!(tally.values().all(|n| *n > 0), "never under way: {tally:?}");
    }
    Ok(())
}

fn check(report: &Report, when: &str) -> Result<()> {
    ensure!(
        report.n_forbidden > 0 && report.n_allowed > 0,
        "{when}: no packet was sent"
    );
    ensure!(
        report.leaked.is_empty() && report.lost.is_empty(),
        "{when}: forbidden packets arrived: {:#?}\nallowed packets were lost: {:#?}",
        first(&report.leaked),
        first(&report.lost)
    );
    Ok(())
}

fn first<T>(list: &[T]) -> &[T] {
    &list[..list.len().min(8)]
}

/// The switch's daemon dies and comes back, several times, while its agent lives.
fn switch_restarts() -> Result<()> {
    let states = states::all();
    let mut bed = Bed::start(program(), &states[0].world, Driver::OpenFlow)?;
    bed.introduce()?;
    let wanted = Picture::of(&bed)?;
    let probes = probes::between(bed.driver, &states[0], &states[0]);
    let rounds = 3;
    let ((), report) = under_probe(&mut bed, &probes, |bed| {
        for round in 0..rounds {
            bed.site.hosts[0].hypervisor.restart_vswitchd()?;
            wait_for(bed, &wanted, &format!("restart {round}"))?;
            bed.site.hosts[0].wait_settled()?;
        }
        Ok(())
    })?;
    println!(
        "{rounds} restarts of ovs-vswitchd: {} forbidden packets, {} arrived",
        report.n_forbidden,
        report.leaked.len()
    );
    ensure!(
        report.leaked.is_empty(),
        "forbidden packets arrived: {:#?}",
        first(&report.leaked)
    );
    // What is allowed passes again.
    bed.introduce()?;
    let ((), report) = under_probe(&mut bed, &probes, |_| {
        std::thread::sleep(Duration::from_millis(300));
        Ok(())
    })?;
    check(&report, "after the restarts")
}

#[test]
fn openflow_kill_points() -> Result<()> {
    kill_points(Driver::OpenFlow)
}

#[test]
fn openflow_switch_restarts() -> Result<()> {
    switch_restarts()
}

#[test]
fn nft_kill_points() -> Result<()> {
    kill_points(Driver::Nft)
}
