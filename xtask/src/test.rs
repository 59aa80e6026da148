//! `cargo xtask test` and `soak`: runs the stages, times them, tells.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::stages::{BUILD, Run, SOAK_FACTOR, STAGES, Stage, log_file};
use crate::{cargo, packages, require_root};

/// How much is run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Length {
    /// What every change has to pass.
    Short,
    /// Everything.
    Full,
}

/// Runs all stages, or those named. Whether all passed within their budgets.
pub fn test(length: Length, names: &[String]) -> Result<bool> {
    for name in names {
        if !STAGES.iter().any(|stage| stage.name == name) {
            let known: Vec<&str> = STAGES.iter().map(|s| s.name).collect();
            bail!("no stage {name:?}; there are: {}", known.join(", "));
        }
    }
    require_root()?;
    testbed::on_interrupt(|| {
        cargo::stop_current();
        // Making a directory removes those of the runs that have just died.
        drop(testbed::Scratch::new());
        eprintln!("\nstopped; nothing is left behind");
    });
    let start = Instant::now();
    packages::ensure(&[packages::TESTBED, packages::BUILD, packages::TESTS])?;
    println!(
        "packages: all there, {:.1} s\n",
        start.elapsed().as_secs_f64()
    );

    let named = |stage: &Stage| names.iter().any(|n| n == stage.name);
    let builds = STAGES.iter().any(|stage| stage.built && named(stage));
    let mut rows = Vec::new();
    for stage in STAGES {
        if names.is_empty() || named(stage) || builds && stage.name == BUILD {
            rows.push(run_stage(stage, length)?);
        }
    }
    println!("\n{:<10} {:>8} {:>8}  result", "stage", "took", "budget");
    for row in &rows {
        println!(
            "{:<10} {:>6.1} s {:>6} s  {}",
            row.name,
            row.took.as_secs_f64(),
            row.budget,
            if row.passed { "passed" } else { "FAILED" }
        );
    }
    println!("{:<10} {:>6.1} s", "total", start.elapsed().as_secs_f64());
    Ok(rows.iter().all(|row| row.passed))
}

struct Row {
    name: &'static str,
    took: Duration,
    budget: u64,
    passed: bool,
}

fn run_stage(stage: &Stage, length: Length) -> Result<Row> {
    let budget = match length {
        Length::Short => stage.budget,
        Length::Full => stage.budget * SOAK_FACTOR,
    };
    println!("== {}: {} (at most {budget} s)", stage.name, stage.about);
    let log = log_file(stage.name)?;
    let start = Instant::now();
    let deadline = start + Duration::from_secs(budget);
    let result = (stage.run)(&Run {
        length,
        log: &log,
        deadline,
    });
    let took = start.elapsed();
    let passed = match result {
        Ok(passed) => passed && took.as_secs() <= budget,
        Err(error) => {
            println!("    error: {error:#}");
            false
        }
    };
    if !passed {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        println!("---- the end of {}", log.display());
        println!("{}", lines[lines.len().saturating_sub(150)..].join("\n"));
        println!("----");
    }
    println!(
        "== {}: {} in {:.1} s\n",
        stage.name,
        if passed { "passed" } else { "FAILED" },
        took.as_secs_f64()
    );
    Ok(Row {
        name: stage.name,
        took,
        budget,
        passed,
    })
}
