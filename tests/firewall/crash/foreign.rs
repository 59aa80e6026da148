//! Others flush, delete and edit the tables of the packet filter, under the prober.
//!
//! Where the tables belong to the agent nothing comes of it. Elsewhere they are closed as soon as the change is noticed
//! and mended; what passed meanwhile passed in the time that the agent reports.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{check, probes, program, states, under_probe, wait_for};
use crate::bed::{Bed, Driver, Picture};

/// What somebody else may try.
const ATTEMPTS: &[&str] = &[
    "flush ruleset",
    "delete table bridge vifd",
    "delete table inet vifd",
    "flush chain bridge vifd l2_prerouting",
    "flush chain inet vifd to4",
    "flush set inet vifd pass",
    "insert rule bridge vifd l2_postrouting accept",
    "insert rule inet vifd to4 accept",
];
const METRICS: &str = "127.0.0.1:9477";

/// Runs `nft` on the host, whatever comes of it.
fn nft(bed: &Bed, line: &str) -> Result<()> {
    let words: Vec<&str> = ["nft"].into_iter().chain(line.split(' ')).collect();
    let host = bed.site.hosts[0].hypervisor.namespace();
    let _ = testbed::run(Some(host), &words, &[], "");
    Ok(())
}

fn is_owned(bed: &Bed) -> Result<bool> {
    let list = ["nft", "list", "table", "inet", "vifd"];
    let text = testbed::run(
        Some(bed.site.hosts[0].hypervisor.namespace()),
        &list,
        &[],
        "",
    )?;
    Ok(text.contains("owner"))
}

fn start(options: &[&str]) -> Result<Bed> {
    let metrics = format!("metrics_listen = {METRICS}");
    let options: Vec<&str> = options.iter().copied().chain([&*metrics]).collect();
    let bed = Bed::start_with(program(), &states::all()[0].world, Driver::Nft, &options)?;
    bed.introduce()?;
    Ok(bed)
}

/// The value of a metric.
fn metric(bed: &Bed, name: &str) -> Result<f64> {
    let text = bed.site.hosts[0].hypervisor.namespace().run(|| {
        let mut stream = TcpStream::connect(METRICS)?;
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    })?;
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    let line = lines.find(|(found, _)| *found == name);
    let (_, value) = line.with_context(|| format!("no metric {name} in {text}"))?;
    Ok(value.parse()?)
}

fn try_everything(bed: &Bed) -> Result<()> {
    for attempt in ATTEMPTS {
        nft(bed, attempt)?;
        std::thread::sleep(Duration::from_millis(60));
    }
    Ok(())
}

#[test]
fn nft_tables_of_ones_own_stand_whatever_others_do() -> Result<()> {
    let mut bed = start(&[])?;
    let states = states::all();
    let probes = probes::between(bed.driver, &states[0], &states[0]);
    let wanted = Picture::of(&bed)?;
    let ((), report) = under_probe(&mut bed, &probes, |bed| {
        try_everything(bed)?;
        ensure!(
            metric(bed, "vifd_nft_foreign_changes_total")? == 0.0,
            "nothing was changed"
        );
        // The tables outlive the agent, and the next one makes them its own.
        bed.site.hosts[0].agent.kill()?;
        std::thread::sleep(Duration::from_millis(200));
        bed.site.hosts[0].agent.run()?;
        testbed::wait_until("the tables are owned", testbed::PATIENCE, || {
            Ok(is_owned(bed)?.then_some(()))
        })?;
        try_everything(bed)?;
        ensure!(
            metric(bed, "vifd_nft_foreign_changes_total")? == 0.0,
            "nothing was changed"
        );
        wait_for(bed, &wanted, "after foreign changes")
    })?;
    println!("foreign changes of tables of one's own: {report}");
    check(&report, "foreign changes of tables of one's own")
}

#[test]
fn nft_tables_that_are_not_owned_are_closed_and_mended_and_the_exposure_is_told() -> Result<()> {
    let mut bed = start(&["own_tables = false"])?;
    let states = states::all();
    let probes = probes::between(bed.driver, &states[0], &states[0]);
    let wanted = Picture::of(&bed)?;
    let mut leaked = 0;
    for attempt in ATTEMPTS {
        let exposed = metric(&bed, "vifd_nft_exposed_seconds_sum")?;
        let told = metric(&bed, "vifd_nft_exposed_seconds_count")?;
        let ((from, to), report) = under_probe(&mut bed, &probes, |bed| {
            std::thread::sleep(Duration::from_millis(50));
            let from = Instant::now();
            nft(bed, attempt)?;
            let to = Instant::now();
            wait_for(bed, &wanted, attempt)?;
            bed.settle()?;
            Ok((from, to))
        })?;
        let exposed = metric(&bed, "vifd_nft_exposed_seconds_sum")? - exposed;
        let told = metric(&bed, "vifd_nft_exposed_seconds_count")? - told;
        println!("{attempt}: exposed for {:.2} ms, {report}", exposed * 1e3);
        ensure!(
            told >= 1.0 && exposed > 0.0,
            "{attempt}: {told} exposures of {exposed} s are told"
        );
        // The command ends after the change; the agent notices the change and counts from there.
        let until = to + Duration::from_secs_f64(exposed) + NOTICE;
        for (at, packet) in &report.leaked {
            let at = report.start.context("the prober ran")? + *at;
            ensure!(
                from <= at && at <= until,
                "{attempt}: outside of the time that is told: {packet}"
            );
        }
        leaked += report.leaked.len();
        ensure!(report.n_forbidden > 0, "{attempt}: no packet was sent");
    }
    println!(
        "{leaked} forbidden packets arrived in {} exposures",
        ATTEMPTS.len()
    );
    // And it is as tight as before.
    bed.introduce()?;
    let ((), report) = under_probe(&mut bed, &probes, |_| {
        std::thread::sleep(Duration::from_millis(300));
        Ok(())
    })?;
    check(&report, "when everything was mended")
}

/// How long a notice may be under way to the agent on a loaded machine.
const NOTICE: Duration = Duration::from_millis(50);
