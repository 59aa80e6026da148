//! Child processes that never outlive this one.
//!
//! All are forked by one thread that lives as long as the process, because the parent death signal follows the
//! *thread* that forked. Each is the leader of its own process group, so Ctrl-C at a terminal reaches only this
//! process, which then takes them down in order.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

use crate::namespace::Namespace;

type Job = (Command, Sender<std::io::Result<Child>>);

fn running() -> &'static Mutex<BTreeSet<u32>> {
    static RUNNING: OnceLock<Mutex<BTreeSet<u32>>> = OnceLock::new();
    RUNNING.get_or_init(Mutex::default)
}

fn spawn(mut command: Command, namespace: Option<&Arc<Namespace>>) -> std::io::Result<Child> {
    static SPAWNER: OnceLock<Sender<Job>> = OnceLock::new();
    let inside: Option<OwnedFd> = namespace
        .map(|n| n.as_fd().try_clone_to_owned())
        .transpose()?;
    command.process_group(0);
    // SAFETY: between fork and exec only two system calls are made; nothing allocates or locks.
    unsafe {
        command.pre_exec(move || {
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            if let Some(fd) = &inside {
                rustix::thread::move_into_link_name_space(
                    fd.as_fd(),
                    Some(rustix::thread::LinkNameSpaceType::Network),
                )?;
            }
            Ok(())
        });
    }
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, jobs) = mpsc::channel::<Job>();
        std::thread::spawn(move || {
            for (mut command, reply) in jobs {
                let _ = reply.send(command.spawn());
            }
        });
        sender
    });
    let (reply, result) = mpsc::channel();
    spawner
        .send((command, reply))
        .expect("the spawner thread never ends");
    result.recv().expect("the spawner always answers")
}

/// Runs a command in `namespace` to its end, whatever its status. Standard input is `input`.
pub fn output<S: AsRef<OsStr>>(
    namespace: Option<&Arc<Namespace>>,
    argv: &[S],
    env: &[(&str, &OsStr)],
    input: &str,
) -> Result<Output> {
    let mut command = Command::new(&argv[0]);
    command.args(&argv[1..]).envs(env.iter().copied());
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let name = argv[0].as_ref().to_string_lossy().into_owned();
    let mut child =
        spawn(command, namespace).with_context(|| format!("start {name} (is it installed?)"))?;
    let mut stdin = child.stdin.take().expect("piped above");
    let input = input.to_owned();
    let writer = std::thread::spawn(move || {
        use std::io::Write;
        let _ = stdin.write_all(input.as_bytes());
    });
    let output = child
        .wait_with_output()
        .with_context(|| format!("wait for {name}"))?;
    let _ = writer.join();
    Ok(output)
}

/// Runs a command; its standard output if it succeeds, an error with both outputs if not.
pub fn run<S: AsRef<OsStr>>(
    namespace: Option<&Arc<Namespace>>,
    argv: &[S],
    env: &[(&str, &OsStr)],
    input: &str,
) -> Result<String> {
    let output = output(namespace, argv, env, input)?;
    if !output.status.success() {
        let line: Vec<_> = argv.iter().map(|a| a.as_ref().to_string_lossy()).collect();
        let mut line = line.join(" ");
        if let Some((end, _)) = line.char_indices().nth(300) {
            line.truncate(end);
            line.push('…');
        }
        bail!(
            "`{line}`: {}\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A process that runs until it is stopped. Dropping it kills it.
#[derive(Debug)]
pub struct Daemon {
    name: String,
    child: Child,
    log: PathBuf,
    ended: Option<ExitStatus>,
}

impl Daemon {
    /// Starts a process whose two outputs are appended to `log`.
    pub fn start<S: AsRef<OsStr>>(
        namespace: Option<&Arc<Namespace>>,
        argv: &[S],
        env: &[(&str, &OsStr)],
        log: &Path,
    ) -> Result<Self> {
        let name = Path::new(argv[0].as_ref())
            .file_name()
            .map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        let file = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("open {}", log.display()))?;
        let mut command = Command::new(&argv[0]);
        command.args(&argv[1..]).envs(env.iter().copied());
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file);
        let child = spawn(command, namespace)
            .with_context(|| format!("start {name} (is it installed?)"))?;
        running()
            .lock()
            .expect("no panic under this lock")
            .insert(child.id());
        Ok(Daemon {
            name,
            child,
            log: log.to_owned(),
            ended: None,
        })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote so far.
    pub fn log(&self) -> String {
        std::fs::read(&self.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Its last log lines, for error messages.
    pub fn log_tail(&self, n_lines: usize) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(n_lines)..].join("\n")
    }

    /// `Some` once it ended.
    pub fn status(&mut self) -> Result<Option<ExitStatus>> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait()?;
            if self.ended.is_some() {
                self.forget();
            }
        }
        Ok(self.ended)
    }

    /// Fails, with the end of its log, if it is not running.
    pub fn check_running(&mut self) -> Result<()> {
        match self.status()? {
            None => Ok(()),
            Some(status) => bail!("{} ended: {status}\n{}", self.name, self.log_tail(20)),
        }
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(&mut self) -> Result<()> {
        if self.status()?.is_none() {
            self.child.kill()?;
            self.ended = Some(self.child.wait()?);
            self.forget();
        }
        Ok(())
    }

    /// SIGTERM, and waits for at most `limit`; an error if it does not go.
    pub fn terminate(&mut self, limit: Duration) -> Result<ExitStatus> {
        if let Some(status) = self.status()? {
            return Ok(status);
        }
        if let Some(pid) = rustix::process::Pid::from_raw(self.child.id().cast_signed()) {
            rustix::process::kill_process(pid, Signal::TERM)?;
        }
        self.wait(limit)
    }

    /// Waits for at most `limit` until it ends by itself.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.status()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                bail!(
                    "{} did not end within {limit:?}\n{}",
                    self.name,
                    self.log_tail(20)
                );
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// The signal that ended it, if one did.
    pub fn end_signal(&self) -> Option<i32> {
        self.ended.and_then(|s| s.signal())
    }

    fn forget(&self) {
        running()
            .lock()
            .expect("no panic under this lock")
            .remove(&self.child.id());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// SIGKILL to every daemon that is running: for the signal handler, which cannot run destructors.
pub(crate) fn kill_all() {
    let pids = match running().lock() {
        Ok(pids) => pids.clone(),
        Err(poisoned) => poisoned.into_inner().clone(),
    };
    for pid in pids {
        if let Some(pid) = rustix::process::Pid::from_raw(pid.cast_signed()) {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
    }
}
