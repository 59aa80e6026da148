//! TLS with client certificates, and TCP, against a real ovsdb-server; failover between
//! remotes.

mod harness;

use harness::{Server, block_on, connect, run};
use ovsdb::net::{Client, Config, Remote, TlsConfig};
use ovsdb::session::Event;
use std::path::{Path, PathBuf};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);
const SECOND: Duration = Duration::from_secs(1);

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
    let port = |n: usize| -> u16 {
        for _ in 0..1000 {
            let text = std::fs::read_to_string(&log).unwrap();
            let ports = text
                .lines()
                .filter_map(|l| l.split("127.0.0.1: listening on port ").nth(1));
            if let Some(port) = ports.map(|p| p.trim().parse().unwrap()).nth(n) {
                return port;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("no port in {}", std::fs::read_to_string(&log).unwrap())
    };
    let tls_port = port(0);
    run(
        "ovs-appctl",
        &["-t", &ctl, "ovsdb-server/add-remote", "ptcp:0:127.0.0.1"],
    );
    let ip = "127.0.0.1".parse().unwrap();
    let (tls, tcp) = (Remote::Tls(ip, tls_port), Remote::Tcp(ip, port(1)));
    (server, tls, tcp)
}

/// True if a client with these settings gets as far as the schema in time.
async fn connects(config: Config, limit: Duration) -> bool {
    let (_client, mut events) = Client::spawn(config).unwrap();
    let connected = async {
        loop {
            if let Some(Event::Connected(_)) = events.next().await {
                return;
            }
        }
    };
    tokio::time::timeout(limit, connected).await.is_ok()
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
        assert!(!connects(stranger, SECOND).await);
        // A server of another authority is refused by the client.
        let mut wary = config.clone();
        wary.tls = Some(TlsConfig {
            ca_cert: dir.join("other-ca.pem"),
            ..tls(dir, "good")
        });
        assert!(!connects(wary, SECOND).await);
        // The certificate names "switch", not 127.0.0.1.
        let mut strict = config.clone();
        strict.tls = Some(TlsConfig {
            check_name: true,
            ..tls(dir, "good")
        });
        assert!(!connects(strict, SECOND).await);
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
        let mut config = Config::vswitch(vec![dead, tls_remote, tcp]);
        config.connect_timeout = Duration::from_secs(2);
        assert!(connects(config, LIMIT / 2).await);
    });
}
