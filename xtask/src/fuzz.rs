//! Fuzz targets on stable Rust: built with the coverage passes libFuzzer wants, run for a time each.
//!
//! What `cargo fuzz build -s none` does, without needing it installed.

mod finding;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::cargo;
use finding::Finding;

const COVERAGE: &str = "--cfg fuzzing -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Ccodegen-units=1 -Cdebug-assertions";

/// What the fuzzers' random choices begin with. Which inputs follow depends on time as well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seed {
    /// The same in each run.
    Fixed,
    /// Another one in each run; the log names it.
    Random,
}

/// Limits of one input: both are told by libFuzzer as failures.
const LIMITS: [&str; 2] = ["-rss_limit_mb=2048", "-timeout=10"];

/// Builds every target and runs each for `each`. Whether none found anything.
///
/// What a fuzzer prints as it goes is in a log of its own beside `log`; `log` ends with what was found.
pub fn run(each: Duration, seed: Seed, log: &Path, deadline: Instant) -> Result<bool> {
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
    let programs = target.join(host()?).join("release");
    let mut told = String::new();
    for name in &names {
        let own = log.with_file_name(format!("fuzz-{name}.log"));
        std::fs::write(&own, "")?;
        let good = fuzz(&programs.join(name), name, (each, seed), &own, deadline)?;
        println!("    {name}: {}", if good { "clean" } else { "FAILED" });
        if !good {
            told.push_str(&tell(&programs.join(name), name, &own, deadline)?);
        }
    }
    let mut log = std::fs::File::options().append(true).open(log)?;
    log.write_all(told.as_bytes())?;
    Ok(told.is_empty())
}

/// Runs one target for a time, with the words of its protocol.
fn fuzz(
    program: &Path,
    name: &str,
    (each, seed): (Duration, Seed),
    log: &Path,
    deadline: Instant,
) -> Result<bool> {
    let corpus = cargo::root().join("fuzz/corpus").join(name);
    let found = cargo::target_dir().join("fuzz-found").join(name);
    let grown = cargo::target_dir().join("fuzz-grown").join(name);
    std::fs::create_dir_all(&found)?;
    std::fs::create_dir_all(&grown)?;
    let mut fuzzer = Command::new(program);
    fuzzer
        .arg(format!("-max_total_time={}", each.as_secs()))
        .arg(format!("-artifact_prefix={}/", found.display()))
        .args(LIMITS)
        .arg("-print_final_stats=0")
        .arg(match seed {
            Seed::Fixed => "-seed=1",
            Seed::Random => "-seed=0",
        })
        .arg(&grown);
    if corpus.is_dir() {
        fuzzer.arg(&corpus);
    }
    let protocol = name.split('_').next().unwrap_or(name);
    let words = cargo::root().join(format!("fuzz/dictionaries/{protocol}.dict"));
    if words.is_file() {
        fuzzer.arg(format!("-dict={}", words.display()));
    }
    cargo::watch(fuzzer, log, deadline)
}

/// What a failed target found, and whether the input alone does it again: what it does not, the machine may have done.
fn tell(program: &Path, name: &str, log: &Path, deadline: Instant) -> Result<String> {
    let output = String::from_utf8_lossy(&std::fs::read(log)?).into_owned();
    let finding = Finding::parse(&output);
    let mut told = format!(
        "\n{name}: FAILED; all of its output is in {}\n",
        log.display()
    );
    for line in &finding.reason {
        writeln!(told, "    {line}")?;
    }
    let Some(input) = finding.input(|file| std::fs::read(file).ok()) else {
        told.push_str("    it left no input; again: cargo xtask test --stage fuzz\n");
        return Ok(told);
    };
    if let Some(file) = &finding.file {
        let mut alone = Command::new(program);
        alone.args(LIMITS).arg(file);
        let start = Instant::now();
        let passed = cargo::watch(alone, log, deadline)?;
        let result = if passed { "passes" } else { "fails" };
        let took = start.elapsed().as_secs_f64();
        writeln!(
            told,
            "    alone it {result}, in {took:.2} s: {}",
            file.display()
        )?;
    }
    writeln!(told, "    base64: {input}")?;
    writeln!(told, "    again:  {}", finding::command(name, &input))?;
    Ok(told)
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
