//! The configuration: files in the format of oslo.config, read once, checked once, then a plain value.
//!
//! Owns: which options exist, their defaults, what is allowed, and the words for what is not. Nobody else reads
//! configuration files or asks the system for the host's name. Must not know: what the values are used for. All
//! problems are reported at once, each with file and line. Held by the tests at the foot, and by `tests/cli_config.rs`
//! through the command.

mod check;
mod ini;
mod names;
mod parse;
mod problem;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::model::{FirewallDriver, HostName, TunnelType};

pub use ini::Place;
pub use problem::{ConfigError, Problem};

/// The file that is read when none is named.
pub const DEFAULT_FILE: &str = "/etc/vifd/vifd.conf";

/// Everything that can be configured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// `[DEFAULT] host`: this host's name in the control plane.
    pub host: HostName,
    /// What is logged, and how.
    pub log: Log,
    /// The switch.
    pub ovs: Ovs,
    /// Tunnels and reports.
    pub agent: Agent,
    /// `[securitygroup] firewall_driver`; [`FirewallDriver::Noop`] also when `enable_security_group` is false.
    pub firewall: FirewallDriver,
    /// The control plane's database.
    pub database: Database,
    /// `[vifd] state_dir`.
    pub state_dir: PathBuf,
    /// `[vifd] run_dir`: admin socket and lock.
    pub run_dir: PathBuf,
    /// `[vifd] metrics_listen`; `None` switches the HTTP server off.
    pub metrics_listen: Option<SocketAddr>,
    /// `[vifd] own_tables`: the tables of nf_tables belong to the agent where the kernel can do it, and nobody else
    /// changes them; else foreign changes are watched for and mended.
    pub own_tables: bool,
}

/// Options of `[DEFAULT]` about logs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Log {
    /// `log_level`: a level, and `MODULE=LEVEL` parts behind commas.
    pub level: Arc<str>,
    /// `log_format`.
    pub format: LogFormat,
}

/// How a log line looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Options of `[ovs]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ovs {
    /// The bridge that VIFs are plugged into.
    pub integration_bridge: Arc<str>,
    /// The bridge that holds tunnel ports.
    pub tunnel_bridge: Arc<str>,
    /// Its name on the integration bridge.
    pub int_peer_patch_port: Arc<str>,
    /// Its name on the tunnel bridge.
    pub tun_peer_patch_port: Arc<str>,
    /// Which bridge leads to which physical network; both sides are unique.
    pub bridge_mappings: Vec<BridgeMapping>,
    /// Of bridges that vifd creates.
    pub datapath_type: DatapathType,
    /// Source of tunnels; always given when there are tunnel types.
    pub local_ip: Option<IpAddr>,
    /// Where ovsdb-server listens.
    pub ovsdb_connection: OvsdbAddress,
    /// Where `ovs-vswitchd` keeps the bridges' management sockets.
    pub ovs_rundir: PathBuf,
    /// How long an OVSDB request may take.
    pub ovsdb_timeout: Duration,
    /// How long an OpenFlow request may take.
    pub of_request_timeout: Duration,
    /// Key material; always given when the connection is `ssl:`.
    pub tls: Option<Tls>,
}

/// The three files that `ssl:` needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tls {
    /// `ssl_key_file`: our private key, PEM.
    pub key: PathBuf,
    /// `ssl_cert_file`: our certificate, PEM.
    pub cert: PathBuf,
    /// `ssl_ca_cert_file`: who may have signed the server's certificate, PEM.
    pub ca: PathBuf,
}

/// One entry of `bridge_mappings`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BridgeMapping {
    /// The control plane's name for the wire.
    pub physical_network: Arc<str>,
    /// The bridge that leads to it.
    pub bridge: Arc<str>,
}

/// `datapath_type`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DatapathType {
    /// The kernel's.
    System,
    /// In `ovs-vswitchd` itself.
    Netdev,
}

impl DatapathType {
    /// The name in OVSDB.
    pub fn name(self) -> &'static str {
        match self {
            DatapathType::System => "system",
            DatapathType::Netdev => "netdev",
        }
    }
}

/// `ovsdb_connection`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OvsdbAddress {
    /// `unix:PATH`
    Unix(PathBuf),
    /// `tcp:IP:PORT`
    Tcp(SocketAddr),
    /// `ssl:IP:PORT`
    Ssl(SocketAddr),
}

impl fmt::Display for OvsdbAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OvsdbAddress::Unix(path) => write!(f, "unix:{}", path.display()),
            OvsdbAddress::Tcp(address) => write!(f, "tcp:{address}"),
            OvsdbAddress::Ssl(address) => write!(f, "ssl:{address}"),
        }
    }
}

/// Options of `[agent]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Agent {
    /// Encapsulations in use; empty switches tunnels off.
    pub tunnel_types: Vec<TunnelType>,
    /// The UDP port of VXLAN.
    pub vxlan_udp_port: u16,
    /// Sets DF on the outer packet.
    pub dont_fragment: bool,
    /// Computes the outer checksum.
    pub tunnel_csum: bool,
    /// Between two heartbeats.
    pub report_interval: Duration,
}

/// Options of `[database]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Database {
    /// Its URL.
    pub connection: Arc<str>,
    /// Between two looks at the change log, where the file system does not tell of changes.
    pub poll_interval: Duration,
}

/// A configuration, and what looked odd in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// Unknown sections and options.
    pub warnings: Vec<Problem>,
}

impl Config {
    /// Reads and checks files; later ones override earlier ones.
    pub fn load<P: AsRef<Path>>(files: &[P]) -> Result<Loaded, ConfigError> {
        let mut problems = Vec::new();
        let mut texts = Vec::new();
        for file in files {
            match std::fs::read_to_string(file.as_ref()) {
                Ok(text) => texts.push((file.as_ref(), text)),
                Err(why) => problems.push(Problem::unreadable(file.as_ref(), &why)),
            }
        }
        check::check(&texts, &system_host_name(), problems)
    }

    /// Checks texts as if they had been files.
    pub fn parse(files: &[(&Path, &str)], system_host: &str) -> Result<Loaded, ConfigError> {
        let texts: Vec<_> = files
            .iter()
            .map(|(file, text)| (*file, (*text).to_owned()))
            .collect();
        check::check(&texts, system_host, Vec::new())
    }

    /// Where `vifd status` and its like reach the agent.
    pub fn admin_socket(&self) -> PathBuf {
        self.run_dir.join("vifd.sock")
    }

    /// Held for as long as an agent runs.
    pub fn lock_file(&self) -> PathBuf {
        self.run_dir.join("vifd.lock")
    }
}

/// The kernel's node name; empty if it cannot be read, which the check then reports.
fn system_host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
