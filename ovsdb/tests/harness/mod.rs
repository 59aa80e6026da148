//! A private ovsdb-server per test, and a client of it.
#![allow(dead_code, reason = "every test program uses another part")]

pub mod pair;
pub mod proxy;

use ovsdb::net::{Client, Config, Events, Remote};
use ovsdb::session::Event;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Where the distribution puts the Open_vSwitch schema.
pub const VSWITCH_SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";

/// Runs a program to its end and returns what it printed.
pub fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program)
        .args(args)
        .output()
        .unwrap_or_else(|e| panic!("{program}: {e}; install openvswitch-switch"));
    assert!(
        output.status.success(),
        "{program} {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A running ovsdb-server; killed when dropped.
pub struct Server {
    pub dir: tempfile::TempDir,
    child: Option<Child>,
    args: Vec<String>,
}

impl Server {
    /// A server of an empty Open_vSwitch database.
    pub fn vswitch() -> Self {
        Self::with_schema(Path::new(VSWITCH_SCHEMA))
    }

    /// A server of an empty database with the given schema file.
    pub fn with_schema(schema: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let db = dir.path().join("conf.db");
        run(
            "ovsdb-tool",
            &["create", db.to_str().unwrap(), schema.to_str().unwrap()],
        );
        Self::start(dir, &["conf.db"], &[])
    }

    /// A server of an empty database with the given schema text.
    pub fn with_schema_text(schema: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("schema");
        std::fs::write(&file, schema).unwrap();
        let db = dir.path().join("conf.db");
        run(
            "ovsdb-tool",
            &["create", db.to_str().unwrap(), file.to_str().unwrap()],
        );
        Self::start(dir, &["conf.db"], &[])
    }

    /// A server of database files that lie in `dir`.
    pub fn start(dir: tempfile::TempDir, databases: &[&str], more: &[&str]) -> Self {
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        let mut args = vec![
            format!("--remote=punix:{}", path("db.sock")),
            format!("--unixctl={}", path("db.ctl")),
            format!("--log-file={}", path("db.log")),
            "--no-chdir".to_owned(),
        ];
        args.extend(more.iter().map(|s| (*s).to_owned()));
        args.extend(databases.iter().map(|name| path(name)));
        let mut server = Self {
            dir,
            child: None,
            args,
        };
        server.restart();
        server
    }

    /// Starts the server again after [`Self::kill`].
    pub fn restart(&mut self) {
        self.kill();
        let control = self.dir.path().join("db.ctl");
        for file in [&self.socket(), &control] {
            let _ = std::fs::remove_file(file);
        }
        let child = Command::new("ovsdb-server")
            .args(&self.args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("ovsdb-server: {e}; install openvswitch-switch"));
        self.child = Some(child);
        let began = Instant::now();
        let listens = |file: &Path| std::os::unix::net::UnixStream::connect(file).is_ok();
        while !listens(&self.socket()) || !listens(&control) {
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "ovsdb-server does not listen"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills the server.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("db.sock")
    }

    pub fn remote(&self) -> Remote {
        Remote::Unix(self.socket())
    }

    /// The address for ovsdb-client and ovs-vsctl.
    pub fn address(&self) -> String {
        format!("unix:{}", self.socket().display())
    }

    /// Runs ovs-vsctl without waiting for ovs-vswitchd.
    pub fn vsctl(&self, args: &[&str]) -> String {
        let db = format!("--db={}", self.address());
        let mut all = vec![db.as_str(), "--no-wait", "--timeout=60"];
        all.extend_from_slice(args);
        run("ovs-vsctl", &all)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A single-threaded runtime with an overall limit: no test can hang.
pub fn block_on<F: Future>(limit: Duration, future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        tokio::time::timeout(limit, future)
            .await
            .expect("test took too long")
    })
}

/// A connected client whose initial snapshot has been folded into the returned replica.
pub async fn connect(config: Config) -> (Client, Events, ovsdb::replica::Replica) {
    let mut replica = ovsdb::replica::Replica::new(config.session.indexes.clone());
    let (client, mut events) = Client::spawn(config).unwrap();
    snapshot(&mut events, &mut replica).await;
    (client, events, replica)
}

/// Folds events until the snapshot is complete.
pub async fn snapshot(events: &mut Events, replica: &mut ovsdb::replica::Replica) {
    loop {
        match events.next().await.expect("client ended") {
            Event::Update(changes) => replica.follow(&changes),
            Event::InitialSnapshotComplete => return,
            Event::Disconnected(reason) => panic!("disconnected: {reason}"),
            _ => {}
        }
    }
}

/// Folds everything that has arrived.
pub fn drain(events: &mut Events, replica: &mut ovsdb::replica::Replica) {
    while let Some(event) = events.try_next() {
        if let Event::Update(changes) = event {
            replica.follow(&changes);
        }
    }
}
