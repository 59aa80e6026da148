//! A private Open vSwitch for tests: own directory, own database, dummy datapath, no privileges
//! beyond running the programs.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::run::run;

/// ovsdb-server and ovs-vswitchd with one bridge `br0`; both end with it.
pub struct Ovs {
    dir: tempfile::TempDir,
    daemons: Vec<Child>,
}

impl Drop for Ovs {
    fn drop(&mut self) {
        for daemon in self.daemons.iter_mut().rev() {
            // A daemon that is gone already needs no killing.
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

/// Where the distribution or a source build keeps the schema.
const SCHEMAS: [&str; 2] = [
    "/usr/share/openvswitch/vswitch.ovsschema",
    "/usr/local/share/openvswitch/vswitch.ovsschema",
];

impl Ovs {
    pub fn start() -> Self {
        let schema = SCHEMAS.iter().find(|path| Path::new(path).exists());
        let schema = schema.expect("no vswitch.ovsschema: install the package openvswitch-switch");
        let mut ovs = Self {
            dir: tempfile::tempdir().unwrap(),
            daemons: Vec::new(),
        };
        let db = ovs.path("conf.db");
        run(Command::new("ovsdb-tool")
            .arg("create")
            .arg(&db)
            .arg(schema));
        let socket = ovs.path("db.sock");
        let server = ovs
            .command("ovsdb-server")
            .arg(&db)
            .arg(format!("--remote=punix:{}", socket.display()))
            .arg(format!("--unixctl={}", ovs.path("db.ctl").display()))
            .spawn();
        ovs.daemons
            .push(server.expect("ovsdb-server: install openvswitch-switch"));
        wait_for(&socket);
        let switch = ovs
            .command("ovs-vswitchd")
            .arg(format!("unix:{}", socket.display()))
            .arg(format!("--unixctl={}", ovs.path("vswitchd.ctl").display()))
            .arg("--enable-dummy")
            .arg("--disable-system")
            .spawn();
        ovs.daemons
            .push(switch.expect("ovs-vswitchd: install openvswitch-switch"));
        run(ovs
            .command("ovs-vsctl")
            .arg(format!("--db=unix:{}", socket.display()))
            .args([
                "--timeout=30",
                "add-br",
                "br0",
                "--",
                "set",
                "bridge",
                "br0",
            ])
            .args(["datapath_type=dummy", "fail_mode=secure"]));
        wait_for(&ovs.management());
        ovs
    }

    /// A program with this instance's run directory, quiet.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("OVS_RUNDIR", self.dir.path())
            .env("OVS_LOGDIR", self.dir.path())
            .env("OVS_DBDIR", self.dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The OpenFlow socket of `br0`.
    pub fn management(&self) -> PathBuf {
        self.path("br0.mgmt")
    }
}

fn wait_for(path: &Path) {
    let start = Instant::now();
    while !path.exists() {
        let waited = start.elapsed();
        assert!(
            waited < Duration::from_secs(30),
            "{} does not appear",
            path.display()
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}
