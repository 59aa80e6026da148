//! Fuzz targets on stable Rust: built with the coverage passes libFuzzer wants, run for a time each.
//!
//! What `cargo fuzz build -s none` does, without needing it installed.

use std::io::Write as _;
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
    let mut findings = Vec::new();
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
        let before = std::fs::metadata(log).map_or(0, |log| log.len());
        let good = cargo::watch(fuzzer, log, deadline)?;
        println!("    {name}: {}", if good { "clean" } else { "FAILED" });
        if !good {
            let bytes = std::fs::read(log)?;
            let from = usize::try_from(before).unwrap_or(usize::MAX);
            let text = String::from_utf8_lossy(bytes.get(from..).unwrap_or_default()).into_owned();
            findings.push(finding(&name, &text));
        }
    }
    if findings.is_empty() {
        return Ok(true);
    }
    // The end of the log is what is shown of a stage that failed.
    let mut log = std::fs::File::options().append(true).open(log)?;
    for finding in findings {
        writeln!(log, "{finding}")?;
    }
    Ok(false)
}

/// What a fuzzer's output says of its end: why, with which input, and how to see it again.
fn finding(target: &str, output: &str) -> String {
    let lines: Vec<&str> = output.lines().collect();
    let mut told = vec![format!("fuzz target {target} failed:")];
    for (at, line) in lines.iter().enumerate() {
        if line.contains(" panicked at ") {
            let message = lines.iter().skip(at).take(8).take_while(|line| {
                !line.starts_with("stack backtrace") && !line.starts_with("note:")
            });
            told.extend(message.map(|line| format!("  {line}")));
        } else if ["ERROR: ", "SUMMARY: ", "Base64: "]
            .iter()
            .any(|mark| line.contains(mark))
        {
            told.push(format!("  {line}"));
        }
    }
    let input = lines
        .iter()
        .find_map(|line| Some(line.split_once("Base64: ")?.1.trim()));
    told.push(match input {
        Some(input) => format!(
            "  again: base64 -d <<< '{input}' > input && target/fuzz/*/release/{target} input"
        ),
        None => "  no input was written: it ran out of time, or did not start".to_owned(),
    });
    told.join("\n")
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

#[cfg(test)]
mod tests {
    use super::finding;

    #[test]
    fn what_a_fuzzer_found_is_told_with_its_input() {
        let output = "\
#1204\tREDUCE cov: 448 ft: 1017
thread '<unnamed>' (77) panicked at nft/src/wire.rs:12:5:
assertion `left == right` failed
  left: 1
 right: 2
stack backtrace:
   0: somewhere
==77== ERROR: libFuzzer: deadly signal
SUMMARY: libFuzzer: deadly signal
artifact_prefix='target/fuzz-found/t/'; Test unit written to target/fuzz-found/t/crash-00
Base64: AAEC
";
        let told = finding("nft_rule", output);
        for part in [
            "fuzz target nft_rule failed:",
            "panicked at nft/src/wire.rs:12:5:\n  assertion `left == right` failed\n    left: 1\n   right: 2\n  ==77==",
            "ERROR: libFuzzer: deadly signal",
            "base64 -d <<< 'AAEC' > input && target/fuzz/*/release/nft_rule input",
        ] {
            assert!(told.contains(part), "{told}");
        }
        assert!(!told.contains("somewhere") && !told.contains("REDUCE"));
        assert!(finding("of_text", "#1 INITED").contains("ran out of time"));
    }
}
