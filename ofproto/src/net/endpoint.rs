//! Where a switch listens.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// A switch's socket. Parsed from `unix:PATH` or `tcp:ADDRESS:PORT` (`tcp:[::1]:6653` for IPv6).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// A unix socket, such as the `BRIDGE.mgmt` that Open vSwitch opens for each bridge.
    Unix(PathBuf),
    /// A TCP address.
    Tcp(SocketAddr),
}

impl Endpoint {
    /// The management socket of `bridge` in the run directory of Open vSwitch.
    pub fn bridge(run_dir: impl Into<PathBuf>, bridge: &str) -> Self {
        Self::Unix(run_dir.into().join(format!("{bridge}.mgmt")))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
        }
    }
}

/// Text that is no [`Endpoint`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadEndpoint;

impl fmt::Display for BadEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected unix:PATH or tcp:ADDRESS:PORT")
    }
}

impl std::error::Error for BadEndpoint {}

impl FromStr for Endpoint {
    type Err = BadEndpoint;

    fn from_str(text: &str) -> Result<Self, BadEndpoint> {
        match text.split_once(':') {
            Some(("unix", path)) if !path.is_empty() => Ok(Self::Unix(path.into())),
            Some(("tcp", address)) => address.parse().map(Self::Tcp).map_err(|_| BadEndpoint),
            _ => Err(BadEndpoint),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        for text in [
            "unix:/run/openvswitch/br0.mgmt",
            "tcp:127.0.0.1:6653",
            "tcp:[::1]:6653",
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        }
        for text in ["", "unix:", "tcp:host", "ssl:127.0.0.1:1", "/run/br0.mgmt"] {
            assert_eq!(text.parse::<Endpoint>(), Err(BadEndpoint), "{text}");
        }
        let bridge = Endpoint::bridge("/run/openvswitch", "br0");
        assert_eq!(bridge.to_string(), "unix:/run/openvswitch/br0.mgmt");
    }
}
