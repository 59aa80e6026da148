//! TLS with client certificates, and TCP, against a real ovsdb-server; failover between
//! remotes.

mod harness;

use harness::{Server, block_on, connect, run};
use ovsdb::net::{Client, Config, Remote, TlsConfig};
use ovsdb::session::Event;
use std::path::{Path, PathBuf};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

/// An authority and a certificate it issued, made with openssl.
fn certificates(dir: &Path, name: &str) {
    let path = |file: &str| {
        dir.join(format!("{name}-{file}"))
            .to_str()
            .unwrap()
            .to_owned()
    };
    let ca_subject = format!("/CN={name}-ca");
    run(
        "openssl",
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-subj",
            &ca_subject,
            "-keyout",
            &path("ca-key.pem"),
            "-out",
            &path("ca.pem"),
            "-addext",
            "keyUsage=critical,keyCertSign",
        ],
    );
    run(
        "openssl",
        &[
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            "/CN=peer",
            "-keyout",
            &path("key.pem"),
            "-out",
            &path("csr.pem"),
        ],
    );
    std::fs::write(
        path("ext"),
        "basicConstraints=CA:FALSE\nsubjectAltName=DNS:switch\n",
    )
    .unwrap();
    run(
        "openssl",
        &[
            "x509",
            "-req",
            "-in",
            &path("csr.pem"),
            "-CA",
            &path("ca.pem"),
            "-CAkey",
            &path("ca-key.pem"),
            "-CAcreateserial",
            "-days",
            "2",
            "-extfile",
            &path("ext"),
            "-out",
            &path("cert.pem"),
        ],
    );
}

fn tls(dir: &Path, name: &str) -> TlsConfig {
    let path = |file: &str| -> PathBuf { dir.join(format!("{name}-{file}")) };
    TlsConfig {
        ca_cert: dir.join("good-ca.pem"),
        certificate: path("cert.pem"),
        private_key: path("key.pem"),
        check_name: false,
    }
}

/// A server that listens on a unix socket, on TLS and on TCP; the ports are its choice.
fn server() -> (Server, Remote, Remote) {
    let dir = tempfile::tempdir().unwrap();
    certificates(dir.path(), "good");
    certificates(dir.path(), "other");
    let db = dir.path().join("conf.db");
    run(
        "ovsdb-tool",
        &["create", db.to_str().unwrap(), harness::VSWITCH_SCHEMA],
    );
    let file = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let args = [
        "--remote=pssl:0:127.0.0.1".to_owned(),
        format!("--private-key={}", file("good-key.pem")),
        format!("--certificate={}", file("good-cert.pem")),
        format!("--ca-cert={}", file("good-ca.pem")),
    ];
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let log = dir.path().join("db.log");
    let ctl = file("db.ctl");
    let server = Server::start(dir, &["conf.db"], &args);
    // The log names the port, not the method, so the second one is opened later.
    let tls_port = listening_port(&log, 0);
    run(
        "ovs-appctl",
        &["-t", &ctl, "ovsdb-server/add-remote", "ptcp:0:127.0.0.1"],
    );
    let ip = "127.0.0.1".parse().unwrap();
    let tcp_port = listening_port(&log, 1);
    let (tls, tcp) = (Remote::Tls(ip, tls_port), Remote::Tcp(ip, tcp_port));
    (server, tls, tcp)
}

/// The port of the listener that was opened after `n` others, when it is in the log.
fn listening_port(log: &Path, n: usize) -> u16 {
    for _ in 0..1000 {
        let text = std::fs::read_to_string(log).unwrap();
        let ports = text
            .lines()
            .filter_map(|l| l.split("127.0.0.1: listening on port ").nth(1));
        if let Some(port) = ports.map(|p| p.trim().parse().unwrap()).nth(n) {
            return port;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("no port in {}", std::fs::read_to_string(log).unwrap())
}

/// Large requests and replies, both ways at once.
#[test]
fn large_messages_over_tls() {
    let (server, tls_remote, _) = server();
    let dir = server.dir.path();
    block_on(LIMIT, async {
        let mut config = Config::vswitch(vec![tls_remote]);
        config.tls = Some(tls(dir, "good"));
        let (client, _events, _replica) = connect(config).await;
        let mut flying = tokio::task::JoinSet::new();
        for size in [1_000, 100_000, 5_000_000, 10_000_000] {
            let big = ovsdb::json::Json::from("q".repeat(size).as_str());
            let client = client.clone();
            flying.spawn(async move {
                let reply = client.request("echo", vec![big], LIMIT).await.unwrap();
                assert_eq!(reply.as_array().unwrap()[0].as_str().unwrap().len(), size);
            });
        }
        while let Some(done) = flying.join_next().await {
            done.unwrap();
        }
    });
}

/// How a client with these settings fares: the schema, or why there is none.
async fn outcome(config: Config) -> Result<(), String> {
    let (client, mut events) = Client::spawn(config).unwrap();
    loop {
        match tokio::time::timeout(Duration::from_millis(20), events.next()).await {
            Ok(Some(Event::Connected(_))) => return Ok(()),
            Ok(Some(Event::Disconnected(reason))) => return Err(reason.to_string()),
            Ok(None) => return Err("closed".into()),
            Ok(Some(_)) => {}
            // A failed attempt makes no event.
            Err(_) => {
                if let Some(failure) = client.last_failure() {
                    return Err(failure.to_string());
                }
            }
        }
    }
}

#[test]
fn tls_and_tcp() {
    let (server, tls_remote, tcp) = server();
    server.vsctl(&["init", "--", "add-br", "br0"]);
    let dir = server.dir.path();
    block_on(LIMIT, async {
        let mut config = Config::vswitch(vec![tls_remote.clone()]);
        config.tls = Some(tls(dir, "good"));
        let (_client, _events, replica) = connect(config.clone()).await;
        assert_eq!(replica.rows("Bridge").count(), 1);

        // A certificate of another authority is refused by the server.
        let mut stranger = config.clone();
        stranger.tls = Some(tls(dir, "other"));
        let why = outcome(stranger).await.unwrap_err();
        assert!(
            why.contains("transport:") || why.contains("ssl:127.0.0.1"),
            "{why}"
        );
        // A server of another authority is refused by the client.
        let mut wary = config.clone();
        wary.tls = Some(TlsConfig {
            ca_cert: dir.join("other-ca.pem"),
            ..tls(dir, "good")
        });
        let why = outcome(wary).await.unwrap_err();
        assert!(why.contains("invalid peer certificate"), "{why}");
        // The certificate names "switch", not 127.0.0.1.
        let mut strict = config.clone();
        strict.tls = Some(TlsConfig {
            check_name: true,
            ..tls(dir, "good")
        });
        let why = outcome(strict).await.unwrap_err();
        assert!(why.contains("not valid for name"), "{why}");
        // Files that are not there.
        let mut missing = config;
        missing.tls = Some(TlsConfig {
            ca_cert: dir.join("none"),
            ..tls(dir, "good")
        });
        assert!(Client::spawn(missing).is_err());

        let (_client, _events, replica) = connect(Config::vswitch(vec![tcp.clone()])).await;
        assert_eq!(replica.rows("Bridge").count(), 1);

        // Remotes that are dead or refuse are passed over.
        let dead = Remote::Unix(dir.join("nothing"));
        let why = outcome(Config::vswitch(vec![dead.clone()]))
            .await
            .unwrap_err();
        assert!(
            why.starts_with(&format!("cannot connect to {dead}: No such file")),
            "{why}"
        );
        connect(Config::vswitch(vec![dead, tls_remote, tcp])).await;
    });
}
