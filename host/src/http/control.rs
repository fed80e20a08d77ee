//! The control socket: where a gateway listens for the command line of its own machine. Whoever can
//! open it, by the permissions of the data directory, is the operator.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

/// What the system takes as the path of a socket, with room for the end of the text.
const LONGEST: usize = 100;

/// A path to a socket that the system takes, however deep its directory lies.
pub struct Address {
    path: PathBuf,
    /// Keeps a shortened path valid.
    _directory: Option<File>,
}

impl Address {
    pub fn of(socket: &Path) -> io::Result<Self> {
        let name = socket.file_name().unwrap_or_default();
        if socket.as_os_str().len() <= LONGEST {
            return Ok(Address { path: socket.to_owned(), _directory: None });
        }
        let directory = File::open(socket.parent().unwrap_or(Path::new("/")))?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd())).join(name);
        Ok(Address { path, _directory: Some(directory) })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Listens, for this user only. The caller holds the store, so a socket that is there already was
/// left by a gateway that is gone.
pub fn listen(socket: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let address = Address::of(socket)?;
    let listener = UnixListener::bind(address.path())?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}
