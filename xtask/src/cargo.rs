//! Runs cargo (or another program) under a time limit, its output into a log and its summary lines to the screen.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// The root of the workspace.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the workspace")
}

/// Where cargo puts what it builds.
pub fn target_dir() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// The cargo that runs this.
pub fn program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// A cargo command in the workspace. `VECTORS_DIR` is for stage `vectors` alone: everywhere else the vectors kept in
/// the crates run.
pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(program());
    command
        .args(args)
        .current_dir(root())
        .env_remove("VECTORS_DIR");
    command
}

/// Builds with `args` and returns the executables of which cargo says it built them: (target name, path).
pub fn executables(args: &[&str]) -> Result<Vec<(String, PathBuf)>> {
    let mut full = args.to_vec();
    full.push("--message-format=json-render-diagnostics");
    let output = command(&full)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("start cargo")?;
    if !output.status.success() {
        bail!("cargo {} failed", args.join(" "));
    }
    let mut found = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(message) = serde_json::from_str::<serde_json::Value>(line) else {
            continue;
        };
        if let (Some(name), Some(path)) = (
            message["target"]["name"].as_str(),
            message["executable"].as_str(),
        ) {
            found.push((name.to_owned(), PathBuf::from(path)));
        }
    }
    Ok(found)
}

/// The process groups of the commands under [`watch`].
static GROUPS: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

fn groups() -> MutexGuard<'static, BTreeSet<i32>> {
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn stop(group: i32) {
    if let Some(group) = rustix::process::Pid::from_raw(group) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
}

/// Kills the commands under [`watch`] with everything they started.
pub fn stop_current() {
    groups().iter().copied().for_each(stop);
}

/// Runs a command to its end, or kills its process group when `deadline` passes. Everything goes to `log`; lines that
/// tell a reader how it went also to the screen. Whether it succeeded; if not, the last line of `log` says how it ended.
pub fn watch(mut command: Command, log: &Path, deadline: Instant) -> Result<bool> {
    let name = command.get_program().to_string_lossy().into_owned();
    let args: Vec<&OsStr> = command.get_args().collect();
    let line = args
        .iter()
        .map(|a| a.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ");
    let file = File::options().create(true).append(true).open(log)?;
    let file = Arc::new(Mutex::new(file));
    writeln!(file.lock().expect("not poisoned"), "$ {name} {line}")?;
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let mut child = command.spawn().with_context(|| format!("start {name}"))?;
    let readers = [
        follow(child.stdout.take().expect("piped"), &file),
        follow(child.stderr.take().expect("piped"), &file),
    ];
    let group = child.id().cast_signed();
    groups().insert(group);
    let failure = loop {
        if let Some(status) = child.try_wait()? {
            break (!status.success()).then(|| status.to_string());
        }
        if Instant::now() > deadline {
            println!("    time is up: stopping `{name} {line}`");
            stop(group);
            child.wait()?;
            break Some("time is up: stopped".to_owned());
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    groups().remove(&group);
    for reader in readers {
        let _ = reader.join();
    }
    if let Some(how) = &failure {
        writeln!(file.lock().expect("not poisoned"), "{how}")?;
    }
    Ok(failure.is_none())
}

fn follow(
    stream: impl Read + Send + 'static,
    log: &Arc<Mutex<File>>,
) -> std::thread::JoinHandle<()> {
    let log = log.clone();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut bytes = Vec::new();
        while reader.read_until(b'\n', &mut bytes).is_ok_and(|n| n > 0) {
            let line = String::from_utf8_lossy(&bytes).into_owned();
            let line = line.trim_end();
            if let Ok(mut log) = log.lock() {
                let _ = writeln!(log, "{line}");
            }
            if tells(line) {
                println!("    {}", line.trim_start());
            }
            bytes.clear();
        }
    })
}

/// Whether a reader wants to see this line of a cargo runner, of the guest or of a fuzzer.
fn tells(line: &str) -> bool {
    let text = line.trim_start();
    [
        "test result:",
        "Running ",
        "Doc-tests ",
        "error",
        "warning: unused",
        "Done ",
        "guest:",
        "bench:",
    ]
    .iter()
    .any(|start| text.starts_with(start))
        || ["FAILED", " mismatches"]
            .iter()
            .any(|end| text.ends_with(end))
}
