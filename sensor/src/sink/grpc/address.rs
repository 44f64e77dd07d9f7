//! Where a sensor listens: a UNIX socket, or TCP if somebody asks for it.

use std::{fmt, net::SocketAddr, path::PathBuf, str::FromStr};

/// Where the sensor listens if nothing else is said.
pub const DEFAULT_SOCKET: &str = "/run/sensor/sensor.sock";

/// An address to listen on or to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// Path of a UNIX socket.
    Unix(PathBuf),
    /// TCP, without encryption or authentication. To connect, the host may be a name; to listen, it must be an address.
    Tcp {
        /// Name or address; an IPv6 address without brackets.
        host: String,
        /// Not 0 to connect.
        port: u16,
    },
}

/// Not an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an address: give unix:/path/to/socket, /path/to/socket, or http://HOST:PORT")]
pub struct AddressError(String);

impl Default for Address {
    fn default() -> Self {
        Self::Unix(DEFAULT_SOCKET.into())
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(s: &str) -> Result<Self, AddressError> {
        let error = || AddressError(s.to_owned());
        if let Some(path) = s.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.is_empty() { Err(error()) } else { Ok(Self::Unix(path.into())) };
        }
        if s.starts_with('/') || s.starts_with("./") {
            return Ok(Self::Unix(s.into()));
        }
        let rest = s.strip_prefix("http://").or_else(|| s.strip_prefix("tcp://")).unwrap_or(s);
        let (host, port) = rest.trim_end_matches('/').rsplit_once(':').ok_or_else(error)?;
        let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).map_or(host, |h| h);
        let is_name = |h: &str| h.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
        if host.is_empty() || !(is_name(host) || host.parse::<std::net::Ipv6Addr>().is_ok()) {
            return Err(error());
        }
        Ok(Self::Tcp { host: host.to_owned(), port: port.parse().map_err(|_| error())? })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "http://[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "http://{host}:{port}"),
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(a: SocketAddr) -> Self {
        Self::Tcp { host: a.ip().to_string(), port: a.port() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_parse_and_print() {
        for (given, printed) in [
            ("unix:/run/x.sock", "unix:/run/x.sock"),
            ("unix:///run/x.sock", "unix:/run/x.sock"),
            ("/run/x.sock", "unix:/run/x.sock"),
            ("./x.sock", "unix:./x.sock"),
            ("http://127.0.0.1:50051", "http://127.0.0.1:50051"),
            ("http://node-1.example:50051/", "http://node-1.example:50051"),
            ("tcp://[::1]:7", "http://[::1]:7"),
            ("0.0.0.0:9", "http://0.0.0.0:9"),
        ] {
            assert_eq!(given.parse::<Address>().unwrap().to_string(), printed);
        }
        for bad in ["", "unix:", "sensor", "http://", "http://host", "host:70000", "https://h:1", "a b:1"] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }
}
