//! What the command's tests share: one directory, one configuration, and the command run in it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take on a loaded machine.
pub const LIMIT: Duration = Duration::from_secs(30);

/// A directory with a configuration whose paths all lie in it.
pub struct Bed {
    pub dir: tempfile::TempDir,
    config: PathBuf,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

#[allow(dead_code, reason = "each test file uses its part")]
impl Bed {
    /// Without a switch, without metrics. `more` is added to the configuration.
    pub fn new(more: &str) -> Bed {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().display();
        let text = format!(
            "[DEFAULT]\nhost = hv1\n[ovs]\novsdb_connection = unix:{at}/none.sock\novs_rundir = {at}\n\
             [database]\nconnection = sqlite:///{at}/vifd.db\n\
             [vifd]\nstate_dir = {at}/state\nrun_dir = {at}/run\nmetrics_listen =\n{more}\n"
        );
        let config = dir.path().join("vifd.conf");
        std::fs::write(&config, text).unwrap();
        Bed { dir, config }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn config(&self) -> &Path {
        &self.config
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vifd"));
        command.args(args).arg("--config").arg(&self.config);
        command
    }

    /// `vifd ARGS --config FILE`
    pub fn vifd(&self, args: &[&str]) -> Ended {
        ended(self.command(args).output().unwrap())
    }

    /// The same, and it must succeed.
    pub fn good(&self, args: &[&str]) -> String {
        let ended = self.vifd(args);
        assert_eq!(ended.code, 0, "{args:?}: {ended:?}");
        ended.out
    }

    /// The same as JSON.
    pub fn json(&self, args: &[&str]) -> serde_json::Value {
        let out = self.good(&[args, &["--json"]].concat());
        serde_json::from_str(&out).unwrap_or_else(|e| panic!("{args:?}: {e}: {out}"))
    }

    /// `vifd run`, once its admin socket answers.
    pub fn agent(&self) -> Running {
        let mut child = self
            .command(&["run"])
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let log = child.stderr.take().unwrap();
        let (sender, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(log).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut running = Running {
            child,
            lines,
            log: String::new(),
        };
        let until = Instant::now() + LIMIT;
        while self.vifd(&["status"]).code != 0 {
            let gone = running.child.try_wait().unwrap();
            assert!(
                gone.is_none() && Instant::now() < until,
                "no agent: {gone:?}\n{}",
                running.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        running
    }
}

pub fn ended(output: Output) -> Ended {
    Ended {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// An agent; it dies with this value.
pub struct Running {
    pub child: Child,
    lines: std::sync::mpsc::Receiver<String>,
    log: String,
}

#[allow(dead_code, reason = "each test file uses its part")]
impl Running {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.child.id()).unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal)
            .unwrap();
    }

    /// The exit code, once it has ended.
    pub fn wait(&mut self) -> Option<i32> {
        let until = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(
                Instant::now() < until,
                "the agent does not end\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Everything that was logged so far.
    pub fn log(&mut self) -> &str {
        while let Ok(line) = self.lines.try_recv() {
            self.log.push_str(&line);
            self.log.push('\n');
        }
        &self.log
    }

    /// Waits until the log has a line with that text.
    pub fn logged(&mut self, text: &str) -> String {
        let until = Instant::now() + LIMIT;
        loop {
            if let Some(line) = self.log().lines().find(|l| l.contains(text)) {
                return line.to_owned();
            }
            assert!(
                Instant::now() < until,
                "no {text:?} in the log:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
