//! Fuzz targets on stable Rust: built with the coverage passes libFuzzer wants, run for a time each.
//!
//! What `cargo fuzz build -s none` does, without needing it installed.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::cargo;

const COVERAGE: &str = "--cfg fuzzing -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Ccodegen-units=1 -Cdebug-assertions";

/// Builds every target and runs each for `each`. Whether none found anything.
pub fn run(each: Duration, log: &std::path::Path, deadline: Instant) -> Result<bool> {
    let manifest = cargo::root().join("fuzz/Cargo.toml");
    let target = cargo::target_dir().join("fuzz");
    let mut build = cargo::command(&["build", "--release", "--bins", "--manifest-path"]);
    // A target triple keeps the flags away from build scripts and proc macros.
    build
        .arg(&manifest)
        .arg("--target-dir")
        .arg(&target)
        .args(["--target", &host()?]);
    build.env("RUSTFLAGS", COVERAGE);
    if !cargo::watch(build, log, deadline)? {
        return Ok(false);
    }
    let names = targets(&manifest)?;
    if names.is_empty() {
        bail!("no fuzz target in {}", manifest.display());
    }
    println!("    {} targets, {} s each", names.len(), each.as_secs());
    let mut clean = true;
    for name in names {
        let corpus = cargo::root().join("fuzz/corpus").join(&name);
        let found = cargo::target_dir().join("fuzz-found").join(&name);
        let grown = cargo::target_dir().join("fuzz-grown").join(&name);
        std::fs::create_dir_all(&found)?;
        std::fs::create_dir_all(&grown)?;
        let program: PathBuf = target.join(host()?).join("release").join(&name);
        let mut fuzzer = Command::new(program);
        fuzzer
            .arg(format!("-max_total_time={}", each.as_secs()))
            .arg(format!("-artifact_prefix={}/", found.display()))
            .args([
                "-rss_limit_mb=2048",
                "-timeout=10",
                "-print_final_stats=0",
                "-seed=1",
            ])
            .arg(&grown);
        if corpus.is_dir() {
            fuzzer.arg(&corpus);
        }
        let good = cargo::watch(fuzzer, log, deadline)?;
        println!("    {name}: {}", if good { "clean" } else { "FAILED" });
        clean &= good;
    }
    Ok(clean)
}

fn targets(manifest: &std::path::Path) -> Result<Vec<String>> {
    let output = cargo::command(&[
        "metadata",
        "--no-deps",
        "--format-version=1",
        "--manifest-path",
    ])
    .arg(manifest)
    .output()?;
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    let mut names: Vec<String> = metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|p| p["targets"].as_array().cloned().unwrap_or_default())
        .filter(|t| t["kind"][0] == "bin")
        .filter_map(|t| t["name"].as_str().map(str::to_owned))
        .collect();
    names.sort_unstable();
    Ok(names)
}

fn host() -> Result<String> {
    let output = Command::new("rustc")
        .arg("-vV")
        .output()
        .context("start rustc")?;
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .context("`rustc -vV` names no host")
}
