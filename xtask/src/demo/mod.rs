//! `cargo xtask demo`: the whole thing on one machine, shown and counted.

mod story;
mod table;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::{cargo, packages, require_root};

/// Prints progress lines with the time since the start.
pub struct Progress {
    start: Instant,
}

impl Progress {
    fn new() -> Self {
        Progress {
            start: Instant::now(),
        }
    }

    /// One line.
    pub fn say(&self, text: &str) {
        println!("[{:5.1} s] {text}", self.start.elapsed().as_secs_f64());
    }

    /// Seconds since the start.
    pub fn seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }
}

/// Installs, builds, shows, counts, cleans up.
pub fn demo() -> Result<()> {
    require_root()?;
    packages::ensure(&[packages::TESTBED, packages::BUILD])?;
    let program = build()?;
    testbed::on_interrupt(|| {
        eprintln!("\nstopped: processes, namespaces, bridges and files of the demo are gone");
    });
    let progress = Progress::new();
    let result = story::tell(&program, &progress);
    match &result {
        Ok(()) => progress.say("everything is removed again"),
        Err(_) => progress.say("failed; everything is removed again"),
    }
    result
}

fn build() -> Result<PathBuf> {
    let start = Instant::now();
    println!("building vifd (release)");
    let found = cargo::executables(&["build", "--release", "-p", "vifd", "--bin", "vifd"])?;
    let path = found
        .into_iter()
        .find(|(name, _)| name == "vifd")
        .map(|(_, path)| path)
        .context("cargo built no program `vifd`")?;
    if !path.exists() {
        bail!("{} is not there after the build", path.display());
    }
    println!("built in {:.1} s\n", start.elapsed().as_secs_f64());
    Ok(path)
}
