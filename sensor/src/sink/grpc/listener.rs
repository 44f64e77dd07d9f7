//! Opens what the server listens on: a UNIX socket that nobody but its owner can ever connect to, or TCP. A socket that a dead sensor left
//! behind is replaced, that of a living one never.

use super::address::Address;
use rustix::{
    fs::{FileType, Mode},
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType},
};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 64;

/// Nothing can be listened on; nothing is left behind.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another program answers there.
    #[error("{0} is in use: another program, a sensor perhaps, is listening there; stop it, or choose another address with --listen")]
    InUse(Address),
    /// The path is taken by something that is not a socket; it is left as it is.
    #[error("{path} exists and is not a socket: remove it, or choose another address with --listen")]
    NotASocket {
        /// What.
        path: PathBuf,
    },
    /// The folder of the socket cannot be made.
    #[error("cannot make the folder {path} for the socket: {source}; choose another address with --listen")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A UNIX socket's path has at most 107 bytes.
    #[error("the socket path {path} is too long: at most 107 bytes")]
    TooLong {
        /// Which.
        path: PathBuf,
    },
    /// Only addresses can be listened on.
    #[error("cannot listen on {0}: give an IP address instead of a name, such as http://127.0.0.1:50051")]
    NotAnAddress(Address),
    /// Anything else.
    #[error("cannot listen on {address}: {source}; choose another address with --listen")]
    Other {
        /// Where.
        address: Address,
        /// Why.
        source: io::Error,
    },
}

/// What is listened on.
#[derive(Debug)]
pub(super) enum Listener {
    Unix(tokio::net::UnixListener, SocketFile),
    Tcp(tokio::net::TcpListener),
}

/// The socket's name, removed at the end unless it is another one by then.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    id: (u64, u64),
    /// Dropped after the socket's name is gone.
    _folder: Option<MadeFolder>,
}

/// A folder that was made for the socket; it goes with it, if nothing else is in it.
#[derive(Debug)]
struct MadeFolder(PathBuf);

impl Drop for MadeFolder {
    fn drop(&mut self) {
        // Best effort: an empty folder that stays behind is used at the next start.
        let _ = std::fs::remove_dir(&self.0);
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Ok(now) = rustix::fs::lstat(&self.path)
            && (now.st_dev, now.st_ino) == self.id
        {
            // A name that stays behind is replaced at the next start.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Opens the address. To be called within a tokio runtime.
pub(super) async fn listen(address: &Address) -> Result<Listener, ListenError> {
    match address {
        Address::Unix(path) => unix(address, path),
        Address::Tcp { host, port } => {
            let ip: IpAddr = host.parse().map_err(|_| ListenError::NotAnAddress(address.clone()))?;
            match tokio::net::TcpListener::bind(SocketAddr::new(ip, *port)).await {
                Ok(listener) => Ok(Listener::Tcp(listener)),
                Err(e) if e.kind() == io::ErrorKind::AddrInUse => Err(ListenError::InUse(address.clone())),
                Err(source) => Err(ListenError::Other { address: address.clone(), source }),
            }
        }
    }
}

fn unix(address: &Address, path: &Path) -> Result<Listener, ListenError> {
    let other = |source: io::Error| ListenError::Other { address: address.clone(), source };
    let name = SocketAddrUnix::new(path).map_err(|_| ListenError::TooLong { path: path.to_owned() })?;
    let missing = path.parent().filter(|f| !f.as_os_str().is_empty() && !f.exists());
    let folder = missing.map(make_folder).transpose()?;
    remove_stale(address, path)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(|e| other(e.into()))?;
    rustix::net::bind(&socket, &name).map_err(|e| match e {
        rustix::io::Errno::ADDRINUSE => ListenError::InUse(address.clone()),
        e => other(e.into()),
    })?;
    // Between bind and listen nobody can connect, so at no moment the socket is open to others, whatever the umask.
    let opened = (|| {
        rustix::fs::chmod(path, Mode::RUSR | Mode::WUSR)?;
        let stat = rustix::fs::lstat(path)?;
        let file = SocketFile { path: path.to_owned(), id: (stat.st_dev, stat.st_ino), _folder: folder };
        rustix::net::listen(&socket, BACKLOG)?;
        let listener = tokio::net::UnixListener::from_std(std::os::unix::net::UnixListener::from(socket))?;
        Ok(Listener::Unix(listener, file))
    })();
    opened.map_err(other)
}

/// One folder (such as /run/sensor), not a whole path: that would rather be a mistake in the address.
fn make_folder(folder: &Path) -> Result<MadeFolder, ListenError> {
    // Only a folder that we make is ours to protect; the socket itself is closed to others anyway.
    let made = std::fs::DirBuilder::new().mode(0o700).create(folder);
    made.map(|()| MadeFolder(folder.to_owned())).map_err(|source| ListenError::Folder { path: folder.to_owned(), source })
}

/// Makes room if a socket is there that nobody listens on.
fn remove_stale(address: &Address, path: &Path) -> Result<(), ListenError> {
    let other = |source: io::Error| ListenError::Other { address: address.clone(), source };
    let stat = match rustix::fs::lstat(path) {
        Err(rustix::io::Errno::NOENT) => return Ok(()),
        Err(e) => return Err(other(e.into())),
        Ok(stat) => stat,
    };
    if FileType::from_raw_mode(stat.st_mode) != FileType::Socket {
        return Err(ListenError::NotASocket { path: path.to_owned() });
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(ListenError::InUse(address.clone())),
        Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path).map_err(other),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(other(e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path) -> u32 {
        std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn the_socket_and_the_folder_made_for_it_are_closed_to_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sensor/s.sock");
        let listener = listen(&Address::Unix(path.clone())).await.unwrap();
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        drop(listener);
        assert!(!path.parent().unwrap().exists(), "it goes with the socket");
        let deep = dir.path().join("no/such/s.sock");
        assert!(matches!(listen(&Address::Unix(deep)).await, Err(ListenError::Folder { .. })));
        assert!(!dir.path().join("no").exists());
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.sock");
        let address = Address::Unix(path.clone());
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "std leaves the name behind");
        let _live = listen(&address).await.unwrap();
        let error = listen(&address).await.unwrap_err();
        assert!(matches!(&error, ListenError::InUse(a) if *a == address), "{error}");
        assert!(std::os::unix::net::UnixStream::connect(&path).is_ok());
    }

    #[tokio::test]
    async fn what_is_not_a_socket_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "precious").unwrap();
        assert!(matches!(listen(&Address::Unix(path.clone())).await, Err(ListenError::NotASocket { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    }

    #[tokio::test]
    async fn tcp_in_use_and_names_are_named() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let error = listen(&Address::from(taken.local_addr().unwrap())).await.unwrap_err();
        assert!(matches!(error, ListenError::InUse(_)), "{error}");
        assert!(matches!(listen(&"http://localhost:1".parse().unwrap()).await, Err(ListenError::NotAnAddress(_))));
        let long = Address::Unix(dir_of(200));
        assert!(matches!(listen(&long).await, Err(ListenError::TooLong { .. })));
    }

    fn dir_of(len: usize) -> PathBuf {
        PathBuf::from(format!("/tmp/{}", "x".repeat(len)))
    }
}
