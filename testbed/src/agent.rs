//! One `vifd run` on a hypervisor.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::hypervisor::{Hypervisor, PHYSICAL_NETWORK};
use crate::process::{Daemon, output, run};
use crate::wait::wait_until;

/// What differs between agents; the rest follows from the hypervisor.
#[derive(Clone, Debug)]
pub struct AgentSettings {
    /// The `vifd` program.
    pub program: PathBuf,
    /// `[database] connection`.
    pub database: String,
    /// Lines added under `[SECTION]`: (section, line).
    pub extra: Vec<(&'static str, String)>,
}

impl AgentSettings {
    /// Settings for a program and a database, nothing added.
    pub fn new(program: &Path, database: &str) -> Self {
        AgentSettings {
            program: program.to_owned(),
            database: database.to_owned(),
            extra: Vec::new(),
        }
    }

    /// Adds a line to a section.
    pub fn with(mut self, section: &'static str, line: impl Into<String>) -> Self {
        self.extra.push((section, line.into()));
        self
    }
}

/// An agent: its configuration file, its process, its admin socket. Dropping it kills it.
#[derive(Debug)]
pub struct Agent {
    program: PathBuf,
    config: PathBuf,
    dir: PathBuf,
    namespace: std::sync::Arc<crate::Namespace>,
    daemon: Option<Daemon>,
}

impl Agent {
    /// Writes the configuration; starts nothing.
    pub fn configure(hypervisor: &Hypervisor, settings: &AgentSettings) -> Result<Self> {
        let dir = hypervisor.switch.dir().join("vifd");
        std::fs::create_dir_all(&dir)?;
        let config = dir.join("vifd.conf");
        std::fs::write(&config, configuration(hypervisor, settings, &dir))
            .with_context(|| format!("write {}", config.display()))?;
        Ok(Agent {
            program: settings.program.clone(),
            config,
            dir,
            namespace: hypervisor.namespace().clone(),
            daemon: None,
        })
    }

    /// Writes the configuration and starts the agent.
    pub fn start(hypervisor: &Hypervisor, settings: &AgentSettings) -> Result<Self> {
        let mut agent = Agent::configure(hypervisor, settings)?;
        agent.run()?;
        Ok(agent)
    }

    /// Starts the process.
    pub fn run(&mut self) -> Result<()> {
        let program = self.program.clone();
        let argv = [
            program.as_os_str(),
            "run".as_ref(),
            "--config".as_ref(),
            self.config.as_os_str(),
        ];
        let log = self.dir.join("vifd.log");
        self.daemon = Some(Daemon::start(Some(&self.namespace), &argv, &[], &log)?);
        Ok(())
    }

    /// Waits until the admin socket answers.
    pub fn wait_ready(&mut self, limit: Duration) -> Result<()> {
        wait_until("the agent answers `vifd status`", limit, || {
            self.daemon()?.check_running()?;
            Ok(self.command_output(&["status"])?.then_some(()))
        })
    }

    /// Waits until the agent has nothing to do: all its parts are there, no cell is pending or failed.
    pub fn wait_settled(&mut self, limit: Duration) -> Result<()> {
        let mut last = serde_json::Value::Null;
        let done = wait_until("the agent has settled", limit, || {
            self.check_running()?;
            if let Ok(status) = self.json(&["status"]) {
                last = status;
            }
            let cells = |state: &str| last["cells"][state].as_u64();
            let parts = last["parts"].as_array();
            let all_up =
                parts.is_some_and(|p| !p.is_empty() && p.iter().all(|part| part["up"] == true));
            let quiet = cells("pending") == Some(0) && cells("failed") == Some(0);
            Ok((all_up && quiet && cells("settled") > Some(0)).then_some(()))
        });
        done.with_context(|| format!("{last:#}\n{}", self.log()))
    }

    /// Whether it was ever started.
    pub fn was_started(&self) -> bool {
        self.daemon.is_some()
    }

    fn command_output(&self, args: &[&str]) -> Result<bool> {
        Ok(output(Some(&self.namespace), &self.argv(args), &[], "")?
            .status
            .success())
    }

    fn argv(&self, args: &[&str]) -> Vec<String> {
        let mut argv = vec![self.program.to_string_lossy().into_owned()];
        argv.extend(args.iter().map(|&a| a.to_owned()));
        argv.extend([
            "--config".to_owned(),
            self.config.to_string_lossy().into_owned(),
        ]);
        argv
    }

    /// `vifd ARGS --config FILE`; its standard output.
    pub fn command(&self, args: &[&str]) -> Result<String> {
        run(Some(&self.namespace), &self.argv(args), &[], "")
    }

    /// `vifd ARGS --config FILE`, whatever its status: standard output and standard error.
    pub fn try_command(&self, args: &[&str]) -> Result<(ExitStatus, String, String)> {
        let output = output(Some(&self.namespace), &self.argv(args), &[], "")?;
        Ok((
            output.status,
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        ))
    }

    /// `vifd ARGS --json --config FILE`, parsed.
    pub fn json(&self, args: &[&str]) -> Result<serde_json::Value> {
        let mut args = args.to_vec();
        args.push("--json");
        let text = self.command(&args)?;
        serde_json::from_str(&text).with_context(|| format!("vifd {args:?} printed {text:?}"))
    }

    /// SIGKILL.
    pub fn kill(&mut self) -> Result<()> {
        self.daemon()?.kill()
    }

    /// SIGTERM, and waits for the end.
    pub fn terminate(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.daemon()?.terminate(limit)
    }

    /// Fails, with the end of its log, if it is not running.
    pub fn check_running(&mut self) -> Result<()> {
        self.daemon()?.check_running()
    }

    /// The process, started or ended.
    pub fn daemon(&mut self) -> Result<&mut Daemon> {
        self.daemon.as_mut().context("the agent was not started")
    }

    /// The configuration file.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// The last lines that it logged.
    pub fn log_tail(&self, n_lines: usize) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(n_lines)..].join("\n")
    }

    /// Everything it logged, all runs.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("vifd.log")).unwrap_or_default()
    }
}

fn configuration(hypervisor: &Hypervisor, settings: &AgentSettings, dir: &Path) -> String {
    let switch = &hypervisor.switch;
    let mut sections: Vec<(&str, Vec<String>)> = vec![
        ("DEFAULT", vec![format!("host = {}", hypervisor.name())]),
        (
            "ovs",
            vec![
                format!("bridge_mappings = {PHYSICAL_NETWORK}:br-ex"),
                format!("datapath_type = {}", switch.datapath().name()),
                format!("local_ip = {}", hypervisor.tunnel_ip()),
                format!("ovsdb_connection = {}", switch.ovsdb_address()),
                format!("ovs_rundir = {}", switch.dir().display()),
            ],
        ),
        ("agent", vec!["tunnel_types = vxlan,gre".to_owned()]),
        (
            "database",
            vec![format!("connection = {}", settings.database)],
        ),
        (
            "vifd",
            vec![
                format!("state_dir = {}", dir.display()),
                format!("run_dir = {}", dir.display()),
                "metrics_listen =".to_owned(),
            ],
        ),
    ];
    for (section, line) in &settings.extra {
        let key = |l: &str| l.split('=').next().unwrap_or("").trim().to_owned();
        match sections.iter_mut().find(|(name, _)| name == section) {
            Some((_, lines)) => {
                lines.retain(|l| key(l) != key(line));
                lines.push(line.clone());
            }
            None => sections.push((section, vec![line.clone()])),
        }
    }
    let mut text = String::new();
    for (name, lines) in sections {
        let _ = writeln!(text, "[{name}]\n{}\n", lines.join("\n"));
    }
    text
}
