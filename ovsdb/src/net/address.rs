//! Addresses as Open vSwitch writes them (ovsdb(7) "Connection Methods").

use core::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

/// An active connection method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remote {
    /// `unix:FILE`
    Unix(PathBuf),
    /// `tcp:IP:PORT`
    Tcp(IpAddr, u16),
    /// `ssl:IP:PORT`
    Tls(IpAddr, u16),
}

/// Why a text is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressError {
    /// Does not start with `unix:`, `tcp:` or `ssl:`.
    Method,
    /// Not an IP address, in brackets if it is IPv6.
    Ip,
    /// Not a port from 1 to 65535.
    Port,
    /// Nothing given.
    Empty,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Method => "address does not start with unix:, tcp: or ssl:",
            Self::Ip => "not an IP address (IPv6 in brackets)",
            Self::Port => "not a port from 1 to 65535",
            Self::Empty => "empty address",
        })
    }
}

impl core::error::Error for AddressError {}

/// Port used when none is given, registered for OVSDB.
const DEFAULT_PORT: u16 = 6640;

impl Remote {
    /// Parses a comma-separated list.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, AddressError> {
        text.split(',').map(str::trim).map(str::parse).collect()
    }
}

impl core::str::FromStr for Remote {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        match text.split_once(':') {
            _ if text.is_empty() => Err(AddressError::Empty),
            Some(("unix", "")) => Err(AddressError::Empty),
            Some(("unix", path)) => Ok(Self::Unix(path.into())),
            Some(("tcp", rest)) => endpoint(rest).map(|(ip, port)| Self::Tcp(ip, port)),
            Some(("ssl", rest)) => endpoint(rest).map(|(ip, port)| Self::Tls(ip, port)),
            _ => Err(AddressError::Method),
        }
    }
}

fn endpoint(text: &str) -> Result<(IpAddr, u16), AddressError> {
    let (ip, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (ip, port) = rest.split_once(']').ok_or(AddressError::Ip)?;
            let ip: std::net::Ipv6Addr = ip.parse().map_err(|_| AddressError::Ip)?;
            (IpAddr::V6(ip), port)
        }
        None => {
            let at = text.find(':').unwrap_or(text.len());
            let (ip, port) = text.split_at(at);
            let ip: std::net::Ipv4Addr = ip.parse().map_err(|_| AddressError::Ip)?;
            (IpAddr::V4(ip), port)
        }
    };
    match port.strip_prefix(':') {
        None if port.is_empty() => Ok((ip, DEFAULT_PORT)),
        Some(port) => match port.parse() {
            Ok(port @ 1..) => Ok((ip, port)),
            _ => Err(AddressError::Port),
        },
        None => Err(AddressError::Port),
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (method, ip, port) = match self {
            Self::Unix(path) => return write!(f, "unix:{}", path.display()),
            Self::Tcp(ip, port) => ("tcp", ip, port),
            Self::Tls(ip, port) => ("ssl", ip, port),
        };
        write!(f, "{method}:{}", std::net::SocketAddr::new(*ip, *port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_and_print() {
        for text in ["unix:/run/db.sock", "tcp:127.0.0.1:6640", "ssl:[::1]:6641"] {
            assert_eq!(text.parse::<Remote>().unwrap().to_string(), text);
        }
        assert_eq!(
            "tcp:10.0.0.1".parse::<Remote>().unwrap().to_string(),
            "tcp:10.0.0.1:6640"
        );
        assert_eq!(Remote::parse_list("unix:/a, tcp:[::1]:1").unwrap().len(), 2);
        for (bad, error) in [
            ("", AddressError::Empty),
            ("unix:", AddressError::Empty),
            ("ptcp:6640", AddressError::Method),
            ("tcp:host:1", AddressError::Ip),
            ("tcp:::1:6640", AddressError::Ip),
            ("tcp:1.2.3.4:0", AddressError::Port),
            ("tcp:[::1]6640", AddressError::Port),
        ] {
            assert_eq!(bad.parse::<Remote>(), Err(error), "{bad}");
        }
    }
}
