//! A private Open vSwitch: own database, own sockets, own daemons, in one network namespace.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::namespace::Namespace;
use crate::process::{Daemon, run};
use crate::wait::wait_until;

const SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";

/// Which datapath the bridges have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Datapath {
    /// Userspace; needs no kernel module.
    Netdev,
    /// `openvswitch.ko`.
    System,
}

impl Datapath {
    /// From `TESTBED_DATAPATH`; the userspace one if it is not set.
    pub fn from_environment() -> Result<Self> {
        match std::env::var("TESTBED_DATAPATH").as_deref() {
            Err(_) | Ok("netdev") => Ok(Datapath::Netdev),
            Ok("system") => Ok(Datapath::System),
            Ok(other) => bail!("TESTBED_DATAPATH is {other:?}; allowed: netdev, system"),
        }
    }

    /// As in `Bridge.datapath_type`.
    pub fn name(self) -> &'static str {
        match self {
            Datapath::Netdev => "netdev",
            Datapath::System => "system",
        }
    }
}

/// The two daemons and their directory.
#[derive(Debug)]
pub struct Switch {
    namespace: Arc<Namespace>,
    dir: PathBuf,
    datapath: Datapath,
    database: Option<Daemon>,
    vswitchd: Option<Daemon>,
}

impl Switch {
    /// Creates a database below `dir` and starts both daemons; returns when the switch answers.
    pub fn start(namespace: &Arc<Namespace>, dir: &Path, datapath: Datapath) -> Result<Self> {
        let mut switch = Switch {
            namespace: namespace.clone(),
            dir: dir.to_owned(),
            datapath,
            database: None,
            vswitchd: None,
        };
        if !Path::new(SCHEMA).exists() {
            bail!("{SCHEMA} is missing: install openvswitch-switch");
        }
        let db = switch.path("conf.db");
        run(None, &["ovsdb-tool", "create", &db, SCHEMA], &[], "")?;
        switch.start_database()?;
        switch.vsctl(&["--no-wait", "init"])?;
        switch.start_vswitchd()?;
        Ok(switch)
    }

    /// Directory of sockets (`db.sock`, `BRIDGE.mgmt`), database and logs: `OVS_RUNDIR`.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The datapath of its bridges.
    pub fn datapath(&self) -> Datapath {
        self.datapath
    }

    /// The OVSDB server's address, as `ovsdb_connection` wants it.
    pub fn ovsdb_address(&self) -> String {
        format!("unix:{}", self.path("db.sock"))
    }

    fn path(&self, file: &str) -> String {
        self.dir.join(file).to_string_lossy().into_owned()
    }

    /// Starts `ovsdb-server` on the existing database; returns when it answers.
    pub fn start_database(&mut self) -> Result<()> {
        let mut daemon = Daemon::start(
            Some(&self.namespace),
            &[
                "ovsdb-server".to_owned(),
                self.path("conf.db"),
                format!("--remote=p{}", self.ovsdb_address()),
                format!("--unixctl={}", self.path("ovsdb.ctl")),
                format!("--log-file={}", self.path("ovsdb-server.log")),
                "-vconsole:off".to_owned(),
                "-vsyslog:off".to_owned(),
            ],
            &self.env(),
            &self.dir.join("ovsdb-server.out"),
        )?;
        wait_until("ovsdb-server answers", Duration::from_secs(30), || {
            daemon.check_running()?;
            Ok(std::os::unix::net::UnixStream::connect(self.path("db.sock")).ok())
        })?;
        self.database = Some(daemon);
        Ok(())
    }

    /// Starts `ovs-vswitchd`; returns when it has applied the whole database.
    pub fn start_vswitchd(&mut self) -> Result<()> {
        self.spawn_vswitchd()?;
        self.wait_applied()
    }

    /// Starts `ovs-vswitchd` without waiting for anything.
    pub fn spawn_vswitchd(&mut self) -> Result<()> {
        let daemon = Daemon::start(
            Some(&self.namespace),
            &[
                "ovs-vswitchd".to_owned(),
                self.ovsdb_address(),
                format!("--unixctl={}", self.path("vswitchd.ctl")),
                format!("--log-file={}", self.path("ovs-vswitchd.log")),
                "-vconsole:off".to_owned(),
                "-vsyslog:off".to_owned(),
            ],
            &self.env(),
            &self.dir.join("ovs-vswitchd.out"),
        )?;
        self.vswitchd = Some(daemon);
        Ok(())
    }

    /// Waits until `ovs-vswitchd` has applied everything that is in the database now.
    pub fn wait_applied(&self) -> Result<()> {
        static ROUND: AtomicU32 = AtomicU32::new(0);
        let round = ROUND.fetch_add(1, Ordering::Relaxed);
        self.vsctl(&[
            "--timeout=60",
            "set",
            "Open_vSwitch",
            ".",
            &format!("external_ids:testbed-round={round}"),
        ])
        .map(drop)
    }

    /// SIGKILL to `ovs-vswitchd`.
    pub fn kill_vswitchd(&mut self) -> Result<()> {
        self.vswitchd
            .take()
            .context("ovs-vswitchd is not running")?
            .kill()
    }

    /// SIGKILL to `ovsdb-server`.
    pub fn kill_database(&mut self) -> Result<()> {
        self.database
            .take()
            .context("ovsdb-server is not running")?
            .kill()
    }

    /// `ovs-vsctl ARGS`.
    pub fn vsctl<S: AsRef<str>>(&self, args: &[S]) -> Result<String> {
        self.tool(
            "ovs-vsctl",
            &[format!("--db={}", self.ovsdb_address())],
            args,
            "",
        )
    }

    /// `ovs-ofctl ARGS`.
    pub fn ofctl<S: AsRef<str>>(&self, args: &[S]) -> Result<String> {
        self.tool("ovs-ofctl", &[], args, "")
    }

    /// `ovs-ofctl add-flows BRIDGE -` with the given lines.
    pub fn add_flows(&self, bridge: &str, flows: &str) -> Result<()> {
        let args = ["add-flows", &self.management(bridge), "-"];
        self.tool("ovs-ofctl", &[], &args, flows).map(drop)
    }

    /// The address of a bridge's management socket.
    pub fn management(&self, bridge: &str) -> String {
        format!("unix:{}", self.path(&format!("{bridge}.mgmt")))
    }

    /// `ovs-appctl ARGS`, to `ovs-vswitchd`.
    pub fn appctl<S: AsRef<str>>(&self, args: &[S]) -> Result<String> {
        self.tool(
            "ovs-appctl",
            &[format!("--target={}", self.path("vswitchd.ctl"))],
            args,
            "",
        )
    }

    fn env(&self) -> Vec<(&'static str, &OsStr)> {
        ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR"]
            .map(|name| (name, self.dir.as_os_str()))
            .to_vec()
    }

    fn tool<S: AsRef<str>>(
        &self,
        name: &str,
        first: &[String],
        args: &[S],
        input: &str,
    ) -> Result<String> {
        let mut argv = vec![name];
        argv.extend(first.iter().map(String::as_str));
        argv.extend(args.iter().map(AsRef::as_ref));
        run(Some(&self.namespace), &argv, &self.env(), input)
    }

    /// The ends of the daemons' logs, for error messages.
    pub fn logs(&self) -> String {
        let mut text = String::new();
        for file in ["ovs-vswitchd.log", "ovsdb-server.log"] {
            let log = std::fs::read_to_string(self.dir.join(file)).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            text += &format!("--- {file}\n");
            text += &lines[lines.len().saturating_sub(15)..].join("\n");
            text.push('\n');
        }
        text
    }
}
